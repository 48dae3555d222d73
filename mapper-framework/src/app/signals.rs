//! When a mapper is to end.

use std::{future::Future, io, time::Duration};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The exit code after a second signal has cut a shutdown short: 128 and the number of SIGINT, as shells have it.
const ABORTED: i32 = 130;

/// The signals that end a mapper.
struct Signals([Signal; 4]);

impl Signals {
    /// Listens for what asks a process to end: from the kubelet, from a terminal by its keys, and from one that is closed.
    fn listen() -> io::Result<Self> {
        let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup(), SignalKind::quit()];
        let [terminate, interrupt, hangup, quit] = kinds.map(signal);
        Ok(Self([terminate?, interrupt?, hangup?, quit?]))
    }

    async fn next(&mut self) {
        let [terminate, interrupt, hangup, quit] = &mut self.0;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
            _ = quit.recv() => {}
        }
    }
}

/// Completes at the first signal that ends a mapper, or when the time is up. From then on, another signal ends the process.
pub(super) fn shutdown(run_for: Option<Duration>) -> io::Result<impl Future<Output = ()>> {
    let mut signals = Signals::listen()?;
    Ok(async move {
        tokio::select! {
            () = signals.next() => {}
            () = elapsed(run_for) => {}
        }
        tokio::spawn(async move {
            signals.next().await;
            eprintln!("aborted by a second signal");
            std::process::exit(ABORTED);
        });
    })
}

async fn elapsed(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}
