//! Ways of images, outlines and marks into a run: NIfTI archives, structure sets, a reader's marks, broken and cut series; and a run
//! against a reader's own table.

#![expect(clippy::unwrap_used, reason = "a test may unwrap; clippy does not see that its helpers are tests")]

mod adc_map;
mod bent_visits;
#[path = "../files/calls.rs"]
mod calls;
#[path = "../files/cohort.rs"]
mod cohort;
mod cohort_files;
mod critical_structures;
mod drawn_otherwise;
mod faulty_tables;
mod frozen_analysis;
mod known_studies;
mod lesion_in_pieces;
mod lesion_links;
mod misplaced_masks;
#[path = "../files/more_dicom.rs"]
mod more_dicom;
mod new_lesions;
mod own_masks;
mod readers_table;
mod scans_of_one_day;
mod study_tables;
mod through_another_visit;
mod uptake_and_area;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use calls::{call, entry, run, status};
use cohort::{BASELINE, Cohort, FOLLOW_UP, comparable, study};
use formats::nifti;
use imaging::FrameId;

const DONE: i32 = 0;
const SOME_FAILED: i32 = 1;

/// Rows of a cohort table by the columns named, joined.
fn table(cohort: &Cohort, path: &str, columns: &[&str]) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(cohort.path(path)).unwrap();
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    assert!(columns.iter().all(|c| header.iter().any(|h| h == c)), "{header:?}");
    let row = |record: csv::StringRecord| {
        let cells = header.iter().cloned().zip(record.iter().map(str::to_owned));
        cells.filter(|(name, _)| columns.contains(&name.as_str())).collect()
    };
    reader.records().map(|record| row(record.unwrap())).collect()
}

/// What lies in a folder, by name.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders
}

/// Leaves of a scenario's patient the first visits alone, and of their images those that are measured: portal venous and arterial phase.
fn keep_first_visits(archive: &Path, n_visits: usize) {
    for visit in folders(&archive.join("masks/LT-001")).into_iter().skip(n_visits) {
        std::fs::remove_dir_all(visit).unwrap();
    }
    for (n, visit) in folders(&archive.join("LT-001")).into_iter().enumerate() {
        if n >= n_visits {
            std::fs::remove_dir_all(visit).unwrap();
            continue;
        }
        for phase in ["Abdomen native", "Abdomen delayed"].map(|phase| visit.join(phase)) {
            if phase.is_dir() {
                std::fs::remove_dir_all(phase).unwrap();
            }
        }
    }
}

fn notes(cohort: &Cohort, patient: &str) -> String {
    cohort.read(&format!("out/patients/{patient}/notes.json"))
}

/// The same archive with every series converted by the program.
fn as_nifti(cohort: &Cohort, ids: &[&str]) {
    for (n, id) in ids.iter().enumerate() {
        for day in [BASELINE, FOLLOW_UP] {
            let series = cohort.path(&format!("archive/{n}/{day}")).display().to_string();
            let file = cohort.path(&format!("as_nifti/{id}/{day}/ct_portal_venous.nii.gz")).display().to_string();
            assert_eq!(call(&["convert", &series, &file]).0, DONE);
        }
    }
    for below in ["masks", "clinical"] {
        let (from, to) = (cohort.path(&format!("archive/{below}")), cohort.path(&format!("as_nifti/{below}")));
        for (path, bytes) in comparable(&from) {
            std::fs::create_dir_all(to.join(&path).parent().unwrap()).unwrap();
            std::fs::write(to.join(&path), bytes).unwrap();
        }
    }
}

/// `run` on another archive folder.
fn run_on(cohort: &Cohort, archive: &str, out: &str) -> (i32, String) {
    let [study, archive, out] = ["study.toml", archive, out].map(|p| cohort.path(p).display().to_string());
    call(&["run", &study, "--archive", &archive, "--out", &out])
}

/// A NIfTI file holds its position as 32-bit floats: 1e-5 mm at 100 mm, far below the 0.01 mm to which sizes are stored. Sizes may
/// therefore differ by one step of that rounding, and verdicts not at all.
const TOLERANCE_MM: f64 = 0.0101;

#[test]
fn a_nifti_archive_gives_the_results_of_the_dicom_it_was_made_from() {
    let ids = ["A-1", "B-2"];
    let cohort = Cohort::new(&ids);
    as_nifti(&cohort, &ids);
    assert_eq!(run(&cohort, "out", &[]).0, DONE);
    let (code, stderr) = run_on(&cohort, "as_nifti", "nifti");
    assert_eq!(code, DONE, "{stderr}");
    let columns = ["patient_id", "lesion_id", "date", "series_role", "quantity", "value", "unit", "evaluable"];
    let tables = |out: &str| table(&cohort, &format!("{out}/cohort/measurements.csv"), &columns);
    let (dicom, from_nifti) = (tables("out"), tables("nifti"));
    assert!(dicom.len() == from_nifti.len() && dicom.len() > 10);
    for (one, other) in dicom.iter().zip(&from_nifti) {
        for column in columns.iter().filter(|c| **c != "value") {
            assert_eq!(one[*column], other[*column]);
        }
        if let (Ok(a), Ok(b)) = (one["value"].parse::<f64>(), other["value"].parse::<f64>()) {
            assert!((a - b).abs() <= TOLERANCE_MM.max(1e-6 * a), "{one:?} {other:?}");
        }
    }
    for (file, columns) in [
        ("assessments", &["patient_id", "criterion", "date", "target", "new_lesion", "overall"][..]),
        ("events", &["patient_id", "lesion_id", "date", "event", "class"][..]),
        ("margins", &["patient_id", "lesion_id", "verdict"][..]),
    ] {
        let of = |out: &str| table(&cohort, &format!("{out}/cohort/{file}.csv"), columns);
        assert_eq!(of("out"), of("nifti"), "{file}");
    }
}

#[test]
fn nifti_that_is_not_in_its_unit_fails_its_patient_with_the_reason() {
    let cohort = Cohort::new(&["A-1", "B-2"]);
    as_nifti(&cohort, &["A-1", "B-2"]);
    let path = cohort.path(&format!("as_nifti/A-1/{FOLLOW_UP}/ct_portal_venous.nii.gz"));
    let image = nifti::read_image(&path, FrameId::new("f")).unwrap();
    nifti::write_image(&path, &image.map(|hu| hu + 1024.0)).unwrap();
    std::fs::write(cohort.path("as_nifti/leftover.nii.gz"), "nobody's").unwrap();
    let (code, stderr) = run_on(&cohort, "as_nifti", "out");
    assert_eq!(code, SOME_FAILED, "{stderr}");
    let failed = entry(&status(&cohort, "out"), "A-1");
    assert_eq!(failed["code"], "nifti_not_hu");
    assert!(failed["message"].as_str().unwrap().contains("no value lies below 0"), "{failed}");
    assert!(cohort.read("out/notes.json").contains("leftover.nii.gz"), "a file nobody placed is named");
}

#[test]
fn a_structure_set_on_the_measured_series_is_its_outlines() {
    let cohort = Cohort::new(&["A-1"]);
    std::fs::remove_dir_all(cohort.path("archive/masks")).unwrap();
    for day in [BASELINE, FOLLOW_UP] {
        let half = if day == BASELINE { 3.4 } else { 5.4 };
        let (set, series) = (format!("archive/set-{day}.dcm"), format!("archive/0/{day}"));
        let regions = [("Liver", 9.4), ("GTV_1", half), ("mystery", 2.0)];
        more_dicom::structure_set(&cohort.path(&set), &cohort.path(&series), &regions);
    }
    let series = cohort.path(&format!("archive/0/{BASELINE}"));
    more_dicom::broken_segmentation(&cohort.path("archive/elsewhere.dcm"), &series, "20100203");
    let (code, stderr) = run(&cohort, "out", &[]);
    assert_eq!(code, DONE, "{stderr}");
    let columns = ["date", "quantity", "value"];
    let rows = table(&cohort, "out/cohort/measurements.csv", &columns);
    let volume = |day: &str| {
        let row = rows.iter().find(|r| r["date"] == day && r["quantity"] == "volume").unwrap();
        row["value"].parse::<f64>().unwrap()
    };
    // Squares of 7 × 7 and 11 × 11 voxels on three slices of voxels of 3 × 2.6 × 5 mm.
    assert!((volume(BASELINE) - 147.0 * 39.0).abs() < 0.1, "{}", volume(BASELINE));
    assert!((volume(FOLLOW_UP) - 363.0 * 39.0).abs() < 0.1, "{}", volume(FOLLOW_UP));
    assert!(cohort.path(&format!("out/patients/A-1/{BASELINE}/ct_portal_venous/organ.nii.gz")).is_file());
    let notes = notes(&cohort, "A-1");
    assert!(notes.contains("mystery") && notes.contains("unknown_region"), "{notes}");
    for said in ["unreadable_segmentation", "elsewhere.dcm", "filed under 2010-02-03"] {
        assert!(notes.contains(said), "{said}: {notes}");
    }
}

/// The MR was acquired four days before the Study Date that it shares with CT and PET, and with all three structure sets.
#[test]
fn outlines_follow_the_series_they_were_drawn_on_to_its_day() {
    let Some(archive) = testkit::real_data("sts_dicom/STS_001") else { return };
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().display().to_string();
    let (code, stderr) = call(&["run", "--archive", &archive.display().to_string(), "--out", &folder]);
    assert_eq!(code, DONE, "{stderr}");
    let rows = std::fs::read_to_string(out.path().join("cohort/measurements.csv")).unwrap();
    for visit in ["2000-09-03,0,mr_t1,long_axis", "2000-09-07,4,ct,long_axis"] {
        assert!(rows.contains(visit), "{visit}: {rows}");
    }
}

#[test]
fn a_readers_marks_name_lesions_give_roles_and_stand_where_nothing_is_outlined() {
    let cohort = Cohort::new(&["A-1"]);
    let masks = |day: &str| cohort.path(&format!("archive/masks/A-1/{day}/lesions.nii.gz"));
    let labels = nifti::read_labels(&masks(BASELINE), FrameId::new("f")).unwrap();
    let inside = labels.map(|v| *v == 1);
    let center = imaging::diameter::mask_centroid(&inside).unwrap().to_array();
    let [x, y, z] = center;
    let elsewhere = labels.grid().center(imaging::Index3 { i: 3, j: 20, k: 9 }).to_array();
    let row = |name: &str, day: &str, p: [f64; 3], rest: &str| {
        format!("A-1,{name},{day},{:.3},{:.3},{:.3},{rest}\n", p[0], p[1], p[2])
    };
    let table_text = [
        "patient_id,lesion_id,study_date,x_mm,y_mm,z_mm,organ,role\n".to_owned(),
        row("seg7", BASELINE, [x, y, z], "liver,target"),
        row("bone", BASELINE, elsewhere, "bone,non_target"),
        row("late", "2021-01-01", [x, y, z], ","),
        "Z-9,T1,2020-03-02,1,2,3,,\n".to_owned(),
    ];
    cohort.write("archive/clinical/lesions.csv", &table_text.concat());
    let (code, stderr) = run(&cohort, "out", &[]);
    assert_eq!(code, DONE, "{stderr}");
    let lesions = table(&cohort, "out/cohort/lesions.csv", &["lesion_id", "organ", "role"]);
    let of = |id: &str| lesions.iter().find(|l| l["lesion_id"] == id).unwrap_or_else(|| panic!("{lesions:?}"));
    assert_eq!((of("seg7")["organ"].as_str(), of("seg7")["role"].as_str()), ("liver", "target"));
    assert_eq!((of("bone")["organ"].as_str(), of("bone")["role"].as_str()), ("bone", "non_target"));
    let columns = ["lesion_id", "date", "evaluable", "reason"];
    let rows = table(&cohort, "out/cohort/measurements.csv", &columns);
    let bone = rows.iter().find(|r| r["lesion_id"] == "bone" && r["date"] == BASELINE).unwrap();
    assert!(bone["evaluable"] == "false" && bone["reason"].contains("seen by the reader, not measured"), "{bone:?}");
    assert!(rows.iter().any(|r| r["lesion_id"] == "seg7" && r["date"] == FOLLOW_UP && r["evaluable"] == "true"));
    assert!(notes(&cohort, "A-1").contains("mark_without_visit"));
    assert!(
        cohort.read("out/notes.json").contains("lesions.csv, line 5"),
        "a mark of a patient without images is named"
    );
}

#[test]
fn a_visit_measured_on_the_second_choice_is_not_evaluable_and_says_why() {
    let cohort = Cohort::new(&["A-1"]);
    let (whole, delayed) = (format!("archive/0/{FOLLOW_UP}"), format!("archive/delayed/{FOLLOW_UP}"));
    more_dicom::copy_series(&cohort.path(&whole), &cohort.path(&delayed), "Abdomen delayed");
    std::fs::remove_file(cohort.path(&format!("archive/0/{FOLLOW_UP}/IM0006.dcm"))).unwrap();
    let (code, stderr) = run(&cohort, "out", &[]);
    assert_eq!(code, DONE, "{stderr}");
    let rows = table(&cohort, "out/cohort/assessments.csv", &["criterion", "date", "overall", "why"]);
    let follow_up = rows.iter().find(|r| r["criterion"] == "recist_1_1" && r["date"] == FOLLOW_UP).unwrap();
    assert_eq!(follow_up["overall"], "NE", "{follow_up:?}");
    let notes = notes(&cohort, "A-1");
    assert!(notes.contains("second_choice") && notes.contains("ct_delayed") && notes.contains("missing"), "{notes}");
    let measured = table(&cohort, "out/cohort/measurements.csv", &["date", "series_role", "quantity", "value"]);
    assert!(
        measured.iter().any(|r| r["date"] == FOLLOW_UP && r["series_role"] == "ct_delayed" && !r["value"].is_empty())
    );
}

#[test]
fn own_series_rules_stand_beside_the_built_in_ones_and_are_named() {
    let cohort = Cohort::new(&["A-1"]);
    let with_rules = study("source = \"imported\"").replace("rules = \"\"", "rules = \"rules/ours.toml\"");
    cohort.write("study.toml", &with_rules);
    let rule = "schema = 1\n[[rule]]\nrole = \"ct_delayed\"\nweight = 90\nmodality = \"CT\"\nany = [\"abdomen\"]\nwhy = \"ours\"\n";
    cohort.write("rules/ours.toml", rule);
    let (code, stderr) = run(&cohort, "out", &[]);
    assert_eq!(code, DONE, "{stderr}");
    let rows = table(&cohort, "out/cohort/measurements.csv", &["series_role"]);
    assert!(rows.iter().all(|row| row["series_role"] == "ct_delayed"), "{rows:?}");
    for file in ["out/manifest.json", "out/patients/A-1/report.html"] {
        assert!(cohort.read(file).contains("ours.toml"), "{file}");
    }
    cohort.write("rules/ours.toml", &rule.replace("any", "anything"));
    let (code, stderr) = run(&cohort, "out2", &[]);
    assert!(code == 2 && stderr.contains("anything") && stderr.contains("ours.toml"), "{code} {stderr}");
    std::fs::remove_file(cohort.path("rules/ours.toml")).unwrap();
    let (code, stderr) = run(&cohort, "out2", &[]);
    assert!(
        code == 2 && stderr.contains("[series] rules") && stderr.contains("relative to the study file"),
        "{stderr}"
    );
}

/// The treatments of the one patient, and a later study on the day of the first visit.
fn treated_on_baseline_day(cohort: &Cohort, treatments: &str) {
    cohort.write("archive/clinical/treatments.csv", &format!("patient_id,date,modality,time\n{treatments}"));
    let (morning, evening) = (format!("archive/0/{BASELINE}"), format!("archive/evening/{BASELINE}"));
    let at = jiff::civil::time(16, 30, 0, 0);
    more_dicom::copy_as(&cohort.path(&morning), &cohort.path(&evening), "Abdomen portal venous", "1.2.826.0.1.99", at);
}

/// Overall response by RECIST 1.1 and its reason, by date.
fn responses(cohort: &Cohort) -> BTreeMap<String, (String, String)> {
    let rows = table(cohort, "out/cohort/assessments.csv", &["criterion", "date", "overall", "why"]);
    let of_recist = rows.into_iter().filter(|row| row["criterion"] == "recist_1_1");
    of_recist.map(|row| (row["date"].clone(), (row["overall"].clone(), row["why"].clone()))).collect()
}

#[test]
fn a_modality_that_changes_leaves_recist_partly_ready() {
    let cohort = Cohort::new(&["A-1"]);
    as_nifti(&cohort, &["A-1"]);
    let follow_up = |name: &str| cohort.path(&format!("as_nifti/A-1/{FOLLOW_UP}/{name}.nii.gz"));
    std::fs::rename(follow_up("ct_portal_venous"), follow_up("mr_t1")).unwrap();
    let [archive, patients] = ["as_nifti", "patients.csv"].map(|p| cohort.path(p).display().to_string());
    assert_eq!(call(&["index", &archive, "--patients", &patients]).0, DONE);
    let rows = table(&cohort, "patients.csv", &["criterion", "readiness", "missing"]);
    let recist = rows.iter().find(|row| row["criterion"] == "recist_1_1").unwrap();
    assert_eq!(recist["readiness"], "partly", "{recist:?}");
    assert!(recist["missing"].contains("the modality changes from CT on 2020-03-02"), "{recist:?}");
}

#[test]
fn a_visit_before_the_baseline_of_the_windows_is_not_used() {
    let cohort = Cohort::new(&["A-1"]);
    // The second visit is the last one before treatment; the first lies 80 days before it.
    cohort.write("archive/clinical/treatments.csv", "patient_id,date,modality\nA-1,2020-05-21,MWA\n");
    let (code, stderr) = run(&cohort, "out", &[]);
    assert_eq!(code, DONE, "{stderr}");
    let rows = table(&cohort, "out/cohort/measurements.csv", &["date", "study_day"]);
    assert!(!rows.is_empty() && rows.iter().all(|row| row["date"] == FOLLOW_UP && row["study_day"] == "0"), "{rows:?}");
    assert_eq!(responses(&cohort).keys().collect::<Vec<_>>(), [FOLLOW_UP]);
    let notes = notes(&cohort, "A-1");
    assert!(notes.contains("pre-baseline, not used") && notes.contains("80 days before treatment"), "{notes}");
    let page = cohort.read("out/patients/A-1/report.html");
    let section = &page[page.find("<h2 id=\"earlier-title\">").unwrap()..];
    let row = &section[..section.find("</tbody>").unwrap()];
    // The lesion outlined there has half axes of 9, 7.2 and 9 mm.
    for said in
        ["2020-03-02", "80 days before treatment", "outline 1, liver", "not used for the criteria", " × ", " mL"]
    {
        assert!(row.contains(said), "{said}: {row}");
    }
    // Outlines before baseline that cannot be read stop nobody; the page says why and not where the archive lies.
    cohort.write(&format!("archive/masks/A-1/{BASELINE}/lesions.nii.gz"), "no image");
    assert_eq!(run(&cohort, "damaged", &[]).0, DONE);
    let page = cohort.read("damaged/patients/A-1/report.html");
    let section = &page[page.find("<h2 id=\"earlier-title\">").unwrap()..];
    let row = &section[..section.find("</tbody>").unwrap()];
    assert!(row.contains("not evaluable: ") && row.contains("lesions.nii.gz"), "{row}");
    let place = cohort.path("").display().to_string();
    assert!(!page.contains(&place) && !page.contains(&place.replace('/', "&#x2f;")), "{row}");
}

#[test]
fn a_lesion_at_the_end_of_a_shortened_series_has_no_size() {
    let cohort = Cohort::new(&["A-1"]);
    let slices = cohort.path(&format!("archive/0/{FOLLOW_UP}"));
    let whole = std::fs::read(slices.join("IM0012.dcm")).unwrap();
    std::fs::write(slices.join("IM0013.dcm"), &whole[..400]).unwrap();
    let path = cohort.path(&format!("archive/masks/A-1/{FOLLOW_UP}/lesions.nii.gz"));
    let mut labels = nifti::read_labels(&path, FrameId::new("f")).unwrap();
    let n = labels.shape().ni * labels.shape().nj;
    let slice: Vec<u16> = labels.values()[5 * n..6 * n].to_vec();
    for k in 6..12 {
        labels.values_mut()[k * n..(k + 1) * n].copy_from_slice(&slice);
    }
    nifti::write_labels(&path, &labels).unwrap();
    let (code, stderr) = run(&cohort, "out", &[]);
    assert_eq!(code, DONE, "{stderr}");
    let rows = table(&cohort, "out/cohort/measurements.csv", &["date", "quantity", "value", "evaluable", "reason"]);
    let cut: Vec<_> = rows.iter().filter(|r| r["date"] == FOLLOW_UP).collect();
    assert!(cut.iter().all(|r| r["evaluable"] == "false" && r["value"].is_empty()), "{cut:?}");
    assert!(cut[0]["reason"].contains("IM0013.dcm"), "{cut:?}");
    assert!(rows.iter().any(|r| r["date"] == BASELINE && r["evaluable"] == "true"));
}

#[test]
fn only_failed_says_that_others_are_not_done() {
    let cohort = Cohort::new(&["A-1", "B-2"]);
    let whole = cohort.read("archive/clinical/patients.csv");
    cohort.write("archive/clinical/patients.csv", &whole.replace("B-2,HCC,,2020-06-01", "B-2,HCC,,June"));
    assert_eq!(run(&cohort, "out", &[]).0, SOME_FAILED);
    cohort.write("archive/clinical/patients.csv", &whole);
    assert_eq!(run(&cohort, "out", &["--only", "failed"]).0, DONE, "everybody is done now");
    cohort.write("study.toml", &study("source = \"imported\"").replace("= 25.0", "= 24.0"));
    assert_eq!(run(&cohort, "out", &["--only", "failed"]).0, SOME_FAILED, "nobody failed, but all are stale");
}
