//! DICOM files a test needs besides the cohort's: a structure set of squares on slices of a series, a copied series.

use std::path::Path;

use formats::archive;
use formats::dicom::rtstruct::{ClosedContour, Roi};
use formats::dicom::write::{ModalityToWrite, SeriesToWrite, StructureSetToWrite, write_series, write_structure_set};
use formats::dicom::{SliceHeader, SuvOptions, read_series};
use imaging::{FrameId, Point};
use jiff::civil::{Time, time};

/// The headers of the one series in a folder.
fn slices(folder: &Path) -> Vec<SliceHeader> {
    archive::index(folder).unwrap().value.patients[0].timepoints[0].series[0].headers.unpack()
}

/// Writes regions, each a square of half the given number of voxels about voxel (12, 11) on three slices of a series.
pub(crate) fn structure_set(path: &Path, series: &Path, regions: &[(&str, f64)]) {
    let slices = slices(series);
    let first = &slices[0];
    let frame_uid = first.frame_uid.as_deref().unwrap();
    let roi = |(n, (name, half)): (usize, &(&str, f64))| Roi {
        number: n as i64 + 1,
        name: (*name).to_owned(),
        frame: Some(FrameId::new(frame_uid)),
        contours: slices[3..6].iter().map(|slice| square(slice, *half)).collect(),
    };
    let regions: Vec<Roi> = regions.iter().enumerate().map(roi).collect();
    let set = StructureSetToWrite {
        patient_id: &first.patient_id,
        study_date: first.study_date.unwrap(),
        study_uid: &first.study_uid,
        referenced_series_uid: &first.series_uid,
        frame_uid,
        series_uid: &format!("{}.92", first.series_uid),
        sop_instance_uid: &format!("{}.91", first.series_uid),
        regions: &regions,
    };
    write_structure_set(path, &set).unwrap();
}

/// Writes a segmentation that cannot be read and is filed under a day of eight digits: a structure set that claims to be one.
pub(crate) fn broken_segmentation(path: &Path, series: &Path, day: &str) {
    structure_set(path, series, &[("GTV_1", 2.0)]);
    let first = &slices(series)[0];
    let own_day = first.study_date.unwrap().strftime("%Y%m%d").to_string();
    let changes = [("RTSTRUCT", "SEG     "), (&own_day, day), (".92", ".82"), (".91", ".81")];
    let mut bytes = std::fs::read(path).unwrap();
    for at in 0..bytes.len() {
        for (from, to) in changes {
            if bytes[at..].starts_with(from.as_bytes()) {
                bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
            }
        }
    }
    std::fs::write(path, bytes).unwrap();
}

fn square(slice: &SliceHeader, half: f64) -> ClosedContour {
    let (position, turn, step) = (slice.position.unwrap(), slice.orientation.unwrap(), slice.pixel_spacing.unwrap());
    let corner = |(i, j): (f64, f64)| {
        let at = |a: usize| position[a] + turn[a] * (12.0 + i) * step[1] + turn[a + 3] * (11.0 + j) * step[0];
        Point::new(at(0), at(1), at(2))
    };
    let corners = [(-half, -half), (half, -half), (half, half), (-half, half)].map(corner);
    ClosedContour { corners: corners.to_vec() }
}

/// Copies the series of a folder as another series of the same study and frame of reference.
pub(crate) fn copy_series(from: &Path, to: &Path, description: &str) {
    let study = slices(from)[0].study_uid.clone();
    copy_as(from, to, description, &study, time(9, 3, 0, 0));
}

/// Copies the series of a folder as a series of another study, acquired at another time of the day.
pub(crate) fn copy_as(from: &Path, to: &Path, description: &str, study_uid: &str, at: Time) {
    let slices = slices(from);
    let first = &slices[0];
    let volume = read_series(&slices, &SuvOptions::STANDARD).unwrap().value.volume.to_values();
    let at = first.study_date.unwrap().to_datetime(at);
    let copy = SeriesToWrite {
        volume: &volume,
        modality: ModalityToWrite::Ct { kvp: 120.0, contrast: None },
        patient_id: first.patient_id.clone(),
        patient_sex: None,
        patient_weight_kg: None,
        patient_height_m: None,
        study_uid: study_uid.to_owned(),
        series_uid: format!("{}.7", first.series_uid),
        sop_instance_uids: (0..slices.len()).map(|k| format!("{}.7.{k}", first.series_uid)).collect(),
        study_datetime: at,
        acquisition_datetime: at,
        study_description: "Abdomen".to_owned(),
        series_description: description.to_owned(),
        series_number: 4,
        slice_thickness_mm: first.slice_thickness.unwrap(),
        image_type: first.image_type.clone(),
        manufacturer: "test".to_owned(),
    };
    write_series(to, &copy).unwrap();
}
