//! Cameras by ONVIF: the double stands in for their services, and the RTSP server has their video.

use std::{
    fs,
    path::{Path, PathBuf},
};

use integration_tests::{
    Tool,
    servers::{Login, Publisher, RtspOptions, RtspServer, Video},
};
use ip_camera::IpCamera;
use mapper_framework::testing::driver_contract;
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    bed::{Bed, dome, id, manifests},
    double::OnvifDouble,
};

/// A server with video of H.264, which nobody here decodes.
async fn video() -> Option<(RtspServer, Publisher)> {
    let mut server = RtspServer::start(RtspOptions { login: Login::Digest, ..RtspOptions::default() }).await?;
    let publisher = server.publish("/dome", Video::H264, (320, 240)).await?;
    Some((server, publisher))
}

/// A bed with the login of the doubles under the name `plant`.
async fn bed() -> Bed {
    let bed = Bed::start().await;
    bed.login("plant", RtspServer::USER, RtspServer::PASSWORD);
    bed
}

/// A picture.
async fn jpeg() -> Option<(TempDir, PathBuf)> {
    let Tool::At(ffmpeg) = integration_tests::ffmpeg("ffmpeg") else { return None };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("picture.jpg");
    let mut command = Command::new(ffmpeg);
    command.args("-nostdin -loglevel error -f lavfi -i testsrc2=size=640x480 -frames:v 1".split(' ')).arg(&file);
    assert!(command.status().await.unwrap().success());
    Some((folder, file))
}

#[tokio::test]
async fn a_camera_says_what_it_is_and_where_its_video_is_by_each_kind_of_login() {
    let Some((server, _publisher)) = video().await else { return };
    let bed = bed().await;
    for (auth, clock, wanted) in [("none", "0", 0), ("wsse", "3600", 3_600_000), ("http", "-86400", -86_400_000)] {
        // The camera takes another address for its own.
        let stream = server.url("/dome").replace("127.0.0.1", "10.9.8.7");
        let Some(double) = OnvifDouble::start(&["--auth", auth, "--clock", clock, "--stream", &stream]).await else {
            return;
        };
        bed.apply(&[dome(auth, &format!("{}, credentials: plant, profile: sub", double.key()))]).await;
        // As edgecore takes it.
        bed.holds(auth, "manufacturer", "Gate___Yard").await;
        bed.holds(auth, "model", "Double").await;
        bed.holds(auth, "firmware", "1.2.3").await;
        bed.holds(auth, "serial", "0042").await;
        bed.holds(auth, "streamUri", &server.url("/dome")).await;
        bed.holds(auth, "format", "H264/320x240").await;
        assert_eq!(double.process.lines().iter().filter(|line| line.starts_with("refuses")).count(), 0);
        if auth != "http" {
            assert_eq!(double.count("wants a digest"), 0);
        }
        // The video's reports come from a server with the right time.
        bed.until(auth, "clockDifference", |ahead| ahead.parse::<i64>().unwrap().abs() < 1000).await;
        // Without a stream there are none, and ONVIF has the camera's own.
        let without =
            dome(auth, &format!("{}, credentials: plant", double.key())).replace("stream: ", "shows: streamUri #");
        bed.apply(&[without]).await;
        bed.until(auth, "clockDifference", |ahead| (ahead.parse::<i64>().unwrap() - wanted).abs() < 2000).await;
        bed.bed.edge().delete_device(&id(auth)).await.unwrap();
    }
    bed.stop().await;
}

#[tokio::test]
async fn a_camera_whose_video_nobody_decodes_shows_its_snapshots() {
    let Some((_folder, file)) = jpeg().await else { return };
    let file = file.to_str().unwrap();
    // The addresses that it gives have a host that nobody here can reach.
    let Some(double) = OnvifDouble::start(&["--auth", "wsse", "--inner", "10.9.8.7", "--jpeg", file]).await else {
        return;
    };
    let bed = bed().await;
    bed.apply(&[dome("dome", &format!("{}, credentials: plant, source: snapshot, frameRate: 5", double.key()))]).await;
    bed.holds("dome", "format", "JPEG/640x480").await;
    // The picture is asked for with the query, which some cameras take the password in: it is not shown.
    bed.holds("dome", "streamUri", &format!("http://127.0.0.1:{}/snapshot.jpg", double.port)).await;
    assert_eq!(bed.picture("dome").await, (640, 480));
    fs::write(file, "garbage").unwrap();
    bed.reason("dome", "/snapshot.jpg: what it answers with is no JPEG").await;
    bed.stop().await;
}

#[tokio::test]
async fn a_camera_is_turned_by_methods() {
    let Some((server, _publisher)) = video().await else { return };
    let Some(mut double) = OnvifDouble::start(&["--auth", "wsse", "--stream", &server.url("/dome")]).await else {
        return;
    };
    let bed = bed().await;
    bed.apply(&[dome("dome", &format!("{}, credentials: plant", double.key()))]).await;
    bed.holds("dome", "pan", "0").await;
    let (handle, id) = (bed.bed.handle(), id("dome"));
    handle.call(&id, "absoluteMove", &[("pan", "0.5"), ("zoom", "0.25")]).await.unwrap();
    double.says("moves to 0.5 0.0 0.25").await;
    bed.holds("dome", "pan", "0.5").await;
    bed.holds("dome", "zoom", "0.25").await;
    handle.call(&id, "continuousMove", &[("panSpeed", "-1"), ("moveFor", "2.5")]).await.unwrap();
    double.says("moves at -1.0 0.0 0.0 for PT2.500S").await;
    handle.call(&id, "stopMoving", &[]).await.unwrap();
    double.says("stops true true").await;
    // A wish for one axis leaves the others as they are, and a wish for a speed moves nothing.
    bed.bed.edge().set_desired(&id, "tilt", "-0.5").await.unwrap();
    double.says("moves to 0.5 -0.5 None").await;
    bed.holds("dome", "tilt", "-0.5").await;
    bed.bed.edge().set_desired(&id, "zoomSpeed", "0.125").await.unwrap();
    bed.holds("dome", "zoomSpeed", "0.125").await;
    handle.call(&id, "continuousMove", &[]).await.unwrap();
    double.says("moves at 0.0 0.0 0.125 for PT1.000S").await;
    let error = handle.call(&id, "absoluteMove", &[]).await.unwrap_err().to_string();
    assert!(error.contains("absoluteMove needs pan, tilt or zoom"), "{error}");
    let error = handle.call(&id, "absoluteMove", &[("pan", "1.5")]).await.unwrap_err().to_string();
    assert!(error.contains("1.5"), "{error}");
    bed.stop().await;
}

#[tokio::test]
async fn a_camera_that_does_not_say_where_it_looks_turns_by_no_wish_for_one_axis() {
    let Some((server, _publisher)) = video().await else { return };
    let bed = bed().await;
    for position in ["zoom", "none"] {
        let arguments = ["--auth", "wsse", "--stream", &server.url("/dome"), "--position", position];
        let Some(mut double) = OnvifDouble::start(&arguments).await else { return };
        bed.apply(&[dome(position, &format!("{}, credentials: plant", double.key()))]).await;
        bed.holds(position, "model", "Double").await;
        let (handle, id) = (bed.bed.handle(), id(position));
        for axis in [("pan", "0.5"), ("tilt", "0.5")] {
            let error = handle.call(&id, "absoluteMove", &[axis, ("zoom", "0.5")]).await.unwrap_err().to_string();
            assert!(error.contains("the camera does not say where it looks: give pan and tilt together"), "{error}");
        }
        handle.call(&id, "absoluteMove", &[("zoom", "0.25")]).await.unwrap();
        double.says("moves to None None 0.25").await;
        handle.call(&id, "absoluteMove", &[("pan", "0.5"), ("tilt", "-0.5")]).await.unwrap();
        double.says("moves to 0.5 -0.5 None").await;
        let moves = double.process.lines().iter().filter(|line| line.starts_with("moves")).count();
        assert_eq!(moves, 2, "it has turned by nothing else");
        bed.bed.edge().delete_device(&id).await.unwrap();
    }
    bed.stop().await;
}

/// Sets the clock of a double, by how many seconds it is ahead.
fn set_clock(file: &Path, ahead: i32) {
    let new = file.with_extension("new");
    fs::write(&new, ahead.to_string()).unwrap();
    fs::rename(new, file).unwrap();
}

#[tokio::test]
async fn a_clock_that_is_set_ends_no_session_and_asks_for_no_other_login() {
    let Some((server, _publisher)) = video().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let bed = bed().await;
    for (name, stale) in [("fault", "ter:NotAuthorized"), ("expired", "wsu:MessageExpired"), ("status", "401")] {
        let clock = folder.path().join(name);
        set_clock(&clock, 0);
        let stream = server.url("/dome");
        let arguments =
            ["--auth", "wsse", "--stream", &stream, "--clock-file", clock.to_str().unwrap(), "--stale", stale];
        let Some(mut double) = OnvifDouble::start(&arguments).await else { return };
        bed.apply(&[dome(name, &format!("{}, credentials: plant", double.key()))]).await;
        bed.holds(name, "pan", "0").await;
        for (ahead, pan, position) in [(7200, "0.5", "0.5 0.25 0.0"), (-7200, "-0.5", "-0.5 0.25 0.0")] {
            set_clock(&clock, ahead);
            let arguments = [("pan", pan), ("tilt", "0.25"), ("zoom", "0")];
            bed.bed.handle().call(&id(name), "absoluteMove", &arguments).await.unwrap();
            double.says(&format!("moves to {position}")).await;
            double.says("refuses: the UsernameToken is not of now").await;
        }
        let stats = bed.bed.handle().device_stats(&id(name)).unwrap();
        assert_eq!((stats.sessions().opened(), stats.reads().failed()), (1, 0));
        bed.bed.edge().delete_device(&id(name)).await.unwrap();
    }
    bed.stop().await;
}

#[tokio::test]
async fn a_camera_whose_services_hang_keeps_its_video() {
    let Some((server, _publisher)) = video().await else { return };
    let Some(double) = OnvifDouble::start(&["--auth", "wsse", "--stream", &server.url("/dome")]).await else { return };
    let bed = bed().await;
    bed.apply(&[dome("dome", &format!("{}, credentials: plant, timeout: 500", double.key()))]).await;
    bed.holds("dome", "state", "streaming").await;
    bed.until("dome", "manufacturer", |_| true).await;
    double.process.freeze().await;
    let handle = bed.bed.handle();
    let stats = || handle.device_stats(&id("dome")).unwrap();
    let failed = stats().reads().failed();
    // Several rounds, of which each costs one wait and not one for each property.
    let id = id("dome");
    let stored = |property: &'static str| bed.bed.edge().twin(&id, property).map_or(0, |twin| twin.times_stored());
    let before = (stored("panSpeed"), stored("manufacturer"));
    bed.bed
        .until("what needs no services is read", |edge| {
            edge.twin(&id, "panSpeed").is_some_and(|twin| twin.times_stored() > before.0 + 5)
        })
        .await;
    assert!(stats().reads().failed() > failed + 10);
    bed.bed.until("the device is unhealthy", |edge| edge.state(&id) == Some("unhealthy")).await;
    assert_eq!(stats().sessions().lost(), 0);
    assert_eq!(server.reads("/dome"), 1, "it is one video");
    double.process.thaw().await;
    bed.bed
        .until("the services answer again", |edge| {
            edge.twin(&id, "manufacturer").is_some_and(|twin| twin.times_stored() > before.1 + 2)
        })
        .await;
    bed.stop().await;
}

#[tokio::test]
async fn a_password_that_is_put_right_lets_the_mapper_in_by_onvif() {
    let Some((server, _publisher)) = video().await else { return };
    let bed = bed().await;
    bed.login("plant", RtspServer::USER, "hunter3");
    for auth in ["wsse", "http"] {
        let Some(double) = OnvifDouble::start(&["--auth", auth, "--stream", &server.url("/dome")]).await else {
            return;
        };
        bed.login("plant", RtspServer::USER, "hunter3");
        bed.apply(&[dome(auth, &format!("{}, credentials: plant", double.key()))]).await;
        let reason = bed.reason(auth, "GetCapabilities is refused: it refuses the login of \"operator\"").await;
        assert!(!reason.contains("hunter"), "{reason}");
        // No clock was set, so that each attempt sends the wrong password once: cameras count that.
        let lines = double.process.lines();
        let refusals: Vec<_> = (0..lines.len()).filter(|at| lines[*at] == "refuses: the password is wrong").collect();
        assert!(refusals.windows(2).all(|two| two[1] - two[0] > 2), "{lines:?}");
        bed.login("plant", RtspServer::USER, RtspServer::PASSWORD);
        bed.holds(auth, "state", "streaming").await;
        bed.bed.edge().delete_device(&id(auth)).await.unwrap();
    }
    bed.stop().await;
}

#[tokio::test]
async fn a_profile_that_is_not_there_and_answers_that_are_not_onvifs_are_named() {
    let Some(double) = OnvifDouble::start(&[]).await else { return };
    let bed = bed().await;
    let at = |port: u16| format!("onvif: 'http://127.0.0.1:{port}/?user=admin&pwd=hunter2', timeout: 1000");
    let http = |body: &str| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n", body.len());
        crate::trouble::answers(Box::leak((head + body).into_boxed_str()).as_bytes())
    };
    let bomb = "<!DOCTYPE a [<!ENTITY b 'boom'>]><a>&b;</a>";
    let long = format!("<a>{}</a>", " ".repeat(2 * 1024 * 1024));
    bed.apply(&[
        dome("profile", &format!("{}, profile: third", double.key())),
        dome("silent", &at(crate::trouble::answers(b"").await)),
        dome("garbage", &at(crate::trouble::answers(b"\0\xff garbage\r\n\r\n").await)),
        dome("website", &at(http("<html><body><p>Welcome</body></html>").await)),
        dome("bomb", &at(http(bomb).await)),
        dome("long", &at(http(&long).await)),
        dome("empty", &at(http("<a/>").await)),
    ])
    .await;
    for (name, reason) in [
        ("profile", "there is no profile \"third\", but main, sub"),
        ("silent", "GetSystemDateAndTime fails: no answer within 1s"),
        ("garbage", "what answers does not speak HTTP"),
        ("website", "has an answer (status 200) that is not ONVIF's: it is no XML"),
        ("bomb", "it has a document type, which SOAP does not allow"),
        ("long", "has more than 1048576 bytes"),
        ("empty", "has an answer without a body of SOAP"),
    ] {
        let reason = bed.reason(name, reason).await;
        assert!(!reason.contains("hunter"), "{reason}");
    }
    bed.stop().await;
}

#[tokio::test]
async fn the_driver_keeps_the_contract_with_onvif() {
    // Without a login: the suite's devices have no folder of credentials.
    let Some(mut server) = RtspServer::start(RtspOptions::default()).await else { return };
    let Some(_publisher) = server.publish("/dome", Video::Mjpeg, (320, 240)).await else { return };
    let Some(double) = OnvifDouble::start(&["--stream", &server.url("/dome")]).await else { return };
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("devices.yaml"), manifests(&[dome("dome", &double.key())])).unwrap();
    driver_contract::check(IpCamera::default(), folder.path()).await;
}
