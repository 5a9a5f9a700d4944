//! Dated events of a patient: treatments, complete ablation, residual tumour, progression with its class, death.
//!
//! Source: Puijk et al. 2021 and Ahmed et al. 2014 for the terms; the interval (last negative, first positive] is kept with
//! every imaging event.

use crate::cohort::EventRow;
use crate::lesion::LesionId;
use crate::progression::{FocusFacts, LocalRule, ProgressionClass, classify};
use crate::time::Date;
use crate::treatment::{ClinicalFacts, Cycle};

/// The first study that documents complete ablation of a treated lesion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompleteAblation {
    /// Which lesion.
    pub lesion: LesionId,
    /// Date of the study.
    pub date: Date,
}

/// What events are made of.
#[derive(Debug, Clone, Copy)]
pub struct EventInput<'a> {
    /// What the clinic knows.
    pub clinical: &'a ClinicalFacts,
    /// Treatment cycles in order.
    pub cycles: &'a [Cycle],
    /// Complete ablations, one per lesion at most.
    pub complete_ablations: &'a [CompleteAblation],
    /// Foci of progression and of residual tumour, each at its first sight.
    pub foci: &'a [FocusFacts],
}

/// On which side of the rule a focus counts whose distance is not sure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// That of the distance as measured.
    Measured,
    /// The other one, where the distance's interval crosses the rule.
    Other,
}

/// All events of a patient, by date, then kind, then lesion.
pub fn events(input: &EventInput<'_>, rule: LocalRule) -> Vec<EventRow> {
    events_on(input, rule, Side::Measured)
}

/// The same with unsure foci on a side of the rule: what an endpoint would be by the other class.
pub fn events_on(input: &EventInput<'_>, rule: LocalRule, side: Side) -> Vec<EventRow> {
    let mut rows = treatment_rows(input);
    rows.extend(input.complete_ablations.iter().map(|complete| EventRow {
        lesion_id: complete.lesion.to_string(),
        why: "first study that shows the zone without viable tumour".to_owned(),
        ..row(input, complete.date, "complete_ablation")
    }));
    rows.extend(input.foci.iter().map(|focus| focus_row(input, focus, rule, side)));
    rows.extend(input.clinical.death_date.map(|date| row(input, date, "death")));
    rows.sort_by(|a, b| key(a).cmp(&key(b)));
    rows.dedup();
    rows
}

fn key(row: &EventRow) -> (Date, usize, &str, &str, &str) {
    let kinds = ["treatment", "complete_ablation", "residual", "progression", "death"];
    let kind = kinds.iter().position(|kind| *kind == row.event).unwrap_or(kinds.len());
    (row.date, kind, &row.lesion_id, &row.class, &row.why)
}

fn row(input: &EventInput<'_>, date: Date, event: &str) -> EventRow {
    let begun = input.cycles.iter().filter(|cycle| cycle.start <= date).count();
    EventRow {
        patient_id: input.clinical.patient_id.clone(),
        lesion_id: String::new(),
        date,
        event: event.to_owned(),
        class: String::new(),
        cause: String::new(),
        cycle: u32::try_from(begun).ok().filter(|begun| *begun > 0),
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

fn treatment_rows(input: &EventInput<'_>) -> Vec<EventRow> {
    let mut rows = Vec::new();
    for treatment in &input.clinical.treatments {
        let blank = EventRow { cause: treatment.modality.to_string(), ..row(input, treatment.date, "treatment") };
        if treatment.target_lesions.is_empty() {
            let missing = if treatment.modality.is_locoregional() { "target lesion not recorded" } else { "" };
            rows.push(EventRow { why: missing.to_owned(), ..blank });
            continue;
        }
        let of_lesion = |lesion: &LesionId| EventRow { lesion_id: lesion.to_string(), ..blank.clone() };
        rows.extend(treatment.target_lesions.iter().map(of_lesion));
    }
    rows
}

/// A focus at a zone is booked on the lesion treated there, so that its local control can be followed.
fn focus_row(input: &EventInput<'_>, focus: &FocusFacts, rule: LocalRule, side: Side) -> EventRow {
    let call = classify(focus, rule);
    let class = call.other_class.filter(|_| side == Side::Other).unwrap_or(call.class);
    let is_residual = class == ProgressionClass::Residual;
    let at_zone = matches!(class, ProgressionClass::Residual | ProgressionClass::Local);
    let booked_on = focus.zone.as_ref().filter(|_| at_zone).map_or(&focus.lesion, |zone| &zone.treated);
    let prefix = if booked_on == &focus.lesion { String::new() } else { format!("focus {}: ", focus.lesion) };
    let other =
        call.other_class.map(|other| format!("; {} on the other side of the rule", other.as_str().replace('_', " ")));
    EventRow {
        lesion_id: booked_on.to_string(),
        class: class.to_string(),
        cause: focus.cause.as_str().to_owned(),
        interval_low_date: focus.last_negative_date,
        needs_review: call.needs_review,
        why: format!("{prefix}{}{}", call.why, other.unwrap_or_default()),
        distance_mm: call.distance.map(|distance| hundredth(distance.distance_mm)),
        distance_low_mm: call.distance.and_then(|distance| distance.interval_mm).map(|(low, _)| hundredth(low)),
        distance_high_mm: call.distance.and_then(|distance| distance.interval_mm).map(|(_, high)| hundredth(high)),
        rule_mm: call.distance.map(|distance| hundredth(distance.rule_mm)),
        other_class: call.other_class.map_or_else(String::new, |other| other.to_string()),
        ..row(input, focus.date, if is_residual { "residual" } else { "progression" })
    }
}

/// As tables state lengths, mm.
fn hundredth(mm: f64) -> f64 {
    (mm * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluable::Evaluable;
    use crate::lesion::Organ;
    use crate::modality::Modality;
    use crate::progression::{ProgressionCause, ZoneRelation};
    use crate::treatment::Treatment;
    use jiff::civil::date;

    #[test]
    fn a_focus_at_a_zone_is_booked_on_the_treated_lesion() {
        let clinical = ClinicalFacts {
            patient_id: "P1".to_owned(),
            death_date: Some(date(2025, 1, 1)),
            death_cause: crate::treatment::DeathCause::Unknown,
            last_contact_date: None,
            treatments: vec![Treatment {
                date: date(2024, 1, 10),
                session: String::new(),
                cycle: None,
                modality: Modality::Rfa,
                target_lesions: vec![LesionId::new("L1")],
                complication_grade: String::new(),
            }],
        };
        let cycles = [Cycle { sessions: vec![0], start: date(2024, 1, 10), completion: date(2024, 1, 10) }];
        let complete = [CompleteAblation { lesion: LesionId::new("L1"), date: date(2024, 2, 10) }];
        let focus = FocusFacts {
            lesion: LesionId::new("L3"),
            organ: Organ::Liver,
            date: date(2024, 8, 1),
            last_negative_date: Some(date(2024, 5, 1)),
            cause: ProgressionCause::New,
            zone: Some(ZoneRelation {
                treated: LesionId::new("L1"),
                distance_mm: Evaluable::Value(0.0),
                interval_mm: None,
                error_unknown: false,
                largest_spacing_mm: 2.5,
                complete_ablation: Some(date(2024, 2, 10)),
            }),
            treated_organ: None,
        };
        let input = EventInput { clinical: &clinical, cycles: &cycles, complete_ablations: &complete, foci: &[focus] };
        let rows = events(&input, LocalRule::Contiguous);
        let told: Vec<(&str, &str, &str)> =
            rows.iter().map(|row| (row.event.as_str(), row.lesion_id.as_str(), row.class.as_str())).collect();
        assert_eq!(
            told,
            [
                ("treatment", "L1", ""),
                ("complete_ablation", "L1", ""),
                ("progression", "L1", "local"),
                ("death", "", "")
            ]
        );
        assert_eq!((rows[2].interval_low_date, rows[2].cycle), (Some(date(2024, 5, 1)), Some(1)));
        assert!(rows[2].why.starts_with("focus L3: 0.0 mm from the zone of L1"));
        assert_eq!((rows[2].distance_mm, rows[2].rule_mm), (Some(0.0), Some(2.5)));
        assert_eq!(events_on(&input, LocalRule::Contiguous, Side::Other), rows, "a sure distance has one side");
    }

    #[test]
    fn the_other_side_of_an_unsure_distance_takes_the_other_class_and_the_focus_its_own_name() {
        let clinical = ClinicalFacts {
            patient_id: "P1".to_owned(),
            death_date: None,
            death_cause: crate::treatment::DeathCause::Unknown,
            last_contact_date: None,
            treatments: Vec::new(),
        };
        let focus = FocusFacts {
            lesion: LesionId::new("L3"),
            organ: Organ::Liver,
            date: date(2024, 8, 1),
            last_negative_date: None,
            cause: ProgressionCause::New,
            zone: Some(ZoneRelation {
                treated: LesionId::new("L1"),
                distance_mm: Evaluable::Value(1.0),
                interval_mm: Some((0.0, 4.0)),
                error_unknown: false,
                largest_spacing_mm: 2.5,
                complete_ablation: Some(date(2024, 2, 10)),
            }),
            treated_organ: None,
        };
        let input = EventInput { clinical: &clinical, cycles: &[], complete_ablations: &[], foci: &[focus] };
        let told = |side| {
            let row = &events_on(&input, LocalRule::Contiguous, side)[0];
            (row.lesion_id.clone(), row.class.clone(), row.other_class.clone(), row.distance_high_mm)
        };
        let words = |lesion: &str, class: &str| {
            (lesion.to_owned(), class.to_owned(), "distant_intrahepatic".to_owned(), Some(4.0))
        };
        assert_eq!(told(Side::Measured), words("L1", "local"));
        assert_eq!(told(Side::Other), words("L3", "distant_intrahepatic"));
    }
}
