//! Processes that end with their test.

use std::{
    collections::HashSet,
    future::Future,
    panic::Location,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::watch,
    time::timeout,
};

/// How long [`ChildGuard`] waits before the test fails. Real processes on a busy machine are slow; no test waits this
/// long unless it fails.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// A process which is killed when its guard is dropped, so when the test ends in whatever way. Its output is kept line
/// by line, the two streams together, and is part of every failure's message.
///
/// The deadline is a real one: a test with paused time has no use for this.
#[derive(Debug)]
pub struct ChildGuard {
    /// As the test started it, for messages.
    command: String,
    child: Child,
    /// All lines so far. The senders are in the two tasks that read the process's output: closed means no more comes.
    lines: watch::Receiver<Vec<String>>,
    /// The lines which no wait returns any more, by index.
    taken: HashSet<usize>,
}

impl ChildGuard {
    /// Starts the command, with no input and its output captured. Has to be called inside a Tokio runtime.
    ///
    /// # Panics
    ///
    /// If the command cannot be started.
    #[track_caller]
    pub fn spawn(command: &mut Command) -> Self {
        let name = format!("{:?}", command.as_std());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        // Mappers run side by side, and only one of them can have the port that all of them take by default.
        const PORT: &str = "MAPPER_COMMON__HTTP_PORT";
        if command.as_std().get_envs().all(|(name, _)| name != PORT) {
            command.env(PORT, "0");
        }
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        let (sender, lines) = watch::channel(Vec::new());
        tokio::spawn(keep_lines(child.stdout.take().expect("stdout is piped"), sender.clone()));
        tokio::spawn(keep_lines(child.stderr.take().expect("stderr is piped"), sender));
        Self { command: name, child, lines, taken: HashSet::new() }
    }

    /// Waits for a line that `matches`, among those printed already and those to come, and returns it.
    ///
    /// A line is returned once: the next wait passes over it. Lines passed over stay, so that it does not matter in which
    /// order two streams or two tasks of the process print. To wait for what comes after an action, call
    /// [`forget_lines`](Self::forget_lines) before the action.
    ///
    /// # Panics
    ///
    /// The future panics when the [`DEADLINE`] passes or the output ends without such a line.
    #[track_caller]
    pub fn wait_for_line(&mut self, matches: impl Fn(&str) -> bool) -> impl Future<Output = String> {
        let caller = Location::caller();
        async move {
            match timeout(DEADLINE, self.next_line(matches)).await {
                Ok(Some(line)) => line,
                Ok(None) => panic!("{caller}: the output ended without the awaited line; {}", self.story()),
                Err(_) => panic!("{caller}: the awaited line has not come in {DEADLINE:?}; {}", self.story()),
            }
        }
    }

    /// Waits for the process to end by itself, and for the end of its output, which a process of its own may hold open.
    ///
    /// # Panics
    ///
    /// The future panics when the [`DEADLINE`] passes.
    #[track_caller]
    pub fn exit(&mut self) -> impl Future<Output = ExitStatus> {
        let caller = Location::caller();
        async move {
            match timeout(DEADLINE, self.ended()).await {
                Ok(status) => status,
                Err(_) => {
                    panic!("{caller}: the process and its output have not ended in {DEADLINE:?}; {}", self.story())
                }
            }
        }
    }

    /// Asks the process to end, by SIGTERM; [`exit`](Self::exit) returns how it did.
    ///
    /// # Panics
    ///
    /// If the process has ended already.
    pub async fn terminate(&self) {
        self.signal("TERM").await;
    }

    /// Stops the process in the middle of what it does, by SIGSTOP: the system goes on accepting connections for it, and nobody
    /// answers on them.
    ///
    /// # Panics
    ///
    /// If the process has ended already.
    pub async fn freeze(&self) {
        self.signal("STOP").await;
    }

    /// Lets a frozen process go on, by SIGCONT.
    ///
    /// # Panics
    ///
    /// If the process has ended already.
    pub async fn thaw(&self) {
        self.signal("CONT").await;
    }

    /// Sends a signal by its name, such as `HUP`.
    ///
    /// # Panics
    ///
    /// If the process has ended already.
    pub async fn signal(&self, name: &str) {
        let id = self.child.id().unwrap_or_else(|| panic!("there is no process to signal; {}", self.story()));
        // Every shell has `kill` built in; not every machine has the program.
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status().await;
        assert!(sent.is_ok_and(|status| status.success()), "SIG{name} cannot be sent; {}", self.story());
    }

    /// Ends the process at once, by SIGKILL, and waits until it is gone.
    ///
    /// # Panics
    ///
    /// If the system refuses.
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap_or_else(|error| panic!("the process cannot be killed: {error}"));
    }

    /// Makes every later wait pass over what has been printed so far.
    pub fn forget_lines(&mut self) {
        self.taken.extend(0..self.lines.borrow().len());
    }

    /// Everything printed so far, whether a wait returned it or not.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.lines.borrow().clone()
    }

    /// Waits until more than `seen` lines have been printed, and returns those after them, whether a wait returned them or not; none if
    /// the output ends without any.
    pub async fn lines_after(&mut self, seen: usize) -> Vec<String> {
        // An error says that both readers are done; the last lines may have come with the end.
        drop(self.lines.wait_for(|lines| lines.len() > seen).await);
        self.lines.borrow().get(seen..).unwrap_or_default().to_vec()
    }

    /// The next line that matches and was not taken before; none if the output ends without one.
    async fn next_line(&mut self, matches: impl Fn(&str) -> bool) -> Option<String> {
        let taken = &self.taken;
        let find = |lines: &[String]| (0..lines.len()).find(|index| !taken.contains(index) && matches(&lines[*index]));
        // An error says that both readers are done; the last line may have come with the end.
        drop(self.lines.wait_for(|lines| find(lines).is_some()).await);
        let found = find(&self.lines.borrow())?;
        self.taken.insert(found);
        Some(self.lines.borrow()[found].clone())
    }

    /// Waits for the process to end, and then for what it printed last.
    async fn ended(&mut self) -> ExitStatus {
        let status = self.child.wait().await.expect("a child of ours can be waited for");
        drop(self.lines.wait_for(|_| false).await);
        status
    }

    /// The command and what it printed, for the message of a failure.
    fn story(&self) -> String {
        let printed = self.lines().join("\n  ");
        if printed.is_empty() {
            format!("{} printed nothing", self.command)
        } else {
            format!("{} printed:\n  {printed}", self.command)
        }
    }
}

/// Moves lines from the stream to the list until the stream ends.
async fn keep_lines(stream: impl AsyncRead + Unpin, lines: watch::Sender<Vec<String>>) {
    let mut stream = BufReader::new(stream).split(b'\n');
    // A stream that cannot be read is at its end, as far as a test can tell.
    while let Ok(Some(bytes)) = stream.next_segment().await {
        let line = String::from_utf8_lossy(&bytes).trim_end_matches('\r').to_owned();
        lines.send_modify(|lines| lines.push(line));
    }
}
