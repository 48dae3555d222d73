//! The formats of cameras, by their four characters.

use std::fmt;

use serde::{Deserialize, Deserializer, de::Error as _};

/// A format that this mapper takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FourCc {
    /// JPEG pictures, which are passed on as they are.
    #[default]
    Mjpg,
    /// The same by another name.
    Jpeg,
    /// Raw pictures, 16 bits for a pixel, of which JPEG is made here.
    Yuyv,
    /// Raw pictures, 12 bits for a pixel, of which JPEG is made here.
    Nv12,
}

/// edgecore sends numbers as 32-bit floats. Those of the size of these codes are 128 apart, so what comes is off by at most half of it.
const DAMAGE: f64 = 64.0;

impl FourCc {
    /// All, those first that cost the least.
    pub(crate) const ALL: [Self; 4] = [Self::Mjpg, Self::Jpeg, Self::Yuyv, Self::Nv12];

    /// The four characters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mjpg => "MJPG",
            Self::Jpeg => "JPEG",
            Self::Yuyv => "YUYV",
            Self::Nv12 => "NV12",
        }
    }

    /// The number that the kernel has for it: the characters, the first one lowest.
    pub fn number(self) -> u32 {
        self.as_str().bytes().rev().fold(0, |number, byte| number << 8 | u32::from(byte))
    }

    /// The format of four characters, in any case.
    pub fn of_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str().eq_ignore_ascii_case(text.trim()))
    }

    /// The format of a number as old manifests have it, which may have been rounded on its way.
    pub fn of_number(number: f64) -> Option<Self> {
        Self::ALL.into_iter().find(|format| (f64::from(format.number()) - number).abs() <= DAMAGE)
    }
}

impl fmt::Display for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// As a manifest has it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(f64),
    Text(String),
}

impl<'de> Deserialize<'de> for FourCc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        let number = match &written {
            Written::Number(number) => Some(*number),
            Written::Text(text) => text.trim().parse().ok(),
        };
        let found = match (&written, number) {
            (_, Some(number)) => {
                let format = Self::of_number(number);
                if let Some(format) = format
                    && f64::from(format.number()) != number
                {
                    tracing::info!(number, %format, "a format is a number that was rounded on its way: write its name");
                }
                format
            }
            (Written::Text(text), None) => Self::of_text(text),
            (Written::Number(_), None) => None,
        };
        found.ok_or_else(|| {
            let found = match &written {
                Written::Number(number) => number.to_string(),
                Written::Text(text) => format!("{text:?}"),
            };
            D::Error::custom(format_args!("found {found}, expected one of MJPG, JPEG, YUYV, NV12"))
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_that_was_rounded_is_that_of_its_format() {
        for format in FourCc::ALL {
            let rounded = f64::from(format.number() as f32);
            assert_eq!(FourCc::of_number(rounded), Some(format), "{format} as {rounded}");
        }
        assert_eq!((FourCc::Yuyv.number(), FourCc::Yuyv.number() as f32 as u32), (0x5659_5559, 0x5659_5580));
        assert_eq!([0.0, -1.0, f64::NAN, 1e300].map(FourCc::of_number), [None; 4]);
    }

    #[test]
    fn a_format_is_text_or_an_old_number() {
        let read = |written| serde_json::from_value::<FourCc>(written).map_err(|error| error.to_string());
        for written in
            [json!("YUYV"), json!(" yuyv"), json!(1_448_695_129), json!(1_448_695_168.0), json!("1448695129")]
        {
            assert_eq!(read(written.clone()), Ok(FourCc::Yuyv), "{written}");
        }
        assert_eq!(read(json!("H264")), Err("found \"H264\", expected one of MJPG, JPEG, YUYV, NV12".to_owned()));
        assert_eq!(read(json!(5)), Err("found 5, expected one of MJPG, JPEG, YUYV, NV12".to_owned()));
    }
}
