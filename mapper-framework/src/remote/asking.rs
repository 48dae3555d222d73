//! From a subcommand to what it prints.

use std::{io::Write, process::ExitCode};

use super::{Client, RemoteError, Style, client::encoded, events, explain, get, health, history, orders, status, top};
use crate::{
    cli::{Ask, HealthArgs},
    http::Probe,
    model::DeviceId,
};

/// Asks, prints the answer to `out`, and returns the exit code. What goes on until it is interrupted ends with `shutdown`.
pub(crate) async fn run(
    client: &Client,
    ask: &Ask,
    style: Style,
    mut out: impl Write,
    shutdown: impl Future<Output = ()>,
) -> Result<ExitCode, RemoteError> {
    let mut code = ExitCode::SUCCESS;
    let answer = match ask {
        Ask::Status(asked) => status::run(client, asked.output, style).await?,
        Ask::Get(args) => get::run(client, args, style).await?,
        Ask::Set(args) => orders::set(client, args).await?,
        Ask::Call(args) => orders::call(client, args).await?,
        Ask::Explain(args) => {
            let (answer, verdict) = explain::run(client, args, style).await?;
            code = verdict;
            answer
        }
        Ask::History(args) => history::run(client, args, style).await?,
        Ask::Health(HealthArgs { live, .. }) => {
            let probe = if *live { Probe::Live } else { Probe::Ready };
            return health::run(client, probe, out).await;
        }
        Ask::Events(args) => {
            return tokio::select! {
                ended = events::run(client, args, style, out) => ended.map(|()| code),
                () = shutdown => Ok(code),
            };
        }
        Ask::Top(args) => return top::run(client, args, style, shutdown).await.map(|()| code),
    };
    writeln!(out, "{}", answer.trim_end_matches('\n'))?;
    Ok(code)
}

/// The path of a device in the API.
pub(super) fn device_path(id: &DeviceId) -> String {
    format!("/api/v2/devices/{}/{}", encoded(id.namespace()), encoded(id.name()))
}
