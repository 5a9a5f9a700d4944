//! An endpoint as data: which events count, what death means, where censoring falls, what a new therapy does.
//!
//! Source: each endpoint of a preset names its own.

use serde::{Deserialize, Serialize};

use crate::progression::ProgressionClass;

/// What the endpoint counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// One row per patient, from the first cycle on.
    Patient,
    /// One row per cycle.
    Cycle,
    /// One row per treated lesion.
    TreatedLesion,
    /// One row per patient who responded, from the first response on.
    Response,
    /// One row per patient whose response was confirmed, from the first of the two that confirm each other on.
    ConfirmedResponse,
}

/// What death means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Death {
    /// An event.
    Event,
    /// An event where the disease caused it; of another cause it competes, of an unknown one it censors.
    OfDisease,
    /// Censored where the endpoint censors, at death at the latest.
    Censor,
    /// Ends follow-up on its date as a competing event: censored for Kaplan–Meier, competing for cumulative incidence.
    Competing,
}

/// Where a unit without event is censored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CensorAt {
    /// Last adequate imaging; the origin where there is none.
    LastAdequateImaging,
    /// Last follow-up.
    LastFollowUp,
}

/// What a therapy given before any event does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewTherapy {
    /// Nothing.
    Ignore,
    /// Any: censored at the last adequate imaging on or before it.
    AnyCensorsAtLastImaging,
    /// Any: an event on its date.
    AnyIsEvent,
    /// Locoregional therapy of the target: censored at the last adequate imaging on or before it.
    TargetCensorsAtLastImaging,
    /// Locoregional therapy of the target: censored on its date.
    TargetCensorsAtTherapy,
}

/// Whose rows an endpoint has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Eligible {
    /// Everybody's.
    #[default]
    All,
    /// Of patients all of whose disease at the origin was completely ablated or resected.
    DiseaseFree,
}

/// Whether a local progression that was treated again with success still counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retreatment {
    /// It does.
    #[default]
    StillEvent,
    /// It does not: control was kept.
    RestoresControl,
}

/// Progression after missed visits is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MissedVisits {
    /// Days between scheduled visits.
    pub interval_days: i64,
    /// Days a visit may be late.
    pub window_days: i64,
    /// From this many missed visits on, an event is censored at the last adequate imaging before the gap.
    pub censor_from: i64,
}

impl MissedVisits {
    /// Visits missed in a gap: `max(0, ceil((gap − window) / interval) − 1)`.
    pub fn n_missed(&self, gap_days: i64) -> i64 {
        let late = gap_days - self.window_days;
        let scheduled = late.div_euclid(self.interval_days) + i64::from(late.rem_euclid(self.interval_days) > 0);
        (scheduled - 1).max(0)
    }

    /// Days from the origin to the visit scheduled on a day or next after it: a day up to the window late is that of the visit before it.
    pub fn scheduled_days(&self, days: i64) -> i64 {
        (self.n_missed(days) + 1) * self.interval_days
    }
}

/// Whether the preset's rule on missed visits holds for an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterMissedVisits {
    /// It does, where the preset has one.
    #[default]
    AsPreset,
    /// It does not: the event counts.
    StillEvent,
}

/// The day on which a progression counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProgressionDated {
    /// When it was seen.
    #[default]
    WhenSeen,
    /// On the day of the visit that was scheduled then or comes next, by the schedule of [`MissedVisits`] from the origin.
    AtScheduledVisit,
}

/// One endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointRule {
    /// Its name in tables, such as `PFS_local`.
    pub name: String,
    /// What it counts.
    pub level: Level,
    /// Classes of progression that are events; empty for none.
    pub progression: Vec<CountedClass>,
    /// What death means.
    pub death: Death,
    /// Where it censors.
    pub censor_at: CensorAt,
    /// What a new therapy does.
    pub new_therapy: NewTherapy,
    /// Whose rows it has.
    #[serde(default)]
    pub eligible: Eligible,
    /// What a successful repeat treatment means.
    #[serde(default)]
    pub retreatment: Retreatment,
    /// What an event after missed visits is.
    #[serde(default)]
    pub after_missed_visits: AfterMissedVisits,
    /// When a progression counts.
    #[serde(default)]
    pub progression_dated: ProgressionDated,
    /// Publication or rule it follows.
    pub source: String,
}

/// A class of progression an endpoint may count. Residual tumour is no progression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountedClass {
    /// At a treated site.
    Local,
    /// In the liver elsewhere.
    DistantIntrahepatic,
    /// Outside the liver.
    Extrahepatic,
    /// Without a class, because the site is not known.
    Unclassified,
}

impl CountedClass {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::DistantIntrahepatic => "distant intrahepatic",
            Self::Extrahepatic => "extrahepatic",
            Self::Unclassified => "of unknown site",
        }
    }
}

impl EndpointRule {
    /// Whether a class of progression is an event.
    pub fn counts(&self, class: ProgressionClass) -> bool {
        let counted = match class {
            ProgressionClass::Residual => return false,
            ProgressionClass::Local => CountedClass::Local,
            ProgressionClass::DistantIntrahepatic => CountedClass::DistantIntrahepatic,
            ProgressionClass::Extrahepatic => CountedClass::Extrahepatic,
            ProgressionClass::Unclassified => CountedClass::Unclassified,
        };
        self.progression.contains(&counted)
    }

    /// Whether the endpoint rests on imaging at all.
    pub fn rests_on_imaging(&self) -> bool {
        !self.progression.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_of_an_interval_and_its_window_misses_nothing() {
        let rule = MissedVisits { interval_days: 56, window_days: 7, censor_from: 2 };
        let missed: Vec<i64> = [0, 63, 64, 119, 120, 175, 176].iter().map(|gap| rule.n_missed(*gap)).collect();
        assert_eq!(missed, [0, 0, 1, 1, 2, 2, 3]);
        let scheduled: Vec<i64> =
            [1, 56, 63, 64, 112, 119, 120].iter().map(|days| rule.scheduled_days(*days)).collect();
        assert_eq!(scheduled, [56, 56, 56, 112, 112, 112, 168]);
    }
}
