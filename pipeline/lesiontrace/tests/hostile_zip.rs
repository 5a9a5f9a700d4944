//! Zip archives whose members want to leave the folder, to stand for other files or to be run, through the index and a whole run.

#![expect(clippy::unwrap_used, reason = "a test may unwrap; clippy does not see that its helpers are tests")]

#[path = "files/calls.rs"]
mod calls;
#[path = "files/cohort.rs"]
#[expect(dead_code, reason = "shared with other tests, which use the rest")]
mod cohort;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use calls::{call, entry, run, status};
use cohort::{BASELINE, Cohort, comparable};
use testkit::dicom_bytes::element;
use testkit::zip_bytes::{Member, Packing, archive};

const DONE: i32 = 0;

/// A name that rings, clears the screen, runs, is computed and turns the text around.
const LOUD: &str = "=1+1,\u{7}\u{1b}[2J\r\n<script>alert(1)</script>\u{202e}.dcm";

/// The first patient's images in every packing there is, with members that mean no good between them.
fn hostile_zip(images: &BTreeMap<PathBuf, Vec<u8>>) -> Vec<u8> {
    let slice = images.values().next().unwrap();
    let (old, new) = (element(0x0010_0020, "LO", "A-1"), element(0x0010_0020, "LO", "EVIL"));
    let at = slice.windows(old.len()).position(|w| w == old).unwrap();
    let evil = [&slice[..at], &new, &slice[at + old.len()..]].concat();
    let cut = &slice[..slice.len() / 2];
    let inner = archive(&[(b"inner.dcm", &evil, Packing::Deflated)]);
    let (long, far) = ("deep/".repeat(2000) + "cut.dcm", "../".repeat(3000) + "far.dcm");
    let hostile: [Member<'_>; 16] = [
        (b"../../../escaped.dcm", &evil, Packing::Stored),
        (b"good/../../escaped.dcm", &evil, Packing::Deflated),
        (b"..\\..\\escaped.dcm", &evil, Packing::Stored),
        (b"/etc/escaped.dcm", &evil, Packing::Stored),
        (far.as_bytes(), &evil, Packing::Stored),
        (b"nul\0.dcm", &evil, Packing::Stored),
        (b"", &evil, Packing::Stored),
        (b"secret.dcm", &evil, Packing::Encrypted),
        (b"link.dcm", b"/etc/passwd", Packing::Link),
        (b"lzma.dcm", &evil, Packing::Method(14)),
        (b"inner.zip", &inner, Packing::Stored),
        (b"twice.dcm", &evil, Packing::Stored),
        (b"twice.dcm", cut, Packing::Stored),
        (b"TWICE/a.dcm", &evil, Packing::Stored),
        (b"TWICE\\a.dcm", cut, Packing::Stored),
        (b"bomb.dcm", b"", Packing::Deflated),
    ];
    let packings = [Packing::Stored, Packing::Deflated, Packing::Described, Packing::Zip64];
    let names: Vec<String> = images.keys().map(|path| path.display().to_string()).collect();
    let good = names.iter().zip(images.values()).zip(packings.into_iter().cycle());
    let mut members: Vec<Member<'_>> =
        good.map(|((name, bytes), packing)| (name.as_bytes(), &bytes[..], packing)).collect();
    members.extend(hostile);
    members.extend([(LOUD.as_bytes(), cut, Packing::Stored), (long.as_bytes(), cut, Packing::Deflated)]);
    archive(&members)
}

fn copy_folder(from: &Path, to: &Path) {
    for (path, bytes) in comparable(from) {
        fs::create_dir_all(to.join(&path).parent().unwrap()).unwrap();
        fs::write(to.join(&path), bytes).unwrap();
    }
}

#[test]
fn members_that_mean_no_good_are_named_and_change_nothing() {
    let cohort = Cohort::new(&["A-1"]);
    assert_eq!(run(&cohort, "plain", &[]).0, DONE);
    for below in ["masks", "clinical"] {
        copy_folder(&cohort.path(&format!("archive/{below}")), &cohort.path(&format!("zipped/{below}")));
    }
    fs::write(cohort.path("zipped/A-1.zip"), hostile_zip(&comparable(&cohort.path("archive/0")))).unwrap();
    let before = comparable(&cohort.path(""));
    let [study, zipped, out] = ["study.toml", "zipped", "out"].map(|p| cohort.path(p).display().to_string());
    let (code, said) = call(&["run", &study, "--archive", &zipped, "--out", &out]);
    assert_eq!(code, DONE, "{said}");

    let written: Vec<PathBuf> = comparable(&cohort.path("")).into_keys().filter(|p| !before.contains_key(p)).collect();
    assert!(written.iter().all(|path| path.starts_with("out")), "{written:?}");
    let patients = status(&cohort, "out");
    assert_eq!(patients["patients"].as_array().unwrap().len(), 1, "{patients}");
    assert_eq!(entry(&patients, "A-1")["state"], "done");
    for table in ["measurements.csv", "assessments.csv", "lesions.csv"] {
        let of = |out: &str| cohort.read(&format!("{out}/cohort/{table}"));
        assert_eq!(of("out"), of("plain"), "{table}");
    }
    let notes = cohort.read("out/notes.json");
    for said in [
        "leads out of the archive",
        "encrypted",
        "symbolic link",
        "another method than deflate",
        "zip archive inside a zip archive",
        "two files of this name",
    ] {
        assert!(notes.contains(said), "{said} in {notes}");
    }
    assert!(notes.len() < 40_000, "{} bytes of notes", notes.len());
    check_harmless(&cohort, &said);
}

/// What `index` writes of the archive and says on the way holds no byte that acts.
fn check_harmless(cohort: &Cohort, said: &str) {
    let zipped = cohort.path("zipped").display().to_string();
    let files = ["index.csv", "index.html", "patients.csv"].map(|name| cohort.path(name).display().to_string());
    let (code, said_too) = call(&["index", &zipped, "--out", &files[0], "--patients", &files[2]]);
    assert_eq!(code, DONE, "{said_too}");
    assert_eq!(call(&["index", &zipped, "--out", &files[1]]).0, DONE);
    let rows = cohort.read("index.csv");
    assert!(rows.contains(BASELINE) && !rows.contains("EVIL"), "{rows}");
    let page = cohort.read("index.html");
    for text in [said, &said_too, &rows, &cohort.read("patients.csv"), &page] {
        for acts in ["\u{1b}", "\u{7}", "\u{202e}"] {
            assert!(!text.contains(acts), "{acts:?} in {text}");
        }
    }
    assert!(!page.contains("<script>alert"), "{page}");
    assert!(!said.lines().any(|line| line.starts_with("<script>")), "a name makes a line of its own: {said}");
}
