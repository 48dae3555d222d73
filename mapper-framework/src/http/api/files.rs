//! The files to which a device's stream is recorded.

use std::io;

use axum::{
    Extension, Json,
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use futures_util::{Stream, StreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::{fs::File, io::AsyncReadExt, task::spawn_blocking};
use utoipa::{IntoParams, ToSchema};

use crate::{model::DeviceId, recording::RecordedFile};

use super::{
    super::{
        Site,
        access::Peer,
        problem::{Problem, Refused},
        view::{Page, rfc3339},
    },
    Path, Query,
    frames::place,
    inspect, page,
};

/// How much of a file is read at a time.
const PIECE: usize = 64 << 10;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct FilesQuery {
    /// The most items, at most 1,000. By default 500.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// What the page before gave as `continue`.
    r#continue: Option<String>,
}

/// A recorded file.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Recording {
    /// The name, by which files sort by their time.
    pub(crate) name: String,
    /// When its first frame was taken.
    pub(crate) time: String,
    pub(crate) bytes: u64,
    /// The media type, such as `image/jpeg`.
    pub(crate) content_type: String,
    /// Where it is to be had: a path of this server.
    pub(crate) uri: String,
}

/// Bytes that are no text, for the document.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "only its schema matters")]
struct Content(Vec<u8>);

/// The files to which a device's stream was recorded, oldest first
///
/// Files that are still being written are not among them. Any file may be gone a moment later, since new ones take the room of old ones.
#[utoipa::path(get, path = "/api/v2/devices/{namespace}/{name}/files", tag = "streams", operation_id = "listFiles",
    params(("namespace" = String, Path), ("name" = String, Path), FilesQuery),
    responses((status = 200, body = Page<Recording>), Refused))]
pub(super) async fn list(
    State(site): State<Site>,
    Path((namespace, name)): Path<(String, String)>,
    Query(query): Query<FilesQuery>,
) -> Result<Json<Page<Recording>>, Problem> {
    let id = inspect(&site, &namespace, &name).await?.summary.id;
    let recordings = site.handle().recordings().clone();
    let device = id.clone();
    let listed = spawn_blocking(move || recordings.list(&device)).await;
    let files = listed.unwrap_or_else(|panic| Err(io::Error::other(panic))).map_err(|error| unreadable(&id, &error))?;
    let recordings = site.handle().recordings();
    let view = |RecordedFile { name, bytes }: RecordedFile| Recording {
        time: rfc3339(name.time()),
        content_type: name.kind().content_type().to_owned(),
        uri: recordings.uri(&id, &name),
        name: name.to_string(),
        bytes,
    };
    Ok(Json(page(files, |file| file.name.to_string(), view, query.limit, query.r#continue.as_deref())))
}

/// A file to which a device's stream was recorded
///
/// The status is 404 where it is not there, no longer, or not yet whole, and 503 where there are too many streams, of which this is one.
#[utoipa::path(get, path = "/api/v2/devices/{namespace}/{name}/files/{file}", tag = "streams", operation_id = "getFile",
    params(("namespace" = String, Path), ("name" = String, Path), ("file" = String, Path)),
    responses((status = 200, body = inline(Content), content_type = "application/octet-stream"), Refused))]
pub(super) async fn get(
    State(site): State<Site>,
    Extension(peer): Extension<Peer>,
    Path((namespace, name, file)): Path<(String, String, String)>,
) -> Result<Response, Problem> {
    let id = inspect(&site, &namespace, &name).await?.summary.id;
    let place = place(&site, &peer)?;
    let (recordings, device, wanted) = (site.handle().recordings().clone(), id.clone(), file.clone());
    let opened = spawn_blocking(move || recordings.read(&device, &wanted)).await;
    let opened = opened.unwrap_or_else(|panic| Err(io::Error::other(panic)));
    let Some((opened, name, bytes)) = opened.map_err(|error| unreadable(&id, &error))? else {
        let cure = format!("GET /api/v2/devices/{id}/files lists those that there are");
        return Err(Problem::not_found(format_args!("device {id} has no recorded file {file:?}: {cure}")));
    };
    let headers = [
        (header::CONTENT_TYPE, name.kind().content_type().to_owned()),
        (header::CONTENT_LENGTH, bytes.to_string()),
        (header::CACHE_CONTROL, "private".to_owned()),
    ];
    let pieces = pieces(File::from_std(opened), bytes).map(move |piece| {
        let _held = &place;
        piece
    });
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// The bytes of a file. One that was deleted meanwhile can still be read.
fn pieces(file: File, bytes: u64) -> impl Stream<Item = io::Result<Bytes>> {
    stream::try_unfold((file, bytes), async |(mut file, left)| {
        let mut piece = vec![0; PIECE.min(usize::try_from(left).unwrap_or(PIECE))];
        let read = file.read(&mut piece).await?;
        piece.truncate(read);
        Ok((read > 0).then(|| (Bytes::from(piece), (file, left.saturating_sub(read as u64)))))
    })
}

fn unreadable(id: &DeviceId, error: &io::Error) -> Problem {
    let detail =
        format!("the recordings of device {id} cannot be read: {error}: see streams.dir in the mapper's config");
    Problem::new(axum::http::StatusCode::SERVICE_UNAVAILABLE, detail)
}
