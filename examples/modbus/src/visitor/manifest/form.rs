//! What a property's registers hold.

use super::{Kind, Manifest, Mistake, NumberOrText, READABLE};
use crate::{
    codec::{Codec, Format, Layout, Names, Number, Part, Text},
    plan::Table,
    scalar,
};

impl Manifest {
    /// A coil or a discrete input is one bit, and so nothing must be said about its form.
    pub(super) fn coil(&self, register: Table) -> Result<Codec, Mistake> {
        match self.form_key_besides(&[]) {
            Some(field) => Err(Mistake::FormOfBit { field, register }),
            None => Ok(Codec::Coil),
        }
    }

    pub(super) fn registers(&self, table: Table) -> Result<Codec, Mistake> {
        match table {
            Table::DeviceIdentification => self.identification(),
            Table::FifoQueue => self.queue(),
            table => self.words(table),
        }
    }

    /// A text of the device's identification, however long it is.
    fn identification(&self) -> Result<Codec, Mistake> {
        if let Some(field) = self.form_key_besides(&["charset"]) {
            return Err(Mistake::Pointless { field, kind: "a DeviceIdentification, which is a text" });
        }
        let charset = self.charset.unwrap_or_default();
        Ok(Codec::Text(Text { length: 1, layout: Layout::default(), charset, pad: 0 }))
    }

    /// A list of numbers, however many there are.
    fn queue(&self) -> Result<Codec, Mistake> {
        if self.count.is_some() {
            return Err(Mistake::Pointless { field: "count", kind: "a FifoQueue, which has a count of its own" });
        }
        match self.words(Table::FifoQueue)? {
            Codec::Number(format) => Ok(Codec::List(format, 1)),
            _ => Err(Mistake::Queue),
        }
    }

    fn words(&self, table: Table) -> Result<Codec, Mistake> {
        let kind = self.kind(table)?;
        let refuse_besides = |allowed: &[&str]| match self.form_key_besides(allowed) {
            Some(field) => Err(Mistake::Pointless { field, kind: kind.name() }),
            None => Ok(()),
        };
        const ORDERS: [&str; 4] = ["type", "order", "byteOrder", "wordOrder"];
        let layout = self.layout()?;
        match kind {
            Kind::Number(number) => {
                self.check_number(number)?;
                self.number(number, layout)
            }
            Kind::Time(clock) => refuse_besides(&ORDERS).map(|()| Codec::Time(layout, clock)),
            Kind::Bytes => {
                refuse_besides(&[&ORDERS[..], &["length"]].concat())?;
                Ok(Codec::Bytes(layout, self.length("bytes")?))
            }
            Kind::Text => {
                refuse_besides(&[&ORDERS[..], &["length", "charset", "pad"]].concat())?;
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
        Kind::parse(written).ok_or_else(|| Mistake::Type { written: written.clone() })
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

    /// Checks that no keys of a number stand beside each other that exclude each other.
    fn check_number(&self, number: Number) -> Result<(), Mistake> {
        let keys = self.form_keys();
        let is_written = |field: &str| keys.iter().any(|(key, is_written)| *key == field && *is_written);
        if let Some(field) = ["length", "charset", "pad"].into_iter().find(|field| is_written(field)) {
            return Err(Mistake::Pointless { field, kind: Kind::Number(number).name() });
        }
        if is_written("bit")
            && let Some(field) = ["scale", "bias", "decimals"].into_iter().find(|field| is_written(field))
        {
            return Err(Mistake::Pointless { field, kind: "a bit" });
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
        match exclusive.into_iter().find(|(one, other)| is_written(one) && is_written(other)) {
            Some((one, other)) => Err(Mistake::Exclusive { one, other }),
            None => Ok(()),
        }
    }

    fn part(&self, number: Number) -> Result<Option<Part>, Mistake> {
        let kind = Kind::Number(number).name();
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
            Some(NumberOrText::Text(word)) if word == "sunspec" => Ok(number.absent_in_sunspec()),
            Some(written @ NumberOrText::Text(text)) => {
                written.number().map(Some).ok_or_else(|| Mistake::NotAvailable { written: text.clone() })
            }
            Some(NumberOrText::Number(scalar::Whole(number))) => Ok(Some(*number)),
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

    /// A key about the form of a value that is written and is none of the allowed ones.
    pub(super) fn form_key_besides(&self, allowed: &[&str]) -> Option<&'static str> {
        let written = self.form_keys().into_iter().filter(|(_, is_written)| *is_written).map(|(key, _)| key);
        written.into_iter().find(|key| !allowed.contains(key))
    }

    /// The keys about the form of a value, and whether they are written.
    fn form_keys(&self) -> [(&'static str, bool); 17] {
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
