//! What commands and keepers say to each other, over a socket in the jail's run directory.
//!
//! A command sends one line of JSON ([`Order`]) and gets one back ([`Reply`]). After
//! `console`, the connection carries the console: bytes to the command, and from it frames of
//! a kind, a length (two bytes, big end first) and as many bytes.

use crate::error::{Error, Result};
use crate::state::Ended;
use serde::{Deserialize, Serialize};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// The keeper's socket in a jail's run directory.
pub(crate) const SOCKET: &str = "control";

/// The longest line.
pub(crate) const LINE: usize = 4096;

/// What a command asks of a keeper.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Order {
    /// Stop the jail.
    Stop {
        /// Milliseconds after which it is killed; its own time if absent.
        timeout: Option<u64>,
    },
    /// Be connected to the console.
    Console,
    /// Freeze the jail, until the command hangs up.
    Freeze,
}

/// What a keeper answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Reply {
    /// The jail is ready.
    Ready {
        /// What the host lacks.
        warnings: Vec<String>,
    },
    /// The jail ran already, with a keeper of its own.
    Running,
    /// The jail has stopped, and nothing of it is left.
    Stopped {
        /// How it ended.
        ended: Option<Ended>,
    },
    /// The console follows.
    Console,
    /// The jail is being frozen. That it goes on by itself, to be stopped, is told by hanging up.
    Frozen,
    /// It cannot be.
    Failed {
        /// Why.
        message: String,
        /// The way out.
        help: Option<String>,
    },
}

/// A frame's kind: typed bytes.
pub(crate) const TYPED: u8 = 0;
/// A frame's kind: the size of the terminal, rows and columns.
pub(crate) const RESIZED: u8 = 1;

/// A frame of a console's connection.
pub(crate) fn frame(kind: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes();
    let mut all = vec![kind, length[0], length[1]];
    all.extend_from_slice(&bytes[..bytes.len().min(usize::from(u16::MAX))]);
    all
}

/// Takes the first whole frame from the front of a buffer.
pub(crate) fn take_frame(buffer: &mut Vec<u8>) -> Option<(u8, Vec<u8>)> {
    let &[kind, high, low, ..] = &buffer[..] else { return None };
    let end = 3 + usize::from(u16::from_be_bytes([high, low]));
    if buffer.len() < end {
        return None;
    }
    let bytes = buffer[3..end].to_vec();
    buffer.drain(..end);
    Some((kind, bytes))
}

/// One line of JSON.
pub(crate) fn line<T: Serialize>(message: &T) -> Vec<u8> {
    // These types have nothing that JSON could not hold.
    let mut text = serde_json::to_vec(message).unwrap_or_default();
    text.push(b'\n');
    text
}

/// Connects to a keeper and sends an order.
pub(crate) fn order(run: impl AsFd, order: &Order) -> sys::Result<OwnedFd> {
    let socket = sys::socket::connect(run, SOCKET)?;
    sys::fs::write(&socket, &line(order))?;
    Ok(socket)
}

/// Waits for a keeper's answer; `None` if it ended without one.
pub(crate) fn reply(socket: impl AsFd, limit: Option<Duration>) -> Result<Option<Reply>> {
    let mut text = Vec::new();
    let mut byte = [0; 1];
    loop {
        let ready =
            sys::poll::wait(&[(socket.as_fd(), false)], limit).map_err(Error::call("wait for the keeper"))?;
        if !ready[0] && limit.is_some() {
            return Ok(None);
        }
        match sys::fs::read(&socket, &mut byte) {
            Ok(0) => return Ok(None),
            Ok(_) if byte[0] == b'\n' => break,
            Ok(_) if text.len() < LINE * 16 => text.push(byte[0]),
            Err(e) if e.is(sys::errno::EAGAIN) => {}
            // A keeper that was killed closes its end with our order unread.
            _ => return Ok(None),
        }
    }
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|e| Error::Inside(format!("the keeper's answer makes no sense: {e}")))
}

/// Where a keeper tells whoever made it how its beginning went. Nobody may listen any more.
#[derive(Debug)]
pub(crate) struct Report<'a>(&'a OwnedFd);

impl<'a> Report<'a> {
    pub(crate) fn to(socket: &'a OwnedFd) -> Self {
        Self(socket)
    }

    pub(crate) fn ready(&self, warnings: &[String]) {
        self.say(&Reply::Ready { warnings: warnings.to_vec() });
    }

    /// The jail had ended already, and is undone.
    pub(crate) fn stopped(&self) {
        self.say(&Reply::Stopped { ended: None });
    }

    pub(crate) fn failed(&self, error: &Error) {
        if let Error::Running(_) = error {
            return self.say(&Reply::Running);
        }
        self.say(&Reply::Failed { message: error.line(), help: error.help() });
    }

    fn say(&self, reply: &Reply) {
        let _ = sys::fs::write(self.0, &line(reply));
    }
}

/// Reads a keeper's first report; `None` if it died without one.
pub(crate) fn report(socket: impl AsFd) -> Option<Reply> {
    let mut text = vec![0; 65536];
    let (n, _) = sys::socket::receive(socket, &mut text).ok()?;
    serde_json::from_slice(text.get(..n)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_whole() {
        let mut buffer = frame(TYPED, b"ab");
        buffer.extend(frame(RESIZED, &[0, 24, 0, 80]));
        let last = buffer.pop().unwrap();
        assert_eq!(take_frame(&mut buffer), Some((TYPED, b"ab".to_vec())));
        assert_eq!(take_frame(&mut buffer), None, "its last byte has not come yet");
        buffer.push(last);
        assert_eq!(take_frame(&mut buffer), Some((RESIZED, vec![0, 24, 0, 80])));
        assert!(buffer.is_empty());
    }
}
