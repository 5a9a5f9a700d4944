//! Table 1 and the results of Narayanan et al. 2024, which prints the rest as text: adverse events, tumour response, survival.

use oncology::endpoint::Preset;
use oncology::study::ALL;
use report::StudyTable;

use super::outcome::{median, rate};
use super::{disease, general, outcome, time_conventions};
use crate::study_tables::StudyTables;

/// Table 1, adverse events, technical success and response, survival; then what the study did not print.
pub(super) fn printed(tables: &StudyTables, preset: &Preset) -> Vec<StudyTable> {
    let everybody = [ALL.to_owned()];
    let title = "Table 1. Patient and tumour characteristics";
    let mut adverse = general::complications(tables);
    "Adverse events (Clavien–Dindo), by session".clone_into(&mut adverse.title);
    let mut response = disease::lesion_responses(tables);
    "Tumour response of the treated nodes at the first follow-up".clone_into(&mut response.title);
    vec![
        general::baseline(tables, preset, "1", title, &everybody, 1),
        adverse,
        general::efficacy(tables),
        response,
        local_and_distant(tables, preset),
        general::treatments(tables),
        general::responses(tables),
        outcome::survival(tables, preset),
        outcome::cox(tables, preset),
    ]
}

/// Median time to local and to distant progression with 1-, 2- and 5-year rates: the text to Figure 1.
fn local_and_distant(tables: &StudyTables, preset: &Preset) -> StudyTable {
    let mut columns =
        vec!["Endpoint".to_owned(), "n".to_owned(), "Events".to_owned(), "Median, months (95 % CI)".to_owned()];
    let years = [(12.0, "1-year"), (24.0, "2-year"), (60.0, "5-year")];
    columns.extend(years.iter().map(|(_, words)| format!("{words}, % (at risk)")));
    let mut table = StudyTable::new("progression", "Local and distant progression (Figure 1)", columns);
    for (endpoint, words) in [
        ("LPFS", "LPFS, per patient"),
        ("LPFS_node", "LPFS, per treated node"),
        ("DPFS", "DPFS, per patient"),
        ("OS", "OS, per patient"),
    ] {
        let Some(row) = tables.survival.iter().find(|row| row.endpoint == endpoint && row.group == ALL) else {
            continue;
        };
        let mut cells = vec![row.n.to_string(), row.events.to_string(), median(row, 1)];
        cells.extend(years.iter().map(|(months, _)| rate(tables, endpoint, ALL, *months)));
        table.line(words, cells);
    }
    table.note(
        "The study's figure counts patients: the first local progression of any treated node. Beside it each node by itself.",
    );
    table.note(time_conventions(preset));
    table
}
