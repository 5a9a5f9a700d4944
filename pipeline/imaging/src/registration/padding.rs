//! The part of a grid that a scanner filled. An image that was cut, or resampled onto another's grid, is filled up to its faces with
//! planes of one value, which are neither air nor anatomy: nothing was seen there.

use std::borrow::Cow;

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
    let mut span = whole;
    loop {
        let before = span;
        for axis in 0..3 {
            for is_last in [false, true] {
                span = peeled(image, span, (axis, is_last), floor);
            }
        }
        if span == before {
            break;
        }
    }
    let [i, j, k] = span;
    let (low, high) = (Index3 { i: i[0], j: j[0], k: k[0] }, Index3 { i: i[1], j: j[1], k: k[1] });
    (span != whole).then(|| Window::of_box((low, high), [0; 3]))
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

/// The span without the planes of one value at one of its faces, where the plane behind them cuts the body.
fn peeled(image: &Volume<f32>, span: Span, (axis, is_last): (usize, bool), floor: f32) -> Span {
    let [low, high] = span[axis];
    let plane = |step: usize| if is_last { high - step } else { low + step };
    let value = plane_value(image, span, axis, plane(0));
    let Some(value) = value else { return span };
    let n_even =
        (1..=high - low).take_while(|step| plane_value(image, span, axis, plane(*step)) == Some(value)).count();
    if n_even == high - low {
        return span;
    }
    let behind = plane(n_even + 1);
    let widest = (n_even + 1..=high - low)
        .map(plane)
        .filter(|at| plane_value(image, span, axis, *at).is_none())
        .map(|at| body_voxels(image, span, axis, at, floor))
        .max();
    let is_cut = body_voxels(image, span, axis, behind, floor) as f64 >= CUT_SHARE * widest.unwrap_or(0).max(1) as f64;
    if value <= floor && !is_cut {
        return span;
    }
    let mut left = span;
    left[axis][usize::from(is_last)] = behind;
    left
}

/// The value of a plane that has one.
fn plane_value(image: &Volume<f32>, span: Span, axis: usize, at: usize) -> Option<f32> {
    let mut values = plane(image, span, axis, at);
    let first = values.next()?;
    values.all(|v| v == first).then_some(first)
}

fn body_voxels(image: &Volume<f32>, span: Span, axis: usize, at: usize, floor: f32) -> usize {
    plane(image, span, axis, at).filter(|v| *v > floor).count()
}

/// The values of a plane across an axis within a span.
fn plane(image: &Volume<f32>, span: Span, axis: usize, at: usize) -> impl Iterator<Item = f32> + '_ {
    let mut ends = span;
    ends[axis] = [at, at];
    let [i, j, k] = ends.map(|[low, high]| low..=high);
    let Shape { ni, nj, .. } = image.shape();
    k.flat_map(move |k| {
        let i = i.clone();
        j.clone().flat_map(move |j| {
            let row = (k * nj + j) * ni;
            image.values()[row + i.start()..=row + i.end()].iter().copied()
        })
    })
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
