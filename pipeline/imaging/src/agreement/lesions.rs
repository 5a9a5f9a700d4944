//! Lesions found, missed and made up: components of a reference and of a candidate assigned to each other.
//!
//! Source: L. Maier-Hein, A. Reinke et al., "Metrics reloaded", Nature Methods 21 (2024): localisation by mask IoU, assignment one to
//! one and greedy by IoU, then sensitivity, positive predictive value and F1 by counts.

use std::collections::BTreeMap;

use crate::components::{Components, Connectivity, components};
use crate::grid::{Aligned, GridError};
use crate::mask::Mask;

/// A lesion of the reference and the one of the candidate that is taken for it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// Component of the reference, from 1 in the order of first voxels.
    pub reference: u32,
    /// Component of the candidate.
    pub candidate: u32,
    /// Intersection over union.
    pub iou: f64,
    /// Dice.
    pub dice: f64,
}

/// What became of the lesions.
#[derive(Debug, Clone, PartialEq)]
pub struct Detection {
    /// Lesions (26-connected components) of the reference.
    pub n_reference: usize,
    /// Lesions of the candidate.
    pub n_candidate: usize,
    /// Those taken for each other, by ascending component of the reference.
    pub pairs: Vec<Pair>,
}

impl Detection {
    /// Lesions of the reference that nothing was found for.
    #[must_use]
    pub fn n_missed(&self) -> usize {
        self.n_reference - self.pairs.len()
    }
    /// Lesions of the candidate that are none of the reference's.
    #[must_use]
    pub fn n_false_positive(&self) -> usize {
        self.n_candidate - self.pairs.len()
    }
    /// Share of the reference's lesions that were found; `None` when there are none.
    #[must_use]
    pub fn sensitivity(&self) -> Option<f64> {
        (self.n_reference > 0).then(|| self.pairs.len() as f64 / self.n_reference as f64)
    }
    /// Share of the candidate's lesions that are true (positive predictive value); `None` when there are none.
    #[must_use]
    pub fn precision(&self) -> Option<f64> {
        (self.n_candidate > 0).then(|| self.pairs.len() as f64 / self.n_candidate as f64)
    }
    /// 2·found / (reference + candidate); `None` when there are no lesions at all.
    #[must_use]
    pub fn f1(&self) -> Option<f64> {
        let sum = self.n_reference + self.n_candidate;
        (sum > 0).then(|| 2.0 * self.pairs.len() as f64 / sum as f64)
    }
}

/// Assigns the lesions of two masks on one grid: of all pairs whose IoU is above 0 and at least `min_iou` the one with the largest
/// comes first (of equals the one with the lower components), and each lesion is in one pair at most.
pub fn detection(reference: &Mask, candidate: &Mask, min_iou: f64) -> Result<Detection, GridError> {
    let (of_reference, of_candidate) =
        (components(reference, Connectivity::Corners), components(candidate, Connectivity::Corners));
    let mut touching: BTreeMap<(u32, u32), usize> = BTreeMap::new();
    for (a, b) in Aligned::new(&of_reference.labels, &of_candidate.labels)?.iter() {
        if *a != 0 && *b != 0 {
            *touching.entry((*a, *b)).or_default() += 1;
        }
    }
    let mut possible: Vec<Pair> = touching
        .into_iter()
        .map(|((a, b), n_both)| pair(a, b, n_both, &of_reference, &of_candidate))
        .filter(|pair| pair.iou >= min_iou)
        .collect();
    possible.sort_by(|p, q| {
        q.iou.total_cmp(&p.iou).then_with(|| (p.reference, p.candidate).cmp(&(q.reference, q.candidate)))
    });
    let mut pairs: Vec<Pair> = Vec::new();
    for next in possible {
        if pairs.iter().all(|taken| taken.reference != next.reference && taken.candidate != next.candidate) {
            pairs.push(next);
        }
    }
    pairs.sort_by_key(|pair| pair.reference);
    Ok(Detection { n_reference: of_reference.list.len(), n_candidate: of_candidate.list.len(), pairs })
}

fn pair(reference: u32, candidate: u32, n_both: usize, of_reference: &Components, of_candidate: &Components) -> Pair {
    let n = |of: &Components, label: u32| of.list[label as usize - 1].n_voxels;
    let sum = (n(of_reference, reference) + n(of_candidate, candidate)) as f64;
    let both = n_both as f64;
    Pair { reference, candidate, iou: both / (sum - both), dice: 2.0 * both / sum }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FrameId, Grid, Point, Shape};

    fn row(text: &str) -> Mask {
        let tilt = *nalgebra::Rotation3::from_euler_angles(0.2, -0.1, 0.4).matrix();
        let shape = Shape { ni: text.len(), nj: 1, nk: 1 };
        let grid =
            Grid::from_directions(shape, Point::new(1.0, 2.0, 3.0), [0.5, 1.0, 4.0], tilt, FrameId::new("f")).unwrap();
        Mask::from_fn(grid, |at| text.as_bytes()[at.i] != b'.')
    }

    #[test]
    fn one_found_one_missed_one_made_up_and_one_taken_only_once() {
        // The first is found by two pieces, of which the larger counts and the other is a false positive; the second is missed.
        let reference = row("aaaaaa..bb....");
        let candidate = row("aaa.bb......cc");
        let got = detection(&reference, &candidate, 0.1).unwrap();
        assert_eq!(got.pairs, [Pair { reference: 1, candidate: 1, iou: 0.5, dice: 6.0 / 9.0 }]);
        assert_eq!((got.n_missed(), got.n_false_positive()), (1, 2));
        assert_eq!((got.sensitivity(), got.precision(), got.f1()), (Some(0.5), Some(1.0 / 3.0), Some(0.4)));
        assert!(detection(&reference, &candidate, 0.51).unwrap().pairs.is_empty());
    }

    #[test]
    fn nothing_is_not_found_and_not_missed() {
        let (nothing, something) = (row("...."), row(".aa."));
        let got = detection(&nothing, &something, 0.0).unwrap();
        assert_eq!((got.sensitivity(), got.precision(), got.f1()), (None, Some(0.0), Some(0.0)));
        assert_eq!(detection(&nothing, &nothing, 0.0).unwrap().f1(), None);
        // Masks that do not touch are no pair, however little is asked.
        assert!(detection(&row("a..."), &row("..a."), 0.0).unwrap().pairs.is_empty());
    }
}
