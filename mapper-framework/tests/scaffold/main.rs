//! The drivers that `scaffold` makes, compiled and run on the devices that it makes. What both have to look like is tested beside
//! the code that makes them.

// Each is compiled as it would be in a new project, where no warning is welcome, and keeps rustfmt's default form.
#[rustfmt::skip]
#[deny(warnings)]
mod boiler;
#[rustfmt::skip]
#[deny(warnings)]
mod odd;
#[rustfmt::skip]
#[deny(warnings)]
mod thermometer;

use std::{fs, path::Path};

use mapper_framework::{
    Driver,
    model::DeviceId,
    testing::{TestBed, driver_contract},
};

const THERMOMETER: &str = "../examples/virtual-thermometer/devices/model.yaml";
const BOILER: &str = "../examples/modbus/devices/model.yaml";
const ODD: &str = "tests/scaffold/odd-model.yaml";

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The model and the device that was made for it, whose desired values are wanted if `desired`.
fn manifests(model: &str, device: &str, desired: bool) -> String {
    let device = read(device);
    let device = if desired { device.replace("      # desired:", "      desired:") } else { device };
    format!("{}\n---\n{device}", read(model))
}

/// Tries what every driver has to do: with the device as it was made, and with its desired values.
#[allow(clippy::unwrap_used, reason = "it is the body of tests")]
async fn keeps_the_contract<D: Driver>(driver: fn() -> D, model: &str, device: &str) {
    for desired in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("manifests.yaml"), manifests(model, device, desired)).unwrap();
        driver_contract::check(driver(), folder.path()).await;
    }
}

/// Runs a driver until each of its twins is stored, with the desired value if it can be written.
#[allow(clippy::unwrap_used, reason = "it is the body of tests")]
async fn serve(driver: impl Driver, protocol: &str, manifests: &str, id: DeviceId, properties: usize) {
    let bed = TestBed::start(driver, protocol).await;
    bed.edge().apply(manifests).await.unwrap();
    let device = bed.handle().device(&id).await.unwrap().device.unwrap();
    assert_eq!(device.properties().len(), properties);
    for property in device.properties().filter(|property| property.report_to_cloud()) {
        let name = property.name();
        bed.until(name, |edge| {
            let twin = edge.twin(&id, name);
            twin.is_some_and(|twin| property.desired().is_none_or(|desired| twin.value() == desired))
        })
        .await;
    }
    assert_eq!(bed.handle().device(&id).await.unwrap().reason, None);
    assert_eq!(bed.edge().counts().dropped_twins(), 0);
    let stats = bed.handle().stats();
    assert_eq!((stats.reads().failed(), stats.writes().failed()), (0, 0));
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn a_scaffolded_driver_serves_every_property_of_the_thermometer() {
    let (id, count) = (DeviceId::new("default", "virtual-thermometer-1"), thermometer::DataPoint::ALL.len());
    let manifests = manifests(THERMOMETER, "tests/scaffold/thermometer.yaml", true);
    serve(thermometer::Simulator, "virtual-thermometer", &manifests, id, count).await;
}

#[tokio::test]
async fn a_scaffolded_driver_serves_every_property_of_the_boiler() {
    let (id, count) = (DeviceId::new("default", "boiler-1"), boiler::DataPoint::ALL.len());
    let manifests = manifests(BOILER, "tests/scaffold/boiler.yaml", true);
    serve(boiler::Simulator, "modbus", &manifests, id, count).await;
}

#[tokio::test]
async fn a_scaffolded_driver_serves_every_property_of_a_model_with_odd_names() {
    let (id, count) = (DeviceId::new("0755", "1e3-1"), odd::DataPoint::ALL.len());
    let manifests = manifests(ODD, "tests/scaffold/odd.yaml", true);
    serve(odd::Simulator, "odd: #1 \"protocol\"", &manifests, id, count).await;
}

#[tokio::test]
async fn a_scaffolded_driver_of_the_thermometer_keeps_the_contract() {
    keeps_the_contract(|| thermometer::Simulator, THERMOMETER, "tests/scaffold/thermometer.yaml").await;
}

#[tokio::test]
async fn a_scaffolded_driver_of_the_boiler_keeps_the_contract() {
    keeps_the_contract(|| boiler::Simulator, BOILER, "tests/scaffold/boiler.yaml").await;
}

#[tokio::test]
async fn a_scaffolded_driver_of_a_model_with_odd_names_keeps_the_contract() {
    keeps_the_contract(|| odd::Simulator, ODD, "tests/scaffold/odd.yaml").await;
}

#[test]
fn simulated_values_are_of_their_type_and_within_their_bounds_at_any_second() {
    for (second, point) in (0..20).flat_map(|second| odd::DataPoint::ALL.map(|point| (second, point))) {
        let spec = point.spec();
        let value = point.simulated(second).conform(spec.data_type).unwrap();
        let Some(number) = value.as_f64() else { continue };
        let is_within = spec.minimum.is_none_or(|it| it <= number) && spec.maximum.is_none_or(|it| number <= it);
        assert!(is_within, "{}, after {second} s: {value}", spec.name);
    }
}

#[tokio::test]
async fn settings_stay_until_they_are_written_and_readings_move_within_their_bounds() {
    let manifests = manifests(THERMOMETER, "tests/scaffold/thermometer.yaml", false);
    let bed = TestBed::start(thermometer::Simulator, "virtual-thermometer").await;
    bed.edge().apply(&manifests.replace("Cycle: 5000", "Cycle: 20")).await.unwrap();
    let id = DeviceId::new("default", "virtual-thermometer-1");
    let (mut temperatures, mut heaters) = (Vec::new(), Vec::new());
    bed.until("the temperature has had two values", |edge| {
        let value = |property| edge.twin(&id, property).map(|twin| twin.value().to_owned());
        temperatures.extend(value("temperature"));
        temperatures.dedup();
        heaters.extend(value("heater"));
        heaters.dedup();
        temperatures.len() >= 2
    })
    .await;
    assert_eq!(heaters.len(), 1, "{heaters:?}");
    let within = |text: &String| (-40.0..=125.0).contains(&text.parse::<f64>().unwrap());
    assert!(temperatures.iter().all(within), "{temperatures:?}");
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn a_property_that_a_scaffolded_driver_was_not_written_for_is_refused() {
    let manifests = manifests(THERMOMETER, "tests/scaffold/thermometer.yaml", false);
    for (changed, problem) in [
        (
            manifests.replace("unit: °C", "unit: °F"),
            "the driver has it as FLOAT, ReadOnly, with the unit \"°C\": correct the driver or the model",
        ),
        (manifests.replace("name: heater", "name: cooler"), "the driver lacks this property: add it to `DataPoint`"),
    ] {
        let bed = TestBed::start(thermometer::Simulator, "virtual-thermometer").await;
        bed.edge().apply(&changed).await.unwrap();
        let id = DeviceId::new("default", "virtual-thermometer-1");
        bed.until("the device complains", |edge| edge.state(&id) == Some("unhealthy")).await;
        let snapshot = bed.handle().device(&id).await.unwrap();
        let reason = snapshot.reason.unwrap_or_default();
        assert!(reason.contains(problem), "{reason}");
        assert_eq!(snapshot.device.unwrap().properties().len(), 1, "the other one is served");
        bed.stop().await.unwrap();
    }
}
