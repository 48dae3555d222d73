//! What a user writes in a manifest.

use std::{num::NonZeroU32, time::Duration};

use mapper_framework::{AccessMode, DataType, DriverError, Value};
use serde::Deserialize;

use crate::{
    codec::{Format, Number, Order},
    plan::{Span, Table},
};

/// `spec.protocol.configData` of a device.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// The name or the address of the device, or of its gateway.
    pub(crate) host: String,
    #[serde(default = "default_port")]
    pub(crate) port: u16,
    /// Which of the units behind the gateway.
    #[serde(default = "default_unit_id")]
    pub(crate) unit_id: u8,
    /// Milliseconds for the answer to a request, and for opening the connection.
    #[serde(default = "default_timeout")]
    timeout: NonZeroU32,
    /// The most registers that nobody asked for and that are read along to save a request.
    #[serde(default)]
    pub(crate) max_gap: u16,
}

fn default_port() -> u16 {
    502
}

fn default_unit_id() -> u8 {
    1
}

fn default_timeout() -> NonZeroU32 {
    NonZeroU32::new(1000).expect("not zero")
}

impl Config {
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(u64::from(self.timeout.get()))
    }
}

/// `visitors.configData` of a property, checked: what it names exists in Modbus.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Manifest")]
pub struct Visitor {
    span: Span,
    /// `None` for a bit.
    format: Option<Format>,
}

impl Visitor {
    /// Where the property stands in the device.
    pub(crate) fn span(&self) -> Span {
        self.span
    }

    /// Checks that the property can be what its device model says.
    pub(crate) fn check(&self, data_type: DataType, access_mode: AccessMode) -> Result<(), Unsuited> {
        use DataType as T;
        let is_read_write = access_mode == AccessMode::ReadWrite;
        if is_read_write && !self.span.table.is_writable() {
            return Err(Unsuited::ReadOnly(self.span));
        }
        let unsuited = |holds, suited| Err(Unsuited::DataType { span: self.span, holds, data_type, suited });
        match (&self.format, data_type) {
            (_, T::String) if !is_read_write => Ok(()),
            (None, T::Boolean | T::Int) => Ok(()),
            (None, _) => unsuited("one bit", "BOOLEAN or INT"),
            (Some(_), T::Float | T::Double) => Ok(()),
            (Some(format), T::Int) if format.is_integral() => Ok(()),
            (Some(format), T::Boolean) if format.is_integral() && format.is_plain() => Ok(()),
            (Some(format), _) if format.is_integral() => unsuited("an integer", "INT, FLOAT or DOUBLE"),
            (Some(_), _) => unsuited("a number with a fraction", "FLOAT or DOUBLE"),
        }
    }

    /// The value of the span's registers.
    pub(crate) fn decode(&self, words: &[u16], data_type: DataType) -> Result<Value, DriverError> {
        match &self.format {
            Some(format) => Ok(format.decode(words, data_type)?),
            None => Ok(Value::from(words[0] != 0)),
        }
    }

    /// The span's registers for a value.
    pub(crate) fn encode(&self, value: &Value) -> Result<Vec<u16>, DriverError> {
        match (&self.format, value) {
            (Some(format), value) => {
                format.encode(value).map_err(|misfit| DriverError::refused(format_args!("{}: {misfit}", self.span)))
            }
            (None, Value::Boolean(bit)) => Ok(vec![u16::from(*bit)]),
            (None, Value::Int(bit @ (0 | 1))) => Ok(vec![u16::from(*bit == 1)]),
            (None, value) => {
                let message = format_args!("{}: {:?} does not fit: a bit is 0 or 1", self.span, value.to_string());
                Err(DriverError::refused(message))
            }
        }
    }
}

/// A visitor as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Manifest {
    register: Table,
    /// Counted from 0. The Go mapper calls it `offset`.
    #[serde(alias = "offset")]
    address: u16,
    #[serde(rename = "type", alias = "dataType")]
    number: Option<Number>,
    byte_order: Option<Order>,
    word_order: Option<Order>,
    scale: Option<f64>,
    bias: Option<f64>,
}

impl TryFrom<Manifest> for Visitor {
    type Error = Mistake;

    fn try_from(manifest: Manifest) -> Result<Self, Mistake> {
        let format = if manifest.register.holds_bits() { manifest.bit()? } else { Some(manifest.number()?) };
        let count = format.map_or(1, |format| format.number.registers());
        let span = Span { table: manifest.register, start: manifest.address, count };
        if span.end() > Span::ADDRESSES {
            return Err(Mistake::BeyondTheEnd { address: span.start, count });
        }
        Ok(Self { span, format })
    }
}

impl Manifest {
    /// A bit has no format, and so must say nothing about it.
    fn bit(&self) -> Result<Option<Format>, Mistake> {
        let said = [
            ("type", self.number.is_some()),
            ("byteOrder", self.byte_order.is_some()),
            ("wordOrder", self.word_order.is_some()),
            ("scale", self.scale.is_some()),
            ("bias", self.bias.is_some()),
        ];
        match said.iter().find(|(_, said)| *said) {
            Some((field, _)) => Err(Mistake::OfABit { field, register: self.register }),
            None => Ok(None),
        }
    }

    fn number(&self) -> Result<Format, Mistake> {
        let scale = self.scale.unwrap_or(1.0);
        if scale == 0.0 {
            return Err(Mistake::NoScale);
        }
        Ok(Format {
            number: self.number.ok_or(Mistake::NoType { register: self.register })?,
            byte_order: self.byte_order.unwrap_or_default(),
            word_order: self.word_order.unwrap_or_default(),
            scale,
            bias: self.bias.unwrap_or(0.0),
        })
    }
}

/// What is wrong with a visitor although each of its fields is right.
#[derive(Debug, thiserror::Error)]
enum Mistake {
    #[error("`{field}` says nothing about a {register:?}, which is one bit: leave it out")]
    OfABit { field: &'static str, register: Table },
    #[error("`type` is missing: {register:?} needs int16, uint16, int32, uint32, int64, uint64, float32 or float64")]
    NoType { register: Table },
    #[error("`scale` is 0, which makes every value the same")]
    NoScale,
    #[error("`address` is {address}, where {count} registers reach beyond the last one, 65535")]
    BeyondTheEnd { address: u16, count: u16 },
}

/// Why a property cannot be what its device model says, although its visitor is right.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsuited {
    #[error("{0} can only be read, as Modbus has it: the device model has to say ReadOnly")]
    ReadOnly(Span),
    #[error("{span} holds {holds}, which does not suit {data_type}: the device model has to say {suited}")]
    DataType { span: Span, holds: &'static str, data_type: DataType, suited: &'static str },
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn config(json: Json) -> Result<Config, serde_json::Error> {
        serde_json::from_value(json)
    }

    fn visitor(json: Json) -> Result<Visitor, serde_json::Error> {
        serde_json::from_value(json)
    }

    fn mistake(json: Json) -> String {
        visitor(json).expect_err("the visitor is wrong").to_string()
    }

    #[test]
    fn a_host_is_all_that_a_config_needs() -> anyhow::Result<()> {
        let config = config(json!({"host": "10.0.0.7"}))?;
        assert_eq!((config.port, config.unit_id, config.max_gap), (502, 1, 0));
        assert_eq!(config.timeout(), Duration::from_secs(1));
        Ok(())
    }

    #[test]
    fn a_misspelt_key_and_a_timeout_of_zero_are_errors() {
        let error = config(json!({"host": "h", "unitID": 2})).expect_err("it is `unitId`").to_string();
        assert!(error.starts_with("unknown field `unitID`, expected one of `host`, `port`, `unitId`"), "{error}");
        assert!(config(json!({"host": "h", "timeout": 0})).is_err());
    }

    #[test]
    fn a_visitor_written_for_the_go_mapper_is_understood() -> anyhow::Result<()> {
        let tables = [
            ("CoilRegister", Table::Coil),
            ("DiscreteInputRegister", Table::DiscreteInput),
            ("HoldingRegister", Table::HoldingRegister),
            ("InputRegister", Table::InputRegister),
        ];
        for (name, table) in tables {
            let data_type = if table.holds_bits() { Json::Null } else { "int16".into() };
            let visitor = visitor(json!({"register": name, "offset": 7, "dataType": data_type}))?;
            assert_eq!(visitor.span(), Span { table, start: 7, count: 1 });
        }
        Ok(())
    }

    #[test]
    fn a_value_reaches_to_the_last_register_and_not_beyond() {
        let at = |address: u16| json!({"register": "HoldingRegister", "address": address, "type": "float64"});
        assert!(visitor(at(65532)).is_ok());
        assert_eq!(mistake(at(65533)), "`address` is 65533, where 4 registers reach beyond the last one, 65535");
    }

    #[test]
    fn a_bit_has_no_format() {
        assert_eq!(
            mistake(json!({"register": "Coil", "address": 0, "type": "float64"})),
            "`type` says nothing about a Coil, which is one bit: leave it out"
        );
    }

    #[test]
    fn a_register_needs_a_type_and_a_scale_that_is_not_zero() {
        let error = mistake(json!({"register": "InputRegister", "address": 0}));
        assert!(error.starts_with("`type` is missing: InputRegister needs int16"), "{error}");
        let error = mistake(json!({"register": "InputRegister", "address": 0, "type": "int16", "scale": 0}));
        assert_eq!(error, "`scale` is 0, which makes every value the same");
    }

    #[test]
    fn a_visitor_has_to_suit_the_device_model() -> anyhow::Result<()> {
        use AccessMode::{ReadOnly, ReadWrite};
        use DataType as T;
        let coil = visitor(json!({"register": "Coil", "address": 0}))?;
        let input = visitor(json!({"register": "DiscreteInput", "address": 0}))?;
        let of = |data_type: &str, scale: f64| {
            visitor(json!({"register": "HoldingRegister", "address": 0, "type": data_type, "scale": scale}))
        };
        let (integer, kilo, tenths, float) =
            (of("int16", 1.0)?, of("int16", 1000.0)?, of("int16", 0.1)?, of("float32", 1.0)?);
        let suited = |visitor: &Visitor, access_mode| {
            let all = [T::Int, T::Float, T::Double, T::String, T::Boolean, T::Bytes, T::Stream];
            all.into_iter().filter(|it| visitor.check(*it, access_mode).is_ok()).collect::<Vec<_>>()
        };
        assert_eq!(suited(&coil, ReadWrite), [T::Int, T::Boolean]);
        assert_eq!(suited(&coil, ReadOnly), [T::Int, T::String, T::Boolean]);
        assert_eq!(suited(&input, ReadWrite), []);
        assert_eq!(suited(&integer, ReadWrite), [T::Int, T::Float, T::Double, T::Boolean]);
        assert_eq!(suited(&kilo, ReadWrite), [T::Int, T::Float, T::Double]);
        assert_eq!(suited(&tenths, ReadWrite), [T::Float, T::Double]);
        assert_eq!(suited(&float, ReadOnly), [T::Float, T::Double, T::String]);
        let error = tenths.check(T::Int, ReadOnly).expect_err("it has a fraction").to_string();
        assert_eq!(
            error,
            "HoldingRegister 0 holds a number with a fraction, which does not suit INT: the device model has to say \
             FLOAT or DOUBLE"
        );
        Ok(())
    }

    #[test]
    fn only_0_and_1_are_written_to_a_coil() -> anyhow::Result<()> {
        let coil = visitor(json!({"register": "Coil", "address": 3}))?;
        assert_eq!(coil.encode(&Value::Boolean(true)).ok(), Some(vec![1]));
        assert_eq!(coil.encode(&Value::Int(0)).ok(), Some(vec![0]));
        let error = coil.encode(&Value::Int(2)).expect_err("2 is no bit");
        assert_eq!(error.to_string(), r#"Coil 3: "2" does not fit: a bit is 0 or 1"#);
        assert!(!error.is_retryable());
        Ok(())
    }
}
