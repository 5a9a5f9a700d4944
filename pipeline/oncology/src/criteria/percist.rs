//! Metabolic response by PERCIST 1.0: the hottest lesion of each scan, which may be another lesion each time.
//!
//! Source: Wahl et al. 2009; quality limits as in the tables of PMC4377159. SUL is uptake by lean body mass.

use serde::{Deserialize, Serialize};

use super::change::{Limit, has_fallen, has_risen, signed_percent};
use super::family::FamilyTable;
use super::metabolic::MetabolicResponse;
use super::reasoned::Reasoned;
use super::sourced::section;
use crate::evaluable::Evaluable;
use crate::exact::Exact;
use crate::measure::metabolic_volume::MetabolicThreshold;

/// Whether a change must reach an absolute amount besides the percentage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AbsoluteChange {
    /// It must.
    Required,
    /// The percentage alone decides.
    Ignored,
}

section!(
    /// The numbers of PERCIST.
    PercistRules {
        /// Change of the hottest SULpeak, percent.
        change_percent: Exact,
        /// And its least amount, SUL.
        change_sul: Exact,
        /// Whether that amount is needed.
        absolute_change: AbsoluteChange,
        /// Whether reaching the percentage exactly counts.
        change_comparison: Limit,
        /// Increase of total lesion glycolysis that must be exceeded for progression, percent.
        tlg_increase_percent: Exact,
        /// From which uptake a voxel counts for it.
        tlg_threshold: MetabolicThreshold,
        /// Measurable from this many times the liver's mean,
        liver_factor: Exact,
        /// plus this many of its standard deviations.
        liver_sd_factor: Exact,
        /// In diseased liver: times the blood pool's mean,
        blood_pool_factor: Exact,
        /// plus its standard deviations.
        blood_pool_sd_factor: Exact,
        /// Most by which the liver's mean may differ between the scans, percent,
        liver_change_percent: Exact,
        /// and SUL (it must stay below).
        liver_change_sul: Exact,
        /// Most by which the times from injection to scan may differ, minutes.
        uptake_difference_min: Exact,
        /// Most lesions of the secondary measure.
        max_lesions: u32,
        /// Most of them in one organ.
        max_lesions_per_organ: u32,
    }
);

/// PERCIST.
pub type PercistTable = FamilyTable<PercistRules>;

/// What is seen on the follow-up scan beside numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// Uptake above background in known lesions.
    Uptake,
    /// All lesions below the liver's mean and like the background around them.
    AllAtBackground,
    /// A new lesion typical of cancer.
    NewLesion,
}

/// One pair of scans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PercistInput {
    /// SULpeak of the hottest lesion at baseline.
    pub baseline_sul_peak: Exact,
    /// SULpeak of the hottest lesion now; why not, where it cannot be compared (quality control).
    pub follow_up_sul_peak: Evaluable<Exact>,
    /// What is seen.
    pub finding: Finding,
    /// Total lesion glycolysis at baseline and now, ml·SUL, where measured. It counts where SULpeak has not fallen.
    pub tlg: Option<(Exact, Exact)>,
}

/// The response with its reason. A new lesion needs no number; the rest is not evaluable where the scans do not compare.
pub fn percist(input: &PercistInput, table: &PercistTable) -> Reasoned<MetabolicResponse> {
    use MetabolicResponse::{Complete, NotEvaluable, Partial, Progressive, Stable};
    let rules = &table.rules;
    if input.finding == Finding::NewLesion {
        return Reasoned::new(Progressive, "new FDG-avid lesion: PMD", "PMD would fall if it were no tumour");
    }
    let now = match &input.follow_up_sul_peak {
        Evaluable::Value(now) => *now,
        Evaluable::NotEvaluable(reason) => return Reasoned::new(NotEvaluable, format!("{reason}: NE"), ""),
    };
    let before = input.baseline_sul_peak;
    let amount = if now > before { now - before } else { before - now };
    let is_large = rules.absolute_change.value == AbsoluteChange::Ignored || amount >= rules.change_sul.value;
    let (percent, limit) = (rules.change_percent.value, rules.change_comparison.value);
    let told = format!(
        "hottest SULpeak {before} → {now} ({}, {} SUL)",
        signed_percent(now, before),
        if now < before { format!("−{amount}") } else { format!("+{amount}") }
    );
    let needed = format!("{percent} % and {} SUL", rules.change_sul.value);
    let flips = flips(before, rules);
    if has_risen(now, before, percent, limit) && is_large {
        return Reasoned::new(Progressive, format!("{told}: up by {needed}: PMD"), flips);
    }
    let grown = |(old, new): &(Exact, Exact)| has_risen(*new, *old, rules.tlg_increase_percent.value, Limit::MoreThan);
    if let Some((tlg_before, tlg_now)) = input.tlg.filter(grown).filter(|_| now >= before) {
        let why = format!(
            "{told}; total lesion glycolysis {tlg_before} → {tlg_now} SUL·ml ({}, > {} %, voxels from {} on): PMD",
            signed_percent(tlg_now, tlg_before),
            rules.tlg_increase_percent.value,
            rules.tlg_threshold.value.words()
        );
        return Reasoned::new(Progressive, why, flips);
    }
    if input.finding == Finding::AllAtBackground {
        let why = format!("{told}; all lesions below the liver and like their background: CMR");
        return Reasoned::new(Complete, why, "CMR would end with any lesion above background");
    }
    if has_fallen(now, before, percent, limit) && is_large {
        return Reasoned::new(Partial, format!("{told}: down by {needed}: PMR"), flips);
    }
    Reasoned::new(Stable, format!("{told}: less than {needed}: SMD"), flips)
}

fn flips(before: Exact, rules: &PercistRules) -> String {
    let share = before.to_f64() * rules.change_percent.value.to_f64() / 100.0;
    let reach = match rules.absolute_change.value {
        AbsoluteChange::Required => share.max(rules.change_sul.value.to_f64()),
        AbsoluteChange::Ignored => share,
    };
    let up = format!("PMD from SULpeak {:.2}", before.to_f64() + reach);
    if reach <= before.to_f64() { format!("PMR at SULpeak {:.2} or less, {up}", before.to_f64() - reach) } else { up }
}

/// Mean and standard deviation of the reference region, SUL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference {
    /// 3 cm sphere in the right lobe of a healthy liver.
    Liver {
        /// Mean.
        mean: Exact,
        /// Standard deviation.
        sd: Exact,
    },
    /// Blood pool of the descending aorta, where the liver is diseased.
    BloodPool {
        /// Mean.
        mean: Exact,
        /// Standard deviation.
        sd: Exact,
    },
}

/// Whether the hottest lesion at baseline (SULpeak) is measurable against the reference region.
pub fn is_measurable(hottest: Exact, reference: Reference, table: &PercistTable) -> Reasoned<bool> {
    let rules = &table.rules;
    let (name, mean, sd, factor, sd_factor) = match reference {
        Reference::Liver { mean, sd } => ("liver", mean, sd, rules.liver_factor.value, rules.liver_sd_factor.value),
        Reference::BloodPool { mean, sd } => {
            ("blood pool", mean, sd, rules.blood_pool_factor.value, rules.blood_pool_sd_factor.value)
        }
    };
    let product = |a: Exact, b: Exact| i128::from(a.millionths()) * i128::from(b.millionths());
    let limit = product(factor, mean) + product(sd_factor, sd);
    let measurable = product(hottest, Exact::whole(1)) >= limit;
    let sign = if measurable { "≥" } else { "<" };
    let shown = factor.to_f64() * mean.to_f64() + sd_factor.to_f64() * sd.to_f64();
    let why = format!("SULpeak {hottest} {sign} {shown:.2} ({factor} × {name} mean {mean} + {sd_factor} × SD {sd})");
    Reasoned::new(measurable, why, "")
}

/// What two scans must share to be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanConditions {
    /// Mean of the liver, SUL.
    pub liver_sul: Exact,
    /// Time from injection to scan, minutes.
    pub uptake_min: Exact,
}

/// Why two scans must not be compared; empty when they may.
pub fn quality_faults(baseline: ScanConditions, follow_up: ScanConditions, table: &PercistTable) -> Vec<String> {
    let rules = &table.rules;
    let difference = |a: Exact, b: Exact| if a > b { a - b } else { b - a };
    let mut faults = Vec::new();
    let (old, new) = (baseline.liver_sul, follow_up.liver_sul);
    let percent = rules.liver_change_percent.value;
    if has_risen(new, old, percent, Limit::MoreThan) || has_fallen(new, old, percent, Limit::MoreThan) {
        faults.push(format!("the liver's SUL differs by {} (limit {percent} %)", signed_percent(new, old)));
    }
    if difference(new, old) >= rules.liver_change_sul.value {
        faults.push(format!(
            "the liver's SUL differs by {} (limit {})",
            difference(new, old),
            rules.liver_change_sul.value
        ));
    }
    let minutes = difference(baseline.uptake_min, follow_up.uptake_min);
    if minutes > rules.uptake_difference_min.value {
        faults.push(format!(
            "times from injection to scan differ by {minutes} min (limit {})",
            rules.uptake_difference_min.value
        ));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(text: &str) -> Exact {
        text.parse().unwrap()
    }

    fn response(before: &str, now: &str) -> MetabolicResponse {
        let input = PercistInput {
            baseline_sul_peak: exact(before),
            follow_up_sul_peak: Evaluable::Value(exact(now)),
            finding: Finding::Uptake,
            tlg: None,
        };
        percist(&input, &PercistTable::built_in("percist_1_0").unwrap()).response
    }

    #[test]
    fn both_the_share_and_the_amount_are_needed() {
        assert_eq!(response("6", "4.2"), MetabolicResponse::Partial);
        assert_eq!(response("6", "4.200001"), MetabolicResponse::Stable);
        // −40 %, but only −0.79.
        assert_eq!(response("1.975", "1.185"), MetabolicResponse::Stable);
        assert_eq!(response("2", "2.8"), MetabolicResponse::Progressive);
        assert_eq!(response("2", "2.79"), MetabolicResponse::Stable);
    }

    #[test]
    fn glycolysis_alone_can_progress_and_a_bad_scan_is_not_evaluable() {
        let table = PercistTable::built_in("percist_1_0").unwrap();
        let grown = PercistInput {
            baseline_sul_peak: exact("6"),
            follow_up_sul_peak: Evaluable::Value(exact("6")),
            finding: Finding::Uptake,
            tlg: Some((exact("100"), exact("175.1"))),
        };
        assert_eq!(percist(&grown, &table).response, MetabolicResponse::Progressive);
        let fallen = PercistInput { follow_up_sul_peak: Evaluable::Value(exact("5.99")), ..grown.clone() };
        assert_eq!(percist(&fallen, &table).response, MetabolicResponse::Stable, "not where SULpeak declines");
        let at_the_limit = PercistInput { tlg: Some((exact("100"), exact("175"))), ..grown.clone() };
        assert_eq!(percist(&at_the_limit, &table).response, MetabolicResponse::Stable);
        let bad = PercistInput { follow_up_sul_peak: Evaluable::not("another scanner"), tlg: None, ..grown };
        assert_eq!(percist(&bad, &table).response, MetabolicResponse::NotEvaluable);
        let scan = |liver: &str, minutes: &str| ScanConditions { liver_sul: exact(liver), uptake_min: exact(minutes) };
        assert!(quality_faults(scan("1.5", "60"), scan("1.7", "75"), &table).is_empty());
        assert_eq!(quality_faults(scan("1.5", "60"), scan("1.9", "76"), &table).len(), 3);
    }

    #[test]
    fn a_lesion_is_measurable_from_the_limit_on() {
        let table = PercistTable::built_in("percist_1_0").unwrap();
        let liver = Reference::Liver { mean: exact("1.6"), sd: exact("0.15") };
        assert!(is_measurable(exact("2.7"), liver, &table).response);
        assert!(!is_measurable(exact("2.699999"), liver, &table).response);
    }
}
