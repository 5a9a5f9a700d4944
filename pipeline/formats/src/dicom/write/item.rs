//! Builds data sets element by element: what segmentations, reports and documents are put together from.
//!
//! Source: DICOM PS3.5 section 6.2 (value representations), section 7.5 (sequences); PS3.3 table 8.8-1 (Code Sequence macro).

use dicom::core::value::DataSetSequence;
use dicom::core::{DataElement, PrimitiveValue, Tag, VR};
use dicom::dictionary_std::tags;
use dicom::object::InMemDicomObject;

use crate::dicom::decimal::decimal_string;
use crate::dicom::sr::Code;

/// Longest Code Value; a longer one goes into Long Code Value.
const SHORT_STRING: usize = 16;

/// Longest value of representation LO.
const LONG_STRING: usize = 64;

/// Longest value of representation LT.
const LONG_TEXT: usize = 10_240;

/// A data set, or an item of a sequence, under construction.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) object: InMemDicomObject,
}

impl Item {
    pub(super) fn new() -> Self {
        Self { object: InMemDicomObject::new_empty() }
    }

    /// A text as it is; several values are joined by backslashes.
    pub(super) fn text(mut self, tag: Tag, vr: VR, value: &str) -> Self {
        self.object.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
        self
    }

    /// A text of any length and content as a value of representation LO: what it cannot hold becomes a blank, what is longer is cut.
    pub(super) fn long_string(self, tag: Tag, value: &str) -> Self {
        let held: String = value.chars().map(|c| if c == '\\' || c.is_control() { ' ' } else { c }).collect();
        let cut: String = held.trim().chars().take(LONG_STRING).collect();
        self.text(tag, VR::LO, cut.trim_end())
    }

    /// A text of any length and content as a value of representation LT, up to 10,240 characters.
    pub(super) fn long_text(self, tag: Tag, value: &str) -> Self {
        let held: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONG_TEXT).collect();
        self.text(tag, VR::LT, held.trim_end())
    }

    /// Numbers as decimal strings; the caller passes finite ones.
    pub(super) fn decimals(self, tag: Tag, values: &[f64]) -> Self {
        let strings: Vec<String> = values.iter().map(|v| decimal_string(*v).unwrap_or_default()).collect();
        self.text(tag, VR::DS, &strings.join("\\"))
    }

    pub(super) fn short(mut self, tag: Tag, value: u16) -> Self {
        self.object.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value)));
        self
    }

    pub(super) fn longs(mut self, tag: Tag, values: &[u32]) -> Self {
        self.object.put(DataElement::new(tag, VR::UL, PrimitiveValue::U32(values.into())));
        self
    }

    /// Numbers of single precision (coordinates of reports).
    pub(super) fn floats(mut self, tag: Tag, values: &[f32]) -> Self {
        self.object.put(DataElement::new(tag, VR::FL, PrimitiveValue::F32(values.into())));
        self
    }

    /// Bytes; an odd number is padded by a zero, as PS3.5 section 8.1 wants it.
    pub(super) fn bytes(mut self, tag: Tag, mut value: Vec<u8>) -> Self {
        if !value.len().is_multiple_of(2) {
            value.push(0);
        }
        self.object.put(DataElement::new(tag, VR::OB, PrimitiveValue::U8(value.into())));
        self
    }

    /// The place of an attribute (AT).
    pub(super) fn pointer(mut self, tag: Tag, value: Tag) -> Self {
        self.object.put(DataElement::new(tag, VR::AT, PrimitiveValue::Tags([value].as_slice().into())));
        self
    }

    pub(super) fn items(mut self, tag: Tag, items: impl IntoIterator<Item = Self>) -> Self {
        let objects: Vec<InMemDicomObject> = items.into_iter().map(|item| item.object).collect();
        self.object.put(DataElement::new(tag, VR::SQ, DataSetSequence::from(objects)));
        self
    }

    /// A sequence of one code.
    pub(super) fn code(self, tag: Tag, code: &Code) -> Self {
        let is_short = code.value.chars().count() <= SHORT_STRING;
        let item = Self::new().text(tags::CODING_SCHEME_DESIGNATOR, VR::SH, &code.scheme);
        let item = item.long_string(tags::CODE_MEANING, &code.meaning);
        let item = if is_short {
            item.text(tags::CODE_VALUE, VR::SH, &code.value)
        } else {
            item.text(tags::LONG_CODE_VALUE, VR::UC, &code.value)
        };
        self.items(tag, [item])
    }

    /// Every element of another data set.
    pub(super) fn all_of(mut self, other: &InMemDicomObject) -> Self {
        for element in other {
            self.object.put(element.clone());
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dicom::element;

    #[test]
    fn a_long_string_is_cut_and_holds_no_backslash() {
        let item = Item::new().long_string(tags::SEGMENT_LABEL, &format!("a\\b\n{}", "é".repeat(80)));
        let text = element::text(&item.object, tags::SEGMENT_LABEL).unwrap();
        assert_eq!(text.chars().count(), 64);
        assert!(text.starts_with("a b é"), "{text}");
    }

    #[test]
    fn bytes_are_even_in_number() {
        let held = |bytes: &[u8]| {
            let item = Item::new().bytes(tags::PIXEL_DATA, bytes.to_vec());
            item.object.get(tags::PIXEL_DATA).unwrap().to_bytes().unwrap().into_owned()
        };
        assert_eq!((held(&[1, 2, 3]), held(&[1, 2])), (vec![1, 2, 3, 0], vec![1, 2]));
    }

    #[test]
    fn a_code_value_of_more_than_sixteen_characters_is_a_long_one() {
        let code = |value: &str| Item::new().code(tags::CONCEPT_CODE_SEQUENCE, &Code::new(value, "99X", "meaning"));
        let held = |value: &str, tag| {
            let item = code(value);
            element::first_item(&item.object, tags::CONCEPT_CODE_SEQUENCE).and_then(|i| element::text(i, tag))
        };
        assert_eq!(held("1234567890123456", tags::CODE_VALUE).as_deref(), Some("1234567890123456"));
        assert_eq!(held("12345678901234567", tags::CODE_VALUE), None);
        assert_eq!(held("12345678901234567", tags::LONG_CODE_VALUE).as_deref(), Some("12345678901234567"));
    }
}
