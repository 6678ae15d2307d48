//! `jaula doctor`: what this host has of what jails need, tried for real where that is harmless.

mod fix;
mod host;
mod kernel;
mod network;
mod trial;

pub use fix::{Fix, fix};

use crate::house::House;
use serde::Serialize;
use std::fmt;

/// How one thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is there.
    Ok,
    /// Jails work without it, but not all that they could.
    Warning,
    /// Jails do not work without it.
    Missing,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Missing => "missing",
        })
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What it is.
    pub what: String,
    /// How it stands.
    pub verdict: Verdict,
    /// What it is for, or what is wrong with it.
    pub why: String,
    /// What mends it: a command, or a change to make. None if all is well, or nothing can.
    pub mend: Option<String>,
    /// What [`fix`] has done about it.
    pub fixed: Option<String>,
    /// How [`fix`] mends it, if it does.
    #[serde(skip)]
    pub fix: Option<Fix>,
}

impl Finding {
    fn ok(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), verdict: Verdict::Ok, why: why.into(), mend: None, fixed: None, fix: None }
    }

    fn warning(what: impl Into<String>, why: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warning, mend: Some(mend.into()), ..Self::ok(what, why) }
    }

    fn missing(what: impl Into<String>, why: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { verdict: Verdict::Missing, mend: Some(mend.into()), ..Self::ok(what, why) }
    }
}

/// Looks at all that jails need of this host. Nothing is changed: what is tried is tried in
/// processes and mounts that nobody else sees and that are gone when this returns.
pub fn doctor(house: &House) -> Vec<Finding> {
    let mut found = kernel::findings();
    found.extend(trial::findings(house));
    found.extend(network::findings(house));
    found.extend(host::findings(house));
    found
}
