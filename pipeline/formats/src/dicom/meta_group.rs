//! The meta group of a file: how its data set is encoded and where that begins.
//!
//! Read element by element, so that a length that lies costs nothing; only the transfer syntax is kept.
//!
//! Source: DICOM PS3.10 section 7.1 (file meta information, always explicit VR little endian).

use std::io::{BufReader, Read, Seek, SeekFrom};

/// More bytes before the data set are no meta group: its elements are identifiers.
const MAX_META_BYTES: u64 = 1 << 20;

/// An identifier has 64 characters at most; what is longer is damage.
const MAX_UID_BYTES: u64 = 128;

/// Transfer Syntax UID (0002,0010).
const TRANSFER_SYNTAX: [u8; 4] = [0x02, 0x00, 0x10, 0x00];

/// Value representations whose length takes four bytes after two reserved ones.
const LONG: [&[u8; 2]; 13] =
    [b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"];

/// What the meta group says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MetaGroup {
    pub(super) transfer_syntax: String,
    /// Byte of the file at which the data set begins.
    pub(super) data_set_at: u64,
}

/// Reads the group that begins at byte `at`, and leaves the reader at the data set. `Err` is a reason for a message.
pub(super) fn read_meta<R: Read + Seek>(reader: &mut BufReader<R>, at: u64) -> Result<MetaGroup, String> {
    let io = |e: std::io::Error| format!("the meta group cannot be read: {e}");
    reader.seek(SeekFrom::Start(at)).map_err(io)?;
    let (mut position, mut transfer_syntax) = (at, None);
    loop {
        let mut tag = [0; 4];
        if read_up_to(reader, &mut tag).map_err(io)? < 4 || tag[..2] != [0x02, 0x00] {
            reader.seek(SeekFrom::Start(position)).map_err(io)?;
            let transfer_syntax = transfer_syntax.ok_or("the meta group names no Transfer Syntax UID (0002,0010)")?;
            return Ok(MetaGroup { transfer_syntax, data_set_at: position });
        }
        let mut form = [0; 4];
        reader.read_exact(&mut form).map_err(io)?;
        let (length, n_header) = if LONG.iter().any(|vr| form[..2] == **vr) {
            let mut long = [0; 4];
            reader.read_exact(&mut long).map_err(io)?;
            (u64::from(u32::from_le_bytes(long)), 12)
        } else {
            (u64::from(u16::from_le_bytes([form[2], form[3]])), 8)
        };
        position += n_header + length;
        if position - at > MAX_META_BYTES {
            return Err(format!("the meta group claims more than {MAX_META_BYTES} bytes"));
        }
        if tag == TRANSFER_SYNTAX {
            let mut uid = Vec::new();
            reader.by_ref().take(length.min(MAX_UID_BYTES)).read_to_end(&mut uid).map_err(io)?;
            let text = String::from_utf8_lossy(&uid);
            transfer_syntax = Some(text.trim_matches(|c: char| c.is_whitespace() || c == '\0').to_owned());
        }
        reader.seek(SeekFrom::Start(position)).map_err(io)?;
    }
}

/// Fills the buffer as far as there are bytes.
fn read_up_to(reader: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut n = 0;
    while n < buffer.len() {
        match reader.read(&mut buffer[n..])? {
            0 => break,
            more => n += more,
        }
    }
    Ok(n)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn read(bytes: &[u8]) -> Result<MetaGroup, String> {
        read_meta(&mut BufReader::new(Cursor::new(bytes)), 0)
    }

    #[test]
    fn a_group_by_hand_and_one_with_a_length_that_lies() {
        let version = [2, 0, 1, 0, b'O', b'B', 0, 0, 2, 0, 0, 0, 0, 1];
        let syntax = [2, 0, 0x10, 0, b'U', b'I', 6, 0, b'1', b'.', b'2', b'.', b'8', 0];
        let whole = [&version[..], &syntax, &[8, 0, 5, 0]].concat();
        assert_eq!(read(&whole), Ok(MetaGroup { transfer_syntax: "1.2.8".into(), data_set_at: 28 }));
        assert!(read(&version).unwrap_err().contains("names no Transfer Syntax"));
        let lies = [&syntax[..], &[2, 0, 0, 1, b'O', b'B', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]].concat();
        assert!(read(&lies).unwrap_err().contains("claims more than"));
        assert!(read(&whole[..20]).is_err());
    }
}
