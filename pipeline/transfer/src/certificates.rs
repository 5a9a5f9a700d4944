//! Certificates of a throw-away authority, for tests.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

use crate::Identity;

/// An authority, and the folder its files lie in.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) ca_file: PathBuf,
    folder: tempfile::TempDir,
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    Expired,
    OtherHost,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let ca_file = folder.path().join("ca.pem");
        std::fs::write(&ca_file, params.self_signed(&key).unwrap().pem()).unwrap();
        Self { issuer: Issuer::new(params, key), ca_file, folder }
    }

    /// Files with a certificate for this machine, and its key.
    pub(crate) fn files(&self, name: &str, flaw: Flaw) -> (PathBuf, PathBuf) {
        let host = if flaw == Flaw::OtherHost { "elsewhere.example" } else { "127.0.0.1" };
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        if flaw == Flaw::Expired {
            params.not_before = date_time_ymd(2019, 1, 1);
            params.not_after = date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let signed = params.signed_by(&key, &self.issuer).unwrap();
        let at = |end: &str| self.folder.path().join(format!("{name}-{flaw:?}.{end}"));
        let (certificate, secret) = (at("pem"), at("key"));
        std::fs::write(&certificate, signed.pem()).unwrap();
        write_private(&secret, &key.serialize_pem());
        (certificate, secret)
    }

    pub(crate) fn identity(&self, name: &str, flaw: Flaw) -> Identity {
        let (certificate, key) = self.files(name, flaw);
        Identity::from_files(&certificate, &key).unwrap()
    }
}

/// A file that nobody else can read.
pub(crate) fn write_private(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}
