//! What the framework calls to connect to a device.

use mapper_framework::{Device, Discovery, Driver, DriverError};
use tokio::time::Instant;

use crate::{
    brokers::{Brokers, Settings},
    config::Config,
    discover,
    plan::Plan,
    session::MqttDevice,
    share::Share,
};

/// Devices that publish themselves. All devices that name the same broker with the same credentials share one connection.
#[derive(Default)]
pub struct MqttDevices {
    brokers: Brokers,
}

impl Driver for MqttDevices {
    type Config = Config;
    type Session = MqttDevice;

    const DISCOVER_ARGS: &'static [(&'static str, &'static str)] = discover::ARGS;

    async fn connect(&self, device: &Device, config: Config) -> Result<MqttDevice, DriverError> {
        let timeout = config.timeout();
        let deadline = Instant::now() + timeout;
        let settings = Settings {
            broker: config.broker.clone(),
            version: config.version,
            credentials: device.credentials().clone(),
            client_id: config.client_id.clone(),
            keep_alive: config.keep_alive(),
            alone: None,
        };
        let plan = Plan::new(device, config)?;
        let connection = self.brokers.connect(settings, device.id(), timeout).await?;
        MqttDevice::begin(plan, Share::new(connection), deadline).await
    }

    async fn discover(&self, discovery: &Discovery) -> Result<(), DriverError> {
        discover::discover(discovery).await
    }
}
