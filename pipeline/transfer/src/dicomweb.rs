//! An archive that speaks DICOMweb: QIDO-RS to search, WADO-RS to fetch, STOW-RS to store.
//!
//! Source: DICOM PS3.18 sections 10.4 (retrieve), 10.5 (store), 10.6 (search).

use std::collections::BTreeSet;
use std::io::{Read as _, Write};
use std::path::Path;

use formats::dicom::instance::Instance;
use serde_json::Value;

use crate::dicom_json::{self, Attributes};
use crate::http::{Client, Upload};
use crate::inbox::{Inbox, MAX_OBJECT, SeriesKey};
use crate::multipart::{Multipart, MultipartError, boundary_of};
use crate::pull::{Archive, Scope, Wanted};
use crate::push::{Store, Stored};
use crate::query::Search;
use crate::retry::with_retries;
use crate::status::failure_reason;
use crate::{Connection, TransferError, WebAddress};

/// Answers asked for at a time.
const PAGE: usize = 200;

/// Answers to one search.
const MAX_ANSWERS: usize = 1_000_000;

const JSON: &str = "application/dicom+json";

/// Objects as they are stored: nothing is transcoded.
const DICOM: &str = "multipart/related; type=\"application/dicom\"; transfer-syntax=*";

/// A DICOMweb service.
pub(crate) struct DicomWeb {
    client: Client,
    n_retries: u32,
}

impl DicomWeb {
    pub(crate) fn new(connection: &Connection, address: &WebAddress) -> Result<Self, TransferError> {
        Ok(Self { client: Client::new(connection, address)?, n_retries: connection.n_retries })
    }

    /// One page of answers.
    fn page(&mut self, path: &str, parameters: &[(String, String)]) -> Result<Vec<Attributes>, TransferError> {
        let answer = self.client.get(path, parameters, JSON)?;
        let bytes = if answer.status == 204 { Vec::new() } else { answer.read(path)? };
        dicom_json::items(&bytes).map_err(|why| {
            TransferError::Refused(format!(
                "{path}: expected an answer in DICOM JSON, found another ({why}); is it a DICOMweb address?"
            ))
        })
    }

    /// Takes what one request brings, one object or several.
    fn retrieve(&mut self, path: &str, inbox: &mut Inbox<'_>) -> Result<(), TransferError> {
        let answer = self.client.get(path, &[], DICOM)?;
        let content_type = answer.content_type.clone();
        let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if kind == "application/dicom" {
            let mut body = answer.into_reader().take(MAX_OBJECT + 1);
            return inbox.receive(|to| copy(path, &mut body, to));
        }
        if kind != "multipart/related" {
            let message = format!("{path}: expected multipart/related, found {kind:?}");
            return Err(TransferError::Refused(message));
        }
        let boundary = boundary_of(&content_type).map_err(|error| broken(path, error))?;
        let mut parts = Multipart::new(answer.into_reader(), &boundary);
        while parts.next_part().map_err(|error| broken(path, error))?.is_some() {
            inbox.receive(|to| match parts.copy_part(to, MAX_OBJECT) {
                Ok(_) => Ok(()),
                Err(error) => Err(broken(path, error)),
            })?;
        }
        Ok(())
    }
}

fn copy(path: &str, from: &mut dyn std::io::Read, to: &mut dyn Write) -> Result<(), TransferError> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let n = from.read(&mut buffer).map_err(|error| broken(path, MultipartError::Read(error)))?;
        if n == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..n]).map_err(|error| broken(path, MultipartError::Write(error)))?;
    }
}

/// A connection that ends may be had again; a disk that is full is this machine's; what is malformed stays so.
fn broken(path: &str, error: MultipartError) -> TransferError {
    match error {
        MultipartError::Read(_) => TransferError::transient(format!("{path}: {error}")),
        MultipartError::Write(source) => TransferError::File { path: "the archive's folder".into(), source },
        MultipartError::Malformed(_) => TransferError::Refused(format!("{path}: {error}")),
    }
}

fn path_of(scope: Scope<'_>) -> String {
    match scope {
        Scope::Studies => "/studies".to_owned(),
        Scope::Series(study) => format!("/studies/{study}/series"),
        Scope::Instances(SeriesKey { study_uid, series_uid }) => {
            format!("/studies/{study_uid}/series/{series_uid}/instances")
        }
    }
}

impl Archive for DicomWeb {
    /// Page after page, until one brings nothing new: a service may give fewer answers than it is asked for, or not know pages.
    fn search(&mut self, scope: Scope<'_>, search: &Search) -> Result<Vec<Attributes>, TransferError> {
        let asked: Vec<(String, String)> =
            search.iter().map(|(key, value)| (key.keyword.to_owned(), value.clone())).collect();
        let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
        loop {
            let mut parameters = asked.clone();
            parameters.push(("limit".to_owned(), PAGE.to_string()));
            parameters.push(("offset".to_owned(), found.len().to_string()));
            let page = with_retries(self.n_retries, || self.page(&path_of(scope), &parameters))?;
            let n_before = found.len();
            found.extend(page.into_iter().filter(|one| seen.insert(one.get(&scope.uid()).cloned())));
            if found.len() == n_before {
                return Ok(found);
            }
            if found.len() > MAX_ANSWERS {
                return Err(TransferError::Refused(format!("more than {MAX_ANSWERS} answers; ask for less at a time")));
            }
        }
    }

    fn fetch(&mut self, series: &SeriesKey, wanted: &Wanted, inbox: &mut Inbox<'_>) -> Result<(), TransferError> {
        let SeriesKey { study_uid, series_uid } = series;
        let path = format!("/studies/{study_uid}/series/{series_uid}");
        if wanted.is_whole_series {
            return self.retrieve(&path, inbox);
        }
        for (uid, _) in &wanted.instances {
            match self.retrieve(&format!("{path}/instances/{uid}"), inbox) {
                Err(TransferError::Refused(reason)) => inbox.refuse(uid, reason),
                other => other?,
            }
        }
        Ok(())
    }
}

impl Store for DicomWeb {
    fn has(&mut self, instance: &Instance) -> Result<bool, TransferError> {
        let path = format!("/studies/{}/series/{}/instances", instance.study_uid, instance.series_uid);
        let asked =
            [("SOPInstanceUID".to_owned(), instance.sop_instance_uid.clone()), ("limit".to_owned(), "2".to_owned())];
        let found = match self.page(&path, &asked) {
            // Some services say of a study they do not have that there is no such page.
            Err(TransferError::Refused(_)) => Vec::new(),
            other => other?,
        };
        let is_it = |one: &Attributes| one.get(&crate::pull::SOP_INSTANCE_UID) == Some(&instance.sop_instance_uid);
        Ok(found.iter().any(is_it))
    }

    fn store(&mut self, path: &Path, instance: &Instance) -> Result<Stored, TransferError> {
        let file = std::fs::File::open(path).map_err(TransferError::file(path))?;
        let n_file_bytes = file.metadata().map_err(TransferError::file(path))?.len();
        // The instance's own digest is as good a boundary as any: 60 characters that no object holds after a line end but by design.
        let boundary =
            format!("lesiontrace-{}", formats::dicom::derived_uid(&["boundary", &instance.sop_instance_uid]));
        let upload = Upload {
            content_type: format!("multipart/related; type=\"application/dicom\"; boundary={boundary}"),
            before: format!("--{boundary}\r\nContent-Type: application/dicom\r\n\r\n").into_bytes(),
            file,
            n_file_bytes,
            after: format!("\r\n--{boundary}--\r\n").into_bytes(),
        };
        let answer = self.client.post("/studies", JSON, upload)?;
        let (status, bytes) = (answer.status, answer.read("/studies")?);
        stored(status, &bytes, instance)
    }
}

/// What the answer to a store says of the instance.
///
/// Source: DICOM PS3.18 section 10.5.3 and annex I.
fn stored(status: u16, bytes: &[u8], instance: &Instance) -> Result<Stored, TransferError> {
    const REFERENCED_SOP_INSTANCE_UID: (u16, u16) = (0x0008, 0x1155);
    const FAILURE_REASON: (u16, u16) = (0x0008, 0x1197);
    const WARNING_REASON: (u16, u16) = (0x0008, 0x1196);
    let answer: Value = serde_json::from_slice(bytes).unwrap_or_default();
    // Some services put the answer into a list of one.
    let answer = answer.get(0).unwrap_or(&answer);
    let of = |sequence: &str| {
        let items = dicom_json::sequence(answer, sequence);
        items.into_iter().find(|item| item.get(&REFERENCED_SOP_INSTANCE_UID) == Some(&instance.sop_instance_uid))
    };
    let code = |item: &Attributes, key| item.get(&key).and_then(|text| text.parse::<u16>().ok());
    if let Some(failed) = of("00081198") {
        let reason = code(&failed, FAILURE_REASON).map_or_else(|| "no reason given".to_owned(), failure_reason);
        return Err(TransferError::Refused(format!("the archive does not store it: {reason}")));
    }
    if let Some(done) = of("00081199") {
        return Ok(Stored::Said { warning: code(&done, WARNING_REASON).map(failure_reason) });
    }
    match status {
        200..=299 => Ok(Stored::NotSaid),
        _ => Err(TransferError::Refused(format!("the archive does not store it (HTTP {status}, no reason given)"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_a_store_is_read_for_this_instance() {
        let instance = Instance {
            sop_class_uid: "1.2".to_owned(),
            sop_instance_uid: "1.2.3".to_owned(),
            series_uid: "1".to_owned(),
            study_uid: "1".to_owned(),
            transfer_syntax: "1.2.840.10008.1.2.1".to_owned(),
            data_at: 0,
        };
        let say = |status, text: &str| stored(status, text.as_bytes(), &instance);
        let done = r#"{"00081199":{"Value":[{"00081155":{"Value":["1.2.3"]},"00081196":{"Value":[45056]}}]}}"#;
        let Stored::Said { warning: Some(warning) } = say(202, done).unwrap() else { panic!() };
        assert!(warning.contains("B000"), "{warning}");
        let failed = r#"{"00081198":{"Value":[{"00081155":{"Value":["1.2.3"]},"00081197":{"Value":[49442]}}]}}"#;
        let said = say(409, failed).unwrap_err().to_string();
        assert!(said.contains("C122") && said.contains("transfer syntax"), "{said}");
        assert!(say(200, failed).is_err(), "a failure is one under any status");
        assert_eq!(say(200, "<xml/>").unwrap(), Stored::NotSaid);
        assert_eq!(say(200, &done.replace("1.2.3", "9")).unwrap(), Stored::NotSaid, "another instance's answer");
        assert!(say(409, "").is_err());
    }
}
