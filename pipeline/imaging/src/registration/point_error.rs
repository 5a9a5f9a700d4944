//! How far a registration may be off at one place.
//!
//! Six things speak of it, each in mm and each nearest to where it was seen: maps found from other starts and other points, what
//! blocks of the region still want to move, how far points miss themselves there and back through a bend, how differently a lesion that
//! is held stiff moves from its surroundings, how far a place lies from what was compared, and what a bend would still move. Their weights were fitted to pairs with known maps.

use serde::{Deserialize, Serialize};

use super::result::{Quality, Registration};
use super::unseen::Unseen;
use crate::{Affine, Mask, Mm, Patient, Point};

/// How far a block or a point there and back speaks, standard deviation, mm: about the range over which a liver bends.
const SPEAKS_MM: f64 = 25.0;
/// How far a point of the bend that a straight map leaves over speaks, standard deviation, mm: about half
/// the distance of the nodes it is told on (10 mm).
const BENDS_MM: f64 = 6.0;
/// How far a bend moves tissue of which a rigid map is right, mm: on the unmoved pairs of `scripts/measure_local_motion` and in the
/// synthetic patients of `lesiontrace demo`.
const BEND_NOISE_MM: f64 = 1.0;
/// Points of a lesion at which its error is asked, at most about so many.
const N_POINTS: usize = 60;
/// Weights of the squares of [`PointError::repeats_mm`], `blocks_mm`, `round_trip_mm`, `held_mm`, `unseen_mm` and
/// `left_over_mm` in the variance of each axis.
///
/// The first four set on 20 pairs with known maps of the default seed, ten of one real CT and ten synthetic, all six held against those
/// of seed 7 (`scripts/compare_registration`): 96.4 % of 5,000 points lay within 2.80 standard deviations after bent registration and
/// 99.6 % of 3,250 after rigid, 19 of 20 and 13 of 13 margins within 1.96. The last two are wide for rigid maps of livers that bend,
/// because a narrow shift hides from whatever is compared (`scripts/measure_local_motion`); see `test_data/oracles/registration`.
const WEIGHTS: [f64; 6] = [0.6, 0.3, 0.2, 0.16, 1.0, 0.5];
/// A place lies within so many standard deviations in 95 of 100 cases, where they are the same along each axis and normal.
pub const WITHIN_95: f64 = 2.795_5;
/// Error that is there even where nothing speaks of one, mm for each axis.
const LEAST_MM: f64 = 0.1;

/// What was seen of the error, place by place.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LocalEvidence {
    /// Maps found from other starts, relative to the map found: within the fixed frame.
    pub repeats: Vec<Affine<Patient, Patient>>,
    /// Points of the fixed region, and how far each misses itself when carried through a bend there and back, mm.
    pub round_trips: Vec<(Point<Patient>, f64)>,
    /// Where nothing of the region was compared.
    #[serde(default)]
    pub unseen: Unseen,
    /// Of a straight map: how far a bend would still move tissue, mm, at points of the region that were compared.
    #[serde(default)]
    pub left_over: Vec<(Point<Patient>, f64)>,
    /// The same at points that were not, to which its stiffness alone carries the bend on.
    #[serde(default)]
    pub left_over_unseen: Vec<(Point<Patient>, f64)>,
    /// Middles of lesions that were held stiff, and how far tissue 6 to 10 mm from them moves otherwise, root mean square, mm.
    pub held: Vec<(Point<Patient>, f64)>,
}

/// What speaks of an error at a place, mm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PointError {
    /// Root mean square distance to where maps found from other starts put it.
    pub repeats_mm: f64,
    /// Root mean square of what blocks near it still want to move.
    pub blocks_mm: f64,
    /// Root mean square by which points near it miss themselves there and back; 0 where the map does not bend.
    pub round_trip_mm: f64,
    /// For a lesion held stiff: how differently its surroundings move; else 0.
    pub held_mm: f64,
    /// What the surroundings leave open of the motion where nothing was compared, along each axis; else 0.
    pub unseen_mm: f64,
    /// How far a bend would still move what a straight map carried; else 0.
    pub left_over_mm: f64,
}

impl PointError {
    /// Standard deviation of the position along each axis.
    pub fn sigma(&self) -> Mm {
        let seen =
            [self.repeats_mm, self.blocks_mm, self.round_trip_mm, self.held_mm, self.unseen_mm, self.left_over_mm];
        let variance: f64 = WEIGHTS.iter().zip(seen).map(|(weight, mm)| weight * mm * mm).sum();
        Mm((variance + LEAST_MM * LEAST_MM).sqrt())
    }
}

impl PointError {
    /// With another error that has nothing to do with it.
    fn and(&self, other: &Self) -> Self {
        let sum = |of: fn(&Self) -> f64| of(self).hypot(of(other));
        Self {
            repeats_mm: sum(|e| e.repeats_mm),
            blocks_mm: sum(|e| e.blocks_mm),
            round_trip_mm: sum(|e| e.round_trip_mm),
            held_mm: sum(|e| e.held_mm),
            unseen_mm: sum(|e| e.unseen_mm),
            left_over_mm: sum(|e| e.left_over_mm),
        }
    }
}

impl Registration {
    /// What speaks of an error at a point of the fixed frame; `None` for a registration that failed, for one of which nothing was
    /// seen (no repetition, or no block that could tell), and for images that share a frame of reference.
    pub fn error_at(&self, p: Point<Patient>) -> Option<PointError> {
        if let [first, last] = self.links.as_slice() {
            return Some(first.error_at(p)?.and(&last.error_at(first.to_moving(p)?)?));
        }
        if self.quality == Quality::Fail || self.transform.is_none() {
            return None;
        }
        let repeats = self.local.repeats.iter().map(|map| map.apply(p).distance(p));
        let told = self.blocks.iter().filter(|b| b.matched && b.n_directions >= 2);
        if self.local.repeats.is_empty() || told.clone().next().is_none() {
            return None;
        }
        Some(PointError {
            repeats_mm: root_mean_square(repeats.map(|mm| (1.0, mm))),
            blocks_mm: root_mean_square(told.map(|b| (nearness(b.center, p), b.displacement.norm()))),
            round_trip_mm: root_mean_square(self.local.round_trips.iter().map(|(at, mm)| (nearness(*at, p), *mm))),
            held_mm: 0.0,
            unseen_mm: self.unseen_mm(p),
            left_over_mm: self.left_over_mm(p),
        })
    }

    /// What a bend found still to move near a place beyond what it finds where nothing moved, mm.
    fn left_over_mm(&self, p: Point<Patient>) -> f64 {
        let weight = |at: &Point<Patient>| (-0.5 * (at.distance(p) / BENDS_MM).powi(2)).exp();
        let left_over = self.local.left_over.iter().chain(&self.local.left_over_unseen);
        (root_mean_square(left_over.map(|(at, mm)| (weight(at), *mm))) - BEND_NOISE_MM).max(0.0)
    }

    /// The same for a lesion of the fixed frame as a body.
    pub fn error_near(&self, lesion: &Mask) -> Option<PointError> {
        let every = lesion.n_voxels_set() / N_POINTS + 1;
        let points: Vec<_> = lesion.indices_set().step_by(every).map(|at| lesion.grid().center(at)).collect();
        let errors = points.iter().map(|p| self.error_at(*p)).collect::<Option<Vec<PointError>>>()?;
        let mean = |of: fn(&PointError) -> f64| root_mean_square(errors.iter().map(|e| (1.0, of(e))));
        let is_own = |middle: &Point<Patient>| lesion.grid().nearest(*middle).is_some_and(|at| *lesion.at(at));
        let held = self
            .local
            .held
            .iter()
            .filter(|(middle, _)| is_own(middle) || points.iter().any(|p| p.distance(*middle) < 5.0));
        Some(PointError {
            repeats_mm: mean(|e| e.repeats_mm),
            blocks_mm: mean(|e| e.blocks_mm),
            round_trip_mm: mean(|e| e.round_trip_mm),
            held_mm: held.map(|(_, mm)| *mm).fold(0.0, f64::max),
            unseen_mm: mean(|e| e.unseen_mm),
            left_over_mm: mean(|e| e.left_over_mm),
        })
    }
}

fn nearness(a: Point<Patient>, b: Point<Patient>) -> f64 {
    (-0.5 * (a.distance(b) / SPEAKS_MM).powi(2)).exp()
}

/// The mean at a place, the nearest counting most; 0 where there is none.
pub(super) fn mean_near(values: impl Iterator<Item = (Point<Patient>, f64)>, p: Point<Patient>) -> f64 {
    let (mut weight, mut sum) = (0.0, 0.0);
    for (at, value) in values {
        let w = nearness(at, p).max(f64::MIN_POSITIVE);
        weight += w;
        sum += w * value;
    }
    if weight > 0.0 { sum / weight } else { 0.0 }
}

/// Of weighted lengths; 0 where there is none. Far from all of them the nearest ones speak.
fn root_mean_square(weighted: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (mut weight, mut sum) = (0.0, 0.0);
    for (w, mm) in weighted {
        let w = w.max(f64::MIN_POSITIVE);
        weight += w;
        sum += w * mm * mm;
    }
    if weight > 0.0 { (sum / weight).sqrt() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registration::{BlockResidual, TransformKind};
    use crate::{FrameId, Grid, Shape, Vector};
    use nalgebra::{Matrix3, Rotation3, Vector3};

    fn block(x: f64, mm: f64) -> BlockResidual {
        let displacement = Vector::new(mm, 0.0, 0.0);
        BlockResidual {
            center: Point::new(x, 0.0, 0.0),
            displacement,
            n_directions: 3,
            correlation: 0.95,
            matched: true,
        }
    }

    fn registration() -> Registration {
        let mut r = Registration::identity_same_frame(FrameId::new("f"));
        r.transform = Some(TransformKind::Rigid);
        let turn = *Rotation3::from_euler_angles(0.0, 0.0, 0.02).matrix();
        r.local.repeats = vec![Affine::from_parts(turn, Vector3::zeros())];
        r.blocks = vec![block(0.0, 0.5), block(100.0, 6.0)];
        r
    }

    #[test]
    fn what_is_near_speaks_and_a_turn_counts_more_the_farther_out() {
        let r = registration();
        let [near, far] = [1.0, 99.0].map(|x| r.error_at(Point::new(x, 0.0, 0.0)).unwrap());
        assert!((near.blocks_mm - 0.5).abs() < 0.1 && (far.blocks_mm - 6.0).abs() < 0.1, "{near:?} {far:?}");
        assert!((near.repeats_mm - 0.02).abs() < 1e-3 && (far.repeats_mm - 1.98).abs() < 1e-2, "{near:?} {far:?}");
        assert!(far.sigma() > near.sigma() && near.sigma() >= Mm(LEAST_MM));
        // Nothing near: what there is speaks all the same.
        assert!((r.error_at(Point::new(0.0, 0.0, 9e3)).unwrap().blocks_mm - 4.26).abs() < 0.1);
    }

    #[test]
    fn what_a_bend_finds_and_what_was_not_compared_is_less_certain() {
        let mut r = registration();
        let at = Point::new(0.0, 0.0, 0.0);
        let certain = r.error_at(at).unwrap();
        assert_eq!((certain.unseen_mm, certain.left_over_mm), (0.0, 0.0));
        // The middle of a zone whose surface lies 17 mm away.
        r.local.unseen = Unseen { points: vec![(Point::new(2.0, 0.0, 0.0), 17.0)], reach_mm: 5.0 };
        let open = r.error_at(at).unwrap();
        assert!(open.unseen_mm > 0.6 && open.sigma() > certain.sigma(), "{open:?}");
        assert_eq!(r.error_at(Point::new(20.0, 0.0, 0.0)).unwrap().unseen_mm, 0.0);
        // One part of the liver moved by 8 mm.
        r.local.left_over =
            (-3..=3).map(|n| (Point::new(f64::from(n) * 20.0, 0.0, 0.0), if n == 0 { 8.0 } else { 0.2 })).collect();
        let moved = r.error_at(at).unwrap();
        assert!(moved.left_over_mm > 6.5 && WITHIN_95 * moved.sigma().0 > 8.0, "{moved:?}");
        assert!(r.error_at(Point::new(40.0, 0.0, 0.0)).unwrap().left_over_mm < 0.5);
    }

    #[test]
    fn a_lesion_has_the_error_of_its_place_and_what_failed_has_none() {
        let mut r = registration();
        let shape = Shape { ni: 9, nj: 9, nk: 9 };
        let grid = Grid::from_directions(
            shape,
            Point::new(96.0, -4.0, -4.0),
            [1.0; 3],
            Matrix3::identity(),
            FrameId::new("f"),
        );
        let ball = Mask::from_fn(grid.unwrap(), |at| (at.center().coords - Vector3::repeat(4.0)).norm() <= 3.0);
        r.local.held = vec![(Point::new(100.0, 0.0, 0.0), 2.5), (Point::new(0.0, 0.0, 0.0), 9.0)];
        let error = r.error_near(&ball).unwrap();
        assert!((error.held_mm - 2.5).abs() < 1e-12 && (error.blocks_mm - 6.0).abs() < 0.1, "{error:?}");
        // Nothing seen is not nothing wrong.
        assert_eq!(Registration { blocks: Vec::new(), ..r.clone() }.error_at(Point::new(0.0, 0.0, 0.0)), None);
        r.quality = Quality::Fail;
        assert_eq!(r.error_at(Point::new(0.0, 0.0, 0.0)), None);
        assert_eq!(Registration::identity_same_frame(FrameId::new("f")).error_at(Point::new(0.0, 0.0, 0.0)), None);
    }
}
