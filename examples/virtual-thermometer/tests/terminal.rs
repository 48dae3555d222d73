//! The live table, in a terminal of the test's own.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::fd::OwnedFd,
    process::Stdio,
    sync::mpsc,
    thread,
    time::Instant,
};

use integration_tests::DEADLINE;
use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize},
};
use tokio::process::{Child, Command};

const DEVICES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/devices");

/// What takes the terminal's other screen, and what gives it back.
const ENTERED: &str = "\x1b[?1049h";
const LEFT: &str = "\x1b[?1049l";

/// A terminal with a program in it.
struct Terminal {
    keyboard: File,
    /// Stays open, so that the terminal outlives the program.
    inside: File,
    pieces: mpsc::Receiver<Vec<u8>>,
    shown: String,
    program: Child,
}

impl Terminal {
    fn start(arguments: &[&str], columns: u16, lines: u16) -> io::Result<Self> {
        let outside = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        grantpt(&outside)?;
        unlockpt(&outside)?;
        let name = ptsname(&outside, Vec::new())?;
        let inside = OpenOptions::new().read(true).write(true).open(name.to_str().map_err(io::Error::other)?)?;
        tcsetwinsize(&inside, Winsize { ws_row: lines, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })?;
        let stdio = || inside.try_clone().map(|file| Stdio::from(OwnedFd::from(file)));
        let mut command = Command::new(env!("CARGO_BIN_EXE_virtual-thermometer"));
        command.args(arguments).env("TERM", "xterm").env("NO_COLOR", "1").env("MAPPER_COMMON__HTTP_PORT", "0");
        let program = command.stdin(stdio()?).stdout(stdio()?).stderr(stdio()?).kill_on_drop(true).spawn()?;
        let keyboard = File::from(outside);
        let (sender, pieces) = mpsc::channel();
        let mut screen = keyboard.try_clone()?;
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = screen.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Ok(Self { keyboard, inside, pieces, shown: String::new(), program })
    }

    /// Waits until the terminal has been sent this text.
    fn wait_for(&mut self, text: &str) {
        let end = Instant::now() + DEADLINE;
        while !self.shown.contains(text) {
            let rest = end.saturating_duration_since(Instant::now());
            let piece = self.pieces.recv_timeout(rest).unwrap_or_else(|_| panic!("no {text:?} in {}", self.shown));
            self.shown.push_str(&String::from_utf8_lossy(&piece));
        }
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    /// Whether keys are shown and wait for the end of their line, as a shell needs it.
    fn is_as_before(&self) -> bool {
        let modes = tcgetattr(&self.inside).expect("it is a terminal").local_modes;
        modes.contains(LocalModes::ICANON | LocalModes::ECHO)
    }
}

#[tokio::test]
async fn a_standalone_run_shows_a_table_and_leaves_the_terminal_as_it_was() {
    let mut terminal = Terminal::start(&["--standalone", DEVICES], 110, 30).unwrap();
    for shown in [ENTERED, "default/thermometer-1", "temperature", "true converged", "q quits"] {
        terminal.wait_for(shown);
    }
    assert!(!terminal.is_as_before());
    terminal.press("\x1b[Bq");
    terminal.wait_for(LEFT);
    // The last lines stay, the mapper's end among them.
    terminal.wait_for("edge stopped");
    assert_eq!(terminal.program.wait().await.unwrap().code(), Some(0));
    assert!(terminal.is_as_before());
}

#[tokio::test]
async fn a_signal_leaves_the_terminal_as_it_was_too() {
    let mut terminal = Terminal::start(&["--standalone", DEVICES], 80, 24).unwrap();
    terminal.wait_for("temperature");
    let pid = terminal.program.id().unwrap().to_string();
    Command::new("kill").args(["-INT", &pid]).status().await.unwrap();
    terminal.wait_for(LEFT);
    assert_eq!(terminal.program.wait().await.unwrap().code(), Some(0));
    assert!(terminal.is_as_before());
}

#[tokio::test]
async fn a_plain_run_prints_lines_in_a_terminal_too() {
    let mut terminal = Terminal::start(&["--standalone", DEVICES, "--plain", "--run-for", "5s"], 80, 24).unwrap();
    terminal.wait_for("twin default/thermometer-1 temperature = ");
    assert!(!terminal.shown.contains(ENTERED), "{}", terminal.shown);
    assert_eq!(terminal.program.wait().await.unwrap().code(), Some(0));
}
