//! One measurement group: identity, sites, outline, numbers.
//!
//! Source: DICOM PS3.16 TID 1411 (volumetric ROI), TID 1410 (planar ROI), TID 1501 (measurement and qualitative evaluation),
//! TID 1419 (ROI measurements), TID 300 (measurement); PS3.3 C.18.6, C.18.9.

use dicom::dictionary_std::tags;
use imaging::{FrameId, Point};

use super::content::{Item, code};
use super::quantity::{Quantity, value};
use super::{Graphic, ImageReference, Region, SegmentReference, SrGroup, SrMeasurement};
use crate::dicom::element;

const TRACKING_ID: (&str, &str) = ("112039", "DCM");
const TRACKING_UID: (&str, &str) = ("112040", "DCM");
const FINDING: (&str, &str) = ("121071", "DCM");
/// In SNOMED CT and in the older SRT.
const FINDING_SITE: [(&str, &str); 2] = [("363698007", "SCT"), ("G-C0E3", "SRT")];
/// Referenced Segment, and Referenced Segmentation Frame.
const SEGMENT: [(&str, &str); 2] = [("121191", "DCM"), ("121214", "DCM")];
const SOURCE_SERIES: (&str, &str) = ("121232", "DCM");
const DERIVATION: (&str, &str) = ("121401", "DCM");

/// Reads a group.
pub(super) fn read(number: usize, item: &Item<'_>) -> SrGroup {
    let children: Vec<Item<'_>> = item.children().collect();
    let named = |wanted: (&'static str, &'static str)| children.iter().filter(move |i| i.named(wanted));
    let of_number = |i: &&Item<'_>| i.kind() == "NUM";
    SrGroup {
        number,
        tracking_id: named(TRACKING_ID).find_map(Item::text),
        tracking_uid: named(TRACKING_UID).find_map(Item::uid),
        finding: named(FINDING).find_map(Item::code),
        sites: children.iter().filter(|i| i.named_any(&FINDING_SITE)).filter_map(Item::code).collect(),
        segment: children.iter().filter(|i| i.named_any(&SEGMENT)).find_map(segment),
        source_series: named(SOURCE_SERIES).filter_map(Item::uid).collect(),
        regions: children.iter().filter_map(region).collect(),
        measurements: children.iter().filter(of_number).map(measurement).collect(),
    }
}

fn segment(item: &Item<'_>) -> Option<SegmentReference> {
    let reference = item.reference()?;
    let numbers = element::texts(reference, tags::REFERENCED_SEGMENT_NUMBER);
    let numbers: Vec<u16> = numbers.iter().filter_map(|n| n.parse().ok()).collect();
    let sop_instance_uid = element::text(reference, tags::REFERENCED_SOP_INSTANCE_UID)?;
    (!numbers.is_empty()).then_some(SegmentReference { sop_instance_uid, numbers })
}

fn measurement(item: &Item<'_>) -> SrMeasurement {
    let concept = item.concept().unwrap_or_default();
    let derivation = item.children().find(|i| i.named(DERIVATION)).and_then(|i| i.code());
    let quantity = Quantity::of(&concept, derivation.as_ref());
    let measured = element::first_item(item.object, tags::MEASURED_VALUE_SEQUENCE);
    let unit = measured.and_then(|m| code(m, tags::MEASUREMENT_UNITS_CODE_SEQUENCE));
    let number = measured.and_then(|m| element::text(m, tags::NUMERIC_VALUE));
    let qualifier = code(item.object, tags::NUMERIC_VALUE_QUALIFIER_CODE_SEQUENCE);
    let unit = unit.map(|u| u.value).unwrap_or_default();
    SrMeasurement {
        value: value(quantity, number.as_deref(), &unit, qualifier.as_ref()),
        quantity,
        concept,
        derivation,
        unit,
        regions: item.children().filter_map(|i| region(&i)).collect(),
    }
}

/// The coordinates of an SCOORD or SCOORD3D item; `None` for other items and for coordinates that make no sense.
fn region(item: &Item<'_>) -> Option<Region> {
    let kind = item.kind();
    let graphic = match element::text(item.object, tags::GRAPHIC_TYPE)?.as_str() {
        "POINT" | "MULTIPOINT" => Graphic::Point,
        "POLYLINE" => Graphic::Polyline,
        "CIRCLE" => Graphic::Circle,
        "ELLIPSE" => Graphic::Ellipse,
        "POLYGON" => Graphic::Polygon,
        _ => return None,
    };
    let numbers = element::floats(item.object, tags::GRAPHIC_DATA);
    match kind.as_str() {
        "SCOORD" if !numbers.is_empty() && numbers.len().is_multiple_of(2) => {
            let points = numbers.chunks_exact(2).map(|p| [p[0], p[1]]).collect();
            let image = item.children().find(|i| i.kind() == "IMAGE").and_then(|i| image(&i))?;
            Some(Region::InImage { graphic, points, image })
        }
        "SCOORD3D" if !numbers.is_empty() && numbers.len().is_multiple_of(3) => {
            let points = numbers.chunks_exact(3).map(|p| Point::new(p[0], p[1], p[2])).collect();
            let frame = element::text(item.object, tags::REFERENCED_FRAME_OF_REFERENCE_UID)?;
            Some(Region::InPatient { graphic, points, frame: FrameId::new(frame) })
        }
        _ => None,
    }
}

fn image(item: &Item<'_>) -> Option<ImageReference> {
    let reference = item.reference()?;
    let frames = element::texts(reference, tags::REFERENCED_FRAME_NUMBER);
    Some(ImageReference {
        sop_instance_uid: element::text(reference, tags::REFERENCED_SOP_INSTANCE_UID)?,
        frames: frames.iter().filter_map(|n| n.parse().ok()).collect(),
    })
}
