//! Part of stage *measure*: whether a CT shows the contrast phase that its name promises.

use imaging::Note;
use oncology::Evaluable;
use oncology::measure::contrast_phase::{ContrastPhase, contrast_phase};

use crate::stages::load::LoadedSeries;

/// Compares a CT's role with its pixels. The reason, when the pixels contradict it; a note in every case.
pub(crate) fn check(series: &LoadedSeries, liver_hu: &Evaluable<f64>, notes: &mut Vec<Note>) -> Option<String> {
    if series.modality != "CT" || series.unit != "HU" || !series.role.starts_with("ct") {
        return None;
    }
    let named = match series.role.as_str() {
        "ct_native" => Some(ContrastPhase::Native),
        "ct_arterial" => Some(ContrastPhase::Arterial),
        "ct_portal_venous" => Some(ContrastPhase::PortalVenous),
        "ct_delayed" => Some(ContrastPhase::Delayed),
        _ => None,
    };
    let mut note = |severe: bool, code: &str, message: String| {
        let make = if severe { Note::warning } else { Note::info };
        notes.push(make(code, series.role.clone(), message));
    };
    let reading = match contrast_phase(&series.image, liver_hu.value().copied()) {
        Evaluable::Value(reading) => reading,
        Evaluable::NotEvaluable(reason) => {
            note(false, "phase_not_checked", format!("the contrast phase could not be checked: {reason}"));
            return None;
        }
    };
    match named {
        Some(phase) if reading.allows(phase) => {
            note(false, "phase_confirmed", format!("the pixels agree with the {phase} phase ({reading})"));
            None
        }
        Some(phase) => {
            let doubt = format!(
                "\"{}\" is named {phase}, but its pixels are not ({reading}); see whether the series was mislabelled and \\
                 correct its role in the series rules",
                series.description
            );
            note(true, "phase_doubted", doubt.clone());
            Some(doubt)
        }
        None => {
            note(false, "phase_read", format!("no phase is named; the pixels say {reading}"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use formats::dicom::pet::SuvOptions;
    use formats::dicom::series::read_series;
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
    fn said(series: &LoadedSeries, liver_hu: &Evaluable<f64>) -> String {
        let mut notes = Vec::new();
        let doubt = check(series, liver_hu, &mut notes);
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
            assert_eq!(said(&loaded(image.clone(), right), &liver_hu), "phase_confirmed", "{phase:?}");
            assert_eq!(said(&loaded(image.clone(), wrong), &liver_hu), "phase_doubted", "{phase:?} as {wrong}");
            if phase == Phase::Native {
                assert_eq!(said(&loaded(image, "ct"), &liver_hu), "phase_read");
            }
        }
    }

    #[test]
    fn without_an_aorta_the_name_stands_and_the_note_says_so() {
        let patient = &cohort(&CohortSpec { n_patients: 1, seed: 31, scenario: None })[0];
        let visit = patient.visit(0).unwrap();
        let air = visit.organ.map(|_| -1000.0_f32);
        let untold = Evaluable::not("no liver");
        assert_eq!(said(&loaded(air.clone(), "ct_arterial"), &untold), "phase_not_checked");
        let mut mr = loaded(air, "mr_t1");
        mr.modality = "MR".to_owned();
        let mut notes = Vec::new();
        assert_eq!((check(&mr, &untold, &mut notes), notes.len()), (None, 0));
    }

    #[test]
    fn a_patients_portal_venous_ct_is_no_arterial_one() {
        let Some(folder) = testkit::real_data("ct_liver_mets/CRLM-CT-1004/image") else { return };
        let index = formats::archive::index(&folder).unwrap();
        let read = read_series(&index.value.series().next().unwrap().headers, &SuvOptions::STANDARD).unwrap();
        let image = read.value.volume.to_values();
        let untold = Evaluable::not("no outline");
        assert_eq!(said(&loaded(image.clone(), "ct_portal_venous"), &untold), "phase_confirmed");
        for wrong in ["ct_native", "ct_arterial"] {
            assert_eq!(said(&loaded(image.clone(), wrong), &untold), "phase_doubted", "{wrong}");
        }
    }
}
