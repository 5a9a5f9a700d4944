//! Writes outlines on slices of one series as an RT structure set.
//!
//! Source: DICOM PS3.3 A.19 (RT Structure Set), C.8.8.5 (Structure Set), C.8.8.6 (ROI Contour).

use std::path::Path;

use dicom::core::value::DataSetSequence;
use dicom::core::{DataElement, PrimitiveValue, Tag, VR};
use dicom::dictionary_std::{tags, uids};
use dicom::object::{FileMetaTableBuilder, InMemDicomObject};
use jiff::civil::Date;

use super::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION, WriteError};
use crate::dicom::decimal::decimal_string;
use crate::dicom::file::reason_of;
use crate::dicom::rtstruct::Roi;

/// A structure set to be written: regions drawn on one series.
#[derive(Debug, Clone)]
pub struct StructureSetToWrite<'a> {
    /// Patient ID.
    pub patient_id: &'a str,
    /// Study Date.
    pub study_date: Date,
    /// Study Instance UID of the series drawn on.
    pub study_uid: &'a str,
    /// Series Instance UID of the series drawn on.
    pub referenced_series_uid: &'a str,
    /// Frame of Reference UID of the series drawn on.
    pub frame_uid: &'a str,
    /// Series Instance UID of the structure set itself.
    pub series_uid: &'a str,
    /// SOP Instance UID of the structure set.
    pub sop_instance_uid: &'a str,
    /// The regions; coordinates in LPS mm.
    pub regions: &'a [Roi],
}

/// Writes one file.
///
/// # Errors
/// The file cannot be written, or its values cannot be encoded.
pub fn write_structure_set(path: &Path, set: &StructureSetToWrite<'_>) -> Result<(), WriteError> {
    let encode = |reason: String| WriteError::Encode { k: 0, reason };
    let meta = FileMetaTableBuilder::new()
        .transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN)
        .media_storage_sop_class_uid(uids::RT_STRUCTURE_SET_STORAGE)
        .media_storage_sop_instance_uid(set.sop_instance_uid)
        .implementation_class_uid(IMPLEMENTATION_CLASS_UID)
        .implementation_version_name(IMPLEMENTATION_VERSION)
        .build()
        .map_err(|e| encode(reason_of(&e)))?;
    let mut bytes = Vec::new();
    data_set(set).with_exact_meta(meta).write_all(&mut bytes).map_err(|e| encode(reason_of(&e)))?;
    std::fs::write(path, bytes).map_err(|source| WriteError::Io { path: path.to_owned(), source })
}

fn text(item: &mut InMemDicomObject, tag: Tag, vr: VR, value: &str) {
    item.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
}

fn sequence(item: &mut InMemDicomObject, tag: Tag, items: Vec<InMemDicomObject>) {
    item.put(DataElement::new(tag, VR::SQ, DataSetSequence::from(items)));
}

fn data_set(set: &StructureSetToWrite<'_>) -> InMemDicomObject {
    let mut object = InMemDicomObject::new_empty();
    text(&mut object, tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192");
    text(&mut object, tags::SOP_CLASS_UID, VR::UI, uids::RT_STRUCTURE_SET_STORAGE);
    text(&mut object, tags::SOP_INSTANCE_UID, VR::UI, set.sop_instance_uid);
    text(&mut object, tags::STUDY_DATE, VR::DA, &set.study_date.strftime("%Y%m%d").to_string());
    text(&mut object, tags::MODALITY, VR::CS, "RTSTRUCT");
    text(&mut object, tags::PATIENT_NAME, VR::PN, "");
    text(&mut object, tags::PATIENT_ID, VR::LO, set.patient_id);
    text(&mut object, tags::STUDY_INSTANCE_UID, VR::UI, set.study_uid);
    text(&mut object, tags::SERIES_INSTANCE_UID, VR::UI, set.series_uid);
    text(&mut object, tags::STRUCTURE_SET_LABEL, VR::SH, "outlines");
    sequence(&mut object, tags::REFERENCED_FRAME_OF_REFERENCE_SEQUENCE, vec![reference(set)]);
    sequence(&mut object, tags::STRUCTURE_SET_ROI_SEQUENCE, set.regions.iter().map(|roi| named(roi, set)).collect());
    sequence(&mut object, tags::ROI_CONTOUR_SEQUENCE, set.regions.iter().map(contours).collect());
    object
}

/// The series the outlines were drawn on.
fn reference(set: &StructureSetToWrite<'_>) -> InMemDicomObject {
    let (mut series, mut study, mut frame) =
        (InMemDicomObject::new_empty(), InMemDicomObject::new_empty(), InMemDicomObject::new_empty());
    text(&mut series, tags::SERIES_INSTANCE_UID, VR::UI, set.referenced_series_uid);
    text(&mut study, tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, set.study_uid);
    sequence(&mut study, tags::RT_REFERENCED_SERIES_SEQUENCE, vec![series]);
    text(&mut frame, tags::FRAME_OF_REFERENCE_UID, VR::UI, set.frame_uid);
    sequence(&mut frame, tags::RT_REFERENCED_STUDY_SEQUENCE, vec![study]);
    frame
}

fn named(roi: &Roi, set: &StructureSetToWrite<'_>) -> InMemDicomObject {
    let mut item = InMemDicomObject::new_empty();
    text(&mut item, tags::ROI_NUMBER, VR::IS, &roi.number.to_string());
    text(&mut item, tags::REFERENCED_FRAME_OF_REFERENCE_UID, VR::UI, set.frame_uid);
    text(&mut item, tags::ROI_NAME, VR::LO, &roi.name);
    item
}

fn contours(roi: &Roi) -> InMemDicomObject {
    let mut item = InMemDicomObject::new_empty();
    text(&mut item, tags::REFERENCED_ROI_NUMBER, VR::IS, &roi.number.to_string());
    let drawn = roi.contours.iter().map(|contour| {
        let mut item = InMemDicomObject::new_empty();
        let numbers = contour.corners.iter().flat_map(|p| p.to_array());
        let data: Vec<String> = numbers.map(|mm| decimal_string(mm).unwrap_or_default()).collect();
        text(&mut item, tags::CONTOUR_GEOMETRIC_TYPE, VR::CS, "CLOSED_PLANAR");
        text(&mut item, tags::NUMBER_OF_CONTOUR_POINTS, VR::IS, &contour.corners.len().to_string());
        text(&mut item, tags::CONTOUR_DATA, VR::DS, &data.join("\\"));
        item
    });
    sequence(&mut item, tags::CONTOUR_SEQUENCE, drawn.collect());
    item
}

#[cfg(test)]
mod tests {
    use imaging::{FrameId, Point};
    use jiff::civil::date;

    use super::*;
    use crate::dicom::read_rtstruct;
    use crate::dicom::rtstruct::ClosedContour;

    #[test]
    fn a_structure_set_comes_back_with_its_regions_and_the_series_it_refers_to() {
        let corners = [[-30.5, 12.25, 400.0], [-20.5, 12.25, 400.0], [-20.5, 31.75, 400.0]].map(Point::from).to_vec();
        let roi = Roi {
            number: 3,
            name: "GTV ä".to_owned(),
            frame: Some(FrameId::new("1.2.9")),
            contours: vec![ClosedContour { corners }],
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set.dcm");
        let set = StructureSetToWrite {
            patient_id: "P1",
            study_date: date(2024, 3, 1),
            study_uid: "1.2.1",
            referenced_series_uid: "1.2.2",
            frame_uid: "1.2.9",
            series_uid: "1.2.3",
            sop_instance_uid: "1.2.4",
            regions: std::slice::from_ref(&roi),
        };
        write_structure_set(&path, &set).unwrap();
        let back = read_rtstruct(&path).unwrap();
        assert_eq!(back.notes, []);
        assert_eq!(back.value.rois, [roi]);
        assert_eq!(back.value.referenced_series.into_iter().collect::<Vec<_>>(), ["1.2.2"]);
    }
}
