//! Manifests in which something is wrong: it is named, and the rest works.

use std::time::Instant;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use mapper_framework::{
    DeviceState, Mapper, MapperError, SocketError,
    config::{Config, ConfigError, IllegalValues},
    local_edge::{EdgeEvent, SendFailure},
    testing::TestBed,
};

use crate::{
    logged::Logged,
    meter::{Meter, PROTOCOL, device, gauges, id, model, property, wanted},
};

/// Applies a device in which something is wrong beside the good `count`, and gives the mapper's answer.
async fn refusal(bed: &TestBed, manifests: &str) -> String {
    let mut events = bed.edge().events();
    bed.edge().apply(manifests).await.unwrap();
    let sent = events.wait_for(|event| matches!(event, EdgeEvent::DeviceSent { .. })).await;
    let Some(EdgeEvent::DeviceSent { result: Err(SendFailure::Refused { code, message, .. }), .. }) = sent else {
        panic!("the mapper refuses it: {sent:?}")
    };
    assert_eq!(code, "InvalidArgument", "{message}");
    message
}

#[tokio::test]
async fn what_is_wrong_with_a_property_is_named_and_the_others_are_served() {
    let cases = [
        (
            "type",
            "other, accessMode: ReadOnly",
            property("other", 10, "count"),
            r#"property "other", type: unknown data type "#,
        ),
        (
            "bounds",
            "other, type: INT, minimum: \"5\", maximum: \"1\"",
            property("other", 10, "count"),
            r#"property "other", minimum: 5 is greater than the maximum, 1"#,
        ),
        ("visitor", "other, type: INT", property("other", 10, "nonsense"), r#"property "other", visitors.configData"#),
        (
            "lacking",
            "another, type: INT",
            property("other", 10, "count"),
            r#"property "other", name: the device model default/lacking has no such property"#,
        ),
        ("twice", "other, type: INT", property("count", 10, "count"), r#"property "count", name: stands twice"#),
    ];
    let bed = TestBed::start(Meter::new(), PROTOCOL).await;
    for (name, declared, other, expected) in cases {
        let manifests = model(name, &["count, type: INT", declared])
            + &device(name, name, &[property("count", 10, "count"), other]);
        let message = refusal(&bed, &manifests).await;
        assert!(message.starts_with(&format!("device default/{name}: {expected}")), "{message}");
        bed.until(name, |edge| edge.twin(&id(name), "count").is_some_and(|twin| twin.times_stored() > 2)).await;
        bed.until(name, |edge| edge.state(&id(name)) == Some("unhealthy")).await;
    }
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn a_desired_value_that_may_not_be_is_not_written_and_the_property_reported_all_the_same() {
    let (log, meter) = (Logged::warnings(), Meter::new());
    let bed = TestBed::start(meter.clone(), PROTOCOL).await;
    let declared = [
        "fixed, type: INT, accessMode: ReadOnly",
        "bounded, type: INT, accessMode: ReadWrite, minimum: \"0\", maximum: \"10\"",
        "typed, type: INT, accessMode: ReadWrite",
        "good, type: INT, accessMode: ReadWrite",
    ];
    let properties = [("fixed", "1"), ("bounded", "11"), ("typed", "warm"), ("good", "7")]
        .map(|(name, value)| wanted(name, 10, "setting", value));
    bed.edge().apply(&(model("m", &declared) + &device("d", "m", &properties))).await.unwrap();
    bed.until("the good value is written", |edge| {
        edge.twin(&id("d"), "good").is_some_and(|twin| (twin.value(), twin.observed_desired()) == ("7", "7"))
    })
    .await;
    for property in ["fixed", "bounded", "typed"] {
        // The value that the device keeps, and no desired one that it does not have.
        bed.until(property, |edge| {
            edge.twin(&id("d"), property).is_some_and(|twin| (twin.value(), twin.observed_desired()) == ("0", ""))
        })
        .await;
        let refusals = log.with(&["the desired value is refused", &format!("property=\"{property}\""), "reason="]);
        assert_eq!(refusals.len(), 1, "{property}: {refusals:?}");
    }
    assert_eq!(
        (bed.handle().stats().writes().desired_refused(), meter.uses().writes),
        (3, 1),
        "the good one alone is written"
    );
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn a_value_outside_edgecores_alphabet_is_held_back_and_explained() {
    let log = Logged::warnings();
    let bed = TestBed::start(Meter::new(), PROTOCOL).await;
    let properties = [property("text", 10, "degrees"), property("count", 10, "count")];
    bed.edge()
        .apply(&(model("m", &["text, type: STRING", "count, type: INT"]) + &device("d", "m", &properties)))
        .await
        .unwrap();
    bed.until("the other property is stored", |edge| {
        edge.twin(&id("d"), "count").is_some_and(|twin| twin.times_stored() > 5)
    })
    .await;
    let counts = bed.edge().counts();
    assert_eq!((counts.dropped_twins(), bed.edge().twin(&id("d"), "text")), (0, None));
    assert!(bed.handle().stats().reports().twins_held_back() > 0);
    let explained =
        log.with(&["device=default/d", r#"property="text""#, "the value holds ' '", "let the driver encode it"]);
    assert_eq!(explained.len(), 1, "said once, though it is read again and again: {explained:?}");
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn a_text_is_replaced_or_encoded_where_its_rule_says_so_and_its_desired_value_alike() {
    let bed = TestBed::builder(Meter::new(), PROTOCOL)
        .config(|config| config.report.illegal = IllegalValues::Base64url)
        .start()
        .await;
    let replaced = property("replaced", 10, "degrees, reportIllegal: replace");
    let held = property("held", 10, "degrees, reportIllegal: hold");
    let properties = [held, replaced, property("encoded", 10, "degrees"), wanted("mode", 10, "setting", "slow run")];
    let declared = [
        "held, type: STRING",
        "replaced, type: STRING",
        "encoded, type: STRING",
        "mode, type: STRING, accessMode: ReadWrite",
    ];
    bed.edge().apply(&(model("m", &declared) + &device("d", "m", &properties))).await.unwrap();
    let decoded = |text: &str| String::from_utf8(URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap();
    bed.until("the desired value is stored", |edge| {
        edge.twin(&id("d"), "mode").is_some_and(|twin| decoded(twin.observed_desired()) == "slow run")
    })
    .await;
    bed.until("the others are stored", |edge| edge.twin(&id("d"), "encoded").is_some()).await;
    let reported = |property| bed.edge().twin(&id("d"), property).map(|twin| twin.value().to_owned());
    assert_eq!(reported("mode").as_deref().map(decoded).as_deref(), Some("slow run"), "the device got the text itself");
    assert_eq!(reported("encoded").as_deref().map(decoded).as_deref(), Some("21 °C"));
    assert_eq!((reported("replaced").as_deref(), reported("held")), (Some("21__C"), None));
    assert_eq!(bed.edge().counts().dropped_twins(), 0);
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn ten_thousand_properties_of_one_device_are_served() {
    let bed = TestBed::start(Meter::new(), PROTOCOL).await;
    let names: Vec<String> = (0..10_000).map(|n| format!("p{n}")).collect();
    let declared: Vec<String> = names.iter().map(|name| format!("{name}, type: INT")).collect();
    let declared: Vec<&str> = declared.iter().map(String::as_str).collect();
    let properties: Vec<String> = names.iter().map(|name| property(name, 3_600_000, "count")).collect();
    let began = Instant::now();
    bed.edge().apply(&(model("m", &declared) + &device("d", "m", &properties))).await.unwrap();
    bed.until("all are stored", |edge| edge.twins().count() == 10_000).await;
    println!("10,000 properties were stored after {:?}", began.elapsed());
    assert!(bed.edge().crashed().is_none());
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_mapper_on_the_same_socket_is_told_so_and_the_first_goes_on() {
    let bed = TestBed::start(Meter::new(), PROTOCOL).await;
    bed.edge().apply(&gauges(["d".to_owned()], 10)).await.unwrap();
    let mut config = Config::default();
    config.common.protocol = PROTOCOL.to_owned();
    config.grpc_server.socket_path = bed.folder().join("mapper.sock");
    let second = Mapper::builder(Meter::new()).config(config.clone()).build().run_until(std::future::pending()).await;
    assert!(matches!(second, Err(MapperError::Socket(SocketError::InUse { .. }))), "{second:?}");
    bed.until("the first one goes on", |edge| edge.twin(&id("d"), "count").is_some()).await;
    bed.edge().set_desired(&id("d"), "level", "7").await.unwrap();
    bed.until("it is still called", |edge| edge.twin(&id("d"), "level").is_some_and(|twin| twin.value() == "7")).await;

    config.grpc_server.socket_path = format!("/tmp/{}", "x".repeat(195)).into();
    let error = Mapper::builder(Meter::new()).config(config).build().run_until(std::future::pending()).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("is 200 bytes long, but the path of a unix socket holds at most 107"), "{error}");
    assert_eq!(bed.handle().device(&id("d")).await.unwrap().state, DeviceState::Online);
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn a_config_that_was_made_in_code_is_checked_before_anything_starts() {
    let mut config = Config::default();
    config.common.protocol = PROTOCOL.to_owned();
    config.report.calls_per_second = 1e-30;
    let ended = Mapper::builder(Meter::new()).config(config).build().run_until(std::future::pending()).await;
    assert!(matches!(ended, Err(MapperError::Config(ConfigError::Invalid { .. }))), "{ended:?}");
}
