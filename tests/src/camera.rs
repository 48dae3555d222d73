//! A device that gives frames: what arrives at the end of a stream can be held against what was sent.

use std::{sync::Arc, time::Duration};

use mapper_framework::{
    ContentType, Device, DeviceState, Driver, DriverError, Format, Frame, FrameSender, Property, Reading, Session,
    model::DeviceId, testing::TestBed,
};
use tokio::time::{MissedTickBehavior, interval};

/// The protocol of the device.
pub const PROTOCOL: &str = "camera";

type Picture = dyn Fn(u64) -> Vec<u8> + Send + Sync;

/// The driver. Each of its sessions gives the pictures from number 1 on.
#[derive(Clone)]
pub struct Camera {
    every: Duration,
    size: (u32, u32),
    picture: Arc<Picture>,
}

impl Camera {
    /// Gives a picture each `every`, of which `picture` makes the bytes by its number.
    pub fn new(every: Duration, size: (u32, u32), picture: impl Fn(u64) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self { every, size, picture: Arc::new(picture) }
    }

    /// The bytes of picture `number` of so many bytes, none like another. No decoder makes a picture of it.
    #[must_use]
    pub fn noise(number: u64, bytes: usize) -> Vec<u8> {
        let mut noise: Vec<u8> = vec![0xff, 0xd8];
        // Of the generator of Knuth, by the number: the same each time.
        let mut state = number;
        while noise.len() < bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            noise.extend_from_slice(&state.to_be_bytes());
        }
        noise.truncate(bytes);
        noise
    }

    /// A model and a device whose property `live` has this visitor and these further fields, both as YAML in braces; and `state`.
    #[must_use]
    pub fn manifests(visitor: &str, fields: &str) -> String {
        format!(
            "apiVersion: devices.kubeedge.io/v1beta1\nkind: DeviceModel\nmetadata: {{name: camera}}\n\
             spec: {{protocol: {PROTOCOL}, properties: [{{name: live, type: STRING, accessMode: ReadOnly}}, \
             {{name: state, type: STRING, accessMode: ReadOnly}}]}}\n---\n\
             apiVersion: devices.kubeedge.io/v1beta1\nkind: Device\nmetadata: {{name: camera}}\n\
             spec:\n  deviceModelRef: {{name: camera}}\n  protocol: {{protocolName: {PROTOCOL}}}\n  properties:\n  \
             - {{name: live, collectCycle: 200, {fields}visitors: {{protocolName: {PROTOCOL}, configData: {visitor}}}}}\n  \
             - {{name: state, collectCycle: 200, reportToCloud: true, visitors: {{protocolName: {PROTOCOL}, \
             configData: {{stream: state}}}}}}\n"
        )
    }
}

/// The device of [`Camera::manifests`].
#[must_use]
pub fn id() -> DeviceId {
    DeviceId::new("default", "camera")
}

/// Waits until the device is unhealthy for a reason with this in it, and gives the reason.
///
/// # Panics
///
/// If it is not in time.
pub async fn until_unhealthy(bed: &TestBed, reason: &str) -> String {
    let fits = |state, why: &str| state == DeviceState::Unhealthy && why.contains(reason);
    bed.until_state(&id(), reason, fits).await
}

/// Waits until the device is online.
///
/// # Panics
///
/// If it is not in time.
pub async fn until_online(bed: &TestBed) {
    bed.until_state(&id(), "it is online", |state, _| state == DeviceState::Online).await;
}

impl Driver for Camera {
    type Config = ();
    type Session = Self;

    async fn connect(&self, _: &Device, (): ()) -> Result<Self, DriverError> {
        Ok(self.clone())
    }
}

impl Session for Camera {
    type Visitor = ();

    async fn read(&mut self, _: &Property<()>) -> Result<Reading, DriverError> {
        Err(DriverError::failed("there is nothing but a stream"))
    }

    async fn stream(&mut self, frames: FrameSender) -> Result<(), DriverError> {
        let (camera, (width, height)) = (self.clone(), self.size);
        tokio::spawn(async move {
            frames.granted(Format::new("MJPG", width, height));
            let mut beat = interval(camera.every);
            beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
            for number in 1.. {
                beat.tick().await;
                let frame = Frame::new(ContentType::Jpeg, (camera.picture)(number)).size(width, height);
                if !frames.send(frame) {
                    return;
                }
            }
        });
        Ok(())
    }
}
