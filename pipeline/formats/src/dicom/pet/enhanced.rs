//! What an enhanced PET image states in other places than a single-frame one: unit, corrections, decay reference.
//!
//! Source: DICOM PS3.3 C.8.22.2 (Enhanced PET Corrections), C.7.6.16.2.11 (Real World Value Mapping); UCUM codes of PS3.16 CID 84.

use dicom::dictionary_std::tags;
use dicom::object::InMemDicomObject;

use crate::dicom::element;
use crate::dicom::header::SliceHeader;

/// Fills in unit, slope and intercept from the item of the real world value mapping where the classic attributes are absent.
pub(in crate::dicom) fn complete_pet(header: &mut SliceHeader, mapping: Option<&InMemDicomObject>) {
    let Some(pet) = header.pet.as_deref_mut().filter(|pet| pet.units.is_none()) else { return };
    let Some(mapping) = mapping else { return };
    let code = element::first_item(mapping, tags::MEASUREMENT_UNITS_CODE_SEQUENCE)
        .and_then(|unit| element::text(unit, tags::CODE_VALUE));
    let (units, suv_type) = match code.as_deref() {
        Some("Bq/ml" | "Bq/mL") => ("BQML", None),
        Some("g/ml{SUVbw}" | "{SUVbw}g/ml" | "g/mL{SUVbw}" | "{SUVbw}g/mL") => ("GML", Some("BW")),
        Some("g/ml{SUVlbm}" | "{SUVlbm}g/ml") => ("GML", Some("LBM")),
        Some("{counts}" | "{propcounts}") => ("CNTS", None),
        _ => return,
    };
    let slope = element::float(mapping, tags::REAL_WORLD_VALUE_SLOPE);
    let intercept = element::float(mapping, tags::REAL_WORLD_VALUE_INTERCEPT);
    if let (Some(slope), Some(intercept)) = (slope, intercept) {
        pet.units = Some(units.to_owned());
        pet.suv_type = suv_type.map(str::to_owned);
        header.rescale_slope = Some(slope);
        header.rescale_intercept = Some(intercept);
    }
}

/// Corrections as an enhanced PET states them (`YES` in an attribute each), in the classic codes.
pub(super) fn corrections(object: &InMemDicomObject) -> Vec<String> {
    let said = |tag| element::text(object, tag).as_deref() == Some("YES");
    [(tags::DECAY_CORRECTED, "DECY"), (tags::ATTENUATION_CORRECTED, "ATTN"), (tags::SCATTER_CORRECTED, "SCAT")]
        .into_iter()
        .filter(|(tag, _)| said(*tag))
        .map(|(_, code)| code.to_owned())
        .collect()
}
