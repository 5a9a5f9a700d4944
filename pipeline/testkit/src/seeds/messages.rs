//! What an archive says over the network: answers in parts (`multipart/related`), and associations as they come in.

use super::ct_slice;
use crate::dicom_bytes::implicit;

const IMPLICIT: &str = "1.2.840.10008.1.2";
const EXPLICIT: &str = "1.2.840.10008.1.2.1";
const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
const FIND: &str = "1.2.840.10008.5.1.4.1.2.2.1";
const GET: &str = "1.2.840.10008.5.1.4.1.2.2.3";

/// A line with the content type, then the answer: two objects, parts without headers or content, text before and after.
#[must_use]
pub fn answers() -> Vec<Vec<u8>> {
    let part = |boundary: &str, content: &[u8]| {
        [format!("\r\n--{boundary}\r\nContent-Type: application/dicom\r\n\r\n").as_bytes(), content].concat()
    };
    let objects = [
        b"multipart/related; type=\"application/dicom\"; boundary=\"a=b\"\n".to_vec(),
        part("a=b", &ct_slice(0)),
        part("a=b", &ct_slice(1)),
        b"\r\n--a=b--\r\n".to_vec(),
    ];
    let text =
        "multipart/related; boundary=b\npreamble\r\n--b \t\r\n\r\n\r\n--b\r\nX: y\r\n\r\n--bx\r\n--b--\r\nepilogue";
    vec![objects.concat(), text.as_bytes().to_vec()]
}

fn pdu(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 0][..], &(body.len() as u32).to_be_bytes(), body].concat()
}

fn item(kind: u8, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    [&[kind, 0][..], &(body.len() as u16).to_be_bytes(), body].concat()
}

/// An association asked for (1) or accepted (2), with a context for each class and transfer syntax.
fn association(kind: u8, contexts: &[(&str, &str)]) -> Vec<u8> {
    let titles = format!("{:<16}{:<16}", "PACS", "TEST");
    let mut body = [&[0, 1, 0, 0][..], titles.as_bytes(), &[0; 32], &item(0x10, "1.2.840.10008.3.1.1.1")].concat();
    for (n, (class, syntax)) in contexts.iter().enumerate() {
        let class = if kind == 1 { item(0x30, class) } else { Vec::new() };
        let context = [&[2 * n as u8 + 1, 0, 0, 0][..], &class, &item(0x40, syntax)].concat();
        body.extend(item(if kind == 1 { 0x20 } else { 0x21 }, context));
    }
    body.extend(item(0x50, [item(0x51, (16_384_u32).to_be_bytes()), item(0x52, "1.2.3")].concat()));
    pdu(kind, &body)
}

/// A message in one or two fragments each: its command, and its data set.
fn message(context: u8, command: &[Vec<u8>], data: Option<&[u8]>) -> Vec<u8> {
    let fragment =
        |kind: u8, bytes: &[u8]| [&(bytes.len() as u32 + 2).to_be_bytes()[..], &[context, kind], bytes].concat();
    let mut message = pdu(4, &fragment(3, &command.concat()));
    if let Some((first, rest)) = data.map(|data| data.split_at(data.len() / 2)) {
        message.extend(pdu(4, &[fragment(0, first), fragment(2, rest)].concat()));
    }
    message
}

/// Kind, class, whether a data set follows, status.
fn response(field: u16, class: &str, has_data: bool, status: u16) -> Vec<Vec<u8>> {
    let kind: u16 = if has_data { 1 } else { 0x0101 };
    let number = |tag: u32, value: u16| implicit(tag, value.to_le_bytes());
    vec![
        implicit(0x0000_0002, class),
        number(0x0000_0100, field),
        number(0x0000_0120, 1),
        number(0x0000_0800, kind),
        number(0x0000_0900, status),
    ]
}

/// The request to store a slice, with its data set.
fn stored(context: u8, k: usize) -> Vec<u8> {
    let file = ct_slice(k);
    let meta = 144 + u32::from_le_bytes([file[140], file[141], file[142], file[143]]) as usize;
    let mut command = response(1, CT, true, 0);
    command.push(implicit(0x0000_1000, format!("1.2.3.{}", k + 1)));
    message(context, &command, Some(&file[meta..]))
}

/// What comes in, after a byte for what it answers: 0 a search, 1 C-GET, 2 nothing (the archive has called us after C-MOVE).
#[must_use]
pub fn associations() -> Vec<Vec<u8>> {
    let found = [implicit(0x0008_0052, "STUDY"), implicit(0x0020_000D, "1.2.3"), implicit(0x0010_0020, "P1")].concat();
    let released = pdu(5, &[0; 4]);
    vec![
        [
            &[0][..],
            &association(2, &[(FIND, IMPLICIT)]),
            &message(1, &response(0x8020, FIND, true, 0xFF00), Some(&found)),
            &message(1, &response(0x8020, FIND, false, 0), None),
        ]
        .concat(),
        [
            &[1][..],
            &association(2, &[(GET, IMPLICIT), (CT, EXPLICIT)]),
            &stored(3, 0),
            &message(1, &response(0x8010, GET, false, 0xFF00), None),
            &stored(3, 1),
            &message(1, &response(0x8010, GET, false, 0), None),
        ]
        .concat(),
        [&[2][..], &association(1, &[(CT, EXPLICIT)]), &stored(1, 0), &stored(1, 1), &released].concat(),
        [&[0][..], &pdu(3, &[0, 1, 1, 7])].concat(),
        [&[1][..], &pdu(7, &[0, 0, 2, 1])].concat(),
    ]
}
