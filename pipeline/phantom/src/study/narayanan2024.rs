//! Patients like those of Narayanan et al. 2024: lymph node metastases, irreversible electroporation with a margin above 5 mm.
//!
//! Hazards: the printed medians of local (24.1 months) and distant progression (4.3 months).

use jiff::civil::{Date, date};
use rand_chacha::ChaCha8Rng;

use super::draw::{normal, one_of, person, time_days};
use super::{Course, first_visit_from, later};
use crate::plan::Extra;
use crate::random::{self, between, chance, whole};
use crate::scenario::{Coverage, Diagnosis, FocusStory, LesionStory, Story, TreatmentStory};
use crate::truth::{EventCause, EventClass, EventTruth, Kind, Organ};

/// Nodes of each patient in turn: 24 of 19.
const NODES: [usize; 19] = [1, 2, 1, 1, 3, 1, 1, 2, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1];
/// Follow-ups, days after the procedure: 1, 3, 6 and 12 months, then every year.
const SCHEDULE: [i64; 7] = [32, 91, 183, 365, 730, 1095, 1460];
/// Middles of the nodes, reference anatomy, LPS mm: left para-aortic, right, mesenteric. No two zones touch.
const PLACES: [[f64; 3]; 3] = [[36.0, 18.0, -52.0], [-38.0, 28.0, -66.0], [2.0, -48.0, -60.0]];
const FOCUS_MM: f64 = 14.0;

/// Patient `n` of the study.
pub(super) fn course(n: usize, seed: u64) -> Course {
    let seed = random::key(seed, &format!("narayanan2024 {n}"));
    let rng = &mut random::stream(seed, "course");
    let age = normal(rng, 64.4, 13.0, [33.0, 87.0]).round() as i64;
    let who = person(rng, 9.0 / 19.0, age);
    let treated = later(date(2018, 6, 4), whole(rng, 0, 1500));
    let after = |days: i64| later(treated, days);
    let local = after(time_days(rng, 24.1, 0.0).max(60));
    let distant = after(time_days(rng, 4.3, 0.0));
    let death = after(time_days(rng, 60.0, 0.0).max(120));
    let lost = after(whole(rng, 125, 1800));
    let mut visits = vec![later(treated, -whole(rng, 3, 25))];
    let planned = SCHEDULE.map(|day| after(day + whole(rng, -3, 6)));
    visits.extend(planned.into_iter().filter(|visit| *visit < death && *visit <= lost));
    // A local progression needs a control before it that shows the zone without viable tumour.
    let local = first_visit_from(&visits, local).filter(|at| *at > 1);
    let distant = first_visit_from(&visits, distant);
    let died = death < lost;
    let (story, mut events) = tell(rng, NODES[n % NODES.len()], visits.len(), local, distant, &visits);
    events.extend(died.then_some(EventTruth {
        date: death,
        class: EventClass::Death,
        cause: EventCause::Death,
        lesion_id: None,
    }));
    let primary =
        [("CRC", 7), ("bile duct", 3), ("urothelial", 3), ("prostate", 3), ("small intestine", 2), ("gastric", 1)];
    let covariates = vec![
        ("primary_site", one_of(rng, &primary)),
        ("previous_surgery", if chance(rng, 0.947) { "yes" } else { "no" }.to_owned()),
        ("previous_chemotherapy", if chance(rng, 0.789) { "yes" } else { "no" }.to_owned()),
    ];
    let grade = one_of(rng, &[("CD 0", 15), ("CD I", 3), ("CD II", 1)]);
    Course {
        patient_id: format!("IRE-{:02}", n + 1),
        seed,
        person: who,
        story,
        visits,
        treatments: vec![treated],
        death: died.then_some(death),
        last_contact: if died { death } else { lost },
        extra: Extra {
            diagnosis: Some("lymph node metastasis"),
            covariates,
            events: Some(events),
            markers: Vec::new(),
            grades: vec![grade],
            with_marks: false,
            coarse: true,
        },
    }
}

fn tell(
    rng: &mut ChaCha8Rng,
    n_nodes: usize,
    n_visits: usize,
    local: Option<usize>,
    distant: Option<usize>,
    visits: &[Date],
) -> (Story, Vec<EventTruth>) {
    let node = |place: [f64; 3], diameter_mm: f64| LesionStory {
        organ: Organ::LymphNode,
        kind: Kind::Node,
        diameter_mm,
        scale: vec![1.0; n_visits],
        centre: Some(place),
    };
    let mut lesions: Vec<LesionStory> =
        PLACES.iter().take(n_nodes).map(|place| node(*place, between(rng, 18.0, 25.0))).collect();
    let event = |at: usize, class, lesion: usize| EventTruth {
        date: visits[at],
        class,
        cause: EventCause::New,
        lesion_id: Some(crate::follow_up::lesion_id(lesion)),
    };
    let mut events: Vec<EventTruth> = local.map(|at| event(at, EventClass::Local, 0)).into_iter().collect();
    if let Some(at) = distant {
        let organ = if chance(rng, 0.6) { Organ::Liver } else { Organ::Lung };
        let class = if organ == Organ::Liver { EventClass::DistantIntrahepatic } else { EventClass::Extrahepatic };
        events.push(event(at, class, lesions.len()));
        let scale = (0..n_visits).map(|n| if n < at { 0.0 } else { 1.0 }).collect();
        lesions.push(LesionStory { organ, kind: Kind::Lesion, diameter_mm: 17.0, scale, centre: None });
    }
    events.sort_by_key(|event| event.date);
    let focus = local.map(|visit| FocusStory { lesion: 0, visit, diameter_mm: FOCUS_MM });
    let targets = (0..n_nodes).map(|lesion| (lesion, Coverage::Adequate)).collect();
    let treatments = vec![TreatmentStory { after_visit: 0, modality: "IRE", targets }];
    (Story::of_study(Diagnosis::ColorectalLiverMetastases, n_visits, lesions, treatments, focus), events)
}
