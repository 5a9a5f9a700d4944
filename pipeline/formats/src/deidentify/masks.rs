//! Imported masks (`masks/<patient>/<date>/`) under the patient's pseudonym and moved date; their headers hold no text.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::report::MaskReport;
use super::shift::shifted_table_date;
use super::volume_file::{Refusal, write_blank};
use super::words::known_words;
use super::{DeidentifyError, Request};
use crate::atomic::{self, Durability};
use crate::image_file::{is_image, stem};
use crate::nifti_archive::layout::decoded;
use crate::stored;
use crate::tables::guarded;

/// Label maps of a visit's mask folder that the program reads, without their endings.
const LABEL_MAPS: [&str; 3] = ["lesions", "organ", "ablation_zone"];
/// Folder of the structures to keep away from, beside them or beside the dates.
const CRITICAL: &str = "critical";
/// The table beside them.
const ROWS: &str = "lesions.csv";

/// Writes the masks of known patients; what is none the program reads is left out and counted. Also which files of the copy they
/// are.
pub(super) fn deidentify_masks(
    request: &Request<'_>,
    files: &[PathBuf],
    patients: &BTreeSet<String>,
) -> Result<(MaskReport, BTreeSet<PathBuf>), DeidentifyError> {
    let root = request.archive.join(request.masks);
    let (mut report, mut written) = (MaskReport::default(), BTreeSet::new());
    for path in files {
        let Ok(below) = path.strip_prefix(&root) else { continue };
        match one(request, path, below, patients) {
            Ok(place) => {
                report.n_written += 1;
                written.insert(place);
            }
            Err(Refusal::Reason(reason)) => *report.left_out.entry(reason).or_default() += 1,
            Err(Refusal::Io(source)) => return Err(source.into()),
        }
    }
    Ok((report, written))
}

/// Where the mask was written, below the copy.
fn one(request: &Request<'_>, path: &Path, below: &Path, patients: &BTreeSet<String>) -> Result<PathBuf, Refusal> {
    let parts: Vec<String> = below.iter().map(|p| p.to_string_lossy().into_owned()).collect();
    let (patient, date, folder, name) = match parts.as_slice() {
        [patient, folder, name] if folder == CRITICAL => (patient, None, CRITICAL, name),
        [patient, date, name] => (patient, Some(date), "", name),
        [patient, date, folder, name] if folder == CRITICAL => (patient, Some(date), CRITICAL, name),
        _ => return Err(Refusal::Reason("not at <patient>/<date>/<name>")),
    };
    let patient = decoded(patient);
    if !patients.contains(&patient) {
        return Err(Refusal::Reason("its patient has no image in the copy"));
    }
    let days = request.key.shift_days(&patient);
    let shifted = |date: &String| shifted_table_date(date, days).ok_or(Refusal::Reason("its folder is no date"));
    let mut place = PathBuf::from("masks").join(request.key.patient(&patient));
    place.extend(date.map(shifted).transpose()?);
    if folder == CRITICAL {
        return critical(request, path, &place.join(CRITICAL), name);
    }
    let place = place.join(name);
    let to = request.out.join(&place);
    if name == ROWS {
        let bytes = rows(path)?;
        atomic::write(&to, Durability::Buffered, |part| part.write_all(&bytes).map_err(Refusal::Io))?;
    } else if is_image(Path::new(name)) && LABEL_MAPS.contains(&stem(name)) {
        write_blank(path, &to)?;
    } else if name.starts_with("to_baseline.") {
        return Err(Refusal::Reason("a map between visits; a run on the copy registers them itself"));
    } else {
        return Err(Refusal::Reason("not a mask the program reads"));
    }
    Ok(place)
}

/// A structure to keep away from. Its file's name becomes that of a quantity: one that holds a word nobody knows is left out.
fn critical(request: &Request<'_>, path: &Path, folder: &Path, name: &str) -> Result<PathBuf, Refusal> {
    if !is_image(Path::new(name)) {
        return Err(Refusal::Reason("not a mask the program reads"));
    }
    let words = stem(name).replace(['_', '-'], " ");
    let known = known_words(&words);
    if known.n_unknown > 0 || known.text.is_empty() {
        return Err(Refusal::Reason(
            "critical structure whose name holds an unknown word; rename it to a known one, such as portal_vein",
        ));
    }
    let place = folder.join(name);
    write_blank(path, &request.out.join(&place))?;
    Ok(place)
}

/// The table of labels: numbers stay, words that no list of technical words knows do not.
fn rows(path: &Path) -> Result<Vec<u8>, Refusal> {
    const DAMAGED: Refusal = Refusal::Reason("lesions.csv is no table");
    let bytes = stored::read(path).map_err(Refusal::Io)?;
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes.as_slice());
    let mut writer = csv::Writer::from_writer(Vec::new());
    for (n, record) in reader.records().enumerate() {
        let record = record.map_err(|_| DAMAGED)?;
        let cell = |text: &str| if n == 0 && is_header(text) { text.to_owned() } else { known_words(text).text };
        writer.write_record(record.iter().map(|text| guarded(&cell(text)).into_owned())).map_err(|_| DAMAGED)?;
    }
    writer.into_inner().map_err(|_| DAMAGED)
}

fn is_header(text: &str) -> bool {
    ["label", "organ", "kind", "lesion_id", "role"].contains(&text.trim())
}
