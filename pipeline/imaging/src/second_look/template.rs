//! An outline as a stencil that can be laid on any place of a scene: its inside at several sizes, and what surrounds it.

use super::scene::Scene;
use crate::distance::distance_to;
use crate::{Affine, Grid, Index3, Mask, Mm, Patient, Point, Shape};

/// What surrounds an outline: from here …
const RING_FROM_MM: f64 = 2.0;
/// … to here.
const RING_TO_MM: f64 = 10.0;
/// Most voxels of the inside and of the ring that are read: their mean is then sure to a fifth of the noise.
const MAX_VOXELS: usize = 300;
/// A smaller inside is not looked for: nobody outlines it (radius, mm).
const LEAST_RADIUS_MM: f64 = 2.0;

/// A voxel counted from the stencil's middle.
pub(super) type Offset = [i32; 3];

/// A stencil.
#[derive(Debug, Clone)]
pub(super) struct Template {
    /// The voxel of the scene nearest to the outline's centre.
    pub(super) at: Offset,
    /// Radius of a sphere of the outline's volume.
    pub(super) radius: Mm,
    /// The whole inside.
    pub(super) inside: Vec<Offset>,
    /// What surrounds it.
    pub(super) ring: Vec<Offset>,
    /// The inside at several sizes, each with the places it is looked for at.
    pub(super) sizes: Vec<Size>,
}

/// The inside, smaller, and where it may lie in the outline.
#[derive(Debug, Clone)]
pub(super) struct Size {
    pub(super) scale: f64,
    pub(super) inside: Vec<Offset>,
    pub(super) shifts: Vec<Offset>,
}

impl Template {
    /// The stencil of an outline (a mask of any grid in the scene's frame), looked for within `slack` of its place, at the sizes
    /// named (1 is its own). `None` where it is empty, has no place in the scene or the scene's axes are not perpendicular.
    pub(super) fn new(scene: &Scene, outline: &Mask, slack: Mm, scales: &[f64]) -> Option<Self> {
        let center = crate::diameter::mask_centroid(outline)?;
        let at = scene.grid.nearest(center)?;
        let volume = outline.n_voxels_set() as f64 * outline.grid().voxel_volume_mm3();
        let radius = Mm((volume * 0.75 / std::f64::consts::PI).cbrt());
        let local = Local::around(scene, at, reach(outline, center) + RING_TO_MM)?;
        let holds = |p: Point<Patient>| outline.grid().nearest(p).is_some_and(|at| *outline.at(at));
        let scaled = |scale: f64| {
            // Read so that the outline's centre, not its voxel's, stays where it is.
            let inside = local.offsets(|p| holds(center + (p - center) * (1.0 / scale)));
            if inside.is_empty() { vec![[0; 3]] } else { inside }
        };
        let inside = scaled(1.0);
        let ring = ring(&local, &inside)?;
        let sizes = scales.iter().filter(|s| **s >= 1.0 || radius.0 * **s >= LEAST_RADIUS_MM).map(|scale| Size {
            scale: *scale,
            inside: thinned(scaled(*scale)),
            shifts: shifts(&scene.grid, slack.0 + (1.0 - scale) * radius.0 * 0.9),
        });
        let sizes = sizes.collect();
        let at = [at.i as i32, at.j as i32, at.k as i32];
        Some(Self { at, radius, inside: thinned(inside), ring: thinned(ring), sizes })
    }
}

/// The farthest voxel of an outline from its centre, mm.
fn reach(outline: &Mask, center: Point<Patient>) -> f64 {
    outline.indices_set().map(|at| outline.grid().center(at).distance(center)).fold(0.0, f64::max)
}

/// A box of voxels of the scene's lattice round a voxel; it may reach beyond the scene.
struct Local {
    half: [i32; 3],
    grid: Grid,
}

impl Local {
    fn around(scene: &Scene, at: Index3, reach_mm: f64) -> Option<Self> {
        let spacing = scene.grid.spacing_mm();
        let half = spacing.map(|mm| (reach_mm / mm).ceil() as i32 + 1);
        let n = half.map(|h| 2 * h as usize + 1);
        let middle = scene.grid.center(at).coords;
        let linear = scene.grid.voxel_to_patient().linear();
        let corner = middle - linear * nalgebra::Vector3::from(half.map(f64::from));
        let shape = Shape { ni: n[0], nj: n[1], nk: n[2] };
        let grid = Grid::new(shape, Affine::from_parts(linear, corner), scene.grid.frame().clone()).ok()?;
        Some(Self { half, grid })
    }

    fn offset(&self, linear: usize) -> Offset {
        let at = self.grid.shape().index(linear);
        [at.i as i32 - self.half[0], at.j as i32 - self.half[1], at.k as i32 - self.half[2]]
    }

    fn offsets(&self, is_wanted: impl Fn(Point<Patient>) -> bool) -> Vec<Offset> {
        let shape = self.grid.shape();
        let wanted = (0..shape.n_voxels()).filter(|n| is_wanted(self.grid.center(shape.index(*n))));
        wanted.map(|n| self.offset(n)).collect()
    }
}

/// The voxels that surround an inside.
fn ring(local: &Local, inside: &[Offset]) -> Option<Vec<Offset>> {
    let mut mask = Mask::filled(local.grid.clone(), false);
    let shape = local.grid.shape();
    for offset in inside {
        let [i, j, k] = [0, 1, 2].map(|a| (offset[a] + local.half[a]) as usize);
        mask.values_mut()[shape.linear(Index3 { i, j, k })] = true;
    }
    let distance = distance_to(&mask).ok()?;
    let is_ring = |mm: &f64| (RING_FROM_MM..=RING_TO_MM).contains(mm);
    let ring = distance.values().iter().enumerate().filter(|(_, mm)| is_ring(mm));
    Some(ring.map(|(n, _)| local.offset(n)).collect())
}

/// At most [`MAX_VOXELS`], evenly from all.
fn thinned(offsets: Vec<Offset>) -> Vec<Offset> {
    let every = offsets.len().div_ceil(MAX_VOXELS).max(1);
    offsets.into_iter().step_by(every).collect()
}

/// Whole voxels within a radius, two or three steps along each axis.
fn shifts(grid: &Grid, radius_mm: f64) -> Vec<Offset> {
    let spacing = grid.spacing_mm();
    let stride = spacing.map(|mm| ((radius_mm / 2.5) / mm).round().max(1.0) as i32);
    let n: [i32; 3] = std::array::from_fn(|a| (radius_mm / (spacing[a] * f64::from(stride[a])) + 0.3) as i32);
    let mut shifts = Vec::new();
    for k in -n[2]..=n[2] {
        for j in -n[1]..=n[1] {
            for i in -n[0]..=n[0] {
                let shift = [i * stride[0], j * stride[1], k * stride[2]];
                let mm: f64 = (0..3).map(|a| (f64::from(shift[a]) * spacing[a]).powi(2)).sum::<f64>().sqrt();
                // Half a slice more: the next slice may be the nearest to where it was.
                if mm <= radius_mm + 0.5 * spacing[2].min(radius_mm) {
                    shifts.push(shift);
                }
            }
        }
    }
    shifts
}
