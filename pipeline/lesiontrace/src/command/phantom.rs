//! `phantom`: a synthetic DICOM archive with clinical tables, true masks and known truth.

use phantom::{CohortSpec, Scenario, Study, study_cohort};

use crate::cli::{Global, Phantom};
use crate::exit::{self, Failure};
use crate::{config, out, phantom_archive, session};

/// Patients where neither a number nor a study is named.
const USUAL_PATIENTS: usize = 6;

/// Writes the archive and says what it holds.
pub(crate) fn run(args: &Phantom, global: &Global) -> Result<u8, Failure> {
    let scenario = args.scenario.as_deref().map(str::parse::<Scenario>).transpose().map_err(Failure::usage)?;
    let study = args.study.as_deref().map(str::parse::<Study>).transpose().map_err(Failure::usage)?;
    let progress = session::progress(global, 0, "visits");
    let truth = match study {
        None => {
            let spec = CohortSpec { n_patients: args.patients.unwrap_or(USUAL_PATIENTS), seed: args.seed, scenario };
            phantom_archive::write(&spec, &args.out, &progress)
        }
        Some(study) => {
            let patients = study_cohort(study, args.patients.unwrap_or(study.n_patients()), args.seed);
            phantom_archive::write_patients(&patients, Some(&study_file(study)), &args.out, &progress)
        }
    }
    .map_err(Failure::io)?;
    let n_visits: usize = truth.patients.iter().map(|patient| patient.visits.len()).sum();
    let text = format!(
        "{} synthetic patients with {n_visits} visits in {} (images, clinical/, masks/, truth.json)\n",
        truth.patients.len(),
        args.out.display()
    );
    out::print(&text).map_err(Failure::io)?;
    Ok(exit::DONE)
}

/// The built-in study file with the study's preset and criterion, outlines imported, and no pictures kept.
fn study_file(study: Study) -> String {
    let criteria = format!("ids = [\"{}\"]", study.criterion());
    let preset = format!("preset = \"{study}\"");
    let name = format!("name = \"synthetic cohort like {study}\"");
    config::DEFAULT
        .replace("name = \"cohort\"", &name)
        .replace("ids = [\"recist_1_1\", \"mrecist\"]", &criteria)
        .replace("preset = \"default\"", &preset)
        .replace("source = \"imported_or_model\"", "source = \"imported\"")
        .replace("keep = [\"lesions\", \"organ\", \"ablation_zone\", \"overlay\"]", "keep = []")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_study_file_names_preset_and_criterion() {
        for study in [Study::Xu2021, Study::Narayanan2024] {
            let text = study_file(study);
            for part in [study.name(), study.criterion(), "source = \"imported\"", "keep = []"] {
                assert!(text.contains(part), "{part}");
            }
            assert!(!text.contains("mrecist\"]") && !text.contains("preset = \"default\""));
        }
    }
}
