//! What can go wrong, each with a line of help where there is a way out.

use model::name::Name;
use model::plan::{Arg, Step};
use std::error::Error as StdError;
use std::path::{Path, PathBuf};
use std::time::Duration;
use sys::program::Failed;
use sys::{CallError, Errno, errno};

/// The result of an operation.
pub type Result<T> = std::result::Result<T, Error>;

/// A failed operation. `Display` tells what failed, `source()` why, [`Error::help`] the way out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(clippy::error_impl_error, reason = "jaula::Error is this crate's one error")]
pub enum Error {
    /// A system call failed.
    #[error("cannot {what}")]
    Call {
        /// What it was for.
        what: &'static str,
        /// The call.
        #[source]
        source: CallError,
    },
    /// A file cannot be read, written, made or removed.
    #[error("cannot {what} {}", path.display())]
    Io {
        /// What was done to it.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A tree of the host cannot be used.
    #[error("cannot use {} ({why})", path.display())]
    Tree {
        /// Which one.
        path: PathBuf,
        /// What it is for.
        why: String,
        /// The call that failed.
        #[source]
        source: CallError,
    },
    /// A path in a tree that is not trusted cannot be read, written, made or removed.
    #[error("cannot {what} {} in the jail's tree", path.display())]
    Beneath {
        /// What was done to it.
        what: &'static str,
        /// The path, as the jail sees it.
        path: PathBuf,
        /// The call that failed.
        #[source]
        source: CallError,
    },
    /// An archive or an image cannot be unpacked.
    #[error("{archive} cannot be unpacked")]
    Archive {
        /// Which.
        archive: String,
        /// Why.
        #[source]
        source: Box<crate::rootfs::archive::ArchiveError>,
    },
    /// A container image cannot be had.
    #[error("{image} cannot be had")]
    Image {
        /// Which.
        image: String,
        /// Why.
        #[source]
        source: Box<crate::rootfs::oci::ImageError>,
    },
    /// A step of the child's program failed.
    #[error("{}", child(call, why, *number))]
    Child {
        /// The call.
        call: Box<model::plan::call::Call>,
        /// Its reason.
        why: String,
        /// Its error number.
        number: Errno,
    },
    /// A command that is not in the jail.
    #[error("there is no {command:?} in the jail")]
    NoProgram {
        /// The command.
        command: String,
    },
    /// A command that is not on the host.
    #[error("there is no {command:?}")]
    NoCommand {
        /// The command.
        command: String,
    },
    /// A command that cannot be executed.
    #[error("{command:?} cannot be executed: {}", number.words())]
    NotExecutable {
        /// The command.
        command: String,
        /// Why.
        number: Errno,
    },
    /// No such jail.
    #[error("there is no jail {0:?}")]
    NoJail(String),
    /// Words that mean no jail, or not one only.
    #[error(transparent)]
    Select(#[from] model::select::SelectError),
    /// A jail that has no place in the order of starts.
    #[error(transparent)]
    NoPlace(#[from] model::order::NoPlace),
    /// A jail was not started, for one that it depends on is not ready.
    #[error("jail {name:?} was not started: it depends on {on:?}, which is not ready")]
    Dependency {
        /// The jail.
        name: Name,
        /// What it depends on.
        on: Name,
    },
    /// A jail that must run does not.
    #[error("jail {0:?} is not running")]
    NotRunning(Name),
    /// A jail that must not run does.
    #[error("jail {0:?} is running")]
    Running(Name),
    /// A jail that is to be made exists.
    #[error("jail {0:?} exists already")]
    Exists(Name),
    /// Somebody else is at it.
    #[error("jail {name:?} is busy: {owner} has had it for more than {} s", waited.as_secs())]
    Busy {
        /// The jail.
        name: Name,
        /// Who has its lock.
        owner: String,
        /// How long we waited.
        waited: Duration,
    },
    /// Two jails with one id.
    #[error("jail {name:?} has id {id}, which jail {other:?} has as well")]
    SameId {
        /// The jail.
        name: Name,
        /// The id.
        id: model::name::Id,
        /// The other jail.
        other: String,
    },
    /// All ids are in use.
    #[error("no id is free")]
    NoId,
    /// A file that should hold a configuration or a jail's state does not.
    #[error("{}", problems.join("; "))]
    Config {
        /// All that is wrong, each with its place.
        problems: Vec<String>,
        /// The way out.
        help: Option<String>,
    },
    /// Words that contradict each other, or ask for what cannot be.
    #[error("{message}")]
    Refused {
        /// What is refused, and why.
        message: String,
        /// The way out.
        help: Option<String>,
    },
    /// A name that is none.
    #[error(transparent)]
    Name(#[from] model::name::BadName),
    /// The jail's first process ended before the jail was ready.
    #[error("jail {name:?} ended before it was ready: {how}")]
    EndedEarly {
        /// The jail.
        name: Name,
        /// How it ended, in words.
        how: String,
    },
    /// The jail was not ready in time.
    #[error("jail {name:?} was not ready within {} s", after.as_secs())]
    NotReady {
        /// The jail.
        name: Name,
        /// `boot.start_timeout`
        after: Duration,
        /// What `jaula exec` takes to ask what `boot.ready` asks.
        asked: Option<String>,
    },
    /// The keeper of a jail ended without a word.
    #[error("the keeper of jail {0:?} died")]
    KeeperDied(Name),
    /// What the keeper reported.
    #[error("{message}")]
    Keeper {
        /// Its message.
        message: String,
        /// Its help.
        help: Option<String>,
    },
    /// The program's files cannot be found out.
    #[error("cannot make an app jail of {program}")]
    App {
        /// The program.
        program: String,
        /// Why.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
        /// The way out.
        help: Option<String>,
    },
    /// Something inside is not as it must be.
    #[error("{0}")]
    Inside(String),
    /// Somebody ended it before its time, with this signal.
    #[error("interrupted; nothing is left of it")]
    Cancelled(i32),
    /// Several failed.
    #[error("{}", list(.0))]
    Several(Vec<Error>),
}

impl From<crate::rootfs::archive::ArchiveError> for Error {
    fn from(source: crate::rootfs::archive::ArchiveError) -> Self {
        Self::Archive { archive: "the archive".to_owned(), source: Box::new(source) }
    }
}

impl From<crate::rootfs::oci::ImageError> for Error {
    fn from(source: crate::rootfs::oci::ImageError) -> Self {
        Self::Image { image: "the image".to_owned(), source: Box::new(source) }
    }
}

impl Error {
    /// For a call that was made in order to `what`.
    pub fn call(what: &'static str) -> impl FnOnce(CallError) -> Self {
        move |source| Self::Call { what, source }
    }

    /// For something done to a file.
    pub fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }

    /// Refused, with a way out.
    pub fn refused(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Refused { message: message.into(), help: Some(help.into()) }
    }

    /// For what is wrong with a configuration; `file` is the one that has it, if one has.
    pub fn problems(problems: &model::config::Problems, file: Option<&Path>) -> Self {
        let help = problems.iter().find_map(|p| p.help.clone());
        let lines: Vec<String> = problems
            .iter()
            .map(|problem| match (file, problem.at) {
                (Some(file), Some(at)) => {
                    format!("{}:{}:{}: {}", file.display(), at.line, at.column, problem.message)
                }
                (Some(file), None) => format!("{}: {}", file.display(), problem.message),
                (None, _) => problem.message.clone(),
            })
            .collect();
        Self::Config { problems: lines, help }
    }

    /// Was there no room for what was to be written?
    pub(crate) fn is_full(&self) -> bool {
        let is_it = |number| matches!(number, errno::ENOSPC | errno::EDQUOT);
        match self {
            Self::Call { source, .. } => is_it(source.errno.0),
            Self::Io { source, .. } => source.raw_os_error().is_some_and(is_it),
            _ => false,
        }
    }

    pub(crate) fn tree(path: &Path, why: &str, source: CallError) -> Self {
        Self::Tree { path: path.to_owned(), why: why.to_owned(), source }
    }

    /// For the step that a child reports.
    pub(crate) fn child(steps: &[Step], failed: Failed) -> Self {
        let number = Errno(failed.errno);
        let Some(step) = steps.get(failed.step) else {
            return Self::Inside(format!(
                "the child reports step {}, which its program has not",
                failed.step
            ));
        };
        if let ("execve", [_, Arg::Texts(arguments), ..]) = (step.call.name, &step.call.args[..]) {
            let command = arguments.first().map(|a| a.to_string_lossy().into_owned()).unwrap_or_default();
            return match failed.errno {
                errno::ENOENT | errno::ENOTDIR | errno::ENAMETOOLONG => Self::NoProgram { command },
                _ => Self::NotExecutable { command, number },
            };
        }
        // A step without a reason of its own goes on with the one before.
        let why = steps[..=failed.step].iter().rev().map(|s| s.why.as_ref()).find(|w| !w.is_empty());
        Self::Child { call: Box::new(step.call.clone()), why: why.unwrap_or_default().to_owned(), number }
    }

    /// The whole of it with its causes, in one line.
    pub fn line(&self) -> String {
        let mut text = self.to_string();
        let mut source = self.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        text
    }

    /// The way out, in one line.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Config { help, .. }
            | Self::Refused { help, .. }
            | Self::Keeper { help, .. }
            | Self::App { help, .. } => help.clone(),
            Self::Select(select) => select.help().or_else(|| Some("jaula list shows all jails".to_owned())),
            Self::NoJail(_) => Some("jaula list shows all jails".to_owned()),
            Self::NotRunning(name) => Some(format!("start it: jaula start {name}")),
            Self::NoPlace(why) => Some(why.help()),
            Self::Dependency { on, .. } => Some(format!("see its log: jaula logs {on}")),
            Self::Running(name) => Some(format!("stop it first: jaula stop {name}")),
            Self::Exists(name) => Some(format!("choose another name, or: jaula delete {name}")),
            Self::Busy { name, .. } => Some(format!("try again, or see what it does: jaula status {name}")),
            Self::SameId { name, .. } => Some(format!("give it another: jaula set {name} id=N")),
            Self::NotReady { name, asked: Some(asked), .. } => Some(format!(
                "see its log: jaula logs {name}; if that says nothing, start it with boot.ready = \"alive\" and ask \
                 yourself: jaula exec {asked}"
            )),
            Self::EndedEarly { name, .. } | Self::NotReady { name, .. } => {
                Some(format!("see its log: jaula logs {name}"))
            }
            Self::KeeperDied(_) => Some("jaula gc tidies up after it".to_owned()),
            Self::NoCommand { .. } => {
                Some("name a program by its path, or one that PATH leads to".to_owned())
            }
            Self::NoProgram { .. } => {
                let help = "name a program that the jail's root holds; --root and --app choose the root, and jaula \
                            trace finds out what an app jail needs";
                Some(help.to_owned())
            }
            Self::NotExecutable { number, .. } if number.0 == errno::ENOEXEC => {
                Some("it is no program for this machine, or a script without #!".to_owned())
            }
            Self::Call { source, .. } | Self::Tree { source, .. } | Self::Beneath { source, .. } => {
                help_for(source.errno)
            }
            Self::Archive { source, .. } => source.help(),
            Self::Image { source, .. } => source.help(),
            Self::Child { number, call, .. } => help_for_child(call, *number),
            Self::Io { source, .. } => source.raw_os_error().and_then(|n| help_for(Errno(n))),
            Self::Several(all) => all.iter().find_map(Self::help),
            _ => None,
        }
    }
}

fn help_for(number: Errno) -> Option<String> {
    let text = match number.0 {
        errno::ENOSYS => {
            "this kernel lacks the call, or a filter refuses it; jaula doctor says what is missing"
        }
        errno::EPERM | errno::EACCES if sys::process::user() != 0 => {
            "this needs root; jaula doctor says what works without"
        }
        errno::EPERM => "something confines jaula itself; jaula doctor says what is missing",
        errno::ENOSPC => "make room, or move the house with JAULA_ROOT",
        errno::EUSERS => "raise the sysctl user.max_user_namespaces (and its kin; see jaula doctor)",
        _ => return None,
    };
    Some(text.to_owned())
}

fn help_for_child(call: &model::plan::call::Call, number: Errno) -> Option<String> {
    let onto = call.args.iter().find_map(|arg| match arg {
        Arg::Text(text) if text.starts_with("root/") => Some(&text[4..]),
        _ => None,
    });
    match (call.name, onto, number.0) {
        ("move_mount", Some(at), errno::ENOENT) => Some(format!(
            "the root has no directory {at} to mount on; make one, or use root.writes = \"kept\""
        )),
        ("move_mount", Some(at), errno::ENOTDIR | errno::ELOOP | errno::EINVAL) => {
            Some(format!("{at} in the root is a symbolic link or a file, and nothing is mounted through one"))
        }
        ("prlimit64", ..) => Some("a limit cannot be above jaula's own hard limit; see ulimit -H".to_owned()),
        ("openat2", ..) => Some("the path must be there, inside, to be mounted on".to_owned()),
        _ => help_for(number),
    }
}

fn child(call: &model::plan::call::Call, why: &str, number: Errno) -> String {
    match number.0 {
        0 => format!("a process of the jail's was cut short ({why}): {call}"),
        _ => format!("a process of the jail's failed ({why}): {call} = {number}"),
    }
}

fn list(errors: &[Error]) -> String {
    errors.iter().map(Error::line).collect::<Vec<_>>().join("; ")
}
