//! Lean body mass and SUL: SUV by lean body mass instead of body weight.
//!
//! Source: Janmahasatian et al. 2005, Clin Pharmacokinet 44:1051 (default); James 1976, Research on Obesity, HMSO, whose
//! constant for men is 128 in the original and 120 in much software. SUL = SUVbw · lean mass / weight. One formula must serve
//! all visits of a trial: the choice changes results by some per cent.

use imaging::Noted;
use serde::{Deserialize, Serialize};

use super::{SuvError, SuvFactor, SuvOptions, WEIGHT_KG, suv_factor};
use crate::dicom::header::SliceHeader;

/// Heights a patient can have, m: a height in cm is refused.
pub const HEIGHT_M: std::ops::RangeInclusive<f64> = 0.4..=2.6;

/// How lean body mass follows from weight, height and sex.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeanBodyFormula {
    /// Janmahasatian 2005.
    #[default]
    Janmahasatian,
    /// James 1976 with the original 128 for men.
    James128,
    /// James with 120 for men, as calculate-suv and some scanners have it.
    James120,
}

/// Lean body mass in kg from weight (kg), height (m) and sex (`M` or `F`).
pub fn lean_body_mass_kg(weight_kg: f64, height_m: f64, sex: &str, formula: LeanBodyFormula) -> Result<f64, SuvError> {
    if !WEIGHT_KG.contains(&weight_kg) {
        return Err(SuvError::Weight(weight_kg));
    }
    if !HEIGHT_M.contains(&height_m) {
        return Err(SuvError::Height(height_m));
    }
    let male = match sex {
        "M" => true,
        "F" => false,
        other => return Err(SuvError::Sex(other.to_owned())),
    };
    let james = |male_constant: f64| {
        let ratio = (weight_kg / (height_m * 100.0)).powi(2);
        if male { 1.10 * weight_kg - male_constant * ratio } else { 1.07 * weight_kg - 148.0 * ratio }
    };
    let lean = match formula {
        LeanBodyFormula::Janmahasatian => {
            let bmi = weight_kg / (height_m * height_m);
            9270.0 * weight_kg / if male { 6680.0 + 216.0 * bmi } else { 8780.0 + 244.0 * bmi }
        }
        LeanBodyFormula::James128 => james(128.0),
        LeanBodyFormula::James120 => james(120.0),
    };
    // James' parabola falls again in great obesity and ends below zero.
    if lean > 0.0 && lean <= weight_kg { Ok(lean) } else { Err(SuvError::LeanBody(lean)) }
}

/// SUL = (stored · slope + intercept) · factor.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SulFactor {
    /// The factor.
    pub factor: f64,
    /// The formula it rests on.
    pub formula: LeanBodyFormula,
    /// Lean body mass, kg.
    pub lean_body_mass_kg: f64,
    /// The SUVbw it was made from.
    pub suv: SuvFactor,
}

/// The factor that makes SUL of a PET series' rescaled values.
pub fn sul_factor(
    slices: &[&SliceHeader],
    options: &SuvOptions,
    formula: LeanBodyFormula,
) -> Result<Noted<SulFactor>, SuvError> {
    let mut notes = Vec::new();
    let suv = suv_factor(slices, options)?.note_into(&mut notes);
    let pet = slices.first().and_then(|s| s.pet.as_deref()).ok_or(SuvError::Missing("PET attributes"))?;
    let weight_kg = pet.weight_kg.ok_or(SuvError::Missing("Patient's Weight (0010,1030)"))?;
    let height_m = pet.height_m.ok_or(SuvError::Missing("Patient's Size (0010,1020)"))?;
    let sex = pet.sex.as_deref().ok_or(SuvError::Missing("Patient's Sex (0010,0040)"))?;
    let lean_body_mass_kg = lean_body_mass_kg(weight_kg, height_m, sex, formula)?;
    let factor = suv.factor * lean_body_mass_kg / weight_kg;
    Ok(Noted::new(SulFactor { factor, formula, lean_body_mass_kg, suv }, notes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formulas_by_hand() {
        let lean = |sex, formula| lean_body_mass_kg(80.0, 1.8, sex, formula).unwrap();
        // BMI 24.691358: 9270·80 / (6680 + 216·24.691358) = 741600 / 12013.333.
        assert!((lean("M", LeanBodyFormula::Janmahasatian) - 61.731_410).abs() < 1e-5);
        // 741600 / (8780 + 244·24.691358) = 741600 / 14804.691.
        assert!((lean("F", LeanBodyFormula::Janmahasatian) - 50.092_230).abs() < 1e-5);
        // (80/180)² = 0.19753086.
        assert!((lean("M", LeanBodyFormula::James128) - (88.0 - 128.0 * 0.197_530_864)).abs() < 1e-6);
        assert!((lean("M", LeanBodyFormula::James120) - (88.0 - 120.0 * 0.197_530_864)).abs() < 1e-6);
        assert!((lean("F", LeanBodyFormula::James120) - (85.6 - 148.0 * 0.197_530_864)).abs() < 1e-6);
    }

    #[test]
    fn what_no_patient_has_is_refused() {
        let of = |w, h, s| lean_body_mass_kg(w, h, s, LeanBodyFormula::James128);
        assert_eq!(of(80.0, 180.0, "M"), Err(SuvError::Height(180.0)));
        assert_eq!(of(80.0, 1.8, "O"), Err(SuvError::Sex("O".into())));
        assert!(matches!(of(300.0, 1.5, "F"), Err(SuvError::LeanBody(_))));
    }
}
