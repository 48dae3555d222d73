//! Devices whose values a test sets, with names and texts that nobody should trust.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Arc, Mutex},
};

use jpeg_encoder::{ColorType, Encoder};
use mapper_framework::{
    ContentType, Device, Driver, DriverError, Format, Frame, FrameSender, Property, Reading, Session, Value,
};
use tokio::sync::watch;

/// The protocol of the devices.
pub(crate) const PROTOCOL: &str = "plant";

/// A value that is markup, if somebody takes it for markup.
pub(crate) const MARKUP: &str = "<img src=x onerror=\"window.harmed=true\"><script>window.harmed=true</script>";

/// A device with a heating of three properties, and others whose names are in the languages of their users.
pub(crate) const HEATING: &str = "heizung";

/// A device with a stream.
pub(crate) const CAMERA: &str = "kamera";

/// The driver, and what its devices hold. A clone is the same.
#[derive(Clone, Default)]
pub(crate) struct Plant(Arc<Mutex<Held>>, watch::Sender<Option<Frame>>);

#[derive(Default)]
struct Held {
    /// By property: all devices have the same.
    values: BTreeMap<String, Value>,
    failing: Option<String>,
    reads: i64,
}

impl Plant {
    /// Has a property read as this from now on.
    pub(crate) fn set(&self, property: &str, value: impl Into<Value>) {
        self.0.lock().unwrap().values.insert(property.to_owned(), value.into());
    }

    /// Has every read fail for this reason, or none any more.
    pub(crate) fn fail(&self, reason: Option<&str>) {
        self.0.lock().unwrap().failing = reason.map(str::to_owned);
    }

    /// Has the camera give a grey picture of this size from now on, or end its stream.
    pub(crate) fn picture(&self, size: Option<(u16, u16)>) {
        let frame = size.map(|(width, height)| {
            let (mut jpeg, pixels) = (Vec::new(), vec![0x80; usize::from(width) * usize::from(height)]);
            Encoder::new(&mut jpeg, 80).encode(&pixels, width, height, ColorType::Luma).unwrap();
            Frame::new(ContentType::Jpeg, jpeg)
        });
        self.1.send_replace(frame);
    }

    /// What a property was written or set to.
    pub(crate) fn value(&self, property: &str) -> Option<Value> {
        self.0.lock().unwrap().values.get(property).cloned()
    }
}

/// A device.
pub(crate) struct Connected(Plant);

impl Driver for Plant {
    type Config = ();
    type Session = Connected;

    async fn connect(&self, _: &Device, (): ()) -> Result<Connected, DriverError> {
        Ok(Connected(self.clone()))
    }
}

impl Session for Connected {
    type Visitor = ();

    async fn read(&mut self, property: &Property<()>) -> Result<Reading, DriverError> {
        let mut held = self.0.0.lock().unwrap();
        if let Some(reason) = &held.failing {
            return Err(DriverError::failed(reason.clone()));
        }
        held.reads += 1;
        let reads = held.reads;
        Ok(held.values.get(property.name()).cloned().unwrap_or(Value::Int(reads)).into())
    }

    async fn write(&mut self, property: &Property<()>, value: &Value) -> Result<(), DriverError> {
        if property.name() == "Druck" {
            return Err(DriverError::refused("the valve is locked by hand"));
        }
        self.0.set(property.name(), value.clone());
        Ok(())
    }

    async fn stream(&mut self, frames: FrameSender) -> Result<(), DriverError> {
        let mut pictures = self.0.1.subscribe();
        if pictures.borrow_and_update().is_none() {
            return Err(DriverError::disconnected("the lens is covered"));
        }
        frames.granted(Format::new("MJPG", 64, 48).frames_per_second(1.0 / 60.0));
        tokio::spawn(async move {
            loop {
                let Some(frame) = pictures.borrow_and_update().clone() else {
                    return frames.fail(DriverError::disconnected("the lens is covered"));
                };
                frames.send(frame);
                tokio::select! {
                    changed = pictures.changed() => if changed.is_err() { return },
                    () = frames.closed() => return,
                }
            }
        });
        Ok(())
    }
}

/// A property: its declaration in a model, in YAML.
fn declared(name: &str, of: &str) -> String {
    format!("{{name: {}, {of}}}", serde_json::json!(name))
}

/// The properties of a heating, and how they are declared.
const PROPERTIES: [(&str, &str); 5] = [
    (
        "Vorlauf",
        "description: 'Temperatur des Vorlaufs, über dem Kessel', type: DOUBLE, accessMode: ReadOnly, unit: °C",
    ),
    ("Sollwert", "description: Wunsch, type: DOUBLE, accessMode: ReadWrite, unit: °C, minimum: \"5\", maximum: \"30\""),
    ("Druck", "description: Anlagendruck, type: DOUBLE, accessMode: ReadWrite, unit: bar"),
    ("Lüftung größer", "type: INT, accessMode: ReadOnly"),
    ("温度传感器", "description: 锅炉的温度, type: INT, accessMode: ReadOnly"),
];

/// A method of each heating.
const METHODS: &str = "methods: [{name: stellen, description: Stellt den Sollwert, propertyNames: [Sollwert]}]";

/// The model of a heating, and this many devices of it: [`HEATING`], and `pumpe-1` and so on.
pub(crate) fn heating(devices: usize) -> String {
    heating_of(devices, &PROPERTIES, "")
}

/// A heating with a property that is [`MARKUP`] in all of its texts.
pub(crate) fn hostile() -> String {
    let bold = "description: '<b onmouseover=\"window.harmed=true\">bold</b>', type: STRING, accessMode: ReadOnly";
    heating_of(1, &[PROPERTIES.as_slice(), &[(MARKUP, bold)]].concat(), "")
}

/// A heating whose values go to an HTTP server on this port.
pub(crate) fn sending(port: u16) -> String {
    let http = format!("{{hostName: \"http://127.0.0.1\", port: {port}, requestPath: /samples, timeout: 1000}}");
    heating_of(1, &PROPERTIES, &format!(", pushMethod: {{http: {http}}}"))
}

/// The same of these properties, each of which has these fields as well.
fn heating_of(devices: usize, properties: &[(&str, &str)], more: &str) -> String {
    let model: Vec<_> = properties.iter().map(|(name, of)| declared(name, of)).collect();
    // edgecore would not take the names of the others.
    let is_reported = |name: &str| name.chars().all(|letter| letter.is_ascii_alphanumeric());
    let used = |name: &str| declared(name, &format!("collectCycle: 200, reportToCloud: {}{more}", is_reported(name)));
    let used: Vec<_> = properties.iter().map(|(name, _)| used(name)).collect();
    let mut yaml = model_of("heating", &model);
    for index in 0..devices {
        let name = if index == 0 { HEATING.to_owned() } else { format!("pumpe-{index}") };
        yaml.push_str(&device_of(&name, "heating", &used, METHODS));
    }
    yaml
}

/// A device with a stream, [`CAMERA`].
pub(crate) fn camera() -> String {
    let used = declared("state", "collectCycle: 200, visitors: {protocolName: plant, configData: {stream: state}}");
    let model = model_of("camera", &[declared("state", "type: STRING, accessMode: ReadOnly")]);
    [model, device_of(CAMERA, "camera", &[used], "methods: [{name: stop}]")].concat()
}

/// A device, `many`, with this many properties, `p0` and so on, which are read once a second.
pub(crate) fn many(properties: usize) -> String {
    let names = || (0..properties).map(|index| format!("p{index}"));
    let model: Vec<_> = names().map(|name| declared(&name, "type: INT, accessMode: ReadOnly")).collect();
    let used: Vec<_> = names().map(|name| declared(&name, "collectCycle: 1000, reportToCloud: false")).collect();
    [model_of("many", &model), device_of("many", "many", &used, "")].concat()
}

fn model_of(name: &str, properties: &[String]) -> String {
    format!(
        "apiVersion: devices.kubeedge.io/v1beta1\nkind: DeviceModel\nmetadata: {{name: {name}}}\nspec:\n  protocol: {PROTOCOL}\n  properties:\n{}",
        lines(properties)
    )
}

fn device_of(name: &str, model: &str, properties: &[String], more: &str) -> String {
    format!(
        "---\napiVersion: devices.kubeedge.io/v1beta1\nkind: Device\nmetadata: {{name: {name}}}\nspec:\n  deviceModelRef: {{name: {model}}}\n  \
         protocol: {{protocolName: {PROTOCOL}}}\n  stateReport: {{reportToCloud: true, reportCycle: 60000}}\n  properties:\n{}  {more}\n",
        lines(properties)
    )
}

fn lines(properties: &[String]) -> String {
    properties.iter().fold(String::new(), |mut lines, property| {
        writeln!(lines, "  - {property}").expect("a string takes all");
        lines
    })
}
