//! Where the voxels of a volume lie: shape, map to patient space, and the frame of reference they belong to.

use std::fmt;

use nalgebra::{Matrix3, Vector3};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::space::{Affine, Patient, Point, Voxel};
use crate::volume::Volume;

/// Two grids are the same when no voxel centre differs by more than this. Origin: DICOM decimal strings carry 16 characters,
/// NIfTI headers single precision; both keep a position of 1 m well under 0.001 mm.
pub const GRID_TOLERANCE_MM: f64 = 1e-3;

/// No image has more voxels: 1024 x 1024 x 1024, or 512 x 512 in 4096 slices. A header that asks for more is damaged or hostile, and
/// is refused before memory is taken.
pub const MAX_VOXELS: usize = 1 << 30;

/// A voxel by column `i` (fastest in memory), row `j` and slice `k`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Index3 {
    /// Column, fastest in memory.
    pub i: usize,
    /// Row.
    pub j: usize,
    /// Slice.
    pub k: usize,
}

impl Index3 {
    /// The voxel's centre in continuous voxel coordinates.
    pub fn center(self) -> Point<Voxel> {
        Point::new(self.i as f64, self.j as f64, self.k as f64)
    }
}

/// The number of voxels along each axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Number of columns.
    pub ni: usize,
    /// Number of rows.
    pub nj: usize,
    /// Number of slices.
    pub nk: usize,
}

impl Shape {
    /// Number of voxels.
    pub fn n_voxels(self) -> usize {
        self.ni * self.nj * self.nk
    }
    /// ndarray's order: slices, rows, columns.
    pub fn kji(self) -> (usize, usize, usize) {
        (self.nk, self.nj, self.ni)
    }
    /// Position of a voxel in memory order.
    pub fn linear(self, index: Index3) -> usize {
        (index.k * self.nj + index.j) * self.ni + index.i
    }
    /// The voxel at a position in memory order.
    pub fn index(self, linear: usize) -> Index3 {
        Index3 { i: linear % self.ni, j: (linear / self.ni) % self.nj, k: linear / (self.ni * self.nj) }
    }
}

/// A frame of reference: DICOM's Frame of Reference UID, or a name of our own for files that carry none. Coordinates of two
/// different frames must not be compared without a registration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FrameId(String);

impl FrameId {
    /// From a Frame of Reference UID or a name.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }
    /// The identifier.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FrameId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A value whose coordinates belong to one frame of reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InFrame<T> {
    frame: FrameId,
    value: T,
}

impl<T> InFrame<T> {
    /// States the frame of a value.
    pub fn new(frame: FrameId, value: T) -> Self {
        Self { frame, value }
    }
    /// The frame.
    pub fn frame(&self) -> &FrameId {
        &self.frame
    }
    /// The value, for those who stand in the same frame; refused otherwise.
    pub fn get(&self, frame: &FrameId) -> Result<&T, GridError> {
        if *frame == self.frame {
            Ok(&self.value)
        } else {
            Err(GridError::OtherFrame { expected: frame.clone(), found: self.frame.clone() })
        }
    }
    /// The value without its frame; the caller takes over the responsibility.
    pub fn into_value(self) -> T {
        self.value
    }
}

/// What can be wrong with a grid or a pair of grids.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum GridError {
    /// The voxel-to-patient map cannot be inverted.
    #[error(
        "the voxel-to-patient map is singular (two axes coincide or a spacing is 0); check spacing and orientation of the image"
    )]
    Singular,
    /// A shape with an empty axis.
    #[error("the grid has no voxels: shape {0:?}")]
    Empty(Shape),
    /// More voxels than any image has.
    #[error(
        "a grid of {} x {} x {} voxels is more than the {MAX_VOXELS} of any image; check its header, or crop it",
        .0.ni, .0.nj, .0.nk
    )]
    TooManyVoxels(Shape),
    /// Array and grid disagree.
    #[error("the array has shape {array:?} (k, j, i) but its grid says {grid:?}")]
    ShapeMismatch {
        /// Array shape, slices first.
        array: (usize, usize, usize),
        /// Grid shape.
        grid: Shape,
    },
    /// Two volumes do not lie on one grid.
    #[error("the two images lie on different grids: {}; resample one onto the other first (lesiontrace warp)", apart(*a, *b, *max_distance_mm))]
    NotAligned {
        /// First shape.
        a: Shape,
        /// Second shape.
        b: Shape,
        /// Largest distance between corresponding corner voxels, mm; infinite where the shapes differ.
        max_distance_mm: f64,
    },
    /// A grid nobody can hold in memory: a mistaken spacing.
    #[error(
        "a grid of spacing {spacing_mm:?} mm over this field of view would have {n_voxels:.1e} voxels; check both spacings"
    )]
    TooLarge {
        /// Asked for, mm.
        spacing_mm: [f64; 3],
        /// Number of voxels that would need.
        n_voxels: f64,
    },
    /// Coordinates of another frame of reference.
    #[error("expected coordinates in frame of reference {expected}, found {found}; register the two first")]
    OtherFrame {
        /// Wanted frame.
        expected: FrameId,
        /// Frame found.
        found: FrameId,
    },
}

/// Shape, voxel-to-patient map and frame of reference of a volume.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Grid {
    shape: Shape,
    voxel_to_patient: Affine<Voxel, Patient>,
    patient_to_voxel: Affine<Patient, Voxel>,
    frame: FrameId,
}

impl Grid {
    /// A grid; refused when it has no voxels or its map cannot be inverted.
    pub fn new(shape: Shape, voxel_to_patient: Affine<Voxel, Patient>, frame: FrameId) -> Result<Self, GridError> {
        let Shape { ni, nj, nk } = shape;
        match ni.checked_mul(nj).and_then(|n| n.checked_mul(nk)) {
            Some(0) => return Err(GridError::Empty(shape)),
            Some(1..=MAX_VOXELS) => {}
            _ => return Err(GridError::TooManyVoxels(shape)),
        }
        let patient_to_voxel = voxel_to_patient.inverse().ok_or(GridError::Singular)?;
        Ok(Self { shape, voxel_to_patient, patient_to_voxel, frame })
    }

    /// A grid from origin (centre of the first voxel, LPS mm), spacing (mm along i, j, k) and the unit directions of the three
    /// axes as columns of a matrix.
    pub fn from_directions(
        shape: Shape,
        origin: Point<Patient>,
        spacing_mm: [f64; 3],
        directions: Matrix3<f64>,
        frame: FrameId,
    ) -> Result<Self, GridError> {
        let linear = directions * Matrix3::from_diagonal(&Vector3::from(spacing_mm));
        Self::new(shape, Affine::from_parts(linear, origin.coords), frame)
    }

    /// Number of voxels along each axis.
    pub fn shape(&self) -> Shape {
        self.shape
    }
    /// The frame of reference.
    pub fn frame(&self) -> &FrameId {
        &self.frame
    }
    /// The map from voxel to patient coordinates.
    pub fn voxel_to_patient(&self) -> &Affine<Voxel, Patient> {
        &self.voxel_to_patient
    }
    /// The map from patient to voxel coordinates.
    pub fn patient_to_voxel(&self) -> &Affine<Patient, Voxel> {
        &self.patient_to_voxel
    }
    /// Distance between neighbouring voxel centres along i, j, k, in mm.
    pub fn spacing_mm(&self) -> [f64; 3] {
        let linear = self.voxel_to_patient.linear();
        [linear.column(0).norm(), linear.column(1).norm(), linear.column(2).norm()]
    }
    /// Unit directions of the axes i, j, k in LPS, as columns.
    pub fn directions(&self) -> Matrix3<f64> {
        let linear = self.voxel_to_patient.linear();
        let spacing = self.spacing_mm();
        Matrix3::from_fn(|r, c| linear[(r, c)] / spacing[c])
    }
    /// Volume of one voxel in mm³.
    pub fn voxel_volume_mm3(&self) -> f64 {
        self.voxel_to_patient.linear().determinant().abs()
    }
    /// Centre of a voxel in patient space.
    pub fn center(&self, index: Index3) -> Point<Patient> {
        self.voxel_to_patient.apply(index.center())
    }
    /// The voxel whose centre is nearest to a point, if the point lies within half a voxel of the grid.
    pub fn nearest(&self, p: Point<Patient>) -> Option<Index3> {
        let v = self.patient_to_voxel.apply(p).coords;
        let at = |x: f64, n: usize| {
            let r = (x + 0.5).floor();
            (r >= 0.0 && r < n as f64).then_some(r as usize)
        };
        Some(Index3 { i: at(v.x, self.shape.ni)?, j: at(v.y, self.shape.nj)?, k: at(v.z, self.shape.nk)? })
    }
    /// The grid in another frame of reference (after a registration or for a file that carries none).
    #[must_use]
    pub fn with_frame(mut self, frame: FrameId) -> Self {
        self.frame = frame;
        self
    }

    /// Largest distance between corresponding corner voxel centres, in mm; infinite when the shapes differ.
    pub fn max_distance_mm(&self, other: &Self) -> f64 {
        if self.shape != other.shape {
            return f64::INFINITY;
        }
        let Shape { ni, nj, nk } = self.shape;
        let mut worst = 0.0_f64;
        for i in [0, ni - 1] {
            for j in [0, nj - 1] {
                for k in [0, nk - 1] {
                    let at = Index3 { i, j, k };
                    worst = worst.max(self.center(at).distance(other.center(at)));
                }
            }
        }
        worst
    }
}

/// In what two grids differ, in words.
fn apart(a: Shape, b: Shape, max_distance_mm: f64) -> String {
    let voxels = |shape: Shape| format!("{} x {} x {}", shape.ni, shape.nj, shape.nk);
    if a == b {
        format!("voxel centres lie up to {max_distance_mm:.3} mm apart")
    } else {
        format!("{} and {} voxels", voxels(a), voxels(b))
    }
}

/// Two volumes proven to lie on one grid and in one frame: the only way to walk two volumes together.
#[derive(Debug, Clone, Copy)]
pub struct Aligned<'a, A, B> {
    a: &'a Volume<A>,
    b: &'a Volume<B>,
}

impl<'a, A, B> Aligned<'a, A, B> {
    /// Checks shape, positions (within [`GRID_TOLERANCE_MM`]) and frame of reference.
    pub fn new(a: &'a Volume<A>, b: &'a Volume<B>) -> Result<Self, GridError> {
        if a.grid().frame() != b.grid().frame() {
            return Err(GridError::OtherFrame { expected: a.grid().frame().clone(), found: b.grid().frame().clone() });
        }
        let max_distance_mm = a.grid().max_distance_mm(b.grid());
        if max_distance_mm <= GRID_TOLERANCE_MM {
            Ok(Self { a, b })
        } else {
            Err(GridError::NotAligned { a: a.grid().shape(), b: b.grid().shape(), max_distance_mm })
        }
    }
    /// The common grid.
    pub fn grid(&self) -> &'a Grid {
        self.a.grid()
    }
    /// The pairs of voxel values in memory order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a A, &'a B)> + use<'a, A, B> {
        self.a.data().iter().zip(self.b.data().iter())
    }
    /// The first volume.
    pub fn first(&self) -> &'a Volume<A> {
        self.a
    }
    /// The second volume.
    pub fn second(&self) -> &'a Volume<B> {
        self.b
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_that_no_memory_holds_is_refused() {
        let grid = |ni, nj, nk| {
            Grid::new(
                Shape { ni, nj, nk },
                Affine::from_parts(Matrix3::identity(), Vector3::zeros()),
                FrameId::new("f"),
            )
        };
        assert!(grid(1024, 1024, 1024).is_ok());
        assert!(matches!(grid(1024, 1024, 1025), Err(GridError::TooManyVoxels(_))));
        assert!(matches!(grid(usize::MAX, usize::MAX, 2), Err(GridError::TooManyVoxels(_))));
        assert!(matches!(grid(usize::MAX, 0, 2), Err(GridError::Empty(_) | GridError::TooManyVoxels(_))));
    }

    fn oblique(frame: &str, shift_mm: f64) -> Grid {
        let rotation = *nalgebra::Rotation3::from_euler_angles(0.2, -0.1, 0.4).matrix();
        let shape = Shape { ni: 5, nj: 7, nk: 3 };
        Grid::from_directions(
            shape,
            Point::new(-40.0 + shift_mm, 12.0, 90.0),
            [0.8, 0.7, 5.0],
            rotation,
            FrameId::new(frame),
        )
        .unwrap()
    }

    #[test]
    fn spacing_and_directions_survive_obliqueness() {
        let grid = oblique("a", 0.0);
        for (got, want) in grid.spacing_mm().iter().zip([0.8, 0.7, 5.0]) {
            assert!((got - want).abs() < 1e-12);
        }
        assert!((grid.voxel_volume_mm3() - 2.8).abs() < 1e-12);
        let at = Index3 { i: 4, j: 2, k: 1 };
        assert_eq!(grid.nearest(grid.center(at)), Some(at));
        assert_eq!(grid.shape().index(grid.shape().linear(at)), at);
    }

    #[test]
    fn a_shift_of_a_hundredth_of_a_millimetre_is_not_aligned() {
        let a = Volume::filled(oblique("a", 0.0), 0_u8);
        assert!(Aligned::new(&a, &Volume::filled(oblique("a", 0.0005), 1_u8)).is_ok());
        assert!(matches!(
            Aligned::new(&a, &Volume::filled(oblique("a", 0.01), 1_u8)),
            Err(GridError::NotAligned { .. })
        ));
        assert!(matches!(
            Aligned::new(&a, &Volume::filled(oblique("b", 0.0), 1_u8)),
            Err(GridError::OtherFrame { .. })
        ));
    }

    #[test]
    fn coordinates_of_another_frame_are_refused() {
        let p = InFrame::new(FrameId::new("baseline"), Point::<Patient>::new(1.0, 2.0, 3.0));
        assert!(p.get(&FrameId::new("follow-up")).is_err());
        assert!(p.get(&FrameId::new("baseline")).is_ok());
    }
}
