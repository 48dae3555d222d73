//! The task of one device: connects, serves the session until it ends, and connects again.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    driver::ErasedSession,
    model::DeviceState,
    telemetry::{
        Occurrence,
        sessions::{ConnectFailed, SessionLost, SessionOpened, SessionRenewed},
    },
};

use super::{
    end::End,
    handle::{OperationError, answer},
    order::Operation,
    served::{Context, ServedDevice},
    session::{Ended, LiveSession},
};

/// Serves one device, with a session or without.
pub(super) struct DeviceTask {
    device: ServedDevice,
    /// Whether the log shows the device as connected.
    shown_connected: bool,
}

/// Why waiting for a session was interrupted.
enum Interruption {
    Stopped,
    /// The device is to be connected to in another way.
    Reconfigured,
}

impl DeviceTask {
    pub(super) fn new(context: Context) -> Self {
        Self { device: ServedDevice::new(context), shown_connected: false }
    }

    /// Serves the device until it is stopped.
    pub(super) async fn run(mut self) {
        self.serve().await;
        self.device.consumers.end().await;
        self.device.break_off();
        self.refuse_repeated(&End::Stopped.to_string());
        self.device.context.operations.close();
        while let Ok(operation) = self.device.context.operations.try_recv() {
            self.refuse(*operation, End::Stopped.to_string());
        }
    }

    async fn serve(&mut self) {
        // A device that is never there has wishes, too.
        self.device.save_goals().await;
        while let Some(session) = self.connect().await {
            let ended = LiveSession::new(&mut self.device, session).serve().await;
            let Some(pause) = self.pause_after(ended) else { break };
            if !pause.is_zero() && self.pause(pause).await.is_err() {
                break;
            }
        }
    }

    /// Says why a session has ended, and when the next one is opened; `None` if there is none.
    fn pause_after(&mut self, Ended { end, has_answered }: Ended) -> Option<Duration> {
        let (device, now) = (&mut self.device, Instant::now());
        let soonest = device.reconnects.after_success(device.shortest_cycle(), now);
        match end {
            End::Stopped => return None,
            End::Reconfigured => {
                device.break_off();
                return Some(Duration::ZERO);
            }
            End::Closed(reason) if has_answered => {
                device.context.telemetry.emit(SessionRenewed { device: device.id(), reason: &reason });
                // Somebody waits for a write.
                return Some(if device.repeated.is_some() { Duration::ZERO } else { soonest });
            }
            End::Closed(reason) | End::Lost(reason) => {
                self.session_lost(&reason);
                self.device.set_state(DeviceState::Disconnected, Some(reason));
            }
            // The device is unhealthy already, and no less connected than before.
            End::Silent(reason) => self.session_lost(&reason),
        }
        let pause = self.device.reconnects.after_failure();
        Some(if has_answered { pause.max(soonest) } else { pause })
    }

    fn session_lost(&mut self, reason: &str) {
        self.refuse_repeated(reason);
        self.device.break_off();
        let is_news = self.device.failures.is_news(reason, Instant::now());
        self.shown_connected &= !is_news;
        let (device, occurrence) = (self.device.id(), Occurrence::first_if(is_news));
        self.device.context.telemetry.emit(SessionLost { device, reason: &reason, occurrence });
    }

    /// Connects, however often it takes. `None` when the device is stopped.
    async fn connect(&mut self) -> Option<Box<dyn ErasedSession>> {
        loop {
            if let Some(reason) = self.device.bound.problem().filter(|_| self.device.bound.has_wrong_config) {
                self.refuse_repeated(&reason);
                self.device.set_state(DeviceState::Unhealthy, Some(reason));
                match self.interrupted().await {
                    Interruption::Stopped => return None,
                    Interruption::Reconfigured => continue,
                }
            }
            match self.attempt().await {
                Ok(Ok(session)) => {
                    let shown = std::mem::replace(&mut self.shown_connected, true);
                    let (device, occurrence) = (self.device.id(), Occurrence::first_if(!shown));
                    self.device.context.telemetry.emit(SessionOpened { device, occurrence });
                    return Some(session);
                }
                Ok(Err(error)) => {
                    let pause = self.connect_failed(error);
                    if self.pause(pause).await.is_err() {
                        return None;
                    }
                }
                Err(Interruption::Stopped) => return None,
                Err(Interruption::Reconfigured) => self.device.reconnects.start_over(),
            }
        }
    }

    /// Says why the device cannot be connected to, and returns the pause before the next attempt.
    fn connect_failed(&mut self, error: String) -> Duration {
        self.refuse_repeated(&error);
        let device = &mut self.device;
        device.break_off();
        let pause = device.reconnects.after_failure();
        // A lost session and a failed attempt are two things to be said, though the words may be the same.
        let is_news = device.failures.is_news(&format!("connect: {error}"), Instant::now());
        self.shown_connected &= !is_news;
        let attempt = device.reconnects.failures();
        let occurrence = Occurrence::first_if(is_news);
        let event = ConnectFailed { device: device.id(), error: &error, attempt, pause, occurrence };
        device.context.telemetry.emit(event);
        device.set_state(DeviceState::Disconnected, Some(error));
        pause
    }

    /// Calls the driver's `connect` once.
    async fn attempt(&mut self) -> Result<Result<Box<dyn ErasedSession>, String>, Interruption> {
        self.device.reconnects.begins(Instant::now());
        let driver = Arc::clone(&self.device.context.driver);
        let device = match self.device.credentials.equip(&self.device.bound.device) {
            Ok(device) => device,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let fence = Arc::clone(&self.device.context.fence);
        let call = async { driver.connect(&device).await.map_err(|error| error.to_string()) };
        tokio::select! {
            // A device that is removed before its turn is not connected to.
            biased;
            interruption = self.interrupted() => Err(interruption),
            session = fence.timed("connect", call) => Ok(session.flatten()),
        }
    }

    /// Waits. An interruption that asks for another connection ends the wait; `Err` when the device is stopped.
    async fn pause(&mut self, pause: Duration) -> Result<(), ()> {
        tokio::select! {
            () = sleep(pause) => Ok(()),
            interruption = self.interrupted() => match interruption {
                Interruption::Reconfigured => Ok(()),
                Interruption::Stopped => Err(()),
            },
        }
    }

    /// Does what can be done without a session, until something happens for which waiting makes no sense.
    async fn interrupted(&mut self) -> Interruption {
        let stop = self.device.context.stop.clone();
        loop {
            let (state_due, device) = (self.device.state_due, Arc::clone(&self.device.bound.device));
            let release_due = self.device.release_due();
            tokio::select! {
                biased;
                () = stop.cancelled() => return Interruption::Stopped,
                changed = self.device.context.target.changed() => {
                    if changed.is_err() {
                        return Interruption::Stopped;
                    }
                    let connects_like = self.device.adopt_target();
                    self.device.save_goals().await;
                    if !connects_like {
                        return Interruption::Reconfigured;
                    }
                }
                () = sleep_until(state_due.unwrap_or_else(Instant::now)), if state_due.is_some() => {
                    self.device.repeat_state();
                }
                () = sleep_until(release_due.unwrap_or_else(Instant::now)), if release_due.is_some() => {
                    self.device.release();
                }
                () = self.device.credentials.changed(&device) => return Interruption::Reconfigured,
                Some(operation) = self.device.context.operations.recv() => {
                    let (_, reason) = self.device.context.status.state();
                    self.refuse(*operation, reason.unwrap_or_else(|| "it is not connected yet".to_owned()));
                }
            }
        }
    }

    fn refuse_repeated(&mut self, reason: &str) {
        if let Some(operation) = self.device.repeated.take() {
            self.refuse(*operation, reason.to_owned());
        }
    }

    fn refuse(&self, operation: Operation, reason: String) {
        answer(operation.reply, Err(OperationError::Unavailable { device: self.device.id().clone(), reason }));
    }
}
