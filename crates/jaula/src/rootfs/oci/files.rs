//! Images on the disk: OCI layouts, archives of them, and archives of `docker save`.

use super::{ImageError, Parts, Start, parse, whole};
use crate::error::{Error, Result};
use crate::rootfs::archive::{Entries, Input, Progress, Report};
use model::oci::{Descriptor, Document, Saved, sha256};
use model::tar::Kind;
use model::tar::path::{beneath, split};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use sys::fs::{O_DIRECTORY, O_NONBLOCK, O_RDONLY, Within};

/// An archive of an image has no more names.
const MOST_NAMES: usize = 100_000;

/// The annotation of a layout's index that has an image's tag.
const TAG: &str = "org.opencontainers.image.ref.name";

/// Opens what is at a path.
pub(super) fn open(path: &str, which: Option<&str>, report: Report<'_>) -> Result<Box<dyn Parts>> {
    let at = Path::new(path);
    let which = which.map(str::to_owned);
    if at.is_dir() {
        let top = sys::fs::open(sys::fs::CWD, at, O_RDONLY | O_DIRECTORY, 0)
            .map_err(Error::call("open an image"))?;
        return Ok(Box::new(Layout { top: Top::Directory(top), path: path.to_owned(), which }));
    }
    let file = File::open(at).map_err(Error::io("open", at))?;
    let archive = Archive::new(file, report)?;
    Ok(Box::new(Layout { top: Top::Archive(Box::new(archive)), path: path.to_owned(), which }))
}

/// Where the files of an image are.
enum Top {
    Directory(OwnedFd),
    Archive(Box<Archive>),
}

impl Top {
    /// A file; `None` if there is none.
    fn open(&self, path: &str) -> Result<Option<Box<dyn Read + Send>>> {
        match self {
            Self::Directory(top) => match sys::fs::open_in(top, path, O_RDONLY | O_NONBLOCK, 0, Within::Root)
            {
                Ok(fd) => Ok(Some(Box::new(File::from(fd)))),
                Err(e) if e.is(sys::errno::ENOENT) => Ok(None),
                Err(e) => Err(Error::call("open a part of an image")(e)),
            },
            Self::Archive(archive) => archive.find(path).map(|found| found.map(|part| Box::new(part) as _)),
        }
    }
}

/// An image as files, found by their digests.
struct Layout {
    top: Top,
    path: String,
    which: Option<String>,
}

impl Parts for Layout {
    fn start(&mut self) -> Result<Start> {
        if let Some(index) = self.top.open("index.json")? {
            let index: Document = parse(&whole(index)?)?;
            return self.choose(index);
        }
        let Some(manifest) = self.top.open("manifest.json")? else {
            return Err(ImageError::NoImage(self.path.clone()).into());
        };
        let Top::Archive(archive) = &self.top else {
            return Err(ImageError::NoImage(self.path.clone()).into());
        };
        let saved: Vec<Saved> = parse(&whole(manifest)?)?;
        let names = |saved: &Saved| saved.repo_tags.clone().unwrap_or_default();
        let all: Vec<String> = saved.iter().flat_map(names).collect();
        let fits = |saved: &&Saved| match &self.which {
            None => true,
            Some(which) => {
                names(saved).iter().any(|name| name == which || name.ends_with(&format!(":{which}")))
            }
        };
        let mut fitting = saved.iter().filter(fits);
        match (fitting.next(), fitting.next(), &self.which) {
            (Some(one), None, _) => Ok(Start::Saved(one.clone(), archive.clone())),
            (None, _, Some(wanted)) => {
                Err(ImageError::None { wanted: wanted.clone(), there: all.join(", ") }.into())
            }
            (None, ..) => Err(ImageError::NoImage(self.path.clone()).into()),
            _ => Err(ImageError::Several(all.join(", ")).into()),
        }
    }

    fn part(&mut self, of: &Descriptor) -> Result<Box<dyn Read + Send>> {
        let hex = sha256(&of.digest).map_err(ImageError::from)?;
        let found = self.top.open(&format!("blobs/sha256/{hex}"))?;
        Ok(found.ok_or_else(|| ImageError::Missing(of.digest.clone()))?)
    }
}

impl Layout {
    /// The image of a layout's index that is meant.
    fn choose(&self, mut index: Document) -> Result<Start> {
        let tag = |d: &Descriptor| d.annotations.get(TAG).cloned();
        let fits = |d: &Descriptor, which: &str| d.digest == which || tag(d).is_some_and(|tag| tag == which);
        let all: Vec<String> =
            index.manifests.iter().map(|d| tag(d).unwrap_or_else(|| d.digest.clone())).collect();
        if let Some(which) = &self.which {
            index.manifests.retain(|d| fits(d, which));
            if index.manifests.is_empty() {
                return Err(ImageError::None { wanted: which.clone(), there: all.join(", ") }.into());
            }
        } else if index.manifests.len() > 1 && index.manifests.iter().all(|d| d.platform.is_none()) {
            return Err(ImageError::Several(all.join(", ")).into());
        }
        Ok(Start::Document(index, String::new()))
    }
}

/// An archive whose files are found by their names, without unpacking it.
#[derive(Clone, Debug)]
pub(super) struct Archive {
    file: Arc<File>,
    names: Arc<HashMap<Vec<u8>, Place>>,
}

/// Where a file of an archive is.
#[derive(Clone, Debug)]
enum Place {
    /// From here on, so many bytes.
    At(u64, u64),
    /// Where another is.
    Link(Vec<u8>),
}

impl Archive {
    /// Reads the names of an archive. One that is compressed is decompressed into a file without a name.
    fn new(mut file: File, report: Report<'_>) -> Result<Self> {
        let mut first = [0; 6];
        let length = file.read(&mut first).map_err(ImageError::Read)?;
        file.rewind().map_err(ImageError::Read)?;
        if matches!(first[..length], [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] | [0xfd, b'7', ..]) {
            file = decompressed(file, report)?;
        }
        let mut entries =
            Entries::new(Counted { inner: BufReader::with_capacity(256 << 10, &file), at: 0 }, false);
        let mut names = HashMap::new();
        while let Some(entry) = entries.following()? {
            let place = match entry.kind {
                Kind::File => Place::At(entries.input().at, entry.size),
                Kind::Symlink(to) => Place::Link(followed(&entry.path, &to)),
                Kind::Hardlink(to) => Place::Link(to),
                _ => continue,
            };
            if names.len() == MOST_NAMES {
                return Err(ImageError::Damaged(format!("it has more than {MOST_NAMES} names")).into());
            }
            names.insert(beneath(&entry.path).map_err(|e| ImageError::Damaged(e.to_string()))?, place);
            if names.len() % 64 == 0 {
                report(&Progress::default())?;
            }
        }
        drop(entries);
        Ok(Self { file: Arc::new(file), names: Arc::new(names) })
    }

    fn find(&self, path: &str) -> Result<Option<Part>> {
        let mut path = path.as_bytes().to_vec();
        for _ in 0..8 {
            match self.names.get(&path) {
                None => return Ok(None),
                Some(Place::At(at, size)) => {
                    return Ok(Some(Part { file: Arc::clone(&self.file), at: *at, left: *size }));
                }
                Some(Place::Link(to)) => {
                    path = beneath(to).map_err(|e| ImageError::Damaged(e.to_string()))?;
                }
            }
        }
        Err(ImageError::Damaged("a link in it leads nowhere".to_owned()).into())
    }

    /// A file that must be there.
    pub(super) fn open(&self, path: &str) -> Result<Part> {
        Ok(self.find(path)?.ok_or_else(|| ImageError::Missing(path.to_owned()))?)
    }

    /// The text of a file that must be there.
    pub(super) fn text(&self, path: &str) -> Result<Vec<u8>> {
        whole(self.open(path)?)
    }
}

/// Where a symbolic link of an archive leads, by its words.
fn followed(path: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out: Vec<&[u8]> = split(path).0.split(|b| *b == b'/').collect();
    for name in to.split(|b| *b == b'/') {
        match name {
            b".." => drop(out.pop()),
            b"" | b"." => {}
            name => out.push(name),
        }
    }
    out.retain(|name| !name.is_empty());
    out.join(&b'/')
}

/// What a compressed archive has, in a file without a name.
fn decompressed(file: File, report: Report<'_>) -> Result<File> {
    let failed = |e| Error::io("write", &std::env::temp_dir())(e);
    let path = std::env::temp_dir();
    let flags = sys::fs::O_RDWR | sys::fs::O_TMPFILE;
    let out = sys::fs::open(sys::fs::CWD, &path, flags, 0o600)
        .map_err(Error::call("make a file to unpack an image in"))?;
    let mut out = File::from(out);
    let mut input = Input::new(file)?;
    let mut all = 0u64;
    let room = sys::copy::room(&out).map_err(Error::call("look at the room for an image"))?.bytes;
    loop {
        let part = input.fill_buf().map_err(ImageError::Read)?;
        let length = part.len();
        if length == 0 {
            break;
        }
        all += length as u64;
        if all > room {
            return Err(crate::rootfs::archive::ArchiveError::Large(room).into());
        }
        out.write_all(part).map_err(failed)?;
        input.consume(length);
        report(&Progress { archive: input.read_so_far(), ..Progress::default() })?;
    }
    out.seek(SeekFrom::Start(0)).map_err(failed)?;
    Ok(out)
}

/// A part of a file.
#[derive(Debug)]
pub(super) struct Part {
    file: Arc<File>,
    at: u64,
    left: u64,
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let n = self.file.read_at(&mut buffer[..most], self.at)?;
        self.at += n as u64;
        self.left -= n as u64;
        Ok(n)
    }
}

/// Knows where it is.
struct Counted<R> {
    inner: R,
    at: u64,
}

impl<R: BufRead + Seek> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.at += amount as u64;
        self.inner.consume(amount);
    }
}

impl<R: BufRead + Seek> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.at += n as u64;
        Ok(n)
    }
}
