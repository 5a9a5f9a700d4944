//! Seeded draws: one independent stream per named purpose, so that adding a draw in one place moves nothing elsewhere.
//!
//! Streams are `ChaCha8` keyed by SHA-256 of seed and label; identifiers are DICOM UIDs under 2.25 (ITU-T X.667).

use nalgebra::{Rotation3, Unit, Vector3};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// The stream of draws named `label` under `seed`.
pub(crate) fn stream(seed: u64, label: &str) -> ChaCha8Rng {
    ChaCha8Rng::from_seed(digest(seed, label))
}

/// A 64-bit key named `label` under `seed`, for hashes of lattice points and voxels.
pub(crate) fn key(seed: u64, label: &str) -> u64 {
    u64::from_le_bytes(first_bytes(&digest(seed, label)))
}

/// A DICOM UID `2.25.<decimal>`, at most 44 characters, that depends on `seed` and `label` alone.
pub(crate) fn uid(seed: u64, label: &str) -> String {
    format!("2.25.{}", u128::from_le_bytes(first_bytes(&digest(seed, label))))
}

fn digest(seed: u64, label: &str) -> [u8; 32] {
    Sha256::digest(format!("lesiontrace phantom/{seed}/{label}").as_bytes()).into()
}

fn first_bytes<const N: usize>(bytes: &[u8; 32]) -> [u8; N] {
    std::array::from_fn(|n| bytes[n])
}

/// Uniform in `low..high`.
pub(crate) fn between(rng: &mut ChaCha8Rng, low: f64, high: f64) -> f64 {
    low + (high - low) * rng.random::<f64>()
}

/// Uniform in `-half..half`.
pub(crate) fn jitter(rng: &mut ChaCha8Rng, half: f64) -> f64 {
    between(rng, -half, half)
}

/// Uniform in the box `-half..half` of each axis.
pub(crate) fn jitter3(rng: &mut ChaCha8Rng, half: f64) -> Vector3<f64> {
    Vector3::new(jitter(rng, half), jitter(rng, half), jitter(rng, half))
}

/// Whether an event of probability `p` happens.
pub(crate) fn chance(rng: &mut ChaCha8Rng, p: f64) -> bool {
    rng.random::<f64>() < p
}

/// A whole number of `low..=high`.
pub(crate) fn whole(rng: &mut ChaCha8Rng, low: i64, high: i64) -> i64 {
    rng.random_range(low..=high)
}

/// A direction uniform on the sphere.
pub(crate) fn direction(rng: &mut ChaCha8Rng) -> Vector3<f64> {
    let z = jitter(rng, 1.0);
    let angle = between(rng, 0.0, std::f64::consts::TAU);
    let r = (1.0 - z * z).sqrt();
    Vector3::new(r * angle.cos(), r * angle.sin(), z)
}

/// A rotation about a random axis by a random angle below `max_rad`.
pub(crate) fn rotation(rng: &mut ChaCha8Rng, max_rad: f64) -> Rotation3<f64> {
    let axis = Unit::new_normalize(direction(rng));
    Rotation3::from_axis_angle(&axis, jitter(rng, max_rad))
}
