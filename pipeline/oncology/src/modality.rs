//! Kinds of treatment, as they are spelled in `treatments.csv`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A kind of treatment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Modality {
    /// Irreversible electroporation.
    Ire,
    /// Microwave ablation.
    Mwa,
    /// Radiofrequency ablation.
    Rfa,
    /// Cryoablation.
    Cryoablation,
    /// High-dose-rate brachytherapy.
    HdrBrachytherapy,
    /// Stereotactic body radiotherapy.
    Sbrt,
    /// Transarterial chemoembolisation.
    Tace,
    /// Transarterial radioembolisation.
    Tare,
    /// Electrochemotherapy.
    Ect,
    /// High-intensity focused ultrasound.
    Hifu,
    /// Laser ablation.
    Laser,
    /// Surgery.
    Surgery,
    /// Systemic therapy of any kind.
    Systemic,
}

/// A word that names no kind of treatment.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "expected one of IRE, MWA, RFA, cryoablation, HDR brachytherapy, SBRT, TACE, TARE, ECT, HIFU, laser, surgery, systemic; found {0:?}"
)]
pub struct UnknownModality(String);

const NAMES: [(Modality, &str); 13] = [
    (Modality::Ire, "IRE"),
    (Modality::Mwa, "MWA"),
    (Modality::Rfa, "RFA"),
    (Modality::Cryoablation, "cryoablation"),
    (Modality::HdrBrachytherapy, "HDR brachytherapy"),
    (Modality::Sbrt, "SBRT"),
    (Modality::Tace, "TACE"),
    (Modality::Tare, "TARE"),
    (Modality::Ect, "ECT"),
    (Modality::Hifu, "HIFU"),
    (Modality::Laser, "laser"),
    (Modality::Surgery, "surgery"),
    (Modality::Systemic, "systemic"),
];

impl Modality {
    /// Whether it leaves an ablation zone whose margin can be measured: energy applied in or through the tumour.
    pub fn leaves_ablation_zone(self) -> bool {
        matches!(self, Self::Ire | Self::Mwa | Self::Rfa | Self::Cryoablation | Self::Hifu | Self::Laser)
    }
    /// Whether it irradiates: its sites are read on the radiation pathway (LI-RADS treatment response v2024).
    pub fn is_radiation(self) -> bool {
        matches!(self, Self::HdrBrachytherapy | Self::Sbrt | Self::Tare)
    }
    /// Whether it acts on single lesions rather than on the whole body.
    pub fn is_locoregional(self) -> bool {
        self != Self::Systemic
    }
}

impl fmt::Display for Modality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(modality, _)| modality == self).map_or("", |(_, name)| name);
        f.write_str(name)
    }
}

impl FromStr for Modality {
    type Err = UnknownModality;
    fn from_str(text: &str) -> Result<Self, UnknownModality> {
        let plain = |s: &str| s.trim().to_lowercase().replace(['-', '_'], " ");
        let found = NAMES.iter().find(|(_, name)| plain(name) == plain(text));
        found.map(|(modality, _)| *modality).ok_or_else(|| UnknownModality(text.to_owned()))
    }
}

impl TryFrom<String> for Modality {
    type Error = UnknownModality;
    fn try_from(text: String) -> Result<Self, UnknownModality> {
        text.parse()
    }
}
impl From<Modality> for String {
    fn from(modality: Modality) -> Self {
        modality.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_and_spelling_is_lenient_but_not_guessed() {
        for (modality, name) in NAMES {
            assert_eq!(name.parse::<Modality>().unwrap(), modality);
            assert_eq!(modality.to_string(), name);
        }
        assert_eq!("hdr_brachytherapy".parse::<Modality>().unwrap(), Modality::HdrBrachytherapy);
        assert!("ablation".parse::<Modality>().is_err());
    }
}
