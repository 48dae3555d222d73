//! Tables in plain text.

use super::style::{Style, Tone};

/// The gap between two columns.
const GAP: &str = "  ";

/// Rows with a cell for each column.
#[derive(Debug)]
pub(super) struct Table {
    heads: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

/// A text with its tone.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    text: String,
    tone: Tone,
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: text.into(), tone: Tone::Plain }
    }
}

impl Cell {
    pub(super) fn toned(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: text.into(), tone }
    }
}

impl Table {
    pub(super) fn new(heads: &[&'static str]) -> Self {
        Self { heads: heads.to_vec(), rows: Vec::new() }
    }

    pub(super) fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        self.rows.push(cells.into());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The lines, the first of which has the heads. None of them is wider than `width` characters, if there is such a bound.
    pub(super) fn lines(&self, style: Style, width: Option<usize>) -> Vec<String> {
        let widths = self.widths();
        let head: Vec<Cell> = self.heads.iter().map(|head| Cell::toned(*head, Tone::Faint)).collect();
        std::iter::once(&head).chain(&self.rows).map(|row| line(row, &widths, style, width)).collect()
    }

    fn widths(&self) -> Vec<usize> {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.text.chars().count());
            cells.chain([self.heads[column].chars().count()]).max().unwrap_or_default()
        };
        (0..self.heads.len()).map(width).collect()
    }
}

fn line(row: &[Cell], widths: &[usize], style: Style, width: Option<usize>) -> String {
    let mut line = String::new();
    let mut room = width.unwrap_or(usize::MAX);
    for (at, (cell, column)) in row.iter().zip(widths).enumerate() {
        let gap = if at == 0 { "" } else { GAP };
        let is_last = at + 1 == row.len();
        let padding = if is_last { 0 } else { column.saturating_sub(cell.text.chars().count()) };
        let gap = &gap[..gap.len().min(room)];
        room -= gap.len();
        let text = cut(&cell.text, room);
        room -= text.chars().count();
        let padding = padding.min(room);
        room -= padding;
        line.push_str(gap);
        line.push_str(&style.paint(&text, cell.tone));
        line.extend(std::iter::repeat_n(' ', padding));
    }
    line.truncate(line.trim_end().len());
    line
}

/// The text in so many characters, with a mark where it is longer.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    if width == 0 { kept } else { kept + "…" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["DEVICE", "STATE", "REASON"]);
        table.row(["default/a".into(), Cell::toned("online", Tone::Good), "".into()]);
        table.row(["b/ü".into(), "disconnected".into(), "no route to host".into()]);
        table
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        assert_eq!(
            table().lines(Style::plain(), None),
            ["DEVICE     STATE         REASON", "default/a  online", "b/ü        disconnected  no route to host"]
        );
    }

    #[test]
    fn a_line_is_cut_where_the_terminal_ends() {
        for width in 0..60 {
            let lines = table().lines(Style::plain(), Some(width));
            assert!(lines.iter().all(|line| line.chars().count() <= width), "{width}: {lines:?}");
        }
        assert_eq!(table().lines(Style::plain(), Some(30))[2], "b/ü        disconnected  no r…");
    }

    #[test]
    fn colours_do_not_count_as_width() {
        let lines = table().lines(Style::colours(), None);
        assert!(lines[1].starts_with("default/a  \u{1b}[32monline\u{1b}[0m"), "{lines:?}");
        assert_eq!(lines[2], "b/ü        disconnected  no route to host");
    }
}
