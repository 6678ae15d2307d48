//! BPF programs on control groups (bpf(2)).

use crate::call::{check, own};
use crate::error::Result;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

const PROG_LOAD: i32 = 5;
const PROG_ATTACH: i32 = 8;
const CGROUP_SOCK_ADDR: u32 = 18;
const CGROUP_INET4_BIND: u32 = 8;
const CGROUP_INET6_BIND: u32 = 9;
const ALLOW_MULTI: u32 = 2;

/// The head of `union bpf_attr` for `BPF_PROG_LOAD`, as far as it is used.
#[repr(C)]
struct Load {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log: [u32; 4],
    version: u32,
    flags: u32,
    name: [u8; 16],
    interface: u32,
    attach: u32,
}

/// Lets the processes of a control group listen on ports below 1024 without
/// `CAP_NET_BIND_SERVICE`, which counts for nothing where the network belongs to the host's user
/// namespace and the process to another (Linux 5.12). It goes with the group.
pub fn allow_low_ports(cgroup: impl AsFd) -> Result<()> {
    // r0 = 3; exit: the address is allowed (1), and so is a low port (2).
    let program = [0x3_0000_00b7_u64, 0x95];
    for attach in [CGROUP_INET4_BIND, CGROUP_INET6_BIND] {
        let program = load(&program, attach)?;
        let (group, program) = (cgroup.as_fd().as_raw_fd(), program.as_raw_fd());
        let attribute = [group.cast_unsigned(), program.cast_unsigned(), attach, ALLOW_MULTI];
        // SAFETY: `attribute` is the head of a bpf_attr for this command, its size is given.
        let done =
            unsafe { libc::syscall(libc::SYS_bpf, PROG_ATTACH, attribute.as_ptr(), size_of_val(&attribute)) };
        check(done, || format!("bpf(PROG_ATTACH, {{{group}, {program}, {attach}}})"))?;
    }
    Ok(())
}

fn load(program: &[u64], attach: u32) -> Result<OwnedFd> {
    let mut name = [0; 16];
    name[..5].copy_from_slice(b"jaula");
    let attribute = Load {
        kind: CGROUP_SOCK_ADDR,
        count: u32::try_from(program.len()).unwrap_or(u32::MAX),
        instructions: program.as_ptr().addr() as u64,
        license: c"MIT".as_ptr().addr() as u64,
        log: [0; 4],
        version: 0,
        flags: 0,
        name,
        interface: 0,
        attach,
    };
    // SAFETY: `attribute` points to `program` with its length; the kernel verifies the program.
    let fd =
        unsafe { libc::syscall(libc::SYS_bpf, PROG_LOAD, &raw const attribute, size_of_val(&attribute)) };
    check(fd, || format!("bpf(PROG_LOAD, {attach})")).map(own)
}
