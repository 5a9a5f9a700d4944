//! What a JPEG 2000 code stream says of itself must agree with the header, or its numbers would be read with the wrong sign.
//!
//! Source: ISO/IEC 15444-1 A.5.1 (SIZ marker): bit 7 of Ssiz is the sign, the others the depth less one.

use crate::dicom::header::SliceHeader;

/// Refuses a stream whose size or sign is not that of the header, or that holds more than one component.
pub(super) fn check(code: &[u8], header: &SliceHeader) -> Result<(), String> {
    let stream = code_stream(code).ok_or("its pixels are no JPEG 2000 code stream; export the file again")?;
    let siz = stream.strip_prefix(&[0xFF, 0x4F, 0xFF, 0x51]).ok_or("its JPEG 2000 stream has no SIZ marker")?;
    let word = |at: usize| siz.get(at..at + 4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
    let (Some(x), Some(y), Some(x0), Some(y0), Some(&[0, n_components, depth, ..])) =
        (word(4), word(8), word(12), word(16), siz.get(36..))
    else {
        return Err("its JPEG 2000 code stream is cut short; export the file again".to_owned());
    };
    if (x.saturating_sub(x0), y.saturating_sub(y0)) != (header.columns, header.rows) || n_components != 1 {
        return Err(format!(
            "its JPEG 2000 stream holds {n_components} component(s) of {x} x {y} pixels, the header says {} x {}; export the file again",
            header.columns, header.rows
        ));
    }
    let (signed, bits) = (depth & 0x80 != 0, u32::from(depth & 0x7F) + 1);
    if header.signed.is_some_and(|s| s != signed) || bits > header.bits_allocated {
        let word = |s: bool| if s { "signed" } else { "unsigned" };
        return Err(format!(
            "its JPEG 2000 stream holds {} {bits}-bit pixels, the header says {} of {} bits, so that their sign is in doubt; ask the archive to send it uncompressed",
            word(signed),
            word(header.signed == Some(true)),
            header.bits_stored
        ));
    }
    Ok(())
}

/// The code stream: the pixels themselves, as DICOM wants it, or the box of a JP2 file (ISO/IEC 15444-1 annex I) that holds it.
/// Boxes are walked, not searched, so that no other box can pass for it.
fn code_stream(code: &[u8]) -> Option<&[u8]> {
    if !code.starts_with(b"\0\0\0\x0CjP  ") {
        return Some(code);
    }
    let mut rest = code;
    loop {
        let (length, kind) = (rest.get(..4)?, rest.get(4..8)?);
        let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
        if kind == b"jp2c" {
            return rest.get(8..);
        }
        // A box of length 0 is the last one, one of length 1 is longer than 4 GB.
        rest = rest.get(length..).filter(|_| length >= 8)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(columns: u32, rows: u32) -> SliceHeader {
        SliceHeader { columns, rows, signed: Some(false), ..SliceHeader::blank("CT") }
    }

    #[test]
    fn the_size_is_that_of_the_stream_that_is_decoded() {
        let stream = include_bytes!("../../../../../test_data/oracles/jpeg/16x12_16bit.j2k");
        assert_eq!(check(stream, &header(16, 12)), Ok(()));
        assert!(check(stream, &header(12, 16)).unwrap_err().contains("16 x 12"));
        let signature = b"\0\0\0\x0CjP  \r\n\x87\n";
        let jp2c = [&[0; 4], &b"jp2c"[..], stream].concat();
        assert_eq!(check(&[&signature[..], &jp2c].concat(), &header(16, 12)), Ok(()));
        // A stream of another size in a free box before the real one does not count.
        let mut other = stream.to_vec();
        other[11] = 99;
        let decoy = [&(8 + stream.len() as u32).to_be_bytes()[..], b"free", stream].concat();
        let real = [&[0; 4], &b"jp2c"[..], &other].concat();
        assert!(check(&[&signature[..], &decoy, &real].concat(), &header(16, 12)).is_err());
        assert!(check(&[&signature[..], &[0; 8]].concat(), &header(16, 12)).is_err());
        for n in 0..60 {
            assert!(check(&stream[..n], &header(16, 12)).is_err() || n > 40);
        }
    }
}
