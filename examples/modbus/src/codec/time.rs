//! Times in registers.

use std::fmt;

use super::{Layout, Misfit, bits};

/// How a time stands in its registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    /// Seconds since 1970, in two registers.
    Unix32,
    /// Seconds since 1970, in four registers.
    Unix64,
    /// Milliseconds since 1970, in four registers.
    Unix64Ms,
    /// Four registers as in IEC 60870-5-4: year since 2000, month and day, hour and minute, milliseconds of the minute.
    Iec870,
    /// Six registers: year, month, day, hour, minute, second. A year below 100 is one since 2000.
    Date6,
    /// Six bytes: year since 2000, month, day, hour, minute, second.
    Date3,
    /// Six bytes with two decimal digits each: year since 2000, month, day, hour, minute, second.
    Date3Bcd,
}

impl Clock {
    pub(crate) fn registers(self) -> u16 {
        match self {
            Self::Unix32 => 2,
            Self::Unix64 | Self::Unix64Ms | Self::Iec870 => 4,
            Self::Date6 => 6,
            Self::Date3 | Self::Date3Bcd => 3,
        }
    }

    /// Whether it counts from 1970, which says that it is UTC.
    pub(crate) fn is_unix(self) -> bool {
        matches!(self, Self::Unix32 | Self::Unix64 | Self::Unix64Ms)
    }

    /// How many milliseconds one step of a clock is that counts from 1970.
    fn step(self) -> i64 {
        if self == Self::Unix64Ms { 1 } else { 1000 }
    }

    /// The seconds or milliseconds of a clock that counts from 1970.
    pub(crate) fn count(self, layout: Layout, registers: &[u16]) -> i64 {
        layout.join(registers) as i64
    }

    /// The time; `None` if there is none, such as a month 0.
    pub(crate) fn decode(self, layout: Layout, registers: &[u16]) -> Option<Moment> {
        let moment = match self {
            Self::Unix32 | Self::Unix64 | Self::Unix64Ms => {
                Moment::of_millis(self.count(layout, registers).checked_mul(self.step())?)
            }
            Self::Iec870 => Moment::of_iec870(&layout.straighten(registers))?,
            Self::Date6 => Moment::of_six(&layout.straighten(registers))?,
            Self::Date3 => Moment::of_six(&layout.to_bytes(registers).into_iter().map(u16::from).collect::<Vec<_>>())?,
            Self::Date3Bcd => {
                let digits = |byte: u8| bits::of_bcd(byte.into()).map(|number| number as u16);
                let numbers: Option<Vec<u16>> = layout.to_bytes(registers).into_iter().map(digits).collect();
                Moment::of_six(&numbers?)?
            }
        };
        moment.exists().then_some(moment)
    }

    /// The registers for a count of seconds or milliseconds since 1970.
    pub(crate) fn encode_count(self, layout: Layout, count: i64) -> Option<Vec<u16>> {
        let fits = self != Self::Unix32 || u32::try_from(count).is_ok();
        (self.is_unix() && fits).then(|| layout.split(count as u64, self.registers()))
    }

    /// The registers for a time as it is read.
    pub(crate) fn encode(self, layout: Layout, text: &str) -> Result<Vec<u16>, Misfit> {
        let moment = Moment::parse(text).ok_or(Misfit::NoTime)?;
        let since_2000 = u16::try_from(moment.year - 2000).ok();
        let six = |year: u16| [year, moment.month, moment.day, moment.hour, moment.minute, moment.second];
        let registers = match self {
            Self::Unix32 | Self::Unix64 | Self::Unix64Ms => {
                self.encode_count(layout, moment.millis().div_euclid(self.step()))
            }
            Self::Iec870 => since_2000.filter(|year| *year < 100).map(|year| {
                let words = [
                    year,
                    (moment.month << 8) | moment.day,
                    (moment.hour << 8) | moment.minute,
                    moment.second * 1000 + moment.milli,
                ];
                layout.straighten(&words)
            }),
            Self::Date6 => u16::try_from(moment.year).ok().map(|year| layout.straighten(&six(year))),
            Self::Date3 | Self::Date3Bcd => since_2000.filter(|year| *year < 100).map(|year| {
                let byte = |n: u16| if self == Self::Date3 { n as u8 } else { bits::to_bcd(n.into()) as u8 };
                layout.of_bytes(&six(year).map(byte))
            }),
        };
        registers.ok_or(Misfit::TimeOutOfRange)
    }
}

/// A date and a time of day, in whatever zone the device has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    year: i64,
    month: u16,
    day: u16,
    hour: u16,
    minute: u16,
    second: u16,
    milli: u16,
}

const DAY: i64 = 86_400_000;

impl Moment {
    fn of_millis(millis: i64) -> Self {
        let (days, rest) = (millis.div_euclid(DAY), millis.rem_euclid(DAY));
        let (year, month, day) = civil(days);
        let of = |unit: i64, size: i64| (rest / unit % size) as u16;
        let (hour, minute, second) = (of(3_600_000, 24), of(60_000, 60), of(1000, 60));
        Self { year, month, day, hour, minute, second, milli: of(1, 1000) }
    }

    fn millis(self) -> i64 {
        let minutes = i64::from(self.hour) * 60 + i64::from(self.minute);
        let seconds = minutes * 60 + i64::from(self.second);
        days(self.year, self.month, self.day) * DAY + seconds * 1000 + i64::from(self.milli)
    }

    fn of_iec870(words: &[u16]) -> Option<Self> {
        let &[year, date, time, millis] = words else { return None };
        let (month, day) = ((date >> 8) & 0xf, date & 0x1f);
        // Above the hour stands whether it is summer time, above the minute whether the clock is wrong.
        let (hour, minute) = ((time >> 8) & 0x1f, time & 0x3f);
        let year = 2000 + i64::from(year & 0x7f);
        let is_wrong = time & 0x80 != 0;
        (!is_wrong).then_some(Self { year, month, day, hour, minute, second: millis / 1000, milli: millis % 1000 })
    }

    fn of_six(numbers: &[u16]) -> Option<Self> {
        let &[year, month, day, hour, minute, second] = numbers else { return None };
        let year = i64::from(if year < 100 { year + 2000 } else { year });
        Some(Self { year, month, day, hour, minute, second, milli: 0 })
    }

    fn exists(self) -> bool {
        let is_day = (1..=9999).contains(&self.year) && (1..=12).contains(&self.month) && self.day > 0;
        is_day
            && civil(days(self.year, self.month, self.day)) == (self.year, self.month, self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second < 60
    }

    /// Reads `2026-11-30T21:30:00`, with or without a fraction, a Z, and a space for the T.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (date, time) = text.strip_suffix('Z').unwrap_or(text).split_once(['T', ' '])?;
        let mut date = date.splitn(3, '-');
        let (year, month, day) = (digits(date.next()?)?, digits(date.next()?)?, digits(date.next()?)?);
        let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
        let mut time = time.splitn(3, ':');
        let (hour, minute, second) =
            (digits(time.next()?)?, digits(time.next()?)?, digits(time.next().unwrap_or("0"))?);
        digits(fraction)?;
        let milli = digits(&format!("{fraction:0<3.3}"))?;
        let moment = Self { year: year.into(), month, day, hour, minute, second, milli };
        moment.exists().then_some(moment)
    }
}

/// A number of digits only, without a sign.
fn digits(text: &str) -> Option<u16> {
    let is_short = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    // A fraction may have more digits than are kept of it.
    is_short.then(|| text.parse::<u32>().ok().map(|number| number.min(u16::MAX.into()) as u16))?
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, second, milli } = self;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if *milli > 0 { write!(f, ".{milli:03}") } else { Ok(()) }
    }
}

/// The days of 400 years, after which the calendar repeats itself.
const ERA: i64 = 146_097;

/// The days from 1970-01-01 to a date. Years are counted from March here, so that the day that is not in each year is the last one.
fn days(year: i64, month: u16, day: u16) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((i64::from(month) + 9) % 12) + 2) / 5 + i64::from(day) - 1;
    year.div_euclid(400) * ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day so many days after 1970-01-01.
fn civil(days: i64) -> (i64, u16, u16) {
    let days = days + 719_468;
    let of_era = days.rem_euclid(ERA);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + days.div_euclid(ERA) * 400 + i64::from(month <= 2), month as u16, day as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRAIGHT: Layout = Layout { byte_order: crate::codec::Order::Big, word_order: crate::codec::Order::Big };

    fn read(clock: Clock, registers: &[u16]) -> Option<String> {
        clock.decode(STRAIGHT, registers).map(|moment| moment.to_string())
    }

    #[test]
    fn a_time_comes_back_from_its_registers_in_every_layout() {
        for (clock, text, registers) in [
            (Clock::Unix32, "2009-02-13T23:31:30", &[0x4996, 0x02d2][..]),
            (Clock::Unix64, "2009-02-13T23:31:30", &[0, 0, 0x4996, 0x02d2]),
            (Clock::Unix64Ms, "2009-02-13T23:31:30.500", &[0, 0x011f, 0x71fb, 0x0644]),
            (Clock::Iec870, "2024-02-29T13:05:07.250", &[24, 0x021d, 0x0d05, 7250]),
            (Clock::Date6, "2024-02-29T13:05:07", &[2024, 2, 29, 13, 5, 7]),
            (Clock::Date3, "2024-02-29T13:05:07", &[0x1802, 0x1d0d, 0x0507]),
            (Clock::Date3Bcd, "2024-12-31T23:59:58", &[0x2412, 0x3123, 0x5958]),
        ] {
            assert_eq!(read(clock, registers).as_deref(), Some(text), "{clock:?}");
            assert_eq!(clock.encode(STRAIGHT, text).unwrap(), registers, "{clock:?}");
        }
    }

    #[test]
    fn a_clock_that_was_never_set_gives_no_time() {
        assert_eq!(read(Clock::Date6, &[0; 6]), None);
        assert_eq!(read(Clock::Date3, &[0xffff; 3]), None);
        assert_eq!(read(Clock::Date3Bcd, &[0x241a, 0x0101, 0]), None);
        assert_eq!(read(Clock::Date6, &[2023, 2, 29, 0, 0, 0]), None, "not a leap year");
        assert_eq!(read(Clock::Unix64, &[0x7fff, 0xffff, 0xffff, 0xffff]), None);
        assert_eq!(read(Clock::Iec870, &[24, 0x021d, 0x0d85, 7250]), None, "the device says that it is wrong");
    }

    #[test]
    fn the_calendar_is_right_over_its_whole_range() {
        let mut expected = (1, 1, 1);
        for day in days(1, 1, 1)..=days(9999, 12, 31) {
            assert_eq!(civil(day), expected);
            let (year, month, date) = expected;
            assert_eq!(days(year, month, date), day);
            let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 => 28 + u16::from(is_leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            expected = if date < length {
                (year, month, date + 1)
            } else if month < 12 {
                (year, month + 1, 1)
            } else {
                (year + 1, 1, 1)
            };
        }
    }

    #[test]
    fn what_is_no_time_or_out_of_range_is_refused() {
        for text in [
            "",
            "now",
            "2024-13-01T00:00:00",
            "2024-01-01",
            "2024-01-01T24:00:00",
            "2024-+1-01T00:00:00",
            "99999999999-1-1T0:0:0",
        ] {
            assert!(matches!(Clock::Date6.encode(STRAIGHT, text), Err(Misfit::NoTime)), "{text}");
        }
        assert!(matches!(Clock::Unix32.encode(STRAIGHT, "1969-12-31T23:59:59Z"), Err(Misfit::TimeOutOfRange)));
        assert!(matches!(Clock::Date3.encode(STRAIGHT, "1999-12-31T23:59:59"), Err(Misfit::TimeOutOfRange)));
        assert!(Clock::Unix32.encode(STRAIGHT, "2024-01-01 00:00:00.123456789Z").is_ok());
    }
}
