//! Who we are in TLS, where an archive asks: a certificate with its key, from PEM files; the key is never printed.

use std::fmt;
use std::path::Path;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::TransferError;
use crate::private_file::read_private;

/// A certificate, those that vouch for it, and its key.
pub struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    /// The same, as it was read: the HTTP client takes it in no other form.
    pub(crate) key_pem: Vec<u8>,
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key(), key_pem: self.key_pem.clone() }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(…)")
    }
}

/// The certificates of a PEM file.
pub(crate) fn certificates(pem: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem).filter_map(Result::ok).collect()
}

impl Identity {
    /// From a file with the certificate (and those between it and the authority), and one with the key that only its owner can read.
    ///
    /// # Errors
    /// A file cannot be read, others can read the key, or the two do not belong together.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, TransferError> {
        let pem = std::fs::read(certificate).map_err(TransferError::file(certificate))?;
        let chain = certificates(&pem);
        let usage = |message: String| TransferError::Usage(message);
        if chain.is_empty() {
            return Err(usage(format!("expected a certificate (PEM) in {}, found none", certificate.display())));
        }
        let secret = read_private(key)?;
        let read = PrivateKeyDer::from_pem_slice(&secret).map_err(|_| {
            let is_locked = secret.windows(9).any(|bytes| bytes == b"ENCRYPTED");
            let found = if is_locked { "one with a passphrase; `openssl pkey` takes it off" } else { "none" };
            usage(format!("expected a key (PEM, no passphrase) in {}, found {found}", key.display()))
        })?;
        CertifiedKey::from_der(chain.clone(), read.clone_key(), &rustls::crypto::ring::default_provider()).map_err(
            |error| {
                let files = format!("{} and {}", certificate.display(), key.display());
                usage(format!("expected a certificate and its key in {files}, found others ({error})"))
            },
        )?;
        Ok(Self { chain, key: read, key_pem: secret })
    }
}
