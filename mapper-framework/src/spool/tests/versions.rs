//! Segments of the first version of the format, which are read for ever.

use super::*;

/// The size of the frame of a [`record`] in the first version.
const FRAME_OF_100: usize = 108;

fn offset(record: usize) -> usize {
    HEADER + record * FRAME_OF_100
}

/// The first version of the segment with this number, with the records of these numbers.
fn v1(number: u64, ids: std::ops::Range<u64>) -> Vec<u8> {
    let mut bytes = format::Header::encode_version(1, number).to_vec();
    ids.for_each(|id| format::push_record_v1(&record(id), &mut bytes));
    bytes
}

/// A folder with two segments of the first version, with nine and with three records.
fn with_old_segments(damage: impl Fn(&mut Vec<u8>, &mut Vec<u8>)) -> TempDir {
    let folder = folder();
    let (mut first, mut second) = (v1(1, 0..9), v1(2, 9..12));
    damage(&mut first, &mut second);
    fs::write(segment(folder.path(), 1), first).unwrap();
    fs::write(segment(folder.path(), 2), second).unwrap();
    folder
}

#[test]
fn old_segments_are_read_and_new_ones_follow_them() {
    let folder = with_old_segments(|_, _| {});
    let (mut spool, recovery) = open(folder.path());
    assert_eq!(recovery, Recovery { pending: 12, ..Recovery::default() });
    store(&mut spool, 12..15);
    assert_eq!(read(&mut spool, 10), ids(0..10));
    spool.acknowledge().unwrap();
    drop(spool);
    let (mut spool, recovery) = open(folder.path());
    assert_eq!(recovery, Recovery { pending: 5, ..Recovery::default() });
    assert_eq!(read(&mut spool, 10), ids(10..15));
}

#[test]
fn a_flipped_bit_in_an_old_segment_costs_the_record_it_hits() {
    for at in HEADER..offset(9) {
        let folder = with_old_segments(|first, _| first[at] ^= 0x10);
        let (mut spool, recovery) = open(folder.path());
        let expected = Recovery { pending: 11, corrupt_segments: 1, corrupt_records: 1, ..Recovery::default() };
        assert_eq!(recovery, expected, "byte {at}");
        let broken = ((at - HEADER) / FRAME_OF_100) as u64;
        assert_eq!(read(&mut spool, 20), [ids(0..broken), ids(broken + 1..12)].concat());
    }
}

#[test]
fn only_the_last_record_of_the_newest_old_segment_may_be_taken_for_a_torn_tail() {
    for at in HEADER..offset(3) {
        let folder = with_old_segments(|_, second| second[at] ^= 0x10);
        let (mut spool, recovery) = open(folder.path());
        let broken = ((at - HEADER) / FRAME_OF_100) as u64;
        let is_last = broken == 2;
        assert_eq!(
            (recovery.pending, recovery.corrupt_records, recovery.torn_bytes > 0),
            (11, u64::from(!is_last), is_last)
        );
        assert_eq!(read(&mut spool, 20), [ids(0..9 + broken), ids(10 + broken..12)].concat());
    }
}

#[test]
fn a_broken_header_of_an_old_segment_costs_no_record() {
    let folder = with_old_segments(|first, _| first[9] ^= 0x10);
    let (mut spool, recovery) = open(folder.path());
    assert_eq!(recovery, Recovery { pending: 12, corrupt_segments: 1, ..Recovery::default() });
    assert_eq!(read(&mut spool, 20), ids(0..12));
}
