//! A thread that waits in a call: its arguments, its directories, its descriptors.

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use sys::notify::{Waiting, read_memory};

/// The longest path that the kernel takes, with its end.
const PATH_MAX: usize = 4096;
/// Nearly all paths are shorter.
const USUAL: usize = 256;

/// A thread that waits in a call, by the number that it has here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Thread<'a>(pub(super) &'a Waiting);

impl Thread<'_> {
    /// An argument as the C `int` that it is.
    pub(super) fn int(self, n: u8) -> i32 {
        let [a, b, c, d, ..] = self.word(n).to_ne_bytes();
        i32::from_ne_bytes([a, b, c, d])
    }

    pub(super) fn word(self, n: u8) -> u64 {
        self.0.arguments.get(usize::from(n)).copied().unwrap_or_default()
    }

    /// Its memory, so many bytes or as many as there are.
    pub(super) fn memory(self, address: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let n = if address == 0 { 0 } else { read_memory(self.0.thread, address, &mut bytes).unwrap_or(0) };
        bytes.truncate(n);
        bytes
    }

    /// A text that ends with a zero; `None` if there is none that the kernel would take.
    pub(super) fn text(self, address: u64) -> Option<Vec<u8>> {
        for length in [USUAL, PATH_MAX] {
            let mut bytes = self.memory(address, length);
            if let Some(end) = bytes.iter().position(|byte| *byte == 0) {
                bytes.truncate(end);
                return Some(bytes);
            }
            if bytes.len() < length {
                break;
            }
        }
        None
    }

    /// What a link of its directory in `/proc` reads.
    pub(super) fn link(self, name: &str) -> Option<Vec<u8>> {
        let link = std::fs::read_link(format!("/proc/{}/{name}", self.0.thread)).ok()?;
        let bytes = OsString::from(link).into_vec();
        // A directory that is gone, a pipe or the like is no path.
        (bytes.starts_with(b"/") && !bytes.ends_with(b" (deleted)")).then_some(bytes)
    }

    /// The file that a descriptor of it refers to.
    pub(super) fn descriptor(self, number: i32) -> Option<Vec<u8>> {
        self.link(&format!("fd/{number}"))
    }

    /// The program that it runs.
    pub(super) fn program(self) -> PathBuf {
        self.link("exe").map(|path| PathBuf::from(OsString::from_vec(path))).unwrap_or_default()
    }

    /// Its root directory.
    pub(super) fn root(self) -> Option<OwnedFd> {
        let flags = sys::fs::O_PATH | sys::fs::O_DIRECTORY;
        sys::fs::open(sys::fs::CWD, format!("/proc/{}/root", self.0.thread), flags, 0).ok()
    }

    /// The process that it belongs to.
    pub(super) fn group(self) -> Option<i32> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.thread)).ok()?;
        status.lines().find_map(|line| line.strip_prefix("Tgid:"))?.trim().parse().ok()
    }

    /// A descriptor of its own, as one of ours.
    pub(super) fn take(self, number: i32) -> Option<OwnedFd> {
        let process = sys::process::open(self.group()?).ok()?;
        sys::process::take_descriptor(process.as_fd(), number).ok()
    }
}

/// A path's bytes as a path.
pub(super) fn path(bytes: &[u8]) -> &Path {
    Path::new(std::ffi::OsStr::from_bytes(bytes))
}
