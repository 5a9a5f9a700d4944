//! Where a NIfTI or NRRD file belongs, by its path: two layouts, and nothing else.
//!
//! - `<patient>/<visit>/<role>.nii.gz` (the visit is `YYYY-MM-DD`, `YYYY-MM-DD-2`… for further time points of a day; or `.nii`, `.nrrd`): the role is a role's name (`ct_portal_venous`, `mr_t1`, …); a PET in SUVbw is
//!   `pet_suvbw`. The patient's folder is the identifier, percent-encoded as in `masks/`.
//! - BIDS: `bids.rs` beside this file.
//!
//! A sidecar `<name>.json` may state `"Units"`: `HU`, `SUVbw` or `stored`.

use std::path::Path;

use imaging::Note;
use oncology::VisitId;

use super::bids::{self, BidsPath, Days};
use super::{NiftiUnit, Placed, below};
use crate::dicom::role::SeriesRole;
use crate::image_file::stem;
use crate::stored;

/// Patient, date, role and unit of a file; `None`, with a note where the path begins like one of the layouts, if it has none.
pub(super) fn place(root: &Path, path: &Path, days: &Days, notes: &mut Vec<Note>) -> Option<Placed> {
    let file = below(root, path);
    let parts: Vec<&str> = own_part(&file).split('/').collect();
    let found = match (BidsPath::of(&file), parts.as_slice()) {
        (Some(bids), [.., name]) => by_bids(&file, bids, stem(name), days, notes),
        (None, [patient, date, name]) => by_date(patient, date, stem(name))?,
        _ => return None,
    };
    match found {
        Ok((patient_id, visit, role, unit)) => {
            let description = stem(parts.last().copied().unwrap_or_default()).to_owned();
            let unit = stated_unit(path, unit);
            Some(Placed { path: path.to_owned(), file, patient_id, visit, role, unit, frame: None, description })
        }
        Err(reason) => {
            notes.push(Note::warning("nifti_not_placed", file, format!("{reason}; the file is left out")));
            None
        }
    }
}

type Found = Result<(String, VisitId, SeriesRole, Option<NiftiUnit>), String>;

/// The part of a path that lies in the innermost zip archive, or the whole path.
pub(super) fn own_part(file: &str) -> &str {
    let mut ends = file.match_indices('/').filter(|(at, _)| stored::is_zip(Path::new(&file[..*at])));
    ends.next_back().map_or(file, |(at, _)| &file[at + 1..])
}

/// `<patient>/<visit>/<role>`; `None` where the second folder names no visit at all.
fn by_date(patient: &str, date: &str, stem: &str) -> Option<Found> {
    let visit: VisitId = date.parse().ok()?;
    let named = SeriesRole::ALL.into_iter().find(|role| *role != SeriesRole::Other && role.as_str() == stem);
    Some(match (named, stem) {
        (Some(role), _) => Ok((decoded(patient), visit, role, usual_unit(role))),
        (None, "pet_suvbw") => Ok((decoded(patient), visit, SeriesRole::Pet, Some(NiftiUnit::SuvBw))),
        (None, _) => Err(format!("expected the name of a role ({}) and .nii.gz, found {stem:?}", roles())),
    })
}

/// The roles a file may be named after.
pub(crate) fn roles() -> String {
    let named: Vec<&str> = SeriesRole::ALL.iter().filter(|r| **r != SeriesRole::Other).map(|r| r.as_str()).collect();
    named.join(", ")
}

fn by_bids(file: &str, path: BidsPath<'_>, stem: &str, days: &Days, notes: &mut Vec<Note>) -> Found {
    let role = bids::role_of(path, stem)?;
    let date = days.day(file, path, notes)?;
    Ok((path.patient().to_owned(), VisitId::first(date), role, usual_unit(role)))
}

/// CT of these layouts holds HU (checked against its values when it is read); what a PET holds has to be said.
fn usual_unit(role: SeriesRole) -> Option<NiftiUnit> {
    match role {
        SeriesRole::Pet => None,
        SeriesRole::MrT1 | SeriesRole::MrT2 | SeriesRole::MrDwi | SeriesRole::Other => Some(NiftiUnit::Stored),
        _ => Some(NiftiUnit::Hu),
    }
}

/// The unit a sidecar states (`None` for a word that is none), or the layout's where there is no sidecar or it is silent.
fn stated_unit(path: &Path, usual: Option<NiftiUnit>) -> Option<NiftiUnit> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let text = stored::read(&path.with_file_name(format!("{}.json", stem(&name)))).unwrap_or_default();
    let sidecar: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    sidecar.get("Units").and_then(|units| units.as_str()).map_or(usual, NiftiUnit::from_word)
}

/// Undoes the percent encoding of a folder name; what is no code stays as it is.
pub(crate) fn decoded(name: &str) -> String {
    let bytes = name.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = name.get(at + 1..at + 3).filter(|_| bytes[at] == b'%').and_then(|c| u8::from_str_radix(c, 16).ok());
        out.push(code.unwrap_or(bytes[at]));
        at += if code.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).unwrap_or_else(|_| name.to_owned())
}
