//! What a registration hands on: the map, the frames it joins, and what is known about its error.

use serde::{Deserialize, Serialize};

use super::block::BlockResidual;
use super::deformable::Deformation;
use super::options::{Metric, TransformKind};
use super::point_error::LocalEvidence;
use crate::{Affine, FrameId, GridError, InFrame, Patient, Point};

/// Whether measurements may be carried through a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// Fits within the thresholds of this module.
    Pass,
    /// A person must look before a number is used.
    Review,
    /// Must not be used.
    Fail,
}

/// A distribution of distances, mm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Mean, mm.
    pub mean_mm: f64,
    /// 95th percentile (nearest rank), mm.
    pub p95_mm: f64,
    /// Largest, mm.
    pub max_mm: f64,
    /// Number of distances.
    pub n: usize,
}

impl Spread {
    /// Of a list of distances; `None` when it is empty.
    pub fn of(distances_mm: &[f64]) -> Option<Self> {
        let mut sorted = distances_mm.to_vec();
        sorted.sort_by(f64::total_cmp);
        let max_mm = *sorted.last()?;
        let rank = ((0.95 * sorted.len() as f64).ceil() as usize).clamp(1, sorted.len());
        let mean_mm = sorted.iter().sum::<f64>() / sorted.len() as f64;
        Some(Self { mean_mm, p95_mm: sorted[rank - 1], max_mm, n: sorted.len() })
    }
}

/// A map from the moving to the fixed frame of reference, with the evidence for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Registration {
    /// Carries a point of the moving image to the place of the same tissue in the fixed image (LPS, mm): all of the map, or where
    /// it bends, its linear part. Ask [`Self::to_fixed`] and [`Self::to_moving`], which know both.
    pub moving_to_fixed: Affine<Patient, Patient>,
    /// The bent map, from the fixed to the moving frame; `None` where one matrix says all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bend: Option<Box<Deformation>>,
    /// Frame of reference of the fixed image.
    pub fixed_frame: FrameId,
    /// Frame of reference of the moving image.
    pub moving_frame: FrameId,
    /// The family of maps; `None` for images that share a frame of reference.
    pub transform: Option<TransformKind>,
    /// The likeness used; `None` for images that share a frame of reference.
    pub metric: Option<Metric>,
    /// The verdict.
    pub quality: Quality,
    /// Why the verdict, one sentence each; never empty.
    pub reasons: Vec<String>,
    /// Likeness with the headers' positions as they are; `None` where the images then do not overlap enough.
    pub metric_before: Option<f64>,
    /// Likeness after registration; `None` for images that share a frame of reference.
    pub metric_after: Option<f64>,
    /// Part of the region to compare that the moving image covers, 0 to 1.
    pub overlap: Option<f64>,
    /// Mean distance by which points of the region miss themselves when carried there and, by a registration of its own made
    /// the other way round, back, in mm.
    pub inverse_consistency_mm: Option<f64>,
    /// How far points of the region move when the registration starts from elsewhere or the other way round, in mm. It does not
    /// know what every start gets wrong alike: on synthetic livers (see [`super::RESIDUAL_PASS_MM`]) errors lie within 2.80 σ, where
    /// 95 % of an isotropic three-dimensional error of σ per axis lie, with σ² = mean² + (mean residual / 2)², for 98 and 93 % of
    /// the landmarks (seeds 1–6, 7–12); with a large deformation for 56 and 59 % only.
    pub estimated_error: Option<Spread>,
    /// What blocks of the region still want to move after the registration, in mm: local, non-rigid deformation.
    pub residual: Option<Spread>,
    /// Part of the blocks with structure in which the two images agree, 0 to 1.
    pub matched_blocks: Option<f64>,
    /// The blocks themselves, in the fixed frame.
    pub blocks: Vec<BlockResidual>,
    /// What else speaks of the error at a place.
    #[serde(default)]
    pub local: LocalEvidence,
    /// The registrations this one goes through, from the fixed frame on, without their bends; empty where it is a direct one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Self>,
}

impl Registration {
    /// Two images that share a frame of reference need no map.
    pub fn identity_same_frame(frame: FrameId) -> Self {
        Self {
            moving_to_fixed: Affine::identity(),
            bend: None,
            fixed_frame: frame.clone(),
            moving_frame: frame,
            transform: None,
            metric: None,
            quality: Quality::Pass,
            reasons: vec!["same frame of reference".to_owned()],
            metric_before: None,
            metric_after: None,
            overlap: None,
            inverse_consistency_mm: None,
            estimated_error: None,
            residual: None,
            matched_blocks: None,
            blocks: Vec::new(),
            local: LocalEvidence::default(),
            links: Vec::new(),
        }
    }

    /// Carries a point of the moving frame into the fixed frame; refuses a point of any other frame.
    pub fn carry(&self, point: &InFrame<Point<Patient>>) -> Result<InFrame<Point<Patient>>, GridError> {
        let moving = point.get(&self.moving_frame)?;
        Ok(InFrame::new(self.fixed_frame.clone(), self.to_fixed(*moving)))
    }

    /// Whether the moving image lies where the headers put it, in the fixed image's own frame of reference.
    pub fn is_as_placed(&self) -> bool {
        self.bend.is_none() && self.fixed_frame == self.moving_frame && self.moving_to_fixed == Affine::identity()
    }

    /// The linear part of the map from the fixed to the moving frame; refused when it cannot be inverted.
    pub fn fixed_to_moving(&self) -> Result<Affine<Patient, Patient>, GridError> {
        self.moving_to_fixed.inverse().ok_or(GridError::Singular)
    }

    /// How much a volume grows when carried by the linear part: its determinant (1 for a rigid one).
    pub fn jacobian(&self) -> f64 {
        self.moving_to_fixed.linear().determinant()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_95th_percentile_of_twenty_distances_is_the_nineteenth() {
        let distances: Vec<f64> = (1..=20).rev().map(f64::from).collect();
        let spread = Spread::of(&distances).unwrap();
        assert_eq!((spread.mean_mm, spread.p95_mm, spread.max_mm, spread.n), (10.5, 19.0, 20.0, 20));
        assert!(Spread::of(&[]).is_none());
    }

    #[test]
    fn a_point_of_another_frame_is_not_carried() {
        let same = Registration::identity_same_frame(FrameId::new("1.2.3"));
        let here = InFrame::new(FrameId::new("1.2.3"), Point::new(1.0, 2.0, 3.0));
        assert_eq!(same.carry(&here).unwrap(), here);
        let elsewhere = InFrame::new(FrameId::new("1.2.4"), Point::new(1.0, 2.0, 3.0));
        assert!(matches!(same.carry(&elsewhere), Err(GridError::OtherFrame { .. })));
        assert_eq!((same.quality, same.reasons[0].as_str()), (Quality::Pass, "same frame of reference"));
    }
}
