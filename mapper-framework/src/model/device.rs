//! A device as a driver sees it.

use std::{fmt, sync::Arc, time::Duration};

use super::{ConfigData, Credentials, DeviceId, ModelId, Property, StreamTwin};

/// A device: its manifest joined with its model.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    pub(crate) id: DeviceId,
    pub(crate) model: ModelId,
    pub(crate) protocol: String,
    pub(crate) config: ConfigData,
    pub(crate) properties: Vec<Arc<Property>>,
    pub(crate) methods: Vec<Method>,
    pub(crate) state_report: Option<StateReport>,
    /// None but in the device that is given to [`Driver::connect`](crate::Driver::connect).
    pub(crate) credentials: Arc<Credentials>,
}

impl Device {
    /// Starts a device in the namespace `default` of which everything but the name has its default, for the tests of a driver.
    pub fn builder(name: &str) -> DeviceBuilder {
        DeviceBuilder {
            device: Self {
                id: DeviceId::new("default", name),
                model: ModelId::new("default", "model"),
                protocol: String::new(),
                config: ConfigData::new(),
                properties: Vec::new(),
                methods: Vec::new(),
                state_report: None,
                credentials: Arc::default(),
            },
        }
    }

    /// Namespace and name.
    pub fn id(&self) -> &DeviceId {
        &self.id
    }

    /// The device model that the device refers to.
    pub fn model(&self) -> &ModelId {
        &self.model
    }

    /// `spec.protocol.protocolName`
    pub fn protocol(&self) -> &str {
        &self.protocol
    }

    /// The credentials for the device, as they are when [`Driver::connect`](crate::Driver::connect) is called.
    ///
    /// They are the files of a folder in `driver.credentials`, as a mounted Secret is: of the one that `configData` names by
    /// `credentials: NAME`, or else of `<namespace>.<device>`; none where there is no such folder. They are read before each `connect`
    /// and every five seconds. When they change, the session is closed, and the device is connected to with the new ones.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// `spec.protocol.configData`, before the driver's own type reads it.
    pub fn config(&self) -> &ConfigData {
        &self.config
    }

    /// The properties, in the manifest's order, with unique names.
    pub fn properties(&self) -> impl ExactSizeIterator<Item = &Property> {
        self.properties.iter().map(|property| &**property)
    }

    /// The property of this name.
    pub fn property(&self, name: &str) -> Option<&Property> {
        self.properties().find(|property| property.name() == name)
    }

    /// The methods, since KubeEdge v1.19.
    pub fn methods(&self) -> &[Method] {
        &self.methods
    }

    /// Whether one of the properties shows something of a stream.
    pub(crate) fn has_stream(&self) -> bool {
        self.properties().any(|property| matches!(StreamTwin::of(property), Ok(Some(_))))
    }

    /// How often the device's state is reported; `None` when the manifest asks for no reports.
    pub fn state_report(&self) -> Option<StateReport> {
        self.state_report
    }
}

/// Builds a [`Device`].
///
/// ```
/// use mapper_framework::{DataType, Device, Property};
///
/// let level = Property::builder("level", DataType::Int).build();
/// let config = serde_json::json!({"port": 502});
/// let device = Device::builder("tank").config(config.as_object().cloned().unwrap()).property(level).build();
/// assert_eq!(device.id().as_str(), "default/tank");
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct DeviceBuilder {
    device: Device,
}

impl DeviceBuilder {
    /// Sets `spec.protocol.protocolName`; empty by default.
    pub fn protocol(mut self, protocol: &str) -> Self {
        self.device.protocol = protocol.to_owned();
        self
    }

    /// Sets `spec.protocol.configData`; empty by default.
    pub fn config(mut self, config: ConfigData) -> Self {
        self.device.config = config;
        self
    }

    /// Sets the credentials; none by default.
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.device.credentials = Arc::new(credentials);
        self
    }

    /// Adds a property.
    pub fn property(mut self, property: Property) -> Self {
        self.device.properties.push(Arc::new(property));
        self
    }

    /// Adds a method that can be called on these properties.
    pub fn method(mut self, name: &str, property_names: &[&str]) -> Self {
        let property_names = property_names.iter().map(|&name| name.to_owned()).collect();
        self.device.methods.push(Method { name: name.to_owned(), description: String::new(), property_names });
        self
    }

    /// Asks for reports of the device's state; none by default.
    pub fn state_report(mut self, cycle: Duration) -> Self {
        self.device.state_report = Some(StateReport { cycle });
        self
    }

    /// Ends the building.
    #[must_use]
    pub fn build(self) -> Device {
        self.device
    }
}

/// A named operation of a device on some of its properties.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Method {
    /// The method's name.
    pub name: String,
    /// What it does.
    pub description: String,
    /// The properties it can be called on.
    pub property_names: Vec<String>,
}

/// That a device's state is reported, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateReport {
    /// The time from one report to the next.
    pub cycle: Duration,
}

/// The state of a device, in KubeEdge's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeviceState {
    /// Works as it should.
    Ok,
    /// Connected.
    Online,
    /// Not served: the mapper has stopped.
    Offline,
    /// The mapper cannot reach the device, and keeps trying. edgecore has no word for it, and gets `offline`.
    Disconnected,
    /// Reached, but not right: its manifest is wrong, or every read fails.
    Unhealthy,
    /// Not known.
    Unknown,
}

impl DeviceState {
    /// The word for the state, such as `online`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Online => "online",
            Self::Offline => "offline",
            Self::Disconnected => "disconnected",
            Self::Unhealthy => "unhealthy",
            Self::Unknown => "unknown",
        }
    }

    /// The word that edgecore takes for it. It drops all but five without a word, and the cloud would go on showing `online`.
    //= KubeEdge v1.18 to v1.23 edge/pkg/devicetwin: of states only ok, online, offline, unhealthy and unknown are stored
    pub(crate) fn word_of_edgecore(self) -> &'static str {
        match self {
            Self::Disconnected => Self::Offline.as_str(),
            other => other.as_str(),
        }
    }
}

impl fmt::Display for DeviceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
