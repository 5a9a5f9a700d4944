//! ADTTE: times to event.
//!
//! Source: CDISC ADaM-IG 1.3, BDS for time-to-event analysis; SRCDOM, SRCVAR and SRCSEQ as in pharmaverse admiralonco.

use serde::{Deserialize, Serialize};

use crate::cohort::EndpointRow;
use crate::time::Date;

/// One row of ADTTE.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub struct AdtteRow {
    /// Subject.
    pub usubjid: String,
    /// At most eight letters: OS, PFS, TTP, LTPFS, …
    pub paramcd: String,
    /// The endpoint's name and, below the patient, its unit.
    pub param: String,
    /// Origin.
    pub startdt: Date,
    /// Date of event or censoring.
    pub adt: Date,
    /// Days from the origin.
    pub aval: i64,
    /// Unit of AVAL.
    pub avalu: &'static str,
    /// 0 event, 1 censored, 2 ended by a competing event.
    pub cnsr: u32,
    /// What happened, for an event.
    pub evntdesc: String,
    /// Why censored.
    pub cnsdtdsc: String,
    /// Cycle or lesion; empty for the patient.
    pub unitid: String,
    /// Study.
    pub studyid: String,
    /// Number of the parameter, in order of first appearance.
    pub paramn: u32,
    /// `Y` where the row enters the cohort's own estimates.
    pub anl01fl: &'static str,
    /// Table that ADT comes from; empty where it comes from none of the cohort's submission tables.
    pub srcdom: &'static str,
    /// Its column.
    pub srcvar: &'static str,
    /// Its row (--SEQ or ASEQ).
    pub srcseq: Option<u32>,
    /// Diagnosis, by which the cohort is grouped; empty where not recorded.
    pub diag: String,
}

/// How days are counted in ADTTE.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DayCount {
    /// `ADT − STARTDT`.
    #[default]
    #[serde(rename = "difference")]
    Difference,
    /// `ADT − STARTDT + 1`, as in many submissions.
    #[serde(rename = "plus1")]
    PlusOne,
}

/// Where the date of an event or of censoring stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// Table.
    pub domain: &'static str,
    /// Column.
    pub variable: &'static str,
    /// Row.
    pub sequence: u32,
}

/// ADTTE of the times to event; `source` finds the row a time ends with.
pub fn adtte_rows(
    study: &str,
    endpoints: &[EndpointRow],
    count: DayCount,
    source: &dyn Fn(&EndpointRow) -> Option<Source>,
) -> Vec<AdtteRow> {
    let plus = i64::from(count == DayCount::PlusOne);
    let mut parameters: Vec<&str> = Vec::new();
    let mut rows = Vec::with_capacity(endpoints.len());
    for one in endpoints {
        let known = parameters.iter().position(|endpoint| *endpoint == one.endpoint);
        let at = known.unwrap_or_else(|| {
            parameters.push(&one.endpoint);
            parameters.len() - 1
        });
        let unit = if one.unit_id == one.patient_id { String::new() } else { one.unit_id.clone() };
        let competing = competing_event(one);
        let cnsr = match (one.event, competing) {
            (1, _) => 0,
            (_, None) => 1,
            (_, Some(_)) => 2,
        };
        let found = source(one);
        rows.push(AdtteRow {
            usubjid: one.patient_id.clone(),
            paramcd: parameter_code(&one.endpoint),
            param: if unit.is_empty() { one.endpoint.clone() } else { format!("{} of {unit}", one.endpoint) },
            startdt: one.origin_date,
            adt: one.end_date,
            aval: one.days + plus,
            avalu: "DAYS",
            cnsr,
            evntdesc: competing.filter(|_| cnsr == 2).unwrap_or(&one.cause).to_owned(),
            cnsdtdsc: one.censor_reason.clone(),
            unitid: unit,
            studyid: study.to_owned(),
            paramn: u32::try_from(at + 1).unwrap_or(u32::MAX),
            anl01fl: "Y",
            srcdom: found.map_or("", |found| found.domain),
            srcvar: found.map_or("", |found| found.variable),
            srcseq: found.map(|found| found.sequence),
            diag: String::new(),
        });
    }
    rows
}

/// The event that ended follow-up in place of the one looked for: as the endpoint names it, or a death it censors at.
fn competing_event(one: &EndpointRow) -> Option<&str> {
    [one.competing.as_str(), one.censor_reason.as_str()]
        .into_iter()
        .enumerate()
        .find(|(at, word)| !word.is_empty() && (*at == 0 || *word == "death"))
        .map(|(_, word)| word)
}

/// Upper case, without marks, at most eight letters: `PFS_distant` is `PFSDISTA`.
fn parameter_code(endpoint: &str) -> String {
    endpoint.chars().filter(char::is_ascii_alphanumeric).take(8).collect::<String>().to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn a_competing_event_is_no_ordinary_censoring() {
        let endpoint = EndpointRow {
            patient_id: "S1".to_owned(),
            unit_id: "L1".to_owned(),
            endpoint: "LTPFS".to_owned(),
            origin_date: date(2024, 1, 1),
            end_date: date(2024, 1, 31),
            days: 30,
            months: 1.0,
            event: 0,
            cause: String::new(),
            competing: "death".to_owned(),
            censor_reason: "death".to_owned(),
            interval_low_date: None,
        };
        let death = Source { domain: "ADRS", variable: "ADT", sequence: 9 };
        let other = EndpointRow { endpoint: "OS".to_owned(), event: 1, competing: String::new(), ..endpoint.clone() };
        let dead = EndpointRow { competing: String::new(), ..endpoint.clone() };
        let lost = EndpointRow { censor_reason: "last_follow_up".to_owned(), ..dead.clone() };
        let rows = adtte_rows("trial", &[endpoint, other, dead, lost], DayCount::PlusOne, &|one| {
            (one.endpoint == "OS").then_some(death)
        });
        assert_eq!((rows[0].cnsr, rows[0].aval, rows[0].param.as_str()), (2, 31, "LTPFS of L1"));
        assert_eq!((rows[0].evntdesc.as_str(), rows[0].studyid.as_str(), rows[0].srcseq), ("death", "trial", None));
        assert_eq!((rows[1].cnsr, rows[1].srcdom, rows[1].srcvar, rows[1].srcseq), (0, "ADRS", "ADT", Some(9)));
        assert_eq!(rows.iter().map(|row| row.paramn).collect::<Vec<_>>(), [1, 2, 1, 1]);
        assert_eq!([&rows[2], &rows[3]].map(|row| (row.cnsr, row.evntdesc.as_str())), [(2, "death"), (1, "")]);
        assert_eq!(parameter_code("PFS_distant"), "PFSDISTA");
    }
}
