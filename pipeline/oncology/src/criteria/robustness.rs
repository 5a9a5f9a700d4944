//! How firmly a verdict stands: the distance to the next response, the error of measurement, and other legal targets.
//!
//! Source: the project's own rule that every verdict says what would flip it; Eisenhauer et al. 2009 §4.1 for legal targets.

use std::collections::BTreeSet;

use imaging::note::Note;

use super::input::{ResponseInput, TrackedLesion};
use super::next_class::half_width_of_sum;
use super::patient::{CriterionResult, ResponseError, assess_once};
use super::selection_range::{MAX_COUNTED, legal_choices};
use super::table::CriterionTable;
use super::treated::effective_size;
use crate::lesion::{LesionId, LesionRole, Size};

/// Writes next response, distance, error and range over legal choices into the rows of a result.
pub(super) fn write_robustness(
    result: &mut CriterionResult,
    input: &ResponseInput,
    table: &CriterionTable,
) -> Result<(), ResponseError> {
    let targets: Vec<&TrackedLesion> = input
        .lesions
        .iter()
        .zip(&result.roles)
        .filter(|(_, chosen)| chosen.role == LesionRole::Target)
        .map(|(lesion, _)| lesion)
        .collect();
    for (row, visit) in result.rows[1..].iter_mut().zip(&result.visits) {
        let Some(next) = visit.verdict.next_target else { continue };
        let half_width = sum_half_width(&targets, visit.visit, input, table);
        row.next_target = next.response.to_string();
        row.next_target_mm = Some(hundredths(next.change_mm));
        row.sum_half_width_mm = half_width.map(hundredths);
        row.within_error = half_width.map(|half_width| next.is_within(half_width));
    }
    write_range(result, input, table)
}

/// Half-width of the 95 % band of the sum; `None` where the error of a measured target is not known.
fn sum_half_width(targets: &[&TrackedLesion], at: usize, input: &ResponseInput, table: &CriterionTable) -> Option<f64> {
    let is_measured =
        |lesion: &&&TrackedLesion| matches!(effective_size(lesion, at, &input.visits, table), Size::Measured(_));
    let measured: Vec<&&TrackedLesion> = targets.iter().filter(is_measured).collect();
    let halves: Option<Vec<f64>> =
        measured.iter().map(|lesion| Some(lesion.half_widths_mm.get(&at)?.to_f64())).collect();
    halves.filter(|halves| !halves.is_empty()).map(|halves| half_width_of_sum(&halves))
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn write_range(
    result: &mut CriterionResult,
    input: &ResponseInput,
    table: &CriterionTable,
) -> Result<(), ResponseError> {
    let is_chosen =
        |lesion: &TrackedLesion| lesion.role_override == Some(LesionRole::Target) || lesion.reviewed_role.is_some();
    if input.lesions.iter().any(is_chosen) {
        return Ok(());
    }
    let legal = legal_choices(input, table);
    if legal.choices.len() < 2 {
        return Ok(());
    }
    let mut seen: Vec<BTreeSet<(usize, String)>> = vec![BTreeSet::new(); result.rows.len()];
    for choice in &legal.choices {
        let other = assess_once(&with_targets(input, choice), table)?;
        for (seen, row) in seen.iter_mut().zip(&other.rows) {
            seen.insert((rank(&row.overall), row.overall.clone()));
        }
    }
    if !legal.is_exhaustive() {
        let counted = if legal.n >= MAX_COUNTED { format!("at least {MAX_COUNTED}") } else { legal.n.to_string() };
        let message = format!(
            "{}: of {counted} legal choices of targets {} evenly spaced ones were tried for the verdict's range",
            table.title,
            legal.choices.len()
        );
        result.notes.push(Note::info("selections_sampled", input.patient_id.as_str(), message));
    }
    for (row, seen) in result.rows.iter_mut().zip(seen).skip(1) {
        row.over_selections = seen.into_iter().map(|(_, word)| word).collect::<Vec<_>>().join("|");
        row.n_selections = u64::try_from(legal.choices.len()).ok();
    }
    Ok(())
}

fn with_targets(input: &ResponseInput, choice: &[LesionId]) -> ResponseInput {
    let mut other = input.clone();
    for lesion in &mut other.lesions {
        if choice.contains(&lesion.id) {
            lesion.role_override = Some(LesionRole::Target);
        }
    }
    other
}

/// From best to worst, those without a verdict last.
fn rank(word: &str) -> usize {
    let order = ["CR", "iCR", "PR", "iPR", "SD", "iSD", "NON-CR/NON-PD", "NON-iCR/NON-iUPD", "iUPD", "PD", "iCPD"];
    order.iter().position(|known| *known == word).unwrap_or(order.len())
}
