//! Rows of what an ADC map says of a lesion.

use oncology::measure::diffusion::Diffusion;
use oncology::{Evaluable, MeasurementRow};

use super::number;

/// Significant digits: some maps are in 10^-6 mm²/s, some in mm²/s.
const N_DIGITS: i32 = 5;

/// Quantity, how it is made, and the number.
type Column = (&'static str, &'static str, fn(&Diffusion) -> f64);

/// Mean, smallest value, 10th percentile, median, 90th percentile and largest value, in the map's unit.
pub(super) fn rows(blank: &MeasurementRow, found: &Evaluable<Diffusion>) -> Vec<MeasurementRow> {
    let of: [Column; 6] = [
        ("adc_mean", "mean of the outline's voxels", |d| d.mean),
        ("adc_min", "smallest of the outline's voxels", |d| d.min),
        ("adc_p10", "10th percentile of the outline's voxels", |d| d.p10),
        ("adc_median", "median of the outline's voxels", |d| d.median),
        ("adc_p90", "90th percentile of the outline's voxels", |d| d.p90),
        ("adc_max", "largest of the outline's voxels", |d| d.max),
    ];
    let row = |(quantity, method, value): Column| {
        let row = number(blank, quantity, "as stored", method, &found.clone().map(|_| 0.0));
        match found.value() {
            Some(found) => MeasurementRow { value: Some(rounded(value(found))), reason: doubt(found), ..row },
            None => row,
        }
    };
    of.into_iter().map(row).collect()
}

fn doubt(found: &Diffusion) -> String {
    let Diffusion { n_not_computed, n_voxels, .. } = found;
    if *n_not_computed == 0 {
        return String::new();
    }
    format!(
        "{n_not_computed} of its {n_voxels} voxels hold 0 or less, as maps do where no ADC was computed; they are counted"
    )
}

fn rounded(value: f64) -> f64 {
    if value == 0.0 {
        return 0.0;
    }
    let scale = 10_f64.powi(N_DIGITS - 1 - value.abs().log10().floor() as i32);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_digits_are_kept_in_any_unit() {
        for (value, expected) in [
            (0.001_234_567, 0.001_234_6),
            (1_234.567, 1_234.6),
            (-987.654_321, -987.65),
            (0.0, 0.0),
            (99_999.6, 100_000.0),
        ] {
            assert!((rounded(value) - expected).abs() <= 1e-12 * value.abs(), "{value}: {}", rounded(value));
        }
    }
}
