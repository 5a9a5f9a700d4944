//! What a JPEG stream says of its size must agree with the header before a decoder takes memory for it.
//!
//! Source: ITU-T T.81 B.2.2 (frame header: length, precision, lines, samples per line, components).

use crate::dicom::header::SliceHeader;

/// Refuses a stream whose frame has another size than the header, or several components.
pub(super) fn check(code: &[u8], header: &SliceHeader) -> Result<(), String> {
    let mut at = 2;
    while let Some(&[0xFF, marker, ref rest @ ..]) = code.get(at..) {
        let length = rest.get(..2).map(|b| usize::from(u16::from_be_bytes([b[0], b[1]])));
        match (marker, length) {
            // A fill byte before a marker.
            (0xFF, _) => at += 1,
            // All kinds of frames; C4, C8 and CC are tables.
            (0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF, _) => return check_frame(rest, header),
            (_, Some(length @ 2..)) => at += 2 + length,
            _ => break,
        }
    }
    Err("the JPEG stream has no frame header".to_owned())
}

fn check_frame(frame: &[u8], header: &SliceHeader) -> Result<(), String> {
    let Some(&[_, _, _, y1, y0, x1, x0, n_components]) = frame.get(..8) else {
        return Err("the JPEG stream is cut short".to_owned());
    };
    let (rows, columns) = (u16::from_be_bytes([y1, y0]), u16::from_be_bytes([x1, x0]));
    if (u32::from(columns), u32::from(rows)) == (header.columns, header.rows) && n_components == 1 {
        return Ok(());
    }
    Err(format!(
        "the JPEG stream holds {n_components} component(s) of {columns} x {rows} pixels, the header says {} x {}",
        header.columns, header.rows
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_of_another_size_is_refused() {
        let stream = include_bytes!("../../../../../test_data/oracles/jpeg/16x12_8bit.jpg");
        let header = |columns, rows| SliceHeader { columns, rows, ..SliceHeader::blank("CT") };
        assert_eq!(check(stream, &header(16, 12)), Ok(()));
        assert!(check(stream, &header(65_535, 12)).unwrap_err().contains("16 x 12"));
        assert!(check(&stream[..20], &header(16, 12)).is_err());
        assert!(check(&[], &header(16, 12)).is_err());
        assert!(check(&[0xFF, 0xD8, 0xFF, 0xE0, 0, 0], &header(16, 12)).is_err());
    }
}
