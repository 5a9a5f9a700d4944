//! A patient's page as the template reads it: words, badges and drawings in the order of the page.

use serde::Serialize;

use crate::course_view::{EndpointLine, EventLine, TreatmentLine, endpoint_lines, event_lines, treatment_lines};
use crate::doubts::{Doubt, NoteGroup, doubts, doubts_title, keep_first, note_groups};
use crate::earlier_visit::{EarlierLine, earlier_lines};
use crate::error::{ReportError, finite};
use crate::figure::timeline;
use crate::lesion_table::{LesionLine, lesion_lines};
use crate::margin_view::{MarginView, margin};
use crate::numerals::mm;
use crate::patient_page::{
    Covariate, CriterionInfo, FollowUpEnd, FollowUpEndKind, PatientPage, Quality, RegistrationQuality, Verdict, Visit,
};
use crate::provenance::{Provenance, RunBlock};
use crate::registration_picture::{PanelPicture, panel_picture};
use crate::review::{ReviewView, review_view};
use crate::size_drawing::{Drawing, size_drawings};
use crate::strip::{Strips, strips};
use crate::verdict_view::{Headline, VerdictBox, check_sums, headline, verdict_box};
use crate::viewer::Viewer;
use crate::viewer_view::{ViewerView, viewer_view};
use crate::wording::{counted, words};

/// What the template `patient.html` reads.
#[derive(Serialize)]
pub(crate) struct PatientView<'a> {
    patient_id: &'a str,
    diagnosis: &'a str,
    covariates: &'a [Covariate],
    span: String,
    end: String,
    headlines: Vec<Headline>,
    doubts_title: String,
    doubts: Vec<Doubt>,
    n_more_doubts: usize,
    timeline_svg: String,
    strips: Option<Strips>,
    criteria: Vec<String>,
    visits: Vec<VisitLine>,
    earlier: Vec<EarlierLine>,
    has_panels: bool,
    spiders: Vec<Drawing>,
    lesions: Vec<LesionLine>,
    margins: Vec<MarginView>,
    events: Vec<EventLine>,
    endpoints: Vec<EndpointLine>,
    treatments: Vec<TreatmentLine>,
    notes: Vec<NoteGroup>,
    review: Option<ReviewView>,
    viewer: Option<ViewerView<'a>>,
    methods: &'a [String],
    provenance: &'a Provenance,
    run: &'a RunBlock,
}

#[derive(Serialize)]
struct VisitLine {
    id: String,
    study_day: i64,
    label: String,
    /// Parallel to the criteria.
    boxes: Vec<Option<VerdictBox>>,
    not_assessed: String,
    series: Vec<String>,
    quality: String,
    quality_class: &'static str,
    residual: String,
    reasons: Vec<String>,
    figures: Vec<Covariate>,
    pictures: Vec<PanelPicture>,
}

/// Shapes a page for its template; refuses numbers that are none and images that do not fit.
pub(crate) fn patient_view<'a>(
    page: &'a PatientPage,
    viewer: Option<&'a Viewer<'_>>,
) -> Result<PatientView<'a>, ReportError> {
    page.verdicts.iter().try_for_each(check_sums)?;
    let mut doubts = doubts(page);
    let doubts_title = doubts_title(doubts.len());
    let n_more_doubts = keep_first(&mut doubts);
    Ok(PatientView {
        patient_id: &page.patient_id,
        diagnosis: &page.diagnosis,
        covariates: &page.covariates,
        span: span(page),
        end: page.follow_up_end.as_ref().map_or_else(|| "end of follow-up not stated".to_owned(), end),
        headlines: criteria(page)
            .iter()
            .filter_map(|criterion| headline(&verdicts_of(page, &criterion.id), criterion))
            .collect(),
        doubts_title,
        doubts,
        n_more_doubts,
        timeline_svg: timeline(page),
        strips: strips(page)?,
        criteria: criteria(page).into_iter().map(|criterion| criterion.title).collect(),
        visits: visit_lines(page)?,
        earlier: earlier_lines(&page.earlier_visits)?,
        has_panels: page.visits.iter().any(|v| v.registration.as_ref().is_some_and(|r| !r.pictures.is_empty())),
        spiders: size_drawings(page, &criteria(page)),
        lesions: lesion_lines(page)?,
        margins: page
            .margins
            .iter()
            .map(|row| margin(row, &page.margin_maps, page.margin_threshold_mm))
            .collect::<Result<_, _>>()?,
        events: event_lines(page),
        endpoints: endpoint_lines(page)?,
        treatments: treatment_lines(page),
        notes: note_groups(&page.notes),
        review: review_view(page),
        viewer: viewer.map(|viewer| viewer_view(page, viewer)).transpose()?,
        methods: &page.methods,
        provenance: &page.provenance,
        run: &page.run,
    })
}

/// Criteria named by the page, then those only its verdicts name: no verdict is left out.
fn criteria(page: &PatientPage) -> Vec<CriterionInfo> {
    let mut criteria = page.criteria.clone();
    for verdict in &page.verdicts {
        let id = &verdict.row.criterion;
        if criteria.iter().all(|criterion| criterion.id != *id) {
            criteria.push(CriterionInfo {
                id: id.clone(),
                title: id.clone(),
                response_percent: None,
                progression_percent: None,
            });
        }
    }
    criteria
}

fn span(page: &PatientPage) -> String {
    let visits = counted(page.visits.len(), "imaging visit", "imaging visits");
    match (page.visits.first(), page.visits.last()) {
        (Some(first), Some(last)) if page.visits.len() > 1 => format!("{visits}, {} to {}", first.id, last.id),
        (Some(only), _) => format!("{visits}, {}", only.id),
        _ => visits,
    }
}

fn end(end: &FollowUpEnd) -> String {
    let what = match end.kind {
        FollowUpEndKind::Death => "died",
        FollowUpEndKind::LastContact => "last known alive",
        FollowUpEndKind::Censored => "observation ended",
    };
    let detail = if end.detail.is_empty() { String::new() } else { format!(", {}", end.detail) };
    format!("{what} {} (day {}){detail}", end.date, end.study_day)
}

fn verdicts_of<'a>(page: &'a PatientPage, criterion: &str) -> Vec<&'a Verdict> {
    page.verdicts.iter().filter(|verdict| verdict.row.criterion == criterion).collect()
}

fn visit_lines(page: &PatientPage) -> Result<Vec<VisitLine>, ReportError> {
    let criteria = criteria(page);
    let line = |visit: &Visit| {
        let boxes = criteria.iter().map(|criterion| {
            let found = page.verdicts.iter().find(|v| v.row.criterion == criterion.id && v.row.visit == visit.id);
            found.map(verdict_box)
        });
        let registration = visit.registration.as_ref();
        let residual = registration.and_then(|registration| registration.residual_mm);
        if let Some(residual) = residual {
            finite(residual, "residual registration error", &format!("visit {}", visit.id))?;
        }
        Ok(VisitLine {
            id: visit.id.to_string(),
            study_day: visit.study_day,
            label: visit.label.clone(),
            boxes: boxes.collect(),
            not_assessed: visit.not_assessed.clone(),
            series: visit
                .series
                .iter()
                .map(|s| {
                    [words(&s.role), s.description.clone(), s.spacing.clone()]
                        .into_iter()
                        .filter(|part| !part.is_empty())
                        .collect::<Vec<_>>()
                        .join(" · ")
                })
                .collect(),
            quality: registration.map_or("reference", |registration| quality(registration.quality).0).to_owned(),
            quality_class: registration.map_or("neutral", |registration| quality(registration.quality).1),
            residual: residual_words(registration, residual),
            reasons: registration.map_or_else(Vec::new, |registration| registration.reasons.clone()),
            figures: registration.map_or_else(Vec::new, |registration| registration.figures.clone()),
            pictures: registration
                .map_or(&[][..], |registration| &registration.pictures)
                .iter()
                .map(|picture| panel_picture(picture, &visit.id.to_string()))
                .collect::<Result<_, _>>()?,
        })
    };
    page.visits.iter().map(line).collect()
}

fn residual_words(registration: Option<&RegistrationQuality>, residual_mm: Option<f64>) -> String {
    match (registration, residual_mm) {
        (_, Some(residual)) => format!("{} mm", mm(residual)),
        (Some(_), None) => "not evaluable".to_owned(),
        (None, None) => "does not apply".to_owned(),
    }
}

fn quality(quality: Quality) -> (&'static str, &'static str) {
    match quality {
        Quality::Pass => ("pass", "response"),
        Quality::Review => ("review", "unconfirmed"),
        Quality::Fail => ("fail", "progression"),
    }
}
