//! Cox models of each variable alone, then of all whose p is below a threshold together, for each endpoint.
//!
//! Source: Xu et al. 2021, Table 4 (p < 0.1, entered together); reference categories are always named.

use serde::Serialize;
use survival::{CoxFit, Estimate, Record, ScreenVariable, screen};

use super::column::{Cell, Column, patient_columns};
use super::{LeftOut, Reporting, StudyGroup, StudyPatient};
use crate::treatment::CycleRule;

/// More categories than this are not modelled.
const MOST_LEVELS: usize = 6;

/// One term of one model (`table_cox.csv`).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CoxRow {
    /// Endpoint.
    pub endpoint: String,
    /// `univariable` or `multivariable`.
    pub model: &'static str,
    /// Variable.
    pub variable: String,
    /// Category compared; empty for numbers.
    pub level: String,
    /// Category it is compared with; empty for numbers.
    pub reference: String,
    /// What the hazard ratio is per: `1 mm`, `1`; empty for categories.
    pub per: String,
    /// Units in the model.
    pub n: usize,
    /// Events among them.
    pub events: usize,
    /// Hazard ratio.
    pub hazard_ratio: Option<f64>,
    /// Lower end of its 95 % interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Wald p of the term.
    pub p: Option<f64>,
    /// Wald p of the whole variable, which decides on the multivariable model; univariable only.
    pub p_variable: Option<f64>,
    /// Whether the variable entered the multivariable model: `yes`, `no`; univariable only.
    pub selected: &'static str,
    /// Units left out because something is missing.
    pub n_not_evaluable: usize,
    /// Why, with counts, or why there is no estimate.
    pub reasons: String,
}

impl CoxRow {
    /// Names of the columns, in order.
    pub const COLUMNS: &'static [&'static str] = &[
        "endpoint",
        "model",
        "variable",
        "level",
        "reference",
        "per",
        "n",
        "events",
        "hazard_ratio",
        "low",
        "high",
        "p",
        "p_variable",
        "selected",
        "n_not_evaluable",
        "reasons",
    ];
}

/// The variables of everybody as a table of texts, one row a patient: what the models are of, for other programs
/// (`covariates.csv`). A missing value is empty.
pub fn covariate_table(groups: &[StudyGroup<'_>], rule: CycleRule) -> (Vec<String>, Vec<Vec<String>>) {
    let Some(all) = groups.first() else { return (vec!["patient_id".to_owned()], Vec::new()) };
    let columns = patient_columns(&all.patients, rule);
    let names = columns.iter().map(|column| column.variable.clone());
    let text = |cell: Option<&Cell>| match cell {
        Some(Cell::Number(number)) => number.to_string(),
        Some(Cell::Word(word)) => word.clone(),
        None => String::new(),
    };
    let row = |(n, patient): (usize, &StudyPatient<'_>)| {
        let own = columns.iter().map(|column| text(column.values.get(n).and_then(|(_, value)| value.value())));
        std::iter::once(patient.id.to_owned()).chain(own).collect()
    };
    let rows = all.patients.iter().enumerate().map(row).collect();
    (std::iter::once("patient_id".to_owned()).chain(names).collect(), rows)
}

/// A term of a model: a number, or one category against the reference.
struct Term {
    variable: usize,
    name: String,
    level: String,
    reference: String,
    per: String,
}

/// All models over everybody; endpoints and variables as the study chose them, else all.
pub fn predictors(groups: &[StudyGroup<'_>], reporting: &Reporting, rule: CycleRule) -> Vec<CoxRow> {
    let Some(all) = groups.first() else { return Vec::new() };
    let columns = chosen(patient_columns(&all.patients, rule), &reporting.covariates);
    let names = super::time_to_event::endpoint_names(groups);
    let wanted = |name: &String| reporting.endpoints.is_empty() || reporting.endpoints.contains(name);
    names.iter().filter(|name| wanted(name)).flat_map(|name| endpoint_rows(all, name, &columns, reporting)).collect()
}

/// The study's variables in its order; all that vary where it names none.
fn chosen(columns: Vec<Column>, wanted: &[String]) -> Vec<Column> {
    if wanted.is_empty() {
        return columns.into_iter().filter(|column| column.is_number() || column.levels().len() > 1).collect();
    }
    wanted.iter().filter_map(|name| columns.iter().find(|column| column.variable == *name).cloned()).collect()
}

fn endpoint_rows(all: &StudyGroup<'_>, endpoint: &str, columns: &[Column], reporting: &Reporting) -> Vec<CoxRow> {
    let (usable, refused): (Vec<&Column>, Vec<&Column>) =
        columns.iter().partition(|column| column.is_number() || (2..=MOST_LEVELS).contains(&column.levels().len()));
    let terms = terms(&usable);
    let records = records(all, endpoint, &usable, &terms);
    let names: Vec<String> = terms.iter().map(|term| term.name.clone()).collect();
    let of_variable = |n: usize| (0..terms.len()).filter(|term| terms[*term].variable == n).collect();
    let variables: Vec<ScreenVariable> = usable
        .iter()
        .enumerate()
        .map(|(n, column)| ScreenVariable { name: column.variable.clone(), terms: of_variable(n) })
        .collect();
    let found = screen(&records, &names, &variables, reporting.statistics.ties(), reporting.screen_p);
    let mut rows = Vec::new();
    for (n, one) in found.univariable.iter().enumerate() {
        let missing = missing(all, endpoint, usable[n]);
        for term in terms.iter().filter(|term| term.variable == n) {
            let row = term_row(endpoint, "univariable", usable[n], term, &one.fit, &missing);
            rows.push(CoxRow { p_variable: one.p, selected: if one.selected { "yes" } else { "no" }, ..row });
        }
    }
    for column in refused {
        let why = format!("{} categories: not modelled", column.levels().len());
        let term = Term {
            variable: 0,
            name: String::new(),
            level: String::new(),
            reference: String::new(),
            per: String::new(),
        };
        let none = Estimate::<CoxFit>::not_evaluable(why);
        rows.push(term_row(endpoint, "univariable", column, &term, &none, &LeftOut::default()));
    }
    let entered = |term: &&Term| found.univariable[term.variable].selected;
    let mut left = LeftOut::default();
    (0..found.n_incomplete).for_each(|_| left.add("one of the variables is missing"));
    for term in terms.iter().filter(entered) {
        rows.push(term_row(endpoint, "multivariable", usable[term.variable], term, &found.multivariable, &left));
    }
    rows
}

fn terms(columns: &[&Column]) -> Vec<Term> {
    let of_column = |(variable, column): (usize, &&Column)| {
        let blank =
            |name: String| Term { variable, name, level: String::new(), reference: String::new(), per: String::new() };
        if column.is_number() {
            let unit = if column.unit.is_empty() { "1".to_owned() } else { format!("1 {}", column.unit) };
            return vec![Term { per: unit, ..blank(column.variable.clone()) }];
        }
        let levels = column.levels();
        let reference = levels[0].0.clone();
        let term = |(level, _): &(String, usize)| Term {
            level: level.clone(),
            reference: reference.clone(),
            ..blank(format!("{}={level}", column.variable))
        };
        levels[1..].iter().map(term).collect()
    };
    columns.iter().enumerate().flat_map(of_column).collect()
}

/// One record per row of the endpoint; rows of one patient are a cluster where any patient has several.
fn records(all: &StudyGroup<'_>, endpoint: &str, columns: &[&Column], terms: &[Term]) -> Vec<Record> {
    let mut records = Vec::new();
    let own = |n: usize| all.patients[n].endpoints.iter().filter(move |row| row.endpoint == endpoint);
    let several = (0..all.patients.len()).any(|n| own(n).count() > 1);
    for n in 0..all.patients.len() {
        for row in own(n) {
            let covariates = terms.iter().map(|term| value(columns[term.variable], term, n)).collect();
            records.push(Record {
                covariates,
                cluster: several.then_some(n),
                ..Record::new(row.months, row.event == 1)
            });
        }
    }
    records
}

fn value(column: &Column, term: &Term, patient: usize) -> Option<f64> {
    match column.values.get(patient)?.1.value()? {
        Cell::Number(number) => Some(*number),
        Cell::Word(word) => Some(f64::from(u8::from(*word == term.level))),
    }
}

/// Why units of the endpoint are not in the model of one variable.
fn missing(all: &StudyGroup<'_>, endpoint: &str, column: &Column) -> LeftOut {
    let mut left = LeftOut::default();
    for (n, cell) in &column.values {
        let units = all.patients[*n].endpoints.iter().filter(|row| row.endpoint == endpoint).count();
        if let Some(reason) = cell.reason() {
            (0..units).for_each(|_| left.add(reason));
        }
    }
    left
}

fn term_row(
    endpoint: &str,
    model: &'static str,
    column: &Column,
    term: &Term,
    fit: &Estimate<CoxFit>,
    left: &LeftOut,
) -> CoxRow {
    let at = fit.value().and_then(|fit| fit.terms.iter().position(|name| *name == term.name));
    let number = |of: fn(&CoxFit) -> &Vec<f64>| {
        let value = fit.value().zip(at).and_then(|(fit, at)| of(fit).get(at).copied());
        value.filter(|value| value.is_finite())
    };
    let reasons = match fit.reason() {
        Some(why) => [why.to_owned(), left.reasons()].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>(),
        None => vec![left.reasons()],
    };
    CoxRow {
        endpoint: endpoint.to_owned(),
        model,
        variable: column.variable.clone(),
        level: term.level.clone(),
        reference: term.reference.clone(),
        per: term.per.clone(),
        n: fit.value().map_or(0, |fit| fit.n),
        events: fit.value().map_or(0, |fit| fit.events),
        hazard_ratio: number(|fit| &fit.hr),
        low: number(|fit| &fit.lower),
        high: number(|fit| &fit.upper),
        p: number(|fit| &fit.p),
        p_variable: None,
        selected: "",
        n_not_evaluable: left.n(),
        reasons: reasons.join("; "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluable::Evaluable;
    use crate::study::column::Counted;

    #[test]
    fn the_most_frequent_category_is_the_reference_and_numbers_say_per_what() {
        let words = ["HCC", "CRLM", "HCC"].map(|word| Evaluable::Value(Cell::Word(word.to_owned())));
        let column = |variable: &str, unit: &str, values: Vec<(usize, Evaluable<Cell>)>| Column {
            counted: Counted::Patients,
            variable: variable.to_owned(),
            unit: unit.to_owned(),
            values,
        };
        let tumour = column("diagnosis", "", words.into_iter().enumerate().collect());
        let age = column("age_years", "years", vec![(0, Evaluable::Value(Cell::Number(60.0)))]);
        let found = terms(&[&tumour, &age]);
        assert_eq!((found[0].level.as_str(), found[0].reference.as_str()), ("CRLM", "HCC"));
        assert_eq!((found[1].per.as_str(), found[1].variable), ("1 years", 1));
        assert_eq!(value(&tumour, &found[0], 1), Some(1.0));
        assert_eq!(value(&tumour, &found[0], 0), Some(0.0));
    }
}
