//! The role of every lesion of a patient, chosen once, at baseline.
//!
//! Source: Eisenhauer et al. 2009 (RECIST 1.1) §4.1; a reader's choice overrides the rules and is said.

use std::collections::BTreeSet;

use imaging::note::Note;

use super::patient::{ChosenRole, ResponseInput, TrackedLesion};
use super::selection::{Candidate, PriorTherapy, measurability, role_of_rest, select_targets};
use super::size::counted;
use super::table::CriterionTable;
use super::treated::is_viable_measured;
use crate::exact::Exact;
use crate::lesion::{LesionId, LesionRole, Size};

pub(super) fn choose_roles(input: &ResponseInput, table: &CriterionTable) -> (Vec<ChosenRole>, Vec<Note>) {
    let candidates: Vec<Candidate> = input
        .lesions
        .iter()
        .filter(|lesion| may_be_target(lesion))
        .map(|lesion| candidate(lesion, input, table))
        .collect();
    let readers_targets =
        input.lesions.iter().filter(|lesion| lesion.role_override == Some(LesionRole::Target)).count();
    // A reader who names targets has chosen them: the rules add none.
    let targets: BTreeSet<LesionId> =
        if readers_targets > 0 { BTreeSet::new() } else { select_targets(&candidates, table).into_iter().collect() };
    let is_certain = |lesion: &TrackedLesion| lesion.first_seen == 0 && !is_never_certain(lesion);
    let has_disease = input.lesions.iter().any(is_certain);
    let mut notes = Vec::new();
    let roles = input.lesions.iter().map(|lesion| {
        let by_reader = lesion.reviewed_role.or(lesion.role_override);
        if lesion.first_seen > 0 && !matches!(by_reader, Some(LesionRole::NotRecorded | LesionRole::NonTarget)) {
            let role = LesionRole::New;
            return ChosenRole { lesion: lesion.id.clone(), role, why: "first seen after baseline".to_owned() };
        }
        if let Some(role) = by_reader {
            notes.extend(doubtful_override(lesion, role, input, table));
            return ChosenRole { lesion: lesion.id.clone(), role, why: "chosen by the reader".to_owned() };
        }
        if !has_disease && is_never_certain(lesion) {
            let why = "not recorded: perhaps no lesion, and nothing else at baseline makes disease".to_owned();
            return ChosenRole { lesion: lesion.id.clone(), role: LesionRole::NotRecorded, why };
        }
        if lesion.in_doubt.contains(&0) {
            let why = "non-target: in doubt as a lesion at baseline".to_owned();
            return ChosenRole { lesion: lesion.id.clone(), role: LesionRole::NonTarget, why };
        }
        let candidate = candidate(lesion, input, table);
        if targets.contains(&lesion.id) {
            let why = format!("target: {}", measurability(&candidate, table).why);
            notes.extend(unknown_slice(lesion));
            return ChosenRole { lesion: lesion.id.clone(), role: LesionRole::Target, why };
        }
        let (role, why) = role_of_rest(&candidate, table);
        ChosenRole { lesion: lesion.id.clone(), role, why }
    });
    let roles: Vec<ChosenRole> = roles.collect();
    notes.extend(too_many_targets(input, &roles, table));
    (roles, notes)
}

/// Whether the rules may choose it as a target: seen at baseline, certainly a lesion, and no reader has decided.
pub(super) fn may_be_target(lesion: &TrackedLesion) -> bool {
    lesion.first_seen == 0 && lesion.role_override.is_none() && !lesion.in_doubt.contains(&0)
}

/// Whether it is perhaps no lesion at every visit that shows it.
fn is_never_certain(lesion: &TrackedLesion) -> bool {
    let is_gone = |size: &Size| matches!(size, Size::Absent | Size::NotEvaluable(_));
    let mut shown = (0..lesion.visits.len()).filter(|at| !is_gone(&lesion.visits[*at].size));
    !lesion.in_doubt.is_empty() && shown.all(|at| lesion.in_doubt.contains(&at))
}

/// The lesion as a candidate. Where only the viable part could not be measured, the whole diameter chooses, so that the
/// lesion is a target that is not evaluable and not silently none.
pub(super) fn candidate(lesion: &TrackedLesion, input: &ResponseInput, table: &CriterionTable) -> Candidate {
    let seen = &lesion.visits[0];
    let coded = match &seen.viable {
        Size::NotEvaluable(_) => &seen.size,
        viable if is_viable_measured(lesion, table) => viable,
        _ => &seen.size,
    };
    let size: Result<Exact, String> = match coded {
        Size::TooSmallToMeasure => Err("too small to measure".to_owned()),
        coded => counted(coded, &table.thresholds).map_err(str::to_owned),
    };
    let treated_before = lesion.treated_dates.iter().any(|treated| *treated < input.visits[0].date());
    let prior_therapy = match lesion.prior_therapy {
        PriorTherapy::None if treated_before => PriorTherapy::Treated,
        stated => stated,
    };
    Candidate {
        lesion: lesion.id.clone(),
        organ: lesion.organ.clone(),
        kind: lesion.kind,
        size,
        slice_mm: lesion.slice_mm,
        measured_on: lesion.measured_on,
        subtype: lesion.subtype,
        prior_therapy,
    }
}

fn unknown_slice(lesion: &TrackedLesion) -> Option<Note> {
    lesion.slice_mm.is_none().then(|| {
        let message = "the slice thickness at baseline is not known: a target was accepted by the fixed limit alone";
        Note::warning("slice_thickness_unknown", lesion.id.as_str(), message)
    })
}

/// Targets beyond the criterion's number, where a reader changed single roles.
fn too_many_targets(input: &ResponseInput, roles: &[ChosenRole], table: &CriterionTable) -> Option<Note> {
    let n_targets = roles.iter().filter(|chosen| chosen.role == LesionRole::Target).count();
    let most = table.thresholds.max_targets.value as usize;
    let is_changed = input.lesions.iter().any(|lesion| lesion.reviewed_role.is_some());
    (is_changed && n_targets > most).then(|| {
        let message = format!(
            "with the reader's changes of roles there are {n_targets} targets; {} has {most} at most",
            table.title
        );
        Note::warning("too_many_targets", input.patient_id.as_str(), message)
    })
}

fn doubtful_override(
    lesion: &TrackedLesion,
    role: LesionRole,
    input: &ResponseInput,
    table: &CriterionTable,
) -> Option<Note> {
    let measurability = measurability(&candidate(lesion, input, table), table);
    (role == LesionRole::Target && !measurability.measurable).then(|| {
        let message = format!("chosen as target by the reader although not measurable: {}", measurability.why);
        Note::warning("target_not_measurable", lesion.id.as_str(), message)
    })
}
