//! Files of a BIDS tree: patient, day and role from folders and file names, and from the tables beside them.
//!
//! `sub-<patient>/[ses-<label>/][<type>/]sub-…[_ses-…][_acq-<phase>]_<suffix>.nii.gz`, suffix `ct`, `T1w`, `T2w`, `dwi` or `pet`,
//! phase `arterial`, `portalvenous`, `delayed` or `native`. The day is the `acq_time` of the file in `…_scans.tsv`, else that of its
//! session in `sub-…_sessions.tsv`, else the session's label where that is eight digits which are a date.
//!
//! Source: BIDS 1.9 (Gorgolewski et al. 2016), "Scans file", "Sessions file".

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use imaging::Note;
use jiff::civil::Date;

use super::{below, layout};
use crate::dicom::role::SeriesRole;
use crate::stored;

/// BIDS asks that anonymised dates lie before this year.
const SHIFTED_BEFORE_YEAR: i16 = 1925;

/// Where a file stands in a BIDS tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BidsPath<'a> {
    /// Folders before the subject's.
    pub(crate) before: &'a str,
    /// `sub-…`
    pub(crate) subject: &'a str,
    /// `ses-…`, where there is such a folder.
    pub(crate) session: Option<&'a str>,
    /// The path below the subject's folder.
    pub(crate) rest: &'a str,
    pub(crate) name: &'a str,
}

impl<'a> BidsPath<'a> {
    /// Of a path with `/`; `None` where its first folder (in the archive, a zip archive or `rawdata/`) is no subject's.
    pub(crate) fn of(file: &'a str) -> Option<Self> {
        let path = layout::own_part(file);
        Self::of_subject(file, path.strip_prefix("rawdata/").unwrap_or(path))
    }

    /// Of a file below `derivatives/` or `derivatives/<pipeline>/`.
    pub(crate) fn of_derivative(file: &'a str) -> Option<Self> {
        let path = layout::own_part(file).strip_prefix("derivatives/")?;
        let own = |path| Self::of_subject(file, path);
        own(path).or_else(|| own(path.split_once('/')?.1))
    }

    /// `path` is the end of `file` that should begin with the subject's folder.
    fn of_subject(file: &'a str, path: &'a str) -> Option<Self> {
        let before = &file[..file.len() - path.len()];
        let (subject, rest) = path.split_once('/').filter(|(subject, _)| subject.starts_with("sub-"))?;
        let session = rest.split_once('/').map(|(first, _)| first).filter(|first| first.starts_with("ses-"));
        let name = rest.rsplit('/').next().unwrap_or(rest);
        Some(Self { before, subject, session, rest, name })
    }

    /// The patient, without `sub-`.
    pub(crate) fn patient(self) -> &'a str {
        &self.subject["sub-".len()..]
    }
}

/// A table that dates sessions or files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DayTable {
    /// The folder that its keys are below, with a `/` at its end.
    pub(crate) folder: String,
    /// Its path below the archive.
    pub(crate) file: String,
    /// The column of its keys: `session_id` or `filename`.
    pub(crate) column: &'static str,
}

impl BidsPath<'_> {
    /// The tables that may date the file.
    pub(crate) fn day_tables(self) -> Vec<DayTable> {
        let Self { before, subject, session, .. } = self;
        let folder = format!("{before}{subject}/");
        let table = |folder: &str, name: String, column| DayTable {
            folder: folder.to_owned(),
            file: format!("{folder}{name}"),
            column,
        };
        let mut tables = vec![
            table(&folder, format!("{subject}_sessions.tsv"), "session_id"),
            table(&folder, format!("{subject}_scans.tsv"), "filename"),
        ];
        tables.extend(session.map(|session| {
            table(&format!("{folder}{session}/"), format!("{subject}_{session}_scans.tsv"), "filename")
        }));
        tables
    }
}

impl DayTable {
    /// Key and `acq_time` of its rows that state one; none where there is no such table.
    pub(crate) fn rows(&self, root: &Path) -> Vec<(String, String)> {
        let Ok(bytes) = stored::read(&root.join(&self.file)) else { return Vec::new() };
        let mut reader = csv::ReaderBuilder::new().delimiter(b'\t').quoting(false).flexible(true).from_reader(&*bytes);
        let Ok(header) = reader.headers().cloned() else { return Vec::new() };
        let place = |name: &str| header.iter().position(|h| h.trim_start_matches('\u{feff}').trim() == name);
        let (Some(key), Some(time)) = (place(self.column), place("acq_time")) else { return Vec::new() };
        let cells = |row: csv::StringRecord| [key, time].map(|at| row.get(at).unwrap_or("").trim().to_owned()).into();
        let rows = reader.records().flatten().map(cells);
        rows.filter(|(_, time): &(String, String)| !time.is_empty() && time != "n/a").collect()
    }
}

/// The `acq_time` of files and sessions, by day.
#[derive(Debug, Default)]
pub(super) struct Days {
    by_path: BTreeMap<String, Date>,
}

impl Days {
    /// Reads the tables beside some files.
    pub(super) fn read(root: &Path, files: &[PathBuf], notes: &mut Vec<Note>) -> Self {
        let paths: Vec<String> = files.iter().map(|path| below(root, path)).collect();
        let tables: BTreeSet<DayTable> =
            paths.iter().filter_map(|file| BidsPath::of(file)).flat_map(BidsPath::day_tables).collect();
        let mut days = Self::default();
        for table in tables {
            for (key, time) in table.rows(root) {
                match day_of(&time) {
                    Some(day) => {
                        days.by_path.insert(format!("{}{key}", table.folder), day);
                    }
                    None => notes.push(Note::warning(
                        "bids_acq_time",
                        &table.file,
                        format!("{key}: acq_time is {time:?}; expected YYYY-MM-DDThh:mm:ss; it is not used"),
                    )),
                }
            }
        }
        days
    }

    /// The day of a file, or why there is none.
    pub(super) fn day(&self, file: &str, path: BidsPath<'_>, notes: &mut Vec<Note>) -> Result<Date, String> {
        let BidsPath { before, subject, session, rest, .. } = path;
        let folder = format!("{before}{subject}/");
        let below_session = session.and_then(|session| rest.strip_prefix(session)?.strip_prefix('/'));
        let keys = [
            session.zip(below_session).map(|(session, below)| format!("{folder}{session}/{below}")),
            Some(format!("{folder}{rest}")),
            session.map(|session| format!("{folder}{session}")),
        ];
        let stated = keys.into_iter().flatten().find_map(|key| self.by_path.get(&key)).copied();
        let label = session.and_then(|session| eight_digits(&session["ses-".len()..]));
        if let (Some(stated), Some(label)) = (stated, label)
            && stated != label
        {
            let message = format!("its acq_time says {stated}, its session's label {label}; {stated} counts");
            notes.push(Note::warning("bids_session_date", file, message));
        }
        let Some(day) = stated.or(label) else {
            let session = session.unwrap_or("no session folder");
            return Err(format!(
                "found {session} and no acq_time in a scans.tsv or sessions.tsv: a date is never guessed; add acq_time, call the session ses-YYYYMMDD, or name the file in series.csv"
            ));
        };
        if day.year() < SHIFTED_BEFORE_YEAR {
            let message = format!("its date {day} is shifted by BIDS' rule: intervals hold, the calendar does not");
            notes.push(Note::info("bids_shifted_date", file, message));
        }
        Ok(day)
    }
}

/// The role of a file by its name.
pub(super) fn role_of(path: BidsPath<'_>, stem: &str) -> Result<SeriesRole, String> {
    debug_assert!(path.name.starts_with(stem));
    let suffix = stem.rsplit('_').next().unwrap_or_default();
    let phase = stem.split('_').find_map(|entity| entity.strip_prefix("acq-")).unwrap_or_default().to_lowercase();
    Ok(match (suffix, phase.as_str()) {
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
    })
}

/// The date of `YYYY-MM-DD[Thh:mm:ss…]`.
fn day_of(time: &str) -> Option<Date> {
    let day = time.get(..10)?;
    let rest_is_time = time.len() == 10 || matches!(time.as_bytes()[10], b'T' | b' ');
    rest_is_time.then(|| day.parse().ok()).flatten()
}

/// The date of a session's label of eight digits.
pub(crate) fn eight_digits(label: &str) -> Option<Date> {
    let is_plain = label.len() == 8 && label.bytes().all(|b| b.is_ascii_digit());
    let number = |range: std::ops::Range<usize>| label.get(range)?.parse::<i16>().ok();
    let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
    is_plain.then(|| Date::new(year, month as i8, day as i8).ok()).flatten()
}
