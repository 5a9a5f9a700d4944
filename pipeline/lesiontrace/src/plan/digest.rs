//! The digest of a patient's input, by which resuming knows that nothing changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use formats::clinical::{PatientRecord, TreatmentRecord};
use formats::image_file::files_of;
use formats::stored;
use oncology::marker::MarkerReading;

use super::{MaskPlan, VisitPlan};
use crate::out;

/// DICOM images count by SOP instance and file size, NIfTI images by name, size and time of change (in a zip archive:
/// checksum), masks by their content, rows of
/// tables by what they say.
pub(super) fn digest(
    visits: &[&VisitPlan],
    record: Option<&PatientRecord>,
    treatments: &[TreatmentRecord],
    markers: &[MarkerReading],
) -> anyhow::Result<String> {
    let mut text = String::new();
    let mut structures: BTreeMap<&Path, String> = BTreeMap::new();
    for visit in visits {
        images(visit, &mut text)?;
        for (name, path) in mask_files(visit) {
            for path in files_of(path) {
                let bytes = stored::read(&path).with_context(|| reading(&path))?;
                text.push_str(&format!("{} {name} {}\n", visit.id, out::sha256_hex(&bytes)));
            }
        }
        for structure in &visit.critical {
            let content = structures.entry(structure.path.as_path()).or_insert_with(|| content_of(&structure.path));
            text.push_str(&format!("{} critical {} {content}\n", visit.id, structure.name));
        }
        if let Some(path) = &visit.given_map {
            let bytes = stored::read(path).with_context(|| reading(path))?;
            text.push_str(&format!("{} map {}\n", visit.id, out::sha256_hex(&bytes)));
        }
        for path in &visit.doses {
            let bytes = stored::read(path).with_context(|| reading(path))?;
            text.push_str(&format!("{} dose {}\n", visit.id, out::sha256_hex(&bytes)));
        }
        let VisitPlan { marks, shortened, second_choice, side, purpose, label, .. } = visit;
        text.push_str(&format!("{marks:?} {shortened:?} {second_choice:?} {side:?} {purpose:?} {label:?}\n"));
    }
    let record = record.map(|r| PatientRecord { line: 0, ..r.clone() });
    text.push_str(&format!("{record:?}\n{treatments:?}\n{markers:?}\n"));
    Ok(out::sha256_hex(text.as_bytes()))
}

/// The digests of a critical structure's files; of one that cannot be read, why: it leaves its distances without a number, and stops nobody.
fn content_of(path: &Path) -> String {
    let of_file = |path: &PathBuf| match stored::read(path) {
        Ok(bytes) => out::sha256_hex(&bytes),
        Err(error) => format!("unread: {:?}", error.kind()),
    };
    files_of(path).iter().map(of_file).collect::<Vec<_>>().join(" ")
}

fn images(visit: &VisitPlan, text: &mut String) -> anyhow::Result<()> {
    let series = [Some(&visit.measure), visit.arterial.as_ref(), visit.pet.as_ref(), visit.adc.as_ref()];
    for series in series.into_iter().flatten() {
        for header in series.entry.headers.unpack() {
            text.push_str(&format!("{} {} {}\n", visit.id, header.sop_instance_uid, header.file_bytes));
        }
        if let Some(nifti) = &series.entry.nifti {
            for path in files_of(&nifti.path) {
                let content = stored::fingerprint(&path).with_context(|| reading(&path))?;
                let (frame, unit) = (&nifti.frame, nifti.unit.as_str());
                text.push_str(&format!("{} {} {content} {frame} {unit}\n", visit.id, nifti.file));
            }
        }
    }
    Ok(())
}

fn reading(path: &Path) -> String {
    format!("reading {}", path.display())
}

fn mask_files(visit: &VisitPlan) -> Vec<(&str, &Path)> {
    match &visit.masks {
        None => Vec::new(),
        Some(MaskPlan::Structures(sets)) => sets.iter().map(|set| ("structure set", set.path.as_path())).collect(),
        Some(MaskPlan::Folder(masks)) => {
            let files = [
                ("ablation_zone", masks.ablation_zone.as_deref()),
                ("lesions", Some(masks.lesions.as_path())),
                ("organ", masks.organ.as_deref()),
                ("rows", masks.rows.as_deref()),
            ];
            files.into_iter().filter_map(|(name, path)| path.map(|path| (name, path))).collect()
        }
    }
}
