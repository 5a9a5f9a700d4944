//! Writes a PDF as a DICOM object beside the images it tells of.
//!
//! Source: DICOM PS3.3 A.45.1 (Encapsulated PDF), C.24.1 and C.24.2 (Encapsulated Document).

use dicom::core::VR;
use dicom::dictionary_std::{tags, uids};

use super::WriteError;
use super::object::{ObjectToWrite, WrittenObject, common, finish};

/// How a PDF begins.
const PDF: &[u8] = b"%PDF-";

/// A document to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct DocumentToWrite<'a> {
    /// Where it belongs, and who made it.
    pub object: ObjectToWrite<'a>,
    /// Document Title.
    pub title: &'a str,
    /// The PDF.
    pub pdf: &'a [u8],
}

/// The bytes of the object. The document is said to show who the patient is, for the program cannot know that it does not.
///
/// # Errors
/// The bytes are no PDF, or the data set cannot be encoded.
pub fn encapsulated_pdf(document: &DocumentToWrite<'_>) -> Result<WrittenObject, WriteError> {
    if !document.pdf.starts_with(PDF) {
        let reason = "expected a PDF, found a file that does not begin with %PDF-; print the report again".to_owned();
        return Err(WriteError::Object { reason });
    }
    let n_bytes = u32::try_from(document.pdf.len())
        .ok()
        .filter(|n| *n < u32::MAX - 1)
        .ok_or_else(|| WriteError::Object { reason: "a PDF of more than 4 GB fits into no DICOM object".to_owned() })?;
    let item = common("DOC", &document.object)
        .text(tags::CONVERSION_TYPE, VR::CS, "WSD")
        .text(tags::ACQUISITION_DATE_TIME, VR::DT, "")
        .text(tags::BURNED_IN_ANNOTATION, VR::CS, "YES")
        .items(tags::CONCEPT_NAME_CODE_SEQUENCE, [])
        .text(tags::MIME_TYPE_OF_ENCAPSULATED_DOCUMENT, VR::LO, "application/pdf")
        .bytes(tags::ENCAPSULATED_DOCUMENT, document.pdf.to_vec())
        .longs(tags::ENCAPSULATED_DOCUMENT_LENGTH, &[n_bytes]);
    let item = item.text(tags::DOCUMENT_TITLE, VR::ST, document.title);
    finish(uids::ENCAPSULATED_PDF_STORAGE, item, document.object.source)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{grid, object, source};
    use super::*;
    use crate::dicom::element;
    use crate::dicom::file::open_whole;

    #[test]
    fn a_document_of_odd_length_comes_back_whole_and_anything_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (source, _) = source(folder.path(), &grid());
        let document = |pdf| encapsulated_pdf(&DocumentToWrite { object: object(&source), title: "report", pdf });
        let pdf = b"%PDF-1.7\nodd\n";
        let path = folder.path().join("doc.dcm");
        std::fs::write(&path, document(pdf).unwrap().bytes).unwrap();
        let (object, ..) = open_whole(&path).unwrap();
        let n = element::count(&object, tags::ENCAPSULATED_DOCUMENT_LENGTH).unwrap() as usize;
        let bytes = object.get(tags::ENCAPSULATED_DOCUMENT).unwrap().to_bytes().unwrap();
        assert_eq!((&bytes[..n], bytes.len()), (&pdf[..], 14));
        assert_eq!(element::text(&object, tags::STUDY_INSTANCE_UID).as_deref(), Some("1.2.1"));
        assert!(document(b"<html>").is_err());
    }
}
