//! A patient as planned: anatomy, lesions, zones, visits and dates, all drawn before the first voxel.

use imaging::Grid;
use jiff::Span;
use jiff::civil::{Date, date};
use nalgebra::Vector3;
use rand_chacha::ChaCha8Rng;

use crate::anatomy::Anatomy;
use crate::lesions::{LesionPlan, ZonePlan, place};
use crate::pose::{Motion, Pose};
use crate::random::{self, between, whole};
use crate::scanner::{self, Detail};
use crate::scenario::{Diagnosis, Scenario, Story};
use crate::star::Star;
use crate::study::Course;
use crate::truth::EventTruth;

/// What a cohort is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CohortSpec {
    /// Number of patients; they are named `LT-001`….
    pub n_patients: usize,
    /// Everything random comes from this number.
    pub seed: u64,
    /// The story of every patient; without one, the six of [`Scenario::DEMO`] in turn.
    pub scenario: Option<Scenario>,
}

/// A patient whose visits can be rendered one at a time.
#[derive(Debug, Clone)]
pub struct PatientPlan {
    pub(crate) patient_id: String,
    pub(crate) scenario: Scenario,
    pub(crate) seed: u64,
    pub(crate) person: Person,
    pub(crate) story: Story,
    pub(crate) anatomy: Anatomy,
    pub(crate) lesions: Vec<LesionPlan>,
    pub(crate) zones: Vec<ZonePlan>,
    pub(crate) focus: Option<Star>,
    pub(crate) treatment_dates: Vec<Date>,
    pub(crate) visits: Vec<VisitPlan>,
    pub(crate) death_date: Option<Date>,
    pub(crate) last_contact_date: Date,
    pub(crate) extra: Extra,
}

/// What a study's cohort states besides.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extra {
    /// Diagnosis in words, where it is not that of the liver tumours.
    pub(crate) diagnosis: Option<&'static str>,
    /// Further columns of `patients.csv`.
    pub(crate) covariates: Vec<(&'static str, String)>,
    /// What happened, where the course was drawn and not told by a scenario.
    pub(crate) events: Option<Vec<EventTruth>>,
    /// Rows of `markers.csv`.
    pub(crate) markers: Vec<MarkerRow>,
    /// Grade of complications of each treatment.
    pub(crate) grades: Vec<String>,
    /// Whether a reader marked every lesion at its first sight (`lesions.csv`).
    pub(crate) with_marks: bool,
    /// Whether images are coarse and of one phase.
    pub(crate) coarse: bool,
}

/// One row of `markers.csv`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MarkerRow {
    pub(crate) date: Date,
    pub(crate) marker: &'static str,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) upper_limit: f64,
}

/// Who the patient is, as far as images and tables tell.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Person {
    /// `M` or `F`.
    pub sex: char,
    /// Age at baseline, years.
    pub age_years: i64,
    /// Body weight, kg.
    pub weight_kg: f64,
    /// Height, m.
    pub height_m: f64,
}

/// One planned visit.
#[derive(Debug, Clone)]
pub(crate) struct VisitPlan {
    pub(crate) date: Date,
    pub(crate) pose: Pose,
    pub(crate) grid: Grid,
    pub(crate) table_y_mm: f64,
}

/// The patients of a cohort; the same `spec` gives the same patients.
#[must_use]
pub fn cohort(spec: &CohortSpec) -> Vec<PatientPlan> {
    (0..spec.n_patients)
        .map(|n| {
            let scenario = spec.scenario.unwrap_or(Scenario::DEMO[n % Scenario::DEMO.len()]);
            let seed = random::key(spec.seed, &format!("patient {n}"));
            PatientPlan::new(format!("LT-{:03}", n + 1), scenario, seed)
        })
        .collect()
}

impl PatientPlan {
    fn new(patient_id: String, scenario: Scenario, seed: u64) -> Self {
        let story = Story::of(scenario);
        let anatomy = Anatomy::random(&mut random::stream(seed, "anatomy"), 1.0);
        let placed = place(&mut random::stream(seed, "lesions"), &anatomy, &story);
        let dates = Dates::random(&mut random::stream(seed, "dates"), &story);
        let at = |(n, date): (usize, &Date)| visit_plan(seed, story.motion, n, *date, Detail::Full);
        let visits = dates.visits.iter().enumerate().map(at).collect();
        Self {
            patient_id,
            scenario,
            seed,
            person: person(&mut random::stream(seed, "person")),
            anatomy,
            lesions: placed.lesions,
            zones: placed.zones,
            focus: placed.focus,
            treatment_dates: dates.treatments,
            visits,
            death_date: dates.death,
            last_contact_date: dates.last_contact,
            extra: Extra::default(),
            story,
        }
    }

    /// A patient whose course was drawn for a study's cohort.
    pub(crate) fn of_course(course: Course) -> Self {
        let Course { patient_id, seed, person, story, visits, treatments, death, last_contact, extra } = course;
        let anatomy = Anatomy::random(&mut random::stream(seed, "anatomy"), 1.0);
        let placed = place(&mut random::stream(seed, "lesions"), &anatomy, &story);
        let detail = if extra.coarse { Detail::Coarse } else { Detail::Full };
        let at = |(n, date): (usize, &Date)| visit_plan(seed, story.motion, n, *date, detail);
        Self {
            patient_id,
            scenario: Scenario::Study,
            seed,
            person,
            anatomy,
            lesions: placed.lesions,
            zones: placed.zones,
            focus: placed.focus,
            treatment_dates: treatments,
            visits: visits.iter().enumerate().map(at).collect(),
            death_date: death,
            last_contact_date: last_contact,
            extra,
            story,
        }
    }

    /// Identifier, `LT-001`….
    #[must_use]
    pub fn patient_id(&self) -> &str {
        &self.patient_id
    }
    /// The story.
    #[must_use]
    pub fn scenario(&self) -> Scenario {
        self.scenario
    }
    /// What the liver tumours are.
    #[must_use]
    pub fn diagnosis(&self) -> Diagnosis {
        self.story.diagnosis
    }
    /// Who the patient is.
    #[must_use]
    pub fn person(&self) -> Person {
        self.person
    }
    /// Number of visits.
    #[must_use]
    pub fn n_visits(&self) -> usize {
        self.visits.len()
    }
    /// Whether visit `n` is the control scan on the day of a treatment.
    #[must_use]
    pub fn is_control(&self, n: usize) -> bool {
        self.story.control_on_day && n == 1
    }
    /// The name of visit `n`, which must be a planned one: its day, with `-2` for the second visit of a day.
    #[must_use]
    pub fn visit_name(&self, n: usize) -> String {
        let date = self.visits[n].date;
        if self.is_control(n) { format!("{date}-2") } else { date.to_string() }
    }
    /// Day of visit `n`, 0 being baseline; `None` beyond the last one.
    #[must_use]
    pub fn visit_date(&self, n: usize) -> Option<Date> {
        self.visits.get(n).map(|v| v.date)
    }
}

fn person(rng: &mut ChaCha8Rng) -> Person {
    let sex = if random::chance(rng, 0.6) { 'M' } else { 'F' };
    let height_m = (between(rng, 1.58, 1.86) * 100.0).round() / 100.0;
    let weight_kg = (between(rng, 21.0, 29.0) * height_m * height_m).round();
    Person { sex, age_years: whole(rng, 45, 82), weight_kg, height_m }
}

fn visit_plan(seed: u64, motion: Motion, n: usize, date: Date, detail: Detail) -> VisitPlan {
    let rng = &mut random::stream(seed, &format!("visit {n}"));
    // A large deformation is one between baseline and every later visit.
    let motion = if n == 0 { Motion::Ordinary } else { motion };
    let pose = Pose::random(rng, motion);
    let frame = random::uid(seed, &format!("frame of reference {n}"));
    let grid = scanner::ct_grid(rng, pose.middle(), &frame, detail);
    let table_y_mm = pose.middle().y + between(rng, 99.0, 104.0);
    VisitPlan { date, pose, grid, table_y_mm }
}

/// All days of a patient.
struct Dates {
    visits: Vec<Date>,
    treatments: Vec<Date>,
    death: Option<Date>,
    last_contact: Date,
}

impl Dates {
    /// Treatment 8–20 days after the visit before it, the next control 6–8 weeks later, all others 8–12 weeks apart; where the first
    /// two visits are planning and control, they and the first treatment are on one day.
    fn random(rng: &mut ChaCha8Rng, story: &Story) -> Self {
        let first = later(date(2017, 1, 9), whole(rng, 0, 900));
        let (mut visits, mut treatments) = (vec![first], Vec::new());
        for n in 0..story.n_visits {
            if n == 0 && story.control_on_day {
                treatments.push(first);
                visits.push(first);
                continue;
            }
            let mut from = visits[n];
            let mut wait = whole(rng, 56, 84);
            for _ in story.treatments.iter().filter(|t| t.after_visit == n) {
                from = later(visits[n], whole(rng, 8, 20));
                treatments.push(from);
                wait = whole(rng, 42, 56);
            }
            visits.push(later(from, wait));
        }
        visits.truncate(story.n_visits);
        let last_visit = visits[story.n_visits - 1];
        let after = whole(rng, 50, 110);
        let death = story.dies.then(|| later(last_visit, after));
        let last_contact = match death {
            Some(day) => day,
            None if story.lost => last_visit,
            None => later(last_visit, after),
        };
        Self { visits, treatments, death, last_contact }
    }
}

fn later(day: Date, days: i64) -> Date {
    day.checked_add(Span::new().days(days)).expect("the drawn days lie within a few years of 2017")
}

/// The visit's point of a reference point, as an array.
pub(crate) fn lps(p: Vector3<f64>) -> [f64; 3] {
    p.into()
}
