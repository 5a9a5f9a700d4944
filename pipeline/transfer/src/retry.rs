//! Makes a request again that failed for a passing reason, after longer and longer waits.

use std::time::Duration;

use crate::TransferError;

/// The wait before the first repetition; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// No wait is longer, whatever the archive asks for: a job that must wait longer ends with exit code 75 and is started again.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// How often something was tried.
#[derive(Debug)]
pub(crate) struct Retries {
    n_allowed: u32,
    n_done: u32,
}

impl Retries {
    pub(crate) fn new(n_allowed: u32) -> Self {
        Self { n_allowed, n_done: 0 }
    }

    /// Something was achieved: failures are counted anew.
    pub(crate) fn progressed(&mut self) {
        self.n_done = 0;
    }

    /// Waits where the failure may pass and was not tried too often; otherwise the failure is what comes out.
    pub(crate) fn wait_after(&mut self, failure: TransferError) -> Result<(), TransferError> {
        match failure {
            TransferError::Transient { reason, after } if self.n_done < self.n_allowed => {
                let wait = after.unwrap_or(FIRST_WAIT * 2_u32.saturating_pow(self.n_done)).min(LONGEST_WAIT);
                tracing::info!("{reason}; once more in {:.1} s", wait.as_secs_f64());
                std::thread::sleep(wait);
                self.n_done += 1;
                Ok(())
            }
            other => Err(other),
        }
    }
}

/// Does `request` up to `n_retries` times more while it fails for a passing reason.
pub(crate) fn with_retries<T>(
    n_retries: u32,
    mut request: impl FnMut() -> Result<T, TransferError>,
) -> Result<T, TransferError> {
    let mut retries = Retries::new(n_retries);
    loop {
        match request() {
            Err(failure) => retries.wait_after(failure)?,
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_tried_again_and_what_stays_is_not() {
        let mut n = 0;
        let soon = || TransferError::Transient { reason: "busy".to_owned(), after: Some(Duration::ZERO) };
        let done = with_retries(3, || {
            n += 1;
            if n < 3 { Err(soon()) } else { Ok(n) }
        });
        assert_eq!(done.unwrap(), 3);
        let mut n = 0;
        let refused = with_retries::<()>(3, || {
            n += 1;
            Err(TransferError::Refused("no".to_owned()))
        });
        assert!(matches!(refused, Err(TransferError::Refused(_))) && n == 1);
        let mut n = 0;
        let busy = with_retries::<()>(2, || {
            n += 1;
            Err(soon())
        });
        assert!(busy.unwrap_err().is_transient() && n == 3);
    }
}
