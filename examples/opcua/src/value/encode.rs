//! Values of the framework's as the type that a node has.

use std::fmt::Display;

use mapper_framework::{DataType, Value};
use serde_json::Value as Json;
use ua::types::{
    Array, ByteString, DateTime, Guid, LocalizedText, NodeId, NumericRange, QualifiedName, StatusCode, UAString,
    Variant, VariantScalarTypeId as Scalar,
};

use super::of_unix_millis;
use crate::types::Structures;

/// What a node takes: the built-in type of its elements, their data type, and how many dimensions it has.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shape {
    pub(crate) scalar: Scalar,
    pub(crate) data_type: NodeId,
    /// OPC UA's `ValueRank`: -1 for a single value, 1 for a list, 2 for a matrix, and other negative numbers for what may be either.
    pub(crate) rank: i32,
}

/// A value as a node takes it. Lists and structures are given as JSON.
///
/// # Errors
///
/// The value is not of the node's type, or outside of its range.
pub(crate) fn encode(
    value: &Value,
    shape: &Shape,
    range: &NumericRange,
    structures: &Structures,
) -> Result<Variant, String> {
    if let (Value::Bytes(bytes), Scalar::ByteString) = (value, shape.scalar) {
        return Ok(Variant::ByteString(ByteString::from(bytes.to_vec())));
    }
    let is_element = matches!(range, NumericRange::Index(_));
    let json = read(value, shape, is_element)?;
    if is_element {
        // The server takes it as a list of one.
        return list(vec![element(&json, shape, structures)?], shape);
    }
    of_json(&json, shape, structures)
}

/// JSON as a node, a field or an argument takes it.
///
/// # Errors
///
/// As [`encode`].
pub(crate) fn of_json(json: &Json, shape: &Shape, structures: &Structures) -> Result<Variant, String> {
    match json {
        Json::Array(_) if shape.rank != -1 => array(json, shape, structures),
        _ if shape.rank >= 0 => Err(format!("expected a list such as [1, 2], found {json}")),
        _ => element(json, shape, structures),
    }
}

/// The value as JSON: text for lists and structures is parsed.
fn read(value: &Value, shape: &Shape, is_element: bool) -> Result<Json, String> {
    Ok(match value {
        Value::Int(it) => (*it).into(),
        Value::Boolean(it) => (*it).into(),
        Value::Float(_) | Value::Double(_) => match value.clone().conform(DataType::Double) {
            Ok(Value::Double(it)) => it.into(),
            _ => return Err(format!("{value} is not finite")),
        },
        Value::String(text) => {
            let is_list = shape.rank >= 0 || (shape.rank < -1 && text.trim_start().starts_with('['));
            if (is_list && !is_element) || shape.scalar == Scalar::ExtensionObject {
                serde_json::from_str(text).map_err(|error| format!("expected JSON: {error}"))?
            } else {
                text.as_str().into()
            }
        }
        other => other.to_string().into(),
    })
}

fn array(json: &Json, shape: &Shape, structures: &Structures) -> Result<Variant, String> {
    let (mut elements, mut dimensions) = (Vec::new(), Vec::new());
    flatten(json, 0, &mut elements, &mut dimensions)?;
    let is_of_rank = shape.rank < 1 || usize::try_from(shape.rank) == Ok(dimensions.len());
    if !is_of_rank {
        return Err(format!("expected a list of {} dimensions, found {}", shape.rank, dimensions.len()));
    }
    let encoded = elements.into_iter().map(|json| element(json, shape, structures)).collect::<Result<Vec<_>, _>>()?;
    if dimensions.len() < 2 {
        return list(encoded, shape);
    }
    let matrix = Array::new_multi(shape.scalar, encoded, dimensions).map_err(|error| error.to_string())?;
    Ok(Variant::Array(Box::new(matrix)))
}

fn list(elements: Vec<Variant>, shape: &Shape) -> Result<Variant, String> {
    let list = Array::new(shape.scalar, elements).map_err(|error| error.to_string())?;
    Ok(Variant::Array(Box::new(list)))
}

/// The elements in their order, and how many there are in each dimension.
fn flatten<'a>(
    json: &'a Json,
    depth: usize,
    elements: &mut Vec<&'a Json>,
    dimensions: &mut Vec<u32>,
) -> Result<(), String> {
    let Json::Array(items) = json else {
        if depth < dimensions.len() {
            return Err("the rows of a matrix must be of one length".to_owned());
        }
        elements.push(json);
        return Ok(());
    };
    let count = u32::try_from(items.len()).map_err(|_| "too many elements".to_owned())?;
    match dimensions.get(depth) {
        None if elements.is_empty() => dimensions.push(count),
        Some(known) if *known == count => {}
        _ => return Err("the rows of a matrix must be of one length".to_owned()),
    }
    items.iter().try_for_each(|item| flatten(item, depth + 1, elements, dimensions))
}

/// A single value as a type.
fn element(json: &Json, shape: &Shape, structures: &Structures) -> Result<Variant, String> {
    let misfit = || format!("{json} is not of the node's type, {}", shape.scalar);
    let text = || match json {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    Ok(match shape.scalar {
        Scalar::Boolean => Variant::Boolean(boolean(json).ok_or_else(misfit)?),
        Scalar::SByte => Variant::SByte(whole(json, shape, i8::MIN, i8::MAX)?),
        Scalar::Byte => Variant::Byte(whole(json, shape, u8::MIN, u8::MAX)?),
        Scalar::Int16 => Variant::Int16(whole(json, shape, i16::MIN, i16::MAX)?),
        Scalar::UInt16 => Variant::UInt16(whole(json, shape, u16::MIN, u16::MAX)?),
        Scalar::Int32 => Variant::Int32(whole(json, shape, i32::MIN, i32::MAX)?),
        Scalar::UInt32 => Variant::UInt32(whole(json, shape, u32::MIN, u32::MAX)?),
        Scalar::Int64 => Variant::Int64(whole(json, shape, i64::MIN, i64::MAX)?),
        Scalar::UInt64 => Variant::UInt64(whole(json, shape, u64::MIN, u64::MAX)?),
        Scalar::Float => {
            let double = number(json).ok_or_else(misfit)?;
            Variant::Float(
                Some(double as f32)
                    .filter(|it| it.is_finite())
                    .ok_or_else(|| format!("{json} does not fit into a Float"))?,
            )
        }
        Scalar::Double => Variant::Double(number(json).ok_or_else(misfit)?),
        Scalar::String => Variant::String(UAString::from(text())),
        Scalar::LocalizedText => Variant::from(LocalizedText::new("", &text())),
        Scalar::QualifiedName => Variant::from(QualifiedName::new(shape.data_type.namespace, text())),
        Scalar::DateTime => {
            Variant::from(time(json).ok_or_else(|| format!("{json} is no time such as 2026-12-01T08:00:00Z"))?)
        }
        Scalar::Guid => Variant::from(text().parse::<Guid>().map_err(|_| misfit())?),
        Scalar::NodeId => Variant::from(text().parse::<NodeId>().map_err(|_| misfit())?),
        Scalar::ByteString => Variant::from(ByteString::from_base64(&text()).ok_or_else(misfit)?),
        Scalar::StatusCode => Variant::StatusCode(StatusCode::from(whole(json, shape, u32::MIN, u32::MAX)?)),
        Scalar::ExtensionObject => Variant::ExtensionObject(structures.encode(json, &shape.data_type)?),
        other => return Err(format!("a node of type {other} cannot be written")),
    })
}

fn boolean(json: &Json) -> Option<bool> {
    match json {
        Json::Bool(it) => Some(*it),
        Json::Number(number) => number.as_f64().filter(|it| *it == 0.0 || *it == 1.0).map(|it| it == 1.0),
        Json::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn number(json: &Json) -> Option<f64> {
    match json {
        Json::Number(number) => number.as_f64(),
        Json::Bool(it) => Some((*it).into()),
        Json::String(text) => text.trim().parse().ok().filter(|it: &f64| it.is_finite()),
        _ => None,
    }
}

fn whole<T: TryFrom<i128> + Display + Copy>(json: &Json, shape: &Shape, least: T, most: T) -> Result<T, String> {
    let exact = match json {
        Json::Number(number) => number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from)),
        Json::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let exact = exact.or_else(|| number(json).filter(|it| it.fract() == 0.0).map(|it| it as i128));
    let exact = exact.ok_or_else(|| format!("{json} is not of the node's type, {}", shape.scalar))?;
    T::try_from(exact)
        .map_err(|_| format!("{json} does not fit into the node's type, {}: {least} to {most}", shape.scalar))
}

fn time(json: &Json) -> Option<DateTime> {
    match json {
        Json::Number(number) => of_unix_millis(number.as_i64()?),
        Json::String(text) => {
            text.trim().parse().map_or_else(|_| DateTime::parse_from_rfc3339(text.trim()).ok(), of_unix_millis)
        }
        _ => None,
    }
}
