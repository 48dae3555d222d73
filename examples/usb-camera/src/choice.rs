//! The size and the rate that are nearest to what is wanted.

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
    fn a_rate_becomes_an_interval_and_back() {
        for wanted in [0.1, 7.5, 29.97, 1000.0] {
            assert!((rate(interval(wanted)) - wanted).abs() < 0.001, "{wanted}");
        }
    }
}
