//! Items of a report's content tree.
//!
//! Source: DICOM PS3.3 C.17.3.

use dicom::dictionary_std::tags;
use dicom::object::InMemDicomObject;

use super::Code;
use crate::dicom::element;

/// One item.
#[derive(Debug)]
pub(super) struct Item<'a> {
    pub(super) object: &'a InMemDicomObject,
}

impl<'a> Item<'a> {
    pub(super) fn of(object: &'a InMemDicomObject) -> Self {
        Self { object }
    }

    /// Its items.
    pub(super) fn children(&self) -> impl Iterator<Item = Item<'a>> + use<'a> {
        element::items(self.object, tags::CONTENT_SEQUENCE).iter().map(Item::of)
    }

    /// What it is about.
    pub(super) fn concept(&self) -> Option<Code> {
        code(self.object, tags::CONCEPT_NAME_CODE_SEQUENCE)
    }

    pub(super) fn named(&self, wanted: (&str, &str)) -> bool {
        self.concept().is_some_and(|concept| concept.is(wanted))
    }

    pub(super) fn named_any(&self, wanted: &[(&str, &str)]) -> bool {
        self.concept().is_some_and(|concept| wanted.iter().any(|w| concept.is(*w)))
    }

    /// Value Type, such as NUM.
    pub(super) fn kind(&self) -> String {
        element::text(self.object, tags::VALUE_TYPE).unwrap_or_default()
    }

    /// The value of a CODE item.
    pub(super) fn code(&self) -> Option<Code> {
        code(self.object, tags::CONCEPT_CODE_SEQUENCE)
    }

    /// The value of a TEXT item.
    pub(super) fn text(&self) -> Option<String> {
        element::text(self.object, tags::TEXT_VALUE)
    }

    /// The value of a UIDREF item.
    pub(super) fn uid(&self) -> Option<String> {
        element::text(self.object, tags::UID)
    }

    /// What an IMAGE or COMPOSITE item refers to.
    pub(super) fn reference(&self) -> Option<&'a InMemDicomObject> {
        element::first_item(self.object, tags::REFERENCED_SOP_SEQUENCE)
    }
}

/// The first code of a sequence.
pub(super) fn code(object: &InMemDicomObject, tag: dicom::core::Tag) -> Option<Code> {
    let item = element::first_item(object, tag)?;
    let value = [tags::CODE_VALUE, tags::LONG_CODE_VALUE, tags::URN_CODE_VALUE]
        .into_iter()
        .find_map(|tag| element::text(item, tag))?;
    Some(Code {
        value,
        scheme: element::text(item, tags::CODING_SCHEME_DESIGNATOR).unwrap_or_default(),
        meaning: element::text(item, tags::CODE_MEANING).unwrap_or_default(),
    })
}
