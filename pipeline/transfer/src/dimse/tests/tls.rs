//! The same entity over TLS: what is sent arrives, and no connection is made with somebody who is not known.

use std::io::Read as _;

use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};

use super::*;
use crate::certificates::{Authority, Flaw, write_private};
use crate::tls::{Tls, server_config};
use crate::{Connection, Identity};

/// How an archive speaks TLS: with whom it is spoken to, and when it speaks to others.
#[derive(Clone)]
pub(super) struct Archive {
    pub(super) takes: Arc<ServerConfig>,
    pub(super) sends: Tls,
}

/// Whom an archive lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    Nobody,
    ForCertificate,
}

fn archive(authority: &Authority, flaw: Flaw, asks: Asks) -> Archive {
    let at = "dimse-tls://PACS@127.0.0.1:1".parse().unwrap();
    let ours = Connection {
        ca_file: Some(authority.ca_file.clone()),
        identity: Some(authority.identity("archive", flaw)),
        ..connection(&at)
    };
    let sends = Tls::new(&ours).unwrap();
    let Identity { chain, key, .. } = ours.identity.unwrap();
    let anybody = ServerConfig::builder_with_provider(crate::tls::provider()).with_safe_default_protocol_versions();
    let anybody = anybody.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let takes = if asks == Asks::Nobody { Arc::new(anybody) } else { sends.server().unwrap() };
    Archive { takes, sends }
}

fn trusting(address: &Address, authority: &Authority) -> Connection {
    Connection { ca_file: Some(authority.ca_file.clone()), n_retries: 0, ..connection(address) }
}

fn refusal(connection: &Connection) -> TransferError {
    pulled(connection, tempfile::tempdir().unwrap().path()).unwrap_err()
}

#[test]
fn objects_come_and_go_over_tls_byte_for_byte() {
    let authority = Authority::new("hospital");
    for asks in [Asks::Nobody, Asks::ForCertificate] {
        let (address, received) = start_over(Fault::None, Some(archive(&authority, Flaw::None, asks)));
        let identity = (asks == Asks::ForCertificate).then(|| authority.identity("us", Flaw::None));
        let connection = Connection { identity, ..trusting(&address, &authority) };
        let folder = tempfile::tempdir().unwrap();
        let first = pulled(&connection, folder.path()).unwrap();
        assert_eq!((first.n_fetched, first.failed.as_slice()), (3, [].as_slice()), "{asks:?}");
        assert!(first.address.starts_with("dimse-tls://PACS@"), "{}", first.address);
        assert_whole(folder.path());
        let path = folder.path().join("9.1");
        std::fs::write(&path, file("9.1", EXPLICIT, 200_000)).unwrap();
        let sent = push(&mut Push { connection: &connection, files: &[path], on_file: &mut || {} }).unwrap().objects;
        assert_eq!(sent[0].state, SentState::Stored, "{sent:?}");
        assert!(*received.lock().unwrap() == [data_set("9.1", EXPLICIT, 200_000)]);
    }
}

#[test]
fn nobody_is_spoken_to_whose_certificate_does_not_hold() {
    let (ours, other) = (Authority::new("hospital"), Authority::new("somebody"));
    let said = |authority: &Authority, flaw| {
        let (address, _) = start_over(Fault::None, Some(archive(authority, flaw, Asks::Nobody)));
        let error = refusal(&trusting(&address, &ours));
        assert!(matches!(error, TransferError::Denied(_)), "asking again changes nothing: {error:?}");
        error.to_string()
    };
    let unknown = said(&other, Flaw::None);
    assert!(unknown.contains("nobody who is trusted vouches") && unknown.contains("--ca-file"), "{unknown}");
    let expired = said(&ours, Flaw::Expired);
    assert!(expired.contains("has expired"), "{expired}");
    let elsewhere = said(&ours, Flaw::OtherHost);
    assert!(elsewhere.contains("for another host (elsewhere.example)"), "{elsewhere}");
}

#[test]
fn an_archive_that_demands_a_certificate_says_so_in_every_version_of_tls() {
    let (ours, other) = (Authority::new("hospital"), Authority::new("somebody"));
    let both = archive(&ours, Flaw::None, Asks::ForCertificate);
    for versions in [&[&TLS12] as &[&'static SupportedProtocolVersion], &[&TLS13]] {
        let roots = crate::trust::root_store(Some(&ours.ca_file)).unwrap();
        let takes = server_config(roots, &ours.identity("archive", Flaw::None), versions).unwrap();
        let (address, _) = start_over(Fault::None, Some(Archive { takes, ..both.clone() }));
        let known = Connection { identity: Some(ours.identity("us", Flaw::None)), ..trusting(&address, &ours) };
        assert_eq!(pulled(&known, tempfile::tempdir().unwrap().path()).unwrap().n_fetched, 3, "{versions:?}");
        let without = refusal(&Connection { identity: None, ..known.clone() }).to_string();
        assert!(without.contains("certificate of ours") && without.contains("--cert-file"), "{versions:?}: {without}");
        let stranger = refusal(&Connection { identity: Some(other.identity("us", Flaw::None)), ..known }).to_string();
        assert!(stranger.contains("--cert-file"), "{versions:?}: {stranger}");
    }
}

#[test]
fn what_speaks_no_tls_is_not_spoken_to_without_it_and_the_other_way_round() {
    let authority = Authority::new("hospital");
    let (plain, received) = start(Fault::None);
    let address: Address = format!("dimse-tls://{plain}").parse().unwrap();
    let said = refusal(&trusting(&address, &authority)).to_string();
    assert!(said.contains("no safe connection"), "{said}");
    // One that answers in the clear.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap();
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut bytes = [0; 3];
        stream.read_exact(&mut bytes).unwrap();
        std::io::Write::write_all(&mut stream, &[7, 0, 0, 0, 0, 4, 0, 0, 0, 0]).unwrap();
        bytes
    });
    let address: Address = format!("dimse-tls://PACS@{place}").parse().unwrap();
    let error = refusal(&trusting(&address, &authority));
    assert!(matches!(error, TransferError::Denied(_)) && error.to_string().contains("does not speak TLS"), "{error}");
    assert_eq!(heard.join().unwrap()[..2], [22, 3], "nothing but the beginning of TLS was said");
    assert!(received.lock().unwrap().is_empty());
    let (secure, _) = start_over(Fault::None, Some(archive(&authority, Flaw::None, Asks::Nobody)));
    let address: Address = secure.to_string().trim_start_matches("dimse-tls://").parse().unwrap();
    let said = refusal(&Connection { n_retries: 0, ..connection(&address) }).to_string();
    assert!(said.contains("dimse-tls://AE@HOST:PORT"), "{said}");
    let said = refusal(&trusting(&address, &authority)).to_string();
    assert!(said.contains("not: expected https://… or dimse-tls://"), "certificates without TLS: {said}");
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A connection that objects come back over to a port of ours.
fn receiving(archive: Archive, authority: &Authority) -> Connection {
    let port = free_port();
    let (address, _) = start_over(Fault::MovesTo(port), Some(archive));
    let identity = Some(authority.identity("us", Flaw::None));
    Connection { receive_port: Some(port), identity, ..trusting(&address, authority) }
}

#[test]
fn an_archive_sends_over_tls_to_our_own_port() {
    let authority = Authority::new("hospital");
    let connection = receiving(archive(&authority, Flaw::None, Asks::ForCertificate), &authority);
    let folder = tempfile::tempdir().unwrap();
    let outcome = pulled(&connection, folder.path()).unwrap();
    assert_eq!((outcome.n_fetched, outcome.failed.as_slice()), (3, [].as_slice()));
    assert_whole(folder.path());
    let said = refusal(&Connection { identity: None, ..connection }).to_string();
    assert!(said.contains("expected --cert-file and --key-file"), "{said}");
}

#[test]
fn who_is_not_known_or_speaks_no_tls_sends_nothing_to_our_port() {
    let (authority, other) = (Authority::new("hospital"), Authority::new("somebody"));
    let at = "dimse-tls://PACS@127.0.0.1:1".parse().unwrap();
    let unknown = Connection { identity: Some(other.identity("archive", Flaw::None)), ..trusting(&at, &authority) };
    let known = archive(&authority, Flaw::None, Asks::ForCertificate);
    let archive = Archive { sends: Tls::new(&unknown).unwrap(), ..known.clone() };
    let reason = |connection: &Connection| {
        let outcome = pulled(connection, tempfile::tempdir().unwrap().path()).unwrap();
        assert_eq!(outcome.n_fetched, 0);
        outcome.failed[0].reason.clone()
    };
    let said = reason(&receiving(archive, &authority));
    assert!(said.contains("our port") && said.contains("nobody who is trusted vouches"), "{said}");
    let connection = receiving(known, &authority);
    let port = connection.receive_port.unwrap();
    // Somebody on the archive's machine, before the archive itself: the port is open once the pull has begun.
    let intruder = std::thread::spawn(move || {
        let mut stream = loop {
            match TcpStream::connect(("127.0.0.1", port)) {
                Ok(stream) => break stream,
                Err(_) => std::thread::sleep(Duration::from_millis(1)),
            }
        };
        std::io::Write::write_all(&mut stream, &[1, 0, 0, 0, 0, 4, 0, 0, 0, 0]).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let said = reason(&connection);
    assert!(said.contains("does not speak TLS"), "{said}");
    intruder.join().unwrap();
}

#[test]
fn a_certificate_and_its_key_are_read_and_others_are_refused() {
    let authority = Authority::new("hospital");
    let (certificate, key) = authority.files("us", Flaw::None);
    let (_, foreign) = authority.files("others", Flaw::None);
    let identity = Identity::from_files(&certificate, &key).unwrap();
    assert_eq!(format!("{identity:?}"), "Identity(…)");
    let said = |certificate: &Path, key: &Path| Identity::from_files(certificate, key).unwrap_err().to_string();
    assert!(
        said(&certificate, &foreign).contains("expected a certificate and its key"),
        "{}",
        said(&certificate, &foreign)
    );
    assert!(said(&key, &key).contains("expected a certificate (PEM)"));
    let locked = key.with_extension("locked");
    write_private(&locked, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
    assert!(said(&certificate, &locked).contains("passphrase"), "{}", said(&certificate, &locked));
}
