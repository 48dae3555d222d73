//! Documents that know the line of each of their keys, and how each of their scalars is written.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::{Location, Spanned};

use super::{NotYaml, parse};

/// A document of a file.
#[derive(Debug)]
pub(crate) struct Document<'t> {
    /// What it was read from.
    text: &'t str,
    /// How many lines of the file stand before what its lines are counted from.
    above: u64,
    root: Spanned<Node>,
}

/// A value of YAML. What stands in it has the line of its key, or its own in a list.
#[derive(Debug)]
enum Node {
    /// With where it stands in the text: the first byte, and how many there are.
    Scalar(Value, (usize, usize)),
    List(Vec<(u64, Node)>),
    Map(Vec<(String, u64, Node)>),
}

/// Reads the documents of a file. One that is no YAML does not hide the others.
pub(crate) fn read(text: &str) -> (Vec<Document<'_>>, Vec<NotYaml>) {
    let whole = match documents(0, text) {
        Ok(documents) => return (documents, Vec::new()),
        Err(fault) => fault,
    };
    let (mut found, mut faults) = (Vec::new(), Vec::new());
    for (above, part) in parts(text) {
        match documents(above, part) {
            Ok(documents) => found.extend(documents),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() {
        faults.push(whole);
    }
    (found, faults)
}

/// Reads the documents of a text, all of which have to be YAML.
pub(super) fn read_all(text: &str) -> Result<Vec<Document<'_>>, NotYaml> {
    documents(0, text)
}

fn documents(above: u64, text: &str) -> Result<Vec<Document<'_>>, NotYaml> {
    match parse::read(text) {
        Ok(roots) => Ok(roots.into_iter().map(|root| Document { text, above, root }).collect()),
        Err(mut fault) => {
            fault.line = above + fault.line.max(1);
            Err(fault)
        }
    }
}

/// The text from each `---` to the next, with the number of lines before it. YAML allows such a line nowhere but between documents.
pub(crate) fn parts(text: &str) -> Vec<(u64, &str)> {
    let (mut parts, mut begin, mut above, mut at) = (Vec::new(), 0, 0, 0);
    for (number, line) in (0..).zip(text.split_inclusive('\n')) {
        if line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace)) {
            parts.push((above, &text[begin..at]));
            (begin, above) = (at, number);
        }
        at += line.len();
    }
    parts.push((above, &text[begin..]));
    parts
}

impl Document<'_> {
    /// What it says, without its lines.
    pub(crate) fn value(&self) -> Value {
        self.root.value.value()
    }

    /// The line, counted from 1, of a field such as `spec.properties[1].name`; of what it would stand in where it is missing.
    pub(crate) fn line(&self, field: &str) -> u64 {
        self.above + self.find(field).0
    }

    /// How a scalar is written, such as `0x1F` for 31 and `on` for true; `None` where the field is none, or takes more than a line.
    pub(crate) fn written(&self, field: &str) -> Option<&str> {
        match self.find(field) {
            (_, Node::Scalar(_, (begin, length)), "") => {
                let text = self.text.get(*begin..begin + length)?.trim();
                Some(text).filter(|text| !text.is_empty() && !text.contains('\n'))
            }
            _ => None,
        }
    }

    /// How far a field leads: the line and the value there, and what is left of the field.
    fn find<'f>(&self, field: &'f str) -> (u64, &Node, &'f str) {
        let (mut line, mut node, mut rest) = (self.root.referenced.line(), &self.root.value, field);
        while let Some((at, child, after)) = node.child(rest) {
            (line, node, rest) = (at, child, after);
        }
        (line.max(1), node, rest)
    }
}

impl Node {
    /// A value as it stands in a list or at a key.
    fn of(Spanned { value, defined, .. }: Spanned<Self>) -> Self {
        match value {
            Self::Scalar(value, _) => Self::Scalar(value, place(defined)),
            other => other,
        }
    }

    fn value(&self) -> Value {
        match self {
            Self::Scalar(value, _) => value.clone(),
            Self::List(items) => items.iter().map(|(_, item)| item.value()).collect(),
            Self::Map(entries) => entries.iter().map(|(key, _, value)| (key.clone(), value.value())).collect(),
        }
    }

    /// What the first part of a field leads to, with its line, and the other parts.
    fn child<'f>(&self, field: &'f str) -> Option<(u64, &Self, &'f str)> {
        match self {
            Self::Scalar(..) => None,
            Self::List(items) => {
                let (index, rest) = field.strip_prefix('[')?.split_once(']')?;
                let (line, item) = items.get(index.parse::<usize>().ok()?)?;
                Some((*line, item, rest))
            }
            Self::Map(entries) => {
                let field = field.strip_prefix('.').unwrap_or(field);
                let fitting = entries.iter().filter_map(|(key, line, value)| {
                    let rest = field.strip_prefix(key.as_str())?;
                    let ends = !field.is_empty() && (rest.is_empty() || rest.starts_with(['.', '[']));
                    ends.then_some((*line, value, rest))
                });
                // A key may hold dots itself, so the one that leaves the least is meant.
                fitting.min_by_key(|(_, _, rest)| rest.len())
            }
        }
    }
}

/// Where something stands in the text. What is not known takes no bytes.
fn place(at: Location) -> (usize, usize) {
    let in_bytes = |number: Option<u64>| number.and_then(|number| usize::try_from(number).ok()).unwrap_or(0);
    (in_bytes(at.span().byte_offset()), in_bytes(at.span().byte_len()))
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

macro_rules! scalars {
    ($($visit:ident($from:ty))*) => {
        $(fn $visit<E>(self, value: $from) -> Result<Node, E> {
            Ok(Node::Scalar(value.into(), (0, 0)))
        })*
    };
}

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of YAML")
    }

    scalars! { visit_bool(bool) visit_i64(i64) visit_u64(u64) visit_f64(f64) visit_str(&str) visit_string(String) }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null, (0, 0)))
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null, (0, 0)))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element::<Spanned<Node>>()? {
            items.push((item.referenced.line(), Node::of(item)));
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            entries.push((key.value, key.referenced.line(), Node::of(map.next_value()?)));
        }
        Ok(Node::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The lines of fields in the only document of a text.
    fn lines(text: &str, fields: &[&str]) -> Vec<u64> {
        let (documents, faults) = read(text);
        assert!(faults.is_empty() && documents.len() == 1, "{faults:?}");
        fields.iter().map(|field| documents[0].line(field)).collect()
    }

    #[test]
    fn a_key_has_its_own_line_and_one_that_is_missing_that_of_its_parent() {
        let text = "# comment\nspec:\n  list:\n    - name: a\n      x:\n        y: 1\n    - name: b\n";
        let fields =
            ["spec", "spec.list[0].x.y", "spec.list[1]", "spec.list[1].name", "spec.list[1].x.y", "spec.list[2]", "no"];
        assert_eq!(lines(text, &fields), [2, 6, 7, 7, 7, 3, 2]);
    }

    #[test]
    fn flow_style_json_and_anchors_have_lines() {
        assert_eq!(lines("a: {b: 1,\n  c: [2,\n  3]}\n", &["a.b", "a.c", "a.c[1]"]), [1, 2, 3]);
        assert_eq!(lines("{\n\"a\": {\n\"b\": 1}}", &["a", "a.b"]), [2, 3]);
        assert_eq!(lines("a: &x\n  b: 1\nc: *x\nd:\n  <<: *x\n  e: 2\n", &["a.b", "c", "d.e"]), [2, 3, 6]);
    }

    #[test]
    fn a_scalar_is_known_as_it_is_written() {
        let text = "# ü\na: y # yes\nb: [0x1F, ~, \"q\"]\nc: {d: 1e3, e: &n 2026-01-01, f: *n}\ng:\n  - null\nh:\ni: |\n  on\n";
        let (documents, _) = read(text);
        let written = |field: &str| documents[0].written(field);
        for (field, expected) in [
            ("a", "y"),
            ("b[0]", "0x1F"),
            ("b[1]", "~"),
            ("c.d", "1e3"),
            ("c.e", "2026-01-01"),
            ("c.f", "2026-01-01"),
            ("g[0]", "null"),
        ] {
            assert_eq!(written(field), Some(expected), "{field}");
        }
        assert_eq!([written("b"), written("h"), written("no")], [None; 3]);
        // Of the second document, and of one beside another that is broken.
        let (documents, _) = read("a: 1\n---\na: off\n---\n: : :\n");
        assert_eq!(documents[1].written("a"), Some("off"));
    }

    #[test]
    fn a_key_may_hold_dots() {
        assert_eq!(lines("a:\n  b.c: 1\n  b:\n    c: 2\n", &["a.b.c", "a.b"]), [2, 3]);
    }

    #[test]
    fn every_document_has_the_lines_of_the_file_and_one_that_is_broken_hides_none() {
        let text = "a: 1\n--- # two\nb: [\n---\n\nc: 3\n---\n: : :\n";
        let (documents, faults) = read(text);
        let values: Vec<_> = documents.iter().map(|document| document.value().to_string()).collect();
        assert_eq!(values, [r#"{"a":1}"#, r#"{"c":3}"#]);
        assert_eq!((documents[0].line("a"), documents[1].line("c")), (1, 6));
        let at: Vec<_> = faults.iter().map(|fault| fault.line).collect();
        assert!(at.len() == 2 && (2..=4).contains(&at[0]) && at[1] == 8, "{faults:?}");
    }

    fn yaml() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            any::<i32>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            "[a-z :#\\-\n]{0,8}".prop_map(Value::from),
            Just(Value::Null),
        ];
        scalar.prop_recursive(4, 32, 4, |inner| {
            let list = prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from);
            let map = prop::collection::vec(("[a-z]{1,6}", inner), 0..4)
                .prop_map(|entries| entries.into_iter().collect::<serde_json::Map<_, _>>().into());
            prop_oneof![list, map]
        })
    }

    /// The fields of a value, from the outside in.
    fn fields(value: &Value, field: &str, all: &mut Vec<String>) {
        all.push(field.to_owned());
        match value {
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(index, item)| fields(item, &format!("{field}[{index}]"), all));
            }
            Value::Object(map) => map.iter().for_each(|(key, value)| {
                let dot = if field.is_empty() { "" } else { "." };
                fields(value, &format!("{field}{dot}{key}"), all);
            }),
            _ => {}
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_as_the_manifests_are(text in "[a-c\\-:\\[\\]{},&*#!|>'\"\n ]{0,60}") {
            let (documents, faults) = read(&text);
            if let Ok(values) = parse::read::<Value>(&text) {
                prop_assert!(faults.is_empty(), "{:?}", faults);
                prop_assert_eq!(documents.iter().map(Document::value).collect::<Vec<_>>(), values);
            } else {
                prop_assert!(!faults.is_empty());
            }
            let last = text.lines().count() as u64 + 1;
            prop_assert!(faults.iter().all(|fault| (1..=last).contains(&fault.line)), "{:?}", faults);
        }

        #[test]
        fn the_fields_that_have_a_line_of_their_own_are_those_that_there_are(value in yaml(), style in any::<bool>()) {
            let text = if style { serde_saphyr::to_string(&value).unwrap() } else { serde_json::to_string_pretty(&value).unwrap() };
            let (documents, faults) = read(&text);
            prop_assert!(faults.is_empty(), "{:?}", faults);
            let Some(document) = documents.first() else { return Ok(()) };
            let mut all = Vec::new();
            fields(&document.value(), "", &mut all);
            let mut least = 0;
            for field in &all {
                let (line, _, rest) = document.find(field);
                prop_assert!(rest.is_empty(), "{field} leaves {rest}");
                prop_assert!(line >= 1 && line <= text.lines().count() as u64);
                least = least.max(line);
                let other = format!("{field}.NO");
                let (_, _, rest) = document.find(&other);
                prop_assert!(rest.ends_with("NO"), "{other} is found");
            }
        }
    }
}
