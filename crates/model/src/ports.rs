//! Ports that programs listen on, as `network.listen` has them: `tcp 80`, `udp 5000-5010`.

use crate::config::{BadValue, shown};
use std::fmt;
use std::str::FromStr;

/// The longest list of them: programs that look through it stay short.
pub const MOST: usize = 256;

/// How data travels between ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Streams.
    Tcp,
    /// Datagrams.
    Udp,
}

/// One port, or a range of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ports {
    /// Of what.
    pub transport: Transport,
    /// The first one; never 0.
    pub first: u16,
    /// The last one.
    pub last: u16,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { transport, first, last } = self;
        if first == last { write!(f, "{transport} {first}") } else { write!(f, "{transport} {first}-{last}") }
    }
}

impl FromStr for Ports {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let help = "write \"tcp 80\", \"udp 53\" or \"tcp 8000-8080\"";
        let bad =
            |why: &str| BadValue::new(format!("{} is no port to listen on: {why}", shown(text))).help(help);
        let (transport, ports) = text.trim().split_once(' ').ok_or_else(|| bad("it is two words"))?;
        let transport = match transport {
            "tcp" => Transport::Tcp,
            "udp" => Transport::Udp,
            _ => return Err(bad("it begins with tcp or udp")),
        };
        let number = |text: &str| match text.bytes().all(|b| b.is_ascii_digit()) {
            true => text.parse().map_err(|_| bad("ports are numbers from 1 to 65535")),
            false => Err(bad("ports are numbers from 1 to 65535")),
        };
        let ports = ports.trim();
        let (first, last) = match ports.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(ports)?, number(ports)?),
        };
        match (first, last) {
            (0, _) => Err(bad("0 stands for any port that is free, which every jail may ask for")),
            _ if first > last => Err(bad("its last port is below its first")),
            _ => Ok(Self { transport, first, last }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_and_written() {
        for (text, written) in [
            ("tcp 80", "tcp 80"),
            ("udp 53", "udp 53"),
            ("tcp 8000-8080", "tcp 8000-8080"),
            (" tcp  80-80 ", "tcp 80"),
            ("tcp 80 ", "tcp 80"),
            ("udp 1-65535", "udp 1-65535"),
        ] {
            assert_eq!(text.parse::<Ports>().unwrap().to_string(), written, "{text}");
        }
        for text in [
            "",
            "80",
            "tcp",
            "tcp ",
            "sctp 80",
            "TCP 80",
            "tcp 0",
            "tcp 65536",
            "tcp +80",
            "tcp 80-",
            "tcp -80",
            "tcp 81-80",
            "tcp 1-2-3",
            "tcp a",
            "tcp/80",
        ] {
            assert!(text.parse::<Ports>().is_err(), "{text:?}");
        }
    }
}
