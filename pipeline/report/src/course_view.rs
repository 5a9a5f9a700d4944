//! Treatments, events and times to event as the template reads them.

use serde::Serialize;

use crate::error::{ReportError, finite};
use crate::numerals::fixed;
use crate::patient_page::PatientPage;
use crate::wording::{event_words, words, words_or_empty};

/// One event.
#[derive(Serialize)]
pub(crate) struct EventLine {
    date: String,
    what: String,
    lesion_id: String,
    cause: String,
    cycle: String,
    free_until: String,
    needs_review: bool,
    why: String,
}

/// One time to event.
#[derive(Serialize)]
pub(crate) struct EndpointLine {
    endpoint: String,
    unit_id: String,
    origin: String,
    end: String,
    days: i64,
    months: String,
    outcome: String,
    event: bool,
    detail: String,
}

/// One treatment.
#[derive(Serialize)]
pub(crate) struct TreatmentLine {
    date: String,
    study_day: i64,
    modality: String,
    cycle: String,
    targets: String,
    complication: String,
}

/// Events in the order handed in.
pub(crate) fn event_lines(page: &PatientPage) -> Vec<EventLine> {
    page.events
        .iter()
        .map(|event| EventLine {
            date: event.date.to_string(),
            what: event_words(event),
            lesion_id: event.lesion_id.clone(),
            cause: if event.cause.is_empty() { String::new() } else { words(&event.cause) },
            cycle: event.cycle.map_or_else(String::new, |cycle| cycle.to_string()),
            free_until: event.interval_low_date.map_or_else(String::new, |date| date.to_string()),
            needs_review: event.needs_review,
            why: event.why.clone(),
        })
        .collect()
}

/// Times to event in the order handed in.
pub(crate) fn endpoint_lines(page: &PatientPage) -> Result<Vec<EndpointLine>, ReportError> {
    let line = |row: &oncology::EndpointRow| {
        finite(row.months, "time in months", &format!("{} of {}", row.endpoint, row.unit_id))?;
        let parts = [words_or_empty(&row.cause), words_or_empty(&row.competing), words_or_empty(&row.censor_reason)];
        Ok(EndpointLine {
            endpoint: row.endpoint.replace('_', " "),
            unit_id: row.unit_id.clone(),
            origin: row.origin_date.to_string(),
            end: row.end_date.to_string(),
            days: row.days,
            months: fixed(row.months, 1),
            outcome: if row.event == 1 { "event" } else { "censored" }.to_owned(),
            event: row.event == 1,
            detail: parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; "),
        })
    };
    page.endpoints.iter().map(line).collect()
}

/// Treatments in the order handed in.
pub(crate) fn treatment_lines(page: &PatientPage) -> Vec<TreatmentLine> {
    page.treatments
        .iter()
        .map(|treatment| TreatmentLine {
            date: treatment.date.to_string(),
            study_day: treatment.study_day,
            modality: treatment.modality.clone(),
            cycle: treatment.cycle.map_or_else(String::new, |cycle| cycle.to_string()),
            targets: treatment.target_lesions.join(", "),
            complication: treatment.complication_grade.clone(),
        })
        .collect()
}
