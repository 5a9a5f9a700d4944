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
    let level = |star: &Star, plane: &Plane, q: V2| star.level(pose.to_reference(plane.at(q)));
    let slices = cut(outer, pose, grid);
    let coarse: Vec<f64> = slices.iter().map(|s| farthest(&s.points).0).collect();
    let best = coarse.iter().copied().fold(0.0, f64::max);
    let mut found: Option<Diameters> = None;
    for (slice, rough) in slices.iter().zip(&coarse) {
        if *rough < best - COARSE_ERROR_MM {
            continue;
        }
        let points = trace(|q| level(outer, &slice.plane, q), slice.middle, FINE_RAYS);
        let (long_mm, a, b) = farthest(&points);
        if found.is_none_or(|f| long_mm > f.long_mm) {
            found = Some(Diameters {
                long_mm,
                short_mm: longest_perpendicular(&points, a, b),
                viable_long_mm: long_mm,
                slice_k: slice.plane.k,
                long_lps: [slice.plane.at(points[a]).into(), slice.plane.at(points[b]).into()],
            });
        }
    }
    let core_slices = core.map(|c| cut(c, pose, grid)).unwrap_or_default();
    if let Some(f) = found.as_mut().filter(|_| core.is_some()) {
        f.viable_long_mm = longest_viable(&slices, &core_slices);
    }
    found
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
    (0..n_rays)
        .map(|n| {
            let angle = std::f64::consts::TAU * n as f64 / n_rays as f64;
            let (sin, cos) = angle.sin_cos();
            let at = |s: f64| [from[0] + s * cos, from[1] + s * sin];
            at(root(|s| level(at(s)), inside))
        })
        .collect()
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
        side(a, b, p) * side(a, b, q) < 0.0 && side(p, q, a) * side(p, q, b) < 0.0
    })
}
