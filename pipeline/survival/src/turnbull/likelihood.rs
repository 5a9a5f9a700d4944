//! The masses of the stretches that make the windows most likely: EM steps (which always rise) in turn with iterative
//! convex minorant steps (which reach masses of 0).

use std::collections::BTreeMap;
use std::ops::Range;

use super::TurnbullError;

/// The log likelihood that may be left to gain.
const GAIN_TOLERANCE: f64 = 1e-7;
/// Pairs of steps; a few dozen are usual.
const MAX_STEPS: usize = 20_000;
/// Halvings of one convex minorant step.
const MAX_HALVINGS: usize = 40;

/// The maximum.
pub(super) struct Masses {
    pub(super) mass: Vec<f64>,
    pub(super) loglik: f64,
    pub(super) gain_left: f64,
}

/// Equal windows counted together: the stretches they cover and how many they are.
type Counted = Vec<(Range<usize>, f64)>;

pub(super) fn maximise(covered: &[Range<usize>], n_stretches: usize) -> Result<Masses, TurnbullError> {
    let mut counts: BTreeMap<(usize, usize), f64> = BTreeMap::new();
    for range in covered {
        *counts.entry((range.start, range.end)).or_default() += 1.0;
    }
    let windows: Counted = counts.into_iter().map(|((start, end), count)| (start..end, count)).collect();
    let n = covered.len() as f64;
    let mut mass = vec![1.0 / n_stretches as f64; n_stretches];
    let mut gain_left = f64::INFINITY;
    for _ in 0..MAX_STEPS {
        let slope = slopes(&windows, &mass);
        // The log likelihood is concave in the masses, which sum to 1: nothing is above it by more than this.
        gain_left = (slope.iter().copied().fold(0.0, f64::max) - n).max(0.0);
        if gain_left <= GAIN_TOLERANCE {
            return Ok(Masses { loglik: loglik(&windows, &cumulative(&mass)), mass, gain_left });
        }
        for (mass, slope) in mass.iter_mut().zip(&slope) {
            *mass *= slope / n;
        }
        convex_minorant_step(&windows, &mut mass);
    }
    Err(TurnbullError::NotSettled { loglik: loglik(&windows, &cumulative(&mass)), gain_left })
}

/// 0, then the sum of the masses up to and including each stretch.
fn cumulative(mass: &[f64]) -> Vec<f64> {
    let mut sum = 0.0;
    let rest = mass.iter().map(|mass| {
        sum += mass;
        sum
    });
    std::iter::once(0.0).chain(rest).collect()
}

fn loglik(windows: &Counted, cumulative: &[f64]) -> f64 {
    windows.iter().map(|(range, count)| count * (cumulative[range.end] - cumulative[range.start]).ln()).sum()
}

/// The derivative of the log likelihood by each mass: the sum over the windows that cover the stretch of 1 / probability.
fn slopes(windows: &Counted, mass: &[f64]) -> Vec<f64> {
    let cumulative = cumulative(mass);
    let mut change = vec![0.0; mass.len() + 1];
    for (range, count) in windows {
        let slope = count / (cumulative[range.end] - cumulative[range.start]);
        change[range.start] += slope;
        change[range.end] -= slope;
    }
    let mut sum = 0.0;
    let running = change.iter().take(mass.len()).map(|change| {
        sum += change;
        sum
    });
    running.collect()
}

/// One Newton step of the distribution function with the diagonal of the Hessian, made monotone, halved until the log
/// likelihood rises; without such a step nothing changes.
fn convex_minorant_step(windows: &Counted, mass: &mut Vec<f64>) {
    let now = cumulative(mass);
    let n = mass.len();
    let (mut slope, mut weight) = (vec![0.0; n + 1], vec![0.0; n + 1]);
    for (range, count) in windows {
        let inverse = 1.0 / (now[range.end] - now[range.start]);
        for (place, sign) in [(range.end, 1.0), (range.start, -1.0)] {
            slope[place] += sign * count * inverse;
            weight[place] += count * inverse * inverse;
        }
    }
    let goal: Vec<f64> = (1..n).map(|place| now[place] + slope[place] / weight[place].max(f64::MIN_POSITIVE)).collect();
    let goal = monotone(&goal, &weight[1..n]);
    let before = loglik(windows, &now);
    let mut share = 1.0;
    for _ in 0..MAX_HALVINGS {
        let mut next = now.clone();
        for (place, goal) in (1..n).zip(&goal) {
            next[place] += share * (goal.clamp(0.0, 1.0) - now[place]);
        }
        next[n] = 1.0;
        if loglik(windows, &next) > before {
            *mass = next.windows(2).map(|pair| (pair[1] - pair[0]).max(0.0)).collect();
            return;
        }
        share /= 2.0;
    }
}

/// The nearest rising sequence by weighted squares (pool adjacent violators).
fn monotone(values: &[f64], weights: &[f64]) -> Vec<f64> {
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    for (&value, &weight) in values.iter().zip(weights) {
        let mut pool = (value, weight.max(f64::MIN_POSITIVE), 1);
        while let Some(&(before, its_weight, length)) = pools.last()
            && before >= pool.0
        {
            let both = its_weight + pool.1;
            pool = ((before * its_weight + pool.0 * pool.1) / both, both, length + pool.2);
            pools.pop();
        }
        pools.push(pool);
    }
    pools.into_iter().flat_map(|(value, _, length)| std::iter::repeat_n(value, length)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violators_are_pooled_by_weight() {
        assert_eq!(monotone(&[1.0, 4.0, 1.0, 5.0], &[1.0, 1.0, 3.0, 1.0]), [1.0, 1.75, 1.75, 5.0]);
    }

    #[test]
    fn overlapping_windows_settle_where_nothing_is_left_to_gain() {
        // Stretch 0 is covered by both, 1 by one: all mass goes to 0.
        let found = maximise(&[0..1, 0..2], 2).unwrap();
        assert!((found.mass[0] - 1.0).abs() < 1e-6 && found.gain_left <= GAIN_TOLERANCE);
        assert!(found.loglik.abs() < 1e-6);
    }
}
