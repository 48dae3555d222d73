//! A spool against a model of it, through random operations, crashes and damage.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Range,
};

use proptest::{prelude::*, sample::Index};

use super::*;

/// What an owner does.
#[derive(Clone, Debug)]
enum Step {
    /// Appends records of these sizes.
    Append(Vec<usize>),
    Read {
        records: usize,
        bytes: usize,
    },
    Acknowledge,
    Reopen,
}

/// What happens to it.
#[derive(Clone, Debug)]
enum Fault {
    /// It ends, and the newest segment keeps a part of its bytes: the rest had not been written.
    Crash(Index),
    /// It ends in the middle of a write.
    Torn(Index),
}

/// What happens to one of the files.
#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Cut(Index),
    Delete,
    Garbage(Vec<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::collection::vec(size(), 0..12).prop_map(Step::Append),
        4 => (0..15_usize, 0..2000_usize).prop_map(|(records, bytes)| Step::Read { records, bytes }),
        2 => Just(Step::Acknowledge),
        1 => Just(Step::Reopen),
    ]
}

/// Most records are small, a few as large as a segment, or larger.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![8 => 8..200_usize, 1 => 900..1100_usize]
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![any::<Index>().prop_map(Fault::Crash), any::<Index>().prop_map(Fault::Torn)]
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        4 => (any::<Index>(), 1..=255_u8).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        1 => any::<Index>().prop_map(Damage::Cut),
        1 => Just(Damage::Delete),
        1 => prop::collection::vec(any::<u8>(), 0..300).prop_map(Damage::Garbage),
    ]
}

/// A spool, and all that its owner knows of it.
struct Owned {
    folder: TempDir,
    /// `None` only while it is reopened.
    spool: Option<Spool>,
    /// The sizes of all records that were ever stored.
    stored: BTreeMap<u64, usize>,
    next_id: u64,
    /// Since it was opened: what the accounts begin with, and what has left them.
    opened_with: u64,
    came: u64,
    left: u64,
    /// The last record that was handed out since it was opened.
    last: Option<u64>,
}

impl Owned {
    fn new() -> Self {
        let folder = folder();
        let spool = Some(open(folder.path()).0);
        let (stored, next_id) = (BTreeMap::new(), 0);
        Self { folder, spool, stored, next_id, opened_with: 0, came: 0, left: 0, last: None }
    }

    fn spool(&mut self) -> &mut Spool {
        self.spool.as_mut().unwrap()
    }

    fn reopen(&mut self) -> Recovery {
        self.reopen_after(|_| {})
    }

    /// Closes the spool, and opens it again when this has happened in its folder.
    fn reopen_after(&mut self, happens: impl FnOnce(&Path)) -> Recovery {
        self.spool = None;
        happens(self.folder.path());
        let (spool, recovery) = open(self.folder.path());
        self.spool = Some(spool);
        (self.opened_with, self.came, self.left, self.last) = (recovery.pending, 0, 0, None);
        recovery
    }

    /// Gives the numbers of what was stored, and how many records were dropped.
    fn append(&mut self, sizes: &[usize]) -> (Vec<u64>, u64) {
        let first = self.next_id;
        self.next_id += sizes.len() as u64;
        let records: Vec<_> = (first..).zip(sizes).map(|(id, size)| sized_record(id, *size)).collect();
        let appended = self.spool().append(records.iter().map(Vec::as_slice));
        assert!(appended.failure.is_none(), "{appended:?}");
        assert_eq!(appended.settled(), sizes.len());
        let limit = self.spool().largest_record();
        let too_large: Vec<_> = appended.refused.iter().map(|refused| refused.index).collect();
        let expected: Vec<_> = (0..sizes.len()).filter(|at| sizes[*at] > limit).collect();
        assert_eq!(too_large, expected);
        let stored: BTreeMap<_, _> = (first..).zip(sizes.iter().copied()).filter(|(_, size)| *size <= limit).collect();
        self.came += appended.stored;
        self.left += appended.dropped;
        let ids = stored.keys().copied().collect();
        self.stored.extend(stored);
        (ids, appended.dropped)
    }

    /// Gives the numbers of what was handed out, and how many records were lost.
    fn read(&mut self, records: usize, bytes: usize) -> (Vec<u64>, u64) {
        let batch = self.spool().read(records, bytes).unwrap();
        self.left += batch.lost;
        let size: usize = batch.records.iter().map(Vec::len).sum();
        assert!(batch.records.len() <= records && (size <= bytes || batch.records.len() == 1));
        for found in &batch.records {
            assert!(found.len() >= 8, "{found:?} was never appended");
            let size = self.stored.get(&id(found)).expect("it was appended");
            assert_eq!(*found, sized_record(id(found), *size));
            assert!(self.last < Some(id(found)), "{} came after {:?}", id(found), self.last);
            self.last = Some(id(found));
        }
        (batch.records.iter().map(|found| id(found)).collect(), batch.lost)
    }

    fn acknowledge(&mut self) {
        self.left += self.spool().leased();
        self.spool().acknowledge().unwrap();
        assert_eq!(self.spool().leased(), 0);
    }

    fn balance(&self) {
        let spool = self.spool.as_ref().unwrap();
        assert_eq!(self.opened_with + self.came, self.left + spool.pending());
        assert!(spool.leased() <= spool.pending());
    }
}

/// What a spool holds as long as nothing is broken.
#[derive(Default)]
struct Model {
    leased: Vec<u64>,
    unread: VecDeque<u64>,
    /// Whether a segment has gone that may have held leased records, so that they do not come again.
    is_unsure: bool,
}

impl Model {
    fn take(&mut self, owned: &mut Owned, step: &Step) {
        match step {
            Step::Append(sizes) => {
                let oldest = oldest(owned.folder.path());
                let (ids, dropped) = owned.append(sizes);
                self.unread.extend(ids);
                self.unread.drain(..dropped as usize);
                // What is leased goes without a count.
                self.is_unsure |= self::oldest(owned.folder.path()) != oldest;
            }
            Step::Read { records, bytes } => {
                let (ids, lost) = owned.read(*records, *bytes);
                assert_eq!(lost, 0);
                assert!(!ids.is_empty() || *records == 0 || self.unread.is_empty(), "it has records and gives none");
                let expected: Vec<_> = self.unread.drain(..ids.len()).collect();
                assert_eq!(ids, expected);
                self.leased.extend(ids);
            }
            Step::Acknowledge => {
                owned.acknowledge();
                (self.leased, self.is_unsure) = (Vec::new(), false);
            }
            Step::Reopen => {
                let recovery = owned.reopen();
                assert_eq!(recovery, Recovery { pending: recovery.pending, ..Recovery::default() });
                self.restart(recovery.pending, &[]);
            }
        }
        let spool = owned.spool();
        assert_eq!(spool.leased(), self.leased.len() as u64);
        assert_eq!(spool.unread(), self.unread.len() as u64);
        assert_eq!(spool.bytes(), bytes(owned.folder.path()));
        assert!(bytes(owned.folder.path()) <= OPTIONS.max_bytes);
    }

    /// All that was not acknowledged is unread again, but for what is gone.
    fn restart(&mut self, pending: u64, gone: &[u64]) {
        let (unread, leased) = (std::mem::take(&mut self.unread), std::mem::take(&mut self.leased));
        let certain = unread.iter().filter(|id| !gone.contains(id)).count();
        self.unread = leased.into_iter().chain(unread).filter(|id| !gone.contains(id)).collect();
        let missing = self.unread.len().checked_sub(pending as usize).expect("nothing comes out of nowhere");
        assert!(missing == 0 || (self.is_unsure && self.unread.len() - missing >= certain), "{missing} are missing");
        self.unread.drain(..missing);
        self.is_unsure = false;
    }

    fn suffer(&mut self, owned: &mut Owned, fault: &Fault) {
        let (mut gone, mut torn) = (Vec::new(), 0);
        let recovery = owned.reopen_after(|folder| {
            let Some(newest) = newest(folder) else { return };
            let mut content = fs::read(&newest).unwrap();
            let records = parse(&content);
            match fault {
                Fault::Crash(kept) => {
                    content.truncate(kept.index(content.len() + 1));
                    gone = records
                        .iter()
                        .filter(|(_, range)| range.end > content.len())
                        .filter_map(|(id, _)| *id)
                        .collect();
                }
                Fault::Torn(written) => {
                    let number = newest.file_stem().unwrap().to_str().unwrap().parse().unwrap();
                    let place = Place { version: Version::NEWEST, segment: number, offset: content.len() as u64 };
                    let mut frame = Vec::new();
                    format::push_record(&record(0), place, &mut frame);
                    content.extend(&frame[..written.index(frame.len())]);
                }
            }
            let whole = records.iter().map(|(_, range)| range.end).filter(|end| *end <= content.len()).max();
            torn = content.len() - whole.unwrap_or(HEADER.min(content.len()));
            torn = if content.len() < HEADER { content.len() } else { torn };
            fs::write(newest, content).unwrap();
        });
        self.restart(recovery.pending, &gone);
        // Where all that is left is acknowledged, nobody looks at the tail.
        assert!(recovery.torn_bytes == torn as u64 || recovery.torn_bytes == 0, "{recovery:?}, but {torn} are torn");
        assert_eq!(
            recovery,
            Recovery { pending: recovery.pending, torn_bytes: recovery.torn_bytes, ..Recovery::default() }
        );
    }
}

fn oldest(folder: &Path) -> Option<String> {
    names(folder).into_iter().find(|name| name.ends_with(".segment"))
}

fn newest(folder: &Path) -> Option<PathBuf> {
    let newest = names(folder).into_iter().rfind(|name| name.ends_with(".segment"))?;
    Some(folder.join(newest))
}

/// The frames of a sound segment: the number of a record, none for a commit, and where they stand. Written from the description and
/// not with the reader.
fn parse(segment: &[u8]) -> Vec<(Option<u64>, Range<usize>)> {
    let (mut at, mut frames) = (24, Vec::new());
    while at < segment.len() {
        let word = u32::from_le_bytes(segment[at..at + 4].try_into().unwrap()) as usize;
        let end = at + 12 + word % (1 << 24);
        frames.push(((word < 1 << 24).then(|| id(&segment[at + 12..])), at..end));
        at = end;
    }
    frames
}

fn inflict(damage: &Damage, file: &Index, folder: &Path) {
    let names = names(folder);
    if names.is_empty() {
        return;
    }
    let path = folder.join(file.get(&names));
    let mut content = fs::read(&path).unwrap();
    match damage {
        Damage::Delete => return fs::remove_file(path).unwrap(),
        Damage::Flip(at, bits) if !content.is_empty() => *at.get_mut(&mut content) ^= bits,
        Damage::Flip(..) => {}
        Damage::Cut(at) => content.truncate(at.index(content.len() + 1)),
        Damage::Garbage(garbage) => content.clone_from(garbage),
    }
    fs::write(path, content).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn it_is_a_bounded_queue_that_survives_restarts(steps in prop::collection::vec(step(), 1..40)) {
        let (mut owned, mut model) = (Owned::new(), Model::default());
        for step in &steps {
            model.take(&mut owned, step);
            owned.balance();
        }
    }

    #[test]
    fn a_crash_costs_what_was_not_written_and_nothing_else(
        rounds in prop::collection::vec((prop::collection::vec(step(), 0..12), fault()), 1..6),
    ) {
        let (mut owned, mut model) = (Owned::new(), Model::default());
        for (steps, fault) in &rounds {
            for step in steps {
                model.take(&mut owned, step);
                owned.balance();
            }
            model.suffer(&mut owned, fault);
            owned.balance();
        }
    }

    #[test]
    fn damage_never_brings_up_what_was_not_appended_and_never_upsets_the_accounts(
        rounds in prop::collection::vec(
            (prop::collection::vec(step(), 0..12), any::<Index>(), damage(), any::<bool>()),
            1..8,
        ),
    ) {
        let mut owned = Owned::new();
        for (steps, file, damage, is_running) in &rounds {
            for step in steps {
                match step {
                    Step::Append(sizes) => drop(owned.append(sizes)),
                    Step::Read { records, bytes } => drop(owned.read(*records, *bytes)),
                    Step::Acknowledge => owned.acknowledge(),
                    Step::Reopen => drop(owned.reopen()),
                }
                owned.balance();
            }
            if *is_running {
                inflict(damage, file, owned.folder.path());
            } else {
                owned.reopen_after(|folder| inflict(damage, file, folder));
            }
            owned.balance();
        }
        owned.read(usize::MAX, usize::MAX);
        owned.acknowledge();
        owned.balance();
        prop_assert_eq!(owned.spool().pending(), 0);
    }
}

/// A folder with the records 0 to `sizes.len()`, of these sizes, in appends of so many records each.
fn committed(sizes: &[usize], appends: &[usize], sync: SpoolSync) -> TempDir {
    let folder = folder();
    let (mut spool, _) = Spool::open(folder.path(), Options { sync, ..OPTIONS }).unwrap();
    let records: Vec<_> = (0..).zip(sizes).map(|(id, size)| sized_record(id, *size)).collect();
    let (mut rest, mut appends) = (&records[..], appends.iter().cycle());
    while !rest.is_empty() {
        let (append, behind) = rest.split_at(rest.len().min(*appends.next().unwrap()));
        assert_eq!(spool.append(append.iter().map(Vec::as_slice)).stored, append.len() as u64);
        rest = behind;
    }
    folder
}

/// Which records of a segment have some of these bytes.
fn hit(folder: &Path, file: &str, range: Range<usize>) -> Vec<u64> {
    let frames = parse(&fs::read(folder.join(file)).unwrap());
    let is_hit = |frame: &Range<usize>| frame.start < range.end && range.start < frame.end;
    frames.into_iter().filter(|(_, frame)| is_hit(frame)).filter_map(|(id, _)| id).collect()
}

fn sync() -> impl Strategy<Value = SpoolSync> {
    prop_oneof![Just(SpoolSync::Batch), Just(SpoolSync::Never)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_flipped_bit_costs_the_record_it_hits_and_none_if_it_hits_none(
        sizes in prop::collection::vec(8..200_usize, 10..30),
        appends in prop::collection::vec(1..12_usize, 1..5),
        (file, at, bit) in (any::<Index>(), any::<Index>(), 0..8_u8),
        sync in sync(),
        while_open in any::<bool>(),
    ) {
        let folder = committed(&sizes, &appends, sync);
        let (mut spool, count) = (while_open.then(|| open(folder.path()).0), sizes.len() as u64);
        let segments: Vec<_> = names(folder.path()).into_iter().filter(|name| name.ends_with(".segment")).collect();
        let file = file.get(&segments);
        let mut content = fs::read(folder.path().join(file)).unwrap();
        let at = at.index(content.len());
        let expected = hit(folder.path(), file, at..at + 1);
        content[at] ^= 1 << bit;
        fs::write(folder.path().join(file), content).unwrap();

        let mut lost = 0;
        if spool.is_none() {
            let (opened, recovery) = open(folder.path());
            lost += recovery.corrupt_records;
            prop_assert_eq!(recovery.pending + lost, count);
            spool = Some(opened);
        }
        let batch = spool.as_mut().unwrap().read(usize::MAX, usize::MAX).unwrap();
        lost += batch.lost;
        let found: Vec<_> = batch.records.iter().map(|record| id(record)).collect();
        let left: Vec<_> = (0..count).filter(|id| !expected.contains(id)).collect();
        prop_assert_eq!(found, left);
        prop_assert_eq!(lost, expected.len() as u64);
    }

    #[test]
    fn a_segment_that_is_cut_costs_what_was_behind_the_cut(
        sizes in prop::collection::vec(8..200_usize, 10..30),
        appends in prop::collection::vec(1..12_usize, 1..5),
        (file, at) in (any::<Index>(), any::<Index>()),
        sync in sync(),
    ) {
        let folder = committed(&sizes, &appends, sync);
        let segments: Vec<_> = names(folder.path()).into_iter().filter(|name| name.ends_with(".segment")).collect();
        let (file, is_newest) = (file.get(&segments), file.index(segments.len()) == segments.len() - 1);
        let content = fs::read(folder.path().join(file)).unwrap();
        let at = at.index(content.len());
        let expected = hit(folder.path(), file, at..content.len());
        fs::write(folder.path().join(file), &content[..at]).unwrap();

        let (mut spool, recovery) = open(folder.path());
        let left: Vec<_> = (0..sizes.len() as u64).filter(|id| !expected.contains(id)).collect();
        let batch = spool.read(usize::MAX, usize::MAX).unwrap();
        prop_assert_eq!(batch.lost, 0);
        prop_assert_eq!(batch.records.iter().map(|record| id(record)).collect::<Vec<_>>(), left);
        // Of the first segment nobody knows what stood before its first record that is left; of the newest what stood behind the last.
        if !is_newest && file != &segments[0] {
            prop_assert_eq!(recovery.corrupt_records, expected.len() as u64);
        }
        prop_assert!(recovery.corrupt_records <= expected.len() as u64);
    }
}

/// Opens a folder with this as its only segment, and reads all that is in it.
fn drain(segment_1: &[u8]) -> Vec<Vec<u8>> {
    let folder = folder();
    fs::write(segment(folder.path(), 1), segment_1).unwrap();
    let (mut spool, recovery) = open(folder.path());
    let batch = spool.read(usize::MAX, usize::MAX).unwrap();
    assert_eq!((batch.records.len() as u64, batch.lost), (recovery.pending, 0));
    spool.acknowledge().unwrap();
    assert_eq!(spool.bytes(), bytes(folder.path()));
    drop(spool);
    assert_eq!(open(folder.path()).1, Recovery::default(), "what was broken is reported once");
    batch.records
}

#[test]
fn random_bytes_hold_no_records() {
    let mut random = fastrand::Rng::with_seed(20);
    for round in 0..400 {
        let mut bytes = if round % 2 == 0 { format::Header::encode(1).to_vec() } else { Vec::new() };
        // Small numbers look like sizes of records.
        let ceiling = [1, 2, 32, 255][round / 2 % 4];
        bytes.extend((0..random.usize(..3000)).map(|_| random.u8(..=ceiling)));
        assert_eq!(drain(&bytes), Vec::<Vec<u8>>::new(), "round {round}");
    }
}

#[test]
fn a_mutated_segment_gives_what_is_left_of_it_in_order() {
    let mut random = fastrand::Rng::with_seed(21);
    let records: Vec<_> = (0..8).map(|id| sized_record(id, 8 + 10 * id as usize)).collect();
    let mut sound = format::Header::encode(1).to_vec();
    for record in &records {
        let place = Place { version: Version::NEWEST, segment: 1, offset: sound.len() as u64 };
        format::push_record(record, place, &mut sound);
    }
    assert_eq!(drain(&sound), records);
    for round in 0..600 {
        let (mut bytes, at) = (sound.clone(), random.usize(..sound.len()));
        match round % 4 {
            0 => bytes[at] ^= random.u8(1..),
            1 => bytes.truncate(at),
            2 => drop(bytes.splice(at..at, (0..random.usize(1..50)).map(|_| random.u8(..)))),
            _ => drop(bytes.splice(at..random.usize(at..sound.len()), [])),
        }
        let found = drain(&bytes);
        let mut left = records.iter();
        assert!(found.iter().all(|record| left.any(|known| known == record)), "round {round}: {found:?}");
        let fewest = [records.len() - 1, 0, 0, 0][round % 4];
        assert!(found.len() >= fewest, "round {round}: {found:?}");
    }
}
