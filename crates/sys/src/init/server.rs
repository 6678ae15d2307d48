//! The first process of a jail whose root has no init: it starts a command, collects whatever becomes its
//! child, and when it is told to halt or to start again runs another command, and then does that.
//!
//! It is told by signals, those of busybox's init and those of systemd: `SIGPWR`, `SIGUSR1`, `SIGUSR2`,
//! `SIGRTMIN+3` and `+4` halt, `SIGTERM`, `SIGINT` and `SIGRTMIN+5` start again. All are blocked and read from a
//! descriptor, so that none is lost and none ends it. When the first command has ended its name becomes `init`;
//! until then it is `booting`.

// The commands lie in front of the code, at an address that is known: three addresses of argument lists, each of
// which may be 0. r15: the environment. r12: the first command. r13: the last one. r14: what reboot(2) is to do.
#[cfg(target_arch = "x86_64")]
std::arch::global_asm!(
    ".pushsection .rodata.jaula_server, \"a\"",
    "jaula_server_begin:",
    "mov rax, [rsp]",
    "lea r15, [rsp + rax * 8 + 16]",
    "mov ebx, {base}",
    "sub rsp, 144",
    "mov edi, 15", // PR_SET_NAME
    "lea rsi, [rip + 90f]",
    "mov eax, 157", // prctl
    "syscall",
    "mov qword ptr [rsp], -1",
    "xor edi, edi", // SIG_BLOCK
    "mov rsi, rsp",
    "xor edx, edx",
    "mov r10d, 8",
    "mov eax, 14", // rt_sigprocmask
    "syscall",
    "mov edi, -1",
    "mov rsi, rsp",
    "mov edx, 8",
    "mov r10d, 0x80000", // SFD_CLOEXEC
    "mov eax, 289",      // signalfd4
    "syscall",
    "test eax, eax",
    "js 80f",
    "mov ebp, eax",
    "xor r13d, r13d",
    "mov rdi, [rbx]",
    "call 50f",
    "mov r12d, eax",
    "test eax, eax",
    "jz 30f",
    "10:", // Wait for a signal.
    "mov edi, ebp",
    "mov rsi, rsp",
    "mov edx, 128",
    "xor eax, eax", // read
    "syscall",
    "cmp eax, 128",
    "jne 10b",
    "mov eax, [rsp]",
    "cmp eax, 17", // SIGCHLD
    "je 20f",
    "test r13d, r13d",
    "jnz 10b",
    "cmp eax, 2", // SIGINT
    "je 41f",
    "cmp eax, 15", // SIGTERM
    "je 41f",
    "cmp eax, 39", // SIGRTMIN+5
    "je 41f",
    "cmp eax, 10", // SIGUSR1
    "je 40f",
    "cmp eax, 12", // SIGUSR2
    "je 40f",
    "cmp eax, 30", // SIGPWR
    "je 40f",
    "cmp eax, 37", // SIGRTMIN+3
    "je 40f",
    "cmp eax, 38", // SIGRTMIN+4
    "je 40f",
    "jmp 10b",
    "20:", // Somebody has ended, or several.
    "mov edi, -1",
    "xor esi, esi",
    "mov edx, 1", // WNOHANG
    "xor r10d, r10d",
    "mov eax, 61", // wait4
    "syscall",
    "test eax, eax",
    "jle 10b",
    "cmp eax, r13d",
    "je 60f",
    "cmp eax, r12d",
    "jne 20b",
    "30:", // It has started.
    "xor r12d, r12d",
    "mov edi, 15", // PR_SET_NAME
    "lea rsi, [rip + 91f]",
    "mov eax, 157", // prctl
    "syscall",
    "jmp 20b",
    "40:",
    "mov r14d, 0x4321fedc", // LINUX_REBOOT_CMD_POWER_OFF
    "mov rdi, [rbx + 8]",
    "jmp 42f",
    "41:",
    "mov r14d, 0x1234567", // LINUX_REBOOT_CMD_RESTART
    "mov rdi, [rbx + 16]",
    "42:",
    "call 50f",
    "mov r13d, eax",
    "test eax, eax",
    "jg 10b",
    "60:", // Do it: the kernel ends this process, and with it all others.
    "mov edi, 0xfee1dead",
    "mov esi, 672274793",
    "mov edx, r14d",
    "xor r10d, r10d",
    "mov eax, 169", // reboot
    "syscall",
    "xor edi, edi",
    "jmp 81f",
    "80:",
    "mov edi, 125",
    "81:",
    "mov eax, 231", // exit_group
    "syscall",
    "ud2",
    "50:", // Start the command whose argument list is at rdi; its number, or 0 if there is none.
    "xor eax, eax",
    "test rdi, rdi",
    "jz 52f",
    "push rdi",
    "mov eax, 57", // fork
    "syscall",
    "pop rdi",
    "test eax, eax",
    "jz 53f",
    "jns 52f",
    "xor eax, eax",
    "52:",
    "ret",
    "53:",
    "push rdi",
    "push 0",
    "mov edi, 2", // SIG_SETMASK
    "mov rsi, rsp",
    "xor edx, edx",
    "mov r10d, 8",
    "mov eax, 14", // rt_sigprocmask
    "syscall",
    "mov rsi, [rsp + 8]",
    "mov rdi, [rsi]",
    "mov rdx, r15",
    "mov eax, 59", // execve
    "syscall",
    "mov edi, 127",
    "jmp 81b",
    "90:",
    ".asciz \"booting\"",
    "91:",
    ".asciz \"init\"",
    "jaula_server_end:",
    ".popsection",
    base = const super::COMMANDS,
);

// As on x86-64. x19: the commands, x20: the environment, x21: the descriptor, x22: the first command, x23: the
// last one, x24: what reboot(2) is to do.
#[cfg(target_arch = "aarch64")]
std::arch::global_asm!(
    ".pushsection .rodata.jaula_server, \"a\"",
    ".balign 4",
    "jaula_server_begin:",
    "ldr x0, [sp]",
    "add x20, sp, x0, lsl 3",
    "add x20, x20, 16",
    "movz x19, {low}",
    "movk x19, {high}, lsl 16",
    "sub sp, sp, 144",
    "mov x0, 15", // PR_SET_NAME
    "adr x1, 90f",
    "mov x8, 167", // prctl
    "svc 0",
    "mov x0, -1",
    "str x0, [sp]",
    "mov x0, xzr", // SIG_BLOCK
    "mov x1, sp",
    "mov x2, xzr",
    "mov x3, 8",
    "mov x8, 135", // rt_sigprocmask
    "svc 0",
    "mov x0, -1",
    "mov x1, sp",
    "mov x2, 8",
    "mov x3, 0x80000", // SFD_CLOEXEC
    "mov x8, 74",      // signalfd4
    "svc 0",
    "tbnz x0, 63, 80f",
    "mov x21, x0",
    "mov x23, xzr",
    "ldr x0, [x19]",
    "bl 50f",
    "mov x22, x0",
    "cbz x0, 30f",
    "10:", // Wait for a signal.
    "mov x0, x21",
    "mov x1, sp",
    "mov x2, 128",
    "mov x8, 63", // read
    "svc 0",
    "cmp x0, 128",
    "b.ne 10b",
    "ldr w0, [sp]",
    "cmp w0, 17", // SIGCHLD
    "b.eq 20f",
    "cbnz x23, 10b",
    "cmp w0, 2", // SIGINT
    "b.eq 41f",
    "cmp w0, 15", // SIGTERM
    "b.eq 41f",
    "cmp w0, 39", // SIGRTMIN+5
    "b.eq 41f",
    "cmp w0, 10", // SIGUSR1
    "b.eq 40f",
    "cmp w0, 12", // SIGUSR2
    "b.eq 40f",
    "cmp w0, 30", // SIGPWR
    "b.eq 40f",
    "cmp w0, 37", // SIGRTMIN+3
    "b.eq 40f",
    "cmp w0, 38", // SIGRTMIN+4
    "b.eq 40f",
    "b 10b",
    "20:", // Somebody has ended, or several.
    "mov x0, -1",
    "mov x1, xzr",
    "mov x2, 1", // WNOHANG
    "mov x3, xzr",
    "mov x8, 260", // wait4
    "svc 0",
    "cmp x0, 0",
    "b.le 10b",
    "cmp x0, x23",
    "b.eq 60f",
    "cmp x0, x22",
    "b.ne 20b",
    "30:", // It has started.
    "mov x22, xzr",
    "mov x0, 15", // PR_SET_NAME
    "adr x1, 91f",
    "mov x8, 167", // prctl
    "svc 0",
    "b 20b",
    "40:",
    "movz x24, 0xfedc", // LINUX_REBOOT_CMD_POWER_OFF
    "movk x24, 0x4321, lsl 16",
    "ldr x0, [x19, 8]",
    "b 42f",
    "41:",
    "movz x24, 0x4567", // LINUX_REBOOT_CMD_RESTART
    "movk x24, 0x0123, lsl 16",
    "ldr x0, [x19, 16]",
    "42:",
    "bl 50f",
    "mov x23, x0",
    "cbnz x0, 10b",
    "60:", // Do it: the kernel ends this process, and with it all others.
    "movz x0, 0xdead",
    "movk x0, 0xfee1, lsl 16",
    "movz x1, 0x1969",
    "movk x1, 0x2812, lsl 16",
    "mov x2, x24",
    "mov x3, xzr",
    "mov x8, 142", // reboot
    "svc 0",
    "mov x0, xzr",
    "b 81f",
    "80:",
    "mov x0, 125",
    "81:",
    "mov x8, 94", // exit_group
    "svc 0",
    "brk 1",
    "50:", // Start the command whose argument list is at x0; its number, or 0 if there is none.
    "cbz x0, 52f",
    "mov x25, x0",
    "mov x0, 17", // SIGCHLD
    "mov x1, xzr",
    "mov x2, xzr",
    "mov x3, xzr",
    "mov x4, xzr",
    "mov x8, 220", // clone
    "svc 0",
    "cbz x0, 53f",
    "cmp x0, 0",
    "csel x0, x0, xzr, gt",
    "52:",
    "ret",
    "53:",
    "str xzr, [sp]",
    "mov x0, 2", // SIG_SETMASK
    "mov x1, sp",
    "mov x2, xzr",
    "mov x3, 8",
    "mov x8, 135", // rt_sigprocmask
    "svc 0",
    "ldr x0, [x25]",
    "mov x1, x25",
    "mov x2, x20",
    "mov x8, 221", // execve
    "svc 0",
    "mov x0, 127",
    "b 81b",
    "90:",
    ".asciz \"booting\"",
    "91:",
    ".asciz \"init\"",
    "jaula_server_end:",
    ".popsection",
    low = const super::COMMANDS & 0xffff,
    high = const super::COMMANDS >> 16,
);

unsafe extern "C" {
    #[link_name = "jaula_server_begin"]
    static BEGIN: u8;
    #[link_name = "jaula_server_end"]
    static END: u8;
}

/// What it does; each is a program with its arguments, or nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Commands<'a> {
    /// At the beginning.
    pub start: &'a [&'a str],
    /// Before it halts.
    pub halt: &'a [&'a str],
    /// Before it starts again.
    pub reboot: &'a [&'a str],
}

/// The program, as an executable file.
pub fn server(commands: Commands<'_>) -> Vec<u8> {
    super::elf(&laid_out(commands), super::between(&raw const BEGIN, &raw const END))
}

/// The commands as they lie at [`super::COMMANDS`]: three addresses of lists, the lists, the words.
fn laid_out(commands: Commands<'_>) -> Vec<u8> {
    let lists = [commands.start, commands.halt, commands.reboot];
    let pointers: usize = lists.iter().filter(|list| !list.is_empty()).map(|list| list.len() + 1).sum();
    let mut heads = Vec::new();
    let mut addresses = Vec::new();
    let mut words: Vec<u8> = Vec::new();
    for list in lists {
        if list.is_empty() {
            heads.push(0);
            continue;
        }
        heads.push(super::COMMANDS + 8 * (3 + addresses.len() as u64));
        for word in list {
            addresses.push(super::COMMANDS + 8 * (3 + pointers as u64) + words.len() as u64);
            words.extend(word.as_bytes());
            words.push(0);
        }
        addresses.push(0);
    }
    // The code that follows is aligned.
    words.resize(words.len().next_multiple_of(8), 0);
    let numbers = heads.into_iter().chain(addresses).flat_map(u64::to_le_bytes);
    numbers.chain(words).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    /// Where it is no first process, reboot(2) is refused to it (the test is no root, or it is the first process
    /// of a namespace that `unshare` has made), and it exits.
    fn begun(name: &str, commands: Commands<'_>) -> (std::path::PathBuf, Child) {
        let path = std::env::temp_dir().join(format!("jaula-server-{name}-{}", std::process::id()));
        std::fs::write(&path, server(commands)).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-root-user", "--pid", "--fork", "--kill-child"]).arg(&path);
        let child = unshare.env("SAID", "yes").stdout(Stdio::piped()).spawn().unwrap();
        (path, child)
    }

    /// The first process that `unshare` has made.
    fn first(child: &Child) -> String {
        let list = format!("/proc/{0}/task/{0}/children", child.id());
        let until = Instant::now() + Duration::from_secs(10);
        while Instant::now() < until {
            let children = std::fs::read_to_string(&list).unwrap_or_default();
            if let Some(first) = children.split_whitespace().next()
                && std::fs::read_to_string(format!("/proc/{first}/comm")).is_ok_and(|comm| comm == "init\n")
            {
                return first.to_owned();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("it has not become init");
    }

    fn end(name: &str, signal: &str, commands: Commands<'_>) -> String {
        let (path, child) = begun(name, commands);
        let first = first(&child);
        std::thread::sleep(Duration::from_millis(20));
        // As from outside the namespace, where the kernel lets all signals through.
        assert!(Command::new("kill").args([signal, &first]).status().unwrap().success());
        let said = child.wait_with_output().unwrap();
        std::fs::remove_file(path).unwrap();
        String::from_utf8(said.stdout).unwrap()
    }

    #[test]
    fn it_starts_collects_and_halts() {
        let commands = Commands {
            start: &["/bin/sh", "-c", "echo start $SAID $PPID; (sleep 0.01 &)"],
            halt: &["/bin/sh", "-c", "echo halt $SAID"],
            reboot: &["/bin/sh", "-c", "echo again"],
        };
        assert_eq!(end("halt", "-PWR", commands), "start yes 1\nhalt yes\n");
        assert_eq!(end("again", "-INT", commands), "start yes 1\nagain\n");
        assert_eq!(end("waits", "-USR2", Commands::default()), "");
        let nothing = Commands { start: &["/nothing/there"], ..Commands::default() };
        assert_eq!(end("nothing", "-TERM", nothing), "");
    }
}
