//! The part of a grid that a scanner filled. An image that was cut, or resampled onto another's grid, is filled up to its faces with
//! planes of one value, which are neither air nor anatomy: nothing was seen there.

use std::borrow::Cow;

use rayon::prelude::*;

use super::options::RegistrationOptions;
use super::prepared::range;
use super::sample::BODY_ABOVE;
use crate::window::Window;
use crate::{Grid, Index3, Shape, Volume};

/// So much of the body's widest plane the first one behind the filling must show. Planes of one value beside a body that was not cut are
/// air: behind them it begins with a narrow chord (a third of its width within 6 mm, for a radius of 140 mm).
const CUT_SHARE: f64 = 0.4;

/// First and last index along each axis.
type Span = [[usize; 2]; 3];

/// The grid of the part of an image that a scanner filled; `None` where that is all of it. `clamp` names the range of values, in the
/// image's unit, whose lowest tenth is not body (−150 to 250 HU of a CT); without it the 1st to 99.9th percentile.
pub fn scanned_part(image: &Volume<f32>, clamp: Option<(f32, f32)>) -> Option<Grid> {
    let window = filled_within(image, range("image", image, clamp).ok()?)?;
    window.grid(image.grid()).ok()
}

/// The box of an image within its filling; `None` where it has none. `range` is that to which its values are cut.
fn filled_within(image: &Volume<f32>, range: (f32, f32)) -> Option<Window> {
    let n = [image.shape().ni, image.shape().nj, image.shape().nk];
    let whole: Span = n.map(|n| [0, n - 1]);
    let floor = range.0 + BODY_ABOVE * (range.1 - range.0);
    let mut planes = Planes::of(image, whole, floor);
    loop {
        let before = planes.span;
        for axis in 0..3 {
            for is_last in [false, true] {
                let span = planes.peeled((axis, is_last), floor);
                if span != planes.span {
                    planes = Planes::of(image, span, floor);
                }
            }
        }
        if planes.span == before {
            break;
        }
    }
    let [i, j, k] = planes.span;
    let (low, high) = (Index3 { i: i[0], j: j[0], k: k[0] }, Index3 { i: i[1], j: j[1], k: k[1] });
    (planes.span != whole).then(|| Window::of_box((low, high), [0; 3]))
}

/// Both images of a pair without their filling; what has no range of values is left for the search to refuse.
pub(super) fn imaged_pair<'a>(
    fixed: &'a Volume<f32>,
    moving: &'a Volume<f32>,
    options: &RegistrationOptions<'_>,
) -> [Cow<'a, Volume<f32>>; 2] {
    let of = |name, image, clamp| range(name, image, clamp).map_or(Cow::Borrowed(image), |range| imaged(image, range));
    [of("fixed", fixed, options.fixed_clamp), of("moving", moving, options.moving_clamp)]
}

fn imaged(image: &Volume<f32>, range: (f32, f32)) -> Cow<'_, Volume<f32>> {
    let cut = filled_within(image, range).and_then(|window| window.cut(image, range.0).ok());
    cut.map_or(Cow::Borrowed(image), Cow::Owned)
}

/// What is known of the planes of a span across each axis, from the first plane of the span on.
struct Planes {
    span: Span,
    of_axis: [Vec<Plane>; 3],
}

/// One plane within the span.
#[derive(Clone, Copy)]
struct Plane {
    /// The value at its first voxel.
    value: f32,
    /// Whether all voxels have that value.
    is_even: bool,
    /// Voxels brighter than what is not body.
    n_body: usize,
}

/// Of a slice, within the span: what its voxels add to the planes across i and j, and the slice itself.
struct SliceTally {
    /// By column: whether a voxel differs from the first one of its plane, and body voxels.
    columns: Vec<(bool, u32)>,
    /// By row: the same.
    rows: Vec<(bool, u32)>,
    slice: Plane,
}

impl Planes {
    /// One pass over the span.
    fn of(image: &Volume<f32>, span: Span, floor: f32) -> Self {
        let [i, j, k] = span;
        let first = |at: Index3| Plane { value: *image.at(at), is_even: true, n_body: 0 };
        let mut across_i: Vec<Plane> = (i[0]..=i[1]).map(|i| first(Index3 { i, j: j[0], k: k[0] })).collect();
        let mut across_j: Vec<Plane> = (j[0]..=j[1]).map(|j| first(Index3 { i: i[0], j, k: k[0] })).collect();
        let slices = (k[0]..=k[1]).into_par_iter();
        let slices: Vec<SliceTally> =
            slices.map(|k| SliceTally::of(image, span, k, (&across_i, &across_j), floor)).collect();
        let add = |planes: &mut [Plane], counted: &[(bool, u32)]| {
            for (plane, (differs, n_body)) in planes.iter_mut().zip(counted) {
                plane.is_even &= !differs;
                plane.n_body += *n_body as usize;
            }
        };
        for of_slice in &slices {
            add(&mut across_i, &of_slice.columns);
            add(&mut across_j, &of_slice.rows);
        }
        let across_k = slices.iter().map(|of_slice| of_slice.slice).collect();
        Self { span, of_axis: [across_i, across_j, across_k] }
    }

    /// The span without the planes of one value at one of its faces, where the plane behind them cuts the body.
    fn peeled(&self, (axis, is_last): (usize, bool), floor: f32) -> Span {
        let planes = &self.of_axis[axis];
        let last = planes.len() - 1;
        let plane = |step: usize| &planes[if is_last { last - step } else { step }];
        if !plane(0).is_even {
            return self.span;
        }
        let value = plane(0).value;
        let n_even = (1..=last).take_while(|step| plane(*step).is_even && plane(*step).value == value).count();
        if n_even == last {
            return self.span;
        }
        let widest = (n_even + 1..=last).map(plane).filter(|plane| !plane.is_even).map(|plane| plane.n_body).max();
        let is_cut = plane(n_even + 1).n_body as f64 >= CUT_SHARE * widest.unwrap_or(0).max(1) as f64;
        if value <= floor && !is_cut {
            return self.span;
        }
        let mut left = self.span;
        let [low, high] = self.span[axis];
        left[axis][usize::from(is_last)] = if is_last { high - n_even - 1 } else { low + n_even + 1 };
        left
    }
}

impl SliceTally {
    fn of(
        image: &Volume<f32>,
        [i, j, _]: Span,
        k: usize,
        (across_i, across_j): (&[Plane], &[Plane]),
        floor: f32,
    ) -> Self {
        let Shape { ni, nj, .. } = image.shape();
        let mut slice = Plane { value: *image.at(Index3 { i: i[0], j: j[0], k }), is_even: true, n_body: 0 };
        let first: Vec<f32> = across_i.iter().map(|plane| plane.value).collect();
        let (mut differs, mut n_body) = (vec![false; first.len()], vec![0_u32; first.len()]);
        let mut rows = Vec::with_capacity(across_j.len());
        for (j, plane) in (j[0]..=j[1]).zip(across_j) {
            let start = (k * nj + j) * ni;
            let row = &image.values()[start + i[0]..=start + i[1]];
            for (differs, (value, first)) in differs.iter_mut().zip(row.iter().zip(&first)) {
                *differs |= value != first;
            }
            for (n, value) in n_body.iter_mut().zip(row) {
                *n += u32::from(*value > floor);
            }
            let n_of_row: u32 = row.iter().map(|value| u32::from(*value > floor)).sum();
            // Most rows of tissue differ after a few voxels.
            rows.push((row.iter().any(|value| *value != plane.value), n_of_row));
            slice.is_even = slice.is_even && row.iter().all(|value| *value == slice.value);
            slice.n_body += n_of_row as usize;
        }
        Self { columns: differs.into_iter().zip(n_body).collect(), rows, slice }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FrameId, Grid, Point};
    use nalgebra::Matrix3;

    /// A cylinder along z in air, with noise in tissue alone.
    fn body(filled: impl Fn(Index3) -> Option<f32>) -> Volume<f32> {
        let shape = Shape { ni: 60, nj: 48, nk: 12 };
        let origin = Point::new(5.0, -9.0, 40.0);
        let grid = Grid::from_directions(shape, origin, [2.0, 2.0, 4.0], Matrix3::identity(), FrameId::new("f"));
        Volume::from_fn(grid.unwrap(), |at| {
            let (x, y) = (at.i as f32 - 29.5, at.j as f32 - 23.5);
            let tissue = 40.0 + ((at.i * 7 + at.j * 13 + at.k * 29) % 11) as f32;
            filled(at).unwrap_or(if x * x / 560.0 + y * y / 360.0 < 1.0 { tissue } else { -1024.0 })
        })
    }

    fn found(filled: impl Fn(Index3) -> Option<f32>) -> Option<([i64; 3], Shape)> {
        filled_within(&body(filled), (-150.0, 250.0)).map(|window| (window.low, window.shape))
    }

    #[test]
    fn what_fills_a_cut_body_is_no_part_of_the_image_and_air_round_a_whole_one_is() {
        assert_eq!(found(|_| None), None);
        let columns = found(|at| (at.i < 18).then_some(-1024.0));
        assert_eq!(columns, Some(([18, 0, 0], Shape { ni: 42, nj: 48, nk: 12 })));
        let slices = found(|at| (at.k >= 8).then_some(0.0));
        assert_eq!(slices, Some(([0, 0, 0], Shape { ni: 60, nj: 48, nk: 8 })));
        let both = found(|at| (at.k < 2 || at.j > 35).then_some(-2000.0));
        assert_eq!(both, Some(([0, 0, 2], Shape { ni: 60, nj: 36, nk: 10 })));
        // Nothing but filling is no image to cut down to.
        assert_eq!(found(|_| Some(-1024.0)), None);
    }

    #[test]
    fn the_part_scanned_is_a_grid_of_the_same_frame() {
        let cut = body(|at| (at.i < 18).then_some(-1024.0));
        for clamp in [Some((-150.0, 250.0)), None] {
            let part = scanned_part(&cut, clamp).unwrap();
            assert_eq!(part.frame(), cut.grid().frame());
            let [there, filling] = [20, 15].map(|i| cut.grid().center(Index3 { i, j: 23, k: 5 }));
            assert!(part.nearest(there).is_some() && part.nearest(filling).is_none());
            assert_eq!(scanned_part(&body(|_| None), clamp), None);
        }
    }

    #[test]
    fn what_is_left_keeps_its_place_and_its_values() {
        let image = body(|at| (at.i < 18).then_some(-1024.0));
        let cut = imaged(&image, (-150.0, 250.0));
        let (own, whole) = (Index3 { i: 3, j: 23, k: 5 }, Index3 { i: 21, j: 23, k: 5 });
        assert_eq!((cut.at(own), cut.grid().center(own)), (image.at(whole), image.grid().center(whole)));
        assert!(matches!(imaged(&body(|_| None), (-150.0, 250.0)), Cow::Borrowed(_)));
    }
}
