//! The API, by its document alone.

use integration_tests::{Tool, python};
use mapper_framework::{
    DeviceState,
    model::DeviceId,
    watch::{Filter, Kind, What},
};

use super::{LOCKED, TOKEN, bed, run};

/// No answer that the document does not know, and no 5xx, whatever is asked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_fuzzer_finds_no_answer_that_is_not_in_the_document() {
    let Tool::At(python) = python() else { return };
    let (bed, address, _folder) = bed().await;
    let url = format!("http://{address}/api/v2/openapi.json");
    let token = format!("Authorization: Bearer {TOKEN}");
    let checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";
    let arguments = [
        "-m",
        "schemathesis.cli",
        "run",
        &url,
        "--checks",
        checks,
        "--max-examples",
        "15",
        "--seed",
        "1",
        "--header",
        &token,
        // A stream has no end.
        "--exclude-path",
        "/api/v2/events",
        "--exclude-path",
        "/api/v2/devices/{namespace}/{name}/stream.mjpeg",
        "--no-color",
    ];
    run(python, &arguments).await;
    bed.stop().await.unwrap();
}

/// A client that knows nothing but the document does what the tutorial does.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_in_python_finds_its_way_by_the_document() {
    let Tool::At(python) = python() else { return };
    let (bed, address, _folder) = bed().await;
    bed.edge().apply(LOCKED).await.unwrap();
    let mut watch = bed.handle().watch(Filter::all().kinds([Kind::State])).await.unwrap();
    let attic = DeviceId::new("default", "attic");
    let is_out = |device: &DeviceId, state| *device == attic && state == DeviceState::Disconnected;
    if !watch.snapshot().devices().iter().any(|(id, it)| is_out(id, it.state)) {
        while !matches!(watch.next().await.unwrap().what(), What::State { device, state, .. } if is_out(device, *state))
        {
        }
    }
    let client = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/python/api.py");
    let output = run(python, &[client, &format!("http://{address}"), TOKEN]).await;
    assert!(output.contains("all steps done"), "{output}");
    bed.stop().await.unwrap();
}
