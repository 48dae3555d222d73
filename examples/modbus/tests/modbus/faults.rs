//! Answers as gateways and lines give them in the field: by another unit, in halves, too long, refused, lost.

use std::sync::Arc;

use mapper_framework::{Session, Value, testing::read_many};
use modbus::Modbus;
use serde_json::json;

use crate::{
    Outcome,
    driver::{connect, connect_with, number},
    line::Bus,
    server::Server,
};

#[tokio::test]
async fn another_units_answer_is_refused_and_costs_neither_session_nor_connection() -> Outcome {
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    let driver = Modbus::default();
    let (mut mistaken, mut there) = (connect(&driver, &server, 16).await?, connect(&driver, &server, 1).await?);
    for _ in 0..5 {
        let error = mistaken.read(&number(0, "int16")).await.expect_err("it is not the unit's own answer");
        assert!(error.is_retryable() && !error.is_disconnected(), "{error:?}");
        assert!(error.to_string().starts_with("HoldingRegister 0: unit 36 answers in its place: "), "{error}");
        assert_eq!(there.read(&number(0, "int16")).await?.into_value(), Value::Int(600));
    }
    assert_eq!(server.connections().await?, 1);
    Ok(())
}

#[tokio::test]
async fn an_answer_in_two_halves_is_put_together() -> Outcome {
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    let mut unit = connect(&Modbus::default(), &server, 17).await?;
    assert_eq!(unit.read(&number(3, "uint32")).await?.into_value(), Value::Int(0x0003_0004));
    assert_eq!(server.connections().await?, 1);
    for mut bus in Bus::both().await? {
        let mut unit = bus.unit(17).await?;
        assert_eq!(unit.read(&number(3, "uint32")).await?.into_value(), Value::Int(0x0003_0004));
        assert_eq!(bus.requests().await?, ["request 17 3 3 2"]);
    }
    Ok(())
}

#[tokio::test]
async fn the_half_of_an_answer_that_comes_too_late_is_taken_for_no_other() -> Outcome {
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    let (driver, asked) = (Modbus::default(), "request 25 3 3 2".to_owned());
    let mut hasty = connect_with(&driver, &server, json!({"unitId": 25, "timeout": 50})).await?;
    let mut there = connect(&driver, &server, 1).await?;
    for _ in 0..3 {
        let error = hasty.read(&number(3, "uint32")).await.expect_err("half of it is late");
        assert_eq!(error.to_string(), "HoldingRegister 3: no answer within 50 ms");
        // A server that gets two requests at once answers one of them.
        while !server.news().await?.contains(&asked) {}
        assert_eq!(there.read(&number(0, "int16")).await?.into_value(), Value::Int(600));
    }
    assert_eq!(server.connections().await?, 1);
    for mut bus in Bus::both().await? {
        let mut hasty = bus.unit_with(json!({"unitId": 25, "timeout": 50, "retries": 0})).await?;
        let mut there = bus.unit(1).await?;
        for _ in 0..3 {
            assert!(hasty.read(&number(3, "uint32")).await.expect_err("half of it is late").is_disconnected());
            while !bus.requests().await?.contains(&asked) {}
            assert_eq!(there.read(&number(0, "int16")).await?.into_value(), Value::Int(600));
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_answer_that_is_longer_than_asked_is_no_value() -> Outcome {
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    let mut unit = connect(&Modbus::default(), &server, 18).await?;
    let error = unit.read(&number(3, "int16")).await.expect_err("there is one more");
    assert!(error.is_retryable() && !error.is_disconnected(), "{error:?}");
    let message = "HoldingRegister 3: the device answers with 2 registers, which is not what it was asked for";
    assert_eq!(error.to_string(), message);
    assert_eq!(server.connections().await?, 1);
    for bus in Bus::both().await? {
        let error = bus.unit(18).await?.read(&number(3, "int16")).await.expect_err("there is one more");
        assert!(error.to_string().ends_with("(its checksum or its length is wrong)"), "{error}");
        assert!(error.is_retryable() && !error.is_disconnected(), "{error:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_unit_that_is_busy_or_away_is_asked_again_the_next_time_and_not_in_halves() -> Outcome {
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    let driver = Modbus::default();
    for (number_of_unit, says) in [
        (20, "exception 0x05, Acknowledge"),
        (21, "exception 0x06, Server device busy"),
        (22, "exception 0x0a, Gateway path unavailable"),
        (23, "exception 0x0b, Gateway target device failed to respond"),
    ] {
        let mut unit = connect(&driver, &server, number_of_unit).await?;
        for _ in 0..2 {
            let properties = [0, 1].map(|address| Arc::new(number(address, "int16")));
            for (value, address) in read_many(&mut unit, &properties).await.into_iter().zip(0..) {
                let error = value.expect_err("it is refused");
                assert!(error.is_retryable() && !error.is_disconnected(), "{error:?}");
                assert_eq!(error.to_string(), format!("HoldingRegister {address}: the device answers with {says}"));
            }
        }
        let mut asked = server.news().await?;
        asked.retain(|line| line.starts_with("request"));
        assert_eq!(asked, vec![format!("request {number_of_unit} 3 0 2"); 2]);
        // What was taken on for later may have happened, and is read for before it is written again.
        let error = unit.write(&number(0, "int16"), &Value::Int(7)).await.expect_err("it is refused");
        assert!(error.is_retryable() && !error.is_disconnected(), "{error:?}");
        server.news().await?;
    }
    Ok(())
}

#[tokio::test]
async fn noise_that_looks_like_the_beginning_of_an_answer_is_no_trouble() -> Outcome {
    for mut bus in Bus::both().await? {
        let mut unit = bus.unit(24).await?;
        for address in [0, 40] {
            assert_eq!(unit.read(&number(address, "int16")).await?.into_value(), Value::Int(address.into()));
        }
        assert_eq!(bus.requests().await?.len(), 2, "nothing is asked twice");
    }
    Ok(())
}

#[tokio::test]
async fn an_answer_that_is_lost_costs_a_retry_of_a_unit_that_answers() -> Outcome {
    for mut bus in Bus::both().await? {
        let mut patient = bus.unit(15).await?;
        assert_eq!(patient.read(&number(1, "int16")).await?.into_value(), Value::Int(1));
        // Of its requests every other one is lost.
        let mut unit = bus.unit_with(json!({"unitId": 15, "timeout": 500, "retries": 9})).await?;
        assert_eq!(unit.read(&number(2, "int16")).await?.into_value(), Value::Int(2));
        let asked = bus.requests().await?;
        assert!(asked.len() >= 3 && asked[1..].iter().all(|line| line == "request 15 3 2 1"), "{asked:?}");
    }
    Ok(())
}
