//! All diameters of a lesion from one surface, so that a table and a command print the same ones.

use crate::components::{Connectivity, components};
use crate::diameter::{Chord, PlanarDiameters, voxel_3d_diameter};
use crate::mask::Mask;
use crate::smooth_diameter::{smooth_planar_diameters, smooth_planar_diameters_across_pieces};
use crate::surface::{Refinement, Surface, SurfaceError};
use crate::window::Window;

/// How the pieces of a mask that do not touch are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pieces {
    /// Each by itself; the longest axis counts.
    EachByItself,
    /// As one lesion, from one piece to the other: for a mask that a reader declares to be one.
    AsOne,
}

/// The diameters of a lesion, mm LPS.
#[derive(Debug, Clone)]
pub struct LesionDiameters {
    /// Longest diameter in an acquired slice and its longest perpendicular.
    pub planar: PlanarDiameters,
    /// The farthest pair of points of the sub-voxel surface, which ends where the body does and not half a slice beyond its last slice;
    /// of a mask too thin for a surface that of its voxels. Never shorter than the long axis: where the outline of a lesion of fewer
    /// than four slices reaches farther than its surface, it is that axis.
    pub in_space: Chord,
    /// The surface that both were measured on, or why there is none.
    pub surface: Result<Surface, SurfaceError>,
}

/// Measures a lesion; `None` when the mask is empty.
#[must_use]
pub fn lesion_diameters(mask: &Mask, pieces: Pieces) -> Option<LesionDiameters> {
    let window = Window::around(mask, [1; 3])?;
    let mask = &window.cut(mask, false).ok()?;
    let refinement = Refinement::for_lesion(mask);
    let surface = Surface::of_mask(mask, refinement);
    let planar = match (&surface, pieces) {
        (_, Pieces::AsOne) => smooth_planar_diameters_across_pieces(mask),
        (Ok(surface), _) if refinement != Refinement::OwnGrid && is_one_piece(mask) => surface.planar_diameters(mask),
        _ => smooth_planar_diameters(mask),
    }?;
    let in_space = surface.as_ref().map_or_else(|_| voxel_3d_diameter(mask), |surface| Some(surface.max_diameter()))?;
    let in_space = if planar.long_axis.length() > in_space.length() { planar.long_axis } else { in_space };
    let slice_k = usize::try_from(planar.slice_k as i64 + window.low[2]).ok()?;
    let planar = PlanarDiameters { slice_k, ..planar };
    Some(LesionDiameters { planar, in_space, surface })
}

fn is_one_piece(mask: &Mask) -> bool {
    components(mask, Connectivity::Corners).list.len() == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FrameId, Grid, Point, Shape};
    use nalgebra::{Matrix3, Vector3};

    fn ellipsoid(axes_mm: [f64; 3], slice_mm: f64, off: f64) -> Mask {
        let shape = Shape { ni: 60, nj: 60, nk: 15 };
        let origin = Point::new(-24.0 + off, -24.0, -7.0 * slice_mm + off);
        let grid = Grid::from_directions(shape, origin, [0.8, 0.8, slice_mm], Matrix3::identity(), FrameId::new("f"));
        let axes = Vector3::from(axes_mm);
        Mask::from_fn(grid.clone().unwrap(), |at| {
            grid.as_ref().unwrap().center(at).coords.component_div(&axes).norm() <= 1.0
        })
    }

    #[test]
    fn no_lesion_is_longer_in_a_slice_than_in_space() {
        let mut n_thin = 0;
        for (n, axes) in [[14.0, 9.0, 3.0], [18.0, 6.0, 5.0], [11.0, 10.0, 7.0], [16.0, 16.0, 4.0]].iter().enumerate() {
            for slice_mm in [2.5, 5.0] {
                let mask = ellipsoid(*axes, slice_mm, 0.37 * n as f64);
                let (low, high) = mask.bounding_box().unwrap();
                n_thin += usize::from(high.k - low.k < 3);
                let found = lesion_diameters(&mask, Pieces::EachByItself).unwrap();
                let (long, in_space) = (found.planar.long_axis.length().0, found.in_space.length().0);
                assert!(in_space >= long, "{axes:?} {slice_mm}: {in_space} in space, {long} in a slice");
                let cut = |k: usize| {
                    let z = mask.grid().center(crate::Index3 { i: 0, j: 0, k }).coords.z / axes[2];
                    2.0 * axes[0] * (1.0 - z * z).max(0.0).sqrt()
                };
                let truth = (low.k..=high.k).map(cut).fold(0.0, f64::max);
                assert!((long - truth).abs() < 1.0, "{axes:?} {slice_mm}: {long} of {truth}");
                // The slice is one of the mask's own.
                let at = mask.grid().patient_to_voxel().apply(found.planar.long_axis.start).coords.z;
                assert!(
                    (at - found.planar.slice_k as f64).abs() < 1e-9 && (low.k..=high.k).contains(&found.planar.slice_k)
                );
            }
        }
        assert!(n_thin > 2, "lesions of fewer than four slices are among them");
    }

    #[test]
    fn pieces_are_measured_each_by_itself_or_as_one() {
        let (a, b) = (ellipsoid([6.0; 3], 2.5, 0.0), ellipsoid([6.0; 3], 2.5, 0.0));
        let both = Mask::from_fn(a.grid().clone(), |at| {
            let moved = |by: usize| at.i.checked_sub(by).map(|i| crate::Index3 { i, ..at });
            moved(18).is_some_and(|at| *a.at(at)) || (at.i + 18 < 60 && *b.at(crate::Index3 { i: at.i + 18, ..at }))
        });
        let long = |pieces| lesion_diameters(&both, pieces).unwrap().planar.long_axis.length().0;
        assert!((long(Pieces::EachByItself) - 12.0).abs() < 0.6, "{}", long(Pieces::EachByItself));
        assert!((long(Pieces::AsOne) - 12.0 - 36.0 * 0.8).abs() < 1.2, "{}", long(Pieces::AsOne));
        assert!(lesion_diameters(&both, Pieces::EachByItself).unwrap().in_space.length().0 > 36.0);
    }

    #[test]
    fn nothing_has_no_diameter() {
        assert!(lesion_diameters(&ellipsoid([0.01; 3], 2.5, 0.2), Pieces::EachByItself).is_none());
    }
}
