//! Signals by name (signal(7)).

use std::fmt;
use std::str::FromStr;

/// The names in the order of their numbers from 1, without `SIG`, as x86, Arm, RISC-V and
/// PowerPC have them (`asm-generic/signal.h`).
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
    "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
    "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// Other names of the same signals.
const ALIASES: [(&str, u8); 3] = [("IOT", 6), ("CLD", 17), ("POLL", 29)];

/// The first real-time signal, as the C libraries count: the kernel's first two (32 and 33)
/// are for their threads. systemd's `SIGRTMIN+3` is 37 by this count.
const RTMIN: u8 = 34;
/// The last real-time signal.
const RTMAX: u8 = 64;

/// A signal that a program can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(u8);

/// Why a text is no [`Signal`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not a signal")]
pub struct BadSignal {
    /// What was given, cut to a printable length.
    name: String,
    /// The name that was probably meant.
    pub nearest: Option<&'static str>,
}

impl Signal {
    /// Its number, as kill(2) takes it.
    pub fn number(self) -> i32 {
        i32::from(self.0)
    }

    /// The signal with this number, unless there is none or it is one of the C library's own.
    pub fn from_number(number: i32) -> Option<Self> {
        let number = u8::try_from(number).ok()?;
        (matches!(number, 1..=31) || (RTMIN..=RTMAX).contains(&number)).then_some(Self(number))
    }
}

impl FromStr for Signal {
    type Err = BadSignal;

    /// Takes `TERM` and `SIGTERM`, in either case, and `RTMIN`, `RTMIN+3`, `RTMAX-1`.
    fn from_str(text: &str) -> Result<Self, BadSignal> {
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        let plain = (1u8..).zip(NAMES).find(|(_, n)| *n == name).map(|(number, _)| number);
        let alias = || ALIASES.iter().find(|(n, _)| *n == name).map(|(_, number)| *number);
        plain.or_else(alias).or_else(|| real_time(name)).map(Self).ok_or_else(|| BadSignal {
            name: text.chars().take(40).collect(),
            nearest: crate::suggest::nearest(name, NAMES),
        })
    }
}

/// The number of `RTMIN`, `RTMIN+n`, `RTMAX`, `RTMAX-n`.
fn real_time(name: &str) -> Option<u8> {
    let offset = |text: &str, sign| match text {
        "" => Some(0),
        text => {
            text.strip_prefix(sign)?.bytes().all(|b| b.is_ascii_digit()).then(|| text[1..].parse().ok())?
        }
    };
    let number = match name.strip_prefix("RTMIN") {
        Some(rest) => RTMIN.checked_add(offset(rest, '+')?)?,
        None => RTMAX.checked_sub(offset(name.strip_prefix("RTMAX")?, '-')?)?,
    };
    (RTMIN..=RTMAX).contains(&number).then_some(number)
}

impl fmt::Display for Signal {
    /// Its name without `SIG`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (NAMES.get(usize::from(self.0) - 1), self.0.checked_sub(RTMIN)) {
            (Some(name), _) => f.write_str(name),
            (None, Some(0) | None) => f.write_str("RTMIN"),
            (None, Some(n)) => write!(f, "RTMIN+{n}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        for (text, number, name) in [
            ("TERM", 15, "TERM"),
            ("SIGTERM", 15, "TERM"),
            ("sigint", 2, "INT"),
            ("USR1", 10, "USR1"),
            ("SYS", 31, "SYS"),
            ("POLL", 29, "IO"),
            ("RTMIN", 34, "RTMIN"),
            ("SIGRTMIN+3", 37, "RTMIN+3"),
            ("RTMAX", 64, "RTMIN+30"),
            ("RTMAX-30", 34, "RTMIN"),
        ] {
            let signal: Signal = text.parse().unwrap();
            assert_eq!((signal.number(), signal.to_string().as_str()), (number, name), "{text}");
        }
        for bad in ["", "SIG", "15", "RTMIN+31", "RTMAX-31", "RTMIN-1", "RTMIN+", "RTMIN++1", "TERMX"] {
            assert!(bad.parse::<Signal>().is_err(), "{bad}");
        }
        assert_eq!("TEMR".parse::<Signal>().unwrap_err().nearest, Some("TERM"));
    }

    #[test]
    fn every_number_has_a_name_that_gives_it_back() {
        for number in -1..70 {
            match Signal::from_number(number) {
                Some(signal) => assert_eq!(signal.to_string().parse(), Ok(signal)),
                None => assert!(!(1..=64).contains(&number) || number == 32 || number == 33),
            }
        }
    }
}
