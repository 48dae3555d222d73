//! A sink that appends samples to CSV files, and reads them back.

use std::path::PathBuf;

use mapper_framework::{
    Device, Property, Value,
    sink::{Credentials, Outcome, Point, Query, Record, Route, RouteError, Sink, SinkError, SinkKind, Target},
};
use serde::{Deserialize, Serialize};
use tokio::{fs, io::AsyncWriteExt};

/// The kind: which samples go where.
#[derive(Debug)]
pub struct Csv;

/// What a connection depends on.
#[derive(Serialize, Deserialize)]
struct Settings {
    file: PathBuf,
}

/// What a route adds.
#[derive(Serialize, Deserialize)]
struct Detail {
    column: String,
}

impl SinkKind for Csv {
    type Sink = CsvFile;

    fn name(&self) -> &str {
        "csv"
    }

    fn visitor_keys(&self) -> &[&str] {
        &["csvFolder"]
    }

    fn routes(&self, device: &Device, property: &Property) -> Result<Vec<Route>, RouteError> {
        let Some(folder) = property.visitor().get("csvFolder") else { return Ok(Vec::new()) };
        let folder = folder.as_str().ok_or_else(|| RouteError::new("csvFolder", "is no text: write a path"))?;
        let file = PathBuf::from(folder).join(format!("{}-{}.csv", device.id().namespace(), device.id().name()));
        let target = Target::new("csv", &Settings { file });
        Ok(vec![Route::to(target).with(&Detail { column: property.name().to_owned() })])
    }

    fn keeps_history(&self) -> bool {
        true
    }

    async fn open(&self, target: &Target, credentials: &Credentials) -> Result<CsvFile, SinkError> {
        if credentials.password().is_some_and(|password| password.expose() == "wrong") {
            return Err(SinkError::disconnected("the password is wrong"));
        }
        let Settings { file } = target.settings()?;
        Ok(CsvFile(file))
    }
}

/// A file.
#[derive(Debug)]
pub struct CsvFile(PathBuf);

impl Sink for CsvFile {
    async fn write(&mut self, batch: &[Record]) -> Result<Vec<Outcome>, SinkError> {
        let mut lines = String::new();
        for record in batch {
            let Detail { column } = record.route()?;
            let row = serde_json::to_string(&(record.timestamp_ms(), column, record.value().to_string()))?;
            lines.push_str(&format!("{row}\n"));
        }
        let mut file = fs::File::options().append(true).create(true).open(&self.0).await?;
        file.write_all(lines.as_bytes()).await?;
        file.sync_data().await?;
        Ok(Outcome::accepted(batch.len()))
    }

    async fn health(&mut self) -> Result<(), SinkError> {
        match self.0.parent() {
            Some(folder) if folder.is_dir() => Ok(()),
            _ => Err(SinkError::failed("the folder is gone")),
        }
    }

    async fn query(&mut self, query: &Query) -> Result<Vec<Point>, SinkError> {
        let text = fs::read_to_string(&self.0).await?;
        let mut points = Vec::new();
        for line in text.lines() {
            let (timestamp_ms, property, value): (i64, String, String) = serde_json::from_str(line)?;
            let Some(series) = query.series_of(&property) else { continue };
            if (query.from_ms()..=query.to_ms()).contains(&timestamp_ms) {
                points.push(Point::new(property, Value::parse(&value, series.data_type())?, timestamp_ms));
            }
        }
        let oldest = points.len().saturating_sub(query.limit());
        Ok(points.split_off(oldest))
    }

    async fn close(self) {}
}
