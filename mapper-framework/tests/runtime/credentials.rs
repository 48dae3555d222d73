//! Credentials of devices: given at `connect`, never in a log, and taken up when they change.

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
};

use mapper_framework::{
    Device, Driver, DriverError, Property, Reading, Session,
    model::{DeviceId, DeviceState, Secret},
    testing::TestBed,
};
use serde::Deserialize;

/// A device that was connected to, and the password for it.
type Connected = (String, Option<String>);

/// Keeps the passwords that it is given, by device.
#[derive(Clone, Default)]
struct Lock(Arc<Mutex<Vec<Connected>>>);

/// A type that refuses keys it does not know, of which `credentials` is none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {}

struct Open;

impl Driver for Lock {
    type Config = Config;
    type Session = Open;

    async fn connect(&self, device: &Device, _: Config) -> Result<Open, DriverError> {
        let password = device.credentials().password().map(Secret::expose).map(str::to_owned);
        self.0.lock().unwrap().push((device.id().name().to_owned(), password));
        Ok(Open)
    }
}

impl Session for Open {
    type Visitor = ();

    async fn read(&mut self, _: &Property<()>) -> Result<Reading, DriverError> {
        Ok(1.into())
    }
}

fn manifests() -> String {
    let model = "apiVersion: devices.kubeedge.io/v1beta1\nkind: DeviceModel\nmetadata: {name: lock}\n\
                 spec: {protocol: lock, properties: [{name: value, type: INT, accessMode: ReadOnly}]}\n";
    let device = |name: &str, config: &str| {
        format!(
            "---\napiVersion: devices.kubeedge.io/v1beta1\nkind: Device\nmetadata: {{name: {name}}}\nspec:\n  \
             deviceModelRef: {{name: lock}}\n  protocol: {{protocolName: lock{config}}}\n  \
             stateReport: {{reportToCloud: true, reportCycle: 1000}}\n  \
             properties: [{{name: value, collectCycle: 50, reportToCloud: true}}]\n"
        )
    };
    let named = |name: &str| format!(", configData: {{credentials: {name}}}");
    [
        model.to_owned(),
        device("gate", &named("gate-login")),
        device("door", ""),
        device("lost", &named("nowhere")),
        device("sly", &named("../gate-login")),
    ]
    .concat()
}

fn write(root: &Path, name: &str, password: &str) {
    fs::create_dir_all(root.join(name)).unwrap();
    // As the kubelet does: the new one comes to its place whole.
    fs::write(root.join("beside"), password).unwrap();
    fs::rename(root.join("beside"), root.join(name).join("password")).unwrap();
}

#[tokio::test]
async fn a_device_gets_its_credentials_and_is_connected_to_anew_when_they_change() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "gate-login", "old");
    write(root.path(), "default.door", "door");
    let lock = Lock::default();
    let bed = TestBed::builder(lock.clone(), "lock");
    let bed = bed.config(|config| config.driver.credentials = root.path().to_owned()).start().await;
    bed.edge().apply(&manifests()).await.unwrap();
    let connected =
        |name: &str| lock.0.lock().unwrap().iter().filter(|(device, _)| device == name).cloned().collect::<Vec<_>>();
    bed.until("both are connected", |_| connected("gate").len() == 1 && connected("door").len() == 1).await;
    write(root.path(), "gate-login", "new");
    bed.until("the gate is connected to anew", |_| connected("gate").len() == 2).await;
    let password = |password: &str| Some(password.to_owned());
    assert_eq!(connected("gate"), [("gate".into(), password("old")), ("gate".into(), password("new"))]);
    assert_eq!(connected("door"), [("door".into(), password("door"))], "the other one is left alone");

    let reason = |name: &str| {
        let (handle, id) = (bed.handle(), DeviceId::new("default", name));
        async move { handle.device(&id).await.map(|it| (it.state, it.reason.unwrap_or_default())) }
    };
    let (state, why) = reason("lost").await.unwrap();
    assert_eq!(state, DeviceState::Disconnected);
    assert!(why.contains("\"nowhere\", and there is no folder") && why.contains("mount a Secret there"), "{why}");
    let (_, why) = reason("sly").await.unwrap();
    assert!(why.contains("\"../gate-login\" is not the name of a folder: write the name alone"), "{why}");
    assert!(connected("lost").is_empty() && connected("sly").is_empty());
    bed.stop().await.unwrap();
}
