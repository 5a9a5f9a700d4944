//! Response of each treated lesion by what is left at its site, at the earliest control a month and more after treatment.
//!
//! Source: Narayanan et al. 2024 for the four levels (no enhancement, residual, unchanged, increased); the paper prints no limit for
//! the last three: the viable diameter decides by the limits of mRECIST (Lencioni and Llovet 2010: −30 %, +20 %).

use serde::Serialize;

use super::{LeftOut, StudyGroup, StudyPatient, percent};
use crate::lesion::LesionId;
use crate::time::{Date, Days};
use crate::treatment::CycleRule;

/// The earliest control that counts, days after the treatment (Narayanan 2024: one month, taken as 28 days).
pub const EARLIEST_DAY: i64 = 28;

/// Treated lesions with one response (`table_lesion_response.csv`).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LesionResponseRow {
    /// Group.
    pub group: String,
    /// `CR`, `PR`, `SD`, `PD`.
    pub response: &'static str,
    /// Treated lesions with it.
    pub n: usize,
    /// Treated lesions judged.
    pub n_of: usize,
    /// Share, percent.
    pub percent: Option<f64>,
    /// Treated lesions that could not be judged.
    pub n_not_evaluable: usize,
    /// Why, with counts.
    pub reasons: String,
}

impl LesionResponseRow {
    /// Names of the columns, in order.
    pub const COLUMNS: &'static [&'static str] =
        &["group", "response", "n", "n_of", "percent", "n_not_evaluable", "reasons"];
}

/// The four levels in every group.
pub fn lesion_responses(groups: &[StudyGroup<'_>], rule: CycleRule) -> Vec<LesionResponseRow> {
    groups.iter().flat_map(|group| of_group(group, rule)).collect()
}

fn of_group(group: &StudyGroup<'_>, rule: CycleRule) -> Vec<LesionResponseRow> {
    let (mut found, mut left): (Vec<&str>, _) = (Vec::new(), LeftOut::default());
    for patient in &group.patients {
        let (sessions, _) = patient.course(rule);
        for lesion in patient.first_targets(rule) {
            let treated = sessions.iter().find(|session| session.target_lesions.contains(&lesion));
            match treated.map_or(Err("not treated"), |session| response(patient, &lesion, session.date)) {
                Ok(response) => found.push(response),
                Err(reason) => left.add(reason),
            }
        }
    }
    let row = |response: &'static str| {
        let n = found.iter().filter(|one| **one == response).count();
        LesionResponseRow {
            group: group.name.clone(),
            response,
            n,
            n_of: found.len(),
            percent: percent(n, found.len()),
            n_not_evaluable: left.n(),
            reasons: left.reasons(),
        }
    };
    ["CR", "PR", "SD", "PD"].map(row).to_vec()
}

/// The response at the first control from [`EARLIEST_DAY`] on that shows the site.
fn response(patient: &StudyPatient<'_>, lesion: &LesionId, treated: Date) -> Result<&'static str, &'static str> {
    let own = || patient.measurements.iter().filter(|row| row.lesion_id == lesion.as_str());
    let late = own().filter(|row| Days::between(treated, row.date).0 >= EARLIEST_DAY);
    let first = late.map(|row| row.visit).min().ok_or("no control a month and more after the treatment")?;
    let at_control = || own().filter(|row| row.visit == first);
    if at_control().any(|row| matches!(row.state.as_str(), "ablated" | "absent")) {
        return Ok("CR");
    }
    let size = |quantity: &str| {
        let value = at_control().find(|row| row.quantity == quantity && row.evaluable).and_then(|row| row.value);
        value.filter(|value| *value > 0.0)
    };
    let is_node = patient.lesions.iter().any(|row| row.lesion_id == lesion.as_str() && row.kind == "node");
    let quantity = if is_node { "short_axis" } else { "long_axis" };
    let before = patient.diameter_until(lesion.as_str(), treated).ok_or("no diameter before the treatment")?;
    let after = size(quantity).ok_or("the site could not be judged at the control")?;
    Ok(match after / before {
        ratio if ratio <= 0.7 => "PR",
        ratio if ratio >= 1.2 => "PD",
        _ => "SD",
    })
}
