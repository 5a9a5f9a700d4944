//! The band of the diameter that is judged at a visit: as the measurements' own (`low`, `high`), a voxel of that visit's grid along the
//! diameter, added over pieces as the diameters are. The viable diameter has the band of the whole one.

use imaging::{Chord, chord_band};
use oncology::reads::Reviewed;
use oncology::tracking::LesionTrack;
use oncology::{Exact, LesionKind};

use crate::stages::find::VisitFacts;
use crate::stages::measure::Sizes;

/// Half of it, mm; `None` where nothing is measured.
pub(super) fn half_width(track: &LesionTrack, (n, visit): (usize, &VisitFacts), reviewed: &Reviewed) -> Option<Exact> {
    let is_node = track.kind == LesionKind::Node;
    let of = |chord: &Chord| chord_band::half_width(chord, &visit.measured.grid).0;
    let drawn = reviewed.axes.get(&(n, track.id.clone())).and_then(|axes| if is_node { axes.short } else { axes.long });
    if let Some(drawn) = drawn {
        return Exact::from_image(of(&drawn));
    }
    let labels = &track.sightings.get(&n)?.labels;
    let pieces = labels.iter().filter_map(|label| visit.sizes_of(*label)).flat_map(Sizes::pieces);
    let chords: Vec<Chord> = pieces.map(|piece| if is_node { piece.short_axis } else { piece.long_axis }).collect();
    let longest = chords.iter().max_by(|a, b| a.length().0.total_cmp(&b.length().0))?;
    Exact::from_image(if is_node { of(longest) } else { chords.iter().map(of).sum() })
}
