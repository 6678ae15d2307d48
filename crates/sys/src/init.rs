//! The smallest program that can be the first process of a pid namespace.
//!
//! It starts another program, waits for whatever becomes its child, and ends when nobody is
//! left, with that program's status. Where the first process itself is the program, a daemon that
//! forks and exits takes all others with it.
//!
//! It is written below, assembled with jaula, and comes as an ELF file of a few hundred bytes: it
//! has nothing of jaula's in its memory that somebody in its namespace could read.

mod server;

pub use server::{Commands, server};

// `argv[1]` is the path of the program, all from `argv[2]` on its argument list. If it cannot be
// executed, the status is 127 (there is none) or 126, as a shell's.
#[cfg(target_arch = "x86_64")]
std::arch::global_asm!(
    ".pushsection .rodata.jaula_init, \"a\"",
    "jaula_init_begin:",
    "mov eax, 57", // fork
    "syscall",
    "test eax, eax",
    "js 5f",
    "jnz 2f",
    "mov rdi, [rsp + 16]",
    "lea rsi, [rsp + 24]",
    "mov rdx, [rsp]",
    "lea rdx, [rsp + rdx * 8 + 16]",
    "mov eax, 59", // execve
    "syscall",
    "mov edi, 127",
    "cmp eax, -2", // ENOENT
    "je 6f",
    "mov edi, 126",
    "jmp 6f",
    "2:",
    "mov r12d, eax",
    "xor r13d, r13d",
    "sub rsp, 16",
    "3:",
    "mov edi, -1",
    "mov rsi, rsp",
    "xor edx, edx",
    "xor r10d, r10d",
    "mov eax, 61", // wait4
    "syscall",
    "cmp eax, r12d",
    "jne 4f",
    "mov r13d, [rsp]",
    "jmp 3b",
    "4:",
    "test eax, eax",
    "jg 3b",
    "cmp eax, -4", // EINTR
    "je 3b",
    "mov edi, r13d", // nobody is left
    "shr edi, 8",
    "and edi, 255",
    "and r13d, 127",
    "jz 6f",
    "lea edi, [r13 + 128]",
    "jmp 6f",
    "5:",
    "mov edi, 125",
    "6:",
    "mov eax, 231", // exit_group
    "syscall",
    "ud2",
    "jaula_init_end:",
    ".popsection",
);

// As on x86-64.
#[cfg(target_arch = "aarch64")]
std::arch::global_asm!(
    ".pushsection .rodata.jaula_init, \"a\"",
    "jaula_init_begin:",
    "mov x0, 17", // SIGCHLD
    "mov x1, xzr",
    "mov x2, xzr",
    "mov x3, xzr",
    "mov x4, xzr",
    "mov x8, 220", // clone
    "svc 0",
    "cmp x0, 0",
    "b.lt 5f",
    "b.ne 2f",
    "ldr x0, [sp, 16]",
    "add x1, sp, 24",
    "ldr x2, [sp]",
    "add x2, sp, x2, lsl 3",
    "add x2, x2, 16",
    "mov x8, 221", // execve
    "svc 0",
    "mov x9, x0",
    "mov x0, 127",
    "cmn x9, 2", // ENOENT
    "b.eq 6f",
    "mov x0, 126",
    "b 6f",
    "2:",
    "mov x20, x0",
    "mov x21, xzr",
    "sub sp, sp, 16",
    "3:",
    "mov x0, -1",
    "mov x1, sp",
    "mov x2, xzr",
    "mov x3, xzr",
    "mov x8, 260", // wait4
    "svc 0",
    "cmp x0, x20",
    "b.ne 4f",
    "ldr w21, [sp]",
    "b 3b",
    "4:",
    "cmp x0, 0",
    "b.gt 3b",
    "cmn x0, 4", // EINTR
    "b.eq 3b",
    "ubfx w0, w21, 8, 8", // nobody is left
    "ands w21, w21, 127",
    "b.eq 6f",
    "add w0, w21, 128",
    "b 6f",
    "5:",
    "mov x0, 125",
    "6:",
    "mov x8, 94", // exit_group
    "svc 0",
    "brk 1",
    "jaula_init_end:",
    ".popsection",
);

unsafe extern "C" {
    #[link_name = "jaula_init_begin"]
    static BEGIN: u8;
    #[link_name = "jaula_init_end"]
    static END: u8;
}

/// Where a file of these is in memory.
const BASE: u64 = 0x40_0000;
const HEADERS: usize = 64 + 56;
/// Where what lies between headers and code is.
const COMMANDS: u64 = BASE + HEADERS as u64;

/// The program, as an executable file.
pub fn file() -> Vec<u8> {
    elf(&[], between(&raw const BEGIN, &raw const END))
}

/// The code between two marks of this crate's.
fn between(begin: *const u8, end: *const u8) -> &'static [u8] {
    // SAFETY: both lie in one piece of read-only data, the end behind the beginning.
    unsafe { std::slice::from_raw_parts(begin, end.addr() - begin.addr()) }
}

/// An executable file of data and then code, both only read.
fn elf(data: &[u8], code: &[u8]) -> Vec<u8> {
    let machine: u16 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
    let size = (HEADERS + data.len() + code.len()) as u64;
    let mut file = Vec::with_capacity(HEADERS + data.len() + code.len());
    // Elf64_Ehdr: 64 bits, little-endian, version 1; ET_EXEC.
    file.extend(*b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    file.extend([2u16, machine].iter().flat_map(|n| n.to_le_bytes()));
    file.extend(1u32.to_le_bytes());
    file.extend([COMMANDS + data.len() as u64, 64, 0].iter().flat_map(|n| n.to_le_bytes()));
    file.extend(0u32.to_le_bytes());
    file.extend([64u16, 56, 1, 0, 0, 0].iter().flat_map(|n| n.to_le_bytes()));
    // Elf64_Phdr: PT_LOAD, readable and executable, the whole file.
    file.extend([1u32, 5].iter().flat_map(|n| n.to_le_bytes()));
    file.extend([0, BASE, BASE, size, size, 4096].iter().flat_map(|n| n.to_le_bytes()));
    file.extend(data);
    file.extend(code);
    file
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    /// Outside a pid namespace it reaps its own children only; what those leave goes to the host.
    #[test]
    fn it_starts_waits_and_tells() {
        let path = std::env::temp_dir().join(format!("jaula-init-{}", std::process::id()));
        std::fs::write(&path, file()).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let run = |args: &[&str]| Command::new(&path).args(args).env("SAID", "yes").output().unwrap();
        let said = run(&["/bin/sh", "sh", "-c", "echo $0 $1 $SAID; exit 7", "name", "word"]);
        assert_eq!(String::from_utf8_lossy(&said.stdout), "name word yes\n");
        assert_eq!(said.status.into_raw() >> 8, 7);
        assert_eq!(run(&["/bin/sh", "sh", "-c", "kill -9 $$"]).status.code(), Some(137));
        assert_eq!(run(&["/nothing/there", "x"]).status.code(), Some(127));
        assert_eq!(run(&["/etc", "x"]).status.code(), Some(126));
        std::fs::remove_file(&path).unwrap();
    }
}
