//! A displacement as it is kept: whole steps of 1/2048 mm, one axis after the other, each as its difference from the node before.
//!
//! Neighbours of a smooth field differ by a few steps, so that a liver's field packs into about a megabyte. What the search found is
//! rounded to these steps before anything uses it: a map that was kept and one that was just found are the same.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Steps in a millimetre.
const STEPS_PER_MM: f64 = 2048.0;
/// Longest displacement that is kept, mm: far beyond any body, and its steps fit any reader's integers.
const LONGEST_MM: f64 = 4096.0;

/// A length in mm at the nearest step. A length that is no number is 0.
pub(super) fn rounded(mm: f64) -> f32 {
    (step(mm) as f64 / STEPS_PER_MM) as f32
}

fn step(mm: f64) -> i64 {
    (mm.clamp(-LONGEST_MM, LONGEST_MM) * STEPS_PER_MM).round() as i64
}

pub(super) fn serialize<S: Serializer>(field: &[[f32; 3]], serializer: S) -> Result<S::Ok, S::Error> {
    let axis = |a: usize| {
        let mut before = 0;
        let difference = |u: &[f32; 3]| {
            let here = step(f64::from(u[a]));
            here - std::mem::replace(&mut before, here)
        };
        field.iter().map(difference).collect::<Vec<i64>>()
    };
    [axis(0), axis(1), axis(2)].serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<[f32; 3]>, D::Error> {
    let axes = <[Vec<i64>; 3]>::deserialize(deserializer)?;
    if axes[1].len() != axes[0].len() || axes[2].len() != axes[0].len() {
        return Err(D::Error::custom("a kept displacement has axes of different length"));
    }
    let mut here = [0_i64; 3];
    let mut node = |n: usize| {
        for a in 0..3 {
            here[a] = here[a].saturating_add(axes[a][n]);
        }
        here.map(|steps| (steps as f64 / STEPS_PER_MM) as f32)
    };
    Ok((0..axes[0].len()).map(&mut node).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Kept(#[serde(serialize_with = "serialize", deserialize_with = "deserialize")] Vec<[f32; 3]>);

    #[test]
    fn a_rounded_field_comes_back_bit_by_bit_and_axes_that_differ_are_refused() {
        let at = |n: i32| [0.37, -2.91, 12.003].map(|mm| rounded(mm * f64::from(n)));
        let field = Kept((-4..9).map(at).collect());
        let text = serde_json::to_string(&field).unwrap();
        assert_eq!(serde_json::from_str::<Kept>(&text).unwrap(), field);
        assert!((rounded(12.003) - 12.003).abs() <= 0.000_25 && rounded(f64::NAN) == 0.0);
        assert!(serde_json::from_str::<Kept>("[[1, 2], [1], [0, 0]]").is_err());
    }
}
