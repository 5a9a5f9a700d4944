//! Against a small application entity on this machine.

mod tls;

use std::io::Cursor;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use dicom_ul::association::Association as _;
use dicom_ul::association::server::{Negotiation, ServerAssociationOptions};
use dicom_ul::pdu::{PresentationContextNegotiated, PresentationContextResultReason, RequestorRoles};
use formats::dicom::instance::file_meta;
use testkit::dicom_bytes::element;

use super::association::{Accepted, Association, accept};
use super::command::{
    AFFECTED_CLASS, AFFECTED_INSTANCE, FIELD, GET_REQUEST, GET_RESPONSE, MOVE_DESTINATION, MOVE_REQUEST, MOVE_RESPONSE,
};
use super::*;
use crate::{Address, PlainCredentials, Pull, Pulled, Push, Query, SentState, pull, push};

const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
const EXPLICIT: &str = "1.2.840.10008.1.2.1";
const RLE: &str = "1.2.840.10008.1.2.5";
const SERIES: &str = "1.1.1";

/// The objects of the one series: their UIDs, and how they are stored. One of them is larger than any fragment.
const OBJECTS: [(&str, &str, usize); 3] =
    [("1.1.1.1", EXPLICIT, 1000), ("1.1.1.2", IMPLICIT_LITTLE_ENDIAN, 7), ("1.1.1.3", EXPLICIT, 300_000)];

/// Without its pixels, an implicit data set is as good as an explicit one.
fn data_set(uid: &str, syntax: &str, n_bytes: usize) -> Vec<u8> {
    let texts = [(0x0008_0016, CT), (0x0008_0018, uid), (0x0020_000D, "1.1"), (0x0020_000E, SERIES)];
    if syntax == IMPLICIT_LITTLE_ENDIAN {
        return texts.into_iter().flat_map(|(tag, text)| testkit::dicom_bytes::implicit(tag, text)).collect();
    }
    let mut bytes: Vec<u8> = texts.into_iter().flat_map(|(tag, text)| element(tag, "UI", text)).collect();
    bytes.extend(element(0x7FE0_0010, "OW", vec![7; n_bytes]));
    bytes
}

fn file(uid: &str, syntax: &str, n_bytes: usize) -> Vec<u8> {
    [file_meta(CT, uid, syntax), data_set(uid, syntax, n_bytes)].concat()
}

/// What the entity does otherwise than it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// It offers no C-GET, and sends to this port by C-MOVE.
    MovesTo(u16),
    /// It offers C-GET, breaks off when it is asked for, and sends to this port by C-MOVE.
    ForbidsGetAndMovesTo(u16),
    /// It breaks the first C-GET off after one object.
    BreaksOffOnce,
    /// It answers a search with this status.
    Finds(u16),
    /// It answers a store with this status.
    Stores(u16),
}

struct Roles;

impl Negotiation for Roles {
    fn negotiate_roles(&self, _class: &str, _scu: bool, scp: bool) -> Option<RequestorRoles> {
        Some(RequestorRoles { scu: false, scp })
    }
}

type Received = Arc<Mutex<Vec<Vec<u8>>>>;

/// An entity, and what is sent to it.
fn start(fault: Fault) -> (Address, Received) {
    start_over(fault, None)
}

/// One that speaks TLS as it is told, if at all, and to us when it sends by C-MOVE.
fn start_over(fault: Fault, tls: Option<tls::Archive>) -> (Address, Received) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let scheme = if tls.is_some() { "dimse-tls://" } else { "" };
    let address = format!("{scheme}PACS@{}", listener.local_addr().unwrap()).parse().unwrap();
    let (received, broken) = (Received::default(), Arc::new(Mutex::new(fault == Fault::BreaksOffOnce)));
    let kept = Arc::clone(&received);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (kept, broken, tls) = (Arc::clone(&kept), Arc::clone(&broken), tls.clone());
            std::thread::spawn(move || {
                let stream = stream.unwrap();
                let link = match &tls {
                    None => by_peer(stream, fault),
                    Some(tls) => by_ourselves(stream, fault, tls),
                };
                serve(link?, fault, &kept, &broken, tls.as_ref());
                Some(())
            });
        }
    });
    (address, received)
}

const GET: &str = "1.2.840.10008.5.1.4.1.2.2.3";
const CLASSES: [&str; 4] = [FIND, "1.2.840.10008.5.1.4.1.2.2.2", CT, GET];

/// What the entity takes.
fn is_taken(class: &str, fault: Fault) -> bool {
    CLASSES.contains(&class) && !(class == GET && matches!(fault, Fault::MovesTo(_)))
}

/// An association that `dicom-ul` agrees on.
fn by_peer(stream: TcpStream, fault: Fault) -> Option<Link> {
    let mut options = ServerAssociationOptions::new().accept_called_ae_title().ae_title("PACS");
    for class in CLASSES.into_iter().filter(|class| is_taken(class, fault)) {
        options = options.with_abstract_syntax(class);
    }
    let options = options.with_transfer_syntax(EXPLICIT).with_transfer_syntax(IMPLICIT_LITTLE_ENDIAN);
    let association = options.with_negotiation(Roles).establish(stream.try_clone().unwrap()).ok()?;
    let of = |c: &PresentationContextNegotiated| Accepted {
        id: c.id,
        class: c.abstract_syntax.clone(),
        syntax: c.transfer_syntax.clone(),
    };
    let accepted = association.presentation_contexts().iter();
    let accepted = accepted.filter(|c| c.reason == PresentationContextResultReason::Acceptance).map(of).collect();
    let peer_max_pdu = association.peer_max_pdu_length();
    Some(Link::over(Association::agreed(Box::new(stream), accepted, peer_max_pdu)))
}

/// The same over TLS.
fn by_ourselves(stream: TcpStream, fault: Fault, tls: &tls::Archive) -> Option<Link> {
    let wire = wire::accept(stream, Some(Arc::clone(&tls.takes)), Duration::from_secs(5)).ok()?;
    let syntaxes = [EXPLICIT, IMPLICIT_LITTLE_ENDIAN];
    accept(wire, "PACS", |class| is_taken(class, fault), &syntaxes).ok().map(Link::over)
}

fn serve(mut link: Link, fault: Fault, kept: &Received, broken: &Mutex<bool>, tls: Option<&tls::Archive>) {
    while let Ok(Message::Command(context, command)) = link.message() {
        let mut data = Vec::new();
        link.data(&mut data).unwrap();
        let respond = |link: &mut Link, field: u16, status: u16| {
            link.send(context, &Command::response(field, &command, status), None).unwrap();
        };
        match command.number_of(FIELD).unwrap() {
            FIND_REQUEST => {
                if let Fault::Finds(status) = fault {
                    respond(&mut link, FIND_RESPONSE, status);
                    continue;
                }
                for answer in answers_to(&read_identifier(&data).unwrap()) {
                    let pending = Command::response(FIND_RESPONSE, &command, 0xFF00).number(0x0800, 1);
                    link.send(context, &pending, Some(&mut write_identifier(&answer).as_slice())).unwrap();
                }
                respond(&mut link, FIND_RESPONSE, 0);
            }
            GET_REQUEST => {
                if matches!(fault, Fault::ForbidsGetAndMovesTo(_)) {
                    return;
                }
                for (n, (uid, syntax, n_bytes)) in asked(&data).into_iter().enumerate() {
                    if n == 1 && std::mem::take(&mut *broken.lock().unwrap()) {
                        return;
                    }
                    send_object(&mut link, uid, syntax, n_bytes);
                    respond(&mut link, GET_RESPONSE, 0xFF00);
                }
                respond(&mut link, GET_RESPONSE, 0);
            }
            MOVE_REQUEST => {
                let (Fault::MovesTo(port) | Fault::ForbidsGetAndMovesTo(port)) = fault else {
                    panic!("a move that was not due")
                };
                let address = DimseAddress {
                    ae_title: command.text_of(MOVE_DESTINATION),
                    host_and_port: format!("127.0.0.1:{port}"),
                    is_tls: tls.is_some(),
                };
                let contexts =
                    [(CT.to_owned(), EXPLICIT.to_owned()), (CT.to_owned(), IMPLICIT_LITTLE_ENDIAN.to_owned())];
                let offer = Offer { calling_ae: "PACS", contexts: &contexts, received: &[] };
                let back = wire::connect(&address, tls.map(|tls| &tls.sends), Duration::from_secs(5))
                    .and_then(|wire| request(wire, &address, &offer));
                // The other side says why.
                let Ok(Some(back)) = back else {
                    respond(&mut link, MOVE_RESPONSE, 0xA702);
                    continue;
                };
                let mut back = Link::over(back);
                for (uid, syntax, n_bytes) in asked(&data) {
                    send_object(&mut back, uid, syntax, n_bytes);
                    respond(&mut link, MOVE_RESPONSE, 0xFF00);
                }
                back.release();
                respond(&mut link, MOVE_RESPONSE, 0);
            }
            STORE_REQUEST => {
                let status = if let Fault::Stores(status) = fault { status } else { 0 };
                kept.lock().unwrap().push(data);
                respond(&mut link, STORE_RESPONSE, status);
            }
            other => panic!("{other:04X}"),
        }
    }
}

fn send_object(link: &mut Link, uid: &str, syntax: &str, n_bytes: usize) {
    let context = link.context(CT, Some(syntax)).unwrap();
    let request = Command::request(STORE_REQUEST, 1, CT).text(AFFECTED_INSTANCE, uid);
    link.send(context, &request, Some(&mut Cursor::new(data_set(uid, syntax, n_bytes)))).unwrap();
    let Message::Command(_, response) = link.message().unwrap() else { panic!() };
    assert_eq!((response.number_of(STATUS), response.text_of(AFFECTED_CLASS).as_str()), (Some(0), CT));
}

/// The objects that a request names.
fn asked(identifier: &[u8]) -> Vec<(&'static str, &'static str, usize)> {
    let keys = read_identifier(identifier).unwrap();
    let named = keys.get(&SOP_INSTANCE_UID).map(|uids| uids.split('\\').collect::<Vec<_>>());
    OBJECTS.into_iter().filter(|(uid, ..)| named.as_ref().is_none_or(|named| named.contains(uid))).collect()
}

fn answers_to(keys: &BTreeMap<Key, String>) -> Vec<BTreeMap<Key, String>> {
    let one = |key: Key, text: &str| BTreeMap::from([(key, text.to_owned())]);
    match keys[&LEVEL].as_str() {
        "STUDY" => {
            assert_eq!(keys[&(0x0010, 0x0020)], "P 1");
            vec![one(STUDY_UID, "1.1")]
        }
        "SERIES" => vec![one(SERIES_UID, SERIES)],
        _ => {
            let wanted = keys.get(&SOP_INSTANCE_UID);
            let of = |(uid, ..): (&str, &str, usize)| {
                let mut answer = one(SOP_INSTANCE_UID, uid);
                answer.insert(SOP_CLASS_UID, CT.to_owned());
                answer
            };
            OBJECTS.into_iter().filter(|(uid, ..)| wanted.is_none_or(|wanted| wanted == uid)).map(of).collect()
        }
    }
}

fn connection(address: &Address) -> Connection {
    Connection {
        address: address.clone(),
        credentials: None,
        plain_credentials: PlainCredentials::Refused,
        ca_file: None,
        identity: None,
        calling_ae: "TEST".to_owned(),
        receive_port: None,
        max_requests_per_second: None,
        n_retries: 2,
        timeout: Duration::from_secs(5),
    }
}

fn pulled(connection: &Connection, folder: &Path) -> Result<Pulled, TransferError> {
    let query = Query::parse(&["PatientID=P 1".to_owned()]).unwrap();
    pull(&mut Pull { connection, query: &query, archive: Some(folder), on_object: &mut |_| {} })
}

fn assert_whole(folder: &Path) {
    for (uid, syntax, n_bytes) in OBJECTS {
        let found = std::fs::read(folder.join(format!("1.1/{SERIES}/{uid}.dcm"))).unwrap();
        assert!(found == file(uid, syntax, n_bytes), "{uid}: {} bytes", found.len());
    }
}

#[test]
fn objects_come_as_they_are_stored_and_come_once() {
    for fault in [Fault::None, Fault::BreaksOffOnce] {
        let (address, _) = start(fault);
        let folder = tempfile::tempdir().unwrap();
        let first = pulled(&connection(&address), folder.path()).unwrap();
        assert_eq!((first.n_fetched, first.failed.as_slice()), (3, [].as_slice()), "{fault:?}");
        assert_whole(folder.path());
        let second = pulled(&connection(&address), folder.path()).unwrap();
        assert_eq!((second.n_fetched, second.n_present), (0, 3), "{fault:?}");
    }
}

#[test]
fn an_archive_without_c_get_sends_to_our_own_port() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (address, _) = start(Fault::MovesTo(port));
    let folder = tempfile::tempdir().unwrap();
    let outcome = pulled(&connection(&address), folder.path()).unwrap();
    let [failed] = outcome.failed.as_slice() else { panic!("{outcome:?}") };
    assert!(failed.reason.contains("--receive-port"), "{}", failed.reason);
    let outcome = pulled(&Connection { receive_port: Some(port), ..connection(&address) }, folder.path()).unwrap();
    assert_eq!((outcome.n_fetched, outcome.failed.as_slice()), (3, [].as_slice()));
    assert_whole(folder.path());
}

#[test]
fn an_archive_that_forbids_c_get_sends_to_our_own_port() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (address, _) = start(Fault::ForbidsGetAndMovesTo(port));
    let folder = tempfile::tempdir().unwrap();
    let outcome = pulled(&Connection { receive_port: Some(port), ..connection(&address) }, folder.path()).unwrap();
    assert_eq!((outcome.n_fetched, outcome.failed.as_slice()), (3, [].as_slice()));
    assert_whole(folder.path());
}

#[test]
fn a_status_is_said_with_its_meaning() {
    let folder = tempfile::tempdir().unwrap();
    let said = |fault| pulled(&Connection { n_retries: 0, ..connection(&start(fault).0) }, folder.path()).unwrap_err();
    let error = said(Fault::Finds(0xA700));
    assert!(error.is_transient() && error.to_string().contains("A700, out of resources"), "{error}");
    let error = said(Fault::Finds(0xA900));
    assert!(!error.is_transient() && error.to_string().contains("A900"), "{error}");
    let (address, _) = start(Fault::None);
    let other: Address = address.to_string().replace("PACS@", "OTHER@").parse().unwrap();
    let error = pulled(&connection(&other), folder.path()).unwrap_err();
    assert!(!error.is_transient() && error.to_string().contains("called AE title not recognized"), "{error}");
}

#[test]
fn objects_are_sent_as_they_are_and_what_is_not_taken_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for (uid, syntax) in [("1.1.1.1", EXPLICIT), ("9.1", EXPLICIT), ("9.2", IMPLICIT_LITTLE_ENDIAN), ("9.3", RLE)] {
        let path = folder.path().join(uid);
        std::fs::write(&path, file(uid, syntax, 200_000)).unwrap();
        files.push(path);
    }
    let (address, received) = start(Fault::None);
    let send = |address: &Address| {
        push(&mut Push { connection: &connection(address), files: &files, on_file: &mut || {} }).unwrap().objects
    };
    let sent = send(&address);
    let states: Vec<SentState> = sent.iter().map(|sent| sent.state).collect();
    assert_eq!(states, [SentState::Present, SentState::Stored, SentState::Stored, SentState::Failed], "{sent:?}");
    assert!(sent[3].reason.as_ref().unwrap().contains("nothing is transcoded"));
    let expected = [data_set("9.1", EXPLICIT, 200_000), data_set("9.2", IMPLICIT_LITTLE_ENDIAN, 200_000)];
    assert!(*received.lock().unwrap() == expected, "byte for byte");
    let sent = send(&start(Fault::Stores(0xC122)).0);
    assert!(sent[1].reason.as_ref().unwrap().contains("C122, the transfer syntax is not supported"), "{sent:?}");
    let sent = send(&start(Fault::Stores(0xB007)).0);
    assert_eq!(sent[1].state, SentState::Stored, "stored with a warning");
    assert!(sent[1].reason.as_ref().unwrap().contains("B007"));
}
