//! How long a patient rested between injection and scan: what two PETs must share to be compared.
//!
//! Source: Wahl et al. 2009 (PERCIST 1.0), Table 1; DICOM PS3.3 C.8.9.2 (PET Isotope). The scan's start is that of
//! [`super::suv_factor`], whatever time the decay is corrected to.

use super::{LONGEST_UPTAKE_S, PetHeader, SuvError, injection_before, scan_start, seconds_between};
use crate::dicom::header::SliceHeader;

/// Minutes from injection to the start of the scan; an error where a time is missing or the two do not fit.
pub fn uptake_minutes(slices: &[&SliceHeader]) -> Result<f64, SuvError> {
    let pet: Option<&PetHeader> = slices.iter().find_map(|slice| slice.pet.as_deref());
    let (Some(first), Some(pet)) = (slices.first(), pet) else {
        return Err(SuvError::NotPet(slices.first().map_or_else(|| "none".to_owned(), |s| s.modality.clone())));
    };
    let scan = match (&pet.decay_correction, pet.decay_datetime) {
        (None, Some(reference)) => reference,
        _ => scan_start(slices, pet)?.0,
    };
    let injection = injection_before(scan, first, pet, &mut Vec::new())?;
    let (seconds, longest_min) = (seconds_between(injection, scan), LONGEST_UPTAKE_S / 60.0);
    let minutes = seconds / 60.0;
    if (0.0..=longest_min).contains(&minutes) {
        Ok(minutes)
    } else {
        Err(SuvError::Uptake { minutes, longest_min, scan, injection })
    }
}
