//! Findings counted one by one where they touch: each voxel of a label belongs to the core it is nearest to within the label.
//!
//! A core is what an erosion by half the neck's width leaves in one piece (Serra 1982); voxels outside the cores go to the core with
//! the shortest way through the label, voxel by voxel over faces, edges and corners (Dijkstra 1959).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use imaging::{Connectivity, Index3, LabelMap, Mask, Mm, Window, components, morphology};

use crate::card::Card;

/// A number from 1 for each finding of the labels whose card asks for splitting, in ascending order of label and first voxel;
/// `None` when no label does.
pub(crate) fn findings(labels: &LabelMap, card: &Card) -> Option<LabelMap> {
    let asked: Vec<(u16, f64)> =
        card.labels.iter().filter_map(|label| Some((label.index, label.split_at_necks_mm?))).collect();
    if asked.is_empty() {
        return None;
    }
    let mut numbers = LabelMap::filled(labels.grid().clone(), 0);
    let mut next = 1_u16;
    for (label, neck_mm) in asked {
        let found = components(&labels.label_mask(label), Connectivity::Corners);
        for component in &found.list {
            let mask = found.mask(component.label);
            let Some(window) = Window::around(&mask, [1; 3]).and_then(|w| w.within(labels.shape())) else { continue };
            let Ok(piece) = window.cut(&mask, false) else { continue };
            let (parts, n_parts) = parts(&piece, neck_mm);
            for (n, part) in parts.iter().enumerate().filter(|(_, part)| **part > 0) {
                if let Some(Index3 { i, j, k }) = window.to_volume(window.shape.index(n), labels.shape()) {
                    numbers.data_mut()[[k, j, i]] = next.saturating_add(*part - 1);
                }
            }
            next = next.saturating_add(n_parts);
        }
    }
    Some(numbers)
}

/// For every voxel of a connected piece the part it belongs to, from 1 (0 outside), and how many there are.
fn parts(piece: &Mask, neck_mm: f64) -> (Vec<u16>, u16) {
    let whole = || (piece.values().iter().map(|v| u16::from(*v)).collect(), 1);
    let Ok(core) = morphology::erode(piece, Mm(neck_mm / 2.0)) else { return whole() };
    let cores = components(&core, Connectivity::Corners);
    let Ok(n_parts) = u16::try_from(cores.list.len()) else { return whole() };
    if n_parts <= 1 {
        return whole();
    }
    let mut part: Vec<u16> = cores.labels.values().iter().map(|v| *v as u16).collect();
    // Distances in whole micrometres, so that their order is exact.
    let mut heap: BinaryHeap<Reverse<(u64, u16, usize)>> =
        part.iter().enumerate().filter(|(_, p)| **p > 0).map(|(n, p)| Reverse((0, *p, n))).collect();
    let mut settled = vec![false; part.len()];
    let (shape, steps) = (piece.shape(), steps(piece));
    while let Some(Reverse((distance, of, n))) = heap.pop() {
        if std::mem::replace(&mut settled[n], true) {
            continue;
        }
        part[n] = of;
        let at = shape.index(n);
        for (step, length) in &steps {
            let to = [at.i as i64 + step[0], at.j as i64 + step[1], at.k as i64 + step[2]];
            let inside = to.iter().zip([shape.ni, shape.nj, shape.nk]).all(|(v, n)| *v >= 0 && (*v as usize) < n);
            if !inside {
                continue;
            }
            let neighbour = shape.linear(Index3 { i: to[0] as usize, j: to[1] as usize, k: to[2] as usize });
            if piece.values()[neighbour] && !settled[neighbour] {
                heap.push(Reverse((distance + length, of, neighbour)));
            }
        }
    }
    (part, n_parts)
}

/// The 26 neighbours and how far they are, micrometres.
fn steps(piece: &Mask) -> Vec<([i64; 3], u64)> {
    let mm = piece.grid().spacing_mm();
    let mut steps = Vec::with_capacity(26);
    for dk in -1_i64..=1 {
        for dj in -1_i64..=1 {
            for di in -1_i64..=1 {
                let step = [di, dj, dk];
                if step != [0; 3] {
                    let length = (0..3).map(|a| (step[a] as f64 * mm[a]).powi(2)).sum::<f64>().sqrt();
                    steps.push((step, (length * 1000.0).round() as u64));
                }
            }
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use imaging::{FrameId, Grid, Point, Shape};

    fn card() -> Card {
        let mut card = Card::parse(include_str!("../../../test_data/models/bright-0.1.0/card.toml")).unwrap();
        card.labels[2].split_at_necks_mm = Some(4.0);
        card
    }

    /// Two balls of 6 and 4 mm, 11.2 mm apart, joined by a bridge, on an oblique and anisotropic grid; and one ball by itself.
    #[test]
    fn two_balls_that_touch_are_two_and_a_ball_is_one() {
        let tilt = *nalgebra::Rotation3::from_euler_angles(0.3, -0.2, 0.5).matrix();
        let shape = Shape { ni: 60, nj: 44, nk: 24 };
        let grid =
            Grid::from_directions(shape, Point::new(5.0, 6.0, 7.0), [0.7, 0.8, 1.5], tilt, FrameId::new("f")).unwrap();
        let first = grid.center(Index3 { i: 16, j: 20, k: 12 });
        let second = grid.center(Index3 { i: 32, j: 20, k: 12 });
        let third = grid.center(Index3 { i: 50, j: 20, k: 12 });
        let labels = LabelMap::from_fn(grid.clone(), |at| {
            let p = grid.center(at);
            let bridge = at.j == 20 && at.k == 12 && (16..32).contains(&at.i);
            let inside = p.distance(first) < 6.0 || p.distance(second) < 4.0 || p.distance(third) < 4.0 || bridge;
            if inside { 2 } else { 1 }
        });
        let found = findings(&labels, &card()).unwrap();
        assert_eq!(found.labels_present().len(), 3);
        let number = |p| *found.at(grid.nearest(p).unwrap());
        let (a, b, c) = (number(first), number(second), number(third));
        assert!(a != b && b != c && a != c);
        for (n, value) in found.values().iter().enumerate() {
            let p = grid.center(shape.index(n));
            assert_eq!(*value == 0, labels.values()[n] != 2);
            if p.distance(first) < 3.0 {
                assert_eq!(*value, a);
            }
            if p.distance(second) < 3.0 {
                assert_eq!(*value, b);
            }
        }
        let mut unasked = card();
        unasked.labels[2].split_at_necks_mm = None;
        assert_eq!(findings(&labels, &unasked), None);
    }
}
