//! Sends objects to an archive; what is there already is not sent again.

use std::path::{Path, PathBuf};
use std::time::Instant;

use formats::dicom::instance::{Instance, read_whole_instance};
use serde::Serialize;

use crate::dicomweb::DicomWeb;
use crate::dimse::Dimse;
use crate::retry::with_retries;
use crate::{Address, Connection, TransferError};

/// What an archive says of an object it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stored {
    /// It stored it.
    Said {
        /// With a reservation.
        warning: Option<String>,
    },
    /// Nothing of this object.
    NotSaid,
}

/// An archive that objects can be sent to.
pub(crate) trait Store {
    /// Whether it has the instance.
    fn has(&mut self, instance: &Instance) -> Result<bool, TransferError>;
    /// Sends a file.
    fn store(&mut self, path: &Path, instance: &Instance) -> Result<Stored, TransferError>;
}

/// What is sent.
pub struct Push<'a> {
    /// Where to, and how to speak.
    pub connection: &'a Connection,
    /// The files.
    pub files: &'a [PathBuf],
    /// Called after every file.
    pub on_file: &'a mut dyn FnMut(),
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SentState {
    /// Sent, and stored.
    Stored,
    /// There already.
    Present,
    /// Not stored.
    Failed,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sent {
    /// File.
    pub file: PathBuf,
    /// SOP Instance UID; empty where the file cannot be read.
    pub sop_instance_uid: String,
    /// What became of it.
    pub state: SentState,
    /// Why it failed, or what the archive has against it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether the same command may succeed later.
    pub is_transient: bool,
}

/// What was sent.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Pushed {
    /// Version of this document.
    pub schema_version: u32,
    /// Where to.
    pub address: String,
    /// Every file that was come to. After a failure that may pass, the rest is not.
    pub objects: Vec<Sent>,
    /// Files that were not come to.
    pub n_left: usize,
    /// How long it took.
    pub seconds: f64,
}

/// Sends. A failure that may pass ends it after its repetitions: the same call goes on from there.
///
/// # Errors
/// The address cannot be used, or the archive does not let us in.
pub fn push(request: &mut Push<'_>) -> Result<Pushed, TransferError> {
    let started = Instant::now();
    let connection = request.connection;
    connection.check_certificates()?;
    let mut store: Box<dyn Store> = match &connection.address {
        Address::Web(address) => Box::new(DicomWeb::new(connection, address)?),
        Address::Dimse(address) => Box::new(Dimse::new(connection, address)?),
    };
    let mut outcome = Pushed { schema_version: 1, address: connection.address.to_string(), ..Pushed::default() };
    for (n, file) in request.files.iter().enumerate() {
        let sent = send(store.as_mut(), file, connection.n_retries)?;
        let ends = sent.is_transient;
        outcome.objects.push(sent);
        (request.on_file)();
        if ends {
            outcome.n_left = request.files.len() - n - 1;
            break;
        }
    }
    outcome.seconds = started.elapsed().as_secs_f64();
    Ok(outcome)
}

fn send(store: &mut dyn Store, file: &Path, n_retries: u32) -> Result<Sent, TransferError> {
    let row = |sop_instance_uid: &str, state, reason, is_transient| Sent {
        file: file.to_owned(),
        sop_instance_uid: sop_instance_uid.to_owned(),
        state,
        reason,
        is_transient,
    };
    let instance = match read_whole_instance(file) {
        Ok(instance) => instance,
        Err(error) => return Ok(row("", SentState::Failed, Some(error.to_string()), false)),
    };
    let uid = instance.sop_instance_uid.as_str();
    let sent = with_retries(n_retries, || {
        if store.has(&instance)? {
            return Ok((SentState::Present, None));
        }
        match store.store(file, &instance)? {
            Stored::Said { warning } => Ok((SentState::Stored, warning)),
            // It is believed when it is found.
            Stored::NotSaid if store.has(&instance)? => Ok((SentState::Stored, None)),
            Stored::NotSaid => {
                let message = "the archive said nothing of the object, and does not have it";
                Err(TransferError::Refused(message.to_owned()))
            }
        }
    });
    match sent {
        Ok((state, warning)) => Ok(row(uid, state, warning, false)),
        Err(error @ TransferError::Denied(_)) => Err(error),
        Err(error) => Ok(row(uid, SentState::Failed, Some(error.to_string()), error.is_transient())),
    }
}
