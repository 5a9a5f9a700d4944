//! Where a NIfTI file belongs, by its path: two layouts, and nothing else.
//!
//! - `<patient>/<YYYY-MM-DD>/<role>.nii.gz`: the role is a role's name (`ct_portal_venous`, `mr_t1`, …); a PET in SUVbw is
//!   `pet_suvbw`. The patient's folder is the identifier, percent-encoded as in `masks/`.
//! - `sub-<patient>/ses-<YYYYMMDD>/[<type>/]sub-…_ses-…[_acq-<phase>]_<suffix>.nii.gz` after BIDS 1.9 (Gorgolewski et al. 2016):
//!   suffix `ct`, `T1w`, `T2w`, `dwi` or `pet`, phase `arterial`, `portalvenous`, `delayed` or `native`. A session's label is its
//!   date only where it is eight digits that are one.
//!
//! A sidecar `<name>.json` may state `"Units"`: `HU`, `SUVbw` or `stored`.

use std::path::Path;

use imaging::Note;
use jiff::civil::Date;

use super::{NiftiUnit, Placed, below};
use crate::dicom::role::SeriesRole;

/// Patient, date, role and unit of a file; `None`, with a note where the path begins like one of the layouts, if it has none.
pub(crate) fn place(root: &Path, path: &Path, notes: &mut Vec<Note>) -> Option<Placed> {
    let file = below(root, path);
    let parts: Vec<&str> = file.split('/').collect();
    let found = match parts.as_slice() {
        [patient, session, .., name] if patient.starts_with("sub-") && parts.len() <= 4 => {
            by_bids(patient, session, stem(name))
        }
        [patient, date, name] => by_date(patient, date, stem(name))?,
        _ => return None,
    };
    match found {
        Ok((patient_id, date, role, unit)) => {
            let description = stem(parts.last().copied().unwrap_or_default()).to_owned();
            let unit = stated_unit(path, unit);
            Some(Placed { path: path.to_owned(), file, patient_id, date, role, unit, frame: None, description })
        }
        Err(reason) => {
            notes.push(Note::warning("nifti_not_placed", file, format!("{reason}; the file is left out")));
            None
        }
    }
}

type Found = Result<(String, Date, SeriesRole, Option<NiftiUnit>), String>;

/// The file name without `.nii` or `.nii.gz`.
fn stem(name: &str) -> &str {
    let lower = name.to_lowercase();
    let n = [".nii.gz", ".nii"].into_iter().find(|e| lower.ends_with(e)).map_or(0, str::len);
    &name[..name.len() - n]
}

/// `<patient>/<YYYY-MM-DD>/<role>`; `None` where the second folder is no date at all.
fn by_date(patient: &str, date: &str, stem: &str) -> Option<Found> {
    let date = Some(date).filter(|d| d.len() == 10).and_then(|d| d.parse::<Date>().ok())?;
    let named = SeriesRole::ALL.into_iter().find(|role| *role != SeriesRole::Other && role.as_str() == stem);
    Some(match (named, stem) {
        (Some(role), _) => Ok((decoded(patient), date, role, usual_unit(role))),
        (None, "pet_suvbw") => Ok((decoded(patient), date, SeriesRole::Pet, Some(NiftiUnit::SuvBw))),
        (None, _) => Err(format!("expected the name of a role ({}) and .nii.gz, found {stem:?}", roles())),
    })
}

/// The roles a file may be named after.
pub(crate) fn roles() -> String {
    let named: Vec<&str> = SeriesRole::ALL.iter().filter(|r| **r != SeriesRole::Other).map(|r| r.as_str()).collect();
    named.join(", ")
}

fn by_bids(patient: &str, session: &str, stem: &str) -> Found {
    let label = session.strip_prefix("ses-").unwrap_or_default();
    let date = eight_digits(label).ok_or_else(|| {
        format!(
            "expected a session folder ses-YYYYMMDD, found {session:?}: a date is never guessed; name it in series.csv"
        )
    })?;
    let suffix = stem.rsplit('_').next().unwrap_or_default();
    let phase = stem.split('_').find_map(|entity| entity.strip_prefix("acq-")).unwrap_or_default().to_lowercase();
    let role = match (suffix, phase.as_str()) {
        ("ct", "arterial") => SeriesRole::CtArterial,
        ("ct", "portalvenous") => SeriesRole::CtPortalVenous,
        ("ct", "delayed") => SeriesRole::CtDelayed,
        ("ct", "native") => SeriesRole::CtNative,
        ("ct", _) => SeriesRole::Ct,
        ("T1w", _) => SeriesRole::MrT1,
        ("T2w", _) => SeriesRole::MrT2,
        ("dwi", _) => SeriesRole::MrDwi,
        ("pet", _) => SeriesRole::Pet,
        _ => return Err(format!("expected a suffix ct, T1w, T2w, dwi or pet, found {suffix:?}")),
    };
    Ok((patient["sub-".len()..].to_owned(), date, role, usual_unit(role)))
}

fn eight_digits(label: &str) -> Option<Date> {
    let is_plain = label.len() == 8 && label.bytes().all(|b| b.is_ascii_digit());
    let number = |range: std::ops::Range<usize>| label.get(range)?.parse::<i16>().ok();
    let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
    is_plain.then(|| Date::new(year, month as i8, day as i8).ok()).flatten()
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
    let text = std::fs::read(path.with_file_name(format!("{}.json", stem(&name)))).unwrap_or_default();
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
