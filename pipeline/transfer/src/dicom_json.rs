//! The few values that are needed of an answer in the DICOM JSON model.
//!
//! Source: DICOM PS3.18 annex F.

use std::collections::BTreeMap;

use formats::dicom::identifier::Key;
use serde_json::Value;

/// Texts of an item by attribute, several values joined by a backslash.
pub(crate) type Attributes = BTreeMap<Key, String>;

/// The items of an answer. `Err` is a reason for a message.
pub(crate) fn items(bytes: &[u8]) -> Result<Vec<Attributes>, String> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let answer: Value = serde_json::from_slice(bytes).map_err(|error| format!("it is no JSON: {error}"))?;
    let items = answer.as_array().ok_or("it is no list of items")?;
    items.iter().map(|item| attributes(item).ok_or_else(|| "one of its items is no object".to_owned())).collect()
}

/// The texts and numbers of one item.
pub(crate) fn attributes(item: &Value) -> Option<Attributes> {
    let attribute = |(tag, value): (&String, &Value)| Some((key(tag)?, text(value)?));
    Some(item.as_object()?.iter().filter_map(attribute).collect())
}

/// The items of a sequence.
pub(crate) fn sequence(item: &Value, tag: &str) -> Vec<Attributes> {
    let values = item.get(tag).and_then(|element| element.get("Value")).and_then(Value::as_array);
    values.into_iter().flatten().filter_map(attributes).collect()
}

fn key(tag: &str) -> Option<Key> {
    let number = u32::from_str_radix(tag, 16).ok().filter(|_| tag.len() == 8)?;
    Some(((number >> 16) as u16, number as u16))
}

fn text(element: &Value) -> Option<String> {
    let one = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let values: Vec<String> = element.get("Value")?.as_array()?.iter().filter_map(one).collect();
    (!values.is_empty()).then(|| values.join("\\"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_numbers_are_taken_and_everything_else_is_passed_over() {
        let answer = br#"[{"0020000D":{"vr":"UI","Value":["1.2"]},"00201209":{"vr":"IS","Value":[7]},
            "00100010":{"vr":"PN","Value":[{"Alphabetic":"X"}]},"00080061":{"vr":"CS","Value":["CT","SR"]},
            "00080020":{"vr":"DA"},"nonsense":3}]"#;
        let found = items(answer).unwrap();
        let expected: Attributes = [((0x0008, 0x0061), "CT\\SR"), ((0x0020, 0x000D), "1.2"), ((0x0020, 0x1209), "7")]
            .map(|(key, text)| (key, text.to_owned()))
            .into();
        assert_eq!(found, [expected]);
        assert!(items(b"").unwrap().is_empty());
        for bad in [b"{}".as_slice(), b"[1]", b"<xml/>", &b"[".repeat(10_000)] {
            assert!(items(bad).is_err());
        }
    }
}
