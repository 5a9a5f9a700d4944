//! What a straight map leaves over: a bend on top of it tells where a part of the region moved on its own. The map stays as it is.

use super::DeformableRegistration;
use super::deformation::Deformation;
use super::solve::{Search, solve};
use super::step::Exactness;
use crate::registration::level::N_LEVELS;
use crate::registration::options::{Metric, RegistrationError, RegistrationOptions};
use crate::registration::pair::Pair;
use crate::registration::prepared::Prepared;
use crate::registration::quality::MOTION_PASS_MM;
use crate::registration::result::{Quality, Registration};
use crate::{Patient, Point, Volume};

/// Levels of the bend, 8 and 4 mm: the finest one would take longer than the registration itself.
const N_LEVELS_TOLD: usize = N_LEVELS - 1;
/// The level on which points of the region are chosen: 4 mm.
const LEVEL: usize = 1;
/// Points of the region at which it is kept.
const N_POINTS: usize = 2000;
/// So much of the region may lie farther off before a reader should look.
const FORGIVEN: f64 = 0.01;

/// Adds to a rigid or affine registration of two images of one modality how far a bend would still move the tissue of the region; for
/// any other one, and one that failed, nothing is done. Only what was compared is judged: where it moves by more than 5 mm, a map that
/// passed comes to review.
///
/// # Errors
///
/// As for a registration: images without contrast, or options that do not fit them.
pub fn tell_local_motion(
    fixed: &Volume<f32>,
    moving: &Volume<f32>,
    straight: &mut Registration,
    options: &RegistrationOptions<'_>,
) -> Result<(), RegistrationError> {
    if !is_asked(straight, options) {
        return Ok(());
    }
    Pair::new(fixed, moving, options)?.tell_local_motion(straight)
}

fn is_asked(straight: &Registration, options: &RegistrationOptions<'_>) -> bool {
    let is_straight = options.metric == Metric::NormalizedCorrelation && straight.bend.is_none();
    is_straight && straight.quality != Quality::Fail
}

impl Pair<'_> {
    /// Adds to a rigid or affine registration how far a bend would still move the tissue of the region: [`tell_local_motion`].
    pub fn tell_local_motion(&self, straight: &mut Registration) -> Result<(), RegistrationError> {
        if !is_asked(straight, &self.options) {
            return Ok(());
        }
        let prepared = Prepared::for_bending(&self.pyramids, &self.options);
        let affine = straight.fixed_to_moving()?;
        let search = Search { n_levels: N_LEVELS_TOLD, exactness: Exactness::COARSE, stiffness: None };
        let (bend, _) = solve(&prepared, &affine, &[], search);
        let found = Deformation::of(&bend, affine, self.fixed.grid().frame().clone());
        let seen = prepared.samples_seen(LEVEL, N_POINTS, 7, found.affine());
        straight.leaves_over(&found, seen.into_iter().map(|s| Point::from_coords(s.at)).collect());
        Ok(())
    }
}

impl DeformableRegistration {
    /// The straight map it started from, with what the bend would still move: for one that is kept straight.
    #[must_use]
    pub fn told_of(&self, mut straight: Registration) -> Registration {
        let points = self.evidence.local.round_trips.iter().map(|(at, _)| *at);
        let seen = points.filter(|at| !straight.local.unseen.holds(*at)).collect();
        straight.leaves_over(&self.deformation, seen);
        straight
    }
}

impl Registration {
    /// How far a bend would still move what a straight map carried, mm, but for the hundredth of the points compared that it would move
    /// most; `None` where that was not looked for.
    pub fn left_over_farthest_mm(&self) -> Option<f64> {
        farthest(&self.local.left_over).map(|(_, mm)| mm)
    }

    fn leaves_over(&mut self, bend: &Deformation, seen: Vec<Point<Patient>>) {
        let is_told = !self.local.left_over.is_empty();
        let moved = |at: Point<Patient>| (at, bend.displacement(at).norm());
        self.local.left_over = seen.into_iter().map(moved).collect();
        self.local.left_over_unseen = self.local.unseen.points.iter().map(|(at, _)| moved(*at)).collect();
        if let Some((at, mm)) = farthest(&self.local.left_over).filter(|(_, mm)| !is_told && *mm > MOTION_PASS_MM) {
            doubt(self, at, mm);
        }
    }
}

/// The place that lies farthest off but for the few that are forgiven.
fn farthest(left_over: &[(Point<Patient>, f64)]) -> Option<(Point<Patient>, f64)> {
    let mut sorted = left_over.to_vec();
    sorted.sort_by(|a, b| b.1.total_cmp(&a.1));
    sorted.get((FORGIVEN * sorted.len() as f64) as usize).copied()
}

fn doubt(straight: &mut Registration, at: Point<Patient>, mm: f64) {
    let [x, y, z] = at.to_array();
    let text = format!(
        "a bend moves tissue round x {x:.0}, y {y:.0}, z {z:.0} mm by {mm:.1} mm more (pass up to {MOTION_PASS_MM} mm): a part of the region moved on its own"
    );
    straight.quality = straight.quality.max(Quality::Review);
    straight.reasons.insert(0, text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FrameId;

    #[test]
    fn a_doubt_comes_first_and_takes_no_reason_away() {
        let mut passed = Registration::identity_same_frame(FrameId::new("f"));
        let said = passed.reasons.clone();
        doubt(&mut passed, Point::new(1.0, 2.0, 3.0), 6.2);
        assert_eq!(passed.quality, Quality::Review);
        assert!(passed.reasons[0].starts_with("a bend moves tissue round x 1, y 2, z 3 mm by 6.2 mm more"));
        assert_eq!(passed.reasons[1..], said);
    }
}
