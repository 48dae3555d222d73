//! The template's drivers hold no placeholder, so they can be tried without a project of their own, on the manifests that go with
//! them. They are formatted as what is generated, and not as the workspace.

use integration_tests::generate::generate;
use mapper_framework::testing::driver_contract;

#[rustfmt::skip]
#[path = "../../../mapper-template/src/driver-events.rs"]
mod events;
#[rustfmt::skip]
#[path = "../../../mapper-template/src/driver-polling.rs"]
mod polling;

#[tokio::test]
async fn the_driver_that_polls_keeps_the_contract() {
    let project = generate(&[("driver_kind", "polling")]).unwrap();
    driver_contract::check(polling::Simulator, project.path.join("devices")).await;
}

#[tokio::test]
async fn the_driver_of_events_keeps_the_contract() {
    let project = generate(&[("driver_kind", "events")]).unwrap();
    driver_contract::check(events::Simulator, project.path.join("devices")).await;
}
