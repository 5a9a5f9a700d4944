//! A bent map made elsewhere (elastix, ANTs, greedy), judged as if it had been found here.
//!
//! Other programs compare tumour and ablation zone like any tissue and bend the one onto the other, which alters the margin between
//! them at errors of landmarks below a millimetre. So beside all that is asked of a map of our own, one made elsewhere has to show that
//! it leaves lesions their shape.

use nalgebra::Vector3;

use super::cores;
use super::deformation::Deformation;
use super::kept_over::{corners, kept_over};
use super::lesion_core::Core;
use super::proof::{DeformableRegistration, Evidence, prove};
use super::refuse_two_modalities;
use crate::registration::level::N_LEVELS;
use crate::registration::options::RegistrationError;
use crate::registration::pair::Pair;
use crate::registration::prepared::Prepared;
use crate::registration::quality::add_finding;
use crate::registration::result::Quality;
use crate::registration::rigid_fit::rigid_fit;
use crate::{Affine, GridError, Point};

/// Points of the region that tell the rigid part of the map.
const N_FIT: usize = 4000;
/// A lesion is left its shape up to this distance of its points from its own rigid motion (95th percentile), mm: a fifth of the margin
/// that is asked for.
const SHAPE_PASS_MM: f64 = 1.0;
/// Beyond this it was bent onto something else, mm.
const SHAPE_FAIL_MM: f64 = 3.0;
/// Part of the region that the map may leave out before it has to be looked at.
const REACH_PASS: f64 = 0.99;
/// Distance, mm, by which a map may differ on the nodes it is kept on before that is said.
const KEPT_PASS_MM: f64 = 0.5;

impl Pair<'_> {
    /// Judges a map from the fixed to the moving frame that was made elsewhere: its rigid part as a start, then all that is asked of
    /// [`super::register_deformable`], whether it leaves lesions their shape, and whether it reaches all that is compared. Refused:
    /// mutual information (one modality only).
    pub fn judge_deformation(&self, map: &Deformation) -> Result<DeformableRegistration, RegistrationError> {
        refuse_two_modalities(&self.options)?;
        let prepared = Prepared::for_bending(&self.pyramids, &self.options);
        let points: Vec<Vector3<f64>> =
            prepared.samples_drawn(N_LEVELS - 1, N_FIT, 11).into_iter().map(|s| s.at).collect();
        let carried = |p: &Vector3<f64>| map.apply(Point::from_coords(*p)).coords;
        let there: Vec<Vector3<f64>> = points.iter().map(carried).collect();
        let (rotation, shift) = rigid_fit(&points, &there).ok_or(GridError::Singular)?;
        let rigid = Affine::from_parts(rotation, shift);
        let start = self.judge(&rigid.inverse().ok_or(GridError::Singular)?)?;
        let frame = self.fixed.grid().frame().clone();
        let deformation = kept_over(&corners(self.fixed.grid()), frame, rigid, |p| map.apply(p))?;
        let cores = cores(self.options.fixed_exclusion)?;
        let back = self.back(&prepared, &rigid, None)?;
        let (fixed, moving) = (&*self.fixed, &*self.moving);
        let known = Evidence { prepared: &prepared, fixed, moving, start: &start, cores: &cores, back: &back };
        let mut judged = prove(&known, deformation)?;
        let reached = points.iter().filter(|p| map.reaches(Point::from_coords(**p))).count() as f64;
        let missed = |p: &Vector3<f64>| (judged.deformation.apply(Point::from_coords(*p)).coords - carried(p)).norm();
        let apart_mm = points.iter().map(missed).fold(0.0, f64::max);
        let findings = [
            shape_kept(&cores, &judged.deformation),
            all_reached(reached / points.len() as f64),
            lesions_reached(&cores, map),
            (apart_mm > KEPT_PASS_MM).then(|| {
                let text = format!(
                    "the map given is finer than the nodes it is kept on: it differs by up to {apart_mm:.1} mm (pass up to {KEPT_PASS_MM} mm)"
                );
                (Quality::Review, text)
            }),
        ];
        for finding in findings.into_iter().flatten() {
            add_finding(&mut judged.evidence, finding);
        }
        Ok(judged)
    }
}

/// How far the points of a lesion lie from where its own rigid motion would put them.
fn shape_kept(cores: &[Core], deformation: &Deformation) -> Option<(Quality, String)> {
    let p95 = cores.iter().filter_map(|core| core.bent_mm(deformation)).fold(0.0, f64::max);
    let text = format!(
        "the map given bends a lesion: its points lie {p95:.1} mm from its own rigid motion (95th percentile; pass up to {SHAPE_PASS_MM} mm, fail above {SHAPE_FAIL_MM} mm), which alters its margin"
    );
    match p95 {
        p if p > SHAPE_FAIL_MM => Some((Quality::Fail, text)),
        p if p > SHAPE_PASS_MM => Some((Quality::Review, text)),
        _ => None,
    }
}

/// A lesion that lies beyond the field would be carried by what holds elsewhere.
fn lesions_reached(cores: &[Core], map: &Deformation) -> Option<(Quality, String)> {
    let missed = cores.iter().filter(|core| !core.inside.iter().all(|p| map.reaches(Point::from_coords(*p)))).count();
    let text = format!("the map given does not reach {missed} of {} lesions whole", cores.len());
    (missed > 0).then_some((Quality::Fail, text))
}

fn all_reached(part: f64) -> Option<(Quality, String)> {
    let text = format!(
        "the map given reaches {:.0} % of the region to compare (pass from {:.0} %); beyond it its border goes on",
        100.0 * part,
        100.0 * REACH_PASS
    );
    (part < REACH_PASS).then_some((Quality::Review, text))
}
