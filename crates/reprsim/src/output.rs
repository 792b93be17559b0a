//! All that the program writes: results on the standard output stream, remarks and errors on the
//! standard error stream.

use std::io::{self, Write};

use reprsim_base::printable;

/// Writes results. Nobody reads on where a pipe was closed (`reprsim ... | head`), which is no
/// error and changes no exit code; what cannot be written otherwise, as on a full device, is one.
///
/// # Errors
/// The operating system's.
pub(crate) fn write(fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let written = fill(&mut out).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Writes a line of results.
///
/// # Errors
/// As [`write`].
pub(crate) fn say(text: &str) -> io::Result<()> {
    write(|out| writeln!(out, "{}", printable(text)))
}

/// Writes a line for the person at the terminal. Where nobody can read it there is nobody to tell.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{}", printable(text));
}
