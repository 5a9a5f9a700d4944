//! The overview of a cohort's page as the template reads it: flow, margins by outcome, quality, incidences, hazard ratios.

use imaging::Severity;
use serde::Serialize;

use crate::cohort_overview::{Flag, HazardRow, HazardTable, IncidenceCurves, LocalOutcome, MarginOutcome};
use crate::cohort_page::{CohortPage, Count};
use crate::error::ReportError;
use crate::figure::{flow, forest, incidence, margin_outcome};
use crate::numerals::{fixed, share};
use crate::wording::words;

/// Everything of the overview.
#[derive(Serialize)]
pub(crate) struct Overview<'a> {
    flow_svg: Option<String>,
    margins: Option<MarginsView>,
    quality: QualityView<'a>,
    incidences: Vec<IncidenceView>,
    hazards: Vec<HazardView<'a>>,
}

#[derive(Serialize)]
struct MarginsView {
    svg: String,
    n: usize,
    rows: Vec<MarginBand>,
}

/// Ablations with a margin in one band, and what became of the lesions.
#[derive(Serialize)]
struct MarginBand {
    name: &'static str,
    class: &'static str,
    n: usize,
    progression: String,
    residual: String,
    free: usize,
    unknown: usize,
}

#[derive(Serialize)]
struct QualityView<'a> {
    registrations: Vec<RegistrationLine>,
    n_registrations: u64,
    figures: &'a [Count],
    flags: Vec<FlagLine>,
}

#[derive(Serialize)]
struct RegistrationLine {
    word: &'static str,
    class: &'static str,
    n: u64,
    share: String,
    /// Length of the bar in percent.
    bar: String,
}

#[derive(Serialize)]
struct FlagLine {
    code: String,
    severity: &'static str,
    class: &'static str,
    /// For sorting by severity: 2 error, 1 warning, 0 information.
    rank: u8,
    n_notes: u64,
    n_patients: usize,
    patients: String,
    example: String,
}

#[derive(Serialize)]
struct IncidenceView {
    endpoint: String,
    title: String,
    svg: String,
}

#[derive(Serialize)]
struct HazardView<'a> {
    title: &'a str,
    note: &'a str,
    svg: String,
    rows: Vec<HazardLine<'a>>,
}

#[derive(Serialize)]
struct HazardLine<'a> {
    term: &'a str,
    n: u64,
    events: u64,
    ratio: String,
    p: String,
    evaluable: bool,
}

/// Shapes the overview; refuses what its figures refuse.
pub(crate) fn overview(page: &CohortPage) -> Result<Overview<'_>, ReportError> {
    Ok(Overview {
        flow_svg: (!page.flow.is_empty()).then(|| flow(&page.flow)).transpose()?,
        margins: margins(&page.margin_outcomes, page.margin_threshold_mm)?,
        quality: quality(page),
        incidences: page.incidences.iter().map(incidence_view).collect::<Result<_, _>>()?,
        hazards: page.hazards.iter().map(hazard_view).collect::<Result<_, _>>()?,
    })
}

fn margins(outcomes: &[MarginOutcome], threshold_mm: Option<f64>) -> Result<Option<MarginsView>, ReportError> {
    if outcomes.is_empty() {
        return Ok(None);
    }
    let band = |name, class, holds: &dyn Fn(Option<f64>) -> bool| {
        let here: Vec<&MarginOutcome> = outcomes.iter().filter(|outcome| holds(outcome.min_margin_mm)).collect();
        let count = |kind| here.iter().filter(|outcome| outcome.outcome == kind).count();
        let of_all = |n: usize| match here.len() {
            0 => "0".to_owned(),
            all => format!("{n} ({})", share(n as f64 / all as f64)),
        };
        MarginBand {
            name,
            class,
            n: here.len(),
            progression: of_all(count(LocalOutcome::Progression)),
            residual: of_all(count(LocalOutcome::Residual)),
            free: count(LocalOutcome::Free),
            unknown: count(LocalOutcome::Unknown),
        }
    };
    let rows = vec![
        band("below 0 mm", "lt0", &|m| m.is_some_and(|m| m < 0.0)),
        band("0 to 5 mm", "m0to5", &|m| m.is_some_and(|m| (0.0..5.0).contains(&m))),
        band("5 to 10 mm", "m5to10", &|m| m.is_some_and(|m| (5.0..10.0).contains(&m))),
        band("10 mm and more", "ge10", &|m| m.is_some_and(|m| m >= 10.0)),
        band("not evaluable", "none", &|m| m.is_none()),
    ];
    Ok(Some(MarginsView { svg: margin_outcome(outcomes, threshold_mm)?, n: outcomes.len(), rows }))
}

fn quality(page: &CohortPage) -> QualityView<'_> {
    let n_registrations: u64 = page.quality.registrations.iter().sum();
    let words = [("pass", "response"), ("review", "unconfirmed"), ("fail", "progression")];
    let lines = words.into_iter().zip(page.quality.registrations).map(|((word, class), n)| {
        let fraction = if n_registrations == 0 { 0.0 } else { n as f64 / n_registrations as f64 };
        RegistrationLine { word, class, n, share: share(fraction), bar: fixed(100.0 * fraction, 1) }
    });
    QualityView {
        registrations: lines.collect(),
        n_registrations,
        figures: &page.quality.figures,
        flags: page.quality.flags.iter().map(flag_line).collect(),
    }
}

/// Patients named beside a flag; the filter of the list finds the others.
const NAMED: usize = 6;

fn flag_line(flag: &Flag) -> FlagLine {
    let (severity, class, rank) = match flag.severity {
        Severity::Error => ("missing", "progression", 2),
        Severity::Warning => ("look", "unconfirmed", 1),
        Severity::Info => ("information", "neutral", 0),
    };
    let mut patients = flag.patients.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if flag.patients.len() > NAMED {
        patients.push_str(", …");
    }
    FlagLine {
        code: words(&flag.code),
        severity,
        class,
        rank,
        n_notes: flag.n_notes,
        n_patients: flag.patients.len(),
        patients,
        example: flag.example.clone(),
    }
}

fn incidence_view(curves: &IncidenceCurves) -> Result<IncidenceView, ReportError> {
    let (endpoint, title) = (curves.endpoint.replace('_', " "), curves.title.clone());
    Ok(IncidenceView { endpoint, title, svg: incidence(curves)? })
}

fn hazard_view(table: &HazardTable) -> Result<HazardView<'_>, ReportError> {
    let svg = forest(table)?;
    let rows = table.rows.iter().map(hazard_line).collect();
    Ok(HazardView { title: &table.title, note: &table.note, svg, rows })
}

fn hazard_line(row: &HazardRow) -> HazardLine<'_> {
    let ratio = match (row.ratio.value(), row.ratio.reason()) {
        (Some([ratio, low, high]), _) => {
            format!("{} ({} to {})", ratio_text(*ratio), ratio_text(*low), ratio_text(*high))
        }
        (None, reason) => format!("not evaluable: {}", reason.map_or("no reason stated", |reason| reason)),
    };
    let p = match row.p {
        Some(p) if p < 0.001 => "< 0.001".to_owned(),
        Some(p) => fixed(p, 3),
        None => "none".to_owned(),
    };
    HazardLine { term: &row.term, n: row.n, events: row.events, ratio, p, evaluable: row.ratio.value().is_some() }
}

/// A ratio with two decimals; very small and very large ones as an order of magnitude.
fn ratio_text(ratio: f64) -> String {
    match ratio {
        r if r > 1000.0 => "> 1000".to_owned(),
        r if r < 0.001 => "< 0.001".to_owned(),
        r => fixed(r, 2),
    }
}
