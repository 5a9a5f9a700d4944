//! Solids with detail that a smooth function would lose: lobes, buds, needles, boxes, notches.

use lesiontrace_imaging::margin::{CAPSULE_EXCLUSION, MarginInput, ablation_margin};
use lesiontrace_imaging::{FrameId, Grid, Mask, Point, Shape, smooth_planar_diameters};
use nalgebra::{Matrix3, Rotation3, Vector3};

/// Positive inside, local mm.
type Level = Box<dyn Fn(Vector3<f64>) -> f64 + Sync>;

pub(crate) fn ball(radius: f64) -> Level {
    Box::new(move |p| radius - p.norm())
}

pub(crate) fn lobes(radius: f64, amplitude: f64, n: f64) -> Level {
    Box::new(move |p| {
        let r = p.norm().max(0.01);
        let off_axis = (p.x * p.x + p.y * p.y) / (r * r);
        radius + amplitude * (n * p.y.atan2(p.x)).cos() * off_axis - r
    })
}

pub(crate) fn bud(at: f64, radius: f64) -> Level {
    Box::new(move |p| (10.0 - p.norm()).max(radius - (p - Vector3::new(at, 0.0, 0.0)).norm()))
}

pub(crate) fn ellipsoid(a: f64, b: f64, c: f64) -> Level {
    Box::new(move |p| (1.0 - p.component_div(&Vector3::new(a, b, c)).norm()) * b)
}

pub(crate) fn cuboid(a: f64, b: f64, c: f64) -> Level {
    Box::new(move |p| (a - p.x.abs()).min(b - p.y.abs()).min(c - p.z.abs()))
}

pub(crate) fn ring(outer: f64, inner: f64, half: f64) -> Level {
    Box::new(move |p| {
        let rho = p.x.hypot(p.y);
        (outer - rho).min(rho - inner).min(half - p.z.abs())
    })
}

/// A ball of 18 mm with a round notch of 5 mm width down to `depth` from the centre.
pub(crate) fn notched(depth: f64) -> Level {
    Box::new(move |p| (18.0 - p.norm()).min((depth - p.x).max(p.y.hypot(p.z) - 2.5)))
}

pub(crate) fn mask(level: &Level, spacing_mm: [f64; 3], pose: &Rotation3<f64>, shift: Vector3<f64>) -> Mask {
    let half = spacing_mm.map(|s| (29.0 / s).ceil() as usize + 1);
    let shape = Shape { ni: 2 * half[0] + 1, nj: 2 * half[1] + 1, nk: 2 * half[2] + 1 };
    let steps = Vector3::from_fn(|a, _| spacing_mm[a] * (shift[a] - half[a] as f64));
    let grid =
        Grid::from_directions(shape, Point::from_coords(steps), spacing_mm, Matrix3::identity(), FrameId::new("f"))
            .unwrap();
    Mask::from_fn(grid.clone(), |at| level(pose.inverse() * grid.center(at).coords) >= 0.0)
}

/// Longest chord of any slice.
pub(crate) fn long_axis(level: &Level, mask: &Mask, pose: &Rotation3<f64>) -> f64 {
    let mut best = 0.0_f64;
    let (low, high) = mask.bounding_box().unwrap();
    for k in low.k..=high.k {
        let z = mask.grid().voxel_to_patient().apply(Point::new(0.0, 0.0, k as f64)).coords.z;
        let value = |r: f64, angle: f64| level(pose.inverse() * Vector3::new(r * angle.cos(), r * angle.sin(), z));
        let mut points = Vec::new();
        for n in 0..720 {
            let angle = std::f64::consts::TAU * f64::from(n) / 720.0;
            let Some(m) = (0..290).rev().find(|m| value(f64::from(*m) * 0.1, angle) >= 0.0) else { continue };
            let (mut inside, mut outside) = (f64::from(m) * 0.1, f64::from(m + 1) * 0.1);
            for _ in 0..30 {
                let middle = f64::midpoint(inside, outside);
                if value(middle, angle) >= 0.0 { inside = middle } else { outside = middle }
            }
            points.push([inside * angle.cos(), inside * angle.sin()]);
        }
        for (n, a) in points.iter().enumerate() {
            for b in &points[n + 1..] {
                best = best.max((a[0] - b[0]).hypot(a[1] - b[1]));
            }
        }
    }
    best
}

fn min_margin(tumour: &Mask, zone: &Mask) -> (f64, bool) {
    let input = MarginInput {
        tumour,
        ablation: zone,
        ablation_to_tumour: None,
        organ: None,
        capsule_exclusion: CAPSULE_EXCLUSION,
    };
    let found = ablation_margin(&input).unwrap();
    (found.distribution.unwrap().min().0, found.method == lesiontrace_imaging::surface::SurfaceMethod::Blurred)
}

/// Tumour, zone, true minimal margin, and how far the found one may lie off it, mm. Largest errors measured at 1 mm and 0.8 × 0.8 × 2.5 mm
/// in two poses: 0.27 for lobes, 0.23 for buds, 0.31 at the tip of the needle, 0.15 and 0.65 in the notches, 0.04 with a lobed zone;
/// the corners of boxes and the edges of rings are rounded by 0.73 and 0.56.
fn pairs() -> Vec<(&'static str, Level, Level, f64, f64)> {
    vec![
        ("six lobes of 3", lobes(10.0, 3.0, 6.0), ball(18.0), 5.0, 0.35),
        ("six lobes of 2", lobes(10.0, 2.0, 6.0), ball(18.0), 6.0, 0.35),
        ("four lobes of 3", lobes(10.0, 3.0, 4.0), ball(18.0), 5.0, 0.35),
        ("three lobes of 3", lobes(10.0, 3.0, 3.0), ball(18.0), 5.0, 0.35),
        ("bud to 14.5", bud(12.0, 2.5), ball(20.0), 5.5, 0.35),
        ("bud to 16", bud(13.0, 3.0), ball(20.0), 4.0, 0.35),
        ("needle", ellipsoid(20.0, 5.0, 5.0), ball(24.0), 4.0, 0.4),
        ("notch to the tumour", ball(10.0), notched(10.0), 0.0, 0.35),
        ("notch into the tumour", ball(10.0), notched(8.0), -2.0, 0.8),
        ("lobed zone", ball(10.0), lobes(18.0, 3.0, 6.0), 5.0, 0.2),
        ("box", cuboid(12.0, 5.0, 5.0), ball(20.0), 20.0 - 194.0_f64.sqrt(), 0.85),
        ("ring", ring(15.0, 10.0, 8.0), ball(20.0), 3.0, 0.7),
    ]
}

fn poses() -> [Rotation3<f64>; 2] {
    [Rotation3::from_euler_angles(0.0, 0.0, 0.5), Rotation3::from_euler_angles(0.9, -0.6, 0.3)]
}

/// Error of the minimal margin of every pair, whether it is within its bound, and what it took.
fn margins_hold(spacing_mm: [f64; 3], pose: &Rotation3<f64>, chosen: impl Fn(&str) -> bool) {
    let mut beyond = Vec::new();
    for (name, tumour, zone, truth, bound) in pairs().iter().filter(|p| chosen(p.0)) {
        let masks = [
            mask(tumour, spacing_mm, pose, Vector3::new(0.3, -0.2, 0.4)),
            mask(zone, spacing_mm, pose, Vector3::new(-0.1, 0.4, 0.2)),
        ];
        let (margin, blurred) = min_margin(&masks[0], &masks[1]);
        let how = if blurred { ", blurred" } else { "" };
        println!("{spacing_mm:?} {name}: margin {margin:.2} of {truth:.2} ({:+.2}){how}", margin - truth);
        if (margin - truth).abs() > *bound {
            beyond.push(format!("{name}: {margin:.2} of {truth:.2}"));
        }
    }
    assert!(beyond.is_empty(), "{spacing_mm:?}: {beyond:?}");
}

#[test]
fn lobes_buds_and_notches_keep_their_margins() {
    margins_hold([1.0; 3], &poses()[1], |_| true);
    let few = ["six lobes of 3", "bud to 14.5", "notch into the tumour"];
    margins_hold([0.8, 0.8, 2.5], &poses()[0], |name| few.contains(&name));
}

#[test]
#[ignore = "all pairs at several spacings and poses; takes minutes"]
fn detail_margins() {
    for spacing_mm in [[0.7; 3], [1.0; 3], [0.8, 0.8, 1.5], [0.8, 0.8, 2.5]] {
        for pose in poses() {
            margins_hold(spacing_mm, &pose, |_| true);
        }
    }
}

/// Shapes in the plane and how far the found longest axis may lie off the true one, in in-plane spacings. Measured: at most 0.28 for
/// lobes, 0.41 for the bud, 0.26 for the needle, 0.48 for the box, 0.50 for the ring; a rod no wider than one and a half pixels reads
/// too long by up to 1.23.
fn outlined() -> Vec<(&'static str, Level, f64)> {
    vec![
        ("six lobes of 3", lobes(10.0, 3.0, 6.0), 0.5),
        ("six lobes of 2", lobes(10.0, 2.0, 6.0), 0.6),
        ("eight lobes of 3", lobes(12.0, 3.0, 8.0), 0.6),
        ("four lobes of 3", lobes(10.0, 3.0, 4.0), 0.5),
        ("bud to 16", bud(13.0, 3.0), 0.6),
        ("needle", ellipsoid(25.0, 5.0, 5.0), 0.8),
        ("box", cuboid(15.0, 5.0, 6.1), 0.8),
        ("rod", cuboid(15.0, 0.6, 6.1), 1.3),
        ("ring", ring(15.0, 10.0, 8.0), 0.7),
        ("ball", ball(10.0), 0.3),
    ]
}

fn axes_hold(spacing_mm: [f64; 3], turned: f64) {
    let pose = Rotation3::from_euler_angles(0.0, 0.0, turned);
    let mut beyond = Vec::new();
    for (name, level, bound) in outlined() {
        let mask = mask(&level, spacing_mm, &pose, Vector3::new(0.3, -0.2, 0.1));
        let (found, truth) = (smooth_planar_diameters(&mask).unwrap(), long_axis(&level, &mask, &pose));
        let error = found.long_axis.length().0 - truth;
        println!("{spacing_mm:?} {name}: long axis {truth:.2} ({error:+.2})");
        if error.abs() > bound * spacing_mm[0] {
            beyond.push(format!("{name}: {error:+.2}"));
        }
    }
    assert!(beyond.is_empty(), "{spacing_mm:?}: {beyond:?}");
}

#[test]
fn lobes_needles_and_corners_keep_their_axes() {
    axes_hold([1.0, 1.0, 3.0], 0.5);
    axes_hold([0.8, 0.8, 1.5], 0.2);
}
