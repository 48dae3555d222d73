//! What a camera shows when all is well.

use integration_tests::{
    Tool,
    servers::{Login, RtspOptions, RtspServer, Video},
};
use ip_camera::IpCamera;
use mapper_framework::testing::driver_contract;

use crate::bed::{Bed, camera, manifests};

#[tokio::test]
async fn pictures_come_over_tcp_and_udp_by_each_kind_of_login() {
    let bed = Bed::start().await;
    bed.login("plant", RtspServer::USER, RtspServer::PASSWORD);
    let ways = [("tcp", Login::None), ("udp", Login::Digest), ("tcp", Login::Basic)];
    for (number, (transport, login)) in ways.into_iter().enumerate() {
        let Some(mut server) = RtspServer::start(RtspOptions { login, ..RtspOptions::default() }).await else { return };
        let Some(_publisher) = server.publish("/gate", Video::Mjpeg, (320, 240)).await else { return };
        let (name, url) = (format!("gate-{number}"), server.url("/gate"));
        bed.apply(&[camera(&name, &format!("url: '{url}', transport: {transport}, credentials: plant"))]).await;
        server.wait_for_line(&format!("reads /gate by {}", transport.to_uppercase())).await;
        bed.holds(&name, "state", "streaming").await;
        bed.holds(&name, "format", "MJPG/320x240").await;
        bed.holds(&name, "streamUri", &url).await;
        assert_eq!(bed.picture(&name).await, (320, 240));
        bed.until(&name, "framesPerSecond", |rate| (5.0..15.0).contains(&rate.parse::<f64>().unwrap())).await;
    }
    bed.stop().await;
}

#[tokio::test]
async fn the_clock_of_a_camera_is_compared_with_the_hosts() {
    let options = RtspOptions { clock_ms: -90_000, ..RtspOptions::default() };
    let Some(mut server) = RtspServer::start(options).await else { return };
    let Some(_publisher) = server.publish("/gate", Video::H264, (320, 240)).await else { return };
    let bed = Bed::start().await;
    bed.apply(&[camera("gate", &format!("url: '{}'", server.url("/gate")))]).await;
    bed.until("gate", "clockDifference", |it| (-91_000..=-89_000).contains(&it.parse().unwrap())).await;
    bed.stop().await;
}

#[tokio::test]
async fn a_video_that_changes_its_size_in_the_middle_says_so() {
    let Some(mut server) = RtspServer::start(RtspOptions::default()).await else { return };
    let Some((_folder, file)) = integration_tests::servers::two_sizes((320, 240), (640, 480)).await else { return };
    let Some(_publisher) = server.publish_file("/gate", &file).await else { return };
    let bed = Bed::start().await;
    bed.apply(&[camera("gate", &format!("url: '{}'", server.url("/gate")))]).await;
    for _ in 0..2 {
        bed.holds("gate", "format", "H264/320x240").await;
        bed.holds("gate", "format", "H264/640x480").await;
    }
    assert_eq!(server.reads("/gate"), 1, "it is one session");
    let (head, _) = bed.get("/api/v2/devices/default/gate/snapshot.jpg").await;
    assert!(head.starts_with("http/1.1 409"), "{head}");
    bed.stop().await;
}

#[tokio::test]
async fn key_frames_become_pictures_where_there_is_a_decoder() {
    let Tool::At(ffmpeg) = integration_tests::ffmpeg("ffmpeg") else { return };
    let bed = Bed::start_with(IpCamera::default().ffmpeg(ffmpeg)).await;
    for (name, video) in [("h264", Video::H264), ("h265", Video::H265)] {
        let Some(mut server) = RtspServer::start(RtspOptions::default()).await else { return };
        let Some(_publisher) = server.publish("/gate", video, (320, 240)).await else { return };
        bed.apply(&[camera(name, &format!("url: '{}', decode: keyFrames", server.url("/gate")))]).await;
        bed.holds(name, "format", "MJPG/320x240").await;
        assert_eq!(bed.picture(name).await, (320, 240));
        // One a second, as key frames come.
        bed.until(name, "sequence", |sequence| sequence.parse::<u32>().unwrap() >= 3).await;
        let rate =
            bed.bed.edge().twin(&crate::bed::id(name), "framesPerSecond").unwrap().value().parse::<f64>().unwrap();
        assert!(rate < 5.0, "{rate}");
    }
    bed.stop().await;
}

#[tokio::test]
async fn a_decoder_that_is_not_there_is_named_with_the_cure() {
    let Some(mut server) = RtspServer::start(RtspOptions::default()).await else { return };
    let Some(_publisher) = server.publish("/gate", Video::H264, (320, 240)).await else { return };
    let bed = Bed::start_with(IpCamera::default().ffmpeg("/nowhere/ffmpeg")).await;
    bed.apply(&[camera("gate", &format!("url: '{}', decode: keyFrames", server.url("/gate")))]).await;
    bed.reason("gate", "protocol.configData.decode needs /nowhere/ffmpeg: No such file or directory").await;
    bed.holds("gate", "streamUri", &server.url("/gate")).await;
    bed.stop().await;
}

#[tokio::test]
async fn a_decoder_that_gives_nothing_ends_the_stream_with_the_reason() {
    let Some(mut server) = RtspServer::start(RtspOptions::default()).await else { return };
    let Some(_publisher) = server.publish("/gate", Video::H264, (320, 240)).await else { return };
    let bed = Bed::start_with(IpCamera::default().ffmpeg("true")).await;
    bed.apply(&[camera("gate", &format!("url: '{}', decode: keyFrames", server.url("/gate")))]).await;
    bed.reason("gate", "a key frame cannot be decoded by ffmpeg: it gives no picture").await;
    bed.stop().await;
}

#[tokio::test]
async fn a_stream_that_was_stopped_is_started_again() {
    let Some(mut server) = RtspServer::start(RtspOptions::default()).await else { return };
    let Some(_publisher) = server.publish("/gate", Video::Mjpeg, (320, 240)).await else { return };
    let bed = Bed::start().await;
    bed.apply(&[camera("gate", &format!("url: '{}'", server.url("/gate")))]).await;
    bed.holds("gate", "state", "streaming").await;
    let handle = bed.bed.handle();
    handle.call(&crate::bed::id("gate"), "stop", &[]).await.unwrap();
    bed.holds("gate", "state", "stopped").await;
    handle.call(&crate::bed::id("gate"), "start", &[]).await.unwrap();
    bed.holds("gate", "state", "streaming").await;
    bed.stop().await;
}

#[tokio::test]
async fn the_driver_keeps_the_contract() {
    let Some(mut server) = RtspServer::start(RtspOptions::default()).await else { return };
    let Some(_publisher) = server.publish("/gate", Video::Mjpeg, (320, 240)).await else { return };
    let folder = tempfile::tempdir().unwrap();
    // Without the clock: nothing is known of it before the stream begins, which it does not here.
    let whole = manifests(&[camera("gate", &format!("url: '{}'", server.url("/gate")))]);
    let begin = whole.rfind("    - name: clockDifference").unwrap();
    let end = whole.rfind("  methods:").unwrap();
    std::fs::write(folder.path().join("devices.yaml"), format!("{}{}", &whole[..begin], &whole[end..])).unwrap();
    driver_contract::check(IpCamera::default(), folder.path()).await;
}
