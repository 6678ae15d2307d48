//! One test: what it needs, where it lives, and what must be gone when it ends.

use super::host::Snapshot;
use super::jaula::Jaula;
use libtest_mimic::{Completion, Failed, Trial};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// What a test needs to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing: any user on any machine.
    Pure,
    /// Root on this machine.
    Privileged,
    /// The lab: a virtual machine with what this one has not.
    Lab,
}

/// Why a test ended before its end.
#[derive(Debug)]
pub enum Stop {
    /// It failed, and this is why.
    Failed(String),
    /// It cannot run here, and this is why.
    Skipped(String),
}

/// How a test ends. `?` turns every error into a failure.
pub type Outcome<T = ()> = Result<T, Stop>;

impl<E: Display> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.to_string())
    }
}

/// A running test's place: its own `JAULA_ROOT` and its own mark.
///
/// The mark stands in the path of the directory and in every name from [`Test::name`], so that
/// what a test leaves behind on the host can be told from what its neighbours are doing.
#[derive(Debug)]
pub struct Test {
    mark: String,
    /// What jaula puts into the names of this root's control groups, also of jails that it
    /// names itself.
    tag: String,
    root: PathBuf,
}

impl Test {
    fn begin() -> std::io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // Fixed width, so that no mark is the beginning of another.
        let mark = format!("t{:x}x{:03}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        // Socket paths are limited to 107 bytes: the directory must be short.
        let root = PathBuf::from("/tmp").join(&mark);
        std::fs::create_dir(&root)?;
        let tag = format!("jaula.{}.", jaula::house::House::below(&root).tag);
        Ok(Self { mark, tag, root })
    }

    /// A jail's name that no other test uses: `www` becomes something like `www-t3f1x007`.
    pub fn name(&self, word: &str) -> String {
        format!("{word}-{}", self.mark)
    }

    /// What stands in the names and paths of everything that is this test's.
    pub fn mark(&self) -> &str {
        &self.mark
    }

    /// The test's `JAULA_ROOT`, empty at the beginning.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The command `jaula` with this test's `JAULA_ROOT`.
    pub fn jaula(&self) -> Jaula {
        Jaula::new(&self.root)
    }

    /// Everything on the host that bears this test's mark or is its `JAULA_ROOT`'s.
    pub fn left_behind(&self) -> Snapshot {
        Snapshot::take().bearing(&[&self.mark, &self.tag])
    }

    /// Ends the test as skipped: `return t.skip("no nftables here")`.
    pub fn skip<T>(&self, why: &str) -> Outcome<T> {
        Err(Stop::Skipped(why.to_owned()))
    }
}

impl Drop for Test {
    /// Clears away what a failed test left, so that it spoils neither its neighbours nor the
    /// machine of whoever ran it.
    fn drop(&mut self) {
        self.left_behind().clear_away();
        // A mount that is still there may be the host's own tree: then nothing is deleted.
        if Snapshot::mounts_below(&self.root).is_empty() {
            _ = std::fs::remove_dir_all(&self.root);
        }
    }
}

/// Makes one trial of a test's function; see [`trials!`](crate::trials).
pub fn trial(name: String, need: Need, body: fn(&Test) -> Outcome) -> Trial {
    let kind = match need {
        Need::Pure => "pure",
        Need::Privileged => "privileged",
        Need::Lab => "lab",
    };
    Trial::ignorable_test(name, move || match attempt(need, body) {
        Ok(()) => Ok(Completion::Completed),
        Err(Stop::Skipped(why)) => Ok(Completion::ignored_with(why)),
        Err(Stop::Failed(why)) => Err(Failed::from(why)),
    })
    .with_kind(kind)
}

fn attempt(need: Need, body: fn(&Test) -> Outcome) -> Outcome {
    match need {
        Need::Privileged if !rustix::process::geteuid().is_root() => {
            return Err(Stop::Skipped("it needs root".to_owned()));
        }
        Need::Lab if std::env::var_os("JAULA_LAB").is_none() => {
            return Err(Stop::Skipped("it needs the lab's virtual machine: cargo xtask lab test".to_owned()));
        }
        _ => {}
    }
    let test = Test::begin()?;
    body(&test)?;
    // The kernel takes some things apart behind the caller's back (network namespaces, loop
    // devices), so what is there at once is only suspicious; what stays is left behind.
    let left = Snapshot::settle(Duration::from_secs(3), || test.left_behind());
    if left.is_empty() { Ok(()) } else { Err(Stop::Failed(left.as_left_behind())) }
}

/// Lists a file's tests by need: `trials!("start": privileged [a, b], pure [c])` are the trials
/// `start::a`, `start::b`, `start::c` of the functions `a`, `b` and `c`.
#[macro_export]
macro_rules! trials {
    ($area:literal: $($need:ident [$($test:ident),* $(,)?]),* $(,)?) => {
        vec![$($($crate::harness::trial(
            concat!($area, "::", stringify!($test)).to_owned(),
            $crate::trials!(@need $need),
            $test,
        )),*),*]
    };
    (@need pure) => { $crate::harness::Need::Pure };
    (@need privileged) => { $crate::harness::Need::Privileged };
    (@need lab) => { $crate::harness::Need::Lab };
}
