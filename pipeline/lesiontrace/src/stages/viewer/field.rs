//! What of the body the viewer shows: the organ and everything outlined, with some surroundings, as a box along the patient's axes.

use imaging::registration::Registration;
use imaging::{Affine, Grid, GridError, Index3, Mask, Patient, Point, Shape};

use crate::stages::find::VisitFacts;

/// Surroundings of what is outlined, mm.
const RIM_MM: f64 = 20.0;
/// The whole image is shown where it is no larger than this many times what would be cut out.
const SMALL: f64 = 1.5;

/// A box along the patient's axes, LPS mm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Field {
    low: [f64; 3],
    high: [f64; 3],
}

impl Field {
    /// In baseline's frame: what is outlined at any visit that lies on baseline.
    pub(super) fn of_linked(visits: &[VisitFacts]) -> Self {
        let linked = visits.iter().filter(|visit| visit.not_evaluable().is_none());
        let maps: Vec<(&VisitFacts, &Registration)> = linked.map(|visit| (visit, &visit.to_baseline)).collect();
        Self::of(&maps)
    }

    /// In the visit's own frame: what is outlined there.
    pub(super) fn of_own(visit: &VisitFacts) -> Self {
        let own = Registration::identity_same_frame(visit.measured.grid.frame().clone());
        Self::of(&[(visit, &own)])
    }

    fn of(visits: &[(&VisitFacts, &Registration)]) -> Self {
        let images = visits.iter().map(|(visit, map)| Self::around(whole(&visit.measured.grid), map));
        let image = images.reduce(Self::united).unwrap_or(Self { low: [0.0; 3], high: [1.0; 3] });
        let outlined = visits.iter().flat_map(|(visit, map)| {
            let found = visit.lesions.iter().chain(&visit.zones).map(|instance| &instance.mask);
            found.chain(&visit.organ).filter_map(|mask| Some(Self::around(ends(mask)?, map)))
        });
        let Some(outlined) = outlined.reduce(Self::united) else { return image };
        let cut = outlined.grown(RIM_MM).within(image);
        if image.size() <= SMALL * cut.size() { image } else { cut }
    }

    fn around(corners: [Point<Patient>; 8], map: &Registration) -> Self {
        let points = corners.map(|corner| map.to_fixed(corner).to_array());
        let extreme = |pick: fn(f64, f64) -> f64| {
            std::array::from_fn(|axis| points.iter().map(|p| p[axis]).reduce(pick).unwrap_or_default())
        };
        Self { low: extreme(f64::min), high: extreme(f64::max) }
    }

    fn united(self, other: Self) -> Self {
        Self {
            low: std::array::from_fn(|axis| self.low[axis].min(other.low[axis])),
            high: std::array::from_fn(|axis| self.high[axis].max(other.high[axis])),
        }
    }

    fn grown(self, mm: f64) -> Self {
        Self { low: self.low.map(|v| v - mm), high: self.high.map(|v| v + mm) }
    }

    /// The part inside another box that it meets.
    fn within(self, other: Self) -> Self {
        Self {
            low: std::array::from_fn(|axis| self.low[axis].max(other.low[axis])),
            high: std::array::from_fn(|axis| self.high[axis].min(other.high[axis])),
        }
    }

    /// Its volume, mm³.
    fn size(self) -> f64 {
        (0..3).map(|axis| self.high[axis] - self.low[axis]).product()
    }

    /// A grid that covers the box, in the frame of `like`: voxels of so many mm, but along no axis finer than those of `like`. Its axes
    /// run to the patient's right, front and head, as viewers of NIfTI have them.
    pub(super) fn grid(self, voxel_mm: f64, like: &Grid) -> Result<Grid, GridError> {
        let mut spacing = [voxel_mm; 3];
        for axis in 0..3 {
            let along = patient_axis(like, axis);
            spacing[along] = spacing[along].max(like.spacing_mm()[axis]);
        }
        let n: [usize; 3] = std::array::from_fn(|axis| {
            ((self.high[axis] - self.low[axis]) / spacing[axis] - 1e-6).ceil().max(1.0) as usize
        });
        let sign = [-1.0, -1.0, 1.0];
        let row = |axis: usize| {
            let middle = 0.5 * (self.low[axis] + self.high[axis]);
            let mut row = [0.0; 4];
            row[axis] = sign[axis] * spacing[axis];
            row[3] = middle - sign[axis] * spacing[axis] * 0.5 * (n[axis] as f64 - 1.0);
            row
        };
        let to_patient =
            Affine::from_rows([row(0), row(1), row(2), [0.0, 0.0, 0.0, 1.0]]).ok_or(GridError::Singular)?;
        Grid::new(Shape { ni: n[0], nj: n[1], nk: n[2] }, to_patient, like.frame().clone())
    }
}

/// The patient's axis (0 left, 1 back, 2 head) that an axis of a grid lies nearest to. No two axes of a grid share one but where it is
/// turned by 45 degrees and more.
pub(super) fn patient_axis(grid: &Grid, axis: usize) -> usize {
    let directions = grid.directions();
    let length = |row: usize| directions[(row, axis)].abs();
    (0..3).max_by(|a, b| length(*a).total_cmp(&length(*b))).unwrap_or(axis)
}

fn whole(grid: &Grid) -> [Point<Patient>; 8] {
    let Shape { ni, nj, nk } = grid.shape();
    corners(grid, Index3 { i: 0, j: 0, k: 0 }, Index3 { i: ni - 1, j: nj - 1, k: nk - 1 })
}

/// The corners of the box round a mask; `None` where it is empty.
pub(super) fn ends(mask: &Mask) -> Option<[Point<Patient>; 8]> {
    mask.bounding_box().map(|(low, high)| corners(mask.grid(), low, high))
}

/// The outer corners of the voxels from one index to another.
fn corners(grid: &Grid, low: Index3, high: Index3) -> [Point<Patient>; 8] {
    let ends = [[low.i, high.i], [low.j, high.j], [low.k, high.k]];
    std::array::from_fn(|corner| {
        let at = |axis: usize| {
            let upper = (corner >> axis) & 1;
            ends[axis][upper] as f64 + upper as f64 - 0.5
        };
        grid.voxel_to_patient().apply(Point::new(at(0), at(1), at(2)))
    })
}
