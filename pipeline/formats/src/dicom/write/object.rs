//! A whole object as the bytes of a file, under an identifier derived from its own content.
//!
//! Source: DICOM PS3.10 section 7 (file format); PS3.5 B.2 (UUID derived UIDs); PS3.3 C.12.1.1.2 (character sets).

use dicom::core::VR;
use dicom::core::value::Value;
use dicom::dictionary_std::{tags, uids};
use dicom::object::{FileMetaTableBuilder, InMemDicomObject};
use dicom::transfer_syntax::entries::EXPLICIT_VR_LITTLE_ENDIAN;
use sha2::{Digest, Sha256};

use super::item::Item;
use super::source::SourceImage;
use super::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION, WriteError};
use crate::dicom::file::reason_of;
use crate::dicom::uid::derived_uid;

/// Who made an object, as its equipment.
pub(super) const PROGRAM: &str = "lesiontrace";

/// Unicode.
const UTF_8: &str = "ISO_IR 192";

/// A written object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenObject {
    /// The file (explicit VR little endian).
    pub bytes: Vec<u8>,
    /// SOP Class UID.
    pub sop_class_uid: &'static str,
    /// SOP Instance UID: the same content has the same one.
    pub sop_instance_uid: String,
    /// Series Instance UID: the same for every object of its kind made from one series.
    pub series_uid: String,
    /// Study Instance UID.
    pub study_uid: String,
}

/// What every object derived from a series states of itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ObjectToWrite<'a> {
    /// An image of the series it was made from: patient and study are its.
    pub source: &'a SourceImage,
    /// Series Number.
    pub series_number: u32,
    /// Series Description.
    pub series_description: &'a str,
    /// Version of the program.
    pub version: &'a str,
}

/// The series of the objects of a kind that are made from one series.
pub(super) fn series_uid(modality: &str, source: &SourceImage) -> String {
    derived_uid(&["lesiontrace series", modality, source.study_uid(), source.series_uid()])
}

/// Series, equipment and time. Dates are those of the source, so that the same input gives the same bytes.
pub(super) fn common(modality: &str, object: &ObjectToWrite<'_>) -> Item {
    let [date, time] = object.source.content_date_time();
    Item::new()
        .text(tags::MODALITY, VR::CS, modality)
        .text(tags::SERIES_INSTANCE_UID, VR::UI, &series_uid(modality, object.source))
        .text(tags::SERIES_NUMBER, VR::IS, &object.series_number.to_string())
        .long_string(tags::SERIES_DESCRIPTION, object.series_description)
        .text(tags::INSTANCE_NUMBER, VR::IS, "1")
        .text(tags::CONTENT_DATE, VR::DA, date)
        .text(tags::CONTENT_TIME, VR::TM, time)
        .text(tags::MANUFACTURER, VR::LO, PROGRAM)
        .text(tags::MANUFACTURER_MODEL_NAME, VR::LO, PROGRAM)
        .long_string(tags::DEVICE_SERIAL_NUMBER, object.version)
        .long_string(tags::SOFTWARE_VERSIONS, object.version)
}

/// The file of an object. Its SOP Instance UID is derived from everything else it says.
pub(super) fn finish(
    sop_class_uid: &'static str,
    own: Item,
    source: &SourceImage,
) -> Result<WrittenObject, WriteError> {
    let encode = |reason: String| WriteError::Object { reason };
    let charset = match (source.charset(), is_ascii(&own.object)) {
        (Some(stated), true) => Some(stated),
        (None, true) => None,
        (_, false) => Some(UTF_8),
    };
    let mut item = own.all_of(source.attributes()).text(tags::SOP_CLASS_UID, VR::UI, sop_class_uid);
    if let Some(charset) = charset {
        item = item.text(tags::SPECIFIC_CHARACTER_SET, VR::CS, charset);
    }
    let mut content = Vec::new();
    let syntax = EXPLICIT_VR_LITTLE_ENDIAN.erased();
    item.object.write_dataset_with_ts(&mut content, &syntax).map_err(|e| encode(reason_of(&e)))?;
    let digest: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
    let sop_instance_uid = derived_uid(&["lesiontrace object", sop_class_uid, &digest]);
    let object = item.text(tags::SOP_INSTANCE_UID, VR::UI, &sop_instance_uid).object;
    let series_uid = crate::dicom::element::text(&object, tags::SERIES_INSTANCE_UID).unwrap_or_default();
    let meta = FileMetaTableBuilder::new()
        .transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN)
        .media_storage_sop_class_uid(sop_class_uid)
        .media_storage_sop_instance_uid(&*sop_instance_uid)
        .implementation_class_uid(IMPLEMENTATION_CLASS_UID)
        .implementation_version_name(IMPLEMENTATION_VERSION)
        .build()
        .map_err(|e| encode(reason_of(&e)))?;
    let mut bytes = Vec::with_capacity(content.len() + 512);
    object.with_exact_meta(meta).write_all(&mut bytes).map_err(|e| encode(reason_of(&e)))?;
    Ok(WrittenObject { bytes, sop_class_uid, sop_instance_uid, series_uid, study_uid: source.study_uid().to_owned() })
}

/// Whether every text of a data set can be written in any character set.
pub(super) fn is_ascii(object: &InMemDicomObject) -> bool {
    texts_are(object, &|text| text.is_ascii())
}

/// Whether a rule holds for every text of a data set and its sequences.
pub(super) fn texts_are(object: &InMemDicomObject, rule: &dyn Fn(&str) -> bool) -> bool {
    object.into_iter().all(|element| match element.value() {
        Value::Primitive(_) if is_text(element.vr()) => element.to_str().is_ok_and(|text| rule(&text)),
        Value::Primitive(_) | Value::PixelSequence(_) => true,
        Value::Sequence(sequence) => sequence.items().iter().all(|item| texts_are(item, rule)),
    })
}

/// Whether values of a representation are characters.
fn is_text(vr: VR) -> bool {
    matches!(
        vr,
        VR::AE
            | VR::AS
            | VR::CS
            | VR::DA
            | VR::DS
            | VR::DT
            | VR::IS
            | VR::LO
            | VR::LT
            | VR::PN
            | VR::SH
            | VR::ST
            | VR::TM
            | VR::UC
            | VR::UI
            | VR::UR
            | VR::UT
    )
}
