//! One HTTP service, and nothing else: no redirects, no proxies, no other host, every wait bounded.

use std::io::{Cursor, Read};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};
use ureq::{Agent, Body, SendBody};

use crate::identity::Identity;
use crate::pace::Pace;
use crate::{Connection, PlainCredentials, TransferError, WebAddress, tls, trust};

/// An answer in JSON may have this many bytes.
const MAX_JSON: u64 = 256 << 20;

/// A service that is spoken to.
pub(crate) struct Client {
    agent: Agent,
    address: WebAddress,
    authorization: Option<String>,
    pace: Pace,
}

/// What came back, where it is no failure.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    body: Body,
}

impl Answer {
    /// The body as it comes in.
    pub(crate) fn into_reader(self) -> impl Read {
        self.body.into_reader()
    }

    /// The whole body, of a bounded length.
    pub(crate) fn read(self, what: &str) -> Result<Vec<u8>, TransferError> {
        let mut bytes = Vec::new();
        let read = self.body.into_reader().take(MAX_JSON + 1).read_to_end(&mut bytes);
        read.map_err(|error| TransferError::transient(format!("the answer to {what} broke off ({error})")))?;
        if bytes.len() as u64 > MAX_JSON {
            return Err(TransferError::Refused(format!("the answer to {what} has more than {MAX_JSON} bytes")));
        }
        Ok(bytes)
    }
}

/// A body to be sent: what comes before a file, the file, what comes after.
pub(crate) struct Upload {
    pub(crate) content_type: String,
    pub(crate) before: Vec<u8>,
    pub(crate) file: std::fs::File,
    pub(crate) n_file_bytes: u64,
    pub(crate) after: Vec<u8>,
}

impl Client {
    pub(crate) fn new(connection: &Connection, address: &WebAddress) -> Result<Self, TransferError> {
        let is_private = address.is_tls || address.is_loopback();
        if connection.credentials.is_some() && !is_private && connection.plain_credentials == PlainCredentials::Refused
        {
            let message = format!(
                "{} is not encrypted, and credentials sent there can be read on the way; use https, or --plain-credentials",
                address.base
            );
            return Err(TransferError::Usage(message));
        }
        let roots = if address.is_tls { trust::roots(connection.ca_file.as_deref())? } else { Vec::new() };
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(tls::provider())
            .root_certs(RootCerts::new_with_certs(&certificates(&roots)))
            .client_cert(connection.identity.as_ref().and_then(client_cert))
            .build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .user_agent(concat!("lesiontrace/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(connection.timeout))
            .timeout_per_read(Some(connection.timeout))
            .timeout_per_write(Some(connection.timeout))
            .build()
            .new_agent();
        let authorization = connection.credentials.as_ref().map(|credentials| credentials.header().to_owned());
        Ok(Self { agent, address: address.clone(), authorization, pace: Pace::new(connection.max_requests_per_second) })
    }

    /// Asks for a resource below the service's address. `path` stands in messages; the parameters, which may name a patient, do not.
    pub(crate) fn get(
        &mut self,
        path: &str,
        parameters: &[(String, String)],
        accept: &str,
    ) -> Result<Answer, TransferError> {
        self.pace.wait();
        let mut url = format!("{}{path}", self.address.base);
        for (n, (name, value)) in parameters.iter().enumerate() {
            url.push(if n == 0 { '?' } else { '&' });
            url.push_str(&format!("{name}={}", escaped(value)));
        }
        let mut request = self.agent.get(&url).header("Accept", accept);
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let response = request.call().map_err(|error| failed(path, &error))?;
        self.checked(path, response)
    }

    /// Sends a file.
    pub(crate) fn post(&mut self, path: &str, accept: &str, upload: Upload) -> Result<Answer, TransferError> {
        self.pace.wait();
        let n_bytes = upload.before.len() as u64 + upload.n_file_bytes + upload.after.len() as u64;
        let mut body =
            Cursor::new(upload.before).chain(upload.file.take(upload.n_file_bytes)).chain(Cursor::new(upload.after));
        let mut request = self
            .agent
            .post(format!("{}{path}", self.address.base))
            .header("Accept", accept)
            .header("Content-Type", &upload.content_type)
            .header("Content-Length", n_bytes.to_string());
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let response = request.send(SendBody::from_reader(&mut body)).map_err(|error| failed(path, &error))?;
        self.checked(path, response)
    }

    fn checked(&self, path: &str, response: ureq::http::Response<Body>) -> Result<Answer, TransferError> {
        let status = response.status().as_u16();
        let header = |name: &str| {
            let value = response.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        match status {
            200..=299 | 409 => {}
            300..=399 => return Err(redirected(&self.address, path, &header("location"))),
            401 | 403 => {
                let message = format!(
                    "{path}: the archive does not let us in (HTTP {status}); check --auth-file or --auth-env and the rights there"
                );
                return Err(TransferError::Denied(message));
            }
            404 | 410 => {
                let message = format!("{path}: there is no such thing at {} (HTTP {status})", self.address.base);
                return Err(TransferError::Refused(message));
            }
            408 | 425 | 429 | 500 | 502..=504 => {
                let after = header("retry-after").trim().parse().ok().map(Duration::from_secs);
                return Err(TransferError::Transient { reason: format!("{path}: HTTP {status}"), after });
            }
            _ => return Err(TransferError::Refused(format!("{path}: the archive refuses with HTTP {status}"))),
        }
        let content_type = header("content-type");
        Ok(Answer { status, content_type, body: response.into_body() })
    }
}

fn certificates(found: &[CertificateDer<'_>]) -> Vec<Certificate<'static>> {
    found.iter().map(|one| Certificate::from_der(one).to_owned()).collect()
}

fn client_cert(identity: &Identity) -> Option<ClientCert> {
    // It was read before: what cannot be read again is refused by the archive, which asks for it.
    let key = PrivateKey::from_pem(&identity.key_pem).ok()?;
    Some(ClientCert::new_with_certs(&certificates(&identity.chain), key))
}

/// A redirect is never followed: what was asked for, and who asks, go only where the user said.
fn redirected(address: &WebAddress, path: &str, location: &str) -> TransferError {
    let whole: String = location.chars().filter(char::is_ascii_graphic).collect();
    let place = whole.split(['?', '#']).next().unwrap_or_default();
    let to = match place.split_once("://") {
        Some((scheme, rest)) => {
            format!("{scheme}://{}", rest.split('/').next().unwrap_or_default().rsplit('@').next().unwrap_or_default())
        }
        None => "another path of its own".to_owned(),
    };
    TransferError::Refused(format!(
        "{path}: {} sends us on to {to}, and redirects are not followed; if you trust that address, name it instead",
        address.base
    ))
}

fn failed(path: &str, error: &ureq::Error) -> TransferError {
    let untrusted =
        |error: &rustls::Error| TransferError::Denied(format!("{path}: no safe connection: {}", tls::meaning(error)));
    match error {
        ureq::Error::Rustls(error) => untrusted(error),
        ureq::Error::Io(io) => match tls::reason_in(io) {
            Some(error) => untrusted(error),
            None => TransferError::transient(format!("{path}: {io}")),
        },
        ureq::Error::HostNotFound => TransferError::transient(format!("{path}: no such host is known")),
        ureq::Error::Timeout(_) | ureq::Error::ConnectionFailed => TransferError::transient(format!("{path}: {error}")),
        other => TransferError::Refused(format!("{path}: {other}")),
    }
}

/// Everything but letters, digits and `-._~` as `%XX`.
fn escaped(value: &str) -> String {
    let one = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    value.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::Address;
    use crate::certificates::{Authority, Flaw};

    #[test]
    fn values_cannot_add_parameters() {
        assert_eq!(escaped("A&limit=1 é/2020-*"), "A%26limit%3D1%20%C3%A9%2F2020-%2A");
    }

    #[test]
    fn a_redirect_names_the_host_alone() {
        let address = WebAddress { base: "https://pacs/dicom-web".to_owned(), host: "pacs".to_owned(), is_tls: true };
        let said = redirected(&address, "/studies", "https://u:pw@else.where/x?PatientID=P1").to_string();
        assert!(said.contains("https://else.where,") && !said.contains("pw") && !said.contains("P1"), "{said}");
    }
    /// Answers one request over TLS, where a certificate of the authority is shown.
    fn answer_once(authority: &Authority) -> u16 {
        let roots = trust::root_store(Some(&authority.ca_file)).unwrap();
        let identity = authority.identity("archive", Flaw::None);
        let config = tls::server_config(roots, &identity, rustls::DEFAULT_VERSIONS).unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut connection = rustls::ServerConnection::new(config).unwrap();
            connection.complete_io(&mut stream).ok()?;
            let mut wire = rustls::StreamOwned::new(connection, stream);
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                wire.read_exact(&mut byte).ok()?;
                head.extend(byte);
            }
            wire.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").ok()
        });
        port
    }

    #[test]
    fn a_certificate_of_ours_is_shown_to_a_service_that_demands_one() {
        let authority = Authority::new("hospital");
        let ask = |identity| {
            let text = format!("https://127.0.0.1:{}/dicom-web", answer_once(&authority));
            let address: Address = text.parse().unwrap();
            let Address::Web(web) = &address else { panic!() };
            let connection = Connection {
                address: address.clone(),
                credentials: None,
                plain_credentials: PlainCredentials::Refused,
                ca_file: Some(authority.ca_file.clone()),
                identity,
                calling_ae: "TEST".to_owned(),
                receive_port: None,
                max_requests_per_second: None,
                n_retries: 0,
                timeout: Duration::from_secs(5),
            };
            Client::new(&connection, web).unwrap().get("/studies", &[], "application/dicom+json")
        };
        assert_eq!(ask(Some(authority.identity("us", Flaw::None))).ok().map(|answer| answer.status), Some(204));
        let error = ask(None).err().unwrap();
        assert!(matches!(error, TransferError::Denied(_)) && error.to_string().contains("--cert-file"), "{error}");
    }
}
