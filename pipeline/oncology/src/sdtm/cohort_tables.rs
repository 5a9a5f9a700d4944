//! The cohort's own rows as SDTM: lesions as TU, measurements and states as TR, assessments as RS. What [`super::assess_sdtm`] makes
//! of TU and TR is the response by RECIST 1.1 that the images gave, but where non-targets decide by more than being there: an
//! unequivocal progression is a verdict on all lesions together, which no row of one lesion states, and a non-target node below
//! 10 mm is `PRESENT` here while it no longer counts in a run.
//!
//! Source: CDISC SDTM-IG 3.4, domains TU, TR and RS; CDISC controlled terminology (TUTESTCD, TRTESTCD, RSTESTCD).

use std::collections::{BTreeMap, BTreeSet};

use crate::cohort::{AssessmentRow, LesionRow, MeasurementRow};
use crate::exact::Exact;
use crate::sdtm::responses::category;
use crate::visit_id::VisitId;

/// Who measured: the word in TUEVAL, TREVAL and RSEVAL.
const EVALUATOR: &str = "ALGORITHM";

/// A table of texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SdtmTable {
    /// Names of the columns.
    pub columns: &'static [&'static str],
    /// Rows, each as long as the columns.
    pub rows: Vec<Vec<String>>,
}

const TU_COLUMNS: &[&str] = &[
    "STUDYID", "DOMAIN", "USUBJID", "TUSEQ", "TULNKID", "TUTESTCD", "TUTEST", "TUORRES", "TUSTRESC", "TULOC", "TUEVAL",
    "VISITNUM", "VISIT", "TUDTC",
];
const TR_COLUMNS: &[&str] = &[
    "STUDYID", "DOMAIN", "USUBJID", "TRSEQ", "TRLNKID", "TRTESTCD", "TRTEST", "TRORRES", "TRORRESU", "TRSTAT",
    "TRREASND", "TREVAL", "VISITNUM", "VISIT", "TRDTC",
];
const RS_COLUMNS: &[&str] = &[
    "STUDYID", "DOMAIN", "USUBJID", "RSSEQ", "RSCAT", "RSTESTCD", "RSTEST", "RSORRES", "RSSTRESC", "RSEVAL",
    "VISITNUM", "VISIT", "RSDTC",
];

/// Visits of every patient from baseline on, numbered from 1; rows are numbered within a patient.
struct Writer<'a> {
    study: &'a str,
    visits: BTreeMap<&'a str, Vec<(VisitId, i64)>>,
    responses: Responses<'a>,
}

/// The visits of a patient that are response time points; a patient without assessments is not in it.
type Responses<'a> = BTreeMap<&'a str, BTreeSet<VisitId>>;

impl<'a> Writer<'a> {
    fn new(study: &'a str, measurements: &'a [MeasurementRow], assessments: &'a [AssessmentRow]) -> Self {
        let measured = measurements.iter().map(|m| (m.patient_id.as_str(), m.visit, m.study_day));
        let assessed = assessments.iter().map(|a| (a.patient_id.as_str(), a.visit, a.study_day));
        let mut days: BTreeMap<&str, BTreeSet<(VisitId, i64)>> = BTreeMap::new();
        for (patient, visit, day) in measured.chain(assessed).filter(|(_, _, day)| *day >= 0) {
            days.entry(patient).or_default().insert((visit, day));
        }
        let mut responses = Responses::new();
        for row in assessments {
            responses.entry(&row.patient_id).or_default().insert(row.visit);
        }
        let visits = days.into_iter().map(|(patient, days)| (patient, days.into_iter().collect())).collect();
        Self { study, visits, responses }
    }

    /// VISITNUM, VISIT and --DTC. Two visits of one day share the date and differ in the rest.
    fn visit(&self, patient: &str, visit: VisitId) -> Option<[String; 3]> {
        let at = self.visits.get(patient)?.iter().position(|(known, _)| *known == visit)?;
        let name = match (at, visit.ordinal()) {
            (0, _) => "BASELINE".to_owned(),
            (_, 1) => format!("DAY {}", self.visits[patient][at].1),
            (_, further) => format!("DAY {}-{further}", self.visits[patient][at].1),
        };
        Some([(at + 1).to_string(), name, visit.date().to_string()])
    }

    fn is_response(&self, patient: &str, visit: VisitId) -> bool {
        self.responses.get(patient).is_none_or(|visits| visits.contains(&visit))
    }

    /// Rows of `(patient, cells before the visit, visit)` with study, domain and number before and the visit behind.
    fn table(&self, domain: &str, columns: &'static [&'static str], rows: Vec<Unplaced<'_>>) -> SdtmTable {
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        let placed = rows.into_iter().filter_map(|Unplaced { patient, cells, visit }| {
            let visit = self.visit(patient, visit)?;
            let number = numbers.entry(patient).or_default();
            *number += 1;
            let first = [self.study.to_owned(), domain.to_owned(), patient.to_owned(), number.to_string()];
            Some(first.into_iter().chain(cells).chain(visit).collect())
        });
        SdtmTable { columns, rows: placed.collect() }
    }
}

struct Unplaced<'a> {
    patient: &'a str,
    cells: Vec<String>,
    visit: VisitId,
}

fn texts(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

/// TU: one row for each recorded lesion, at the first response time point that showed it: a scan round a treatment is none.
pub fn tu_table(
    study: &str,
    lesions: &[LesionRow],
    measurements: &[MeasurementRow],
    assessments: &[AssessmentRow],
) -> SdtmTable {
    let writer = Writer::new(study, measurements, assessments);
    let rows = lesions.iter().filter_map(|lesion| {
        let role = role_of(lesion)?;
        let place = location(lesion);
        let cells = texts(&[&lesion.lesion_id, "TUMIDENT", "Tumor Identification", role, role, &place, EVALUATOR]);
        let patient = lesion.patient_id.as_str();
        let visit = writer.responses.get(patient).and_then(|visits| visits.range(lesion.first_seen_visit..).next());
        Some(Unplaced { patient, cells, visit: visit.copied().unwrap_or(lesion.first_seen_visit) })
    });
    writer.table("TU", TU_COLUMNS, rows.collect())
}

fn role_of(lesion: &LesionRow) -> Option<&'static str> {
    match lesion.role.as_str() {
        "target" => Some("TARGET"),
        "non_target" => Some("NON-TARGET"),
        "new" => Some("NEW"),
        _ => None,
    }
}

/// TULOC: the organ; a node says so, since its short axis counts.
fn location(lesion: &LesionRow) -> String {
    let organ = lesion.organ.replace('_', " ").to_uppercase();
    if lesion.kind == "node" && !organ.contains("LYMPH NODE") { format!("LYMPH NODE, {organ}") } else { organ }
}

/// TR: for each recorded lesion and visit its diameters, or why there is none, and whether it is there. A scan round a treatment that
/// is no response time point gives no diameters here: who assesses these rows again must not take them for one.
pub fn tr_table(
    study: &str,
    lesions: &[LesionRow],
    measurements: &[MeasurementRow],
    assessments: &[AssessmentRow],
) -> SdtmTable {
    let recorded: BTreeSet<(&str, &str)> = lesions
        .iter()
        .filter(|lesion| role_of(lesion).is_some())
        .map(|lesion| (lesion.patient_id.as_str(), lesion.lesion_id.as_str()))
        .collect();
    let mut sightings: BTreeMap<(&str, VisitId, &str), Vec<&MeasurementRow>> = BTreeMap::new();
    for row in measurements {
        if recorded.contains(&(row.patient_id.as_str(), row.lesion_id.as_str())) {
            sightings.entry((&row.patient_id, row.visit, &row.lesion_id)).or_default().push(row);
        }
    }
    let writer = Writer::new(study, measurements, assessments);
    let mut rows = Vec::new();
    for ((patient, visit, lesion), found) in sightings {
        for cells in of_sighting(lesion, &found, writer.is_response(patient, visit)) {
            rows.push(Unplaced { patient, cells, visit });
        }
    }
    writer.table("TR", TR_COLUMNS, rows)
}

/// Why a visit has no diameters in TR.
const NO_RESPONSE: &str = "scan round a treatment, no response time point";

/// The rows of one lesion at one visit, without study and visit.
fn of_sighting(lesion: &str, found: &[&MeasurementRow], is_response: bool) -> Vec<Vec<String>> {
    let state = found[0].state.as_str();
    let row = |test: [&str; 2], result: &str, unit: &str, not_done: Option<&str>| {
        let status = if not_done.is_some() { "NOT DONE" } else { "" };
        texts(&[lesion, test[0], test[1], result, unit, status, not_done.unwrap_or_default(), EVALUATOR])
    };
    let mut rows = Vec::new();
    for (quantity, test) in
        [("long_axis", ["LDIAM", "Longest Diameter"]), ("short_axis", ["LPERP", "Longest Perpendicular"])]
    {
        match state {
            _ if !is_response => rows.push(row(test, "", "", Some(NO_RESPONSE))),
            // A lesion that is gone, ablated or grown into another one counts 0 by either diameter.
            "absent" | "ablated" | "merged" => rows.push(row(test, "0", "mm", None)),
            _ => rows.extend(diameter(found, quantity).map(|size| match size {
                Ok(size) => row(test, &size.to_string(), "mm", None),
                Err(reason) => row(test, "", "", Some(reason)),
            })),
        }
    }
    let seen = match state {
        "absent" | "ablated" => "ABSENT",
        "merged" => "COALESCED",
        "present" | "residual" | "local_progression" => "PRESENT",
        _ => "",
    };
    let not_seen = seen.is_empty().then(|| found[0].reason.as_str());
    rows.push(row(["TUMSTATE", "Tumor State"], seen, "", not_seen));
    rows
}

/// The largest of a lesion's pieces, or why one of them has no size; `None` where nothing is said of this diameter.
fn diameter<'a>(found: &[&'a MeasurementRow], quantity: &str) -> Option<Result<Exact, &'a str>> {
    let rows: Vec<&&MeasurementRow> = found.iter().filter(|row| row.quantity == quantity).collect();
    // What is not evaluable is said once, of the long axis, and holds for the short one too.
    if let Some(row) = found.iter().find(|row| row.quantity == "long_axis" && !row.evaluable) {
        return Some(Err(row.reason.as_str()));
    }
    rows.iter().filter_map(|row| Exact::from_image(row.value?)).max().map(Ok)
}

/// RS: the responses of every assessment after baseline, by criterion.
pub fn rs_table(study: &str, measurements: &[MeasurementRow], assessments: &[AssessmentRow]) -> SdtmTable {
    let mut rows = Vec::new();
    for one in assessments.iter().filter(|one| one.target != "BASELINE") {
        let category = category(&one.criterion);
        for (test, name, result) in [
            ("TRGRESP", "Target Response", &one.target),
            ("NTRGRESP", "Non-target Response", &one.non_target),
            ("NEWLPROG", "New Lesion Progression", &one.new_lesion),
            ("OVRLRESP", "Overall Response", &one.overall),
        ] {
            if result != "NA" && !result.is_empty() {
                let cells = texts(&[&category, test, name, result, result, EVALUATOR]);
                rows.push(Unplaced { patient: &one.patient_id, cells, visit: one.visit });
            }
        }
    }
    Writer::new(study, measurements, assessments).table("RS", RS_COLUMNS, rows)
}

#[cfg(test)]
mod tests;
