//! Servers whose certificates an authority has issued.

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use mapper_framework::{Session as _, Value};
use opcua::{OpcUa, Settings};
use tempfile::TempDir;

use crate::{
    Outcome,
    authority::{Authority, server_key},
    security::{connect, refused, setpoint},
    server::{Make, Server},
};

against_each!(
    a_server_is_trusted_by_the_authority_that_has_issued_its_certificate,
    an_intermediate_authority_is_enough_and_needed,
    what_a_trusted_authority_issued_is_refused_when_it_is_out_of_date_or_another_host_s,
);

const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// Later than any test.
const NEVER: i32 = 2049;

async fn a_server_is_trusted_by_the_authority_that_has_issued_its_certificate(make: Make) -> Outcome {
    let (root, plant) = (Authority::root()?, Plant::new()?);
    let Some(server) = plant.server(make, &root.issue(HERE, NEVER)?.pem()).await? else { return Ok(()) };
    let unknown = "the server's certificate: it is not trusted, nor is its authority, CN=Factory Root: if it is the right one, move ";
    let error = plant.refusal(&server).await;
    assert!(error.contains(unknown) && error.ends_with(", or put there the certificate of its authority"), "{error}");
    root.admit(&plant.trusted())?;
    plant.serves(&server).await?;
    // Trust ends with the authority's.
    fs::remove_file(plant.trusted().join("authority.pem"))?;
    let error = plant.refusal(&server).await;
    assert!(error.contains(unknown), "{error}");
    Ok(())
}

async fn an_intermediate_authority_is_enough_and_needed(make: Make) -> Outcome {
    let (root, plant) = (Authority::root()?, Plant::new()?);
    let intermediate = root.intermediate()?;
    let Some(server) = plant.server(make, &intermediate.issue(HERE, NEVER)?.pem()).await? else { return Ok(()) };
    fs::create_dir_all(plant.trusted())?;
    root.admit(&plant.trusted())?;
    let error = plant.refusal(&server).await;
    assert!(error.contains("it is not trusted, nor is its authority, CN=Factory Line 1: "), "{error}");
    intermediate.admit(&plant.trusted())?;
    plant.serves(&server).await
}

async fn what_a_trusted_authority_issued_is_refused_when_it_is_out_of_date_or_another_host_s(make: Make) -> Outcome {
    let root = Authority::root()?;
    for (address, until, expected) in [
        (HERE, 2021, "was valid until 2021-01-01T00:00:00Z: the server needs a new one"),
        (Ipv4Addr::new(192, 0, 2, 7), NEVER, "is not for the host 127.0.0.1: write in `url` a name that is in it"),
    ] {
        let plant = Plant::new()?;
        fs::create_dir_all(plant.trusted())?;
        root.admit(&plant.trusted())?;
        let Some(server) = plant.server(make, &root.issue(address, until)?.pem()).await? else { return Ok(()) };
        let error = plant.refusal(&server).await;
        assert!(error.contains(expected), "{error}");
    }
    Ok(())
}

/// asyncua sends its own certificate alone.
#[tokio::test]
async fn a_chain_is_refused_with_what_to_do_instead() -> Outcome {
    let (root, plant) = (Authority::root()?, Plant::new()?);
    let intermediate = root.intermediate()?;
    let chain = [intermediate.issue(HERE, NEVER)?.pem(), intermediate.pem(), root.pem()].concat();
    let Some(server) = plant.server(Make::NodeOpcua, &chain).await? else { return Ok(()) };
    fs::create_dir_all(plant.trusted())?;
    root.admit(&plant.trusted())?;
    let error = plant.refusal(&server).await;
    assert!(
        error.contains("it sends a chain of 3 certificates, which the mapper's client library cannot read"),
        "{error}"
    );
    assert!(error.contains("put that of its authority, CN=Factory Line 1, into "), "{error}");
    Ok(())
}

/// The folders of a mapper and a server.
struct Plant {
    folder: TempDir,
    driver: OpcUa,
}

impl Plant {
    fn new() -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let driver = OpcUa::new(Settings { pki: folder.path().join("pki"), ..Settings::default() });
        Ok(Self { folder, driver })
    }

    fn trusted(&self) -> PathBuf {
        self.folder.path().join("pki/trusted")
    }

    /// Starts a server with this certificate.
    async fn server(&self, make: Make, certificate: &str) -> Outcome<Option<Server>> {
        let file = |name: &str| self.folder.path().join(name);
        let (certificates, key, own) = (file("server.pem"), file("key.pem"), file("server"));
        fs::write(&certificates, certificate)?;
        fs::write(&key, server_key()?)?;
        fs::create_dir_all(&own)?;
        let text = |path: &Path| path.to_str().map(str::to_owned).ok_or("it is text");
        let (certificates, key, own) = (text(&certificates)?, text(&key)?, text(&own)?);
        let arguments = ["--user", "mapper=hunter2", "--pki", &own, "--certificate", &certificates, "--key", &key];
        Ok(Server::start(make, &arguments).await?)
    }

    async fn serves(&self, server: &Server) -> Outcome {
        let mut session = connect(&self.driver, server, "Basic256Sha256", "SignAndEncrypt", "hunter2").await?;
        assert_eq!(session.read(&setpoint()).await?.into_value(), Value::Int(60));
        session.close().await;
        Ok(())
    }

    async fn refusal(&self, server: &Server) -> String {
        refused(connect(&self.driver, server, "Basic256Sha256", "SignAndEncrypt", "hunter2").await)
    }
}
