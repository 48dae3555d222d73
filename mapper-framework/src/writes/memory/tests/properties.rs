//! A memory against a model of it, through random changes, crashes and damage.

use std::collections::BTreeMap;

use proptest::{prelude::*, sample::Index};

use super::*;

const DEVICES: [&str; 3] = ["boiler", "böiler\n", ""];
const PROPERTIES: [&str; 3] = ["p", "\"],[\"p", "温度"];

#[derive(Clone, Debug)]
enum Step {
    Remember(usize, usize, String, Outcome),
    Forget(usize, usize),
    ForgetDevice(usize),
    Reopen,
}

/// What happens to the file.
#[derive(Clone, Debug)]
enum Fault {
    /// The power is lost while the last change is written.
    Torn(Index),
    Flip(Index, u8),
    /// A row of bytes is overwritten.
    Overwrite(Index, usize, u8),
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![Just(Outcome::Pending), Just(Outcome::Acknowledged), Just(Outcome::Unknown)];
    prop_oneof![
        8 => (0..3_usize, 0..3_usize, any::<String>(), outcome)
            .prop_map(|(device, property, wish, outcome)| Step::Remember(device, property, wish, outcome)),
        2 => (0..3_usize, 0..3_usize).prop_map(|(device, property)| Step::Forget(device, property)),
        1 => (0..3_usize).prop_map(Step::ForgetDevice),
        1 => Just(Step::Reopen),
    ]
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        2 => any::<Index>().prop_map(Fault::Torn),
        3 => (any::<Index>(), 1..=255_u8).prop_map(|(at, bits)| Fault::Flip(at, bits)),
        1 => (any::<Index>(), 1..400_usize, any::<u8>()).prop_map(|(at, bytes, by)| Fault::Overwrite(at, bytes, by)),
    ]
}

type State = BTreeMap<(usize, usize), Remembered>;

/// A memory, and what it must hold.
struct Owned {
    place: Place,
    disk: SmallDisk,
    /// `None` only while it is reopened.
    memory: Option<WriteMemory>,
    state: State,
    /// What the file and the model were before the last change.
    before: (Vec<u8>, State),
    /// All that was ever remembered.
    ever: Vec<((usize, usize), Remembered)>,
    is_complete: bool,
    clock: u64,
}

impl Owned {
    fn new() -> Self {
        let (place, disk) = (Place::new(), SmallDisk::with(u64::MAX));
        let memory = Some(place.open_on(&disk, Limits::DEFAULT));
        let before = (place.content(), State::new());
        Self { place, disk, memory, state: State::new(), before, ever: Vec::new(), is_complete: true, clock: 0 }
    }

    fn memory(&self) -> &WriteMemory {
        self.memory.as_ref().unwrap()
    }

    fn reopen_after(&mut self, happens: impl FnOnce(&Path)) {
        self.memory = None;
        happens(&self.place.path());
        self.memory = Some(self.place.open_on(&self.disk, Limits::DEFAULT));
    }

    async fn take(&mut self, step: &Step) {
        self.before = (self.place.content(), self.state.clone());
        match step {
            Step::Remember(device, property, wish, outcome) => {
                self.clock += 1;
                let entry = entry_of(wish, *outcome, self.clock);
                let (id, name) = (self::device(DEVICES[*device]), PROPERTIES[*property]);
                assert_eq!(self.memory().remember(&id, name, entry.clone()).await, Durable::Yes);
                self.ever.push(((*device, *property), entry.clone()));
                self.state.insert((*device, *property), entry);
            }
            Step::Forget(device, property) => {
                self.memory().forget(&self::device(DEVICES[*device]), PROPERTIES[*property]).await;
                self.state.remove(&(*device, *property));
            }
            Step::ForgetDevice(device) => {
                self.memory().forget_device(&self::device(DEVICES[*device])).await;
                self.state.retain(|(of, _), _| of != device);
            }
            Step::Reopen => self.reopen_after(|_| {}),
        }
        assert_eq!(self.recalled(), self.state);
        assert_eq!(self.memory().is_complete(), self.is_complete);
    }

    fn recalled(&self) -> State {
        let keys = (0..3).flat_map(|device| (0..3).map(move |property| (device, property)));
        let recall = |(device, property): (usize, usize)| {
            self.memory().recall(&self::device(DEVICES[device]), PROPERTIES[property])
        };
        keys.filter_map(|key| Some((key, recall(key)?))).collect()
    }

    fn suffer(&mut self, fault: &Fault) {
        match fault {
            Fault::Torn(written) => self.tear(written),
            Fault::Flip(at, bits) => self.damage(|content| *at.get_mut(content) ^= bits),
            Fault::Overwrite(at, bytes, by) => self.damage(|content| {
                let at = at.index(content.len());
                let end = content.len().min(at + bytes);
                content[at..end].fill(*by);
            }),
        }
    }

    /// A part of what the last change has appended is there.
    fn tear(&mut self, written: &Index) {
        let (before, old) = self.before.clone();
        let now = self.place.content();
        let Some(appended) = now.strip_prefix(&before[..]) else { return };
        let torn = [&before, &appended[..written.index(appended.len() + 1)]].concat();
        self.reopen_after(|path| fs::write(path, torn).unwrap());
        let found = self.recalled();
        for key in (0..3).flat_map(|device| (0..3).map(move |property| (device, property))) {
            let is_right = found.get(&key) == old.get(&key) || found.get(&key) == self.state.get(&key);
            assert!(is_right, "{key:?}: {found:?}");
        }
        assert_eq!(self.memory().is_complete(), self.is_complete);
        self.state = found;
    }

    fn damage(&mut self, damage: impl FnOnce(&mut Vec<u8>)) {
        let mut content = self.place.content();
        let lines = content.iter().filter(|byte| **byte == b'\n').count();
        damage(&mut content);
        // What has lost its end looks like a line that was being written.
        let is_cut = content.last() != Some(&b'\n') && lines > 0;
        self.reopen_after(|path| fs::write(path, content).unwrap());
        let found = self.recalled();
        if is_cut {
            assert!(found.iter().all(|(key, entry)| self.ever.contains(&(*key, entry.clone()))), "{found:?}");
        } else {
            assert!(found.iter().all(|(key, entry)| self.state.get(key) == Some(entry)), "{found:?}");
            assert!(found == self.state || !self.memory().is_complete());
        }
        assert!(self.is_complete || !self.memory().is_complete());
        (self.state, self.is_complete) = (found, self.memory().is_complete());
        self.reopen_after(|_| {});
        assert_eq!((self.recalled(), self.memory().is_complete()), (self.state.clone(), self.is_complete));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn it_never_recalls_what_was_not_the_last_word_and_loses_nothing_in_silence(
        rounds in prop::collection::vec((prop::collection::vec(step(), 1..15), fault()), 1..5),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut owned = Owned::new();
            for (steps, fault) in &rounds {
                for step in steps {
                    owned.take(step).await;
                }
                owned.suffer(fault);
            }
        });
    }

    #[test]
    fn random_bytes_hold_no_entries(content in prop::collection::vec(any::<u8>(), 0..500)) {
        let found = recovery::read(&content);
        prop_assert!(found.entries.is_empty() && !found.is_complete);
    }
}
