//! Devices that are folders of text files.

use std::path::PathBuf;

use mapper_framework::{Device, Driver, DriverError, Mapper, Property, Session, Value};
use serde::Deserialize;

/// Opens folders.
struct Folders;

/// `spec.protocol.configData` of a device.
#[derive(Deserialize)]
struct Config {
    folder: PathBuf,
}

/// `visitors.configData` of a property: which word of which file it is.
#[derive(Deserialize)]
struct Visitor {
    file: String,
    #[serde(default)]
    word: usize,
}

/// One device.
struct Folder(PathBuf);

impl Driver for Folders {
    type Config = Config;
    type Session = Folder;

    async fn connect(&self, _device: &Device, config: Config) -> Result<Folder, DriverError> {
        if !config.folder.is_dir() {
            return Err(DriverError::disconnected(format_args!("there is no folder {:?}", config.folder)));
        }
        Ok(Folder(config.folder))
    }
}

impl Session for Folder {
    type Visitor = Visitor;

    async fn read(&mut self, property: &Property<Visitor>) -> Result<Value, DriverError> {
        let Visitor { file, word } = property.visitor();
        let text = tokio::fs::read_to_string(self.0.join(file)).await?;
        let words = text.split_whitespace().nth(*word);
        let found = words.ok_or_else(|| DriverError::failed(format_args!("{file} has no word {word}")))?;
        Ok(Value::parse(found, property.data_type())?)
    }

    async fn write(&mut self, property: &Property<Visitor>, value: &Value) -> Result<(), DriverError> {
        Ok(tokio::fs::write(self.0.join(&property.visitor().file), format!("{value}\n")).await?)
    }
}

fn main() -> std::process::ExitCode {
    Mapper::builder(Folders).package(mapper_framework::package!()).protocol("folder").main()
}
