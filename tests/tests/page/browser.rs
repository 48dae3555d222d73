//! Chromium, driven by WebDriver: JSON over HTTP, as <https://www.w3.org/TR/webdriver2/> has it.

use std::{fs, path::PathBuf};

use base64::{Engine, engine::general_purpose::STANDARD};
use integration_tests::{ChildGuard, DEADLINE, Tool, browser};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::Command,
    time::timeout,
};

/// Without a display, and as root, who is the only user of most containers. The pipe has Chromium end with its driver, however that ends.
const ARGUMENTS: [&str; 7] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--lang=en",
    "--remote-debugging-pipe",
];

/// The key of an element's id in WebDriver's answers.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// The rules that the page keeps: WCAG 2.2 up to AAA for contrast, and what axe-core deems good practice.
const RULES: &str = "['wcag2a', 'wcag2aa', 'wcag2aaa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']";

/// A browser with one window. It ends with its test.
pub(crate) struct Browser {
    driver: ChildGuard,
    port: u16,
    session: String,
    /// The script of axe-core.
    axe: String,
    _profile: TempDir,
}

impl Browser {
    /// Starts it with a window of a desk's size in light colours; none if it is left out.
    pub(crate) async fn start() -> Option<Self> {
        let (Tool::At(chromium), Tool::At(driver), Tool::At(axe)) =
            (browser("chromium"), browser("chromedriver"), browser("axe.min.js"))
        else {
            return None;
        };
        let profile = tempfile::tempdir().expect("a folder");
        let mut driver = ChildGuard::spawn(Command::new(driver).arg("--port=0").env("TMPDIR", profile.path()));
        let line = driver.wait_for_line(|line| line.contains("started successfully on port")).await;
        let port = line.trim_end_matches('.').rsplit(' ').next().expect("a port").parse().expect("a number");
        let axe = fs::read_to_string(axe).expect("the script can be read");
        let mut browser = Self { driver, port, session: String::new(), axe, _profile: profile };
        browser.session = browser.open_session(chromium).await;
        browser.set_size(1200, 900).await;
        Some(browser)
    }

    async fn open_session(&self, chromium: PathBuf) -> String {
        let options = json!({"binary": chromium, "args": ARGUMENTS});
        let capabilities = json!({"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}, "timeouts": {"script": DEADLINE.as_millis()}});
        let opened = self.send("POST", "/session", &json!({"capabilities": {"alwaysMatch": capabilities}})).await;
        opened["sessionId"].as_str().expect("a session").to_owned()
    }

    /// Opens an address as if it was typed.
    pub(crate) async fn open(&self, url: &str) {
        self.command("POST", "url", &json!({"url": url})).await;
    }

    /// Lays the window out as on a screen of this size.
    pub(crate) async fn set_size(&self, width: u32, height: u32) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500});
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics).await;
    }

    /// Has the system prefer `light` or `dark` colours.
    pub(crate) async fn set_scheme(&self, scheme: &str) {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", &features).await;
    }

    /// Runs the body of a function in the page, and returns what it returns.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.command("POST", "execute/sync", &json!({"script": script, "args": []})).await
    }

    /// Waits in the page until an expression is true, and returns it.
    pub(crate) async fn until(&self, expression: &str) {
        let script = format!(
            "const done = arguments[0]; const end = Date.now() + {};
             const text = (selector) => document.querySelector(selector)?.innerText ?? '';
             (function look() {{
               let fits = false;
               try {{ fits = Boolean({expression}); }} catch (error) {{ fits = false; }}
               if (fits) done(true); else if (Date.now() > end) done(false); else setTimeout(look, 20);
             }})();",
            DEADLINE.as_millis() - 2000,
        );
        let fits = self.command("POST", "execute/async", &json!({"script": script, "args": []})).await;
        if fits != json!(true) {
            let (console, shown) = (self.console().await, self.text("body").await);
            panic!("the page does not come to {expression}; console: {console:?}; it shows:\n{shown}");
        }
    }

    /// The text of an element as it is shown.
    pub(crate) async fn text(&self, selector: &str) -> String {
        let text = self.run(&format!("return document.querySelector({}).innerText", json!(selector))).await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Clicks on an element, which has to be seen.
    pub(crate) async fn click(&self, selector: &str) {
        let id = self.find("css selector", selector).await;
        self.command("POST", &format!("element/{id}/click"), &json!({})).await;
    }

    /// Clicks on the link or the button of this text.
    pub(crate) async fn click_text(&self, text: &str) {
        let path = format!("//*[self::a or self::button][normalize-space()={}]", json!(text));
        let id = self.find("xpath", &path).await;
        self.command("POST", &format!("element/{id}/click"), &json!({})).await;
    }

    /// Types a text into the field of this label, in the place of what is there.
    pub(crate) async fn fill(&self, label: &str, text: &str) {
        let path =
            format!("//label[normalize-space()={0}]/following-sibling::*[self::input or self::select]", json!(label));
        let id = self.find("xpath", &path).await;
        if self.command("GET", &format!("element/{id}/name"), &Value::Null).await == json!("input") {
            self.command("POST", &format!("element/{id}/clear"), &json!({})).await;
        }
        self.command("POST", &format!("element/{id}/value"), &json!({"text": text})).await;
    }

    /// Presses a key, by its code in WebDriver or as a character.
    pub(crate) async fn press(&self, key: char) {
        let actions = json!([{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]);
        self.command("POST", "actions", &json!({"actions": [{"type": "key", "id": "keys", "actions": actions}]})).await;
    }

    async fn find(&self, using: &str, value: &str) -> String {
        let found = self.command("POST", "element", &json!({"using": using, "value": value})).await;
        found[ELEMENT].as_str().expect("an element").to_owned()
    }

    /// What axe-core finds wrong with what is shown.
    pub(crate) async fn violations(&self) -> Vec<String> {
        // By the developer tools, which the page's policy does not bind.
        self.devtools("Runtime.evaluate", &json!({"expression": self.axe})).await;
        let script = format!(
            "const done = arguments[0];
             const say = (rule) => `${{rule.id}}: ${{rule.nodes.map((node) => node.html + ' ' + node.failureSummary).join('; ')}}`;
             axe.run(document, {{ runOnly: {RULES} }}).then(({{ violations, passes }}) => done([passes.length, ...violations.map(say)]));"
        );
        let found = self.command("POST", "execute/async", &json!({"script": script, "args": []})).await;
        let found = found.as_array().expect("a list");
        assert!(found[0].as_u64().is_some_and(|passes| passes > 15), "axe-core has not looked: {found:?}");
        found[1..].iter().map(|violation| violation.as_str().unwrap_or_default().to_owned()).collect()
    }

    /// The lines of the browser's console since the last time. That an answer is no success is a line of the browser's own.
    pub(crate) async fn console(&self) -> Vec<String> {
        let lines = self.command("POST", "se/log", &json!({"type": "browser"})).await;
        let lines = lines.as_array().expect("a list").iter();
        let messages = lines.filter_map(|line| line["message"].as_str());
        messages.filter(|line| !line.contains("Failed to load resource")).map(str::to_owned).collect()
    }

    /// What is shown, as a PNG file.
    pub(crate) async fn picture(&self) -> Vec<u8> {
        let picture = self.command("GET", "screenshot", &Value::Null).await;
        STANDARD.decode(picture.as_str().expect("a picture")).expect("base64")
    }

    /// A command of the developer tools' protocol.
    async fn devtools(&self, method: &str, parameters: &Value) {
        self.command("POST", "goog/cdp/execute", &json!({"cmd": method, "params": parameters})).await;
    }

    async fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        self.send(method, &format!("/session/{}/{path}", self.session), body).await
    }

    /// One request, on a connection of its own.
    async fn send(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.port,
            body.len()
        );
        let answered = timeout(DEADLINE * 2, self.exchange(&[head, body].concat())).await;
        let answer =
            answered.unwrap_or_else(|_| panic!("{method} {path} is not answered; driver: {:?}", self.driver.lines()));
        let mut answer: Value = serde_json::from_slice(&answer).expect("an answer in JSON");
        let value = answer["value"].take();
        assert!(
            value["error"].is_null(),
            "{method} {path}: {} {}; driver: {:?}",
            value["error"],
            value["message"],
            self.driver.lines()
        );
        value
    }

    /// Sends a request, and returns the body of the answer. The driver leaves the connection open.
    async fn exchange(&self, request: &str) -> Vec<u8> {
        let mut stream =
            BufReader::new(TcpStream::connect(("127.0.0.1", self.port)).await.expect("the driver listens"));
        stream.write_all(request.as_bytes()).await.expect("the driver can be asked");
        let mut length = 0;
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.expect("the driver answers");
            match line.trim().to_ascii_lowercase().split_once(':') {
                Some(("content-length", value)) => length = value.trim().parse().expect("a length"),
                None if line.trim().is_empty() => break,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.expect("the driver answers");
        body
    }
}
