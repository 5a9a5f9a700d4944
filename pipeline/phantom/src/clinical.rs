//! The clinical tables that lie beside an archive, as text.

use std::fmt::Write as _;

use crate::follow_up::lesion_id;
use crate::plan::PatientPlan;
use crate::scenario::{Diagnosis, Scenario};
use crate::truth::Organ;

/// `patients.csv`, `treatments.csv` and, for a study's cohort, `markers.csv` and `lesions.csv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClinicalTables {
    /// One row per patient.
    pub patients_csv: String,
    /// One row per treatment.
    pub treatments_csv: String,
    /// One row per reading of a tumour marker; empty without any.
    pub markers_csv: String,
    /// One row per lesion a reader marked; empty without any.
    pub lesions_csv: String,
}

/// The cell of the time of day of a treatment between a planning and a control scan.
const TREATED_AT: &str = ",10:45";

/// The tables of a cohort; `target_lesions` are separated by `;`, and nothing that the phantom does not state is filled in. The
/// column `time` stands there where a treatment has scans before and after it on its day.
#[must_use]
pub fn clinical_tables(patients: &[PatientPlan]) -> ClinicalTables {
    let further = further_columns(patients);
    let mut patients_csv =
        String::from("patient_id,diagnosis,sex,age_years,weight_kg,height_m,death_date,last_contact_date");
    for column in &further {
        patients_csv.extend([",", column]);
    }
    patients_csv.push('\n');
    let with_time = patients.iter().any(|p| p.story.control_on_day);
    let mut treatments_csv = String::from("patient_id,date,session,cycle,modality,target_lesions,complication_grade");
    treatments_csv.push_str(if with_time { ",time\n" } else { "\n" });
    for p in patients {
        let diagnosis = match p.story.diagnosis {
            Diagnosis::HepatocellularCarcinoma => "HCC",
            Diagnosis::ColorectalLiverMetastases => "CRLM",
        };
        let diagnosis = p.extra.diagnosis.unwrap_or(diagnosis);
        let who = p.person;
        let death = p.death_date.map_or(String::new(), |d| d.to_string());
        let row = format!(
            "{},{diagnosis},{},{},{},{},{death},{}",
            p.patient_id, who.sex, who.age_years, who.weight_kg, who.height_m, p.last_contact_date
        );
        patients_csv += &row;
        for column in &further {
            let value = p.extra.covariates.iter().find(|(name, _)| name == column).map_or("", |(_, value)| value);
            patients_csv.extend([",", value]);
        }
        patients_csv.push('\n');
        for (n, (told, date)) in p.story.treatments.iter().zip(&p.treatment_dates).enumerate() {
            let targets: Vec<String> = told.targets.iter().map(|(l, _)| lesion_id(*l)).collect();
            // Every treatment of a scenario is of lesions known at baseline: one cycle. In a study's cohort the rule decides.
            let cycle = if p.scenario == Scenario::Study { "" } else { "1" };
            let grade = p.extra.grades.get(n).map_or("", String::as_str);
            let time = match (with_time, n == 0 && p.story.control_on_day) {
                (false, _) => "",
                (true, false) => ",",
                (true, true) => TREATED_AT,
            };
            let targets = targets.join(";");
            let (id, session) = (&p.patient_id, n + 1);
            writeln!(treatments_csv, "{id},{date},{session},{cycle},{},{targets},{grade}{time}", told.modality)
                .expect("writing into a String cannot fail");
        }
    }
    ClinicalTables {
        patients_csv,
        treatments_csv,
        markers_csv: markers_csv(patients),
        lesions_csv: lesions_csv(patients),
    }
}

/// The columns that a study's cohort states besides, in their order.
fn further_columns(patients: &[PatientPlan]) -> Vec<&'static str> {
    patients.first().map_or_else(Vec::new, |p| p.extra.covariates.iter().map(|(name, _)| *name).collect())
}

fn markers_csv(patients: &[PatientPlan]) -> String {
    let rows: String = patients
        .iter()
        .flat_map(|p| p.extra.markers.iter().map(move |row| (p, row)))
        .map(|(p, r)| format!("{},{},{},{},{},{}\n", p.patient_id, r.date, r.marker, r.value, r.unit, r.upper_limit))
        .collect();
    if rows.is_empty() { rows } else { format!("patient_id,date,marker,value,unit,upper_limit\n{rows}") }
}

/// A reader's mark in the middle of every lesion at its first sight, by its true name; targets are those of the first visit.
fn lesions_csv(patients: &[PatientPlan]) -> String {
    let mut rows = String::new();
    for p in patients.iter().filter(|p| p.extra.with_marks) {
        for (lesion, plan) in p.lesions.iter().enumerate() {
            let first = plan.story.scale.iter().position(|scale| *scale > 0.0);
            let Some((n, visit)) = first.and_then(|n| Some((n, p.visits.get(n)?))) else { continue };
            let at = visit.pose.to_visit(plan.shape.centre);
            let organ = match plan.story.organ {
                Organ::Liver => "liver",
                Organ::Lung => "lung",
                Organ::LymphNode => "lymph_node",
            };
            let role = if n == 0 { "target" } else { "" };
            let (id, name, day) = (&p.patient_id, lesion_id(lesion), p.visit_name(n));
            writeln!(rows, "{id},{name},{day},{:.2},{:.2},{:.2},{organ},{role}", at.x, at.y, at.z)
                .expect("writing into a String cannot fail");
        }
    }
    if rows.is_empty() { rows } else { format!("patient_id,lesion_id,study_date,x_mm,y_mm,z_mm,organ,role\n{rows}") }
}
