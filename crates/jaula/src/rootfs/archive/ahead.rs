//! A reader in a thread of its own, ahead of whoever takes its bytes.

use std::io::{self, BufRead, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::time::Duration;
use sys::signal::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

/// What ends a wait.
const ENDING: [i32; 4] = [SIGINT, SIGTERM, SIGHUP, SIGQUIT];
/// So long it waits before it looks for one.
const SLICE: Duration = Duration::from_millis(100);
/// So much is read at a time.
const CHUNK: usize = 256 << 10;
/// So many chunks may wait.
const WAITING: usize = 8;

/// The bytes of a reader that another thread reads.
#[derive(Debug)]
pub(super) struct Ahead {
    chunks: Receiver<io::Result<Vec<u8>>>,
    /// Chunks that are used up go back.
    used: Sender<Vec<u8>>,
    chunk: Vec<u8>,
    at: usize,
}

impl Ahead {
    /// Reads in a new thread, until its end, an error, or until this is dropped. The reader is made there.
    pub(super) fn of<R: Read>(make: impl FnOnce() -> io::Result<R> + Send + 'static) -> Self {
        let (send, chunks) = sync_channel(WAITING);
        let (used, empty) = channel();
        std::thread::spawn(move || match make() {
            Ok(reader) => read(reader, &send, &empty),
            // Nobody may wait for it any more.
            Err(error) => drop(send.send(Err(error))),
        });
        Self { chunks, used, chunk: Vec::new(), at: 0 }
    }
}

fn read(mut reader: impl Read, send: &SyncSender<io::Result<Vec<u8>>>, empty: &Receiver<Vec<u8>>) {
    loop {
        let mut chunk = empty.try_recv().unwrap_or_default();
        chunk.resize(CHUNK, 0);
        let (mut length, mut failed) = (0, None);
        while length < CHUNK && failed.is_none() {
            match reader.read(&mut chunk[length..]) {
                Ok(0) => break,
                Ok(n) => length += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => failed = Some(e),
            }
        }
        let ended = length < CHUNK;
        chunk.truncate(length);
        // What came before an error is good. The empty chunk says that this was all.
        let is_gone = length > 0 && send.send(Ok(chunk)).is_err();
        if let Some(error) = failed {
            let _ = send.send(Err(error));
        } else if !is_gone && !ended {
            continue;
        } else if !is_gone {
            let _ = send.send(Ok(Vec::new()));
        }
        return;
    }
}

/// What comes from another thread, which may wait for a network: a signal that comes meanwhile ends this wait.
/// Nothing comes from a thread that is gone.
fn wait<T>(from: &Receiver<T>) -> io::Result<Option<T>> {
    loop {
        match from.recv_timeout(SLICE) {
            Ok(next) => return Ok(Some(next)),
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
            Err(RecvTimeoutError::Timeout) if sys::signal::is_pending(&ENDING) => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Does something in a thread of its own, which a signal does not wait for.
pub(crate) fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (send, done) = sync_channel(1);
    // Nobody may wait for it any more.
    std::thread::spawn(move || drop(send.send(work())));
    wait(&done)?.ok_or_else(|| io::Error::other("a thread of jaula's died"))
}

impl BufRead for Ahead {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.chunk.len() {
            self.at = 0;
            let old = std::mem::take(&mut self.chunk);
            if !old.is_empty() {
                let _ = self.used.send(old);
            }
            // A thread that is gone has told its end, or its error.
            self.chunk = wait(&self.chunks)?.transpose()?.unwrap_or_default();
        }
        Ok(&self.chunk[self.at..])
    }

    fn consume(&mut self, amount: usize) {
        self.at = (self.at + amount).min(self.chunk.len());
    }
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let ready = self.fill_buf()?;
        let n = ready.len().min(buffer.len());
        buffer[..n].copy_from_slice(&ready[..n]);
        self.consume(n);
        Ok(n)
    }
}
