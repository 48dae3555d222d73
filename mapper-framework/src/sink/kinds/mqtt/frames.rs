//! Frames of a stream: each is a message whose payload is the bytes of the frame, as they are.
//!
//! | part of the message | what it is |
//! | --- | --- |
//! | topic, QoS, retain | as for samples |
//! | payload | the bytes of the frame |
//! | content type | that of the frame, such as `image/jpeg` |
//! | user properties | `namespace`, `device`, `property`, `sequence`, `time` by RFC 3339, and `width` and `height` where they are known |
//!
//! MQTT 3.1.1 has no place for the last two: who reads gets the bytes, and the topic says whose they are.
//!
//! Each property has a connection of its own, so that a large frame holds up nobody else. It has no last will: that is said by the
//! connection for samples.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    config::MqttSinkConfig,
    model::{Broker, Device, Property, PushMethod},
    mqtt::{Answer, Message, MqttClient, Properties},
    sink::{
        Access, Credentials, Endpoint, ErasedKind, ErasedSink, Route, RouteError, SinkError, Target,
        frames::PushedFrame,
    },
};

use super::{Mqtt, NAME, endpoint, error, route, route::Publication};

/// Publishes frames to MQTT brokers.
pub(in super::super) struct MqttFrames(Mqtt);

/// What a connection depends on: the broker, and whose frames go there. Its id makes the client id, of which a broker takes one
/// connection at a time.
#[derive(Serialize, Deserialize)]
struct Line {
    broker: Broker,
    frames_of: String,
}

impl MqttFrames {
    pub(in super::super) fn new(config: &MqttSinkConfig, access: &Arc<Access>) -> Self {
        Self(Mqtt::new(config, access))
    }
}

#[async_trait]
impl ErasedKind for MqttFrames {
    fn name(&self) -> &str {
        NAME
    }

    fn routes(&self, device: &Device, property: &Property) -> Result<Vec<Route>, RouteError> {
        let pushes = property.push_methods().iter().filter_map(|method| match method {
            PushMethod::Mqtt(push) => Some(push),
            _ => None,
        });
        let to_route = |push| {
            let (broker, publication) = route::publication(device, property, push)?;
            let frames_of = format!("{}/{}", device.id(), property.name());
            Ok(Route::to(Target::new(NAME, &Line { broker, frames_of })).with(&publication))
        };
        pushes.map(to_route).collect()
    }

    fn endpoint(&self, target: &Target) -> Option<Endpoint> {
        Some(endpoint(&target.settings::<Line>().ok()?.broker))
    }

    async fn open(&self, target: &Target, credentials: &Credentials) -> Result<Box<dyn ErasedSink>, SinkError> {
        let Line { broker, .. } = target.settings()?;
        let options = self.0.options(broker, self.0.client_id(target), credentials)?;
        let opened = MqttClient::open(self.0.config.version, &options).await;
        let connection = opened.map_err(|loss| error(&loss, &options.broker))?;
        Ok(Box::new(MqttFrameLine { broker: options.broker, connection }))
    }
}

/// A connection to one broker, for the frames of one property.
struct MqttFrameLine {
    broker: Broker,
    connection: MqttClient,
}

#[async_trait]
impl ErasedSink for MqttFrameLine {
    async fn write_frame(&mut self, pushed: &PushedFrame) -> Result<(), SinkError> {
        let limits = self.connection.limits();
        let publication: Publication = pushed.route.detail()?;
        let publication = Publication { qos: limits.at_most(publication.qos), ..publication };
        let offered = limits.offers(publication.qos, publication.retained);
        offered.map_err(|reason| SinkError::misconfigured(format_args!("{}: {reason}", self.broker)))?;
        let message = message(pushed, publication);
        limits.fits(&message).map_err(SinkError::rejected)?;
        match self.connection.deliver(message).await {
            Ok(Answer::Accepted) => Ok(()),
            Ok(Answer::Refused(reason)) => Err(SinkError::refused(format_args!("{}: {reason}", self.broker))),
            Ok(Answer::Busy(reason)) => Err(SinkError::failed(format_args!("{}: {reason}", self.broker))),
            Err(loss) => Err(error(&loss, &self.broker)),
        }
    }

    async fn close(self: Box<Self>) {
        self.connection.close().await;
    }
}

fn message(pushed: &PushedFrame, publication: Publication) -> Message {
    let (frame, device) = (&pushed.frame, &pushed.device);
    let mut user = vec![
        ("namespace", device.namespace().to_owned()),
        ("device", device.name().to_owned()),
        ("property", pushed.property.to_string()),
        ("sequence", frame.sequence().unwrap_or_default().to_string()),
        ("time", frame.rfc3339()),
    ];
    user.extend(frame.width().map(|width| ("width", width.to_string())));
    user.extend(frame.height().map(|height| ("height", height.to_string())));
    let properties = Some(Box::new(Properties { content_type: frame.content_type().as_str(), user }));
    let Publication { topic, qos, retained } = publication;
    Message { topic, qos, retained, payload: frame.bytes().clone(), properties }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use crate::{
        config::SinksConfig,
        model::{DataType, DeviceId, MqttPush},
        stream::{ContentType, Frame},
    };

    use super::*;

    fn route_of(property: &str) -> Route {
        let push = MqttPush { address: "broker".into(), qos: 1, ..MqttPush::default() };
        let property = Property::builder(property, DataType::String).push_methods(vec![PushMethod::Mqtt(push)]).build();
        let mut device = Device::builder("camera").build();
        device.id = DeviceId::new("plant", "camera");
        let access = Arc::new(Access::new(&SinksConfig::default()));
        let routes = MqttFrames::new(&MqttSinkConfig::default(), &access).routes(&device, &property);
        routes.expect("a broker").remove(0)
    }

    #[test]
    fn a_message_is_the_frame_as_it_is_and_its_properties_say_what_it_is() {
        let frame = Frame::new(ContentType::Jpeg, vec![0xff, 0xd8, 7]).size(640, 480).number(12);
        let frame = Arc::new(frame.at(UNIX_EPOCH + Duration::from_millis(1_700_000_000_250)));
        let (device, route) = (DeviceId::new("plant", "camera"), route_of("live"));
        let pushed = PushedFrame { frame: Arc::clone(&frame), device, property: "live".into(), route };
        let message = message(&pushed, pushed.route.detail().expect("a publication"));
        assert_eq!((&*message.topic, message.qos), ("kubeedge/plant/camera/live", 1));
        assert_eq!(message.payload.as_ptr(), frame.bytes().as_ptr(), "the bytes are not copied");
        let properties = message.properties.expect("there are some");
        assert_eq!(properties.content_type, "image/jpeg");
        let user: Vec<_> = properties.user.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            user,
            [
                "namespace=plant",
                "device=camera",
                "property=live",
                "sequence=12",
                "time=2023-11-14T22:13:20.250Z",
                "width=640",
                "height=480"
            ]
        );
    }

    #[test]
    fn no_two_properties_share_a_connection() {
        assert_ne!(route_of("live").target().id(), route_of("still").target().id());
        assert_eq!(route_of("live"), route_of("live"));
    }
}
