//! Two registrations gone through one after the other, as one: for a pair that cannot be registered directly and whose images can both
//! be registered to a third one.
//!
//! The map is composed once, so that images are resampled once. Errors of the two are independent and add in quadrature.

use super::block::BlockResidual;
use super::deformable::{Deformation, corners, kept_over};
use super::options::TransformKind;
use super::point_error::LocalEvidence;
use super::result::{Quality, Registration, Spread};
use crate::{GridError, Patient, Point, Vector};

impl Registration {
    /// This map, from a middle image to the fixed one, after `last`, from the moving image to the middle one. The verdict is *review* at
    /// best: that the direct way could not be taken has a reason that nobody has looked at. Refused where `last` does not lead to the
    /// frame of the middle image, or a map cannot be turned round.
    pub fn after(&self, last: &Self) -> Result<Self, GridError> {
        if last.fixed_frame != self.moving_frame {
            let (expected, found) = (self.moving_frame.clone(), last.fixed_frame.clone());
            return Err(GridError::OtherFrame { expected, found });
        }
        let moving_to_fixed = last.moving_to_fixed.then(&self.moving_to_fixed);
        let bend = self.bent_after(last)?.map(Box::new);
        let transform =
            if bend.is_some() { Some(TransformKind::Deformable) } else { last.transform.or(self.transform) };
        Ok(Self {
            moving_to_fixed,
            bend,
            fixed_frame: self.fixed_frame.clone(),
            moving_frame: last.moving_frame.clone(),
            transform,
            metric: last.metric,
            quality: self.quality.max(last.quality).max(Quality::Review),
            reasons: self.reasons.iter().chain(&last.reasons).cloned().collect(),
            metric_before: None,
            metric_after: None,
            overlap: least(self.overlap, last.overlap),
            inverse_consistency_mm: both(self.inverse_consistency_mm, last.inverse_consistency_mm)
                .map(|[a, b]| a.hypot(b)),
            estimated_error: both(self.estimated_error, last.estimated_error).map(added),
            residual: both(self.residual, last.residual).map(added),
            matched_blocks: least(self.matched_blocks, last.matched_blocks),
            blocks: self.blocks.iter().copied().chain(last.blocks.iter().map(|block| self.carried(block))).collect(),
            local: LocalEvidence { held: self.held_of(last), ..LocalEvidence::default() },
            links: vec![self.without_links_bend(), last.without_links_bend()],
        })
    }

    /// The bent part; `None` where both maps are straight.
    fn bent_after(&self, last: &Self) -> Result<Option<Deformation>, GridError> {
        if self.bend.is_none() && last.bend.is_none() {
            return Ok(None);
        }
        let of_first = self.bend.iter().flat_map(|bend| corners(bend.grid()));
        let of_last = last.bend.iter().flat_map(|bend| corners(bend.grid()));
        let of_last = of_last.map(|p| self.to_fixed(Point::from_coords(p)).coords);
        let points: Vec<_> = of_first.chain(of_last).collect();
        let linear = self.fixed_to_moving()?.then(&last.fixed_to_moving()?);
        let map = |p: Point<Patient>| {
            // Both linear parts can be turned round, as `linear` above shows.
            self.to_moving(p).and_then(|middle| last.to_moving(middle)).unwrap_or_else(|| linear.apply(p))
        };
        kept_over(&points, self.fixed_frame.clone(), linear, map).map(Some)
    }

    fn carried(&self, block: &BlockResidual) -> BlockResidual {
        let displacement = self.moving_to_fixed.linear() * block.displacement.coords;
        let displacement = Vector::new(displacement.x, displacement.y, displacement.z);
        BlockResidual { center: self.to_fixed(block.center), displacement, ..*block }
    }

    fn held_of(&self, last: &Self) -> Vec<(Point<Patient>, f64)> {
        let of_last = last.local.held.iter().map(|(middle, mm)| (self.to_fixed(*middle), *mm));
        self.local.held.iter().copied().chain(of_last).collect()
    }

    /// With all that is known of its error, without the field itself: the chain holds what becomes of both.
    fn without_links_bend(&self) -> Self {
        Self { bend: None, ..self.clone() }
    }
}

fn both<T>(a: Option<T>, b: Option<T>) -> Option<[T; 2]> {
    Some([a?, b?])
}

fn least(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    both(a, b).map(|[a, b]| a.min(b))
}

fn added([a, b]: [Spread; 2]) -> Spread {
    let sum = |of: fn(&Spread) -> f64| of(&a).hypot(of(&b));
    Spread { mean_mm: sum(|s| s.mean_mm), p95_mm: sum(|s| s.p95_mm), max_mm: sum(|s| s.max_mm), n: a.n.min(b.n) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Affine, FrameId, Grid, Shape};
    use nalgebra::{Matrix3, Rotation3, Vector3};

    /// A turn and a shift between two frames, with an error of `mm` and, where asked for, a swelling about the origin.
    fn link([fixed, moving]: [&str; 2], angle: f64, mm: f64, is_bent: bool) -> Registration {
        let turn = *Rotation3::from_euler_angles(angle, 0.3 * angle, -angle).matrix();
        let fixed_to_moving = Affine::from_parts(turn, Vector3::new(30.0 * angle, -4.0, 9.0));
        let rows = [[6.0, 0.0, 0.0, -60.0], [0.0, 6.0, 0.0, -60.0], [0.0, 0.0, 6.0, -60.0], [0.0, 0.0, 0.0, 1.0]];
        let shape = Shape { ni: 21, nj: 21, nk: 21 };
        let grid = Grid::new(shape, Affine::from_rows(rows).unwrap(), FrameId::new(fixed)).unwrap();
        let field = |n: usize| {
            let p = grid.center(shape.index(n)).coords;
            let u = p * (0.15 * (-(p.norm() / 30.0).powi(2)).exp());
            [u.x as f32, u.y as f32, u.z as f32]
        };
        let bend =
            || Deformation::new(grid.clone(), (0..shape.n_voxels()).map(field).collect(), fixed_to_moving).unwrap();
        let block = BlockResidual {
            center: Point::new(0.0, 0.0, 0.0),
            displacement: Vector::new(0.0, mm, 0.0),
            n_directions: 3,
            correlation: 0.9,
            matched: true,
        };
        Registration {
            moving_frame: FrameId::new(moving),
            moving_to_fixed: fixed_to_moving.inverse().unwrap(),
            bend: is_bent.then(|| Box::new(bend())),
            transform: Some(TransformKind::Rigid),
            estimated_error: Spread::of(&[mm]),
            blocks: vec![block],
            local: LocalEvidence {
                repeats: vec![Affine::from_parts(Matrix3::identity(), Vector3::new(mm, 0.0, 0.0))],
                ..LocalEvidence::default()
            },
            ..Registration::identity_same_frame(FrameId::new(fixed))
        }
    }

    #[test]
    fn points_go_through_both_maps_whichever_bends() {
        for bends in [[false, false], [true, false], [false, true], [true, true]] {
            let (first, last) = (link(["a", "b"], 0.1, 1.0, bends[0]), link(["b", "c"], -0.25, 1.0, bends[1]));
            let chain = first.after(&last).unwrap();
            assert_eq!((chain.fixed_frame.as_str(), chain.moving_frame.as_str()), ("a", "c"));
            assert_eq!(chain.bend.is_some(), bends[0] || bends[1]);
            for n in 0..40 {
                let at = |k: i32| f64::from(n * k % 41) - 20.0;
                let p = Point::new(at(7), at(11), at(17));
                let expected = last.to_moving(first.to_moving(p).unwrap()).unwrap();
                let found = chain.to_moving(p).unwrap();
                assert!(found.distance(expected) < 0.15, "{bends:?} {p:?}: {found:?} {expected:?}");
                assert!(chain.to_fixed(expected).distance(p) < 0.2, "{bends:?} {p:?}");
            }
        }
    }

    #[test]
    fn errors_add_in_quadrature_and_a_reader_is_to_look() {
        let (first, last) = (link(["a", "b"], 0.1, 3.0, false), link(["b", "c"], -0.2, 4.0, true));
        let chain = first.after(&last).unwrap();
        let (p, there) = (Point::new(5.0, 2.0, -8.0), first.to_moving(Point::new(5.0, 2.0, -8.0)).unwrap());
        let variance = |r: &Registration, p| r.error_at(p).unwrap().sigma().0.powi(2);
        // The least error, which is there even where nothing speaks of one, counts once.
        let expected = variance(&first, p) + variance(&last, there) - 0.01;
        assert!((variance(&chain, p) - expected).abs() < 1e-9, "{} {expected}", variance(&chain, p));
        assert_eq!(chain.estimated_error.unwrap().mean_mm, 5.0);
        assert_eq!(chain.quality, Quality::Review);
        assert_eq!(chain.blocks.len(), 2);
        assert!(matches!(last.after(&first), Err(GridError::OtherFrame { .. })));
        let failed = Registration { quality: Quality::Fail, ..last };
        assert_eq!(first.after(&failed).unwrap().quality, Quality::Fail);
    }
}
