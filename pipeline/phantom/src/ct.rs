//! A CT from what lies in each voxel: enhancement of the phase, texture, point spread, noise.

use rayon::prelude::*;

use imaging::{Grid, Hu, Volume};

use crate::noise::normal;
use crate::scene::Content;

/// Weights of a voxel and of its four in-plane neighbours' axis in the scanner's point spread.
const SPREAD: [f32; 2] = [0.66, 0.17];
/// The same for the noise, which a reconstruction kernel correlates slightly in-plane.
const NOISE_SPREAD: [f32; 2] = [0.7, 0.15];

/// What a CT is made of besides the content of its voxels.
pub(crate) struct CtDraw<'a> {
    /// HU and HU per unit of texture of every code.
    pub(crate) looks: &'a [(f32, f32)],
    /// Standard deviation of the noise in HU.
    pub(crate) noise_hu: f32,
    /// Key of the noise.
    pub(crate) key: u64,
}

/// The CT in whole HU, never below −1024; slices in parallel.
pub(crate) fn ct(content: &Content, grid: &Grid, draw: &CtDraw<'_>) -> Volume<Hu> {
    let shape = grid.shape();
    let n_slice = shape.ni * shape.nj;
    let mut values = vec![Hu(0.0); shape.n_voxels()];
    let scale = draw.noise_hu / noise_gain();
    values.par_chunks_mut(n_slice).enumerate().for_each(|(k, out)| {
        let first = k * n_slice;
        let mut clean: Vec<f32> = (first..first + n_slice)
            .map(|n| {
                let (hu, amplitude) = draw.looks[usize::from(content.codes[n])];
                hu + amplitude * content.texture[n]
            })
            .collect();
        let mut noise: Vec<f32> = (first..first + n_slice).map(|n| normal(draw.key, n as u64)).collect();
        blur_in_plane(&mut clean, shape.ni, SPREAD);
        blur_in_plane(&mut noise, shape.ni, NOISE_SPREAD);
        for ((v, c), e) in out.iter_mut().zip(&clean).zip(&noise) {
            *v = Hu((c + e * scale).round().max(-1024.0));
        }
    });
    Volume::from_values(values, grid.clone()).expect("one value was made per voxel of the grid")
}

/// Standard deviation of unit noise after the in-plane blur.
fn noise_gain() -> f32 {
    let [middle, side] = NOISE_SPREAD;
    middle * middle + 2.0 * side * side
}

/// A three-tap blur along rows and columns of one slice; the border repeats.
fn blur_in_plane(slice: &mut [f32], ni: usize, [middle, side]: [f32; 2]) {
    let nj = slice.len() / ni;
    for row in slice.chunks_mut(ni) {
        let mut before = row[0];
        for i in 0..ni {
            let here = row[i];
            let after = row[(i + 1).min(ni - 1)];
            row[i] = middle * here + side * (before + after);
            before = here;
        }
    }
    let mut before = slice[..ni].to_vec();
    for j in 0..nj {
        let next = (j + 1).min(nj - 1) * ni;
        for i in 0..ni {
            let here = slice[j * ni + i];
            let after = slice[next + i];
            slice[j * ni + i] = middle * here + side * (before[i] + after);
            before[i] = here;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_blur_keeps_the_sum_and_spreads_one_voxel_evenly() {
        let mut slice = vec![0.0_f32; 35];
        slice[2 * 7 + 3] = 1.0;
        blur_in_plane(&mut slice, 7, [0.6, 0.2]);
        assert!((slice.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!((slice[2 * 7 + 3] - 0.36).abs() < 1e-6);
        for n in [2 * 7 + 2, 2 * 7 + 4, 7 + 3, 3 * 7 + 3] {
            assert!((slice[n] - 0.12).abs() < 1e-6);
        }
    }
}
