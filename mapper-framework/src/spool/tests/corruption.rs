//! What is broken on disk costs what it is, and no more.

use super::*;

/// The size of the frame of a [`record`].
const FRAME_OF_100: usize = FRAME + 100;

/// Where a record of a segment begins.
fn offset(record: usize) -> usize {
    HEADER + record * FRAME_OF_100
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0x40;
    fs::write(path, bytes).unwrap();
}

fn cut(path: &Path, bytes: usize) {
    let whole = fs::read(path).unwrap();
    fs::write(path, &whole[..bytes]).unwrap();
}

/// A folder with this many records in segments of nine.
fn with_records(count: u64) -> TempDir {
    let folder = folder();
    let (mut spool, _) = open(folder.path());
    store(&mut spool, 0..count);
    folder
}

#[test]
fn a_torn_tail_is_cut_wherever_it_was_torn() {
    for kept in 0..=offset(3) {
        let folder = with_records(3);
        cut(&segment(folder.path(), 1), kept);
        let (mut spool, recovery) = open(folder.path());
        let whole = kept.saturating_sub(HEADER) / FRAME_OF_100;
        let torn = if kept < HEADER { kept } else { kept - offset(whole) };
        let expected = Recovery { pending: whole as u64, torn_bytes: torn as u64, ..Recovery::default() };
        assert_eq!(recovery, expected, "{kept} bytes were kept");
        store(&mut spool, 10..11);
        let expected: Vec<_> = (0..whole as u64).chain([10]).collect();
        assert_eq!(read(&mut spool, 10), expected);
        drop(spool);
        assert_eq!(open(folder.path()).1.torn_bytes, 0, "it is cut once");
    }
}

#[test]
fn what_stands_behind_the_last_commit_is_torn_whatever_it_is() {
    for tail in [vec![0; 1000], vec![7; 1000], record(1)] {
        let folder = with_records(3);
        let path = segment(folder.path(), 1);
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend(&tail);
        fs::write(&path, bytes).unwrap();
        let (mut spool, recovery) = open(folder.path());
        assert_eq!(recovery, Recovery { pending: 3, torn_bytes: tail.len() as u64, ..Recovery::default() });
        assert_eq!(read(&mut spool, 10), [0, 1, 2]);
    }
}

#[test]
fn the_last_record_of_the_last_append_is_not_torn_because_it_is_broken() {
    let folder = with_records(3);
    flip(&segment(folder.path(), 1), offset(3) - 1);
    let (mut spool, recovery) = open(folder.path());
    assert_eq!(recovery, Recovery { pending: 2, corrupt_segments: 1, corrupt_records: 1, ..Recovery::default() });
    assert_eq!(read(&mut spool, 10), [0, 1]);
}

#[test]
fn a_broken_record_costs_itself_and_its_segment_is_set_aside_once_the_others_are_done_with() {
    let folder = with_records(20);
    flip(&segment(folder.path(), 1), offset(4) + 50);
    let (mut spool, recovery) = open(folder.path());
    let expected = Recovery { pending: 19, corrupt_segments: 1, corrupt_records: 1, ..Recovery::default() };
    assert_eq!(recovery, expected);
    assert_eq!(read(&mut spool, 6), [0, 1, 2, 3, 5, 6]);
    spool.acknowledge().unwrap();
    assert!(segment(folder.path(), 1).exists(), "what stands behind could not come again");
    assert_eq!(read(&mut spool, 4), [7, 8, 9, 10]);
    spool.acknowledge().unwrap();
    assert_eq!(names(folder.path())[0], "00000000000000000001.corrupt");
    assert_eq!(spool.bytes(), bytes(folder.path()));
    drop(spool);
    let (mut spool, recovery) = open(folder.path());
    assert_eq!(recovery, Recovery { pending: 9, ..Recovery::default() });
    assert_eq!(read(&mut spool, 100), ids(11..20));
}

#[test]
fn damage_that_is_done_with_is_not_reported_again() {
    let folder = with_records(9);
    flip(&segment(folder.path(), 1), offset(2));
    let (mut spool, recovery) = open(folder.path());
    assert_eq!((recovery.pending, recovery.corrupt_records), (8, 1));
    assert_eq!(read(&mut spool, 4), [0, 1, 3, 4]);
    spool.acknowledge().unwrap();
    drop(spool);
    let (mut spool, recovery) = open(folder.path());
    assert_eq!(recovery, Recovery { pending: 4, ..Recovery::default() });
    assert_eq!(read(&mut spool, 10), ids(5..9));
}

#[test]
fn new_records_do_not_go_into_a_segment_with_a_broken_one() {
    let folder = with_records(5);
    flip(&segment(folder.path(), 1), offset(1) + 50);
    let (mut spool, recovery) = open(folder.path());
    let expected = Recovery { pending: 4, corrupt_segments: 1, corrupt_records: 1, ..Recovery::default() };
    assert_eq!(recovery, expected);
    store(&mut spool, 5..7);
    assert_eq!(read(&mut spool, 10), [0, 2, 3, 4, 5, 6]);
    assert_eq!(names(folder.path()).iter().filter(|name| name.ends_with("segment")).count(), 2);
}

#[test]
fn a_broken_header_costs_no_record() {
    for byte in 0..HEADER {
        let folder = with_records(12);
        flip(&segment(folder.path(), 1), byte);
        let (mut spool, recovery) = open(folder.path());
        assert_eq!(recovery, Recovery { pending: 12, corrupt_segments: 1, ..Recovery::default() });
        assert_eq!(read(&mut spool, 20), ids(0..12), "byte {byte}");
    }
}

#[test]
fn what_was_in_a_sector_of_zeros_is_counted() {
    let folder = with_records(20);
    let path = segment(folder.path(), 2);
    let mut bytes = fs::read(&path).unwrap();
    bytes[512..1024].fill(0);
    fs::write(&path, bytes).unwrap();
    let (mut spool, recovery) = open(folder.path());
    // Records 13 to 17.
    assert_eq!((recovery.pending, recovery.corrupt_segments, recovery.corrupt_records), (15, 1, 5));
    assert_eq!(read(&mut spool, 20), [ids(0..13), ids(18..20)].concat());
}

#[test]
fn an_older_segment_that_ends_too_early_or_is_gone_is_counted() {
    for kept in [None, Some(0), Some(HEADER - 1), Some(HEADER), Some(offset(3)), Some(offset(8) + 1), Some(offset(9))] {
        let folder = with_records(30);
        match kept {
            Some(kept) => cut(&segment(folder.path(), 2), kept),
            None => fs::remove_file(segment(folder.path(), 2)).unwrap(),
        }
        let whole = kept.unwrap_or_default().saturating_sub(HEADER) as u64 / FRAME_OF_100 as u64;
        let (mut spool, recovery) = open(folder.path());
        let counts = (recovery.pending, recovery.corrupt_records, recovery.torn_bytes);
        assert_eq!(counts, (21 + whole, 9 - whole, 0), "{kept:?} bytes were kept");
        assert_eq!(read(&mut spool, 30), [ids(0..9 + whole), ids(18..30)].concat());
    }
}

#[test]
fn a_record_that_breaks_while_the_spool_is_open_costs_itself() {
    let folder = folder();
    let (mut spool, _) = open(folder.path());
    store(&mut spool, 0..12);
    flip(&segment(folder.path(), 1), offset(3));
    flip(&segment(folder.path(), 1), offset(6));
    let batch = spool.read(8, usize::MAX).unwrap();
    assert_eq!(batch.records.iter().map(|found| id(found)).collect::<Vec<_>>(), [0, 1, 2, 4, 5, 7, 8, 9]);
    assert_eq!(batch.lost, 2);
    assert_eq!(counts(&spool), (10, 8));
    spool.acknowledge().unwrap();
    assert_eq!(counts(&spool), (2, 0));
    assert_eq!(names(folder.path())[0], "00000000000000000001.corrupt");
}

#[test]
fn nothing_is_written_behind_a_record_that_broke() {
    let folder = folder();
    let (mut spool, _) = open(folder.path());
    store(&mut spool, 0..3);
    flip(&segment(folder.path(), 1), offset(1));
    let batch = spool.read(1, usize::MAX).unwrap();
    assert_eq!((batch.records, batch.lost), (vec![record(0)], 1));
    assert_eq!(read(&mut spool, 1), [2]);
    store(&mut spool, 3..5);
    assert_eq!(names(folder.path()).iter().filter(|name| name.ends_with("segment")).count(), 2);
    assert_eq!(read(&mut spool, 5), [3, 4]);
    drop(spool);
    assert_eq!(read(&mut open(folder.path()).0, 5), [0, 2, 3, 4]);
}

#[test]
fn a_segment_that_is_removed_while_the_spool_is_open_is_counted() {
    let folder = folder();
    let (mut spool, _) = open(folder.path());
    store(&mut spool, 0..12);
    fs::remove_file(segment(folder.path(), 1)).unwrap();
    let batch = spool.read(1, usize::MAX).unwrap();
    assert_eq!((batch.lost, id(&batch.records[0])), (9, 9));
    spool.acknowledge().unwrap();
    assert_eq!(counts(&spool), (2, 0));
    assert_eq!(spool.bytes(), bytes(folder.path()));
}

#[test]
fn a_segment_of_another_version_is_set_aside_as_it_is() {
    let folder = with_records(12);
    let path = segment(folder.path(), 1);
    let mut bytes = fs::read(&path).unwrap();
    bytes[..HEADER].copy_from_slice(&format::Header::encode_version(3, 1));
    fs::write(&path, &bytes).unwrap();
    let (mut spool, recovery) = open(folder.path());
    assert_eq!(recovery, Recovery { pending: 3, unknown_segments: 1, ..Recovery::default() });
    assert_eq!(read(&mut spool, 10), [9, 10, 11]);
    assert_eq!(fs::read(path.with_extension("unknown")).unwrap(), bytes);
}

#[test]
fn the_newest_two_corrupt_segments_are_kept() {
    let folder = with_records(40);
    for number in 1..=4 {
        fs::write(segment(folder.path(), number), [7; 500]).unwrap();
    }
    let (spool, recovery) = open(folder.path());
    assert_eq!((recovery.corrupt_segments, recovery.pending), (4, 4));
    let kept: Vec<_> = names(folder.path()).into_iter().filter(|name| name.ends_with(".corrupt")).collect();
    assert_eq!(kept, ["00000000000000000003.corrupt", "00000000000000000004.corrupt"]);
    assert_eq!(spool.bytes(), bytes(folder.path()));
}

#[test]
fn no_more_than_two_are_kept_while_the_spool_is_open() {
    let folder = folder();
    let (mut spool, _) = open(folder.path());
    store(&mut spool, 0..40);
    (1..=3).for_each(|number| flip(&segment(folder.path(), number), offset(1)));
    assert_eq!(spool.read(100, usize::MAX).unwrap().lost, 3);
    spool.acknowledge().unwrap();
    let kept = ["00000000000000000002.corrupt", "00000000000000000003.corrupt", "cursor"];
    assert_eq!(names(folder.path()), kept);
    assert_eq!(spool.bytes(), bytes(folder.path()));
}

#[test]
fn a_number_that_turns_corrupt_twice_is_counted_once() {
    let folder = folder();
    fs::write(segment(folder.path(), 1), [7; 500]).unwrap();
    let (mut spool, recovery) = open(folder.path());
    assert_eq!(recovery.corrupt_segments, 1);
    store(&mut spool, 0..3);
    flip(&segment(folder.path(), 1), offset(0));
    assert_eq!(spool.read(100, usize::MAX).unwrap().lost, 1);
    spool.acknowledge().unwrap();
    assert_eq!(names(folder.path()), ["00000000000000000001.corrupt", "cursor"]);
    assert_eq!(spool.bytes(), bytes(folder.path()));
}

#[test]
fn what_is_set_aside_makes_room_first() {
    let folder = with_records(30);
    fs::write(segment(folder.path(), 1), [7; 1000]).unwrap();
    let (mut spool, _) = open(folder.path());
    assert_eq!(names(folder.path()).len(), 4);
    store(&mut spool, 30..75);
    assert!(!names(folder.path()).iter().any(|name| name.ends_with(".corrupt")));
    assert_eq!(read(&mut spool, 100), ids(9..75));
}

#[test]
fn a_lost_cursor_costs_duplicates_only() {
    let damages: [fn(&Path); 3] = [
        |cursor| fs::remove_file(cursor).unwrap(),
        |cursor| fs::write(cursor, "garbage").unwrap(),
        |cursor| fs::write(cursor, "").unwrap(),
    ];
    for (damage, is_told) in damages.into_iter().zip([false, true, true]) {
        let folder = folder();
        let (mut spool, _) = open(folder.path());
        store(&mut spool, 0..8);
        read(&mut spool, 5);
        spool.acknowledge().unwrap();
        drop(spool);
        damage(&folder.path().join("cursor"));
        let (mut spool, recovery) = open(folder.path());
        assert_eq!(recovery, Recovery { pending: 8, cursor_lost: is_told, ..Recovery::default() });
        assert_eq!(read(&mut spool, 10), ids(0..8));
    }
}

#[test]
fn a_cursor_that_outlived_its_segments_hides_no_new_records() {
    let folder = folder();
    let (mut spool, _) = open(folder.path());
    store(&mut spool, 0..8);
    read(&mut spool, 7);
    spool.acknowledge().unwrap();
    drop(spool);
    fs::remove_file(segment(folder.path(), 1)).unwrap();
    let (mut spool, _) = open(folder.path());
    store(&mut spool, 8..12);
    drop(spool);
    assert_eq!(read(&mut open(folder.path()).0, 10), ids(8..12));
}

#[test]
fn records_behind_a_cut_are_not_hidden_by_an_older_cursor() {
    let folder = folder();
    let (mut spool, _) = open(folder.path());
    store(&mut spool, 0..8);
    read(&mut spool, 6);
    spool.acknowledge().unwrap();
    drop(spool);
    cut(&segment(folder.path(), 1), offset(4));
    let (mut spool, recovery) = open(folder.path());
    assert_eq!(recovery, Recovery::default(), "what is left is acknowledged");
    store(&mut spool, 8..12);
    drop(spool);
    assert_eq!(read(&mut open(folder.path()).0, 10), ids(8..12));
}

#[test]
fn what_else_lies_in_the_folder_is_no_hindrance_and_stays() {
    let folder = with_records(3);
    let path = |name: &str| folder.path().join(name);
    fs::write(path("README"), "a note").unwrap();
    fs::write(path("00000000000000000007.segment"), "garbage, and longer than any header is").unwrap();
    fs::write(path("00000000000000000005.segment"), "").unwrap();
    fs::write(path("09223372036854775807.segment"), [0xff; 5000]).unwrap();
    fs::write(path("99999999999999999999.segment"), "a number that is too large").unwrap();
    for name in ["00000000000000000002.segment", "00000000000000000007.corrupt", "cursor", "folder"] {
        fs::create_dir(path(name)).unwrap();
        fs::write(path(name).join("file"), "").unwrap();
    }
    std::os::unix::fs::symlink(path("README"), path("00000000000000000003.segment")).unwrap();
    let (mut spool, recovery) = open(folder.path());
    assert_eq!((recovery.pending, recovery.corrupt_segments, recovery.cursor_lost), (3, 2, true));
    store(&mut spool, 3..6);
    assert_eq!(read(&mut spool, 10), ids(0..6));
    let error = spool.acknowledge().unwrap_err().to_string();
    assert!(error.contains(path("cursor").to_str().unwrap()), "{error}");
    assert_eq!(counts(&spool), (0, 0), "they are done with all the same");
    assert!(!segment(folder.path(), 1).exists());
    assert_eq!(fs::read_to_string(path("README")).unwrap(), "a note");
    assert!(path("00000000000000000002.segment/file").exists() && path("99999999999999999999.segment").exists());
}

#[test]
fn a_folder_in_the_place_of_the_lock_is_locked_like_it() {
    let folder = folder();
    fs::create_dir(folder.path().join("lock")).unwrap();
    let (_spool, _) = open(folder.path());
    assert!(matches!(Spool::open(folder.path(), OPTIONS), Err(SpoolError::InUse { .. })));
}

#[test]
fn damage_that_waits_is_counted_once_and_more_of_it_too() {
    let folder = folder();
    let (mut spool, _) = open(folder.path());
    store(&mut spool, 0..RECORDS_PER_SEGMENT * 2);
    drop(spool);
    let path = segment(folder.path(), 1);
    let break_at = |record: usize| {
        let mut bytes = fs::read(&path).unwrap();
        bytes[HEADER + record * (FRAME + 100) + FRAME + 10] ^= 1;
        fs::write(&path, bytes).unwrap();
    };
    let damage = || {
        let (spool, recovery) = open(folder.path());
        assert_eq!(spool.bytes(), bytes(folder.path()));
        (recovery.corrupt_segments, recovery.corrupt_records, recovery.pending)
    };
    break_at(2);
    assert_eq!(damage(), (1, 1, 17));
    assert_eq!(damage(), (0, 0, 17), "it waits");
    break_at(5);
    assert_eq!(damage(), (1, 1, 16));
    assert_eq!(damage(), (0, 0, 16));
    let (mut spool, _) = open(folder.path());
    read(&mut spool, 100);
    spool.acknowledge().unwrap();
    assert!(!folder.path().join("damage").exists());
}
