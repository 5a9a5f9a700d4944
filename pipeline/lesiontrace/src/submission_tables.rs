//! The cohort's rows as CDISC tables: `tu.csv`, `tr.csv`, `rs.csv` (SDTM) and `adrs.csv`, `adtr.csv`, `adtte.csv`
//! (ADaM), for every criterion and endpoint.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use formats::tables::{cells_to_csv, to_csv};
use oncology::adam::{
    AdrsRow, AdtrRow, AdtteRow, DayCount, Source, adrs_rows, adtr_rows, adtte_rows, death_row, number,
};
use oncology::criteria::CriterionTable;
use oncology::sdtm::cohort_tables::{SdtmTable, assessments_of, rs_table, tr_table, tu_table};
use oncology::{AssessmentRow, Date, EndpointRow, MeasurementRow};
use serde::Serialize;

use crate::out;
use crate::patient::PatientResult;

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

/// Writes the tables into `cohort/`.
pub(crate) fn write(folder: &Path, results: &[PatientResult], submission: &Submission<'_>) -> anyhow::Result<()> {
    let lesions: Vec<_> = results.iter().flat_map(|r| r.lesions.clone()).collect();
    let measurements: Vec<_> = results.iter().flat_map(|r| r.measurements.clone()).collect();
    let assessments: Vec<_> = results.iter().flat_map(|r| r.assessments.clone()).collect();
    let study = submission.study;
    let tr = tr_table(study, &lesions, &measurements, &assessments);
    for (name, table) in [
        ("tu", &tu_table(study, &lesions, &measurements, &assessments)),
        ("tr", &tr),
        ("rs", &rs_table(study, &measurements, &assessments)),
    ] {
        let csv = cells_to_csv(table.columns, &table.rows).with_context(|| format!("making {name}.csv"))?;
        out::write_atomic(&folder.join(format!("cohort/{name}.csv")), &csv)?;
    }
    let (adrs, adtr) = responses(results, &measurements, &assessments, submission);
    write_table(folder, "adrs", ADRS_COLUMNS, &adrs)?;
    write_table(folder, "adtr", ADTR_COLUMNS, &adtr)?;
    write_table(folder, "adtte", ADTTE_COLUMNS, &times_to_event(results, submission, &adrs, &tr))
}

fn write_table<T: Serialize>(folder: &Path, name: &str, columns: &[&str], rows: &[T]) -> anyhow::Result<()> {
    let csv = to_csv(columns, rows).with_context(|| format!("making {name}.csv"))?;
    out::write_atomic(&folder.join(format!("cohort/{name}.csv")), &csv)
}

/// ADRS and ADTR of all patients, by patient and criterion.
fn responses(
    results: &[PatientResult],
    measurements: &[MeasurementRow],
    assessments: &[AssessmentRow],
    submission: &Submission<'_>,
) -> (Vec<AdrsRow>, Vec<AdtrRow>) {
    let origins: BTreeMap<&str, Date> =
        results.iter().filter_map(|result| Some((result.patient_id.as_str(), treatment_start(result)?))).collect();
    let origin = |patient: &str| origins.get(patient).copied();
    let (mut adrs, mut adtr) = (Vec::new(), Vec::new());
    for table in submission.tables {
        let assessed = assessments_of(&table.id, measurements, assessments, &origin);
        adrs.extend(adrs_rows(&assessed, table));
        adtr.extend(adtr_rows(&assessed));
    }
    let death = |result: &PatientResult| Some(death_row(&result.patient_id, result.death_date?, start_of(result)));
    adrs.extend(results.iter().filter_map(death));
    // Stable: the criteria keep their order within a patient, the leading one first.
    adrs.sort_by(|a, b| a.usubjid.cmp(&b.usubjid));
    adtr.sort_by(|a, b| a.usubjid.cmp(&b.usubjid));
    number(&mut adrs);
    let studies = adrs.iter_mut().map(|row| &mut row.studyid).chain(adtr.iter_mut().map(|row| &mut row.studyid));
    for study in studies {
        submission.study.clone_into(study);
    }
    (adrs, adtr)
}

/// The first treatment, from which the best response counts its days; `None` where none is known.
fn treatment_start(result: &PatientResult) -> Option<Date> {
    result.study.as_ref()?.clinical.treatments.iter().map(|treatment| treatment.date).min()
}

fn start_of(result: &PatientResult) -> Option<Date> {
    treatment_start(result).or_else(|| result.visits.first().map(|visit| visit.date()))
}

fn times_to_event(
    results: &[PatientResult],
    submission: &Submission<'_>,
    adrs: &[AdrsRow],
    tr: &SdtmTable,
) -> Vec<AdtteRow> {
    let endpoints: Vec<EndpointRow> = results.iter().flat_map(|r| r.endpoints.clone()).collect();
    let sources = Sources::of(adrs, tr);
    let mut rows = adtte_rows(submission.study, &endpoints, submission.days, &|one| sources.of_end(one));
    let diagnoses: BTreeMap<&str, &str> =
        results.iter().map(|result| (result.patient_id.as_str(), result.diagnosis.as_str())).collect();
    for row in &mut rows {
        row.diag = diagnoses.get(row.usubjid.as_str()).copied().unwrap_or_default().to_owned();
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
