//! The section `[series]` of a study file.

use std::path::PathBuf;

use formats::dicom::{LeanBodyFormula, SeriesRole};
use serde::{Deserialize, Serialize};

/// Which series are measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Series {
    /// Roles on which lesions are segmented and measured; the first one a visit has is taken.
    pub(crate) measure: Vec<String>,
    /// Roles for viable tumour (mRECIST).
    pub(crate) arterial: Vec<String>,
    /// Roles for standardised uptake values.
    pub(crate) pet: Vec<String>,
    /// Roles for the apparent diffusion coefficient.
    #[serde(default = "adc_roles")]
    pub(crate) adc: Vec<String>,
    /// File of own rules, which stand before the built-in ones; relative to the study file; empty for none.
    #[serde(default)]
    pub(crate) rules: PathBuf,
    /// Formula of the lean body mass, by which SUL is made; one for all visits.
    #[serde(default)]
    pub(crate) lean_body_mass: LeanBodyFormula,
    /// Which NIfTI files share a frame of reference.
    #[serde(default)]
    pub(crate) nifti_frame: NiftiFrame,
}

/// Those of a study file that was written before there was the key.
fn adc_roles() -> Vec<String> {
    vec![SeriesRole::MrAdc.as_str().to_owned()]
}

/// Which NIfTI files share a frame of reference where `series.csv` names none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NiftiFrame {
    /// Each file has its own.
    #[default]
    File,
    /// The files of a visit share one.
    Visit,
}

impl Series {
    /// A misspelt role would be one that no series has.
    pub(super) fn check_roles(&self) -> anyhow::Result<()> {
        let known = SeriesRole::ALL.map(SeriesRole::as_str);
        for (key, roles) in
            [("measure", &self.measure), ("arterial", &self.arterial), ("pet", &self.pet), ("adc", &self.adc)]
        {
            for role in roles {
                anyhow::ensure!(
                    known.contains(&role.as_str()),
                    "[series] {key}: expected roles among {}, found {role:?}",
                    known.join(", ")
                );
            }
        }
        Ok(())
    }
}
