//! Readers' decisions in a run: where they come from, what they are checked against, how they are put into force and kept
//! (`reads.json` in the patient's folder).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context as _;
use formats::clinical::reads;
use formats::stored;
use imaging::{Chord, Grid, Mask, Note};
use jiff::Timestamp;
use oncology::LesionRole;
use oncology::criteria::{ChosenRole, CriterionResult, CriterionTable};
use oncology::reads::{
    Applied, Followed, Outcome, ReadRow, ReadState, ReadableLesion, ReadableSight, ReaderAxes, ReadsFile, apply,
    outlined,
};
use oncology::tracking::{LesionTrack, Sighting};

use crate::observed::Observed;
use crate::out;
use crate::stages::find::{VisitFacts, controls};
use crate::stages::rows::lesion_uid;
use crate::stages::track::Tracked;

/// Name of the file in a patient's folder.
pub(crate) const FILE: &str = "reads.json";
/// The table among the clinical ones.
const TABLE: &str = "reads.csv";
/// Source of what that table says; it is read anew in each run.
const CLINICAL: &str = "clinical/reads.csv";
/// Source of what a reader saved from a page.
const REVIEW: &str = "review";

/// A reader's file, JSON or CSV by its ending. The error says what was expected and found, and where.
pub(crate) fn load(path: &Path) -> anyhow::Result<Vec<ReadRow>> {
    let bytes = stored::read(path).with_context(|| format!("reading {}", path.display()))?;
    let text = String::from_utf8(bytes).with_context(|| format!("{} is no UTF-8 text", path.display()))?;
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    let rows = match ending.as_str() {
        "json" => ReadsFile::parse(&text).map(|file| file.reads),
        "csv" => reads::parse(&text),
        _ => Err("expected a file that ends in .json or .csv".to_owned()),
    };
    let rows = rows.map_err(|reason| anyhow::anyhow!("{}: {reason}", path.display()))?;
    for (n, row) in rows.iter().enumerate() {
        // A word of tomorrow would be the last word for ever.
        let at: Option<Timestamp> = row.read_at.parse().ok();
        anyhow::ensure!(
            at.is_none_or(|at| at.as_second() <= Timestamp::now().as_second() + CLOCKS_DIFFER_S),
            "{}: read {}: read_at {:?} lies in the future; put the clock right that wrote it",
            path.display(),
            n + 1,
            row.read_at
        );
    }
    Ok(rows.iter().map(|row| from(row, REVIEW)).collect())
}

/// By how much the clock of a reader may be ahead of this one's, s: a day, time zones that were left out included.
const CLOCKS_DIFFER_S: i64 = 24 * 60 * 60;

/// A read with its source, the reader's name without blanks round it: who writes a name with one more is the same reader.
fn from(row: &ReadRow, source: &str) -> ReadRow {
    let reader = row.reader.split_whitespace().collect::<Vec<_>>().join(" ");
    ReadRow { source: source.to_owned(), reader, ..row.as_read() }
}

/// What the clinical tables say; nothing where there is no such table.
pub(crate) fn clinical(folder: &Path) -> anyhow::Result<Vec<ReadRow>> {
    let path = folder.join(TABLE);
    if !stored::is_file(&path) {
        return Ok(Vec::new());
    }
    Ok(load(&path)?.iter().map(|row| from(row, CLINICAL)).collect())
}

/// Reads of patients without images.
pub(crate) fn of_nobody(rows: &[ReadRow], known: &BTreeSet<String>) -> Vec<Note> {
    let unknown: BTreeSet<&String> = rows.iter().map(|row| &row.patient_id).filter(|id| !known.contains(*id)).collect();
    let note = |id: &String| {
        Note::error("unknown_patient", TABLE, format!("{TABLE} names the patient {id:?}, who has no images"))
    };
    unknown.into_iter().map(note).collect()
}

/// The reads kept in a patient's folder; none where there is no such file.
pub(crate) fn stored(folder: &Path) -> anyhow::Result<Vec<ReadRow>> {
    let path = folder.join(FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let file = ReadsFile::parse(&text).map_err(|reason| anyhow::anyhow!("{}: {reason}", path.display()))?;
            Ok(file.reads)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}

/// Reads kept and reads given, each once.
pub(crate) fn with(kept: Vec<ReadRow>, given: &[ReadRow]) -> Vec<ReadRow> {
    let mut seen = BTreeSet::new();
    kept.into_iter().chain(given.iter().cloned()).filter(|row| seen.insert(row.as_read())).collect()
}

/// The reads a patient of a run is done with: those kept, but for what the clinical table said then, and those of now.
pub(crate) fn wanted(folder: &Path, now: &[ReadRow]) -> anyhow::Result<Vec<ReadRow>> {
    let kept = stored(folder)?.into_iter().filter(|row| row.source != CLINICAL).collect();
    Ok(with(kept, now))
}

/// Whether a patient was done with other reads than those of now.
pub(crate) fn changed(folder: &Path, now: &[ReadRow]) -> anyhow::Result<bool> {
    let set = |rows: Vec<ReadRow>| rows.iter().map(ReadRow::as_read).collect::<BTreeSet<_>>();
    Ok(set(stored(folder)?) != set(wanted(folder, now)?))
}

/// Keeps the reads of a patient.
pub(crate) fn write(folder: &Path, rows: &[ReadRow]) -> anyhow::Result<()> {
    let path = folder.join(FILE);
    if !rows.is_empty() {
        return out::write_json(&path, &ReadsFile::new(rows.to_vec()));
    }
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// A patient after the reads.
pub(crate) struct Reviewed {
    /// What reads are checked against.
    pub(crate) state: ReadState,
    /// Lesions over time.
    pub(crate) tracked: Tracked,
    /// The reads, with what became of each.
    pub(crate) reads: Vec<ReadRow>,
    /// What is to be said of them.
    pub(crate) notes: Vec<Note>,
}

/// Puts reads into force on the lesions as the program followed them.
pub(crate) fn review(
    observed: &Observed,
    tracked: &Tracked,
    leading: Option<&CriterionResult>,
    rows: &[ReadRow],
) -> Reviewed {
    let state = state(observed, tracked, leading);
    if rows.is_empty() {
        return Reviewed { state, tracked: tracked.clone(), reads: Vec::new(), notes: Vec::new() };
    }
    let before = Followed {
        tracks: tracked.tracks.clone(),
        zones: tracked.zones.clone(),
        treated: tracked.treated.clone(),
        roles: tracked.roles.clone(),
        reviewed: tracked.reviewed.clone(),
    };
    let Applied { followed, reads } = apply(rows, &state, before, &controls(&observed.visits));
    let Followed { tracks, zones, treated, roles, reviewed } = followed;
    // A doubt that a reader took away, with the lesion or without, is none any more.
    let stands = |note: &&Note| {
        let is_doubted = |track: &LesionTrack| track.id.as_str() == note.subject && track.perhaps_none.is_some();
        !note.code.starts_with("lesion_in_doubt") || tracks.iter().any(is_doubted)
    };
    let standing = tracked.notes.iter().filter(stands).cloned().collect();
    let tracked = Tracked { tracks, zones, treated, roles, reviewed, notes: standing };
    let notes = notes(&reads);
    Reviewed { state, tracked, reads, notes }
}

fn notes(reads: &[ReadRow]) -> Vec<Note> {
    let mut notes: Vec<Note> = reads.iter().map(note).collect();
    let mut unbound: BTreeMap<&str, usize> = BTreeMap::new();
    for row in reads.iter().filter(|row| row.based_on.is_empty() && row.outcome == Outcome::Applied) {
        *unbound.entry(&row.reader).or_default() += 1;
    }
    for (reader, n) in unbound {
        let message = format!(
            "{n} reads of {reader} do not say what they were made of (based_on): whether the same was seen is not known"
        );
        notes.push(Note::warning("read_unbound", reader, message));
    }
    notes
}

fn note(row: &ReadRow) -> Note {
    let who = format!("{}, {}", row.reader, row.read_at);
    let why = if row.comment.is_empty() { String::new() } else { format!(": {}", row.comment) };
    let subject = row.subject();
    let old = if row.old.is_empty() { "nothing" } else { &row.old };
    match row.outcome {
        Outcome::Applied | Outcome::Open => {
            let new = if row.is_confirmation() { "confirmed".to_owned() } else { format!("→ {}", row.value_words()) };
            let message = format!("{subject}: {old} {new} ({who}){why}");
            if row.reason.is_empty() {
                return Note::info("read_applied", row.lesion_id.as_str(), message);
            }
            Note::warning("caliper_in_doubt", row.lesion_id.as_str(), format!("{message}; {}", row.reason))
        }
        Outcome::Superseded => {
            let message = format!("{subject}: {} ({who}) is not in force: {}", row.value, row.reason);
            Note::info("read_superseded", row.lesion_id.as_str(), message)
        }
        Outcome::Disagreement => {
            let message = format!(
                "{subject}: {who} says {}, another reader something else: {old} stands until an adjudicator decides",
                row.value
            );
            Note::warning("readers_disagree", row.lesion_id.as_str(), message)
        }
        Outcome::Refused => {
            let message = format!("{subject}: {} ({who}) was not put into force: {}", row.value, row.reason);
            Note::error("read_refused", row.lesion_id.as_str(), message)
        }
    }
}

/// What a reader can have seen of a patient.
fn state(observed: &Observed, tracked: &Tracked, leading: Option<&CriterionResult>) -> ReadState {
    let (patient_id, visits) = (&observed.patient.id, &observed.visits);
    let lesion = |track: &LesionTrack| {
        let role = leading.and_then(|result| result.roles.iter().find(|chosen| chosen.lesion == track.id));
        let mut first = String::new();
        let mut at = BTreeMap::new();
        for (n, sighting) in track.sightings.range(track.first_visit..) {
            let sight = sight(patient_id, &visits[*n], sighting, &first);
            if first.is_empty() {
                first.clone_from(&sight.digest);
            }
            at.insert(*n, sight);
        }
        ReadableLesion {
            id: track.id.clone(),
            tracking_uid: lesion_uid(patient_id, track, visits),
            role: role.map_or_else(|| "not_recorded".to_owned(), |chosen| chosen.role.to_string()),
            kind: track.kind,
            in_doubt: track.is_perhaps_none(),
            at,
        }
    };
    ReadState {
        patient_id: patient_id.clone(),
        visits: visits.iter().map(|visit| visit.id).collect(),
        grids: visits.iter().map(|visit| visit.measured.grid.clone()).collect(),
        lesions: tracked.tracks.iter().map(lesion).collect(),
    }
}

/// One lesion at one visit. What is outlined there names itself by place and size; where nothing is, the lesion's first sight does.
fn sight(patient_id: &str, visit: &VisitFacts, sighting: &Sighting, first: &str) -> ReadableSight {
    let sizes: Vec<_> = sighting.labels.iter().filter_map(|label| visit.sizes_of(*label)).collect();
    let planar = sizes.first().and_then(|sizes| sizes.planar.value());
    let volume: f64 = sizes.iter().map(|sizes| sizes.volume.0).sum();
    let center = sighting.center.map(|center| center.to_array().map(|mm| format!("{mm:.2}")).join(" "));
    let [long_axis, short_axis] =
        [planar.map(|p| p.long_axis), planar.map(|p| p.short_axis)].map(|chord| chord.as_ref().map(words));
    let (long_axis, short_axis) = (long_axis.unwrap_or_default(), short_axis.unwrap_or_default());
    let own = center.filter(|_| !sighting.labels.is_empty()).unwrap_or_else(|| first.to_owned());
    let state = sighting.state;
    let text = format!("{patient_id}|{}|{state}|{own}|{long_axis}|{short_axis}|{volume:.1}", visit.id);
    let digest = out::sha256_hex(text.as_bytes())[..16].to_owned();
    let found = ReaderAxes { long: planar.map(|p| p.long_axis), short: planar.map(|p| p.short_axis) };
    let masks = sighting.labels.iter().filter_map(|label| Some(&visit.lesion(*label)?.mask));
    let pieces: Vec<_> = masks.map(|mask| voxels(mask, &visit.measured.grid)).collect();
    ReadableSight { state, digest, long_axis, short_axis, found, outlined: outlined(&pieces) }
}

/// The voxels of a mask that was cut to its box, in those of the visit's grid.
fn voxels(mask: &Mask, grid: &Grid) -> Vec<[f64; 3]> {
    let own = mask.grid();
    let is_set = mask.values().iter().enumerate().filter(|(_, is_set)| **is_set);
    is_set.map(|(n, _)| grid.patient_to_voxel().apply(own.center(own.shape().index(n))).to_array()).collect()
}

/// Targets of one organ beyond the criterion's number, where readers changed roles. Their number in all is noted where roles are chosen.
pub(crate) fn too_many_of_an_organ(
    tracked: &Tracked,
    roles: &[ChosenRole],
    table: Option<&CriterionTable>,
) -> Vec<Note> {
    let Some(table) = table.filter(|_| !tracked.reviewed.roles.is_empty()) else { return Vec::new() };
    let most = table.thresholds.max_targets_per_organ.value as usize;
    let mut targets: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for chosen in roles.iter().filter(|chosen| chosen.role == LesionRole::Target) {
        let track = tracked.tracks.iter().find(|track| track.id == chosen.lesion);
        targets
            .entry(track.map(|track| track.organ.to_string()).unwrap_or_default())
            .or_default()
            .push(chosen.lesion.as_str());
    }
    let beyond = targets.into_iter().filter(|(_, lesions)| lesions.len() > most);
    let note = |(organ, lesions): (String, Vec<&str>)| {
        let message = format!(
            "with the reader's changes of roles {} of organ {} are targets; {} has {most} an organ at most",
            lesions.join(", "),
            organ.replace('_', " "),
            table.title
        );
        Note::warning("too_many_targets_of_organ", organ, message)
    };
    beyond.map(note).collect()
}

/// A diameter with its ends: `23.10 mm (x y z; x y z)`.
fn words(chord: &Chord) -> String {
    let at = |p: [f64; 3]| p.map(|v| format!("{v:.2}")).join(" ");
    format!("{:.2} mm ({}; {})", chord.length().0, at(chord.start.to_array()), at(chord.end.to_array()))
}
