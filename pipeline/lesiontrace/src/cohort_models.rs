//! Estimates over the cohort as the page's figures want them: survival with landmark rates, cumulative incidences.

use std::collections::{BTreeMap, BTreeSet};

use oncology::{EndpointRow, Evaluable};
use report::{EndpointCurves, IncidenceCurve, IncidenceCurves, KmCurve, LandmarkRate};
use survival::{CumulativeIncidence, Estimate, KaplanMeier, TimeToState, cumulative_incidence, landmarks, median};

use crate::cohort_survival::Curve;
use crate::patient::CohortPatient;

/// Times at which survival is stated, in months, as far as anybody was observed.
const LANDMARKS: [f64; 5] = [6.0, 12.0, 24.0, 36.0, 60.0];

/// Quantile of the normal distribution for 95 % intervals.
const Z95: f64 = 1.959_963_984_540_054;

/// Round times, at most nine of them, up to the end of observation.
fn risk_times(last_time: f64) -> Vec<f64> {
    let step = [1.0, 2.0, 3.0, 6.0, 12.0, 24.0].into_iter().find(|s| last_time / s <= 8.0).unwrap_or(48.0);
    let n_ticks = (last_time / step).floor() as usize + 1;
    (0..n_ticks).map(|n| n as f64 * step).collect()
}

fn landmark_rates(estimate: &KaplanMeier) -> Vec<LandmarkRate> {
    let times: Vec<f64> = LANDMARKS.into_iter().filter(|time| *time <= estimate.last_time()).collect();
    let rate = |found: survival::Landmark| LandmarkRate {
        time: found.time,
        survival: match found.surv {
            Estimate::Value(value) => Evaluable::Value(value),
            other @ Estimate::NotEvaluable { .. } => Evaluable::not(other.reason().unwrap_or("no reason stated")),
        },
        interval: [found.lower, found.upper],
        n_risk: found.n_risk as u64,
    };
    landmarks(estimate, &times).into_iter().map(rate).collect()
}

/// The Kaplan–Meier figure of one endpoint, a curve for each group that is compared; `None` where nothing could be estimated.
pub(crate) fn endpoint_curves(curve: &Curve) -> Option<EndpointCurves> {
    let everybody = curve.estimate.as_ref().ok()?;
    let risk_times = risk_times(everybody.last_time());
    let of_group = |name: &str, estimate: &KaplanMeier| {
        let found = median(estimate, curve.convention);
        let value = found.median.map_or_else(|| Evaluable::not("median not reached"), Evaluable::Value);
        KmCurve {
            landmarks: landmark_rates(estimate),
            ..KmCurve::from_estimate(name, estimate, &risk_times).with_median(value, found.median_ci)
        }
    };
    let estimated = curve.groups.iter().filter_map(|(name, estimate)| Some((name, estimate.as_ref().ok()?)));
    let mut curves: Vec<KmCurve> = estimated.map(|(name, estimate)| of_group(name, estimate)).collect();
    if curves.len() < 2 {
        curves = vec![of_group("", everybody)];
    }
    let (title, definition) = wording(&curve.endpoint);
    Some(EndpointCurves {
        endpoint: curve.endpoint.clone(),
        title: title.to_owned(),
        definition: definition.to_owned(),
        time_unit: "months".to_owned(),
        curves,
        risk_times,
        comparison: curve.comparison.clone(),
        cautions: curve.cautions(),
    })
}

fn wording(endpoint: &str) -> (&'static str, &'static str) {
    match endpoint {
        "OS" => ("Overall survival", "Event: death of any cause. Censored when last known alive."),
        "PFS" => ("Progression-free survival", "Event: progression of any kind or death."),
        "PFS_local" => {
            ("Local progression-free survival", "Event: local progression; death and other progression do not count.")
        }
        "PFS_distant" => (
            "Distant progression-free survival",
            "Event: distant progression, with or without that outside the liver as the preset has it.",
        ),
        "TTP" => ("Time to progression", "Event: progression of any kind; death is censored."),
        "LTPFS" => (
            "Local tumour progression-free survival, per treated lesion",
            "Event: local progression of the treated lesion.",
        ),
        "DPFS" => (
            "Distant progression-free survival of the patient",
            "Event: distant intrahepatic or extrahepatic progression.",
        ),
        _ => ("", ""),
    }
}

/// Cumulative incidences of every endpoint in which another event ended the observation of somebody.
pub(crate) fn incidences(results: &[CohortPatient]) -> Vec<IncidenceCurves> {
    let mut by_endpoint: BTreeMap<&str, Vec<&EndpointRow>> = BTreeMap::new();
    for row in results.iter().flat_map(|r| &r.endpoints) {
        by_endpoint.entry(&row.endpoint).or_default().push(row);
    }
    by_endpoint.into_iter().filter_map(|(endpoint, rows)| incidence_curves(endpoint, &rows)).collect()
}

fn incidence_curves(endpoint: &str, rows: &[&EndpointRow]) -> Option<IncidenceCurves> {
    let competing: BTreeSet<&str> =
        rows.iter().filter(|r| r.event == 0 && !r.competing.is_empty()).map(|r| r.competing.as_str()).collect();
    if competing.is_empty() || rows.iter().all(|r| r.event == 0) {
        return None;
    }
    let of_interest = event_name(endpoint);
    let causes: Vec<&str> = std::iter::once(of_interest).chain(competing).collect();
    let state = |row: &EndpointRow| match row.event {
        1 => 1,
        _ => causes.iter().skip(1).position(|cause| *cause == row.competing).map_or(0, |n| n as u32 + 2),
    };
    let seen: Vec<TimeToState> = rows.iter().map(|r| TimeToState { time: r.months, state: state(r) }).collect();
    let last_time = seen.iter().map(|s| s.time).fold(0.0, f64::max);
    let times = risk_times(last_time);
    let curve = |(n, cause): (usize, &&str)| {
        let number = n as u32 + 1;
        let estimate = cumulative_incidence(&seen, number).ok()?;
        Some(incidence_curve(cause, seen.iter().filter(|s| s.state == number).count(), &estimate))
    };
    Some(IncidenceCurves {
        endpoint: endpoint.to_owned(),
        title: format!("{of_interest}, with {} competing", causes[1..].join(", ")),
        time_unit: "months".to_owned(),
        n_risk: times.iter().map(|t| seen.iter().filter(|s| s.time >= *t).count() as u64).collect(),
        risk_times: times,
        n: seen.len() as u64,
        last_time,
        causes: causes.iter().enumerate().map(curve).collect::<Option<_>>()?,
    })
}

/// What an event of an endpoint is called.
fn event_name(endpoint: &str) -> &'static str {
    match endpoint {
        "OS" => "death",
        "LTPFS" | "PFS_local" => "local progression",
        "DPFS" | "PFS_distant" => "distant progression",
        _ => "event",
    }
}

/// With 95 % intervals on the scale of log(−log F), which keep within 0 and 1 (Choudhury 2002); none where F is 0 or 1.
fn incidence_curve(cause: &str, events: usize, estimate: &CumulativeIncidence) -> IncidenceCurve {
    // Of a number below 1 the larger power is the smaller bound.
    let bound = |sign: f64| {
        let pairs = estimate.est.iter().zip(&estimate.var);
        let one = |(est, var): (&f64, &f64)| {
            (*est > 0.0 && *est < 1.0).then(|| est.powf((sign * Z95 * var.sqrt() / (est * est.ln().abs())).exp()))
        };
        pairs.map(one).collect()
    };
    IncidenceCurve {
        cause: cause.to_owned(),
        events: events as u64,
        time: estimate.time.clone(),
        estimate: estimate.est.clone(),
        lower: bound(1.0),
        upper: bound(-1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_an_incidence_lies_around_it_and_within_0_and_1() {
        let estimate =
            CumulativeIncidence { time: vec![0.0, 4.0, 9.0], est: vec![0.0, 0.5, 1.0], var: vec![0.0, 0.04, 0.0] };
        let curve = incidence_curve("local progression", 2, &estimate);
        assert_eq!([curve.lower[0], curve.upper[0], curve.lower[2], curve.upper[2]], [None; 4]);
        // By hand: 1.959964 × 0.2 / (0.5 × 0.693147) = 1.131053; exp(±1.131053) = 3.098919 and 0.322694;
        // 0.5 to these powers.
        assert!((curve.lower[1].unwrap() - 0.116_72).abs() < 5e-5, "{:?}", curve.lower);
        assert!((curve.upper[1].unwrap() - 0.799_58).abs() < 5e-5, "{:?}", curve.upper);
    }

    fn row(lesion: &str, months: f64, event: u8, competing: &str) -> EndpointRow {
        EndpointRow {
            patient_id: "P".into(),
            unit_id: lesion.into(),
            endpoint: "LTPFS".into(),
            origin_date: "2024-01-31".parse().unwrap(),
            end_date: "2024-06-30".parse().unwrap(),
            days: 151,
            months,
            event,
            cause: String::new(),
            competing: competing.into(),
            censor_reason: String::new(),
            interval_low_date: None,
        }
    }

    #[test]
    fn a_death_competes_with_local_progression() {
        let rows = [row("L1", 2.0, 1, ""), row("L2", 4.0, 0, "death"), row("L3", 6.0, 0, "")];
        let curves = incidence_curves("LTPFS", &rows.iter().collect::<Vec<_>>()).unwrap();
        let causes: Vec<&str> = curves.causes.iter().map(|c| c.cause.as_str()).collect();
        assert_eq!(causes, ["local progression", "death"]);
        // One third progress, then one of the two left dies: 2/3 × 1/2.
        assert!((curves.causes[0].estimate.last().unwrap() - 1.0 / 3.0).abs() < 1e-12);
        assert!((curves.causes[1].estimate.last().unwrap() - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!((curves.n_risk[0], curves.n), (3, 3));
        let without = [row("L1", 2.0, 1, ""), row("L3", 6.0, 0, "")];
        assert!(incidence_curves("LTPFS", &without.iter().collect::<Vec<_>>()).is_none());
    }
}
