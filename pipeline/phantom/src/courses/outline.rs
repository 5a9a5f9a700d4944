//! What a visit shows: bodies become voxels, the outlines' faults are put in, and connected voxels become findings.

use std::collections::{BTreeMap, BTreeSet};

use imaging::{Patient, Point};
use nalgebra::Vector3;
use rand_chacha::ChaCha8Rng;

use super::error::{ErrorField, normal, normal3};
use super::story::{Story, log_normal, poisson};
use super::{CourseFinding, CourseVisit, CourseZone, Site, TrueState};
use crate::random::{between, chance, direction, whole};

/// The voxels of one finding, laid in the baseline frame.
#[derive(Debug, Clone)]
pub struct Outline {
    /// Ascending.
    cells: Vec<[i32; 3]>,
    spacing_mm: [f64; 3],
    shift: Vector3<f64>,
}

impl Outline {
    fn place(&self, cell: [i32; 3]) -> Vector3<f64> {
        center_of(cell, self.spacing_mm) + self.shift
    }
    /// Centres of its voxels.
    pub fn points(&self) -> impl Iterator<Item = Point<Patient>> + '_ {
        self.cells.iter().map(|cell| point(self.place(*cell)))
    }
    /// Mean of its voxels' centres.
    pub fn center(&self) -> Point<Patient> {
        let sum = self.cells.iter().fold(Vector3::zeros(), |sum, cell| sum + self.place(*cell));
        point(sum / self.cells.len() as f64)
    }
    /// The largest spacing of its voxels, mm.
    pub fn largest_spacing_mm(&self) -> f64 {
        self.spacing_mm.into_iter().fold(0.0, f64::max)
    }
    /// Whether the boxes round two outlines touch.
    pub fn reaches(&self, other: &Self) -> bool {
        let (a, b) = (self.corners(), other.corners());
        (0..3).all(|axis| a.0[axis] <= b.1[axis] && b.0[axis] <= a.1[axis])
    }
    fn corners(&self) -> (Vector3<f64>, Vector3<f64>) {
        let half = Vector3::from(self.spacing_mm) / 2.0;
        let none = (Vector3::repeat(f64::INFINITY), Vector3::repeat(f64::NEG_INFINITY));
        self.cells
            .iter()
            .map(|cell| self.place(*cell))
            .fold(none, |(low, high), p| (low.inf(&(p - half)), high.sup(&(p + half))))
    }
    /// Volume, mm³.
    pub fn volume_mm3(&self) -> f64 {
        self.cells.len() as f64 * self.spacing_mm.iter().product::<f64>()
    }
    /// Whether a point lies in it.
    pub fn contains(&self, p: Point<Patient>) -> bool {
        let at = p.coords - self.shift;
        self.cells.binary_search(&std::array::from_fn(|a| (at[a] / self.spacing_mm[a]).round() as i32)).is_ok()
    }
}

fn point(v: Vector3<f64>) -> Point<Patient> {
    Point::new(v.x, v.y, v.z)
}

fn center_of(cell: [i32; 3], spacing: [f64; 3]) -> Vector3<f64> {
    Vector3::from_fn(|a, _| f64::from(cell[a]) * spacing[a])
}

/// Voxels of a visit with the lesion each belongs to ([`NOTHING`]: nothing is there); a voxel of two lesions stands there twice.
struct Scan {
    spacing: [f64; 3],
    covered: (f64, f64),
    cells: Vec<([i32; 3], usize)>,
}

const NOTHING: usize = usize::MAX;

impl Scan {
    fn cells_of(&self, center: Vector3<f64>, axes: Vector3<f64>) -> Vec<[i32; 3]> {
        let low: [i32; 3] = std::array::from_fn(|a| ((center[a] - axes[a]) / self.spacing[a]).floor() as i32);
        let high: [i32; 3] = std::array::from_fn(|a| ((center[a] + axes[a]) / self.spacing[a]).ceil() as i32);
        let mut cells = Vec::new();
        for k in low[2]..=high[2] {
            let z = f64::from(k) * self.spacing[2];
            if z < self.covered.0 || z > self.covered.1 {
                continue;
            }
            for j in low[1]..=high[1] {
                for i in low[0]..=high[0] {
                    let d = center_of([i, j, k], self.spacing) - center;
                    if d.component_div(&axes).norm_squared() <= 1.0 {
                        cells.push([i, j, k]);
                    }
                }
            }
        }
        cells
    }

    fn paint(&mut self, cells: impl IntoIterator<Item = [i32; 3]>, owner: usize) {
        self.cells.extend(cells.into_iter().map(|cell| (cell, owner)));
    }

    /// Connected voxels (26 neighbours) with their owners, in order of their first voxel.
    fn components(&self) -> Vec<Vec<([i32; 3], usize)>> {
        let mut painted = self.cells.clone();
        painted.sort_unstable();
        painted.dedup();
        let mut cells: Vec<[i32; 3]> = painted.iter().map(|(cell, _)| *cell).collect();
        cells.dedup();
        let mut root: Vec<usize> = (0..cells.len()).collect();
        for at in 0..cells.len() {
            let [i, j, k] = cells[at];
            // The half of the neighbours that comes later; the order is by i, then j, then k.
            for n in 14..27 {
                let next = [i + n / 9 - 1, j + n / 3 % 3 - 1, k + n % 3 - 1];
                if let Ok(other) = cells.binary_search(&next) {
                    let (a, b) = (find(&mut root, at), find(&mut root, other));
                    root[a.max(b)] = a.min(b);
                }
            }
        }
        let mut components: BTreeMap<usize, Vec<([i32; 3], usize)>> = BTreeMap::new();
        for (cell, owner) in painted {
            let at = cells.binary_search(&cell).expect("every painted voxel is listed");
            components.entry(find(&mut root, at)).or_default().push((cell, owner));
        }
        components.into_values().collect()
    }
}

fn find(root: &mut [usize], mut at: usize) -> usize {
    while root[at] != at {
        root[at] = root[root[at]];
        at = root[at];
    }
    at
}

// How often a second look at the images speaks against a new lesion, as measured on pairs of images with things put into them
// (`test_data/oracles/second_look`, all maps and images together).
/// Of an outline of nothing, laid on the most striking of ten places.
const OF_NOTHING: f64 = 0.98;
/// Of a structure that looks as it did.
const OF_LASTING: f64 = 0.91;
/// Of a lesion that was overlooked and has grown since, by its diameter then, mm.
const OF_OVERLOOKED: [(f64, f64); 3] = [(5.0, 0.13), (8.0, 0.80), (f64::INFINITY, 0.86)];
/// Of a lesion that is new.
const OF_NEW: f64 = 0.04;
/// Outlines below this volume are not made, mm³ (a sphere of 3.5 mm).
const LEAST_MM3: f64 = 22.0;

/// One visit with everything that is wrong with it.
pub(super) fn visit(story: &Story, n: usize, field: &ErrorField, rng: &mut ChaCha8Rng) -> CourseVisit {
    let slice = [2.0, 3.0, 5.0][whole(rng, 0, 2) as usize];
    let covered = coverage(rng, n);
    let mut scan = Scan { spacing: [2.0, 2.0, slice], covered, cells: Vec::new() };
    let rim_of_visit = 0.4 + 0.4 * normal(rng);
    let mut states = Vec::new();
    let mut traces = Vec::new();
    for lesion in 0..story.lesions.len() {
        let (state, is_traced) = lesion_at(story, lesion, n, &mut scan, rim_of_visit, rng);
        states.push(state);
        traces.push(is_traced);
    }
    bridges(story, n, &states, &mut scan, rng);
    for _ in 0..poisson(rng, 0.12) {
        let radius = log_normal(rng, 7.0, 0.35).clamp(4.0, 25.0) / 2.0;
        let at = Vector3::new(between(rng, -80.0, 80.0), between(rng, -60.0, 60.0), between(rng, -70.0, 70.0));
        let axes = Vector3::new(1.0, between(rng, 0.6, 1.6), between(rng, 0.8, 1.4)) * radius;
        let cells = scan.cells_of(at, axes);
        scan.paint(cells, NOTHING);
    }
    let findings = findings(story, &scan, field, rng);
    for (lesion, state) in states.iter_mut().enumerate().filter(|(_, s)| **s == TrueState::Outlined) {
        if !findings.iter().any(|f| f.holds.contains(&lesion)) {
            *state = TrueState::Missed;
        }
    }
    let zones = zones(story, n, covered, field, rng);
    let dz = field.at(Vector3::zeros()).z;
    let covered_z_mm = (covered.0 + dz, covered.1 + dz);
    CourseVisit { findings, states, traces, trace_of_nothing: chance(rng, OF_NEW), zones, covered_z_mm }
}

/// Seven scans in ten hold chest to pelvis, two the abdomen alone, one ends below the dome of the liver; at baseline nine hold all.
fn coverage(rng: &mut ChaCha8Rng, n: usize) -> (f64, f64) {
    let share = between(rng, 0.0, 1.0);
    let dome = between(rng, 25.0, 60.0);
    let (all, abdomen) = if n == 0 { (0.9, 0.97) } else { (0.7, 0.9) };
    match share {
        share if share < all => (-400.0, 400.0),
        share if share < abdomen => (-250.0, 95.0),
        _ => (-250.0, dome),
    }
}

/// Paints one lesion with its faults; its true state, and whether a second look would show something.
fn lesion_at(
    story: &Story,
    lesion: usize,
    n: usize,
    scan: &mut Scan,
    rim_of_visit: f64,
    rng: &mut ChaCha8Rng,
) -> (TrueState, bool) {
    let body = &story.lesions[lesion];
    let scale = story.scales[lesion][n];
    let center = body.center + body.drift * body.radius_mm * (scale - 1.0) + normal3(rng) * 0.7;
    let is_covered = center.z > scan.covered.0 && center.z < scan.covered.1;
    let zone = story.zones.iter().find(|zone| zone.lesion == lesion && zone.from_visit <= n);
    // Drawn whatever happens, so that lesions do not disturb one another.
    let (look, of_nothing, missed) = (between(rng, 0.0, 1.0), chance(rng, OF_NEW), between(rng, 0.0, 1.0));
    let has_begun = story.scales[lesion][..=n].iter().any(|scale| *scale > 0.0);
    if let Some(zone) = zone {
        let Some((_, direction, radius)) = zone.recurs.filter(|(from, ..)| *from <= n) else {
            return (if is_covered { TrueState::Ablated } else { TrueState::NotCovered }, of_nothing);
        };
        let at = body.center + direction * (zone_radius(zone.radius_mm, n - zone.from_visit) + 0.5 * radius);
        let cells = scan.cells_of(at, Vector3::repeat(radius));
        let state = if cells.is_empty() { TrueState::NotCovered } else { TrueState::Outlined };
        scan.paint(cells, lesion);
        return (state, look < shown_again(2.0 * radius, false));
    }
    if !has_begun {
        return (TrueState::NotYet, of_nothing);
    }
    if !is_covered {
        return (TrueState::NotCovered, false);
    }
    if scale == 0.0 {
        return (TrueState::Gone, of_nothing);
    }
    let diameter = 2.0 * scale * body.radius_mm;
    let is_missed = if body.is_benign { 0.65 } else { 0.03 + 0.15 * (-(diameter - 5.0).max(0.0) / 4.0).exp() };
    if missed < is_missed {
        return (TrueState::Missed, look < shown_again(diameter, body.is_benign));
    }
    let mut cells: Vec<[i32; 3]> = Vec::new();
    let rim = rim_of_visit + 0.35 * normal(rng);
    for (offset, axes) in &body.lobes {
        // A lobe keeps its place in the tissue while the lesion changes by less than a third.
        let at = center + offset * (0.5 + 0.5 * scale.max(0.5));
        cells.extend(scan.cells_of(at, (axes * scale).map(|a| (a - rim).max(1.2))));
    }
    faults(&mut cells, center, scale * body.radius_mm, scan, rng);
    scan.paint(cells, lesion);
    (TrueState::Outlined, look < shown_again(diameter, body.is_benign))
}

/// How often a later look back shows a lesion, or a benign structure, of a diameter, mm.
fn shown_again(diameter: f64, is_benign: bool) -> f64 {
    let of_size = OF_OVERLOOKED.iter().find(|(below, _)| diameter < *below);
    if is_benign { OF_LASTING } else { of_size.map_or(0.0, |(_, share)| *share) }
}

/// A leak along a vessel, or a cut through the lesion.
fn faults(cells: &mut Vec<[i32; 3]>, center: Vector3<f64>, radius: f64, scan: &Scan, rng: &mut ChaCha8Rng) {
    let (share, along) = (between(rng, 0.0, 1.0), direction(rng));
    if share < 0.03 {
        let length = radius * between(rng, 0.8, 2.0);
        for step in 0..=(length / 2.0) as usize {
            let at = center + along * (radius * 0.8 + 2.0 * step as f64);
            cells.extend(scan.cells_of(at, Vector3::repeat(between(rng, 0.3, 0.55) * radius)));
        }
    } else if share < 0.055 && radius > 7.0 {
        let off = between(rng, -0.4, 0.4) * radius;
        let half = 0.75 * scan.spacing[2].max(2.0);
        cells.retain(|cell| ((center_of(*cell, scan.spacing) - center).dot(&along) - off).abs() > half);
    }
}

/// Neighbours whose outlines run into one another: three in ten below 5 mm apart, one in fifty below 12 mm.
fn bridges(story: &Story, n: usize, states: &[TrueState], scan: &mut Scan, rng: &mut ChaCha8Rng) {
    let shown = |lesion: usize| states[lesion] == TrueState::Outlined && story.scales[lesion][n] > 0.0;
    for a in 0..story.lesions.len() {
        for b in a + 1..story.lesions.len() {
            let (one, other) = (&story.lesions[a], &story.lesions[b]);
            let between_centers = other.center - one.center;
            let radii = story.scales[a][n] * one.radius_mm + story.scales[b][n] * other.radius_mm;
            let gap = between_centers.norm() - radii;
            let p = if gap < 5.0 { 0.3 } else { 0.02 };
            if gap > 12.0 || !shown(a) || !shown(b) || !chance(rng, p) {
                continue;
            }
            for step in 0..=between_centers.norm() as usize {
                let at = one.center + between_centers.normalize() * step as f64;
                let cells = scan.cells_of(at, Vector3::new(2.0, 2.0, scan.spacing[2].max(2.0)));
                scan.paint(cells, if 2 * step < between_centers.norm() as usize { a } else { b });
            }
        }
    }
}

/// Connected voxels as findings. A finding holds a lesion that makes up a seventh of it, or half of whose voxels it has.
fn findings(story: &Story, scan: &Scan, field: &ErrorField, rng: &mut ChaCha8Rng) -> Vec<CourseFinding> {
    let components = scan.components();
    let mut n_voxels: BTreeMap<usize, usize> = BTreeMap::new();
    for (_, owner) in components.iter().flatten() {
        *n_voxels.entry(*owner).or_default() += 1;
    }
    let mut findings = Vec::new();
    for component in components {
        let mut own: BTreeMap<usize, usize> = BTreeMap::new();
        for (_, owner) in component.iter().filter(|(_, owner)| *owner != NOTHING) {
            *own.entry(*owner).or_default() += 1;
        }
        let mut cells: Vec<[i32; 3]> = component.into_iter().map(|(cell, _)| cell).collect();
        cells.dedup();
        let holds =
            |(lesion, n): (&usize, &usize)| (7 * n >= cells.len() || 2 * n >= n_voxels[lesion]).then_some(*lesion);
        let holds: BTreeSet<usize> = own.iter().filter_map(holds).collect();
        let mut outline = Outline { cells, spacing_mm: scan.spacing, shift: Vector3::zeros() };
        if outline.volume_mm3() < LEAST_MM3 {
            continue;
        }
        outline.shift = field.at(outline.center().coords);
        let site = holds.first().map_or(Site::Liver, |lesion| story.lesions[*lesion].site);
        let site = if chance(rng, 0.02) && site == Site::Liver { Site::Untold } else { site };
        // What a lasting structure is told by is that it was there before.
        let looks_benign = chance(rng, if holds.is_empty() { OF_NOTHING } else { 0.0 });
        findings.push(CourseFinding { outline, site, holds, looks_benign });
    }
    findings
}

/// A zone shrinks by a tenth a visit, to six tenths.
fn zone_radius(first: f64, visits: usize) -> f64 {
    first * (1.0 - 0.1 * visits as f64).max(0.6)
}

fn zones(story: &Story, n: usize, covered: (f64, f64), field: &ErrorField, rng: &mut ChaCha8Rng) -> Vec<CourseZone> {
    let mut zones = Vec::new();
    for zone in story.zones.iter().filter(|zone| zone.from_visit <= n) {
        let at = story.lesions[zone.lesion].center + normal3(rng);
        if at.z > covered.0 && at.z < covered.1 {
            let radius_mm = zone_radius(zone.radius_mm, n - zone.from_visit);
            let center = point(at + field.at(at));
            zones.push(CourseZone { lesion: zone.lesion, center, radius_mm });
        }
    }
    zones
}
