//! The driver of the device model `0755/1e3`: a simulation.
//!
//! Put the device in at each comment that begins with "The device:". What stands here of its
//! properties is the model's. When the model changes, change it here, or have the file made anew.

#![allow(
    clippy::approx_constant,
    clippy::enum_variant_names,
    reason = "names and bounds are those of the device model"
)]

use std::{collections::HashMap, time::Instant};

use mapper_framework::{
    AccessMode, DataType, Device, Driver, DriverError, Property, Reading, Session, Value,
};
use serde::Deserialize;

/// Opens connections. What devices share, such as a bus, belongs in here.
pub(crate) struct Simulator;

/// `spec.protocol.configData` of a device: a field for each key, such as `host: String`.
#[derive(Deserialize)]
pub(crate) struct Config {}

/// `visitors.configData` of a property: where the device has it, such as `register: u16`.
#[derive(Deserialize)]
pub(crate) struct Visitor {}

/// A connection to one device.
pub(crate) struct Connection {
    /// What can be written, as it was written last.
    settings: HashMap<DataPoint, Value>,
    /// When it was made, which the simulated values count from.
    since: Instant,
}

impl Driver for Simulator {
    type Config = Config;
    type Session = Connection;

    async fn connect(&self, _device: &Device, _config: Config) -> Result<Connection, DriverError> {
        // The device: connect to it.
        Ok(Connection {
            settings: HashMap::new(),
            since: Instant::now(),
        })
    }
}

impl Session for Connection {
    type Visitor = Visitor;

    fn check(property: &Property<Visitor>) -> Result<(), DriverError> {
        let spec = DataPoint::of(property)?.spec();
        let is_of_type = property.data_type() == spec.data_type;
        let is_of_mode = property.access_mode() == spec.access_mode;
        if is_of_type && is_of_mode && property.unit() == spec.unit {
            return Ok(());
        }
        Err(DriverError::unsupported(format_args!(
            "the driver has it as {}, {:?}, with the unit {:?}: correct the driver or the model",
            spec.data_type, spec.access_mode, spec.unit,
        )))
    }

    async fn read(&mut self, property: &Property<Visitor>) -> Result<Reading, DriverError> {
        let point = DataPoint::of(property)?;
        // The device: read the property from it.
        let value = point.simulated(self.since.elapsed().as_secs());
        Ok(match point.spec().access_mode {
            AccessMode::ReadWrite => self.settings.entry(point).or_insert(value).clone().into(),
            _ => value.into(),
        })
    }

    async fn write(
        &mut self,
        property: &Property<Visitor>,
        value: &Value,
    ) -> Result<(), DriverError> {
        // The device: write the value to it. Type, bounds and access mode have been checked.
        let point = DataPoint::of(property)?;
        self.settings.insert(point, value.clone());
        Ok(())
    }
}

impl DataPoint {
    /// Which one a property is.
    fn of(property: &Property<Visitor>) -> Result<Self, DriverError> {
        let is_it = |point: &Self| point.spec().name == property.name();
        Self::ALL.into_iter().find(is_it).ok_or_else(|| {
            DriverError::unsupported("the driver lacks this property: add it to `DataPoint`")
        })
    }

    /// A value that wanders within the bounds from second to second, to be deleted when the device
    /// is there.
    pub(crate) fn simulated(self, second: u64) -> Value {
        let (minimum, maximum) = (self.spec().minimum, self.spec().maximum);
        let low = minimum.unwrap_or(maximum.map_or(0.0, |maximum| maximum - 100.0));
        let high = maximum.unwrap_or(low + 100.0);
        let part = (second % 9 + 1) as f64 / 10.0;
        let between = |low: f64, high: f64| (low * (1.0 - part) + high * part).max(low).min(high);
        match self.spec().data_type {
            DataType::Int => (between(low.ceil(), high.floor()).round() as i64).into(),
            DataType::Float | DataType::Double => between(low, high).into(),
            DataType::Boolean => second.is_multiple_of(2).into(),
            DataType::Bytes => second.to_be_bytes().to_vec().into(),
            _ => format!("simulated-{second}").into(),
        }
    }
}

/// What the device model says of a property.
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    pub(crate) data_type: DataType,
    pub(crate) access_mode: AccessMode,
    /// The least value that may be written, if there is one.
    pub(crate) minimum: Option<f64>,
    /// The greatest value that may be written, if there is one.
    pub(crate) maximum: Option<f64>,
    /// As the model writes it; empty for none.
    pub(crate) unit: &'static str,
}

/// The properties of the device model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum DataPoint {
    /// `*`/ ends no comment, nor does "; `\` or `` ` `` or ```` ``` ```` or `[link](x`) or `<b>` /// 1. another line `\u{202e}` `\u{7}`
    ///
    /// `a-b`: `INT`, `ReadWrite`, from -9 to -3, in `` "\`}{ %s ``
    Ab,
    /// 1. `KubeEdge`, `snake_case`, `std::env` and `http://a/b`
    ///
    /// `a_b`: `INT`, `ReadOnly`, from 1 to 2
    Ab2,
    /// `a.b`: `BOOLEAN`, `ReadWrite`
    Ab3,
    /// `self`: `DOUBLE`, `ReadWrite`, from -3.14159 to 3.14159, in `rad`
    PSelf,
    /// `type`: `STRING`, `ReadWrite`
    Type,
    /// `2nd:floor/fan@hall#1,left`: `FLOAT`, `ReadWrite`, at least 1e-7
    P2ndFloorFanHall1Left,
    /// `42`: `DOUBLE`, `ReadOnly`, at most 1e21
    P42,
    /// `null`: `BYTES`, `ReadWrite`
    Null,
    /// `--`: `BOOLEAN`, `ReadOnly`
    P,
    /// `CO2`: `INT`, `ReadOnly`, in `ppm`
    Co2,
    /// `IMAGE`: `STREAM`, `ReadOnly`
    Image,
    /// `a-name-of-128-characters.which-is-as-long-as-edgecore-lets-a-name-be.and-longer-than-a-line-of-code-may-be.if-one-asks-rustfmt.#`: `FLOAT`, `ReadWrite`, from -1e30 to 1e30
    ANameOf128CharactersWhichIsAsLongAsEdgecoreLetsANameBeAndLongerThanALineOfCodeMayBeIfOneAsksRustfmt,
}

impl DataPoint {
    pub(crate) const ALL: [Self; 12] = [
        // In the order of the model.
        DataPoint::Ab,
        DataPoint::Ab2,
        DataPoint::Ab3,
        DataPoint::PSelf,
        DataPoint::Type,
        DataPoint::P2ndFloorFanHall1Left,
        DataPoint::P42,
        DataPoint::Null,
        DataPoint::P,
        DataPoint::Co2,
        DataPoint::Image,
        DataPoint::ANameOf128CharactersWhichIsAsLongAsEdgecoreLetsANameBeAndLongerThanALineOfCodeMayBeIfOneAsksRustfmt,
    ];

    /// What the device model says of it.
    pub(crate) fn spec(self) -> Spec {
        match self {
            Self::Ab => Spec {
                name: "a-b",
                data_type: DataType::Int,
                access_mode: AccessMode::ReadWrite,
                minimum: Some(-9.0),
                maximum: Some(-3.0),
                unit: "\"\\`}{\n%s",
            },
            Self::Ab2 => Spec {
                name: "a_b",
                data_type: DataType::Int,
                access_mode: AccessMode::ReadOnly,
                minimum: Some(1.0),
                maximum: Some(2.0),
                unit: "",
            },
            Self::Ab3 => Spec {
                name: "a.b",
                data_type: DataType::Boolean,
                access_mode: AccessMode::ReadWrite,
                minimum: None,
                maximum: None,
                unit: "",
            },
            Self::PSelf => Spec {
                name: "self",
                data_type: DataType::Double,
                access_mode: AccessMode::ReadWrite,
                minimum: Some(-3.14159),
                maximum: Some(3.14159),
                unit: "rad",
            },
            Self::Type => Spec {
                name: "type",
                data_type: DataType::String,
                access_mode: AccessMode::ReadWrite,
                minimum: None,
                maximum: None,
                unit: "",
            },
            Self::P2ndFloorFanHall1Left => Spec {
                name: "2nd:floor/fan@hall#1,left",
                data_type: DataType::Float,
                access_mode: AccessMode::ReadWrite,
                minimum: Some(1e-7),
                maximum: None,
                unit: "",
            },
            Self::P42 => Spec {
                name: "42",
                data_type: DataType::Double,
                access_mode: AccessMode::ReadOnly,
                minimum: None,
                maximum: Some(1e21),
                unit: "",
            },
            Self::Null => Spec {
                name: "null",
                data_type: DataType::Bytes,
                access_mode: AccessMode::ReadWrite,
                minimum: None,
                maximum: None,
                unit: "",
            },
            Self::P => Spec {
                name: "--",
                data_type: DataType::Boolean,
                access_mode: AccessMode::ReadOnly,
                minimum: None,
                maximum: None,
                unit: "",
            },
            Self::Co2 => Spec {
                name: "CO2",
                data_type: DataType::Int,
                access_mode: AccessMode::ReadOnly,
                minimum: None,
                maximum: None,
                unit: "ppm",
            },
            Self::Image => Spec {
                name: "IMAGE",
                data_type: DataType::Stream,
                access_mode: AccessMode::ReadOnly,
                minimum: None,
                maximum: None,
                unit: "",
            },
            Self::ANameOf128CharactersWhichIsAsLongAsEdgecoreLetsANameBeAndLongerThanALineOfCodeMayBeIfOneAsksRustfmt => Spec {
                name: "a-name-of-128-characters.which-is-as-long-as-edgecore-lets-a-name-be.and-longer-than-a-line-of-code-may-be.if-one-asks-rustfmt.#",
                data_type: DataType::Float,
                access_mode: AccessMode::ReadWrite,
                minimum: Some(-1e30),
                maximum: Some(1e30),
                unit: "",
            },
        }
    }
}
