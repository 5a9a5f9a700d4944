//! Body-weight SUV of a PET series: the factor, what it was computed from, and every reason to refuse.
//!
//! SUVbw = C \[Bq/ml\] · weight \[g\] / D \[Bq\], with D the dose at the time the image is decay-corrected to. Source: QIBA
//! "Vendor-neutral pseudo-code for SUV calculation" (2012); DICOM PS3.3 C.8.9.1 (PET Series), C.8.9.2 (PET Isotope).

use imaging::{Note, Noted};
use jiff::civil::{Date, DateTime};
use jiff::{ToSpan, Unit};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::header::SliceHeader;

pub(in crate::dicom) mod enhanced;
mod header;
mod lean_body;
mod uptake_time;

pub use header::PetHeader;
pub use lean_body::{HEIGHT_M, LeanBodyFormula, SulFactor, lean_body_mass_kg, sul_factor};
pub use uptake_time::uptake_minutes;

/// A total dose below this is taken for a slip of unit (MBq, kBq or mCi written where Bq is meant): no PET uses 1 MBq.
pub const LEAST_DOSE_BQ: f64 = 1e6;

/// And one above this, too: what is given for radioembolisation stays below 20 GBq.
pub const LARGEST_DOSE_BQ: f64 = 1e11;

/// Half-lives of the nuclides that PET sees, s, shortest first: Rb-82, O-15, Cu-62, N-13, C-11, Cu-60, Mn-51, Tc-94m, Ga-68, F-18, Ti-45,
/// Cu-61, Sc-44, Ga-66, Cu-64, Y-86, Br-76, Co-55, Y-90, Zr-89, I-124, Mn-52. Source: Laboratoire National Henri Becquerel, decay data.
const HALF_LIVES_S: [f64; 22] = [
    75.5, 122.2, 580.0, 597.9, 1221.8, 1422.0, 2772.0, 3120.0, 4057.7, 6586.2, 11_088.0, 12_000.0, 14_551.0, 34_164.0,
    45_723.0, 53_064.0, 58_320.0, 63_108.0, 230_600.0, 282_280.0, 360_800.0, 483_060.0,
];

/// Half-lives in headers differ from these by rounding and by the year of the table: by so much at most.
const HALF_LIFE_TOLERANCE: f64 = 0.03;

/// Weights a patient can have, kg.
pub const WEIGHT_KG: std::ops::RangeInclusive<f64> = 1.0..=400.0;

/// Longest believable time from injection to scan, seconds (6 h).
pub const LONGEST_UPTAKE_S: f64 = 6.0 * 3600.0;

/// The unit Radionuclide Total Dose is really written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoseUnit {
    /// Becquerel, as the standard says.
    Bq,
    /// Kilobecquerel.
    Kbq,
    /// Megabecquerel.
    Mbq,
    /// Millicurie (37 MBq).
    Mci,
}

impl DoseUnit {
    fn in_bq(self) -> f64 {
        match self {
            Self::Bq => 1.0,
            Self::Kbq => 1e3,
            Self::Mbq => 1e6,
            Self::Mci => 3.7e7,
        }
    }
}

/// What a user may override.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SuvOptions {
    /// The unit the dose is written in.
    pub dose_unit: DoseUnit,
    /// Longest accepted time from injection to scan, seconds.
    pub longest_uptake_s: f64,
}

impl SuvOptions {
    /// As the standard says: dose in Bq, at most six hours of uptake.
    pub const STANDARD: Self = Self { dose_unit: DoseUnit::Bq, longest_uptake_s: LONGEST_UPTAKE_S };
}

/// Why no SUV is computed.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum SuvError {
    /// The series is no PET.
    #[error("expected a PET series (modality PT), found modality {0}")]
    NotPet(String),
    /// An attribute is missing.
    #[error("{0} is missing; export the series again with it, or take SUV from the scanner")]
    Missing(&'static str),
    /// An attribute differs within the series.
    #[error("{0} differs between slices of the series; split the series")]
    NotConstant(&'static str),
    /// Attenuation or decay is not corrected.
    #[error("Corrected Image (0028,0051) lacks {0}; use the reconstruction corrected for attenuation and decay")]
    NotCorrected(&'static str),
    /// A unit SUV cannot be computed from.
    #[error(
        "Units (0054,1001) are {0}; expected BQML, GML, or CNTS with Philips scale factors; use the reconstruction in one of these units"
    )]
    Units(String),
    /// GML that is not body weight.
    #[error("SUV Type (0054,1006) is {0}, not body weight (BW); it must not be mixed with SUVbw")]
    SuvType(String),
    /// Decay is not corrected to a single time.
    #[error("Decay Correction (0054,1102) is {0}; expected START or ADMIN")]
    DecayCorrection(String),
    /// A dose that must be a slip of unit.
    #[error(
        "Radionuclide Total Dose (0018,1074) is {0}, which makes no dose from 1 MBq to 100 GBq; expected Bq: state its real unit with --dose-unit (bq, kbq, mbq or mci)"
    )]
    Dose(f64),
    /// A weight no patient has.
    #[error("Patient's Weight (0010,1030) is {0} kg, expected 1 to 400 kg; correct it at the source")]
    Weight(f64),
    /// A height no patient has.
    #[error("Patient's Size (0010,1020) is {0} m, expected 0.4 to 2.6 m; correct it at the source")]
    Height(f64),
    /// Lean body mass needs a sex.
    #[error("Patient's Sex (0010,0040) is {0}; lean body mass is defined for M and F")]
    Sex(String),
    /// The formula left its range.
    #[error("the formula gives a lean body mass of {0:.1} kg, which is no patient's; use the formula of Janmahasatian")]
    LeanBody(f64),
    /// A half-life that is none.
    #[error(
        "Radionuclide Half Life (0018,1075) is {0} s, which no nuclide of PET has (F-18: 6586 s, Ga-68: 4058 s); if it was written in minutes, correct it at the source"
    )]
    HalfLife(f64),
    /// Injection and scan do not fit.
    #[error(
        "the scan starts {minutes:.1} min after the injection (scan {scan}, injection {injection}), expected 0 to {longest_min:.0} min; check dates shifted by pseudonymisation and clocks"
    )]
    Uptake {
        /// Time from injection to scan, minutes.
        minutes: f64,
        /// Longest accepted, minutes.
        longest_min: f64,
        /// Scan start.
        scan: DateTime,
        /// Injection.
        injection: DateTime,
    },
}

/// What the factor was computed from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SuvInputs {
    /// Patient's weight, kg.
    pub weight_kg: Option<f64>,
    /// Injected dose, Bq.
    pub total_dose_bq: Option<f64>,
    /// Dose decayed to the reference time, Bq.
    pub decayed_dose_bq: Option<f64>,
    /// Half-life, seconds.
    pub half_life_s: Option<f64>,
    /// Injection, as `YYYY-MM-DDThh:mm:ss`.
    pub injection: Option<String>,
    /// Scan start, as `YYYY-MM-DDThh:mm:ss`.
    pub scan: Option<String>,
    /// Where the scan start was taken from.
    pub scan_from: Option<&'static str>,
    /// Time from injection to scan, seconds.
    pub uptake_s: Option<f64>,
    /// Philips scale factor used, for CNTS.
    pub philips_scale: Option<f64>,
}

/// SUVbw = (stored · slope + intercept) · factor, slope and intercept of each slice its own.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SuvFactor {
    /// The factor.
    pub factor: f64,
    /// The unit of the rescaled values: `BQML`, `GML` or `CNTS`.
    pub from: &'static str,
    /// The time the image's decay is corrected to: `START`, `ADMIN`, or none where it does not enter.
    pub decay_reference: Option<String>,
    /// What it was computed from.
    pub inputs: SuvInputs,
}

const NO_INPUTS: SuvInputs = SuvInputs {
    weight_kg: None,
    total_dose_bq: None,
    decayed_dose_bq: None,
    half_life_s: None,
    injection: None,
    scan: None,
    scan_from: None,
    uptake_s: None,
    philips_scale: None,
};

/// The factor that makes SUVbw of a PET series' rescaled values.
pub fn suv_factor(slices: &[&SliceHeader], options: &SuvOptions) -> Result<Noted<SuvFactor>, SuvError> {
    let pets: Vec<&PetHeader> = slices.iter().filter_map(|s| s.pet.as_deref()).collect();
    let (Some(first), Some(pet)) = (slices.first(), pets.first()) else {
        return Err(SuvError::NotPet(slices.first().map_or_else(|| "none".to_owned(), |s| s.modality.clone())));
    };
    check_constant(&pets)?;
    let mut notes = Vec::new();
    let units = pet.units.as_deref().ok_or(SuvError::Missing("Units (0054,1001)"))?;
    check_corrections(pet, units, &first.series_uid, &mut notes)?;
    let factor = match (units, pet.philips_suv_scale, pet.philips_activity_scale) {
        ("GML", _, _) => from_gml(pet, &first.series_uid, &mut notes)?,
        ("BQML", _, _) => from_activity(slices, pet, options, 1.0, "BQML", &mut notes)?,
        ("CNTS", Some(scale), _) => from_philips_suv(pet, scale),
        ("CNTS", None, Some(scale)) => from_activity(slices, pet, options, scale, "CNTS", &mut notes)?,
        ("CNTS", None, None) => return Err(SuvError::Units("CNTS without Philips scale factors".to_owned())),
        (other, _, _) => return Err(SuvError::Units(other.to_owned())),
    };
    Ok(Noted::new(factor, notes))
}

fn check_constant(pets: &[&PetHeader]) -> Result<(), SuvError> {
    fn same<T: PartialEq>(
        pets: &[&PetHeader],
        what: &'static str,
        of: impl Fn(&PetHeader) -> T,
    ) -> Result<(), SuvError> {
        if pets.windows(2).all(|w| of(w[0]) == of(w[1])) { Ok(()) } else { Err(SuvError::NotConstant(what)) }
    }
    same(pets, "Units (0054,1001)", |p| p.units.clone())?;
    same(pets, "SUV Type (0054,1006)", |p| p.suv_type.clone())?;
    same(pets, "Decay Correction (0054,1102)", |p| p.decay_correction.clone())?;
    same(pets, "Corrected Image (0028,0051)", |p| p.corrected_image.clone())?;
    same(pets, "Patient's Weight (0010,1030)", |p| p.weight_kg)?;
    same(pets, "Radionuclide Total Dose (0018,1074)", |p| p.total_dose)?;
    same(pets, "Radionuclide Half Life (0018,1075)", |p| p.half_life_s)?;
    same(pets, "Decay Correction DateTime (0018,9701)", |p| p.decay_datetime)?;
    same(pets, "Radiopharmaceutical Start (0018,1078/1072)", |p| (p.injection_datetime, p.injection_time))?;
    same(pets, "Philips SUV scale factor (7053,1000)", |p| p.philips_suv_scale)?;
    same(pets, "Philips activity scale factor (7053,1009)", |p| p.philips_activity_scale)
}

fn check_corrections(pet: &PetHeader, units: &str, series: &str, notes: &mut Vec<Note>) -> Result<(), SuvError> {
    if pet.corrected_image.is_empty() && units == "GML" {
        let message = "Corrected Image (0028,0051) is missing; the values are SUV as the scanner wrote them";
        notes.push(Note::warning("corrections_unknown", series, message));
        return Ok(());
    }
    for (code, name) in [("ATTN", "ATTN (attenuation)"), ("DECY", "DECY (decay)")] {
        if !pet.corrected_image.iter().any(|c| c == code) {
            return Err(SuvError::NotCorrected(name));
        }
    }
    Ok(())
}

fn from_gml(pet: &PetHeader, series: &str, notes: &mut Vec<Note>) -> Result<SuvFactor, SuvError> {
    match pet.suv_type.as_deref() {
        Some("BW") => {}
        Some(other) => return Err(SuvError::SuvType(other.to_owned())),
        None => notes.push(Note::info(
            "suv_type_absent",
            series,
            "SUV Type (0054,1006) is absent; the standard then means body weight",
        )),
    }
    Ok(SuvFactor { factor: 1.0, from: "GML", decay_reference: pet.decay_correction.clone(), inputs: NO_INPUTS })
}

fn from_philips_suv(pet: &PetHeader, scale: f64) -> SuvFactor {
    SuvFactor {
        factor: scale,
        from: "CNTS",
        decay_reference: pet.decay_correction.clone(),
        inputs: SuvInputs { weight_kg: pet.weight_kg, philips_scale: Some(scale), ..NO_INPUTS },
    }
}

fn from_activity(
    slices: &[&SliceHeader],
    pet: &PetHeader,
    options: &SuvOptions,
    bqml_per_value: f64,
    from: &'static str,
    notes: &mut Vec<Note>,
) -> Result<SuvFactor, SuvError> {
    let weight_kg = pet.weight_kg.ok_or(SuvError::Missing("Patient's Weight (0010,1030)"))?;
    if !WEIGHT_KG.contains(&weight_kg) {
        return Err(SuvError::Weight(weight_kg));
    }
    let written = pet.total_dose.ok_or(SuvError::Missing("Radionuclide Total Dose (0018,1074)"))?;
    let total_dose_bq = written * options.dose_unit.in_bq();
    if !(LEAST_DOSE_BQ..=LARGEST_DOSE_BQ).contains(&total_dose_bq) {
        return Err(SuvError::Dose(written));
    }
    let by_datetime = pet.decay_datetime.is_some().then_some("DATETIME");
    let correction =
        pet.decay_correction.as_deref().or(by_datetime).ok_or(SuvError::Missing("Decay Correction (0054,1102)"))?;
    let mut inputs = SuvInputs { weight_kg: Some(weight_kg), total_dose_bq: Some(total_dose_bq), ..NO_INPUTS };
    let dose_bq = match correction {
        "ADMIN" => total_dose_bq,
        "START" | "DATETIME" => decayed_dose(slices, pet, options, total_dose_bq, &mut inputs, notes)?,
        other => return Err(SuvError::DecayCorrection(other.to_owned())),
    };
    inputs.decayed_dose_bq = Some(dose_bq);
    inputs.philips_scale = (from == "CNTS").then_some(bqml_per_value);
    let factor = bqml_per_value * weight_kg * 1000.0 / dose_bq;
    Ok(SuvFactor { factor, from, decay_reference: Some(correction.to_owned()), inputs })
}

/// The dose left at scan start: total · 2^(−uptake / half-life).
fn decayed_dose(
    slices: &[&SliceHeader],
    pet: &PetHeader,
    options: &SuvOptions,
    total_dose_bq: f64,
    inputs: &mut SuvInputs,
    notes: &mut Vec<Note>,
) -> Result<f64, SuvError> {
    let half_life_s = pet.half_life_s.ok_or(SuvError::Missing("Radionuclide Half Life (0018,1075)"))?;
    if !HALF_LIVES_S.iter().any(|known| (half_life_s / known - 1.0).abs() <= HALF_LIFE_TOLERANCE) {
        return Err(SuvError::HalfLife(half_life_s));
    }
    let (scan, scan_from) = match (&pet.decay_correction, pet.decay_datetime) {
        (None, Some(reference)) => (reference, "decay_correction_datetime"),
        _ => scan_start(slices, pet)?,
    };
    let injection = injection_before(scan, slices[0], pet, notes)?;
    let uptake_s = seconds_between(injection, scan);
    if !(0.0..=options.longest_uptake_s).contains(&uptake_s) {
        let longest_min = options.longest_uptake_s / 60.0;
        return Err(SuvError::Uptake { minutes: uptake_s / 60.0, longest_min, scan, injection });
    }
    inputs.half_life_s = Some(half_life_s);
    inputs.injection = Some(injection.to_string());
    inputs.scan = Some(scan.to_string());
    inputs.scan_from = Some(scan_from);
    inputs.uptake_s = Some(uptake_s);
    Ok(total_dose_bq * (-uptake_s / half_life_s).exp2())
}

/// The time decay is corrected to: the series' start unless it lies after the first acquisition (a later reconstruction), else
/// GE's own record of it, else the first acquisition.
fn scan_start(slices: &[&SliceHeader], pet: &PetHeader) -> Result<(DateTime, &'static str), SuvError> {
    let first = slices[0];
    let series = first.series_date.zip(first.series_time).map(|(date, time)| date.to_datetime(time));
    let acquisition = slices
        .iter()
        .filter_map(|s| Some(s.acquisition_date.or(s.series_date)?.to_datetime(s.acquisition_time?)))
        .min();
    match (series, pet.ge_scan_datetime, acquisition) {
        (Some(series), _, Some(acquisition)) if series <= acquisition => Ok((series, "series_time")),
        (_, Some(ge), _) => Ok((ge, "ge_private_0009_100d")),
        (_, None, Some(acquisition)) => Ok((acquisition, "first_acquisition_time")),
        (_, None, None) => Err(SuvError::Missing("Acquisition Date and Time (0008,0022/0032)")),
    }
}

/// The injection: its own date and time, or its time on the day of the series, one day earlier when that is after the scan.
fn injection_before(
    scan: DateTime,
    first: &SliceHeader,
    pet: &PetHeader,
    notes: &mut Vec<Note>,
) -> Result<DateTime, SuvError> {
    if let Some(injection) = pet.injection_datetime {
        return Ok(injection);
    }
    let time = pet
        .injection_time
        .ok_or(SuvError::Missing("Radiopharmaceutical Start (DateTime (0018,1078) or Time (0018,1072))"))?;
    let day: Date = first.series_date.unwrap_or(scan.date());
    let same_day = day.to_datetime(time);
    if same_day <= scan {
        return Ok(same_day);
    }
    let day_before = same_day.checked_sub(1.day()).map_err(|_| SuvError::Missing("a valid Series Date (0008,0021)"))?;
    notes.push(Note::warning(
        "injection_before_midnight",
        first.series_uid.clone(),
        format!("the injection time {time} is later than the scan {scan}; it is taken for the day before"),
    ));
    Ok(day_before)
}

fn seconds_between(from: DateTime, to: DateTime) -> f64 {
    (to - from).total((Unit::Second, from)).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests;
