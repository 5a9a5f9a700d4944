//! The patients this process is at: their ledger entries and locks, so that a signal can end them within its time.
//!
//! The first SIGTERM or SIGINT asks: patients at work end after the stage they are in. Those that are still at it after [`GRACE`], or
//! at a second signal, are dropped: every file is written whole or not at all, so that nothing is lost but their time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::time::Duration;

use anyhow::Context as _;

use crate::journal::{Happened, Journal};
use crate::ledger::{self, Entry, State};
use crate::lock::Lock;

/// From the first signal to the end: below the 20 s that a user is promised, and the 30 s that Slurm waits before it kills.
const GRACE: Duration = Duration::from_secs(15);
/// How long the ledger may take then: a file system that hangs must not keep the process.
const HUNG: Duration = Duration::from_secs(3);
/// How often a lock gives a sign of life.
const SIGN: Duration = Duration::from_mins(1);

/// Patients at work in one run.
#[derive(Debug)]
pub(crate) struct AtWork {
    out: PathBuf,
    patients: Mutex<BTreeMap<String, (Entry, Lock)>>,
    /// The run's journal.
    pub(crate) journal: Journal,
}

/// What a signal asks for.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    caught: AtomicI32,
    at_work: Mutex<Weak<AtWork>>,
}

impl AtWork {
    /// Nobody yet.
    pub(crate) fn new(out: &Path) -> Arc<Self> {
        let (out, journal) = (out.to_owned(), Journal::of(out));
        let at_work = Arc::new(Self { out, patients: Mutex::default(), journal });
        let signing = Arc::downgrade(&at_work);
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(SIGN);
                let Some(at_work) = signing.upgrade() else { return };
                at_work.patients().values().for_each(|(_, lock)| lock.sign());
            }
        });
        at_work
    }

    fn patients(&self) -> MutexGuard<'_, BTreeMap<String, (Entry, Lock)>> {
        self.patients.lock().expect("nobody panics while a patient is entered or left")
    }

    /// A patient is begun; the ledger says so. A ledger that cannot be written now may be writable when the results are.
    pub(crate) fn begin(&self, entry: Entry, lock: Lock) {
        let mut patients = self.patients();
        let _ = self.write(&entry);
        self.journal.write(&entry.id, Happened::Started, &entry.stage, "");
        patients.insert(entry.id.clone(), (entry, lock));
    }

    /// A stage of a patient begins.
    pub(crate) fn reached(&self, id: &str, stage: &'static str) {
        if let Some((entry, _)) = self.patients().get_mut(id) {
            stage.clone_into(&mut entry.stage);
        }
        self.journal.write(id, Happened::Reached, stage, "");
    }

    /// A patient is ended: the ledger says how, and the lock is let go. One that another process took over meanwhile (after an hour
    /// without a sign of life) is left to it.
    ///
    /// # Errors
    /// The ledger cannot be written; the patient is still at work then.
    pub(crate) fn end(&self, entry: &Entry, happened: Happened) -> anyhow::Result<()> {
        let mut patients = self.patients();
        if patients.get(&entry.id).is_some_and(|(_, lock)| lock.is_mine()) {
            self.write(entry)?;
            self.journal.write(&entry.id, happened, &entry.stage, &entry.code);
        } else {
            self.journal.write(&entry.id, Happened::Left, &entry.stage, "taken_over");
        }
        patients.remove(&entry.id);
        Ok(())
    }

    /// A patient whose ledger entry cannot be written is let go.
    pub(crate) fn forget(&self, id: &str) {
        self.patients().remove(id);
    }

    fn write(&self, entry: &Entry) -> anyhow::Result<()> {
        ledger::write_entry(&self.out, entry).inspect_err(|error| {
            let line = format!("patient {}: the ledger entry cannot be written: {error:#}", entry.id);
            tracing::error!("{}", crate::out::plain_line(&line));
        })
    }

    /// Everybody still at work is marked as interrupted. Nobody can begin or end afterwards: the process is about to.
    fn drop_all(&self, signal: i32) -> MutexGuard<'_, BTreeMap<String, (Entry, Lock)>> {
        let mut patients = self.patients();
        for (mut entry, lock) in std::mem::take(&mut *patients).into_values() {
            entry.state = State::Interrupted;
            INTERRUPTED.clone_into(&mut entry.code);
            entry.message = format!("dropped within this stage after signal {signal}");
            RESUME.clone_into(&mut entry.remedy);
            if lock.is_mine() {
                let _ = self.write(&entry);
                self.journal.write(&entry.id, Happened::Interrupted, &entry.stage, INTERRUPTED);
            }
        }
        patients
    }
}

/// Code of a patient that a signal ended.
pub(crate) const INTERRUPTED: &str = "interrupted";
/// What to do about it.
pub(crate) const RESUME: &str = "run again with --resume";

impl Signal {
    /// The first signal, if one came.
    pub(crate) fn caught(&self) -> Option<i32> {
        Some(self.caught.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
    }

    /// From now on signals end the patients of a run.
    pub(crate) fn watch(&self, at_work: &Arc<AtWork>) {
        *self.at_work.lock().expect("the run at work is only stored") = Arc::downgrade(at_work);
    }

    fn at_work(&self) -> Option<Arc<AtWork>> {
        self.at_work.lock().expect("the run at work is only stored").upgrade()
    }

    fn drop_all(&'static self, signal: i32) -> ! {
        std::thread::spawn(move || {
            let at_work = self.at_work();
            let _held = at_work.as_ref().map(|at_work| at_work.drop_all(signal));
            // At once: other threads are in the middle of things, and nothing of theirs may run on.
            signal_hook::low_level::exit(128 + signal)
        });
        std::thread::sleep(HUNG);
        signal_hook::low_level::exit(128 + signal)
    }
}

/// From now on a signal ends the process: at once, until somebody is told to be at work.
pub(crate) fn listen() -> anyhow::Result<&'static Signal> {
    static SIGNAL: OnceLock<Signal> = OnceLock::new();
    static LISTENING: Mutex<bool> = Mutex::new(false);
    let signal = SIGNAL.get_or_init(Signal::default);
    let mut is_listening = LISTENING.lock().expect("this is only stored");
    if !*is_listening {
        start(signal).context("listening for signals")?;
        *is_listening = true;
    }
    Ok(signal)
}

fn start(signal: &'static Signal) -> std::io::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    std::thread::spawn(move || {
        for number in signals.forever() {
            if signal.caught.swap(number, Ordering::SeqCst) != 0 || signal.at_work().is_none() {
                signal.drop_all(number);
            }
            std::thread::spawn(move || {
                std::thread::sleep(GRACE);
                signal.drop_all(number);
            });
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::{Asked, ask};

    fn begun(out: &Path) -> Arc<AtWork> {
        let at_work = AtWork::new(out);
        let folder = crate::out::patient_folder(out, "A-1");
        let Asked::Held(lock) = ask(&folder).unwrap() else { panic!("nobody holds it") };
        at_work.begin(Entry { state: State::Running, attempt: 2, ..Entry::missing("A-1") }, lock);
        at_work.reached("A-1", "segment");
        at_work
    }

    fn entry(out: &Path) -> Entry {
        ledger::read_entry(out, "A-1").unwrap().unwrap()
    }

    #[test]
    fn a_patient_at_work_that_is_dropped_is_interrupted_at_its_stage_and_let_go() {
        let out = tempfile::tempdir().unwrap();
        let at_work = begun(out.path());
        assert_eq!(entry(out.path()).state, State::Running);
        assert_eq!(at_work.drop_all(15).len(), 0);
        let left = entry(out.path());
        assert_eq!((left.state, left.stage.as_str(), left.attempt), (State::Interrupted, "segment", 2));
        assert!(left.message.contains("signal 15") && left.remedy.contains("--resume"), "{left:?}");
        assert!(!crate::out::patient_folder(out.path(), "A-1").join(".lock").exists());
    }

    #[test]
    fn a_patient_that_was_taken_over_is_left_to_its_new_holder() {
        let out = tempfile::tempdir().unwrap();
        let at_work = begun(out.path());
        std::fs::remove_file(crate::out::patient_folder(out.path(), "A-1").join(".lock")).unwrap();
        at_work.end(&Entry { state: State::Done, ..Entry::missing("A-1") }, Happened::Done).unwrap();
        assert_eq!(entry(out.path()).state, State::Running, "nothing is written over what the other one writes");
    }
}
