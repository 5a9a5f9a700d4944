//! Responses as rows of RS.
//!
//! Source: CDISC SDTM-IG 3.4, domain RS; CDISC controlled terminology (RSTESTCD).

use serde::Serialize;

use super::SdtmAssessment;
use crate::adam::best::best_of_readings;
use crate::criteria::table::{Confirmation, CriterionTable};
use crate::exact::Exact;

/// One row of RS.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RsRow {
    /// USUBJID.
    pub subject: String,
    /// VISITNUM; `None` for the best response, which belongs to no visit.
    pub visit_num: Option<Exact>,
    /// VISIT.
    pub visit: String,
    /// RSCAT: the criterion.
    pub category: String,
    /// RSLNKGRP: the TRLNKGRP of the results it rests on; empty where TR has none.
    pub link_group: String,
    /// RSTESTCD: TRGRESP, NTRGRESP, NEWLPROG, OVRLRESP or BESTRESP.
    pub test: &'static str,
    /// RSTEST.
    pub test_name: &'static str,
    /// RSORRES and RSSTRESC.
    pub result: String,
    /// RSEVAL.
    pub evaluator: String,
    /// RSEVALID.
    pub evaluator_id: String,
    /// RSACPTFL: `Y` where this reading of this visit is the accepted one.
    pub accepted: String,
    /// RSDTC.
    pub date: String,
}

/// The four responses of every assessment as RS rows, a category the subject does not have left out, and after the
/// visits of each reading its best overall response, confirmed where the criterion asks for it, dated by the visit it
/// rests on.
pub fn rs_rows(assessments: &[SdtmAssessment], table: &CriterionTable) -> Vec<RsRow> {
    let mut rows: Vec<RsRow> = Vec::new();
    for (visits, best) in best_of_readings(assessments, table) {
        rows.extend(visits.iter().flat_map(|one| visit_rows(one)));
        let Some(first) = visits.first() else { continue };
        let best = match table.options.confirmation.value {
            Confirmation::NotRequired => best.once,
            Confirmation::Required => best.confirmed,
        };
        let date = best.at.map(|at| visits[at].date.clone()).unwrap_or_default();
        rows.push(RsRow {
            visit_num: None,
            visit: String::new(),
            link_group: String::new(),
            accepted: String::new(),
            evaluator_id: first.sequence.clone(),
            date,
            ..row(first, "BESTRESP", "Best Overall Response", best.word)
        });
    }
    rows
}

fn visit_rows(one: &SdtmAssessment) -> Vec<RsRow> {
    let tests = [
        ("TRGRESP", "Target Response", &one.target),
        ("NTRGRESP", "Non-target Response", &one.non_target),
        ("NEWLPROG", "New Lesion Progression", &one.new_lesion),
        ("OVRLRESP", "Overall Response", &one.overall),
    ];
    let present = tests.into_iter().filter(|(_, _, result)| *result != "NA");
    // What a scan dates is the progression; the sums and states are those of the whole visit.
    let date = |test| if ["TRGRESP", "NTRGRESP"].contains(&test) { &one.visit_date } else { &one.date };
    let dated =
        |(test, name, result): (_, _, &String)| RsRow { date: date(test).clone(), ..row(one, test, name, result) };
    present.map(dated).collect()
}

fn row(one: &SdtmAssessment, test: &'static str, test_name: &'static str, result: &str) -> RsRow {
    RsRow {
        subject: one.subject.clone(),
        visit_num: Some(one.visit_num),
        visit: one.visit.clone(),
        category: category(&one.criterion),
        link_group: one.link_group.clone(),
        test,
        test_name,
        result: result.to_owned(),
        evaluator: one.evaluator.clone(),
        evaluator_id: one.evaluator_id.clone(),
        accepted: if one.accepted { "Y".to_owned() } else { String::new() },
        date: one.date.clone(),
    }
}

/// RSCAT: the criterion's name, numbers with their points (`recist_1_1` is `RECIST 1.1`).
pub fn category(criterion: &str) -> String {
    let mut name = String::new();
    for word in criterion.split('_') {
        let is_number = |text: &str| text.chars().all(|c| c.is_ascii_digit());
        let follows_number = name.ends_with(|c: char| c.is_ascii_digit());
        if !name.is_empty() {
            name.push(if follows_number && is_number(word) { '.' } else { ' ' });
        }
        name.push_str(&word.to_uppercase());
    }
    name
}
