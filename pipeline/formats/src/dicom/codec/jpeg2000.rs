//! What a JPEG 2000 code stream says of itself must agree with the header, or its numbers would be read with the wrong sign.
//!
//! Source: ISO/IEC 15444-1 A.5.1 (SIZ marker): bit 7 of Ssiz is the sign, the others the depth less one.

use crate::dicom::header::SliceHeader;

/// Refuses a stream whose size or sign is not that of the header.
pub(super) fn check(code: &[u8], header: &SliceHeader) -> Result<(), String> {
    let Some(siz) = code.windows(4).position(|w| w == [0xFF, 0x4F, 0xFF, 0x51]).map(|at| &code[at + 4..]) else {
        return Err("its pixels are no JPEG 2000 code stream; export the file again".to_owned());
    };
    let word = |at: usize| siz.get(at..at + 4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
    let (Some(x), Some(y), Some(x0), Some(y0), Some(&depth)) = (word(4), word(8), word(12), word(16), siz.get(38))
    else {
        return Err("its JPEG 2000 code stream is cut short; export the file again".to_owned());
    };
    if (x.saturating_sub(x0), y.saturating_sub(y0)) != (header.columns, header.rows) {
        return Err(format!(
            "its JPEG 2000 stream holds {x} x {y} pixels, the header says {} x {}; export the file again",
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
