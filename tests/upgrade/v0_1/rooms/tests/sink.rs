//! The sink passes the suite that every sink has to pass.

use std::fs;

use frozen_mapper::csv::Csv;
use mapper_framework::{
    model::{ConfigData, DataType, DeviceId},
    testing::sink_contract::{self, Arrival, SinkFixture},
};
use tempfile::TempDir;

struct Folder(TempDir);

impl SinkFixture for Folder {
    type Kind = Csv;

    fn kind(&self) -> Csv {
        Csv
    }

    fn visitor(&self) -> ConfigData {
        let folder = self.0.path().to_str().expect("a path in UTF-8");
        [("csvFolder".to_owned(), folder.into())].into_iter().collect()
    }

    fn takes(&self, _: DataType) -> bool {
        true
    }

    async fn arrived(&mut self, device: &DeviceId, property: &str, _: usize) -> Vec<Arrival> {
        let file = self.0.path().join(format!("{}-{}.csv", device.namespace(), device.name()));
        let text = fs::read_to_string(file).unwrap_or_default();
        let rows = text.lines().map(|line| serde_json::from_str::<(i64, String, String)>(line).expect("a row"));
        rows.filter(|row| row.1 == property).map(|(timestamp_ms, _, value)| Arrival { timestamp_ms, value }).collect()
    }
}

#[tokio::test]
async fn the_sink_passes_the_contract_suite() {
    sink_contract::check(&mut Folder(tempfile::tempdir().expect("a folder"))).await;
}
