//! The stream of a device: its newest picture, and the live pictures.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension,
    body::{Body, Bytes},
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::{Stream, StreamExt, future::ready, stream};
use tokio::{sync::OwnedSemaphorePermit, time::timeout};
use utoipa::ToSchema;

use crate::{
    model::DeviceId,
    runtime::NoFrames,
    stream::{ContentType, Frame, FrameReader, StreamState, StreamStatus},
};

use super::{
    super::{
        Site,
        access::Peer,
        problem::{Problem, Refused},
    },
    Path, no_device,
};

/// How long a request waits for the first frame of a stream that has just begun.
const FIRST_WITHIN: Duration = Duration::from_secs(5);

/// After which pause a picture is sent once more. Chromium shows a picture when the next one begins, and of a camera that gives one a minute it would
/// show what was a minute ago.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// What stands between two pictures.
const BOUNDARY: &str = "frame";

/// Bytes that are no text, for the document.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "only its schema matters")]
struct Picture(Vec<u8>);

/// The newest picture of a device's stream
///
/// `X-Sequence` is the number of the frame, and `X-Timestamp` when it was taken, in seconds since 1970. A stream whose first frame has not come is
/// waited for, for five seconds at most. The status is 404 where the device has no stream, 409 where it was stopped or its frames are no JPEG,
/// and 503 where no frame comes.
#[utoipa::path(get, path = "/api/v2/devices/{namespace}/{name}/snapshot.jpg", tag = "streams", operation_id = "getSnapshot",
    params(("namespace" = String, Path), ("name" = String, Path)),
    responses((status = 200, content_type = "image/jpeg", body = inline(Picture)), Refused))]
pub(super) async fn snapshot(
    State(site): State<Site>,
    Path((namespace, name)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let id = DeviceId::new(&namespace, &name);
    let mut reader = reader(&site, &id).await?;
    let frame = match timeout(FIRST_WITHIN, reader.next()).await {
        Ok(frame) => frame.ok_or_else(|| no_device(&id))?,
        Err(_) => return Err(no_frame(&id, &reader.status())),
    };
    check_type(&id, &frame)?;
    let headers = [
        (header::CONTENT_TYPE.as_str(), ContentType::Jpeg.as_str().to_owned()),
        (header::CACHE_CONTROL.as_str(), "no-store".to_owned()),
        ("x-sequence", frame.sequence().unwrap_or_default().to_string()),
        ("x-timestamp", frame.timestamp()),
    ];
    Ok((headers, frame.bytes().clone()).into_response())
}

/// The pictures of a device's stream as they come
///
/// Each part is a JPEG with its `Content-Length`, `X-Sequence` and `X-Timestamp`, as for a snapshot. Who reads too slowly skips pictures, and gets the
/// newest one next. A picture that none follows within half a second is sent once more, since browsers show a picture when the next one begins. The answer ends when the device is removed; while its stream is stalled or stopped it goes on without pictures. It counts as one
/// of the mapper's streams.
#[utoipa::path(get, path = "/api/v2/devices/{namespace}/{name}/stream.mjpeg", tag = "streams", operation_id = "watchStream",
    params(("namespace" = String, Path), ("name" = String, Path)),
    responses((status = 200, content_type = "multipart/x-mixed-replace", body = inline(Picture)), Refused))]
pub(super) async fn live(
    State(site): State<Site>,
    Extension(peer): Extension<Peer>,
    Path((namespace, name)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let id = DeviceId::new(&namespace, &name);
    let reader = reader(&site, &id).await?;
    let status = reader.status();
    if let Some(frame) = &status.newest {
        check_type(&id, frame)?;
    }
    let place = place(&site, &peer)?;
    let parts = parts(reader).map(move |part| {
        // The place is free when the answer has ended, however it ends.
        let _held = &place;
        Ok::<_, Infallible>(part)
    });
    let headers = [
        (header::CONTENT_TYPE, format!("multipart/x-mixed-replace; boundary={BOUNDARY}")),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, Body::from_stream(parts)).into_response())
}

/// A place among the streams, which is free again when it is dropped.
pub(super) fn place(site: &Site, peer: &Peer) -> Result<OwnedSemaphorePermit, Problem> {
    Arc::clone(site.streams(peer)).try_acquire_owned().map_err(|_| {
        let detail = "there are as many streams as the mapper serves at a time: close one";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    })
}

/// Reads the stream of a device, unless it was stopped.
async fn reader(site: &Site, id: &DeviceId) -> Result<FrameReader, Problem> {
    let reader = site.handle().frames(id).await.map_err(|error| match error {
        NoFrames::NoDevice => no_device(id),
        NoFrames::Stopping => Problem::stopping(),
        NoFrames::NoStream => {
            let cure =
                "give one of its properties `stream: state` in visitors.configData, and take a driver that has streams";
            Problem::not_found(format_args!("device {id} has no stream: {cure}"))
        }
    })?;
    match reader.status() {
        StreamStatus { state: StreamState::Stopped, reason: Some(reason), .. } => {
            Err(Problem::new(StatusCode::CONFLICT, format_args!("the stream of device {id} is stopped: {reason}")))
        }
        _ => Ok(reader),
    }
}

fn no_frame(id: &DeviceId, status: &StreamStatus) -> Problem {
    let state = status.state.as_str();
    let reason = status.reason.clone().or_else(|| status.refusal.clone());
    let reason = reason.map_or_else(String::new, |reason| format!(" ({reason})"));
    let cure = format!("GET /api/v2/devices/{id} says how the device is");
    let detail =
        format!("no frame of device {id} has come within {FIRST_WITHIN:?}, its stream is {state}{reason}: {cure}");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
}

fn check_type(id: &DeviceId, frame: &Frame) -> Result<(), Problem> {
    if frame.content_type() == ContentType::Jpeg {
        return Ok(());
    }
    let cure = "have its driver send image/jpeg";
    let detail = format!("the frames of device {id} are {}, and no image/jpeg: {cure}", frame.content_type());
    Err(Problem::new(StatusCode::CONFLICT, detail))
}

/// The body of a live stream. The boundary follows each picture at once, so that a player need not wait for the next one to know its end.
fn parts(reader: FrameReader) -> impl Stream<Item = Bytes> {
    let first = stream::iter([Bytes::from(format!("--{BOUNDARY}\r\n"))]);
    let frames = stream::unfold((reader, None), async |(mut reader, sent)| {
        let (frame, is_news) = next(&mut reader, sent).await?;
        Some((Arc::clone(&frame), (reader, is_news.then_some(frame))))
    });
    // A stream that turns out to be no pictures has nothing to show.
    let pictures = frames.take_while(|frame| ready(frame.content_type() == ContentType::Jpeg));
    first.chain(pictures.flat_map(|frame| stream::iter(part(&frame))))
}

/// Waits for the next frame, or gives the one that was sent last once more, unless the stream has ended since. Returns whether it is a new one.
async fn next(reader: &mut FrameReader, sent: Option<Arc<Frame>>) -> Option<(Arc<Frame>, bool)> {
    if let Some(sent) = sent {
        match timeout(AGAIN_AFTER, reader.next()).await {
            Ok(frame) => return Some((frame?, true)),
            Err(_) if reader.status().newest.is_some() => return Some((sent, false)),
            Err(_) => {}
        }
    }
    Some((reader.next().await?, true))
}

/// One picture. The bytes are those in the slot: they are not copied.
fn part(frame: &Frame) -> Vec<Bytes> {
    let head = format!(
        "Content-Type: image/jpeg\r\nContent-Length: {}\r\nX-Sequence: {}\r\nX-Timestamp: {}\r\n\r\n",
        frame.bytes().len(),
        frame.sequence().unwrap_or_default(),
        frame.timestamp()
    );
    vec![Bytes::from(head), frame.bytes().clone(), Bytes::from(format!("\r\n--{BOUNDARY}\r\n"))]
}
