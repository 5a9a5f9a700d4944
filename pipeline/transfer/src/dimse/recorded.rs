//! An association from bytes instead of a connection: what an archive says, as tests and fuzz targets make it up.

use std::collections::BTreeSet;
use std::io::{self, Cursor, Read, Write};
use std::path::Path;

use super::association::{Context, Offer, request};
use super::command::GET_RESPONSE;
use super::link::Link;
use super::wire::Wire;
use super::{FIND, IMPLICIT_LITTLE_ENDIAN, answers, receive};
use crate::inbox::{Inbox, SeriesKey};
use crate::{DimseAddress, TransferError};

/// What came in once; what is said to it is lost.
struct Recorded(Cursor<Vec<u8>>);

impl Read for Recorded {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.0.read(to)
    }
}

impl Write for Recorded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Wire for Recorded {
    fn close(&mut self) {}
    fn is_tls(&self) -> bool {
        false
    }
}

/// Reads a recorded association: a byte for what it answers (0 a search, 1 C-GET, 2 nothing, the archive has called us), then the
/// bytes that came in. Objects of study 1.2, series 1.2.4 are filed below the folder. How many answers or objects there were.
///
/// # Errors
/// As over a connection.
pub fn read_recorded(bytes: &[u8], folder: &Path) -> Result<usize, TransferError> {
    let [kind, bytes @ ..] = bytes else { return Ok(0) };
    let wire = || Box::new(Recorded(Cursor::new(bytes.to_vec())));
    let series = SeriesKey { study_uid: "1.2".to_owned(), series_uid: "1.2.4".to_owned() };
    let wanted: BTreeSet<String> = (1..4).map(|n| format!("1.2.3.{n}")).collect();
    let mut on_object = |_| {};
    let mut inbox = Inbox::new(folder, &series, wanted, &mut on_object);
    let address =
        DimseAddress { ae_title: "PACS".to_owned(), host_and_port: "127.0.0.1:104".to_owned(), is_tls: false };
    let asked = |contexts: &[Context]| {
        let offer = Offer { calling_ae: "TEST", contexts, received: &[] };
        request(wire(), &address, &offer).map(|association| association.map(Link::over))
    };
    match kind % 3 {
        0 => {
            let Some(mut link) = asked(&[(FIND.to_owned(), IMPLICIT_LITTLE_ENDIAN.to_owned())])? else { return Ok(0) };
            answers(&mut link).map(|found| found.len())
        }
        1 => {
            let ct = "1.2.840.10008.5.1.4.1.1.2";
            let contexts = [(receive::GET, IMPLICIT_LITTLE_ENDIAN), (ct, "1.2.840.10008.1.2.1")];
            let contexts = contexts.map(|(class, syntax)| (class.to_owned(), syntax.to_owned()));
            let Some(mut link) = asked(&contexts)? else { return Ok(0) };
            receive::take_until(&mut link, GET_RESPONSE, &mut inbox).map(|()| inbox.n_filed)
        }
        _ => receive::take_all(wire(), "PACS", &mut inbox).map(|()| inbox.n_filed),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whole_associations_are_read_and_damaged_ones_end_in_an_error_or_less() {
        let folder = tempfile::tempdir().unwrap();
        let seeds = testkit::seeds::associations();
        let read = |bytes: &[u8]| read_recorded(bytes, folder.path());
        let found: Vec<Option<usize>> = seeds.iter().map(|bytes| read(bytes).ok()).collect();
        assert_eq!(found, [Some(1), Some(2), Some(2), None, None]);
        for number in 0..2000 {
            let seed = &seeds[number as usize % 3];
            let damaged = testkit::damage::damaged(seed, number);
            assert!(read(&damaged).is_ok_and(|n| n <= 1000) || read(&damaged).is_err(), "{number}");
        }
        for seed in &seeds[..3] {
            for n in (1..seed.len()).step_by(7) {
                assert!(read(&seed[..n]).is_err(), "cut after {n} of {}", seed.len());
            }
        }
        let filed = std::fs::read_dir(folder.path().join("1.2/1.2.4")).unwrap();
        assert!(filed.count() <= 3, "nothing is filed that is not wanted, and no part is left");
    }

    #[test]
    fn a_protocol_data_unit_without_bound_is_refused_before_it_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let said = read_recorded(&[0, 2, 0, 0xFF, 0xFF, 0xFF, 0xFF, 1], folder.path()).unwrap_err().to_string();
        assert!(said.contains("does not speak DIMSE"), "{said}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(kind in 0_u8..3, first in 0_u8..8, noise in prop::collection::vec(any::<u8>(), 0..200)) {
            let folder = tempfile::tempdir().unwrap();
            let length = (noise.len() as u32).to_be_bytes();
            let _ = read_recorded(&[&[kind, first, 0][..], &length, &noise].concat(), folder.path());
        }
    }
}
