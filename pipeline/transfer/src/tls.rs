//! TLS as this program speaks it: 1.2 or 1.3, the other side's certificate always checked, ours shown where we have one.
//!
//! Source: DICOM PS3.15 annex B (BCP 195 secure transport connection profiles), RFC 9325. rustls offers nothing that they forbid.

use std::io;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DEFAULT_VERSIONS, Error, OtherError, RootCertStore, ServerConfig,
    SupportedProtocolVersion,
};

use crate::identity::Identity;
use crate::{Connection, TransferError, trust};

/// What implements the ciphers.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// How connections are secured: the one we open, and those that an archive opens to us.
#[derive(Clone)]
pub(crate) struct Tls {
    pub(crate) client: Arc<ClientConfig>,
    /// Only with an identity: who takes connections shows a certificate.
    server: Option<Arc<ServerConfig>>,
}

impl Tls {
    pub(crate) fn new(connection: &Connection) -> Result<Self, TransferError> {
        let roots = trust::root_store(connection.ca_file.as_deref())?;
        let client = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&error))?
            .with_root_certificates(Arc::clone(&roots));
        let client = match &connection.identity {
            Some(Identity { chain, key, .. }) => {
                client.with_client_auth_cert(chain.clone(), key.clone_key()).map_err(|error| unusable(&error))?
            }
            None => client.with_no_client_auth(),
        };
        let server = connection
            .identity
            .as_ref()
            .map(|identity| server_config(roots, identity, DEFAULT_VERSIONS))
            .transpose()?;
        Ok(Self { client: Arc::new(client), server })
    }

    /// How connections that an archive opens are secured.
    pub(crate) fn server(&self) -> Result<Arc<ServerConfig>, TransferError> {
        self.server.clone().ok_or_else(|| {
            let message = "--receive-port over TLS: expected --cert-file and --key-file, found none; the archive sends over TLS, too, \
                           and who takes connections shows a certificate";
            TransferError::Usage(message.to_owned())
        })
    }
}

/// An archive that opens a connection to us shows a certificate, too: any other program on its machine could open one.
pub(crate) fn server_config(
    roots: Arc<RootCertStore>,
    identity: &Identity,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<Arc<ServerConfig>, TransferError> {
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider())
        .build()
        .map_err(|error| TransferError::Usage(format!("nobody is trusted ({error}); give --ca-file")))?;
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .map_err(|error| unusable(&error))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(identity.chain.clone(), identity.key.clone_key())
        .map_err(|error| unusable(&error))?;
    Ok(Arc::new(config))
}

fn unusable(error: &Error) -> TransferError {
    TransferError::Usage(format!("--cert-file and --key-file cannot be used: {error}"))
}

/// The reason of TLS within the failure of a connection.
pub(crate) fn reason_in(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

/// What went wrong and what can be done about it, as the end of a sentence.
pub(crate) fn meaning(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(why) => of_certificate(why),
        Error::AlertReceived(alert) => of_alert(*alert),
        Error::NoCertificatesPresented => {
            "the archive shows no certificate of its own when it connects to us; have one entered there".to_owned()
        }
        Error::InvalidMessage(_) | Error::InappropriateMessage { .. } => {
            "what is there does not speak TLS; check the port, many archives have one for each".to_owned()
        }
        Error::PeerIncompatible(why) => {
            format!(
                "the archive offers nothing of TLS 1.2 or 1.3 that is safe ({why:?}), and older versions are not spoken"
            )
        }
        other => other.to_string(),
    }
}

fn of_certificate(why: &CertificateError) -> String {
    match why {
        CertificateError::UnknownIssuer => {
            "nobody who is trusted vouches for the archive's certificate; give its authority's with --ca-file".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the archive's certificate has expired; have it renewed there, or check this machine's clock".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the archive's certificate is not valid yet; check this machine's clock".to_owned()
        }
        CertificateError::NotValidForNameContext { presented, .. } if !presented.is_empty() => format!(
            "the archive's certificate is for another host ({}); name the host as its certificate does",
            presented.iter().map(|name| plain_name(name)).collect::<Vec<_>>().join(", ")
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the archive's certificate names no host we asked for (Subject Alternative Name); have it issued for the host"
                .to_owned()
        }
        CertificateError::Other(OtherError(other)) if other.to_string().contains("CaUsedAsEndEntity") => {
            "the archive shows the certificate of an authority; have one issued for the host".to_owned()
        }
        other => format!("the archive's certificate is refused ({other}); have another one issued"),
    }
}

/// A name as a user writes it, where rustls says which kind it is: `DnsName("pacs.example")`, `IpAddress(10.0.0.5)`.
fn plain_name(name: &str) -> &str {
    let inner = ["DnsName(", "IpAddress("].into_iter().find_map(|kind| name.strip_prefix(kind)?.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"')
}

fn of_alert(alert: AlertDescription) -> String {
    let demands = "give --cert-file and --key-file with what the archive knows";
    match alert {
        AlertDescription::CertificateRequired => format!("the archive demands a certificate of ours; {demands}"),
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateRevoked
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied => {
            format!("the archive refuses our certificate ({alert:?}); {demands}")
        }
        // TLS 1.2 has no other word for a certificate that is missing.
        AlertDescription::HandshakeFailure => {
            format!("the archive breaks off: it demands a certificate of ours, or a cipher that is not safe; {demands}")
        }
        AlertDescription::ProtocolVersion | AlertDescription::InsufficientSecurity => {
            format!(
                "the archive offers neither TLS 1.2 nor 1.3 as they are safe ({alert:?}), and no older one is spoken"
            )
        }
        AlertDescription::UnrecognisedName => "the archive does not know itself by the host's name".to_owned(),
        other => format!("the archive breaks off ({other:?})"),
    }
}
