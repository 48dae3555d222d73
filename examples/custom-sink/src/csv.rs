//! A sink that appends samples to CSV files, one for each device.
//!
//! It takes the samples of every property whose visitor names a folder: `csvFolder: /var/log/plant`. Its settings stand in the config:
//! `sinks.csv.separator: ";"`.

use std::path::PathBuf;

use mapper_framework::{
    Device, Property,
    sink::{Credentials, Outcome, Record, Route, RouteError, Sink, SinkError, SinkKind, Target},
};
use serde::{Deserialize, Serialize};
use tokio::{fs::File, io::AsyncWriteExt};

/// `sinks.csv` in the config. The default of a key is that of its field.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// What stands between two fields of a line; a comma by default.
    pub separator: char,
}

impl Default for Settings {
    fn default() -> Self {
        Self { separator: ',' }
    }
}

/// The key of `visitors.configData` that asks for the sink.
const FOLDER: &str = "csvFolder";

/// The kind: which samples go where, and how to get there.
#[derive(Debug, Default)]
pub struct Csv {
    settings: Settings,
}

impl Csv {
    /// A kind with these settings.
    ///
    /// # Errors
    ///
    /// A separator that stands in numbers and in quoted text is none.
    pub fn new(settings: Settings) -> Result<Self, String> {
        match settings.separator {
            taken if taken.is_alphanumeric() || "\".-\n".contains(taken) => {
                Err(format!("{taken:?} cannot separate fields: set `separator` to a comma, a semicolon or a tab"))
            }
            _ => Ok(Self { settings }),
        }
    }
}

impl SinkKind for Csv {
    type Sink = CsvFile;

    fn name(&self) -> &str {
        "csv"
    }

    fn visitor_keys(&self) -> &[&str] {
        &[FOLDER]
    }

    fn routes(&self, device: &Device, property: &Property) -> Result<Vec<Route>, RouteError> {
        let Some(folder) = property.visitor().get(FOLDER) else { return Ok(Vec::new()) };
        let folder = folder
            .as_str()
            .ok_or_else(|| RouteError::new("visitors.configData.csvFolder", "is no text").with_cure("write a path"))?;
        let file = PathBuf::from(folder).join(format!("{}-{}.csv", device.id().namespace(), device.id().name()));
        Ok(vec![Route::to(Target::new("csv", &file))])
    }

    async fn open(&self, target: &Target, _: &Credentials) -> Result<CsvFile, SinkError> {
        let path: PathBuf = target.settings()?;
        let file = File::options().append(true).create(true).open(path).await?;
        Ok(CsvFile { file, separator: self.settings.separator })
    }
}

/// An open file.
#[derive(Debug)]
pub struct CsvFile {
    file: File,
    separator: char,
}

impl Sink for CsvFile {
    async fn write(&mut self, batch: &[Record]) -> Result<Vec<Outcome>, SinkError> {
        let lines: String = batch.iter().map(|record| line(record, self.separator)).collect();
        self.file.write_all(lines.as_bytes()).await?;
        // Accepted is a promise: the framework forgets the records.
        self.file.sync_data().await?;
        Ok(Outcome::accepted(batch.len()))
    }
}

fn line(record: &Record, separator: char) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let (property, value) = (quoted(record.property()), quoted(&record.value().to_string()));
    format!("{}{separator}{property}{separator}{value}\n", record.timestamp_ms())
}
