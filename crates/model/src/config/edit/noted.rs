//! Lists with a member a line, each with a comment behind it, in groups below headings; and
//! members that are commented out.
//!
//! ```toml
//! files = [
//!   # configuration
//!   "/etc/nginx",  # 12 files read by /usr/sbin/nginx
//!   # "/etc/ssl/private/site.key",  # a private key
//! ]
//! ```
//!
//! Lines are put between those that are there; all else stays as it is, byte for byte.

use super::layout::Layout;
use super::{Operation, Setting, apply};
use crate::config::problem::{Found, Problems};
use crate::config::read;
use std::ops::Range;
use toml_edit::{Array, Value};

/// A line to be put into a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// The member.
    pub(crate) value: String,
    /// The comment behind it; may be empty.
    pub(crate) comment: String,
    /// Does it count, or is it commented out?
    pub(crate) counts: bool,
}

/// A member of a list as it stands in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// What it says.
    pub(crate) value: String,
    /// Does it count, or is it commented out?
    pub(crate) counts: bool,
    /// The comment behind it on its line.
    pub(crate) comment: String,
    /// Its place, without the comment.
    place: Range<usize>,
}

/// A list in a text.
#[derive(Debug)]
struct List {
    /// With its brackets.
    span: Range<usize>,
    members: Vec<Member>,
    /// Comments on lines of their own that are no members: what they say, and where.
    remarks: Vec<(String, Range<usize>)>,
    /// Does a comma follow the last member that counts?
    is_closed: bool,
}

/// The members of a list, those that are commented out among them; none if there is no list.
pub(crate) fn members(text: &str, path: &str) -> Vec<Member> {
    find(text, path).ok().flatten().map(|list| list.members).unwrap_or_default()
}

/// The text with more lines in a list, at the end of their group. A group that is not there comes
/// before the first of `after` that is, or else last.
pub(crate) fn with(
    text: &str,
    path: &str,
    heading: &str,
    after: &[&str],
    lines: &[Line],
) -> Result<String, Problems> {
    let mut text = with_list(text, path)?;
    let Some(list) = find(&text, path)? else {
        // A list inside `root = { … }` has no lines; its members have no comments then.
        let counting = lines.iter().filter(|line| line.counts);
        let settings: Vec<Setting> = counting.map(|line| Setting::added(path, &line.value)).collect();
        return apply(&text, &settings);
    };
    if let Some(last) = list.members.iter().rfind(|member| member.counts).filter(|_| !list.is_closed) {
        text.insert(last.place.end, ',');
    }
    let Some(list) = find(&text, path)? else { return Ok(text) };
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let remark = |heading: &str| list.remarks.iter().find(|(said, _)| said == heading).map(|(_, at)| at);
    let (mut at, mut block) = (list.end(&text), String::new());
    match remark(heading) {
        Some(start) => at = list.group_end(&text, start.end, after),
        None => {
            if let Some(next) = after.iter().filter_map(|heading| remark(heading)).min_by_key(|at| at.start) {
                at = line_start(&text, next.start);
            }
            block = format!("  # {heading}{newline}");
        }
    }
    for line in lines {
        let mark = if line.counts { "" } else { "# " };
        let comment =
            if line.comment.is_empty() { String::new() } else { format!("  # {}", plain(&line.comment)) };
        block.push_str(&format!("  {mark}{},{comment}{newline}", quoted(&line.value)));
    }
    if !text[..at].ends_with('\n') {
        block.insert_str(0, newline);
    }
    text.insert_str(at, &block);
    Ok(text)
}

/// The text with a comment behind a value.
pub(crate) fn remarked(text: &str, path: &str, comment: &str) -> Result<String, Problems> {
    let document = document(text)?;
    let parts: Vec<&str> = path.split('.').collect();
    let Some(span) = Layout::of(text, document.as_table()).span(&parts) else { return Ok(text.to_owned()) };
    let mut new = text.to_owned();
    new.insert_str(span.end, &format!("  # {}", plain(comment)));
    Ok(new)
}

/// The text with an empty list, if there is none yet.
fn with_list(text: &str, path: &str) -> Result<String, Problems> {
    let document = document(text)?;
    let layout = Layout::of(text, document.as_table());
    let parts: Vec<&str> = path.split('.').collect();
    if layout.value(&parts).is_ok_and(|value| value.is_some()) {
        return Ok(text.to_owned());
    }
    layout
        .with(&parts, &Array::new().into())
        .or_else(|bad| Found::new(text).fail(None, bad.message, bad.help))
}

fn document(text: &str) -> Result<toml_edit::Document<&str>, Problems> {
    read::document(text).or_else(|(offset, message)| Found::new(text).fail(offset, message, None))
}

/// Finds a list that is written as one statement.
fn find(text: &str, path: &str) -> Result<Option<List>, Problems> {
    let document = document(text)?;
    let parts: Vec<&str> = path.split('.').collect();
    let Some(span) = Layout::of(text, document.as_table()).span(&parts) else { return Ok(None) };
    let item = parts.iter().try_fold(document.as_item(), |item, part| item.get(part));
    let Some(array) = item.and_then(|item| item.as_array()) else { return Ok(None) };
    let mut list = List { span: span.clone(), members: Vec::new(), remarks: Vec::new(), is_closed: false };
    let mut gap = span.start + 1;
    for value in array {
        let Some(place) = value.span() else { return Ok(None) };
        list.read_gap(text, gap..place.start);
        gap = place.end;
        list.members.push(Member {
            value: value.as_str().unwrap_or_default().to_owned(),
            counts: true,
            comment: String::new(),
            place,
        });
        list.is_closed = false;
    }
    list.read_gap(text, gap..span.end.saturating_sub(1));
    Ok(Some(list))
}

impl List {
    /// Reads what stands between two members: commas, white space and comments.
    fn read_gap(&mut self, text: &str, gap: Range<usize>) {
        let mut at = gap.start;
        while at < gap.end {
            match text.as_bytes()[at] {
                b'#' => {
                    let end = text[at..gap.end].find('\n').map_or(gap.end, |newline| at + newline);
                    self.comment(text, at..end);
                    at = end;
                }
                b',' => {
                    self.is_closed = true;
                    at += 1;
                }
                _ => at += 1,
            }
        }
    }

    /// Reads a comment: the one behind a member, a member that is commented out, or a remark.
    fn comment(&mut self, text: &str, place: Range<usize>) {
        let said = text[place.clone()].trim_start_matches('#').trim();
        let behind = &text[line_start(text, place.start)..place.start];
        if !behind.trim().is_empty() {
            if let Some(last) = self.members.last_mut() {
                said.clone_into(&mut last.comment);
            }
            return;
        }
        match first_text(said) {
            Some((value, rest)) => {
                let comment = rest.trim_start_matches([',', ' ', '\t', '#']).to_owned();
                self.members.push(Member { value, counts: false, comment, place });
            }
            None => self.remarks.push((said.to_owned(), place)),
        }
    }

    /// Where the lines of a group end that has its heading before an offset.
    fn group_end(&self, text: &str, heading: usize, after: &[&str]) -> usize {
        let next =
            self.remarks.iter().filter(|(said, at)| at.start > heading && after.contains(&said.as_str()));
        let next = next.map(|(_, at)| at.start).min().unwrap_or(self.span.end);
        let places = self.members.iter().map(|m| &m.place).chain(self.remarks.iter().map(|(_, at)| at));
        let last = places.filter(|at| at.start < next).map(|at| at.end).max().unwrap_or(heading);
        self.cut(line_end(text, last))
    }

    /// Where a line after all others goes: before the bracket, or the line that it begins.
    fn end(&self, text: &str) -> usize {
        let bracket = self.span.end - 1;
        let start = line_start(text, bracket);
        self.cut(if text[start..bracket].trim().is_empty() { start } else { bracket })
    }

    /// The offset, but not outside of the list.
    fn cut(&self, offset: usize) -> usize {
        offset.clamp(self.span.start + 1, self.span.end - 1)
    }
}

impl Setting {
    /// One more member of a list, whatever characters it has.
    fn added(path: &str, member: &str) -> Self {
        Self { key: path.to_owned(), operation: Operation::Add, value: format!("[{}]", quoted(member)) }
    }
}

/// The text in quotes that a comment begins with, and what follows it.
fn first_text(said: &str) -> Option<(String, &str)> {
    let quote = said.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let mut is_escaped = false;
    let end = said.char_indices().skip(1).find_map(|(at, c)| {
        let ends = c == quote && !is_escaped;
        is_escaped = c == '\\' && quote == '"' && !is_escaped;
        ends.then_some(at + 1)
    })?;
    match said[..end].parse() {
        Ok(Value::String(text)) => Some((text.into_value(), &said[end..])),
        _ => None,
    }
}

/// A text as a basic string of TOML, on one line whatever it holds.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A comment that stays one: what a traced program is called may hold a line break.
fn plain(comment: &str) -> String {
    comment.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn line_start(text: &str, offset: usize) -> usize {
    text[..offset].rfind('\n').map_or(0, |newline| newline + 1)
}

fn line_end(text: &str, offset: usize) -> usize {
    text[offset..].find('\n').map_or(text.len(), |newline| offset + newline + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Line {
        Line { value: "/new".to_owned(), comment: "why".to_owned(), counts: true }
    }

    fn files(list: &str) -> String {
        format!("[root]\nfrom = \"app:x\"\nfiles = {list}\nwrites = \"refused\"\n")
    }

    #[test]
    fn lines_go_where_they_belong() {
        let line_text = "  \"/new\",  # why\n";
        for (list, result) in [
            ("[]", format!("[\n  # b\n{line_text}]")),
            ("[\"/x\"]", format!("[\"/x\",\n  # b\n{line_text}]")),
            ("[\"/x\", ]", format!("[\"/x\", \n  # b\n{line_text}]")),
            ("[\n  \"/x\"\n]", format!("[\n  \"/x\",\n  # b\n{line_text}]")),
            ("[\n  \"/x\" # own\n]", format!("[\n  \"/x\", # own\n  # b\n{line_text}]")),
            ("[\n  # b\n  \"/x\", # b\n]", format!("[\n  # b\n  \"/x\", # b\n{line_text}]")),
            (
                "[\n  # a\n  \"/x\",\n  # c\n  \"/y\",\n]",
                format!("[\n  # a\n  \"/x\",\n  # b\n{line_text}  # c\n  \"/y\",\n]"),
            ),
            ("[\n # b\n '/x',\n # own\n # c\n]", format!("[\n # b\n '/x',\n # own\n{line_text} # c\n]")),
            ("[\n  # b\n  # \"/x\",  # y\n]", format!("[\n  # b\n  # \"/x\",  # y\n{line_text}]")),
            ("[ # b\n]", format!("[ # b\n  # b\n{line_text}]")),
        ] {
            let new = with(&files(list), "root.files", "b", &["c", "d"], &[line()]).unwrap();
            assert_eq!(new, files(&result), "{list}");
            crate::config::Config::parse(&new).unwrap();
        }
        let fresh = with("", "root.files", "b", &[], &[line()]).unwrap();
        assert_eq!(fresh, format!("[root]\nfiles = [\n  # b\n{line_text}]\n"));
    }

    #[test]
    fn members_that_count_and_others() {
        let list = "[ '/a', # \"no\"\n # \"/b\\u0041\",  # why\n  # remark\n \"/c\", #'/d' not\n  #'/e' x\n]";
        let all = members(&files(list), "root.files");
        let all: Vec<_> = all.iter().map(|m| (m.value.as_str(), m.counts, m.comment.as_str())).collect();
        assert_eq!(
            all,
            [("/a", true, "\"no\""), ("/bA", false, "why"), ("/c", true, "'/d' not"), ("/e", false, "x")]
        );
        assert!(members("not toml", "root.files").is_empty());
        assert!(members("[root]\nfiles = 5\n", "root.files").is_empty());
    }

    #[test]
    fn what_is_written_is_what_was_meant() {
        let odd = "/a\"\\\n\u{7f}é #";
        let line = Line { value: odd.to_owned(), comment: "x\ny".to_owned(), counts: false };
        let text = with(&files("[]"), "root.files", "b", &[], &[line]).unwrap();
        let all = members(&text, "root.files");
        assert_eq!((all[0].value.as_str(), all[0].comment.as_str(), all[0].counts), (odd, "x?y", false));
    }
}
