//! Text from anywhere, made harmless and measured.
//!
//! What a jail says (the name of its process, its log, its host name) may hold what would move
//! the cursor, recolour the terminal or reverse the line. None of it reaches a terminal raw.

use std::borrow::Cow;
use std::fmt::Write;

/// The text with control characters, escapes, marks of direction and invisible characters
/// written out as `\x1b`, `\n` or `\u{202e}`.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_harmful(c) && c.is_ascii() => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c if is_harmful(c) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Does it do something to a terminal or a reader other than be seen?
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// How many columns of a terminal the text takes, if it is [`harmless`].
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

/// The text if it fits into `room` columns, else its beginning and `…`.
pub(crate) fn truncate(text: &str, room: usize) -> Cow<'_, str> {
    if width(text) <= room {
        return Cow::Borrowed(text);
    }
    let mut used = 1;
    let fits = |c: &char| {
        used += columns(*c);
        used <= room
    };
    let mut short: String = text.chars().take_while(fits).collect();
    short.push('…');
    Cow::Owned(short)
}

/// Two for wide characters, none for marks on the one before (Unicode's East_Asian_Width and
/// Mn; whole blocks, of the scripts that turn up on servers).
fn columns(c: char) -> usize {
    match c {
        '\u{20}'..='\u{2ff}' => 1,
        '\u{300}'..='\u{36f}'
        | '\u{483}'..='\u{489}'
        | '\u{591}'..='\u{5bd}'
        | '\u{610}'..='\u{61a}'
        | '\u{64b}'..='\u{65f}'
        | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{fe20}'..='\u{fe2f}'
        | '\u{e0100}'..='\u{e01ef}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{231a}'..='\u{231b}'
        | '\u{23e9}'..='\u{23ec}'
        | '\u{2705}'
        | '\u{274c}'
        | '\u{2e80}'..='\u{303e}'
        | '\u{3041}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{a4cf}'
        | '\u{a960}'..='\u{a97f}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff01}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{16fe0}'..='\u{1b2ff}'
        | '\u{1f300}'..='\u{1f64f}'
        | '\u{1f680}'..='\u{1f6ff}'
        | '\u{1f900}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_raw() {
        let table = [
            ("plain ü 字", "plain ü 字"),
            ("\x1b[2Jgone", "\\x1b[2Jgone"),
            ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
            ("\x7f\0\u{9b}31m", "\\x7f\\x00\\u{9b}31m"),
            ("exe\u{202e}txt", "exe\\u{202e}txt"),
            ("w\u{200b}ww", "w\\u{200b}ww"),
        ];
        for (text, shown) in table {
            assert_eq!(harmless(text), shown);
        }
        for c in (0..=0x10_ffff).filter_map(char::from_u32) {
            assert!(!harmless(&c.to_string()).chars().any(char::is_control), "{c:?}");
        }
    }

    #[test]
    fn columns_of_a_terminal() {
        for (text, columns) in
            [("", 0), ("abc", 3), ("ü", 1), ("u\u{308}", 1), ("字x", 3), ("한", 2), ("🦀", 2), ("…", 1)]
        {
            assert_eq!(width(text), columns, "{text}");
        }
    }

    #[test]
    fn truncation() {
        for (text, room, shown) in
            [("abcdef", 6, "abcdef"), ("abcdef", 4, "abc…"), ("字字字", 4, "字…"), ("ab", 1, "…")]
        {
            assert_eq!(truncate(text, room), shown);
            assert!(width(&truncate(text, room)) <= room);
        }
    }
}
