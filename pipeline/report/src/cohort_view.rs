//! The cohort's page as the template reads it.

use std::fmt::Write as _;

use oncology::Evaluable;
use serde::Serialize;

use crate::cohort_page::{
    CohortPage, Count, EndpointCurves, KmCurve, LandmarkRate, LedgerRow, PatientLine, ResponseTable,
};
use crate::doubts::{Doubt, NoteGroup, doubts_title, keep_first, note_groups, of_flag, of_notes};
use crate::error::{ReportError, finite};
use crate::figure::{SpiderLine, SpiderPlot, kaplan_meier, spider, swimmer, waterfall};
use crate::numerals::{fixed, share};
use crate::overview_view::{Overview, overview};
use crate::provenance::{Provenance, RunBlock};
use crate::study_table::StudyTable;
use crate::wording::{badge, response, tone};

/// What the template `cohort.html` reads.
#[derive(Serialize)]
pub(crate) struct CohortView<'a> {
    title: &'a str,
    counts: &'a [Count],
    doubts_title: String,
    doubts: Vec<Doubt>,
    n_more_doubts: usize,
    responses: Vec<ResponseView>,
    study_tables: &'a [StudyTable],
    endpoints: Vec<EndpointView>,
    overview: Overview<'a>,
    swimmer_svg: Option<String>,
    n_lanes: usize,
    response_choices: Vec<String>,
    margin_choices: Vec<String>,
    criteria: Vec<&'a str>,
    patients: Vec<PatientView>,
    /// Everything but `done`.
    ledger: Vec<LedgerView<'a>>,
    done: Vec<&'a str>,
    notes: Vec<NoteGroup>,
    methods: &'a [String],
    references: &'a [String],
    provenance: &'a Provenance,
    run: &'a RunBlock,
}

#[derive(Serialize)]
struct ResponseView {
    title: String,
    n: u64,
    rows: Vec<ResponseLine>,
    summary: Vec<String>,
    waterfall_svg: Option<String>,
    spider_svg: Option<String>,
}

#[derive(Serialize)]
struct ResponseLine {
    code: String,
    class: &'static str,
    words: String,
    n: u64,
    share: String,
    /// Length of the bar in percent of the cell.
    bar: String,
}

#[derive(Serialize)]
struct EndpointView {
    endpoint: String,
    title: String,
    definition: String,
    svg: String,
    groups: Vec<GroupLine>,
    comparison: String,
    cautions: Vec<String>,
}

#[derive(Serialize)]
struct GroupLine {
    group: String,
    n: u64,
    events: u64,
    median: String,
    evaluable: bool,
    landmarks: Vec<String>,
}

#[derive(Serialize)]
struct PatientView {
    patient_id: String,
    href: Option<String>,
    diagnosis: String,
    n_visits: u64,
    n_lesions: u64,
    imaging: String,
    responses: Vec<[BadgeView; 2]>,
    margin: String,
    n_doubts: u64,
    /// What the filters look at.
    margin_key: String,
    best_choice: String,
    margin_choice: String,
}

#[derive(Serialize)]
struct BadgeView {
    code: String,
    class: &'static str,
    words: String,
}

#[derive(Serialize)]
struct LedgerView<'a> {
    row: &'a LedgerRow,
    class: &'static str,
}

/// Shapes a page for its template; refuses numbers that are none and lists that do not fit each other.
pub(crate) fn cohort_view(page: &CohortPage) -> Result<CohortView<'_>, ReportError> {
    let mut doubts = of_notes(&page.notes);
    doubts.extend(page.quality.flags.iter().filter_map(of_flag));
    let doubts_title = doubts_title(doubts.len());
    let n_more_doubts = keep_first(&mut doubts);
    Ok(CohortView {
        title: &page.title,
        counts: &page.counts,
        doubts_title,
        doubts,
        n_more_doubts,
        responses: page.responses.iter().map(|table| response_view(page, table)).collect::<Result<_, _>>()?,
        study_tables: &page.study_tables,
        endpoints: page.endpoints.iter().map(endpoint_view).collect::<Result<_, _>>()?,
        overview: overview(page)?,
        n_lanes: page.swimmer.len(),
        response_choices: choices(page.patients.iter().filter_map(|line| line.best.first())),
        margin_choices: choices(page.patients.iter().map(|line| &line.margin_verdict)),
        swimmer_svg: (!page.swimmer.is_empty()).then(|| swimmer(&page.swimmer)),
        criteria: page.criteria.iter().map(|criterion| criterion.title.as_str()).collect(),
        patients: page.patients.iter().map(|line| patient_line(page, line)).collect::<Result<_, _>>()?,
        ledger: page
            .ledger
            .iter()
            .filter(|row| row.state != "done")
            .map(|row| LedgerView { row, class: ledger_class(&row.state) })
            .collect(),
        done: page.ledger.iter().filter(|row| row.state == "done").map(|row| row.patient_id.as_str()).collect(),
        notes: note_groups(&page.notes),
        methods: &page.methods,
        references: &page.references,
        provenance: &page.provenance,
        run: &page.run,
    })
}

fn response_view(page: &CohortPage, table: &ResponseTable) -> Result<ResponseView, ReportError> {
    let criterion = page.criteria.iter().find(|criterion| criterion.id == table.criterion);
    let line = |row: &crate::cohort_page::ResponseCount| {
        let fraction = if table.n == 0 { 0.0 } else { row.n as f64 / table.n as f64 };
        ResponseLine {
            code: badge(&row.response),
            class: tone(&row.response).class(),
            words: response(&row.response),
            n: row.n,
            share: share(fraction),
            bar: fixed(100.0 * fraction.clamp(0.0, 1.0), 1),
        }
    };
    Ok(ResponseView {
        title: criterion.map_or_else(|| table.criterion.clone(), |criterion| criterion.title.clone()),
        n: table.n,
        rows: table.rows.iter().map(line).collect(),
        summary: table.summary.clone(),
        waterfall_svg: waterfall_of(page, table)?,
        spider_svg: sums(page, table)?,
    })
}

/// Best changes by one criterion; `None` where nobody has one.
pub(crate) fn waterfall_of(page: &CohortPage, table: &ResponseTable) -> Result<Option<String>, ReportError> {
    let has_bars = page.best_responses.iter().any(|best| best.criterion == table.criterion);
    let criterion = page.criteria.iter().find(|criterion| criterion.id == table.criterion);
    criterion.filter(|_| has_bars).map(|criterion| waterfall(criterion, &page.best_responses)).transpose()
}

/// Sums of diameters over time by one criterion; `None` where nobody has one.
pub(crate) fn sums(page: &CohortPage, table: &ResponseTable) -> Result<Option<String>, ReportError> {
    let mut lines = Vec::new();
    for sum in page.sums.iter().filter(|sum| sum.criterion == table.criterion) {
        for value in sum.points.iter().flatten() {
            finite(*value, "change of the sum", &format!("patient {}", sum.patient_id))?;
        }
        let (name, points) = (sum.patient_id.clone(), sum.points.clone());
        lines.push(SpiderLine { name, points, responses: Vec::new(), progression: Vec::new() });
    }
    let criterion = page.criteria.iter().find(|criterion| criterion.id == table.criterion);
    let plot = SpiderPlot {
        label: format!("Sum of diameters over time, {} patients, in percent of baseline", lines.len()),
        width: 450.0,
        response_percent: criterion.and_then(|criterion| criterion.response_percent),
        // From baseline a progression has no level line: it counts from each patient's own nadir.
        progression_percent: None,
        lines,
    };
    Ok((!plot.lines.is_empty()).then(|| spider(&plot)))
}

fn endpoint_view(endpoint: &EndpointCurves) -> Result<EndpointView, ReportError> {
    let groups = endpoint.curves.iter().map(|curve| group_line(endpoint, curve)).collect::<Result<_, _>>()?;
    Ok(EndpointView {
        endpoint: endpoint.endpoint.replace('_', " "),
        title: endpoint.title.clone(),
        definition: endpoint.definition.clone(),
        svg: kaplan_meier(endpoint)?,
        groups,
        comparison: endpoint.comparison.clone(),
        cautions: endpoint.cautions.clone(),
    })
}

fn group_line(endpoint: &EndpointCurves, curve: &KmCurve) -> Result<GroupLine, ReportError> {
    let subject = format!("curve of {}", endpoint.endpoint);
    for value in curve.median_interval.iter().flatten().chain(curve.median.value()) {
        finite(*value, "median", &subject)?;
    }
    let bound = |bound: Option<f64>| bound.map_or_else(|| "not reached".to_owned(), |value| fixed(value, 1));
    let median = match &curve.median {
        Evaluable::Value(value) => {
            let [low, high] = curve.median_interval;
            format!("{} {} (95 % interval {} to {})", fixed(*value, 1), endpoint.time_unit, bound(low), bound(high))
        }
        Evaluable::NotEvaluable(reason) => reason.clone(),
    };
    let group = if curve.group.is_empty() { "all".to_owned() } else { curve.group.clone() };
    let landmarks = curve.landmarks.iter().map(|rate| landmark(endpoint, rate)).collect::<Result<_, _>>()?;
    Ok(GroupLine {
        group,
        n: curve.n,
        events: curve.events,
        median,
        evaluable: curve.median.value().is_some(),
        landmarks,
    })
}

/// `12 months: 83 % (58 % to 100 %), 3 at risk`, or why there is no rate.
fn landmark(endpoint: &EndpointCurves, rate: &LandmarkRate) -> Result<String, ReportError> {
    let subject = format!("landmark of {}", endpoint.endpoint);
    for value in rate.interval.iter().flatten().chain(rate.survival.value()).chain([&rate.time]) {
        finite(*value, "time or probability", &subject)?;
    }
    let when = format!("{} {}", fixed(rate.time, usize::from(rate.time.fract() != 0.0)), endpoint.time_unit);
    let bound = |bound: Option<f64>| bound.map_or_else(|| "unknown".to_owned(), share);
    Ok(match &rate.survival {
        Evaluable::Value(value) => {
            let interval = match rate.interval {
                [None, None] => String::new(),
                [low, high] => format!(" ({} to {})", bound(low), bound(high)),
            };
            format!("{when}: {}{interval}, {} at risk", share(*value), rate.n_risk)
        }
        Evaluable::NotEvaluable(reason) => format!("{when}: not evaluable, {reason}"),
    })
}

fn patient_line(page: &CohortPage, line: &PatientLine) -> Result<PatientView, ReportError> {
    for (quantity, found) in [("best response", line.best.len()), ("latest response", line.latest.len())] {
        if found != page.criteria.len() {
            let subject = format!("patient {}", line.patient_id);
            return Err(ReportError::Length { subject, quantity, expected: page.criteria.len(), found });
        }
    }
    if let Some(margin) = line.min_margin_mm {
        finite(margin, "smallest margin", &format!("patient {}", line.patient_id))?;
    }
    let view = |code: &String| BadgeView { code: badge(code), class: tone(code).class(), words: response(code) };
    Ok(PatientView {
        patient_id: line.patient_id.clone(),
        href: line.folder.as_ref().map(|folder| format!("../patients/{}/report.html", address(folder))),
        diagnosis: line.diagnosis.clone(),
        n_visits: line.n_visits,
        n_lesions: line.n_lesions,
        imaging: line.imaging.map_or_else(|| "none".to_owned(), |[first, last]| format!("{first} to {last}")),
        responses: line.best.iter().zip(&line.latest).map(|(best, latest)| [view(best), view(latest)]).collect(),
        margin: line.margin.clone(),
        n_doubts: line.n_doubts,
        margin_key: line.min_margin_mm.map_or_else(String::new, |margin| margin.to_string()),
        best_choice: line.best.first().map(|code| choice(code)).unwrap_or_default(),
        margin_choice: choice(&line.margin_verdict),
    })
}

/// A value as a filter compares it: without spaces, because a row lists its values between spaces.
fn choice(value: &str) -> String {
    value.replace(' ', "_")
}

/// The values that occur, ascending, once each.
fn choices<'a>(values: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut choices: Vec<String> = values.filter(|value| !value.is_empty()).map(|value| choice(value)).collect();
    choices.sort();
    choices.dedup();
    choices
}

/// A folder's name as part of an address: everything but letters, digits and `._-` percent-encoded, `%` itself too.
fn address(folder: &str) -> String {
    folder.bytes().fold(String::new(), |mut address, byte| {
        if byte.is_ascii_alphanumeric() || b"._-".contains(&byte) {
            address.push(char::from(byte));
        } else {
            let _ = write!(address, "%{byte:02X}");
        }
        address
    })
}

fn ledger_class(state: &str) -> &'static str {
    match state {
        "failed" => "progression",
        "done" | "running" => "neutral",
        _ => "unconfirmed",
    }
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn a_percent_in_a_folder_name_is_encoded_again() {
        assert_eq!(address("P-001"), "P-001");
        assert_eq!(address("P%2F1"), "P%252F1");
        assert_eq!(address("a b\"/é"), "a%20b%22%2F%C3%A9");
    }
}
