//! Which frames of a property's stream go into which file.

use std::{
    fs::{self, File},
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use crate::{
    model::{RecordFormat, RecordRules},
    stream::{ContentType, Frame, jpeg_size},
};

use super::{
    FileName, RecordError,
    avi::{AviFile, HEADER, MOST_CHUNKS, Shape, part_of},
    disk::Disk,
    names::FileKind,
    ring::{Budget, Load, Ring},
};

/// The most bytes of a video, far from what its numbers hold. A quarter of the budget is the most as well, so that old files can make room.
const LARGEST_VIDEO: u64 = 1 << 30;

/// The longest time without a frame within a video. After it another one begins.
const LONGEST_GAP: Duration = Duration::from_secs(10);

/// So many intervals without a frame are no gap either, where frames come seldom.
const INTERVALS: u32 = 10;

/// How far the frames of a video may run ahead of its rate, before another one begins with theirs.
const FARTHEST_AHEAD: Duration = Duration::from_secs(1);

/// What has become of the files.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// The last file that was finished, if any was.
    pub(crate) finished: Option<FileName>,
    /// The video that was begun, if one was.
    pub(crate) begun: Option<FileName>,
    /// Whether a frame was written.
    pub(crate) has_frame: bool,
}

/// Records the frames of one property.
#[derive(Debug)]
pub(crate) struct Recorder {
    rules: RecordRules,
    ring: Ring,
    disk: Arc<dyn Disk>,
    /// The video that is being written.
    video: Option<AviFile>,
    /// When a frame was recorded by the rules, the last time.
    last: Option<SystemTime>,
    /// When a frame was put into the video, and the time of that frame, which is the camera's.
    last_of_video: SystemTime,
    last_frame: SystemTime,
    /// Until when all frames are recorded, by an order.
    until: Option<SystemTime>,
    /// How often frames come, where they come more often than is said.
    faster: Option<f64>,
}

impl Recorder {
    pub(super) fn open(
        folder: &Path,
        property: &str,
        rules: &RecordRules,
        disk: Arc<dyn Disk>,
    ) -> Result<(Self, usize), RecordError> {
        let budget = Budget { files: rules.files, bytes: rules.bytes, age: rules.age };
        let (ring, mended) = Ring::open(folder, property, budget, &disk)?;
        let recorder = Self {
            rules: rules.clone(),
            ring,
            disk,
            video: None,
            last: None,
            last_of_video: SystemTime::UNIX_EPOCH,
            last_frame: SystemTime::UNIX_EPOCH,
            until: None,
            faster: None,
        };
        Ok((recorder, mended))
    }

    /// The file that was finished last.
    pub(crate) fn newest(&self) -> Option<&FileName> {
        self.ring.newest()
    }

    /// Whether a video is being written, which wants to be looked at by [`tick`](Self::tick) every second.
    pub(crate) fn is_busy(&self) -> bool {
        self.video.is_some() || self.until.is_some()
    }

    /// Whether a frame that comes now is recorded.
    pub(crate) fn wants(&self, now: SystemTime) -> bool {
        self.until.is_some() || self.is_due(now)
    }

    fn is_due(&self, now: SystemTime) -> bool {
        // A clock that was set back has no say in it.
        let since = |last: SystemTime| now.duration_since(last).unwrap_or(Duration::MAX);
        self.rules.is_continuous && self.last.is_none_or(|last| since(last) >= self.rules.every)
    }

    /// Records a frame as the rules say. `frames_per_second` is how often the device says that they come.
    ///
    /// # Errors
    ///
    /// The frame is lost.
    pub(crate) fn frame(
        &mut self,
        frame: &Frame,
        frames_per_second: Option<f64>,
        now: SystemTime,
    ) -> Result<Written, RecordError> {
        let mut written = self.tick(now)?;
        let is_due = self.is_due(now);
        let is_video = self.rules.format == RecordFormat::Avi;
        if is_due {
            self.note_due(now);
        }
        if is_due && !is_video {
            written.finished = Some(self.snapshot(frame, now)?);
            written.has_frame = true;
        }
        if self.until.is_some() || is_due && is_video {
            let paced = self.rules.every.as_secs_f64();
            let paced = (self.until.is_none() && paced > 0.0).then_some(1.0 / paced);
            let rate = paced.or(self.faster).or(frames_per_second).unwrap_or(25.0);
            self.add_to_video(frame, rate, now, &mut written)?;
        }
        Ok(written)
    }

    /// Frames come a little early and late; the next one is due by the rule and not by the last one.
    fn note_due(&mut self, now: SystemTime) {
        let every = self.rules.every;
        let by_rule =
            self.last.map(|last| last + every).filter(|due| now.duration_since(*due).is_ok_and(|late| late < every));
        self.last = Some(by_rule.unwrap_or(now));
    }

    /// Writes a frame to a file of its own.
    ///
    /// # Errors
    ///
    /// The frame is lost.
    pub(crate) fn snapshot(&mut self, frame: &Frame, now: SystemTime) -> Result<FileName, RecordError> {
        check_type(frame)?;
        let bytes = frame.bytes().len() as u64;
        self.ring.make_room(self.load(), Load { files: 1, bytes })?;
        let name = self.ring.name(frame.time(), FileKind::Jpeg);
        let part = part_of(&self.ring.folder, &name);
        let written = File::create_new(&part).and_then(|mut file| self.disk.write(&mut file, frame.bytes()));
        let written = written.and_then(|()| fs::rename(&part, self.ring.folder.join(name.to_string())));
        if let Err(reason) = written {
            fs::remove_file(&part).ok();
            return Err(RecordError::on("write", part)(reason));
        }
        self.ring.add(name.clone(), bytes, now);
        Ok(name)
    }

    /// Records all frames for a time from now on, in a file that begins with the next one.
    ///
    /// # Errors
    ///
    /// The file before could not be finished.
    pub(crate) fn record(&mut self, duration: Duration, now: SystemTime) -> Result<Written, RecordError> {
        let finished = self.finish(now)?;
        self.until = Some(now + duration);
        Ok(Written { finished, ..Written::default() })
    }

    /// Takes back an order to record whose video has not begun.
    pub(crate) fn forget_order(&mut self) {
        if self.video.is_none() {
            self.until = None;
        }
    }

    /// Deletes what is too old, and ends what is to end by the clock.
    ///
    /// # Errors
    ///
    /// A file could not be deleted or finished.
    pub(crate) fn tick(&mut self, now: SystemTime) -> Result<Written, RecordError> {
        self.ring.expire(now)?;
        // A clock that was set back does not make it last longer.
        let is_over = self.until.is_some_and(|until| now >= until || now + RecordRules::LONGEST < until);
        if is_over {
            self.until = None;
        }
        let since = now.duration_since(self.last_of_video).unwrap_or_default();
        let gap = |video: &AviFile| LONGEST_GAP.max(video.shape.interval() * INTERVALS);
        let is_idle = self.video.as_ref().is_some_and(|video| since > gap(video));
        let finished = if is_over || is_idle { self.finish(now)? } else { None };
        Ok(Written { finished, ..Written::default() })
    }

    /// Finishes the video that is being written.
    ///
    /// # Errors
    ///
    /// It could not be finished, and is when the ring is opened again.
    pub(crate) fn finish(&mut self, now: SystemTime) -> Result<Option<FileName>, RecordError> {
        let Some(video) = self.video.take() else { return Ok(None) };
        if video.frames == 0 {
            let path = part_of(&self.ring.folder, &video.name);
            fs::remove_file(&path).map_err(RecordError::on("remove", &path))?;
            return Ok(None);
        }
        let (name, bytes) = video.finish()?;
        self.ring.add(name.clone(), bytes, now);
        Ok(Some(name))
    }

    fn add_to_video(
        &mut self,
        frame: &Frame,
        rate: f64,
        now: SystemTime,
        written: &mut Written,
    ) -> Result<(), RecordError> {
        check_type(frame)?;
        let size = jpeg_size(frame.bytes()).ok_or(RecordError::Damaged(frame.bytes().len()))?;
        let place = self.video.as_ref().and_then(|video| self.place_in(video, frame, size));
        let empty = match place {
            Some(empty) => empty,
            None => {
                self.note_faster();
                if let Some(finished) = self.finish(now)? {
                    written.finished = Some(finished);
                }
                let rate = self.faster.map_or(rate, |faster| faster.max(rate));
                written.begun = Some(self.begin_video(frame, Shape::new(size, rate))?);
                0
            }
        };
        let needs = AviFile::needs(frame.bytes().len(), empty);
        self.ring.make_room(self.load(), Load { files: 0, bytes: needs })?;
        let Some(video) = &mut self.video else { return Ok(()) };
        video.push(frame.bytes(), empty)?;
        (self.last_of_video, self.last_frame) = (now, frame.time());
        written.has_frame = true;
        Ok(())
    }

    /// How many chunks without a frame come before this one; `None` if it begins another file.
    fn place_in(&self, video: &AviFile, frame: &Frame, size: (u16, u16)) -> Option<u64> {
        let (shape, chunks) = (video.shape, video.chunks());
        if size != (shape.width, shape.height) {
            return None;
        }
        let time = frame.time().duration_since(video.begin).ok()?;
        // One that was ordered lasts as long as the order.
        if time >= self.rules.segment && self.until.is_none() || video.frames >= self.rules.frames {
            return None;
        }
        let (chunk, next) = (shape.chunk_at(time), chunks as u64);
        let ahead = shape.interval() * u32::try_from(next.saturating_sub(chunk)).unwrap_or(u32::MAX);
        let empty = chunk.saturating_sub(next);
        let gap = shape.interval() * u32::try_from(empty).ok()?;
        let is_gap = gap > LONGEST_GAP && empty > u64::from(INTERVALS);
        let largest = LARGEST_VIDEO.min(self.rules.bytes / 4);
        let bytes = video.bytes() + AviFile::needs(frame.bytes().len(), empty);
        let fits = bytes <= largest && chunks + usize::try_from(empty).ok()? < MOST_CHUNKS;
        (fits && !is_gap && ahead <= FARTHEST_AHEAD).then_some(empty)
    }

    /// Notes how often frames come if the video that ends has too low a rate.
    fn note_faster(&mut self) {
        let Some(video) = &self.video else { return };
        let time = self.last_frame.duration_since(video.begin).unwrap_or_default();
        let planned = video.shape.interval() * u32::try_from(video.chunks()).unwrap_or(u32::MAX);
        if planned > time + FARTHEST_AHEAD / 2 && !time.is_zero() {
            #[expect(clippy::cast_precision_loss, reason = "a video has fewer frames than an f64 counts")]
            let frames = video.frames as f64;
            self.faster = Some(frames / time.as_secs_f64());
        }
    }

    fn begin_video(&mut self, frame: &Frame, shape: Shape) -> Result<FileName, RecordError> {
        // Room for the first frame as well: a file that stays empty would have cost an old one.
        let bytes = HEADER + 8 + AviFile::needs(frame.bytes().len(), 0);
        self.ring.make_room(Load::default(), Load { files: 1, bytes })?;
        let name = self.ring.name(frame.time(), FileKind::Avi);
        let folder = &self.ring.folder;
        let video = AviFile::create(folder, name.clone(), shape, frame.time(), Arc::clone(&self.disk))?;
        self.video = Some(video);
        Ok(name)
    }

    /// What the video takes that is being written.
    fn load(&self) -> Load {
        self.video.as_ref().map_or_else(Load::default, |video| Load { files: 1, bytes: video.bytes() })
    }
}

fn check_type(frame: &Frame) -> Result<(), RecordError> {
    match frame.content_type() {
        ContentType::Jpeg => Ok(()),
        other => Err(RecordError::NotJpeg(other)),
    }
}
