//! Cohorts of the size and kind of a published study, with known hazards: every course is drawn first, then shown by images.
//!
//! Source: Xu et al. 2021 (114 HCC and 50 CRLM after HDR brachytherapy) and Narayanan et al. 2024 (24 nodes of 19 patients after
//! irreversible electroporation): medians, hazard ratios and characteristics as they print them. Images are coarse (3 mm, one
//! phase), so that a whole cohort is made and run in minutes.

mod draw;
mod narayanan2024;
mod xu2021;

use std::fmt;
use std::str::FromStr;

use jiff::Span;
use jiff::civil::Date;
use thiserror::Error;

use crate::plan::{Extra, PatientPlan, Person};
use crate::scenario::Story;
use crate::truth::EventTruth;

/// A published study whose cohort is imitated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Study {
    /// Xu et al. 2021: 164 patients.
    Xu2021,
    /// Narayanan et al. 2024: 19 patients.
    Narayanan2024,
}

/// A study's name that is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is no study `{found}`; expected xu2021 or narayanan2024")]
pub struct UnknownStudy {
    /// The name given.
    pub found: String,
}

impl Study {
    /// The name of its preset.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Xu2021 => "xu2021",
            Self::Narayanan2024 => "narayanan2024",
        }
    }

    /// Patients in the study.
    #[must_use]
    pub const fn n_patients(self) -> usize {
        match self {
            Self::Xu2021 => 164,
            Self::Narayanan2024 => 19,
        }
    }

    /// The criterion that leads in a run with its preset.
    #[must_use]
    pub const fn criterion(self) -> &'static str {
        match self {
            Self::Xu2021 => "xu2021_recist",
            Self::Narayanan2024 => "recist_1_1",
        }
    }
}

impl fmt::Display for Study {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Study {
    type Err = UnknownStudy;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = [Self::Xu2021, Self::Narayanan2024];
        known.into_iter().find(|study| study.name() == name).ok_or_else(|| UnknownStudy { found: name.to_owned() })
    }
}

/// The first `n_patients` of a study's cohort; the same seed gives the same patients, whatever their number.
#[must_use]
pub fn study_cohort(study: Study, n_patients: usize, seed: u64) -> Vec<PatientPlan> {
    let course = |n: usize| match study {
        Study::Xu2021 => xu2021::course(n, seed),
        Study::Narayanan2024 => narayanan2024::course(n, seed),
    };
    (0..n_patients).map(|n| PatientPlan::of_course(course(n))).collect()
}

/// Everything drawn of a patient before the anatomy.
pub(crate) struct Course {
    pub(crate) patient_id: String,
    pub(crate) seed: u64,
    pub(crate) person: Person,
    pub(crate) story: Story,
    pub(crate) visits: Vec<Date>,
    pub(crate) treatments: Vec<Date>,
    pub(crate) death: Option<Date>,
    pub(crate) last_contact: Date,
    pub(crate) extra: Extra,
}

/// What a course's story is made of besides its lesions.
pub(crate) struct Known {
    pub(crate) events: Vec<EventTruth>,
}

/// A day so many days later.
fn later(day: Date, days: i64) -> Date {
    day.checked_add(Span::new().days(days)).expect("the drawn days lie within a few years of 2016")
}

/// The visit that first shows what began on a day; `None` where none follows.
fn first_visit_from(visits: &[Date], day: Date) -> Option<usize> {
    (1..visits.len()).find(|n| visits[*n] >= day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::truth::{EventClass, State};

    #[test]
    fn a_cohort_does_not_depend_on_how_many_are_asked_for() {
        for study in [Study::Xu2021, Study::Narayanan2024] {
            let (few, more) = (study_cohort(study, 2, 7), study_cohort(study, 4, 7));
            assert_eq!((few.len(), few[1].truth()), (2, more[1].truth()));
            assert_eq!(study.name().parse::<Study>(), Ok(study));
        }
    }

    #[test]
    fn every_event_is_shown_by_the_visit_of_its_day() {
        let patients = [study_cohort(Study::Xu2021, 30, 3), study_cohort(Study::Narayanan2024, 19, 3)].concat();
        let mut shown = 0;
        for truth in patients.iter().map(PatientPlan::truth) {
            assert!(truth.visits.windows(2).all(|pair| pair[0].date < pair[1].date), "{}", truth.patient_id);
            for event in truth.events.iter().filter(|event| event.class != EventClass::Death) {
                let at = truth.visits.iter().position(|visit| visit.date == event.date).unwrap();
                let lesion = |n: usize| {
                    truth.visits[n].lesions.iter().find(|l| Some(&l.lesion_id) == event.lesion_id.as_ref()).unwrap()
                };
                let (now, before) = (lesion(at), lesion(at - 1));
                let long = |l: &crate::truth::LesionTruth| l.size.as_ref().map_or(0.0, |size| size.long_axis_mm);
                let grown = long(now) > 1.3 * long(before) && long(now) - long(before) > 6.0;
                assert!(grown || now.state == State::LocalProgression, "{} {event:?}", truth.patient_id);
                shown += 1;
            }
            let last = truth.visits.last().unwrap().date;
            assert!(last <= truth.last_contact_date && truth.death_date.is_none_or(|death| last < death));
        }
        assert!(shown > 25, "{shown} events");
    }
}
