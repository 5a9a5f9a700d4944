//! The clinical tables beside an archive: `patients.csv`, `treatments.csv`, `markers.csv` and, where a reader marked lesions,
//! `lesions.csv`.
//!
//! Every fault is named by file, line and column. A fault in one row marks that row's patient; only a file without its
//! required columns stops the cohort. Patients' names have no column here.

mod headers;
mod markers;
mod participants;
pub mod reads;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use imaging::{Patient, Point};
use jiff::civil::Time;
use oncology::marker::MarkerReading;
use oncology::{Date, VisitId};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub(crate) mod rows;

use rows::{Row, Table};

/// A clinical table that cannot be used at all.
#[derive(Debug, Error)]
pub enum ClinicalError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: csv::Error,
    },
    /// A required column is missing.
    #[error(
        "{path}, line 1: expected a column {column:?}, found {found:?}; add it (comma-separated, UTF-8, first line = headers)"
    )]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// The column wanted.
        column: &'static str,
        /// The columns there are.
        found: Vec<String>,
    },
}

/// One fault in one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// File name, without its folder.
    pub file: String,
    /// Line in the file, the header being line 1.
    pub line: u64,
    /// Column by its header.
    pub column: String,
    /// The patient the row belongs to, if it says.
    pub patient_id: Option<String>,
    /// What was expected and what was found.
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, line {}, column {}: {}", self.file, self.line, self.column, self.message)
    }
}

/// One row of `patients.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PatientRecord {
    /// Patient identifier as in the images.
    pub patient_id: String,
    /// Diagnosis in the table's words; empty when not given.
    pub diagnosis: String,
    /// Date of death, if the patient died.
    pub death_date: Option<Date>,
    /// Last date the patient was known to be alive.
    pub last_contact_date: Option<Date>,
    /// Every further column, by its header.
    pub covariates: BTreeMap<String, String>,
    /// Line in the file, for messages.
    pub line: u64,
}

/// One row of `treatments.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TreatmentRecord {
    /// Patient identifier as in the images.
    pub patient_id: String,
    /// Date of the session.
    pub date: Date,
    /// Time of day at which it began, if the table states it.
    pub time: Option<Time>,
    /// Session in the table's words; empty when not given.
    pub session: String,
    /// Cycle, if the table states it.
    pub cycle: Option<u32>,
    /// Kind of treatment.
    pub modality: oncology::Modality,
    /// Lesions treated, if the table names them.
    pub target_lesions: Vec<String>,
    /// Grade of complications in the table's words; empty when not given.
    pub complication_grade: String,
    /// Line in the file, for messages.
    pub line: u64,
}

/// One row of `lesions.csv`: a lesion a reader marked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeedRecord {
    /// Patient identifier as in the images.
    pub patient_id: String,
    /// The reader's name of the lesion.
    pub lesion_id: String,
    /// Visit it was marked in: the study's date, with `-2`… for further time points of one day.
    pub visit: VisitId,
    /// Where it was marked.
    pub point: Point<Patient>,
    /// Organ in the table's words; empty when not given.
    pub organ: String,
    /// Role in the table's words; empty when not given.
    pub role: String,
    /// Line in the file, for messages.
    pub line: u64,
}

/// All clinical tables of an archive.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClinicalTables {
    /// Patients, by identifier.
    pub patients: BTreeMap<String, PatientRecord>,
    /// The file they come from, for messages.
    pub patients_file: String,
    /// Treatments in order of patient and date.
    pub treatments: Vec<TreatmentRecord>,
    /// Lesions marked by a reader.
    pub seeds: Vec<SeedRecord>,
    /// Tumour markers by patient, in the order of the file.
    pub markers: BTreeMap<String, Vec<MarkerReading>>,
    /// Faults in single rows.
    pub problems: Vec<Problem>,
}

impl ClinicalTables {
    /// Reads what there is in a folder; a missing file is an empty table.
    pub fn read(folder: &Path) -> Result<Self, ClinicalError> {
        let mut tables = Self { patients_file: "patients.csv".to_owned(), ..Self::default() };
        if let Some(mut table) = Table::open(folder, "patients.csv", &["patient_id"])? {
            tables.problems.extend(table.misspelt(&["diagnosis", "death_date", "last_contact_date", "death_cause"]));
            while let Some(row) = table.next_row(&mut tables.problems) {
                read_patient(&row, &mut tables);
            }
        }
        if let Some(mut table) = Table::open(folder, "treatments.csv", &["patient_id", "date", "modality"])? {
            let optional = ["time", "session", "cycle", "target_lesions", "complication_grade"];
            tables.problems.extend(table.misspelt(&optional));
            while let Some(row) = table.next_row(&mut tables.problems) {
                read_treatment(&row, &mut tables);
            }
        }
        let columns = ["patient_id", "lesion_id", "study_date", "x_mm", "y_mm", "z_mm"];
        if let Some(mut table) = Table::open(folder, "lesions.csv", &columns)? {
            tables.problems.extend(table.misspelt(&["organ", "role"]));
            while let Some(row) = table.next_row(&mut tables.problems) {
                read_seed(&row, &mut tables);
            }
        }
        if let Some(mut table) = Table::open(folder, "markers.csv", &markers::COLUMNS)? {
            while let Some(row) = table.next_row(&mut tables.problems) {
                markers::read_marker(&row, &mut tables);
            }
        }
        tables.treatments.sort_by(|a, b| (&a.patient_id, a.date, a.line).cmp(&(&b.patient_id, b.date, b.line)));
        Ok(tables)
    }

    /// Rows of patients the archive does not hold, as faults.
    pub fn unknown_patients(&self, known: &BTreeSet<String>) -> Vec<Problem> {
        let message = |id: &str| {
            format!(
                "patient {id:?} has no images in the archive; correct the spelling, or add the images (identifiers are compared letter by letter)"
            )
        };
        let fault = |file: &str, line: u64, id: &str| Problem {
            file: file.to_owned(),
            line,
            column: "patient_id".to_owned(),
            patient_id: Some(id.to_owned()),
            message: message(id),
        };
        let patients = self.patients.values().map(|p| (self.patients_file.as_str(), p.line, &p.patient_id));
        let treatments = self.treatments.iter().map(|t| ("treatments.csv", t.line, &t.patient_id));
        let seeds = self.seeds.iter().map(|s| ("lesions.csv", s.line, &s.patient_id));
        let mut unknown: Vec<Problem> = patients
            .chain(treatments)
            .chain(seeds)
            .filter(|(_, _, id)| !known.contains(*id))
            .map(|(file, line, id)| fault(file, line, id))
            .collect();
        unknown.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        unknown
    }

    /// The faults of one patient's rows.
    pub fn problems_of(&self, patient_id: &str) -> Vec<&Problem> {
        self.problems.iter().filter(|p| p.patient_id.as_deref() == Some(patient_id)).collect()
    }

    /// The marks of one patient, in the table's order.
    pub fn seeds_of(&self, patient_id: &str) -> Vec<&SeedRecord> {
        self.seeds.iter().filter(|s| s.patient_id == patient_id).collect()
    }

    /// The treatments of one patient, in order of date.
    pub fn treatments_of(&self, patient_id: &str) -> Vec<&TreatmentRecord> {
        self.treatments.iter().filter(|t| t.patient_id == patient_id).collect()
    }
}

fn read_patient(row: &Row<'_>, tables: &mut ClinicalTables) {
    let Some(patient_id) = row.required("patient_id", &mut tables.problems) else { return };
    let problems = &mut tables.problems;
    let n_before = problems.len();
    let record = PatientRecord {
        death_date: row.date("death_date", problems),
        last_contact_date: row.date("last_contact_date", problems),
        diagnosis: row.get("diagnosis").to_owned(),
        covariates: row.others(&["patient_id", "death_date", "last_contact_date", "diagnosis"]),
        patient_id: patient_id.clone(),
        line: row.line,
    };
    if let (Some(death), Some(contact)) = (record.death_date, record.last_contact_date)
        && contact > death
    {
        problems.push(row.problem(
            "last_contact_date",
            format!("{contact} lies after the date of death {death}; correct one of the two"),
        ));
    }
    // A first row that was itself at fault still counts as a row.
    let faulty = |p: &Problem| p.file == "patients.csv" && p.patient_id.as_ref() == Some(&patient_id);
    let is_new = !tables.patients.contains_key(&patient_id) && !problems[..n_before].iter().any(faulty);
    if !is_new {
        problems.push(row.problem("patient_id", format!("patient {patient_id:?} stands in two rows; keep one")));
    } else if problems.len() == n_before {
        tables.patients.insert(patient_id, record);
    }
}

fn read_treatment(row: &Row<'_>, tables: &mut ClinicalTables) {
    let problems = &mut tables.problems;
    let patient_id = row.required("patient_id", problems);
    let date = row.required_date("date", problems);
    let modality = row.required("modality", problems).and_then(|text| match text.parse::<oncology::Modality>() {
        Ok(modality) => Some(modality),
        Err(error) => {
            problems.push(row.problem("modality", error.to_string()));
            None
        }
    });
    let cycle = match row.get("cycle") {
        "" => None,
        text => match text.parse::<u32>() {
            Ok(cycle) if cycle > 0 => Some(cycle),
            _ => {
                problems.push(row.problem("cycle", format!("expected a whole number from 1, found {text:?}")));
                None
            }
        },
    };
    let time = row.time("time", problems);
    if let (Some(patient_id), Some(date), Some(modality)) = (patient_id, date, modality) {
        let targets = row.get("target_lesions").split([';', '|', ' ']).map(str::trim).filter(|t| !t.is_empty());
        tables.treatments.push(TreatmentRecord {
            patient_id,
            date,
            time,
            session: row.get("session").to_owned(),
            cycle,
            modality,
            target_lesions: targets.map(ToOwned::to_owned).collect(),
            complication_grade: row.get("complication_grade").to_owned(),
            line: row.line,
        });
    }
}

fn read_seed(row: &Row<'_>, tables: &mut ClinicalTables) {
    let problems = &mut tables.problems;
    let ids = row.required("patient_id", problems).zip(row.required("lesion_id", problems));
    let visit = row.required_visit("study_date", problems);
    let x = row.number("x_mm", problems);
    let y = row.number("y_mm", problems);
    let z = row.number("z_mm", problems);
    if let (Some((patient_id, lesion_id)), Some(visit), Some(x), Some(y), Some(z)) = (ids, visit, x, y, z) {
        tables.seeds.push(SeedRecord {
            patient_id,
            lesion_id,
            visit,
            point: Point::new(x, y, z),
            organ: row.get("organ").to_owned(),
            role: row.get("role").to_owned(),
            line: row.line,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)]) -> Result<ClinicalTables, ClinicalError> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        ClinicalTables::read(folder.path())
    }

    #[test]
    fn a_date_that_is_none_names_file_line_and_column_and_marks_the_patient() {
        let tables = read(&[(
            "patients.csv",
            "patient_id,diagnosis,age,death_date,last_contact_date\nA,HCC,61,,2024-05-01\nB,HCC,70,31.12.2024,\n",
        )])
        .unwrap();
        assert_eq!(tables.patients["A"].covariates["age"], "61");
        assert!(!tables.patients.contains_key("B"));
        let problem = &tables.problems_of("B")[0];
        assert_eq!(
            problem.to_string(),
            "patients.csv, line 3, column death_date: expected a date as YYYY-MM-DD, found \"31.12.2024\""
        );
    }

    #[test]
    fn a_missing_column_stops_with_its_name() {
        let error = read(&[("treatments.csv", "patient_id,when,modality\nA,2024-01-01,MWA\n")]).unwrap_err();
        assert!(error.to_string().contains("\"date\""), "{error}");
    }

    #[test]
    fn the_time_of_a_treatment_is_read_or_named_as_a_fault() {
        let text =
            "patient_id,date,modality,time\nA,2024-03-01,MWA,10:30\nB,2024-03-01,MWA,half ten\nC,2024-03-01,MWA,\n";
        let tables = read(&[("treatments.csv", text)]).unwrap();
        let times: Vec<Option<Time>> = tables.treatments.iter().map(|t| t.time).collect();
        assert_eq!(times, [Some(jiff::civil::time(10, 30, 0, 0)), None, None]);
        assert_eq!(tables.problems.len(), 1);
        assert!(tables.problems[0].to_string().contains("line 3, column time"), "{}", tables.problems[0]);
    }

    #[test]
    fn treatments_are_sorted_and_unknown_patients_found() {
        let text = "patient_id,date,session,cycle,modality,target_lesions,complication_grade\nA,2024-03-01,2,1,MWA,L1;L2,0\nA,2024-01-01,1,1,MWA,L1,\nZ,2024-01-01,1,,IRE,,\n";
        let tables = read(&[("treatments.csv", text)]).unwrap();
        assert_eq!(tables.treatments_of("A")[1].target_lesions, ["L1", "L2"]);
        let unknown = tables.unknown_patients(&BTreeSet::from(["A".to_owned()]));
        assert_eq!(unknown.len(), 1);
        assert_eq!(unknown[0].line, 4);
        let tables = read(&[
            ("patients.csv", "patient_id\nA\nY\n"),
            ("lesions.csv", "patient_id,lesion_id,study_date,x_mm,y_mm,z_mm\nX,L1,2024-01-01,1,2,3\n"),
        ])
        .unwrap();
        let unknown = tables.unknown_patients(&BTreeSet::from(["A".to_owned()]));
        let named: Vec<_> = unknown.iter().map(|p| (p.file.as_str(), p.line)).collect();
        assert_eq!(named, [("lesions.csv", 2), ("patients.csv", 3)]);
    }

    #[test]
    fn impossible_rows_are_faults_not_guesses() {
        let tables = read(&[
            ("patients.csv", "patient_id,death_date,last_contact_date\nA,2024-01-01,2024-02-01\nA,,\n"),
            (
                "treatments.csv",
                "patient_id,date,modality,cycle\nA,2024-02-30,MWA,1\nA,2024-02-20,acupuncture,1\nA,2024-02-20,MWA,0\n",
            ),
            ("lesions.csv", "patient_id,lesion_id,study_date,x_mm,y_mm,z_mm\nA,L1,2024-01-01,1,x,3\n"),
        ])
        .unwrap();
        assert_eq!(tables.problems.len(), 6, "{:#?}", tables.problems);
        assert_eq!(tables.treatments.len(), 1);
        assert!(tables.seeds.is_empty());
    }

    #[test]
    fn a_row_that_cannot_be_read_is_a_fault_of_the_patient_it_names() {
        let folder = tempfile::tempdir().unwrap();
        let header = b"patient_id,death_date,diagnosis\n".as_slice();
        let text = [header, b"A,2024-01-01,M\xfcller\n", b"B,2024-01-01\n", b"C,2024-01-01,HCC\n"].concat();
        std::fs::write(folder.path().join("patients.csv"), text).unwrap();
        let tables = ClinicalTables::read(folder.path()).unwrap();
        let told: Vec<_> =
            tables.problems.iter().map(|p| (p.patient_id.as_deref(), p.line, p.message.as_str())).collect();
        assert!(told[0].0 == Some("A") && told[0].1 == 2 && told[0].2.contains("save the table as UTF-8"), "{told:?}");
        assert!(told[1].0 == Some("B") && told[1].1 == 3 && told[1].2.contains("expected 3 cells"), "{told:?}");
        assert_eq!((told.len(), tables.patients.len()), (2, 1));
    }

    #[test]
    fn markers_are_read_exactly_and_a_word_for_a_number_is_a_fault() {
        let folder = tempfile::tempdir().unwrap();
        let text = "patient_id,date,marker,value,unit,upper_limit\nA,2024-01-01,CA 19-9,41.5,U/ml,37\nA,2024-02-01,CA 19-9,<2,U/ml,37\nB,2024-01-01,CA 125,4,U/ml,35\n";
        std::fs::write(folder.path().join("markers.csv"), text).unwrap();
        let tables = ClinicalTables::read(folder.path()).unwrap();
        assert_eq!(tables.markers["A"].len(), 1);
        assert_eq!(tables.markers["A"][0].value.to_string(), "41.5");
        let columns: Vec<&str> = tables.problems.iter().map(|problem| problem.column.as_str()).collect();
        assert_eq!(columns, ["value", "marker"]);
    }
}
