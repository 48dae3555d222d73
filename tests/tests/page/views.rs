//! What the views show, and that it stays true.

use integration_tests::free_port;
use mapper_framework::model::DeviceId;
use serde_json::json;

use crate::{
    plant::{self, HEATING, MARKUP},
    rig::Rig,
};

#[tokio::test]
async fn the_overview_shows_devices_and_their_states_live() {
    let Some(rig) = Rig::with_heating(3).await else { return };
    rig.show("").await;
    rig.browser.until("document.querySelectorAll('tbody tr').length === 3").await;
    rig.browser.until("text('.tiles li:nth-child(1)').replace(/\\s/g, '') === '3all'").await;
    rig.browser
        .until("[...document.querySelectorAll('tbody tr')].every((row) => row.innerText.includes('online'))")
        .await;

    rig.plant.fail(Some("the fuse has blown"));
    rig.browser.until("text('tbody').match(/unhealthy/g)?.length === 3").await;
    rig.browser.until("text('#problem-count').includes('(')").await;
    rig.plant.fail(None);
    rig.browser.until("!text('tbody').includes('unhealthy') && text('#problem-count') === ''").await;

    rig.edge().delete_device(&DeviceId::new("default", HEATING)).await.unwrap();
    rig.browser.until("document.querySelectorAll('tbody tr').length === 2").await;
    assert_eq!(rig.browser.console().await, Vec::<String>::new());
}

#[tokio::test]
async fn search_and_state_narrow_the_overview_down_and_stay_in_the_address() {
    let Some(rig) = Rig::with_heating(12).await else { return };
    rig.show("devices").await;
    rig.browser.until("document.querySelectorAll('tbody tr').length === 12").await;
    rig.browser.fill("Search devices", "pumpe-1").await;
    rig.browser.until("document.querySelectorAll('tbody tr').length === 3").await;
    assert_eq!(rig.browser.run("return location.hash").await, json!("#/devices?search=pumpe-1"));
    rig.browser.until("document.activeElement.type === 'search'").await;

    rig.browser.click(".tiles a[href*='state=offline']").await;
    rig.browser.until("text('.pager') === 'Nothing fits'").await;
    assert_eq!(rig.browser.run("return location.hash").await, json!("#/devices?state=offline&search=pumpe-1"));
    assert_eq!(rig.browser.text(".tiles [aria-current]").await.replace(char::is_whitespace, ""), "0offline");

    rig.show("devices?search=heiz").await;
    rig.browser.until("document.querySelectorAll('tbody tr').length === 1").await;
    assert_eq!(rig.browser.run("return document.querySelector('input').value").await, json!("heiz"));
}

#[tokio::test]
async fn a_device_is_shown_live_with_its_properties() {
    let Some(rig) = Rig::with_heating(1).await else { return };
    rig.show("devices").await;
    rig.browser.until("text('tbody').includes('heizung')").await;
    rig.browser.click_text(HEATING).await;
    rig.browser.until("text('h1') === 'heizung' && document.activeElement.tagName === 'H1'").await;
    assert!(rig.browser.run("return document.title").await.as_str().unwrap().starts_with("heizung – "));
    rig.browser.until("text('tbody').includes('61.5\\u00a0°C')").await;
    rig.plant.set("Vorlauf", 63.25);
    rig.browser.until("text('tbody').includes('63.25\\u00a0°C')").await;
    // Two values have a course, which has words.
    rig.browser.until("[...document.querySelectorAll('.spark')].some((it) => /61.5 to 63.25 °C in the last/.test(it.getAttribute('aria-label')))").await;

    rig.plant.fail(Some("the fuse has blown"));
    rig.browser
        .until("text('tbody').includes('the fuse has blown') && text('.events').includes('cannot be read')")
        .await;
    rig.plant.fail(None);
    rig.browser
        .until("!text('tbody').includes('the fuse has blown') && text('.events').includes('is read again')")
        .await;

    rig.browser.fill("Search properties", "温度").await;
    rig.browser.until("document.querySelectorAll('tbody tr').length === 1").await;
    rig.browser.click_text("温度传感器").await;
    rig.browser.until("text('h1') === '温度传感器' && text('pre') === '7' && text('.facts').includes('INT')").await;
    rig.plant.set("温度传感器", 8i64);
    rig.browser.until("text('pre') === '8'").await;
    rig.browser.click_text("Read now").await;
    rig.browser.until("text('main').includes('Read: 8')").await;
    assert_eq!(rig.browser.console().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_desired_value_shows_how_far_it_is() {
    let Some(rig) = Rig::with_heating(1).await else { return };
    rig.show(&format!("devices/default/{HEATING}/properties/Sollwert")).await;
    rig.browser.until("text('.facts').includes('DOUBLE')").await;
    rig.edge().set_desired(&DeviceId::new("default", HEATING), "Sollwert", "25").await.unwrap();
    rig.browser.until("text('.steps [aria-current]').includes('converged') && text('pre') === '25\\u00a0°C'").await;
    rig.edge().set_desired(&DeviceId::new("default", HEATING), "Sollwert", "99").await.unwrap();
    rig.browser.until("/refused|held/.test(text('main')) && text('main').includes('99')").await;
}

#[tokio::test]
async fn names_and_values_are_text_and_never_markup() {
    let Some(rig) = Rig::start(&plant::hostile()).await else { return };
    let property = format!("devices/default/{HEATING}/properties/{}", encoded(MARKUP));
    let views = [
        format!("devices/default/{HEATING}"),
        property,
        format!("devices/default/{HEATING}/explain?property={}", encoded(MARKUP)),
    ];
    for view in views {
        rig.show(&view).await;
        rig.browser.until("text('main').includes('<img src=x onerror=')").await;
        let found = rig
            .browser
            .run("return document.querySelectorAll('main img, main script, [onerror], [onmouseover]').length")
            .await;
        assert_eq!((found, rig.browser.run("return window.harmed ?? null").await), (json!(0), json!(null)), "{view}");
    }
    assert_eq!(rig.browser.console().await, Vec::<String>::new());
}

#[tokio::test]
async fn explain_problems_sinks_and_edgecore_say_what_is_so() {
    let Some(rig) = Rig::with_heating(1).await else { return };
    rig.plant.fail(Some("the fuse has blown"));
    rig.show(&format!("devices/default/{HEATING}/explain")).await;
    rig.browser
        .until("document.querySelectorAll('main ol > li').length >= 11 && /manifest.*ok/s.test(text('main ol'))")
        .await;
    rig.show(&format!("devices/default/{HEATING}/explain?property=Vorlauf")).await;
    rig.browser
        .until("text('main').includes('held up by: read') && text('.held').includes('the fuse has blown')")
        .await;

    rig.show("problems").await;
    rig.browser.until("text('main ul').includes('the fuse has blown')").await;
    rig.plant.fail(None);
    rig.browser.until("text('main').includes('Nothing is wrong')").await;

    rig.show("sinks").await;
    rig.browser.until("text('main').includes('No device sends to a sink')").await;
    rig.show("edgecore").await;
    rig.browser.until("text('main').includes('connected') && document.querySelectorAll('meter').length === 2").await;
    rig.edge().stop().await;
    rig.browser.until("text('main').includes('disconnected')").await;
}

#[tokio::test]
async fn a_target_that_is_away_is_shown_with_its_ledger_and_as_a_problem() {
    // Nobody listens there.
    let Some(rig) = Rig::start(&plant::sending(free_port())).await else { return };
    rig.show("sinks").await;
    rig.browser.until("text('tbody th').includes('http') && text('tbody th').includes('down')").await;
    rig.browser.until("parseInt(text('td[data-label=\"In flight\"]')) > 0").await;
    rig.browser.set_size(320, 640).await;
    assert_eq!(rig.browser.violations().await, Vec::<String>::new());
    assert_eq!(rig.browser.run("return document.documentElement.scrollWidth").await, json!(320));
    rig.show("problems").await;
    rig.browser.until("text('main ul').includes('records wait')").await;
    rig.browser.click("main ul a[href='#/sinks']").await;
    rig.browser.until("text('h1') === 'Sinks'").await;
}

#[tokio::test]
async fn what_is_not_there_is_said_with_a_way_back() {
    let Some(rig) = Rig::start(&plant::heating(1)).await else { return };
    rig.show("devices/default/no-such-device").await;
    rig.browser.until("text('[role=alert]').includes('no-such-device')").await;
    rig.browser.click_text("Devices").await;
    rig.browser.until("text('tbody').includes('heizung') && text('[role=alert]') === ''").await;
    rig.show("no/such/view").await;
    rig.browser.until("text('h1') === 'There is no such view'").await;
}

/// A text as a part of an address.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
