//! How a slice is shown: orientation, grey values and outlines, the same for key images and overlays.

use imaging::{Grid, Index3, Mask, Patient, Point, Volume, contours, intensity};
use oncology::Organ;
use report::PixelToPatient;
use serde::{Deserialize, Serialize};

use crate::stages::load::LoadedSeries;

/// Soft-tissue window for liver, HU. Origin: common reading window, level 60 width 400.
const LIVER_WINDOW: (f32, f32) = (-140.0, 260.0);
/// Lung window, HU. Origin: common reading window, level −500 width 1500.
const LUNG_WINDOW: (f32, f32) = (-1250.0, 250.0);
/// How the columns and rows of a slice are shown: patient's right on the left, front above, head above.
pub(crate) struct Display {
    flip_columns: bool,
    flip_rows: bool,
    /// Letters at the left, right, upper and lower edge.
    pub(crate) letters: [String; 4],
}

/// The letter of the direction a vector mostly points to.
pub(crate) fn letter(direction: [f64; 3]) -> &'static str {
    let axis = (0..3).max_by(|a, b| direction[*a].abs().total_cmp(&direction[*b].abs())).unwrap_or(0);
    match (axis, direction[axis] >= 0.0) {
        (0, true) => "L",
        (0, false) => "R",
        (1, true) => "P",
        (1, false) => "A",
        (_, true) => "H",
        (_, false) => "F",
    }
}

impl Display {
    /// The display of the slices of a grid.
    pub(crate) fn of(grid: &Grid) -> Self {
        let directions = grid.directions();
        let of_axis = |axis: usize| [directions[(0, axis)], directions[(1, axis)], directions[(2, axis)]];
        let flip_columns = matches!(letter(of_axis(0)), "R" | "A" | "F");
        let flip_rows = matches!(letter(of_axis(1)), "A" | "H" | "R");
        let towards = |axis: usize, flip: bool| of_axis(axis).map(|v| if flip { -v } else { v });
        let right = letter(towards(0, flip_columns)).to_owned();
        let bottom = letter(towards(1, flip_rows)).to_owned();
        let left = letter(towards(0, !flip_columns)).to_owned();
        let top = letter(towards(1, !flip_rows)).to_owned();
        Self { flip_columns, flip_rows, letters: [left, right, top, bottom] }
    }
}

/// A rectangle of one slice, in voxels of the series; it may reach beyond the slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cut {
    /// Slice.
    pub(crate) k: usize,
    /// Its first column and row.
    pub(crate) first: [i64; 2],
    /// Columns and rows.
    pub(crate) size: [i64; 2],
}

impl Cut {
    /// Pixel coordinates of a point of the slice.
    pub(crate) fn pixel(&self, grid: &Grid, display: &Display, p: Point<Patient>) -> [f64; 2] {
        let voxel = grid.patient_to_voxel().apply(p).coords;
        let at = |value: f64, axis: usize, flip: bool| {
            let inside = value - self.first[axis] as f64;
            if flip { (self.size[axis] - 1) as f64 - inside } else { inside }
        };
        [at(voxel.x, 0, display.flip_columns), at(voxel.y, 1, display.flip_rows)]
    }

    /// Where its pixels lie in the patient.
    pub(crate) fn pixel_to_patient(&self, grid: &Grid, display: &Display) -> PixelToPatient {
        let lps = |x: f64, y: f64| {
            let at = |shown: f64, axis: usize, flip: bool| {
                self.first[axis] as f64 + if flip { (self.size[axis] - 1) as f64 - shown } else { shown }
            };
            let voxel = Point::new(at(x, 0, display.flip_columns), at(y, 1, display.flip_rows), self.k as f64);
            grid.voxel_to_patient().apply(voxel).to_array()
        };
        let origin = lps(0.0, 0.0);
        let step = |to: [f64; 3]| std::array::from_fn(|axis| to[axis] - origin[axis]);
        PixelToPatient { origin, column: step(lps(1.0, 0.0)), row: step(lps(0.0, 1.0)) }
    }
}

/// Where black and white lie, in the series' unit.
pub(crate) fn grey_window(series: &LoadedSeries, organ: &Organ) -> (f32, f32) {
    if series.unit == "HU" {
        return if *organ == Organ::Lung { LUNG_WINDOW } else { LIVER_WINDOW };
    }
    match intensity::percentiles(series.image.values(), &[1.0, 99.5]) {
        Some(range) if range[1] > range[0] => (range[0] as f32, range[1] as f32),
        _ => (0.0, 1.0),
    }
}

/// Grey values of a cut in display order; beyond the slice the lower end of the window.
pub(crate) fn pixels(volume: &Volume<f32>, cut: &Cut, display: &Display, (low, high): (f32, f32)) -> Vec<u8> {
    let mut pixels = Vec::with_capacity((cut.size[0] * cut.size[1]) as usize);
    for row in 0..cut.size[1] {
        for column in 0..cut.size[0] {
            let at = |x: i64, axis: usize, flip: bool| cut.first[axis] + if flip { cut.size[axis] - 1 - x } else { x };
            let (i, j) = (at(column, 0, display.flip_columns), at(row, 1, display.flip_rows));
            let value = match (usize::try_from(i), usize::try_from(j)) {
                (Ok(i), Ok(j)) => volume.get(Index3 { i, j, k: cut.k }).copied().unwrap_or(low),
                _ => low,
            };
            pixels.push((255.0 * ((value - low) / (high - low)).clamp(0.0, 1.0)).round() as u8);
        }
    }
    pixels
}

/// Outlines of a mask (cut from the series' own grid) in the slice shown, in pixel coordinates.
pub(crate) fn slice_outlines(mask: &Mask, grid: &Grid, cut: &Cut, display: &Display) -> Vec<Vec<[f64; 2]>> {
    let on_slice = grid.center(Index3 { i: 0, j: 0, k: cut.k });
    let k = mask.grid().patient_to_voxel().apply(on_slice).coords.z.round();
    if k < 0.0 || k >= mask.shape().nk as f64 {
        return Vec::new();
    }
    let shown = |points: &[Point<Patient>]| {
        let pixels: Vec<[f64; 2]> = points.iter().map(|p| cut.pixel(grid, display, *p)).collect();
        let inside = |p: &[f64; 2]| (0..2).all(|axis| p[axis] > -0.5 && p[axis] < cut.size[axis] as f64 - 0.5);
        pixels.iter().any(inside).then_some(pixels)
    };
    contours(mask, k as usize).iter().filter_map(|contour| shown(&contour.points)).collect()
}

#[cfg(test)]
mod tests {
    use imaging::{Affine, FrameId, Shape};

    use super::*;

    #[test]
    fn pixels_lie_where_points_are_drawn_on_an_oblique_flipped_slice() {
        let rows = [[-0.7, 0.1, 0.3, 40.0], [0.1, -0.75, 0.4, 12.0], [0.05, 0.1, 4.8, -60.0], [0.0, 0.0, 0.0, 1.0]];
        let shape = Shape { ni: 50, nj: 40, nk: 9 };
        let grid = Grid::new(shape, Affine::from_rows(rows).unwrap(), FrameId::new("f")).unwrap();
        let display = Display::of(&grid);
        assert!(display.flip_columns && display.flip_rows, "{:?}", display.letters);
        let cut = Cut { k: 3, first: [-4, 7], size: [30, 20] };
        let to_patient = cut.pixel_to_patient(&grid, &display);
        for pixel in [[0.0, 0.0], [29.0, 0.0], [3.25, 17.5]] {
            let lps: [f64; 3] = std::array::from_fn(|axis| {
                to_patient.origin[axis] + pixel[0] * to_patient.column[axis] + pixel[1] * to_patient.row[axis]
            });
            let back = cut.pixel(&grid, &display, Point::from(lps));
            assert!((back[0] - pixel[0]).abs() < 1e-9 && (back[1] - pixel[1]).abs() < 1e-9, "{pixel:?} {back:?}");
        }
    }
}
