//! A straight scale from values to pixels, its round ticks, and labels kept apart.

/// A linear scale.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// Value at the first pixel, value at the last.
    pub(crate) values: [f64; 2],
    /// First pixel, last pixel (for y axes the first is the lower, larger one).
    pub(crate) pixels: [f64; 2],
}

impl Scale {
    /// Pixel of a value; a scale without extent maps everything to its first pixel.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let span = self.values[1] - self.values[0];
        if span == 0.0 {
            return self.pixels[0];
        }
        self.pixels[0] + (value - self.values[0]) / span * (self.pixels[1] - self.pixels[0])
    }

    /// Round values on the scale, about `wanted` of them: steps of 1, 2, 2.5 or 5 times a power of ten.
    pub(crate) fn ticks(&self, wanted: u32) -> Vec<f64> {
        let [low, high] = self.values;
        let rough = (high - low) / f64::from(wanted.max(1));
        if rough <= 0.0 {
            return vec![low];
        }
        let power = 10_f64.powf(rough.log10().floor());
        let step =
            [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().find(|step| step * power >= rough - 1e-12).unwrap_or(10.0) * power;
        let first = (low / step - 1e-9).ceil() as i64;
        let last = (high / step + 1e-9).floor() as i64;
        (first..=last).map(|n| n as f64 * step).collect()
    }
}

/// Puts labels of the given centres and widths on as few levels as keep them apart; returns each one's level.
pub(crate) fn levels(centres_and_widths: &[(f64, f64)]) -> Vec<usize> {
    let mut ends: Vec<f64> = Vec::new();
    centres_and_widths
        .iter()
        .map(|&(centre, width)| {
            let start = centre - width / 2.0;
            let level = ends.iter().position(|&end| end <= start).unwrap_or(ends.len());
            if level == ends.len() {
                ends.push(f64::NEG_INFINITY);
            }
            ends[level] = start + width + 8.0;
            level
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let scale = Scale { values: [-37.0, 61.0], pixels: [200.0, 0.0] };
        assert_eq!(scale.ticks(5), vec![-20.0, 0.0, 20.0, 40.0, 60.0]);
        assert_eq!(scale.at(-37.0), 200.0);
        assert_eq!(scale.at(12.0), 100.0);
    }

    #[test]
    fn labels_that_would_touch_go_to_different_levels() {
        assert_eq!(levels(&[(10.0, 20.0), (25.0, 20.0), (60.0, 20.0)]), vec![0, 1, 0]);
    }
}
