//! Places of a visit in the baseline frame: what it images, and how its outlines lie on those of visits before.

use std::collections::{BTreeMap, BTreeSet};

use imaging::{Index3, Mask, Mm, Patient, Point, Vector};
use oncology::LesionId;
use oncology::tracking::{LesionTrack, Overlap};

use super::{carried, contains, last_sight};
use crate::stages::find::VisitFacts;
use crate::stages::register::position_sigma;
use crate::stages::segment::{Instance, StageError};

/// Error of a visit's registration to baseline, per axis; `None` where it tells none (it failed, or none was made).
pub(super) fn registration_error(visits: &[VisitFacts], n: usize) -> Option<Mm> {
    match n {
        0 => Some(Mm(0.0)),
        _ => visits[n].to_baseline.transform.and_then(|_| position_sigma(&visits[n].to_baseline)),
    }
}

/// Whether a visit images a place of the baseline frame, and everything within `margin` of it.
pub(crate) fn images(visit: &VisitFacts, place: Point<Patient>, margin: Mm) -> bool {
    let Some(here) = visit.to_baseline.to_moving(place) else { return false };
    let steps = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]].map(|[x, y, z]| Vector::new(x, y, z) * margin.0);
    let round = steps.iter().flat_map(|step| [here + *step, here - *step]);
    std::iter::once(here).chain(round).all(|p| visit.measured.shows(p))
}

/// Lesions whose last place visit `n` does not image.
pub(super) fn not_covered(visits: &[VisitFacts], n: usize, tracks: &[LesionTrack]) -> BTreeSet<LesionId> {
    let margin = registration_error(visits, n).unwrap_or(Mm(0.0));
    let outside = |track: &&LesionTrack| track.last_center().is_some_and(|p| !images(&visits[n], p, margin));
    tracks.iter().filter(outside).map(|track| track.id.clone()).collect()
}

/// Why nothing could be seen at a place of the baseline frame before visit `n`; `None` where an earlier visit shows it.
pub(super) fn unseen_before(visits: &[VisitFacts], n: usize, place: Point<Patient>) -> Option<String> {
    let shows = |visit: &VisitFacts| visit.not_evaluable().is_none() && images(visit, place, Mm(0.0));
    let is_seen = n == 0 || visits[..n].iter().any(shows);
    (!is_seen).then(|| "no earlier visit images its place".to_owned())
}

/// Known lesions as they were last outlined, in the frame of visit `n`.
pub(super) fn last_outlines(
    visits: &[VisitFacts],
    n: usize,
    tracks: &[LesionTrack],
) -> Result<Vec<(LesionId, Vec<Mask>)>, StageError> {
    let mut outlines = Vec::new();
    for track in tracks {
        let Some((seen_at, labels)) = last_sight(track, n) else { continue };
        let masks = labels.iter().filter_map(|label| visits[seen_at].lesion(*label));
        let masks: Result<Vec<Mask>, StageError> =
            masks.map(|lesion| carried(&lesion.mask, &visits[seen_at], &visits[n])).collect();
        outlines.push((track.id.clone(), masks?));
    }
    Ok(outlines)
}

/// How an outline lies on each known lesion's; those it does not touch are left out.
pub(super) fn overlaps(lesion: &Instance, known: &[(LesionId, Vec<Mask>)]) -> BTreeMap<LesionId, Overlap> {
    let mut overlaps = BTreeMap::new();
    for (id, masks) in known {
        let of_finding = share(&lesion.mask, |p| masks.iter().any(|mask| contains(mask, p)));
        if of_finding == 0.0 && !masks.iter().any(|mask| share(mask, |p| contains(&lesion.mask, p)) > 0.0) {
            continue;
        }
        let n_voxels: usize = masks.iter().map(Mask::n_voxels_set).sum();
        let inside: f64 = masks.iter().map(|m| share(m, |p| contains(&lesion.mask, p)) * m.n_voxels_set() as f64).sum();
        overlaps.insert(id.clone(), Overlap { of_lesion: inside / n_voxels.max(1) as f64, of_finding });
    }
    overlaps
}

/// The share of a mask's voxels whose centres are inside.
fn share(mask: &Mask, is_inside: impl Fn(Point<Patient>) -> bool) -> f64 {
    let inside = mask.indices_set().filter(|at| is_inside(mask.grid().center(*at))).count();
    inside as f64 / mask.n_voxels_set().max(1) as f64
}

/// The farthest voxel of a mask from a point of its frame.
pub(super) fn reach(mask: &Mask, center: Point<Patient>) -> Mm {
    let far = |at: Index3| mask.grid().center(at).distance(center);
    Mm(mask.indices_set().map(far).fold(0.0, f64::max))
}
