//! The HTTP server, as browsers, programs and whoever means no good use it: over real sockets.

use std::{net::SocketAddr, os::unix::fs::PermissionsExt, time::Duration};

use mapper_framework::{
    DeviceState, Mapper, MapperError,
    config::{Config, HttpConfig, ReadWithoutToken},
    testing::{DEADLINE, TestBed},
};
use serde_json::{Value as Json, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
    time::timeout,
};

use crate::meter::{Meter, PROTOCOL, device, gauges, id, model, property};

const TOKEN: &str = "correct-horse-battery";

/// An answer: its status, its head in lower case, and its body.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The detail of a problem document.
    fn detail(&self) -> String {
        assert!(self.head.contains("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{problem}");
        problem["detail"].as_str().unwrap().to_owned()
    }
}

/// Sends bytes and reads all that comes until the server closes.
async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &[u8]) -> Option<Answer> {
    // A server that has seen enough closes before it has read everything.
    stream.write_all(request).await.ok();
    let mut bytes = Vec::new();
    timeout(DEADLINE, stream.read_to_end(&mut bytes)).await.expect("the server answers or closes").ok();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, head: head.to_lowercase(), body: body.to_owned() })
}

async fn send(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    );
    let stream = TcpStream::connect(address).await.unwrap();
    exchange(stream, request.as_bytes()).await.expect("there is an answer")
}

async fn get(address: SocketAddr, path: &str) -> Answer {
    send(address, "GET", path, "", "").await
}

fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}\r\n")
}

const JSON: &str = "content-type: application/json\r\n";

/// A mapper with a server on a free port.
async fn bed(change: impl FnOnce(&mut HttpConfig)) -> (TestBed, SocketAddr) {
    let builder = TestBed::builder(Meter::new(), PROTOCOL).config(|config| {
        config.common.http_port = 0;
        config.http.enabled = true;
        change(&mut config.http);
    });
    let bed = builder.start().await;
    let address = bed.handle().http_address().expect("it listens before it registers");
    (bed, address)
}

/// The same with a token and a device that counts, and has a level.
async fn with_token() -> (TestBed, SocketAddr, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, format!("alice {TOKEN}\n")).unwrap();
    let (bed, address) = bed(|http| http.token = file).await;
    bed.edge().apply(&gauges(["a".to_owned()], 10)).await.unwrap();
    bed.until("it is read", |edge| edge.twin(&id("a"), "count").is_some()).await;
    (bed, address, folder)
}

#[tokio::test]
async fn a_mapper_shows_what_it_knows() {
    let (bed, address, _folder) = with_token().await;
    let mapper = get(address, "/api/v2/mapper").await.json();
    assert_eq!((&mapper["devices"]["online"], &mapper["edgecore"]), (&json!(1), &json!("connected")), "{mapper}");
    let devices = get(address, "/api/v2/devices?state=online&search=A&limit=1").await.json();
    assert_eq!((&devices["total"], &devices["items"][0]["name"]), (&json!(1), &json!("a")), "{devices}");
    let count = get(address, "/api/v2/devices/default/a/properties/count").await.json();
    assert!(count["value"].as_str().unwrap().parse::<i64>().unwrap() > 0 && count["error"].is_null(), "{count}");
    assert!(count["twin"]["value"].is_string() && count["nextReadSeconds"].as_f64().unwrap() <= 0.01, "{count}");
    let fresh = get(address, "/api/v2/devices/default/a/properties/count?fresh=true").await.json();
    let number = |it: &Json| it["value"].as_str().unwrap().parse::<i64>().unwrap();
    assert!(number(&fresh) > number(&count), "{fresh}");
    assert_eq!(get(address, "/api/v2/problems").await.json(), json!({"items": []}));
    assert_eq!(get(address, "/api/v2/models").await.json()["items"][0]["devices"], 1);
    for (path, status) in [("/livez", 200), ("/readyz", 200), ("/readyz?verbose", 200), ("/", 200), ("/page.js", 200)] {
        assert_eq!(get(address, path).await.status, status, "{path}");
    }
    let page = get(address, "/").await;
    assert!(page.head.contains("content-security-policy: default-src 'none'") && !page.head.contains("unsafe-inline"));
    let missing = get(address, "/api/v2/devices/default/nobody").await;
    assert_eq!((missing.status, missing.detail().contains("there is no device default/nobody")), (404, true));
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn every_route_of_the_document_is_served_and_says_what_it_may_answer() {
    let (_bed, address, _folder) = with_token().await;
    let document = get(address, "/api/v2/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() >= 13, "{:?}", paths.keys());
    for (path, item) in paths {
        let is_of_others =
            ["/events", "/history", "/snapshot.jpg", "/stream.mjpeg", "/{file}"].iter().any(|end| path.ends_with(end));
        if is_of_others || item.get("get").is_none() {
            continue;
        }
        let path = path.replace("{namespace}/{name}", "default/a").replace("{property}", "count");
        let answer = get(address, &path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn the_routes_of_the_go_framework_answer_with_its_fields() {
    let (_bed, address, _folder) = with_token().await;
    let read = get(address, "/api/v1/device/default/a/level").await.json();
    let fields = |json: &Json| json.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(fields(&read), ["Data", "apiVersion", "statusCode", "timeStamp"], "{read}");
    assert_eq!(
        fields(&read["Data"]),
        ["DeviceName", "Namespace", "PropertyName", "TimeStamp", "Type", "Value"],
        "{read}"
    );
    assert_eq!(
        (&read["Data"]["Value"], &read["Data"]["Type"], &read["statusCode"]),
        (&json!("0"), &json!("int"), &json!(200))
    );
    let ping = get(address, "/api/v1/ping").await.json();
    assert_eq!(fields(&ping), ["Message", "apiVersion", "statusCode", "timeStamp"], "{ping}");
    assert_eq!(ping["Message"], "This is v1 API, the server is running normally.");
    let model = get(address, "/api/v1/meta/model/default/a").await.json();
    assert_eq!(
        fields(&model),
        ["apiVersion", "id", "name", "namespace", "properties", "statusCode", "timeStamp"],
        "{model}"
    );
    assert_eq!(model["properties"][0], json!({"name": "count", "dataType": "int", "accessMode": "ReadOnly"}));
    assert_eq!(get(address, "/api/v1/devicemethod/default/a").await.json()["Data"]["Methods"], json!([]));
    let write = get(address, "/api/v1/devicemethod/default/a/set/level/7").await;
    assert_eq!(write.status, 405);
    assert!(write.detail().contains("POST /api/v2/devices/default/a/methods/set"), "{write:?}");
    let database = get(address, "/api/v1/database/default/a").await;
    assert!(database.detail().contains("sink that keeps a history"), "{database:?}");
}

#[tokio::test]
async fn writes_need_a_token_and_answer_with_what_the_device_has_then() {
    let (bed, address, folder) = with_token().await;
    let path = "/api/v2/devices/default/a/properties/level";
    let write = |headers: String, body: &'static str| async move { send(address, "PUT", path, &headers, body).await };
    let refused = write(JSON.to_owned(), r#"{"value": "7"}"#).await;
    assert_eq!((refused.status, refused.head.contains("www-authenticate: bearer")), (401, true), "{refused:?}");
    let refused = write(format!("{JSON}{}", bearer("wrong-horse-battery")), r#"{"value": "7"}"#).await;
    assert!(refused.status == 401 && !refused.body.contains("horse"), "{refused:?}");
    let answer = write(format!("{JSON}{}", bearer(TOKEN)), r#"{"value": "7"}"#).await;
    assert_eq!((answer.status, &answer.json()["readBack"][0]["value"]), (200, &json!("7")), "{answer:?}");
    for (body, status) in [
        (r#"{"value": "x"}"#, 422),
        (r#"{"value": 7}"#, 422),
        (r#"{"value": "7", "expires": 1}"#, 422),
        (r#"{"value": "7", "expiresAfterSeconds": 0}"#, 422),
        (r#"{"value": "7", "expiresAfterSeconds": 1e300}"#, 422),
        ("{", 400),
    ] {
        let answer = write(format!("{JSON}{}", bearer(TOKEN)), body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.detail());
    }
    let plain = write(format!("content-type: text/plain\r\n{}", bearer(TOKEN)), r#"{"value": "8"}"#).await;
    assert_eq!(plain.status, 415, "a form of another site cannot write: {plain:?}");
    let fresh = format!("{path}?fresh=true");
    let by_a_page = send(address, "GET", &fresh, "sec-fetch-site: cross-site\r\n", "").await;
    assert_eq!(by_a_page.status, 403, "a page of another site does not have devices read: {by_a_page:?}");
    let elsewhere = format!("{JSON}{}origin: https://evil.example\r\n", bearer(TOKEN));
    assert_eq!(write(elsewhere, r#"{"value": "8"}"#).await.status, 403);
    // Another token is in force at once.
    std::fs::write(folder.path().join("token"), "bob another-horse-battery\n").unwrap();
    assert_eq!(write(format!("{JSON}{}", bearer(TOKEN)), r#"{"value": "8"}"#).await.status, 401);
    assert_eq!(write(format!("{JSON}{}", bearer("another-horse-battery")), r#"{"value": "8"}"#).await.status, 200);
    let count = send(
        address,
        "PUT",
        &path.replace("level", "count"),
        &format!("{JSON}{}", bearer("another-horse-battery")),
        r#"{"value": "8"}"#,
    )
    .await;
    assert_eq!(count.status, 422, "it is read-only: {}", count.detail());
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn a_token_that_may_only_read_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, format!("prometheus {TOKEN} read\n")).unwrap();
    let (bed, address) = bed(|http| {
        (http.token, http.go_writes, http.read_without_token) = (file, true, ReadWithoutToken::Never);
    })
    .await;
    bed.edge().apply(&gauges(["a".to_owned()], 10)).await.unwrap();
    bed.until("it is read", |edge| edge.twin(&id("a"), "count").is_some()).await;
    assert_eq!(get(address, "/metrics").await.status, 401);
    assert_eq!(send(address, "GET", "/metrics", &bearer(TOKEN), "").await.status, 200);
    let headers = format!("{JSON}{}", bearer(TOKEN));
    let body = r#"{"value": "7"}"#;
    let write = send(address, "PUT", "/api/v2/devices/default/a/properties/level", &headers, body).await;
    assert_eq!((write.status, write.detail().contains("may only read")), (403, true), "{write:?}");
    let call = send(address, "POST", "/api/v2/devices/default/a/methods/m", &headers, "{}").await;
    assert_eq!(call.status, 403, "{call:?}");
    let by_get = send(address, "GET", "/api/v1/devicemethod/default/a/m/level/7", &headers, "").await;
    assert_eq!(by_get.status, 403, "{by_get:?}");
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn without_a_token_nobody_writes_but_who_owns_the_socket() {
    let (bed, address) = bed(|_| {}).await;
    bed.edge().apply(&gauges(["a".to_owned()], 10)).await.unwrap();
    bed.until("it is read", |edge| edge.twin(&id("a"), "count").is_some()).await;
    let path = "/api/v2/devices/default/a/properties/level";
    let refused = send(address, "PUT", path, JSON, r#"{"value": "7"}"#).await;
    assert!(refused.status == 403 && refused.detail().contains("http.token"), "{refused:?}");
    let socket = bed.folder().join("mapper.api.sock");
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let request = format!(
        "PUT {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{JSON}content-length: 14\r\n\r\n{{\"value\": \"7\"}}"
    );
    let answer = exchange(UnixStream::connect(&socket).await.unwrap(), request.as_bytes()).await.unwrap();
    assert_eq!((answer.status, &answer.json()["readBack"][0]["value"]), (200, &json!("7")), "{answer:?}");
    bed.stop().await.unwrap();
    assert!(!socket.exists(), "the socket goes with the mapper");
}

#[tokio::test]
async fn on_another_address_nothing_is_open_but_the_probes() {
    let builder = TestBed::builder(Meter::new(), PROTOCOL).config(|config| {
        (config.common.http_port, config.common.address) = (0, "0.0.0.0".to_owned());
        config.http.enabled = true;
    });
    let bed = builder.start().await;
    let port = bed.handle().http_address().unwrap().port();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    for path in ["/", "/api/v2/devices", "/api/v2/openapi.json", "/api/v1/ping", "/metrics", "/nothing"] {
        assert_eq!(get(address, path).await.status, 401, "{path}");
    }
    assert_eq!((get(address, "/livez").await.status, get(address, "/readyz").await.status), (200, 200));
}

#[tokio::test]
async fn a_page_that_has_its_own_name_point_here_reads_nothing() {
    let (_bed, address) = bed(|http| http.hosts = vec!["mapper-7".to_owned()]).await;
    let ask = |host: &'static str| async move {
        let request = format!("GET /api/v2/devices HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        exchange(TcpStream::connect(address).await.unwrap(), request.as_bytes()).await.unwrap().status
    };
    for (host, status) in [
        ("evil.example", 421),
        ("evil.example:7777", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost:7777", 200),
        ("[::1]:7777", 200),
        ("10.0.0.7", 200),
        ("MAPPER-7:1", 200),
    ] {
        assert_eq!(ask(host).await, status, "{host}");
    }
}

#[tokio::test]
async fn a_config_that_cannot_be_safe_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    type Change<'a> = Box<dyn Fn(&mut Config) + 'a>;
    let cases: [(&str, Change<'_>); 8] = [
        ("http.go_writes", Box::new(|config| config.http.go_writes = true)),
        ("is no IP address", Box::new(|config| config.common.address = "mapper.example".to_owned())),
        ("cannot be read", Box::new(|config| config.http.token = "/nowhere/token".into())),
        ("holds no token", Box::new(|config| config.http.token = file("empty", " \n\n"))),
        ("less than 16 characters", Box::new(|config| config.http.token = file("short", "alice secret"))),
        ("more than a name, a token", Box::new(|config| config.http.token = file("long", "a b c d e f g h"))),
        ("belong together", Box::new(|config| config.http.tls.cert_file = "/etc/tls.crt".into())),
        ("needs http.tls.cert_file", Box::new(|config| config.http.tls.client_ca_file = "/etc/ca.crt".into())),
    ];
    for (expected, change) in cases {
        let mut config = Config::default();
        PROTOCOL.clone_into(&mut config.common.protocol);
        config.grpc_server.socket_path = folder.path().join("mapper.sock");
        config.common.edgecore_sock = folder.path().join("dmi.sock");
        config.spool.dir = folder.path().join("spool");
        (config.common.http_port, config.http.enabled) = (0, true);
        change(&mut config);
        let ended =
            timeout(DEADLINE, Mapper::builder(Meter::new()).config(config).build().run_until(std::future::pending()));
        let error = ended.await.expect("it does not start").unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("secret"), "{expected}: {error}");
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error_with_a_cure() {
    let (bed, address) = bed(|_| {}).await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    PROTOCOL.clone_into(&mut config.common.protocol);
    config.grpc_server.socket_path = folder.path().join("mapper.sock");
    config.spool.dir = folder.path().join("spool");
    (config.common.http_port, config.http.enabled) = (address.port(), true);
    let error =
        Mapper::builder(Meter::new()).config(config).build().run_until(std::future::pending()).await.unwrap_err();
    assert!(matches!(error, MapperError::Http(_)), "{error}");
    assert!(error.to_string().contains("set common.http_port to another port"), "{error}");
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn hostile_requests_get_an_answer_or_a_closed_connection_and_change_nothing() {
    let (bed, address, _folder) = with_token().await;
    let long = "x".repeat(10_000);
    let many = (0..100_000).fold(String::new(), |all, number| all + &format!("x-{number}: y\r\n"));
    let path = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").into_bytes();
    let requests: Vec<Vec<u8>> = vec![
        path("/api/v2/devices/default/.."),
        path("/api/v2/devices/../../etc/passwd"),
        path("/api/v2/devices/default/a%2f..%2fb"),
        path("/api/v2/devices/default/a%00b"),
        path("/api/v2/devices/default/%ff%fe"),
        path("/api/v2/devices//"),
        path(&format!("/api/v2/devices/default/{long}")),
        path(&format!("/api/v2/devices?search={long}")),
        path("/api/v2/devices?continue=%ff"),
        path("/api/v2/devices/default/a/history?from=yesterday"),
        path("/api/v2/events?kinds=everything"),
        path("/%"),
        b"\r\n\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\n\xff\xfe: \xff\r\n\r\n".to_vec(),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        format!("GET / HTTP/1.1\r\nhost: x\r\n{many}\r\n").into_bytes(),
        format!("PUT /api/v2/devices/default/a/properties/level HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{JSON}{}content-length: 200000\r\n\r\n{}", bearer(TOKEN), "[".repeat(200_000)).into_bytes(),
        format!("PUT /api/v2/devices/default/a/properties/level HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{JSON}{}content-length: 50000\r\n\r\n{}", bearer(TOKEN), "[".repeat(50_000)).into_bytes(),
        format!("GET / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nauthorization: Basic !!!\r\n\r\n").into_bytes(),
        format!("GET / HTTP/1.1\r\nhost: {address}\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\nconnection: close\r\n\r\nzz").into_bytes(),
    ];
    for request in &requests {
        let answer = exchange(TcpStream::connect(address).await.unwrap(), request).await;
        let begin = String::from_utf8_lossy(&request[..request.len().min(80)]).into_owned();
        if let Some(answer) = answer {
            assert!(answer.status < 500, "{begin}: {answer:?}");
            assert!(!answer.body.contains("panicked") && !answer.body.contains("root:"), "{begin}: {answer:?}");
        }
    }
    let device = bed.handle().device(&id("a")).await.unwrap();
    assert_eq!(device.state, DeviceState::Online);
    assert_eq!(get(address, "/livez").await.status, 200);
}

#[tokio::test]
async fn two_thousand_connections_that_say_nothing_cost_their_places_and_not_the_socket() {
    let (bed, address) = bed(|_| {}).await;
    let mut held = Vec::new();
    for _ in 0..2000 {
        // The backlog is bounded as well.
        if let Ok(Ok(stream)) = timeout(Duration::from_secs(1), TcpStream::connect(address)).await {
            held.push(stream);
        }
    }
    let request = b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let socket = UnixStream::connect(bed.folder().join("mapper.api.sock")).await.unwrap();
    assert_eq!(exchange(socket, request).await.unwrap().status, 200, "the command line has places of its own");
    drop(held);
    bed.edge().apply(&gauges(["a".to_owned()], 10)).await.unwrap();
    bed.until("devices are served all the same", |edge| edge.twin(&id("a"), "count").is_some()).await;
    // The places are free again as soon as the server has seen that nobody is there.
    let answered = async {
        loop {
            let stream = TcpStream::connect(address).await.unwrap();
            if exchange(
                stream,
                format!("GET /livez HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").as_bytes(),
            )
            .await
            .is_some()
            {
                break;
            }
        }
    };
    timeout(DEADLINE, answered).await.expect("it answers again");
}

#[tokio::test]
async fn a_get_that_writes_is_for_programs_and_not_for_what_a_browser_sends_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, TOKEN).unwrap();
    let (bed, address) = bed(|http| (http.token, http.go_writes) = (file, true)).await;
    bed.edge().apply(&gauges(["a".to_owned()], 10)).await.unwrap();
    bed.until("it is read", |edge| edge.twin(&id("a"), "count").is_some()).await;
    let path = "/api/v1/devicemethod/default/a/set/level/7";
    let basic = "authorization: Basic YW55Ym9keTpjb3JyZWN0LWhvcnNlLWJhdHRlcnk=\r\n";
    assert_eq!(get(address, path).await.status, 401);
    assert_eq!(send(address, "GET", path, basic, "").await.status, 403);
    assert_eq!(send(address, "HEAD", path, &bearer(TOKEN), "").await.status, 405);
    // The device has no such method, which is all that is wrong with it.
    let asked = send(address, "GET", path, &bearer(TOKEN), "").await;
    assert!(asked.status == 404 || asked.status == 409, "{asked:?}");
}

/// A request whose head never ends holds its place for a while, and no longer.
#[tokio::test]
async fn a_head_that_comes_byte_by_byte_is_not_waited_for() {
    let (_bed, address) = bed(|_| {}).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\nx-slow: ").await.unwrap();
    let mut answer = Vec::new();
    timeout(DEADLINE, stream.read_to_end(&mut answer)).await.expect("the server closes").ok();
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(get(address, "/livez").await.status, 200);
}

/// Reads server-sent events until `enough`, each as its id, its kind and its data.
async fn events(
    address: SocketAddr,
    path: &str,
    headers: &str,
    enough: impl Fn(&[(String, String, Json)]) -> bool,
) -> Vec<(String, String, Json)> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    let read = async {
        loop {
            let length = stream.read(&mut buffer).await.unwrap();
            assert!(length > 0, "the stream goes on: {text}");
            text.push_str(&String::from_utf8_lossy(&buffer[..length]));
            let field = |block: &str, name: &str| {
                block.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned()
            };
            let blocks = text.split("\n\n").filter(|block| block.contains("data:"));
            let whole = blocks.filter_map(|block| {
                let data = serde_json::from_str(&field(block, "data:")).ok()?;
                Some((field(block, "id:"), field(block, "event:"), data))
            });
            let whole: Vec<_> = whole.collect();
            if enough(&whole) {
                return whole;
            }
        }
    };
    timeout(DEADLINE, read).await.expect("the events come")
}

#[tokio::test]
async fn a_stream_goes_on_where_it_was_cut_off() {
    let (bed, address, _folder) = with_token().await;
    let first = events(address, "/api/v2/events?kinds=sample&property=count", "", |events| events.len() >= 4).await;
    assert_eq!((first[0].1.as_str(), &first[0].2["resumed"]), ("hello", &json!(false)));
    let value = |event: &(String, String, Json)| event.2["value"].as_str().unwrap().parse::<i64>().unwrap();
    let (last_id, last) = (first[3].0.clone(), value(&first[3]));
    bed.until("it is read on", |edge| {
        edge.twin(&id("a"), "count").is_some_and(|twin| twin.value().parse::<i64>().unwrap() > last + 3)
    })
    .await;
    let header = format!("last-event-id: {last_id}\r\n");
    let second =
        events(address, "/api/v2/events?kinds=sample&property=count", &header, |events| events.len() >= 4).await;
    assert_eq!(second[0].2["resumed"], true, "{second:?}");
    let values: Vec<_> = second[1..4].iter().map(value).collect();
    assert_eq!(values, [last + 1, last + 2, last + 3], "not one is missing");
    for replayed in ["00000000-5", "nonsense", &format!("{last_id}99999999")] {
        let header = format!("last-event-id: {replayed}\r\n");
        let gap = events(address, "/api/v2/events?kinds=state", &header, |events| events.len() >= 2).await;
        assert_eq!((gap[0].2["resumed"].clone(), gap[1].1.as_str()), (json!(false), "gap"), "{replayed}");
    }
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn the_way_of_a_value_ends_at_the_stage_that_holds_it_up() {
    let (bed, address) = bed(|_| {}).await;
    let explain = |path: String| async move { get(address, &format!("/api/v2/devices/default/{path}")).await.json() };
    // No device has come.
    let none = explain("nobody/explain".to_owned()).await;
    assert_eq!(none["heldUpBy"], "manifest", "{none}");
    assert!(none["stages"][0]["cure"].as_str().unwrap().contains("protocolName is \"meter\""), "{none}");
    // No model has come.
    let orphan = device("orphan", "missing", &[property("count", 10, "count")]);
    // A wrong visitor, a property without a twin, one that edgecore drops, one that never answers, and a good one.
    let silent =
        "{name: silent, collectCycle: 10, visitors: {protocolName: meter, configData: {shows: count}}}".to_owned();
    let manifests = model(
        "mixed",
        &["count, type: INT", "wrong, type: INT", "silent, type: INT", "degrees, type: STRING", "number, type: INT"],
    ) + &device(
        "mixed",
        "mixed",
        &[
            property("count", 10, "count"),
            property("wrong", 10, "nonsense"),
            silent,
            property("degrees", 10, "degrees"),
            property("number", 10, "degrees"),
        ],
    );
    bed.edge().apply(&manifests).await.ok();
    bed.edge().apply(&orphan).await.ok();
    bed.until("the good one is read", |edge| {
        edge.twin(&id("mixed"), "count").is_some_and(|twin| twin.times_stored() > 2)
    })
    .await;
    let orphan = explain("orphan/explain?property=count".to_owned()).await;
    let stages = orphan["stages"].as_array().unwrap();
    // The cluster takes a device whose model is not there; the edge in this process may not.
    assert!(["manifest", "model"].contains(&orphan["heldUpBy"].as_str().unwrap()), "{orphan}");
    assert!(
        stages.iter().all(|it| it["verdict"] != "ok" || it["name"] == "manifest" || it["name"] == "link"),
        "{orphan}"
    );
    for (property, stage, cure) in [
        ("wrong", "driver config", ""),
        ("silent", "strategy", "reportToCloud: true"),
        ("degrees", "legality", "reportIllegal"),
        ("number", "conversion", "type in the model"),
    ] {
        let explained = explain(format!("mixed/explain?property={property}")).await;
        assert_eq!(explained["heldUpBy"], stage, "{property}: {explained}");
        let stages = explained["stages"].as_array().unwrap();
        let blocked = stages.iter().find(|it| it["verdict"] == "blocked").unwrap();
        assert!(blocked["cure"].as_str().unwrap_or_default().contains(cure), "{property}: {blocked}");
    }
    let good = explain("mixed/explain?property=count".to_owned()).await;
    assert!(good["heldUpBy"].is_null(), "{good}");
    let names: Vec<_> =
        good["stages"].as_array().unwrap().iter().map(|stage| stage["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "manifest",
            "model",
            "driver config",
            "session",
            "read",
            "conversion",
            "strategy",
            "legality",
            "budget",
            "link",
            "edgecore"
        ]
    );
    // edgecore is away.
    bed.edge().stop().await;
    let mut watch = bed
        .handle()
        .watch(mapper_framework::watch::Filter::all().kinds([mapper_framework::watch::Kind::Edge]))
        .await
        .unwrap();
    if matches!(watch.snapshot().edge(), mapper_framework::watch::EdgeLink::Connected) {
        timeout(DEADLINE, watch.next()).await.unwrap().unwrap();
    }
    let away = explain("mixed/explain?property=count".to_owned()).await;
    assert_eq!(away["heldUpBy"], "link", "{away}");
    let problems = get(address, "/api/v2/problems").await.json();
    let problems = problems["items"].as_array().unwrap();
    assert_eq!(problems[0]["subject"]["kind"], "edgecore", "what concerns all comes first: {problems:?}");
    assert!(problems.iter().any(|it| it["subject"]["property"] == "wrong"), "{problems:?}");
    assert_eq!(get(address, "/readyz").await.status, 503);
}

#[tokio::test]
async fn cycles_that_need_more_than_edgecore_takes_are_explained_with_what_would_fit() {
    let builder = TestBed::builder(Meter::new(), PROTOCOL).config(|config| {
        (config.common.http_port, config.http.enabled) = (0, true);
        config.report.calls_per_second = 0.01;
    });
    let bed = builder.start().await;
    let address = bed.handle().http_address().unwrap();
    bed.edge().apply(&gauges(["a".to_owned()], 10)).await.unwrap();
    bed.until("it is read", |edge| edge.twin(&id("a"), "count").is_some()).await;
    let explained = get(address, "/api/v2/devices/default/a/explain?property=count").await.json();
    assert!(explained["heldUpBy"].is_null(), "{explained}");
    let stages = explained["stages"].as_array().unwrap();
    let budget = stages.iter().find(|stage| stage["name"] == "budget").unwrap();
    assert_eq!(budget["verdict"], "warning", "{budget}");
    assert!(budget["cure"].is_string(), "{budget}");
    let edgecore = get(address, "/api/v2/edgecore").await.json();
    assert!(edgecore["exceeded"]["neededPerSecond"].as_f64().unwrap() > 0.01, "{edgecore}");
}

/// Nobody listens at the address of the broker.
#[cfg(feature = "eventbus")]
#[tokio::test]
async fn an_event_bus_that_takes_nothing_is_named() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let builder = TestBed::builder(Meter::new(), PROTOCOL).config(|config| {
        (config.common.http_port, config.http.enabled) = (0, true);
        config.report.via = mapper_framework::config::ReportVia::Eventbus;
        config.report.eventbus.address = format!("mqtt://{nobody}");
    });
    let bed = builder.start().await;
    let address = bed.handle().http_address().unwrap();
    bed.edge().apply(&gauges(["a".to_owned()], 10)).await.unwrap();
    let named = async {
        loop {
            let explained = get(address, "/api/v2/devices/default/a/explain?property=count").await.json();
            if explained["heldUpBy"] == "link" {
                break explained;
            }
        }
    };
    let explained = timeout(DEADLINE, named).await.expect("it is named");
    let stages = explained["stages"].as_array().unwrap();
    let link = stages.iter().find(|stage| stage["name"] == "link").unwrap();
    assert!(link["cure"].as_str().unwrap().contains("report.eventbus.address"), "{link}");
}

#[tokio::test]
async fn reads_without_a_token_may_be_closed_and_opened() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, TOKEN).unwrap();
    let (_bed, address) = bed(|http| {
        http.token = file;
        http.read_without_token = ReadWithoutToken::Never;
    })
    .await;
    assert_eq!(get(address, "/api/v2/devices").await.status, 401);
    assert_eq!(send(address, "GET", "/api/v2/devices", &bearer(TOKEN), "").await.status, 200);
    let basic = "authorization: Basic YW55Ym9keTpjb3JyZWN0LWhvcnNlLWJhdHRlcnk=\r\n";
    assert_eq!(send(address, "GET", "/", basic, "").await.status, 200, "as a browser asks");
}
