//! What stands for a built-in kind whose Cargo feature is off.

use crate::model::{Device, Property};

use super::super::{Credentials, Outcome, Record, Route, RouteError, Sink, SinkError, SinkKind, Target};

/// Refuses every route, with the name of the feature.
#[derive(Debug)]
#[cfg_attr(not(test), allow(dead_code, reason = "nothing needs it when all features are on"))]
pub(super) struct NotCompiled {
    pub(super) kind: &'static str,
    pub(super) feature: &'static str,
}

#[cfg_attr(not(test), allow(dead_code, reason = "nothing needs it when all features are on"))]
impl NotCompiled {
    fn message(&self) -> String {
        format!("this mapper is built without the sink {}", self.kind)
    }

    /// The field of a manifest that asks for the sink.
    fn field(&self) -> String {
        match self.kind {
            "tdengine" => "pushMethod.dbMethod.TDEngine".to_owned(),
            "influxdb2" | "mysql" | "redis" => format!("pushMethod.dbMethod.{}", self.kind),
            _ => format!("pushMethod.{}", self.kind),
        }
    }

    fn cure(&self) -> String {
        format!("enable the feature {:?} of mapper-framework in the mapper's Cargo.toml", self.feature)
    }
}

impl SinkKind for NotCompiled {
    type Sink = NotOpened;

    fn name(&self) -> &str {
        self.kind
    }

    fn routes(&self, _: &Device, property: &Property) -> Result<Vec<Route>, RouteError> {
        if property.push_methods().iter().any(|method| method.kind() == Some(self.kind)) {
            return Err(RouteError::new(self.field(), self.message()).with_cure(self.cure()));
        }
        Ok(Vec::new())
    }

    async fn open(&self, _: &Target, _: &Credentials) -> Result<NotOpened, SinkError> {
        Err(SinkError::failed(format_args!("{}: {}", self.message(), self.cure())))
    }
}

/// What [`NotCompiled`] never opens.
#[derive(Debug)]
pub(super) enum NotOpened {}

impl Sink for NotOpened {
    async fn write(&mut self, _: &[Record]) -> Result<Vec<Outcome>, SinkError> {
        match *self {}
    }
}

#[cfg(test)]
mod tests {
    use crate::model::{DataType, MqttPush, PushMethod};

    use super::*;

    #[test]
    fn only_who_asks_for_the_sink_is_told_which_feature_is_off() {
        let kind = NotCompiled { kind: "mqtt", feature: "sink-mqtt" };
        let device = Device::builder("boiler").build();
        let plain = Property::builder("p", DataType::Int);
        assert_eq!(kind.routes(&device, &plain.clone().build()), Ok(vec![]));
        let asks = plain.push_methods(vec![PushMethod::Mqtt(MqttPush::default())]).build();
        let error = kind.routes(&device, &asks).unwrap_err().to_string();
        assert!(error.starts_with("pushMethod.mqtt: "), "{error}");
        assert!(
            error.ends_with(": enable the feature \"sink-mqtt\" of mapper-framework in the mapper's Cargo.toml"),
            "{error}"
        );
    }

    #[test]
    fn the_field_is_the_one_that_asks_for_the_sink() {
        for (kind, field) in [
            ("otel", "pushMethod.otel"),
            ("redis", "pushMethod.dbMethod.redis"),
            ("tdengine", "pushMethod.dbMethod.TDEngine"),
        ] {
            assert_eq!(NotCompiled { kind, feature: "" }.field(), field);
        }
    }
}
