//! Registrations of textured synthetic bodies with known motions.

use nalgebra::{Matrix3, Rotation3, Vector3};

use super::*;
use crate::{Affine, FrameId, Grid, GridError, InFrame, Mask, Patient, Point, Shape, Volume};

type V = Vector3<f64>;

const CT: (f32, f32) = (-200.0, 300.0);
const LIVER: ([f64; 3], [f64; 3]) = ([-55.0, -15.0, 0.0], [70.0, 60.0, 55.0]);

/// A number in −1…1 from integers and a seed.
fn hash(at: [i64; 3], seed: u64) -> f64 {
    let mut h = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for v in at {
        h = (h ^ v as u64).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        h ^= h >> 29;
    }
    h = h.wrapping_mul(0x94d0_49bb_1331_11eb);
    (h >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

/// Smooth random texture of a given grain, mm.
fn texture(p: V, grain_mm: f64, seed: u64) -> f64 {
    let q = p / grain_mm;
    let low = q.map(f64::floor);
    let t = (q - low).map(|x| x * x * (3.0 - 2.0 * x));
    let mut sum = 0.0;
    for n in 0..8_i64 {
        let d = [n & 1, (n >> 1) & 1, (n >> 2) & 1];
        let weight: f64 = (0..3).map(|a| if d[a] == 1 { t[a] } else { 1.0 - t[a] }).product();
        sum += weight * hash([low.x as i64 + d[0], low.y as i64 + d[1], low.z as i64 + d[2]], seed);
    }
    sum
}

fn in_ellipsoid(p: V, (center, radii): ([f64; 3], [f64; 3])) -> bool {
    (p - V::from(center)).component_div(&V::from(radii)).norm_squared() <= 1.0
}

/// CT value of a body; another seed is another body.
fn tissue(p: V, body: u64) -> f64 {
    let other = |n: i64| 12.0 * hash([n, 0, 0], body);
    let shape = V::new(140.0 + other(1), 105.0 + other(2), 1.0);
    if (p.x / shape.x).powi(2) + (p.y / shape.y).powi(2) > 1.0 {
        return -1000.0;
    }
    let organ = |n: i64, (c, r): ([f64; 3], [f64; 3])| {
        let c = [c[0] + other(n), c[1] + other(n + 1), c[2] + other(n + 2)];
        in_ellipsoid(p, (c, [r[0] + other(n + 3), r[1] + other(n + 4), r[2] + other(n + 5)]))
    };
    if (p - V::new(3.0, 70.0, p.z)).norm() < 20.0 {
        return 250.0 + 60.0 * ((p.z / 28.0).sin()).signum();
    }
    let base = if organ(10, LIVER) {
        110.0
    } else if organ(20, ([85.0, 30.0, 10.0], [30.0, 40.0, 35.0])) {
        130.0
    } else if organ(30, ([70.0, 50.0, -55.0], [25.0, 22.0, 40.0])) {
        180.0
    } else if organ(40, ([-65.0, 55.0, -60.0], [24.0, 22.0, 40.0])) {
        180.0
    } else if p.z > 45.0 && organ(50, ([0.0, -10.0, 90.0], [115.0, 80.0, 60.0])) {
        -800.0
    } else if (p - V::new(0.0, -45.0, p.z)).norm() < 45.0 {
        30.0
    } else {
        -90.0
    };
    base + 30.0 * texture(p, 13.0, body + 1) + 15.0 * texture(p, 7.0, body + 2)
}

fn rigid(degrees: [f64; 3], shift: [f64; 3]) -> Affine<Patient, Patient> {
    let turn = Rotation3::new(V::from(degrees).map(f64::to_radians));
    Affine::from_parts(*turn.matrix(), V::from(shift))
}

fn fixed_grid() -> Grid {
    let shape = Shape { ni: 120, nj: 92, nk: 68 };
    let turn = *Rotation3::from_euler_angles(0.03, -0.05, 0.04).matrix();
    Grid::from_directions(shape, Point::new(-155.0, -110.0, -95.0), [2.5; 3], turn, FrameId::new("fixed")).unwrap()
}

/// An anisotropic, oblique grid with j running backwards, roughly centred where `moving_to_fixed` puts the body.
fn moving_grid(moving_to_fixed: &Affine<Patient, Patient>, nk: usize) -> Grid {
    let shape = Shape { ni: 140, nj: 112, nk };
    let turn =
        *Rotation3::from_euler_angles(-0.06, 0.02, -0.05).matrix() * Matrix3::from_diagonal(&V::new(1.0, -1.0, 1.0));
    let middle = moving_to_fixed.inverse().unwrap().apply(Point::new(0.0, 0.0, 0.0)).coords;
    let linear = turn * Matrix3::from_diagonal(&V::new(2.2, 2.3, 4.0));
    let origin = middle - linear * V::new(70.0, 56.0, nk as f64 / 2.0);
    Grid::new(shape, Affine::from_parts(linear, origin), FrameId::new("moving")).unwrap()
}

/// An image in which the voxel at p shows the tissue at `to_tissue(p)`, with noise of 10 HU.
fn image(grid: &Grid, body: u64, noise: u64, to_tissue: impl Fn(V) -> V) -> Volume<f32> {
    Volume::from_fn(grid.clone(), |at| {
        let h = |n| hash([at.i as i64, at.j as i64, at.k as i64], noise + n);
        let noise = 10.0 * (h(1) + h(2) + h(3));
        (tissue(to_tissue(grid.center(at).coords), body) + noise) as f32
    })
}

fn fixed_image() -> Volume<f32> {
    image(&fixed_grid(), 0, 100, |p| p)
}

fn moved(moving_to_fixed: &Affine<Patient, Patient>, nk: usize) -> Volume<f32> {
    image(&moving_grid(moving_to_fixed, nk), 0, 200, |p| moving_to_fixed.apply(Point::from_coords(p)).coords)
}

fn liver(grid: &Grid, grow_mm: f64) -> Mask {
    let (center, radii) = LIVER;
    let offset: Vec<f64> = (10..16).map(|n| 12.0 * hash([n, 0, 0], 0)).collect();
    let center = [0, 1, 2].map(|a| center[a] + offset[a]);
    let radii = [0, 1, 2].map(|a| radii[a] + offset[a + 3] + grow_mm);
    Mask::from_fn(grid.clone(), |at| in_ellipsoid(grid.center(at).coords, (center, radii)))
}

fn options<'a>() -> RegistrationOptions<'a> {
    RegistrationOptions {
        transform: TransformKind::Rigid,
        metric: Metric::NormalizedCorrelation,
        fixed_clamp: Some(CT),
        moving_clamp: Some(CT),
        fixed_mask: None,
        moving_mask: None,
        fixed_exclusion: None,
        moving_exclusion: None,
        seed: 7,
    }
}

/// Mean distance between points of the liver carried by the map found and by the true one.
fn target_error_mm(found: &Affine<Patient, Patient>, truth: &Affine<Patient, Patient>) -> f64 {
    let to_moving = truth.inverse().unwrap();
    let (center, radii) = LIVER;
    let mut sum = 0.0;
    for n in 0..200 {
        let d = V::from_fn(|a, _| hash([n, a as i64, 9], 55));
        let p = Point::from_coords(V::from(center) + V::from(radii).component_mul(&d));
        sum += found.apply(to_moving.apply(p)).distance(p);
    }
    sum / 200.0
}

fn far() -> Affine<Patient, Patient> {
    rigid([8.0, -7.0, 11.0], [32.0, -18.0, 15.0])
}

fn report(name: &str, r: &Registration, truth: &Affine<Patient, Patient>) {
    println!(
        "{name}: error {:.3} mm, {:?}, before {:?} after {:?} overlap {:?} inverse {:?} repeat {:?} residual {:?} matched {:?} of {}\n{:#?}",
        target_error_mm(&r.moving_to_fixed, truth),
        r.quality,
        r.metric_before,
        r.metric_after,
        r.overlap,
        r.inverse_consistency_mm,
        r.estimated_error,
        r.residual,
        r.matched_blocks,
        r.blocks.len(),
        r.reasons
    );
}

#[test]
fn a_body_40_mm_and_15_degrees_away_is_found_to_half_a_millimetre() {
    let truth = far();
    let r = register_rigid(&fixed_image(), &moved(&truth, 48), &options()).unwrap();
    report("far", &r, &truth);
    assert!(target_error_mm(&r.moving_to_fixed, &truth) < 0.5);
    // The motion is asymmetric: the inverse would be far off, so the direction is tested too.
    assert!(target_error_mm(&r.fixed_to_moving().unwrap(), &truth) > 20.0);
    assert_eq!(r.quality, Quality::Pass, "{:?}", r.reasons);
    assert!((r.jacobian() - 1.0).abs() < 1e-9);
    let seen = InFrame::new(FrameId::new("moving"), Point::new(1.0, 2.0, 3.0));
    assert_eq!(r.carry(&seen).unwrap().frame(), &FrameId::new("fixed"));
    assert!(matches!(r.carry(&r.carry(&seen).unwrap()), Err(GridError::OtherFrame { .. })));
}
