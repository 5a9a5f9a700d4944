//! The pixels of one file as stored numbers, and as rescaled values in f32.
//!
//! Source: DICOM PS3.3 C.7.6.3 (Image Pixel module), C.11.1 (Modality LUT), PS3.5 section 8 (encoding of pixel data).

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use dicom::core::Tag;
use dicom::dictionary_std::{tags, uids};
use dicom::object::InMemDicomObject;
use rayon::prelude::*;

use super::codec;
use super::file::{EXPLICIT_BIG_ENDIAN, open_whole};
use super::header::SliceHeader;
use super::pixel_offset::PixelPlace;
use crate::{pages, stored};

/// Most pixels one frame may claim: 8192 x 8192, more than any detector has; a larger header is damaged or hostile.
pub(super) const MAX_FRAME_PIXELS: usize = 1 << 26;

/// How stored integers lie in their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PixelForm {
    bits_allocated: u32,
    bits_stored: u32,
    high_bit: u32,
    signed: bool,
}

/// The file that pixels come from: one frame's bytes from a known place, or the parsed whole.
enum Source {
    /// Uncompressed from this byte of the file on.
    At(u64),
    /// Parsed once, shared by the frames of the file.
    Parsed(Arc<InMemDicomObject>),
}

/// The values of all slices, slice after slice (i fastest, then j, then k): stored · slope + intercept in f32, slope 1 and
/// intercept 0 where a slice states none. All slices have the size of the first. `Err` is the slice and a reason.
pub(super) fn rescaled_values(slices: &[&SliceHeader]) -> Result<Vec<f32>, (usize, String)> {
    if slices.is_empty() {
        return Ok(Vec::new());
    }
    let pixels = SlicePixels::of(slices)?;
    let mut values = vec![0_f32; pixels.n_pixels * slices.len()];
    let results: Vec<Result<(), String>> = values
        .par_chunks_mut(pixels.n_pixels)
        .enumerate()
        .map_init(Vec::new, |buffer, (n, out)| {
            pages::take(out);
            pixels.read(n, buffer, out)
        })
        .collect();
    let failed = results.into_iter().enumerate().find_map(|(n, result)| result.err().map(|reason| (n, reason)));
    failed.map_or(Ok(values), Err)
}

/// Slices of one size whose files may hold as much as their headers say.
pub(super) struct SlicePixels<'a> {
    slices: &'a [&'a SliceHeader],
    n_pixels: usize,
    shared: BTreeMap<&'a Path, Arc<InMemDicomObject>>,
    _unpacked: stored::Held,
}

impl<'a> SlicePixels<'a> {
    /// Looks at sizes, and parses the files that hold several compressed frames. `Err` is the slice and a reason.
    pub(super) fn of(slices: &'a [&'a SliceHeader]) -> Result<Self, (usize, String)> {
        let Some(first) = slices.first() else { return Err((0, "there are no slices".to_owned())) };
        let n_pixels = first.rows as usize * first.columns as usize;
        if n_pixels == 0 || n_pixels > MAX_FRAME_PIXELS {
            let (columns, rows) = (first.columns, first.rows);
            return Err((0, format!("{columns} x {rows} pixels are no image (at most {MAX_FRAME_PIXELS} a frame)")));
        }
        let unpacked = stored::hold(slices.iter().filter(|s| s.n_frames > 1).map(|s| s.path.as_path()));
        let shared = parsed_files(slices)?;
        check_room(slices, &shared, n_pixels)?;
        Ok(Self { slices, n_pixels, shared, _unpacked: unpacked })
    }

    /// Gives the values of each slice n to `take`, in any order; ends when one is not taken or cannot be read. Whether all were.
    pub(super) fn each(&self, take: impl Fn(usize, &mut [f32]) -> bool + Sync) -> bool {
        let in_turn = (0..self.slices.len()).into_par_iter().with_min_len(SLICES_IN_TURN);
        let room = || (Vec::new(), vec![0_f32; self.n_pixels]);
        let taken =
            in_turn.map_init(room, |(buffer, values), n| self.read(n, buffer, values).is_ok() && take(n, values));
        taken.all(|is_taken| is_taken)
    }

    /// One slice's values into their place; the buffer holds its bytes and serves one slice after the other.
    fn read(&self, n: usize, buffer: &mut Vec<u8>, out: &mut [f32]) -> Result<(), String> {
        let slice = self.slices[n];
        read_into(slice, self.shared.get(slice.path.as_path()), buffer, out)
    }
}

/// Slices read one after the other by one thread, so that it takes its memory once for them.
const SLICES_IN_TURN: usize = 8;

/// Files with several frames among the slices whose pixels only a full reading finds: each is parsed once.
fn parsed_files<'a>(slices: &[&'a SliceHeader]) -> Result<BTreeMap<&'a Path, Arc<InMemDicomObject>>, (usize, String)> {
    let mut files: BTreeMap<&Path, Arc<InMemDicomObject>> = BTreeMap::new();
    for (n, slice) in slices.iter().enumerate() {
        if slice.n_frames > 1 && slice.pixels == PixelPlace::Inside && !files.contains_key(slice.path.as_path()) {
            let (object, ..) = open_whole(&slice.path).map_err(|e| (n, e.to_string()))?;
            files.insert(slice.path.as_path(), Arc::new(object));
        }
    }
    Ok(files)
}

/// Compressed files must be of a size from which their pixels can have come, before memory is taken for them.
fn check_room(
    slices: &[&SliceHeader],
    shared: &BTreeMap<&Path, Arc<InMemDicomObject>>,
    n_pixels: usize,
) -> Result<(), (usize, String)> {
    let mut n_bytes = 0_u64;
    let mut seen = std::collections::BTreeSet::new();
    for (n, slice) in slices.iter().enumerate() {
        let uncompressed = matches!(slice.pixels, PixelPlace::At(_));
        if uncompressed {
            // A file was held against its pixels by their bits; pixels without bits would take no file.
            form_of(slice).map_err(|reason| (n, reason))?;
        }
        if uncompressed || (shared.contains_key(slice.path.as_path()) && !seen.insert(&slice.path)) {
            continue;
        }
        n_bytes += stored::size_of(&slice.path).unwrap_or(0);
    }
    let n_compressed = slices.iter().filter(|s| !matches!(s.pixels, PixelPlace::At(_))).count() as u64;
    let n_promised = n_compressed * n_pixels as u64;
    let many = n_promised > MANY_PIXELS && n_promised > n_bytes.saturating_mul(MAX_COMPRESSION_OF_MANY);
    if many || n_promised > (n_bytes + 4096) * MAX_COMPRESSION {
        let reason = format!(
            "its header promises {n_pixels} pixels a slice for {n_compressed} slices, which {n_bytes} bytes cannot hold; export the series again"
        );
        return Err((0, reason));
    }
    Ok(())
}

/// Pixels in a byte of a compressed file: empty slices reach some hundreds.
const MAX_COMPRESSION: u64 = 4096;

/// From so many pixels on (a gigabyte in memory) they cannot all be empty, and each byte may hold fewer.
const MANY_PIXELS: u64 = 1 << 28;

/// Pixels in a byte where there are many.
const MAX_COMPRESSION_OF_MANY: u64 = 512;

/// One slice's values into their place; the buffer holds its bytes and serves one slice after the other.
fn read_into(
    header: &SliceHeader,
    shared: Option<&Arc<InMemDicomObject>>,
    buffer: &mut Vec<u8>,
    out: &mut [f32],
) -> Result<(), String> {
    let source = match (header.pixels, shared) {
        (PixelPlace::Truncated, _) => return Err("it is truncated; copy or export the file again".to_owned()),
        (PixelPlace::At(offset), _) => Source::At(offset),
        (PixelPlace::Inside, Some(object)) => Source::Parsed(Arc::clone(object)),
        (PixelPlace::Inside, None) => Source::Parsed(Arc::new(open_whole(&header.path).map_err(|e| e.to_string())?.0)),
    };
    let rescale =
        Rescale { slope: header.rescale_slope.unwrap_or(1.0), intercept: header.rescale_intercept.unwrap_or(0.0) };
    match source {
        Source::At(offset) => {
            let form = form_of(header)?;
            let n_bytes = out.len() as u64 * u64::from(form.bits_allocated / 8);
            let at = offset + u64::from(header.frame.unwrap_or(0)) * n_bytes;
            buffer.resize(n_bytes as usize, 0);
            read_at(&header.path, at, buffer).map_err(|e| e.to_string())?;
            unpack(buffer, form, rescale, out)
        }
        Source::Parsed(object) => parsed_values(header, &object, rescale, out),
    }
}

/// stored · slope + intercept.
#[derive(Debug, Clone, Copy)]
struct Rescale {
    slope: f64,
    intercept: f64,
}

impl Rescale {
    fn of(self, stored: f64) -> f32 {
        (stored * self.slope + self.intercept) as f32
    }

    /// Slope and intercept as integers, where those of 16-bit pixels give every value exactly: all lie within the 24 bits of f32.
    fn in_integers(self) -> Option<(i32, i32)> {
        let whole = |v: f64| v.fract() == 0.0 && v.abs() < f64::from(1 << 24);
        let exact = whole(self.slope)
            && whole(self.intercept)
            && self.slope.abs() * 65536.0 + self.intercept.abs() < f64::from(1 << 24);
        exact.then_some((self.slope as i32, self.intercept as i32))
    }
}

fn read_at(path: &Path, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
    let mut file = stored::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(bytes)
}

/// Values of one frame of a parsed file.
fn parsed_values(
    header: &SliceHeader,
    object: &InMemDicomObject,
    rescale: Rescale,
    out: &mut [f32],
) -> Result<(), String> {
    let frame = header.frame.unwrap_or(0) as usize;
    // Native values, whatever their width, are the frame-th run of as many as a frame has.
    let of_frame = |n_bytes: usize| {
        let n = out.len() * n_bytes;
        move |bytes: Vec<u8>| bytes.get(frame * n..).map_or_else(Vec::new, |rest| rest[..n.min(rest.len())].to_vec())
    };
    if let Some(bytes) = bytes_of(object, tags::FLOAT_PIXEL_DATA).map(of_frame(4)) {
        let values = bytes.chunks_exact(4).map(|b| f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
        return fill(out, values.map(|v| rescale.of(v)));
    }
    if let Some(bytes) = bytes_of(object, tags::DOUBLE_FLOAT_PIXEL_DATA).map(of_frame(8)) {
        let values =
            bytes.chunks_exact(8).map(|b| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]));
        return fill(out, values.map(|v| rescale.of(v)));
    }
    let form = form_of(header)?;
    let pixel_data = object.get(tags::PIXEL_DATA).ok_or("it has no Pixel Data (7FE0,0010)")?;
    if let Some(fragments) = pixel_data.fragments() {
        let offsets = pixel_data.value().offset_table().unwrap_or_default();
        let code = codec::frame_bytes(fragments, offsets, frame, header.n_frames.max(1) as usize)?;
        let mut bytes = codec::decode_frame(header, &code)?;
        if is_lossy(&header.transfer_syntax) {
            keep_in_range(&mut bytes, form);
        }
        return unpack(&bytes, form, rescale, out);
    }
    let mut bytes = bytes_of(object, tags::PIXEL_DATA).ok_or("its Pixel Data cannot be read")?;
    if header.transfer_syntax == EXPLICIT_BIG_ENDIAN && form.bits_allocated == 32 {
        // The parser swaps the words of big-endian pixels as 16 bits; the halves of 32-bit pixels stay exchanged.
        bytes.chunks_exact_mut(4).for_each(|b| b.rotate_left(2));
    }
    unpack(&of_frame(form.bits_allocated as usize / 8)(bytes), form, rescale, out)
}

/// Lossy codes overshoot: what lies beyond the stored bits is their largest or least value, not what its low bits say.
fn keep_in_range(bytes: &mut [u8], form: PixelForm) {
    if form.bits_allocated != 16 || form.high_bit + 1 != form.bits_stored || form.bits_stored == 16 {
        return;
    }
    let (least, most) = if form.signed {
        (-(1 << (form.bits_stored - 1)), (1 << (form.bits_stored - 1)) - 1)
    } else {
        (0, (1 << form.bits_stored) - 1)
    };
    for b in bytes.chunks_exact_mut(2) {
        let word = [b[0], b[1]];
        let value = if form.signed { i32::from(i16::from_le_bytes(word)) } else { i32::from(u16::from_le_bytes(word)) };
        b.copy_from_slice(&value.clamp(least, most).to_le_bytes()[..2]);
    }
}

fn bytes_of(object: &InMemDicomObject, tag: Tag) -> Option<Vec<u8>> {
    object.get(tag)?.to_bytes().ok().map(std::borrow::Cow::into_owned)
}

fn form_of(header: &SliceHeader) -> Result<PixelForm, String> {
    let &SliceHeader { bits_allocated, bits_stored, high_bit, .. } = header;
    let signed = header.signed.ok_or(
        "it has no Pixel Representation (0028,0103), so that the sign of its values is unknown; export the file again",
    )?;
    let fits =
        bits_stored >= 1 && bits_stored <= bits_allocated && high_bit < bits_allocated && high_bit + 1 >= bits_stored;
    if matches!(bits_allocated, 8 | 16 | 32) && fits {
        Ok(PixelForm { bits_allocated, bits_stored, high_bit, signed })
    } else {
        Err(format!(
            "its pixels have an unsupported form (allocated {bits_allocated}, stored {bits_stored}, high bit {high_bit}; expected 8, 16 or 32 allocated bits, and no more stored than allocated); export the file again"
        ))
    }
}

/// Integers from little-endian bytes, rescaled: only the stored bits count, the highest of them is the sign.
fn unpack(bytes: &[u8], form: PixelForm, rescale: Rescale, out: &mut [f32]) -> Result<(), String> {
    let shift = form.high_bit + 1 - form.bits_stored;
    let up = 32 - form.bits_stored;
    let value = |raw: u32| {
        let placed = (raw >> shift) << up;
        rescale.of(if form.signed { f64::from((placed as i32) >> up) } else { f64::from(placed >> up) })
    };
    match form.bits_allocated {
        8 => fill(out, bytes.iter().map(|b| value(u32::from(*b)))),
        16 => {
            let words = bytes.as_chunks::<2>().0.iter().map(|b| word(u16::from_le_bytes(*b), shift, form));
            match rescale.in_integers() {
                Some((slope, intercept)) => fill(out, words.map(|stored| (stored * slope + intercept) as f32)),
                None => fill(out, words.map(|stored| rescale.of(f64::from(stored)))),
            }
        }
        _ => fill(out, bytes.chunks_exact(4).map(|b| value(u32::from_le_bytes([b[0], b[1], b[2], b[3]])))),
    }
}

/// The number in the stored bits of a 16-bit word, in arithmetic of 16 bits, which a processor does for many words at once.
#[inline]
fn word(raw: u16, shift: u32, form: PixelForm) -> i32 {
    let up = 16 - form.bits_stored;
    let placed = (raw >> shift) << up;
    if form.signed { i32::from((placed as i16) >> up) } else { i32::from(placed >> up) }
}

/// The first values into their places; a reason when there are fewer. (A padding byte at the end is allowed.)
fn fill(out: &mut [f32], values: impl ExactSizeIterator<Item = f32>) -> Result<(), String> {
    if values.len() < out.len() {
        return Err(format!(
            "it holds {} pixels where rows x columns say {}; copy or export the file again",
            values.len(),
            out.len()
        ));
    }
    out.iter_mut().zip(values).for_each(|(place, value)| *place = value);
    Ok(())
}

/// Whether a transfer syntax compresses with loss.
pub(super) fn is_lossy(transfer_syntax: &str) -> bool {
    [uids::JPEG_BASELINE8_BIT, uids::JPEG_EXTENDED12_BIT, uids::JPEGLS_NEAR_LOSSLESS, uids::JPEG2000, codec::HTJ2K]
        .contains(&transfer_syntax)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(bytes: &[u8], form: PixelForm, n: usize) -> Result<Vec<f32>, String> {
        let mut out = vec![0.0; n];
        unpack(bytes, form, Rescale { slope: 1.0, intercept: 0.0 }, &mut out).map(|()| out)
    }

    #[test]
    fn twelve_stored_bits_ignore_what_lies_above_them() {
        let form = PixelForm { bits_allocated: 16, bits_stored: 12, high_bit: 11, signed: true };
        // 0xF7FF: overlay bits above, 0x7FF = 2047; 0x0800 = -2048; 0x0FFF = -1.
        let bytes = [0xFF, 0xF7, 0x00, 0x08, 0xFF, 0x0F];
        assert_eq!(unpacked(&bytes, form, 3).unwrap(), [2047.0, -2048.0, -1.0]);
        let unsigned = PixelForm { signed: false, ..form };
        assert_eq!(unpacked(&bytes, unsigned, 3).unwrap(), [2047.0, 2048.0, 4095.0]);
        assert!(unpacked(&bytes, form, 4).is_err());
    }

    #[test]
    fn integers_and_reals_rescale_alike() {
        let form = PixelForm { bits_allocated: 16, bits_stored: 16, high_bit: 15, signed: true };
        let bytes: Vec<u8> = (i16::MIN..=i16::MAX).flat_map(i16::to_le_bytes).collect();
        for (slope, intercept, fast) in [
            (1.0, -1024.0, true),
            (255.0, 5.0, true),
            (-3.0, 0.0, true),
            (256.0, 0.0, false),
            (0.5, 0.0, false),
            (1.0, 0.25, false),
        ] {
            let rescale = Rescale { slope, intercept };
            assert_eq!(rescale.in_integers().is_some(), fast, "{slope} {intercept}");
            let mut out = vec![0.0; 65536];
            unpack(&bytes, form, rescale, &mut out).unwrap();
            let expected: Vec<f32> = (i16::MIN..=i16::MAX).map(|v| rescale.of(f64::from(v))).collect();
            assert!(out.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits()), "{slope} {intercept}");
        }
    }

    #[test]
    fn what_a_lossy_code_overshoots_stays_at_the_end_of_the_range() {
        let form = PixelForm { bits_allocated: 16, bits_stored: 12, high_bit: 11, signed: false };
        let mut bytes: Vec<u8> = [4099_u16, 4095, 7].iter().flat_map(|v| v.to_le_bytes()).collect();
        keep_in_range(&mut bytes, form);
        assert_eq!(unpacked(&bytes, form, 3).unwrap(), [4095.0, 4095.0, 7.0]);
        let mut bytes: Vec<u8> = [2050_i16, -2051, -7].iter().flat_map(|v| v.to_le_bytes()).collect();
        keep_in_range(&mut bytes, PixelForm { signed: true, ..form });
        assert_eq!(unpacked(&bytes, PixelForm { signed: true, ..form }, 3).unwrap(), [2047.0, -2048.0, -7.0]);
    }

    #[test]
    fn thirty_two_bits_and_a_shifted_high_bit() {
        let wide = PixelForm { bits_allocated: 32, bits_stored: 32, high_bit: 31, signed: true };
        assert_eq!(unpacked(&(-5_i32).to_le_bytes(), wide, 1).unwrap(), [-5.0]);
        let high = PixelForm { bits_allocated: 16, bits_stored: 12, high_bit: 15, signed: false };
        assert_eq!(unpacked(&0x1230_u16.to_le_bytes(), high, 1).unwrap(), [f32::from(0x123_u16)]);
    }
}
