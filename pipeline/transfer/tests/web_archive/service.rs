//! A small DICOMweb service on this machine, with faults to order.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use formats::dicom::instance::file_meta;

pub(crate) const SECONDARY_CAPTURE: &str = "1.2.840.10008.5.1.4.1.1.7";
pub(crate) const EXPLICIT: &str = "1.2.840.10008.1.2.1";

/// An object of a study, series and number, with that many pixels' bytes.
pub(crate) fn object(study: &str, series: &str, uid: &str, n_bytes: usize) -> Vec<u8> {
    let mut bytes = file_meta(SECONDARY_CAPTURE, uid, EXPLICIT);
    let texts = [
        ([8, 0, 0x16, 0], SECONDARY_CAPTURE),
        ([8, 0, 0x18, 0], uid),
        ([0x20, 0, 0x0D, 0], study),
        ([0x20, 0, 0x0E, 0], series),
    ];
    for (tag, text) in texts {
        let mut value = text.as_bytes().to_vec();
        value.resize(value.len().next_multiple_of(2), 0);
        bytes.extend(tag);
        bytes.extend(b"UI");
        bytes.extend((value.len() as u16).to_le_bytes());
        bytes.extend(value);
    }
    bytes.extend([0xE0, 0x7F, 0x10, 0, b'O', b'B', 0, 0]);
    bytes.extend((n_bytes as u32).to_le_bytes());
    bytes.extend((0..n_bytes).map(|n| (n % 251) as u8));
    bytes
}

/// What was asked: method and path with parameters, headers in lower case, body.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap().split('?').next().unwrap()
    }
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let query = self.line.split(' ').nth(1)?.split_once('?')?.1;
        query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))).map(str::to_owned)
    }
}

/// Status, headers and body; `None` closes the connection after as many bytes of it.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) cut_after: Option<usize>,
}

pub(crate) fn answer(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
    Answer { status, headers: vec![("Content-Type", content_type.to_owned())], body: body.into(), cut_after: None }
}

pub(crate) fn json(body: &str) -> Answer {
    answer(200, "application/dicom+json", body)
}

pub(crate) fn multipart(objects: &[Vec<u8>]) -> Answer {
    let mut body = Vec::new();
    for object in objects {
        body.extend(b"\r\n--cut\r\nContent-Type: application/dicom\r\n\r\n");
        body.extend(object);
    }
    body.extend(b"\r\n--cut--\r\n");
    answer(200, "multipart/related; type=\"application/dicom\"; boundary=\"cut\"", body)
}

/// A running service.
pub(crate) struct Service {
    pub(crate) base: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Service {
    /// Answers as `handle` says, until the test ends.
    pub(crate) fn start(mut handle: impl FnMut(&Asked) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}/dicom-web", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Some(request) = read_request(&mut stream) else { continue };
                let reply = handle(&request);
                seen.lock().unwrap().push(request);
                let _ = write_answer(&mut stream, &reply);
            }
        });
        Self { base, asked }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn read_request(stream: &mut TcpStream) -> Option<Asked> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let text = String::from_utf8(head).unwrap();
    let mut lines = text.lines();
    let line = lines.next()?.to_owned();
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let n = headers.get("content-length").map_or(0, |n| n.parse().unwrap());
    let mut body = vec![0; n];
    stream.read_exact(&mut body).ok()?;
    Some(Asked { line, headers, body })
}

fn write_answer(stream: &mut TcpStream, answer: &Answer) -> std::io::Result<()> {
    let mut bytes =
        format!("HTTP/1.1 {} X\r\nConnection: close\r\nContent-Length: {}\r\n", answer.status, answer.body.len());
    for (name, value) in &answer.headers {
        bytes.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut bytes = format!("{bytes}\r\n").into_bytes();
    bytes.extend(&answer.body[..answer.cut_after.unwrap_or(answer.body.len())]);
    stream.write_all(&bytes)
}
