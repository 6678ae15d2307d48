//! Maps: what BPF programs and processes share (bpf(2), `BPF_MAP_…`).

use crate::call::{check, own};
use crate::error::Result;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

const MAP_CREATE: i32 = 0;
const MAP_LOOKUP_ELEM: i32 = 1;
const MAP_UPDATE_ELEM: i32 = 2;
const MAP_DELETE_ELEM: i32 = 3;
const BTF_LOAD: i32 = 18;

/// `BPF_MAP_TYPE_CGROUP_STORAGE`
const GROUP_STORAGE: u32 = 19;
/// `BPF_MAP_TYPE_SK_STORAGE`, and the flag without which the kernel makes none.
const SOCKET_STORAGE: u32 = 24;
const NO_PREALLOC: u32 = 1;

/// The type information (the kernel's `Documentation/bpf/btf.rst`) of two types, which a map of sockets must have for
/// its keys, `int`, and its values, an integer of 128 bits.
const INTEGERS: [u32; 16] = [
    0x0001_eb9f, // magic, version
    24,          // this header's length
    0,
    32, // types: where, how long
    32,
    5,           // strings: where, how long
    1,           // the name: at 1 of the strings
    0x0100_0000, // an integer
    4,           // of four bytes
    0x0100_0020, // signed, of 32 bits
    1,
    0x0100_0000,
    16, // of sixteen bytes
    128,
    u32::from_le_bytes(*b"\0int"),
    0,
];
/// Their length in bytes, of which the last three are no more of the strings.
const INTEGERS_LENGTH: u64 = 61;

/// What kind of map (`enum bpf_map_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Keys of any bytes.
    Hash = 1,
    /// Keys are the numbers from 0 to the size, as u32; all are there from the start, zero.
    Array = 2,
    /// A queue of records from programs to a process that maps it (Linux 5.8): no keys and no
    /// values, its size in bytes is a power of two of pages.
    RingBuffer = 27,
}

/// A map.
#[derive(Debug)]
pub struct Map {
    fd: OwnedFd,
    key: usize,
    value: usize,
}

impl Map {
    /// Makes a map of `entries` keys and values of so many bytes.
    pub fn new(kind: Kind, key: usize, value: usize, entries: u32) -> Result<Self> {
        let size = |bytes| u32::try_from(bytes).unwrap_or(u32::MAX);
        let attribute = [kind as u32, size(key), size(value), entries];
        // SAFETY: `attribute` is the head of a bpf_attr for this command, its size is given.
        let fd =
            unsafe { libc::syscall(libc::SYS_bpf, MAP_CREATE, attribute.as_ptr(), size_of_val(&attribute)) };
        let fd = check(fd, || format!("bpf(MAP_CREATE, {kind:?}, {key}, {value}, {entries})")).map(own)?;
        Ok(Self { fd, key, value })
    }

    /// A map of sockets (Linux 5.9): a program gives a socket its value of 16 bytes, zeros at first, and others find it
    /// (`Helper::SK_STORAGE_GET`). What it has of a socket goes with the socket.
    pub fn of_sockets() -> Result<Self> {
        let types = [INTEGERS.as_ptr().expose_provenance() as u64, 0, INTEGERS_LENGTH];
        // SAFETY: `types` is the head of a bpf_attr for this command and points to INTEGERS, whose length it has.
        let fd = unsafe { libc::syscall(libc::SYS_bpf, BTF_LOAD, types.as_ptr(), size_of_val(&types)) };
        let types = check(fd, || "bpf(BTF_LOAD, integers)".to_owned()).map(own)?;
        let mut attribute = [0_u32; 15];
        attribute[..5].copy_from_slice(&[SOCKET_STORAGE, 4, 16, 0, NO_PREALLOC]);
        // Where the types are, and which of them keys and values have.
        attribute[12..].copy_from_slice(&[types.as_raw_fd().cast_unsigned(), 1, 2]);
        // SAFETY: `attribute` is the head of a bpf_attr for this command, its size is given.
        let fd =
            unsafe { libc::syscall(libc::SYS_bpf, MAP_CREATE, attribute.as_ptr(), size_of_val(&attribute)) };
        let fd = check(fd, || "bpf(MAP_CREATE, SK_STORAGE)".to_owned()).map(own)?;
        Ok(Self { fd, key: 4, value: 16 })
    }

    /// A map of control groups (Linux 5.9, the kernel's `Documentation/bpf/map_cgroup_storage.rst`): a group has a
    /// value, zeros at first, from when a program with this map is attached to it, and the programs attached there
    /// find it (`Helper::GET_LOCAL_STORAGE`), also when they run for a group below. Its key is the group's inode, as
    /// u64. It goes with the group.
    pub fn of_groups(value: usize) -> Result<Self> {
        let attribute = [GROUP_STORAGE, 8, u32::try_from(value).unwrap_or(u32::MAX), 0];
        // SAFETY: `attribute` is the head of a bpf_attr for this command, its size is given.
        let fd =
            unsafe { libc::syscall(libc::SYS_bpf, MAP_CREATE, attribute.as_ptr(), size_of_val(&attribute)) };
        let fd = check(fd, || format!("bpf(MAP_CREATE, CGROUP_STORAGE, {value})")).map(own)?;
        Ok(Self { fd, key: 8, value })
    }

    /// The map that was pinned there ([`pin()`](super::pin())), which has keys and values of so many bytes.
    pub fn pinned(path: impl AsRef<Path>, key: usize, value: usize) -> Result<Self> {
        super::pinned(path.as_ref()).map(|fd| Self { fd, key, value })
    }

    /// The map of control groups that a program has, with values of so many bytes; none if it has no such map.
    pub fn of_groups_in(program: &super::Program, value: usize) -> Result<Option<Self>> {
        for id in program.about()?.maps {
            let fd = super::by_id("MAP_GET_FD_BY_ID", super::MAP_GET_FD_BY_ID, id)?;
            // `struct bpf_map_info`: type, id, size of keys, size of values.
            let mut said = [0_u8; 16];
            super::info(fd.as_fd(), &mut said)?;
            let of = |at| usize::try_from(super::number(&said, at)).unwrap_or(0);
            if super::number(&said, 0) == GROUP_STORAGE && (of(8), of(12)) == (8, value) {
                return Ok(Some(Self { fd, key: 8, value }));
            }
        }
        Ok(None)
    }

    /// What stands under a key.
    ///
    /// # Errors
    /// `ENOENT` if nothing does.
    pub fn get(&self, key: &[u8]) -> Result<Vec<u8>> {
        let mut value = vec![0; self.value];
        self.element("MAP_LOOKUP_ELEM", MAP_LOOKUP_ELEM, key, value.as_mut_ptr()).map(|()| value)
    }

    /// Puts a value under a key.
    ///
    /// # Panics
    /// If the value has another size than the map's.
    pub fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        assert_eq!(value.len(), self.value, "the size of a map's value");
        self.element("MAP_UPDATE_ELEM", MAP_UPDATE_ELEM, key, value.as_ptr().cast_mut())
    }

    /// Takes a key out.
    ///
    /// # Errors
    /// `ENOENT` if it is not there.
    pub fn remove(&self, key: &[u8]) -> Result<()> {
        self.element("MAP_DELETE_ELEM", MAP_DELETE_ELEM, key, std::ptr::null_mut())
    }

    fn element(&self, name: &str, command: i32, key: &[u8], value: *mut u8) -> Result<()> {
        assert_eq!(key.len(), self.key, "the size of a map's key");
        let fd = self.fd.as_raw_fd();
        let attribute = [
            u64::from(fd.cast_unsigned()),
            key.as_ptr().expose_provenance() as u64,
            value.expose_provenance() as u64,
            0,
        ];
        // SAFETY: `key` and `value` point to as many bytes as the map's keys and values have, which
        // the callers see to; the kernel writes to `value` in a lookup only, where it may.
        let done =
            unsafe { libc::syscall(libc::SYS_bpf, command, attribute.as_ptr(), size_of_val(&attribute)) };
        check(done, || format!("bpf({name}, {fd}, {key:02x?})")).map(drop)
    }
}

impl AsFd for Map {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
