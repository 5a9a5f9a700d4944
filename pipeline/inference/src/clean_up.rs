//! What a card asks for after the labels are found: nothing far from its organ, no tiny ones, the largest component, no holes.
//!
//! Components hang together over faces, edges and corners (26 neighbours); a hole is background from which no path over faces
//! (6 neighbours) leads round the label. Findings come first, then what they lie in, then holes: an organ that a tumour or the zone
//! of an ablation cuts through is one with them in it, and no rule deletes a part of it that hangs together with the rest over them.

mod links;

use std::collections::BTreeSet;

use imaging::components::{Components, Connectivity, components};
use imaging::distance::{DistanceError, distance_to};
use imaging::morphology;
use imaging::{Index3, LabelMap, Mask, Note, Shape, Window};

use self::links::linked;
use crate::card::{Card, Label, OnlyNear};

/// A voxel centre this little beyond the distance, in mm, is still near: the rounding of a spacing times a count.
const DISTANCE_TOLERANCE_MM: f64 = 1e-6;

/// Dropping more than this part of a label of which the largest component is kept is worth a look.
const MUCH: f64 = 0.05;

/// Applies the rules of every label, in ascending order within each round, and notes what was changed.
pub(crate) fn clean_up(labels: &mut LabelMap, card: &Card, notes: &mut Vec<Note>) {
    let mut lost = BTreeSet::new();
    let near = || card.labels.iter().filter_map(|label| Some((label, label.only_near.as_ref()?)));
    for (label, near) in near() {
        if drop_far(labels, label, near, notes) {
            lost.insert(label.index);
        }
    }
    let (organs, findings): (Vec<&Label>, Vec<&Label>) =
        card.labels.iter().partition(|label| !linked(label, card).is_empty());
    for label in findings.iter().chain(&organs) {
        let has_rule = label.keep_largest || label.min_volume_mm3.is_some();
        if has_rule && drop_components(labels, label, &linked(label, card), notes) {
            lost.insert(label.index);
        }
    }
    // What was near a part of an organ that is gone is near nothing; where no organ lost anything, all is near what it was near to.
    for (label, near) in near() {
        if near.labels.iter().any(|of| lost.contains(of)) && drop_far(labels, label, near, notes) {
            lost.insert(label.index);
        }
    }
    for label in card.labels.iter().filter(|label| label.fill_holes) {
        fill_holes(labels, label, notes);
    }
}

/// A finding is judged by its nearest voxel and stays or goes whole: cut at the distance it would be left hollow. Returns whether any
/// went.
fn drop_far(labels: &mut LabelMap, label: &Label, near: &OnlyNear, notes: &mut Vec<Note>) -> bool {
    let Some((window, mask)) = surroundings(labels, &BTreeSet::from([label.index])) else { return false };
    let found = components(&mask, Connectivity::Corners);
    let is_near = match near_voxels(labels, near, &window) {
        Ok(is_near) => is_near,
        Err(error) => {
            let message = format!("findings far from their organ are not dropped as the card asks: {error}");
            notes.push(Note::warning("far_findings_kept", &label.name, message));
            return false;
        }
    };
    let mut is_far = vec![true; found.list.len() + 1];
    is_far[0] = false;
    for (finding, is_near) in found.labels.values().iter().zip(is_near).filter(|(finding, _)| **finding > 0) {
        is_far[*finding as usize] &= !is_near;
    }
    let n_dropped = is_far.iter().filter(|far| **far).count();
    if n_dropped == 0 {
        return false;
    }
    drop_listed(labels, label, (&window, &found), &is_far);
    let names: Vec<String> = near.labels.iter().map(u16::to_string).collect();
    let message = format!(
        "{n_dropped} of {} findings farther than {} mm from labels {} dropped as the card asks",
        found.list.len(),
        near.within_mm,
        names.join(", ")
    );
    notes.push(match sizeable(label, &found, &is_far, labels.grid().voxel_volume_mm3()) {
        Some(where_) => Note::warning("far_findings_dropped", &label.name, format!("{message}; {where_}")),
        None => Note::info("far_findings_dropped", &label.name, message),
    });
    true
}

/// The largest finding dropped, where its size alone would have let it stay: it may be a lesion that the card does not look for.
fn sizeable(label: &Label, found: &Components, is_far: &[bool], voxel_mm3: f64) -> Option<String> {
    let dropped = found.list.iter().filter(|finding| is_far[finding.label as usize]);
    let largest = dropped.max_by_key(|finding| finding.n_voxels)?;
    let mm3 = largest.n_voxels as f64 * voxel_mm3;
    let [x, y, z] = largest.centroid.to_array();
    (mm3 >= label.min_volume_mm3.unwrap_or(0.0)).then(|| {
        format!(
            "the largest has {mm3:.0} mm³ round x {x:.0}, y {y:.0}, z {z:.0} mm: see whether it is a lesion elsewhere"
        )
    })
}

/// Whether each voxel of a window lies near the labels named. Only what lies within the distance round the window is looked at.
fn near_voxels(labels: &LabelMap, near: &OnlyNear, window: &Window) -> Result<Vec<bool>, DistanceError> {
    let limit = near.within_mm + DISTANCE_TOLERANCE_MM;
    let (shape, spacing_mm) = (labels.shape(), labels.grid().spacing_mm());
    let n = [shape.ni, shape.nj, shape.nk];
    let reach: [usize; 3] = std::array::from_fn(|a| ((limit / spacing_mm[a]).ceil() as usize).min(n[a]));
    let Shape { ni, nj, nk } = window.shape;
    let wide = Window {
        low: std::array::from_fn(|a| window.low[a] - reach[a] as i64),
        shape: Shape { ni: ni + 2 * reach[0], nj: nj + 2 * reach[1], nk: nk + 2 * reach[2] },
    };
    let anchor = wide.cut(labels, 0).expect("a window of a grid has as good a grid").map(|v| near.labels.contains(v));
    let distance = match distance_to(&anchor) {
        Ok(distance) => distance,
        // Nothing lies within the distance.
        Err(DistanceError::EmptyMask) => return Ok(vec![false; window.shape.n_voxels()]),
        Err(error) => return Err(error),
    };
    let is_near = |n: usize| {
        let Index3 { i, j, k } = window.shape.index(n);
        *distance.at(Index3 { i: i + reach[0], j: j + reach[1], k: k + reach[2] }) <= limit
    };
    Ok((0..window.shape.n_voxels()).map(is_near).collect())
}

/// The surroundings of some labels, one voxel more than they reach: what is done to a label costs what the label costs.
fn surroundings(labels: &LabelMap, of: &BTreeSet<u16>) -> Option<(Window, Mask)> {
    let mask = labels.map(|label| of.contains(label));
    let window = Window::around(&mask, [1; 3])?.within(labels.shape())?;
    Some((window, window.cut(&mask, false).ok()?))
}

/// Changes the voxels of a window for which `change` says so; returns how many those are.
fn change_where(labels: &mut LabelMap, window: &Window, change: impl Fn(usize, u16) -> Option<u16>) -> usize {
    let shape = labels.shape();
    let mut n_changed = 0;
    for n in 0..window.shape.n_voxels() {
        let Some(Index3 { i, j, k }) = window.to_volume(window.shape.index(n), shape) else { continue };
        let voxel = &mut labels.data_mut()[[k, j, i]];
        if let Some(to) = change(n, *voxel) {
            *voxel = to;
            n_changed += 1;
        }
    }
    n_changed
}

/// Takes the label off the listed components of a window. They become what the card says where they touch it, else background: an
/// organ gets no islands.
fn drop_listed(labels: &mut LabelMap, label: &Label, (window, found): (&Window, &Components), dropped: &[bool]) {
    let component = found.labels.values();
    let mut touches = vec![label.dropped_becomes == 0; dropped.len()];
    if label.dropped_becomes != 0 {
        let shape = labels.shape();
        for (n, at) in component.iter().enumerate().filter(|(_, component)| dropped[**component as usize]) {
            let Some(here) = window.to_volume(window.shape.index(n), shape) else { continue };
            touches[*at as usize] |= touches_label(labels, here, label.dropped_becomes);
        }
    }
    change_where(labels, window, |n, voxel| {
        let of = component[n] as usize;
        (voxel == label.index && dropped[of]).then_some(if touches[of] { label.dropped_becomes } else { 0 })
    });
}

/// Whether one of a voxel's 26 neighbours has a label.
fn touches_label(labels: &LabelMap, at: Index3, wanted: u16) -> bool {
    let shape = labels.shape();
    let range = |at: usize, n: usize| at.saturating_sub(1)..(at + 2).min(n);
    range(at.k, shape.nk)
        .any(|k| range(at.j, shape.nj).any(|j| range(at.i, shape.ni).any(|i| *labels.at(Index3 { i, j, k }) == wanted)))
}

/// Drops components of a label that are small or not the largest. Components are those of the label and of what is linked to it
/// together, their size is that of the label in them; only the label is dropped. Returns whether any was.
fn drop_components(labels: &mut LabelMap, label: &Label, linked: &BTreeSet<u16>, notes: &mut Vec<Note>) -> bool {
    let mut together = linked.clone();
    together.insert(label.index);
    let Some((window, mask)) = surroundings(labels, &together) else { return false };
    let found = components(&mask, Connectivity::Corners);
    let component = found.labels.values();
    let mut n_voxels = vec![0_usize; found.list.len() + 1];
    for (n, of) in component.iter().enumerate().filter(|(_, of)| **of > 0) {
        let at = window.to_volume(window.shape.index(n), labels.shape());
        n_voxels[*of as usize] += usize::from(at.is_some_and(|at| *labels.at(at) == label.index));
    }
    let most = n_voxels.iter().copied().max().unwrap_or_default();
    let largest = n_voxels.iter().position(|n| *n == most);
    let voxel_mm3 = labels.grid().voxel_volume_mm3();
    let is_dropped = |(of, n): (usize, &usize)| {
        let beaten = label.keep_largest && Some(of) != largest;
        *n > 0 && (beaten || label.min_volume_mm3.is_some_and(|least| (*n as f64 * voxel_mm3) < least))
    };
    let dropped: Vec<bool> = n_voxels.iter().enumerate().map(is_dropped).collect();
    let n_dropped = dropped.iter().filter(|d| **d).count();
    if n_dropped == 0 {
        return false;
    }
    let gone: usize = n_voxels.iter().zip(&dropped).filter(|(_, dropped)| **dropped).map(|(n, _)| n).sum();
    let part = gone as f64 / n_voxels.iter().sum::<usize>() as f64;
    let of_all = n_voxels.iter().filter(|n| **n > 0).count();
    drop_listed(labels, label, (&window, &found), &dropped);
    let message = format!(
        "{n_dropped} of {of_all} components ({:.1} mm³, {:.1} % of the label) dropped as the card asks",
        gone as f64 * voxel_mm3,
        100.0 * part
    );
    notes.push(if label.keep_largest && part > MUCH {
        let message = format!("{message}: see whether they belong to it");
        Note::warning("components_dropped", &label.name, message)
    } else {
        Note::info("components_dropped", &label.name, message)
    });
    true
}

fn fill_holes(labels: &mut LabelMap, label: &Label, notes: &mut Vec<Note>) {
    let Some((window, mask)) = surroundings(labels, &BTreeSet::from([label.index])) else { return };
    let filled = morphology::fill_holes(&mask);
    let n_filled = change_where(labels, &window, |n, voxel| (voxel == 0 && filled.values()[n]).then_some(label.index));
    if n_filled > 0 {
        let message = format!("{n_filled} enclosed background voxels filled as the card asks");
        notes.push(Note::info("holes_filled", &label.name, message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use imaging::{Affine, FrameId, Grid, Severity};
    use nalgebra::{Matrix3, Vector3};

    fn card() -> Card {
        Card::parse(include_str!("../../../test_data/models/shifted-0.1.0/card.toml")).unwrap()
    }

    /// One slice from rows of digits, voxels of 2 mm³.
    fn map(rows: &[&str]) -> LabelMap {
        let shape = Shape { ni: rows[0].len(), nj: rows.len(), nk: 1 };
        let linear = Matrix3::from_diagonal(&Vector3::new(1.0, 1.0, 2.0));
        let grid = Grid::new(shape, Affine::from_parts(linear, Vector3::zeros()), FrameId::new("f")).unwrap();
        LabelMap::from_fn(grid, |at| u16::from(rows[at.j].as_bytes()[at.i] - b'0'))
    }

    #[test]
    fn only_the_largest_component_stays_and_corners_hold_together() {
        let mut card = card();
        card.labels[1].keep_largest = true;
        let mut notes = Vec::new();
        let mut labels = map(&["1100001", "0010000", "0000110"]);
        clean_up(&mut labels, &card, &mut notes);
        assert_eq!(labels, map(&["1100000", "0010000", "0000000"]));
        assert_eq!(notes.len(), 1);
        assert!(
            notes[0].message.starts_with("2 of 3 components (6.0 mm³, 50.0 % of the label)"),
            "{}",
            notes[0].message
        );
        assert_eq!(notes[0].severity, Severity::Warning, "half of the organ is gone");
        let mut equal = map(&["1100110"]);
        clean_up(&mut equal, &card, &mut notes);
        assert_eq!(equal, map(&["1100000"]));
    }

    #[test]
    fn small_components_become_the_label_named_for_them() {
        let mut card = card();
        card.labels[2].min_volume_mm3 = Some(4.0);
        card.labels[2].dropped_becomes = 1;
        let mut notes = Vec::new();
        let mut labels = map(&["1211220", "1111110"]);
        clean_up(&mut labels, &card, &mut notes);
        assert_eq!(labels, map(&["1111220", "1111110"]));
        clean_up(&mut labels, &card, &mut Vec::new());
        assert_eq!(labels, map(&["1111220", "1111110"]));
    }

    #[test]
    fn a_finding_far_from_its_organ_is_dropped_and_a_thick_one_at_it_stays_whole() {
        let mut card = card();
        card.labels[2].only_near = Some(OnlyNear { labels: vec![1], within_mm: 2.0 });
        let mut notes = Vec::new();
        // The map's voxels are 1 mm apart along a row: the first finding begins 1 mm from label 1 and ends 5 mm from it.
        let mut labels = map(&["11222220002"]);
        clean_up(&mut labels, &card, &mut notes);
        assert_eq!(labels, map(&["11222220000"]));
        assert!(notes[0].message.starts_with("1 of 2 findings farther than 2 mm"), "{}", notes[0].message);
        assert!(notes[0].severity == Severity::Warning && notes[0].message.ends_with("a lesion elsewhere"));
        let mut at_the_limit = map(&["1102200022"]);
        clean_up(&mut at_the_limit, &card, &mut notes);
        assert_eq!(at_the_limit, map(&["1102200000"]));
        let mut alone = map(&["0022000"]);
        clean_up(&mut alone, &card, &mut notes);
        assert_eq!(alone, map(&["0000000"]));
    }

    /// Only what lies round a finding is looked at: the same as with the distance from every voxel to every other.
    #[test]
    fn findings_are_as_far_as_their_nearest_voxel_is_on_any_grid() {
        let linear = Matrix3::from_diagonal(&Vector3::new(0.7, 1.3, 4.0));
        let shape = Shape { ni: 23, nj: 17, nk: 7 };
        let grid = Grid::new(shape, Affine::from_parts(linear, Vector3::zeros()), FrameId::new("f")).unwrap();
        for (seed, within_mm) in (0_usize..12).flat_map(|seed| [0.7, 4.0, 5.5, 300.0].map(|mm| (seed, mm))) {
            let label = |n: usize| match (n + 977 * seed).wrapping_mul(2_654_435_761) >> 7 & 0x1ff {
                0..=3 => 1,
                4..=15 => 2,
                _ => 0,
            };
            let before = LabelMap::from_fn(grid.clone(), |at| if seed == 0 { 2 } else { label(shape.linear(at)) });
            let organ: Vec<Index3> = before.label_mask(1).indices_set().collect();
            let found = components(&before.label_mask(2), Connectivity::Corners);
            let mm = |a: Index3, b: Index3| grid.center(a).distance(grid.center(b));
            let is_near = |of: u32| {
                found
                    .mask(of)
                    .indices_set()
                    .any(|a| organ.iter().any(|b| mm(a, *b) <= within_mm + DISTANCE_TOLERANCE_MM))
            };
            let kept: Vec<bool> = (0..=found.list.len() as u32).map(|of| of > 0 && is_near(of)).collect();
            let mut card = card();
            card.labels[2].only_near = Some(OnlyNear { labels: vec![1], within_mm });
            let mut labels = before.clone();
            clean_up(&mut labels, &card, &mut Vec::new());
            let wanted = LabelMap::from_fn(grid.clone(), |at| match *before.at(at) {
                2 if !kept[*found.labels.at(at) as usize] => 0,
                label => label,
            });
            assert!(labels == wanted, "seed {seed}, {within_mm} mm");
        }
    }

    /// Label 1 hangs on label 2, which comes later: what was near a finding that is gone is near nothing.
    #[test]
    fn what_hangs_on_a_finding_that_is_dropped_goes_with_it() {
        let mut card = card();
        card.labels[1].only_near = Some(OnlyNear { labels: vec![2], within_mm: 1.0 });
        card.labels[2].only_near = Some(OnlyNear { labels: vec![3], within_mm: 1.0 });
        let mut third = card.labels[2].clone();
        (third.index, third.name, third.only_near) = (3, "third".to_owned(), None);
        card.labels.push(third);
        let mut labels = map(&["3212000021001"]);
        clean_up(&mut labels, &card, &mut Vec::new());
        assert_eq!(labels, map(&["3210000000000"]));
    }

    /// On axes that are not perpendicular no distance is known: nothing is dropped for one, and that is said.
    #[test]
    fn on_sheared_axes_no_finding_counts_as_far() {
        let mut card = card();
        card.labels[2].only_near = Some(OnlyNear { labels: vec![1], within_mm: 2.0 });
        let flat = map(&["11222220002"]);
        let linear = Matrix3::new(1.0, 0.2, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 2.0);
        let grid = Grid::new(flat.shape(), Affine::from_parts(linear, Vector3::zeros()), FrameId::new("f")).unwrap();
        let before = flat.with_grid(grid).unwrap();
        let (mut labels, mut notes) = (before.clone(), Vec::new());
        clean_up(&mut labels, &card, &mut notes);
        assert_eq!(labels, before);
        assert_eq!((notes.len(), notes[0].code.as_str()), (1, "far_findings_kept"));
        assert!(notes[0].message.contains("resample"), "{}", notes[0].message);
    }

    /// A tumour (label 2) across the liver: what lies behind it stays, and so does a finding in there; an island goes, and with it
    /// what lay at it.
    #[test]
    fn an_organ_cut_through_by_a_finding_keeps_both_sides() {
        let mut card = card();
        card.labels[1].keep_largest = true;
        card.labels[2].only_near = Some(OnlyNear { labels: vec![1], within_mm: 1.0 });
        let mut notes = Vec::new();
        let mut labels = map(&["11112211120011012", "11112211110011000"]);
        clean_up(&mut labels, &card, &mut notes);
        assert_eq!(labels, map(&["11112211120000000", "11112211110000000"]));
        assert!(notes[0].message.starts_with("2 of 3 components (10.0 mm³"), "{}", notes[0].message);
        assert!(notes[1].message.starts_with("1 of 3 findings"), "{}", notes[1].message);
        // The same without a rule that links the two: a lesion of the organ by its role.
        card.labels[2].only_near = None;
        let mut labels = map(&["1111221112", "1111221111"]);
        let before = labels.clone();
        clean_up(&mut labels, &card, &mut Vec::new());
        assert_eq!(labels, before);
    }

    /// Dropped specks become the organ only where they touch it: of an organ with one component no islands come.
    #[test]
    fn dropped_specks_far_from_an_organ_are_no_islands_of_it() {
        let mut card = card();
        card.labels[1].keep_largest = true;
        card.labels[2].min_volume_mm3 = Some(5.0);
        card.labels[2].dropped_becomes = 1;
        let mut labels = map(&["1121100220", "1111100000"]);
        clean_up(&mut labels, &card, &mut Vec::new());
        assert_eq!(labels, map(&["1111100000", "1111100000"]));
        card.labels[1].keep_largest = false;
        let mut labels = map(&["1121100220", "1111100000"]);
        clean_up(&mut labels, &card, &mut Vec::new());
        assert_eq!(labels, map(&["1111100000", "1111100000"]));
    }

    #[test]
    fn enclosed_background_is_filled_and_other_labels_stay() {
        let mut card = card();
        card.labels[1].fill_holes = true;
        let mut labels = map(&["11111000", "10121010", "11111000"]);
        // A slice alone is open above and below: three slices close it.
        let mut notes = Vec::new();
        clean_up(&mut labels, &card, &mut notes);
        assert_eq!(labels, map(&["11111000", "10121010", "11111000"]));
        let shape = Shape { ni: 8, nj: 3, nk: 3 };
        let grid = Grid::new(shape, *labels.grid().voxel_to_patient(), FrameId::new("f")).unwrap();
        let middle = map(&["11111000", "10121010", "11111000"]);
        let mut closed =
            LabelMap::from_fn(
                grid,
                |at| {
                    if at.k == 1 { *middle.at(Index3 { k: 0, ..at }) } else { u16::from(at.i < 5) }
                },
            );
        clean_up(&mut closed, &card, &mut notes);
        let row: Vec<u16> = (0..8).map(|i| *closed.at(Index3 { i, j: 1, k: 1 })).collect();
        assert_eq!(row, [1, 1, 1, 2, 1, 0, 1, 0]);
        assert!(notes.iter().any(|n| n.code == "holes_filled" && n.message.starts_with("1 enclosed")));
    }
}
