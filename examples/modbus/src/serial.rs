//! A serial line.

use std::{fmt, io, path::PathBuf, time::Duration};

use serde::Deserialize;
use serial2_tokio::{CharSize, FlowControl, SerialPort, Settings, StopBits, rs4xx::Rs485Config};

/// A serial port and how it is set. Modbus RTU has eight data bits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Line {
    pub(crate) path: PathBuf,
    pub(crate) baud_rate: u32,
    pub(crate) parity: Parity,
    pub(crate) two_stop_bits: bool,
    /// Whether the kernel switches the transceiver between sending and receiving.
    pub(crate) rs485: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Parity {
    #[serde(alias = "None", alias = "N")]
    None,
    #[serde(alias = "Even", alias = "E")]
    Even,
    #[serde(alias = "Odd", alias = "O")]
    Odd,
}

impl Line {
    /// How long the line has to be silent between two frames: 3.5 characters, and 1.75 ms from 19,200 baud on.
    //= Modbus over serial line, specification and implementation guide V1.02, 2.5.1.1
    pub(crate) fn silence(&self) -> Duration {
        if self.baud_rate > 19_200 {
            return Duration::from_micros(1750);
        }
        let bits = 10 + u32::from(self.parity != Parity::None) + u32::from(self.two_stop_bits);
        Duration::from_secs(1) * bits * 7 / 2 / self.baud_rate
    }

    pub(crate) fn open(&self) -> io::Result<SerialPort> {
        let port = SerialPort::open(&self.path, |settings| self.set(settings))?;
        if self.rs485 {
            port.set_rs4xx_mode(Rs485Config::new())?;
        }
        port.discard_input_buffer()?;
        Ok(port)
    }

    fn set(&self, mut settings: Settings) -> io::Result<Settings> {
        settings.set_raw();
        settings.set_baud_rate(self.baud_rate)?;
        settings.set_char_size(CharSize::Bits8);
        settings.set_flow_control(FlowControl::None);
        settings.set_stop_bits(if self.two_stop_bits { StopBits::Two } else { StopBits::One });
        settings.set_parity(match self.parity {
            Parity::None => serial2_tokio::Parity::None,
            Parity::Even => serial2_tokio::Parity::Even,
            Parity::Odd => serial2_tokio::Parity::Odd,
        });
        Ok(settings)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, baud_rate, .. } = self;
        let parity = match self.parity {
            Parity::None => 'N',
            Parity::Even => 'E',
            Parity::Odd => 'O',
        };
        write!(f, "{} ({baud_rate} baud, 8{parity}{})", path.display(), 1 + u8::from(self.two_stop_bits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_silence_between_frames_is_three_and_a_half_characters_and_does_not_shrink_for_ever() {
        let silence = |baud_rate, parity| {
            let line = Line { path: "/dev/ttyUSB0".into(), baud_rate, parity, two_stop_bits: false, rs485: false };
            line.silence().as_micros()
        };
        assert_eq!(silence(9600, Parity::None), 3645);
        assert_eq!(silence(9600, Parity::Even), 4010);
        assert_eq!(silence(19_200, Parity::Even), 2005);
        assert_eq!(silence(115_200, Parity::Even), 1750);
    }
}
