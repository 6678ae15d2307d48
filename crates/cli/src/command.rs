//! What a command line asks for, as plain data: the parser's result and `dispatch`'s input.

use model::signal::Signal;
use model::units::Span;
use std::ffi::OsString;
use std::path::PathBuf;

/// A whole command line: what to do, and how to talk about it.
#[derive(Debug, PartialEq)]
pub(crate) struct Invocation {
    /// What to do.
    pub(crate) command: Command,
    /// `--quiet`: print no progress and no remarks, only results and errors.
    pub(crate) quiet: bool,
    /// `--color`
    pub(crate) color: When,
}

/// `--color`: when output is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum When {
    /// On a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// One verb with its arguments.
#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    /// `jaula run`
    Run(Run),
    /// `jaula trace`
    Trace(Trace),
    /// `jaula create`
    Create(Create),
    /// `jaula build`
    Build(Build),
    /// `jaula template …`
    Template(Template),
    /// `jaula export`
    Export(Export),
    /// `jaula import`
    Import(Import),
    /// `jaula start`
    Start(Start),
    /// `jaula restart`
    Restart(Selection),
    /// `jaula stop`
    Stop(Stop),
    /// `jaula bind`
    Bind(Bind),
    /// `jaula exec`
    Exec(Exec),
    /// `jaula enter`
    Enter(Enter),
    /// `jaula signal`
    Signal {
        /// The jail.
        name: String,
        /// What its first process is sent.
        signal: Signal,
    },
    /// `jaula console`
    Console(String),
    /// `jaula up`: the directory, `.` by default.
    Up(PathBuf),
    /// `jaula down`: the directory, `.` by default.
    Down(PathBuf),
    /// `jaula boot`
    Boot(Boot),
    /// `jaula shutdown`
    Shutdown(Shutdown),
    /// `jaula units`: the directory that gets the files.
    Units(PathBuf),
    /// `jaula snapshot create`
    SnapshotCreate(SnapshotCreate),
    /// `jaula snapshot list`
    SnapshotList(List),
    /// `jaula snapshot rollback`
    SnapshotRollback(SnapshotRollback),
    /// `jaula snapshot delete`
    SnapshotDelete {
        /// `JAIL@SNAPSHOT`, each.
        snapshots: Vec<String>,
        /// `--yes`: do not ask.
        yes: bool,
    },
    /// `jaula clone`
    Clone(Clone),
    /// `jaula rename`
    Rename {
        /// The jail.
        name: String,
        /// What it will be called.
        new: String,
    },
    /// `jaula list`
    List(List),
    /// `jaula status`
    Status(Status),
    /// `jaula logs`
    Logs(Logs),
    /// `jaula plan`
    Plan(Plan),
    /// `jaula audit`
    Audit(Audit),
    /// `jaula set`
    Set(Set),
    /// `jaula config show`
    ConfigShow(ConfigShow),
    /// `jaula config edit`: the jail.
    ConfigEdit(String),
    /// `jaula config check`
    ConfigCheck(ConfigCheck),
    /// `jaula config path`: the jail.
    ConfigPath(String),
    /// `jaula config keys`
    ConfigKeys(ConfigKeys),
    /// `jaula refresh`
    Refresh(Refresh),
    /// `jaula outdated`
    Outdated(Outdated),
    /// `jaula delete`
    Delete(Delete),
    /// `jaula gc`
    Gc(Gc),
    /// `jaula doctor`
    Doctor(Doctor),
    /// `jaula help`, `--help`: the words after it name a verb; none means all of them.
    Help(&'static crate::table::Verb),
    /// `jaula completions`
    Completions(Shell),
    /// `jaula version`, `--version`
    Version(Json),
    /// `jaula manual`: the directory that gets the pages.
    Manual(PathBuf),
    /// `jaula complete`: the words of an unfinished command line after `jaula`.
    Complete(Vec<OsString>),
    /// `jaula complete-names`
    CompleteNames,
}

/// `--json`, where a verb has no other option: print data, not a text for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Json(pub(crate) bool);

/// The jails that a verb is about. A name may be a name, an id, a unique prefix or a glob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    /// Those named.
    Named(Vec<String>),
    /// `--all`, or no name where a name may be left out.
    All,
}

/// One change of one key of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The key with its section: `network.mode`.
    pub(crate) key: String,
    /// What happens to it.
    pub(crate) op: Op,
    /// The value as typed; empty for [`Op::Unset`].
    pub(crate) value: String,
}

/// What happens to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// `KEY=VALUE`
    Set,
    /// `KEY+=VALUE`: one more member of a list.
    Add,
    /// `KEY-=VALUE`: one member less.
    Remove,
    /// `KEY=`: as if it had never been set.
    Unset,
}

/// `jaula run`
#[derive(Debug, PartialEq)]
pub(crate) struct Run {
    /// The configuration, in the order of the command line.
    pub(crate) settings: Vec<Setting>,
    /// `--config`: what the settings are on top of.
    pub(crate) config: Option<PathBuf>,
    /// `--name`
    pub(crate) name: Option<String>,
    /// `--tty` or `--no-tty`; neither: a terminal if jaula has one.
    pub(crate) tty: Option<bool>,
    /// What to print instead of running.
    pub(crate) dry_run: Option<DryRun>,
    /// Program and arguments; never empty unless `boot.command` is among the settings.
    pub(crate) command: Vec<OsString>,
}

/// `--dry-run`: print the plan and touch nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DryRun {
    /// For people.
    Text,
    /// With `--json`.
    Json,
}

/// `jaula trace`
#[derive(Debug, PartialEq)]
pub(crate) struct Trace {
    /// The configuration of the jail that it is traced in, in the order of the command line.
    pub(crate) settings: Vec<Setting>,
    /// `--for`
    pub(crate) time: Option<Span>,
    /// `--until-ready`
    pub(crate) until_ready: bool,
    /// `--tty` or `--no-tty`; neither: a terminal if jaula has one.
    pub(crate) tty: Option<bool>,
    /// `--output`
    pub(crate) output: Option<PathBuf>,
    /// `--into`
    pub(crate) into: Option<String>,
    /// `--strict`
    pub(crate) strict: bool,
    /// `--explain`
    pub(crate) explain: bool,
    /// `--json`
    pub(crate) json: bool,
    /// Program and arguments; never empty.
    pub(crate) command: Vec<OsString>,
}

/// `jaula create`
#[derive(Debug, PartialEq)]
pub(crate) struct Create {
    /// The new jail's name.
    pub(crate) name: String,
    /// Its configuration, in the order of the command line.
    pub(crate) settings: Vec<Setting>,
    /// What becomes `boot.command`; may be empty.
    pub(crate) command: Vec<String>,
    /// `--config`
    pub(crate) config: Option<PathBuf>,
    /// `--trace`
    pub(crate) trace: Option<TraceFirst>,
    /// `--start`
    pub(crate) start: bool,
    /// What to print instead of creating.
    pub(crate) dry_run: Option<DryRun>,
}

/// `jaula export`
#[derive(Debug, PartialEq)]
pub(crate) struct Export {
    /// The jail.
    pub(crate) name: String,
    /// Where to; standard output if nothing is said, or `-`.
    pub(crate) file: Option<PathBuf>,
    /// `--no-freeze`: let it go on if it runs.
    pub(crate) no_freeze: bool,
    /// `--json`
    pub(crate) json: bool,
}

/// `jaula import`
#[derive(Debug, PartialEq)]
pub(crate) struct Import {
    /// The archive; standard input if nothing is said, or `-`.
    pub(crate) file: Option<PathBuf>,
    /// `--name`
    pub(crate) name: Option<String>,
    /// `--digest`
    pub(crate) digest: Option<String>,
    /// `--limit`
    pub(crate) limit: Option<String>,
    /// What the configuration says otherwise.
    pub(crate) settings: Vec<Setting>,
    /// `--json`
    pub(crate) json: bool,
}

/// `jaula template …`
#[derive(Debug, PartialEq)]
pub(crate) enum Template {
    /// `make`; the jail's name is the template's.
    Make(Box<Build>),
    /// `list`
    List {
        /// `--json`
        json: bool,
        /// `--quiet`
        names_only: bool,
    },
    /// `import`
    Import(TemplateImport),
    /// `export`
    Export {
        /// The template.
        name: String,
        /// Where to; standard output if nothing is said, or `-`.
        file: Option<PathBuf>,
        /// `--json`
        json: bool,
    },
    /// `delete`
    Delete {
        /// Which.
        names: Vec<String>,
        /// `--yes`
        yes: bool,
    },
    /// `verify`
    Verify {
        /// Which; all if none is named.
        names: Vec<String>,
        /// `--json`
        json: bool,
    },
}

/// `jaula template import`
#[derive(Debug, PartialEq)]
pub(crate) struct TemplateImport {
    /// The template.
    pub(crate) name: String,
    /// The archive; standard input if nothing is said, or `-`.
    pub(crate) file: Option<PathBuf>,
    /// `--digest`
    pub(crate) digest: Option<String>,
    /// `--limit`
    pub(crate) limit: Option<String>,
    /// `--json`
    pub(crate) json: bool,
}

/// `jaula build`
#[derive(Debug, PartialEq)]
pub(crate) struct Build {
    /// The new jail's name.
    pub(crate) name: String,
    /// `--from`
    pub(crate) from: String,
    /// `--template`: what the template that is made is called.
    pub(crate) template: Option<String>,
    /// `--fresh`: make it anew.
    pub(crate) fresh: bool,
    /// `--mirror`, in order.
    pub(crate) mirrors: Vec<String>,
    /// `--variant`
    pub(crate) variant: Option<String>,
    /// `--packages`
    pub(crate) packages: Vec<String>,
    /// `--components`
    pub(crate) components: Vec<String>,
    /// `--keyring`
    pub(crate) keyring: Option<PathBuf>,
    /// Its configuration, in the order of the command line.
    pub(crate) settings: Vec<Setting>,
    /// `--start`
    pub(crate) start: bool,
    /// `--dry-run`
    pub(crate) dry_run: bool,
    /// `--verbose`: print what the programs print.
    pub(crate) verbose: bool,
    /// `--json`
    pub(crate) json: bool,
}

/// `jaula create --trace`
#[derive(Debug, PartialEq)]
pub(crate) struct TraceFirst {
    /// The program of `--app`, with its arguments.
    pub(crate) command: Vec<String>,
    /// `--for`
    pub(crate) time: Option<Span>,
    /// `--until-ready`
    pub(crate) until_ready: bool,
    /// `--yes`: do not ask.
    pub(crate) yes: bool,
}

/// `jaula start`
#[derive(Debug, PartialEq)]
pub(crate) struct Start {
    /// Which.
    pub(crate) jails: Selection,
    /// Is nothing of their own started in them?
    pub(crate) rescue: bool,
    /// What to print instead of starting.
    pub(crate) dry_run: Option<DryRun>,
}

/// `jaula stop`
#[derive(Debug, PartialEq)]
pub(crate) struct Stop {
    /// Which.
    pub(crate) jails: Selection,
    /// `--timeout`, in place of `boot.stop_timeout`; 0 kills at once.
    pub(crate) timeout: Option<Span>,
}

/// `jaula snapshot create`
#[derive(Debug, PartialEq)]
pub(crate) struct SnapshotCreate {
    /// `JAIL` or `JAIL@SNAPSHOT`.
    pub(crate) name: String,
    /// `--note`
    pub(crate) note: Option<String>,
    /// `--json`
    pub(crate) json: bool,
}

/// `jaula snapshot rollback`
#[derive(Debug, PartialEq)]
pub(crate) struct SnapshotRollback {
    /// `JAIL@SNAPSHOT`
    pub(crate) name: String,
    /// `--keep-config`
    pub(crate) keep_config: bool,
    /// `--discard`: do not keep what is now.
    pub(crate) discard: bool,
    /// `--restart`: stop it before, and start it afterwards.
    pub(crate) restart: bool,
    /// `--yes`: do not ask.
    pub(crate) yes: bool,
}

/// `jaula clone`
#[derive(Debug, PartialEq)]
pub(crate) struct Clone {
    /// `JAIL` or `JAIL@SNAPSHOT`.
    pub(crate) name: String,
    /// The new jail.
    pub(crate) new: String,
    /// What its configuration says instead.
    pub(crate) settings: Vec<Setting>,
    /// `--start`
    pub(crate) start: bool,
}

/// `jaula boot`
#[derive(Debug, PartialEq)]
pub(crate) struct Boot {
    /// `--timeout`: how long all of it may take.
    pub(crate) timeout: Span,
    /// `--dry-run`: only print the order.
    pub(crate) dry_run: bool,
    /// `--json`
    pub(crate) json: bool,
}

/// `jaula shutdown`
#[derive(Debug, PartialEq)]
pub(crate) struct Shutdown {
    /// `--timeout`: what still runs after that is killed.
    pub(crate) timeout: Span,
    /// `--json`
    pub(crate) json: bool,
}

/// `jaula bind`
#[derive(Debug, PartialEq)]
pub(crate) struct Bind {
    /// `--ip`, in the order of the command line.
    pub(crate) addresses: Vec<String>,
    /// Program and arguments; never empty.
    pub(crate) command: Vec<OsString>,
}

/// `jaula exec`
#[derive(Debug, PartialEq)]
pub(crate) struct Exec {
    /// The jail.
    pub(crate) name: String,
    /// `--user`
    pub(crate) user: Option<String>,
    /// `--tty` or `--no-tty`; neither: a terminal if jaula has one.
    pub(crate) tty: Option<bool>,
    /// `--directory`
    pub(crate) directory: Option<String>,
    /// `--env`, in the order of the command line.
    pub(crate) environment: Vec<(String, String)>,
    /// Program and arguments; never empty.
    pub(crate) command: Vec<OsString>,
}

/// `jaula enter`
#[derive(Debug, PartialEq)]
pub(crate) struct Enter {
    /// The jail.
    pub(crate) name: String,
    /// `--user`
    pub(crate) user: Option<String>,
}

/// `jaula list`
#[derive(Debug, PartialEq)]
pub(crate) struct List {
    /// Which.
    pub(crate) jails: Selection,
    /// `--disk`: with the room that their files take. Not of snapshots.
    pub(crate) disk: bool,
    /// `--json`
    pub(crate) json: bool,
    /// `--quiet`: names only, one a line.
    pub(crate) names_only: bool,
}

/// `jaula status`
#[derive(Debug, PartialEq)]
pub(crate) struct Status {
    /// Which.
    pub(crate) jails: Selection,
    /// `--json`
    pub(crate) json: bool,
}

/// `jaula logs`
#[derive(Debug, PartialEq)]
pub(crate) struct Logs {
    /// The jail.
    pub(crate) name: String,
    /// `--follow`
    pub(crate) follow: bool,
    /// `--lines`: only so many of the last.
    pub(crate) lines: Option<usize>,
}

/// `jaula audit`
#[derive(Debug, PartialEq)]
pub(crate) struct Audit {
    /// Which jails.
    pub(crate) jails: Selection,
    /// `--full`: what holds too, and what lowers each.
    pub(crate) full: bool,
    /// `--threshold`, in tenths: the highest score that is good.
    pub(crate) threshold: Option<u32>,
    /// `--json`
    pub(crate) json: bool,
}

/// `jaula plan`
#[derive(Debug, PartialEq)]
pub(crate) struct Plan {
    /// The jail.
    pub(crate) name: String,
    /// `--json`
    pub(crate) json: bool,
}

/// `jaula set`
#[derive(Debug, PartialEq)]
pub(crate) struct Set {
    /// Which.
    pub(crate) jails: Selection,
    /// The changes in order; never empty.
    pub(crate) settings: Vec<Setting>,
}

/// `jaula config show`
#[derive(Debug, PartialEq)]
pub(crate) struct ConfigShow {
    /// The jail.
    pub(crate) name: String,
    /// `--effective`: with all defaults.
    pub(crate) effective: bool,
    /// `--json`
    pub(crate) json: bool,
}

/// `jaula config check`
#[derive(Debug, PartialEq)]
pub(crate) struct ConfigCheck {
    /// Which jails; none if only files are named.
    pub(crate) jails: Selection,
    /// Files, which are told from names by a `/`.
    pub(crate) files: Vec<PathBuf>,
    /// `--json`
    pub(crate) json: bool,
}

/// `jaula config keys`
#[derive(Debug, PartialEq)]
pub(crate) struct ConfigKeys {
    /// `--json`
    pub(crate) json: bool,
    /// `--quiet`: names only, one a line.
    pub(crate) names_only: bool,
}

/// `jaula delete`
#[derive(Debug, PartialEq)]
pub(crate) struct Delete {
    /// Which.
    pub(crate) jails: Selection,
    /// `--yes`: do not ask.
    pub(crate) yes: bool,
    /// `--force`: stop it first.
    pub(crate) force: bool,
}

/// `jaula refresh`
#[derive(Debug, PartialEq)]
pub(crate) struct Refresh {
    /// Which.
    pub(crate) jails: Selection,
    /// `--dry-run`: only say what differs.
    pub(crate) dry_run: bool,
    /// `--json`
    pub(crate) json: bool,
    /// `--yes`: do not ask.
    pub(crate) yes: bool,
    /// `--no-restart`: jails that run go on with what they have.
    pub(crate) no_restart: bool,
    /// `--trace`: run their programs first, and add what these need by now.
    pub(crate) trace: bool,
}

/// `jaula outdated`
#[derive(Debug, PartialEq)]
pub(crate) struct Outdated {
    /// Which.
    pub(crate) jails: Selection,
    /// `--json`
    pub(crate) json: bool,
}

/// `jaula doctor`
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Doctor {
    /// `--fix`: set what jails need.
    pub(crate) fix: bool,
    /// `--json`
    pub(crate) json: bool,
}

/// `jaula gc`
#[derive(Debug, PartialEq)]
pub(crate) struct Gc {
    /// `--dry-run`: only say what would be removed.
    pub(crate) dry_run: bool,
    /// `--json`
    pub(crate) json: bool,
}

/// A shell that completions are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shell {
    /// bash(1)
    Bash,
    /// zsh(1)
    Zsh,
    /// fish(1)
    Fish,
}
