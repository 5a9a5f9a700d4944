//! Identifiers and descriptions that were made to leave the output folder, to run in a page or to be computed by a spreadsheet,
//! from DICOM files and clinical tables through the whole program.

#![expect(clippy::unwrap_used, reason = "a test may unwrap; clippy does not see that its helpers are tests")]

#[path = "files/calls.rs"]
#[expect(dead_code, reason = "shared with other tests, which use the rest")]
mod calls;
#[path = "files/cohort.rs"]
#[expect(dead_code, reason = "shared with other tests, which use the rest")]
mod cohort;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use calls::{call, run, status};
use cohort::Cohort;
use testkit::dicom_bytes::element;

/// Names that want out, to be run, to be computed, to look like others.
fn hostile() -> Vec<String> {
    let mut names: Vec<String> = [
        "../../../escaped",
        "<script>alert(1)</script>",
        "=HYPERLINK(\"http://x.example\",\"open\")",
        "+1+cmd|'/C calc'!A0",
        "-2+3",
        "@SUM(1)",
        "A\t=1\r\n=2",
        "\u{1b}[2J\u{7}bell",
        "P\u{202e}1-A",
        "А-1",
        "A-1",
        "\"><img src=x onerror=alert(2)>",
    ]
    .map(str::to_owned)
    .to_vec();
    names.push("long".repeat(2500));
    names
}

/// Puts another value into a text element of every DICOM file below a folder.
fn put_text(folder: &Path, tag: u32, old: &str, new: &str) {
    let (old, new) = (element(tag, "LO", old), element(tag, "LO", new));
    for path in files_below(folder) {
        let bytes = fs::read(&path).unwrap();
        let Some(at) = bytes.windows(old.len()).position(|w| w == old) else { continue };
        fs::write(&path, [&bytes[..at], &new, &bytes[at + old.len()..]].concat()).unwrap();
    }
}

/// Puts hostile UIDs of study, series and instance into every DICOM file below a folder: one series a folder, as before.
fn put_uids(folder: &Path) {
    for (n, path) in files_below(folder).into_iter().enumerate() {
        let mut bytes = fs::read(&path).unwrap();
        let series = path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        for (tag, last) in [(0x0020_000D, &series), (0x0020_000E, &series), (0x0008_0018, &n.to_string())] {
            let uid = format!("../../../=1+<script>alert(5)</script>\u{1b}{}{last}", folder.display());
            let head = &element(tag, "UI", "")[..6];
            let at = bytes.windows(head.len()).position(|w| w == head).unwrap();
            let length = usize::from(u16::from_le_bytes([bytes[at + 6], bytes[at + 7]]));
            bytes.splice(at..at + 8 + length, element(tag, "UI", uid));
        }
        fs::write(&path, bytes).unwrap();
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for path in fs::read_dir(&next).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// A folder name as README describes it, for the masks beside the images.
fn encoded(id: &str) -> String {
    let plain = |n: usize, b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-') || (b == b'.' && n > 0);
    let code = |(n, b): (usize, u8)| if plain(n, b) { char::from(b).to_string() } else { format!("%{b:02X}") };
    let name: String = id.bytes().enumerate().map(code).collect();
    if name.len() <= 64 {
        return name;
    }
    let digest: String =
        <sha2::Sha256 as sha2::Digest>::digest(id.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
    format!("{}-{}", &name[..51], &digest[..12])
}

/// A cohort whose patients are renamed after it was written.
fn cohort_of(names: &[String]) -> Cohort {
    let plain: Vec<String> = (0..names.len()).map(|n| format!("PLAIN-{n:03}")).collect();
    let cohort = Cohort::new(&plain.iter().map(String::as_str).collect::<Vec<_>>());
    let archive = cohort.path("archive");
    let mut people = csv::Writer::from_writer(Vec::new());
    people.write_record(["patient_id", "diagnosis", "death_date", "last_contact_date"]).unwrap();
    for (n, (old, new)) in plain.iter().zip(names).enumerate() {
        put_text(&archive.join(n.to_string()), 0x0010_0020, old, new);
        let description = "=1+1 portal venous <script>alert(3)</script>";
        put_text(&archive.join(n.to_string()), 0x0008_103E, "Abdomen portal venous", description);
        put_uids(&archive.join(n.to_string()));
        fs::rename(archive.join("masks").join(old), archive.join("masks").join(encoded(new))).unwrap();
        people.write_record([new.as_str(), "@HCC <script>alert(4)</script>", "", "2020-06-01"]).unwrap();
    }
    cohort.write("archive/clinical/patients.csv", &String::from_utf8(people.into_inner().unwrap()).unwrap());
    cohort.write("archive/clinical/treatments.csv", "patient_id,date,session,modality\n");
    cohort
}

fn check_table(path: &Path) {
    let mut table = csv::ReaderBuilder::new().has_headers(false).from_path(path).unwrap();
    for record in table.records().map(|record| record.unwrap_or_else(|e| panic!("{}: {e}", path.display()))) {
        for cell in &record {
            let computed = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
            let of_numbers = cell.split([' ', ';']).all(|word| word.is_empty() || word.parse::<f64>().is_ok());
            assert!(!computed || of_numbers, "{}: {cell:?}", path.display());
        }
    }
}

fn check_page(path: &Path) {
    let page = fs::read_to_string(path).unwrap();
    for hostile in ["<script>alert", "<img src=x", "\u{202e}", "\u{1b}", "\u{7}"] {
        assert!(!page.contains(hostile), "{} holds {hostile:?}", path.display());
    }
    assert!(page.contains("</html>"), "{}", path.display());
}

#[test]
fn names_stay_in_the_output_folder_and_are_neither_run_nor_computed() {
    let names = hostile();
    let cohort = cohort_of(&names);
    let top = cohort.path("");
    let before: BTreeSet<PathBuf> = files_below(&top).into_iter().collect();
    let (code, stderr) = run(&cohort, "out", &[]);
    assert_eq!(code, 0, "{stderr}");
    assert!(!stderr.contains('\u{1b}'), "{stderr}");
    let table = cohort.path("out/index.csv").display().to_string();
    let (code, stderr) = call(&["index", &cohort.path("archive").display().to_string(), "--out", &table]);
    assert_eq!(code, 0, "{stderr}");

    for path in files_below(&top).into_iter().filter(|path| !before.contains(path)) {
        let below = path.strip_prefix(cohort.path("out")).unwrap_or_else(|_| panic!("{} is outside", path.display()));
        let name = below.to_str().unwrap();
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"._%-/".contains(&b);
        let goes_down = below.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        assert!(name.bytes().all(is_plain) && goes_down, "{name:?}");
        match path.extension().and_then(|e| e.to_str()) {
            Some("csv") => check_table(&path),
            Some("html") => check_page(&path),
            Some("json") => drop(serde_json::from_slice::<serde_json::Value>(&fs::read(&path).unwrap()).unwrap()),
            _ => {}
        }
    }
    let status = status(&cohort, "out");
    let ids: BTreeSet<&str> =
        status["patients"].as_array().unwrap().iter().map(|p| p["id"].as_str().unwrap()).collect();
    assert_eq!(ids, names.iter().map(String::as_str).collect(), "every name is a patient of its own");
    assert_eq!(status["counts"]["done"], names.len());
}

#[test]
#[cfg(unix)]
fn patients_behind_symbolic_links_are_found() {
    use std::os::unix::fs::symlink;
    let cohort = Cohort::new(&["A-1", "B-2"]);
    fs::create_dir_all(cohort.path("store")).unwrap();
    for n in ["0", "1"] {
        fs::rename(cohort.path("archive").join(n), cohort.path("store").join(n)).unwrap();
        symlink(cohort.path("store").join(n), cohort.path("archive").join(n)).unwrap();
    }
    // A circle, a second way to a patient, a link to nothing.
    symlink(cohort.path("archive"), cohort.path("store/0/circle")).unwrap();
    symlink(cohort.path("store/1"), cohort.path("archive/again")).unwrap();
    symlink(cohort.path("nothing"), cohort.path("archive/dead")).unwrap();
    let (code, stderr) = run(&cohort, "out", &[]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(status(&cohort, "out")["counts"]["done"], 2);
}
