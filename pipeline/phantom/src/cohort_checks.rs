//! Every scenario under twenty seeds: does the drawn patient tell the story it should, away from every threshold?

use rayon::prelude::*;

use crate::plan::{CohortSpec, PatientPlan, cohort};
use crate::scenario::Scenario;
use crate::star::directions;
use crate::tissue::Tissue;
use crate::truth::{
    Assessment, EventClass, Expected, Organ, PatientTruth, Response, Role, SizeTruth, State, VisitTruth,
};

const SEEDS: u64 = 20;

fn for_every_patient(check: impl Fn(&PatientPlan, &PatientTruth) -> Result<(), String> + Sync) {
    let all: Vec<(Scenario, u64)> = Scenario::ALL.into_iter().flat_map(|s| (0..SEEDS).map(move |n| (s, n))).collect();
    let wrong: Vec<String> = all
        .par_iter()
        .filter_map(|(scenario, seed)| {
            let plan = cohort(&CohortSpec { n_patients: 1, seed: *seed, scenario: Some(*scenario) }).remove(0);
            check(&plan, &plan.truth()).err().map(|why| format!("{scenario} seed {seed}: {why}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn ensure(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

fn sizes(truth: &PatientTruth, role: Role) -> impl Iterator<Item = (&VisitTruth, Organ, &SizeTruth)> {
    truth.visits.iter().flat_map(move |v| {
        v.lesions.iter().filter(move |l| l.role == role).filter_map(move |l| l.size.as_ref().map(|s| (v, l.organ, s)))
    })
}

#[test]
fn every_scenario_tells_its_story_away_from_every_threshold() {
    for_every_patient(|plan, truth| {
        lesions_are_where_they_belong(plan)?;
        sizes_are_measurable(truth)?;
        margins_are_as_planned(truth)?;
        dates_make_sense(truth)?;
        for visit in &truth.visits {
            for assessment in [&visit.recist_1_1, &visit.mrecist] {
                if let Assessment::Expected(expected) = assessment {
                    clear_of_thresholds(expected).map_err(|why| format!("visit {}: {why}", visit.number))?;
                }
            }
        }
        ensure(responses(truth) == planned_responses(truth.scenario), || format!("{:?}", responses(truth)))?;
        let classes: Vec<EventClass> = truth.events.iter().map(|e| e.class).collect();
        ensure(classes == planned_events(truth.scenario), || format!("events {classes:?}"))
    });
}

fn responses(truth: &PatientTruth) -> Vec<Response> {
    let of = |v: &VisitTruth| match &v.recist_1_1 {
        Assessment::Expected(e) => e.overall,
        Assessment::NotEvaluable { .. } => None,
    };
    truth.visits.iter().filter_map(of).collect()
}

fn planned_responses(scenario: Scenario) -> Vec<Response> {
    use Response::{Complete as C, Partial as P, Progressive as D, Stable as S};
    match scenario {
        Scenario::CompleteAblation | Scenario::Study => vec![C, C, C, C],
        Scenario::Death | Scenario::LostToFollowUp => vec![C, C, C],
        Scenario::LocalProgression => vec![C, C, D, C, C],
        Scenario::DistantIntrahepatic | Scenario::ExtrahepaticLung | Scenario::ExtrahepaticNode => vec![C, C, D, D],
        Scenario::Response => vec![P, P, C, C],
        Scenario::StableThenProgression => vec![S, S, S, D],
        Scenario::RepeatTreatment => vec![P, C, C, C],
        Scenario::LargeDeformation => vec![P, P, P],
        Scenario::PlanningAndControl => vec![P, P],
        Scenario::MetabolicResponse => vec![S, S, S],
    }
}

fn planned_events(scenario: Scenario) -> Vec<EventClass> {
    match scenario {
        Scenario::LocalProgression => vec![EventClass::Local],
        Scenario::DistantIntrahepatic | Scenario::StableThenProgression => vec![EventClass::DistantIntrahepatic],
        Scenario::ExtrahepaticLung => vec![EventClass::Extrahepatic, EventClass::Death],
        Scenario::ExtrahepaticNode => vec![EventClass::Extrahepatic],
        Scenario::Death => vec![EventClass::Death],
        _ => Vec::new(),
    }
}

/// At least 4 percentage points and 1.5 mm between a sum and each limit that could change its class.
fn clear_of_thresholds(e: &Expected) -> Result<(), String> {
    let (Some(nadir), true) = (e.nadir_mm, e.sum_mm > 0.0) else { return Ok(()) };
    let (sum, base) = (e.sum_mm, e.baseline_mm);
    let partial = (sum / base - 0.7).abs() >= 0.04 && (sum - 0.7 * base).abs() >= 1.5;
    ensure(partial, || format!("sum {sum} of baseline {base} is near −30 %"))?;
    if nadir == 0.0 {
        return ensure(sum >= 6.5, || format!("sum {sum} after nothing"));
    }
    let grown = sum / nadir >= 1.24 && sum - 1.2 * nadir >= 1.5 && sum - nadir >= 6.5;
    let not_grown = sum / nadir <= 1.16 && 1.2 * nadir - sum >= 1.5;
    ensure(grown || not_grown, || format!("sum {sum} over nadir {nadir} is near +20 % or 5 mm"))
}

fn lesions_are_where_they_belong(plan: &PatientPlan) -> Result<(), String> {
    let in_liver = |p| plan.anatomy.in_liver(p);
    let zones = (0..plan.visits.len()).flat_map(|n| plan.zones_at(n)).map(|z| z.shape);
    for zone in zones {
        ensure(directions(80).all(|d| in_liver(zone.surface(d))), || "a zone leaves the liver".to_owned())?;
    }
    for n in 0..plan.visits.len() {
        for f in plan.findings(n) {
            let organ = plan.lesions[f.lesion].story.organ;
            let belongs = |p| match organ {
                Organ::Liver => in_liver(p),
                Organ::Lung => matches!(plan.anatomy.tissue(p), Tissue::Lung | Tissue::LungVessel),
                Organ::LymphNode => !matches!(plan.anatomy.tissue(p), Tissue::Aorta | Tissue::Cortex | Tissue::Bone),
            };
            let inside = directions(80).filter(|d| belongs(f.outer.surface(*d))).count();
            let at_birth = n == 0 || plan.lesions[f.lesion].story.scale[n - 1] == 0.0;
            let enough = if organ == Organ::LymphNode { 70 } else { 80 };
            ensure(!at_birth || inside >= enough, || {
                format!("{organ:?} lesion at visit {n}: {inside} of 80 directions inside")
            })?;
            let pose = &plan.visits[n].pose;
            let seen = |d| {
                plan.visits[n].grid.nearest(imaging::Point::from_coords(pose.to_visit(f.outer.surface(d)))).is_some()
            };
            ensure(directions(80).all(seen), || format!("lesion {} leaves the field of view", f.lesion))?;
            let distant = plan.scenario == Scenario::DistantIntrahepatic && plan.role(f.lesion) == Role::New;
            let gap = |p| plan.zones.iter().map(|z| z.shape.level(p)).fold(f64::INFINITY, f64::min);
            let gaps = directions(80).map(|d| gap(f.outer.surface(d))).fold(f64::INFINITY, f64::min);
            ensure(!distant || !at_birth || gaps >= 40.0, || format!("distant lesion only {gaps} mm from a zone"))?;
            let focus = plan.state(f.lesion, n) != State::Present;
            let touches =
                plan.zones_at(n).iter().any(|z| directions(200).any(|d| z.shape.contains(f.outer.surface(d))));
            ensure(!focus || touches, || "the focus is not at the zone".to_owned())?;
        }
    }
    Ok(())
}

fn sizes_are_measurable(truth: &PatientTruth) -> Result<(), String> {
    let baseline = &truth.visits[0].lesions;
    for lesion in baseline.iter().filter(|l| l.role != Role::New) {
        let long = lesion.size.as_ref().map_or(0.0, |s| s.long_axis_mm);
        ensure(long >= 14.0, || format!("{} is {long} mm at baseline", lesion.lesion_id))?;
    }
    let long = |role: Role| {
        baseline.iter().filter(move |l| l.role == role).filter_map(|l| l.size.as_ref()).map(|s| s.long_axis_mm)
    };
    let (smallest, largest) =
        (long(Role::Target).fold(f64::INFINITY, f64::min), long(Role::NonTarget).fold(0.0, f64::max));
    ensure(smallest >= largest + 1.5, || format!("target of {smallest} mm beside a non-target of {largest} mm"))?;
    for (visit, organ, size) in sizes(truth, Role::New) {
        let limit = if organ == Organ::LymphNode { 17.0 } else { 13.5 };
        let measured = if organ == Organ::LymphNode { size.short_axis_mm } else { size.long_axis_mm };
        ensure(measured >= limit, || format!("new lesion of {measured} mm at visit {}", visit.number))?;
    }
    for visit in &truth.visits {
        let limit_mm = if truth.scenario == Scenario::LargeDeformation { 16.0 } else { 3.0 };
        let beyond = visit.deformation_beyond_rigid_mm;
        ensure(beyond <= limit_mm, || format!("deformation of {beyond} mm at visit {}", visit.number))?;
        let tame = truth.scenario == Scenario::LargeDeformation && visit.number > 0 && beyond < 5.5;
        ensure(!tame, || format!("deformation of only {beyond} mm"))?;
        ensure(visit.landmarks.len() >= 20, || format!("{} landmarks", visit.landmarks.len()))?;
    }
    Ok(())
}

fn margins_are_as_planned(truth: &PatientTruth) -> Result<(), String> {
    for (n, treatment) in truth.treatments.iter().enumerate() {
        for margin in &treatment.margins {
            let range = match truth.scenario {
                Scenario::LocalProgression if n == 0 => 1.0..2.0,
                Scenario::RepeatTreatment if n == 0 => -4.5..-0.5,
                _ => 7.0..9.0,
            };
            ensure(range.contains(&margin.min_margin_mm), || format!("margin {}", margin.min_margin_mm))?;
        }
    }
    Ok(())
}

fn dates_make_sense(truth: &PatientTruth) -> Result<(), String> {
    let with_control = truth.scenario == Scenario::PlanningAndControl;
    let days: Vec<i32> = truth.visits.iter().skip(usize::from(with_control)).map(|v| v.study_day).collect();
    ensure((4..=6).contains(&truth.visits.len()), || format!("{} visits", days.len()))?;
    ensure(days.windows(2).all(|w| (42..=90).contains(&(w[1] - w[0]))), || format!("study days {days:?}"))?;
    let first = truth.treatments[0].date;
    let wait = truth.visits[0].date.until(first).map_or(-1, |s| s.get_days());
    ensure(if with_control { wait == 0 } else { (1..=28).contains(&wait) }, || {
        format!("first treatment {wait} days after baseline")
    })?;
    for event in &truth.events {
        let visited = truth.visits.iter().any(|v| v.date == event.date);
        ensure(visited || Some(event.date) == truth.death_date, || format!("event on {}", event.date))?;
    }
    let last_visit = truth.visits.last().map(|v| v.date);
    ensure(last_visit <= Some(truth.last_contact_date), || "last contact before the last visit".to_owned())
}
