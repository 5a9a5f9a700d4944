//! What a JPEG stream says of itself must agree with the header: a larger picture would be read row by row askew.
//!
//! Source: ITU-T T.81 B.2.2 (frame header): precision, lines, samples a line, components.

use crate::dicom::header::SliceHeader;

/// Refuses a stream whose size is not that of the header, that holds colours, that no decoder here reads, or that has no
/// frame header.
pub(super) fn check(code: &[u8], header: &SliceHeader) -> Result<(), String> {
    let Some((marker, frame)) = frame_header(code) else {
        return Err("its JPEG stream has no frame header; export the file again".to_owned());
    };
    let &[precision, r1, r0, c1, c0, components, ..] = frame else {
        return Err("its JPEG stream is cut short; export the file again".to_owned());
    };
    let (rows, columns) = (u32::from(u16::from_be_bytes([r1, r0])), u32::from(u16::from_be_bytes([c1, c0])));
    if (columns, rows) != (header.columns, header.rows) || components != 1 {
        return Err(format!(
            "its JPEG stream holds {columns} x {rows} pixels of {components} component(s), the header says {} x {} of 1; export the file again",
            header.columns, header.rows
        ));
    }
    if u32::from(precision) > header.bits_allocated {
        return Err(format!(
            "its JPEG stream holds {precision}-bit pixels, the header allocates {}; export the file again",
            header.bits_allocated
        ));
    }
    if precision == 12 && matches!(marker, 0xC1 | 0xC2) {
        return Err(
            "its pixels are 12-bit JPEG with loss, which is not supported; decompress it first: dcmdjpeg IN OUT"
                .to_owned(),
        );
    }
    Ok(())
}

/// The marker and what follows the length of the first frame header (SOF, without tables and scans).
fn frame_header(code: &[u8]) -> Option<(u8, &[u8])> {
    let mut at = code.starts_with(&[0xFF, 0xD8]).then_some(2)?;
    loop {
        let &[0xFF, marker, l1, l0] = code.get(at..at + 4)? else { return None };
        if marker == 0xFF {
            at += 1;
            continue;
        }
        let length = usize::from(u16::from_be_bytes([l1, l0]));
        let is_frame = (0xC0..=0xCF).contains(&marker) && !matches!(marker, 0xC4 | 0xC8 | 0xCC);
        if is_frame {
            return Some((marker, code.get(at + 4..(at + 2 + length.max(2)).min(code.len())).unwrap_or_default()));
        }
        if marker == 0xDA {
            return None;
        }
        at += 2 + length.max(2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(marker: u8, precision: u8, rows: u8, columns: u8) -> Vec<u8> {
        let mut code = vec![0xFF, 0xD8, 0xFF, 0xC4, 0, 4, 1, 2, 0xFF, marker, 0, 11];
        code.extend([precision, 0, rows, 0, columns, 1, 1, 0x11, 0, 0xFF, 0xDA, 0, 2]);
        code
    }

    #[test]
    fn size_precision_and_kind_must_be_those_of_the_header() {
        let header = SliceHeader { rows: 10, columns: 14, ..SliceHeader::blank("CT") };
        assert_eq!(check(&stream(0xC3, 16, 10, 14), &header), Ok(()));
        for wrong in [stream(0xC3, 16, 14, 10), stream(0xC3, 17, 10, 14), stream(0xC1, 12, 10, 14)] {
            assert!(check(&wrong, &header).is_err());
        }
        let whole = stream(0xC3, 16, 11, 14);
        for n in 0..whole.len() {
            let _ = check(&whole[..n], &header);
        }
    }

    #[test]
    fn a_stream_of_another_size_or_without_a_frame_is_refused() {
        let stream = include_bytes!("../../../../../test_data/oracles/jpeg/16x12_8bit.jpg");
        let header = |columns| SliceHeader { columns, rows: 12, bits_allocated: 8, ..SliceHeader::blank("CT") };
        assert_eq!(check(stream, &header(16)), Ok(()));
        assert!(check(stream, &header(65_535)).unwrap_err().contains("16 x 12"));
        for cut in [&stream[..20], &[], &[0xFF, 0xD8, 0xFF, 0xE0, 0, 0]] {
            assert!(check(cut, &header(16)).is_err());
        }
    }
}
