//! `sessions.tsv` and `scans.tsv` of a BIDS tree: which session or file was acquired when, under its name in the copy and on its
//! moved day. Every other column is dropped, and so is a row of what is not in the copy.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::DeidentifyError;
use super::bids_names::BidsNames;
use super::key::Key;
use super::shift::shifted_table_date;
use crate::atomic::{self, Durability};
use crate::nifti_archive::below;
use crate::nifti_archive::bids::{BidsPath, DayTable};
use crate::tables::cells_to_table;

/// An image that was written: its path below the archive, its patient, and its path below the copy.
pub(super) struct Written<'a> {
    pub(super) file: &'a str,
    pub(super) patient_id: &'a str,
    pub(super) place: &'a Path,
}

/// Rows of one table of the copy by their key, and the name of the key's column.
type Rows = (&'static str, BTreeMap<String, String>);

/// Writes the tables of the images that were written; returns the tables read and the tables written.
pub(super) fn write(
    archive: &Path,
    out: &Path,
    key: &Key,
    written: &[Written<'_>],
) -> Result<(BTreeSet<PathBuf>, BTreeSet<PathBuf>), DeidentifyError> {
    let places: BTreeMap<&str, &Path> = written.iter().map(|one| (one.file, one.place)).collect();
    let mut read = BTreeSet::new();
    let mut tables: BTreeMap<PathBuf, Rows> = BTreeMap::new();
    for one in written {
        let Some(path) = BidsPath::of(one.file) else { continue };
        let names = BidsNames::new(key, one.patient_id);
        let days = key.shift_days(one.patient_id);
        for table in path.day_tables() {
            if read.contains(&archive.join(&table.file)) {
                continue;
            }
            let rows = table.rows(archive);
            if rows.is_empty() {
                continue;
            }
            read.insert(archive.join(&table.file));
            let to = place_of(&table, path, &names);
            let folder = to.parent().unwrap_or(Path::new("")).to_owned();
            let (_, kept) = tables.entry(to).or_insert_with(|| (table.column, BTreeMap::new()));
            for (row, time) in rows {
                let renamed = match table.column {
                    "session_id" => {
                        is_written(&format!("{}{row}/", table.folder), &places).then(|| names.session(&row))
                    }
                    _ => places.get(format!("{}{row}", table.folder).as_str()).map(|place| below(&folder, place)),
                };
                if let Some((renamed, time)) = renamed.zip(moved(&time, days)) {
                    kept.insert(renamed, time);
                }
            }
        }
    }
    let mut made = BTreeSet::new();
    for (to, (column, rows)) in tables.into_iter().filter(|(_, (_, rows))| !rows.is_empty()) {
        let cells = rows.into_iter().map(|(key, time)| [key, time]);
        let bytes = cells_to_table(b'\t', &[column, "acq_time"], cells).map_err(std::io::Error::other)?;
        atomic::write::<std::io::Error>(&out.join(&to), Durability::Buffered, |part| part.write_all(&bytes))?;
        made.insert(to);
    }
    Ok((read, made))
}

fn is_written(folder: &str, places: &BTreeMap<&str, &Path>) -> bool {
    places.range(folder..).next().is_some_and(|(file, _)| file.starts_with(folder))
}

fn place_of(table: &DayTable, path: BidsPath<'_>, names: &BidsNames<'_>) -> PathBuf {
    let subject = names.subject();
    let is_of_session = table.folder.len() > path.before.len() + path.subject.len() + 1;
    if let Some(session) = path.session.filter(|_| is_of_session).map(|session| names.session(session)) {
        return PathBuf::from(&subject).join(&session).join(format!("{subject}_{session}_scans.tsv"));
    }
    let kind = if table.column == "session_id" { "sessions" } else { "scans" };
    PathBuf::from(&subject).join(format!("{subject}_{kind}.tsv"))
}

/// The date moved, the time of day as it was; `None` where it is no date and time.
fn moved(time: &str, days: i64) -> Option<String> {
    let (date, rest) = time.split_at_checked(10)?;
    let is_time = rest.chars().all(|c| c.is_ascii_digit() || matches!(c, 'T' | ' ' | ':' | '.' | 'Z' | '+' | '-'));
    if is_time { Some(format!("{}{rest}", shifted_table_date(date, days)?)) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_move_and_times_stay() {
        assert_eq!(moved("2024-03-01T23:59:59.5Z", -1).as_deref(), Some("2024-02-29T23:59:59.5Z"));
        assert_eq!(moved("2024-03-01", -1).as_deref(), Some("2024-02-29"));
        for text in ["spring", "2024-03-01 Smith", "", "2024-13-01", "ééééééé"] {
            assert_eq!(moved(text, -1), None, "{text}");
        }
    }
}
