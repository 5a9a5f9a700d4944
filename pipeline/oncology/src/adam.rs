//! ADaM views of responses and times to event: ADRS, ADTR and ADTTE, in the words and codes that admiralonco reads.
//!
//! Source: CDISC ADaM-IG 1.3; parameter codes and the numeric coding of responses as in pharmaverse admiralonco. A date that
//! is not complete stays empty, never imputed.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cohort::EndpointRow;
use crate::criteria::best_response::{BestResponseRules, best_response};
use crate::criteria::immune_response::{ImmuneResponse, best_immune_response};
use crate::criteria::response::OverallResponse;
use crate::criteria::table::{Confirmation, CriterionTable};
use crate::sdtm::SdtmAssessment;
use crate::time::Date;

/// One row of ADRS.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub struct AdrsRow {
    /// Subject.
    pub usubjid: String,
    /// OVR, RSP, CRSP, BOR, CBOR, CB, PD or LSTA.
    pub paramcd: &'static str,
    /// Its name.
    pub param: &'static str,
    /// Date, empty where not complete or where nothing happened.
    pub adt: Option<Date>,
    /// Visit, for OVR.
    pub avisit: String,
    /// Response or Y/N.
    pub avalc: String,
    /// Responses from 1 (CR) to 6 (NE), 1 for Y and 0 for N; empty for words without a number.
    pub aval: Option<u32>,
    /// Role of the evaluator.
    pub rseval: String,
    /// Which evaluator.
    pub rsevalid: String,
}

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
}

/// One row of ADTTE.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub struct AdtteRow {
    /// Subject.
    pub usubjid: String,
    /// At most eight letters: OS, PFS, TTP, LTPFS, …
    pub paramcd: String,
    /// The endpoint's name and, below the patient, its unit.
    pub param: String,
    /// Origin.
    pub startdt: Date,
    /// Date of event or censoring.
    pub adt: Date,
    /// Days from the origin.
    pub aval: i64,
    /// Unit of AVAL.
    pub avalu: &'static str,
    /// 0 event, 1 censored, 2 ended by a competing event.
    pub cnsr: u32,
    /// What happened, for an event.
    pub evntdesc: String,
    /// Why censored.
    pub cnsdtdsc: String,
    /// Cycle or lesion; empty for the patient.
    pub unitid: String,
}

/// How days are counted in ADTTE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayCount {
    /// `ADT − STARTDT`.
    Difference,
    /// `ADT − STARTDT + 1`, as in many submissions.
    PlusOne,
}

/// ADRS of every subject and evaluator, in the order of the assessments.
pub fn adrs_rows(assessments: &[SdtmAssessment], table: &CriterionTable) -> Vec<AdrsRow> {
    readings(assessments).into_values().flat_map(|visits| adrs_of(&visits, table)).collect()
}

type Readings<'a> = BTreeMap<(&'a str, &'a str, &'a str), Vec<&'a SdtmAssessment>>;

fn readings(assessments: &[SdtmAssessment]) -> Readings<'_> {
    let mut readings: Readings<'_> = BTreeMap::new();
    for one in assessments {
        readings.entry((&one.subject, &one.evaluator, &one.evaluator_id)).or_default().push(one);
    }
    readings
}

fn adrs_of(visits: &[&SdtmAssessment], table: &CriterionTable) -> Vec<AdrsRow> {
    let is = |words: &[&str], one: &SdtmAssessment| words.contains(&one.overall.as_str());
    let first = |words: &[&str]| visits.iter().find(|one| is(words, one)).copied();
    let (best, confirmed) = best_of(visits, table);
    let responded = first(&["CR", "PR", "iCR", "iPR"]);
    let is_response = |word: &str| matches!(word, "CR" | "PR" | "iCR" | "iPR");
    let benefit = is_response(best) || matches!(best, "SD" | "iSD" | "NON-CR/NON-PD" | "NON-iCR/NON-iUPD");
    let progression = first(&["PD", "iCPD"]);
    let last = visits.iter().rev().find(|one| !is(&["NE", "NED", ""], one)).copied();
    let mut rows: Vec<AdrsRow> = visits
        .iter()
        .map(|one| AdrsRow { avisit: one.visit.clone(), ..row(one, "OVR", "Overall Response by Visit", &one.overall) })
        .collect();
    let Some(any) = visits.first() else { return rows };
    let yes_no = |holds: bool| if holds { "Y" } else { "N" };
    let dated = |from: Option<&SdtmAssessment>, code, name, word: &str| AdrsRow {
        adt: from.and_then(|one| one.date.parse().ok()),
        ..row(any, code, name, word)
    };
    let best_visit = first(&[best]);
    let confirmed_response = is_response(confirmed);
    rows.push(dated(responded, "RSP", "Response", yes_no(responded.is_some())));
    rows.push(dated(
        responded.filter(|_| confirmed_response),
        "CRSP",
        "Confirmed Response",
        yes_no(confirmed_response),
    ));
    rows.push(dated(best_visit, "BOR", "Best Overall Response", best));
    rows.push(dated(first(&[confirmed]), "CBOR", "Confirmed Best Overall Response", confirmed));
    rows.push(dated(best_visit.filter(|_| benefit), "CB", "Clinical Benefit", yes_no(benefit)));
    rows.push(dated(progression, "PD", "Disease Progression", yes_no(progression.is_some())));
    rows.push(dated(last, "LSTA", "Last Disease Assessment", last.map_or("", |one| one.overall.as_str())));
    rows
}

fn best_of(visits: &[&SdtmAssessment], table: &CriterionTable) -> (&'static str, &'static str) {
    if table.immune.is_some() {
        let sequence: Vec<ImmuneResponse> = visits.iter().filter_map(|one| one.overall.parse().ok()).collect();
        let best = best_immune_response(&sequence).as_str();
        return (best, best);
    }
    let sequence: Vec<(i64, OverallResponse)> =
        visits.iter().filter_map(|one| Some((one.study_day, one.overall.parse().ok()?))).collect();
    let best = |confirmation| best_response(&sequence, &BestResponseRules::of(table, confirmation)).as_str();
    (best(Confirmation::NotRequired), best(Confirmation::Required))
}

fn row(one: &SdtmAssessment, paramcd: &'static str, param: &'static str, word: &str) -> AdrsRow {
    let aval = match word {
        "CR" | "iCR" | "Y" => Some(1),
        "PR" | "iPR" => Some(2),
        "SD" | "iSD" => Some(3),
        "NON-CR/NON-PD" | "NON-iCR/NON-iUPD" => Some(4),
        "PD" | "iCPD" => Some(5),
        "NE" => Some(6),
        "N" => Some(0),
        _ => None,
    };
    AdrsRow {
        usubjid: one.subject.clone(),
        paramcd,
        param,
        adt: one.date.parse().ok(),
        avisit: String::new(),
        avalc: word.to_owned(),
        aval,
        rseval: one.evaluator.clone(),
        rsevalid: one.evaluator_id.clone(),
    }
}

/// ADTR of every assessment: sum, nadir before it, and changes against baseline and nadir.
pub fn adtr_rows(assessments: &[SdtmAssessment]) -> Vec<AdtrRow> {
    assessments.iter().flat_map(adtr_of).collect()
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
    let row = |(paramcd, param, aval): (&'static str, &'static str, Option<f64>)| AdtrRow {
        usubjid: one.subject.clone(),
        paramcd,
        param,
        adt: one.date.parse().ok(),
        avisit: one.visit.clone(),
        aval: aval.map(|value| (value * 1e6).round() / 1e6),
        base,
        treval: one.evaluator.clone(),
        trevalid: one.evaluator_id.clone(),
    };
    values.into_iter().map(row).collect()
}

/// ADTTE of the times to event.
pub fn adtte_rows(endpoints: &[EndpointRow], count: DayCount) -> Vec<AdtteRow> {
    let plus = i64::from(count == DayCount::PlusOne);
    let row = |one: &EndpointRow| {
        let unit = if one.unit_id == one.patient_id { String::new() } else { one.unit_id.clone() };
        let cnsr = match (one.event, one.competing.is_empty()) {
            (1, _) => 0,
            (_, true) => 1,
            (_, false) => 2,
        };
        AdtteRow {
            usubjid: one.patient_id.clone(),
            paramcd: parameter_code(&one.endpoint),
            param: if unit.is_empty() { one.endpoint.clone() } else { format!("{} of {unit}", one.endpoint) },
            startdt: one.origin_date,
            adt: one.end_date,
            aval: one.days + plus,
            avalu: "DAYS",
            cnsr,
            evntdesc: one.cause.clone(),
            cnsdtdsc: one.censor_reason.clone(),
            unitid: unit,
        }
    };
    endpoints.iter().map(row).collect()
}

/// Upper case, without marks, at most eight letters: `PFS_distant` is `PFSDISTA`.
fn parameter_code(endpoint: &str) -> String {
    endpoint.chars().filter(char::is_ascii_alphanumeric).take(8).collect::<String>().to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluable::Evaluable;
    use crate::exact::Exact;
    use jiff::civil::date;

    fn visit(day: i64, text: &str, sum: f64, overall: &str) -> SdtmAssessment {
        SdtmAssessment {
            subject: "S1".to_owned(),
            evaluator: "INVESTIGATOR".to_owned(),
            evaluator_id: String::new(),
            visit: format!("DAY {day}"),
            visit_num: Exact::whole(i32::try_from(day).unwrap()),
            study_day: day,
            date: text.to_owned(),
            sum_mm: Evaluable::Value(sum),
            baseline_mm: Evaluable::Value(100.0),
            nadir_mm: Evaluable::Value(80.0),
            target: overall.to_owned(),
            non_target: "NA".to_owned(),
            new_lesion: "N".to_owned(),
            overall: overall.to_owned(),
            why: String::new(),
            flips_if: String::new(),
        }
    }

    #[test]
    fn a_response_seen_once_is_not_confirmed() {
        let table = CriterionTable::built_in("recist_1_1").unwrap();
        let visits = [visit(56, "2024-02-26", 60.0, "PR"), visit(70, "2024-03", 90.0, "PD")];
        let rows = adrs_rows(&visits, &table);
        let of = |code: &str| rows.iter().find(|row| row.paramcd == code).unwrap();
        assert_eq!((of("BOR").avalc.as_str(), of("CBOR").avalc.as_str()), ("PR", "SD"));
        assert_eq!((of("RSP").avalc.as_str(), of("RSP").adt), ("Y", Some(date(2024, 2, 26))));
        assert_eq!((of("CRSP").avalc.as_str(), of("CRSP").adt), ("N", None));
        assert_eq!((of("PD").avalc.as_str(), of("PD").adt), ("Y", None), "a partial date is not completed");
        assert_eq!(
            rows.iter().filter(|row| row.paramcd == "OVR").map(|row| row.aval).collect::<Vec<_>>(),
            [Some(2), Some(5)]
        );
        let sums = adtr_rows(&visits[..1]);
        let values: Vec<Option<f64>> = sums.iter().map(|row| row.aval).collect();
        assert_eq!(values, [Some(60.0), Some(80.0), Some(-40.0), Some(-40.0), Some(-20.0), Some(-25.0)]);
    }

    #[test]
    fn a_competing_event_is_no_ordinary_censoring() {
        let endpoint = EndpointRow {
            patient_id: "S1".to_owned(),
            unit_id: "L1".to_owned(),
            endpoint: "LTPFS".to_owned(),
            origin_date: date(2024, 1, 1),
            end_date: date(2024, 1, 31),
            days: 30,
            months: 1.0,
            event: 0,
            cause: String::new(),
            competing: "death".to_owned(),
            censor_reason: "death".to_owned(),
            interval_low_date: None,
        };
        let rows = adtte_rows(&[endpoint], DayCount::PlusOne);
        assert_eq!((rows[0].cnsr, rows[0].aval, rows[0].param.as_str()), (2, 31, "LTPFS of L1"));
        assert_eq!(parameter_code("PFS_distant"), "PFSDISTA");
    }
}
