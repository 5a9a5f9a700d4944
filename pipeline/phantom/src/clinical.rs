//! The clinical tables that lie beside an archive, as text.

use std::fmt::Write as _;

use crate::follow_up::lesion_id;
use crate::plan::PatientPlan;
use crate::scenario::Diagnosis;

/// `patients.csv` and `treatments.csv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClinicalTables {
    /// One row per patient.
    pub patients_csv: String,
    /// One row per treatment.
    pub treatments_csv: String,
}

/// The tables of a cohort; `target_lesions` are separated by `;`, and nothing that the phantom does not state is filled in.
#[must_use]
pub fn clinical_tables(patients: &[PatientPlan]) -> ClinicalTables {
    let mut patients_csv =
        String::from("patient_id,diagnosis,sex,age_years,weight_kg,height_m,death_date,last_contact_date\n");
    let mut treatments_csv = String::from("patient_id,date,session,cycle,modality,target_lesions,complication_grade\n");
    for p in patients {
        let diagnosis = match p.story.diagnosis {
            Diagnosis::HepatocellularCarcinoma => "HCC",
            Diagnosis::ColorectalLiverMetastases => "CRLM",
        };
        let who = p.person;
        let death = p.death_date.map_or(String::new(), |d| d.to_string());
        let row = format!(
            "{},{diagnosis},{},{},{},{},{death},{}",
            p.patient_id, who.sex, who.age_years, who.weight_kg, who.height_m, p.last_contact_date
        );
        patients_csv += &row;
        patients_csv.push('\n');
        for (n, (told, date)) in p.story.treatments.iter().zip(&p.treatment_dates).enumerate() {
            let targets: Vec<String> = told.targets.iter().map(|(l, _)| lesion_id(*l)).collect();
            // Every treatment here is of lesions known at baseline: one cycle.
            writeln!(treatments_csv, "{},{date},{},1,{},{},", p.patient_id, n + 1, told.modality, targets.join(";"))
                .expect("writing into a String cannot fail");
        }
    }
    ClinicalTables { patients_csv, treatments_csv }
}
