//! The ablative margin: how far the surface of the tumour lies inside the ablation zone, point by point.
//!
//! Source: Sandu et al. 2021 (quantitative ablation margin) for the quantity, signs and subcapsular exclusion; computed here on
//! smooth closed surfaces with exact point-to-triangle distances and weighted by area. For a point p of the tumour's surface
//! m(p) = +distance to the surface of the zone where p lies inside the zone, else −distance; the minimal margin is the smallest m.

pub mod distribution;
pub mod map;
pub mod verdict;
pub mod voxel_border;

use rayon::prelude::*;
use thiserror::Error;

use crate::closest::TriangleTree;
use crate::grid::{FrameId, Grid};
use crate::mask::Mask;
use crate::resample::regrid;
use crate::space::{Patient, Point};
use crate::surface::{
    Refinement, Surface, SurfaceError, Triangle, touches_border, triangle_area_mm2, triangle_centroid,
};
use crate::units::{Mm, Mm3};
use crate::window::Window;
use distribution::{MarginDistribution, Sample};
use map::{MarginMap, surface_center};

/// Tumour surface closer than this to the organ's capsule is left out by default (Sandu 2021).
pub const CAPSULE_EXCLUSION: Mm = Mm(5.0);

/// Largest spacing at which the surfaces of tumour and zone are cut. The chord of a 1 mm cell lies 0.01 mm inside a ball of 10 mm:
/// far below what the voxels of the mask leave open ([`verdict::MEASUREMENT_SIGMA_MM`]).
const SURFACE_SPACING: Mm = Mm(1.0);

/// Spacing of the points that probe the shells around the tumour, in mm.
const SHELL_SPACING_MM: f64 = 1.0;

/// Thickness of the two shells, in mm.
const SHELLS_MM: [f64; 2] = [5.0, 10.0];

/// What a margin is computed from; all masks in one frame of reference, each on its own grid.
#[derive(Debug, Clone, Copy)]
pub struct MarginInput<'a> {
    /// The tumour before treatment.
    pub tumour: &'a Mask,
    /// The ablation zone after treatment, carried into the tumour's frame.
    pub ablation: &'a Mask,
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
    /// Share of the tumour's surface left out at the capsule; `None` without an organ mask.
    pub excluded_capsule_fraction: Option<f64>,
    /// Largest spacing of the two masks: no statement finer than this.
    pub resolution: Mm,
    /// The tumour reaches the border of its image.
    pub tumour_cut: bool,
    /// The zone reaches the border of its image.
    pub ablation_cut: bool,
}

/// Computes the margin on smooth surfaces.
pub fn ablation_margin(input: &MarginInput<'_>) -> Result<AblationMargin, MarginError> {
    same_frame(input)?;
    let fine = Refinement::AtMost(SURFACE_SPACING);
    let tumour = surface(input.tumour, "tumour", fine)?;
    let ablation = surface(input.ablation, "ablation", fine)?;
    let organ = input.organ.map(|mask| Organ::new(mask, input.capsule_exclusion)).transpose()?;
    let resolution = largest_spacing(input.tumour.grid()).max(largest_spacing(input.ablation.grid()));

    let (samples, excluded_capsule_fraction) = sampled(&tumour, organ.as_ref());
    let zone_surface = match &organ {
        None => ablation.triangles().to_vec(),
        Some(organ) => organ.away_from_capsule(ablation.triangles(), resolution),
    };
    let margins = TriangleTree::new(zone_surface).map(|tree| signed(&samples, &tree, &ablation)).unwrap_or_default();
    let map = surface_center(tumour.triangles()).and_then(|center| MarginMap::new(center, &samples, &margins));
    let distribution = MarginDistribution::new(margins);
    let (tumour_coverage, residual_volume) = covered(&tumour, &ablation);
    let shells = shells_covered(input.tumour, &tumour, &ablation, organ.as_ref())?;
    Ok(AblationMargin {
        distribution,
        map,
        tumour_coverage,
        coverage_of_5mm_shell: shells[0],
        coverage_of_10mm_shell: shells[1],
        residual_volume,
        excluded_capsule_fraction,
        resolution: Mm(resolution),
        tumour_cut: touches_border(input.tumour),
        ablation_cut: touches_border(input.ablation),
    })
}

fn same_frame(input: &MarginInput<'_>) -> Result<(), MarginError> {
    let tumour = input.tumour.grid().frame();
    for (other, mask) in [("ablation", Some(input.ablation)), ("organ", input.organ)] {
        if let Some(found) = mask.map(|m| m.grid().frame()).filter(|found| *found != tumour) {
            return Err(MarginError::OtherFrame { other, tumour: tumour.clone(), found: found.clone() });
        }
    }
    Ok(())
}

fn surface(mask: &Mask, which: &'static str, refinement: Refinement) -> Result<Surface, MarginError> {
    Surface::of_mask(mask, refinement).map_err(|source| MarginError::Surface { which, source })
}

fn largest_spacing(grid: &Grid) -> f64 {
    grid.spacing_mm().into_iter().fold(0.0, f64::max)
}

/// The points of the tumour's surface that count, each with its area, and the share of the area that does not.
fn sampled(tumour: &Surface, organ: Option<&Organ>) -> (Vec<Sample>, Option<f64>) {
    let all: Vec<(Point<Patient>, f64)> = tumour
        .triangles()
        .iter()
        .map(|t| (triangle_centroid(t), triangle_area_mm2(t)))
        .filter(|(_, area)| *area > 0.0)
        .collect();
    let counts: Vec<bool> = match organ {
        None => vec![true; all.len()],
        Some(organ) => all.par_iter().map(|(p, _)| !organ.is_subcapsular(*p)).collect(),
    };
    let total: f64 = all.iter().map(|(_, area)| area).sum();
    let samples: Vec<Sample> = all
        .iter()
        .zip(&counts)
        .filter(|(_, counts)| **counts)
        .map(|((at, area), _)| Sample { at: *at, weight: *area })
        .collect();
    let kept: f64 = samples.iter().map(|s| s.weight).sum();
    (samples, organ.map(|_| (1.0 - kept / total).clamp(0.0, 1.0)))
}

fn signed(samples: &[Sample], zone_surface: &TriangleTree, zone: &Surface) -> Vec<(f64, f64)> {
    samples
        .par_iter()
        .map(|s| {
            let distance = zone_surface.distance(s.at);
            (if zone.contains(s.at) { distance } else { -distance }, s.weight)
        })
        .collect()
}

/// Covered share and uncovered volume of the tumour, probed at the voxels of its refined field.
fn covered(tumour: &Surface, ablation: &Surface) -> (f64, Mm3) {
    let field = tumour.field();
    let shape = field.shape();
    let inside: Vec<usize> = (0..shape.n_voxels()).filter(|n| field.values()[*n] >= 0.5).collect();
    let n_covered = inside.par_iter().filter(|n| ablation.contains(field.grid().center(shape.index(**n)))).count();
    let residual = (inside.len() - n_covered) as f64 * field.grid().voxel_volume_mm3();
    (n_covered as f64 / inside.len().max(1) as f64, Mm3(residual))
}

/// Share of each shell around the tumour that lies in the zone; `None` where the shell has no point inside the organ.
fn shells_covered(
    mask: &Mask,
    tumour: &Surface,
    ablation: &Surface,
    organ: Option<&Organ>,
) -> Result<[Option<f64>; 2], MarginError> {
    let grid_trouble = |source| MarginError::Surface { which: "tumour", source: SurfaceError::Grid(source) };
    let empty = MarginError::Surface { which: "tumour", source: SurfaceError::EmptyMask };
    let rim = mask.grid().spacing_mm().map(|s| (SHELLS_MM[1] / s).ceil() as usize + 2);
    let window = Window::around(mask, rim).ok_or(empty)?;
    let around = window.grid(mask.grid()).map_err(grid_trouble)?;
    let probes = regrid(&around, [SHELL_SPACING_MM; 3]).map_err(grid_trouble)?;
    let tree = TriangleTree::new(tumour.triangles().to_vec());
    let [five, ten] = SHELLS_MM;
    let counts = (0..probes.shape().n_voxels())
        .into_par_iter()
        .map(|n| {
            let p = probes.center(probes.shape().index(n));
            let outside_organ = organ.is_some_and(|o| !o.surface.contains(p));
            if outside_organ || tumour.contains(p) {
                return [0_usize; 4];
            }
            let Some(distance) = tree.as_ref().and_then(|t| t.distance_within(p, ten)) else { return [0; 4] };
            let (near, in_zone) = (usize::from(distance <= five), usize::from(ablation.contains(p)));
            [near, near * in_zone, 1, in_zone]
        })
        .reduce(|| [0; 4], |a, b| std::array::from_fn(|n| a[n] + b[n]));
    let share = |n: usize, of: usize| (of > 0).then(|| n as f64 / of as f64);
    Ok([share(counts[1], counts[0]), share(counts[3], counts[2])])
}

/// The organ and its capsule.
struct Organ {
    surface: Surface,
    capsule: Option<TriangleTree>,
    exclusion_mm: f64,
}

impl Organ {
    fn new(mask: &Mask, exclusion: Mm) -> Result<Self, MarginError> {
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
