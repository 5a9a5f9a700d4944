//! Carries points and small masks between the two frames, whether the map is one matrix or bends.
//!
//! A small mask is not resampled through a bend: it moves by the rigid motion that comes nearest to the map there, so that its shape
//! and volume stay what was outlined.

use nalgebra::Vector3;

use super::point_error::LocalEvidence;
use super::result::Registration;
use super::rigid_fit::rigid_fit;
use crate::{Affine, Mask, Patient, Point};

/// Points of a mask that tell how it moves, at most about so many.
const N_POINTS: usize = 300;
/// Points beside each of them, at this distance along every axis, mm: a mask of one voxel has a direction, too.
const BESIDE_MM: f64 = 5.0;

impl Registration {
    /// Where a point of the moving image lies in the fixed one. Where the bend cannot be turned round (it folds: the verdict is
    /// *fail* where it does so in the region, *review* where elsewhere) the nearest place that the search came to.
    pub fn to_fixed(&self, p: Point<Patient>) -> Point<Patient> {
        let bent = self.bend.as_ref().and_then(|bend| bend.apply_inverse_or_nearest(p));
        bent.unwrap_or_else(|| self.moving_to_fixed.apply(p))
    }

    /// Where a point of the fixed image lies in the moving one; `None` where the matrix cannot be turned round.
    pub fn to_moving(&self, p: Point<Patient>) -> Option<Point<Patient>> {
        match &self.bend {
            Some(bend) => Some(bend.apply(p)),
            None => Some(self.moving_to_fixed.inverse()?.apply(p)),
        }
    }

    /// The same evidence without the bend itself and what goes with it point by point, which fill megabytes.
    #[must_use]
    pub fn without_bend(&self) -> Self {
        let LocalEvidence { repeats, held, .. } = self.local.clone();
        let local = LocalEvidence { repeats, held, ..LocalEvidence::default() };
        let links = self.links.iter().map(Self::without_bend).collect();
        Self { bend: None, local, links, ..self.clone() }
    }
}

/// The rigid motion nearest to a map at the voxels of a mask and 5 mm beside them; `None` for an empty mask or where the map has no
/// answer.
pub fn moved_as_a_body(
    mask: &Mask,
    map: impl Fn(Point<Patient>) -> Option<Point<Patient>>,
) -> Option<Affine<Patient, Patient>> {
    let every = mask.n_voxels_set() / N_POINTS + 1;
    let mut points = Vec::new();
    for at in mask.indices_set().step_by(every) {
        let center = mask.grid().center(at).coords;
        points.push(center);
        for a in 0..3 {
            let aside = Vector3::from_fn(|b, _| if a == b { BESIDE_MM } else { 0.0 });
            points.extend([center + aside, center - aside]);
        }
    }
    let there: Option<Vec<Vector3<f64>>> = points.iter().map(|p| Some(map(Point::from_coords(*p))?.coords)).collect();
    let (rotation, shift) = rigid_fit(&points, &there?)?;
    Some(Affine::from_parts(rotation, shift))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registration::deformable::Deformation;
    use crate::{FrameId, Grid, Shape};
    use nalgebra::{Matrix3, Rotation3};

    /// A turn, then a bend along z that grows with x.
    fn bent() -> Registration {
        let shape = Shape { ni: 20, nj: 20, nk: 20 };
        let grid = Grid::from_directions(
            shape,
            Point::new(-50.0, -50.0, -50.0),
            [5.0; 3],
            Matrix3::identity(),
            FrameId::new("f"),
        )
        .unwrap();
        let turn = *Rotation3::from_euler_angles(0.1, -0.2, 0.3).matrix();
        let fixed_to_moving = Affine::from_parts(turn, Vector3::new(4.0, -2.0, 9.0));
        let field =
            (0..shape.n_voxels()).map(|n| [0.0, 0.0, (grid.center(shape.index(n)).coords.x * 0.1) as f32]).collect();
        let mut registration = Registration::identity_same_frame(FrameId::new("f"));
        registration.moving_frame = FrameId::new("m");
        registration.moving_to_fixed = fixed_to_moving.inverse().unwrap();
        registration.bend = Some(Box::new(Deformation::new(grid, field, fixed_to_moving).unwrap()));
        registration
    }

    #[test]
    fn points_go_there_and_back_through_a_bend_and_without_it_by_the_matrix() {
        let registration = bent();
        let p = Point::new(12.0, -7.0, 3.0);
        let there = registration.to_moving(p).unwrap();
        assert!(registration.to_fixed(there).distance(p) < 0.01);
        let straight = registration.without_bend();
        assert!((straight.to_moving(p).unwrap().distance(there) - 1.2).abs() < 1e-5);
        assert!(straight.to_fixed(straight.to_moving(p).unwrap()).distance(p) < 1e-9);
    }

    #[test]
    fn a_mask_moves_as_a_body_by_what_the_map_does_at_its_place() {
        let registration = bent();
        let grid = Grid::from_directions(
            Shape { ni: 9, nj: 9, nk: 9 },
            Point::new(16.0, -4.0, -4.0),
            [1.0; 3],
            Matrix3::identity(),
            FrameId::new("f"),
        )
        .unwrap();
        let ball =
            Mask::from_fn(grid.clone(), |at| (grid.center(at).coords - Vector3::new(20.0, 0.0, 0.0)).norm() <= 4.0);
        let to_moving = moved_as_a_body(&ball, |p| registration.to_moving(p)).unwrap();
        let to_fixed = to_moving.inverse().unwrap();
        assert!((to_fixed.linear().determinant() - 1.0).abs() < 1e-9);
        let center = Point::new(20.0, 0.0, 0.0);
        let back = to_fixed.apply(registration.to_moving(center).unwrap());
        assert!(back.distance(center) < 0.02, "{back:?}");
        // One voxel has a direction, too.
        let one = Mask::from_fn(grid, |at| [at.i, at.j, at.k] == [4, 4, 4]);
        let alone = moved_as_a_body(&one, |p| registration.to_moving(p)).unwrap();
        assert!(alone.apply(center).distance(registration.to_moving(center).unwrap()) < 0.05);
        assert!(moved_as_a_body(&one.map(|_| false), |p| registration.to_moving(p)).is_none());
    }
}
