//! Whoever uses it, by whatever means.

use serde_json::json;

use crate::{plant::HEATING, rig::Rig};

/// All views, and what is seen when they are loaded.
fn views() -> Vec<(String, &'static str)> {
    let device = |rest: &str| format!("devices/default/{HEATING}{rest}");
    vec![
        ("devices".to_owned(), "tbody tr"),
        (device(""), "tbody tr"),
        (device("/properties/Sollwert"), ".facts div"),
        (device("/methods"), "form"),
        (device("/explain"), "main ol li"),
        ("sinks".to_owned(), "main"),
        ("edgecore".to_owned(), "meter"),
        ("problems".to_owned(), "main li"),
        ("no-such-view".to_owned(), "main a"),
    ]
}

async fn visit(rig: &Rig, view: &str, seen: &str) {
    rig.show(view).await;
    rig.browser.until(&format!("document.querySelector({})", json!(seen))).await;
}

#[tokio::test]
async fn axe_finds_nothing_in_any_view_in_light_and_dark_colours() {
    let Some(rig) = Rig::with_heating(2).await else { return };
    rig.plant.fail(Some("the fuse has blown"));
    for scheme in ["light", "dark"] {
        rig.browser.set_scheme(scheme).await;
        for (width, height) in [(1200, 900), (390, 844)] {
            rig.browser.set_size(width, height).await;
            for (view, seen) in views() {
                visit(&rig, &view, seen).await;
                assert_eq!(rig.browser.violations().await, Vec::<String>::new(), "{view}, {scheme}, {width} wide");
            }
        }
    }
}

#[tokio::test]
async fn axe_finds_nothing_in_a_page_that_is_not_connected() {
    let Some(mut rig) = Rig::with_heating(1).await else { return };
    visit(&rig, "devices", "tbody tr").await;
    rig.stop().await;
    rig.browser.until("/What is shown is/.test(text('#link-age'))").await;
    for scheme in ["light", "dark"] {
        rig.browser.set_scheme(scheme).await;
        assert_eq!(rig.browser.violations().await, Vec::<String>::new(), "{scheme}");
    }
}

#[tokio::test]
async fn nothing_is_wider_than_a_small_phone() {
    let Some(rig) = Rig::with_heating(2).await else { return };
    rig.plant.fail(Some("the fuse has blown"));
    rig.browser.set_size(320, 640).await;
    for (view, seen) in views() {
        visit(&rig, &view, seen).await;
        let width = rig.browser.run("return document.documentElement.scrollWidth").await;
        assert_eq!(width, json!(320), "{view}");
    }
}

#[tokio::test]
async fn the_keyboard_reaches_everything_and_the_focus_is_seen() {
    let Some(rig) = Rig::with_heating(2).await else { return };
    let browser = &rig.browser;
    visit(&rig, "devices", "tbody tr").await;
    let tab = '\u{E004}';
    browser.press(tab).await;
    browser
        .until("document.activeElement.id === 'skip' && document.activeElement.getBoundingClientRect().left >= 0")
        .await;
    browser.press('\u{E007}').await;
    browser.until("document.activeElement.id === 'main' && location.hash === '#/devices'").await;
    // Seven counts, the search, the first device.
    for _ in 0..9 {
        browser.press(tab).await;
    }
    browser.until("document.activeElement.innerText === 'heizung' && getComputedStyle(document.activeElement).outlineStyle === 'solid'").await;
    // Values come in meanwhile, and take the focus from nobody.
    browser.until("text('tbody').includes('1 s ago') || text('tbody').includes('0 s ago')").await;
    browser.press('\u{E007}').await;
    browser.until("document.activeElement.tagName === 'H1' && text('h1') === 'heizung'").await;
}
