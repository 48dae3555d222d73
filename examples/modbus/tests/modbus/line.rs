//! Modbus RTU, on a serial line and over TCP.

use std::{path::Path, sync::Arc};

use mapper_framework::{Driver, DriverError, Session, Value, testing::read_many};
use modbus::{Config, Modbus, Unit};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::{
    Outcome,
    driver::{bit, device, holding, number},
    mapper::{boiler, holds, is, run},
    server::{Also, Server},
};

/// A server on a line, and how it is reached.
pub(crate) struct Bus {
    server: Server,
    driver: Modbus,
    link: Json,
    _folder: TempDir,
}

impl Bus {
    /// One on a serial line, and one over TCP. None when the user wants to do without Python.
    pub(crate) async fn both() -> anyhow::Result<Vec<Self>> {
        let mut buses = Vec::new();
        for is_serial in [true, false] {
            let folder = tempfile::tempdir()?;
            let serial = is_serial.then(|| folder.path().join("line"));
            let also = Also { rtu: (!is_serial).then_some(0), serial: serial.clone(), tls: None };
            let Some(server) = Server::start_with(0, also).await? else { return Ok(buses) };
            let link = match serial {
                Some(path) => on_line(&path),
                None => json!({"host": "127.0.0.1", "port": server.rtu_port(), "framing": "rtu"}),
            };
            buses.push(Self { server, driver: Modbus::default(), link, _folder: folder });
        }
        Ok(buses)
    }

    pub(crate) async fn unit(&self, number: u8) -> Result<Unit, DriverError> {
        self.unit_with(json!({"unitId": number, "timeout": 10_000})).await
    }

    pub(crate) async fn unit_with(&self, mut config: Json) -> Result<Unit, DriverError> {
        config.as_object_mut().expect("a map").extend(self.link.as_object().expect("a map").clone());
        let config: Config = serde_json::from_value(config).expect("the config is right");
        self.driver.connect(&device(), config).await
    }

    /// What units were asked since the last call, by function.
    pub(crate) async fn requests(&mut self) -> anyhow::Result<Vec<String>> {
        let mut news = self.server.news().await?;
        news.retain(|line| line.starts_with("request"));
        Ok(news)
    }
}

/// A pseudoterminal takes no parity.
fn on_line(path: &Path) -> Json {
    json!({"serialPort": path, "baudRate": 115_200, "parity": "none"})
}

#[tokio::test]
async fn every_kind_of_request_goes_over_the_line() -> Outcome {
    for mut bus in Bus::both().await? {
        let mut unit = bus.unit(3).await?;
        let expected = [
            (number(0, "int16"), Value::Int(-5)),
            (number(6, "int64"), Value::Int(-5_000_000_000_000)),
            (number(14, "float32"), Value::Float(21.5)),
        ];
        let properties = expected.clone().map(|(property, _)| Arc::new(property));
        for (value, (_, expected)) in read_many(&mut unit, &properties).await.into_iter().zip(expected) {
            assert_eq!(value?.into_value(), expected);
        }
        let mut unit = bus.unit(9).await?;
        bus.requests().await?;
        let writes = [
            (number(0, "int16"), Value::Int(-213)),
            (number(1, "uint32"), Value::Int(0x1234_5678)),
            (holding(json!({"address": 3, "bit": 2})), Value::Boolean(true)),
            (bit("Coil", 2), Value::Boolean(true)),
        ];
        for (property, value) in &writes {
            unit.write(property, value).await?;
            assert_eq!(unit.read(property).await?.into_value(), *value);
        }
        let functions: Vec<_> =
            bus.requests().await?.iter().map(|line| line.split(' ').nth(2).map(str::to_owned)).collect();
        assert_eq!(functions, ["6", "3", "16", "3", "22", "3", "5", "1"].map(|code| Some(code.to_owned())));
    }
    Ok(())
}

#[tokio::test]
async fn a_damaged_answer_costs_a_retry_and_one_that_stays_damaged_costs_no_session() -> Outcome {
    for mut bus in Bus::both().await? {
        let mut flawed = bus.unit(10).await?;
        for address in 0..4 {
            assert_eq!(flawed.read(&number(address, "int16")).await?.into_value(), Value::Int(address.into()));
        }
        assert_eq!(bus.requests().await?.len(), 8, "each of the four is asked twice");
        let mut damaged = bus.unit(13).await?;
        let mut hasty = bus.unit_with(json!({"unitId": 13, "timeout": 10_000, "retries": 0})).await?;
        for (unit, times) in [(&mut damaged, 2), (&mut hasty, 1)] {
            let error = unit.read(&number(7, "int16")).await.expect_err("all of its answers are damaged");
            assert!(error.is_retryable() && !error.is_disconnected(), "{error:?}");
            assert!(error.to_string().starts_with("HoldingRegister 7: the answer is damaged on the line"), "{error}");
            assert_eq!(bus.requests().await?, vec!["request 13 3 7 1"; times]);
        }
        assert_eq!(bus.unit(1).await?.read(&number(0, "int16")).await?.into_value(), Value::Int(600));
    }
    Ok(())
}

#[tokio::test]
async fn noise_and_an_answer_in_single_bytes_are_no_trouble() -> Outcome {
    for mut bus in Bus::both().await? {
        for number_of_unit in [11, 12] {
            let mut unit = bus.unit(number_of_unit).await?;
            let properties = [0, 20].map(|address| Arc::new(number(address, "int16")));
            for (value, expected) in read_many(&mut unit, &properties).await.into_iter().zip([0, 20]) {
                assert_eq!(value?.into_value(), Value::Int(expected));
            }
        }
        assert_eq!(bus.requests().await?.len(), 4, "nothing is asked twice");
    }
    Ok(())
}

#[tokio::test]
async fn a_dead_unit_costs_its_neighbours_nothing_but_its_timeouts() -> Outcome {
    for mut bus in Bus::both().await? {
        let mut there = bus.unit(1).await?;
        let mut late = bus.unit_with(json!({"unitId": 7, "timeout": 50, "retries": 0})).await?;
        let mut dead = bus.unit_with(json!({"unitId": 4, "timeout": 50, "retries": 2})).await?;
        for _ in 0..2 {
            let error = dead.read(&number(0, "int16")).await.expect_err("it never answers");
            assert!(error.is_disconnected(), "{error:?}");
            assert_eq!(error.to_string(), "HoldingRegister 0: no answer within 50 ms");
            assert!(late.read(&number(0, "int16")).await.is_err());
            // The late unit's answer comes before this one's.
            assert_eq!(there.read(&number(0, "int16")).await?.into_value(), Value::Int(600));
        }
        // Who has not answered yet, or not the last time, is asked once.
        let asked = bus.requests().await?;
        assert_eq!(asked.iter().filter(|line| line.starts_with("request 4 ")).count(), 2);
    }
    Ok(())
}

#[tokio::test]
async fn a_frozen_server_is_late_and_what_it_says_when_it_goes_on_is_not_taken_for_another_answer() -> Outcome {
    for mut bus in Bus::both().await? {
        let mut unit = bus.unit(3).await?;
        assert_eq!(unit.read(&number(0, "int16")).await?.into_value(), Value::Int(-5));
        let mut hasty = bus.unit_with(json!({"unitId": 3, "timeout": 200, "retries": 0})).await?;
        bus.server.freeze().await;
        let error = hasty.read(&number(14, "float32")).await.expect_err("the server is frozen");
        assert_eq!(error.to_string(), "HoldingRegister 14: no answer within 200 ms");
        bus.server.thaw().await;
        bus.server.says("request 3 3 14 2").await;
        assert_eq!(unit.read(&number(0, "int16")).await?.into_value(), Value::Int(-5));
        assert_eq!(unit.read(&number(14, "float32")).await?.into_value(), Value::Float(21.5));
    }
    Ok(())
}

#[tokio::test]
async fn sessions_go_on_when_the_server_is_back() -> Outcome {
    for mut bus in Bus::both().await? {
        let (mut one, mut two) = (bus.unit(1).await?, bus.unit(2).await?);
        assert!(one.read(&number(0, "int16")).await.is_ok());
        bus.server.kill().await;
        for unit in [&mut one, &mut two] {
            let error = unit.read(&number(0, "int16")).await.expect_err("the server was killed");
            assert!(error.is_disconnected(), "{error:?}");
            assert!(error.to_string().contains("the connection to "), "{error}");
        }
        bus.server = bus.server.restart().await?;
        for unit in [&mut one, &mut two] {
            assert_eq!(unit.read(&number(0, "int16")).await?.into_value(), Value::Int(600));
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_serial_port_that_is_not_there_or_has_other_settings_is_named() -> Outcome {
    let folder = tempfile::tempdir()?;
    let driver = Modbus::default();
    let config = serde_json::from_value(json!({"serialPort": folder.path().join("none")}))?;
    let error = driver.connect(&device(), config).await.err().expect("there is no such port").to_string();
    assert!(error.starts_with("no connection to /") && error.contains("none (19200 baud, 8E1): No such"), "{error}");
    let also = Also { serial: Some(folder.path().join("line")), ..Also::default() };
    let Some(_server) = Server::start_with(0, also).await? else { return Ok(()) };
    let config = |baud_rate| {
        let mut config = on_line(&folder.path().join("line"));
        config["baudRate"] = baud_rate;
        serde_json::from_value::<Config>(config)
    };
    let _held = driver.connect(&device(), config(9600.into())?).await?;
    let error = driver.connect(&device(), config(19_200.into())?).await.err().expect("it is open").to_string();
    assert!(error.ends_with("line (9600 baud, 8N1): all on one line need the same settings"), "{error}");
    Ok(())
}

#[tokio::test]
async fn twins_hold_what_the_units_on_a_line_hold_and_are_back_when_it_is() -> Outcome {
    let folder = tempfile::tempdir()?;
    let link = folder.path().join("line");
    let also = Also { serial: Some(link.clone()), ..Also::default() };
    let Some(mut server) = Server::start_with(0, also).await? else { return Ok(()) };
    let (model, instance) = (include_str!("../../devices/model.yaml"), include_str!("../../devices/instance.yaml"));
    let on_line = format!("serialPort: {}\n      parity: none\n", link.display());
    let manifests = format!("{model}\n---\n{instance}").replace("collectCycle: 5000", "collectCycle: 500");
    let mut manifests: Vec<_> = manifests.lines().filter(|line| !line.trim().starts_with("port: ")).collect();
    manifests.iter_mut().filter(|line| line.trim().starts_with("host: ")).for_each(|line| *line = "      HERE");
    let manifests = manifests.join("\n").replace("HERE\n", &on_line);
    run(&manifests, async |edge| {
        for (number, temperature, setpoint) in [(1, "58.3", "60"), (2, "-7.1", "55")] {
            holds(edge, &boiler(number), "temperature", temperature).await;
            holds(edge, &boiler(number), "setpoint", setpoint).await;
        }
        server.kill().await;
        is(edge, &boiler(1), "offline").await;
        is(edge, &boiler(2), "offline").await;
        let _server = server.restart().await?;
        is(edge, &boiler(1), "online").await;
        is(edge, &boiler(2), "online").await;
        holds(edge, &boiler(1), "pump", "true").await;
        Ok(())
    })
    .await
}
