//! How far a camera's clock is ahead of this machine's.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use retina::{
    NtpTimestamp,
    rtcp::{ReceivedCompoundPacket, TypedPacketRef},
};
use tokio::sync::watch;

/// 1970 in seconds since 1900.
const NTP_EPOCH: u64 = 2_208_988_800;

/// What the sender reports of a session say of the camera's clock. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Clock(Arc<watch::Sender<Option<i64>>>);

impl Default for Clock {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl Clock {
    /// Notes the time in the camera's reports, if there is one.
    pub(crate) fn read(&self, reports: &ReceivedCompoundPacket) {
        let host = SystemTime::from(reports.ctx().received_wall());
        for report in reports.pkts() {
            if let Ok(Some(TypedPacketRef::SenderReport(report))) = report.as_typed()
                && let Some(camera) = time(report.ntp_timestamp())
            {
                self.0.send_replace(Some(ahead(camera, host)));
            }
        }
    }

    /// By how many milliseconds the camera is ahead, as its last report says; `None` before the first one.
    pub(crate) fn ahead(&self) -> Option<i64> {
        *self.0.borrow()
    }
}

/// By how many milliseconds the camera's time is ahead of the host's.
pub(crate) fn ahead(camera: SystemTime, host: SystemTime) -> i64 {
    let millis = |ahead: Duration| i64::try_from(ahead.as_millis()).unwrap_or(i64::MAX);
    match camera.duration_since(host) {
        Ok(ahead) => millis(ahead),
        Err(behind) => -millis(behind.duration()),
    }
}

/// The time of a report; `None` where the camera has no clock, which is a zero.
fn time(ntp: NtpTimestamp) -> Option<SystemTime> {
    let (seconds, parts) = (ntp.0 >> 32, ntp.0 & 0xffff_ffff);
    if seconds == 0 {
        return None;
    }
    //= RFC 4330, section 3: a time without the highest bit is of 2036 and later
    let seconds = if seconds >> 31 == 1 { seconds } else { seconds + (1 << 32) };
    let since = Duration::from_secs(seconds.checked_sub(NTP_EPOCH)?);
    UNIX_EPOCH.checked_add(since + Duration::from_nanos((parts * 1_000_000_000) >> 32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reports_time_is_read_and_none_is_no_time() {
        assert_eq!(time(NtpTimestamp((NTP_EPOCH << 32) | 0x8000_0000)), Some(UNIX_EPOCH + Duration::from_millis(500)));
        assert_eq!(time(NtpTimestamp(0)), None);
        assert_eq!(time(NtpTimestamp(0x8000_0000_0000_0000)), None, "1968 is before all clocks of cameras");
        let later = time(NtpTimestamp(1 << 32)).expect("the first second of the next era");
        assert_eq!(later.duration_since(UNIX_EPOCH).expect("later").as_secs(), (1 << 32) + 1 - NTP_EPOCH);
    }

    #[test]
    fn a_clock_may_be_ahead_and_behind() {
        let (early, late) = (UNIX_EPOCH, UNIX_EPOCH + Duration::from_millis(1500));
        assert_eq!((ahead(late, early), ahead(early, late)), (1500, -1500));
    }
}
