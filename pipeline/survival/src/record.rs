//! One row of a table of times and events, with everything the estimators may use.

use crate::cox::CoxSubject;
use crate::observation::{TimeToEvent, TimeToState};
use crate::turnbull::EventWindow;

/// One row of the table. All times are in one unit, counted from the origin.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Time from the origin, 0 or more.
    pub time: f64,
    /// True: the event happened at `time`.
    pub event: bool,
    /// The state reached, where causes compete: 0 censored, 1 the event of interest, 2 and above competing.
    pub state: Option<u32>,
    /// The group compared, where there are groups.
    pub group: Option<String>,
    /// When membership of the group was decided, where that was not at the origin (a response, a second treatment).
    pub group_known: Option<f64>,
    /// The last time without the event, where the event is only known to lie after it and at or before `time`.
    pub interval_low: Option<f64>,
    /// One value per term; `None` is missing: the row is then left out of models with that term and counted.
    pub covariates: Vec<Option<f64>>,
    /// The cluster (patient) of the row, where rows are not independent.
    pub cluster: Option<usize>,
    /// The stratum of the row, where each stratum has a baseline hazard of its own.
    pub stratum: Option<usize>,
}

impl Record {
    /// Time and event alone.
    #[must_use]
    pub fn new(time: f64, event: bool) -> Self {
        Self {
            time,
            event,
            state: None,
            group: None,
            group_known: None,
            interval_low: None,
            covariates: Vec::new(),
            cluster: None,
            stratum: None,
        }
    }

    pub(crate) fn seen(&self) -> TimeToEvent {
        TimeToEvent { time: self.time, event: self.event }
    }

    pub(crate) fn ended(&self) -> Option<TimeToState> {
        Some(TimeToState { time: self.time, state: self.state? })
    }

    /// When the event happened, as far as it is known. An event without an earlier negative visit has its own date.
    pub(crate) fn window(&self) -> EventWindow {
        match (self.event, self.interval_low) {
            (true, Some(low)) => EventWindow::Between(low, self.time),
            (true, None) => EventWindow::Exact(self.time),
            (false, _) => EventWindow::After(self.time),
        }
    }

    /// The record of a model of some of the terms; `None` where one of them is missing.
    pub(crate) fn subject(&self, terms: &[usize]) -> Option<CoxSubject> {
        let covariates = terms.iter().map(|&term| *self.covariates.get(term)?).collect::<Option<Vec<f64>>>()?;
        Some(CoxSubject {
            time: self.time,
            event: self.event,
            covariates,
            cluster: self.cluster,
            stratum: self.stratum,
        })
    }
}

/// The records of a model of some of the terms, without those that miss one of them.
pub(crate) fn complete(records: &[Record], terms: &[usize]) -> Vec<CoxSubject> {
    records.iter().filter_map(|record| record.subject(terms)).collect()
}
