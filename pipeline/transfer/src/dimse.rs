//! An archive that speaks DIMSE: C-FIND to search, C-GET (or C-MOVE) to fetch, C-STORE to send.
//!
//! Source: DICOM PS3.4 annexes B (storage) and C (query/retrieve, study root); PS3.7 section 9.1.

mod association;
mod command;
mod link;
mod receive;
mod recorded;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Seek as _, SeekFrom};
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use formats::dicom::identifier::{Key, read_identifier, write_identifier};
use formats::dicom::instance::Instance;

use crate::address::check_ae;
use crate::dicom_json::Attributes;
use crate::inbox::{Inbox, SeriesKey};
use crate::pace::Pace;
use crate::pull::{Archive, SERIES_UID, SOP_CLASS_UID, SOP_INSTANCE_UID, STUDY_UID, Scope, Wanted};
use crate::push::{Store, Stored};
use crate::query::Search;
use crate::retry::with_retries;
use crate::status::{failure_reason, may_pass};
use crate::tls::Tls;
use crate::{Connection, DimseAddress, TransferError};
use association::{Context, Offer, request};
use command::{AFFECTED_INSTANCE, Command, FIELD, FIND_REQUEST, FIND_RESPONSE, STATUS, STORE_REQUEST, STORE_RESPONSE};
use link::{Link, Message};
pub use recorded::read_recorded;

const FIND: &str = "1.2.840.10008.5.1.4.1.2.2.1";
const IMPLICIT_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2";

/// Query/Retrieve Level.
const LEVEL: Key = (0x0008, 0x0052);

/// The answer to a query has some hundred bytes.
const MAX_ANSWER: usize = 1 << 20;

/// Answers to one search.
const MAX_ANSWERS: usize = 1_000_000;

/// Presentation contexts of one association (PS3.8 9.3.2.2: odd numbers up to 255).
const MAX_CONTEXTS: usize = 128;

/// An application entity that is spoken to.
pub(crate) struct Dimse {
    address: DimseAddress,
    /// Where the address asks for it.
    tls: Option<Tls>,
    calling_ae: String,
    timeout: Duration,
    n_retries: u32,
    pace: Pace,
    listener: Option<TcpListener>,
    /// It does not offer C-GET, or not to us.
    has_no_get: bool,
    /// C-GET has brought a series.
    has_got: bool,
    finding: Option<Link>,
    /// It does not offer C-FIND, which only a push can do without.
    has_no_find: bool,
    storing: Option<Link>,
    stored_contexts: BTreeSet<Context>,
}

impl Drop for Dimse {
    fn drop(&mut self) {
        [self.finding.take(), self.storing.take()].into_iter().flatten().for_each(Link::release);
    }
}

impl Dimse {
    pub(crate) fn new(connection: &Connection, address: &DimseAddress) -> Result<Self, TransferError> {
        check_ae(&connection.calling_ae).map_err(|why| TransferError::Usage(format!("--calling-ae: {why}")))?;
        if connection.credentials.is_some() {
            let message = "passwords and tokens are for DICOMweb (https://…); AE@HOST:PORT knows none";
            return Err(TransferError::Usage(message.to_owned()));
        }
        let tls = address.is_tls.then(|| Tls::new(connection)).transpose()?;
        if let (Some(_), Some(tls)) = (connection.receive_port, &tls) {
            tls.server()?;
        }
        let listen = |port: u16| {
            TcpListener::bind(("0.0.0.0", port))
                .map_err(|error| TransferError::Usage(format!("--receive-port {port} cannot be listened on: {error}")))
        };
        Ok(Self {
            address: address.clone(),
            tls,
            calling_ae: connection.calling_ae.clone(),
            timeout: connection.timeout,
            n_retries: connection.n_retries,
            pace: Pace::new(connection.max_requests_per_second),
            listener: connection.receive_port.map(listen).transpose()?,
            has_no_get: false,
            has_got: false,
            finding: None,
            has_no_find: false,
            storing: None,
            stored_contexts: BTreeSet::new(),
        })
    }

    fn open(&mut self, contexts: &[Context], received: &[String]) -> Result<Option<Link>, TransferError> {
        let wire = wire::connect(&self.address, self.tls.as_ref(), self.timeout)?;
        let offer = Offer { calling_ae: &self.calling_ae, contexts, received };
        Ok(request(wire, &self.address, &offer)?.map(Link::over))
    }

    /// One C-FIND; the association is kept for the next one where all went well.
    fn find(&mut self, keys: &BTreeMap<Key, String>) -> Result<Vec<Attributes>, TransferError> {
        self.pace.wait();
        let kept = self.finding.take();
        let contexts = [(FIND.to_owned(), IMPLICIT_LITTLE_ENDIAN.to_owned())];
        let mut link = match kept {
            Some(link) => link,
            None => self.open(&contexts, &[])?.ok_or_else(|| {
                self.has_no_find = true;
                TransferError::Refused(
                    "the archive cannot be searched: it does not offer C-FIND (study root)".to_owned(),
                )
            })?,
        };
        let context = link.context(FIND, None).unwrap_or_default();
        let request = Command::request(FIND_REQUEST, link.next_id(), FIND);
        link.send(context, &request, Some(&mut write_identifier(keys).as_slice()))?;
        let found = answers(&mut link)?;
        self.finding = Some(link);
        Ok(found)
    }
}

/// The answers to a query, up to its final status.
fn answers(link: &mut Link) -> Result<Vec<Attributes>, TransferError> {
    let mut found = Vec::new();
    loop {
        let Message::Command(_, command) = link.message()? else {
            return Err(TransferError::transient("the archive ended the association within a search"));
        };
        if command.number_of(FIELD) != Some(FIND_RESPONSE) {
            return Err(TransferError::Refused("the archive answers a search with another message".to_owned()));
        }
        let mut bytes = Vec::new();
        if command.has_data_set() {
            link.data(&mut bytes)?;
        }
        match command.number_of(STATUS) {
            Some(0) => return Ok(found),
            Some(0xFF00 | 0xFF01) if bytes.len() <= MAX_ANSWER && found.len() < MAX_ANSWERS => {
                let answer = read_identifier(&bytes)
                    .map_err(|why| TransferError::Refused(format!("an answer to a search cannot be read: {why}")))?;
                found.push(answer);
            }
            Some(0xFF00 | 0xFF01) => {
                return Err(TransferError::Refused(
                    "more or longer answers than there can be; ask for less".to_owned(),
                ));
            }
            status => return Err(status_error("the search", status)),
        }
    }
}

/// A status that is no success.
fn status_error(what: &str, status: Option<u16>) -> TransferError {
    match status {
        Some(code) if may_pass(code) => TransferError::transient(format!("{what}: {}", failure_reason(code))),
        Some(code) => TransferError::Refused(format!("{what}: {}", failure_reason(code))),
        None => TransferError::Refused(format!("{what}: an answer without a status")),
    }
}

/// The keys of a query, with those whose values are asked for.
fn keys_of(scope: Scope<'_>, search: &Search) -> BTreeMap<Key, String> {
    let mut keys: BTreeMap<Key, String> = search.iter().map(|(key, value)| (key.tag, value.clone())).collect();
    let (level, asked): (&str, &[Key]) = match scope {
        Scope::Studies => ("STUDY", &[STUDY_UID]),
        Scope::Series(study) => {
            keys.insert(STUDY_UID, study.to_owned());
            ("SERIES", &[SERIES_UID])
        }
        Scope::Instances(SeriesKey { study_uid, series_uid }) => {
            keys.extend([(STUDY_UID, study_uid.clone()), (SERIES_UID, series_uid.clone())]);
            ("IMAGE", &[SOP_INSTANCE_UID, SOP_CLASS_UID])
        }
    };
    keys.insert(LEVEL, level.to_owned());
    for key in asked {
        keys.entry(*key).or_default();
    }
    keys
}

impl Archive for Dimse {
    fn search(&mut self, scope: Scope<'_>, search: &Search) -> Result<Vec<Attributes>, TransferError> {
        with_retries(self.n_retries, || self.find(&keys_of(scope, search)))
    }

    fn fetch(&mut self, series: &SeriesKey, wanted: &Wanted, inbox: &mut Inbox<'_>) -> Result<(), TransferError> {
        self.pace.wait();
        if !self.has_no_get {
            let n_filed = inbox.n_filed;
            match receive::get(self, series, wanted, inbox) {
                Ok(receive::Offered::Yes) => {
                    self.has_got = true;
                    return Ok(());
                }
                Ok(receive::Offered::No) => {}
                // Some archives offer C-GET to everybody and break off where one asks who has no right to it.
                Err(TransferError::Transient { reason, .. } | TransferError::Refused(reason))
                    if self.listener.is_some() && !self.has_got && inbox.n_filed == n_filed =>
                {
                    tracing::info!("C-GET brings nothing ({reason}): C-MOVE is asked for");
                }
                Err(error) => return Err(error),
            }
            self.has_no_get = true;
        }
        receive::by_move(self, series, wanted, inbox)
    }
}

impl Store for Dimse {
    fn has(&mut self, instance: &Instance) -> Result<bool, TransferError> {
        if self.has_no_find {
            return Ok(false);
        }
        let series = SeriesKey { study_uid: instance.study_uid.clone(), series_uid: instance.series_uid.clone() };
        let mut keys = keys_of(Scope::Instances(&series), &Search::new());
        keys.insert(SOP_INSTANCE_UID, instance.sop_instance_uid.clone());
        let found = match self.find(&keys) {
            Err(TransferError::Refused(reason)) => {
                tracing::info!("whether objects are there already cannot be asked: {reason}");
                Vec::new()
            }
            other => other?,
        };
        Ok(found.iter().any(|one| one.get(&SOP_INSTANCE_UID) == Some(&instance.sop_instance_uid)))
    }

    fn store(&mut self, path: &Path, instance: &Instance) -> Result<Stored, TransferError> {
        self.pace.wait();
        let (class, syntax) = (instance.sop_class_uid.as_str(), instance.transfer_syntax.as_str());
        let mut link = self.storing_link(class, syntax)?;
        let Some(context) = link.context(class, Some(syntax)) else {
            self.storing = Some(link);
            return Err(not_taken(class, syntax));
        };
        let mut file = std::fs::File::open(path).map_err(TransferError::file(path))?;
        file.seek(SeekFrom::Start(instance.data_at)).map_err(TransferError::file(path))?;
        let request =
            Command::request(STORE_REQUEST, link.next_id(), class).text(AFFECTED_INSTANCE, &instance.sop_instance_uid);
        link.send(context, &request, Some(&mut file))?;
        let Message::Command(_, response) = link.message()? else {
            return Err(TransferError::transient("the archive ended the association before it had stored the object"));
        };
        if response.number_of(FIELD) != Some(STORE_RESPONSE) {
            return Err(TransferError::Refused("the archive answers a store with another message".to_owned()));
        }
        self.storing = Some(link);
        match response.number_of(STATUS) {
            Some(0) => Ok(Stored::Said { warning: None }),
            Some(code @ 0xB000..=0xBFFF) => Ok(Stored::Said { warning: Some(failure_reason(code)) }),
            status => Err(status_error("the archive does not store it", status)),
        }
    }
}

fn not_taken(class: &str, syntax: &str) -> TransferError {
    TransferError::Refused(format!(
        "the archive does not take objects of SOP class {class} in transfer syntax {syntax}; nothing is transcoded"
    ))
}

impl Dimse {
    /// An association that was offered this class and transfer syntax, with those of objects sent before.
    fn storing_link(&mut self, class: &str, syntax: &str) -> Result<Link, TransferError> {
        let is_new = self.stored_contexts.insert((class.to_owned(), syntax.to_owned()));
        match self.storing.take() {
            Some(link) if !is_new => return Ok(link),
            Some(link) => link.release(),
            None => {}
        }
        if self.stored_contexts.len() > MAX_CONTEXTS {
            self.stored_contexts = BTreeSet::from([(class.to_owned(), syntax.to_owned())]);
        }
        let contexts: Vec<Context> = self.stored_contexts.iter().cloned().collect();
        self.open(&contexts, &[])?.ok_or_else(|| not_taken(class, syntax))
    }
}

#[cfg(test)]
mod tests;
