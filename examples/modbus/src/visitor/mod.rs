//! What a user writes about a property.

mod manifest;
mod reference;

use mapper_framework::{AccessMode, DataType, DriverError, Reading, Value};
use serde::Deserialize;

use crate::{
    codec::{Change, Codec, Go, Misfit},
    plan::Span,
};

/// `visitors.configData` of a property, checked: what it names exists in Modbus.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "manifest::Manifest")]
pub struct Visitor {
    span: Span,
    codec: Codec,
    /// Whether some bits of a register are written with one request that leaves the others alone.
    masks: bool,
    /// Whether even a single register or coil is written with the request for several.
    multiple: bool,
    /// The keys `min` and `max` of KubeEdge's temperature sensor, which mark no value here.
    thresholds: Vec<(&'static str, f64)>,
}

/// The most registers that the Modbus specification lets a request write.
const WRITABLE: u16 = 123;

impl Visitor {
    /// Where the property stands in the device.
    pub(crate) fn span(&self) -> Span {
        self.span
    }

    /// Whether some bits of a register are written with one request that leaves the others alone.
    pub(crate) fn masks(&self) -> bool {
        self.masks
    }

    /// Whether even a single register or coil is written with the request for several.
    pub(crate) fn writes_multiple(&self) -> bool {
        self.multiple
    }

    /// The keys `min` and `max` of KubeEdge's temperature sensor, as far as they are written.
    pub(crate) fn thresholds(&self) -> &[(&'static str, f64)] {
        &self.thresholds
    }

    /// Checks that the property can be what its device model says.
    pub(crate) fn check(&self, data_type: DataType, access_mode: AccessMode) -> Result<(), Unsuited> {
        let is_read_write = access_mode == AccessMode::ReadWrite;
        if is_read_write && !self.span.table.is_writable() {
            return Err(Unsuited::ReadOnly(self.span));
        }
        if is_read_write && self.span.count > WRITABLE {
            return Err(Unsuited::TooLong { span: self.span });
        }
        if let Codec::Go(go) = &self.codec {
            self.check_go(*go, data_type, is_read_write)?;
        }
        let (holds, suited) = self.codec.suits(data_type);
        let suits = suited.contains(&data_type) || (data_type == DataType::String && !is_read_write);
        if suits {
            Ok(())
        } else {
            Err(Unsuited::DataType { span: self.span, holds, data_type, suited: Types(suited) })
        }
    }

    /// Whether so many registers can be what the property's type, or `dataType`, says.
    fn check_go(&self, go: Go, data_type: DataType, is_read_write: bool) -> Result<(), Unsuited> {
        let (span, count) = (self.span, go.limit);
        if !go.is_readable(data_type) {
            return Err(Unsuited::Limit { span, count, what: go.limits(data_type) });
        }
        if is_read_write && go.holds_bits && count > 1 {
            return Err(Unsuited::Coils { span, count });
        }
        Ok(())
    }

    /// What the registers are.
    pub(crate) fn codec(&self) -> &Codec {
        &self.codec
    }

    /// The value of the span's registers.
    pub(crate) fn decode(&self, words: &[u16], data_type: DataType) -> Result<Reading, DriverError> {
        self.codec.decode(words, data_type).map_err(|misfit| match misfit {
            Misfit::Value(error) => error.into(),
            misfit => DriverError::failed(format_args!("{}: {misfit}", self.span)),
        })
    }

    /// What to write for a value.
    pub(crate) fn encode(&self, value: &Value) -> Result<Change, DriverError> {
        self.codec.encode(value).map_err(|misfit| DriverError::refused(format_args!("{}: {misfit}", self.span)))
    }
}

/// Why a property cannot be what its device model says, although its visitor is right.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsuited {
    #[error("{0} can only be read, as Modbus has it: the device model has to say ReadOnly")]
    ReadOnly(Span),
    #[error("{span} takes {} registers, and Modbus writes {WRITABLE} at once: the device model has to say ReadOnly", .span.count)]
    TooLong { span: Span },
    #[error("{span}: `limit` is {count}, and there is to be {what}")]
    Limit { span: Span, count: u16, what: &'static str },
    #[error("{span}: `limit` is {count}, and one coil can be written: the device model has to say ReadOnly")]
    Coils { span: Span, count: u16 },
    #[error("{span} holds {holds}, which does not suit {data_type}: the device model has to say {suited}")]
    DataType { span: Span, holds: &'static str, data_type: DataType, suited: Types },
}

/// Types of properties, one of which is to be chosen.
#[derive(Debug)]
pub(crate) struct Types(&'static [DataType]);

impl std::fmt::Display for Types {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (n, data_type) in self.0.iter().enumerate() {
            let before = match n {
                0 => "",
                n if n + 1 == self.0.len() => " or ",
                _ => ", ",
            };
            write!(f, "{before}{data_type}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::plan::Table;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    fn visitor(json: Json) -> Result<Visitor, serde_json::Error> {
        serde_json::from_value(json)
    }

    fn mistake(json: Json) -> String {
        visitor(json).expect_err("the visitor is wrong").to_string()
    }

    fn holding(mut json: Json) -> Json {
        json["register"] = "HoldingRegister".into();
        json.as_object_mut().expect("a map").entry("address").or_insert_with(|| 0.into());
        json
    }

    #[test]
    fn a_visitor_written_for_the_go_mapper_is_understood() -> Outcome {
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
        assert!(error.starts_with("`type` is missing: InputRegister needs int8, uint8, int16"), "{error}");
        let error = mistake(json!({"register": "InputRegister", "address": 0, "type": "int16", "scale": 0}));
        assert_eq!(error, "`scale` is 0, which makes every value the same");
    }

    #[test]
    fn a_visitor_has_to_suit_the_device_model() -> Outcome {
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
    fn only_0_and_1_are_written_to_a_coil() -> Outcome {
        let coil = visitor(json!({"register": "Coil", "address": 3}))?;
        assert_eq!(coil.encode(&Value::Boolean(true)).ok(), Some(vec![1].into()));
        assert_eq!(coil.encode(&Value::Int(0)).ok(), Some(vec![0].into()));
        let error = coil.encode(&Value::Int(2)).expect_err("2 is no bit");
        assert_eq!(error.to_string(), r#"Coil 3: "2" does not fit: a bit is 0 or 1"#);
        assert!(!error.is_retryable());
        Ok(())
    }

    #[test]
    fn an_address_may_be_a_float_or_text_or_hexadecimal() -> Outcome {
        for address in [json!(31), json!(31.0), json!("31"), json!("0x1F")] {
            let visitor = visitor(json!({"register": "HoldingRegister", "address": address, "type": "int16"}))?;
            assert_eq!(visitor.span().start, 31);
        }
        Ok(())
    }

    #[test]
    fn manual_notation_is_read_by_its_own_key_only() -> Outcome {
        for reference in [json!(40011), json!(40011.0), json!("4x0011"), json!("HR11")] {
            let visitor = visitor(json!({"reference": reference, "type": "int16"}))?;
            assert_eq!(visitor.span(), Span { table: Table::HoldingRegister, start: 10, count: 1 });
        }
        let address = visitor(json!({"register": "HoldingRegister", "address": 40011, "type": "int16"}))?;
        assert_eq!(address.span().start, 40011, "an address is what it says");
        for (keys, message) in [
            (json!({"reference": 17}), "`reference` is 17, which is none of the notations of manuals"),
            (json!({"reference": 40001, "address": 0}), "`reference` and `address` both say"),
            (
                json!({"reference": 40001, "register": "InputRegister"}),
                "`reference` is a HoldingRegister and `register`",
            ),
            (json!({"register": "Coil"}), "`address` is missing"),
            (json!({"address": 1}), "`register` is missing"),
        ] {
            assert!(mistake(keys.clone()).starts_with(message), "{keys}: {}", mistake(keys.clone()));
        }
        Ok(())
    }

    #[test]
    fn an_order_by_name_and_by_its_parts_must_not_differ() -> Outcome {
        let keys = |more: Json| {
            let mut keys = holding(json!({"type": "uint32"}));
            keys.as_object_mut().expect("a map").extend(more.as_object().expect("a map").clone());
            keys
        };
        for same in
            [json!({"order": "CDAB"}), json!({"order": "CDAB", "wordOrder": "little"}), json!({"wordOrder": "little"})]
        {
            assert_eq!(visitor(keys(same))?.encode(&Value::Int(1)).ok(), Some(vec![1, 0].into()));
        }
        let error = mistake(keys(json!({"order": "DCBA", "wordOrder": "big"})));
        assert!(error.starts_with("`order` is DCBA, which `byteOrder` or `wordOrder` contradicts"), "{error}");
        assert!(
            mistake(keys(json!({"order": "abcd"})))
                .starts_with("unknown variant `abcd`, expected one of `ABCD`, `CDAB`")
        );
        Ok(())
    }

    #[test]
    fn each_mistake_is_named_with_its_cure() {
        for (keys, message) in [
            (json!({"type": "string"}), "`length` is missing: a string needs its number of registers"),
            (json!({"type": "bytes", "length": 126}), "`length` is 126, and Modbus reads 1 to 125 registers at once"),
            (json!({"type": "string", "length": 0}), "`length` is 0, and"),
            (json!({"type": "int16", "length": 2}), "`length` says nothing about int16: leave it out"),
            (json!({"type": "string", "length": 2, "scale": 2}), "`scale` says nothing about string: leave it out"),
            (json!({"type": "unix32", "bias": 2}), "`bias` says nothing about unix32: leave it out"),
            (json!({"type": "bytes", "length": 2, "pad": " "}), "`pad` says nothing about bytes: leave it out"),
            (
                json!({"type": "string", "length": 2, "pad": "xy"}),
                "`pad` is \"xy\": write one ASCII character, nul or space",
            ),
            (json!({"bit": 16}), "`bit` is 16, and uint16 has the bits 0 to 15"),
            (json!({"bit": 1, "mask": 2}), "`bit` and `mask` exclude each other"),
            (json!({"bit": 1, "scale": 2}), "`scale` says nothing about a bit: leave it out"),
            (json!({"mask": "0x10000"}), "`mask` and `shift` leave no bit of uint16"),
            (json!({"type": "int16", "mask": 1}), "`mask` needs an unsigned type"),
            (json!({"type": "int16", "count": 0}), "`count` is 0, and"),
            (json!({"type": "float64", "count": 32}), "`count` is 32, and Modbus reads 125 registers at once"),
            (json!({"mask": 3, "count": 2}), "`count` and `mask` exclude each other"),
            (json!({"type": "uint16", "values": "0=a", "scale": 2}), "`values` and `scale` exclude each other"),
            (json!({"type": "uint16", "values": "0:a"}), "`values` is \"0:a\": write it as \"0=off, 1=on\""),
            (json!({"type": "float32", "values": "0=a"}), "`values` needs an integer type"),
            (json!({"type": "int16", "decimals": 16}), "`decimals` is 16, and"),
            (json!({"type": "int16", "notAvailable": "never"}), "`notAvailable` is \"never\": write sunspec, or"),
            (
                json!({"type": "int32", "writeFunction": "single"}),
                "`writeFunction` is single, and there are 2 registers",
            ),
            (json!({"type": "complex"}), "`type` is \"complex\", and is one of int8, uint8"),
        ] {
            let error = mistake(holding(keys.clone()));
            assert!(error.starts_with(message), "{keys}: {error}");
        }
    }

    #[test]
    fn names_stand_for_numbers_and_for_a_bit() -> Outcome {
        let mode = visitor(holding(json!({"type": "uint16", "values": "0=off, 1=on"})))?;
        let read = |visitor: &Visitor, word| visitor.decode(&[word], DataType::String).map(Reading::into_value);
        assert_eq!((read(&mode, 1)?.to_string(), read(&mode, 7)?.to_string()), ("on".to_owned(), "7".to_owned()));
        assert_eq!(mode.encode(&Value::from("on")).ok(), Some(vec![1].into()));
        let error = mode.encode(&Value::from("ON")).expect_err("names are exact").to_string();
        assert_eq!(error, r#"HoldingRegister 0: "ON" is neither a number nor one of off, on"#);
        let door = visitor(holding(json!({"bit": 2, "values": "0=closed, 1=open"})))?;
        assert_eq!(
            (read(&door, 4)?.to_string(), read(&door, 3)?.to_string()),
            ("open".to_owned(), "closed".to_owned())
        );
        assert_eq!(door.encode(&Value::from("open")).ok(), Some(Change { words: vec![4], mask: Some(vec![4]) }));
        assert!(door.check(DataType::Boolean, AccessMode::ReadOnly).is_err());
        Ok(())
    }

    #[test]
    fn what_the_device_says_to_be_none_is_a_reading_of_bad_quality() -> Outcome {
        use mapper_framework::model::Quality;
        let cases = [
            (json!({"type": "int16", "scale": 0.1, "notAvailable": "sunspec"}), vec![0x8000], DataType::Float),
            (json!({"type": "uint16", "notAvailable": "0x7FFF"}), vec![0x7fff], DataType::Int),
            (json!({"type": "uint16", "notAvailable": 0}), vec![0], DataType::Boolean),
            (json!({"type": "float32"}), vec![0x7fc0, 0], DataType::Float),
            (json!({"type": "date6"}), vec![0; 6], DataType::String),
        ];
        for (keys, words, data_type) in cases {
            let reading = visitor(holding(keys.clone()))?.decode(&words, data_type)?;
            assert_eq!(reading.get_quality(), Quality::Bad, "{keys}");
            assert!(reading.into_value().conform(data_type).is_ok(), "{keys}: the framework takes it");
        }
        Ok(())
    }

    #[test]
    fn a_list_is_json_both_ways() -> Outcome {
        let list = visitor(holding(json!({"type": "int16", "count": 3, "scale": 0.1, "notAvailable": "sunspec"})))?;
        let reading = list.decode(&[5, 0x8000, 0xffff], DataType::String)?;
        assert_eq!(reading.into_value(), Value::from("[0.5,null,-0.1]"));
        assert_eq!(list.encode(&Value::from("[0.5, 2, -0.1]")).ok(), Some(vec![5, 20, 0xffff].into()));
        for wrong in ["", "[1,2]", "1,2,3", "[1,2,x]", "[1,2,null]"] {
            let error = list.encode(&Value::from(wrong)).expect_err("no list").to_string();
            assert!(error.ends_with("is not a list of 3 numbers, such as [1, 2]"), "{error}");
        }
        Ok(())
    }
}
