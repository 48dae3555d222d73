//! Video of H.264 and H.265 out of a real server, and into a real decoder.

#![allow(clippy::unwrap_used, reason = "a test says so when something is missing")]

use std::{fs, path::Path, time::Duration};

use integration_tests::{
    ChildGuard, Tool,
    servers::{Login as Door, Publisher, RtspOptions, RtspServer, Video as Published},
};
use mapper_framework::model::Secret;
use tokio::process::Command;

use super::*;
use crate::{login::Login, rtsp::Rtsp};

/// Frames of about three seconds, so of several key frames.
const FRAMES: usize = 32;

async fn server(video: Published) -> Option<(RtspServer, Publisher)> {
    let mut server = RtspServer::start(RtspOptions { login: Door::Digest, ..RtspOptions::default() }).await?;
    let publisher = server.publish("/camera", video, (320, 240)).await?;
    Some((server, publisher))
}

async fn play(server: &RtspServer, transport: Transport) -> Video {
    let password = Secret::new(RtspServer::PASSWORD);
    let login = Some(Login { username: RtspServer::USER.to_owned(), password });
    let url = server.url("/camera").parse().unwrap();
    let source = Rtsp { url, login, transport, patience: Duration::from_secs(5) };
    let described = source.describe().await.unwrap();
    source.play(described, Clock::default()).await.unwrap()
}

/// How many frames a decoder makes of the file, and their size.
async fn decoded(ffprobe: &Path, file: &Path) -> String {
    let mut command = Command::new(ffprobe);
    command.args(["-loglevel", "error", "-count_frames", "-show_entries", "stream=width,height,nb_read_frames"]);
    let mut probe = ChildGuard::spawn(command.args(["-of", "csv=p=0"]).arg(file));
    assert!(probe.exit().await.success());
    probe.lines().concat()
}

async fn is_decoded_from_each_key_frame_on(video: Published, ending: &str) {
    let Tool::At(ffprobe) = integration_tests::ffmpeg("ffprobe") else { return };
    for transport in [Transport::Tcp, Transport::Udp] {
        let Some((mut server, _publisher)) = server(video).await else { return };
        let mut video = play(&server, transport).await;
        server.wait_for_line(&format!("reads /camera by {}", transport.to_string().to_uppercase())).await;
        let mut frames = Vec::new();
        for _ in 0..FRAMES {
            let (format, frame) = video.next().await.unwrap();
            assert_eq!((format.width(), format.height()), (320, 240));
            assert!(frame.bytes().starts_with(&[0, 0, 0, 1]), "{frame:?}");
            frames.push(frame);
        }
        let keys: Vec<_> = (0..FRAMES).filter(|index| frames[*index].is_key()).collect();
        assert!(keys.first() == Some(&0) && keys.len() >= 3, "{keys:?}");
        let folder = tempfile::tempdir().unwrap();
        // What begins at a key frame needs nothing that came before it.
        for key in [keys[0], keys[1]] {
            let file = folder.path().join(ending);
            let bytes: Vec<_> = frames[key..].iter().flat_map(|frame| frame.bytes().to_vec()).collect();
            fs::write(&file, bytes).unwrap();
            assert_eq!(decoded(&ffprobe, &file).await, format!("320,240,{}", FRAMES - key), "{transport}");
        }
    }
}

#[tokio::test]
async fn h264_is_decoded_from_each_key_frame_on() {
    is_decoded_from_each_key_frame_on(Published::H264, "video.h264").await;
}

#[tokio::test]
async fn h265_is_decoded_from_each_key_frame_on() {
    is_decoded_from_each_key_frame_on(Published::H265, "video.h265").await;
}

#[tokio::test]
async fn a_video_that_ends_says_so() {
    let Some((server, publisher)) = server(Published::H264).await else { return };
    let mut video = play(&server, Transport::Tcp).await;
    video.next().await.unwrap();
    publisher.stop().await;
    let error = loop {
        if let Err(error) = video.next().await {
            break error;
        }
    };
    assert!(error.is_disconnected() && error.to_string().starts_with("no more video comes: "), "{error}");
}
