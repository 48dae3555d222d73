//! Keys that do not belong where they stand, and what was probably meant.

use super::shape::Shape;
use crate::model;

/// Keys that hold what no manifest may hold.
const SECRETS: [&str; 8] = ["token", "password", "passwd", "username", "user", "secret", "credentials", "apikey"];

/// What to do about a key that does not belong to the mapping at `field`, which takes the `known` ones.
pub(super) fn unknown(root: &Shape, known: &[(&str, Shape)], field: &str, key: &str) -> String {
    let siblings: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    let did_you_mean = |name: &str| format!("did you mean {name}?");
    if field.contains(".pushMethod") && SECRETS.contains(&key.to_lowercase().as_str()) {
        return "take it out: credentials come from mounted files or the environment, as docs/sinks.md says".to_owned();
    }
    if let Some(name) = nearest(key, &siblings) {
        return did_you_mean(name);
    }
    if let Some(place) = nearest_place(&root.places(key), field) {
        return if place.is_empty() {
            "move it to the outermost level".to_owned()
        } else {
            format!("move it to {place}, one level of indentation below it")
        };
    }
    nearest(key, &root.all_keys()).map_or_else(|| "take it out".to_owned(), did_you_mean)
}

/// Of the places of a key, the one that has most in common with where it stands, with the numbers of the items in common.
fn nearest_place(places: &[String], field: &str) -> Option<String> {
    let stands: Vec<&str> = parts(field);
    let common = |place: &str| {
        let same = |(a, b): &(&str, &&str)| *a == **b || *a == "[]" && b.starts_with('[');
        parts(place).into_iter().zip(&stands).take_while(same).count()
    };
    let place = places.iter().max_by_key(|place| (common(place), std::cmp::Reverse(place.len())))?;
    let count = common(place);
    let mut filled = String::new();
    for (index, part) in parts(place).into_iter().enumerate() {
        let part = if index < count { stands[index] } else { part };
        match part {
            "[]" => filled = format!("an item of {filled}"),
            part if part.starts_with('[') || filled.is_empty() => filled += part,
            part => filled = format!("{filled}.{part}"),
        }
    }
    Some(filled)
}

/// `spec.properties[1].visitors` as `spec`, `properties`, `[1]`, `visitors`.
fn parts(field: &str) -> Vec<&str> {
    let keys = field.split('.').flat_map(|part| {
        let (key, index) = part.split_at(part.find('[').unwrap_or(part.len()));
        [key, index]
    });
    keys.filter(|part| !part.is_empty()).collect()
}

/// The choice that someone probably meant.
pub(crate) fn nearest<'a>(word: &str, choices: &[&'a str]) -> Option<&'a str> {
    model::nearest(word, choices, 3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::shape::DEVICE;

    fn cure(field: &str, key: &str) -> String {
        let mut shape = &DEVICE;
        for part in parts(field) {
            shape = match shape {
                Shape::List(item) => item,
                map => &map.keys().unwrap().iter().find(|(name, _)| *name == part).unwrap().1,
            };
        }
        unknown(&DEVICE, shape.keys().unwrap(), field, key)
    }

    #[test]
    fn a_slip_of_the_pen_is_recognised() {
        assert_eq!(cure("spec.properties[0]", "collectcycle"), "did you mean collectCycle?");
        assert_eq!(cure("spec.properties[0]", "reportToCluod"), "did you mean reportToCloud?");
        assert_eq!(cure("spec", "colour"), "take it out");
    }

    #[test]
    fn a_key_at_the_wrong_depth_is_sent_where_it_belongs() {
        for (field, key, place) in [
            ("spec.properties[3].visitors", "collectCycle", "move it to spec.properties[3], one level"),
            ("spec", "pushMethod", "move it to an item of spec.properties, one level"),
            ("spec.properties[0]", "value", "move it to spec.properties[0].desired, one level"),
            ("spec.properties[1]", "mqtt", "move it to spec.properties[1].pushMethod, one level"),
            ("spec", "kind", "move it to the outermost level"),
            ("spec", "reportToCloud", "move it to spec.stateReport, one level"),
        ] {
            assert!(cure(field, key).starts_with(place), "{field} {key}: {}", cure(field, key));
        }
    }

    #[test]
    fn credentials_are_sent_out_of_the_manifest() {
        assert!(cure("spec.properties[0].pushMethod.http", "token").contains("credentials come from"));
    }
}
