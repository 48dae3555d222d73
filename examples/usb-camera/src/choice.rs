//! The format, the size and the rate that are nearest to what is wanted.

use crate::{
    fourcc::FourCc,
    v4l2::{Intervals, Sizes},
};

/// The wanted format, or else the first one that this mapper takes, those first that cost the least.
pub(crate) fn format(offered: &[String], wanted: FourCc) -> Option<FourCc> {
    let is_offered = |format: &FourCc| offered.iter().any(|offered| FourCc::of_text(offered) == Some(*format));
    std::iter::once(wanted).chain(FourCc::ALL).find(is_offered)
}

/// The nearest of the sizes that a camera offers.
pub(crate) fn size(offered: &Sizes, wanted: (u32, u32)) -> Option<(u32, u32)> {
    match offered {
        Sizes::Each(sizes) => nearest_size(sizes, wanted),
        Sizes::Range { least, most, step } => {
            let side = |least: u32, most: u32, step: u32, wanted: u32| {
                let (step, above) = (step.max(1), wanted.clamp(least, most.max(least)) - least);
                least + (above + step / 2).min(most.max(least) - least) / step * step
            };
            Some((side(least.0, most.0, step.0, wanted.0), side(least.1, most.1, step.1, wanted.1)))
        }
    }
}

/// The interval that is nearest to a rate, of those that a camera offers.
pub(crate) fn interval_of(offered: &Intervals, wanted: f64) -> Option<(u32, u32)> {
    match offered {
        Intervals::Each(intervals) => nearest_interval(intervals, wanted),
        Intervals::Range { least, most } => {
            let sound = |(numerator, denominator): &(u32, u32)| *numerator > 0 && *denominator > 0;
            let ends = [*least, *most];
            if !ends.iter().all(sound) {
                return None;
            }
            let is_between = (rate(*most)..=rate(*least)).contains(&wanted);
            if is_between { Some(interval(wanted)) } else { nearest_interval(&ends, wanted) }
        }
    }
}

/// The size nearest to the wanted one: by the pixels that differ, and of two that are equally near the larger one.
pub(crate) fn nearest_size(sizes: &[(u32, u32)], wanted: (u32, u32)) -> Option<(u32, u32)> {
    let distance = |&(width, height): &(u32, u32)| width.abs_diff(wanted.0) + height.abs_diff(wanted.1);
    let area = |&(width, height): &(u32, u32)| u64::from(width) * u64::from(height);
    sizes.iter().min_by_key(|size| (distance(size), std::cmp::Reverse(area(size)))).copied()
}

/// The interval between two frames, in seconds as a fraction, that is nearest to the wanted rate.
pub(crate) fn nearest_interval(intervals: &[(u32, u32)], wanted: f64) -> Option<(u32, u32)> {
    let sound = intervals.iter().filter(|(numerator, denominator)| *numerator > 0 && *denominator > 0);
    let distance = |interval: &(u32, u32)| (rate(*interval) - wanted).abs();
    sound.min_by(|a, b| distance(a).total_cmp(&distance(b))).copied()
}

/// Frames in a second.
pub(crate) fn rate((numerator, denominator): (u32, u32)) -> f64 {
    f64::from(denominator) / f64::from(numerator)
}

/// The interval of a rate, as a fraction.
pub(crate) fn interval(rate: f64) -> (u32, u32) {
    (1000, (rate * 1000.0).round().clamp(1.0, f64::from(u32::MAX)) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_size_and_rate_are_taken() {
        let sizes = [(320, 240), (640, 480), (1280, 720), (1920, 1080)];
        assert_eq!(nearest_size(&sizes, (1280, 720)), Some((1280, 720)));
        assert_eq!(nearest_size(&sizes, (1300, 700)), Some((1280, 720)));
        assert_eq!(nearest_size(&sizes, (480, 360)), Some((640, 480)), "of two equally near ones the larger");
        assert_eq!(nearest_size(&sizes, (u32::MAX / 2, 2)), Some((1920, 1080)));
        assert_eq!(nearest_size(&[], (640, 480)), None);
        let intervals = [(1, 30), (1, 15), (2, 15), (0, 30), (1, 0)];
        assert_eq!(nearest_interval(&intervals, 25.0), Some((1, 30)));
        assert_eq!(nearest_interval(&intervals, 8.0), Some((2, 15)));
        assert_eq!(nearest_interval(&[(0, 1)], 8.0), None);
    }

    #[test]
    fn of_a_range_the_nearest_step_is_taken_and_of_formats_the_cheapest() {
        let sizes = Sizes::Range { least: (48, 32), most: (1280, 720), step: (16, 8) };
        assert_eq!(size(&sizes, (640, 480)), Some((640, 480)));
        assert_eq!(size(&sizes, (635, 1)), Some((640, 32)));
        assert_eq!(size(&sizes, (9000, 9000)), Some((1280, 720)));
        assert_eq!(size(&Sizes::Range { least: (5, 5), most: (1, 1), step: (0, 0) }, (3, 9)), Some((5, 5)));
        let rates = Intervals::Range { least: (1, 60), most: (1, 5) };
        assert_eq!(interval_of(&rates, 30.0), Some((1000, 30_000)));
        assert_eq!((interval_of(&rates, 1.0), interval_of(&rates, 90.0)), (Some((1, 5)), Some((1, 60))));
        assert_eq!(interval_of(&Intervals::Range { least: (0, 1), most: (1, 0) }, 30.0), None);
        let offered = ["H264", "NV12", "YUYV"].map(str::to_owned);
        assert_eq!(format(&offered, FourCc::Nv12), Some(FourCc::Nv12));
        assert_eq!(format(&offered, FourCc::Mjpg), Some(FourCc::Yuyv));
        assert_eq!(format(&offered[..1], FourCc::Mjpg), None);
    }

    #[test]
    fn a_rate_becomes_an_interval_and_back() {
        for wanted in [0.1, 7.5, 29.97, 1000.0] {
            assert!((rate(interval(wanted)) - wanted).abs() < 0.001, "{wanted}");
        }
    }
}
