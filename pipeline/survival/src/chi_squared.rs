//! Upper tail probabilities of the chi-squared distribution.
//!
//! Source: the regularised upper incomplete gamma function of `statrs`; the normal tail is the case of one degree of freedom.

use statrs::function::erf::erfc;
use statrs::function::gamma::checked_gamma_ur;

/// P(X ≥ `statistic`) for X chi-squared with `df` degrees of freedom; 1 for a statistic of 0 or below, or one
/// that is not a number: no evidence of anything.
#[must_use]
pub fn chi_squared_p(statistic: f64, df: usize) -> f64 {
    if statistic.is_nan() || statistic <= 0.0 || df == 0 {
        return 1.0;
    }
    // The only argument left that the function refuses is an infinite statistic.
    checked_gamma_ur(df as f64 / 2.0, statistic / 2.0).unwrap_or(0.0)
}

/// Two-sided P(|Z| ≥ |`z`|) of the standard normal distribution.
#[must_use]
pub fn two_sided_normal_p(z: f64) -> f64 {
    erfc(z.abs() / std::f64::consts::SQRT_2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy 1.x `scipy.stats.chi2.sf` and `norm.sf`; the smallest from R survival 3.5.3 (likelihood ratio of the pbc model).
    #[test]
    fn tails_agree_with_other_programs() {
        let near = |got: f64, expected: f64| assert!((got / expected - 1.0).abs() < 1e-9, "{got} against {expected}");
        near(chi_squared_p(0.101_705_474_004_902, 1), 0.749_792_518_855_271);
        near(chi_squared_p(21.025_570_724_982_4, 3), 0.000_103_996_714_377_037);
        near(chi_squared_p(128.831_381_909_675, 3), 9.658_382_390_400_69e-28);
        near(two_sided_normal_p(0.125_301_826_261_918 / 0.014_163_974_039_132_4), 9.029_380_174_351_3e-19);
    }

    #[test]
    fn nothing_observed_gives_one() {
        assert_eq!(chi_squared_p(0.0, 2), 1.0);
        assert_eq!(chi_squared_p(f64::NAN, 2), 1.0);
        assert_eq!(chi_squared_p(f64::INFINITY, 2), 0.0);
    }
}
