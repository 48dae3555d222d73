//! What the framework calls to connect to a device.

use mapper_framework::{Device, Driver, DriverError};
use tokio::time::Instant;

use crate::{
    brokers::{Brokers, Settings},
    config::Config,
    plan::Plan,
    session::MqttDevice,
};

/// Devices that publish themselves. All devices that name the same broker with the same credentials share one connection.
#[derive(Default)]
pub struct MqttDevices {
    brokers: Brokers,
}

impl Driver for MqttDevices {
    type Config = Config;
    type Session = MqttDevice;

    async fn connect(&self, device: &Device, config: Config) -> Result<MqttDevice, DriverError> {
        let timeout = config.timeout();
        let deadline = Instant::now() + timeout;
        let settings = Settings {
            broker: config.broker.clone(),
            credentials: device.credentials().clone(),
            client_id: config.client_id.clone(),
            keep_alive: config.keep_alive(),
        };
        let plan = Plan::new(device, config)?;
        let connection = self.brokers.connect(settings, timeout).await?;
        MqttDevice::begin(plan, connection.share(), deadline).await
    }
}
