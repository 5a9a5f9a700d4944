use imaging::{Grid, Point, Shape, Volume};

use super::*;
use crate::archive::index;

fn write(root: &Path, file: &str) {
    let directions = nalgebra::Rotation3::from_euler_angles(0.3, -0.2, 0.5);
    let shape = Shape { ni: 5, nj: 4, nk: 3 };
    let origin = Point::new(-101.5, 37.25, 812.0);
    let grid = Grid::from_directions(shape, origin, [0.75, 0.8, 2.5], *directions.matrix(), FrameId::new("f"));
    let image = Volume::filled(grid.unwrap(), -20.0);
    crate::nifti::write_image(&root.join(file), &image).unwrap();
}

/// Patient, date, role, whether usable, first reason.
fn rows(root: &Path) -> Vec<String> {
    let index = index(root).unwrap().value;
    let date = |row: &IndexRow| row.study_date.map(|d| d.to_string()).unwrap_or_default();
    let text = |row: &IndexRow| {
        format!(
            "{} {} {} {} {}",
            row.patient_id,
            date(row),
            row.role,
            row.rank,
            if row.usable { "usable" } else { "no" }
        )
    };
    index.rows().iter().map(text).collect()
}

#[test]
fn folders_of_patient_and_date_place_a_file_and_nothing_else_does() {
    let folder = tempfile::tempdir().unwrap();
    for file in [
        "P%201/2024-02-03/ct_portal_venous.nii.gz",
        "P%201/2024-02-03/ct_arterial.nii",
        "P%201/2024-01-02/pet_suvbw.nii.gz",
        "P%201/2024-01-02/pet.nii.gz",
        "P%201/2024-01-02/liver.nii.gz",
        "P%201/2024-02-30/ct.nii.gz",
        "deeper/P1/2024-01-02/ct.nii.gz",
        "masks/P%201/2024-01-02/lesions.nii.gz",
    ] {
        write(folder.path(), file);
    }
    let expected = [
        "P 1 2024-01-02 pet 1 usable",
        "P 1 2024-01-02 pet 2 no",
        "P 1 2024-02-03 ct_arterial 1 usable",
        "P 1 2024-02-03 ct_portal_venous 1 usable",
    ];
    assert_eq!(rows(folder.path()), expected);
    let noted = index(folder.path()).unwrap();
    assert_eq!(noted.value.nifti_files.len(), 4);
    assert!(noted.notes.iter().any(|n| n.code == "nifti_not_placed" && n.message.contains("ct_portal_venous")));
    let pet = noted.value.series().find(|s| !s.row.usable).unwrap();
    assert!(pet.row.reasons[0].contains("nothing says that the file holds SUVbw"), "{:?}", pet.row.reasons);
    let frames: BTreeSet<_> = noted.value.series().map(|s| s.nifti.clone().unwrap().frame.to_string()).collect();
    assert_eq!(frames.len(), 4, "each file has its own frame unless told");
}

#[test]
fn bids_sessions_are_dates_only_where_they_are_eight_digits() {
    let folder = tempfile::tempdir().unwrap();
    for file in [
        "sub-07/ses-20240203/ct/sub-07_ses-20240203_acq-portalvenous_ct.nii.gz",
        "sub-07/ses-20240203/anat/sub-07_ses-20240203_T1w.nii.gz",
        "sub-07/ses-baseline/anat/sub-07_ses-baseline_T1w.nii.gz",
        "sub-07/ses-20240203/pet/sub-07_ses-20240203_pet.nii.gz",
    ] {
        write(folder.path(), file);
    }
    std::fs::write(
        folder.path().join("sub-07/ses-20240203/pet/sub-07_ses-20240203_pet.json"),
        "{\"Units\": \"Bq/mL\"}",
    )
    .unwrap();
    let expected =
        ["07 2024-02-03 ct_portal_venous 1 usable", "07 2024-02-03 mr_t1 1 usable", "07 2024-02-03 pet 1 no"];
    assert_eq!(rows(folder.path()), expected);
    let notes = index(folder.path()).unwrap().notes;
    assert!(notes.iter().any(|n| n.message.contains("a date is never guessed")), "{notes:?}");
}

#[test]
fn the_tables_of_a_bids_tree_date_sessions_and_files() {
    let folder = tempfile::tempdir().unwrap();
    for file in [
        "sub-07/ses-baseline/anat/sub-07_ses-baseline_T1w.nii.gz",
        "sub-07/ses-week6/anat/sub-07_ses-week6_T1w.nii.gz",
        "sub-07/ses-20240505/ct/sub-07_ses-20240505_ct.nii.gz",
        "sub-07/ses-lost/anat/sub-07_ses-lost_T1w.nii.gz",
        "rawdata/sub-08/anat/sub-08_T2w.nii.gz",
        "derivatives/seg/sub-07/ses-week6/anat/sub-07_ses-week6_dseg.nii.gz",
    ] {
        write(folder.path(), file);
    }
    let table = |file: &str, text: &str| std::fs::write(folder.path().join(file), text).unwrap();
    table(
        "sub-07/sub-07_sessions.tsv",
        "session_id\tacq_time\nses-baseline\t1919-02-03T10:00:00\nses-week6\tn/a\nses-lost\tspring\n",
    );
    table(
        "sub-07/ses-week6/sub-07_ses-week6_scans.tsv",
        "filename\tacq_time\nanat/sub-07_ses-week6_T1w.nii.gz\t1919-03-17T09:30:00.000000\n",
    );
    table(
        "sub-07/ses-20240505/sub-07_ses-20240505_scans.tsv",
        "filename\tacq_time\nct/sub-07_ses-20240505_ct.nii.gz\t2024-05-06T23:59:59Z\n",
    );
    table("rawdata/sub-08/sub-08_scans.tsv", "filename\tacq_time\nanat/sub-08_T2w.nii.gz\t2020-01-02\n");
    let expected = [
        "07 1919-02-03 mr_t1 1 usable",
        "07 1919-03-17 mr_t1 1 usable",
        "07 2024-05-06 ct 1 usable",
        "08 2020-01-02 mr_t2 1 usable",
    ];
    assert_eq!(rows(folder.path()), expected);
    let notes = index(folder.path()).unwrap().notes;
    let codes: BTreeSet<&str> = notes.iter().map(|n| n.code.as_ref()).collect();
    assert_eq!(
        codes.into_iter().collect::<Vec<_>>(),
        ["bids_acq_time", "bids_session_date", "bids_shifted_date", "nifti_not_placed"]
    );
}

#[test]
fn a_table_rules_over_paths_and_its_faults_have_a_line() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["a.nii.gz", "b.nii.gz", "P9/2024-01-02/ct.nii.gz"] {
        write(folder.path(), file);
    }
    let table = "file,patient_id,study_date,role,unit,frame\n\
        a.nii.gz,P1,2024-01-02,ct_portal_venous,HU,v1\n\
        b.nii.gz,P1,2024-01-02,ct_arterial,HU,v1\n\
        c.nii.gz,P1,2024-01-02,ct,HU,\n\
        ../a.nii.gz,P1,2024-01-02,ct,HU,\n\
        a.nii.gz,P2,2024-01-02,venous,HU,\n";
    std::fs::write(folder.path().join(TABLE), table).unwrap();
    let index = index(folder.path()).unwrap().value;
    assert_eq!(rows(folder.path()), ["P1 2024-01-02 ct_arterial 1 usable", "P1 2024-01-02 ct_portal_venous 1 usable"]);
    let frames: BTreeSet<_> = index.series().map(|s| s.nifti.clone().unwrap().frame.to_string()).collect();
    assert_eq!(frames.len(), 1, "files that name one frame share it");
    let lines: Vec<(u64, &str)> = index.problems.iter().map(|p| (p.line, p.column.as_str())).collect();
    assert_eq!(lines, [(4, "file"), (5, "file"), (6, "role")]);
    assert_eq!(index.nifti_files.len(), 1);
}
