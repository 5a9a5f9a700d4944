//! Metabolic response by the EORTC recommendations of 1999.
//!
//! Source: Young et al. 1999; tables of PMC4377159 and PMC7046919.

use serde::{Deserialize, Serialize};

use super::change::{Limit, has_fallen, has_risen, signed_percent};
use super::family::FamilyTable;
use super::metabolic::MetabolicResponse;
use super::percist::Finding;
use super::reasoned::Reasoned;
use super::sourced::section;
use crate::exact::Exact;

/// Which limit a partial response must reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartialRule {
    /// That of the first cycle after one cycle, the later one afterwards.
    ByCycles,
    /// That of the first cycle always.
    FirstCycleAlways,
}

section!(
    /// The numbers of the EORTC criteria, percent.
    EortcRules {
        /// Increase of SUV that makes progression.
        pmd_increase_percent: Exact,
        /// Whether reaching it exactly does.
        pmd_comparison: Limit,
        /// Increase of the extent of uptake that must be exceeded for progression.
        extent_increase_percent: Exact,
        /// Decrease that makes a partial response after one cycle (inclusive).
        pmr_first_cycle_percent: Exact,
        /// Decrease that must be exceeded for it later.
        pmr_later_percent: Exact,
        /// Which of the two applies.
        pmr_rule: PartialRule,
    }
);

/// The EORTC criteria.
pub type EortcTable = FamilyTable<EortcRules>;

/// One pair of scans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EortcInput {
    /// SUV at baseline (hottest lesion, or the sum the protocol names).
    pub baseline_suv: Exact,
    /// The same now.
    pub follow_up_suv: Exact,
    /// Cycles of chemotherapy given in between.
    pub n_cycles: u32,
    /// What is seen.
    pub finding: Finding,
    /// Largest extent of uptake at baseline and now, mm, where measured.
    pub extent_mm: Option<(Exact, Exact)>,
}

/// The response with its reason.
pub fn eortc(input: &EortcInput, table: &EortcTable) -> Reasoned<MetabolicResponse> {
    use MetabolicResponse::{Complete, NotEvaluable, Partial, Progressive, Stable};
    let rules = &table.rules;
    let (before, now) = (input.baseline_suv, input.follow_up_suv);
    if input.finding == Finding::NewLesion {
        return Reasoned::new(Progressive, "new lesion with uptake: PMD", "PMD would fall if it were no tumour");
    }
    if before == Exact::ZERO {
        return Reasoned::new(NotEvaluable, "no uptake at baseline to compare with: NE", "");
    }
    let told = format!("SUV {before} → {now} ({})", signed_percent(now, before));
    let is_first = input.n_cycles <= 1 || rules.pmr_rule.value == PartialRule::FirstCycleAlways;
    let (fall, limit) = if is_first {
        (rules.pmr_first_cycle_percent.value, Limit::AtLeast)
    } else {
        (rules.pmr_later_percent.value, Limit::MoreThan)
    };
    let rise = rules.pmd_increase_percent.value;
    let at = |percent: f64| before.to_f64() * (1.0 + percent / 100.0);
    let flips = format!("PMR near SUV {:.2}, PMD near {:.2}", at(-fall.to_f64()), at(rise.to_f64()));
    if has_risen(now, before, rise, rules.pmd_comparison.value) {
        return Reasoned::new(Progressive, format!("{told}, limit {rise} % up: PMD"), flips);
    }
    let extent = rules.extent_increase_percent.value;
    if let Some((old, new)) = input.extent_mm.filter(|(old, new)| has_risen(*new, *old, extent, Limit::MoreThan)) {
        return Reasoned::new(
            Progressive,
            format!("extent of uptake {} (> {extent} %): PMD", signed_percent(new, old)),
            flips,
        );
    }
    if input.finding == Finding::AllAtBackground {
        return Reasoned::new(
            Complete,
            format!("{told}; uptake as in the background: CMR"),
            "CMR would end with uptake above background",
        );
    }
    let cycles = if input.n_cycles == 1 { "1 cycle".to_owned() } else { format!("{} cycles", input.n_cycles) };
    if has_fallen(now, before, fall, limit) {
        return Reasoned::new(Partial, format!("{told}, limit {fall} % down after {cycles}: PMR"), flips);
    }
    Reasoned::new(Stable, format!("{told}, neither {fall} % down after {cycles} nor {rise} % up: SMD"), flips)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(n_cycles: u32, before: &str, now: &str) -> MetabolicResponse {
        let input = EortcInput {
            baseline_suv: before.parse().unwrap(),
            follow_up_suv: now.parse().unwrap(),
            n_cycles,
            finding: Finding::Uptake,
            extent_mm: None,
        };
        eortc(&input, &EortcTable::built_in("eortc_1999").unwrap()).response
    }

    #[test]
    fn the_limit_of_a_partial_response_depends_on_the_cycles() {
        assert_eq!(after(1, "8", "6.8"), MetabolicResponse::Partial);
        assert_eq!(after(1, "8", "6.81"), MetabolicResponse::Stable);
        assert_eq!(after(3, "8", "6.8"), MetabolicResponse::Stable);
        assert_eq!(after(3, "8", "6"), MetabolicResponse::Stable);
        assert_eq!(after(3, "8", "5.99"), MetabolicResponse::Partial);
    }

    #[test]
    fn progression_must_exceed_a_quarter() {
        assert_eq!(after(3, "8", "10"), MetabolicResponse::Stable);
        assert_eq!(after(3, "8", "10.000001"), MetabolicResponse::Progressive);
        assert_eq!(after(3, "0", "1"), MetabolicResponse::NotEvaluable);
    }
}
