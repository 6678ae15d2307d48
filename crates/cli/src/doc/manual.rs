//! Manual pages, in the macros of man(7).

use crate::table::options::GLOBAL;
use crate::table::{Group, Opt, ROOT, Verb};
use std::fmt::Write;

/// When the texts last changed; pages must come out the same on every machine and day.
const DATE: &str = "2026-11-22";
/// How long a line of roff may be.
const LINE: usize = 78;

/// All pages: file name and text.
pub(crate) fn pages() -> Vec<(String, String)> {
    shown(&ROOT).iter().map(|verb| (format!("{}.1", title(verb)), page(verb))).collect()
}

/// This verb and all behind it that are for people.
fn shown(verb: &'static Verb) -> Vec<&'static Verb> {
    let members = verb.members().iter().filter(|member| member.is_shown());
    std::iter::once(verb).chain(members.flat_map(|member| shown(member))).collect()
}

/// The name of a verb's page: `jaula-config-show`.
fn title(verb: &Verb) -> String {
    verb.command_line().replace(' ', "-")
}

/// The page of one verb.
fn page(verb: &'static Verb) -> String {
    let mut page = Page(String::new());
    let title = title(verb);
    let version = env!("CARGO_PKG_VERSION");
    page.raw(&format!(".TH {} 1 {DATE} \"jaula {version}\" \"Manual of jaula\"", title.to_uppercase()));
    // No hyphens in words that are typed.
    page.raw(".nh");
    page.raw(".SH NAME");
    page.raw(&format!("{} \\- {}", escape(&title), escape(verb.summary)));
    page.raw(".SH SYNOPSIS");
    page.synopsis(verb);
    page.raw(".SH DESCRIPTION");
    page.paragraphs(verb.about);
    let is_root = verb.name == ROOT.name;
    if is_root {
        for (group, heading) in Group::SHOWN {
            page.raw(&format!(".SS {heading}"));
            ROOT.members().iter().filter(|verb| verb.group == group).for_each(|verb| page.reference(verb));
        }
    } else if !verb.members().is_empty() {
        page.raw(".SS Verbs");
        verb.members().iter().filter(|member| member.is_shown()).for_each(|verb| page.reference(verb));
    }
    if !verb.operands.is_empty() {
        page.raw(".SH ARGUMENTS");
        verb.operands.iter().for_each(|operand| page.item(&italic(operand.name), operand.help));
    }
    if is_root || !verb.options.is_empty() {
        page.raw(".SH OPTIONS");
        let options = if is_root { GLOBAL } else { verb.options };
        options.iter().for_each(|option| page.item(&left(option), option.help));
    }
    if !is_root {
        page.raw(if verb.options.is_empty() { ".SH OPTIONS" } else { ".PP" });
        page.text("The options of every verb are described in `jaula`(1).");
    }
    if !verb.exits.is_empty() {
        page.raw(".SH EXIT STATUS");
        verb.exits.iter().for_each(|exit| page.item(&bold(exit.status), exit.meaning));
    }
    if is_root {
        page.raw(".SH ENVIRONMENT");
        super::ENVIRONMENT.iter().for_each(|(name, meaning)| page.item(&bold(name), meaning));
        page.raw(".SH FILES");
        super::FILES.iter().for_each(|(path, meaning)| page.item(&italic(path), meaning));
    }
    if !verb.examples.is_empty() {
        page.raw(".SH EXAMPLES");
        verb.examples.iter().for_each(|(command, meaning)| page.example(command, meaning));
    }
    page.see_also(verb);
    page.0
}

struct Page(String);

impl Page {
    /// A line of roff.
    fn raw(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    /// Text with literals between backquotes, in short lines with each sentence on its own, as
    /// roff sources have it.
    fn text(&mut self, text: &str) {
        let mut line = String::new();
        for word in marked(text).split(' ') {
            let is_full = line.len() + 1 + word.len() > LINE || line.ends_with(['.', ':', ';']);
            if is_full && !line.is_empty() {
                self.line(&std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.line(&line);
    }

    /// A line of text, which is no request even if it begins like one.
    fn line(&mut self, line: &str) {
        let guard = if line.starts_with(['.', '\'']) { "\\&" } else { "" };
        self.raw(&format!("{guard}{line}"));
    }

    fn paragraphs(&mut self, text: &str) {
        for (i, paragraph) in text.split("\n\n").enumerate() {
            if i > 0 {
                self.raw(".PP");
            }
            self.text(paragraph);
        }
    }

    fn synopsis(&mut self, verb: &Verb) {
        let name = verb.command_line();
        let usage = verb.usage();
        let line = bold(&name) + &metavariables(usage.strip_prefix(&name).unwrap_or_default());
        self.raw(&line);
    }

    /// A term and what it means.
    fn item(&mut self, term: &str, meaning: &str) {
        self.raw(".TP");
        self.raw(term);
        self.text(meaning);
    }

    /// A verb with its summary, as an item.
    fn reference(&mut self, verb: &Verb) {
        self.item(&format!("{}(1)", bold(&title(verb))), &format!("{}.", verb.summary));
    }

    fn example(&mut self, command: &str, meaning: &str) {
        self.raw(".TP");
        self.raw(&bold(command));
        let mut letters = meaning.chars();
        let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
        self.text(&format!("{first}{}.", letters.as_str()));
    }

    fn see_also(&mut self, verb: &Verb) {
        let others = verb.see.iter().map(|name| format!("jaula-{}", name.replace(' ', "-")));
        let mut pages: Vec<String> = if verb.name == ROOT.name {
            ["namespaces", "capabilities", "cgroups"].map(str::to_owned).to_vec()
        } else {
            std::iter::once("jaula".to_owned()).chain(others).collect()
        };
        pages.sort();
        let section = if verb.name == ROOT.name { 7 } else { 1 };
        let pages: Vec<_> = pages.iter().map(|page| format!("{}({section})", bold(page))).collect();
        self.raw(".SH SEE ALSO");
        self.raw(&pages.join(",\n"));
    }
}

/// An option as lists have it: `-f, --follow`, `--root SPEC`.
fn left(option: &Opt) -> String {
    let mut line = String::new();
    if let Some(letter) = option.short {
        let _ = write!(line, "{}, ", bold(&format!("-{letter}")));
    }
    line.push_str(&bold(&format!("--{}", option.long)));
    if let Some(name) = option.value_name() {
        line.push(' ');
        line.push_str(&italic(name));
    }
    line
}

/// A usage line with its words in capitals in italics and its options in bold.
fn metavariables(usage: &str) -> String {
    let mut line = String::new();
    let mut word = String::new();
    let flush = |word: &mut String, line: &mut String| {
        let is_variable = word.chars().any(|c| c.is_ascii_uppercase());
        let font: fn(&str) -> String = match () {
            () if is_variable => italic,
            () if word.starts_with("--") => bold,
            () => escape,
        };
        line.push_str(&if word.is_empty() { String::new() } else { font(word) });
        word.clear();
    };
    for c in usage.chars() {
        if c.is_ascii_alphanumeric() || c == '-' {
            word.push(c);
            continue;
        }
        flush(&mut word, &mut line);
        line.push_str(&escape(&c.to_string()));
    }
    flush(&mut word, &mut line);
    line
}

/// The text with what stands between backquotes in bold.
fn marked(text: &str) -> String {
    let piece = |(i, piece)| if i % 2 == 1 { bold(piece) } else { escape(piece) };
    text.split('`').enumerate().map(piece).collect()
}

fn bold(text: &str) -> String {
    format!("\\fB{}\\fR", escape(text))
}

fn italic(text: &str) -> String {
    format!("\\fI{}\\fR", escape(text))
}

/// The text as roff prints it: hyphens that can be copied, and in ASCII only.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\e"),
            '-' => out.push_str("\\-"),
            '\'' => out.push_str("\\(aq"),
            '^' => out.push_str("\\(ha"),
            '~' => out.push_str("\\(ti"),
            '…' => out.push_str("\\|.\\|.\\|."),
            c if c.is_ascii() => out.push(c),
            c => {
                let _ = write!(out, "\\[u{:04X}]", u32::from(c));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_for_people_has_a_page() {
        let names: Vec<_> = pages().into_iter().map(|(name, _)| name).collect();
        for name in ["jaula.1", "jaula-run.1", "jaula-config.1", "jaula-config-show.1"] {
            assert!(names.iter().any(|n| n == name), "{name}");
        }
        assert!(!names.iter().any(|name| name.contains("complete-names")));
    }

    #[test]
    fn roff_is_escaped() {
        assert_eq!(escape("a-b\\c'd…é"), "a\\-b\\ec\\(aqd\\|.\\|.\\|.\\[u00E9]");
        assert_eq!(metavariables(" NAME…|--all"), " \\fINAME\\fR\\|.\\|.\\|.|\\fB\\-\\-all\\fR");
        let mut page = Page(String::new());
        page.text(".x `-y`");
        assert_eq!(page.0, "\\&.x \\fB\\-y\\fR\n");
    }
}
