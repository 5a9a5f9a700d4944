//! The gap between two bodies: the least distance between the surfaces of two masks of one frame of reference, each on its own grid,
//! however oblique and anisotropic.
//!
//! Definition: 0 where the bodies touch or share tissue (a voxel's centre, or a corner of a surface, of one lies inside the other); else
//! the distance of the nearest points of the two smooth surfaces ([`crate::surface`]), as exact as these are. Of a body so thin that it
//! has no smooth surface (a nerve or duct of one voxel) the boxes of its voxels stand for it; a blurred surface leaves thin branches out,
//! so that no gap is longer than the distance to the centre of any voxel. Edge cases: a body cut by its image's border ends there.

use nalgebra::Vector3;
use rayon::prelude::*;
use thiserror::Error;

use crate::closest::TriangleTree;
use crate::diameter::Chord;
use crate::grid::{FrameId, Index3, Shape};
use crate::mask::Mask;
use crate::space::{Patient, Point};
use crate::surface::{Refinement, Surface, SurfaceError, Triangle};
use crate::units::Mm;
use crate::window::Window;

/// Why two masks have no gap.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum GapError {
    /// Coordinates of two frames.
    #[error("one body lies in frame of reference {0}, the other in {1}; register and carry one over first")]
    OtherFrame(FrameId, FrameId),
    /// Nothing is set.
    #[error("one of the two masks is empty")]
    EmptyMask,
    /// A surface cannot be made.
    #[error(transparent)]
    Surface(SurfaceError),
}

/// The gap between two bodies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gap {
    /// Its length, 0 where the bodies touch.
    pub distance: Mm,
    /// From a point of the first body to the nearest one of the second; `None` where they touch.
    pub nearest: Option<Chord>,
}

/// The part of a body of which a surface is made is wider than what is asked for by this many voxels, and by so many mm: so far off the
/// place where it is cut does not change the surface.
const CUT_RIM_VOXELS: f64 = 6.0;

/// See [`CUT_RIM_VOXELS`].
const CUT_RIM_MM: f64 = 15.0;

/// Bodies farther apart than this have their surfaces cut on their own voxels, mm: no treatment depends on a tenth of a millimetre there,
/// and the fine surface of a whole bowel costs seconds.
const FAR_MM: f64 = 50.0;

/// The gap between a lesion (or zone) and a structure, which may be far larger: of it only what lies near is looked at closely.
pub fn gap(lesion: &Mask, structure: &Mask) -> Result<Gap, GapError> {
    in_one_frame(lesion, structure)?;
    GapFrom::new(lesion)?.to(structure)
}

fn in_one_frame(lesion: &Mask, structure: &Mask) -> Result<(), GapError> {
    let [own, other] = [lesion, structure].map(|mask| mask.grid().frame());
    if own == other { Ok(()) } else { Err(GapError::OtherFrame(own.clone(), other.clone())) }
}

/// A lesion (or zone) with its surface, for its gaps to several structures.
pub struct GapFrom<'a> {
    body: Body<'a>,
}

impl<'a> GapFrom<'a> {
    /// Makes the surface.
    pub fn new(lesion: &'a Mask) -> Result<Self, GapError> {
        if lesion.is_empty_mask() {
            return Err(GapError::EmptyMask);
        }
        Ok(Self { body: Body::of(lesion, Refinement::for_lesion(lesion))? })
    }

    /// See [`gap`].
    pub fn to(&self, structure: &Mask) -> Result<Gap, GapError> {
        let body = &self.body;
        in_one_frame(body.mask, structure)?;
        if structure.is_empty_mask() {
            return Err(GapError::EmptyMask);
        }
        let Some(to_centre) = to_nearest_centre(body, structure) else { return Ok(TOUCHING) };
        let reach = to_centre.length();
        let near = part_within(structure, &body.triangles, reach)?;
        let refinement = if reach.0 > FAR_MM { Refinement::OwnGrid } else { Refinement::for_lesion(&near) };
        let other = Body::of(&near, refinement)?;
        let is_inside = |holder: &Body, of: &Body| of.triangles.par_iter().any(|t| holder.contains(t[0]));
        let Some(back) = to_nearest_centre(&other, body.mask) else { return Ok(TOUCHING) };
        if is_inside(body, &other) || is_inside(&other, body) {
            return Ok(TOUCHING);
        }
        let [start, end] = body.tree.nearest_points(&other.tree);
        let from_centre = Chord { start: back.end, end: back.start };
        let shorter = |a: Chord, b: Chord| if b.length() < a.length() { b } else { a };
        let nearest = [to_centre, from_centre].into_iter().fold(Chord { start, end }, shorter);
        Ok(Gap { distance: nearest.length(), nearest: Some(nearest) })
    }
}

const TOUCHING: Gap = Gap { distance: Mm(0.0), nearest: None };

/// A body with its surface.
struct Body<'a> {
    mask: &'a Mask,
    surface: Option<Surface>,
    triangles: Vec<Triangle>,
    tree: TriangleTree,
}

impl<'a> Body<'a> {
    fn of(mask: &'a Mask, refinement: Refinement) -> Result<Self, GapError> {
        let surface = match Surface::of_mask(mask, refinement) {
            Ok(surface) => Some(surface),
            Err(SurfaceError::TooThin { .. }) => None,
            Err(other) => return Err(GapError::Surface(other)),
        };
        let triangles = surface.as_ref().map_or_else(|| voxel_faces(mask), |surface| surface.triangles().to_vec());
        let tree = TriangleTree::new(triangles.clone()).ok_or(GapError::EmptyMask)?;
        Ok(Self { mask, surface, triangles, tree })
    }

    /// Whether a point lies inside: within the surface, or within a voxel of a body too thin for one.
    fn contains(&self, p: Point<Patient>) -> bool {
        match &self.surface {
            Some(surface) => surface.contains(p),
            None => self.mask.grid().nearest(p).is_some_and(|at| *self.mask.at(at)),
        }
    }
}

/// From a body's surface to the nearest centre of a voxel of another one, `None` where a centre lies inside. Of equally near ones the
/// first in the order of the voxels counts.
fn to_nearest_centre(body: &Body<'_>, other: &Mask) -> Option<Chord> {
    let shape = other.shape();
    let nearest_in = |k: usize| -> Result<Option<(f64, Point<Patient>)>, ()> {
        let mut best: Option<(f64, Point<Patient>)> = None;
        for n in k * shape.ni * shape.nj..(k + 1) * shape.ni * shape.nj {
            if !other.values()[n] {
                continue;
            }
            let centre = other.grid().center(shape.index(n));
            if body.contains(centre) {
                return Err(());
            }
            let limit = best.map_or(f64::INFINITY, |(distance, _)| distance);
            if let Some(distance) = body.tree.distance_within(centre, limit).filter(|distance| *distance < limit) {
                best = Some((distance, centre));
            }
        }
        Ok(best)
    };
    let of_slices: Result<Vec<_>, ()> = (0..shape.nk).into_par_iter().map(nearest_in).collect();
    let (_, end) = of_slices.ok()?.into_iter().flatten().reduce(|a, b| if b.0 < a.0 { b } else { a })?;
    let point = TriangleTree::new(vec![[end; 3]])?;
    let [start, end] = body.tree.nearest_points(&point);
    Some(Chord { start, end })
}

/// The part of a mask within reach of a surface.
fn part_within(mask: &Mask, near: &[Triangle], reach: Mm) -> Result<Mask, GapError> {
    let grid = mask.grid();
    let shape = mask.shape();
    let n = [shape.ni, shape.nj, shape.nk];
    let corners = near.iter().flatten().map(|p| grid.patient_to_voxel().apply(*p).coords);
    let (low, high) = corners
        .fold((Vector3::repeat(f64::INFINITY), Vector3::repeat(f64::NEG_INFINITY)), |(l, h), p| (l.inf(&p), h.sup(&p)));
    // What is within reach in mm lies within so many steps along each axis, oblique or sheared.
    let inverse = grid.patient_to_voxel().linear();
    let rim: [f64; 3] = std::array::from_fn(|a| (reach.0 + CUT_RIM_MM) * inverse.row(a).norm() + CUT_RIM_VOXELS);
    let first: [i64; 3] = std::array::from_fn(|a| ((low[a] - rim[a]).floor() as i64).clamp(0, n[a] as i64 - 1));
    let last: [i64; 3] = std::array::from_fn(|a| ((high[a] + rim[a]).ceil() as i64).clamp(0, n[a] as i64 - 1));
    let size = |a: usize| (last[a] - first[a] + 1) as usize;
    let window = Window { low: first, shape: Shape { ni: size(0), nj: size(1), nk: size(2) } };
    window.cut(mask, false).map_err(|error| GapError::Surface(SurfaceError::Grid(error)))
}

/// The outer faces of a mask's voxels, two triangles each.
fn voxel_faces(mask: &Mask) -> Vec<Triangle> {
    let to_patient = mask.grid().voxel_to_patient();
    let is_set = |at: [i64; 3]| {
        let [i, j, k] = at.map(usize::try_from);
        let (Ok(i), Ok(j), Ok(k)) = (i, j, k) else { return false };
        mask.get(Index3 { i, j, k }).copied().unwrap_or(false)
    };
    let mut triangles = Vec::new();
    for at in mask.indices_set() {
        let at = [at.i, at.j, at.k].map(|n| n as i64);
        for (axis, side) in (0..3).flat_map(|axis| [(axis, -1_i64), (axis, 1)]) {
            let mut beside = at;
            beside[axis] += side;
            if is_set(beside) {
                continue;
            }
            let corner = |u: f64, v: f64| {
                let mut p = at.map(|n| n as f64);
                p[axis] += 0.5 * side as f64;
                p[(axis + 1) % 3] += u;
                p[(axis + 2) % 3] += v;
                to_patient.apply(Point::new(p[0], p[1], p[2]))
            };
            let [a, b, c, d] = [corner(-0.5, -0.5), corner(0.5, -0.5), corner(0.5, 0.5), corner(-0.5, 0.5)];
            triangles.extend([[a, b, c], [a, c, d]]);
        }
    }
    triangles
}

#[cfg(test)]
mod tests;
