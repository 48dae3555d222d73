//! The lines of the file.
//!
//! The first line is the header, `mapper-framework-writes VERSION complete|incomplete CHECKSUM`. It keeps its form in every version, so
//! that any version of this crate recognizes the files of all others. Each other line is the last word on one property:
//!
//! ```text
//! CHECKSUM TAG NUMBER LENGTH ["namespace","device","property","wish","outcome",attempts,"since"]
//! CHECKSUM TAG NUMBER LENGTH ["namespace","device","property"]                       it is forgotten
//! ```
//!
//! NUMBER counts the lines of the file from 1, LENGTH is that of the JSON in bytes. TAG is a checksum of what follows it up to where the
//! wish begins, so that a line with damage in its wish still shows whose it was. CHECKSUM is that of the rest of the line. Both are the
//! CRC-32 of IEEE 802.3 as eight hexadecimal digits.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::model::{DeviceId, writable};

use super::{MAX_WISH, Remembered, entries::Key};

const MAGIC: &str = "mapper-framework-writes";

/// The version of the format.
pub(super) const VERSION: u32 = 1;

/// What a line takes beside its names and its wish, about.
const FRAME: usize = 90;

/// What the first line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    Sound {
        is_complete: bool,
    },
    /// It is of another version of the format.
    OtherVersion(u32),
    Broken,
}

impl Header {
    pub(super) fn encode(is_complete: bool) -> String {
        Self::encode_version(VERSION, is_complete)
    }

    pub(super) fn encode_version(version: u32, is_complete: bool) -> String {
        let complete = if is_complete { "complete" } else { "incomplete" };
        let text = format!("{MAGIC} {version} {complete}");
        let checksum = checksum(text.as_bytes());
        format!("{text} {checksum}\n")
    }

    /// Judges the first line, without its end.
    pub(super) fn judge(line: &[u8]) -> Self {
        let read = || {
            let (text, found) = std::str::from_utf8(line).ok()?.rsplit_once(' ')?;
            let (version, rest) = text.strip_prefix(MAGIC)?.strip_prefix(' ')?.split_once(' ')?;
            let version = version.parse().ok().filter(|_| found == checksum(text.as_bytes()))?;
            match (version, rest) {
                (VERSION, "complete") => Some(Self::Sound { is_complete: true }),
                (VERSION, "incomplete") => Some(Self::Sound { is_complete: false }),
                (VERSION, _) => None,
                _ => Some(Self::OtherVersion(version)),
            }
        };
        read().unwrap_or(Self::Broken)
    }
}

/// A line that is sound.
#[derive(Debug, PartialEq)]
pub(super) struct Line {
    pub(super) number: u64,
    pub(super) key: Key,
    /// `None` if it is forgotten.
    pub(super) entry: Option<Remembered>,
}

/// Adds a line to the buffer.
pub(super) fn push_line(number: u64, (device, property): &Key, entry: Option<&Remembered>, buffer: &mut Vec<u8>) {
    let name = json(&(device.namespace(), device.name(), property));
    let name = &name[..name.len() - 1];
    let rest = match entry {
        Some(Remembered { wish, outcome, attempts, since }) => {
            let rest = json(&(kept_wish(wish), outcome, attempts, Since(*since)));
            format!(",{}", &rest[1..])
        }
        None => "]".to_owned(),
    };
    let length = name.len() + rest.len();
    let tag = checksum(format!("{number} {length} {name}").as_bytes());
    let body = format!("{tag} {number} {length} {name}{rest}");
    buffer.extend_from_slice(checksum(body.as_bytes()).as_bytes());
    buffer.push(b' ');
    buffer.extend_from_slice(body.as_bytes());
    buffer.push(b'\n');
}

/// Reads a line, without its end. `None` if it is broken.
pub(super) fn read_line(line: &[u8]) -> Option<Line> {
    let (found, body) = std::str::from_utf8(line).ok()?.split_once(' ')?;
    if found != checksum(body.as_bytes()) {
        return None;
    }
    let [_tag, number, _length, json] = body.splitn(4, ' ').collect::<Vec<_>>().try_into().ok()?;
    let number = number.parse().ok()?;
    if let Ok((namespace, name, property)) = serde_json::from_str::<(String, String, String)>(json) {
        return Some(Line { number, key: (DeviceId::new(&namespace, &name), property), entry: None });
    }
    let (namespace, name, property, wish, outcome, attempts, Since(since)) =
        serde_json::from_str::<(String, String, String, _, _, _, _)>(json).ok()?;
    let entry = Remembered { wish, outcome, attempts, since };
    Some(Line { number, key: (DeviceId::new(&namespace, &name), property), entry: Some(entry) })
}

/// A broken line that still shows whose it was.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) key: Key,
    /// How many bytes it had, with its end.
    pub(super) bytes: usize,
}

/// The broken lines that still show whose they were.
pub(super) fn names_in(broken: &[u8]) -> Vec<Named> {
    let starts = broken.windows(2).enumerate().filter(|(_, two)| two == b" [").map(|(at, _)| at);
    starts.filter_map(|at| named(&broken[..at], &broken[at + 1..])).collect()
}

/// The name that stands between these, if its tag fits.
fn named(before: &[u8], text: &[u8]) -> Option<Named> {
    let [length, number, before] = before.rsplitn(3, |byte| *byte == b' ').collect::<Vec<_>>().try_into().ok()?;
    let name = &text[..end_of_strings(text, 3)?];
    let tag = checksum(&[number, b" ", length, b" ", name].concat());
    if !before.ends_with(tag.as_bytes()) {
        return None;
    }
    // Checksum, tag, number, length and JSON, and as many spaces and ends of the line.
    let json: usize = std::str::from_utf8(length).ok()?.parse().ok()?;
    let bytes = 8 + 8 + number.len() + length.len() + json + 5;
    let (namespace, name, property) =
        serde_json::from_slice::<(String, String, String)>(&[name, b"]"].concat()).ok()?;
    Some(Named { key: (DeviceId::new(&namespace, &name), property), bytes })
}

/// Where so many strings of JSON have ended.
fn end_of_strings(text: &[u8], strings: usize) -> Option<usize> {
    let (mut ended, mut is_within, mut is_escaped) = (0, false, false);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = is_within,
            b'"' => {
                ended += usize::from(is_within);
                is_within = !is_within;
            }
            _ => {}
        }
        if ended == strings {
            return Some(at + 1);
        }
    }
    None
}

/// About how many bytes an entry takes in the file.
pub(super) fn size(device: &DeviceId, property: &str, entry: &Remembered) -> usize {
    device.as_str().len() + property.len() + entry.wish.len().min(MAX_WISH) + FRAME
}

/// What stands for a wish that is too long to be kept.
pub(super) fn digest(wish: &str) -> String {
    let digest = Sha256::digest(wish);
    digest.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

fn kept_wish(wish: &str) -> String {
    if wish.len() > MAX_WISH { digest(wish) } else { wish.to_owned() }
}

fn checksum(bytes: &[u8]) -> String {
    format!("{:08x}", crc32fast::hash(bytes))
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("strings and numbers are JSON")
}

/// A time that people can read, to the nanosecond. What RFC 3339 cannot write becomes the nearest time that it can.
struct Since(SystemTime);

impl Serialize for Since {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        humantime_serde::serialize(&writable(self.0), serializer)
    }
}

impl<'de> Deserialize<'de> for Since {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        humantime_serde::deserialize(deserializer).map(Self)
    }
}
