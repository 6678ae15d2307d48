//! A jail's configuration: what `/etc/jaula/jails/NAME.toml` says, checked and typed.
//!
//! One table of keys ([`keys::SECTIONS`]) is the single source: the parser, the editor, the
//! reference in `docs/config.md` and the manual page all follow from it. A new key is a field
//! in [`types`] and a row there.

pub mod data;
pub mod edit;
pub mod effective;
pub mod keys;
pub mod reference;
pub mod types;
pub mod up;

mod check;
mod given;
mod mount;
mod problem;
mod read;
mod root;
mod value;
mod words;
mod writable;

pub use edit::{Operation, Setting};
pub(crate) use problem::shown;
pub use problem::{BadValue, Position, Problem, Problems};
pub use types::*;
pub use value::{ACCOUNTED, DEVICES, PROCESS_LIMITS, SOCKET_FAMILIES};

/// The longest text that is looked at, in bytes. A jail's file has some dozens of lines.
pub const LONGEST_TEXT: usize = 1 << 20;

impl Config {
    /// May its root have an init? An app jail's has none, and the host's is the host's.
    pub fn may_have_init(&self) -> bool {
        self.root.is_own() || !matches!(self.root.from, Some(RootSpec::App(_) | RootSpec::Host) | None)
    }

    /// Reads the text of a jail's file.
    ///
    /// # Errors
    /// Everything that is wrong with it, with its position.
    pub fn parse(text: &str) -> Result<Self, Problems> {
        read::file(text).map(|reading| reading.config)
    }

    /// The configuration that these settings make, on top of an empty file.
    ///
    /// # Errors
    /// Everything that is wrong with them; the problems have no position.
    pub fn from_settings(settings: &[Setting]) -> Result<Self, Problems> {
        edit::alone(settings)
    }

    /// The text of a file that says this: the keys that differ from their default, in the
    /// order of the table.
    pub fn to_text(&self) -> String {
        let mut empty = Self::default();
        // What holds without the key, for it depends on another.
        empty.security.profile = self.root.usual_profile();
        let (mut plain, mut tables) = (String::new(), String::new());
        for section in keys::SECTIONS {
            let mut headed = section.name.is_empty();
            for key in section.keys {
                let Some(value) = key.written(self) else { continue };
                if key.written(&empty) == Some(value.clone()) {
                    continue;
                }
                if let keys::Shape::Table { .. } = key.shape {
                    tables += &format!("\n[{}]\n{}", key.path, key.entries(self));
                } else {
                    if !headed {
                        plain += &format!("\n[{}]\n", section.name);
                        headed = true;
                    }
                    plain += &format!("{} = {value}\n", key.name());
                }
            }
        }
        (plain + &tables).trim_start().to_owned()
    }
}

#[cfg(test)]
mod tests;
