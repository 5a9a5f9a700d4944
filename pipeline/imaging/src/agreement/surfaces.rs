//! How far two surfaces are apart, each piece of surface weighted by its area.
//!
//! Source: S. Nikolov et al., "Clinically applicable segmentation of head and neck anatomy for radiotherapy", J Med Internet Res 23
//! (2021), and their program surface-distance 0.1, whose definitions are followed to the surface element: pieces lie at the corners
//! of voxels, their areas are those of marching cubes at the given spacing, distances run from corner to corner.

use crate::distance::{DistanceError, squared_distance_to};
use crate::grid::{Index3, Shape};
use crate::mask::Mask;
use crate::units::{Mm, Mm2};
use crate::window::Window;

/// Triangles by code, with their origin and licence.
const ELEMENTS: &str = include_str!("surface_elements.txt");

/// All eight voxels round a corner are set.
const INSIDE: u8 = 255;

/// One piece of surface: how far it is from the other surface, and how large it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Element {
    /// Distance to the other surface, mm; infinite when there is none.
    pub distance_mm: f64,
    /// Area, mm².
    pub area_mm2: f64,
}

/// The pieces of two surfaces, by ascending distance from the other one.
#[derive(Debug, Clone, PartialEq)]
pub struct SurfaceDistances {
    /// Those of the reference.
    pub of_reference: Vec<Element>,
    /// Those of the candidate.
    pub of_candidate: Vec<Element>,
}

impl SurfaceDistances {
    /// Compares the surfaces of two masks on one grid; the world beyond the grid is outside. Errors: axes that are not
    /// perpendicular.
    pub fn between(reference: &Mask, candidate: &Mask) -> Result<Self, DistanceError> {
        let either = either(reference, candidate);
        let Some(window) = Window::around(&either, [0; 3]) else {
            return Ok(Self { of_reference: Vec::new(), of_candidate: Vec::new() });
        };
        let Shape { ni, nj, nk } = window.shape;
        let corners = Window { low: window.low, shape: Shape { ni: ni + 1, nj: nj + 1, nk: nk + 1 } };
        let areas = areas_mm2(reference.grid().spacing_mm());
        let (codes_a, codes_b) = (codes(reference, &corners), codes(candidate, &corners));
        let (to_a, to_b) = (squared_to(&codes_a, reference, &corners)?, squared_to(&codes_b, reference, &corners)?);
        Ok(Self { of_reference: elements(&codes_a, &to_b, &areas), of_candidate: elements(&codes_b, &to_a, &areas) })
    }

    /// The part of both surfaces that lies within a distance of the other one, between 0 and 1; `None` without any surface.
    #[must_use]
    pub fn surface_dice(&self, tolerance: Mm) -> Option<f64> {
        let within = |elements: &[Element]| -> f64 {
            elements.iter().filter(|e| e.distance_mm <= tolerance.0).map(|e| e.area_mm2).sum()
        };
        let all = self.area_of_reference().0 + self.area_of_candidate().0;
        (all > 0.0).then(|| (within(&self.of_reference) + within(&self.of_candidate)) / all)
    }

    /// The distance that this percentage of each surface's area does not exceed, of the two the larger one; 100 is the
    /// Hausdorff distance, 95 the usual HD95. `None` where a surface is missing.
    #[must_use]
    pub fn hausdorff(&self, percent: f64) -> Option<Mm> {
        let a = quantile(&self.of_reference, percent / 100.0)?;
        let b = quantile(&self.of_candidate, percent / 100.0)?;
        let larger = a.max(b);
        larger.is_finite().then_some(Mm(larger))
    }

    /// Mean distance of the two surfaces from each other, weighted by area, reference then candidate; `None` where one is missing.
    #[must_use]
    pub fn mean(&self) -> Option<[Mm; 2]> {
        let mean = |elements: &[Element], area: Mm2| {
            let sum: f64 = elements.iter().map(|e| e.distance_mm * e.area_mm2).sum();
            (area.0 > 0.0 && sum.is_finite()).then(|| Mm(sum / area.0))
        };
        let a = mean(&self.of_reference, self.area_of_reference())?;
        let b = mean(&self.of_candidate, self.area_of_candidate())?;
        Some([a, b])
    }

    /// Area of the reference's surface.
    #[must_use]
    pub fn area_of_reference(&self) -> Mm2 {
        Mm2(self.of_reference.iter().map(|e| e.area_mm2).sum())
    }
    /// Area of the candidate's surface.
    #[must_use]
    pub fn area_of_candidate(&self) -> Mm2 {
        Mm2(self.of_candidate.iter().map(|e| e.area_mm2).sum())
    }
}

fn either(a: &Mask, b: &Mask) -> Mask {
    let mut either = a.clone();
    either.values_mut().iter_mut().zip(b.values()).for_each(|(to, other)| *to |= *other);
    either
}

/// The first distance at which the elements up to it make up the share of the area.
fn quantile(elements: &[Element], share: f64) -> Option<f64> {
    let all: f64 = elements.iter().map(|e| e.area_mm2).sum();
    let mut sum = 0.0;
    let reached = elements.iter().find(|e| {
        sum += e.area_mm2;
        sum / all >= share
    });
    reached.or(elements.last()).map(|e| e.distance_mm)
}

/// For every corner of the window's voxels which of the eight voxels round it are set: the one before it along all axes is bit 7,
/// the next along k bit 6, along j bit 5, along i bit 3.
fn codes(mask: &Mask, corners: &Window) -> Vec<u8> {
    let n = corners.shape.n_voxels();
    let set = |at: [i64; 3]| {
        let index = |axis: usize, n: usize| usize::try_from(at[axis]).ok().filter(|v| *v < n);
        let Shape { ni, nj, nk } = mask.shape();
        match (index(0, ni), index(1, nj), index(2, nk)) {
            (Some(i), Some(j), Some(k)) => *mask.at(Index3 { i, j, k }),
            _ => false,
        }
    };
    let code = |at: Index3| {
        let first =
            [corners.low[0] + at.i as i64 - 1, corners.low[1] + at.j as i64 - 1, corners.low[2] + at.k as i64 - 1];
        (0..8_u8).fold(0, |code, bit| {
            let step = |axis: u8| i64::from(bit >> axis & 1);
            let voxel = [first[0] + step(2), first[1] + step(1), first[2] + step(0)];
            code | (u8::from(set(voxel)) << (7 - bit))
        })
    };
    (0..n).map(|linear| code(corners.shape.index(linear))).collect()
}

fn squared_to(codes: &[u8], on: &Mask, corners: &Window) -> Result<Vec<f64>, DistanceError> {
    let border: Vec<bool> = codes.iter().map(|code| *code != 0 && *code != INSIDE).collect();
    let grid = corners.grid(on.grid()).expect("a part of a grid, one voxel larger, is a grid");
    let border = Mask::from_values(border, grid).expect("there is one code for each corner of the window");
    Ok(squared_distance_to(&border)?.values().to_vec())
}

fn elements(codes: &[u8], squared_to_other: &[f64], areas: &[f64]) -> Vec<Element> {
    let on_border = codes.iter().zip(squared_to_other).filter(|(code, _)| **code != 0 && **code != INSIDE);
    let mut found: Vec<Element> = on_border
        .map(|(code, squared)| Element { distance_mm: squared.sqrt(), area_mm2: areas[usize::from(*code)] })
        .collect();
    found.sort_by(|a, b| a.distance_mm.total_cmp(&b.distance_mm).then(a.area_mm2.total_cmp(&b.area_mm2)));
    found
}

/// Area of the surface round a corner, by its code.
fn areas_mm2([si, sj, sk]: [f64; 3]) -> Vec<f64> {
    let triangle = |text: &str| {
        let normal: Vec<f64> = text.split_whitespace().filter_map(|v| v.parse::<f64>().ok()).map(|v| v / 8.0).collect();
        let face = [sj * sk, si * sk, si * sj];
        normal.iter().zip(face).map(|(v, mm2)| (v * mm2).powi(2)).sum::<f64>().sqrt()
    };
    ELEMENTS.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(';').map(triangle).sum()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FrameId, Grid, Point};

    const SPACING: [f64; 3] = [0.7, 0.9, 2.5];

    fn balls(of: &[([f64; 3], f64)]) -> Mask {
        let tilt = *nalgebra::Rotation3::from_euler_angles(0.2, -0.1, 0.4).matrix();
        let shape = Shape { ni: 30, nj: 26, nk: 14 };
        let grid = Grid::from_directions(shape, Point::new(9.0, -4.0, 30.0), SPACING, tilt, FrameId::new("f")).unwrap();
        Mask::from_fn(grid, |at| {
            let squared = |c: [f64; 3]| {
                let d = [at.i as f64 - c[0], at.j as f64 - c[1], at.k as f64 - c[2]];
                (0..3).map(|a| (d[a] * SPACING[a]).powi(2)).sum::<f64>()
            };
            of.iter().any(|(centre, radius)| squared(*centre) < radius * radius)
        })
    }

    #[test]
    fn there_is_a_surface_for_each_of_256_codes() {
        let areas = areas_mm2([1.0; 3]);
        assert_eq!(areas.len(), 256);
        assert_eq!((areas[0], areas[255]), (0.0, 0.0));
        // One voxel of eight: a triangle between the middles of three edges.
        assert!((areas[1] - 3.0_f64.sqrt() / 8.0).abs() < 1e-12);
        // Four voxels of one side: a square.
        assert!((areas[15] - 1.0).abs() < 1e-12);
    }

    const ORACLE_AREAS: [f64; 2] = [656.560_055_502_098_2, 694.884_715_301_121_4];
    const ORACLE_DICE: [(f64, f64); 4] = [
        (0.5, 0.568_007_070_783_056_5),
        (1.0, 0.723_514_330_090_162_3),
        (2.0, 0.836_547_616_284_187_6),
        (3.0, 0.838_167_676_578_230_1),
    ];
    const ORACLE_HAUSDORFF: [(f64, f64); 3] =
        [(50.0, 0.0), (95.0, 12.939_088_066_784_302), (100.0, 15.374_654_467_662_028)];
    const ORACLE_MEAN: [f64; 2] = [2.065_749_189_081_553_4, 1.902_930_930_237_322];

    #[test]
    fn two_pairs_of_balls_as_in_surface_distance() {
        let a = balls(&[([10.0, 9.0, 5.0], 6.0), ([24.0, 20.0, 9.0], 3.0)]);
        let b = balls(&[([11.0, 10.0, 5.0], 6.5), ([4.0, 22.0, 12.0], 2.6)]);
        let got = SurfaceDistances::between(&a, &b).unwrap();
        // surface-distance 0.1 (numpy 2.4.6, scipy 1.17.1), masks and spacing in the order i, j, k.
        let close = |got: f64, wanted: f64| assert!((got - wanted).abs() < 1e-9, "{got} is {wanted}");
        close(got.area_of_reference().0, ORACLE_AREAS[0]);
        close(got.area_of_candidate().0, ORACLE_AREAS[1]);
        for (tolerance, dice) in ORACLE_DICE {
            close(got.surface_dice(Mm(tolerance)).unwrap(), dice);
        }
        for (percent, mm) in ORACLE_HAUSDORFF {
            close(got.hausdorff(percent).unwrap().0, mm);
        }
        let [of_reference, of_candidate] = got.mean().unwrap();
        close(of_reference.0, ORACLE_MEAN[0]);
        close(of_candidate.0, ORACLE_MEAN[1]);
    }

    #[test]
    fn a_missing_surface_has_no_distance_but_does_not_agree() {
        let (ball, nothing) = (balls(&[([10.0, 9.0, 5.0], 6.0)]), balls(&[]));
        let one = SurfaceDistances::between(&ball, &nothing).unwrap();
        assert_eq!((one.surface_dice(Mm(3.0)), one.hausdorff(95.0), one.mean()), (Some(0.0), None, None));
        let none = SurfaceDistances::between(&nothing, &nothing).unwrap();
        assert_eq!((none.surface_dice(Mm(3.0)), none.hausdorff(95.0)), (None, None));
        let same = SurfaceDistances::between(&ball, &ball).unwrap();
        assert_eq!((same.surface_dice(Mm(0.0)), same.hausdorff(100.0)), (Some(1.0), Some(Mm(0.0))));
    }
}
