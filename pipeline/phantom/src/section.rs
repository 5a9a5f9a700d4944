//! True diameters: the analytic solid of a visit cut by its acquired slice planes, each contour found along rays.
//!
//! Long axis: farthest pair of contour points of one slice (RECIST 1.1, Eisenhauer 2009); short axis: longest chord of that
//! contour exactly perpendicular to it; viable diameter: longest chord that does not cross the necrotic core (mRECIST,
//! Lencioni 2010).

use imaging::{Grid, Index3};
use nalgebra::Vector3;

use crate::pose::Pose;
use crate::star::Star;

type V3 = Vector3<f64>;
type V2 = [f64; 2];

/// Rays per contour: few to find the slice, many to measure in it.
const COARSE_RAYS: usize = 90;
const FINE_RAYS: usize = 720;
/// A slice whose coarse diameter is this much below the best cannot hold the longest one, mm.
const COARSE_ERROR_MM: f64 = 0.15;

/// The diameters of one lesion at one visit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Diameters {
    pub(crate) long_mm: f64,
    pub(crate) short_mm: f64,
    /// Longest chord of living tissue; equals `long_mm` without a core.
    pub(crate) viable_long_mm: f64,
    pub(crate) slice_k: usize,
    pub(crate) long_lps: [[f64; 3]; 2],
}

/// One acquired slice as a plane in the visit's scanner space.
struct Plane {
    k: usize,
    origin: V3,
    u: V3,
    v: V3,
}

impl Plane {
    fn of_slice(grid: &Grid, k: usize) -> Self {
        let d = grid.directions();
        let origin = grid.center(Index3 { i: 0, j: 0, k }).coords;
        Self { k, origin, u: d.column(0).into_owned(), v: d.column(1).into_owned() }
    }
    fn at(&self, [a, b]: V2) -> V3 {
        self.origin + self.u * a + self.v * b
    }
    fn project(&self, p: V3) -> V2 {
        let d = p - self.origin;
        [d.dot(&self.u), d.dot(&self.v)]
    }
}

/// Measures a solid with or without a core in the slices of `grid`; `None` when no slice plane cuts it.
pub(crate) fn measure(outer: &Star, core: Option<&Star>, pose: &Pose, grid: &Grid) -> Option<Diameters> {
    let slices = cut(outer, pose, grid);
    let coarse: Vec<f64> = slices.iter().map(|s| farthest(&s.points).0).collect();
    let best = coarse.iter().copied().fold(0.0, f64::max);
    let candidates = slices.iter().zip(&coarse).filter(|(_, rough)| **rough >= best - COARSE_ERROR_MM);
    let fine = candidates.map(|(slice, _)| {
        let level = |q: V2| outer.level(pose.to_reference(slice.plane.at(q)));
        let points = trace(level, slice.middle, FINE_RAYS);
        (farthest(&points), points, &slice.plane)
    });
    let ((long_mm, a, b), points, plane) = fine.max_by(|x, y| x.0.0.total_cmp(&y.0.0))?;
    let viable_long_mm = core.map_or(long_mm, |c| longest_viable(&slices, &cut(c, pose, grid)));
    Some(Diameters {
        long_mm,
        short_mm: longest_perpendicular(&points, a, b),
        viable_long_mm,
        slice_k: plane.k,
        long_lps: [plane.at(points[a]).into(), plane.at(points[b]).into()],
    })
}

/// A contour in one slice.
struct Slice {
    plane: Plane,
    middle: V2,
    points: Vec<V2>,
}

/// The coarse contours of a solid in every slice that cuts it.
fn cut(star: &Star, pose: &Pose, grid: &Grid) -> Vec<Slice> {
    let centre = pose.to_visit(star.centre);
    let voxel = grid.patient_to_voxel().apply(imaging::Point::from_coords(centre)).coords;
    let middle_k = voxel.z.round().clamp(0.0, grid.shape().nk as f64 - 1.0) as usize;
    let mut slices = Vec::new();
    for upwards in [true, false] {
        let mut start: Option<V2> = None;
        let mut k = if upwards { Some(middle_k) } else { middle_k.checked_sub(1) };
        while let Some(slice_k) = k.filter(|k| *k < grid.shape().nk) {
            let plane = Plane::of_slice(grid, slice_k);
            let level = |q: V2| star.level(pose.to_reference(plane.at(q)));
            let Some(inside) = descend(level, start.unwrap_or_else(|| plane.project(centre))) else { break };
            let middle = mean(&trace(level, inside, COARSE_RAYS / 3));
            let middle = if level(middle) < 0.0 { middle } else { inside };
            let points = trace(level, middle, COARSE_RAYS);
            start = Some(middle);
            slices.push(Slice { plane, middle, points });
            k = if upwards { Some(slice_k + 1) } else { slice_k.checked_sub(1) };
        }
    }
    slices
}

/// A point of negative level near `q`, found by going downhill.
fn descend(level: impl Fn(V2) -> f64, mut q: V2) -> Option<V2> {
    let mut step = 2.0;
    let mut here = level(q);
    while here >= 0.0 && step > 0.02 {
        let around = [[step, 0.0], [-step, 0.0], [0.0, step], [0.0, -step]].map(|d| [q[0] + d[0], q[1] + d[1]]);
        let values = around.map(&level);
        let best = (0..4).fold(0, |b, n| if values[n] < values[b] { n } else { b });
        if values[best] < here {
            (here, q) = (values[best], around[best]);
        } else {
            step *= 0.5;
        }
    }
    (here < 0.0).then_some(q)
}

/// The contour point of each of `n_rays` rays from a point inside.
fn trace(level: impl Fn(V2) -> f64, from: V2, n_rays: usize) -> Vec<V2> {
    let inside = level(from);
    let mut distance = -inside;
    (0..n_rays)
        .map(|n| {
            let angle = std::f64::consts::TAU * n as f64 / n_rays as f64;
            let (sin, cos) = angle.sin_cos();
            let at = |s: f64| [from[0] + s * cos, from[1] + s * sin];
            let along = |s: f64| level(at(s));
            distance = root_near(along, distance).unwrap_or_else(|| root(along, inside));
            at(distance)
        })
        .collect()
}

/// The root next to a good guess by the secant method, to about 1e-8 mm; `None` when it wanders.
fn root_near(level: impl Fn(f64) -> f64, guess: f64) -> Option<f64> {
    let (mut a, mut fa) = (guess, level(guess));
    let mut b = guess - fa;
    for _ in 0..8 {
        if (b - guess).abs() > 0.4 * guess {
            return None;
        }
        let fb = level(b);
        if fb.abs() < 1e-8 {
            return Some(b);
        }
        let next = b - fb * (b - a) / (fb - fa);
        (a, fa, b) = (b, fb, next);
    }
    None
}

/// The first distance at which a level that starts at `inside` < 0 becomes 0, to about 1e-7 mm (Illinois method).
fn root(level: impl Fn(f64) -> f64, inside: f64) -> f64 {
    const STEP_MM: f64 = 4.0;
    let (mut a, mut fa) = (0.0, inside);
    let (mut b, mut fb) = (STEP_MM, level(STEP_MM));
    while fb < 0.0 && b < 500.0 {
        (a, fa) = (b, fb);
        b += STEP_MM.max(-fb * 0.5);
        fb = level(b);
    }
    for _ in 0..60 {
        let c = (a * fb - b * fa) / (fb - fa);
        let fc = level(c);
        if fc.abs() < 1e-8 || (b - a).abs() < 1e-9 {
            return c;
        }
        if (fc < 0.0) == (fb < 0.0) {
            fa *= 0.5;
        } else {
            (a, fa) = (b, fb);
        }
        (b, fb) = (c, fc);
    }
    b
}

fn mean(points: &[V2]) -> V2 {
    let n = points.len() as f64;
    [points.iter().map(|p| p[0]).sum::<f64>() / n, points.iter().map(|p| p[1]).sum::<f64>() / n]
}

fn squared(a: V2, b: V2) -> f64 {
    (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)
}

/// The farthest pair of points: distance and positions.
fn farthest(points: &[V2]) -> (f64, usize, usize) {
    let mut best = (0.0, 0, 0);
    for a in 0..points.len() {
        for b in a + 1..points.len() {
            let d = squared(points[a], points[b]);
            if d > best.0 {
                best = (d, a, b);
            }
        }
    }
    (best.0.sqrt(), best.1, best.2)
}

/// The longest chord of a closed contour perpendicular to the line through points `a` and `b`: its length is linear between
/// contour points, so it is enough to look at each point's position along that line.
fn longest_perpendicular(points: &[V2], a: usize, b: usize) -> f64 {
    let length = squared(points[a], points[b]).sqrt();
    let e = [(points[b][0] - points[a][0]) / length, (points[b][1] - points[a][1]) / length];
    let turned: Vec<V2> = points.iter().map(|p| [p[0] * e[0] + p[1] * e[1], p[1] * e[0] - p[0] * e[1]]).collect();
    let mut longest = 0.0_f64;
    for at in &turned {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for n in 0..turned.len() {
            let (p, q) = (turned[n], turned[(n + 1) % turned.len()]);
            if (p[0] - at[0]) * (q[0] - at[0]) <= 0.0 && p[0] != q[0] {
                let y = p[1] + (q[1] - p[1]) * (at[0] - p[0]) / (q[0] - p[0]);
                low = low.min(y);
                high = high.max(y);
            }
        }
        longest = longest.max(high - low);
    }
    longest
}

/// The longest chord between two contour points of one slice that does not cut the core's contour of that slice.
fn longest_viable(slices: &[Slice], cores: &[Slice]) -> f64 {
    let mut best = 0.0;
    for slice in slices {
        let core = cores.iter().find(|c| c.plane.k == slice.plane.k).map(|c| c.points.as_slice()).unwrap_or_default();
        let points = &slice.points;
        for a in 0..points.len() {
            for b in a + 1..points.len() {
                let d = squared(points[a], points[b]);
                if d > best && !cuts(points[a], points[b], core) {
                    best = d;
                }
            }
        }
    }
    best.sqrt()
}

/// Whether a segment that starts and ends outside a closed contour cuts it.
fn cuts(a: V2, b: V2, contour: &[V2]) -> bool {
    let side = |p: V2, q: V2, r: V2| (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]);
    (0..contour.len()).any(|n| {
        let (p, q) = (contour[n], contour[(n + 1) % contour.len()]);
        (side(a, b, p) < 0.0) != (side(a, b, q) < 0.0) && (side(p, q, a) < 0.0) != (side(p, q, b) < 0.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pose::Motion;
    use crate::random;
    use crate::scanner::{Detail, ct_grid};
    use crate::star::StarDraw;

    fn oblique(seed: u64) -> (Pose, Grid) {
        let rng = &mut random::stream(seed, "section");
        let pose = Pose::random(rng, Motion::Large);
        let grid = ct_grid(rng, pose.middle(), "section", Detail::Full);
        (pose, grid)
    }

    #[test]
    fn a_sphere_with_a_core_has_the_diameters_of_arithmetic() {
        let (_, grid) = oblique(3);
        let pose = Pose::identity();
        // On a slice plane, off the voxel centres in-plane.
        let centre = grid.center(Index3 { i: 70, j: 60, k: 40 }).coords + Vector3::new(0.3, 0.2, 0.0);
        let outer = Star::sphere(centre, 13.0);
        let core = Star::sphere(centre, 5.0);
        let found = measure(&outer, Some(&core), &pose, &grid).unwrap();
        assert!((found.long_mm - 26.0).abs() < 1e-3 && (found.short_mm - 26.0).abs() < 2e-3, "{found:?}");
        assert_eq!(found.slice_k, 40);
        // Every chord touching the core is 2·sqrt(13² − 5²) = 24 mm long, in whichever slice.
        assert!((found.viable_long_mm - 24.0).abs() < 0.05, "{found:?}");
        let between = Star::sphere(centre + Vector3::new(0.0, 0.0, 0.4 * grid.spacing_mm()[2]), 13.0);
        let off = 0.4 * grid.spacing_mm()[2];
        let expected = 2.0 * (169.0 - off * off).sqrt();
        assert!((measure(&between, None, &pose, &grid).unwrap().long_mm - expected).abs() < 1e-3);
    }

    #[test]
    fn diameters_of_deformed_shapes_agree_with_a_fine_raster() {
        for seed in 0..3 {
            let (pose, grid) = oblique(seed);
            let centre = Vector3::new(-55.0, 5.0, -10.0);
            let draw = StarDraw { centre, radius_mm: 11.0, elongation: 0.25, bumpiness: 0.04 };
            let star = Star::random(&mut random::stream(seed, "shape"), &draw);
            let found = measure(&star, None, &pose, &grid).unwrap();
            let (long, short) = raster(&star, &pose, &Plane::of_slice(&grid, found.slice_k));
            assert!((found.long_mm - long).abs() < 0.15, "long axis {} raster {long}", found.long_mm);
            assert!((found.short_mm - short).abs() < 0.3, "short axis {} raster {short}", found.short_mm);
            let others = (0..grid.shape().nk).map(|k| raster_width(&star, &pose, &Plane::of_slice(&grid, k)));
            assert!(others.fold(0.0, f64::max) < found.long_mm + 0.1);
        }
    }

    /// Long and short axis from the inside points of a 0.15 mm raster that have an outside neighbour.
    fn raster(star: &Star, pose: &Pose, plane: &Plane) -> (f64, f64) {
        let edge = raster_edge(star, pose, plane, 0.15);
        let (long, a, b) = farthest(&edge);
        let e = [(edge[b][0] - edge[a][0]) / long, (edge[b][1] - edge[a][1]) / long];
        let mut short = 0.0_f64;
        for p in &edge {
            for q in &edge {
                let d = [q[0] - p[0], q[1] - p[1]];
                if (d[0] * e[0] + d[1] * e[1]).abs() < 0.15 {
                    short = short.max(d[0].hypot(d[1]));
                }
            }
        }
        (long, short)
    }

    fn raster_width(star: &Star, pose: &Pose, plane: &Plane) -> f64 {
        farthest(&raster_edge(star, pose, plane, 0.8)).0
    }

    fn raster_edge(star: &Star, pose: &Pose, plane: &Plane, step: f64) -> Vec<V2> {
        let middle = plane.project(pose.to_visit(star.centre));
        let n = (24.0 / step) as i64;
        let at = |i: i64, j: i64| [middle[0] + i as f64 * step, middle[1] + j as f64 * step];
        let inside = |i: i64, j: i64| star.contains(pose.to_reference(plane.at(at(i, j))));
        let mut edge = Vec::new();
        for i in -n..=n {
            for j in -n..=n {
                if inside(i, j) && !(inside(i + 1, j) && inside(i - 1, j) && inside(i, j + 1) && inside(i, j - 1)) {
                    edge.push(at(i, j));
                }
            }
        }
        edge
    }
}
