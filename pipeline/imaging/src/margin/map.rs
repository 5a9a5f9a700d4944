//! The margin by direction: the surface of the tumour as seen from its centre, in cells, with the smallest margin in each.
//!
//! Directions are those of the patient (LPS): the angle from the head's pole in rings, the angle round the body's axis from the
//! patient's left over the back in sectors. A tumour that is not star-shaped has several points in one direction; the smallest
//! margin stands for all of them.

use std::f64::consts::{PI, TAU};

use crate::space::{Patient, Point, Vector};
use crate::surface::{Triangle, triangle_area_mm2, triangle_centroid};
use crate::units::Mm;

use super::distribution::Sample;

/// Rings of each half, 15° each.
pub const N_RINGS: usize = 6;
/// Sectors of each ring, 15° each.
pub const N_SECTORS: usize = 24;
/// A cell without a point of its own takes the nearest one within this angle: small tumours have fewer triangles than there are
/// cells. Wider than the diagonal of a cell (21°) would carry margins into what is left out at the capsule.
const REACH_DEGREES: f64 = 18.0;

/// The smallest margin in every direction from the tumour's centre.
#[derive(Debug, Clone, PartialEq)]
pub struct MarginMap {
    /// Per cell: half by half (head, feet), ring by ring from the pole, sector by sector; `2 × N_RINGS × N_SECTORS` of them.
    /// `None` where no point of the surface counts in this direction.
    pub smallest: Vec<Option<Mm>>,
    /// Unit vector from the centre to the point with the smallest margin of all, LPS.
    pub thinnest: [f64; 3],
}

impl MarginMap {
    /// From the points that count, in the order of their margins (mm, weight); `None` without a point.
    pub(crate) fn new(center: Point<Patient>, samples: &[Sample], margins: &[(f64, f64)]) -> Option<Self> {
        let directed: Vec<(Vector<Patient>, f64)> = samples
            .iter()
            .zip(margins)
            .filter_map(|(sample, (margin, _))| Some((unit(sample.at - center)?, *margin)))
            .collect();
        let thinnest = directed.iter().min_by(|a, b| a.1.total_cmp(&b.1))?.0.to_array();
        let mut smallest: Vec<Option<f64>> = vec![None; 2 * N_RINGS * N_SECTORS];
        for (direction, margin) in &directed {
            let cell = &mut smallest[cell_of(*direction)];
            *cell = Some(cell.map_or(*margin, |before| before.min(*margin)));
        }
        let own = smallest.clone();
        for (index, cell) in smallest.iter_mut().enumerate().filter(|(index, _)| own[*index].is_none()) {
            *cell = nearest(middle_of(index), &directed);
        }
        Some(Self { smallest: smallest.into_iter().map(|margin| margin.map(Mm)).collect(), thinnest })
    }
}

/// Centre of a closed surface, weighted by area; `None` without area.
pub(crate) fn surface_center(triangles: &[Triangle]) -> Option<Point<Patient>> {
    let (mut sum, mut total) = ([0.0; 3], 0.0);
    for triangle in triangles {
        let area = triangle_area_mm2(triangle);
        let at = triangle_centroid(triangle).to_array();
        for axis in 0..3 {
            sum[axis] += area * at[axis];
        }
        total += area;
    }
    let [x, y, z] = sum.map(|s| s / total);
    (total > 0.0).then(|| Point::new(x, y, z))
}

fn unit(v: Vector<Patient>) -> Option<Vector<Patient>> {
    let norm = v.norm();
    (norm > 0.0).then(|| v * (1.0 / norm))
}

fn cell_of(direction: Vector<Patient>) -> usize {
    let [left, back, head] = direction.to_array();
    let half = usize::from(head < 0.0);
    let from_pole = left.hypot(back).atan2(head.abs());
    let ring = ((from_pole / (PI / 2.0) * N_RINGS as f64) as usize).min(N_RINGS - 1);
    let around = back.atan2(left).rem_euclid(TAU);
    let sector = ((around / TAU * N_SECTORS as f64) as usize).min(N_SECTORS - 1);
    (half * N_RINGS + ring) * N_SECTORS + sector
}

fn middle_of(cell: usize) -> Vector<Patient> {
    let (row, sector) = (cell / N_SECTORS, cell % N_SECTORS);
    let (half, ring) = (row / N_RINGS, row % N_RINGS);
    let from_pole = (ring as f64 + 0.5) / N_RINGS as f64 * PI / 2.0;
    let around = (sector as f64 + 0.5) / N_SECTORS as f64 * TAU;
    let head = if half == 0 { from_pole.cos() } else { -from_pole.cos() };
    Vector::new(from_pole.sin() * around.cos(), from_pole.sin() * around.sin(), head)
}

fn nearest(direction: Vector<Patient>, directed: &[(Vector<Patient>, f64)]) -> Option<f64> {
    let closest = directed.iter().map(|(d, margin)| (d.dot(direction), *margin)).max_by(|a, b| a.0.total_cmp(&b.0))?;
    (closest.0 >= REACH_DEGREES.to_radians().cos()).then_some(closest.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_holds_its_own_middle() {
        for cell in 0..2 * N_RINGS * N_SECTORS {
            assert_eq!(cell_of(middle_of(cell)), cell);
        }
    }

    #[test]
    fn the_first_sector_begins_at_the_left_and_turns_to_the_back() {
        // Nearly level, a little towards the head: the outermost ring of the upper half.
        let outer = (N_RINGS - 1) * N_SECTORS;
        assert_eq!(cell_of(Vector::new(1.0, 0.1, 0.01)), outer);
        assert_eq!(cell_of(Vector::new(-0.1, 1.0, 0.01)), outer + N_SECTORS / 4);
        assert_eq!(cell_of(Vector::new(1.0, 0.1, -0.01)), N_RINGS * N_SECTORS + outer);
        assert_eq!(cell_of(Vector::new(0.001, 0.001, 1.0)) / N_SECTORS, 0);
    }

    #[test]
    fn directions_without_a_point_near_stay_empty() {
        let samples = [Sample { at: Point::new(0.0, 0.0, 10.0), weight: 1.0 }];
        let map = MarginMap::new(Point::new(0.0, 0.0, 0.0), &samples, &[(3.0, 1.0)]).unwrap();
        assert_eq!(map.thinnest, [0.0, 0.0, 1.0]);
        let filled = map.smallest.iter().filter(|cell| cell.is_some()).count();
        // The ring at the head's pole (middle at 7.5°), not the next one (22.5°).
        assert_eq!(filled, N_SECTORS);
        assert!(map.smallest[..N_SECTORS].iter().all(|cell| *cell == Some(Mm(3.0))));
        assert!(MarginMap::new(Point::new(0.0, 0.0, 0.0), &[], &[]).is_none());
    }
}
