//! Mean uptake of a lesion, its metabolic tumour volume (MTV) and total lesion glycolysis (TLG).
//!
//! Definition: the mean is that of the PET's voxels whose centres lie inside the lesion's outline. MTV is the volume of those among
//! them that reach a threshold, all of them, whether they hang together or not (the outline says what is the lesion); TLG is their mean
//! times their volume. Thresholds: 41 % and 50 % of the lesion's own SUVmax (Boellaard et al. 2015, EANM guideline 2.0, §7), and SUV
//! 4.0, from which `candidates` counts, too (criteria conventions §4.2).
//! Edge cases: a voxel without a number leaves no value; a lesion smaller than one voxel of the PET has no volume in it; where no voxel
//! reaches SUV 4.0, volume and glycolysis are 0. Uptake that spills over the outline is not counted.
//!
//! Volumes at a share of different SUVmax are never added: a lesion in pieces has its MTV at the fixed threshold alone, where adding
//! means the same as measuring the whole.

use imaging::{Index3, Mm3, Volume};
use serde::{Deserialize, Serialize};

use crate::evaluable::Evaluable;

/// From which uptake a voxel counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetabolicThreshold {
    /// 41 % of the lesion's SUVmax.
    Percent41,
    /// 50 % of the lesion's SUVmax.
    Percent50,
    /// SUVbw 4.0.
    Suv4,
}

impl MetabolicThreshold {
    /// All of them, in the order of the tables.
    pub const ALL: [Self; 3] = [Self::Percent41, Self::Percent50, Self::Suv4];

    /// As it ends the names of quantities: `mtv_41pct`, `tlg_suv4`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Percent41 => "41pct",
            Self::Percent50 => "50pct",
            Self::Suv4 => "suv4",
        }
    }

    /// In words: `41 % of the SUVmax`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Percent41 => "41 % of the SUVmax",
            Self::Percent50 => "50 % of the SUVmax",
            Self::Suv4 => "SUV 4.0",
        }
    }

    /// Whether it is the same uptake for every lesion.
    pub fn is_fixed(self) -> bool {
        self == Self::Suv4
    }

    /// SUVbw from which voxels of a lesion with this SUVmax count.
    pub fn least_suv(self, suv_max: f64) -> f64 {
        match self {
            Self::Percent41 => 0.41 * suv_max,
            Self::Percent50 => 0.50 * suv_max,
            Self::Suv4 => 4.0,
        }
    }
}

/// What of a lesion reaches one threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AboveThreshold {
    /// Which.
    pub threshold: MetabolicThreshold,
    /// Its volume (MTV).
    pub volume: Mm3,
    /// Its mean uptake times its volume (TLG), SUVbw × ml.
    pub glycolysis_suv_ml: f64,
}

/// Mean uptake of a lesion and what of it reaches each threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetabolicVolumes {
    /// Mean over the lesion's outline, SUVbw.
    pub suv_mean: f64,
    /// One for each threshold, in the order of [`MetabolicThreshold::ALL`]; none for a lesion smaller than a voxel of the PET.
    pub above: Evaluable<Vec<AboveThreshold>>,
}

/// Of a PET in SUVbw, the indices of a lesion's voxels there, and the volume of the lesion's outline.
pub fn metabolic_volumes(pet: &Volume<f32>, voxels: &[Index3], outlined: Mm3) -> Evaluable<MetabolicVolumes> {
    let uptake: Vec<f64> = voxels.iter().map(|at| f64::from(*pet.at(*at))).collect();
    if let Some(reason) = without_number(&uptake) {
        return Evaluable::NotEvaluable(reason);
    }
    let voxel_mm3 = pet.grid().voxel_volume_mm3();
    let suv_max = uptake.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let above = |threshold: MetabolicThreshold| {
        let least = threshold.least_suv(suv_max);
        let counted = uptake.iter().filter(|suv| **suv >= least);
        let (n, sum) = counted.fold((0_usize, 0.0), |(n, sum), suv| (n + 1, sum + suv));
        AboveThreshold { threshold, volume: Mm3(n as f64 * voxel_mm3), glycolysis_suv_ml: sum * voxel_mm3 / 1000.0 }
    };
    let above = if outlined.0 < voxel_mm3 {
        Evaluable::not(format!(
            "the lesion's {:.0} mm³ are less than one voxel of the PET ({voxel_mm3:.0} mm³), which has no part in it to outline",
            outlined.0
        ))
    } else {
        Evaluable::Value(MetabolicThreshold::ALL.map(above).to_vec())
    };
    Evaluable::Value(MetabolicVolumes { suv_mean: uptake.iter().sum::<f64>() / uptake.len() as f64, above })
}

/// Why these uptakes have no largest and no mean; `None` where they have.
pub(super) fn without_number(uptake: &[f64]) -> Option<String> {
    let n_without = uptake.iter().filter(|suv| !suv.is_finite()).count();
    if uptake.is_empty() {
        Some("the lesion has no voxel in the PET".to_owned())
    } else {
        (n_without > 0)
            .then(|| format!("{n_without} of the lesion's {} voxels in the PET hold no number", uptake.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use imaging::{FrameId, Grid, Point, Shape};
    use nalgebra::Matrix3;

    fn pet(values: Vec<f32>) -> (Volume<f32>, Vec<Index3>) {
        let shape = Shape { ni: values.len(), nj: 1, nk: 1 };
        let origin = Point::new(-20.0, 3.0, 5.0);
        let grid = Grid::from_directions(shape, origin, [4.0, 4.0, 2.5], Matrix3::identity(), FrameId::new("f"));
        let voxels = (0..values.len()).map(|i| Index3 { i, j: 0, k: 0 }).collect();
        (Volume::from_values(values, grid.unwrap()).unwrap(), voxels)
    }

    #[test]
    fn five_voxels_of_40_mm3_by_hand() {
        // Half of 10 is 5, and 4.1 in single precision lies just below 41 %: three, three and, from 4.0, four voxels, apart or not.
        let (image, voxels) = pet(vec![10.0, 1.0, 5.0, 4.1, 8.0]);
        let found = metabolic_volumes(&image, &voxels, Mm3(200.0));
        let found = found.value().unwrap();
        assert!((found.suv_mean - 5.62).abs() < 1e-6, "{found:?}");
        let rows: Vec<(&str, f64, f64)> = found
            .above
            .value()
            .unwrap()
            .iter()
            .map(|part| (part.threshold.code(), part.volume.0, (part.glycolysis_suv_ml * 1e4).round() / 1e4))
            .collect();
        assert_eq!(rows, [("41pct", 120.0, 0.92), ("50pct", 120.0, 0.92), ("suv4", 160.0, 1.084)]);
    }

    #[test]
    fn the_voxel_at_the_threshold_counts() {
        // 3.28 and more, 4 and more, 4 and more.
        let (image, voxels) = pet(vec![8.0, 4.0, 3.999]);
        let found = metabolic_volumes(&image, &voxels, Mm3(120.0));
        let volumes: Vec<f64> =
            found.value().unwrap().above.value().unwrap().iter().map(|part| part.volume.0).collect();
        assert_eq!(volumes, [120.0, 80.0, 80.0]);
    }

    #[test]
    fn cold_lesions_have_no_volume_at_the_fixed_threshold_and_small_ones_none_at_all() {
        let (image, voxels) = pet(vec![2.0, 1.0]);
        let cold = metabolic_volumes(&image, &voxels, Mm3(80.0));
        let cold = *cold.value().unwrap().above.value().unwrap().last().unwrap();
        assert_eq!((cold.volume, cold.glycolysis_suv_ml), (Mm3(0.0), 0.0));
        let small = metabolic_volumes(&image, &voxels[..1], Mm3(12.0));
        assert!(
            small.value().unwrap().above.reason().unwrap().starts_with("the lesion's 12 mm³ are less than one voxel")
        );
        assert_eq!(small.value().unwrap().suv_mean, 2.0);
    }

    #[test]
    fn a_voxel_without_a_number_leaves_none() {
        let (image, voxels) = pet(vec![2.0, f32::NAN, 9.0]);
        let found = metabolic_volumes(&image, &voxels, Mm3(120.0));
        assert_eq!(found.reason(), Some("1 of the lesion's 3 voxels in the PET hold no number"));
        assert!(metabolic_volumes(&image, &[], Mm3(120.0)).reason().is_some());
    }
}
