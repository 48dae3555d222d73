//! Where records wait for their target: in memory while the target keeps up, and on disk when it does not.
//!
//! Records leave in the order in which they came. As long as something waits on disk, all that comes goes there too. What is to go to
//! disk gathers in memory first, so that not every record costs a write of its own.

use std::{collections::VecDeque, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::{Record, disk::Disk, monitor::Monitor};

/// So many bytes have gathered enough, and go to disk at once.
const MAX_GATHERED: usize = 1 << 20;

/// The most bytes of one batch, unless a single record is larger.
const MAX_BATCH: usize = 1 << 20;

/// What waits for one target, and the batch that is taken and not settled.
#[derive(Debug)]
pub(super) struct Buffer {
    memory: VecDeque<Record>,
    memory_bytes: usize,
    max_records: usize,
    /// `None` where nothing can be kept on disk.
    disk: Option<Disk>,
    /// How long records gather before they go to disk.
    linger: Duration,
    /// When those go to disk that gather in memory.
    spill_at: Option<Instant>,
    taken: BatchOrigin,
}

/// Whether the last attempt has reached the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    Up,
    /// What comes need not wait in memory first.
    Away,
}

/// Where the batch comes from that is taken and not settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BatchOrigin {
    Nothing,
    FromMemory,
    FromDisk,
    /// Some are, which come twice if the mapper stops before they are settled.
    FromBoth,
}

impl BatchOrigin {
    /// Where a batch comes from to which records from there are added.
    fn and(self, more: Self) -> Self {
        if matches!(self, Self::Nothing) || self == more { more } else { Self::FromBoth }
    }
}

impl Buffer {
    /// A buffer in memory.
    pub(super) fn new(max_records: usize, linger: Duration) -> Self {
        Self {
            memory: VecDeque::new(),
            memory_bytes: 0,
            max_records,
            disk: None,
            linger,
            spill_at: None,
            taken: BatchOrigin::Nothing,
        }
    }

    /// Takes a disk into use. What it holds from an earlier run leaves first.
    pub(super) fn attach(&mut self, disk: Disk) {
        self.disk = Some(disk);
    }

    /// How many records wait, beside the batch that is taken.
    pub(super) fn waiting(&self) -> usize {
        self.memory.len() + self.disk.as_ref().map_or(0, Disk::unread)
    }

    /// Takes in new records.
    pub(super) async fn put(&mut self, records: Vec<Record>, reach: Reach, monitor: &Monitor) {
        let spills = reach == Reach::Away || self.disk.as_ref().is_some_and(|disk| disk.pending() > 0);
        self.push(records);
        if self.is_full(monitor) {
            self.spill(monitor).await;
        } else if spills {
            self.gather(monitor).await;
        }
        self.shed(monitor);
    }

    /// Waits until what has gathered in memory is to be [`spill`](Self::spill)ed; for ever while nothing is.
    pub(super) fn gathered(&self) -> impl Future<Output = ()> + use<> {
        let due = self.spill_at.filter(|_| self.disk.is_some() && !self.memory.is_empty());
        async move {
            match due {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        }
    }

    /// What waits in memory is to go to disk, with what comes meanwhile.
    async fn gather(&mut self, monitor: &Monitor) {
        let at = *self.spill_at.get_or_insert_with(|| Instant::now() + self.linger);
        if self.memory_bytes >= MAX_GATHERED || at <= Instant::now() {
            self.spill(monitor).await;
        }
    }

    /// The next batch, of at most this many records. None where some wait, but the disk does not give them. It is a part of the batch
    /// before if that is not settled.
    pub(super) async fn take(&mut self, max_records: usize, monitor: &Monitor) -> Vec<Record> {
        if let Some(disk) = self.disk.as_mut().filter(|disk| disk.unread() > 0) {
            let records = disk.read(max_records, monitor.share.room().min(MAX_BATCH), monitor).await;
            monitor.share.add(records.iter().map(Record::weight).sum());
            if !records.is_empty() {
                self.taken = self.taken.and(BatchOrigin::FromDisk);
            } else if self.taken == BatchOrigin::Nothing {
                // What was passed over is damaged, and done with.
                disk.acknowledge(monitor).await;
            }
            return records;
        }
        let records = self.take_from_memory(max_records);
        if !records.is_empty() {
            self.taken = self.taken.and(BatchOrigin::FromMemory);
        }
        records
    }

    fn take_from_memory(&mut self, max_records: usize) -> Vec<Record> {
        let count = fitting(self.memory.iter().take(max_records));
        let records: Vec<_> = self.memory.drain(..count).collect();
        self.memory_bytes -= records.iter().map(Record::weight).sum::<usize>();
        records
    }

    /// The batch that was taken is settled.
    pub(super) async fn settled(&mut self, monitor: &Monitor) {
        let taken = std::mem::replace(&mut self.taken, BatchOrigin::Nothing);
        if self.memory.is_empty() {
            self.spill_at = None;
        }
        if matches!(taken, BatchOrigin::FromDisk | BatchOrigin::FromBoth)
            && let Some(disk) = &mut self.disk
        {
            disk.acknowledge(monitor).await;
        }
    }

    /// What is left of the batch that was taken cannot be delivered now: it goes to disk with what gathers, before all that waits. Gives
    /// back what must stay with the caller, which is all of it if it lies on disk anyway, if there is no disk, or if later records are
    /// there already.
    pub(super) async fn retreat(&mut self, batch: Vec<Record>, monitor: &Monitor) -> Vec<Record> {
        let can_go_first = self.disk.as_ref().is_some_and(|disk| disk.pending() == 0);
        let kept = if self.taken == BatchOrigin::FromMemory && can_go_first {
            self.taken = BatchOrigin::Nothing;
            self.push_front(batch);
            Vec::new()
        } else {
            batch
        };
        self.gather(monitor).await;
        self.shed(monitor);
        kept
    }

    /// Nothing is left, and nobody produces any more.
    pub(super) async fn close_for_good(self) {
        if let Some(disk) = self.disk {
            disk.close_for_good().await;
        }
    }

    /// What is left is given up. Returns how many bytes of it lay on disk.
    pub(super) async fn give_up(self, monitor: &Monitor) -> u64 {
        match self.disk {
            Some(disk) => disk.remove(monitor).await,
            None => 0,
        }
    }

    /// The mapper stops: what is left goes to disk, or is lost. `batch` is what is left of the one that was taken.
    pub(super) async fn close(mut self, mut batch: Vec<Record>, monitor: &Monitor) {
        // What lies on disk unacknowledged is read again at the next start.
        let is_on_disk = self.taken == BatchOrigin::FromDisk && self.disk.as_ref().is_some_and(Disk::has_read);
        if !is_on_disk {
            // Better out of order than lost, where later records are on disk already.
            self.push_front(std::mem::take(&mut batch));
        }
        self.spill(monitor).await;
        if let Some(disk) = &mut self.disk
            && !disk.keep().await
        {
            // It had to make room just now.
            self.push_front(batch);
            self.spill(monitor).await;
        }
        if !self.memory.is_empty() {
            monitor.dropped(self.memory.len(), "the mapper stops, and they cannot be kept on disk");
        }
        if let Some(disk) = self.disk {
            disk.close().await;
        }
    }

    fn push(&mut self, records: Vec<Record>) {
        self.memory_bytes += records.iter().map(Record::weight).sum::<usize>();
        self.memory.extend(records);
    }

    fn push_front(&mut self, records: Vec<Record>) {
        self.memory_bytes += records.iter().map(Record::weight).sum::<usize>();
        records.into_iter().rev().for_each(|record| self.memory.push_front(record));
    }

    fn is_full(&self, monitor: &Monitor) -> bool {
        self.memory.len() > self.max_records || monitor.share.is_too_much(self.memory_bytes)
    }

    /// Moves what waits in memory to disk. Where that fails it stays.
    pub(super) async fn spill(&mut self, monitor: &Monitor) {
        self.spill_at = None;
        let Some(disk) = self.disk.as_mut().filter(|_| !self.memory.is_empty()) else { return };
        let records = Vec::from(std::mem::take(&mut self.memory));
        let left = disk.append(records, monitor).await;
        self.memory = left.into();
        let bytes = self.memory.iter().map(Record::weight).sum();
        monitor.share.release(std::mem::replace(&mut self.memory_bytes, bytes) - bytes);
    }

    /// Drops the oldest records that memory has no room for.
    fn shed(&mut self, monitor: &Monitor) {
        let mut shed = 0;
        while self.is_full(monitor) {
            let Some(record) = self.memory.pop_front() else { break };
            self.memory_bytes -= record.weight();
            monitor.share.release(record.weight());
            shed += 1;
        }
        if shed > 0 {
            monitor.dropped(shed, "the queue is full, and they cannot be kept on disk");
        }
    }
}

/// How many of these records have room in one batch, the first in any case.
pub(super) fn fitting<'a>(mut records: impl Iterator<Item = &'a Record>) -> usize {
    let first = records.next().map_or(0, Record::weight);
    let more = records.scan(first, |bytes, record| {
        *bytes += record.weight();
        Some(*bytes)
    });
    usize::from(first > 0) + more.take_while(|bytes| *bytes <= MAX_BATCH).count()
}
