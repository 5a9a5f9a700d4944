//! Images that show only a part of the body, or a body cut within their grid.

use super::tests::{COARSE, fixed_image, image, liver, moved, moving_grid, near, options, report, target_error_mm};
use super::*;
use crate::window::Window;
use crate::{Affine, FrameId, Grid, Point, Shape, Volume};

/// A grid cut to its slices from `first` on, so many of them.
fn slices(grid: &Grid, first: usize, nk: usize) -> Grid {
    let to_patient = grid.voxel_to_patient();
    let origin = to_patient.apply(Point::new(0.0, 0.0, first as f64)).coords;
    let map = Affine::from_parts(to_patient.linear(), origin);
    Grid::new(Shape { nk, ..grid.shape() }, map, grid.frame().clone()).unwrap()
}

#[test]
fn a_moving_image_of_a_fifth_of_the_body_is_found() {
    let truth = near();
    let whole = moving_grid(&truth, COARSE);
    let grid = slices(&whole, 12, 7);
    let moving = image(&grid, 0, 200, |p| truth.apply(Point::from_coords(p)).coords);
    let fixed = fixed_image(COARSE);
    let r = register_rigid(&fixed, &moving, &options()).unwrap();
    report("a fifth", &r, &truth);
    assert!(target_error_mm(&r.moving_to_fixed, &truth) < 1.5);
    assert!(
        r.quality < Quality::Fail && r.reasons.iter().any(|reason| reason.contains("a quarter")),
        "{:?}",
        r.reasons
    );
    // An organ that is named must be covered itself.
    let organ = liver(fixed.grid(), 8.0);
    let lowest = image(&slices(&whole, 0, 6), 0, 200, |p| truth.apply(Point::from_coords(p)).coords);
    let of_organ = register_rigid(&fixed, &lowest, &RegistrationOptions { fixed_mask: Some(&organ), ..options() });
    assert!(matches!(of_organ, Err(RegistrationError::NoOverlap { .. })), "{of_organ:?}");
}

#[test]
fn what_fills_the_grid_of_a_cut_image_is_no_anatomy() {
    let truth = near();
    let fixed = fixed_image(COARSE);
    let mut moving = moved(&truth, COARSE);
    let columns = moving.shape().ni * 3 / 10;
    let shape = moving.shape();
    for (n, v) in moving.values_mut().iter_mut().enumerate() {
        if shape.index(n).i < columns {
            *v = -1024.0;
        }
    }
    let cut = imaged_columns(&moving, columns);
    let organ = liver(fixed.grid(), 8.0);
    for fixed_mask in [None, Some(&organ)] {
        let options = RegistrationOptions { fixed_mask, ..options() };
        let [filled, cut] = [&moving, &cut].map(|moving| register_rigid(&fixed, moving, &options).unwrap());
        report("filled", &filled, &truth);
        assert_eq!((filled.moving_to_fixed, filled.quality), (cut.moving_to_fixed, cut.quality));
        assert!(target_error_mm(&filled.moving_to_fixed, &truth) < 1.0);
        assert!(filled.overlap.unwrap() < 0.9, "{:?}", filled.overlap);
    }
}

/// The image without its first columns.
fn imaged_columns(image: &Volume<f32>, first: usize) -> Volume<f32> {
    let whole = image.shape();
    let shape = Shape { ni: whole.ni - first, ..whole };
    Window { low: [first as i64, 0, 0], shape }.cut(image, 0.0).unwrap()
}

#[test]
fn an_image_and_itself_are_alike() {
    let fixed = fixed_image(COARSE);
    let mut other = fixed.clone();
    other = other
        .with_grid(Grid::new(fixed.shape(), *fixed.grid().voxel_to_patient(), FrameId::new("moving")).unwrap())
        .unwrap();
    let r = register_rigid(&fixed, &other, &options()).unwrap();
    assert_eq!(r.quality, Quality::Pass, "{:?}", r.reasons);
}
