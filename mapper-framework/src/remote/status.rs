//! `status`: the mapper, edgecore, the sinks and what is wrong, in a screenful.

use serde_json::{Value, json};

use super::{
    Client, RemoteError,
    style::{Style, Tone, of_state},
    table::{Cell, Table},
    words::{ago_or_nothing, clean, count, or_nothing, span},
};
use crate::{
    cli::Output,
    http::{
        Subject, Trouble,
        view::{Edgecore, List, Mapper, Sink, States},
    },
};

/// How many problems are shown.
const SHOWN_PROBLEMS: usize = 12;

/// What `status` asks for.
struct Status {
    mapper: Mapper,
    edgecore: Edgecore,
    sinks: Vec<Sink>,
    problems: Vec<Trouble>,
}

pub(super) async fn run(client: &Client, output: Output, style: Style) -> Result<String, RemoteError> {
    let (mapper, edgecore, sinks, problems) = tokio::try_join!(
        client.read::<Value>("/api/v2/mapper"),
        client.read::<Value>("/api/v2/edgecore"),
        client.read::<Value>("/api/v2/sinks"),
        client.read::<Value>("/api/v2/problems"),
    )?;
    if output == Output::Json {
        let whole =
            json!({"mapper": mapper, "edgecore": edgecore, "sinks": sinks["items"], "problems": problems["items"]});
        return Ok(whole.to_string());
    }
    let status = Status {
        mapper: serde_json::from_value(mapper)?,
        edgecore: serde_json::from_value(edgecore)?,
        sinks: serde_json::from_value::<List<Sink>>(sinks)?.items,
        problems: serde_json::from_value::<List<Trouble>>(problems)?.items,
    };
    Ok(status.lines(style).join("\n"))
}

impl Status {
    fn lines(&self, style: Style) -> Vec<String> {
        let mut lines = vec![head(&self.mapper, style)];
        lines.push(format!("  edgecore  {}", edgecore(&self.edgecore, style)));
        lines.push(format!("  devices   {}", devices(&self.mapper.devices, style)));
        if self.sinks.is_empty() {
            lines.push("  sinks     none".to_owned());
        } else {
            lines.push(String::new());
            lines.extend(sinks(&self.sinks).lines(style, None));
        }
        lines.push(String::new());
        lines.extend(problems(&self.problems, style));
        lines
    }
}

/// The mapper in a line.
pub(super) fn head(mapper: &Mapper, style: Style) -> String {
    let Mapper { name, version, framework_version, protocol, writes, .. } = mapper;
    let writes = match writes.as_str() {
        "dryRun" => ", writes nothing (dry run)",
        "readOnly" => ", read-only",
        _ => "",
    };
    format!(
        "{} {} (mapper-framework {}), protocol {}, up {}{writes}",
        style.paint(&clean(name), Tone::Bold),
        clean(version),
        clean(framework_version),
        clean(protocol),
        span(mapper.uptime_seconds)
    )
}

fn edgecore(edgecore: &Edgecore, style: Style) -> String {
    let Edgecore { link, via, budget, queued_devices, .. } = edgecore;
    let since = edgecore.since.as_deref().map(|since| format!(" for {}", super::words::ago(since))).unwrap_or_default();
    let reason = edgecore.reason.as_deref().map(|reason| format!(": {}", clean(reason))).unwrap_or_default();
    let waits = match edgecore.oldest_waiting_seconds {
        Some(seconds) => format!(", {} waiting, the longest for {}", count(*queued_devices, "device"), span(seconds)),
        None => String::new(),
    };
    let exceeded = edgecore.exceeded.as_ref().map(|exceeded| {
        let text = format!(
            ", the cycles need {:.1} calls/s: twins get {} old",
            exceeded.needed_per_second,
            span(exceeded.staleness_seconds)
        );
        style.paint(&text, Tone::Odd)
    });
    format!(
        "{}{since}{reason}, by {via}, takes {:.1} of {:.1} calls/s{waits}{}",
        style.paint(link, of_state(link)),
        budget.rate_per_second,
        budget.calls_per_second,
        exceeded.unwrap_or_default()
    )
}

/// How many devices there are in which state.
pub(super) fn devices(states: &States, style: Style) -> String {
    let States { total, ok, online, offline, disconnected, unhealthy, unknown } = states;
    let states = [
        ("ok", ok),
        ("online", online),
        ("offline", offline),
        ("disconnected", disconnected),
        ("unhealthy", unhealthy),
        ("unknown", unknown),
    ];
    let states = states.iter().filter(|(_, count)| **count > 0);
    let states: Vec<_> =
        states.map(|(state, count)| format!("{count} {}", style.paint(state, of_state(state)))).collect();
    if states.is_empty() { total.to_string() } else { format!("{total}: {}", states.join(", ")) }
}

fn sinks(sinks: &[Sink]) -> Table {
    let mut table = Table::new(&["SINK", "STATE", "DELIVERED", "WAITING", "ON DISK", "REJECTED", "LOST", "REASON"]);
    for sink in sinks {
        table.row([
            clean(&sink.target).into(),
            Cell::toned(sink.state.clone(), of_state(&sink.state)),
            sink.ledger.delivered.to_string().into(),
            sink.ledger.in_flight.to_string().into(),
            sink.spooled_records.to_string().into(),
            lost(sink.ledger.rejected),
            lost(sink.ledger.dropped),
            sink.reason.as_deref().map(clean).unwrap_or_default().into(),
        ]);
    }
    table
}

fn lost(records: u64) -> Cell {
    Cell::toned(records.to_string(), if records == 0 { Tone::Plain } else { Tone::Bad })
}

fn problems(problems: &[Trouble], style: Style) -> Vec<String> {
    if problems.is_empty() {
        return vec![style.paint("no problems", Tone::Good)];
    }
    let mut lines = vec![format!("{}:", count(problems.len(), "problem"))];
    for problem in problems.iter().take(SHOWN_PROBLEMS) {
        let (mark, tone) = if problem.severity == "error" { ("✗", Tone::Bad) } else { ("!", Tone::Odd) };
        let since = problem.since.as_deref().map(|since| format!(" (for {})", ago_or_nothing(Some(since))));
        let subject = subject(&problem.subject);
        let message = clean(&problem.message);
        // The message often begins with what it is about.
        let about = if message.contains(&subject) { String::new() } else { format!("{subject}: ") };
        lines.push(format!("{} {about}{message}{}", style.paint(mark, tone), since.unwrap_or_default()));
        if let Some(cure) = &problem.cure {
            lines.push(format!("    cure: {}", clean(cure)));
        }
    }
    if let Some(more) = problems.len().checked_sub(SHOWN_PROBLEMS).filter(|more| *more > 0) {
        lines.push(format!("… {more} more: --output json shows them all"));
    }
    lines
}

fn subject(subject: &Subject) -> String {
    let device = match (&subject.namespace, &subject.name) {
        (Some(namespace), Some(name)) => format!("{namespace}/{name}"),
        _ => or_nothing(subject.target.as_deref().or(Some(&subject.kind))),
    };
    let property = subject.property.as_deref().map(|property| format!(" {property}")).unwrap_or_default();
    clean(&format!("{device}{property}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(severity: &str, message: &str) -> Trouble {
        let subject = Subject {
            kind: "device".into(),
            namespace: Some("plant".into()),
            name: Some("pump".into()),
            ..Subject::default()
        };
        Trouble {
            severity: severity.into(),
            subject,
            message: message.into(),
            cure: Some("check the cable".into()),
            since: None,
        }
    }

    #[test]
    fn problems_come_with_what_they_are_about_and_their_cure() {
        assert_eq!(problems(&[], Style::plain()), ["no problems"]);
        let shown =
            problems(&[trouble("error", "no route"), trouble("warning", "device plant/pump is slow")], Style::plain());
        assert_eq!(
            shown,
            [
                "2 problems:",
                "✗ plant/pump: no route",
                "    cure: check the cable",
                "! device plant/pump is slow",
                "    cure: check the cable"
            ]
        );
        let many = problems(&vec![trouble("error", "x"); 20], Style::plain());
        assert_eq!(many.last().unwrap(), "… 8 more: --output json shows them all");
    }

    #[test]
    fn states_that_no_device_is_in_are_left_out() {
        let states = States { total: 3, ok: 2, disconnected: 1, ..States::default() };
        assert_eq!(devices(&states, Style::plain()), "3: 2 ok, 1 disconnected");
        assert_eq!(devices(&States::default(), Style::plain()), "0");
    }
}
