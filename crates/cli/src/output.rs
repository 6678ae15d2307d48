//! How jaula talks: to people on a terminal, to programs in JSON, and always in one place.

pub(crate) mod confirm;
pub(crate) mod error;
pub(crate) mod progress;
pub(crate) mod style;
pub(crate) mod table;
pub(crate) mod text;

use std::io::{self, BufWriter, ErrorKind, Write};

/// Writes to standard output. A reader that has seen enough and closed the pipe (`| head`) is
/// no error.
pub(crate) fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {
            // What is still buffered can go nowhere; dropping the writer would try again.
            let _ = out.into_parts();
            Ok(())
        }
        result => result,
    }
}

/// Prints a text.
pub(crate) fn print_text(text: &str) -> io::Result<()> {
    print(|out| out.write_all(text.as_bytes()))
}

/// Prints `value` as JSON with one newline at the end. Keys stand in the order of the type's
/// fields, so that outputs can be compared.
pub(crate) fn print_json<T: serde::Serialize + ?Sized>(value: &T) -> io::Result<()> {
    print(|out| {
        serde_json::to_writer_pretty(&mut *out, value)?;
        out.write_all(b"\n")
    })
}
