//! The four-level response of a treated lesion by enhancement or FDG uptake at its site.
//!
//! Source: Narayanan et al. 2024 (reader-coded; the paper prints no threshold): the earliest contrast CT or MR from one month
//! on, or PET-CT from three months on, against the last study before ablation.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::family::FamilyTable;
use super::reasoned::Reasoned;
use super::response::TargetResponse;
use super::sourced::section;

/// How studies of one day that disagree are settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SameDay {
    /// The worst counts.
    Worst,
    /// The PET counts.
    PetFirst,
}

section!(
    /// The numbers of the four-level response.
    EnhancementRules {
        /// Earliest contrast CT or MR that counts, days after ablation.
        ct_mr_min_days: u32,
        /// Earliest PET that counts, days after ablation.
        pet_min_days: u32,
        /// Studies of one day that disagree.
        same_day: SameDay,
    }
);

/// The four-level response.
pub type EnhancementTable = FamilyTable<EnhancementRules>;

/// Modality of a study, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StudyKind {
    /// Contrast-enhanced CT.
    Ct,
    /// MR with contrast or diffusion.
    Mr,
    /// FDG-PET with CT.
    Pet,
}

impl fmt::Display for StudyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ct => "CT",
            Self::Mr => "MR",
            Self::Pet => "PET",
        })
    }
}

/// Enhancement or uptake at the site against the study before ablation, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SiteFinding {
    /// None.
    Gone,
    /// Less.
    Less,
    /// The same.
    Unchanged,
    /// More.
    More,
}

impl SiteFinding {
    /// The response it stands for.
    #[must_use]
    pub const fn response(self) -> TargetResponse {
        self.words().1
    }

    const fn words(self) -> (&'static str, TargetResponse) {
        match self {
            Self::Gone => ("none left", TargetResponse::Complete),
            Self::Less => ("less than before", TargetResponse::Partial),
            Self::Unchanged => ("unchanged", TargetResponse::Stable),
            Self::More => ("more than before", TargetResponse::Progressive),
        }
    }
}

/// One study after ablation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SiteStudy {
    /// What was done.
    pub kind: StudyKind,
    /// Days after ablation.
    pub days_after: i64,
    /// What it shows; `None` when the site could not be judged.
    pub finding: Option<SiteFinding>,
}

/// The response of one treated lesion from its studies, in any order.
pub fn enhancement_response(studies: &[SiteStudy], table: &EnhancementTable) -> Reasoned<TargetResponse> {
    let rules = &table.rules;
    let earliest = |kind: StudyKind| {
        i64::from(if kind == StudyKind::Pet { rules.pet_min_days.value } else { rules.ct_mr_min_days.value })
    };
    let eligible: Vec<(SiteStudy, SiteFinding)> = studies
        .iter()
        .filter(|study| study.days_after >= earliest(study.kind))
        .filter_map(|study| Some((*study, study.finding?)))
        .collect();
    let Some(day) = eligible.iter().map(|(study, _)| study.days_after).min() else {
        let why = format!(
            "no study that can be judged from day {} (CT, MR) or day {} (PET) on: NE",
            rules.ct_mr_min_days.value, rules.pet_min_days.value
        );
        return Reasoned::new(TargetResponse::NotEvaluable, why, "NE would end with such a study");
    };
    let of_day = eligible.into_iter().filter(|(study, _)| study.days_after == day);
    let (study, finding) = of_day
        .max_by_key(|(study, finding)| {
            let is_pet = rules.same_day.value == SameDay::PetFirst && study.kind == StudyKind::Pet;
            (is_pet, *finding, study.kind)
        })
        .expect("the day was taken from these studies");
    let (words, response) = finding.words();
    let why = format!("{} on day {day}: enhancement or uptake {words}: {response}", study.kind);
    Reasoned::new(response, why, "another reading of that study would change it")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn study(kind: StudyKind, days_after: i64, finding: SiteFinding) -> SiteStudy {
        SiteStudy { kind, days_after, finding: Some(finding) }
    }

    #[test]
    fn the_earliest_eligible_study_counts_and_a_pet_waits_longer() {
        let table = EnhancementTable::built_in("narayanan2024_response").unwrap();
        let studies = [
            study(StudyKind::Pet, 35, SiteFinding::More),
            study(StudyKind::Mr, 60, SiteFinding::Less),
            study(StudyKind::Ct, 27, SiteFinding::More),
            study(StudyKind::Pet, 100, SiteFinding::Gone),
        ];
        assert_eq!(enhancement_response(&studies, &table).response, TargetResponse::Partial);
        assert_eq!(enhancement_response(&studies[2..3], &table).response, TargetResponse::NotEvaluable);
        assert_eq!(
            enhancement_response(&[study(StudyKind::Ct, 28, SiteFinding::Gone)], &table).response,
            TargetResponse::Complete
        );
    }

    #[test]
    fn discordance_of_one_day_takes_the_worst_or_the_pet() {
        let mut table = EnhancementTable::built_in("narayanan2024_response").unwrap();
        let studies = [study(StudyKind::Pet, 90, SiteFinding::Gone), study(StudyKind::Ct, 90, SiteFinding::Unchanged)];
        assert_eq!(enhancement_response(&studies, &table).response, TargetResponse::Stable);
        table.rules.same_day.value = SameDay::PetFirst;
        assert_eq!(enhancement_response(&studies, &table).response, TargetResponse::Complete);
    }
}
