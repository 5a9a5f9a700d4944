//! Values that stand for what was there: empty ones, ones that say nothing, and labels of outlines.

use dicom::core::value::{DataSetSequence, Value};
use dicom::core::{DataElement, PrimitiveValue, Tag, VR};
use dicom::dictionary_std::tags;
use dicom::object::mem::InMemElement;

use super::key::Key;
use super::words::known_words;

/// Stands for a text that had to have a value.
pub(super) const REMOVED: &str = "REMOVED";

/// Characters a label may have (VR LO).
const MAX_LABEL: usize = 64;

/// The text of an element, also where its sender wrote it as unknown bytes; empty where it is no text.
pub(super) fn text_of(element: &InMemElement) -> String {
    let text = match element.value() {
        Value::Primitive(PrimitiveValue::U8(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Primitive(value) => value.to_str().into_owned(),
        _ => String::new(),
    };
    text.trim_matches(['\0', ' ']).to_owned()
}

/// Whether a value that is kept can be one of its kind: no name hides in a number, a time or a zone.
pub(super) fn is_of_its_kind(tag: Tag, vr: VR, element: &InMemElement) -> bool {
    let made_of = |characters: &str| text_of(element).chars().all(|c| c.is_ascii_digit() || characters.contains(c));
    match vr {
        VR::DS | VR::IS => made_of("+-.eE\\ "),
        VR::TM => made_of(".:\\ "),
        VR::AS => made_of("DWMY"),
        _ if tag == tags::PATIENT_SEX => matches!(text_of(element).as_str(), "" | "M" | "F" | "O"),
        _ if tag == tags::TIMEZONE_OFFSET_FROM_UTC => made_of("+-"),
        _ => true,
    }
}

/// An element with a text.
pub(super) fn with_text(tag: Tag, vr: VR, text: &str) -> InMemElement {
    DataElement::new(tag, vr, PrimitiveValue::from(text))
}

/// An element without a value.
pub(super) fn empty(tag: Tag, vr: VR) -> InMemElement {
    match vr {
        VR::SQ => DataElement::new(tag, vr, DataSetSequence::empty()),
        _ => DataElement::new(tag, vr, PrimitiveValue::Empty),
    }
}

/// An element with a value of its kind that says nothing.
pub(super) fn dummy(tag: Tag, vr: VR) -> InMemElement {
    let value = match vr {
        VR::AE | VR::CS | VR::LO | VR::LT | VR::PN | VR::SH | VR::ST | VR::UC | VR::UR | VR::UT => {
            PrimitiveValue::from(REMOVED)
        }
        VR::AS => PrimitiveValue::from("000Y"),
        VR::DA => PrimitiveValue::from("19000101"),
        VR::DT => PrimitiveValue::from("19000101000000"),
        VR::TM => PrimitiveValue::from("000000"),
        VR::DS | VR::IS => PrimitiveValue::from("0"),
        VR::US => PrimitiveValue::from(0_u16),
        VR::SS => PrimitiveValue::from(0_i16),
        VR::UL => PrimitiveValue::from(0_u32),
        VR::SL => PrimitiveValue::from(0_i32),
        VR::FL => PrimitiveValue::from(0.0_f32),
        VR::FD => PrimitiveValue::from(0.0_f64),
        _ => return empty(tag, vr),
    };
    DataElement::new(tag, vr, value)
}

/// A label by its known words; unknown ones are replaced by a stand-in of the whole label, the same for one patient at all times.
pub(super) fn label(text: &str, key: &Key, pseudonym: &str) -> String {
    let known = known_words(text);
    if known.n_unknown == 0 && !known.text.is_empty() {
        return known.text;
    }
    let stand_in = key.short('L', &format!("{pseudonym}\\{text}"));
    let words: Vec<&str> = known.text.split(' ').filter(|w| !w.is_empty()).collect();
    let words: String = words.join(" ").chars().take(MAX_LABEL - stand_in.len() - 1).collect();
    if words.is_empty() { stand_in } else { format!("{words} {stand_in}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_keep_their_words_and_stay_apart() {
        let key = Key::from_bytes([3; 32]);
        assert_eq!(label("GTV_1", &key, "P"), "GTV_1");
        let [one, two] = ["Lesion Smith", "Lesion Jones"].map(|text| label(text, &key, "P"));
        assert!(one.starts_with("Lesion xx L-") && one != two, "{one} {two}");
        assert_eq!(one, label("Lesion Smith", &key, "P"));
        assert_ne!(one, label("Lesion Smith", &key, "Q"), "no two patients share a stand-in");
        assert!(
            label(&"liver ".repeat(30), &key, "P").len() <= 200
                && label(&"liver Doe ".repeat(30), &key, "P").len() <= MAX_LABEL
        );
    }

    #[test]
    fn dummies_are_valid_in_their_kind() {
        let tag = Tag(0x0008, 0x1010);
        assert_eq!(dummy(tag, VR::SH).to_str().unwrap(), REMOVED);
        assert_eq!(dummy(tag, VR::DS).to_float64().unwrap(), 0.0);
        assert_eq!(dummy(tag, VR::OB).to_bytes().unwrap().len(), 0);
        assert_eq!(dummy(tag, VR::SQ).items().map(<[_]>::len), Some(0));
    }
}
