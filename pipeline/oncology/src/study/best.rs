//! Best overall response by criterion and group, once seen and confirmed, with response and disease control rates.
//!
//! Source: Eisenhauer et al. 2009, §4.4 to 4.6; intervals by Clopper and Pearson 1934.

use serde::{Deserialize, Serialize};
use survival::exact_interval;

use super::{StudyGroup, percent};

/// The best responses of one patient by one criterion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BestOf {
    /// Criterion.
    pub criterion: String,
    /// Best overall response, not confirmed.
    pub unconfirmed: String,
    /// Best overall response where it must be seen twice.
    pub confirmed: String,
}

/// One patient by one criterion (`best_responses.csv`).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BestRow {
    /// Patient.
    pub patient_id: String,
    /// Criterion.
    pub criterion: String,
    /// Best overall response, not confirmed.
    pub best_response: String,
    /// Best overall response where it must be seen twice.
    pub best_confirmed_response: String,
    /// Largest decrease (smallest increase) of the sum from baseline, percent.
    pub best_change_percent: Option<f64>,
    /// Whether the disease was controlled: a response, or stable disease for the criterion's least time.
    pub disease_control: bool,
}

impl BestRow {
    /// Names of the columns, in order.
    pub const COLUMNS: &'static [&'static str] = &[
        "patient_id",
        "criterion",
        "best_response",
        "best_confirmed_response",
        "best_change_percent",
        "disease_control",
    ];
}

/// A rate in a group (`table_best_response.csv`).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BestRateRow {
    /// Group.
    pub group: String,
    /// Criterion.
    pub criterion: String,
    /// `no` or `yes`: whether a response had to be seen twice.
    pub confirmed: &'static str,
    /// A response, `objective_response` or `disease_control`.
    pub response: String,
    /// Patients with it.
    pub n: usize,
    /// Patients in all, those not evaluable among them.
    pub n_of: usize,
    /// Share, percent.
    pub percent: Option<f64>,
    /// Lower end of its 95 % interval.
    pub percent_low: Option<f64>,
    /// Upper end.
    pub percent_high: Option<f64>,
}

impl BestRateRow {
    /// Names of the columns, in order.
    pub const COLUMNS: &'static [&'static str] =
        &["group", "criterion", "confirmed", "response", "n", "n_of", "percent", "percent_low", "percent_high"];
}

/// Responses by name.
const RESPONSES: [&str; 6] = ["CR", "PR", "iCR", "iPR", "CMR", "PMR"];
/// Disease that did not grow.
const STABLE: [&str; 5] = ["SD", "iSD", "SMD", "NON-CR/NON-PD", "NON-iCR/NON-iUPD"];

/// Whether a best response is one.
pub fn is_response(best: &str) -> bool {
    RESPONSES.contains(&best)
}

/// Whether the disease was controlled.
pub fn is_controlled(best: &str) -> bool {
    is_response(best) || STABLE.contains(&best) || best == "NED"
}

/// Everybody's best responses.
pub fn best_rows(everybody: &StudyGroup<'_>) -> Vec<BestRow> {
    let mut rows = Vec::new();
    for patient in &everybody.patients {
        for best in patient.best {
            let own =
                patient.assessments.iter().filter(|row| row.criterion == best.criterion && !row.overall.is_empty());
            let changes = own.filter_map(|row| {
                let baseline = row.baseline_mm.filter(|mm| *mm > 0.0)?;
                Some(100.0 * (row.sum_mm? - baseline) / baseline)
            });
            rows.push(BestRow {
                patient_id: patient.id.to_owned(),
                criterion: best.criterion.clone(),
                best_response: best.unconfirmed.clone(),
                best_confirmed_response: best.confirmed.clone(),
                best_change_percent: changes.min_by(f64::total_cmp).map(|change| (change * 10.0).round() / 10.0),
                disease_control: is_controlled(&best.unconfirmed),
            });
        }
    }
    rows
}

/// Counts and rates in every group.
pub fn best_rates(groups: &[StudyGroup<'_>], criteria: &[String]) -> Vec<BestRateRow> {
    let mut rows = Vec::new();
    for criterion in criteria {
        for confirmed in ["no", "yes"] {
            for group in groups {
                rows.extend(of_group(group, criterion, confirmed));
            }
        }
    }
    rows
}

fn of_group(group: &StudyGroup<'_>, criterion: &str, confirmed: &'static str) -> Vec<BestRateRow> {
    let own = group.patients.iter().map(|patient| {
        let best = patient.best.iter().find(|best| best.criterion == criterion);
        best.map_or("NE", |best| if confirmed == "yes" { &best.confirmed } else { &best.unconfirmed })
    });
    let found: Vec<&str> = own.collect();
    let mut words: Vec<&str> = if criterion.starts_with("irecist") { vec![] } else { vec!["CR", "PR", "SD", "PD"] };
    let mut further: Vec<&str> = found.iter().copied().filter(|word| !words.contains(word)).collect();
    further.sort_unstable();
    further.dedup();
    words.extend(further);
    let row = |response: &str, n: usize| {
        let interval =
            exact_interval(n, found.len()).map(|bounds| bounds.map(|share| (share * 10_000.0).round() / 100.0));
        BestRateRow {
            group: group.name.clone(),
            criterion: criterion.to_owned(),
            confirmed,
            response: response.to_owned(),
            n,
            n_of: found.len(),
            percent: percent(n, found.len()),
            percent_low: interval.map(|[low, _]| low),
            percent_high: interval.map(|[_, high]| high),
        }
    };
    let count = |holds: &dyn Fn(&str) -> bool| found.iter().filter(|best| holds(best)).count();
    let mut rows: Vec<BestRateRow> = words.into_iter().map(|word| row(word, count(&|best| best == word))).collect();
    rows.push(row("objective_response", count(&is_response)));
    rows.push(row("disease_control", count(&is_controlled)));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::tests::patient;
    use crate::study::{StudyPatient, groups};

    #[test]
    fn both_counts_stand_side_by_side_and_nobody_is_left_out() {
        let best = |unconfirmed: &str, confirmed: &str| {
            [BestOf {
                criterion: "recist_1_1".to_owned(),
                unconfirmed: unconfirmed.to_owned(),
                confirmed: confirmed.to_owned(),
            }]
        };
        let (one, two) = (best("PR", "SD"), best("PD", "PD"));
        let patients = [
            StudyPatient { best: &one, ..patient("1", "HCC") },
            StudyPatient { best: &two, ..patient("2", "HCC") },
            patient("3", "HCC"),
        ];
        let rates = best_rates(&groups(&patients), &["recist_1_1".to_owned()]);
        let n = |confirmed: &str, response: &str| {
            let row = rates.iter().find(|row| row.confirmed == confirmed && row.response == response).unwrap();
            (row.n, row.n_of)
        };
        assert_eq!([n("no", "PR"), n("yes", "PR"), n("yes", "SD"), n("no", "NE")], [(1, 3), (0, 3), (1, 3), (1, 3)]);
        assert_eq!([n("no", "objective_response"), n("yes", "objective_response")], [(1, 3), (0, 3)]);
        let one = rates.iter().find(|row| row.confirmed == "no" && row.response == "PR").unwrap();
        assert_eq!((one.percent_low, one.percent_high), (Some(0.84), Some(90.57)));
        assert_eq!([n("no", "disease_control"), n("yes", "disease_control")], [(1, 3), (1, 3)]);
        let rows = best_rows(&groups(&patients)[0]);
        assert!(rows[0].disease_control && !rows[1].disease_control && rows.len() == 2);
    }
}
