//! Response at the times a study tabulates: each treatment cycle at the visit nearest to the day meant.
//!
//! Source: Xu et al. 2021, Table 2: whoever progressed, died or was not imaged before is not in a later column.

use serde::Serialize;

use super::{LeftOut, StudyGroup, StudyPatient, percent};
use crate::cohort::AssessmentRow;
use crate::endpoint::window::{ResponseWindow, response_at};
use crate::time::{Date, Days};
use crate::treatment::CycleRule;

/// Patients with one response at one time (`table_response.csv`).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ResponseRow {
    /// Group.
    pub group: String,
    /// Criterion.
    pub criterion: String,
    /// Time, such as `8 weeks`.
    pub window: String,
    /// Earliest day that counts, from the origin of the patient's endpoints.
    pub from_day: i64,
    /// Latest day.
    pub to_day: i64,
    /// Response; `not evaluable` for those without one.
    pub response: String,
    /// Treatment cycles with it.
    pub n: usize,
    /// Cycles with a response at that time.
    pub n_of: usize,
    /// Share of those, percent; none for `not evaluable`.
    pub percent: Option<f64>,
    /// Why there is none, with counts; for `not evaluable` only.
    pub reasons: String,
}

impl ResponseRow {
    /// Names of the columns, in order.
    pub const COLUMNS: &'static [&'static str] =
        &["group", "criterion", "window", "from_day", "to_day", "response", "n", "n_of", "percent", "reasons"];
}

/// The word of the row that counts those without a response.
pub const NOT_EVALUABLE: &str = "not evaluable";

/// Times tabulated where a preset names none.
pub fn usual_windows() -> Vec<ResponseWindow> {
    let window = |name: &str, day, from_day, to_day| ResponseWindow {
        name: name.to_owned(),
        day,
        from_day,
        to_day,
        source: "project rule: as in the preset xu2021".to_owned(),
    };
    vec![window("8 weeks", 56, 42, 76), window("3 months", 90, 77, 120)]
}

/// Counts of every response by group, criterion and time.
pub fn responses(
    groups: &[StudyGroup<'_>],
    criteria: &[String],
    windows: &[ResponseWindow],
    rule: CycleRule,
) -> Vec<ResponseRow> {
    let mut rows = Vec::new();
    for criterion in criteria {
        for window in windows {
            for group in groups {
                rows.extend(of_group(group, criterion, window, rule));
            }
        }
    }
    rows
}

fn of_group(group: &StudyGroup<'_>, criterion: &str, window: &ResponseWindow, rule: CycleRule) -> Vec<ResponseRow> {
    let mut left = LeftOut::default();
    let mut found: Vec<String> = Vec::new();
    for patient in &group.patients {
        let own = patient.assessments.iter().filter(|row| row.criterion == criterion).collect();
        let first = patient.origin().ok_or_else(|| "no time origin".to_owned());
        let mut answers = vec![first.and_then(|origin| response_of(patient, origin, own, window))];
        let later = patient.facts.map_or(&[][..], |facts| facts.later_cycles.as_slice());
        for cycle in later.iter().filter(|cycle| cycle.criterion == criterion) {
            answers.push(if cycle.missing.is_empty() {
                response_of(patient, cycle.origin, cycle.rows.iter().collect(), window)
            } else {
                Err(cycle.missing.clone())
            });
        }
        // Results of versions that did not judge later cycles.
        for _ in answers.len()..patient.course(rule).1.len() {
            answers.push(Err("later cycle, not judged: run the patient again".to_owned()));
        }
        for answer in answers {
            match answer {
                Ok(response) => found.push(response.to_owned()),
                Err(reason) => left.add(reason),
            }
        }
    }
    let mut words: Vec<&str> = if criterion == "irecist" { vec![] } else { vec!["CR", "PR", "SD", "PD"] };
    let mut further: Vec<&str> = found.iter().map(String::as_str).filter(|word| !words.contains(word)).collect();
    further.sort_unstable();
    further.dedup();
    words.extend(further);
    let row = |response: &str, n: usize| ResponseRow {
        group: group.name.clone(),
        criterion: criterion.to_owned(),
        window: window.name.clone(),
        from_day: window.from_day,
        to_day: window.to_day,
        response: response.to_owned(),
        n,
        n_of: found.len(),
        percent: percent(n, found.len()).filter(|_| response != NOT_EVALUABLE),
        reasons: String::new(),
    };
    let mut rows: Vec<ResponseRow> =
        words.into_iter().map(|word| row(word, found.iter().filter(|one| *one == word).count())).collect();
    rows.push(ResponseRow { reasons: left.reasons(), ..row(NOT_EVALUABLE, left.n()) });
    rows
}

/// The response of a cycle at a window, or why there is none.
fn response_of<'a>(
    patient: &StudyPatient<'a>,
    origin: Date,
    own: Vec<&'a AssessmentRow>,
    window: &ResponseWindow,
) -> Result<&'a str, String> {
    let judged = own.into_iter().filter(|row| !row.overall.is_empty());
    let rows: Vec<(i64, &'a AssessmentRow)> = judged.map(|row| (Days::between(origin, row.date).0, row)).collect();
    let progressed = rows.iter().find(|(_, row)| matches!(row.overall.as_str(), "PD" | "iCPD")).map(|(day, _)| *day);
    if progressed.is_some_and(|day| day < window.from_day) {
        return Err("progression before".to_owned());
    }
    let visits: Vec<(i64, &'a str)> = rows.iter().map(|(day, row)| (*day, row.overall.as_str())).collect();
    if let Some(response) = response_at(&visits, window) {
        return Ok(response);
    }
    let death = patient.facts.and_then(|facts| facts.clinical.death_date);
    if death.is_some_and(|date| Days::between(origin, date).0 < window.to_day) {
        return Err("died before".to_owned());
    }
    let was_imaged = visits.iter().any(|(day, _)| (window.from_day..=window.to_day).contains(day));
    Err(if was_imaged {
        "imaged, response not evaluable".to_owned()
    } else {
        format!("no imaging from day {} to {}", window.from_day, window.to_day)
    })
}
