//! Treatments as tables of a cohort: sessions and cycles, technique efficacy, complications by grade.
//!
//! Source: Ahmed et al. 2014 and Puijk et al. 2021 for efficacy per tumour and complications per procedure; Clavien and Dindo
//! 2004, CTCAE 5.0 and the SIR classification (Khalilzadeh 2017) for grades.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cohort::EventRow;
use crate::efficacy::{Share, TreatedTumour, primary_efficacy, secondary_efficacy};
use crate::lesion::LesionId;
use crate::modality::Modality;
use crate::time::{Date, Days};
use crate::treatment::{ClinicalFacts, Cycle};

/// Sessions and complications of one modality over a cohort.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct ModalityRow {
    /// Patients treated by it.
    pub n_patients: usize,
    /// Sessions.
    pub n_sessions: usize,
    /// Lesions treated, counted once per session; sessions that name none count none.
    pub n_treated_lesions: usize,
    /// Sessions by recorded grade of complication; sessions without a record are under `not recorded`.
    pub complications: BTreeMap<String, usize>,
    /// Sessions with a complication that is major in the scale it is recorded in.
    pub n_major: usize,
}

/// One row per locoregional modality.
pub fn modality_table(patients: &[ClinicalFacts]) -> BTreeMap<Modality, ModalityRow> {
    let mut table: BTreeMap<Modality, ModalityRow> = BTreeMap::new();
    for patient in patients {
        let mut counted: Vec<Modality> = Vec::new();
        for treatment in patient.treatments.iter().filter(|treatment| treatment.modality.is_locoregional()) {
            let row = table.entry(treatment.modality).or_default();
            row.n_patients += usize::from(!counted.contains(&treatment.modality));
            counted.push(treatment.modality);
            row.n_sessions += 1;
            row.n_treated_lesions += treatment.target_lesions.len();
            let grade = treatment.complication_grade.trim();
            let label = if grade.is_empty() { "not recorded" } else { grade };
            *row.complications.entry(label.to_owned()).or_default() += 1;
            row.n_major += usize::from(is_major(grade) == Some(true));
        }
    }
    table
}

/// Whether a recorded grade is major: Clavien–Dindo IIIa and above (`CD IIIa`), CTCAE 3 and above (`CTCAE 3`), SIR C and above or
/// moderate and above (`SIR C`); a bare number is read as CTCAE. `None` for a word of no scale.
pub fn is_major(grade: &str) -> Option<bool> {
    let text = grade.trim().to_uppercase();
    let (scale, value) = text.split_once([' ', ':']).unwrap_or(("CTCAE", text.as_str()));
    let value = value.trim();
    match scale {
        "CTCAE" => value.parse::<u32>().ok().filter(|value| *value <= 5).map(|value| value >= 3),
        "CD" | "CLAVIEN" | "CLAVIEN-DINDO" => match value {
            "0" | "I" | "II" => Some(false),
            "III" | "IIIA" | "IIIB" | "IV" | "IVA" | "IVB" | "V" => Some(true),
            _ => None,
        },
        "SIR" => match value {
            "A" | "B" | "MILD" => Some(false),
            "C" | "D" | "E" | "F" | "MODERATE" | "SEVERE" | "LIFE-THREATENING" | "DEATH" => Some(true),
            _ => None,
        },
        _ => None,
    }
}

/// Scale and grade of a recorded complication, as [`is_major`] reads them; a word of no scale is of an unknown one.
pub fn grade_of(recorded: &str) -> (&'static str, String) {
    let text = recorded.trim();
    if is_major(text).is_none() {
        return ("unknown scale", text.to_owned());
    }
    let (scale, grade) = text.split_once([' ', ':']).unwrap_or(("CTCAE", text));
    let scale = match scale.to_uppercase().as_str() {
        "CTCAE" => "CTCAE",
        "SIR" => "SIR",
        _ => "Clavien–Dindo",
    };
    (scale, grade.trim().to_owned())
}

/// Technique efficacy over the treated tumours of a cohort, judged at a visit named beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EfficacyTable {
    /// Complete after the initial course.
    pub primary: Share,
    /// Complete after that or after repeat treatment.
    pub secondary: Share,
    /// Tumours without a control in the window: they are in neither share.
    pub n_not_evaluable: usize,
}

/// When completeness is judged, days after the end of the course.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EfficacyWindow {
    /// Earliest control.
    pub from_day: i64,
    /// Latest control.
    pub to_day: i64,
}

/// One patient, as the efficacy needs it.
#[derive(Debug, Clone, Copy)]
pub struct EfficacyInput<'a> {
    /// Treatments, sorted by date, as the cycles index them.
    pub sessions: &'a [crate::treatment::Treatment],
    /// Cycles.
    pub cycles: &'a [Cycle],
    /// The patient's events.
    pub events: &'a [EventRow],
    /// Dates of imaging after baseline.
    pub imaging: &'a [Date],
}

/// Efficacy of every tumour treated in a first cycle. A tumour is complete at the window's last control without residual tumour or
/// local progression up to it; assisted where repeat treatment in the same cycle, after residual tumour, left none.
pub fn efficacy_table(patients: &[EfficacyInput<'_>], window: EfficacyWindow) -> EfficacyTable {
    let mut tumours = Vec::new();
    let mut n_not_evaluable = 0;
    for patient in patients {
        let Some(cycle) = patient.cycles.first() else { continue };
        let mut lesions: Vec<&LesionId> =
            cycle.sessions.iter().flat_map(|session| &patient.sessions[*session].target_lesions).collect();
        lesions.sort();
        lesions.dedup();
        for lesion in lesions {
            match treated_tumour(patient, cycle, lesion, window) {
                Some(tumour) => tumours.push(tumour),
                None => n_not_evaluable += 1,
            }
        }
    }
    EfficacyTable { primary: primary_efficacy(&tumours), secondary: secondary_efficacy(&tumours), n_not_evaluable }
}

fn treated_tumour(
    patient: &EfficacyInput<'_>,
    cycle: &Cycle,
    lesion: &LesionId,
    window: EfficacyWindow,
) -> Option<TreatedTumour> {
    let treats = |session: &&usize| patient.sessions[**session].target_lesions.contains(lesion);
    let own: Vec<Date> = cycle.sessions.iter().filter(treats).map(|session| patient.sessions[*session].date).collect();
    let (first, last) = (*own.first()?, *own.last()?);
    let viable = |from: Date, to: Date| {
        patient.events.iter().any(|event| {
            event.lesion_id == lesion.as_str()
                && (event.event == "residual" || event.class == "local")
                && event.date > from
                && event.date <= to
        })
    };
    let control = |start: Date| {
        let in_window = |date: &&Date| (window.from_day..=window.to_day).contains(&Days::between(start, **date).0);
        patient.imaging.iter().filter(in_window).max().copied()
    };
    let first_viable = patient
        .events
        .iter()
        .filter(|event| event.lesion_id == lesion.as_str() && (event.event == "residual" || event.class == "local"));
    // A session after viable tumour was seen is repeat treatment; the initial course ends before it.
    let seen = first_viable.map(|event| event.date).min();
    let initial_end = own.iter().copied().filter(|date| seen.is_none_or(|seen| *date <= seen)).max().unwrap_or(first);
    let judged = control(initial_end)?;
    let complete_at_visit = !viable(first, judged);
    let complete_after_retreatment = last > initial_end && control(last).is_some_and(|judged| !viable(last, judged));
    Some(TreatedTumour { complete_at_visit, complete_after_retreatment })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::treatment::{DeathCause, Treatment};
    use jiff::civil::date;

    fn session(day: Date, lesions: &[&str], grade: &str) -> Treatment {
        Treatment {
            date: day,
            session: String::new(),
            cycle: None,
            modality: Modality::Mwa,
            target_lesions: lesions.iter().map(|id| LesionId::new(*id)).collect(),
            complication_grade: grade.to_owned(),
        }
    }

    #[test]
    fn grades_of_three_scales_and_what_is_not_recorded() {
        let verdicts = ["2", "CTCAE 3", "CD II", "CD IIIa", "SIR B", "SIR C", "bad"].map(is_major);
        assert_eq!(verdicts, [Some(false), Some(true), Some(false), Some(true), Some(false), Some(true), None]);
        assert_eq!(grade_of("clavien-dindo IIIa"), ("Clavien–Dindo", "IIIa".to_owned()));
        assert_eq!((grade_of("3"), grade_of("bad")), (("CTCAE", "3".to_owned()), ("unknown scale", "bad".to_owned())));
        let patient = ClinicalFacts {
            patient_id: "P1".to_owned(),
            death_date: None,
            death_cause: DeathCause::Unknown,
            last_contact_date: None,
            treatments: vec![session(date(2024, 1, 1), &["L1", "L2"], "CD IIIa"), session(date(2024, 2, 1), &[], "")],
        };
        let table = modality_table(&[patient]);
        let row = &table[&Modality::Mwa];
        assert_eq!((row.n_patients, row.n_sessions, row.n_treated_lesions, row.n_major), (1, 2, 2, 1));
        assert_eq!(row.complications["not recorded"], 1);
    }

    #[test]
    fn residual_tumour_treated_again_counts_as_assisted() {
        let sessions = [session(date(2024, 1, 1), &["L1", "L2"], ""), session(date(2024, 2, 15), &["L1"], "")];
        let cycles = [Cycle { sessions: vec![0, 1], start: date(2024, 1, 1), completion: date(2024, 2, 15) }];
        let residual = EventRow {
            patient_id: "P1".to_owned(),
            lesion_id: "L1".to_owned(),
            date: date(2024, 2, 1),
            event: "residual".to_owned(),
            class: "residual".to_owned(),
            cause: String::new(),
            cycle: Some(1),
            interval_low_date: None,
            needs_review: false,
            why: String::new(),
            distance_mm: None,
            distance_low_mm: None,
            distance_high_mm: None,
            rule_mm: None,
            other_class: String::new(),
        };
        let imaging = [date(2024, 2, 1), date(2024, 3, 20)];
        let events = [residual];
        let input = EfficacyInput { sessions: &sessions, cycles: &cycles, events: &events, imaging: &imaging };
        let table = efficacy_table(&[input], EfficacyWindow { from_day: 28, to_day: 60 });
        assert_eq!((table.primary.to_string(), table.secondary.to_string()), ("1/2".to_owned(), "2/2".to_owned()));
        let unseen = EfficacyInput { imaging: &[], ..input };
        assert_eq!(efficacy_table(&[unseen], EfficacyWindow { from_day: 28, to_day: 60 }).n_not_evaluable, 2);
    }
}
