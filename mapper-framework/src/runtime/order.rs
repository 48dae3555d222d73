//! What a user of the handle asks of a device: a write, the call of a method, or a read out of turn.

use std::time::Duration;

use tokio::{sync::oneshot, time::Instant};

use crate::model::{DeviceId, Sample, Value};

use super::handle::OperationError;

/// After which time an order is not carried out any more, unless it says otherwise.
const EXPIRES_AFTER: Duration = Duration::from_secs(30);

/// An order to a device. It is carried out by [`Handle::carry_out`](crate::Handle::carry_out) once, or not at all.
///
/// It is dropped when its caller gives up, by dropping the future of [`Handle::carry_out`](crate::Handle::carry_out), and when it has
/// expired, 30 seconds after it was given: a valve must not open an hour after somebody wanted it to. What is under way then is not
/// taken back.
///
/// ```
/// # use std::time::Duration;
/// # use mapper_framework::{Handle, Order, OperationError, model::DeviceId};
/// # async fn open(handle: &Handle) -> Result<(), OperationError> {
/// let order = Order::write(&DeviceId::new("plant", "valve-1"), "position", "50");
/// let answer = handle.carry_out(order.expires_after(Duration::from_secs(2)).origin("night shift")).await?;
/// println!("{:?}", answer.read_back());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Order {
    pub(super) device: DeviceId,
    pub(super) method: Option<String>,
    pub(super) arguments: Vec<(String, String)>,
    /// What is to be read; then it is nothing else.
    pub(super) reads: Vec<String>,
    pub(super) expires_after: Duration,
    pub(super) outlives_caller: bool,
    pub(super) origin: String,
}

impl Order {
    /// Writes a property. `text` is the value as a user writes it in `desired`.
    pub fn write(device: &DeviceId, property: &str, text: &str) -> Self {
        Self::of(device, None, &[(property, text)])
    }

    /// Calls a method. Each argument is a property that the method names, and the value as a user writes it in `desired`. It may be
    /// `ReadOnly`.
    pub fn call(device: &DeviceId, method: &str, arguments: &[(&str, &str)]) -> Self {
        Self::of(device, Some(method.to_owned()), arguments)
    }

    /// Reads properties now, whatever their cycle, also those that are not polled at all (`poll: false`). All consumers get what was read,
    /// and so does whoever asks, by [`Answer::read_back`].
    pub fn read(device: &DeviceId, properties: &[&str]) -> Self {
        let reads = properties.iter().map(|&property| property.to_owned()).collect();
        Self { reads, ..Self::of(device, None, &[]) }
    }

    fn of(device: &DeviceId, method: Option<String>, arguments: &[(&str, &str)]) -> Self {
        let owned = arguments.iter().map(|&(property, text)| (property.to_owned(), text.to_owned()));
        Self {
            device: device.clone(),
            method,
            arguments: owned.collect(),
            reads: Vec::new(),
            expires_after: EXPIRES_AFTER,
            outlives_caller: false,
            origin: "handle".to_owned(),
        }
    }

    /// Sets after which time it is not carried out any more; 30 seconds by default.
    pub fn expires_after(mut self, time: Duration) -> Self {
        self.expires_after = time;
        self
    }

    /// Has it carried out although nobody waits for its answer any more.
    pub fn outlives_caller(mut self) -> Self {
        self.outlives_caller = true;
        self
    }

    /// Who gives it, for the log and the audit; `handle` by default.
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origin = origin.into();
        self
    }
}

/// What came of an [`Order`].
#[derive(Clone, Debug)]
pub struct Answer {
    results: Vec<Value>,
    read_back: Vec<Sample>,
}

impl Answer {
    pub(super) fn new(results: Vec<Value>, read_back: Vec<Sample>) -> Self {
        Self { results, read_back }
    }

    /// The results of a method; a write has none.
    pub fn results(&self) -> &[Value] {
        &self.results
    }

    /// The results of a method, to keep.
    pub fn into_results(self) -> Vec<Value> {
        self.results
    }

    /// What the properties of the order were read to have after it, in its order. One that could not be read after a write is left out.
    pub fn read_back(&self) -> &[Sample] {
        &self.read_back
    }
}

/// An order on its way to its device.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) order: Order,
    pub(super) expires: Instant,
    pub(super) reply: oneshot::Sender<Result<Answer, OperationError>>,
    /// Whether it is done for the second time, since the device had closed the connection before the first.
    pub(super) is_repeated: bool,
}

impl Operation {
    pub(super) fn new(order: Order, reply: oneshot::Sender<Result<Answer, OperationError>>) -> Self {
        let now = Instant::now();
        let expires = now.checked_add(order.expires_after).unwrap_or(now + Duration::from_secs(u32::MAX.into()));
        Self { order, expires, reply, is_repeated: false }
    }

    /// Why it must not be carried out any more; `None` if it may.
    pub(super) fn is_over(&self) -> Option<&'static str> {
        if self.expires <= Instant::now() {
            Some("the order has expired")
        } else if self.reply.is_closed() && !self.order.outlives_caller {
            Some("whoever gave the order has given up")
        } else {
            None
        }
    }
}
