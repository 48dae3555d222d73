//! The pictures of the page in the docs, which `UPDATE_SCREENSHOTS=1` takes anew.

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use mapper_framework::model::DeviceId;
use tokio::time::sleep;

use crate::{plant::HEATING, rig::Rig};

/// The size that a picture may have.
const LARGEST: usize = 150_000;

/// All of them.
const PICTURES: [&str; 4] = ["page-device.png", "page-phone-dark.png", "page-phone.png", "page-overview.png"];

#[tokio::test]
async fn the_pictures_of_the_docs_are_there_and_small() {
    if env::var_os("UPDATE_SCREENSHOTS").is_some() {
        take_all().await;
    }
    for name in PICTURES {
        let picture = fs::read(folder().join(name)).unwrap();
        assert!(picture.starts_with(b"\x89PNG") && picture.len() < LARGEST, "{name}: {} bytes", picture.len());
    }
}

async fn take_all() {
    let Some(rig) = Rig::with_heating(8).await else { return };
    let device = format!("devices/default/{HEATING}");
    rig.show(&device).await;
    rig.browser.until("text('tbody').includes('61.5')").await;
    rig.edge().set_desired(&DeviceId::new("default", HEATING), "Sollwert", "21").await.unwrap();
    // A course to look at.
    for step in 0..240 {
        rig.plant.set("Vorlauf", (615.0 + 20.0 * (f64::from(step) / 20.0).sin()).round() / 10.0);
        rig.plant.set("Druck", (15.0 + 2.0 * (f64::from(step) / 7.0).cos()).round() / 10.0);
        sleep(Duration::from_millis(250)).await;
    }
    take(&rig, PICTURES[0]).await;
    rig.browser.set_scheme("dark").await;
    rig.browser.set_size(390, 780).await;
    take(&rig, PICTURES[1]).await;
    rig.browser.set_scheme("light").await;
    rig.show("devices").await;
    rig.browser.until("document.querySelectorAll('tbody tr').length === 8").await;
    take(&rig, PICTURES[2]).await;
    rig.browser.set_size(1000, 640).await;
    take(&rig, PICTURES[3]).await;
}

async fn take(rig: &Rig, name: &str) {
    // Two seconds for the next drawing, whatever has changed.
    sleep(Duration::from_secs(2)).await;
    fs::create_dir_all(folder()).unwrap();
    fs::write(folder().join(name), rig.browser.picture().await).unwrap();
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/images")
}
