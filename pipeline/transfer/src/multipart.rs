//! Takes a `multipart/related` answer apart as it comes in: each part goes where the caller says, bounded in every way.
//!
//! Source: RFC 2046 section 5.1.1 (boundaries), RFC 2387 (multipart/related), DICOM PS3.18 section 8.6.1.2.

use std::io::{self, Read, Write};

/// Header lines of one part.
const MAX_HEADERS: usize = 16 << 10;

/// What may come before the first boundary.
const MAX_PREAMBLE: usize = 64 << 10;

/// Parts of one answer.
const MAX_PARTS: usize = 1_000_000;

/// White space that may follow a boundary in its line.
const MAX_PADDING: usize = 64;

/// Bytes taken from the connection at a time.
const CHUNK: usize = 64 << 10;

/// Why an answer cannot be taken apart.
#[derive(Debug, thiserror::Error)]
pub enum MultipartError {
    /// The connection ended or failed within the answer.
    #[error("the connection ended within the answer ({0})")]
    Read(io::Error),
    /// The part could not be written where it should go.
    #[error("{0}")]
    Write(io::Error),
    /// The answer is not what it says it is.
    #[error("the answer is no proper multipart message: {0}")]
    Malformed(&'static str),
}

/// The boundary a content type states.
///
/// # Errors
/// There is none, or it is none that the standard allows.
pub fn boundary_of(content_type: &str) -> Result<String, MultipartError> {
    let stated = parameters(content_type).into_iter().find(|(name, _)| name.eq_ignore_ascii_case("boundary"));
    let (_, boundary) = stated.ok_or(MultipartError::Malformed("its content type states no boundary"))?;
    let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&b);
    if boundary.is_empty() || boundary.len() > 70 || !boundary.bytes().all(is_allowed) || boundary.ends_with(' ') {
        return Err(MultipartError::Malformed("its boundary is none that the standard allows"));
    }
    Ok(boundary)
}

/// The parameters of a content type; a quoted value may hold semicolons.
fn parameters(content_type: &str) -> Vec<(String, String)> {
    let (mut pieces, mut piece, mut is_quoted) = (Vec::new(), String::new(), false);
    for c in content_type.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            ';' if !is_quoted => pieces.push(std::mem::take(&mut piece)),
            _ => piece.push(c),
        }
    }
    pieces.push(piece);
    let pair =
        |piece: &String| piece.split_once('=').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
    pieces.iter().skip(1).filter_map(pair).collect()
}

/// An answer that is being taken apart.
pub struct Multipart<R> {
    from: R,
    /// `\r\n--boundary`.
    delimiter: Vec<u8>,
    /// Read and not yet given out. Begins with a line end that is not in the answer, so that the first boundary is like all others.
    buffer: Vec<u8>,
    at: usize,
    /// What one reading brings.
    chunk: Vec<u8>,
    n_parts: usize,
    is_ended: bool,
}

/// What follows a boundary.
enum After {
    /// Another part, so many bytes later.
    Part(usize),
    /// Nothing.
    End,
    /// It was no boundary, but bytes that look like one.
    Nothing,
    /// More bytes are needed to tell.
    Unknown,
}

impl<R: Read> Multipart<R> {
    /// An answer with its boundary.
    pub fn new(from: R, boundary: &str) -> Self {
        let delimiter = format!("\r\n--{boundary}").into_bytes();
        Self { from, delimiter, buffer: b"\r\n".to_vec(), at: 0, chunk: vec![0; CHUNK], n_parts: 0, is_ended: false }
    }

    /// Goes to the next part and returns its header lines; `None` after the last one. What is left of the part before is passed over
    /// by [`Multipart::copy_part`], which comes first for every part.
    ///
    /// # Errors
    /// The connection failed, or the answer is not a proper one.
    pub fn next_part(&mut self) -> Result<Option<String>, MultipartError> {
        if self.n_parts == 0 {
            self.copy_until_delimiter(&mut io::sink(), MAX_PREAMBLE as u64)?;
        }
        if self.is_ended {
            return Ok(None);
        }
        self.n_parts += 1;
        if self.n_parts > MAX_PARTS {
            return Err(MultipartError::Malformed("more than a million parts"));
        }
        self.headers().map(Some)
    }

    /// Copies the content of the part, at most so many bytes.
    ///
    /// # Errors
    /// The connection or the sink failed, or the part is larger.
    pub fn copy_part(&mut self, to: &mut dyn Write, max_bytes: u64) -> Result<u64, MultipartError> {
        self.copy_until_delimiter(to, max_bytes)
    }

    fn headers(&mut self) -> Result<String, MultipartError> {
        loop {
            let rest = &self.buffer[self.at..];
            // A part without headers begins with the empty line itself.
            let end = if rest.starts_with(b"\r\n") { Some(0) } else { find(rest, b"\r\n\r\n").map(|at| at + 2) };
            if let Some(end) = end {
                let text = String::from_utf8_lossy(&rest[..end]).into_owned();
                // The line end before the content stays: a content of no bytes is followed by its boundary at once.
                self.at += end;
                return if end > MAX_HEADERS { Err(too_long()) } else { self.skip_line_end().map(|()| text) };
            }
            if rest.len() > MAX_HEADERS {
                return Err(too_long());
            }
            self.fill()?;
        }
    }

    /// Passes over the empty line; the content begins after it. The line's own end is kept in the buffer as the line end that a
    /// boundary begins with only where the content is empty.
    fn skip_line_end(&mut self) -> Result<(), MultipartError> {
        while self.buffer.len() < self.at + 2 + self.delimiter.len() {
            if self.fill_some()? == 0 {
                break;
            }
        }
        let after = self.buffer.get(self.at + 2..).unwrap_or_default();
        if !after.starts_with(&self.delimiter[2..]) {
            self.at = (self.at + 2).min(self.buffer.len());
        }
        Ok(())
    }

    /// Copies up to the next boundary and passes over it.
    fn copy_until_delimiter(&mut self, to: &mut dyn Write, max_bytes: u64) -> Result<u64, MultipartError> {
        let mut n_copied = 0_u64;
        let mut copy = |bytes: &[u8]| {
            n_copied += bytes.len() as u64;
            if n_copied > max_bytes {
                return Err(MultipartError::Malformed(
                    "a part, or what comes before the first, is larger than allowed",
                ));
            }
            to.write_all(bytes).map_err(MultipartError::Write)
        };
        loop {
            let rest = &self.buffer[self.at..];
            let Some(found) = find(rest, &self.delimiter) else {
                // The end of what was read may be the beginning of a boundary.
                let n_safe = rest.len().saturating_sub(self.delimiter.len() - 1);
                copy(&rest[..n_safe])?;
                self.at += n_safe;
                self.fill()?;
                continue;
            };
            match after(&rest[found + self.delimiter.len()..]) {
                After::Unknown => {
                    copy(&rest[..found])?;
                    self.at += found;
                    self.fill()?;
                }
                After::Nothing => {
                    copy(&rest[..=found])?;
                    self.at += found + 1;
                }
                After::Part(n_padding) => {
                    copy(&rest[..found])?;
                    self.at += found + self.delimiter.len() + n_padding;
                    return Ok(n_copied);
                }
                After::End => {
                    copy(&rest[..found])?;
                    self.is_ended = true;
                    self.at = self.buffer.len();
                    return Ok(n_copied);
                }
            }
        }
    }

    /// Reads on; the end of the connection is an error, for the closing boundary has not come.
    fn fill(&mut self) -> Result<(), MultipartError> {
        match self.fill_some()? {
            0 => Err(MultipartError::Read(io::ErrorKind::UnexpectedEof.into())),
            _ => Ok(()),
        }
    }

    fn fill_some(&mut self) -> Result<usize, MultipartError> {
        self.buffer.drain(..self.at);
        self.at = 0;
        loop {
            match self.from.read(&mut self.chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(MultipartError::Read(error)),
                Ok(n_read) => {
                    self.buffer.extend_from_slice(&self.chunk[..n_read]);
                    return Ok(n_read);
                }
            }
        }
    }
}

fn too_long() -> MultipartError {
    MultipartError::Malformed("the header lines of a part are longer than 16 KiB")
}

/// What follows the boundary's own characters.
fn after(bytes: &[u8]) -> After {
    if bytes.starts_with(b"--") {
        return After::End;
    }
    let n_padding = bytes.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    match &bytes[n_padding..] {
        _ if n_padding > MAX_PADDING => After::Nothing,
        [b'\r', b'\n', ..] => After::Part(n_padding + 2),
        [] | [b'\r'] => After::Unknown,
        [b'-'] if n_padding == 0 => After::Unknown,
        _ => After::Nothing,
    }
}

/// Where a pattern that begins with `\r` first stands.
fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|b| *b == pattern[0]) {
        if bytes[from + at..].starts_with(pattern) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

#[cfg(test)]
mod tests;
