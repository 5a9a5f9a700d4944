//! What another legal choice of targets would have said: the verdict's range over all of them.
//!
//! Source: Eisenhauer et al. 2009 (RECIST 1.1) §4.1: at most five targets, at most two per organ, as many as there are; which
//! of several measurable lesions are taken is the reader's choice.

use std::collections::BTreeMap;

use super::input::ResponseInput;
use super::patient_roles::{candidate, may_be_target};
use super::selection::{Candidate, measurability, organ_unit};
use super::table::CriterionTable;
use crate::lesion::{LesionId, Organ};

/// Choices are tried up to this number. Origin: a patient with nine measurable lesions in each of three organs has some
/// 10 000; more than a few hundred change no range in practice and cost time.
pub const MAX_CHOICES: usize = 400;
/// Choices are counted up to this number; of more than [`MAX_CHOICES`] evenly spaced ones are tried.
pub const MAX_COUNTED: usize = 20_000;

/// Every legal choice of targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegalChoices {
    /// The choices, each sorted by lesion; of more than [`MAX_CHOICES`] evenly spaced ones in order of lesions.
    pub choices: Vec<Vec<LesionId>>,
    /// How many there are, counted up to [`MAX_COUNTED`].
    pub n: usize,
}

impl LegalChoices {
    /// Whether all choices are tried.
    pub fn is_exhaustive(&self) -> bool {
        self.choices.len() == self.n
    }
}

/// The legal choices of a patient; one alone where a reader has chosen, none without measurable lesions.
pub fn legal_choices(input: &ResponseInput, table: &CriterionTable) -> LegalChoices {
    let candidates = input.lesions.iter().filter(|lesion| may_be_target(lesion));
    let candidates = candidates.map(|lesion| candidate(lesion, input, table));
    let mut by_organ: BTreeMap<Organ, Vec<Candidate>> = BTreeMap::new();
    for candidate in candidates.filter(|candidate| measurability(candidate, table).measurable) {
        by_organ.entry(organ_unit(&candidate)).or_default().push(candidate);
    }
    let mut organs: Vec<Vec<LesionId>> =
        by_organ.into_values().map(|of| of.into_iter().map(|candidate| candidate.lesion).collect()).collect();
    for lesions in &mut organs {
        lesions.sort();
    }
    let per_organ = table.thresholds.max_targets_per_organ.value as usize;
    let room: usize = organs.iter().map(|lesions| lesions.len().min(per_organ)).sum();
    let n_targets = room.min(table.thresholds.max_targets.value as usize);
    let mut found = Vec::new();
    extend(&organs, per_organ, n_targets, &mut Vec::new(), &mut found);
    let n = found.len();
    let kept = n.min(MAX_CHOICES);
    let choices = (0..kept).map(|nth| found[nth * n / kept].clone()).collect();
    LegalChoices { choices, n }
}

/// Adds every way to take `left` lesions from the organs, at most `per_organ` of each.
fn extend(
    organs: &[Vec<LesionId>],
    per_organ: usize,
    left: usize,
    taken: &mut Vec<LesionId>,
    found: &mut Vec<Vec<LesionId>>,
) {
    if found.len() >= MAX_COUNTED {
        return;
    }
    let Some((organ, rest)) = organs.split_first() else {
        if left == 0 && !taken.is_empty() {
            let mut choice = taken.clone();
            choice.sort();
            found.push(choice);
        }
        return;
    };
    let room_after: usize = rest.iter().map(|lesions| lesions.len().min(per_organ)).sum();
    let most = organ.len().min(per_organ).min(left);
    for n in (left.saturating_sub(room_after)..=most).rev() {
        for subset in subsets(organ, n) {
            let before = taken.len();
            taken.extend(subset);
            extend(rest, per_organ, left - n, taken, found);
            taken.truncate(before);
        }
    }
}

/// All subsets of `n` lesions, in order.
fn subsets(lesions: &[LesionId], n: usize) -> Vec<Vec<LesionId>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (at, first) in lesions.iter().enumerate() {
        for mut rest in subsets(&lesions[at + 1..], n - 1) {
            rest.insert(0, first.clone());
            all.push(rest);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::criteria::input::{LesionVisit, TrackedLesion, VisitInfo};
    use crate::exact::Exact;
    use crate::lesion::{LesionKind, LesionState, Size};
    use crate::visit_id::VisitId;
    use jiff::civil::date;

    fn with(lesions: &[(&str, Organ, i32)]) -> ResponseInput {
        let lesion = |(id, organ, size): &(&str, Organ, i32)| {
            let size = Size::Measured(Exact::whole(*size));
            let seen =
                LesionVisit { viable: size.clone(), size, state: LesionState::Present, scan_date: None, reader: None };
            TrackedLesion::new(LesionId::new(*id), organ.clone(), LesionKind::Lesion, 0, vec![seen])
        };
        ResponseInput {
            patient_id: "P1".to_owned(),
            origin_date: None,
            visits: vec![VisitInfo { visit: VisitId::first(date(2024, 1, 1)), adequate: true }],
            lesions: lesions.iter().map(lesion).collect(),
            markers: Vec::new(),
        }
    }

    #[test]
    fn two_of_three_in_one_organ_and_all_elsewhere() {
        let table = CriterionTable::built_in("recist_1_1").unwrap();
        let input = with(&[
            ("L1", Organ::Liver, 30),
            ("L2", Organ::Liver, 20),
            ("L3", Organ::Liver, 12),
            ("L4", Organ::Lung, 11),
            ("L5", Organ::Lung, 9),
        ]);
        let found = legal_choices(&input, &table);
        let words: Vec<String> = found
            .choices
            .iter()
            .map(|choice| choice.iter().map(LesionId::as_str).collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(words, ["L1 L2 L4", "L1 L3 L4", "L2 L3 L4"]);
        assert!(found.is_exhaustive());
        assert!(legal_choices(&with(&[("L1", Organ::Liver, 9)]), &table).choices.is_empty());
    }

    #[test]
    fn what_is_perhaps_no_lesion_is_in_no_choice() {
        let table = CriterionTable::built_in("recist_1_1").unwrap();
        let mut input = with(&[("L1", Organ::Liver, 30), ("L2", Organ::Lung, 30)]);
        input.lesions[1].in_doubt = [0].into();
        assert_eq!(legal_choices(&input, &table).choices, [[LesionId::new("L1")]]);
    }

    #[test]
    fn five_of_six_leave_one_organ_with_one() {
        let table = CriterionTable::built_in("recist_1_1").unwrap();
        let organ = |name: &str| Organ::Other(name.to_owned());
        let input = with(&[
            ("L1", organ("a"), 30),
            ("L2", organ("a"), 30),
            ("L3", organ("b"), 30),
            ("L4", organ("b"), 30),
            ("L5", organ("c"), 30),
            ("L6", organ("c"), 30),
        ]);
        assert_eq!(legal_choices(&input, &table).choices.len(), 6);
    }

    #[test]
    fn of_many_choices_those_tried_reach_from_the_first_to_the_last_lesion() {
        let table = CriterionTable::built_in("recist_1_1").unwrap();
        let organs = ["a", "b", "c"].map(|name| Organ::Other(name.to_owned()));
        let names: Vec<String> = (0..27).map(|n| format!("L{n:02}")).collect();
        let lesions: Vec<(&str, Organ, i32)> =
            names.iter().enumerate().map(|(n, name)| (name.as_str(), organs[n / 9].clone(), 30)).collect();
        let found = legal_choices(&with(&lesions), &table);
        // Two, two and one of nine each: three times 36 x 36 x 9.
        assert_eq!((found.choices.len(), found.n), (MAX_CHOICES, MAX_COUNTED));
        let tried = |name: &str| found.choices.iter().any(|choice| choice.contains(&LesionId::new(name)));
        assert!(tried("L00") && tried("L08") && tried("L26"), "the first and the last of an organ");
    }
}
