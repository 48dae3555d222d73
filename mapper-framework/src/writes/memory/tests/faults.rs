//! A disk that is full or fails, and paths that cannot be used.

use super::*;

#[tokio::test]
async fn a_full_disk_costs_nothing_while_the_mapper_runs_and_nothing_once_there_is_room() {
    for left in (0..480).step_by(7) {
        let (place, disk) = (Place::new(), SmallDisk::with(left));
        let memory = place.open_on(&disk, Limits::DEFAULT);
        let mut durable = Vec::new();
        for name in ["a", "b", "c", "d", "e"] {
            if memory.remember(&device(name), "p", entry(name)).await == Durable::Yes {
                durable.push(name);
            }
            assert_eq!(wish(&memory, name).as_deref(), Some(name));
        }
        assert!(durable.len() < 5 && place.counts().1 > 0, "{left}");
        if !durable.is_empty() {
            let found = place.open_after_crash().await;
            assert!(durable.iter().all(|name| wish(&found, name).as_deref() == Some(name)), "{left}");
            assert!(found.is_complete());
        }
        disk.left.store(1 << 20, Relaxed);
        assert_eq!(memory.remember(&device("f"), "p", entry("f")).await, Durable::Yes);
        drop(memory);
        let memory = place.open().await;
        assert!(["a", "b", "c", "d", "e", "f"].iter().all(|name| wish(&memory, name).as_deref() == Some(name)));
        assert!(memory.is_complete());
    }
}

impl Place {
    /// What a mapper would find if this one were killed now.
    async fn open_after_crash(&self) -> WriteMemory {
        let copy = self.folder.path().join("crashed");
        fs::copy(self.path(), &copy).unwrap();
        WriteMemory::open(copy, FirstStart::Write, Telemetry::default()).await
    }
}

#[tokio::test]
async fn what_cannot_be_forced_to_the_disk_is_not_durable_until_it_can() {
    let (place, disk) = (Place::new(), SmallDisk::with(1 << 20));
    let memory = place.open_on(&disk, Limits::DEFAULT);
    keep(&memory, &[("a", "1")]).await;
    disk.sync_fails.store(true, Relaxed);
    assert_eq!(memory.remember(&device("a"), "p", entry("2")).await, Durable::No);
    assert_eq!(memory.flush().await, Durable::No);
    assert_eq!(wish(&memory, "a"), Some("2".to_owned()));
    disk.sync_fails.store(false, Relaxed);
    assert_eq!(memory.flush().await, Durable::Yes);
    assert_eq!(place.counts(), (0, 2));
    drop(memory);
    assert_eq!(wish(&place.open().await, "a"), Some("2".to_owned()));
    assert_eq!(place.names(), ["writes.memory"]);
}

#[tokio::test]
async fn a_file_without_room_to_be_written_anew_is_appended_to() {
    let (place, disk) = (Place::new(), SmallDisk::with(1 << 20));
    let memory = place.open_on(&disk, Limits::DEFAULT);
    let long = "x".repeat(500);
    keep(&memory, &[("a", &long), ("b", "1"), ("a", &long)]).await;
    assert!(place.content().len() > 1100, "it is to be written anew");
    disk.create_fails.store(true, Relaxed);
    keep(&memory, &[("b", "2")]).await;
    assert_eq!(place.counts(), (0, 0));
    drop(memory);
    assert_eq!(wish(&place.open().await, "b"), Some("2".to_owned()));
}

#[tokio::test]
async fn a_folder_in_the_place_of_the_file_is_an_event_and_nothing_counts_as_new() {
    let place = Place::new();
    fs::create_dir(place.path()).unwrap();
    let memory = place.open().await;
    assert_eq!((memory.is_complete(), place.counts()), (false, (0, 1)));
    assert_eq!(memory.remember(&device("a"), "p", entry("1")).await, Durable::No);
    assert_eq!(wish(&memory, "a"), Some("1".to_owned()));
    assert_eq!(place.counts(), (0, 1), "it is not tried with each change");
    assert!(place.path().is_dir());
}

#[tokio::test]
async fn a_file_in_the_place_of_the_folder_is_an_event_and_it_is_a_first_start() {
    let place = Place::new();
    fs::write(place.folder.path().join("lib"), "").unwrap();
    let memory =
        WriteMemory::open(place.folder.path().join("lib/writes.memory"), FirstStart::Write, place.telemetry.clone())
            .await;
    assert_eq!((memory.is_complete(), place.counts()), (true, (0, 1)));
    assert_eq!(memory.remember(&device("a"), "p", entry("1")).await, Durable::No);
}

#[tokio::test]
async fn a_damaged_file_stays_where_it_is_as_long_as_it_cannot_be_set_aside() {
    let (place, disk) = (Place::new(), SmallDisk::with(0));
    fs::write(place.path(), "broken").unwrap();
    let memory = place.open_on(&disk, Limits::DEFAULT);
    assert_eq!(place.counts(), (1, 1));
    assert_eq!(memory.remember(&device("a"), "p", entry("1")).await, Durable::No);
    assert_eq!(place.content(), b"broken");
    disk.left.store(1 << 20, Relaxed);
    assert_eq!(memory.flush().await, Durable::Yes);
    assert_eq!(fs::read(place.folder.path().join("writes.memory.aside.1")).unwrap(), b"broken");
    drop(memory);
    let memory = place.open().await;
    assert_eq!((wish(&memory, "a"), memory.is_complete()), (Some("1".to_owned()), false));
}
