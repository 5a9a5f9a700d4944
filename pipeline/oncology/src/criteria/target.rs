//! The response of the target lesions at one visit, in the fixed order of its rules.
//!
//! Source: Eisenhauer et al. 2009 (RECIST 1.1) §4.3.1–4.3.2; EORTC RECIST FAQ (persistence of PR, disease after CR).

use std::cmp::Ordering;

use super::next_class::{partial_up_to, progression_from};
use super::response::TargetResponse;
use super::size::{SizedLesion, counted, is_gone, mm, percent, rounded_mm};
use super::table::{CriterionTable, PdComparison, PostCrReappearance, PrPersistence, Quantity};
use crate::evaluable::Evaluable;
use crate::exact::Exact;

/// What went before a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetHistory {
    /// Complete sum at baseline, mm.
    pub baseline: Option<Exact>,
    /// Smallest complete sum at baseline or since, before this visit, mm.
    pub nadir: Option<Exact>,
    /// Whether a partial response has been established.
    pub partial_established: bool,
    /// Whether an overall complete response was reached before.
    pub overall_complete_reached: bool,
}

/// Response of the targets with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetVerdict {
    /// The response.
    pub response: TargetResponse,
    /// Complete sum, or which target is missing and why.
    pub sum: Evaluable<Exact>,
    /// Rule and numbers, as a sentence.
    pub why: String,
    /// What would change the response.
    pub flips_if: String,
}

/// The response of the targets of one visit.
pub fn target_response(targets: &[SizedLesion], history: &TargetHistory, table: &CriterionTable) -> TargetVerdict {
    if targets.is_empty() {
        return verdict(TargetResponse::NotApplicable, Evaluable::not("no target lesion"), "no target lesion", "");
    }
    let thresholds = &table.thresholds;
    let missing = targets.iter().filter_map(|target| Some((target, counted(&target.size, thresholds).err()?)));
    let missing: Vec<String> = missing.map(|(target, reason)| format!("{} ({reason})", target.lesion)).collect();
    let counts: Vec<Exact> = targets.iter().filter_map(|target| counted(&target.size, thresholds).ok()).collect();
    let sum: Exact = counts.iter().copied().sum();
    let largest = counts.iter().copied().max().unwrap_or(Exact::ZERO);
    let step = Step { sum, largest, history, table };
    if !missing.is_empty() {
        return step.incomplete(&missing.join(", "));
    }
    if targets.iter().all(|target| is_gone(target.kind, &target.size, thresholds) == Some(true)) {
        if table.quantity == Quantity::ViableDiameter && history.baseline.is_none() {
            let why = "nothing enhances now, but whether the targets did at baseline is not known: NE";
            let flips = "NE would end if baseline had an arterial phase";
            return verdict(TargetResponse::NotEvaluable, Evaluable::Value(sum), why, flips);
        }
        let why =
            format!("every target is gone (nodes below {}), sum {}: CR", mm(thresholds.node_normal_mm.value), mm(sum));
        return verdict(TargetResponse::Complete, Evaluable::Value(sum), &why, "CR would end if any target were seen");
    }
    let reappearance_is_pd = table.options.post_cr_reappearance.value == PostCrReappearance::Pd;
    if history.overall_complete_reached && reappearance_is_pd {
        let why = format!("a target is seen again (sum {}) after an overall CR: PD whatever the size", mm(sum));
        let flips = "PD would fall if the earlier CR were re-read, or the finding were no tumour";
        return verdict(TargetResponse::Progressive, Evaluable::Value(sum), &why, flips);
    }
    step.by_sum()
}

fn verdict(response: TargetResponse, sum: Evaluable<Exact>, why: &str, flips_if: &str) -> TargetVerdict {
    TargetVerdict { response, sum, why: why.to_owned(), flips_if: flips_if.to_owned() }
}

struct Step<'a> {
    sum: Exact,
    largest: Exact,
    history: &'a TargetHistory,
    table: &'a CriterionTable,
}

impl Step<'_> {
    fn incomplete(&self, missing: &str) -> TargetVerdict {
        let sum = Evaluable::not(format!("target not evaluable: {missing}"));
        if let Some(nadir) = self.history.nadir.filter(|nadir| self.is_progression(self.sum, *nadir)) {
            let why = format!("{missing} missing, yet {}: PD whatever the rest is", self.growth(nadir));
            return verdict(TargetResponse::Progressive, sum, &why, &self.flips_from_pd(nadir));
        }
        let why = format!("{missing} missing and the known part ({}) does not prove progression: NE", mm(self.sum));
        verdict(TargetResponse::NotEvaluable, sum, &why, "NE would end if the missing target were measured")
    }

    fn by_sum(&self) -> TargetVerdict {
        let sum = Evaluable::Value(self.sum);
        if let Some(nadir) = self.history.nadir.filter(|nadir| self.is_progression(self.sum, *nadir)) {
            let why = format!("{}{}: PD", self.growth(nadir), self.pd_rule());
            return verdict(TargetResponse::Progressive, sum, &why, &self.flips_from_pd(nadir));
        }
        let Some(baseline) = self.history.baseline else {
            let why = "the baseline sum is incomplete, so neither response nor stability can be judged: NE";
            return verdict(TargetResponse::NotEvaluable, sum, why, "NE would end if the baseline were complete");
        };
        // A complete baseline sum is itself a nadir candidate.
        let nadir = self.history.nadir.unwrap_or(baseline);
        let limit = self.table.thresholds.pr_decrease_percent.value;
        let change = percent(self.sum, baseline, limit);
        if self.is_partial(baseline) {
            let why = format!("sum {} is {change} below the baseline {} (≥ {limit} %): PR", mm(self.sum), mm(baseline));
            return verdict(TargetResponse::Partial, sum, &why, &self.flips_from_pr(baseline, nadir));
        }
        let direction = if self.sum < baseline { "below" } else { "above" };
        if self.sticky() {
            let why = format!(
                "sum {} is {change} {direction} the baseline {}; PR was established before and lasts until progression: PR",
                mm(self.sum),
                mm(baseline)
            );
            return verdict(TargetResponse::Partial, sum, &why, &self.flips_to_pd(nadir, "PR"));
        }
        let why = format!(
            "sum {} is {change} {direction} the baseline {} and {}, neither ≥ {limit} % down nor progression: SD",
            mm(self.sum),
            mm(baseline),
            self.relative_to(nadir)
        );
        verdict(TargetResponse::Stable, sum, &why, &self.flips_from_sd(baseline, nadir))
    }

    fn is_progression(&self, sum: Exact, nadir: Exact) -> bool {
        let thresholds = &self.table.thresholds;
        if sum <= nadir || (nadir == Exact::ZERO && self.largest < thresholds.nadir_zero_min_mm.value) {
            return false;
        }
        let growth = sum - nadir;
        let relative = growth.cmp_scaled(100, nadir, i64::from(thresholds.pd_increase_percent.value));
        let relative = match self.table.options.pd_comparison.value {
            PdComparison::AtLeast => relative != Ordering::Less,
            PdComparison::MoreThan => relative == Ordering::Greater,
        };
        relative && growth >= thresholds.pd_abs_mm.value
    }

    fn is_partial(&self, baseline: Exact) -> bool {
        let kept = 100 - i64::from(self.table.thresholds.pr_decrease_percent.value);
        self.sum.cmp_scaled(100, baseline, kept) != Ordering::Greater
    }

    fn sticky(&self) -> bool {
        self.history.partial_established && self.table.options.pr_persistence.value == PrPersistence::Sticky
    }

    fn growth(&self, nadir: Exact) -> String {
        let limit = self.table.thresholds.pd_increase_percent.value;
        if nadir == Exact::ZERO {
            return format!("sum {} stands against a nadir of 0 mm", mm(self.sum));
        }
        format!("sum {} is {} above the nadir {}", mm(self.sum), percent(self.sum, nadir, limit), mm(nadir))
    }

    fn relative_to(&self, nadir: Exact) -> String {
        if self.sum >= nadir && nadir != Exact::ZERO {
            let limit = self.table.thresholds.pd_increase_percent.value;
            return format!(
                "{} ({}) above the nadir {}",
                percent(self.sum, nadir, limit),
                mm(self.sum - nadir),
                mm(nadir)
            );
        }
        if self.sum >= nadir {
            format!("{} above the nadir 0 mm", mm(self.sum))
        } else {
            format!("below the nadir {}", mm(nadir))
        }
    }

    fn pd_rule(&self) -> String {
        let thresholds = &self.table.thresholds;
        let sign = if self.table.options.pd_comparison.value == PdComparison::AtLeast { "≥" } else { ">" };
        let relative = format!("{sign} {} %", thresholds.pd_increase_percent.value);
        if thresholds.pd_abs_mm.value == Exact::ZERO {
            return format!(" ({relative})");
        }
        format!(" ({relative} and ≥ {})", mm(thresholds.pd_abs_mm.value))
    }

    fn pd_from(&self, nadir: Exact) -> f64 {
        progression_from(nadir, &self.table.thresholds)
    }

    fn pr_up_to(&self, baseline: Exact) -> f64 {
        partial_up_to(baseline, &self.table.thresholds)
    }

    fn flips_from_pd(&self, nadir: Exact) -> String {
        let threshold = self.pd_from(nadir);
        let partial =
            self.sticky() || self.history.baseline.is_some_and(|baseline| threshold <= self.pr_up_to(baseline));
        let after = if partial { "PR" } else { "SD" };
        let amount = (self.sum.to_f64() - threshold).max(0.0);
        if amount < 0.005 {
            return format!("PD would become {after} if the sum were any smaller");
        }
        format!("PD would become {after} if the sum were more than {} smaller", rounded_mm(amount))
    }

    fn flips_to_pd(&self, nadir: Exact, from: &str) -> String {
        let amount = rounded_mm(self.pd_from(nadir) - self.sum.to_f64());
        format!("{from} would become PD if the sum were {amount} larger")
    }

    fn flips_from_pr(&self, baseline: Exact, nadir: Exact) -> String {
        let to_sd = self.pr_up_to(baseline);
        if self.sticky() || self.pd_from(nadir) <= to_sd {
            return self.flips_to_pd(nadir, "PR");
        }
        let amount = to_sd - self.sum.to_f64();
        if amount < 0.005 {
            return "PR would become SD if the sum were any larger".to_owned();
        }
        format!("PR would become SD if the sum were more than {} larger", rounded_mm(amount))
    }

    fn flips_from_sd(&self, baseline: Exact, nadir: Exact) -> String {
        let amount = rounded_mm(self.sum.to_f64() - self.pr_up_to(baseline));
        format!("{}, PR if it were {amount} smaller", self.flips_to_pd(nadir, "SD"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lesion::{LesionId, LesionKind, Size};

    fn of(kind: LesionKind, size: &str) -> SizedLesion {
        SizedLesion { lesion: LesionId::new("L1"), kind, size: Size::Measured(size.parse().unwrap()) }
    }

    fn against(baseline: &str, nadir: &str) -> TargetHistory {
        TargetHistory {
            baseline: Some(baseline.parse().unwrap()),
            nadir: Some(nadir.parse().unwrap()),
            partial_established: false,
            overall_complete_reached: false,
        }
    }

    #[test]
    fn the_sentence_names_the_rule_the_numbers_and_the_way_back() {
        let table = CriterionTable::built_in("recist_1_1").unwrap();
        let verdict = target_response(&[of(LesionKind::Lesion, "61.2")], &against("80", "49.3"), &table);
        assert_eq!(verdict.response, TargetResponse::Progressive);
        assert_eq!(verdict.why, "sum 61.2 mm is 24.1 % above the nadir 49.3 mm (≥ 20 % and ≥ 5 mm): PD");
        assert_eq!(verdict.flips_if, "PD would become SD if the sum were more than 2.04 mm smaller");
    }

    #[test]
    fn an_incomplete_baseline_gives_no_stability() {
        let table = CriterionTable::built_in("mrecist").unwrap();
        let history = TargetHistory { baseline: None, nadir: None, ..against("1", "1") };
        let verdict = target_response(&[of(LesionKind::Lesion, "20")], &history, &table);
        assert_eq!(verdict.response, TargetResponse::NotEvaluable);
    }

    #[test]
    fn a_percentage_next_to_the_limit_keeps_its_decimals() {
        let table = CriterionTable::built_in("recist_1_1").unwrap();
        let verdict = target_response(&[of(LesionKind::Lesion, "70.001")], &against("100", "100"), &table);
        assert_eq!(verdict.response, TargetResponse::Stable);
        assert!(verdict.why.contains("29.9990 % below"), "{}", verdict.why);
    }
}
