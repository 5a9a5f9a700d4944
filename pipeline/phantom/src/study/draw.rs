//! What a cohort is drawn from: times to events of known hazards, measures of people and laboratory values.

use rand_chacha::ChaCha8Rng;

use crate::plan::Person;
use crate::random::{between, chance, whole};

/// An exponential time of a median that hazard ratios shorten, days of 30 to a month.
pub(super) fn time_days(rng: &mut ChaCha8Rng, median_months: f64, log_hazard_ratio: f64) -> i64 {
    let rate = std::f64::consts::LN_2 / (median_months * 30.0) * log_hazard_ratio.exp();
    // Never 0, so that the logarithm is finite.
    let uniform = between(rng, 1e-9, 1.0);
    (-uniform.ln() / rate).ceil().min(36_500.0) as i64
}

/// A normal number within bounds (the bounds take what lies outside).
pub(super) fn normal(rng: &mut ChaCha8Rng, mean: f64, sd: f64, bounds: [f64; 2]) -> f64 {
    // Box and Muller 1958.
    let (u, v) = (between(rng, 1e-12, 1.0), between(rng, 0.0, std::f64::consts::TAU));
    (mean + sd * (-2.0 * u.ln()).sqrt() * v.cos()).clamp(bounds[0], bounds[1])
}

/// A person of an age.
pub(super) fn person(rng: &mut ChaCha8Rng, share_of_men: f64, age_years: i64) -> Person {
    let sex = if chance(rng, share_of_men) { 'M' } else { 'F' };
    let height_m = (between(rng, 1.55, 1.88) * 100.0).round() / 100.0;
    let weight_kg = (between(rng, 20.0, 30.0) * height_m * height_m).round();
    Person { sex, age_years, weight_kg, height_m }
}

/// One of several words with their weights.
pub(super) fn one_of(rng: &mut ChaCha8Rng, words: &[(&str, u32)]) -> String {
    let all: u32 = words.iter().map(|(_, weight)| weight).sum();
    let mut drawn = whole(rng, 1, i64::from(all)) as u32;
    for (word, weight) in words {
        if drawn <= *weight {
            return (*word).to_owned();
        }
        drawn -= weight;
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    #[test]
    fn times_have_their_median_and_a_hazard_ratio_shortens_them() {
        let rng = &mut random::stream(1, "times");
        let median = |rng: &mut ChaCha8Rng, log_ratio: f64| {
            let mut times: Vec<i64> = (0..4001).map(|_| time_days(rng, 10.0, log_ratio)).collect();
            times.sort_unstable();
            times[2000]
        };
        let (plain, doubled) = (median(rng, 0.0), median(rng, std::f64::consts::LN_2));
        assert!((plain - 300).abs() < 20 && (doubled - 150).abs() < 10, "{plain} {doubled}");
    }
}
