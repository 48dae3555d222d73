//! Runs what a change has to pass, step by step, up to the first failure.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::{
    audit, codegen, shell, test,
    tools::{self, Without},
};

/// The arguments of `cargo xtask ci`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    without: Without,
}

/// One step.
struct Step {
    name: &'static str,
    /// The command that repeats this step alone.
    again: String,
    run: Box<dyn Fn() -> Result<()>>,
}

/// How a step went.
struct Outcome {
    name: &'static str,
    took: Duration,
    passed: bool,
}

/// Runs all steps and prints what each took.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut outcomes = Vec::new();
    let result = steps(&args.without).iter().try_for_each(|step| perform(step, &mut outcomes));
    println!("\n{}", table(&outcomes));
    args.without.announce();
    result
}

/// The steps, those that fail fast first.
fn steps(without: &Without) -> Vec<Step> {
    let without = without.clone();
    vec![
        Step::new("components", "rustup component add rustfmt clippy", tools::components),
        Step::cargo("fmt", "fmt --all --check"),
        Step::new("audit", "cargo xtask audit", audit::run),
        Step::new("codegen", "cargo xtask codegen --check", || codegen::run(true)),
        Step::cargo("clippy", "clippy --locked --workspace --all-targets -- -D warnings"),
        Step::new("features", "cargo clippy -p mapper-framework --no-default-features --all-targets", features),
        Step::new("docs", "RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps", docs),
        Step::new("test", &format!("cargo xtask test{}", without.flags()), move || {
            test::run(&test::Args::all(without.clone()))
        }),
    ]
}

impl Step {
    fn new(name: &'static str, again: &str, run: impl Fn() -> Result<()> + 'static) -> Self {
        Self { name, again: again.to_owned(), run: Box::new(run) }
    }

    /// A step that is one cargo command, whose arguments have no spaces in them.
    fn cargo(name: &'static str, arguments: &'static str) -> Self {
        let run = || shell::run(shell::cargo().args(arguments.split_whitespace()));
        Self::new(name, &format!("cargo {arguments}"), run)
    }
}

fn perform(step: &Step, outcomes: &mut Vec<Outcome>) -> Result<()> {
    println!("\n==> {}", step.name);
    let start = Instant::now();
    let result = (step.run)();
    outcomes.push(Outcome { name: step.name, took: start.elapsed(), passed: result.is_ok() });
    result.with_context(|| format!("step {} failed; `{}` repeats it alone", step.name, step.again))
}

/// The framework as the smallest of images has it, with the command line, the edgecore and the REST of TDengine alone, and what it says of the sinks
/// and commands that it lacks. With each sink alone it is built by the tests of the template, from which a mapper may ask for any of them.
///
/// The tests bring `standalone` and `testing` with them, as dependencies for development.
fn features() -> Result<()> {
    for command in [
        "clippy --locked -p mapper-framework --no-default-features -- -D warnings",
        "clippy --locked -p mapper-framework --no-default-features --features cli -- -D warnings",
        "clippy --locked -p mapper-framework --no-default-features --features http -- -D warnings",
        "clippy --locked -p mapper-framework --no-default-features --features standalone -- -D warnings",
        "clippy --locked -p mapper-framework --no-default-features --all-targets -- -D warnings",
        "test --locked -p mapper-framework --no-default-features --features sink-tdengine --lib -- not_compiled plain_cli tdengine",
    ] {
        shell::run(shell::cargo().args(command.split_whitespace()))?;
    }
    Ok(())
}

fn docs() -> Result<()> {
    shell::run(shell::cargo().args(["doc", "--locked", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
}

/// A line for each step, and one for all.
fn table(outcomes: &[Outcome]) -> String {
    let total: Duration = outcomes.iter().map(|outcome| outcome.took).sum();
    let all = Outcome { name: "all", took: total, passed: outcomes.iter().all(|outcome| outcome.passed) };
    outcomes.iter().chain([&all]).map(line).collect()
}

fn line(outcome: &Outcome) -> String {
    let verdict = if outcome.passed { "ok" } else { "FAILED" };
    format!("{:<12}{:>8.1} s  {verdict}\n", outcome.name, outcome.took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn the_table_has_the_seconds_of_each_step_and_of_all() {
        let outcomes = [
            Outcome { name: "fmt", took: Duration::from_millis(1_250), passed: true },
            Outcome { name: "test", took: Duration::from_secs(100), passed: false },
        ];
        let expected = "fmt              1.2 s  ok\ntest           100.0 s  FAILED\nall            101.2 s  FAILED\n";
        assert_eq!(table(&outcomes), expected);
    }

    #[test]
    fn a_failed_step_is_recorded_and_names_the_command_that_repeats_it() {
        let step = Step::new("docs", "cargo doc", || bail!("a broken link"));
        let mut outcomes = Vec::new();
        let error = perform(&step, &mut outcomes).expect_err("the step fails");
        assert_eq!(format!("{error:#}"), "step docs failed; `cargo doc` repeats it alone: a broken link");
        assert!(matches!(outcomes.as_slice(), [Outcome { name: "docs", passed: false, .. }]));
    }

    #[test]
    fn the_tests_come_last_and_are_repeated_with_what_was_left_out() {
        let steps = steps(&Without::default());
        assert_eq!(steps.last().map(|step| step.again.as_str()), Some("cargo xtask test"));
    }
}
