//! `jaula help`, as text for a terminal.

use crate::output::style::Style;
use crate::output::text::width;
use crate::table::options::GLOBAL;
use crate::table::{Group, Opt, ROOT, Verb, Words};
use std::fmt::Write;

/// How wide lines are. Wider ones read badly, and narrower terminals are rare.
const WIDTH: usize = 88;
/// Where the second column of a list begins.
const COLUMN: usize = 26;

/// What `jaula help` prints about this verb; the overview for [`ROOT`].
pub(crate) fn help(verb: &Verb, style: Style) -> String {
    let mut page = Page { text: String::new(), style };
    if verb.name == ROOT.name {
        page.overview()
    } else {
        page.verb(verb)
    }
    page.text
}

struct Page {
    text: String,
    style: Style,
}

impl Page {
    fn overview(&mut self) {
        self.line(&format!("{}: {}", ROOT.name, ROOT.summary));
        self.heading("Usage");
        self.line(&format!("  {}", ROOT.usage()));
        for (group, heading) in Group::SHOWN {
            self.heading(heading);
            for verb in ROOT.members().iter().filter(|verb| verb.group == group) {
                self.item(verb.name, verb.summary);
            }
        }
        self.examples(&ROOT);
        self.heading("Options of every verb");
        GLOBAL.iter().for_each(|option| self.option(option));
        self.heading("Exit status");
        self.exits(&ROOT);
        self.heading("Environment");
        for (name, meaning) in super::ENVIRONMENT {
            self.item(name, meaning);
        }
        self.text.push('\n');
        self.line("`jaula help VERB` explains a verb, `jaula config keys` lists what a jail can be told.");
    }

    fn verb(&mut self, verb: &Verb) {
        self.line(&format!("{}: {}", verb.command_line(), verb.summary));
        self.heading("Usage");
        self.line(&format!("  {}", verb.usage()));
        self.text.push('\n');
        for (i, paragraph) in verb.about.split("\n\n").enumerate() {
            if i > 0 {
                self.text.push('\n');
            }
            wrap(paragraph, WIDTH).iter().for_each(|line| self.line(line));
        }
        if !verb.members().is_empty() {
            self.heading("Verbs");
            for member in verb.members().iter().filter(|member| member.is_shown()) {
                self.item(member.name, member.summary);
            }
        }
        if !verb.operands.is_empty() {
            self.heading("Arguments");
            verb.operands.iter().for_each(|operand| self.item(operand.name, operand.help));
        }
        self.heading("Options");
        verb.all_options().for_each(|option| self.option(option));
        self.examples(verb);
        if !verb.exits.is_empty() {
            self.heading("Exit status");
            self.exits(verb);
        }
        if !verb.see.is_empty() {
            self.heading("See also");
            let see: Vec<_> = verb.see.iter().map(|name| format!("`jaula help {name}`")).collect();
            wrap(&see.join(", "), WIDTH - 2).iter().for_each(|line| self.line(&format!("  {line}")));
        }
    }

    fn option(&mut self, option: &Opt) {
        self.item(&left(option), option.help);
    }

    fn examples(&mut self, verb: &Verb) {
        if !verb.examples.is_empty() {
            self.heading("Examples");
        }
        for (command, meaning) in verb.examples {
            // A comment, so that the line can be pasted with it, if both fit.
            let one = format!("  `{command}`  # {meaning}");
            if width(&one) - 2 <= WIDTH {
                self.line(&one);
            } else {
                self.line(&format!("  # {meaning}"));
                self.line(&format!("  `{command}`"));
            }
        }
    }

    fn exits(&mut self, verb: &Verb) {
        for exit in verb.exits {
            self.item(exit.status, exit.meaning);
        }
    }

    fn heading(&mut self, heading: &str) {
        let _ = write!(self.text, "\n{}\n", self.style.bold(&format!("{heading}:")));
    }

    /// A term, and what it means in the second column.
    fn item(&mut self, term: &str, meaning: &str) {
        let mut left = format!("  {}", self.style.bold(term));
        let mut used = 2 + width(term);
        if used + 2 > COLUMN {
            self.text.push_str(&left);
            self.text.push('\n');
            (left, used) = (String::new(), 0);
        }
        for line in wrap(meaning, WIDTH - COLUMN) {
            self.text.push_str(&left);
            self.text.push_str(&" ".repeat(COLUMN - used));
            self.line(&line);
            (left, used) = (String::new(), 0);
        }
    }

    /// One line, in which what stands between backquotes is typed literally.
    fn line(&mut self, line: &str) {
        for (i, piece) in line.split('`').enumerate() {
            if i % 2 == 1 { self.text.push_str(&self.style.bold(piece)) } else { self.text.push_str(piece) }
        }
        self.text.push('\n');
    }
}

/// An option as lists have it: `-f, --follow`, `    --root SPEC`.
fn left(option: &Opt) -> String {
    let letter = option.short.map_or_else(|| "    ".to_owned(), |letter| format!("-{letter}, "));
    let value = match (option.value_words(), option.value_name()) {
        (Some(Words::OneOf(words)), Some(name)) if words.join("|").len() > 14 => format!(" {name}"),
        (Some(Words::OneOf(words)), _) => format!(" {}", words.join("|")),
        (_, Some(name)) => format!(" {name}"),
        _ => String::new(),
    };
    format!("{letter}--{}{value}", option.long)
}

/// The text in lines of at most `room` columns, backquotes not counted. A literal that is cut
/// is closed at the end of its line and opened again on the next.
fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![String::new()];
    let (mut used, mut is_literal) = (0, false);
    for word in text.split_whitespace() {
        let quotes = word.matches('`').count();
        let columns = width(word) - quotes;
        if used > 0 && used + 1 + columns > room {
            let open = if is_literal { "`" } else { "" };
            lines.last_mut().into_iter().for_each(|line| line.push_str(open));
            lines.push(open.to_owned());
            used = 0;
        }
        if let Some(line) = lines.last_mut() {
            if used > 0 {
                line.push(' ');
            }
            line.push_str(word);
        }
        used += columns + usize::from(used > 0);
        is_literal ^= quotes % 2 == 1;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_verbs(verb: &'static Verb) -> Vec<&'static Verb> {
        std::iter::once(verb).chain(verb.members().iter().flat_map(|member| all_verbs(member))).collect()
    }

    #[test]
    fn every_page_fits_and_names_its_options() {
        for verb in all_verbs(&ROOT) {
            let page = help(verb, Style::PLAIN);
            for line in page.lines() {
                assert!(width(line) <= 100, "{}: {line}", verb.name);
                assert_eq!(line, line.trim_end(), "{}", verb.name);
                assert!(!line.contains('`'), "{}: {line}", verb.name);
            }
            for option in verb.all_options() {
                assert!(page.contains(&format!("--{}", option.long)), "{} {}", verb.name, option.long);
            }
            for exit in verb.exits {
                assert!(page.contains(exit.status), "{} {}", verb.name, exit.status);
            }
        }
    }

    #[test]
    fn the_overview_names_every_verb_for_people() {
        let page = help(&ROOT, Style::PLAIN);
        for verb in ROOT.members() {
            assert_eq!(page.contains(verb.summary), verb.is_shown(), "{}", verb.name);
        }
    }

    #[test]
    fn wrapping() {
        assert_eq!(wrap("aa bb cc", 5), ["aa bb", "cc"]);
        assert_eq!(wrap("aa `bb cc` dd", 5), ["aa `bb`", "`cc` dd"]);
        assert_eq!(wrap("", 5), [""]);
        assert_eq!(wrap("toolong x", 3), ["toolong", "x"]);
    }
}
