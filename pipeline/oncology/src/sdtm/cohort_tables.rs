//! The cohort's own rows as SDTM: lesions as TU, measurements and states as TR, assessments as RS. What [`super::assess_sdtm`] makes
//! of TU and TR is the response by RECIST 1.1 that the images gave, but where non-targets decide by more than being there: an
//! unequivocal progression is a verdict on all lesions together, which no row of one lesion states, and a non-target node below
//! 10 mm is `PRESENT` here while it no longer counts in a run.
//!
//! Source: CDISC SDTM-IG 3.4, domains TU, TR and RS; CDISC controlled terminology (TUTESTCD, TRTESTCD, RSTESTCD).

use std::collections::{BTreeMap, BTreeSet};

use crate::cohort::{AssessmentRow, LesionRow, MeasurementRow};
use crate::exact::Exact;
use crate::time::Date;

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
    visits: BTreeMap<&'a str, Vec<(Date, i64)>>,
}

impl<'a> Writer<'a> {
    fn new(study: &'a str, measurements: &'a [MeasurementRow], assessments: &'a [AssessmentRow]) -> Self {
        let measured = measurements.iter().map(|m| (m.patient_id.as_str(), m.date, m.study_day));
        let assessed = assessments.iter().map(|a| (a.patient_id.as_str(), a.date, a.study_day));
        let mut days: BTreeMap<&str, BTreeSet<(Date, i64)>> = BTreeMap::new();
        for (patient, date, day) in measured.chain(assessed).filter(|(_, _, day)| *day >= 0) {
            days.entry(patient).or_default().insert((date, day));
        }
        Self { study, visits: days.into_iter().map(|(patient, days)| (patient, days.into_iter().collect())).collect() }
    }

    /// VISITNUM, VISIT and --DTC.
    fn visit(&self, patient: &str, date: Date) -> Option<[String; 3]> {
        let at = self.visits.get(patient)?.iter().position(|(day, _)| *day == date)?;
        let name = if at == 0 { "BASELINE".to_owned() } else { format!("DAY {}", self.visits[patient][at].1) };
        Some([(at + 1).to_string(), name, date.to_string()])
    }

    /// Rows of `(patient, cells before the visit, date)` with study, domain and number before and the visit behind.
    fn table(&self, domain: &str, columns: &'static [&'static str], rows: Vec<Unplaced<'_>>) -> SdtmTable {
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        let placed = rows.into_iter().filter_map(|Unplaced { patient, cells, date }| {
            let visit = self.visit(patient, date)?;
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
    date: Date,
}

fn texts(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

/// TU: one row for each recorded lesion, at the visit that first showed it.
pub fn tu_table(
    study: &str,
    lesions: &[LesionRow],
    measurements: &[MeasurementRow],
    assessments: &[AssessmentRow],
) -> SdtmTable {
    let rows = lesions.iter().filter_map(|lesion| {
        let role = role_of(lesion)?;
        let place = location(lesion);
        let cells = texts(&[&lesion.lesion_id, "TUMIDENT", "Tumor Identification", role, role, &place, EVALUATOR]);
        Some(Unplaced { patient: &lesion.patient_id, cells, date: lesion.first_seen_date })
    });
    Writer::new(study, measurements, assessments).table("TU", TU_COLUMNS, rows.collect())
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

/// TR: for each recorded lesion and visit its diameters, or why there is none, and whether it is there.
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
    let mut sightings: BTreeMap<(&str, Date, &str), Vec<&MeasurementRow>> = BTreeMap::new();
    for row in measurements {
        if recorded.contains(&(row.patient_id.as_str(), row.lesion_id.as_str())) {
            sightings.entry((&row.patient_id, row.date, &row.lesion_id)).or_default().push(row);
        }
    }
    let mut rows = Vec::new();
    for ((patient, date, lesion), found) in sightings {
        for cells in of_sighting(lesion, &found) {
            rows.push(Unplaced { patient, cells, date });
        }
    }
    Writer::new(study, measurements, assessments).table("TR", TR_COLUMNS, rows)
}

/// The rows of one lesion at one visit, without study and visit.
fn of_sighting(lesion: &str, found: &[&MeasurementRow]) -> Vec<Vec<String>> {
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
                rows.push(Unplaced { patient: &one.patient_id, cells, date: one.date });
            }
        }
    }
    Writer::new(study, measurements, assessments).table("RS", RS_COLUMNS, rows)
}

/// RSCAT: the criterion's name, numbers with their points (`recist_1_1` is `RECIST 1.1`).
fn category(criterion: &str) -> String {
    let mut name = String::new();
    for word in criterion.split('_') {
        let is_number = |text: &str| text.chars().all(|c| c.is_ascii_digit());
        let follows_number = name.ends_with(|c: char| c.is_ascii_digit());
        if !name.is_empty() {
            name.push(if follows_number && is_number(word) { '.' } else { ' ' });
        }
        name.push_str(&word.to_uppercase());
    }
    name
}

#[cfg(test)]
mod tests;
