//! Survival and Cox models as printed tables in the program's own layout.

use oncology::endpoint::Preset;
use oncology::study::ALL;
use oncology::study::predictors::CoxRow;
use oncology::study::time_to_event::SurvivalRow;
use report::StudyTable;

use super::cells::{NONE, interval, number, p_value, words};
use super::time_conventions;
use crate::study_tables::StudyTables;

/// Median with interval, follow-up and landmark rates of every endpoint and group.
pub(super) fn survival(tables: &StudyTables, preset: &Preset) -> StudyTable {
    let months = &preset.reporting.landmarks_months;
    let mut columns: Vec<String> =
        ["Endpoint and group", "n", "Events", "Median, months (95 %)", "Follow-up, median"].map(str::to_owned).to_vec();
    columns.extend(months.iter().map(|time| format!("{time} months, % (at risk)")));
    columns.push("Log-rank p".to_owned());
    let mut table = StudyTable::new("survival", "Time to event", columns);
    let mut endpoint = "";
    for row in &tables.survival {
        if row.endpoint != endpoint {
            endpoint = &row.endpoint;
            table.heading(endpoint.replace('_', " "));
        }
        let mut cells =
            vec![row.n.to_string(), row.events.to_string(), median(row, 1), number(row.follow_up_months, 1)];
        cells.extend(months.iter().map(|time| rate(tables, endpoint, &row.group, *time)));
        cells.push(if row.group == ALL {
            row.log_rank_p.map_or_else(String::new, |p| p_value(Some(p)))
        } else {
            String::new()
        });
        table.line(row.group.clone(), cells);
    }
    table.note(time_conventions(preset));
    table
        .note("Follow-up by the reverse Kaplan–Meier method. Not evaluable: not reached, or observation ended before.");
    table
}

/// `11.3 (9.0–14.1)`, or `not reached`.
pub(super) fn median(row: &SurvivalRow, decimals: usize) -> String {
    match row.median_months {
        Some(median) => {
            let (low, high) = (row.median_low_months, row.median_high_months);
            let bounds = if low.is_none() && high.is_none() {
                "interval not reached".to_owned()
            } else {
                interval(low, high, decimals)
            };
            format!("{median:.decimals$} ({bounds})")
        }
        None if row.n == 0 => NONE.to_owned(),
        None => "not reached".to_owned(),
    }
}

/// `83.1 % (12)`: survival in percent and the number at risk.
pub(super) fn rate(tables: &StudyTables, endpoint: &str, group: &str, months: f64) -> String {
    let is_own = |row: &&oncology::study::time_to_event::LandmarkRow| {
        row.endpoint == endpoint && row.group == group && (row.months - months).abs() < 1e-9
    };
    let found = tables.landmarks.iter().find(is_own);
    found
        .and_then(|row| row.survival.map(|survival| format!("{:.1} % ({})", 100.0 * survival, row.n_risk)))
        .unwrap_or_else(|| NONE.to_owned())
}

/// Name of a term with its reference or unit: `diagnosis: CRLM against HCC`.
pub(crate) fn term(row: &CoxRow) -> String {
    let unit = row.per.strip_prefix("1 ").unwrap_or("");
    let name = words(&row.variable, unit);
    if row.level.is_empty() { name } else { format!("{name}: {} against {}", row.level, row.reference) }
}

/// Univariable and multivariable hazard ratios of every endpoint.
pub(super) fn cox(tables: &StudyTables, preset: &Preset) -> StudyTable {
    let columns = ["Endpoint and variable", "n (events)", "Univariable HR (95 %)", "p", "Multivariable HR (95 %)", "p"];
    let mut table = StudyTable::new("cox", "Predictors, Cox models", columns.map(str::to_owned).to_vec());
    let mut endpoint = "";
    for row in tables.cox.iter().filter(|row| row.model == "univariable") {
        if row.endpoint != endpoint {
            endpoint = &row.endpoint;
            table.heading(endpoint.replace('_', " "));
        }
        let joint = tables.cox.iter().find(|other| {
            other.model == "multivariable"
                && (&other.endpoint, &other.variable, &other.level) == (&row.endpoint, &row.variable, &row.level)
        });
        let [joint_ratio, joint_p] = joint.map_or([String::new(), String::new()], ratio);
        let [alone, p] = ratio(row);
        table.line(term(row), [format!("{} ({})", row.n, row.events), alone, p, joint_ratio, joint_p]);
        if row.hazard_ratio.is_none() {
            table.note(format!("{}, {}: not evaluable: {}.", endpoint.replace('_', " "), term(row), row.reasons));
        }
    }
    table.note(format!(
        "Variables with p < {} alone enter the multivariable model together; its p-values are too good therefore. Ties: {:?}. Several rows of one patient are clustered.",
        preset.reporting.screen_p,
        preset.reporting.statistics.ties()
    ));
    table
}

fn ratio(row: &CoxRow) -> [String; 2] {
    match row.hazard_ratio {
        Some(ratio) => [format!("{ratio:.3} ({})", interval(row.low, row.high, 3)), p_value(row.p)],
        None => [NONE.to_owned(), String::new()],
    }
}
