//! Patients like those of Xu et al. 2021: HCC or CRLM, HDR brachytherapy, targets as they stay visible, follow-up by schedule.
//!
//! Hazards: median local and distant progression and the hazard ratios of age and diameter of Tables 3 and 4; deaths, extrahepatic
//! spread and losses of about the printed numbers.

use std::cmp::Ordering;

use jiff::civil::{Date, date};
use rand_chacha::ChaCha8Rng;

use super::draw::{normal, one_of, person, time_days};
use super::{Course, Known, first_visit_from, later};
use crate::plan::{Extra, MarkerRow};
use crate::random::{self, between, chance, whole};
use crate::scenario::{Coverage, Diagnosis, LesionStory, Story, TreatmentStory};
use crate::truth::{EventCause, EventClass, EventTruth, Kind, Organ};

/// End of data collection of the study: no image is later.
const CUTOFF: Date = date(2020, 6, 30);
/// Follow-ups after completion, days: 8 weeks, 3 months and every 3 months in the first year, then every 6 months.
const SCHEDULE: [i64; 7] = [56, 95, 185, 275, 365, 545, 725];
/// Growth of a target that comes back, of small and of larger ones.
const GROWTH: [f64; 2] = [1.65, 1.45];

/// What differs between the two tumour types.
struct Type {
    diagnosis: Diagnosis,
    prefix: &'static str,
    age: [f64; 2],
    men: f64,
    multifocal: f64,
    diameter: [f64; 2],
    local_months: f64,
    distant_months: f64,
    extrahepatic_months: f64,
    death_months: f64,
}

const HCC: Type = Type {
    diagnosis: Diagnosis::HepatocellularCarcinoma,
    prefix: "HCC",
    age: [69.97, 10.75],
    men: 0.789,
    multifocal: 0.149,
    diameter: [31.0, 10.0],
    local_months: 36.83,
    distant_months: 13.5,
    extrahepatic_months: 170.0,
    death_months: 70.0,
};
const CRLM: Type = Type {
    diagnosis: Diagnosis::ColorectalLiverMetastases,
    prefix: "CRLM",
    age: [66.3, 12.63],
    men: 0.72,
    multifocal: 0.12,
    diameter: [33.0, 10.0],
    local_months: 12.43,
    distant_months: 19.8,
    extrahepatic_months: 80.0,
    death_months: 45.0,
};

/// Patient `n` of the study: every third or fourth is a CRLM, so that 164 are 114 and 50.
pub(super) fn course(n: usize, seed: u64) -> Course {
    let n_crlm_before = n * 50 / 164;
    let is_crlm = (n + 1) * 50 / 164 > n_crlm_before;
    let (kind, number) = if is_crlm { (&CRLM, n_crlm_before + 1) } else { (&HCC, n - n_crlm_before + 1) };
    let seed = random::key(seed, &format!("xu2021 {n}"));
    let rng = &mut random::stream(seed, "course");
    let age = normal(rng, kind.age[0], kind.age[1], [32.0, 92.0]).round();
    let who = person(rng, kind.men, age as i64);
    let diameters = diameters(rng, kind);
    let largest = diameters.iter().copied().fold(0.0, f64::max);
    let dates = Dates::draw(rng, kind, diameters.len(), age, largest);
    let told = tell(rng, kind, &diameters, &dates);
    let extra = Extra {
        diagnosis: None,
        covariates: covariates(rng, kind),
        events: Some(told.1.events),
        markers: markers(rng, kind, dates.sessions[0]),
        grades: dates.sessions.iter().chain(&dates.second_cycle).map(|_| grade(rng)).collect(),
        with_marks: true,
        coarse: true,
    };
    Course {
        patient_id: format!("{}-{number:03}", kind.prefix),
        seed,
        person: who,
        story: told.0,
        visits: dates.visits,
        treatments: dates.sessions.into_iter().chain(dates.second_cycle).collect(),
        death: dates.death,
        last_contact: dates.last_contact,
        extra,
    }
}

/// Target diameters, mm: one, or two of which the first is the larger.
fn diameters(rng: &mut ChaCha8Rng, kind: &Type) -> Vec<f64> {
    if chance(rng, kind.multifocal) {
        let first = normal(rng, 0.85 * kind.diameter[0], 5.0, [20.0, 32.0]);
        return vec![first, first - between(rng, 2.0, 5.0)];
    }
    vec![normal(rng, kind.diameter[0], kind.diameter[1], [18.0, 48.0])]
}

/// All days of a patient, and the follow-ups that show an event.
struct Dates {
    sessions: Vec<Date>,
    second_cycle: Option<Date>,
    visits: Vec<Date>,
    local: Option<usize>,
    distant: Option<usize>,
    extrahepatic: Option<usize>,
    death: Option<Date>,
    last_contact: Date,
}

impl Dates {
    fn draw(rng: &mut ChaCha8Rng, kind: &Type, n_targets: usize, age: f64, diameter: f64) -> Self {
        let first = later(date(2016, 1, 4), whole(rng, 0, 725));
        let completion = if n_targets > 1 { later(first, whole(rng, 28, 42)) } else { first };
        let sessions = if n_targets > 1 { vec![first, completion] } else { vec![first] };
        let after = |days: i64| later(completion, days);
        let of_age = |ratio: f64| ratio.ln() * (age - 70.0);
        let local = after(time_days(rng, kind.local_months, of_age(1.026) + 1.013_f64.ln() * (diameter - 33.0)));
        let distant = after(time_days(rng, kind.distant_months, of_age(1.028)));
        let extrahepatic = after(time_days(rng, kind.extrahepatic_months, 0.0));
        // Everybody has the first follow-up, as the study asks.
        let death = after(time_days(rng, kind.death_months, 0.0).max(75));
        let lost = after(whole(rng, 70, 1400));
        let mut visits = vec![later(first, -whole(rng, 3, 28))];
        for day in SCHEDULE {
            let spread = if day == SCHEDULE[0] { 5 } else { 9 };
            let visit = after(day + whole(rng, -spread, spread));
            if visit < death && visit <= lost && visit <= CUTOFF {
                visits.push(visit);
            }
        }
        let [local, distant, extrahepatic] = [local, distant, extrahepatic].map(|day| first_visit_from(&visits, day));
        // After both patterns of progression one more visit is made.
        if let (Some(local), Some(distant)) = (local, distant) {
            visits.truncate(local.max(distant) + 2);
        }
        let extrahepatic = extrahepatic.filter(|n| *n < visits.len());
        let again = distant.filter(|n| n + 1 < visits.len()).filter(|_| chance(rng, 0.35));
        let second_cycle = again.map(|n| later(visits[n], whole(rng, 10, 24)));
        let died = death < lost;
        Self {
            sessions,
            second_cycle,
            local,
            distant,
            extrahepatic,
            death: died.then_some(death),
            last_contact: if died { death } else { lost },
            visits,
        }
    }
}

/// The lesions over the visits, the treatments, and what is true of the course.
fn tell(rng: &mut ChaCha8Rng, kind: &Type, diameters: &[f64], dates: &Dates) -> (Story, Known) {
    let n_visits = dates.visits.len();
    let liver = |diameter_mm: f64, scale: Vec<f64>| LesionStory {
        organ: Organ::Liver,
        kind: Kind::Lesion,
        diameter_mm,
        scale,
        centre: None,
    };
    let shrunk = if chance(rng, 0.12) { 0.62 } else { between(rng, 0.9, 0.97) };
    let growth = if diameters[0] < 28.0 { GROWTH[0] } else { GROWTH[1] };
    let mut lesions: Vec<LesionStory> = Vec::new();
    for (target, diameter) in diameters.iter().enumerate() {
        let scale = (0..n_visits).map(|n| match dates.local {
            _ if n == 0 => 1.0,
            Some(from) if target == 0 && n >= from => shrunk.max(0.9) * growth,
            _ => shrunk,
        });
        lesions.push(liver(*diameter, scale.collect()));
    }
    let mut events = Vec::new();
    let event = |at: usize, class, cause, lesion: usize| EventTruth {
        date: dates.visits[at],
        class,
        cause,
        lesion_id: Some(crate::follow_up::lesion_id(lesion)),
    };
    events.extend(dates.local.map(|at| event(at, EventClass::Local, EventCause::GrowthOfTreated, 0)));
    let from = |first: usize, later: f64| -> Vec<f64> {
        let at = |n: usize| match n.cmp(&first) {
            Ordering::Less => 0.0,
            Ordering::Equal => 1.0,
            Ordering::Greater => later,
        };
        (0..n_visits).map(at).collect()
    };
    let mut second = None;
    if let Some(at) = dates.distant {
        events.push(event(at, EventClass::DistantIntrahepatic, EventCause::New, lesions.len()));
        second = dates.second_cycle.map(|_| (lesions.len(), at));
        lesions.push(liver(17.0, from(at, 1.0)));
    }
    if let Some(at) = dates.extrahepatic {
        events.push(event(at, EventClass::Extrahepatic, EventCause::New, lesions.len()));
        let lung = LesionStory { organ: Organ::Lung, ..liver(16.0, from(at, 1.15)) };
        lesions.push(lung);
    }
    events.sort_by_key(|event| event.date);
    events.extend(dates.death.map(|date| EventTruth {
        date,
        class: EventClass::Death,
        cause: EventCause::Death,
        lesion_id: None,
    }));
    let session = |after_visit: usize, lesion: usize| TreatmentStory {
        after_visit,
        modality: "HDR brachytherapy",
        targets: vec![(lesion, Coverage::NoZone)],
    };
    let mut treatments: Vec<TreatmentStory> = (0..diameters.len()).map(|target| session(0, target)).collect();
    treatments.extend(second.map(|(lesion, at)| session(at, lesion)));
    (Story::of_study(kind.diagnosis, n_visits, lesions, treatments, None), Known { events })
}

fn covariates(rng: &mut ChaCha8Rng, kind: &Type) -> Vec<(&'static str, String)> {
    let is_hcc = kind.prefix == "HCC";
    let mut lab = |hcc: [f64; 2], crlm: [f64; 2], low: f64, decimals: usize| {
        let [mean, sd] = if is_hcc { hcc } else { crlm };
        format!("{:.decimals$}", normal(rng, mean, sd, [low, mean + 4.0 * sd]))
    };
    let alt = lab([41.5, 26.3], [27.8, 11.5], 8.0, 0);
    let ast = lab([50.3, 30.3], [35.5, 10.9], 10.0, 0);
    let ggt = lab([184.6, 173.6], [150.6, 184.4], 12.0, 0);
    let bilirubin = lab([0.76, 0.47], [0.56, 0.30], 0.15, 2);
    let has_cirrhosis = is_hcc && chance(rng, 0.412);
    let cirrhosis = if is_hcc { if has_cirrhosis { "yes" } else { "no" } } else { "" };
    let child = if has_cirrhosis { one_of(rng, &[("A", 39), ("B", 8)]) } else { String::new() };
    let bclc = if is_hcc { one_of(rng, &[("A", 45), ("B", 60), ("C", 10)]) } else { String::new() };
    let prior = [("none", 8), ("resection", 20), ("TACE", 11), ("resection and TACE", 11)];
    let prior = if is_hcc { String::new() } else { one_of(rng, &prior) };
    vec![
        ("alt_u_l", alt),
        ("ast_u_l", ast),
        ("ggt_u_l", ggt),
        ("bilirubin_mg_dl", bilirubin),
        ("cirrhosis", cirrhosis.to_owned()),
        ("child_pugh", child),
        ("bclc_stage", bclc),
        ("previous_treatment", prior),
    ]
}

/// AFP of HCC and CEA of CRLM within a fortnight before the first session; a tenth was not taken.
fn markers(rng: &mut ChaCha8Rng, kind: &Type, first: Date) -> Vec<MarkerRow> {
    let (marker, unit, upper_limit) = if kind.prefix == "HCC" { ("AFP", "ng/ml", 10.0) } else { ("CEA", "ng/ml", 5.0) };
    let value = (upper_limit * between(rng, -1.5, 3.5).exp() * 10.0).round() / 10.0;
    let day = later(first, -whole(rng, 1, 14));
    if chance(rng, 0.1) { Vec::new() } else { vec![MarkerRow { date: day, marker, value, unit, upper_limit }] }
}

fn grade(rng: &mut ChaCha8Rng) -> String {
    one_of(rng, &[("CTCAE 0", 80), ("CTCAE 1", 9), ("CTCAE 2", 4), ("CTCAE 3", 1), ("", 6)])
}
