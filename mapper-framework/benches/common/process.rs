//! The mapper in a process of its own, so that its CPU time and memory are its alone: the benchmark starts itself once more.

use std::{
    collections::HashMap,
    env, fs, io,
    path::{Path, PathBuf},
    process::Stdio,
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use mapper_framework::{
    MapperBuilder,
    config::{Config, ReportVia},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::oneshot,
};

use super::fleet;

/// Set for the mapper's process: the folder with edgecore's socket, where the mapper's comes to lie, too.
const FOLDER: &str = "BENCH_FOLDER";

/// Set for a mapper that reports over the event bus: its broker.
const EVENT_BUS: &str = "BENCH_EVENT_BUS";

/// Set for a mapper with an HTTP server: its port.
const HTTP_PORT: &str = "BENCH_HTTP_PORT";

/// The unit of times in `/proc/<pid>/stat`, which is this on every Linux of ours (`getconf CLK_TCK`).
const TICK: Duration = Duration::from_millis(10);

/// A command that runs this program once more, told by [`folder_of_mapper`] that it is to be the mapper.
pub(crate) fn again(folder: &Path) -> Result<Command> {
    let mut command = Command::new(env::current_exe().context("cannot tell where this program lies")?);
    command.env(FOLDER, folder).kill_on_drop(true);
    Ok(command)
}

/// In the mapper's process, the folder for its sockets.
pub(crate) fn folder_of_mapper() -> Option<PathBuf> {
    env::var_os(FOLDER).map(PathBuf::from)
}

/// The whole of the mapper's process: answers each line on standard input with its counters, and stops when the input ends.
pub(crate) fn serve(folder: &Path, mapper: MapperBuilder) -> Result<()> {
    let mut config = Config::default();
    config.common.protocol = fleet::PROTOCOL.to_owned();
    config.common.edgecore_sock = folder.join("dmi.sock");
    config.grpc_server.socket_path = folder.join("mapper.sock");
    config.spool.dir = folder.join("spool");
    if let Ok(address) = env::var(EVENT_BUS) {
        config.report.via = ReportVia::Eventbus;
        config.report.eventbus.address = address;
        // Without a limit: what is measured is how much goes through.
        config.report.eventbus.twins_per_second = 1e6;
    }
    if let Ok(port) = env::var(HTTP_PORT) {
        (config.http.enabled, config.common.http_port) = (true, port.parse()?);
    }
    let mapper = mapper.config(config).build();
    let handle = mapper.handle();
    let (stop, stopped) = oneshot::channel::<()>();
    let asked = handle.clone();
    thread::spawn(move || {
        for _ in io::stdin().lines().map_while(Result::ok) {
            println!("{}", asked.stats());
        }
        drop(stop);
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // The sender is dropped, never used: either way the run ends.
    runtime.block_on(mapper.run_until(async { drop(stopped.await) }))?;
    println!("{}", handle.stats());
    Ok(())
}

/// A running mapper, as the benchmark sees it.
pub(crate) struct MapperProcess {
    process: Child,
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

/// What a mapper has counted, by the names of `Stats`.
#[derive(Default)]
pub(crate) struct Counted(HashMap<String, u64>);

/// What a process has taken of the machine.
pub(crate) struct Usage {
    /// User and system time since its start.
    pub(crate) cpu: Duration,
    /// Resident memory, in bytes.
    pub(crate) resident: u64,
    /// The most it ever was.
    pub(crate) peak: u64,
}

impl MapperProcess {
    /// Starts a mapper for the edge in a folder.
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        Self::start_over(folder, None)
    }

    /// The same, with an HTTP server on a port of the loopback address.
    pub(crate) fn start_with_http(folder: &Path, port: u16) -> Result<Self> {
        Self::start_by(again(folder)?.env(HTTP_PORT, port.to_string()))
    }

    /// The same, with reports over an event bus, if there is an address of one.
    pub(crate) fn start_over(folder: &Path, event_bus: Option<&str>) -> Result<Self> {
        Self::start_by(again(folder)?.envs(event_bus.map(|address| (EVENT_BUS, address))))
    }

    fn start_by(command: &mut Command) -> Result<Self> {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let questions = process.stdin.take().context("no standard input")?;
        let answers = process.stdout.take().context("no standard output")?;
        Ok(Self { process, questions, answers: BufReader::new(answers).lines() })
    }

    /// What the mapper has counted so far.
    pub(crate) async fn counted(&mut self) -> Result<Counted> {
        self.questions.write_all(b"\n").await?;
        self.answer().await
    }

    /// Waits until the mapper has opened sessions to this many devices.
    pub(crate) async fn wait_for_connects(&mut self, devices: usize) -> Result<()> {
        while self.counted().await?.get("sessions.opened") < devices as u64 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    pub(crate) fn usage(&self) -> Result<Usage> {
        let proc = PathBuf::from(format!("/proc/{}", self.process.id().context("the mapper has ended")?));
        let (stat, status) = (fs::read_to_string(proc.join("stat"))?, fs::read_to_string(proc.join("status"))?);
        // The fields after the program's name, which may hold anything: the state is the third of all, utime the fourteenth.
        let fields: Vec<_> = stat.rsplit_once(')').context("no stat")?.1.split_whitespace().collect();
        let ticks = |field: usize| anyhow::Ok(fields.get(field - 3).context("no such field")?.parse::<u32>()?);
        let kibibytes = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).context("no such line")?;
            anyhow::Ok(line.trim_start_matches(':').trim_end_matches("kB").trim().parse::<u64>()?)
        };
        Ok(Usage {
            cpu: TICK * (ticks(14)? + ticks(15)?),
            resident: kibibytes("VmRSS")? * 1024,
            peak: kibibytes("VmHWM")? * 1024,
        })
    }

    /// Stops the mapper, and gives what it has counted in the end.
    pub(crate) async fn stop(self) -> Result<Counted> {
        let Self { mut process, questions, mut answers } = self;
        drop(questions);
        let counted = answer(&mut answers).await?;
        process.wait().await?;
        Ok(counted)
    }

    async fn answer(&mut self) -> Result<Counted> {
        answer(&mut self.answers).await
    }
}

async fn answer(answers: &mut Lines<BufReader<ChildStdout>>) -> Result<Counted> {
    let line = answers.next_line().await?.context("the mapper has ended")?;
    let counts = line.split_whitespace().filter_map(|word| word.split_once('='));
    Ok(Counted(counts.map(|(name, count)| Ok((name.to_owned(), count.parse()?))).collect::<Result<_>>()?))
}

impl Counted {
    /// A counter, which is not told while it is zero.
    pub(crate) fn get(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or_default()
    }
}
