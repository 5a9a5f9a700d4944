//! Stage *report*: what was found becomes the patient's page.

use std::collections::BTreeSet;

use imaging::Severity;
use imaging::registration::Quality;
use oncology::criteria::CriterionTable;
use oncology::criteria::table::Quantity;
use oncology::tracking::LesionTrack;
use oncology::visit_window::VisitLabel;
use oncology::{AssessmentRow, Days, LesionState};
use report::{
    Component, Covariate, CriterionInfo, FollowUpEnd, FollowUpEndKind, PatientPage, Provenance, RegistrationQuality,
    RunBlock, SeriesUsed, Treatment, Verdict, Visit,
};

use crate::manifest::Part;
use crate::observed::PatientFacts;
use crate::patient::PatientResult;
use crate::plan::Purpose;
use crate::stages::find::{SeriesFacts, VisitFacts};
use crate::stages::registration_view;
use crate::stages::track::Tracked;

/// Criteria as the pages call them.
pub(crate) fn criterion_infos(tables: &[CriterionTable]) -> Vec<CriterionInfo> {
    let info = |table: &CriterionTable| CriterionInfo {
        id: table.id.clone(),
        title: table.title.clone(),
        response_percent: Some(-f64::from(table.thresholds.pr_decrease_percent.value)),
        progression_percent: Some(f64::from(table.thresholds.pd_increase_percent.value)),
    };
    tables.iter().map(info).collect()
}

/// The page without key images; they are added by the caller.
pub(crate) fn page(
    patient: &PatientFacts,
    visits: &[VisitFacts],
    tracked: &Tracked,
    result: &PatientResult,
    tables: &[CriterionTable],
    threshold_mm: f64,
) -> PatientPage {
    let day = |date| visits.first().map_or(0, |first| Days::between(first.date(), date).0);
    PatientPage {
        patient_id: patient.id.clone(),
        diagnosis: patient.record.as_ref().map(|r| r.diagnosis.clone()).unwrap_or_default(),
        covariates: covariates(patient),
        criteria: criterion_infos(tables),
        visits: visits
            .iter()
            .enumerate()
            .map(|(n, v)| {
                let places = registration_view::places(&v.to_baseline, &visits[0], &tracked.tracks);
                Visit {
                    not_assessed: not_assessed(n, visits, tracked),
                    ..visit(v, named(n, visits, &v.label), n, day(v.date()), places)
                }
            })
            .collect(),
        earlier_visits: Vec::new(),
        treatments: treatments(patient, tracked, &day),
        markers: patient.markers.clone(),
        follow_up_end: follow_up_end(patient, &day),
        verdicts: verdicts(result, visits, tracked),
        lesions: result.lesions.clone(),
        measurements: result.measurements.clone(),
        margins: result.margins.clone(),
        margin_maps: Vec::new(),
        margin_threshold_mm: Some(threshold_mm),
        events: result.events.clone(),
        endpoints: result.endpoints.clone(),
        key_images: Vec::new(),
        review: None,
        notes: result.notes.clone(),
        methods: methods(visits, result, tables),
        provenance: Provenance { components: Vec::new() },
        run: RunBlock { generated_at: None, command_line: None, hardware: None, duration: None },
    }
}

fn covariates(patient: &PatientFacts) -> Vec<Covariate> {
    let Some(record) = &patient.record else { return Vec::new() };
    let given = record.covariates.iter().filter(|(_, value)| !value.is_empty());
    given.map(|(name, value)| Covariate { name: name.replace('_', " "), value: value.clone() }).collect()
}

fn series(facts: &SeriesFacts) -> SeriesUsed {
    let [i, j, k] = facts.grid.spacing_mm();
    SeriesUsed {
        role: facts.role.clone(),
        description: facts.description.clone(),
        spacing: format!("{i:.2} × {j:.2} × {k:.2} mm"),
    }
}

/// What a visit is in the run, and by the study's windows where that says more.
fn named(n: usize, visits: &[VisitFacts], label: &VisitLabel) -> String {
    let place = match visits[n].purpose {
        Purpose::Planning => "planning".to_owned(),
        Purpose::Control => "control".to_owned(),
        Purpose::Response if n == 0 => "baseline".to_owned(),
        Purpose::Response => format!("follow-up {}", visits[1..=n].iter().filter(|v| v.is_response()).count()),
    };
    match label {
        VisitLabel::NoTreatment(_) => place,
        VisitLabel::Baseline if n == 0 => place,
        label => format!("{place}: {label}"),
    }
}

/// Why response is not judged at a visit, and what has changed there nevertheless; empty where it is judged.
fn not_assessed(n: usize, visits: &[VisitFacts], tracked: &Tracked) -> String {
    let Some(reason) = visits[n].purpose.no_response() else { return String::new() };
    let before = n.checked_sub(1);
    let changes = before.map(|before| changes([before, n], tracked)).unwrap_or_default();
    if changes.is_empty() { reason.to_owned() } else { format!("{reason}; {}", changes.join("; ")) }
}

fn visit(facts: &VisitFacts, label: String, n: usize, study_day: i64, places: Vec<Covariate>) -> Visit {
    let all = [Some(&facts.measured), facts.arterial.as_ref(), facts.pet.as_ref(), facts.adc.as_ref()];
    let registration = &facts.to_baseline;
    Visit {
        id: facts.id,
        study_day,
        label,
        not_assessed: String::new(),
        series: all.into_iter().flatten().map(series).collect(),
        registration: (n > 0).then(|| RegistrationQuality {
            quality: quality(registration.quality),
            residual_mm: registration.residual.as_ref().map(|r| r.p95_mm),
            reasons: registration.reasons.clone(),
            figures: [registration_view::figures(registration), places].concat(),
            pictures: Vec::new(),
        }),
    }
}

fn treatments(patient: &PatientFacts, tracked: &Tracked, day: &dyn Fn(oncology::Date) -> i64) -> Vec<Treatment> {
    let targets = |date| {
        let treated = tracked.treated.iter().filter(move |(_, dates)| dates.contains(&date));
        treated.map(|(id, _)| id.to_string()).collect()
    };
    let one = |t: &formats::clinical::TreatmentRecord| Treatment {
        date: t.date,
        study_day: day(t.date),
        cycle: t.cycle,
        modality: t.modality.to_string(),
        target_lesions: targets(t.date),
        complication_grade: t.complication_grade.clone(),
    };
    patient.treatments.iter().map(one).collect()
}

fn follow_up_end(patient: &PatientFacts, day: &dyn Fn(oncology::Date) -> i64) -> Option<FollowUpEnd> {
    let record = patient.record.as_ref()?;
    let end = |date, kind| FollowUpEnd { date, study_day: day(date), kind, detail: String::new() };
    match (record.death_date, record.last_contact_date) {
        (Some(date), _) => Some(end(date, FollowUpEndKind::Death)),
        (None, Some(date)) => Some(end(date, FollowUpEndKind::LastContact)),
        (None, None) => None,
    }
}

fn verdicts(result: &PatientResult, visits: &[VisitFacts], tracked: &Tracked) -> Vec<Verdict> {
    let one = |row: &AssessmentRow| {
        let n = visits.iter().position(|v| v.id == row.visit);
        let prior = |n: usize| (0..n).rev().find(|m| visits[*m].is_response());
        Verdict {
            row: row.clone(),
            what_changed: n.and_then(|n| Some(changes([prior(n)?, n], tracked))).unwrap_or_default(),
            confidence_lowered_by: n.map(|n| confidence_lowered_by(&visits[n], n, tracked)).unwrap_or_default(),
        }
    };
    result.assessments.iter().map(one).collect()
}

/// The verdict on a registration as pages say it.
pub(crate) const fn quality(quality: Quality) -> report::Quality {
    match quality {
        Quality::Pass => report::Quality::Pass,
        Quality::Review => report::Quality::Review,
        Quality::Fail => report::Quality::Fail,
    }
}

/// What speaks against trusting the verdict of a visit: its registration, lesions whose identity or size is not sure, and how
/// many warnings its images gave.
fn confidence_lowered_by(visit: &VisitFacts, n: usize, tracked: &Tracked) -> Vec<String> {
    let mut reasons = Vec::new();
    match visit.to_baseline.quality {
        Quality::Pass => {}
        Quality::Review => reasons.push("the registration to baseline needs a look".to_owned()),
        Quality::Fail => reasons.push("the registration to baseline failed".to_owned()),
    }
    let in_state = |wanted: LesionState, perhaps_none: bool| {
        let is_so =
            |track: &&LesionTrack| track.state_at(n) == Some(wanted) && track.is_perhaps_none_at(n) == perhaps_none;
        tracked.tracks.iter().filter(is_so).map(|track| track.id.to_string()).collect::<Vec<_>>().join(", ")
    };
    for (state, perhaps_none, words) in [
        (LesionState::Uncertain, true, "perhaps no lesion: "),
        (LesionState::Uncertain, false, "identity uncertain: "),
        (LesionState::Merged, false, "grown together with a neighbour: "),
        (LesionState::NotEvaluable, false, "not evaluable: "),
    ] {
        let ids = in_state(state, perhaps_none);
        if !ids.is_empty() {
            reasons.push(format!("{words}{ids}"));
        }
    }
    let n_warnings = visit.notes.iter().filter(|note| note.severity > Severity::Info).count();
    if n_warnings > 0 {
        let plural = if n_warnings == 1 { "warning" } else { "warnings" };
        reasons.push(format!("{n_warnings} {plural} about the images of this visit (see the notes)"));
    }
    reasons
}

/// What changed from one visit to another: new lesions, lesions gone, zones, foci, events.
fn changes([first, second]: [usize; 2], tracked: &Tracked) -> Vec<String> {
    let mut changes = Vec::new();
    for track in &tracked.tracks {
        let (before, now) = (track.state_at(first), track.state_at(second));
        let (was_doubted, is_doubted) = (track.is_perhaps_none_at(first), track.is_perhaps_none_at(second));
        let phrase = match (before, now) {
            (None, _) if is_doubted => format!("{} is first outlined, perhaps no lesion ({})", track.id, track.organ),
            (_, Some(LesionState::Present)) if was_doubted => {
                format!("{}, perhaps no lesion before, is one", track.id)
            }
            (a, b) if a == b => continue,
            (_, Some(LesionState::Uncertain)) if is_doubted => format!("{} is perhaps no lesion", track.id),
            (None, Some(LesionState::Uncertain)) => {
                format!("{} is first outlined, perhaps not new ({})", track.id, track.organ)
            }
            (None, Some(_)) => format!("{} is new ({})", track.id, track.organ),
            (_, Some(LesionState::Absent)) => format!("{} is no longer seen", track.id),
            (_, Some(LesionState::Ablated)) => format!("{} is ablated, no viable tumour at the zone", track.id),
            (_, Some(LesionState::Residual)) => format!("{}: residual tumour at the zone", track.id),
            (_, Some(LesionState::LocalProgression)) => format!("{}: new viable tumour at the zone's edge", track.id),
            (_, Some(LesionState::Merged)) => format!("{} has grown together with a neighbour", track.id),
            (_, Some(LesionState::Uncertain)) => format!("{}: identity uncertain", track.id),
            (_, Some(LesionState::NotEvaluable)) => format!("{} is not evaluable", track.id),
            (_, Some(LesionState::Present)) => format!("{} is seen again", track.id),
            (_, None) => continue,
        };
        changes.push(phrase);
    }
    changes
}

/// One sentence per stage that really ran.
fn methods(visits: &[VisitFacts], result: &PatientResult, tables: &[CriterionTable]) -> Vec<String> {
    let mut sentences = vec![
        "DICOM slices were ordered along their normal; what was interpolated or left out stands among the notes. NIfTI images lie where their header says. Coordinates are DICOM LPS in mm.".to_owned(),
    ];
    let sources: BTreeSet<&str> = visits.iter().map(|v| v.source.as_str()).collect();
    for source in sources {
        sentences.push(match source.strip_prefix("model:") {
            Some(model) => format!("Liver, lesions and ablation zones were segmented by the network {model} through ONNX Runtime, with Gaussian-weighted sliding windows; connected findings are lesions."),
            None => "Lesions, organ and ablation zones were taken from outlines made elsewhere (label maps, structure sets, readers' marks).".to_owned(),
        });
    }
    let networks: BTreeSet<&str> =
        visits.iter().flat_map(|v| v.outlined_by.values()).filter_map(|by| by.strip_prefix("model:")).collect();
    for model in networks {
        sentences.push(format!("Lesions that a reader marked and nobody outlined were outlined from the mark by the network {model} through ONNX Runtime; an outline that its own views did not agree on was not measured."));
    }
    if visits.len() > 1 {
        sentences.push(registration_view::method(visits));
        sentences.push("Findings were matched with known lesions in the baseline frame by the likeliest assignment as a whole (Kuhn 1955), with distances in units of the registration's error, sizes and overlaps, lesions in pieces and lesions grown together included; a focus within 2 mm of an ablation zone, or within the largest voxel spacing if larger, belongs to the zone.".to_owned());
    }
    sentences.push("Long axis: farthest two points, in one acquired slice, of the sub-voxel outline (the smoothest surface with the mask's voxels on its sides; the anti-aliased mask where a lesion has fewer than three slices); short axis: longest chord perpendicular to it in that slice (Eisenhauer et al. 2009).".to_owned());
    if visits.iter().any(|v| v.arterial.is_some()) {
        sentences.push("Viable tumour: part of the lesion that enhances more than the liver in the arterial phase; its diameter is the longest chord inside it (Lencioni and Llovet 2010).".to_owned());
    }
    if !result.margins.is_empty() {
        sentences.push("Ablative margin: signed distance from the tumour's surface before ablation to the zone's surface after it, both anti-aliased, area-weighted, without the part within 5 mm of the liver's capsule; interval from registration and measurement error.".to_owned());
    }
    for table in tables {
        let what = if table.quantity == Quantity::ViableDiameter { "viable diameters" } else { "diameters" };
        sentences.push(format!(
            "Response by {} ({}) on {what}; ablated targets counted as {}.",
            table.title,
            table.source,
            table.options.ablated_target.value.as_str()
        ));
    }
    sentences
}

/// Versions and digests for a page's footer.
pub(crate) fn provenance(parts: &[Part]) -> Provenance {
    let component = |part: &Part| Component {
        what: part.what.clone(),
        version: part.version.clone(),
        digest: part.sha256.as_ref().map(|d| format!("sha256:{d}")).unwrap_or_default(),
    };
    Provenance { components: parts.iter().map(component).collect() }
}
