//! Whether a visit shows that nothing enhances at an ablation zone, which criteria of viable tumour ask.

use imaging::Mask;
use oncology::tracking::LesionTrack;

use crate::stages::find::VisitFacts;
use crate::stages::track::Tracked;

/// Of a zone this share may lie outside the arterial phase: the rim of voxels cut by the image's end.
const MAX_OUTSIDE: f64 = 0.01;

/// Why visit `n` does not show that nothing enhances at the zones of a lesion; `None` where it does.
pub(super) fn unconfirmed(track: &LesionTrack, visit: &VisitFacts, (n, tracked): (usize, &Tracked)) -> Option<String> {
    let labels = tracked.zones.get(&(n, track.id.clone())).map_or(&[][..], Vec::as_slice);
    let Some(arterial) = &visit.arterial else {
        return Some("ablated, but no arterial phase at this visit shows that nothing enhances there".to_owned());
    };
    if let Some(reason) = &visit.arterial_unfit {
        return Some(format!("ablated, but whether anything enhances there is not known: {reason}"));
    }
    let zones = visit.zones.iter().filter(|zone| labels.contains(&zone.label));
    let outside = |mask: &Mask| {
        if mask.grid().frame() == arterial.grid.frame() { mask.share_outside(&arterial.grid) } else { 1.0 }
    };
    let most = zones.map(|zone| outside(&zone.mask)).fold(0.0, f64::max);
    (most > MAX_OUTSIDE)
        .then(|| format!("ablated, but {:.0} % of the zone lies outside the arterial series", (100.0 * most).max(1.0)))
}
