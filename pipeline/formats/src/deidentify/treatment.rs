//! What is done with one attribute: the table's action, relaxed by the options, and a rule for what the table does not name.
//!
//! Source: DICOM PS3.15 annex E.2 (basic profile), E.3 (options).

use dicom::core::dictionary::{DataDictionary as _, DataDictionaryEntry as _};
use dicom::core::{Tag, VR};
use dicom::dictionary_std::{StandardDataDictionary, tags};

use super::profile::{Basic, Rule, rule_of};

/// Which options of the profile hold beside those that always do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceIdentity {
    /// Station names, serial numbers and the like go.
    Removed,
    /// They stay (Retain Device Identity Option).
    Retained,
}

/// What is done with one attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Treatment {
    Remove,
    Empty,
    Dummy,
    /// Another UID, the same everywhere.
    Uid,
    /// The patient's pseudonym.
    Pseudonym,
    /// A stand-in for an identifier, under its letter.
    Identifier(char),
    /// Moved by the patient's days.
    Date,
    /// Known words only; what happens where none is left.
    Words(Basic),
    /// Known words, with a stand-in for the unknown ones, so that two labels do not become one.
    Label,
    /// Years, at most 90.
    Age,
    /// A sequence whose items are treated attribute by attribute.
    Items,
    Keep,
}

/// Attributes whose UIDs name a class or a scheme, not an object.
const CLASSES: [Tag; 9] = [
    tags::SOP_CLASS_UID,
    tags::REFERENCED_SOP_CLASS_UID,
    tags::RELATED_GENERAL_SOP_CLASS_UID,
    tags::ORIGINAL_SPECIALIZED_SOP_CLASS_UID,
    tags::CODING_SCHEME_UID,
    tags::CONTEXT_UID,
    tags::MAPPING_RESOURCE_UID,
    tags::REFERENCED_SOP_CLASS_UID_IN_FILE,
    tags::AVAILABLE_TRANSFER_SYNTAX_UID,
];

/// What SUV and lean body mass are computed from; ethnic group, smoking, pregnancy and the like are not needed and go.
const CHARACTERISTICS: [Tag; 4] = [tags::PATIENT_AGE, tags::PATIENT_SEX, tags::PATIENT_SIZE, tags::PATIENT_WEIGHT];

/// Labels of outlines: lesions are told apart by them.
const LABELS: [Tag; 3] = [tags::ROI_NAME, tags::SEGMENT_LABEL, tags::TRACKING_ID];

/// Long texts and bytes the table does not name and measuring needs.
const SAFE_LONG: [Tag; 2] = [tags::LONG_CODE_VALUE, tags::URN_CODE_VALUE];

/// The value representation of an attribute: as written, or as the dictionary has it where a sender wrote "unknown".
pub(super) fn vr_of(tag: Tag, written: VR) -> VR {
    let known = StandardDataDictionary.by_tag(tag).and_then(|entry| entry.vr().exact());
    if written == VR::UN { known.unwrap_or(VR::UN) } else { written }
}

/// Whether the standard knows the attribute.
fn is_standard(tag: Tag) -> bool {
    StandardDataDictionary.by_tag(tag).is_some()
}

/// Curves and overlays, all their planes: what is drawn there is burned-in text as often as not.
fn is_repeating(tag: Tag) -> bool {
    matches!(tag.group(), 0x5000..=0x50FF | 0x6000..=0x60FF)
}

/// What is done with a standard attribute of this value representation.
pub(super) fn treatment(tag: Tag, vr: VR, device: DeviceIdentity) -> Treatment {
    match tag {
        tags::PATIENT_ID | tags::PATIENT_NAME => return Treatment::Pseudonym,
        tags::STUDY_ID => return Treatment::Identifier('S'),
        tags::ACCESSION_NUMBER => return Treatment::Identifier('A'),
        tags::PATIENT_AGE => return Treatment::Age,
        _ => {}
    }
    if is_repeating(tag) || tag.group() < 0x0008 {
        return Treatment::Remove;
    }
    if CLASSES.contains(&tag) {
        return Treatment::Keep;
    }
    if LABELS.contains(&tag) {
        return Treatment::Label;
    }
    match rule_of(tag) {
        Some(rule) => of_table(tag, vr, rule, device),
        None => of_others(tag, vr),
    }
}

fn of_table(tag: Tag, vr: VR, rule: &Rule, device: DeviceIdentity) -> Treatment {
    let kept = rule.patient && CHARACTERISTICS.contains(&tag) || rule.device && device == DeviceIdentity::Retained;
    match vr {
        VR::DA | VR::DT if rule.dates || kept => return Treatment::Date,
        // Times of day and the zone are what decay is counted with.
        VR::TM if rule.dates => return Treatment::Keep,
        VR::SH if tag == tags::TIMEZONE_OFFSET_FROM_UTC => return Treatment::Keep,
        VR::SQ if kept || tag == tags::CONTENT_SEQUENCE => return Treatment::Items,
        VR::UI if kept => return Treatment::Uid,
        VR::SH | VR::LO if rule.descriptors => return Treatment::Words(rule.basic),
        _ if kept => return Treatment::Keep,
        _ => {}
    }
    match (rule.basic, vr) {
        (Basic::Remove, _) => Treatment::Remove,
        (Basic::Empty, _) | (Basic::Dummy, VR::SQ) => Treatment::Empty,
        (Basic::UidsWithin, _) => Treatment::Items,
        (Basic::Uid, _) | (Basic::Dummy, VR::UI) => Treatment::Uid,
        (Basic::Dummy, _) => Treatment::Dummy,
    }
}

/// What the table does not name it keeps; texts without a bound, names and unknown bytes are removed all the same.
fn of_others(tag: Tag, vr: VR) -> Treatment {
    if !is_standard(tag) {
        return Treatment::Remove;
    }
    match vr {
        _ if SAFE_LONG.contains(&tag) => Treatment::Keep,
        VR::SQ => Treatment::Items,
        VR::UI => Treatment::Uid,
        VR::DA | VR::DT => Treatment::Date,
        VR::OB | VR::UN if tag.group() != 0x7FE0 => Treatment::Remove,
        VR::PN | VR::LT | VR::ST | VR::UT | VR::UC | VR::UR | VR::AE => Treatment::Remove,
        _ => Treatment::Keep,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_attributes_by_hand() {
        let of = |tag, vr| treatment(tag, vr, DeviceIdentity::Removed);
        assert_eq!(of(tags::STUDY_DATE, VR::DA), Treatment::Date);
        assert_eq!(of(tags::PATIENT_BIRTH_DATE, VR::DA), Treatment::Empty);
        assert_eq!(of(tags::ACQUISITION_TIME, VR::TM), Treatment::Keep);
        assert_eq!(of(tags::PATIENT_WEIGHT, VR::DS), Treatment::Keep);
        assert_eq!(of(tags::SERIES_DESCRIPTION, VR::LO), Treatment::Words(Basic::Remove));
        assert_eq!(of(tags::CONTENT_SEQUENCE, VR::SQ), Treatment::Items);
        assert_eq!(of(tags::REFERENCED_SERIES_SEQUENCE, VR::SQ), Treatment::Items);
        assert_eq!(of(tags::REFERENCED_SOP_INSTANCE_UID, VR::UI), Treatment::Uid);
        assert_eq!(of(tags::SOP_CLASS_UID, VR::UI), Treatment::Keep);
        assert_eq!(of(tags::PIXEL_DATA, VR::OB), Treatment::Keep);
        assert_eq!(of(Tag(0x6002, 0x3000), VR::OW), Treatment::Remove);
        assert_eq!(of(Tag(0x5002, 0x0010), VR::US), Treatment::Remove);
        assert_eq!(of(Tag(0x4242, 0x0010), VR::LO), Treatment::Remove);
        assert_eq!(of(tags::STATION_NAME, VR::SH), Treatment::Dummy);
        assert_eq!(treatment(tags::STATION_NAME, VR::SH, DeviceIdentity::Retained), Treatment::Keep);
        assert_eq!(treatment(tags::DEVICE_UID, VR::UI, DeviceIdentity::Retained), Treatment::Uid);
        assert_eq!(vr_of(tags::STUDY_DATE, VR::UN), VR::DA);
    }
}
