//! Why a source did not give a file.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a source did not give a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// A file or folder of the cache could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The server could not be asked.
    #[error("{0}")]
    Request(#[source] Box<dyn Error + Send + Sync>),
    /// The server refused.
    #[error("the server answered {0}")]
    Status(u16),
    /// The connection was lost.
    #[error("the download broke off: {0}")]
    BrokeOff(#[source] io::Error),
    /// The server sent less than it promised.
    #[error("the download broke off after {0} bytes; run the command again to go on")]
    Short(u64),
    /// The server sent another part than the one that was asked for.
    #[error("the server answered with another part of the file ({0})")]
    OtherPart(String),
    /// The server sends more than the file can have.
    #[error("the server sends more than twice the {0} bytes of the file")]
    Endless(u64),
    /// More comes than any file or package has.
    #[error("more than {0} bytes come, which no data set has")]
    TooMuch(u64),
    /// It was asked to stop.
    #[error("stopped")]
    Stopped,
    /// A program of a package registry did nothing any more, and was ended.
    #[error("'{program}' brought nothing for {} s and was ended; run the command again", silence.as_secs_f32())]
    Stalled {
        /// The program.
        program: String,
        /// How long it was waited for.
        silence: Duration,
    },
    /// A program of a package registry took too long, and was ended.
    #[error("'{program}' was not done after {} s and was ended; run the command again", total.as_secs_f32())]
    Slow {
        /// The program.
        program: String,
        /// How long it was waited for.
        total: Duration,
    },
    /// What came cannot be unpacked.
    #[error("what came is damaged: {0}")]
    Damaged(#[source] io::Error),
    /// What came has another size than the file.
    #[error(
        "what came is not the file: {size} bytes{} instead of {expected}",
        if size > expected { " or more" } else { "" }
    )]
    Size {
        /// The size of what came, or as much of it as was read.
        size: u64,
        /// The file's.
        expected: u64,
    },
    /// What came has another checksum than the file.
    #[error("wrong checksum {sum}{}", replaces.as_ref().map_or(String::new(), |file| format!(
        "; the file that came first had another, remove {file}.sha256 to take this one"
    )))]
    Checksum {
        /// The checksum of what came.
        sum: String,
        /// The file, if its right checksum is only that of the file that came first.
        replaces: Option<String>,
    },
    /// A program of a package registry is not there.
    #[error("the program '{program}' cannot be run ({source})")]
    Program {
        /// The program.
        program: String,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A program of a package registry failed.
    #[error("'{program}' failed: {message}")]
    Failed {
        /// The program.
        program: String,
        /// The last line that it wrote.
        message: String,
    },
    /// A program of a package registry left no file of the kind that it should.
    #[error("no .{0} file came")]
    NoFile(&'static str),
    /// A person has to run a program first.
    #[error("{0}; run it, then this again")]
    ByHand(String),
}

impl FetchError {
    /// Whether the same may go well a little later: servers are busy and connections break
    /// off; a name or a port that nobody answers to stays so.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Request(error) => match error.downcast_ref::<ureq::Error>() {
                Some(ureq::Error::Io(e)) => e.kind() != io::ErrorKind::ConnectionRefused,
                Some(ureq::Error::Timeout(_) | ureq::Error::Protocol(_)) => true,
                _ => false,
            },
            Self::Status(status) => matches!(status, 408 | 425 | 429 | 500 | 502..=504),
            Self::BrokeOff(_) | Self::Short(_) | Self::OtherPart(_) => true,
            _ => false,
        }
    }

    /// For `map_err`: an error with the file that it is about.
    pub(super) fn io(path: &Path) -> impl Fn(io::Error) -> Self + use<> {
        let path = path.to_path_buf();
        move |source| Self::Io {
            path: path.clone(),
            source,
        }
    }
}

/// A source that was tried.
#[derive(Debug, thiserror::Error)]
#[error("{from}: {source}")]
pub struct Attempt {
    /// The source.
    pub from: String,
    /// Why it did not give the file.
    pub source: FetchError,
}

/// The sources that were tried, in order. The cause is that of the last.
#[derive(Debug, Default)]
pub struct Attempts(pub Vec<Attempt>);

impl fmt::Display for Attempts {
    /// One line each, indented, after a line break.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|attempt| write!(f, "\n  {attempt}"))
    }
}

impl Error for Attempts {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.last().map(|attempt| &attempt.source as _)
    }
}
