//! The visits of a cohort as SDTM names them, and rows placed at them.
//!
//! Source: CDISC SDTM-IG 3.4 (VISITNUM, --DTC, --DY, --SEQ, --LNKGRP).

use std::collections::{BTreeMap, BTreeSet};

use super::SdtmTable;
use crate::cohort::{AssessmentRow, MeasurementRow};
use crate::visit_id::VisitId;

/// Visits of every patient from baseline on, numbered from 1; rows are numbered within a patient.
pub(super) struct Writer<'a> {
    study: &'a str,
    visits: BTreeMap<&'a str, Vec<(VisitId, i64)>>,
    pub(super) responses: Responses<'a>,
}

/// The visits of a patient that are response time points; a patient without assessments is not in it.
pub(super) type Responses<'a> = BTreeMap<&'a str, BTreeSet<VisitId>>;

impl<'a> Writer<'a> {
    pub(super) fn new(study: &'a str, measurements: &'a [MeasurementRow], assessments: &'a [AssessmentRow]) -> Self {
        let measured = measurements.iter().map(|m| (m.patient_id.as_str(), m.visit, m.study_day));
        let assessed = assessments.iter().map(|a| (a.patient_id.as_str(), a.visit, a.study_day));
        let mut days: BTreeMap<&str, BTreeSet<(VisitId, i64)>> = BTreeMap::new();
        for (patient, visit, day) in measured.chain(assessed).filter(|(_, _, day)| *day >= 0) {
            days.entry(patient).or_default().insert((visit, day));
        }
        let mut responses = Responses::new();
        for row in assessments {
            responses.entry(&row.patient_id).or_default().insert(row.visit);
        }
        let visits = days.into_iter().map(|(patient, days)| (patient, days.into_iter().collect())).collect();
        Self { study, visits, responses }
    }

    /// VISITNUM, VISIT and --DTC. Two visits of one day share the date and differ in the rest.
    pub(super) fn visit(&self, patient: &str, visit: VisitId) -> Option<[String; 3]> {
        let at = self.visits.get(patient)?.iter().position(|(known, _)| *known == visit)?;
        let name = match (at, visit.ordinal()) {
            (0, _) => "BASELINE".to_owned(),
            (_, 1) => format!("DAY {}", self.visits[patient][at].1),
            (_, further) => format!("DAY {}-{further}", self.visits[patient][at].1),
        };
        Some([(at + 1).to_string(), name, visit.date().to_string()])
    }

    pub(super) fn is_response(&self, patient: &str, visit: VisitId) -> bool {
        self.responses.get(patient).is_none_or(|visits| visits.contains(&visit))
    }

    /// --DY: the day of baseline imaging is 1, the day after it 2.
    fn study_day(&self, patient: &str, visit: VisitId) -> String {
        let known = self.visits.get(patient).and_then(|visits| visits.iter().find(|(known, _)| *known == visit));
        known.map(|(_, day)| (day + 1).to_string()).unwrap_or_default()
    }

    /// Rows with study, domain and number before, then the visit, the group that links the rows of one assessment where
    /// the domain has one, the cells behind, and the study day.
    pub(super) fn table(
        &self,
        domain: &str,
        columns: &'static [&'static str],
        is_linked: bool,
        rows: Vec<Unplaced<'_>>,
    ) -> SdtmTable {
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        let placed = rows.into_iter().filter_map(|Unplaced { patient, cells, visit, behind }| {
            let place = self.visit(patient, visit)?;
            let number = numbers.entry(patient).or_default();
            *number += 1;
            let first = [self.study.to_owned(), domain.to_owned(), patient.to_owned(), number.to_string()];
            let group = is_linked.then(|| format!("A{}", place[0]));
            let last = group.into_iter().chain(behind).chain([self.study_day(patient, visit)]);
            Some(first.into_iter().chain(cells).chain(place).chain(last).collect())
        });
        SdtmTable { columns, rows: placed.collect() }
    }
}

/// A row whose visit is not written yet.
pub(super) struct Unplaced<'a> {
    pub(super) patient: &'a str,
    pub(super) cells: Vec<String>,
    pub(super) visit: VisitId,
    pub(super) behind: Vec<String>,
}
