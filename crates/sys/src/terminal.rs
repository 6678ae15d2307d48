//! Terminals and pseudo-terminals (tty_ioctl(4), pty(7)).

use crate::call::{check, own};
use crate::error::Result;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// Rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Lines of text.
    pub rows: u16,
    /// Characters in a line.
    pub columns: u16,
}

/// Is it a terminal (isatty(3))?
pub fn is(fd: impl AsFd) -> bool {
    // SAFETY: isatty takes no pointers.
    unsafe { libc::isatty(fd.as_fd().as_raw_fd()) == 1 }
}

/// The size of a terminal (`TIOCGWINSZ`).
pub fn size(fd: impl AsFd) -> Result<Size> {
    let fd = fd.as_fd().as_raw_fd();
    let mut size = MaybeUninit::<libc::winsize>::uninit();
    // SAFETY: TIOCGWINSZ fills a winsize.
    let done = unsafe { libc::ioctl(fd, libc::TIOCGWINSZ, size.as_mut_ptr()) };
    check(done.into(), || format!("ioctl({fd}, TIOCGWINSZ)"))?;
    // SAFETY: the call succeeded and filled it.
    let size = unsafe { size.assume_init() };
    Ok(Size { rows: size.ws_row, columns: size.ws_col })
}

/// Sets the size; the foreground programs get `SIGWINCH` (`TIOCSWINSZ`).
pub fn set_size(fd: impl AsFd, size: Size) -> Result<()> {
    let fd = fd.as_fd().as_raw_fd();
    let size = libc::winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCSWINSZ reads a winsize.
    let done = unsafe { libc::ioctl(fd, libc::TIOCSWINSZ, &raw const size) };
    check(done.into(), || format!("ioctl({fd}, TIOCSWINSZ)")).map(drop)
}

/// A new pseudo-terminal of the devpts instance that `ptmx` was opened in: unlocks it and
/// opens its other end without a path (`TIOCGPTPEER`, Linux 4.13), not as anybody's
/// controlling terminal.
pub fn peer(ptmx: impl AsFd) -> Result<OwnedFd> {
    let fd = ptmx.as_fd().as_raw_fd();
    let unlocked = 0;
    // SAFETY: TIOCSPTLCK reads an int.
    let done = unsafe { libc::ioctl(fd, libc::TIOCSPTLCK, &raw const unlocked) };
    check(done.into(), || format!("ioctl({fd}, TIOCSPTLCK)"))?;
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: TIOCGPTPEER takes its flags by value.
    let peer = unsafe { libc::ioctl(fd, libc::TIOCGPTPEER, flags) };
    check(peer.into(), || format!("ioctl({fd}, TIOCGPTPEER)")).map(own)
}

/// The number of a pseudo-terminal: it is `/dev/pts/N` (`TIOCGPTN`).
pub fn number(ptmx: impl AsFd) -> Result<u32> {
    let fd = ptmx.as_fd().as_raw_fd();
    let mut number = 0u32;
    // SAFETY: TIOCGPTN fills an unsigned int.
    let done = unsafe { libc::ioctl(fd, libc::TIOCGPTN, &raw mut number) };
    check(done.into(), || format!("ioctl({fd}, TIOCGPTN)"))?;
    Ok(number)
}

/// A terminal in raw mode: bytes pass as they are. Dropping it restores the terminal.
#[derive(Debug)]
pub struct Raw {
    fd: OwnedFd,
    before: libc::termios,
}

fn attributes(fd: i32) -> Result<libc::termios> {
    let mut attributes = MaybeUninit::<libc::termios>::uninit();
    // SAFETY: tcgetattr fills a termios.
    check(unsafe { libc::tcgetattr(fd, attributes.as_mut_ptr()) }.into(), || format!("tcgetattr({fd})"))?;
    // SAFETY: the call succeeded and filled it.
    Ok(unsafe { attributes.assume_init() })
}

impl Raw {
    /// Puts the terminal into raw mode (cfmakeraw(3)).
    pub fn enter(terminal: impl AsFd) -> Result<Self> {
        let fd = terminal.as_fd().try_clone_to_owned().map_err(|e| crate::CallError {
            call: "dup(terminal)".to_owned(),
            errno: crate::Errno(e.raw_os_error().unwrap_or(0)),
        })?;
        let before = attributes(fd.as_raw_fd())?;
        let mut raw = before;
        // SAFETY: `raw` is a filled termios; both calls only read or change it.
        let done = unsafe {
            libc::cfmakeraw(&raw mut raw);
            libc::tcsetattr(fd.as_raw_fd(), libc::TCSADRAIN, &raw const raw)
        };
        check(done.into(), || format!("tcsetattr({})", fd.as_raw_fd()))?;
        Ok(Self { fd, before })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // SAFETY: `before` is a filled termios. A terminal that is gone needs no restoring.
        unsafe { libc::tcsetattr(self.fd.as_raw_fd(), libc::TCSADRAIN, &raw const self.before) };
    }
}

/// Would this byte, typed into the pseudo-terminal, raise a signal in its foreground? Which?
pub fn signal_of(ptmx: impl AsFd, byte: u8) -> Option<i32> {
    let attributes = attributes(ptmx.as_fd().as_raw_fd()).ok()?;
    if attributes.c_lflag & libc::ISIG == 0 || byte == 0 {
        return None;
    }
    [(libc::VINTR, libc::SIGINT), (libc::VQUIT, libc::SIGQUIT)]
        .into_iter()
        .find(|(slot, _)| attributes.c_cc[*slot] == byte)
        .map(|(_, signal)| signal)
}

/// The process group in the foreground of a pseudo-terminal, as this process numbers it
/// (`TIOCGPGRP`).
pub fn foreground(ptmx: impl AsFd) -> Result<i32> {
    let fd = ptmx.as_fd().as_raw_fd();
    let mut group = 0i32;
    // SAFETY: TIOCGPGRP fills a pid_t.
    let done = unsafe { libc::ioctl(fd, libc::TIOCGPGRP, &raw mut group) };
    check(done.into(), || format!("ioctl({fd}, TIOCGPGRP)"))?;
    Ok(group)
}
