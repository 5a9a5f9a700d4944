//! FDG-PET beside CT: whether an uptake counts as a new lesion, and from which date.
//!
//! Source: Eisenhauer et al. 2009 (RECIST 1.1) §4.3.5 (a)–(b); EORTC RECIST FAQ, FDG-PET.

use super::response::NewLesionResponse;
use crate::time::Date;

/// A PET, or its absence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pet {
    /// Not done.
    None,
    /// Without tumour uptake at the site.
    Negative,
    /// With tumour uptake at the site.
    Positive,
}

/// What CT shows at the site of the uptake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CtAtSite {
    /// Not known.
    Unknown,
    /// Nothing.
    Nothing,
    /// A lesion that is new.
    New,
    /// A lesion known before that does not progress on anatomy.
    KnownNotProgressing,
}

/// What is known of one uptake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PetFinding {
    /// PET at baseline.
    pub baseline: Pet,
    /// PET at follow-up.
    pub follow_up: Pet,
    /// Date of the follow-up PET.
    pub pet_date: Option<Date>,
    /// CT at that time.
    pub ct_now: CtAtSite,
    /// A later CT of the site, where one was done.
    pub ct_later: Option<CtAtSite>,
}

/// Whether the uptake is a new lesion, and the date it counts from (that of the PET).
pub fn new_lesion_by_pet(finding: &PetFinding) -> (NewLesionResponse, Option<Date>) {
    use NewLesionResponse::{Equivocal, No, Yes};
    let response = match (finding.follow_up, finding.baseline) {
        (Pet::None | Pet::Negative, _) => No,
        (Pet::Positive, Pet::Negative) => Yes,
        (Pet::Positive, Pet::None | Pet::Positive) => match (finding.ct_now, finding.ct_later) {
            (CtAtSite::New, _) | (CtAtSite::Nothing | CtAtSite::Unknown, Some(CtAtSite::New)) => Yes,
            (CtAtSite::Nothing | CtAtSite::Unknown, None | Some(CtAtSite::Unknown)) => Equivocal,
            (CtAtSite::KnownNotProgressing, _) | (_, Some(CtAtSite::Nothing | CtAtSite::KnownNotProgressing)) => No,
        },
    };
    (response, finding.pet_date.filter(|_| response == Yes))
}
