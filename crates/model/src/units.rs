//! Quantities as people write them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A number of bytes: `512`, `64k`, `1.5G`; powers of 1024, as `df -h` has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

/// A number of things: `512`, `200k`, `1.5M`; powers of 1000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Count(pub u64);

/// A length of time: `250ms`, `30s`, `5m`, `2h`, `1d`; a bare number is seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub Duration);

/// A rate of data in bits a second: `50mbit`, `1.5gbit`; powers of 1000, as `tc` has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(pub u64);

/// Why a text is no quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {what}")]
pub struct BadUnit {
    text: String,
    what: &'static str,
}

impl FromStr for Bytes {
    type Err = BadUnit;

    fn from_str(text: &str) -> Result<Self, BadUnit> {
        let bad = || BadUnit { text: text.chars().take(40).collect(), what: "a size such as 512, 64k, 1.5G" };
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let shift =
            match text[digits.len()..].to_ascii_lowercase().trim_end_matches('b').trim_end_matches('i') {
                "" => 0,
                "k" => 10,
                "m" => 20,
                "g" => 30,
                "t" => 40,
                "p" => 50,
                _ => return Err(bad()),
            };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let scaled = |n: &str| n.parse::<u64>().ok()?.checked_mul(1 << shift);
        if !(digits.chars().all(|c| c.is_ascii_digit() || c == '.') && part.len() <= 9) {
            return Err(bad());
        }
        let whole = scaled(whole).ok_or_else(bad)?;
        let part = match part {
            "" if digits.ends_with('.') => return Err(bad()),
            "" => 0,
            part => {
                let ten = 10u128.pow(u32::try_from(part.len()).map_err(|_| bad())?);
                let part = u128::from(part.parse::<u64>().map_err(|_| bad())?) << shift;
                u64::try_from(part / ten).map_err(|_| bad())?
            }
        };
        whole.checked_add(part).map(Self).ok_or_else(bad)
    }
}

impl fmt::Display for Bytes {
    /// The largest unit that divides the number, so that parsing gives the same number back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zeros = if self.0 == 0 { 0 } else { self.0.trailing_zeros() / 10 * 10 }.min(50);
        let unit = ["", "k", "M", "G", "T", "P"][zeros as usize / 10];
        write!(f, "{}{unit}", self.0 >> zeros)
    }
}

impl FromStr for Count {
    type Err = BadUnit;

    fn from_str(text: &str) -> Result<Self, BadUnit> {
        let bad =
            || BadUnit { text: text.chars().take(40).collect(), what: "a number such as 512, 200k, 1.5M" };
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let zeros = match &text[digits.len()..] {
            "" => 0,
            "k" | "K" => 3,
            "m" | "M" => 6,
            "g" | "G" => 9,
            _ => return Err(bad()),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let numbers = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty()
            || part.len() > zeros
            || digits.ends_with('.')
            || !numbers(whole)
            || !numbers(part)
        {
            return Err(bad());
        }
        format!("{whole}{part:0<zeros$}").parse().map(Self).map_err(|_| bad())
    }
}

impl fmt::Display for Count {
    /// The largest unit that divides the number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, size) in [("G", 1_000_000_000), ("M", 1_000_000), ("k", 1000)] {
            if self.0 >= size && self.0.is_multiple_of(size) {
                return write!(f, "{}{unit}", self.0 / size);
            }
        }
        write!(f, "{}", self.0)
    }
}

impl FromStr for Rate {
    type Err = BadUnit;

    fn from_str(text: &str) -> Result<Self, BadUnit> {
        let bad = || BadUnit {
            text: text.chars().take(40).collect(),
            what: "a rate such as 512kbit, 50mbit, 1.5gbit",
        };
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = match text[digits.len()..].to_ascii_lowercase().as_str() {
            "bit" => "",
            "kbit" => "k",
            "mbit" => "M",
            "gbit" => "G",
            _ => return Err(bad()),
        };
        match format!("{digits}{unit}").parse() {
            // Less is no rate that a packet gets through with; more fits no counter of the kernel's.
            Ok(Count(bits @ 8000..=1_000_000_000_000)) => Ok(Self(bits)),
            _ => Err(bad()),
        }
    }
}

impl fmt::Display for Rate {
    /// The largest unit that divides the number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = Count(self.0).to_string();
        let digits = count.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        write!(f, "{digits}{}bit", count[digits.len()..].to_ascii_lowercase())
    }
}

impl FromStr for Span {
    type Err = BadUnit;

    fn from_str(text: &str) -> Result<Self, BadUnit> {
        let bad = || BadUnit {
            text: text.chars().take(40).collect(),
            what: "a time such as 250ms, 30s, 5m, 2h, 1d",
        };
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let millis = match &text[digits.len()..] {
            "ms" => 1,
            "" | "s" => 1000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(bad()),
        };
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(bad());
        }
        let number: u64 = digits.parse().map_err(|_| bad())?;
        number.checked_mul(millis).map(|ms| Self(Duration::from_millis(ms))).ok_or_else(bad)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)] {
            if ms >= size && ms.is_multiple_of(size) {
                return write!(f, "{}{unit}", ms / size);
            }
        }
        write!(f, "{ms}ms")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes() {
        for (text, bytes) in
            [("0", 0), ("512", 512), ("64k", 65536), ("1.5G", 3 << 29), ("2MiB", 2 << 20), ("7gb", 7 << 30)]
        {
            assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text}");
        }
        for bad in ["", "k", "-1", "1.", "1e3", "99999999P", "1x", ".5.5", "1.0000000001k"] {
            assert!(bad.parse::<Bytes>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn counts() {
        for (text, n) in [("0", 0), ("512", 512), ("200k", 200_000), ("1.5M", 1_500_000), ("1.25k", 1250)] {
            assert_eq!(text.parse(), Ok(Count(n)), "{text}");
        }
        for bad in ["", "k", "-1", "1.", ".5k", "1.5", "1.2345k", "1kb", "1e3", "99999999999999999999", "+1"]
        {
            assert!(bad.parse::<Count>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn spans() {
        for (text, ms) in [("0", 0), ("30", 30_000), ("250ms", 250), ("5m", 300_000), ("2h", 7_200_000)] {
            assert_eq!(text.parse(), Ok(Span(Duration::from_millis(ms))), "{text}");
        }
        for bad in ["", "s", "-1s", "1.5s", "1w", "99999999999999999999d"] {
            assert!(bad.parse::<Span>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn rates() {
        for (text, n) in
            [("8kbit", 8000), ("50mbit", 50_000_000), ("1.5Gbit", 1_500_000_000), ("64000bit", 64000)]
        {
            assert_eq!(text.parse(), Ok(Rate(n)), "{text}");
        }
        for bad in ["", "50", "50m", "50mbps", "0mbit", "1bit", "-1mbit", "9999gbit", "kbit", "mbit"] {
            assert!(bad.parse::<Rate>().is_err(), "{bad:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn rates_round_trip(n in 8000u64..=1_000_000_000_000) {
            proptest::prop_assert_eq!(Rate(n).to_string().parse(), Ok(Rate(n)));
        }

        #[test]
        fn bytes_round_trip(n: u64) {
            proptest::prop_assert_eq!(Bytes(n).to_string().parse(), Ok(Bytes(n)));
        }

        #[test]
        fn counts_round_trip(n: u64) {
            proptest::prop_assert_eq!(Count(n).to_string().parse(), Ok(Count(n)));
        }

        #[test]
        fn spans_round_trip(n in 0u64..1 << 50) {
            let span = Span(Duration::from_millis(n));
            proptest::prop_assert_eq!(span.to_string().parse(), Ok(span));
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = (text.parse::<Bytes>(), text.parse::<Count>(), text.parse::<Span>(), text.parse::<Rate>());
        }
    }
}
