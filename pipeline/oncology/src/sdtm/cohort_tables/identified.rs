//! TU: the lesions of a cohort.

use std::collections::BTreeMap;

use super::writer::{Unplaced, Writer};
use super::{EVALUATOR, SdtmTable, method_of, role_of, texts};
use crate::cohort::{AssessmentRow, LesionRow, MeasurementRow};
use crate::visit_id::VisitId;

const TU_COLUMNS: &[&str] = &[
    "STUDYID", "DOMAIN", "USUBJID", "TUSEQ", "TULNKID", "TUTESTCD", "TUTEST", "TUORRES", "TUSTRESC", "TULOC", "TUEVAL",
    "VISITNUM", "VISIT", "TUDTC", "TUMETHOD", "TUDY",
];

/// TU: one row for each recorded lesion, at the first response time point that showed it: a scan round a treatment is
/// none.
pub fn tu_table(
    study: &str,
    lesions: &[LesionRow],
    measurements: &[MeasurementRow],
    assessments: &[AssessmentRow],
) -> SdtmTable {
    let writer = Writer::new(study, measurements, assessments);
    let series: BTreeMap<(&str, VisitId, &str), &str> = measurements
        .iter()
        .map(|row| ((row.patient_id.as_str(), row.visit, row.lesion_id.as_str()), row.series_role.as_str()))
        .collect();
    let rows = lesions.iter().filter_map(|lesion| {
        let role = role_of(lesion)?;
        let place = location(lesion);
        let cells = texts(&[&lesion.lesion_id, "TUMIDENT", "Tumor Identification", role, role, &place, EVALUATOR]);
        let patient = lesion.patient_id.as_str();
        let visit = writer.responses.get(patient).and_then(|visits| visits.range(lesion.first_seen_visit..).next());
        let visit = visit.copied().unwrap_or(lesion.first_seen_visit);
        let behind =
            texts(&[series.get(&(patient, visit, lesion.lesion_id.as_str())).map_or("", |role| method_of(role))]);
        Some(Unplaced { patient, cells, visit, behind })
    });
    writer.table("TU", TU_COLUMNS, false, rows.collect())
}

/// TULOC: the organ; a node says so, since its short axis counts.
fn location(lesion: &LesionRow) -> String {
    let organ = lesion.organ.replace('_', " ").to_uppercase();
    if lesion.kind == "node" && !organ.contains("LYMPH NODE") { format!("LYMPH NODE, {organ}") } else { organ }
}
