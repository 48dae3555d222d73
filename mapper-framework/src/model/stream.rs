//! A property that the framework produces of its device's stream: keys of the property's visitor (docs/streams.md).

use std::time::Duration;

use super::{
    AccessMode, ConfigData, Method, Property, RecordRules, Value, frame_outlet,
    keys::{Keys, Misfit},
};

/// What a property shows of its device's stream (`stream` in a manifest).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamTwin {
    /// `streaming`, `stalled` or `stopped`.
    State,
    /// What the device has granted, such as `MJPG/1280x720`.
    Format,
    /// How many frames come in a second.
    FramesPerSecond,
    /// How many frames readers were too slow for, all readers together.
    Skipped,
    /// When the last frame was taken.
    Time,
    /// The number of the last frame.
    Sequence,
    /// The SHA-256 of the last frame, in hexadecimal digits.
    Sha256,
    /// The path of the live stream on the mapper's HTTP server.
    Uri,
    /// Where the last recorded file is. The property has the stream recorded.
    File,
    /// Nothing: its frames are pushed to where the property's `pushMethod` says.
    Frame,
    /// The address that the stream is published to, while it is.
    Rtsp,
}

const WORDS: [(&str, StreamTwin); 11] = [
    ("state", StreamTwin::State),
    ("format", StreamTwin::Format),
    ("framesPerSecond", StreamTwin::FramesPerSecond),
    ("skipped", StreamTwin::Skipped),
    ("time", StreamTwin::Time),
    ("sequence", StreamTwin::Sequence),
    ("sha256", StreamTwin::Sha256),
    ("uri", StreamTwin::Uri),
    ("file", StreamTwin::File),
    ("frame", StreamTwin::Frame),
    ("rtsp", StreamTwin::Rtsp),
];

/// The shortest and the longest time without a frame after which a stream is stalled, in milliseconds.
const STALLS: std::ops::RangeInclusive<f64> = 100.0..=3_600_000.0;

impl StreamTwin {
    /// The key of `visitors.configData` that makes a property one of the stream.
    pub(crate) const KEY: &str = "stream";

    /// The key beside it: after how many milliseconds without a frame the stream is stalled.
    pub(crate) const STALL: &str = "streamStall";

    /// Whether a key of a visitor is one of these.
    pub(crate) fn is_key(key: &str) -> bool {
        key == Self::KEY || key == Self::STALL || frame_outlet::KEYS.contains(&key)
    }

    /// Whether a property with this visitor records frames.
    pub(crate) fn is_file(visitor: &ConfigData) -> bool {
        Keys::of(visitor).word(Self::KEY, &WORDS) == Some(Self::File)
    }

    /// What the property shows of the stream; `None` if it is the driver's.
    ///
    /// # Errors
    ///
    /// All that is wrong with the keys, and with the property as the model declares it.
    pub(crate) fn of(property: &Property) -> Result<Option<Self>, Vec<Misfit>> {
        let mut keys = Keys::of(property.visitor());
        let twin = keys.word(Self::KEY, &WORDS).or(RecordRules::is_of_go(property).then_some(Self::File));
        stall_of(&mut keys);
        if !keys.has(Self::KEY) && keys.has(Self::STALL) {
            keys.misfit(Self::STALL, "is for a property of the stream", "add the key stream, or take it out");
        }
        if let Some(twin) = twin {
            twin.check(property, &mut keys);
        }
        let wrong = if twin == Some(Self::File) { RecordRules::of(property).err() } else { None };
        keys.extend(wrong.into_iter().flatten());
        frame_outlet::check(twin, property, &mut keys);
        keys.finish(twin)
    }

    /// Whether frames are handed on for the property, so that it is of use without a value.
    pub(crate) fn consumes(self) -> bool {
        matches!(self, Self::File | Self::Frame | Self::Rtsp)
    }

    /// After which time without a frame the stream is stalled, by the visitor of this property.
    pub(crate) fn stall(property: &Property) -> Option<Duration> {
        stall_of(&mut Keys::of(property.visitor()))
    }

    fn check(self, property: &Property, keys: &mut Keys<'_>) {
        // The Go framework's are writable in its own samples, which means nothing.
        if property.access_mode() != AccessMode::ReadOnly && !RecordRules::is_of_go(property) {
            keys.misfit(Self::KEY, "the framework produces it, so that it cannot be written", "make it ReadOnly");
        }
        let (data_type, example) = (property.data_type(), self.example());
        if example.is_some_and(|example| example.conform(data_type).is_err()) {
            let cure = if matches!(self, Self::FramesPerSecond) { "make it DOUBLE" } else { "make it STRING" };
            keys.misfit(Self::KEY, format!("it does not fit the property's type, which is {data_type}"), cure);
        }
        if matches!(self, Self::Uri) && !cfg!(feature = "http") {
            let message = "this mapper is built without an HTTP server, and has no live stream";
            keys.misfit(Self::KEY, message, "build it with the feature http, or remove the property");
        }
    }

    /// A value as the framework produces it, if it produces any.
    fn example(self) -> Option<Value> {
        Some(match self {
            Self::FramesPerSecond => Value::Double(29.9),
            Self::Skipped | Self::Sequence => Value::Int(2),
            Self::State | Self::Format | Self::Time | Self::Sha256 | Self::Uri | Self::File | Self::Rtsp => {
                Value::String("text".to_owned())
            }
            Self::Frame => return None,
        })
    }
}

/// What a method of a device with a stream does to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamOrder {
    /// `start`
    Start,
    /// `stop`
    Stop,
    /// `snapshot`: writes one frame to a file.
    Snapshot,
    /// `record`: records all frames for a time.
    Record,
}

impl StreamOrder {
    /// What the method does to the stream; `None` if it is the driver's, as one that names properties is. But `snapshot` and `record` may
    /// name those that record, which `records` knows: by them a call says which one is meant, and for how long.
    pub(crate) fn of(method: &Method, records: impl Fn(&str) -> bool) -> Option<Self> {
        let (is_bare, is_of_files) =
            (method.property_names.is_empty(), method.property_names.iter().all(|it| records(it)));
        match method.name.as_str() {
            "start" if is_bare => Some(Self::Start),
            "stop" if is_bare => Some(Self::Stop),
            "snapshot" if is_of_files => Some(Self::Snapshot),
            "record" if is_of_files => Some(Self::Record),
            _ => None,
        }
    }

    /// Whether the method of this name may name what records.
    pub(crate) fn is_of_files(name: &str) -> bool {
        [Self::Snapshot, Self::Record].iter().any(|order| order.as_str() == name)
    }

    /// The name of the method.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Snapshot => "snapshot",
            Self::Record => "record",
        }
    }
}

fn stall_of(keys: &mut Keys<'_>) -> Option<Duration> {
    let expected = "a number of milliseconds from 100 to 3600000";
    let millis = keys.number(StreamTwin::STALL, expected, |number| STALLS.contains(&number))?;
    Duration::try_from_secs_f64(millis / 1000.0).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::model::{DataType, MqttPush, PushMethod};

    fn property(data_type: DataType, visitor: &Json) -> Property {
        Property::builder("p", data_type).visitor(visitor.as_object().expect("a mapping").clone())
    }

    fn misfits(property: &Property) -> Vec<String> {
        let misfits = StreamTwin::of(property).expect_err("something is wrong").into_iter();
        misfits.map(|misfit| format!("{}: {}: {}", misfit.key, misfit.message, misfit.cure)).collect()
    }

    #[test]
    fn the_keys_say_what_the_framework_produces_and_are_not_the_drivers() {
        for (word, twin) in WORDS {
            let data_type = if twin == StreamTwin::FramesPerSecond { DataType::Double } else { DataType::String };
            let mut visitor = json!({"stream": word, "streamStall": "2500", "register": 7});
            if twin == StreamTwin::Rtsp {
                visitor["publishTo"] = json!("rtsp://media/x");
            }
            let mut property = property(data_type, &visitor);
            if twin == StreamTwin::Frame {
                let push = vec![PushMethod::Mqtt(MqttPush::default())];
                property = Property::builder("p", data_type).push_methods(push).visitor(property.visitor().clone());
            }
            assert_eq!(StreamTwin::of(&property), Ok(Some(twin)));
            assert_eq!(StreamTwin::stall(&property), Some(Duration::from_millis(2500)));
            assert_eq!(property.drivers_visitor().keys().collect::<Vec<_>>(), ["register"]);
        }
        let drivers = property(DataType::Int, &json!({"register": 7}));
        assert_eq!((StreamTwin::of(&drivers), StreamTwin::stall(&drivers)), (Ok(None), None));
    }

    #[test]
    fn a_wrong_value_is_named_with_those_that_are_allowed() {
        assert_eq!(
            misfits(&property(DataType::String, &json!({"stream": "fps"}))),
            [
                "stream: \"fps\" is none of state, format, framesPerSecond, skipped, time, sequence, sha256, uri, file, frame, rtsp: write one of them"
            ]
        );
        let stall = misfits(&property(DataType::String, &json!({"stream": "state", "streamStall": 5})));
        assert!(stall.len() == 1 && stall[0].contains("a number of milliseconds from 100 to 3600000"), "{stall:?}");
        let alone = misfits(&property(DataType::String, &json!({"streamStall": 500})));
        assert_eq!(alone, ["streamStall: is for a property of the stream: add the key stream, or take it out"]);
    }

    #[test]
    fn a_type_that_cannot_hold_it_and_a_writable_property_are_named() {
        let visitor = json!({"stream": "state"});
        assert_eq!(
            misfits(&property(DataType::Int, &visitor)),
            ["stream: it does not fit the property's type, which is INT: make it STRING"]
        );
        let rate = misfits(&property(DataType::Int, &json!({"stream": "framesPerSecond"})));
        assert_eq!(rate, ["stream: it does not fit the property's type, which is INT: make it DOUBLE"]);
        let builder = Property::builder("p", DataType::String).access_mode(AccessMode::ReadWrite);
        let writable = builder.visitor(visitor.as_object().expect("a mapping").clone());
        assert!(misfits(&writable)[0].ends_with("make it ReadOnly"));
    }
}
