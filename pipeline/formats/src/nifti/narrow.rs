//! Voxels that are whole numbers of 16 bits, as those of nearly all CT are, in half the memory and half the file.

use rayon::prelude::*;

/// Values looked at in one piece.
const CHUNK: usize = 1 << 16;

/// The values as 16-bit integers; `None` where one of them is no such number.
pub(super) fn integers(values: &[f32]) -> Option<Vec<i16>> {
    let mut integers = vec![0_i16; values.len()];
    let chunks = integers.par_chunks_mut(CHUNK).zip(values.par_chunks(CHUNK));
    let are_whole = chunks.map(|(places, values)| narrow(values, places)).all(|is_whole| is_whole);
    are_whole.then_some(integers)
}

/// Writes the nearest integers; whether all of them are the values themselves. All are looked at, so that many are at once.
#[expect(clippy::float_cmp, reason = "a value that is not exactly the integer is not written as one")]
fn narrow(values: &[f32], places: &mut [i16]) -> bool {
    places.iter_mut().zip(values).fold(true, |all, (place, value)| {
        *place = *value as i16;
        all & (f32::from(*place) == *value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_numbers_of_sixteen_bits_are_narrow() {
        assert_eq!(integers(&[-32768.0, 0.0, 32767.0]), Some(vec![-32768, 0, 32767]));
        for wide in [0.5, 32768.0, -32769.0, f32::NAN, f32::INFINITY] {
            let mut values = vec![1.0; 3 * CHUNK];
            values[2 * CHUNK + 1] = wide;
            assert_eq!(integers(&values), None, "{wide}");
        }
    }
}
