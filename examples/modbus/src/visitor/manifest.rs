//! The keys of a visitor as they are written, and what they say together.
//!
//! - `place`: where a property stands in its device
//! - `form`, with `kind`: what its registers hold
//! - `go`: the same for visitors of the Go mapper
//! - `mistake`: what can be wrong

mod form;
mod go;
mod kind;
mod mistake;
mod place;

use serde::Deserialize;

use super::Visitor;
use crate::{
    codec::{Charset, Order, OrderName},
    plan::{Span, Table},
    scalar,
};
use kind::Kind;
pub(super) use mistake::Mistake;

/// A visitor as it is written.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Manifest {
    #[serde(deserialize_with = "place::table")]
    register: Option<Table>,
    /// Counted from 0. The Go mapper calls it `offset`.
    #[serde(alias = "offset", deserialize_with = "scalar::whole")]
    address: Option<u16>,
    /// The number of a file.
    #[serde(deserialize_with = "scalar::whole")]
    file: Option<u16>,
    /// As manuals write it, counted from 1.
    reference: Option<NumberOrText>,
    #[serde(rename = "type", alias = "dataType")]
    kind: Option<String>,
    order: Option<OrderName>,
    byte_order: Option<Order>,
    word_order: Option<Order>,
    #[serde(deserialize_with = "scalar::decimal")]
    scale: Option<f64>,
    #[serde(deserialize_with = "scalar::decimal")]
    bias: Option<f64>,
    #[serde(deserialize_with = "scalar::whole")]
    decimals: Option<u8>,
    #[serde(deserialize_with = "scalar::whole")]
    bit: Option<u32>,
    #[serde(deserialize_with = "scalar::whole")]
    mask: Option<u64>,
    #[serde(deserialize_with = "scalar::whole")]
    shift: Option<u32>,
    write_mask: Option<bool>,
    write_function: Option<WriteFunction>,
    values: Option<String>,
    not_available: Option<NumberOrText>,
    #[serde(deserialize_with = "scalar::whole")]
    count: Option<u16>,
    #[serde(deserialize_with = "scalar::whole")]
    length: Option<u16>,
    charset: Option<Charset>,
    pad: Option<String>,
    /// The Go mapper's: how many registers or bits there are.
    #[serde(deserialize_with = "scalar::whole")]
    limit: Option<u16>,
    /// The Go mapper's: within a register, the low byte comes first.
    is_swap: Option<bool>,
    /// The Go mapper's: of several registers, the least significant comes first.
    is_register_swap: Option<bool>,
    /// The thresholds of KubeEdge's temperature sensor.
    #[serde(deserialize_with = "scalar::decimal")]
    min: Option<f64>,
    #[serde(deserialize_with = "scalar::decimal")]
    max: Option<f64>,
}

/// Which request writes one register or one coil.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WriteFunction {
    /// Functions 5 and 6.
    Single,
    /// Functions 15 and 16.
    Multiple,
}

/// A number or a text.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a whole number or a text is expected")]
enum NumberOrText {
    Number(scalar::Whole),
    Text(String),
}

impl NumberOrText {
    fn text(&self) -> String {
        match self {
            Self::Number(scalar::Whole(number)) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }

    fn number(&self) -> Option<u64> {
        match self {
            Self::Number(scalar::Whole(number)) => Some(*number),
            Self::Text(text) => scalar::parse(text),
        }
    }
}

/// The most registers that the Modbus specification lets a request read.
const READABLE: u16 = 125;

impl TryFrom<Manifest> for Visitor {
    type Error = Mistake;

    fn try_from(manifest: Manifest) -> Result<Self, Mistake> {
        let (table, start) = manifest.place()?;
        let codec = match table.holds_bits() {
            _ if manifest.is_go() => manifest.go(table)?,
            true => manifest.coil(table)?,
            false => manifest.registers(table)?,
        };
        let count = u16::try_from(codec.registers()).unwrap_or(u16::MAX);
        let span = Span { table, start, count };
        if span.end() > Span::ADDRESSES {
            return Err(Mistake::BeyondTheEnd { address: start, count });
        }
        if u32::from(count) > table.limit() {
            return Err(Mistake::LongRecord { count, most: table.limit() });
        }
        if manifest.write_function == Some(WriteFunction::Single) && count > 1 {
            return Err(Mistake::WriteFunction { count });
        }
        let multiple = manifest.write_function == Some(WriteFunction::Multiple);
        let thresholds = manifest.thresholds()?;
        Ok(Self { span, codec, masks: manifest.write_mask.unwrap_or(true), multiple, thresholds })
    }
}
