//! The names of recorded files: `20260501T120000.250123Z-PROPERTY.jpg`. They sort by time, and are safe in paths and URIs.

use std::{
    fmt::{self, Write as _},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use humantime_serde::re::humantime;
use sha2::{Digest, Sha256};

/// The last second that has a name.
const LAST_SECOND: u64 = 253_402_300_799;

/// The length of the time in a name.
const STAMP: usize = "20260501T120000.250123Z".len();

/// The most bytes of a name of someone else's within ours. File systems take 255 for a whole name.
const LONGEST: usize = 120;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FileKind {
    /// One picture.
    Jpeg,
    /// A video of pictures.
    Avi,
}

impl FileKind {
    /// The media type.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Avi => "video/x-msvideo",
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Avi => "avi",
        }
    }
}

/// The name of a recorded file. They sort by time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FileName {
    /// Of the first frame, in microseconds since 1970.
    micros: u64,
    /// As it stands in the name.
    property: Arc<str>,
    kind: FileKind,
}

impl FileName {
    /// The name of a file that begins at this time.
    pub(super) fn new(time: SystemTime, property: &Arc<str>, kind: FileKind) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let micros = u64::try_from(since.as_micros()).unwrap_or(u64::MAX).min(LAST_SECOND * 1_000_000);
        Self { micros, property: Arc::clone(property), kind }
    }

    /// The next name, for one that is taken.
    pub(super) fn next(&self) -> Self {
        Self { micros: (self.micros + 1).min(LAST_SECOND * 1_000_000), ..self.clone() }
    }

    /// The name that a ring has given to a whole file; no other is one.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (stamp, rest) = name.split_at_checked(STAMP)?;
        let (property, extension) = rest.strip_prefix('-')?.rsplit_once('.')?;
        let kind = [FileKind::Jpeg, FileKind::Avi].into_iter().find(|kind| kind.extension() == extension)?;
        let parsed = Self { micros: micros_of(stamp)?, property: property.into(), kind };
        (!property.is_empty() && parsed.to_string() == name && encoded_again(property)).then_some(parsed)
    }

    /// The time of its first frame.
    pub(crate) fn time(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_micros(self.micros)
    }

    pub(crate) fn kind(&self) -> FileKind {
        self.kind
    }

    /// The property that recorded it, as it stands in names.
    pub(super) fn property(&self) -> &str {
        &self.property
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stamp = humantime::format_rfc3339_micros(self.time()).to_string().replace(['-', ':'], "");
        write!(f, "{stamp}-{}.{}", self.property, self.kind.extension())
    }
}

/// The time in a name, in microseconds since 1970.
fn micros_of(stamp: &str) -> Option<u64> {
    if !stamp.is_ascii() {
        return None;
    }
    let (date, time) = stamp.split_once('T')?;
    let part = |text: &str, from: usize, to: usize| text.get(from..to).map(ToOwned::to_owned);
    let text = format!(
        "{}-{}-{}T{}:{}:{}",
        part(date, 0, 4)?,
        part(date, 4, 6)?,
        part(date, 6, 8)?,
        part(time, 0, 2)?,
        part(time, 2, 4)?,
        time.get(4..)?
    );
    let since = humantime::parse_rfc3339(&text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_micros()).ok()
}

/// A name of someone else's as a part of a path that is that name's alone: what is no letter, digit, `_`, `-`, or a dot within becomes
/// `~` and its hexadecimal digits.
pub(super) fn encoded(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for (at, byte) in name.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => text.push(byte.into()),
            b'.' if at > 0 => text.push('.'),
            // Writing to a text does not fail.
            _ => write!(text, "~{byte:02x}").unwrap_or(()),
        }
    }
    if text.is_empty() {
        return "~".to_owned();
    }
    if text.len() > LONGEST {
        text.truncate(LONGEST - 17);
        text.push('~');
        Sha256::digest(name.as_bytes())[..8].iter().for_each(|byte| write!(text, "{byte:02x}").unwrap_or(()));
    }
    text
}

/// Whether a part of a name consists of what [`encoded`] gives.
fn encoded_again(part: &str) -> bool {
    part.len() <= LONGEST
        && !part.starts_with('.')
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_sorts_by_time_and_is_read_as_it_was_written() {
        let property: Arc<str> = encoded("clip").into();
        let time = UNIX_EPOCH + Duration::from_micros(1_777_636_800_250_123);
        let name = FileName::new(time, &property, FileKind::Avi);
        assert_eq!(name.to_string(), "20260501T120000.250123Z-clip.avi");
        assert_eq!(FileName::parse(&name.to_string()), Some(name.clone()));
        assert!(name.next().to_string() > name.to_string() && name.next() > name);
        let far = FileName::new(UNIX_EPOCH + Duration::from_secs(1 << 50), &property, FileKind::Jpeg);
        assert!(far.to_string().starts_with("99991231T235959.000000Z"), "{far}");
        assert_eq!(FileName::parse(&far.to_string()), Some(far));
    }

    #[test]
    fn no_name_leads_out_of_its_folder() {
        for name in ["", ".", "..", "../../etc/passwd", "a/b", "%2e%2e", "c\u{e4}m", "a\0b", "a b"] {
            let part = encoded(name);
            assert!(!part.is_empty() && !part.starts_with('.') && !part.contains(['/', '%', '\0', ' ']), "{part}");
            assert!(encoded_again(&part), "{part}");
        }
        assert_ne!(encoded("a b"), encoded("a_b"));
        let long = |end: char| encoded(&("x".repeat(300) + &end.to_string()));
        assert!(long('a') != long('b') && long('a').len() <= LONGEST);
        for name in [
            "../20260501T120000.250123Z-clip.avi",
            "20260501T120000.250123Z-../clip.avi",
            "20260501T120000.250123Z-clip.avi.part",
            "20260501T120000.250123Z-clip.exe",
            "20260501T120000.250123Z-.avi",
            "20261301T120000.250123Z-clip.avi",
            "2026-05-01T12:00:00.250-clip.avi",
            "\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}-clip.avi",
            ".lock-clip",
        ] {
            assert_eq!(FileName::parse(name), None, "{name}");
        }
    }
}
