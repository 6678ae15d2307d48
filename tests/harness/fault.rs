//! Faults: killed at each system call, and a full disk.

use super::build::c_program;
use super::jaula::{Done, run, under};
use super::test::{Outcome, Stop, Test};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    /// The process that was started.
    Main,
    /// Whichever of the processes made by it, and by them, makes the system call.
    Children,
    /// The processes that it makes itself: of `jaula start`, the keeper.
    Keeper,
    /// The processes that those make, until they execute a program: a jail's first process.
    First,
    /// A process that runs already.
    Running(i32),
}

impl Victim {
    /// As the killer takes it.
    fn word(self) -> String {
        match self {
            Self::Main => "main".to_owned(),
            Self::Children => "children".to_owned(),
            Self::Keeper => "keeper".to_owned(),
            Self::First => "first".to_owned(),
            Self::Running(pid) => pid.to_string(),
        }
    }
}

/// How many system calls a command survived being killed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Survived {
    /// The number of kills: as many system calls as the command's victims make.
    pub kills: u32,
}

/// Runs a command once for each of its system calls and kills the victim when it makes that
/// call, before the kernel carries it out. After each run `check` is called with what happened;
/// it looks at the host, repairs and tidies. The first run that nothing interrupts ends it all.
///
/// `command` makes the command line of one run: a command may need another jail each time.
pub fn fault_at_every_call(
    victim: Victim,
    mut command: impl FnMut() -> Outcome<Command>,
    check: impl FnMut(&Done) -> Outcome,
) -> Outcome<Survived> {
    fault_at_calls(1, || Ok((victim, command()?)), check)
}

/// The same with another victim each time, one that runs already; and, where a run takes long, at
/// each `step`th call only.
pub fn fault_at_calls(
    step: usize,
    prepare: impl FnMut() -> Outcome<(Victim, Command)>,
    check: impl FnMut(&Done) -> Outcome,
) -> Outcome<Survived> {
    fault_at_those((1..100_000).step_by(step), prepare, check)
}

/// The same at the calls of these numbers, counted from 1, and those after them up to the first run
/// that nothing interrupts.
pub fn fault_at_those(
    numbers: impl IntoIterator<Item = u32>,
    mut prepare: impl FnMut() -> Outcome<(Victim, Command)>,
    mut check: impl FnMut(&Done) -> Outcome,
) -> Outcome<Survived> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("harness/killer.c");
    let killer = c_program("killer", &[source])?;
    for number in numbers {
        let (victim, command) = prepare()?;
        let mut killed = under(&killer, &[&victim.word(), &number.to_string()], &command);
        let done = run(&mut killed, b"", Duration::from_secs(60))?;
        // The killer's line says whether anyone was killed, and at what.
        let last =
            done.stderr.lines().rfind(|line| line.starts_with("killer: ")).unwrap_or_default().to_owned();
        let victim_of = match last.split_once(": ") {
            Some(("killer", what)) => what.strip_prefix("killed "),
            _ => return Err(format!("the killer did not report: {done}").into()),
        };
        let interrupted = victim_of.is_some();
        if let Some(pid) = victim_of.and_then(|what| what.split(' ').next()) {
            until_dead(pid);
        }
        check(&done).map_err(|stop| match stop {
            Stop::Failed(why) => Stop::Failed(format!("{victim:?}, system call {number} ({last}): {why}")),
            skipped => skipped,
        })?;
        if !interrupted {
            return Ok(Survived { kills: number - 1 });
        }
    }
    Err("the command does not end".into())
}

/// Waits until a killed process has let go of all that it had open: until it is a zombie or gone.
/// On a busy machine that can be later than the end of the command.
fn until_dead(pid: &str) {
    let dead = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']))
    };
    for _ in 0..5000 {
        if dead() {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A test's `JAULA_ROOT` on a disk of its own, small enough to be filled. It is unmounted when
/// dropped.
#[derive(Debug)]
pub struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    /// Puts an empty disk of this many bytes at the test's `JAULA_ROOT`.
    pub fn mount(test: &Test, bytes: u64) -> Outcome<Self> {
        let at = test.root().to_owned();
        let options = std::ffi::CString::new(format!("size={bytes},mode=755"))?;
        rustix::mount::mount(
            test.mark(),
            &at,
            "tmpfs",
            rustix::mount::MountFlags::empty(),
            options.as_c_str(),
        )?;
        Ok(Self { at })
    }

    /// Takes all space that is left but this many bytes, or what somebody who writes beside leaves of it.
    pub fn fill_but(&self, free: u64) -> Outcome {
        let disk = rustix::fs::statvfs(&self.at)?;
        let take = (disk.f_bavail * disk.f_frsize).saturating_sub(free);
        let mut file = File::create(self.at.join("filler"))?;
        match file.write_all(&vec![1; usize::try_from(take)?]) {
            Err(e) if e.kind() != io::ErrorKind::StorageFull => Err(e.into()),
            _ => Ok(()),
        }
    }

    /// Gives the space back.
    pub fn free(&self) -> Outcome {
        Ok(fs::remove_file(self.at.join("filler"))?)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        _ = rustix::mount::unmount(&self.at, rustix::mount::UnmountFlags::DETACH);
    }
}
