//! A double of TDengine, of which no package exists: databases in memory behind the two interfaces of taosAdapter.
//!
//! It is no TDengine, and a test that passes against it says what the mapper sends and not what a real server makes of it. For that
//! reason it is as strict as the real one about what it is sent, and stricter where the real one guesses: it takes statements apart
//! by TDengine's grammar and refuses, with TDengine's codes, what has a wrong name, a wrong type, a wrong count or a wrong length.
//!
//! What it does not do: rows over the WebSocket, which the mapper does not ask for, and all statements that neither the mapper nor
//! its tests send. The limits are those of the first TDengine 3, which are the narrowest.

mod cell;
mod error;
mod parser;
mod store;
mod tokens;
mod wire;

use std::{
    net::{Ipv4Addr, TcpListener},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use tokio::sync::{oneshot, watch};

pub use error::SqlError;
use store::{Answer, Store};

/// The most bytes of a row; those of the first TDengine 3.
const MAX_ROW_BYTES: usize = 49_151;

/// A double of TDengine with taosAdapter in front, for the user `root` with the password `taosdata`.
#[derive(Debug)]
pub struct TdengineDouble {
    /// What survives a restart.
    shared: Arc<Shared>,
    port: u16,
    /// `None` after [`kill`](Self::kill).
    running: Option<Running>,
}

/// A server at work, on a thread with a runtime of its own, so that its end ends all its connections.
#[derive(Debug)]
struct Running {
    /// Dropped, it stops the server.
    stop: oneshot::Sender<()>,
    /// Closed once nothing is left of it.
    ended: oneshot::Receiver<()>,
}

/// A stored row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TdengineRow {
    /// The time, in milliseconds since 1970 UTC.
    pub timestamp_ms: i64,
    /// `value` as text.
    pub value: String,
    /// `quality`
    pub quality: String,
    /// `model`
    pub model: String,
    /// `unit`
    pub unit: String,
    /// The supertable.
    pub supertable: String,
    /// The subtable.
    pub subtable: String,
}

/// What the connections share.
#[derive(Debug)]
struct Shared {
    store: Mutex<Store>,
    password: Mutex<String>,
    hangs: AtomicBool,
    /// Tells the connections by WebSocket to end. Each has a receiver.
    cut: watch::Sender<()>,
}

impl TdengineDouble {
    /// Starts an empty one. It answers at once.
    ///
    /// # Panics
    ///
    /// If the system has no port left.
    #[must_use]
    pub fn start() -> Self {
        let shared = Shared {
            store: Mutex::default(),
            password: Mutex::new("taosdata".to_owned()),
            hangs: AtomicBool::new(false),
            cut: watch::Sender::new(()),
        };
        let shared = Arc::new(shared);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the system has a free port");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let running = Some(serve(listener, Arc::clone(&shared)));
        Self { shared, port, running }
    }

    /// The port of both interfaces.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends it with all its connections.
    pub async fn kill(&mut self) {
        if let Some(Running { stop, ended }) = self.running.take() {
            drop(stop);
            // An error is what it ends with: nobody sends anything.
            drop(ended.await);
        }
    }

    /// Starts it again on the same port and with the same databases, after ending it if need be.
    ///
    /// # Panics
    ///
    /// If somebody has taken the port meanwhile.
    pub async fn restart(&mut self) {
        self.kill().await;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).expect("the port is still free");
        self.running = Some(serve(listener, Arc::clone(&self.shared)));
    }

    /// Ends all connections by WebSocket without a word, and goes on to take new ones. Waits until they are gone.
    pub async fn drop_connections(&self) {
        self.shared.cut.send_replace(());
        self.shared.cut.closed().await;
    }

    /// Sets the password that it lets in from now on.
    pub fn set_password(&self, password: &str) {
        password.clone_into(&mut lock(&self.shared.password));
    }

    /// Sets whether statements stay without an answer from now on.
    pub fn set_hanging(&self, hanging: bool) {
        self.shared.hangs.store(hanging, Ordering::SeqCst);
    }

    /// Sets whether nobody has the right to make databases and tables.
    pub fn set_frozen(&self, frozen: bool) {
        lock(&self.shared.store).frozen = frozen;
    }

    /// Executes a statement as an operator would.
    ///
    /// # Errors
    ///
    /// The statement is refused.
    pub fn execute(&self, sql: &str) -> Result<(), SqlError> {
        self.shared.execute(None, sql).map(drop)
    }

    /// The rows of a property, by their times.
    #[must_use]
    pub fn rows(&self, database: &str, namespace: &str, device: &str, property: &str) -> Vec<TdengineRow> {
        let store = lock(&self.shared.store);
        let mut rows = Vec::new();
        for row in store.stored(database) {
            let text = |name: &str| row.cells.get(name).map(ToString::to_string).unwrap_or_default();
            if (text("namespace"), text("device"), text("property"))
                == (namespace.into(), device.into(), property.into())
            {
                rows.push(TdengineRow {
                    timestamp_ms: row.timestamp_ms,
                    value: text("value"),
                    quality: text("quality"),
                    model: text("model"),
                    unit: text("unit"),
                    supertable: row.supertable.to_owned(),
                    subtable: row.subtable.to_owned(),
                });
            }
        }
        rows.sort_by_key(|row| row.timestamp_ms);
        rows
    }
}

impl Shared {
    fn login(&self, user: &str, password: &str) -> Result<(), SqlError> {
        let matches = user == "root" && password == *lock(&self.password);
        if matches { Ok(()) } else { Err(error::wrong_password()) }
    }

    fn execute(&self, database: Option<&str>, sql: &str) -> Result<Answer, SqlError> {
        lock(&self.store).execute(database, sql)
    }

    fn hangs(&self) -> bool {
        self.hangs.load(Ordering::SeqCst)
    }
}

/// What a panicking test has left behind is still what is stored.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(listener: TcpListener, shared: Arc<Shared>) -> Running {
    let (stop, stopped) = oneshot::channel::<()>();
    let (sign_of_life, ended) = oneshot::channel::<()>();
    thread::spawn(move || {
        let _alive = sign_of_life;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            listener.set_nonblocking(true).expect("a listener can be made non-blocking");
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener of the runtime");
            tokio::select! {
                served = axum::serve(listener, wire::router(shared)) => served.expect("the double serves"),
                _ = stopped => {}
            }
        });
    });
    Running { stop, ended }
}
