//! Key images: the same place of one lesion at every visit, at one scale and window, with outlines and calipers.

use imaging::diameter::mask_centroid;
use imaging::{Chord, Mask, Patient, Point, Volume};
use oncology::tracking::{LesionTrack, Sighting};
use oncology::{Evaluable, LesionState};
use report::{KeyImage, Orientation, Outline, OutlineRole};

use crate::stages::display::{Cut, Display, grey_window, pixels, slice_outlines};
use crate::stages::find::VisitFacts;
use crate::stages::load::LoadedSeries;
use crate::stages::track::Tracked;

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
    let (low, high) = grey_window(series, &track.organ);
    let (outlines, calipers) = overlay(visit, n, sighting, tracked, track, volume, &cut, &display);
    let [left, right, top, bottom] = display.letters.clone();
    Some(KeyImage {
        lesion_id: track.id.to_string(),
        visit: visit.id,
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
        series.role.replace('_', " "),
        cut.k + 1,
        window.0.round(),
        window.1.round(),
        series.unit
    )
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
