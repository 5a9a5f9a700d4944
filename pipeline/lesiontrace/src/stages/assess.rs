//! Stage *assess*: sizes and states become responses, dated events and times to event.

use std::collections::{BTreeMap, BTreeSet};

use formats::clinical::TreatmentRecord;
use imaging::{Note, PlanarDiameters};
use oncology::criteria::cycle::{CycleResponse, assess_cycle};
use oncology::criteria::patient::{LesionVisit, TrackedLesion, VisitInfo};
use oncology::criteria::{CriterionResult, CriterionTable, ResponseInput, assess};
use oncology::endpoint::preset::Origin;
use oncology::endpoint::{EndpointInput, ImagingVisit, Preset, endpoints as endpoints_of};
use oncology::event::{CompleteAblation, EventInput, Side, events_on};
use oncology::oligometastatic::{ESTRO_ASTRO_2020, abscopal_candidates, burden};
use oncology::reads::{ReaderAxes, Reviewed};
use oncology::study::StudyFacts;
use oncology::tracking::{LesionTrack, Sighting};
use oncology::treatment::{ClinicalFacts, Cycle, DeathCause, Treatment, cycles_of};
use oncology::{
    AssessmentRow, Date, EndpointRow, Evaluable, EventRow, Exact, LesionId, LesionKind, LesionRole, LesionState, Size,
};

use crate::observed::PatientFacts;
use crate::stages::find::{VisitFacts, controls};
use crate::stages::measure::Sizes;
use crate::stages::pieces;
use crate::stages::segment::StageError;
use crate::stages::track::Tracked;
use crate::stages::treated;

mod ablation;
mod band;
mod foci;

use foci::{foci, foci_of_later_cycles};

/// Everything assessed of one patient.
#[derive(Debug, Clone)]
pub(crate) struct Assessed {
    /// One result per criterion, the leading one first.
    pub(crate) criteria: Vec<CriterionResult>,
    /// Dated events.
    pub(crate) events: Vec<EventRow>,
    /// Times to event.
    pub(crate) endpoints: Vec<EndpointRow>,
    /// Those that the other class of an unsure distance changes.
    pub(crate) other_endpoints: Vec<EndpointRow>,
    /// What the tables of the cohort need besides.
    pub(crate) study: StudyFacts,
    /// What to doubt.
    pub(crate) notes: Vec<Note>,
}

/// Assesses a patient by every criterion; the first one leads: its progressions become events.
pub(crate) fn assess_patient(
    patient: &PatientFacts,
    visits: &[VisitFacts],
    tracked: &Tracked,
    tables: &[CriterionTable],
    preset: &Preset,
) -> Result<Assessed, StageError> {
    let input = response_input(patient, visits, tracked);
    let mut notes = Vec::new();
    let mut criteria = Vec::new();
    for table in tables {
        let result = assess(&input, table).map_err(|e| StageError::new("assess", "criterion", e.to_string()))?;
        notes.extend(result.notes.iter().cloned());
        criteria.push(result);
    }
    let clinical = clinical_facts(patient, tracked, &mut notes);
    // What is perhaps no lesion neither makes the patient one with disease nor takes part in his cycles.
    let lesions = tracked.tracks.iter().filter(|track| !track.is_perhaps_none());
    let first_seen: BTreeMap<LesionId, Date> =
        lesions.map(|track| (track.id.clone(), visits[track.first_visit].date())).collect();
    let (sessions, cycles) = cycles_of(&clinical, &first_seen, preset.cycle_rule);
    let later_cycles = later_cycles(&input, tables, &sessions, &cycles, preset)?;
    let complete_ablations = complete_ablations(visits, tracked);
    let treated = treated::dates(&clinical, tracked);
    let mut foci = foci(visits, tracked, &treated, criteria.first());
    foci.extend(foci_of_later_cycles(visits, tracked, tables.first(), &later_cycles));
    let study = StudyFacts { later_cycles, ..study_facts(patient, &clinical, &input, tables.first()) };
    let input =
        EventInput { clinical: &clinical, cycles: &cycles, complete_ablations: &complete_ablations, foci: &foci };
    let events = events_on(&input, preset.local_rule, Side::Measured);
    let other_events = events_on(&input, preset.local_rule, Side::Other);
    let mut timed = EndpointInput {
        clinical: clinical.clone(),
        baseline_date: visits.first().map(VisitFacts::date),
        imaging: imaging_visits(visits, tracked, &treated, criteria.first()),
        first_seen,
        events: events.clone(),
        first_response: criteria.first().and_then(CriterionResult::first_response),
        first_confirmed_response: criteria.first().and_then(|leading| leading.first_confirmed_response),
    };
    notes.extend(criteria.first().into_iter().flat_map(equivocal_new_lesions));
    let endpoints = endpoints_of(&timed, preset).note_into(&mut notes);
    let mut other_endpoints = Vec::new();
    if events.iter().any(|event| !event.other_class.is_empty()) {
        timed.events = other_events;
        other_endpoints = endpoints_of(&timed, preset).value;
        other_endpoints.retain(|row| !endpoints.contains(row));
    }
    Ok(Assessed { criteria, events, endpoints, other_endpoints, study, notes })
}

/// What may be a new lesion is for a reader to decide, for progression hangs on it.
fn equivocal_new_lesions(leading: &CriterionResult) -> Vec<Note> {
    let equivocal = leading.rows.iter().filter(|row| row.new_lesion == "E");
    let told = |row: &AssessmentRow| {
        let message = format!("a new lesion is equivocal, and progression if it is one: {}", row.why);
        Note::warning("new_lesion_equivocal", row.visit.to_string(), message)
    };
    equivocal.map(told).collect()
}

/// Covariates, markers, tumour burden and abscopal candidates, for the tables of the cohort.
fn study_facts(
    patient: &PatientFacts,
    clinical: &ClinicalFacts,
    input: &ResponseInput,
    leading: Option<&CriterionTable>,
) -> StudyFacts {
    let burden_at = |at: usize| (input.visits[at].visit, burden(input, at, ESTRO_ASTRO_2020));
    StudyFacts {
        clinical: clinical.clone(),
        covariates: patient.record.as_ref().map(|record| record.covariates.clone()).unwrap_or_default(),
        markers: patient.markers.clone(),
        burdens: (0..input.visits.len()).map(burden_at).collect(),
        abscopal: leading.map(|table| abscopal_candidates(input, clinical, table)).unwrap_or_default(),
        later_cycles: Vec::new(),
    }
}

/// Every cycle after the first by every criterion, against the last imaging before it.
fn later_cycles(
    input: &ResponseInput,
    tables: &[CriterionTable],
    sessions: &[Treatment],
    cycles: &[Cycle],
    preset: &Preset,
) -> Result<Vec<CycleResponse>, StageError> {
    let mut responses = Vec::new();
    for (number, cycle) in (1..).zip(cycles).skip(1) {
        let treated = cycle.sessions.iter().flat_map(|at| sessions[*at].target_lesions.iter().cloned()).collect();
        let origin = match preset.origin {
            Origin::CycleCompletion => cycle.completion,
            Origin::FirstTreatment => cycle.start,
        };
        for table in tables {
            let response = assess_cycle(input, table, (number, cycle, origin), &treated);
            responses.push(response.map_err(|e| StageError::new("assess", "criterion", e.to_string()))?);
        }
    }
    Ok(responses)
}

/// Sizes and states of every lesion at every visit, coded as the criteria want them.
fn response_input(patient: &PatientFacts, visits: &[VisitFacts], tracked: &Tracked) -> ResponseInput {
    let lesions = tracked.tracks.iter().filter_map(|track| tracked_lesion(track, visits, tracked)).collect();
    let info = |n: &usize| VisitInfo { visit: visits[*n].id, adequate: is_adequate(&visits[*n]) };
    let visits = response_visits(visits).iter().map(info).collect();
    let origin_date = patient.treatments.first().map(|t| t.date);
    ResponseInput { patient_id: patient.id.clone(), origin_date, visits, lesions, markers: patient.markers.clone() }
}

/// The visits at which response is judged, baseline first: scans round a treatment on its day are left out.
pub(crate) fn response_visits(visits: &[VisitFacts]) -> Vec<usize> {
    (0..visits.len()).filter(|n| visits[*n].is_response()).collect()
}

/// Whether response can be judged at a visit at all.
fn is_adequate(visit: &VisitFacts) -> bool {
    visit.not_evaluable().is_none() && visit.second_choice.is_none()
}

/// The lesion at the visits at which response is judged; `None` where it was seen at no such visit.
fn tracked_lesion(track: &LesionTrack, visits: &[VisitFacts], tracked: &Tracked) -> Option<TrackedLesion> {
    let enhanced = enhances_at_first_sight(track, visits);
    let judged = response_visits(visits);
    let is_there =
        |n: &usize| *n >= track.first_visit && track.state_at(*n).is_some_and(|state| state != LesionState::Absent);
    let first = judged.iter().position(is_there)?;
    let reviewed = &tracked.reviewed;
    let coded = judged.iter().map(|n| coded_visit(track, visits, *n, enhanced, reviewed)).collect();
    let mut lesion = TrackedLesion::new(track.id.clone(), track.organ.clone(), track.kind, first, coded);
    let slice = visits[track.first_visit].measured.grid.spacing_mm()[2];
    lesion.slice_mm = Exact::from_image(slice);
    let doubted = judged.iter().enumerate().filter(|(_, n)| track.is_perhaps_none_at(**n));
    lesion.in_doubt = doubted.map(|(at, _)| at).collect();
    lesion.never_enhanced = enhanced == Some(false);
    let ablated = judged.iter().enumerate().filter(|(_, n)| track.state_at(**n) == Some(LesionState::Ablated));
    lesion.unconfirmed =
        ablated.filter_map(|(at, n)| Some((at, ablation::unconfirmed(track, &visits[*n], (*n, tracked))?))).collect();
    // What a reader adds to the band of the sampling is not known here.
    let half_width = |n: &usize| band::half_width(track, (*n, &visits[*n]), reviewed);
    lesion.half_widths_mm = judged.iter().enumerate().filter_map(|(at, n)| Some((at, half_width(n)?))).collect();
    lesion.role_override = tracked.roles.get(&track.id).copied();
    lesion.reviewed_role = reviewed.roles.get(&track.id).copied();
    lesion.treated_dates = tracked.treated.get(&track.id).cloned().unwrap_or_default();
    Some(lesion)
}

/// Whether the lesion showed arterial hyperenhancement when it was first seen; without it mRECIST does not apply to it.
fn enhances_at_first_sight(track: &LesionTrack, visits: &[VisitFacts]) -> Option<bool> {
    let sighting = track.sightings.get(&track.first_visit)?;
    let of_label = |label: &u16| visits[track.first_visit].sizes_of(*label)?.viable.value().map(|v| v.chord.is_some());
    let pieces: Option<Vec<bool>> = sighting.labels.iter().map(of_label).collect();
    pieces.filter(|pieces| !pieces.is_empty()).map(|pieces| pieces.contains(&true))
}

fn coded_visit(
    track: &LesionTrack,
    visits: &[VisitFacts],
    n: usize,
    enhanced: Option<bool>,
    reviewed: &Reviewed,
) -> LesionVisit {
    let at = (n, track.id.clone());
    let reader = reviewed.calls.get(&at).copied();
    let drawn = reviewed.axes.get(&at);
    let blank = |size: Size, viable: Size, state| LesionVisit { size, viable, state, scan_date: None, reader };
    let Some(sighting) = track.sightings.get(&n) else {
        return blank(Size::Absent, Size::Absent, LesionState::Absent);
    };
    let own = visits[n].second_choice.clone();
    let of_baseline = || visits[0].second_choice.as_ref().filter(|_| track.first_visit == 0);
    let unfit = own.or_else(|| of_baseline().map(|reason| format!("baseline cannot be compared with: {reason}")));
    if let Some(reason) = unfit {
        let size = Size::NotEvaluable(reason);
        return blank(size.clone(), size, LesionState::NotEvaluable);
    }
    match sighting.state {
        LesionState::Absent | LesionState::Ablated => blank(Size::Absent, Size::Absent, sighting.state),
        LesionState::NotEvaluable => {
            let reason = Size::NotEvaluable(sighting.reason.clone());
            blank(reason.clone(), reason, sighting.state)
        }
        LesionState::Merged => {
            let untold = || Size::NotEvaluable("grown together with another lesion, which cannot be told".to_owned());
            let size = sighting.merged_into.clone().map_or_else(untold, Size::MergedInto);
            blank(size.clone(), size, sighting.state)
        }
        // A focus at a zone is outlined as viable tumour: its whole diameter is the viable one.
        LesionState::Residual | LesionState::LocalProgression => {
            let size = diameter(track.kind, sighting, &visits[n], drawn);
            blank(size.clone(), size, sighting.state)
        }
        LesionState::Present | LesionState::Uncertain => {
            let size = diameter(track.kind, sighting, &visits[n], drawn);
            blank(size, viable_diameter(track.kind, sighting, &visits[n], enhanced), sighting.state)
        }
    }
}

/// What a reader drew, else what the lesion's pieces make together: longest diameter, or short axis of a node.
fn diameter(kind: LesionKind, sighting: &Sighting, visit: &VisitFacts, drawn: Option<&ReaderAxes>) -> Size {
    let drawn = drawn.and_then(|axes| if kind == LesionKind::Node { axes.short } else { axes.long });
    if let Some(size) = drawn.and_then(|chord| Exact::from_image(chord.length().0)) {
        return Size::Measured(size);
    }
    let of_label = |label: &u16| visit.sizes_of(*label).map_or_else(Vec::new, Sizes::pieces);
    let length = |planar: PlanarDiameters| {
        let chord = if kind == LesionKind::Node { planar.short_axis } else { planar.long_axis };
        Exact::from_image(chord.length().0)
    };
    let reason = |label: &u16| {
        let unmeasured = visit.unmeasured(*label).map(|u| u.reason.clone());
        unmeasured.or_else(|| visit.sizes_of(*label)?.planar.reason().map(ToOwned::to_owned))
    };
    if let Some(reason) = sighting.labels.iter().find_map(reason) {
        return Size::NotEvaluable(reason);
    }
    let sizes: Vec<Exact> = sighting.labels.iter().flat_map(of_label).filter_map(length).collect();
    match pieces::diameter(kind, &sizes) {
        Some(size) => Size::Measured(size),
        None => Size::NotEvaluable("the lesion's mask has no measurable slice".to_owned()),
    }
}

/// The viable diameters of the lesion's pieces together.
fn viable_diameter(kind: LesionKind, sighting: &Sighting, visit: &VisitFacts, enhanced: Option<bool>) -> Size {
    let mut pieces = Vec::new();
    for label in &sighting.labels {
        let Some(sizes) = visit.sizes_of(*label) else {
            return Size::NotEvaluable("the lesion has no mask at this visit".to_owned());
        };
        match &sizes.viable {
            Evaluable::NotEvaluable(reason) => return Size::NotEvaluable(reason.clone()),
            Evaluable::Value(part) => {
                pieces.extend(part.chord.and_then(|chord| Exact::from_image(chord.length().0)));
            }
        }
    }
    if sighting.labels.is_empty() {
        Size::NotEvaluable("the lesion has no mask at this visit".to_owned())
    } else if enhanced == Some(false) {
        Size::NotEvaluable("no arterial hyperenhancement when first seen; followed by RECIST 1.1".to_owned())
    } else {
        pieces::diameter(kind, &pieces).map_or(Size::Absent, Size::Measured)
    }
}

/// Where `treatments.csv` names the lesions as the reader's marks do, the names are compared, else their number.
fn differing_targets(record: &TreatmentRecord, targets: &[LesionId], tracked: &Tracked) -> Option<Note> {
    let named = &record.target_lesions;
    let readers: BTreeSet<&str> = tracked.tracks.iter().filter_map(|t| t.reader_name.as_deref()).collect();
    let all_known = !named.is_empty() && named.iter().all(|name| readers.contains(name.as_str()));
    let found: BTreeSet<&str> = targets.iter().map(LesionId::as_str).collect();
    let message = if all_known && named.iter().map(String::as_str).collect::<BTreeSet<_>>() != found {
        format!("names {}, an ablation zone was found at {}", named.join(" "), joined_or_none(&found))
    } else if !all_known && !named.is_empty() && named.len() != targets.len() {
        format!("names {} target lesions, {} were found at an ablation zone", named.len(), targets.len())
    } else {
        return None;
    };
    let message = format!("treatments.csv (line {}) {message}", record.line);
    Some(Note::warning("treated_lesions_differ", record.date.to_string(), message))
}

fn joined_or_none(names: &BTreeSet<&str>) -> String {
    if names.is_empty() { "none".to_owned() } else { names.iter().copied().collect::<Vec<_>>().join(" ") }
}

/// Treatments with the lesions they were found to have treated. Names in `treatments.csv` are the clinic's own and are not taken
/// for the program's.
fn clinical_facts(patient: &PatientFacts, tracked: &Tracked, notes: &mut Vec<Note>) -> ClinicalFacts {
    let treatments = patient.treatments.iter().map(|record| {
        let targets = treated::targets(record, tracked);
        notes.extend(differing_targets(record, &targets, tracked));
        Treatment {
            date: record.date,
            session: record.session.clone(),
            cycle: record.cycle,
            modality: record.modality,
            target_lesions: targets,
            complication_grade: record.complication_grade.clone(),
        }
    });
    let treatments = treatments.collect();
    let record = patient.record.as_ref();
    if record.is_none() {
        notes.push(Note::warning("no_clinical_row", patient.id.as_str(), "patients.csv has no row of this patient: death and last contact are unknown, survival ends at the last imaging"));
    }
    let cause = record.and_then(|r| r.covariates.get("death_cause")).map_or("", String::as_str);
    let death_cause = DeathCause::from_word(cause).unwrap_or_else(|| {
        let message =
            format!("patients.csv: death_cause must be disease, other or unknown, found {cause:?}; taken as unknown");
        notes.push(Note::warning("death_cause_unreadable", patient.id.as_str(), message));
        DeathCause::Unknown
    });
    ClinicalFacts {
        patient_id: patient.id.clone(),
        death_date: record.and_then(|r| r.death_date),
        death_cause,
        last_contact_date: record.and_then(|r| r.last_contact_date),
        treatments,
    }
}

fn complete_ablations(visits: &[VisitFacts], tracked: &Tracked) -> Vec<CompleteAblation> {
    let controls = controls(visits);
    let of_track = |track: &LesionTrack| {
        let first = track.complete_ablation(&controls)?;
        Some(CompleteAblation { lesion: track.id.clone(), date: visits[first].date() })
    };
    tracked.tracks.iter().filter_map(of_track).collect()
}

fn imaging_visits(
    visits: &[VisitFacts],
    tracked: &Tracked,
    treated: &BTreeMap<LesionId, Vec<Date>>,
    leading: Option<&CriterionResult>,
) -> Vec<ImagingVisit> {
    let targets: Vec<&LesionId> = leading.map_or_else(Vec::new, |result| {
        result.roles.iter().filter(|r| r.role == LesionRole::Target).map(|r| &r.lesion).collect()
    });
    let not_evaluable = |n: usize| -> BTreeSet<LesionId> {
        let failed = tracked.tracks.iter().filter(|t| t.state_at(n) == Some(LesionState::NotEvaluable));
        failed.map(|t| t.id.clone()).collect()
    };
    let later = response_visits(visits).into_iter().skip(1);
    later
        .map(|n| {
            let unseen = not_evaluable(n);
            let adequate = is_adequate(&visits[n]) && !targets.iter().any(|id| unseen.contains(*id));
            let not_evaluable = unseen.into_iter().filter(|id| treated.contains_key(id)).collect();
            ImagingVisit { date: visits[n].date(), adequate, not_evaluable }
        })
        .collect()
}
