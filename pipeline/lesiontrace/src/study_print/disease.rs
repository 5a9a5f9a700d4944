//! What became of the disease, as printed tables: responses of treated lesions, best responses, patterns of progression, burden.

use oncology::study::ALL;
use oncology::study::best::BestRateRow;
use report::StudyTable;

use super::cells::{interval, number, share};
use super::general::{capital, sentence, with_first};
use super::{all_groups, heads};
use crate::study_tables::StudyTables;

/// Responses of treated lesions at the first control.
pub(super) fn lesion_responses(tables: &StudyTables) -> StudyTable {
    let groups = all_groups(tables);
    let mut table = StudyTable::new(
        "lesion_response",
        "Response of treated lesions at the first control a month and more after treatment",
        with_first("Response", heads(tables, &groups)),
    );
    if tables.lesion_responses.iter().all(|row| row.n_of + row.n_not_evaluable == 0) {
        return table;
    }
    let of = |group: &String, response: &str| {
        tables.lesion_responses.iter().find(|row| row.group == *group && row.response == response)
    };
    for response in ["CR", "PR", "SD", "PD"] {
        let cell = |group: &String| of(group, response).map_or_else(String::new, |row| share(row.n, row.percent));
        table.line(format!("{response}, n (%)"), groups.iter().map(cell));
    }
    let missing = |group: &String| of(group, "CR").map_or_else(String::new, |row| row.n_not_evaluable.to_string());
    table.line("not evaluable, n", groups.iter().map(missing));
    let all = tables.lesion_responses.iter().find(|row| row.group == ALL);
    table.note(all.map(|row| sentence("Not evaluable", &row.reasons)).unwrap_or_default());
    table.note(
        "A reader's word goes first. Without one: CR nothing viable at the site; else the viable diameter (the whole one where nothing viable was measured) against that before treatment, PR −30 % and below, PD +20 % and above; on PET the largest SUV, ±25 %. The earliest CT or MR from day 28, or PET from day 84.",
    );
    table
}

/// What patterns are counted over.
const MEASURES: [(&str, &str); 4] = [
    ("first", "First progression, patients"),
    ("ever", "At any time, patients (counted under each)"),
    ("per_cycle", "First progression in each treatment cycle"),
    ("per_treatment", "At the site of each treatment of a lesion"),
];

/// First and all patterns of progression.
pub(super) fn patterns(tables: &StudyTables) -> StudyTable {
    let groups = all_groups(tables);
    let title = "Patterns of progression";
    let mut table = StudyTable::new("patterns", title, with_first("Pattern", heads(tables, &groups)));
    for (measure, words) in MEASURES {
        table.heading(words);
        let mut names: Vec<&str> = Vec::new();
        for row in tables.patterns.iter().filter(|row| row.measure == measure) {
            if !names.contains(&row.pattern.as_str()) {
                names.push(&row.pattern);
            }
        }
        for name in names {
            let cell = |group: &String| {
                let own = |row: &&oncology::study::patterns::PatternRow| {
                    row.group == *group && row.measure == measure && row.pattern == name
                };
                let found = tables.patterns.iter().find(own);
                found.map_or_else(|| "0".to_owned(), |row| share(row.n, row.percent))
            };
            let words = if name == "none" { "no progression seen".to_owned() } else { name.replace('_', " ") };
            table.line(words.replace('+', " + "), groups.iter().map(cell));
        }
    }
    let all = || tables.patterns.iter().filter(|row| row.group == ALL);
    let reviews: usize = all().filter(|row| row.measure == "first").map(|row| row.n_needs_review).sum();
    if reviews > 0 {
        table.note(format!("First progressions whose class a reader should look at: {reviews}."));
    }
    table.note(all().next().map(|row| sentence("Not evaluable", &row.reasons)).unwrap_or_default());
    table
}

/// Best responses with their exact intervals, once seen and confirmed.
pub(super) fn best_responses(tables: &StudyTables) -> StudyTable {
    let groups = all_groups(tables);
    let mut table =
        StudyTable::new("best_response", "Best overall response", with_first("Response", heads(tables, &groups)));
    for [criterion, title] in &tables.criteria {
        for (confirmed, words) in [("no", "seen once"), ("yes", "confirmed")] {
            table.heading(format!("{title}, {words}"));
            let of = |group: &str| {
                let own = |row: &&BestRateRow| {
                    row.criterion == *criterion && row.confirmed == confirmed && row.group == group
                };
                tables.best_rates.iter().filter(own).collect::<Vec<_>>()
            };
            for row in of(ALL) {
                let cell = |group: &String| {
                    let own = of(group).into_iter().find(|other| other.response == row.response);
                    own.map_or_else(
                        || "0".to_owned(),
                        |row| {
                            format!(
                                "{} ({})",
                                share(row.n, row.percent),
                                interval(row.percent_low, row.percent_high, 1)
                            )
                        },
                    )
                };
                table.line(row.response.replace('_', " "), groups.iter().map(cell));
            }
        }
    }
    table.note("In brackets percent, then its exact 95 % interval (Clopper and Pearson 1934). All patients count; NE are no responders.");
    table
}

/// Endpoints by the other class where a distance from an ablation zone is not sure; no rows where none is.
pub(super) fn sensitivity(tables: &StudyTables) -> StudyTable {
    let columns =
        ["Endpoint", "Units changed", "Events", "Median, months", "Events, other class", "Median, other class"];
    let title = "Sensitivity to distances that are not sure";
    let mut table = StudyTable::new("sensitivity", title, columns.map(str::to_owned).to_vec());
    for row in tables.sensitivity.iter().filter(|row| row.n_changed > 0) {
        table.line(
            row.endpoint.replace('_', " "),
            [
                format!("{} of {}", row.n_changed, row.n),
                row.events.to_string(),
                number(row.median_months, 1),
                row.events_other.to_string(),
                number(row.median_other_months, 1),
            ],
        );
    }
    table.note("Where the 95 % interval of the distance between focus and zone crosses the rule, the class by the distance as measured counts; the last columns take the other one.");
    table
}

/// Oligometastatic state at baseline and at the last visit, and abscopal candidates.
pub(super) fn burdens(tables: &StudyTables) -> StudyTable {
    let groups = all_groups(tables);
    let mut table = StudyTable::new(
        "oligometastatic",
        "Tumour burden and abscopal candidates",
        with_first("State", heads(tables, &groups)),
    );
    for time in ["baseline", "last visit"] {
        table.heading(capital(time));
        for (state, words) in [
            ("none_seen", "no lesion seen"),
            ("oligometastatic", "oligometastatic (1 to 5 lesions)"),
            ("polymetastatic", "polymetastatic (6 and more)"),
        ] {
            let own = |group: &String| {
                tables.burdens.iter().find(|row| row.group == *group && row.time == time && row.state == state)
            };
            let cell = |group: &String| own(group).map_or_else(String::new, |row| share(row.n, row.percent));
            table.line(words, groups.iter().map(cell));
        }
        let all = tables.burdens.iter().find(|row| row.group == ALL && row.time == time);
        table.note(
            all.map(|row| sentence(&format!("{}, not evaluable", capital(time)), &row.reasons)).unwrap_or_default(),
        );
    }
    if tables.abscopal.is_empty() {
        table.note("Abscopal candidates (an untreated lesion that shrank by 30 % and more after local treatment elsewhere, without systemic therapy): none.");
    }
    for one in &tables.abscopal {
        table.note(format!("Abscopal candidate {} {}: {}.", one.patient_id, one.lesion_id, one.why));
    }
    table
}
