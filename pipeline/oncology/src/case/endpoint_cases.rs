//! Worked cases of times to event: timelines, cycles, missed visits, dates of progression.
//!
//! Source: the presets' own sources.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::response_cases::{bad, object, read};
use super::{CaseError, CaseInput};
use crate::criteria::progression_date::{DatingRule, ProgressionBy, VisitScans, progression_date};
use crate::endpoint::crude::crude_follow_up_percent;
use crate::endpoint::derive::{TimeToEvent, derive};
use crate::endpoint::preset::Preset;
use crate::endpoint::rule::MissedVisits;
use crate::endpoint::timeline::{Assessment, LaterTherapy, TherapyAim, Timeline};
use crate::progression::ProgressionClass;
use crate::time::{Date, Days};
use crate::treatment::{Cycle, DeathCause, group_cycles};

const CATEGORY: &str = "tte";

pub(super) fn time_to_event(case: &CaseInput<'_>) -> Result<Map<String, Value>, CaseError> {
    let has = |key: &str| case.input.get(key).is_some();
    if has("timeline") {
        timeline(case)
    } else if has("sessions") {
        sessions(case)
    } else if has("gaps") {
        gaps(case)
    } else if has("visit") {
        dated_visit(case)
    } else if has("still_followed_12") {
        crude(case)
    } else {
        Err(bad(CATEGORY, "expected timeline, sessions, gaps, visit or follow-up counts"))
    }
}

fn preset(case: &CaseInput<'_>) -> Result<Preset, CaseError> {
    let id = case.options["preset"].as_str().unwrap_or("default");
    Preset::built_in(id).map_err(|error| bad(CATEGORY, &error))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TimelineCase {
    origin: Date,
    cutoff: Option<Date>,
    last_followup: Option<Date>,
    death: Option<Date>,
    #[serde(default)]
    death_cause: DeathCause,
    #[serde(default)]
    assessments: Vec<AssessmentCase>,
    #[serde(default)]
    new_therapy: Vec<TherapyCase>,
    baseline: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AssessmentCase {
    date: Date,
    #[serde(default)]
    findings: Vec<String>,
    result: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TherapyCase {
    date: Date,
    kind: Option<String>,
    site: Option<String>,
}

fn assessment(case: &AssessmentCase) -> Result<Assessment, CaseError> {
    let mut progression = Vec::new();
    for finding in &case.findings {
        progression.push(match finding.as_str() {
            "local" => ProgressionClass::Local,
            "distant" => ProgressionClass::DistantIntrahepatic,
            "extrahepatic" => ProgressionClass::Extrahepatic,
            other => return Err(bad(CATEGORY, &format!("unknown finding {other:?}"))),
        });
    }
    let result = case.result.as_deref().map(str::to_lowercase);
    let adequate = match result.as_deref() {
        None | Some("no_pd") => true,
        Some("pd") => {
            progression.push(ProgressionClass::Unclassified);
            true
        }
        Some("ne") => false,
        Some(other) => return Err(bad(CATEGORY, &format!("unknown result {other:?}"))),
    };
    Ok(Assessment { date: case.date, adequate, progression })
}

fn therapy(case: &TherapyCase) -> LaterTherapy {
    let aim = match (case.kind.as_deref(), case.site.as_deref()) {
        (Some("locoregional"), Some("target")) => TherapyAim::Target,
        (Some("locoregional"), _) => TherapyAim::OtherSite,
        _ => TherapyAim::Systemic,
    };
    LaterTherapy { date: case.date, aim }
}

fn timeline(case: &CaseInput<'_>) -> Result<Map<String, Value>, CaseError> {
    let preset = preset(case)?;
    let input: TimelineCase = read(CATEGORY, &case.input["timeline"])?;
    let name = case.input["endpoint"].as_str().unwrap_or_default();
    let rule = preset.endpoint(name);
    let rule = rule.ok_or_else(|| bad(CATEGORY, &format!("preset {} has no endpoint {name:?}", preset.id)))?;
    let missed = match (case.options.get("interval_days"), case.options.get("window_days")) {
        (Some(interval), Some(window)) => preset.missed_visits.map(|missed| -> Result<_, CaseError> {
            let interval_days = read(CATEGORY, interval)?;
            Ok(MissedVisits { interval_days, window_days: read(CATEGORY, window)?, ..missed })
        }),
        _ => preset.missed_visits.map(Ok),
    };
    let no_baseline = matches!(input.baseline, Some(Value::Bool(false)));
    let timeline = Timeline {
        origin: input.origin,
        baseline: (!no_baseline).then_some(input.origin),
        death: input.death,
        death_cause: input.death_cause,
        last_follow_up: input.last_followup,
        cutoff: input.cutoff.or(preset.cutoff),
        assessments: input.assessments.iter().map(assessment).collect::<Result<_, _>>()?,
        therapies: input.new_therapy.iter().map(therapy).collect(),
    };
    let outcome = derive(&timeline, rule, missed.transpose()?);
    Ok(object(json!({
        "date": outcome.end,
        "days": outcome.days,
        "event": u8::from(outcome.event),
        "cause": cause(&outcome),
        "months": Days(outcome.days).months(preset.days_per_month),
    })))
}

/// The case files' upper-case words.
fn cause(outcome: &TimeToEvent) -> String {
    match (outcome.cause.as_str(), outcome.censor_reason) {
        ("", "death") => "CENS_DEATH".to_owned(),
        ("", "locoregional_therapy_of_target") => "CENS_LOCOREGIONAL_TARGET".to_owned(),
        ("", "last_follow_up" | "data_cutoff") => "CENS_LAST_FU".to_owned(),
        ("", "no_post_baseline_imaging") => "CENS_NO_POSTBASELINE".to_owned(),
        ("", reason) => format!("CENS_{}", reason.to_uppercase()),
        ("distant_intrahepatic", _) => "DISTANT".to_owned(),
        ("progression", _) => "PD".to_owned(),
        (known, _) => known.to_uppercase(),
    }
}

#[derive(Deserialize)]
struct SessionCase {
    date: Date,
    new_since_baseline: bool,
}

fn sessions(case: &CaseInput<'_>) -> Result<Map<String, Value>, CaseError> {
    let preset = preset(case)?;
    let sessions: Vec<SessionCase> = read(CATEGORY, &case.input["sessions"])?;
    let dates: Vec<Date> = sessions.iter().map(|session| session.date).collect();
    let cycles = group_cycles(&dates, preset.cycle_rule, |session, _| sessions[session].new_since_baseline);
    let each = |of: &dyn Fn(&Cycle) -> Value| cycles.iter().map(of).collect::<Vec<Value>>();
    Ok(object(json!({
        "cycles": each(&|cycle| json!(cycle.sessions)),
        "cycle_completion": each(&|cycle| json!(cycle.completion)),
    })))
}

fn gaps(case: &CaseInput<'_>) -> Result<Map<String, Value>, CaseError> {
    let gaps: Vec<i64> = read(CATEGORY, &case.input["gaps"])?;
    let interval_days: i64 = read(CATEGORY, &case.input["interval"])?;
    if interval_days <= 0 {
        return Err(bad(CATEGORY, "the interval must be positive"));
    }
    let rule = MissedVisits { interval_days, window_days: read(CATEGORY, &case.input["window"])?, censor_from: 2 };
    let missed: Vec<i64> = gaps.iter().map(|gap| rule.n_missed(*gap)).collect();
    Ok(object(json!({ "n_missed": missed })))
}

#[derive(Deserialize)]
struct ScanCase {
    date: Date,
    what: String,
}

fn dated_visit(case: &CaseInput<'_>) -> Result<Map<String, Value>, CaseError> {
    let scans: Vec<ScanCase> = read(CATEGORY, &case.input["visit"])?;
    let dates = |targets: bool| -> Vec<Date> {
        scans.iter().filter(|scan| scan.what.starts_with("target") == targets).map(|scan| scan.date).collect()
    };
    let visit = VisitScans { target_dates: dates(true), other_dates: dates(false) };
    let mut by_fda = Vec::new();
    let mut earliest = Vec::new();
    for scenario in case.input["scenarios"].as_array().into_iter().flatten() {
        let word = scenario["pd_by"].as_str().unwrap_or_default();
        let by = match (word, word.strip_prefix("new_lesion_on:")) {
            ("target_sum", _) => ProgressionBy::TargetSum,
            (_, Some(date)) => ProgressionBy::SeenOn(date.parse().map_err(|error| bad(CATEGORY, &error))?),
            _ => return Err(bad(CATEGORY, &format!("unknown cause of progression {word:?}"))),
        };
        by_fda.push(progression_date(&visit, by, DatingRule::Fda));
        earliest.push(progression_date(&visit, by, DatingRule::Earliest));
    }
    Ok(object(json!({ "fda_last_target": by_fda, "earliest_scan_of_visit": earliest })))
}

fn crude(case: &CaseInput<'_>) -> Result<Map<String, Value>, CaseError> {
    let n: Vec<u32> = read(CATEGORY, &case.input["n"])?;
    let followed: Vec<u32> = read(CATEGORY, &case.input["still_followed_12"])?;
    let percent: Vec<Option<f64>> =
        n.iter().zip(&followed).map(|(n, followed)| crude_follow_up_percent(*followed, *n)).collect();
    Ok(object(json!({ "crude_pct": percent })))
}
