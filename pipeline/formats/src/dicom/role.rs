//! Names the role of a series (arterial, portal venous, T2, PET, …) from its header, and ranks series of one role.
//!
//! One ordered table of rules over modality and description words; the first rule that fits names the role. Words were
//! collected from the series descriptions of public liver-cancer collections (NCI Imaging Data Commons, 2024).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::header::SliceHeader;

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
    /// T1-weighted MR.
    MrT1,
    /// T2-weighted MR.
    MrT2,
    /// Diffusion-weighted MR.
    MrDwi,
    /// PET.
    Pet,
    /// Anything else.
    Other,
}

impl SeriesRole {
    /// Every role, in the order of the index.
    pub const ALL: [Self; 10] = [
        Self::CtArterial,
        Self::CtPortalVenous,
        Self::CtDelayed,
        Self::CtNative,
        Self::Ct,
        Self::MrT1,
        Self::MrT2,
        Self::MrDwi,
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
            Self::MrT1 => "mr_t1",
            Self::MrT2 => "mr_t2",
            Self::MrDwi => "mr_dwi",
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

/// One rule: a role for a modality whose description has one of the phrases (each a run of whole words).
struct Rule {
    role: SeriesRole,
    modality: &'static str,
    any: &'static [&'static str],
}

/// The rules, first match wins. An empty list of phrases fits every description.
const RULES: &[Rule] = &[
    // Native before the phases: "pre arterial" does not exist, "non contrast" does; delayed before venous: "venous delay".
    Rule {
        role: SeriesRole::CtNative,
        modality: "CT",
        any: &[
            "native",
            "nativ",
            "non contrast",
            "noncontrast",
            "without contrast",
            "unenhanced",
            "pre contrast",
            "pre liver",
            "precontrast",
            "pre",
            "dry",
            "w o",
            "c minus",
            "no contrast",
        ],
    },
    Rule {
        role: SeriesRole::CtDelayed,
        modality: "CT",
        any: &["delayed", "delay", "late phase", "equilibrium", "excretory"],
    },
    Rule {
        role: SeriesRole::CtArterial,
        modality: "CT",
        any: &["arterial", "art", "arteriell", "late arterial", "early phase", "hepatic arterial"],
    },
    Rule {
        role: SeriesRole::CtPortalVenous,
        modality: "CT",
        any: &["portal", "portovenous", "portalvenous", "venous", "pv", "pvp", "p venous", "venoes", "portalvenoes"],
    },
    Rule { role: SeriesRole::Ct, modality: "CT", any: &[] },
    Rule { role: SeriesRole::Other, modality: "MR", any: DERIVED_MR },
    Rule { role: SeriesRole::MrDwi, modality: "MR", any: &["dwi", "diffusion", "diff", "ep2d diff", "resolve", "dw"] },
    Rule {
        role: SeriesRole::MrT2,
        modality: "MR",
        any: &["t2", "t2w", "haste", "ssfse", "frfse", "tirm", "stir", "trufi", "fiesta", "fse", "t2 tse", "blade"],
    },
    Rule {
        role: SeriesRole::MrT1,
        modality: "MR",
        any: &["t1", "t1w", "vibe", "lava", "flash", "spgr", "thrive", "mprage", "dixon", "fspgr"],
    },
    Rule { role: SeriesRole::Other, modality: "MR", any: &[] },
    Rule { role: SeriesRole::Pet, modality: "PT", any: &[] },
];

/// Descriptions of pictures made for planning or watching, never for measuring.
const NOT_FOR_MEASURING: &[&str] = &[
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
];

/// Maps and differences computed from MR images, whose numbers are no signal intensities.
const DERIVED_MR: &[&str] = &["adc", "apparent diffusion coefficient", "sub", "subtraction", "mre", "elastography"];

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

/// The role of a series. A CT whose description names no phase is native only when the header says so; it stays `ct`
/// otherwise, because a filled contrast agent does not tell the phase.
#[must_use]
pub fn role_of(header: &SliceHeader) -> SeriesRole {
    if !header.is_image() || not_for_measuring(header).is_some() {
        return SeriesRole::Other;
    }
    let words = words(&header.series_description);
    let by_words = RULES
        .iter()
        .find(|rule| rule.modality == header.modality && (rule.any.is_empty() || has_phrase(&words, rule.any)))
        .map_or(SeriesRole::Other, |rule| rule.role);
    if by_words == SeriesRole::Other && header.modality == "MR" && !has_phrase(&words, DERIVED_MR) {
        return mr_by_timing(header);
    }
    by_words
}

/// MR without a telling description, from echo and repetition time: T1 below 30 ms and 1000 ms, T2 above 60 ms (spin
/// echo conventions; Bitar et al. 2006, RadioGraphics 26:513).
fn mr_by_timing(header: &SliceHeader) -> SeriesRole {
    match (header.repetition_time_ms, header.echo_time_ms) {
        (Some(tr), Some(te)) if tr > 0.0 && te > 0.0 && tr < 1000.0 && te < 30.0 => SeriesRole::MrT1,
        (Some(tr), Some(te)) if tr > 1000.0 && te > 60.0 => SeriesRole::MrT2,
        _ => SeriesRole::Other,
    }
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
            path: "IM0001.dcm".into(),
            patient_id: "P1".into(),
            study_uid: "1.2".into(),
            series_uid: "1.2.3".into(),
            sop_instance_uid: "1.2.3.4".into(),
            sop_class_uid: "1.2.840.10008.5.1.4.1.1.2".into(),
            transfer_syntax: "1.2.840.10008.1.2.1".into(),
            frame_uid: Some("1.9".into()),
            study_date: None,
            series_date: None,
            series_time: None,
            acquisition_date: None,
            acquisition_time: None,
            modality: modality.into(),
            series_description: description.into(),
            study_description: String::new(),
            series_number: None,
            acquisition_number: None,
            instance_number: None,
            image_type: vec!["ORIGINAL".into(), "PRIMARY".into(), "AXIAL".into()],
            contrast_agent: None,
            scanning_sequence: None,
            repetition_time_ms: None,
            echo_time_ms: None,
            position: Some([0.0; 3]),
            orientation: Some([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]),
            pixel_spacing: Some([0.7, 0.7]),
            slice_thickness: Some(3.0),
            spacing_between_slices: None,
            rows: 4,
            columns: 5,
            n_frames: 1,
            samples_per_pixel: 1,
            bits_allocated: 16,
            bits_stored: 16,
            high_bit: 15,
            signed: Some(true),
            rescale_slope: Some(1.0),
            rescale_intercept: Some(0.0),
            rescale_type: None,
            pixel_padding: None,
            pixels: crate::dicom::pixel_offset::PixelPlace::Inside,
            pet: None,
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
            ("MR", "ep2d_diff_b50_400_800 FREE BREATHE_ADC", SeriesRole::Other),
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
