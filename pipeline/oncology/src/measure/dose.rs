//! The absorbed dose in a lesion: mean, smallest, largest, what 90, 95 and 98 % of it received at least, and how much received 20 Gy.
//!
//! Definition: the dose is read at the centre of every voxel of the lesion, linearly between the voxels of the dose grid; each voxel
//! of the lesion counts alike. D95 is the largest dose that at least 95 % of the voxels received (ICRU Report 83, 2010, §3.4:
//! D_V), D90 and D98 in the same way; V20Gy is the share of them that received 20 Gy or more, of which Xu et al. 2021 make a completed
//! irradiation. Edge cases: a lesion in another frame of reference, or with a voxel outside the dose grid, is not evaluable: what lies
//! outside received an unknown dose, not none.

use imaging::dose::DoseVolume;
use imaging::resample::{Interpolation, sample};
use imaging::{Mask, Volume};
use serde::{Deserialize, Serialize};

use crate::evaluable::Evaluable;

/// The dose of a completed irradiation, Gy (Xu et al. 2021).
const COMPLETE_GY: f64 = 20.0;

/// The dose in one lesion, Gy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DoseStatistics {
    /// Mean over its voxels.
    pub mean_gy: f64,
    /// Smallest at any voxel.
    pub min_gy: f64,
    /// Largest at any voxel.
    pub max_gy: f64,
    /// Received by at least 95 % of its voxels.
    pub d95_gy: f64,
    /// Received by at least 90 % of its voxels; not there in results of earlier versions.
    #[serde(default)]
    pub d90_gy: Option<f64>,
    /// Received by at least 98 % of its voxels; not there in results of earlier versions.
    #[serde(default)]
    pub d98_gy: Option<f64>,
    /// Share of its voxels that received 20 Gy or more, percent; not there in results of earlier versions.
    #[serde(default)]
    pub v20gy_percent: Option<f64>,
}

/// The dose in a lesion outlined in the same frame of reference; the dose's values are Gy.
pub fn dose_statistics(dose_gy: &Volume<f32>, lesion: &Mask) -> Evaluable<DoseStatistics> {
    if dose_gy.grid().frame() != lesion.grid().frame() {
        return Evaluable::not("the dose lies in another frame of reference than the lesion's outline");
    }
    let to_dose = lesion.grid().voxel_to_patient().then(dose_gy.grid().patient_to_voxel());
    let at = |index: imaging::Index3| sample(dose_gy, to_dose.apply(index.center()), Interpolation::Linear, f32::NAN);
    let doses: Vec<f64> = lesion.indices_set().map(|index| f64::from(at(index))).collect();
    let n = doses.len();
    let n_outside = doses.iter().filter(|gy| gy.is_nan()).count();
    if n_outside > 0 {
        return Evaluable::not(format!("{n_outside} of the lesion's {n} voxels lie outside the dose grid"));
    }
    let Some(dose) = DoseVolume::new(doses) else {
        return Evaluable::not("the lesion's mask is empty, or the dose in it is no number");
    };
    let to_percent = |percent: f64| dose.dose_to_percent_gy(percent);
    Evaluable::Value(DoseStatistics {
        mean_gy: dose.mean_gy(),
        min_gy: to_percent(100.0),
        max_gy: to_percent(0.0),
        d95_gy: to_percent(95.0),
        d90_gy: Some(to_percent(90.0)),
        d98_gy: Some(to_percent(98.0)),
        v20gy_percent: Some(dose.percent_receiving(COMPLETE_GY)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use imaging::{FrameId, Grid, Point, Shape};
    use nalgebra::Matrix3;

    fn grid(n: usize, spacing_mm: f64, frame: &str) -> Grid {
        let shape = Shape { ni: n, nj: n, nk: n };
        let origin = Point::new(-20.0, 3.0, 5.0);
        Grid::from_directions(shape, origin, [spacing_mm; 3], Matrix3::identity(), FrameId::new(frame)).unwrap()
    }

    #[test]
    fn a_ramp_is_read_between_the_voxels_of_the_dose() {
        // 2 Gy a voxel of 4 mm along i: 0.5 Gy/mm. The lesion's 100 voxels of 1 mm lie at 0…9 mm along i, ten at each.
        let dose = Volume::from_fn(grid(4, 4.0, "f"), |at| 2.0 * at.i as f32);
        let lesion = Mask::from_fn(grid(12, 1.0, "f"), |at| at.i < 10 && at.j < 10 && at.k == 2);
        let Evaluable::Value(found) = dose_statistics(&dose, &lesion) else { panic!("it lies in the dose") };
        let expected = DoseStatistics {
            mean_gy: 2.25,
            min_gy: 0.0,
            max_gy: 4.5,
            d95_gy: 0.0,
            // Of 100 voxels 90 received 0.5 Gy or more.
            d90_gy: Some(0.5),
            d98_gy: Some(0.0),
            v20gy_percent: Some(0.0),
        };
        assert_eq!(found, expected);
        // Without six of the first ten voxels: of 94 voxels 90 (95.7 %) received 0.5 Gy or more.
        let fewer =
            Mask::from_fn(grid(12, 1.0, "f"), |at| at.i < 10 && at.j < 10 && at.k == 2 && (at.i > 0 || at.j < 4));
        assert_eq!(dose_statistics(&dose, &fewer).value().unwrap().d95_gy, 0.5);
        // Ten times the dose: 5 Gy a mm, 20 Gy from i = 4 on, in 60 of the 100.
        let tenfold = Volume::from_fn(grid(4, 4.0, "f"), |at| 20.0 * at.i as f32);
        let found = *dose_statistics(&tenfold, &lesion).value().unwrap();
        assert_eq!((found.v20gy_percent, found.d90_gy, found.d98_gy), (Some(60.0), Some(5.0), Some(0.0)));
        // Without nine of the ten coldest: of 91 voxels one received nothing, which 98 % of them (89.2, so 90) exceeded.
        let fewer =
            Mask::from_fn(grid(12, 1.0, "f"), |at| at.i < 10 && at.j < 10 && at.k == 2 && (at.i > 0 || at.j < 1));
        assert_eq!(dose_statistics(&tenfold, &fewer).value().unwrap().d98_gy, Some(5.0));
    }

    #[test]
    fn what_lies_outside_or_in_another_frame_is_not_evaluable() {
        let dose = Volume::filled(grid(4, 4.0, "f"), 2.0);
        let outside = Mask::from_fn(grid(20, 1.0, "f"), |at| at.i == 18 && at.j < 2 && at.k == 0);
        assert_eq!(
            dose_statistics(&dose, &outside).reason().unwrap(),
            "2 of the lesion's 2 voxels lie outside the dose grid"
        );
        assert!(dose_statistics(&dose, &Mask::filled(grid(4, 1.0, "g"), true)).reason().is_some());
        assert!(dose_statistics(&dose, &Mask::filled(grid(4, 1.0, "f"), false)).reason().is_some());
    }
}
