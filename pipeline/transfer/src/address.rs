//! The address of an archive, as a user writes it: `https://host/dicom-web`, `AE@HOST:PORT` or `dimse-tls://AE@HOST:PORT`.

use std::fmt;
use std::str::FromStr;

use crate::TransferError;

/// Where an archive is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// DICOMweb.
    Web(WebAddress),
    /// DIMSE.
    Dimse(DimseAddress),
}

/// A DICOMweb service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebAddress {
    /// Scheme, host, port and path, without a slash at the end.
    pub base: String,
    /// Host without port.
    pub host: String,
    /// Whether the connection is encrypted.
    pub is_tls: bool,
}

/// An application entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DimseAddress {
    /// Its title, at most 16 characters.
    pub ae_title: String,
    /// Host and port.
    pub host_and_port: String,
    /// Whether the connection is encrypted.
    pub is_tls: bool,
}

/// What stands before an application entity that is spoken to over TLS.
const DIMSE_TLS: &str = "dimse-tls://";

impl DimseAddress {
    /// Host without port and brackets, as a certificate names it.
    #[must_use]
    pub fn host(&self) -> &str {
        let host = self.host_and_port.rsplit_once(':').map_or(self.host_and_port.as_str(), |(host, _)| host);
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Whether it is this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(self.host())
    }
}

impl Address {
    /// Whether the connection is encrypted.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        match self {
            Self::Web(web) => web.is_tls,
            Self::Dimse(dimse) => dimse.is_tls,
        }
    }

    /// Whether it is this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Web(web) => web.is_loopback(),
            Self::Dimse(dimse) => dimse.is_loopback(),
        }
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl WebAddress {
    /// Whether it is this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(self.host.trim_start_matches('[').trim_end_matches(']'))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Web(web) => f.write_str(&web.base),
            Self::Dimse(DimseAddress { ae_title, host_and_port, is_tls }) => {
                write!(f, "{}{ae_title}@{host_and_port}", if *is_tls { DIMSE_TLS } else { "" })
            }
        }
    }
}

impl FromStr for Address {
    type Err = TransferError;

    fn from_str(text: &str) -> Result<Self, TransferError> {
        let lower = text.to_ascii_lowercase();
        if lower.starts_with("http://") || lower.starts_with("https://") {
            return web(text).map(Self::Web);
        }
        match lower.strip_prefix(DIMSE_TLS) {
            Some(rest) => dimse(text, &text[text.len() - rest.len()..], true),
            None => dimse(text, text, false),
        }
        .map(Self::Dimse)
    }
}

fn usage(found: &str, why: &str) -> TransferError {
    TransferError::Usage(format!(
        "expected https://HOST[:PORT]/PATH of a DICOMweb service, AE@HOST:PORT, or dimse-tls://AE@HOST:PORT, found {found}: {why}"
    ))
}

/// An `@` before the path's first slash would be a name and password: it is refused and not repeated.
fn web(text: &str) -> Result<WebAddress, TransferError> {
    let (scheme, rest) = text.split_once("://").unwrap_or_default();
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.contains('@') {
        let why = "credentials do not belong on a command line, where others see them; use --auth-file or --auth-env";
        return Err(usage("an address with a user in it", why));
    }
    if !text.bytes().all(|b| b.is_ascii_graphic()) || text.contains(['?', '#', '\\', '"', '<', '>']) {
        return Err(usage(text, "it must be plain ASCII without ? and #"));
    }
    if rest.split('/').any(|part| part == ".." || part == ".") {
        return Err(usage(text, "it must not contain . or .. as a folder"));
    }
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((v6, port)) => (format!("[{v6}]"), port.strip_prefix(':')),
        None => match authority.split_once(':') {
            Some((host, port)) => (host.to_owned(), Some(port)),
            None => (authority.to_owned(), None),
        },
    };
    if host.is_empty() || host == "[]" {
        return Err(usage(text, "the host is missing"));
    }
    if port.is_some_and(|port| port.parse::<u16>().map_or(true, |n| n == 0)) {
        return Err(usage(text, "the port is a number from 1 to 65535"));
    }
    Ok(WebAddress { base: text.trim_end_matches('/').to_owned(), host, is_tls: scheme.eq_ignore_ascii_case("https") })
}

/// An application entity, `entity` being the text without what stands before it.
fn dimse(text: &str, entity: &str, is_tls: bool) -> Result<DimseAddress, TransferError> {
    let (ae_title, host_and_port) = entity.split_once('@').ok_or_else(|| usage(text, "there is no @"))?;
    // A title may hold a colon, but a misspelt dimse-tls:// must not be taken for a part of one and spoken to without TLS.
    if ae_title.contains(':') {
        return Err(usage(text, "what stands before : is not known"));
    }
    check_ae(ae_title).map_err(|why| usage(text, &why))?;
    let (host, port) = host_and_port.rsplit_once(':').ok_or_else(|| usage(text, "the port is missing"))?;
    if host.is_empty() || !host.bytes().all(|b| b.is_ascii_graphic()) || host.contains('@') {
        return Err(usage(text, "the host is missing or not plain"));
    }
    if port.parse::<u16>().map_or(true, |n| n == 0) {
        return Err(usage(text, "the port is a number from 1 to 65535"));
    }
    Ok(DimseAddress { ae_title: ae_title.to_owned(), host_and_port: host_and_port.to_owned(), is_tls })
}

/// An application entity title: 1 to 16 printable characters, none of them a backslash, not all of them spaces.
///
/// Source: DICOM PS3.5 section 6.2 (AE).
pub(crate) fn check_ae(title: &str) -> Result<(), String> {
    let is_plain = title.bytes().all(|b| (b.is_ascii_graphic() || b == b' ') && b != b'\\');
    if title.trim().is_empty() || title.len() > 16 || !is_plain {
        return Err("an application entity title has 1 to 16 plain characters".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_and_an_application_entity_are_told_apart() {
        let Address::Web(web) = "https://pacs.example:8443/dicom-web/".parse().unwrap() else { panic!() };
        assert_eq!((web.base.as_str(), web.host.as_str()), ("https://pacs.example:8443/dicom-web", "pacs.example"));
        assert!(web.is_tls && !web.is_loopback());
        let Address::Web(web) = "http://[::1]:8042/dicom-web".parse().unwrap() else { panic!() };
        assert!(!web.is_tls && web.is_loopback());
        let Address::Dimse(dimse) = "ORTHANC@127.0.0.1:4242".parse().unwrap() else { panic!() };
        assert_eq!((dimse.ae_title.as_str(), dimse.host_and_port.as_str()), ("ORTHANC", "127.0.0.1:4242"));
        assert!(!dimse.is_tls && dimse.is_loopback());
        let address: Address = "DIMSE-TLS://PACS@pacs.example:2762".parse().unwrap();
        assert_eq!(address.to_string(), "dimse-tls://PACS@pacs.example:2762");
        let Address::Dimse(dimse) = address else { panic!() };
        assert_eq!((dimse.ae_title.as_str(), dimse.host(), dimse.is_tls), ("PACS", "pacs.example", true));
        let Address::Dimse(dimse) = "dimse-tls://PACS@[::1]:2762".parse().unwrap() else { panic!() };
        assert_eq!((dimse.host(), dimse.is_loopback()), ("::1", true));
    }

    #[test]
    fn what_is_neither_is_refused_and_a_password_is_not_repeated() {
        for text in [
            "pacs",
            "AE@host",
            "AE@host:0",
            "AE@host:99999",
            "@host:1",
            "AE@:1",
            "https://",
            "https:///x",
            "http://h:x/",
            "http://h/a?b",
            "http://h/../a",
            "AVERYLONGTITLEOF17@h:1",
            "http://h\n/",
            "A\\B@h:1",
            "dimse://A@h:1",
            "dimse-tsl://A@h:1",
            "dimse-tls://dimse-tls://A@h:1",
            "dimse-tls://h:1",
            "dimse-tls:A@h:1",
        ] {
            assert!(matches!(text.parse::<Address>(), Err(TransferError::Usage(_))), "{text:?}");
        }
        let said = "https://anna:secret@host/".parse::<Address>().unwrap_err().to_string();
        assert!(said.contains("--auth-file") && !said.contains("secret"), "{said}");
    }
}
