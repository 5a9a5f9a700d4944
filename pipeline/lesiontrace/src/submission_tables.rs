//! The cohort's rows as CDISC tables: `tu.csv`, `tr.csv`, `rs.csv` (SDTM) and `adrs.csv`, `adtr.csv`, `adtte.csv`
//! (ADaM), for every criterion and endpoint.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use formats::tables::{cells_to_csv, rows_of_cells_to_csv, rows_to_csv, to_csv};
use oncology::adam::{
    AdrsRow, AdtrRow, AdtteRow, DayCount, Source, adrs_rows, adtr_rows, adtte_rows, death_row, number,
};
use oncology::criteria::CriterionTable;
use oncology::sdtm::cohort_tables::{SdtmTable, assessments_of, rs_table, tr_table, tu_table};
use oncology::{Date, EndpointRow};
use rayon::prelude::*;

use crate::out::Growing;
use crate::patient::CohortPatient;

const ADRS_COLUMNS: &[&str] = &[
    "USUBJID", "PARAMCD", "PARAM", "ADT", "AVISIT", "AVALC", "AVAL", "RSEVAL", "RSEVALID", "PARAMN", "PARCAT1",
    "AVISITN", "ADTC", "ADY", "ANL01FL", "AVALRSN", "STUDYID", "ASEQ",
];
const ADTR_COLUMNS: &[&str] = &[
    "USUBJID", "PARAMCD", "PARAM", "ADT", "AVISIT", "AVAL", "BASE", "TREVAL", "TREVALID", "PARAMN", "PARCAT1",
    "AVISITN", "ADY", "ABLFL", "AVALRSN", "STUDYID",
];
const ADTTE_COLUMNS: &[&str] = &[
    "USUBJID", "PARAMCD", "PARAM", "STARTDT", "ADT", "AVAL", "AVALU", "CNSR", "EVNTDESC", "CNSDTDSC", "UNITID",
    "STUDYID", "PARAMN", "ANL01FL", "SRCDOM", "SRCVAR", "SRCSEQ", "DIAG",
];

/// What the tables need besides the patients' results.
pub(crate) struct Submission<'a> {
    /// STUDYID: the cohort's name.
    pub(crate) study: &'a str,
    /// Criteria, the leading one first.
    pub(crate) tables: &'a [CriterionTable],
    /// How ADTTE counts days.
    pub(crate) days: DayCount,
}

/// Patients whose rows are made at once, in parallel; nobody else's lie in memory.
const PATIENTS_AT_ONCE: usize = 256;

/// The tables' names; the text of each comes in this order.
const NAMES: [&str; 6] = ["tu", "tr", "rs", "adrs", "adtr", "adtte"];

/// Writes the tables into `cohort/`, patient after patient.
pub(crate) fn write(folder: &Path, results: &[CohortPatient], submission: &Submission<'_>) -> anyhow::Result<()> {
    let mut files = Vec::with_capacity(NAMES.len());
    for (name, head) in NAMES.into_iter().zip(heads()?) {
        let mut file = Growing::new(folder.join(format!("cohort/{name}.csv")))?;
        file.append(&head)?;
        files.push(file);
    }
    let endpoints = endpoints(results);
    for patients in results.chunks(PATIENTS_AT_ONCE) {
        let made = patients.par_iter().map(|patient| texts(patient, &endpoints, submission));
        for of_patient in made.collect::<Result<Vec<_>, _>>()? {
            for (file, text) in files.iter_mut().zip(of_patient) {
                file.append(&text)?;
            }
        }
    }
    files.into_iter().try_for_each(Growing::finish)
}

/// The cohort's endpoints in the order they come first, by which ADTTE numbers its parameters.
fn endpoints(results: &[CohortPatient]) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    for row in results.iter().flat_map(|result| &result.endpoints) {
        if !found.contains(&row.endpoint.as_str()) {
            found.push(&row.endpoint);
        }
    }
    found
}

/// The lines over the tables.
fn heads() -> anyhow::Result<[Vec<u8>; 6]> {
    let of_texts = |table: &SdtmTable| cells_to_csv(table.columns, &table.rows);
    let made = || -> Result<_, csv::Error> {
        Ok([
            of_texts(&tu_table("", &[], &[], &[]))?,
            of_texts(&tr_table("", &[], &[], &[]))?,
            of_texts(&rs_table("", &[], &[]))?,
            to_csv::<AdrsRow>(ADRS_COLUMNS, &[])?,
            to_csv::<AdtrRow>(ADTR_COLUMNS, &[])?,
            to_csv::<AdtteRow>(ADTTE_COLUMNS, &[])?,
        ])
    };
    made().context("making the heads of the submission tables")
}

/// The rows of one patient.
fn texts(patient: &CohortPatient, endpoints: &[&str], submission: &Submission<'_>) -> anyhow::Result<[Vec<u8>; 6]> {
    let CohortPatient { lesions, measurements, assessments, .. } = patient;
    let study = submission.study;
    let tu = tu_table(study, lesions, measurements, assessments);
    let tr = tr_table(study, lesions, measurements, assessments);
    let rs = rs_table(study, measurements, assessments);
    let (adrs, adtr) = responses(patient, submission);
    let mut adtte = times_to_event(patient, submission, &adrs, &tr);
    for (row, one) in adtte.iter_mut().zip(&patient.endpoints) {
        let at = endpoints.iter().position(|known| *known == one.endpoint);
        row.paramn = at.and_then(|at| u32::try_from(at + 1).ok()).unwrap_or(u32::MAX);
    }
    let made = || -> Result<_, csv::Error> {
        Ok([
            rows_of_cells_to_csv(&tu.rows)?,
            rows_of_cells_to_csv(&tr.rows)?,
            rows_of_cells_to_csv(&rs.rows)?,
            rows_to_csv(&adrs)?,
            rows_to_csv(&adtr)?,
            rows_to_csv(&adtte)?,
        ])
    };
    made().with_context(|| format!("making the submission rows of {}", patient.patient_id))
}

/// ADRS and ADTR of a patient, by criterion, the leading one first.
fn responses(patient: &CohortPatient, submission: &Submission<'_>) -> (Vec<AdrsRow>, Vec<AdtrRow>) {
    let origin = |_: &str| treatment_start(patient);
    let (mut adrs, mut adtr) = (Vec::new(), Vec::new());
    for table in submission.tables {
        let assessed = assessments_of(&table.id, &patient.measurements, &patient.assessments, &origin);
        adrs.extend(adrs_rows(&assessed, table));
        adtr.extend(adtr_rows(&assessed));
    }
    adrs.extend(patient.death_date.map(|date| death_row(&patient.patient_id, date, start_of(patient))));
    number(&mut adrs);
    let studies = adrs.iter_mut().map(|row| &mut row.studyid).chain(adtr.iter_mut().map(|row| &mut row.studyid));
    for study in studies {
        submission.study.clone_into(study);
    }
    (adrs, adtr)
}

/// The first treatment, from which the best response counts its days; `None` where none is known.
fn treatment_start(result: &CohortPatient) -> Option<Date> {
    result.study.as_ref()?.clinical.treatments.iter().map(|treatment| treatment.date).min()
}

fn start_of(result: &CohortPatient) -> Option<Date> {
    treatment_start(result).or_else(|| result.visits.first().map(|visit| visit.date()))
}

fn times_to_event(
    patient: &CohortPatient,
    submission: &Submission<'_>,
    adrs: &[AdrsRow],
    tr: &SdtmTable,
) -> Vec<AdtteRow> {
    let sources = Sources::of(adrs, tr);
    let source = |one: &EndpointRow| sources.of_end(one);
    let mut rows = adtte_rows(submission.study, &patient.endpoints, submission.days, &source);
    for row in &mut rows {
        patient.diagnosis.clone_into(&mut row.diag);
    }
    rows
}

/// Rows of the other tables by patient and date.
struct Sources<'a> {
    deaths: BTreeMap<(&'a str, Date), u32>,
    responses: BTreeMap<(&'a str, Date), u32>,
    results: BTreeMap<(&'a str, Date), u32>,
}

impl<'a> Sources<'a> {
    fn of(adrs: &'a [AdrsRow], tr: &'a SdtmTable) -> Self {
        let mut found = Self { deaths: BTreeMap::new(), responses: BTreeMap::new(), results: BTreeMap::new() };
        for row in adrs {
            let Some(date) = row.adt else { continue };
            let of_parameter = match row.paramcd {
                "DEATH" => &mut found.deaths,
                "OVR" => &mut found.responses,
                _ => continue,
            };
            of_parameter.entry((&row.usubjid, date)).or_insert(row.aseq);
        }
        for row in &tr.rows {
            if let (Ok(date), Ok(number)) = (tr.cell(row, "TRDTC").parse(), tr.cell(row, "TRSEQ").parse()) {
                found.results.entry((tr.cell(row, "USUBJID"), date)).or_insert(number);
            }
        }
        found
    }

    /// A death for what a death ended; else the response, then the measurement, of that day.
    fn of_end(&self, one: &EndpointRow) -> Option<Source> {
        let at = (one.patient_id.as_str(), one.end_date);
        let is_death = [&one.cause, &one.competing, &one.censor_reason].into_iter().any(|word| word.contains("death"));
        let death = self.deaths.get(&at).filter(|_| is_death);
        let of_table = |domain, variable, sequence: &u32| Source { domain, variable, sequence: *sequence };
        death
            .or_else(|| self.responses.get(&at))
            .map(|sequence| of_table("ADRS", "ADT", sequence))
            .or_else(|| self.results.get(&at).map(|sequence| of_table("TR", "TRDTC", sequence)))
    }
}
