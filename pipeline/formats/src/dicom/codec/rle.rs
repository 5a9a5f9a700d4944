//! RLE Lossless: one run-length coded segment for each byte of a pixel, the most significant first.
//!
//! Source: DICOM PS3.5 annex G.

/// Little-endian pixels of `n_bytes` bytes each.
pub(super) fn decode(code: &[u8], n_pixels: usize, n_bytes: usize) -> Result<Vec<u8>, String> {
    let word = |n: usize| -> Option<u32> {
        let bytes = code.get(n * 4..n * 4 + 4)?;
        Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    };
    let n_segments = word(0).ok_or("the RLE header is cut short")? as usize;
    if n_segments != n_bytes {
        return Err(format!("{n_segments} RLE segments, expected {n_bytes}"));
    }
    let mut pixels = vec![0; n_pixels * n_bytes];
    for segment in 0..n_segments {
        let begin = word(segment + 1).ok_or("the RLE header is cut short")? as usize;
        let end = if segment + 1 < n_segments {
            word(segment + 2).ok_or("the RLE header is cut short")? as usize
        } else {
            code.len()
        };
        let bytes = code.get(begin..end).ok_or("an RLE segment lies outside the frame")?;
        let place = n_bytes - 1 - segment;
        unpack(bytes, pixels.iter_mut().skip(place).step_by(n_bytes), n_pixels)?;
    }
    Ok(pixels)
}

/// One segment: a byte n of 0..=127 is followed by n + 1 literal bytes, of −127..=−1 by one byte repeated 1 − n times.
fn unpack<'a>(bytes: &[u8], mut out: impl Iterator<Item = &'a mut u8>, n: usize) -> Result<(), String> {
    let mut source = bytes.iter();
    let mut n_done = 0;
    while n_done < n {
        let short = || format!("an RLE segment holds {n_done} of {n} bytes");
        let control = source.next().copied().ok_or_else(short)? as i8;
        let count = if control >= 0 { control as usize + 1 } else { (1 - i32::from(control)) as usize };
        match control {
            0.. => {
                for _ in 0..count {
                    let byte = *source.next().ok_or_else(short)?;
                    if let Some(place) = out.next() {
                        *place = byte;
                    }
                }
            }
            -128 => continue,
            _ => {
                let byte = *source.next().ok_or_else(short)?;
                out.by_ref().take(count).for_each(|place| *place = byte);
            }
        }
        n_done += count;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_segments_by_hand() {
        // High bytes 1, 1, 1 as a run; low bytes 7, 8, 9 as literals.
        let mut code = vec![0; 64];
        code[0] = 2;
        code[4] = 64;
        code[8] = 66;
        code.extend([(-2_i8) as u8, 1, 2, 7, 8, 9]);
        assert_eq!(decode(&code, 3, 2), Ok(vec![7, 1, 8, 1, 9, 1]));
        assert!(decode(&code, 4, 2).is_err());
        assert!(decode(&code[..40], 3, 2).is_err());
    }
}
