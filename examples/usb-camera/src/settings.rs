//! The thread that reads and writes a camera's settings. It may hang in the kernel for as long as it likes: nobody waits for it but who wants
//! the same camera.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use mapper_framework::DriverError;
use tokio::sync::{OwnedMutexGuard, mpsc, oneshot};

use crate::v4l2::{self, Control, Identity, Kernel, Node};

/// How many orders may wait. A session gives one after the other, so that more never do.
const ORDERS: usize = 4;

type Job = Box<dyn FnOnce(io::Result<&mut dyn Node>) + Send>;

enum Order {
    Run(Job),
    /// Close the camera's file, for a driver in the kernel that allows one only.
    Release(oneshot::Sender<()>),
}

/// A session's handle of the thread, which ends with the last of them.
#[derive(Clone, Debug)]
pub(crate) struct SettingsThread {
    orders: mpsc::Sender<Order>,
}

/// What was found when the camera was opened.
#[derive(Clone, Debug, Default)]
pub(crate) struct CameraInfo {
    pub(crate) identity: Identity,
    pub(crate) controls: Vec<Control>,
}

impl SettingsThread {
    /// Opens a camera on a thread of its own, which has the turn until it ends.
    ///
    /// # Errors
    ///
    /// The camera cannot be opened.
    pub(crate) async fn open(
        kernel: Arc<dyn Kernel>,
        path: PathBuf,
        turn: OwnedMutexGuard<()>,
    ) -> Result<(Self, CameraInfo), DriverError> {
        let (orders, received) = mpsc::channel(ORDERS);
        let named = path.clone();
        thread::Builder::new().name("settings".to_owned()).spawn(move || {
            let _turn = turn;
            serve(&*kernel, &path, received);
        })?;
        let settings = Self { orders };
        let info = |node: &mut dyn Node| Ok(CameraInfo { identity: node.identity()?, controls: node.controls()? });
        let info = settings.run(info).await.map_err(|error| opening(&named, &error))?;
        Ok((settings, info))
    }

    /// Has the thread do something with the camera, and waits for it.
    ///
    /// # Errors
    ///
    /// The camera is gone, refuses it, or cannot do it now.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut dyn Node) -> io::Result<T> + Send + 'static,
    ) -> Result<T, DriverError> {
        let died = || DriverError::disconnected("the thread that has the camera's settings has died");
        let (answer, answered) = oneshot::channel();
        let job = Box::new(move |node: io::Result<&mut dyn Node>| drop(answer.send(node.and_then(job))));
        self.orders.send(Order::Run(job)).await.map_err(|_| died())?;
        answered.await.map_err(|_| died())?.map_err(of_kernel)
    }

    /// Has the thread close the camera's file. Blocks.
    pub(crate) fn release(&self) {
        let (closed, is_closed) = oneshot::channel();
        if self.orders.blocking_send(Order::Release(closed)).is_ok() {
            // An error stands for a thread that has ended, and has closed the file so.
            is_closed.blocking_recv().ok();
        }
    }
}

fn serve(kernel: &dyn Kernel, path: &Path, mut orders: mpsc::Receiver<Order>) {
    let mut node: Option<Box<dyn Node>> = None;
    while let Some(order) = orders.blocking_recv() {
        match order {
            Order::Release(closed) => {
                node = None;
                // Who asked may have given up.
                closed.send(()).ok();
            }
            Order::Run(job) => {
                if node.is_none() {
                    match kernel.open(path) {
                        Ok(opened) => node = Some(opened),
                        Err(error) => {
                            job(Err(error));
                            continue;
                        }
                    }
                }
                let node = node.as_mut().expect("it was opened above");
                job(Ok(node.as_mut()));
            }
        }
    }
}

/// What an error of the kernel's means for the session.
pub(crate) fn of_kernel(error: io::Error) -> DriverError {
    if v4l2::is_gone(&error) {
        DriverError::disconnected("the camera was unplugged").with_source(error)
    } else if v4l2::is_refused(&error) {
        DriverError::refused("the camera refuses it").with_source(error)
    } else if v4l2::is_busy(&error) {
        let message =
            "the camera is busy: another program has this setting, or its driver lets one program open it at a time";
        DriverError::failed(message).with_source(error)
    } else {
        error.into()
    }
}

fn opening(path: &Path, error: &DriverError) -> DriverError {
    let cure = "is it a camera, and may the mapper open it?";
    DriverError::disconnected(format_args!("{}: {error}: {cure}", path.display()))
}
