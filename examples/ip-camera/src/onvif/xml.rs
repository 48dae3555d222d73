//! XML of a camera as a small tree: names with their namespaces, and texts. What is too large or too deep is refused, and so are document
//! types, which is where entities come from.

use quick_xml::{
    NsReader, XmlVersion,
    escape::resolve_predefined_entity,
    events::{BytesStart, Event},
    name::ResolveResult,
};

/// How deep elements may lie in each other.
const DEEPEST: usize = 32;

/// The most elements of a document.
const MOST: usize = 20_000;

/// Why a text is no XML that is taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum XmlError {
    #[error("it is no XML: {0}")]
    Malformed(String),
    #[error("it is too large or too deep")]
    TooLarge,
    #[error("it has a document type, which SOAP does not allow")]
    DocType,
}

/// An element.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    namespace: String,
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Self>,
}

impl Element {
    /// Reads a document, and returns its root.
    ///
    /// # Errors
    ///
    /// It is malformed, or not taken.
    pub(crate) fn parse(text: &str) -> Result<Self, XmlError> {
        let mut reader = NsReader::from_str(text);
        // The first one holds the root.
        let (mut open, mut count) = (vec![Self::default()], 0);
        loop {
            let (namespace, event) = reader.read_resolved_event().map_err(malformed)?;
            match event {
                Event::Start(start) => {
                    count += 1;
                    if open.len() > DEEPEST || count > MOST {
                        return Err(XmlError::TooLarge);
                    }
                    open.push(Self::begin(&namespace, &start)?);
                }
                Event::Empty(start) => {
                    count += 1;
                    if count > MOST {
                        return Err(XmlError::TooLarge);
                    }
                    let element = Self::begin(&namespace, &start)?;
                    innermost(&mut open)?.children.push(element);
                }
                Event::End(_) => {
                    let closed = open.pop().ok_or(XmlError::TooLarge)?;
                    innermost(&mut open)?.children.push(closed);
                }
                Event::Text(text) => innermost(&mut open)?.text.push_str(&text.xml10_content()),
                Event::CData(text) => innermost(&mut open)?.text.push_str(&text.xml10_content()),
                Event::GeneralRef(reference) => {
                    let known = || resolve_predefined_entity(&reference).map(str::to_owned);
                    let number = reference.resolve_char_ref().map_err(malformed)?.map(String::from);
                    let unknown = || XmlError::Malformed("an entity is not known".to_owned());
                    innermost(&mut open)?.text.push_str(&number.or_else(known).ok_or_else(unknown)?);
                }
                Event::DocType(_) => return Err(XmlError::DocType),
                Event::Eof => break,
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            }
        }
        match (open.len(), open.pop().and_then(|mut outside| outside.children.pop())) {
            (1, Some(root)) => Ok(root),
            _ => Err(XmlError::Malformed("it ends in the middle".to_owned())),
        }
    }

    fn begin(namespace: &ResolveResult<'_>, start: &BytesStart<'_>) -> Result<Self, XmlError> {
        let namespace = match namespace {
            ResolveResult::Bound(namespace) => namespace.into_inner().to_owned(),
            ResolveResult::Unbound | ResolveResult::Unknown(_) => String::new(),
        };
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(malformed)?;
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(malformed)?.into_owned();
            attributes.push((attribute.key.local_name().into_inner().to_owned(), value));
        }
        let name = start.local_name().into_inner().to_owned();
        Ok(Self { namespace, name, attributes, ..Self::default() })
    }

    /// Whether it has this namespace and name.
    pub(crate) fn is(&self, namespace: &str, name: &str) -> bool {
        self.namespace == namespace && self.name == name
    }

    /// The first child of this name, in whichever namespace: within an answer names do not repeat over namespaces.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// All children of this name.
    pub(crate) fn children<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The first child.
    pub(crate) fn first(&self) -> Option<&Self> {
        self.children.first()
    }

    /// The child of the child, and so on.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |element, name| element.child(name))
    }

    /// The text of the element at the path, without space around it; none where it is empty.
    pub(crate) fn text(&self, path: &[&str]) -> Option<&str> {
        self.at(path).map(|element| element.text.trim()).filter(|text| !text.is_empty())
    }

    /// An attribute, in whichever namespace.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }
}

fn innermost(open: &mut [Element]) -> Result<&mut Element, XmlError> {
    open.last_mut().ok_or_else(|| XmlError::Malformed("an element ends that has not begun".to_owned()))
}

fn malformed(error: impl std::fmt::Display) -> XmlError {
    XmlError::Malformed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_their_namespaces_whatever_the_prefixes() {
        let text = "<?xml version='1.0'?><a:r xmlns:a='urn:a' xmlns='urn:b'><c a:k='1 &amp; 2'>x &lt; <![CDATA[<y>]]>&#33;</c><d/></a:r>";
        let root = Element::parse(text).expect("it is XML");
        assert!(root.is("urn:a", "r") && root.child("c").is_some_and(|it| it.is("urn:b", "c")));
        assert_eq!(root.text(&["c"]), Some("x < <y>!"));
        assert_eq!(root.at(&["c"]).and_then(|it| it.attribute("k")), Some("1 & 2"));
        assert_eq!((root.text(&["d"]), root.text(&["e"])), (None, None));
    }

    #[test]
    fn what_is_no_xml_or_would_grow_is_refused() {
        let deep = "<a>".repeat(100_000);
        let many = format!("<r>{}</r>", "<a/>".repeat(MOST + 1));
        for text in [
            "",
            "garbage",
            "<a>",
            "<a></b>",
            "</a>",
            "<a>&bomb;</a>",
            "<a b></a>",
            "<a xmlns:x=''></x:a>",
            "<!DOCTYPE a [<!ENTITY bomb 'boom'>]><a>&bomb;</a>",
            &deep,
            &many,
        ] {
            let shown = &text[..text.len().min(40)];
            assert!(Element::parse(text).is_err(), "{shown}");
        }
    }
}
