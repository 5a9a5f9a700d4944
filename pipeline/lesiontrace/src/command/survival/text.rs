//! Survival estimates as lines for a terminal.

use std::collections::BTreeMap;

use survival::{CoxFit, Estimate, Screen, SurvivalSummary};

/// Curves, tests, models, then what a reader must know.
pub(super) fn of(summary: &SurvivalSummary) -> String {
    let mut lines = curves(summary);
    lines.push(match &summary.logrank {
        Estimate::Value(test) => format!("log-rank χ² {:.3}, {} df, {}", test.chisq, test.df, p_value(test.p)),
        Estimate::NotEvaluable { not_evaluable } => format!("log-rank: not evaluable, {not_evaluable}"),
    });
    if let Some(cox) = &summary.cox {
        match cox {
            Estimate::NotEvaluable { not_evaluable } => lines.push(format!("Cox: not evaluable, {not_evaluable}")),
            Estimate::Value(cox) => lines.extend(terms("", &cox.fit, &summary.references)),
        }
    }
    lines.extend(firth(summary));
    if let Some(screen) = &summary.screen {
        lines.extend(screened(screen, &summary.references));
    }
    lines.extend(summary.cautions.iter().map(|caution| format!("caution: {caution}")));
    lines.into_iter().map(|line| line + "\n").collect()
}

fn or_not(value: Option<f64>) -> String {
    value.map_or_else(|| "not reached".to_owned(), |v| format!("{v:.2}"))
}

fn p_value(p: f64) -> String {
    if p < 0.001 { "p < 0.001".to_owned() } else { format!("p = {p:.3}") }
}

fn curves(summary: &SurvivalSummary) -> Vec<String> {
    let unit = summary.time_unit;
    let mut lines = Vec::new();
    for (group, curve) in &summary.km {
        let [low, high] = curve.median.median_ci;
        lines.push(format!(
            "{group}: {} of {} with an event, median {} {unit} (95 % interval {} to {})",
            curve.curve.events,
            curve.curve.n,
            or_not(curve.median.median),
            or_not(low),
            or_not(high)
        ));
        for landmark in summary.landmarks.get(group).into_iter().flatten() {
            lines.push(match &landmark.surv {
                Estimate::Value(surv) => {
                    format!("  at {}: {:.1} % ({} at risk)", landmark.time, surv * 100.0, landmark.n_risk)
                }
                Estimate::NotEvaluable { not_evaluable } => {
                    format!("  at {}: not evaluable, {not_evaluable}", landmark.time)
                }
            });
        }
        if let Some(between) = summary.turnbull.as_ref().and_then(|curves| curves.get(group)) {
            lines.push(match between {
                Estimate::NotEvaluable { not_evaluable } => {
                    format!("  interval-censored: not evaluable, {not_evaluable}")
                }
                Estimate::Value(found) => found.median_between.map_or_else(
                    || "  interval-censored: median not reached".to_owned(),
                    |[after, by]| format!("  interval-censored: median after {after:.2} and at or before {by:.2}"),
                ),
            });
        }
        lines.extend(curve.cautions.iter().map(|caution| format!("  caution: {caution}")));
    }
    lines
}

/// A term, with what its value is compared with.
fn named(term: &str, references: &BTreeMap<String, Vec<String>>) -> String {
    match references.get(term) {
        Some(others) => format!("{term} (against {})", others.join(", ")),
        None => term.to_owned(),
    }
}

fn terms(indent: &str, fit: &CoxFit, references: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    (0..fit.terms.len())
        .map(|n| {
            format!(
                "{indent}{}: hazard ratio {:.3} ({:.3} to {:.3}), {}",
                named(&fit.terms[n], references),
                fit.hr[n],
                fit.lower[n],
                fit.upper[n],
                p_value(fit.p[n])
            )
        })
        .collect()
}

fn firth(summary: &SurvivalSummary) -> Vec<String> {
    match &summary.firth {
        None => Vec::new(),
        Some(Estimate::NotEvaluable { not_evaluable }) => vec![format!("Firth: not evaluable, {not_evaluable}")],
        Some(Estimate::Value(fit)) => (0..fit.terms.len())
            .map(|n| {
                format!(
                    "Firth, {}: hazard ratio {:.3} ({} to {}), {}",
                    named(&fit.terms[n], &summary.references),
                    fit.hr[n],
                    or_not(fit.lower[n]),
                    or_not(fit.upper[n]),
                    p_value(fit.p[n])
                )
            })
            .collect(),
    }
}

fn screened(screen: &Screen, references: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut lines = vec!["each variable alone:".to_owned()];
    for one in &screen.univariable {
        match &one.fit {
            Estimate::Value(fit) => lines.extend(terms("  ", fit, references)),
            Estimate::NotEvaluable { not_evaluable } => {
                lines.push(format!("  {}: not evaluable, {not_evaluable}", one.variable));
            }
        }
    }
    lines.push(format!("those with p < {} together:", screen.threshold));
    match &screen.multivariable {
        Estimate::Value(fit) => lines.extend(terms("  ", fit, references)),
        Estimate::NotEvaluable { not_evaluable } => lines.push(format!("  not evaluable, {not_evaluable}")),
    }
    lines.extend(screen.cautions.iter().map(|caution| format!("  caution: {caution}")));
    lines
}
