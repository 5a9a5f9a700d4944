//! Tumour markers: what a reading near a visit says, and how it enters the response of the non-targets.
//!
//! Source: Eisenhauer et al. 2009 (RECIST 1.1) §4.3.3: markers above the upper limit of normal must return to normal for a
//! complete response; a marker alone is never progression.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::exact::Exact;
use crate::time::{Date, Days};

/// A tumour marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Marker {
    /// Carbohydrate antigen 19-9.
    Ca199,
    /// Alpha-fetoprotein.
    Afp,
    /// Carcinoembryonic antigen.
    Cea,
    /// Prostate-specific antigen.
    Psa,
}

const NAMES: [(Marker, &str); 4] =
    [(Marker::Ca199, "CA 19-9"), (Marker::Afp, "AFP"), (Marker::Cea, "CEA"), (Marker::Psa, "PSA")];

/// A word that names no marker.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected one of CA 19-9, AFP, CEA, PSA; found {0:?}")]
pub struct UnknownMarker(String);

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAMES.iter().find(|(marker, _)| marker == self).map_or("", |(_, name)| name))
    }
}

impl FromStr for Marker {
    type Err = UnknownMarker;
    fn from_str(text: &str) -> Result<Self, UnknownMarker> {
        let plain = |s: &str| s.to_lowercase().replace([' ', '-', '_', '.'], "");
        let found = NAMES.iter().find(|(_, name)| plain(name) == plain(text));
        found.map(|(marker, _)| *marker).ok_or_else(|| UnknownMarker(text.to_owned()))
    }
}

impl TryFrom<String> for Marker {
    type Error = UnknownMarker;
    fn try_from(text: String) -> Result<Self, UnknownMarker> {
        text.parse()
    }
}
impl From<Marker> for String {
    fn from(marker: Marker) -> Self {
        marker.to_string()
    }
}

/// One reading (a row of `markers.csv`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarkerReading {
    /// Which marker.
    pub marker: Marker,
    /// Date of the sample.
    pub date: Date,
    /// Value, in the unit.
    pub value: Exact,
    /// Unit as written.
    pub unit: String,
    /// Upper limit of normal, in the same unit.
    pub upper_limit: Exact,
}

/// The furthest a reading may lie from a visit and still speak for it, days. Origin: the baseline window of RECIST trials (28
/// days), as no document names one for markers.
pub const WINDOW_DAYS: i64 = 28;

/// What the markers say at a visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarkerState {
    /// No marker was above normal at baseline or since: none is followed.
    NotFollowed,
    /// All followed markers are normal.
    Normal,
    /// At least one is above normal; the sentence names it.
    Above(String),
    /// A followed marker has no reading near the visit; the sentence names it.
    Unknown(String),
}

/// The state at a visit. A marker is followed once it was above normal at or before the visit; the reading nearest to the visit
/// within [`WINDOW_DAYS`] counts, of two equally near the later.
pub fn marker_state(readings: &[MarkerReading], visit: Date) -> MarkerState {
    let mut by_marker: BTreeMap<Marker, Vec<&MarkerReading>> = BTreeMap::new();
    for reading in readings {
        by_marker.entry(reading.marker).or_default().push(reading);
    }
    let distance = |reading: &MarkerReading| Days::between(visit, reading.date).0;
    let (mut above, mut unknown, mut n_followed) = (Vec::new(), Vec::new(), 0);
    for (marker, readings) in by_marker {
        let is_high =
            |reading: &&&MarkerReading| distance(reading) <= WINDOW_DAYS && reading.value > reading.upper_limit;
        if !readings.iter().any(|reading| is_high(&reading)) {
            continue;
        }
        n_followed += 1;
        let near = readings.iter().filter(|reading| distance(reading).abs() <= WINDOW_DAYS);
        match near.min_by_key(|reading| (distance(reading).abs(), std::cmp::Reverse(reading.date), reading.value)) {
            None => unknown.push(format!("no {marker} within {WINDOW_DAYS} days of {visit}")),
            Some(reading) if reading.value > reading.upper_limit => above.push(format!(
                "{marker} {} {} on {}, above {}",
                reading.value, reading.unit, reading.date, reading.upper_limit
            )),
            Some(_) => {}
        }
    }
    match (n_followed, above.is_empty(), unknown.is_empty()) {
        (0, _, _) => MarkerState::NotFollowed,
        (_, false, _) => MarkerState::Above(above.join(", ")),
        (_, true, false) => MarkerState::Unknown(unknown.join(", ")),
        (_, true, true) => MarkerState::Normal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn afp(day: Date, value: i32) -> MarkerReading {
        MarkerReading {
            marker: Marker::Afp,
            date: day,
            value: Exact::whole(value),
            unit: "ng/ml".to_owned(),
            upper_limit: Exact::whole(10),
        }
    }

    #[test]
    fn a_marker_is_followed_once_it_was_high_and_must_be_seen_to_fall() {
        let readings = [afp(date(2024, 1, 1), 400), afp(date(2024, 3, 1), 10), afp(date(2024, 6, 1), 11)];
        assert_eq!(
            marker_state(&readings, date(2024, 1, 5)),
            MarkerState::Above("AFP 400 ng/ml on 2024-01-01, above 10".to_owned())
        );
        assert_eq!(marker_state(&readings, date(2024, 3, 10)), MarkerState::Normal);
        assert!(matches!(marker_state(&readings, date(2024, 4, 15)), MarkerState::Unknown(_)));
        assert!(matches!(marker_state(&readings, date(2024, 6, 20)), MarkerState::Above(_)));
        assert_eq!(marker_state(&[afp(date(2024, 1, 1), 9)], date(2024, 1, 1)), MarkerState::NotFollowed);
    }

    #[test]
    fn names_read_back_in_any_spelling() {
        for text in ["CA 19-9", "ca19-9", "CA_19.9"] {
            assert_eq!(text.parse::<Marker>().unwrap(), Marker::Ca199);
        }
        assert!("CA 125".parse::<Marker>().is_err());
    }
}
