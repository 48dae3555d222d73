//! What a memory promises, rule by rule.

mod damage;
mod faults;
mod properties;

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    time::{Duration, UNIX_EPOCH},
};

use futures_util::future::join_all;
use tempfile::TempDir;

use super::{disk::Disk, *};

/// A disk with little room, which counts how often it is forced to write, and can be made to fail.
#[derive(Clone)]
struct SmallDisk {
    left: Arc<AtomicU64>,
    syncs: Arc<AtomicU64>,
    sync_fails: Arc<AtomicBool>,
    create_fails: Arc<AtomicBool>,
}

struct SmallFile {
    file: File,
    disk: SmallDisk,
}

impl SmallDisk {
    fn with(left: u64) -> Self {
        Self {
            left: Arc::new(left.into()),
            syncs: Arc::default(),
            sync_fails: Arc::default(),
            create_fails: Arc::default(),
        }
    }
}

impl Disk for SmallDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn disk::DiskFile>> {
        if self.create_fails.load(Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(Box::new(SmallFile { file: File::create(path)?, disk: self.clone() }))
    }

    fn open_at_end(&self, path: &Path) -> io::Result<Box<dyn disk::DiskFile>> {
        Ok(Box::new(SmallFile { file: File::options().append(true).open(path)?, disk: self.clone() }))
    }
}

impl Write for SmallFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = 20.min(bytes.len() as u64).min(self.disk.left.load(Relaxed));
        if piece == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.disk.left.fetch_sub(piece, Relaxed);
        self.file.write_all(&bytes[..piece as usize])?;
        Ok(piece as usize)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl disk::DiskFile for SmallFile {
    fn sync_data(&mut self) -> io::Result<()> {
        self.disk.syncs.fetch_add(1, Relaxed);
        if self.disk.sync_fails.load(Relaxed) { Err(io::ErrorKind::Other.into()) } else { Ok(()) }
    }
}

/// A folder with the file of a memory.
struct Place {
    folder: TempDir,
    telemetry: Telemetry,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), telemetry: Telemetry::default() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("writes.memory")
    }

    fn content(&self) -> Vec<u8> {
        fs::read(self.path()).unwrap()
    }

    async fn open(&self) -> WriteMemory {
        WriteMemory::open(self.path(), FirstStart::Write, self.telemetry.clone()).await
    }

    fn open_on(&self, disk: &SmallDisk, limits: Limits) -> WriteMemory {
        let opened = MemoryFile::open(&self.path(), FirstStart::Write, Box::new(disk.clone()), 1000);
        WriteMemory::opened(self.path(), opened, limits, self.telemetry.clone())
    }

    /// How often the file was found damaged, and could not be used.
    fn counts(&self) -> (u64, u64) {
        let stats = self.telemetry.stats().memory();
        (stats.damaged(), stats.failed())
    }

    /// All files but the lock.
    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.retain(|name| !name.ends_with(".lock"));
        names.sort();
        names
    }
}

fn device(name: &str) -> DeviceId {
    DeviceId::new("plant", name)
}

fn entry(wish: &str) -> Remembered {
    entry_of(wish, Outcome::Acknowledged, 7)
}

fn entry_of(wish: &str, outcome: Outcome, seconds: u64) -> Remembered {
    let since = UNIX_EPOCH + Duration::new(seconds, 123_456_789);
    Remembered { wish: wish.to_owned(), outcome, attempts: 3, since }
}

/// Remembers wishes for the property `p` of devices, and nothing may be in the way.
async fn keep(memory: &WriteMemory, wishes: &[(&str, &str)]) {
    for (name, wish) in wishes {
        assert_eq!(memory.remember(&device(name), "p", entry(wish)).await, Durable::Yes);
    }
}

/// The wish that is remembered for the property `p` of a device.
fn wish(memory: &WriteMemory, name: &str) -> Option<String> {
    memory.recall(&device(name), "p").map(|entry| entry.wish)
}

#[tokio::test]
async fn what_was_remembered_is_there_after_a_restart() {
    let place = Place::new();
    let outcomes = [
        Outcome::Pending,
        Outcome::Attempted,
        Outcome::Acknowledged,
        Outcome::Refused,
        Outcome::Expired,
        Outcome::Unknown,
    ];
    let memory = place.open().await;
    assert!(memory.is_complete());
    for (seconds, outcome) in (0..).zip(outcomes) {
        let entry = entry_of(&format!("{outcome:?}"), outcome, seconds);
        assert_eq!(memory.remember(&device("a"), &format!("p{seconds}"), entry).await, Durable::Yes);
    }
    drop(memory);
    let memory = place.open().await;
    for (seconds, outcome) in (0..).zip(outcomes) {
        let expected = entry_of(&format!("{outcome:?}"), outcome, seconds);
        assert_eq!(memory.recall(&device("a"), &format!("p{seconds}")), Some(expected));
    }
    assert_eq!(memory.recall(&device("a"), "other"), None);
    assert!(memory.is_complete());
    assert_eq!(place.counts(), (0, 0));
}

#[tokio::test]
async fn the_last_word_counts_and_what_is_forgotten_stays_so() {
    let place = Place::new();
    let memory = place.open().await;
    keep(&memory, &[("a", "1"), ("b", "1"), ("c", "1"), ("a", "2")]).await;
    memory.remember(&device("c"), "q", entry("1")).await;
    memory.forget(&device("b"), "p").await;
    memory.forget(&device("b"), "no such").await;
    memory.forget_device(&device("c")).await;
    keep(&memory, &[("c", "3")]).await;
    for _ in 0..2 {
        let memory = place.open_after(&memory).await;
        assert_eq!((wish(&memory, "a"), wish(&memory, "b")), (Some("2".to_owned()), None));
        assert_eq!((wish(&memory, "c"), memory.recall(&device("c"), "q")), (Some("3".to_owned()), None));
    }
}

impl Place {
    /// What another process would read now.
    async fn open_after(&self, memory: &WriteMemory) -> WriteMemory {
        memory.flush().await;
        let copy = self.folder.path().join("copy");
        fs::copy(self.path(), &copy).unwrap();
        WriteMemory::open(copy, FirstStart::Write, self.telemetry.clone()).await
    }
}

#[tokio::test]
async fn names_and_wishes_may_hold_anything() {
    let place = Place::new();
    let memory = place.open().await;
    let texts =
        ["", " ", "\n", "\"],[\"", "größe/°C", "温度\u{2028}", "\u{0}\u{7f}", "deadbeef [\"a\",\"b\",\"c\"", "\\"];
    for name in texts {
        for text in texts {
            memory.remember(&device(name), text, entry(&format!("{name}{text}"))).await;
        }
    }
    drop(memory);
    let memory = place.open().await;
    for name in texts {
        for text in texts {
            assert_eq!(memory.recall(&device(name), text), Some(entry(&format!("{name}{text}"))), "{name:?} {text:?}");
        }
    }
    assert!(memory.is_complete());
}

#[tokio::test]
async fn a_long_wish_is_known_again_by_its_digest() {
    let place = Place::new();
    let memory = place.open().await;
    let (long, other) = ("x".repeat(MAX_WISH + 1), format!("{}y", "x".repeat(MAX_WISH)));
    keep(&memory, &[("a", &long), ("b", &"x".repeat(MAX_WISH))]).await;
    assert!(memory.recall(&device("a"), "p").unwrap().is_of(&long));
    assert!(place.content().len() < 2 * MAX_WISH);
    drop(memory);
    let memory = place.open().await;
    let found = memory.recall(&device("a"), "p").unwrap();
    assert!(found.is_of(&long) && !found.is_of(&other));
    assert_eq!(wish(&memory, "b"), Some("x".repeat(MAX_WISH)), "the longest one that is kept as it is");
}

#[tokio::test]
async fn a_volatile_memory_keeps_nothing_and_says_so() {
    let memory = WriteMemory::volatile();
    assert_eq!(memory.remember(&device("a"), "p", entry("1")).await, Durable::No);
    assert_eq!(wish(&memory.clone(), "a"), Some("1".to_owned()));
    assert!(memory.is_complete());
    assert_eq!(memory.flush().await, Durable::No);
}

#[tokio::test]
async fn a_file_that_has_grown_is_written_anew_and_stays_small() {
    let (place, disk) = (Place::new(), SmallDisk::with(1 << 30));
    let memory = place.open_on(&disk, Limits::DEFAULT);
    let mut largest = 0;
    for round in 0..200 {
        let round = round.to_string();
        keep(&memory, &[("a", &round), ("b", &round)]).await;
        largest = largest.max(place.content().len());
    }
    assert!((1000..1700).contains(&largest), "{largest}");
    drop(memory);
    let memory = place.open().await;
    assert_eq!((wish(&memory, "a"), wish(&memory, "b")), (Some("199".to_owned()), Some("199".to_owned())));
    assert_eq!(place.names(), ["writes.memory"]);
    assert_eq!(place.counts(), (0, 0));
}

#[tokio::test]
async fn changes_that_come_together_are_forced_to_the_disk_together() {
    let (place, disk) = (Place::new(), SmallDisk::with(1 << 30));
    let memory = place.open_on(&disk, Limits::DEFAULT);
    let before = disk.syncs.load(Relaxed);
    let held = memory.0.writer.clone().unwrap().lock_owned().await;
    let names: Vec<_> = (0..50).map(|number| device(&number.to_string())).collect();
    let all = join_all(names.iter().map(|device| memory.remember(device, "p", entry("1"))));
    let (durable, ()) = tokio::join!(all, async { drop(held) });
    assert_eq!(durable, [Durable::Yes; 50]);
    assert_eq!(disk.syncs.load(Relaxed), before + 1);
    drop(memory);
    let memory = place.open().await;
    assert!(names.iter().all(|device| memory.recall(device, "p").is_some()));
}

#[tokio::test]
async fn a_change_that_nobody_waits_for_any_more_is_written_all_the_same() {
    let place = Place::new();
    let memory = place.open().await;
    let held = memory.0.writer.clone().unwrap().lock_owned().await;
    let id = device("a");
    tokio::select! {
        biased;
        _ = memory.remember(&id, "p", entry("1")) => panic!("the disk is held"),
        () = std::future::ready(()) => {}
    }
    drop(held);
    assert_eq!(memory.flush().await, Durable::Yes);
    drop(memory);
    assert_eq!(wish(&place.open().await, "a"), Some("1".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_file_belongs_to_one_mapper() {
    let (place, other) = (Place::new(), Telemetry::default());
    let memory = place.open().await;
    keep(&memory, &[("a", "1")]).await;
    let second = WriteMemory::open(place.path(), FirstStart::Write, other.clone()).await;
    assert_eq!(other.stats().memory().failed(), 1);
    assert_eq!((wish(&second, "a"), second.is_complete()), (None, false), "nothing is written twice");
    assert_eq!(second.remember(&device("a"), "p", entry("2")).await, Durable::No);
    assert_eq!(wish(&second, "a"), Some("2".to_owned()));
    assert_eq!(place.counts(), (0, 0));
    drop(second);
    drop(memory);
    assert_eq!(wish(&place.open().await, "a"), Some("1".to_owned()));
}

#[tokio::test]
async fn a_first_start_that_holds_desired_values_is_incomplete_for_good() {
    let place = Place::new();
    for first_start in [FirstStart::Hold, FirstStart::Write, FirstStart::Hold] {
        let memory = WriteMemory::open(place.path(), first_start, place.telemetry.clone()).await;
        assert!(!memory.is_complete());
    }
    fs::remove_file(place.path()).unwrap();
    drop(place.open().await);
    let memory = WriteMemory::open(place.path(), FirstStart::Hold, place.telemetry.clone()).await;
    assert!(memory.is_complete(), "it is no first start");
}

#[tokio::test]
async fn the_folder_is_made_and_the_file_is_nobody_elses() {
    let place = Place::new();
    let path = place.folder.path().join("var/lib/writes.memory");
    let memory = WriteMemory::open(path.clone(), FirstStart::Write, place.telemetry.clone()).await;
    keep(&memory, &[("a", "1")]).await;
    assert_eq!(place.counts(), (0, 0));
    let mode = fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
}

#[tokio::test]
async fn the_oldest_acknowledged_entries_of_devices_that_are_gone_make_room() {
    let (place, disk) = (Place::new(), SmallDisk::with(1 << 30));
    let memory = place.open().await;
    for number in 0..8 {
        let (name, outcome) = match number {
            0 => ("seen", Outcome::Acknowledged),
            1 => ("gone", Outcome::Pending),
            _ => ("gone", Outcome::Acknowledged),
        };
        memory.remember(&device(name), &number.to_string(), entry_of("1", outcome, 100 - number)).await;
    }
    drop(memory);
    let memory = place.open_on(&disk, Limits { entries: 10, bytes: usize::MAX });
    let has = |memory: &WriteMemory, name, number: u64| memory.recall(&device(name), &number.to_string()).is_some();
    assert!(has(&memory, "seen", 0));
    for number in 8..10 {
        memory.remember(&device("seen"), &number.to_string(), entry_of("1", Outcome::Acknowledged, 1)).await;
    }
    assert!(memory.is_complete());
    memory.remember(&device("seen"), "10", entry_of("1", Outcome::Acknowledged, 1)).await;
    assert_eq!(place.telemetry.stats().memory().entries_dropped(), 2);
    drop(memory);
    let memory = place.open_on(&disk, Limits::DEFAULT);
    let kept: Vec<_> =
        (0..11).filter(|number| has(&memory, "seen", *number) || has(&memory, "gone", *number)).collect();
    assert_eq!(kept, [0, 1, 2, 3, 4, 5, 8, 9, 10], "what is left of those that are gone is newer, or open");
    assert!(!memory.is_complete(), "what is missing is not new");
}

#[tokio::test]
async fn many_bytes_are_too_many_as_well() {
    let (place, disk) = (Place::new(), SmallDisk::with(1 << 30));
    let memory = place.open_on(&disk, Limits { entries: 1000, bytes: 5000 });
    for number in 0..100 {
        memory
            .remember(&device("a"), &number.to_string(), entry_of(&"x".repeat(400), Outcome::Acknowledged, number))
            .await;
        let (book, content) = (memory.0.book(), place.content().len());
        assert!(book.entries.bytes() <= 5000 && content <= 2 * 5000 + 2000, "{} {content}", book.entries.bytes());
    }
    assert!(memory.recall(&device("a"), "99").is_some());
}
