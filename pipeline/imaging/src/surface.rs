//! The smooth surface of a mask: sub-voxel, closed, with its area, its volume and an inside test.
//!
//! Two ways lead there. *Sub-voxel*: the zero level of the smoothest function with the mask's signs (the module `level_set`), cut on a
//! fine grid; unbiased on thick slices. *Blurred*: the mask blurred by a Gaussian of 0.7 voxel, cut at one half on its own grid: quick,
//! for whole organs and rough neighbourhood, inside by about σ² times the mean curvature and by much of a slice at caps. A mask with
//! more detail than the sub-voxel way can follow is blurred as well, and says so ([`Surface::method`]).

mod farthest;

use thiserror::Error;

use crate::diameter::{Chord, PlanarDiameters};
use crate::grid::{FrameId, GridError, Index3, Shape};
use crate::intensity::smooth_voxels;
use crate::level_set::LevelSet;
use crate::mask::Mask;
use crate::resample::{Interpolation, regrid, resample, sample};
use crate::smooth_diameter::widest;
use crate::space::{Affine, Patient, Point};
pub use crate::tetrahedra::Triangle;
use crate::tetrahedra::iso_surface;
use crate::units::{Mm, Mm2, Mm3};
use crate::volume::Volume;
use crate::window::Window;

/// Width of the anti-aliasing Gaussian, in voxels of the mask.
pub const ANTI_ALIASING_VOXELS: f64 = 0.7;

/// Voxels of background kept around the mask: the Gaussian's reach (4 × 0.7) and one more.
const RIM_VOXELS: usize = 4;

/// Where the blurred mask is cut.
const HALF: f32 = 0.5;

/// The field beyond its grid: background.
const OUTSIDE: f32 = -1e3;

/// Voxels of background kept around the sub-voxel function: there its sign is that of the background for certain.
const FIELD_RIM_VOXELS: usize = 2;

/// How the surface is found. There is no default: cost and accuracy depend on it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Refinement {
    /// The blurred mask on the mask's own grid.
    OwnGrid,
    /// The sub-voxel function on a grid of this spacing along every axis, however fine or coarse the mask is. The chords of its
    /// cells lie inside a ball of radius R by up to spacing²/8R.
    SubVoxel(Mm),
}

/// Cells per radius (of the ball of equal volume) at which fine surfaces are cut: their chords lie inside by a 800th of the radius.
const CELLS_PER_RADIUS: f64 = 10.0;

/// Smallest and largest such cell, mm.
const CELL_MM: [f64; 2] = [0.4, 1.5];

/// From this volume on (a ball of radius 60 mm: an organ) the surface on the mask's own voxels is right within a percent.
const LARGE_MM3: f64 = 900e3;

impl Refinement {
    /// What lesions are measured on: the sub-voxel function, or, from 900 ml on (an organ), the mask's own grid.
    pub fn for_lesion(mask: &Mask) -> Self {
        let volume = mask.n_voxels_set() as f64 * mask.grid().voxel_volume_mm3();
        if volume < LARGE_MM3 { Self::fine_for(mask) } else { Self::OwnGrid }
    }

    /// The sub-voxel function on cells that are fine for the size of a body.
    pub fn fine_for(mask: &Mask) -> Self {
        let volume = mask.n_voxels_set() as f64 * mask.grid().voxel_volume_mm3();
        let radius = (0.75 / std::f64::consts::PI * volume).cbrt();
        Self::SubVoxel(Mm((radius / CELLS_PER_RADIUS).clamp(CELL_MM[0], CELL_MM[1])))
    }
}

/// How a surface was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SurfaceMethod {
    /// The zero level of the smoothest function with the mask's signs.
    SubVoxel,
    /// The mask blurred by a Gaussian: asked for, or because the mask has more detail than the function can follow.
    Blurred,
}

/// Why a mask has no surface.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum SurfaceError {
    /// Nothing is set.
    #[error("the mask is empty: it has no surface; check which label the mask was made from")]
    EmptyMask,
    /// So small or thin that the anti-aliased mask nowhere reaches one half.
    #[error(
        "the mask of {n_voxels} voxels is too thin for a surface: after anti-aliasing it nowhere reaches one half; it cannot be measured at this spacing"
    )]
    TooThin {
        /// Number of voxels of the mask.
        n_voxels: usize,
    },
    /// The grid of the refined mask is impossible.
    #[error(transparent)]
    Grid(#[from] GridError),
}

/// The closed surface of a mask and the field it was cut from.
#[derive(Debug, Clone)]
pub struct Surface {
    triangles: Vec<Triangle>,
    field: Volume<f32>,
    method: SurfaceMethod,
    function: Option<LevelSet>,
}

impl Surface {
    /// The surface of a mask. The world beyond the grid counts as background, so that a mask cut by the field of view is closed
    /// there; ask [`touches_border`] whether that happened.
    pub fn of_mask(mask: &Mask, refinement: Refinement) -> Result<Self, SurfaceError> {
        let window = Window::around(mask, [RIM_VOXELS; 3]).ok_or(SurfaceError::EmptyMask)?;
        let soft = window.cut(mask, false)?.map(|v| f32::from(u8::from(*v)));
        let soft = smooth_voxels(&soft, [ANTI_ALIASING_VOXELS; 3]).map(|v| v - HALF);
        if !soft.values().iter().any(|v| *v >= 0.0) {
            return Err(SurfaceError::TooThin { n_voxels: mask.n_voxels_set() });
        }
        let (field, method, function) = match refinement {
            Refinement::OwnGrid => (soft, SurfaceMethod::Blurred, None),
            Refinement::SubVoxel(spacing) => match LevelSet::of_mask(mask) {
                Some(function) => (cut_finely(&function, mask, spacing)?, SurfaceMethod::SubVoxel, Some(function)),
                None => (refined(&soft, spacing)?, SurfaceMethod::Blurred, None),
            },
        };
        let triangles = iso_surface(&field, 0.0);
        if triangles.is_empty() {
            return Err(SurfaceError::TooThin { n_voxels: mask.n_voxels_set() });
        }
        Ok(Self { triangles, field, method, function })
    }

    /// The triangles, LPS mm, normals outwards, in a fixed order.
    pub fn triangles(&self) -> &[Triangle] {
        &self.triangles
    }
    /// The frame of reference of the coordinates.
    pub fn frame(&self) -> &FrameId {
        self.field.grid().frame()
    }
    /// How the surface was found in the end.
    pub fn method(&self) -> SurfaceMethod {
        self.method
    }
    /// The function whose zero level the surface is, positive inside: mm where it is sub-voxel, a share of a voxel less one half
    /// where it is blurred.
    pub fn field(&self) -> &Volume<f32> {
        &self.field
    }
    /// Area of the closed surface.
    pub fn area(&self) -> Mm2 {
        Mm2(self.triangles.iter().map(triangle_area_mm2).sum())
    }
    /// Volume enclosed (divergence theorem over the triangles).
    pub fn volume(&self) -> Mm3 {
        let reference = self.triangles[0][0];
        let six_fold: f64 = self
            .triangles
            .iter()
            .map(|t| {
                let [a, b, c] = t.map(|p| (p - reference).coords);
                a.dot(&b.cross(&c))
            })
            .sum();
        Mm3(six_fold / 6.0)
    }
    /// The farthest pair of its points, mm LPS; corners of triangles, which lie on the surface.
    pub fn max_diameter(&self) -> Chord {
        farthest::farthest_pair(&self.triangles)
    }
    /// Long and short axis of the mask of one piece that a sub-voxel or blurred surface was made from, as
    /// [`crate::smooth_planar_diameters`] finds them, without fitting the function again.
    pub fn planar_diameters(&self, mask: &Mask) -> Option<PlanarDiameters> {
        widest(mask, self.function.as_ref(), false)
    }
    /// How round the surface is: the area of the ball of the same volume divided by the surface's own, 1 for a ball and less for
    /// everything else.
    ///
    /// Source: H. Wadell, J Geol 40 (1932); "sphericity" of the Image Biomarker Standardisation Initiative (Zwanenburg 2020, QCFX).
    pub fn sphericity(&self) -> f64 {
        (36.0 * std::f64::consts::PI * self.volume().0.powi(2)).cbrt() / self.area().0
    }
    /// Whether a point of the surface's frame lies inside (or on the surface).
    pub fn contains(&self, p: Point<Patient>) -> bool {
        self.value(p) >= 0.0
    }
    /// The share (0…1) of a cell of this width about a point that lies inside; all or nothing where the surface is blurred.
    pub fn share_inside(&self, p: Point<Patient>, width: Mm) -> f64 {
        match self.method {
            SurfaceMethod::SubVoxel => (0.5 + f64::from(self.value(p)) / width.0).clamp(0.0, 1.0),
            SurfaceMethod::Blurred => f64::from(u8::from(self.contains(p))),
        }
    }

    fn value(&self, p: Point<Patient>) -> f32 {
        let at = self.field.grid().patient_to_voxel().apply(p);
        sample(&self.field, at, Interpolation::Linear, OUTSIDE)
    }
}

/// Area of one triangle in mm².
pub fn triangle_area_mm2(t: &Triangle) -> f64 {
    0.5 * (t[1] - t[0]).coords.cross(&(t[2] - t[0]).coords).norm()
}

/// Centre of mass of one triangle.
pub fn triangle_centroid(t: &Triangle) -> Point<Patient> {
    Point::from_coords((t[0].coords + t[1].coords + t[2].coords) / 3.0)
}

/// Whether the mask reaches the outermost voxels along an axis of more than one voxel: it may be cut by the field of view.
pub fn touches_border(mask: &Mask) -> bool {
    mask.bounding_box().is_some_and(|ends| box_touches_border(ends, mask.shape()))
}

/// The same of the box from a smallest to a largest index, both inclusive, of an image of this shape.
pub fn box_touches_border((low, high): (Index3, Index3), image: Shape) -> bool {
    let at_edge = |low: usize, high: usize, n: usize| n > 1 && (low == 0 || high == n - 1);
    at_edge(low.i, high.i, image.ni) || at_edge(low.j, high.j, image.nj) || at_edge(low.k, high.k, image.nk)
}

/// The sub-voxel function around the mask.
fn cut_finely(function: &LevelSet, mask: &Mask, spacing: Mm) -> Result<Volume<f32>, SurfaceError> {
    let window = Window::around(mask, [FIELD_RIM_VOXELS; 3]).ok_or(SurfaceError::EmptyMask)?;
    Ok(function.on(&regrid(&window.grid(mask.grid())?, [spacing.0; 3])?, mask))
}

/// Linear refinement of the blurred mask by a whole number of parts along each axis, so that the field of view is kept exactly.
fn refined(soft: &Volume<f32>, spacing: Mm) -> Result<Volume<f32>, GridError> {
    let target = soft.grid().spacing_mm().map(|s| s / (s / spacing.0 - 1e-6).ceil().max(1.0));
    let grid = regrid(soft.grid(), target)?;
    Ok(resample(soft, &grid, &Affine::identity(), Interpolation::Linear, OUTSIDE))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::Grid;
    use std::f64::consts::PI;

    /// A ball rasterised by its voxel centres on an oblique grid; `centre` in LPS mm near the grid's middle.
    pub(crate) fn ball(radius_mm: f64, centre: Point<Patient>, spacing_mm: [f64; 3], reach_mm: f64) -> Mask {
        let rotation = *nalgebra::Rotation3::from_euler_angles(0.1, -0.2, 0.3).matrix();
        let n = spacing_mm.map(|s| (2.0 * reach_mm / s) as usize + 1);
        let shape = Shape { ni: n[0], nj: n[1], nk: n[2] };
        let middle = nalgebra::Vector3::from_fn(|a, _| spacing_mm[a] * (n[a] as f64 - 1.0) / 2.0);
        let origin = Point::from_coords(nalgebra::Vector3::new(31.0, -17.0, 210.0) - rotation * middle);
        let grid = Grid::from_directions(shape, origin, spacing_mm, rotation, FrameId::new("f")).unwrap();
        Mask::from_fn(grid.clone(), |at| grid.center(at).distance(centre) <= radius_mm)
    }

    pub(crate) const OFF_GRID: Point<Patient> = Point::new(31.21, -16.83, 210.37);

    #[test]
    fn a_ball_has_the_area_and_volume_of_a_ball() {
        for (spacing, refinement, tolerance) in [
            ([0.8, 0.8, 1.0], Refinement::SubVoxel(Mm(0.5)), 0.015),
            ([0.8, 0.8, 1.0], Refinement::OwnGrid, 0.02),
            ([0.8, 0.8, 3.0], Refinement::SubVoxel(Mm(1.0)), 0.05),
        ] {
            let surface = Surface::of_mask(&ball(12.0, OFF_GRID, spacing, 20.0), refinement).unwrap();
            let area = surface.area().0 / (4.0 * PI * 144.0);
            let volume = surface.volume().0 / (4.0 / 3.0 * PI * 1728.0);
            assert!((area - 1.0).abs() < tolerance && (volume - 1.0).abs() < tolerance, "{spacing:?}: {area} {volume}");
            // Its relative error is that of the area and two thirds of that of the volume.
            let sphericity = surface.sphericity();
            assert!((sphericity - 1.0).abs() < 5.0 / 3.0 * tolerance, "{spacing:?}: {sphericity}");
            assert!(surface.contains(OFF_GRID) && !surface.contains(Point::new(31.2, -16.8, 223.5)));
        }
    }

    #[test]
    fn caps_between_thick_slices_lie_where_the_ball_ends() {
        let mask = ball(10.0, OFF_GRID, [0.8, 0.8, 5.0], 18.0);
        let surface = Surface::of_mask(&mask, Refinement::SubVoxel(Mm(0.8))).unwrap();
        assert_eq!(surface.method(), SurfaceMethod::SubVoxel);
        let up = Point::<Patient>::from_coords(mask.grid().directions().column(2).into()) - Point::new(0.0, 0.0, 0.0);
        for end in [up, up * -1.0] {
            assert!(surface.contains(OFF_GRID + end * 9.7) && !surface.contains(OFF_GRID + end * 10.3));
        }
        let blurred = Surface::of_mask(&mask, Refinement::OwnGrid).unwrap();
        assert_eq!(blurred.method(), SurfaceMethod::Blurred);
        assert!((surface.volume().0 / (4000.0 / 3.0 * PI) - 1.0).abs() < 0.02);
    }

    #[test]
    fn the_surface_is_closed_even_when_the_mask_is_cut_by_the_border() {
        let cut = ball(12.0, OFF_GRID, [0.8, 0.9, 2.0], 8.0);
        assert!(touches_border(&cut) && !touches_border(&ball(12.0, OFF_GRID, [0.8, 0.9, 2.0], 20.0)));
        let surface = Surface::of_mask(&cut, Refinement::OwnGrid).unwrap();
        // Every directed edge is met once in each direction: the area vectors of a closed surface add up to zero.
        let sum: nalgebra::Vector3<f64> =
            surface.triangles().iter().map(|t| (t[1] - t[0]).coords.cross(&(t[2] - t[0]).coords)).sum();
        assert!(sum.norm() < 1e-6, "{sum}");
        assert!(surface.volume().0 > 0.0);
    }

    #[test]
    fn a_mirrored_grid_keeps_normals_outwards() {
        let mask = ball(6.0, OFF_GRID, [1.0; 3], 10.0);
        let mut directions = mask.grid().directions();
        directions.set_column(2, &(-directions.column(2)));
        let mirrored =
            Grid::from_directions(mask.shape(), Point::new(0.0, 0.0, 0.0), [1.0; 3], directions, FrameId::new("f"))
                .unwrap();
        let surface = Surface::of_mask(&mask.with_grid(mirrored).unwrap(), Refinement::OwnGrid).unwrap();
        assert!(surface.volume().0 > 800.0);
    }

    #[test]
    fn nothing_and_too_little_are_said() {
        let empty = ball(0.0, Point::new(0.0, 0.0, 0.0), [1.0; 3], 5.0);
        assert_eq!(Surface::of_mask(&empty, Refinement::OwnGrid).unwrap_err(), SurfaceError::EmptyMask);
        let one = Mask::from_fn(empty.grid().clone(), |at| at.i == 5 && at.j == 5 && at.k == 5);
        assert_eq!(Surface::of_mask(&one, Refinement::OwnGrid).unwrap_err(), SurfaceError::TooThin { n_voxels: 1 });
    }
}
