//! Posts what the anomaly detection finds to the endpoints that manifests name: one `POST` each, once, with a deadline. It stands beside
//! the sinks, which deliver at least once; a finding that cannot be posted is counted and logged, and lost there.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
    time::{Duration, UNIX_EPOCH},
};

use futures_util::StreamExt;
use reqwest::{Client, Url, header::CONTENT_TYPE};
use serde::Serialize;
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;

use crate::{
    config::SinksConfig,
    hook::Finding,
    telemetry::{Occurrence, Telemetry, hooks::FindingFailed},
};

use super::{Access, SinkError, payload::JsonValue, web};

/// How long an endpoint may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// How many requests are under way at most, so that an endpoint that hangs does not hold up the others.
const UNDER_WAY: usize = 8;

/// Of how many endpoints it is remembered that they fail.
const REMEMBERED: usize = 256;

/// The version of the document.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    namespace: &'a str,
    device: &'a str,
    property: &'a str,
    value: JsonValue<'a>,
    quality: &'a str,
    timestamp: u64,
    rule: &'a str,
    detail: &'a str,
}

/// The kind of sink whose rules hold for the endpoints, too: both are addresses in manifests that something is posted to.
const KIND: &str = "http";

/// Posts findings until nobody finds any more.
pub(crate) fn post_findings(
    findings: mpsc::Receiver<Finding>,
    config: &SinksConfig,
    telemetry: Telemetry,
) -> impl Future<Output = ()> + Send + use<> {
    let access = Access::new(config);
    let post = Post { client: access.client(KIND, None), access, failing: Mutex::default(), telemetry };
    async move { ReceiverStream::new(findings).for_each_concurrent(UNDER_WAY, |finding| post.finding(finding)).await }
}

struct Post {
    client: Result<Client, SinkError>,
    access: Access,
    /// The endpoints that failed the last time. The lock is held for one look-up.
    failing: Mutex<HashSet<String>>,
    telemetry: Telemetry,
}

impl Post {
    async fn finding(&self, finding: Finding) {
        let sent = timeout(DEADLINE, self.send(&finding)).await;
        let sent = sent.unwrap_or_else(|_| Err(format!("no answer within {} s", DEADLINE.as_secs())));
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let Err(error) = sent else {
            failing.remove(&finding.endpoint);
            return;
        };
        if failing.len() >= REMEMBERED {
            failing.clear();
        }
        let occurrence = Occurrence::first_if(failing.insert(finding.endpoint.clone()));
        drop(failing);
        self.telemetry.emit(FindingFailed { endpoint: &finding.endpoint, error: &error, occurrence });
    }

    async fn send(&self, finding: &Finding) -> Result<(), String> {
        let client = self.client.as_ref().map_err(ToString::to_string)?;
        let url = Url::parse(&finding.endpoint).map_err(|error| error.to_string())?;
        if let Some(endpoint) = web::endpoint(&url, "pushMethod.anomalyDetection.endpoint") {
            self.access.admit(KIND, &endpoint).map_err(|error| error.to_string())?;
        }
        let request = client.post(url).header(CONTENT_TYPE, "application/json").body(document(finding));
        let response = request.send().await.map_err(|error| web::unanswered(error).to_string())?;
        let status = response.status();
        // To read the answer lets the connection serve the next request.
        drop(web::body(response).await);
        if status.is_success() { Ok(()) } else { Err(format!("the endpoint answered {status}")) }
    }
}

fn document(finding: &Finding) -> Vec<u8> {
    let since = finding.timestamp.duration_since(UNIX_EPOCH).unwrap_or_default();
    let document = Document {
        version: VERSION,
        namespace: finding.device.namespace(),
        device: finding.device.name(),
        property: &finding.property,
        value: JsonValue(&finding.value),
        quality: finding.quality.as_str(),
        timestamp: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
        rule: finding.rule.as_str(),
        detail: &finding.detail,
    };
    serde_json::to_vec(&document).expect("a document of strings and numbers has a form in JSON")
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::model::{AnomalyRule as Rule, DeviceId, Quality};

    fn finding(endpoint: &str) -> Finding {
        Finding {
            endpoint: endpoint.to_owned(),
            device: DeviceId::new("plant", "boiler"),
            property: "temperature".into(),
            value: 120.5.into(),
            timestamp: SystemTime::UNIX_EPOCH + Duration::from_millis(1_500),
            quality: Quality::Bad,
            rule: Rule::Range,
            detail: "120.5 is greater than max, 100".to_owned(),
        }
    }

    /// An endpoint at a port that the system picks, and its address.
    async fn endpoint() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/anomalies", listener.local_addr().unwrap());
        (listener, address)
    }

    #[test]
    fn the_document_has_everything_that_was_found() {
        let document: serde_json::Value = serde_json::from_slice(&document(&finding("http://c"))).unwrap();
        let expected = serde_json::json!({
            "version": 1, "namespace": "plant", "device": "boiler", "property": "temperature", "value": 120.5,
            "quality": "bad", "timestamp": 1500, "rule": "range", "detail": "120.5 is greater than max, 100",
        });
        assert_eq!(document, expected);
    }

    #[tokio::test]
    async fn an_endpoint_that_hangs_costs_its_own_findings_and_no_others() {
        let (hanging, hangs) = endpoint().await;
        let (good, takes) = endpoint().await;
        let telemetry = Telemetry::default();
        let (sender, findings) = mpsc::channel(64);
        let posting = tokio::spawn(post_findings(findings, &SinksConfig::default(), telemetry.clone()));
        for _ in 0..UNDER_WAY - 1 {
            sender.send(finding(&hangs)).await.unwrap();
        }
        sender.send(finding(&takes)).await.unwrap();
        let (mut connection, _) = good.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let length = connection.read(&mut request).await.unwrap();
        let request = String::from_utf8_lossy(&request[..length]).into_owned();
        connection.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        assert!(request.starts_with("POST /anomalies HTTP/1.1"), "{request}");
        // The hanging ones end at their deadline, which nobody has to wait for: all of them are dropped with the listener.
        drop(hanging);
        drop(sender);
        posting.await.unwrap();
        assert_eq!(telemetry.stats().hooks().findings_lost(), UNDER_WAY as u64 - 1);
    }

    #[tokio::test]
    async fn an_endpoint_that_is_not_allowed_hears_nothing() {
        let (forbidden, address) = endpoint().await;
        let mut config = SinksConfig::default();
        config.http.allowed = vec!["collector.example".to_owned()];
        let telemetry = Telemetry::default();
        let (sender, findings) = mpsc::channel(1);
        sender.send(finding(&address)).await.unwrap();
        drop(sender);
        post_findings(findings, &config, telemetry.clone()).await;
        assert_eq!(telemetry.stats().hooks().findings_lost(), 1);
        drop(forbidden.into_std().map(|listener| {
            let error = listener.accept().map(drop).unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "somebody has connected");
        }));
    }
}
