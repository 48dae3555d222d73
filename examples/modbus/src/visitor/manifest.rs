//! The keys of a visitor, and what can be wrong with them together.

mod go;

use serde::Deserialize;

use super::{Visitor, reference};
use crate::{
    codec::{Charset, Clock, Codec, Format, Layout, Names, Number, Order, OrderName, Part, Text},
    plan::{Span, Table},
    scalar,
};

/// A visitor as it is written.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Manifest {
    register: Option<Table>,
    /// Counted from 0. The Go mapper calls it `offset`.
    #[serde(alias = "offset", deserialize_with = "scalar::whole")]
    address: Option<u16>,
    /// The number of a file.
    #[serde(deserialize_with = "scalar::whole")]
    file: Option<u16>,
    /// As manuals write it, counted from 1.
    reference: Option<Written>,
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
    not_available: Option<Written>,
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
enum Written {
    Number(scalar::Whole),
    Text(String),
}

impl Written {
    fn number(&self) -> Option<u64> {
        match self {
            Self::Number(scalar::Whole(number)) => Some(*number),
            Self::Text(text) => scalar::parse(text),
        }
    }
}

/// What `type` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Number(Number),
    Time(Clock),
    Text,
    Bytes,
}

/// All types, in the order in which a message lists them.
const KINDS: [(&str, Kind); 26] = {
    use Clock as C;
    use Kind::{Bytes, Text, Time};
    use Number as N;
    [
        ("int8", Kind::Number(N::Int8)),
        ("uint8", Kind::Number(N::Uint8)),
        ("int16", Kind::Number(N::Int16)),
        ("uint16", Kind::Number(N::Uint16)),
        ("int24", Kind::Number(N::Int24)),
        ("uint24", Kind::Number(N::Uint24)),
        ("int32", Kind::Number(N::Int32)),
        ("uint32", Kind::Number(N::Uint32)),
        ("int48", Kind::Number(N::Int48)),
        ("uint48", Kind::Number(N::Uint48)),
        ("int64", Kind::Number(N::Int64)),
        ("uint64", Kind::Number(N::Uint64)),
        ("float16", Kind::Number(N::Float16)),
        ("float32", Kind::Number(N::Float32)),
        ("float64", Kind::Number(N::Float64)),
        ("bcd16", Kind::Number(N::Bcd16)),
        ("bcd32", Kind::Number(N::Bcd32)),
        ("string", Text),
        ("bytes", Bytes),
        ("unix32", Time(C::Unix32)),
        ("unix64", Time(C::Unix64)),
        ("unix64ms", Time(C::Unix64Ms)),
        ("iec870", Time(C::Iec870)),
        ("date6", Time(C::Date6)),
        ("date3", Time(C::Date3)),
        ("date3bcd", Time(C::Date3Bcd)),
    ]
};

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
        Ok(Self { span, codec, masks: manifest.write_mask.unwrap_or(true), multiple })
    }
}

impl Manifest {
    /// The table and the address in it.
    fn place(&self) -> Result<(Table, u16), Mistake> {
        match (self.table_and_address()?, self.file) {
            ((Table::FileRecord(_), record), Some(file)) => Ok((Table::FileRecord(file), record)),
            ((Table::FileRecord(_), _), None) => Err(Mistake::NoFile),
            ((register, _), Some(_)) => Err(Mistake::FileOf { register }),
            (place, None) => Ok(place),
        }
    }

    fn table_and_address(&self) -> Result<(Table, u16), Mistake> {
        let Some(reference) = &self.reference else {
            let table = self.register.ok_or(Mistake::NoRegister)?;
            return Ok((table, self.address.ok_or(Mistake::NoAddress)?));
        };
        let written = match reference {
            Written::Number(scalar::Whole(number)) => number.to_string(),
            Written::Text(text) => text.clone(),
        };
        let Some((table, address)) = reference::parse(&written) else { return Err(Mistake::Reference { written }) };
        if self.address.is_some() {
            return Err(Mistake::TwoPlaces);
        }
        match self.register {
            Some(register) if register != table => Err(Mistake::TwoTables { table, register }),
            _ => Ok((table, address)),
        }
    }

    /// A coil or a discrete input is one bit, and so nothing must be said about its form.
    fn coil(&self, register: Table) -> Result<Codec, Mistake> {
        match self.said(&[]) {
            Some(field) => Err(Mistake::OfABit { field, register }),
            None => Ok(Codec::Coil),
        }
    }

    fn registers(&self, table: Table) -> Result<Codec, Mistake> {
        match table {
            Table::DeviceIdentification => self.identification(),
            Table::FifoQueue => self.queue(),
            table => self.words(table),
        }
    }

    /// A text of the device's identification, however long it is.
    fn identification(&self) -> Result<Codec, Mistake> {
        if let Some(field) = self.said(&["charset"]) {
            return Err(Mistake::Idle { field, kind: "a DeviceIdentification, which is a text" });
        }
        let charset = self.charset.unwrap_or_default();
        Ok(Codec::Text(Text { length: 1, layout: Layout::default(), charset, pad: 0 }))
    }

    /// A list of numbers, however many there are.
    fn queue(&self) -> Result<Codec, Mistake> {
        if self.count.is_some() {
            return Err(Mistake::Idle { field: "count", kind: "a FifoQueue, which has a count of its own" });
        }
        match self.words(Table::FifoQueue)? {
            Codec::Number(format) => Ok(Codec::List(format, 1)),
            _ => Err(Mistake::Queue),
        }
    }

    fn words(&self, table: Table) -> Result<Codec, Mistake> {
        let kind = self.kind(table)?;
        let only = |sayable: &[&str]| match self.said(sayable) {
            Some(field) => Err(Mistake::Idle { field, kind: name(kind) }),
            None => Ok(()),
        };
        const ORDERS: [&str; 4] = ["type", "order", "byteOrder", "wordOrder"];
        let layout = self.layout()?;
        match kind {
            Kind::Number(number) => {
                self.said_of_number(number)?;
                self.number(number, layout)
            }
            Kind::Time(clock) => only(&ORDERS).map(|()| Codec::Time(layout, clock)),
            Kind::Bytes => {
                only(&[&ORDERS[..], &["length"]].concat())?;
                Ok(Codec::Bytes(layout, self.length("bytes")?))
            }
            Kind::Text => {
                only(&[&ORDERS[..], &["length", "charset", "pad"]].concat())?;
                let (length, charset) = (self.length("a string")?, self.charset.unwrap_or_default());
                Ok(Codec::Text(Text { length, layout, charset, pad: self.pad()? }))
            }
        }
    }

    /// A bit or a mask without a type is one of an unsigned register.
    fn kind(&self, register: Table) -> Result<Kind, Mistake> {
        let Some(written) = &self.kind else {
            let is_part = self.bit.is_some() || self.mask.is_some() || self.shift.is_some();
            return if is_part { Ok(Kind::Number(Number::Uint16)) } else { Err(Mistake::NoType { register }) };
        };
        let found = KINDS.iter().find(|(name, _)| name == written);
        found.map(|(_, kind)| *kind).ok_or_else(|| Mistake::Type { written: written.clone() })
    }

    fn layout(&self) -> Result<Layout, Mistake> {
        let parts =
            Layout { byte_order: self.byte_order.unwrap_or_default(), word_order: self.word_order.unwrap_or_default() };
        let Some(order) = self.order else { return Ok(parts) };
        let named = order.layout();
        let differs = self.byte_order.is_some_and(|order| order != named.byte_order)
            || self.word_order.is_some_and(|order| order != named.word_order);
        if differs { Err(Mistake::TwoOrders { order }) } else { Ok(named) }
    }

    fn number(&self, number: Number, layout: Layout) -> Result<Codec, Mistake> {
        let scale = self.scale.unwrap_or(1.0);
        if scale == 0.0 {
            return Err(Mistake::NoScale);
        }
        if let Some(decimals) = self.decimals.filter(|decimals| *decimals > 15) {
            return Err(Mistake::Decimals { decimals });
        }
        let (part, absent) = (self.part(number)?, self.absent(number)?);
        let bias = self.bias.unwrap_or(0.0);
        let format = Format { number, layout, part, scale, bias, decimals: self.decimals, absent };
        match (&self.values, self.count) {
            (Some(list), _) => {
                let names = Names::parse(list).ok_or_else(|| Mistake::Values { written: list.clone() })?;
                if format.is_integral() { Ok(Codec::Named(format, names)) } else { Err(Mistake::FractionWithNames) }
            }
            (None, Some(count)) if count == 0 || count > READABLE / number.registers() => {
                Err(Mistake::Count { count, most: READABLE / number.registers() })
            }
            (None, Some(count)) => Ok(Codec::List(format, count)),
            (None, None) => Ok(Codec::Number(format)),
        }
    }

    /// What must not stand beside each other in a number.
    fn said_of_number(&self, number: Number) -> Result<(), Mistake> {
        let said = self.all();
        let is_said = |field: &str| said.iter().any(|(name, is_said)| *name == field && *is_said);
        if let Some(field) = ["length", "charset", "pad"].into_iter().find(|field| is_said(field)) {
            return Err(Mistake::Idle { field, kind: name(Kind::Number(number)) });
        }
        if is_said("bit")
            && let Some(field) = ["scale", "bias", "decimals"].into_iter().find(|field| is_said(field))
        {
            return Err(Mistake::Idle { field, kind: "a bit" });
        }
        let exclusive = [
            ("bit", "mask"),
            ("bit", "shift"),
            ("count", "bit"),
            ("count", "mask"),
            ("count", "shift"),
            ("count", "values"),
            ("values", "scale"),
            ("values", "bias"),
            ("values", "decimals"),
        ];
        match exclusive.into_iter().find(|(one, other)| is_said(one) && is_said(other)) {
            Some((one, other)) => Err(Mistake::Exclusive { one, other }),
            None => Ok(()),
        }
    }

    fn part(&self, number: Number) -> Result<Option<Part>, Mistake> {
        let kind = name(Kind::Number(number));
        let field = if self.bit.is_some() { "bit" } else { "mask" };
        match (self.bit, self.mask, self.shift) {
            (None, None, None) => Ok(None),
            _ if !number.has_parts() => Err(Mistake::PartOfSigned { field, kind }),
            (Some(bit), ..) if bit < number.width() => Ok(Some(Part::bit(bit))),
            (Some(bit), ..) => Err(Mistake::Bit { bit, kind, last: number.width() - 1 }),
            (None, mask, shift) => {
                let all = u64::MAX >> (64 - number.width());
                let fits = mask.is_none_or(|mask| mask <= all);
                let part = Part::masked(mask.unwrap_or(all), shift).filter(|_| fits);
                part.map(Some).ok_or(Mistake::Mask { kind })
            }
        }
    }

    /// The bits by which the device says that there is no value.
    fn absent(&self, number: Number) -> Result<Option<u64>, Mistake> {
        match &self.not_available {
            None => Ok(None),
            Some(Written::Text(word)) if word == "sunspec" => Ok(number.absent_in_sunspec()),
            Some(written @ Written::Text(text)) => {
                written.number().map(Some).ok_or_else(|| Mistake::NotAvailable { written: text.clone() })
            }
            Some(Written::Number(scalar::Whole(number))) => Ok(Some(*number)),
        }
    }

    fn length(&self, of: &'static str) -> Result<u16, Mistake> {
        let length = self.length.ok_or(Mistake::NoLength { of })?;
        if (1..=READABLE).contains(&length) { Ok(length) } else { Err(Mistake::Length { length }) }
    }

    fn pad(&self) -> Result<u8, Mistake> {
        let Some(pad) = &self.pad else { return Ok(0) };
        match pad.as_str() {
            "nul" => Ok(0),
            "space" => Ok(b' '),
            other => match other.as_bytes() {
                [byte] => Ok(*byte),
                _ => Err(Mistake::Pad { written: pad.clone() }),
            },
        }
    }

    /// A key about the form of a value that is written, apart from these.
    fn said(&self, sayable: &[&str]) -> Option<&'static str> {
        let mut said = self.all().into_iter().filter(|(field, is_said)| *is_said && !sayable.contains(field));
        said.next().map(|(field, _)| field)
    }

    /// The keys about the form of a value, and whether they are written.
    fn all(&self) -> [(&'static str, bool); 17] {
        [
            ("type", self.kind.is_some()),
            ("order", self.order.is_some()),
            ("byteOrder", self.byte_order.is_some()),
            ("wordOrder", self.word_order.is_some()),
            ("scale", self.scale.is_some()),
            ("bias", self.bias.is_some()),
            ("decimals", self.decimals.is_some()),
            ("bit", self.bit.is_some()),
            ("mask", self.mask.is_some()),
            ("shift", self.shift.is_some()),
            ("writeMask", self.write_mask.is_some()),
            ("values", self.values.is_some()),
            ("notAvailable", self.not_available.is_some()),
            ("count", self.count.is_some()),
            ("length", self.length.is_some()),
            ("charset", self.charset.is_some()),
            ("pad", self.pad.is_some()),
        ]
    }
}

fn name(kind: Kind) -> &'static str {
    KINDS.iter().find(|(_, it)| *it == kind).map_or("", |(name, _)| name)
}

/// Whether it is a type of this mapper's own.
fn names_own(kind: &str) -> bool {
    KINDS.iter().any(|(name, _)| *name == kind)
}

fn names() -> String {
    KINDS.map(|(name, _)| name).join(", ")
}

/// What is wrong with a visitor although each of its fields is right.
#[derive(Debug, thiserror::Error)]
pub(super) enum Mistake {
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
    OfABit { field: &'static str, register: Table },
    #[error("`{field}` says nothing about {kind}: leave it out")]
    Idle { field: &'static str, kind: &'static str },
    #[error("`type` is missing: {register:?} needs {}", names())]
    NoType { register: Table },
    #[error("`type` is {written:?}, and is one of {}", names())]
    Type { written: String },
    #[error(
        "`{field}` belongs to the Go mapper's types, such as int and float, and `type` is {kind}: leave `{field}` out"
    )]
    TwoForms { field: &'static str, kind: String },
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
