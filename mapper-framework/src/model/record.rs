//! How a property records its device's stream (`stream: file`): keys of its visitor (docs/streams.md).

use std::time::Duration;

use super::{
    DataType, Property, StreamTwin,
    keys::{Keys, LETTERS, Misfit, nearest},
};

/// What frames are written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordFormat {
    /// A JPEG file for each frame.
    Jpeg,
    /// Videos of MJPEG.
    Avi,
}

/// How a property records, and what that may take.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RecordRules {
    pub(crate) format: RecordFormat,
    /// Whether it records all the time, and not only when it is ordered to.
    pub(crate) is_continuous: bool,
    /// The time from one frame to the next; zero for all that come.
    pub(crate) every: Duration,
    /// The most files, the one that is being written included.
    pub(crate) files: usize,
    /// The most bytes, those that are being written included.
    pub(crate) bytes: u64,
    /// After which time a file is deleted; `None` for never.
    pub(crate) age: Option<Duration>,
    /// How long a video is.
    pub(crate) segment: Duration,
    /// The most frames of a video.
    pub(crate) frames: u64,
}

/// The names that the Go framework has for properties that record.
//= KubeEdge v1.17 to v1.23 mapper-framework, data/stream/handler.go: what a property of the type stream does goes by its name
const SAVE_FRAME: &str = "saveFrame";
const SAVE_VIDEO: &str = "saveVideo";

/// The keys of the Go framework's.
const GO_KEYS: [&str; 5] = ["format", "outputDir", "frameCount", "frameInterval", "videoNum"];

const FORMAT: &str = "recordFormat";
const MODE: &str = "recordMode";
const EVERY: &str = "recordEvery";
const FILES: &str = "recordFiles";
const BYTES: &str = "recordBytes";
const AGE: &str = "recordAge";
const SEGMENT: &str = "recordSegment";
const FRAMES: &str = "recordFrames";

/// All that is the framework's begins so.
const PREFIX: &str = "record";

/// The most files of a property, and the most frames of a video.
const MOST_FILES: f64 = 100_000.0;
const MOST_FRAMES: f64 = 200_000.0;

/// The fewest bytes and the most, a petabyte.
const BUDGETS: std::ops::RangeInclusive<f64> = 1e5..=1e15;

/// How many bytes a property may take unless it says otherwise.
const DEFAULT_BYTES: u64 = 64 << 20;

/// The longest time between frames, a day; and the longest age, a year.
const DAY: f64 = 86_400_000.0;
const YEAR: f64 = 365.0 * DAY;

impl RecordRules {
    /// The keys of `visitors.configData`.
    pub(crate) const KEYS: [&str; 8] = [FORMAT, MODE, EVERY, FILES, BYTES, AGE, SEGMENT, FRAMES];

    /// The longest time that can be recorded by an order, which a video can have as well.
    pub(crate) const LONGEST: Duration = Duration::from_secs(3600);

    /// How long is recorded by an order that does not say so.
    pub(crate) const UNSAID: Duration = Duration::from_secs(10);

    /// Whether a property is one of the Go framework's that records. Its type and its keys say so as well as its name: a property of a
    /// driver may have the name.
    pub(crate) fn is_of_go(property: &Property) -> bool {
        let visitor = property.visitor();
        let has_key = ["outputDir", "frameCount"].iter().any(|key| visitor.contains_key(*key));
        let has_name = [SAVE_FRAME, SAVE_VIDEO].contains(&property.name());
        has_name && has_key && property.data_type() == DataType::Stream && !visitor.contains_key(StreamTwin::KEY)
    }

    /// The rules of a property that records.
    ///
    /// # Errors
    ///
    /// All that is wrong with its keys.
    pub(crate) fn of(property: &Property) -> Result<Self, Vec<Misfit>> {
        let mut keys = Keys::of(property.visitor());
        let rules = if Self::is_of_go(property) { Self::read_go(property, &mut keys) } else { Self::read(&mut keys) };
        keys.finish(rules)
    }

    pub(super) fn read(keys: &mut Keys<'_>) -> Self {
        let written: Vec<_> = keys.written().collect();
        for key in written.into_iter().filter(|key| key.starts_with(PREFIX) && !Self::KEYS.contains(key)) {
            let near = nearest(key, &Self::KEYS, LETTERS);
            let cure = near.map_or_else(|| "take it out".to_owned(), |near| format!("did you mean {near}?"));
            keys.misfit(key, format!("is none of {}", Self::KEYS.join(", ")), cure);
        }
        let words = [("jpeg", RecordFormat::Jpeg), ("avi", RecordFormat::Avi)];
        let format = keys.word(FORMAT, &words).unwrap_or(RecordFormat::Avi);
        let is_continuous = keys.word(MODE, &[("continuous", true), ("onDemand", false)]).unwrap_or(true);
        let every = millis(keys, EVERY, "milliseconds from 0 to 86400000", 0.0..=DAY);
        // A picture of its own for each of 30 frames a second is hardly meant.
        let unsaid = if format == RecordFormat::Jpeg { Duration::from_secs(1) } else { Duration::ZERO };
        let files = keys.number(FILES, "a number from 1 to 100000", |it| (1.0..=MOST_FILES).contains(&it));
        let bytes = keys.number(BYTES, "a number of bytes from 100000 to 1e15", |it| BUDGETS.contains(&it));
        let age = millis(keys, AGE, "milliseconds from 1000 to those of a year", 1e3..=YEAR);
        let segment = millis(keys, SEGMENT, "milliseconds from 1000 to 3600000", 1e3..=3.6e6);
        let frames = keys.number(FRAMES, "a number from 1 to 200000", |it| (1.0..=MOST_FRAMES).contains(&it));
        Self {
            format,
            is_continuous,
            every: every.unwrap_or(unsaid),
            files: files.map_or(MOST_FILES as usize, |files| files as usize),
            bytes: bytes.map_or(DEFAULT_BYTES, |bytes| bytes as u64),
            age,
            segment: segment.unwrap_or(Duration::from_secs(60)),
            frames: frames.unwrap_or(MOST_FRAMES) as u64,
        }
    }

    /// What the Go framework's keys come to. It writes so many files once, when the device is added; here they are a ring.
    //= KubeEdge v1.17 to v1.23 mapper-framework, data/stream/img.go, video.go: frameInterval is in nanoseconds, frameCount is the number
    // of pictures of saveFrame, and that of the frames of each of videoNum videos of saveVideo
    fn read_go(property: &Property, keys: &mut Keys<'_>) -> Self {
        let is_video = property.name() == SAVE_VIDEO;
        let mut count = |key: &str, most: f64| {
            let number = keys.number(key, "a number from 1", |number| number >= 1.0)?;
            Some(number.min(most))
        };
        let frames = count("frameCount", if is_video { MOST_FRAMES } else { MOST_FILES });
        let videos = count("videoNum", MOST_FILES).filter(|_| is_video);
        let nanos = keys.number("frameInterval", "nanoseconds from 0 to those of a day", |nanos| {
            (0.0..=DAY * 1e6).contains(&nanos)
        });
        let every = nanos.filter(|_| !is_video).map(|nanos| Duration::from_secs_f64(nanos / 1e9));
        let base = Self::read(&mut Keys::of(&super::ConfigData::new()));
        if is_video {
            let files = videos.map_or(base.files, |videos| videos as usize);
            // Its videos are as long as their frames are many.
            let (segment, frames) = (Self::LONGEST, frames.map_or(base.frames, |frames| frames as u64));
            return Self { files, segment, frames, ..base };
        }
        let files = frames.map_or(base.files, |frames| frames as usize);
        Self { format: RecordFormat::Jpeg, files, every: every.unwrap_or_default(), ..base }
    }

    /// How the Go framework's keys of a property are read, for whoever wrote them; `None` if it has none.
    pub(crate) fn reading_of_go(property: &Property) -> Option<(String, String)> {
        let rules = Self::of(property).ok().filter(|_| Self::is_of_go(property))?;
        let every = rules.every.as_secs_f64() * 1000.0;
        let (files, name) = (rules.files, property.name());
        let read = match rules.format {
            RecordFormat::Jpeg => format!("recordFormat: jpeg, recordFiles: {files}, recordEvery: {every}"),
            RecordFormat::Avi => format!("recordFormat: avi, recordFiles: {files}, recordFrames: {}", rules.frames),
        };
        let unused = GO_KEYS.iter().filter(|key| match **key {
            "format" | "outputDir" => property.visitor().contains_key(**key),
            _ => false,
        });
        let unused: Vec<_> = unused.copied().collect();
        let mut message = format!("{name} of the Go framework is read as stream: file, {read}");
        if !unused.is_empty() {
            message += &format!("; not used: {}, since files go below the mapper's streams.dir", unused.join(", "));
        }
        Some((message, format!("write stream: file, {read}, or leave it")))
    }
}

fn millis(keys: &mut Keys<'_>, key: &str, expected: &str, range: std::ops::RangeInclusive<f64>) -> Option<Duration> {
    let millis = keys.number(key, expected, |number| range.contains(&number))?;
    Duration::try_from_secs_f64(millis / 1000.0).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn property(name: &str, data_type: DataType, visitor: &Json) -> Property {
        Property::builder(name, data_type).visitor(visitor.as_object().expect("a mapping").clone())
    }

    fn misfits(visitor: &Json) -> Vec<String> {
        let misfits = RecordRules::of(&property("clip", DataType::String, visitor)).expect_err("something is wrong");
        misfits.into_iter().map(|misfit| format!("{}: {}: {}", misfit.key, misfit.message, misfit.cure)).collect()
    }

    #[test]
    fn what_is_left_out_cannot_fill_a_disk() {
        let rules = RecordRules::of(&property("clip", DataType::String, &json!({"stream": "file"}))).expect("right");
        assert_eq!((rules.format, rules.bytes, rules.files), (RecordFormat::Avi, 64 << 20, 100_000));
        assert!(rules.is_continuous && rules.every.is_zero() && rules.age.is_none());
        let jpeg = json!({"stream": "file", "recordFormat": "jpeg"});
        let rules = RecordRules::of(&property("clip", DataType::String, &jpeg)).expect("right");
        assert_eq!((rules.every, rules.bytes), (Duration::from_secs(1), 64 << 20));
    }

    #[test]
    fn keys_come_as_numbers_and_as_texts() {
        let visitor = json!({
            "stream": "file", "recordFormat": "avi", "recordMode": "onDemand", "recordEvery": "40", "recordFiles": 12,
            "recordBytes": "5e6", "recordAge": 86_400_000.0, "recordSegment": 5000, "recordFrames": 100,
        });
        let rules = RecordRules::of(&property("clip", DataType::String, &visitor)).expect("right");
        let expected = RecordRules {
            format: RecordFormat::Avi,
            is_continuous: false,
            every: Duration::from_millis(40),
            files: 12,
            bytes: 5_000_000,
            age: Some(Duration::from_secs(86_400)),
            segment: Duration::from_secs(5),
            frames: 100,
        };
        assert_eq!(rules, expected);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_range() {
        let wrong = misfits(&json!({
            "stream": "file", "recordFormat": "mp4", "recordFiles": 0, "recordBytes": 10, "recordAge": "a day",
            "recordEvry": 5,
        }));
        assert_eq!(
            wrong,
            [
                "recordEvry: is none of recordFormat, recordMode, recordEvery, recordFiles, recordBytes, recordAge, recordSegment, \
                 recordFrames: did you mean recordEvery?",
                "recordFormat: \"mp4\" is none of jpeg, avi: write one of them",
                "recordFiles: 0 is not a number from 1 to 100000: write a number from 1 to 100000",
                "recordBytes: 10 is not a number of bytes from 100000 to 1e15: write a number of bytes from 100000 to 1e15",
                "recordAge: \"a day\" is not milliseconds from 1000 to those of a year: write milliseconds from 1000 to those of a year",
            ]
        );
    }

    #[test]
    fn the_go_frameworks_properties_are_read_in_its_units() {
        let keys = json!({"format": "jpg", "outputDir": "/tmp", "frameCount": 30, "frameInterval": 500_000_000});
        let frame = property("saveFrame", DataType::Stream, &keys);
        assert!(RecordRules::is_of_go(&frame));
        let rules = RecordRules::of(&frame).expect("right");
        assert_eq!((rules.format, rules.files, rules.every), (RecordFormat::Jpeg, 30, Duration::from_millis(500)));
        let keys = json!({"format": "mp4", "outputDir": "/tmp", "frameCount": 1000, "videoNum": 2});
        let video = property("saveVideo", DataType::Stream, &keys);
        let rules = RecordRules::of(&video).expect("right");
        assert_eq!((rules.format, rules.files, rules.frames), (RecordFormat::Avi, 2, 1000));
        let (message, _) = RecordRules::reading_of_go(&video).expect("it is read in another way than it is written");
        assert_eq!(
            message,
            "saveVideo of the Go framework is read as stream: file, recordFormat: avi, recordFiles: 2, recordFrames: 1000; \
             not used: format, outputDir, since files go below the mapper's streams.dir"
        );
        for (name, data_type, keys) in [
            ("saveFrame", DataType::Int, json!({"frameCount": 1})),
            ("saveFrame", DataType::Stream, json!({"register": 1})),
            ("frames", DataType::Stream, json!({"frameCount": 1})),
            ("saveFrame", DataType::Stream, json!({"stream": "file", "frameCount": 1})),
        ] {
            assert!(!RecordRules::is_of_go(&property(name, data_type, &keys)), "{name} {keys}");
        }
    }
}
