//! What happens to cameras in a plant.

use integration_tests::servers::{Login, RtspOptions, RtspServer, Video};
use tokio::{io::AsyncWriteExt as _, net::TcpListener};

use crate::bed::{Bed, camera};

#[tokio::test]
async fn a_camera_that_was_switched_off_is_back_when_it_is_on_again() {
    let Some(mut server) = RtspServer::start(RtspOptions::default()).await else { return };
    let Some(publisher) = server.publish("/gate", Video::Mjpeg, (320, 240)).await else { return };
    let bed = Bed::start().await;
    bed.apply(&[camera("gate", &format!("url: '{}'", server.url("/gate")))]).await;
    bed.holds("gate", "state", "streaming").await;
    let port = server.port();
    server.process().kill().await;
    drop((server, publisher));
    bed.holds("gate", "state", "stopped").await;
    let reason = bed.reason("gate", "Unable to connect").await;
    assert!(reason.contains(&format!("rtsp://127.0.0.1:{port}/gate: ")), "{reason}");
    let Some(mut server) = RtspServer::start(RtspOptions { port, ..RtspOptions::default() }).await else { return };
    // It is on, and its sensor is not yet.
    bed.reason("gate", "it has no stream of this path").await;
    let Some(_publisher) = server.publish("/gate", Video::Mjpeg, (640, 480)).await else { return };
    bed.holds("gate", "format", "MJPG/640x480").await;
    assert_eq!(bed.picture("gate").await, (640, 480));
    bed.stop().await;
}

#[tokio::test]
async fn a_camera_that_freezes_is_stalled_and_goes_on_when_it_thaws() {
    let Some(mut server) = RtspServer::start(RtspOptions::default()).await else { return };
    let Some(_publisher) = server.publish("/gate", Video::Mjpeg, (320, 240)).await else { return };
    let bed = Bed::start().await;
    let gate = camera("gate", &format!("url: '{}', timeout: 1000", server.url("/gate")));
    bed.apply(&[gate.replace("streamStall: 5000", "streamStall: 1000")]).await;
    bed.holds("gate", "state", "streaming").await;
    server.process().freeze().await;
    bed.holds("gate", "state", "stalled").await;
    bed.reason("gate", "no answer to DESCRIBE within 1s").await;
    server.process().thaw().await;
    bed.holds("gate", "state", "streaming").await;
    bed.stop().await;
}

#[tokio::test]
async fn a_password_that_is_put_right_lets_the_mapper_in() {
    let options = RtspOptions { login: Login::Digest, ..RtspOptions::default() };
    let Some(mut server) = RtspServer::start(options).await else { return };
    let Some(_publisher) = server.publish("/gate", Video::Mjpeg, (320, 240)).await else { return };
    let bed = Bed::start().await;
    bed.login("plant", RtspServer::USER, "hunter3");
    let url = server.url("/gate");
    bed.apply(&[
        camera("gate", &format!("url: '{url}', credentials: plant")),
        camera("yard", &format!("url: '{url}'")),
    ])
    .await;
    let reason = bed.reason("gate", "it refuses the login of \"operator\": correct the files").await;
    assert!(!reason.contains("hunter"), "{reason}");
    bed.reason("yard", "it wants a login: name one by protocol.configData.credentials").await;
    bed.login("plant", RtspServer::USER, RtspServer::PASSWORD);
    bed.holds("gate", "state", "streaming").await;
    bed.stop().await;
}

#[tokio::test]
async fn datagrams_that_get_lost_cost_frames_and_no_session() {
    let Some(mut server) = RtspServer::start(RtspOptions { lose: 50, ..RtspOptions::default() }).await else { return };
    let bed = Bed::start().await;
    for (name, video) in [("h264", Video::H264), ("mjpeg", Video::Mjpeg)] {
        let path = format!("/{name}");
        let Some(_publisher) = server.publish(&path, video, (320, 240)).await else { return };
        bed.apply(&[camera(name, &format!("url: '{}', transport: udp", server.url(&path)))]).await;
        bed.until(name, "sequence", |sequence| sequence.parse::<u32>().unwrap() > 30).await;
        assert_eq!(server.reads(&path), 1, "it is one session");
    }
    bed.stop().await;
}

/// Answers each connection with these bytes, and then with nothing.
pub(crate) async fn answers(bytes: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(bytes).await.ok();
            open.push(stream);
        }
    });
    port
}

#[tokio::test]
async fn garbage_and_silence_cost_their_camera_only() {
    let Some(mut server) = RtspServer::start(RtspOptions::default()).await else { return };
    let Some(_publisher) = server.publish("/gate", Video::Mjpeg, (320, 240)).await else { return };
    let bed = Bed::start().await;
    let at = |port: u16| format!("url: 'rtsp://127.0.0.1:{port}/video?user=admin&pwd=hunter2', timeout: 500");
    bed.apply(&[
        camera("gate", &format!("url: '{}'", server.url("/gate"))),
        camera("silent", &at(answers(b"").await)),
        camera("garbage", &at(answers(b"\0\x01\xff\xfe garbage \r\n\r\n").await)),
        camera("website", &at(answers(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await)),
        camera("endless", &at(answers(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 4000000000\r\n\r\nv=0").await)),
    ])
    .await;
    bed.reason("silent", "/video: no answer to DESCRIBE within 500ms").await;
    for name in ["silent", "garbage", "website", "endless"] {
        let reason = bed.reason(name, "rtsp://127.0.0.1:").await;
        assert!(!reason.contains('\n') && !reason.contains("hunter"), "{reason}");
    }
    bed.holds("gate", "state", "streaming").await;
    assert_eq!(bed.picture("gate").await, (320, 240));
    let stats = bed.bed.handle().device_stats(&crate::bed::id("gate")).unwrap();
    assert_eq!((stats.sessions().opened(), stats.sessions().lost()), (1, 0));
    bed.stop().await;
}
