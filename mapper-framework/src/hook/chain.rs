//! The hooks at work on one device, one after the other.

use std::{
    any::Any,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    model::{Device, Sample},
    telemetry::{
        Occurrence, Telemetry,
        hooks::{HookPanicked, HookSlow},
    },
};

use super::{DeviceHook, Flow, Passing, SampleHook};

/// For how long a hook may hold up its device by what one round of reads gave.
const PATIENCE: Duration = Duration::from_millis(10);

/// The hooks of a mapper, in their order.
#[derive(Clone, Default)]
pub(crate) struct Hooks(Vec<Arc<dyn SampleHook>>);

impl Hooks {
    pub(crate) fn push(&mut self, hook: Arc<dyn SampleHook>) {
        self.0.push(hook);
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|hook| hook.name())).finish()
    }
}

/// The hooks of one device. Owned by its task.
pub(crate) struct Chain {
    links: Vec<Link>,
    telemetry: Telemetry,
}

/// One hook of one device.
struct Link {
    kind: Arc<dyn SampleHook>,
    /// `None` while it leaves the device alone, and once it has panicked. Never locked: it makes a hook, which need not be `Sync`, part of
    /// the device's task.
    hook: Option<Mutex<Box<dyn DeviceHook>>>,
    has_panicked: bool,
    /// Whether it was slow the last time.
    slow: bool,
}

impl Chain {
    pub(crate) fn attach(hooks: &Hooks, device: &Device, telemetry: &Telemetry) -> Self {
        let mut chain = Self { links: Vec::new(), telemetry: telemetry.clone() };
        let link =
            |kind: &Arc<dyn SampleHook>| Link { kind: Arc::clone(kind), hook: None, has_panicked: false, slow: false };
        chain.links.extend(hooks.0.iter().map(link));
        chain.changed(device);
        chain
    }

    /// Whether nothing would happen to any sample.
    pub(crate) fn is_empty(&self) -> bool {
        self.links.iter().all(|link| link.hook.is_none())
    }

    /// The device has another manifest: hooks learn of it, and those that have left the device alone may begin.
    pub(crate) fn changed(&mut self, device: &Device) {
        for link in self.links.iter_mut().filter(|link| !link.has_panicked) {
            let changed = match &mut link.hook {
                Some(hook) => fenced(|| alone(hook).changed(device)),
                None => fenced(|| link.kind.attach(device)).map(|hook| link.hook = hook.map(Mutex::new)),
            };
            if let Err(panic) = changed {
                link.panicked(device, &panic, &self.telemetry);
            }
        }
    }

    /// Leads samples through all hooks.
    pub(crate) fn pass(&mut self, device: &Device, mut samples: Vec<Sample>) -> Vec<Sample> {
        for index in 0..self.links.len() {
            if self.links[index].hook.is_none() {
                continue;
            }
            let began = Instant::now();
            samples = self.pass_one(index, device, samples);
            self.note_time(index, device, began.elapsed());
        }
        samples
    }

    fn pass_one(&mut self, index: usize, device: &Device, samples: Vec<Sample>) -> Vec<Sample> {
        let mut passed = Vec::with_capacity(samples.len());
        for sample in samples {
            let link = &mut self.links[index];
            let Some(hook) = &mut link.hook else {
                passed.push(sample);
                continue;
            };
            let mut added = Vec::new();
            let mut passing = Passing { device, sample: sample.clone(), added: &mut added };
            match fenced(|| alone(hook).sample(&mut passing)) {
                Ok(Flow::Pass) => passed.push(passing.sample),
                Ok(Flow::Drop) => {}
                Err(panic) => {
                    added.clear();
                    passed.push(sample);
                    link.panicked(device, &panic, &self.telemetry);
                }
            }
            passed.append(&mut added);
        }
        passed
    }

    fn note_time(&mut self, index: usize, device: &Device, took: Duration) {
        let link = &mut self.links[index];
        let was_slow = std::mem::replace(&mut link.slow, took > PATIENCE);
        if link.slow {
            let (occurrence, hook) = (Occurrence::first_if(!was_slow), link.kind.name());
            self.telemetry.emit(HookSlow { device: device.id(), hook, took, occurrence });
        }
    }
}

impl Link {
    /// Switches the hook off for the device.
    fn panicked(&mut self, device: &Device, panic: &str, telemetry: &Telemetry) {
        (self.hook, self.has_panicked) = (None, true);
        telemetry.emit(HookPanicked { device: device.id(), hook: self.kind.name(), panic });
    }
}

/// The hook, which nobody else has.
fn alone(hook: &mut Mutex<Box<dyn DeviceHook>>) -> &mut dyn DeviceHook {
    &mut **hook.get_mut().unwrap_or_else(PoisonError::into_inner)
}

/// Calls into a hook. What a panic leaves behind is dropped by the caller, and the kind of hook is called for other devices only.
fn fenced<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| message(&*panic))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message").to_owned()
}
