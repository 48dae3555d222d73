//! Connections that are protected by certificates.

use std::{fs, path::Path};

use mapper_framework::{DataType, Device, Driver as _, DriverError, Property, Session as _, Value, model::Credentials};
use opcua::{Config, OpcUa, Settings, Visitor};
use serde_json::json;

use crate::{
    Outcome,
    server::{NAMESPACE, Server},
};

#[tokio::test]
async fn each_policy_protects_a_login_once_the_server_s_certificate_is_trusted() -> Outcome {
    let folder = tempfile::tempdir()?;
    let (own, pki) = (folder.path().join("server"), folder.path().join("pki"));
    fs::create_dir(&own)?;
    let own = own.to_str().ok_or("it is text")?;
    let Some(server) = Server::start(&["--user", "mapper=hunter2", "--pki", own]).await? else { return Ok(()) };
    let driver = OpcUa::new(Settings { pki: pki.clone(), trust_new: false });
    let error = refused(connect(&driver, &server, "Basic256Sha256", "Sign", "hunter2").await);
    assert!(error.contains("the server's certificate: it is not trusted: if it is the right one, move "), "{error}");
    trust(&pki)?;
    for (policy, mode) in [
        ("Basic256Sha256", "Sign"),
        ("Basic256Sha256", "SignAndEncrypt"),
        ("Aes128Sha256RsaOaep", "SignAndEncrypt"),
        ("Aes256Sha256RsaPss", "SignAndEncrypt"),
    ] {
        let mut session = connect(&driver, &server, policy, mode, "hunter2").await?;
        assert_eq!(session.read(&setpoint()).await?.into_value(), Value::Int(60), "{policy} {mode}");
        session.close().await;
    }
    let error = refused(connect(&driver, &server, "Basic256Sha256", "Sign", "hunter3").await);
    assert!(error.contains("it refuses the login of \"mapper\"") && !error.contains("hunter"), "{error}");
    Ok(())
}

/// Moves the certificates that were not trusted to those that are.
fn trust(pki: &Path) -> Outcome {
    for entry in fs::read_dir(pki.join("rejected"))? {
        let entry = entry?;
        fs::rename(entry.path(), pki.join("trusted").join(entry.file_name()))?;
    }
    Ok(())
}

async fn connect(
    driver: &OpcUa,
    server: &Server,
    policy: &str,
    mode: &str,
    password: &str,
) -> Result<opcua::Server, DriverError> {
    let keys = json!({"url": server.url(), "securityPolicy": policy, "securityMode": mode, "timeout": 10000});
    let config: Config = serde_json::from_value(keys)?;
    let credentials = Credentials::none().with_username("mapper").with_password(password);
    driver.connect(&Device::builder("device").credentials(credentials).build(), config).await
}

fn refused(outcome: Result<opcua::Server, DriverError>) -> String {
    outcome.err().map_or_else(String::new, |error| error.to_string())
}

fn setpoint() -> Property<Visitor> {
    let visitor = json!({"nodeID": format!("nsu={NAMESPACE};s=Boiler.Setpoint")});
    Property::builder("setpoint", DataType::Int).visitor(serde_json::from_value(visitor).expect("it is a visitor"))
}
