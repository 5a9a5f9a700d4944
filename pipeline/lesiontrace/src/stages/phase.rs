//! Part of stage *measure*: whether a CT shows the contrast phase that its name promises.

use imaging::{Mask, Note};
use oncology::Evaluable;
use oncology::measure::contrast_phase::{ContrastPhase, LiverOutline, PhaseReading, PhaseVerdict, contrast_phase};
use rayon::prelude::*;

use crate::stages::load::LoadedSeries;
use crate::stages::segment::Found;

/// Compares a CT's role with its pixels. The reason, when the pixels contradict it; a note in every case. `found` is the visit's
/// outlines, which lie in the series' frame of reference where `liver_hu` has a value.
pub(crate) fn check(
    series: &LoadedSeries,
    liver_hu: &Evaluable<f64>,
    found: &Found,
    notes: &mut Vec<Note>,
) -> Option<String> {
    if series.modality != "CT" || series.unit != "HU" || !series.role.starts_with("ct") {
        return None;
    }
    let note = |severe: bool, code: &'static str, message: String| {
        let make = if severe { Note::warning } else { Note::info };
        make(code, series.role.clone(), message)
    };
    let reading = match read(series, liver_hu, found) {
        Evaluable::Value(reading) => reading,
        Evaluable::NotEvaluable(reason) => {
            let message = format!("the contrast phase could not be checked: {reason}");
            notes.push(note(false, "phase_not_checked", message));
            return None;
        }
    };
    let Some(phase) = named_phase(&series.role) else {
        notes.push(note(false, "phase_read", format!("no phase is named; the pixels say {reading}")));
        return None;
    };
    match reading.verdict(phase) {
        PhaseVerdict::Confirmed => {
            notes.push(note(false, "phase_confirmed", format!("the pixels agree with the {phase} phase ({reading})")));
            None
        }
        PhaseVerdict::CannotTell => {
            let message = format!(
                "whether the phase is {phase} cannot be told from the pixels ({reading}); an earlier injection would explain it: look at the series"
            );
            notes.push(note(true, "phase_contradictory", message));
            None
        }
        PhaseVerdict::Doubted => {
            let doubt = format!(
                "\"{}\" is named {phase}, but its pixels are not ({reading}); see whether the series was mislabelled and correct its role in the series rules",
                series.description
            );
            notes.push(note(true, "phase_doubted", doubt.clone()));
            Some(doubt)
        }
    }
}

fn named_phase(role: &str) -> Option<ContrastPhase> {
    match role {
        "ct_native" => Some(ContrastPhase::Native),
        "ct_arterial" => Some(ContrastPhase::Arterial),
        "ct_portal_venous" => Some(ContrastPhase::PortalVenous),
        "ct_delayed" => Some(ContrastPhase::Delayed),
        _ => None,
    }
}

/// The phase by aorta, liver, kidneys and portal vein.
fn read(series: &LoadedSeries, liver_hu: &Evaluable<f64>, found: &Found) -> Evaluable<PhaseReading> {
    let masks = found.organ.as_ref().filter(|_| liver_hu.value().is_some()).map(|organ| {
        let marked = found.lesion_map.values().par_iter().zip(found.zone_map.values());
        let lesions = marked.map(|(lesion, zone)| *lesion > 0 || *zone > 0).collect();
        let lesions = Mask::from_values(lesions, organ.grid().clone()).expect("organ and lesion maps lie on one grid");
        let healthy = organ.values().par_iter().zip(lesions.values()).map(|(organ, lesion)| *organ && !lesion);
        let healthy = Mask::from_values(healthy.collect(), organ.grid().clone());
        let healthy = healthy.expect("organ and lesion maps lie on one grid");
        (healthy, lesions)
    });
    let outline = masks.as_ref().map(|(liver, lesions)| LiverOutline { liver, lesions });
    contrast_phase(&series.image, liver_hu.value().copied(), outline)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::measure::{self, Beside};
    use crate::stages::segment::instances;
    use formats::dicom::pet::SuvOptions;
    use formats::dicom::series::read_series;
    use oncology::{LesionKind, Organ};
    use phantom::{CohortSpec, Image, Phase, Series, cohort};

    fn loaded(image: imaging::Volume<f32>, role: &str) -> LoadedSeries {
        LoadedSeries {
            image,
            unit: "HU",
            sop_instance_uids: Vec::new(),
            role: role.to_owned(),
            description: role.to_owned(),
            modality: "CT".to_owned(),
        }
    }

    /// The code of the one note that a series of this role gets.
    fn said(series: &LoadedSeries, liver_hu: &Evaluable<f64>, organ: Option<&Mask>) -> String {
        let mut notes = Vec::new();
        let mut found = Found::nothing(series.image.grid(), "test");
        found.organ = organ.cloned();
        let doubt = check(series, liver_hu, &found, &mut notes);
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert_eq!(doubt.is_some(), notes[0].code == "phase_doubted");
        notes.remove(0).code
    }

    fn liver_mean(image: &imaging::Volume<f32>, organ: &imaging::Mask) -> Evaluable<f64> {
        oncology::measure::viable::liver_reference(image, organ)
    }

    /// The right name of a phase and a wrong one.
    fn roles(phase: Phase) -> [&'static str; 2] {
        match phase {
            Phase::Native => ["ct_native", "ct_delayed"],
            Phase::Arterial => ["ct_arterial", "ct_portal_venous"],
            Phase::PortalVenous => ["ct_portal_venous", "ct_arterial"],
            Phase::Delayed => ["ct_delayed", "ct_native"],
        }
    }

    #[test]
    fn every_phase_is_confirmed_by_its_pixels_and_a_wrong_name_is_doubted() {
        let patient = &cohort(&CohortSpec { n_patients: 1, seed: 31, scenario: None })[0];
        let visit = patient.visit(0).unwrap();
        let is_ct = |s: &&Series| s.phase.is_some();
        assert_eq!(visit.series.iter().filter(is_ct).count(), 4, "all phases are needed");
        for series in visit.series.iter().filter(is_ct) {
            let Image::Ct(volume) = &series.image else { panic!("a phase belongs to a CT") };
            let image = volume.to_values();
            let liver_hu = liver_mean(&image, &visit.organ);
            let phase = series.phase.expect("filtered");
            let [right, wrong] = roles(phase);
            assert_eq!(
                said(&loaded(image.clone(), right), &liver_hu, Some(&visit.organ)),
                "phase_confirmed",
                "{phase:?}"
            );
            assert_eq!(
                said(&loaded(image.clone(), wrong), &liver_hu, Some(&visit.organ)),
                "phase_doubted",
                "{phase:?} as {wrong}"
            );
            if phase == Phase::Native {
                assert_eq!(said(&loaded(image, "ct"), &liver_hu, Some(&visit.organ)), "phase_read");
            }
        }
    }

    #[test]
    fn on_a_doubted_phase_no_viable_diameter_is_measured() {
        let patient = &cohort(&CohortSpec { n_patients: 1, seed: 31, scenario: None })[0];
        let visit = patient.visit(0).unwrap();
        let of_phase = |phase: Phase| {
            let series = visit.series.iter().find(|s| s.phase == Some(phase)).unwrap();
            let Image::Ct(volume) = &series.image else { panic!("a phase belongs to a CT") };
            volume.to_values()
        };
        let measured = loaded(of_phase(Phase::PortalVenous), "ct_portal_venous");
        let mut found = Found::nothing(measured.image.grid(), "test");
        found.organ = Some(visit.organ.clone());
        found.lesions = instances(&visit.lesions, |_| (Organ::Liver, LesionKind::Lesion));
        found.lesion_map = visit.lesions.clone();
        let viable = |image, n_doubts: usize| {
            let series = loaded(image, "ct_arterial");
            let mut notes = Vec::new();
            let arterial = measure::arterial(&series, &measured, &found, &mut notes);
            let sizes = measure::measure(
                &measured,
                &found,
                Beside { arterial: Some(&arterial), ..Beside::default() },
                &mut notes,
            );
            assert_eq!(notes.iter().filter(|n| n.code == "phase_doubted").count(), n_doubts, "{notes:?}");
            sizes.into_iter().map(|s| s.viable.reason().map(str::to_owned)).collect::<Vec<_>>()
        };
        assert!(viable(of_phase(Phase::Arterial), 0).iter().any(Option::is_none), "a true arterial phase is measured");
        for reason in viable(of_phase(Phase::PortalVenous), 1) {
            assert!(
                reason.as_ref().is_some_and(|r| r.contains("is named arterial, but its pixels are not")),
                "{reason:?}"
            );
        }
    }

    #[test]
    fn without_an_aorta_the_name_stands_and_the_note_says_so() {
        let patient = &cohort(&CohortSpec { n_patients: 1, seed: 31, scenario: None })[0];
        let visit = patient.visit(0).unwrap();
        let air = visit.organ.map(|_| -1000.0_f32);
        let untold = Evaluable::not("no liver");
        assert_eq!(said(&loaded(air.clone(), "ct_arterial"), &untold, None), "phase_not_checked");
        let mut mr = loaded(air, "mr_t1");
        mr.modality = "MR".to_owned();
        let mut notes = Vec::new();
        assert_eq!((check(&mr, &untold, &Found::nothing(mr.image.grid(), "test"), &mut notes), notes.len()), (None, 0));
    }

    #[test]
    fn a_patients_portal_venous_ct_is_no_arterial_one() {
        let Some(folder) = testkit::real_data("ct_liver_mets/CRLM-CT-1004/image") else { return };
        let index = formats::archive::index(&folder).unwrap();
        let read = read_series(&index.value.series().next().unwrap().headers.unpack(), &SuvOptions::STANDARD).unwrap();
        let image = read.value.volume.to_values();
        let untold = Evaluable::not("no outline");
        assert_eq!(said(&loaded(image.clone(), "ct_portal_venous"), &untold, None), "phase_confirmed");
        for wrong in ["ct_native", "ct_arterial"] {
            assert_eq!(said(&loaded(image.clone(), wrong), &untold, None), "phase_doubted", "{wrong}");
        }
    }
}
