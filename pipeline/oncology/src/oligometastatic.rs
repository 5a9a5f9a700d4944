//! Oligometastatic state by count, and lesions that shrink although nothing was done to them.
//!
//! Source: Guckenberger et al. 2020 (ESTRO and EORTC) and Lievens et al. 2020 (ESTRO and ASTRO) for one to five metastases;
//! abscopal: Mole 1953, shrinkage of a lesion that was not treated, without systemic therapy.

use serde::{Deserialize, Serialize};

use crate::criteria::size::counted;
use crate::criteria::table::CriterionTable;
use crate::criteria::{ResponseInput, TrackedLesion};
use crate::exact::Exact;
use crate::lesion::{LesionId, LesionState, Organ, Size};
use crate::time::Date;
use crate::treatment::ClinicalFacts;

/// Most metastases, and organs, of the oligometastatic state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OligometastaticRule {
    /// Lesions (Lievens 2020: one to five).
    pub max_lesions: usize,
    /// Organs; `None` for any number.
    pub max_organs: Option<usize>,
}

/// Up to five lesions in any number of organs.
pub const ESTRO_ASTRO_2020: OligometastaticRule = OligometastaticRule { max_lesions: 5, max_organs: None };

/// Tumour burden at one visit by count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Burden {
    /// No lesion is seen.
    NoneSeen,
    /// As many as the rule allows.
    Oligometastatic {
        /// Lesions.
        n_lesions: usize,
        /// Organs.
        n_organs: usize,
    },
    /// More.
    Polymetastatic {
        /// Lesions.
        n_lesions: usize,
        /// Organs.
        n_organs: usize,
    },
    /// A lesion could not be judged, and it decides.
    NotEvaluable(String),
}

/// The burden at a visit: lesions present, residual or progressing; ablated ones do not count.
pub fn burden(input: &ResponseInput, at: usize, rule: OligometastaticRule) -> Burden {
    let state = |lesion: &TrackedLesion| lesion.visits[at].state;
    let is_seen = |lesion: &&TrackedLesion| {
        matches!(state(lesion), LesionState::Present | LesionState::Residual | LesionState::LocalProgression)
    };
    let is_open = |lesion: &&TrackedLesion| matches!(state(lesion), LesionState::NotEvaluable | LesionState::Uncertain);
    let known: Vec<&TrackedLesion> = input.lesions.iter().filter(|lesion| lesion.first_seen <= at).collect();
    let seen: Vec<&TrackedLesion> = known.iter().copied().filter(is_seen).collect();
    let open: Vec<&TrackedLesion> = known.iter().copied().filter(is_open).collect();
    let organs = |lesions: &[&TrackedLesion]| {
        let mut organs: Vec<&Organ> = lesions.iter().map(|lesion| &lesion.organ).collect();
        organs.sort();
        organs.dedup();
        organs.len()
    };
    let fits = |lesions: &[&TrackedLesion]| {
        lesions.len() <= rule.max_lesions && rule.max_organs.is_none_or(|most| organs(lesions) <= most)
    };
    let (n_lesions, n_organs) = (seen.len(), organs(&seen));
    let most: Vec<&TrackedLesion> = seen.iter().chain(&open).copied().collect();
    if !fits(&seen) {
        Burden::Polymetastatic { n_lesions, n_organs }
    } else if !open.is_empty() && (!fits(&most) || seen.is_empty()) {
        let names: Vec<&str> = open.iter().map(|lesion| lesion.id.as_str()).collect();
        Burden::NotEvaluable(format!("{} cannot be judged at this visit", names.join(", ")))
    } else if seen.is_empty() {
        Burden::NoneSeen
    } else {
        Burden::Oligometastatic { n_lesions, n_organs }
    }
}

/// An untreated lesion that shrank.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AbscopalCandidate {
    /// Which lesion.
    pub lesion: LesionId,
    /// Visit that shows it.
    pub date: Date,
    /// Size at the last visit up to the first local treatment, mm.
    pub before_mm: Exact,
    /// Size now, mm; 0 when gone.
    pub after_mm: Exact,
    /// A sentence for the reader who decides.
    pub why: String,
}

/// Lesions never treated themselves that shrank by the criterion's partial response after another lesion was treated, in a
/// patient without systemic therapy before that visit. A candidate is for a reader to judge, never a finding.
pub fn abscopal_candidates(
    input: &ResponseInput,
    clinical: &ClinicalFacts,
    table: &CriterionTable,
) -> Vec<AbscopalCandidate> {
    let local = clinical.treatments.iter().filter(|treatment| treatment.modality.is_locoregional());
    let Some(first_local) = local.map(|treatment| treatment.date).min() else { return Vec::new() };
    let systemic = clinical.treatments.iter().filter(|treatment| !treatment.modality.is_locoregional());
    let first_systemic = systemic.map(|treatment| treatment.date).min();
    let candidate = |lesion: &TrackedLesion| {
        let is_treated = !lesion.treated_dates.is_empty()
            || clinical.treatments.iter().any(|treatment| treatment.target_lesions.contains(&lesion.id));
        let size = |at: usize| match &lesion.visits[at].size {
            Size::Measured(_) | Size::Absent => counted(&lesion.visits[at].size, &table.thresholds).ok(),
            _ => None,
        };
        let last_before =
            (lesion.first_seen..input.visits.len()).rfind(|at| input.visits[*at].date() <= first_local)?;
        let is_lesion = !is_treated && !lesion.in_doubt.contains(&last_before);
        let before = size(last_before).filter(|size| is_lesion && *size > Exact::ZERO)?;
        let kept = 100 - i64::from(table.thresholds.pr_decrease_percent.value);
        let shrank = |at: &usize| size(*at).is_some_and(|now| now.cmp_scaled(100, before, kept).is_le());
        let at = (last_before + 1..input.visits.len()).find(shrank)?;
        let date = input.visits[at].date();
        if first_systemic.is_some_and(|systemic| systemic <= date) {
            return None;
        }
        let after = size(at)?;
        let why = format!(
            "never treated, {before} → {after} mm after local treatment elsewhere on {first_local}, no systemic therapy recorded before {date}: for a reader to judge"
        );
        Some(AbscopalCandidate { lesion: lesion.id.clone(), date, before_mm: before, after_mm: after, why })
    };
    let mut candidates: Vec<AbscopalCandidate> = input.lesions.iter().filter_map(candidate).collect();
    candidates.sort_by(|a, b| a.lesion.cmp(&b.lesion));
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::criteria::{LesionVisit, VisitInfo};
    use crate::lesion::LesionKind;
    use crate::modality::Modality;
    use crate::treatment::{DeathCause, Treatment};
    use crate::visit_id::VisitId;
    use jiff::civil::date;

    fn lesion(id: &str, sizes: [i32; 2]) -> TrackedLesion {
        let visit = |size: &i32| {
            let (size, state) = match size {
                0 => (Size::Absent, LesionState::Absent),
                mm => (Size::Measured(Exact::whole(*mm)), LesionState::Present),
            };
            LesionVisit { viable: size.clone(), size, state, scan_date: None, reader: None }
        };
        TrackedLesion::new(LesionId::new(id), Organ::Liver, LesionKind::Lesion, 0, sizes.iter().map(visit).collect())
    }

    fn patient(lesions: Vec<TrackedLesion>) -> ResponseInput {
        let visits =
            [date(2024, 1, 1), date(2024, 4, 1)].map(|date| VisitInfo { visit: VisitId::first(date), adequate: true });
        ResponseInput {
            patient_id: "P1".to_owned(),
            origin_date: None,
            visits: visits.to_vec(),
            lesions,
            markers: Vec::new(),
        }
    }

    fn treated(modality: Modality, day: Date, lesions: &[&str]) -> Treatment {
        Treatment {
            date: day,
            session: String::new(),
            cycle: None,
            modality,
            target_lesions: lesions.iter().map(|id| LesionId::new(*id)).collect(),
            complication_grade: String::new(),
        }
    }

    #[test]
    fn five_are_few_six_are_many_and_an_unseen_one_may_decide() {
        let five: Vec<TrackedLesion> = (1..6).map(|n| lesion(&format!("L{n}"), [12, 12])).collect();
        let mut input = patient(five);
        assert_eq!(burden(&input, 1, ESTRO_ASTRO_2020), Burden::Oligometastatic { n_lesions: 5, n_organs: 1 });
        input.lesions.push(lesion("L6", [12, 12]));
        assert_eq!(burden(&input, 1, ESTRO_ASTRO_2020), Burden::Polymetastatic { n_lesions: 6, n_organs: 1 });
        input.lesions[5].visits[1].state = LesionState::NotEvaluable;
        assert!(matches!(burden(&input, 1, ESTRO_ASTRO_2020), Burden::NotEvaluable(_)));
        assert_eq!(burden(&patient(vec![lesion("L1", [12, 0])]), 1, ESTRO_ASTRO_2020), Burden::NoneSeen);
    }

    #[test]
    fn shrinkage_without_any_therapy_of_its_own_is_a_candidate() {
        let table = CriterionTable::built_in("recist_1_1").unwrap();
        let input = patient(vec![lesion("L1", [30, 10]), lesion("L2", [20, 14]), lesion("L3", [20, 15])]);
        let mut clinical = ClinicalFacts {
            patient_id: "P1".to_owned(),
            death_date: None,
            death_cause: DeathCause::Unknown,
            last_contact_date: None,
            treatments: vec![treated(Modality::Ire, date(2024, 1, 10), &["L1"])],
        };
        let found = abscopal_candidates(&input, &clinical, &table);
        assert_eq!(found.iter().map(|one| one.lesion.as_str()).collect::<Vec<_>>(), ["L2"]);
        let mut doubted = input.clone();
        doubted.lesions[1].in_doubt = [0].into();
        assert_eq!(abscopal_candidates(&doubted, &clinical, &table), [], "perhaps it was none");
        clinical.treatments.push(treated(Modality::Systemic, date(2024, 2, 1), &[]));
        assert_eq!(abscopal_candidates(&input, &clinical, &table), []);
    }
}
