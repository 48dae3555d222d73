//! The whole mapper, between an edgecore and the server.

use integration_tests::DEADLINE;
use mapper_framework::{
    Handle, Mapper,
    config::{Config, ReportStrategy},
    local_edge::LocalEdge,
    model::{DeviceId, Value},
    testing::driver_contract,
    watch::{Filter, Kind, What},
};
use modbus::Modbus;
use serde_json::json;
use tokio::time::timeout;

use crate::{Outcome, register, server::Server};

#[tokio::test]
async fn twins_hold_what_the_devices_hold_and_one_connection_serves_both() -> Outcome {
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    run(&boilers(&server), async |edge| {
        let values = [("temperature", "58.3", "-7.1"), ("pressure", "1.5", "1.5"), ("operation", "123456", "123456")];
        let settings = [("setpoint", "60", "55"), ("pump", "true", "false"), ("lowWater", "false", "false")];
        for (property, one, two) in values.into_iter().chain(settings) {
            holds(edge, &boiler(1), property, one).await;
            holds(edge, &boiler(2), property, two).await;
        }
        is(edge, &boiler(1), "online").await;
        is(edge, &boiler(2), "online").await;
        assert_eq!(server.holding(2, 0, 1).await?, [550], "the desired setpoint was written");
        assert_eq!(server.connections().await?, 1);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_desired_value_arrives_in_the_register_and_one_out_of_bounds_does_not() -> Outcome {
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    run(&boilers(&server), async |edge| {
        holds(edge, &boiler(1), "setpoint", "60").await;
        edge.set_desired(&boiler(1), "setpoint", "72.5").await?;
        holds(edge, &boiler(1), "setpoint", "72.5").await;
        assert_eq!(server.holding(1, 0, 1).await?, [725]);
        edge.set_desired(&boiler(1), "setpoint", "95").await?;
        // What was read after that carries the last desired value that the boiler has.
        let before = edge.twin(&boiler(1), "setpoint").map_or(0, |twin| twin.times_stored());
        edge.wait_until(|edge| edge.twin(&boiler(1), "setpoint").is_some_and(|twin| twin.times_stored() > before + 1))
            .await;
        assert!(edge.twin(&boiler(1), "setpoint").is_some_and(|twin| twin.observed_desired() == "72.5"));
        holds(edge, &boiler(1), "setpoint", "72.5").await;
        assert_eq!(server.holding(1, 0, 1).await?, [725]);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn devices_are_back_with_values_and_settings_when_the_server_is_back() -> Outcome {
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    run(&boilers(&server), async |edge| {
        holds(edge, &boiler(1), "pump", "true").await;
        holds(edge, &boiler(2), "setpoint", "55").await;
        server.kill().await;
        is(edge, &boiler(1), "offline").await;
        is(edge, &boiler(2), "offline").await;
        let stored = edge.counts().stored_twins();
        let mut server = Server::start(server.port).await?.expect("Python was there a moment ago");
        for device in [boiler(1), boiler(2)] {
            is(edge, &device, "online").await;
        }
        edge.wait_until(|edge| edge.counts().stored_twins() >= stored + 12).await;
        // The new server has forgotten what was set.
        holds(edge, &boiler(1), "pump", "true").await;
        holds(edge, &boiler(2), "setpoint", "55").await;
        assert_eq!(server.holding(2, 0, 1).await?, [550]);
        assert_eq!(server.connections().await?, 1);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_exception_response_costs_one_property() -> Outcome {
    let Some(server) = Server::start(0).await? else { return Ok(()) };
    let device = DeviceId::new("default", "device");
    run(&at(&server, WITH_A_HOLE), async |edge| {
        for round in 1..=2 {
            for (property, value) in [("before", "4"), ("after", "6")] {
                edge.wait_until(|edge| {
                    let twin = edge.twin(&device, property);
                    twin.is_some_and(|twin| twin.value() == value && twin.times_stored() >= round)
                })
                .await;
            }
        }
        // The three are read together and reported together.
        assert_eq!(edge.twin(&device, "hole"), None);
        is(edge, &device, "online").await;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_config_that_is_wrong_costs_one_device_until_it_is_right() -> Outcome {
    let Some(server) = Server::start(0).await? else { return Ok(()) };
    let right = boilers(&server);
    let wrong = right.replace("unitId: 1 ", "unitId: 1000 ");
    assert_ne!(wrong, right);
    run(&wrong, async |edge| {
        is(edge, &boiler(1), "unhealthy").await;
        holds(edge, &boiler(2), "temperature", "-7.1").await;
        is(edge, &boiler(2), "online").await;
        assert_eq!(edge.twin(&boiler(1), "temperature"), None);
        edge.apply(&right).await?;
        holds(edge, &boiler(1), "temperature", "58.3").await;
        is(edge, &boiler(1), "online").await;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_property_that_cannot_be_as_its_model_says_costs_only_itself() -> Outcome {
    let Some(server) = Server::start(0).await? else { return Ok(()) };
    let right = boilers(&server);
    let wrong = right.replace(
        "- name: lowWater\n      type: BOOLEAN\n      accessMode: ReadOnly",
        "- name: lowWater\n      type: BOOLEAN\n      accessMode: ReadWrite",
    );
    assert_ne!(wrong, right);
    run(&wrong, async |edge| {
        holds(edge, &boiler(1), "temperature", "58.3").await;
        is(edge, &boiler(1), "unhealthy").await;
        assert_eq!(edge.twin(&boiler(1), "lowWater"), None);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn units_that_answer_late_or_never_cost_a_healthy_one_no_cycle_and_no_session() -> Outcome {
    const ROUNDS: usize = 3;
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    let units = [("healthy", 6, 8000), ("late", 7, 100), ("silent", 4, 100)];
    let devices = units.map(|(name, unit, timeout)| {
        // The cycle of the healthy one outlasts a pause of a busy machine.
        let (address, cycle) = if unit == 6 { (4, 3000) } else { (0, 1000) };
        let way = json!({"host": "127.0.0.1", "port": server.port, "unitId": unit, "timeout": timeout});
        register::device(name, address, cycle, &way)
    });
    let devices = devices.concat();
    let [healthy, late, silent] = units.map(|(name, ..)| DeviceId::new("default", name));
    run_with_handle(&[register::MODEL, &devices].concat(), async |edge, handle| {
        is(edge, &healthy, "online").await;
        is(edge, &late, "offline").await;
        is(edge, &silent, "offline").await;
        let kinds = [Kind::State, Kind::Sample];
        let mut watch = handle.watch(Filter::all().kinds(kinds)).await.ok_or("the mapper runs")?;
        let lost = |device| handle.device_stats(device).map_or(0, |stats| stats.sessions().lost());
        let mut reads = 0;
        while reads < ROUNDS || lost(&late).min(lost(&silent)) < 3 {
            match watch.next().await.ok_or("the mapper runs")?.what() {
                What::Sample(sample) if sample.device == healthy => {
                    assert_eq!(sample.value, Value::Int(4));
                    reads += 1;
                }
                What::Sample(sample) => panic!("no answer came in time, but gave {sample:?}"),
                What::State { device, .. } => assert_ne!(*device, healthy),
                event => panic!("not asked for: {event:?}"),
            }
        }
        let stats = handle.device_stats(&healthy).ok_or("the device is there")?;
        assert_eq!((stats.sessions().opened(), stats.sessions().lost()), (1, 0));
        assert_eq!((stats.reads().failed(), stats.reads().ticks_skipped()), (0, 0));
        assert_eq!(server.connections().await?, 1);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_driver_keeps_the_contract() -> Outcome {
    let Some(server) = Server::start(0).await? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("boilers.yaml"), boilers(&server))?;
    driver_contract::check(Modbus::default(), folder.path()).await;
    Ok(())
}

/// Runs a mapper beside an edgecore which holds the manifests, until the test is done.
pub(crate) async fn run(manifests: &str, test: impl AsyncFnOnce(&LocalEdge) -> Outcome) -> Outcome {
    run_with_handle(manifests, async |edge, _| test(edge).await).await
}

pub(crate) async fn run_with_handle(
    manifests: &str,
    test: impl AsyncFnOnce(&LocalEdge, &Handle) -> Outcome,
) -> Outcome {
    let folder = tempfile::tempdir()?;
    let edge = LocalEdge::builder().start(folder.path()).await?;
    edge.apply(manifests).await?;
    let mut config = Config::default();
    config.common.protocol = "modbus".to_owned();
    config.common.edgecore_sock = edge.socket().to_owned();
    config.grpc_server.socket_path = folder.path().join("mapper.sock");
    config.spool.dir = folder.path().join("spool");
    // The tests wait for reads by the reports that they make.
    config.report.strategy = ReportStrategy::Always;
    let mapper = Mapper::builder(Modbus::default()).config(config).build();
    let handle = mapper.handle();
    let mut outcome = None;
    mapper.run_until(async { outcome = timeout(DEADLINE, test(&edge, &handle)).await.ok() }).await?;
    outcome.unwrap_or_else(|| Err(format!("still waits in vain after {DEADLINE:?}: {:#?}", edge.twins()).into()))
}

/// The manifests of the example.
pub(crate) fn boilers(server: &Server) -> String {
    let (model, instance) = (include_str!("../../devices/model.yaml"), include_str!("../../devices/instance.yaml"));
    at(server, &format!("{model}\n---\n{instance}"))
}

/// The manifests with the server's port, and in more of a hurry.
fn at(server: &Server, manifests: &str) -> String {
    let port = format!("port: {}", server.port);
    manifests.replace("port: 5020", &port).replace("collectCycle: 5000", "collectCycle: 500")
}

/// A device of which register 5 does not exist.
const WITH_A_HOLE: &str = "
apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata: {name: model}
spec:
  protocol: modbus
  properties:
    - {name: before, type: INT, accessMode: ReadOnly}
    - {name: hole, type: INT, accessMode: ReadOnly}
    - {name: after, type: INT, accessMode: ReadOnly}
---
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata: {name: device}
spec:
  deviceModelRef: {name: model}
  nodeName: edge-node
  protocol: {protocolName: modbus, configData: {host: 127.0.0.1, port: 5020, unitId: 6}}
  stateReport: {reportToCloud: true}
  properties:
    - name: before
      reportToCloud: true
      collectCycle: 5000
      visitors: {protocolName: modbus, configData: {register: HoldingRegister, address: 4, type: int16}}
    - name: hole
      reportToCloud: true
      collectCycle: 5000
      visitors: {protocolName: modbus, configData: {register: HoldingRegister, address: 5, type: int16}}
    - name: after
      reportToCloud: true
      collectCycle: 5000
      visitors: {protocolName: modbus, configData: {register: HoldingRegister, address: 6, type: int16}}
";

pub(crate) fn boiler(number: u8) -> DeviceId {
    DeviceId::new("default", &format!("boiler-{number}"))
}

/// Waits until the twin has the value.
pub(crate) async fn holds(edge: &LocalEdge, device: &DeviceId, property: &str, value: &str) {
    edge.wait_until(|edge| edge.twin(device, property).is_some_and(|twin| twin.value() == value)).await;
}

/// Waits until the device is in the state.
pub(crate) async fn is(edge: &LocalEdge, device: &DeviceId, state: &str) {
    edge.wait_until(|edge| edge.state(device) == Some(state)).await;
}
