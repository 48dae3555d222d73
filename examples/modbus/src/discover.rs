//! Searches a line or a gateway for units, within what the user names only. It never writes.

use std::collections::BTreeMap;

use mapper_framework::{DataType, Discovery, DriverError, Found, Property};
use serde_json::{Map, Value as Json, json};
use tokio_modbus::{ExceptionCode, Request, Response, prelude::ReadCode};

use crate::{
    config::Config,
    fault::Fault,
    forbidden::ranges,
    gateway::{Gateway, Gateways},
    plan::{Span, Table},
    requests,
};

/// The arguments, for `--help`: what is asked for, and the keys of a device.
pub(crate) const ARGS: &[(&str, &str)] = &[
    ("host", "Name or address of the device, or of its gateway"),
    ("port", "Port of the host [default: 502, and 802 with TLS]"),
    ("framing", "tcp, or rtu for RTU over TCP [default: tcp]"),
    ("tls", "true for Modbus over TLS [default: false]"),
    ("caFile", "Who vouches for the server's certificate, in PEM form"),
    ("certFile", "The mapper's own certificate, in PEM form"),
    ("keyFile", "The key of certFile, in PEM form"),
    ("serverName", "Name in the server's certificate [default: host]"),
    ("serialPort", "In place of host, the serial port, such as /dev/ttyUSB0"),
    ("baudRate", "[default: 19200]"),
    ("parity", "none, even or odd [default: even]"),
    ("stopBits", "1 or 2 [default: 1]"),
    ("rs485", "true if the kernel switches the transceiver [default: false]"),
    ("timeout", "How many milliseconds an answer is waited for [default: 1000]"),
    ("retries", "How often a request without an answer is repeated [default: 1 in RTU, else 0]"),
    ("pause", "Milliseconds between an answer and the next request [default: 0, on a line 3.5 characters]"),
    ("units", "Units to ask, such as 1-16,20 [default: 1, on a line 1-247]"),
    ("coils", "Coils to look for, such as 0-99,200 [default: none]"),
    ("discreteInputs", "Discrete inputs to look for [default: none]"),
    ("inputRegisters", "Input registers to look for [default: none]"),
    ("holdingRegisters", "Holding registers to look for [default: none]"),
    ("maxGap", "For the devices that are found"),
    ("maxRegisters", "For the devices that are found"),
    ("forbidden", "Addresses that are not looked at, and for the devices that are found"),
    ("closeAfterRound", "For the devices that are found"),
];

/// The tables that are looked into, by the arguments that name addresses in them and by the names of what is found.
const TABLES: [(&str, &str, Table); 4] = [
    ("coils", "coil", Table::Coil),
    ("discreteInputs", "discreteInput", Table::DiscreteInput),
    ("inputRegisters", "inputRegister", Table::InputRegister),
    ("holdingRegisters", "holdingRegister", Table::HoldingRegister),
];

/// The objects of an identification that have a name, in their order.
const OBJECTS: [&str; 7] = ["vendor", "productCode", "revision", "url", "product", "model", "application"];

/// Ranges of addresses, or of units.
type Ranges = Vec<(u16, u16)>;

/// What the user asks for.
struct Search {
    /// How the units are reached, as a device's config has it, without `unitId`.
    keys: Map<String, Json>,
    units: Ranges,
    tables: Vec<(&'static str, Table, Ranges)>,
}

impl Search {
    fn of(discovery: &Discovery) -> Result<Self, DriverError> {
        let mut args: BTreeMap<String, String> = discovery.args()?;
        let mut list = |name: &'static str| {
            let Some(list) = args.remove(name) else { return Ok(None) };
            let mistake =
                || DriverError::refused(format_args!("the argument {name}: {list:?} is no list such as 1-10,20"));
            ranges(&list).map(Some).ok_or_else(mistake)
        };
        let units = list("units")?;
        let mut tables = Vec::new();
        for (argument, name, table) in TABLES {
            tables.extend(list(argument)?.map(|ranges| (name, table, ranges)));
        }
        let value = |text: String| serde_json::from_str(&text).unwrap_or(Json::String(text));
        let keys: Map<_, _> = args.into_iter().map(|(key, text)| (key, value(text))).collect();
        // A line has many units, and a device with a network socket of its own may answer to each number.
        let is_line = keys.contains_key("serialPort") || keys.contains_key("serialName");
        let units = units.unwrap_or_else(|| if is_line { vec![(1, 247)] } else { vec![(1, 1)] });
        if units.iter().any(|(_, last)| *last > 255) {
            return Err(DriverError::refused("the argument units: a unit is a number up to 255"));
        }
        Ok(Self { keys, units, tables })
    }

    /// What devices have for a config.
    fn config(&self, unit: u8) -> Json {
        let mut keys = self.keys.clone();
        keys.insert("unitId".to_owned(), unit.into());
        keys.into()
    }
}

/// Asks each unit what it is, and for the registers that the user names.
pub(crate) async fn discover(gateways: &Gateways, discovery: &Discovery) -> Result<(), DriverError> {
    let search = Search::of(discovery)?;
    let (mut silent, mut lost) = (Vec::new(), Vec::new());
    for unit in search.units.iter().flat_map(|(first, last)| *first..=*last) {
        let unit = u8::try_from(unit).expect("units were checked");
        discovery.progress(format_args!("unit {unit}"));
        let config: Config = serde_json::from_value(search.config(unit)).map_err(DriverError::refused)?;
        let gateway =
            gateways.get(&config.link).map_err(|other| DriverError::refused(format_args!("{other} is in use")))?;
        gateway.open(config.terms.within).await.map_err(|error| {
            DriverError::disconnected(format_args!("no connection to {gateway}")).with_source(error)
        })?;
        let asked = Asked { gateway: &gateway, config: &config };
        let Some(identification) = asked.identification(&search).await? else { continue };
        let mut found = named(unit, &identification).config(search.config(unit));
        for (object, _) in &identification {
            found = found.property(identified(*object));
        }
        let lost_before = lost.len();
        for (name, table, ranges) in &search.tables {
            for (start, end) in ranges {
                discovery.progress(format_args!("unit {unit}, {name} {start} to {end}"));
                let looked = asked.readable(*table, *start, *end).await?;
                for address in looked.readable {
                    found = found.property(register(name, *table, address));
                }
                let of_unit = |(start, end, fault)| {
                    let end = if start < end { format!(" to {end}") } else { String::new() };
                    format!("unit {unit}, {name} {start}{end}: {fault}")
                };
                lost.extend(looked.lost.into_iter().map(of_unit));
            }
        }
        if !found.properties().is_empty() {
            discovery.add(found);
        } else if lost.len() == lost_before {
            silent.push(unit.to_string());
        }
    }
    if silent.is_empty() && lost.is_empty() {
        return Ok(());
    }
    let silent = (!silent.is_empty()).then(|| {
        let units = silent.join(", ");
        format!(
            "units that answer and do not say what they are: {units}; name addresses to look at, such as holdingRegisters=0-9"
        )
    });
    let lost = (!lost.is_empty()).then(|| {
        let ranges = lost.join("; ");
        format!("addresses of which nothing is known: {ranges}; look at them once more, or at fewer at a time")
    });
    Err(DriverError::failed(silent.into_iter().chain(lost).collect::<Vec<_>>().join("; ")))
}

/// A device by what it says of itself.
fn named(unit: u8, identification: &[(u8, String)]) -> Found {
    let says = |object: u8| identification.iter().find(|(it, _)| *it == object).map(|(_, text)| text.as_str());
    let Some(product) = says(5).or(says(4)).or(says(1)) else { return Found::new(format!("unit {unit}")) };
    let texts: Vec<_> = identification.iter().map(|(_, text)| text.as_str()).collect();
    Found::new(format!("{product} {unit}")).model(product).description(texts.join(", "))
}

fn identified(object: u8) -> Property<Json> {
    let name = OBJECTS.get(usize::from(object)).map_or_else(|| format!("object{object}"), |name| (*name).to_owned());
    let visitor = json!({"register": "DeviceIdentification", "address": object, "charset": "utf-8"});
    Property::builder(&name, DataType::String).visitor(visitor)
}

fn register(name: &str, table: Table, address: u16) -> Property<Json> {
    let mut visitor = json!({"register": format!("{table:?}"), "address": address});
    if !table.holds_bits() {
        visitor["type"] = "uint16".into();
    }
    let data_type = if table.holds_bits() { DataType::Boolean } else { DataType::Int };
    Property::builder(&format!("{name}{address}"), data_type).visitor(visitor)
}

/// What became of a range of addresses.
#[derive(Default)]
struct Looked {
    readable: Vec<u16>,
    /// Of which there is no answer that says whether they can be read, each range with its ends and why.
    lost: Vec<(u16, u16, Fault)>,
}

/// A unit that is asked.
struct Asked<'a> {
    gateway: &'a Gateway,
    config: &'a Config,
}

impl Asked<'_> {
    /// What the unit says of itself, which may be nothing. None if it does not answer.
    async fn identification(&self, search: &Search) -> Result<Option<Vec<(u8, String)>>, DriverError> {
        let mut texts = Vec::new();
        let mut next = 0;
        loop {
            match self.send(Request::ReadDeviceIdentification(ReadCode::Regular, next)).await {
                Ok(Response::ReadDeviceIdentification(answer)) => {
                    for object in &answer.device_id_objects {
                        texts.push((object.id, String::from_utf8_lossy(&object.value).into_owned()));
                    }
                    if !answer.more_follows || answer.next_object_id <= next {
                        return Ok(Some(texts));
                    }
                    next = answer.next_object_id;
                }
                Err(Fault::Broken(_) | Fault::Closed(_)) => return Err(self.lost()),
                Err(fault) if fault.is_absence() => return Ok(None),
                // There are units that do not even refuse what they do not know.
                Err(Fault::Late(_)) if texts.is_empty() => return Ok(self.answers(search).await?.then_some(texts)),
                _ => return Ok(Some(texts)),
            }
        }
    }

    /// Whether the unit answers when it is asked for the first of the addresses that are not forbidden.
    async fn answers(&self, search: &Search) -> Result<bool, DriverError> {
        let Some(span) = self.first(search) else { return Ok(false) };
        match self.send(requests::read(span)).await {
            Err(Fault::Broken(_) | Fault::Closed(_)) => Err(self.lost()),
            Err(Fault::Late(_)) => Ok(false),
            Err(fault) => Ok(!fault.is_absence()),
            Ok(_) => Ok(true),
        }
    }

    /// The first of the addresses that are not forbidden.
    fn first(&self, search: &Search) -> Option<Span> {
        let mut spans = search.tables.iter().flat_map(|(_, table, ranges)| {
            let addresses = ranges.iter().flat_map(|(first, last)| *first..=*last);
            addresses.map(|start| Span { table: *table, start, count: 1 })
        });
        spans.find(|span| !self.config.limits.forbidden.touches(*span))
    }

    /// The addresses that can be read. What is refused or forbidden is halved until the bad ones stand alone.
    async fn readable(&self, table: Table, first: u16, last: u16) -> Result<Looked, DriverError> {
        let most = u16::try_from(table.limit()).unwrap_or(u16::MAX);
        let mut looked = Looked::default();
        let mut open: Vec<(u16, u16)> = (first..=last)
            .step_by(most.into())
            .map(|start| (start, start.saturating_add(most - 1).min(last)))
            .collect();
        open.reverse();
        while let Some((start, end)) = open.pop() {
            let span = Span { table, start, count: end - start + 1 };
            let is_forbidden = self.config.limits.forbidden.touches(span);
            let outcome = if is_forbidden { Err(Fault::Forbidden) } else { self.send(requests::read(span)).await };
            match outcome {
                Ok(_) => looked.readable.extend(start..=end),
                Err(fault) if fault.may_spare_a_part() => {
                    if start < end {
                        let middle = start + (end - start) / 2;
                        open.extend([(middle + 1, end), (start, middle)]);
                    }
                }
                Err(Fault::Broken(_) | Fault::Closed(_)) => return Err(self.lost()),
                // There is no such table.
                Err(Fault::Exception(ExceptionCode::IllegalFunction)) => {}
                Err(fault) => looked.lost.push((start, end, fault)),
            }
        }
        Ok(looked)
    }

    fn lost(&self) -> DriverError {
        DriverError::disconnected(format_args!("the connection to {} is lost", self.gateway))
    }

    /// Has all tries for a unit that has not answered yet, which a gateway asks once.
    async fn send(&self, request: Request<'_>) -> Result<Response, Fault> {
        let Config { unit_id, terms, .. } = self.config;
        for _ in 0..terms.retries {
            match self.gateway.call(*unit_id, request.clone(), *terms).await {
                Err(Fault::Late(_)) => {}
                outcome => return outcome,
            }
        }
        self.gateway.call(*unit_id, request, *terms).await
    }
}
