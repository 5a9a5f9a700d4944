//! What a rule asks of a series: words, patterns and ranges of its header.

use std::ops::RangeInclusive;

use regex::Regex;
use serde::{Deserialize, Deserializer};

use crate::dicom::header::SliceHeader;
use crate::dicom::role::{Plane, has_phrase, plane_of, words};

/// A day in seconds: injection before and scan after midnight.
const SECONDS_A_DAY: f64 = 86_400.0;

/// All conditions that are given must hold.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Conditions {
    modality: Option<String>,
    any: Vec<String>,
    all: Vec<String>,
    none: Vec<String>,
    regex: Option<Pattern>,
    study_any: Vec<String>,
    image_type: Option<String>,
    contrast: Option<bool>,
    contrast_any: Vec<String>,
    kernel_any: Vec<String>,
    plane: Option<Plane>,
    thickness_mm: Option<[f64; 2]>,
    n_slices: Option<[f64; 2]>,
    echo_time_ms: Option<[f64; 2]>,
    repetition_time_ms: Option<[f64; 2]>,
    b_value: Option<[f64; 2]>,
    seconds_after_injection: Option<[f64; 2]>,
}

/// A regular expression, equal to another when it is written alike. It runs in time linear in the description.
#[derive(Debug, Clone)]
struct Pattern(Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Regex::new(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

/// What conditions look at.
pub(super) struct Facts<'a> {
    header: &'a SliceHeader,
    n_slices: usize,
    series: String,
    study: String,
}

impl<'a> Facts<'a> {
    /// Of a series of `n_slices` slices like this one.
    pub(super) fn of(header: &'a SliceHeader, n_slices: usize) -> Self {
        Self { header, n_slices, series: words(&header.series_description), study: words(&header.study_description) }
    }
}

impl Conditions {
    /// The phrases looked for in descriptions of series and studies.
    pub(super) fn phrases(&self) -> impl Iterator<Item = &String> {
        [&self.any, &self.all, &self.none, &self.study_any].into_iter().flatten()
    }

    /// Why these can never hold, if so.
    pub(super) fn fault(&self) -> Option<&'static str> {
        let ranges = [
            self.thickness_mm,
            self.n_slices,
            self.echo_time_ms,
            self.repetition_time_ms,
            self.b_value,
            self.seconds_after_injection,
        ];
        if ranges.into_iter().flatten().any(|[least, most]| !matches!(least.partial_cmp(&most), Some(o) if o.is_le())) {
            return Some("a range whose least is above its most");
        }
        let phrases = [&self.any, &self.all, &self.none, &self.study_any, &self.contrast_any, &self.kernel_any];
        phrases
            .into_iter()
            .flatten()
            .any(|p| words(p).trim() != p.as_str())
            .then_some("a phrase with capitals or punctuation never fits: write lower-case words")
    }

    /// Whether all of them hold.
    pub(super) fn hold(&self, facts: &Facts<'_>) -> bool {
        self.texts_hold(facts) && self.numbers_hold(facts)
    }

    fn texts_hold(&self, facts: &Facts<'_>) -> bool {
        let Facts { header, series, study, .. } = facts;
        let has = |phrase: &String| has_phrase(series, &[phrase]);
        let one_of = |phrases: &[String], text: Option<&str>| {
            let text = words(text.unwrap_or_default());
            phrases.is_empty() || phrases.iter().any(|p| has_phrase(&text, &[p]))
        };
        self.modality.as_ref().is_none_or(|modality| *modality == header.modality)
            && (self.any.is_empty() || self.any.iter().any(has))
            && self.all.iter().all(has)
            && !self.none.iter().any(has)
            && self.regex.as_ref().is_none_or(|pattern| pattern.0.is_match(&header.series_description))
            && (self.study_any.is_empty() || self.study_any.iter().any(|p| has_phrase(study, &[p])))
            && self.image_type.as_ref().is_none_or(|t| header.image_type.iter().any(|v| v.eq_ignore_ascii_case(t)))
            && self.contrast.is_none_or(|c| c == header.contrast_agent.is_some())
            && one_of(&self.contrast_any, header.contrast_agent.as_deref())
            && one_of(&self.kernel_any, header.convolution_kernel.as_deref())
    }

    fn numbers_hold(&self, facts: &Facts<'_>) -> bool {
        let Facts { header, n_slices, .. } = facts;
        let within = |range: Option<[f64; 2]>, value: Option<f64>| {
            range.is_none_or(|[least, most]| value.is_some_and(|v| RangeInclusive::new(least, most).contains(&v)))
        };
        self.plane.is_none_or(|p| header.orientation.is_some_and(|o| plane_of(o) == p))
            && within(self.thickness_mm, header.slice_thickness)
            && within(self.n_slices, Some(*n_slices as f64))
            && within(self.echo_time_ms, header.echo_time_ms)
            && within(self.repetition_time_ms, header.repetition_time_ms)
            && within(self.b_value, header.key.b_value)
            && within(self.seconds_after_injection, seconds_after_injection(header))
    }
}

/// From Contrast/Bolus Start Time (0018,1042) to Acquisition Time (0008,0032), midnight crossed at most once.
fn seconds_after_injection(header: &SliceHeader) -> Option<f64> {
    let since_midnight =
        |time: jiff::civil::Time| (time - jiff::civil::Time::midnight()).total(jiff::Unit::Second).ok();
    let (start, scan) = (since_midnight(header.contrast_start_time?)?, since_midnight(header.acquisition_time?)?);
    Some((scan - start).rem_euclid(SECONDS_A_DAY))
}
