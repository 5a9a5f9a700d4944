//! A run's outlines and tables as a BIDS derivative data set below `OUT/bids`: what neuroimaging tools and data sharing platforms read.
//!
//! Masks are copied byte by byte; what they mean stands in the table beside each. Names are made of pseudonyms and days: other
//! characters than letters and digits fall away, as BIDS wants it.
//!
//! Source: Brain Imaging Data Structure 1.10 (bids-specification.readthedocs.io): dataset_description, participants, sessions,
//! derivatives of imaging data (`_dseg`, `_mask`).

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use serde_json::json;

use crate::out;
use crate::patient::CohortPatient;
use crate::source_record::{self, SourceRecord, VisitSource};

mod tables;

/// Name of the folder in an output folder.
pub(crate) const FOLDER: &str = "bids";
/// Version of the standard that names follow.
const VERSION: &str = "1.10.0";
/// Outlines a visit may have: file, what follows the image's own entities, and whether several things may lie in it.
const OUTLINES: [(&str, &str, bool); 3] = [
    ("lesions.nii.gz", "desc-lesions_dseg", true),
    ("ablation_zone.nii.gz", "desc-ablationzones_dseg", true),
    ("organ.nii.gz", "desc-organ_mask", false),
];

/// Folder in which the data set is written before it takes the place of an earlier one.
const PART: &str = ".part-bids";
/// Folder of the earlier one while that happens.
const EARLIER: &str = ".part-bids-earlier";

/// A data set that was written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DataSet {
    /// Maps and masks in it.
    pub(crate) n_files: usize,
    /// Patients who are not in it, and why.
    pub(crate) left_out: Vec<(String, String)>,
}

/// Writes the data set anew; the earlier one stays until the new one is whole. A patient without a record of what the outlines were
/// drawn on is left out.
pub(crate) fn write(folder: &Path, cohort: &str, patients: &[CohortPatient]) -> anyhow::Result<DataSet> {
    let (mut described, mut left_out) = (Vec::new(), Vec::new());
    for patient in patients {
        match record(folder, patient) {
            Ok(record) => described.push((patient, record)),
            Err(error) => left_out.push((patient.patient_id.clone(), format!("{error:#}; run again with --force"))),
        }
    }
    let (root, earlier, part) = (folder.join(FOLDER), folder.join(EARLIER), folder.join(PART));
    remove(&part)?;
    // Labels stay what they are when a patient is left out.
    let labels = labels(patients.iter().map(|patient| patient.patient_id.as_str()));
    write_description(&part, cohort)?;
    let participants = described.iter().map(|(patient, _)| tables::participant(&labels[&patient.patient_id], patient));
    write_table(&part.join("participants"), &tables::PARTICIPANT, &participants.collect::<Vec<_>>())?;
    let mut n_files = 0;
    for (patient, record) in &described {
        n_files += write_patient(folder, &part, &labels[&patient.patient_id], (patient, record))?;
    }
    let moved = |from: &Path, to: &Path| {
        std::fs::rename(from, to).with_context(|| format!("moving {} to {}", from.display(), to.display()))
    };
    if root.is_dir() {
        remove(&earlier)?;
        moved(&root, &earlier)?;
    }
    moved(&part, &root).inspect_err(|_| drop(std::fs::rename(&earlier, &root)))?;
    remove(&earlier)?;
    Ok(DataSet { n_files, left_out })
}

fn remove(folder: &Path) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// What a patient's outlines were drawn on.
fn record(folder: &Path, patient: &CohortPatient) -> anyhow::Result<SourceRecord> {
    let path = out::patient_folder(folder, &patient.patient_id).join(source_record::FILE);
    let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("{} is not of this version", path.display()))
}

/// The label of each identifier: its letters and digits; where two share these, or none are left, digits of a digest follow.
fn labels<'a>(ids: impl Iterator<Item = &'a str>) -> BTreeMap<String, String> {
    let short = |id: &str| -> String { id.chars().filter(char::is_ascii_alphanumeric).collect() };
    let ids: Vec<&str> = ids.collect();
    let mut n_of: BTreeMap<String, usize> = BTreeMap::new();
    for id in &ids {
        *n_of.entry(short(id).to_ascii_lowercase()).or_default() += 1;
    }
    let label = |id: &&str| match short(id) {
        own if own.is_empty() || n_of[&own.to_ascii_lowercase()] > 1 => {
            format!("{own}x{}", &out::sha256_hex(id.as_bytes())[..8])
        }
        own => own,
    };
    ids.iter().map(|id| ((*id).to_owned(), label(id))).collect()
}

/// The label of a visit: its day, and which time point of it.
fn session(visit: oncology::VisitId) -> String {
    let day = visit.date().strftime("%Y%m%d");
    if visit.ordinal() == 1 { day.to_string() } else { format!("{day}x{}", visit.ordinal()) }
}

/// A role as what `acq-` says of an image: `ct_portal_venous` is `portalvenous`, as in the archives a run reads.
fn acquisition(role: &str) -> String {
    let within = role.strip_prefix("ct_").or_else(|| role.strip_prefix("mr_")).unwrap_or(role);
    within.chars().filter(char::is_ascii_alphanumeric).collect()
}

fn write_description(root: &Path, cohort: &str) -> anyhow::Result<()> {
    let description = json!({
        "Name": if cohort.is_empty() { "lesiontrace" } else { cohort },
        "BIDSVersion": VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{ "Name": "lesiontrace", "Version": env!("CARGO_PKG_VERSION") }],
    });
    out::write_json(&root.join("dataset_description.json"), &description)?;
    let about = format!(
        "Outlines and measurements of lesions over time, written by lesiontrace {}. Each label map lies on the voxels of\n\
         the image its name tells (acq-), and the table beside it says what its labels are. Tables of the whole cohort:\n\
         ../cohort, whose columns patient_id and visit stand in participants.tsv and in the tables of sessions, too.\n\n{}\n",
        env!("CARGO_PKG_VERSION"),
        report::RESEARCH_USE_NOTICE
    );
    out::write_atomic(&root.join("README"), about.as_bytes())
}

fn write_patient(
    folder: &Path,
    root: &Path,
    label: &str,
    (patient, record): (&CohortPatient, &SourceRecord),
) -> anyhow::Result<usize> {
    let own = out::patient_folder(folder, &patient.patient_id);
    let subject = format!("sub-{label}");
    let sessions = record.visits.iter().map(|visit| tables::session(&session(visit.visit), visit.visit, patient));
    write_table(
        &root.join(&subject).join(format!("{subject}_sessions")),
        &tables::SESSION,
        &sessions.collect::<Vec<_>>(),
    )?;
    let mut n = 0;
    for visit in &record.visits {
        n += write_visit(&own, &root.join(&subject), &subject, visit, patient)?;
    }
    Ok(n)
}

fn write_visit(
    own: &Path,
    subject_folder: &Path,
    subject: &str,
    visit: &VisitSource,
    patient: &CohortPatient,
) -> anyhow::Result<usize> {
    let session = format!("ses-{}", session(visit.visit));
    let acquired = acquisition(&visit.series_role);
    let mut n = 0;
    for (file, ending, has_labels) in OUTLINES {
        let from = own.join(visit.visit.to_string()).join(&visit.series_role).join(file);
        if !from.is_file() {
            continue;
        }
        let place = subject_folder.join(&session).join("anat");
        let name = format!("{subject}_{session}_acq-{acquired}_{ending}");
        copy(&from, &place.join(format!("{name}.nii.gz")))?;
        let about = format!("Outlined on the series {} by {}", visit.series_role, visit.outlines_from);
        let mut described = if has_labels { meanings(&tables::LABEL) } else { meanings(&[]) };
        described.insert("Description".to_owned(), json!(about));
        described.insert("SpatialReference".to_owned(), json!("orig"));
        if !has_labels {
            described.insert("Type".to_owned(), json!("ROI"));
        }
        out::write_json(&place.join(format!("{name}.json")), &described)?;
        if has_labels {
            let labels = if file == OUTLINES[0].0 { &visit.lesions } else { &visit.ablation_zones };
            let rows = labels.iter().map(|label| tables::label(label, visit.visit, patient));
            write_table(&place.join(&name), &tables::LABEL, &rows.collect::<Vec<_>>())?;
        }
        n += 1;
    }
    Ok(n)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let bytes = std::fs::read(from).with_context(|| format!("reading {}", from.display()))?;
    out::write_atomic(to, &bytes)
}

/// Columns of a table with what they mean.
pub(super) type Columns = [(&'static str, &'static str)];

/// A table of tab-separated cells, and beside it what its columns mean. What is unknown is `n/a`.
fn write_table(path: &Path, columns: &Columns, rows: &[Vec<String>]) -> anyhow::Result<()> {
    let cell = |text: &String| match text.replace(['\t', '\n', '\r'], " ") {
        empty if empty.trim().is_empty() => "n/a".to_owned(),
        text => text,
    };
    let line = |cells: Vec<String>| cells.join("\t") + "\n";
    let header = line(columns.iter().map(|(name, _)| (*name).to_owned()).collect());
    let text: String = rows.iter().map(|row| line(row.iter().map(cell).collect())).collect();
    // No name of the standard holds a dot.
    let with = |ending: &str| path.with_extension(ending);
    out::write_atomic(&with("tsv"), format!("{header}{text}").as_bytes())?;
    // The table of a map shares the map's description, which is there already.
    if with("json").is_file() { Ok(()) } else { out::write_json(&with("json"), &meanings(columns)) }
}

fn meanings(columns: &Columns) -> serde_json::Map<String, serde_json::Value> {
    columns.iter().map(|(name, about)| ((*name).to_owned(), json!({ "Description": about }))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_become_labels_that_stay_apart() {
        let labels = labels(["LT-001", "A 1", "a-1", "***", "P7"].into_iter());
        assert_eq!((labels["LT-001"].as_str(), labels["P7"].as_str()), ("LT001", "P7"));
        assert!(labels["A 1"].starts_with("A1x") && labels["a-1"].starts_with("a1x"), "{labels:?}");
        assert_ne!(labels["A 1"][3..], labels["a-1"][3..], "they differ where case does not count");
        assert!(labels.values().all(|label| label.chars().all(|c| c.is_ascii_alphanumeric()) && !label.is_empty()));
    }

    #[test]
    fn labels_of_a_large_cohort_cost_what_its_patients_cost() {
        let ids: Vec<String> = (0..40_000).map(|n| format!("LT-{n:06}")).chain(["lt000007".to_owned()]).collect();
        let labels = labels(ids.iter().map(String::as_str));
        let apart: std::collections::BTreeSet<&String> = labels.values().collect();
        assert_eq!((labels.len(), apart.len()), (40_001, 40_001));
        assert_eq!(labels["LT-000008"], "LT000008");
        assert!(labels["LT-000007"].starts_with("LT000007x") && labels["lt000007"].starts_with("lt000007x"));
    }

    /// Whatever keeps the new data set from being written, the earlier one stands.
    #[test]
    fn a_data_set_that_cannot_be_written_leaves_the_earlier_one() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(write(folder.path(), "trial", &[]).unwrap(), DataSet { n_files: 0, left_out: Vec::new() });
        let about = folder.path().join(FOLDER).join("README");
        let first = std::fs::read(&about).unwrap();
        std::fs::write(folder.path().join(PART), "in the way").unwrap();
        let error = write(folder.path(), "trial", &[]).unwrap_err();
        assert!(format!("{error:#}").contains(PART), "{error:#}");
        assert_eq!(std::fs::read(&about).unwrap(), first);
    }

    #[test]
    fn a_second_time_point_of_a_day_has_a_label_of_its_own() {
        let visit: oncology::VisitId = "2024-03-01".parse().unwrap();
        assert_eq!([session(visit), session(visit.next_of_day())], ["20240301", "20240301x2"]);
    }

    #[test]
    fn a_cell_breaks_no_table_and_nothing_is_not_available() {
        let folder = tempfile::tempdir().unwrap();
        let rows = vec![vec!["a\tb\n".to_owned(), " ".to_owned()]];
        write_table(&folder.path().join("t"), &[("one", "first"), ("two", "second")], &rows).unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join("t.tsv")).unwrap(), "one\ttwo\na b \tn/a\n");
        assert!(std::fs::read_to_string(folder.path().join("t.json")).unwrap().contains("second"));
    }
}
