//! What is known of a lesion before a visit: where to expect it, how well, and how large it was.

use std::collections::BTreeSet;

use imaging::{Patient, Point};

use super::lesion_track::{LesionTrack, SeenExtent};
use crate::lesion::LesionState;

/// How far a centre wanders from visit to visit by growth and the organ's own deformation, mm per axis.
const WANDERING_MM: f64 = 1.0;

/// A lesion as it is expected.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// Expected centre in the baseline frame.
    pub(super) center: Point<Patient>,
    /// Its variance per axis, mm².
    pub(super) variance: f64,
    /// Volume when last seen whole and alone, mm³.
    pub(super) volume: f64,
    /// The farthest voxel from the centre then, mm.
    pub(super) reach: f64,
}

/// What is known of each lesion before visit `visit`; `None` where it never had a place.
///
/// Visits that show it in pieces, together with another lesion, or at an ablation zone do not count where there is another one.
pub(super) fn known(tracks: &[LesionTrack], visit: usize) -> Vec<Option<Known>> {
    let shared: BTreeSet<(usize, u16)> = tracks
        .iter()
        .flat_map(|track| track.sightings.iter())
        .filter(|(_, seen)| seen.state == LesionState::Merged)
        .flat_map(|(visit, seen)| seen.labels.iter().map(|label| (*visit, *label)))
        .collect();
    tracks.iter().map(|track| of_track(track, visit, &shared)).collect()
}

fn of_track(track: &LesionTrack, visit: usize, shared: &BTreeSet<(usize, u16)>) -> Option<Known> {
    let outlined: Vec<(usize, SeenExtent, bool)> = track
        .sightings
        .range(..visit)
        .filter_map(|(at, seen)| {
            let whole = matches!(seen.state, LesionState::Present | LesionState::Uncertain)
                && seen.labels.len() == 1
                && !shared.contains(&(*at, seen.labels[0]));
            Some((*at, seen.extent?, whole))
        })
        .collect();
    let any_whole = outlined.iter().any(|(.., whole)| *whole);
    let counted: Vec<&(usize, SeenExtent, bool)> = outlined.iter().filter(|(.., whole)| *whole || !any_whole).collect();
    let (_, last, _) = counted.last()?;
    let (mut sum, mut weights) = ([0.0; 3], 0.0);
    for (at, extent, _) in &counted {
        let age = (visit - at) as f64;
        let weight = 1.0 / (extent.error.0.powi(2) + WANDERING_MM.powi(2) * age).max(1e-6);
        for (sum, x) in sum.iter_mut().zip(extent.place.to_array()) {
            *sum += weight * x;
        }
        weights += weight;
    }
    let [x, y, z] = sum.map(|s| s / weights);
    Some(Known { center: Point::new(x, y, z), variance: 1.0 / weights, volume: last.volume.0, reach: last.reach.0 })
}
