//! A reader of line protocol, with one field on each line.

use std::{collections::BTreeMap, fmt, iter::Peekable, str::Chars};

/// Where points lie.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StoredAt {
    pub(super) measurement: String,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) field: String,
}

impl StoredAt {
    pub(super) fn has_tags(&self, tags: &[(&str, &str)]) -> bool {
        tags.iter().all(|(key, value)| self.tags.get(*key).is_some_and(|found| found == value))
    }
}

/// A value of a field.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Field {
    /// With an `i` at its end.
    Int(i64),
    /// A number without.
    Float(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// In quotes.
    Text(String),
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(int) => int.fmt(f),
            Self::Float(float) => float.fmt(f),
            Self::Boolean(boolean) => boolean.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

pub(super) struct Line {
    pub(super) at: StoredAt,
    pub(super) value: Field,
    pub(super) timestamp_ms: i64,
}

/// The lines of a text, or what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Vec<Line>, String> {
    let mut reader = Reader(text.chars().peekable());
    let mut lines = Vec::new();
    while reader.0.peek().is_some() {
        lines.push(reader.line()?);
    }
    Ok(lines)
}

struct Reader<'a>(Peekable<Chars<'a>>);

impl Reader<'_> {
    fn line(&mut self) -> Result<Line, String> {
        let (measurement, mut end) = self.name(&[',', ' '], &[',', ' '])?;
        let mut tags = BTreeMap::new();
        while end == ',' {
            let (key, _) = self.name(&[',', '=', ' '], &['='])?;
            let value;
            (value, end) = self.name(&[',', '=', ' '], &[',', ' '])?;
            if tags.insert(key, value).is_some() {
                return Err("a tag stands there twice".to_owned());
            }
        }
        let (field, _) = self.name(&[',', '=', ' '], &['='])?;
        let value = self.value()?;
        let timestamp = self.plain('\n');
        let timestamp_ms = timestamp.parse().map_err(|_| format!("{timestamp:?} is not a time"))?;
        Ok(Line { at: StoredAt { measurement, tags, field }, value, timestamp_ms })
    }

    /// A name in which these are escaped, up to one of these ends, which are not.
    fn name(&mut self, special: &[char], ends: &[char]) -> Result<(String, char), String> {
        let mut name = String::new();
        loop {
            match self.0.next() {
                None | Some('\n') => return Err(format!("the line ends after {name:?}")),
                Some('\\') => match self.0.next_if(|next| special.contains(next)) {
                    Some(escaped) => name.push(escaped),
                    None => name.push('\\'),
                },
                Some(end) if ends.contains(&end) && !name.is_empty() => return Ok((name, end)),
                Some(other) if special.contains(&other) => return Err(format!("{other:?} follows {name:?}")),
                Some(other) => name.push(other),
            }
        }
    }

    /// A value, and the space behind it.
    fn value(&mut self) -> Result<Field, String> {
        if self.0.next_if_eq(&'"').is_some() {
            return self.text().map(Field::Text);
        }
        let text = self.plain(' ');
        let parsed = match text.as_str() {
            "true" => Some(Field::Boolean(true)),
            "false" => Some(Field::Boolean(false)),
            number => match number.strip_suffix('i') {
                Some(int) => int.parse().ok().map(Field::Int),
                None => number.parse().ok().filter(|float: &f64| float.is_finite()).map(Field::Float),
            },
        };
        parsed.ok_or_else(|| format!("{text:?} is not a value"))
    }

    fn text(&mut self) -> Result<String, String> {
        let mut text = String::new();
        loop {
            match self.0.next().ok_or("a text has no end")? {
                '"' => break,
                '\\' => match self.0.next_if(|next| matches!(next, '"' | '\\')) {
                    Some(escaped) => text.push(escaped),
                    None => text.push('\\'),
                },
                other => text.push(other),
            }
        }
        self.0.next_if_eq(&' ').map(|_| text).ok_or_else(|| "no time follows a text".to_owned())
    }

    /// What stands before this end, which is read, too, or before the end of all.
    fn plain(&mut self, end: char) -> String {
        self.0.by_ref().take_while(|character| *character != end).collect()
    }
}
