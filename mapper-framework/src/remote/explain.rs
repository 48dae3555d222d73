//! `explain`: the way of a value, stage by stage.

use std::process::ExitCode;

use super::{
    Client, RemoteError,
    client::with_query,
    device_path,
    style::{Style, Tone},
    words::{ago, clean},
};
use crate::{
    cli::{ExplainArgs, Output},
    http::{Explanation, Stage, Verdict},
};

/// Returns what to print, and an exit code that says whether something is held up.
pub(super) async fn run(client: &Client, args: &ExplainArgs, style: Style) -> Result<(String, ExitCode), RemoteError> {
    let path = format!("{}/explain", device_path(&args.device.0));
    let text = client.get(&with_query(&path, &[("property", args.property.clone())])).await?;
    let explanation: Explanation = serde_json::from_str(&text)?;
    let is_held_up = explanation.stages.iter().any(|stage| stage.verdict == Verdict::Blocked);
    let code = if is_held_up { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    let shown = if args.asked.output == Output::Json { text } else { lines(&explanation, style).join("\n") };
    Ok((shown, code))
}

fn lines(explanation: &Explanation, style: Style) -> Vec<String> {
    let property = explanation.property.as_deref().map(|property| format!(" {property}")).unwrap_or_default();
    let what = style.paint(&clean(&format!("{}{property}", explanation.device)), Tone::Bold);
    let blocked: Vec<_> = explanation.stages.iter().filter(|stage| stage.verdict == Verdict::Blocked).collect();
    let verdict = match blocked.as_slice() {
        [] => style.paint("nothing is held up", Tone::Good),
        blocked => {
            let names: Vec<_> = blocked.iter().map(|stage| clean(&stage.name)).collect();
            style.paint(&format!("held up by: {}", names.join(", ")), Tone::Bad)
        }
    };
    let width = explanation.stages.iter().map(|stage| stage.name.chars().count()).max().unwrap_or_default();
    let stages = explanation.stages.iter().flat_map(|stage| of_stage(stage, width, style));
    std::iter::once(format!("{what}: {verdict}")).chain(stages).collect()
}

fn of_stage(stage: &Stage, width: usize, style: Style) -> Vec<String> {
    let (mark, tone) = match stage.verdict {
        Verdict::Ok => ("✓", Tone::Good),
        Verdict::Warning => ("!", Tone::Odd),
        Verdict::Blocked => ("✗", Tone::Bad),
        Verdict::Skipped => ("-", Tone::Faint),
        Verdict::Unknown => ("?", Tone::Faint),
    };
    let name = clean(&stage.name);
    let figure = stage.figure.as_deref().map(|figure| format!(" ({})", clean(figure))).unwrap_or_default();
    let since = stage.since.as_deref().map(|since| format!(", for {}", ago(since))).unwrap_or_default();
    let mut lines = vec![format!("{} {name:width$}  {}{figure}{since}", style.paint(mark, tone), clean(&stage.detail))];
    if let Some(cure) = &stage.cure {
        lines.push(format!("  {:width$}  cure: {}", "", clean(cure)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_stage_is_a_line_and_the_cure_stands_below() {
        let stage = |name: &str, verdict: &str, cure: Option<&str>| json!({"name": name, "verdict": verdict, "since": null, "detail": "so it is", "figure": "1 of 2", "cure": cure});
        let explanation = json!({
            "device": "plant/pump", "property": "level", "heldUpBy": "session",
            "stages": [stage("manifest", "ok", None), stage("session", "blocked", Some("plug it in")), stage("read", "unknown", None)],
        });
        assert_eq!(
            lines(&serde_json::from_value(explanation).unwrap(), Style::plain()),
            [
                "plant/pump level: held up by: session",
                "✓ manifest  so it is (1 of 2)",
                "✗ session   so it is (1 of 2)",
                "            cure: plug it in",
                "? read      so it is (1 of 2)",
            ]
        );
    }
}
