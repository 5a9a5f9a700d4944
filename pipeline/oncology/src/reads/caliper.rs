//! Whether a caliper that a reader drew can be a diameter of the lesion: it lies on one slice that shows the lesion, at its outline, and
//! the two diameters of a lesion fit each other.
//!
//! Source: Eisenhauer et al. 2009 (RECIST 1.1, §3.1: longest diameter in the plane of measurement; the short axis is the largest one
//! perpendicular to it).

use std::collections::BTreeMap;

use imaging::{Chord, Grid};

use super::apply::ReaderAxes;
use super::state::{Box2, ReadableSight};
use crate::exact::Exact;

/// Half a slice and a little: how far from a slice's middle the ends of a caliper may lie, in slices. Origin: pages write ends to
/// 0.001 mm, which is less than a hundredth of any slice.
const IN_SLICE: f64 = 0.51;
/// How far from the box round the outline a caliper may pass, mm. Origin: a few voxels; an outline that is off by more is another place.
const BESIDE_MM: f64 = 5.0;
/// How far from that box an end may lie where the outline is small, mm; of a larger one, as far as it is large. Origin: outlines that
/// miss half of a lesion are found, one that misses nine tenths would be another lesion.
const LEAST_REACH_MM: f64 = 20.0;
/// How far from a right angle two diameters may stand before it is noted, degrees. Origin: ends set by hand a voxel off on a diameter of
/// a centimetre.
const SKEW_DEGREES: f64 = 10.0;

/// Whether a caliper lies where the lesion is outlined. `Err` says what is wrong, with the figures.
pub(super) fn belongs(chord: &Chord, grid: &Grid, id: &str, sight: &ReadableSight) -> Result<(), String> {
    let k = slice(chord, grid)?;
    if sight.outlined.is_empty() {
        // A lesion that was marked without an outline: nothing to hold a caliper against.
        return Ok(());
    }
    let Some(boxes) = sight.outlined.get(&k) else {
        let at = |k: Option<&usize>| k.map_or(0, |k| k + 1);
        let (first, last) = (at(sight.outlined.keys().next()), at(sight.outlined.keys().next_back()));
        return Err(format!("the caliper lies on slice {}, and {id} is outlined on slices {first} to {last}", k + 1));
    };
    let spacing = grid.spacing_mm();
    let ends = [chord.start, chord.end].map(|end| {
        let voxel = grid.patient_to_voxel().apply(end).coords;
        [voxel.x * spacing[0], voxel.y * spacing[1]]
    });
    let faults = boxes.iter().map(|voxels| {
        let there = voxels.map(|corner| [corner[0] * spacing[0], corner[1] * spacing[1]]);
        at_box(ends, there, id, k)
    });
    let faults: Vec<Result<(), String>> = faults.collect();
    if faults.iter().any(Result::is_ok) { Ok(()) } else { faults.into_iter().next().unwrap_or(Ok(())) }
}

/// The slice both ends lie on.
fn slice(chord: &Chord, grid: &Grid) -> Result<usize, String> {
    let ends = [chord.start, chord.end];
    if ends.iter().any(|end| grid.nearest(*end).is_none()) {
        return Err("an end of the caliper lies outside the image of the visit (LPS mm)".to_owned());
    }
    let [start, end] = ends.map(|end| grid.patient_to_voxel().apply(end).coords.z);
    if (start - start.round()).abs() > IN_SLICE || (start - end).abs() > IN_SLICE {
        let (start, end) = (start + 1.0, end + 1.0);
        return Err(format!("the ends of the caliper lie on different slices ({start:.1} and {end:.1})"));
    }
    if chord.length().0 <= 0.0 {
        return Err("the caliper has no length".to_owned());
    }
    Ok(start.round().max(0.0) as usize)
}

/// Whether a line passes a box and ends near it; all in mm of one plane.
fn at_box(ends: [[f64; 2]; 2], there: Box2, id: &str, k: usize) -> Result<(), String> {
    let passes = line_to_box(ends, there);
    if passes > BESIDE_MM {
        return Err(format!(
            "the caliper is none of {id}: it passes the outline on slice {} {passes:.1} mm beside it, expected at most {BESIDE_MM} mm",
            k + 1
        ));
    }
    let large = (there[1][0] - there[0][0]).hypot(there[1][1] - there[0][1]);
    let reach = large.max(LEAST_REACH_MM);
    let farthest = ends.map(|end| point_to_box(end, there)).into_iter().fold(0.0, f64::max);
    if farthest > reach {
        return Err(format!(
            "the caliper is none of {id}: an end lies {farthest:.1} mm from the outline on slice {}, which is {large:.1} mm \
             large there; expected at most {reach:.1} mm",
            k + 1
        ));
    }
    Ok(())
}

fn point_to_box(point: [f64; 2], there: Box2) -> f64 {
    let beyond = |axis: usize| (there[0][axis] - point[axis]).max(point[axis] - there[1][axis]).max(0.0);
    beyond(0).hypot(beyond(1))
}

/// Distance of a line from a box, 0 where it crosses it.
fn line_to_box(ends: [[f64; 2]; 2], there: Box2) -> f64 {
    let along = [ends[1][0] - ends[0][0], ends[1][1] - ends[0][1]];
    // Where along the line it enters and leaves the box (Liang and Barsky 1984).
    let (mut enters, mut leaves) = (0.0_f64, 1.0_f64);
    let mut misses = false;
    for axis in [0, 1] {
        let [low, high] = [0, 1].map(|side| there[side][axis] - ends[0][axis]);
        if along[axis] == 0.0 {
            misses |= low > 0.0 || high < 0.0;
            continue;
        }
        let at = [low / along[axis], high / along[axis]];
        enters = enters.max(at[0].min(at[1]));
        leaves = leaves.min(at[0].max(at[1]));
    }
    if !misses && enters <= leaves {
        return 0.0;
    }
    let corners = [0, 1].into_iter().flat_map(|x| [0, 1].map(|y| [there[x][0], there[y][1]]));
    let to_corners = corners.map(|corner| point_to_line(corner, ends));
    ends.into_iter().map(|end| point_to_box(end, there)).chain(to_corners).fold(f64::INFINITY, f64::min)
}

fn point_to_line(point: [f64; 2], ends: [[f64; 2]; 2]) -> f64 {
    let along = [ends[1][0] - ends[0][0], ends[1][1] - ends[0][1]];
    let from = [point[0] - ends[0][0], point[1] - ends[0][1]];
    let squared = along[0] * along[0] + along[1] * along[1];
    let at = if squared > 0.0 { ((from[0] * along[0] + from[1] * along[1]) / squared).clamp(0.0, 1.0) } else { 0.0 };
    (from[0] - at * along[0]).hypot(from[1] - at * along[1])
}

/// Whether the diameters that count together can be those of one lesion: `drawn` by readers, the program's where they drew none. `Err`
/// where the short axis is the longer one; `Ok` says what is to be doubted, or nothing.
pub(super) fn fit_together(drawn: &ReaderAxes, found: &ReaderAxes, grid: Option<&Grid>) -> Result<String, String> {
    let (long, short) = (drawn.long.or(found.long), drawn.short.or(found.short));
    let (Some(long), Some(short)) = (long, short) else { return Ok(String::new()) };
    let whose = |drawn: Option<Chord>| if drawn.is_some() { "drawn" } else { "the program's" };
    let (of_long, of_short) = (whose(drawn.long), whose(drawn.short));
    if Exact::from_image(short.length().0) > Exact::from_image(long.length().0) {
        return Err(format!(
            "the short axis ({:.2} mm, {of_short}) is longer than the long axis ({:.2} mm, {of_long}); draw both",
            short.length().0,
            long.length().0
        ));
    }
    let mut doubts = Vec::new();
    let lengths = long.length().0 * short.length().0;
    let angle = ((long.end - long.start).dot(short.end - short.start).abs() / lengths).min(1.0).acos().to_degrees();
    if 90.0 - angle > SKEW_DEGREES {
        doubts.push(format!(
            "long axis ({of_long}) and short axis ({of_short}) stand at {angle:.0} degrees, not at a right angle"
        ));
    }
    let slices = grid.map(|grid| [long, short].map(|c| grid.patient_to_voxel().apply(c.start).coords.z.round() + 1.0));
    if let Some([of_long, of_short]) = slices.filter(|[long, short]| long != short) {
        doubts.push(format!("the long axis lies on slice {of_long}, the short axis on slice {of_short}"));
    }
    Ok(doubts.join("; "))
}

/// Boxes round what is outlined, by slice, from the voxels of each piece.
#[must_use]
pub fn outlined(pieces: &[Vec<[f64; 3]>]) -> BTreeMap<usize, Vec<Box2>> {
    let mut all: BTreeMap<usize, Vec<Box2>> = BTreeMap::new();
    for piece in pieces {
        let mut of_piece: BTreeMap<usize, Box2> = BTreeMap::new();
        for [i, j, k] in piece {
            let there = of_piece.entry(k.round().max(0.0) as usize).or_insert([[*i, *j], [*i, *j]]);
            for (axis, at) in [i, j].into_iter().enumerate() {
                there[0][axis] = there[0][axis].min(at - 0.5);
                there[1][axis] = there[1][axis].max(at + 0.5);
            }
        }
        for (k, there) in of_piece {
            all.entry(k).or_default().push(there);
        }
    }
    all
}
