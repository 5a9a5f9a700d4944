//! Dose coverage of a target from the doses of its voxels.
//!
//! Source: cumulative dose-volume histogram with order statistics, no interpolation between voxels: D90 is
//! the largest dose that at least 90 % of the volume receives.

/// The doses of equal voxels of one target.
#[derive(Debug, Clone, PartialEq)]
pub struct DoseVolume {
    ascending_gy: Vec<f64>,
}

/// Numerical slack when a share of voxels is counted: 90 % of 10 voxels are 9, whatever 0.9 × 10 rounds to.
const COUNT_TOLERANCE: f64 = 1e-9;

impl DoseVolume {
    /// From the dose of every voxel in Gy; `None` when there is none or one is not a finite number.
    #[must_use]
    pub fn new(mut doses_gy: Vec<f64>) -> Option<Self> {
        if doses_gy.is_empty() || !doses_gy.iter().all(|d| d.is_finite()) {
            return None;
        }
        doses_gy.sort_by(f64::total_cmp);
        Some(Self { ascending_gy: doses_gy })
    }

    /// The largest dose in Gy that at least `percent` (0…100) of the volume receives; D100 is the minimum.
    pub fn dose_to_percent_gy(&self, percent: f64) -> f64 {
        let n = self.ascending_gy.len();
        let n_receiving = (percent.clamp(0.0, 100.0) / 100.0 * n as f64 - COUNT_TOLERANCE).ceil().max(1.0) as usize;
        self.ascending_gy[n - n_receiving.min(n)]
    }

    /// Share of the volume, in percent, that receives at least a dose in Gy.
    pub fn percent_receiving(&self, dose_gy: f64) -> f64 {
        let n_below = self.ascending_gy.partition_point(|d| *d < dose_gy);
        100.0 * (self.ascending_gy.len() - n_below) as f64 / self.ascending_gy.len() as f64
    }

    /// Mean dose in Gy.
    pub fn mean_gy(&self) -> f64 {
        self.ascending_gy.iter().sum::<f64>() / self.ascending_gy.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_voxels_of_the_worked_case() {
        let cases: Vec<serde_json::Value> =
            serde_json::from_str(include_str!("../../../test_data/criteria/margin.json")).unwrap();
        let case = cases.iter().find(|c| c["input"]["doses_gy"].is_array()).unwrap();
        let doses = case["input"]["doses_gy"].as_array().unwrap().iter().map(|d| d.as_f64().unwrap()).collect();
        let dose = DoseVolume::new(doses).unwrap();
        let expected = |key: &str| case["expected"][key].as_f64().unwrap();
        assert_eq!(dose.dose_to_percent_gy(100.0), expected("d100_gy"));
        assert_eq!(dose.dose_to_percent_gy(90.0), expected("d90_gy"));
        assert_eq!(dose.percent_receiving(20.0), expected("v20gy_pct"));
        assert!((dose.mean_gy() - 38.19).abs() < 1e-9);
        assert!(DoseVolume::new(Vec::new()).is_none() && DoseVolume::new(vec![f64::NAN]).is_none());
    }
}
