//! The locks of several patients at once: all of them or none, so that what is decided of them together is written together.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::lock::{self, Asked, Lock, named};
use crate::out;

/// How long is waited for others: a review holds a patient for moments, a run for as long as it takes, which is not waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Holds the locks of patients, or says who holds one of them ([`io::ErrorKind::ResourceBusy`]: the same call may succeed later).
/// Nothing is held while others are waited for, so that two callers with the same patients cannot wait for each other.
pub(crate) fn hold(out: &Path, ids: &BTreeSet<&str>) -> anyhow::Result<Vec<Lock>> {
    hold_within(PATIENCE, out, ids)
}

fn hold_within(patience: Duration, out: &Path, ids: &BTreeSet<&str>) -> anyhow::Result<Vec<Lock>> {
    let began = Instant::now();
    loop {
        let mut locks = Vec::with_capacity(ids.len());
        let mut busy = None;
        for id in ids {
            match lock::ask(&out::patient_folder(out, id))? {
                Asked::Held(lock) => locks.push(lock),
                Asked::Taken(holder) => {
                    busy = Some((id, holder));
                    break;
                }
            }
        }
        let Some((id, holder)) = busy else { return Ok(locks) };
        drop(locks);
        if began.elapsed() >= patience {
            let message =
                format!("{} works on patient {id}; nothing was changed, call this again later", named(holder.as_ref()));
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, message).into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_held_or_none_and_who_holds_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let ids = BTreeSet::from(["A", "B"]);
        let hold = || hold_within(Duration::ZERO, folder.path(), &ids);
        let Asked::Held(other) = lock::ask(&out::patient_folder(folder.path(), "B")).unwrap() else {
            panic!("nobody holds it")
        };
        let error = hold().unwrap_err();
        assert!(crate::exit::is_transient(&error), "{error:#}");
        let said = format!("{error:#}");
        assert!(said.contains(&format!("process {}", std::process::id())) && said.contains("patient B"), "{said}");
        assert!(!out::patient_folder(folder.path(), "A").join(".lock").exists(), "the lock of A is let go");
        drop(other);
        assert_eq!(hold().unwrap().len(), 2);
    }
}
