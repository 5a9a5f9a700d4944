//! From what was seen of a patient to tables and page: lesions over time, margins, responses, events. Needs no image and no network,
//! so that a run and whatever is made anew from its results say the same.

use std::path::Path;

use imaging::Note;
use oncology::criteria::CriterionTable;
use oncology::criteria::further::{Further, FurtherInput, further_rows};
use oncology::endpoint::Preset;
use oncology::reads::ReadRow;
use oncology::study::BestOf;
use oncology::{AssessmentRow, Date, LesionState, MarginRow, MeasurementRow};
use report::{KeyImage, PatientPage, ShownFirst, Viewer, ViewerLesion, ViewerVolume};

use crate::config::Study;
use crate::manifest::{Equipment, Part};
use crate::niivue::{self, Niivue};
use crate::observed::{Observed, PatientFacts};
use crate::out;
use crate::patient::{PatientResult, Reached, VisitRegistration, write_error};
use crate::reading::{self, Reviewed, review};
use crate::source_record::{self, SourceRecord};
use crate::stages::find::VisitFacts;
use crate::stages::key_images::Shown;
use crate::stages::margin::{self, MeasuredMargin};
use crate::stages::segment::StageError;
use crate::stages::track::Tracked;
use crate::stages::{assess, looked, page, pet, pieces, review_view, rows, viewer_lesions};

/// What is needed besides what was seen.
#[derive(Clone, Copy)]
pub(crate) struct Means<'a> {
    /// The study.
    pub(crate) study: &'a Study,
    /// Criteria, the leading one first.
    pub(crate) tables: &'a [CriterionTable],
    /// Criteria judged beside them.
    pub(crate) further: &'a [Further],
    /// Endpoint definitions.
    pub(crate) preset: &'a Preset,
    /// What had a part in the results.
    pub(crate) parts: &'a [Part],
    /// What draws the viewer, for pages that have one.
    pub(crate) niivue: Option<&'a Niivue>,
}

impl<'a> Means<'a> {
    /// Those of a run.
    pub(crate) fn of(equipment: &'a Equipment) -> Self {
        Self {
            study: &equipment.study.study,
            tables: &equipment.rules.tables,
            further: &equipment.rules.further,
            preset: &equipment.rules.preset,
            parts: &equipment.parts,
            niivue: equipment.viewer.as_ref(),
        }
    }
}

/// Everything that follows from what was seen of a patient.
pub(crate) struct Concluded<'a> {
    /// Rows of the tables.
    pub(crate) result: PatientResult,
    page: PatientPage,
    viewer: Option<ViewerPart<'a>>,
    sources: SourceRecord,
}

/// What the page's viewer shows, and what draws it.
struct ViewerPart<'a> {
    volumes: Vec<ViewerVolume>,
    lesions: Vec<ViewerLesion>,
    first: ShownFirst,
    niivue: Option<&'a Niivue>,
}

impl Concluded<'_> {
    /// The patient's page as HTML.
    pub(crate) fn html(&self) -> Result<String, StageError> {
        let wrong = |code: &str, message: String| StageError::new("report", code, message);
        let Some(ViewerPart { volumes, lesions, first, niivue }) = &self.viewer else {
            return report::render_patient(&self.page).map_err(|error| wrong("page", error.to_string()));
        };
        let niivue =
            niivue.ok_or_else(|| wrong("viewer", "the page has a viewer, and NiiVue was not read".to_owned()))?;
        let viewer = Viewer {
            volumes,
            lesions: lesions.clone(),
            first: *first,
            library: &niivue.code,
            library_version: niivue::VERSION,
        };
        report::render_patient_with_viewer(&self.page, &viewer).map_err(|error| wrong("page", error.to_string()))
    }

    /// The page's key images.
    pub(crate) fn key_images(&self) -> &[KeyImage] {
        &self.page.key_images
    }

    /// Writes page and rows into the patient's folder.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), StageError> {
        let html = self.html()?;
        let written = || -> anyhow::Result<()> {
            out::write_atomic(&folder.join("report.html"), html.as_bytes())?;
            out::write_json(&folder.join(source_record::FILE), &self.sources)?;
            out::write_json(&folder.join("notes.json"), &self.result.notes)?;
            reading::write(folder, &self.result.reads)?;
            out::write_json(&folder.join("result.json"), &self.result)
        };
        written().map_err(|error| write_error(&error))
    }
}

/// Follows up what was seen; `as_followed` are the lesions of its visits as the program follows them, `reads` what readers decided,
/// `volumes` what the page's viewer shows, where it has one.
pub(crate) fn conclude<'a>(
    (observed, volumes): (&Observed, Option<Vec<ViewerVolume>>),
    as_followed: &Tracked,
    reads: &[ReadRow],
    means: Means<'a>,
    reached: Reached<'_>,
) -> Result<Concluded<'a>, StageError> {
    let (patient, visits) = (&observed.patient, &observed.visits);
    let by_program = assess::assess_patient(patient, visits, as_followed, means.tables, means.preset)?;
    let Reviewed { state, tracked, reads, notes: of_reads } =
        review(observed, as_followed, by_program.criteria.first(), reads);
    let mut notes = patient.notes.clone();
    for visit in visits {
        notes.extend(visit.notes.iter().cloned());
    }
    notes.extend(tracked.notes.iter().cloned());
    notes.extend(observed.earlier_notes.iter().cloned());
    notes.extend(of_reads);
    let margins = margins(observed, &tracked, means, &mut notes)?;
    let (margins, maps): (Vec<MarginRow>, Vec<_>) = margins.into_iter().map(|m| (m.row, m.map)).unzip();
    reached("assess")?;
    let assessed = if reads.is_empty() {
        by_program
    } else {
        assess::assess_patient(patient, visits, &tracked, means.tables, means.preset)?
    };
    notes.extend(assessed.notes.iter().cloned());
    let roles = assessed.criteria.first().map_or(&[][..], |leading| &leading.roles);
    notes.extend(reading::too_many_of_an_organ(&tracked, roles, means.tables.first()));
    let result = PatientResult { reads, ..gather(patient, visits, &tracked, assessed, margins, notes) };
    let mut result = PatientResult { further_assessments: further(&result, means), ..result };
    let assessed = result.assessments.iter().chain(&result.further_assessments);
    result.notes.extend(looked::in_part_of_the_body(visits, assessed));
    reached("report")?;
    let threshold_mm = means.study.endpoints.margin_threshold_mm;
    let mut page = PatientPage {
        margin_maps: maps.into_iter().flatten().collect(),
        earlier_visits: observed.earlier_visits.clone(),
        provenance: page::provenance(&parts(means, volumes.is_some())),
        review: Some(review_view::review(&state, &result.reads)),
        ..page::page(patient, visits, &tracked, &result, means.tables, threshold_mm)
    };
    let field_mm = means.study.reports.key_image_mm;
    let shown = Shown { visits, tracked: &tracked, as_followed, field_mm };
    for (n, pictures) in observed.pictures.iter().enumerate() {
        page.key_images.extend(shown.of_visit(n, pictures));
        if let Some(registration) = page.visits[n].registration.as_mut() {
            registration.pictures.clone_from(&pictures.registration);
        }
    }
    let viewer = volumes.map(|volumes| ViewerPart {
        lesions: viewer_lesions::lesions(visits, &tracked, &volumes, &result.lesions),
        first: viewer_lesions::shown_first(&volumes, &result.assessments),
        volumes,
        niivue: means.niivue,
    });
    let sources = source_record::record(visits, &tracked);
    Ok(Concluded { result, page, viewer, sources })
}

/// What the page names among versions and digests.
fn parts(means: Means<'_>, has_viewer: bool) -> Vec<Part> {
    means.parts.iter().cloned().chain(has_viewer.then(Niivue::part)).collect()
}

/// Rows by the criteria beside the leading one, on its targets.
fn further(result: &PatientResult, means: Means<'_>) -> Vec<AssessmentRow> {
    let Some(leading) = means.tables.first() else { return Vec::new() };
    let rows: Vec<AssessmentRow> =
        result.assessments.iter().filter(|row| row.criterion == leading.id).cloned().collect();
    let targets = result.lesions.iter().filter(|lesion| lesion.role == "target").map(|lesion| lesion.lesion_id.clone());
    let treatments = result.study.iter().flat_map(|study| &study.clinical.treatments);
    let systemic: Vec<Date> = treatments.filter(|one| !one.modality.is_locoregional()).map(|one| one.date).collect();
    let targets: Vec<String> = targets.collect();
    let input = FurtherInput {
        targets: &targets,
        measurements: &result.measurements,
        leading: &rows,
        systemic: &systemic,
        pets: &result.pet_references,
    };
    means.further.iter().flat_map(|further| further_rows(&input, further)).collect()
}

/// Of a tumour this share may lie outside the zone without a word: what the surfaces of two masks are good for.
const UNCOVERED: f64 = 0.01;

/// A lesion that counts as ablated although its zone does not hold all of it.
fn uncovered(margin: &MarginRow, measurements: &[MeasurementRow]) -> Option<Note> {
    let outside = 1.0 - margin.tumour_coverage?;
    let ablated = LesionState::Ablated.to_string();
    let counts = |row: &&MeasurementRow| row.lesion_id == margin.lesion_id && row.visit == margin.zone_visit;
    let counts_as_ablated = measurements.iter().filter(counts).any(|row| row.state == ablated);
    (outside > UNCOVERED && counts_as_ablated).then(|| {
        let message = format!(
            "{}: {:.0} % of the tumour lies outside the ablation zone, yet nothing viable was outlined there and it counts as ablated (0 mm); look at the thinnest side",
            margin.zone_visit,
            (100.0 * outside).max(1.0)
        );
        Note::warning("ablated_but_uncovered", margin.lesion_id.clone(), message)
    })
}

/// The margin of every treated lesion, from registrations made before.
fn margins(
    observed: &Observed,
    tracked: &Tracked,
    means: Means<'_>,
    notes: &mut Vec<Note>,
) -> Result<Vec<MeasuredMargin>, StageError> {
    let visits = &observed.visits;
    let (id, threshold_mm) = (&observed.patient.id, means.study.endpoints.margin_threshold_mm);
    let mut measured = Vec::new();
    for pair in margin::pairs(visits, tracked) {
        if let Some(reason) = margin::other_tumour(&pair, visits, tracked) {
            measured.push(margin::not_measured(id, &pair, visits, reason));
            continue;
        }
        let own = observed.pairs.iter().find(|known| (known.before, known.after) == (pair.before, pair.after));
        notes.extend(own.iter().flat_map(|known| known.notes.iter().cloned()));
        let to_baseline = (pair.before == 0).then(|| &visits[pair.after].to_baseline);
        match to_baseline.or_else(|| own.map(|known| &known.registration)) {
            Some(registration) => {
                measured.push(margin::measure(id, &pair, visits, tracked, registration, threshold_mm, notes)?);
            }
            None => measured.push(margin::not_registered(id, &pair, visits)),
        }
    }
    Ok(measured)
}

fn gather(
    patient: &PatientFacts,
    visits: &[VisitFacts],
    tracked: &Tracked,
    assessed: assess::Assessed,
    margins: Vec<MarginRow>,
    mut notes: Vec<Note>,
) -> PatientResult {
    for visit in visits.iter().filter(|v| v.to_baseline.quality != imaging::registration::Quality::Pass) {
        let mut message = format!("{}: registration to baseline: {}", visit.id, visit.to_baseline.reasons.join("; "));
        let was_tried = visit.notes.iter().any(|note| note.code == "registration_not_bent");
        if visit.to_baseline.bend.is_none() && visit.to_baseline.may_be_bent() && !was_tried {
            message
                .push_str("; where the organ changed its shape, [registration] transform = \"deformable\" follows it");
        }
        notes.push(Note::warning("registration_quality", visit.id.to_string(), message));
    }
    for margin in margins.iter().filter(|m| matches!(m.verdict.as_str(), "borderline" | "not_reportable")) {
        let verdict = margin.verdict.replace('_', " ");
        let message = format!("ablation of {}: the margin is {verdict}: {}", margin.treatment_date, margin.reasons);
        notes.push(Note::warning("margin_in_doubt", margin.lesion_id.clone(), message));
    }
    let measurements = rows::measurements(&patient.id, visits, tracked);
    notes.extend(margins.iter().filter_map(|margin| uncovered(margin, &measurements)));
    notes.extend(pieces::doubts(&measurements));
    let mut kept: Vec<Note> = Vec::with_capacity(notes.len());
    for note in notes {
        if !kept.contains(&note) {
            kept.push(note);
        }
    }
    let leading = assessed.criteria.first();
    PatientResult {
        schema_version: 1,
        patient_id: patient.id.clone(),
        diagnosis: patient.record.as_ref().map(|r| r.diagnosis.clone()).unwrap_or_default(),
        visits: visits.iter().map(|v| v.id).collect(),
        death_date: patient.record.as_ref().and_then(|r| r.death_date),
        last_contact_date: patient.record.as_ref().and_then(|r| r.last_contact_date),
        lesions: rows::lesions(&patient.id, visits, tracked, leading),
        measurements,
        pet_references: pet::rows(&patient.id, visits),
        margins,
        assessments: assessed.criteria.iter().flat_map(|c| c.rows.iter().cloned()).collect(),
        further_assessments: Vec::new(),
        events: assessed.events,
        endpoints: assessed.endpoints,
        other_endpoints: assessed.other_endpoints,
        best: assessed
            .criteria
            .iter()
            .map(|c| {
                let (unconfirmed, confirmed) = c.best_words();
                BestOf {
                    criterion: c.criterion.clone(),
                    unconfirmed: unconfirmed.to_owned(),
                    confirmed: confirmed.to_owned(),
                }
            })
            .collect(),
        registrations: visits
            .iter()
            .map(|v| VisitRegistration { visit: v.id, to_baseline: v.to_baseline.without_bend() })
            .collect(),
        reads: Vec::new(),
        study: Some(assessed.study),
        notes: kept,
    }
}
