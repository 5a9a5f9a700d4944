//! What a run takes from earlier ones, what it does not believe, and how several processes share an output folder.

#![expect(clippy::unwrap_used, reason = "a test may unwrap; clippy does not see that its helpers are tests")]

#[path = "files/calls.rs"]
mod calls;
#[path = "files/cohort.rs"]
mod cohort;

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use calls::{call, entry, run, status};
use cohort::{BASELINE, Cohort, FOLLOW_UP, comparable};
use serde_json::Value;

const DONE: i32 = 0;
const SOME_FAILED: i32 = 1;
const TERMINATED: i32 = 143;

fn states(cohort: &Cohort) -> Vec<String> {
    let status = status(cohort, "out");
    status["patients"].as_array().unwrap().iter().map(|p| p["state"].as_str().unwrap().to_owned()).collect()
}

/// What `run` says on stdout.
fn said(cohort: &Cohort, more: &[&str]) -> String {
    let [study, archive, out] = ["study.toml", "archive", "out"].map(|p| cohort.path(p).display().to_string());
    let mut command = Command::new(env!("CARGO_BIN_EXE_lesiontrace"));
    let output = command.args(["run", &study, "--archive", &archive, "--out", &out]).args(more).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn start(cohort: &Cohort) -> Child {
    let [study, archive, out] = ["study.toml", "archive", "out"].map(|p| cohort.path(p).display().to_string());
    let mut command = Command::new(env!("CARGO_BIN_EXE_lesiontrace"));
    command.args(["run", &study, "--archive", &archive, "--out", &out, "--threads", "1"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Entries of a patient's cache with the time they were written.
fn cached(cohort: &Cohort, id: &str) -> Vec<(PathBuf, SystemTime)> {
    let folder = cohort.path(&format!("out/patients/{id}/cache"));
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut entries: Vec<_> = paths
        .filter(|path| !path.ends_with("used.json"))
        .map(|path| (path.clone(), std::fs::metadata(&path).unwrap().modified().unwrap()))
        .collect();
    entries.sort();
    entries
}

/// Every line of every journal.
fn journal(cohort: &Cohort) -> Vec<Value> {
    let files = std::fs::read_dir(cohort.path("out/logs")).unwrap().map(|entry| entry.unwrap().path());
    let texts = files.map(|path| std::fs::read_to_string(path).unwrap());
    texts.flat_map(|text| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>()).collect()
}

fn same_files(cohort: &Cohort, one: &str, other: &str) {
    let (one, other) = (comparable(&cohort.path(one)), comparable(&cohort.path(other)));
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    let differ: Vec<_> = one.iter().filter(|(path, bytes)| other[*path] != **bytes).map(|(path, _)| path).collect();
    assert!(differ.is_empty(), "{differ:?}");
}

#[test]
fn another_criterion_takes_the_registrations_from_the_cache_and_is_named_before() {
    let cohort = Cohort::new(&["A-1"]);
    assert_eq!(run(&cohort, "out", &[]).0, DONE);
    let first = cached(&cohort, "A-1");
    assert_eq!(first.len(), 1, "one follow-up, one registration");
    let study = cohort.read("study.toml").replace("ids = [\"recist_1_1\", \"mrecist\"]", "ids = [\"recist_1_1\"]");
    cohort.write("study.toml", &study);
    let dry = said(&cohort, &["--resume", "--dry-run"]);
    for told in
        ["A-1: do (done before; since then: ", "study file changed", "criterion mrecist is gone", "1 of 1 patients"]
    {
        assert!(dry.contains(told), "{told}: {dry}");
    }
    assert_eq!(states(&cohort), ["done"], "a dry run writes nothing");
    assert_eq!(run(&cohort, "out", &["--resume"]).0, DONE);
    assert_eq!(cached(&cohort, "A-1"), first, "the registration was not made again");
    let dry = said(&cohort, &["--resume", "--dry-run"]);
    assert!(dry.contains("A-1: keep (done, nothing changed)") && dry.contains("0 of 1 patients"), "{dry}");
    assert_eq!(run(&cohort, "fresh", &[]).0, DONE);
    same_files(&cohort, "fresh", "out");
    std::fs::write(&first[0].0, "{}").unwrap();
    assert_eq!(run(&cohort, "out", &[]).0, DONE);
    same_files(&cohort, "fresh", "out");
    let again = cached(&cohort, "A-1");
    assert_eq!(run(&cohort, "out", &["--force"]).0, DONE);
    assert!(cached(&cohort, "A-1")[0].1 > again[0].1, "--force makes it anew");
}

#[test]
fn another_registration_is_another_entry_and_gc_removes_the_one_before() {
    let cohort = Cohort::new(&["A-1"]);
    assert_eq!(run(&cohort, "out", &[]).0, DONE);
    cohort.write(
        "study.toml",
        &cohort.read("study.toml").replace("transform = \"deformable\"", "transform = \"affine\""),
    );
    assert_eq!(run(&cohort, "out", &["--resume"]).0, DONE);
    assert_eq!(cached(&cohort, "A-1").len(), 2);
    cohort.write("out/patients/A-1/.part-abc", "half");
    let out = cohort.path("out").display().to_string();
    let output =
        Command::new(env!("CARGO_BIN_EXE_lesiontrace")).args(["cache", "gc", &out, "--json"]).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["entries_removed"], &report["entries_kept"]), (&1.into(), &1.into()), "{report}");
    assert_eq!((&report["half_files_removed"], &report["patients_at_work"]), (&1.into(), &0.into()), "{report}");
    assert!(report["bytes_removed"].as_u64().unwrap() > 100, "{report}");
    assert_eq!(cached(&cohort, "A-1").len(), 1);
    assert!(!cohort.path("out/patients/A-1/.part-abc").exists() && !cohort.path("out/patients/A-1/.lock").exists());
    assert_eq!(run(&cohort, "out", &["--resume"]).0, DONE);
    assert_eq!(entry(&status(&cohort, "out"), "A-1")["attempt"], 2, "what the result rests on is still there");
    assert_ne!(call(&["cache", "gc", &cohort.path("archive").display().to_string()]).0, DONE, "no output folder");
}

#[test]
fn files_that_were_cut_are_noticed_and_their_patients_done_again() {
    let cohort = Cohort::new(&["A-1", "B-2", "C-3"]);
    assert_eq!(run(&cohort, "out", &[]).0, DONE);
    let calm = comparable(&cohort.path("out"));
    let cut = |name: &str| {
        let path = cohort.path(&format!("out/patients/{name}"));
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    };
    cut("A-1/result.json");
    cut(&format!("B-2/{BASELINE}/ct_portal_venous/lesions.nii.gz"));
    cut("C-3/status.json");
    cut(&format!("C-3/{FOLLOW_UP}/ct_portal_venous/organ.nii.gz"));
    let out = cohort.path("out").display().to_string();
    let (_, stderr) = call(&["collect", &out]);
    assert!(stderr.contains("A-1: left out of the cohort"), "one patient stops no cohort: {stderr}");
    let table = cohort.read("out/cohort/measurements.csv");
    assert!(!table.contains("A-1") && table.contains("B-2"), "{table}");
    let dry = said(&cohort, &["--resume", "--dry-run"]);
    for told in [
        "A-1: do (done before; since then: result.json was written with",
        "B-2: do (done before; since then: ",
        "C-3: do (failed before at ledger (damaged_entry)",
        "3 of 3",
    ] {
        assert!(dry.contains(told), "{told}: {dry}");
    }
    assert_eq!(run(&cohort, "out", &["--resume"]).0, DONE);
    assert!(comparable(&cohort.path("out")) == calm);
}

/// A lock as this test's own process would hold it.
fn lock(start: &str) -> String {
    let text = |path: &str| std::fs::read_to_string(path).unwrap().trim().to_owned();
    let host = text("/proc/sys/kernel/hostname");
    let space = std::fs::read_link("/proc/self/ns/pid").unwrap().display().to_string();
    serde_json::json!({"host": host, "pid": std::process::id(), "space": space, "start": start, "job": "", "number": 0})
        .to_string()
}

#[test]
fn a_patient_another_process_works_on_is_left_to_it() {
    let cohort = Cohort::new(&["A-1", "B-2"]);
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let ticks = stat.rsplit(") ").next().unwrap().split(' ').nth(19).unwrap().to_owned();
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    cohort.write("out/patients/A-1/.lock", &lock(&format!("{}/{ticks}", boot.trim())));
    let (code, stderr) = run(&cohort, "out", &[]);
    assert_eq!(code, SOME_FAILED, "{stderr}");
    assert!(stderr.contains("patient A-1: left to process"), "{stderr}");
    assert_eq!(states(&cohort), ["missing", "done"]);
    // Its process is gone: the lock is taken over.
    cohort.write("out/patients/A-1/.lock", &lock("0"));
    assert_eq!(run(&cohort, "out", &["--resume"]).0, DONE);
    assert!(!cohort.path("out/patients/A-1/.lock").exists());
    let lines = journal(&cohort);
    let of = |id: &str, event: &str| lines.iter().find(|line| line["patient"] == id && line["event"] == event).unwrap();
    assert_eq!(of("A-1", "left")["code"], "locked");
    assert_eq!(of("B-2", "done")["stage"], "report");
    let stages: Vec<&str> = lines
        .iter()
        .filter(|line| line["patient"] == "B-2" && line["event"] == "reached")
        .map(|line| line["stage"].as_str().unwrap())
        .collect();
    assert!(
        stages.starts_with(&["load", "segment", "register", "measure"]) && stages.ends_with(&["report"]),
        "{stages:?}"
    );
}

#[test]
fn two_processes_on_one_folder_do_every_patient_once() {
    let ids = ["A-1", "B-2", "C-3", "D-4"];
    let cohort = Cohort::new(&ids);
    let mut both = [start(&cohort), start(&cohort)];
    let codes = both.each_mut().map(|child| child.wait().unwrap().code().unwrap());
    assert!(codes.iter().all(|code| [DONE, SOME_FAILED].contains(code)), "{codes:?}");
    assert_eq!(run(&cohort, "out", &["--resume"]).0, DONE);
    assert!(status(&cohort, "out")["patients"].as_array().unwrap().iter().all(|p| p["attempt"] == 1));
    assert_eq!(run(&cohort, "calm", &[]).0, DONE);
    same_files(&cohort, "calm", "out");
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

/// Starts a run and waits until a patient is at work.
fn at_work(cohort: &Cohort) -> Child {
    let child = start(cohort);
    let began = Instant::now();
    while !cohort.path("out/patients/A-1/status.json").is_file() && began.elapsed() < Duration::from_mins(1) {
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

#[test]
fn a_terminated_run_says_so_and_the_next_one_goes_on() {
    let cohort = Cohort::new(&["A-1", "B-2", "C-3"]);
    for signals in [1, 2] {
        let mut child = at_work(&cohort);
        for _ in 0..signals {
            signal(&child, "-TERM");
            // Two signals of one kind that come at once are one.
            std::thread::sleep(Duration::from_millis(20));
        }
        let began = Instant::now();
        let code = child.wait().unwrap().code();
        assert!(began.elapsed() < Duration::from_secs(20));
        assert_eq!(code, Some(TERMINATED));
        let states = states(&cohort);
        assert!(states.iter().all(|state| ["done", "interrupted", "missing"].contains(&state.as_str())), "{states:?}");
        assert!(states.iter().any(|state| state != "done"), "{states:?}");
        for entry in std::fs::read_dir(cohort.path("out/patients")).unwrap() {
            assert!(!entry.unwrap().path().join(".lock").exists());
        }
        std::fs::remove_dir_all(cohort.path("out/patients")).unwrap();
    }
    assert_eq!(run(&cohort, "out", &["--resume"]).0, DONE);
}
