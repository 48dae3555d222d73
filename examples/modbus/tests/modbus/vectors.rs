//! Types and orders against what others publish: `vectors.txt`, with the registers in a real server.

use anyhow::Context as _;
use mapper_framework::{Property, Session as _, Value, model::Quality};
use modbus::{Modbus, Visitor};
use serde_json::Value as Json;

use crate::{Outcome, driver::connect, server::Server};

/// The server's unit with registers for whoever wants them.
const UNIT: u8 = 9;

#[tokio::test]
async fn published_registers_have_their_published_values_and_values_their_registers() -> Outcome {
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    let mut unit = connect(&Modbus::default(), &server, UNIT).await?;
    let lines = include_str!("../vectors.txt").lines().filter(|line| !line.starts_with('#'));
    let mut count = 0;
    for line in lines {
        let [keys, data_type, registers, expected, is_written] = fields(line).context(line.to_owned())?;
        let mut keys: Json = serde_json::from_str(keys)?;
        keys["register"] = "HoldingRegister".into();
        keys["address"] = 0.into();
        let visitor: Visitor = serde_json::from_value(keys)?;
        let data_type = data_type.parse()?;
        let property = Property::builder("property", data_type).visitor(visitor);
        let registers: Vec<u16> =
            registers.split(' ').map(|register| u16::from_str_radix(register, 16)).collect::<Result<_, _>>()?;
        server.fill(UNIT, 0, &registers).await?;
        let reading = unit.read(&property).await?;
        assert_eq!(reading.get_quality(), Quality::Good, "{line}");
        assert_eq!(reading.into_value().conform(data_type)?.to_string(), expected, "{line}");
        if is_written == "yes" {
            server.fill(UNIT, 0, &vec![0; registers.len()]).await?;
            unit.write(&property, &Value::parse(expected, data_type)?).await?;
            assert_eq!(server.holding(UNIT, 0, registers.len().try_into()?).await?, registers, "{line}");
        }
        count += 1;
    }
    assert_eq!(count, 28, "every line of the table was used");
    Ok(())
}

fn fields(line: &str) -> Option<[&str; 5]> {
    line.split('|').map(str::trim).collect::<Vec<_>>().try_into().ok()
}
