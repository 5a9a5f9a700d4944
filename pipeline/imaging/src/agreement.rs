//! How well two masks agree: overlap, surfaces, and lesions found one by one.
//!
//! Sources: L. R. Dice, Ecology 26 (1945); S. Nikolov et al., "Clinically applicable segmentation of head and neck anatomy",
//! J Med Internet Res 23 (2021), for surfaces; L. Maier-Hein, A. Reinke et al., "Metrics reloaded", Nature Methods 21 (2024), for
//! lesions.

pub mod lesions;
pub mod surfaces;

use crate::grid::{Aligned, GridError};
use crate::mask::Mask;
use crate::units::Mm3;

/// Voxels of a reference, of a candidate, and of both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Overlap {
    /// Voxels of the reference.
    pub n_reference: usize,
    /// Voxels of the candidate.
    pub n_candidate: usize,
    /// Voxels of both.
    pub n_both: usize,
    voxel_mm3: f64,
}

impl Overlap {
    /// Counts the voxels of two masks on one grid.
    pub fn of(reference: &Mask, candidate: &Mask) -> Result<Self, GridError> {
        let voxel_mm3 = reference.grid().voxel_volume_mm3();
        let mut overlap = Self { n_reference: 0, n_candidate: 0, n_both: 0, voxel_mm3 };
        for (in_reference, in_candidate) in Aligned::new(reference, candidate)?.iter() {
            overlap.n_reference += usize::from(*in_reference);
            overlap.n_candidate += usize::from(*in_candidate);
            overlap.n_both += usize::from(*in_reference && *in_candidate);
        }
        Ok(overlap)
    }

    /// 2·both / (reference + candidate); `None` when both are empty.
    #[must_use]
    pub fn dice(&self) -> Option<f64> {
        let sum = self.n_reference + self.n_candidate;
        (sum > 0).then(|| 2.0 * self.n_both as f64 / sum as f64)
    }

    /// Both / either, the Jaccard index; `None` when both are empty.
    #[must_use]
    pub fn intersection_over_union(&self) -> Option<f64> {
        let either = self.n_reference + self.n_candidate - self.n_both;
        (either > 0).then(|| self.n_both as f64 / either as f64)
    }

    /// Volume of the candidate less that of the reference.
    #[must_use]
    pub fn volume_error(&self) -> Mm3 {
        Mm3((self.n_candidate as f64 - self.n_reference as f64) * self.voxel_mm3)
    }

    /// The same as a fraction of the reference's volume; `None` when that is empty.
    #[must_use]
    pub fn volume_error_fraction(&self) -> Option<f64> {
        let difference = self.n_candidate as f64 - self.n_reference as f64;
        (self.n_reference > 0).then(|| difference / self.n_reference as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FrameId, Grid, Point, Shape};

    #[test]
    fn four_voxels_and_three_with_two_in_common() {
        let tilt = *nalgebra::Rotation3::from_euler_angles(0.2, -0.1, 0.4).matrix();
        let shape = Shape { ni: 5, nj: 2, nk: 1 };
        let grid =
            Grid::from_directions(shape, Point::new(1.0, 2.0, 3.0), [0.5, 1.0, 4.0], tilt, FrameId::new("f")).unwrap();
        let reference = Mask::from_fn(grid.clone(), |at| at.j == 0 && at.i < 4);
        let candidate = Mask::from_fn(grid.clone(), |at| at.j == 0 && at.i >= 2);
        let overlap = Overlap::of(&reference, &candidate).unwrap();
        assert_eq!((overlap.n_reference, overlap.n_candidate, overlap.n_both), (4, 3, 2));
        assert_eq!(overlap.dice(), Some(4.0 / 7.0));
        assert_eq!(overlap.intersection_over_union(), Some(0.4));
        assert!((overlap.volume_error().0 + 2.0).abs() < 1e-12);
        assert_eq!(overlap.volume_error_fraction(), Some(-0.25));
        let nothing = Mask::filled(grid, false);
        let empty = Overlap::of(&nothing, &nothing).unwrap();
        assert_eq!((empty.dice(), empty.intersection_over_union(), empty.volume_error_fraction()), (None, None, None));
    }
}
