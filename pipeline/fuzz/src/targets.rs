//! What each target does with the bytes it is given.

use std::sync::OnceLock;

use formats::dicom::SliceHeader;
use formats::dicom::header::read_headers;
use formats::nifti::read_displacement;
use imaging::registration::deformable::Deformation;
use imaging::registration::read_itk_transform;
use imaging::{Affine, FrameId, Point};
use oncology::criteria::deauville::DeauvilleTable;
use oncology::criteria::enhancement::EnhancementTable;
use oncology::criteria::eortc::EortcTable;
use oncology::criteria::extent::ExtentTable;
use oncology::criteria::percist::PercistTable;
use oncology::criteria::table::CriterionTable;
use oncology::endpoint::preset::Preset;
use testkit::seeds;

use crate::input::{file, folder_with, folder_with_input, new_file};
use crate::{config, readers, secrets};

/// Reads the bytes; must not panic.
pub type Target = fn(&[u8]);

/// All targets, each under the name of its file in `fuzz_targets`.
pub const ALL: [(&str, Target); 18] = [
    ("dicom", dicom),
    ("codec", codec),
    ("seg", seg),
    ("rtstruct", rtstruct),
    ("rtdose", rtdose),
    ("sr", sr),
    ("nifti", nifti),
    ("nrrd", nrrd),
    ("map", map),
    ("zip", zip),
    ("deidentify", deidentify),
    ("multipart", multipart),
    ("dimse", dimse),
    ("clinical", clinical),
    ("rules", rules),
    ("study", study),
    ("card", card),
    ("criteria", criteria),
];

/// Two whole slices of the series the seeds belong to.
fn siblings() -> &'static [SliceHeader] {
    static SIBLINGS: OnceLock<Vec<SliceHeader>> = OnceLock::new();
    SIBLINGS.get_or_init(|| {
        let read = |k: usize| read_headers(&file(&format!("sibling-{k}"), &seeds::ct_slice(k)));
        [1, 2].into_iter().flat_map(|k| read(k).expect("a whole slice can be read")).collect()
    })
}

/// One DICOM file, alone and as a slice of a series.
pub fn dicom(data: &[u8]) {
    readers::image(&file("input", data), siblings());
}

/// The compressed pixels of one slice: a byte for the transfer syntax, two for columns and rows, one for the bits, then the code.
pub fn codec(data: &[u8]) {
    let [syntax, columns, rows, bits, code @ ..] = data else { return };
    let syntax = seeds::COMPRESSED[usize::from(*syntax) % seeds::COMPRESSED.len()];
    let size = (u16::from(*columns), u16::from(*rows));
    let bits = if bits % 2 == 0 { 8 } else { 16 };
    let slice = seeds::compressed_slice(syntax, size, bits, code);
    readers::image(&file("input", &slice), &[]);
}

/// A DICOM segmentation and its masks.
pub fn seg(data: &[u8]) {
    readers::segmentation(&file("input", data));
}

/// An RT structure set and its masks.
pub fn rtstruct(data: &[u8]) {
    readers::structure_set(&file("input", data));
}

/// An RT dose.
pub fn rtdose(data: &[u8]) {
    readers::dose(&file("input", data));
}

/// A measurement report (TID 1500).
pub fn sr(data: &[u8]) {
    readers::report(&file("input", data));
}

/// A NIfTI image, plain or gzipped.
pub fn nifti(data: &[u8]) {
    readers::nifti_image(&file("input", data));
}

/// A NRRD image.
pub fn nrrd(data: &[u8]) {
    readers::nrrd_image(&file("input", data));
}

/// A map between two images: a matrix as ITK text, or a displacement field, with what uses it.
pub fn map(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = read_itk_transform(text);
    }
    let Ok((grid, displacement)) = read_displacement(&file("input", data), FrameId::new("fixed")) else { return };
    let middle = grid.voxel_to_patient().apply(Point::new(0.5, 0.5, 0.5));
    if let Ok(field) = Deformation::new(grid, displacement, Affine::identity()) {
        let _ = (field.reaches(middle), field.jacobian(middle), field.apply_inverse(field.apply(middle)));
    }
}

/// One archive in a zip file: a byte that says whether the rest is the zip file itself, or a file that whole zips are made around,
/// because a checksum stops most of what a fuzzer makes of a zip file.
pub fn zip(data: &[u8]) {
    let [kind, bytes @ ..] = data else { return };
    let zip = if kind % 2 == 0 { bytes.to_vec() } else { seeds::archive_of(bytes) };
    readers::archive(&new_file("zip", &zip));
}

/// One DICOM file through de-identification, as it is and with a name in every corner of it, which no output may hold.
pub fn deidentify(data: &[u8]) {
    let folder = folder_with_input("input.dcm", data);
    let _ = secrets::deidentified(folder) && secrets::check_secrets(folder);
}

/// A line with a content type, then the answer of an archive in parts.
pub fn multipart(data: &[u8]) {
    let at = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let stated = String::from_utf8_lossy(&data[..at]);
    let boundary = transfer::multipart::boundary_of(&stated).unwrap_or_else(|_| "b".to_owned());
    let mut parts = transfer::multipart::Multipart::new(data.get(at + 1..).unwrap_or_default(), &boundary);
    while let Ok(Some(_)) = parts.next_part() {
        if parts.copy_part(&mut std::io::sink(), 1 << 20).is_err() {
            return;
        }
    }
}

/// What an archive says over an association: a byte for what it was asked, then its protocol data units.
pub fn dimse(data: &[u8]) {
    let _ = transfer::read_recorded(data, folder_with("recorded", &[]));
}

/// One clinical table: a byte for which, then its text; and the text as readers' decisions.
pub fn clinical(data: &[u8]) {
    let [which, text @ ..] = data else { return };
    let tables = seeds::clinical_tables();
    let (name, _) = tables[usize::from(*which) % tables.len()];
    readers::clinical(folder_with(name, text));
    if let Ok(text) = std::str::from_utf8(text) {
        let _ = formats::clinical::reads::parse(text);
        let _ = oncology::reads::ReadsFile::parse(text);
    }
}

/// Rules that name the role of a series.
pub fn rules(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    readers::series_rules(text);
}

/// A study file.
pub fn study(data: &[u8]) {
    let _ = config::load(Some(&file("study.toml", data)));
}

/// A model card.
pub fn card(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = inference::Card::parse(text);
}

/// A criterion of any family, or a preset of endpoints.
pub fn criteria(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = CriterionTable::parse(text);
    let _ = DeauvilleTable::parse(text);
    let _ = EnhancementTable::parse(text);
    let _ = EortcTable::parse(text);
    let _ = ExtentTable::parse(text);
    let _ = PercistTable::parse(text);
    let _ = Preset::parse(text);
}
