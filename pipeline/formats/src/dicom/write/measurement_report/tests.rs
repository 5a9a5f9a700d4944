//! What is written is read back by this program's own reader: identities, numbers, and where lines lie in the patient.

use std::path::Path;

use imaging::Index3;

use super::super::fixture::{grid, object, outlines, segment, source};
use super::super::segmentation::{SegmentationToWrite, segmentation};
use super::super::{SegmentVoxels, read_source};
use super::*;
use crate::dicom::element;
use crate::dicom::file::open_whole;
use crate::dicom::header::{SliceHeader, read_header};
use crate::dicom::sr::{Quantity, Region, Value, read_measurement_report};

fn number(concept: (&str, &str), value: f64, unit: &str, line: Option<LineToWrite>) -> MeasurementToWrite {
    MeasurementToWrite {
        concept: Code::new(concept.0, "SCT", concept.1),
        derivation: None,
        value,
        unit: Code::new(unit, "UCUM", unit),
        line,
    }
}

fn group(region: RegionToWrite, measurements: Vec<MeasurementToWrite>) -> GroupToWrite {
    GroupToWrite {
        tracking: Tracking { identifier: "L1 é".to_owned(), uid: "2.25.11".to_owned() },
        finding: Code::new("108369006", "SCT", "Neoplasm"),
        site: Some(Code::new("10200004", "SCT", "Liver")),
        observer: None,
        region,
        measurements,
        evaluations: vec![EvaluationToWrite {
            concept: Code::new("lesion_state", OWN_SCHEME, "State of the lesion"),
            answer: Answer::Code(Code::new("local_progression", OWN_SCHEME, "local progression")),
            method: None,
        }],
    }
}

/// Two axes of a lesion in slice 1, given in voxels: one on the image, the other in the patient.
fn groups(slices: &[SourceSlice]) -> Vec<GroupToWrite> {
    let grid = grid();
    let at = |i: usize, j: usize| grid.center(Index3 { i, j, k: 1 });
    let on_image = LineToWrite::InImage { ends: [[1.5, 1.5], [3.0, 2.25]], image: slices[1].clone() };
    let in_patient = LineToWrite::InPatient { ends: [at(2, 1), at(2, 2)], frame: grid.frame().clone() };
    let region = RegionToWrite::SegmentFrame { frame: 1, image: slices[1].clone() };
    vec![
        group(
            region,
            vec![
                number(("103339001", "Long axis"), 18.37, "mm", Some(on_image)),
                number(("103340004", "Short axis"), 9.25, "mm", Some(in_patient)),
            ],
        ),
        group(RegionToWrite::Segment(1), vec![number(("118565006", "Volume"), 4218.75, "mm3", None)]),
        group(RegionToWrite::Nothing, Vec::new()),
    ]
}

fn written(folder: &Path) -> (std::path::PathBuf, WrittenSegmentation) {
    let grid = grid();
    let (source, slices) = source(folder, &grid);
    let (lesions, _) = outlines(&grid);
    let segments = [segment("L1", SegmentVoxels::Label(&lesions, 1), Some("2.25.11"))];
    let to_write = SegmentationToWrite { object: object(&source), grid: &grid, slices: &slices, segments: &segments };
    let seg = segmentation(&to_write).unwrap();
    let response = EvaluationToWrite {
        concept: Code::new("112020", "DCM", "Response Evaluation"),
        answer: Answer::Code(Code::new("C35571", "NCIt", "Progressive Disease")),
        method: Some(Code::new("126081", "DCM", "RECIST 1.1")),
    };
    let report = ReportToWrite {
        object: object(&source),
        slices: &slices,
        segmentation: Some(&seg),
        procedure: Code::new("25045-6", "LN", "CT unspecified body region"),
        modality: Code::new("CT", "DCM", "Computed Tomography"),
        time_point: TimePoint { name: "2024-03-01".to_owned(), days_since_baseline: Some(60) },
        groups: &groups(&slices),
        evaluations: &[response],
        predecessor: None,
    };
    let object = measurement_report(&report).unwrap();
    assert_eq!(object, measurement_report(&report).unwrap(), "the same report gives the same bytes");
    let path = folder.join("sr.dcm");
    std::fs::write(&path, &object.bytes).unwrap();
    (path, seg)
}

#[test]
fn identities_numbers_and_references_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let (path, seg) = written(folder.path());
    let noted = read_measurement_report(&path).unwrap();
    assert_eq!(noted.notes, []);
    let report = noted.value;
    assert_eq!((report.patient_id.as_str(), report.study_uid.as_str()), ("P 1", "1.2.1"));
    assert_eq!(report.referenced_series, ["1.2.2".to_owned(), seg.object.series_uid.clone()]);
    let [planar, volumetric, bare] = report.groups.as_slice() else { panic!("{}", report.groups.len()) };
    for group in &report.groups {
        assert_eq!((group.name().as_str(), group.tracking_uid.as_deref()), ("L1 é", Some("2.25.11")));
        assert_eq!(group.sites[0].meaning, "Liver");
    }
    let segment = volumetric.segment.as_ref().unwrap();
    assert_eq!((&segment.sop_instance_uid, &segment.numbers[..]), (&seg.object.sop_instance_uid, &[1][..]));
    let numbers: Vec<_> = planar.measurements.iter().map(|m| (m.quantity, m.value.clone())).collect();
    assert_eq!(numbers, [(Quantity::LongAxis, Value::Number(18.37)), (Quantity::ShortAxis, Value::Number(9.25))]);
    // Read in ml.
    assert_eq!(volumetric.measurements[0].value, Value::Number(4.218_75));
    assert_eq!(volumetric.source_series, ["1.2.2"]);
    assert_eq!((bare.measurements.len(), &bare.segment), (0, &None));
}

#[test]
fn a_line_on_an_image_lies_in_the_patient_where_it_was_measured() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = written(folder.path());
    let report = read_measurement_report(&path).unwrap().value;
    let headers: Vec<SliceHeader> =
        (1..=6).map(|n| read_header(&folder.path().join(format!("IM{n:04}.dcm"))).unwrap().unwrap()).collect();
    let headers: Vec<&SliceHeader> = headers.iter().collect();
    let ends = |n: usize| {
        let region: &Region = &report.groups[0].measurements[n].regions[0];
        let (points, frame) = region.in_patient(&headers).unwrap();
        assert_eq!(&frame, grid().frame());
        points
    };
    // Columns 1.5 and 3 are voxels 1 and 2.5, rows 1.5 and 2.25 are voxels 1 and 1.75; coordinates are of single precision.
    let voxel = |i: f64, j: f64| grid().voxel_to_patient().apply(imaging::Point::new(i, j, 1.0));
    let expected = [[voxel(1.0, 1.0), voxel(2.5, 1.75)], [voxel(2.0, 1.0), voxel(2.0, 2.0)]];
    for (n, expected) in expected.iter().enumerate() {
        for (found, expected) in ends(n).iter().zip(expected) {
            assert!(found.distance(*expected) < 1e-4, "{n}: {:?} {:?}", found.to_array(), expected.to_array());
        }
    }
}

#[test]
fn the_response_is_a_coded_observation_with_its_method() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = written(folder.path());
    let (object, ..) = open_whole(&path).unwrap();
    let named = |items: &[dicom::object::InMemDicomObject], value: &str| {
        items
            .iter()
            .find(|item| {
                let concept = element::first_item(item, tags::CONCEPT_NAME_CODE_SEQUENCE);
                concept.and_then(|c| element::text(c, tags::CODE_VALUE)).as_deref() == Some(value)
            })
            .cloned()
            .unwrap_or_else(|| panic!("no {value}"))
    };
    let evaluations = named(element::items(&object, tags::CONTENT_SEQUENCE), "C0034375");
    let response = named(element::items(&evaluations, tags::CONTENT_SEQUENCE), "112020");
    let meaning = |item: &dicom::object::InMemDicomObject| {
        element::first_item(item, tags::CONCEPT_CODE_SEQUENCE).and_then(|c| element::text(c, tags::CODE_MEANING))
    };
    assert_eq!(meaning(&response).as_deref(), Some("Progressive Disease"));
    let method = named(element::items(&response, tags::CONTENT_SEQUENCE), "112021");
    assert_eq!(meaning(&method).as_deref(), Some("RECIST 1.1"));
}

#[test]
fn a_group_on_a_segment_needs_its_segmentation_and_a_number_is_finite() {
    let folder = tempfile::tempdir().unwrap();
    let (_, slices) = source(folder.path(), &grid());
    let source = read_source(&folder.path().join("IM0001.dcm")).unwrap().value;
    let report = ReportToWrite {
        object: object(&source),
        slices: &slices,
        segmentation: None,
        procedure: Code::new("25045-6", "LN", "CT unspecified body region"),
        modality: Code::new("CT", "DCM", "Computed Tomography"),
        time_point: TimePoint { name: "2024-03-01".to_owned(), days_since_baseline: None },
        groups: &[group(RegionToWrite::Segment(1), Vec::new())],
        evaluations: &[],
        predecessor: None,
    };
    assert!(measurement_report(&report).is_err());
    let nan = group(RegionToWrite::Nothing, vec![number(("118565006", "Volume"), f64::NAN, "mm3", None)]);
    assert!(measurement_report(&ReportToWrite { groups: &[nan], ..report }).is_err());
}

#[test]
fn a_persons_group_names_the_person_and_a_report_names_the_one_it_replaces() {
    let folder = tempfile::tempdir().unwrap();
    let (_, slices) = source(folder.path(), &grid());
    let source = read_source(&folder.path().join("IM0001.dcm")).unwrap().value;
    let axis = || number(("103339001", "Long axis"), 18.37, "mm", None);
    let by_person =
        GroupToWrite { observer: Some("Dr  J\\ones^=".to_owned()), ..group(RegionToWrite::Nothing, vec![axis()]) };
    let report = ReportToWrite {
        object: object(&source),
        slices: &slices,
        segmentation: None,
        procedure: Code::new("25045-6", "LN", "CT unspecified body region"),
        modality: Code::new("CT", "DCM", "Computed Tomography"),
        time_point: TimePoint { name: "2024-03-01".to_owned(), days_since_baseline: None },
        groups: &[by_person, group(RegionToWrite::Nothing, vec![axis()])],
        evaluations: &[],
        predecessor: Some("2.25.77"),
    };
    let written = measurement_report(&report).unwrap();
    let path = folder.path().join("sr.dcm");
    std::fs::write(&path, &written.bytes).unwrap();
    let (object, ..) = open_whole(&path).unwrap();
    let study = element::first_item(&object, tags::PREDECESSOR_DOCUMENTS_SEQUENCE).unwrap();
    let series = element::first_item(study, tags::REFERENCED_SERIES_SEQUENCE).unwrap();
    let reference = element::first_item(series, tags::REFERENCED_SOP_SEQUENCE).unwrap();
    assert_eq!(element::text(reference, tags::REFERENCED_SOP_INSTANCE_UID).as_deref(), Some("2.25.77"));
    assert_eq!(element::text(series, tags::SERIES_INSTANCE_UID), Some(written.series_uid.clone()));
    let is = |item: &&dicom::object::InMemDicomObject, value: &str| {
        let concept = element::first_item(item, tags::CONCEPT_NAME_CODE_SEQUENCE);
        concept.and_then(|c| element::text(c, tags::CODE_VALUE)).as_deref() == Some(value)
    };
    let children = |item| element::items(item, tags::CONTENT_SEQUENCE);
    let measured = children(&object).iter().find(|item| is(item, "126010")).unwrap();
    let names: Vec<Option<String>> = children(measured)
        .iter()
        .map(|group| {
            children(group)
                .iter()
                .find(|item| is(item, "121008"))
                .and_then(|item| element::text(item, tags::PERSON_NAME))
        })
        .collect();
    assert_eq!(names, [Some("Dr J ones".to_owned()), None]);
    assert_eq!(read_measurement_report(&path).unwrap().value.groups.len(), 2);
    let alone = measurement_report(&ReportToWrite { predecessor: None, ..report }).unwrap();
    assert_ne!(alone.sop_instance_uid, written.sop_instance_uid);
}
