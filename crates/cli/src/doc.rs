//! Documents made from the table: help, manual pages, completions.

pub(crate) mod complete;
pub(crate) mod completions;
pub(crate) mod help;
pub(crate) mod manual;

/// A variable of the environment that jaula reads, and what it does.
static ENVIRONMENT: &[(&str, &str)] = &[
    (
        "JAULA_ROOT",
        "A directory that jaula keeps all its files below, in place of `/`: for tests, and for users other \
         than root.",
    ),
    ("NO_COLOR", "If set and not empty, output is not coloured (unless `--color always` is given)."),
    ("TERM", "If `dumb`, output is not coloured, and no progress is shown."),
    ("VISUAL, EDITOR", "The editor of `jaula config edit`."),
];

/// A path of jaula's and what is there.
static FILES: &[(&str, &str)] = &[
    ("/etc/jaula/jaula.toml", "Defaults of the host."),
    ("/etc/jaula/jails/NAME.toml", "The configuration of a jail."),
    ("/var/lib/jaula/", "What jaula keeps of jails: roots and logs."),
    ("/run/jaula/NAME/", "State of a running jail."),
];
