//! The mapper between an edgecore and a broker, and its driver by itself.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use integration_tests::servers::{Mosquitto, MosquittoOptions};
use mapper_framework::{
    Change, DataType, Device, Driver, DriverError, Property, Session,
    model::{Credentials, DeviceId},
    testing::{DEADLINE, TestBed, TestBedBuilder},
    watch::{Filter, Kind, What},
};
use mqtt_device::{Config, MqttDevice, MqttDevices, Visitor};
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::peers::Publisher;

/// A mapper with a folder of credentials.
pub(crate) struct Bed {
    pub(crate) bed: TestBed,
    credentials: TempDir,
}

impl Bed {
    pub(crate) async fn start() -> Self {
        Self::start_with(|builder| builder).await
    }

    /// Starts one that is set up in another way.
    pub(crate) async fn start_with(
        change: impl FnOnce(TestBedBuilder<MqttDevices>) -> TestBedBuilder<MqttDevices>,
    ) -> Self {
        let credentials = tempfile::tempdir().unwrap();
        let folder = credentials.path().to_owned();
        let builder = TestBed::builder(MqttDevices::default(), "mqtt").config(move |config| {
            config.driver.credentials = folder;
            config.driver.backoff_max = Duration::from_secs(1);
        });
        Self { bed: change(builder).start().await, credentials }
    }

    /// Puts files into the folder of credentials of this name, in the place of earlier ones.
    pub(crate) fn credentials(&self, name: &str, files: &[(&str, &str)]) {
        let folder = self.credentials.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        files.iter().for_each(|(file, text)| fs::write(folder.join(file), text).unwrap());
    }

    pub(crate) async fn apply(&self, manifests: &str) {
        self.bed.edge().apply(manifests).await.unwrap();
    }

    /// Waits until a twin has this value.
    pub(crate) async fn holds(&self, device: &str, property: &str, value: &str) {
        let id = id(device);
        let what = format!("{property} of {device} is {value}");
        self.bed.until(&what, |edge| edge.twin(&id, property).is_some_and(|twin| twin.value() == value)).await;
    }

    /// Waits until the device is in this state.
    pub(crate) async fn is(&self, device: &str, state: &str) {
        let id = id(device);
        self.bed.until(&format!("{device} is {state}"), |edge| edge.state(&id) == Some(state)).await;
    }

    /// Waits until the device is in a state whose reason has this in it, and returns the whole reason.
    pub(crate) async fn reason(&self, device: &str, part: &str) -> String {
        self.bed.until_state(&id(device), part, |_, reason| reason.contains(part)).await
    }

    /// Waits until a property fails for a reason that has this in it.
    pub(crate) async fn fails(&self, device: &str, property: &str, part: &str) {
        let filter = Filter::all().kinds([Kind::Read]).device(id(device));
        let mut watch = self.bed.handle().watch(filter).await.unwrap();
        let snapshot = watch.snapshot();
        let failures = snapshot.devices().iter().filter(|(it, _)| *it == id(device)).flat_map(|(_, it)| &it.failures);
        let mut seen: Vec<_> = failures.map(|it| (it.property.to_string(), it.reason.clone())).collect();
        let is_it = |(of, reason): &(String, String)| of == property && reason.contains(part);
        let wait = async {
            while !seen.iter().any(is_it) {
                if let What::ReadFailed { property, reason, .. } = watch.next().await.unwrap().what() {
                    seen.push((property.to_string(), reason.clone()));
                }
            }
        };
        let came = timeout(DEADLINE, wait).await.is_ok();
        assert!(came, "{part:?} has not come, but {seen:?}");
    }

    /// Waits until a [`plain`] tank, from which nothing has come since, is connected to again and has its values, and stops.
    pub(crate) async fn ends_well(self, broker: &Mosquitto) {
        self.is("tank", "unknown").await;
        let mut publisher = Publisher::connect(broker);
        publisher.publish("plant/tank", r#"{"level":9.5}"#).await;
        self.holds("tank", "level", "9.5").await;
        self.is("tank", "online").await;
        self.stop().await;
    }

    pub(crate) async fn stop(self) {
        self.bed.stop().await.unwrap();
    }
}

/// The version of MQTT that the mapper speaks.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Version {
    V3,
    V5,
}

impl Version {
    /// As a device's config has it.
    pub(crate) fn number(self) -> &'static str {
        match self {
            Self::V3 => "3.1.1",
            Self::V5 => "5",
        }
    }

    /// The key of a manifest; the one that is the default is not written.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::V3 => "",
            Self::V5 => "version: 5, ",
        }
    }

    /// The manifests with this key.
    pub(crate) fn in_manifests(self, text: &str) -> String {
        match self {
            Self::V3 => text.to_owned(),
            Self::V5 => text.replace("      broker: mqtt:", "      version: 5\n      broker: mqtt:"),
        }
    }
}

pub(crate) fn id(device: &str) -> DeviceId {
    DeviceId::new("default", device)
}

pub(crate) fn url(broker: &Mosquitto) -> String {
    at_port(broker.port())
}

pub(crate) fn at_port(port: u16) -> String {
    format!("mqtt://127.0.0.1:{port}")
}

/// The manifests of a file beside the mapper, at this broker.
pub(crate) fn manifests(text: &str, broker: &Mosquitto) -> String {
    text.replace("mqtt://127.0.0.1:1883", &url(broker)).replace("reportCycle: 10000", "reportCycle: 200")
}

/// The same manifests in a folder.
pub(crate) fn folder(text: &str, broker: &Mosquitto) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("devices.yaml"), manifests(text, broker)).unwrap();
    let path = folder.path().to_owned();
    (folder, path)
}

/// A broker with a password, whose user is in [`login`].
pub(crate) async fn locked() -> Option<Mosquitto> {
    Mosquitto::start_with(MosquittoOptions { password: true, tls: true, ..MosquittoOptions::default() }).await
}

/// Connects as the framework does, with these keys beside the broker's address.
pub(crate) async fn connect(driver: &MqttDevices, broker: &Mosquitto, config: Json) -> Result<MqttDevice, DriverError> {
    let mut credentials = Credentials::none();
    if let Some((username, password)) = broker.login() {
        credentials = credentials.with_username(username).with_password(password);
    }
    connect_at(driver, &url(broker), credentials, config).await
}

/// The same at a broker with this address.
pub(crate) async fn connect_at(
    driver: &MqttDevices,
    broker: &str,
    credentials: Credentials,
    mut config: Json,
) -> Result<MqttDevice, DriverError> {
    config["broker"] = broker.into();
    let config: Config = serde_json::from_value(config).expect("the config is right");
    driver.connect(&Device::builder("lamp").credentials(credentials).build(), config).await
}

pub(crate) fn property(name: &str, data_type: DataType, visitor: Json) -> Arc<Property<Visitor>> {
    Arc::new(Property::builder(name, data_type).visitor(serde_json::from_value(visitor).expect("the visitor is right")))
}

/// The next change, of which there is but one.
pub(crate) async fn next(session: &mut MqttDevice) -> Change {
    let mut changes = timeout(DEADLINE, session.changed()).await.expect("a change comes").expect("the session goes on");
    assert_eq!(changes.len(), 1, "{changes:?}");
    changes.remove(0)
}

/// The first change of which this holds; what comes with it or before it is passed over.
pub(crate) async fn first(session: &mut MqttDevice, is_so: impl Fn(&Change) -> bool) -> Change {
    let wait = async {
        loop {
            let changes = session.changed().await.expect("the session goes on");
            if let Some(change) = changes.into_iter().find(&is_so) {
                return change;
            }
        }
    };
    timeout(DEADLINE, wait).await.expect("such a change comes")
}

/// A device of plain JSON: a level, and a valve that is set.
pub(crate) fn plain(name: &str, broker: &Mosquitto, more: &str) -> String {
    plain_at(name, &url(broker), more)
}

/// The same at a broker with this address.
pub(crate) fn plain_at(name: &str, broker: &str, more: &str) -> String {
    let broker = json!(broker);
    format!(
        "
apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata: {{name: plain, namespace: default}}
spec:
  protocol: mqtt
  properties:
    - {{name: level, type: DOUBLE, accessMode: ReadOnly}}
    - {{name: valve, type: INT, accessMode: ReadWrite}}
---
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata: {{name: {name}, namespace: default}}
spec:
  deviceModelRef: {{name: plain}}
  protocol: {{protocolName: mqtt, configData: {{broker: {broker}, topic: 'plant/{{device}}', {more}}}}}
  properties:
    - {{name: level, reportToCloud: true, visitors: {{protocolName: mqtt, configData: {{pointer: /level}}}}}}
    - name: valve
      visitors:
        protocolName: mqtt
        configData: {{pointer: /valve, command: 'plant/{{device}}/set', confirm: broker, writeConfirm: none}}
  stateReport: {{reportToCloud: true, reportCycle: 200}}
"
    )
}
