//! How values of an image are stored for the viewer, and the window it is shown in.

use imaging::intensity;

/// Steps in which HU are stored. Below the noise of any CT, and a narrow liver window still has 75 greys.
const HU_STEP: f32 = 2.0;
/// Steps in which uptake is stored: 250 greys up to SUV 10.
const SUV_STEP: f32 = 0.04;
/// Window of uptake, SUV.
const SUV_WINDOW: [f64; 2] = [0.0, 10.0];
/// Percentiles of the image between which other images are shown.
const WINDOW_PERCENT: [f64; 2] = [2.0, 98.0];
/// Greys between these percentiles.
const N_GREYS: f64 = 250.0;

/// How an image is stored and shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    /// One step of what is stored, in the image's unit.
    pub(super) step: f32,
    /// Where black and white lie, in the image's unit.
    pub(super) window: [f64; 2],
}

impl Scale {
    /// Of an image with these values on the viewer's grid.
    pub(super) fn of(unit: &str, values: &[f32]) -> Self {
        let seen: Vec<f32> = values.iter().copied().filter(|value| *value != outside(unit)).collect();
        let range = intensity::percentiles(&seen, &WINDOW_PERCENT).filter(|range| range[1] > range[0]);
        let window = range.map_or([0.0, 1.0], |range| [range[0], range[1]]);
        match unit {
            "HU" => Self { step: HU_STEP, window },
            unit if is_suv(unit) => Self { step: SUV_STEP, window: SUV_WINDOW },
            _ => Self { step: ((window[1] - window[0]) / N_GREYS) as f32, window },
        }
    }

    /// The number that is stored for a value.
    pub(super) fn stored(self, value: f32) -> i16 {
        // Rust's conversion ends at the type's ends.
        (value / self.step).round() as i16
    }
}

fn is_suv(unit: &str) -> bool {
    unit.starts_with("SUV")
}

/// What stands where the image does not reach: air.
pub(super) fn outside(unit: &str) -> f32 {
    if unit == "HU" { -1024.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_within_half_a_step_and_end_at_the_ends() {
        let mr: Vec<f32> = (0..=1000).map(|v| v as f32).collect();
        for (unit, step) in [("HU", 2.0), ("SUVbw", 0.04), ("stored", 3.84)] {
            let scale = Scale::of(unit, &mr);
            assert!((scale.step - step).abs() < 0.05, "{unit} {scale:?}");
            for value in [-37.3, 0.0, 5.31, 801.9] {
                assert!((f32::from(scale.stored(value)) * scale.step - value).abs() <= 0.5 * scale.step + 1e-4);
            }
            assert_eq!((scale.stored(1e9), scale.stored(-1e9)), (i16::MAX, i16::MIN));
        }
        assert_eq!(Scale::of("SUVbw", &mr).window, SUV_WINDOW);
        assert_eq!(Scale::of("stored", &[0.0; 8]).window, [0.0, 1.0], "nothing to see");
    }
}
