//! Writes and calls from the page.

use mapper_framework::Value;

use crate::{
    plant::HEATING,
    rig::{Rig, TOKEN},
};

#[tokio::test]
async fn a_write_asks_for_the_token_once_and_shows_what_is_read_back() {
    let Some(rig) = Rig::with_heating(1).await else { return };
    let browser = &rig.browser;
    rig.show(&format!("devices/default/{HEATING}/properties/Sollwert")).await;
    browser.until("document.querySelector('form input')").await;

    browser.fill("New value", "22,5").await;
    browser.click_text("Write").await;
    browser.until("text('.hint.is-bad') === 'Write it with a point: 22.5' && document.activeElement.getAttribute('aria-invalid') === 'true'").await;
    browser.fill("New value", "31").await;
    browser.click_text("Write").await;
    browser.until("text('.hint.is-bad') === 'The most is 30.'").await;
    browser.fill("New value", "22.5").await;
    browser.click_text("Write").await;
    browser.until("text('.hint.is-bad').includes('token')").await;
    assert_eq!(rig.plant.value("Sollwert"), Some(Value::Double(20.0)));

    browser.fill("Token", "not-the-token-of-the-tests").await;
    browser.click_text("Write").await;
    browser.until("text('.notice.is-bad[class] .said').includes('http.token')").await;
    assert_eq!(rig.plant.value("Sollwert"), Some(Value::Double(20.0)));

    browser.fill("Token", TOKEN).await;
    browser.click_text("Write").await;
    browser.until("text('.notice.is-good').includes('Read back: Sollwert = 22.5')").await;
    assert_eq!(rig.plant.value("Sollwert"), Some(Value::Double(22.5)));
    browser.until("text('pre') === '22.5\\u00a0°C'").await;

    // The token is kept for the next form, and nowhere that outlasts the page.
    browser.click_text("Properties").await;
    browser.until("text('tbody').includes('Druck')").await;
    browser.click_text("Druck").await;
    browser.until("document.querySelector('form input') && text('h1') === 'Druck'").await;
    browser.fill("New value", "2").await;
    browser.click_text("Write").await;
    browser.until("text('.notice.is-bad .said').includes('the valve is locked by hand')").await;
    assert_eq!(browser.run("return localStorage.length + sessionStorage.length + document.cookie.length").await, 0);
    browser.click_text("Forget the token").await;
    browser.until("document.querySelector('input[type=password]').offsetParent !== null").await;
}

#[tokio::test]
async fn a_method_is_called_with_a_field_for_each_argument() {
    let Some(rig) = Rig::with_heating(1).await else { return };
    rig.show(&format!("devices/default/{HEATING}/methods")).await;
    rig.browser.until("text('h2') === 'stellen'").await;
    rig.browser.fill("Sollwert", "4").await;
    rig.browser.fill("Token", TOKEN).await;
    rig.browser.click_text("Call").await;
    rig.browser.until("text('.hint.is-bad') === 'The least is 5.'").await;
    rig.browser.fill("Sollwert", "18.5").await;
    rig.browser.press('\u{E007}').await;
    rig.browser.until("text('.notice.is-good').includes('Read back: Sollwert = 18.5')").await;
    assert_eq!(rig.plant.value("Sollwert"), Some(Value::Double(18.5)));
}
