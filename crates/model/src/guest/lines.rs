//! Lines of jaula's between markers, and lines that are switched off.

/// What stands before lines of jaula's.
pub const BEGIN: &str = "# --- BEGIN jaula ---";
/// What stands behind them.
pub const END: &str = "# --- END jaula ---";
/// What stands before a line that is switched off.
pub const OFF: &str = "#jaula# ";

/// Where lines go into a text that has none of them yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before all others.
    Top,
    /// Behind them.
    Bottom,
}

/// A line of a text, with its end.
fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive('\n')
}

/// Puts these lines between the markers, and takes those away that stood there. Without lines there
/// are no markers.
pub fn block(text: &str, lines: &str, place: Place) -> String {
    let ours = if lines.is_empty() { String::new() } else { format!("{BEGIN}\n{lines}{END}\n") };
    let mut out = String::with_capacity(text.len() + ours.len());
    let mut put = false;
    for (line, is_ours) in marked(text) {
        if !is_ours {
            out += line;
        } else if !put {
            out += &ours;
            put = true;
        }
    }
    if put || ours.is_empty() {
        return out;
    }
    match place {
        Place::Top => ours + &out,
        Place::Bottom => {
            if !out.is_empty() && !out.ends_with('\n') {
                out.push('\n');
            }
            out + &ours
        }
    }
}

/// Each line, and whether it stands between markers. A marker without the other is no marker; markers
/// nest, so that taking away what is between them makes no new pair.
fn marked(text: &str) -> Vec<(&str, bool)> {
    let mut all: Vec<(&str, bool)> = split(text).map(|line| (line, false)).collect();
    let mut begun = Vec::new();
    for i in 0..all.len() {
        match all[i].0.trim_end() {
            BEGIN => begun.push(i),
            END => {
                for (_, ours) in begun.pop().map_or(&mut [][..], |from| &mut all[from..=i]) {
                    *ours = true;
                }
            }
            _ => {}
        }
    }
    all
}

/// The lines that are not between markers, as they are when none is switched off.
pub fn own(text: &str) -> impl Iterator<Item = &str> {
    marked(text).into_iter().filter(|(_, ours)| !ours).map(|(line, _)| on(line).trim_end())
}

/// A line as it is when it is not switched off.
fn on(line: &str) -> &str {
    line.strip_prefix(OFF).unwrap_or(line)
}

/// Switches those lines off for which this says so, and all others on again. Lines between markers stay.
pub fn switch_off(text: &str, mut is_off: impl FnMut(&str) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for (line, ours) in marked(text) {
        if ours {
            out += line;
            continue;
        }
        let line = on(line);
        // What was switched off twice stays so: its own text begins with the mark.
        if is_off(line.trim_end()) || line.starts_with(OFF) {
            out += OFF;
        }
        out += line;
    }
    out
}

/// Gives a variable of a shell's file a value: the line that has it, or one more.
pub fn variable(text: &str, name: &str, value: &str, or_add: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut found = false;
    for line in split(text) {
        let is = line.trim_start().strip_prefix(name).is_some_and(|rest| rest.starts_with('='));
        if is {
            let same = line.trim().split_once('=').is_some_and(|(_, now)| unquoted(now) == value);
            found = true;
            if !same {
                out += &format!("{name}=\"{value}\"\n");
                continue;
            }
        }
        out += line;
    }
    if !found && or_add {
        if !out.is_empty() && !out.ends_with('\n') {
            out.push('\n');
        }
        out += &format!("{name}=\"{value}\"\n");
    }
    out
}

fn unquoted(value: &str) -> &str {
    let value = value.trim();
    let inside = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    inside('"').or_else(|| inside('\'')).unwrap_or(value)
}
