//! An archive's bytes: what it is compressed with is told by its first ones, never by its name.

use super::ahead::Ahead;
use super::error::ArchiveError;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::io::{self, BufRead, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// xz and zstd may take so much memory; `xz -9` takes 65 MiB, `zstd --ultra -22` 128 MiB.
const MEMORY: u64 = 256 << 20;

/// An archive, decompressed as it is read.
#[derive(Debug)]
pub struct Input {
    plain: Ahead,
    seen: Arc<Seen>,
}

/// What was read of the archive so far.
#[derive(Debug, Default)]
struct Seen {
    bytes: AtomicU64,
    /// When all was read.
    digest: Mutex<Option<String>>,
}

impl Input {
    /// Begins to read an archive.
    pub fn new(raw: impl Read + Send + 'static) -> Result<Self, ArchiveError> {
        let seen = Arc::new(Seen::default());
        let hashed = Hashed { raw, seen: Arc::clone(&seen), sum: Sha256::new() };
        let mut raw = Ahead::of(move || Ok(hashed));
        let first = raw.fill_buf().map_err(ArchiveError::Read)?;
        let plain = match first {
            [] => return Err(ArchiveError::Empty),
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
                Ahead::of(move || zstd::Decoder::with_buffer(raw))
            }
            [0x1f, 0x8b, ..] => Ahead::of(move || Ok(flate2::bufread::MultiGzDecoder::new(raw))),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Ahead::of(move || {
                let flags = liblzma::stream::CONCATENATED;
                let stream = liblzma::stream::Stream::new_stream_decoder(MEMORY, flags)?;
                Ok(liblzma::bufread::XzDecoder::new_stream(raw, stream))
            }),
            [b'B', b'Z', b'h', ..] => return Err(ArchiveError::Format("compressed with bzip2")),
            [0x04, 0x22, 0x4d, 0x18, ..] => return Err(ArchiveError::Format("compressed with lz4")),
            [0x5d, 0, 0, ..] => return Err(ArchiveError::Format("compressed with lzma")),
            [b'P', b'K', 3, 4, ..] => return Err(ArchiveError::Format("a zip archive")),
            [b'h', b's', b'q', b's', ..] => return Err(ArchiveError::Format("a squashfs image")),
            _ => raw,
        };
        Ok(Self { plain, seen })
    }

    /// The same, known by what it is when it is decompressed.
    pub fn plain(raw: impl Read + Send + 'static) -> Result<Self, ArchiveError> {
        Self::new(Self::new(raw)?)
    }

    /// How many bytes of the archive were read.
    pub fn read_so_far(&self) -> u64 {
        self.seen.bytes.load(Ordering::Relaxed)
    }

    /// SHA-256 of the archive in hexadecimal; reads what is left of it.
    pub fn digest(mut self) -> Result<String, ArchiveError> {
        // Whoever decompresses may have found the end before the reader has.
        io::copy(&mut self.plain, &mut io::sink()).map_err(|e| problem(e, 0))?;
        drop(self.plain);
        for _ in 0..1000 {
            if let Some(digest) = self.seen.digest.lock().unwrap_or_else(PoisonError::into_inner).take() {
                return Ok(digest);
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        Err(ArchiveError::After)
    }
}

impl BufRead for Input {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.plain.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.plain.consume(amount);
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.plain.read(buffer)
    }
}

/// An error of a reader: the file cannot be read, it is cut short, or it is damaged.
pub(super) fn problem(error: io::Error, at: u64) -> ArchiveError {
    if error.raw_os_error().is_some() || error.kind() == io::ErrorKind::TimedOut {
        return ArchiveError::Read(error);
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => ArchiveError::Cut(at),
        _ => {
            let text = error.to_string();
            // zstd has no kind for it.
            if text.contains("incomplete frame") {
                ArchiveError::Cut(at)
            } else {
                ArchiveError::Damaged(text)
            }
        }
    }
}

/// Adds up what goes through it.
struct Hashed<R> {
    raw: R,
    seen: Arc<Seen>,
    sum: Sha256,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.raw.read(buffer)?;
        self.sum.update(&buffer[..n]);
        self.seen.bytes.fetch_add(n as u64, Ordering::Relaxed);
        if n == 0 && !buffer.is_empty() {
            let digest = hex(&std::mem::take(&mut self.sum).finalize());
            self.seen.digest.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(digest);
        }
        Ok(n)
    }
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
