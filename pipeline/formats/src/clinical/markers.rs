//! Tumour markers beside an archive: `markers.csv`, one reading a row.
//!
//! Source: the project's own table; names and upper limits as the laboratory prints them.

use oncology::Exact;
use oncology::marker::{Marker, MarkerReading};

use super::{ClinicalTables, Problem, Row};

/// The required columns.
pub(super) const COLUMNS: [&str; 6] = ["patient_id", "date", "marker", "value", "unit", "upper_limit"];

pub(super) fn read_marker(row: &Row<'_>, tables: &mut ClinicalTables) {
    let problems = &mut tables.problems;
    let patient_id = row.required("patient_id", problems);
    let date = row.required_date("date", problems);
    let marker = row.required("marker", problems).and_then(|text| match text.parse::<Marker>() {
        Ok(marker) => Some(marker),
        Err(error) => {
            problems.push(row.problem("marker", error.to_string()));
            None
        }
    });
    let value = concentration(row, "value", problems);
    let upper_limit = concentration(row, "upper_limit", problems);
    let unit = row.required("unit", problems);
    if let (Some(id), Some(date), Some(marker), Some(value), Some(upper_limit), Some(unit)) =
        (patient_id, date, marker, value, upper_limit, unit)
    {
        let reading = MarkerReading { marker, date, value, unit, upper_limit };
        tables.markers.entry(id).or_default().push(reading);
    }
}

/// A number from 0 on with a point and at most six places; "below the limit of detection" has no number and is a fault.
fn concentration(row: &Row<'_>, column: &'static str, problems: &mut Vec<Problem>) -> Option<Exact> {
    let text = row.required(column, problems)?;
    let number = text.parse::<Exact>().ok().filter(|value| *value >= Exact::ZERO);
    if number.is_none() {
        problems.push(row.problem(column, format!("expected a number from 0 on, with a point, found {text:?}")));
    }
    number
}
