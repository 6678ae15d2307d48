//! A login on the console, and none on terminals that a jail does not have.

use super::lines::{Place, block, own, switch_off};
use super::{At, Fixer, Init};

const WHY: &str = "a login on the console, which is its only terminal";

pub(super) fn fix(fixer: &mut Fixer<'_>) {
    if let Some(text) = fixer.text("/etc/inittab").filter(|_| fixer.init != Init::Systemd) {
        let busybox = is_busybox(&text);
        let text = switch_off(&text, is_terminal);
        let has_own = own(&text).any(|line| !is_terminal(line) && is_console(line));
        let lines = match (has_own, busybox) {
            (true, _) => "",
            (_, true) => "console::respawn:/sbin/getty -L 38400 console linux\n",
            // Of those that a runlevel has a login on.
            (_, false) => "co:2345:respawn:/sbin/getty -L 38400 console linux\n",
        };
        fixer.write("/etc/inittab", block(&text, lines, Place::Bottom), WHY);
    }
    if fixer.init == Init::OpenRc {
        openrc(fixer);
    }
    fixer.edit("/etc/securetty", "root may log in on the console", |text| {
        let missing =
            ["console", "pts/0"].into_iter().filter(|name| !own(text).any(|line| line.trim() == *name));
        let lines: String = missing.map(|name| format!("{name}\n")).collect();
        block(text, &lines, Place::Bottom)
    });
}

/// OpenRC's own init reads no table: each login is a service, named by its terminal.
fn openrc(fixer: &mut Fixer<'_>) {
    const LEVEL: &str = "/etc/runlevels/default";
    let own = matches!(fixer.files.at("/sbin/init"), At::Link(to) if to.ends_with("openrc-init"));
    if !own || !fixer.has("/etc/init.d/agetty") {
        return;
    }
    for name in fixer.files.names(LEVEL) {
        if name.strip_prefix("agetty.").is_some_and(is_keyboard) {
            fixer.remove(&format!("{LEVEL}/{name}"), WHY);
        }
    }
    fixer.link("/etc/init.d/agetty.console", "agetty", WHY);
    fixer.link(&format!("{LEVEL}/agetty.console"), "/etc/init.d/agetty.console", WHY);
}

/// Lines of busybox's init have no runlevels in their second field.
fn is_busybox(text: &str) -> bool {
    let mut lines = own(text).filter(|line| !line.starts_with('#') && line.matches(':').count() >= 3);
    lines.all(|line| line.split(':').nth(1).is_some_and(str::is_empty))
        // The line that says which runlevel is the first one's is System V's alone.
        && !own(text).any(|line| line.contains(":initdefault:"))
}

/// Does a line start something again and again on a terminal of a keyboard or a serial line?
fn is_terminal(line: &str) -> bool {
    let fields: Vec<&str> = line.splitn(4, ':').collect();
    let [_, _, "respawn" | "askfirst", command] = fields[..] else { return false };
    !line.starts_with('#')
        && (command.contains("getty") || fields[2] == "askfirst" || command.contains("login"))
        && [fields[0]]
            .into_iter()
            .chain(command.split_whitespace())
            .any(|word| is_keyboard(word.trim_start_matches("/dev/")))
}

/// Is it a terminal of a keyboard or a serial line?
fn is_keyboard(terminal: &str) -> bool {
    let kinds = ["tty", "ttyS", "hvc", "ttyAMA", "ttyUSB"];
    let is_number = |n: &str| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit());
    kinds.iter().any(|kind| terminal.strip_prefix(kind).is_some_and(is_number))
}

fn is_console(line: &str) -> bool {
    !line.starts_with('#')
        && line.contains(":respawn:")
        && line.split(|c: char| c == ':' || c.is_whitespace()).any(|word| word == "console")
}
