//! A device with ten thousand properties.

use crate::{plant, rig::Rig};

/// How many milliseconds the page may be deaf after a click: without pages and batches it would be many times of this.
const DEAF: u64 = 1000;

/// Gives the time that the page was deaf for most since it was asked last, in milliseconds.
const DEAF_SINCE: &str = "const was = longest; longest = 0; return Math.round(was)";

#[tokio::test]
async fn ten_thousand_properties_with_a_value_each_second_leave_the_page_responsive() {
    let Some(rig) = Rig::start(&plant::many(10_000)).await else { return };
    let browser = &rig.browser;
    rig.show("devices/default/many").await;
    browser.until("document.querySelectorAll('tbody tr').length === 100 && text('.pager').includes('of 10,000')").await;
    browser.run("window.longest = 0; new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => { longest = Math.max(longest, duration); })).observe({ type: 'longtask' });").await;
    let mut turning = Vec::new();
    for page in 2..=4 {
        browser.click_text("Next").await;
        browser.until(&format!("text('.pager').includes('{} to')", (page - 1) * 100 + 1)).await;
        turning.push(browser.run(DEAF_SINCE).await.as_u64());
    }
    // Values come, and are shown.
    browser.run("window.before = document.querySelector('tbody .value').innerText;").await;
    browser.until("text('tbody .value') !== before").await;
    let mut searching = Vec::new();
    for name in ["p9997", "p9998", "p9999"] {
        browser.fill("Search properties", name).await;
        browser
            .until(&format!("document.querySelectorAll('tbody tr').length === 1 && text('tbody').includes('{name}')"))
            .await;
        searching.push(browser.run(DEAF_SINCE).await.as_u64());
    }
    // A machine that stands still for a while makes one of three long, and not all.
    for deaf in [turning, searching] {
        let shortest = deaf.iter().min().copied().flatten();
        assert!(shortest.is_some_and(|millis| millis < DEAF), "deaf for {deaf:?} ms");
    }
    // It would have been seen.
    browser.run("setTimeout(() => { const end = performance.now() + 200; while (performance.now() < end); })").await;
    browser.until("longest >= 200").await;
}
