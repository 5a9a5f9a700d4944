//! How to speak with an archive, checked: the address, who we are, how fast and for how long.

use std::time::Duration;

use transfer::{Address, Credentials, Identity, PlainCredentials, TransferError};

use crate::cli;
use crate::exit::{self, Failure};

/// Speeds that can be meant.
const SPEEDS: std::ops::RangeInclusive<f64> = 0.001..=100_000.0;

/// The connection that the command line asks for.
pub(super) fn connection(
    address: &str,
    args: &cli::Connection,
    receive_port: Option<u16>,
) -> Result<transfer::Connection, Failure> {
    let address: Address = address.parse().map_err(failure)?;
    let credentials = match (&args.auth_file, &args.auth_env) {
        (Some(path), _) => Some(Credentials::from_file(path).map_err(failure)?),
        (None, Some(name)) => Some(Credentials::from_env(name).map_err(failure)?),
        (None, None) => None,
    };
    if args.max_requests_per_second.is_some_and(|n| !SPEEDS.contains(&n)) {
        let message = "--max-requests-per-second: expected a number from 0.001 to 100000";
        return Err(Failure::usage(anyhow::anyhow!(message)));
    }
    let identity = match (&args.cert_file, &args.key_file) {
        (Some(certificate), Some(key)) => Some(Identity::from_files(certificate, key).map_err(failure)?),
        _ => None,
    };
    if !address.is_tls() && !address.is_loopback() {
        tracing::warn!("{address} is not encrypted: images and identifiers can be read on the way");
    }
    Ok(transfer::Connection {
        address,
        credentials,
        plain_credentials: if args.plain_credentials { PlainCredentials::Allowed } else { PlainCredentials::Refused },
        ca_file: args.ca_file.clone(),
        identity,
        calling_ae: args.calling_ae.clone(),
        receive_port,
        max_requests_per_second: args.max_requests_per_second,
        n_retries: args.retries,
        timeout: Duration::from_secs(args.timeout_s),
    })
}

/// The exit code a failed transfer calls for.
pub(super) fn failure(error: TransferError) -> Failure {
    match error {
        TransferError::Usage(_) => Failure::usage(error),
        TransferError::Refused(_) | TransferError::Denied(_) => Failure::bad_input(error),
        TransferError::Transient { .. } => Failure { code: exit::TRANSIENT, error: error.into() },
        TransferError::File { .. } => Failure::io(error),
    }
}
