//! A device that delivers numbers, one after the other and none twice, at a given rate: what arrives at a sink can be counted.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mapper_framework::{Change, Device, Driver, DriverError, Property, Reading, Session};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// The protocol of the device.
pub const PROTOCOL: &str = "flood";

/// How often the device delivers.
const BEAT: Duration = Duration::from_millis(10);

/// The driver. Each of its sessions delivers the numbers from `first` on.
#[derive(Clone, Copy, Debug)]
pub struct Flood {
    /// The first number. The number `n` is said to be read `n` milliseconds after the beginning of 2026, so that no two of one
    /// property have the same time.
    pub first: i64,
    /// Numbers per second, at least 100.
    pub rate: u32,
    /// After how many numbers the device falls silent.
    pub total: u64,
}

/// The beginning of 2026, in seconds since 1970 UTC.
const BEGIN: u64 = 1_767_225_600;

impl Flood {
    /// The model, and a device whose property `number` goes where `push_method` says, which is YAML in braces.
    #[must_use]
    pub fn manifests(push_method: &str) -> String {
        Self::manifests_of(&["flood"], push_method)
    }

    /// The model, and a device of each name, each of which delivers all the numbers.
    #[must_use]
    pub fn manifests_of(devices: &[&str], push_method: &str) -> String {
        let model = format!(
            "apiVersion: devices.kubeedge.io/v1beta1\nkind: DeviceModel\nmetadata: {{name: flood}}\n\
             spec: {{protocol: {PROTOCOL}, properties: [{{name: number, type: INT, accessMode: ReadOnly}}]}}\n"
        );
        let device = |name: &&str| {
            format!(
                "---\napiVersion: devices.kubeedge.io/v1beta1\nkind: Device\nmetadata: {{name: {name}}}\n\
                 spec:\n  deviceModelRef: {{name: flood}}\n  protocol: {{protocolName: {PROTOCOL}}}\n  \
                 properties: [{{name: number, collectCycle: 86400000, pushMethod: {push_method}}}]\n"
            )
        };
        model + devices.iter().map(device).collect::<String>().as_str()
    }
}

/// A session, and what it delivers next.
#[derive(Debug)]
pub struct Stream {
    next: i64,
    left: u64,
    per_beat: u64,
    beat: Interval,
}

impl Driver for Flood {
    type Config = ();
    type Session = Stream;

    async fn connect(&self, _: &Device, (): ()) -> Result<Stream, DriverError> {
        let mut beat = interval(BEAT);
        // What a busy machine misses is delivered later, so that the rate holds.
        beat.set_missed_tick_behavior(MissedTickBehavior::Burst);
        Ok(Stream { next: self.first, left: self.total, per_beat: u64::from(self.rate / 100), beat })
    }
}

impl Stream {
    fn take(&mut self) -> Change {
        let number = self.next;
        self.next += 1;
        self.left -= 1;
        Change::new("number", Reading::new(number).at(time_of(number)))
    }
}

fn time_of(number: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(BEGIN) + Duration::from_millis(number.unsigned_abs())
}

impl Session for Stream {
    type Visitor = ();

    async fn read(&mut self, _: &Property<()>) -> Result<Reading, DriverError> {
        Err(DriverError::failed("the device delivers by itself"))
    }

    async fn changed(&mut self) -> Result<Vec<Change>, DriverError> {
        if self.left == 0 {
            std::future::pending::<()>().await;
        }
        self.beat.tick().await;
        let count = self.per_beat.min(self.left);
        Ok((0..count).map(|_| self.take()).collect())
    }
}
