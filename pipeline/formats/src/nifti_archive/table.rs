//! `series.csv`: one row per NIfTI image; where the table exists, paths are not interpreted.
//!
//! Columns `file` (below the archive), `patient_id`, `study_date`, `role`, `unit` (`HU`, `SUVbw`, `stored`; empty for MR) and,
//! optionally, `frame` (files of a visit with the same word share a frame of reference) and `description`.

use std::collections::BTreeMap;
use std::path::Path;

use super::{NiftiUnit, Placed, TABLE, layout};
use crate::clinical::rows::{Row, Table};
use crate::clinical::{ClinicalError, Problem};
use crate::dicom::role::SeriesRole;
use crate::stored;

/// The table's rows that are whole; `None` where there is no table.
pub(super) fn read(root: &Path, problems: &mut Vec<Problem>) -> Result<Option<Vec<Placed>>, ClinicalError> {
    let columns = ["file", "patient_id", "study_date", "role", "unit"];
    let Some(mut table) = Table::open(root, TABLE, &columns)? else { return Ok(None) };
    let mut placed: BTreeMap<String, Placed> = BTreeMap::new();
    while let Some(row) = table.next_row(problems) {
        let Some(one) = read_row(&row, root, problems) else { continue };
        if placed.contains_key(&one.file) {
            problems.push(row.problem("file", format!("{:?} stands in two rows; keep one", one.file)));
        } else {
            placed.insert(one.file.clone(), one);
        }
    }
    Ok(Some(placed.into_values().collect()))
}

fn read_row(row: &Row<'_>, root: &Path, problems: &mut Vec<Problem>) -> Option<Placed> {
    let patient_id = row.required("patient_id", problems);
    let visit = row.required_visit("study_date", problems);
    let file = row.required("file", problems).map(|file| file.replace('\\', "/"));
    let role = row.required("role", problems).and_then(|word| role_named(row, &word, problems));
    let unit = match row.get("unit") {
        "" => None,
        word => {
            let unit = NiftiUnit::from_word(word);
            if unit.is_none() {
                problems.push(row.problem("unit", format!("expected HU, SUVbw or stored, found {word:?}")));
                return None;
            }
            unit
        }
    };
    let (file, patient_id, visit, role) = (file?, patient_id?, visit?, role?);
    let path = root.join(&file);
    let outside = Path::new(&file).components().any(|c| !matches!(c, std::path::Component::Normal(_)));
    if outside || !stored::is_file(&path) {
        let message = format!("expected a file below the archive, found none at {file:?}; correct the path");
        problems.push(row.problem("file", message));
        return None;
    }
    let given = |column: &str| Some(row.get(column).to_owned()).filter(|text| !text.is_empty());
    let (frame, description) = (given("frame"), given("description").unwrap_or_else(|| file.clone()));
    Some(Placed { path, file, patient_id, visit, role, unit, frame, description })
}

fn role_named(row: &Row<'_>, word: &str, problems: &mut Vec<Problem>) -> Option<SeriesRole> {
    let role = SeriesRole::ALL.into_iter().find(|role| *role != SeriesRole::Other && role.as_str() == word);
    if role.is_none() {
        problems.push(row.problem("role", format!("expected one of {}, found {word:?}", layout::roles())));
    }
    role
}
