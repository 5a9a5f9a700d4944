//! All endpoints of a patient: units, origins and timelines put together from clinical facts, imaging and events.
//!
//! Source: Xu et al. 2021 for cycles as units; Puijk et al. 2021 for treated lesions as units.

use std::collections::{BTreeMap, BTreeSet};

use imaging::note::{Note, Noted};

use super::derive::derive;
use super::preset::Preset;
use super::rule::{EndpointRule, Retreatment};
use super::timeline::{Assessment, LaterTherapy, TherapyAim, Timeline};
use super::unit::{Course, Unit, first_systemic};
use crate::cohort::{EndpointRow, EventRow};
use crate::lesion::LesionId;
use crate::progression::ProgressionClass;
use crate::time::{Date, Days};
use crate::treatment::{ClinicalFacts, Treatment, cycles_of};

/// One imaging visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImagingVisit {
    /// Its date.
    pub date: Date,
    /// Whether all targets could be assessed.
    pub adequate: bool,
    /// Treated lesions whose site could not be assessed at this visit.
    pub not_evaluable: BTreeSet<LesionId>,
}

/// What the endpoints of a patient are made of.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointInput {
    /// What the clinic knows.
    pub clinical: ClinicalFacts,
    /// Date of baseline imaging; `None` when there was none.
    pub baseline_date: Option<Date>,
    /// Imaging after baseline, chronological.
    pub imaging: Vec<ImagingVisit>,
    /// When each lesion was first seen.
    pub first_seen: BTreeMap<LesionId, Date>,
    /// The patient's events.
    pub events: Vec<EventRow>,
    /// First visit with a partial or complete response by the leading criterion.
    pub first_response: Option<Date>,
    /// First of the two visits that confirm a response.
    pub first_confirmed_response: Option<Date>,
}

/// Every endpoint of the preset, in its order, unit by unit.
pub fn endpoints(input: &EndpointInput, preset: &Preset) -> Noted<Vec<EndpointRow>> {
    let patient = input.clinical.patient_id.as_str();
    let (sessions, cycles) = cycles_of(&input.clinical, &input.first_seen, preset.cycle_rule);
    let mut notes = Vec::new();
    let first_progression =
        input.events.iter().filter(|event| event.event == "progression").map(|event| event.date).min();
    let mut rows = Vec::new();
    for rule in &preset.endpoints {
        let course = Course { input, sessions: &sessions, cycles: &cycles, preset, first_progression };
        for unit in course.units(rule) {
            let timeline = timeline(input, &unit, rule, preset);
            rows.push(row(patient, &unit, rule, &timeline, preset));
        }
    }
    if sessions.is_empty() {
        notes.push(match (first_systemic(input), input.baseline_date) {
            (Some(_), _) => Note::info("systemic_only", patient, "no locoregional treatment is recorded: time starts with systemic therapy, and there are no rows per cycle or treated lesion"),
            (None, Some(_)) => Note::warning("no_treatment", patient, "no treatment is recorded: time starts at baseline imaging, and there are no rows per cycle or treated lesion"),
            (None, None) => Note::error("no_origin", patient, "neither a treatment nor baseline imaging is recorded: no time origin, so no endpoint; add treatments.csv"),
        });
    }
    if sessions.iter().any(|session| session.target_lesions.is_empty()) {
        notes.push(Note::warning("treated_lesion_unknown", patient, "a locoregional session names no target lesion: it has no row per treated lesion; fill target_lesions in treatments.csv"));
    }
    Noted::new(rows, notes)
}

fn timeline(input: &EndpointInput, unit: &Unit, rule: &EndpointRule, preset: &Preset) -> Timeline {
    let mut therapies: Vec<LaterTherapy> = input
        .clinical
        .treatments
        .iter()
        .filter(|treatment| treatment.date > unit.origin)
        .map(|treatment| LaterTherapy { date: treatment.date, aim: aim_of(treatment, unit) })
        .collect();
    therapies.sort_by_key(|therapy| therapy.date);
    Timeline {
        origin: unit.origin,
        baseline: input.baseline_date,
        death: input.clinical.death_date,
        death_cause: input.clinical.death_cause,
        last_follow_up: input.clinical.last_contact_date,
        cutoff: preset.cutoff,
        assessments: assessments(input, unit, rule),
        therapies,
    }
}

fn aim_of(treatment: &Treatment, unit: &Unit) -> TherapyAim {
    if !treatment.modality.is_locoregional() {
        TherapyAim::Systemic
    } else if treatment.target_lesions.iter().any(|lesion| unit.targets.contains(lesion)) {
        TherapyAim::Target
    } else {
        TherapyAim::OtherSite
    }
}

/// Imaging visits with what they found, and findings on dates without a visit of their own (a scan of a longer visit).
fn assessments(input: &EndpointInput, unit: &Unit, rule: &EndpointRule) -> Vec<Assessment> {
    let mut by_date: BTreeMap<Date, Assessment> = BTreeMap::new();
    for visit in &input.imaging {
        let evaluable = match &unit.only {
            Some(lesions) => lesions.is_disjoint(&visit.not_evaluable),
            None => true,
        };
        let adequate = if unit.only.is_some() { evaluable } else { visit.adequate };
        let entry = by_date.entry(visit.date).or_insert_with(|| blank(visit.date));
        entry.adequate |= adequate;
    }
    for event in input.events.iter().filter(|event| event.event == "progression") {
        let Some(class) = ProgressionClass::from_word(&event.class) else { continue };
        let is_own = |lesions: &BTreeSet<LesionId>| lesions.contains(&LesionId::new(event.lesion_id.clone()));
        if class == ProgressionClass::Local && !unit.only.as_ref().is_none_or(is_own) {
            continue;
        }
        let is_controlled = rule.retreatment == Retreatment::RestoresControl && class == ProgressionClass::Local;
        if is_controlled && control_was_restored(input, event) {
            continue;
        }
        by_date.entry(event.date).or_insert_with(|| blank(event.date)).progression.push(class);
    }
    by_date.into_values().collect()
}

/// Whether a local progression was treated again, imaged afterwards, and not seen at that lesion again.
fn control_was_restored(input: &EndpointInput, event: &EventRow) -> bool {
    let lesion = LesionId::new(event.lesion_id.clone());
    let treats = |treatment: &&Treatment| treatment.date > event.date && treatment.target_lesions.contains(&lesion);
    let Some(again) = input.clinical.treatments.iter().filter(treats).map(|treatment| treatment.date).min() else {
        return false;
    };
    let is_seen = input.imaging.iter().any(|visit| visit.date > again && !visit.not_evaluable.contains(&lesion));
    let at_site = |later: &&EventRow| {
        later.lesion_id == event.lesion_id
            && later.date > again
            && (later.event == "residual" || later.class == ProgressionClass::Local.as_str())
    };
    is_seen && !input.events.iter().any(|later| at_site(&later))
}

fn blank(date: Date) -> Assessment {
    Assessment { date, adequate: false, progression: Vec::new() }
}

fn row(patient: &str, unit: &Unit, rule: &EndpointRule, timeline: &Timeline, preset: &Preset) -> EndpointRow {
    let outcome = derive(timeline, rule, preset.missed_visits);
    EndpointRow {
        patient_id: patient.to_owned(),
        unit_id: unit.id.clone(),
        endpoint: rule.name.clone(),
        origin_date: unit.origin,
        end_date: outcome.end,
        days: outcome.days,
        months: Days(outcome.days).months(preset.days_per_month),
        event: u8::from(outcome.event),
        cause: outcome.cause,
        competing: outcome.competing.to_owned(),
        censor_reason: outcome.censor_reason.to_owned(),
        interval_low_date: outcome.interval_low,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modality::Modality;
    use crate::treatment::DeathCause;
    use jiff::civil::date;

    fn ablation(day: Date, lesions: &[&str]) -> Treatment {
        Treatment {
            date: day,
            session: String::new(),
            cycle: None,
            modality: Modality::Mwa,
            target_lesions: lesions.iter().map(|lesion| LesionId::new(*lesion)).collect(),
            complication_grade: String::new(),
        }
    }

    #[test]
    fn systemic_therapy_alone_is_the_origin_and_not_a_new_therapy() {
        let systemic = |day| Treatment { modality: Modality::Systemic, ..ablation(day, &[]) };
        let input = EndpointInput {
            clinical: ClinicalFacts {
                patient_id: "P1".to_owned(),
                death_date: None,
                death_cause: DeathCause::Unknown,
                last_contact_date: Some(date(2020, 12, 1)),
                treatments: vec![systemic(date(2020, 1, 15))],
            },
            baseline_date: Some(date(2020, 1, 1)),
            imaging: vec![ImagingVisit { date: date(2020, 9, 1), adequate: true, not_evaluable: BTreeSet::new() }],
            first_seen: BTreeMap::new(),
            events: vec![progression("L1", date(2020, 9, 1), "distant_intrahepatic")],
            first_response: None,
            first_confirmed_response: None,
        };
        let rows = endpoints(&input, &Preset::built_in("default").unwrap()).value;
        let pfs = rows.iter().find(|row| row.endpoint == "PFS").unwrap();
        assert_eq!((pfs.origin_date, pfs.end_date, pfs.event), (date(2020, 1, 15), date(2020, 9, 1), 1));
    }

    fn progression(lesion: &str, day: Date, class: &str) -> EventRow {
        EventRow {
            patient_id: "P1".to_owned(),
            lesion_id: lesion.to_owned(),
            date: day,
            event: "progression".to_owned(),
            class: class.to_owned(),
            cause: "new".to_owned(),
            cycle: Some(1),
            interval_low_date: None,
            needs_review: false,
            why: String::new(),
            distance_mm: None,
            distance_low_mm: None,
            distance_high_mm: None,
            rule_mm: None,
            other_class: String::new(),
        }
    }

    fn input() -> EndpointInput {
        let seen = |day: Date| ImagingVisit { date: day, adequate: true, not_evaluable: BTreeSet::new() };
        EndpointInput {
            clinical: ClinicalFacts {
                patient_id: "P1".to_owned(),
                death_date: Some(date(2025, 1, 10)),
                death_cause: DeathCause::Other,
                last_contact_date: Some(date(2025, 1, 10)),
                treatments: vec![ablation(date(2024, 1, 10), &["L1", "L2"]), ablation(date(2024, 9, 10), &["L1"])],
            },
            baseline_date: Some(date(2024, 1, 2)),
            imaging: vec![seen(date(2024, 4, 10)), seen(date(2024, 8, 10)), seen(date(2024, 12, 10))],
            first_seen: [("L1", date(2024, 1, 2)), ("L2", date(2024, 1, 2))]
                .into_iter()
                .map(|(lesion, day)| (LesionId::new(lesion), day))
                .collect(),
            events: vec![
                progression("L1", date(2024, 8, 10), "local"),
                progression("L5", date(2024, 12, 10), "distant_intrahepatic"),
            ],
            first_response: Some(date(2024, 4, 10)),
            first_confirmed_response: Some(date(2024, 4, 10)),
        }
    }

    fn find<'a>(rows: &'a [EndpointRow], endpoint: &str, unit: &str) -> &'a EndpointRow {
        rows.iter().find(|row| row.endpoint == endpoint && row.unit_id == unit).unwrap()
    }

    #[test]
    fn each_endpoint_of_one_patient_by_hand() {
        let rows = endpoints(&input(), &Preset::built_in("default").unwrap()).value;
        let os = find(&rows, "OS", "P1");
        // 2024-01-10 to 2025-01-10 holds the leap day.
        assert_eq!((os.days, os.event, os.cause.as_str()), (366, 1, "death"));
        let pfs = find(&rows, "PFS", "P1");
        assert_eq!((pfs.end_date, pfs.event, pfs.cause.as_str()), (date(2024, 8, 10), 1, "local"));
        assert_eq!(pfs.interval_low_date, Some(date(2024, 4, 10)));
        let distant = find(&rows, "PFS_distant", "P1");
        assert_eq!((distant.end_date, distant.event), (date(2024, 12, 10), 1));
        let treated = find(&rows, "LTPFS", "L1");
        assert_eq!((treated.origin_date, treated.days, treated.event), (date(2024, 1, 10), 213, 1));
        let quiet = find(&rows, "LTPFS", "L2");
        assert_eq!((quiet.end_date, quiet.event, quiet.competing.as_str()), (date(2025, 1, 10), 0, "death"));
    }

    #[test]
    fn retreatment_of_a_progression_does_not_hide_it() {
        let rows = endpoints(&input(), &Preset::built_in("xu2021").unwrap()).value;
        // The session of 2024-09-10 treats a baseline lesion, so it stays in cycle 1, but it follows the local progression.
        assert_eq!(find(&rows, "PFS", "P1").origin_date, date(2024, 1, 10));
        assert_eq!(find(&rows, "TTP", "C1").event, 0, "everything lies after the preset's cut-off");
    }

    #[test]
    fn without_treatment_time_starts_at_baseline_and_it_is_said() {
        let mut untreated = input();
        untreated.clinical.treatments.clear();
        let noted = endpoints(&untreated, &Preset::built_in("default").unwrap());
        assert_eq!(find(&noted.value, "OS", "P1").origin_date, date(2024, 1, 2));
        assert!(noted.value.iter().all(|row| row.endpoint != "LTPFS"));
        assert_eq!(noted.notes[0].code, "no_treatment");
    }

    #[test]
    fn a_site_that_was_not_seen_is_censored_earlier() {
        let mut unseen = input();
        unseen.clinical.death_date = None;
        unseen.imaging[2].not_evaluable.insert(LesionId::new("L2"));
        let rows = endpoints(&unseen, &Preset::built_in("default").unwrap()).value;
        let quiet = find(&rows, "LTPFS", "L2");
        assert_eq!((quiet.end_date, quiet.censor_reason.as_str()), (date(2024, 8, 10), "last_adequate_imaging"));
    }

    #[test]
    fn what_the_fda_asks_beside_its_primary_definition() {
        let mut one = input();
        one.first_confirmed_response = None;
        // Progression in August follows 122 days after April: one visit of eight weeks is missed; make it three.
        one.imaging.remove(0);
        let rows = endpoints(&one, &Preset::built_in("fda2018").unwrap()).value;
        let primary = find(&rows, "PFS", "P1");
        assert_eq!((primary.event, primary.censor_reason.as_str()), (0, "missed_visits"));
        let counted = find(&rows, "PFS_missed_count", "P1");
        assert_eq!((counted.event, counted.end_date), (1, date(2024, 8, 10)));
        assert!(rows.iter().all(|row| row.endpoint != "DoR_confirmed"), "no response was confirmed");
        // Treated again in September, before anything else happened.
        one.events.remove(0);
        let rows = endpoints(&one, &Preset::built_in("fda2018").unwrap()).value;
        let therapy = find(&rows, "PFS_therapy_event", "P1");
        assert_eq!((therapy.event, therapy.cause.as_str(), therapy.end_date), (1, "new_therapy", date(2024, 9, 10)));
        assert_eq!(find(&rows, "PFS", "P1").censor_reason, "new_therapy");
        let confirmed = EndpointInput { first_confirmed_response: Some(date(2024, 4, 10)), ..one };
        let rows = endpoints(&confirmed, &Preset::built_in("fda2018").unwrap()).value;
        assert_eq!(find(&rows, "DoR_confirmed", "P1").origin_date, date(2024, 4, 10));
    }

    /// Every eight weeks from 10 January: day 197 lies between the visits of day 168 and day 224.
    #[test]
    fn a_progression_between_scheduled_visits_counts_on_the_next_one() {
        let scheduled = |seen: Date, death: Option<Date>| {
            let mut one = input();
            (one.imaging[1].date, one.events[0].date, one.clinical.death_date) = (seen, seen, death);
            let rows = endpoints(&one, &Preset::built_in("fda2018").unwrap()).value;
            assert_eq!(find(&rows, "PFS", "P1").end_date, seen);
            let row = find(&rows, "PFS_scheduled", "P1");
            (row.end_date, row.days, row.event, row.cause.clone())
        };
        let local = |end, days| (end, days, 1, "local".to_owned());
        assert_eq!(scheduled(date(2024, 7, 25), None), local(date(2024, 8, 21), 224));
        assert_eq!(scheduled(date(2024, 7, 2), None), local(date(2024, 6, 26), 168), "six days late");
        assert_eq!(scheduled(date(2024, 7, 25), Some(date(2024, 8, 1))), local(date(2024, 8, 1), 204));
    }

    /// The visit of day 56 was done on day 58 and free of progression, which an unscheduled scan of day 62 shows.
    #[test]
    fn a_progression_counts_on_no_day_at_which_there_was_none() {
        let mut one = input();
        (one.imaging[0].date, one.imaging[1].date) = (date(2024, 3, 8), date(2024, 3, 12));
        one.events[0].date = date(2024, 3, 12);
        let rows = endpoints(&one, &Preset::built_in("fda2018").unwrap()).value;
        let row = find(&rows, "PFS_scheduled", "P1");
        assert_eq!((row.end_date, row.days, row.interval_low_date), (date(2024, 5, 1), 112, Some(date(2024, 3, 8))));
    }

    #[test]
    fn death_of_disease_response_and_control_by_hand() {
        let mut one = input();
        let by = |one: &EndpointInput| endpoints(one, &Preset::built_in("sio_datecan2021").unwrap()).value;
        let rows = by(&one);
        let dss = find(&rows, "DSS", "P1");
        assert_eq!((dss.event, dss.competing.as_str(), dss.end_date), (0, "death_of_other_cause", date(2025, 1, 10)));
        // Response in April, local progression in August.
        let dor = find(&rows, "DoR", "P1");
        assert_eq!((dor.origin_date, dor.end_date, dor.event), (date(2024, 4, 10), date(2024, 8, 10), 1));
        // Treated again in September, quiet in December: control was kept until the death.
        assert_eq!(find(&rows, "LC", "L1").event, 0);
        assert_eq!(find(&rows, "LTPFS", "L1").event, 1);
        assert!(rows.iter().all(|row| row.endpoint != "DFS"), "complete ablation was never documented");
        one.clinical.death_cause = DeathCause::Disease;
        assert_eq!(find(&by(&one), "DSS", "P1").cause, "death_of_disease");
        one.clinical.death_cause = DeathCause::Unknown;
        assert_eq!(find(&by(&one), "DSS", "P1").censor_reason, "death_cause_unknown");
        one.imaging.pop();
        assert_eq!(find(&by(&one), "LC", "L1").event, 1, "nobody looked after the repeat treatment");
    }

    #[test]
    fn disease_free_survival_is_for_those_whose_disease_was_all_ablated() {
        let mut one = input();
        for lesion in ["L1", "L2"] {
            let complete = EventRow {
                event: "complete_ablation".to_owned(),
                class: String::new(),
                ..progression(lesion, date(2024, 4, 10), "local")
            };
            one.events.push(complete);
        }
        let by = |one: &EndpointInput| endpoints(one, &Preset::built_in("sio_datecan2021").unwrap()).value;
        assert_eq!(find(&by(&one), "DFS", "P1").end_date, date(2024, 8, 10));
        one.first_seen.insert(LesionId::new("L3"), date(2024, 1, 2));
        assert!(by(&one).iter().all(|row| row.endpoint != "DFS"), "L3 was never treated");
    }
}
