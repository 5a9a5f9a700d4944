//! Two independent readers and an adjudicator: where they differ, why, and whose reading counts.
//!
//! Source: FDA 2018, independent review of imaging: two readers, an adjudicator who accepts one reading as a whole where they
//! differ; CDISC TUACPTFL for the accepted one.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::agreement::{BlandAltman, Kappa, Weights, bland_altman, kappa};
use crate::sdtm::{SdtmAssessment, TuRow};

/// What two readings of one visit differ in first, in the order in which one makes the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DiscordanceCause {
    /// One could be evaluated, the other not.
    Evaluability,
    /// New lesions.
    NewLesion,
    /// Non-targets.
    NonTarget,
    /// Targets: other lesions, or other sizes.
    Target,
    /// The parts agree, the overall response does not.
    Overall,
}

/// One visit on which two readers differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Discordance {
    /// Visit.
    pub visit: String,
    /// Overall responses, by reader.
    pub overall: [String; 2],
    /// Why.
    pub cause: DiscordanceCause,
}

/// Whose reading of a subject counts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Adjudication {
    /// Subject.
    pub subject: String,
    /// The two readers.
    pub readers: [String; 2],
    /// The reader whose reading counts; `None` where nobody has decided yet.
    pub accepted: Option<String>,
    /// Why, as a sentence.
    pub why: String,
    /// Visits on which they differ.
    pub discordances: Vec<Discordance>,
}

/// Compares the first two evaluators, by name, of every subject among those with the given role (such as INDEPENDENT ASSESSOR).
/// Where they differ, the reading marked as accepted in TU counts; without a mark a decision is missing, and it is said.
pub fn adjudicate(assessments: &[SdtmAssessment], tu: &[TuRow], role: &str) -> Vec<Adjudication> {
    let mut readings: BTreeMap<&str, BTreeMap<&str, Vec<&SdtmAssessment>>> = BTreeMap::new();
    for one in assessments.iter().filter(|one| one.evaluator == role) {
        readings.entry(&one.subject).or_default().entry(&one.evaluator_id).or_default().push(one);
    }
    let mut marked: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in tu.iter().filter(|row| row.evaluator == role && row.accepted == "Y") {
        marked.entry(&row.subject).or_default().insert(&row.evaluator_id);
    }
    let nobody = BTreeSet::new();
    readings
        .iter()
        .filter_map(|(subject, readers)| {
            let mut two = readers.iter();
            let (first, second) = (two.next()?, two.next()?);
            Some(compare(subject, first, second, marked.get(subject).unwrap_or(&nobody)))
        })
        .collect()
}

/// Two readers over all their subjects.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReaderAgreement {
    /// Subject by subject, whose reading counts.
    pub subjects: Vec<Adjudication>,
    /// Visits both readers assessed.
    pub n_visits: usize,
    /// Kappa of the overall responses, each disagreement alike; `None` where it is not defined.
    pub kappa: Option<Kappa>,
    /// Kappa with linear weights over CR, PR, SD, PD, of the visits where both gave one of these.
    pub weighted_kappa: Option<Kappa>,
    /// Differences of the sums of diameters, second reader minus first, mm.
    pub sums_mm: Option<BlandAltman>,
    /// Discordant visits by cause.
    pub causes: BTreeMap<DiscordanceCause, usize>,
}

/// The agreement of the first two evaluators of a role, over all subjects.
pub fn reader_agreement(assessments: &[SdtmAssessment], tu: &[TuRow], role: &str) -> ReaderAgreement {
    let subjects = adjudicate(assessments, tu, role);
    let mut read: BTreeMap<(&str, &str), Vec<&SdtmAssessment>> = BTreeMap::new();
    for one in assessments.iter().filter(|one| one.evaluator == role) {
        read.entry((&one.subject, &one.evaluator_id)).or_default().push(one);
    }
    let of = |subject: &Adjudication, reader: usize| -> Vec<&SdtmAssessment> {
        read.get(&(subject.subject.as_str(), subject.readers[reader].as_str())).cloned().unwrap_or_default()
    };
    let mut pairs: Vec<(&SdtmAssessment, &SdtmAssessment)> = Vec::new();
    for subject in &subjects {
        for one in of(subject, 0) {
            let other = of(subject, 1).into_iter().find(|other| other.visit_num == one.visit_num);
            pairs.extend(other.map(|other| (one, other)));
        }
    }
    let words: Vec<(&str, &str)> =
        pairs.iter().map(|(one, other)| (one.overall.as_str(), other.overall.as_str())).collect();
    let mut order: Vec<&str> = words.iter().flat_map(|(one, other)| [*one, *other]).collect();
    order.sort_unstable();
    order.dedup();
    let ranked = ["CR", "PR", "SD", "PD"];
    let in_order: Vec<(&str, &str)> =
        words.iter().filter(|(one, other)| ranked.contains(one) && ranked.contains(other)).copied().collect();
    let sums: Vec<(f64, f64)> =
        pairs.iter().filter_map(|(one, other)| Some((*one.sum_mm.value()?, *other.sum_mm.value()?))).collect();
    let mut causes: BTreeMap<DiscordanceCause, usize> = BTreeMap::new();
    for discordance in subjects.iter().flat_map(|subject| &subject.discordances) {
        *causes.entry(discordance.cause).or_default() += 1;
    }
    ReaderAgreement {
        n_visits: pairs.len(),
        kappa: kappa(&words, &order, Weights::None),
        weighted_kappa: kappa(&in_order, &ranked, Weights::Linear),
        sums_mm: bland_altman(&sums),
        causes,
        subjects,
    }
}

fn compare(
    subject: &str,
    first: (&&str, &Vec<&SdtmAssessment>),
    second: (&&str, &Vec<&SdtmAssessment>),
    marked: &BTreeSet<&str>,
) -> Adjudication {
    let discordances: Vec<Discordance> = first
        .1
        .iter()
        .filter_map(|one| {
            let other = second.1.iter().find(|other| other.visit_num == one.visit_num)?;
            (one.overall != other.overall).then(|| Discordance {
                visit: one.visit.clone(),
                overall: [one.overall.clone(), other.overall.clone()],
                cause: cause(one, other),
            })
        })
        .collect();
    let chosen = if marked.len() == 1 { marked.first().map(|id| (*id).to_owned()) } else { None };
    let n = discordances.len();
    let (accepted, why) = match (n, chosen) {
        (0, chosen) => (chosen.or_else(|| Some((*first.0).to_owned())), "the readers agree at every visit".to_owned()),
        (n, Some(chosen)) => {
            let why = format!("the readers differ at {n} visits; the reading of {chosen} is marked as accepted");
            (Some(chosen), why)
        }
        (n, None) if marked.len() > 1 => {
            (None, format!("the readers differ at {n} visits, and more than one reading is marked as accepted"))
        }
        (n, None) => (None, format!("the readers differ at {n} visits and none is marked as accepted: adjudicate")),
    };
    let readers = [(*first.0).to_owned(), (*second.0).to_owned()];
    Adjudication { subject: subject.to_owned(), readers, accepted, why, discordances }
}

fn cause(one: &SdtmAssessment, other: &SdtmAssessment) -> DiscordanceCause {
    if (one.overall == "NE") != (other.overall == "NE") {
        DiscordanceCause::Evaluability
    } else if one.new_lesion != other.new_lesion {
        DiscordanceCause::NewLesion
    } else if one.non_target != other.non_target {
        DiscordanceCause::NonTarget
    } else if one.target != other.target {
        DiscordanceCause::Target
    } else {
        DiscordanceCause::Overall
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluable::Evaluable;
    use crate::exact::Exact;

    fn read(reader: &str, visit: i32, target: &str, new_lesion: &str, overall: &str) -> SdtmAssessment {
        SdtmAssessment {
            subject: "S1".to_owned(),
            criterion: "recist_1_1".to_owned(),
            evaluator: "INDEPENDENT ASSESSOR".to_owned(),
            evaluator_id: reader.to_owned(),
            sequence: reader.to_owned(),
            accepted: false,
            visit: format!("WEEK {visit}"),
            visit_num: Exact::whole(visit),
            link_group: String::new(),
            study_day: Evaluable::Value(i64::from(visit) * 7),
            study_day_range: None,
            date: String::new(),
            visit_date: String::new(),
            origin_date: String::new(),
            baseline_date: String::new(),
            sum_mm: Evaluable::not("not needed"),
            baseline_mm: Evaluable::not("not needed"),
            nadir_mm: Evaluable::not("not needed"),
            target: target.to_owned(),
            non_target: "NA".to_owned(),
            non_target_seen: false,
            new_lesion: new_lesion.to_owned(),
            overall: overall.to_owned(),
            why: String::new(),
            flips_if: String::new(),
            notes: Vec::new(),
        }
    }

    fn mark(reader: &str) -> TuRow {
        TuRow {
            subject: "S1".to_owned(),
            visit_num: Exact::ZERO,
            visit: String::new(),
            link: "T01".to_owned(),
            role: "TARGET".to_owned(),
            location: String::new(),
            evaluator: "INDEPENDENT ASSESSOR".to_owned(),
            evaluator_id: reader.to_owned(),
            accepted: "Y".to_owned(),
        }
    }

    #[test]
    fn a_difference_needs_a_decision_and_names_its_cause() {
        let both = [
            read("RADIOLOGIST 1", 8, "SD", "N", "SD"),
            read("RADIOLOGIST 1", 16, "SD", "Y", "PD"),
            read("RADIOLOGIST 2", 8, "PR", "N", "PR"),
            read("RADIOLOGIST 2", 16, "PR", "N", "PR"),
        ];
        let open = adjudicate(&both, &[], "INDEPENDENT ASSESSOR");
        assert_eq!((open[0].accepted.as_deref(), open[0].discordances.len()), (None, 2));
        let causes: Vec<DiscordanceCause> = open[0].discordances.iter().map(|one| one.cause).collect();
        assert_eq!(causes, [DiscordanceCause::Target, DiscordanceCause::NewLesion]);
        let settled = adjudicate(&both, &[mark("RADIOLOGIST 2")], "INDEPENDENT ASSESSOR");
        assert_eq!(settled[0].accepted.as_deref(), Some("RADIOLOGIST 2"));
        let twice = [mark("RADIOLOGIST 1"), mark("RADIOLOGIST 2")];
        assert_eq!(adjudicate(&both, &twice, "INDEPENDENT ASSESSOR")[0].accepted, None);
        assert_eq!(adjudicate(&both[..2], &[], "INDEPENDENT ASSESSOR"), []);
        let agreement = reader_agreement(&both, &[], "INDEPENDENT ASSESSOR");
        assert_eq!((agreement.n_visits, agreement.causes[&DiscordanceCause::Target]), (2, 1));
        // No word in common: neither observed nor expected agreement.
        assert_eq!(agreement.kappa.unwrap().kappa, 0.0);
    }
}
