//! `config edit`: an editor on a copy, which takes the file's place only if it is right.

use super::tell;
use crate::act::operate::Talk;
use crate::exit::ExitCode;
use crate::output::confirm::confirm;
use crate::output::error::report;
use jaula::house::House;
use jaula::ops::set;
use jaula::{Error, Result, registry};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `jaula config edit`
pub(crate) fn edit(word: &str, talk: Talk) -> Result<ExitCode> {
    let house = House::from_environment();
    let name = registry::one(&house, word)?;
    let (path, old) = registry::text(&house, &name)?;
    let copy = Copy::make(&path, &old)?;
    loop {
        if let Err(error) = open_editor(&copy.file) {
            return Err(copy.keep(error, &old));
        }
        let tried = registry::read_text(&copy.file).and_then(|new| {
            if new == old { Ok(None) } else { set::replace(&house, &name, &old, &new).map(Some) }
        });
        match tried {
            Ok(changed) => {
                copy.remove();
                return Ok(ExitCode::from(changed.map_or(0, |changed| tell(&changed, talk))));
            }
            Err(error) => {
                report(&error, error.help().as_deref(), talk.color);
                // Nobody there to ask is a no.
                if !confirm("Edit it again?", false).unwrap_or(false) {
                    let what = format!("{} is as it was", path.display());
                    return Err(copy.keep(Error::Refused { message: what, help: None }, &old));
                }
            }
        }
    }
}

/// A copy of a file, in a directory that only its user can enter.
struct Copy {
    directory: PathBuf,
    file: PathBuf,
}

impl Copy {
    fn make(original: &Path, text: &str) -> Result<Self> {
        let directory = std::env::temp_dir().join(format!("jaula-edit.{}", std::process::id()));
        // One that is there is not ours: somebody may have made it to see what is written.
        DirBuilder::new().mode(0o700).create(&directory).map_err(Error::io("make", &directory))?;
        let file = directory.join(original.file_name().unwrap_or_default());
        let copy = Self { directory, file };
        match std::fs::write(&copy.file, text) {
            Ok(()) => Ok(copy),
            Err(error) => {
                copy.remove();
                Err(Error::io("write", &copy.file)(error))
            }
        }
    }

    /// The error, with where the edited text is; one that was not edited is removed.
    fn keep(&self, error: Error, old: &str) -> Error {
        if std::fs::read(&self.file).is_ok_and(|text| text == old.as_bytes()) {
            self.remove();
            return error;
        }
        Error::refused(error.line(), format!("your text is in {}", self.file.display()))
    }

    /// Removes it, with what the editor put beside it.
    fn remove(&self) {
        // What stays is in a directory of temporary files.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Has the user's editor edit a file. `VISUAL` and `EDITOR` may hold options, and are read by a
/// shell as other programs do.
fn open_editor(file: &Path) -> Result<()> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let editor = variable("VISUAL").or_else(|| variable("EDITOR")).unwrap_or_else(|| "vi".into());
    let shown = editor.to_string_lossy().into_owned();
    let mut script = editor;
    script.push(" \"$@\"");
    let ended = Command::new("/bin/sh").arg("-c").arg(script).arg("sh").arg(file).status();
    let failed = |how: String| {
        Error::refused(format!("the editor {shown:?} {how}"), "set VISUAL or EDITOR to one that works")
    };
    match ended {
        Err(error) => Err(failed(format!("cannot be started: {error}"))),
        Ok(status) if !status.success() => Err(failed(format!("failed ({status})"))),
        Ok(_) => Ok(()),
    }
}
