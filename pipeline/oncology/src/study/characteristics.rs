//! Table 1: what the patients and their lesions were like at the beginning, by group.
//!
//! Source: STROBE (von Elm 2007), item 14: characteristics with the number of missing data for each variable.

use std::collections::BTreeSet;

use serde::Serialize;

use super::column::{Cell, Column, Counted, lesion_columns, patient_columns};
use super::{LeftOut, StudyGroup, percent};
use crate::evaluable::Evaluable;
use crate::treatment::CycleRule;

/// More different words than this are no categories.
const MOST_LEVELS: usize = 12;

/// One line of Table 1 (`table_baseline.csv`): a number summed up, or the share of one category.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CharacteristicRow {
    /// Group; `all` for everybody.
    pub group: String,
    /// `patients`, `lesions at baseline` or `lesions treated first`.
    pub counted: &'static str,
    /// Variable.
    pub variable: String,
    /// Category; empty for numbers.
    pub level: String,
    /// Unit of the numbers.
    pub unit: String,
    /// Values summed up, or units of this category.
    pub n: usize,
    /// Units with a value.
    pub n_evaluable: usize,
    /// Share of the category among them, percent.
    pub percent: Option<f64>,
    /// Mean.
    pub mean: Option<f64>,
    /// Standard deviation (n − 1); none of a single value.
    pub sd: Option<f64>,
    /// Median.
    pub median: Option<f64>,
    /// Smallest.
    pub min: Option<f64>,
    /// Largest.
    pub max: Option<f64>,
    /// Units without a value.
    pub n_not_evaluable: usize,
    /// Why, with counts.
    pub reasons: String,
}

impl CharacteristicRow {
    /// Names of the columns, in order.
    pub const COLUMNS: &'static [&'static str] = &[
        "group",
        "counted",
        "variable",
        "level",
        "unit",
        "n",
        "n_evaluable",
        "percent",
        "mean",
        "sd",
        "median",
        "min",
        "max",
        "n_not_evaluable",
        "reasons",
    ];
}

/// All lines, variable by variable, each for every group.
pub fn characteristics(groups: &[StudyGroup<'_>], rule: CycleRule) -> Vec<CharacteristicRow> {
    let Some(all) = groups.first() else { return Vec::new() };
    let mut columns = patient_columns(&all.patients, rule);
    columns.extend(lesion_columns(&all.patients, rule));
    columns.iter().flat_map(|column| column_rows(column, groups)).collect()
}

fn column_rows(column: &Column, groups: &[StudyGroup<'_>]) -> Vec<CharacteristicRow> {
    let members: Vec<&str> = groups[0].patients.iter().map(|patient| patient.id).collect();
    let mut rows = Vec::new();
    for group in groups {
        let ids: BTreeSet<&str> = group.patients.iter().map(|patient| patient.id).collect();
        let own = |n: usize| ids.contains(members[n]);
        let cells: Vec<&Evaluable<Cell>> = column.values.iter().filter(|(n, _)| own(*n)).map(|(_, c)| c).collect();
        rows.extend(if column.is_number() {
            vec![number_row(column, &group.name, &cells)]
        } else {
            word_rows(column, &group.name, &cells)
        });
    }
    // One variable's categories stand together, each over all groups.
    let levels: Vec<String> = column.levels().into_iter().map(|(level, _)| level).collect();
    rows.sort_by_key(|row| levels.iter().position(|level| *level == row.level).unwrap_or(levels.len()));
    rows
}

fn blank(column: &Column, group: &str, cells: &[&Evaluable<Cell>]) -> CharacteristicRow {
    let mut left = LeftOut::default();
    for reason in cells.iter().filter_map(|cell| cell.reason()) {
        left.add(reason);
    }
    CharacteristicRow {
        group: group.to_owned(),
        counted: column.counted.as_str(),
        variable: column.variable.clone(),
        level: String::new(),
        unit: column.unit.clone(),
        n: cells.len() - left.n(),
        n_evaluable: cells.len() - left.n(),
        percent: None,
        mean: None,
        sd: None,
        median: None,
        min: None,
        max: None,
        n_not_evaluable: left.n(),
        reasons: left.reasons(),
    }
}

fn number_row(column: &Column, group: &str, cells: &[&Evaluable<Cell>]) -> CharacteristicRow {
    let number = |cell: &&Evaluable<Cell>| match cell.value() {
        Some(Cell::Number(value)) => Some(*value),
        _ => None,
    };
    let mut values: Vec<f64> = cells.iter().filter_map(number).collect();
    values.sort_by(f64::total_cmp);
    let n = values.len();
    let mean = (n > 0).then(|| values.iter().sum::<f64>() / n as f64);
    let sd = mean.filter(|_| n > 1).map(|mean| {
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        (squares / (n as f64 - 1.0)).sqrt()
    });
    CharacteristicRow {
        mean,
        sd,
        median: (n > 0).then(|| f64::midpoint(values[(n - 1) / 2], values[n / 2])),
        min: values.first().copied(),
        max: values.last().copied(),
        ..blank(column, group, cells)
    }
}

fn word_rows(column: &Column, group: &str, cells: &[&Evaluable<Cell>]) -> Vec<CharacteristicRow> {
    let blank = blank(column, group, cells);
    let levels = column.levels();
    if levels.is_empty() || levels.len() > MOST_LEVELS {
        let why = format!("{} different texts: not tabulated", levels.len());
        let (n_not_evaluable, reasons) =
            if levels.is_empty() { (blank.n_not_evaluable, blank.reasons.clone()) } else { (cells.len(), why) };
        return vec![CharacteristicRow { n: 0, n_evaluable: 0, n_not_evaluable, reasons, ..blank }];
    }
    let row = |(level, _): (String, usize)| {
        let is_level = |cell: &&&Evaluable<Cell>| matches!(cell.value(), Some(Cell::Word(word)) if *word == level);
        let n = cells.iter().filter(is_level).count();
        CharacteristicRow { n, percent: percent(n, blank.n_evaluable), level, ..blank.clone() }
    };
    levels.into_iter().map(row).collect()
}

/// How many units a group has, by what is counted.
pub fn n_units(rows: &[CharacteristicRow], counted: Counted, group: &str) -> usize {
    let own = rows.iter().find(|row| row.group == group && row.counted == counted.as_str());
    own.map_or(0, |row| row.n_evaluable + row.n_not_evaluable)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::study::{StudyFacts, StudyPatient, groups, tests::patient};
    use crate::treatment::{ClinicalFacts, DeathCause, NewCycle};

    const RULE: CycleRule = CycleRule { gap_days: 56, new_cycle: NewCycle::NeedsNewLesion };

    fn facts(age: &str, sex: &str) -> StudyFacts {
        StudyFacts {
            clinical: ClinicalFacts {
                patient_id: String::new(),
                death_date: None,
                death_cause: DeathCause::Unknown,
                last_contact_date: None,
                treatments: Vec::new(),
            },
            covariates: BTreeMap::from([
                ("age_years".to_owned(), age.to_owned()),
                ("sex".to_owned(), sex.to_owned()),
                ("death_cause".to_owned(), "disease".to_owned()),
            ]),
            markers: Vec::new(),
            burdens: Vec::new(),
            abscopal: Vec::new(),
            later_cycles: Vec::new(),
        }
    }

    #[test]
    fn numbers_are_summed_up_words_counted_and_the_missing_named() {
        let facts = [facts("60", "F"), facts("70", "M"), facts("", "M")];
        let patients: Vec<StudyPatient<'_>> = ["1", "2", "3", "4"]
            .iter()
            .zip(["HCC", "HCC", "CRLM", "CRLM"])
            .enumerate()
            .map(|(n, (id, diagnosis))| StudyPatient { facts: facts.get(n), ..patient(id, diagnosis) })
            .collect();
        let rows = characteristics(&groups(&patients), RULE);
        let find = |group: &str, variable: &str, level: &str| {
            rows.iter().find(|r| r.group == group && r.variable == variable && r.level == level).unwrap()
        };
        let age = find("all", "age_years", "");
        assert_eq!((age.n, age.mean, age.median, age.n_not_evaluable), (2, Some(65.0), Some(65.0), 2));
        // By hand: sqrt((25 + 25) / 1).
        assert!((age.sd.unwrap() - 50.0_f64.sqrt()).abs() < 1e-12);
        assert!(age.reasons.contains("1 not recorded") && age.reasons.contains("1 the result of an earlier version"));
        assert_eq!(find("HCC", "sex", "M").percent, Some(50.0));
        assert_eq!((find("CRLM", "sex", "F").n, find("CRLM", "sex", "M").n_evaluable), (0, 1));
        assert!(rows.iter().all(|row| row.variable != "death_cause"), "an outcome is no characteristic");
        assert_eq!(n_units(&rows, Counted::Patients, "HCC"), 2);
    }
}
