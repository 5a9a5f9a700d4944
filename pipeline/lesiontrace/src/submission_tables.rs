//! The cohort's rows as CDISC tables: `tu.csv`, `tr.csv`, `rs.csv` (SDTM) and `adtte.csv` (ADaM), for every criterion and endpoint.

use std::path::Path;

use anyhow::Context as _;
use formats::tables::{cells_to_csv, to_csv};
use oncology::adam::{DayCount, adtte_rows};
use oncology::sdtm::cohort_tables::{rs_table, tr_table, tu_table};

use crate::out;
use crate::patient::PatientResult;

const ADTTE_COLUMNS: &[&str] =
    &["USUBJID", "PARAMCD", "PARAM", "STARTDT", "ADT", "AVAL", "AVALU", "CNSR", "EVNTDESC", "CNSDTDSC", "UNITID"];

/// Writes the tables into `cohort/`; STUDYID is the cohort's name.
pub(crate) fn write(folder: &Path, study: &str, results: &[PatientResult]) -> anyhow::Result<()> {
    let lesions: Vec<_> = results.iter().flat_map(|r| r.lesions.clone()).collect();
    let measurements: Vec<_> = results.iter().flat_map(|r| r.measurements.clone()).collect();
    let assessments: Vec<_> = results.iter().flat_map(|r| r.assessments.clone()).collect();
    for (name, table) in [
        ("tu", tu_table(study, &lesions, &measurements, &assessments)),
        ("tr", tr_table(study, &lesions, &measurements, &assessments)),
        ("rs", rs_table(study, &measurements, &assessments)),
    ] {
        let csv = cells_to_csv(table.columns, table.rows).with_context(|| format!("making {name}.csv"))?;
        out::write_atomic(&folder.join(format!("cohort/{name}.csv")), &csv)?;
    }
    let endpoints: Vec<_> = results.iter().flat_map(|r| r.endpoints.clone()).collect();
    let csv = to_csv(ADTTE_COLUMNS, &adtte_rows(study, &endpoints, DayCount::Difference, &|_| None))
        .context("making adtte.csv")?;
    out::write_atomic(&folder.join("cohort/adtte.csv"), &csv)
}
