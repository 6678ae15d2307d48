//! Tables for people.

use super::style::Style;
use super::text::{harmless, truncate, width};
use std::io::{self, IsTerminal, Write};

/// The narrowest that a column is cut to.
const NARROWEST: usize = 8;
/// The blanks between two columns.
const GAP: usize = 2;

/// Which side of its column a cell leans to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// How a cell is marked, if anything is.
pub(crate) type Mark = fn(Style, &str) -> String;

/// Rows below headings.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<(&'static str, Side)>,
    rows: Vec<Vec<Cell>>,
}

#[derive(Debug)]
struct Cell {
    text: String,
    mark: Option<Mark>,
}

impl Table {
    /// An empty table with these columns.
    pub(crate) fn new(columns: &[(&'static str, Side)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// One more row. Cells are made [`harmless`]; those that are missing stay empty.
    pub(crate) fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        let cell = |text: T| Cell { text: harmless(text.as_ref()).into_owned(), mark: None };
        self.rows.push(cells.into_iter().take(self.columns.len()).map(cell).collect());
    }

    /// Marks a cell of the last row, counted from 0.
    pub(crate) fn mark(&mut self, column: usize, mark: Mark) {
        if let Some(cell) = self.rows.last_mut().and_then(|row| row.get_mut(column)) {
            cell.mark = Some(mark);
        }
    }

    /// Prints it on standard output: cut to the width of a terminal, whole anywhere else.
    pub(crate) fn print(&self, style: Style) -> io::Result<()> {
        super::print(|out| self.write(out, style, terminal_width()))
    }

    /// Writes it, cut to `room` columns if that is given.
    fn write(&self, out: &mut dyn Write, style: Style, room: Option<usize>) -> io::Result<()> {
        let widths = self.widths(room);
        let headings = self.columns.iter().map(|(heading, _)| (*heading, Some(Style::bold as Mark)));
        self.write_row(out, style, &widths, headings)?;
        for row in &self.rows {
            let cells = row.iter().map(|cell| (cell.text.as_str(), cell.mark));
            self.write_row(out, style, &widths, cells)?;
        }
        Ok(())
    }

    fn write_row<'a>(
        &self,
        out: &mut dyn Write,
        style: Style,
        widths: &[usize],
        cells: impl Iterator<Item = (&'a str, Option<Mark>)>,
    ) -> io::Result<()> {
        let mut line = String::new();
        // Blanks are owed until something follows them, so that no line ends in some.
        let mut owed = 0;
        for (((text, mark), (_, side)), room) in cells.zip(&self.columns).zip(widths) {
            let text = truncate(text, *room);
            let padding = room.saturating_sub(width(&text));
            let (before, after) = if *side == Side::Right { (padding, 0) } else { (0, padding) };
            if !text.is_empty() {
                line.extend(std::iter::repeat_n(' ', owed + before));
                line.push_str(&mark.map_or_else(|| text.to_string(), |mark| mark(style, &text)));
                owed = after + GAP;
            } else {
                owed += room + GAP;
            }
        }
        line.push('\n');
        out.write_all(line.as_bytes())
    }

    /// The width of each column. If all together are wider than `room`, the widest column
    /// of text gives way until they fit or none can.
    fn widths(&self, room: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<usize> = self.columns.iter().map(|(heading, _)| width(heading)).collect();
        for row in &self.rows {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = (*widest).max(width(&cell.text));
            }
        }
        let Some(room) = room else { return widths };
        let gaps = GAP * widths.len().saturating_sub(1);
        let mut excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(room);
        while excess > 0 {
            let texts = widths.iter_mut().zip(&self.columns).filter(|(_, column)| column.1 == Side::Left);
            let Some((widest, _)) =
                texts.filter(|(width, _)| **width > NARROWEST).max_by_key(|(width, _)| **width)
            else {
                break;
            };
            *widest -= 1;
            excess -= 1;
        }
        widths
    }
}

/// How many columns standard output has, if it is a terminal.
fn terminal_width() -> Option<usize> {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(&stdout).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::new(&[("NAME", Side::Left), ("PID", Side::Right), ("COMMAND", Side::Left)]);
        table.row(["www", "812", "nginx -g 'daemon off;' and a long tail"]);
        table.row(["字", "3", "\x1b[2Jsh"]);
        table.row(["db", "", ""]);
        table
    }

    fn written(table: &Table, room: Option<usize>) -> String {
        let mut out = Vec::new();
        table.write(&mut out, Style::PLAIN, room).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_stand_below_each_other() {
        let expected = "\
NAME  PID  COMMAND
www   812  nginx -g 'daemon off;' and a long tail
字      3  \\x1b[2Jsh
db
";
        assert_eq!(written(&sample(), None), expected);
    }

    #[test]
    fn the_widest_text_gives_way_and_numbers_never() {
        let text = written(&sample(), Some(30));
        assert!(text.contains("www   812  nginx -g 'daemon o…\n"), "{text}");
        assert!(text.lines().all(|line| width(line) <= 30));
        assert!(written(&sample(), Some(1)).contains("812  nginx -…\n"));
    }

    #[test]
    fn marks_do_not_count() {
        let mut table = sample();
        table.mark(0, Style::green);
        let mut out = Vec::new();
        table.write(&mut out, Style::of(crate::command::When::Always, &io::stdout()), None).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("\x1b[32mdb\x1b[0m\n"), "{text:?}");
        assert!(text.contains("\x1b[1mNAME\x1b[0m  \x1b[1mPID"), "{text:?}");
    }
}
