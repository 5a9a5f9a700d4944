//! `pull` and `push` as a user calls them wrongly, or at an archive that is not there; what they do with one that is there is tested in
//! the crate that speaks with it.

#![expect(clippy::unwrap_used, reason = "a test may unwrap; clippy does not see that its helpers are tests")]

use assert_cmd::Command;

fn call(args: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_lesiontrace")).args(args).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("archive").display().to_string();
    let query = ["--query", "PatientID=P01"];
    let pull = |from: &str, more: &[&str]| call(&[&["pull", from, "--out", &out], more].concat());
    for (from, more, said) in [
        ("pacs", &query[..], "AE@HOST:PORT"),
        ("https://me:pw@pacs/dicom-web", &query[..], "--auth-file"),
        ("https://pacs/dicom-web", &["--query", "Weight=80"][..], "PatientID"),
        ("https://pacs/dicom-web", &["--query", "StudyDate=2020"][..], "YYYYMMDD"),
        ("https://pacs/dicom-web", &["--query", "PatientID=A", "--auth-env", "NO_SUCH_VARIABLE"][..], "is not set"),
        ("PACS@127.0.0.1:1", &["--query", "PatientID=A", "--calling-ae", "A\\B"][..], "--calling-ae"),
        ("dimse-tsl://PACS@127.0.0.1:1", &query[..], "dimse-tls://"),
        ("PACS@127.0.0.1:1", &["--query", "PatientID=A", "--ca-file", "ca.pem"][..], "dimse-tls://AE@HOST:PORT"),
        ("dimse-tls://PACS@127.0.0.1:1", &["--query", "PatientID=A", "--cert-file", "us.pem"][..], "--key-file"),
        ("dimse-tls://PACS@127.0.0.1:1", &["--query", "PatientID=A", "--receive-port", "104"][..], "--cert-file"),
    ] {
        let (code, stderr) = pull(from, more);
        assert_eq!(code, 2, "{from} {more:?}: {stderr}");
        assert!(stderr.contains(said) && !stderr.contains("pw"), "{from} {more:?}: {stderr}");
    }
    assert_eq!(pull("https://pacs/dicom-web", &[]).0, 2, "nothing is pulled that was not asked for");
    assert!(!folder.path().join("archive").exists());
    let (code, stderr) = call(&["push", folder.path().to_str().unwrap(), "PACS@127.0.0.1:1"]);
    assert_eq!(code, 65, "{stderr}");
}

#[test]
fn an_archive_that_is_not_there_may_be_there_later() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().display().to_string();
    for from in ["http://127.0.0.1:1/dicom-web", "PACS@127.0.0.1:1", "dimse-tls://PACS@127.0.0.1:1"] {
        let (code, stderr) = call(&["pull", from, "--query", "PatientID=P01", "--out", &out, "--retries", "0"]);
        assert_eq!(code, 75, "{from}: {stderr}");
        assert!(stderr.contains("try again later") && !stderr.contains("P01"), "{from}: {stderr}");
    }
}
