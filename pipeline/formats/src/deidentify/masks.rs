//! Imported masks (`masks/<patient>/<date>/`) under the patient's pseudonym and moved date; texts in their headers are blanked.
//!
//! Source: NIfTI-1.1 header (Cox et al. 2004): `data_type`, `db_name`, `descrip`, `aux_file`, `intent_name` and extensions are
//! free text.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use flate2::{Compression, GzBuilder};

use super::report::MaskReport;
use super::shift::shifted_table_date;
use super::store::{StoreError, write_atomic};
use super::words::known_words;
use super::{DeidentifyError, Request};
use crate::nifti_archive::layout::decoded;

/// Files of a visit's mask folder that the program reads.
const LABEL_MAPS: [&str; 3] = ["lesions.nii.gz", "organ.nii.gz", "ablation_zone.nii.gz"];
/// The table beside them.
const ROWS: &str = "lesions.csv";
/// A mask may unpack to this many bytes: more is no mask of a patient.
const MAX_INFLATED: u64 = 1 << 31;
/// Bytes of a NIfTI-1 header.
const N_HEADER: usize = 348;
/// Free text in a NIfTI-1 header: first byte and one past the last.
const TEXTS: [(usize, usize); 5] = [(4, 14), (14, 32), (148, 228), (228, 252), (328, 344)];

/// Writes the masks of known patients; what is none the program reads is left out and counted.
pub(super) fn deidentify_masks(
    request: &Request<'_>,
    files: &[PathBuf],
    patients: &BTreeSet<String>,
) -> Result<MaskReport, DeidentifyError> {
    let root = request.archive.join(request.masks);
    let mut report = MaskReport::default();
    for path in files {
        let Ok(below) = path.strip_prefix(&root) else { continue };
        match one(request, path, below, patients) {
            Ok(()) => report.n_written += 1,
            Err(Refusal::Reason(reason)) => *report.left_out.entry(reason).or_default() += 1,
            Err(Refusal::Io(source)) => return Err(DeidentifyError::Io { source }),
        }
    }
    Ok(report)
}

enum Refusal {
    Reason(&'static str),
    Io(std::io::Error),
}

fn one(request: &Request<'_>, path: &Path, below: &Path, patients: &BTreeSet<String>) -> Result<(), Refusal> {
    let parts: Vec<String> = below.iter().map(|p| p.to_string_lossy().into_owned()).collect();
    let [patient, date, name] = parts.as_slice() else {
        return Err(Refusal::Reason("not at <patient>/<date>/<name>"));
    };
    let patient = decoded(patient);
    if !patients.contains(&patient) {
        return Err(Refusal::Reason("its patient has no image in the copy"));
    }
    let days = request.key.shift_days(&patient);
    let date = shifted_table_date(date, days).ok_or(Refusal::Reason("its folder is no date"))?;
    let to = request.out.join("masks").join(request.key.patient(&patient)).join(date).join(name);
    let bytes = match name.as_str() {
        ROWS => rows(path)?,
        name if LABEL_MAPS.contains(&name) => label_map(path)?,
        _ => return Err(Refusal::Reason("not a mask the program reads")),
    };
    write_atomic(&to, |file| file.write_all(&bytes).map_err(StoreError::Io)).map_err(|error| match error {
        StoreError::Io(source) => Refusal::Io(source),
        StoreError::Damaged => Refusal::Reason("it cannot be written"),
    })
}

/// A label map with a blank header; its voxels and its place are kept.
fn label_map(path: &Path) -> Result<Vec<u8>, Refusal> {
    const DAMAGED: Refusal = Refusal::Reason("not a NIfTI-1 file packed with gzip");
    let file = std::fs::File::open(path).map_err(Refusal::Io)?;
    let mut bytes = Vec::new();
    MultiGzDecoder::new(file).take(MAX_INFLATED).read_to_end(&mut bytes).map_err(|_| DAMAGED)?;
    let is_nifti_1 = bytes.len() > N_HEADER + 4 && bytes[344..348] == *b"n+1\0" && bytes.len() as u64 != MAX_INFLATED;
    let little = bytes.get(..4) == Some(&348_i32.to_le_bytes());
    if !is_nifti_1 || !little && bytes[..4] != 348_i32.to_be_bytes() {
        return Err(DAMAGED);
    }
    for (from, to) in TEXTS {
        bytes[from..to].fill(0);
    }
    let offset: [u8; 4] = std::array::from_fn(|n| bytes[108 + n]);
    let offset = if little { f32::from_le_bytes(offset) } else { f32::from_be_bytes(offset) };
    let voxels_at = offset as usize;
    if !offset.is_finite() || voxels_at < N_HEADER + 4 || voxels_at > bytes.len() {
        return Err(DAMAGED);
    }
    bytes[N_HEADER..voxels_at].fill(0);
    let mut packed = GzBuilder::new().write(Vec::new(), Compression::default());
    packed.write_all(&bytes).and_then(|()| packed.finish()).map_err(Refusal::Io)
}

/// The table of labels: numbers stay, words that no list of technical words knows do not.
fn rows(path: &Path) -> Result<Vec<u8>, Refusal> {
    const DAMAGED: Refusal = Refusal::Reason("lesions.csv is no table");
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_path(path).map_err(|_| DAMAGED)?;
    let mut writer = csv::Writer::from_writer(Vec::new());
    for (n, record) in reader.records().enumerate() {
        let record = record.map_err(|_| DAMAGED)?;
        let cell = |text: &str| if n == 0 && is_header(text) { text.to_owned() } else { known_words(text).text };
        writer.write_record(record.iter().map(cell)).map_err(|_| DAMAGED)?;
    }
    writer.into_inner().map_err(|_| DAMAGED)
}

fn is_header(text: &str) -> bool {
    ["label", "organ", "kind", "lesion_id", "role"].contains(&text.trim())
}
