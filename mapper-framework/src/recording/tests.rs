//! The ring against time, torn files, and disks that are full.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::{Disk, RealDisk, RecordError, RecordedFile, Recorder, Recordings, avi::PER_CHUNK};
use crate::{
    model::{DataType, DeviceId, Property, RecordRules},
    stream::{ContentType, Frame},
};

const SECOND: Duration = Duration::from_secs(1);

/// A time that is not the disk's.
fn begin() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_777_636_800)
}

fn rules(keys: &Json) -> RecordRules {
    let mut visitor = keys.as_object().expect("a mapping").clone();
    visitor.insert("stream".to_owned(), json!("file"));
    RecordRules::of(&Property::builder("clip", DataType::String).visitor(visitor)).expect("nothing is wrong")
}

/// A picture as far as its header, of this many bytes.
fn picture(width: u16, height: u16, length: usize) -> Vec<u8> {
    let mut bytes = vec![0xff, 0xd8, 0xff, 0xc0, 0, 11, 8];
    bytes.extend(height.to_be_bytes());
    bytes.extend(width.to_be_bytes());
    bytes.resize(length - 2, 7);
    bytes.extend([0xff, 0xd9]);
    bytes
}

fn frame(length: usize, time: SystemTime) -> Frame {
    Frame::new(ContentType::Jpeg, picture(640, 480, length)).at(time)
}

/// A disk with so much room.
#[derive(Debug)]
struct SmallDisk(AtomicI64);

impl Disk for SmallDisk {
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        let length = i64::try_from(bytes.len()).expect("it fits");
        let room = self.0.fetch_sub(length, Relaxed);
        if room >= length {
            return file.write_all(bytes);
        }
        // What fits is written, as by a disk.
        self.0.store(0, Relaxed);
        file.write_all(&bytes[..usize::try_from(room).unwrap_or_default()])?;
        Err(io::ErrorKind::StorageFull.into())
    }
}

/// A folder of recordings of one device.
struct Place {
    _folder: TempDir,
    recordings: Recordings,
    device: DeviceId,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("there is room");
        let recordings = Recordings::new(folder.path(), true);
        Self { _folder: folder, recordings, device: DeviceId::new("plant", "door") }
    }

    fn open(&self, keys: &Json) -> Recorder {
        self.recordings.open(&self.device, "clip", &rules(keys)).expect("it can be opened").0
    }

    fn files(&self) -> Vec<RecordedFile> {
        self.recordings.list(&self.device).expect("it can be read")
    }

    /// How many files there are, and their bytes, what is not whole included.
    fn taken(&self) -> (usize, u64) {
        let entries = fs::read_dir(self.recordings.folder(&self.device)).expect("it can be read");
        let sizes = entries.map(|entry| entry.and_then(|entry| entry.metadata()).expect("it can be read").len());
        // The lock takes nothing.
        let sizes: Vec<_> = sizes.filter(|size| *size > 0).collect();
        (sizes.len(), sizes.iter().sum())
    }

    fn read(&self, file: &RecordedFile) -> Vec<u8> {
        fs::read(self.recordings.folder(&self.device).join(file.name.to_string())).expect("it can be read")
    }
}

/// The chunks of a whole video by their sizes, as its list and its index have them.
fn chunks(video: &[u8]) -> Vec<u32> {
    let number = |at: usize| u32::from_le_bytes(video[at..at + 4].try_into().expect("four bytes"));
    assert_eq!((&video[..4], number(4) as usize), (&b"RIFF"[..], video.len() - 8), "the file is as long as it says");
    let index = 220 + number(216) as usize;
    assert_eq!(&video[index..index + 4], b"idx1", "the index follows the list");
    let entries = number(index + 4) as usize / 16;
    assert_eq!((index + 8 + entries * 16, number(48) as usize, number(140) as usize), (video.len(), entries, entries));
    let mut sizes = Vec::new();
    for entry in 0..entries {
        let at = index + 8 + entry * 16;
        let (chunk, size) = (220 + number(at + 8) as usize, number(at + 12));
        assert_eq!((&video[chunk..chunk + 4], number(chunk + 4)), (&b"00dc"[..], size));
        sizes.push(size);
    }
    sizes
}

#[test]
fn a_day_of_recording_stays_in_its_budget_and_keeps_the_newest() {
    for (keys, length, every) in [
        (json!({"recordBytes": 400_000, "recordSegment": 600_000}), 900, 2),
        (json!({"recordBytes": 1_000_000_000, "recordFiles": 5, "recordSegment": 600_000}), 900, 5),
        (json!({"recordBytes": 150_000, "recordFormat": "jpeg"}), 5000, 30),
        (json!({"recordFormat": "jpeg", "recordFiles": 20}), 500, 30),
        (json!({"recordFormat": "jpeg", "recordEvery": 0, "recordAge": 600_000}), 500, 30),
    ] {
        let (place, budget) = (Place::new(), rules(&keys));
        let mut recorder = place.open(&keys);
        let mut most = (0, 0);
        for second in (0..86_400).step_by(every) {
            let now = begin() + second * SECOND;
            let written = recorder.frame(&frame(length + second as usize % 64, now), Some(1.0 / every as f64), now);
            written.unwrap_or_else(|error| panic!("{keys}, second {second}: {error}"));
            if second % 70 == 0 {
                let (files, bytes) = place.taken();
                most = (most.0.max(files), most.1.max(bytes));
            }
        }
        assert!(most.0 <= budget.files && most.1 <= budget.bytes, "{keys}: {most:?}");
        recorder.tick(begin() + 86_400 * SECOND).expect("nothing fails");
        recorder.finish(begin() + 86_400 * SECOND).expect("it is finished");
        let (files, bytes) = place.taken();
        assert!(files <= budget.files && bytes <= budget.bytes, "{keys}: {files} files of {bytes} bytes");
        let (files, end) = (place.files(), begin() + 86_400 * SECOND);
        let age = |file: &RecordedFile| end.duration_since(file.name.time()).expect("it is past").as_secs();
        assert!(age(files.last().expect("there are files")) <= 601, "{keys}: the newest is kept");
        match (budget.age, budget.files) {
            (Some(limit), _) => assert!(files.iter().all(|file| age(file) <= limit.as_secs() + 1), "{keys}"),
            (None, 100_000) => assert!(bytes > budget.bytes * 2 / 3, "{keys}: it uses its budget, {bytes} bytes"),
            (None, most) => assert_eq!(files.len(), most, "{keys}"),
        }
    }
}

#[test]
fn what_is_too_old_goes_without_a_frame_and_a_clock_that_is_set_back_costs_nothing() {
    let place = Place::new();
    let mut recorder = place.open(&json!({"recordFormat": "jpeg", "recordAge": 60_000}));
    recorder.frame(&frame(500, begin()), None, begin()).expect("it is recorded");
    recorder.tick(begin() - 3600 * SECOND).expect("nothing fails");
    recorder.tick(begin() + 60 * SECOND).expect("nothing fails");
    assert_eq!(place.files().len(), 1);
    recorder.tick(begin() + 61 * SECOND).expect("nothing fails");
    assert_eq!(place.files().len(), 0);
    // Frames of before are recorded all the same.
    let before = begin() - 3600 * SECOND;
    recorder.frame(&frame(500, before), None, before).expect("it is recorded");
    assert_eq!(place.files().len(), 1);
}

#[test]
fn each_frame_stands_at_its_time() {
    let place = Place::new();
    let mut recorder = place.open(&json!({}));
    // 25 frames a second, a little early and late, and one that is missing.
    for millis in [0, 42, 79, 160, 201, 239] {
        let now = begin() + Duration::from_millis(millis);
        recorder.frame(&frame(501, now), Some(25.0), now).expect("it is recorded");
    }
    recorder.finish(begin()).expect("it is finished");
    let files = place.files();
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].name.to_string(), "20260501T120000.000000Z-clip.avi");
    assert_eq!(chunks(&place.read(&files[0])), [501, 501, 501, 0, 501, 501, 501]);
    assert_eq!(files[0].bytes, 224 + 8 + 6 * (502 + PER_CHUNK) + PER_CHUNK);
}

#[test]
fn another_file_begins_when_the_size_changes_after_a_gap_and_when_frames_come_faster() {
    let place = Place::new();
    let mut recorder = place.open(&json!({}));
    let mut record = |millis: u64, width: u16| {
        let now = begin() + Duration::from_millis(millis);
        let frame = Frame::new(ContentType::Jpeg, picture(width, 480, 500)).at(now);
        recorder.frame(&frame, Some(10.0), now).expect("it is recorded").begun.is_some()
    };
    let begun = [(0, 640), (100, 640), (200, 320), (300, 320), (10_300, 320), (20_500, 320)];
    let begun = begun.map(|(millis, width)| record(millis, width));
    assert_eq!(begun, [true, false, true, false, false, true]);
    // 100 frames a second where 10 are said: what is shown too slowly for a second ends, and the next one has the rate.
    let faster: Vec<u64> = (0..1000).filter(|frame| record(20_510 + frame * 10, 320)).collect();
    assert_eq!(faster.len(), 1, "{faster:?}");
    recorder.finish(begin()).expect("it is finished");
    let last = place.files().pop().expect("there are files");
    let video = place.read(&last);
    let rate = f64::from(u32::from_le_bytes(video[132..136].try_into().expect("four bytes"))) / 1000.0;
    assert!((90.0..=130.0).contains(&rate), "{rate}");
    assert!(chunks(&video).len() > 900);
}

#[test]
fn a_thousand_frames_a_second_and_a_frame_of_twenty_megabytes_are_recorded() {
    let place = Place::new();
    let mut recorder = place.open(&json!({}));
    for number in 0..2000 {
        let now = begin() + Duration::from_millis(number);
        recorder.frame(&frame(600, now), Some(1000.0), now).expect("it is recorded");
    }
    for number in 0..10 {
        let now = begin() + 60 * SECOND + number * SECOND;
        recorder.frame(&frame(20_000_000, now), Some(1.0), now).expect("it is recorded");
        assert!(place.taken().1 <= 64 << 20);
    }
    recorder.finish(begin() + 70 * SECOND).expect("it is finished");
    let frames: usize = place.files().iter().map(|file| chunks(&place.read(file)).len()).sum();
    assert_eq!(frames, 3, "three of the large ones fit");
    let kept = place.files().len();
    let huge = recorder.frame(&frame(80_000_000, begin() + 80 * SECOND), None, begin() + 80 * SECOND);
    let refusal = huge.expect_err("it does not fit").to_string();
    assert!(refusal.contains("recordBytes (67108864)"), "{refusal}");
    recorder.snapshot(&frame(80_000_000, begin() + 80 * SECOND), begin() + 80 * SECOND).expect_err("nor does this");
    assert_eq!(place.files().len(), kept, "what is there has cost nothing");
    let now = begin() + 81 * SECOND;
    recorder.frame(&frame(600, now), None, now).expect("the next one is recorded");
}

#[test]
fn a_video_that_is_torn_at_any_place_is_made_whole_or_removed() {
    let source = Place::new();
    let mut recorder = source.open(&json!({}));
    let times = [0, 40, 120].map(Duration::from_millis);
    times.iter().for_each(|time| drop(recorder.frame(&frame(101, begin() + *time), Some(25.0), begin() + *time)));
    drop(recorder);
    let part = format!("{}.part", "20260501T120000.000000Z-clip.avi");
    let torn = fs::read(source.recordings.folder(&source.device).join(&part)).expect("it was not finished");
    assert_eq!(torn.len(), 224 + 3 * 110 + 8);
    for cut in 0..=torn.len() + 8 {
        let place = Place::new();
        let folder = place.recordings.folder(&place.device);
        fs::create_dir_all(&folder).expect("there is room");
        let mut bytes = torn[..cut.min(torn.len())].to_vec();
        // What a disk has that was never written.
        bytes.resize(cut.max(bytes.len()), 0);
        fs::write(folder.join(&part), &bytes).expect("there is room");
        let (recorder, mended) =
            place.recordings.open(&place.device, "clip", &rules(&json!({}))).expect("it is opened");
        let files = place.files();
        let expected: &[u32] = match cut {
            _ if cut < 224 + 110 => &[],
            _ if cut < 224 + 220 => &[101],
            _ if cut < torn.len() => &[101, 101],
            _ => &[101, 101, 0, 101],
        };
        assert_eq!((mended, files.len()), (1, usize::from(!expected.is_empty())), "cut at {cut}");
        files.iter().for_each(|file| assert_eq!(chunks(&place.read(file)), expected, "cut at {cut}"));
        assert_eq!(recorder.newest(), files.first().map(|file| &file.name));
        assert_eq!(place.taken().0, files.len(), "nothing else is left");
    }
}

#[test]
fn half_written_and_lost_pictures_are_removed_and_what_is_not_ours_stays() {
    let place = Place::new();
    let folder = place.recordings.folder(&place.device);
    fs::create_dir_all(&folder).expect("there is room");
    let whole = picture(640, 480, 300);
    for (name, bytes) in [
        ("20260501T120000.000000Z-clip.jpg", &whole[..]),
        ("20260501T120001.000000Z-clip.jpg", &[]),
        ("20260501T120002.000000Z-clip.jpg", &[0; 300]),
        ("20260501T120003.000000Z-clip.jpg.part", &whole),
        ("20260501T120003.000000Z-other.jpg.part", &whole),
        ("20260501T120004.000000Z-other.jpg", &[]),
        ("notes.txt", b"mine"),
    ] {
        fs::write(folder.join(name), bytes).expect("there is room");
    }
    let (recorder, mended) = place.recordings.open(&place.device, "clip", &rules(&json!({}))).expect("it is opened");
    let mut left: Vec<_> = fs::read_dir(&folder)
        .expect("it can be read")
        .map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned())
        .collect();
    left.sort();
    assert_eq!(mended, 3);
    assert_eq!(
        left,
        [
            ".lock-clip",
            "20260501T120000.000000Z-clip.jpg",
            "20260501T120003.000000Z-other.jpg.part",
            "20260501T120004.000000Z-other.jpg",
            "notes.txt"
        ]
    );
    assert_eq!(recorder.newest().map(ToString::to_string).as_deref(), Some("20260501T120000.000000Z-clip.jpg"));
}

#[test]
fn a_full_disk_costs_frames_and_neither_what_was_recorded_nor_what_comes_later() {
    let (place, disk) = (Place::new(), Arc::new(SmallDisk(AtomicI64::new(100_000))));
    let recordings = place.recordings.clone().with_disk(Arc::clone(&disk) as Arc<dyn Disk>);
    let open = || recordings.open(&place.device, "clip", &rules(&json!({})));
    let (mut recorder, _) = open().expect("it is opened");
    let mut at = 0;
    let mut next = |recorder: &mut Recorder| {
        at += 40;
        let now = begin() + Duration::from_millis(at);
        recorder.frame(&frame(10_000, now), Some(25.0), now)
    };
    let failed = (0..20).find_map(|number| Some((number, next(&mut recorder).err()?)));
    let (taken, error) = failed.expect("the disk is full");
    assert!(matches!(&error, RecordError::Io { reason, .. } if reason.kind() == io::ErrorKind::StorageFull), "{error}");
    assert_eq!(taken, 9);
    recorder.finish(begin()).expect_err("there is no room for an index");
    drop(recorder);
    open().expect_err("nor later");
    // One frame was given up in vain, for this disk does not get room by it; no more are.
    disk.0.store(1000, Relaxed);
    let (mut recorder, mended) = open().expect("it is opened");
    assert_eq!((mended, place.files().len()), (1, 1));
    assert_eq!(chunks(&place.read(&place.files()[0])).len(), 8);
    next(&mut recorder).expect_err("the disk is full again");
    drop(recorder);
    disk.0.store(1 << 30, Relaxed);
    let (mut recorder, _) = open().expect("it is opened");
    next(&mut recorder).expect("it is recorded");
    recorder.finish(begin()).expect("it is finished");
    assert_eq!(place.files().len(), 2);
}

#[test]
fn what_is_no_jpeg_is_refused_with_a_cure() {
    let place = Place::new();
    let mut recorder = place.open(&json!({}));
    let unit = Frame::new(ContentType::H264, vec![0, 0, 0, 1]);
    let refusal = recorder.frame(&unit, None, begin()).expect_err("it is none");
    assert!(refusal.is_of_frame() && refusal.to_string().contains("video/H264"), "{refusal}");
    let damaged = Frame::new(ContentType::Jpeg, vec![0xff, 0xd8, 0xff, 0xd9]);
    let refusal = recorder.frame(&damaged, None, begin() + SECOND).expect_err("it has no size");
    assert!(refusal.is_of_frame() && refusal.to_string().contains("no readable JPEG header"), "{refusal}");
    assert_eq!(place.taken(), (0, 0));
}

#[test]
fn an_order_records_all_frames_for_its_time_whatever_the_rules_are() {
    for mode in ["onDemand", "continuous"] {
        let place = Place::new();
        let mut recorder = place.open(&json!({"recordFormat": "jpeg", "recordEvery": 60_000, "recordMode": mode}));
        recorder.record(3 * SECOND, begin()).expect("it is ordered");
        for tenth in 0..100 {
            let now = begin() + tenth * SECOND / 10;
            recorder.frame(&frame(500, now), Some(10.0), now).expect("it is recorded");
        }
        let name = recorder.snapshot(&frame(500, begin()), begin()).expect("it is written");
        let files = place.files();
        let (videos, pictures): (Vec<_>, Vec<_>) =
            files.iter().partition(|file| file.name.kind().content_type() == "video/x-msvideo");
        assert_eq!((videos.len(), chunks(&place.read(videos[0])).len()), (1, 30), "{mode}");
        assert_eq!(pictures.len(), if mode == "continuous" { 2 } else { 1 });
        assert!(pictures.iter().any(|file| file.name == name), "two of the same time have names of their own");
    }
}

#[test]
fn a_ring_has_one_mapper_and_two_properties_share_a_folder() {
    let place = Place::new();
    let mut clip = place.open(&json!({"recordFormat": "jpeg", "recordFiles": 1}));
    let again = place.recordings.open(&place.device, "clip", &rules(&json!({})));
    let refusal = again.expect_err("it is in use").to_string();
    assert!(refusal.contains("streams.dir"), "{refusal}");
    let other = place.recordings.open(&place.device, "other/../x", &rules(&json!({"recordFormat": "jpeg"})));
    let mut other = other.expect("it is its own").0;
    for second in 0..3 {
        let now = begin() + second * SECOND;
        clip.frame(&frame(500, now), None, now).expect("it is recorded");
        other.frame(&frame(500, now), None, now).expect("it is recorded");
    }
    assert_eq!(place.files().len(), 1 + 3);
    let inside = place.recordings.folder(&place.device);
    assert!(place.files().iter().all(|file| inside.join(file.name.to_string()).parent() == Some(&inside)));
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().expect("there is room");
    let file = folder.path().join("file");
    fs::write(&file, b"in the way").expect("there is room");
    let recordings = Recordings::new(&file, false).with_disk(Arc::new(RealDisk));
    let device = DeviceId::new("plant", "door");
    let refusal = recordings.open(&device, "clip", &rules(&json!({}))).expect_err("it is no folder").to_string();
    assert!(refusal.contains(&*Path::join(&file, "plant/door").to_string_lossy()), "{refusal}");
    let odd = DeviceId::new("..", "../../etc");
    let within = recordings.folder(&odd);
    let within: Vec<_> = within.strip_prefix(&file).expect("it lies within").components().collect();
    assert!(
        within.len() == 2 && within.iter().all(|part| matches!(part, std::path::Component::Normal(_))),
        "{within:?}"
    );
}
