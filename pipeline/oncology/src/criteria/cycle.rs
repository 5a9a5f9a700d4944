//! Response of a later treatment cycle, against a baseline of its own: the last imaging before the cycle, with the lesions it treats
//! as targets.
//!
//! Source: Xu et al. 2021, methods (response and time to progression of every cycle) and Table 2.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::patient::{AssessedVisit, ProgressionPart, ResponseError, ResponseInput, TrackedLesion, assess_once};
use super::table::CriterionTable;
use crate::cohort::AssessmentRow;
use crate::lesion::{LesionId, LesionRole, Size};
use crate::time::Date;
use crate::treatment::Cycle;

/// One cycle by one criterion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CycleResponse {
    /// Its number; the first is 1.
    pub cycle: u32,
    /// Criterion.
    pub criterion: String,
    /// From when its days count.
    pub origin: Date,
    /// Rows as in `assessments.csv`, the cycle's baseline first; none where `missing` says why.
    pub rows: Vec<AssessmentRow>,
    /// Its targets that grew, each at the first visit that shows it: visit of the patient and lesion.
    pub grown: Vec<(usize, LesionId)>,
    /// Why there is no response; empty where there is one.
    pub missing: String,
}

/// Assesses cycle `number` (from 1), which treats `treated`.
pub fn assess_cycle(
    input: &ResponseInput,
    table: &CriterionTable,
    (number, cycle, origin): (u32, &Cycle, Date),
    treated: &BTreeSet<LesionId>,
) -> Result<CycleResponse, ResponseError> {
    let blank = |missing: &str| CycleResponse {
        cycle: number,
        criterion: table.id.clone(),
        origin,
        rows: Vec::new(),
        grown: Vec::new(),
        missing: missing.to_owned(),
    };
    if treated.is_empty() {
        return Ok(blank("the cycle names no treated lesion"));
    }
    let Some(baseline) = input.visits.iter().rposition(|visit| visit.date() <= cycle.start) else {
        return Ok(blank("no imaging before the cycle"));
    };
    let own = from_visit(input, baseline, cycle.start, treated);
    if !own.lesions.iter().any(|lesion| lesion.first_seen == 0 && treated.contains(&lesion.id)) {
        return Ok(blank("no treated lesion is seen at the last imaging before the cycle"));
    }
    let result = assess_once(&own, table)?;
    let grown = grown(&result.visits, treated).into_iter().map(|(visit, lesion)| (visit + baseline, lesion)).collect();
    Ok(CycleResponse { rows: result.rows, grown, ..blank("") })
}

/// The patient from a visit on, with the cycle's lesions as targets.
fn from_visit(input: &ResponseInput, baseline: usize, start: Date, treated: &BTreeSet<LesionId>) -> ResponseInput {
    let lesion = |lesion: &TrackedLesion| {
        let visits = lesion.visits[baseline..].to_vec();
        let first_seen = visits.iter().position(|visit| visit.size != Size::Absent)?;
        let is_target = first_seen == 0 && treated.contains(&lesion.id);
        let excluded = lesion.reviewed_role.or(lesion.role_override) == Some(LesionRole::NotRecorded);
        let role_override = match (excluded, is_target) {
            (true, _) => Some(LesionRole::NotRecorded),
            (false, true) => Some(LesionRole::Target),
            (false, false) => None,
        };
        let in_doubt = lesion.in_doubt.iter().filter_map(|at| at.checked_sub(baseline)).collect();
        let unconfirmed =
            lesion.unconfirmed.iter().filter_map(|(at, why)| Some((at.checked_sub(baseline)?, why.clone()))).collect();
        let half_widths_mm =
            lesion.half_widths_mm.iter().filter_map(|(at, half)| Some((at.checked_sub(baseline)?, *half))).collect();
        let own = TrackedLesion { role_override, unconfirmed, in_doubt, first_seen, visits, ..lesion.clone() };
        Some(TrackedLesion { half_widths_mm, reviewed_role: None, ..own })
    };
    ResponseInput {
        patient_id: input.patient_id.clone(),
        origin_date: Some(start),
        visits: input.visits[baseline..].to_vec(),
        lesions: input.lesions.iter().filter_map(lesion).collect(),
        markers: input.markers.clone(),
    }
}

/// Treated lesions above their own smallest size since the cycle's baseline, each once.
fn grown(visits: &[AssessedVisit], treated: &BTreeSet<LesionId>) -> Vec<(usize, LesionId)> {
    let mut seen = BTreeSet::new();
    let mut grown = Vec::new();
    for visit in visits {
        for (lesion, part) in &visit.progressed {
            if *part == ProgressionPart::Target && treated.contains(lesion) && seen.insert(lesion.clone()) {
                grown.push((visit.visit, lesion.clone()));
            }
        }
    }
    grown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::criteria::input::{LesionVisit, VisitInfo};
    use crate::exact::Exact;
    use crate::lesion::{LesionKind, LesionState, Organ};
    use crate::visit_id::VisitId;
    use jiff::civil::date;

    fn lesion(id: &str, sizes: [Option<i32>; 5]) -> TrackedLesion {
        let visit = |size: Option<i32>| LesionVisit {
            size: size.map_or(Size::Absent, |mm| Size::Measured(Exact::whole(mm))),
            viable: Size::Absent,
            state: if size.is_some() { LesionState::Present } else { LesionState::Absent },
            scan_date: None,
            reader: None,
        };
        let first = sizes.iter().position(Option::is_some).unwrap();
        let visits = sizes.map(visit).to_vec();
        let mut lesion = TrackedLesion::new(LesionId::new(id), Organ::Liver, LesionKind::Lesion, first, visits);
        lesion.slice_mm = Some(Exact::whole(3));
        lesion
    }

    /// L1 treated in cycle 1; L2 appears at the third visit, is treated in cycle 2, shrinks and grows again.
    fn input() -> ResponseInput {
        let days = [date(2024, 1, 1), date(2024, 3, 1), date(2024, 5, 1), date(2024, 8, 1), date(2024, 11, 1)];
        ResponseInput {
            patient_id: "P".to_owned(),
            origin_date: Some(date(2024, 1, 5)),
            visits: days.map(|day| VisitInfo { visit: VisitId::first(day), adequate: true }).to_vec(),
            lesions: vec![
                lesion("L1", [Some(30), Some(20), Some(20), Some(20), Some(20)]),
                lesion("L2", [None, None, Some(20), Some(12), Some(19)]),
            ],
            markers: Vec::new(),
        }
    }

    #[test]
    fn what_is_said_of_visits_moves_with_them() {
        let mut input = input();
        input.lesions[0].in_doubt = [1, 3].into();
        input.lesions[0].half_widths_mm = [(0, Exact::whole(1)), (4, Exact::whole(2))].into();
        input.lesions[0].unconfirmed = [(2, "no arterial phase".to_owned())].into();
        let own = from_visit(&input, 2, date(2024, 5, 5), &BTreeSet::new());
        assert_eq!(own.lesions[0].in_doubt, [1].into());
        assert_eq!(own.lesions[0].half_widths_mm, [(2, Exact::whole(2))].into());
        assert_eq!(own.lesions[0].unconfirmed, [(0, "no arterial phase".to_owned())].into());
    }

    fn second(input: &ResponseInput, treated: &[&str], start: Date) -> CycleResponse {
        let table = CriterionTable::built_in("xu2021_recist").unwrap();
        let cycle = Cycle { sessions: vec![1], start, completion: start };
        let treated = treated.iter().map(|id| LesionId::new(*id)).collect();
        assess_cycle(input, &table, (2, &cycle, start), &treated).unwrap()
    }

    #[test]
    fn a_later_cycle_has_its_own_baseline_and_targets() {
        let found = second(&input(), &["L2"], date(2024, 5, 10));
        let told: Vec<(Option<f64>, &str)> = found.rows.iter().map(|row| (row.sum_mm, row.overall.as_str())).collect();
        assert_eq!(told, [(Some(20.0), ""), (Some(12.0), "PR"), (Some(19.0), "PD")]);
        assert_eq!(found.grown, [(4, LesionId::new("L2"))], "at the patient's fifth visit, not the cycle's third");
    }

    #[test]
    fn a_cycle_that_cannot_be_judged_says_why() {
        assert!(second(&input(), &[], date(2024, 5, 10)).missing.contains("names no"));
        assert!(second(&input(), &["L2"], date(2023, 5, 10)).missing.contains("no imaging before"));
        assert!(second(&input(), &["L2"], date(2024, 3, 10)).missing.contains("no treated lesion is seen"));
    }
}
