//! What edgecore does with a message of the event bus.

use std::{sync::Arc, time::Duration};

use tokio::{sync::mpsc, time};
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        DropReason,
        core::Core,
        event::EdgeEvent,
        reports::{self, Device, Report},
    },
    Bus, Message, loses,
    message::{StateUpdate, TwinUpdate},
    topic::{self, Subject},
};

/// How long a refused update holds up those behind it: 300 refused at once stall edgecore for more than a minute.
const REFUSAL: Duration = Duration::from_millis(200);

/// Whether an update was refused with an answer.
type Refused = bool;

/// Works through the messages, one at a time, until the run ends. What still waits then is lost.
pub(super) async fn run(core: Arc<Core>, mut inbox: mpsc::Receiver<Message>, run: CancellationToken) {
    let work = async {
        while let Some(message) = inbox.recv().await {
            let Some((namespace, name, subject)) = topic::update(&message.topic) else { continue };
            time::sleep(core.quirks.bus.takes).await;
            let Some(bus) = core.bus() else { return };
            core.change(|state| state.counts.bus_messages += 1);
            let update = Update { core: &core, bus, namespace, name, payload: &message.payload };
            if update.take(subject) {
                time::sleep(REFUSAL).await;
            }
        }
    };
    run.run_until_cancelled(work).await;
}

/// A message about a device.
struct Update<'a> {
    core: &'a Core,
    bus: &'a Bus,
    namespace: &'a str,
    name: &'a str,
    payload: &'a [u8],
}

impl Update<'_> {
    fn take(&self, subject: Subject) -> Refused {
        match subject {
            Subject::Twin => self.store_twins(),
            Subject::State => {
                self.store_state();
                false
            }
        }
    }

    /// The device as the topic names it.
    fn device(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    fn store_twins(&self) -> Refused {
        let update: TwinUpdate = match serde_json::from_slice(self.payload) {
            Ok(update) => update,
            Err(error) => {
                self.warn(&error);
                // A device whose namespace is lost has no worker that could refuse anything.
                let refused = !loses(self.namespace);
                if refused {
                    self.bus.unreadable(&"the update is no JSON, or has no `twin`");
                }
                return refused;
            }
        };
        let twins = update.twin.iter();
        let reports: Vec<Report> =
            twins.map(|(property, twin)| Report::new(property, twin.observed_desired(), twin.reported())).collect();
        let device = self.judge(&update, &reports);
        match device {
            Ok(device) => {
                let stored: Vec<_> =
                    reports.into_iter().map(|report| reports::store(self.core, &device, report)).collect();
                reports::repeat(self.core, device.clone());
                self.bus.stored(device.as_str(), &update.event_id, &stored);
                false
            }
            Err(reason) => {
                reports.iter().for_each(|report| reports::drop_twin(self.core, &self.device(), report, &reason));
                self.bus.refused(&self.device(), &update.event_id, &reason);
                reason != DropReason::LostNamespace
            }
        }
    }

    /// The device, if all twins can be stored: one that cannot loses all. In the order in which edgecore finds out.
    fn judge(&self, update: &TwinUpdate, reports: &[Report]) -> Device {
        if loses(self.namespace) {
            return Err(DropReason::LostNamespace);
        }
        reports.iter().try_for_each(Report::judge)?;
        let device = reports::known(self.core, self.namespace, self.name)?;
        if update.twin.values().any(|twin| !twin.has_values()) {
            return Err(DropReason::NoValue);
        }
        if update.twin.values().any(|twin| !twin.has_known_type()) {
            return Err(DropReason::IllegalType);
        }
        Ok(device)
    }

    fn store_state(&self) {
        match serde_json::from_slice::<StateUpdate>(self.payload) {
            Ok(update) => reports::store_state(self.core, self.namespace, self.name, &update.state),
            Err(error) => self.warn(&error),
        }
    }

    fn warn(&self, error: &serde_json::Error) {
        let message = format!("edgecore cannot read an update of {} on the event bus: {error}", self.device());
        self.core.emit(EdgeEvent::Warning { message });
    }
}
