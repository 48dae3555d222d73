//! The driver: a part that is the same for all models, and the table of one model's properties.

use std::fmt::{self, Write};

use super::{
    model::{Model, Point},
    text,
};
use crate::model::Value;

/// All but the table. It is a file of its own so that it reads as the Rust that it is.
const DRIVER: &str = include_str!("driver.rs.txt");

/// A whole `driver.rs`, as rustfmt would write it.
pub(super) fn driver(model: &Model) -> String {
    let mut code = format!("//! The driver of the device model {}: a simulation.\n", text::code(model.id.as_str()));
    code.push_str(DRIVER);
    write_points(&mut code, &model.points).expect("a string takes all that is written");
    code
}

/// The enum of the properties, and what is known of each.
fn write_points(code: &mut String, points: &[Point]) -> fmt::Result {
    writeln!(code, "/// The properties of the device model.")?;
    writeln!(code, "#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]")?;
    writeln!(code, "pub(crate) enum DataPoint {{")?;
    for point in points {
        write_variant(code, point)?;
    }
    writeln!(code, "}}\n\nimpl DataPoint {{")?;
    // Neither the comment nor the enum's name is by chance: they have rustfmt write one item a line, however short.
    writeln!(code, "    pub(crate) const ALL: [Self; {}] = [", points.len())?;
    writeln!(code, "        // In the order of the model.")?;
    for Point { variant, .. } in points {
        writeln!(code, "        DataPoint::{variant},")?;
    }
    writeln!(code, "    ];\n\n    /// What the device model says of it.")?;
    writeln!(code, "    pub(crate) fn spec(self) -> Spec {{\n        match self {{")?;
    for point in points {
        write_spec(code, point)?;
    }
    writeln!(code, "        }}\n    }}\n}}")
}

fn write_variant(code: &mut String, Point { variant, property }: &Point) -> fmt::Result {
    let description = text::prose(property.description());
    if !description.is_empty() {
        writeln!(code, "    /// {description}\n    ///")?;
    }
    let name = text::code(property.name());
    write!(code, "    /// {name}: `{}`, `{:?}`", property.data_type(), property.access_mode())?;
    match (bound(property.minimum()).map(number), bound(property.maximum()).map(number)) {
        (Some(minimum), Some(maximum)) => write!(code, ", from {minimum} to {maximum}")?,
        (Some(minimum), None) => write!(code, ", at least {minimum}")?,
        (None, Some(maximum)) => write!(code, ", at most {maximum}")?,
        (None, None) => {}
    }
    if !property.unit().trim().is_empty() {
        write!(code, ", in {}", text::code(property.unit()))?;
    }
    writeln!(code, "\n    {variant},")
}

/// A bound as the generated code holds it.
fn bound(bound: Option<&Value>) -> Option<f64> {
    bound.and_then(Value::decimal)
}

/// A number as people write it, but with an exponent where it would be a row of zeros.
fn number(number: f64) -> String {
    format!("{number:?}").trim_end_matches(".0").to_owned()
}

fn write_spec(code: &mut String, Point { variant, property }: &Point) -> fmt::Result {
    writeln!(code, "            Self::{variant} => Spec {{")?;
    writeln!(code, "                name: {:?},", property.name())?;
    writeln!(code, "                data_type: DataType::{:?},", property.data_type())?;
    writeln!(code, "                access_mode: AccessMode::{:?},", property.access_mode())?;
    writeln!(code, "                minimum: {:?},", bound(property.minimum()))?;
    writeln!(code, "                maximum: {:?},", bound(property.maximum()))?;
    writeln!(code, "                unit: {:?},", property.unit())?;
    writeln!(code, "            }},")
}
