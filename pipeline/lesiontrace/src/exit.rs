//! How the program ends: exit codes, and errors that carry one.
//!
//! 0 done · 1 some patients failed, the rest is done · 2 usage · 65 bad input data · 70 internal error · 75 transient, retry ·
//! 130/143 ended by a signal.

use std::fmt;

/// Everything asked for is done.
pub(crate) const DONE: u8 = 0;
/// Some patients failed; the rest is done.
pub(crate) const SOME_FAILED: u8 = 1;
/// The command line or the study file is wrong.
pub(crate) const USAGE: u8 = 2;
/// The data cannot be used.
pub(crate) const BAD_INPUT: u8 = 65;
/// A fault of the program.
pub(crate) const INTERNAL: u8 = 70;
/// The machine failed (disk full, file vanished): the same command may succeed later.
pub(crate) const TRANSIENT: u8 = 75;

/// An error with the exit code it calls for.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Exit code.
    pub(crate) code: u8,
    /// What happened, with its causes.
    pub(crate) error: anyhow::Error,
}

impl Failure {
    /// The command line or the study file is wrong.
    pub(crate) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self { code: USAGE, error: error.into() }
    }
    /// The data cannot be used.
    pub(crate) fn bad_input(error: impl Into<anyhow::Error>) -> Self {
        Self { code: BAD_INPUT, error: error.into() }
    }
    /// A fault of the program.
    pub(crate) fn internal(error: impl Into<anyhow::Error>) -> Self {
        Self { code: INTERNAL, error: error.into() }
    }
    /// The exit code an error of input or output calls for: a full disk or a vanished file may go away, the rest is input.
    pub(crate) fn io(error: impl Into<anyhow::Error>) -> Self {
        let error = error.into();
        let code = if is_transient(&error) { TRANSIENT } else { BAD_INPUT };
        Self { code, error }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A cause that the text before it already says is not said again.
        let mut said = self.error.to_string();
        f.write_str(&said)?;
        for cause in self.error.chain().skip(1).map(ToString::to_string) {
            if !said.contains(&cause) {
                write!(f, ": {cause}")?;
                said.push_str(&cause);
            }
        }
        Ok(())
    }
}

/// Whether any cause is a trouble of the machine rather than of the data.
pub(crate) fn is_transient(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>()).any(is_trouble)
}

/// Linux: input/output error, too many open files of the system or of the process. They have no stable [`std::io::ErrorKind`].
const RAW: [i32; 3] = [5, 23, 24];

fn is_trouble(error: &std::io::Error) -> bool {
    use std::io::ErrorKind as Kind;
    let of_disk =
        matches!(error.kind(), Kind::StorageFull | Kind::QuotaExceeded | Kind::WriteZero | Kind::ResourceBusy);
    let of_server = matches!(
        error.kind(),
        Kind::StaleNetworkFileHandle
            | Kind::NetworkDown
            | Kind::NetworkUnreachable
            | Kind::HostUnreachable
            | Kind::TimedOut
    );
    let of_moment = matches!(error.kind(), Kind::Interrupted | Kind::OutOfMemory);
    of_disk || of_server || of_moment || error.raw_os_error().is_some_and(|raw| cfg!(unix) && RAW.contains(&raw))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_transient_and_a_missing_file_is_not() {
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        assert_eq!(Failure::io(anyhow::Error::from(full).context("writing cohort/lesions.csv")).code, TRANSIENT);
        assert_eq!(Failure::io(std::io::Error::from_raw_os_error(5)).code, TRANSIENT);
        let away = std::io::Error::from(std::io::ErrorKind::StaleNetworkFileHandle);
        assert_eq!(Failure::io(away).code, TRANSIENT);
        let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
        assert_eq!(Failure::io(missing).code, BAD_INPUT);
    }
}
