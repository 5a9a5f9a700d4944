//! Probabilities of a cube on the image's own voxels: linear between the cube's voxels, 0 beyond the cube.

use std::ops::Range;

use ndarray::{Array3, s};

use crate::axis_operator::{Alignment, AxisOperator, Placement, carry};
use crate::prompted::cube::Lie;

/// A box of the image's voxels along x, y, z.
pub(crate) type Region = [Range<usize>; 3];

/// The image's voxels, which are `size` along x, y, z, that a cube covers.
pub(crate) fn covered(lie: &Lie, side: usize, size: [usize; 3]) -> Region {
    std::array::from_fn(|axis| {
        let covers = |i: &usize| {
            let at = (*i as f64 - lie.first[axis]) / lie.step[axis];
            (-0.5..=side as f64 - 0.5).contains(&at)
        };
        let first = (0..size[axis]).find(covers).unwrap_or(0);
        first..(first..size[axis]).take_while(covers).last().map_or(first, |last| last + 1)
    })
}

/// The smallest region that holds all of some.
pub(crate) fn joined(regions: impl IntoIterator<Item = Region>) -> Option<Region> {
    let join = |a: Region, b: Region| {
        std::array::from_fn(|axis| a[axis].start.min(b[axis].start)..a[axis].end.max(b[axis].end))
    };
    regions.into_iter().filter(|region| region.iter().all(|range| !range.is_empty())).reduce(join)
}

/// The probabilities `[z, y, x]` of a cube on the voxels `[z, y, x]` of a region that holds all it covers.
pub(crate) fn on_region(probability: &Array3<f32>, lie: &Lie, region: &Region) -> Array3<f32> {
    let side = probability.dim().0;
    let own = covered(lie, side, region.clone().map(|range| range.end));
    let mut out = Array3::zeros((region[2].len(), region[1].len(), region[0].len()));
    if own.iter().any(Range::is_empty) {
        return out;
    }
    let operators: [AxisOperator; 3] = std::array::from_fn(|axis| {
        let first = (own[axis].start as f64 - lie.first[axis]) / lie.step[axis];
        let (n_out, alignment) = (own[axis].len(), Alignment::First(first));
        AxisOperator::triangle(Placement { n_in: side, n_out, ratio: 1.0 / lie.step[axis], alignment }, 1.0)
    });
    let within = |axis: usize| own[axis].start - region[axis].start..own[axis].end - region[axis].start;
    out.slice_mut(s![within(2), within(1), within(0)]).assign(&carry(probability.view(), &operators));
    out
}
