//! Visits before baseline: what was outlined there, beside the course and out of it. No criterion uses them, no lesion is followed to
//! them, and nothing is compared with them.

use oncology::VisitId;
use serde::{Deserialize, Serialize};

use crate::error::{ReportError, finite};
use crate::numerals::{millilitres, mm};
use crate::wording::words;

/// One visit before baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlierVisit {
    /// Its name.
    pub id: VisitId,
    /// Where it stands round the treatments, in words.
    pub label: String,
    /// Role of the series measured.
    pub series_role: String,
    /// What was outlined, by label.
    pub findings: Vec<EarlierFinding>,
    /// Why nothing was measured; empty where something could be.
    pub not_measured: String,
}

/// Something outlined at a visit before baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlierFinding {
    /// The reader's name of it, or the number of its outline.
    pub name: String,
    /// Organ, snake case.
    pub organ: String,
    /// Longest diameter in one slice, mm.
    pub long_axis_mm: Option<f64>,
    /// Longest chord perpendicular to it, mm.
    pub short_axis_mm: Option<f64>,
    /// Volume, mm³.
    pub volume_mm3: Option<f64>,
    /// Why there are no diameters; empty where there are.
    pub not_evaluable: String,
}

/// One row of the table as the template reads it.
#[derive(Debug, Serialize)]
pub(crate) struct EarlierLine {
    visit: String,
    label: String,
    series: String,
    finding: String,
    size: String,
    volume: String,
    /// Why there is no size.
    not_evaluable: String,
}

/// A row for each finding, and one for a visit without any.
pub(crate) fn earlier_lines(visits: &[EarlierVisit]) -> Result<Vec<EarlierLine>, ReportError> {
    let mut lines = Vec::new();
    for visit in visits {
        let blank = |finding: String, not_evaluable: &str| EarlierLine {
            visit: visit.id.to_string(),
            label: visit.label.clone(),
            series: words(&visit.series_role),
            finding,
            size: String::new(),
            volume: String::new(),
            not_evaluable: not_evaluable.to_owned(),
        };
        if visit.findings.is_empty() {
            let nothing = "nothing is outlined";
            lines.push(blank(
                String::new(),
                Some(&*visit.not_measured).filter(|why| !why.is_empty()).unwrap_or(nothing),
            ));
        }
        for finding in &visit.findings {
            let subject = format!("{} at {}", finding.name, visit.id);
            for value in [finding.long_axis_mm, finding.short_axis_mm, finding.volume_mm3].into_iter().flatten() {
                finite(value, "size before baseline", &subject)?;
            }
            let axes = finding.long_axis_mm.zip(finding.short_axis_mm);
            lines.push(EarlierLine {
                size: axes.map_or_else(String::new, |(long, short)| format!("{} × {} mm", mm(long), mm(short))),
                volume: finding.volume_mm3.map_or_else(String::new, |volume| format!("{} mL", millilitres(volume))),
                ..blank(format!("{}, {}", finding.name, words(&finding.organ)), &finding.not_evaluable)
            });
        }
    }
    Ok(lines)
}
