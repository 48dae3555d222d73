//! `health`: a probe, for images without a shell or an HTTP client.

use std::{io::Write, process::ExitCode, time::Duration};

use hyper::{Method, StatusCode};

use super::{Client, RemoteError};
use crate::http::Probe;

/// How long the mapper may take to answer: longer than it takes itself to find out that it hangs.
const ANSWER_WITHIN: Duration = Duration::from_secs(8);

/// Asks, prints one line, and returns the exit code.
pub(crate) async fn run(client: &Client, probe: Probe, mut out: impl Write) -> Result<ExitCode, RemoteError> {
    let answer = async {
        let coming = client.send(Method::GET, probe.path(), None).await?;
        Ok((coming.status(), coming.text().await?))
    };
    let (status, text) = client.within(ANSWER_WITHIN, answer).await?;
    let (line, code) = verdict(status, &text);
    writeln!(out, "{line}")?;
    Ok(code)
}

/// The line and the exit code for an answer, which has a line for each check that fails.
fn verdict(status: StatusCode, text: &str) -> (String, ExitCode) {
    if status == StatusCode::OK {
        return ("ok".to_owned(), ExitCode::SUCCESS);
    }
    let failing: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("[-] ")).collect();
    let line = match failing.as_slice() {
        [] => format!("not ok: {status}"),
        failing => format!("not ok, not so: {}", failing.join(", ")),
    };
    (line, ExitCode::FAILURE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_is_one_line() {
        assert_eq!(verdict(StatusCode::OK, "ok\n").0, "ok");
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        let text = "[-] edgecore has registered the mapper\n";
        assert_eq!(verdict(unavailable, text).0, "not ok, not so: edgecore has registered the mapper");
        assert_eq!(verdict(unavailable, "x").0, "not ok: 503 Service Unavailable");
    }
}
