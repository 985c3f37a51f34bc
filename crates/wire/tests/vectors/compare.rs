//! Bodies by their meaning: order, white space and numbers' widths say nothing where the format says so.

use apus_time::Timestamp;
use minicbor::Decoder;
use minicbor::data::Type;
use quick_xml::events::Event;
use serde_json::{Value as Json, json};

use crate::values::same;

pub(crate) fn raw(found: &[u8], expected: &[u8]) -> Result<(), String> {
    verdict(found == expected, &String::from_utf8_lossy(found), &String::from_utf8_lossy(expected))
}

pub(crate) fn json(found: &[u8], expected: &str) -> Result<(), String> {
    // No body and an empty object say the same.
    let text = |text: &str| if text.trim().is_empty() { "{}".to_owned() } else { text.to_owned() };
    let found = text(std::str::from_utf8(found).map_err(|error| error.to_string())?);
    let parse = |text: &str| serde_json::from_str::<Json>(text).map_err(|error| format!("{error} in {text}"));
    let (found, expected) = (without_namespace(parse(&found)?), without_namespace(parse(&text(expected))?));
    verdict(same(&found, &expected), &found.to_string(), &expected.to_string())
}

/// Instants in one zone.
fn instants(json: &mut Json) {
    match json {
        Json::String(text) => *text = instant(text),
        Json::Array(items) => items.iter_mut().for_each(instants),
        Json::Object(entries) => entries.values_mut().for_each(instants),
        _ => {}
    }
}

/// An error's name may come with a namespace.
fn without_namespace(mut json: Json) -> Json {
    instants(&mut json);
    if let Some(Json::String(name)) = json.get_mut("__type") {
        *name = name.rsplit('#').next().unwrap_or_default().to_owned();
    }
    json
}

pub(crate) fn xml(found: &[u8], expected: &str) -> Result<(), String> {
    let found = std::str::from_utf8(found).map_err(|error| error.to_string())?;
    if expected.trim().is_empty() {
        // No body and a root without content say the same; so does an answer with nothing but its id.
        let empty =
            tree(found).is_none_or(|root| root.children.iter().all(|child| child.children.is_empty()));
        return verdict(empty, found, expected);
    }
    let (own, other) = (tree(found), tree(expected));
    verdict(own.is_some() && own == other, &format!("{own:?}"), &format!("{other:?}"))
}

#[derive(Default, PartialEq, Eq)]
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Element>,
}

impl std::fmt::Debug for Element {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<{}", self.name)?;
        for (name, value) in &self.attributes {
            write!(f, " {name}={value:?}")?;
        }
        write!(f, ">{}", self.text)?;
        self.children.iter().try_for_each(|child| write!(f, "{child:?}"))?;
        write!(f, "</{}>", self.name)
    }
}

/// A document without its ids, namespaces and insignificant white space; children of one name keep their order.
fn tree(text: &str) -> Option<Element> {
    let mut reader = quick_xml::Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event().expect("the XML is well formed") {
            Event::Start(start) => {
                let attributes = start.attributes().map(|attribute| attribute.expect("an attribute"));
                let attributes = attributes
                    .map(|attribute| (attribute.key.as_ref().to_owned(), attribute.value.into_owned()));
                let mut attributes: Vec<_> =
                    attributes.filter(|(name, _)| !name.starts_with("xmlns")).collect();
                attributes.sort();
                let name = start.local_name().as_ref().to_owned();
                open.push(Element { name, attributes, ..Element::default() });
            }
            Event::End(_) => {
                let mut done = open.pop()?;
                if !done.children.is_empty() {
                    done.text.clear();
                }
                done.text = if done.text.trim().is_empty() { String::new() } else { instant(&done.text) };
                done.children
                    .retain(|child| !matches!(child.name.as_str(), "ResponseMetadata" | "RequestId"));
                done.children.sort_by(|left, right| left.name.cmp(&right.name));
                open.last_mut()?.children.push(done);
            }
            Event::Text(piece) => open.last_mut()?.text.push_str(&piece),
            Event::CData(piece) => open.last_mut()?.text.push_str(&piece),
            Event::GeneralRef(reference) => {
                let name: &str = &reference;
                let character = match reference.resolve_char_ref().expect("a reference") {
                    Some(character) => character,
                    None => match name {
                        "lt" => '<',
                        "gt" => '>',
                        "amp" => '&',
                        "quot" => '"',
                        "apos" => '\'',
                        other => panic!("unknown entity {other}"),
                    },
                };
                open.last_mut()?.text.push(character);
            }
            Event::Eof => return open.pop()?.children.pop(),
            _ => {}
        }
    }
}

/// An instant is the same in any zone.
fn instant(text: &str) -> String {
    Timestamp::parse_iso8601(text).map_or_else(|_| text.to_owned(), Timestamp::to_iso8601)
}

pub(crate) fn cbor(found: &[u8], expected: &str) -> Result<(), String> {
    use base64::Engine;
    let expected = base64::engine::general_purpose::STANDARD.decode(expected).expect("CBOR is in base64");
    let parse = |bytes: &[u8]| match bytes {
        [] => json!({}),
        _ => without_namespace(item(&mut Decoder::new(bytes))),
    };
    let (found, expected) = (parse(found), parse(&expected));
    verdict(same(&found, &expected), &found.to_string(), &expected.to_string())
}

fn item(decoder: &mut Decoder<'_>) -> Json {
    const OK: &str = "the CBOR is well formed";
    match decoder.datatype().expect(OK) {
        Type::Bool => json!(decoder.bool().expect(OK)),
        Type::Null => {
            decoder.null().expect(OK);
            Json::Null
        }
        Type::Undefined => {
            decoder.undefined().expect(OK);
            Json::Null
        }
        Type::F16 => {
            let at = decoder.position();
            decoder.set_position(at + 3);
            double(half(u16::from_be_bytes([decoder.input()[at + 1], decoder.input()[at + 2]])))
        }
        Type::F32 => double(f64::from(decoder.f32().expect(OK))),
        Type::F64 => double(decoder.f64().expect(OK)),
        Type::Bytes | Type::BytesIndef => {
            let pieces: Result<Vec<_>, _> = decoder.bytes_iter().expect(OK).collect();
            json!(pieces.expect(OK).concat())
        }
        Type::String | Type::StringIndef => {
            let pieces: Result<String, _> = decoder.str_iter().expect(OK).collect();
            json!(pieces.expect(OK))
        }
        Type::Array | Type::ArrayIndef => {
            let mut items = Vec::new();
            let length = decoder.array().expect(OK);
            while more(decoder, length, items.len()) {
                items.push(item(decoder));
            }
            Json::Array(items)
        }
        Type::Map | Type::MapIndef => {
            let mut entries = serde_json::Map::new();
            let length = decoder.map().expect(OK);
            while more(decoder, length, entries.len()) {
                let key = item(decoder).as_str().expect("a key is text").to_owned();
                entries.insert(key, item(decoder));
            }
            Json::Object(entries)
        }
        Type::Tag => {
            let tag = decoder.tag().expect(OK).as_u64();
            json!({ format!("tag {tag}"): item(decoder) })
        }
        _ => json!(decoder.i64().expect(OK)),
    }
}

fn more(decoder: &mut Decoder<'_>, length: Option<u64>, read: usize) -> bool {
    match length {
        Some(length) => (read as u64) < length,
        None if decoder.datatype().expect("the CBOR is well formed") == Type::Break => {
            decoder.set_position(decoder.position() + 1);
            false
        }
        None => true,
    }
}

/// The few of sixteen bits that the vectors hold.
fn half(bits: u16) -> f64 {
    match bits {
        0x0050 => 80.0 * 2f64.powi(-24),
        0x3e00 => 1.5,
        0x47a0 => 7.625,
        0x7c00 => f64::INFINITY,
        0xfc00 => f64::NEG_INFINITY,
        0x7c01 | 0x7e00 => f64::NAN,
        other => panic!("the vectors have a new half: {other:#x}"),
    }
}

fn double(number: f64) -> Json {
    if number.is_finite() { json!(number) } else { json!(number.to_string()) }
}

fn verdict(same: bool, found: &str, expected: &str) -> Result<(), String> {
    if same { Ok(()) } else { Err(format!("body {found}\nexpected {expected}")) }
}
