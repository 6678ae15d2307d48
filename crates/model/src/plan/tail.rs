//! The end of a child's program, the same for a jail's first process and for what `exec`
//! brings in: terminal, limits, privileges, filter, program.

use super::call::{Arg, Call, Expect, Flag, Text};
use super::child::{Steps, prctl};
use super::flags::*;
use super::{First, Step, Stream};
use crate::boot::Kind;
use crate::confinement::Confinement;
use crate::facts::Facts;
use std::ffi::OsString;
use std::path::PathBuf;

/// The Landlock version that knows scopes (Linux 6.12).
pub(super) const LANDLOCK_SCOPES: u8 = 6;

/// The program of a process that `exec` brings in. Its parent has joined the jail's namespaces,
/// so that the child is born in them; `terminal` is the jail's, if it has one.
///
/// For the administrator the child is born outside two of them, which it joins first: in the
/// jail's user namespace nobody may put a process into the jail's control group, and in its
/// cgroup namespace nobody from outside it, where version 2 is mounted with `nsdelegate`. Until it executes its
/// program it is not dumpable and belongs to the host's user namespace, so that nobody inside
/// can trace it or reach what it has open (CVE-2016-9962). `moved`: the parent moves it into
/// control groups before it goes on.
pub fn exec(confinement: &Confinement, first: &First, facts: &Facts, moved: bool) -> Vec<Step> {
    let mut steps = Steps(Vec::with_capacity(80));
    steps.say(
        "only the parent holds its end: its death is the end of this socket",
        Call::new("close", [Arg::Fd("parent".into())]),
    );
    if moved {
        let wait = [Arg::Fd("meeting".into()), Arg::Buffer(8), Arg::Number(8)];
        steps.say(
            "wait: the parent moves this process where it belongs",
            Call::new("read", wait).expect(Expect::Exactly(1)),
        );
    }
    if facts.root() {
        let both = [Arg::Fd("jail".into()), Arg::Flags(&[CLONE_NEWUSER, CLONE_NEWCGROUP])];
        steps.say("the jail's users, and its view of control groups", Call::new("setns", both));
    }
    steps.say(
        "be root inside, for a moment",
        Call::new("setresgid", vec![Arg::Number(0); 3]).expect(Expect::OrRefused),
    );
    steps.and(Call::new("setresuid", vec![Arg::Number(0); 3]).expect(Expect::OrRefused));
    confine(&mut steps, confinement, first, facts);
    execute(&mut steps, confinement, first, Some(Death::WithParent), false);
    steps.0
}

/// The program of a process that becomes a command where it is, with all that its parent has: directory, user,
/// descriptors.
pub fn execute_here(programs: &[PathBuf], arguments: &[OsString], environment: Vec<OsString>) -> Vec<Step> {
    let mut steps = Steps(Vec::with_capacity(programs.len() + 2));
    steps.say("only the parent holds its end", Call::new("close", [Arg::Fd("parent".into())]));
    steps.say("signals as a program expects them", signals());
    become_one_of(&mut steps, programs, arguments, &environment);
    steps.0
}

/// Takes away all that the process must not have.
pub(super) fn confine(steps: &mut Steps, confinement: &Confinement, first: &First, facts: &Facts) {
    // System V's init opens its console before it makes a session of its own. If it had one already, the
    // console would control it, and nobody who logs in there. Until then it is in the keeper's group of
    // processes, to which no other user of the host may send signals: a jail of a plain user is its keeper's user.
    if first.init != Kind::Sysv || !facts.root() {
        steps.say("a session of its own", Call::new("setsid", []));
    }
    streams(steps, first);
    steps.say(
        "no key of the host's",
        Call::new("keyctl", [Arg::Flags(&[KEYCTL_JOIN_SESSION_KEYRING]), Arg::Null])
            .expect(Expect::OrRefused),
    );
    for (resource, soft, hard) in &confinement.limits {
        let args = [Arg::Number(0), Arg::Number((*resource).into()), Arg::Limit(*soft, *hard), Arg::Null];
        steps.say("its limits", Call::new("prlimit64", args));
    }
    steps.say("signals and modes as a program expects them", signals());
    steps.and(Call::new("umask", [Arg::Mode(0o022)]));
    if confinement.scoped && facts.landlock >= LANDLOCK_SCOPES {
        scope(steps, confinement);
    } else if confinement.no_new_privileges {
        steps.say("setuid programs gain nothing", prctl(PR_SET_NO_NEW_PRIVS, &[1]));
    }
    if !confinement.no_new_privileges {
        // Only who may administer its user namespace may set a filter without giving up
        // setuid programs, so it must come before the capabilities go.
        filter(steps, confinement);
    }
    capabilities(steps, confinement, first, facts);
}

fn streams(steps: &mut Steps, first: &First) {
    if first.streams.contains(&Stream::Terminal) && !first.init.is_init() {
        steps.say(
            "the terminal controls it",
            Call::new("ioctl", [Arg::Fd("terminal".into()), Arg::Flags(&[TIOCSCTTY]), Arg::Number(0)]),
        );
    }
    if first.streams.contains(&Stream::Null) {
        let args = [Arg::Here, Arg::Text("/dev/null".into()), Arg::Flags(&[O_RDWR, O_CLOEXEC]), Arg::Mode(0)];
        steps.and(Call::new("openat", args).into("null"));
    }
    for (number, stream) in (0..).zip(first.streams) {
        let from = match stream {
            Stream::Caller => continue,
            Stream::Terminal => "terminal",
            Stream::Null => "null",
        };
        steps.and(Call::new("dup3", [Arg::Fd(from.into()), Arg::Number(number), Arg::Number(0)]));
    }
}

fn signals() -> Call {
    let none = Arg::Words("{}", vec![0]);
    Call::new("rt_sigprocmask", [Arg::Flags(&[SIG_SETMASK]), none, Arg::Null, Arg::Number(8)])
}

/// The signal does what it does by default (rt_sigaction(2)).
fn by_default(signal: &'static [Flag]) -> Call {
    let default = Arg::Words("SIG_DFL", vec![0; 4]);
    Call::new("rt_sigaction", [Arg::Flags(signal), default, Arg::Null, Arg::Number(8)])
}

/// Landlock's scope: abstract unix sockets end at the jail (landlock(7)). Its scope for signals is
/// left out: the pid namespace keeps them in already, and what `exec` brings in, which has a
/// scope of its own, could not even signal the jail's other processes.
fn scope(steps: &mut Steps, confinement: &Confinement) {
    if confinement.no_new_privileges {
        steps.say("setuid programs gain nothing", prctl(PR_SET_NO_NEW_PRIVS, &[1]));
    }
    // struct landlock_ruleset_attr: no files, no ports, LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET.
    let rules = Arg::Words("scoped: abstract unix sockets ", vec![0, 0, 1]);
    steps.say(
        "the host's abstract sockets are out of reach",
        Call::new("landlock_create_ruleset", [rules, Arg::Number(24), Arg::Number(0)]).into("scope"),
    );
    steps.and(Call::new("landlock_restrict_self", [Arg::Fd("scope".into()), Arg::Number(0)]));
}

fn capabilities(steps: &mut Steps, confinement: &Confinement, first: &First, facts: &Facts) {
    let mut why: Text = "capabilities that nobody inside can ever have".into();
    for cap in (0..=facts.last_capability).filter(|cap| confinement.capabilities.bits() & (1 << cap) == 0) {
        steps.say(std::mem::take(&mut why), prctl(PR_CAPBSET_DROP, &[cap.into()]));
    }
    if !facts.root() {
        // Without a map of groups the kernel refuses setgroups; the caller's one id stays.
        let none = crate::caps::CapSet::default();
        steps.say("no capability", capset(none, none));
        return;
    }
    let user = first.user;
    let kept = if user == 0 { confinement.capabilities } else { confinement.added };
    let carry = user != 0 && kept.bits() != 0;
    if carry {
        steps.say("these stay over the change of user", prctl(PR_SET_KEEPCAPS, &[1]));
    }
    let groups = u64::try_from(first.groups.len()).unwrap_or(0);
    steps.say(
        "its user and groups",
        Call::new("setgroups", [Arg::Number(groups), Arg::Ids(first.groups.clone())]),
    );
    if (user, first.group) != (0, 0) {
        steps.and(Call::new("setresgid", vec![Arg::Number(first.group.into()); 3]));
        steps.and(Call::new("setresuid", vec![Arg::Number(user.into()); 3]));
    }
    steps.say("its capabilities", capset(kept, if carry { kept } else { crate::caps::CapSet::default() }));
    for cap in kept.iter().filter(|_| carry) {
        steps.say(
            format!("cap_{}, over exec", cap.name()),
            prctl(PR_CAP_AMBIENT, &[PR_CAP_AMBIENT_RAISE.1, cap.number().into()]),
        );
    }
}

fn capset(held: crate::caps::CapSet, inheritable: crate::caps::CapSet) -> Call {
    // _LINUX_CAPABILITY_VERSION_3, of this process
    let header = Arg::Words("{VERSION_3, 0}", vec![0x2008_0522]);
    Call::new("capset", [header, Arg::Caps(held, inheritable)])
}

/// The lowest number that is free when all descriptors but the standard streams and the socket
/// to the parent are closed; the socket is the second of a pair, so that it is never this one.
pub const LISTENER: i32 = 3;

fn filter(steps: &mut Steps, confinement: &Confinement) {
    if confinement.watched {
        return watched(steps, confinement);
    }
    steps.say(
        "only the calls of its profile from here",
        Call::new(
            "seccomp",
            [Arg::Flags(&[SECCOMP_SET_MODE_FILTER]), Arg::Number(0), Arg::Filter(confinement.filter.clone())],
        ),
    );
}

/// The filter asks the parent about some calls. The parent takes the descriptor that the kernel
/// tells it by when it hears of it: the child can no longer send one, since sending is a call that is
/// asked about.
fn watched(steps: &mut Steps, confinement: &Confinement) {
    let flags: &'static [Flag] = &[SECCOMP_FILTER_FLAG_NEW_LISTENER, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV];
    let args =
        [Arg::Flags(&[SECCOMP_SET_MODE_FILTER]), Arg::Flags(flags), Arg::Filter(confinement.filter.clone())];
    let set = Call::new("seccomp", args).expect(Expect::Exactly(LISTENER.into()));
    steps.say("only the calls of its profile from here, and some are looked at", set);
    let tell = [Arg::Fd("meeting".into()), Arg::Bytes(b"l".to_vec()), Arg::LengthOfLast];
    steps.say("the parent may listen", Call::new("write", tell));
}

/// What a process has to do with its parent's death from here on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Death {
    /// It dies with it.
    WithParent,
    /// It outlives it.
    Alone,
}

/// Becomes the program, with nothing of the host's left open. `death`: unless it was said before.
/// `at_top`: its directory is its root.
pub(super) fn execute(
    steps: &mut Steps,
    confinement: &Confinement,
    first: &First,
    death: Option<Death>,
    at_top: bool,
) {
    match death {
        Some(Death::WithParent) => {
            steps.say("dies with the command that made it", prctl(PR_SET_PDEATHSIG, &[SIGKILL.1]));
        }
        Some(Death::Alone) => steps.say("outlives its keeper", prctl(PR_SET_PDEATHSIG, &[0])),
        None => {}
    }
    // They are closed now and not by exec: a path of the jail's, such as a directory that is a
    // link to /proc/self/fd/7, could still lead through them (CVE-2024-21626). The socket to the
    // parent is closed by exec, which tells the parent of it.
    let range = |from, to| Call::new("close_range", [from, to, Arg::Number(0)]);
    steps.say("no descriptor of the host's goes along", range(Arg::Number(3), Arg::Before("meeting".into())));
    steps.and(range(Arg::After("meeting".into()), Arg::Number(u32::MAX.into())));
    // The process's root is the jail's, and so was its directory so far: nothing that a path can
    // name from here is outside.
    if death == Some(Death::Alone) {
        // nohup(1) is about the command that it starts, not about a jail that stays.
        steps.and(by_default(&[SIGHUP]));
    }
    if !at_top || first.directory.as_os_str() != "/" {
        start_in(steps, first);
    }
    if confinement.no_new_privileges {
        // As late as can be: the filter of `strict` knows what the program needs, not what led to it.
        filter(steps, confinement);
    }
    become_one_of(steps, &first.programs, &first.arguments, &first.environment);
}

/// Becomes the first of these programs that is there.
fn become_one_of(steps: &mut Steps, programs: &[PathBuf], arguments: &[OsString], environment: &[OsString]) {
    let last = programs.len().saturating_sub(1);
    for (n, program) in programs.iter().enumerate() {
        let program = Arg::Text(program.to_string_lossy().into_owned().into());
        let args = [program, Arg::Texts(arguments.to_vec()), Arg::Texts(environment.to_vec())];
        let call = Call::new("execve", args);
        steps.say("its program", if n < last { call.expect(Expect::OrAbsent) } else { call });
    }
}

fn start_in(steps: &mut Steps, first: &First) {
    let directory = Arg::Text(first.directory.to_string_lossy().into_owned().into());
    let expect = if first.or_top { Expect::OrUnreachable } else { Expect::Success };
    steps.say("where it starts", Call::new("chdir", [directory]).expect(expect));
}
