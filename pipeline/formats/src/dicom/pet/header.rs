//! The PET attributes of one file, private ones of GE and Philips among them.
//!
//! Source: DICOM PS3.3 C.8.9 (PET modules); GE DISCOVERY and Philips conformance statements for the private elements.

use dicom::core::Tag;
use dicom::dictionary_std::tags;
use dicom::object::InMemDicomObject;
use jiff::ToSpan;
use jiff::civil::{DateTime, Time};

use crate::dicom::element;

const GE_POST_INJECTION_DATETIME: Tag = Tag(0x0009, 0x100D);
const PHILIPS_SUV_SCALE: Tag = Tag(0x7053, 0x1000);
const PHILIPS_ACTIVITY_SCALE: Tag = Tag(0x7053, 0x1009);

/// The PET attributes of one file, as written.
#[derive(Debug, Clone, PartialEq, Default)]
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
    /// Radionuclide Total Dose (0018,1074), as written.
    pub total_dose: Option<f64>,
    /// Radionuclide Half Life (0018,1075), seconds.
    pub half_life_s: Option<f64>,
    /// Radiopharmaceutical Start DateTime (0018,1078), in the series' clock.
    pub injection_datetime: Option<DateTime>,
    /// Radiopharmaceutical Start Time (0018,1072).
    pub injection_time: Option<Time>,
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
        Self {
            units: element::text(object, tags::UNITS),
            suv_type: element::text(object, tags::SUV_TYPE),
            decay_correction: element::text(object, tags::DECAY_CORRECTION),
            corrected_image: element::texts(object, tags::CORRECTED_IMAGE),
            weight_kg: element::float(object, tags::PATIENT_WEIGHT),
            height_m: element::float(object, tags::PATIENT_SIZE),
            sex: element::text(object, tags::PATIENT_SEX),
            total_dose: isotope.and_then(|i| element::float(i, tags::RADIONUCLIDE_TOTAL_DOSE)),
            half_life_s: isotope.and_then(|i| element::float(i, tags::RADIONUCLIDE_HALF_LIFE)),
            injection_datetime: isotope
                .and_then(|i| element::text(i, tags::RADIOPHARMACEUTICAL_START_DATE_TIME))
                .and_then(clock),
            injection_time: isotope.and_then(|i| element::time(i, tags::RADIOPHARMACEUTICAL_START_TIME)),
            ge_scan_datetime: element::text(object, GE_POST_INJECTION_DATETIME).and_then(clock),
            philips_suv_scale: element::float(object, PHILIPS_SUV_SCALE).filter(|v| *v > 0.0),
            philips_activity_scale: element::float(object, PHILIPS_ACTIVITY_SCALE).filter(|v| *v > 0.0),
        }
    }
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
