//! Carries acquired slices onto an upright, even grid: a shift in the plane of each, and a blend of two between them.
//!
//! Source: linear interpolation; the shear of a tilted gantry is undone plane by plane, so that no acquired slice is mixed with
//! another (as dcm2niix does).

use imaging::Shape;
use rayon::prelude::*;

/// How near to a whole number of voxels a shift is taken as whole.
const WHOLE_SHIFT: f64 = 1e-4;

/// Two acquired slices (as places in the stack's order) and the share of the upper one in a plane between them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Blend {
    /// The slice below.
    pub lower: usize,
    /// The slice above.
    pub upper: usize,
    /// 0 is the lower slice alone, 1 the upper one.
    pub weight_of_upper: f32,
}

impl Blend {
    /// One acquired slice as it is.
    pub(super) fn whole(n: usize) -> Self {
        Self { lower: n, upper: n, weight_of_upper: 0.0 }
    }
    /// The acquired slice that is nearer, the lower one in the middle.
    #[must_use]
    pub fn nearest(&self) -> usize {
        if self.weight_of_upper > 0.5 { self.upper } else { self.lower }
    }
}

/// The plan for one stack.
#[derive(Debug, Clone, PartialEq)]
pub struct Reslice {
    /// Columns of an acquired slice.
    pub ni: usize,
    /// Rows of an acquired slice.
    pub nj: usize,
    /// For each acquired slice in order: where its first voxel lies in the grid, in voxels along i and j.
    pub shifts: Vec<[f64; 2]>,
    /// For each plane of the grid the acquired slices it is made of.
    pub planes: Vec<Blend>,
}

impl Reslice {
    /// The values on the grid, from those of the acquired slices in order (i fastest); `outside` where no slice reaches.
    pub(in crate::dicom) fn apply(&self, acquired: &[f32], shape: Shape, outside: f32) -> Vec<f32> {
        let (n_in, n_out) = (self.ni * self.nj, shape.ni * shape.nj);
        let mut out = vec![outside; n_out * shape.nk];
        out.par_chunks_mut(n_out).zip(&self.planes).for_each(|(plane, blend)| {
            let slice = |n: usize| &acquired[n * n_in..(n + 1) * n_in];
            let shifted = |n: usize, into: &mut [f32]| self.shift(slice(n), self.shifts[n], into, shape);
            if blend.weight_of_upper < 1.0 {
                shifted(blend.lower, plane);
            } else {
                shifted(blend.upper, plane);
            }
            if blend.weight_of_upper > 0.0 && blend.weight_of_upper < 1.0 {
                let mut upper = vec![outside; n_out];
                shifted(blend.upper, &mut upper);
                for (a, b) in plane.iter_mut().zip(&upper) {
                    *a += (b - *a) * blend.weight_of_upper;
                }
            }
        });
        out
    }

    /// Writes one slice, moved by a shift in voxels, into a plane of the grid; voxels it does not reach stay as they are.
    fn shift(&self, slice: &[f32], [shift_i, shift_j]: [f64; 2], plane: &mut [f32], shape: Shape) {
        let (di, fi) = whole_and_rest(shift_i);
        let (dj, fj) = whole_and_rest(shift_j);
        let at = |i: i64, j: i64| {
            let i = i.clamp(0, self.ni as i64 - 1) as usize;
            let j = j.clamp(0, self.nj as i64 - 1) as usize;
            slice[j * self.ni + i]
        };
        // A value reaches half a voxel beyond the outermost centre.
        let reaches = |x: f64, n: usize| x >= -0.5 && x <= n as f64 - 0.5;
        for j in 0..shape.nj as i64 {
            if !reaches(j as f64 - dj as f64 - fj, self.nj) {
                continue;
            }
            for i in 0..shape.ni as i64 {
                if !reaches(i as f64 - di as f64 - fi, self.ni) {
                    continue;
                }
                // Moved by d + f, the value at i lies between the slice's own i − d − 1 (share f) and i − d.
                let (a, b) = (i - di, j - dj);
                let row = |b: i64| at(a, b) * (1.0 - fi as f32) + if fi > 0.0 { at(a - 1, b) * fi as f32 } else { 0.0 };
                let value = row(b) * (1.0 - fj as f32) + if fj > 0.0 { row(b - 1) * fj as f32 } else { 0.0 };
                plane[j as usize * shape.ni + i as usize] = value;
            }
        }
    }
}

fn whole_and_rest(shift: f64) -> (i64, f64) {
    let whole = (shift + WHOLE_SHIFT).floor();
    let rest = shift - whole;
    (whole as i64, if rest < WHOLE_SHIFT { 0.0 } else { rest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_moved_by_one_and_a_half_voxels() {
        let plan = Reslice { ni: 3, nj: 1, shifts: vec![[1.5, 0.0]], planes: vec![Blend::whole(0)] };
        let out = plan.apply(&[10.0, 20.0, 40.0], Shape { ni: 6, nj: 1, nk: 1 }, -1.0);
        // Centres at 1.5, 2.5, 3.5: between them means, beyond them half a voxel of the outermost value.
        assert_eq!(out, [-1.0, 10.0, 15.0, 30.0, 40.0, -1.0]);
    }

    #[test]
    fn a_plane_a_quarter_of_the_way_up() {
        let blend = Blend { lower: 0, upper: 1, weight_of_upper: 0.25 };
        let plan = Reslice { ni: 2, nj: 1, shifts: vec![[0.0, 0.0]; 2], planes: vec![blend] };
        assert_eq!(plan.apply(&[0.0, 4.0, 8.0, 8.0], Shape { ni: 2, nj: 1, nk: 1 }, 0.0), [2.0, 5.0]);
        assert_eq!((blend.nearest(), Blend::whole(3).nearest()), (0, 3));
    }
}
