//! The mapper between an edgecore and servers.

use std::time::Duration;

use integration_tests::Proxy;
use mapper_framework::{local_edge::EdgeState, model::DeviceId};

use crate::{
    Outcome,
    bed::{Bed, boiler, boiler_at},
    server::{Make, Server},
};

against_each!(
    a_server_that_is_killed_is_found_again_and_delivers_and_has_what_it_should_have,
    a_server_that_hangs_is_noticed_although_all_is_subscribed,
    a_password_that_is_put_right_is_in_force_without_a_restart,
    an_endpoint_that_is_not_there_is_named_with_those_that_are,
);

async fn a_server_that_is_killed_is_found_again_and_delivers_and_has_what_it_should_have(make: Make) -> Outcome {
    let Some(server) = Server::start(make, &[]).await? else { return Ok(()) };
    let bed = Bed::start().await;
    bed.apply(&boiler(&server, "")).await;
    bed.holds("temperature", "58.5").await;
    bed.holds("setpoint", "55").await;
    bed.holds("pump", "true").await;
    bed.is("online").await;
    server.probe().await?.obey("set Boiler.Temperature 61.25").await?;
    bed.holds("temperature", "61.25").await;
    let mut server = server;
    server.kill().await;
    bed.is("offline").await;
    bed.reason("no connection to opc.tcp://127.0.0.1:").await;
    let mut server = server.restart(&[]).await?;
    bed.is("online").await;
    // The new server has forgotten all, and gets its wishes anew.
    bed.holds("temperature", "58.5").await;
    server.probe().await?.obey("set Boiler.Temperature 62.5").await?;
    bed.holds("temperature", "62.5").await;
    bed.holds("setpoint", "55").await;
    server.says("monitors 4").await;
    bed.stop().await;
    Ok(())
}

async fn a_server_that_hangs_is_noticed_although_all_is_subscribed(make: Make) -> Outcome {
    let Some(server) = Server::start(make, &[]).await? else { return Ok(()) };
    let bed = Bed::start().await;
    bed.apply(&boiler(&server, "timeout: 2000")).await;
    bed.is("online").await;
    bed.holds("temperature", "58.5").await;
    server.freeze().await;
    bed.is("offline").await;
    bed.reason("does not answer within 2s").await;
    server.thaw().await;
    bed.is("online").await;
    server.probe().await?.obey("set Boiler.Temperature 61.25").await?;
    bed.holds("temperature", "61.25").await;
    bed.stop().await;
    Ok(())
}

/// One of two devices is behind a slow line.
#[tokio::test]
async fn a_server_that_answers_too_late_holds_up_no_other_device_and_is_found_again() -> Outcome {
    let Some(server) = Server::start(Make::Asyncua, &[]).await? else { return Ok(()) };
    let line = Proxy::start(server.port).await?;
    let bed = Bed::configured(|config| config.driver.call_timeout = Duration::from_secs(2)).await;
    let slow = boiler_at(&format!("opc.tcp://127.0.0.1:{}", line.port()), "subscribe: false");
    let other = DeviceId::new("default", "boiler-2");
    let quick = boiler(&server, "subscribe: false").replace("name: boiler-1", "name: boiler-2");
    bed.apply(&format!("{slow}\n---\n{quick}")).await;
    bed.holds("temperature", "58.5").await;
    line.slow_down(1);
    bed.reason(" took longer than 2s").await;
    bed.is("offline").await;
    let before = bed.bed.edge().twin(&other, "temperature").map_or(0, |twin| twin.times_stored());
    let goes_on =
        |edge: &EdgeState| edge.twin(&other, "temperature").is_some_and(|twin| twin.times_stored() > before + 5);
    bed.bed.until("the other device is read all the while", goes_on).await;
    bed.is("offline").await;
    line.slow_down(10_000_000);
    bed.is("online").await;
    bed.stop().await;
    Ok(())
}

async fn a_password_that_is_put_right_is_in_force_without_a_restart(make: Make) -> Outcome {
    let Some(server) = Server::start(make, &["--user", "mapper=hunter2"]).await? else { return Ok(()) };
    let bed = Bed::start().await;
    bed.apply(&boiler(&server, "")).await;
    let reason = bed.reason("takes no Anonymous with None/None, but ").await;
    assert!(reason.contains("UserName: correct the device's credentials"), "{reason}");
    bed.login("mapper", "hunter3");
    bed.apply(&boiler(&server, "credentials: boiler")).await;
    let reason = bed.reason("it refuses the login of \"mapper\": correct the files `username` and `password`").await;
    assert!(!reason.contains("hunter"), "{reason}");
    bed.login("mapper", "hunter2");
    bed.is("online").await;
    bed.holds("temperature", "58.5").await;
    bed.stop().await;
    Ok(())
}

async fn an_endpoint_that_is_not_there_is_named_with_those_that_are(make: Make) -> Outcome {
    let Some(mut server) = Server::start(make, &[]).await? else { return Ok(()) };
    let bed = Bed::start().await;
    bed.apply(&boiler(&server, "securityPolicy: Basic256Sha256")).await;
    bed.reason("no endpoint with Basic256Sha256/SignAndEncrypt, but None/None: correct securityPolicy").await;
    bed.apply(&boiler(&server, "securityMode: Sign")).await;
    bed.reason("securityMode Sign needs a securityPolicy").await;
    bed.apply(&boiler(&server, "subscribe: false")).await;
    bed.is("online").await;
    bed.holds("temperature", "58.5").await;
    assert!(server.lines("monitors").await?.is_empty());
    bed.stop().await;
    Ok(())
}
