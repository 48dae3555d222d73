use serde_json::json;
use ua::types::{Array, NodeId, NumericRange, VariantScalarTypeId as Scalar};

use super::*;

fn shape(scalar: Scalar, rank: i32) -> Shape {
    Shape { scalar, data_type: NodeId::null(), rank }
}

fn written(value: impl Into<Value>, scalar: Scalar, rank: i32) -> Result<Variant, String> {
    encode(&value.into(), &shape(scalar, rank), &NumericRange::None, &Structures::default())
}

fn read(variant: impl Into<Variant>, data_type: DataType) -> Value {
    to_value(variant.into(), data_type, &Structures::default()).unwrap()
}

#[test]
fn a_value_becomes_the_type_of_its_node() {
    for (value, scalar, expected) in [
        (Value::Double(21.0), Scalar::Int16, Variant::Int16(21)),
        (Value::Int(255), Scalar::Byte, Variant::Byte(255)),
        (Value::Int(21), Scalar::Float, Variant::Float(21.0)),
        (Value::Float(0.1), Scalar::Double, Variant::Double(0.1)),
        (Value::Double(0.1), Scalar::Float, Variant::Float(0.1)),
        (Value::Int(1), Scalar::Boolean, Variant::Boolean(true)),
        (Value::Boolean(true), Scalar::Int32, Variant::Int32(1)),
        (Value::from("18446744073709551615"), Scalar::UInt64, Variant::UInt64(u64::MAX)),
        (Value::Int(i64::MIN), Scalar::Int64, Variant::Int64(i64::MIN)),
        (Value::Int(7), Scalar::String, Variant::from("7")),
        (Value::from("[1]"), Scalar::String, Variant::from("[1]")),
        (Value::from("hello"), Scalar::LocalizedText, Variant::from(ua::types::LocalizedText::new("", "hello"))),
    ] {
        assert_eq!(written(value, scalar, -1), Ok(expected));
    }
}

#[test]
fn an_array_has_sixteen_dimensions_at_most() {
    let json = |dimensions: usize| {
        let array = Array::new_multi(Scalar::Byte, vec![Variant::Byte(7)], vec![1; dimensions]).unwrap();
        to_json(&Variant::Array(Box::new(array)), &Structures::default()).map(|json| json.to_string())
    };
    assert_eq!(json(16), Ok(format!("{}7{}", "[".repeat(16), "]".repeat(16))));
    for dimensions in [17, 1_000_000] {
        assert_eq!(json(dimensions), Err(format!("the array has {dimensions} dimensions, more than 16")));
    }
}

#[test]
fn what_does_not_fit_is_refused_with_the_range() {
    for (value, scalar, message) in [
        (Value::Int(300), Scalar::Byte, "300 does not fit into the node's type, Byte: 0 to 255"),
        (Value::Int(-1), Scalar::UInt64, "-1 does not fit into the node's type, UInt64: 0 to 18446744073709551615"),
        (Value::Double(40_000.0), Scalar::Int16, "40000.0 does not fit into the node's type, Int16: -32768 to 32767"),
        (Value::Double(1.5), Scalar::Int32, "1.5 is not of the node's type, Int32"),
        (Value::Double(1e300), Scalar::Float, "1e+300 does not fit into a Float"),
        (Value::Double(f64::NAN), Scalar::Double, "NaN is not finite"),
        (Value::from("high"), Scalar::Double, "\"high\" is not of the node's type, Double"),
        (Value::from("tomorrow"), Scalar::DateTime, "\"tomorrow\" is no time such as 2026-12-01T08:00:00Z"),
        (Value::Int(2), Scalar::Boolean, "2 is not of the node's type, Boolean"),
    ] {
        assert_eq!(written(value, scalar, -1), Err(message.to_owned()));
    }
}

#[test]
fn lists_and_matrices_are_json() {
    let list = written("[1, 2, 3]", Scalar::Int16, 1).unwrap();
    assert_eq!(list, Variant::from(vec![1_i16, 2, 3]));
    assert_eq!(read(list, DataType::String), "[1,2,3]".into());
    let matrix = written("[[1.5, 2], [3, 4], [5, 6]]", Scalar::Float, 2).unwrap();
    let Variant::Array(array) = &matrix else { panic!("{matrix:?}") };
    assert_eq!(array.dimensions, Some(vec![3, 2]));
    assert_eq!(read(matrix.clone(), DataType::String), "[[1.5,2.0],[3.0,4.0],[5.0,6.0]]".into());
    assert_eq!(
        written("[]", Scalar::Int16, 1),
        Ok(Variant::Array(Box::new(Array::new(Scalar::Int16, vec![]).unwrap())))
    );
    for (text, rank, message) in [
        ("[1, 300000]", 1, "300000 does not fit into the node's type, Int16: -32768 to 32767"),
        ("[[1, 2], [3]]", 2, "the rows of a matrix must be of one length"),
        ("[[1], 2]", 2, "the rows of a matrix must be of one length"),
        ("[1]", 2, "expected a list of 2 dimensions, found 1"),
        ("7", 1, "expected a list such as [1, 2], found 7"),
        ("1, 2", 1, "expected JSON: trailing characters at line 1 column 2"),
    ] {
        assert_eq!(written(text, Scalar::Int16, rank), Err(message.to_owned()), "{text}");
    }
}

#[test]
fn one_element_is_written_as_a_list_of_one_and_read_as_itself() {
    let part = NumericRange::Index(2);
    let encoded = encode(&Value::Int(7), &shape(Scalar::Int16, 1), &part, &Structures::default()).unwrap();
    assert_eq!(encoded, Variant::from(vec![7_i16]));
    assert_eq!(read(encoded, DataType::Int), Value::Int(7));
}

#[test]
fn times_are_milliseconds_or_text() {
    let millis = 1_764_575_999_123;
    let time = written(millis, Scalar::DateTime, -1).unwrap();
    assert_eq!(read(time.clone(), DataType::Int), Value::Int(millis));
    let Value::String(text) = read(time.clone(), DataType::String) else { panic!() };
    assert!(text.starts_with("2025-12-01T07:59:59.123"), "{text}");
    assert_eq!(written(text, Scalar::DateTime, -1), Ok(time.clone()));
    let Variant::DateTime(time) = time else { panic!() };
    assert_eq!(system_time(&time), Some(SystemTime::UNIX_EPOCH + Duration::from_millis(millis as u64)));
    assert_eq!(system_time(&DateTime::null()), None);
    assert!(written(i64::MAX, Scalar::DateTime, -1).is_err());
}

#[test]
fn a_reading_has_quality_and_time() {
    let at = DateTime::from(UNIX_EPOCH_TICKS + 10_000_000);
    let answer = |status, value: Option<Variant>| DataValue {
        value,
        status: Some(status),
        source_timestamp: Some(at),
        ..DataValue::null()
    };
    let of = |answer| reading(&"level", answer, DataType::Double, &Structures::default());
    let good = of(answer(StatusCode::Good, Some(1.5.into()))).unwrap();
    assert_eq!(
        (good.get_quality(), good.get_time()),
        (Quality::Good, Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1)))
    );
    let uncertain = of(answer(StatusCode::UncertainLastUsableValue, Some(1.5.into()))).unwrap();
    assert_eq!(uncertain.get_quality(), Quality::Uncertain);
    assert_eq!(of(answer(StatusCode::BadSensorFailure, Some(1.5.into()))).unwrap().get_quality(), Quality::Bad);
    let error = of(answer(StatusCode::BadNodeIdUnknown, None)).unwrap_err();
    assert_eq!(error.to_string(), "level: BadNodeIdUnknown: the server has no such node: correct `nodeID`");
    assert_eq!(of(answer(StatusCode::Good, None)).unwrap_err().to_string(), "level: the node has no value");
}

#[test]
fn a_float_keeps_its_own_decimals_in_json() {
    let values = vec![0.1_f32, f32::NAN];
    assert_eq!(to_json(&Variant::from(values), &Structures::default()), Ok(json!([0.1, "NaN"])));
}

#[test]
fn a_part_is_what_is_no_longer_than_it_can_be_and_else_cut_out() {
    let list = |len: i16| Variant::from((0..len).collect::<Vec<_>>());
    let matrix = |rows: u32, columns: u32| {
        let values = (0..rows * columns).map(Variant::from).collect::<Vec<_>>();
        Variant::from(Array::new_multi(Scalar::UInt32, values, vec![rows, columns]).unwrap())
    };
    let range = |text: &str| text.parse::<NumericRange>().unwrap();
    for (value, asked, expected) in [
        (list(3), "", Some(list(3))),
        (list(1), "5", Some(list(1))),
        (list(3), "0", Some(list(1))),
        (list(3), "3", None),
        (list(0), "0", None),
        (list(4), "0:1", Some(list(2))),
        (Variant::Int16(7), "5", Some(Variant::Int16(7))),
        (Variant::from("größer"), "2:3", Some(Variant::from("öß"))),
        (Variant::from("kälter"), "6:7", None),
        (matrix(1, 3), "1,0:2", Some(matrix(1, 3))),
        (matrix(2, 3), "1,0:2", None),
        (list(3), "1,0:2", None),
        (matrix(2, 3), "1", None),
    ] {
        assert_eq!(part(&"node", value.clone(), &range(asked)).ok(), expected, "{value:?} {asked}");
    }
    for (returned, whole, asked, is_one) in [
        (list(1), list(3), "2", true),
        (Variant::Int16(7), list(3), "2", true),
        (list(3), list(3), "0:2", true),
        (list(3), list(3), "2", false),
        (list(4), list(4), "1:4", false),
        (matrix(1, 2), matrix(2, 3), "1,0:1", true),
        (matrix(2, 3), matrix(2, 3), "1,0:1", false),
        (matrix(2, 3), matrix(2, 3), "2,0:1", false),
        (list(2), list(3), "1,0:1", false),
        (Variant::from("hello"), Variant::from("hello"), "1:2", false),
    ] {
        let required = require_part(&"node", &returned, &whole, &range(asked));
        assert_eq!(required.is_ok(), is_one, "{returned:?} of {whole:?}: {asked}");
    }
}
