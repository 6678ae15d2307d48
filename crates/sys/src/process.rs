//! Processes: made with all their namespaces at once, held by descriptors, never by number.

use crate::call::{check, own, word};
use crate::error::{CallError, Errno, Result};
use crate::program::Program;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

pub use libc::{
    CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWUTS,
};

/// `CLONE_INTO_CGROUP` of `linux/sched.h`; libc's constant has too narrow a type.
const CLONE_INTO_CGROUP: u64 = 1 << 33;

/// A process that this one made.
#[derive(Debug)]
pub struct Child {
    /// Its number, in this process's pid namespace.
    pub pid: i32,
    /// The process itself (pidfd_open(2)).
    pub pidfd: OwnedFd,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this status.
    Status(i32),
    /// A signal ended it.
    Signal(i32),
}

impl Exit {
    /// As a shell reports it: 128 + n for signal n.
    pub fn code(self) -> i32 {
        match self {
            Self::Status(status) => status,
            Self::Signal(signal) => 128 + signal,
        }
    }

    /// From the status word of wait(2).
    pub fn from_wait(status: i32) -> Self {
        if libc::WIFSIGNALED(status) {
            Self::Signal(libc::WTERMSIG(status))
        } else {
            Self::Status(libc::WEXITSTATUS(status))
        }
    }
}

/// Makes a child in new namespaces (`flags`: `CLONE_NEW…`) and a cgroup v2 directory, and has
/// it run `program` (clone3(2), Linux 5.3; into a cgroup 5.7). The child's failures go to
/// `report` as [`crate::program::Failed`]. The child uses this process's memory until it
/// executes another program or ends; what it uses stays with the [`Loan`].
pub fn spawn(
    program: Program,
    flags: i32,
    cgroup: Option<BorrowedFd<'_>>,
    report: BorrowedFd<'_>,
) -> Result<(Child, Loan)> {
    let mut lent = Box::new(Lent {
        program,
        report: report.as_raw_fd(),
        busy: AtomicU32::new(1),
        stack: Vec::with_capacity(STACK),
    });
    lent.program.settle();
    let mut pidfd = -1i32;
    let shared = (libc::CLONE_PIDFD | libc::CLONE_VM | libc::CLONE_CHILD_CLEARTID).cast_unsigned();
    let into = if cgroup.is_some() { CLONE_INTO_CGROUP } else { 0 };
    let arguments = libc::clone_args {
        flags: u64::from(flags.cast_unsigned() | shared) | into,
        pidfd: (&raw mut pidfd).addr() as u64,
        child_tid: (&raw const lent.busy).addr() as u64,
        parent_tid: 0,
        exit_signal: libc::SIGCHLD.cast_unsigned().into(),
        stack: lent.stack.as_mut_ptr().addr() as u64,
        stack_size: size_of::<[u128; STACK]>() as u64,
        tls: 0,
        set_tid: 0,
        set_tid_size: 0,
        cgroup: cgroup.map_or(0, |c| u64::from(c.as_raw_fd().cast_unsigned())),
    };
    let mut loan = Loan(ManuallyDrop::new(lent));
    // SAFETY: the child has a stack of its own and touches nothing of this process but what is
    // on loan, which nobody else uses or frees until the kernel says that the child has left.
    let pid = unsafe { clone_onto(&arguments, run_lent, &raw mut **loan.0) };
    if pid < 0 {
        loan.0.busy = AtomicU32::new(0);
        let call = format!("clone3({flags:#x}, cgroup: {:?})", cgroup.map(|c| c.as_raw_fd()));
        return Err(CallError { call, errno: Errno(i32::try_from(-pid).unwrap_or(libc::EINVAL)) });
    }
    Ok((Child { pid: i32::try_from(pid).unwrap_or(-1), pidfd: own(pidfd.into()) }, loan))
}

/// In units of 16 bytes, as both architectures align stacks. The child calls three functions.
const STACK: usize = 512;

/// What a child uses of its parent's memory.
#[derive(Debug)]
struct Lent {
    program: Program,
    report: RawFd,
    /// The kernel writes 0 when the child executes a program or ends (`CLONE_CHILD_CLEARTID`).
    busy: AtomicU32,
    stack: Vec<u128>,
}

/// Memory that a child uses. Dropped while it still does, it is never freed.
#[derive(Debug)]
pub struct Loan(ManuallyDrop<Box<Lent>>);

impl Drop for Loan {
    fn drop(&mut self) {
        if self.0.busy.load(Ordering::Acquire) == 0 {
            // SAFETY: dropped here only, and the child has left this memory.
            unsafe { ManuallyDrop::drop(&mut self.0) }
        }
    }
}

/// Where the child begins.
extern "C" fn run_lent(lent: *mut Lent) -> ! {
    // SAFETY: `spawn` gives the address of a loan, and leaves it alone.
    let lent = unsafe { &mut *lent };
    lent.program.run(lent.report)
}

/// clone3(2) for a child that begins with `begin(lent)` on the stack that `arguments` name. A
/// negative result is an error number.
///
/// # Safety
///
/// The child shares this process's memory; `begin` must not reach what is in use here.
#[cfg(target_arch = "x86_64")]
unsafe fn clone_onto(
    arguments: &libc::clone_args,
    begin: extern "C" fn(*mut Lent) -> !,
    lent: *mut Lent,
) -> i64 {
    let returned: i64;
    // SAFETY: the child leaves this code by the call, with nothing of this function's stack.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r12",
            "call r13",
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone3 => returned,
            in("rdi") arguments,
            in("rsi") size_of_val(arguments),
            in("r12") lent,
            in("r13") begin,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    returned
}

/// As on x86-64.
///
/// # Safety
///
/// See there.
#[cfg(target_arch = "aarch64")]
unsafe fn clone_onto(
    arguments: &libc::clone_args,
    begin: extern "C" fn(*mut Lent) -> !,
    lent: *mut Lent,
) -> i64 {
    let returned: i64;
    // SAFETY: as on x86-64.
    unsafe {
        std::arch::asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x0, x9",
            "blr x10",
            "brk 1",
            "2:",
            in("x8") libc::SYS_clone3,
            inlateout("x0") arguments => returned,
            in("x1") size_of_val(arguments),
            in("x9") lent,
            in("x10") begin,
        );
    }
    returned
}

/// Says that nobody knows where a thread's stack ends.
///
/// It stands in place of the C library's function of this name, which the standard library
/// calls before `main` to tell an overflow of the stack from other faults. That one reads all of
/// `/proc/self/maps`, which takes as long as everything else that jaula does before it looks at
/// its command line. Without an answer an overflow is a fault like any other.
#[cfg(target_env = "gnu")]
#[unsafe(no_mangle)]
extern "C" fn pthread_getattr_np(_thread: libc::pthread_t, _attributes: *mut libc::pthread_attr_t) -> i32 {
    libc::ENOSYS
}

/// This process's number, once it has asked for it.
static NUMBER: AtomicI32 = AtomicI32::new(0);

/// This process's number (getpid(2)).
pub fn number() -> i32 {
    let known = NUMBER.load(Ordering::Relaxed);
    if known != 0 {
        return known;
    }
    // SAFETY: getpid takes no arguments.
    let number = unsafe { libc::getpid() };
    NUMBER.store(number, Ordering::Relaxed);
    number
}

/// Splits this process in two, as fork(2): `None` in the child.
///
/// jaula makes no threads, so that the child may do all that its parent may.
pub fn fork() -> Result<Option<Child>> {
    // SAFETY: the process has one thread, so that no lock is held by a thread that is gone.
    let pid = check(unsafe { libc::fork() }.into(), || "fork()".to_owned())?;
    if pid == 0 {
        NUMBER.store(0, Ordering::Relaxed);
        return Ok(None);
    }
    let pid = i32::try_from(pid).unwrap_or(-1);
    let pidfd = open(pid).inspect_err(|_| {
        // Whoever hears that there is no child must have none.
        // SAFETY: neither call takes pointers that are not null; `pid` is our own child, which
        // nobody else waits for.
        unsafe {
            libc::kill(pid, libc::SIGKILL);
            libc::waitpid(pid, std::ptr::null_mut(), 0);
        }
    })?;
    Ok(Some(Child { pid, pidfd }))
}

/// A process by number (pidfd_open(2), Linux 5.3).
pub fn open(pid: i32) -> Result<OwnedFd> {
    // SAFETY: pidfd_open takes no pointers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    check(fd, || format!("pidfd_open({pid})")).map(own)
}

/// Sends a signal to exactly this process (pidfd_send_signal(2)); 0 only asks whether one could.
pub fn signal(pidfd: impl AsFd, signal: i32) -> Result<()> {
    let fd = pidfd.as_fd().as_raw_fd();
    // SAFETY: a null siginfo is allowed.
    let done = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, std::ptr::null::<u8>(), 0) };
    check(done, || format!("pidfd_send_signal({fd}, {signal})")).map(drop)
}

/// A copy of a descriptor that another process has (pidfd_getfd(2), Linux 5.6).
pub fn take_descriptor(pidfd: impl AsFd, number: i32) -> Result<OwnedFd> {
    let fd = pidfd.as_fd().as_raw_fd();
    // SAFETY: pidfd_getfd takes no pointers.
    let got = unsafe { libc::syscall(libc::SYS_pidfd_getfd, fd, number, 0) };
    check(got, || format!("pidfd_getfd({fd}, {number})")).map(own)
}

/// The user namespace that a process is in (`PIDFD_GET_USER_NAMESPACE`, Linux 6.11; before that
/// from `/proc`, by the number of a process that nobody has waited for).
pub fn user_namespace(child: &Child) -> Result<OwnedFd> {
    const GET_USER_NAMESPACE: u64 = 0xFF09;
    let fd = child.pidfd.as_fd().as_raw_fd();
    // SAFETY: this request takes no argument and returns a descriptor.
    let got = unsafe { libc::syscall(libc::SYS_ioctl, fd, GET_USER_NAMESPACE, 0) };
    if got >= 0 {
        return Ok(own(got));
    }
    crate::fs::open(crate::fs::CWD, format!("/proc/{}/ns/user", child.pid), crate::fs::O_RDONLY, 0)
}

/// The network namespace that a process is in (`PIDFD_GET_NET_NAMESPACE`, Linux 6.11; before that
/// from `/proc`, by the number of a process that nobody has waited for).
pub fn network_namespace(child: &Child) -> Result<OwnedFd> {
    const GET_NET_NAMESPACE: u64 = 0xFF04;
    let fd = child.pidfd.as_fd().as_raw_fd();
    // SAFETY: this request takes no argument and returns a descriptor.
    let got = unsafe { libc::syscall(libc::SYS_ioctl, fd, GET_NET_NAMESPACE, 0) };
    if got >= 0 {
        return Ok(own(got));
    }
    crate::fs::open(crate::fs::CWD, format!("/proc/{}/ns/net", child.pid), crate::fs::O_RDONLY, 0)
}

/// Does something with this thread in another network namespace, as making a socket that belongs there.
pub fn in_network<T>(namespace: impl AsFd, act: impl FnOnce() -> Result<T>) -> Result<T> {
    let own = crate::fs::open(crate::fs::CWD, "/proc/thread-self/ns/net", crate::fs::O_RDONLY, 0)?;
    join(namespace, libc::CLONE_NEWNET)?;
    let done = act();
    join(own, libc::CLONE_NEWNET)?;
    done
}

/// Waits for a child and removes its zombie (waitid(2), `P_PIDFD`, Linux 5.4).
pub fn wait(pidfd: impl AsFd) -> Result<Exit> {
    loop {
        if let Some(exit) = wait_with(&pidfd, 0)? {
            return Ok(exit);
        }
    }
}

/// The same without waiting: `None` while the child runs.
pub fn try_wait(pidfd: impl AsFd) -> Result<Option<Exit>> {
    wait_with(&pidfd, libc::WNOHANG)
}

fn wait_with(pidfd: &impl AsFd, flags: i32) -> Result<Option<Exit>> {
    let fd = pidfd.as_fd().as_raw_fd();
    // SAFETY: all-zero is a valid siginfo_t.
    let mut info: libc::siginfo_t = unsafe { MaybeUninit::zeroed().assume_init() };
    // SAFETY: `info` has room for the result.
    let done =
        unsafe { libc::waitid(libc::P_PIDFD, fd.cast_unsigned(), &raw mut info, libc::WEXITED | flags) };
    match check(done.into(), || format!("waitid(P_PIDFD, {fd})")) {
        Err(e) if e.is(libc::EINTR) => return Ok(None),
        done => done?,
    };
    // SAFETY: waitid fills the SIGCHLD fields; si_pid stays 0 if nobody ended.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    let exit = if info.si_code == libc::CLD_EXITED { Exit::Status(status) } else { Exit::Signal(status) };
    Ok((pid != 0).then_some(exit))
}

/// How a process ended that is not our child, once it has (`PIDFD_GET_INFO`, Linux 6.15 for
/// ended ones). `None` if the kernel does not tell.
pub fn exit_of(pidfd: impl AsFd) -> Option<Exit> {
    /// `struct pidfd_info` of `linux/pidfd.h`, as long as it was first published.
    #[repr(C)]
    #[derive(Default)]
    struct Info {
        mask: u64,
        cgroupid: u64,
        numbers: [u32; 11],
        exit_code: i32,
    }
    const EXIT: u64 = 1 << 3;
    const GET_INFO: u64 = 0xC000_FF0B | (size_of::<Info>() as u64) << 16;
    let mut info = Info { mask: EXIT, ..Info::default() };
    // SAFETY: the request's number carries the size of `info`, which it fills.
    let done = unsafe { libc::syscall(libc::SYS_ioctl, pidfd.as_fd().as_raw_fd(), GET_INFO, &raw mut info) };
    (done == 0 && info.mask & EXIT != 0).then(|| Exit::from_wait(info.exit_code))
}

/// Joins namespaces of a process (`flags`), or the one that `fd` refers to (setns(2); by
/// pidfd Linux 5.8).
pub fn join(fd: impl AsFd, flags: i32) -> Result<()> {
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: setns takes no pointers.
    check(unsafe { libc::setns(fd, flags) }.into(), || format!("setns({fd}, {flags:#x})")).map(drop)
}

/// Becomes this user and group, without further groups and without any capability (setgroups(2), setresgid(2),
/// setresuid(2)).
pub fn become_user(user: u32, group: u32) -> Result<()> {
    // SAFETY: without groups the pointer is not read.
    let done = unsafe { libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<libc::gid_t>()) };
    check(done, || "setgroups(0)".to_owned())?;
    // SAFETY: no pointers.
    let done = unsafe { libc::syscall(libc::SYS_setresgid, group, group, group) };
    check(done, || format!("setresgid({group})"))?;
    // SAFETY: no pointers.
    let done = unsafe { libc::syscall(libc::SYS_setresuid, user, user, user) };
    check(done, || format!("setresuid({user})")).map(drop)
}

/// Becomes the leader of a new session, without a terminal (setsid(2)).
pub fn new_session() -> Result<()> {
    // SAFETY: setsid takes no arguments.
    check(unsafe { libc::setsid() }.into(), || "setsid()".to_owned()).map(drop)
}

/// Makes `fd` the process's descriptor with this number (dup3(2) without close-on-exec).
pub fn redirect(fd: impl AsFd, number: i32) -> Result<()> {
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: dup2 takes no pointers; callers only replace 0, 1 and 2, which no OwnedFd holds.
    check(unsafe { libc::dup2(fd, number) }.into(), || format!("dup2({fd}, {number})")).map(drop)
}

/// Closes every descriptor from 3 on but one (close_range(2), Linux 5.9).
///
/// For a process that has just been forked and goes its own way: whatever its parent had open,
/// it must not keep open. Nothing that owns one of them may be used or dropped afterwards.
pub fn close_all_but(keep: impl AsFd) -> Result<()> {
    let keep = keep.as_fd().as_raw_fd().cast_unsigned();
    for (from, to) in [(3, keep.wrapping_sub(1)), (keep + 1, u32::MAX)] {
        if from <= to {
            // SAFETY: close_range takes no pointers; that nothing uses the descriptors any more is
            // the caller's word, see above.
            let done = unsafe { libc::syscall(libc::SYS_close_range, from, to, 0) };
            check(done, || format!("close_range({from}, {to}, 0)"))?;
        }
    }
    Ok(())
}

/// The name that `ps` shows for this process; the kernel keeps 15 bytes (`PR_SET_NAME`).
pub fn set_name(name: &str) {
    let name = crate::call::path(name);
    // SAFETY: `name` is a C string that lives over the call.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0) };
}

/// Ends this process at once, without what a returning `main` would still do.
pub fn exit(status: i32) -> ! {
    // SAFETY: _exit does not return and runs nothing of ours.
    unsafe { libc::_exit(status) }
}

/// May this process be traced or its memory read by others of its user (`PR_SET_DUMPABLE`)?
pub fn set_dumpable(dumpable: bool) -> Result<()> {
    // SAFETY: this prctl takes no pointers.
    let done = unsafe { libc::prctl(libc::PR_SET_DUMPABLE, libc::c_ulong::from(dumpable), 0, 0, 0) };
    check(done.into(), || format!("prctl(PR_SET_DUMPABLE, {dumpable})")).map(drop)
}

/// The highest capability that the kernel knows (`PR_CAPBSET_READ` knows where it ends).
pub fn last_capability() -> u8 {
    let known = |cap: u8| {
        // SAFETY: this prctl takes no pointers.
        unsafe { libc::prctl(libc::PR_CAPBSET_READ, libc::c_ulong::from(cap), 0, 0, 0) >= 0 }
    };
    // Number 40 came with Linux 5.9, and most often is the last.
    let mut last = 40;
    while last < 63 && known(last + 1) {
        last += 1;
    }
    last
}

/// The effective user id that this process was started with (getauxval(3): no call; jaula's own
/// processes never change it).
pub fn user() -> u32 {
    auxiliary(libc::AT_EUID)
}

/// The effective group id that it was started with.
pub fn group() -> u32 {
    auxiliary(libc::AT_EGID)
}

/// Which bits of a mode are taken from what this process makes (proc_pid_status(5)); all of them if /proc
/// does not tell: then each mode is set.
pub fn umask() -> u32 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    mask.and_then(|mask| u32::from_str_radix(mask.trim(), 8).ok()).unwrap_or(0o777)
}

fn auxiliary(kind: libc::c_ulong) -> u32 {
    // SAFETY: getauxval takes no pointers.
    u32::try_from(unsafe { libc::getauxval(kind) }).unwrap_or(u32::MAX)
}

/// The newest Landlock version that the kernel speaks, 0 if none (landlock_create_ruleset(2)).
pub fn landlock() -> u8 {
    const VERSION: libc::c_ulong = 1;
    // SAFETY: with this flag the call takes no structure.
    let version =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0, VERSION) };
    u8::try_from(version).unwrap_or(0)
}

/// The kernel's release, as `uname -r` says it.
pub fn release() -> String {
    let mut name = MaybeUninit::<libc::utsname>::zeroed();
    // SAFETY: uname fills the structure, which is zeroed before.
    let name = unsafe {
        libc::uname(name.as_mut_ptr());
        name.assume_init()
    };
    let bytes = name.release.iter().map(|c| c.cast_unsigned()).take_while(|c| *c != 0).collect();
    String::from_utf8(bytes).unwrap_or_default()
}

/// A limit of this process (getrlimit(2)): soft and hard; `None` is unlimited.
pub fn limit(resource: u32) -> Result<(Option<u64>, Option<u64>)> {
    let mut limit = MaybeUninit::<libc::rlimit64>::uninit();
    // SAFETY: no new limit is given, the old one has room.
    let done = unsafe {
        libc::syscall(
            libc::SYS_prlimit64,
            0,
            word(resource.into()),
            std::ptr::null::<u8>(),
            limit.as_mut_ptr(),
        )
    };
    check(done, || format!("prlimit64(0, {resource})"))?;
    // SAFETY: the call succeeded and filled it.
    let limit = unsafe { limit.assume_init() };
    let finite = |n| (n != libc::RLIM64_INFINITY).then_some(n);
    Ok((finite(limit.rlim_cur), finite(limit.rlim_max)))
}
