//! `participants.tsv` of a BIDS tree: patients and covariates where there is no `patients.csv`.
//!
//! Source: BIDS 1.9, "Participants file".

use std::path::Path;

use super::rows::Table;
use super::{ClinicalError, ClinicalTables, PatientRecord};

/// The table in the tree's top folder.
const TABLE: &str = "participants.tsv";

impl ClinicalTables {
    /// Takes the patients of `participants.tsv` in `root`, where `patients.csv` named none. `sub-07` is patient `07`; `n/a` is an
    /// empty cell.
    pub fn add_participants(&mut self, root: &Path) -> Result<(), ClinicalError> {
        if !self.patients.is_empty() || self.problems.iter().any(|p| p.file == "patients.csv") {
            return Ok(());
        }
        let Some(mut table) = Table::open_tsv(root, TABLE, &["participant_id"])? else { return Ok(()) };
        TABLE.clone_into(&mut self.patients_file);
        while let Some(row) = table.next_row(&mut self.problems) {
            let Some(id) = row.required("participant_id", &mut self.problems) else { continue };
            let patient_id = id.strip_prefix("sub-").unwrap_or(&id).to_owned();
            let mut covariates = row.others(&["participant_id"]);
            covariates.values_mut().filter(|value| *value == "n/a").for_each(String::clear);
            let record = PatientRecord {
                patient_id: patient_id.clone(),
                diagnosis: String::new(),
                death_date: None,
                last_contact_date: None,
                covariates,
                line: row.line,
            };
            if self.patients.insert(patient_id.clone(), record).is_some() {
                let message = format!("participant {patient_id:?} stands in two rows; keep one");
                self.problems.push(row.problem("participant_id", message));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn participants_are_patients_where_no_other_table_names_them() {
        let folder = tempfile::tempdir().unwrap();
        let text = "participant_id\tage\tsex\nsub-07\t61\tF\nsub-08\tn/a\tM\n";
        std::fs::write(folder.path().join(TABLE), text).unwrap();
        let mut tables = ClinicalTables::default();
        tables.add_participants(folder.path()).unwrap();
        assert_eq!(tables.patients["07"].covariates["age"], "61");
        assert_eq!(tables.patients["08"].covariates["age"], "");
        let clinical = folder.path().join("clinical");
        std::fs::create_dir(&clinical).unwrap();
        std::fs::write(clinical.join("patients.csv"), "patient_id,age\n07,62\n").unwrap();
        let mut tables = ClinicalTables::read(&clinical).unwrap();
        tables.add_participants(folder.path()).unwrap();
        assert_eq!((tables.patients.len(), tables.patients["07"].covariates["age"].as_str()), (1, "62"));
    }
}
