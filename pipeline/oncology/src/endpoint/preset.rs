//! A preset: the frozen set of endpoint definitions and conventions of one study or authority.
//!
//! Source: each file in `configs/presets` names its own; the built-in ones are embedded.

use serde::Deserialize;
use thiserror::Error;

use super::rule::{EndpointRule, MissedVisits, ProgressionDated};
use super::window::ResponseWindow;
use crate::criteria::table::Sourced;
use crate::progression::LocalRule;
use crate::study::Reporting;
use crate::study::reporting::TablesFile;
use crate::time::Date;
use crate::treatment::{CycleRule, NewCycle};

/// The built-in presets: identifier and text.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("default", include_str!("../../../../configs/presets/default.toml")),
    ("xu2021", include_str!("../../../../configs/presets/xu2021.toml")),
    ("narayanan2024", include_str!("../../../../configs/presets/narayanan2024.toml")),
    ("fda2018", include_str!("../../../../configs/presets/fda2018.toml")),
    ("ema", include_str!("../../../../configs/presets/ema.toml")),
    ("sio_datecan2021", include_str!("../../../../configs/presets/sio_datecan2021.toml")),
];

/// Why a preset was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PresetError {
    /// Not TOML, an unknown key, a missing key or a word that does not exist.
    #[error("expected a preset file (see configs/presets/default.toml), found: {0}")]
    Unreadable(String),
    /// A setting without its source.
    #[error("every setting needs its source: `{0}` has none")]
    MissingSource(String),
    /// Two endpoints of one name.
    #[error("endpoint `{0}` stands twice")]
    Twice(String),
    /// A number that cannot be.
    #[error("`{0}` must be a positive number")]
    NotPositive(&'static str),
    /// Progressions counted at scheduled visits without a schedule.
    #[error(
        "endpoint `{0}` counts progressions at scheduled visits, and `missed_visits` states no interval between them: add `missed_visits`, or take `progression_dated` out"
    )]
    NoSchedule(String),
    /// No built-in preset of this name.
    #[error("no built-in preset {found:?}; there are {available}; or name a file")]
    Unknown {
        /// What was asked for.
        found: String,
        /// What exists.
        available: String,
    },
}

/// Where time starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Last session of the cycle.
    CycleCompletion,
    /// First session of the cycle.
    FirstTreatment,
}

/// How sessions are grouped.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct CyclesFile {
    gap_days: Sourced<i64>,
    new_cycle: Sourced<NewCycle>,
}

/// What a preset file holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PresetFile {
    id: String,
    title: String,
    version: u32,
    source: String,
    days_per_month: Sourced<f64>,
    origin: Sourced<Origin>,
    local_rule: Sourced<LocalRule>,
    cutoff: Option<Sourced<Date>>,
    cycles: CyclesFile,
    missed_visits: Option<Sourced<MissedVisits>>,
    endpoint: Vec<EndpointRule>,
    #[serde(default)]
    response_window: Vec<ResponseWindow>,
    tables: Option<TablesFile>,
}

/// One preset, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Preset {
    /// Identifier.
    pub id: String,
    /// Name for readers.
    pub title: String,
    /// Version of the file.
    pub version: u32,
    /// Publication.
    pub source: String,
    /// Length of a month, days.
    pub days_per_month: f64,
    /// Where time starts.
    pub origin: Origin,
    /// What is local.
    pub local_rule: LocalRule,
    /// Nothing after this date counts.
    pub cutoff: Option<Date>,
    /// How sessions are grouped.
    pub cycle_rule: CycleRule,
    /// Rule on missed visits.
    pub missed_visits: Option<MissedVisits>,
    /// Endpoints, in the order of the file.
    pub endpoints: Vec<EndpointRule>,
    /// Times at which responses are tabulated.
    pub response_windows: Vec<ResponseWindow>,
    /// How its tables are printed.
    pub reporting: Reporting,
    text: String,
}

impl Preset {
    /// Reads and checks a preset file.
    pub fn parse(text: &str) -> Result<Self, PresetError> {
        let file: PresetFile = toml::from_str(text).map_err(|error| PresetError::Unreadable(error.to_string()))?;
        check(&file)?;
        Ok(Self {
            id: file.id,
            title: file.title,
            version: file.version,
            source: file.source,
            days_per_month: file.days_per_month.value,
            origin: file.origin.value,
            local_rule: file.local_rule.value,
            cutoff: file.cutoff.map(|cutoff| cutoff.value),
            cycle_rule: CycleRule { gap_days: file.cycles.gap_days.value, new_cycle: file.cycles.new_cycle.value },
            missed_visits: file.missed_visits.map(|missed| missed.value),
            endpoints: file.endpoint,
            response_windows: file.response_window,
            reporting: file.tables.map(Reporting::from).unwrap_or_default(),
            text: text.to_owned(),
        })
    }

    /// A built-in preset by its identifier.
    pub fn built_in(id: &str) -> Result<Self, PresetError> {
        let text = BUILT_IN.iter().find(|(name, _)| *name == id).map(|(_, text)| *text);
        let text = text.ok_or_else(|| PresetError::Unknown {
            found: id.to_owned(),
            available: BUILT_IN.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "),
        })?;
        Self::parse(text)
    }

    /// An endpoint by its name.
    pub fn endpoint(&self, name: &str) -> Option<&EndpointRule> {
        self.endpoints.iter().find(|endpoint| endpoint.name == name)
    }

    /// The file's text, byte for byte, for its digest.
    pub fn text(&self) -> &str {
        &self.text
    }
}

fn check(file: &PresetFile) -> Result<(), PresetError> {
    let settings = [
        ("source", &file.source),
        ("days_per_month", &file.days_per_month.source),
        ("origin", &file.origin.source),
        ("local_rule", &file.local_rule.source),
        ("cycles.gap_days", &file.cycles.gap_days.source),
        ("cycles.new_cycle", &file.cycles.new_cycle.source),
    ];
    let settings = settings.into_iter().chain(file.cutoff.iter().map(|cutoff| ("cutoff", &cutoff.source)));
    let settings = settings.chain(file.missed_visits.iter().map(|missed| ("missed_visits", &missed.source)));
    let endpoints = file.endpoint.iter().map(|endpoint| (endpoint.name.as_str(), &endpoint.source));
    let windows = file.response_window.iter().map(|window| (window.name.as_str(), &window.source));
    let tables = file.tables.iter().flat_map(TablesFile::sources).map(|(name, source)| (name as &str, source));
    for (name, source) in settings.chain(endpoints).chain(windows).chain(tables) {
        if source.trim().is_empty() {
            return Err(PresetError::MissingSource(name.to_owned()));
        }
    }
    for (index, endpoint) in file.endpoint.iter().enumerate() {
        if file.endpoint[..index].iter().any(|earlier| earlier.name == endpoint.name) {
            return Err(PresetError::Twice(endpoint.name.clone()));
        }
        if endpoint.progression_dated == ProgressionDated::AtScheduledVisit && file.missed_visits.is_none() {
            return Err(PresetError::NoSchedule(endpoint.name.clone()));
        }
    }
    let positive = |value: f64| value.is_finite() && value > 0.0;
    if !positive(file.days_per_month.value) {
        return Err(PresetError::NotPositive("days_per_month"));
    }
    if let LocalRule::WithinMm(limit) = file.local_rule.value
        && !positive(limit)
    {
        return Err(PresetError::NotPositive("local_rule"));
    }
    match &file.missed_visits {
        Some(missed) if missed.value.interval_days <= 0 => Err(PresetError::NotPositive("missed_visits.interval_days")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_presets_read_and_bear_their_own_names() {
        for (id, text) in BUILT_IN {
            let preset = Preset::built_in(id).unwrap();
            assert_eq!((preset.id.as_str(), preset.text()), (*id, *text));
        }
        let names: Vec<String> =
            Preset::built_in("default").unwrap().endpoints.into_iter().map(|endpoint| endpoint.name).collect();
        assert_eq!(names, ["OS", "PFS", "PFS_local", "PFS_distant", "TTP", "LTPFS", "DPFS", "DSS", "DFS", "LC", "DoR"]);
    }

    #[test]
    fn unknown_keys_and_missing_sources_are_refused() {
        let text = BUILT_IN[0].1;
        let unknown = text.replacen("[cycles]", "[cycles]\nmonth = 3", 1);
        assert!(matches!(Preset::parse(&unknown), Err(PresetError::Unreadable(_))));
        let bare = text.replacen("source = \"365.25 / 12\"", "source = \"\"", 1);
        assert_eq!(Preset::parse(&bare), Err(PresetError::MissingSource("days_per_month".to_owned())));
        let fda = BUILT_IN.iter().find(|(id, _)| *id == "fda2018").unwrap().1;
        let unscheduled: String =
            fda.lines().filter(|line| !line.starts_with("missed_visits")).map(|line| format!("{line}\n")).collect();
        assert_eq!(Preset::parse(&unscheduled), Err(PresetError::NoSchedule("PFS_scheduled".to_owned())));
    }
}
