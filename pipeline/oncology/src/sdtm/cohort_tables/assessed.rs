//! The responses of a cohort in the shape of those of SDTM, from which ADaM follows.

use super::EVALUATOR;
use super::writer::Writer;
use crate::cohort::{AssessmentRow, MeasurementRow};
use crate::evaluable::Evaluable;
use crate::exact::Exact;
use crate::partial_date::DayRange;
use crate::sdtm::SdtmAssessment;
use crate::time::Date;

/// The assessments after baseline by one criterion, in their order. `origin` is the date from which the best response
/// of a patient counts its days; the baseline visit where there is none.
pub fn assessments_of(
    criterion: &str,
    measurements: &[MeasurementRow],
    assessments: &[AssessmentRow],
    origin: &dyn Fn(&str) -> Option<Date>,
) -> Vec<SdtmAssessment> {
    let writer = Writer::new("", measurements, assessments);
    let mut last_baseline: Option<(&str, Date)> = None;
    let mut found = Vec::new();
    for one in assessments.iter().filter(|one| one.criterion == criterion) {
        if one.target == "BASELINE" {
            last_baseline = Some((&one.patient_id, one.date));
            continue;
        }
        let Some([number, visit, date]) = writer.visit(&one.patient_id, one.visit) else { continue };
        let baseline = last_baseline.filter(|(patient, _)| *patient == one.patient_id).map(|(_, date)| date);
        let origin = origin(&one.patient_id).or(baseline).unwrap_or(one.date);
        let sum = |value: Option<f64>, reason: &str| value.map_or_else(|| Evaluable::not(reason), Evaluable::Value);
        found.push(SdtmAssessment {
            subject: one.patient_id.clone(),
            criterion: one.criterion.clone(),
            evaluator: EVALUATOR.to_owned(),
            evaluator_id: String::new(),
            sequence: String::new(),
            accepted: true,
            link_group: format!("A{number}"),
            visit_num: number.parse().unwrap_or(Exact::ZERO),
            visit,
            visit_date: date.clone(),
            date,
            origin_date: origin.to_string(),
            baseline_date: baseline.map(|date| date.to_string()).unwrap_or_default(),
            study_day: Evaluable::Value(one.study_day),
            study_day_range: Some(DayRange::exactly(one.study_day)),
            sum_mm: sum(one.sum_mm, "a target lesion was not evaluable"),
            baseline_mm: sum(one.baseline_mm, "no complete sum at baseline"),
            nadir_mm: sum(one.nadir_mm, "no complete sum before this visit"),
            target: one.target.clone(),
            non_target: one.non_target.clone(),
            non_target_seen: one.non_target_seen.unwrap_or(one.non_target == "NON-CR/NON-PD"),
            new_lesion: one.new_lesion.clone(),
            overall: one.overall.clone(),
            why: one.why.clone(),
            flips_if: one.flips_if.clone(),
            notes: Vec::new(),
        });
    }
    found
}
