//! The PET attributes of one file, private ones of GE and Philips among them.
//!
//! Source: DICOM PS3.3 C.8.9 (PET modules); GE DISCOVERY and Philips conformance statements for the private elements.

use dicom::core::Tag;
use dicom::dictionary_std::tags;
use dicom::object::InMemDicomObject;
use jiff::ToSpan;
use jiff::civil::{DateTime, Time};
use serde::{Deserialize, Serialize};

use super::enhanced::corrections;
use crate::dicom::element;

/// A private element: group, element within its block, start of the block's creator.
type Private = (u16, u16, &'static str);

const GE_POST_INJECTION_DATETIME: Private = (0x0009, 0x0D, "GEMS_PETD_01");
const PHILIPS_SUV_SCALE: Private = (0x7053, 0x00, "Philips PET Private Group");
const PHILIPS_ACTIVITY_SCALE: Private = (0x7053, 0x09, "Philips PET Private Group");

/// Where a private element lies: in its creator's block; in the first block, where pseudonymisation has removed all creators.
fn private_tag(object: &InMemDicomObject, (group, offset, creator): Private) -> Option<Tag> {
    let orphaned = || element::text(object, Tag(group, 0x10)).is_none().then_some(Tag(group, 0x1000 | offset));
    element::private(object, group, offset, creator).or_else(orphaned)
}

/// The PET attributes of one file, as written.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PetHeader {
    /// Units (0054,1001).
    pub units: Option<String>,
    /// SUV Type (0054,1006).
    pub suv_type: Option<String>,
    /// Decay Correction (0054,1102).
    pub decay_correction: Option<String>,
    /// Corrected Image (0028,0051).
    pub corrected_image: Vec<String>,
    /// Patient's Weight (0010,1030), kg.
    pub weight_kg: Option<f64>,
    /// Patient's Size (0010,1020), m.
    pub height_m: Option<f64>,
    /// Patient's Sex (0010,0040).
    pub sex: Option<String>,
    /// Manufacturer (0008,0070) and Manufacturer's Model Name (0008,1090), where stated.
    pub scanner: Option<String>,
    /// Radionuclide Total Dose (0018,1074), as written.
    pub total_dose: Option<f64>,
    /// Radionuclide Half Life (0018,1075), seconds.
    pub half_life_s: Option<f64>,
    /// Radiopharmaceutical Start DateTime (0018,1078), in the series' clock.
    pub injection_datetime: Option<DateTime>,
    /// Radiopharmaceutical Start Time (0018,1072).
    pub injection_time: Option<Time>,
    /// Decay Correction DateTime (0018,9701) of an enhanced image.
    pub decay_datetime: Option<DateTime>,
    /// GE private post-injection date-time (0009,100D).
    pub ge_scan_datetime: Option<DateTime>,
    /// Philips private SUV scale factor (7053,1000).
    pub philips_suv_scale: Option<f64>,
    /// Philips private activity concentration scale factor (7053,1009).
    pub philips_activity_scale: Option<f64>,
}

impl PetHeader {
    /// From a data set.
    pub(in crate::dicom) fn read(object: &InMemDicomObject) -> Self {
        let isotope = element::first_item(object, tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE);
        let series_offset =
            element::text(object, tags::TIMEZONE_OFFSET_FROM_UTC).and_then(|t| element::parse_offset(&t));
        let clock = |text: String| in_series_clock(&text, series_offset);
        let corrected_image = element::texts(object, tags::CORRECTED_IMAGE);
        let scale = |tag| private_tag(object, tag).and_then(|t| element::float(object, t)).filter(|v| *v > 0.0);
        Self {
            units: element::text(object, tags::UNITS),
            suv_type: element::text(object, tags::SUV_TYPE),
            decay_correction: element::text(object, tags::DECAY_CORRECTION),
            corrected_image: if corrected_image.is_empty() { corrections(object) } else { corrected_image },
            weight_kg: element::float(object, tags::PATIENT_WEIGHT),
            height_m: element::float(object, tags::PATIENT_SIZE),
            sex: element::text(object, tags::PATIENT_SEX),
            scanner: scanner(object),
            total_dose: isotope.and_then(|i| element::float(i, tags::RADIONUCLIDE_TOTAL_DOSE)),
            half_life_s: isotope.and_then(|i| element::float(i, tags::RADIONUCLIDE_HALF_LIFE)),
            injection_datetime: isotope
                .and_then(|i| element::text(i, tags::RADIOPHARMACEUTICAL_START_DATE_TIME))
                .and_then(clock),
            injection_time: isotope.and_then(|i| element::time(i, tags::RADIOPHARMACEUTICAL_START_TIME)),
            decay_datetime: element::text(object, tags::DECAY_CORRECTION_DATE_TIME).and_then(clock),
            ge_scan_datetime: private_tag(object, GE_POST_INJECTION_DATETIME)
                .and_then(|tag| element::text(object, tag))
                .and_then(clock),
            philips_suv_scale: scale(PHILIPS_SUV_SCALE),
            philips_activity_scale: scale(PHILIPS_ACTIVITY_SCALE),
        }
    }
}

/// Manufacturer and model in one line; `None` where neither is stated.
fn scanner(object: &InMemDicomObject) -> Option<String> {
    let stated = [tags::MANUFACTURER, tags::MANUFACTURER_MODEL_NAME].map(|tag| element::text(object, tag));
    let words: Vec<String> = stated.into_iter().flatten().collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// A date-time in the clock of the series' own dates and times; where only one of both states an offset from UTC, it is taken
/// as written, for that is how scanners set both.
fn in_series_clock(text: &str, series_offset: Option<i32>) -> Option<DateTime> {
    let (written, offset) = element::parse_datetime(text)?;
    match (offset, series_offset) {
        (Some(own), Some(series)) => written.checked_add(i64::from(series - own).seconds()).ok(),
        _ => Some(written),
    }
}
