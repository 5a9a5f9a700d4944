//! iRECIST as a state machine: progression is unconfirmed until it is confirmed, or the bar is reset.
//!
//! Source: Seymour et al. 2017 Table 2; EORTC iRECIST FAQ (cumulative growth, visits before four weeks, what confirms
//! what).

use std::cmp::Ordering;

use super::immune_response::{ImmuneResponse, best_immune_response};
use super::response::{NewLesionResponse, NonTargetResponse, TargetResponse};
use super::table::{CriterionTable, Immune, TableError};
use crate::exact::Exact;

/// What is known of the new lesions at one visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NewLesions {
    /// How many are seen for the first time.
    pub n_first_seen: u32,
    /// Sum of those that are measured (new-lesion targets), mm; `None` when there is none or one was not evaluable.
    pub target_sum: Option<Exact>,
    /// Whether any of the others (new-lesion non-targets) grew since the progression they belong to.
    pub others_grew: bool,
    /// Whether any of the others progressed unequivocally.
    pub others_unequivocal: bool,
    /// Whether all that were ever seen are gone.
    pub resolved: bool,
}

/// One visit after baseline, as the state machine sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImmuneVisit {
    /// Days since baseline or the origin, ascending.
    pub day: i64,
    /// Target response by RECIST 1.1, nadir included.
    pub target: TargetResponse,
    /// Complete sum of the targets, mm.
    pub target_sum: Option<Exact>,
    /// Non-target response by RECIST 1.1.
    pub non_target: NonTargetResponse,
    /// Whether the non-targets grew at all since the progression they belong to; it need not be unequivocal.
    pub non_target_grew: bool,
    /// The new lesions.
    pub new_lesions: NewLesions,
    /// Whether the patient has new symptoms of progression.
    pub new_symptoms: bool,
}

/// What iRECIST says of one visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImmuneVerdict {
    /// The response.
    pub response: ImmuneResponse,
    /// The first visit of the unconfirmed progression that is open, or was confirmed here.
    pub since: Option<usize>,
    /// Rule and numbers, as a sentence.
    pub why: String,
    /// What would change it at the next visit; empty where the response by RECIST 1.1 says it.
    pub flips_if: String,
}

/// A whole course by iRECIST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImmuneCourse {
    /// Visit by visit, up to and including the one that confirms progression.
    pub verdicts: Vec<ImmuneVerdict>,
    /// The best response (iBOR).
    pub best: ImmuneResponse,
    /// The visit confirmed progression is dated by: the first unconfirmed one of the run that was confirmed.
    pub progression: Option<usize>,
    /// The first visit of an unconfirmed progression that was still open at the end and was never confirmed. It counts
    /// as event where therapy ended for it, no assessment followed, or all later visits stayed unconfirmed (Seymour
    /// 2017).
    pub unconfirmed: Option<usize>,
}

/// What started an unconfirmed progression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Triggers {
    target: bool,
    non_target: bool,
    new_lesion: bool,
}

impl Triggers {
    fn any(self) -> bool {
        self.target || self.non_target || self.new_lesion
    }

    fn beyond(self, earlier: Self) -> bool {
        (self.target && !earlier.target)
            || (self.non_target && !earlier.non_target)
            || (self.new_lesion && !earlier.new_lesion)
    }

    fn words(self) -> String {
        let named = [(self.target, "targets"), (self.non_target, "non-targets"), (self.new_lesion, "new lesions")];
        named.into_iter().filter(|(holds, _)| *holds).map(|(_, name)| name).collect::<Vec<_>>().join(" and ")
    }
}

struct Pending {
    at: usize,
    triggers: Triggers,
}

/// Follows a patient over the visits. Fails where the criterion has no `[immune]` section.
pub fn follow_immune(visits: &[ImmuneVisit], table: &CriterionTable) -> Result<ImmuneCourse, TableError> {
    follow_immune_spaced(visits, &|from, to| visits[to].day - visits[from].day, table)
}

/// The same, with the days between two visits (by their position) from outside: where dates are not complete, the least
/// or the most they may be.
pub fn follow_immune_spaced(
    visits: &[ImmuneVisit],
    days: &dyn Fn(usize, usize) -> i64,
    table: &CriterionTable,
) -> Result<ImmuneCourse, TableError> {
    let rules = table.immune.as_ref().ok_or_else(|| TableError::Gap("immune".to_owned()))?;
    let mut pending: Option<Pending> = None;
    let mut was_reset = false;
    let mut verdicts: Vec<ImmuneVerdict> = Vec::new();
    let mut progression = None;
    for (at, visit) in visits.iter().enumerate() {
        let triggers = triggers_at(visits, at, was_reset, table);
        let Some(open) = &pending else {
            verdicts.push(without_pending(visit, at, triggers, table, rules));
            pending = triggers.any().then_some(Pending { at, triggers });
            continue;
        };
        if let Some(reason) = confirmation(&visits[open.at], visit, days(open.at, at), [open.triggers, triggers], rules)
        {
            let why = format!(
                "{reason}: iCPD, dated by the first iUPD (day {}){}",
                visits[open.at].day,
                late(days(open.at, at), rules)
            );
            verdicts.push(ImmuneVerdict {
                response: ImmuneResponse::Confirmed,
                since: Some(open.at),
                why,
                flips_if: String::new(),
            });
            progression = Some(open.at);
            break;
        }
        if nothing_evaluable(visit) {
            let why = "nothing evaluable; the unconfirmed progression stays open: NE".to_owned();
            verdicts.push(ImmuneVerdict {
                response: ImmuneResponse::NotEvaluable,
                since: Some(open.at),
                why,
                flips_if: String::new(),
            });
        } else if is_reset(&visits[open.at], visit, open.triggers) {
            let ImmuneVerdict { response, why, .. } = by_table(visit, table);
            verdicts.push(ImmuneVerdict {
                response,
                since: None,
                why: format!("the bar is reset: {why}"),
                flips_if: String::new(),
            });
            pending = None;
            was_reset = true;
        } else {
            let why = format!(
                "progression of the {} of day {} neither confirmed nor reset: iUPD",
                open.triggers.words(),
                visits[open.at].day
            );
            let flips_if = next_step(&visits[open.at], open.triggers, rules);
            verdicts.push(ImmuneVerdict { response: ImmuneResponse::Unconfirmed, since: Some(open.at), why, flips_if });
        }
    }
    let responses: Vec<ImmuneResponse> = verdicts.iter().map(|verdict| verdict.response).collect();
    let unconfirmed = pending.filter(|_| progression.is_none()).map(|open| open.at);
    Ok(ImmuneCourse { verdicts, best: best_immune_response(&responses), progression, unconfirmed })
}

fn without_pending(
    visit: &ImmuneVisit,
    at: usize,
    triggers: Triggers,
    table: &CriterionTable,
    rules: &Immune,
) -> ImmuneVerdict {
    if !triggers.any() {
        return by_table(visit, table);
    }
    let why = format!("progression of the {}, not confirmed yet: iUPD", triggers.words());
    let flips_if = next_step(visit, triggers, rules);
    ImmuneVerdict { response: ImmuneResponse::Unconfirmed, since: Some(at), why, flips_if }
}

/// What the next visit would have to show to confirm an open progression, or to reset it.
fn next_step(first: &ImmuneVisit, open: Triggers, rules: &Immune) -> String {
    let least = rules.confirm_increase_mm.value;
    let from = |sum: Option<Exact>, what: &str, holds: bool| {
        sum.filter(|_| holds).map(|sum| format!("{what} from {} mm on", sum + least))
    };
    let mut ways: Vec<String> = from(first.target_sum, "targets", open.target).into_iter().collect();
    ways.extend(from(first.new_lesions.target_sum, "new lesions", open.new_lesion));
    ways.extend(open.new_lesion.then(|| "another new lesion".to_owned()));
    ways.extend(open.non_target.then(|| "any further growth of the non-targets".to_owned()));
    ways.push("progression elsewhere".to_owned());
    format!("iCPD by {}; the bar is reset when the {} no longer progress", ways.join(", or "), open.words())
}

/// The response by the table of target and non-target. A new lesion that is still there bars a complete response.
fn by_table(visit: &ImmuneVisit, table: &CriterionTable) -> ImmuneVerdict {
    let overall = table.overall.overall(visit.target, visit.non_target, NewLesionResponse::No);
    let response = ImmuneResponse::of(overall);
    let persists = visit.new_lesions.target_sum.is_some_and(|sum| sum > Exact::ZERO) && !visit.new_lesions.resolved;
    let told = format!("target {}, non-target {}", visit.target, visit.non_target);
    if response == ImmuneResponse::Complete && persists {
        let why = format!("{told}, but a new lesion is still there: iPR");
        return ImmuneVerdict { response: ImmuneResponse::Partial, since: None, why, flips_if: String::new() };
    }
    ImmuneVerdict { response, since: None, why: format!("{told}: {response}"), flips_if: String::new() }
}

fn triggers_at(visits: &[ImmuneVisit], at: usize, was_reset: bool, table: &CriterionTable) -> Triggers {
    let visit = &visits[at];
    let smallest = visits[..at].iter().filter_map(|earlier| earlier.new_lesions.target_sum).min();
    let regrew = was_reset
        && (visit.new_lesions.others_unequivocal
            || smallest
                .zip(visit.new_lesions.target_sum)
                .is_some_and(|(nadir, now)| grew_as_targets(nadir, now, table)));
    Triggers {
        target: visit.target == TargetResponse::Progressive,
        non_target: visit.non_target == NonTargetResponse::Progressive,
        new_lesion: visit.new_lesions.n_first_seen > 0 || regrew,
    }
}

/// Growth of the new-lesion targets by the rule for targets.
fn grew_as_targets(nadir: Exact, now: Exact, table: &CriterionTable) -> bool {
    let limit = i64::from(table.thresholds.pd_increase_percent.value);
    now > nadir
        && (now - nadir).cmp_scaled(100, nadir, limit) != Ordering::Less
        && now - nadir >= table.thresholds.pd_abs_mm.value
}

/// Why the open progression is confirmed at this visit; `None` when it is not.
fn confirmation(
    first: &ImmuneVisit,
    now: &ImmuneVisit,
    days: i64,
    [open, triggers]: [Triggers; 2],
    rules: &Immune,
) -> Option<String> {
    let n_new = now.new_lesions.n_first_seen;
    let earliest = i64::from(rules.confirm_min_days.value) - i64::from(rules.confirm_tolerance_days.value);
    if days < earliest {
        let confirmed = now.new_symptoms && n_new > 0;
        return confirmed.then(|| format!("before {earliest} days, but new symptoms and {n_new} more new lesions"));
    }
    let least = rules.confirm_increase_mm.value;
    let growth = |earlier: Option<Exact>, later: Option<Exact>| {
        earlier.zip(later).filter(|(earlier, later)| *later > *earlier && *later - *earlier >= least)
    };
    if let Some((earlier, later)) = growth(first.target_sum, now.target_sum).filter(|_| open.target) {
        return Some(format!("targets {earlier} → {later} mm since iUPD (≥ {least} mm)"));
    }
    if open.non_target && now.non_target_grew {
        return Some("the non-targets grew further".to_owned());
    }
    if open.new_lesion && n_new > 0 {
        return Some(format!("{n_new} more new lesions"));
    }
    if let Some((earlier, later)) =
        growth(first.new_lesions.target_sum, now.new_lesions.target_sum).filter(|_| open.new_lesion)
    {
        return Some(format!("new lesions {earlier} → {later} mm since iUPD (≥ {least} mm)"));
    }
    if open.new_lesion && (now.new_lesions.others_grew || now.new_lesions.others_unequivocal) {
        return Some("the new lesions that are not measured grew".to_owned());
    }
    triggers.beyond(open).then(|| {
        let fresh = Triggers {
            target: triggers.target && !open.target,
            non_target: triggers.non_target && !open.non_target,
            new_lesion: triggers.new_lesion && !open.new_lesion,
        };
        format!("progression of the {} besides the {}", fresh.words(), open.words())
    })
}

fn late(days: i64, rules: &Immune) -> String {
    let usual = i64::from(rules.confirm_max_days.value);
    if days > usual { format!("; outside_window: more than {usual} days later") } else { String::new() }
}

fn nothing_evaluable(visit: &ImmuneVisit) -> bool {
    let target = matches!(visit.target, TargetResponse::NotEvaluable | TargetResponse::NotApplicable);
    let non_target = matches!(visit.non_target, NonTargetResponse::NotEvaluable | NonTargetResponse::NotApplicable);
    let neither_applies =
        visit.target == TargetResponse::NotApplicable && visit.non_target == NonTargetResponse::NotApplicable;
    target && non_target && !neither_applies
}

fn is_reset(first: &ImmuneVisit, now: &ImmuneVisit, open: Triggers) -> bool {
    let known = |target: TargetResponse| {
        matches!(target, TargetResponse::Complete | TargetResponse::Partial | TargetResponse::Stable)
    };
    if open.target {
        return known(now.target) && now.non_target != NonTargetResponse::Progressive;
    }
    if open.non_target {
        return matches!(now.non_target, NonTargetResponse::Complete | NonTargetResponse::Persistent);
    }
    // Responses are ordered from the best on.
    let is_better = known(now.target) && known(first.target) && now.target < first.target;
    is_better || now.new_lesions.resolved
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit(day: i64, target: TargetResponse, sum: i32) -> ImmuneVisit {
        ImmuneVisit {
            day,
            target,
            target_sum: Some(Exact::whole(sum)),
            non_target: NonTargetResponse::Persistent,
            non_target_grew: false,
            new_lesions: NewLesions::default(),
            new_symptoms: false,
        }
    }

    fn run(visits: &[ImmuneVisit]) -> (Vec<&'static str>, Option<usize>) {
        let table = CriterionTable::built_in("irecist").unwrap();
        let course = follow_immune(visits, &table).unwrap();
        (course.verdicts.iter().map(|verdict| verdict.response.as_str()).collect(), course.progression)
    }

    use TargetResponse::{Complete, NotEvaluable, Partial, Progressive, Stable};

    #[test]
    fn growth_adds_up_from_the_first_iupd() {
        let visits = [visit(56, Progressive, 62), visit(98, Progressive, 66), visit(140, Progressive, 67)];
        assert_eq!(run(&visits), (vec!["iUPD", "iUPD", "iCPD"], Some(0)));
        let visits = [visit(56, Progressive, 62), visit(98, Progressive, 66)];
        assert_eq!(run(&visits).0, ["iUPD", "iUPD"]);
    }

    #[test]
    fn shrinkage_resets_the_bar_and_the_first_progression_is_forgotten() {
        let visits = [
            visit(56, Progressive, 62),
            visit(98, Stable, 52),
            visit(140, Progressive, 63),
            visit(182, Progressive, 68),
        ];
        assert_eq!(run(&visits), (vec!["iUPD", "iSD", "iUPD", "iCPD"], Some(2)));
    }

    #[test]
    fn new_lesions_reset_by_a_better_target_or_by_going_away_alone() {
        let seen = |day, target, sum, n| {
            let mut one = visit(day, target, sum);
            one.new_lesions =
                NewLesions { n_first_seen: n, target_sum: Some(Exact::whole(12)), ..NewLesions::default() };
            one
        };
        assert_eq!(run(&[seen(56, Stable, 50, 1), seen(98, Partial, 30, 0)]).0, ["iUPD", "iPR"]);
        assert_eq!(run(&[seen(56, Partial, 30, 1), seen(98, Partial, 30, 0)]).0, ["iUPD", "iUPD"]);
        let mut gone = seen(98, Partial, 30, 0);
        gone.new_lesions = NewLesions { target_sum: Some(Exact::ZERO), resolved: true, ..NewLesions::default() };
        assert_eq!(run(&[seen(56, Partial, 30, 1), gone]).0, ["iUPD", "iPR"]);
        let mut complete = seen(98, Complete, 0, 0);
        complete.non_target = NonTargetResponse::NotApplicable;
        assert_eq!(run(&[seen(56, Stable, 50, 1), complete]).0, ["iUPD", "iPR"], "a new lesion is still there");
    }

    #[test]
    fn an_early_visit_confirms_only_with_symptoms_and_another_lesion() {
        let mut early = visit(80, Progressive, 90);
        assert_eq!(run(&[visit(56, Progressive, 62), early.clone()]).0, ["iUPD", "iUPD"]);
        early.new_symptoms = true;
        early.new_lesions.n_first_seen = 1;
        assert_eq!(run(&[visit(56, Progressive, 62), early]).0, ["iUPD", "iCPD"]);
        assert_eq!(run(&[visit(56, Progressive, 62), visit(82, Progressive, 67)]).0, ["iUPD", "iCPD"]);
    }

    #[test]
    fn an_unseen_visit_keeps_the_progression_open() {
        let mut unseen = visit(98, NotEvaluable, 0);
        unseen.target_sum = None;
        unseen.non_target = NonTargetResponse::NotEvaluable;
        let visits = [visit(56, Progressive, 62), unseen, visit(140, Progressive, 68)];
        assert_eq!(run(&visits), (vec!["iUPD", "NE", "iCPD"], Some(0)));
    }
}
