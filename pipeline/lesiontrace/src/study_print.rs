//! The computed tables as a study prints them: in the layout of the preset's study, or all of the program's own.

pub(crate) mod cells;
mod disease;
mod general;
mod narayanan2024;
pub(crate) mod outcome;
mod xu2021;

use oncology::endpoint::Preset;
use oncology::study::Layout;
use oncology::study::time_to_event::convention_name;
use report::StudyTable;

use crate::study_tables::StudyTables;

/// All tables in the order of the page: the study's own first, then what it did not print.
pub(crate) fn printed(tables: &StudyTables, preset: &Preset) -> Vec<StudyTable> {
    let mut printed = match preset.reporting.layout {
        Layout::All => vec![
            general::baseline(tables, preset, "baseline", "Characteristics at baseline", &all_groups(tables), 1),
            general::treatments(tables),
            general::complications(tables),
            general::efficacy(tables),
            general::responses(tables),
            outcome::survival(tables, preset),
            outcome::cox(tables, preset),
        ],
        Layout::Xu2021 => xu2021::printed(tables, preset),
        Layout::Narayanan2024 => narayanan2024::printed(tables, preset),
    };
    printed.push(disease::best_responses(tables));
    printed.push(disease::lesion_responses(tables));
    printed.push(disease::patterns(tables));
    printed.push(disease::sensitivity(tables));
    printed.push(disease::burdens(tables));
    printed.retain(|table| !table.rows.is_empty());
    let mut seen: Vec<String> = Vec::new();
    printed.retain(|table| {
        let is_new = !seen.contains(&table.id);
        seen.push(table.id.clone());
        is_new
    });
    printed
}

/// The names of the groups, everybody first.
fn all_groups(tables: &StudyTables) -> Vec<String> {
    tables.groups.iter().map(|(name, _)| name.clone()).collect()
}

/// The groups that are compared; everybody where there are none.
fn compared_groups(tables: &StudyTables) -> Vec<String> {
    let all = all_groups(tables);
    if all.len() > 1 { all[1..].to_vec() } else { all }
}

/// `HCC (n = 114)` for each group.
fn heads(tables: &StudyTables, groups: &[String]) -> Vec<String> {
    let n = |name: &str| tables.groups.iter().find(|(group, _)| group == name).map_or(0, |(_, n)| *n);
    groups.iter().map(|name| format!("{name} (n = {})", n(name))).collect()
}

/// The length of a month, and whose definition of medians and intervals.
fn time_conventions(preset: &Preset) -> String {
    let days = preset.days_per_month;
    let months = if (days - 30.4375).abs() < 1e-9 { "365.25 / 12 days".to_owned() } else { format!("{days} days") };
    let convention = convention_name(preset.reporting.statistics);
    let interval = match convention {
        "SPSS" => "the median ± 1.96 standard errors (SPSS), cut at 0; bounds of survival on the plain scale",
        "R" => "by inverting the bounds of the curve (Brookmeyer and Crowley), which are on the log scale (R survival)",
        _ => "by inverting the bounds of the curve, which are on the log-log scale (lifelines)",
    };
    format!("Preset {}: months of {months}; 95 % interval of a median: {interval}.", preset.id)
}
