//! A sink that appends samples to CSV files, one for each device.
//!
//! It takes the samples of every property whose visitor names a folder: `csvFolder: /var/log/plant`.

use std::path::PathBuf;

use mapper_framework::{
    Device, Property,
    sink::{Credentials, Outcome, Record, Route, RouteError, Sink, SinkError, SinkKind, Target, async_trait},
};
use tokio::{fs::File, io::AsyncWriteExt};

/// The kind: which samples go where, and how to get there.
#[derive(Debug)]
pub struct Csv;

#[async_trait]
impl SinkKind for Csv {
    fn name(&self) -> &str {
        "csv"
    }

    fn routes(&self, device: &Device, property: &Property) -> Result<Vec<Route>, RouteError> {
        let Some(folder) = property.visitor().get("csvFolder") else { return Ok(Vec::new()) };
        let folder = folder
            .as_str()
            .ok_or_else(|| RouteError::new("visitors.configData.csvFolder", "is no text: write a path"))?;
        let file = PathBuf::from(folder).join(format!("{}-{}.csv", device.id().namespace(), device.id().name()));
        Ok(vec![Route::to(Target::new("csv", &file))])
    }

    async fn open(&self, target: &Target, _: &Credentials) -> Result<Box<dyn Sink>, SinkError> {
        let path: PathBuf = target.settings()?;
        Ok(Box::new(CsvFile(File::options().append(true).create(true).open(path).await?)))
    }
}

/// An open file.
struct CsvFile(File);

#[async_trait]
impl Sink for CsvFile {
    async fn write(&mut self, batch: &[Record]) -> Result<Vec<Outcome>, SinkError> {
        let lines: String = batch.iter().map(line).collect();
        self.0.write_all(lines.as_bytes()).await?;
        // Accepted is a promise: the framework forgets the records.
        self.0.sync_data().await?;
        Ok(Outcome::accepted(batch.len()))
    }
}

fn line(record: &Record) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    format!("{},{},{}\n", record.timestamp_ms(), quoted(record.property()), quoted(&record.value().to_string()))
}
