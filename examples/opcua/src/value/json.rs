//! Values as JSON.

use serde_json::{Map, Number, Value as Json};
use ua::types::{Array, Variant};

use crate::types::Structures;

/// The most dimensions that a value may have.
const MOST_DIMENSIONS: usize = 16;

/// Any value as JSON: numbers and booleans as such, a structure as an object, an array as an array, a matrix as arrays of arrays, a time by
/// RFC 3339, bytes by base64, and a float that is not finite as text.
///
/// # Errors
///
/// It holds a structure of which the server does not say what is in it, or an array of more than 16 dimensions.
pub(crate) fn to_json(variant: &Variant, structures: &Structures) -> Result<Json, String> {
    Ok(match variant {
        Variant::Empty => Json::Null,
        Variant::Boolean(it) => (*it).into(),
        Variant::SByte(it) => (*it).into(),
        Variant::Byte(it) => (*it).into(),
        Variant::Int16(it) => (*it).into(),
        Variant::UInt16(it) => (*it).into(),
        Variant::Int32(it) => (*it).into(),
        Variant::UInt32(it) => (*it).into(),
        Variant::Int64(it) => (*it).into(),
        Variant::UInt64(it) => (*it).into(),
        // Its own decimals, and not those of the nearest double.
        Variant::Float(it) => {
            it.to_string().parse().ok().and_then(Number::from_f64).map_or_else(|| it.to_string().into(), Json::Number)
        }
        Variant::Double(it) => Number::from_f64(*it).map_or_else(|| it.to_string().into(), Json::Number),
        Variant::String(it) => it.as_ref().into(),
        Variant::DateTime(it) => it.to_rfc3339().into(),
        Variant::Guid(it) => it.to_string().into(),
        Variant::StatusCode(it) => it.to_string().into(),
        Variant::ByteString(it) => it.as_base64().into(),
        Variant::XmlElement(it) => it.to_string().into(),
        Variant::QualifiedName(it) => it.name.as_ref().into(),
        Variant::LocalizedText(it) => it.text.as_ref().into(),
        Variant::NodeId(it) => it.to_string().into(),
        Variant::ExpandedNodeId(it) => it.to_string().into(),
        Variant::ExtensionObject(it) => structures.to_json(it)?,
        Variant::Variant(it) => to_json(it, structures)?,
        Variant::DataValue(it) => it.value.as_ref().map_or(Ok(Json::Null), |value| to_json(value, structures))?,
        Variant::DiagnosticInfo(_) => return Err("diagnostics have no form as a value".to_owned()),
        Variant::Array(it) => array(it, structures)?,
    })
}

fn array(array: &Array, structures: &Structures) -> Result<Json, String> {
    let elements = array.values.iter().map(|element| to_json(element, structures)).collect::<Result<Vec<_>, _>>()?;
    Ok(match &array.dimensions {
        Some(dimensions) if dimensions.len() > MOST_DIMENSIONS => {
            return Err(format!("the array has {} dimensions, more than {MOST_DIMENSIONS}", dimensions.len()));
        }
        Some(dimensions) if dimensions.len() > 1 => nested(&elements, dimensions),
        _ => elements.into(),
    })
}

fn nested(elements: &[Json], dimensions: &[u32]) -> Json {
    match dimensions {
        [count, rest @ ..] if !rest.is_empty() && *count > 0 => {
            let each = elements.len() / *count as usize;
            (0..*count as usize).map(|row| nested(&elements[row * each..(row + 1) * each], rest)).collect()
        }
        _ => elements.into(),
    }
}

/// An object of these fields.
pub(crate) fn object(fields: impl Iterator<Item = Result<(String, Json), String>>) -> Result<Json, String> {
    fields.collect::<Result<Map<_, _>, _>>().map(Json::Object)
}
