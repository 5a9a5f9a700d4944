//! Worked cases after ablation: residual, local, distant, and technique efficacy.
//!
//! Source: Ahmed et al. 2014; Puijk et al. 2021.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::response_cases::{bad, object, read};
use super::{CaseError, CaseInput};
use crate::efficacy::{TreatedTumour, primary_efficacy, secondary_efficacy};
use crate::evaluable::Evaluable;
use crate::lesion::{LesionId, Organ};
use crate::progression::{FocusFacts, LocalRule, ProgressionCause, ProgressionClass, ZoneRelation, classify};
use crate::time::Date;

const CATEGORY: &str = "ablation_events";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FindingCase {
    #[serde(default)]
    first_cect_after_ablation: bool,
    #[serde(default)]
    viable_at_zone: bool,
    #[serde(default)]
    complete_ablation_documented: bool,
    focus_distance_mm: Option<f64>,
    organ: Option<String>,
}

#[derive(Deserialize)]
struct TumourCase {
    complete_at_3mo: bool,
    #[serde(default)]
    complete_after_retreatment: bool,
}

pub(super) fn ablation(case: &CaseInput<'_>) -> Result<Map<String, Value>, CaseError> {
    if let Some(tumours) = case.input.get("tumours") {
        let tumours: Vec<TumourCase> = read(CATEGORY, tumours)?;
        let one = |tumour: &TumourCase| TreatedTumour {
            complete_at_visit: tumour.complete_at_3mo,
            complete_after_retreatment: tumour.complete_after_retreatment,
        };
        let tumours: Vec<TreatedTumour> = tumours.iter().map(one).collect();
        return Ok(object(json!({
            "primary_efficacy": primary_efficacy(&tumours).to_string(),
            "secondary_efficacy": secondary_efficacy(&tumours).to_string(),
        })));
    }
    let findings = case.input.get("findings").ok_or_else(|| bad(CATEGORY, "expected `findings` or `tumours`"))?;
    let findings: Vec<FindingCase> = read(CATEGORY, findings)?;
    let rule = match case.options.get("ltp_distance_mm") {
        None => LocalRule::Contiguous,
        Some(limit) => LocalRule::WithinMm(read(CATEGORY, limit)?),
    };
    let calls: Vec<&str> = findings.iter().map(|finding| word(classify(&facts(finding), rule).class)).collect();
    Ok(object(json!({ "call": calls })))
}

/// The case's words are those of the literature.
fn word(class: ProgressionClass) -> &'static str {
    match class {
        ProgressionClass::Residual => "residual_unablated",
        ProgressionClass::Local => "LTP",
        other => other.as_str(),
    }
}

/// Cases give no dates: one stands for all, as only the order of events matters here.
fn facts(finding: &FindingCase) -> FocusFacts {
    let day = Date::constant(2024, 1, 1);
    let at_zone = finding.first_cect_after_ablation && finding.viable_at_zone;
    let distance = finding.focus_distance_mm.or_else(|| at_zone.then_some(0.0));
    let zone = distance.map(|distance| ZoneRelation {
        treated: LesionId::new("treated"),
        distance_mm: Evaluable::Value(distance),
        interval_mm: None,
        error_unknown: false,
        largest_spacing_mm: 0.0,
        complete_ablation: finding.complete_ablation_documented.then_some(day),
    });
    FocusFacts {
        lesion: LesionId::new("focus"),
        organ: finding.organ.clone().map_or(Organ::Liver, Organ::from),
        date: day,
        last_negative_date: None,
        cause: ProgressionCause::New,
        zone,
        treated_organ: None,
    }
}
