//! LI-RADS treatment response of a treated lesion, as a reader codes it.
//!
//! Source: LI-RADS treatment response v2018 (PMC6287184 Table 4) and v2024, which parts a non-radiation from a radiation
//! pathway.

/// Which edition, and in v2024 which pathway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edition {
    /// 2018.
    V2018,
    /// 2024, after ablation, embolisation or surgery.
    V2024NonRadiation,
    /// 2024, after radiation of any kind, brachytherapy included.
    V2024Radiation,
}

/// What the reader sees of mass-like or nodular enhancement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enhancement {
    /// None, or as expected after this treatment.
    NoneOrExpected,
    /// Nodular, mass-like or thick irregular with arterial enhancement, washout or as before treatment.
    Typical(Trend),
    /// Neither clearly the one nor the other.
    Atypical,
    /// Image quality or a missing phase forbids a judgement.
    NotAssessable,
}

/// How it developed since the study before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trend {
    /// New or growing.
    NewOrGrowing,
    /// Stable or decreasing.
    StableOrDecreasing,
}

/// The category.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TreatmentResponse {
    /// Nonviable.
    Nonviable,
    /// Nonprogressing (v2024, radiation pathway).
    Nonprogressing,
    /// Equivocal.
    Equivocal,
    /// Viable.
    Viable,
    /// Nonevaluable.
    Nonevaluable,
}

impl TreatmentResponse {
    /// The word in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nonviable => "LR-TR Nonviable",
            Self::Nonprogressing => "LR-TR Nonprogressing",
            Self::Equivocal => "LR-TR Equivocal",
            Self::Viable => "LR-TR Viable",
            Self::Nonevaluable => "LR-TR Nonevaluable",
        }
    }
}

/// The category of what was seen.
pub fn treatment_response(seen: Enhancement, edition: Edition) -> TreatmentResponse {
    match (seen, edition) {
        (Enhancement::NotAssessable, _) => TreatmentResponse::Nonevaluable,
        (Enhancement::NoneOrExpected, _) => TreatmentResponse::Nonviable,
        (Enhancement::Atypical, _) => TreatmentResponse::Equivocal,
        (Enhancement::Typical(Trend::StableOrDecreasing), Edition::V2024Radiation) => TreatmentResponse::Nonprogressing,
        (Enhancement::Typical(_), _) => TreatmentResponse::Viable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stable_enhancement_is_viable_unless_it_was_irradiated() {
        let stable = Enhancement::Typical(Trend::StableOrDecreasing);
        assert_eq!(treatment_response(stable, Edition::V2018), TreatmentResponse::Viable);
        assert_eq!(treatment_response(stable, Edition::V2024NonRadiation), TreatmentResponse::Viable);
        assert_eq!(treatment_response(stable, Edition::V2024Radiation), TreatmentResponse::Nonprogressing);
        let growing = Enhancement::Typical(Trend::NewOrGrowing);
        assert_eq!(treatment_response(growing, Edition::V2024Radiation), TreatmentResponse::Viable);
        assert_eq!(treatment_response(Enhancement::Atypical, Edition::V2018), TreatmentResponse::Equivocal);
    }
}
