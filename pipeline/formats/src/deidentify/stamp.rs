//! Writes into a cleaned object that it was cleaned, and how.
//!
//! Source: DICOM PS3.15 E.1.1 (attributes a de-identifier adds), PS3.16 CID 7050 (De-identification Method).

use dicom::core::value::DataSetSequence;
use dicom::core::{DataElement, PrimitiveValue, VR};
use dicom::dictionary_std::tags;
use dicom::object::InMemDicomObject;

use super::treatment::DeviceIdentity;

/// Codes of what always holds: value and meaning, scheme DCM.
const METHODS: [(&str, &str); 6] = [
    ("113100", "Basic Application Confidentiality Profile"),
    ("113104", "Clean Structured Content Option"),
    ("113105", "Clean Descriptors Option"),
    ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    ("113108", "Retain Patient Characteristics Option"),
    ("113111", "Retain Safe Private Option"),
];

/// Where devices keep their identity.
const DEVICE_METHOD: (&str, &str) = ("113109", "Retain Device Identity Option");

/// The profile and options as (code, meaning) in the order of the codes.
#[must_use]
pub fn methods(device: DeviceIdentity) -> Vec<(&'static str, &'static str)> {
    let device = (device == DeviceIdentity::Retained).then_some(DEVICE_METHOD);
    let mut methods: Vec<_> = METHODS.into_iter().chain(device).collect();
    methods.sort_unstable();
    methods
}

/// Stamps a data set; what an earlier de-identifier wrote is replaced. All texts are UTF-8 from here on.
pub(super) fn stamp(object: &mut InMemDicomObject, device: DeviceIdentity) {
    let mut put = |tag, vr, text: &str| {
        object.put(DataElement::new(tag, vr, PrimitiveValue::from(text)));
    };
    put(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192");
    put(tags::PATIENT_IDENTITY_REMOVED, VR::CS, "YES");
    let method = concat!("lesiontrace ", env!("CARGO_PKG_VERSION"), ": DICOM PS3.15 E, Basic Profile");
    put(tags::DEIDENTIFICATION_METHOD, VR::LO, method);
    put(tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED, VR::CS, "MODIFIED");
    let code = |(value, meaning): (&str, &str)| {
        let mut item = InMemDicomObject::new_empty();
        let texts = [
            (tags::CODE_VALUE, VR::SH, value),
            (tags::CODING_SCHEME_DESIGNATOR, VR::SH, "DCM"),
            (tags::CODE_MEANING, VR::LO, meaning),
        ];
        for (tag, vr, text) in texts {
            item.put(DataElement::new(tag, vr, PrimitiveValue::from(text)));
        }
        item
    };
    let items: Vec<InMemDicomObject> = methods(device).into_iter().map(code).collect();
    let sequence = DataSetSequence::from(items);
    object.put(DataElement::new(tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE, VR::SQ, sequence));
}
