//! The log of a mapper that runs on the test's own thread.
//!
//! One subscriber serves the whole process, and writes to what the thread has set. One for each thread would not do: a line that is first
//! reached on a thread without any is taken for one that nobody wants, on all threads.

use std::{
    cell::RefCell,
    io::{self, Write},
    sync::{Arc, Mutex, Once},
};

use tracing::Level;

thread_local! {
    static LINES: RefCell<Option<Sink>> = const { RefCell::new(None) };
}

/// What is logged on this thread at WARN and above while this lives.
pub(crate) struct Logged {
    lines: Sink,
}

impl Logged {
    pub(crate) fn warnings() -> Self {
        static INSTALLED: Once = Once::new();
        INSTALLED.call_once(|| {
            let subscriber = tracing_subscriber::fmt().with_max_level(Level::WARN).with_ansi(false);
            subscriber.with_writer(|| LINES.with_borrow(|lines| lines.clone().unwrap_or_default())).init();
        });
        let lines = Sink::default();
        LINES.set(Some(lines.clone()));
        Self { lines }
    }

    /// The lines that hold all of the texts.
    pub(crate) fn with(&self, texts: &[&str]) -> Vec<String> {
        let log = String::from_utf8(self.lines.0.lock().unwrap().clone()).unwrap();
        log.lines().filter(|line| texts.iter().all(|text| line.contains(text))).map(str::to_owned).collect()
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        LINES.set(None);
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
