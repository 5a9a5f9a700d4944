//! Which certificates are trusted: those of the system, or those of a file the user names instead.

use std::path::{Path, PathBuf};

use ureq::tls::{Certificate, PemItem, parse_pem};

use crate::TransferError;

/// Where Linux distributions keep the certificates they trust (Debian, Fedora, openSUSE, Alpine).
const SYSTEM: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The certificates to trust. A system without any trusts nobody, which is said when a connection is made.
pub(crate) fn roots(ca_file: Option<&Path>) -> Result<Vec<Certificate<'static>>, TransferError> {
    let stated = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let of_system = || stated.into_iter().chain(SYSTEM.map(PathBuf::from)).find(|path| path.is_file());
    let Some(path) = ca_file.map(Path::to_owned).or_else(of_system) else { return Ok(Vec::new()) };
    let pem = std::fs::read(&path).map_err(TransferError::file(&path))?;
    let found: Vec<Certificate<'static>> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if found.is_empty() && ca_file.is_some() {
        return Err(TransferError::Usage(format!("expected certificates (PEM) in {}, found none", path.display())));
    }
    Ok(found)
}
