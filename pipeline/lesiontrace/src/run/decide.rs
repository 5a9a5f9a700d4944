//! Whom a run does, and why; `--dry-run` prints it.

use std::path::Path;

use imaging::{Note, Severity};

use super::forecast::{Means, Taken};
use super::settings::Settings;
use super::{Outcome, RunRequest, WITH_VIEWER, memory_need};
use crate::ledger::{self, Entry, Roster, State};
use crate::manifest::Equipment;
use crate::memory_bound::MemoryBound;
use crate::plan::{CohortPlan, PackedPatient};
use crate::shard::Share;
use crate::{artifacts, out, reading};

/// A patient to be done.
pub(super) struct Todo {
    /// The patient.
    pub(super) patient: PackedPatient,
    /// How often it was started before this run decided to do it.
    pub(super) attempt: u32,
    /// Digest of the list of files, where the page alone is wanted otherwise than it is there.
    pub(super) observed: Option<String>,
}

/// Whether a run does a patient, and why.
struct Decision {
    is_done_now: bool,
    why: String,
    attempt: u32,
    observed: Option<String>,
}

/// What a decision rests on besides the patient.
#[derive(Clone, Copy)]
pub(super) struct Standing<'a> {
    pub(super) request: &'a RunRequest,
    /// The share of this run; `None` for everybody.
    pub(super) share: Option<&'a Share>,
    pub(super) roster: &'a Roster,
    /// Of the latest run on the output folder.
    pub(super) before: Option<&'a Settings>,
    /// Of this one.
    pub(super) now: &'a Settings,
}

/// The patients this run has to do.
pub(super) fn todo(standing: Standing<'_>, patients: Vec<PackedPatient>) -> anyhow::Result<Vec<Todo>> {
    let mut todo = Vec::new();
    for patient in patients {
        let Decision { is_done_now, attempt, why, observed } = decide(standing, &patient)?;
        let line = format!("patient {}: {} ({why})", patient.id, verb(is_done_now));
        tracing::info!("{}", out::plain_line(&line));
        if is_done_now {
            todo.push(Todo { patient, attempt, observed });
        }
    }
    Ok(todo)
}

fn verb(is_done_now: bool) -> &'static str {
    if is_done_now { "do" } else { "keep" }
}

fn decide(standing: Standing<'_>, patient: &PackedPatient) -> anyhow::Result<Decision> {
    let id = patient.id.as_str();
    let request = standing.request;
    if let Some(share) = standing.share.filter(|share| !share.takes(id)) {
        let why = share.whose(id);
        return Ok(Decision { is_done_now: false, why, attempt: 0, observed: None });
    }
    let entry = ledger::read_entry(&request.out, id)?;
    let attempt = entry.as_ref().map_or(0, |entry| entry.attempt);
    let state = entry.as_ref().map(|entry| entry.state);
    let decided = |is_done_now, why: String| Ok(Decision { is_done_now, why, attempt, observed: None });
    if request.only_failed && state != Some(State::Failed) {
        return decided(false, "did not fail before".to_owned());
    }
    let Some(entry) = entry else { return decided(true, "never started".to_owned()) };
    match entry.state {
        State::Done => {
            let stale = changed(standing, &entry).or_else(|| damaged(&request.out, &entry));
            let stale = match stale {
                None => other_reads(&request.out, patient)?,
                stale => stale,
            };
            match stale {
                None if request.resume && has_other_page(standing, &entry) => {
                    let why = if request.viewer { "the viewer is new" } else { "the viewer is gone" };
                    let why = format!("the page alone: {why}");
                    Ok(Decision { is_done_now: true, why, attempt, observed: Some(entry.files) })
                }
                Some(what) => decided(true, format!("done before; since then: {what}")),
                None if request.resume => decided(false, "done, nothing changed".to_owned()),
                None => decided(true, "done before, and done anew without --resume".to_owned()),
            }
        }
        State::Failed => decided(true, format!("failed before at {} ({}): {}", entry.stage, entry.code, entry.message)),
        State::Interrupted => decided(true, format!("was interrupted at {}", entry.stage)),
        State::Running => decided(true, format!("was left running at {}", entry.stage)),
        State::Missing | State::Stale => decided(true, "was not done".to_owned()),
    }
}

/// What changed since a patient was done: settings by name where they are known, or the input.
fn changed(standing: Standing<'_>, entry: &Entry) -> Option<String> {
    let now = standing.roster.patients.get(&entry.id).map_or("", String::as_str);
    let halves =
        |key: &str| without_viewer(key).split_once('-').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap_or_default();
    let ((settings_then, input_then), (settings_now, input_now)) = (halves(&entry.key), halves(now));
    let mut changes = Vec::new();
    if settings_then != settings_now || settings_now.is_empty() {
        let known = standing.before.filter(|before| before.digest == settings_then);
        let named = known.map(|before| standing.now.changes_since(before)).unwrap_or_default();
        changes.push(match named.as_slice() {
            [] => "program, study, criteria or model changed".to_owned(),
            named => named.join(", "),
        });
    }
    if input_then != input_now {
        changes.push("images, outlines or clinical rows changed".to_owned());
    }
    (!changes.is_empty()).then(|| changes.join("; "))
}

/// Whether a patient's page has a viewer that is not wanted any more, or wants one.
fn has_other_page(standing: Standing<'_>, entry: &Entry) -> bool {
    standing.roster.patients.get(&entry.id) != Some(&entry.key)
}

fn without_viewer(key: &str) -> &str {
    key.strip_suffix(WITH_VIEWER).unwrap_or(key)
}

/// Whether readers decided something since a patient was done.
fn other_reads(out: &Path, patient: &PackedPatient) -> anyhow::Result<Option<String>> {
    let changed = reading::changed(&out::patient_folder(out, &patient.id), &patient.reads)?;
    Ok(changed.then(|| "readers' decisions changed".to_owned()))
}

fn damaged(out: &Path, entry: &Entry) -> Option<String> {
    artifacts::damage(&out::patient_folder(out, &entry.id), &entry.files)
}

/// Says what would be done, why, and what it will take; nothing is written.
pub(super) fn dry_run(
    standing: Standing<'_>,
    cohort: &CohortPlan,
    equipment: &Equipment,
    (budget, n_threads): (&MemoryBound, usize),
) -> anyhow::Result<Outcome> {
    let transform = standing.request.study.study.registration.transform;
    let has_viewer = standing.request.viewer;
    let mut text = String::new();
    let mut taken = Taken::new(Means::of(equipment, n_threads, budget.bytes));
    let mut n_todo = 0;
    for packed in &cohort.patients {
        let decision = decide(standing, packed)?;
        let patient = packed.open();
        if decision.is_done_now {
            n_todo += 1;
            taken.add(&patient);
        }
        let (verb, need, n_visits) =
            (verb(decision.is_done_now), memory_need(&patient, transform, has_viewer) >> 20, patient.visits.len());
        text.push_str(&format!("{}: {verb} ({}): {n_visits} visits, about {need} MiB", patient.id, decision.why));
        for visit in &patient.visits {
            let masks = if visit.masks.is_some() { "imported masks" } else { "model" };
            text.push_str(&format!("\n  {} {} ({masks})", visit.id, visit.measure.role));
        }
        for fault in &patient.faults {
            text.push_str(&format!("\n  cannot be done: {fault}"));
        }
        text.push('\n');
    }
    text.push_str(&cohort_troubles(&cohort.notes));
    let n = cohort.patients.len();
    text.extend(standing.share.map(Share::as_text));
    text.push_str(&format!("{n_todo} of {n} patients to do, memory bound {budget}\n"));
    text.push_str(&taken.forecast().as_text(n_threads));
    let kept = if standing.request.force {
        "nothing is taken from the cache (--force)"
    } else {
        "outlines of networks and registrations are taken from the cache where images, outlines, networks and settings of theirs are the same"
    };
    text.push_str(&format!("{kept}\n"));
    out::print(&text)?;
    Ok(Outcome { n_failed: 0, n_open: 0, only_transient: false, signal: None })
}

/// What is wrong with tables and files of nobody, a line each: a run would tell it in `notes.json`.
fn cohort_troubles(notes: &[Note]) -> String {
    let lines = notes.iter().filter(|note| note.severity > Severity::Info).map(|note| {
        let what = if note.severity == Severity::Error { "not used" } else { "to be looked at" };
        format!("{what}: {}: {}\n", note.subject, note.message)
    });
    lines.collect()
}
