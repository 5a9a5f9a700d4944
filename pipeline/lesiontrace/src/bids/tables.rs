//! Rows of the data set's tables, from what was found of a patient.

use oncology::VisitId;

use crate::patient::CohortPatient;
use crate::source_record::LabelRecord;

/// Columns of `participants.tsv`.
pub(super) const PARTICIPANT: [(&str, &str); 5] = [
    ("participant_id", "Label of the participant"),
    ("patient_id", "Identifier in the tables of the cohort"),
    ("diagnosis", "Diagnosis in words"),
    ("n_visits", "Imaging visits"),
    ("n_lesions", "Lesions followed"),
];

/// One participant.
pub(super) fn participant(label: &str, patient: &CohortPatient) -> Vec<String> {
    let (n_visits, n_lesions) = (patient.visits.len().to_string(), patient.lesions.len().to_string());
    vec![format!("sub-{label}"), patient.patient_id.clone(), patient.diagnosis.clone(), n_visits, n_lesions]
}

/// Columns of a participant's `sessions.tsv`.
pub(super) const SESSION: [(&str, &str); 6] = [
    ("session_id", "Label of the session"),
    ("visit", "Visit in the tables of the cohort: its day, with -2, -3 for further time points of it"),
    ("study_day", "Days since baseline"),
    ("criterion", "Leading response criterion"),
    ("sum_mm", "Sum of the targets' diameters, mm"),
    ("overall", "Overall response by the leading criterion"),
];

/// One session. Of a visit that is not judged the response is not available.
pub(super) fn session(label: &str, visit: VisitId, patient: &CohortPatient) -> Vec<String> {
    let leading = patient.assessments.first().map_or("", |row| row.criterion.as_str());
    let judged = patient.assessments.iter().find(|row| row.criterion == leading && row.visit == visit);
    let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    vec![
        format!("ses-{label}"),
        visit.to_string(),
        judged.map(|row| row.study_day.to_string()).unwrap_or_default(),
        leading.to_owned(),
        judged.map(|row| number(row.sum_mm)).unwrap_or_default(),
        judged.map(|row| row.overall.clone()).unwrap_or_default(),
    ]
}

/// Columns of the table beside a label map.
pub(super) const LABEL: [(&str, &str); 10] = [
    ("index", "Value of the voxels"),
    ("name", "Lesion it is, or was made for"),
    ("tracking_uid", "Tracking UID of the lesion"),
    ("organ", "Organ of the lesion"),
    ("kind", "Lesion or lymph node"),
    ("role", "Role by the leading criterion"),
    ("state", "State at this visit"),
    ("long_axis_mm", "Long axis, mm; of a lesion in pieces the sum"),
    ("short_axis_mm", "Short axis, mm; of a lesion in pieces the largest"),
    ("volume_mm3", "Volume, mm3; of a lesion in pieces the sum"),
];

/// What one label is. Numbers are those of the lesion in `measurements.csv`.
pub(super) fn label(label: &LabelRecord, visit: VisitId, patient: &CohortPatient) -> Vec<String> {
    let lesions: Vec<_> =
        patient.lesions.iter().filter(|lesion| label.lesion_ids.contains(&lesion.lesion_id)).collect();
    let joined = |of: &dyn Fn(&oncology::LesionRow) -> String| {
        lesions.iter().map(|lesion| of(lesion)).collect::<Vec<_>>().join(";")
    };
    let values = |quantity: &str| -> Vec<f64> {
        let own = patient.measurements.iter().filter(|row| row.visit == visit && row.quantity == quantity);
        let own = own.filter(|row| row.evaluable && label.lesion_ids.contains(&row.lesion_id));
        own.filter_map(|row| row.value).collect()
    };
    // Sums of numbers with two decimals.
    let said = |value: Option<f64>| value.map(|value| ((value * 1e4).round() / 1e4).to_string()).unwrap_or_default();
    let sum = |values: Vec<f64>| said((!values.is_empty()).then(|| values.iter().sum()));
    let at_visit =
        patient.measurements.iter().find(|row| row.visit == visit && label.lesion_ids.contains(&row.lesion_id));
    let name = if label.lesion_ids.is_empty() { format!("label {}", label.label) } else { label.lesion_ids.join(";") };
    vec![
        label.label.to_string(),
        name,
        joined(&|lesion| lesion.tracking_uid.clone()),
        joined(&|lesion| lesion.organ.clone()),
        joined(&|lesion| lesion.kind.clone()),
        joined(&|lesion| lesion.role.clone()),
        at_visit.map(|row| row.state.clone()).unwrap_or_default(),
        sum(values("long_axis")),
        said(values("short_axis").into_iter().reduce(f64::max)),
        sum(values("volume")),
    ]
}
