//! The log of a console: a file that is rotated when it has grown.

use crate::house::make_private;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The log's name in what a jail keeps; older parts are `console.log.1`, `.2`, …
pub(crate) const FILE: &str = "console.log";

/// A console's log.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    file: Option<File>,
    size: u64,
    /// Where in the file this run begins.
    since: u64,
    limit: u64,
    files: u8,
}

impl Log {
    /// The log in the directory of what a jail keeps; rotated at `limit` bytes, with `files`
    /// older parts. A log that cannot be opened is none: the jail matters more.
    pub(crate) fn open(directory: &Path, limit: u64, files: u8) -> Self {
        let mut log = Self { path: directory.join(FILE), file: None, size: 0, since: 0, limit, files };
        if make_private(directory).is_ok() {
            log.reopen();
            log.since = log.size;
        }
        log
    }

    fn reopen(&mut self) {
        self.file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path).ok();
        self.size = self.file.as_ref().and_then(|f| f.metadata().ok()).map_or(0, |m| m.len());
    }

    /// The end of what this run has said, from the beginning of a line: at most so many bytes.
    pub(crate) fn tail(&self, most: u64) -> Vec<u8> {
        let from = self.since.max(self.size.saturating_sub(most));
        let read = || -> std::io::Result<Vec<u8>> {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(from))?;
            let mut bytes = Vec::new();
            file.take(most).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let mut bytes = read().unwrap_or_default();
        if from > self.since {
            let line = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            bytes.drain(..line);
        }
        shown_again(&bytes)
    }

    /// Writes what the console said. On a full disk it is lost.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        if self.size > 0 && self.size + bytes.len() as u64 > self.limit {
            self.rotate();
        }
        if let Some(file) = &mut self.file
            && file.write_all(bytes).is_ok()
        {
            self.size += bytes.len() as u64;
        }
    }

    fn rotate(&mut self) {
        let part = |n: u8| match n {
            0 => self.path.clone(),
            n => self.path.with_extension(format!("log.{n}")),
        };
        // What is not there is not renamed, and an old part is replaced.
        for n in (0..self.files).rev() {
            let _ = std::fs::rename(part(n), part(n + 1));
        }
        if self.files == 0 {
            let _ = std::fs::remove_file(part(0));
        }
        self.since = 0;
        self.reopen();
    }
}

/// What may be shown a second time: text and its colours. Whatever else a terminal does at an escape belongs to when
/// it was said: to clear the screen, and to answer a question, which would be typed into the console now.
fn shown_again(bytes: &[u8]) -> Vec<u8> {
    const ESCAPE: u8 = 0x1b;
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [byte, tail @ ..] = rest {
        if *byte != ESCAPE {
            out.push(*byte);
            rest = tail;
            continue;
        }
        // ECMA-48: CSI ends with a byte from @ on; a string (OSC, DCS, …) with BEL or ESC and a backslash; others are short.
        let length = match tail {
            [b'[', body @ ..] => {
                let end = body.iter().position(|b| (0x40..0x7f).contains(b));
                end.map_or(tail.len(), |end| end + 2)
            }
            [b']' | b'P' | b'X' | b'^' | b'_', body @ ..] => {
                let end = body.iter().position(|b| matches!(*b, 7 | ESCAPE));
                end.map_or(tail.len(), |end| end + 2 + usize::from(body[end] == ESCAPE))
            }
            _ => 1,
        }
        .min(tail.len());
        if tail[..length].ends_with(b"m") && tail.first() == Some(&b'[') {
            out.push(ESCAPE);
            out.extend(&tail[..length]);
        }
        rest = &tail[length..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_asked_a_second_time() {
        for (said, shown) in [
            ("a\x1b[0;1;39mb\x1b[0m", "a\x1b[0;1;39mb\x1b[0m"),
            ("a\x1b[6nb\x1b[cc", "abc"),
            ("\x1b[!p\x1b]104\x1b\\\x1b[?7hx", "x"),
            ("\x1b]0;title\x07y", "y"),
            ("\x1bP+q544e\x1b\\z", "z"),
            ("\x1bc\x1b7z\x1b", "z"),
            ("\x1b[12", ""),
        ] {
            assert_eq!(String::from_utf8_lossy(&shown_again(said.as_bytes())), shown, "{said:?}");
        }
    }

    #[test]
    fn rotated_parts_never_exceed_their_number_and_size() {
        let directory = std::env::temp_dir().join(format!("jaula-log-{}", std::process::id()));
        let mut log = Log::open(&directory, 100, 2);
        for n in 0..60 {
            log.write(format!("line {n:4}\n").as_bytes());
        }
        let mut names: Vec<_> =
            std::fs::read_dir(&directory).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["console.log", "console.log.1", "console.log.2"]);
        let read = |n: &str| std::fs::read_to_string(directory.join(n)).unwrap();
        assert!(read("console.log").ends_with("line   59\n"));
        let all = read("console.log.2") + &read("console.log.1") + &read("console.log");
        assert_eq!(all.lines().count(), 30, "three parts of ten lines, in order");
        assert!(all.lines().is_sorted());
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
