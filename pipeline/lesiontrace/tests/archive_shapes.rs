//! One archive in the shapes hospitals and platforms hand it out: folders, one zip a patient, an XNAT export, one zip of everything.

#![expect(clippy::unwrap_used, reason = "a test may unwrap; clippy does not see that its helpers are tests")]

#[path = "files/calls.rs"]
mod calls;
#[path = "files/cohort.rs"]
mod cohort;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use calls::{call, entry, run, status};
use cohort::{BASELINE, Cohort, FOLLOW_UP, comparable};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

const DONE: i32 = 0;

type Files = BTreeMap<PathBuf, Vec<u8>>;

fn write_zip(path: &Path, files: &Files, method: CompressionMethod) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut writer = ZipWriter::new(File::create(path).unwrap());
    for (name, bytes) in files {
        let options = SimpleFileOptions::default().compression_method(method);
        writer.start_file(name.to_str().unwrap(), options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap();
}

fn write_files(folder: &Path, files: &Files) {
    for (name, bytes) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

/// The patient's images as an XNAT server exports them, with its catalogue.
fn as_xnat(subject: &str, images: &Files) -> Files {
    let mut files = Files::new();
    for (path, bytes) in images {
        let [day, name] = [0, 1].map(|n| path.iter().nth(n).unwrap().to_str().unwrap());
        let scan = format!("{subject}/{subject}_CT_{day}/scans/3-Abdomen_portal_venous/resources/DICOM");
        files.insert(format!("{scan}/files/{name}").into(), bytes.clone());
        let catalogue = format!("<?xml version=\"1.0\"?><cat:DCMCatalog><cat:entry URI=\"{name}\"/></cat:DCMCatalog>");
        files.insert(format!("{scan}/files/scan_3_catalog.xml").into(), catalogue.into_bytes());
    }
    files
}

/// The cohort's tables and survival estimates.
fn tables(cohort: &Cohort, out: &str) -> Files {
    let mut files = comparable(&cohort.path(&format!("{out}/cohort")));
    files.retain(|path, _| path.extension().is_some_and(|e| ["csv", "json", "parquet"].iter().any(|kind| e == *kind)));
    files
}

#[test]
fn every_shape_of_an_archive_gives_the_same_bytes() {
    let ids = ["A-1", "B-2"];
    let cohort = Cohort::new(&ids);
    // Tables are compared: pictures and masks need not be written six times.
    let bare = cohort::study("source = \"imported\"")
        .replace("keep = [\"lesions\", \"organ\", \"ablation_zone\", \"overlay\"]", "keep = []");
    assert!(bare.contains("keep = []"));
    cohort.write("study.toml", &bare);
    assert_eq!(run(&cohort, "out", &[]).0, DONE);
    assert_eq!(entry(&status(&cohort, "out"), "B-2")["state"], "done");
    let expected = tables(&cohort, "out");
    assert!(expected.len() >= 13 && expected.values().all(|bytes| !bytes.is_empty()));
    let beside: Files = ["clinical", "masks"]
        .into_iter()
        .flat_map(|name| {
            let files = comparable(&cohort.path(&format!("archive/{name}")));
            files.into_iter().map(move |(path, bytes)| (Path::new(name).join(path), bytes))
        })
        .collect();
    let images: Vec<Files> = (0..ids.len()).map(|n| comparable(&cohort.path(&format!("archive/{n}")))).collect();
    for (shape, method) in [("stored", CompressionMethod::Stored), ("deflated", CompressionMethod::Deflated)] {
        write_files(&cohort.path(shape), &beside);
        for (id, files) in ids.iter().zip(&images) {
            write_zip(&cohort.path(&format!("{shape}/{id}.zip")), files, method);
        }
    }
    write_files(&cohort.path("xnat"), &beside);
    write_files(&cohort.path("xnat_zip"), &beside);
    for (id, files) in ids.iter().zip(&images) {
        write_files(&cohort.path("xnat"), &as_xnat(id, files));
        write_zip(&cohort.path(&format!("xnat_zip/{id}.zip")), &as_xnat(id, files), CompressionMethod::Deflated);
    }
    let whole = comparable(&cohort.path("archive"));
    write_zip(&cohort.path("whole.zip"), &whole, CompressionMethod::Deflated);
    std::thread::scope(|scope| {
        for shape in ["stored", "deflated", "xnat", "xnat_zip", "whole.zip"] {
            let (cohort, expected) = (&cohort, &expected);
            scope.spawn(move || assert_gives(cohort, shape, expected));
        }
    });
    assert!(comparable(&cohort.path("archive")) == whole, "nothing is written into an archive");
}

/// A run on one shape of the archive gives the tables expected, and leaves the archive as it was.
fn assert_gives(cohort: &Cohort, shape: &str, expected: &Files) {
    let [study, archive, out] =
        ["study.toml", shape, &format!("out_{shape}")].map(|p| cohort.path(p).display().to_string());
    let place = cohort.path(shape);
    let file = || Files::from([(place.clone(), std::fs::read(&place).unwrap())]);
    let content = || if place.is_file() { file() } else { comparable(&place) };
    let before = content();
    let (code, stderr) = call(&["run", &study, "--archive", &archive, "--out", &out]);
    assert_eq!(code, DONE, "{shape}: {stderr}");
    let got = tables(cohort, &format!("out_{shape}"));
    assert!(got.keys().eq(expected.keys()), "{shape}");
    for (name, bytes) in expected {
        assert!(&got[name] == bytes, "{shape}: {} differs", name.display());
    }
    assert!(content() == before, "{shape}: nothing is written into an archive");
}

#[test]
fn the_index_names_visits_and_says_what_is_missing_for_which_criterion() {
    let cohort = Cohort::new(&["A-1", "B-2"]);
    let archive = cohort.path("archive").display().to_string();
    let [series, patients, parquet, page] =
        ["s.csv", "p.csv", "s.parquet", "p.html"].map(|name| cohort.path(name).display().to_string());
    assert_eq!(call(&["index", &archive, "--out", &series, "--patients", &patients]).0, DONE);
    assert_eq!(call(&["index", &archive, "--out", &parquet]).0, DONE);
    assert_eq!(call(&["index", &archive, "--out", &page]).0, DONE);
    assert_eq!(call(&["index", &archive, "--out", &archive]).0, 2, "a table without a known ending");
    let rows = cohort.read("s.csv");
    let visit = |day: &str, name: &str| {
        let row = rows.lines().find(|line| line.starts_with(&format!("B-2,{day},"))).unwrap();
        assert!(row.ends_with(&format!(",{name}")), "{row}");
    };
    // Ablated on 2020-03-20: 18 days after the first visit, 52 before the second one.
    visit(BASELINE, "baseline");
    visit(FOLLOW_UP, "6 weeks");
    let needs = cohort.read("p.csv");
    for (start, end) in [
        ("A-1,2,2,2,2020-03-02,2020-05-11,recist_1_1,ready,2,", ""),
        (
            "A-1,2,2,2,2020-03-02,2020-05-11,mrecist,missing,0,",
            "no series of ct_arterial; there are 1 × ct_portal_venous",
        ),
        ("A-1,2,2,2,2020-03-02,2020-05-11,percist_1_0,missing,0,", "no series of pet"),
        ("A-1,2,2,2,2020-03-02,2020-05-11,margin,missing,0,", "no ablation of the patient in treatments.csv"),
        ("B-2,2,2,2,2020-03-02,2020-05-11,margin,ready,1,", ""),
        ("B-2,2,2,2,2020-03-02,2020-05-11,survival,ready,0,", ""),
    ] {
        let row = needs.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{start} in {needs}"));
        assert!(if end.is_empty() { row == start } else { row.contains(end) }, "{row}");
    }
    assert!(std::fs::read(cohort.path("s.parquet")).unwrap().starts_with(b"PAR1"));
    let html = cohort.read("p.html");
    assert!(html.contains("mRECIST") && html.contains("6 weeks") && html.contains("</html>"));
}
