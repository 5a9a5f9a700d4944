//! The covariates of all records in one block of memory, each less its mean.

use nalgebra::DVector;

use super::CoxError;

/// Centred covariates, record by record.
#[derive(Debug, Clone)]
pub(crate) struct Covariates {
    n_terms: usize,
    values: Vec<f64>,
}

impl Covariates {
    /// Each covariate less its mean over all records; exactly 0 where all values are equal.
    pub(crate) fn centred<'a>(terms: &[&str], rows: impl Iterator<Item = &'a [f64]>) -> Result<Self, CoxError> {
        let n_terms = terms.len();
        if n_terms == 0 {
            return Err(CoxError::NoTerms);
        }
        let mut found = Self { n_terms, values: Vec::with_capacity(rows.size_hint().0 * n_terms) };
        for (row, values) in rows.enumerate() {
            if values.len() != n_terms {
                return Err(CoxError::WrongCovariates { row, expected: n_terms, found: values.len() });
            }
            if let Some(term) = values.iter().position(|value| !value.is_finite()) {
                return Err(CoxError::BadCovariate { row, term: terms[term].to_owned() });
            }
            found.values.extend_from_slice(values);
        }
        for term in 0..n_terms {
            found.centre(term);
        }
        Ok(found)
    }

    fn centre(&mut self, term: usize) {
        let column = || self.values.iter().skip(term).step_by(self.n_terms);
        let Some(&first) = column().next() else { return };
        // The rounded mean of equal values may miss them by one bit, which would pass for variation.
        let n = self.values.len() / self.n_terms;
        let centre = if column().all(|&value| value == first) { first } else { column().sum::<f64>() / n as f64 };
        for value in self.values.iter_mut().skip(term).step_by(self.n_terms) {
            *value -= centre;
        }
    }

    pub(crate) fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.n_terms..(row + 1) * self.n_terms]
    }

    /// The records in another order.
    pub(crate) fn in_order(&self, order: impl Iterator<Item = usize>) -> Self {
        let mut values = Vec::with_capacity(self.values.len());
        for row in order {
            values.extend_from_slice(self.row(row));
        }
        Self { n_terms: self.n_terms, values }
    }

    /// The largest absolute value of each covariate.
    pub(crate) fn sizes(&self) -> DVector<f64> {
        let mut sizes = DVector::zeros(self.n_terms);
        for row in self.values.chunks_exact(self.n_terms) {
            for (size, value) in sizes.iter_mut().zip(row) {
                *size = f64::max(*size, value.abs());
            }
        }
        sizes
    }

    /// xβ of every record, less the largest of them: only ratios of hazards enter a partial likelihood, and their
    /// exponentials cannot overflow.
    pub(crate) fn log_hazards(&self, coef: &DVector<f64>) -> Vec<f64> {
        let coef = coef.as_slice();
        let mut linear: Vec<f64> =
            self.values.chunks_exact(self.n_terms).map(|row| row.iter().zip(coef).map(|(x, b)| x * b).sum()).collect();
        let largest = linear.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for linear in &mut linear {
            *linear -= largest;
        }
        linear
    }
}
