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
}

/// Refuses sums that are no numbers.
pub(crate) fn check_sums(verdict: &Verdict) -> Result<(), ReportError> {
    let row = &verdict.row;
    for value in [row.sum_mm, row.baseline_mm, row.nadir_mm].into_iter().flatten() {
        finite(value, "sum of diameters", &format!("{} at {}", row.criterion, row.date))?;
    }
    Ok(())
}

/// The latest of `verdicts`, with the one before it.
pub(crate) fn headline(verdicts: &[&Verdict], criterion: &CriterionInfo) -> Option<Headline> {
    let latest = verdicts.iter().max_by_key(|verdict| verdict.row.date)?;
    let prior =
        verdicts.iter().filter(|verdict| verdict.row.date < latest.row.date).max_by_key(|verdict| verdict.row.date);
    Some(Headline {
        criterion: criterion.title.clone(),
        date: latest.row.date.to_string(),
        study_day: latest.row.study_day,
        box_: verdict_box(latest),
        prior: prior.map(|verdict| Badge {
            code: badge(&verdict.row.overall),
            class: tone(&verdict.row.overall).class(),
            date: verdict.row.date.to_string(),
        }),
    })
}

/// One verdict in words.
pub(crate) fn verdict_box(verdict: &Verdict) -> VerdictBox {
    let row = &verdict.row;
    VerdictBox {
        code: badge(&row.overall),
        words: response(&row.overall),
        class: tone(&row.overall).class(),
        sum: row.sum_mm.map_or_else(|| "no complete sum".to_owned(), |sum| format!("sum {} mm", mm(sum))),
        changes: sum_changes(row),
        parts: parts(row),
        why: row.why.clone(),
        flips_if: row.flips_if.clone(),
        what_changed: verdict.what_changed.clone(),
    }
}

fn sum_changes(row: &AssessmentRow) -> Vec<String> {
    let Some(sum) = row.sum_mm.filter(|_| row.overall != "BASELINE") else { return Vec::new() };
    let against = |reference: Option<f64>, name: &str| {
        let reference = reference?;
        let percent = change_percent(sum, reference)?;
        let (percent, millimetres) = (signed_percent(percent), signed_mm(sum - reference));
        Some(format!("{percent} ({millimetres} mm) from {name} {} mm", mm(reference)))
    };
    if row.baseline_mm == row.nadir_mm {
        return against(row.baseline_mm, "baseline and nadir").into_iter().collect();
    }
    [against(row.baseline_mm, "baseline"), against(row.nadir_mm, "nadir")].into_iter().flatten().collect()
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
    if row.overall == "BASELINE" {
        return String::new();
    }
    let mut parts = format!("{}, {}, {new_lesion}", part("target", &row.target), part("non-target", &row.non_target));
    if !row.ablated_target.is_empty() {
        let _ = write!(parts, "; ablated targets counted as {}", words(&row.ablated_target));
    }
    parts
}
