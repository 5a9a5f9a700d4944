//! Readers' decisions through the whole program: what a page offers, what is put into force, what changes and what does not; and the
//! reports of a finished run written anew.

#![expect(clippy::unwrap_used, reason = "a test may unwrap; clippy does not see that its helpers are tests")]

mod calipers;
#[path = "../files/calls.rs"]
#[expect(dead_code, reason = "shared with other tests, which use the rest")]
mod calls;
#[path = "../files/cohort.rs"]
mod cohort;
mod leaving;
mod together;
mod who_and_when;

use std::collections::BTreeMap;
use std::path::PathBuf;

use calls::{call, run};
use cohort::{BASELINE, Cohort, FOLLOW_UP, comparable};
use formats::nifti;
use imaging::{FrameId, LabelMap};
use serde_json::{Value, json};

const DONE: i32 = 0;
const BAD_INPUT: i32 = 65;

/// A run of two patients, and the archive moved away: what follows needs no images.
fn finished() -> Cohort {
    let cohort = Cohort::new(&["A-1", "B-2"]);
    let (code, stderr) = run(&cohort, "out", &[]);
    assert_eq!(code, DONE, "{stderr}");
    std::fs::rename(cohort.path("archive"), cohort.path("elsewhere")).unwrap();
    cohort
}

/// A second lesion beside the first one, at both visits of a patient.
fn add_lesion(cohort: &Cohort, patient: &str) {
    add_lesions(cohort, patient, &[([18.0, 24.0, 29.0], 7.0)]);
}

/// Balls (centre and radius in mm along the grid) beside the first lesion, at both visits of a patient.
fn add_lesions(cohort: &Cohort, patient: &str, balls: &[([f64; 3], f64)]) {
    for day in [BASELINE, FOLLOW_UP] {
        let masks = cohort.path(&format!("archive/masks/{patient}/{day}"));
        let labels = nifti::read_labels(&masks.join("lesions.nii.gz"), FrameId::new("any")).unwrap();
        let all = LabelMap::from_fn(labels.grid().clone(), |at| {
            let mm = [at.i as f64 * 3.0, at.j as f64 * 2.6, at.k as f64 * 5.0];
            let is_in = |(centre, radius): &([f64; 3], f64)| {
                centre.iter().zip(mm).map(|(centre, at)| (at - centre).powi(2)).sum::<f64>() <= radius * radius
            };
            balls.iter().position(is_in).map_or(*labels.at(at), |n| n as u16 + 2)
        });
        nifti::write_labels(&masks.join("lesions.nii.gz"), &all).unwrap();
        let rows: String = (1..=balls.len() + 1).map(|label| format!("{label},liver,lesion\n")).collect();
        std::fs::write(masks.join("lesions.csv"), format!("label,organ,kind\n{rows}")).unwrap();
    }
}

/// Leaves a small run with two lesions for `scripts/check_review --small`.
#[test]
#[ignore = "writes a run for a script"]
fn a_small_run_for_the_browser() {
    let cohort = Cohort::new(&["A-1", "B-2"]);
    add_lesion(&cohort, "A-1");
    let (code, stderr) = run(&cohort, "out", &[]);
    assert_eq!(code, DONE, "{stderr}");
    let left = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("review_run");
    let _ = std::fs::remove_dir_all(&left);
    for (name, bytes) in comparable_with_states(&cohort) {
        std::fs::create_dir_all(left.join(&name).parent().unwrap()).unwrap();
        std::fs::write(left.join(&name), bytes).unwrap();
    }
}

/// Every file of a run.
fn comparable_with_states(cohort: &Cohort) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = comparable(&cohort.path("out"));
    for name in ["manifest.json", "patients/A-1/status.json", "patients/B-2/status.json"] {
        files.insert(PathBuf::from(name), std::fs::read(cohort.path(&format!("out/{name}"))).unwrap());
    }
    files
}

#[test]
fn another_role_of_one_lesion_leaves_the_other_one_alone_and_links_can_be_taken_apart() {
    let cohort = Cohort::new(&["A-1"]);
    add_lesion(&cohort, "A-1");
    let (code, stderr) = run(&cohort, "out", &[]);
    assert_eq!(code, DONE, "{stderr}");
    let before = cohort.read("out/cohort/lesions.csv");
    assert_eq!(before.matches(",target,").count(), 2, "{before}");
    let data = page_data(&cohort, "out", "A-1");
    let (code, stderr) = apply(&cohort, &save(&cohort, "a.json", &[read(&data, 1, "", "role", "non_target")]));
    assert_eq!(code, DONE, "{stderr}");
    let after = cohort.read("out/cohort/lesions.csv");
    assert_eq!(changed_lines(&before, &after).len(), 2, "one row out, one row in");
    assert_eq!((after.matches(",target,").count(), after.matches(",non_target,").count()), (1, 1), "{after}");
    let (code, stderr) = apply(&cohort, &save(&cohort, "b.json", &[read(&data, 1, FOLLOW_UP, "split", "split")]));
    assert_eq!(code, DONE, "{stderr}");
    let after = cohort.read("out/cohort/lesions.csv");
    assert!(after.contains(&format!("A-1,L2.{FOLLOW_UP},")) && after.contains(",new,"), "{after}");
    // What the split made can be read from the page it made, and be put together with the other lesion.
    let data = page_data(&cohort, "out", "A-1");
    let part = data["review"]["lesions"].as_array().unwrap().iter().position(|l| l["tracking_uid"] == "").unwrap();
    let (code, stderr) = apply(&cohort, &save(&cohort, "c.json", &[read(&data, part, "", "same_as", "L1")]));
    assert_eq!(code, DONE, "{stderr}");
    let after = cohort.read("out/cohort/measurements.csv");
    assert!(!after.contains("L2.2020"), "{after}");
    let own = |quantity: &str| {
        after.lines().filter(|l| l.starts_with(&format!("A-1,L1,{FOLLOW_UP}")) && l.contains(quantity)).count()
    };
    assert_eq!((own(",long_axis,"), own(",long_axis_piece_")), (1, 2), "two pieces make one number");
}

/// What a page hands to its script.
fn page_data(cohort: &Cohort, out: &str, patient: &str) -> Value {
    let html = cohort.read(&format!("{out}/patients/{patient}/report.html"));
    let start = html.find("data-review=\"").unwrap() + "data-review=\"".len();
    let text = &html[start..start + html[start..].find('"').unwrap()];
    serde_json::from_str(&text.replace("&quot;", "\"").replace("&#x2f;", "/")).unwrap()
}

/// A read of a lesion as the page's script saves it.
fn read(data: &Value, lesion: usize, visit: &str, item: &str, value: &str) -> Value {
    let lesion = &data["review"]["lesions"][lesion];
    let visits = lesion["visits"].as_array().unwrap();
    let at = visits.iter().find(|at| at["visit"] == visit);
    json!({
        "patient_id": data["patient_id"], "lesion_id": lesion["lesion_id"], "tracking_uid": lesion["tracking_uid"],
        "visit": visit, "item": item, "value": value, "reader": "Reader A", "read_at": "2026-03-04T09:30:00.000Z",
        "comment": "seen beside the prior", "adjudicator": false, "old": "",
        "based_on": at.map_or(&lesion["based_on"], |at| &at["based_on"]),
    })
}

/// The diameter a page shows, `25.00 mm (x y z; x y z)`, from its first end a part of the way to the other.
fn shortened(seen: &str, part: f64) -> String {
    let ends = seen.split_once('(').unwrap().1.trim_end_matches(')');
    let points: Vec<Vec<f64>> = ends.split("; ").map(|p| p.split(' ').map(|v| v.parse().unwrap()).collect()).collect();
    let at = |part: f64| {
        let mm = (0..3).map(|a| format!("{:.3}", points[0][a] + part * (points[1][a] - points[0][a])));
        mm.collect::<Vec<_>>().join(" ")
    };
    format!("{}; {}", at(0.0), at(part))
}

fn save(cohort: &Cohort, name: &str, reads: &[Value]) -> String {
    cohort.write(name, &json!({"schema_version": 1, "reads": reads}).to_string());
    cohort.path(name).display().to_string()
}

fn apply(cohort: &Cohort, file: &str) -> (i32, String) {
    call(&["review", "apply", &cohort.path("out").display().to_string(), "--reads", file])
}

/// Files that differ, by name.
fn changed(before: &BTreeMap<PathBuf, Vec<u8>>, after: &BTreeMap<PathBuf, Vec<u8>>) -> Vec<String> {
    let names: std::collections::BTreeSet<&PathBuf> = before.keys().chain(after.keys()).collect();
    let differ = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    differ.map(|name| name.display().to_string()).collect()
}

/// Lines of a cohort table that are in one and not in the other.
fn changed_lines(before: &str, after: &str) -> Vec<String> {
    let only = |a: &str, b: &str| -> Vec<String> {
        a.lines().filter(|line| !b.lines().any(|other| other == *line)).map(str::to_owned).collect()
    };
    [only(before, after), only(after, before)].concat()
}

#[test]
fn reports_of_a_finished_run_are_written_anew_byte_by_byte_without_the_archive() {
    let cohort = finished();
    let before = comparable(&cohort.path("out"));
    for page in ["patients/A-1/report.html", "cohort/report.html"] {
        std::fs::remove_file(cohort.path(&format!("out/{page}"))).unwrap();
    }
    let out = cohort.path("out").display().to_string();
    let (code, stderr) = call(&["report", &out]);
    assert_eq!(code, DONE, "{stderr}");
    assert_eq!(changed(&before, &comparable(&cohort.path("out"))), [""; 0]);
    // Results of another program are not shown as if they were this one's.
    let settings = cohort.read("out/equipment.json");
    cohort.write("out/equipment.json", &settings.replacen("\"assess\": ", "\"assess\": 9", 1));
    let (code, stderr) = call(&["report", &out]);
    assert!(code == BAD_INPUT && stderr.contains("assess") && stderr.contains("--resume"), "{stderr}");
}

#[test]
fn without_a_browser_pdf_says_what_to_install() {
    let cohort = finished();
    let out = cohort.path("out").display().to_string();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_lesiontrace"));
    let output = command.args(["report", &out, "--pdf"]).env("PATH", "").env_remove("CHROMIUM").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(BAD_INPUT) && said.contains("chromium") && said.contains("apt-get"), "{said}");
}

#[test]
fn a_rejected_lesion_changes_its_patient_alone_and_stays_rejected() {
    let cohort = finished();
    let before = comparable(&cohort.path("out"));
    let data = page_data(&cohort, "out", "A-1");
    let file = save(&cohort, "reads.json", &[read(&data, 0, "", "finding", "reject")]);
    let (code, stderr) = apply(&cohort, &file);
    assert_eq!(code, DONE, "{stderr}");
    let after = comparable(&cohort.path("out"));
    let own = ["files.json", "notes.json", "reads.json", "report.html", "result.json", "sources.json"];
    for name in changed(&before, &after) {
        assert!(name.starts_with("cohort/") || own.iter().any(|own| name == format!("patients/A-1/{own}")), "{name}");
    }
    for table in ["lesions", "measurements", "margins", "assessments", "events", "endpoints"] {
        let of = |files: &BTreeMap<PathBuf, Vec<u8>>| {
            String::from_utf8(files[&PathBuf::from(format!("cohort/{table}.csv"))].clone()).unwrap()
        };
        let (before, after) = (of(&before), of(&after));
        assert!(changed_lines(&before, &after).iter().all(|line| line.starts_with("A-1,")), "{table}");
        if ["lesions", "measurements"].contains(&table) {
            assert!(before.contains("A-1,L1,") && !after.contains("A-1,L1,"), "{table}: {after}");
        }
    }
    let page = cohort.read("out/patients/A-1/report.html");
    assert!(page.contains("Reader A") && page.contains("seen beside the prior") && page.contains("in force"));
    let kept: Value = serde_json::from_str(&cohort.read("out/patients/A-1/reads.json")).unwrap();
    assert_eq!((&kept["reads"][0]["old"], &kept["reads"][0]["outcome"]), (&json!("accept"), &json!("applied")));
    assert!(cohort.read("out/cohort/reads.csv").contains("A-1,L1,"));
    // Twice is once; a later run keeps it, with --force too; a run that is given the file says the same.
    assert_eq!(apply(&cohort, &file).0, DONE);
    assert_eq!(changed(&after, &comparable(&cohort.path("out"))), [""; 0]);
    std::fs::rename(cohort.path("elsewhere"), cohort.path("archive")).unwrap();
    for option in ["--resume", "--force"] {
        assert_eq!(run(&cohort, "out", &[option]).0, DONE);
        assert_eq!(changed(&after, &comparable(&cohort.path("out"))), [""; 0], "{option}");
    }
    let (code, stderr) = run(&cohort, "given", &["--reads", &file]);
    assert_eq!(code, DONE, "{stderr}");
    assert_eq!(changed(&after, &comparable(&cohort.path("given"))), [""; 0]);
    // Taken back, everything is as the program found it.
    let mut accept = read(&data, 0, "", "finding", "accept");
    accept["read_at"] = json!("2026-03-05T09:30:00Z");
    let (code, stderr) = apply(&cohort, &save(&cohort, "back.json", &[accept]));
    assert_eq!(code, DONE, "{stderr}");
    for table in ["lesions", "measurements", "assessments", "endpoints"] {
        let name = PathBuf::from(format!("cohort/{table}.csv"));
        assert_eq!(comparable(&cohort.path("out"))[&name], before[&name], "{table}");
    }
}

#[test]
fn a_caliper_replaces_the_axis_and_what_follows_from_it() {
    let cohort = finished();
    let before = cohort.read("out/cohort/measurements.csv");
    let data = page_data(&cohort, "out", "A-1");
    let at = &data["review"]["lesions"][0]["visits"][1];
    let seen = |item: &str| at[item].as_str().unwrap().to_owned();
    // 25 mm become 20, and the short axis with it: a long axis that is shorter than the program's short one is none.
    let drawn = |item: &str| read(&data, 0, FOLLOW_UP, item, &shortened(&seen(item), 0.8));
    let (code, stderr) = apply(&cohort, &save(&cohort, "long.json", &[drawn("long_axis")]));
    assert!(code == BAD_INPUT && stderr.contains("the program's) is longer than the long axis"), "{stderr}");
    let file = save(&cohort, "reads.json", &[drawn("long_axis"), drawn("short_axis")]);
    let (code, stderr) = apply(&cohort, &file);
    assert_eq!(code, DONE, "{stderr}");
    let rows = changed_lines(&before, &cohort.read("out/cohort/measurements.csv"));
    assert_eq!(rows.len(), 4, "two rows out, two rows in: {rows:?}");
    assert!(rows[2].contains("long_axis") && rows[2].contains("caliper drawn by a reader"), "{rows:?}");
    let mm: f64 = seen("long_axis").split(' ').next().unwrap().parse().unwrap();
    let drawn: f64 = rows[2].split(',').nth(6).unwrap().parse().unwrap();
    assert!((drawn - 0.8 * mm).abs() < 0.02, "{drawn} of {mm}");
    let assessed = cohort.read("out/cohort/assessments.csv");
    let row = assessed.lines().find(|l| l.starts_with(&format!("A-1,recist_1_1,{FOLLOW_UP}"))).unwrap();
    assert!(row.contains(",SD,"), "18 to 20 mm is stable: {row}");
}

#[test]
fn foreign_stale_and_malformed_files_change_nothing_and_say_why() {
    let cohort = finished();
    let before = comparable(&cohort.path("out"));
    let data = page_data(&cohort, "out", "A-1");
    let good = read(&data, 0, "", "finding", "reject");
    let with = |name: &str, value: Value| {
        let mut read = good.clone();
        read[name] = value;
        save(&cohort, "bad.json", &[good.clone(), read])
    };
    for (name, value, why) in [
        ("patient_id", "Z-9", "another cohort"),
        ("tracking_uid", "2.25.1", "another lesion"),
        ("based_on", "0123456789abcdef", "stale"),
        ("item", "colour", "item"),
    ] {
        let (code, stderr) = apply(&cohort, &with(name, json!(value)));
        assert!(code == BAD_INPUT && stderr.contains(why), "{why}: {code} {stderr}");
    }
    for (name, text, why) in [
        ("cut.json", "{\"schema_version\": 1, \"reads\": [", "reads saved from"),
        ("wrong.json", "{\"schema_version\": 1, \"reads\": [{\"item\": \"role\"}]}", "read 1"),
        ("newer.json", "{\"schema_version\": 7, \"reads\": []}", "schema_version"),
        ("table.csv", "patient_id,lesion\nA-1,L1\n", "lesion_id"),
        ("text.txt", "A-1", ".json or .csv"),
    ] {
        cohort.write(name, text);
        let (code, stderr) = apply(&cohort, &cohort.path(name).display().to_string());
        assert!(code == BAD_INPUT && stderr.contains(why), "{name}: {code} {stderr}");
    }
    assert_eq!(changed(&before, &comparable(&cohort.path("out"))), [""; 0]);
    std::fs::rename(cohort.path("elsewhere"), cohort.path("archive")).unwrap();
    let (code, stderr) = run(&cohort, "other", &["--reads", &with("patient_id", json!("Z-9"))]);
    assert!(code == BAD_INPUT && stderr.contains("Z-9"), "{stderr}");
}

#[test]
fn a_table_beside_the_archive_is_put_into_force_and_two_readers_are_adjudicated() {
    let cohort = Cohort::new(&["A-1"]);
    let header = "patient_id,lesion_id,visit,item,value,reader,read_at,comment,adjudicator\n";
    let line = |reader: &str, value: &str, judge: &str| {
        format!("A-1,L1,,role,{value},{reader},2026-03-04T09:30:00Z,=1+1,{judge}\n")
    };
    let table = "archive/clinical/reads.csv";
    cohort.write(table, &format!("{header}{}{}", line("Reader A", "non_target", ""), line("<b>B</b>", "target", "")));
    let (code, stderr) = run(&cohort, "out", &[]);
    assert_eq!(code, DONE, "{stderr}");
    assert!(cohort.read("out/cohort/lesions.csv").contains(",target,"), "nobody adjudicated");
    let page = cohort.read("out/patients/A-1/report.html");
    assert!(page.contains("readers disagree") && !page.contains("<b>B</b>"));
    assert!(cohort.read("out/patients/A-1/notes.json").contains("readers_disagree"));
    assert!(cohort.read("out/cohort/reads.csv").contains("'=1+1"), "no cell begins a formula");
    cohort.write(
        table,
        &format!(
            "{header}{}{}{}",
            line("Reader A", "non_target", ""),
            line("<b>B</b>", "target", ""),
            line("C", "non_target", "yes")
        ),
    );
    assert_eq!(run(&cohort, "out", &["--resume"]).0, DONE, "the patient is done again: readers' decisions changed");
    assert!(cohort.read("out/cohort/lesions.csv").contains(",non_target,"));
    let assessed = cohort.read("out/cohort/assessments.csv");
    assert!(assessed.lines().any(|l| l.starts_with(&format!("A-1,recist_1_1,{BASELINE}")) && l.contains("0 targets")));
    // Without the table nothing of it stays.
    std::fs::remove_file(cohort.path(table)).unwrap();
    assert_eq!(run(&cohort, "out", &["--resume"]).0, DONE);
    assert!(cohort.read("out/cohort/lesions.csv").contains(",target,"));
    assert!(!cohort.path("out/patients/A-1/reads.json").exists());
}
