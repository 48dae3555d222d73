//! A disk that is full, or that fails.

use std::{
    fs::File,
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use crate::spool::writer::{Disk, DiskFile};

use super::*;

/// A disk with little room, which writes in small pieces, and which can be made to fail.
#[derive(Clone)]
struct SmallDisk {
    left: Arc<AtomicU64>,
    /// Whether forcing data to the disk fails.
    sync_fails: Arc<AtomicBool>,
    /// Whether cutting a file fails.
    cut_fails: Arc<AtomicBool>,
}

struct SmallFile {
    file: File,
    disk: SmallDisk,
}

/// How much is written at once: less than a frame, so that each of them is cut in pieces.
const PIECE: u64 = 60;

impl SmallDisk {
    fn with(left: u64) -> Self {
        Self { left: Arc::new(left.into()), sync_fails: Arc::default(), cut_fails: Arc::default() }
    }
}

fn no_space() -> io::Error {
    io::ErrorKind::StorageFull.into()
}

impl Disk for SmallDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        if self.left.load(Relaxed) == 0 {
            return Err(no_space());
        }
        Ok(Box::new(SmallFile { file: File::create_new(path)?, disk: self.clone() }))
    }
}

impl Write for SmallFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = PIECE.min(bytes.len() as u64).min(self.disk.left.load(Relaxed));
        if piece == 0 && !bytes.is_empty() {
            return Err(no_space());
        }
        self.disk.left.fetch_sub(piece, Relaxed);
        self.file.write_all(&bytes[..piece as usize])?;
        Ok(piece as usize)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl DiskFile for SmallFile {
    fn sync_data(&mut self) -> io::Result<()> {
        if self.disk.sync_fails.load(Relaxed) { Err(io::Error::other("the disk is gone")) } else { Ok(()) }
    }

    fn set_len(&mut self, bytes: u64) -> io::Result<()> {
        if self.disk.cut_fails.load(Relaxed) {
            return Err(io::Error::other("the disk is gone"));
        }
        self.disk.left.fetch_add(self.file.metadata()?.len() - bytes, Relaxed);
        self.file.set_len(bytes)
    }
}

fn open_on(disk: &SmallDisk, folder: &Path, sync: SpoolSync) -> Spool {
    let (mut spool, _) = Spool::open(folder, Options { sync, ..OPTIONS }).unwrap();
    spool.disk = Box::new(disk.clone());
    spool
}

#[test]
fn a_full_disk_leaves_nothing_half_stored_wherever_it_ends() {
    for left in 0..1300 {
        let (folder, disk) = (folder(), SmallDisk::with(left));
        let mut spool = open_on(&disk, folder.path(), SpoolSync::Never);
        // The third call goes to two segments.
        let mut stored = 0;
        for ids in [0..2, 2..5, 5..12] {
            let appended = append(&mut spool, ids);
            stored += appended.stored;
            assert_eq!(appended.settled() as u64, appended.stored);
            if let Some(failure) = appended.failure {
                assert!(failure.is_disk_full() && failure.to_string().contains(".segment"), "{failure}");
                break;
            }
        }
        assert!([0, 2, 5, 8, 12].contains(&stored), "{stored} records with {left} bytes");
        assert_eq!(spool.bytes(), bytes(folder.path()));
        assert_eq!(counts(&spool), (stored, 0));
        assert_eq!(read(&mut spool, 1), if stored > 0 { vec![0] } else { vec![] });
        disk.left.store(1 << 20, Relaxed);
        store(&mut spool, stored..stored + 3);
        drop(spool);
        let (mut spool, recovery) = open(folder.path());
        assert_eq!(recovery, Recovery { pending: stored + 3, ..Recovery::default() }, "{left} bytes");
        assert_eq!(read(&mut spool, 100), ids(0..stored + 3));
    }
}

#[test]
fn a_full_disk_still_gives_and_forgets_what_it_has() {
    let (folder, disk) = (folder(), SmallDisk::with(730));
    let mut spool = open_on(&disk, folder.path(), SpoolSync::Never);
    store(&mut spool, 0..6);
    assert!(append(&mut spool, 6..9).failure.is_some_and(|failure| failure.is_disk_full()));
    assert_eq!(read(&mut spool, 4), ids(0..4));
    spool.acknowledge().unwrap();
    assert_eq!(read(&mut spool, 4), ids(4..6));
    spool.acknowledge().unwrap();
    assert_eq!(names(folder.path()), ["cursor"]);
    disk.left.store(730, Relaxed);
    store(&mut spool, 6..9);
    assert_eq!(read(&mut spool, 4), ids(6..9));
}

#[test]
fn a_record_refused_behind_the_failure_is_not_settled() {
    let (folder, disk) = (folder(), SmallDisk::with(250));
    let mut spool = open_on(&disk, folder.path(), SpoolSync::Never);
    let (record, too_large) = (record(0), vec![0; 2000]);
    let appended = spool.append([&too_large[..], &record]);
    assert_eq!((appended.stored, appended.settled()), (1, 2));
    let appended = spool.append([&too_large[..], &record, &record, &too_large]);
    assert!(appended.failure.is_some());
    assert_eq!((appended.stored, appended.settled()), (0, 0), "the owner has all of them still, in their order");
}

#[test]
fn what_could_not_be_forced_to_the_disk_is_not_stored() {
    let (folder, disk) = (folder(), SmallDisk::with(1 << 20));
    let mut spool = open_on(&disk, folder.path(), SpoolSync::Batch);
    store(&mut spool, 0..2);
    disk.sync_fails.store(true, Relaxed);
    let appended = append(&mut spool, 2..4);
    assert_eq!((appended.stored, appended.settled()), (0, 0));
    assert!(appended.failure.is_some_and(|failure| failure.to_string().starts_with("cannot sync ")));
    disk.sync_fails.store(false, Relaxed);
    store(&mut spool, 4..5);
    assert_eq!(names(folder.path()).len(), 2, "a file that failed gets no more records");
    drop(spool);
    assert_eq!(read(&mut open(folder.path()).0, 10), [0, 1, 4]);
}

#[test]
fn nothing_is_forced_to_the_disk_unless_it_is_the_policy() {
    let (folder, disk) = (folder(), SmallDisk::with(1 << 20));
    disk.sync_fails.store(true, Relaxed);
    let mut spool = open_on(&disk, folder.path(), SpoolSync::Never);
    store(&mut spool, 0..20);
}

#[test]
fn where_the_tail_cannot_be_cut_it_stays_hidden_while_the_spool_is_open() {
    let (folder, disk) = (folder(), SmallDisk::with(24 + 2 * 112 + 24 + 150));
    let mut spool = open_on(&disk, folder.path(), SpoolSync::Never);
    store(&mut spool, 0..2);
    disk.cut_fails.store(true, Relaxed);
    assert!(append(&mut spool, 2..4).failure.is_some());
    assert!(spool.bytes() >= bytes(folder.path()), "it counts what it could not cut");
    disk.left.store(1 << 20, Relaxed);
    store(&mut spool, 2..4);
    assert_eq!(read(&mut spool, 10), ids(0..4));
    drop(spool);
    let (mut spool, recovery) = open(folder.path());
    assert_eq!(recovery.corrupt_segments, 1);
    assert_eq!(
        read(&mut spool, 10),
        [0, 1, 2, 2, 3],
        "a record that was half a batch comes twice, and none is missing"
    );
}

#[test]
fn records_dropped_before_the_disk_turned_out_to_be_full_are_counted() {
    let (folder, disk) = (folder(), SmallDisk::with(1 << 20));
    let mut spool = open_on(&disk, folder.path(), SpoolSync::Never);
    store(&mut spool, 0..72);
    disk.left.store(0, Relaxed);
    let appended = append(&mut spool, 72..74);
    assert!(appended.failure.is_some());
    assert_eq!((appended.stored, appended.dropped, spool.pending()), (0, 9, 63));
    assert_eq!(read(&mut spool, 100), ids(9..72));
}
