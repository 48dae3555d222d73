//! In which order registers and their bytes stand.

use serde::Deserialize;

/// Which part comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Order {
    /// The most significant.
    #[default]
    Big,
    /// The least significant.
    Little,
}

/// Both orders at once, as manuals write them for the four bytes of two registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum OrderName {
    Abcd,
    Cdab,
    Badc,
    Dcba,
}

impl OrderName {
    pub(crate) fn layout(self) -> Layout {
        let (word_order, byte_order) = match self {
            Self::Abcd => (Order::Big, Order::Big),
            Self::Cdab => (Order::Little, Order::Big),
            Self::Badc => (Order::Big, Order::Little),
            Self::Dcba => (Order::Little, Order::Little),
        };
        Layout { byte_order, word_order }
    }
}

/// How registers make up one whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Of the two bytes in a register.
    pub(crate) byte_order: Order,
    /// Of the registers.
    pub(crate) word_order: Order,
}

impl Layout {
    /// The registers in the order ABCD, or back from it.
    pub(crate) fn straighten(self, registers: &[u16]) -> Vec<u16> {
        let swapped = registers.iter().map(|register| self.swapped(*register));
        match self.word_order {
            Order::Big => swapped.collect(),
            Order::Little => swapped.rev().collect(),
        }
    }

    /// The bits in up to four registers.
    pub(crate) fn join(self, registers: &[u16]) -> u64 {
        let append = |bits: u64, register: &u16| (bits << 16) | u64::from(self.swapped(*register));
        match self.word_order {
            Order::Big => registers.iter().fold(0, append),
            Order::Little => registers.iter().rev().fold(0, append),
        }
    }

    /// A register whose high byte comes first.
    fn swapped(self, register: u16) -> u16 {
        match self.byte_order {
            Order::Big => register,
            Order::Little => register.swap_bytes(),
        }
    }

    /// The registers that hold the bits.
    pub(crate) fn split(self, bits: u64, count: u16) -> Vec<u16> {
        let registers: Vec<u16> = (0..count).rev().map(|n| (bits >> (16 * n)) as u16).collect();
        self.straighten(&registers)
    }

    /// The bytes, the first one first.
    pub(crate) fn to_bytes(self, registers: &[u16]) -> Vec<u8> {
        self.straighten(registers).into_iter().flat_map(u16::to_be_bytes).collect()
    }

    /// The registers that hold these bytes, of which there is an even number.
    pub(crate) fn of_bytes(self, bytes: &[u8]) -> Vec<u16> {
        let registers: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
        self.straighten(&registers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_say_where_each_byte_stands() {
        for (name, registers) in [
            (OrderName::Abcd, [0x0102, 0x0304]),
            (OrderName::Cdab, [0x0304, 0x0102]),
            (OrderName::Badc, [0x0201, 0x0403]),
            (OrderName::Dcba, [0x0403, 0x0201]),
        ] {
            let layout = name.layout();
            assert_eq!(layout.join(&registers), 0x0102_0304, "{name:?}");
            assert_eq!(layout.split(0x0102_0304, 2), registers, "{name:?}");
            assert_eq!(layout.to_bytes(&registers), [1, 2, 3, 4], "{name:?}");
            assert_eq!(layout.of_bytes(&[1, 2, 3, 4]), registers, "{name:?}");
        }
    }
}
