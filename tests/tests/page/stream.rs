//! The picture of a device with a stream.

use crate::{
    plant::{self, CAMERA, HEATING},
    rig::Rig,
};

/// How wide the picture is that the page shows; -1 without one.
const WIDTH: &str = "(document.querySelector('.picture:not([hidden]) img')?.naturalWidth ?? -1)";

#[tokio::test]
async fn a_camera_shows_its_newest_picture_which_leads_to_the_live_ones() {
    let Some(rig) = Rig::start(&format!("{}---\n{}", plant::heating(1), plant::camera())).await else { return };
    rig.plant.picture(Some((64, 48)));
    rig.show(&format!("devices/default/{CAMERA}")).await;
    rig.browser.until(&format!("{WIDTH} === 64")).await;
    rig.plant.picture(Some((96, 48)));
    rig.browser.until(&format!("{WIDTH} === 96")).await;

    // The browser takes the live stream as an image, and shows a picture before the next one has come.
    rig.browser.run("const live = new Image(); live.id = 'live'; live.src = document.querySelector('.picture a').href; document.body.append(live)").await;
    rig.browser.until("document.getElementById('live').naturalWidth === 96").await;
    rig.plant.picture(Some((32, 24)));
    rig.browser.until("document.getElementById('live').naturalWidth === 32").await;

    rig.plant.picture(None);
    rig.browser.until(&format!("{WIDTH} === -1")).await;
    rig.show(&format!("devices/default/{HEATING}")).await;
    rig.browser.until("text('tbody').includes('61.5')").await;
    assert_eq!(rig.browser.run(&format!("return {WIDTH}")).await, -1, "who has no stream has no picture");
}
