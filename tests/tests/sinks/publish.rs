//! Streams published to a real server of RTSP, from which ffmpeg reads them.

use std::{fs, path::Path, process::Stdio, time::Duration};

use integration_tests::{
    DEADLINE, Tool,
    camera::{Camera, PROTOCOL, id, until_online, until_unhealthy},
    servers::{Login, RtspOptions, RtspServer},
};
use mapper_framework::testing::TestBed;
use tokio::{process::Command, time::timeout};

const SIZE: (u32, u32) = (320, 240);

fn run(program: &Path, arguments: &str) -> Vec<u8> {
    let mut command = std::process::Command::new(program);
    command.args(["-nostdin", "-loglevel", "error"]).args(arguments.split(' '));
    let output = command.stderr(Stdio::inherit()).output().expect("it runs");
    assert!(output.status.success(), "{arguments}");
    output.stdout
}

/// What the tests need, unless it is left out: ffmpeg, and pictures of a moving test card.
struct Studio {
    ffmpeg: std::path::PathBuf,
    pictures: Vec<Vec<u8>>,
}

impl Studio {
    fn open(options: &str) -> Option<Self> {
        let Tool::At(ffmpeg) = integration_tests::ffmpeg("ffmpeg") else { return None };
        let folder = tempfile::tempdir().expect("a folder");
        let (path, (width, height)) = (folder.path().display(), SIZE);
        run(
            &ffmpeg,
            &format!("-f lavfi -i testsrc2=size={width}x{height}:rate=10 -frames:v 20 {options} {path}/%03d.jpg"),
        );
        let picture = |number| fs::read(folder.path().join(format!("{number:03}.jpg"))).expect("it was written");
        Some(Self { pictures: (1..=20).map(picture).collect(), ffmpeg })
    }

    /// With the tables that RTP has room for.
    fn open_for_rtp() -> Option<Self> {
        Self::open("-pix_fmt yuvj420p -huffman default -force_duplicated_matrix 1")
    }

    fn camera(&self, every: u64) -> Camera {
        let pictures = self.pictures.clone();
        Camera::new(Duration::from_millis(every), SIZE, move |number| {
            pictures[usize::try_from(number).expect("few") % pictures.len()].clone()
        })
    }

    /// Plays so many pictures, and gives them decoded: three bytes for each of their points.
    async fn play(&self, url: &str, pictures: usize) -> Vec<Vec<u8>> {
        let mut command = Command::new(&self.ffmpeg);
        command.args(["-nostdin", "-loglevel", "error", "-rtsp_transport", "tcp", "-i", url]);
        command.args(["-frames:v", &pictures.to_string(), "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"]);
        command.kill_on_drop(true).stderr(Stdio::inherit());
        let output = timeout(DEADLINE, command.output()).await.expect("it plays in time").expect("it runs");
        let size = (SIZE.0 * SIZE.1 * 3) as usize;
        assert_eq!(output.stdout.len(), size * pictures, "all pictures of the right size");
        output.stdout.chunks(size).map(<[u8]>::to_vec).collect()
    }

    /// The pictures decoded as they were captured.
    fn decoded(&self) -> Vec<Vec<u8>> {
        let folder = tempfile::tempdir().expect("a folder");
        let decode = |picture: &Vec<u8>| {
            let path = folder.path().join("picture.jpg");
            fs::write(&path, picture).expect("written");
            run(&self.ffmpeg, &format!("-i {} -f rawvideo -pix_fmt rgb24 pipe:1", path.display()))
        };
        self.pictures.iter().map(decode).collect()
    }
}

async fn bed(camera: Camera) -> TestBed {
    let builder = TestBed::builder(camera, PROTOCOL);
    builder
        .environment("RTSP_USERNAME", RtspServer::USER)
        .environment("RTSP_PASSWORD", RtspServer::PASSWORD)
        .start()
        .await
}

fn manifests(server: &RtspServer, more: &str) -> String {
    let visitor = format!("{{stream: rtsp, publishTo: '{}'{more}}}", server.url("/plant/hall"));
    Camera::manifests(&visitor, "reportToCloud: true, ")
}

async fn until_published(bed: &TestBed, url: &str) {
    bed.until("it is published", |edge| edge.twin(&id(), "live").is_some_and(|twin| twin.value() == url)).await;
    until_online(bed).await;
}

/// The processes that publish to this server: their ids and their arguments.
fn publishers(server: &RtspServer) -> Vec<(u32, String)> {
    let place = format!("127.0.0.1:{}/", server.port());
    let entries = fs::read_dir("/proc").expect("Linux").filter_map(Result::ok);
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let publisher = |id: u32| {
        let arguments = fs::read(format!("/proc/{id}/cmdline")).ok()?;
        let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
        (arguments.contains("pipe:0") && arguments.contains(&place)).then_some((id, arguments))
    };
    ids.filter_map(publisher).collect()
}

async fn until_gone(server: &RtspServer) {
    let gone = async {
        while !publishers(server).is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(DEADLINE, gone).await.expect("no publisher is left");
}

#[tokio::test]
async fn a_published_stream_is_played_picture_by_picture_and_ends_with_the_device() {
    let Some(studio) = Studio::open_for_rtp() else { return };
    let Some(mut server) = RtspServer::start(RtspOptions::default()).await else { return };
    let bed = bed(studio.camera(100)).await;
    bed.edge().apply(&manifests(&server, "")).await.expect("applied");
    server.wait_for_line("published /plant/hall").await;
    until_published(&bed, &server.url("/plant/hall")).await;
    let (captured, played) = (studio.decoded(), studio.play(&server.url("/plant/hall"), 5).await);
    for picture in &played {
        assert!(captured.contains(picture), "a picture is played as it was captured, point by point");
    }
    bed.edge().delete_device(&id()).await.expect("removed");
    server.wait_for_line("unpublished /plant/hall").await;
    until_gone(&server).await;
    bed.stop().await.expect("stopped");
}

#[tokio::test]
async fn a_server_that_wants_a_password_gets_it_and_nobody_else_sees_it() {
    let Some(studio) = Studio::open_for_rtp() else { return };
    for login in [Login::Digest, Login::Basic] {
        let Some(mut server) = RtspServer::start(RtspOptions { login, ..RtspOptions::default() }).await else { return };
        let bed = bed(studio.camera(100)).await;
        bed.edge().apply(&manifests(&server, "")).await.expect("applied");
        server.wait_for_line("published /plant/hall").await;
        until_published(&bed, &server.url("/plant/hall")).await;
        server.process().kill().await;
        let reason = until_unhealthy(&bed, "is not published to").await;
        assert!(!reason.contains(RtspServer::PASSWORD), "{reason}");
        bed.stop().await.expect("stopped");
    }
}

#[tokio::test]
async fn a_wrong_password_is_said_and_not_shown() {
    let Some(studio) = Studio::open_for_rtp() else { return };
    let options = RtspOptions { login: Login::Digest, ..RtspOptions::default() };
    let Some(server) = RtspServer::start(options).await else { return };
    let builder = TestBed::builder(studio.camera(100), PROTOCOL);
    let bed = builder.environment("RTSP_USERNAME", "me").environment("RTSP_PASSWORD", "correct-horse").start().await;
    bed.edge().apply(&manifests(&server, "")).await.expect("applied");
    let reason = until_unhealthy(&bed, "401").await;
    assert!(!reason.contains("correct-horse") && reason.contains(&server.url("/plant/hall")), "{reason}");
    assert!(bed.edge().twin(&id(), "live").is_none(), "there is no value");
    bed.stop().await.expect("stopped");
}

#[tokio::test]
async fn a_server_that_is_away_at_first_and_dies_later_is_published_to_whenever_it_is_there() {
    let Some(studio) = Studio::open_for_rtp() else { return };
    let port = integration_tests::free_port();
    let options = RtspOptions { port, ..RtspOptions::default() };
    let bed = bed(studio.camera(50)).await;
    let visitor = format!("{{stream: rtsp, publishTo: 'rtsp://127.0.0.1:{port}/x'}}");
    bed.edge().apply(&Camera::manifests(&visitor, "reportToCloud: true, ")).await.expect("applied");
    until_unhealthy(&bed, "Connection refused").await;
    for _ in 0..2 {
        let Some(mut server) = RtspServer::start(options).await else { return };
        server.wait_for_line("published /x").await;
        until_published(&bed, &server.url("/x")).await;
        server.process().kill().await;
        until_unhealthy(&bed, "is not published to").await;
    }
    bed.stop().await.expect("stopped");
}

#[tokio::test]
async fn a_child_that_is_killed_is_started_again_and_none_is_left_when_the_mapper_stops() {
    let Some(studio) = Studio::open_for_rtp() else { return };
    let Some(mut server) = RtspServer::start(RtspOptions::default()).await else { return };
    let bed = bed(studio.camera(50)).await;
    bed.edge().apply(&manifests(&server, "")).await.expect("applied");
    server.wait_for_line("published /plant/hall").await;
    let [(child, _)] = publishers(&server)[..] else { panic!("one child: {:?}", publishers(&server)) };
    let killed = Command::new("sh").args(["-c", &format!("kill -9 {child}")]).status().await.expect("it runs");
    assert!(killed.success());
    let reason = until_unhealthy(&bed, "ffmpeg has ended").await;
    assert!(reason.contains("signal: 9"), "{reason}");
    server.wait_for_line("published /plant/hall").await;
    until_published(&bed, &server.url("/plant/hall")).await;
    let [(next, _)] = publishers(&server)[..] else { panic!("one child: {:?}", publishers(&server)) };
    assert_ne!(next, child);
    assert!(!Path::new(&format!("/proc/{child}")).exists(), "the dead one is no zombie");
    bed.stop().await.expect("stopped");
    assert!(publishers(&server).is_empty(), "none is left");
}

#[tokio::test]
async fn a_server_that_hangs_costs_nobody_anything_and_is_published_to_again() {
    let Some(studio) = Studio::open_for_rtp() else { return };
    let Some(mut server) = RtspServer::start(RtspOptions::default()).await else { return };
    // Enough to fill what the system keeps for the connection.
    let bed = bed(studio.camera(2)).await;
    bed.edge().apply(&manifests(&server, "")).await.expect("applied");
    until_published(&bed, &server.url("/plant/hall")).await;
    server.process().freeze().await;
    let reason = until_unhealthy(&bed, "has taken no frame").await;
    assert!(reason.contains("does the media server hang?"), "{reason}");
    let streaming = bed.edge().twin(&id(), "state").map(|twin| twin.value().to_owned());
    assert_eq!(streaming.as_deref(), Some("streaming"), "capture goes on");
    server.process().thaw().await;
    until_published(&bed, &server.url("/plant/hall")).await;
    bed.stop().await.expect("stopped");
}

#[tokio::test]
async fn pictures_that_rtp_cannot_carry_are_said_and_are_published_as_h264() {
    let Some(studio) = Studio::open("-pix_fmt yuvj444p") else { return };
    let Some(mut server) = RtspServer::start(RtspOptions::default()).await else { return };
    let bed = bed(studio.camera(100)).await;
    bed.edge().apply(&manifests(&server, "")).await.expect("applied");
    until_unhealthy(&bed, "set publishCodec to h264").await;
    bed.edge().apply(&manifests(&server, ", publishCodec: h264, frameEvery: 100")).await.expect("applied");
    server.wait_for_line("published /plant/hall").await;
    until_published(&bed, &server.url("/plant/hall")).await;
    assert_eq!(studio.play(&server.url("/plant/hall"), 3).await.len(), 3);
    bed.stop().await.expect("stopped");
}
