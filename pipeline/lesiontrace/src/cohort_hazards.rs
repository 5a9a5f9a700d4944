//! Hazard ratios as the page's forests want them: of local progression per treated lesion, and of the study's Cox models.

use std::collections::BTreeSet;

use oncology::endpoint::Preset;
use oncology::endpoint::rule::{CountedClass, EndpointRule, Level};
use oncology::study::predictors::CoxRow;
use oncology::{EndpointRow, Evaluable, MeasurementRow, VisitId};
use report::{HazardRow, HazardTable};
use survival::{CoxSubject, Ties, cox};

use crate::patient::CohortPatient;
use crate::study_print::outcome::term;

/// One treated lesion with what may bear on its local progression.
struct TreatedLesion {
    months: f64,
    event: bool,
    patient: usize,
    margin_mm: Option<f64>,
    long_axis_mm: Option<f64>,
}

/// All forests: local progression per treated lesion, then each endpoint's models of the study's own table.
pub(crate) fn hazards(results: &[CohortPatient], preset: &Preset, models: &[CoxRow]) -> Vec<HazardTable> {
    let is_local =
        |rule: &&EndpointRule| rule.level == Level::TreatedLesion && rule.progression == [CountedClass::Local];
    let local = preset.endpoints.iter().find(is_local);
    local.and_then(|rule| of_lesions(results, &rule.name)).into_iter().chain(of_models(models)).collect()
}

/// The study's Cox models: each endpoint's variables alone, then those that were selected together.
fn of_models(models: &[CoxRow]) -> Vec<HazardTable> {
    let mut tables: Vec<HazardTable> = Vec::new();
    for row in models {
        let title = format!("{}, {}", row.endpoint.replace('_', " "), row.model);
        if tables.last().is_none_or(|last| last.title != title) {
            let note = match row.model {
                "multivariable" => "Variables whose p alone was below the preset's limit, in one model.",
                _ => "One Cox model per variable.",
            };
            tables.push(HazardTable { title, note: note.to_owned(), rows: Vec::new() });
        }
        let ratio = match (row.hazard_ratio, row.low, row.high) {
            (Some(ratio), Some(low), Some(high)) if [ratio, low, high].iter().all(|v| v.is_finite() && *v > 0.0) => {
                Evaluable::Value([ratio, low, high])
            }
            (Some(_), ..) => Evaluable::not("the interval has no finite ends"),
            (None, ..) => Evaluable::not(row.reasons.clone()),
        };
        let line = HazardRow { term: term(row), n: row.n as u64, events: row.events as u64, ratio, p: row.p };
        if let Some(table) = tables.last_mut() {
            table.rows.push(line);
        }
    }
    tables.retain(|table| table.rows.iter().any(|row| row.ratio.value().is_some()));
    tables
}

/// Hazard ratios of local progression per treated lesion, each term alone; none without a treated lesion.
fn of_lesions(results: &[CohortPatient], endpoint: &str) -> Option<HazardTable> {
    let lesions: Vec<TreatedLesion> =
        results.iter().enumerate().flat_map(|(n, result)| treated_lesions(n, result, endpoint)).collect();
    if lesions.is_empty() {
        return None;
    }
    let mut cautions = BTreeSet::new();
    let rows = vec![
        hazard_row("smallest margin, per mm", &lesions, |l| l.margin_mm, &mut cautions),
        hazard_row("longest diameter before, per 10 mm", &lesions, |l| l.long_axis_mm.map(|v| v / 10.0), &mut cautions),
    ];
    let mut note = "Cox model of each term alone, per treated lesion, Efron's ties, errors clustered by patient; \
                    lesions without the term are left out."
        .to_owned();
    for caution in cautions {
        note.push(' ');
        note.push_str(&caution);
        if !caution.ends_with('.') {
            note.push('.');
        }
    }
    Some(HazardTable { title: format!("Local progression of treated lesions ({endpoint})"), note, rows })
}

fn treated_lesions(patient: usize, result: &CohortPatient, endpoint: &str) -> Vec<TreatedLesion> {
    let rows = result.endpoints.iter().filter(|row| row.endpoint == endpoint);
    let long_axis = |row: &EndpointRow| {
        // A further time point of the treatment's day is a control after it.
        let is_before = |m: &MeasurementRow| m.visit <= VisitId::first(row.origin_date);
        let before = |m: &&MeasurementRow| {
            m.lesion_id == row.unit_id && is_before(m) && m.quantity == "long_axis" && m.evaluable
        };
        result.measurements.iter().filter(before).max_by_key(|m| m.visit).and_then(|m| m.value)
    };
    let margin = |row: &EndpointRow| {
        let own = result.margins.iter().filter(|m| m.lesion_id == row.unit_id && m.treatment_date >= row.origin_date);
        own.min_by_key(|m| m.treatment_date).and_then(|m| m.min_margin_mm)
    };
    rows.map(|row| TreatedLesion {
        months: row.months,
        event: row.event == 1,
        patient,
        margin_mm: margin(row),
        long_axis_mm: long_axis(row),
    })
    .collect()
}

fn hazard_row(
    term: &str,
    lesions: &[TreatedLesion],
    value: impl Fn(&TreatedLesion) -> Option<f64>,
    cautions: &mut BTreeSet<String>,
) -> HazardRow {
    let subject = |lesion: &TreatedLesion| {
        let covariates = vec![value(lesion)?];
        Some(CoxSubject {
            time: lesion.months,
            event: lesion.event,
            covariates,
            cluster: Some(lesion.patient),
            stratum: None,
        })
    };
    let subjects: Vec<CoxSubject> = lesions.iter().filter_map(subject).collect();
    let (n, events) = (subjects.len() as u64, subjects.iter().filter(|s| s.event).count() as u64);
    let (ratio, p) = match cox(&[term], &subjects, Ties::Efron) {
        Ok(fit) if [fit.hr[0], fit.lower[0], fit.upper[0]].iter().all(|v| v.is_finite() && *v > 0.0) => {
            cautions.extend(fit.cautions.iter().cloned());
            (Evaluable::Value([fit.hr[0], fit.lower[0], fit.upper[0]]), Some(fit.p[0]))
        }
        Ok(_) => (Evaluable::not("the interval has no finite ends"), None),
        Err(error) => (Evaluable::not(error.to_string()), None),
    };
    HazardRow { term: term.to_owned(), n, events, ratio, p }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hazard_ratio_that_cannot_be_had_says_why() {
        let lesion = |months, event, patient, margin| TreatedLesion {
            months,
            event,
            patient,
            margin_mm: Some(margin),
            long_axis_mm: None,
        };
        let lesions = [lesion(3.0, false, 0, 6.0), lesion(5.0, false, 1, 4.0)];
        let mut cautions = BTreeSet::new();
        let margin = hazard_row("margin", &lesions, |l| l.margin_mm, &mut cautions);
        assert_eq!((margin.n, margin.events, margin.p), (2, 0, None));
        assert_eq!(margin.ratio.reason(), Some("no events: there is nothing to model"));
        let axis = hazard_row("axis", &lesions, |l| l.long_axis_mm, &mut cautions);
        assert_eq!((axis.n, axis.ratio.value()), (0, None));
    }
}
