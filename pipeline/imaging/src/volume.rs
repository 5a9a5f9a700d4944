//! A three-dimensional array that knows where it lies.

use ndarray::Array3;

use crate::grid::{Grid, GridError, Index3, Shape};
use crate::units::Intensity;

/// An array in memory order k, j, i (i fastest, standard layout) and its grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Volume<T> {
    data: Array3<T>,
    grid: Grid,
}

impl<T> Volume<T> {
    /// Joins array and grid; the array is shaped (slices, rows, columns) and must be in standard layout.
    pub fn new(data: Array3<T>, grid: Grid) -> Result<Self, GridError> {
        if data.dim() != grid.shape().kji() || !data.is_standard_layout() {
            return Err(GridError::ShapeMismatch { array: data.dim(), grid: grid.shape() });
        }
        Ok(Self { data, grid })
    }

    /// From values in memory order (i fastest, then j, then k).
    pub fn from_values(values: Vec<T>, grid: Grid) -> Result<Self, GridError> {
        let n_values = values.len();
        let data = Array3::from_shape_vec(grid.shape().kji(), values)
            .map_err(|_| GridError::ShapeMismatch { array: (1, 1, n_values), grid: grid.shape() })?;
        Ok(Self { data, grid })
    }

    /// Every voxel the same.
    pub fn filled(grid: Grid, value: T) -> Self
    where
        T: Clone,
    {
        Self { data: Array3::from_elem(grid.shape().kji(), value), grid }
    }

    /// Every voxel from its index.
    pub fn from_fn(grid: Grid, mut f: impl FnMut(Index3) -> T) -> Self {
        let data = Array3::from_shape_fn(grid.shape().kji(), |(k, j, i)| f(Index3 { i, j, k }));
        Self { data, grid }
    }

    /// Where the voxels lie.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }
    /// Number of voxels along each axis.
    pub fn shape(&self) -> Shape {
        self.grid.shape()
    }
    /// The array, indexed `[[k, j, i]]`.
    pub fn data(&self) -> &Array3<T> {
        &self.data
    }
    /// The array, to be changed in place.
    pub fn data_mut(&mut self) -> &mut Array3<T> {
        &mut self.data
    }
    /// The voxels in memory order.
    pub fn values(&self) -> &[T] {
        self.data.as_slice().expect("a volume's array is in standard layout")
    }
    /// The voxels in memory order, to be changed in place.
    pub fn values_mut(&mut self) -> &mut [T] {
        self.data.as_slice_mut().expect("a volume's array is in standard layout")
    }
    /// The array without its grid.
    pub fn into_data(self) -> Array3<T> {
        self.data
    }
    /// The value of one voxel; panics outside the grid, like slice indexing.
    pub fn at(&self, index: Index3) -> &T {
        &self.data[[index.k, index.j, index.i]]
    }
    /// The value of one voxel, if it lies in the grid.
    pub fn get(&self, index: Index3) -> Option<&T> {
        self.data.get([index.k, index.j, index.i])
    }
    /// Another value in every voxel, on the same grid.
    pub fn map<U>(&self, f: impl FnMut(&T) -> U) -> Volume<U> {
        Volume { data: self.data.map(f), grid: self.grid.clone() }
    }
    /// The same voxels on a restated grid of equal shape (another frame of reference, a corrected affine).
    pub fn with_grid(self, grid: Grid) -> Result<Self, GridError> {
        Self::new(self.data, grid)
    }
}

impl<T: Intensity> Volume<T> {
    /// The bare numbers, without their unit, for kernels that do not care (resampling, registration, networks).
    pub fn to_values(&self) -> Volume<f32> {
        self.map(|v| v.value())
    }
}
