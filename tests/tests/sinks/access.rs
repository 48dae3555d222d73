//! Which hosts credentials go to: a plain TCP listener hears everything that a sink sends, and a real server takes what it should.

use std::{
    fs,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use integration_tests::{
    DEADLINE,
    flood::{Flood, PROTOCOL},
    servers::{
        Answer, Mosquitto, MosquittoOptions, Nginx, NginxDoor, NginxOptions, Receiver, RedisOptions, RedisServer,
    },
};
use mapper_framework::{
    config::{SinkTargetConfig, SinksConfig},
    model::DeviceId,
    sink::{SinkState, SinkStatus},
    testing::{TestBed, TestBedBuilder},
    watch::Filter,
};
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};

/// An address of this machine that nobody takes for it: what stands for another machine here.
const ELSEWHERE: &str = "0.0.0.0";

const KINDS: [&str; 7] = ["http", "influxdb2", "mqtt", "mysql", "otel", "redis", "tdengine"];

/// Counts who connects, and says nothing.
struct Listener {
    port: u16,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Listener {
    async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await.expect("the system has a free port");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                counter.fetch_add(1, Relaxed);
            }
        });
        Self { port, connections, task }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// All kinds at once, at one host and port.
fn push_methods(host: &str, port: u16) -> String {
    let at = format!("{host}:{port}");
    format!(
        "{{mqtt: {{address: 'mqtt://{at}'}}, http: {{hostName: '{host}', port: {port}}}, otel: {{endpointURL: 'http://{at}/v1/metrics'}}, \
         dbMethod: {{redis: {{redisClientConfig: {{addr: '{at}'}}}}, \
         mysql: {{mysqlClientConfig: {{addr: '{at}', database: plant, userName: mapper}}}}, \
         TDEngine: {{TDEngineClientConfig: {{addr: '{at}', dbName: plant}}}}, \
         influxdb2: {{influxdb2ClientConfig: {{url: 'http://{at}', org: plant, bucket: samples}}}}}}}}"
    )
}

fn bed(change: impl FnOnce(&mut SinksConfig)) -> TestBedBuilder<Flood> {
    let flood = Flood { first: 0, rate: 100, total: 10 };
    TestBed::builder(flood, PROTOCOL).config(|config| change(&mut config.sinks))
}

/// The same with a password and a token for each kind.
fn bed_with_credentials(change: impl FnOnce(&mut SinksConfig)) -> TestBedBuilder<Flood> {
    KINDS
        .iter()
        .flat_map(|kind| ["USERNAME", "PASSWORD", "TOKEN"].map(|name| (kind, name)))
        .fold(bed(change), |bed, (kind, name)| bed.environment(&format!("{}_{name}", kind.to_uppercase()), "hunter2"))
}

#[tokio::test]
async fn a_host_that_the_config_does_not_name_is_not_even_connected_to_where_there_are_credentials() {
    let listener = Listener::start().await;
    let bed = bed_with_credentials(|_| {}).start().await;
    bed.edge().apply(&Flood::manifests(&push_methods(ELSEWHERE, listener.port))).await.expect("applied");
    bed.until_sinks("all seven wait with their records", |sinks| {
        let waits = |sink: &&SinkStatus| sink.state() == SinkState::Down && sink.ledger().in_flight() == 10;
        sinks.iter().filter(waits).count() == KINDS.len()
    })
    .await;
    for sink in bed.handle().sinks() {
        let (kind, reason) = (sink.target().kind(), sink.reason().expect("it is down"));
        assert!(reason.contains(&format!("sinks.{kind}.allowed")), "{reason}");
        assert!(reason.contains(&format!("sinks.{kind}.plaintext")), "{reason}");
        assert!(!reason.contains("hunter2"), "{reason}");
        assert_eq!((sink.ledger().rejected(), sink.ledger().dropped()), (0, 0), "{sink}");
    }
    assert_eq!(listener.connections.load(Relaxed), 0, "somebody has connected");
}

#[tokio::test]
async fn a_host_that_is_not_among_the_allowed_ones_is_refused_for_the_property_and_not_connected_to() {
    let listener = Listener::start().await;
    let bed = bed_with_credentials(|config| {
        let allowed = vec!["plant.example".to_owned()];
        allowed.clone_into(&mut config.http.allowed);
        allowed.clone_into(&mut config.influxdb2.allowed);
        allowed.clone_into(&mut config.mqtt.allowed);
        allowed.clone_into(&mut config.mysql.allowed);
        allowed.clone_into(&mut config.otel.allowed);
        allowed.clone_into(&mut config.redis.allowed);
        config.tdengine.allowed = allowed;
    });
    let bed = bed.start().await;
    bed.edge().apply(&Flood::manifests(&push_methods("127.0.0.1", listener.port))).await.expect("applied");
    let id = DeviceId::new("default", "flood");
    let mut changes = bed.handle().watch(Filter::all()).await.expect("the mapper runs");
    let device = loop {
        match bed.handle().device(&id).await {
            Some(device) if device.reason.is_some() && device.samples.iter().any(|sample| sample.value == 9.into()) => {
                break device;
            }
            _ => drop(timeout(DEADLINE, changes.next()).await.expect("something happens before the deadline")),
        }
    };
    let reason = device.reason.expect("a part of it is left out");
    assert!(reason.contains("hostName") && reason.contains("sinks.http.allowed"), "{reason}");
    assert!(bed.handle().sinks().is_empty(), "{:?}", bed.handle().sinks());
    assert_eq!(listener.connections.load(Relaxed), 0, "somebody has connected");
}

#[tokio::test]
async fn a_host_that_is_named_gets_the_credentials_of_its_kind_once_plaintext_is_allowed() {
    let receiver = Receiver::start(|_| Answer::status(200)).await;
    let bed = bed_with_credentials(|config| {
        config.http.allowed = vec![ELSEWHERE.to_owned()];
        config.http.plaintext = true;
    });
    let bed = bed.start().await;
    let push = format!("{{http: {{hostName: '{ELSEWHERE}', port: {}}}}}", receiver.port());
    bed.edge().apply(&Flood::manifests(&push)).await.expect("applied");
    let received = receiver.wait_for(1).await;
    assert_eq!(received[0].header("authorization"), Some("Bearer hunter2"));
}

#[tokio::test]
async fn the_names_of_the_go_framework_count_only_where_that_is_asked_for() {
    for (go_credentials, expected) in [(false, None), (true, Some("Bearer hunter2"))] {
        let receiver = Receiver::start(|_| Answer::status(200)).await;
        let bed = bed(|config| config.go_credentials = go_credentials).environment("TOKEN", "hunter2").start().await;
        let push = format!("{{http: {{hostName: 127.0.0.1, port: {}}}}}", receiver.port());
        bed.edge().apply(&Flood::manifests(&push)).await.expect("applied");
        assert_eq!(receiver.wait_for(1).await[0].header("authorization"), expected);
        assert_eq!(bed.handle().stats().sinks().credentials_ignored(), u64::from(!go_credentials));
    }
}

#[tokio::test]
async fn two_servers_of_one_kind_each_get_their_own_password() {
    let start =
        |password| RedisServer::start_with(RedisOptions { password: Some(password), ..RedisOptions::default() });
    let (Some(one), Some(other)) = (start("first").await, start("second").await) else { return };
    let secrets = tempfile::tempdir().expect("a folder");
    let target = |port: u16, password: &str| {
        let mut target = SinkTargetConfig::default();
        target.host = format!("127.0.0.1:{port}");
        target.credentials = secrets.path().join(password);
        fs::create_dir(&target.credentials).expect("a folder");
        fs::write(target.credentials.join("password"), password).expect("written");
        target
    };
    let targets = vec![target(one.port(), "first"), target(other.port(), "second")];
    let bed = bed(|config| config.targets = targets).environment("REDIS_PASSWORD", "of nobody").start().await;
    for (server, name) in [(&one, "flood"), (&other, "other")] {
        let push = format!("{{dbMethod: {{redis: {{redisClientConfig: {{addr: '127.0.0.1:{}'}}}}}}}}", server.port());
        let manifests = Flood::manifests(&push)
            .replace("kind: Device\nmetadata: {name: flood}", &format!("kind: Device\nmetadata: {{name: {name}}}"));
        bed.edge().apply(&manifests).await.expect("applied");
    }
    bed.until_sinks("both have taken all", |sinks| {
        sinks.len() == 2 && sinks.iter().all(|sink| sink.ledger().delivered() == 10)
    })
    .await;
    for (server, name) in [(&one, "flood"), (&other, "other")] {
        assert_eq!(server.command(&["ZCARD", name]).text(), "10");
    }
}

#[tokio::test]
async fn two_brokers_each_get_their_own_password() {
    let start = |other_password| {
        Mosquitto::start_with(MosquittoOptions { password: true, other_password, ..MosquittoOptions::default() })
    };
    let (Some(one), Some(other)) = (start(false).await, start(true).await) else { return };
    let subscribers = [one.subscribe(1).await, other.subscribe(1).await];
    let secrets = tempfile::tempdir().expect("a folder");
    let target = |broker: &Mosquitto| {
        let (user, password) = broker.login().expect("it asks for a password");
        let mut target = SinkTargetConfig::default();
        target.host = format!("127.0.0.1:{}", broker.port());
        target.kind = "mqtt".to_owned();
        target.credentials = secrets.path().join(password);
        fs::create_dir(&target.credentials).expect("a folder");
        fs::write(target.credentials.join("username"), user).expect("written");
        fs::write(target.credentials.join("password"), password).expect("written");
        target
    };
    let targets = vec![target(&one), target(&other)];
    let bed = bed(|config| config.targets = targets).environment("MQTT_PASSWORD", "of nobody").start().await;
    for (broker, name) in [(&one, "flood"), (&other, "other")] {
        let push = format!("{{mqtt: {{address: 'mqtt://127.0.0.1:{}', topic: '{name}', qos: 1}}}}", broker.port());
        bed.edge().apply(&Flood::manifests_of(&[name], &push)).await.expect("applied");
    }
    bed.until_sinks("both have taken all", |sinks| {
        sinks.len() == 2 && sinks.iter().all(|sink| sink.ledger().delivered() == 10)
    })
    .await;
    for (subscriber, name) in subscribers.iter().zip(["flood", "other"]) {
        let messages = subscriber.wait_for(10, |_| true).await;
        assert!(messages.iter().all(|message| message.topic == name), "{messages:?}");
    }
}

#[tokio::test]
async fn a_host_with_certificates_of_its_own_is_put_right_by_its_own_keys() {
    let collector = Receiver::start(|_| Answer::status(204)).await;
    let door = NginxOptions { door: NginxDoor::ClientCertificate, path: "/samples" };
    let Some(nginx) = Nginx::start(collector.port(), door).await else { return };
    let mut target = SinkTargetConfig::default();
    target.host = format!("localhost:{}", nginx.port());
    nginx.certificate().cert_file.clone_into(&mut target.tls.ca_file);
    let bed = bed(|config| config.targets = vec![target]).start().await;
    let push = format!("{{http: {{hostName: 'https://localhost', port: {}, requestPath: /samples}}}}", nginx.port());
    bed.edge().apply(&Flood::manifests(&push)).await.expect("applied");
    bed.until_sinks("the log names the key", |sinks| {
        let reason = sinks.first().and_then(SinkStatus::reason).unwrap_or_default();
        reason.contains("sinks.targets[0].tls.cert_file") && !reason.contains("sinks.tls.")
    })
    .await;
}
