//! Verdicts as the template reads them: the code, the sum and its changes, the reason, and what would change it.

use std::fmt::Write as _;

use oncology::AssessmentRow;
use serde::Serialize;

use crate::error::{ReportError, finite};
use crate::numerals::{change_percent, mm, signed_mm, signed_percent};
use crate::patient_page::{CriterionInfo, Verdict};
use crate::wording::{badge, response, tone, words};

/// The latest verdict of one criterion.
#[derive(Serialize)]
pub(crate) struct Headline {
    criterion: String,
    date: String,
    study_day: i64,
    box_: VerdictBox,
    prior: Option<Badge>,
}

#[derive(Serialize)]
struct Badge {
    code: String,
    class: &'static str,
    date: String,
}

/// One verdict.
#[derive(Serialize)]
pub(crate) struct VerdictBox {
    code: String,
    words: String,
    class: &'static str,
    sum: String,
    changes: Vec<String>,
    parts: String,
    why: String,
    flips_if: String,
    what_changed: Vec<String>,
    /// How far the nearest other response by the sum lies; empty where no length decides.
    distance: String,
    lowered_by: Vec<String>,
}

/// Refuses sums that are no numbers.
pub(crate) fn check_sums(verdict: &Verdict) -> Result<(), ReportError> {
    let row = &verdict.row;
    let lengths = [row.sum_mm, row.baseline_mm, row.nadir_mm, row.next_target_mm, row.sum_half_width_mm];
    for value in lengths.into_iter().flatten() {
        finite(value, "sum of diameters", &format!("{} at {}", row.criterion, row.visit))?;
    }
    Ok(())
}

/// The latest of `verdicts`, with the one before it.
pub(crate) fn headline(verdicts: &[&Verdict], criterion: &CriterionInfo) -> Option<Headline> {
    let latest = verdicts.iter().max_by_key(|verdict| verdict.row.visit)?;
    let prior =
        verdicts.iter().filter(|verdict| verdict.row.visit < latest.row.visit).max_by_key(|verdict| verdict.row.visit);
    Some(Headline {
        criterion: criterion.title.clone(),
        date: latest.row.visit.to_string(),
        study_day: latest.row.study_day,
        box_: verdict_box(latest),
        prior: prior.map(|verdict| Badge {
            code: badge(code(&verdict.row)),
            class: tone(code(&verdict.row)).class(),
            date: verdict.row.visit.to_string(),
        }),
    })
}

/// The overall response of a row; a baseline has none and is called so.
pub(crate) fn code(row: &AssessmentRow) -> &str {
    if row.overall.is_empty() && row.target == "BASELINE" { "BASELINE" } else { &row.overall }
}

/// One verdict in words.
pub(crate) fn verdict_box(verdict: &Verdict) -> VerdictBox {
    let row = &verdict.row;
    VerdictBox {
        code: badge(code(row)),
        words: response(code(row)),
        class: tone(code(row)).class(),
        sum: row.sum_mm.map_or_else(|| "no complete sum".to_owned(), |sum| format!("sum {} mm", mm(sum))),
        changes: sum_changes(row),
        parts: parts(row),
        why: row.why.clone(),
        flips_if: row.flips_if.clone(),
        what_changed: verdict.what_changed.clone(),
        distance: distance(row),
        lowered_by: lowered_by(verdict),
    }
}

fn sum_changes(row: &AssessmentRow) -> Vec<String> {
    let Some(sum) = row.sum_mm.filter(|_| code(row) != "BASELINE") else { return Vec::new() };
    let against = |reference: Option<f64>, name: &str| {
        let reference = reference?;
        let millimetres = signed_mm(sum - reference);
        Some(match change_percent(sum, reference) {
            Some(percent) => {
                format!("{} ({millimetres} mm) from {name} {} mm", signed_percent(percent), mm(reference))
            }
            // Of nothing there is no percentage.
            None => format!("{millimetres} mm from {name} {} mm", mm(reference)),
        })
    };
    if row.baseline_mm == row.nadir_mm {
        return against(row.baseline_mm, "baseline and nadir").into_iter().collect();
    }
    [against(row.baseline_mm, "baseline"), against(row.nadir_mm, "nadir")].into_iter().flatten().collect()
}

fn distance(row: &AssessmentRow) -> String {
    let Some(change) = row.next_target_mm.filter(|_| !row.next_target.is_empty()) else { return String::new() };
    let error = match row.sum_half_width_mm {
        Some(half) => format!("95 % band of the sum ± {} mm", mm(half)),
        None => "error of the sum unknown".to_owned(),
    };
    format!("target response {} at {} mm of the sum; {error}", badge(&row.next_target), signed_mm(change))
}

/// What the row says of its own firmness, then what was handed in.
fn lowered_by(verdict: &Verdict) -> Vec<String> {
    let row = &verdict.row;
    let mut reasons = Vec::new();
    if row.within_error == Some(true) {
        reasons.push(format!("{} lies within the error of the sum", badge(&row.next_target)));
    }
    if row.over_selections.contains('|') {
        let responses = row.over_selections.split('|').map(badge).collect::<Vec<_>>().join(" or ");
        let choices = row.n_selections.map_or_else(String::new, |n| format!("{n} "));
        reasons.push(format!("over the {choices}legal choices of targets the response is {responses}"));
    }
    reasons.extend(verdict.confidence_lowered_by.iter().cloned());
    reasons
}

/// What the overall response was put together from, and how ablated targets were counted.
fn parts(row: &AssessmentRow) -> String {
    let new_lesion = match row.new_lesion.as_str() {
        "Y" => "new lesion: yes",
        "N" => "no new lesion",
        "E" => "new lesion: equivocal",
        _ => "new lesion: not stated",
    };
    let part = |name: &str, code: &str| match code {
        "NA" | "" => format!("no {name}"),
        code => format!("{name} {}", badge(code)),
    };
    if code(row) == "BASELINE" {
        return String::new();
    }
    let mut parts = format!("{}, {}, {new_lesion}", part("target", &row.target), part("non-target", &row.non_target));
    if !row.ablated_target.is_empty() {
        let _ = write!(parts, "; ablated targets counted as {}", words(&row.ablated_target));
    }
    parts
}
