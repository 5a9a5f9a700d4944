//! What a source image says of its patient, study and frame of reference: copied into the objects made from it, so that an archive
//! files them together.
//!
//! Nothing is added: a name is written only where it stood in the source.
//!
//! Source: DICOM PS3.3 C.7.1.1 (Patient), C.7.1.3 and C.7.2.3 (Clinical Trial), C.7.2.1 (General Study), C.7.2.2 (Patient Study),
//! C.7.4.1 (Frame of Reference).

use std::path::Path;

use dicom::core::header::Header as _;
use dicom::core::{DataElement, PrimitiveValue, Tag, VR};
use dicom::dictionary_std::tags;
use dicom::object::InMemDicomObject;
use imaging::{Note, Noted};

use super::object::texts_are;
use crate::dicom::element;
use crate::dicom::file::open_header;
use crate::dicom::header::HeaderError;

/// Attributes of patient and study that must be there, empty where the source does not say them (type 2).
const STATED: [(Tag, VR); 9] = [
    (tags::PATIENT_NAME, VR::PN),
    (tags::PATIENT_ID, VR::LO),
    (tags::PATIENT_BIRTH_DATE, VR::DA),
    (tags::PATIENT_SEX, VR::CS),
    (tags::STUDY_DATE, VR::DA),
    (tags::STUDY_TIME, VR::TM),
    (tags::REFERRING_PHYSICIAN_NAME, VR::PN),
    (tags::STUDY_ID, VR::SH),
    (tags::ACCESSION_NUMBER, VR::SH),
];

/// Ethnic Group: retired, and still a patient's attribute in older files.
const ETHNIC_GROUP: Tag = Tag(0x0010, 0x2160);

/// Attributes of patient and study that are copied where the source says them.
const COPIED: [Tag; 52] = [
    tags::TIMEZONE_OFFSET_FROM_UTC,
    tags::ISSUER_OF_PATIENT_ID,
    tags::ISSUER_OF_PATIENT_ID_QUALIFIERS_SEQUENCE,
    tags::TYPE_OF_PATIENT_ID,
    tags::PATIENT_BIRTH_TIME,
    tags::OTHER_PATIENT_I_DS_SEQUENCE,
    tags::OTHER_PATIENT_NAMES,
    ETHNIC_GROUP,
    tags::PATIENT_COMMENTS,
    tags::PATIENT_IDENTITY_REMOVED,
    tags::DEIDENTIFICATION_METHOD,
    tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE,
    tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED,
    tags::QUALITY_CONTROL_SUBJECT,
    tags::RESPONSIBLE_PERSON,
    tags::RESPONSIBLE_PERSON_ROLE,
    tags::RESPONSIBLE_ORGANIZATION,
    tags::STUDY_INSTANCE_UID,
    tags::STUDY_DESCRIPTION,
    tags::PROCEDURE_CODE_SEQUENCE,
    tags::PHYSICIANS_OF_RECORD,
    tags::PHYSICIANS_OF_RECORD_IDENTIFICATION_SEQUENCE,
    tags::REFERRING_PHYSICIAN_IDENTIFICATION_SEQUENCE,
    tags::ISSUER_OF_ACCESSION_NUMBER_SEQUENCE,
    tags::NAME_OF_PHYSICIANS_READING_STUDY,
    tags::REASON_FOR_PERFORMED_PROCEDURE_CODE_SEQUENCE,
    tags::ADMITTING_DIAGNOSES_DESCRIPTION,
    tags::ADMITTING_DIAGNOSES_CODE_SEQUENCE,
    tags::PATIENT_AGE,
    tags::PATIENT_SIZE,
    tags::PATIENT_WEIGHT,
    tags::MEDICAL_ALERTS,
    tags::ALLERGIES,
    tags::SMOKING_STATUS,
    tags::PREGNANCY_STATUS,
    tags::OCCUPATION,
    tags::ADDITIONAL_PATIENT_HISTORY,
    tags::ADMISSION_ID,
    tags::SERVICE_EPISODE_ID,
    tags::SERVICE_EPISODE_DESCRIPTION,
    tags::CLINICAL_TRIAL_SPONSOR_NAME,
    tags::CLINICAL_TRIAL_PROTOCOL_ID,
    tags::CLINICAL_TRIAL_PROTOCOL_NAME,
    tags::CLINICAL_TRIAL_SITE_ID,
    tags::CLINICAL_TRIAL_SITE_NAME,
    tags::CLINICAL_TRIAL_SUBJECT_ID,
    tags::CLINICAL_TRIAL_SUBJECT_READING_ID,
    tags::CLINICAL_TRIAL_PROTOCOL_ETHICS_COMMITTEE_NAME,
    tags::CLINICAL_TRIAL_PROTOCOL_ETHICS_COMMITTEE_APPROVAL_NUMBER,
    tags::CLINICAL_TRIAL_TIME_POINT_ID,
    tags::CLINICAL_TRIAL_TIME_POINT_DESCRIPTION,
    tags::CONSENT_FOR_CLINICAL_TRIAL_USE_SEQUENCE,
];

/// Whether and how the source's pixels were compressed with loss: an object made from them must say so.
const LOSSY: [Tag; 3] =
    [tags::LOSSY_IMAGE_COMPRESSION, tags::LOSSY_IMAGE_COMPRESSION_RATIO, tags::LOSSY_IMAGE_COMPRESSION_METHOD];

/// Dates with their times, the one nearest to the taking of the image first.
const MOMENTS: [(Tag, Tag); 4] = [
    (tags::ACQUISITION_DATE, tags::ACQUISITION_TIME),
    (tags::CONTENT_DATE, tags::CONTENT_TIME),
    (tags::SERIES_DATE, tags::SERIES_TIME),
    (tags::STUDY_DATE, tags::STUDY_TIME),
];

/// An image that objects are made from.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceImage {
    attributes: InMemDicomObject,
    lossy: InMemDicomObject,
    charset: Option<String>,
    study_uid: String,
    series_uid: String,
    modality: String,
    patient_id: String,
    frame_uid: Option<String>,
    position_reference: String,
    date: String,
    time: String,
}

/// Reads what is copied of one image; a text that its character set does not let through unchanged is left out, with a note.
///
/// # Errors
/// The file cannot be read, is no DICOM file, or lacks an identifier or any date.
pub fn read_source(path: &Path) -> Result<Noted<SourceImage>, HeaderError> {
    let damaged = |reason: &str| HeaderError::Damaged { path: path.to_owned(), reason: reason.to_owned() };
    let missing = |attribute| HeaderError::Missing { path: path.to_owned(), attribute };
    let (object, ..) = open_header(path)?.ok_or_else(|| damaged("it is no DICOM file"))?;
    let needed = |tag, attribute| element::text(&object, tag).ok_or_else(|| missing(attribute));
    let mut notes = Vec::new();
    let attributes = attributes_of(&object, &mut notes);
    let moment = MOMENTS.iter().find_map(|(date, time)| {
        let day = element::date(&object, *date)?;
        let clock = element::text(&object, *time).filter(|t| element::parse_time(t).is_some());
        Some((day.strftime("%Y%m%d").to_string(), clock.unwrap_or_else(|| "000000".to_owned())))
    });
    let (date, time) = moment.ok_or_else(|| missing("Study Date (0008,0020) nor any other date"))?;
    let source = SourceImage {
        lossy: copied(&object, &LOSSY),
        charset: element::text(&object, tags::SPECIFIC_CHARACTER_SET),
        study_uid: needed(tags::STUDY_INSTANCE_UID, "Study Instance UID (0020,000D)")?,
        series_uid: needed(tags::SERIES_INSTANCE_UID, "Series Instance UID (0020,000E)")?,
        patient_id: needed(tags::PATIENT_ID, "Patient ID (0010,0020)")?,
        modality: element::text(&object, tags::MODALITY).unwrap_or_default(),
        frame_uid: element::text(&object, tags::FRAME_OF_REFERENCE_UID),
        position_reference: element::text(&object, tags::POSITION_REFERENCE_INDICATOR).unwrap_or_default(),
        attributes,
        date,
        time,
    };
    Ok(Noted::new(source, notes))
}

fn copied(object: &InMemDicomObject, wanted: &[Tag]) -> InMemDicomObject {
    InMemDicomObject::from_element_iter(wanted.iter().filter_map(|tag| object.get(*tag).cloned()))
}

/// The attributes to copy. A text with an escape or a replacement character did not come through its character set.
fn attributes_of(object: &InMemDicomObject, notes: &mut Vec<Note>) -> InMemDicomObject {
    let all = copied(object, &STATED.map(|(tag, _)| tag)).into_iter().chain(copied(object, &COPIED));
    let is_whole = |text: &str| !text.contains(['\u{1b}', '\u{fffd}']);
    let mut kept = InMemDicomObject::new_empty();
    let mut lost = Vec::new();
    for element in all {
        let tag = element.tag();
        let one = InMemDicomObject::from_element_iter([element]);
        if texts_are(&one, &is_whole) {
            one.into_iter().for_each(|element| drop(kept.put(element)));
        } else {
            lost.push(tag.to_string());
        }
    }
    for (tag, vr) in STATED {
        if kept.get(tag).is_none() {
            kept.put(DataElement::new(tag, vr, PrimitiveValue::Empty));
        }
    }
    if !lost.is_empty() {
        let message = format!(
            "texts in a character set that is not carried over are left out of the objects written: {}",
            lost.join(", ")
        );
        notes.push(Note::warning("text_not_copied", "source image", message));
    }
    kept
}

impl SourceImage {
    /// Study Instance UID.
    #[must_use]
    pub fn study_uid(&self) -> &str {
        &self.study_uid
    }
    /// Series Instance UID.
    #[must_use]
    pub fn series_uid(&self) -> &str {
        &self.series_uid
    }
    /// Patient ID.
    #[must_use]
    pub fn patient_id(&self) -> &str {
        &self.patient_id
    }
    /// Modality.
    #[must_use]
    pub fn modality(&self) -> &str {
        &self.modality
    }
    pub(super) fn attributes(&self) -> &InMemDicomObject {
        &self.attributes
    }
    pub(super) fn lossy(&self) -> &InMemDicomObject {
        &self.lossy
    }
    pub(super) fn charset(&self) -> Option<&str> {
        self.charset.as_deref()
    }
    pub(super) fn frame_uid(&self) -> Option<&str> {
        self.frame_uid.as_deref()
    }
    /// Study Date as written.
    pub(super) fn study_date(&self) -> Option<String> {
        element::text(&self.attributes, tags::STUDY_DATE)
    }
    pub(super) fn position_reference(&self) -> &str {
        &self.position_reference
    }
    pub(super) fn content_date_time(&self) -> [&str; 2] {
        [&self.date, &self.time]
    }
}
