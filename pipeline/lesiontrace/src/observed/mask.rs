//! A mask as it is kept: its grid, and runs of equal voxels in memory order.

use imaging::{Grid, Mask};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Runs, the first of voxels that are not set.
#[derive(Serialize, Deserialize)]
struct Kept {
    grid: Grid,
    runs: Vec<usize>,
}

impl Kept {
    fn of(mask: &Mask) -> Self {
        let (mut runs, mut is_set) = (vec![0], false);
        for value in mask.values() {
            if *value == is_set {
                *runs.last_mut().expect("there is a run from the start") += 1;
            } else {
                runs.push(1);
                is_set = *value;
            }
        }
        Self { grid: mask.grid().clone(), runs }
    }

    fn mask(self) -> Result<Mask, String> {
        let n = self.grid.shape().n_voxels();
        let total = self.runs.iter().try_fold(0_usize, |sum, run| sum.checked_add(*run));
        if total != Some(n) {
            return Err(format!("a kept mask: expected runs of {n} voxels altogether, found {total:?}"));
        }
        let mut values = Vec::with_capacity(n);
        for (at, run) in self.runs.iter().enumerate() {
            values.extend(std::iter::repeat_n(at % 2 == 1, *run));
        }
        Mask::from_values(values, self.grid).map_err(|error| error.to_string())
    }
}

pub(crate) fn serialize<S: Serializer>(mask: &Mask, serializer: S) -> Result<S::Ok, S::Error> {
    Kept::of(mask).serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Mask, D::Error> {
    Kept::deserialize(deserializer)?.mask().map_err(D::Error::custom)
}

/// The same of a mask that may not be there.
pub(crate) mod optional {
    use super::{Deserialize, Deserializer, Kept, Mask, Serialize, Serializer};
    use serde::de::Error as _;

    #[expect(clippy::ref_option, reason = "serde hands the field over as it is")]
    pub(crate) fn serialize<S: Serializer>(mask: &Option<Mask>, serializer: S) -> Result<S::Ok, S::Error> {
        mask.as_ref().map(Kept::of).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Mask>, D::Error> {
        let kept = Option::<Kept>::deserialize(deserializer)?;
        kept.map(Kept::mask).transpose().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use imaging::{Affine, FrameId, Shape};

    use super::*;

    #[test]
    fn a_mask_comes_back_voxel_by_voxel_and_runs_that_do_not_fit_are_refused() {
        let rows = [[0.7, 0.1, 0.0, -7.0], [0.0, 0.8, 0.3, 3.0], [0.2, 0.0, 5.0, 40.0], [0.0, 0.0, 0.0, 1.0]];
        let shape = Shape { ni: 5, nj: 4, nk: 3 };
        let grid = Grid::new(shape, Affine::from_rows(rows).unwrap(), FrameId::new("f")).unwrap();
        for mask in [
            Mask::from_fn(grid.clone(), |at| (at.i + at.j * at.k) % 3 == 0),
            Mask::filled(grid.clone(), true),
            Mask::filled(grid, false),
        ] {
            let text = serde_json::to_string(&Kept::of(&mask)).unwrap();
            let back: Kept = serde_json::from_str(&text).unwrap();
            assert_eq!(back.mask().unwrap(), mask);
            let mut short: Kept = serde_json::from_str(&text).unwrap();
            short.runs.push(1);
            assert!(short.mask().unwrap_err().contains("60 voxels"));
        }
    }
}
