//! Response by an area or a volume: EASL (enhancing area), qEASL (enhancing volume), vRECIST (whole volume).
//!
//! Source: Bruix et al. 2001 (EASL); Chapiro et al. 2014 (qEASL, vRECIST). Order of the rules: new enhancement, complete
//! response, growth against the best response, shrinkage against baseline, else stable.

use serde::Deserialize;

use super::change::{Limit, has_fallen, has_risen, raised, signed_percent};
use super::family::FamilyTable;
use super::reasoned::Reasoned;
use super::response::TargetResponse;
use super::sourced::section;
use crate::exact::Exact;

/// What is summed over the treated lesions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExtentQuantity {
    /// Sum of cross-products of enhancing tissue, mm².
    EnhancingArea,
    /// Volume of enhancing tissue, mm³.
    EnhancingVolume,
    /// Volume of the whole lesions, mm³.
    Volume,
}

impl ExtentQuantity {
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::EnhancingArea => ("enhancing area", "mm²"),
            Self::EnhancingVolume => ("enhancing volume", "mm³"),
            Self::Volume => ("volume", "mm³"),
        }
    }
}

section!(
    /// The numbers of a criterion by area or volume.
    ExtentRules {
        /// What is summed.
        quantity: ExtentQuantity,
        /// Decrease from baseline that makes a partial response, percent.
        pr_decrease_percent: u32,
        /// Increase from the best response that makes progression, percent.
        pd_increase_percent: u32,
        /// Whether reaching that exactly is progression.
        pd_comparison: Limit,
    }
);

/// EASL, qEASL or vRECIST.
pub type ExtentTable = FamilyTable<ExtentRules>;

/// Enhancement that was not there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewEnhancement {
    /// None.
    No,
    /// In a treated lesion, or a new lesion.
    Yes,
}

/// The sums of one patient, or of one lesion, in the unit of the quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// At baseline.
    pub baseline: Exact,
    /// Smallest at baseline or since, before now.
    pub nadir: Exact,
    /// Now; `None` when not evaluable.
    pub current: Option<Exact>,
    /// Enhancement that was not there before.
    pub new_enhancement: NewEnhancement,
}

/// The response with its reason.
pub fn extent_response(extent: &Extent, table: &ExtentTable) -> Reasoned<TargetResponse> {
    let (what, unit) = table.rules.quantity.value.words();
    if extent.new_enhancement == NewEnhancement::Yes {
        let flips = "PD would fall if the new enhancement were not tumour";
        return Reasoned::new(TargetResponse::Progressive, "new enhancement: PD", flips);
    }
    let Some(current) = extent.current else {
        return Reasoned::new(TargetResponse::NotEvaluable, format!("{what} not evaluable now: NE"), "");
    };
    if current == Exact::ZERO {
        return Reasoned::new(
            TargetResponse::Complete,
            format!("{what} 0 {unit}: CR"),
            "CR would end with any enhancement",
        );
    }
    let rules = &table.rules;
    let rise = percent(rules.pd_increase_percent.value);
    let fall = percent(rules.pr_decrease_percent.value);
    let limit = rules.pd_comparison.value;
    let pd_from = raised(extent.nadir, rise);
    let against_nadir = format!("{} against the best {} {unit}", signed_percent(current, extent.nadir), extent.nadir);
    if has_risen(current, extent.nadir, rise, limit) {
        let why = format!("{what} {current} {unit}, {against_nadir} ({} {rise} %): PD", sign(limit));
        return Reasoned::new(
            TargetResponse::Progressive,
            why,
            format!("PD would fall at {pd_from:.2} {unit} or less"),
        );
    }
    if extent.baseline == Exact::ZERO {
        let why = format!("nothing to compare with: {what} 0 {unit} at baseline: NE");
        return Reasoned::new(TargetResponse::NotEvaluable, why, "");
    }
    let against_baseline = format!(
        "{what} {current} {unit}, {} against baseline {}",
        signed_percent(current, extent.baseline),
        extent.baseline
    );
    let pr_from = extent.baseline.to_f64() * (1.0 - fall.to_f64() / 100.0);
    if has_fallen(current, extent.baseline, fall, Limit::AtLeast) {
        let flips = format!("PR would become SD above {pr_from:.2} {unit}, PD from {pd_from:.2} {unit}");
        return Reasoned::new(TargetResponse::Partial, format!("{against_baseline} (≥ {fall} % down): PR"), flips);
    }
    let why =
        format!("{against_baseline}, {against_nadir}: neither ≥ {fall} % down nor {} {rise} % up: SD", sign(limit));
    let flips = format!("SD would become PR at {pr_from:.2} {unit} or less, PD from {pd_from:.2} {unit}");
    Reasoned::new(TargetResponse::Stable, why, flips)
}

fn percent(value: u32) -> Exact {
    Exact::from_millionths(i64::from(value) * 1_000_000)
}

const fn sign(limit: Limit) -> &'static str {
    match limit {
        Limit::AtLeast => "≥",
        Limit::MoreThan => ">",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(id: &str, baseline: &str, nadir: &str, current: &str) -> TargetResponse {
        let of = |text: &str| text.parse::<Exact>().unwrap();
        let extent = Extent {
            baseline: of(baseline),
            nadir: of(nadir),
            current: Some(of(current)),
            new_enhancement: NewEnhancement::No,
        };
        extent_response(&extent, &ExtentTable::built_in(id).unwrap()).response
    }

    #[test]
    fn easl_at_its_limits() {
        assert_eq!(by("easl", "1200", "1200", "600.000001"), TargetResponse::Stable);
        assert_eq!(by("easl", "1200", "600", "750"), TargetResponse::Stable);
        assert_eq!(by("easl", "1200", "400", "500.01"), TargetResponse::Progressive);
        assert_eq!(by("easl", "1200", "0", "1"), TargetResponse::Progressive);
        assert_eq!(by("easl", "1200", "600", "0"), TargetResponse::Complete);
    }

    #[test]
    fn a_volume_falls_by_sixty_five_and_rises_by_seventy_three() {
        for id in ["qeasl", "vrecist"] {
            assert_eq!(by(id, "1000", "1000", "350"), TargetResponse::Partial);
            assert_eq!(by(id, "1000", "1000", "350.1"), TargetResponse::Stable);
            assert_eq!(by(id, "1000", "500", "865"), TargetResponse::Progressive);
            assert_eq!(by(id, "1000", "500", "864.9"), TargetResponse::Stable);
        }
    }

    #[test]
    fn new_enhancement_wins_and_nothing_at_baseline_is_not_evaluable() {
        let table = ExtentTable::built_in("easl").unwrap();
        let none = Extent {
            baseline: Exact::whole(900),
            nadir: Exact::whole(900),
            current: Some(Exact::ZERO),
            new_enhancement: NewEnhancement::Yes,
        };
        assert_eq!(extent_response(&none, &table).response, TargetResponse::Progressive);
        let unseen = Extent { current: None, new_enhancement: NewEnhancement::No, ..none };
        assert_eq!(extent_response(&unseen, &table).response, TargetResponse::NotEvaluable);
    }
}
