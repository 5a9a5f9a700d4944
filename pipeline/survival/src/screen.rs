//! One Cox model per variable, then one model of all variables whose p-value is below a threshold.
//!
//! Source: the usual practice of clinical reports (as in Xu 2021: p < 0.1, entered together); Heinze, Wallisch and Dunkler
//! 2018, section 2.4, for why its p-values and intervals are too good.

use serde::{Deserialize, Serialize};

use crate::cox::{CoxFit, Ties, cox};
use crate::estimate::Estimate;
use crate::record::{Record, complete};

/// A variable of the screen: one term, or the terms that code one categorical variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScreenVariable {
    /// Its name, as printed.
    pub name: String,
    /// Positions of its terms.
    pub terms: Vec<usize>,
}

impl ScreenVariable {
    /// The variables behind the terms: terms written `COLUMN=VALUE` with one column belong together.
    #[must_use]
    pub fn of_terms(terms: &[String]) -> Vec<Self> {
        let mut variables: Vec<Self> = Vec::new();
        for (position, term) in terms.iter().enumerate() {
            let column = term.split_once('=').map(|(column, _)| column);
            let shared = column.and_then(|column| {
                variables.iter().position(|variable| {
                    variable.terms.iter().all(|&other| terms[other].split_once('=').is_some_and(|(c, _)| c == column))
                })
            });
            match (shared, column) {
                (Some(shared), Some(column)) => {
                    column.clone_into(&mut variables[shared].name);
                    variables[shared].terms.push(position);
                }
                _ => variables.push(Self { name: term.clone(), terms: vec![position] }),
            }
        }
        variables
    }
}

/// One variable alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Univariable {
    /// The variable.
    pub variable: String,
    /// Two-sided Wald p-value of all its terms together; `None` where the model cannot be fitted.
    pub p: Option<f64>,
    /// Whether it enters the multivariable model.
    pub selected: bool,
    /// The model of this variable alone, over the rows that have it.
    pub fit: Estimate<CoxFit>,
}

/// The screen and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Screen {
    /// A variable with p below this is selected; p is not rounded before.
    pub threshold: f64,
    /// Every variable, in the order given.
    pub univariable: Vec<Univariable>,
    /// The selected variables together, over the rows that have all of them.
    pub multivariable: Estimate<CoxFit>,
    /// Rows left out of the multivariable model because a selected variable is missing.
    pub n_incomplete: usize,
    /// What a reader must know before quoting a number.
    pub cautions: Vec<String>,
}

/// Screens `variables`, whose terms are named `terms`, and fits the selected ones together.
///
/// A variable that cannot be fitted alone carries its reason and is not selected.
#[must_use]
pub fn screen(
    records: &[Record],
    terms: &[String],
    variables: &[ScreenVariable],
    ties: Ties,
    threshold: f64,
) -> Screen {
    let names = |positions: &[usize]| positions.iter().map(|&term| terms[term].as_str()).collect::<Vec<_>>();
    let univariable: Vec<Univariable> = variables
        .iter()
        .map(|variable| {
            let fit = cox(&names(&variable.terms), &complete(records, &variable.terms), ties);
            let p = fit.as_ref().ok().map(|fit| fit.wald.p);
            let selected = p.is_some_and(|p| p < threshold);
            Univariable { variable: variable.name.clone(), p, selected, fit: fit.into() }
        })
        .collect();
    let selected: Vec<usize> = variables
        .iter()
        .zip(&univariable)
        .filter(|(_, found)| found.selected)
        .flat_map(|(variable, _)| variable.terms.iter().copied())
        .collect();
    let subjects = complete(records, &selected);
    let multivariable = if selected.is_empty() {
        Estimate::not_evaluable(format!("no variable has p below {threshold} alone"))
    } else {
        cox(&names(&selected), &subjects, ties).into()
    };
    let n_incomplete = records.len() - subjects.len();
    let cautions = cautions(&univariable, n_incomplete);
    Screen { threshold, univariable, multivariable, n_incomplete, cautions }
}

fn cautions(univariable: &[Univariable], n_incomplete: usize) -> Vec<String> {
    let mut cautions = vec![
        "variables chosen by their own p-values: intervals and p-values of the multivariable model are too good, \
         and a confounder that shows only beside others is missed"
            .to_owned(),
    ];
    for failed in univariable.iter().filter(|found| found.p.is_none()) {
        cautions.push(format!("\"{}\" cannot be fitted alone and is not in the multivariable model", failed.variable));
    }
    if n_incomplete > 0 {
        cautions
            .push(format!("{n_incomplete} rows are not in the multivariable model: a selected variable is missing"));
    }
    cautions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(time: f64, event: bool, covariates: &[f64]) -> Record {
        Record { covariates: covariates.iter().copied().map(Some).collect(), ..Record::new(time, event) }
    }

    /// x orders the deaths, noise does not, flag is 1 for those who die alone.
    fn records() -> Vec<Record> {
        (0..24_u32)
            .map(|row| {
                let event = row % 4 != 3;
                let x = f64::from(23 - row) + f64::from(row * 7 % 5) * 3.0;
                record(f64::from(row) + 1.0, event, &[x, f64::from(row * 11 % 7), f64::from(u8::from(event))])
            })
            .collect()
    }

    #[test]
    fn only_what_is_below_the_threshold_enters_and_failures_are_named() {
        let terms = ["x", "noise", "flag"].map(str::to_owned);
        let variables = ScreenVariable::of_terms(&terms);
        let found = screen(&records(), &terms, &variables, Ties::Efron, 0.1);
        let selected: Vec<bool> = found.univariable.iter().map(|one| one.selected).collect();
        assert_eq!(selected, [true, false, false]);
        assert!(found.univariable[2].fit.reason().unwrap().contains("\"flag\""));
        assert!(found.cautions[1].contains("\"flag\""));
        let alone = found.univariable[0].fit.value().unwrap();
        assert_eq!(found.multivariable.value().unwrap().coef, alone.coef, "one variable left: the same model");
        assert!((alone.p[0] - found.univariable[0].p.unwrap()).abs() < 1e-12);
    }

    #[test]
    fn each_model_has_the_rows_that_its_variables_need() {
        let mut records = records();
        records[0].covariates[0] = None;
        records[5].covariates[1] = None;
        let terms = ["x", "noise"].map(str::to_owned);
        let found = screen(&records, &terms, &ScreenVariable::of_terms(&terms), Ties::Efron, 1.0);
        let n: Vec<usize> = found.univariable.iter().map(|one| one.fit.value().unwrap().n).collect();
        assert_eq!((n, found.n_incomplete), (vec![23, 23], 2));
        assert_eq!(found.multivariable.value().unwrap().n, 22);
    }

    #[test]
    fn nothing_selected_is_said() {
        let terms = ["noise".to_owned()];
        let rows: Vec<Record> =
            records().into_iter().map(|row| Record { covariates: vec![row.covariates[1]], ..row }).collect();
        let found = screen(&rows, &terms, &ScreenVariable::of_terms(&terms), Ties::Efron, 0.1);
        assert_eq!(found.multivariable.reason(), Some("no variable has p below 0.1 alone"));
    }

    #[test]
    fn values_of_one_column_are_one_variable() {
        let terms = ["age", "stage=2", "sex=m", "stage=3"].map(str::to_owned);
        let found = ScreenVariable::of_terms(&terms);
        let variable = |name: &str, terms: &[usize]| ScreenVariable { name: name.to_owned(), terms: terms.to_vec() };
        assert_eq!(found, [variable("age", &[0]), variable("stage", &[1, 3]), variable("sex=m", &[2])]);
    }
}
