//! What stands for a built-in kind whose Cargo feature is off.

use async_trait::async_trait;

use crate::model::{Device, Property};

use super::super::{Credentials, Route, RouteError, Sink, SinkError, SinkKind, Target};

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
        let Self { kind, feature } = self;
        format!(
            "this mapper is built without the sink {kind}: enable the feature {feature:?} of mapper-framework in the mapper's Cargo.toml"
        )
    }
}

#[async_trait]
impl SinkKind for NotCompiled {
    fn name(&self) -> &str {
        self.kind
    }

    fn routes(&self, _: &Device, property: &Property) -> Result<Vec<Route>, RouteError> {
        if property.push_methods().iter().any(|method| method.kind() == Some(self.kind)) {
            return Err(RouteError::new(format!("pushMethod ({})", self.kind), self.message()));
        }
        Ok(Vec::new())
    }

    async fn open(&self, _: &Target, _: &Credentials) -> Result<Box<dyn Sink>, SinkError> {
        Err(SinkError::failed(self.message()))
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
        assert!(error.contains("enable the feature \"sink-mqtt\""), "{error}");
    }
}
