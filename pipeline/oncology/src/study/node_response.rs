//! Response of each treated lesion by what is left at its site: a reader's word, else what images tell.
//!
//! Source: Narayanan et al. 2024 for the four levels (no enhancement or uptake, less, unchanged, more) and the earliest study that
//! counts; the paper prints no limits for the last three. Without a reader the viable diameter decides by those of mRECIST
//! (Lencioni and Llovet 2010: −30 %, +20 %; the whole diameter where nothing viable was measured), and the largest SUV by those of
//! EORTC (Young et al. 1999: ±25 %).

use serde::Serialize;

use super::readings::in_force;
use super::{LeftOut, StudyGroup, StudyPatient, percent};
use crate::cohort::MeasurementRow;
use crate::criteria::enhancement::{EnhancementTable, SiteFinding, SiteStudy, StudyKind, enhancement_response};
use crate::criteria::response::TargetResponse;
use crate::lesion::LesionId;
use crate::reads::Coded;
use crate::time::{Date, Days};
use crate::treatment::CycleRule;
use crate::visit_id::VisitId;

/// Treated lesions with one response (`table_lesion_response.csv`).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LesionResponseRow {
    /// Group.
    pub group: String,
    /// `CR`, `PR`, `SD`, `PD`.
    pub response: &'static str,
    /// Treated lesions with it.
    pub n: usize,
    /// Treated lesions judged.
    pub n_of: usize,
    /// Share, percent.
    pub percent: Option<f64>,
    /// Treated lesions that could not be judged.
    pub n_not_evaluable: usize,
    /// Why, with counts.
    pub reasons: String,
}

impl LesionResponseRow {
    /// Names of the columns, in order.
    pub const COLUMNS: &'static [&'static str] =
        &["group", "response", "n", "n_of", "percent", "n_not_evaluable", "reasons"];
}

/// From best to worst.
const LEVELS: [TargetResponse; 4] =
    [TargetResponse::Complete, TargetResponse::Partial, TargetResponse::Stable, TargetResponse::Progressive];

/// The four levels in every group, by the rules of the table.
pub fn lesion_responses(
    groups: &[StudyGroup<'_>],
    rule: CycleRule,
    table: &EnhancementTable,
) -> Vec<LesionResponseRow> {
    groups.iter().flat_map(|group| of_group(group, rule, table)).collect()
}

fn of_group(group: &StudyGroup<'_>, rule: CycleRule, table: &EnhancementTable) -> Vec<LesionResponseRow> {
    let (mut found, mut left): (Vec<TargetResponse>, _) = (Vec::new(), LeftOut::default());
    for patient in &group.patients {
        let (sessions, _) = patient.course(rule);
        for lesion in patient.first_targets(rule) {
            let Some(session) = sessions.iter().find(|session| session.target_lesions.contains(&lesion)) else {
                left.add("not treated");
                continue;
            };
            let answer = enhancement_response(&studies(patient, &lesion, session.date), table);
            match answer.response {
                TargetResponse::NotEvaluable => left.add(answer.why),
                response => found.push(response),
            }
        }
    }
    let row = |response: TargetResponse| {
        let n = found.iter().filter(|one| **one == response).count();
        LesionResponseRow {
            group: group.name.clone(),
            response: response.as_str(),
            n,
            n_of: found.len(),
            percent: percent(n, found.len()),
            n_not_evaluable: left.n(),
            reasons: left.reasons(),
        }
    };
    LEVELS.map(row).to_vec()
}

/// Every study of the site after treatment. Where a reader coded one, the images of that visit are not asked.
fn studies(patient: &StudyPatient<'_>, lesion: &LesionId, treated: Date) -> Vec<SiteStudy> {
    let mut studies = Vec::new();
    let mut read: Vec<VisitId> = Vec::new();
    for reading in in_force(patient) {
        if let (Coded::Site(kind, finding), true) = (reading.coded, reading.row.lesion_id == lesion.as_str()) {
            read.push(reading.visit);
            studies.push(SiteStudy { kind, days_after: Days::between(treated, reading.visit.date()).0, finding });
        }
    }
    let own: Vec<&MeasurementRow> =
        patient.measurements.iter().filter(|row| row.lesion_id == lesion.as_str()).collect();
    for visit in patient.visits.iter().filter(|visit| visit.date() > treated && !read.contains(visit)) {
        let days_after = Days::between(treated, visit.date()).0;
        let before = |quantity: &str| value_before(&own, quantity, treated);
        let now: Vec<&MeasurementRow> = own.iter().filter(|row| row.visit == *visit).copied().collect();
        if now.is_empty() {
            continue;
        }
        let is_node = patient.lesions.iter().any(|row| row.lesion_id == lesion.as_str() && row.kind == "node");
        studies.push(SiteStudy { kind: StudyKind::Ct, days_after, finding: by_size(&now, before, is_node) });
        if let Some(finding) = by_uptake(&now, before) {
            studies.push(SiteStudy { kind: StudyKind::Pet, days_after, finding: Some(finding) });
        }
    }
    studies
}

fn value_at(rows: &[&MeasurementRow], quantity: &str) -> Option<f64> {
    rows.iter().find(|row| row.quantity == quantity && row.evaluable).and_then(|row| row.value)
}

/// The last value up to the treatment.
fn value_before(rows: &[&MeasurementRow], quantity: &str, treated: Date) -> Option<f64> {
    let own = rows.iter().filter(|row| row.quantity == quantity && row.evaluable);
    let fits = own.filter(|row| row.visit <= VisitId::first(treated));
    fits.max_by_key(|row| row.visit).and_then(|row| row.value).filter(|value| *value > 0.0)
}

fn by_size(now: &[&MeasurementRow], before: impl Fn(&str) -> Option<f64>, is_node: bool) -> Option<SiteFinding> {
    if now.iter().any(|row| matches!(row.state.as_str(), "ablated" | "absent")) {
        return Some(SiteFinding::Gone);
    }
    let whole = if is_node { "short_axis" } else { "long_axis" };
    let pair = |quantity: &str| Some((before(quantity)?, value_at(now, quantity)?));
    let (old, new) = pair("viable_long_axis").or_else(|| pair(whole))?;
    Some(match new / old {
        ratio if ratio <= 0.0 => SiteFinding::Gone,
        ratio if ratio <= 0.7 => SiteFinding::Less,
        ratio if ratio >= 1.2 => SiteFinding::More,
        _ => SiteFinding::Unchanged,
    })
}

/// That nothing is left above the background is for a reader to say.
fn by_uptake(now: &[&MeasurementRow], before: impl Fn(&str) -> Option<f64>) -> Option<SiteFinding> {
    let (old, new) = (before("suv_max")?, value_at(now, "suv_max")?);
    Some(match new / old {
        ratio if ratio <= 0.75 => SiteFinding::Less,
        ratio if ratio >= 1.25 => SiteFinding::More,
        _ => SiteFinding::Unchanged,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::Preset;
    use crate::modality::Modality;
    use crate::reads::{Outcome, ReadRow};
    use crate::study::groups;
    use crate::study::tests::{facts_with, patient, treated};
    use jiff::civil::date;

    fn measured(day: Date, quantity: &str, value: f64) -> MeasurementRow {
        MeasurementRow {
            patient_id: "1".to_owned(),
            lesion_id: "L1".to_owned(),
            visit: VisitId::first(day),
            date: day,
            quantity: quantity.to_owned(),
            value: Some(value),
            evaluable: true,
            state: "present".to_owned(),
            study_day: 0,
            series_role: String::new(),
            unit: String::new(),
            low: None,
            high: None,
            method: String::new(),
            reason: String::new(),
            caliper_lps_mm: String::new(),
            sop_instance_uid: String::new(),
        }
    }

    fn read(day: Date, value: &str) -> ReadRow {
        ReadRow {
            lesion_id: "L1".to_owned(),
            visit: day.to_string(),
            item: "site_response".to_owned(),
            value: value.to_owned(),
            outcome: Outcome::Applied,
            ..ReadRow::default()
        }
    }

    fn told(measurements: &[MeasurementRow], reads: &[ReadRow]) -> Vec<(&'static str, usize, usize)> {
        let visits = [date(2024, 1, 1), date(2024, 2, 20), date(2024, 4, 20)].map(VisitId::first);
        let facts = facts_with(vec![treated(date(2024, 1, 10), Modality::Ire, "L1")]);
        let one = StudyPatient { facts: Some(&facts), visits: &visits, measurements, reads, ..patient("1", "HCC") };
        let rule = Preset::built_in("narayanan2024").unwrap().cycle_rule;
        let table = EnhancementTable::built_in("narayanan2024_response").unwrap();
        let rows = lesion_responses(&groups(&[one]), rule, &table);
        rows.iter()
            .filter(|row| row.n > 0 || row.n_not_evaluable > 0)
            .map(|row| (row.response, row.n, row.n_not_evaluable))
            .collect()
    }

    #[test]
    fn the_viable_diameter_goes_before_the_whole_one() {
        let day = date(2024, 2, 20);
        let whole = [measured(date(2024, 1, 1), "long_axis", 20.0), measured(day, "long_axis", 30.0)];
        assert_eq!(told(&whole, &[]), [("PD", 1, 0)]);
        let viable = [measured(date(2024, 1, 1), "viable_long_axis", 20.0), measured(day, "viable_long_axis", 10.0)];
        assert_eq!(told(&[whole.clone(), viable].concat(), &[]), [("PR", 1, 0)]);
        let gone = [measured(date(2024, 1, 1), "viable_long_axis", 20.0), measured(day, "viable_long_axis", 0.0)];
        assert_eq!(told(&[whole, gone].concat(), &[]), [("CR", 1, 0)]);
    }

    #[test]
    fn a_pet_counts_from_three_months_on() {
        let uptake = |day: Date, suv: f64| measured(day, "suv_max", suv);
        let early = [uptake(date(2024, 1, 1), 8.0), uptake(date(2024, 2, 20), 4.0)];
        let none = told(&early, &[]);
        assert!(none.iter().all(|(_, n, left)| (*n, *left) == (0, 1)), "{none:?}");
        let late = [uptake(date(2024, 1, 1), 8.0), uptake(date(2024, 4, 20), 12.0)];
        assert_eq!(told(&late, &[]), [("PD", 1, 0)]);
    }

    #[test]
    fn a_reader_goes_before_the_images_of_that_visit() {
        let day = date(2024, 2, 20);
        let whole = [measured(date(2024, 1, 1), "long_axis", 20.0), measured(day, "long_axis", 30.0)];
        assert_eq!(told(&whole, &[read(day, "mr none")]), [("CR", 1, 0)]);
        assert_eq!(
            told(&whole, &[read(day, "ct unchanged"), read(day, "ct more")]),
            [("PD", 1, 0)],
            "the worst of a day"
        );
        let left = told(&whole, &[read(day, "ct not_assessable")]);
        assert!(left.iter().all(|(_, n, left)| (*n, *left) == (0, 1)), "{left:?}");
    }
}
