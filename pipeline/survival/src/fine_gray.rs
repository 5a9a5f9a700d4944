//! The Fine–Gray model: proportional hazards of the subdistribution of one cause among competing ones.
//!
//! Source: Fine and Gray 1999, JASA 94:496; ties as Breslow, variance with the estimated censoring distribution (their
//! section 3.2), as in R `cmprsk::crr`.

mod risk_set;

use std::ops::Range;

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Z_95;
use crate::chi_squared::two_sided_normal_p;
use crate::cox::CoxError;
use crate::cox::covariates::Covariates;
use crate::cox::newton::{Fit, maximise};
use crate::kaplan_meier::{IntervalScale, kaplan_meier};
use crate::observation::{InputError, TimeToEvent, check_times};
use risk_set::{EventTime, WeightedSums, derivatives};

/// One record of the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FineGraySubject {
    /// Time from the origin to the first of all events, or to the end of observation.
    pub time: f64,
    /// 0 censored, 1 and above the event that came first.
    pub state: u32,
    /// One value per term, in the order of the terms.
    pub covariates: Vec<f64>,
}

/// A fitted model; the lists are parallel to `terms`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FineGrayFit {
    /// Names of the covariates.
    pub terms: Vec<String>,
    /// Log subdistribution hazard ratios per unit.
    pub coef: Vec<f64>,
    /// Their standard errors.
    pub se: Vec<f64>,
    /// Subdistribution hazard ratios, exp(coef).
    pub hr: Vec<f64>,
    /// Lower bound, exp(coef − z·se).
    pub lower: Vec<f64>,
    /// Upper bound.
    pub upper: Vec<f64>,
    /// Two-sided Wald p-values.
    pub p: Vec<f64>,
    /// Log pseudo-likelihood with all coefficients 0, and at the fit.
    pub loglik: [f64; 2],
    /// Records used.
    pub n: usize,
    /// Events of the cause among them.
    pub events: usize,
}

/// A model that cannot be fitted.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum FineGrayError {
    /// What a Cox model refuses as well.
    #[error(transparent)]
    Model(#[from] CoxError),
    /// Nobody had the event.
    #[error("no event of state {state}: there is nothing to model")]
    NoEvents {
        /// The state asked for.
        state: u32,
    },
}

impl From<InputError> for FineGrayError {
    fn from(error: InputError) -> Self {
        Self::Model(error.into())
    }
}

/// The records by ascending time, with the chance of not being censored before each record's time, G(t−).
struct Cohort {
    time: Vec<f64>,
    state: Vec<u32>,
    covariates: Vec<DVector<f64>>,
    /// The largest absolute value of each covariate.
    sizes: DVector<f64>,
    uncensored: Vec<f64>,
    of_interest: u32,
}

/// Fits the model for `state`, all other states above 0 competing with it.
///
/// Who had a competing event stays at risk with the weight G(t−)/G(T−), G being the Kaplan–Meier curve of censoring. Curves of
/// the fit assume that censoring does not depend on the covariates.
pub fn fine_gray(terms: &[&str], subjects: &[FineGraySubject], state: u32) -> Result<FineGrayFit, FineGrayError> {
    let cohort = Cohort::new(terms, subjects, state)?;
    let events = subjects.iter().filter(|subject| subject.state == state).count();
    let at = |coef: &DVector<f64>| derivatives(&cohort.moments(coef), terms.len());
    let Fit { coef, inverse, loglik, .. } = maximise(terms, &cohort.sizes, events, at)?;
    let event_times = cohort.moments(&coef);
    let influence = cohort.influence(&coef, &event_times);
    let mut meat = DMatrix::zeros(terms.len(), terms.len());
    for row in &influence {
        meat.ger(1.0, row, row, 1.0);
    }
    let covariance = &inverse * meat * &inverse;
    let se: Vec<f64> = covariance.diagonal().iter().map(|variance| variance.sqrt()).collect();
    let ratio = |sign: f64| coef.iter().zip(&se).map(|(coef, se)| (coef + sign * Z_95 * se).exp()).collect();
    Ok(FineGrayFit {
        terms: terms.iter().map(|&term| term.to_owned()).collect(),
        hr: ratio(0.0),
        lower: ratio(-1.0),
        upper: ratio(1.0),
        p: coef.iter().zip(&se).map(|(coef, se)| two_sided_normal_p(coef / se)).collect(),
        loglik,
        n: subjects.len(),
        events,
        coef: coef.iter().copied().collect(),
        se,
    })
}

impl Cohort {
    fn new(terms: &[&str], subjects: &[FineGraySubject], of_interest: u32) -> Result<Self, FineGrayError> {
        check_times(subjects.iter().map(|subject| subject.time))?;
        let centred = Covariates::centred(terms, subjects.iter().map(|subject| subject.covariates.as_slice()))?;
        if of_interest == 0 || subjects.iter().all(|subject| subject.state != of_interest) {
            return Err(FineGrayError::NoEvents { state: of_interest });
        }
        let censoring: Vec<_> =
            subjects.iter().map(|subject| TimeToEvent { time: subject.time, event: subject.state == 0 }).collect();
        let censoring = kaplan_meier(&censoring, IntervalScale::Log)?;
        let mut order: Vec<usize> = (0..subjects.len()).collect();
        order.sort_by(|&a, &b| subjects[a].time.total_cmp(&subjects[b].time));
        let uncensored_before = |time: f64| {
            let before = censoring.time.partition_point(|&step| step < time).checked_sub(1);
            before.map_or(1.0, |entry| censoring.surv[entry])
        };
        Ok(Self {
            time: order.iter().map(|&row| subjects[row].time).collect(),
            state: order.iter().map(|&row| subjects[row].state).collect(),
            covariates: order.iter().map(|&row| DVector::from_column_slice(centred.row(row))).collect(),
            sizes: centred.sizes(),
            uncensored: order.iter().map(|&row| uncensored_before(subjects[row].time)).collect(),
            of_interest,
        })
    }

    fn is_competing(&self, row: usize) -> bool {
        self.state[row] != 0 && self.state[row] != self.of_interest
    }

    fn relative_hazards(&self, coef: &DVector<f64>) -> Vec<f64> {
        let linear: Vec<f64> = self.covariates.iter().map(|covariates| covariates.dot(coef)).collect();
        let largest = linear.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        linear.iter().map(|linear| (linear - largest).exp()).collect()
    }

    /// The distinct times as ranges of records, ascending.
    fn tied(&self) -> Vec<Range<usize>> {
        let mut start = 0;
        let lengths = self.time.chunk_by(|a, b| a == b).map(<[f64]>::len);
        lengths
            .map(|length| {
                start += length;
                start - length..start
            })
            .collect()
    }

    fn deaths(&self, tied: &Range<usize>) -> impl Iterator<Item = usize> {
        tied.clone().filter(|&row| self.state[row] == self.of_interest)
    }

    /// The contributions of the event times at `coef`, ascending, with Breslow's ties.
    fn moments(&self, coef: &DVector<f64>) -> Vec<EventTime> {
        let hazards = self.relative_hazards(coef);
        let event_blocks: Vec<Range<usize>> =
            self.tied().into_iter().filter(|tied| self.deaths(tied).next().is_some()).collect();
        let mut observed = WeightedSums::zeros(coef.len());
        let mut end = self.time.len();
        let mut at_risk: Vec<WeightedSums> = Vec::with_capacity(event_blocks.len());
        for tied in event_blocks.iter().rev() {
            (tied.start..end).for_each(|row| observed.add(hazards[row], &self.covariates[row]));
            end = tied.start;
            at_risk.push(observed.clone());
        }
        let mut after_competing = WeightedSums::zeros(coef.len());
        let mut start = 0;
        let mut event_times = Vec::with_capacity(event_blocks.len());
        for (tied, observed) in event_blocks.iter().zip(at_risk.iter().rev()) {
            for row in (start..tied.start).filter(|&row| self.is_competing(row)) {
                after_competing.add(hazards[row] / self.uncensored[row], &self.covariates[row]);
            }
            start = tied.start;
            let risk_set = observed.plus(&after_competing, self.uncensored[tied.start]);
            event_times.push(self.event_time(tied, &hazards, &risk_set));
        }
        event_times
    }

    fn event_time(&self, tied: &Range<usize>, hazards: &[f64], risk_set: &WeightedSums) -> EventTime {
        let n_event = self.deaths(tied).count() as f64;
        let observed: DVector<f64> = self.deaths(tied).map(|row| &self.covariates[row]).sum();
        let mean = &risk_set.first / risk_set.weight;
        let hazard = n_event / risk_set.weight;
        EventTime {
            time: self.time[tied.start],
            loglik: self.deaths(tied).map(|row| hazards[row].ln()).sum::<f64>() - n_event * risk_set.weight.ln(),
            score: observed - &mean * n_event,
            information: (&risk_set.second / risk_set.weight - &mean * mean.transpose()) * n_event,
            hazard,
            hazard_mean: &mean * hazard,
            mean,
        }
    }

    /// η + ψ of every record: its score residual, and what its censoring tells about the weights of others.
    fn influence(&self, coef: &DVector<f64>, event_times: &[EventTime]) -> Vec<DVector<f64>> {
        let hazards = self.relative_hazards(coef);
        let passed = |time: f64| event_times.partition_point(|event_time| event_time.time <= time);
        let plain = Cumulative::new(event_times, |_| 1.0, coef.len());
        // G(t−) at an event time, from any record of that time.
        let uncensored = |event_time: &EventTime| self.uncensored[self.time.partition_point(|&t| t < event_time.time)];
        let weighted = Cumulative::new(event_times, uncensored, coef.len());
        let mut influence: Vec<DVector<f64>> = Vec::with_capacity(self.time.len());
        for (row, &hazard) in hazards.iter().enumerate() {
            let (covariates, passed) = (&self.covariates[row], passed(self.time[row]));
            let mut eta = plain.between(0, passed, covariates, 1.0) * -hazard;
            if self.state[row] == self.of_interest {
                eta += covariates - &event_times[passed - 1].mean;
            }
            if self.is_competing(row) {
                eta -= weighted.between(passed, event_times.len(), covariates, 1.0) * (hazard / self.uncensored[row]);
            }
            influence.push(eta);
        }
        self.add_censoring(&mut influence, &hazards, event_times, &weighted);
        influence
    }

    /// Adds ψ: at each censoring time u, q(u)/n(u) for those censored there, less that times the censoring hazard for all at
    /// risk. q(u) is what those with a competing event before u are expected to bring to the score from u on (Fine and Gray
    /// write s ≥ u > X: an event of the time u itself counts, a competing event of that time does not).
    fn add_censoring(
        &self,
        influence: &mut [DVector<f64>],
        hazards: &[f64],
        event_times: &[EventTime],
        weighted: &Cumulative,
    ) {
        let n_terms = influence[0].len();
        let mut compensator = DVector::<f64>::zeros(n_terms);
        let mut competing = WeightedSums::zeros(n_terms);
        for tied in self.tied() {
            let n_risk = (self.time.len() - tied.start) as f64;
            let from = event_times.partition_point(|event_time| event_time.time < self.time[tied.start]);
            let later = weighted.between(from, event_times.len(), &competing.first, competing.weight);
            let n_censored = tied.clone().filter(|&row| self.state[row] == 0).count() as f64;
            compensator += &later * (n_censored / n_risk / n_risk);
            for row in tied {
                if self.state[row] == 0 {
                    influence[row] += &later / n_risk;
                }
                influence[row] -= &compensator;
                if self.is_competing(row) {
                    competing.add(hazards[row] / self.uncensored[row], &self.covariates[row]);
                }
            }
        }
    }
}

/// Running sums of weight · hazard and weight · hazard · mean over the event times.
struct Cumulative(Vec<(f64, DVector<f64>)>);

impl Cumulative {
    fn new(event_times: &[EventTime], weight: impl Fn(&EventTime) -> f64, n_terms: usize) -> Self {
        let mut sums = vec![(0.0, DVector::zeros(n_terms))];
        for event_time in event_times {
            let (hazard, mean) = &sums[sums.len() - 1];
            let weight = weight(event_time);
            sums.push((hazard + event_time.hazard * weight, mean + &event_time.hazard_mean * weight));
        }
        Self(sums)
    }

    /// Sum of hazard · (`first` − `total` · mean) over the event times from position `from` up to `to`.
    fn between(&self, from: usize, to: usize, first: &DVector<f64>, total: f64) -> DVector<f64> {
        let (hazard, mean) = (self.0[to].0 - self.0[from].0, &self.0[to].1 - &self.0[from].1);
        first * hazard - mean * total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cox::{CoxSubject, Ties, cox};

    fn subject(time: f64, state: u32, covariate: f64) -> FineGraySubject {
        FineGraySubject { time, state, covariates: vec![covariate] }
    }

    #[test]
    fn without_competing_events_it_is_cox_with_robust_errors() {
        let rows = [
            (1.0, 1, 0.2),
            (2.0, 0, 1.5),
            (2.0, 1, -0.7),
            (3.0, 1, 0.9),
            (3.0, 1, -0.1),
            (5.0, 0, 0.4),
            (6.0, 1, -1.2),
        ];
        let found = fine_gray(&["x"], &rows.map(|(time, state, x)| subject(time, state, x)), 1).unwrap();
        let mut number = 0;
        let subjects = rows.map(|(time, state, x)| {
            number += 1;
            CoxSubject { time, event: state == 1, covariates: vec![x], cluster: Some(number), stratum: None }
        });
        let cox = cox(&["x"], &subjects, Ties::Breslow).unwrap();
        assert!((found.coef[0] - cox.coef[0]).abs() < 1e-10);
        assert!((found.se[0] - cox.se[0]).abs() < 1e-10);
        assert!((found.loglik[1] - cox.loglik[1]).abs() < 1e-10);
        assert_eq!((found.n, found.events), (7, 5));
    }

    #[test]
    fn without_censoring_competing_events_stay_at_risk_to_the_end() {
        // Weight 1 for ever: the same as Cox with competing events censored after the last time.
        let rows = [(1.0, 1, 0.2), (2.0, 2, 1.5), (3.0, 1, -0.7), (4.0, 1, 0.9), (5.0, 2, -0.1), (6.0, 1, 0.4)];
        let found = fine_gray(&["x"], &rows.map(|(time, state, x)| subject(time, state, x)), 1).unwrap();
        let subjects = rows.map(|(time, state, x)| CoxSubject {
            time: if state == 2 { 9.0 } else { time },
            event: state == 1,
            covariates: vec![x],
            cluster: None,
            stratum: None,
        });
        assert!((found.coef[0] - cox(&["x"], &subjects, Ties::Breslow).unwrap().coef[0]).abs() < 1e-10);
    }

    #[test]
    fn what_cannot_be_modelled_is_refused() {
        let rows = [subject(1.0, 2, 0.0), subject(2.0, 0, 1.0)];
        assert_eq!(fine_gray(&["x"], &rows, 1), Err(FineGrayError::NoEvents { state: 1 }));
        assert_eq!(fine_gray(&["x"], &rows, 0), Err(FineGrayError::NoEvents { state: 0 }));
        assert!(matches!(fine_gray(&["x"], &[], 1), Err(FineGrayError::Model(CoxError::Input(_)))));
        assert!(matches!(fine_gray(&["x"], &rows, 2), Err(FineGrayError::Model(_))), "one event, of the lowest x");
    }
}
