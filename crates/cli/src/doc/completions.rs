//! The completion scripts. They only carry words between their shell and `jaula complete`,
//! which knows the table, and let the shell add files and users of the host.

use crate::command::Shell;

/// What makes this shell complete `jaula`.
pub(crate) fn script(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => include_str!("completions/jaula.bash"),
        Shell::Zsh => include_str!("completions/jaula.zsh"),
        Shell::Fish => include_str!("completions/jaula.fish"),
    }
}
