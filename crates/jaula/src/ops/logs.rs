//! `jaula logs`: what a jail wrote to its console, over the rotations of its log.

use crate::error::{Error, Result};
use crate::house::House;
use crate::keeper::log::FILE;
use crate::registry;
use model::name::Name;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::time::Duration;

/// How often a log that is followed is looked at.
const PAUSE: Duration = Duration::from_millis(100);
/// How much is read at a time.
const CHUNK: usize = 64 << 10;
/// There are never more parts: `boot.log_files` is at most 255.
const MOST_PARTS: usize = 255;

/// A jail's log, read from its oldest part to its newest end.
#[derive(Debug)]
pub struct Log<'a> {
    house: &'a House,
    name: &'a Name,
    /// The parts that are still to be read, the oldest last.
    parts: Vec<File>,
}

impl<'a> Log<'a> {
    /// Opens a jail's log; only its last `lines` if that is given. A jail that never ran has an
    /// empty one.
    pub fn open(house: &'a House, name: &'a Name, lines: Option<usize>) -> Result<Self> {
        if !registry::exists(house, name)? {
            return Err(Error::NoJail(name.to_string()));
        }
        let mut log = Self { house, name, parts: Vec::new() };
        log.parts = log.newer_than(None)?;
        if let Some(lines) = lines {
            log.skip_to_last(lines)?;
        }
        Ok(log)
    }

    /// Hands all that there is to `show`, until the end or until `show` says that it is enough.
    pub fn show(&mut self, show: &mut impl FnMut(&[u8]) -> bool) -> Result<bool> {
        let mut buffer = vec![0; CHUNK];
        while let Some(part) = self.parts.last_mut() {
            match part.read(&mut buffer) {
                Ok(0) if self.parts.len() == 1 => return Ok(true),
                Ok(0) => drop(self.parts.pop()),
                Ok(n) if show(&buffer[..n]) => {}
                Ok(_) => return Ok(false),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(Error::io("read", &self.path(0))(e)),
            }
        }
        Ok(true)
    }

    /// Hands all that comes to `show`, until the jail has stopped and all of it was shown, or
    /// until `show` says that it is enough. An empty piece says that nothing has come for now.
    pub fn follow(&mut self, show: &mut impl FnMut(&[u8]) -> bool) -> Result<()> {
        loop {
            // Asked first: what it wrote before it stopped is there by then.
            let runs = registry::live(self.house, self.name)?.is_some_and(|live| live.is_alive());
            loop {
                if !self.show(show)? {
                    return Ok(());
                }
                if !self.turn()? {
                    break;
                }
            }
            if !runs || !show(&[]) {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Goes on with the parts that are newer than the one that is read, if the log was rotated.
    fn turn(&mut self) -> Result<bool> {
        let inode = |file: &File| file.metadata().ok().map(|about| (about.dev(), about.ino()));
        let current = self.parts.last().and_then(inode);
        let mut newer = self.newer_than(current)?;
        if newer.is_empty() {
            return Ok(false);
        }
        // The old part may have grown between its end and its rotation: it is read once more.
        newer.extend(self.parts.pop());
        self.parts = newer;
        Ok(true)
    }

    /// The parts that are newer than the one with this inode, the oldest last; all of them if
    /// that one is gone.
    fn newer_than(&self, current: Option<(u64, u64)>) -> Result<Vec<File>> {
        let mut parts = Vec::new();
        for number in 0..=MOST_PARTS {
            let path = self.path(number);
            let flags = sys::fs::O_NOFOLLOW | sys::fs::O_NONBLOCK;
            let file = match OpenOptions::new().read(true).custom_flags(flags).open(&path) {
                Err(e) if e.kind() == ErrorKind::NotFound => break,
                opened => opened.map_err(Error::io("read", &path))?,
            };
            let about = file.metadata().map_err(Error::io("read", &path))?;
            if Some((about.dev(), about.ino())) == current {
                break;
            }
            parts.push(file);
        }
        Ok(parts)
    }

    /// Where a part is; 0 is the one that grows.
    fn path(&self, number: usize) -> PathBuf {
        let file = if number == 0 { FILE.to_owned() } else { format!("{FILE}.{number}") };
        self.house.kept(self.name).join(file)
    }

    /// Leaves out all but the last lines.
    fn skip_to_last(&mut self, lines: usize) -> Result<()> {
        let mut missing = lines;
        for newest in 0..self.parts.len() {
            let path = self.path(newest);
            let (at, found) = last_lines(&mut self.parts[newest], missing, newest == 0)
                .map_err(Error::io("read", &path))?;
            let seek = self.parts[newest].seek(SeekFrom::Start(at));
            seek.map_err(Error::io("read", &path))?;
            missing -= found.min(missing);
            // A line that begins where its part does may begin in the part before.
            if missing == 0 && at > 0 {
                self.parts.truncate(newest + 1);
                break;
            }
        }
        Ok(())
    }
}

/// Where the last lines of a file begin, and how many begin in it, at most `wanted`. The last
/// line of the whole log may lack its newline; in any other part (`!last`) what stands behind
/// the last newline is the beginning of a line that goes on in the next part.
fn last_lines(file: &mut (impl Read + Seek), wanted: usize, last: bool) -> std::io::Result<(u64, usize)> {
    let end = file.seek(SeekFrom::End(0))?;
    if end == 0 || wanted == 0 && last {
        return Ok((end, 0));
    }
    let mut byte = [0];
    file.seek(SeekFrom::Start(end - 1))?;
    file.read_exact(&mut byte)?;
    // The newline of the last line that ends here; each one before it begins a line.
    let own = usize::from(!last || byte == *b"\n");
    let mut buffer = vec![0; CHUNK];
    let (mut at, mut newlines) = (end, 0);
    while at > 0 {
        let length = usize::try_from(at.min(CHUNK as u64)).unwrap_or(CHUNK);
        at -= length as u64;
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut buffer[..length])?;
        for (index, _) in buffer[..length].iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            newlines += 1;
            if newlines == wanted.saturating_add(own) {
                return Ok((at + index as u64 + 1, wanted));
            }
        }
    }
    Ok((0, newlines + 1 - own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_lines_begin_where_they_should() {
        for (text, wanted, at, found) in [
            ("", 3, 0, 0),
            ("a\nb\nc\n", 0, 6, 0),
            ("a\nb\nc\n", 1, 4, 1),
            ("a\nb\nc\n", 2, 2, 2),
            ("a\nb\nc", 1, 4, 1),
            ("a\nb\nc", 3, 0, 3),
            ("a\nb\nc\n", 9, 0, 3),
            ("\n\n\n", 2, 1, 2),
            ("\n", 1, 0, 1),
        ] {
            let mut file = std::io::Cursor::new(text.as_bytes());
            assert_eq!(last_lines(&mut file, wanted, true).unwrap(), (at, found), "{text:?} {wanted}");
        }
        for (text, wanted, at, found) in [
            ("a\nb\n", 0, 4, 0),
            ("a\nb\n", 1, 2, 1),
            ("a\nfrag", 0, 2, 0),
            ("a\nb\nfrag", 1, 2, 1),
            ("a\nfrag", 5, 0, 1),
            ("frag", 2, 0, 0),
        ] {
            let mut file = std::io::Cursor::new(text.as_bytes());
            assert_eq!(last_lines(&mut file, wanted, false).unwrap(), (at, found), "{text:?} {wanted}");
        }
        let long = "x".repeat(CHUNK) + "\n" + &"y".repeat(CHUNK) + "\n";
        let at = CHUNK as u64 + 1;
        let mut file = std::io::Cursor::new(long.as_bytes());
        assert_eq!(last_lines(&mut file, 1, true).unwrap(), (at, 1));
    }
}
