//! The servers: `server.py`, which is asyncua, and `server.js`, which is node-opcua.

use std::{path::Path, sync::Arc};

use anyhow::Context as _;
use integration_tests::{ChildGuard, DEADLINE, Tool};
use tokio::{process::Command, time::timeout};
use ua::{
    client::{ClientBuilder, IdentityToken, Session, SessionBuilder},
    crypto::CertificateStore,
    sync::RwLock,
    types::{CallMethodRequest, MessageSecurityMode, NodeId, UserTokenPolicy, Variant},
};

/// The namespace of the servers' nodes.
pub(crate) const NAMESPACE: &str = "urn:factory:boilers";
/// Its index in both of them.
pub(crate) const INDEX: u16 = 2;

/// Whose server it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Make {
    Asyncua,
    NodeOpcua,
}

/// A running server.
pub(crate) struct Server {
    make: Make,
    process: ChildGuard,
    pub(crate) port: u16,
}

impl Server {
    /// Starts it on any port. `None` when the user wants to do without what runs it.
    pub(crate) async fn start(make: Make, arguments: &[&str]) -> anyhow::Result<Option<Self>> {
        Self::start_on(make, 0, arguments).await
    }

    async fn start_on(make: Make, port: u16, arguments: &[&str]) -> anyhow::Result<Option<Self>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        let (tool, program) = match make {
            Make::Asyncua => (integration_tests::python(), folder.join("server.py")),
            Make::NodeOpcua => (integration_tests::node_opcua(), folder.join("server.js")),
        };
        let Tool::At(tool) = tool else { return Ok(None) };
        let mut command = Command::new(&tool);
        if make == Make::NodeOpcua {
            command.env("NODE_PATH", tool.with_file_name("node_modules"));
        }
        let mut process = ChildGuard::spawn(command.arg(program).args(["--port", &port.to_string()]).args(arguments));
        let line = process.wait_for_line(|line| line.starts_with("listening ")).await;
        Ok(Some(Self { make, process, port: line.trim_start_matches("listening ").parse()? }))
    }

    pub(crate) fn url(&self) -> String {
        format!("opc.tcp://127.0.0.1:{}", self.port)
    }

    /// Waits for a line that the server prints, or has printed and that was not waited for.
    pub(crate) async fn says(&mut self, expected: &str) {
        self.process.wait_for_line(|line| line == expected).await;
    }

    /// The lines that begin so, of all that the server has printed until now.
    pub(crate) async fn lines(&mut self, beginning: &str) -> anyhow::Result<Vec<String>> {
        // An answer may be here before the line is that was printed for it. The mark comes after both.
        self.probe().await?.obey("mark").await?;
        self.says("mark").await;
        Ok(self.process.lines().into_iter().filter(|line| line.starts_with(beginning)).collect())
    }

    pub(crate) async fn freeze(&self) {
        self.process.freeze().await;
    }

    pub(crate) async fn thaw(&self) {
        self.process.thaw().await;
    }

    /// Kills the server.
    pub(crate) async fn kill(&mut self) {
        self.process.kill().await;
    }

    /// Kills the server and starts another one in its place.
    pub(crate) async fn restart(mut self, arguments: &[&str]) -> anyhow::Result<Self> {
        self.kill().await;
        let server = Self::start_on(self.make, self.port, arguments).await?;
        server.context("what runs it was there a moment ago")
    }

    /// A bare client, to have the server do something.
    pub(crate) async fn probe(&self) -> anyhow::Result<Probe> {
        let config = ClientBuilder::new().application_name("probe").session_retry_limit(0).into_config();
        let store = Arc::new(RwLock::new(CertificateStore::new(Path::new("/nonexistent"))));
        let url = self.url();
        let none = ("http://opcfoundation.org/UA/SecurityPolicy#None", MessageSecurityMode::None);
        let anonymous = UserTokenPolicy::anonymous();
        let builder =
            SessionBuilder::new(&config).connect_to_endpoint_directly((url.as_str(), none.0, none.1, anonymous))?;
        let (session, events) = builder.user_identity_token(IdentityToken::Anonymous).build(store)?;
        let task = events.spawn();
        timeout(DEADLINE, session.wait_for_connection()).await?;
        Ok(Probe { session, task })
    }
}

/// A bare client.
pub(crate) struct Probe {
    pub(crate) session: Arc<Session>,
    task: tokio::task::JoinHandle<ua::types::StatusCode>,
}

impl Probe {
    /// Has the server obey a command, see `server.py`.
    pub(crate) async fn obey(&self, command: &str) -> anyhow::Result<()> {
        let (object, method) = (NodeId::new(INDEX, "Boiler"), NodeId::new(INDEX, "Obey"));
        let call = CallMethodRequest::from((object, method, Some(vec![Variant::from(command)])));
        let result = self.session.call_one(call).await?;
        anyhow::ensure!(result.status_code.is_good(), "{command}: {}", result.status_code);
        Ok(())
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.task.abort();
    }
}
