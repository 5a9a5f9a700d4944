//! What holds for every table of times, however odd.

use lesiontrace_survival::{
    Convention, CoxSubject, Group, IntervalScale, Ties, TimeToEvent, TimeToState, Weighting, cox, cumulative_incidence,
    kaplan_meier, log_rank, median,
};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// Small whole times, so that ties are common, and states 0 to 2.
fn rows() -> impl Strategy<Value = Vec<(u8, u32, i8)>> {
    proptest::collection::vec((0_u8..12, 0_u32..3, -5_i8..5), 1..40)
}

fn events(rows: &[(u8, u32, i8)]) -> Vec<TimeToEvent> {
    rows.iter().map(|&(time, state, _)| TimeToEvent { time: f64::from(time), event: state == 1 }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, rng_seed: RngSeed::Fixed(1958), ..ProptestConfig::default() })]

    #[test]
    fn a_curve_never_rises_and_lies_within_its_bounds(rows in rows()) {
        for scale in [IntervalScale::Plain, IntervalScale::Log, IntervalScale::LogLog] {
            let curve = kaplan_meier(&events(&rows), scale).unwrap();
            prop_assert!(curve.surv.is_sorted_by(|a, b| a >= b));
            for entry in 0..curve.time.len() {
                if let (Some(lower), Some(upper)) = (curve.lower[entry], curve.upper[entry]) {
                    let surv = curve.surv[entry];
                    prop_assert!(0.0 <= lower && lower <= surv + 1e-12 && surv <= upper + 1e-12 && upper <= 1.0 + 1e-12);
                }
            }
            for convention in [Convention::R, Convention::Spss, Convention::Lifelines] {
                let found = median(&curve, convention);
                if let (Some(median), [Some(lower), Some(upper)]) = (found.median, found.median_ci) {
                    prop_assert!(lower <= median && median <= upper);
                }
            }
        }
    }

    #[test]
    fn the_order_of_the_rows_changes_nothing(mut rows in rows()) {
        let before = kaplan_meier(&events(&rows), IntervalScale::Log).unwrap();
        rows.reverse();
        prop_assert_eq!(before, kaplan_meier(&events(&rows), IntervalScale::Log).unwrap());
    }

    #[test]
    fn incidences_and_survival_share_out_everybody(rows in rows()) {
        let observations: Vec<_> =
            rows.iter().map(|&(time, state, _)| TimeToState { time: f64::from(time), state }).collect();
        let any: Vec<_> =
            observations.iter().map(|seen| TimeToEvent { time: seen.time, event: seen.state > 0 }).collect();
        let survival = kaplan_meier(&any, IntervalScale::Log).unwrap();
        let curves = [1, 2].map(|state| cumulative_incidence(&observations, state).unwrap());
        for (time, surv) in survival.time.iter().zip(&survival.surv) {
            let incidence: f64 = curves.iter().map(|curve| curve.at(*time).unwrap().0).sum();
            prop_assert!((incidence + surv - 1.0).abs() < 1e-12);
        }
        for curve in &curves {
            prop_assert!(curve.est.is_sorted() && curve.var.iter().all(|&var| var >= 0.0));
        }
    }

    #[test]
    fn log_rank_of_two_groups_is_the_score_test_of_cox(rows in rows()) {
        // Without ties the two are the same test (Cox 1972): spread the times.
        let spread: Vec<_> = (0_u8..).zip(&rows).map(|(row, &(time, state, x))| {
            (TimeToEvent { time: f64::from(time) + f64::from(row) / 64.0, event: state == 1 }, x >= 0)
        }).collect();
        let members = |side: bool| -> Vec<TimeToEvent> {
            spread.iter().filter(|(_, group)| *group == side).map(|(seen, _)| *seen).collect()
        };
        let (a, b) = (members(false), members(true));
        let groups = [Group { label: "a", observations: &a }, Group { label: "b", observations: &b }];
        let subjects: Vec<_> = spread.iter().map(|(seen, group)| CoxSubject {
            time: seen.time, event: seen.event, covariates: vec![f64::from(u8::from(*group))], cluster: None, stratum: None,
        }).collect();
        if let (Ok(test), Ok(fit)) = (log_rank(&groups, Weighting::LogRank), cox(&["group"], &subjects, Ties::Efron)) {
            prop_assert!((test.chisq - fit.score.chisq).abs() < 1e-9 * test.chisq.max(1.0));
        }
    }

    #[test]
    fn a_covariate_in_another_unit_scales_its_coefficient(rows in rows()) {
        let subjects = |factor: f64| -> Vec<CoxSubject> {
            rows.iter().map(|&(time, state, x)| CoxSubject {
                time: f64::from(time), event: state == 1, covariates: vec![f64::from(x) * factor + 70.0], cluster: None, stratum: None,
            }).collect()
        };
        for ties in [Ties::Efron, Ties::Breslow] {
            match (cox(&["x"], &subjects(1.0), ties), cox(&["x"], &subjects(0.01), ties)) {
                (Ok(one), Ok(other)) => {
                    prop_assert!((one.coef[0] - other.coef[0] * 0.01).abs() < 1e-7 * one.coef[0].abs().max(1.0));
                    prop_assert!((one.loglik[1] - other.loglik[1]).abs() < 1e-8);
                }
                (one, other) => prop_assert!(one.is_err() && other.is_err(), "{one:?} {other:?}"),
            }
        }
    }
}
