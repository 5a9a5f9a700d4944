//! ADTR: the sum of diameters at every visit, the nadir before it, and the changes against baseline and nadir.
//!
//! Source: CDISC ADaM-IG 1.3; parameter codes as in pharmaverse admiralonco.

use std::collections::BTreeSet;

use serde::Serialize;

use super::parameters::{analysis_day, number_of};
use crate::sdtm::SdtmAssessment;
use crate::sdtm::responses::category;
use crate::time::Date;

/// One row of ADTR.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub struct AdtrRow {
    /// Subject.
    pub usubjid: String,
    /// SDIAM, NADIR, CHG, PCHG, CHGNAD or PCHGNAD.
    pub paramcd: &'static str,
    /// Its name with unit.
    pub param: &'static str,
    /// Date, empty where not complete.
    pub adt: Option<Date>,
    /// Visit.
    pub avisit: String,
    /// Value; empty when not evaluable.
    pub aval: Option<f64>,
    /// Sum at baseline, mm.
    pub base: Option<f64>,
    /// Role of the evaluator.
    pub treval: String,
    /// Which evaluator.
    pub trevalid: String,
    /// Number of the parameter.
    pub paramn: u32,
    /// Criterion, as in RSCAT.
    pub parcat1: String,
    /// Number of the visit; empty for baseline of a table without it.
    pub avisitn: String,
    /// Day of ADT, the origin being day 1.
    pub ady: Option<i64>,
    /// `Y` for the sum at baseline.
    pub ablfl: &'static str,
    /// Why there is no value; empty where there is one.
    pub avalrsn: String,
    /// Study.
    pub studyid: String,
}

/// ADTR of every assessment; the sum at baseline (ABLFL) stands before the first of each reading.
pub fn adtr_rows(assessments: &[SdtmAssessment]) -> Vec<AdtrRow> {
    let mut begun: BTreeSet<[&str; 4]> = BTreeSet::new();
    let mut rows = Vec::new();
    for one in assessments {
        if begun.insert([&one.subject, &one.criterion, &one.evaluator, &one.sequence]) {
            rows.push(baseline(one));
        }
        rows.extend(adtr_of(one));
    }
    rows
}

fn baseline(first: &SdtmAssessment) -> AdtrRow {
    let sum = first.baseline_mm.value().copied();
    let adt = first.baseline_date.parse().ok();
    AdtrRow {
        adt,
        avisit: "BASELINE".to_owned(),
        avisitn: String::new(),
        ady: analysis_day(first.origin_date.parse().ok(), adt),
        ablfl: "Y",
        avalrsn: first.baseline_mm.reason().unwrap_or_default().to_owned(),
        ..row(first, "SDIAM", "Sum of Diameters (mm)", sum)
    }
}

fn adtr_of(one: &SdtmAssessment) -> Vec<AdtrRow> {
    let [sum, base, nadir] = [&one.sum_mm, &one.baseline_mm, &one.nadir_mm].map(|value| value.value().copied());
    let change = |reference: Option<f64>| sum.zip(reference).map(|(sum, reference)| sum - reference);
    let percent = |reference: Option<f64>| {
        let positive = reference.filter(|reference| *reference > 0.0);
        sum.zip(positive).map(|(sum, reference)| 100.0 * (sum - reference) / reference)
    };
    let values = [
        ("SDIAM", "Sum of Diameters (mm)", sum),
        ("NADIR", "Smallest Sum of Diameters before (mm)", nadir),
        ("CHG", "Change from Baseline (mm)", change(base)),
        ("PCHG", "Change from Baseline (%)", percent(base)),
        ("CHGNAD", "Change from Nadir (mm)", change(nadir)),
        ("PCHGNAD", "Change from Nadir (%)", percent(nadir)),
    ];
    values.into_iter().map(|(code, name, value)| row(one, code, name, value)).collect()
}

fn row(one: &SdtmAssessment, paramcd: &'static str, param: &'static str, value: Option<f64>) -> AdtrRow {
    let adt: Option<Date> = one.visit_date.parse().ok();
    let reasons = [&one.sum_mm, &one.baseline_mm, &one.nadir_mm].map(|value| value.reason());
    let reason = match paramcd {
        "NADIR" => reasons[2],
        "CHG" | "PCHG" => reasons[0].or(reasons[1]),
        "CHGNAD" | "PCHGNAD" => reasons[0].or(reasons[2]),
        _ => reasons[0],
    };
    let no_reason = if value.is_none() { "no percentage of a sum of 0" } else { "" };
    AdtrRow {
        usubjid: one.subject.clone(),
        paramcd,
        param,
        adt,
        avisit: one.visit.clone(),
        aval: value.map(|value| (value * 1e6).round() / 1e6),
        base: one.baseline_mm.value().copied(),
        treval: one.evaluator.clone(),
        trevalid: one.evaluator_id.clone(),
        paramn: number_of(paramcd),
        parcat1: category(&one.criterion),
        avisitn: one.visit_num.to_string(),
        ady: analysis_day(one.origin_date.parse().ok(), adt),
        ablfl: "",
        avalrsn: reason.filter(|_| value.is_none()).unwrap_or(no_reason).to_owned(),
        studyid: String::new(),
    }
}
