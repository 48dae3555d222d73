//! Parts of lists, matrices and texts, of servers that know them and of those that return the whole.

use std::fmt::Display;

use mapper_framework::DriverError;
use ua::types::{NumericRange, StatusCode, Variant};

use crate::status;

/// What a server returns for a part, cut out if it is the whole list or text. That it is shows where it is longer than the part can be.
///
/// # Errors
///
/// There is no such part, or it is one of a matrix and has another shape.
pub(crate) fn part(what: &dyn Display, value: Variant, range: &NumericRange) -> Result<Variant, DriverError> {
    let (bounds, Some(extent)) = (bounds(range), extent(&value)) else { return Ok(value) };
    let fits = |(len, (from, to)): (&usize, &(usize, usize))| (1..=to - from + 1).contains(len);
    if bounds.is_empty() || (bounds.len() == extent.len() && extent.iter().zip(&bounds).all(fits)) {
        return Ok(value);
    }
    let (&[(from, to)], [_]) = (&bounds[..], &extent[..]) else {
        return Err(DriverError::unsupported(format_args!(
            "{what}: the server returns no such part: it does not know `indexRange`, or the value has other dimensions"
        )));
    };
    let cut = match &value {
        Variant::String(text) => {
            let text: String = text.as_ref().chars().skip(from).take(to - from + 1).collect();
            if text.is_empty() { Err(StatusCode::BadIndexRangeNoData) } else { Ok(text.into()) }
        }
        value => value.range_of(range),
    };
    cut.map_err(|code| status::of_operation(what, code))
}

/// Makes sure that a server has returned a part of the whole: one that does not know parts would take what is written for the whole.
///
/// # Errors
///
/// It has returned something else, or there is no such part.
pub(crate) fn require_part(
    what: &dyn Display,
    part: &Variant,
    whole: &Variant,
    range: &NumericRange,
) -> Result<(), DriverError> {
    let (bounds, whole) = (bounds(range), extent(whole).unwrap_or_default());
    if bounds.len() != whole.len() || bounds.iter().zip(&whole).any(|((_, to), len)| to >= len) {
        return Err(status::of_operation(what, StatusCode::BadIndexRangeNoData));
    }
    let wanted: Vec<_> = bounds.iter().map(|(from, to)| to - from + 1).collect();
    // A single element may come as such.
    if extent(part).is_none_or(|part| part == wanted) {
        return Ok(());
    }
    Err(DriverError::unsupported(format_args!(
        "{what}: the server does not know `indexRange`, and would replace the whole list: write the whole list"
    )))
}

/// How long a value is in each of its dimensions. `None` where it has no parts.
fn extent(value: &Variant) -> Option<Vec<usize>> {
    match value {
        Variant::Array(list) => Some(match &list.dimensions {
            Some(dimensions) => dimensions.iter().map(|len| *len as usize).collect(),
            None => vec![list.values.len()],
        }),
        Variant::String(text) => Some(vec![text.as_ref().chars().count()]),
        Variant::ByteString(bytes) => Some(vec![bytes.as_ref().len()]),
        _ => None,
    }
}

/// The first and the last element of a part in each dimension; none of the whole.
fn bounds(range: &NumericRange) -> Vec<(usize, usize)> {
    match range {
        NumericRange::None => Vec::new(),
        NumericRange::Index(at) => vec![(*at as usize, *at as usize)],
        // The first is always below the last.
        NumericRange::Range(from, to) => vec![(*from as usize, (*to).max(*from) as usize)],
        NumericRange::MultipleRanges(ranges) => ranges.iter().flat_map(bounds).collect(),
    }
}
