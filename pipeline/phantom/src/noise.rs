//! Texture and noise from hashes of lattice points and voxels: no tables, and the same value whatever thread asks for it.
//!
//! Value noise on a cubic lattice (Lagae et al., A survey of procedural noise functions, 2010, section 3); the mixer is
//! `SplitMix64`'s finaliser (Steele et al. 2014).

use nalgebra::Vector3;

/// Mixes a 64-bit number so that neighbouring inputs give unrelated outputs.
pub(crate) fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn lattice(key: u64, i: i64, j: i64, k: i64) -> f64 {
    let h = mix(key
        ^ (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ (j as u64).wrapping_mul(0xc2b2_ae3d_27d4_eb4f)
        ^ (k as u64).wrapping_mul(0x1656_67b1_9e37_79f9));
    (h >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

/// Smooth noise in −1..1 that varies over `period_mm`.
pub(crate) fn value_noise(key: u64, p: Vector3<f64>, period_mm: f64) -> f64 {
    let q = p / period_mm;
    let base = q.map(f64::floor);
    let t = (q - base).map(|x| x * x * (3.0 - 2.0 * x));
    let (i, j, k) = (base.x as i64, base.y as i64, base.z as i64);
    let edge = |dj: i64, dk: i64| {
        let a = lattice(key, i, j + dj, k + dk);
        a + t.x * (lattice(key, i + 1, j + dj, k + dk) - a)
    };
    let face = |dk: i64| {
        let a = edge(0, dk);
        a + t.y * (edge(1, dk) - a)
    };
    let a = face(0);
    a + t.z * (face(1) - a)
}

/// A nearly normal number (mean 0, variance 1) for voxel `n`: the sum of four uniform ones (Irwin–Hall).
pub(crate) fn normal(key: u64, n: u64) -> f32 {
    const SD_OF_FOUR: f32 = 0.577_350_26;
    let h = mix(key ^ n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let sum: f32 = (0..4).map(|part| ((h >> (16 * part)) & 0xffff) as f32 / 65536.0).sum();
    (sum - 2.0) / SD_OF_FOUR
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_noise_has_mean_0_and_variance_1() {
        let n = 100_000;
        let values: Vec<f64> = (0..n).map(|v| f64::from(normal(7, v))).collect();
        let mean = values.iter().sum::<f64>() / n as f64;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64;
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }

    #[test]
    fn value_noise_is_continuous_across_lattice_planes() {
        let at = |x: f64| value_noise(3, Vector3::new(x, 4.4, -9.1), 8.0);
        assert!((at(16.0 - 1e-9) - at(16.0 + 1e-9)).abs() < 1e-6);
        assert!((at(-8.0 - 1e-9) - at(-8.0 + 1e-9)).abs() < 1e-6);
    }
}
