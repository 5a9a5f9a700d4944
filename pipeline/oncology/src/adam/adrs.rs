//! ADRS: the responses of every visit and what follows from them.
//!
//! Source: CDISC ADaM-IG 1.3; pharmaverse admiralonco: response, clinical benefit and best response count up to the
//! first progression, a confirmed response is dated by its first assessment.

use std::collections::BTreeMap;

use serde::Serialize;

use super::best::{Best, best_of_readings, days_of, responses_of};
use super::parameters::{analysis_day, number_of};
use crate::criteria::best_response::{BestResponseRules, confirmed_response_spaced};
use crate::criteria::table::{Confirmation, CriterionTable};
use crate::partial_date::DayRange;
use crate::sdtm::SdtmAssessment;
use crate::sdtm::responses::category;
use crate::time::Date;

/// One row of ADRS.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub struct AdrsRow {
    /// Subject.
    pub usubjid: String,
    /// OVR, RSP, CRSP, BOR, CBOR, CB, PD, LSTA or DEATH.
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
    /// Number of the parameter.
    pub paramn: u32,
    /// Criterion, as in RSCAT.
    pub parcat1: String,
    /// Number of the visit, for OVR.
    pub avisitn: String,
    /// Date as written; may be partial.
    pub adtc: String,
    /// Day of ADT, the origin being day 1.
    pub ady: Option<i64>,
    /// `Y` for OVR up to and with the first progression, and for what is derived from it.
    pub anl01fl: &'static str,
    /// Why AVALC could not be decided; empty where it could.
    pub avalrsn: String,
    /// Study.
    pub studyid: String,
    /// Number of the row within the subject.
    pub aseq: u32,
}

/// ADRS of every subject and evaluator, the visits in the order of the assessments.
pub fn adrs_rows(assessments: &[SdtmAssessment], table: &CriterionTable) -> Vec<AdrsRow> {
    let mut rows = Vec::new();
    for (visits, best) in best_of_readings(assessments, table) {
        let reading = Reading::of(&visits, table);
        rows.extend(visits.iter().enumerate().map(|(at, _)| reading.overall(at)));
        rows.push(reading.row("RSP", "Response", &Found::at(reading.response)));
        rows.push(reading.row("CRSP", "Confirmed Response", &reading.confirmed_response()));
        rows.push(reading.best("BOR", "Best Overall Response", &best.once));
        rows.push(reading.best("CBOR", "Confirmed Best Overall Response", &best.confirmed));
        rows.push(reading.row("CB", "Clinical Benefit", &reading.benefit()));
        rows.push(reading.row("PD", "Disease Progression", &Found::at(reading.progression)));
        rows.push(reading.last());
    }
    number(&mut rows);
    rows
}

/// DEATH of a subject whose date of death is known.
pub fn death_row(subject: &str, date: Date, origin: Option<Date>) -> AdrsRow {
    AdrsRow {
        usubjid: subject.to_owned(),
        paramcd: "DEATH",
        param: "Death",
        adt: Some(date),
        avisit: String::new(),
        avalc: "Y".to_owned(),
        aval: Some(1),
        rseval: String::new(),
        rsevalid: String::new(),
        paramn: number_of("DEATH"),
        parcat1: String::new(),
        avisitn: String::new(),
        adtc: date.to_string(),
        ady: analysis_day(origin, Some(date)),
        anl01fl: "Y",
        avalrsn: String::new(),
        studyid: String::new(),
        aseq: 0,
    }
}

/// Numbers the rows within each subject, in their order.
pub fn number(rows: &mut [AdrsRow]) {
    let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
    for row in rows {
        let number = numbers.entry(row.usubjid.clone()).or_default();
        *number += 1;
        row.aseq = *number;
    }
}

/// Whether something happened, and at which assessment.
struct Found {
    holds: Option<bool>,
    at: Option<usize>,
}

impl Found {
    fn at(at: Option<usize>) -> Self {
        Self { holds: Some(at.is_some()), at }
    }

    /// What the shortest and the longest distances of partial dates agree on.
    fn settled(shortest: Option<usize>, longest: Option<usize>) -> Self {
        let agree = shortest.is_some() == longest.is_some();
        Self { holds: agree.then_some(shortest.is_some()), at: shortest.filter(|_| shortest == longest) }
    }
}

/// The assessments of one subject by one evaluator.
struct Reading<'a> {
    visits: &'a [&'a SdtmAssessment],
    table: &'a CriterionTable,
    progression: Option<usize>,
    response: Option<usize>,
}

fn is_response(word: &str) -> bool {
    matches!(word, "CR" | "PR" | "iCR" | "iPR")
}

impl<'a> Reading<'a> {
    fn of(visits: &'a [&'a SdtmAssessment], table: &'a CriterionTable) -> Self {
        let progression = visits.iter().position(|one| matches!(one.overall.as_str(), "PD" | "iCPD"));
        let before = &visits[..progression.unwrap_or(visits.len())];
        Self { visits, table, progression, response: before.iter().position(|one| is_response(&one.overall)) }
    }

    fn before_progression(&self) -> &'a [&'a SdtmAssessment] {
        &self.visits[..self.progression.unwrap_or(self.visits.len())]
    }

    fn confirmed_response(&self) -> Found {
        if self.table.immune.is_some() {
            return Found::at(self.response);
        }
        let rules = BestResponseRules::of(self.table, Confirmation::Required);
        let responses = responses_of(self.visits);
        let first = |pick: fn(DayRange) -> i64| {
            confirmed_response_spaced(&responses, &|from, to| pick(days_of(self.visits, from, to)), &rules)
        };
        Found::settled(first(|days| days.shortest), first(|days| days.longest))
    }

    /// The first response, or the first stable disease that lasted long enough, before any progression.
    fn benefit(&self) -> Found {
        let is_stable = |word: &str| matches!(word, "SD" | "iSD" | "NON-CR/NON-PD" | "NON-iCR/NON-iUPD");
        // iRECIST states no least duration.
        let least = i64::from(self.table.thresholds.min_sd_days.value);
        let lasts = |days: i64| self.table.immune.is_some() || days >= least;
        let first = |pick: fn(DayRange) -> i64| {
            let counts = |(at, one): (usize, &&SdtmAssessment)| {
                is_response(&one.overall) || (is_stable(&one.overall) && lasts(pick(days_of(self.visits, None, at))))
            };
            self.before_progression().iter().enumerate().position(counts)
        };
        Found::settled(first(|days| days.shortest), first(|days| days.longest))
    }

    fn overall(&self, at: usize) -> AdrsRow {
        let one = self.visits[at];
        let counts = self.progression.is_none_or(|progression| at <= progression);
        AdrsRow {
            avisit: one.visit.clone(),
            avisitn: one.visit_num.to_string(),
            anl01fl: if counts { "Y" } else { "" },
            ..self.dated(Some(at), "OVR", "Overall Response by Visit", &one.overall)
        }
    }

    fn row(&self, code: &'static str, name: &'static str, found: &Found) -> AdrsRow {
        let (word, reason) = match found.holds {
            Some(true) => ("Y", ""),
            Some(false) => ("N", ""),
            None => ("NE", "partial dates leave it open"),
        };
        AdrsRow { avalrsn: reason.to_owned(), ..self.dated(found.at, code, name, word) }
    }

    fn best(&self, code: &'static str, name: &'static str, best: &Best) -> AdrsRow {
        AdrsRow { avalrsn: best.reason.clone(), ..self.dated(best.at, code, name, best.word) }
    }

    fn last(&self) -> AdrsRow {
        let is_evaluable = |one: &&SdtmAssessment| !matches!(one.overall.as_str(), "NE" | "NED" | "");
        let last = self.visits.iter().rposition(is_evaluable);
        let word = last.map_or("", |at| self.visits[at].overall.as_str());
        self.dated(last, "LSTA", "Last Disease Assessment", word)
    }

    /// A row dated by one of the assessments.
    fn dated(&self, at: Option<usize>, paramcd: &'static str, param: &'static str, word: &str) -> AdrsRow {
        let first = self.visits[0];
        let adtc = at.map(|at| self.visits[at].date.clone()).unwrap_or_default();
        let adt: Option<Date> = adtc.parse().ok();
        AdrsRow {
            usubjid: first.subject.clone(),
            paramcd,
            param,
            adt,
            avisit: String::new(),
            avalc: word.to_owned(),
            aval: coded(word),
            rseval: first.evaluator.clone(),
            rsevalid: at.map_or(&first.sequence, |at| &self.visits[at].evaluator_id).clone(),
            paramn: number_of(paramcd),
            parcat1: category(&first.criterion),
            avisitn: String::new(),
            ady: analysis_day(first.origin_date.parse().ok(), adt),
            adtc,
            anl01fl: "Y",
            avalrsn: String::new(),
            studyid: String::new(),
            aseq: 0,
        }
    }
}

/// Responses from 1 (CR) to 6 (NE), 1 for Y and 0 for N; nothing for words without a number.
fn coded(word: &str) -> Option<u32> {
    match word {
        "CR" | "iCR" | "Y" => Some(1),
        "PR" | "iPR" => Some(2),
        "SD" | "iSD" => Some(3),
        "NON-CR/NON-PD" | "NON-iCR/NON-iUPD" => Some(4),
        "PD" | "iCPD" => Some(5),
        "NE" => Some(6),
        "N" => Some(0),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
