//! The smoothest function of space whose sign at every voxel centre is that of a mask: its zero level is the sub-voxel surface.
//!
//! A mask says between which neighbouring centres a surface passes. Among all functions that are near 0 there, each crossing weighted
//! by how well it is known along the surface's normal, and that fall by 1 mm per mm across the surface, the one of least third-order
//! roughness is taken: a smoothing spline (Wahba 1990) of an implicit surface (Calakli and Taubin 2011, smooth signed distance).
//! Quadrics cost no roughness, so balls and ellipsoids are met at any slice spacing, caps beyond the last slice included, where
//! blurring and interpolation between slices (Raya and Udupa 1990; Whitaker 2000) stay within one slice and shrink or flatten.
//! Where a mask has more detail than the smooth function can follow, it is followed on finer lattices with less stiffness, and given
//! up when even that misses the voxels. A lobe or notch of a few per cent of the surface does not show in a mean; that is why one
//! voxel centre on the wrong side is enough to refuse a function.

mod bending;
mod equations;
mod lattice;
mod samples;

use nalgebra::Vector3;
use rayon::prelude::*;

use crate::grid::{Grid, Index3};
use crate::mask::Mask;
use crate::volume::Volume;
use crate::window::Window;
use bending::add_bending;
use equations::{Demand, Equations};
use lattice::{Lattice, N_LOCAL};
use samples::{LocalFrame, N_NEIGHBOURHOOD, Samples};

/// One attempt at a function.
struct Rung {
    /// Steps per radius of the ball of equal volume.
    fineness: f64,
    /// Weight of the roughness relative to that radius.
    stiffness: f64,
    /// Deepest that any voxel centre may lie on the wrong side, as a share of the voxel's extent along the normal.
    max_depth: f64,
}

/// The first is the widest plateau of error over 12 random balls, ellipsoids and bumpy ellipsoids of 6–20 mm radius at 1, 2.5 and 5 mm
/// slices (weights of 30 to 1000 within 20 % of the best; 2.2 to 3 steps equal). It puts centres of balls and ellipsoids at most 0.05
/// deep (0.10 at the tip of an ellipsoid of 20 × 5 × 5 mm), and some centres of lobes, buds, notches, rings and boxes 0.4 to 36 deep; at
/// 0.25 the tip of a needle of 25 × 5 × 5 mm is lost by 0.8 mm, at 0.1 mild lobes on 5 mm slices go to the finer ones and are missed by
/// 1.2 mm.
/// The finer ones are right within 0.27 mm where they reach 0.00 to 0.10, and round off an edge of a box or a ring at 0.14. Margins on
/// such shapes: `cargo test -p lesiontrace-imaging --test accuracy -- --ignored --nocapture detail_margins`.
const RUNGS: [Rung; 3] = [
    Rung { fineness: 2.2, stiffness: 100.0, max_depth: 0.15 },
    Rung { fineness: 3.3, stiffness: 1.0, max_depth: 0.1 },
    Rung { fineness: 5.0, stiffness: 0.01, max_depth: 0.1 },
];

/// Largest mean squared crossing error relative to its variance that counts as following the mask. Balls and ellipsoids reach
/// 0.7–0.8, because the variances include a floor.
const MAX_MISFIT: f64 = 1.2;

/// More coefficients than this are not solved for.
const MAX_COEFFICIENTS: usize = 6000;

/// Standard deviation of the slope across the surface, mm per mm. It sets the scale only; 0.3 and 1 give the same surface.
const SLOPE_SIGMA: f64 = 0.3;

/// Standard deviation with which a voxel centre on the wrong side is pulled back to the surface, mm.
const WRONG_SIDE_SIGMA_MM: f64 = 0.1;

/// Room around the outermost voxel centres beyond one voxel, mm.
const ROOM_MM: f64 = 1.0;

/// Value given where the voxels around a point overrule the function, mm.
const FAR_MM: f64 = 3.0;

/// A smooth function of space in mm, positive inside, near the signed distance next to its zero level.
#[derive(Debug, Clone)]
pub(crate) struct LevelSet {
    frame: LocalFrame,
    window: Window,
    n_set_around: Vec<u8>,
    lattice: Lattice,
    coefficients: Vec<f64>,
}

impl LevelSet {
    /// From a mask; `None` when it is empty or has more detail than the function can follow.
    pub(crate) fn of_mask(mask: &Mask) -> Option<Self> {
        let samples = Samples::of(mask)?;
        let found = RUNGS.into_iter().find_map(|Rung { fineness, stiffness, max_depth }| {
            let step = samples.radius_mm / fineness;
            let (lattice, coefficients, misfit) = fit(&samples, step, stiffness * samples.radius_mm)?;
            let follows = misfit <= MAX_MISFIT && deepest(&samples, &lattice, &coefficients) <= max_depth;
            follows.then_some((lattice, coefficients))
        });
        let (lattice, coefficients) = found?;
        let Samples { frame, window, n_set_around, .. } = samples;
        Some(Self { frame, window, n_set_around, lattice, coefficients })
    }

    /// The function on a grid around the mask. Where all voxels around a point agree but the function does not, their side is taken,
    /// so that it can have no zero away from the mask's border.
    pub(crate) fn on(&self, grid: &Grid, mask: &Mask) -> Volume<f32> {
        let to_voxel = grid.voxel_to_patient().then(mask.grid().patient_to_voxel());
        let shape = grid.shape();
        let values: Vec<f32> = (0..shape.n_voxels())
            .into_par_iter()
            .map(|n| {
                let at = shape.index(n);
                let index = to_voxel.apply(at.center()).to_array();
                let p = self.frame.local(grid.center(at));
                let value = self.lattice.value(&self.coefficients, p);
                let agreed = match self.n_set_around(index) {
                    0 if value >= 0.0 => -FAR_MM,
                    N_NEIGHBOURHOOD if value < 0.0 => FAR_MM,
                    _ => value,
                };
                agreed as f32
            })
            .collect();
        Volume::from_values(values, grid.clone()).expect("one value was computed for each voxel of the grid")
    }

    /// How many of the 27 voxels around a position (in voxels of the mask) are set.
    fn n_set_around(&self, index: [f64; 3]) -> u8 {
        let shape = self.window.shape;
        let n = [shape.ni, shape.nj, shape.nk];
        let at: Option<[usize; 3]> = (|| {
            let mut at = [0; 3];
            for axis in 0..3 {
                let nearest = index[axis].round() as i64 - self.window.low[axis];
                at[axis] = usize::try_from(nearest).ok().filter(|v| *v < n[axis])?;
            }
            Some(at)
        })();
        at.map_or(0, |[i, j, k]| self.n_set_around[shape.linear(Index3 { i, j, k })])
    }
}

/// Lattice, coefficients and misfit. The second pass knows the normals from the first, and which voxel centres it put on the wrong
/// side.
fn fit(samples: &Samples, step_mm: f64, stiffness: f64) -> Option<(Lattice, Vec<f64>, f64)> {
    let room = samples.spacing_mm.add_scalar(ROOM_MM);
    let [a, b] = samples.extent;
    let lattice = Lattice::covering(a.inf(&b) - room, a.sup(&b) + room, step_mm);
    if lattice.len() > MAX_COEFFICIENTS {
        return None;
    }
    let mut normals: Vec<Vector3<f64>> = samples.crossings.iter().map(|c| c.normal).collect();
    let first = equations(samples, &lattice, &normals, &[], stiffness);
    let factor = first.band.cholesky()?;
    let rough = factor.solve(&first.rhs);
    for (normal, crossing) in normals.iter_mut().zip(&samples.crossings) {
        *normal = outward(&lattice, &rough, crossing.at).unwrap_or(*normal);
    }
    let wrong: Vec<Vector3<f64>> = samples
        .centres
        .par_iter()
        .filter(|(p, inside)| (lattice.value(&rough, *p) >= 0.0) != *inside)
        .map(|(p, _)| *p)
        .collect();
    let second = equations(samples, &lattice, &normals, &wrong, stiffness);
    let coefficients = match second.band.solve_near(&factor, &rough, &second.rhs) {
        Some(coefficients) => coefficients,
        None => second.band.cholesky()?.solve(&second.rhs),
    };
    let misfit = misfit(samples, &lattice, &coefficients, &normals);
    Some((lattice, coefficients, misfit))
}

fn equations(
    samples: &Samples,
    lattice: &Lattice,
    normals: &[Vector3<f64>],
    wrong: &[Vector3<f64>],
    stiffness: f64,
) -> Equations {
    let slope = 1.0 / (SLOPE_SIGMA * SLOPE_SIGMA);
    let mut demands: Vec<Demand> = samples
        .crossings
        .iter()
        .zip(normals)
        .map(|(c, normal)| Demand {
            at: c.at,
            zero: 1.0 / c.variance(*normal, samples.radius_mm),
            slope: Some((*normal, slope)),
        })
        .collect();
    let pull = 1.0 / (WRONG_SIDE_SIGMA_MM * WRONG_SIDE_SIGMA_MM);
    demands.extend(wrong.iter().map(|at| Demand { at: *at, zero: pull, slope: None }));
    let mut equations = Equations::of(lattice, &demands);
    add_bending(&mut equations.band, lattice, stiffness);
    equations
}

/// Unit normal of the function's level at a point.
fn outward(lattice: &Lattice, coefficients: &[f64], at: Vector3<f64>) -> Option<Vector3<f64>> {
    (-slope(lattice, coefficients, at)).try_normalize(1e-9)
}

/// Gradient of the function at a point, mm per mm.
fn slope(lattice: &Lattice, coefficients: &[f64], at: Vector3<f64>) -> Vector3<f64> {
    let local = lattice.local(at);
    let along = |g: [f64; N_LOCAL]| (0..N_LOCAL).map(|l| g[l] * coefficients[local.first + lattice.offsets()[l]]).sum();
    Vector3::from(local.gradients.map(along))
}

/// How deep the voxel centre that lies deepest on the wrong side does so, as a share of the voxel's extent along the normal. Depth is
/// the value over the slope: where the function is nearly flat, a small value is a long way.
fn deepest(samples: &Samples, lattice: &Lattice, coefficients: &[f64]) -> f64 {
    let depth = |(at, inside): &(Vector3<f64>, bool)| {
        let value = lattice.value(coefficients, *at);
        if (value >= 0.0) == *inside {
            return 0.0;
        }
        let across_voxel = slope(lattice, coefficients, *at).abs().dot(&samples.spacing_mm);
        value.abs() / across_voxel.max(f64::MIN_POSITIVE)
    };
    samples.centres.par_iter().map(depth).reduce(|| 0.0, f64::max)
}

/// Mean over the crossings of the squared error relative to its variance.
fn misfit(samples: &Samples, lattice: &Lattice, coefficients: &[f64], normals: &[Vector3<f64>]) -> f64 {
    let errors: Vec<f64> = samples
        .crossings
        .par_iter()
        .zip(normals)
        .map(|(c, n)| lattice.value(coefficients, c.at).powi(2) / c.variance(*n, samples.radius_mm))
        .collect();
    errors.iter().sum::<f64>() / errors.len().max(1) as f64
}
