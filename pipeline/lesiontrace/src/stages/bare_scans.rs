//! Scans round a treatment that nobody outlined.

use imaging::Note;

use crate::config::MaskSource;
use crate::manifest::Equipment;
use crate::plan::PatientPlan;

/// The patient without scans round a treatment that nobody outlined: no response rests on them, so that their want stops nothing.
pub(crate) fn leave_out(patient: &PatientPlan, equipment: &Equipment, notes: &mut Vec<Note>) -> PatientPlan {
    let mut patient = patient.clone();
    patient.visits.retain(|plan| {
        let Some(reason) = plan.purpose.no_response() else { return true };
        let marked = equipment.study.study.models.source == MaskSource::Imported && !plan.marks.is_empty();
        let is_outlined = plan.masks.is_some() || marked || equipment.segmenter.is_some();
        if !is_outlined {
            let message = format!(
                "{}: {reason}; it has no outlines and there is no model, so that it is not used, and a margin to it is not evaluable: outline tumour and zone on it (masks/<patient>/{})",
                plan.id, plan.id
            );
            notes.push(Note::warning("scan_without_outlines", plan.id.to_string(), message));
        }
        is_outlined
    });
    patient
}
