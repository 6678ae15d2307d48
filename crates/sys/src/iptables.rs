//! Rules of iptables-legacy, as the kernel hands them out (`linux/netfilter_ipv4/ip_tables.h`, and the same for IPv6).

use crate::call::{check, own};
use crate::error::Result;
use std::os::fd::{AsRawFd, OwnedFd};

/// `IPT_SO_GET_INFO`, `IPT_SO_GET_ENTRIES`; IPv6's have the same numbers.
const GET_INFO: i32 = 64;
const GET_ENTRIES: i32 = 65;
/// `struct ipt_getinfo`, and what comes before the rules in `struct ipt_get_entries`, in bytes.
const INFO: usize = 84;
const HEAD: usize = 40;
const TABLE: &[u8] = b"filter";

/// The table `filter`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Its rules, one `struct ipt_entry` or `ip6t_entry` after the other.
    pub entries: Vec<u8>,
    /// Where those of the chain `FORWARD` begin in them.
    pub forward: usize,
    /// Where its last one stands, which is its policy.
    pub policy: usize,
}

/// The table `filter` of IPv4 or IPv6. To ask for one that is not there makes it: `/proc/net/ip_tables_names` and
/// `ip6_tables_names` say which are.
///
/// # Errors
/// `ENOPROTOOPT` on a kernel without it, `EAGAIN` if it is changed at this moment.
pub fn filter(six: bool) -> Result<Filter> {
    let family = if six { libc::AF_INET6 } else { libc::AF_INET };
    // SAFETY: socket takes no pointers.
    let socket = unsafe { libc::socket(family, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::IPPROTO_RAW) };
    let socket = check(socket.into(), || "socket(SOCK_RAW, IPPROTO_RAW)".to_owned()).map(own)?;
    let level = if six { libc::SOL_IPV6 } else { libc::SOL_IP };

    let mut info = [0; INFO];
    info[..TABLE.len()].copy_from_slice(TABLE);
    get(&socket, level, GET_INFO, &mut info)?;
    let number = |at: usize| {
        let bytes = info[at..at + 4].try_into().unwrap_or_default();
        usize::try_from(u32::from_ne_bytes(bytes)).unwrap_or_default()
    };
    // After the name and `valid_hooks`: `hook_entry` and `underflow`, of five hooks each; NF_INET_FORWARD is the third.
    let (forward, policy, size) = (number(44), number(64), number(80));

    let mut entries = vec![0; HEAD + size];
    entries[..TABLE.len()].copy_from_slice(TABLE);
    entries[32..36].copy_from_slice(&info[80..84]);
    get(&socket, level, GET_ENTRIES, &mut entries)?;
    entries.drain(..HEAD);
    Ok(Filter { entries, forward, policy })
}

fn get(socket: &OwnedFd, level: i32, option: i32, buffer: &mut [u8]) -> Result<()> {
    let mut size = libc::socklen_t::try_from(buffer.len()).unwrap_or_default();
    // SAFETY: the kernel reads and writes at most `size` bytes of `buffer`.
    let got = unsafe {
        libc::getsockopt(socket.as_raw_fd(), level, option, buffer.as_mut_ptr().cast(), &raw mut size)
    };
    check(got.into(), || format!("getsockopt({level}, {option})")).map(drop)
}
