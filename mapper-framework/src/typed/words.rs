//! Plain words for what `serde` says.

/// Puts what `serde` says of a value that does not fit into words that need no Rust: `invalid type: string "seven", expected u16` is
/// `found "seven", expected a whole number from 0 to 65535`. A message of another form stays as it is.
pub(crate) fn plain(message: &str) -> String {
    let Some((kind, rest)) = message.split_once(": ").filter(|(kind, _)| kind.starts_with("invalid ")) else {
        return plain_key(message);
    };
    // The last one: the value itself may hold the same words.
    match (kind, rest.rsplit_once(", expected ")) {
        ("invalid type" | "invalid value", Some((value, wanted))) => {
            format!("found {}, expected {}", found(value), expected(wanted))
        }
        _ => message.to_owned(),
    }
}

/// Messages that begin with what is wrong with a key or with a list's length.
fn plain_key(message: &str) -> String {
    let rewritten = |begin: &str, put: fn(&str) -> String| message.strip_prefix(begin).map(put);
    rewritten("missing field ", |key| format!("the key {key} is missing"))
        .or_else(|| rewritten("duplicate field ", |key| format!("the key {key} stands there twice")))
        .or_else(|| rewritten("unknown field ", |rest| format!("there is no key {rest}")))
        .or_else(|| rewritten("unknown variant ", |rest| format!("found {rest}")))
        .or_else(|| rewritten("invalid length ", length))
        .or_else(|| {
            rewritten("data did not match any variant ", |_| "has none of the forms that are taken here".to_owned())
        })
        .unwrap_or_else(|| message.to_owned())
}

fn length(rest: &str) -> String {
    match rest.split_once(", expected ") {
        Some((count, wanted)) => format!("found {count} of them, expected {}", expected(wanted)),
        None => format!("found {rest} of them"),
    }
}

/// The value, as it was written if it is a single one.
fn found(value: &str) -> String {
    let written = |kind: &str| value.strip_prefix(kind).map(|value| value.trim_matches('`').to_owned());
    match value {
        "null" | "unit value" | "Option value" => "nothing".to_owned(),
        "sequence" | "tuple variant" => "a list".to_owned(),
        "map" | "struct variant" => "a mapping of keys to values".to_owned(),
        _ => written("string ")
            .or_else(|| written("integer "))
            .or_else(|| written("floating point "))
            .or_else(|| written("boolean "))
            .or_else(|| written("character "))
            .unwrap_or_else(|| value.to_owned()),
    }
}

/// What would fit.
fn expected(wanted: &str) -> String {
    let range = |from: &str, to: &str| format!("a whole number from {from} to {to}");
    let plain = match wanted {
        "u8" => return range("0", "255"),
        "u16" => return range("0", "65535"),
        "u32" => return range("0", "4294967295"),
        "i8" => return range("-128", "127"),
        "i16" => return range("-32768", "32767"),
        "i32" => return range("-2147483648", "2147483647"),
        "a nonzero u8" => return range("1", "255"),
        "a nonzero u16" => return range("1", "65535"),
        "a nonzero u32" => return range("1", "4294967295"),
        "u64" | "u128" | "usize" | "usize/u64" => "a whole number from 0 on",
        "a nonzero u64" | "a nonzero u128" | "a nonzero usize" => "a whole number from 1 on",
        "i64" | "i128" | "isize" | "isize/i64" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" | "bool" | "boolean" => "true or false",
        "a string" | "a borrowed string" | "string scalar" | "a string scalar" | "string" | "str" => "text",
        "a character" | "char" => "a single character",
        "path string" | "a borrowed path" => "a path",
        "a sequence" | "sequence" => "a list",
        "a map" | "map" | "mapping" => "a mapping of keys to values",
        "unit" | "option" => "nothing",
        "a duration" => "a duration, such as `10s` or `500ms`",
        _ if is_mapping(wanted) => "a mapping of keys to values",
        _ => {
            return wanted
                .strip_prefix("a tuple of size ")
                .map_or_else(|| wanted.to_owned(), |size| format!("a list of {size}"));
        }
    };
    plain.to_owned()
}

fn is_mapping(wanted: &str) -> bool {
    ["struct ", "internally tagged enum ", "adjacently tagged enum "].iter().any(|begin| wanted.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_message_becomes_plain() {
        for (message, expected) in [
            (
                r#"invalid type: string "seven", expected u16"#,
                r#"found "seven", expected a whole number from 0 to 65535"#,
            ),
            ("invalid value: integer `-1`, expected usize/u64", "found -1, expected a whole number from 0 on"),
            ("invalid type: boolean `true`, expected a string", "found true, expected text"),
            ("invalid type: null, expected struct Serial", "found nothing, expected a mapping of keys to values"),
            ("invalid type: map, expected a sequence", "found a mapping of keys to values, expected a list"),
            (
                r#"invalid type: string "a, expected b", expected i64"#,
                r#"found "a, expected b", expected a whole number"#,
            ),
            ("missing field `port`", "the key `port` is missing"),
            ("duplicate field `port`", "the key `port` stands there twice"),
            ("unknown field `prot`, expected `port`", "there is no key `prot`, expected `port`"),
            ("unknown variant `odd`, expected `none` or `even`", "found `odd`, expected `none` or `even`"),
            ("invalid length 1, expected a tuple of size 2", "found 1 of them, expected a list of 2"),
            ("data did not match any variant of untagged enum Address", "has none of the forms that are taken here"),
            ("invalid socket address syntax", "invalid socket address syntax"),
            ("the port 7 is taken: choose another", "the port 7 is taken: choose another"),
        ] {
            assert_eq!(plain(message), expected);
        }
    }
}
