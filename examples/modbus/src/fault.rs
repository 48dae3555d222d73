//! Why a request failed.

use std::{fmt, time::Duration};

use mapper_framework::DriverError;
use tokio_modbus::{Error, ExceptionCode, ProtocolError};

use crate::{framing::Stray, plan::Span, tls};

/// Why a request failed.
///
/// Not a [`std::error::Error`], so that `?` cannot turn it into a [`DriverError`] of the wrong kind.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The device answered with an exception.
    Exception(ExceptionCode),
    /// The device answered with more or fewer registers than it was asked for.
    Length { answered: usize },
    /// The device's identification has no such object.
    Absent,
    /// The manifest forbids to ask for one of the registers.
    Forbidden,
    /// No answer came in time.
    Late(Duration),
    /// The line was taken for too long by other units that do not answer.
    NotAsked,
    /// What came in the place of an answer was damaged, or no answer to the request.
    Garbled,
    /// This other unit answered the request.
    OtherUnit(u8),
    /// The connection broke, or what came over it was not Modbus.
    Broken(Error),
    /// The connection to this gateway went with an earlier request, perhaps another device's.
    Closed(String),
}

impl Fault {
    /// tokio-modbus does not take an exception for the answer to a request that it does not know by its function, such as 20 and 24.
    pub(crate) fn of(error: Error) -> Self {
        match error {
            Error::Protocol(ProtocolError::FunctionCodeMismatch { request, result: Err(answer) })
                if request.value() == answer.function.value() =>
            {
                Self::Exception(answer.exception)
            }
            error => Self::Broken(error),
        }
    }

    /// Whether a smaller request may succeed, as the fault may be due to some of the registers only.
    pub(crate) fn may_spare_a_part(&self) -> bool {
        use ExceptionCode as E;
        matches!(
            self,
            Self::Forbidden | Self::Exception(E::IllegalDataAddress | E::IllegalDataValue | E::ServerDeviceFailure)
        )
    }

    /// Whether the session ends with it, as no other request has a chance.
    pub(crate) fn ends_session(&self) -> bool {
        matches!(self, Self::Late(_) | Self::NotAsked | Self::Broken(_) | Self::Closed(_))
    }

    /// Whether a gateway says that the unit is not there.
    pub(crate) fn is_absence(&self) -> bool {
        use ExceptionCode as E;
        matches!(self, Self::Exception(E::GatewayPathUnavailable | E::GatewayTargetDevice))
    }

    /// The driver's error for the property at `span`.
    pub(crate) fn at(&self, span: Span) -> DriverError {
        use ExceptionCode as E;
        let message = format_args!("{span}: {self}");
        match self {
            Self::Exception(E::IllegalFunction | E::IllegalDataAddress | E::IllegalDataValue)
            | Self::Absent
            | Self::Forbidden => DriverError::refused(message),
            Self::Exception(_) | Self::Length { .. } | Self::Garbled | Self::OtherUnit(_) => {
                DriverError::failed(message)
            }
            Self::Late(_) | Self::NotAsked | Self::Broken(_) | Self::Closed(_) => DriverError::disconnected(message),
        }
    }
}

impl From<Stray> for Fault {
    fn from(stray: Stray) -> Self {
        match stray {
            Stray::Damaged => Self::Garbled,
            Stray::OfUnit(unit) => Self::OtherUnit(unit),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exception(code) => write!(f, "the device answers with exception {:#04x}, {code}", u8::from(*code)),
            Self::Length { answered } => {
                write!(f, "the device answers with {answered} registers, which is not what it was asked for")
            }
            Self::Absent => f.write_str("the device's identification has no such object"),
            Self::Forbidden => f.write_str("the device's `forbidden` says that it must be neither read nor written"),
            Self::Late(within) => write!(f, "no answer within {} ms", within.as_millis()),
            Self::NotAsked => {
                f.write_str("it is not asked yet: other units that do not answer are waited for at present")
            }
            Self::OtherUnit(unit) => write!(
                f,
                "unit {unit} answers in its place: if the device is the only one there, write `unitId: {unit}`, else the gateway mixes its units up"
            ),
            Self::Garbled => f.write_str("the answer is damaged on the line (its checksum or its length is wrong)"),
            // At the end of the stream tokio-modbus gives the thread's last error of the system, whatever that was about.
            Self::Broken(Error::Transport(error)) if error.raw_os_error().is_some() => {
                f.write_str("the connection broke, or the other end closed it")
            }
            Self::Broken(error) => match tls::cure(&error.to_string()) {
                Some(cure) => write!(f, "the connection broke: {error}: {cure}"),
                None => write!(f, "the connection carries something that is not Modbus: {error}"),
            },
            Self::Closed(gateway) => write!(f, "the connection to {gateway} is lost"),
        }
    }
}
