//! The log of a mapper that runs on the test's own thread.

use std::{
    io::{self, Write},
    sync::{Arc, LazyLock},
    thread,
};

use integration_tests::DEADLINE;
use tokio::{sync::watch, time::timeout};
use tracing::{
    Dispatch, Level,
    subscriber::{DefaultGuard, NoSubscriber},
};

/// Lives for ever beside the others. While there is one subscriber only, a line that is first reached on a thread without it is taken for one that
/// nobody wants, on all threads.
static BESIDE: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::default()));

/// What is logged at INFO and above while this lives, if it was made on the thread of a runtime that has no other.
pub(crate) struct Log {
    lines: Lines,
    _guard: DefaultGuard,
}

#[derive(Clone)]
struct Lines(Arc<watch::Sender<Vec<String>>>);

impl Log {
    pub(crate) fn start() -> Self {
        LazyLock::force(&BESIDE);
        let lines = Lines(Arc::new(watch::channel(Vec::new()).0));
        let sink = lines.clone();
        let subscriber =
            tracing_subscriber::fmt().with_max_level(Level::INFO).with_ansi(false).with_writer(move || sink.clone());
        Self { lines, _guard: tracing::subscriber::set_default(subscriber.finish()) }
    }

    /// The lines so far that hold all of the texts.
    pub(crate) fn with(&self, texts: &[&str]) -> Vec<String> {
        holding(&self.lines.0.borrow(), texts).cloned().collect()
    }

    /// Waits for a line that holds all of the texts, among those logged already and those to come.
    pub(crate) async fn wait_for(&self, texts: &[&str]) -> String {
        let mut lines = self.lines.0.subscribe();
        let came = timeout(DEADLINE, lines.wait_for(|lines| holding(lines, texts).next().is_some())).await.is_ok();
        assert!(came, "no line with {texts:?} within {DEADLINE:?}: {:#?}", self.with(&[]));
        self.with(texts).swap_remove(0)
    }
}

impl Drop for Log {
    /// A test that fails shows what was logged.
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the mapper's log: {:#?}", self.with(&[]));
        }
    }
}

fn holding<'a>(lines: &'a [String], texts: &'a [&str]) -> impl Iterator<Item = &'a String> {
    lines.iter().filter(|line| texts.iter().all(|text| line.contains(text)))
}

impl Write for Lines {
    /// A subscriber writes a whole line at once.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(bytes).trim_end().to_owned();
        self.0.send_modify(|lines| lines.push(line));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
