//! The main job: plan the cohort, do every patient within the memory bound, keep the ledger.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use imaging::Note;
use oncology::reads::ReadRow;
use serde::{Deserialize, Serialize};

use crate::at_work::{self, AtWork};
use crate::cli::Global;
use crate::config::VisitTransform;
use crate::exit::{self, Failure};
use crate::ledger::{self, Roster, State};
use crate::manifest::{Equipment, Part, equip};
use crate::memory_bound::{MemoryBound, memory_bound};
use crate::models::Needs;
use crate::niivue::Niivue;
use crate::plan::{CohortPlan, PackedPatient, PatientPlan, plan};
use crate::schedule::run_within;
use crate::shard::{Shard, Share};
use crate::stages::viewer;
use crate::{artifacts, config, frozen, lock, out, session};
use decide::{Standing, Todo, dry_run, todo};
use forecast::Means;
pub(crate) use settings::Settings;
use worker::Worker;

mod decide;
mod forecast;
mod settings;
mod worker;

/// How long a run that begins waits for another one that begins or collects.
const PATIENCE: Duration = Duration::from_mins(10);

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
    /// Take nothing from what earlier runs kept.
    pub(crate) force: bool,
    /// Stop at the first failed patient.
    pub(crate) fail_fast: bool,
    /// Memory the patients at work may need together, where the user says it.
    pub(crate) memory: Option<String>,
    /// Only patients that failed before.
    pub(crate) only_failed: bool,
    /// What readers decided.
    pub(crate) reads: Vec<ReadRow>,
    /// Say what would be done, and stop.
    pub(crate) dry_run: bool,
    /// Refuse later runs that are made with anything else.
    pub(crate) freeze: bool,
    /// Put a viewer into each patient's page.
    pub(crate) viewer: bool,
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
/// for what registration and the model make of them; bending takes what [`BENDING_BYTES`] says besides.
pub(crate) fn memory_need(patient: &PatientPlan, transform: VisitTransform, has_viewer: bool) -> u64 {
    let voxels = |series: &crate::plan::SeriesPlan| series.entry.n_voxels;
    let visits = patient.visits.iter().chain(&patient.history);
    let largest = visits.map(|v| voxels(&v.measure).max(v.arterial.as_ref().map_or(0, voxels))).max();
    // Three images of 4 bytes, two label maps of 2 and one mask of 1 byte each for two visits, twice over: 48 bytes a voxel.
    let bending = if transform == VisitTransform::Deformable { BENDING_BYTES } else { 0 };
    let viewer = if has_viewer { viewer::MEMORY_BYTES } else { 0 };
    largest.unwrap_or(0) * 48 + bending + viewer
}

/// Of a deformable registration, whatever the image: 1.2 million compared points of 160 bytes, and a lattice of 6 mm over the organ
/// with a kibibyte a cell (100,000 cells for a liver of 280 mm), there and back.
const BENDING_BYTES: u64 = 512 << 20;

/// Does the run; the caller collects.
pub(crate) fn run(request: &RunRequest, global: &Global) -> Result<Outcome, Failure> {
    let started = Instant::now();
    let signal = at_work::listen().map_err(Failure::internal)?;
    let budget = memory_bound(request.memory.as_deref()).map_err(Failure::usage)?;
    let niivue = request.viewer.then(Niivue::find).transpose().map_err(Failure::usage)?;
    let counter = session::counter(global, "files of the archive read");
    let mut cohort = plan(&request.archive, &request.study, &|n| counter.inc(n as u64)).map_err(Failure::io)?;
    counter.finish_and_clear();
    give_reads(&mut cohort, &request.reads).map_err(Failure::bad_input)?;
    let n_threads = session::n_threads(global);
    let equipment = equip(request.study.clone(), global.onnxruntime.as_deref(), n_threads, Needs::of(&cohort))
        .map_err(Failure::bad_input)?;
    let equipment = Equipment { viewer: niivue, ..equipment };
    let now = Settings::of(&equipment);
    frozen::check(&request.out, &now).map_err(Failure::usage)?;
    let roster = roster(&cohort, &now, request.viewer);
    let before = Settings::read(&request.out);
    let costs = forecast::costs(&cohort.patients, Means::of(&equipment, n_threads, budget.bytes));
    let share = request.shard.map(|shard| Share::foreseen(shard, &request.out, &costs));
    let standing = Standing { request, share: share.as_ref(), roster: &roster, before: before.as_ref(), now: &now };
    if request.dry_run {
        return dry_run(standing, &cohort, &equipment, (&budget, n_threads)).map_err(Failure::io);
    }
    let at_work = AtWork::new(&request.out);
    signal.watch(&at_work);
    let share = begin(request, &cohort, &costs, (&now, &roster)).map_err(Failure::io)?;
    drop(costs);
    let standing = Standing { share: share.as_ref(), ..standing };
    let todo = todo(standing, cohort.patients).map_err(Failure::io)?;
    let bar = session::progress(global, todo.len(), "patients");
    let (failed, lasting) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let worker =
        Worker { request, equipment: &equipment, roster: &roster, bar: &bar, signal, at_work, failed, lasting };
    let transform = equipment.study.study.registration.transform;
    let need = |todo: &Todo| memory_need(&todo.patient.open(), transform, request.viewer);
    let jobs = todo.into_iter().map(|todo| (need(&todo), todo)).collect();
    run_within(jobs, n_threads, budget.bytes, &|| worker.is_to_stop(), &|todo| worker.work(&todo));
    bar.finish_and_clear();
    let n_failed = worker.failed.load(Ordering::SeqCst);
    let lasting = worker.lasting.load(Ordering::SeqCst);
    write_manifest(request, &equipment, &budget, started.elapsed().as_secs_f64(), n_threads).map_err(Failure::io)?;
    let patients = ledger::read(&request.out).map_err(Failure::io)?.patients;
    let ours = patients.iter().filter(|e| share.as_ref().is_none_or(|share| share.takes(&e.id)));
    let n_open = ours.filter(|e| e.state != State::Done).count();
    let only_transient = n_failed > 0 && lasting == 0;
    Ok(Outcome { n_failed, n_open, only_transient, signal: signal.caught() })
}

/// Gives every patient the reads of the files the run was given; refused where one is of nobody in the cohort.
fn give_reads(cohort: &mut CohortPlan, reads: &[ReadRow]) -> anyhow::Result<()> {
    for row in reads {
        let own = cohort.patients.iter_mut().find(|patient| patient.id == row.patient_id);
        let own = own.with_context(|| {
            format!("--reads: {} is of patient {:?}, who is not in this cohort", row.subject(), row.patient_id)
        })?;
        own.reads.push(row.clone());
    }
    Ok(())
}

/// What stands at the end of the key of a patient whose page has a viewer.
const WITH_VIEWER: &str = "-viewer";

/// The key of each patient in two halves: program, stages, study, criteria and models; the patient's own input. A viewer in the page
/// changes no result: it stands behind them.
fn roster(cohort: &CohortPlan, settings: &Settings, has_viewer: bool) -> Roster {
    let viewer = if has_viewer { WITH_VIEWER } else { "" };
    let key = |p: &PackedPatient| {
        let PatientPlan { input_digest, faults, .. } = p.open();
        let input = out::sha256_hex(format!("{input_digest} {faults:?}").as_bytes());
        format!("{}-{}{viewer}", settings.digest, &input[..32])
    };
    Roster { schema_version: 1, patients: cohort.patients.iter().map(|p| (p.id.clone(), key(p))).collect() }
}

/// Writes the roster, the archive's notes and who does whom before the first patient, so that nobody is forgotten. What was written by one process
/// is not mixed with what another one writes at the same time.
fn begin(
    request: &RunRequest,
    cohort: &CohortPlan,
    costs: &BTreeMap<&str, u64>,
    (settings, roster): (&Settings, &Roster),
) -> anyhow::Result<Option<Share>> {
    let _lock = lock::wait(&request.out, PATIENCE)?;
    artifacts::sweep_here(&request.out);
    if request.freeze {
        frozen::freeze(&request.out, settings)?;
    }
    out::write_json(&request.out.join("roster.json"), roster)?;
    let notes: &[Note] = &cohort.notes;
    out::write_json(&request.out.join("notes.json"), &notes)?;
    settings.write(&request.out)?;
    request.shard.map(|shard| Share::settled(shard, &request.out, costs)).transpose()
}

/// `manifest.json`: with what, where and how long the latest call ran.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    schema_version: u32,
    program: String,
    /// SHA-256 of the program's file; `None` where it could not be read.
    program_sha256: Option<String>,
    parts: Vec<Part>,
    command_line: Vec<String>,
    archive: PathBuf,
    threads: usize,
    system: BTreeMap<String, String>,
    seconds: f64,
    memory_bound: String,
}

fn write_manifest(
    request: &RunRequest,
    equipment: &Equipment,
    budget: &MemoryBound,
    seconds: f64,
    threads: usize,
) -> anyhow::Result<()> {
    let program = std::env::current_exe().and_then(std::fs::read);
    let manifest = Manifest {
        schema_version: 1,
        program: concat!("lesiontrace ", env!("CARGO_PKG_VERSION")).to_owned(),
        program_sha256: program.ok().map(|bytes| out::sha256_hex(&bytes)),
        parts: equipment.parts.iter().cloned().chain(request.viewer.then(Niivue::part)).collect(),
        command_line: std::env::args().collect(),
        archive: std::path::absolute(&request.archive)?,
        threads,
        system: system(),
        seconds,
        memory_bound: budget.to_string(),
    };
    let _lock = lock::wait(&request.out, PATIENCE)?;
    out::write_json(&manifest_path(&request.out, request.shard), &manifest)
}

/// The machine, as far as results or their time may depend on it.
fn system() -> BTreeMap<String, String> {
    let n_processors = std::thread::available_parallelism().map_or_else(|_| "unknown".to_owned(), |n| n.to_string());
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    BTreeMap::from([
        ("os".to_owned(), std::env::consts::OS.to_owned()),
        ("architecture".to_owned(), std::env::consts::ARCH.to_owned()),
        ("processor".to_owned(), model.map_or_else(|| "unknown".to_owned(), |(_, name)| name.trim().to_owned())),
        ("processors".to_owned(), n_processors),
    ])
}

fn manifest_path(out: &Path, shard: Option<Shard>) -> PathBuf {
    match shard {
        None => out.join("manifest.json"),
        Some(shard) => out.join(format!("manifest-{shard}.json")),
    }
}
