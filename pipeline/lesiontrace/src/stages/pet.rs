//! What a visit's PET says beside its lesions: uptake of the healthy liver, lean body mass, time of rest, scanner. By these PERCIST
//! and Lugano compare two visits, or refuse to.

use formats::dicom::pet::{LeanBodyFormula, sul_factor, uptake_minutes};
use formats::dicom::{SliceHeader, SuvOptions};
use oncology::measure::uptake_reference::{Reference, ReferenceUptake};
use oncology::{Days, Evaluable, PetReferenceRow};
use serde::{Deserialize, Serialize};

use crate::plan::SeriesPlan;
use crate::stages::find::VisitFacts;
use crate::stages::load::LoadedSeries;
use crate::stages::measure::healthy;
use crate::stages::segment::Found;

/// The PET of one visit without its image.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PetFacts {
    /// Uptake of the liver without lesions and zones.
    liver: Evaluable<ReferenceUptake>,
    /// Lean body mass by body weight: SUL = SUVbw times this.
    sul_per_suv: Evaluable<f64>,
    /// Formula of the lean body mass.
    formula: LeanBodyFormula,
    /// Minutes from injection to scan.
    uptake_min: Evaluable<f64>,
    /// Manufacturer and model, where stated.
    scanner: Option<String>,
}

impl PetFacts {
    /// Of a PET that was read; `found` is what was outlined at its visit.
    pub(crate) fn of(pet: &LoadedSeries, plan: &SeriesPlan, found: &Found, formula: LeanBodyFormula) -> Self {
        let headers = plan.entry.headers.unpack();
        let slices: Vec<&SliceHeader> = headers.iter().collect();
        let stated = |what: &str| format!("a NIfTI file does not state {what}");
        let (sul_per_suv, uptake_min) = if slices.is_empty() {
            (Evaluable::not(stated("weight, height and sex")), Evaluable::not(stated("injection and scan")))
        } else {
            (sul_per_suv(&slices, formula), uptake_minutes(&slices).map_or_else(not, Evaluable::Value))
        };
        let scanner = slices.iter().find_map(|slice| slice.pet.as_ref()?.scanner.clone());
        Self { liver: liver(pet, found), sul_per_suv, formula, uptake_min, scanner }
    }

    /// An uptake by body weight as one by lean body mass.
    pub(crate) fn sul(&self, suv: &Evaluable<f64>) -> Evaluable<f64> {
        match (suv, &self.sul_per_suv) {
            (Evaluable::Value(suv), Evaluable::Value(ratio)) => Evaluable::Value(suv * ratio),
            (Evaluable::NotEvaluable(reason), _) | (_, Evaluable::NotEvaluable(reason)) => {
                Evaluable::not(reason.clone())
            }
        }
    }

    /// Formula of the lean body mass, as written at the borders.
    pub(crate) fn formula(&self) -> &'static str {
        match self.formula {
            LeanBodyFormula::Janmahasatian => "janmahasatian",
            LeanBodyFormula::James128 => "james128",
            LeanBodyFormula::James120 => "james120",
        }
    }
}

/// Rows of `pet_references.csv`, one for each visit that has a PET.
pub(crate) fn rows(patient_id: &str, visits: &[VisitFacts]) -> Vec<PetReferenceRow> {
    let row = |visit: &VisitFacts| Some(row(patient_id, visit, visits.first()?, visit.pet_facts.as_ref()?));
    visits.iter().filter_map(row).collect()
}

fn row(patient_id: &str, visit: &VisitFacts, first: &VisitFacts, facts: &PetFacts) -> PetReferenceRow {
    let liver = facts.liver.value();
    let rounded = |value: f64, steps: f64| (value * steps).round() / steps;
    let suv = |of: fn(&ReferenceUptake) -> f64| liver.map(|found| rounded(of(found), 1e4));
    let place = |axis: usize| liver.map(|found| rounded(found.centre_lps_mm[axis], 1e2));
    let reason = |of: Option<&str>| of.unwrap_or_default().to_owned();
    PetReferenceRow {
        patient_id: patient_id.to_owned(),
        date: visit.date(),
        study_day: Days::between(first.date(), visit.date()).0,
        series_role: visit.pet.as_ref().map(|pet| pet.role.clone()).unwrap_or_default(),
        region: "liver".to_owned(),
        mean: suv(|found| found.mean_suv),
        sd: suv(|found| found.sd_suv),
        max: suv(|found| found.max_suv),
        n_voxels: liver.map(|found| found.n_voxels as u64),
        x_mm: place(0),
        y_mm: place(1),
        z_mm: place(2),
        reason: reason(facts.liver.reason()),
        sul_per_suv: facts.sul_per_suv.value().map(|ratio| rounded(*ratio, 1e6)),
        sul_formula: facts.formula().to_owned(),
        sul_reason: reason(facts.sul_per_suv.reason()),
        uptake_min: facts.uptake_min.value().map(|minutes| rounded(*minutes, 1e2)),
        uptake_reason: reason(facts.uptake_min.reason()),
        scanner: facts.scanner.clone().unwrap_or_default(),
        visit: visit.id,
    }
}

fn liver(pet: &LoadedSeries, found: &Found) -> Evaluable<ReferenceUptake> {
    if pet.unit != "SUVbw" {
        return Evaluable::not(format!("the PET holds {}, not SUVbw", pet.unit));
    }
    match healthy(found) {
        None => Evaluable::not("no outline of the liver to take a reference from"),
        Some(liver) => Reference::Liver.measure(&pet.image, &liver),
    }
}

fn sul_per_suv(slices: &[&SliceHeader], formula: LeanBodyFormula) -> Evaluable<f64> {
    let factor = sul_factor(slices, &SuvOptions::STANDARD, formula);
    factor.map_or_else(not, |noted| Evaluable::Value(noted.value.factor / noted.value.suv.factor))
}

fn not<T>(error: impl std::fmt::Display) -> Evaluable<T> {
    Evaluable::not(error.to_string())
}
