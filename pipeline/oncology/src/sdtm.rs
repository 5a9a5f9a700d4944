//! SDTM tumour tables in, responses out: TU and TR rows become visits, visits become responses, responses become RS rows.
//!
//! Source: CDISC SDTM-IG 3.4, domains TU, TR and RS. Each evaluator is assessed alone; missing rows are "not evaluable".

pub mod cohort_tables;
mod immune;
mod visits;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::criteria::course::{VisitVerdict, follow};
use crate::criteria::table::CriterionTable;
use crate::evaluable::Evaluable;
use crate::exact::Exact;

/// One row of TU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TuRow {
    /// USUBJID.
    pub subject: String,
    /// VISITNUM.
    pub visit_num: Exact,
    /// VISIT.
    pub visit: String,
    /// TULNKID.
    pub link: String,
    /// TUSTRESC or TUORRES: TARGET, NON-TARGET or NEW.
    pub role: String,
    /// TULOC.
    pub location: String,
    /// TUEVAL.
    pub evaluator: String,
    /// TUEVALID.
    pub evaluator_id: String,
    /// TUACPTFL: `Y` where this evaluator's reading is the accepted one.
    pub accepted: String,
}

/// One row of TR.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrRow {
    /// USUBJID.
    pub subject: String,
    /// VISITNUM.
    pub visit_num: Exact,
    /// VISIT.
    pub visit: String,
    /// TRLNKID.
    pub link: String,
    /// TRTESTCD: LDIAM, LPERP, DIAMETER, TUMSTATE, …
    pub test: String,
    /// TRSTRESC or TRORRES.
    pub result: String,
    /// TRORRESU or TRSTRESU; empty for a state.
    pub unit: String,
    /// TRSTAT.
    pub status: String,
    /// TRREASND.
    pub reason_not_done: String,
    /// TREVAL.
    pub evaluator: String,
    /// TREVALID.
    pub evaluator_id: String,
    /// TRDTC as written; may be partial.
    pub date: String,
}

/// A row that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{domain}: expected {expected} in {column}, found {found:?}")]
pub struct RowError {
    /// TU or TR.
    pub domain: &'static str,
    /// Which column.
    pub column: &'static str,
    /// What would do.
    pub expected: &'static str,
    /// What stood there.
    pub found: String,
}

impl TuRow {
    /// From a row given by column name; a column that is not there gives `None`.
    pub fn from_columns<'a>(column: impl Fn(&str) -> Option<&'a str>) -> Result<Self, RowError> {
        let read = Columns { domain: "TU", column };
        Ok(Self {
            subject: read.required("USUBJID")?,
            visit_num: read.visit_num()?,
            visit: read.optional("VISIT"),
            link: read.required("TULNKID")?,
            role: read.first_of(&["TUSTRESC", "TUORRES"]).to_uppercase(),
            location: read.optional("TULOC"),
            evaluator: read.optional("TUEVAL"),
            evaluator_id: read.optional("TUEVALID"),
            accepted: read.optional("TUACPTFL").to_uppercase(),
        })
    }
}

impl TrRow {
    /// From a row given by column name; a column that is not there gives `None`.
    pub fn from_columns<'a>(column: impl Fn(&str) -> Option<&'a str>) -> Result<Self, RowError> {
        let read = Columns { domain: "TR", column };
        Ok(Self {
            subject: read.required("USUBJID")?,
            visit_num: read.visit_num()?,
            visit: read.optional("VISIT"),
            link: read.required("TRLNKID")?,
            test: read.required("TRTESTCD")?.to_uppercase(),
            result: read.first_of(&["TRORRES", "TRSTRESC"]),
            unit: read.first_of(&["TRORRESU", "TRSTRESU"]),
            status: read.optional("TRSTAT"),
            reason_not_done: read.optional("TRREASND"),
            evaluator: read.optional("TREVAL"),
            evaluator_id: read.optional("TREVALID"),
            date: read.optional("TRDTC"),
        })
    }
}

struct Columns<F> {
    domain: &'static str,
    column: F,
}

impl<'a, F: Fn(&str) -> Option<&'a str>> Columns<F> {
    fn optional(&self, name: &str) -> String {
        (self.column)(name).unwrap_or_default().trim().to_owned()
    }

    fn first_of(&self, names: &[&str]) -> String {
        names.iter().map(|name| self.optional(name)).find(|text| !text.is_empty()).unwrap_or_default()
    }

    fn required(&self, name: &'static str) -> Result<String, RowError> {
        let text = self.optional(name);
        let missing = RowError { domain: self.domain, column: name, expected: "a value", found: String::new() };
        if text.is_empty() { Err(missing) } else { Ok(text) }
    }

    fn visit_num(&self) -> Result<Exact, RowError> {
        let text = self.required("VISITNUM")?;
        let wrong = |_| RowError { domain: self.domain, column: "VISITNUM", expected: "a number", found: text.clone() };
        text.parse().map_err(wrong)
    }
}

/// The response of one subject at one visit by one evaluator.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SdtmAssessment {
    /// USUBJID.
    pub subject: String,
    /// Role of the evaluator, such as INVESTIGATOR.
    pub evaluator: String,
    /// Which of several; empty where there is one.
    pub evaluator_id: String,
    /// VISIT.
    pub visit: String,
    /// VISITNUM.
    pub visit_num: Exact,
    /// Date of the visit as written; may be partial or empty.
    pub date: String,
    /// Days since the first visit; that of the visit before where the date is not complete.
    pub study_day: i64,
    /// Sum of diameters.
    pub sum_mm: Evaluable<f64>,
    /// Sum at baseline.
    pub baseline_mm: Evaluable<f64>,
    /// Smallest complete sum before this visit.
    pub nadir_mm: Evaluable<f64>,
    /// Target response.
    pub target: String,
    /// Non-target response.
    pub non_target: String,
    /// `Y`, `E` or `N`.
    pub new_lesion: String,
    /// Overall response.
    pub overall: String,
    /// Rules and numbers, as sentences.
    pub why: String,
    /// What would change the overall response.
    pub flips_if: String,
}

/// Assesses every subject by every evaluator, in order of subject, evaluator and visit. The first visit of each is baseline
/// and has no row of its own, as in RS.
pub fn assess_sdtm(tu: &[TuRow], tr: &[TrRow], table: &CriterionTable) -> Vec<SdtmAssessment> {
    let mut assessments = Vec::new();
    for reading in visits::readings(tu, tr) {
        let (baseline, course) = reading.course(table);
        let verdicts = follow(baseline.value().copied(), &course, table);
        let immune = immune::immune_verdicts(&reading, &course, &verdicts, table);
        for (at, (visit, verdict)) in reading.visits.iter().skip(1).zip(verdicts).enumerate() {
            let mut assessment =
                SdtmAssessment { study_day: course[at].day, ..row(&reading, visit, verdict, &baseline) };
            if let Some(immune) = &immune {
                immune::write_over(&mut assessment, immune.get(at));
            }
            assessments.push(assessment);
        }
    }
    assessments
}

fn row(
    reading: &visits::Reading<'_>,
    visit: &visits::Visit,
    verdict: VisitVerdict,
    baseline: &Evaluable<Exact>,
) -> SdtmAssessment {
    let millimetres = |value: Option<Exact>, reason: &str| {
        value.map_or_else(|| Evaluable::not(reason), |value| Evaluable::Value(value.to_f64()))
    };
    SdtmAssessment {
        subject: reading.subject.to_owned(),
        evaluator: reading.evaluator.to_owned(),
        evaluator_id: reading.evaluator_id.to_owned(),
        visit: visit.name.clone(),
        visit_num: visit.number,
        date: visit.date.clone(),
        study_day: 0,
        sum_mm: verdict.sum.map(Exact::to_f64),
        baseline_mm: millimetres(verdict.baseline, baseline.reason().unwrap_or("no target lesion")),
        nadir_mm: millimetres(verdict.nadir, "no complete sum before this visit"),
        target: verdict.target.to_string(),
        non_target: verdict.non_target.to_string(),
        new_lesion: verdict.new_lesion.to_string(),
        overall: verdict.overall.to_string(),
        why: verdict.why,
        flips_if: verdict.flips_if,
    }
}

/// One row of RS.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RsRow {
    /// USUBJID.
    pub subject: String,
    /// VISITNUM.
    pub visit_num: Exact,
    /// VISIT.
    pub visit: String,
    /// RSTESTCD: TRGRESP, NTRGRESP, NEWLPROG or OVRLRESP.
    pub test: &'static str,
    /// RSTEST.
    pub test_name: &'static str,
    /// RSORRES and RSSTRESC.
    pub result: String,
    /// RSEVAL.
    pub evaluator: String,
    /// RSEVALID.
    pub evaluator_id: String,
    /// RSDTC.
    pub date: String,
}

/// The four responses of every assessment as RS rows; a category the subject does not have gives no row.
pub fn rs_rows(assessments: &[SdtmAssessment]) -> Vec<RsRow> {
    let of = |one: &SdtmAssessment| {
        let tests = [
            ("TRGRESP", "Target Response", &one.target),
            ("NTRGRESP", "Non-target Response", &one.non_target),
            ("NEWLPROG", "New Lesion Progression", &one.new_lesion),
            ("OVRLRESP", "Overall Response", &one.overall),
        ];
        let row = |(test, test_name, result): (&'static str, &'static str, &String)| RsRow {
            subject: one.subject.clone(),
            visit_num: one.visit_num,
            visit: one.visit.clone(),
            test,
            test_name,
            result: result.clone(),
            evaluator: one.evaluator.clone(),
            evaluator_id: one.evaluator_id.clone(),
            date: one.date.clone(),
        };
        tests.into_iter().filter(|(_, _, result)| *result != "NA").map(row).collect::<Vec<RsRow>>()
    };
    assessments.iter().flat_map(of).collect()
}
