//! Agreement of two readers: Cohen's kappa with weights, Bland–Altman limits.
//!
//! Source: Cohen 1968 and Fleiss, Cohen and Everitt 1969 (weighted kappa and its large-sample error); Bland and Altman 1986,
//! 1999 (limits of agreement and their error).

use serde::Serialize;
use survival::Z_95;

/// How much a disagreement by several categories counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weights {
    /// All disagreements alike.
    None,
    /// In proportion to the distance.
    Linear,
    /// In proportion to its square.
    Quadratic,
}

/// Kappa with its 95 % interval.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Kappa {
    /// The estimate.
    pub kappa: f64,
    /// Standard error.
    pub se: f64,
    /// Lower 95 % bound.
    pub lower: f64,
    /// Upper 95 % bound.
    pub upper: f64,
    /// Pairs of readings.
    pub n: usize,
    /// Share of pairs that agree exactly.
    pub agreement: f64,
}

/// Kappa of pairs of categories; `order` lists the categories in their order. `None` where a pair holds another word, there is no
/// pair, or chance alone would explain everything (all in one category).
pub fn kappa(pairs: &[(&str, &str)], order: &[&str], weights: Weights) -> Option<Kappa> {
    let size = order.len();
    let at = |word: &str| order.iter().position(|known| *known == word);
    let mut shares = vec![vec![0.0; size]; size];
    for (first, second) in pairs {
        shares[at(first)?][at(second)?] += 1.0 / pairs.len() as f64;
    }
    let rows: Vec<f64> = shares.iter().map(|row| row.iter().sum()).collect();
    let columns: Vec<f64> = (0..size).map(|column| shares.iter().map(|row| row[column]).sum()).collect();
    let weight = |i: usize, j: usize| {
        let distance = i.abs_diff(j) as f64 / (size.max(2) - 1) as f64;
        match weights {
            Weights::None => f64::from(u8::from(i == j)),
            Weights::Linear => 1.0 - distance,
            Weights::Quadratic => 1.0 - distance * distance,
        }
    };
    let cells = || (0..size).flat_map(|i| (0..size).map(move |j| (i, j)));
    let observed: f64 = cells().map(|(i, j)| weight(i, j) * shares[i][j]).sum();
    let by_chance: f64 = cells().map(|(i, j)| weight(i, j) * rows[i] * columns[j]).sum();
    if pairs.is_empty() || (1.0 - by_chance) < 1e-12 {
        return None;
    }
    let kappa = (observed - by_chance) / (1.0 - by_chance);
    let mean_of_row: Vec<f64> = (0..size).map(|i| (0..size).map(|j| weight(i, j) * columns[j]).sum()).collect();
    let mean_of_column: Vec<f64> = (0..size).map(|j| (0..size).map(|i| weight(i, j) * rows[i]).sum()).collect();
    let spread: f64 = cells()
        .map(|(i, j)| shares[i][j] * (weight(i, j) - (mean_of_row[i] + mean_of_column[j]) * (1.0 - kappa)).powi(2))
        .sum();
    let variance =
        (spread - (kappa - by_chance * (1.0 - kappa)).powi(2)) / (1.0 - by_chance).powi(2) / pairs.len() as f64;
    let se = variance.max(0.0).sqrt();
    let n_agreeing = pairs.iter().filter(|(first, second)| first == second).count();
    Some(Kappa {
        kappa,
        se,
        lower: kappa - Z_95 * se,
        upper: kappa + Z_95 * se,
        n: pairs.len(),
        agreement: n_agreeing as f64 / pairs.len() as f64,
    })
}

/// Difference of two readings of one quantity, second minus first, in its unit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BlandAltman {
    /// Pairs.
    pub n: usize,
    /// Mean difference.
    pub bias: f64,
    /// Standard deviation of the differences (n − 1).
    pub sd: f64,
    /// Lower limit of agreement, bias − 1.96 SD.
    pub lower: f64,
    /// Upper limit of agreement.
    pub upper: f64,
    /// Standard error of the bias.
    pub bias_se: f64,
    /// Standard error of either limit: SD √(1/n + z²/(2(n − 1))).
    pub limit_se: f64,
}

/// Limits of agreement; `None` with fewer than two pairs.
pub fn bland_altman(pairs: &[(f64, f64)]) -> Option<BlandAltman> {
    if pairs.len() < 2 || pairs.iter().any(|(first, second)| !first.is_finite() || !second.is_finite()) {
        return None;
    }
    let n = pairs.len() as f64;
    let differences: Vec<f64> = pairs.iter().map(|(first, second)| second - first).collect();
    let bias = differences.iter().sum::<f64>() / n;
    let sd = (differences.iter().map(|one| (one - bias).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    Some(BlandAltman {
        n: pairs.len(),
        bias,
        sd,
        lower: bias - Z_95 * sd,
        upper: bias + Z_95 * sd,
        bias_se: sd / n.sqrt(),
        limit_se: sd * (1.0 / n + Z_95 * Z_95 / (2.0 * (n - 1.0))).sqrt(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of the table [[44, 5, 1], [7, 20, 3], [9, 5, 6]] as pairs.
    fn pairs() -> Vec<(&'static str, &'static str)> {
        let words = ["PR", "SD", "PD"];
        let counts = [[44, 5, 1], [7, 20, 3], [9, 5, 6]];
        let mut pairs = Vec::new();
        for (i, row) in counts.iter().enumerate() {
            for (j, n) in row.iter().enumerate() {
                pairs.extend(std::iter::repeat_n((words[i], words[j]), *n));
            }
        }
        pairs
    }

    #[test]
    fn kappa_equals_statsmodels() {
        // statsmodels 0.15.0, stats.inter_rater.cohens_kappa, wt = None, 'linear', 'quadratic'.
        let expected = [
            (Weights::None, 0.491_525_423_728_813_47, 0.072_127_459_293_340_68),
            (Weights::Linear, 0.473_684_210_526_315_8, 0.076_978_909_870_306_12),
            (Weights::Quadratic, 0.454_545_454_545_454_6, 0.093_979_697_775_726_01),
        ];
        for (weights, estimate, se) in expected {
            let found = kappa(&pairs(), &["PR", "SD", "PD"], weights).unwrap();
            assert!((found.kappa - estimate).abs() < 1e-12, "{weights:?}: {}", found.kappa);
            assert!((found.se - se).abs() < 1e-12, "{weights:?}: {}", found.se);
        }
        assert_eq!(kappa(&[("PR", "PR"); 3], &["PR", "SD"], Weights::None), None);
        assert_eq!(kappa(&[("PR", "XX")], &["PR", "SD"], Weights::None), None);
    }

    #[test]
    fn limits_of_agreement_by_hand() {
        let found = bland_altman(&[(10.0, 11.0), (20.0, 19.0), (30.0, 33.0)]).unwrap();
        // Differences 1, −1, 3: mean 1, variance 4.
        assert_eq!((found.bias, found.sd), (1.0, 2.0));
        assert!((found.upper - (1.0 + 2.0 * Z_95)).abs() < 1e-12);
        assert!((found.limit_se - 2.0 * (1.0_f64 / 3.0 + Z_95 * Z_95 / 4.0).sqrt()).abs() < 1e-12);
        assert_eq!(bland_altman(&[(1.0, 2.0)]), None);
    }
}
