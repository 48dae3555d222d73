//! The edge as a mapper meets it: over real sockets, with a mapper written by hand.

pub(super) mod mapper;

use std::path::Path;

use tempfile::TempDir;
use tokio::{io::AsyncReadExt, net::UnixListener};
use tonic::Code;

use self::mapper::{Called, FakeMapper, connect, report};
use super::*;
use crate::dmi::generated::{Device, MapperRegisterRequest, ReportDeviceStatesRequest, ReportDeviceStatusRequest};

const MODEL: &str = include_str!("../../../examples/virtual-thermometer/devices/model.yaml");
const INSTANCE: &str = include_str!("../../../examples/virtual-thermometer/devices/instance.yaml");
const PROTOCOL: &str = "virtual-thermometer";

fn instance(name: &str) -> String {
    INSTANCE.replace("thermometer-1", name)
}

fn thermometer() -> DeviceId {
    DeviceId::new("default", "thermometer-1")
}

fn desired(device: &Device) -> &str {
    &device.spec.as_ref().unwrap().properties[1].desired.as_ref().unwrap().value
}

/// An edge with the example's device, and a mapper that has registered.
async fn scene(builder: LocalEdgeBuilder) -> (TempDir, LocalEdge, FakeMapper) {
    let folder = tempfile::tempdir().unwrap();
    let edge = builder.start(folder.path()).await.unwrap();
    edge.apply(&format!("{MODEL}---\n{INSTANCE}")).await.unwrap();
    let mapper = FakeMapper::listen(folder.path());
    let request = mapper.request(PROTOCOL, true);
    connect(edge.socket()).await.mapper_register(request).await.unwrap();
    (folder, edge, mapper)
}

#[tokio::test]
async fn a_mapper_that_registers_gets_the_model_once_for_each_of_its_devices() {
    let folder = tempfile::tempdir().unwrap();
    let edge = LocalEdge::builder().start(folder.path()).await.unwrap();
    let other = instance("other").replace("protocolName: virtual-thermometer", "protocolName: modbus");
    let documents = [instance("a"), instance("b"), other, MODEL.to_owned()];
    edge.apply(&documents.join("---\n")).await.unwrap();
    let mapper = FakeMapper::listen(folder.path());
    let mut client = connect(edge.socket()).await;

    let without = client.mapper_register(mapper.request(PROTOCOL, false)).await.unwrap().into_inner();
    assert!(without.device_list.is_empty() && without.model_list.is_empty());
    assert!(!edge.mappers()[0].is_called());

    let with = client.mapper_register(mapper.request(PROTOCOL, true)).await.unwrap().into_inner();
    let names: Vec<&str> = with.device_list.iter().map(|device| device.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(with.model_list.len(), 2);
    assert_eq!(with.model_list[0], with.model_list[1]);
    assert_eq!((edge.mappers()[0].is_called(), edge.mappers()[0].protocol()), (true, PROTOCOL));

    client.mapper_register(mapper.request(PROTOCOL, false)).await.unwrap();
    assert!(edge.mappers()[0].is_called(), "the client that the second registration made stays");
}

#[tokio::test]
async fn the_mapper_is_told_of_what_comes_changes_and_goes() {
    let (_folder, edge, mut mapper) = scene(LocalEdge::builder()).await;
    edge.apply(&instance("second")).await.unwrap();
    assert!(matches!(mapper.called().await, Called::Register(device) if device.name == "second"));
    edge.apply(&format!("{MODEL}---\n{}", instance("second"))).await.unwrap();
    assert_eq!(mapper.rest(), [], "nothing has changed");

    edge.set_desired(&thermometer(), "heater", "false").await.unwrap();
    assert!(matches!(mapper.called().await, Called::Update(device) if desired(&device) == "false"));
    edge.apply(&MODEL.replace("\"125\"", "\"99\"")).await.unwrap();
    assert!(matches!(mapper.called().await, Called::UpdateModel(model) if model.name == PROTOCOL));

    edge.delete_device(&thermometer()).await.unwrap();
    assert_eq!(mapper.called().await, Called::Remove("default".to_owned(), "thermometer-1".to_owned()));
    edge.delete_model(&ModelId::new("default", PROTOCOL)).await.unwrap();
    assert_eq!(mapper.called().await, Called::RemoveModel("default".to_owned(), PROTOCOL.to_owned()));
    assert_eq!(mapper.rest(), []);
}

#[tokio::test]
async fn a_device_without_its_model_is_sent_when_it_is_applied_again() {
    let (_folder, edge, mut mapper) = scene(LocalEdge::builder()).await;
    let mut events = edge.events();
    let orphan = instance("orphan").replace("    name: virtual-thermometer\n", "    name: missing\n");
    edge.apply(&orphan).await.unwrap();
    let warning = events.next().await.unwrap();
    assert!(matches!(warning, EdgeEvent::Warning { message } if message.contains("default/missing")));
    edge.apply(&MODEL.replace("name: virtual-thermometer", "name: missing")).await.unwrap();
    assert!(matches!(mapper.called().await, Called::CreateModel(model) if model.name == "missing"));
    edge.apply(&orphan).await.unwrap();
    assert!(matches!(mapper.called().await, Called::Register(device) if device.name == "orphan"));
}

#[tokio::test]
async fn a_call_that_the_mapper_fails_is_told_and_not_repeated() {
    let (_folder, edge, mut mapper) = scene(LocalEdge::builder()).await;
    let mut events = edge.events();
    edge.apply(&instance("bad")).await.unwrap();
    let Some(EdgeEvent::DeviceSent { device, result: Err(failure), .. }) = events.next().await else {
        panic!("the failure is reported")
    };
    assert_eq!(device.as_str(), "default/bad");
    assert_eq!(failure.to_string(), "the mapper answered InvalidArgument: no such register");
    edge.apply(&instance("bad")).await.unwrap();
    edge.apply(&instance("good")).await.unwrap();
    assert!(matches!(mapper.called().await, Called::Register(device) if device.name == "good"));
}

#[tokio::test]
async fn a_mapper_that_is_gone_cannot_be_reached() {
    let (_folder, edge, mapper) = scene(LocalEdge::builder()).await;
    std::fs::remove_file(&mapper.socket).unwrap();
    let mut events = edge.events();
    edge.apply(&instance("late")).await.unwrap();
    let Some(EdgeEvent::DeviceSent { result: Err(failure), .. }) = events.next().await else { panic!("it fails") };
    assert_eq!(failure.to_string(), "the mapper cannot be reached: No such file or directory (os error 2)");
}

#[tokio::test]
async fn a_mapper_that_does_not_answer_is_given_up_after_10_seconds() {
    let (_folder, edge, mapper) = scene(LocalEdge::builder()).await;
    std::fs::remove_file(&mapper.socket).unwrap();
    let _silent = UnixListener::bind(&mapper.socket).unwrap();
    let mut events = edge.events();
    tokio::time::pause();
    let before = tokio::time::Instant::now();
    edge.apply(&instance("late")).await.unwrap();
    assert_eq!(before.elapsed().as_secs(), 10);
    assert!(matches!(events.next().await, Some(EdgeEvent::DeviceSent { result: Err(SendFailure::Timeout), .. })));
}

#[tokio::test]
async fn a_device_deleted_behind_the_mappers_back_comes_back_until_the_restart() {
    let (_folder, edge, mapper) = scene(LocalEdge::builder()).await;
    std::fs::remove_file(&mapper.socket).unwrap();
    edge.delete_device(&thermometer()).await.unwrap();
    let mut client = connect(edge.socket()).await;
    let again = client.mapper_register(mapper.request(PROTOCOL, true)).await.unwrap().into_inner();
    assert_eq!(again.device_list.len(), 1);
    edge.restart().await.unwrap();
    let mut client = connect(edge.socket()).await;
    let again = client.mapper_register(mapper.request(PROTOCOL, true)).await.unwrap().into_inner();
    assert_eq!(again.device_list.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_hundred_and_first_call_is_too_many_whatever_it_is() {
    // The scene's registration is the first.
    let (_folder, edge, mapper) = scene(LocalEdge::builder()).await;
    let mut client = connect(edge.socket()).await;
    for _ in 1..100 {
        client.report_device_status(report("thermometer-1", "temperature", "21")).await.unwrap();
    }
    let status = client.report_device_status(report("thermometer-1", "temperature", "22")).await.unwrap_err();
    assert_eq!((status.code(), status.message().contains("too many request")), (Code::Unknown, true));
    let status = client.mapper_register(mapper.request(PROTOCOL, true)).await.unwrap_err();
    assert!(status.message().contains("too many request"));
    assert_eq!((edge.counts().accepted(), edge.counts().limited()), (100, 2));
    assert_eq!(edge.twin(&thermometer(), "temperature").unwrap().value(), "21");
}

#[tokio::test]
async fn what_lies_outside_the_alphabet_is_dropped_while_the_call_succeeds() {
    let (_folder, edge, _mapper) = scene(LocalEdge::builder()).await;
    let mut client = connect(edge.socket()).await;
    let mut events = edge.events();
    client.report_device_status(report("thermometer-1", "temperature", "21 °C")).await.unwrap();
    let event = events.next().await.unwrap();
    assert!(matches!(event, EdgeEvent::TwinDropped { reason: DropReason::IllegalValue, .. }), "{event:?}");
    client.report_device_status(report("stranger", "temperature", "21")).await.unwrap();
    let event = events.next().await.unwrap();
    assert!(matches!(event, EdgeEvent::TwinDropped { reason: DropReason::UnknownDevice, .. }), "{event:?}");
    let nowhere = ReportDeviceStatusRequest { device_namespace: String::new(), ..report("thermometer-1", "a", "1") };
    client.report_device_status(nowhere).await.unwrap();
    client.report_device_status(report("thermometer-1", "temperature", "")).await.unwrap();
    assert_eq!((edge.counts().dropped_twins(), edge.counts().stored_twins()), (3, 1));
    assert_eq!(edge.twins().len(), 1);
}

/// As at a real edgecore, where the same device is stored in `default` and never in `dev`.
#[tokio::test]
async fn what_is_reported_from_a_namespace_that_edgecore_loses_is_dropped_while_the_call_succeeds() {
    let (_folder, edge, _mapper) = scene(LocalEdge::builder()).await;
    let mut client = connect(edge.socket()).await;
    for (namespace, is_lost) in [("dev", true), ("device", true), ("e", true), ("devices", false), ("prod", false)] {
        let put = |text: &str| text.replace("namespace: default", &format!("namespace: {namespace}"));
        edge.apply(&format!("{}---\n{}", put(MODEL), put(INSTANCE))).await.unwrap();
        let twins = report("thermometer-1", "temperature", "21");
        let twins = ReportDeviceStatusRequest { device_namespace: namespace.to_owned(), ..twins };
        let state = ReportDeviceStatesRequest {
            device_name: "thermometer-1".to_owned(),
            device_namespace: namespace.to_owned(),
            state: "online".to_owned(),
        };
        let before = edge.counts();
        client.report_device_status(twins).await.unwrap();
        client.report_device_states(state).await.unwrap();
        let device = DeviceId::new(namespace, "thermometer-1");
        let stored = (edge.twin(&device, "temperature").is_some(), edge.state(&device).is_some());
        assert_eq!(stored, (!is_lost, !is_lost), "{namespace}");
        let dropped = (
            edge.counts().dropped_twins() - before.dropped_twins(),
            edge.counts().dropped_states() - before.dropped_states(),
        );
        assert_eq!(dropped, (is_lost.into(), is_lost.into()), "{namespace}");
    }
}

#[tokio::test]
async fn a_report_without_twins_is_an_error() {
    let (_folder, edge, _mapper) = scene(LocalEdge::builder()).await;
    let mut empty = report("thermometer-1", "temperature", "21");
    empty.reported_device.as_mut().unwrap().twins.clear();
    let status = connect(edge.socket()).await.report_device_status(empty).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unknown, "ReportDeviceStatusRequest does not have twin data"));
    assert_eq!((edge.counts().failed(), edge.crashed()), (1, None));
}

#[tokio::test]
async fn a_twin_that_lacks_a_side_crashes_the_edge_and_a_restart_revives_it() {
    let (folder, edge, _mapper) = scene(LocalEdge::builder()).await;
    let mut client = connect(edge.socket()).await;
    let mut bystander = connect(edge.socket()).await;
    let mut lacking = report("thermometer-1", "temperature", "21");
    lacking.reported_device.as_mut().unwrap().twins[0].observed_desired = None;
    client.report_device_status(lacking).await.unwrap_err();

    let reason = edge.crashed().unwrap();
    assert!(reason.contains("\"temperature\" lacks `observedDesired`"), "{reason}");
    bystander.report_device_status(report("thermometer-1", "temperature", "21")).await.unwrap_err();
    assert!(folder.path().join("dmi.sock").exists(), "a process that dies leaves its socket");
    assert_eq!(edge.twins(), []);

    edge.restart().await.unwrap();
    assert_eq!(edge.crashed(), None);
    let mut client = connect(edge.socket()).await;
    client.report_device_status(report("thermometer-1", "temperature", "21")).await.unwrap();
}

#[tokio::test]
async fn a_registration_without_mapper_crashes_the_edge_and_one_without_protocol_does_not() {
    let (_folder, edge, mapper) = scene(LocalEdge::builder()).await;
    let mut client = connect(edge.socket()).await;
    let status = client.mapper_register(mapper.request("", true)).await.unwrap_err();
    assert!(status.message().contains("the protocol is nil"));
    client.mapper_register(MapperRegisterRequest { with_data: true, mapper: None }).await.unwrap_err();
    assert_eq!(edge.crashed().as_deref(), Some("MapperRegister without `mapper`"));
}

#[tokio::test]
async fn states_are_stored_if_edgecore_has_a_word_for_them() {
    let (_folder, edge, _mapper) = scene(LocalEdge::builder()).await;
    let mut client = connect(edge.socket()).await;
    let report = |state: &str| ReportDeviceStatesRequest {
        device_name: "thermometer-1".to_owned(),
        device_namespace: "default".to_owned(),
        state: state.to_owned(),
    };
    client.report_device_states(report("Online")).await.unwrap();
    client.report_device_states(report("splendid")).await.unwrap();
    client.report_device_states(report("disconnected")).await.unwrap();
    assert_eq!(edge.state(&thermometer()).as_deref(), Some("online"));
    assert_eq!((edge.counts().stored_states(), edge.counts().dropped_states()), (1, 2));
    assert_eq!(client.report_device_states(report("")).await.unwrap_err().code(), Code::Unknown);
}

#[tokio::test]
async fn an_old_edge_knows_no_device_states() {
    let (_folder, edge, _mapper) = scene(LocalEdge::builder().without_device_states()).await;
    let status = connect(edge.socket()).await.report_device_states(ReportDeviceStatesRequest::default()).await;
    assert_eq!(status.unwrap_err().code(), Code::Unimplemented);
}

#[tokio::test]
async fn a_restart_ends_connections_and_remembers_the_mapper() {
    let (_folder, edge, mut mapper) = scene(LocalEdge::builder()).await;
    let mut client = connect(edge.socket()).await;
    edge.stop().await;
    assert!(!edge.socket().exists());
    client.report_device_status(report("thermometer-1", "temperature", "21")).await.unwrap_err();
    edge.set_desired(&thermometer(), "heater", "false").await.unwrap();
    assert_eq!(mapper.rest(), [], "a stopped edge calls nobody");
    edge.restart().await.unwrap();
    edge.set_desired(&thermometer(), "heater", "true").await.unwrap();
    assert!(matches!(mapper.called().await, Called::Update(device) if desired(&device) == "true"));
}

#[tokio::test]
async fn an_old_edge_forgets_the_mapper_when_it_restarts() {
    let (_folder, edge, mut mapper) = scene(LocalEdge::builder().forgets_mappers_on_restart(true)).await;
    edge.restart().await.unwrap();
    assert_eq!(edge.mappers(), []);
    let mut events = edge.events();
    edge.set_desired(&thermometer(), "heater", "false").await.unwrap();
    assert!(matches!(events.next().await, Some(EdgeEvent::DeviceSent { result: Err(SendFailure::NoMapper(_)), .. })));
    let again = connect(edge.socket()).await.mapper_register(mapper.request(PROTOCOL, true)).await.unwrap();
    assert_eq!(desired(&again.into_inner().device_list[0]), "false");
    assert_eq!(mapper.rest(), []);
}

#[tokio::test]
async fn an_older_edge_may_send_the_device_after_every_report() {
    let (_folder, edge, mut mapper) = scene(LocalEdge::builder().updates_after_every_report()).await;
    let mut client = connect(edge.socket()).await;
    for value in ["21", "22"] {
        client.report_device_status(report("thermometer-1", "temperature", value)).await.unwrap();
        let Called::Update(device) = mapper.called().await else { panic!("an update") };
        assert_eq!(desired(&device), "true");
        let twin = &device.status.unwrap().twins[0];
        assert_eq!(twin.reported.as_ref().unwrap().value, value);
    }
}

/// What the edge writes to a mapper's socket.
async fn captured(builder: LocalEdgeBuilder) -> (String, Vec<u8>) {
    let (_folder, edge, mapper) = scene(builder).await;
    std::fs::remove_file(&mapper.socket).unwrap();
    let listener = UnixListener::bind(&mapper.socket).unwrap();
    let capture = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = Vec::new();
        // Until the headers of the call are there.
        while !holds(&bytes, ".sock") {
            assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "no authority in {bytes:?}");
        }
        bytes
    };
    let device = thermometer();
    let apply = edge.set_desired(&device, "heater", "false");
    let bytes = tokio::select! { bytes = capture => bytes, _ = apply => panic!("the call cannot succeed") };
    (mapper.socket.to_str().unwrap().to_owned(), bytes)
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn a_current_edge_sends_the_escaped_path_as_authority() {
    let (path, bytes) = captured(LocalEdge::builder()).await;
    assert!(holds(&bytes, &path.replace('/', "%2F")) && !holds(&bytes, &path));
}

#[tokio::test]
async fn an_old_edge_sends_the_bare_path_as_authority() {
    let (path, bytes) = captured(LocalEdge::builder().raw_path_authority()).await;
    assert!(holds(&bytes, &path));
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

#[tokio::test]
async fn a_watched_folder_is_applied_whenever_it_changes() {
    let (_folder, edge, mut mapper) = scene(LocalEdge::builder()).await;
    let manifests = tempfile::tempdir().unwrap();
    let (model, device) = (manifests.path().join("model.yaml"), manifests.path().join("device.yaml"));
    write(&model, MODEL);
    write(&device, &instance("watched"));
    write(&manifests.path().join("notes.txt"), "not: [yaml");
    edge.watch(manifests.path()).await.unwrap();
    assert!(matches!(mapper.called().await, Called::Register(device) if device.name == "watched"));

    write(&device, &instance("watched").replace("value: \"true\"", "value: \"false\""));
    assert!(matches!(mapper.called().await, Called::Update(device) if desired(&device) == "false"));

    std::fs::remove_file(&device).unwrap();
    assert_eq!(mapper.called().await, Called::Remove("default".to_owned(), "watched".to_owned()));
    assert_eq!(mapper.rest(), []);
}

#[tokio::test]
async fn a_broken_file_in_a_watched_folder_takes_nothing_away() {
    let (_folder, edge, mut mapper) = scene(LocalEdge::builder()).await;
    let manifests = tempfile::tempdir().unwrap();
    let file = manifests.path().join("all.yaml");
    write(&file, &format!("{MODEL}---\n{}", instance("watched")));
    edge.watch(manifests.path()).await.unwrap();
    assert!(matches!(mapper.called().await, Called::Register(_)));

    let mut events = edge.events();
    write(&file, "kind: [");
    let refused = events.wait_for(|event| matches!(event, EdgeEvent::ManifestRefused { .. })).await.unwrap();
    assert!(matches!(refused, EdgeEvent::ManifestRefused { message } if message.contains("all.yaml")));
    write(&file, &format!("{MODEL}---\n{}", instance("another")));
    assert_eq!(mapper.called().await, Called::Remove("default".to_owned(), "watched".to_owned()));
    assert!(matches!(mapper.called().await, Called::Register(device) if device.name == "another"));
}

#[tokio::test]
async fn a_watched_folder_that_is_made_anew_is_found() {
    let (_folder, edge, mut mapper) = scene(LocalEdge::builder()).await;
    let parent = tempfile::tempdir().unwrap();
    let manifests = parent.path().join("devices");
    std::fs::create_dir(&manifests).unwrap();
    write(&manifests.join("all.yaml"), &format!("{MODEL}---\n{}", instance("first")));
    edge.watch(&manifests).await.unwrap();
    assert!(matches!(mapper.called().await, Called::Register(device) if device.name == "first"));

    let mut events = edge.events();
    std::fs::remove_dir_all(&manifests).unwrap();
    events
        .wait_for(|event| matches!(event, EdgeEvent::Warning { message } if message.contains("stays")))
        .await
        .unwrap();
    std::fs::create_dir(&manifests).unwrap();
    write(&manifests.join("all.yaml"), &format!("{MODEL}---\n{}", instance("second")));
    loop {
        if matches!(mapper.called().await, Called::Register(device) if device.name == "second") {
            break;
        }
    }
}

#[tokio::test]
async fn a_file_that_is_written_all_the_time_hides_no_change() {
    let (_folder, edge, mut mapper) = scene(LocalEdge::builder()).await;
    let manifests = tempfile::tempdir().unwrap();
    edge.watch(manifests.path()).await.unwrap();
    write(&manifests.path().join("all.yaml"), &format!("{MODEL}---\n{}", instance("watched")));
    let busy = manifests.path().join("busy.log");
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(20));
    let called = tokio::select! {
        called = mapper.called() => called,
        () = async {
            loop {
                ticks.tick().await;
                write(&busy, "written again");
            }
        } => unreachable!("it is written for ever"),
    };
    assert!(matches!(called, Called::Register(device) if device.name == "watched"));
}

#[tokio::test]
async fn a_text_with_one_fault_is_not_applied_by_halves() {
    let (_folder, edge, mut mapper) = scene(LocalEdge::builder()).await;
    let wrong = instance("wrong").replace("value: \"true\"", "value: true");
    let error = edge.apply(&format!("{}---\n{wrong}", instance("right"))).await.unwrap_err();
    let LocalEdgeError::Manifest(error) = error else { panic!("{error}") };
    assert_eq!((error.document(), error.resource()), (2, Some("Device default/wrong")));
    assert_eq!((error.property(), error.field()), (Some("heater"), Some("spec.properties[1].desired.value")));
    assert_eq!(error.cure(), "quote it: \"true\"");
    assert_eq!(mapper.rest(), []);
}

#[tokio::test]
async fn what_is_not_there_cannot_be_deleted_or_wanted() {
    let (_folder, edge, _mapper) = scene(LocalEdge::builder()).await;
    let error = edge.delete_device(&DeviceId::new("", "x")).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no device default/x; apply its manifest first");
    let error = edge.set_desired(&thermometer(), "heating", "true").await.unwrap_err();
    assert!(error.to_string().ends_with("it has temperature, heater"), "{error}");
    assert!(matches!(edge.delete_model(&ModelId::new("", "x")).await, Err(LocalEdgeError::UnknownModel(_))));
}

#[tokio::test]
async fn a_whole_folder_can_be_applied_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let edge = LocalEdge::builder().start(folder.path()).await.unwrap();
    let devices = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/virtual-thermometer/devices");
    edge.apply_dir(devices).await.unwrap();
    edge.wait_until(|state| state.devices().any(|device| *device == thermometer())).await;
    assert!(edge.apply_dir(folder.path().join("nowhere")).await.unwrap_err().is_retryable());
}

#[tokio::test]
async fn the_socket_of_an_earlier_run_is_replaced_but_no_other_file() {
    let folder = tempfile::tempdir().unwrap();
    drop(UnixListener::bind(folder.path().join("dmi.sock")).unwrap());
    let edge = LocalEdge::builder().start(folder.path()).await.unwrap();
    drop(edge);
    assert!(!folder.path().join("dmi.sock").exists(), "a dropped edge removes its socket");
    write(&folder.path().join("dmi.sock"), "precious");
    assert!(LocalEdge::builder().start(folder.path()).await.is_err());
    assert_eq!(std::fs::read_to_string(folder.path().join("dmi.sock")).unwrap(), "precious");
}

#[tokio::test]
async fn a_resource_that_stands_in_a_watched_folder_twice_is_warned_of() {
    let (_folder, edge, _mapper) = scene(LocalEdge::builder()).await;
    let (manifests, mut events) = (tempfile::tempdir().unwrap(), edge.events());
    let (a, b) = (manifests.path().join("a.yaml"), manifests.path().join("b.yaml"));
    write(&a, &format!("{MODEL}---\n{INSTANCE}"));
    write(&b, INSTANCE);
    edge.watch(manifests.path()).await.unwrap();
    let warned = events.wait_for(|event| matches!(event, EdgeEvent::Warning { .. })).await;
    let Some(EdgeEvent::Warning { message }) = warned else { panic!("the device stands there twice: {warned:?}") };
    let expected = format!(
        "{}: device default/thermometer-1: metadata.name: stands in {} as well, and the last one that is applied counts: \
         take one out, or name it otherwise",
        b.display(),
        a.display()
    );
    assert_eq!(message, expected);
}

#[tokio::test]
async fn a_folder_without_a_manifest_is_warned_of() {
    let (_folder, edge, _mapper) = scene(LocalEdge::builder()).await;
    let (manifests, mut events) = (tempfile::tempdir().unwrap(), edge.events());
    write(&manifests.path().join("README.md"), "no manifest");
    edge.watch(manifests.path()).await.unwrap();
    let warning = events.wait_for(|event| matches!(event, EdgeEvent::Warning { .. })).await;
    let Some(EdgeEvent::Warning { message }) = warning else { panic!("the edge goes on") };
    assert!(message.ends_with("there is no manifest in it: put *.yaml files there"), "{message}");
}

#[tokio::test]
async fn a_dropped_edge_ends_its_subscriptions_and_its_connections() {
    let (_folder, edge, _mapper) = scene(LocalEdge::builder()).await;
    let manifests = tempfile::tempdir().unwrap();
    edge.watch(manifests.path()).await.unwrap();
    let mut client = connect(edge.socket()).await;
    client.report_device_status(report("thermometer-1", "temperature", "21")).await.unwrap();
    let mut events = edge.events();
    drop(edge);
    assert!(events.wait_for(|_| false).await.is_none());
    client.report_device_status(report("thermometer-1", "temperature", "21")).await.unwrap_err();
}

#[tokio::test]
async fn a_message_of_more_than_4_mebibytes_is_refused() {
    let (_folder, edge, _mapper) = scene(LocalEdge::builder()).await;
    let mut client = connect(edge.socket()).await;
    let long = report("thermometer-1", "temperature", &"x".repeat(4 << 20));
    client.report_device_status(long).await.unwrap_err();
    assert_eq!((edge.counts().dropped_twins(), edge.crashed()), (0, None));
}

#[tokio::test]
async fn a_socket_path_that_is_too_long_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let error = LocalEdge::builder().start(folder.path().join("x".repeat(100))).await.unwrap_err();
    assert!(error.to_string().ends_with("choose a shorter folder"), "{error}");
}

//= KubeEdge v1.16.2 to v1.23, cloudcore: a new twin is appended as a copy before it is filled
#[tokio::test]
async fn the_cloud_shows_nothing_of_a_twin_before_its_second_report() {
    let (_folder, edge, _mapper) = scene(LocalEdge::builder()).await;
    let mut client = connect(edge.socket()).await;
    let shown = |edge: &LocalEdge| edge.cloud_twin(&thermometer(), "temperature").map(|twin| twin.value().to_owned());
    assert_eq!(shown(&edge), None);
    for expected in ["", "21.4"] {
        client.report_device_status(report("thermometer-1", "temperature", "21.4")).await.unwrap();
        assert_eq!(shown(&edge).as_deref(), Some(expected));
    }
}

#[tokio::test]
async fn a_model_that_is_changed_by_itself_is_warned_of_since_no_node_would_get_it() {
    let (_folder, edge, _mapper) = scene(LocalEdge::builder()).await;
    let mut events = edge.events();
    let changed = MODEL.replace("\"125\"", "\"99\"");
    edge.apply(&format!("{changed}---\n{}", INSTANCE.replace("collectCycle: 2000", "collectCycle: 3000")))
        .await
        .unwrap();
    assert!(matches!(events.next().await, Some(EdgeEvent::ModelSent { .. })));
    assert!(matches!(events.next().await, Some(EdgeEvent::DeviceSent { .. })));
    edge.apply(MODEL).await.unwrap();
    assert!(matches!(events.next().await, Some(EdgeEvent::ModelSent { .. })));
    let Some(EdgeEvent::Warning { message }) = events.next().await else { panic!("nothing is warned of") };
    assert!(message.contains("is changed by itself"), "{message}");
}
