//! Agreement of the program with a reader's own table of the same patients, before a cohort is trusted.
//!
//! Source: Cohen 1968 (kappa, weighted kappa); Bland and Altman 1986 (limits of agreement), over [`crate::agreement`].

use std::collections::BTreeMap;

use serde::Serialize;

use crate::adjudication::DiscordanceCause;
use crate::agreement::{BlandAltman, Kappa, Weights, bland_altman, kappa};
use crate::cohort::{AssessmentRow, MeasurementRow};
use crate::evaluable::Evaluable;
use crate::visit_id::VisitId;

/// Categories in their order, for the weighted kappa of a criterion whose words they are.
const SCALES: [&[&str]; 3] =
    [&["CR", "PR", "SD", "PD"], &["CMR", "PMR", "SMD", "PMD"], &["iCR", "iPR", "iSD", "iUPD", "iCPD"]];

/// The word for a response that could not be judged.
const NOT_EVALUABLE: &str = "NE";

/// What a reader says of one thing.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Line of the reader's table, 1-based, the header being line 1.
    pub line: usize,
    /// The reader; empty where the table names none.
    pub reader: String,
    /// Patient as in the program's tables.
    pub patient_id: String,
    /// Visit as in the program's tables.
    pub visit: VisitId,
    /// What was read.
    pub read: Read,
}

/// A response or a size.
#[derive(Debug, Clone, PartialEq)]
pub enum Read {
    /// The response at a visit.
    Response {
        /// Criterion, such as `recist_1_1`.
        criterion: String,
        /// Overall response; empty where the row gives the sum alone, as at baseline.
        overall: String,
        /// Target, non-target response and new lesions (`Y`, `N`); empty where the table does not say.
        parts: [String; 3],
        /// Sum of diameters, mm.
        sum_mm: Option<f64>,
    },
    /// One quantity of one lesion.
    Size {
        /// Lesion as in the program's tables.
        lesion_id: String,
        /// Quantity as in `measurements.csv`.
        quantity: String,
        /// The number, in `unit`.
        value: f64,
        /// Unit; empty: the program's.
        unit: String,
    },
}

/// How the program agrees with one table of readings.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Validation {
    /// Version of this document.
    pub schema_version: u32,
    /// Responses by reader and criterion.
    pub responses: BTreeMap<String, BTreeMap<String, ResponseAgreement>>,
    /// Sizes by reader and quantity; `sum_of_diameters (<criterion>)` is the sum of a response row.
    pub sizes: BTreeMap<String, BTreeMap<String, SizeAgreement>>,
    /// Rows of the reader's table without a counterpart, and why.
    pub unmatched: Vec<Unmatched>,
}

/// Overall responses of the reader against the program's.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ResponseAgreement {
    /// Visits both judged.
    pub n: usize,
    /// Visits neither could judge, the reader alone could not, the program alone could not.
    pub not_evaluable: NotJudged,
    /// Kappa, all disagreements alike, of the visits both judged.
    pub kappa: Option<Evaluable<Kappa>>,
    /// Kappa with linear weights where both words lie on one scale, such as CR, PR, SD, PD.
    pub weighted_kappa: Option<Evaluable<Kappa>>,
    /// Visits by the reader's word, then the program's.
    pub table: BTreeMap<String, BTreeMap<String, usize>>,
    /// Where they differ, and in what first.
    pub discordances: Vec<Discordance>,
}

/// Visits that one or both could not judge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct NotJudged {
    /// Both.
    pub both: usize,
    /// The reader alone.
    pub reader: usize,
    /// The program alone.
    pub program: usize,
}

/// A visit on which the reader and the program differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Discordance {
    /// Patient.
    pub patient_id: String,
    /// Visit.
    pub visit: VisitId,
    /// The reader's overall response.
    pub reader: String,
    /// The program's.
    pub program: String,
    /// What they differ in first; absent where the reader's table does not give the parts.
    pub cause: Option<DiscordanceCause>,
    /// The program's own reason.
    pub why: String,
    /// What would change the program's response.
    pub flips_if: String,
    /// Whether the program's sum lies within its error of the next class.
    pub within_error: Option<bool>,
}

/// Sizes of the program minus the reader's.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SizeAgreement {
    /// Unit of all figures.
    pub unit: String,
    /// Limits of agreement, program minus reader.
    pub bland_altman: Evaluable<BlandAltman>,
    /// Median of the absolute differences.
    pub median_absolute_difference: Evaluable<f64>,
    /// Every pair.
    pub pairs: Vec<SizePair>,
}

/// One size read and measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SizePair {
    /// Patient.
    pub patient_id: String,
    /// Lesion; empty for a sum.
    pub lesion_id: String,
    /// Visit.
    pub visit: VisitId,
    /// The reader's number.
    pub reader: f64,
    /// The program's number.
    pub program: f64,
}

/// A row of the reader's table that has no counterpart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unmatched {
    /// Line of the table.
    pub line: usize,
    /// Why.
    pub reason: String,
}

/// Pairs of words, the reader's first, by reader and criterion.
type Words = BTreeMap<(String, String), Vec<(String, String)>>;

/// Compares every reading with the program's row of the same patient, visit and criterion, or lesion and quantity.
#[must_use]
pub fn validate(assessments: &[AssessmentRow], measurements: &[MeasurementRow], readings: &[Reading]) -> Validation {
    let mut result =
        Validation { schema_version: 1, responses: BTreeMap::new(), sizes: BTreeMap::new(), unmatched: Vec::new() };
    let mut words = Words::new();
    for reading in readings {
        let matched = match &reading.read {
            Read::Response { .. } => compare_response(assessments, reading, &mut result, &mut words),
            Read::Size { .. } => compare_size(measurements, reading, &mut result),
        };
        if let Err(reason) = matched {
            result.unmatched.push(Unmatched { line: reading.line, reason });
        }
    }
    for ((reader, criterion), pairs) in words {
        if let Some(agreement) = result.responses.get_mut(&reader).and_then(|by| by.get_mut(&criterion)) {
            (agreement.kappa, agreement.weighted_kappa) = (Some(plain_kappa(&pairs)), Some(weighted_kappa(&pairs)));
        }
    }
    for agreement in result.sizes.values_mut().flat_map(BTreeMap::values_mut) {
        summarise(agreement);
    }
    result
}

/// The program's row a reading is about.
fn row_of<'a, T>(
    mut rows: impl Iterator<Item = (&'a VisitId, &'a T)>,
    visit: VisitId,
    what: &str,
) -> Result<&'a T, String> {
    rows.find(|(at, _)| **at == visit)
        .map(|(_, row)| row)
        .ok_or_else(|| format!("the program has no {what} at {visit}"))
}

fn compare_response(
    assessments: &[AssessmentRow],
    reading: &Reading,
    result: &mut Validation,
    words: &mut Words,
) -> Result<(), String> {
    let Read::Response { criterion, overall, parts, sum_mm } = &reading.read else { return Ok(()) };
    let of_patient = assessments.iter().filter(|row| row.patient_id == reading.patient_id);
    let rows = of_patient.filter(|row| row.criterion == *criterion).map(|row| (&row.visit, row));
    let row = row_of(rows, reading.visit, &format!("{criterion} of patient {}", reading.patient_id))?;
    if row.overall.is_empty() && !overall.is_empty() {
        return Err(format!("the reader says {overall}, but {} is the program's baseline", reading.visit));
    }
    if let (Some(read), Some(own)) = (sum_mm, row.sum_mm) {
        let name = format!("sum_of_diameters ({criterion})");
        add_size(result, reading, (name, "mm"), String::new(), (*read, own));
    }
    if overall.is_empty() {
        return Ok(());
    }
    let by_criterion = result.responses.entry(reading.reader.clone()).or_default();
    let agreement = by_criterion.entry(criterion.clone()).or_default();
    match (overall == NOT_EVALUABLE, row.overall == NOT_EVALUABLE) {
        (true, true) => agreement.not_evaluable.both += 1,
        (true, false) => agreement.not_evaluable.reader += 1,
        (false, true) => agreement.not_evaluable.program += 1,
        (false, false) => {
            agreement.n += 1;
            let pair = (overall.clone(), row.overall.clone());
            words.entry((reading.reader.clone(), criterion.clone())).or_default().push(pair);
        }
    }
    *agreement.table.entry(overall.clone()).or_default().entry(row.overall.clone()).or_default() += 1;
    if *overall != row.overall {
        agreement.discordances.push(Discordance {
            patient_id: reading.patient_id.clone(),
            visit: reading.visit,
            reader: overall.clone(),
            program: row.overall.clone(),
            cause: cause(overall, parts, row),
            why: row.why.clone(),
            flips_if: row.flips_if.clone(),
            within_error: row.within_error,
        });
    }
    Ok(())
}

/// What reader and program differ in first; `None` where the reader's parts are not known.
fn cause(
    overall: &str,
    [target, non_target, new_lesion]: &[String; 3],
    row: &AssessmentRow,
) -> Option<DiscordanceCause> {
    let differs = |read: &String, own: &String| !read.is_empty() && read != own;
    if (overall == NOT_EVALUABLE) != (row.overall == NOT_EVALUABLE) {
        Some(DiscordanceCause::Evaluability)
    } else if differs(new_lesion, &row.new_lesion) {
        Some(DiscordanceCause::NewLesion)
    } else if differs(non_target, &row.non_target) {
        Some(DiscordanceCause::NonTarget)
    } else if differs(target, &row.target) {
        Some(DiscordanceCause::Target)
    } else if [target, non_target, new_lesion].iter().any(|part| part.is_empty()) {
        None
    } else {
        Some(DiscordanceCause::Overall)
    }
}

fn compare_size(measurements: &[MeasurementRow], reading: &Reading, result: &mut Validation) -> Result<(), String> {
    let Read::Size { lesion_id, quantity, value, unit } = &reading.read else { return Ok(()) };
    let of_lesion = measurements
        .iter()
        .filter(|row| row.patient_id == reading.patient_id && row.lesion_id == *lesion_id && row.quantity == *quantity);
    let what = format!("{quantity} of lesion {lesion_id} of patient {}", reading.patient_id);
    let row = row_of(of_lesion.map(|row| (&row.visit, row)), reading.visit, &what)?;
    if !unit.is_empty() && *unit != row.unit {
        return Err(format!("the reader's unit is {unit}, the program's {}", row.unit));
    }
    match row.value.filter(|_| row.evaluable) {
        Some(own) => {
            add_size(result, reading, (quantity.clone(), &row.unit), lesion_id.clone(), (*value, own));
            Ok(())
        }
        None => Err(format!("the program's {what} is not evaluable: {}", row.reason)),
    }
}

fn add_size(
    result: &mut Validation,
    reading: &Reading,
    (name, unit): (String, &str),
    lesion_id: String,
    (reader, program): (f64, f64),
) {
    let empty = || SizeAgreement {
        unit: unit.to_owned(),
        bland_altman: Evaluable::not("not summarised yet"),
        median_absolute_difference: Evaluable::not("not summarised yet"),
        pairs: Vec::new(),
    };
    let agreement = result.sizes.entry(reading.reader.clone()).or_default().entry(name).or_insert_with(empty);
    let (patient_id, visit) = (reading.patient_id.clone(), reading.visit);
    agreement.pairs.push(SizePair { patient_id, lesion_id, visit, reader, program });
}

fn summarise(agreement: &mut SizeAgreement) {
    let pairs: Vec<(f64, f64)> = agreement.pairs.iter().map(|pair| (pair.reader, pair.program)).collect();
    agreement.bland_altman = bland_altman(&pairs)
        .map_or_else(|| Evaluable::not("limits of agreement need two pairs of finite numbers"), Evaluable::Value);
    let mut off: Vec<f64> = pairs.iter().map(|(reader, program)| (program - reader).abs()).collect();
    off.sort_by(f64::total_cmp);
    let middle = (off.len() / 2, off.len().saturating_sub(1) / 2);
    agreement.median_absolute_difference = Evaluable::Value(f64::midpoint(off[middle.0], off[middle.1]));
}

fn plain_kappa(pairs: &[(String, String)]) -> Evaluable<Kappa> {
    let mut order: Vec<&str> = pairs.iter().flat_map(|(read, own)| [read.as_str(), own]).collect();
    order.sort_unstable();
    order.dedup();
    let words: Vec<(&str, &str)> = pairs.iter().map(|(read, own)| (read.as_str(), own.as_str())).collect();
    kappa(&words, &order, Weights::None).map_or_else(|| Evaluable::not(ONE_CATEGORY), Evaluable::Value)
}

const ONE_CATEGORY: &str = "kappa is not defined: all visits fall into one category, or there is none";

fn weighted_kappa(pairs: &[(String, String)]) -> Evaluable<Kappa> {
    let on = |scale: &[&str]| -> Vec<(String, String)> {
        let both = |(read, own): &&(String, String)| scale.contains(&read.as_str()) && scale.contains(&own.as_str());
        pairs.iter().filter(both).cloned().collect()
    };
    let Some((scale, ranked)) = SCALES.iter().map(|scale| (*scale, on(scale))).max_by_key(|(_, ranked)| ranked.len())
    else {
        return Evaluable::not(ONE_CATEGORY);
    };
    let words: Vec<(&str, &str)> = ranked.iter().map(|(read, own)| (read.as_str(), own.as_str())).collect();
    kappa(&words, scale, Weights::Linear).map_or_else(|| Evaluable::not(ONE_CATEGORY), Evaluable::Value)
}

#[cfg(test)]
mod tests;
