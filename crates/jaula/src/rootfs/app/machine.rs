//! What the loader of each processor architecture takes for granted.

/// One architecture, as the kernel and the C library of a host of that kind know it.
#[derive(Debug)]
pub(super) struct Machine {
    /// What people call it; also `$PLATFORM` in search paths (`AT_PLATFORM` of the kernel).
    pub(super) name: &'static str,
    /// `e_machine` of its ELF files; all are 64 bits wide and little-endian.
    pub(super) elf: u16,
    /// The flags of a library for it in `/etc/ld.so.cache` (glibc `sysdeps/**/dl-cache.h`).
    pub(super) cache_flags: u32,
    /// Debian's directory name for it below `/lib` and `/usr/lib`.
    pub(super) triplet: &'static str,
    /// Subdirectories of `glibc-hwcaps` for better processors of the kind, best first.
    pub(super) hwcaps: &'static [&'static str],
}

/// The architecture that this program was built for, hence the host's.
pub(super) const HOST: Machine = if cfg!(target_arch = "x86_64") {
    Machine {
        name: "x86_64",
        elf: 62,
        cache_flags: 0x0303,
        triplet: "x86_64-linux-gnu",
        hwcaps: &["x86-64-v4", "x86-64-v3", "x86-64-v2"],
    }
} else if cfg!(target_arch = "aarch64") {
    Machine { name: "aarch64", elf: 183, cache_flags: 0x0a03, triplet: "aarch64-linux-gnu", hwcaps: &[] }
} else if cfg!(target_arch = "riscv64") {
    Machine { name: "riscv64", elf: 243, cache_flags: 0x1003, triplet: "riscv64-linux-gnu", hwcaps: &[] }
} else {
    panic!("the loader's rules of this architecture are not written down here yet")
};

/// What people call the architecture of an ELF file with this `e_machine` and width.
pub(super) fn name(e_machine: u16, bits: u8) -> String {
    let name = match (e_machine, bits) {
        (3 | 6, _) => "i386",
        (8, _) => "mips",
        (20, _) => "powerpc",
        (21, _) => "powerpc64",
        (22, _) => "s390",
        (40, _) => "arm",
        (43, _) => "sparc64",
        (62, 32) => "x32",
        (62, _) => "x86_64",
        (183, _) => "aarch64",
        (243, 32) => "riscv32",
        (243, _) => "riscv64",
        (258, _) => "loongarch",
        _ => return format!("machine number {e_machine}, {bits} bits"),
    };
    name.to_owned()
}
