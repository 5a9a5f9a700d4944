//! A visit's measurements and responses as the groups and evaluations of a structured report. Every number is the one of the
//! tables.

use formats::dicom::sr::Code;
use formats::dicom::write::measurement_report::OWN_SCHEME;
use formats::dicom::write::{
    Answer, EvaluationToWrite, GroupToWrite, MeasurementToWrite, RegionToWrite, SourceSlice, TimePoint,
    WrittenSegmentation,
};
use imaging::{Grid, Note};
use oncology::{Days, LesionRow, MeasurementRow};

use super::lines;
use super::observers::by_observer;
use super::segments::{finding, organ_code, snomed, tracking};
use super::visit::Visit;
use crate::stages::pieces::OF_PIECE;

/// What groups are made of.
pub(super) struct Measured<'a> {
    /// The visit.
    pub(super) visit: &'a Visit<'a>,
    /// Its grid.
    pub(super) grid: &'a Grid,
    /// Its images.
    pub(super) slices: &'a [SourceSlice],
    /// Its segmentation, if anything was outlined.
    pub(super) segmentation: Option<&'a WrittenSegmentation>,
}

/// Where the visit stands in time.
pub(super) fn time_point(visit: &Visit<'_>) -> TimePoint {
    let (baseline, here) = (visit.baseline.visit, visit.source.visit);
    TimePoint {
        name: here.to_string(),
        days_since_baseline: (visit.number > 0).then(|| Days::between(baseline.date(), here.date()).0),
    }
}

/// What the images are by themselves, and the procedure that makes them (CID 29, CID 100).
pub(super) fn modality_and_procedure(modality: &str) -> (Code, Code) {
    let dcm = |meaning: &str| Code::new(modality, "DCM", meaning);
    let loinc = |value: &str, meaning: &str| Code::new(value, "LN", meaning);
    match modality {
        "CT" => (dcm("Computed Tomography"), loinc("25045-6", "CT unspecified body region")),
        "MR" => (dcm("Magnetic Resonance"), loinc("25056-3", "MRI unspecified body region")),
        "PT" => (dcm("Positron emission tomography"), loinc("44136-0", "PET unspecified body region")),
        other => (Code::new(other, "DCM", other), snomed("363679005", "Imaging procedure")),
    }
}

/// The groups of every lesion at the visit, in the order of the tables.
pub(super) fn groups(measured: &Measured<'_>, notes: &mut Vec<Note>) -> Vec<GroupToWrite> {
    let result = measured.visit.result;
    let mut groups = Vec::new();
    for lesion in &result.lesions {
        let at_visit =
            |row: &&MeasurementRow| row.lesion_id == lesion.lesion_id && row.visit == measured.visit.source.visit;
        let rows: Vec<&MeasurementRow> = result.measurements.iter().filter(at_visit).collect();
        if rows.is_empty() {
            continue;
        }
        groups.extend(of_lesion(measured, lesion, &rows, notes));
    }
    groups
}

fn of_lesion(
    measured: &Measured<'_>,
    lesion: &LesionRow,
    rows: &[&MeasurementRow],
    notes: &mut Vec<Note>,
) -> Vec<GroupToWrite> {
    let source = measured.visit.source;
    let labels = source.measured_labels.get(&lesion.lesion_id).map_or(&[][..], Vec::as_slice);
    let segment_of = |label: &u16| {
        let segment = source.lesions.iter().position(|record| record.label == *label).map(|n| n as u16 + 1);
        segment.filter(|number| measured.segmentation.is_some_and(|s| s.shows(*number)))
    };
    let with = |rows: &[&MeasurementRow], label: &u16| match segment_of(label) {
        None => without_outline(measured, lesion, rows),
        Some(segment) => with_outline(measured, lesion, rows, segment),
    };
    let [joint, pieces @ ..] = &by_piece(rows)[..] else { return Vec::new() };
    match labels {
        [] => without_outline(measured, lesion, rows),
        [label] if pieces.is_empty() => with(rows, label),
        // One outline in pieces, whose calipers may lie in several slices.
        [label] => match segment_of(label) {
            None => without_outline(measured, lesion, rows),
            Some(segment) => vec![group(measured, lesion, rows, RegionToWrite::Segment(segment))],
        },
        // Several outlines: what they are together, then each piece with its own.
        _ if pieces.len() == labels.len() => {
            let own = labels.iter().zip(pieces).flat_map(|(label, piece)| with(piece, label));
            without_outline(measured, lesion, joint).into_iter().chain(own).collect()
        }
        _ => {
            let message = format!(
                "{} has {} outlines and rows of {} pieces; its numbers are written without an outline",
                lesion.lesion_id,
                labels.len(),
                pieces.len()
            );
            notes.push(Note::warning("outline_without_rows", lesion.lesion_id.clone(), message));
            without_outline(measured, lesion, rows)
        }
    }
}

/// The rows of the lesion as a whole, then those of each of its pieces.
fn by_piece<'a>(rows: &[&'a MeasurementRow]) -> Vec<Vec<&'a MeasurementRow>> {
    let piece = |row: &MeasurementRow| row.quantity.split_once(OF_PIECE).map(|(_, number)| number.to_owned());
    let mut parts: Vec<(Option<String>, Vec<&MeasurementRow>)> = vec![(None, Vec::new())];
    for row in rows {
        let own = piece(row);
        match parts.iter_mut().find(|(number, _)| *number == own) {
            Some((_, part)) => part.push(row),
            None => parts.push((own, vec![row])),
        }
    }
    parts.into_iter().map(|(_, rows)| rows).collect()
}

/// The volumetric group of an outline, and the planar ones where its axes are known: one of everybody who measured.
fn with_outline(
    measured: &Measured<'_>,
    lesion: &LesionRow,
    rows: &[&MeasurementRow],
    segment: u16,
) -> Vec<GroupToWrite> {
    let (axes, others): (Vec<&MeasurementRow>, Vec<&MeasurementRow>) =
        rows.iter().partition(|row| is_axis(&row.quantity));
    let planar = |axes: &[&MeasurementRow]| {
        let k = axes.iter().find_map(|row| lines::slice_of(row, measured.grid))?;
        let frame = measured.segmentation?.frame_of(segment, k)?;
        Some(RegionToWrite::SegmentFrame { frame, image: measured.slices[k].clone() })
    };
    let (mut groups, mut whole) = (Vec::new(), Vec::new());
    for (observer, axes) in by_observer(measured.visit.result, &axes) {
        match (planar(&axes), &observer) {
            (None, None) => whole = axes,
            (region, _) => {
                let region = region.unwrap_or(RegionToWrite::Segment(segment));
                groups.push(GroupToWrite {
                    evaluations: Vec::new(),
                    observer,
                    ..group(measured, lesion, &axes, region)
                });
            }
        }
    }
    whole.extend(others);
    if !whole.is_empty() {
        groups.push(group(measured, lesion, &whole, RegionToWrite::Segment(segment)));
    }
    groups
}

/// The group of a lesion without an outline, and one of each reader who measured it.
fn without_outline(measured: &Measured<'_>, lesion: &LesionRow, rows: &[&MeasurementRow]) -> Vec<GroupToWrite> {
    let of_observer = |(observer, rows): (Option<String>, Vec<&MeasurementRow>)| GroupToWrite {
        observer,
        ..group(measured, lesion, &rows, RegionToWrite::Nothing)
    };
    by_observer(measured.visit.result, rows).into_iter().map(of_observer).collect()
}

fn group(measured: &Measured<'_>, lesion: &LesionRow, rows: &[&MeasurementRow], region: RegionToWrite) -> GroupToWrite {
    let own = |value: &str, meaning: &str| Code::new(value, OWN_SCHEME, meaning);
    let mut evaluations = Vec::new();
    if let Some(row) = rows.first() {
        let state = own(&row.state, &row.state.replace('_', " "));
        let concept = own("lesion_state", "State of the lesion");
        evaluations.push(EvaluationToWrite { concept, answer: Answer::Code(state), method: None });
    }
    if !lesion.role.is_empty() {
        let (concept, role) =
            (own("lesion_role", "Role of the lesion"), own(&lesion.role, &lesion.role.replace('_', " ")));
        evaluations.push(EvaluationToWrite { concept, answer: Answer::Code(role), method: None });
    }
    let said = rows.iter().filter(|row| !row.evaluable || !row.reason.is_empty());
    evaluations.extend(said.map(|row| {
        let not = if row.evaluable { "" } else { " not evaluable" };
        comment(&format!("{}{not}: {}", row.quantity, row.reason), None)
    }));
    GroupToWrite {
        tracking: tracking(measured.visit, &lesion.lesion_id),
        finding: finding(&lesion.kind),
        site: organ_code(&lesion.organ),
        observer: None,
        region,
        measurements: rows.iter().filter_map(|row| measurement(measured, row)).collect(),
        evaluations,
    }
}

fn comment(text: &str, method: Option<Code>) -> EvaluationToWrite {
    let answer = Answer::Text(plain_signs(text));
    EvaluationToWrite { concept: Code::new("121106", "DCM", "Comment"), answer, method }
}

/// A sentence of the tables with signs that every character set has: the object then stays in the one of its source, and the patient's
/// name in it is the source's byte for byte.
fn plain_signs(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{2212}' | '\u{2013}' | '\u{2014}' => plain.push('-'),
            '\u{2265}' => plain.push_str(">="),
            '\u{2264}' => plain.push_str("<="),
            '\u{2192}' => plain.push_str("->"),
            '\u{d7}' => plain.push('x'),
            '\u{b7}' => plain.push('.'),
            '\u{b1}' => plain.push_str("+/-"),
            '\u{b2}' => plain.push('2'),
            '\u{b3}' => plain.push('3'),
            '\u{2026}' => plain.push_str("..."),
            '\u{a0}' | '\u{202f}' | '\u{2009}' => plain.push(' '),
            '\u{2018}' | '\u{2019}' => plain.push('\''),
            '\u{201c}' | '\u{201d}' => plain.push('"'),
            other => plain.push(other),
        }
    }
    plain
}

/// The number of a row; what is not evaluable is said in words, for readers give up a report with a number that has no value.
fn measurement(measured: &Measured<'_>, row: &MeasurementRow) -> Option<MeasurementToWrite> {
    let value = row.value.filter(|_| row.evaluable)?;
    let (concept, derivation) = concept(&row.quantity);
    Some(MeasurementToWrite {
        concept,
        derivation,
        value,
        unit: unit(&row.unit),
        line: is_axis(&row.quantity).then(|| lines::line(row, measured)).flatten(),
    })
}

/// Whether a quantity is a diameter of the lesion or of one of its pieces, which has a caliper.
fn is_axis(quantity: &str) -> bool {
    let whole = quantity.split_once(OF_PIECE).map_or(quantity, |(whole, _)| whole);
    matches!(whole, "long_axis" | "short_axis")
}

/// Concept and derivation of a quantity of `measurements.csv`; one without a code has its own word in the program's scheme.
fn concept(quantity: &str) -> (Code, Option<Code>) {
    let peak = || Code::new("126031", "DCM", "Peak Value Within ROI");
    let dose = || Code::new("128513", "DCM", "Absorbed Dose");
    let adc = || Code::new("113041", "DCM", "Apparent Diffusion Coefficient");
    let (mean, least, most) =
        (snomed("373098007", "Mean"), snomed("255605001", "Minimum"), snomed("56851009", "Maximum"));
    match quantity {
        "long_axis" => (snomed("103339001", "Long axis"), None),
        "short_axis" => (snomed("103340004", "Short axis"), None),
        "volume" => (snomed("118565006", "Volume"), None),
        "max_3d_diameter" => (Code::new("L0JK", "IBSI", "Maximum 3D Diameter of a Mesh"), None),
        "suv_max" => (Code::new("126401", "DCM", "SUVbw"), Some(most)),
        "suv_peak" => (Code::new("126401", "DCM", "SUVbw"), Some(peak())),
        "sul_peak" => (Code::new("126402", "DCM", "SUVlbm"), Some(peak())),
        "dose_mean" => (dose(), Some(mean)),
        "dose_min" => (dose(), Some(least)),
        "dose_max" => (dose(), Some(most)),
        "adc_mean" => (adc(), Some(mean)),
        "adc_median" => (adc(), Some(snomed("373099004", "Median"))),
        "adc_min" => (adc(), Some(least)),
        "adc_max" => (adc(), Some(most)),
        other => (Code::new(other, OWN_SCHEME, other.replace('_', " ")), None),
    }
}

/// Units after UCUM.
fn unit(unit: &str) -> Code {
    let (value, meaning) = match unit {
        "mm" => ("mm", "millimeter"),
        "mm2" => ("mm2", "square millimeter"),
        "mm3" => ("mm3", "cubic millimeter"),
        "SUL" => ("{SUVlbm}g/ml", "Standardized Uptake Value lean body mass"),
        "SUVbw" => ("{SUVbw}g/ml", "Standardized Uptake Value body weight"),
        "SUVbw*ml" => ("{SUVbw}g", "Standardized Uptake Value body weight times milliliter"),
        "Gy" => ("Gy", "Gray"),
        "%" => ("%", "percent"),
        "HU" => ("[hnsf'U]", "Hounsfield unit"),
        "as stored" => ("1", "no units"),
        other => (other, other),
    };
    Code::new(value, "UCUM", meaning)
}

/// The responses of the patient at the visit by every criterion; none at baseline.
pub(super) fn responses(visit: &Visit<'_>) -> Vec<EvaluationToWrite> {
    let of_visit = visit.result.assessments.iter().filter(|row| row.visit == visit.source.visit);
    let mut evaluations = Vec::new();
    for row in of_visit.filter(|row| row.target != "BASELINE") {
        let method = match row.criterion.as_str() {
            "recist_1_1" => Code::new("126081", "DCM", "RECIST 1.1"),
            other => Code::new(other, OWN_SCHEME, other.replace('_', " ")),
        };
        let current = Code::new("112048", "DCM", "Current Response");
        let answers = [
            (current.clone(), response("target", &row.target)),
            (current, response("non-target", &row.non_target)),
            (Code::new("112020", "DCM", "Response Evaluation"), response("overall", &row.overall)),
        ];
        evaluations.extend(answers.into_iter().map(|(concept, answer)| EvaluationToWrite {
            concept,
            answer: Answer::Code(answer),
            method: Some(method.clone()),
        }));
        evaluations.push(comment(&row.why, Some(method)));
    }
    evaluations
}

/// A response as a code: DICOM's of targets and non-targets (CID 6143, 6144), the NCI Thesaurus' of the patient; words that neither
/// has in the program's scheme.
///
/// The four codes of the NCI Thesaurus stand in no DICOM context group (nor in the code dictionary of pydicom 3.0.2); their meanings
/// were compared with the Response enumeration of the Pediatric Cancer Data Commons' data dictionary (its `ncit:` meanings).
fn response(of: &str, word: &str) -> Code {
    let dcm = |value: &str, meaning: &str| Code::new(value, "DCM", meaning);
    let ncit = |value: &str, meaning: &str| Code::new(value, "NCIt", meaning);
    match (of, word) {
        ("target", "CR") => dcm("112041", "Target Lesion Complete Response"),
        ("target", "PR") => dcm("112042", "Target Lesion Partial Response"),
        ("target", "PD") => dcm("112043", "Target Lesion Progressive Disease"),
        ("target", "SD") => dcm("112044", "Target Lesion Stable Disease"),
        ("non-target", "CR") => dcm("112045", "Non-Target Lesion Complete Response"),
        ("non-target", "NON-CR/NON-PD") => dcm("112046", "Non-Target Lesion Incomplete Response or Stable Disease"),
        ("non-target", "PD") => dcm("112047", "Non-Target Lesion Progressive Disease"),
        ("overall", "CR") => ncit("C4870", "Complete Response"),
        ("overall", "PR") => ncit("C18058", "Partial Response"),
        ("overall", "SD") => ncit("C18213", "Stable Disease"),
        ("overall", "PD") => ncit("C35571", "Progressive Disease"),
        (_, other) => Code::new(format!("{of} {other}"), OWN_SCHEME, format!("{of}: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_of_a_map_are_coded_and_percentiles_have_their_own_word() {
        for (quantity, derivation) in
            [("adc_mean", "Mean"), ("adc_median", "Median"), ("adc_min", "Minimum"), ("adc_max", "Maximum")]
        {
            let (code, how) = concept(quantity);
            assert_eq!(code, Code::new("113041", "DCM", "Apparent Diffusion Coefficient"), "{quantity}");
            assert_eq!(how.map(|how| how.meaning), Some(derivation.to_owned()));
        }
        let (code, how) = concept("adc_p10");
        assert_eq!((code, how), (Code::new("adc_p10", OWN_SCHEME, "adc p10"), None));
        assert_eq!(unit("as stored"), Code::new("1", "UCUM", "no units"));
    }
}
