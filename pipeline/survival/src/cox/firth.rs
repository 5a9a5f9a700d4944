//! Cox's model with Firth's penalty: finite coefficients where a group has no event or the terms separate the events.
//!
//! Source: Firth 1993; Heinze and Schemper 2001, for the Cox model with penalised likelihood ratio tests and profile
//! likelihood intervals, as in R `coxphf`.

mod penalised;
mod profile;

use serde::{Deserialize, Serialize};

use super::partial_likelihood::RiskSets;
use super::{ChiSquaredTest, CoxError, CoxSubject, Ties};
use crate::chi_squared::chi_squared_p;
use penalised::Penalised;

/// A fitted model; the lists are parallel to `terms`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FirthFit {
    /// Names of the covariates.
    pub terms: Vec<String>,
    /// Log hazard ratios per unit, at the maximum of the penalised likelihood.
    pub coef: Vec<f64>,
    /// Their standard errors, from the information at the maximum.
    pub se: Vec<f64>,
    /// Hazard ratios, exp(coef).
    pub hr: Vec<f64>,
    /// Lower 95 % bound of the hazard ratio, by the profile of the penalised likelihood; `None`: the profile falls too
    /// slowly to give one.
    pub lower: Vec<Option<f64>>,
    /// Upper 95 % bound, as `lower`.
    pub upper: Vec<Option<f64>>,
    /// Two-sided p-values of the penalised likelihood ratio tests.
    pub p: Vec<f64>,
    /// Penalised log likelihood with all coefficients 0, and at the fit.
    pub loglik: [f64; 2],
    /// Penalised likelihood ratio test of all terms together.
    pub lr: ChiSquaredTest,
    /// Records used.
    pub n: usize,
    /// Events among them.
    pub events: usize,
    /// Treatment of ties.
    pub ties: Ties,
    /// What a reader must know before trusting the fit.
    pub cautions: Vec<String>,
}

/// Fits the model: the log likelihood plus half the logarithm of the determinant of the information is maximised.
///
/// Tests compare that penalised likelihood at its maximum with its maximum under coefficient 0, the penalty being that of
/// the whole model. The errors assume independent records; clusters are named in `cautions`. The work per step grows
/// with the third power of the number of terms.
///
/// # Errors
/// As [`cox`](super::cox), but separation is no error here.
pub fn firth(terms: &[&str], subjects: &[CoxSubject], ties: Ties) -> Result<FirthFit, CoxError> {
    let risk_sets = RiskSets::new(terms, subjects, ties)?;
    let penalised = Penalised::new(terms, &risk_sets)?;
    let free = vec![true; terms.len()];
    let zero = vec![0.0; terms.len()];
    let null = penalised.at(&zero).ok_or_else(|| no_maximum(terms))?.loglik;
    let (coef, best) = penalised.maximise(&zero, &free).ok_or_else(|| no_maximum(terms))?;
    let se: Vec<f64> = best.inverse.diagonal().iter().map(|variance| variance.sqrt()).collect();
    let mut p = Vec::new();
    for term in 0..terms.len() {
        let without = profile::at(&penalised, &coef, term, 0.0).ok_or_else(|| no_maximum(terms))?;
        p.push(chi_squared_p(2.0 * (best.loglik - without), 1));
    }
    let bound = |sign: f64| -> Vec<Option<f64>> {
        (0..terms.len())
            .map(|term| profile::bound(&penalised, &coef, &best, term, sign * se[term]).map(f64::exp))
            .collect()
    };
    let (lower, upper) = (bound(-1.0), bound(1.0));
    Ok(FirthFit {
        terms: terms.iter().map(|&term| term.to_owned()).collect(),
        hr: coef.iter().map(|coef| coef.exp()).collect(),
        lr: ChiSquaredTest::new(2.0 * (best.loglik - null), terms.len()),
        loglik: [null, best.loglik],
        n: subjects.len(),
        events: subjects.iter().filter(|subject| subject.event).count(),
        cautions: cautions(terms, subjects, &lower, &upper),
        coef,
        se,
        lower,
        upper,
        p,
        ties,
    })
}

fn no_maximum(terms: &[&str]) -> CoxError {
    CoxError::NoPenalisedMaximum { n_terms: terms.len() }
}

fn cautions(terms: &[&str], subjects: &[CoxSubject], lower: &[Option<f64>], upper: &[Option<f64>]) -> Vec<String> {
    let mut cautions = Vec::new();
    if subjects.iter().any(|subject| subject.cluster.is_some()) {
        cautions.push("the penalised model's errors do not allow for clusters".to_owned());
    }
    for (term, (lower, upper)) in terms.iter().zip(lower.iter().zip(upper)) {
        if lower.is_none() || upper.is_none() {
            cautions.push(format!("a bound of \"{term}\" is missing: its profile likelihood does not fall far enough"));
        }
    }
    cautions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(time: f64, event: bool, covariates: &[f64]) -> CoxSubject {
        CoxSubject { time, event, covariates: covariates.to_vec(), cluster: None, stratum: None }
    }

    #[test]
    fn two_subjects_by_hand() {
        // x = 1 dies first, x = 0 remains. With r = exp(b): L = r/(r+1), I = r/(r+1)², so the penalised likelihood is
        // r^1.5/(r+1)², largest at 1.5 (r+1) = 2 r: r = 3. Cox's likelihood has no maximum.
        let subjects = [subject(1.0, true, &[1.0]), subject(2.0, false, &[0.0])];
        assert!(matches!(super::super::cox(&["x"], &subjects, Ties::Efron), Err(CoxError::Separation { .. })));
        let found = firth(&["x"], &subjects, Ties::Efron).unwrap();
        assert!((found.coef[0] - 3.0_f64.ln()).abs() < 1e-8);
        // Information 3/16; penalised log likelihood 1.5 log 3 − 2 log 4 against −2 log 2.
        assert!((found.se[0] - (16.0_f64 / 3.0).sqrt()).abs() < 1e-7);
        let difference = 1.5 * 3.0_f64.ln() - 2.0 * 4.0_f64.ln() + 2.0 * 2.0_f64.ln();
        assert!((found.lr.chisq - 2.0 * difference).abs() < 1e-10);
        assert!((found.p[0] - found.lr.p).abs() < 1e-12, "one term: its test is the global one");
        let (lower, upper) = (found.lower[0].unwrap().ln(), found.upper[0].unwrap().ln());
        let profile = |b: f64| 1.5 * b - 2.0 * b.exp().ln_1p();
        for bound in [lower, upper] {
            let drop = profile(3.0_f64.ln()) - profile(bound);
            assert!((2.0 * drop - crate::Z_95.powi(2)).abs() < 1e-6, "{bound}");
        }
    }

    #[test]
    fn what_no_penalty_can_help_is_refused() {
        assert_eq!(firth(&["x"], &[subject(1.0, false, &[1.0])], Ties::Efron), Err(CoxError::NoEvents));
        let same = [subject(1.0, true, &[1.0]), subject(2.0, true, &[1.0])];
        assert_eq!(firth(&["x"], &same, Ties::Efron), Err(CoxError::DependentTerm { term: "x".to_owned() }));
    }

    #[test]
    fn clusters_are_not_allowed_for_and_that_is_said() {
        let subjects = [(1.0, true, 0.3), (2.0, true, -1.0), (3.0, false, 0.8), (4.0, true, 0.1)]
            .map(|(time, event, x)| CoxSubject { cluster: Some(1), ..subject(time, event, &[x]) });
        let found = firth(&["x"], &subjects, Ties::Breslow).unwrap();
        assert!(found.cautions[0].contains("clusters"));
    }
}
