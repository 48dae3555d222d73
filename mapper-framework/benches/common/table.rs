//! The figures of a benchmark beside their goals.

use std::fmt::Display;

/// A table that is printed row by row, so that a benchmark that takes its time shows what it has.
pub(crate) struct Table;

impl Table {
    /// Prints the head.
    pub(crate) fn new(title: &str) -> Self {
        println!("\n{title}\n");
        print_row("", "figure", "goal", "");
        Self
    }

    /// Prints a figure that has a goal, and whether it meets it.
    pub(crate) fn judge(&self, what: &str, figure: impl Display, goal: impl Display, met: bool) {
        print_row(what, &figure.to_string(), &goal.to_string(), if met { "met" } else { "MISSED" });
    }

    /// Prints a figure that has no goal.
    pub(crate) fn tell(&self, what: &str, figure: impl Display) {
        print_row(what, &figure.to_string(), "", "");
    }
}

fn print_row(what: &str, figure: &str, goal: &str, verdict: &str) {
    println!("{}", format!("  {what:<46} {figure:>16}   {goal:<18} {verdict}").trim_end());
}

/// Bytes in the unit of the goals.
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
