//! RS: the responses of a cohort.

use super::writer::{Unplaced, Writer};
use super::{EVALUATOR, SdtmTable, texts};
use crate::cohort::{AssessmentRow, MeasurementRow};
use crate::sdtm::responses::category;

const RS_COLUMNS: &[&str] = &[
    "STUDYID", "DOMAIN", "USUBJID", "RSSEQ", "RSCAT", "RSTESTCD", "RSTEST", "RSORRES", "RSSTRESC", "RSEVAL",
    "VISITNUM", "VISIT", "RSDTC", "RSLNKGRP", "RSDY",
];

/// RS: the responses of every assessment after baseline, by criterion.
pub fn rs_table(study: &str, measurements: &[MeasurementRow], assessments: &[AssessmentRow]) -> SdtmTable {
    let mut rows = Vec::new();
    for one in assessments.iter().filter(|one| one.target != "BASELINE") {
        let category = category(&one.criterion);
        for (test, name, result) in [
            ("TRGRESP", "Target Response", &one.target),
            ("NTRGRESP", "Non-target Response", &one.non_target),
            ("NEWLPROG", "New Lesion Progression", &one.new_lesion),
            ("OVRLRESP", "Overall Response", &one.overall),
        ] {
            if result != "NA" && !result.is_empty() {
                let cells = texts(&[&category, test, name, result, result, EVALUATOR]);
                rows.push(Unplaced { patient: &one.patient_id, cells, visit: one.visit, behind: Vec::new() });
            }
        }
    }
    Writer::new(study, measurements, assessments).table("RS", RS_COLUMNS, true, rows)
}
