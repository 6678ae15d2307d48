//! A reader in a thread of its own, ahead of whoever takes its bytes.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use sys::signal::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

/// What ends a wait.
const ENDING: [i32; 4] = [SIGINT, SIGTERM, SIGHUP, SIGQUIT];
/// So much is read at a time.
const CHUNK: usize = 256 << 10;
/// So many chunks may wait.
const WAITING: usize = 8;

/// What stands between the two threads. The standard library's channels would do the same, with
/// thread-local variables that every start of jaula makes room for (docs/decisions/036-hot-code.md).
#[derive(Debug, Default)]
struct Between {
    now: Mutex<Now>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Now {
    /// What was read.
    chunks: VecDeque<io::Result<Vec<u8>>>,
    /// Chunks that are used up.
    used: Vec<Vec<u8>>,
    /// One of the two threads is gone.
    ended: bool,
}

impl Between {
    /// Nobody panics while holding it in a state that is half made.
    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is room. `false`: nobody takes it any more.
    fn send(&self, chunk: io::Result<Vec<u8>>) -> bool {
        let full = |now: &mut Now| now.chunks.len() >= WAITING && !now.ended;
        let now = self.changed.wait_while(self.now(), full);
        let mut now = now.unwrap_or_else(PoisonError::into_inner);
        if !now.ended {
            now.chunks.push_back(chunk);
            self.changed.notify_all();
        }
        !now.ended
    }
}

/// One of the two threads; the other one hears when it is gone.
#[derive(Debug)]
struct Side(Arc<Between>);

impl Drop for Side {
    fn drop(&mut self) {
        self.0.now().ended = true;
        self.0.changed.notify_all();
    }
}

/// The bytes of a reader that another thread reads.
#[derive(Debug)]
pub(super) struct Ahead {
    between: Side,
    chunk: Vec<u8>,
    at: usize,
}

impl Ahead {
    /// Reads in a new thread, until its end, an error, or until this is dropped. The reader is made there.
    pub(super) fn of<R: Read>(make: impl FnOnce() -> io::Result<R> + Send + 'static) -> Self {
        let between = Arc::new(Between::default());
        let side = Side(Arc::clone(&between));
        std::thread::spawn(move || match make() {
            Ok(reader) => read(reader, &side.0),
            // Nobody may wait for it any more.
            Err(error) => _ = side.0.send(Err(error)),
        });
        Self { between: Side(between), chunk: Vec::new(), at: 0 }
    }
}

fn read(mut reader: impl Read, between: &Between) {
    loop {
        let mut chunk = between.now().used.pop().unwrap_or_default();
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
        let is_gone = length > 0 && !between.send(Ok(chunk));
        if let Some(error) = failed {
            between.send(Err(error));
        } else if !is_gone && !ended {
            continue;
        } else if !is_gone {
            between.send(Ok(Vec::new()));
        }
        return;
    }
}

impl Ahead {
    /// The next chunk. Whoever sends may wait for a network, so that a signal that came meanwhile ends this wait.
    fn wait(&self) -> io::Result<Vec<u8>> {
        let between = &self.between.0;
        let mut now = between.now();
        loop {
            if let Some(next) = now.chunks.pop_front() {
                between.changed.notify_all();
                return next;
            }
            // A thread that is gone has told its end, or its error.
            if now.ended {
                return Ok(Vec::new());
            }
            let waited = between.changed.wait_timeout(now, Duration::from_millis(200));
            let (after, slept) = waited.unwrap_or_else(PoisonError::into_inner);
            if slept.timed_out() && sys::signal::is_pending(&ENDING) {
                return Err(io::ErrorKind::TimedOut.into());
            }
            now = after;
        }
    }
}

impl BufRead for Ahead {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.chunk.len() {
            self.at = 0;
            let old = std::mem::take(&mut self.chunk);
            if !old.is_empty() {
                self.between.0.now().used.push(old);
            }
            self.chunk = self.wait()?;
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
