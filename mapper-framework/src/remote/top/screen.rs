//! What the table looks like.

use super::{
    super::{
        RemoteError, Style,
        get::{shown_of, table_of_devices, table_of_properties},
        status,
        style::Tone,
        table::cut,
        words::{clean, count},
    },
    keys::Key,
    look::{View, id_of},
};
use crate::{http::view::SinkStates, model::DeviceId};

/// The most lines of a log below the table.
const MOST_LOG: usize = 8;

/// How far a page goes.
const PAGE: usize = 10;

/// Columns and lines of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) columns: usize,
    pub(super) lines: usize,
}

/// What is shown, and which device is chosen.
#[derive(Debug)]
pub(super) struct Screen {
    style: Style,
    view: Option<Box<View>>,
    chosen: Option<DeviceId>,
    /// Why the last look has failed.
    failure: Option<String>,
}

impl Screen {
    pub(super) fn new(style: Style) -> Self {
        Self { style, view: None, chosen: None, failure: None }
    }

    /// The device whose properties are to be shown; the first one until another is chosen.
    pub(super) fn chosen(&self) -> Option<DeviceId> {
        self.chosen.clone()
    }

    /// Takes the outcome of a look. One that has failed leaves what was seen before.
    pub(super) fn looked(&mut self, looked: Result<Box<View>, RemoteError>) {
        match looked {
            Ok(view) => (self.view, self.failure) = (Some(view), None),
            Err(error) => self.failure = Some(error.to_string()),
        }
    }

    /// Moves the choice.
    pub(super) fn key(&mut self, key: Key) {
        let Some(view) = &self.view else { return };
        let Some(last) = view.devices.items.len().checked_sub(1) else { return };
        let at = self.position();
        let to = match key {
            Key::Up => at.saturating_sub(1),
            Key::Down => at + 1,
            Key::PageUp => at.saturating_sub(PAGE),
            Key::PageDown => at + PAGE,
            Key::First => 0,
            Key::Last => last,
            Key::Quit => at,
        };
        self.chosen = view.devices.items.get(to.min(last)).map(id_of);
    }

    /// Where the chosen device stands; 0 if it is gone.
    fn position(&self) -> usize {
        let devices = self.view.as_ref().map(|view| view.devices.items.as_slice()).unwrap_or_default();
        let chosen = self.chosen.as_ref();
        chosen.and_then(|chosen| devices.iter().position(|device| id_of(device) == *chosen)).unwrap_or_default()
    }

    /// The lines of the screen, from the top: never more, and never longer, than it has room for.
    pub(super) fn lines(&self, size: Size, log: &[String]) -> Vec<String> {
        let log = &log[log.len().saturating_sub(MOST_LOG.min(size.lines / 4))..];
        let foot = self.foot(size, log);
        let mut lines = match &self.view {
            Some(view) => self.body(view, Size { lines: size.lines.saturating_sub(foot.len()), ..size }),
            None => vec![cut("asking the mapper …", size.columns)],
        };
        lines.truncate(size.lines.saturating_sub(foot.len()));
        lines.resize(size.lines.saturating_sub(foot.len()), String::new());
        lines.extend(foot);
        lines.truncate(size.lines);
        lines
    }

    fn body(&self, view: &View, size: Size) -> Vec<String> {
        let plain = Style::new(false);
        let mut lines = vec![
            self.style.paint(&cut(&status::head(&view.mapper, plain), size.columns), Tone::Bold),
            cut(&overview(view), size.columns),
            String::new(),
        ];
        let room = size.lines.saturating_sub(lines.len());
        lines.extend(self.devices(view, Size { lines: room / 2, ..size }));
        if let Some(shown) = &view.shown {
            lines.push(String::new());
            lines.push(self.style.paint(&cut(&clean(shown.as_str()), size.columns), Tone::Bold));
            lines.extend(table_of_properties(&view.properties).lines(self.style, Some(size.columns)));
        }
        lines
    }

    /// The devices around the chosen one.
    fn devices(&self, view: &View, size: Size) -> Vec<String> {
        let position = self.position();
        // A line is the head.
        let room = size.lines.saturating_sub(1).max(1);
        let first = (position + 1).saturating_sub(room);
        let table = table_of_devices(&view.devices.items).lines(self.style, Some(size.columns.saturating_sub(2)));
        let mut table = table.into_iter();
        let head = table.next().map(|head| format!("  {head}"));
        let rows = table.enumerate().skip(first).take(room).map(|(at, row)| {
            let mark = if at == position { "▸ " } else { "  " };
            cut_to(mark, size.columns) + &row
        });
        head.map(|head| if size.columns < 2 { String::new() } else { head }).into_iter().chain(rows).collect()
    }

    fn foot(&self, size: Size, log: &[String]) -> Vec<String> {
        let mut lines: Vec<_> =
            log.iter().map(|line| self.style.paint(&cut(&clean(line), size.columns), Tone::Faint)).collect();
        lines.push(match (&self.failure, &self.view) {
            (Some(failure), _) => self.style.paint(&cut(&clean(failure), size.columns), Tone::Bad),
            (None, view) => {
                let devices = view.as_ref().map(|view| shown_of(view.devices.items.len(), view.devices.total));
                let devices = devices.map(|devices| format!("{devices} · ")).unwrap_or_default();
                self.style.paint(&cut(&format!("{devices}↑ ↓ choose · q quits"), size.columns), Tone::Faint)
            }
        });
        lines
    }
}

fn cut_to(mark: &str, columns: usize) -> String {
    mark.chars().take(columns).collect()
}

/// edgecore, devices, sinks and problems in a line.
fn overview(view: &View) -> String {
    let mapper = &view.mapper;
    let SinkStates { total, up, down, .. } = mapper.sinks;
    let sinks = match (total, down) {
        (0, _) => "no sinks".to_owned(),
        (_, 0) => format!("{total} sinks: {up} up"),
        _ => format!("{total} sinks: {up} up, {down} down"),
    };
    format!(
        "edgecore {} · devices {} · {sinks} · {}",
        mapper.edgecore,
        status::devices(&mapper.devices, Style::new(false)),
        count(mapper.problems, "problem")
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn device(name: &str) -> Value {
        json!({
            "namespace": "plant", "name": name, "model": {"namespace": "plant", "name": "pumps"}, "protocol": "modbus",
            "state": "ok", "reason": null, "since": null, "lastSample": null, "properties": 3, "failing": 0, "connects": 1, "problems": 0,
        })
    }

    fn view(devices: usize) -> View {
        let mapper = json!({
            "name": "m", "version": "1.0.0", "frameworkVersion": "0.1.0", "protocol": "modbus", "started": "", "now": "", "uptimeSeconds": 5.0,
            "devices": {"total": devices, "ok": devices, "online": 0, "offline": 0, "disconnected": 0, "unhealthy": 0, "unknown": 0},
            "sinks": {"total": 0, "connecting": 0, "up": 0, "down": 0}, "edgecore": "connected", "problems": 0, "writes": "enabled", "writable": false,
        });
        let items: Vec<_> = (0..devices).map(|number| device(&format!("pump-{number}"))).collect();
        View {
            mapper: serde_json::from_value(mapper).unwrap(),
            devices: serde_json::from_value(json!({"items": items, "continue": null, "total": devices})).unwrap(),
            shown: (devices > 0).then(|| DeviceId::new("plant", "pump-0")),
            properties: Vec::new(),
        }
    }

    fn screen(devices: usize) -> Screen {
        let mut screen = Screen::new(Style::new(false));
        screen.looked(Ok(Box::new(view(devices))));
        screen
    }

    #[test]
    fn a_screen_has_the_size_of_the_terminal_whatever_it_is() {
        for (columns, lines) in (0..70).step_by(7).flat_map(|columns| (0..40).map(move |lines| (columns, lines))) {
            for screen in [screen(0), screen(50), Screen::new(Style::new(false))] {
                let shown = screen.lines(Size { columns, lines }, &vec!["a line of the log".to_owned(); 20]);
                assert_eq!(shown.len(), lines);
                assert!(shown.iter().all(|line| line.chars().count() <= columns), "{columns}: {shown:?}");
            }
        }
    }

    #[test]
    fn the_chosen_device_stays_in_sight() {
        let mut screen = screen(50);
        let size = Size { columns: 80, lines: 24 };
        let marked = |screen: &Screen| {
            let lines = screen.lines(size, &[]);
            let marked: Vec<_> = lines.iter().filter(|line| line.starts_with('▸')).cloned().collect();
            assert_eq!(marked.len(), 1, "{lines:?}");
            marked[0].split_whitespace().nth(1).unwrap().to_owned()
        };
        assert_eq!(marked(&screen), "plant/pump-0");
        for (key, expected) in [
            (Key::Up, "plant/pump-0"),
            (Key::Down, "plant/pump-1"),
            (Key::PageDown, "plant/pump-11"),
            (Key::Last, "plant/pump-49"),
            (Key::Down, "plant/pump-49"),
            (Key::PageUp, "plant/pump-39"),
            (Key::First, "plant/pump-0"),
        ] {
            screen.key(key);
            assert_eq!(marked(&screen), expected, "{key:?}");
        }
    }

    #[test]
    fn a_look_that_fails_is_reported_below_what_was_seen() {
        let mut screen = screen(1);
        screen.looked(Err(RemoteError::StreamEnded));
        let lines = screen.lines(Size { columns: 80, lines: 12 }, &[]);
        assert!(lines[0].starts_with("m 1.0.0"), "{lines:?}");
        assert_eq!(lines[11], RemoteError::StreamEnded.to_string());
    }
}
