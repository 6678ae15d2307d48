//! Maps: what BPF programs and processes share (bpf(2), `BPF_MAP_…`).

use crate::call::{check, own};
use crate::error::Result;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

const MAP_CREATE: i32 = 0;
const MAP_LOOKUP_ELEM: i32 = 1;
const MAP_UPDATE_ELEM: i32 = 2;
const MAP_DELETE_ELEM: i32 = 3;

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
