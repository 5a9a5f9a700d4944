//! What a run does with one patient: the lock, the ledger entry, the journal, and whatever goes wrong.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use indicatif::ProgressBar;

use super::RunRequest;
use super::decide::Todo;
use crate::at_work::{AtWork, INTERRUPTED, RESUME, Signal};
use crate::cache::Reuse;
use crate::journal::Happened;
use crate::ledger::{self, Entry, Roster, State};
use crate::lock::{self, Asked, Lock, named};
use crate::manifest::Equipment;
use crate::patient::{Earlier, PatientResult, process};
use crate::stages::segment::StageError;
use crate::{artifacts, exit, out, process_memory};

/// Does patients, one after the other or several at once.
pub(super) struct Worker<'a> {
    pub(super) request: &'a RunRequest,
    pub(super) equipment: &'a Equipment,
    pub(super) roster: &'a Roster,
    pub(super) bar: &'a ProgressBar,
    pub(super) signal: &'a Signal,
    pub(super) at_work: Arc<AtWork>,
    /// Patients that failed in this run.
    pub(super) failed: AtomicUsize,
    /// Those of them whose failure will not go away by itself.
    pub(super) lasting: AtomicUsize,
}

impl Worker<'_> {
    /// Nobody new is begun.
    pub(super) fn is_to_stop(&self) -> bool {
        self.signal.caught().is_some() || (self.request.fail_fast && self.failed.load(Ordering::SeqCst) > 0)
    }

    /// Does one patient, unless another process is at it or has just done it; nothing that happens here ends the cohort.
    pub(super) fn work(&self, todo: &Todo) {
        let id = &todo.patient.id;
        self.bar.set_message(id.clone());
        match lock::ask(&out::patient_folder(&self.request.out, id)) {
            Ok(Asked::Taken(holder)) => {
                self.at_work.journal.write(id, Happened::Left, "plan", "locked");
                let line = format!("patient {id}: left to {}, which works on it", named(holder.as_ref()));
                tracing::warn!("{}", out::plain_line(&line));
            }
            Ok(Asked::Held(_)) if self.is_ended_meanwhile(todo) => {
                self.at_work.journal.write(id, Happened::Left, "plan", "ended_meanwhile");
            }
            Ok(Asked::Held(lock)) => self.work_alone(todo, lock),
            Err(error) => {
                let mut entry = Entry { key: self.key(id), ..Entry::missing(id) };
                self.fail(&mut entry, &unwritten(&error));
                if todo.attempt == 0 {
                    // Without a lock nothing is written over what others may have written.
                    let _ = ledger::write_entry(&self.request.out, &entry);
                }
            }
        }
        self.bar.inc(1);
    }

    fn key(&self, id: &str) -> String {
        self.roster.patients.get(id).cloned().unwrap_or_default()
    }

    /// Whether another process did or tried the patient with the same key since this run decided to do it.
    fn is_ended_meanwhile(&self, todo: &Todo) -> bool {
        let entry = ledger::read_entry(&self.request.out, &todo.patient.id).ok().flatten();
        entry.is_some_and(|entry| {
            matches!(entry.state, State::Done | State::Failed)
                && entry.attempt > todo.attempt
                && entry.key == self.key(&todo.patient.id)
        })
    }

    fn work_alone(&self, todo: &Todo, lock: Lock) {
        let patient = &todo.patient.open();
        let started = Instant::now();
        let folder = out::patient_folder(&self.request.out, &patient.id);
        artifacts::sweep(&folder);
        let before = ledger::read_entry(&self.request.out, &patient.id).ok().flatten();
        let attempt = before.map_or(1, |entry| entry.attempt + 1);
        let running =
            Entry { state: State::Running, attempt, key: self.key(&patient.id), ..Entry::missing(&patient.id) };
        self.at_work.begin(running.clone(), lock);
        let stage = Mutex::new("plan");
        let reached = |name: &'static str| {
            *stage.lock().expect("the stage's name is only stored") = name;
            self.bar.set_message(format!("{} {name}", patient.id));
            self.at_work.reached(&patient.id, name);
            match self.signal.caught() {
                None => Ok(()),
                Some(signal) => {
                    Err(StageError::new(name, INTERRUPTED, format!("ended by signal {signal} before this stage")))
                }
            }
        };
        let reuse = if self.request.force { Reuse::No } else { Reuse::Yes };
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let earlier = Earlier { reuse, observed: todo.observed.as_deref() };
            process(patient, self.equipment, &self.request.out, earlier, &reached)
        }));
        let stage = *stage.lock().expect("the stage's name is only stored");
        let entry = Entry {
            seconds: started.elapsed().as_secs_f64(),
            stage: stage.to_owned(),
            peak_mib: peak_mib(),
            ..running
        };
        self.end(entry, result);
    }

    /// Writes how a patient ended.
    fn end(&self, mut entry: Entry, result: std::thread::Result<Result<PatientResult, StageError>>) {
        let mut happened = match result {
            Ok(Ok(_)) => match artifacts::seal(&out::patient_folder(&self.request.out, &entry.id)) {
                Ok(digest) => {
                    (entry.state, entry.files) = (State::Done, digest);
                    Happened::Done
                }
                Err(error) => self.fail(&mut entry, &unwritten(&error)),
            },
            Ok(Err(error)) if error.code == INTERRUPTED => {
                entry.state = State::Interrupted;
                entry.code = error.code;
                entry.message = error.message;
                RESUME.clone_into(&mut entry.remedy);
                Happened::Interrupted
            }
            Ok(Err(error)) => self.fail(&mut entry, &error),
            Err(panic) => self.fail(&mut entry, &panicked(panic.as_ref())),
        };
        if let Err(error) = self.at_work.end(&entry, happened) {
            if entry.state == State::Done {
                // The results are there, but nobody would know: the patient counts as failed and is done again.
                happened = self.fail(&mut entry, &unwritten(&error));
            }
            if self.at_work.end(&entry, happened).is_err() {
                self.at_work.forget(&entry.id);
            }
        }
    }

    fn fail(&self, entry: &mut Entry, error: &StageError) -> Happened {
        self.failed.fetch_add(1, Ordering::SeqCst);
        if !error.transient {
            self.lasting.fetch_add(1, Ordering::SeqCst);
        }
        entry.state = State::Failed;
        entry.files.clear();
        error.stage.clone_into(&mut entry.stage);
        entry.code.clone_from(&error.code);
        entry.message.clone_from(&error.message);
        let remedy = if error.transient {
            "free the machine's resource and run again with --resume"
        } else {
            "mend the input named above and run again with --resume; everybody else is done"
        };
        remedy.clone_into(&mut entry.remedy);
        let line = format!("patient {}: {}: {}", entry.id, entry.stage, entry.message);
        tracing::warn!("{}", out::plain_line(&line));
        Happened::Failed
    }
}

fn unwritten(error: &anyhow::Error) -> StageError {
    let message = format!("the results cannot be written: {error:#}");
    StageError { stage: "report", code: "write".to_owned(), message, transient: exit::is_transient(error) }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> StageError {
    let text =
        panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
    StageError::new("internal", "panic", format!("a fault of the program: {}", text.unwrap_or_default()))
}

/// Highest memory of the process so far, MiB; 0 where the system does not say.
fn peak_mib() -> u64 {
    process_memory::peak().map_or(0, |bytes| bytes >> 20)
}
