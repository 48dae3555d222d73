//! Which registers to ask for together.

use std::fmt;

use serde::Deserialize;

use crate::forbidden::Forbidden;

/// One of the four address spaces of a Modbus device, or what else it is asked for by a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) enum Table {
    #[serde(alias = "CoilRegister")]
    Coil,
    #[serde(alias = "DiscreteInputRegister")]
    DiscreteInput,
    HoldingRegister,
    InputRegister,
    /// A file, by its number. Its records are counted from 0 and have the size of a register.
    FileRecord(#[serde(skip_deserializing)] u16),
    /// A queue, by the address of the register that counts its values.
    FifoQueue,
    /// An object of the device's identification.
    DeviceIdentification,
}

impl Table {
    pub(crate) fn holds_bits(self) -> bool {
        matches!(self, Self::Coil | Self::DiscreteInput)
    }

    pub(crate) fn is_writable(self) -> bool {
        matches!(self, Self::Coil | Self::HoldingRegister | Self::FileRecord(_))
    }

    /// Whether the device says how long the answer is.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::FifoQueue | Self::DeviceIdentification)
    }

    /// The most that the Modbus specification lets a request ask for.
    pub(crate) fn limit(self) -> u32 {
        match self {
            Self::Coil | Self::DiscreteInput => 2000,
            Self::FileRecord(_) => 121,
            _ => 125,
        }
    }
}

/// Neighbouring registers of one table, or bits. They end at 65535 at the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) table: Table,
    pub(crate) start: u16,
    pub(crate) count: u16,
}

impl Span {
    /// How many addresses a table has.
    pub(crate) const ADDRESSES: u32 = 1 << 16;

    /// The first address behind it.
    pub(crate) fn end(self) -> u32 {
        u32::from(self.start) + u32::from(self.count)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.table {
            Table::FileRecord(file) => write!(f, "FileRecord {} of file {file}", self.start),
            table => write!(f, "{table:?} {}", self.start),
        }
    }
}

/// One request, and for whom it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    span: Span,
    /// In the order of their addresses, each with its place in the list that was planned. Never empty.
    members: Vec<(usize, Span)>,
}

/// What a device lets a request ask for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits {
    /// The most registers between two that are wanted.
    pub(crate) max_gap: u16,
    /// The most registers, where it is fewer than the specification allows.
    pub(crate) max_registers: Option<u32>,
    /// What is not read, nor bridged.
    pub(crate) forbidden: Forbidden,
}

impl Limits {
    fn most(&self, table: Table) -> u32 {
        let most = self.max_registers.filter(|_| !table.holds_bits());
        most.map_or(table.limit(), |most| most.min(table.limit()))
    }
}

/// Puts spans together into as few requests as there can be within these limits. No span is torn apart, since a device may change its
/// registers between two requests; so one that is longer than a request should be is asked for whole.
pub(crate) fn plan(spans: impl Iterator<Item = Span>, limits: &Limits) -> Vec<Block> {
    let mut members: Vec<(usize, Span)> = spans.enumerate().collect();
    members.sort_by_key(|(_, span)| *span);
    let mut blocks: Vec<Block> = Vec::new();
    for (at, span) in members {
        match blocks.last_mut() {
            Some(block) if block.reaches(span, limits) => block.push(at, span),
            _ => blocks.push(Block { span, members: vec![(at, span)] }),
        }
    }
    blocks
}

impl Block {
    /// What to ask for.
    pub(crate) fn span(&self) -> Span {
        self.span
    }

    /// The spans that were put together, each with its place in the list that was planned.
    pub(crate) fn members(&self) -> impl Iterator<Item = (usize, Span)> {
        self.members.iter().copied()
    }

    pub(crate) fn is_merged(&self) -> bool {
        self.members.len() > 1
    }

    /// Each member's part of the answer to the whole.
    pub(crate) fn parts<'a>(&'a self, words: &'a [u16]) -> impl Iterator<Item = (usize, &'a [u16])> {
        self.members().map(move |(at, span)| {
            let offset = usize::from(span.start - self.span.start);
            let part = if span.table.is_open() { words } else { &words[offset..offset + usize::from(span.count)] };
            (at, part)
        })
    }

    /// The same members in two requests.
    pub(crate) fn halves(&self) -> [Self; 2] {
        let (left, right) = self.members.split_at(self.members.len() / 2);
        [left, right].map(|members| {
            let (_, first) = members[0];
            let mut half = Self { span: first, members: Vec::with_capacity(members.len()) };
            members.iter().for_each(|(at, span)| half.push(*at, *span));
            half
        })
    }

    /// Whether a span that starts no earlier than this block may join it.
    fn reaches(&self, span: Span, limits: &Limits) -> bool {
        if span.table.is_open() {
            return self.span == span;
        }
        let end = self.span.end().max(span.end());
        let count = end - u32::from(self.span.start);
        self.span.table == span.table
            && u32::from(span.start) <= self.span.end() + u32::from(limits.max_gap)
            && count <= limits.most(span.table)
            && u16::try_from(count).is_ok_and(|count| !limits.forbidden.touches(Span { count, ..self.span }))
    }

    fn push(&mut self, at: usize, span: Span) {
        let end = self.span.end().max(span.end());
        self.span.count = u16::try_from(end - u32::from(self.span.start)).expect("a block stays within the limit");
        self.members.push((at, span));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn span(table: Table, start: u16, count: u16) -> Span {
        Span { table, start, count }
    }

    fn holding(start: u16, count: u16) -> Span {
        span(Table::HoldingRegister, start, count)
    }

    fn gap(max_gap: u16) -> Limits {
        Limits { max_gap, ..Limits::default() }
    }

    /// The requests as (start, count).
    fn requests(spans: &[Span], max_gap: u16) -> Vec<(u16, u16)> {
        plan(spans.iter().copied(), &gap(max_gap)).iter().map(|block| (block.span.start, block.span.count)).collect()
    }

    #[test]
    fn neighbours_become_one_request_in_whatever_order_they_come() {
        assert_eq!(requests(&[holding(4, 2), holding(0, 1), holding(1, 3)], 0), [(0, 6)]);
    }

    #[test]
    fn a_gap_is_bridged_up_to_the_limit_that_was_set() {
        let spans = [holding(0, 1), holding(3, 1)];
        assert_eq!(requests(&spans, 1), [(0, 1), (3, 1)]);
        assert_eq!(requests(&spans, 2), [(0, 4)]);
    }

    #[test]
    fn overlapping_and_nested_spans_are_asked_for_once() {
        assert_eq!(requests(&[holding(0, 4), holding(1, 1), holding(2, 4), holding(0, 4)], 0), [(0, 6)]);
    }

    #[test]
    fn tables_are_not_mixed() {
        assert_eq!(requests(&[holding(0, 1), span(Table::InputRegister, 1, 1)], 10), [(0, 1), (1, 1)]);
    }

    #[test]
    fn a_request_stays_within_what_modbus_allows_and_tears_no_value_apart() {
        let doubles: Vec<Span> = (0..40).map(|n| holding(n * 4, 4)).collect();
        assert_eq!(requests(&doubles, 0), [(0, 124), (124, 36)]);
        let bits: Vec<Span> = (0..2001).map(|n| span(Table::Coil, n, 1)).collect();
        assert_eq!(requests(&bits, 0), [(0, 2000), (2000, 1)]);
    }

    #[test]
    fn a_device_may_allow_fewer_registers_at_once_and_still_gets_a_long_value_whole() {
        let limits = Limits { max_registers: Some(8), ..gap(0) };
        let spans =
            [holding(0, 4), holding(4, 4), holding(8, 4), holding(20, 16), holding(36, 1), span(Table::Coil, 0, 99)];
        let blocks = plan(spans.into_iter(), &limits);
        let counts: Vec<_> = blocks.iter().map(|block| block.span.count).collect();
        assert_eq!(counts, [99, 8, 4, 16, 1]);
    }

    #[test]
    fn a_forbidden_address_is_not_bridged() {
        let forbidden = serde_json::from_str("\"3-4\"").expect("a list");
        let limits = Limits { forbidden, ..gap(10) };
        let spans = [holding(0, 1), holding(2, 1), holding(5, 1), holding(7, 1)];
        let blocks = plan(spans.into_iter(), &limits);
        let spans: Vec<_> = blocks.iter().map(|block| (block.span.start, block.span.count)).collect();
        assert_eq!(spans, [(0, 3), (5, 3)]);
    }

    #[test]
    fn the_last_address_can_be_planned() {
        assert_eq!(requests(&[holding(65532, 4), holding(65531, 1)], u16::MAX), [(65531, 5)]);
    }

    #[test]
    fn every_member_gets_its_own_part_of_the_answer() {
        let blocks = plan([holding(12, 2), holding(10, 1)].into_iter(), &gap(1));
        let parts: Vec<_> = blocks[0].parts(&[100, 101, 102, 103]).collect();
        assert_eq!(parts, [(1, &[100][..]), (0, &[102, 103][..])]);
    }

    #[test]
    fn halves_hold_all_members_and_no_gap_between_them() {
        let blocks = plan([holding(0, 2), holding(1, 1), holding(5, 1)].into_iter(), &gap(5));
        let [left, right] = blocks[0].halves();
        assert_eq!((left.span, left.members), (holding(0, 2), vec![(0, holding(0, 2))]));
        assert_eq!((right.span, right.members), (holding(1, 5), vec![(1, holding(1, 1)), (2, holding(5, 1))]));
    }

    /// A span anywhere below 1000, so that many of them meet.
    fn any_span() -> impl Strategy<Value = Span> {
        (any::<bool>(), 0..1000_u16, 1..=4_u16)
            .prop_map(|(coil, start, count)| if coil { span(Table::Coil, start, 1) } else { holding(start, count) })
    }

    proptest! {
        #[test]
        fn every_span_gets_its_registers_whole_and_halved(
            spans in prop::collection::vec(any_span(), 0..200),
            max_gap in 0..20_u16,
        ) {
            let mut blocks = plan(spans.iter().copied(), &gap(max_gap));
            let mut served = vec![0; spans.len()];
            while let Some(block) = blocks.pop() {
                prop_assert!(u32::from(block.span.count) <= block.span.table.limit());
                // A device of which each register holds its own address.
                let words: Vec<u16> = (block.span.start..).take(block.span.count.into()).collect();
                for (at, part) in block.parts(&words) {
                    let expected: Vec<u16> = (spans[at].start..).take(spans[at].count.into()).collect();
                    prop_assert_eq!(part, expected);
                    prop_assert_eq!(block.span.table, spans[at].table);
                    served[at] += 1;
                }
                if block.is_merged() {
                    block.members().for_each(|(at, _)| served[at] -= 1);
                    blocks.extend(block.halves());
                }
            }
            prop_assert_eq!(served, vec![1; spans.len()]);
        }
    }
}
