//! Modbus TCP over TLS.

use std::fs;

use integration_tests::servers::Certificate;
use mapper_framework::{Driver, Session, Value};
use modbus::{Config, Modbus};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::{
    Outcome,
    driver::{device, number},
    mapper::{boiler, holds, is, run},
    server::{Also, Server},
};

/// A server, its certificate and the mapper's, which vouch for themselves.
pub(crate) struct Secured {
    pub(crate) server: Server,
    theirs: Certificate,
    ours: Certificate,
    folder: TempDir,
}

impl Secured {
    pub(crate) async fn start() -> anyhow::Result<Option<Self>> {
        let folder = tempfile::tempdir()?;
        let [theirs, ours] = ["theirs", "ours"].map(|name| {
            let own = folder.path().join(name);
            fs::create_dir(&own).map(|()| Certificate::make(&own))
        });
        let (theirs, ours) = (theirs?, ours?);
        let files = [&theirs.cert_file, &theirs.key_file, &ours.cert_file].map(Clone::clone);
        let server = Server::start_with(0, Also { tls: Some((0, files)), ..Also::default() }).await?;
        Ok(server.map(|server| Self { server, theirs, ours, folder }))
    }

    /// The keys of unit 1.
    pub(crate) fn keys(&self) -> Json {
        json!({
            "host": "127.0.0.1", "port": self.server.tls_port(), "tls": true, "timeout": 10_000,
            "caFile": self.theirs.cert_file, "certFile": self.ours.cert_file, "keyFile": self.ours.key_file,
        })
    }
}

#[tokio::test]
async fn both_ends_show_their_certificates_and_a_restart_of_the_server_costs_no_session() -> Outcome {
    let Some(secured) = Secured::start().await? else { return Ok(()) };
    let mut unit = Modbus::default().connect(&device(), serde_json::from_value::<Config>(secured.keys())?).await?;
    assert_eq!(unit.read(&number(0, "int16")).await?.into_value(), Value::Int(600));
    unit.write(&number(0, "int16"), &Value::Int(7)).await?;
    assert_eq!(unit.read(&number(0, "int16")).await?.into_value(), Value::Int(7));
    let _server = secured.server.restart().await?;
    assert_eq!(unit.read(&number(0, "int16")).await?.into_value(), Value::Int(600));
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_said_with_its_cure() -> Outcome {
    let Some(secured) = Secured::start().await? else { return Ok(()) };
    let failure = async |change: &[(&str, Json)]| {
        let mut keys = secured.keys();
        for (key, value) in change {
            keys[*key] = value.clone();
        }
        keys.as_object_mut().expect("a map").retain(|_, value| !value.is_null());
        let config: Config = serde_json::from_value(keys)?;
        let unit = Modbus::default().connect(&device(), config).await;
        let error = match unit {
            Err(error) => error,
            // In TLS 1.3 a server looks at the client's certificate after the client is done.
            Ok(mut unit) => unit.read(&number(0, "int16")).await.expect_err("it is refused"),
        };
        assert!(error.is_disconnected(), "{error:?}");
        anyhow::Ok(error.to_string())
    };
    let none = failure(&[("certFile", Json::Null), ("keyFile", Json::Null)]).await?;
    // With an alert, or by closing the connection without one.
    assert!(none.contains("the server ") && none.contains("`certFile` and `keyFile`"), "{none}");
    let stranger = failure(&[("caFile", json!(secured.ours.cert_file))]).await?;
    assert!(stranger.contains("name the authority that issued the server's certificate in `caFile`"), "{stranger}");
    let other = failure(&[("serverName", json!("boiler.example"))]).await?;
    assert!(other.contains("write the name in the server's certificate to `serverName`"), "{other}");
    let plain = failure(&[("port", secured.server.port.into()), ("timeout", 300.into())]).await?;
    assert!(plain.starts_with("no connection to 127.0.0.1:"), "{plain}");
    let missing = failure(&[("caFile", json!("/nowhere/ca.pem"))]).await?;
    assert!(missing.contains("`caFile`: /nowhere/ca.pem cannot be used: "), "{missing}");
    Ok(())
}

#[tokio::test]
async fn a_device_comes_online_when_a_wrong_certificate_is_put_right() -> Outcome {
    let Some(secured) = Secured::start().await? else { return Ok(()) };
    let ca = secured.folder.path().join("ca.pem");
    fs::copy(&secured.ours.cert_file, &ca)?;
    let (model, instance) = (include_str!("../../devices/model.yaml"), include_str!("../../devices/instance.yaml"));
    let mut keys = secured.keys();
    keys["caFile"] = json!(ca);
    let keys: Vec<_> =
        keys.as_object().expect("a map").iter().map(|(key, value)| format!("      {key}: {value}\n")).collect();
    let manifests = format!("{model}\n---\n{instance}").replace("collectCycle: 5000", "collectCycle: 500");
    let replaced = ["host: ", "port: ", "timeout: "];
    let kept = manifests.lines().filter(|line| !replaced.iter().any(|key| line.trim().starts_with(key)));
    let manifests = kept.map(|line| format!("{line}\n")).collect::<String>();
    let manifests =
        manifests.replace("    configData:\n      unitId", &format!("    configData:\n{}      unitId", keys.concat()));
    run(&manifests, async |edge| {
        is(edge, &boiler(1), "offline").await;
        fs::copy(&secured.theirs.cert_file, &ca)?;
        holds(edge, &boiler(1), "temperature", "58.3").await;
        is(edge, &boiler(1), "online").await;
        holds(edge, &boiler(2), "temperature", "-7.1").await;
        Ok(())
    })
    .await
}
