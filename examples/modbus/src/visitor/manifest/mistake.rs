//! What can be wrong with a visitor.

use super::{Kind, READABLE};
use crate::{codec::OrderName, plan::Table};

/// What is wrong with a visitor although each of its fields is right.
#[derive(Debug, thiserror::Error)]
pub(in crate::visitor) enum Mistake {
    #[error("`register` is missing: write Coil, DiscreteInput, HoldingRegister or InputRegister, or `reference`")]
    NoRegister,
    #[error("`address` is missing: write it, counted from 0, or `reference` for what a manual calls 40001")]
    NoAddress,
    #[error(
        "`reference` is {written}, which is none of the notations of manuals: write it like 40001, \"00001\", 4x0001 or HR1"
    )]
    Reference { written: String },
    #[error("`reference` and `address` both say where the property is: leave one of them out")]
    TwoPlaces,
    #[error("`reference` is a {table:?} and `register` says {register:?}: leave `register` out")]
    TwoTables { table: Table, register: Table },
    #[error("`file` is missing: write the number of the file of which `address` is the record")]
    NoFile,
    #[error("`file` says nothing about a {register:?}: leave it out, or write FileRecord to `register`")]
    FileOf { register: Table },
    #[error("{count} registers do not fit into one request for a file, which has {most} at most")]
    LongRecord { count: u16, most: u32 },
    #[error("a FifoQueue holds numbers: leave `values` out, and write the `type` of a number")]
    Queue,
    #[error("`{field}` says nothing about a {register:?}, which is one bit: leave it out")]
    FormOfBit { field: &'static str, register: Table },
    #[error("`{field}` says nothing about {kind}: leave it out")]
    Pointless { field: &'static str, kind: &'static str },
    #[error("`type` is missing: {register:?} needs {}", Kind::names())]
    NoType { register: Table },
    #[error("`type` is {written:?}, and is one of {}", Kind::names())]
    Type { written: String },
    #[error(
        "`{field}` belongs to the Go mapper's types, such as int and float, and `type` is {kind}: leave `{field}` out"
    )]
    TwoForms { field: &'static str, kind: String },
    #[error("`{field}` is a threshold of KubeEdge's temperature sensor: write it to `pushMethod.anomalyDetection`")]
    Threshold { field: &'static str },
    #[error("`limit` is missing: write the number of registers, or `type` and not `dataType`")]
    NoLimit,
    #[error("`limit` is {limit}, and a {register:?} has 1 to {most}")]
    Limit { limit: u16, most: u16, register: Table },
    #[error("`order` is {}, which `byteOrder` or `wordOrder` contradicts: leave those out", format!("{order:?}").to_uppercase())]
    TwoOrders { order: OrderName },
    #[error("`scale` is 0, which makes every value the same")]
    NoScale,
    #[error("`decimals` is {decimals}, and a number has 0 to 15 of them")]
    Decimals { decimals: u8 },
    #[error("`{one}` and `{other}` exclude each other: leave one of them out")]
    Exclusive { one: &'static str, other: &'static str },
    #[error("`{field}` needs an unsigned type, such as uint16, and not {kind}")]
    PartOfSigned { field: &'static str, kind: &'static str },
    #[error("`bit` is {bit}, and {kind} has the bits 0 to {last}, of which 0 is the least significant")]
    Bit { bit: u32, kind: &'static str, last: u32 },
    #[error("`mask` and `shift` leave no bit of {kind}: write a mask that fits, such as \"0x00F0\"")]
    Mask { kind: &'static str },
    #[error("`values` is {written:?}: write it as \"0=off, 1=on\", each number and each name once")]
    Values { written: String },
    #[error("`values` needs an integer type")]
    FractionWithNames,
    #[error(
        "`notAvailable` is {written:?}: write sunspec, or the number that stands in the registers then, such as \"0x8000\""
    )]
    NotAvailable { written: String },
    #[error("`count` is {count}, and Modbus reads {READABLE} registers at once: write 1 to {most}")]
    Count { count: u16, most: u16 },
    #[error("`length` is missing: {of} needs its number of registers")]
    NoLength { of: &'static str },
    #[error("`length` is {length}, and Modbus reads 1 to {READABLE} registers at once")]
    Length { length: u16 },
    #[error("`pad` is {written:?}: write one ASCII character, nul or space")]
    Pad { written: String },
    #[error("`writeFunction` is single, and there are {count} registers, which it would tear apart: leave it out")]
    WriteFunction { count: u16 },
    #[error("`address` is {address}, where {count} registers reach beyond the last one, 65535")]
    BeyondTheEnd { address: u16, count: u16 },
}
