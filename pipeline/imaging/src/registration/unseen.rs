//! Where a pair could not be compared: lesions, zones and what lies beyond the moving image. How tissue moved there is concluded from
//! what moved round it, and the farther away that is and the less evenly it moved, the less is known.

use std::collections::BTreeMap;

use nalgebra::Vector3;
use serde::{Deserialize, Serialize};

use super::point_error::mean_near;
use super::prepared::Prepared;
use super::result::Registration;
use crate::distance::distance_to;
use crate::{Affine, FrameId, Grid, Mask, Patient, Point, Volume};

/// The level on which it is looked for: 4 mm.
pub(super) const LEVEL: usize = 1;
/// Points kept at most: one of each block of voxels, the blocks as large as that takes.
const N_POINTS: usize = 8000;
/// Room beyond the half diagonal of a voxel within which a point speaks for places round it, mm.
const ROOM_MM: f64 = 1.5;
/// Range over which tissue of a liver moves alike, mm: the smoothness of 14 to 20 mm that breathing bends it with.
const ALIKE_MM: f64 = 16.0;
/// Spread along an axis by which tissue moves on its own even where its surroundings tell nothing of it, mm: a zone shrinks and draws on
/// what is round it. A compromise: `scripts/measure_local_motion` shifts the middle of a zone of radius 14 mm by 5 to 12 mm, which fade
/// over 12 to 30 mm, so that most of a narrow one has faded where comparison begins; to cover those, too, would take three times as
/// much, and widen the error at every zone that nothing shifts.
const OWN_MM: f64 = 1.5;

/// Where nothing was compared.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Unseen {
    /// Points of the region at which nothing was compared, at most 8,000, and how far the nearest that was lies, mm.
    pub points: Vec<(Point<Patient>, f64)>,
    /// Every such place of the region lies as near as this to one of the points, mm.
    pub reach_mm: f64,
}

impl Unseen {
    /// Whether a place lies in the voxel of a point at which nothing was compared, or as near to one as that.
    pub(super) fn holds(&self, p: Point<Patient>) -> bool {
        self.points.iter().any(|(at, _)| at.distance(p) <= self.reach_mm)
    }
}

/// The places of the region at which nothing was compared, of each block of voxels the one that lies farthest from what was.
pub(super) fn unseen(prepared: &Prepared<'_>, fixed_to_moving: &Affine<Patient, Patient>) -> Unseen {
    let [region, seen] = prepared.region_and_seen(LEVEL, fixed_to_moving);
    let level = &prepared.fixed[LEVEL];
    let Ok(grid) = Grid::new(level.shape(), *level.voxel_to_patient(), FrameId::new("fixed")) else {
        return Unseen::default();
    };
    let mut is_seen = Mask::filled(grid, false);
    for n in &seen {
        is_seen.values_mut()[*n as usize] = true;
    }
    let hidden: Vec<usize> = region.into_iter().map(|n| n as usize).filter(|n| !is_seen.values()[*n]).collect();
    let Some(distance) = (!hidden.is_empty()).then(|| distance_to(&is_seen).ok()).flatten() else {
        return Unseen::default();
    };
    thinned(&hidden, &distance, N_POINTS)
}

/// One of each block of `side` × `side` × `side` voxels, the smallest side that leaves at most `n_points`.
fn thinned(hidden: &[usize], distance: &Volume<f64>, n_points: usize) -> Unseen {
    let (shape, diagonal_mm) = (distance.shape(), Vector3::from(distance.grid().spacing_mm()).norm());
    let farthest_of_each = |side: usize| {
        let mut blocks: BTreeMap<[usize; 3], usize> = BTreeMap::new();
        for n in hidden {
            let at = shape.index(*n);
            let kept = blocks.entry([at.k / side, at.j / side, at.i / side]).or_insert(*n);
            if distance.values()[*n] > distance.values()[*kept] {
                *kept = *n;
            }
        }
        blocks
    };
    let (mut side, mut blocks) = (1, farthest_of_each(1));
    while blocks.len() > n_points.max(1) {
        side += 1;
        blocks = farthest_of_each(side);
    }
    let point = |n: &usize| (distance.grid().center(shape.index(*n)), distance.values()[*n]);
    Unseen { points: blocks.values().map(point).collect(), reach_mm: diagonal_mm * (side as f64 - 0.5) + ROOM_MM }
}

impl Registration {
    /// What is not known of the motion at a place where nothing was compared, mm along each axis; 0 elsewhere.
    pub(super) fn unseen_mm(&self, p: Point<Patient>) -> f64 {
        let Unseen { points, reach_mm } = &self.local.unseen;
        let near = points.iter().map(|(at, mm)| (at.distance(p), *mm)).filter(|(far, _)| far <= reach_mm);
        let Some((_, distance)) = near.min_by(|a, b| a.0.total_cmp(&b.0)) else { return 0.0 };
        self.uneven_mm(p).hypot(OWN_MM) * unknown_share(distance)
    }

    /// How unevenly tissue round a place moves, root mean square along an axis, mm: of a bent map its own bend, of a straight one what
    /// blocks still want to move.
    fn uneven_mm(&self, p: Point<Patient>) -> f64 {
        let moved: Vec<_> = if let Some(bend) = &self.bend {
            self.local.round_trips.iter().map(|(at, _)| (*at, bend.displacement(*at).coords)).collect()
        } else {
            let told = self.blocks.iter().filter(|b| b.matched && b.n_directions >= 2);
            told.map(|b| (b.center, b.displacement.coords)).collect()
        };
        let mean = |of: &dyn Fn(usize) -> f64| mean_near(moved.iter().enumerate().map(|(n, (at, _))| (*at, of(n))), p);
        let variance = |axis: usize| {
            let (first, second) = (mean(&|n| moved[n].1[axis]), mean(&|n| moved[n].1[axis].powi(2)));
            // A straight map took the common motion out already.
            if self.bend.is_some() { second - first * first } else { second }
        };
        ((0..3).map(variance).sum::<f64>() / 3.0).max(0.0).sqrt()
    }
}

/// Which share of the spread of a smooth random motion is left at the middle of a ball when all of its surface is known: Gaussian
/// correlation exp(−s²/2ℓ²); the mean over the ball's surface is the best guess of its middle.
fn unknown_share(radius_mm: f64) -> f64 {
    let x = 2.0 * (radius_mm / ALIKE_MM).powi(2);
    let with_surface = (-x / 4.0).exp();
    let within_surface = if x > 1e-9 { -(-x).exp_m1() / x } else { 1.0 };
    (1.0 - with_surface.powi(2) / within_surface).max(0.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;
    use nalgebra::Matrix3;

    #[test]
    fn however_few_are_kept_each_hidden_place_has_one_near() {
        let shape = Shape { ni: 40, nj: 30, nk: 20 };
        let grid =
            Grid::from_directions(shape, Point::new(0.0, 0.0, 0.0), [4.0; 3], Matrix3::identity(), FrameId::new("f"));
        // A slab beyond the moving image, and a sheet one voxel thick.
        let seen = Mask::from_fn(grid.unwrap(), |at| at.k < 12 && at.i != 7);
        let distance = distance_to(&seen).unwrap();
        let hidden: Vec<usize> = (0..shape.n_voxels()).filter(|n| !seen.values()[*n]).collect();
        for n_points in [1, 50, 1000, hidden.len()] {
            let found = thinned(&hidden, &distance, n_points);
            assert!(!found.points.is_empty() && found.points.len() <= n_points);
            for n in &hidden {
                let at = distance.grid().center(shape.index(*n));
                let near = found.points.iter().map(|(p, _)| p.distance(at)).fold(f64::INFINITY, f64::min);
                assert!(near <= found.reach_mm, "{near} of {} with {n_points}", found.reach_mm);
            }
        }
        assert_eq!(thinned(&hidden, &distance, hidden.len()).points.len(), hidden.len());
    }

    #[test]
    fn the_farther_from_what_was_seen_the_less_is_known() {
        let at = [0.0, 5.0, 9.0, 13.0, 17.0, 40.0].map(unknown_share);
        assert!(at.windows(2).all(|two| two[0] < two[1]), "{at:?}");
        // By hand for 17 mm: 1 − e^(−1.129) / 0.396.
        assert!(at[0] < 1e-6 && (at[4] - 0.43).abs() < 0.01 && at[5] > 0.98, "{at:?}");
    }
}
