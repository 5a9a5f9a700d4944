//! What happened to one unit (patient, cycle or treated lesion) in time, as the engine sees it.
//!
//! Source: CDISC ADTTE's split into origin, candidate events and candidate censoring dates.

use crate::progression::ProgressionClass;
use crate::time::Date;
use crate::treatment::DeathCause;

/// One imaging assessment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    /// Its date.
    pub date: Date,
    /// Whether everything that matters to this unit could be assessed.
    pub adequate: bool,
    /// Classes of progression found; empty for none.
    pub progression: Vec<ProgressionClass>,
}

/// What a therapy after the origin was aimed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TherapyAim {
    /// Locoregional, at a lesion of this unit.
    Target,
    /// Locoregional, elsewhere.
    OtherSite,
    /// The whole patient, or not recorded.
    Systemic,
}

/// A therapy after the origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaterTherapy {
    /// Its date.
    pub date: Date,
    /// What it was aimed at.
    pub aim: TherapyAim,
}

/// One unit in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    /// Time origin.
    pub origin: Date,
    /// Baseline imaging, where there was one.
    pub baseline: Option<Date>,
    /// Date of death.
    pub death: Option<Date>,
    /// What was found to have caused it.
    pub death_cause: DeathCause,
    /// Last date known to be alive or followed.
    pub last_follow_up: Option<Date>,
    /// Nothing after this date counts.
    pub cutoff: Option<Date>,
    /// Imaging, chronological.
    pub assessments: Vec<Assessment>,
    /// Therapies after the origin, chronological.
    pub therapies: Vec<LaterTherapy>,
}

impl Timeline {
    /// The same without what lies after the cut-off.
    #[must_use]
    pub fn until_cutoff(&self) -> Self {
        let Some(cutoff) = self.cutoff else { return self.clone() };
        Self {
            death: self.death.filter(|death| *death <= cutoff),
            // Who died after the cut-off was alive on it.
            last_follow_up: if self.death.is_some_and(|death| death > cutoff) {
                Some(cutoff)
            } else {
                self.last_follow_up.map(|last| last.min(cutoff))
            },
            assessments: self.assessments.iter().filter(|one| one.date <= cutoff).cloned().collect(),
            therapies: self.therapies.iter().filter(|one| one.date <= cutoff).copied().collect(),
            ..self.clone()
        }
    }

    /// Last adequate assessment after the origin and on or before a date.
    pub fn last_adequate(&self, until: Option<Date>) -> Option<Date> {
        let fits =
            |one: &&Assessment| one.adequate && one.date > self.origin && until.is_none_or(|until| one.date <= until);
        self.assessments.iter().filter(fits).map(|one| one.date).max()
    }

    /// Last adequate assessment after the origin and before a date.
    pub fn last_adequate_before(&self, date: Date) -> Option<Date> {
        let fits = |one: &&Assessment| one.adequate && one.date > self.origin && one.date < date;
        self.assessments.iter().filter(fits).map(|one| one.date).max()
    }

    /// Last date on which anything is known of the unit, the origin included.
    pub fn last_known(&self) -> Date {
        let dates = self.assessments.iter().map(|one| one.date).chain(self.therapies.iter().map(|one| one.date));
        dates.chain(self.last_follow_up).chain([self.origin]).max().unwrap_or(self.origin)
    }
}
