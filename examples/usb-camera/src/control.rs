//! The settings of a camera as properties: their names, and their values.

use std::fmt;

use mapper_framework::{DataType, DriverError, Property, Value};

use crate::v4l2::{Control, ControlKind, Range};

/// A name without what differs from one place to the next: `White Balance, Automatic`, `white_balance_automatic` and
/// `WhiteBalanceAutomatic` are one.
fn key(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

/// The name of a setting as a property has it: that of KubeEdge's mapper of v1.16, or the kernel's without blanks, such as `FocusAbsolute`.
pub(crate) fn name(control: &Control) -> String {
    let words = control.name.split(|letter: char| !letter.is_ascii_alphanumeric());
    let capital = |word: &str| {
        let (first, rest) = word.split_at(1);
        first.to_ascii_uppercase() + rest
    };
    let joined = || words.filter(|word| !word.is_empty()).map(capital).collect();
    control.standard.map_or_else(joined, str::to_owned)
}

/// The setting of a name.
///
/// # Errors
///
/// The camera does not have it. The message names those that it has.
pub(crate) fn find<'a>(controls: &'a [Control], wanted: &str) -> Result<&'a Control, DriverError> {
    let wanted_key = key(wanted);
    let is_it = |control: &&Control| control.standard.is_some_and(|name| key(name) == wanted_key);
    let is_called_so = |control: &&Control| key(&control.name) == wanted_key;
    let found = controls.iter().find(is_it).or_else(|| controls.iter().find(is_called_so));
    found.ok_or_else(|| {
        let all: Vec<_> = controls.iter().map(name).collect();
        DriverError::refused(format_args!("the camera has no setting {wanted:?}; it has: {}", all.join(", ")))
    })
}

/// A text of the camera's as a twin may have it: edgecore drops one with a blank in it.
pub(crate) fn twin_text(text: &str) -> String {
    let is_legal = |letter: char| letter.is_ascii_alphanumeric() || "-_.,:/@#".contains(letter);
    text.trim().chars().map(|letter| if is_legal(letter) { letter } else { '_' }).collect()
}

/// The value of a setting as a property shows it: a menu's entry by its name where the property is text, and by its number elsewhere.
pub(crate) fn value(control: &Control, raw: i32, data_type: DataType) -> Value {
    let entry = control.menu.iter().find(|(number, _)| *number == raw);
    match (control.kind, entry, data_type) {
        (ControlKind::Menu, Some((_, name)), DataType::String) => Value::String(twin_text(name)),
        (ControlKind::Boolean | ControlKind::Button, _, _) => Value::Boolean(raw != 0),
        _ => Value::Int(i64::from(raw)),
    }
}

/// What is written to the camera for a value.
///
/// # Errors
///
/// The setting cannot be written, does not have this value, or cannot be written now.
pub(crate) fn raw(control: &Control, value: &Value) -> Result<i32, DriverError> {
    if !control.writable {
        return Err(DriverError::refused(format_args!("the camera's setting {} can only be read", name(control))));
    }
    if control.inactive {
        let cure = "switch off the automatic that governs it, such as WhiteBalanceTemperatureAuto, or set ExposureAuto to its manual mode";
        return Err(DriverError::failed(format_args!(
            "the camera's setting {} is not active now: {cure}",
            name(control)
        )));
    }
    let wrong = |expected: String| {
        DriverError::refused(format_args!("the camera's setting {} cannot be {value}: {expected}", name(control)))
    };
    let number = match value {
        Value::Boolean(is_on) => Some(f64::from(u8::from(*is_on))),
        Value::String(text) => entry(control, text).map(f64::from).or_else(|| text.trim().parse().ok()),
        number => number.as_f64(),
    };
    let whole =
        number.filter(|number| number.fract() == 0.0 && number.abs() < 2_147_483_649.0).map(|number| number as i64);
    let raw = whole.and_then(|number| i32::try_from(number).ok()).ok_or_else(|| wrong(expected(control)))?;
    match control.kind {
        ControlKind::Button | ControlKind::Bitmask => Ok(raw),
        ControlKind::Menu if control.menu.iter().any(|(number, _)| *number == raw) => Ok(raw),
        ControlKind::Menu => Err(wrong(expected(control))),
        _ => match control.range {
            // What the camera makes of it shows once it is set.
            None => Ok(raw),
            Some(range) if !(range.minimum..=range.maximum).contains(&raw) => Err(wrong(expected(control))),
            Some(range) => on_step(range, raw).map_err(wrong),
        },
    }
}

/// Drivers in the kernel round, and what is read back would be another value than what was wanted.
fn on_step(range: Range, raw: i32) -> Result<i32, String> {
    let (step, minimum) = (i64::from(range.step.max(1)), i64::from(range.minimum));
    let above = i64::from(raw) - minimum;
    let below = minimum + above / step * step;
    if above % step == 0 {
        return Ok(raw);
    }
    let next = (below + step).min(i64::from(range.maximum));
    Err(format!("it goes in steps of {step}: write {below} or {next}"))
}

fn entry(control: &Control, text: &str) -> Option<i32> {
    let is_it = |name: &str| !key(text).is_empty() && key(name) == key(text);
    control.menu.iter().find(|(_, name)| is_it(name)).map(|(number, _)| *number)
}

fn expected(control: &Control) -> String {
    if control.kind == ControlKind::Menu {
        let entries: Vec<_> =
            control.menu.iter().map(|(number, name)| format!("{number} ({})", twin_text(name))).collect();
        return format!("expected one of {}", entries.join(", "));
    }
    control.range.map_or_else(
        || "expected a whole number".to_owned(),
        |Range { minimum, maximum, .. }| format!("expected a whole number from {minimum} to {maximum}"),
    )
}

/// Compares what was set with what the camera has then. One whose range is not known is set to the nearest by some drivers.
///
/// # Errors
///
/// The camera has something else.
pub(crate) fn confirm(control: &Control, set: i32, has: i32) -> Result<(), DriverError> {
    if set == has {
        return Ok(());
    }
    let name = name(control);
    Err(DriverError::refused(format_args!("the camera's setting {name} cannot be {set}: it is {has} now, the nearest")))
}

/// How the bounds of a property in the model differ from the camera's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    property: String,
    /// The least and the greatest value in the model.
    model: (String, String),
    /// Those of the camera.
    camera: (i32, i32),
}

impl Difference {
    /// None if they are the same, or one of the two has none.
    pub(crate) fn of<V>(control: &Control, property: &Property<V>) -> Option<Self> {
        let has_bounds = property.data_type().is_numeric() && control.kind == ControlKind::Integer;
        let camera = control.range.map(|range| (range.minimum, range.maximum))?;
        let differs = |bound: Option<&Value>, own: i32| {
            bound.and_then(Value::as_f64).is_some_and(|bound| bound != f64::from(own))
        };
        if !has_bounds || !(differs(property.minimum(), camera.0) || differs(property.maximum(), camera.1)) {
            return None;
        }
        let text = |bound: Option<&Value>| bound.map_or_else(|| "any".to_owned(), Value::to_string);
        let model = (text(property.minimum()), text(property.maximum()));
        Some(Self { property: property.name().to_owned(), model, camera })
    }

    /// As a twin may have it: the model's bounds, and behind the slash the camera's.
    pub(crate) fn twin(&self) -> String {
        let Self { property, model, camera } = self;
        format!("{property}:{}..{}/{}..{}", model.0, model.1, camera.0, camera.1)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { property, model, camera } = self;
        write!(f, "{property}: the model has {} to {}, the camera {} to {}", model.0, model.1, camera.0, camera.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v4l2::ControlId;

    fn control(kind: ControlKind, (minimum, maximum, step): (i32, i32, i32)) -> Control {
        let (readable, writable, inactive) = (true, true, false);
        let name = "Zoom, Absolute".to_owned();
        Control {
            id: ControlId::Listed(0),
            standard: None,
            name,
            kind,
            range: Some(Range { minimum, maximum, step, default: 0 }),
            readable,
            writable,
            inactive,
            menu: Vec::new(),
        }
    }

    fn refusal(control: &Control, value: impl Into<Value>) -> String {
        raw(control, &value.into()).expect_err("it is refused").to_string()
    }

    #[test]
    fn a_setting_is_found_by_each_of_its_names() {
        let mut auto = control(ControlKind::Boolean, (0, 1, 1));
        auto.name = "White Balance, Automatic".to_owned();
        auto.standard = Some("WhiteBalanceTemperatureAuto");
        let controls = [control(ControlKind::Integer, (0, 9, 1)), auto];
        for name in ["WhiteBalanceTemperatureAuto", "white_balance_automatic", "White Balance, Automatic"] {
            assert_eq!(find(&controls, name).ok(), Some(&controls[1]), "{name}");
        }
        assert_eq!(find(&controls, "zoom_absolute").ok(), Some(&controls[0]));
        let error = find(&controls, "Tilt").expect_err("it has none").to_string();
        assert_eq!(error, "the camera has no setting \"Tilt\"; it has: ZoomAbsolute, WhiteBalanceTemperatureAuto");
    }

    #[test]
    fn a_property_has_one_name_whatever_the_kernel_s_release_calls_the_setting() {
        // As `v4l2-ctl --list-ctrls` shows those of a webcam before and after Linux 6.0.
        for (before, after, property) in [
            ("Focus (absolute)", "Focus, Absolute", "FocusAbsolute"),
            ("Zoom, Absolute", "Zoom, Absolute", "ZoomAbsolute"),
            ("Backlight Compensation", "Backlight Compensation", "BacklightCompensation"),
            ("LED1 Mode", "LED1 Mode", "LED1Mode"),
        ] {
            for kernel in [before, after] {
                let mut setting = control(ControlKind::Integer, (0, 9, 1));
                setting.name = kernel.to_owned();
                assert_eq!(name(&setting), property);
                assert!(find(&[setting], property).is_ok(), "{kernel}");
            }
        }
    }

    #[test]
    fn a_number_outside_of_the_range_or_between_two_steps_is_refused_with_what_there_is() {
        let zoom = control(ControlKind::Integer, (100, 500, 10));
        assert_eq!(raw(&zoom, &Value::Int(120)).ok(), Some(120));
        assert_eq!(raw(&zoom, &Value::Double(500.0)).ok(), Some(500));
        assert_eq!(
            refusal(&zoom, 127_i64),
            "the camera's setting ZoomAbsolute cannot be 127: it goes in steps of 10: write 120 or 130"
        );
        for value in [Value::Int(501), Value::Int(i64::MAX), Value::Double(120.5), Value::from("far")] {
            assert!(refusal(&zoom, value).ends_with("expected a whole number from 100 to 500"));
        }
        let all = control(ControlKind::Integer, (i32::MIN, i32::MAX, 3));
        assert!(refusal(&all, i64::from(i32::MAX - 1)).contains("in steps of 3"), "no overflow");
    }

    #[test]
    fn an_entry_of_a_menu_is_known_by_its_name_and_by_its_number() {
        let mut menu = control(ControlKind::Menu, (0, 3, 1));
        menu.menu = vec![(0, "Disabled".to_owned()), (1, "50 Hz".to_owned()), (3, "Auto".to_owned())];
        for written in [Value::from("50 hz"), Value::from("50Hz"), Value::from("1"), Value::Int(1)] {
            assert_eq!(raw(&menu, &written).ok(), Some(1), "{written}");
        }
        assert!(refusal(&menu, 2_i64).ends_with("expected one of 0 (Disabled), 1 (50_Hz), 3 (Auto)"));
        assert!(refusal(&menu, "").ends_with("3 (Auto)"));
        assert_eq!(value(&menu, 3, DataType::String), Value::from("Auto"));
        assert_eq!(value(&menu, 3, DataType::Int), Value::Int(3));
        assert_eq!(value(&menu, 2, DataType::String), Value::Int(2), "an entry that is not listed");
    }

    #[test]
    fn what_cannot_be_written_now_may_be_later_and_what_never_can_may_not() {
        let mut zoom = control(ControlKind::Integer, (0, 9, 1));
        zoom.inactive = true;
        let error = raw(&zoom, &Value::Int(1)).expect_err("it is not active");
        assert!(error.is_retryable() && error.to_string().contains("switch off the automatic"), "{error}");
        zoom.writable = false;
        assert!(raw(&zoom, &Value::Int(1)).is_err_and(|error| !error.is_retryable()));
    }

    #[test]
    fn bounds_of_the_model_that_are_not_the_camera_s_are_named() {
        let zoom = control(ControlKind::Integer, (100, 500, 10));
        let property = |least, most| Property::builder("zoom", DataType::Int).minimum(least).maximum(most).visitor(());
        assert_eq!(Difference::of(&zoom, &property(100.0, 500.0)), None);
        let difference = Difference::of(&zoom, &property(0.0, 500.0)).expect("they differ");
        assert_eq!(difference.to_string(), "zoom: the model has 0 to 500, the camera 100 to 500");
        assert_eq!(difference.twin(), "zoom:0..500/100..500");
        assert_eq!(Difference::of(&zoom, &Property::builder("zoom", DataType::Int).visitor(())), None);
    }
}
