//! What the viewer lists beside its volumes: lesions with their places, and which two visits are shown first.

use imaging::diameter::mask_centroid;
use oncology::tracking::LesionTrack;
use oncology::{AssessmentRow, LesionRow};
use report::{ShownFirst, ViewerLesion, ViewerSighting, ViewerVolume};

use crate::stages::find::VisitFacts;
use crate::stages::track::Tracked;

/// Lesions in the order of the page.
pub(crate) fn lesions(
    visits: &[VisitFacts],
    tracked: &Tracked,
    volumes: &[ViewerVolume],
    rows: &[LesionRow],
) -> Vec<ViewerLesion> {
    let listed = rows.iter().filter_map(|row| {
        let track = tracked.tracks.iter().find(|track| track.id.as_str() == row.lesion_id)?;
        Some((row, track))
    });
    let lesion = |(row, track): (&LesionRow, &LesionTrack)| ViewerLesion {
        id: row.lesion_id.clone(),
        what: format!("{}, {}", row.organ, row.role),
        at: (0..volumes.len()).map(|n| sighting(visits, n, track, tracked, &volumes[n])).collect(),
    };
    listed.map(lesion).collect()
}

/// One lesion at one visit: its numbers in the volume, and its centre, that of its zone where a zone stands in its place.
fn sighting(
    visits: &[VisitFacts],
    n: usize,
    track: &LesionTrack,
    tracked: &Tracked,
    volume: &ViewerVolume,
) -> ViewerSighting {
    let visit = &visits[n];
    let labels = track.sightings.get(&n).map_or(&[][..], |sighting| sighting.labels.as_slice());
    let number = |label: &u16| volume.labels.iter().position(|other| other == label).map(|place| place as u16 + 1);
    let largest = labels.iter().filter_map(|label| visit.lesion(*label)).max_by_key(|one| one.mask.n_voxels_set());
    let zones = tracked.zones.get(&(n, track.id.clone())).map_or(&[][..], Vec::as_slice);
    let zone = visit.zones.iter().find(|zone| zones.first() == Some(&zone.label));
    let center = largest.or(zone).and_then(|instance| mask_centroid(&instance.mask));
    let in_volume = |p| if volume.not_linked.is_empty() { visit.to_baseline.to_fixed(p) } else { p };
    ViewerSighting {
        center: center.map(|center| in_volume(center).to_array()),
        numbers: labels.iter().filter_map(number).collect(),
    }
}

/// The last visit, and beside it the one with the smallest sum before it by the leading criterion; baseline where none has a sum.
pub(crate) fn shown_first(volumes: &[ViewerVolume], assessments: &[AssessmentRow]) -> ShownFirst {
    let current = volumes.len().saturating_sub(1);
    let leading = assessments.first().map(|row| row.criterion.as_str());
    let rows = assessments.iter().filter(|row| Some(row.criterion.as_str()) == leading);
    let sums = rows.filter_map(|row| {
        let place = volumes.iter().position(|volume| volume.visit == row.visit)?;
        Some((place, row.sum_mm?))
    });
    // Of equal sums the latest: the nadir a progression counts from is as old as it must be.
    let before = sums.filter(|(place, _)| *place < current);
    let smallest = before.min_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0))).map(|(place, _)| place);
    ShownFirst { prior: smallest.unwrap_or(0), current, nadir: smallest.filter(|place| *place > 0) }
}
