//! Tables 1 to 4 in the layout of Xu et al. 2021.

use oncology::endpoint::Preset;
use oncology::study::ALL;
use oncology::study::predictors::CoxRow;
use report::StudyTable;

use super::cells::{NONE, interval, number, p_value};
use super::outcome::term;
use super::{compared_groups, general, outcome, time_conventions};
use crate::study_tables::StudyTables;

/// Tables 1 to 4, then treatments, complications, efficacy and the rates that the study did not print.
pub(super) fn printed(tables: &StudyTables, preset: &Preset) -> Vec<StudyTable> {
    let groups = compared_groups(tables);
    let title = "Table 1. Baseline patient, tumour, and other disease characteristics";
    let mut second = general::responses(tables);
    "2".clone_into(&mut second.id);
    "Table 2. Tumour response".clone_into(&mut second.title);
    second.note("Each completed treatment cycle, later ones against the last imaging before them.");
    vec![
        general::baseline(tables, preset, "1", title, &groups, 2),
        second,
        third(tables, preset, &groups),
        fourth(tables, preset),
        general::treatments(tables),
        general::complications(tables),
        general::efficacy(tables),
        outcome::survival(tables, preset),
    ]
}

/// Median and range of each endpoint by group, with the log-rank p.
fn third(tables: &StudyTables, preset: &Preset, groups: &[String]) -> StudyTable {
    let mut columns = vec!["Survival data (months)".to_owned()];
    columns.extend(groups.iter().cloned());
    columns.push("p-value".to_owned());
    let mut table = StudyTable::new("3", "Table 3. Survival data", columns);
    let mut endpoints: Vec<&str> = tables.survival.iter().map(|row| row.endpoint.as_str()).collect();
    endpoints.dedup();
    for endpoint in endpoints {
        let of = |group: &str| tables.survival.iter().find(|row| row.endpoint == endpoint && row.group == group);
        let p = of(ALL).and_then(|row| row.log_rank_p);
        let median = |group: &String| {
            let found = of(group).and_then(|row| row.median_months);
            found.map_or_else(|| "N/A".to_owned(), |months| format!("{months:.2}"))
        };
        let cells: Vec<String> =
            groups.iter().map(median).chain([if groups.len() > 1 { p_value(p) } else { String::new() }]).collect();
        table.line(format!("{} Median", endpoint.replace('_', " ")), cells);
        let range = |group: &String| {
            let row = of(group);
            // Of times to death the study prints the range of all observations, else that of the events.
            let (low, high) = match row {
                Some(row) if endpoint == "OS" => (row.observed_from_months, row.observed_to_months),
                Some(row) => (row.events_from_months, row.events_to_months),
                None => (None, None),
            };
            interval(low, high, 2)
        };
        table.line("Range", groups.iter().map(range));
        let with_interval = |group: &String| {
            of(group).map_or_else(
                || NONE.to_owned(),
                |row| {
                    if row.median_months.is_none() {
                        "N/A".to_owned()
                    } else {
                        interval(row.median_low_months, row.median_high_months, 2)
                    }
                },
            )
        };
        table.line("95 % interval of the median", groups.iter().map(with_interval));
    }
    table.note("N/A, not assessable: the median was not reached. Range: of all observations for OS, of the times of events for the others (inferred from the ranges the study prints). p: log-rank test.");
    table.note(time_conventions(preset));
    table.note("Figure 3 of the study (PFS, PFS local, PFS distant by tumour type): see Time to event, and figures/km_pfs.svg, km_pfs_local.svg and km_pfs_distant.svg.");
    table
}

/// Univariate, then multivariate models, three columns per endpoint.
fn fourth(tables: &StudyTables, preset: &Preset) -> StudyTable {
    let mut endpoints: Vec<&str> = Vec::new();
    for row in &tables.cox {
        if !endpoints.contains(&row.endpoint.as_str()) {
            endpoints.push(&row.endpoint);
        }
    }
    let mut columns = vec![String::new()];
    for endpoint in &endpoints {
        let name = endpoint.replace('_', " ");
        columns.extend([format!("{name}: 95 % CI for Exp(B)"), format!("{name}: HR"), format!("{name}: p-value")]);
    }
    let title = "Table 4. Univariate and multivariate Cox regression hazard models for progression-free survival";
    let mut table = StudyTable::new("4", title, columns);
    let key = |row: &CoxRow| (row.variable.clone(), row.level.clone());
    for (model, words) in [("univariable", "Univariate analysis"), ("multivariable", "Multivariate analysis")] {
        table.heading(words);
        let mut keys: Vec<(String, String)> = Vec::new();
        for row in tables.cox.iter().filter(|row| row.model == model) {
            if !keys.contains(&key(row)) {
                keys.push(key(row));
            }
        }
        for wanted in keys {
            let own: Vec<&CoxRow> = tables.cox.iter().filter(|row| row.model == model && key(row) == wanted).collect();
            let cells = endpoints.iter().flat_map(|endpoint| match own.iter().find(|row| row.endpoint == *endpoint) {
                Some(row) => [interval(row.low, row.high, 3), number(row.hazard_ratio, 3), p_value(row.p)],
                None => [const { String::new() }; 3],
            });
            table.line(own.first().map(|row| term(row)).unwrap_or_default(), cells.collect::<Vec<_>>());
        }
    }
    for row in tables.cox.iter().filter(|row| row.hazard_ratio.is_none()) {
        table.note(format!("{}, {}: not evaluable: {}.", row.endpoint.replace('_', " "), term(row), row.reasons));
    }
    table.note(format!(
        "Variables with p < {} alone enter the multivariate model together. Ties: {:?}, as in SPSS; intervals by Wald. Per unit of the variable; categories against the reference named.",
        preset.reporting.screen_p,
        preset.reporting.statistics.ties()
    ));
    table
}
