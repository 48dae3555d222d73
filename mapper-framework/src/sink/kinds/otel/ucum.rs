//! Units as OpenTelemetry wants them: by the case-sensitive codes of UCUM, the Unified Code for Units of Measure
//! (<https://ucum.org/ucum>), where a model's unit is known to mean one of them. Any other unit stays as it is.

/// What models write, and the code for it. Codes that are written as they are (`bar`, `V`, `kW`, `%`) need no line.
const CODES: [(&str, &str); 45] = [
    ("°C", "Cel"),
    ("℃", "Cel"),
    ("degC", "Cel"),
    ("celsius", "Cel"),
    ("Celsius", "Cel"),
    ("°F", "[degF]"),
    ("℉", "[degF]"),
    ("fahrenheit", "[degF]"),
    ("Fahrenheit", "[degF]"),
    ("kelvin", "K"),
    ("°", "deg"),
    ("Ω", "Ohm"),
    ("ohm", "Ohm"),
    ("kΩ", "kOhm"),
    ("µm", "um"),
    ("μm", "um"),
    ("µs", "us"),
    ("μs", "us"),
    ("µA", "uA"),
    ("μA", "uA"),
    ("µS/cm", "uS/cm"),
    ("μS/cm", "uS/cm"),
    ("Wh", "W.h"),
    ("kWh", "kW.h"),
    ("MWh", "MW.h"),
    ("Ah", "A.h"),
    ("mAh", "mA.h"),
    ("VA", "V.A"),
    ("kVA", "kV.A"),
    ("Nm", "N.m"),
    ("m²", "m2"),
    ("m³", "m3"),
    ("m³/h", "m3/h"),
    ("m^3/h", "m3/h"),
    ("l/min", "L/min"),
    ("m/s²", "m/s2"),
    ("psi", "[psi]"),
    ("rpm", "{rotation}/min"),
    ("rev/min", "{rotation}/min"),
    ("ppm", "[ppm]"),
    ("pH", "[pH]"),
    ("sec", "s"),
    ("seconds", "s"),
    ("minutes", "min"),
    ("hours", "h"),
];

/// The code for a unit, or the unit itself.
pub(super) fn code(unit: &str) -> &str {
    let unit = unit.trim();
    CODES.iter().find(|(known, _)| *known == unit).map_or(unit, |(_, code)| code)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn known_units_become_codes_and_others_stay() {
        for (unit, expected) in
            [("°C", "Cel"), (" kWh ", "kW.h"), ("bar", "bar"), ("%", "%"), ("widgets", "widgets"), ("", "")]
        {
            assert_eq!(code(unit), expected, "{unit}");
        }
    }

    #[test]
    fn no_unit_stands_there_twice() {
        let units: BTreeSet<_> = CODES.iter().map(|(unit, _)| unit).collect();
        assert_eq!(units.len(), CODES.len());
    }
}
