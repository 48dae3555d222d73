//! The terminal: its own screen while the table is shown, and as it was before in any case.

use std::{
    io::{self, IsTerminal, Read, Write},
    panic,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
};

use super::{
    super::RemoteError,
    keys::{Key, keys},
    screen::Size,
};

/// The terminal's other screen, without a cursor and without wrapped lines.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";

/// How many keys may wait.
const WAITING_KEYS: usize = 64;

/// The size of a terminal that does not know its own.
const DEFAULT_SIZE: Size = Size { columns: 80, lines: 24 };

/// Whether somebody sits before standard input and output.
pub(super) fn is_there() -> bool {
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    io::stdin().is_terminal() && io::stdout().is_terminal() && !is_dumb
}

/// A terminal that shows a screen. Dropping it restores what was there before, and so does a panic.
pub(super) struct Terminal {
    pub(super) keys: mpsc::Receiver<Key>,
    pub(super) resized: Signal,
    restore: Restore,
}

/// How the terminal was before; `None` once it is so again.
#[derive(Clone)]
struct Restore(Arc<Mutex<Option<Termios>>>);

impl Terminal {
    pub(super) fn open() -> Result<Self, RemoteError> {
        let failed = |source: rustix::io::Errno| RemoteError::Terminal(source.into());
        let before = tcgetattr(io::stdin()).map_err(failed)?;
        let mut modes = before.clone();
        // Keys come at once and are not shown. Ctrl-C stays a signal, and Ctrl-Z means nothing.
        modes.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        modes.special_codes[SpecialCodeIndex::VSUSP] = 0;
        let resized = signal(SignalKind::window_change()).map_err(RemoteError::Terminal)?;
        let restore = Restore(Arc::new(Mutex::new(Some(before))));
        restore.at_a_panic();
        tcsetattr(io::stdin(), OptionalActions::Flush, &modes).map_err(failed)?;
        write(ENTER)?;
        Ok(Self { keys: read_keys()?, resized, restore })
    }

    pub(super) fn size(&self) -> Size {
        match tcgetwinsize(io::stdout()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
                Size { columns: size.ws_col.into(), lines: size.ws_row.into() }
            }
            _ => DEFAULT_SIZE,
        }
    }

    /// Shows the lines in place of those before.
    pub(super) fn draw(&mut self, lines: &[String]) -> Result<(), RemoteError> {
        let mut frame = String::from("\x1b[H");
        for (at, line) in lines.iter().enumerate() {
            frame.push_str(if at == 0 { "" } else { "\r\n" });
            frame.push_str(line);
            frame.push_str("\x1b[K");
        }
        frame.push_str("\x1b[J");
        write(&frame)
    }
}

impl Restore {
    /// Has a panic's message appear on the screen that stays.
    fn at_a_panic(&self) {
        let (restore, before) = (self.clone(), panic::take_hook());
        panic::set_hook(Box::new(move |info| {
            // A driver's panic is caught, and the table goes on.
            if thread::current().name() == Some("main") {
                restore.now();
            }
            before(info);
        }));
    }

    fn now(&self) {
        // Held for two system calls, on the way out.
        let before = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(before) = before {
            // A terminal that is gone needs nothing.
            write(LEAVE).ok();
            tcsetattr(io::stdin(), OptionalActions::Now, &before).ok();
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.restore.now();
    }
}

fn write(text: &str) -> Result<(), RemoteError> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(RemoteError::Terminal)
}

/// The keys, by a thread that ends with standard input or with the process: a read from a terminal cannot be interrupted.
fn read_keys() -> Result<mpsc::Receiver<Key>, RemoteError> {
    let (pressed, waiting) = mpsc::channel(WAITING_KEYS);
    let read = move || {
        let mut buffer = [0; 64];
        while let Ok(length @ 1..) = io::stdin().lock().read(&mut buffer) {
            for key in keys(&buffer[..length]) {
                if pressed.blocking_send(key).is_err() {
                    return;
                }
            }
        }
    };
    thread::Builder::new().name("keys".to_owned()).spawn(read).map_err(RemoteError::Terminal)?;
    Ok(waiting)
}
