//! The exact interval of a share.
//!
//! Source: Clopper and Pearson 1934.

use statrs::distribution::{Beta, ContinuousCDF};

/// The exact 95 % interval of `n` of `of`, as fractions; `None` where there is nothing to share.
#[must_use]
pub fn exact_interval(n: usize, of: usize) -> Option<[f64; 2]> {
    if of == 0 || n > of {
        return None;
    }
    let (n, of) = (n as f64, of as f64);
    let quantile = |a: f64, b: f64, p: f64| Beta::new(a, b).ok().map(|beta| beta.inverse_cdf(p));
    let low = if n == 0.0 { 0.0 } else { quantile(n, of - n + 1.0, 0.025)? };
    let high = if n == of { 1.0 } else { quantile(n + 1.0, of - n, 0.975)? };
    Some([low, high])
}

#[cfg(test)]
mod tests {
    use super::exact_interval;

    #[test]
    fn as_scipy_has_it() {
        // scipy 1.16: binomtest(k, n).proportion_ci(method="exact").
        let cases = [
            ((3, 10), [0.066_739_511_177_734_47, 0.652_452_850_060_008]),
            ((0, 7), [0.0, 0.409_616_397_225_048_7]),
            ((7, 7), [0.590_383_602_774_951_3, 1.0]),
        ];
        for ((n, of), expected) in cases {
            let found = exact_interval(n, of).unwrap();
            for (found, expected) in found.into_iter().zip(expected) {
                assert!((found - expected).abs() < 1e-9, "{n} of {of}: {found}, {expected}");
            }
        }
        assert_eq!(exact_interval(0, 0), None);
    }
}
