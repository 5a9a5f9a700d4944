//! What all lesions of a visit are displaced by: registration errs smoothly, so that the others tell where one is to be expected.
//!
//! Source: the error as a Gaussian process over the body (Lüthi et al. 2018), its mean by the kernel average of Nadaraya 1964 and
//! Watson 1964 with the registration's own error as prior.

use imaging::{Patient, Point};

use super::likelihood::outline_error_mm;

/// Over this distance errors of registration are alike, mm.
const LENGTH_MM: f64 = 90.0;
/// The least error of a registration, mm per axis: two outlines of one lesion in one image differ so.
const LEAST_ERROR_MM: f64 = 1.0;

/// A lesion found again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Displaced {
    /// Number of the lesion.
    pub(super) track: usize,
    /// Number of the finding.
    pub(super) finding: usize,
    /// Where it was expected.
    pub(super) expected: Point<Patient>,
    /// Where it was found.
    pub(super) found: Point<Patient>,
    /// How far it reaches, mm.
    pub(super) reach: f64,
    /// How sure it is the same lesion, 0 to 1.
    pub(super) weight: f64,
}

/// The displacement of a visit, from the lesions found again.
#[derive(Debug, Clone)]
pub(super) struct Displacement {
    pairs: Vec<Displaced>,
    /// What all is displaced by before the pairs are looked at.
    common: [f64; 3],
    /// Error of the registration, mm per axis.
    pub(super) error: f64,
}

impl Displacement {
    /// Nothing is known yet but the error.
    pub(super) fn unknown(error: f64) -> Self {
        Self { pairs: Vec::new(), common: [0.0; 3], error: error.max(LEAST_ERROR_MM) }
    }

    /// Everything is displaced alike.
    pub(super) fn common(common: [f64; 3], error: f64) -> Self {
        Self { common, ..Self::unknown(error) }
    }

    /// With the lesions found again.
    pub(super) fn with(&self, pairs: Vec<Displaced>) -> Self {
        Self { pairs, ..self.clone() }
    }

    /// The displacement at a place by all pairs but those of the lesions and findings in question, which must not speak for
    /// themselves, and the variance per axis that is left, mm².
    pub(super) fn at(&self, place: Point<Patient>, tracks: &[usize], findings: &[usize]) -> ([f64; 3], f64) {
        let (mut sum, mut weights) = ([0.0; 3], 0.0);
        for pair in self.pairs.iter().filter(|pair| !tracks.contains(&pair.track) && !findings.contains(&pair.finding))
        {
            let near = (-0.5 * (pair.expected.distance(place) / LENGTH_MM).powi(2)).exp();
            let own = (outline_error_mm(pair.reach) / self.error).powi(2);
            let (from, to) = (pair.expected.to_array(), pair.found.to_array());
            let moved: [f64; 3] = std::array::from_fn(|axis| to[axis] - from[axis] - self.common[axis]);
            let off = moved.iter().map(|x| x * x).sum::<f64>().sqrt() / (3.0 * self.error + 3.0);
            let weight = pair.weight * near / (0.2 + own) / (1.0 + off * off);
            for axis in 0..3 {
                sum[axis] += weight * moved[axis];
            }
            weights += weight;
        }
        let told = weights / (weights + 1.0);
        let mean = std::array::from_fn(|axis| self.common[axis] + sum[axis] / (weights + 1.0));
        (mean, self.error.powi(2) * (1.0 - 0.75 * told))
    }

    /// Where a place of the baseline frame is to be expected before the pairs are looked at.
    pub(super) fn from(&self, place: Point<Patient>) -> Point<Patient> {
        let ([x, y, z], [dx, dy, dz]) = (place.to_array(), self.common);
        Point::new(x + dx, y + dy, z + dz)
    }

    /// A place found at this visit, freed of the displacement, and the error that is left, mm per axis.
    pub(super) fn freed(&self, found: Point<Patient>) -> (Point<Patient>, f64) {
        let ([dx, dy, dz], variance) = self.at(found, &[], &[]);
        let [x, y, z] = found.to_array();
        (Point::new(x - dx, y - dy, z - dz), variance.sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_neighbours_tell_where_the_third_is_and_a_lesion_tells_nothing_of_itself() {
        let pair = |track, x: f64| Displaced {
            track,
            finding: track,
            expected: Point::new(x, 0.0, 0.0),
            found: Point::new(x, 6.0, 0.0),
            reach: 8.0,
            weight: 1.0,
        };
        let displacement = Displacement::unknown(5.0).with(vec![pair(0, 0.0), pair(1, 30.0), pair(2, 60.0)]);
        let (by_two, left) = displacement.at(Point::new(0.0, 0.0, 0.0), &[0], &[]);
        assert!(by_two[1] > 3.0 && by_two[1] < 6.0, "{by_two:?}");
        assert!(left < 25.0);
        let alone = Displacement::unknown(5.0).with(vec![pair(0, 0.0)]);
        assert_eq!(alone.at(Point::new(0.0, 0.0, 0.0), &[], &[0]), ([0.0; 3], 25.0));
    }
}
