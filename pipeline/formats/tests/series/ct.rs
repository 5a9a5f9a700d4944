//! A small CT of known voxels, oblique, anisotropic and off-centre, written slice by slice.

use std::path::{Path, PathBuf};

use imaging::{FrameId, Grid, Index3, Point, Shape, Volume};
use jiff::civil::date;
use lesiontrace_formats::dicom::{ModalityToWrite, SeriesToWrite, derived_uid, write_series};
use nalgebra::Rotation3;

/// 7 × 5 voxels on so many slices; `name` makes its frame of reference.
pub(crate) fn ct(name: &str, n_slices: usize) -> Volume<f32> {
    let directions = *Rotation3::from_euler_angles(0.21, -0.13, 0.37).matrix();
    let frame = FrameId::new(derived_uid(&["frame", name]));
    let origin = Point::new(-113.37, 41.9, 612.123_456_7);
    let shape = Shape { ni: 7, nj: 5, nk: n_slices };
    let grid = Grid::from_directions(shape, origin, [0.71, 0.93, 3.3], directions, frame).unwrap();
    Volume::from_fn(grid, |Index3 { i, j, k }| (i * 3 + j * 17 + k * 101) as f32 - 400.0)
}

/// Writes it as one file a slice.
pub(crate) fn write_ct(dir: &Path, volume: &Volume<f32>, series_uid: &str) -> Vec<PathBuf> {
    let at = date(2021, 3, 4).at(10, 11, 12, 0);
    let series = SeriesToWrite {
        volume,
        modality: ModalityToWrite::Ct { kvp: 120.0, contrast: None },
        patient_id: "P1".into(),
        patient_sex: None,
        patient_weight_kg: None,
        patient_height_m: None,
        study_uid: derived_uid(&["study"]),
        sop_instance_uids: (0..volume.shape().nk).map(|k| derived_uid(&["sop", &k.to_string()])).collect(),
        series_uid: series_uid.into(),
        study_datetime: at,
        acquisition_datetime: at,
        study_description: "CT liver".into(),
        series_description: "portal venous".into(),
        series_number: 3,
        slice_thickness_mm: 3.3,
        image_type: vec!["ORIGINAL".into(), "PRIMARY".into(), "AXIAL".into()],
        manufacturer: "lesiontrace".into(),
    };
    write_series(dir, &series).unwrap()
}
