//! The connections, each shared by all devices behind one gateway or on one line.

use std::{
    collections::HashMap,
    fmt, io,
    sync::{Arc, PoisonError, Weak, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::{
    select,
    sync::{Mutex, watch},
    time::{Instant, sleep_until, timeout},
};
use tokio_modbus::{
    Request, Response, Slave,
    client::{Client, Context, tcp},
    slave::SlaveContext,
};

use crate::{
    fault::Fault,
    framing::{Framing, LatestAnswers, Rtu, Signals, Stray, Stream},
    link::Link,
    turns::Turns,
};

/// After so many requests in a row without any answer, to whichever units, the connection is made anew.
const SILENCE: u32 = 3;

/// The gateways and lines in use.
#[derive(Default)]
pub(crate) struct Gateways {
    /// Weak, so that a connection closes with its last session. Locked for a look-up, never across an await.
    open: std::sync::Mutex<HashMap<Link, Weak<Gateway>>>,
}

impl Gateways {
    /// The gateway at this link, the same one for everybody who holds it at the same time.
    ///
    /// # Errors
    ///
    /// Another device uses the serial port with other settings, which are returned.
    pub(crate) fn get(&self, link: &Link) -> Result<Arc<Gateway>, Link> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, gateway| gateway.strong_count() > 0);
        if let Some(gateway) = open.get(link).and_then(Weak::upgrade) {
            return Ok(gateway);
        }
        if let Some(other) = open.keys().find(|other| other.contradicts(link)) {
            return Err(other.clone());
        }
        let gateway = Gateway { link: link.clone(), turns: Turns::default(), wire: Mutex::default() };
        let gateway = Arc::new(gateway);
        open.insert(link.clone(), Arc::downgrade(&gateway));
        Ok(gateway)
    }
}

/// How long a request may take, how long after the last one it may be sent, and how often it is repeated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) within: Duration,
    pub(crate) pause: Duration,
    pub(crate) retries: u8,
}

impl Terms {
    /// How long an answer is waited for if none of the requests has one.
    pub(crate) fn longest(self) -> Duration {
        self.within.saturating_mul(u32::from(self.retries) + 1)
    }
}

/// One connection, or the lack of it.
pub(crate) struct Gateway {
    link: Link,
    turns: Turns,
    /// Locked from a request to its answer, so that there is one request at a time. Empty before [`open`](Self::open), and while
    /// nobody needs the connection that has broken or was closed.
    wire: Mutex<Option<Connection>>,
}

impl Gateway {
    /// Connects, unless there is a connection.
    pub(crate) async fn open(&self, within: Duration) -> io::Result<()> {
        let mut wire = self.wire.lock().await;
        if wire.is_none() {
            *wire = Some(self.connect(within).await?);
        }
        Ok(())
    }

    /// Sends a request to a unit and waits for its answer. A request without an answer, or with a damaged one, is repeated as the terms
    /// say; in between, the others have their turn. A unit that did not answer the last time is asked once.
    pub(crate) async fn call(&self, unit: u8, request: Request<'_>, terms: Terms) -> Result<Response, Fault> {
        let turn = self.turns.take(unit, terms.within).await.ok_or(Fault::NotAsked)?;
        let mut retries = terms.retries;
        let outcome = loop {
            let outcome = self.attempt(unit, request.clone(), terms).await;
            let is_repeated = match &outcome {
                Err(Fault::Garbled | Fault::OtherUnit(_)) => true,
                Err(Fault::Late(_)) => turn.is_of_answering(),
                _ => false,
            };
            if !is_repeated || retries == 0 {
                break outcome;
            }
            retries -= 1;
        };
        match &outcome {
            Err(Fault::Late(_)) => turn.ends_in_silence(),
            Err(Fault::Closed(_) | Fault::Broken(_)) => {}
            _ => turn.ends_with_answer(),
        }
        outcome
    }

    /// Sends a request no sooner than `pause` after the last answer to anybody.
    ///
    /// If no answer comes in time, or if this future is dropped, the connection stays, and the answer is skipped should it come later. If
    /// there is no connection, the other end has closed it, or it is silent, the request goes over a new one, so that those who were
    /// not asked keep their sessions.
    async fn attempt(&self, unit: u8, request: Request<'_>, terms: Terms) -> Result<Response, Fault> {
        let mut wire = self.wire.lock().await;
        if wire.as_ref().is_some_and(Connection::is_silent) {
            // Closed first, as there are gateways that take one connection only.
            *wire = None;
        }
        let is_old = wire.is_some();
        match self.exchange(&mut wire, unit, request.clone(), terms).await {
            Err(Fault::Closed(_)) if is_old => self.exchange(&mut wire, unit, request, terms).await,
            outcome => outcome,
        }
    }

    async fn exchange(
        &self,
        wire: &mut Option<Connection>,
        unit: u8,
        request: Request<'_>,
        terms: Terms,
    ) -> Result<Response, Fault> {
        if wire.is_none() {
            // Why there is none, whoever opens it next learns.
            *wire = self.connect(terms.within).await.ok();
        }
        let Some(connection) = wire else { return Err(Fault::Closed(self.to_string())) };
        // A timer is no shorter than a millisecond, even for what is over.
        if let Some(free) = connection.ended.map(|ended| ended + terms.pause)
            && free > Instant::now()
        {
            sleep_until(free).await;
        }
        let answer = connection.call(unit, request, terms.within).await;
        let was_closed = connection.signals.closed.load(Relaxed);
        if was_closed || matches!(answer, Err(Fault::Broken(_))) {
            *wire = None;
        }
        if was_closed { Err(Fault::Closed(self.to_string())) } else { answer }
    }

    /// Closes the connection. The next request opens another one.
    pub(crate) async fn close(&self) {
        *self.wire.lock().await = None;
    }

    async fn connect(&self, within: Duration) -> io::Result<Connection> {
        let stream = timeout(within, self.link.open()).await??;
        Ok(Connection::new(stream, self.link.framing()))
    }
}

/// An open connection.
struct Connection {
    client: Context,
    signals: Arc<Signals>,
    stray: watch::Receiver<Stray>,
    /// When the last request was answered or given up.
    ended: Option<Instant>,
    /// How many requests there were since the last answer to any of them.
    unanswered: u32,
}

impl Connection {
    fn new(stream: Box<dyn Stream>, framing: Framing) -> Self {
        let signals = Arc::<Signals>::default();
        let client = match framing {
            Framing::Tcp => tcp::attach(LatestAnswers::new(stream, Arc::clone(&signals))),
            Framing::Rtu => tcp::attach(Rtu::new(stream, Arc::clone(&signals))),
        };
        let stray = signals.stray.subscribe();
        Self { client, signals, stray, ended: None, unanswered: 0 }
    }

    async fn call(&mut self, unit: u8, request: Request<'_>, within: Duration) -> Result<Response, Fault> {
        let _end = End(&mut self.ended);
        self.client.set_slave(Slave(unit));
        self.unanswered += 1;
        self.stray.mark_unchanged();
        let answer = timeout(within, async {
            select! {
                answer = self.client.call(request) => answer.map_err(Fault::of)?.map_err(Fault::Exception),
                _ = self.stray.changed() => Err(Fault::from(*self.stray.borrow())),
            }
        });
        let answer = answer.await;
        if answer.is_ok() || self.signals.skipped.swap(false, Relaxed) {
            self.unanswered = 0;
        }
        answer.unwrap_or(Err(Fault::Late(within)))
    }

    fn is_silent(&self) -> bool {
        self.unanswered >= SILENCE
    }
}

/// Takes down when a request has ended, even one that is dropped before its answer.
struct End<'a>(&'a mut Option<Instant>);

impl Drop for End<'_> {
    fn drop(&mut self) {
        *self.0 = Some(Instant::now());
    }
}

impl fmt::Display for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.link.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncReadExt, net::TcpListener};

    use super::*;
    use crate::serial::{Line, Parity};

    fn net(host: &str, port: u16) -> Link {
        Link::Net { host: host.to_owned(), port, framing: Framing::Tcp, tls: None }
    }

    #[test]
    fn who_has_the_same_link_shares_it_and_a_serial_port_has_one_setting() {
        let gateways = Gateways::default();
        let gateway = gateways.get(&net("plc", 502)).expect("the first");
        assert!(Arc::ptr_eq(&gateway, &gateways.get(&net("plc", 502)).expect("the same")));
        let line = |baud_rate| {
            let (path, parity) = ("/dev/ttyUSB0".into(), Parity::Even);
            Link::Serial(Line { path, baud_rate, parity, two_stop_bits: false, rs485: false })
        };
        let held = gateways.get(&line(9600)).expect("the first on the line");
        assert_eq!(gateways.get(&line(19_200)).err(), Some(line(9600)));
        drop(held);
        assert!(gateways.get(&line(19_200)).is_ok());
    }

    #[tokio::test]
    async fn a_gateway_is_reached_by_its_ipv6_address() {
        // A machine may have no IPv6 at all.
        let Ok(listener) = TcpListener::bind("[::1]:0").await else {
            return println!("skipped: there is no IPv6 here");
        };
        let gateway = Gateways::default().get(&net("::1", listener.local_addr().unwrap().port())).expect("the first");
        let (opened, accepted) = tokio::join!(gateway.open(Duration::from_secs(10)), listener.accept());
        assert!(opened.is_ok() && accepted.is_ok(), "{opened:?}");
    }

    #[tokio::test]
    async fn a_request_that_is_dropped_is_followed_by_the_pause() {
        const LENGTH: usize = 12;
        let pause = Duration::from_millis(200);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gateway = Gateways::default().get(&net("127.0.0.1", listener.local_addr().unwrap().port()));
        let gateway = gateway.expect("the first");
        let terms = Terms { within: Duration::from_secs(60), pause, retries: 0 };
        let (_, accepted) = tokio::join!(gateway.open(terms.within), listener.accept());
        let (mut device, _) = accepted.unwrap();
        let mut request = async || device.read_exact(&mut [0; LENGTH]).await.map(|_| Instant::now()).unwrap();
        let mut sent = Vec::new();
        for _ in 0..2 {
            select! {
                answer = gateway.call(1, Request::ReadHoldingRegisters(0, 1), terms) => panic!("nobody answers: {answer:?}"),
                // Its time is taken before the call is dropped.
                time = request() => sent.push(time),
            }
        }
        assert!(sent[1] - sent[0] >= pause, "{:?}", sent[1] - sent[0]);
    }
}
