//! Why an app jail's files cannot be told.

use super::elf::BadElf;
use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt::Display;
use std::io;
use std::path::PathBuf;

/// Why an app jail's files cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum ClosureError {
    /// The program is not on the host.
    #[error("there is no program {}", program.display())]
    NoProgram {
        /// As it was asked for.
        program: PathBuf,
        /// Programs of similar name.
        nearest: Vec<PathBuf>,
    },
    /// A relative path was given: from where it counts is not known.
    #[error("{} is neither an absolute path nor a bare name", .0.display())]
    RelativeProgram(PathBuf),
    /// A directory or a device stands in a program's or an interpreter's place.
    #[error("{} is no regular file, so it is no program", .0.display())]
    NotAFile(PathBuf),
    /// Nobody may execute it.
    #[error("{} is not executable", .0.display())]
    NotExecutable(PathBuf),
    /// It is for another processor, is damaged, or neither ELF nor a script.
    #[error("{} cannot run on this host", path.display())]
    NotAProgram {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: BadElf,
    },
    /// A file or directory on the way cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
    /// A script's interpreter is not on the host.
    #[error("the script {} needs {}, which is not on this host", script.display(), interpreter.display())]
    NoInterpreter {
        /// The script.
        script: PathBuf,
        /// What its first line asks for.
        interpreter: PathBuf,
    },
    /// A script's interpreter is a script's interpreter is a script's…
    #[error("{} is interpreted by more scripts than the kernel follows", .0.display())]
    NestedScripts(PathBuf),
    /// A program's loader is not on the host.
    #[error("the program {} needs the loader {}, which is not on this host", program.display(), loader.display())]
    NoLoader {
        /// The program.
        program: PathBuf,
        /// Its `PT_INTERP`.
        loader: PathBuf,
    },
    /// A library is not on the host.
    #[error("{} needs the library {}, which is not on this host", of.display(), library.display())]
    NoLibrary {
        /// Its name, as the needing file has it.
        library: OsString,
        /// The program or library that needs it.
        of: PathBuf,
        /// The directories that its loader searches, in order.
        searched: Vec<PathBuf>,
    },
    /// A library is there, but the loader will not take it.
    #[error("{} needs the library {}, which cannot be loaded", of.display(), library.display())]
    BadLibrary {
        /// Where it is.
        library: PathBuf,
        /// The program or library that needs it.
        of: PathBuf,
        /// What is wrong with it.
        source: BadElf,
    },
    /// Some of the listed files cannot be in an app jail; all of them.
    #[error("root.files: {}", list(.0))]
    Files(Vec<BadFile>),
    /// Some directories cannot be writable; all of them.
    #[error("root.writable: {}", list(.0))]
    Writable(Vec<BadFile>),
    /// Some users or groups are not in the host's files; all of them, groups with a colon.
    #[error("root.users: the host's /etc/passwd and /etc/group do not have {}", list(.0))]
    NoUsers(Vec<String>),
}

/// A listed file that cannot be in an app jail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} {why}", path.display())]
pub struct BadFile {
    /// As it is listed.
    pub path: PathBuf,
    /// What is wrong, to be read after the path.
    pub why: Cow<'static, str>,
}

impl ClosureError {
    /// What could be done about it, if that is known.
    pub fn help(&self) -> Option<String> {
        let paths = |paths: &[PathBuf]| list(paths.iter().map(|p| p.display()));
        match self {
            Self::NoProgram { nearest, .. } if !nearest.is_empty() => {
                Some(format!("there is {}", paths(nearest)))
            }
            Self::RelativeProgram(_) => Some("give its absolute path".to_owned()),
            Self::NoLibrary { searched, .. } => Some(format!("its loader searches {}", paths(searched))),
            Self::NotAProgram { source: BadElf::NotElf, .. } => {
                Some("a script must begin with #! and the absolute path of its interpreter".to_owned())
            }
            _ => None,
        }
    }
}

fn list(items: impl IntoIterator<Item = impl Display>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}
