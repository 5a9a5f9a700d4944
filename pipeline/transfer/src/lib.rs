//! Fetches images from an archive and sends objects to it: DICOMweb and DIMSE, to the one address the user named.
//!
//! This crate alone opens connections; the lint `disallowed_types` (`pipeline/clippy.toml`) keeps sockets out of every other one.
//! What comes in is hostile: lengths and counts are held against bounds, identifiers are checked before they name a file, and an
//! object is filed only when all of it is there and it is the one that was asked for.
//!
//! Source: DICOM PS3.18 (web services), PS3.4 annexes B and C (storage, query/retrieve), PS3.7 (messages), PS3.8 (associations).

#![expect(
    clippy::disallowed_types,
    reason = "the ban on sockets is for every other crate; this one is the door to the network"
)]

mod address;
#[cfg(test)]
mod certificates;
mod credentials;
mod dicom_json;
mod dicomweb;
mod dimse;
mod error;
mod http;
mod identity;
mod inbox;
pub mod multipart;
mod outbox;
mod pace;
mod private_file;
mod pull;
mod push;
mod query;
mod retry;
mod status;
mod tls;
mod trust;

use std::path::PathBuf;
use std::time::Duration;

pub use address::{Address, DimseAddress, WebAddress};
pub use credentials::Credentials;
pub use dimse::read_recorded;
pub use error::TransferError;
pub use identity::Identity;
pub use outbox::{Selection, objects_of};
pub use pull::{Failed, Pull, Pulled, pull};
pub use push::{Push, Pushed, Sent, SentState, push};
pub use query::{Level, Query, QueryKey};

/// How to talk with an archive.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The only address that is spoken to.
    pub address: Address,
    /// Who we are, for DICOMweb.
    pub credentials: Option<Credentials>,
    /// Whether credentials may go over a connection that others can read.
    pub plain_credentials: PlainCredentials,
    /// Certificates to trust instead of the system's (PEM).
    pub ca_file: Option<PathBuf>,
    /// Who we are, for an archive over TLS that asks.
    pub identity: Option<Identity>,
    /// Who we are, for DIMSE: an application entity title.
    pub calling_ae: String,
    /// Port on which the archive may send what C-MOVE asked for.
    pub receive_port: Option<u16>,
    /// At most so many requests a second.
    pub max_requests_per_second: Option<f64>,
    /// How often a request that failed for a passing reason is made again.
    pub n_retries: u32,
    /// How long nothing may happen.
    pub timeout: Duration,
}

impl Connection {
    /// Certificates are of no use over a connection that is not encrypted: who gives them means another one.
    fn check_certificates(&self) -> Result<(), TransferError> {
        if self.address.is_tls() || (self.ca_file.is_none() && self.identity.is_none()) {
            return Ok(());
        }
        Err(TransferError::Usage(format!(
            "--ca-file, --cert-file and --key-file are for connections that are encrypted, and {} is not: expected https://… or \
             dimse-tls://AE@HOST:PORT",
            self.address
        )))
    }
}

/// Whether credentials may go over a connection without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainCredentials {
    /// Only to this machine itself.
    Refused,
    /// The user said so.
    Allowed,
}
