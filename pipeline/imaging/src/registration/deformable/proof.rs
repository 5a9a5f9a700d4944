//! What is known about a deformable registration: what is left over, how it stretches tissue, and whether it agrees with itself.

use nalgebra::Vector3;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::deformation::Deformation;
use super::lesion_core::Core;
use super::stretch::{Stretch, cells_of};
use crate::registration::level::N_LEVELS;
use crate::registration::motion::Motion;
use crate::registration::options::{RegistrationError, RegistrationOptions, TransformKind};
use crate::registration::prepared::Prepared;
use crate::registration::quality::add_finding;
use crate::registration::result::{Quality, Registration, Spread};
use crate::registration::verdict::verdict;
use crate::resample::{Interpolation, regrid, resample_mask_through, resample_through};
use crate::{Affine, Grid, Mask, Patient, Point, Volume};

/// Spacing of the carried image that is judged, mm: finer than the finest level of the comparison.
const JUDGED_MM: f64 = 1.5;
/// Points of the region carried there and back.
const N_LANDMARKS: usize = 1000;
/// A liver part whose volume changes beyond this factor between two breaths is not believed; origin: breathing changes volumes
/// of liver parts by less than a third.
const STRETCH_REVIEW: [f64; 2] = [0.4, 2.5];
/// Up to this 95th percentile of points carried there and back, mm.
const ROUND_TRIP_PASS_MM: f64 = 3.0;
/// Beyond this 95th percentile of points carried there and back, mm.
const ROUND_TRIP_FAIL_MM: f64 = 10.0;

/// A deformable map with the evidence for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeformableRegistration {
    /// The map from the fixed to the moving frame.
    pub deformation: Deformation,
    /// The evidence, as for an affine map: what is left over after the deformation, likeness, repeated registrations, verdict.
    /// Its `moving_to_fixed` is the affine part alone.
    pub evidence: Registration,
    /// Verdict on the start.
    pub start_quality: Quality,
    /// Stretch over every cell of the field that the region or a lesion touches.
    pub stretch: Option<Stretch>,
    /// Stretch over the field's other cells: beyond the region nothing but stiffness tells how tissue moves.
    pub stretch_beyond: Option<Stretch>,
    /// Stretch inside the lesions of the fixed image: 1 where they moved as rigid bodies.
    pub lesion_stretch: Option<Stretch>,
    /// How far points miss themselves when carried to the moving image and, by a registration of its own made the other way round
    /// down to 4 mm, back.
    pub round_trip: Option<Spread>,
}

impl DeformableRegistration {
    /// The verdict.
    pub fn quality(&self) -> Quality {
        self.evidence.quality
    }
    /// Why the verdict, one sentence each; never empty.
    pub fn reasons(&self) -> &[String] {
        &self.evidence.reasons
    }
    /// The map and its evidence as one registration.
    #[must_use]
    pub fn into_registration(self) -> Registration {
        Registration { bend: Some(Box::new(self.deformation)), ..self.evidence }
    }

    /// A moving image on a grid of the fixed frame, resampled once.
    pub fn warp_image(
        &self,
        moving: &Volume<f32>,
        like: &Grid,
        interpolation: Interpolation,
        outside: f32,
    ) -> Volume<f32> {
        resample_through(moving, like, |p| self.deformation.apply(p), interpolation, outside)
    }

    /// A moving mask on a grid of the fixed frame.
    pub fn warp_mask(&self, moving: &Mask, like: &Grid) -> Mask {
        resample_mask_through(moving, like, |p| self.deformation.apply(p))
    }
}

/// What the proof looks at.
pub(super) struct Evidence<'a> {
    pub(super) prepared: &'a Prepared<'a>,
    pub(super) fixed: &'a Volume<f32>,
    pub(super) moving: &'a Volume<f32>,
    pub(super) start: &'a Registration,
    pub(super) cores: &'a [Core],
    pub(super) back: &'a Deformation,
}

/// Gathers the evidence for a deformation and judges it.
pub(super) fn prove(
    known: &Evidence<'_>,
    deformation: Deformation,
) -> Result<DeformableRegistration, RegistrationError> {
    let points = |n: usize| known.prepared.samples_drawn(2, n, 7).into_iter().map(|s| s.at);
    let trips: Vec<(Point<Patient>, f64)> = points(N_LANDMARKS)
        .map(|p| {
            let at = Point::from_coords(p);
            (at, known.back.apply(deformation.apply(at)).distance(at))
        })
        .collect();
    let mut evidence = left_over(known, &deformation)?;
    let missed: Vec<f64> = trips.iter().map(|(_, mm)| *mm).collect();
    evidence.local.round_trips = trips;
    evidence.local.held = known.cores.iter().filter_map(|core| core.held(&deformation)).collect();
    evidence.moving_to_fixed = known.start.moving_to_fixed;
    evidence.moving_frame = known.moving.grid().frame().clone();
    evidence.transform = Some(TransformKind::Deformable);
    evidence.metric_before = known.start.metric_after;
    let round_trip = Spread::of(&missed);
    evidence.inverse_consistency_mm = round_trip.map(|s| s.mean_mm);
    let lesions = known.cores.iter().flat_map(|core| core.inside.iter().copied());
    let touched = cells_of(&deformation, known.prepared.region_centers(N_LEVELS - 1).chain(lesions));
    let mut registration = DeformableRegistration {
        stretch: Stretch::over_cells(&deformation, |cell| touched[cell]),
        stretch_beyond: Stretch::over_cells(&deformation, |cell| !touched[cell]),
        lesion_stretch: Stretch::over(known.cores.iter().flat_map(|c| c.inside.iter().copied()), &deformation),
        deformation,
        evidence,
        start_quality: known.start.quality,
        round_trip,
    };
    conclude(&mut registration, known.start.may_be_bent());
    Ok(registration)
}

/// The moving image carried onto the fixed one, and judged as a pair that needs no further motion.
fn left_over(known: &Evidence<'_>, deformation: &Deformation) -> Result<Registration, RegistrationError> {
    let own = &known.prepared.options;
    let spacing = deformation.grid().spacing_mm();
    let grid = regrid(deformation.grid(), spacing.map(|s| s.min(JUDGED_MM)))?;
    let low = known.prepared.moving_range.0;
    let nearest = |p: Point<Patient>| held_within(known.moving.grid(), deformation.apply(p));
    let carried = resample_through(known.moving, &grid, nearest, Interpolation::Linear, low);
    let uncounted = not_comparable(known.moving, own.moving_exclusion, &grid, deformation)?;
    let options = RegistrationOptions {
        moving_exclusion: Some(&uncounted),
        moving_mask: None,
        moving_clamp: Some(known.prepared.moving_range),
        ..*own
    };
    let prepared = Prepared::new(known.fixed, &carried, &options)?;
    verdict(&prepared, known.fixed, &carried, &Affine::identity(), Motion::Rigid, known.start.overlap)
}

/// The nearest point within a grid's voxels. What lies beyond the moving image is not judged, but comparing at 4 mm blurs it into what
/// is: there the border's own values go on, as nothing else would leave them as they are.
fn held_within(grid: &Grid, p: Point<Patient>) -> Point<Patient> {
    let shape = grid.shape();
    let n = [shape.ni, shape.nj, shape.nk];
    let v = grid.patient_to_voxel().apply(p).coords;
    let held = Vector3::from_fn(|a, _| v[a].clamp(0.0, (n[a] - 1) as f64));
    if held == v { p } else { grid.voxel_to_patient().apply(Point::from_coords(held)) }
}

/// Where the carried image cannot be compared: beyond the moving image, and in what is excluded of it.
fn not_comparable(
    moving: &Volume<f32>,
    excluded: Option<&Mask>,
    grid: &Grid,
    deformation: &Deformation,
) -> Result<Mask, RegistrationError> {
    let excluded = excluded.map(|mask| resample_mask_through(mask, grid, |p| deformation.apply(p)));
    let is_out = |linear: usize| {
        let p = deformation.apply(grid.center(grid.shape().index(linear)));
        held_within(moving.grid(), p) != p || excluded.as_ref().is_some_and(|mask| mask.values()[linear])
    };
    let values = (0..grid.shape().n_voxels()).into_par_iter().map(is_out).collect();
    Ok(Mask::from_values(values, grid.clone())?)
}

/// Adds what only a deformation can do wrong to the verdict. A start that failed and may be mended by bending is `bendable`.
fn conclude(r: &mut DeformableRegistration, bendable: bool) {
    let mut findings = Vec::new();
    if r.start_quality == Quality::Fail && !bendable {
        findings.push((
            Quality::Fail,
            "its rigid start failed for more than want of bending, and bending may make anything look alike".to_owned(),
        ));
    }
    if let Some(stretch) = r.stretch {
        let [low, high] = STRETCH_REVIEW;
        let text = format!(
            "tissue is stretched to {:.2} to {:.2} times its volume (pass within {low} to {high}, fail at 0: a fold)",
            stretch.min, stretch.max
        );
        let quality = match (stretch.min, stretch.max) {
            (min, _) if min <= 0.0 => Quality::Fail,
            (min, max) if min < low || max > high => Quality::Review,
            _ => Quality::Pass,
        };
        findings.push((quality, text));
    }
    if let Some(trip) = r.round_trip {
        let p = trip.p95_mm;
        let text = format!(
            "points carried there and back miss themselves by {p:.1} mm at the 95th percentile (pass up to {ROUND_TRIP_PASS_MM} mm, fail above {ROUND_TRIP_FAIL_MM} mm)"
        );
        let quality = match p {
            p if p > ROUND_TRIP_FAIL_MM => Quality::Fail,
            p if p > ROUND_TRIP_PASS_MM => Quality::Review,
            _ => Quality::Pass,
        };
        findings.push((quality, text));
    }
    if let Some(beyond) = r.stretch_beyond.filter(|s| s.min <= 0.0) {
        let text = format!(
            "beyond the region that was compared the map folds (tissue at {:.2} times its volume): nothing carried from there is to be believed",
            beyond.min
        );
        findings.push((Quality::Review, text));
    }
    for finding in findings {
        add_finding(&mut r.evidence, finding);
    }
}
