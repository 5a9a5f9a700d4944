//! TR: diameters and states of the lesions of a cohort, and the sums of diameters.

use std::collections::BTreeMap;

use super::writer::{Unplaced, Writer};
use super::{EVALUATOR, SdtmTable, method_of, role_of, texts};
use crate::cohort::{AssessmentRow, LesionRow, MeasurementRow};
use crate::exact::Exact;
use crate::visit_id::VisitId;

const TR_COLUMNS: &[&str] = &[
    "STUDYID", "DOMAIN", "USUBJID", "TRSEQ", "TRLNKID", "TRTESTCD", "TRTEST", "TRORRES", "TRORRESU", "TRSTAT",
    "TRREASND", "TREVAL", "VISITNUM", "VISIT", "TRDTC", "TRLNKGRP", "TRGRPID", "TRSTRESC", "TRSTRESN", "TRSTRESU",
    "TRMETHOD", "TRDY",
];

/// TR: for each recorded lesion and visit its diameters, or why there is none, and whether it is there. A scan round a
/// treatment that is no response time point gives no diameters here: who assesses these rows again must not take them
/// for one.
pub fn tr_table(
    study: &str,
    lesions: &[LesionRow],
    measurements: &[MeasurementRow],
    assessments: &[AssessmentRow],
) -> SdtmTable {
    let recorded: BTreeMap<(&str, &str), &'static str> = lesions
        .iter()
        .filter_map(|lesion| Some(((lesion.patient_id.as_str(), lesion.lesion_id.as_str()), role_of(lesion)?)))
        .collect();
    let mut sightings: BTreeMap<(&str, VisitId, &str), Vec<&MeasurementRow>> = BTreeMap::new();
    for row in measurements {
        if recorded.contains_key(&(row.patient_id.as_str(), row.lesion_id.as_str())) {
            sightings.entry((&row.patient_id, row.visit, &row.lesion_id)).or_default().push(row);
        }
    }
    let writer = Writer::new(study, measurements, assessments);
    let mut rows = Vec::new();
    for ((patient, visit, lesion), found) in sightings {
        let group = recorded.get(&(patient, lesion)).copied().unwrap_or_default();
        let method = method_of(&found[0].series_role);
        for cells in of_sighting((lesion, group), &found, writer.is_response(patient, visit)) {
            let behind = standard(group, &cells, method);
            rows.push(Unplaced { patient, cells, visit, behind });
        }
    }
    rows.extend(sums(assessments));
    // The sum of a visit follows its lesions.
    rows.sort_by_key(|row| (row.patient, row.visit));
    writer.table("TR", TR_COLUMNS, true, rows)
}

/// Why a visit has no diameters in TR.
const NO_RESPONSE: &str = "scan round a treatment, no response time point";

/// Behind the visit: TRGRPID, the result as a word, as a number and its unit, and the method. What is collected is in
/// mm already.
fn standard(group: &str, cells: &[String], method: &str) -> Vec<String> {
    let (result, unit) = (cells[3].as_str(), cells[4].as_str());
    let number = if unit.is_empty() { "" } else { result };
    texts(&[group, result, number, unit, method])
}

/// SUMDIAM of every response time point by RECIST 1.1, or by the first criterion of a patient without it.
fn sums(assessments: &[AssessmentRow]) -> Vec<Unplaced<'_>> {
    let mut criteria: BTreeMap<&str, &str> = BTreeMap::new();
    for one in assessments {
        let of_patient = criteria.entry(&one.patient_id).or_insert(&one.criterion);
        if one.criterion == "recist_1_1" {
            *of_patient = &one.criterion;
        }
    }
    let of_criterion = |one: &&AssessmentRow| criteria.get(one.patient_id.as_str()) == Some(&one.criterion.as_str());
    assessments.iter().filter(of_criterion).filter_map(sum).collect()
}

fn sum(one: &AssessmentRow) -> Option<Unplaced<'_>> {
    let sum = Exact::from_image(one.sum_mm?)?.to_string();
    let cells = texts(&["", "SUMDIAM", "Sum of Diameter", &sum, "mm", "", "", EVALUATOR]);
    let behind = standard("TARGET", &cells, "");
    Some(Unplaced { patient: &one.patient_id, cells, visit: one.visit, behind })
}

/// The rows of one lesion at one visit, without study and visit.
fn of_sighting((lesion, group): (&str, &str), found: &[&MeasurementRow], is_response: bool) -> Vec<Vec<String>> {
    let state = found[0].state.as_str();
    let row = |test: [&str; 2], result: &str, unit: &str, not_done: Option<&str>| {
        let status = if not_done.is_some() { "NOT DONE" } else { "" };
        texts(&[lesion, test[0], test[1], result, unit, status, not_done.unwrap_or_default(), EVALUATOR])
    };
    let mut rows = Vec::new();
    for (quantity, test) in
        [("long_axis", ["LDIAM", "Longest Diameter"]), ("short_axis", ["LPERP", "Longest Perpendicular"])]
    {
        match state {
            _ if !is_response => rows.push(row(test, "", "", Some(NO_RESPONSE))),
            // A lesion that is gone, ablated or grown into another one counts 0 by either diameter.
            "absent" | "ablated" | "merged" => rows.push(row(test, "0", "mm", None)),
            _ => rows.extend(diameter(found, quantity).map(|size| match size {
                Ok(size) => row(test, &size.to_string(), "mm", None),
                Err(reason) => row(test, "", "", Some(reason)),
            })),
        }
    }
    let seen = match state {
        "absent" | "ablated" => "ABSENT",
        "merged" => "COALESCED",
        // What is perhaps no new lesion must not be one to who assesses these rows again.
        "uncertain" if group == "NEW" => "EQUIVOCAL",
        "present" | "residual" | "local_progression" | "uncertain" => "PRESENT",
        _ => "",
    };
    let not_seen = seen.is_empty().then(|| found[0].reason.as_str());
    rows.push(row(["TUMSTATE", "Tumor State"], seen, "", not_seen));
    rows
}

/// A lesion's diameter, or why it has none; `None` where nothing is said of it.
fn diameter<'a>(found: &[&'a MeasurementRow], quantity: &str) -> Option<Result<Exact, &'a str>> {
    // What is not evaluable is said once, of the long axis, and holds for the short one too.
    if let Some(row) = found.iter().find(|row| row.quantity == "long_axis" && !row.evaluable) {
        return Some(Err(row.reason.as_str()));
    }
    found.iter().find(|row| row.quantity == quantity).and_then(|row| Exact::from_image(row.value?)).map(Ok)
}
