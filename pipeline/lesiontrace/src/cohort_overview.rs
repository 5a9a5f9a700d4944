//! Who is in a cohort, what margins led to, and how good images and registrations were, counted over the patients' results.

use std::collections::{BTreeMap, BTreeSet};

use imaging::Severity;
use imaging::registration::Quality;
use oncology::MarginRow;
use oncology::criteria::CriterionTable;
use report::{Count, Flag, FlowStep, Leaving, LocalOutcome, MarginOutcome, QualityOverview};

use crate::cohort_page::best_of;
use crate::ledger::{Ledger, State};
use crate::patient::CohortPatient;

/// The boxes from the archive to an evaluable response by the leading criterion.
pub(crate) fn flow(ledger: &Ledger, results: &[CohortPatient], tables: &[CriterionTable]) -> Vec<FlowStep> {
    let mut undone: BTreeMap<String, u64> = BTreeMap::new();
    for entry in ledger.patients.iter().filter(|e| !matches!(e.state, State::Done | State::Stale)) {
        let state = format!("{:?}", entry.state).to_lowercase();
        let why = if entry.code.is_empty() { String::new() } else { format!(": {}", entry.code.replace('_', " ")) };
        *undone.entry(format!("{state}{why}")).or_default() += 1;
    }
    let left = |reasons: Vec<(&str, usize)>| {
        let some = reasons.into_iter().filter(|(_, n)| *n > 0);
        some.map(|(reason, n)| Leaving { reason: reason.to_owned(), n: n as u64 }).collect::<Vec<_>>()
    };
    let with_lesion: Vec<&CohortPatient> = results.iter().filter(|r| !r.lesions.is_empty()).collect();
    let followed: Vec<&CohortPatient> = with_lesion.iter().copied().filter(|r| r.visits.len() > 1).collect();
    let without_follow_up = with_lesion.len() - followed.len();
    let mut steps = vec![
        FlowStep {
            label: "patients in the archive".to_owned(),
            n: ledger.patients.len() as u64,
            left: undone.into_iter().map(|(reason, n)| Leaving { reason, n }).collect(),
        },
        FlowStep {
            label: "processed".to_owned(),
            n: results.len() as u64,
            left: left(vec![
                ("no lesion at any visit", results.len() - with_lesion.len()),
                ("no imaging after baseline", without_follow_up),
            ]),
        },
        FlowStep { label: "with lesions and follow-up".to_owned(), n: followed.len() as u64, left: Vec::new() },
    ];
    if let Some(leading) = tables.first() {
        let evaluable = followed.iter().filter(|r| best_of(&leading.id, r) != "NE").count();
        steps[2].left = left(vec![("best response not evaluable", followed.len() - evaluable)]);
        steps.push(FlowStep {
            label: format!("evaluable by {}", leading.title),
            n: evaluable as u64,
            left: Vec::new(),
        });
    }
    steps
}

/// Every ablation of a patient with its margin and what became of the lesion until it was ablated again.
pub(crate) fn margin_outcomes(result: &CohortPatient) -> Vec<MarginOutcome> {
    let one = |margin: &MarginRow| {
        let (outcome, followed_months) = outcome(result, margin);
        MarginOutcome {
            patient_id: result.patient_id.clone(),
            lesion_id: margin.lesion_id.clone(),
            treatment_date: margin.treatment_date,
            min_margin_mm: margin.min_margin_mm,
            interval_mm: margin.low_mm.zip(margin.high_mm).map(|(low, high)| [low, high]),
            verdict: margin.verdict.clone(),
            outcome,
            followed_months,
        }
    };
    result.margins.iter().map(one).collect()
}

fn outcome(result: &CohortPatient, margin: &MarginRow) -> (LocalOutcome, Option<f64>) {
    let again = result.margins.iter().filter(|m| m.lesion_id == margin.lesion_id).map(|m| m.treatment_date);
    let until = again.filter(|date| *date > margin.treatment_date).min();
    let in_time = |date: oncology::Date| date > margin.treatment_date && until.is_none_or(|end| date <= end);
    let own = result.events.iter().filter(|e| e.lesion_id == margin.lesion_id && in_time(e.date));
    let happened: BTreeSet<&str> = own
        .filter_map(|event| match (event.event.as_str(), event.class.as_str()) {
            ("progression", "local") => Some("local"),
            ("residual", _) | (_, "residual") => Some("residual"),
            _ => None,
        })
        .collect();
    let follow_up = result.endpoints.iter().find(|row| {
        row.endpoint == "LTPFS" && row.unit_id == margin.lesion_id && row.origin_date == margin.treatment_date
    });
    let seen = result
        .measurements
        .iter()
        // A further time point of the next ablation's day comes after that ablation.
        .filter(|m| until != Some(m.date) || m.visit.ordinal() == 1)
        .any(|m| m.lesion_id == margin.lesion_id && in_time(m.date) && m.evaluable && m.state != "not_evaluable");
    let outcome = match (happened.contains("local"), happened.contains("residual"), seen) {
        (true, ..) => LocalOutcome::Progression,
        (false, true, _) => LocalOutcome::Residual,
        (false, false, true) => LocalOutcome::Free,
        (false, false, false) => LocalOutcome::Unknown,
    };
    (outcome, follow_up.map(|row| row.months))
}

/// Registrations by verdict, their residual error, and all notes by code, the gravest and most frequent first.
pub(crate) fn quality(results: &[CohortPatient]) -> QualityOverview {
    let follow_ups = || results.iter().flat_map(|r| r.registrations.iter().skip(1)).map(|v| &v.to_baseline);
    let of = |wanted: Quality| follow_ups().filter(|r| r.quality == wanted).count() as u64;
    let mut residuals: Vec<f64> = follow_ups().filter_map(|r| r.residual.as_ref()).map(|r| r.p95_mm).collect();
    residuals.sort_by(f64::total_cmp);
    let count = |label: &str, value: String| Count { label: label.to_owned(), value };
    let mut figures = Vec::new();
    if let (Some(largest), Some(middle)) = (residuals.last(), residuals.get(residuals.len() / 2)) {
        let text = format!("median {middle:.1} mm, largest {largest:.1} mm ({} follow-ups)", residuals.len());
        figures.push(count("Local deformation left (95th percentile)", text));
    }
    let uncertain = results.iter().flat_map(|r| &r.lesions).filter(|l| l.state == "uncertain").count();
    figures.push(count("Lesions of uncertain identity at the last visit", uncertain.to_string()));
    let to_review = results.iter().flat_map(|r| &r.events).filter(|e| e.needs_review).count();
    figures.push(count("Events to be looked at", to_review.to_string()));
    let without = results.iter().flat_map(|r| &r.margins).filter(|m| m.min_margin_mm.is_none()).count();
    figures.push(count("Ablations without an evaluable margin", without.to_string()));
    let registrations = [of(Quality::Pass), of(Quality::Review), of(Quality::Fail)];
    QualityOverview { registrations, figures, flags: flags(results) }
}

/// Kind of an event that a reader should look at.
const EVENT: &str = "event_to_look_at";

fn flags(results: &[CohortPatient]) -> Vec<Flag> {
    let mut by_code: BTreeMap<&str, Flag> = BTreeMap::new();
    for result in results {
        let notes = result.notes.iter().filter(|note| note.severity > Severity::Info);
        let notes = notes.map(|note| (note.code.as_str(), note.severity, note.message.clone()));
        // A verdict that waits for a reader's eye is as much to doubt as what was noted on the way to it.
        let events = result.events.iter().filter(|event| event.needs_review);
        let events = events.map(|event| (EVENT, Severity::Warning, event.why.clone()));
        for (code, severity, message) in notes.chain(events) {
            let flag = by_code.entry(code).or_insert_with(|| Flag {
                code: code.to_owned(),
                severity,
                n_notes: 0,
                patients: Vec::new(),
                example: message,
            });
            flag.n_notes += 1;
            flag.severity = flag.severity.max(severity);
            if flag.patients.last() != Some(&result.patient_id) {
                flag.patients.push(result.patient_id.clone());
            }
        }
    }
    let mut flags: Vec<Flag> = by_code.into_values().collect();
    flags.sort_by(|a, b| b.severity.cmp(&a.severity).then(b.n_notes.cmp(&a.n_notes)).then(a.code.cmp(&b.code)));
    flags
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn margin(treated: &str) -> Value {
        json!({"patient_id": "P", "lesion_id": "L1", "treatment_date": treated, "study_date": "2024-03-01",
            "min_margin_mm": 4.0, "low_mm": 2.0, "high_mm": 6.0, "p5_mm": null, "frac_lt0": null, "frac_0_5": null,
            "frac_5_10": null, "frac_ge10": null, "excluded_capsule_fraction": null, "verdict": "borderline",
            "reasons": "", "tumour_coverage": null, "histogram_counts": "", "tumour_visit": treated,
            "zone_visit": "2024-03-01"})
    }

    fn event(date: &str, event: &str, class: &str) -> Value {
        json!({"patient_id": "P", "lesion_id": "L1", "date": date, "event": event, "class": class, "cause": "",
            "cycle": null, "interval_low_date": null, "needs_review": false, "why": ""})
    }

    fn seen(visit: &str) -> Value {
        json!({"patient_id": "P", "lesion_id": "L1", "date": &visit[..10], "study_day": 0, "series_role": "", "quantity": "viable_long_axis",
            "value": 0.0, "unit": "mm", "low": null, "high": null, "method": "", "evaluable": true, "reason": "",
            "state": "ablated", "caliper_lps_mm": "", "sop_instance_uid": "", "visit": visit})
    }

    fn patient(margins: &[Value], events: &[Value], measurements: &[Value], notes: &[Value]) -> CohortPatient {
        serde_json::from_value(json!({"schema_version": 1, "patient_id": "P", "diagnosis": "", "visits": [],
            "death_date": null, "last_contact_date": null, "lesions": [], "measurements": measurements,
            "margins": margins, "assessments": [], "events": events, "endpoints": [], "best": [],
            "registrations": [], "notes": notes}))
        .unwrap()
    }

    #[test]
    fn what_follows_the_next_ablation_belongs_to_it() {
        let margins = [margin("2024-02-01"), margin("2024-08-01")];
        let progressed = patient(
            &margins,
            &[event("2024-07-01", "progression", "local"), event("2024-09-01", "progression", "distant_intrahepatic")],
            &[seen("2024-03-01"), seen("2024-09-01")],
            &[],
        );
        let found: Vec<LocalOutcome> = margin_outcomes(&progressed).iter().map(|m| m.outcome).collect();
        assert_eq!(found, [LocalOutcome::Progression, LocalOutcome::Free]);
        let residual =
            patient(&margins[..1], &[event("2024-03-01", "residual", "residual")], &[seen("2024-03-01")], &[]);
        assert_eq!(margin_outcomes(&residual)[0].outcome, LocalOutcome::Residual);
        let lost = patient(&margins[..1], &[], &[seen("2024-01-01")], &[]);
        assert_eq!(margin_outcomes(&lost)[0].outcome, LocalOutcome::Unknown, "seen before the ablation only");
        let control = patient(&margins, &[], &[seen("2024-08-01-2")], &[]);
        assert_eq!(margin_outcomes(&control)[0].outcome, LocalOutcome::Unknown, "the control of the next ablation");
        let planning = patient(&margins, &[], &[seen("2024-08-01")], &[]);
        assert_eq!(margin_outcomes(&planning)[0].outcome, LocalOutcome::Free);
    }

    #[test]
    fn notes_are_counted_by_code_and_remarks_left_out() {
        let note =
            |severity: &str, code: &str| json!({"severity": severity, "code": code, "subject": "", "message": "m"});
        let noted = patient(
            &[],
            &[],
            &[],
            &[note("warning", "a"), note("info", "b"), note("error", "c"), note("warning", "a")],
        );
        let found: Vec<(String, u64, usize)> =
            flags(&[noted]).into_iter().map(|f| (f.code, f.n_notes, f.patients.len())).collect();
        assert_eq!(found, [("c".to_owned(), 1, 1), ("a".to_owned(), 2, 1)]);
    }
}
