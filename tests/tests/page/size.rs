//! A device with ten thousand properties.

use std::time::{Duration, Instant};

use crate::{plant, rig::Rig};

/// How long the page may be deaf at a time. A busy machine is slow; without pages and batches it would be many times of this.
const DEAF: u64 = 1000;

#[tokio::test]
async fn ten_thousand_properties_with_a_value_each_second_leave_the_page_responsive() {
    let Some(rig) = Rig::start(&plant::many(10_000)).await else { return };
    let browser = &rig.browser;
    rig.show("devices/default/many").await;
    browser.until("document.querySelectorAll('tbody tr').length === 100 && text('.pager').includes('of 10,000')").await;
    browser.run("window.longest = 0; new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => { longest = Math.max(longest, duration); })).observe({ type: 'longtask' });").await;
    let began = Instant::now();
    for page in 2..=4 {
        browser.click_text("Next").await;
        browser.until(&format!("text('.pager').includes('{} to')", (page - 1) * 100 + 1)).await;
    }
    // Values come, and are shown.
    browser.run("window.before = document.querySelector('tbody .value').innerText;").await;
    browser.until("text('tbody .value') !== before").await;
    browser.fill("Search properties", "p9999").await;
    browser.until("document.querySelectorAll('tbody tr').length === 1").await;
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    let longest = browser.run("return Math.round(longest)").await;
    assert!(longest.as_u64().is_some_and(|longest| longest < DEAF), "deaf for {longest} ms");
    // It would have been seen.
    browser.run("setTimeout(() => { const end = performance.now() + 200; while (performance.now() < end); })").await;
    browser.until("longest >= 200").await;
}
