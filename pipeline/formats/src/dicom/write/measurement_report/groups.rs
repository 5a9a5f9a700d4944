//! Measurement groups and what is evaluated without a number.
//!
//! Source: DICOM PS3.16 TID 1410, 1411, 1501 (groups), TID 1502 (time point context), TID 300 (measurement).

use dicom::core::VR;
use dicom::dictionary_std::tags;

use super::super::item::Item;
use super::super::segmentation::{WrittenSegmentation, reference, reference_to};
use super::content::{
    CONTAINS, HAS_CONCEPT_MOD, HAS_OBS_CONTEXT, code, container, dcm, image, line, number, person, text, uid,
};
use super::{Answer, EvaluationToWrite, GroupToWrite, MeasurementToWrite, RegionToWrite, ReportToWrite, TimePoint};
use crate::dicom::sr::Code;

/// One group as a container.
pub(super) fn group(report: &ReportToWrite<'_>, group: &GroupToWrite) -> Item {
    let template = match group.region {
        RegionToWrite::Segment(_) => "1411",
        RegionToWrite::SegmentFrame { .. } => "1410",
        RegionToWrite::Nothing => "1501",
    };
    let mut items = vec![
        text(HAS_OBS_CONTEXT, &dcm("112039", "Tracking Identifier"), &group.tracking.identifier),
        uid(HAS_OBS_CONTEXT, &dcm("112040", "Tracking Unique Identifier"), &group.tracking.uid),
        code(CONTAINS, &dcm("121071", "Finding"), &group.finding),
    ];
    items.extend(time_point(&report.time_point));
    items.extend(group.observer.iter().flat_map(|name| observer(name)));
    if let Some(segmentation) = report.segmentation {
        items.extend(region(report, &group.region, segmentation));
    }
    if let Some(site) = &group.site {
        items.push(code(HAS_CONCEPT_MOD, &Code::new("363698007", "SCT", "Finding Site"), site));
    }
    items.extend(group.measurements.iter().map(measurement));
    items.extend(group.evaluations.iter().map(evaluation));
    container(CONTAINS, &dcm("125007", "Measurement Group"), Some(template), items)
}

/// Who measured, where it was not the program (TID 1002, 1003): what stands here replaces the report's observer for the group (PS3.3
/// C.17.5).
fn observer(name: &str) -> [Item; 2] {
    [
        code(HAS_OBS_CONTEXT, &dcm("121005", "Observer Type"), &dcm("121006", "Person")),
        person(HAS_OBS_CONTEXT, &dcm("121008", "Person Observer Name"), name),
    ]
}

/// When the measured images were taken (TID 1502). Its rows that are numbers are left out: readers take every number of a group for a
/// measurement.
fn time_point(at: &TimePoint) -> Vec<Item> {
    let concept = Code::new("C2348792", "UMLS", "Time Point");
    let mut items = match at.days_since_baseline {
        Some(days) => vec![text(HAS_OBS_CONTEXT, &concept, &format!("day {days}"))],
        None => vec![
            text(HAS_OBS_CONTEXT, &concept, "baseline"),
            code(HAS_OBS_CONTEXT, &dcm("126072", "Time Point Type"), &Code::new("C1442488", "UMLS", "Baseline")),
        ],
    };
    items.push(text(HAS_OBS_CONTEXT, &dcm("126070", "Subject Time Point Identifier"), &at.name));
    items
}

/// What was measured on.
fn region(report: &ReportToWrite<'_>, region: &RegionToWrite, segmentation: &WrittenSegmentation) -> Vec<Item> {
    let object = &segmentation.object;
    let refer = || reference(object.sop_class_uid, &object.sop_instance_uid);
    match region {
        RegionToWrite::Segment(segment) => vec![
            image(
                CONTAINS,
                &dcm("121191", "Referenced Segment"),
                refer().short(tags::REFERENCED_SEGMENT_NUMBER, *segment),
            ),
            uid(CONTAINS, &dcm("121232", "Source series for segmentation"), report.object.source.series_uid()),
        ],
        // A frame has one segment: naming that as well is not allowed (PS3.3 table 10-3).
        RegionToWrite::SegmentFrame { frame, image: source } => vec![
            image(
                CONTAINS,
                &dcm("121214", "Referenced Segmentation Frame"),
                refer().text(tags::REFERENCED_FRAME_NUMBER, VR::IS, &frame.to_string()),
            ),
            image(CONTAINS, &dcm("121233", "Source image for segmentation"), reference_to(source)),
        ],
        RegionToWrite::Nothing => Vec::new(),
    }
}

fn measurement(measurement: &MeasurementToWrite) -> Item {
    let item = number(CONTAINS, &measurement.concept, measurement.value, &measurement.unit);
    let derivation = measurement.derivation.as_ref();
    let derivation = derivation.map(|how| code(HAS_CONCEPT_MOD, &dcm("121401", "Derivation"), how));
    let children: Vec<Item> = derivation.into_iter().chain(measurement.line.as_ref().map(line)).collect();
    if children.is_empty() { item } else { item.items(tags::CONTENT_SEQUENCE, children) }
}

/// A question with its answer, and the method by which it was found.
pub(super) fn evaluation(evaluation: &EvaluationToWrite) -> Item {
    let item = match &evaluation.answer {
        Answer::Code(answer) => code(CONTAINS, &evaluation.concept, answer),
        Answer::Text(answer) => text(CONTAINS, &evaluation.concept, answer),
    };
    match &evaluation.method {
        Some(method) => {
            let by = code(HAS_CONCEPT_MOD, &dcm("112021", "Response Evaluation Method"), method);
            item.items(tags::CONTENT_SEQUENCE, [by])
        }
        None => item,
    }
}
