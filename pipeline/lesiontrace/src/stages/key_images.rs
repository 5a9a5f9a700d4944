//! Key images: the same place of one lesion at every visit, at one scale and window, with outlines and calipers.

use imaging::diameter::mask_centroid;
use imaging::{Chord, Grid, Mask, Patient, Point};
use oncology::tracking::{LesionTrack, Sighting};
use oncology::{Evaluable, LesionState};
use report::{KeyImage, Orientation, Outline, OutlineRole};

use crate::stages::display::{Cut, Display, slice_outlines};
use crate::stages::find::VisitFacts;
use crate::stages::pictures::{KeptCut, VisitPictures};
use crate::stages::track::Tracked;

/// Length of the scale bar, mm.
const SCALE_BAR_MM: f64 = 20.0;

/// The rectangle to show of every lesion at one visit, where it lies on the images.
pub(crate) fn places<'a>(
    visits: &[VisitFacts],
    n: usize,
    tracked: &'a Tracked,
    field_mm: f64,
) -> Vec<(&'a LesionTrack, Cut)> {
    let of_track = |track: &'a LesionTrack| Some((track, rectangle(visits, n, track, tracked, field_mm)?));
    tracked.tracks.iter().filter_map(of_track).collect()
}

fn rectangle(visits: &[VisitFacts], n: usize, track: &LesionTrack, tracked: &Tracked, field_mm: f64) -> Option<Cut> {
    let grid = &visits[n].measured.grid;
    let (center, slice_k) = match track.sightings.get(&n) {
        Some(sighting) => place(visits, n, track, sighting, tracked)?,
        None => (place_before(visits, n, track)?, None),
    };
    let voxel = grid.patient_to_voxel().apply(center).coords;
    let k = slice_k.map_or(voxel.z.round(), |k| k as f64);
    if k < 0.0 || k >= grid.shape().nk as f64 {
        return None;
    }
    let spacing = grid.spacing_mm();
    let size = [0, 1].map(|axis| (field_mm / spacing[axis]).round().max(8.0) as i64);
    let first = [voxel.x.round() as i64 - size[0] / 2, voxel.y.round() as i64 - size[1] / 2];
    Some(Cut { k: k as usize, first, size })
}

/// What lesions over time are shown with.
#[derive(Clone, Copy)]
pub(crate) struct Shown<'a> {
    /// The visits.
    pub(crate) visits: &'a [VisitFacts],
    /// The lesions.
    pub(crate) tracked: &'a Tracked,
    /// Lesions as the program followed them, whose places were cut.
    pub(crate) as_followed: &'a Tracked,
    /// Edge of a picture, mm.
    pub(crate) field_mm: f64,
}

impl Shown<'_> {
    /// Images of every lesion at visit `n`, from the pictures that were cut there.
    pub(crate) fn of_visit(&self, n: usize, pictures: &VisitPictures) -> Vec<KeyImage> {
        self.tracked.tracks.iter().filter_map(|track| self.key_image(n, track, pictures)).collect()
    }

    /// The picture of the lesion's place; where a reader changed it, that of the place the program had followed it to.
    fn picture<'p>(&self, n: usize, track: &LesionTrack, pictures: &'p VisitPictures) -> Option<&'p KeptCut> {
        let window = pictures.window_of(&track.organ);
        let own = rectangle(self.visits, n, track, self.tracked, self.field_mm);
        own.and_then(|cut| pictures.find(&cut, window)).or_else(|| {
            let before = self.as_followed.tracks.iter().find(|other| other.id == track.id)?;
            let cut = rectangle(self.visits, n, before, self.as_followed, self.field_mm)?;
            pictures.find(&cut, window)
        })
    }

    fn key_image(&self, n: usize, track: &LesionTrack, pictures: &VisitPictures) -> Option<KeyImage> {
        let sighting = track.sightings.get(&n);
        let KeptCut { cut, window, pixels } = self.picture(n, track, pictures)?;
        let visit = &self.visits[n];
        let grid = &visit.measured.grid;
        let spacing = grid.spacing_mm();
        let display = Display::of(grid);
        let (outlines, calipers) = self.overlay(n, track, sighting, cut, &display);
        let [left, right, top, bottom] = display.letters.clone();
        Some(KeyImage {
            lesion_id: track.id.to_string(),
            visit: visit.id,
            caption: caption(pictures, (sighting, track.is_perhaps_none_at(n)), cut, *window)
                + &self.elsewhere(n, track, cut),
            width: cut.size[0] as u32,
            height: cut.size[1] as u32,
            pixels: pixels.clone(),
            pixel_mm: [spacing[0], spacing[1]],
            outlines,
            calipers,
            scale_bar_mm: SCALE_BAR_MM,
            orientation: Orientation { left, right, top, bottom },
            // Nothing is measured where the lesion was not seen yet.
            pixel_to_patient: sighting.map(|_| cut.pixel_to_patient(grid, &display)),
        })
    }

    fn overlay(
        &self,
        n: usize,
        track: &LesionTrack,
        sighting: Option<&Sighting>,
        cut: &Cut,
        display: &Display,
    ) -> (Vec<Outline>, Vec<[[f64; 2]; 2]>) {
        let visit = &self.visits[n];
        let grid = &visit.measured.grid;
        let mut outlines = Vec::new();
        let mut draw = |mask: &Mask, role: OutlineRole| {
            for points in slice_outlines(mask, grid, cut, display) {
                outlines.push(Outline { role, points });
            }
        };
        if let Some(organ) = &visit.organ {
            draw(organ, OutlineRole::Organ);
        }
        let zones = self.tracked.zones.get(&(n, track.id.clone())).map_or(&[][..], Vec::as_slice);
        for zone in visit.zones.iter().filter(|z| zones.contains(&z.label)) {
            draw(&zone.mask, OutlineRole::Zone);
        }
        let ends = |chord: &Chord| [chord.start, chord.end].map(|p| cut.pixel(grid, display, p));
        let mut drawn = self.drawn(n, track);
        let mut calipers = Vec::new();
        for label in sighting.iter().flat_map(|sighting| &sighting.labels) {
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
                let [long, short] = std::mem::take(&mut drawn);
                let counts = [long.unwrap_or(planar.long_axis), short.unwrap_or(planar.short_axis)];
                // What does not count is not drawn, even where a reader's caliper lies on another slice.
                calipers.extend(counts.iter().filter(|chord| slice(grid, chord) == cut.k as f64).map(ends));
            }
            for piece in sizes.further_pieces.iter().filter(|piece| slice(grid, &piece.long_axis) == cut.k as f64) {
                calipers.extend([piece.long_axis, piece.short_axis].iter().map(ends));
            }
        }
        calipers.extend(drawn.iter().flatten().filter(|chord| slice(grid, chord) == cut.k as f64).map(ends));
        (outlines, calipers)
    }

    /// The diameters readers drew of a lesion at a visit: the long one, the short one.
    fn drawn(&self, n: usize, track: &LesionTrack) -> [Option<Chord>; 2] {
        let axes = self.tracked.reviewed.axes.get(&(n, track.id.clone())).copied().unwrap_or_default();
        [axes.long, axes.short]
    }

    /// What a picture says of a reader's calipers that lie on another slice than it shows; empty where none does.
    fn elsewhere(&self, n: usize, track: &LesionTrack, cut: &Cut) -> String {
        let grid = &self.visits[n].measured.grid;
        let named = ["long", "short"].into_iter().zip(self.drawn(n, track));
        let away = named.filter_map(|(name, chord)| Some((name, slice(grid, &chord?))));
        let away = away.filter(|(_, k)| *k != cut.k as f64);
        away.map(|(name, k)| format!(" · reader's {name} axis on slice {}, not shown", k + 1.0)).collect()
    }
}

/// The slice a diameter lies on.
fn slice(grid: &Grid, chord: &Chord) -> f64 {
    grid.patient_to_voxel().apply(chord.start).coords.z.round()
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
    if let Some(label) = largest_piece(sighting, visit) {
        let center = mask_centroid(&visit.lesion(label)?.mask)?;
        return Some((center, visit.sizes_of(label)?.slice_k));
    }
    let zone = tracked.zones.get(&(n, track.id.clone()));
    if let Some(zone) = zone.and_then(|labels| visit.zones.iter().find(|z| labels.first() == Some(&z.label))) {
        return Some((mask_centroid(&zone.mask)?, None));
    }
    let last = track.sightings.range(..n).rev().find_map(|(_, s)| s.center)?;
    Some((visit.to_baseline.to_moving(last)?, None))
}

/// The piece with the largest volume, the first of equals.
fn largest_piece(sighting: &Sighting, visit: &VisitFacts) -> Option<u16> {
    let volume = |label: u16| visit.sizes_of(label).map_or(0.0, |sizes| sizes.volume.0);
    sighting.labels.iter().rev().copied().max_by(|a, b| volume(*a).total_cmp(&volume(*b)))
}

/// Where a lesion was first seen, carried to a visit before; `None` where the visit lies on baseline in no known way.
fn place_before(visits: &[VisitFacts], n: usize, track: &LesionTrack) -> Option<Point<Patient>> {
    let first = track.sightings.get(&track.first_visit).filter(|_| n < track.first_visit)?;
    visits[n].not_evaluable().is_none().then(|| visits[n].to_baseline.to_moving(first.center?))?
}

fn caption(
    series: &VisitPictures,
    (sighting, is_doubted): (Option<&Sighting>, bool),
    cut: &Cut,
    window: (f32, f32),
) -> String {
    let what = match sighting.map(|sighting| sighting.state) {
        None => "not yet seen; its later place shown",
        Some(LesionState::Absent) => "absent; last place shown",
        Some(LesionState::Ablated) => "ablated; zone shown",
        Some(LesionState::Residual) => "residual at the zone",
        Some(LesionState::LocalProgression) => "local progression at the zone",
        Some(LesionState::Merged) => "merged",
        Some(LesionState::Uncertain) if is_doubted => "perhaps no lesion",
        Some(LesionState::Uncertain) => "identity uncertain",
        Some(LesionState::NotEvaluable) => "not evaluable",
        Some(LesionState::Present) => "present",
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
