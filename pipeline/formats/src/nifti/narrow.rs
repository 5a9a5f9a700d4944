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
pub(super) fn narrow(values: &[f32], places: &mut [i16]) -> bool {
    let mut is_wide = false;
    for (place, value) in places.iter_mut().zip(values) {
        // Near 1.5 · 2²³ neighbouring floats are 1 apart, so that their bits count.
        *place = (value + BITS_COUNT).to_bits().wrapping_sub(BITS_COUNT.to_bits()) as i16;
        is_wide |= f32::from(*place) != *value;
    }
    !is_wide
}

/// 1.5 · 2²³.
const BITS_COUNT: f32 = 12_582_912.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_numbers_of_sixteen_bits_are_narrow() {
        let all: Vec<i16> = (i16::MIN..=i16::MAX).collect();
        assert_eq!(integers(&all.iter().copied().map(f32::from).collect::<Vec<_>>()), Some(all));
        assert_eq!(integers(&[-0.0]), Some(vec![0]));
        for wide in
            [0.5, -0.25, 32767.5, 32768.0, -32769.0, 65536.0, 1e9, -1e9, 1e30, -1e30, f32::MIN_POSITIVE, f32::NAN]
                .into_iter()
                .chain([f32::INFINITY, f32::NEG_INFINITY, 8_388_609.0, -12_582_912.0, -12_582_913.0, 25_165_824.0])
        {
            let mut values = vec![1.0; 3 * CHUNK];
            values[2 * CHUNK + 1] = wide;
            assert_eq!(integers(&values), None, "{wide}");
        }
    }
}
