//! Deauville five-point score by uptake values, and the Lugano class it leads to.
//!
//! Source: Barrington et al. 2014 (score); Cheson et al. 2014 (classes).

use super::family::FamilyTable;
use super::metabolic::MetabolicResponse;
use super::reasoned::Reasoned;
use super::sourced::section;
use crate::exact::Exact;

section!(
    /// The number of the Deauville score.
    DeauvilleRules {
        /// Score 5 above this many times the liver's largest SUV.
        markedly_factor: u32,
        /// Change of the hottest lesion's SUV from which it counts as more or less, percent.
        uptake_change_percent: Exact,
    }
);

/// The Deauville score.
pub type DeauvilleTable = FamilyTable<DeauvilleRules>;

/// What is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LymphomaFinding {
    /// Known lesions only.
    Known,
    /// A new lesion likely to be lymphoma.
    NewLesion,
    /// The uptake is unlikely to be lymphoma.
    Unrelated,
}

/// Largest SUVs; `lesion` is `None` where there is no uptake above background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uptake {
    /// The hottest lesion.
    pub lesion: Option<Exact>,
    /// Mediastinal blood pool; `None` where it was not measured.
    pub mediastinum: Option<Exact>,
    /// Liver.
    pub liver: Exact,
    /// What is seen.
    pub finding: LymphomaFinding,
}

/// The score: 1 to 5, or X.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deauville {
    /// 1 to 5.
    Score(u8),
    /// New uptake unlikely to be related to lymphoma.
    X,
}

/// The score with its reason. Where the blood pool is not below the liver, or not known, only the liver is compared with.
pub fn deauville(uptake: &Uptake, table: &DeauvilleTable) -> Reasoned<Deauville> {
    let of = |score: u8, why: String| Reasoned::new(Deauville::Score(score), why, "");
    match uptake.finding {
        LymphomaFinding::NewLesion => return of(5, "new lesion: 5".to_owned()),
        LymphomaFinding::Unrelated => return Reasoned::new(Deauville::X, "uptake unlikely to be lymphoma: X", ""),
        LymphomaFinding::Known => {}
    }
    let Some(lesion) = uptake.lesion else { return of(1, "no uptake above background: 1".to_owned()) };
    let (pool, liver) = (uptake.mediastinum, uptake.liver);
    if let Some(pool) = pool.filter(|pool| *pool < liver && lesion <= *pool) {
        return of(2, format!("SUVmax {lesion} ≤ mediastinum {pool}: 2"));
    }
    if lesion <= liver && pool.is_none() {
        return of(3, format!("SUVmax {lesion} ≤ liver {liver}: 3 at most (the blood pool was not measured)"));
    }
    if lesion <= liver {
        return of(3, format!("SUVmax {lesion} ≤ liver {liver}: 3"));
    }
    let factor = table.rules.markedly_factor.value;
    if lesion.cmp_scaled(1, liver, i64::from(factor)).is_gt() {
        return of(5, format!("SUVmax {lesion} > {factor} × liver {liver}: 5"));
    }
    of(4, format!("SUVmax {lesion} > liver {liver}, not above {factor} times it: 4"))
}

/// Uptake against baseline, as read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UptakeChange {
    /// Less.
    Decreased,
    /// No significant change.
    Unchanged,
    /// More, or new lesions.
    Increased,
}

/// The Lugano class; `X` alone says nothing.
pub fn lugano(score: Deauville, change: UptakeChange) -> MetabolicResponse {
    match (score, change) {
        (Deauville::X, _) => MetabolicResponse::NotEvaluable,
        (Deauville::Score(..=3), _) => MetabolicResponse::Complete,
        (_, UptakeChange::Decreased) => MetabolicResponse::Partial,
        (_, UptakeChange::Unchanged) => MetabolicResponse::NoResponse,
        (_, UptakeChange::Increased) => MetabolicResponse::Progressive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(lesion: &str, mediastinum: &str, liver: &str) -> Deauville {
        let of = |text: &str| text.parse::<Exact>().unwrap();
        let uptake = Uptake {
            lesion: Some(of(lesion)),
            mediastinum: Some(of(mediastinum)),
            liver: of(liver),
            finding: LymphomaFinding::Known,
        };
        deauville(&uptake, &DeauvilleTable::built_in("deauville").unwrap()).response
    }

    #[test]
    fn scores_at_their_limits() {
        let scores = ["1.5", "1.6", "2.4", "2.5", "4.8", "4.9"].map(|lesion| score(lesion, "1.5", "2.4"));
        assert_eq!(scores, [2, 3, 3, 4, 4, 5].map(Deauville::Score));
        assert_eq!(score("2", "2.5", "2.4"), Deauville::Score(3), "blood pool above the liver");
    }

    #[test]
    fn without_a_blood_pool_the_liver_decides_and_it_is_said() {
        let of = |text: &str| text.parse::<Exact>().unwrap();
        let known =
            Uptake { lesion: Some(of("1.5")), mediastinum: None, liver: of("2.4"), finding: LymphomaFinding::Known };
        let told = deauville(&known, &DeauvilleTable::built_in("deauville").unwrap());
        assert_eq!(told.response, Deauville::Score(3));
        assert!(told.why.contains("at most"), "{}", told.why);
    }

    #[test]
    fn classes_follow_score_and_change() {
        assert_eq!(lugano(Deauville::Score(3), UptakeChange::Increased), MetabolicResponse::Complete);
        assert_eq!(lugano(Deauville::Score(4), UptakeChange::Decreased), MetabolicResponse::Partial);
        assert_eq!(lugano(Deauville::Score(5), UptakeChange::Unchanged), MetabolicResponse::NoResponse);
    }
}
