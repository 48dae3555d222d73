//! Connections that are protected by certificates.

use std::{fs, path::Path};

use mapper_framework::{DataType, Device, Driver as _, DriverError, Property, Session as _, Value, model::Credentials};
use opcua::{Config, OpcUa, Settings, Visitor};
use serde_json::json;
use ua::crypto::{CertificateStore, X509Data};

use crate::{
    Outcome,
    bed::{Bed, boiler},
    server::{Make, NAMESPACE, Server},
};

against_each!(
    each_policy_protects_a_login_once_the_server_s_certificate_is_trusted,
    a_deprecated_policy_is_refused_until_it_is_allowed,
    a_server_that_does_not_trust_the_mapper_is_connected_to_once_it_does,
    a_certificate_is_a_login_once_the_server_knows_it,
);

async fn each_policy_protects_a_login_once_the_server_s_certificate_is_trusted(make: Make) -> Outcome {
    let folder = tempfile::tempdir()?;
    let (own, pki) = (folder.path().join("server"), folder.path().join("pki"));
    fs::create_dir(&own)?;
    let own = own.to_str().ok_or("it is text")?;
    let Some(server) = Server::start(make, &["--user", "mapper=hunter2", "--pki", own]).await? else { return Ok(()) };
    let driver = OpcUa::new(Settings { pki: pki.clone(), ..Settings::default() });
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

async fn a_deprecated_policy_is_refused_until_it_is_allowed(make: Make) -> Outcome {
    let folder = tempfile::tempdir()?;
    let (own, pki) = (folder.path().join("server"), folder.path().join("pki"));
    fs::create_dir(&own)?;
    let own = own.to_str().ok_or("it is text")?;
    let arguments = ["--user", "mapper=hunter2", "--pki", own, "--deprecated"];
    let Some(server) = Server::start(make, &arguments).await? else { return Ok(()) };
    let settings = Settings { pki, trust_new: true, ..Settings::default() };
    let (default, allowing) =
        (OpcUa::new(settings.clone()), OpcUa::new(Settings { deprecated_policies: true, ..settings }));
    for policy in ["Basic128Rsa15", "Basic256"] {
        let error = refused(connect(&default, &server, policy, "SignAndEncrypt", "hunter2").await);
        assert!(error.contains(&format!("securityPolicy {policy}: OPC UA has withdrawn it")), "{error}");
        if policy == "Basic128Rsa15" && make == Make::NodeOpcua {
            // Node.js decrypts nothing with its padding since CVE-2023-46809.
            continue;
        }
        for mode in ["Sign", "SignAndEncrypt"] {
            let mut session = connect(&allowing, &server, policy, mode, "hunter2").await?;
            assert_eq!(session.read(&setpoint()).await?.into_value(), Value::Int(60), "{policy} {mode}");
            session.close().await;
        }
        let error = refused(connect(&allowing, &server, policy, "Sign", "hunter3").await);
        assert!(error.contains("it refuses the login of \"mapper\"") && !error.contains("hunter"), "{error}");
    }
    Ok(())
}

async fn a_server_that_does_not_trust_the_mapper_is_connected_to_once_it_does(make: Make) -> Outcome {
    let folder = tempfile::tempdir()?;
    let pki = folder.path().to_str().ok_or("it is text")?;
    let Some(server) = Server::start(make, &["--pki", pki, "--distrust"]).await? else { return Ok(()) };
    let bed = Bed::start().await;
    bed.apply(&boiler(&server, "securityPolicy: Basic256Sha256")).await;
    let own = bed.own_certificate();
    bed.reason(&format!("trust the mapper's certificate, {}", own.display())).await;
    admit(&fs::read(own)?, folder.path())?;
    bed.is("online").await;
    bed.holds("temperature", "58.5").await;
    bed.stop().await;
    Ok(())
}

async fn a_certificate_is_a_login_once_the_server_knows_it(make: Make) -> Outcome {
    let folder = tempfile::tempdir()?;
    let (pki, users) = (folder.path().join("pki"), folder.path().join("users"));
    fs::create_dir(&pki)?;
    let (text, path) = ("it is text", users.to_str());
    let arguments = ["--pki", pki.to_str().ok_or(text)?, "--users", path.ok_or(text)?];
    let Some(server) = Server::start(make, &arguments).await? else { return Ok(()) };
    let bed = Bed::start().await;
    bed.apply(&boiler(&server, "securityPolicy: Basic256Sha256")).await;
    let reason = bed.reason("takes no Anonymous with Basic256Sha256/SignAndEncrypt, but Certificate").await;
    assert!(reason.ends_with("correct the device's credentials"), "{reason}");
    let (certificate, key) = certificate_and_key(&folder.path().join("user"))?;
    bed.credentials(&[("tls.crt", &certificate), ("tls.key", &key)]);
    bed.apply(&boiler(&server, "credentials: boiler\n      securityPolicy: Basic256Sha256")).await;
    bed.reason("it refuses the certificate: correct the files `tls.crt` and `tls.key` of its credentials").await;
    admit(&certificate, &users)?;
    bed.is("online").await;
    bed.holds("temperature", "58.5").await;
    bed.stop().await;
    Ok(())
}

/// Puts a certificate among those that a server trusts.
fn admit(certificate: &[u8], pki: &Path) -> Outcome {
    let trusted = pki.join("trusted/certs");
    fs::create_dir_all(&trusted)?;
    // Not to be read half written.
    fs::write(pki.join("it.der"), certificate)?;
    fs::rename(pki.join("it.der"), trusted.join("it.der"))?;
    Ok(())
}

/// A new certificate and its key, made in this folder.
fn certificate_and_key(folder: &Path) -> Outcome<(Vec<u8>, Vec<u8>)> {
    let store = CertificateStore::new(folder);
    store.ensure_pki_path()?;
    store.create_and_store_application_instance_cert(&X509Data::sample_cert(), false)?;
    Ok((fs::read(store.own_certificate_path())?, fs::read(store.own_private_key_path())?))
}

/// Moves the certificates that were not trusted to those that are.
fn trust(pki: &Path) -> Outcome {
    for entry in fs::read_dir(pki.join("rejected"))? {
        let entry = entry?;
        fs::rename(entry.path(), pki.join("trusted").join(entry.file_name()))?;
    }
    Ok(())
}

pub(crate) async fn connect(
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

pub(crate) fn refused(outcome: Result<opcua::Server, DriverError>) -> String {
    outcome.err().map_or_else(String::new, |error| error.to_string())
}

pub(crate) fn setpoint() -> Property<Visitor> {
    let visitor = json!({"nodeID": format!("nsu={NAMESPACE};s=Boiler.Setpoint")});
    Property::builder("setpoint", DataType::Int).visitor(serde_json::from_value(visitor).expect("it is a visitor"))
}
