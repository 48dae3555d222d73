//! What a property does with the frames of its device's stream where it hands them on: keys of the property's visitor (docs/streams.md).

use std::{ops::RangeInclusive, time::Duration};

use super::{
    Address, AddressError, Property, PushMethod,
    keys::{Keys, Misfit},
    stream::StreamTwin,
};

/// The time from one frame to the next, in milliseconds. With 0 they go as they come.
const EVERY: RangeInclusive<f64> = 0.0..=3_600_000.0;

/// The longest address of a media server, which is the value of a twin.
const LONGEST_URL: usize = 512;

/// How the frames of a stream are pushed to where `pushMethod` says (`stream: frame`).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FramePush {
    /// The shortest time from one frame to the next.
    pub(crate) every: Duration,
}

impl FramePush {
    /// How long it is from one frame to the next: `frameEvery`.
    pub(crate) const EVERY: &str = "frameEvery";

    const DEFAULT_EVERY: Duration = Duration::from_secs(1);

    /// What the visitor of a property with `stream: frame` says.
    ///
    /// # Errors
    ///
    /// Every key that is wrong, and push methods that take no frames.
    pub(crate) fn of(property: &Property) -> Result<Self, Vec<Misfit>> {
        let mut keys = Keys::of(property.visitor());
        let every = every_of(&mut keys).unwrap_or(Self::DEFAULT_EVERY);
        let takes_frames = |push: &&PushMethod| matches!(push, PushMethod::Mqtt(_) | PushMethod::Http(_));
        for push in property.push_methods().iter().filter(|push| !takes_frames(push)) {
            let message = format!("{} takes no frames", push.kind().unwrap_or("the anomaly detection"));
            keys.misfit(StreamTwin::KEY, message, "give the property pushMethod.mqtt or pushMethod.http, and no other");
        }
        if property.push_methods().is_empty() {
            let cure = "give the property pushMethod.mqtt or pushMethod.http";
            keys.misfit(StreamTwin::KEY, "nothing says where the frames go", cure);
        }
        keys.finish(Self { every })
    }
}

/// By what a stream is encoded for a media server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PublishCodec {
    /// The pictures as they are.
    #[default]
    Mjpeg,
    /// H.264, which costs much of a processor.
    H264,
}

/// Where a stream is published to (`stream: rtsp`).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Publication {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Path and query, from the `/` on.
    pub(crate) path: String,
    pub(crate) codec: PublishCodec,
    /// The shortest time from one frame to the next.
    pub(crate) every: Duration,
}

impl Publication {
    /// The address of the media server.
    pub(crate) const TO: &str = "publishTo";
    /// By what the stream is encoded.
    pub(crate) const CODEC: &str = "publishCodec";

    /// What the visitor of a property with `stream: rtsp` says.
    ///
    /// # Errors
    ///
    /// Every key that is wrong. A credential in the address is not repeated.
    pub(crate) fn of(property: &Property) -> Result<Self, Vec<Misfit>> {
        let mut keys = Keys::of(property.visitor());
        let every = every_of(&mut keys).unwrap_or_default();
        let words = [("mjpeg", PublishCodec::Mjpeg), ("h264", PublishCodec::H264)];
        let codec = keys.word(Self::CODEC, &words).unwrap_or_default();
        let address = match keys.get(Self::TO) {
            Some(written) => address(written.as_str().unwrap_or_default()),
            None => {
                Err(AddressError::new("is missing", "write rtsp://host:port/path, the address of the media server"))
            }
        };
        let Address { host, port, path, .. } = address.unwrap_or_else(|error| {
            keys.misfit(Self::TO, error.message, error.cure);
            Address { scheme: None, host: String::new(), port: None, path: String::new() }
        });
        keys.finish(Self { host, port: port.unwrap_or(554), path, codec, every })
    }

    /// The address, without credentials.
    pub(crate) fn url(&self) -> String {
        self.url_with("")
    }

    /// The address, with this in front of the host.
    pub(crate) fn url_with(&self, login: &str) -> String {
        let Self { host, port, path, .. } = self;
        if host.contains(':') {
            format!("rtsp://{login}[{host}]:{port}{path}")
        } else {
            format!("rtsp://{login}{host}:{port}{path}")
        }
    }
}

/// The keys beside `stream` of a property that hands frames on.
pub(super) const KEYS: [&str; 3] = [FramePush::EVERY, Publication::TO, Publication::CODEC];

/// Notes all that is wrong with these keys, of a property that shows this of the stream.
pub(super) fn check(twin: Option<StreamTwin>, property: &Property, keys: &mut Keys<'_>) {
    let (wrong, known): (_, &[&str]) = match twin {
        Some(StreamTwin::Frame) => (FramePush::of(property).err(), &KEYS[..1]),
        Some(StreamTwin::Rtsp) => (Publication::of(property).err(), &KEYS),
        _ => (None, &[]),
    };
    keys.extend(wrong.into_iter().flatten());
    for key in KEYS.into_iter().filter(|key| !known.contains(key)) {
        if !keys.has(key) {
            continue;
        }
        let (words, cure) = match key {
            FramePush::EVERY => ("frame or rtsp", "write one of them, or take it out"),
            _ => ("rtsp", "write that, or take it out"),
        };
        keys.misfit(key, format!("is for a property with stream: {words}"), cure);
    }
}

fn every_of(keys: &mut Keys<'_>) -> Option<Duration> {
    let expected = "a number of milliseconds from 0 to 3600000";
    let millis = keys.number(FramePush::EVERY, expected, |number| EVERY.contains(&number))?;
    Duration::try_from_secs_f64(millis / 1000.0).ok()
}

fn address(text: &str) -> Result<Address, AddressError> {
    const WRITE: &str = "write rtsp://host:port/path";
    let address = Address::parse(text)?.checked()?;
    if address.scheme.as_deref() != Some("rtsp") {
        return Err(AddressError::new("is no address of RTSP", WRITE));
    }
    let is_url = |byte: u8| byte.is_ascii_graphic() && byte != b'#' && byte != b'"';
    if address.path.len() < 2 || !address.path.starts_with('/') || !address.path.bytes().all(is_url) {
        return Err(AddressError::new("has no path by which players would find the stream", WRITE));
    }
    if text.len() + ":554".len() > LONGEST_URL {
        return Err(AddressError::new(format!("is longer than a twin's {LONGEST_URL} characters"), "shorten its path"));
    }
    Ok(address)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::model::{DataType, MqttPush, RedisPush};

    fn property(visitor: &Json, push_methods: Vec<PushMethod>) -> Property {
        let builder = Property::builder("p", DataType::String).push_methods(push_methods);
        builder.visitor(visitor.as_object().expect("a mapping").clone())
    }

    fn wrong<T>(read: Result<T, Vec<Misfit>>) -> Vec<String> {
        let misfits = read.err().expect("something is wrong").into_iter();
        misfits.map(|misfit| format!("{}: {}: {}", misfit.key, misfit.message, misfit.cure)).collect()
    }

    #[test]
    fn frames_go_once_a_second_unless_the_manifest_says_otherwise() {
        let mqtt = || vec![PushMethod::Mqtt(MqttPush::default())];
        for (visitor, millis) in [
            (json!({"stream": "frame"}), 1000),
            (json!({"stream": "frame", "frameEvery": "250"}), 250),
            (json!({"stream": "frame", "frameEvery": 0.0}), 0),
        ] {
            let push = FramePush::of(&property(&visitor, mqtt())).expect("all is well");
            assert_eq!(push.every, Duration::from_millis(millis), "{visitor}");
        }
        let rate = wrong(FramePush::of(&property(&json!({"stream": "frame", "frameEvery": -1}), mqtt())));
        assert_eq!(
            rate,
            [
                "frameEvery: -1 is not a number of milliseconds from 0 to 3600000: write a number of milliseconds from 0 to 3600000"
            ]
        );
    }

    #[test]
    fn a_push_method_that_takes_no_frames_and_none_at_all_are_named_with_the_cure() {
        let frame = json!({"stream": "frame"});
        let redis = vec![PushMethod::Mqtt(MqttPush::default()), PushMethod::Redis(RedisPush::default())];
        assert_eq!(
            wrong(FramePush::of(&property(&frame, redis))),
            ["stream: redis takes no frames: give the property pushMethod.mqtt or pushMethod.http, and no other"]
        );
        assert_eq!(
            wrong(FramePush::of(&property(&frame, Vec::new()))),
            ["stream: nothing says where the frames go: give the property pushMethod.mqtt or pushMethod.http"]
        );
    }

    #[test]
    fn an_address_is_one_of_rtsp_with_a_path() {
        let of = |to: &str| Publication::of(&property(&json!({"stream": "rtsp", "publishTo": to}), Vec::new()));
        let url = |to: &str| of(to).expect("an address").url();
        assert_eq!(url("rtsp://media:8554/plant/hall-1"), "rtsp://media:8554/plant/hall-1");
        assert_eq!(url("RTSP://[fd00::1]/x?y=1"), "rtsp://[fd00::1]:554/x?y=1");
        assert_eq!(of("rtsp://media/x").expect("an address").url_with("me:you@"), "rtsp://me:you@media:554/x");
        for (to, reason) in [
            ("", "publishTo: is empty"),
            ("media:8554/x", "publishTo: is no address of RTSP: write rtsp://host:port/path"),
            ("rtsps://media:8554/x", "publishTo: is no address of RTSP"),
            ("rtsp://media:8554", "publishTo: has no path"),
            ("rtsp://media:8554/", "publishTo: has no path"),
            ("rtsp://media:8554/a b", "publishTo: has no path"),
            ("rtsp://media:8554/\u{e4}", "publishTo: has no path"),
            ("rtsp://me^dia:8554/x", "publishTo: has a host that is neither"),
        ] {
            let found = wrong(of(to));
            assert!(found.len() == 1 && found[0].starts_with(reason), "{to}: {found:?}");
        }
        let secret = wrong(of("rtsp://me:hunter2@media:8554/x"));
        assert!(secret[0].contains("mounted Secret") && !secret[0].contains("hunter2"), "{secret:?}");
        let missing = wrong(Publication::of(&property(&json!({"stream": "rtsp"}), Vec::new())));
        assert!(missing[0].starts_with("publishTo: is missing: write rtsp://"), "{missing:?}");
    }

    #[test]
    fn a_key_beside_another_word_is_named_with_where_it_belongs() {
        let all = json!({"stream": "state", "frameEvery": 1, "publishTo": "rtsp://media/x", "publishCodec": "h264"});
        assert_eq!(
            wrong(StreamTwin::of(&property(&all, Vec::new()))),
            [
                "frameEvery: is for a property with stream: frame or rtsp: write one of them, or take it out",
                "publishTo: is for a property with stream: rtsp: write that, or take it out",
                "publishCodec: is for a property with stream: rtsp: write that, or take it out"
            ]
        );
        let alone = property(&json!({"frameEvery": 1}), Vec::new());
        assert_eq!(wrong(StreamTwin::of(&alone)).len(), 1);
        assert!(alone.drivers_visitor().is_empty(), "the driver sees none of them");
    }

    #[test]
    fn pictures_are_published_as_they_are_unless_the_manifest_asks_for_h264() {
        let of = |visitor: Json| Publication::of(&property(&visitor, Vec::new()));
        let plain = of(json!({"stream": "rtsp", "publishTo": "rtsp://media/x"})).expect("all is well");
        assert_eq!((plain.codec, plain.every), (PublishCodec::Mjpeg, Duration::ZERO));
        let h264 = json!({"stream": "rtsp", "publishTo": "rtsp://media/x", "publishCodec": "h264", "frameEvery": 100});
        let h264 = of(h264).expect("all is well");
        assert_eq!((h264.codec, h264.every), (PublishCodec::H264, Duration::from_millis(100)));
        let wrong = wrong(of(json!({"stream": "rtsp", "publishTo": "rtsp://media/x", "publishCodec": "vp9"})));
        assert_eq!(wrong, ["publishCodec: \"vp9\" is none of mjpeg, h264: write one of them"]);
    }
}
