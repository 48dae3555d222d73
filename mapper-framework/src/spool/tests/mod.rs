//! What a spool promises, rule by rule.

mod corruption;
mod faults;
mod killed;
mod properties;
mod versions;

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use tempfile::TempDir;

use super::*;

/// The size of a segment that has nine records of a hundred bytes of one append, or eight of up to five.
const SEGMENT: u64 = 1_060;

/// Eight such segments.
const OPTIONS: Options = Options { max_bytes: CURSOR + 8 * SEGMENT, sync: SpoolSync::Never };
const RECORDS_PER_SEGMENT: u64 = 9;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn open(folder: &Path) -> (Spool, Recovery) {
    Spool::open(folder, OPTIONS).unwrap()
}

/// A record of a hundred bytes that differs from all others.
fn record(id: u64) -> Vec<u8> {
    sized_record(id, 100)
}

/// A record that begins with its number.
fn sized_record(id: u64, bytes: usize) -> Vec<u8> {
    let mut record = id.to_le_bytes().to_vec();
    record.extend((8..bytes).map(|at| (at as u64 * 31 + id) as u8));
    record
}

fn id(record: &[u8]) -> u64 {
    u64::from_le_bytes(record[..8].try_into().unwrap())
}

/// Appends the records with these numbers, one call for all.
fn append(spool: &mut Spool, ids: std::ops::Range<u64>) -> Appended {
    let records: Vec<_> = ids.map(record).collect();
    spool.append(records.iter().map(Vec::as_slice))
}

/// Appends as [`append`] does, and nothing may be in the way.
fn store(spool: &mut Spool, ids: std::ops::Range<u64>) {
    let count = ids.end - ids.start;
    let appended = append(spool, ids);
    assert!(appended.failure.is_none(), "{appended:?}");
    assert_eq!((appended.stored, appended.dropped), (count, 0));
}

/// The numbers of up to `count` records.
fn read(spool: &mut Spool, count: usize) -> Vec<u64> {
    let batch = spool.read(count, usize::MAX).unwrap();
    assert_eq!(batch.lost, 0);
    batch.records.iter().map(|found| id(found)).inspect(|id| assert!(batch.records.contains(&record(*id)))).collect()
}

fn counts(spool: &Spool) -> (u64, u64) {
    (spool.pending(), spool.leased())
}

fn ids(range: std::ops::Range<u64>) -> Vec<u64> {
    range.collect()
}

/// The names of all files but the lock.
fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name != "lock").collect();
    names.sort();
    names
}

/// The bytes of all files.
fn bytes(folder: &Path) -> u64 {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

fn segment(folder: &Path, number: u64) -> PathBuf {
    Name::segment(number).within(folder)
}

#[test]
fn records_come_out_once_and_in_order() {
    let folder = folder();
    let (mut spool, recovery) = open(folder.path());
    assert_eq!(recovery, Recovery::default());
    store(&mut spool, 0..4);
    store(&mut spool, 4..30);
    assert_eq!(counts(&spool), (30, 0));
    assert_eq!(read(&mut spool, 7), ids(0..7));
    assert_eq!(counts(&spool), (30, 7));
    assert_eq!(read(&mut spool, 20), ids(7..27));
    spool.acknowledge().unwrap();
    assert_eq!(counts(&spool), (3, 0));
    assert_eq!(read(&mut spool, 100), ids(27..30));
    assert!(read(&mut spool, 100).is_empty());
    store(&mut spool, 30..31);
    assert_eq!(read(&mut spool, 100), [30]);
    assert_eq!(counts(&spool), (4, 4));
}

#[test]
fn after_a_restart_comes_all_that_was_not_acknowledged() {
    let folder = folder();
    let (mut spool, _) = open(folder.path());
    store(&mut spool, 0..20);
    read(&mut spool, 12);
    spool.acknowledge().unwrap();
    read(&mut spool, 3);
    drop(spool);
    let (mut spool, recovery) = open(folder.path());
    assert_eq!(recovery, Recovery { pending: 8, ..Recovery::default() });
    store(&mut spool, 20..22);
    assert_eq!(read(&mut spool, 100), ids(12..22));
    spool.acknowledge().unwrap();
    drop(spool);
    assert_eq!(open(folder.path()).1, Recovery::default());
}

#[test]
fn an_acknowledged_segment_is_removed_at_once() {
    let folder = folder();
    let (mut spool, _) = open(folder.path());
    store(&mut spool, 0..RECORDS_PER_SEGMENT * 2 + 1);
    assert_eq!(names(folder.path()).len(), 3);
    read(&mut spool, RECORDS_PER_SEGMENT as usize);
    spool.acknowledge().unwrap();
    assert!(!segment(folder.path(), 1).exists());
    read(&mut spool, 100);
    spool.acknowledge().unwrap();
    assert_eq!(names(folder.path()), ["cursor"]);
    assert_eq!((spool.bytes(), spool.pending()), (CURSOR, 0));
}

#[test]
fn the_oldest_segment_makes_room_and_its_records_are_counted() {
    let folder = folder();
    let (mut spool, _) = open(folder.path());
    store(&mut spool, 0..RECORDS_PER_SEGMENT * 8);
    let appended = append(&mut spool, 72..73);
    assert_eq!((appended.stored, appended.dropped), (1, RECORDS_PER_SEGMENT));
    assert!(spool.bytes() <= OPTIONS.max_bytes);
    assert_eq!(counts(&spool), (64, 0));
    assert_eq!(read(&mut spool, 100), ids(9..73));
}

#[test]
fn one_append_may_be_larger_than_the_spool() {
    let folder = folder();
    let (mut spool, _) = open(folder.path());
    let appended = append(&mut spool, 0..200);
    assert_eq!(appended.stored, 200);
    assert_eq!(appended.dropped + spool.pending(), 200);
    assert_eq!(read(&mut spool, 200), ids(appended.dropped..200));
    assert!(bytes(folder.path()) <= OPTIONS.max_bytes);
}

#[test]
fn a_leased_record_whose_segment_goes_stays_leased_and_is_not_dropped() {
    let folder = folder();
    let (mut spool, _) = open(folder.path());
    store(&mut spool, 0..RECORDS_PER_SEGMENT * 8);
    assert_eq!(read(&mut spool, 4), ids(0..4));
    let appended = append(&mut spool, 72..73);
    assert_eq!((appended.stored, appended.dropped), (1, 5), "five records of the segment were unread");
    assert_eq!(counts(&spool), (68, 4));
    assert_eq!(read(&mut spool, 2), ids(9..11));
    spool.acknowledge().unwrap();
    assert_eq!(counts(&spool), (62, 0));
    assert_eq!(read(&mut spool, 100), ids(11..73));
}

#[test]
fn a_smaller_limit_drops_the_oldest_when_the_spool_is_opened() {
    let folder = folder();
    let (mut spool, _) = open(folder.path());
    store(&mut spool, 0..72);
    drop(spool);
    let smaller = Options { max_bytes: CURSOR + 4 * SEGMENT, ..OPTIONS };
    let (mut spool, recovery) = Spool::open(folder.path(), smaller).unwrap();
    assert_eq!((recovery.pending, recovery.dropped), (36, 36));
    assert_eq!(read(&mut spool, 100), ids(36..72));
    assert!(bytes(folder.path()) <= smaller.max_bytes);
}

#[test]
fn a_record_that_is_too_large_is_named_and_costs_no_other() {
    let folder = folder();
    let (mut spool, _) = open(folder.path());
    let limit = spool.largest_record();
    let (fits, too_large) = (vec![7; limit], vec![7; limit + 1]);
    let records: [&[u8]; 5] = [b"a", &too_large, b"b", &fits, &too_large];
    let appended = spool.append(records);
    assert!(appended.failure.is_none());
    assert_eq!((appended.stored, appended.settled()), (3, 5));
    let refused = |index| TooLarge { index, bytes: limit + 1, limit };
    assert_eq!(appended.refused, [refused(1), refused(4)]);
    assert!(appended.refused[0].to_string().contains("`spool.max_bytes`"));
    assert_eq!(spool.read(10, usize::MAX).unwrap().records, [b"a".to_vec(), b"b".to_vec(), fits]);
}

#[test]
fn a_batch_is_bounded_in_bytes_but_never_empty_for_that() {
    let folder = folder();
    let (mut spool, _) = open(folder.path());
    store(&mut spool, 0..10);
    assert_eq!(spool.read(10, 299).unwrap().records.len(), 2);
    assert_eq!(spool.read(10, 300).unwrap().records.len(), 3);
    assert_eq!(spool.read(10, 1).unwrap().records.len(), 1);
    assert_eq!(spool.read(0, 1000).unwrap().records.len(), 0);
    assert_eq!(read(&mut spool, 10), ids(6..10));
}

#[test]
fn a_folder_belongs_to_one_owner() {
    let folder = folder();
    let (spool, _) = open(folder.path());
    let error = Spool::open(folder.path(), OPTIONS).unwrap_err();
    assert!(matches!(error, SpoolError::InUse { .. }));
    let message = error.to_string();
    assert!(message.contains(folder.path().to_str().unwrap()) && message.contains("spool.dir"), "{message}");
    drop(spool);
    open(folder.path());
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = folder();
    let path = folder.path().join("file");
    fs::write(&path, "").unwrap();
    let error = Spool::open(&path, OPTIONS).unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot create {}: ", path.display())), "{error}");
}

#[test]
fn the_folder_is_made_and_its_records_are_nobody_elses() {
    let folder = folder();
    let path = folder.path().join("spool/redis");
    let (mut spool, _) = Spool::open(&path, Options { sync: SpoolSync::Batch, ..OPTIONS }).unwrap();
    store(&mut spool, 0..1);
    let mode = fs::metadata(segment(&path, 1)).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
}

#[test]
fn a_spool_too_small_for_anything_refuses_everything() {
    for max_bytes in [0, 1, CURSOR, CURSOR + 8 * (HEADER + FRAME + COMMIT - 1) as u64] {
        let folder = folder();
        let (mut spool, _) = Spool::open(folder.path(), Options { max_bytes, ..OPTIONS }).unwrap();
        let appended = spool.append([&b""[..], b"record"]);
        assert_eq!((appended.stored, appended.refused.len()), (0, 2));
    }
}

#[test]
fn a_segment_grows_to_eight_mebibytes_at_most() {
    let folder = folder();
    let (spool, _) = Spool::open(folder.path(), Options { max_bytes: u64::MAX, ..OPTIONS }).unwrap();
    assert_eq!(spool.segment_size(), 8 << 20);
}

#[test]
fn what_it_counts_is_what_lies_on_the_disk() {
    let folder = folder();
    let (mut spool, _) = open(folder.path());
    for round in 0..30 {
        append(&mut spool, round * 10..round * 10 + 10).settled();
        assert_eq!(spool.bytes(), bytes(folder.path()));
        read(&mut spool, 7);
        if round % 3 == 0 {
            spool.acknowledge().unwrap();
            assert_eq!(spool.bytes(), bytes(folder.path()));
        }
    }
}

#[test]
fn an_append_takes_no_more_than_was_said_before() {
    for sizes in [&[8, 100, 1][..], &[1_000; 30], &[10; 500]] {
        let folder = folder();
        let (mut spool, _) = open(folder.path());
        for _ in 0..3 {
            let records: Vec<_> = sizes.iter().map(|bytes| vec![7; *bytes]).collect();
            let most = spool.bytes() + spool.bytes_for(sizes.iter().copied());
            let appended = spool.append(records.iter().map(Vec::as_slice));
            assert!(appended.failure.is_none() && spool.bytes() <= most, "{} of {most}", spool.bytes());
        }
    }
}

#[test]
fn a_spool_that_is_removed_leaves_nothing_but_what_is_not_its_own() {
    let top = folder();
    let spool_folder = top.path().join("spool");
    let (mut spool, _) = open(&spool_folder);
    store(&mut spool, 0..20);
    read(&mut spool, 12);
    spool.acknowledge().unwrap();
    assert!(!spool.is_bare());
    spool.remove().unwrap();
    assert!(!spool_folder.exists());
    drop(spool);
    let (mut spool, recovery) = open(&spool_folder);
    assert_eq!((recovery, spool.is_bare()), (Recovery::default(), true));
    fs::write(spool_folder.join("notes"), "mine").unwrap();
    spool.remove().unwrap();
    assert_eq!(names(&spool_folder), ["notes"]);
}
