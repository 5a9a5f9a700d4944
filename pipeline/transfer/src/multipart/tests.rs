use proptest::prelude::*;

use super::*;

/// Gives out so many bytes at a time, so that boundaries are cut at every place.
struct Dribble<'a> {
    bytes: &'a [u8],
    step: usize,
}

impl Read for Dribble<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.step.min(self.bytes.len()).min(buffer.len());
        buffer[..n].copy_from_slice(&self.bytes[..n]);
        self.bytes = &self.bytes[n..];
        Ok(n)
    }
}

fn parts(bytes: &[u8], boundary: &str, step: usize) -> Result<Vec<(String, Vec<u8>)>, MultipartError> {
    let mut multipart = Multipart::new(Dribble { bytes, step }, boundary);
    let mut parts = Vec::new();
    while let Some(headers) = multipart.next_part()? {
        let mut content = Vec::new();
        multipart.copy_part(&mut content, 1 << 20)?;
        parts.push((headers, content));
    }
    Ok(parts)
}

#[test]
fn parts_come_out_whole_however_the_connection_cuts_them() {
    let message = b"preamble\r\n--b1\r\nContent-Type: application/dicom\r\n\r\nA\r\n--b\r\n--b12\r\nA\r\n--b1 \t\r\n\r\n\r\n--b1\r\nX: y\r\n\r\n\r\n\r\n--b1--\r\nepilogue";
    for step in [1, 2, 3, 7, 4096] {
        let found = parts(message, "b1", step).unwrap();
        let contents: Vec<&[u8]> = found.iter().map(|(_, content)| content.as_slice()).collect();
        assert_eq!(contents, [b"A\r\n--b\r\n--b12\r\nA".as_slice(), b"", b"\r\n"], "{step}");
        assert_eq!(found[0].0, "Content-Type: application/dicom\r\n");
        assert_eq!(found[1].0, "");
    }
    assert!(parts(b"--b1--", "b1", 3).unwrap().is_empty());
    assert_eq!(parts(b"--b1\r\n\r\n--b1--", "b1", 1).unwrap()[0].1, b"", "an empty content with one line end");
}

#[test]
fn a_message_cut_anywhere_is_an_error_and_gives_no_further_part() {
    let message = b"--b\r\nA: 1\r\n\r\nfirst\r\n--b\r\n\r\nsecond\r\n--b--";
    for n in 0..message.len() {
        assert!(matches!(parts(&message[..n], "b", 5), Err(MultipartError::Read(_))), "{n}");
    }
    assert_eq!(parts(message, "b", 5).unwrap().len(), 2);
}

#[test]
fn what_has_no_end_is_refused_within_its_bounds() {
    let endless = io::repeat(b'x');
    let mut multipart = Multipart::new(endless, "b");
    assert!(matches!(multipart.next_part(), Err(MultipartError::Malformed(_))));
    let mut headers = Multipart::new(b"--b\r\n".chain(io::repeat(b'x')), "b");
    assert!(matches!(headers.next_part(), Err(MultipartError::Malformed(_))));
    let mut content = Multipart::new(b"--b\r\n\r\n".chain(io::repeat(b'\r')), "b");
    content.next_part().unwrap();
    assert!(matches!(content.copy_part(&mut io::sink(), 1 << 20), Err(MultipartError::Malformed(_))));
    assert!(content.buffer.len() < 1 << 18, "memory does not grow with the part");
    let mut padding = Multipart::new(b"--b".chain(io::repeat(b' ')), "b");
    assert!(padding.next_part().is_err());
}

#[test]
fn boundaries_are_read_from_content_types_and_strange_ones_refused() {
    let of = |text: &str| boundary_of(text).ok();
    assert_eq!(of("multipart/related; type=\"application/dicom\"; boundary=abc").as_deref(), Some("abc"));
    assert_eq!(of("multipart/related;Boundary=\"a;b=c\"; x=y"), None, "a semicolon is none of the characters allowed");
    assert_eq!(of("multipart/related; boundary=\"a=b\"; x=y").as_deref(), Some("a=b"));
    for text in ["multipart/related", "multipart/related; boundary=", "x; boundary=\"a\r\nb\"", "x; boundary=é"] {
        assert_eq!(of(text), None, "{text:?}");
    }
    assert_eq!(of(&format!("x; boundary={}", "a".repeat(71))), None);
}

proptest! {
    #[test]
    fn any_contents_come_back_and_any_bytes_are_survived(
        contents in prop::collection::vec(prop::collection::vec(prop::sample::select(b"\r\n-bx ".as_slice()), 0..40), 0..5),
        noise in prop::collection::vec(any::<u8>(), 0..200),
        step in 1_usize..9,
    ) {
        // A boundary that the contents, made of other letters, cannot hold.
        let mut message = Vec::new();
        for content in &contents {
            message.extend(b"--Q\r\nA: b\r\n\r\n");
            message.extend(content);
            message.extend(b"\r\n");
        }
        message.extend(b"--Q--");
        let found: Vec<Vec<u8>> = parts(&message, "Q", step).unwrap().into_iter().map(|(_, content)| content).collect();
        prop_assert_eq!(&found, &contents);
        let _ = parts(&noise, "b", step);
        let _ = parts(&[b"--b\r\n".as_slice(), &noise].concat(), "b", step);
    }
}
