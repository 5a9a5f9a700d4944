//! Which certificates are trusted: those of the system, or those of a file the user names instead.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use crate::TransferError;
use crate::identity::certificates;

/// Where Linux distributions keep the certificates they trust (Debian, Fedora, openSUSE, Alpine).
const SYSTEM: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The certificates to trust. A system without any trusts nobody, which is said when a connection is made.
pub(crate) fn roots(ca_file: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, TransferError> {
    let stated = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let of_system = || stated.into_iter().chain(SYSTEM.map(PathBuf::from)).find(|path| path.is_file());
    let Some(path) = ca_file.map(Path::to_owned).or_else(of_system) else { return Ok(Vec::new()) };
    let pem = std::fs::read(&path).map_err(TransferError::file(&path))?;
    let found = certificates(&pem);
    if found.is_empty() && ca_file.is_some() {
        return Err(TransferError::Usage(format!("expected certificates (PEM) in {}, found none", path.display())));
    }
    Ok(found)
}

/// The same, as they are held against what the other side shows.
pub(crate) fn root_store(ca_file: Option<&Path>) -> Result<Arc<RootCertStore>, TransferError> {
    let mut store = RootCertStore::empty();
    let (_, n_unreadable) = store.add_parsable_certificates(roots(ca_file)?);
    if store.is_empty() && n_unreadable > 0 {
        return Err(TransferError::Usage("none of the certificates to trust (--ca-file) can be used".to_owned()));
    }
    Ok(Arc::new(store))
}
