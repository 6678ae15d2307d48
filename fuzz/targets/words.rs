//! Names, ids, sizes and spans: what is accepted says the same when it is printed and read again.
#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

fn round_trip<T: FromStr + Display + PartialEq + Debug>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string().parse().ok(), Some(value));
    }
}

libfuzzer_sys::fuzz_target!(|text: &str| {
    round_trip::<model::name::Name>(text);
    round_trip::<model::name::Id>(text);
    round_trip::<model::units::Bytes>(text);
    round_trip::<model::units::Span>(text);
});
