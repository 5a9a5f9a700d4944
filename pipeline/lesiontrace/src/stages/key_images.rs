//! Key images: the same place of one lesion at every visit, at one scale and window, with outlines and calipers.

use imaging::diameter::mask_centroid;
use imaging::{Chord, Index3, Mask, Patient, Point, Volume, contours, intensity};
use oncology::tracking::{LesionTrack, Sighting};
use oncology::{Evaluable, LesionState, Organ};
use report::{KeyImage, Orientation, Outline, OutlineRole};

use crate::stages::find::VisitFacts;
use crate::stages::load::LoadedSeries;
use crate::stages::track::Tracked;

/// Soft-tissue window for liver, HU. Origin: common reading window, level 60 width 400.
const LIVER_WINDOW: (f32, f32) = (-140.0, 260.0);
/// Lung window, HU. Origin: common reading window, level −500 width 1500.
const LUNG_WINDOW: (f32, f32) = (-1250.0, 250.0);
/// Length of the scale bar, mm.
const SCALE_BAR_MM: f64 = 20.0;

/// Images of every lesion at one visit.
pub(crate) fn of_visit(
    series: &LoadedSeries,
    visits: &[VisitFacts],
    n: usize,
    tracked: &Tracked,
    field_mm: f64,
) -> Vec<KeyImage> {
    let of_track = |track: &LesionTrack| {
        let sighting = track.sightings.get(&n)?;
        key_image(series, visits, n, track, sighting, tracked, field_mm)
    };
    tracked.tracks.iter().filter_map(of_track).collect()
}

/// How the columns and rows of a slice are shown: patient's right on the left, front above, head above.
struct Display {
    flip_columns: bool,
    flip_rows: bool,
    letters: [String; 4],
}

/// The letter of the direction a vector mostly points to.
fn letter(direction: [f64; 3]) -> &'static str {
    let axis = (0..3).max_by(|a, b| direction[*a].abs().total_cmp(&direction[*b].abs())).unwrap_or(0);
    match (axis, direction[axis] >= 0.0) {
        (0, true) => "L",
        (0, false) => "R",
        (1, true) => "P",
        (1, false) => "A",
        (_, true) => "H",
        (_, false) => "F",
    }
}

impl Display {
    fn of(volume: &Volume<f32>) -> Self {
        let directions = volume.grid().directions();
        let of_axis = |axis: usize| [directions[(0, axis)], directions[(1, axis)], directions[(2, axis)]];
        let flip_columns = matches!(letter(of_axis(0)), "R" | "A" | "F");
        let flip_rows = matches!(letter(of_axis(1)), "A" | "H" | "R");
        let towards = |axis: usize, flip: bool| of_axis(axis).map(|v| if flip { -v } else { v });
        let right = letter(towards(0, flip_columns)).to_owned();
        let bottom = letter(towards(1, flip_rows)).to_owned();
        let left = letter(towards(0, !flip_columns)).to_owned();
        let top = letter(towards(1, !flip_rows)).to_owned();
        Self { flip_columns, flip_rows, letters: [left, right, top, bottom] }
    }
}

/// A square of one slice round a centre, in voxels of the series.
struct Cut {
    k: usize,
    first: [i64; 2],
    size: [i64; 2],
}

impl Cut {
    /// Pixel coordinates of a point of the slice.
    fn pixel(&self, volume: &Volume<f32>, display: &Display, p: Point<Patient>) -> [f64; 2] {
        let voxel = volume.grid().patient_to_voxel().apply(p).coords;
        let at = |value: f64, axis: usize, flip: bool| {
            let inside = value - self.first[axis] as f64;
            if flip { (self.size[axis] - 1) as f64 - inside } else { inside }
        };
        [at(voxel.x, 0, display.flip_columns), at(voxel.y, 1, display.flip_rows)]
    }
}

fn key_image(
    series: &LoadedSeries,
    visits: &[VisitFacts],
    n: usize,
    track: &LesionTrack,
    sighting: &Sighting,
    tracked: &Tracked,
    field_mm: f64,
) -> Option<KeyImage> {
    let (visit, volume) = (&visits[n], &series.image);
    let (center, slice_k) = place(visits, n, track, sighting, tracked)?;
    let voxel = volume.grid().patient_to_voxel().apply(center).coords;
    let k = slice_k.map_or(voxel.z.round(), |k| k as f64);
    if k < 0.0 || k >= volume.shape().nk as f64 {
        return None;
    }
    let spacing = volume.grid().spacing_mm();
    let size = [0, 1].map(|axis| (field_mm / spacing[axis]).round().max(8.0) as i64);
    let first = [voxel.x.round() as i64 - size[0] / 2, voxel.y.round() as i64 - size[1] / 2];
    let cut = Cut { k: k as usize, first, size };
    let display = Display::of(volume);
    let (low, high) = window(series, track);
    let (outlines, calipers) = overlay(visit, n, sighting, tracked, track, volume, &cut, &display);
    let [left, right, top, bottom] = display.letters.clone();
    Some(KeyImage {
        lesion_id: track.id.to_string(),
        date: visit.date,
        caption: caption(series, sighting, &cut, (low, high)),
        width: size[0] as u32,
        height: size[1] as u32,
        pixels: pixels(volume, &cut, &display, (low, high)),
        pixel_mm: [spacing[0], spacing[1]],
        outlines,
        calipers,
        scale_bar_mm: SCALE_BAR_MM,
        orientation: Orientation { left, right, top, bottom },
    })
}

/// Where to look: the lesion itself, else its zone, else where it was last seen, carried to this visit.
fn place(
    visits: &[VisitFacts],
    n: usize,
    track: &LesionTrack,
    sighting: &Sighting,
    tracked: &Tracked,
) -> Option<(Point<Patient>, Option<usize>)> {
    let visit = &visits[n];
    if let Some(label) = sighting.labels.first() {
        let center = mask_centroid(&visit.lesion(*label)?.mask)?;
        return Some((center, visit.sizes_of(*label)?.slice_k));
    }
    let zone = tracked.zones.get(&(n, track.id.clone()));
    if let Some(zone) = zone.and_then(|labels| visit.zones.iter().find(|z| labels.first() == Some(&z.label))) {
        return Some((mask_centroid(&zone.mask)?, None));
    }
    let last = track.sightings.range(..n).rev().find_map(|(_, s)| s.center)?;
    Some((visit.to_baseline.moving_to_fixed.inverse()?.apply(last), None))
}

fn window(series: &LoadedSeries, track: &LesionTrack) -> (f32, f32) {
    if series.unit == "HU" {
        return if track.organ == Organ::Lung { LUNG_WINDOW } else { LIVER_WINDOW };
    }
    match intensity::percentiles(series.image.values(), &[1.0, 99.5]) {
        Some(range) if range[1] > range[0] => (range[0] as f32, range[1] as f32),
        _ => (0.0, 1.0),
    }
}

fn caption(series: &LoadedSeries, sighting: &Sighting, cut: &Cut, window: (f32, f32)) -> String {
    let what = match sighting.state {
        LesionState::Absent => "absent; last place shown",
        LesionState::Ablated => "ablated; zone shown",
        LesionState::Residual => "residual at the zone",
        LesionState::LocalProgression => "local progression at the zone",
        LesionState::Merged => "merged",
        LesionState::Uncertain => "identity uncertain",
        LesionState::NotEvaluable => "not evaluable",
        LesionState::Present => "present",
    };
    format!(
        "{what} · {} · slice {} · window {} to {} {}",
        series.role,
        cut.k + 1,
        window.0.round(),
        window.1.round(),
        series.unit
    )
}

fn pixels(volume: &Volume<f32>, cut: &Cut, display: &Display, (low, high): (f32, f32)) -> Vec<u8> {
    let mut pixels = Vec::with_capacity((cut.size[0] * cut.size[1]) as usize);
    for row in 0..cut.size[1] {
        for column in 0..cut.size[0] {
            let at = |x: i64, axis: usize, flip: bool| cut.first[axis] + if flip { cut.size[axis] - 1 - x } else { x };
            let (i, j) = (at(column, 0, display.flip_columns), at(row, 1, display.flip_rows));
            let value = match (usize::try_from(i), usize::try_from(j)) {
                (Ok(i), Ok(j)) => volume.get(Index3 { i, j, k: cut.k }).copied().unwrap_or(low),
                _ => low,
            };
            pixels.push((255.0 * ((value - low) / (high - low)).clamp(0.0, 1.0)).round() as u8);
        }
    }
    pixels
}

#[expect(
    clippy::too_many_arguments,
    reason = "one picture needs the visit, the lesion, the volume and how both are shown"
)]
fn overlay(
    visit: &VisitFacts,
    n: usize,
    sighting: &Sighting,
    tracked: &Tracked,
    track: &LesionTrack,
    volume: &Volume<f32>,
    cut: &Cut,
    display: &Display,
) -> (Vec<Outline>, Vec<[[f64; 2]; 2]>) {
    let mut outlines = Vec::new();
    let mut draw = |mask: &Mask, role: OutlineRole| {
        for points in slice_outlines(mask, volume, cut, display) {
            outlines.push(Outline { role, points });
        }
    };
    if let Some(organ) = &visit.organ {
        draw(organ, OutlineRole::Organ);
    }
    let zones = tracked.zones.get(&(n, track.id.clone())).map_or(&[][..], Vec::as_slice);
    for zone in visit.zones.iter().filter(|z| zones.contains(&z.label)) {
        draw(&zone.mask, OutlineRole::Zone);
    }
    let mut calipers = Vec::new();
    for label in &sighting.labels {
        if let Some(lesion) = visit.lesion(*label) {
            draw(&lesion.mask, OutlineRole::Lesion);
        }
        let Some(sizes) = visit.sizes_of(*label) else { continue };
        if let Evaluable::Value(part) = &sizes.viable
            && part.chord.is_some()
        {
            draw(&part.mask, OutlineRole::Viable);
        }
        if let (Evaluable::Value(planar), Some(slice_k)) = (&sizes.planar, sizes.slice_k)
            && slice_k == cut.k
        {
            let ends = |chord: &Chord| [chord.start, chord.end].map(|p| cut.pixel(volume, display, p));
            calipers.push(ends(&planar.long_axis));
            calipers.push(ends(&planar.short_axis));
        }
    }
    (outlines, calipers)
}

/// Outlines of a mask (cut from the series' grid) in the slice shown, in pixel coordinates.
fn slice_outlines(mask: &Mask, volume: &Volume<f32>, cut: &Cut, display: &Display) -> Vec<Vec<[f64; 2]>> {
    let on_slice = volume.grid().center(Index3 { i: 0, j: 0, k: cut.k });
    let k = mask.grid().patient_to_voxel().apply(on_slice).coords.z.round();
    if k < 0.0 || k >= mask.shape().nk as f64 {
        return Vec::new();
    }
    let shown = |points: &[Point<Patient>]| {
        let pixels: Vec<[f64; 2]> = points.iter().map(|p| cut.pixel(volume, display, *p)).collect();
        let inside = |p: &[f64; 2]| (0..2).all(|axis| p[axis] > -0.5 && p[axis] < cut.size[axis] as f64 - 0.5);
        pixels.iter().any(inside).then_some(pixels)
    };
    contours(mask, k as usize).iter().filter_map(|contour| shown(&contour.points)).collect()
}
