//! JPEG-LS, lossless and near-lossless, one component of 2 to 16 bits.
//!
//! Source: ITU-T T.87 (1998), ISO/IEC 14495-1; the variables carry the names of its annex A.

use parameters::Parameters;
use scan::decode_scan;

mod bits;
mod parameters;
mod scan;

/// Most pixels one frame may claim; larger is a damaged or hostile header.
const MAX_PIXELS: usize = 1 << 28;

/// One decoded image.
#[derive(Debug, PartialEq)]
pub(super) struct Image {
    pub(super) columns: usize,
    pub(super) rows: usize,
    /// Row by row.
    pub(super) samples: Vec<u16>,
}

/// The frame header: precision, rows, columns.
struct Frame {
    precision: u32,
    rows: usize,
    columns: usize,
}

/// Decodes one image of the size its file states; another is refused before memory is taken for it. `Err` is a reason for a
/// message.
pub(super) fn decode(code: &[u8], columns: usize, rows: usize) -> Result<Image, String> {
    let mut at = 0;
    if code.get(..2) != Some(&[0xFF, 0xD8]) {
        return Err("the JPEG-LS stream does not begin with its marker".to_owned());
    }
    at += 2;
    let mut frame = None;
    let mut preset = None;
    loop {
        let marker = *code.get(at + 1).filter(|_| code[at] == 0xFF).ok_or("a JPEG-LS marker is missing")?;
        let length = usize::from(u16::from_be_bytes(
            code.get(at + 2..at + 4).ok_or("the JPEG-LS stream is cut short")?.try_into().map_err(|_| "cut short")?,
        ));
        let segment = code.get(at + 4..at + 2 + length.max(2)).ok_or("a JPEG-LS segment lies outside the stream")?;
        at += 2 + length.max(2);
        match marker {
            0xF7 => frame = Some(frame_of(segment)?),
            0xF8 => preset = preset_of(segment)?.or(preset),
            0xDA => {
                let frame = frame.ok_or("the JPEG-LS stream has no frame header")?;
                if (frame.columns, frame.rows) != (columns, rows) {
                    return Err(format!(
                        "the JPEG-LS stream holds {} x {} pixels, the header says {columns} x {rows}",
                        frame.columns, frame.rows
                    ));
                }
                let parameters = Parameters::new(frame.precision, near_of(segment)?, preset)?;
                let samples = decode_scan(&code[at..], &parameters, frame.columns, frame.rows)?;
                return Ok(Image { columns: frame.columns, rows: frame.rows, samples });
            }
            0xDD if segment.iter().any(|b| *b != 0) => return Err("restart intervals are not supported".to_owned()),
            _ => {}
        }
    }
}

fn frame_of(segment: &[u8]) -> Result<Frame, String> {
    let &[precision, r1, r0, c1, c0, components, ..] = segment else {
        return Err("the JPEG-LS frame header is cut short".to_owned());
    };
    let (rows, columns) = (usize::from(u16::from_be_bytes([r1, r0])), usize::from(u16::from_be_bytes([c1, c0])));
    if components != 1 || !(2..=16).contains(&precision) || rows * columns == 0 || rows * columns > MAX_PIXELS {
        return Err(format!("{components} component(s) of {precision} bits, {columns} x {rows} pixels"));
    }
    Ok(Frame { precision: u32::from(precision), rows, columns })
}

/// MAXVAL, T1, T2, T3 and RESET of an LSE segment; 0 means the default.
fn preset_of(segment: &[u8]) -> Result<Option<[i32; 5]>, String> {
    match segment.first() {
        Some(1) => {
            let words = segment.get(1..11).ok_or("the JPEG-LS preset is cut short")?;
            let mut preset = [0; 5];
            for (value, pair) in preset.iter_mut().zip(words.chunks_exact(2)) {
                *value = i32::from(u16::from_be_bytes([pair[0], pair[1]]));
            }
            Ok(Some(preset))
        }
        _ => Err("a mapping table or an extended size, which are not supported".to_owned()),
    }
}

/// NEAR of a scan header of one component that is neither interleaved nor shifted.
fn near_of(segment: &[u8]) -> Result<i32, String> {
    let &[1, _, mapping, near, interleave, transform, ..] = segment else {
        return Err("the JPEG-LS scan header is cut short or has several components".to_owned());
    };
    if (mapping, interleave, transform) != (0, 0, 0) {
        return Err("a mapping table, interleaving or a point transform, which are not supported".to_owned());
    }
    Ok(i32::from(near))
}

#[cfg(test)]
mod tests;
