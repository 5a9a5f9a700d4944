//! Characteristics, treatments, complications, efficacy, responses, patterns and burden as printed tables.

use oncology::endpoint::Preset;
use oncology::study::ALL;
use oncology::study::characteristics::CharacteristicRow;
use oncology::study::response::NOT_EVALUABLE;
use report::StudyTable;

use super::cells::{share, share_of, summary_words, summed_up, words};
use super::{all_groups, compared_groups, heads};
use crate::study_tables::StudyTables;

pub(super) fn with_first(first: &str, heads: Vec<String>) -> Vec<String> {
    std::iter::once(first.to_owned()).chain(heads).collect()
}

/// Table 1 over the groups named.
pub(super) fn baseline(
    tables: &StudyTables,
    preset: &Preset,
    id: &str,
    title: &str,
    groups: &[String],
    decimals: usize,
) -> StudyTable {
    let mut table = StudyTable::new(id, title, with_first("Characteristic", heads(tables, groups)));
    let rows = &tables.characteristics;
    let mut counted = "";
    let mut at = 0;
    while at < rows.len() {
        let first = &rows[at];
        let same = |row: &&CharacteristicRow| row.counted == first.counted && row.variable == first.variable;
        let own: Vec<&CharacteristicRow> = rows[at..].iter().take_while(same).collect();
        at += own.len();
        // What the columns are told apart by is no row of theirs.
        let is_head = first.variable == "diagnosis" && groups.len() > 1;
        if is_head || own.iter().all(|row| row.n_evaluable + row.n_not_evaluable == 0) {
            continue;
        }
        if first.counted != counted {
            counted = first.counted;
            let units = |group: &String| {
                let row = own.iter().find(|row| row.group == *group);
                row.map_or_else(String::new, |row| (row.n_evaluable + row.n_not_evaluable).to_string())
            };
            table.heading(capital(counted));
            table.line(format!("Number of {counted}"), groups.iter().map(units));
        }
        variable(&mut table, &own, preset, groups, decimals);
    }
    table.note("Shares are of those with a value; who has none is counted below the variable.");
    table
}

pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn variable(table: &mut StudyTable, own: &[&CharacteristicRow], preset: &Preset, groups: &[String], decimals: usize) {
    let name = words(&own[0].variable, &own[0].unit);
    let of = |group: &String, level: &str| own.iter().find(|row| row.group == *group && row.level == level);
    let mut levels: Vec<&str> = own.iter().map(|row| row.level.as_str()).collect();
    levels.dedup();
    let is_number = own.iter().any(|row| row.mean.is_some());
    if is_number {
        let summary = preset.reporting.summary;
        let cells =
            groups.iter().map(|group| of(group, "").map_or_else(String::new, |row| summed_up(row, summary, decimals)));
        table.line(format!("{name}, {}", summary_words(summary)), cells);
    } else {
        for level in levels.iter().filter(|level| !level.is_empty()) {
            let cell = |group: &String| of(group, level).map_or_else(String::new, |row| share(row.n, row.percent));
            table.line(format!("{name}: {level}, n (%)"), groups.iter().map(cell));
        }
    }
    let row_of = |group: &String| own.iter().find(|row| row.group == *group);
    if own.iter().any(|row| row.n_not_evaluable > 0) {
        let missing = |group: &String| row_of(group).map_or_else(String::new, |row| row.n_not_evaluable.to_string());
        table.line(format!("{name}: not evaluable, n"), groups.iter().map(missing));
        let all = own.iter().find(|row| row.group == ALL).map(|row| row.reasons.clone()).unwrap_or_default();
        table.note(format!("{}, not evaluable: {all}.", capital(&name)));
    }
}

/// Sessions, cycles and lesions by modality.
pub(super) fn treatments(tables: &StudyTables) -> StudyTable {
    let groups = all_groups(tables);
    let mut table = StudyTable::new("treatments", "Treatments", with_first("Treatment", heads(tables, &groups)));
    let mut modalities: Vec<&str> = Vec::new();
    for row in &tables.treatments {
        if !modalities.contains(&row.modality.as_str()) {
            modalities.push(&row.modality);
        }
    }
    for modality in modalities {
        let of = |group: &String| tables.treatments.iter().find(|row| row.group == *group && row.modality == modality);
        let count = |value: &dyn Fn(&oncology::study::therapy::TreatmentRow) -> usize| -> Vec<String> {
            groups.iter().map(|group| of(group).map_or(0, value).to_string()).collect()
        };
        table.heading(capital(modality));
        let patients =
            |group: &String| of(group).map_or_else(|| "0".to_owned(), |row| share(row.n_patients, row.percent));
        table.line("Patients, n (%)", groups.iter().map(patients));
        table.line("Sessions", count(&|row| row.n_sessions));
        if modality == "all locoregional" {
            table.line("Treatment cycles", count(&|row| row.n_cycles.unwrap_or(0)));
            table.line("Patients with more than one cycle", count(&|row| row.n_patients_retreated.unwrap_or(0)));
        }
        if modality != "systemic" {
            table.line("Lesions treated, once per session", count(&|row| row.n_treated_lesions));
            let without = count(&|row| row.n_sessions_without_lesion);
            if without.iter().any(|n| n != "0") {
                table.line("Sessions without a known lesion", without);
            }
        }
    }
    for row in tables.treatments.iter().filter(|row| row.group == ALL) {
        table.note(sentence("Patients not evaluable", &row.reasons));
    }
    table
}

pub(super) fn sentence(what: &str, reasons: &str) -> String {
    if reasons.is_empty() { String::new() } else { format!("{what}: {reasons}.") }
}

/// Sessions by grade of complication.
pub(super) fn complications(tables: &StudyTables) -> StudyTable {
    let groups = all_groups(tables);
    let mut table = StudyTable::new(
        "complications",
        "Complications by session",
        with_first("Complication", heads(tables, &groups)),
    );
    let rows = &tables.complications;
    let all: Vec<_> = rows.iter().filter(|row| row.group == ALL).collect();
    let mut modality = "";
    for row in &all {
        if row.modality != modality {
            modality = &row.modality;
            table.heading(format!("{modality}, {} sessions", row.n_sessions_of));
        }
        let cell = |group: &String| {
            let same = |other: &&_| is_same(row, other, group);
            rows.iter().find(same).map_or_else(|| "0".to_owned(), |found| share(found.n_sessions, found.percent))
        };
        let name = match (row.scale.as_str(), row.major) {
            ("", _) => capital(&row.grade),
            (scale, "yes") => format!("{scale} {} (major)", row.grade),
            (scale, "not evaluable") => format!("{scale}: {}, not evaluable", row.grade),
            (scale, _) => format!("{scale} {}", row.grade),
        };
        table.line(name, groups.iter().map(cell));
    }
    if !table.rows.is_empty() {
        table.note("Shares are of the sessions by that modality. Major: Clavien–Dindo IIIa, CTCAE 3, SIR C and above.");
    }
    table
}

fn is_same(
    row: &oncology::study::therapy::ComplicationRow,
    other: &oncology::study::therapy::ComplicationRow,
    group: &str,
) -> bool {
    other.group == group && other.modality == row.modality && other.scale == row.scale && other.grade == row.grade
}

/// Technical success and technique efficacy per ablated tumour.
pub(super) fn efficacy(tables: &StudyTables) -> StudyTable {
    let groups = all_groups(tables);
    let mut table = StudyTable::new(
        "efficacy",
        "Technical success and technique efficacy, per tumour",
        with_first("Measure", heads(tables, &groups)),
    );
    if tables.efficacy.iter().all(|row| row.n_of + row.n_not_evaluable == 0) {
        return table;
    }
    for (measure, words) in [
        ("technical_success", "Technical success"),
        ("primary_efficacy", "Primary technique efficacy"),
        ("assisted_efficacy", "Assisted technique efficacy"),
    ] {
        let of = |group: &String| tables.efficacy.iter().find(|row| row.group == *group && row.measure == measure);
        let cell = |group: &String| of(group).map_or_else(String::new, |row| share_of(row.n, row.n_of, row.percent));
        table.line(format!("{words}, n/N (%)"), groups.iter().map(cell));
        let missing = |group: &String| of(group).map_or_else(String::new, |row| row.n_not_evaluable.to_string());
        if tables.efficacy.iter().any(|row| row.measure == measure && row.n_not_evaluable > 0) {
            table.line(format!("{words}: not evaluable, n"), groups.iter().map(missing));
        }
        if let Some(row) = tables.efficacy.iter().find(|row| row.group == ALL && row.measure == measure) {
            let not = if row.reasons.is_empty() { String::new() } else { format!(" Not evaluable: {}.", row.reasons) };
            table.note(format!("{words}: {}.{not}", row.rule));
        }
    }
    table
}

/// Responses at the windows, a column for each window and group: the layout of Table 2 of Xu et al. 2021.
pub(super) fn responses(tables: &StudyTables) -> StudyTable {
    let groups = compared_groups(tables);
    let rows = &tables.responses;
    let mut windows: Vec<(&str, i64, i64)> = Vec::new();
    let mut criteria: Vec<&str> = Vec::new();
    for row in rows {
        let window = (row.window.as_str(), row.from_day, row.to_day);
        if !windows.contains(&window) {
            windows.push(window);
        }
        if !criteria.contains(&row.criterion.as_str()) {
            criteria.push(&row.criterion);
        }
    }
    let columns: Vec<(&str, &String)> =
        windows.iter().flat_map(|(window, ..)| groups.iter().map(move |group| (*window, group))).collect();
    let of_all = |window: &str, group: &str| {
        let own = rows.iter().find(|row| row.window == window && row.group == group);
        own.map_or(0, |row| row.n_of)
    };
    let head = |(window, group): &(&str, &String)| format!("{window}: {group} (n = {})", of_all(window, group));
    let mut table = StudyTable::new(
        "response",
        "Response at fixed times after each treatment cycle",
        with_first("Response", columns.iter().map(head).collect()),
    );
    for criterion in &criteria {
        let known = tables.criteria.iter().find(|[id, _]| id == criterion);
        table.heading(known.map_or_else(|| (*criterion).to_owned(), |[_, title]| title.clone()));
        let mut words: Vec<&str> = Vec::new();
        for row in rows.iter().filter(|row| row.criterion == *criterion) {
            if !words.contains(&row.response.as_str()) && row.response != NOT_EVALUABLE {
                words.push(&row.response);
            }
        }
        for word in words.into_iter().chain([NOT_EVALUABLE]) {
            let n = |(window, group): &(&str, &String)| {
                let own = |row: &&oncology::study::response::ResponseRow| {
                    row.criterion == *criterion && row.window == *window && row.group == **group && row.response == word
                };
                rows.iter().find(own).map_or(0, |row| row.n).to_string()
            };
            table.line(word, columns.iter().map(n));
        }
    }
    for (window, from, to) in &windows {
        table.note(format!("{window}: the visit nearest to it from day {from} to {to}; none is carried forward."));
        let own = rows.iter().find(|row| row.group == ALL && row.window == *window && row.response == NOT_EVALUABLE);
        table.note(own.map(|row| sentence(&format!("{window}, not evaluable"), &row.reasons)).unwrap_or_default());
    }
    table
}
