//! The log of a mapper that runs on the test's own thread.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use tracing::{Level, subscriber::DefaultGuard};

/// What is logged at WARN and above while this lives.
pub(crate) struct Logged {
    lines: Sink,
    _guard: DefaultGuard,
}

impl Logged {
    pub(crate) fn warnings() -> Self {
        let lines = Sink::default();
        let sink = lines.clone();
        let subscriber =
            tracing_subscriber::fmt().with_max_level(Level::WARN).with_ansi(false).with_writer(move || sink.clone());
        Self { lines, _guard: tracing::subscriber::set_default(subscriber.finish()) }
    }

    /// The lines that hold all of the texts.
    pub(crate) fn with(&self, texts: &[&str]) -> Vec<String> {
        let log = String::from_utf8(self.lines.0.lock().unwrap().clone()).unwrap();
        log.lines().filter(|line| texts.iter().all(|text| line.contains(text))).map(str::to_owned).collect()
    }
}

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
