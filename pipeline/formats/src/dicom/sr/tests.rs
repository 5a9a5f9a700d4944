//! A report written by highdicom 0.28.2 (`scripts/make_measurement_report.py`), one of dcmqi, and single rules by hand.

use std::path::Path;

use super::*;
use crate::dicom::header::SliceHeader;

/// The slice the report of highdicom refers to.
fn slice() -> SliceHeader {
    SliceHeader {
        sop_instance_uid: "1.2.826.0.1.55.3".to_owned(),
        frame_uid: Some("1.2.826.0.1.55.9".to_owned()),
        position: Some([-120.5, 40.25, -310.0]),
        orientation: Some([0.96, 0.28, 0.0, -0.28, 0.96, 0.0]),
        pixel_spacing: Some([0.6, 0.8]),
        rows: 64,
        columns: 64,
        ..SliceHeader::blank("CT")
    }
}

fn highdicom() -> MeasurementReport {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test_data/oracles/sr/measurement_report.dcm");
    read_measurement_report(&path).unwrap().value
}

#[test]
fn a_report_of_highdicom_is_read_whole() {
    let report = highdicom();
    assert_eq!(report.patient_id, "SR-1");
    assert_eq!(report.referenced_series, ["1.2.826.0.1.55.2", "1.2.826.0.1.55.4"]);
    let [line, outline, volume] = report.groups.as_slice() else { panic!("{}", report.groups.len()) };
    assert_eq!((line.name().as_str(), line.tracking_uid.as_deref()), ("T1", Some("1.2.826.0.1.55.21")));
    assert_eq!(line.sites[0].meaning, "Liver");
    assert_eq!(line.finding.as_ref().unwrap().meaning, "Neoplasm");
    let numbers =
        |group: &SrGroup| group.measurements.iter().map(|m| (m.quantity, m.value.clone())).collect::<Vec<_>>();
    let of_line = numbers(line);
    // 1.835755975 cm.
    assert!(matches!(of_line[0], (Quantity::LongAxis, Value::Number(mm)) if (mm - 18.357_559_75).abs() < 1e-9));
    assert_eq!(of_line[1], (Quantity::ShortAxis, Value::Number(9.25)));
    assert_eq!(numbers(outline), [(Quantity::SuvMax, Value::Number(6.25))]);
    assert_eq!(numbers(volume)[0], (Quantity::Volume, Value::Number(4.218_75)));
    let Value::NotEvaluable(reason) = &numbers(volume)[1].1 else { panic!("a length in seconds") };
    assert!(reason.contains("mm") && reason.contains("\"s\""), "{reason}");
    let segment = volume.segment.as_ref().unwrap();
    assert_eq!((segment.sop_instance_uid.as_str(), segment.numbers.as_slice()), ("1.2.826.0.1.55.5", &[2][..]));
}

#[test]
fn coordinates_land_in_the_patient_or_are_refused_with_the_reason() {
    let (report, slice) = (highdicom(), slice());
    let [line, outline, volume] = report.groups.as_slice() else { panic!("{}", report.groups.len()) };
    // Printed by the script: [-109.76, 60.57, -310.0] and [10.0, -52.0, 12.5].
    for (group, expected) in [(line, [-109.76, 60.57, -310.0]), (outline, [10.0, -52.0, 12.5])] {
        let (centre, frame) = group.centre(&[&slice]).unwrap();
        assert_eq!(frame, FrameId::new("1.2.826.0.1.55.9"));
        assert!(centre.distance(Point::new(expected[0], expected[1], expected[2])) < 1e-6, "{:?}", centre.to_array());
    }
    let reason = |group: &SrGroup, headers: &[&SliceHeader]| group.centre(headers).unwrap_err().to_string();
    assert!(reason(line, &[]).contains("T1: the image its coordinates refer to is not among"));
    assert!(reason(volume, &[&slice]).contains("no coordinates"));
    let without = SliceHeader { orientation: None, ..slice.clone() };
    assert!(reason(line, &[&without]).contains("no position, orientation"));
    let of_other_frame = SliceHeader { frame: Some(3), n_frames: 8, ..slice };
    assert!(reason(line, &[&of_other_frame]).contains("not by one frame"));
}

#[test]
fn other_files_are_refused_by_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.dcm");
    std::fs::write(&path, "no DICOM").unwrap();
    assert!(read_measurement_report(&path).is_err());
}

#[test]
fn the_report_of_dcmqi_says_the_volume_of_its_segmentation() {
    let Some(folder) = testkit::real_data("dicom_interop/sr-example") else { return };
    let report = read_measurement_report(&folder.join("sr.dcm")).unwrap().value;
    let [group] = report.groups.as_slice() else { panic!("{}", report.groups.len()) };
    assert_eq!(group.name(), "primary tumor");
    assert_eq!(group.finding.as_ref().unwrap().meaning, "Neoplasm, Primary");
    assert_eq!(group.sites[0].meaning, "pharyngeal tonsil (adenoid)");
    let number = |quantity| {
        let found = group.measurements.iter().find(|m| m.quantity == quantity).map(|m| m.value.clone());
        let Some(Value::Number(number)) = found else { panic!("{quantity:?}") };
        number
    };
    assert_eq!(number(Quantity::Volume), 33.5824);
    assert_eq!(
        [Quantity::SuvMean, Quantity::SuvMin, Quantity::SuvMax, Quantity::SuvPeak].map(number),
        [6.01529, 2.91136, 10.3814, 9.45534]
    );
    let segmentation = crate::dicom::read_segmentation(&folder.join("seg.dcm")).unwrap().value;
    let segment = group.segment.as_ref().unwrap();
    assert_eq!(segment.sop_instance_uid, segmentation.sop_instance_uid);
    let mask = segmentation.mask(segment.numbers[0]).unwrap();
    let volume_ml = mask.n_voxels_set() as f64 * mask.grid().voxel_volume_mm3() / 1000.0;
    assert!((volume_ml - number(Quantity::Volume)).abs() < 1e-4, "{volume_ml}");
    assert_eq!(report.referenced_series.len(), 3);
}
