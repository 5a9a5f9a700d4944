//! `pull` and `push` over DICOMweb against a small service on this machine: what an archive may do, and what it should not.

#![expect(clippy::unwrap_used, reason = "a test may unwrap; clippy does not see that its helpers are tests")]
#![expect(clippy::disallowed_types, reason = "the service is the other machine")]

mod service;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lesiontrace_transfer::{
    Address, Connection, Credentials, PlainCredentials, Pull, Pulled, Push, Pushed, Query, SentState, TransferError,
    pull, push,
};
use service::{Answer, Asked, Service, answer, json, multipart, object};

/// Study 1.1 with series 1.1.1 (three objects) and 1.1.2 (one), study 1.2 with series 1.2.1 (one).
const OBJECTS: [(&str, &str, &str); 5] = [
    ("1.1", "1.1.1", "1.1.1.1"),
    ("1.1", "1.1.1", "1.1.1.2"),
    ("1.1", "1.1.1", "1.1.1.3"),
    ("1.1", "1.1.2", "1.1.2.1"),
    ("1.2", "1.2.1", "1.2.1.1"),
];

fn bytes_of(uid: &str) -> Vec<u8> {
    let (study, series, _) = OBJECTS.into_iter().find(|(.., one)| *one == uid).unwrap();
    object(study, series, uid, 1000)
}

/// UIDs as a search answers them, at most two at a time whatever is asked for.
fn found(asked: &Asked, tag: &str, uids: &[&str]) -> Answer {
    let offset: usize = asked.parameter("offset").unwrap_or_default().parse().unwrap_or(0);
    let items: Vec<String> = uids
        .iter()
        .skip(offset)
        .take(2)
        .map(|uid| format!(r#"{{"{tag}":{{"vr":"UI","Value":["{uid}"]}},"00100020":{{"vr":"LO","Value":["P 1"]}}}}"#))
        .collect();
    json(&format!("[{}]", items.join(",")))
}

fn distinct(of: impl Fn(&(&'static str, &'static str, &'static str)) -> Option<&'static str>) -> Vec<&'static str> {
    let mut uids: Vec<&str> = OBJECTS.iter().filter_map(of).collect();
    uids.dedup();
    uids
}

/// An archive without faults.
fn archive(asked: &Asked) -> Answer {
    let path = asked.path().strip_prefix("/dicom-web").unwrap().to_owned();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let of = |series: &str| distinct(|(_, s, uid)| (*s == series).then_some(*uid));
    match parts[..] {
        ["studies"] => found(asked, "0020000D", &distinct(|(study, ..)| Some(*study))),
        ["studies", study, "series"] => {
            found(asked, "0020000E", &distinct(|(st, series, _)| (*st == study).then_some(*series)))
        }
        ["studies", _, "series", series, "instances"] => found(asked, "00080018", &of(series)),
        ["studies", _, "series", series] => multipart(&of(series).into_iter().map(bytes_of).collect::<Vec<_>>()),
        ["studies", _, "series", _, "instances", uid] => multipart(&[bytes_of(uid)]),
        _ => answer(404, "text/plain", ""),
    }
}

fn connection(base: &str) -> Connection {
    Connection {
        address: base.parse::<Address>().unwrap(),
        credentials: None,
        plain_credentials: PlainCredentials::Refused,
        ca_file: None,
        identity: None,
        calling_ae: "TEST".to_owned(),
        receive_port: None,
        max_requests_per_second: None,
        n_retries: 3,
        timeout: Duration::from_secs(10),
    }
}

fn pulled(connection: &Connection, folder: &Path) -> Result<Pulled, TransferError> {
    let query = Query::parse(&["PatientID=P 1".to_owned()]).unwrap();
    let mut on_object = |_| {};
    pull(&mut Pull { connection, query: &query, archive: Some(folder), on_object: &mut on_object })
}

fn place(folder: &Path, uid: &str) -> PathBuf {
    let (study, series, _) = OBJECTS.into_iter().find(|(.., one)| *one == uid).unwrap();
    folder.join(study).join(series).join(format!("{uid}.dcm"))
}

fn assert_whole(folder: &Path) {
    for (.., uid) in OBJECTS {
        assert_eq!(std::fs::read(place(folder, uid)).unwrap(), bytes_of(uid), "{uid}");
    }
    let files = lesiontrace_transfer::objects_of(folder, lesiontrace_transfer::Selection::EveryFile).unwrap();
    assert_eq!(files.len(), OBJECTS.len(), "nothing else lies there: {files:?}");
}

#[test]
fn a_pull_brings_every_byte_and_a_second_one_brings_only_what_is_missing_or_cut() {
    let service = Service::start(archive);
    let folder = tempfile::tempdir().unwrap();
    let connection = connection(&service.base);
    let first = pulled(&connection, folder.path()).unwrap();
    assert_eq!((first.n_studies, first.n_series, first.n_instances), (2, 3, 5), "over pages of two");
    assert_eq!((first.n_fetched, first.n_present, first.failed.len()), (5, 0, 0));
    assert_whole(folder.path());
    let search = &service.asked()[0];
    assert_eq!(search.parameter("PatientID").as_deref(), Some("P%201"));
    let cut = place(folder.path(), "1.1.1.2");
    std::fs::write(&cut, &bytes_of("1.1.1.2")[..900]).unwrap();
    std::fs::remove_file(place(folder.path(), "1.2.1.1")).unwrap();
    let n_before = service.asked().len();
    let second = pulled(&connection, folder.path()).unwrap();
    assert_eq!((second.n_fetched, second.n_present), (2, 3));
    assert_whole(folder.path());
    let is_fetch = |asked: &&Asked| asked.headers["accept"].starts_with("multipart/related");
    let fetched: Vec<String> =
        service.asked()[n_before..].iter().filter(is_fetch).map(|asked| asked.path().to_owned()).collect();
    assert_eq!(
        fetched,
        ["/dicom-web/studies/1.1/series/1.1.1/instances/1.1.1.2", "/dicom-web/studies/1.2/series/1.2.1"],
        "one object of a series alone, and a series of which nothing is there at once"
    );
}

#[test]
fn a_connection_cut_within_a_series_goes_on_object_by_object() {
    let mut n_cut = 0;
    let service = Service::start(move |asked| {
        let mut reply = archive(asked);
        if asked.path().ends_with("/series/1.1.1") && n_cut == 0 {
            n_cut += 1;
            reply.cut_after = Some(2000);
        }
        reply
    });
    let folder = tempfile::tempdir().unwrap();
    let outcome = pulled(&connection(&service.base), folder.path()).unwrap();
    assert_eq!((outcome.n_fetched, outcome.failed.len()), (5, 0));
    assert_whole(folder.path());
    let n_whole = service.asked().iter().filter(|asked| asked.path().ends_with("/series/1.1.1")).count();
    assert_eq!(n_whole, 1, "what had come was not fetched again");
}

#[test]
fn a_busy_archive_is_waited_for_and_one_that_stays_busy_ends_the_pull_for_later() {
    let mut n = 0;
    let service = Service::start(move |asked| {
        n += 1;
        let mut busy = answer(429, "text/plain", "");
        busy.headers.push(("Retry-After", "0".to_owned()));
        if n % 3 == 0 { archive(asked) } else { busy }
    });
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(pulled(&connection(&service.base), folder.path()).unwrap().n_fetched, 5);
    assert_whole(folder.path());
    let service = Service::start(|asked| {
        if asked.path().ends_with("/series/1.1.2") {
            return Answer { headers: vec![("Retry-After", "0".to_owned())], ..answer(503, "text/plain", "") };
        }
        archive(asked)
    });
    let folder = tempfile::tempdir().unwrap();
    let outcome = pulled(&connection(&service.base), folder.path()).unwrap();
    assert_eq!((outcome.n_fetched, outcome.failed.len()), (3, 1), "what came before is kept");
    assert!(outcome.failed[0].is_transient && outcome.failed[0].reason.contains("503"), "{:?}", outcome.failed);
    let gone = connection("http://127.0.0.1:1/dicom-web");
    let error = pulled(&Connection { n_retries: 0, ..gone }, folder.path()).unwrap_err();
    assert!(error.is_transient(), "{error}");
}

#[test]
fn no_redirect_is_followed_and_credentials_go_to_the_named_host_alone() {
    let elsewhere = Service::start(archive);
    let target = elsewhere.base.clone();
    let service = Service::start(move |asked| Answer {
        headers: vec![("Location", format!("{target}/studies?PatientID=P1"))],
        ..answer(302, "text/plain", asked.line.clone())
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "Bearer very-secret\n").unwrap();
    let credentials = Some(Credentials::from_file(file.path()).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let here = Connection { credentials: credentials.clone(), ..connection(&service.base) };
    let said = pulled(&here, folder.path()).unwrap_err().to_string();
    assert!(said.contains("redirects are not followed") && !said.contains("P1"), "{said}");
    assert!(elsewhere.asked().is_empty(), "nobody else was spoken to");
    assert_eq!(service.asked()[0].headers["authorization"], "Bearer very-secret");
    let service = Service::start(|_| answer(401, "text/plain", ""));
    let said = pulled(&Connection { credentials: credentials.clone(), ..connection(&service.base) }, folder.path());
    let said = said.unwrap_err().to_string();
    assert!(said.contains("401") && !said.contains("secret"), "{said}");
    assert_eq!(service.asked().len(), 1, "who is not let in does not try again");
    let plain = Connection { credentials, ..connection("http://pacs.example/dicom-web") };
    let said = pulled(&plain, folder.path()).unwrap_err().to_string();
    assert!(said.contains("not encrypted"), "{said}");
}

#[test]
fn what_was_not_asked_for_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let ignoring = Service::start(|asked| match asked.path() {
        "/dicom-web/studies" => json(r#"[{"0020000D":{"Value":["1.1"]},"00100020":{"Value":["Somebody else"]}}]"#),
        _ => archive(asked),
    });
    let said = pulled(&connection(&ignoring.base), folder.path()).unwrap_err().to_string();
    assert!(said.contains("does not search by PatientID") && !said.contains("Somebody"), "{said}");
    let climbing = Service::start(|_| json(r#"[{"0020000D":{"Value":["../../1"]}}]"#));
    assert!(pulled(&connection(&climbing.base), folder.path()).unwrap_err().to_string().contains("no proper UID"));
    let swapping = Service::start(|asked| match asked.path() {
        path if path.ends_with("/series/1.2.1") => multipart(&[
            object("1.2", "1.2.1", "9.9.9", 10),
            object("7", "7.1", "1.2.1.1", 10),
            b"no DICOM at all".to_vec(),
            bytes_of("1.2.1.1")[..500].to_vec(),
        ]),
        path if path.ends_with("/1.2.1.1") => answer(404, "text/plain", ""),
        _ => archive(asked),
    });
    let outcome = pulled(&connection(&swapping.base), folder.path()).unwrap();
    assert_eq!((outcome.n_fetched, outcome.failed.len()), (4, 5), "{:?}", outcome.failed);
    assert!(outcome.failed.iter().all(|failed| !failed.reason.contains(".part-")), "{:?}", outcome.failed);
    assert!(!place(folder.path(), "1.2.1.1").exists());
    let left: Vec<_> = std::fs::read_dir(folder.path().join("1.2/1.2.1")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn requests_keep_their_distance() {
    let service = Service::start(archive);
    let folder = tempfile::tempdir().unwrap();
    let slow = Connection { max_requests_per_second: Some(50.0), ..connection(&service.base) };
    let started = Instant::now();
    pulled(&slow, folder.path()).unwrap();
    let n = service.asked().len() as u32;
    assert!(started.elapsed() >= Duration::from_millis(20) * (n - 1), "{n} requests in {:?}", started.elapsed());
}

fn pushed(base: &str, files: &[PathBuf]) -> Pushed {
    push(&mut Push { connection: &connection(base), files, on_file: &mut || {} }).unwrap()
}

#[test]
fn a_push_says_object_by_object_what_the_archive_said() {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<PathBuf> = OBJECTS[..4]
        .iter()
        .map(|(.., uid)| {
            let path = folder.path().join(format!("{uid}.dcm"));
            std::fs::write(&path, bytes_of(uid)).unwrap();
            path
        })
        .collect();
    let reply = |sequence: &str, uid: &str, reason: &str, code: u32| {
        format!(
            r#"{{"{sequence}":{{"vr":"SQ","Value":[{{"00081155":{{"vr":"UI","Value":["{uid}"]}},"{reason}":{{"vr":"US","Value":[{code}]}}}}]}}}}"#
        )
    };
    let service = Service::start(move |asked| {
        if asked.line.starts_with("GET") {
            // The first one is there already.
            return match asked.parameter("SOPInstanceUID").as_deref() {
                Some("1.1.1.1") => json(r#"[{"00080018":{"Value":["1.1.1.1"]}}]"#),
                _ => answer(204, "text/plain", ""),
            };
        }
        let holds = |uid: &str| asked.body.windows(uid.len()).any(|bytes| bytes == uid.as_bytes());
        match () {
            () if holds("1.1.1.2") => json(&reply("00081199", "1.1.1.2", "00081196", 0xB000)),
            () if holds("1.1.1.3") => {
                answer(409, "application/dicom+json", reply("00081198", "1.1.1.3", "00081197", 0x0122))
            }
            () => answer(200, "application/dicom+xml", "<NativeDicomModel/>"),
        }
    });
    let outcome = pushed(&service.base, &files);
    let states: Vec<SentState> = outcome.objects.iter().map(|sent| sent.state).collect();
    assert_eq!(states, [SentState::Present, SentState::Stored, SentState::Failed, SentState::Failed]);
    let reason = |n: usize| outcome.objects[n].reason.clone().unwrap_or_default();
    assert!(reason(1).contains("B000") && reason(2).contains("SOP class not supported"), "{outcome:?}");
    assert!(reason(3).contains("said nothing"), "an archive that says nothing and has nothing has not stored it");
    let posted: Vec<Asked> = service.asked().into_iter().filter(|asked| asked.line.starts_with("POST")).collect();
    assert_eq!(posted.len(), 3);
    let body = &posted[0].body;
    let start = body.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(&body[start..start + bytes_of("1.1.1.2").len()], bytes_of("1.1.1.2"));
}
