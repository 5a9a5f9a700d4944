//! The main job: plan the cohort, do every patient within the memory bound, keep the ledger.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use anyhow::Context as _;
use imaging::Note;
use indicatif::ProgressBar;
use serde::Serialize;

use crate::cli::Global;
use crate::exit::{self, Failure};
use crate::ledger::{self, Entry, Roster, State};
use crate::manifest::{Equipment, Part, equip};
use crate::models::Needs;
use crate::patient::process;
use crate::plan::{CohortPlan, PatientPlan, plan};
use crate::schedule::{parse_memory, run_within};
use crate::shard::Shard;
use crate::stages::segment::StageError;
use crate::{config, out, process_memory, session};

/// What a run is asked for.
#[derive(Debug, Clone)]
pub(crate) struct RunRequest {
    /// Study file; the built-in one when not given.
    pub(crate) study: config::LoadedStudy,
    /// The archive.
    pub(crate) archive: PathBuf,
    /// Where results go.
    pub(crate) out: PathBuf,
    /// Which share of the patients.
    pub(crate) shard: Option<Shard>,
    /// Keep finished patients whose key is unchanged.
    pub(crate) resume: bool,
    /// Stop at the first failed patient.
    pub(crate) fail_fast: bool,
    /// Memory the patients at work may need together.
    pub(crate) memory: String,
    /// Only patients that failed before.
    pub(crate) only_failed: bool,
    /// Say what would be done, and stop.
    pub(crate) dry_run: bool,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Patients failed in this run.
    pub(crate) n_failed: usize,
    /// Patients of this run's share that are not done at its end: failed, interrupted, stale, or never started.
    pub(crate) n_open: usize,
    /// Whether every failure was a trouble of the machine.
    pub(crate) only_transient: bool,
    /// Signal that ended the run, if one did.
    pub(crate) signal: Option<i32>,
}

impl Outcome {
    /// The exit code it calls for.
    pub(crate) fn code(&self) -> u8 {
        match self.signal {
            Some(signal) => 128_u8.saturating_add(signal.unsigned_abs() as u8),
            None if self.only_transient => exit::TRANSIENT,
            None if self.n_failed == 0 && self.n_open == 0 => exit::DONE,
            None => exit::SOME_FAILED,
        }
    }
}

/// Bytes a patient needs at most: baseline, present and arterial image as 32-bit floats with their label maps, and as much again
/// for what registration and the model make of them.
pub(crate) fn memory_need(patient: &PatientPlan) -> u64 {
    let voxels = |series: &crate::plan::SeriesPlan| series.entry.n_voxels();
    let visits = patient.visits.iter().chain(&patient.history);
    let largest = visits.map(|v| voxels(&v.measure).max(v.arterial.as_ref().map_or(0, voxels))).max();
    // Three images of 4 bytes, two label maps of 2 and one mask of 1 byte each for two visits, twice over: 48 bytes a voxel.
    largest.unwrap_or(0) * 48
}

/// Does the run; the caller collects.
pub(crate) fn run(request: &RunRequest, global: &Global) -> Result<Outcome, Failure> {
    let started = Instant::now();
    let budget = parse_memory(&request.memory).map_err(Failure::usage)?;
    let cohort = plan(&request.archive, &request.study).map_err(Failure::io)?;
    let n_threads = session::n_threads(global);
    let equipment = equip(request.study.clone(), global.onnxruntime.as_deref(), n_threads, Needs::of(&cohort))
        .map_err(Failure::bad_input)?;
    let roster = roster(&cohort, &equipment);
    if request.dry_run {
        return dry_run(&cohort, budget);
    }
    begin(request, &cohort, &equipment, &roster).map_err(Failure::io)?;
    let todo = todo(request, cohort.patients, &roster).map_err(Failure::io)?;
    let signal = watch_signals().map_err(Failure::internal)?;
    let bar = session::progress(global, todo.len(), "patients");
    let worker = Worker {
        request,
        equipment: &equipment,
        roster: &roster,
        bar: &bar,
        signal: &signal,
        failed: AtomicUsize::new(0),
        lasting: AtomicUsize::new(0),
    };
    let jobs = todo.into_iter().map(|patient| (memory_need(&patient), patient)).collect();
    run_within(jobs, n_threads, budget, &|| worker.is_to_stop(), &|patient| worker.work(&patient));
    bar.finish_and_clear();
    let n_failed = worker.failed.load(Ordering::SeqCst);
    let lasting = worker.lasting.load(Ordering::SeqCst);
    write_manifest(request, &equipment, started.elapsed().as_secs_f64(), n_threads).map_err(Failure::io)?;
    let caught = *signal.lock().expect("the signal is only stored");
    let patients = ledger::read(&request.out).map_err(Failure::io)?.patients;
    let ours = patients.iter().filter(|e| request.shard.is_none_or(|shard| shard.takes(&e.id)));
    let n_open = ours.filter(|e| e.state != State::Done).count();
    let only_transient = n_failed > 0 && lasting == 0;
    Ok(Outcome { n_failed, n_open, only_transient, signal: caught })
}

/// The key of each patient: program, stages, study, criteria, model and the patient's own input.
fn roster(cohort: &CohortPlan, equipment: &Equipment) -> Roster {
    let digest = equipment.digest();
    let key = |p: &PatientPlan| out::sha256_hex(format!("{digest} {} {:?}", p.input_digest, p.faults).as_bytes());
    Roster { schema_version: 1, patients: cohort.patients.iter().map(|p| (p.id.clone(), key(p))).collect() }
}

fn dry_run(cohort: &CohortPlan, budget: u64) -> Result<Outcome, Failure> {
    let mut text = String::new();
    for patient in &cohort.patients {
        let need = memory_need(patient) >> 20;
        text.push_str(&format!("{}: {} visits, about {need} MiB", patient.id, patient.visits.len()));
        for visit in &patient.visits {
            let masks = if visit.masks.is_some() { "imported masks" } else { "model" };
            text.push_str(&format!("\n  {} {} ({masks})", visit.id, visit.measure.role));
        }
        for fault in &patient.faults {
            text.push_str(&format!("\n  cannot be done: {fault}"));
        }
        text.push('\n');
    }
    text.push_str(&format!("{} patients, memory bound {} MiB\n", cohort.patients.len(), budget >> 20));
    out::print(&text).map_err(Failure::io)?;
    Ok(Outcome { n_failed: 0, n_open: 0, only_transient: false, signal: None })
}

/// Writes the roster and the archive's notes before the first patient, so that nobody is forgotten.
fn begin(request: &RunRequest, cohort: &CohortPlan, equipment: &Equipment, roster: &Roster) -> anyhow::Result<()> {
    out::write_json(&request.out.join("roster.json"), roster)?;
    let notes: &[Note] = &cohort.notes;
    out::write_json(&request.out.join("notes.json"), &notes)?;
    let archive = Archive {
        schema_version: 1,
        parts: &equipment.parts,
        criteria: &request.study.study.criteria.ids,
        cohort: &request.study.study.cohort.name,
        margin_threshold_mm: request.study.study.endpoints.margin_threshold_mm,
    };
    out::write_json(&request.out.join("equipment.json"), &archive)
}

/// What `collect` needs to know of how the patients were done.
#[derive(Debug, Serialize)]
struct Archive<'a> {
    schema_version: u32,
    parts: &'a [Part],
    criteria: &'a [String],
    cohort: &'a str,
    margin_threshold_mm: f64,
}

/// The patients this run has to do: of its shard, and not finished with the same key when resuming.
fn todo(request: &RunRequest, patients: Vec<PatientPlan>, roster: &Roster) -> anyhow::Result<Vec<PatientPlan>> {
    let mut todo = Vec::new();
    for patient in patients {
        if request.shard.is_some_and(|shard| !shard.takes(&patient.id)) {
            continue;
        }
        let entry = ledger::read_entry(&request.out, &patient.id)?;
        let unchanged =
            entry.as_ref().is_some_and(|e| e.state == State::Done && roster.patients.get(&patient.id) == Some(&e.key));
        let failed = entry.as_ref().is_some_and(|e| e.state == State::Failed);
        if (request.resume && unchanged) || (request.only_failed && !failed) {
            continue;
        }
        todo.push(patient);
    }
    Ok(todo)
}

/// The first SIGTERM or SIGINT is remembered: patients at work end after the stage they are in, nobody new is started.
fn watch_signals() -> anyhow::Result<Arc<Mutex<Option<i32>>>> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let caught = Arc::new(Mutex::new(None));
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM]).context("listening for signals")?;
    let shared = Arc::clone(&caught);
    std::thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            *shared.lock().expect("the signal is only stored") = Some(signal);
        }
    });
    Ok(caught)
}

/// Code of a patient that a signal ended between two stages.
const INTERRUPTED: &str = "interrupted";

struct Worker<'a> {
    request: &'a RunRequest,
    equipment: &'a Equipment,
    roster: &'a Roster,
    bar: &'a ProgressBar,
    signal: &'a Mutex<Option<i32>>,
    failed: AtomicUsize,
    lasting: AtomicUsize,
}

impl Worker<'_> {
    fn is_to_stop(&self) -> bool {
        self.signal.lock().expect("the signal is only stored").is_some()
            || (self.request.fail_fast && self.failed.load(Ordering::SeqCst) > 0)
    }

    /// Does one patient and writes its ledger entry; nothing that happens here ends the cohort.
    fn work(&self, patient: &PatientPlan) {
        self.bar.set_message(patient.id.clone());
        let started = Instant::now();
        let attempt = match ledger::read_entry(&self.request.out, &patient.id) {
            Ok(entry) => entry.map_or(1, |e| e.attempt + 1),
            Err(_) => 1,
        };
        let key = self.roster.patients.get(&patient.id).cloned().unwrap_or_default();
        let running = Entry { state: State::Running, attempt, key, ..Entry::missing(&patient.id) };
        // A failure here is in the log already; whether the machine has recovered shows when the results are written.
        let _ = self.write(&running);
        let stage = Mutex::new("plan");
        let reached = |name: &'static str| {
            *stage.lock().expect("the stage's name is only stored") = name;
            self.bar.set_message(format!("{} {name}", patient.id));
            match *self.signal.lock().expect("the signal is only stored") {
                None => Ok(()),
                Some(signal) => {
                    Err(StageError::new(name, INTERRUPTED, format!("ended by signal {signal} before this stage")))
                }
            }
        };
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            process(patient, self.equipment, &self.request.out, &reached)
        }));
        let stage = *stage.lock().expect("the stage's name is only stored");
        let mut entry = Entry {
            seconds: started.elapsed().as_secs_f64(),
            stage: stage.to_owned(),
            peak_mib: peak_mib(),
            ..running
        };
        match result {
            Ok(Ok(_)) => entry.state = State::Done,
            Ok(Err(error)) if error.code == INTERRUPTED => {
                entry.state = State::Interrupted;
                entry.message = error.message;
                "run again with --resume".clone_into(&mut entry.remedy);
            }
            Ok(Err(error)) => self.fail(&mut entry, &error),
            Err(panic) => self.fail(&mut entry, &panicked(panic.as_ref())),
        }
        let is_done = entry.state == State::Done;
        if let Err(error) = self.write(&entry)
            && is_done
        {
            // The results are there, but nobody would know: the patient counts as failed and is done again.
            self.fail(&mut entry, &unwritten(&error));
        }
        self.bar.inc(1);
    }

    fn fail(&self, entry: &mut Entry, error: &StageError) {
        self.failed.fetch_add(1, Ordering::SeqCst);
        if !error.transient {
            self.lasting.fetch_add(1, Ordering::SeqCst);
        }
        entry.state = State::Failed;
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
    }

    fn write(&self, entry: &Entry) -> anyhow::Result<()> {
        ledger::write_entry(&self.request.out, entry).inspect_err(|error| {
            let line = format!("patient {}: the ledger entry cannot be written: {error:#}", entry.id);
            tracing::error!("{}", out::plain_line(&line));
        })
    }
}

fn unwritten(error: &anyhow::Error) -> StageError {
    let message = format!("the ledger entry cannot be written: {error:#}");
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

#[derive(Debug, Serialize)]
struct Manifest<'a> {
    schema_version: u32,
    program: &'static str,
    parts: &'a [Part],
    command_line: Vec<String>,
    threads: usize,
    system: BTreeMap<&'static str, String>,
    seconds: f64,
    memory_bound: &'a str,
}

fn write_manifest(request: &RunRequest, equipment: &Equipment, seconds: f64, threads: usize) -> anyhow::Result<()> {
    let system =
        BTreeMap::from([("os", std::env::consts::OS.to_owned()), ("architecture", std::env::consts::ARCH.to_owned())]);
    let manifest = Manifest {
        schema_version: 1,
        program: concat!("lesiontrace ", env!("CARGO_PKG_VERSION")),
        parts: &equipment.parts,
        command_line: std::env::args().collect(),
        threads,
        system,
        seconds,
        memory_bound: &request.memory,
    };
    out::write_json(&manifest_path(&request.out, request.shard), &manifest)
}

fn manifest_path(out: &Path, shard: Option<Shard>) -> PathBuf {
    match shard {
        None => out.join("manifest.json"),
        Some(shard) => out.join(format!("manifest-{shard}.json")),
    }
}
