//! Who measured what stands in a structured report: the program, or the readers whose calipers are in force.

use imaging::Chord;
use oncology::MeasurementRow;
use oncology::reads::{Outcome, ReadRow};

use crate::patient::PatientResult;

/// The axes by who measured them: those of the program, and those of each reader.
pub(super) fn by_observer<'a>(
    result: &PatientResult,
    axes: &[&'a MeasurementRow],
) -> Vec<(Option<String>, Vec<&'a MeasurementRow>)> {
    let mut groups: Vec<(Option<String>, Vec<&MeasurementRow>)> = Vec::new();
    for row in axes {
        let observer = reader_of(result, row);
        match groups.iter_mut().find(|(other, _)| *other == observer) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((observer, vec![row])),
        }
    }
    groups
}

/// Method of a diameter that a reader drew, as `measurements.csv` says it.
const READER: &str = "caliper drawn by a reader";

/// Who drew a diameter: the reader of the read in force whose caliper it is.
fn reader_of(result: &PatientResult, row: &MeasurementRow) -> Option<String> {
    if row.method != READER {
        return None;
    }
    let visit = row.visit.to_string();
    let reads = result.reads.iter();
    let mut own =
        reads.filter(|read| read.outcome == Outcome::Applied && read.item == row.quantity && read.visit == visit);
    // A lesion may be followed under another name than it was read by: the ends say whose caliper it is.
    let at = |p: [f64; 3]| p.map(|v| format!("{v:.2}")).join(" ");
    let ends = |chord: Chord| format!("{}; {}", at(chord.start.to_array()), at(chord.end.to_array()));
    let is_it = |read: &&ReadRow| read.caliper().is_some_and(|chord| ends(chord) == row.caliper_lps_mm);
    own.find(is_it).map(|read| read.reader.clone())
}
