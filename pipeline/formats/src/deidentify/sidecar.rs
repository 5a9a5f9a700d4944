//! The JSON file beside a NIfTI image, reduced to numbers of the acquisition and the unit.
//!
//! A field stays where its name is in a list and its value can hold no identity: a number, a list of numbers, or one of the words
//! a unit may be. Source: BIDS 1.9, "Magnetic resonance imaging data", "Positron emission tomography".

use serde_json::{Map, Value};

/// Fields of numbers.
const NUMBERS: [&str; 30] = [
    "AttenuationCorrectionFactor",
    "DecayCorrectionFactor",
    "DwellTime",
    "EchoTime",
    "EffectiveEchoSpacing",
    "FlipAngle",
    "FrameDuration",
    "FrameTimesStart",
    "InjectedRadioactivity",
    "InjectionEnd",
    "InjectionStart",
    "InversionTime",
    "MagneticFieldStrength",
    "MolarActivity",
    "NumberOfAverages",
    "PixelBandwidth",
    "RepetitionTime",
    "RepetitionTimeExcitation",
    "ScanStart",
    "ScatterFraction",
    "SliceThickness",
    "SliceTiming",
    "SpacingBetweenSlices",
    "SpecificRadioactivity",
    "TotalReadoutTime",
    "ReconFilterSize",
    "XRayTubeCurrent",
    "KVP",
    "Exposure",
    "ExposureTime",
];

/// Fields of words, and the words they may be.
const WORDS: [(&str, &[&str]); 4] = [
    ("Units", &["HU", "SUVbw", "stored", "Bq/mL", "kBq/mL", "g/mL", "arbitrary", "1"]),
    ("Modality", &["CT", "MR", "PT"]),
    ("InjectedRadioactivityUnits", &["MBq", "Bq", "kBq", "mCi"]),
    ("TracerRadionuclide", &["F18", "Ga68", "C11", "Cu64", "Zr89"]),
];

/// What is kept of a sidecar; `None` where it is no JSON object or nothing of it is kept.
pub(super) fn reduced(text: &[u8]) -> Option<Vec<u8>> {
    let Value::Object(fields) = serde_json::from_slice(text).ok()? else { return None };
    let kept: Map<String, Value> = fields.into_iter().filter(|(name, value)| stays(name, value)).collect();
    if kept.is_empty() {
        return None;
    }
    let mut bytes = serde_json::to_vec_pretty(&kept).ok()?;
    bytes.push(b'\n');
    Some(bytes)
}

fn stays(name: &str, value: &Value) -> bool {
    match value {
        Value::Number(_) => NUMBERS.contains(&name),
        Value::Array(items) => NUMBERS.contains(&name) && items.iter().all(Value::is_number),
        Value::String(text) => WORDS
            .iter()
            .any(|(field, words)| *field == name && words.iter().any(|word| word.eq_ignore_ascii_case(text.trim()))),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_acquisition_and_units_stay() {
        let text = br#"{"Units": "suvbw", "EchoTime": 0.01, "SliceTiming": [0, 0.5], "PatientName": "SECRET", "FlipAngle": "SECRET",
            "InstitutionName": "SECRET", "TracerRadionuclide": "SECRET", "DeviceSerialNumber": 4711, "FrameDuration": [1, "SECRET"]}"#;
        let kept: Value = serde_json::from_slice(&reduced(text).unwrap()).unwrap();
        assert_eq!(kept, serde_json::json!({"Units": "suvbw", "EchoTime": 0.01, "SliceTiming": [0, 0.5]}));
        assert_eq!(reduced(b"{\"PatientName\": \"SECRET\"}"), None);
        assert_eq!(reduced(b"SECRET"), None);
    }
}
