//! The ablative margin: how far the surface of the tumour lies inside the ablation zone, point by point.
//!
//! Source: Sandu et al. 2021 (quantitative ablation margin) for the quantity, signs and subcapsular exclusion; computed here on
//! sub-voxel closed surfaces ([`crate::surface`]) with exact point-to-triangle distances and weighted by area. For a point p of the tumour's surface
//! m(p) = +distance to the surface of the zone where p lies inside the zone, else −distance; the minimal margin is the smallest m.

mod coverage;
pub mod distribution;
pub mod map;
pub mod verdict;
pub mod voxel_border;

use nalgebra::Vector3;
use rayon::prelude::*;
use thiserror::Error;

use crate::closest::TriangleTree;
use crate::grid::{FrameId, Grid, Shape};
use crate::mask::Mask;
use crate::registration::Registration;
use crate::space::{Patient, Point, Voxel};
use crate::surface::{
    Refinement, Surface, SurfaceError, SurfaceMethod, Triangle, touches_border, triangle_area_mm2, triangle_centroid,
};
use crate::units::{Mm, Mm3};
use crate::window::Window;
use coverage::{Covered, OUTER_SHELL, covered, shells_covered};
use distribution::{MarginDistribution, Sample};
use map::{MarginMap, surface_center};

/// Tumour surface closer than this to the organ's capsule is left out by default (Sandu 2021).
pub const CAPSULE_EXCLUSION: Mm = Mm(5.0);

/// Less of a tumour than this is no residual that lies anywhere: cells at a surface are counted in part.
const LEAST_RESIDUAL: f64 = 0.01;

/// A direction is stated from this length on, mm: what is nearer to a tumour's centre lies all around it, and of a margin that varies by
/// less no place is the thinnest.
pub const LEAST_DIRECTED: Mm = Mm(0.5);

/// What a margin is computed from; tumour and organ in one frame of reference, each mask on its own grid.
#[derive(Debug, Clone, Copy)]
pub struct MarginInput<'a> {
    /// The tumour before treatment.
    pub tumour: &'a Mask,
    /// The ablation zone after treatment.
    pub ablation: &'a Mask,
    /// Carries the zone's surface into the tumour's frame, point by point; `None` where its mask lies there already.
    pub ablation_to_tumour: Option<&'a Registration>,
    /// The organ, for the exclusion at its capsule.
    pub organ: Option<&'a Mask>,
    /// Tumour surface closer than this to the capsule is left out ([`CAPSULE_EXCLUSION`]).
    pub capsule_exclusion: Mm,
}

/// Why there is no margin at all.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum MarginError {
    /// Coordinates of two frames.
    #[error("tumour lies in frame of reference {tumour}, {other} in {found}; register and carry it over first")]
    OtherFrame {
        /// Which mask.
        other: &'static str,
        /// Frame of the tumour.
        tumour: FrameId,
        /// Frame of the other.
        found: FrameId,
    },
    /// A mask without a surface.
    #[error("no margin, because of the {which} mask: {source}")]
    Surface {
        /// Which mask.
        which: &'static str,
        /// What is wrong with it.
        source: SurfaceError,
    },
}

/// The geometry of one treated tumour and its zone. What to conclude from it is said in [`verdict`].
#[derive(Debug, Clone, PartialEq)]
pub struct AblationMargin {
    /// Margins over the tumour's surface, weighted by area; `None` where the whole surface is excluded at the capsule or the
    /// whole surface of the zone lies on it.
    pub distribution: Option<MarginDistribution>,
    /// The smallest margin in every direction from the tumour's centre; `None` where there is no distribution.
    pub map: Option<MarginMap>,
    /// Volume of the tumour inside the zone as a share of the tumour, 0…1.
    pub tumour_coverage: f64,
    /// Share of the 5 mm shell around the tumour (inside the organ, where one is given) that lies in the zone.
    pub coverage_of_5mm_shell: Option<f64>,
    /// The same for 10 mm.
    pub coverage_of_10mm_shell: Option<f64>,
    /// Volume of tumour outside the zone.
    pub residual_volume: Mm3,
    /// Unit vector from the tumour's centre to the centre of what lies outside the zone, LPS; `None` where less than 1 % does, or where
    /// the two centres are less than 0.5 mm apart: it lies all around then.
    pub residual_direction: Option<[f64; 3]>,
    /// Share of the tumour's surface left out at the capsule; `None` without an organ mask.
    pub excluded_capsule_fraction: Option<f64>,
    /// Largest spacing of the two masks.
    pub resolution: Mm,
    /// How the surfaces were found: blurred as soon as one of the two was.
    pub method: SurfaceMethod,
    /// The tumour reaches the border of its image.
    pub tumour_cut: bool,
    /// The zone reaches the border of its image.
    pub ablation_cut: bool,
}

/// Computes the margin on smooth surfaces.
pub fn ablation_margin(input: &MarginInput<'_>) -> Result<AblationMargin, MarginError> {
    same_frame(input)?;
    let (tumour, ablation) =
        rayon::join(|| surface(input.tumour, "tumour", Refinement::fine_for(input.tumour)), || Zone::new(input));
    let (tumour, ablation) = (tumour?, ablation?);
    let resolution = largest_spacing(input.tumour.grid()).max(largest_spacing(input.ablation.grid()));
    let near = [tumour.triangles(), &ablation.triangles];
    let organ =
        input.organ.map(|mask| Organ::new(mask, near, (input.capsule_exclusion, Mm(resolution)))).transpose()?;

    let blurred = [&tumour, &ablation.surface].iter().any(|s| s.method() == SurfaceMethod::Blurred);

    let (samples, excluded_capsule_fraction) = sampled(&tumour, organ.as_ref());
    let zone_surface = match &organ {
        None => ablation.triangles.clone(),
        Some(organ) => organ.away_from_capsule(&ablation.triangles, resolution),
    };
    let margins = TriangleTree::new(zone_surface).map(|tree| signed(&samples, &tree, &ablation)).unwrap_or_default();
    let map = surface_center(tumour.triangles()).and_then(|center| MarginMap::new(center, &samples, &margins));
    let distribution = MarginDistribution::new(margins);
    let inside = covered(&tumour, &ablation);
    let shells = shells_covered(input.tumour, &tumour, &ablation, organ.as_ref())?;
    Ok(AblationMargin {
        distribution,
        map,
        tumour_coverage: inside.share,
        coverage_of_5mm_shell: shells[0],
        coverage_of_10mm_shell: shells[1],
        residual_volume: inside.residual,
        residual_direction: residual_direction(&inside),
        excluded_capsule_fraction,
        resolution: Mm(resolution),
        method: if blurred { SurfaceMethod::Blurred } else { SurfaceMethod::SubVoxel },
        tumour_cut: touches_border(input.tumour),
        ablation_cut: touches_border(input.ablation),
    })
}

impl AblationMargin {
    /// Unit vector from the tumour's centre to the place with the smallest margin, LPS; `None` where half of the surface has a margin
    /// that is less than 0.5 mm larger.
    pub fn thinnest_direction(&self) -> Option<[f64; 3]> {
        let distribution = self.distribution.as_ref()?;
        let varies = distribution.percentile(50.0).0 - distribution.min().0 >= LEAST_DIRECTED.0;
        self.map.as_ref().filter(|_| varies).map(|map| map.thinnest)
    }
}

fn residual_direction(covered: &Covered) -> Option<[f64; 3]> {
    let [center, outside] = covered.centers.filter(|_| 1.0 - covered.share >= LEAST_RESIDUAL)?;
    let towards = outside - center;
    let length = towards.norm();
    (length >= LEAST_DIRECTED.0).then(|| (towards * (1.0 / length)).to_array())
}

fn same_frame(input: &MarginInput<'_>) -> Result<(), MarginError> {
    let tumour = input.tumour.grid().frame();
    let (ablation, organ) = (input.ablation.grid().frame(), input.organ.map(|m| m.grid().frame()));
    let mut frames = vec![("organ", organ, tumour)];
    match input.ablation_to_tumour {
        None => frames.push(("ablation", Some(ablation), tumour)),
        Some(map) => {
            frames.extend([
                ("ablation", Some(ablation), &map.moving_frame),
                ("registration", Some(&map.fixed_frame), tumour),
            ]);
        }
    }
    for (other, found, expected) in frames {
        if let Some(found) = found.filter(|found| *found != expected) {
            return Err(MarginError::OtherFrame { other, tumour: expected.clone(), found: found.clone() });
        }
    }
    Ok(())
}

/// The zone: its surface as it was outlined, and carried into the tumour's frame. A bent map carries the surface, never the mask.
struct Zone<'a> {
    surface: Surface,
    triangles: Vec<Triangle>,
    to_tumour: Option<&'a Registration>,
}

impl<'a> Zone<'a> {
    fn new(input: &MarginInput<'a>) -> Result<Self, MarginError> {
        let surface = surface(input.ablation, "ablation", Refinement::fine_for(input.ablation))?;
        let to_tumour = input.ablation_to_tumour;
        let carried = |t: &Triangle| to_tumour.map_or(*t, |map| t.map(|p| map.to_fixed(p)));
        let triangles = surface.triangles().par_iter().map(carried).collect();
        Ok(Self { surface, triangles, to_tumour })
    }

    /// A point of the tumour's frame in the zone's own; `None` where the map has no way back.
    fn own(&self, p: Point<Patient>) -> Option<Point<Patient>> {
        self.to_tumour.map_or(Some(p), |map| map.to_moving(p))
    }

    fn contains(&self, p: Point<Patient>) -> bool {
        self.own(p).is_some_and(|p| self.surface.contains(p))
    }

    fn share_inside(&self, p: Point<Patient>, width: Mm) -> f64 {
        self.own(p).map_or(0.0, |p| self.surface.share_inside(p, width))
    }
}

fn surface(mask: &Mask, which: &'static str, refinement: Refinement) -> Result<Surface, MarginError> {
    Surface::of_mask(mask, refinement).map_err(|source| MarginError::Surface { which, source })
}

fn largest_spacing(grid: &Grid) -> f64 {
    grid.spacing_mm().into_iter().fold(0.0, f64::max)
}

/// The points of the tumour's surface that count, each with its area, and the share of the area that does not.
fn sampled(tumour: &Surface, organ: Option<&Organ>) -> (Vec<Sample>, Option<f64>) {
    let all = patches(tumour);
    let Some(organ) = organ else { return (all, None) };
    let total: f64 = all.iter().map(|s| s.weight).sum();
    let samples: Vec<Sample> = all.into_par_iter().filter(|s| !organ.is_subcapsular(s.at)).collect();
    let kept: f64 = samples.iter().map(|s| s.weight).sum();
    (samples, Some((1.0 - kept / total).clamp(0.0, 1.0)))
}

/// One point for each cell that the surface passes through: the centre of mass of its triangles there, which follow one another.
fn patches(surface: &Surface) -> Vec<Sample> {
    let to_cell = surface.field().grid().patient_to_voxel();
    let mut patches: Vec<(Point<Voxel>, Sample)> = Vec::new();
    for triangle in surface.triangles() {
        let (at, weight) = (triangle_centroid(triangle), triangle_area_mm2(triangle));
        if weight <= 0.0 {
            continue;
        }
        let cell = Point::from_coords(to_cell.apply(at).coords.map(f64::floor));
        match patches.last_mut() {
            Some((last, patch)) if *last == cell => {
                let sum = patch.weight + weight;
                patch.at = patch.at + (at - patch.at) * (weight / sum);
                patch.weight = sum;
            }
            _ => patches.push((cell, Sample { at, weight })),
        }
    }
    patches.into_iter().map(|(_, patch)| patch).collect()
}

fn signed(samples: &[Sample], zone_surface: &TriangleTree, zone: &Zone<'_>) -> Vec<(f64, f64)> {
    samples
        .par_iter()
        .map(|s| {
            let distance = zone_surface.distance(s.at);
            (if zone.contains(s.at) { distance } else { -distance }, s.weight)
        })
        .collect()
}

/// Voxels by which a part of the organ is cut out wider than is asked for: the blurred surface is as if it were whole again.
const CUT_RIM_VOXELS: f64 = 6.0;

/// The part of an organ's mask within reach of these surfaces; `None` where that is not less than all of it.
fn around(organ: &Mask, surfaces: [&[Triangle]; 2], reach: Mm) -> Option<Mask> {
    let grid = organ.grid();
    let both = |a: [Vector3<f64>; 2], b: [Vector3<f64>; 2]| [a[0].inf(&b[0]), a[1].sup(&b[1])];
    let corners = surfaces.into_par_iter().flatten().flatten();
    let [low, high] = corners.map(|p| [grid.patient_to_voxel().apply(*p).coords; 2]).reduce_with(both)?;
    let shape = organ.shape();
    let n = [shape.ni, shape.nj, shape.nk];
    let rim: [f64; 3] = grid.spacing_mm().map(|spacing| reach.0 / spacing + CUT_RIM_VOXELS);
    let first: [i64; 3] = std::array::from_fn(|a| ((low[a] - rim[a]).floor() as i64).clamp(0, n[a] as i64 - 1));
    let last: [i64; 3] = std::array::from_fn(|a| ((high[a] + rim[a]).ceil() as i64).clamp(0, n[a] as i64 - 1));
    let size = |a: usize| (last[a] - first[a] + 1) as usize;
    let window = Window { low: first, shape: Shape { ni: size(0), nj: size(1), nk: size(2) } };
    if window.shape == shape { None } else { window.cut(organ, false).ok() }
}

/// The organ and its capsule.
struct Organ {
    surface: Surface,
    capsule: Option<TriangleTree>,
    exclusion_mm: f64,
}

impl Organ {
    /// Of an organ, what lies near the tumour's and the zone's surface; nothing further away is asked for.
    fn new(mask: &Mask, near: [&[Triangle]; 2], (exclusion, contact): (Mm, Mm)) -> Result<Self, MarginError> {
        let reach = Mm(exclusion.0.max(contact.0).max(OUTER_SHELL.0));
        let part = around(mask, near, reach);
        match part.as_ref().map(|part| Self::whole(part, exclusion)) {
            Some(Ok(organ)) => Ok(organ),
            // None of it lies there, or too little for a surface.
            Some(Err(_)) | None => Self::whole(mask, exclusion),
        }
    }

    fn whole(mask: &Mask, exclusion: Mm) -> Result<Self, MarginError> {
        let surface = surface(mask, "organ", Refinement::OwnGrid)?;
        let shape = mask.shape();
        let last = [shape.ni, shape.nj, shape.nk].map(|n| (n - 1) as f64);
        // Where the image cuts the organ, the surface is closed beyond the outermost voxel centres: that is no capsule.
        let capsule = surface.triangles().iter().copied().filter(|t| {
            let at = mask.grid().patient_to_voxel().apply(triangle_centroid(t)).to_array();
            (0..3).all(|a| last[a] == 0.0 || (0.0..=last[a]).contains(&at[a]))
        });
        Ok(Self { capsule: TriangleTree::new(capsule.collect()), surface, exclusion_mm: exclusion.0 })
    }

    fn is_near_capsule(&self, p: Point<Patient>, limit_mm: f64) -> bool {
        self.capsule.as_ref().is_some_and(|tree| tree.distance_within(p, limit_mm).is_some())
    }

    /// Nearer to the capsule than the exclusion, or beyond it.
    fn is_subcapsular(&self, p: Point<Patient>) -> bool {
        !self.surface.contains(p) || self.is_near_capsule(p, self.exclusion_mm)
    }

    /// The zone's surface without the part that lies on the capsule (within one voxel) or beyond it: no margin is needed there.
    fn away_from_capsule(&self, zone: &[Triangle], contact_mm: f64) -> Vec<Triangle> {
        let keep = |t: &&Triangle| {
            let p = triangle_centroid(t);
            self.surface.contains(p) && !self.is_near_capsule(p, contact_mm)
        };
        zone.par_iter().filter(keep).copied().collect()
    }
}

#[cfg(test)]
mod tests;
