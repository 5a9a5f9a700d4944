//! Takes what an archive sends: over our own association (C-GET), or over one it opens to us (C-MOVE).
//!
//! Source: DICOM PS3.4 C.4.2 (C-MOVE), C.4.3 (C-GET); PS3.7 D.3.3.4 (role selection).

use std::collections::BTreeSet;
use std::net::{IpAddr, TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use formats::dicom::identifier::write_identifier;
use formats::dicom::instance::file_meta;
use formats::dicom::is_uid;

use super::association::{Context, accept};
use super::command::{
    AFFECTED_CLASS, AFFECTED_INSTANCE, Command, ECHO_REQUEST, ECHO_RESPONSE, FIELD, GET_REQUEST, GET_RESPONSE,
    MOVE_DESTINATION, MOVE_REQUEST, MOVE_RESPONSE, STATUS, STORE_REQUEST, STORE_RESPONSE,
};
use super::link::{Link, Message};
use super::wire::Wire;
use super::{Dimse, IMPLICIT_LITTLE_ENDIAN, LEVEL, MAX_CONTEXTS, status_error, wire};
use crate::TransferError;
use crate::inbox::{Inbox, SeriesKey};
use crate::pull::{SERIES_UID, SOP_INSTANCE_UID, STUDY_UID, Wanted};
use crate::tls::Tls;

pub(super) const GET: &str = "1.2.840.10008.5.1.4.1.2.2.3";
const MOVE: &str = "1.2.840.10008.5.1.4.1.2.2.2";

/// Instances named in one request.
const MAX_NAMED: usize = 100;

/// Every transfer syntax of images and other objects; each is offered for itself, so that objects come as they are stored.
///
/// Source: DICOM PS3.5 annex A, PS3.6 table A-1.
const SYNTAXES: [&str; 17] = [
    "1.2.840.10008.1.2.1",
    IMPLICIT_LITTLE_ENDIAN,
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.4.92",
    "1.2.840.10008.1.2.4.201",
    "1.2.840.10008.1.2.4.202",
    "1.2.840.10008.1.2.4.203",
];

/// Classes offered where the archive does not tell those of the series: CT, MR, PET, enhanced CT and MR, segmentation, RT structures.
const USUAL_CLASSES: [&str; 7] = [
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.4",
    "1.2.840.10008.5.1.4.1.1.128",
    "1.2.840.10008.5.1.4.1.1.2.1",
    "1.2.840.10008.5.1.4.1.1.4.1",
    "1.2.840.10008.5.1.4.1.1.66.4",
    "1.2.840.10008.5.1.4.1.1.481.3",
];

/// Whether an archive offers C-GET.
pub(super) enum Offered {
    Yes,
    No,
}

/// Fetches over our own association.
pub(super) fn get(
    dimse: &mut Dimse,
    series: &SeriesKey,
    wanted: &Wanted,
    inbox: &mut Inbox<'_>,
) -> Result<Offered, TransferError> {
    let classes = classes_of(wanted);
    let mut contexts: Vec<Context> = vec![(GET.to_owned(), IMPLICIT_LITTLE_ENDIAN.to_owned())];
    contexts.extend(classes.iter().flat_map(|class| SYNTAXES.map(|syntax| (class.clone(), syntax.to_owned()))));
    let Some(mut link) = dimse.open(&contexts, &classes)? else { return Ok(Offered::No) };
    let Some(context) = link.context(GET, None) else {
        link.release();
        return Ok(Offered::No);
    };
    if classes.iter().all(|class| link.context(class, None).is_none()) {
        link.release();
        return Ok(Offered::No);
    }
    for identifier in identifiers(series, wanted) {
        let request = Command::request(GET_REQUEST, link.next_id(), GET);
        link.send(context, &request, Some(&mut identifier.as_slice()))?;
        take_until(&mut link, GET_RESPONSE, inbox)?;
    }
    link.release();
    Ok(Offered::Yes)
}

/// Classes of what is wanted, as many as one association can offer.
fn classes_of(wanted: &Wanted) -> Vec<String> {
    let stated: BTreeSet<&String> = wanted.instances.iter().filter_map(|(_, class)| class.as_ref()).collect();
    if stated.is_empty() {
        return USUAL_CLASSES.map(str::to_owned).to_vec();
    }
    stated.into_iter().take((MAX_CONTEXTS - 1) / SYNTAXES.len()).cloned().collect()
}

/// The data sets of the requests: the series, or so many instances of it at a time.
fn identifiers(series: &SeriesKey, wanted: &Wanted) -> Vec<Vec<u8>> {
    let of = |level: &str, instances: Option<String>| {
        let mut keys = [(LEVEL, level.to_owned())].into_iter().collect::<std::collections::BTreeMap<_, _>>();
        keys.extend([(STUDY_UID, series.study_uid.clone()), (SERIES_UID, series.series_uid.clone())]);
        keys.extend(instances.map(|uids| (SOP_INSTANCE_UID, uids)));
        write_identifier(&keys)
    };
    if wanted.is_whole_series {
        return vec![of("SERIES", None)];
    }
    let uids: Vec<&str> = wanted.instances.iter().map(|(uid, _)| uid.as_str()).collect();
    uids.chunks(MAX_NAMED).map(|chunk| of("IMAGE", Some(chunk.join("\\")))).collect()
}

/// Takes objects until the final answer to the request.
pub(super) fn take_until(link: &mut Link, response: u16, inbox: &mut Inbox<'_>) -> Result<(), TransferError> {
    loop {
        let Message::Command(context, command) = link.message()? else {
            return Err(TransferError::transient("the archive ended the association before everything had come"));
        };
        match command.number_of(FIELD) {
            Some(STORE_REQUEST) => take(link, context, &command, inbox)?,
            Some(field) if field == response => {
                if command.has_data_set() {
                    link.data(&mut std::io::sink())?;
                }
                match command.number_of(STATUS) {
                    Some(0xFF00) => {}
                    // Done, also where some failed: what is missing is seen by what came.
                    Some(0 | 0xB000) => return Ok(()),
                    status => return Err(status_error("fetching a series", status)),
                }
            }
            _ => return Err(TransferError::Refused("the archive sent a message that was not due".to_owned())),
        }
    }
}

/// Takes one object and answers for it.
fn take(link: &mut Link, context: u8, command: &Command, inbox: &mut Inbox<'_>) -> Result<(), TransferError> {
    const CANNOT_FILE: u16 = 0xA700;
    const NOT_WANTED: u16 = 0xA900;
    let (class, instance) = (command.text_of(AFFECTED_CLASS), command.text_of(AFFECTED_INSTANCE));
    let syntax = link.syntax(context).unwrap_or_default().to_owned();
    let n_refused = inbox.refused.len();
    let filed = if is_uid(&class) && is_uid(&instance) && is_uid(&syntax) {
        inbox.receive(|to| {
            to.write_all(&file_meta(&class, &instance, &syntax))
                .map_err(TransferError::file("the archive's folder"))?;
            link.data(to)
        })
    } else {
        inbox.refused.push((None, "the archive sent an object without proper identifiers".to_owned()));
        link.data(&mut std::io::sink())
    };
    let status = match &filed {
        Ok(()) if inbox.refused.len() == n_refused => 0,
        Ok(()) => NOT_WANTED,
        Err(TransferError::File { .. }) => CANNOT_FILE,
        // The connection is gone: there is nobody to answer.
        Err(_) => return filed,
    };
    link.send(context, &Command::response(STORE_RESPONSE, command, status), None)?;
    filed
}

/// Has the archive send to our own port.
pub(super) fn by_move(
    dimse: &mut Dimse,
    series: &SeriesKey,
    wanted: &Wanted,
    inbox: &mut Inbox<'_>,
) -> Result<(), TransferError> {
    if dimse.listener.is_none() {
        return Err(TransferError::Refused(format!(
            "the archive does not offer C-GET for these objects; give --receive-port, and have {} with this machine and that port \
             entered there, so that it can send by C-MOVE",
            dimse.calling_ae
        )));
    }
    let contexts = [(MOVE.to_owned(), IMPLICIT_LITTLE_ENDIAN.to_owned())];
    let mut link = dimse
        .open(&contexts, &[])?
        .ok_or_else(|| TransferError::Refused("the archive offers neither C-GET nor C-MOVE (study root)".to_owned()))?;
    let context = link.context(MOVE, None).unwrap_or_default();
    for identifier in identifiers(series, wanted) {
        let request = Command::request(MOVE_REQUEST, link.next_id(), MOVE).text(MOVE_DESTINATION, &dimse.calling_ae);
        link.send(context, &request, Some(&mut identifier.as_slice()))?;
        // The answers are waited for beside, so that objects can come in meanwhile.
        link = std::thread::scope(|scope| {
            let waiting = scope.spawn(move || wait_for_move(link));
            let taken = take_connections(dimse, inbox, || waiting.is_finished());
            let waited = waiting.join().unwrap_or_else(|_| Err(TransferError::transient("waiting for C-MOVE failed")));
            taken.and(waited)
        })?;
    }
    link.release();
    Ok(())
}

/// Waits for the final answer to a C-MOVE.
fn wait_for_move(mut link: Link) -> Result<Link, TransferError> {
    loop {
        let Message::Command(_, command) = link.message()? else {
            return Err(TransferError::transient("the archive ended the association before everything had been sent"));
        };
        if command.number_of(FIELD) != Some(MOVE_RESPONSE) {
            return Err(TransferError::Refused("the archive sent a message that was not due".to_owned()));
        }
        if command.has_data_set() {
            link.data(&mut std::io::sink())?;
        }
        match command.number_of(STATUS) {
            Some(0xFF00) => {}
            Some(0 | 0xB000) => return Ok(link),
            status => return Err(status_error("C-MOVE", status)),
        }
    }
}

/// How long the port is left alone between two looks at it.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Takes what comes in on our port until the archive says that it is done, and then what has already come.
fn take_connections(dimse: &Dimse, inbox: &mut Inbox<'_>, is_done: impl Fn() -> bool) -> Result<(), TransferError> {
    let Some(listener) = &dimse.listener else { return Ok(()) };
    let of_port = || TransferError::file("--receive-port");
    listener.set_nonblocking(true).map_err(of_port())?;
    let hosts: Vec<IpAddr> = dimse
        .address
        .host_and_port
        .to_socket_addrs()
        .map_err(|error| TransferError::transient(format!("no address is known of the archive's host: {error}")))?
        .map(|address| address.ip())
        .collect();
    loop {
        let was_done = is_done();
        match listener.accept() {
            Ok((stream, from)) if hosts.contains(&from.ip()) => {
                stream.set_nonblocking(false).map_err(of_port())?;
                serve(dimse, stream, inbox)?;
            }
            Ok((_, from)) => {
                tracing::warn!("a connection from {} is refused: it is not the archive's address", from.ip());
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock && was_done => return Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => std::thread::sleep(LOOK_AGAIN),
            Err(error) => return Err(of_port()(error)),
        }
    }
}

/// Takes the objects of one connection that the archive has opened.
fn serve(dimse: &Dimse, stream: TcpStream, inbox: &mut Inbox<'_>) -> Result<(), TransferError> {
    let tls = dimse.tls.as_ref().map(Tls::server).transpose()?;
    take_all(wire::accept(stream, tls, dimse.timeout)?, &dimse.calling_ae, inbox)
}

/// Takes the objects of an association that the archive asks for.
pub(super) fn take_all(wire: Box<dyn Wire>, our_title: &str, inbox: &mut Inbox<'_>) -> Result<(), TransferError> {
    let mut link = Link::over(accept(wire, our_title, |_| true, &SYNTAXES)?);
    while let Message::Command(context, command) = link.message()? {
        match command.number_of(FIELD) {
            Some(STORE_REQUEST) => take(&mut link, context, &command, inbox)?,
            Some(ECHO_REQUEST) => link.send(context, &Command::response(ECHO_RESPONSE, &command, 0), None)?,
            _ => return Err(TransferError::Refused("the archive sent a message that was not due".to_owned())),
        }
    }
    Ok(())
}
