//! The search for cameras, in the library and by the program itself. A search goes on for ten minutes, unless what it is to find is there.

use std::fs;

use integration_tests::{ChildGuard, DEADLINE};
use ip_camera::IpCamera;
use mapper_framework::{Discovery, Driver, Found};
use tempfile::NamedTempFile;
use tokio::{
    process::Command,
    time::{Duration, interval, timeout},
};

use crate::double::OnvifDouble;

const WAIT: &str = "600000";

/// What a search has found when there are as many as the double has. What the double sends before the last of them has been read then.
async fn found(double: &OnvifDouble) -> Vec<Found> {
    let discovery = Discovery::new([("at", double.probes.to_string()), ("wait", WAIT.to_owned())]);
    let (driver, mut looks) = (IpCamera::default(), interval(Duration::from_millis(10)));
    let both_are_there = async {
        while discovery.found().len() < 2 {
            looks.tick().await;
        }
    };
    tokio::select! {
        ended = driver.discover(&discovery) => panic!("it ended: {ended:?}"),
        all = timeout(DEADLINE, both_are_there) => all.expect("they are found"),
    }
    discovery.found()
}

#[tokio::test]
async fn a_camera_is_discovered_once_by_its_whole_address_whatever_else_answers() {
    let Some(double) = OnvifDouble::start(&[]).await else { return };
    let found = found(&double).await;
    let [gate, yard] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((gate.name(), gate.get_description()), ("Gate camera", "Gate camera Double"));
    let at = |path: &str| Some(format!("http://127.0.0.1:{}/{path}", double.port));
    let service = |found: &Found| found.get_config()["onvif"].as_str().map(str::to_owned);
    assert_eq!(service(gate), at("onvif/device_service"));
    assert_eq!((yard.name(), service(yard)), ("Yard", at("onvif?a=1&b=%20")));
}

#[tokio::test]
async fn a_question_that_gets_lost_twice_is_asked_again() {
    let Some(double) = OnvifDouble::start(&["--lose", "2"]).await else { return };
    assert_eq!(found(&double).await.len(), 2);
}

#[tokio::test]
async fn what_is_discovered_passes_a_strict_check() {
    let Some(double) = OnvifDouble::start(&[]).await else { return };
    let yaml = NamedTempFile::with_suffix(".yaml").unwrap();
    // The shell becomes the program.
    let mut program = Command::new("sh");
    program.args(["-c", "exec \"$0\" \"$@\" > \"$OUT\"", env!("CARGO_BIN_EXE_ip-camera"), "discover"]);
    program.args([format!("wait={WAIT}"), format!("at={}", double.probes)]).env("OUT", yaml.path());
    let mut program = ChildGuard::spawn(&mut program);
    program.wait_for_line(|line| line.ends_with(": 2 found")).await;
    // The user has enough before it is over, which costs nothing that was found.
    program.signal("INT").await;
    assert!(program.exit().await.success());
    let said = program.lines().join("\n");
    assert!(said.contains("found: 2 devices, 1 model"), "{said}");
    let mut check = Command::new(env!("CARGO_BIN_EXE_ip-camera"));
    let checked = check.args(["check", "--strict"]).arg(yaml.path()).output().await.unwrap();
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success(), "{said}{}", fs::read_to_string(yaml.path()).unwrap());
}
