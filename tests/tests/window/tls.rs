//! TLS, and clients that are known by their certificates, by the TLS of another language.

use integration_tests::{Tool, python, servers::Certificate};
use mapper_framework::{config::ReadWithoutToken, testing::TestBed};

use super::{MANIFESTS, Rooms, run};

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_known_by_its_certificate_and_a_renewed_one_is_in_force_at_once() {
    let Tool::At(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let Certificate { cert_file, key_file } = Certificate::make(folder.path());
    let (cert, key) = (cert_file.display().to_string(), key_file.display().to_string());
    let builder = TestBed::builder(Rooms, "room").config(|config| {
        (config.common.http_port, config.http.enabled) = (0, true);
        config.http.read_without_token = ReadWithoutToken::Never;
        config.http.tls.cert_file = cert_file.clone();
        config.http.tls.key_file = key_file;
        config.http.tls.client_ca_file = cert_file;
    });
    let bed = builder.start().await;
    bed.edge().apply(MANIFESTS).await.unwrap();
    let id = mapper_framework::model::DeviceId::new("default", "room-1");
    bed.until("the room is read", |edge| edge.twin(&id, "temperature").is_some()).await;
    let url = format!("https://{}", bed.handle().http_address().unwrap());
    let client = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/python/tls.py");
    assert!(run(python.clone(), &[client, &url, &cert, &key]).await.contains("all steps done"));
    // Another certificate, and the same client with it.
    drop(Certificate::make(folder.path()));
    assert!(run(python, &[client, &url, &cert, &key]).await.contains("all steps done"));
    bed.stop().await.unwrap();
}
