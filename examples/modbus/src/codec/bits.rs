//! Some of the bits of a number.

/// The bits that a property has of its registers: one by `bit`, or those of a `mask`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Never zero.
    mask: u64,
    shift: u32,
    /// Whether it was written as `bit`, and reads as true or false.
    pub(crate) is_bit: bool,
}

impl Part {
    pub(crate) fn bit(bit: u32) -> Self {
        Self { mask: 1 << bit, shift: bit, is_bit: true }
    }

    /// The bits of a mask, shifted to the right so far, or until the lowest of them is bit 0. `None` if nothing would be left.
    pub(crate) fn masked(mask: u64, shift: Option<u32>) -> Option<Self> {
        let shift = shift.unwrap_or_else(|| mask.trailing_zeros());
        let is_empty = mask.checked_shr(shift).is_none_or(|left| left == 0);
        (!is_empty).then_some(Self { mask, shift, is_bit: false })
    }

    pub(crate) fn mask(self) -> u64 {
        self.mask
    }

    pub(crate) fn extract(self, bits: u64) -> u64 {
        (bits & self.mask) >> self.shift
    }

    /// The bits in their place, if the mask has room for them.
    pub(crate) fn place(self, number: u64) -> Option<u64> {
        let placed = number.checked_shl(self.shift).filter(|placed| placed >> self.shift == number)?;
        (placed & !self.mask == 0).then_some(placed)
    }

    /// The greatest number that it holds.
    pub(crate) fn greatest(self) -> u64 {
        self.mask >> self.shift
    }
}

/// The number in binary-coded decimal digits; `None` if one of them is none.
pub(crate) fn of_bcd(bits: u64) -> Option<u64> {
    let digits = (0..16).rev().map(|n| (bits >> (4 * n)) & 0xf);
    digits.into_iter().try_fold(0_u64, |number, digit| (digit < 10).then(|| number * 10 + digit))
}

/// The binary-coded decimal digits of a number of at most 16.
pub(crate) fn to_bcd(mut number: u64) -> u64 {
    let mut bits = 0;
    for n in 0..16 {
        bits |= (number % 10) << (4 * n);
        number /= 10;
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_taken_out_and_put_in_its_place() {
        let middle = Part::masked(0x0ff0, None).unwrap();
        assert_eq!((middle.extract(0xabcd), middle.place(0xbc), middle.greatest()), (0xbc, Some(0x0bc0), 0xff));
        assert_eq!(middle.place(0x100), None, "it would reach into bits that are not its own");
        let unshifted = Part::masked(0x0ff0, Some(0)).unwrap();
        assert_eq!((unshifted.extract(0xabcd), unshifted.place(0xbc0), unshifted.place(1)), (0xbc0, Some(0xbc0), None));
        let sign = Part::bit(63);
        assert_eq!((sign.extract(1 << 63), sign.place(1), sign.place(2)), (1, Some(1 << 63), None));
    }

    #[test]
    fn a_mask_of_which_nothing_is_left_is_none() {
        assert_eq!(Part::masked(0, None), None);
        assert_eq!(Part::masked(0x0f, Some(4)), None);
        assert_eq!(Part::masked(0x0f, Some(64)), None);
    }

    #[test]
    fn digits_are_coded_one_by_one() {
        assert_eq!((of_bcd(0x1234), to_bcd(1234)), (Some(1234), 0x1234));
        assert_eq!(of_bcd(0x12a4), None);
        assert_eq!(of_bcd(to_bcd(9_999_999_999_999_999)), Some(9_999_999_999_999_999));
    }
}
