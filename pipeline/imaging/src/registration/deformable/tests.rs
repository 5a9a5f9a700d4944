//! Deformable registrations of textured synthetic bodies with known maps.

use nalgebra::Matrix3;

use super::*;
use crate::registration::tests::{
    COARSE, FINE, V, bulge, deformed, fixed_image, hash, image, liver, liver_shape, moving_grid, near, options,
};
use crate::registration::{Quality, RegistrationError, RegistrationOptions, TransformKind, WITHIN_95, register_rigid};
use crate::{Grid, Mask, Point, Shape};

/// Distances by which points of the liver are missed, ascending: each is carried to the moving image and, by the true map, back.
fn misses(apply: impl Fn(V) -> V, peak_mm: f64) -> Vec<f64> {
    let (truth, shift) = (near(), bulge(peak_mm));
    let (center, radii) = liver_shape();
    let mut out: Vec<f64> = (0..1000)
        .map(|n| V::from_fn(|a, _| hash([n, a as i64, 9], 55)))
        .filter(|d| d.norm() <= 1.0)
        .take(400)
        .map(|d| {
            let p = V::from(center) + V::from(radii).component_mul(&d);
            let q = truth.apply(Point::from_coords(apply(p))).coords;
            (q + shift(q) - p).norm()
        })
        .collect();
    out.sort_by(f64::total_cmp);
    out
}

#[test]
fn a_bulge_of_12_mm_is_followed() {
    let (fixed, moving) = (fixed_image(FINE), deformed(&near(), FINE, 12.0));
    let mask = liver(fixed.grid(), 8.0);
    let options = RegistrationOptions { fixed_mask: Some(&mask), ..options() };
    let start = register_rigid(&fixed, &moving, &options).unwrap();
    let to_moving = start.fixed_to_moving().unwrap();
    let before = misses(|p| to_moving.apply(Point::from_coords(p)).coords, 12.0);
    let found = register_deformable(&fixed, &moving, &start, &options).unwrap();
    let after = misses(|p| found.deformation.apply(Point::from_coords(p)).coords, 12.0);
    println!(
        "median, 95th percentile: rigid {:.2} {:.2} mm, now {:.2} {:.2} mm",
        before[200], before[380], after[200], after[380]
    );
    assert!(after[200] < 0.7 && after[380] < 1.6 && before[380] > 4.0, "{} {}", after[200], after[380]);
    assert_eq!(found.quality(), Quality::Pass, "{:?}", found.reasons());
    assert_eq!(found.evidence.transform, Some(TransformKind::Deformable));
}

/// Noise of about 24 HU more, as of a thin slice.
fn noisy(image: &Volume<f32>, seed: u64) -> Volume<f32> {
    let noise = |n: usize| (0..3).map(|k| 24.0 * hash([n as i64, k, 1], seed)).sum::<f64>() as f32;
    let values = image.values().iter().enumerate().map(|(n, v)| v + noise(n)).collect();
    Volume::from_values(values, image.grid().clone()).unwrap()
}

#[test]
fn what_noise_alone_asks_for_is_not_followed() {
    let fixed = noisy(&fixed_image(COARSE), 1);
    let mask = liver(fixed.grid(), 8.0);
    let options = RegistrationOptions { fixed_mask: Some(&mask), ..options() };
    let missed = |peak_mm: f64| {
        let moving = noisy(&deformed(&near(), COARSE, peak_mm), 2);
        let start = register_rigid(&fixed, &moving, &options).unwrap();
        let found = register_deformable(&fixed, &moving, &start, &options).unwrap();
        let to_moving = start.fixed_to_moving().unwrap();
        let before = misses(|p| to_moving.apply(Point::from_coords(p)).coords, peak_mm);
        let after = misses(|p| found.deformation.apply(Point::from_coords(p)).coords, peak_mm);
        let stretch = found.stretch.unwrap();
        println!(
            "bulge of {peak_mm} mm: median, 95th percentile rigid {:.2} {:.2} mm, bent {:.2} {:.2} mm, {stretch:?}",
            before[200], before[380], after[200], after[380]
        );
        (before, after, stretch)
    };
    // Nothing moved: with the least stiffness for all, points are missed by 1.5 mm in the median and 3.0 mm at the 95th percentile.
    let (_, still, stretch) = missed(0.0);
    assert!(still[200] < 0.4 && still[380] < 0.9, "{} {}", still[200], still[380]);
    assert!(stretch.min > 0.8 && stretch.max < 1.25, "{stretch:?}");
    // The same noise, and something did.
    let (before, after, _) = missed(12.0);
    assert!(after[200] < 0.6 * before[200] && after[380] < 0.6 * before[380], "{} {}", after[200], after[380]);
}

#[test]
fn a_straight_map_tells_which_part_moved_on_its_own() {
    let fixed = fixed_image(FINE);
    let mask = liver(fixed.grid(), 8.0);
    let options = RegistrationOptions { fixed_mask: Some(&mask), ..options() };
    let told = |peak_mm: f64| {
        let moving = deformed(&near(), FINE, peak_mm);
        let before = register_rigid(&fixed, &moving, &options).unwrap();
        let mut straight = before.clone();
        tell_local_motion(&fixed, &moving, &mut straight, &options).unwrap();
        assert_eq!(straight.moving_to_fixed, before.moving_to_fixed, "the map stays");
        (before, straight)
    };
    let (_, still) = told(0.0);
    println!("nothing moved: {:?}", still.left_over_farthest_mm());
    assert!(still.left_over_farthest_mm().unwrap() < 2.5, "{:?}", still.left_over_farthest_mm());
    assert!(!still.reasons.iter().any(|reason| reason.contains("moved on its own")));
    let (before, moved) = told(14.0);
    let farthest = moved.left_over_farthest_mm().unwrap();
    println!("a bulge of 14 mm: {farthest}");
    assert!(farthest > 5.0 && moved.quality == Quality::Review, "{farthest} {:?}", moved.quality);
    assert!(moved.reasons[0].contains("moved on its own"), "{:?}", moved.reasons);
    assert!(before.reasons.iter().all(|reason| moved.reasons.contains(reason)), "what was said stays said");
    let (before, moved) = told(10.0);
    // Nearer to the truth than before: what a rigid map misses at the bulge lies within what is stated there.
    let (apply, sigma) = (moved.fixed_to_moving().unwrap(), |r: &Registration, p| r.error_at(p).map(|e| e.sigma().0));
    let (truth, shift) = (near(), bulge(10.0));
    let mut within = [0; 2];
    for n in 0..100 {
        let p = V::new(-70.0, -20.0, 5.0) + V::from_fn(|a, _| 12.0 * hash([n, a as i64, 3], 55));
        let q = truth.apply(apply.apply(Point::from_coords(p))).coords;
        let missed = (q + shift(q) - p).norm();
        for (n, r) in [&before, &moved].into_iter().enumerate() {
            within[n] += usize::from(sigma(r, Point::from_coords(p)).is_some_and(|mm| missed <= WITHIN_95 * mm));
        }
    }
    println!("within what is stated: {within:?} of 100 without and with the bend");
    assert!(within[1] >= 90 && within[1] > within[0], "{within:?}");
}

/// A ball of the liver as a mask on a grid of either image.
fn ball(grid: &Grid, center: V, radius_mm: f64) -> Mask {
    Mask::from_fn(grid.clone(), |at| (grid.center(at).coords - center).norm() <= radius_mm)
}

#[test]
fn a_tumour_in_a_bulging_liver_keeps_its_shape() {
    let (fixed, moving) = (fixed_image(COARSE), deformed(&near(), COARSE, 10.0));
    let (mask, tumour) = (liver(fixed.grid(), 8.0), V::new(-70.0, -20.0, 5.0));
    let there = near().inverse().unwrap().apply(Point::from_coords(tumour)).coords;
    let (tumour, zone) = (ball(fixed.grid(), tumour, 12.0), ball(moving.grid(), there, 20.0));
    let options = RegistrationOptions {
        fixed_mask: Some(&mask),
        fixed_exclusion: Some(&tumour),
        moving_exclusion: Some(&zone),
        ..options()
    };
    let start = register_rigid(&fixed, &moving, &options).unwrap();
    let found = register_deformable(&fixed, &moving, &start, &options).unwrap();
    let (inside, everywhere) = (found.lesion_stretch.unwrap(), found.stretch.unwrap());
    // Rigid but for the cells of the field that its border cuts; its volume stays.
    assert!(inside.min > 0.95 && inside.max < 1.25, "{inside:?}");
    let at_voxels = tumour.indices_set().map(|at| found.deformation.jacobian(tumour.grid().center(at)));
    let volume_ratio = at_voxels.sum::<f64>() / tumour.n_voxels_set() as f64;
    assert!((volume_ratio - 1.0).abs() < 0.03, "{volume_ratio}");
    assert!(everywhere.max - everywhere.min > 0.1, "{everywhere:?}");
    for p in tumour.indices_set().map(|at| tumour.grid().center(at)).step_by(50) {
        let back = found.deformation.apply_inverse(found.deformation.apply(p)).unwrap();
        assert!(back.distance(p) < 0.01);
    }
}

#[test]
fn a_map_made_elsewhere_is_believed_where_it_is_right_and_leaves_lesions_their_shape() {
    let (fixed, moving) = (fixed_image(COARSE), deformed(&near(), COARSE, 10.0));
    let (mask, middle) = (liver(fixed.grid(), 8.0), V::new(-70.0, -20.0, 5.0));
    let tumour = ball(fixed.grid(), middle, 12.0);
    let options = RegistrationOptions { fixed_mask: Some(&mask), fixed_exclusion: Some(&tumour), ..options() };
    let pair = Pair::new(&fixed, &moving, &options).unwrap();
    let own = pair.register_deformable(&pair.register().unwrap()).unwrap();
    // As another program would hand it on: all of the map as displacements on the fixed image's voxels.
    let written = |change: &dyn Fn(V) -> V| {
        let grid = fixed.grid();
        let field = own.deformation.displacement_on(grid).into_iter().enumerate().map(|(n, u)| {
            let more = change(grid.center(grid.shape().index(n)).coords);
            [u[0] + more.x as f32, u[1] + more.y as f32, u[2] + more.z as f32]
        });
        Deformation::new(grid.clone(), field.collect(), Affine::identity()).unwrap()
    };
    let given = written(&|_| V::zeros());
    let judged = pair.judge_deformation(&given).unwrap();
    assert_eq!(judged.quality(), Quality::Pass, "{:?}", judged.reasons());
    assert_eq!(judged.evidence.transform, Some(TransformKind::Deformable));
    for p in tumour.indices_set().map(|at| tumour.grid().center(at)).step_by(200) {
        assert!(judged.deformation.apply(p).distance(given.apply(p)) < 0.3, "kept as it was given");
    }
    // The tumour swollen onto a zone: everything else as before.
    let swollen = pair.judge_deformation(&written(&|p| {
        let d = p - middle;
        d * (0.6 * (-(d.norm() / 14.0).powi(4)).exp())
    }));
    let swollen = swollen.unwrap();
    assert_eq!(swollen.quality(), Quality::Fail, "{:?}", swollen.reasons());
    assert!(swollen.reasons().iter().any(|reason| reason.contains("bends a lesion")), "{:?}", swollen.reasons());
    // All of it beside the tissue.
    let beside = pair.judge_deformation(&written(&|_| V::new(0.0, 0.0, 25.0))).unwrap();
    assert_eq!(beside.quality(), Quality::Fail, "{:?}", beside.reasons());
    // A field that ends before the lesion says nothing of it.
    let (all, n_beside) = (fixed.grid(), fixed.grid().shape().ni / 2);
    let shift = Affine::from_parts(Matrix3::identity(), V::new(n_beside as f64, 0.0, 0.0));
    let shape = Shape { ni: all.shape().ni - n_beside, ..all.shape() };
    let half = Grid::new(shape, shift.then(all.voxel_to_patient()), all.frame().clone()).unwrap();
    let field = own.deformation.displacement_on(&half);
    let short = pair.judge_deformation(&Deformation::new(half, field, Affine::identity()).unwrap()).unwrap();
    assert!(short.reasons().iter().any(|reason| reason == "the map given does not reach 1 of 1 lesions whole"));
    assert_eq!(short.quality(), Quality::Fail, "{:?}", short.reasons());
}

#[test]
fn another_body_does_not_pass_because_it_was_bent() {
    let fixed = fixed_image(COARSE);
    let moving = image(&moving_grid(&near(), COARSE), 77, 200, |p| p);
    let mask = liver(fixed.grid(), 8.0);
    let options = RegistrationOptions { fixed_mask: Some(&mask), ..options() };
    let start = register_rigid(&fixed, &moving, &options).unwrap();
    let found = register_deformable(&fixed, &moving, &start, &options).unwrap();
    assert_eq!((start.quality, found.quality()), (Quality::Fail, Quality::Fail), "{:?}", found.reasons());
}

#[test]
fn two_modalities_are_refused() {
    let fixed = fixed_image(COARSE);
    let options = RegistrationOptions { metric: Metric::MattesMutualInformation { n_bins: 32 }, ..options() };
    let start = Registration::identity_same_frame(fixed.grid().frame().clone());
    let refused = register_deformable(&fixed, &fixed, &start, &options);
    assert!(matches!(refused, Err(RegistrationError::Options(_))));
}

/// Tissue without end: waves of 18 to 40 mm in all directions, far from 0 on average.
fn tissue(p: V) -> f32 {
    let wave = |n: i64| {
        let part = |k: i64| hash([n, k, 4], 91);
        let direction = V::new(part(0), part(1), part(2)).normalize();
        let per_mm = std::f64::consts::TAU / (29.0 + 11.0 * part(3));
        (direction.dot(&p) * per_mm + 9.0 * part(4)).sin()
    };
    (100.0 + (0..24).map(wave).sum::<f64>() * 25.0) as f32
}

#[test]
fn an_image_that_ends_within_the_body_is_judged_where_it_is() {
    let grid = |origin: [f64; 3]| {
        let (shape, frame) = (crate::Shape { ni: 40, nj: 40, nk: 30 }, crate::FrameId::new(format!("{origin:?}")));
        Grid::from_directions(
            shape,
            Point::from_coords(V::from(origin)),
            [2.5, 2.5, 3.0],
            nalgebra::Matrix3::identity(),
            frame,
        )
        .unwrap()
    };
    let bend = |p: V| V::new(3.0 * (p.z / 25.0).sin(), 3.0 * (p.x / 30.0).cos(), 0.0);
    let whole = |grid: &Grid, at: &dyn Fn(V) -> V| Volume::from_fn(grid.clone(), |i| tissue(at(grid.center(i).coords)));
    let fixed = whole(&grid([0.0; 3]), &|p| p);
    let moving = whole(&grid([12.0, -9.0, 14.0]), &|p| p + bend(p));
    let start = register_rigid(&fixed, &moving, &options()).unwrap();
    let found = register_deformable(&fixed, &moving, &start, &options()).unwrap();
    let likeness = (found.evidence.metric_before.unwrap(), found.evidence.metric_after.unwrap());
    assert!(likeness.1 > likeness.0 && likeness.1 > 0.99, "{likeness:?}");
    assert_eq!(found.evidence.overlap, start.overlap);
    assert_eq!(found.quality(), Quality::Pass, "{:?}", found.reasons());
}
