//! What is done with a file of each kind when an archive holds one: read it, and use all of it.

use std::path::Path;

use imaging::{FrameId, Grid, Point, Shape};
use lesiontrace_formats::archive::index;
use lesiontrace_formats::clinical::ClinicalTables;
use lesiontrace_formats::dicom::geometry::stack;
use lesiontrace_formats::dicom::header::read_headers;
use lesiontrace_formats::dicom::role::candidates_of;
use lesiontrace_formats::dicom::sr::read_measurement_report;
use lesiontrace_formats::dicom::{
    ImageVolume, SeriesRules, SliceHeader, SuvOptions, open_series, read_dose, read_rtstruct, read_segmentation,
    read_series, volumes_of,
};
use lesiontrace_formats::{nifti, nrrd};

/// At most this many masks of one file are made: the next one is made in the same way.
const N_MASKS: usize = 4;

/// At most this many series of an archive are read.
const N_SERIES: usize = 16;

fn frame() -> FrameId {
    FrameId::new("1.2.9")
}

/// A grid on which the seeds' contours and segments lie.
fn grid() -> Grid {
    let (c, s) = (0.5 * 3.0_f64.sqrt(), 0.5);
    let directions = nalgebra::Matrix3::new(c, -s, 0.0, s, c, 0.0, 0.0, 0.0, 1.0);
    let shape = Shape { ni: 24, nj: 20, nk: 4 };
    Grid::from_directions(shape, Point::new(-40.0, 0.0, 397.0), [1.5, 2.0, 3.0], directions, frame())
        .expect("a right-handed grid")
}

/// Headers, volumes and pixels of one file, alone and among slices of a whole series.
pub fn image(path: &Path, siblings: &[SliceHeader]) -> bool {
    let Ok(headers) = read_headers(path) else { return false };
    let Some(first) = headers.first() else { return false };
    let _ = candidates_of(first, SeriesRules::built_in(), headers.len());
    let read = series(headers.clone());
    if !siblings.is_empty() && headers.len() == 1 {
        series(siblings.iter().cloned().chain(headers).collect());
    }
    read
}

/// Whether every volume of the headers could be read.
fn series(headers: Vec<SliceHeader>) -> bool {
    let parts = volumes_of(headers).value;
    parts.iter().take(N_MASKS).all(|part| {
        let _ = stack(&part.headers);
        let read = read_series(&part.headers, &SuvOptions::STANDARD);
        slice_by_slice(&part.headers, read.as_ref().ok().map(|read| &read.value.volume));
        read.is_ok()
    })
}

/// Slices given one by one hold what the whole volume holds; not all are given where there is none.
fn slice_by_slice(headers: &[SliceHeader], whole: Option<&ImageVolume>) {
    let Ok(opened) = open_series(headers, &SuvOptions::STANDARD) else { return };
    let whole = whole.map(ImageVolume::to_values);
    let all_given = opened.value.each_slice(|k, slice| {
        whole.as_ref().is_none_or(|whole| {
            let same = whole.values()[k * slice.len()..].iter().zip(slice).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "slice {k} is another than in the whole");
            true
        })
    });
    assert!(whole.is_some() || !all_given, "all slices are given and there is no whole");
}

/// A segmentation and its masks, on their own grid and on an image's.
pub fn segmentation(path: &Path) -> bool {
    let Ok(read) = read_segmentation(path) else { return false };
    let _ = read.value.pixels_per_frame();
    for segment in read.value.segments.iter().take(N_MASKS) {
        let _ = read.value.mask(segment.number);
        let _ = read.value.mask_on(segment.number, &grid());
    }
    true
}

/// A structure set and its masks.
pub fn structure_set(path: &Path) -> bool {
    let Ok(read) = read_rtstruct(path) else { return false };
    for roi in read.value.rois.iter().take(N_MASKS) {
        let _ = roi.to_mask(&grid());
    }
    true
}

/// A dose.
pub fn dose(path: &Path) -> bool {
    read_dose(path).is_ok()
}

/// A measurement report.
pub fn report(path: &Path) -> bool {
    read_measurement_report(path).is_ok()
}

/// A NIfTI image, its header alone, and the same as labels.
pub fn nifti_image(path: &Path) -> bool {
    let _ = nifti::read_header_grid(path, frame());
    let _ = nifti::read_labels(path, frame());
    nifti::read_image(path, frame()).is_ok()
}

/// A NRRD image, and the same as labels.
pub fn nrrd_image(path: &Path) -> bool {
    let _ = nrrd::read_labels(path, frame());
    nrrd::read_image(path, frame()).is_ok()
}

/// The clinical tables of a folder, and its index.
pub fn clinical(folder: &Path) -> bool {
    let _ = index(folder);
    ClinicalTables::read(folder).is_ok_and(|tables| tables.problems.is_empty())
}

/// An archive, a folder or one zip file: its index, and every image, segmentation and report in it. Whether it holds series and
/// all usable ones could be read.
pub fn archive(path: &Path) -> bool {
    let Ok(index) = index(path) else { return false };
    for file in index.value.nifti_files.iter().take(N_MASKS) {
        nifti_image(file);
    }
    let mut n_read = 0;
    for entry in index.value.series().take(N_SERIES) {
        let read = match (&entry.nifti, entry.headers.first()) {
            (Some(file), _) => nifti_image(&file.path),
            (None, Some(header)) if entry.row.modality == "SEG" => segmentation(&header.path),
            (None, Some(header)) if entry.row.modality == "SR" => report(&header.path),
            (None, _) => series(entry.headers.unpack()),
        };
        if entry.row.usable && !read {
            return false;
        }
        n_read += 1;
    }
    n_read > 0
}

/// Rules for series, asked about a header.
pub fn series_rules(text: &str) -> bool {
    let Ok(rules) = SeriesRules::parse(text) else { return false };
    let header = SliceHeader { series_description: "portal venous 3.0".into(), ..SliceHeader::blank("CT") };
    let _ = rules.candidates(&header, 80);
    true
}
