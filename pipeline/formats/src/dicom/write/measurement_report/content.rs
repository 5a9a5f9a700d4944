//! Items of a report's content tree, by value type.
//!
//! Source: DICOM PS3.3 C.17.3 (SR Document Content), C.18.

use dicom::core::VR;
use dicom::dictionary_std::tags;

use super::super::item::Item;
use super::super::segmentation::reference_to;
use super::LineToWrite;
use crate::dicom::sr::Code;

pub(super) const CONTAINS: &str = "CONTAINS";
pub(super) const HAS_ACQ_CONTEXT: &str = "HAS ACQ CONTEXT";
pub(super) const HAS_CONCEPT_MOD: &str = "HAS CONCEPT MOD";
pub(super) const HAS_OBS_CONTEXT: &str = "HAS OBS CONTEXT";
const INFERRED_FROM: &str = "INFERRED FROM";
const SELECTED_FROM: &str = "SELECTED FROM";

/// A code of DICOM's own scheme.
pub(super) fn dcm(value: &str, meaning: &str) -> Code {
    Code::new(value, "DCM", meaning)
}

/// An item without its value.
pub(super) fn item(relationship: &str, value_type: &str, concept: &Code) -> Item {
    Item::new()
        .text(tags::RELATIONSHIP_TYPE, VR::CS, relationship)
        .text(tags::VALUE_TYPE, VR::CS, value_type)
        .code(tags::CONCEPT_NAME_CODE_SEQUENCE, concept)
}

pub(super) fn code(relationship: &str, concept: &Code, value: &Code) -> Item {
    item(relationship, "CODE", concept).code(tags::CONCEPT_CODE_SEQUENCE, value)
}

pub(super) fn text(relationship: &str, concept: &Code, value: &str) -> Item {
    item(relationship, "TEXT", concept).text(tags::TEXT_VALUE, VR::UT, value)
}

pub(super) fn uid(relationship: &str, concept: &Code, value: &str) -> Item {
    item(relationship, "UIDREF", concept).text(tags::UID, VR::UI, value)
}

/// A person, by a name as a person gave it: signs that mean something in a DICOM name are left out.
pub(super) fn person(relationship: &str, concept: &Code, name: &str) -> Item {
    let plain: String = name.chars().map(|c| if c.is_control() || "\\^=".contains(c) { ' ' } else { c }).collect();
    let words: Vec<&str> = plain.split_whitespace().collect();
    // A name has 64 characters at most (PS3.5, VR PN).
    let short: String = words.join(" ").chars().take(64).collect();
    item(relationship, "PNAME", concept).text(tags::PERSON_NAME, VR::PN, short.trim_end())
}

/// An item that refers to an object.
pub(super) fn image(relationship: &str, concept: &Code, reference: Item) -> Item {
    item(relationship, "IMAGE", concept).items(tags::REFERENCED_SOP_SEQUENCE, [reference])
}

/// A number in a unit; the caller passes a finite one.
pub(super) fn number(relationship: &str, concept: &Code, value: f64, unit: &Code) -> Item {
    let measured =
        Item::new().decimals(tags::NUMERIC_VALUE, &[value]).code(tags::MEASUREMENT_UNITS_CODE_SEQUENCE, unit);
    item(relationship, "NUM", concept).items(tags::MEASURED_VALUE_SEQUENCE, [measured])
}

/// The template of a container.
pub(super) fn template(identifier: &str) -> Item {
    Item::new().text(tags::MAPPING_RESOURCE, VR::CS, "DCMR").text(tags::TEMPLATE_IDENTIFIER, VR::CS, identifier)
}

pub(super) fn container(relationship: &str, concept: &Code, of_template: Option<&str>, items: Vec<Item>) -> Item {
    let container = item(relationship, "CONTAINER", concept).text(tags::CONTINUITY_OF_CONTENT, VR::CS, "SEPARATE");
    let container = match of_template {
        Some(identifier) => container.items(tags::CONTENT_TEMPLATE_SEQUENCE, [template(identifier)]),
        None => container,
    };
    if items.is_empty() { container } else { container.items(tags::CONTENT_SEQUENCE, items) }
}

/// A line that a number was read from.
pub(super) fn line(line: &LineToWrite) -> Item {
    let path = dcm("121055", "Path");
    match line {
        LineToWrite::InImage { ends, image } => {
            let data: Vec<f32> = ends.iter().flatten().map(|v| *v as f32).collect();
            let selected = Item::new()
                .text(tags::RELATIONSHIP_TYPE, VR::CS, SELECTED_FROM)
                .text(tags::VALUE_TYPE, VR::CS, "IMAGE")
                .items(tags::REFERENCED_SOP_SEQUENCE, [reference_to(image)]);
            item(INFERRED_FROM, "SCOORD", &path)
                .text(tags::GRAPHIC_TYPE, VR::CS, "POLYLINE")
                .floats(tags::GRAPHIC_DATA, &data)
                .items(tags::CONTENT_SEQUENCE, [selected])
        }
        LineToWrite::InPatient { ends, frame } => {
            let data: Vec<f32> = ends.iter().flat_map(|p| p.to_array()).map(|v| v as f32).collect();
            item(INFERRED_FROM, "SCOORD3D", &path)
                .text(tags::GRAPHIC_TYPE, VR::CS, "POLYLINE")
                .floats(tags::GRAPHIC_DATA, &data)
                .text(tags::REFERENCED_FRAME_OF_REFERENCE_UID, VR::UI, frame.as_str())
        }
    }
}
