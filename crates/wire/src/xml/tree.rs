//! A XML document as a tree: elements, attributes, text. Document types and entities are refused, so that
//! a small body stays a small tree.

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};

use crate::budget::{Budget, Read, Unreadable, unreadable};

/// The most attributes of one element.
const MAX_ATTRIBUTES: usize = 64;
/// What an element takes of the budget: itself, and the first block of its children.
const ELEMENT_PLACES: usize = 12;

/// An element; names are without their prefix.
#[derive(Debug, Default)]
pub(crate) struct Element {
    pub(crate) name: String,
    /// By their whole names; declarations of namespaces are left out.
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) children: Vec<Element>,
    pub(crate) text: String,
}

impl Element {
    /// The first child of that name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Every child of that name.
    pub(crate) fn children<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The attribute of that name, with or without its prefix.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let local = |name: &'_ str| name.rsplit(':').next().map(str::to_owned);
        let found = self.attributes.iter().find(|(own, _)| own == name);
        let found = found.or_else(|| self.attributes.iter().find(|(own, _)| local(own) == local(name)));
        found.map(|(_, value)| value.as_str())
    }
}

/// Reads a document: one root, nothing else but comments and white space around it.
pub(crate) fn parse(bytes: &[u8]) -> Read<Element> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return unreadable("The XML is not valid UTF-8.");
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut budget = Budget::new();
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    loop {
        match reader.read_event().map_err(|error| broken(&error))? {
            Event::Start(start) => {
                if root.is_some() {
                    return unreadable("The XML has more than one root.");
                }
                budget.enter()?;
                budget.spend(ELEMENT_PLACES)?;
                open.push(element(&start, &mut budget)?);
            }
            Event::End(_) => {
                budget.leave();
                let Some(done) = open.pop() else { return unreadable("An element ends that did not begin.") };
                match open.last_mut() {
                    Some(parent) => parent.children.push(done),
                    None => root = Some(done),
                }
            }
            Event::Text(piece) => characters(&mut open, &piece.xml10_content())?,
            Event::CData(piece) => characters(&mut open, &piece.xml10_content())?,
            Event::GeneralRef(reference) => {
                let character = match reference.resolve_char_ref().map_err(|error| broken(&error))? {
                    Some(character) => character,
                    None => named_entity(&reference.xml10_content())?,
                };
                characters(&mut open, character.encode_utf8(&mut [0; 4]))?;
            }
            Event::DocType(_) => return unreadable("The XML has a document type, which is not allowed."),
            Event::Eof => break,
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
    match root {
        Some(root) if open.is_empty() => Ok(root),
        _ => unreadable("The XML ends before its root does."),
    }
}

fn element(start: &BytesStart<'_>, budget: &mut Budget) -> Read<Element> {
    let mut element = Element { name: start.local_name().as_ref().to_owned(), ..Element::default() };
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| Unreadable(format!("The XML is broken: {error}.")))?;
        let name = attribute.key.as_ref();
        if name == "xmlns" || name.starts_with("xmlns:") {
            continue;
        }
        if element.attributes.len() == MAX_ATTRIBUTES {
            return unreadable(format!("An element has more than {MAX_ATTRIBUTES} attributes."));
        }
        budget.spend(1)?;
        let value = attribute
            .normalized_value(XmlVersion::Explicit1_0)
            .map_err(|error| Unreadable(format!("The XML is broken: {error}.")))?;
        element.attributes.push((name.to_owned(), value.into_owned()));
    }
    Ok(element)
}

fn characters(open: &mut [Element], text: &str) -> Read<()> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return unreadable("The XML has text outside its root."),
    }
    Ok(())
}

/// The five entities that XML itself defines.
fn named_entity(name: &str) -> Read<char> {
    Ok(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => return unreadable("The XML refers to an entity, which is not allowed."),
    })
}

fn broken(error: &quick_xml::Error) -> Unreadable {
    Unreadable(format!("The XML is broken: {error}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_entities_and_cdata_become_text() {
        let root = parse(b"<?xml version='1.0'?><a x='1&amp;2'> <b>&lt;&#x41;<![CDATA[<&>]]></b><b/></a>\n");
        let root = root.expect("it is well formed");
        assert_eq!(root.attribute("x"), Some("1&2"));
        let texts: Vec<_> = root.children("b").map(|child| child.text.as_str()).collect();
        assert_eq!(texts, ["<A<&>", ""]);
    }

    #[test]
    fn what_is_no_plain_document_is_refused() {
        for text in [
            "",
            "text",
            "<a>",
            "<a></b>",
            "</a>",
            "<a/><b/>",
            "<a/>text",
            "<a>&unknown;</a>",
            "<a>&#xD800;</a>",
            "<a b='1' b='2'/>",
            "<a b=1/>",
            "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
            "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>",
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(parse(b"<a>\xff</a>").is_err());
        assert!(parse("<a>".repeat(1_000).as_bytes()).is_err());
        assert!(parse(format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000)).as_bytes()).is_err());
    }
}
