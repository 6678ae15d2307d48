//! The system calls that jaula knows, with their numbers and what they are for.
//!
//! Names and numbers are those of the kernel's headers, up to Linux 6.18. A call of a newer
//! kernel is unknown, and a jail gets `ENOSYS` for it, until it has its row and its group here.
//! `arm_sync_file_range` is an older name of arm's `sync_file_range2` and has no row.

use super::Abi;

/// What a system call is for; profiles and keys of the configuration speak about these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// What any program needs to start, run threads, do file and pipe I/O and exit.
    Base,
    /// What programs and daemons use beside that.
    Ordinary,
    /// Sockets.
    Socket,
    /// Looking into other processes, which the kernel guards as it guards `ptrace`.
    Inspect,
    /// System V message queues, semaphores, shared memory.
    SysvIpc,
    /// The tree of mounts.
    Mount,
    /// Namespaces made or joined by an existing process.
    Namespace,
    /// `clone3`, whose flags lie in memory, where no filter reads them.
    Clone3,
    /// The host's and the domain's name.
    Hostname,
    /// What only an init does: it ends its machine (for the kernel: its process namespace) and
    /// hangs up terminals.
    Init,
    /// On which memory node pages lie.
    Numa,
    /// The kernel's key store.
    Keyring,
    /// Submission rings, whose operations no filter sees.
    IoUring,
    /// BPF programs and performance counters.
    Tracing,
    /// Page faults handled by programs.
    PageFault,
    /// Another kernel, or more of this one: kexec and modules.
    Kernel,
    /// The host's swap, process accounting and disk quotas.
    Accounting,
    /// Setting the host's clock.
    Clock,
    /// I/O ports and PCI registers.
    Ports,
    /// Segment tables and 16-bit code.
    Segments,
    /// Files opened by their number on the disk, past every directory.
    Handle,
    /// The kernel's log.
    KernelLog,
    /// Watching whole file systems.
    Fanotify,
    /// One call for all socket calls, with the arguments in memory, where no filter reads them.
    Multiplexer,
    /// Calls that mainline no longer has, never had, or keeps for programs of the last century.
    Retired,
}

/// One system call.
struct Row {
    group: Group,
    name: &'static str,
    /// By [`Abi`].
    numbers: [u32; 4],
}

/// There is no such call on this ABI.
const __: u32 = u32::MAX;

/// Numbers below this are looked up in an array, the few above (arm's own) one by one.
const DENSE: usize = 512;

/// No call has this number.
const NONE: u16 = u16::MAX;

/// How many calls there are.
pub(super) const COUNT: usize = ROWS.len();

/// For each ABI and number the row, or [`NONE`].
static BY_NUMBER: [[u16; DENSE]; 4] = by_number();

/// arm's own calls lie far above the others.
const FAR: [(Abi, u32, Call); 6] = [
    (Abi::Arm, 0xf0001, Call::named("breakpoint")),
    (Abi::Arm, 0xf0002, Call::named("cacheflush")),
    (Abi::Arm, 0xf0003, Call::named("usr26")),
    (Abi::Arm, 0xf0004, Call::named("usr32")),
    (Abi::Arm, 0xf0005, Call::named("set_tls")),
    (Abi::Arm, 0xf0006, Call::named("get_tls")),
];

/// A system call that jaula knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call(u16);

impl Call {
    /// The call of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        let row = ROWS.binary_search_by(|row| row.name.cmp(name)).ok()?;
        u16::try_from(row).ok().map(Self)
    }

    /// The call with that number on that ABI.
    pub fn from_number(abi: Abi, number: u32) -> Option<Self> {
        match usize::try_from(number) {
            Ok(number) if number < DENSE => {
                let row = BY_NUMBER[abi as usize][number];
                (row != NONE).then_some(Self(row))
            }
            _ => FAR.iter().find(|(a, n, _)| (*a, *n) == (abi, number)).map(|(_, _, call)| *call),
        }
    }

    /// Every call, by name.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..NONE).take(COUNT).map(Self)
    }

    /// Its name, as in the kernel's headers without `__NR_`.
    pub fn name(self) -> &'static str {
        ROWS[self.row()].name
    }

    /// Its number on that ABI, if it is there.
    pub fn number(self, abi: Abi) -> Option<u32> {
        Some(ROWS[self.row()].numbers[abi as usize]).filter(|number| *number != __)
    }

    /// What it is for.
    pub(super) fn group(self) -> Group {
        ROWS[self.row()].group
    }

    /// Its place among [`Call::all`].
    pub(super) fn row(self) -> usize {
        usize::from(self.0)
    }

    /// The call of that name, found by the compiler: a name that is no call does not compile.
    pub(super) const fn named(name: &str) -> Self {
        let mut row: u16 = 0;
        while !same(ROWS[row as usize].name.as_bytes(), name.as_bytes()) {
            row += 1;
        }
        Self(row)
    }
}

/// Every number that means something on an ABI, ascending, with its call, and each number below
/// [`DENSE`] that means nothing, with `None`.
pub(super) fn numbers(abi: Abi) -> impl Iterator<Item = (u32, Option<Call>)> {
    let dense = BY_NUMBER[abi as usize].iter().map(|row| (*row != NONE).then_some(Call(*row)));
    let far = FAR.iter().filter(move |(a, _, _)| *a == abi).map(|(_, number, call)| (*number, Some(*call)));
    (0u32..).zip(dense).chain(far)
}

const fn by_number() -> [[u16; DENSE]; 4] {
    let mut tables = [[NONE; DENSE]; 4];
    let mut row: u16 = 0;
    while (row as usize) < ROWS.len() {
        let mut abi = 0;
        while abi < tables.len() {
            let number = ROWS[row as usize].numbers[abi] as usize;
            if number < DENSE {
                assert!(tables[abi][number] == NONE, "two calls with one number");
                tables[abi][number] = row;
            }
            abi += 1;
        }
        row += 1;
    }
    tables
}

/// `==` for texts, which the compiler cannot evaluate yet.
const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}

const fn row(group: Group, name: &'static str, x86_64: u32, i386: u32, aarch64: u32, arm: u32) -> Row {
    Row { group, name, numbers: [x86_64, i386, aarch64, arm] }
}

use Group::{
    Accounting, Base, Clock, Clone3, Fanotify, Handle, Hostname, Init, Inspect, IoUring, Kernel, KernelLog,
    Keyring, Mount, Multiplexer, Namespace, Numa, Ordinary, PageFault, Ports, Retired, Segments, Socket,
    SysvIpc, Tracing,
};

/// Sorted by name. Columns: group, name, number on x86-64, i386, aarch64, arm (EABI).
static ROWS: [Row; 483] = [
    row(Base, "_llseek", __, 140, __, 140),
    row(Base, "_newselect", __, 142, __, 142),
    row(Retired, "_sysctl", 156, 149, __, 149),
    row(Socket, "accept", 43, __, 202, 285),
    row(Socket, "accept4", 288, 364, 242, 366),
    row(Base, "access", 21, 33, __, 33),
    row(Accounting, "acct", 163, 51, 89, 51),
    row(Keyring, "add_key", 248, 286, 217, 309),
    row(Ordinary, "adjtimex", 159, 124, 171, 124),
    row(Retired, "afs_syscall", 183, 137, __, __),
    row(Base, "alarm", 37, 27, __, __),
    row(Base, "arch_prctl", 158, 384, __, __),
    row(Base, "arm_fadvise64_64", __, __, __, 270),
    row(Retired, "bdflush", __, 134, __, 134),
    row(Socket, "bind", 49, 361, 200, 282),
    row(Tracing, "bpf", 321, 357, 280, 386),
    row(Retired, "break", __, 17, __, __),
    row(Base, "breakpoint", __, __, __, 983041),
    row(Base, "brk", 12, 45, 214, 45),
    row(Base, "cacheflush", __, __, __, 983042),
    row(Ordinary, "cachestat", 451, 451, 451, 451),
    row(Ordinary, "capget", 125, 184, 90, 184),
    row(Ordinary, "capset", 126, 185, 91, 185),
    row(Base, "chdir", 80, 12, 49, 12),
    row(Ordinary, "chmod", 90, 15, __, 15),
    row(Ordinary, "chown", 92, 182, __, 182),
    row(Ordinary, "chown32", __, 212, __, 212),
    row(Ordinary, "chroot", 161, 61, 51, 61),
    row(Ordinary, "clock_adjtime", 305, 343, 266, 372),
    row(Ordinary, "clock_adjtime64", __, 405, __, 405),
    row(Base, "clock_getres", 229, 266, 114, 264),
    row(Base, "clock_getres_time64", __, 406, __, 406),
    row(Base, "clock_gettime", 228, 265, 113, 263),
    row(Base, "clock_gettime64", __, 403, __, 403),
    row(Base, "clock_nanosleep", 230, 267, 115, 265),
    row(Base, "clock_nanosleep_time64", __, 407, __, 407),
    row(Clock, "clock_settime", 227, 264, 112, 262),
    row(Clock, "clock_settime64", __, 404, __, 404),
    row(Base, "clone", 56, 120, 220, 120),
    row(Clone3, "clone3", 435, 435, 435, 435),
    row(Base, "close", 3, 6, 57, 6),
    row(Base, "close_range", 436, 436, 436, 436),
    row(Socket, "connect", 42, 362, 203, 283),
    row(Base, "copy_file_range", 326, 377, 285, 391),
    row(Base, "creat", 85, 8, __, 8),
    row(Retired, "create_module", 174, 127, __, __),
    row(Kernel, "delete_module", 176, 129, 106, 129),
    row(Base, "dup", 32, 41, 23, 41),
    row(Base, "dup2", 33, 63, __, 63),
    row(Base, "dup3", 292, 330, 24, 358),
    row(Base, "epoll_create", 213, 254, __, 250),
    row(Base, "epoll_create1", 291, 329, 20, 357),
    row(Base, "epoll_ctl", 233, 255, 21, 251),
    row(Retired, "epoll_ctl_old", 214, __, __, __),
    row(Base, "epoll_pwait", 281, 319, 22, 346),
    row(Base, "epoll_pwait2", 441, 441, 441, 441),
    row(Base, "epoll_wait", 232, 256, __, 252),
    row(Retired, "epoll_wait_old", 215, __, __, __),
    row(Base, "eventfd", 284, 323, __, 351),
    row(Base, "eventfd2", 290, 328, 19, 356),
    row(Base, "execve", 59, 11, 221, 11),
    row(Base, "execveat", 322, 358, 281, 387),
    row(Base, "exit", 60, 1, 93, 1),
    row(Base, "exit_group", 231, 252, 94, 248),
    row(Base, "faccessat", 269, 307, 48, 334),
    row(Base, "faccessat2", 439, 439, 439, 439),
    row(Base, "fadvise64", 221, 250, 223, __),
    row(Base, "fadvise64_64", __, 272, __, __),
    row(Base, "fallocate", 285, 324, 47, 352),
    row(Fanotify, "fanotify_init", 300, 338, 262, 367),
    row(Fanotify, "fanotify_mark", 301, 339, 263, 368),
    row(Base, "fchdir", 81, 133, 50, 133),
    row(Ordinary, "fchmod", 91, 94, 52, 94),
    row(Ordinary, "fchmodat", 268, 306, 53, 333),
    row(Ordinary, "fchmodat2", 452, 452, 452, 452),
    row(Ordinary, "fchown", 93, 95, 55, 95),
    row(Ordinary, "fchown32", __, 207, __, 207),
    row(Ordinary, "fchownat", 260, 298, 54, 325),
    row(Base, "fcntl", 72, 55, 25, 55),
    row(Base, "fcntl64", __, 221, __, 221),
    row(Base, "fdatasync", 75, 148, 83, 148),
    row(Ordinary, "fgetxattr", 193, 231, 10, 231),
    row(Ordinary, "file_getattr", 468, 468, 468, 468),
    row(Ordinary, "file_setattr", 469, 469, 469, 469),
    row(Kernel, "finit_module", 313, 350, 273, 379),
    row(Ordinary, "flistxattr", 196, 234, 13, 234),
    row(Base, "flock", 73, 143, 32, 143),
    row(Base, "fork", 57, 2, __, 2),
    row(Ordinary, "fremovexattr", 199, 237, 16, 237),
    row(Mount, "fsconfig", 431, 431, 431, 431),
    row(Ordinary, "fsetxattr", 190, 228, 7, 228),
    row(Mount, "fsmount", 432, 432, 432, 432),
    row(Mount, "fsopen", 430, 430, 430, 430),
    row(Mount, "fspick", 433, 433, 433, 433),
    row(Base, "fstat", 5, 108, 80, 108),
    row(Base, "fstat64", __, 197, __, 197),
    row(Base, "fstatat64", __, 300, __, 327),
    row(Base, "fstatfs", 138, 100, 44, 100),
    row(Base, "fstatfs64", __, 269, __, 267),
    row(Base, "fsync", 74, 118, 82, 118),
    row(Retired, "ftime", __, 35, __, __),
    row(Base, "ftruncate", 77, 93, 46, 93),
    row(Base, "ftruncate64", __, 194, __, 194),
    row(Base, "futex", 202, 240, 98, 240),
    row(Base, "futex_requeue", 456, 456, 456, 456),
    row(Base, "futex_time64", __, 422, __, 422),
    row(Base, "futex_wait", 455, 455, 455, 455),
    row(Base, "futex_waitv", 449, 449, 449, 449),
    row(Base, "futex_wake", 454, 454, 454, 454),
    row(Ordinary, "futimesat", 261, 299, __, 326),
    row(Retired, "get_kernel_syms", 177, 130, __, __),
    row(Numa, "get_mempolicy", 239, 275, 236, 320),
    row(Base, "get_robust_list", 274, 312, 100, 339),
    row(Base, "get_thread_area", 211, 244, __, __),
    row(Base, "get_tls", __, __, __, 983046),
    row(Base, "getcpu", 309, 318, 168, 345),
    row(Base, "getcwd", 79, 183, 17, 183),
    row(Base, "getdents", 78, 141, __, 141),
    row(Base, "getdents64", 217, 220, 61, 217),
    row(Base, "getegid", 108, 50, 177, 50),
    row(Base, "getegid32", __, 202, __, 202),
    row(Base, "geteuid", 107, 49, 175, 49),
    row(Base, "geteuid32", __, 201, __, 201),
    row(Base, "getgid", 104, 47, 176, 47),
    row(Base, "getgid32", __, 200, __, 200),
    row(Base, "getgroups", 115, 80, 158, 80),
    row(Base, "getgroups32", __, 205, __, 205),
    row(Base, "getitimer", 36, 105, 102, 105),
    row(Socket, "getpeername", 52, 368, 205, 287),
    row(Base, "getpgid", 121, 132, 155, 132),
    row(Base, "getpgrp", 111, 65, __, 65),
    row(Base, "getpid", 39, 20, 172, 20),
    row(Retired, "getpmsg", 181, 188, __, __),
    row(Base, "getppid", 110, 64, 173, 64),
    row(Ordinary, "getpriority", 140, 96, 141, 96),
    row(Base, "getrandom", 318, 355, 278, 384),
    row(Base, "getresgid", 120, 171, 150, 171),
    row(Base, "getresgid32", __, 211, __, 211),
    row(Base, "getresuid", 118, 165, 148, 165),
    row(Base, "getresuid32", __, 209, __, 209),
    row(Base, "getrlimit", 97, 76, 163, __),
    row(Base, "getrusage", 98, 77, 165, 77),
    row(Base, "getsid", 124, 147, 156, 147),
    row(Socket, "getsockname", 51, 367, 204, 286),
    row(Socket, "getsockopt", 55, 365, 209, 295),
    row(Base, "gettid", 186, 224, 178, 224),
    row(Base, "gettimeofday", 96, 78, 169, 78),
    row(Base, "getuid", 102, 24, 174, 24),
    row(Base, "getuid32", __, 199, __, 199),
    row(Ordinary, "getxattr", 191, 229, 8, 229),
    row(Ordinary, "getxattrat", 464, 464, 464, 464),
    row(Retired, "gtty", __, 32, __, __),
    row(Retired, "idle", __, 112, __, __),
    row(Kernel, "init_module", 175, 128, 105, 128),
    row(Ordinary, "inotify_add_watch", 254, 292, 27, 317),
    row(Ordinary, "inotify_init", 253, 291, __, 316),
    row(Ordinary, "inotify_init1", 294, 332, 26, 360),
    row(Ordinary, "inotify_rm_watch", 255, 293, 28, 318),
    row(Ordinary, "io_cancel", 210, 249, 3, 247),
    row(Ordinary, "io_destroy", 207, 246, 1, 244),
    row(Ordinary, "io_getevents", 208, 247, 4, 245),
    row(Ordinary, "io_pgetevents", 333, 385, 292, 399),
    row(Ordinary, "io_pgetevents_time64", __, 416, __, 416),
    row(Ordinary, "io_setup", 206, 245, 0, 243),
    row(Ordinary, "io_submit", 209, 248, 2, 246),
    row(IoUring, "io_uring_enter", 426, 426, 426, 426),
    row(IoUring, "io_uring_register", 427, 427, 427, 427),
    row(IoUring, "io_uring_setup", 425, 425, 425, 425),
    row(Base, "ioctl", 16, 54, 29, 54),
    row(Ports, "ioperm", 173, 101, __, __),
    row(Ports, "iopl", 172, 110, __, __),
    row(Ordinary, "ioprio_get", 252, 290, 31, 315),
    row(Ordinary, "ioprio_set", 251, 289, 30, 314),
    row(SysvIpc, "ipc", __, 117, __, __),
    row(Inspect, "kcmp", 312, 349, 272, 378),
    row(Kernel, "kexec_file_load", 320, __, 294, 401),
    row(Kernel, "kexec_load", 246, 283, 104, 347),
    row(Keyring, "keyctl", 250, 288, 219, 311),
    row(Base, "kill", 62, 37, 129, 37),
    row(Ordinary, "landlock_add_rule", 445, 445, 445, 445),
    row(Ordinary, "landlock_create_ruleset", 444, 444, 444, 444),
    row(Ordinary, "landlock_restrict_self", 446, 446, 446, 446),
    row(Ordinary, "lchown", 94, 16, __, 16),
    row(Ordinary, "lchown32", __, 198, __, 198),
    row(Ordinary, "lgetxattr", 192, 230, 9, 230),
    row(Ordinary, "link", 86, 9, __, 9),
    row(Ordinary, "linkat", 265, 303, 37, 330),
    row(Socket, "listen", 50, 363, 201, 284),
    row(Ordinary, "listmount", 458, 458, 458, 458),
    row(Ordinary, "listxattr", 194, 232, 11, 232),
    row(Ordinary, "listxattrat", 465, 465, 465, 465),
    row(Ordinary, "llistxattr", 195, 233, 12, 233),
    row(Retired, "lock", __, 53, __, __),
    row(Tracing, "lookup_dcookie", 212, 253, 18, 249),
    row(Ordinary, "lremovexattr", 198, 236, 15, 236),
    row(Base, "lseek", 8, 19, 62, 19),
    row(Ordinary, "lsetxattr", 189, 227, 6, 227),
    row(Ordinary, "lsm_get_self_attr", 459, 459, 459, 459),
    row(Ordinary, "lsm_list_modules", 461, 461, 461, 461),
    row(Ordinary, "lsm_set_self_attr", 460, 460, 460, 460),
    row(Base, "lstat", 6, 107, __, 107),
    row(Base, "lstat64", __, 196, __, 196),
    row(Base, "madvise", 28, 219, 233, 220),
    row(Base, "map_shadow_stack", 453, 453, 453, 453),
    row(Numa, "mbind", 237, 274, 235, 319),
    row(Base, "membarrier", 324, 375, 283, 389),
    row(Ordinary, "memfd_create", 319, 356, 279, 385),
    row(Ordinary, "memfd_secret", 447, 447, 447, __),
    row(Numa, "migrate_pages", 256, 294, 238, 400),
    row(Ordinary, "mincore", 27, 218, 232, 219),
    row(Base, "mkdir", 83, 39, __, 39),
    row(Base, "mkdirat", 258, 296, 34, 323),
    row(Ordinary, "mknod", 133, 14, __, 14),
    row(Ordinary, "mknodat", 259, 297, 33, 324),
    row(Ordinary, "mlock", 149, 150, 228, 150),
    row(Ordinary, "mlock2", 325, 376, 284, 390),
    row(Ordinary, "mlockall", 151, 152, 230, 152),
    row(Base, "mmap", 9, 90, 222, __),
    row(Base, "mmap2", __, 192, __, 192),
    row(Segments, "modify_ldt", 154, 123, __, __),
    row(Mount, "mount", 165, 21, 40, 21),
    row(Mount, "mount_setattr", 442, 442, 442, 442),
    row(Mount, "move_mount", 429, 429, 429, 429),
    row(Numa, "move_pages", 279, 317, 239, 344),
    row(Base, "mprotect", 10, 125, 226, 125),
    row(Retired, "mpx", __, 56, __, __),
    row(Ordinary, "mq_getsetattr", 245, 282, 185, 279),
    row(Ordinary, "mq_notify", 244, 281, 184, 278),
    row(Ordinary, "mq_open", 240, 277, 180, 274),
    row(Ordinary, "mq_timedreceive", 243, 280, 183, 277),
    row(Ordinary, "mq_timedreceive_time64", __, 419, __, 419),
    row(Ordinary, "mq_timedsend", 242, 279, 182, 276),
    row(Ordinary, "mq_timedsend_time64", __, 418, __, 418),
    row(Ordinary, "mq_unlink", 241, 278, 181, 275),
    row(Base, "mremap", 25, 163, 216, 163),
    row(Base, "mseal", 462, 462, 462, 462),
    row(SysvIpc, "msgctl", 71, 402, 187, 304),
    row(SysvIpc, "msgget", 68, 399, 186, 303),
    row(SysvIpc, "msgrcv", 70, 401, 188, 302),
    row(SysvIpc, "msgsnd", 69, 400, 189, 301),
    row(Base, "msync", 26, 144, 227, 144),
    row(Ordinary, "munlock", 150, 151, 229, 151),
    row(Ordinary, "munlockall", 152, 153, 231, 153),
    row(Base, "munmap", 11, 91, 215, 91),
    row(Ordinary, "name_to_handle_at", 303, 341, 264, 370),
    row(Base, "nanosleep", 35, 162, 101, 162),
    row(Base, "newfstatat", 262, __, 79, __),
    row(Retired, "nfsservctl", 180, 169, 42, 169),
    row(Ordinary, "nice", __, 34, __, 34),
    row(Ordinary, "oldfstat", __, 28, __, __),
    row(Ordinary, "oldlstat", __, 84, __, __),
    row(Ordinary, "oldolduname", __, 59, __, __),
    row(Ordinary, "oldstat", __, 18, __, __),
    row(Ordinary, "olduname", __, 109, __, __),
    row(Base, "open", 2, 5, __, 5),
    row(Handle, "open_by_handle_at", 304, 342, 265, 371),
    row(Mount, "open_tree", 428, 428, 428, 428),
    row(Mount, "open_tree_attr", 467, 467, 467, 467),
    row(Base, "openat", 257, 295, 56, 322),
    row(Base, "openat2", 437, 437, 437, 437),
    row(Base, "pause", 34, 29, __, 29),
    row(Ports, "pciconfig_iobase", __, __, __, 271),
    row(Ports, "pciconfig_read", __, __, __, 272),
    row(Ports, "pciconfig_write", __, __, __, 273),
    row(Tracing, "perf_event_open", 298, 336, 241, 364),
    row(Ordinary, "personality", 135, 136, 92, 136),
    row(Inspect, "pidfd_getfd", 438, 438, 438, 438),
    row(Ordinary, "pidfd_open", 434, 434, 434, 434),
    row(Ordinary, "pidfd_send_signal", 424, 424, 424, 424),
    row(Base, "pipe", 22, 42, __, 42),
    row(Base, "pipe2", 293, 331, 59, 359),
    row(Mount, "pivot_root", 155, 217, 41, 218),
    row(Ordinary, "pkey_alloc", 330, 381, 289, 395),
    row(Ordinary, "pkey_free", 331, 382, 290, 396),
    row(Ordinary, "pkey_mprotect", 329, 380, 288, 394),
    row(Base, "poll", 7, 168, __, 168),
    row(Base, "ppoll", 271, 309, 73, 336),
    row(Base, "ppoll_time64", __, 414, __, 414),
    row(Base, "prctl", 157, 172, 167, 172),
    row(Base, "pread64", 17, 180, 67, 180),
    row(Base, "preadv", 295, 333, 69, 361),
    row(Base, "preadv2", 327, 378, 286, 392),
    row(Base, "prlimit64", 302, 340, 261, 369),
    row(Ordinary, "process_madvise", 440, 440, 440, 440),
    row(Ordinary, "process_mrelease", 448, 448, 448, 448),
    row(Inspect, "process_vm_readv", 310, 347, 270, 376),
    row(Inspect, "process_vm_writev", 311, 348, 271, 377),
    row(Retired, "prof", __, 44, __, __),
    row(Retired, "profil", __, 98, __, __),
    row(Base, "pselect6", 270, 308, 72, 335),
    row(Base, "pselect6_time64", __, 413, __, 413),
    row(Inspect, "ptrace", 101, 26, 117, 26),
    row(Retired, "putpmsg", 182, 189, __, __),
    row(Base, "pwrite64", 18, 181, 68, 181),
    row(Base, "pwritev", 296, 334, 70, 362),
    row(Base, "pwritev2", 328, 379, 287, 393),
    row(Retired, "query_module", 178, 167, __, __),
    row(Accounting, "quotactl", 179, 131, 60, 131),
    row(Accounting, "quotactl_fd", 443, 443, 443, 443),
    row(Base, "read", 0, 3, 63, 3),
    row(Base, "readahead", 187, 225, 213, 225),
    row(Ordinary, "readdir", __, 89, __, __),
    row(Base, "readlink", 89, 85, __, 85),
    row(Base, "readlinkat", 267, 305, 78, 332),
    row(Base, "readv", 19, 145, 65, 145),
    row(Init, "reboot", 169, 88, 142, 88),
    row(Socket, "recv", __, __, __, 291),
    row(Socket, "recvfrom", 45, 371, 207, 292),
    row(Socket, "recvmmsg", 299, 337, 243, 365),
    row(Socket, "recvmmsg_time64", __, 417, __, 417),
    row(Socket, "recvmsg", 47, 372, 212, 297),
    row(Ordinary, "remap_file_pages", 216, 257, 234, 253),
    row(Ordinary, "removexattr", 197, 235, 14, 235),
    row(Ordinary, "removexattrat", 466, 466, 466, 466),
    row(Base, "rename", 82, 38, __, 38),
    row(Base, "renameat", 264, 302, 38, 329),
    row(Base, "renameat2", 316, 353, 276, 382),
    row(Keyring, "request_key", 249, 287, 218, 310),
    row(Base, "restart_syscall", 219, 0, 128, 0),
    row(Base, "rmdir", 84, 40, __, 40),
    row(Base, "rseq", 334, 386, 293, 398),
    row(Base, "rt_sigaction", 13, 174, 134, 174),
    row(Base, "rt_sigpending", 127, 176, 136, 176),
    row(Base, "rt_sigprocmask", 14, 175, 135, 175),
    row(Ordinary, "rt_sigqueueinfo", 129, 178, 138, 178),
    row(Base, "rt_sigreturn", 15, 173, 139, 173),
    row(Base, "rt_sigsuspend", 130, 179, 133, 179),
    row(Base, "rt_sigtimedwait", 128, 177, 137, 177),
    row(Base, "rt_sigtimedwait_time64", __, 421, __, 421),
    row(Ordinary, "rt_tgsigqueueinfo", 297, 335, 240, 363),
    row(Ordinary, "sched_get_priority_max", 146, 159, 125, 159),
    row(Ordinary, "sched_get_priority_min", 147, 160, 126, 160),
    row(Base, "sched_getaffinity", 204, 242, 123, 242),
    row(Ordinary, "sched_getattr", 315, 352, 275, 381),
    row(Ordinary, "sched_getparam", 143, 155, 121, 155),
    row(Ordinary, "sched_getscheduler", 145, 157, 120, 157),
    row(Ordinary, "sched_rr_get_interval", 148, 161, 127, 161),
    row(Ordinary, "sched_rr_get_interval_time64", __, 423, __, 423),
    row(Ordinary, "sched_setaffinity", 203, 241, 122, 241),
    row(Ordinary, "sched_setattr", 314, 351, 274, 380),
    row(Ordinary, "sched_setparam", 142, 154, 118, 154),
    row(Ordinary, "sched_setscheduler", 144, 156, 119, 156),
    row(Base, "sched_yield", 24, 158, 124, 158),
    row(Ordinary, "seccomp", 317, 354, 277, 383),
    row(Retired, "security", 185, __, __, __),
    row(Base, "select", 23, 82, __, __),
    row(SysvIpc, "semctl", 66, 394, 191, 300),
    row(SysvIpc, "semget", 64, 393, 190, 299),
    row(SysvIpc, "semop", 65, __, 193, 298),
    row(SysvIpc, "semtimedop", 220, __, 192, 312),
    row(SysvIpc, "semtimedop_time64", __, 420, __, 420),
    row(Socket, "send", __, __, __, 289),
    row(Base, "sendfile", 40, 187, 71, 187),
    row(Base, "sendfile64", __, 239, __, 239),
    row(Socket, "sendmmsg", 307, 345, 269, 374),
    row(Socket, "sendmsg", 46, 370, 211, 296),
    row(Socket, "sendto", 44, 369, 206, 290),
    row(Numa, "set_mempolicy", 238, 276, 237, 321),
    row(Numa, "set_mempolicy_home_node", 450, 450, 450, 450),
    row(Base, "set_robust_list", 273, 311, 99, 338),
    row(Base, "set_thread_area", 205, 243, __, __),
    row(Base, "set_tid_address", 218, 258, 96, 256),
    row(Base, "set_tls", __, __, __, 983045),
    row(Hostname, "setdomainname", 171, 121, 162, 121),
    row(Ordinary, "setfsgid", 123, 139, 152, 139),
    row(Ordinary, "setfsgid32", __, 216, __, 216),
    row(Ordinary, "setfsuid", 122, 138, 151, 138),
    row(Ordinary, "setfsuid32", __, 215, __, 215),
    row(Ordinary, "setgid", 106, 46, 144, 46),
    row(Ordinary, "setgid32", __, 214, __, 214),
    row(Ordinary, "setgroups", 116, 81, 159, 81),
    row(Ordinary, "setgroups32", __, 206, __, 206),
    row(Hostname, "sethostname", 170, 74, 161, 74),
    row(Base, "setitimer", 38, 104, 103, 104),
    row(Namespace, "setns", 308, 346, 268, 375),
    row(Ordinary, "setpgid", 109, 57, 154, 57),
    row(Ordinary, "setpriority", 141, 97, 140, 97),
    row(Ordinary, "setregid", 114, 71, 143, 71),
    row(Ordinary, "setregid32", __, 204, __, 204),
    row(Ordinary, "setresgid", 119, 170, 149, 170),
    row(Ordinary, "setresgid32", __, 210, __, 210),
    row(Ordinary, "setresuid", 117, 164, 147, 164),
    row(Ordinary, "setresuid32", __, 208, __, 208),
    row(Ordinary, "setreuid", 113, 70, 145, 70),
    row(Ordinary, "setreuid32", __, 203, __, 203),
    row(Ordinary, "setrlimit", 160, 75, 164, 75),
    row(Ordinary, "setsid", 112, 66, 157, 66),
    row(Socket, "setsockopt", 54, 366, 208, 294),
    row(Clock, "settimeofday", 164, 79, 170, 79),
    row(Ordinary, "setuid", 105, 23, 146, 23),
    row(Ordinary, "setuid32", __, 213, __, 213),
    row(Ordinary, "setxattr", 188, 226, 5, 226),
    row(Ordinary, "setxattrat", 463, 463, 463, 463),
    row(Ordinary, "sgetmask", __, 68, __, __),
    row(SysvIpc, "shmat", 30, 397, 196, 305),
    row(SysvIpc, "shmctl", 31, 396, 195, 308),
    row(SysvIpc, "shmdt", 67, 398, 197, 306),
    row(SysvIpc, "shmget", 29, 395, 194, 307),
    row(Socket, "shutdown", 48, 373, 210, 293),
    row(Base, "sigaction", __, 67, __, 67),
    row(Base, "sigaltstack", 131, 186, 132, 186),
    row(Base, "signal", __, 48, __, __),
    row(Ordinary, "signalfd", 282, 321, __, 349),
    row(Ordinary, "signalfd4", 289, 327, 74, 355),
    row(Base, "sigpending", __, 73, __, 73),
    row(Base, "sigprocmask", __, 126, __, 126),
    row(Base, "sigreturn", __, 119, __, 119),
    row(Base, "sigsuspend", __, 72, __, 72),
    row(Socket, "socket", 41, 359, 198, 281),
    row(Multiplexer, "socketcall", __, 102, __, __),
    row(Socket, "socketpair", 53, 360, 199, 288),
    row(Ordinary, "splice", 275, 313, 76, 340),
    row(Ordinary, "ssetmask", __, 69, __, __),
    row(Base, "stat", 4, 106, __, 106),
    row(Base, "stat64", __, 195, __, 195),
    row(Base, "statfs", 137, 99, 43, 99),
    row(Base, "statfs64", __, 268, __, 266),
    row(Ordinary, "statmount", 457, 457, 457, 457),
    row(Base, "statx", 332, 383, 291, 397),
    row(Clock, "stime", __, 25, __, __),
    row(Retired, "stty", __, 31, __, __),
    row(Accounting, "swapoff", 168, 115, 225, 115),
    row(Accounting, "swapon", 167, 87, 224, 87),
    row(Ordinary, "symlink", 88, 83, __, 83),
    row(Ordinary, "symlinkat", 266, 304, 36, 331),
    row(Ordinary, "sync", 162, 36, 81, 36),
    row(Base, "sync_file_range", 277, 314, 84, __),
    row(Base, "sync_file_range2", __, __, __, 341),
    row(Ordinary, "syncfs", 306, 344, 267, 373),
    row(Retired, "sysfs", 139, 135, __, 135),
    row(Base, "sysinfo", 99, 116, 179, 116),
    row(KernelLog, "syslog", 103, 103, 116, 103),
    row(Ordinary, "tee", 276, 315, 77, 342),
    row(Base, "tgkill", 234, 270, 131, 268),
    row(Base, "time", 201, 13, __, __),
    row(Ordinary, "timer_create", 222, 259, 107, 257),
    row(Ordinary, "timer_delete", 226, 263, 111, 261),
    row(Ordinary, "timer_getoverrun", 225, 262, 109, 260),
    row(Ordinary, "timer_gettime", 224, 261, 108, 259),
    row(Ordinary, "timer_gettime64", __, 408, __, 408),
    row(Ordinary, "timer_settime", 223, 260, 110, 258),
    row(Ordinary, "timer_settime64", __, 409, __, 409),
    row(Ordinary, "timerfd_create", 283, 322, 85, 350),
    row(Ordinary, "timerfd_gettime", 287, 326, 87, 354),
    row(Ordinary, "timerfd_gettime64", __, 410, __, 410),
    row(Ordinary, "timerfd_settime", 286, 325, 86, 353),
    row(Ordinary, "timerfd_settime64", __, 411, __, 411),
    row(Base, "times", 100, 43, 153, 43),
    row(Base, "tkill", 200, 238, 130, 238),
    row(Base, "truncate", 76, 92, 45, 92),
    row(Base, "truncate64", __, 193, __, 193),
    row(Retired, "tuxcall", 184, __, __, __),
    row(Base, "ugetrlimit", __, 191, __, 191),
    row(Retired, "ulimit", __, 58, __, __),
    row(Base, "umask", 95, 60, 166, 60),
    row(Mount, "umount", __, 22, __, __),
    row(Mount, "umount2", 166, 52, 39, 52),
    row(Base, "uname", 63, 122, 160, 122),
    row(Base, "unlink", 87, 10, __, 10),
    row(Base, "unlinkat", 263, 301, 35, 328),
    row(Namespace, "unshare", 272, 310, 97, 337),
    row(Base, "uprobe", 336, __, __, __),
    row(Base, "uretprobe", 335, __, __, __),
    row(Retired, "uselib", 134, 86, __, 86),
    row(PageFault, "userfaultfd", 323, 374, 282, 388),
    row(Retired, "usr26", __, __, __, 983043),
    row(Retired, "usr32", __, __, __, 983044),
    row(Retired, "ustat", 136, 62, __, 62),
    row(Ordinary, "utime", 132, 30, __, __),
    row(Ordinary, "utimensat", 280, 320, 88, 348),
    row(Ordinary, "utimensat_time64", __, 412, __, 412),
    row(Ordinary, "utimes", 235, 271, __, 269),
    row(Base, "vfork", 58, 190, __, 190),
    row(Init, "vhangup", 153, 111, 58, 111),
    row(Segments, "vm86", __, 166, __, __),
    row(Segments, "vm86old", __, 113, __, __),
    row(Ordinary, "vmsplice", 278, 316, 75, 343),
    row(Retired, "vserver", 236, 273, __, 313),
    row(Base, "wait4", 61, 114, 260, 114),
    row(Base, "waitid", 247, 284, 95, 280),
    row(Base, "waitpid", __, 7, __, __),
    row(Base, "write", 1, 4, 64, 4),
    row(Base, "writev", 20, 146, 66, 146),
];
