//! What an event is, and the form in which one is declared.

use crate::watch::{Kind, What};

use super::Counters;

/// The target of all log lines, short enough for a log that people read. `RUST_LOG=mapper=debug` sets its level.
pub(super) const TARGET: &str = "mapper";

/// Something that happens in a mapper and can be reported. Declared by [`event!`], reported by
/// [`Telemetry::emit`](super::Telemetry::emit).
pub(crate) trait Event: Copy {
    /// Writes the line of the log, if this event has one.
    fn log(&self);

    /// Moves the counters.
    fn count(&self, counters: &Counters);

    /// The kind of what watches get of it; `None` if it is not watched.
    fn kind(&self) -> Option<Kind>;

    /// What watches get of it, if anything. Asked for only while somebody watches the kind.
    fn happening(&self) -> Option<What>;
}

/// Declares an event: its data, and beneath it what follows from it, in this order:
///
/// - `log LEVEL "message" [fields];` the line of the log, with the fields as `tracing` takes them. By consequence: `ERROR` is data lost
///   or an operator who must act, `WARN` is unexpected with nothing lost, `INFO` is the life cycle;
/// - `first LEVEL …;` and `again LEVEL …;` instead, where the event has a field `occurrence: Occurrence`;
/// - `count group.counter;` for each counter that it moves, by one or `+= number`. `of device` counts for the device as well,
///   `of device, property` for its property too, and `at target` for a sink's target;
/// - `watch Kind => What::…;` what watches get, or an option of it.
///
/// The expressions see the fields by their names. A `WARN` or `ERROR` without a counter does not compile.
macro_rules! event {
    (
        $(#[$docs:meta])+
        $name:ident $(<$lifetime:lifetime>)? { $($field:ident: $type:ty),* $(,)? }
        $(log $level:ident $message:literal [$($shown:tt)*];)?
        $(first $first_level:ident $first_message:literal [$($first_shown:tt)*];)?
        $(again $again_level:ident $again_message:literal [$($again_shown:tt)*];)?
        $(count $group:ident.$counter:ident $(of $($scope:ident),+)? $(at $target:ident)? $(+= $number:expr)?;)*
        $(watch $kind:ident => $happening:expr;)?
    ) => {
        $(#[$docs])+
        #[derive(Clone, Copy)]
        pub(crate) struct $name $(<$lifetime>)? {
            $(pub(crate) $field: $type,)*
        }

        const _: () = {
            const LEVELS: &[&str] = &[
                $(stringify!($level),)? $(stringify!($first_level),)? $(stringify!($again_level),)?
            ];
            const COUNTERS: &[&str] = &[$(stringify!($group.$counter)),*];
            assert!(
                !$crate::telemetry::event::is_alarming(LEVELS) || !COUNTERS.is_empty(),
                "an event that is logged at WARN or ERROR needs a counter"
            );
        };

        #[allow(unused_variables, reason = "an event need not log and count every field")]
        impl $(<$lifetime>)? $crate::telemetry::event::Event for $name $(<$lifetime>)? {
            fn log(&self) {
                let Self { $($field),* } = *self;
                $($crate::telemetry::event::line!($level, $message, [$($shown)*]);)?
                $(if self.occurrence == $crate::telemetry::Occurrence::First {
                    $crate::telemetry::event::line!($first_level, $first_message, [$($first_shown)*]);
                })?
                $(if self.occurrence == $crate::telemetry::Occurrence::Again {
                    $crate::telemetry::event::line!($again_level, $again_message, [$($again_shown)*]);
                })?
            }

            fn count(&self, counters: &$crate::telemetry::Counters) {
                let Self { $($field),* } = *self;
                $($crate::telemetry::event::add!(
                    counters, $group.$counter, ($($number)?) $(of $($scope),+)? $(at $target)?
                );)*
            }

            fn kind(&self) -> Option<$crate::watch::Kind> {
                $crate::telemetry::event::option!($($crate::watch::Kind::$kind)?)
            }

            fn happening(&self) -> Option<$crate::watch::What> {
                let Self { $($field),* } = *self;
                $crate::telemetry::event::option!($($happening)?)
            }
        }
    };
}

/// Whether one of an event's levels has to be counted: an operator looks for it.
pub(super) const fn is_alarming(levels: &[&str]) -> bool {
    let mut at = 0;
    while at < levels.len() {
        if matches!(levels[at].as_bytes(), b"WARN" | b"ERROR") {
            return true;
        }
        at += 1;
    }
    false
}

/// What stands there, if something does.
macro_rules! option {
    () => {
        None
    };
    ($value:expr) => {
        Option::from($value)
    };
}

/// One line of the log.
macro_rules! line {
    ($level:ident, $message:literal, [$($shown:tt)*]) => {
        tracing::event!(target: $crate::telemetry::event::TARGET, tracing::Level::$level, { $($shown)* }, $message)
    };
}

/// Adds to a counter of the whole mapper, and to that of the device, property or target which is named.
macro_rules! add {
    ($counters:ident, $group:ident.$counter:ident, () $($scope:tt)*) => {
        $crate::telemetry::event::add!($counters, $group.$counter, (1_u64) $($scope)*)
    };
    ($counters:ident, $group:ident.$counter:ident, ($number:expr)) => {
        $counters.totals.$group.$counter.add($number)
    };
    ($counters:ident, $group:ident.$counter:ident, ($number:expr) of $device:ident) => {{
        $counters.totals.$group.$counter.add($number);
        $counters.of_device($device, |device| device.$group.$counter.add($number));
    }};
    ($counters:ident, $group:ident.$counter:ident, ($number:expr) of $device:ident, $property:ident) => {{
        $counters.totals.$group.$counter.add($number);
        $counters.of_device($device, |device| {
            device.$group.$counter.add($number);
            device.of_property($property, |property| property.$group.$counter.add($number));
        });
    }};
    ($counters:ident, $group:ident.$counter:ident, ($number:expr) at $target:ident) => {{
        $counters.totals.$group.$counter.add($number);
        $counters.at_target($target, |target| target.$group.$counter.add($number));
    }};
}

pub(super) use {add, event, line, option};
