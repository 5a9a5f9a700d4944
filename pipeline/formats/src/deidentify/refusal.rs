//! Objects that are left out because cleaning their attributes does not clean them: text in pixels, documents, private kinds.
//!
//! Source: DICOM PS3.15 E.1.1 and E.3.1 (Clean Pixel Data), PS3.4 B.5 (storage classes).

use dicom::dictionary_std::{tags, uids};
use dicom::object::InMemDicomObject;
use serde::Serialize;

use crate::dicom::element;

/// Why a file is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftOut {
    /// Burned In Annotation (0028,0301) says YES.
    BurnedInAnnotation,
    /// A picture of an image.
    SecondaryCapture,
    /// A picture of a screen by Image Type or description.
    ScreenPicture,
    /// Made by a scanner, a camera or a video (Conversion Type).
    Scanned,
    /// In colour: CT, MR and PET are not.
    Colour,
    /// A document inside DICOM (PDF, CDA, …).
    Document,
    /// A report of the dose, as objects or pictures.
    DoseReport,
    /// A class of a vendor's own.
    PrivateClass,
    /// A class of the standard that this program does not clean (ultrasound, waveforms, raw data, presentation states, …).
    OtherClass,
    /// No Patient ID.
    NoPatientId,
    /// No UID of study, series or instance.
    NoUid,
    /// The same file lies in the archive twice.
    Copy,
    /// Another file has the same SOP Instance UID and another content.
    Conflict,
}

/// Whether files with text in their pixels are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flagged {
    /// They are.
    LeftOut,
    /// They are kept, with a flag in the report: somebody looks at each of them.
    Kept,
}

impl LeftOut {
    /// The reason in words.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::BurnedInAnnotation => "Burned In Annotation (0028,0301) is YES: the pixels name somebody",
            Self::SecondaryCapture => "secondary capture: pictures of images carry names in their pixels",
            Self::ScreenPicture => "a picture of a screen or a protocol, by Image Type or description",
            Self::Scanned => "scanned or filmed (Conversion Type (0008,0064)): the pixels may carry names",
            Self::Colour => "a colour image of CT, MR or PET: a picture with captions as often as not",
            Self::Document => "a document inside DICOM: its content cannot be cleaned",
            Self::DoseReport => "a dose report: it names devices, places and times and is not needed for measuring",
            Self::PrivateClass => "a private SOP class: nobody but its vendor knows what it holds",
            Self::OtherClass => "a class this program does not clean",
            Self::NoPatientId => "no Patient ID (0010,0020): its dates cannot be moved with the patient's",
            Self::NoUid => "no UID of study, series or instance",
            Self::Copy => "the same file lies in the archive twice",
            Self::Conflict => {
                "another file has its SOP Instance UID and another content: ask the archive which is right"
            }
        }
    }

    /// Whether a user may keep it all the same.
    fn may_be_kept(self) -> bool {
        matches!(
            self,
            Self::BurnedInAnnotation | Self::SecondaryCapture | Self::ScreenPicture | Self::Scanned | Self::Colour
        )
    }
}

/// Classes whose attributes the profile cleans.
const CLEANED: [&str; 26] = [
    uids::CT_IMAGE_STORAGE,
    uids::ENHANCED_CT_IMAGE_STORAGE,
    uids::LEGACY_CONVERTED_ENHANCED_CT_IMAGE_STORAGE,
    uids::MR_IMAGE_STORAGE,
    uids::ENHANCED_MR_IMAGE_STORAGE,
    uids::LEGACY_CONVERTED_ENHANCED_MR_IMAGE_STORAGE,
    uids::POSITRON_EMISSION_TOMOGRAPHY_IMAGE_STORAGE,
    uids::ENHANCED_PET_IMAGE_STORAGE,
    uids::LEGACY_CONVERTED_ENHANCED_PET_IMAGE_STORAGE,
    uids::NUCLEAR_MEDICINE_IMAGE_STORAGE,
    uids::PARAMETRIC_MAP_STORAGE,
    uids::SEGMENTATION_STORAGE,
    LABEL_MAP_SEGMENTATION,
    uids::SURFACE_SEGMENTATION_STORAGE,
    uids::RT_STRUCTURE_SET_STORAGE,
    uids::RT_DOSE_STORAGE,
    uids::RT_IMAGE_STORAGE,
    uids::SPATIAL_REGISTRATION_STORAGE,
    uids::DEFORMABLE_SPATIAL_REGISTRATION_STORAGE,
    uids::SPATIAL_FIDUCIALS_STORAGE,
    uids::REAL_WORLD_VALUE_MAPPING_STORAGE,
    uids::ENHANCED_SR_STORAGE,
    uids::COMPREHENSIVE_SR_STORAGE,
    uids::COMPREHENSIVE3_DSR_STORAGE,
    uids::X_RAY_ANGIOGRAPHIC_IMAGE_STORAGE,
    uids::ENHANCED_XA_IMAGE_STORAGE,
];

/// Label Map Segmentation Storage (2024), younger than the dictionary.
const LABEL_MAP_SEGMENTATION: &str = "1.2.840.10008.5.1.4.1.1.66.7";
/// The stem of all secondary capture classes.
const SECONDARY_CAPTURE: &str = "1.2.840.10008.5.1.4.1.1.7";
/// The stem of encapsulated documents.
const DOCUMENT: &str = "1.2.840.10008.5.1.4.1.1.104";
/// X-Ray, Enhanced X-Ray and radiopharmaceutical dose reports.
const DOSE: [&str; 3] = [
    uids::X_RAY_RADIATION_DOSE_SR_STORAGE,
    uids::ENHANCED_X_RAY_RADIATION_DOSE_SR_STORAGE,
    uids::RADIOPHARMACEUTICAL_RADIATION_DOSE_SR_STORAGE,
];

/// Values of Image Type that pictures of screens carry.
const SCREEN_TYPES: [&str; 9] = [
    "SCREEN SAVE",
    "SCREENSAVE",
    "SCREENSHOT",
    "SCREEN SHOT",
    "SCREENCAPTURE",
    "CSA REPORT",
    "DOSE_INFO",
    "REPORT",
    "PROTOCOL",
];
/// Words in a series description that say the same.
const SCREEN_WORDS: [&str; 8] = [
    "screen save",
    "screensave",
    "screenshot",
    "screen shot",
    "patient protocol",
    "exam summary",
    "exam protocol",
    "photo",
];

/// Why an object is left out, if it is; and what was found where the user keeps it all the same.
pub(super) fn judge(object: &InMemDicomObject, flagged: Flagged) -> (Option<LeftOut>, Option<LeftOut>) {
    match reason(object) {
        Some(reason) if reason.may_be_kept() && flagged == Flagged::Kept => (None, Some(reason)),
        found => (found, None),
    }
}

fn reason(object: &InMemDicomObject) -> Option<LeftOut> {
    let text = |tag| element::text(object, tag).unwrap_or_default();
    let class = text(tags::SOP_CLASS_UID);
    let description = text(tags::SERIES_DESCRIPTION).to_lowercase();
    if class.starts_with(DOCUMENT) {
        return Some(LeftOut::Document);
    }
    if DOSE.contains(&class.as_str()) || description.contains("dose report") {
        return Some(LeftOut::DoseReport);
    }
    if text(tags::BURNED_IN_ANNOTATION) == "YES" {
        return Some(LeftOut::BurnedInAnnotation);
    }
    if class == SECONDARY_CAPTURE || class.starts_with(&format!("{SECONDARY_CAPTURE}.")) {
        return Some(LeftOut::SecondaryCapture);
    }
    if !CLEANED.contains(&class.as_str()) {
        let is_private = !super::object::is_of_standard(&class);
        return Some(if is_private { LeftOut::PrivateClass } else { LeftOut::OtherClass });
    }
    let image_type = element::texts(object, tags::IMAGE_TYPE);
    let is_screen = |value: &String| SCREEN_TYPES.contains(&value.to_uppercase().as_str());
    if image_type.iter().any(is_screen) || SCREEN_WORDS.iter().any(|words| description.contains(words)) {
        return Some(LeftOut::ScreenPicture);
    }
    if ["SI", "SD", "DV", "DF", "WSD"].contains(&text(tags::CONVERSION_TYPE).as_str()) {
        return Some(LeftOut::Scanned);
    }
    let in_colour = element::count(object, tags::SAMPLES_PER_PIXEL).is_some_and(|n| n > 1);
    if in_colour && matches!(text(tags::MODALITY).as_str(), "CT" | "MR" | "PT" | "NM") {
        return Some(LeftOut::Colour);
    }
    None
}

/// Whether a head may be in the image: a surface of it shows a face.
pub(super) fn may_show_a_face(object: &InMemDicomObject) -> bool {
    let text = |tag| element::text(object, tag).unwrap_or_default().to_lowercase();
    let described = format!("{} {}", text(tags::BODY_PART_EXAMINED), text(tags::SERIES_DESCRIPTION));
    let is_volume = matches!(text(tags::MODALITY).as_str(), "ct" | "mr" | "pt");
    let names =
        ["head", "brain", "skull", "face", "neck", "orbit", "sinus", "whole", "wholebody", "wb", "kopf", "schaedel"];
    let has_word = |name: &&str| described.split(|c: char| !c.is_alphanumeric()).any(|word| word == *name);
    is_volume && names.iter().any(has_word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dicom::core::{DataElement, PrimitiveValue, Tag, VR};

    fn object(values: &[(Tag, VR, &str)]) -> InMemDicomObject {
        let mut object = InMemDicomObject::new_empty();
        for (tag, vr, value) in values {
            object.put(DataElement::new(*tag, *vr, PrimitiveValue::from(*value)));
        }
        object
    }

    #[test]
    fn what_names_somebody_beyond_its_attributes_is_left_out() {
        let of = |class: &str, more: &[(Tag, VR, &str)]| {
            let class = [(tags::SOP_CLASS_UID, VR::UI, class), (tags::MODALITY, VR::CS, "CT")];
            judge(&object(&[&class, more].concat()), Flagged::LeftOut).0
        };
        let ct = uids::CT_IMAGE_STORAGE;
        assert_eq!(of(ct, &[]), None);
        assert_eq!(of(ct, &[(tags::BURNED_IN_ANNOTATION, VR::CS, "YES")]), Some(LeftOut::BurnedInAnnotation));
        assert_eq!(
            of(ct, &[(tags::IMAGE_TYPE, VR::CS, "DERIVED\\SECONDARY\\SCREEN SAVE")]),
            Some(LeftOut::ScreenPicture)
        );
        assert_eq!(of(ct, &[(tags::SERIES_DESCRIPTION, VR::LO, "Dose Report")]), Some(LeftOut::DoseReport));
        assert_eq!(of(ct, &[(tags::SAMPLES_PER_PIXEL, VR::US, "3")]), Some(LeftOut::Colour));
        assert_eq!(
            of(uids::MULTI_FRAME_TRUE_COLOR_SECONDARY_CAPTURE_IMAGE_STORAGE, &[]),
            Some(LeftOut::SecondaryCapture)
        );
        assert_eq!(of(uids::ENCAPSULATED_PDF_STORAGE, &[]), Some(LeftOut::Document));
        assert_eq!(of(uids::ULTRASOUND_IMAGE_STORAGE, &[]), Some(LeftOut::OtherClass));
        assert_eq!(of("1.3.12.2.1107.5.9.1", &[]), Some(LeftOut::PrivateClass));
        let burned = object(&[(tags::SOP_CLASS_UID, VR::UI, ct), (tags::BURNED_IN_ANNOTATION, VR::CS, "YES")]);
        assert_eq!(judge(&burned, Flagged::Kept), (None, Some(LeftOut::BurnedInAnnotation)));
        assert!(may_show_a_face(&object(&[
            (tags::MODALITY, VR::CS, "PT"),
            (tags::SERIES_DESCRIPTION, VR::LO, "PET WB")
        ])));
    }
}
