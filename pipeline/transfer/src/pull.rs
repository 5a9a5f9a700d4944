//! Fetches what a search finds: studies, their series, their instances; what is there whole already is not fetched again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Instant;

use formats::dicom::identifier::Key;
use formats::dicom::is_uid;
use serde::Serialize;

use crate::dicom_json::Attributes;
use crate::dicomweb::DicomWeb;
use crate::dimse::Dimse;
use crate::inbox::{Inbox, SeriesKey, is_filed};
use crate::query::{Search, ignored};
use crate::retry::Retries;
use crate::{Address, Connection, Level, Query, TransferError};

pub(crate) const STUDY_UID: Key = (0x0020, 0x000D);
pub(crate) const SERIES_UID: Key = (0x0020, 0x000E);
pub(crate) const SOP_INSTANCE_UID: Key = (0x0008, 0x0018);
pub(crate) const SOP_CLASS_UID: Key = (0x0008, 0x0016);

/// What a search is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scope<'a> {
    Studies,
    /// Series of a study.
    Series(&'a str),
    /// Instances of a series.
    Instances(&'a SeriesKey),
}

impl Scope<'_> {
    /// The attribute that tells its answers apart.
    pub(crate) fn uid(self) -> Key {
        match self {
            Scope::Studies => STUDY_UID,
            Scope::Series(_) => SERIES_UID,
            Scope::Instances(_) => SOP_INSTANCE_UID,
        }
    }
}

/// What of a series is fetched: instances with their SOP classes, where the archive told them.
pub(crate) struct Wanted {
    pub(crate) instances: Vec<(String, Option<String>)>,
    /// All that the archive has of the series.
    pub(crate) is_whole_series: bool,
}

/// An archive that can be searched and fetched from.
pub(crate) trait Archive {
    /// Everything a search finds, in one go. What fails for a passing reason is asked again.
    fn search(&mut self, scope: Scope<'_>, search: &Search) -> Result<Vec<Attributes>, TransferError>;
    /// Fetches into the inbox. What is missing afterwards did not come; an error may come after some did.
    fn fetch(&mut self, series: &SeriesKey, wanted: &Wanted, inbox: &mut Inbox<'_>) -> Result<(), TransferError>;
}

/// What is asked for.
pub struct Pull<'a> {
    /// Where, and how to speak.
    pub connection: &'a Connection,
    /// What.
    pub query: &'a Query,
    /// Folder it goes to; `None` only counts.
    pub archive: Option<&'a Path>,
    /// Called with the bytes of every object that is filed.
    pub on_object: &'a mut dyn FnMut(u64),
}

/// Something that was found and not fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// Study Instance UID.
    pub study_uid: String,
    /// Series Instance UID.
    pub series_uid: String,
    /// One instance, or the series.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sop_instance_uid: Option<String>,
    /// Why.
    pub reason: String,
    /// Whether the same command may succeed later.
    pub is_transient: bool,
}

/// What was fetched.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Pulled {
    /// Version of this document.
    pub schema_version: u32,
    /// Where from.
    pub address: String,
    /// Imaging studies that the search found.
    pub n_studies: usize,
    /// Their series.
    pub n_series: usize,
    /// Their instances.
    pub n_instances: usize,
    /// Fetched now.
    pub n_fetched: usize,
    /// There already, whole.
    pub n_present: usize,
    /// Fetched now, in bytes.
    pub n_bytes: u64,
    /// Found and not fetched.
    pub failed: Vec<Failed>,
    /// How long it took.
    pub seconds: f64,
}

/// Fetches. A failure that may pass ends the pull after its repetitions and stands in the outcome: the same call goes on from there.
///
/// # Errors
/// The address cannot be used, or the archive cannot be searched.
pub fn pull(request: &mut Pull<'_>) -> Result<Pulled, TransferError> {
    let started = Instant::now();
    let connection = request.connection;
    connection.check_certificates()?;
    let archive: Box<dyn Archive> = match &connection.address {
        Address::Web(address) => Box::new(DicomWeb::new(connection, address)?),
        Address::Dimse(address) => Box::new(Dimse::new(connection, address)?),
    };
    let mut peer = Peer { archive, n_retries: connection.n_retries };
    let mut outcome = Pulled { schema_version: 1, address: connection.address.to_string(), ..Pulled::default() };
    let series = peer.series(request.query, &mut outcome)?;
    for series in &series {
        let found = match peer.find(Scope::Instances(series), &Search::new()) {
            Ok(found) => found,
            Err(error) => {
                outcome.failed.push(failed(series, None, error.to_string(), error.is_transient()));
                if ends_all(&error) {
                    break;
                }
                continue;
            }
        };
        outcome.n_instances += found.len();
        let Some(folder) = request.archive else { continue };
        let (present, missing): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|(sop_instance_uid, _)| is_filed(folder, series, sop_instance_uid));
        outcome.n_present += present.len();
        if missing.is_empty() {
            continue;
        }
        let wanted = Wanted {
            instances: missing
                .into_iter()
                .map(|(uid, mut attributes)| (uid, attributes.remove(&SOP_CLASS_UID).filter(|class| is_uid(class))))
                .collect(),
            is_whole_series: present.is_empty(),
        };
        let uids = wanted.instances.iter().map(|(uid, _)| uid.clone()).collect();
        let mut inbox = Inbox::new(folder, series, uids, request.on_object);
        let ended = peer.fetch(series, &wanted, &mut inbox);
        outcome.take(series, inbox, ended.as_ref().err());
        match ended {
            Err(error @ TransferError::File { .. }) => return Err(error),
            Err(error) if ends_all(&error) => break,
            _ => {}
        }
    }
    outcome.seconds = started.elapsed().as_secs_f64();
    Ok(outcome)
}

/// Whether the next series would fare no better.
fn ends_all(error: &TransferError) -> bool {
    matches!(error, TransferError::Transient { .. } | TransferError::Denied(_) | TransferError::File { .. })
}

fn failed(series: &SeriesKey, sop_instance_uid: Option<String>, reason: String, is_transient: bool) -> Failed {
    let SeriesKey { study_uid, series_uid } = series.clone();
    Failed { study_uid, series_uid, sop_instance_uid, reason, is_transient }
}

struct Peer {
    archive: Box<dyn Archive>,
    n_retries: u32,
}

impl Peer {
    fn find(&mut self, scope: Scope<'_>, search: &Search) -> Result<BTreeMap<String, Attributes>, TransferError> {
        checked(scope, search, self.archive.search(scope, search)?)
    }

    /// Every series that the search finds.
    fn series(&mut self, query: &Query, outcome: &mut Pulled) -> Result<BTreeSet<SeriesKey>, TransferError> {
        let mut studies = BTreeSet::new();
        for search in query.searches(Level::Study) {
            studies.extend(self.find(Scope::Studies, &search)?.into_keys());
        }
        outcome.n_studies = studies.len();
        let mut series = BTreeSet::new();
        for study_uid in studies {
            for search in query.searches(Level::Series) {
                let found = self.find(Scope::Series(&study_uid), &search)?.into_keys();
                series.extend(found.map(|series_uid| SeriesKey { study_uid: study_uid.clone(), series_uid }));
            }
        }
        outcome.n_series = series.len();
        Ok(series)
    }

    /// Fetches until nothing is missing, or what is missing does not come; as long as something comes, failures are counted anew.
    fn fetch(&mut self, series: &SeriesKey, wanted: &Wanted, inbox: &mut Inbox<'_>) -> Result<(), TransferError> {
        let mut retries = Retries::new(self.n_retries);
        let mut is_whole_series = wanted.is_whole_series;
        loop {
            let missing = inbox.missing();
            if missing.is_empty() {
                return Ok(());
            }
            let class_of =
                |uid: &String| wanted.instances.iter().find(|(one, _)| one == uid).and_then(|(_, c)| c.clone());
            let instances = missing.iter().map(|uid| (uid.clone(), class_of(uid))).collect();
            let n_filed = inbox.n_filed;
            let ended = self.archive.fetch(series, &Wanted { instances, is_whole_series }, inbox);
            if inbox.n_filed > n_filed {
                retries.progressed();
            }
            match ended {
                // What was left out of the series is asked for by name, once.
                Ok(()) if is_whole_series => {}
                Ok(()) => return Ok(()),
                Err(failure) => {
                    retries.wait_after(failure)?;
                    if inbox.n_filed == n_filed {
                        continue;
                    }
                }
            }
            is_whole_series = false;
        }
    }
}

impl Pulled {
    /// What became of a series.
    fn take(&mut self, series: &SeriesKey, inbox: Inbox<'_>, ended: Option<&TransferError>) {
        self.n_fetched += inbox.n_filed;
        self.n_bytes += inbox.n_bytes;
        let failed = |uid: Option<String>, reason: String, is_transient| failed(series, uid, reason, is_transient);
        let missing = inbox.missing();
        self.failed.extend(inbox.refused.into_iter().map(|(uid, reason)| failed(uid, reason, false)));
        if let Some(error) = ended {
            self.failed.push(failed(None, error.to_string(), error.is_transient()));
            return;
        }
        let reason = "the archive lists it and did not send it";
        self.failed.extend(missing.into_iter().map(|uid| failed(Some(uid), reason.to_owned(), false)));
    }
}

/// The answers by their UID. An archive that answers with what was not asked for is not believed.
fn checked(
    scope: Scope<'_>,
    search: &Search,
    found: Vec<Attributes>,
) -> Result<BTreeMap<String, Attributes>, TransferError> {
    let mut answers = BTreeMap::new();
    for attributes in found {
        for (key, asked) in search {
            if key.contradicts(asked, attributes.get(&key.tag).map(String::as_str)) {
                return Err(ignored(key));
            }
        }
        let uid = attributes.get(&scope.uid()).filter(|uid| is_uid(uid)).cloned();
        let uid = uid.ok_or_else(|| {
            TransferError::Refused("the archive answers a search with something that has no proper UID".to_owned())
        })?;
        answers.insert(uid, attributes);
    }
    Ok(answers)
}
