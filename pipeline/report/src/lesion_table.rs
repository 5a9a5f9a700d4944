//! The table of lesions over visits: diameters, viable part, volume, state, and what changed, or why there is no number.
//!
//! Changes in percent are worked out for printing only, like against like: the same quantity, never against an ablation zone.

use oncology::{LesionRow, MeasurementRow, VisitId};
use serde::Serialize;

use crate::error::{ReportError, finite};
use crate::margin_view::margin_class;
use crate::numerals::{change_percent, millilitres, mm, signed_percent};
use crate::patient_page::PatientPage;
use crate::wording::{is_for_tables, is_zone, quantity, words};

/// The viable part's longest diameter.
const VIABLE: &str = "viable_long_axis";

/// One lesion.
#[derive(Debug, Serialize)]
pub(crate) struct LesionLine {
    id: String,
    organ: String,
    role: String,
    kind: String,
    source: String,
    first_seen: String,
    state: String,
    cells: Vec<LesionCell>,
}

/// One lesion at one visit.
#[derive(Debug, Default, Serialize)]
struct LesionCell {
    /// The number the criterion reads; empty when there is none.
    main: String,
    /// The other axis, the viable part, the volume, other quantities.
    details: Vec<String>,
    changes: Vec<Change>,
    state: String,
    /// Look of the state.
    state_class: &'static str,
    /// Why there is no number.
    not_evaluable: String,
    /// What to doubt in it.
    doubt: String,
    not_yet: bool,
    /// The number the table is sorted by; empty when there is none.
    key: String,
    /// Margins of ablations whose zone this visit shows.
    margins: Vec<MarginLine>,
}

/// A margin in short.
#[derive(Debug, Serialize)]
struct MarginLine {
    text: String,
    class: &'static str,
    verdict: String,
}

#[derive(Debug, Serialize)]
struct Change {
    text: String,
    against: &'static str,
}

/// One line per lesion, one cell per visit.
pub(crate) fn lesion_lines(page: &PatientPage) -> Result<Vec<LesionLine>, ReportError> {
    for row in &page.measurements {
        let subject = format!("{} at {}", row.lesion_id, row.visit);
        for value in [row.value, row.low, row.high].into_iter().flatten() {
            finite(value, "measurement", &subject)?;
        }
    }
    Ok(page.lesions.iter().map(|lesion| line(page, lesion)).collect())
}

fn line(page: &PatientPage, lesion: &LesionRow) -> LesionLine {
    let rows: Vec<&MeasurementRow> = page.measurements.iter().filter(|row| row.lesion_id == lesion.lesion_id).collect();
    // A scan round a treatment is compared with the visits before it; nothing is compared with it.
    let is_judged = |visit: VisitId| page.visits.iter().all(|one| one.id != visit || one.not_assessed.is_empty());
    let compared: Vec<&MeasurementRow> = rows.iter().copied().filter(|row| is_judged(row.visit)).collect();
    LesionLine {
        id: lesion.lesion_id.clone(),
        organ: words(&lesion.organ),
        role: words(&lesion.role),
        kind: words(&lesion.kind),
        source: words(&lesion.source),
        first_seen: lesion.first_seen_date.to_string(),
        state: words(&lesion.state),
        cells: page
            .visits
            .iter()
            .map(|visit| LesionCell {
                margins: margin_lines(page, lesion, visit.id),
                ..cell(lesion, [&rows, &compared], visit.id)
            })
            .collect(),
    }
}

/// The quantity criteria read: the short axis of a node, the longest diameter of everything else.
pub(crate) fn read_quantity(lesion: &LesionRow) -> &'static str {
    if lesion.kind == "node" { "short_axis" } else { "long_axis" }
}

/// The cell of one visit, of all rows of the lesion and those that changes are counted from.
fn cell(lesion: &LesionRow, [rows, compared]: [&[&MeasurementRow]; 2], visit: VisitId) -> LesionCell {
    let here: Vec<&MeasurementRow> = rows.iter().copied().filter(|row| row.visit == visit).collect();
    if here.is_empty() {
        return without_rows(lesion, visit);
    }
    let read = read_quantity(lesion);
    let other = if read == "long_axis" { "short_axis" } else { "long_axis" };
    let state = here.iter().map(|row| row.state.as_str()).find(|state| !state.is_empty()).unwrap_or("");
    let mut cell = LesionCell { state: shown_state(state), state_class: state_class(state), ..LesionCell::default() };
    let Some(row) = here.iter().copied().find(|row| row.quantity == read) else {
        return without_axis(cell, &here, read);
    };
    match row.value.filter(|_| row.evaluable) {
        Some(value) => {
            cell.main = main(value, axis(&here, other), read);
            cell.key = value.to_string();
            if is_zone(state) {
                cell.main = format!("whole {}", cell.main);
            }
            cell.changes = changes(compared, row, value);
            cell.doubt.clone_from(&row.reason);
        }
        None if state == "absent" => cell.doubt.clone_from(&row.reason),
        None => cell.not_evaluable = not_evaluable(&row.reason),
    }
    cell.details = details(&here, &[read, other]);
    viable_first(&mut cell, &here, state);
    cell
}

/// A lesion without the axis the criterion reads: what is left of it, or why nothing is known.
fn without_axis(mut cell: LesionCell, here: &[&MeasurementRow], read: &str) -> LesionCell {
    let viable =
        here.iter().find(|row| row.quantity == VIABLE && row.evaluable).and_then(|row| Some((row, row.value?)));
    let Some((row, value)) = viable else {
        let state = if cell.state.is_empty() { "present" } else { &cell.state };
        cell.not_evaluable = format!("not evaluable: the lesion is {state}, and no {} was measured", quantity(read));
        cell.details = details(here, &["", ""]);
        return cell;
    };
    cell.main = viable_words(value);
    cell.key = value.to_string();
    cell.doubt.clone_from(&row.reason);
    cell.details = details(here, &[VIABLE, ""]);
    cell
}

/// In a treated lesion the viable part is the number to read; the whole of it comes second.
fn viable_first(cell: &mut LesionCell, here: &[&MeasurementRow], state: &str) {
    let Some(viable) = axis(here, VIABLE).filter(|_| is_zone(state) && !cell.main.is_empty()) else { return };
    let shown = viable_words(viable);
    cell.key = viable.to_string();
    cell.details.retain(|detail| *detail != shown);
    cell.details.insert(0, std::mem::replace(&mut cell.main, shown));
}

/// Margins of the lesion whose zone was seen at this visit.
fn margin_lines(page: &PatientPage, lesion: &LesionRow, visit: VisitId) -> Vec<MarginLine> {
    let here = page.margins.iter().filter(|row| row.lesion_id == lesion.lesion_id && row.zone_visit == visit);
    here.map(|row| MarginLine {
        text: row.min_margin_mm.map_or_else(|| "not evaluable".to_owned(), |value| format!("{} mm", mm(value))),
        class: margin_class(&row.verdict),
        verdict: words(&row.verdict),
    })
    .collect()
}

fn viable_words(viable_mm: f64) -> String {
    if viable_mm == 0.0 { "no viable tumour".to_owned() } else { format!("viable {} mm", mm(viable_mm)) }
}

fn without_rows(lesion: &LesionRow, visit: VisitId) -> LesionCell {
    if visit < lesion.first_seen_visit {
        return LesionCell { not_yet: true, ..LesionCell::default() };
    }
    LesionCell {
        not_evaluable: "not evaluable: no measurement of this visit was handed in".to_owned(),
        ..LesionCell::default()
    }
}

fn not_evaluable(reason: &str) -> String {
    if reason.is_empty() { "not evaluable, no reason stated".to_owned() } else { format!("not evaluable: {reason}") }
}

fn axis(here: &[&MeasurementRow], quantity: &str) -> Option<f64> {
    here.iter().find(|row| row.quantity == quantity && row.evaluable).and_then(|row| row.value)
}

fn main(value: f64, other: Option<f64>, read: &str) -> String {
    match other {
        Some(other) if read == "long_axis" => format!("{} × {} mm", mm(value), mm(other)),
        Some(other) => format!("{} mm short axis (long {})", mm(value), mm(other)),
        None => format!("{} mm", mm(value)),
    }
}

/// Everything measured apart from the two axes shown, in the order handed in.
fn details(here: &[&MeasurementRow], shown: &[&str; 2]) -> Vec<String> {
    let mut first_role = None;
    here.iter()
        .filter(|row| !is_for_tables(row))
        .filter(|row| {
            let role = *first_role.get_or_insert(row.series_role.as_str());
            !(shown.contains(&row.quantity.as_str()) && row.series_role == role)
        })
        .map(|row| {
            let name = quantity(&row.quantity);
            match row.value.filter(|_| row.evaluable) {
                Some(value) if row.quantity == VIABLE => viable_words(value),
                Some(value) => format!("{name} {}", with_unit(value, &row.unit)),
                None => format!("{name}: {}", not_evaluable(&row.reason)),
            }
        })
        .collect()
}

fn with_unit(value: f64, unit: &str) -> String {
    if unit == "mm3" {
        format!("{} mL", millilitres(value))
    } else {
        format!("{} {unit}", mm(value)).trim_end().to_owned()
    }
}

fn changes(rows: &[&MeasurementRow], row: &MeasurementRow, value: f64) -> Vec<Change> {
    let earlier: Vec<(&MeasurementRow, f64)> = rows
        .iter()
        .copied()
        .filter(|other| {
            other.visit < row.visit && other.quantity == row.quantity && other.evaluable && !is_zone(&other.state)
        })
        .filter_map(|other| other.value.map(|value| (other, value)))
        .collect();
    if is_zone(&row.state) || earlier.is_empty() {
        return Vec::new();
    }
    let (first, first_value) = earlier[0];
    let nadir = earlier.iter().map(|(_, value)| *value).fold(f64::INFINITY, f64::min);
    let against_first = if first.study_day == 0 { "baseline" } else { "first" };
    let mut changes: Vec<Change> = Vec::new();
    changes.extend(
        change_percent(value, first_value)
            .map(|percent| Change { text: signed_percent(percent), against: against_first }),
    );
    if nadir < first_value {
        changes.extend(
            change_percent(value, nadir).map(|percent| Change { text: signed_percent(percent), against: "nadir" }),
        );
    }
    changes
}

fn shown_state(state: &str) -> String {
    if state == "present" || state.is_empty() { String::new() } else { words(state) }
}

fn state_class(state: &str) -> &'static str {
    match state {
        "local_progression" | "residual" => "progression",
        "ablated" | "absent" => "response",
        "uncertain" | "merged" => "unconfirmed",
        _ => "neutral",
    }
}
