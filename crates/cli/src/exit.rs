//! The statuses that jaula exits with: one table for the program, its help and its manual.

/// The status that a command ends with. Unlike the standard library's it can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExitCode(pub(crate) u8);

impl ExitCode {
    /// It is done.
    pub(crate) const SUCCESS: Self = Self(0);
}

impl From<u8> for ExitCode {
    fn from(status: u8) -> Self {
        Self(status)
    }
}

/// One status and what it says.
pub(crate) struct Exit {
    /// As documents have it: `0`, `128+n`.
    pub(crate) status: &'static str,
    /// What it says.
    pub(crate) meaning: &'static str,
}

/// Something failed; the error says what.
pub(crate) const FAILED: u8 = 1;
/// The command line is wrong.
pub(crate) const USAGE: u8 = 2;
/// There is no such jail, or it does not run.
pub(crate) const NO_JAIL: u8 = 3;
/// `run`, `exec` and `enter` failed before the command began.
pub(crate) const NOT_BEGUN: u8 = 125;
/// The command is there but cannot be executed.
pub(crate) const NOT_EXECUTABLE: u8 = 126;
/// The command is not there.
pub(crate) const NOT_FOUND: u8 = 127;
/// The command died of a signal, whose number is added.
pub(crate) const SIGNALLED: u8 = 128;

/// The work was interrupted, as a shell reports SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

static DONE: Exit = Exit { status: "0", meaning: "Done." };
static ERROR: Exit = Exit { status: "1", meaning: "It failed; the error says why." };
static WRONG: Exit = Exit { status: "2", meaning: "The command line is wrong." };
static ABSENT: Exit = Exit { status: "3", meaning: "There is no such jail, or it does not run." };
static FAULTS: Exit = Exit { status: "1", meaning: "Faults were found; they are printed." };
static ABOVE: Exit =
    Exit { status: "1", meaning: "A score is above `--threshold`; or it failed, and the error says why." };
static NOT_ALL: Exit = Exit { status: "1", meaning: "Some could not be started; they are named." };
static STALE: Exit = Exit { status: "1", meaning: "Some are outdated, or it failed." };
static THEIRS: Exit = Exit { status: "0-124", meaning: "What the command itself exits with." };
static OURS: Exit =
    Exit { status: "125", meaning: "jaula failed before the command began; the error says why." };
static NO_EXEC: Exit = Exit { status: "126", meaning: "The command cannot be executed." };
static NO_FILE: Exit = Exit { status: "127", meaning: "The command was not found." };
static ENDED: Exit = Exit { status: "130", meaning: "It was interrupted; nothing is left of it." };
static SIGNAL: Exit =
    Exit { status: "128+n", meaning: "Signal n ended the command: 137 is SIGKILL, 143 SIGTERM." };

/// Of a verb that names no jail.
pub(crate) static PLAIN: &[&Exit] = &[&DONE, &ERROR, &WRONG];
/// Of a verb that works for long.
pub(crate) static BUILD: &[&Exit] = &[&DONE, &ERROR, &WRONG, &ENDED];
/// Of a verb that looks for faults.
pub(crate) static CHECK: &[&Exit] = &[&DONE, &FAULTS, &WRONG];
/// Of `boot`.
pub(crate) static BOOT: &[&Exit] = &[&DONE, &NOT_ALL, &WRONG];
/// Of `audit`.
pub(crate) static AUDIT: &[&Exit] = &[&DONE, &ABOVE, &WRONG, &ABSENT];
/// Of a verb that names jails.
pub(crate) static JAILS: &[&Exit] = &[&DONE, &ERROR, &WRONG, &ABSENT];
/// Of a verb that looks for jails that differ from the host.
pub(crate) static OUTDATED: &[&Exit] = &[&DONE, &STALE, &WRONG, &ABSENT];
/// Of a verb that runs a command.
pub(crate) static COMMAND: &[&Exit] = &[&THEIRS, &WRONG, &OURS, &NO_EXEC, &NO_FILE, &SIGNAL];
/// Of a verb that looks on while a command runs.
pub(crate) static TRACE: &[&Exit] = &[&DONE, &ERROR, &WRONG, &OURS, &NO_EXEC, &NO_FILE];
/// Of the whole.
pub(crate) static ALL: &[&Exit] =
    &[&DONE, &ERROR, &WRONG, &ABSENT, &THEIRS, &OURS, &NO_EXEC, &NO_FILE, &SIGNAL];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_programs_numbers() {
        let pairs = [
            (&ERROR, FAILED),
            (&NOT_ALL, FAILED),
            (&STALE, FAILED),
            (&WRONG, USAGE),
            (&ABSENT, NO_JAIL),
            (&OURS, NOT_BEGUN),
            (&NO_EXEC, NOT_EXECUTABLE),
            (&NO_FILE, NOT_FOUND),
            (&ENDED, INTERRUPTED),
        ];
        for (exit, number) in pairs {
            assert_eq!(exit.status, number.to_string());
        }
        assert_eq!(SIGNAL.status, format!("{SIGNALLED}+n"));
    }
}
