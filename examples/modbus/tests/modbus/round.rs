//! Many units on one line, of which some are dead.

use std::{collections::HashMap, time::SystemTime};

use mapper_framework::{
    Handle, Session, Value,
    model::{DeviceId, DeviceState},
    watch::{Filter, Kind, What},
};
use serde_json::json;

use crate::{
    Outcome,
    driver::number,
    line::Bus,
    mapper::run_with_handle,
    register,
    server::{Also, Server},
};

const LIVING: std::ops::Range<u8> = 101..123;
const DEAD: std::ops::Range<u8> = 201..211;

#[tokio::test]
async fn a_request_of_a_unit_that_answers_waits_for_one_dead_unit_at_most() -> Outcome {
    for mut bus in Bus::both().await? {
        let mut living = bus.unit(101).await?;
        let mut dead = Vec::new();
        for unit in DEAD {
            dead.push(bus.unit_with(json!({"unitId": unit, "timeout": 200, "retries": 3})).await?);
        }
        assert_eq!(living.read(&number(0, "int16")).await?.into_value(), Value::Int(101));
        bus.requests().await?;
        let mut dying = tokio::task::JoinSet::new();
        for mut unit in dead {
            dying.spawn(async move { unit.read(&number(0, "int16")).await.is_err() });
        }
        while !dying.is_empty() {
            assert_eq!(living.read(&number(0, "int16")).await?.into_value(), Value::Int(101));
            while let Some(is_error) = dying.try_join_next() {
                assert!(is_error?);
            }
        }
        let asked = bus.requests().await?;
        let is_dead = |line: &String| line.starts_with("request 2");
        assert_eq!(asked.iter().filter(|line| is_dead(line)).count(), DEAD.len(), "each is asked once: {asked:?}");
        assert!(!asked.windows(2).any(|pair| pair.iter().all(is_dead)), "{asked:?}");
    }
    Ok(())
}

#[tokio::test]
async fn of_thirty_two_units_on_a_line_the_living_are_read_although_ten_are_dead() -> Outcome {
    const ROUNDS: usize = 5;
    let folder = tempfile::tempdir()?;
    let line = folder.path().join("line");
    let also = Also { serial: Some(line.clone()), ..Also::default() };
    let Some(_server) = Server::start_with(0, also).await? else { return Ok(()) };
    let device = |unit: u8| {
        // However busy the machine is, a living one answers in time.
        let timeout = if DEAD.contains(&unit) { 300 } else { 10_000 };
        let way =
            json!({"serialPort": line, "parity": "none", "baudRate": 115_200, "unitId": unit, "timeout": timeout});
        register::device(&format!("unit-{unit}"), 0, 1000, &way)
    };
    let devices: String = LIVING.chain(DEAD).map(device).collect();
    let id = |unit: u8| DeviceId::new("default", &format!("unit-{unit}"));
    run_with_handle(&[register::MODEL, &devices].concat(), async |_, handle| {
        for unit in LIVING {
            becomes(handle, &id(unit), DeviceState::Online).await?;
        }
        // From here on all of them are known to answer. Before, one may have waited too long for the dead.
        let failures = |unit: u8| {
            let stats = handle.device_stats(&id(unit)).ok_or("the device is there")?;
            Ok::<_, &str>((stats.sessions().lost(), stats.reads().failed()))
        };
        let before = LIVING.map(failures).collect::<Result<Vec<_>, _>>()?;
        let mut watch = handle.watch(Filter::all().kinds([Kind::Sample])).await.ok_or("the mapper runs")?;
        let mut times: HashMap<DeviceId, Vec<SystemTime>> = HashMap::new();
        while times.len() < LIVING.len() || times.values().any(|times| times.len() <= ROUNDS) {
            if let What::Sample(sample) = watch.next().await.ok_or("the mapper runs")?.what() {
                times.entry(sample.device.clone()).or_default().push(sample.timestamp);
            }
        }
        let gaps = times.values().flat_map(|times| times.windows(2));
        let mut gaps: Vec<_> = gaps.filter_map(|pair| pair[1].duration_since(pair[0]).ok()).collect();
        gaps.sort();
        println!("between two values: {:?} in the middle, {:?} at most", gaps[gaps.len() / 2], gaps[gaps.len() - 1]);
        assert_eq!(LIVING.map(failures).collect::<Result<Vec<_>, _>>()?, before);
        for unit in DEAD {
            let reason = becomes(handle, &id(unit), DeviceState::Disconnected).await?;
            assert!(reason.contains("no answer within 300 ms") || reason.contains("not asked yet"), "{reason}");
        }
        Ok(())
    })
    .await
}

/// Waits until the mapper holds a device to be in this state, and returns why.
async fn becomes(handle: &Handle, device: &DeviceId, state: DeviceState) -> Result<String, Box<dyn std::error::Error>> {
    let mut changes = handle.watch(Filter::all().kinds([Kind::State])).await.ok_or("the mapper runs")?;
    loop {
        if let Some(snapshot) = handle.device(device).await.filter(|snapshot| snapshot.state == state) {
            return Ok(snapshot.reason.unwrap_or_default());
        }
        changes.next().await.ok_or("the mapper runs")?;
    }
}
