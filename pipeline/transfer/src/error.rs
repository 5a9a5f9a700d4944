//! Why something was not fetched or sent, by what can be done about it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// A transfer that did not happen.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// What the user wrote cannot be used.
    #[error("{0}")]
    Usage(String),
    /// The archive says no, or says something that is not accepted; asking again changes nothing.
    #[error("{0}")]
    Refused(String),
    /// The archive does not let us in, or is not who it should be: the next object would fare no better, and asking on could lock an
    /// account.
    #[error("{0}")]
    Denied(String),
    /// The archive cannot now.
    #[error("{reason}; try again later")]
    Transient {
        /// What happened.
        reason: String,
        /// How long the archive asks to wait.
        after: Option<Duration>,
    },
    /// A file on this machine.
    #[error("{path}: {source}; check permissions and the disk", path = path.display())]
    File {
        /// File.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl TransferError {
    pub(crate) fn transient(reason: impl Into<String>) -> Self {
        Self::Transient { reason: reason.into(), after: None }
    }

    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        |source| Self::File { path, source }
    }

    /// Whether the same command may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Transient { .. })
    }
}
