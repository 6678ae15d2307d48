//! The clock is the host's: nobody inside may set it, so nobody tries.

use super::Fixer;
use super::lines::{switch_off, variable};

const WHY: &str = "the clock is the host's";

/// Programs that set a clock. `adjkerntz` is FreeBSD's, which its documents have in this place.
const SETTERS: &[&str] =
    &["hwclock", "ntpdate", "ntpdate-debian", "rdate", "sntp", "htpdate", "chronyc", "adjkerntz"];

/// More files than any distribution has in `/etc/cron.d`.
const MOST: usize = 200;

pub(super) fn fix(fixer: &mut Fixer<'_>) {
    let tables = ["/etc/crontab", "/etc/crontabs/root"].map(str::to_owned);
    let below = fixer.files.names("/etc/cron.d");
    let below = below.into_iter().take(MOST).map(|name| format!("/etc/cron.d/{name}"));
    for path in tables.into_iter().chain(below) {
        fixer.edit(&path, WHY, |text| switch_off(text, sets_clock));
    }
    fixer.edit("/etc/default/hwclock", WHY, |text| variable(text, "HWCLOCKACCESS", "no", true));
    fixer.edit("/etc/conf.d/hwclock", WHY, |text| {
        let text = variable(text, "clock_hctosys", "NO", true);
        variable(&text, "clock_systohc", "NO", true)
    });
}

/// Does a line of a crontab run a program that sets the clock?
fn sets_clock(line: &str) -> bool {
    let line = line.trim_start();
    if line.starts_with('#') {
        return false;
    }
    let words = line.split(|c: char| c.is_whitespace() || ";&|(){}`'\"<>".contains(c));
    let mut programs = words.map(|word| word.rsplit('/').next().unwrap_or_default());
    programs.any(|name| SETTERS.contains(&name))
}
