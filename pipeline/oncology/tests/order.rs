//! The order in which rows are handed in never decides: treatments, events and marker readings come from tables anybody may sort.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, date};
use lesiontrace_oncology::endpoint::{EndpointInput, ImagingVisit, Preset, endpoints};
use lesiontrace_oncology::modality::Modality;
use lesiontrace_oncology::treatment::{ClinicalFacts, DeathCause, Treatment};
use lesiontrace_oncology::{EventRow, LesionId};
use proptest::prelude::*;

fn treatment(day: Date, modality: Modality, lesion: &str) -> Treatment {
    Treatment {
        date: day,
        session: String::new(),
        cycle: None,
        modality,
        target_lesions: if lesion.is_empty() { Vec::new() } else { vec![LesionId::new(lesion)] },
        complication_grade: String::new(),
    }
}

fn event(day: Date, event: &str, class: &str, lesion: &str) -> EventRow {
    EventRow {
        patient_id: "P".to_owned(),
        lesion_id: lesion.to_owned(),
        date: day,
        event: event.to_owned(),
        class: class.to_owned(),
        cause: String::new(),
        cycle: None,
        interval_low_date: Some(date(2024, 1, 1)),
        needs_review: false,
        why: String::new(),
        distance_mm: None,
        distance_low_mm: None,
        distance_high_mm: None,
        rule_mm: None,
        other_class: String::new(),
    }
}

fn treatments() -> Vec<Treatment> {
    vec![
        treatment(date(2024, 1, 10), Modality::HdrBrachytherapy, "L1"),
        treatment(date(2024, 2, 10), Modality::HdrBrachytherapy, "L2"),
        treatment(date(2024, 8, 20), Modality::Mwa, "L3"),
        treatment(date(2024, 11, 1), Modality::Systemic, ""),
    ]
}

fn events() -> Vec<EventRow> {
    vec![
        event(date(2024, 6, 1), "progression", "local", "L1"),
        event(date(2024, 6, 1), "progression", "distant_intrahepatic", "L3"),
        event(date(2024, 10, 1), "complete_ablation", "", "L3"),
        event(date(2024, 12, 1), "progression", "extrahepatic", "L4"),
        event(date(2025, 2, 1), "death", "", ""),
    ]
}

fn input(treatments: Vec<Treatment>, events: Vec<EventRow>) -> EndpointInput {
    let visits = [date(2024, 3, 1), date(2024, 6, 1), date(2024, 10, 1), date(2024, 12, 1)];
    let seen =
        [("L1", date(2024, 1, 1)), ("L2", date(2024, 1, 1)), ("L3", date(2024, 6, 1)), ("L4", date(2024, 12, 1))];
    EndpointInput {
        clinical: ClinicalFacts {
            patient_id: "P".to_owned(),
            death_date: Some(date(2025, 2, 1)),
            death_cause: DeathCause::Unknown,
            last_contact_date: Some(date(2025, 2, 1)),
            treatments,
        },
        baseline_date: Some(date(2024, 1, 1)),
        imaging: visits.map(|day| ImagingVisit { date: day, adequate: true, not_evaluable: BTreeSet::new() }).to_vec(),
        first_seen: seen.map(|(id, day)| (LesionId::new(id), day)).into_iter().collect::<BTreeMap<_, _>>(),
        events,
        first_response: Some(date(2024, 3, 1)),
        first_confirmed_response: None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn treatments_and_events_may_come_in_any_order(
        treatments_shuffled in Just(treatments()).prop_shuffle(), events_shuffled in Just(events()).prop_shuffle()
    ) {
        for preset in ["default", "xu2021", "narayanan2024", "fda2018", "ema", "sio_datecan2021"] {
            let preset = Preset::built_in(preset).expect("built in");
            let sorted = endpoints(&input(treatments(), events()), &preset).value;
            let shuffled = endpoints(&input(treatments_shuffled.clone(), events_shuffled.clone()), &preset).value;
            prop_assert!(!sorted.is_empty());
            prop_assert_eq!(sorted, shuffled, "{}", preset.id);
        }
    }
}
