//! The band of a diameter: how far its two ends may lie from where the outline has them, by the size of the voxels there.
//!
//! A mask tells of each voxel only whether it is inside, so each end of a chord may lie half a voxel further in or out, and the chord
//! may be one voxel longer or shorter: the width of the voxel's box in the chord's own direction, which in a slice of square pixels is
//! one pixel along its rows and √2 along its diagonals, and along thick slices the slice. It is the limit of the sampling, taken as a
//! 95 % band; what a reader or a model gets wrong by more than half a voxel is not in it. Edge case: a chord of no length has no
//! direction; its band is the largest side of the box.

use nalgebra::Vector3;

use crate::diameter::Chord;
use crate::grid::Grid;
use crate::units::Mm;

/// Half the width of the band of a chord measured on a grid: its length ∓ this is the band.
pub fn half_width(chord: &Chord, grid: &Grid) -> Mm {
    let along = chord.end.coords - chord.start.coords;
    let edges = grid.voxel_to_patient().linear();
    let length = along.norm();
    if length > 0.0 {
        Mm(extent(&(along / length), edges.column_iter().map(nalgebra::Matrix::into_owned)))
    } else {
        Mm(grid.spacing_mm().into_iter().fold(0.0, f64::max))
    }
}

/// The width of a box in a direction (a unit vector): each of its edges adds its part.
fn extent(direction: &Vector3<f64>, edges: impl Iterator<Item = Vector3<f64>>) -> f64 {
    edges.map(|edge| edge.dot(direction).abs()).sum()
}

#[cfg(test)]
mod tests {
    use nalgebra::{Matrix3, Rotation3};

    use super::*;
    use crate::grid::{FrameId, Shape};
    use crate::space::Point;

    fn grid(turned: &Rotation3<f64>) -> Grid {
        let shape = Shape { ni: 4, nj: 4, nk: 4 };
        let origin = Point::new(-20.0, 3.0, 5.0);
        Grid::from_directions(shape, origin, [0.7, 0.7, 5.0], turned * Matrix3::identity(), FrameId::new("f")).unwrap()
    }

    #[test]
    fn the_band_is_the_voxel_as_the_chord_sees_it() {
        let turned = Rotation3::from_euler_angles(0.3, -0.4, 1.1);
        let start = Point::new(1.0, 2.0, 3.0);
        let cases = [
            ([8.0, 0.0, 0.0], 0.7),
            ([0.0, -3.0, 0.0], 0.7),
            ([0.0, 0.0, 2.0], 5.0),
            ([5.0, 5.0, 0.0], 0.7 * 2.0_f64.sqrt()),
            ([3.0, 4.0, 0.0], 0.7 * 1.4),
            ([0.6, 0.0, 0.8], 0.6 * 0.7 + 0.8 * 5.0),
            ([0.0, 0.0, 0.0], 5.0),
        ];
        for rotation in [Rotation3::identity(), turned] {
            for (along, expected) in cases {
                let end = Point::from_coords(start.coords + rotation * Vector3::from(along));
                let found = half_width(&Chord { start, end }, &grid(&rotation)).0;
                assert!((found - expected).abs() < 1e-12, "{along:?}: {found}");
            }
        }
    }
}
