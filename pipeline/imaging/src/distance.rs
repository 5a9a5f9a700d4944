//! Exact Euclidean distance in mm from every voxel centre to the nearest set voxel centre, on anisotropic and oblique grids.
//!
//! Source: Felzenszwalb and Huttenlocher 2012, lower envelope of parabolas, one pass along each axis in double precision.
//! Voxels beyond the grid are unknown and count neither as object nor as background.

use nalgebra::Matrix3;
use ndarray::{ArrayViewMut2, Axis};
use rayon::prelude::*;
use thiserror::Error;

use crate::grid::Grid;
use crate::mask::Mask;
use crate::volume::Volume;

/// Axes count as perpendicular up to this cosine: 1 µm of error over 10 cm, far above header rounding.
const PERPENDICULAR_COSINE: f64 = 1e-5;

/// Lines processed together, so that strided memory is read by the cache line.
const N_LINES: usize = 8;

/// Why there is no distance.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum DistanceError {
    /// Nothing to measure from.
    #[error("the mask is empty: there is no voxel to measure a distance to; check which label the mask was made from")]
    EmptyMask,
    /// No border: everything is inside.
    #[error(
        "the mask fills the whole grid: there is no background to measure a distance to; use a larger field of view"
    )]
    FullMask,
    /// The three passes need perpendicular axes.
    #[error(
        "the image axes are not perpendicular (cosine {cosine:.6}, a tilted gantry?); resample the mask onto a perpendicular grid first"
    )]
    Sheared {
        /// Largest cosine between two axes.
        cosine: f64,
    },
}

/// Distance in mm to the nearest set voxel; 0 on the mask.
pub fn distance_to(mask: &Mask) -> Result<Volume<f64>, DistanceError> {
    if mask.is_empty_mask() {
        return Err(DistanceError::EmptyMask);
    }
    let mut squared = squared_distance_to(mask)?;
    squared.data_mut().par_mapv_inplace(f64::sqrt);
    Ok(squared)
}

/// Signed distance in mm between voxel centres: outside positive, to the nearest voxel of the mask; inside negative, to the
/// nearest voxel of the background. No voxel has distance 0: the surface runs between the centres.
pub fn signed_distance(mask: &Mask) -> Result<Volume<f64>, DistanceError> {
    let background = mask.map(|v| !v);
    if background.is_empty_mask() {
        return Err(DistanceError::FullMask);
    }
    let mut signed = distance_to(mask)?;
    let inside = squared_distance_to(&background)?;
    for (value, inner) in signed.values_mut().iter_mut().zip(inside.values()) {
        *value -= inner.sqrt();
    }
    Ok(signed)
}

/// Squared distance in mm²; infinite everywhere when the mask is empty.
pub(crate) fn squared_distance_to(mask: &Mask) -> Result<Volume<f64>, DistanceError> {
    let [si, sj, sk] = perpendicular_spacing(mask.grid())?;
    let mut squared = mask.map(|v| if *v { 0.0 } else { f64::INFINITY });
    let ni = mask.shape().ni;
    squared.values_mut().par_chunks_mut(ni).for_each(|row| first_pass(row, si));
    squared.data_mut().axis_iter_mut(Axis(0)).into_par_iter().for_each(|slice| columns_pass(slice, sj));
    squared.data_mut().axis_iter_mut(Axis(1)).into_par_iter().for_each(|plane| columns_pass(plane, sk));
    Ok(squared)
}

fn perpendicular_spacing(grid: &Grid) -> Result<[f64; 3], DistanceError> {
    let d = grid.directions();
    let off_diagonal = (d.transpose() * d - Matrix3::identity()).map(f64::abs);
    let cosine = off_diagonal[(0, 1)].max(off_diagonal[(0, 2)]).max(off_diagonal[(1, 2)]);
    if cosine <= PERPENDICULAR_COSINE { Ok(grid.spacing_mm()) } else { Err(DistanceError::Sheared { cosine }) }
}

/// Squared distance along a row of zeros and infinities: one sweep each way.
fn first_pass(row: &mut [f64], spacing: f64) {
    let mut steps = f64::INFINITY;
    for value in row.iter_mut() {
        steps = if *value == 0.0 { 0.0 } else { steps + 1.0 };
        *value = (steps * spacing).powi(2);
    }
    steps = f64::INFINITY;
    for value in row.iter_mut().rev() {
        steps = if *value == 0.0 { 0.0 } else { steps + 1.0 };
        *value = value.min((steps * spacing).powi(2));
    }
}

/// One more dimension: every column (along the first axis of the view) becomes the lower envelope of its parabolas.
fn columns_pass(mut plane: ArrayViewMut2<'_, f64>, spacing: f64) {
    let (n, n_columns) = plane.dim();
    if n == 1 {
        return;
    }
    let mut lines = vec![0.0; n * N_LINES];
    let mut envelope = Envelope::new(n);
    for start in (0..n_columns).step_by(N_LINES) {
        let width = N_LINES.min(n_columns - start);
        for (at, row) in plane.rows().into_iter().enumerate() {
            for line in 0..width {
                lines[line * n + at] = row[start + line];
            }
        }
        for line in lines.chunks_mut(n).take(width) {
            envelope.lower(line, spacing * spacing);
        }
        for (at, mut row) in plane.rows_mut().into_iter().enumerate() {
            for line in 0..width {
                row[start + line] = lines[line * n + at];
            }
        }
    }
}

/// The parabolas that form the lower envelope of one line; the memory is kept between lines.
struct Envelope {
    vertex: Vec<usize>,
    height: Vec<f64>,
    from: Vec<f64>,
}

impl Envelope {
    fn new(n: usize) -> Self {
        Self { vertex: Vec::with_capacity(n), height: Vec::with_capacity(n), from: Vec::with_capacity(n) }
    }

    /// Replaces f(q) by the smallest f(p) + spacing² (q − p)² over all p of the line.
    fn lower(&mut self, line: &mut [f64], spacing_squared: f64) {
        self.vertex.clear();
        self.height.clear();
        self.from.clear();
        for (q, height) in line.iter().enumerate().filter(|(_, f)| f.is_finite()) {
            let mut from = f64::NEG_INFINITY;
            while let (Some(p), Some(lower), Some(since)) = (self.vertex.last(), self.height.last(), self.from.last()) {
                let (pf, qf) = (*p as f64, q as f64);
                from = ((height - lower) / spacing_squared + qf * qf - pf * pf) / (2.0 * (qf - pf));
                if from > *since {
                    break;
                }
                self.vertex.pop();
                self.height.pop();
                self.from.pop();
                from = f64::NEG_INFINITY;
            }
            self.vertex.push(q);
            self.height.push(*height);
            self.from.push(from);
        }
        if self.vertex.is_empty() {
            return;
        }
        let mut n = 0;
        for (q, value) in line.iter_mut().enumerate() {
            while n + 1 < self.from.len() && self.from[n + 1] < q as f64 {
                n += 1;
            }
            let steps = q as f64 - self.vertex[n] as f64;
            *value = self.height[n] + spacing_squared * steps * steps;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FrameId, Index3, Point, Shape};

    fn oblique(shape: Shape, spacing_mm: [f64; 3]) -> Grid {
        let rotation = *nalgebra::Rotation3::from_euler_angles(0.2, -0.1, 0.4).matrix();
        Grid::from_directions(shape, Point::new(-40.0, 12.0, 90.0), spacing_mm, rotation, FrameId::new("f")).unwrap()
    }

    #[test]
    fn equals_brute_force_on_an_oblique_anisotropic_grid() {
        let grid = oblique(Shape { ni: 13, nj: 11, nk: 7 }, [0.8, 0.7, 2.5]);
        for (seed, one_in) in [(3_usize, 40), (5, 200), (11, 900)] {
            let mask = Mask::from_fn(grid.clone(), |at| {
                ((at.i * 7919 + at.j * 104_729 + at.k * 1_299_709 + seed * 31) / 13) % one_in == 0
            });
            let set: Vec<_> = mask.indices_set().map(|at| grid.center(at)).collect();
            assert!(!set.is_empty());
            let got = distance_to(&mask).unwrap();
            for (n, value) in got.values().iter().enumerate() {
                let p = grid.center(grid.shape().index(n));
                let want = set.iter().map(|q| p.distance(*q)).fold(f64::INFINITY, f64::min);
                assert!((value - want).abs() < 1e-9, "{value} {want}");
            }
        }
    }

    #[test]
    fn agrees_with_signed_maurer() {
        let grid = oblique(Shape { ni: 9, nj: 7, nk: 5 }, [0.8, 1.0, 2.5]);
        let mask = Mask::from_fn(grid, |at| {
            let d = |a: usize, c: f64, s: f64| ((a as f64 - c) * s).powi(2);
            let ball = d(at.i, 3.0, 0.8) + d(at.j, 2.0, 1.0) + d(at.k, 2.0, 2.5) <= 7.0 && at.k > 0;
            ball || (at.i, at.j, at.k) == (8, 6, 4)
        });
        let got = signed_distance(&mask).unwrap();
        for ([i, j, k], want) in MAURER {
            let value = *got.at(Index3 { i, j, k });
            assert!((value - want).abs() < 1e-5, "{i} {j} {k}: {value} {want}");
        }
    }

    /// SimpleITK 2.5.7 SignedMaurerDistanceMap(insideIsPositive false, squaredDistance false, useImageSpacing true), single
    /// precision: outside of the mask, and, negated, of its complement.
    const MAURER: [([usize; 3], f64); 11] = [
        ([0, 0, 0], 3.579_106_092_453_003),
        ([8, 0, 1], 3.132_091_760_635_376),
        ([5, 5, 2], 1.0),
        ([3, 2, 0], 2.5),
        ([6, 6, 4], 1.599_999_904_632_568_4),
        ([8, 3, 3], 2.968_164_443_969_726_6),
        ([3, 2, 2], -2.692_582_368_850_708),
        ([2, 3, 2], -1.886_796_236_038_208),
        ([4, 2, 1], -0.799_999_952_316_284_2),
        ([3, 3, 2], -2.0),
        ([8, 6, 4], -0.800_000_190_734_863_3),
    ];

    #[test]
    fn empty_full_and_sheared_are_said() {
        let grid = oblique(Shape { ni: 3, nj: 2, nk: 1 }, [1.0; 3]);
        assert_eq!(distance_to(&Mask::filled(grid.clone(), false)).unwrap_err(), DistanceError::EmptyMask);
        assert_eq!(signed_distance(&Mask::filled(grid.clone(), true)).unwrap_err(), DistanceError::FullMask);
        let mut directions = grid.directions();
        directions.set_column(2, &(directions.column(2) + directions.column(1) * 0.1).normalize());
        let tilted =
            Grid::from_directions(grid.shape(), Point::new(0.0, 0.0, 0.0), [1.0; 3], directions, FrameId::new("f"))
                .unwrap();
        assert!(matches!(distance_to(&Mask::filled(tilted, true)), Err(DistanceError::Sheared { .. })));
    }
}
