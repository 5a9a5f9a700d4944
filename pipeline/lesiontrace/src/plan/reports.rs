//! Structured reports (SR, TID 1500) as a reader's marks: which of them speak of this visit, and where their lesions lie.
//!
//! A measurement group whose finding is a lesion, or that names none, marks its lesion where it was drawn: at the middle of its
//! coordinates, or of the segment it was measured on. It must lie in the measured series' frame of reference. The reader's numbers
//! are said in a note beside ours; they replace none. A mark of `lesions.csv` with the same name and date goes first.

use std::collections::BTreeSet;
use std::path::Path;

use formats::archive::TimepointImages;
use formats::clinical::SeedRecord;
use formats::dicom::sr::{MeasurementReport, SrGroup, Value, read_measurement_report};
use formats::dicom::{SliceHeader, read_segmentation};
use imaging::diameter::mask_centroid;
use imaging::{FrameId, Note, Patient, Point};
use oncology::VisitId;

use super::SeriesPlan;

/// Modality of a structured report.
pub(super) const SR: &str = "SR";

/// Parts of words that make a finding a lesion.
const LESION_WORDS: [&str; 10] =
    ["neoplas", "tumor", "tumour", "lesion", "mass", "metasta", "node", "nodul", "carcinoma", "malignan"];

/// One visit's images and what a reader has marked there already.
pub(super) struct Visit<'a> {
    pub(super) archive: &'a Path,
    pub(super) patient_id: &'a str,
    pub(super) id: VisitId,
    pub(super) timepoint: &'a TimepointImages,
    pub(super) measure: &'a SeriesPlan,
}

/// The marks of a visit's reports, by path and group; `marked` are those of `lesions.csv`.
pub(super) fn marks(visit: &Visit<'_>, marked: &[SeedRecord], notes: &mut Vec<Note>) -> Vec<SeedRecord> {
    if !visit.timepoint.series.iter().any(|s| s.row.modality == SR) {
        return Vec::new();
    }
    let headers: Vec<SliceHeader> = visit.timepoint.series.iter().flat_map(|s| s.headers.unpack()).collect();
    let headers: Vec<&SliceHeader> = headers.iter().collect();
    let mut reports: Vec<&&SliceHeader> = headers.iter().filter(|h| h.modality == SR).collect();
    reports.sort_by(|a, b| a.path.cmp(&b.path));
    let mut names: BTreeSet<String> = marked.iter().map(|seed| seed.lesion_id.clone()).collect();
    let mut marks = Vec::new();
    for header in reports {
        let file = header.path.strip_prefix(visit.archive).unwrap_or(&header.path).display().to_string();
        let report = match read_measurement_report(&header.path) {
            Ok(report) => report.note_into(notes),
            Err(error) => {
                let message = format!("the report is not used: {error}");
                notes.push(Note::info("report_not_used", file, message));
                continue;
            }
        };
        if !speaks_of(&report, visit.timepoint) {
            let message = "the report refers to no series of this visit and is not used";
            notes.push(Note::warning("report_of_other_series", file, message));
            continue;
        }
        for group in &report.groups {
            match mark(visit, group, &headers) {
                Ok(seed) if names.insert(seed.lesion_id.clone()) => {
                    notes.push(values(group, &file));
                    marks.push(seed);
                }
                Ok(seed) => {
                    let message = format!("{}: marked already at this visit; the first mark is used", seed.lesion_id);
                    notes.push(Note::info("report_mark_twice", file.clone(), message));
                }
                Err(reason) => {
                    let message = format!("{}: no mark of the report {file}: {reason}", group.name());
                    notes.push(Note::warning("report_mark_not_used", group.name(), message));
                }
            }
        }
    }
    marks
}

fn speaks_of(report: &MeasurementReport, timepoint: &TimepointImages) -> bool {
    timepoint.series.iter().any(|series| report.referenced_series.contains(&series.row.series_uid))
}

fn mark(visit: &Visit<'_>, group: &SrGroup, headers: &[&SliceHeader]) -> Result<SeedRecord, String> {
    if let Some(finding) = group.finding.as_ref().filter(|finding| !is_lesion(&finding.meaning)) {
        return Err(format!("its finding is {:?}, no lesion", finding.meaning));
    }
    let (point, frame) = place(group, headers)?;
    let measured = visit.measure.entry.headers.first().and_then(|h| h.frame_uid.as_deref());
    if measured != Some(frame.as_str()) {
        return Err("it lies in another frame of reference than the measured series; register the images, or mark the lesion in lesions.csv".to_owned());
    }
    let name = group.tracking_id.clone().or_else(|| group.tracking_uid.clone());
    Ok(SeedRecord {
        patient_id: visit.patient_id.to_owned(),
        lesion_id: name.ok_or("it has neither Tracking Identifier nor Tracking Unique Identifier")?,
        visit: visit.id,
        point,
        organ: group.sites.first().map(|site| site.meaning.to_lowercase()).unwrap_or_default(),
        role: String::new(),
        line: 0,
    })
}

pub(super) fn is_lesion(finding: &str) -> bool {
    let finding = finding.to_lowercase();
    LESION_WORDS.iter().any(|word| finding.contains(word))
}

/// From coordinates where there are some, else from the segment.
fn place(group: &SrGroup, headers: &[&SliceHeader]) -> Result<(Point<Patient>, FrameId), String> {
    let has_coordinates = !group.regions.is_empty() || group.measurements.iter().any(|m| !m.regions.is_empty());
    let Some(segment) = group.segment.as_ref().filter(|_| !has_coordinates) else {
        return group.centre(headers).map_err(|error| error.to_string());
    };
    let file = headers.iter().find(|h| h.sop_instance_uid == segment.sop_instance_uid);
    let file = file.ok_or("the segmentation it was measured on is not among the files of the visit")?;
    let segmentation = read_segmentation(&file.path).map_err(|error| error.to_string())?.value;
    let number = segment.numbers[0];
    let mask = segmentation.mask(number).map_err(|error| error.to_string())?;
    let centre = mask_centroid(&mask).ok_or_else(|| format!("segment {number} is empty"))?;
    Ok((centre, segmentation.grid().frame().clone()))
}

/// What the reader measured, beside what the program will.
fn values(group: &SrGroup, file: &str) -> Note {
    let words: Vec<String> = group
        .measurements
        .iter()
        .map(|m| {
            let derivation = m.derivation.as_ref().map_or_else(String::new, |d| format!(" ({})", d.meaning));
            let unit = if m.quantity.unit().is_empty() { m.unit.as_str() } else { m.quantity.unit() };
            match &m.value {
                Value::Number(number) => format!("{}{derivation} {number} {unit}", m.concept.meaning),
                Value::NotEvaluable(reason) => format!("{}{derivation} not usable: {reason}", m.concept.meaning),
            }
        })
        .collect();
    let said = if words.is_empty() { "no numbers".to_owned() } else { words.join("; ") };
    Note::info("report_values", group.name(), format!("{}: the report {file} says {said}", group.name()))
}
