//! Lean body mass, by which SUL is made from SUVbw: SUL = SUVbw · lean body mass / weight.
//!
//! Source: Janmahasatian et al. 2005 (default); James 1976 with his male constant 128, and with 120 as some programs copy it.
//! Formulas must not be mixed between visits. Edge cases: weight and height outside what a patient can have are refused.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Sex, as the formulas distinguish it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sex {
    /// Female.
    F,
    /// Male.
    M,
}

/// Which formula.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeanFormula {
    /// Janmahasatian 2005.
    Janmahasatian,
    /// James 1976.
    James128,
    /// James with 120 for men; never a default.
    James120,
}

/// Weight or height that no patient has.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[error(
    "expected a weight of 1 to 400 kg and a height of 40 to 250 cm, found {weight_kg} kg and {height_cm} cm; correct them at the source (height in DICOM is in metres)"
)]
pub struct NoPatient {
    /// Weight, kg.
    pub weight_kg: f64,
    /// Height, cm.
    pub height_cm: f64,
}

/// Lean body mass, kg.
pub fn lean_body_mass(weight_kg: f64, height_cm: f64, sex: Sex, formula: LeanFormula) -> Result<f64, NoPatient> {
    if !(1.0..=400.0).contains(&weight_kg) || !(40.0..=250.0).contains(&height_cm) {
        return Err(NoPatient { weight_kg, height_cm });
    }
    let body_mass_index = weight_kg / (height_cm / 100.0).powi(2);
    let ratio = weight_kg / height_cm;
    Ok(match (formula, sex) {
        (LeanFormula::Janmahasatian, Sex::M) => 9270.0 * weight_kg / (6680.0 + 216.0 * body_mass_index),
        (LeanFormula::Janmahasatian, Sex::F) => 9270.0 * weight_kg / (8780.0 + 244.0 * body_mass_index),
        (LeanFormula::James128, Sex::M) => 1.10 * weight_kg - 128.0 * ratio * ratio,
        (LeanFormula::James120, Sex::M) => 1.10 * weight_kg - 120.0 * ratio * ratio,
        (LeanFormula::James128 | LeanFormula::James120, Sex::F) => 1.07 * weight_kg - 148.0 * ratio * ratio,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_man_of_eighty_kilograms_by_hand() {
        let of = |formula| lean_body_mass(80.0, 180.0, Sex::M, formula).unwrap();
        // Body mass index 24.691: 741600 / (6680 + 5333.3).
        assert!((of(LeanFormula::Janmahasatian) - 741_600.0 / (6680.0 + 216.0 * 80.0 / 3.24)).abs() < 1e-9);
        assert!((of(LeanFormula::James128) - (88.0 - 128.0 * 6400.0 / 32_400.0)).abs() < 1e-9);
        assert!((of(LeanFormula::James120) - (88.0 - 120.0 * 6400.0 / 32_400.0)).abs() < 1e-9);
        assert!(lean_body_mass(80.0, 1.8, Sex::M, LeanFormula::Janmahasatian).is_err(), "metres for centimetres");
    }
}
