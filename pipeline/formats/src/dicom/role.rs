//! Names the role of a series (arterial, portal venous, T2, PET, …) from its header, and ranks series of one role.
//!
//! The rules stand in `configs/series/default.toml`; their words were collected from the series descriptions of public
//! liver-cancer collections (NCI Imaging Data Commons, 2024).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::header::SliceHeader;

mod rules;

pub use rules::{RoleCandidate, RulesError, SeriesRules};

/// What a series is used as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeriesRole {
    /// CT, arterial phase.
    CtArterial,
    /// CT, portal venous phase.
    CtPortalVenous,
    /// CT, delayed phase.
    CtDelayed,
    /// CT without contrast agent.
    CtNative,
    /// CT of unknown phase.
    Ct,
    /// Low-dose CT of a PET/CT.
    CtPet,
    /// T1-weighted MR.
    MrT1,
    /// T2-weighted MR.
    MrT2,
    /// T1-weighted MR in the hepatobiliary phase of a liver-specific contrast agent.
    MrHepatobiliary,
    /// Diffusion-weighted MR.
    MrDwi,
    /// Apparent diffusion coefficient.
    MrAdc,
    /// PET.
    Pet,
    /// Anything else.
    Other,
}

impl SeriesRole {
    /// Every role, in the order of the index.
    pub const ALL: [Self; 13] = [
        Self::CtArterial,
        Self::CtPortalVenous,
        Self::CtDelayed,
        Self::CtNative,
        Self::Ct,
        Self::CtPet,
        Self::MrT1,
        Self::MrT2,
        Self::MrHepatobiliary,
        Self::MrDwi,
        Self::MrAdc,
        Self::Pet,
        Self::Other,
    ];

    /// The name used in files and folders.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CtArterial => "ct_arterial",
            Self::CtPortalVenous => "ct_portal_venous",
            Self::CtDelayed => "ct_delayed",
            Self::CtNative => "ct_native",
            Self::Ct => "ct",
            Self::CtPet => "ct_pet",
            Self::MrT1 => "mr_t1",
            Self::MrT2 => "mr_t2",
            Self::MrHepatobiliary => "mr_hepatobiliary",
            Self::MrDwi => "mr_dwi",
            Self::MrAdc => "mr_adc",
            Self::Pet => "pet",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for SeriesRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Descriptions of pictures made for planning or watching, never for measuring.
pub(crate) const NOT_FOR_MEASURING: &[&str] = &[
    "localizer",
    "localiser",
    "loc",
    "scout",
    "scou",
    "topogram",
    "topo",
    "survey",
    "surview",
    "calibration",
    "cal",
    "monitoring",
    "premonitoring",
    "bolus",
    "tracker",
    "smartprep",
    "dose report",
    "patient protocol",
    "summary series",
    "test bolus",
    "realtime",
    "scouts",
    "smart prep",
    "testbolus",
    "rtd",
    "mip",
    "mips",
    "bx",
    "biopsy",
];

/// The stem of all secondary capture SOP classes (single and multi-frame).
const SECONDARY_CAPTURE_CLASSES: &str = "1.2.840.10008.5.1.4.1.1.7";

/// Lower-case words of a description; joined by single blanks, with a blank at both ends.
fn words(description: &str) -> String {
    let mut out = String::from(" ");
    for word in description.split(|c: char| !c.is_alphanumeric() && c != '*').filter(|w| !w.is_empty()) {
        out.push_str(&word.to_lowercase());
        out.push(' ');
    }
    out
}

fn has_phrase(words: &str, phrases: &[&str]) -> bool {
    phrases.iter().any(|phrase| words.contains(&format!(" {phrase} ")))
}

/// The role of a series by the built-in rules.
#[must_use]
pub fn role_of(header: &SliceHeader) -> SeriesRole {
    candidates_of(header, SeriesRules::built_in(), 1).first().map_or(SeriesRole::Other, |c| c.role)
}

/// Every role a series may have by these rules, the most likely first; none for what is not for measuring.
#[must_use]
pub fn candidates_of(header: &SliceHeader, rules: &SeriesRules, n_slices: usize) -> Vec<RoleCandidate> {
    if !header.is_image() || not_for_measuring(header).is_some() {
        return Vec::new();
    }
    rules.candidates(header, n_slices)
}

/// Why a series is not for measuring, if so: localizer, scout, bolus monitoring, secondary capture.
#[must_use]
pub fn not_for_measuring(header: &SliceHeader) -> Option<String> {
    if !header.is_image() {
        return Some(format!("modality {} holds no image volume", header.modality));
    }
    if header.sop_class_uid.starts_with(SECONDARY_CAPTURE_CLASSES) {
        return Some("secondary capture: a picture of an image, without its geometry".to_owned());
    }
    if !matches!(header.modality.as_str(), "CT" | "MR" | "PT") {
        return Some(format!("modality {} is not measured by this program (CT, MR and PT are)", header.modality));
    }
    if header.image_type.iter().any(|v| v.eq_ignore_ascii_case("LOCALIZER")) {
        return Some("localizer (Image Type)".to_owned());
    }
    if header.samples_per_pixel != 1 {
        return Some("colour image: its values are no measurement".to_owned());
    }
    let words = words(&header.series_description);
    NOT_FOR_MEASURING
        .iter()
        .find(|word| has_phrase(&words, &[word]))
        .map(|word| format!("planning or monitoring series (description says \"{word}\")"))
}

/// The plane of the slices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plane {
    /// Normal along the body axis.
    Axial,
    /// Normal from front to back.
    Coronal,
    /// Normal from left to right.
    Sagittal,
    /// More than 30° from all three.
    Oblique,
}

/// The plane of an image orientation: the axis its normal comes within 30° of.
#[must_use]
pub fn plane_of(orientation: [f64; 6]) -> Plane {
    let [a, b, c, d, e, f] = orientation;
    let normal = [b * f - c * e, c * d - a * f, a * e - b * d];
    let norm = normal.iter().map(|v| v * v).sum::<f64>().sqrt();
    let near = |component: f64| norm > 0.0 && component.abs() / norm > 0.866; // cos 30°
    match normal {
        [_, _, z] if near(z) => Plane::Axial,
        [_, y, _] if near(y) => Plane::Coronal,
        [x, _, _] if near(x) => Plane::Sagittal,
        _ => Plane::Oblique,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::dicom) fn header(modality: &str, description: &str) -> SliceHeader {
        SliceHeader {
            patient_id: "P1".into(),
            study_uid: "1.2".into(),
            series_uid: "1.2.3".into(),
            sop_instance_uid: "1.2.3.4".into(),
            sop_class_uid: "1.2.840.10008.5.1.4.1.1.2".into(),
            transfer_syntax: "1.2.840.10008.1.2.1".into(),
            frame_uid: Some("1.9".into()),
            path: "IM0001.dcm".into(),
            series_description: description.into(),
            image_type: vec!["ORIGINAL".into(), "PRIMARY".into(), "AXIAL".into()],
            position: Some([0.0; 3]),
            orientation: Some([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]),
            pixel_spacing: Some([0.7, 0.7]),
            slice_thickness: Some(3.0),
            rows: 4,
            columns: 5,
            signed: Some(true),
            rescale_slope: Some(1.0),
            rescale_intercept: Some(0.0),
            ..SliceHeader::blank(modality)
        }
    }

    #[test]
    fn real_descriptions_get_their_role() {
        for (modality, description, role) in [
            ("CT", "Recon 2: PRE LIVER", SeriesRole::CtNative),
            ("CT", "Recon 2: LIVER 3 PHASE (AP)", SeriesRole::Ct),
            ("CT", "P.Venous  3.0  B40f", SeriesRole::CtPortalVenous),
            ("CT", "Late art. phase  3.0  B40f", SeriesRole::CtArterial),
            ("CT", "ARTERIAL LIVER", SeriesRole::CtArterial),
            ("CT", "Cor 180 sec Delay  3.0  MPR", SeriesRole::CtDelayed),
            ("CT", "Dry Liver", SeriesRole::CtNative),
            ("CT", "W/O ABD  5.0  B40f", SeriesRole::CtNative),
            ("CT", "PV Abd", SeriesRole::CtPortalVenous),
            ("CT", "Topogram  1.0  T20s", SeriesRole::Other),
            ("CT", "PreMonitoring  9.6  B30s", SeriesRole::Other),
            ("MR", "t1_vibe_fs_tra_p2_320_bh (ACR)", SeriesRole::MrT1),
            ("MR", "ax SSFSE", SeriesRole::MrT2),
            ("MR", "ep2d_diff_b50_400_800 FREE BREATHE", SeriesRole::MrDwi),
            ("MR", "ep2d_diff_b50_400_800 FREE BREATHE_ADC", SeriesRole::MrAdc),
            ("MR", "T1 VIBE FS TRA_hepatocyte_C", SeriesRole::MrHepatobiliary),
            ("MR", "SUB_S11-S9_1", SeriesRole::Other),
            ("CT", "CTAC", SeriesRole::CtPet),
            ("MR", "3 plane loc", SeriesRole::Other),
            ("PT", "PET WB", SeriesRole::Pet),
        ] {
            assert_eq!(role_of(&header(modality, description)), role, "{modality} {description}");
        }
    }

    #[test]
    fn planes_of_orientations() {
        assert_eq!(plane_of([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]), Plane::Axial);
        assert_eq!(plane_of([1.0, 0.0, 0.0, 0.0, 0.0, -1.0]), Plane::Coronal);
        assert_eq!(plane_of([0.0, 1.0, 0.0, 0.0, 0.0, -1.0]), Plane::Sagittal);
        assert_eq!(plane_of([1.0, 0.0, 0.0, 0.0, 0.6, 0.8]), Plane::Oblique);
    }
}
