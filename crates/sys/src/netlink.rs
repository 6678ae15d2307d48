//! Netlink sockets: interfaces, addresses, routes and neighbours (rtnetlink(7)).
//!
//! Many messages go in one call; each is acknowledged, and an error comes with the kernel's own words for it.

mod message;
pub mod route;

pub use message::{Attributes, Batch, Message, attribute, attributes, messages, text, u16_at, u32_at};

use crate::call::{check, own};
use crate::error::{CallError, Errno, Result};
use std::os::fd::{AsRawFd, OwnedFd};

const REQUEST: u16 = 1;
const ACK: u16 = 4;
/// `NLM_F_REPLACE` of a message that makes something.
pub const REPLACE: u16 = 0x100;
/// `NLM_F_EXCL`: it is an error if it is there.
pub const EXCLUSIVE: u16 = 0x200;
/// `NLM_F_CREATE`
pub const CREATE: u16 = 0x400;
/// `NLM_F_DUMP` of a message that asks: for all.
const DUMP: u16 = 0x300;

/// `NLMSG_ERROR`, which acknowledges as well, and `NLMSG_DONE`, the end of a dump.
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// Flags of an error: what it answers is not in it; attributes follow.
const CAPPED: u16 = 0x100;
const TOLD: u16 = 0x200;
/// `NLMSGERR_ATTR_MSG`
const WORDS: u16 = 1;

/// `SOL_NETLINK` and its options (netlink(7)).
const LEVEL: i32 = 270;
const CAP_ACK: i32 = 10;
const EXT_ACK: i32 = 11;
const STRICT: i32 = 12;

/// `SIOCGIFINDEX`
const GET_INDEX: u32 = 0x8933;

/// A socket to a part of the kernel, in the network namespace that its maker is in.
#[derive(Debug)]
pub struct Socket(OwnedFd);

impl Socket {
    /// One to `NETLINK_ROUTE`.
    pub fn route() -> Result<Self> {
        let flags = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
        // SAFETY: socket takes no pointers.
        let fd = unsafe { libc::socket(libc::AF_NETLINK, flags, libc::NETLINK_ROUTE) };
        let fd = check(fd.into(), || "socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)".to_owned()).map(own)?;
        for option in [CAP_ACK, EXT_ACK, STRICT] {
            let on = 1_i32;
            // SAFETY: `on` has the size that is given. Without it less is told: no reason to fail.
            unsafe { libc::setsockopt(fd.as_raw_fd(), LEVEL, option, (&raw const on).cast(), 4) };
        }
        Ok(Self(fd))
    }

    /// Sends all in one call, and fails with the first that the kernel refuses; those behind it are carried out
    /// all the same.
    ///
    /// # Errors
    /// The message by what it is called, with the kernel's words.
    pub fn send(&self, batch: &Batch) -> Result<()> {
        match self.results(batch)?.into_iter().find_map(std::result::Result::err) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Sends all in one call: what became of each.
    pub fn results(&self, batch: &Batch) -> Result<Vec<Result<()>>> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        self.put(batch)?;
        let mut results: Vec<Option<Result<()>>> = batch.called.iter().map(|_| None).collect();
        while results.iter().any(Option::is_none) {
            let bytes = self.take(batch)?;
            for message in messages(&bytes).filter(|message| message.kind == ERROR) {
                let slot = usize::try_from(message.number).ok().and_then(|n| Some((n, results.get_mut(n)?)));
                if let Some((n, slot)) = slot {
                    *slot = Some(outcome(message, &batch.called[n]));
                }
            }
        }
        Ok(results.into_iter().flatten().collect())
    }

    /// Asks with one message that has one answer: the answer's type and body.
    pub fn ask(&self, batch: &Batch) -> Result<(u16, Vec<u8>)> {
        self.put(batch)?;
        let mut answer = None;
        loop {
            let bytes = self.take(batch)?;
            for message in messages(&bytes) {
                match message.kind {
                    ERROR => {
                        outcome(message, &batch.called[0])?;
                        let nothing = || CallError::new(batch.called[0].clone(), libc::ENOENT);
                        return answer.ok_or_else(nothing);
                    }
                    kind => answer = Some((kind, message.body.to_vec())),
                }
            }
        }
    }

    /// Asks for all of something: the bodies of the answers.
    pub fn dump(&self, kind: u16, called: &str, head: &[u8]) -> Result<Vec<Vec<u8>>> {
        let mut batch = Batch::default();
        batch.add(kind, DUMP, called, head, |_| {});
        self.put(&batch)?;
        let mut all = Vec::new();
        loop {
            let bytes = self.take(&batch)?;
            for message in messages(&bytes) {
                match message.kind {
                    DONE => return Ok(all),
                    ERROR => outcome(message, called)?,
                    _ => all.push(message.body.to_vec()),
                }
            }
        }
    }

    fn put(&self, batch: &Batch) -> Result<()> {
        let fd = self.0.as_raw_fd();
        // SAFETY: pointer and length are those of the messages.
        let n = unsafe { libc::send(fd, batch.bytes.as_ptr().cast(), batch.bytes.len(), 0) };
        check(n as libc::c_long, || format!("send({fd}, {})", batch.called.join(", "))).map(drop)
    }

    /// What the kernel has answered: all is there when sending returns, or is made when it is asked for.
    fn take(&self, batch: &Batch) -> Result<Vec<u8>> {
        let fd = self.0.as_raw_fd();
        // Longer than any answer (NLMSG_GOODSIZE, 32 KiB of a dump).
        let mut bytes = vec![0; 65536];
        loop {
            // SAFETY: pointer and length are those of `bytes`.
            let n = unsafe { libc::recv(fd, bytes.as_mut_ptr().cast(), bytes.len(), libc::MSG_DONTWAIT) };
            match check(n as libc::c_long, || format!("recv({fd}), answers to {}", batch.called.join(", "))) {
                Err(e) if e.is(libc::EINTR) => {}
                n => {
                    bytes.truncate(usize::try_from(n?).unwrap_or(0));
                    return Ok(bytes);
                }
            }
        }
    }

    /// The number of an interface by its name (netdevice(7), `SIOCGIFINDEX`), in the socket's namespace.
    pub fn index(&self, name: &str) -> Result<u32> {
        // SAFETY: all-zero is a valid ifreq.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        for (to, from) in request.ifr_name.iter_mut().take(libc::IFNAMSIZ - 1).zip(name.bytes()) {
            *to = from.cast_signed();
        }
        // SAFETY: `request` is an ifreq with a name that NUL ends.
        let done =
            unsafe { libc::ioctl(self.0.as_raw_fd(), crate::call::request(GET_INDEX), &raw mut request) };
        check(done.into(), || format!("ioctl(SIOCGIFINDEX, {name:?})"))?;
        // SAFETY: the call has filled the index in.
        Ok(unsafe { request.ifr_ifru.ifru_ifindex }.cast_unsigned())
    }
}

/// What an acknowledgement says.
fn outcome(message: Message<'_>, called: &str) -> Result<()> {
    let errno = u32_at(message.body, 0).map_or(libc::EPROTO, |n| -n.cast_signed());
    if errno == 0 {
        return Ok(());
    }
    let words = (message.flags & TOLD != 0).then(|| {
        let answered = usize::try_from(u32_at(message.body, 4).unwrap_or(0)).unwrap_or(0);
        let skip = if message.flags & CAPPED != 0 { message::HEAD } else { answered.next_multiple_of(4) };
        let rest = message.body.get(4 + skip..).unwrap_or_default();
        attribute(rest, WORDS).map(text).unwrap_or_default()
    });
    let call = match words.as_deref() {
        None | Some("") => called.to_owned(),
        Some(words) => format!("{called} [{words}]"),
    };
    Err(CallError { call, errno: Errno(errno) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_is_found() {
        let socket = Socket::route().unwrap();
        assert_eq!(socket.index("lo").unwrap(), 1);
        assert!(socket.index("no such").unwrap_err().is(libc::ENODEV));
        let links = route::links(&socket).unwrap();
        assert!(links.iter().any(|link| link.index == 1 && link.name == "lo"));
        let lo = route::link_named(&socket, "lo").unwrap();
        assert!(lo.index == 1 && !lo.has_neighbours);
        assert!(route::link_named(&socket, "no such").unwrap_err().is(libc::ENODEV));
    }

    #[test]
    fn errors_come_with_their_message() {
        let socket = Socket::route().unwrap();
        let mut batch = Batch::default();
        route::delete_link(&mut batch, "jv-none");
        let error = socket.send(&batch).unwrap_err();
        // Without root it is refused before it is looked for.
        assert!(error.is(libc::ENODEV) || error.is(libc::EPERM), "{error}");
        assert!(error.to_string().starts_with("RTM_DELLINK(jv-none"), "{error}");
    }

    #[test]
    fn words_of_the_kernel_are_told() {
        let mut body = (-libc::EINVAL).to_ne_bytes().to_vec();
        body.extend([0; 16]);
        let words = b"no such thing\0";
        body.extend((4 + 14_u16).to_ne_bytes());
        body.extend(1_u16.to_ne_bytes());
        body.extend(words);
        let message = Message { kind: ERROR, flags: CAPPED | TOLD, number: 0, body: &body };
        let error = outcome(message, "RTM_NEWLINK(x)").unwrap_err();
        assert_eq!(error.to_string(), "RTM_NEWLINK(x) [no such thing] = EINVAL (Invalid argument)");
        for n in 0..body.len() {
            let _ = outcome(Message { body: &body[..n], ..message }, "x");
        }
    }
}
