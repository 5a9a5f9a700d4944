//! A small CT series on a grid that is oblique, anisotropic and off centre, and outlines on it, for the tests of what is made from a
//! series.

use std::path::Path;

use imaging::{FrameId, Grid, LabelMap, Mask, Point, Shape, Volume};
use jiff::civil::date;
use nalgebra::Rotation3;

use super::{
    ModalityToWrite, ObjectToWrite, OutlineMethod, SegmentToWrite, SegmentVoxels, SeriesToWrite, SourceImage,
    SourceSlice, Tracking, read_source, write_series,
};
use crate::dicom::header::read_header;
use crate::dicom::sr::Code;

/// 7 x 5 x 6 voxels of 0.8 x 1.1 x 3 mm: 35 pixels a frame, so that frames do not end with bytes.
pub(super) fn grid() -> Grid {
    let directions = *Rotation3::from_euler_angles(0.3, -0.2, 0.5).matrix();
    let shape = Shape { ni: 7, nj: 5, nk: 6 };
    Grid::from_directions(shape, Point::new(-31.25, 12.5, 402.0), [0.8, 1.1, 3.0], directions, FrameId::new("1.2.9"))
        .unwrap()
}

/// A CT series on the grid, and what is copied of its first slice.
pub(super) fn source(folder: &Path, grid: &Grid) -> (SourceImage, Vec<SourceSlice>) {
    let uids: Vec<String> = (1..=6).map(|k| format!("1.2.3.{k}")).collect();
    let series = SeriesToWrite {
        volume: &Volume::filled(grid.clone(), 40.0),
        modality: ModalityToWrite::Ct { kvp: 120.0, contrast: None },
        patient_id: "P 1".to_owned(),
        patient_sex: Some("F".to_owned()),
        patient_weight_kg: Some(61.5),
        patient_height_m: None,
        study_uid: "1.2.1".to_owned(),
        series_uid: "1.2.2".to_owned(),
        sop_instance_uids: uids.clone(),
        study_datetime: date(2024, 3, 1).at(9, 30, 0, 0),
        acquisition_datetime: date(2024, 3, 1).at(9, 41, 2, 0),
        study_description: "Leber".to_owned(),
        series_description: "portal".to_owned(),
        series_number: 3,
        slice_thickness_mm: 3.0,
        image_type: vec!["ORIGINAL".to_owned(), "PRIMARY".to_owned(), "AXIAL".to_owned()],
        manufacturer: "test".to_owned(),
    };
    let files = write_series(folder, &series).unwrap();
    let slice = |path: &std::path::PathBuf| {
        let header = read_header(path).unwrap().unwrap();
        SourceSlice { sop_class_uid: header.sop_class_uid, sop_instance_uid: header.sop_instance_uid, frame: None }
    };
    let noted = read_source(&files[0]).unwrap();
    assert_eq!(noted.notes, []);
    (noted.value, files.iter().map(slice).collect())
}

pub(super) fn segment<'a>(label: &str, voxels: SegmentVoxels<'a>, tracking: Option<&str>) -> SegmentToWrite<'a> {
    SegmentToWrite {
        label: label.to_owned(),
        description: None,
        category: Code::new("49755003", "SCT", "Morphologically Abnormal Structure"),
        property_type: Code::new("108369006", "SCT", "Neoplasm"),
        region: Some(Code::new("10200004", "SCT", "Liver")),
        tracking: tracking.map(|uid| Tracking { identifier: label.to_owned(), uid: uid.to_owned() }),
        method: OutlineMethod::Automatic("net-1".to_owned()),
        voxels,
    }
}

/// Two lesions in one map, and an organ round the first of them.
pub(super) fn outlines(grid: &Grid) -> (LabelMap, Mask) {
    let (mut lesions, mut organ) = (Volume::filled(grid.clone(), 0_u16), Volume::filled(grid.clone(), false));
    for (i, j, k) in [(1, 1, 1), (2, 1, 1), (2, 2, 1), (2, 1, 4)] {
        lesions.data_mut()[[k, j, i]] = 1;
        organ.data_mut()[[k, j, i]] = true;
    }
    lesions.data_mut()[[5, 4, 6]] = 9;
    organ.data_mut()[[0, 3, 0]] = true;
    (lesions, organ)
}

pub(super) fn object(source: &SourceImage) -> ObjectToWrite<'_> {
    ObjectToWrite { source, series_number: 901, series_description: "outlines", version: "0.1.0" }
}
