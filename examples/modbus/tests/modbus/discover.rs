//! A search for units, and what is made of it.

use std::{fs, process::Stdio};

use integration_tests::ChildGuard;
use mapper_framework::{Discovery, Driver, Found};
use modbus::Modbus;
use tokio::process::Command;

use crate::{
    Outcome,
    server::{Also, Server},
};

/// The arguments for a server.
fn args(server: &Server, more: &[(&str, &str)]) -> Vec<(String, String)> {
    let reached = [("host", "127.0.0.1".to_owned()), ("port", server.port.to_string())];
    let more = more.iter().map(|(key, value)| (*key, (*value).to_owned()));
    reached.into_iter().chain(more).map(|(key, value)| (key.to_owned(), value)).collect()
}

fn names(found: &Found) -> Vec<&str> {
    found.properties().iter().map(mapper_framework::Property::name).collect()
}

#[tokio::test]
async fn units_say_what_they_are_and_only_the_addresses_that_were_named_are_looked_at() -> Outcome {
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    let wanted = [("units", "5-6, 200"), ("holdingRegisters", "0-9"), ("coils", "3"), ("timeout", "8000")];
    let discovery = Discovery::new(args(&server, &wanted));
    let error = Modbus::default().discover(&discovery).await.expect_err("unit 5 is away").to_string();
    let away = "addresses of which nothing is known: unit 5, coil 3: the device answers with exception 0x0b";
    assert!(error.starts_with(away), "{error}");
    let found = discovery.found();
    // All units of this server have an identification, even one that its gateway does not reach otherwise. Register 5 is the hole.
    let identification = ["vendor", "productCode", "revision", "model"];
    let registers = [0, 1, 2, 3, 4, 6, 7, 8, 9].map(|address| format!("holdingRegister{address}"));
    let six: Vec<_> = identification.into_iter().chain(["coil3"]).chain(registers.iter().map(String::as_str)).collect();
    assert_eq!(found.iter().map(names).collect::<Vec<_>>(), [identification.to_vec(), six, identification.to_vec()]);
    assert_eq!((found[1].name(), found[1].get_model()), ("boiler 6", Some("boiler")));
    let mut asked = server.news().await?;
    asked.retain(|line| line.starts_with("request ") && !line.contains(" 43 "));
    let beyond = |line: &&String| {
        let words: Vec<_> = line.split(' ').map(|word| word.parse::<u16>().unwrap_or(0)).collect();
        !matches!(words[2..], [1, 3, 1] | [3, 0..=9, 1..=10])
    };
    assert_eq!(asked.iter().find(beyond), None);
    assert!(
        asked.contains(&"request 6 1 3 1".to_owned()) && asked.contains(&"request 6 3 0 10".to_owned()),
        "{asked:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_forbidden_address_is_not_looked_at() -> Outcome {
    let Some(mut server) = Server::start(0).await? else { return Ok(()) };
    let wanted = [("units", "6"), ("holdingRegisters", "0-9"), ("forbidden", "0,7"), ("timeout", "8000")];
    let discovery = Discovery::new(args(&server, &wanted));
    Modbus::default().discover(&discovery).await?;
    let found = discovery.found();
    let registers = [1, 2, 3, 4, 6, 8, 9].map(|address| format!("holdingRegister{address}"));
    assert_eq!(names(&found[0]).split_off(4), registers);
    // Unit 7 is too late to say what it is, and is asked for a register instead.
    let wanted = [("units", "7"), ("holdingRegisters", "0-9"), ("forbidden", "0,7"), ("timeout", "200")];
    Modbus::default().discover(&Discovery::new(args(&server, &wanted))).await?;
    let asked = server.news().await?;
    assert!(asked.contains(&"request 7 3 1 1".to_owned()), "{asked:?}");
    for line in asked.iter().filter(|line| line.contains(" 3 ")) {
        let words: Vec<u16> = line.split(' ').skip(3).map(str::parse::<u16>).collect::<Result<_, _>>()?;
        let span = words[0]..words[0] + words[1];
        assert!(!span.contains(&0) && !span.contains(&7), "{line}");
    }
    Ok(())
}

#[tokio::test]
async fn addresses_without_an_answer_of_their_unit_are_named_at_the_end() -> Outcome {
    let Some(server) = Server::start(0).await? else { return Ok(()) };
    // Unit 4 says what it is, and no more. Another unit answers for unit 16.
    let wanted = [("units", "1,4,16"), ("holdingRegisters", "0"), ("coils", "0-9"), ("timeout", "3000")];
    let discovery = Discovery::new(args(&server, &wanted));
    let error = Modbus::default().discover(&discovery).await.expect_err("not all is known").to_string();
    let found = discovery.found();
    let identification = ["vendor", "productCode", "revision", "model"];
    let one = [&identification[..], &["coil0"]].concat();
    assert_eq!(found.len(), 2, "{error}");
    assert!(names(&found[0]).starts_with(&one) && names(&found[0]).ends_with(&["holdingRegister0"]));
    assert_eq!(names(&found[1]), identification);
    for (range, why) in [
        ("unit 4, coil 0 to 9", "no answer within 3000 ms"),
        ("unit 4, holdingRegister 0", "no answer within 3000 ms"),
        ("unit 16, coil 0 to 9", "unit 36 answers in its place"),
    ] {
        assert!(error.contains(&format!("{range}: {why}")), "{error}");
    }
    assert!(!error.contains("unit 1,") && !error.contains("do not say what they are"), "{error}");
    Ok(())
}

#[tokio::test]
async fn the_units_on_a_line_that_are_named_are_found() -> Outcome {
    let folder = tempfile::tempdir()?;
    let line = folder.path().join("line");
    let also = Also { serial: Some(line.clone()), ..Also::default() };
    let Some(_server) = Server::start_with(0, also).await? else { return Ok(()) };
    let line = line.display().to_string();
    let args = [("serialPort", line.as_str()), ("parity", "none"), ("timeout", "8000"), ("units", "2,3")];
    let discovery = Discovery::new(args);
    Modbus::default().discover(&discovery).await?;
    let found: Vec<_> = discovery.found().iter().map(|found| found.name().to_owned()).collect();
    assert_eq!(found, ["boiler 2", "boiler 3"]);
    Ok(())
}

#[tokio::test]
async fn a_wrong_argument_is_named() {
    for (args, message) in [
        (&[("units", "1")][..], "`host` is missing"),
        (&[("host", "h"), ("units", "a")], "the argument units: \"a\" is no list such as 1-10,20"),
        (&[("host", "h"), ("units", "256")], "the argument units: a unit is a number up to 255"),
        (&[("host", "h"), ("coils", "2-1")], "the argument coils: \"2-1\" is no list"),
        (&[("host", "h"), ("registers", "1")], "unknown field `registers`"),
    ] {
        let error = Modbus::default().discover(&Discovery::new(args.iter().copied())).await.expect_err("it is wrong");
        assert!(error.to_string().starts_with(message), "{args:?}: {error}");
    }
}

#[tokio::test]
async fn what_is_found_passes_a_strict_check_and_runs_as_it_is() -> Outcome {
    const PROGRAM: &str = env!("CARGO_BIN_EXE_modbus");
    let Some(server) = Server::start(0).await? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("found.yaml");
    let wanted = [("units", "1-3"), ("holdingRegisters", "0-1"), ("discreteInputs", "1"), ("timeout", "8000")];
    let args = args(&server, &wanted).into_iter().map(|(key, value)| format!("{key}={value}"));
    let output = Command::new(PROGRAM).arg("discover").args(args).stderr(Stdio::inherit()).output().await?;
    assert!(output.status.success());
    fs::write(&file, output.stdout)?;
    let check = Command::new(PROGRAM).args(["check", "--strict"]).arg(folder.path()).output().await?;
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
    let mut mapper = ChildGuard::spawn(Command::new(PROGRAM).arg("--standalone").arg(folder.path()));
    mapper.wait_for_line(|line| line.contains("boiler-3 holdingRegister0 = 65531")).await;
    mapper.wait_for_line(|line| line.contains("boiler-1 discreteInput1 = true")).await;
    Ok(())
}
