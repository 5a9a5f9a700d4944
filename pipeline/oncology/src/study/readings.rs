//! What readers coded of treated sites, with what it means (`readings.csv`).

use serde::Serialize;

use super::{StudyGroup, StudyPatient};
use crate::criteria::deauville::{Deauville, lugano};
use crate::criteria::lirads::{Edition, treatment_response};
use crate::lesion::LesionId;
use crate::modality::Modality;
use crate::reads::{Coded, Decision, Outcome, ReadRow};
use crate::time::{Date, Days};
use crate::visit_id::VisitId;

/// One coded reading in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReadingRow {
    /// Patient.
    pub patient_id: String,
    /// Lesion.
    pub lesion_id: String,
    /// Visit.
    pub visit: String,
    /// Days since the lesion's last treatment up to then; empty for a lesion that was not treated before.
    pub days_after_treatment: Option<i64>,
    /// `site_response`, `lirads_tr` or `deauville`.
    pub item: String,
    /// As coded.
    pub value: String,
    /// What it means: CR to PD, an LR-TR category, or a Lugano class.
    pub response: String,
    /// By which edition or pathway, where there are several.
    pub edition: String,
    /// Who.
    pub reader: String,
}

impl ReadingRow {
    /// Names of the columns, in order.
    pub const COLUMNS: &'static [&'static str] =
        &["patient_id", "lesion_id", "visit", "days_after_treatment", "item", "value", "response", "edition", "reader"];
}

/// A coded reading of one lesion at one visit.
pub(super) struct Reading<'a> {
    pub(super) row: &'a ReadRow,
    pub(super) visit: VisitId,
    pub(super) coded: Coded,
}

/// Readings in force of a patient.
pub(super) fn in_force<'a>(patient: &StudyPatient<'a>) -> Vec<Reading<'a>> {
    let reading = |row: &'a ReadRow| {
        let visit = patient.visits.iter().find(|visit| visit.to_string() == row.visit)?;
        match Decision::parse(&row.item, &row.value) {
            Ok(Decision::Coded(Some(coded))) => Some(Reading { row, visit: *visit, coded }),
            _ => None,
        }
    };
    patient.reads.iter().filter(|row| row.outcome == Outcome::Applied).filter_map(reading).collect()
}

/// The coded readings of everybody.
pub fn readings(everybody: &StudyGroup<'_>) -> Vec<ReadingRow> {
    everybody
        .patients
        .iter()
        .flat_map(|patient| in_force(patient).iter().map(|one| row(patient, one)).collect::<Vec<_>>())
        .collect()
}

fn row(patient: &StudyPatient<'_>, reading: &Reading<'_>) -> ReadingRow {
    let ReadRow { patient_id, lesion_id, visit, item, value, reader, .. } = reading.row.clone();
    let treated = last_treatment(patient, &lesion_id, reading.visit.date());
    let (response, edition) = match reading.coded {
        Coded::Site(kind, finding) => {
            let response = finding.map_or("NE", |finding| finding.response().as_str());
            (response.to_owned(), kind.to_string())
        }
        Coded::Lirads(seen) => {
            let (edition, words) = match treated {
                Some((_, modality)) if modality.is_radiation() => (Edition::V2024Radiation, "v2024, radiation pathway"),
                _ => (Edition::V2024NonRadiation, "v2024, non-radiation pathway"),
            };
            (treatment_response(seen, edition).as_str().to_owned(), words.to_owned())
        }
        Coded::Deauville(score, change) => {
            let class = match (score, change) {
                (Deauville::X, _) => "NE",
                (score, Some(change)) => lugano(score, change).as_str(),
                (score, None) => lugano(score, crate::criteria::deauville::UptakeChange::Unchanged).as_str(),
            };
            (class.to_owned(), "Lugano".to_owned())
        }
    };
    let days_after_treatment = treated.map(|(date, _)| Days::between(date, reading.visit.date()).0);
    ReadingRow { patient_id, lesion_id, visit, days_after_treatment, item, value, response, edition, reader }
}

/// The last locoregional treatment of a lesion up to a date.
fn last_treatment(patient: &StudyPatient<'_>, lesion: &str, until: Date) -> Option<(Date, Modality)> {
    let lesion = LesionId::new(lesion);
    let own = patient.facts?.clinical.treatments.iter().filter(|one| one.target_lesions.contains(&lesion));
    own.filter(|one| one.date <= until).map(|one| (one.date, one.modality)).max_by_key(|(date, _)| *date)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::groups;
    use crate::study::tests::{facts_with, patient, treated};
    use jiff::civil::date;

    fn read(item: &str, value: &str, outcome: Outcome) -> ReadRow {
        ReadRow {
            patient_id: "1".to_owned(),
            lesion_id: "L1".to_owned(),
            visit: "2024-03-01".to_owned(),
            item: item.to_owned(),
            value: value.to_owned(),
            reader: "A".to_owned(),
            outcome,
            ..ReadRow::default()
        }
    }

    #[test]
    fn the_pathway_follows_the_treatment_and_only_reads_in_force_count() {
        let visits = [VisitId::first(date(2024, 3, 1))];
        let reads = [
            read("lirads_tr", "stable_or_decreasing", Outcome::Applied),
            read("site_response", "ct less", Outcome::Applied),
            read("deauville", "4 increased", Outcome::Applied),
            read("site_response", "pet more", Outcome::Superseded),
            read("role", "target", Outcome::Applied),
        ];
        let told = |modality: Modality| {
            let facts = facts_with(vec![treated(date(2024, 1, 1), modality, "L1")]);
            let patients =
                [StudyPatient { facts: Some(&facts), visits: &visits, reads: &reads, ..patient("1", "HCC") }];
            let rows = readings(&groups(&patients)[0]);
            rows.iter().map(|row| (row.response.clone(), row.days_after_treatment)).collect::<Vec<_>>()
        };
        let expected = |lirads: &str| [lirads, "PR", "PMD"].map(|response| (response.to_owned(), Some(60))).to_vec();
        assert_eq!(told(Modality::HdrBrachytherapy), expected("LR-TR Nonprogressing"));
        assert_eq!(told(Modality::Mwa), expected("LR-TR Viable"));
    }
}
