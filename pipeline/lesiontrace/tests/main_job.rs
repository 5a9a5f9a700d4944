//! The main job as a user calls it, on cohorts so small that every test writes its own: what is done, what fails and what is said.

#![expect(clippy::unwrap_used, reason = "a test may unwrap; clippy does not see that its helpers are tests")]

#[path = "files/calls.rs"]
mod calls;
#[path = "files/cohort.rs"]
mod cohort;

use std::path::Path;

use calls::{call, entry, run, status};
use cohort::{BASELINE, Cohort, FOLLOW_UP, comparable, study};
use serde_json::Value;

const DONE: i32 = 0;
const SOME_FAILED: i32 = 1;
const BAD_INPUT: i32 = 65;
const TRANSIENT: i32 = 75;

fn states(status: &Value) -> Vec<&str> {
    status["patients"].as_array().unwrap().iter().map(|p| p["state"].as_str().unwrap()).collect()
}

/// The patients a cohort table names, in order, each once.
fn patients_in(table: &str) -> Vec<&str> {
    let mut ids: Vec<&str> = table.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    ids.dedup();
    ids
}

/// The headers that cli and README promise.
const HEADERS: [(&str, &str); 6] = [
    ("lesions", "patient_id,lesion_id,tracking_uid,organ,kind,role,first_seen_date,state"),
    (
        "measurements",
        "patient_id,lesion_id,date,study_day,series_role,quantity,value,unit,low,high,method,evaluable,reason",
    ),
    (
        "margins",
        "patient_id,lesion_id,treatment_date,study_date,min_margin_mm,low_mm,high_mm,p5_mm,frac_lt0,frac_0_5,frac_5_10,frac_ge10,excluded_capsule_fraction,verdict,reasons",
    ),
    (
        "assessments",
        "patient_id,criterion,date,study_day,sum_mm,baseline_mm,nadir_mm,target,non_target,new_lesion,overall,why,flips_if,ablated_target",
    ),
    ("events", "patient_id,lesion_id,date,event,class,cause,cycle,interval_low_date,needs_review,why"),
    (
        "endpoints",
        "patient_id,unit_id,endpoint,origin_date,end_date,days,months,event,cause,competing,censor_reason,interval_low_date",
    ),
];

#[test]
fn a_sound_cohort_is_done_with_tables_and_pages() {
    let cohort = Cohort::new(&["A-1", "B-2"]);
    let (code, stderr) = run(&cohort, "out", &[]);
    assert_eq!(code, DONE, "{stderr}");
    for (table, header) in HEADERS {
        let text = cohort.read(&format!("out/cohort/{table}.csv"));
        assert!(text.lines().next().unwrap().starts_with(header), "{table}: {text}");
    }
    assert_eq!(patients_in(&cohort.read("out/cohort/measurements.csv")), ["A-1", "B-2"]);
    assert_eq!(patients_in(&cohort.read("out/cohort/margins.csv")), ["B-2"], "only B-2 was ablated");
    let grown = cohort.read("out/cohort/assessments.csv");
    let grown = grown.lines().find(|l| l.starts_with(&format!("A-1,recist_1_1,{FOLLOW_UP}"))).unwrap();
    // 18 → 25 mm: more than 20 % and 5 mm.
    assert!(grown.contains(",PD,"), "{grown}");
    for page in ["cohort/report.html", "patients/A-1/report.html", "patients/B-2/report.html"] {
        assert!(cohort.read(&format!("out/{page}")).contains("</html>"), "{page}");
    }
    for visit in [BASELINE, FOLLOW_UP] {
        assert!(cohort.path(&format!("out/patients/A-1/{visit}/ct_portal_venous/lesions.nii.gz")).is_file(), "{visit}");
    }
    let status = status(&cohort, "out");
    assert_eq!(states(&status), ["done", "done"]);
    assert_eq!(status["counts"]["done"], 2);
    assert_eq!((&entry(&status, "A-1")["attempt"], &entry(&status, "A-1")["message"]), (&1.into(), &"".into()));
}

/// The forecast of a dry run is of what is done, and bytes do not depend on the machine.
#[test]
fn a_dry_run_forecasts_what_the_run_leaves_on_disk() {
    let cohort = Cohort::new(&["A-1", "B-2"]);
    let said = |more: &[&str]| {
        let [study, archive, out] = ["study.toml", "archive", "out"].map(|p| cohort.path(p).display().to_string());
        let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_lesiontrace"));
        let call = ["run", &study, "--archive", &archive, "--out", &out, "--threads", "2", "--dry-run"];
        String::from_utf8(command.args(call).args(more).output().unwrap().stdout).unwrap()
    };
    let before = said(&[]);
    let line = before.lines().find(|line| line.starts_with("forecast: ")).unwrap_or_else(|| panic!("{before}"));
    assert!(line.contains("with 2 threads") && line.contains("of memory"), "{line}");
    assert!(before.contains("for 4 visits with 1 million voxels to read and 2 registrations"), "{before}");
    let disk = line.rsplit(", ").next().unwrap().strip_suffix(" MB on disk").unwrap();
    let [low, high] = disk.split_once(" to ").map(|ends| [ends.0, ends.1].map(|n| n.parse::<u64>().unwrap())).unwrap();
    assert_eq!(run(&cohort, "out", &[]).0, DONE);
    let bytes: usize = comparable(&cohort.path("out")).values().map(Vec::len).sum();
    assert!((low * 1_000_000..=high * 1_000_000).contains(&(bytes as u64)), "{bytes}: {line}");
    assert!(said(&["--resume"]).contains("forecast: nothing to do"));
}

/// What a reader of SDTM makes of the tumour tables is what the images gave.
#[test]
fn the_tumour_tables_give_the_responses_again() {
    let cohort = Cohort::new(&["A-1"]);
    let (code, stderr) = run(&cohort, "out", &[]);
    assert_eq!(code, DONE, "{stderr}");
    let [tu, tr, rs] = ["tu", "tr", "again"].map(|t| cohort.path(&format!("out/cohort/{t}.csv")).display().to_string());
    let (code, stderr) = call(&["assess", "--tu", &tu, "--tr", &tr, "--out", &rs]);
    assert_eq!(code, DONE, "{stderr}");
    let responses = |table: &str| -> Vec<String> {
        let text = cohort.read(&format!("out/cohort/{table}.csv"));
        let of_criterion = |line: &&str| table == "again" || line.contains(",RECIST 1.1,");
        let overall = text.lines().filter(|line| line.contains("OVRLRESP")).filter(of_criterion);
        overall.map(|line| line.split(',').filter(|cell| cell.starts_with("20") || *cell == "PD").collect()).collect()
    };
    assert_eq!(responses("again"), [format!("PDPD{FOLLOW_UP}")]);
    assert_eq!(responses("rs"), responses("again"));
    assert!(cohort.read("out/cohort/adtte.csv").starts_with("USUBJID,PARAMCD,PARAM,STARTDT,ADT,AVAL,AVALU,CNSR"));
}

/// ADaM beside SDTM: best responses as the run has them, days counted as asked, and where each date comes from.
#[test]
fn the_analysis_tables_say_what_the_run_found() {
    let cohort = Cohort::new(&["A-1", "B-2"]);
    let study = cohort.read("study.toml").replace("adam_days = \"difference\"", "adam_days = \"plus1\"");
    cohort.write("study.toml", &study);
    assert_eq!(run(&cohort, "out", &[]).0, DONE);
    let cells = |table: &str| -> Vec<Vec<String>> {
        let text = cohort.read(&format!("out/cohort/{table}.csv"));
        text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
    };
    let (adrs, adtr, adtte) = (cells("adrs"), cells("adtr"), cells("adtte"));
    for id in ["A-1", "B-2"] {
        let result: serde_json::Value =
            serde_json::from_str(&cohort.read(&format!("out/patients/{id}/result.json"))).unwrap();
        for (code, key) in [("BOR", "unconfirmed"), ("CBOR", "confirmed")] {
            let row = adrs.iter().find(|row| row[0] == id && row[1] == code && row[10] == "RECIST 1.1").unwrap();
            let best =
                result["best"].as_array().unwrap().iter().find(|best| best["criterion"] == "recist_1_1").unwrap();
            assert_eq!(best[key], row[5].as_str(), "{id} {code}");
        }
    }
    assert!(adtr.iter().any(|row| row[0] == "A-1" && row[1] == "SDIAM" && row[3] == BASELINE && row[13] == "Y"));
    let endpoints = cells("endpoints");
    assert_eq!(adtte.len(), endpoints.len());
    for (row, endpoint) in adtte[1..].iter().zip(&endpoints[1..]) {
        assert_eq!(row[5].parse::<i64>().unwrap(), endpoint[5].parse::<i64>().unwrap() + 1, "{row:?}");
        if row[14] == "ADRS" {
            let source = adrs.iter().find(|other| other[0] == row[0] && other[17] == row[16]).unwrap();
            assert_eq!(source[3], row[4], "the row ADT comes from");
        }
    }
    let progression = adtte.iter().find(|row| row[0] == "A-1" && row[1] == "PFS").unwrap();
    assert_eq!(progression[14..16], ["ADRS", "ADT"]);
}

/// A-1 failed because of its portal venous series, and says so; B-2 is in the tables.
fn only_b_is_done(cohort: &Cohort, code_and_stderr: &(i32, String)) -> String {
    assert_eq!(code_and_stderr.0, SOME_FAILED, "{}", code_and_stderr.1);
    let status = status(cohort, "out");
    assert_eq!(states(&status), ["failed", "done"]);
    let broken = entry(&status, "A-1");
    for key in ["stage", "code", "message", "remedy"] {
        assert!(!broken[key].as_str().unwrap().is_empty(), "{key} of {broken}");
    }
    assert_eq!(patients_in(&cohort.read("out/cohort/measurements.csv")), ["B-2"]);
    let message = broken["message"].as_str().unwrap().to_owned();
    let page = cohort.read("out/cohort/report.html");
    assert!(page.contains("A-1") && page.contains("failed"), "the cohort's page does not name who is missing");
    message
}

#[test]
fn a_missing_slice_fails_its_patient_alone_and_names_the_series() {
    let cohort = Cohort::new(&["A-1", "B-2"]);
    std::fs::remove_file(cohort.path(&format!("archive/0/{FOLLOW_UP}/IM0006.dcm"))).unwrap();
    let message = only_b_is_done(&cohort, &run(&cohort, "out", &[]));
    assert!(message.contains("Abdomen portal venous") && message.contains(FOLLOW_UP), "{message}");
    assert!(message.contains("missing"), "{message}");
}

#[test]
fn a_truncated_slice_fails_its_patient_alone_and_names_the_file() {
    let cohort = Cohort::new(&["A-1", "B-2"]);
    let path = cohort.path(&format!("archive/0/{FOLLOW_UP}/IM0006.dcm"));
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 200]).unwrap();
    let message = only_b_is_done(&cohort, &run(&cohort, "out", &[]));
    assert!(message.contains("IM0006.dcm"), "{message}");
}

#[test]
fn a_date_that_is_none_fails_its_patient_with_file_line_and_column() {
    let cohort = Cohort::new(&["A-1", "B-2"]);
    let table = "patient_id,diagnosis,death_date,last_contact_date\nB-2,HCC,,2020-06-01\nA-1,HCC,31.12.2020,\n";
    cohort.write("archive/clinical/patients.csv", table);
    let message = only_b_is_done(&cohort, &run(&cohort, "out", &[]));
    assert!(message.contains("patients.csv, line 3, column death_date"), "{message}");
    assert!(message.contains("31.12.2020") && message.contains("YYYY-MM-DD"), "{message}");
}

#[test]
fn a_treatment_of_nobody_is_noted_and_stops_nobody() {
    let cohort = Cohort::new(&["A-1", "B-2"]);
    let table = cohort.read("archive/clinical/treatments.csv");
    cohort.write("archive/clinical/treatments.csv", &format!("{table}Z-9,2020-03-20,1,IRE\n"));
    let (code, stderr) = run(&cohort, "out", &[]);
    assert_eq!(code, DONE, "{stderr}");
    for file in ["out/notes.json", "out/cohort/report.html"] {
        let text = cohort.read(file);
        assert!(text.contains("Z-9") && text.contains("treatments.csv"), "{file}");
    }
}

#[test]
fn one_patient_spelled_twice_is_noted_with_both_spellings() {
    let cohort = Cohort::new(&["LT 1", "lt-01"]);
    let (code, stderr) = run(&cohort, "out", &[]);
    assert_eq!(code, DONE, "{stderr}");
    let notes: Value = serde_json::from_str(&cohort.read("out/notes.json")).unwrap();
    let note = notes.as_array().unwrap().iter().find(|n| n["code"] == "patient_spelled_twice").unwrap();
    let message = note["message"].as_str().unwrap();
    assert!(message.contains("\"LT 1\"") && message.contains("\"lt-01\""), "{message}");
    assert!(cohort.path("out/patients/LT%201/report.html").is_file());
    assert_eq!(patients_in(&cohort.read("out/cohort/lesions.csv")), ["LT 1", "lt-01"], "they are kept apart");
}

#[test]
fn a_folder_without_images_is_bad_input() {
    let cohort = Cohort::new(&[]);
    let (code, stderr) = run(&cohort, "out", &[]);
    assert_eq!(code, BAD_INPUT);
    let archive = cohort.path("archive").display().to_string();
    assert!(stderr.contains("no DICOM, NIfTI or NRRD found under") && stderr.contains(&archive), "{stderr}");
    assert!(!cohort.path("out").exists(), "nothing is written before the archive is known");
}

#[test]
fn a_model_that_is_not_the_one_of_its_card_stops_the_run_with_both_digests() {
    let cohort = Cohort::new(&["A-1"]);
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test_data/models/bright-0.1.0");
    let card = std::fs::read_to_string(shipped.join("card.toml")).unwrap();
    let found = card.lines().find_map(|line| line.strip_prefix("sha256 = ")).unwrap().trim_matches('"');
    let expected = "0123456789abcdef".repeat(4);
    cohort.write("model/card.toml", &card.replace(found, &expected));
    std::fs::copy(shipped.join("model.onnx"), cohort.path("model/model.onnx")).unwrap();
    let model = format!("segmentation = \"{}\"", cohort.path("model").display());
    cohort.write("study.toml", &study("source = \"model\"").replace("segmentation = \"\"", &model));
    let (code, stderr) = run(&cohort, "out", &[]);
    assert_eq!(code, BAD_INPUT, "{stderr}");
    assert!(stderr.contains(&expected) && stderr.contains(found), "{stderr}");
}

#[test]
fn an_out_folder_below_a_file_is_refused_with_its_path() {
    let cohort = Cohort::new(&["A-1"]);
    cohort.write("occupied", "a file");
    let (code, stderr) = run(&cohort, "occupied/out", &[]);
    assert_eq!(code, BAD_INPUT, "{stderr}");
    assert!(stderr.contains(&cohort.path("occupied/out").display().to_string()), "{stderr}");
    assert_eq!(cohort.read("occupied"), "a file");
}

/// A small file system that is unmounted when the test ends, however it ends.
struct TinyDisk(std::path::PathBuf);

impl TinyDisk {
    fn mount(folder: &Path, size: &str) -> Option<Self> {
        std::fs::create_dir_all(folder).unwrap();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(folder);
        let mounted = mount.stderr(std::process::Stdio::null()).status().is_ok_and(|status| status.success());
        mounted.then(|| Self(folder.to_owned()))
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_transient_and_leaves_no_half_file() {
    let cohort = Cohort::new(&["A-1", "B-2"]);
    for size in ["8k", "64k", "120k"] {
        let Some(disk) = TinyDisk::mount(&cohort.path("out"), size) else {
            println!("NOT RUN: this machine does not let the test mount a small file system");
            return;
        };
        let (code, stderr) = run(&cohort, "out", &[]);
        assert_eq!(code, TRANSIENT, "{size}: {stderr}");
        let out = cohort.path("out").display().to_string();
        assert!(stderr.contains(&out) && stderr.contains("disk full"), "{size}: {stderr}");
        for (path, bytes) in comparable(&cohort.path("out")) {
            let name = path.file_name().unwrap().to_string_lossy();
            assert!(!name.starts_with('.') && !bytes.is_empty(), "{size}: {} is half a file", path.display());
            assert!(!name.ends_with(".json") || serde_json::from_slice::<Value>(&bytes).is_ok(), "{}", path.display());
        }
        drop(disk);
    }
    // With room again the same command goes through.
    assert_eq!(run(&cohort, "out", &["--resume"]).0, DONE);
}

#[test]
fn resume_keeps_who_is_done_and_force_does_everybody_anew() {
    let cohort = Cohort::new(&["A-1", "B-2"]);
    let attempts = || {
        let status = status(&cohort, "out");
        assert_eq!(states(&status), ["done", "done"]);
        ["A-1", "B-2"].map(|id| entry(&status, id)["attempt"].as_u64().unwrap())
    };
    assert_eq!(run(&cohort, "out", &[]).0, DONE);
    let first = comparable(&cohort.path("out"));
    assert_eq!(run(&cohort, "out", &["--resume"]).0, DONE);
    assert_eq!(attempts(), [1, 1]);
    assert!(comparable(&cohort.path("out")) == first, "resuming a finished run changes nothing");
    let rows = cohort.path(&format!("archive/masks/A-1/{BASELINE}/lesions.csv"));
    std::fs::write(rows, "label,organ,kind\n1,liver,lesion\n2,liver,lesion\n").unwrap();
    assert_eq!(run(&cohort, "out", &["--resume"]).0, DONE);
    assert_eq!(attempts(), [2, 1], "only the patient whose input changed is done anew");
    assert_eq!(run(&cohort, "out", &["--force"]).0, DONE);
    assert_eq!(attempts(), [3, 2]);
}

#[test]
fn results_of_another_study_are_stale_until_they_are_redone() {
    let cohort = Cohort::new(&["A-1", "B-2"]);
    assert_eq!(run(&cohort, "out", &[]).0, DONE);
    let changed = cohort.read("study.toml").replace("max_distance_mm = 25.0", "max_distance_mm = 24.0");
    cohort.write("study.toml", &changed);
    run(&cohort, "out", &["--only", "failed"]);
    let before = status(&cohort, "out");
    assert_eq!(states(&before), ["stale", "stale"]);
    assert!(entry(&before, "A-1")["remedy"].as_str().unwrap().contains("--resume"));
    assert_eq!(call(&["collect", &cohort.path("out").display().to_string()]).0, SOME_FAILED);
    let page = cohort.read("out/cohort/report.html");
    assert!(
        page.contains("the settings or the input changed"),
        "the cohort's page does not say that results are stale"
    );
    assert_eq!(run(&cohort, "out", &["--resume"]).0, DONE);
    assert_eq!(states(&status(&cohort, "out")), ["done", "done"]);
}

#[test]
fn shards_collected_are_the_same_cohort_as_one_run() {
    let cohort = Cohort::new(&["A-1", "B-2", "C-3"]);
    assert_eq!(run(&cohort, "whole", &[]).0, DONE);
    assert_eq!(run(&cohort, "parts", &["--shard", "1/2"]).0, DONE);
    let half_way = status(&cohort, "parts");
    assert!(states(&half_way).contains(&"done") && states(&half_way).contains(&"missing"), "{half_way}");
    assert!(!cohort.path("parts/cohort").exists(), "a shard does not collect");
    // Three patients that take as long as each other: two and one.
    let division: serde_json::Value = serde_json::from_str(&cohort.read("parts/shards-of-2.json")).unwrap();
    let shards: Vec<u64> = ["A-1", "B-2", "C-3"].map(|id| division["patients"][id].as_u64().unwrap()).to_vec();
    assert_eq!(shards, [1, 2, 1], "{division}");
    assert_eq!(run(&cohort, "parts", &["--shard", "2/2"]).0, DONE);
    let out = cohort.path("parts").display().to_string();
    assert_eq!(call(&["collect", &out]).0, DONE);
    same_files(&cohort, "whole", "parts");
    assert_eq!(call(&["collect", &out]).0, DONE);
    same_files(&cohort, "whole", "parts");
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    let cohort = Cohort::new(&["A-1", "B-2"]);
    assert_eq!(run(&cohort, "one", &["--threads", "1"]).0, DONE);
    assert_eq!(run(&cohort, "two", &["--threads", "2"]).0, DONE);
    same_files(&cohort, "one", "two");
}

/// Every file but manifests and ledger entries has the same bytes: tables, masks, transforms, pages.
fn same_files(cohort: &Cohort, one: &str, other: &str) {
    let (one, other) = (comparable(&cohort.path(one)), comparable(&cohort.path(other)));
    assert!(one.len() > 15, "{:?}", one.keys());
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    let differ: Vec<_> = one.iter().filter(|(path, bytes)| other[*path] != **bytes).map(|(path, _)| path).collect();
    assert!(differ.is_empty(), "{differ:?}");
}
