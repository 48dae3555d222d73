//! Colours.

/// How loud a text is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tone {
    #[default]
    Plain,
    Faint,
    Bold,
    Good,
    Odd,
    Bad,
}

/// Whether there are colours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    has_colours: bool,
}

impl Style {
    pub(crate) fn new(has_colours: bool) -> Self {
        Self { has_colours }
    }

    #[cfg(test)]
    pub(super) fn plain() -> Self {
        Self::new(false)
    }

    #[cfg(test)]
    pub(super) fn colours() -> Self {
        Self::new(true)
    }

    pub(super) fn paint(self, text: &str, tone: Tone) -> String {
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Faint => 2,
            Tone::Bold => 1,
            Tone::Good => 32,
            Tone::Odd => 33,
            Tone::Bad => 31,
        };
        if self.has_colours && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// How loud the state of a device, a sink or the link is.
pub(super) fn of_state(state: &str) -> Tone {
    match state {
        "ok" | "online" | "up" | "connected" => Tone::Good,
        "connecting" | "unknown" => Tone::Odd,
        _ => Tone::Bad,
    }
}
