//! Where the statements and headers of a document stand in its text, and where new ones go.

use crate::config::keys::{self, Shape};
use crate::config::problem::BadValue;
use std::ops::Range;
use toml_edit::{InlineTable, Item, TableLike, Value};

/// The places of a document, in the order of the text.
#[derive(Debug)]
pub(super) struct Layout<'a> {
    /// The text.
    pub(super) text: &'a str,
    statements: Vec<Statement<'a>>,
    headers: Vec<Header<'a>>,
}

/// `key = value`.
#[derive(Debug)]
struct Statement<'a> {
    /// The whole path, with the header's.
    path: Vec<&'a str>,
    value: Range<usize>,
}

/// `[path]`.
#[derive(Debug)]
struct Header<'a> {
    path: Vec<&'a str>,
    span: Range<usize>,
}

impl<'a> Layout<'a> {
    /// The layout of a document that was read from `text`.
    pub(super) fn of(text: &'a str, document: &'a dyn TableLike) -> Self {
        let mut layout = Self { text, statements: Vec::new(), headers: Vec::new() };
        layout.visit(document, &[]);
        layout.statements.sort_by_key(|s| s.value.start);
        layout.headers.sort_by_key(|h| h.span.start);
        layout
    }

    fn visit(&mut self, table: &'a dyn TableLike, above: &[&'a str]) {
        for (name, item) in table.iter() {
            let path = [above, &[name]].concat();
            match (item, item.span()) {
                (Item::Value(_), Some(value)) => self.statements.push(Statement { path, value }),
                (Item::Table(table), span) => {
                    self.visit(table, &path);
                    if !table.is_implicit() && !table.is_dotted() {
                        self.headers.extend(span.map(|span| Header { path, span }));
                    }
                }
                _ => {}
            }
        }
    }

    /// The value that a path has.
    pub(super) fn value(&self, path: &[&str]) -> Result<Option<Value>, BadValue> {
        let Some(statement) = self.statement(path) else { return Ok(None) };
        let mut value = self.parsed(statement)?;
        for name in &path[statement.path.len()..] {
            match table_in(&mut value, statement)?.remove(name) {
                Some(inner) => value = inner,
                None => return Ok(None),
            }
        }
        Ok(Some(value))
    }

    /// Where the value of a path stands, if it is a statement of its own.
    pub(super) fn span(&self, path: &[&str]) -> Option<Range<usize>> {
        self.statements.iter().find(|s| s.path == path).map(|s| s.value.clone())
    }

    /// The text with `path = value` in it.
    pub(super) fn with(&self, path: &[&str], value: &Value) -> Result<String, BadValue> {
        let text = value.to_string();
        let Some(statement) = self.statement(path) else { return Ok(self.inserted(path, text.trim())) };
        let Some((last, above)) = path[statement.path.len()..].split_last() else {
            return Ok(self.spliced(statement.value.clone(), text.trim()));
        };
        let mut whole = self.parsed(statement)?;
        let mut table = table_in(&mut whole, statement)?;
        for name in above {
            table = table_in(table.get_or_insert(*name, InlineTable::new()), statement)?;
        }
        match table.get_mut(last) {
            Some(old) => {
                let spaces = old.decor().clone();
                *old = value.clone();
                *old.decor_mut() = spaces;
            }
            None => _ = table.insert(*last, value.clone()),
        }
        Ok(self.spliced(statement.value.clone(), whole.to_string().trim()))
    }

    /// The text without a path, or without all that stands below it. Comments stay.
    pub(super) fn without(&self, path: &[&str]) -> Result<String, BadValue> {
        if let Some(statement) = self.statement(path)
            && let Some((last, above)) = path[statement.path.len()..].split_last()
        {
            let mut whole = self.parsed(statement)?;
            let mut table = table_in(&mut whole, statement)?;
            for name in above {
                match table.get_mut(name) {
                    Some(inner) => table = table_in(inner, statement)?,
                    None => return Ok(self.text.to_owned()),
                }
            }
            return Ok(match table.remove(last) {
                Some(_) => self.spliced(statement.value.clone(), whole.to_string().trim()),
                None => self.text.to_owned(),
            });
        }
        let mut text = self.text.to_owned();
        for statement in self.statements.iter().rev().filter(|s| s.path.starts_with(path)) {
            let (start, end) = (self.line_start(statement), statement.value.end);
            let rest = &self.text[end..self.line_end(end)];
            if rest.trim_start().starts_with('#') {
                let spaces = rest.len() - rest.trim_start().len();
                text.replace_range(start + self.indent(statement).len()..end + spaces, "");
            } else {
                text.replace_range(start..self.line_end(end), "");
            }
        }
        Ok(text)
    }

    /// The statement of a path, or one with a table that the path leads into.
    fn statement(&self, path: &[&str]) -> Option<&Statement<'a>> {
        self.statements.iter().find(|s| path.starts_with(&s.path))
    }

    /// The value of a statement, to work on.
    fn parsed(&self, statement: &Statement<'_>) -> Result<Value, BadValue> {
        self.text[statement.value.clone()]
            .parse()
            .map_err(|e: toml_edit::TomlError| BadValue::new(e.message()))
    }

    /// The text with a new statement, beside those of its table.
    fn inserted(&self, path: &[&str], value: &str) -> String {
        let Some((name, parent)) = path.split_last() else { return self.text.to_owned() };
        let header = self.headers.iter().find(|h| h.path == parent);
        let newline = self.newline();
        if header.is_some() || parent.is_empty() {
            return match (self.last_below(header), header) {
                (Some(last), _) => {
                    self.line_after(last.value.end, &format!("{}{name} = {value}", self.indent(last)))
                }
                (None, Some(header)) => self.line_after(header.span.end, &format!("{name} = {value}")),
                (None, None) => self.paragraph(self.end_of(None), &format!("{name} = {value}{newline}")),
            };
        }
        // A table that is written with dots, `boot.user = …`, goes on like that.
        let dotted = self.statements.iter().rev().find_map(|statement| {
            let above = self.header_of(statement).map_or(&[][..], |h| &h.path);
            (statement.path.starts_with(parent) && above.len() < parent.len())
                .then_some((statement, above.len()))
        });
        if let Some((last, above)) = dotted {
            let line = format!("{}{} = {value}", self.indent(last), path[above..].join("."));
            return self.line_after(last.value.end, &line);
        }
        let rank = |path: &[&str]| tables().position(|table| table.split('.').eq(path.iter().copied()));
        let earlier = self.headers.iter().filter(|h| rank(&h.path).is_some() && rank(&h.path) < rank(parent));
        let after = earlier.max_by_key(|h| rank(&h.path));
        let block = format!("[{}]{newline}{name} = {value}{newline}", parent.join("."));
        self.paragraph(self.end_of(after), &block)
    }

    /// The last header before a statement.
    fn header_of(&self, statement: &Statement<'_>) -> Option<&Header<'a>> {
        self.headers.iter().rev().find(|h| h.span.start < statement.value.start)
    }

    /// The last statement below a header, or before the first one.
    fn last_below(&self, header: Option<&Header<'_>>) -> Option<&Statement<'a>> {
        let start = header.map(|h| h.span.start);
        self.statements.iter().rev().find(|s| self.header_of(s).map(|h| h.span.start) == start)
    }

    /// Where a header's statements end, with the comments that follow as a paragraph of
    /// their own; those that stand right above the next header belong to that.
    fn end_of(&self, header: Option<&Header<'_>>) -> usize {
        let last = self.last_below(header).map(|s| s.value.end).or_else(|| header.map(|h| h.span.end));
        let start = last.map_or_else(
            || if self.text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 },
            |end| self.line_end(end),
        );
        let mut end = start;
        for line in self.text[start..].split_inclusive('\n') {
            match line.trim_start() {
                comment if comment.starts_with('#') => end += line.len(),
                "" => return end,
                _ => return start,
            }
        }
        end
    }

    /// The text with a line after the one in which `offset` stands.
    fn line_after(&self, offset: usize, line: &str) -> String {
        let at = self.line_end(offset);
        let (before, newline) = (self.missing_newline(at), self.newline());
        self.spliced(at..at, &format!("{before}{line}{newline}"))
    }

    /// The text with a block of lines at `offset`, and a blank line before and after it.
    fn paragraph(&self, offset: usize, block: &str) -> String {
        let (before, after) = self.text.split_at(offset);
        let newline = self.newline();
        let blank_before = !before.trim_start_matches('\u{feff}').is_empty() && !before.ends_with("\n\n");
        let blank_after = !after.is_empty() && !after.starts_with(['\n', '\r']);
        let [above, below] = [blank_before, blank_after].map(|blank| if blank { newline } else { "" });
        self.spliced(offset..offset, &format!("{}{above}{block}{below}", self.missing_newline(offset)))
    }

    /// A line break, if the text before `offset` ends without one.
    fn missing_newline(&self, offset: usize) -> &'static str {
        let before = self.text[..offset].trim_start_matches('\u{feff}');
        if before.is_empty() || before.ends_with('\n') { "" } else { self.newline() }
    }

    /// How lines end in the text.
    fn newline(&self) -> &'static str {
        if self.text.contains("\r\n") { "\r\n" } else { "\n" }
    }

    /// Where the line of `offset` ends, after its line break.
    fn line_end(&self, offset: usize) -> usize {
        self.text[offset..].find('\n').map_or(self.text.len(), |newline| offset + newline + 1)
    }

    /// Where the line of a statement begins. A key never spans lines, so that the `=` before
    /// the value is on it.
    fn line_start(&self, statement: &Statement<'_>) -> usize {
        let before = &self.text[..statement.value.start];
        before
            .rfind('\n')
            .map_or_else(|| before.len() - before.trim_start_matches('\u{feff}').len(), |n| n + 1)
    }

    /// The white space before a statement.
    fn indent(&self, statement: &Statement<'_>) -> &'a str {
        let line = &self.text[self.line_start(statement)..];
        &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
    }

    /// The text with another in the place of a part of it.
    fn spliced(&self, part: Range<usize>, new: &str) -> String {
        [&self.text[..part.start], new, &self.text[part.end..]].concat()
    }
}

/// The headers that a file may have, in the order of the table of keys.
fn tables() -> impl Iterator<Item = &'static str> {
    let of = |section: &'static keys::Section| {
        section.keys.iter().filter(|key| matches!(key.shape, Shape::Table { .. })).map(|key| key.path)
    };
    let (first, rest) = keys::SECTIONS.split_at(1);
    rest.iter()
        .flat_map(move |section| std::iter::once(section.name).chain(of(section)))
        .chain(first.iter().flat_map(of))
}

/// A value that has to be a table.
fn table_in<'v>(value: &'v mut Value, statement: &Statement<'_>) -> Result<&'v mut InlineTable, BadValue> {
    let path = statement.path.join(".");
    value.as_inline_table_mut().ok_or_else(|| BadValue::new(format!("{path} is no table in the file")))
}
