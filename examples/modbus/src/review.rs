//! What is said of a property before it is read: where it stands, and what is hardly meant.

use mapper_framework::{AccessMode, DataType, Property, Review, model::PushMethod};

use crate::{
    codec::Codec,
    forbidden::Forbidden,
    plan::{Span, Table},
    visitor::Visitor,
};

/// Reviews a property of a unit.
pub(crate) fn review(unit: u8, forbidden: &Forbidden, property: &Property<Visitor>) -> Review {
    let (visitor, data_type) = (property.visitor(), property.data_type());
    let span = visitor.span();
    let what = visitor.codec().describe(data_type);
    let comma = if what.is_empty() { "" } else { ", " };
    let mut review = Review::new().reads(format!("{} of unit {unit}{comma}{what}", place(span)));
    if forbidden.touches(span) {
        review = review.doubt(
            "",
            format!("{span} is `forbidden`, and neither read nor written"),
            "take the property out, or the address from `forbidden`",
        );
    }
    if visitor.writes_multiple() && property.access_mode() == AccessMode::ReadOnly {
        review = review.doubt(
            "writeFunction",
            "the property is ReadOnly, and never written",
            "take it out, or write ReadWrite in the model",
        );
    }
    review = digits(review, visitor.codec(), data_type);
    review = bounds(review, property);
    review = thresholds(review, property);
    written(review, property)
}

/// Such as `holding registers 40..41`.
fn place(Span { table, start, count }: Span) -> String {
    let (name, of) = match table {
        Table::Coil => ("coil", String::new()),
        Table::DiscreteInput => ("discrete input", String::new()),
        Table::HoldingRegister => ("holding register", String::new()),
        Table::InputRegister => ("input register", String::new()),
        Table::FileRecord(file) => ("record", format!(" of file {file}")),
        // How much there is, the device says.
        Table::FifoQueue => return format!("queue {start}"),
        Table::DeviceIdentification => return format!("identification object {start}"),
    };
    match count {
        1 => format!("{name} {start}{of}"),
        _ => format!("{name}s {start}..{}{of}", u32::from(start) + u32::from(count) - 1),
    }
}

/// That the property's type has fewer digits than its registers.
fn digits(review: Review, codec: &Codec, data_type: DataType) -> Review {
    let (keeps, decimals, cure) = match data_type {
        DataType::Float => (24, 7, "write DOUBLE in the model; INT or STRING if it is an integer"),
        DataType::Double => (53, 15, "write INT or STRING in the model"),
        _ => return review,
    };
    match codec.format(data_type) {
        Some(format) if format.digits() > keeps => {
            let number = format!("{:?}", format.number).to_lowercase();
            review.doubt(
                "type",
                format!("{data_type} keeps about {decimals} digits, and a long {number} loses its last ones"),
                cure,
            )
        }
        _ => review,
    }
}

/// That the model allows what the registers cannot hold.
fn bounds(review: Review, property: &Property<Visitor>) -> Review {
    let format = property.visitor().codec().format(property.data_type());
    let Some((least, greatest)) = format.and_then(|format| format.range()) else { return review };
    let bound = |value: Option<&mapper_framework::Value>| value.and_then(mapper_framework::Value::as_f64);
    let outside = [
        bound(property.minimum()).filter(|minimum| *minimum < least).map(|minimum| ("minimum", minimum)),
        bound(property.maximum()).filter(|maximum| *maximum > greatest).map(|maximum| ("maximum", maximum)),
    ];
    outside.into_iter().flatten().fold(review, |review, (which, value)| {
        let message = format!("the model's {which} is {value}, and the registers hold {least} to {greatest}");
        review.doubt("type", message, "compare `type` and `scale` with the device's manual, or correct the model")
    })
}

/// That values beyond the thresholds of KubeEdge's temperature sensor carry no warning, as they did in its mapper.
//= kubeedge/examples temperature-sensor/modbus/driver/driver.go: `warning` is 1 above `max` and 2 below `min`
fn thresholds(review: Review, property: &Property<Visitor>) -> Review {
    let is_rule = |key: &str| {
        let mut methods = property.push_methods().iter();
        methods.any(|method| matches!(method, PushMethod::AnomalyDetection(rules) if rules.contains_key(key)))
    };
    let unused = property.visitor().thresholds().iter().filter(|(key, _)| !is_rule(key));
    unused.fold(review, |review, (key, value)| {
        let beyond = if *key == "max" { "above" } else { "below" };
        let message =
            format!("a value {beyond} {value} is read as any other, while the mapper in Go put a warning beside it");
        review.doubt(
            key,
            message,
            format!(
                "write `{key}: {value}` to `pushMethod.anomalyDetection`, which logs, counts and marks such values"
            ),
        )
    })
}

/// That the Go mapper wrote something else.
fn written(review: Review, property: &Property<Visitor>) -> Review {
    match property.visitor().codec() {
        Codec::Go(go) if property.access_mode() == AccessMode::ReadWrite && go.is_written_otherwise() => review.doubt(
            "",
            "a value is written as it is read, while the Go mapper wrote an integer neither scaled nor swapped",
            "write `type` and `order` in place of `limit`, `isSwap` and `isRegisterSwap`, and keep `scale`",
        ),
        _ => review,
    }
}
