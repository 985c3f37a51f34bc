//! Writes values under a schema as XML elements.

use std::fmt::Write;

use apus_schema::{Fields, Kind, Member, Schema, TimestampFormat, Value, XmlNamespace};

use super::{Naming, is_flattened};
use crate::rest::is_in_output_body;
use crate::text;

/// The text of a document in the making.
pub(crate) struct Writer {
    out: String,
    naming: Naming,
    /// Instants always show three digits of milliseconds.
    millis: bool,
}

/// The first line of every document.
const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
/// The namespace of `xsi:type`.
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

impl Writer {
    pub(crate) fn new(naming: Naming, millis: bool) -> Self {
        Self { out: DECLARATION.to_owned(), naming, millis }
    }

    pub(crate) fn finish(self) -> String {
        self.out
    }

    /// Opens an element, with the namespace that everything in it has.
    pub(crate) fn open(&mut self, name: &str, namespace: Option<&str>) {
        self.tag(name);
        if let Some(uri) = namespace {
            self.attribute("xmlns", uri);
        }
        self.out.push('>');
    }

    pub(crate) fn close(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    /// An element with nothing but text.
    pub(crate) fn element(&mut self, name: &str, text: &str) {
        self.open(name, None);
        self.text(text);
        self.close(name);
    }

    pub(crate) fn text(&mut self, text: &str) {
        escape(&mut self.out, text);
    }

    /// A structure as an element of that name.
    pub(crate) fn structure(
        &mut self,
        name: &str,
        namespace: Option<XmlNamespace>,
        service_namespace: Option<&str>,
        schema: &Schema,
        fields: &Fields,
    ) {
        self.tag(name);
        match (namespace, service_namespace) {
            (Some(namespace), _) => self.namespace(namespace),
            (None, Some(uri)) => self.attribute("xmlns", uri),
            (None, None) => {}
        }
        for (at, value) in fields.iter() {
            let member = &schema.members()[at];
            if !member.xml_attribute {
                continue;
            }
            let name = self.naming.member(member);
            let declared = namespace.is_some_and(|namespace| namespace.prefix == Some("xsi"));
            if name.starts_with("xsi:") && !declared {
                self.attribute("xmlns:xsi", XSI);
            }
            if let Some(text) = self.scalar(member.shape, Some(member), value) {
                self.attribute(name, &text);
            }
        }
        self.out.push('>');
        self.members(schema, fields);
        self.close(name);
    }

    /// The members of a structure that are elements of the body.
    pub(crate) fn members(&mut self, schema: &Schema, fields: &Fields) {
        for (at, value) in fields.iter() {
            let member = &schema.members()[at];
            if is_in_output_body(member.location) && !member.xml_attribute {
                self.member(member, value);
            }
        }
    }

    fn member(&mut self, member: &Member, value: &Value) {
        let name = self.naming.member(member);
        if !is_flattened(Some(member), member.shape) {
            return self.value(name, member.xml_namespace, member.shape, Some(member), value);
        }
        match (member.shape.kind, value) {
            (Kind::List { member: item, .. }, Value::List(items)) => {
                for found in items {
                    self.value(name, member.xml_namespace, item, None, found);
                }
            }
            (Kind::Map { .. }, Value::Map(entries)) => {
                for (key, found) in entries {
                    self.entry(name, member.xml_namespace, member.shape, key, found);
                }
            }
            _ => {}
        }
    }

    /// One value as an element of that name. A null is no element.
    pub(crate) fn value(
        &mut self,
        name: &str,
        namespace: Option<XmlNamespace>,
        schema: &Schema,
        member: Option<&Member>,
        value: &Value,
    ) {
        match (schema.kind, value) {
            (Kind::Structure { .. }, Value::Structure(fields)) => {
                self.structure(name, namespace, None, schema, fields);
            }
            (Kind::List { member: item, .. }, Value::List(items)) => {
                self.start(name, namespace);
                for found in items {
                    self.value(self.naming.element(schema), None, item, None, found);
                }
                self.close(name);
            }
            (Kind::Map { .. }, Value::Map(entries)) => {
                self.start(name, namespace);
                for (key, found) in entries {
                    self.entry("entry", None, schema, key, found);
                }
                self.close(name);
            }
            _ => {
                if let Some(text) = self.scalar(schema, member, value) {
                    self.start(name, namespace);
                    self.text(&text);
                    self.close(name);
                }
            }
        }
    }

    fn entry(&mut self, name: &str, namespace: Option<XmlNamespace>, map: &Schema, key: &str, value: &Value) {
        let Kind::Map { value: schema, .. } = map.kind else { return };
        let (key_name, value_name) = self.naming.entry(map);
        self.start(name, namespace);
        self.element(key_name, key);
        self.value(value_name, None, schema, None, value);
        self.close(name);
    }

    pub(crate) fn scalar(&self, schema: &Schema, member: Option<&Member>, value: &Value) -> Option<String> {
        if let Value::Timestamp(at) = value
            && self.millis
            && text::timestamp_format(schema, member, TimestampFormat::Iso8601) == TimestampFormat::Iso8601
        {
            return Some(at.to_iso8601_millis());
        }
        text::write(schema, member, value, TimestampFormat::Iso8601)
    }

    fn start(&mut self, name: &str, namespace: Option<XmlNamespace>) {
        self.tag(name);
        if let Some(namespace) = namespace {
            self.namespace(namespace);
        }
        self.out.push('>');
    }

    fn tag(&mut self, name: &str) {
        self.out.push('<');
        self.out.push_str(name);
    }

    fn namespace(&mut self, namespace: XmlNamespace) {
        match namespace.prefix {
            Some(prefix) => self.attribute(&format!("xmlns:{prefix}"), namespace.uri),
            None => self.attribute("xmlns", namespace.uri),
        }
    }

    fn attribute(&mut self, name: &str, value: &str) {
        self.out.push(' ');
        self.out.push_str(name);
        self.out.push_str("=\"");
        escape(&mut self.out, value);
        self.out.push('"');
    }
}

/// Escapes what is markup, and what a reader would change: line ends and other control characters.
fn escape(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push(character),
            '\0'..'\u{20}' | '\u{7f}'..'\u{a0}' | '\u{2028}' => {
                let _ = write!(out, "&#x{:x};", u32::from(character));
            }
            _ => out.push(character),
        }
    }
}
