//! Results of a synthetic cohort against its known truth: responses, events, long axes and margins, patient by patient, with every
//! miss named.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use oncology::{Date, MeasurementRow};
use phantom::truth::{Assessment, CohortTruth, PatientTruth, SizeTruth, VisitTruth};

use crate::patient::CohortPatient;

/// A caliper is a true lesion's when its middle lies this near to the true centre, mm. Origin: phantom lesions stand farther apart.
const SAME_LESION_MM: f64 = 15.0;
/// Largest error of a margin that counts as equal, mm.
const MARGIN_TOLERANCE_MM: f64 = 1.0;

/// How one patient compares.
#[derive(Debug, Clone, Default)]
pub(crate) struct PatientComparison {
    /// Identifier.
    pub(crate) id: String,
    /// What the patient shows.
    pub(crate) scenario: String,
    /// Responses equal, of how many, over criteria and visits.
    pub(crate) responses: [usize; 2],
    /// Dated events equal, of how many.
    pub(crate) events: [usize; 2],
    /// Long axes within half a pixel, of how many true lesions.
    pub(crate) axes: [usize; 2],
    /// Largest error of a long axis in pixels.
    pub(crate) worst_axis_pixels: f64,
    /// Margins within 1 mm, of how many.
    pub(crate) margins: [usize; 2],
    /// Largest error of a margin, mm.
    pub(crate) worst_margin_mm: f64,
    /// Every miss, in a sentence.
    pub(crate) misses: Vec<String>,
}

/// How the cohort compares.
#[derive(Debug, Clone)]
pub(crate) struct Comparison {
    /// Patient by patient.
    pub(crate) patients: Vec<PatientComparison>,
}

impl Comparison {
    /// Compares; a patient without a result misses everything.
    pub(crate) fn new(truth: &CohortTruth, results: &[CohortPatient]) -> Self {
        let one = |truth: &PatientTruth| {
            let result = results.iter().find(|r| r.patient_id == truth.patient_id);
            compare(truth, result)
        };
        Self { patients: truth.patients.iter().map(one).collect() }
    }
}

fn compare(truth: &PatientTruth, result: Option<&CohortPatient>) -> PatientComparison {
    let mut found = PatientComparison {
        id: truth.patient_id.clone(),
        scenario: truth.scenario.to_string(),
        ..PatientComparison::default()
    };
    let Some(result) = result else {
        found.misses.push("no result: see the ledger".to_owned());
        found.responses[1] = 2 * truth.visits.len();
        return found;
    };
    let mut identity = BTreeMap::new();
    for visit in &truth.visits {
        axes(visit, result, &mut found, &mut identity);
    }
    for visit in truth.visits.iter().skip(1) {
        response("recist_1_1", &visit.recist_1_1, &visit.visit, result, &mut found);
        response("mrecist", &visit.mrecist, &visit.visit, result, &mut found);
    }
    events(truth, result, &mut found);
    margins(truth, result, &identity, &mut found);
    found
}

/// The long axis of every true lesion against the caliper nearest to it; learns which of the program's lesions is which.
fn axes(
    visit: &VisitTruth,
    result: &CohortPatient,
    found: &mut PatientComparison,
    identity: &mut BTreeMap<String, String>,
) {
    let pixel = visit.spacing_mm[0].max(visit.spacing_mm[1]);
    for lesion in &visit.lesions {
        let Some(size) = &lesion.size else { continue };
        found.axes[1] += 1;
        match nearest_axis(&visit.visit, size, result) {
            None => found.misses.push(format!(
                "{}: {} ({:.1} mm) has no measurement",
                visit.visit, lesion.lesion_id, size.long_axis_mm
            )),
            Some((row, value)) => {
                identity.entry(row.lesion_id.clone()).or_insert_with(|| lesion.lesion_id.clone());
                let error = (value - size.long_axis_mm) / pixel;
                found.worst_axis_pixels = found.worst_axis_pixels.max(error.abs());
                if error.abs() <= 0.5 {
                    found.axes[0] += 1;
                } else {
                    found.misses.push(format!(
                        "{}: {} long axis {value:.2} mm, true {:.2} mm ({error:+.2} pixels)",
                        visit.visit, lesion.lesion_id, size.long_axis_mm
                    ));
                }
            }
        }
    }
}

fn nearest_axis<'a>(visit: &str, size: &SizeTruth, result: &'a CohortPatient) -> Option<(&'a MeasurementRow, f64)> {
    let rows = result.measurements.iter().filter(|m| m.visit.to_string() == visit && m.quantity == "long_axis");
    let distance = |row: &MeasurementRow| {
        let ends: Vec<f64> = row.caliper_lps_mm.split([' ', ';']).filter_map(|t| t.parse().ok()).collect();
        let [a, b, c, d, e, f] = ends.as_slice() else { return f64::INFINITY };
        let middle = [(a + d) / 2.0, (b + e) / 2.0, (c + f) / 2.0];
        middle.iter().zip(size.centre_lps).map(|(m, t)| (m - t) * (m - t)).sum::<f64>().sqrt()
    };
    let nearest = rows.min_by(|a, b| distance(a).total_cmp(&distance(b)))?;
    (distance(nearest) <= SAME_LESION_MM).then_some(nearest).and_then(|row| row.value.map(|value| (row, value)))
}

fn response(criterion: &str, truth: &Assessment, visit: &str, result: &CohortPatient, found: &mut PatientComparison) {
    let Assessment::Expected(expected) = truth else { return };
    let Some(overall) = expected.overall else { return };
    let wanted = serde_json::to_value(overall).ok().and_then(|v| v.as_str().map(ToOwned::to_owned)).unwrap_or_default();
    found.responses[1] += 1;
    let row = result.assessments.iter().find(|r| r.criterion == criterion && r.visit.to_string() == visit);
    let got = row.map_or("none", |r| r.overall.as_str());
    if got == wanted {
        found.responses[0] += 1;
    } else {
        let why = row.map_or("", |r| r.why.as_str());
        found.misses.push(format!("{visit}: {criterion} {got}, true {wanted} ({why})"));
    }
}

fn events(truth: &PatientTruth, result: &CohortPatient, found: &mut PatientComparison) {
    let word = |class: &phantom::truth::EventClass| {
        serde_json::to_value(class).ok().and_then(|v| v.as_str().map(ToOwned::to_owned)).unwrap_or_default()
    };
    let wanted: BTreeSet<(Date, String)> = truth.events.iter().map(|e| (e.date, word(&e.class))).collect();
    let got: BTreeSet<(Date, String)> = result
        .events
        .iter()
        .filter_map(|e| match e.event.as_str() {
            "progression" => Some((e.date, e.class.clone())),
            "death" => Some((e.date, "death".to_owned())),
            _ => None,
        })
        .collect();
    found.events[1] = wanted.len();
    found.events[0] = wanted.intersection(&got).count();
    for (date, class) in wanted.difference(&got) {
        found.misses.push(format!("{date}: event {class} was not found"));
    }
    for (date, class) in got.difference(&wanted) {
        let why = result.events.iter().find(|e| e.date == *date && e.class == *class).map_or("", |e| e.why.as_str());
        found.events[1] += 1;
        found.misses.push(format!("{date}: event {class} is not true ({why})"));
    }
}

fn margins(
    truth: &PatientTruth,
    result: &CohortPatient,
    identity: &BTreeMap<String, String>,
    found: &mut PatientComparison,
) {
    for treatment in &truth.treatments {
        for margin in &treatment.margins {
            found.margins[1] += 1;
            let same = |m: &&oncology::MarginRow| {
                m.treatment_date == treatment.date && identity.get(&m.lesion_id) == Some(&margin.lesion_id)
            };
            match result.margins.iter().find(same).and_then(|m| m.min_margin_mm) {
                None => found.misses.push(format!(
                    "{}: no margin of {} (true {:.1} mm)",
                    treatment.date, margin.lesion_id, margin.min_margin_mm
                )),
                Some(got) => {
                    let error = got - margin.min_margin_mm;
                    found.worst_margin_mm = found.worst_margin_mm.max(error.abs());
                    if error.abs() <= MARGIN_TOLERANCE_MM {
                        found.margins[0] += 1;
                    } else {
                        found.misses.push(format!(
                            "{}: margin of {} {got:.2} mm, true {:.2} mm ({error:+.2} mm)",
                            treatment.date, margin.lesion_id, margin.min_margin_mm
                        ));
                    }
                }
            }
        }
    }
}

/// The table as text, with the misses below it.
pub(crate) fn as_text(title: &str, comparison: &Comparison) -> String {
    let mut text = format!("{title}, against the truth\n");
    let _ = writeln!(
        text,
        "  {:<8} {:<24} {:>9} {:>7} {:>22} {:>22}",
        "patient", "scenario", "responses", "events", "long axis ≤ ½ pixel", "margin within 1 mm"
    );
    let mut total = PatientComparison::default();
    for p in &comparison.patients {
        let _ = writeln!(text, "  {:<8} {:<24} {}", p.id, p.scenario, figures(p));
        for (sum, part) in [
            (&mut total.responses, p.responses),
            (&mut total.events, p.events),
            (&mut total.axes, p.axes),
            (&mut total.margins, p.margins),
        ] {
            sum[0] += part[0];
            sum[1] += part[1];
        }
        total.worst_axis_pixels = total.worst_axis_pixels.max(p.worst_axis_pixels);
        total.worst_margin_mm = total.worst_margin_mm.max(p.worst_margin_mm);
    }
    let _ = writeln!(text, "  {:<8} {:<24} {}", "all", "", figures(&total));
    for p in comparison.patients.iter().filter(|p| !p.misses.is_empty()) {
        let _ = writeln!(text, "  misses of {}:", p.id);
        for miss in &p.misses {
            let _ = writeln!(text, "    {miss}");
        }
    }
    text
}

fn figures(p: &PatientComparison) -> String {
    let pair = |[equal, of]: [usize; 2]| format!("{equal}/{of}");
    let axes = format!("{} (worst {:.2} px)", pair(p.axes), p.worst_axis_pixels);
    let margins = if p.margins[1] == 0 {
        "–".to_owned()
    } else {
        format!("{} (worst {:.2} mm)", pair(p.margins), p.worst_margin_mm)
    };
    format!("{:>9} {:>7} {axes:>22} {margins:>22}", pair(p.responses), pair(p.events))
}
