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

/// The cell of the time of day of a treatment between a planning and a control scan.
const TREATED_AT: &str = ",10:45";

/// The tables of a cohort; `target_lesions` are separated by `;`, and nothing that the phantom does not state is filled in. The
/// column `time` stands there where a treatment has scans before and after it on its day.
#[must_use]
pub fn clinical_tables(patients: &[PatientPlan]) -> ClinicalTables {
    let mut patients_csv =
        String::from("patient_id,diagnosis,sex,age_years,weight_kg,height_m,death_date,last_contact_date\n");
    let with_time = patients.iter().any(|p| p.story.control_on_day);
    let mut treatments_csv = String::from("patient_id,date,session,cycle,modality,target_lesions,complication_grade");
    treatments_csv.push_str(if with_time { ",time\n" } else { "\n" });
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
            let time = match (with_time, n == 0 && p.story.control_on_day) {
                (false, _) => "",
                (true, false) => ",",
                (true, true) => TREATED_AT,
            };
            let targets = targets.join(";");
            writeln!(treatments_csv, "{},{date},{},1,{},{targets},{time}", p.patient_id, n + 1, told.modality)
                .expect("writing into a String cannot fail");
        }
    }
    ClinicalTables { patients_csv, treatments_csv }
}
