//! A test card that moves, for machines without a camera.

use std::{
    io,
    time::{Duration, Instant},
};

use mapper_framework::{ContentType, Format, Frame};

use super::{Captured, FrameSource};
use crate::{config::Config, yuyv::Yuyv};

/// White, yellow, cyan, green, magenta, red, blue and black, as `Y U V`.
const BARS: [[u8; 3]; 8] = [
    [235, 128, 128],
    [210, 16, 146],
    [170, 166, 16],
    [145, 54, 34],
    [106, 202, 222],
    [81, 90, 240],
    [41, 240, 110],
    [16, 128, 128],
];

/// How many squares the number of the frame has at the lower edge, the lowest bit at the right.
const BITS: u32 = 16;

/// Eight bars of colour, a white line that moves down, and the number of the frame as bright and dark squares.
#[derive(Debug)]
pub(super) struct TestCard {
    size: (u32, u32),
    interval: Duration,
    rate: f64,
    quality: u8,
    number: u64,
    /// When the next frame is due.
    due: Instant,
    bytes: Vec<u8>,
}

impl TestCard {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            size: (config.width, config.height),
            interval: Duration::from_secs_f64(1.0 / config.frame_rate),
            rate: config.frame_rate,
            quality: config.quality,
            number: 0,
            due: Instant::now(),
            bytes: Vec::new(),
        }
    }

    /// Draws a frame, two pixels at a time.
    fn draw(&mut self) {
        let (width, height) = self.size;
        let line = u32::try_from(self.number % u64::from(height)).unwrap_or_default();
        let pairs = width.div_ceil(2);
        self.bytes.clear();
        for y in 0..height {
            for pair in 0..pairs {
                let [luma, u, v] = self.colour(pair, pairs, y, line);
                self.bytes.extend([luma, u, luma, v]);
            }
        }
    }

    fn colour(&self, pair: u32, pairs: u32, y: u32, line: u32) -> [u8; 3] {
        let (_, height) = self.size;
        if y >= height - height / 8 {
            let bit = BITS - 1 - pair * BITS / pairs;
            return if self.number >> bit & 1 == 1 { BARS[0] } else { BARS[7] };
        }
        if y == line { BARS[0] } else { BARS[(pair * 8 / pairs) as usize] }
    }
}

impl FrameSource for TestCard {
    fn format(&self) -> Format {
        Format::new("YUYV", self.size.0, self.size.1).frames_per_second(self.rate)
    }

    fn next(&mut self) -> io::Result<Captured> {
        let now = Instant::now();
        if now < self.due {
            return Ok(Captured::NotBefore(self.due - now));
        }
        // A machine that is too slow for the rate gives fewer frames, and does not hurry after them.
        self.due = (self.due + self.interval).max(now);
        self.number += 1;
        self.draw();
        let jpeg = Yuyv::new(&self.bytes, self.size, 0)?.encode(self.quality)?;
        let frame = Frame::new(ContentType::Jpeg, jpeg).size(self.size.0, self.size.1).number(self.number);
        Ok(Captured::Frame(frame))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn card(config: &serde_json::Value) -> TestCard {
        TestCard::new(&serde_json::from_value(config.clone()).expect("it can be read"))
    }

    /// The pixels of the next frame, in three bytes each.
    fn decoded(card: &mut TestCard) -> Vec<u8> {
        loop {
            let Captured::Frame(frame) = card.next().expect("a card gives frames") else { continue };
            let mut decoder = jpeg_decoder::Decoder::new(&frame.bytes()[..]);
            let pixels = decoder.decode().expect("it is a JPEG");
            let info = decoder.info().expect("it has a head");
            assert_eq!((Some(u32::from(info.width)), Some(u32::from(info.height))), (frame.width(), frame.height()));
            return pixels;
        }
    }

    #[test]
    fn the_card_decodes_shows_its_bars_and_the_number_of_the_frame() {
        let mut card = card(&json!({"source": "test", "width": 160, "height": 64, "frameRate": 1000, "quality": 95}));
        for number in 1..=5_u32 {
            let pixels = decoded(&mut card);
            let at = |x: usize, y: usize| &pixels[(y * 160 + x) * 3..][..3];
            let (red, blue) = (at(110, 50), at(130, 50));
            assert!(red[0] > 150 && red[2] < 80 && blue[2] > 150 && blue[0] < 80, "{red:?} {blue:?}");
            let bits = (0..16).map(|bit| u32::from(at(155 - 10 * bit, 60)[0] > 128) << bit);
            assert_eq!(bits.sum::<u32>(), number);
        }
    }

    #[test]
    fn a_frame_is_not_given_before_it_is_due_and_an_odd_size_is_no_problem() {
        let mut card = card(&json!({"source": "test", "width": 3, "height": 5, "frameRate": 0.001}));
        assert_eq!(decoded(&mut card).len(), 3 * 5 * 3);
        assert!(matches!(card.next(), Ok(Captured::NotBefore(pause)) if pause > Duration::from_secs(900)));
        assert_eq!(card.format().to_string(), "YUYV/3x5");
    }
}
