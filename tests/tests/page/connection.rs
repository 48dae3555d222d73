//! The page outlives the mapper, and says how old it is.

use crate::{plant, rig::Rig};

#[tokio::test]
async fn the_page_says_how_old_it_is_while_the_mapper_is_away_and_shows_the_next_one() {
    let Some(mut rig) = Rig::with_heating(2).await else { return };
    rig.show("devices").await;
    rig.browser.until("document.querySelectorAll('tbody tr').length === 2").await;
    rig.stop().await;
    rig.browser
        .until(
            "/^Not connected/.test(text('#link-word')) && /What is shown is [1-9]\\d* s old/.test(text('#link-age'))",
        )
        .await;
    // What was known stays to be seen.
    rig.browser.until("document.querySelectorAll('tbody tr').length === 2").await;
    rig.start_again(&plant::heating(3)).await;
    rig.live().await;
    rig.browser.until("document.querySelectorAll('tbody tr').length === 3 && text('#link-age') === ''").await;
    assert_eq!(rig.browser.console().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_page_in_the_background_holds_no_connection_and_catches_up() {
    let Some(rig) = Rig::with_heating(1).await else { return };
    rig.show("devices/default/heizung").await;
    rig.browser.until("text('tbody').includes('61.5')").await;
    let seen = |hidden: bool| {
        format!(
            "Object.defineProperty(document, 'hidden', {{ value: {hidden}, configurable: true }});
             document.dispatchEvent(new Event('visibilitychange'));"
        )
    };
    rig.browser.run(&seen(true)).await;
    rig.browser.until("/^Not connected/.test(text('#link-word'))").await;
    rig.plant.set("Vorlauf", 64.0);
    rig.browser.run(&seen(false)).await;
    rig.live().await;
    rig.browser.until("text('tbody').includes('64\\u00a0°C')").await;
}
