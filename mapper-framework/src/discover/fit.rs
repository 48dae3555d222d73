//! What of a device can stand in a manifest.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Number, Value};

use super::{Place, names, names::Taken};
use crate::{
    driver::Found,
    model::{Bounds, CREDENTIALS_KEY, ConfigData, DataType, Device, Method, Problem, Property, Secrets, StreamTwin},
};

/// A device of which all can stand in a manifest, and fits the driver.
pub(super) struct Fitted {
    /// Legal, but not yet different from others.
    pub(super) name: String,
    pub(super) model: String,
    pub(super) description: String,
    pub(super) config: ConfigData,
    pub(super) properties: Vec<Property>,
    pub(super) methods: Vec<Method>,
}

/// Makes a device fit. What does not is left out.
///
/// # Errors
///
/// Its config is not one of the driver's.
pub(super) fn fit(
    found: &Found,
    credentials: Option<&str>,
    secrets: &Secrets,
    place: &Place<'_>,
    left_out: &mut Vec<String>,
) -> Result<Fitted, String> {
    let who = found.name();
    left_out.extend(found.faults().iter().map(|fault| format!("{who:?}: {fault}, and is left out")));
    let name = names::resource(who, place.protocol);
    let model = found.get_model().map_or_else(|| name.clone(), |model| names::resource(model, place.protocol));
    let mut config = sendable(found.get_config());
    let mut taken_out = secrets.take_out_of(&mut config);
    if let Some(credentials) = credentials {
        config.entry(CREDENTIALS_KEY).or_insert_with(|| credentials.into());
    }
    fit_config(&mut config, place, &mut taken_out)?;
    left_out.extend(taken_out.iter().map(|key| without_key(who, "its config", key)));
    let mut fitting = Fitting { who, secrets, place, taken: Taken::default(), renamed: Vec::new(), left_out };
    let properties = found.properties().iter().filter_map(|property| fitting.property(property)).collect();
    let methods = found.methods().iter().filter_map(|method| fitting.method(method)).collect();
    Ok(Fitted { name, model, description: found.get_description().to_owned(), config, properties, methods })
}

fn without_key(who: &str, whose: &str, key: &str) -> String {
    format!("{who:?}: the key `{key}` of {whose} is left out: it holds a secret, or the driver does not know it")
}

/// Takes out the keys that the driver does not know.
fn fit_config(config: &mut ConfigData, place: &Place<'_>, taken_out: &mut Vec<String>) -> Result<(), String> {
    let device = |config: &ConfigData| Device::builder("found").config(config.clone()).build();
    for key in asked(|| Ok(place.driver.unread_config(&device(config))))? {
        config.remove(&key);
        taken_out.push(key);
    }
    asked(|| place.driver.check_config(&device(config)))
}

/// Asks the driver, which may panic.
fn asked<T>(ask: impl FnOnce() -> Result<T, Vec<Problem>>) -> Result<T, String> {
    // Nothing is shared with the call but the driver, as in `check`.
    let answer = catch_unwind(AssertUnwindSafe(ask)).map_err(|_| "the driver panicked while reading it".to_owned())?;
    answer.map_err(|problems| {
        problems.iter().map(|it| format!("{}: {}", it.field, it.message)).collect::<Vec<_>>().join("; ")
    })
}

/// The properties of one device.
struct Fitting<'a> {
    who: &'a str,
    secrets: &'a Secrets,
    place: &'a Place<'a>,
    taken: Taken,
    /// The names that properties had, and those that they have.
    renamed: Vec<(String, String)>,
    left_out: &'a mut Vec<String>,
}

impl Fitting<'_> {
    fn property(&mut self, found: &Property) -> Option<Property> {
        let (who, whose) = (self.who, format!("its property {:?}", found.name()));
        let mut visitor = sendable(found.visitor());
        let mut taken_out = self.secrets.take_out_of(&mut visitor);
        let name = names::property(found.name());
        let bounds = bounds(found).unwrap_or_else(|reason| {
            self.left_out.push(format!("{who:?}: the bounds of {whose} are left out: {reason}"));
            Bounds::default()
        });
        // What a name has lost is not lost.
        let described =
            if found.description().is_empty() && name != found.name() { found.name() } else { found.description() };
        let with_visitor = |name: &str, visitor: &ConfigData| {
            let builder = Property::builder(name, found.data_type()).access_mode(found.access_mode());
            let builder = builder.bounds(bounds.clone()).unit(found.unit()).description(described);
            // A twin has no room for a stream.
            let builder = builder.report_to_cloud(found.data_type() != DataType::Stream);
            builder.visitor(visitor.clone())
        };
        let fits = self.fit_visitor(&mut visitor, |visitor| with_visitor(&name, visitor), &mut taken_out);
        self.left_out.extend(taken_out.iter().map(|key| without_key(who, &whose, key)));
        if let Err(reason) = fits {
            self.left_out.push(format!("{who:?}: {whose} is left out: {reason}"));
            return None;
        }
        let free = self.taken.free_property(&name);
        self.renamed.push((found.name().to_owned(), free.clone()));
        Some(with_visitor(&free, &visitor))
    }

    fn fit_visitor(
        &self,
        visitor: &mut ConfigData,
        with: impl Fn(&ConfigData) -> Property,
        taken_out: &mut Vec<String>,
    ) -> Result<(), String> {
        let driver = self.place.driver;
        let property = with(visitor);
        // The driver never sees one of the stream.
        let is_of_stream = asked(|| {
            let problem = |misfit| Problem::of_visitor(&property, misfit);
            StreamTwin::of(&property).map_err(|misfits| misfits.into_iter().map(problem).collect())
        })?;
        if is_of_stream.is_some() {
            return Ok(());
        }
        for key in asked(|| Ok(driver.unread_visitor(&property)))? {
            visitor.remove(&key);
            taken_out.push(key);
        }
        asked(|| driver.bind(&with(visitor)).map(drop))
    }

    fn method(&mut self, found: &Method) -> Option<Method> {
        let new_name = |name: &String| self.renamed.iter().find(|(old, _)| old == name).map(|(_, new)| new.clone());
        let names: Option<Vec<_>> = found.property_names.iter().map(new_name).collect();
        if names.is_none() {
            let method = &found.name;
            self.left_out.push(format!(
                "{:?}: its method {method:?} is left out: not all of its properties are there",
                self.who
            ));
        }
        Some(Method { property_names: names?, ..found.clone() })
    }
}

fn bounds(property: &Property) -> Result<Bounds, String> {
    let text = |bound: Option<&crate::model::Value>| bound.map(ToString::to_string).unwrap_or_default();
    Bounds::parse(&text(property.minimum()), &text(property.maximum()), property.data_type())
        .map_err(|bad| format!("{}: {}", bad.field, bad.message))
}

/// The same data, such that it arrives as it is: edgecore sends each number as a 32-bit float.
fn sendable(data: &ConfigData) -> ConfigData {
    let value = |value: &Value| match value {
        Value::Number(number) => sendable_number(number),
        other => other.clone(),
    };
    data.iter().map(|(key, it)| (key.clone(), value(it))).collect()
}

fn sendable_number(number: &Number) -> Value {
    let Some(float) = number.as_f64().map(|double| double as f32) else { return number.clone().into() };
    match number.as_i128() {
        Some(integer) if float as i128 != integer => integer.to_string().into(),
        Some(_) => number.clone().into(),
        None if !float.is_finite() => number.to_string().into(),
        // A 32-bit float that was widened has its own decimals again.
        None if Some(f64::from(float)) == number.as_f64() => {
            float.to_string().parse().map_or_else(|_| number.clone().into(), Value::Number)
        }
        None => number.clone().into(),
    }
}
