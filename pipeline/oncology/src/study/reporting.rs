//! How a study prints its tables: layout, summaries of numbers, whose statistics program, which covariates.
//!
//! Source: the section `[tables]` of the files in `configs/presets`, each with its own; without one the conventions of R.

use serde::Deserialize;
use survival::Profile;

use crate::criteria::table::Sourced;

/// Which tables, and how they are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// Every table the program has.
    All,
    /// Tables 1 to 4 of Xu et al. 2021 first.
    Xu2021,
    /// Table 1 and the results of Narayanan et al. 2024 first.
    Narayanan2024,
}

/// How a number is summed up over a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Summary {
    /// Median (smallest–largest).
    MedianRange,
    /// Mean ± standard deviation.
    MeanSd,
    /// Mean (smallest–largest).
    MeanRange,
}

/// What technical success of an ablation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Success {
    /// The zone covers the tumour: a smallest margin of 0 mm and more.
    Coverage,
    /// The smallest margin is more than the study's threshold.
    MarginMoreThanThreshold,
}

/// The section as it stands in a file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TablesFile {
    layout: Sourced<Layout>,
    summary: Sourced<Summary>,
    statistics: Sourced<Profile>,
    technical_success: Sourced<Success>,
    landmarks_months: Sourced<Vec<f64>>,
    screen_p: Sourced<f64>,
    covariates: Sourced<Vec<String>>,
    endpoints: Sourced<Vec<String>>,
}

/// How a study prints its tables.
#[derive(Debug, Clone, PartialEq)]
pub struct Reporting {
    /// Which tables come first.
    pub layout: Layout,
    /// How numbers are summed up.
    pub summary: Summary,
    /// Bounds of curves, medians and their intervals, ties of Cox models.
    pub statistics: Profile,
    /// Technical success.
    pub technical_success: Success,
    /// Times at which survival is stated, months.
    pub landmarks_months: Vec<f64>,
    /// Variables with a smaller p alone enter the multivariable model.
    pub screen_p: f64,
    /// Variables of the Cox models; all that are known where empty.
    pub covariates: Vec<String>,
    /// Endpoints of the Cox models; all where empty.
    pub endpoints: Vec<String>,
}

impl Default for Reporting {
    fn default() -> Self {
        Self {
            layout: Layout::All,
            summary: Summary::MedianRange,
            statistics: Profile::R,
            technical_success: Success::Coverage,
            landmarks_months: vec![6.0, 12.0, 24.0, 36.0, 60.0],
            screen_p: 0.1,
            covariates: Vec::new(),
            endpoints: Vec::new(),
        }
    }
}

impl From<TablesFile> for Reporting {
    fn from(file: TablesFile) -> Self {
        Self {
            layout: file.layout.value,
            summary: file.summary.value,
            statistics: file.statistics.value,
            technical_success: file.technical_success.value,
            landmarks_months: file.landmarks_months.value,
            screen_p: file.screen_p.value,
            covariates: file.covariates.value,
            endpoints: file.endpoints.value,
        }
    }
}

impl TablesFile {
    /// The settings with their sources, for the check that each has one.
    pub(crate) fn sources(&self) -> [(&'static str, &String); 8] {
        [
            ("tables.layout", &self.layout.source),
            ("tables.summary", &self.summary.source),
            ("tables.statistics", &self.statistics.source),
            ("tables.technical_success", &self.technical_success.source),
            ("tables.landmarks_months", &self.landmarks_months.source),
            ("tables.screen_p", &self.screen_p.source),
            ("tables.covariates", &self.covariates.source),
            ("tables.endpoints", &self.endpoints.source),
        ]
    }
}
