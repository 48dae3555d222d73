//! The routes of the Go framework: each answer as a golden file has it, but for times.

use integration_tests::servers::RedisServer;
use mapper_framework::{model::DeviceId, sink::HistoryRequest, testing::DEADLINE};
use serde_json::Value as Json;
use tokio::time::timeout;

use super::{bed, get};

/// The answer with each time replaced, and a list cut to its first item: how much a sink has kept by now is a matter of time.
fn without_times(answer: &str) -> Json {
    fn replace(value: &mut Json) {
        match value {
            Json::Object(fields) => {
                for (name, value) in fields {
                    if name.eq_ignore_ascii_case("timestamp") {
                        let is_time =
                            value.is_i64() || value.as_str().is_some_and(|it| it.ends_with('Z') && it.len() == 20);
                        assert!(is_time, "{name}: {value}");
                        *value = "a time".into();
                    }
                    replace(value);
                }
            }
            Json::Array(items) => items.iter_mut().for_each(replace),
            _ => {}
        }
    }
    let mut answer = serde_json::from_str(answer).unwrap();
    replace(&mut answer);
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn each_route_answers_as_its_golden_file_has_it() {
    let (bed, address, _folder) = bed().await;
    for (path, golden) in [
        ("/api/v1/ping", include_str!("go/ping.json")),
        ("/api/v1/device/default/room-1/temperature", include_str!("go/device.json")),
        ("/api/v1/device/default/room-1/temperature?fresh=true", include_str!("go/device.json")),
        ("/api/v1/devicemethod/default/room-1", include_str!("go/devicemethod.json")),
        ("/api/v1/meta/model/default/room-1", include_str!("go/model.json")),
    ] {
        let expected: Json = serde_json::from_str(golden).unwrap();
        assert_eq!(without_times(&get(address, path).await), expected, "{path}");
    }
    bed.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_of_a_device_is_what_its_sink_has_kept() {
    let Some(redis) = RedisServer::start().await else { return };
    let (bed, address, _folder) = bed().await;
    let push =
        format!("pushMethod: {{dbMethod: {{redis: {{redisClientConfig: {{addr: '127.0.0.1:{}'}}}}}}}}", redis.port());
    let device = format!(
        "apiVersion: devices.kubeedge.io/v1beta1\nkind: Device\nmetadata: {{name: cellar}}\nspec:\n  deviceModelRef: {{name: room}}\n  \
         protocol: {{protocolName: room}}\n  properties:\n    - {{name: temperature, collectCycle: 50, reportCycle: 50, {push}, visitors: \
         {{protocolName: room, configData: {{}}}}}}\n"
    );
    bed.edge().apply(&device).await.unwrap();
    let id = DeviceId::new("default", "cellar");
    let kept = async {
        bed.handle().wait_for_sinks(|sinks| sinks.iter().any(|sink| sink.ledger().delivered() > 0)).await;
        bed.handle().history(HistoryRequest::of(id)).await.unwrap()
    };
    let kept = timeout(DEADLINE, kept).await.expect("the sink keeps what it gets");
    assert!(!kept.is_empty());
    let mut answer = without_times(&get(address, "/api/v1/database/default/cellar").await);
    answer["Data"].as_array_mut().unwrap().truncate(1);
    assert_eq!(answer, serde_json::from_str::<Json>(include_str!("go/database.json")).unwrap());
    bed.stop().await.unwrap();
}
