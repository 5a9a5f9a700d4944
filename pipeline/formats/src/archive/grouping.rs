//! Headers become series, series get their day, days become time points.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use imaging::{Note, Noted};
use jiff::civil::Date;
use rayon::prelude::*;

use super::copies::{WithoutCopies, without_copies};
use super::day::date_series;
use super::gathered::Packs;
use super::{IndexRow, PatientImages, SeriesEntry, TimepointImages};
use crate::dicom::geometry::stack;
use crate::dicom::header::SliceHeader;
use crate::dicom::packed_headers::PackedHeaders;
use crate::dicom::role::{Plane, SeriesRole, SeriesRules, candidates_of, not_for_measuring, plane_of};
use crate::dicom::series::check_is_one_image_series;
use crate::dicom::volumes::{SeriesPart, volumes_of};

/// Patients → time points → series.
pub(super) fn group(
    root: &Path,
    series: BTreeMap<String, Packs>,
    rules: &SeriesRules,
    notes: &mut Vec<Note>,
) -> Vec<PatientImages> {
    let parts: Vec<Parts> = series.into_par_iter().map(|(uid, packs)| parts_of(&uid, packs, root, rules)).collect();
    let mut conflicts = Vec::new();
    let mut copies = Vec::new();
    let mut entries: BTreeMap<Whose, Vec<SeriesEntry>> = BTreeMap::new();
    for part in parts {
        conflicts.extend(part.conflicts);
        copies.extend(part.note);
        entries.extend(part.entries);
    }
    conflicts.sort_by(|a, b| a.0.cmp(&b.0));
    notes.extend(conflicts.into_iter().map(|(_, note)| note).chain(copies));
    let mut by_patient: BTreeMap<String, Vec<SeriesEntry>> = BTreeMap::new();
    for ((patient_id, _, _), of_series) in entries {
        by_patient.entry(patient_id).or_default().extend(of_series);
    }
    by_patient.into_iter().map(|(patient_id, entries)| patient(patient_id, entries, notes)).collect()
}

/// Patient ID, Study Date and Series Instance UID: one series identifier under two study dates is two series.
type Whose = (String, Option<Date>, String);

/// What one Series Instance UID stands for.
struct Parts {
    entries: Vec<(Whose, Vec<SeriesEntry>)>,
    conflicts: Vec<(PathBuf, Note)>,
    note: Option<Note>,
}

fn parts_of(series_uid: &str, packs: Packs, root: &Path, rules: &SeriesRules) -> Parts {
    let headers = packs.into_iter().flat_map(|pack| pack.unpack()).collect();
    let WithoutCopies { headers, conflicts, note } = without_copies(series_uid, headers, root);
    let mut series: BTreeMap<(String, Option<Date>), Vec<SliceHeader>> = BTreeMap::new();
    for header in headers {
        series.entry((header.patient_id.clone(), header.study_date)).or_default().push(header);
    }
    let entries = series.into_iter().map(|((patient_id, study_date), headers)| {
        ((patient_id, study_date, series_uid.to_owned()), entries_of(headers, rules))
    });
    Parts { entries: entries.collect(), conflicts, note }
}

fn patient(patient_id: String, mut entries: Vec<SeriesEntry>, notes: &mut Vec<Note>) -> PatientImages {
    date_series(&mut entries);
    let mut days: BTreeMap<(bool, Option<Date>), Vec<SeriesEntry>> = BTreeMap::new();
    for entry in entries {
        let date = entry.row.study_date;
        days.entry((date.is_none(), date)).or_default().push(entry);
    }
    if let Some(undated) = days.get(&(true, None)) {
        let message = format!(
            "{} series have no day that is sure, so they belong to no time point; the index says why for each",
            undated.len()
        );
        notes.push(Note::warning("no_study_date", patient_id.clone(), message));
    }
    let timepoints = days
        .into_iter()
        .map(|((_, study_date), series)| TimepointImages { study_date, series: ranked(series) })
        .collect();
    PatientImages { patient_id, timepoints }
}

/// The series of one time point by role, and within a role the best first: usable, axial, more slices, thinner.
fn ranked(mut entries: Vec<SeriesEntry>) -> Vec<SeriesEntry> {
    entries.sort_by(|a, b| {
        let key = |e: &SeriesEntry| {
            let axial = e.headers.first().and_then(|h| h.orientation).is_some_and(|o| plane_of(o) == Plane::Axial);
            (e.row.role, !e.row.usable, !axial, Reverse(e.row.n_slices))
        };
        let thickness = |e: &SeriesEntry| e.row.spacing_mm.map_or(f64::INFINITY, |s| s[2]);
        // Volumes of one series keep the order they were split in: the sort is stable.
        let last = |e: &SeriesEntry| (e.headers.first().and_then(|h| h.series_number), e.row.series_uid.clone());
        key(a).cmp(&key(b)).then_with(|| thickness(a).total_cmp(&thickness(b))).then_with(|| last(a).cmp(&last(b)))
    });
    let mut seen: BTreeMap<SeriesRole, u32> = BTreeMap::new();
    for entry in &mut entries {
        let rank = seen.entry(entry.row.role).or_default();
        *rank += 1;
        entry.row.rank = *rank;
    }
    entries
}

/// One entry for each volume of a series.
fn entries_of(headers: Vec<SliceHeader>, rules: &SeriesRules) -> Vec<SeriesEntry> {
    if headers.iter().all(|h| not_for_measuring(h).is_some()) {
        return vec![entry_of(SeriesPart { headers, name: None }, Vec::new(), rules)];
    }
    let Noted { value: parts, notes } = volumes_of(headers);
    parts.into_iter().map(|part| entry_of(part, notes.clone(), rules)).collect()
}

fn entry_of(SeriesPart { headers, name }: SeriesPart, notes: Vec<Note>, rules: &SeriesRules) -> SeriesEntry {
    let first = &headers[0];
    let mut reasons: Vec<String> = notes.iter().map(|n| n.message.clone()).collect();
    let mut spacing_mm = None;
    let usable = if let Some(reason) = not_for_measuring(first) {
        reasons.push(reason);
        false
    } else {
        match check_is_one_image_series(&headers).and_then(|()| Ok(stack(&headers)?)) {
            Ok(stacked) => {
                spacing_mm = Some(stacked.value.grid.spacing_mm().map(to_six_decimals));
                reasons.extend(stacked.notes.into_iter().map(|n| n.message));
                true
            }
            Err(error) => {
                reasons.push(error.to_string());
                false
            }
        }
    };
    let candidates = candidates_of(first, rules, headers.len());
    let row = IndexRow {
        patient_id: first.patient_id.clone(),
        study_date: first.study_date,
        series_uid: first.series_uid.clone(),
        modality: first.modality.clone(),
        description: first.series_description.clone(),
        role: candidates.first().map_or(SeriesRole::Other, |c| c.role),
        candidates,
        volume: name,
        rank: 0,
        n_slices: headers.len(),
        spacing_mm,
        usable,
        reasons,
    };
    let voxels = |h: &SliceHeader| u64::from(h.rows) * u64::from(h.columns) * u64::from(h.n_slices());
    let n_voxels = headers.iter().map(voxels).sum();
    SeriesEntry { row, n_voxels, headers: PackedHeaders::of(headers), nifti: None, notes }
}

/// Rounds away what decimal strings add and lose.
fn to_six_decimals(mm: f64) -> f64 {
    (mm * 1e6).round() / 1e6
}
