//! The log of a console: a file that is rotated when it has grown.

use crate::house::make_private;
use std::fs::{File, OpenOptions};
use std::io::Write;
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
    limit: u64,
    files: u8,
}

impl Log {
    /// The log in the directory of what a jail keeps; rotated at `limit` bytes, with `files`
    /// older parts. A log that cannot be opened is none: the jail matters more.
    pub(crate) fn open(directory: &Path, limit: u64, files: u8) -> Self {
        let mut log = Self { path: directory.join(FILE), file: None, size: 0, limit, files };
        if make_private(directory).is_ok() {
            log.reopen();
        }
        log
    }

    fn reopen(&mut self) {
        self.file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path).ok();
        self.size = self.file.as_ref().and_then(|f| f.metadata().ok()).map_or(0, |m| m.len());
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
        self.reopen();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
