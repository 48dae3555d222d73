//! What a property shows of a camera.

use mapper_framework::{AccessMode, DataType, DriverError, Property};
use serde::Deserialize;

/// `visitors.configData` of a property that is not of the stream. Without a key, the property's own name says what it is, so that the manifests
/// of KubeEdge's mapper of v1.16 work whatever they have there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Visitor {
    /// What the mapper knows by itself.
    pub shows: Option<Shows>,
    /// A setting of the camera, or one of `Framerate`, `Input`, `BusInfo`, `Card` and `ImageTrigger`. KubeEdge's `GigE` mapper
    /// had the key `FeatureName`.
    #[serde(alias = "FeatureName", alias = "featureName")]
    pub control: Option<String>,
}

/// What the mapper knows by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Shows {
    /// The wanted width in pixels.
    Width,
    /// The wanted height in pixels.
    Height,
    /// The wanted number of frames in a second.
    FrameRate,
    /// How many pictures were damaged since the device was connected to.
    DamagedFrames,
    /// How the bounds in the model differ from the camera's own.
    Differences,
}

/// What a property is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Shows(Shows),
    /// The rate that is granted. Another one may be written.
    Rate,
    Input,
    BusInfo,
    Card,
    /// Writing it waits for the next frame; it shows where that is.
    Trigger,
    /// A setting of the camera, by one of its names.
    Control(String),
}

impl Visitor {
    pub(crate) fn what(&self, property: &str) -> What {
        if let Some(shows) = self.shows {
            return What::Shows(shows);
        }
        let name = self.control.as_deref().unwrap_or(property);
        match name.to_ascii_lowercase().as_str() {
            "framerate" => What::Rate,
            "input" => What::Input,
            "businfo" => What::BusInfo,
            "card" => What::Card,
            "imagetrigger" => What::Trigger,
            _ => What::Control(name.to_owned()),
        }
    }

    /// Whether the property's type and access mode suit it.
    ///
    /// # Errors
    ///
    /// They do not, with the cure.
    pub(crate) fn check(&self, property: &Property<Self>) -> Result<(), DriverError> {
        if self.shows.is_some() && self.control.is_some() {
            return Err(DriverError::refused("visitors.configData has both shows and control: take one of them out"));
        }
        let what = self.what(property.name());
        let data_type = property.data_type();
        let is_text = data_type == DataType::String;
        let fits = match &what {
            What::Shows(Shows::Differences) | What::Input | What::BusInfo | What::Card | What::Trigger => is_text,
            What::Shows(_) | What::Rate => is_text || data_type.is_numeric(),
            What::Control(_) => is_text || data_type.is_numeric() || data_type == DataType::Boolean,
        };
        if !fits {
            return Err(DriverError::refused(format_args!("it cannot be {data_type}: make it STRING, or a number")));
        }
        let is_writable = matches!(what, What::Rate | What::Trigger | What::Control(_));
        if property.access_mode() == AccessMode::ReadWrite && !is_writable {
            return Err(DriverError::refused("it can only be read: make it ReadOnly in the model"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn visitor(config: serde_json::Value) -> Visitor {
        serde_json::from_value(config).expect("it can be read")
    }

    #[test]
    fn the_key_says_what_a_property_is_and_else_its_name_does() {
        let named = visitor(json!({}));
        assert_eq!(named.what("Framerate"), What::Rate);
        assert_eq!(named.what("ImageTrigger"), What::Trigger);
        assert_eq!(named.what("Brightness"), What::Control("Brightness".to_owned()));
        assert_eq!(visitor(json!({"control": "BusInfo"})).what("where"), What::BusInfo);
        assert_eq!(visitor(json!({"FeatureName": "Gain"})).what("x"), What::Control("Gain".to_owned()));
        assert_eq!(visitor(json!({"shows": "frameRate"})).what("Gain"), What::Shows(Shows::FrameRate));
    }

    #[test]
    fn a_type_or_an_access_mode_that_does_not_suit_is_refused_with_the_cure() {
        let check = |name, data_type, access| {
            let property = Property::builder(name, data_type).access_mode(access).visitor(visitor(json!({})));
            property.visitor().check(&property).map_err(|error| error.to_string())
        };
        assert_eq!(check("Brightness", DataType::Int, AccessMode::ReadWrite), Ok(()));
        assert!(
            check("BusInfo", DataType::Int, AccessMode::ReadOnly).is_err_and(|error| error.contains("make it STRING"))
        );
        assert!(
            check("BusInfo", DataType::String, AccessMode::ReadWrite).is_err_and(|error| error.contains("ReadOnly"))
        );
        assert!(check("Gain", DataType::Bytes, AccessMode::ReadOnly).is_err());
        let both = Property::builder("x", DataType::Int).visitor(visitor(json!({"shows": "width", "control": "Gain"})));
        assert!(both.visitor().check(&both).is_err_and(|error| error.to_string().contains("both shows and control")));
    }
}
