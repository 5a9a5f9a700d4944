//! What a binary mask says about the surface that was sampled: between which voxel centres it passes, and roughly which way it faces.
//!
//! A surface that passes between two neighbouring centres lies at their middle with an error that is uniform over their distance;
//! seen along the surface's normal n the standard deviation is |n · step| / √12. A surface that runs almost along the step is
//! therefore known far better than a voxel: this is what rings of voxels around a pole tell about its height.

use nalgebra::{Matrix3, Vector3};

use crate::grid::{Index3, Shape};
use crate::intensity::smooth_voxels;
use crate::mask::Mask;
use crate::space::{Patient, Point};
use crate::window::Window;

/// Width of the Gaussian from whose slope first normals are taken: largest spacings, and mm at least.
const NORMAL_SIGMA_SPACINGS: f64 = 0.7;
const NORMAL_SIGMA_MIN_MM: f64 = 1.0;

/// Reach of that Gaussian in standard deviations.
const NORMAL_REACH: f64 = 3.0;

/// Standard deviation that no crossing goes below, mm: rounding of positions and the curvature of the surface within a pixel.
const FLOOR_MM: f64 = 0.05;

/// Voxels in a neighbourhood of 3 × 3 × 3.
pub(super) const N_NEIGHBOURHOOD: u8 = 27;

/// A perpendicular frame in mm along the axes of the grid; its origin is the centre of the window's first voxel.
#[derive(Debug, Clone)]
pub(super) struct LocalFrame {
    to_local: Matrix3<f64>,
    origin: Vector3<f64>,
    pub(super) index_to_local: Matrix3<f64>,
}

impl LocalFrame {
    pub(super) fn local(&self, p: Point<Patient>) -> Vector3<f64> {
        self.to_local * (p.coords - self.origin)
    }
}

/// The surface passes between two neighbouring voxel centres.
pub(super) struct Crossing {
    /// The middle between the centres, local mm.
    pub(super) at: Vector3<f64>,
    /// From one centre to the other, local mm.
    pub(super) step: Vector3<f64>,
    /// Unit normal, outwards.
    pub(super) normal: Vector3<f64>,
}

impl Crossing {
    /// Variance in mm² of the middle as an estimate of the surface, along the normal; the sagitta of a ball of this radius over
    /// one step is part of it.
    pub(super) fn variance(&self, normal: Vector3<f64>, radius_mm: f64) -> f64 {
        let sagitta = self.step.norm_squared() / (8.0 * radius_mm);
        normal.dot(&self.step).powi(2) / 12.0 + sagitta * sagitta + FLOOR_MM * FLOOR_MM
    }
}

/// A mask as evidence about a surface.
pub(super) struct Samples {
    pub(super) frame: LocalFrame,
    pub(super) window: Window,
    /// How many of the 27 voxels around each voxel of the window are set.
    pub(super) n_set_around: Vec<u8>,
    pub(super) crossings: Vec<Crossing>,
    /// Centres of the voxels near the surface, and whether they are inside.
    pub(super) centres: Vec<(Vector3<f64>, bool)>,
    /// Radius of the ball of equal volume.
    pub(super) radius_mm: f64,
    /// Lowest and highest voxel centre of the mask, local mm.
    pub(super) extent: [Vector3<f64>; 2],
    /// Spacing along the grid's axes, mm.
    pub(super) spacing_mm: Vector3<f64>,
}

impl Samples {
    /// `None` for an empty mask.
    pub(super) fn of(mask: &Mask) -> Option<Self> {
        let spacing = mask.grid().spacing_mm();
        let largest = spacing.into_iter().fold(0.0, f64::max);
        let sigma = (NORMAL_SIGMA_SPACINGS * largest).max(NORMAL_SIGMA_MIN_MM);
        let rim = spacing.map(|s| (NORMAL_REACH * sigma / s).ceil() as usize + 2);
        let window = Window::around(mask, rim)?;
        let cut = window.cut(mask, false).ok()?;
        let soft = smooth_voxels(&cut.map(|v| f32::from(u8::from(*v))), spacing.map(|s| sigma / s));
        let frame = local_frame(&cut)?;
        let voxels = Voxels { set: cut.values(), soft: soft.values(), shape: window.shape };
        let crossings = voxels.crossings(&frame)?;
        let n_set_around = voxels.n_set_around();
        let centre = |n: usize| frame.index_to_local * window.shape.index(n).center().coords;
        let centres = (0..n_set_around.len())
            .filter(|n| (1..N_NEIGHBOURHOOD).contains(&n_set_around[*n]))
            .map(|n| (centre(n), voxels.set[n]))
            .collect();
        let (low, high) = cut.bounding_box()?;
        let volume = cut.n_voxels_set() as f64 * cut.grid().voxel_volume_mm3();
        Some(Self {
            extent: [low, high].map(|at| frame.index_to_local * at.center().coords),
            radius_mm: (0.75 * volume / std::f64::consts::PI).cbrt(),
            spacing_mm: Vector3::from(spacing),
            frame,
            window,
            n_set_around,
            crossings,
            centres,
        })
    }
}

/// Columns, rows and slices made perpendicular in this order (Gram and Schmidt).
fn local_frame(cut: &Mask) -> Option<LocalFrame> {
    let linear = cut.grid().voxel_to_patient().linear();
    let x = linear.column(0).normalize();
    let y = (linear.column(1) - x * x.dot(&linear.column(1))).try_normalize(1e-9)?;
    let z = (linear.column(2) - x * x.dot(&linear.column(2)) - y * y.dot(&linear.column(2))).try_normalize(1e-9)?;
    let to_local = Matrix3::from_columns(&[x, y, z]).transpose();
    let origin = cut.grid().voxel_to_patient().translation();
    Some(LocalFrame { to_local, origin, index_to_local: to_local * linear })
}

/// The window's voxels, binary and smoothed.
struct Voxels<'a> {
    set: &'a [bool],
    soft: &'a [f32],
    shape: Shape,
}

impl Voxels<'_> {
    fn strides(&self) -> [usize; 3] {
        [1, self.shape.ni, self.shape.ni * self.shape.nj]
    }

    fn crossings(&self, frame: &LocalFrame) -> Option<Vec<Crossing>> {
        let to_gradient = frame.index_to_local.try_inverse()?.transpose();
        let Shape { ni, nj, nk } = self.shape;
        let mut found = Vec::new();
        for axis in 0..3 {
            let stride = self.strides()[axis];
            let step: Vector3<f64> = frame.index_to_local.column(axis).into();
            for k in 1..nk.saturating_sub(2) {
                for j in 1..nj.saturating_sub(2) {
                    for i in 1..ni.saturating_sub(2) {
                        let n = self.shape.linear(Index3 { i, j, k });
                        if self.set[n] == self.set[n + stride] {
                            continue;
                        }
                        let outwards = if self.set[n] { step } else { -step };
                        let slope = to_gradient * (self.slope(n) + self.slope(n + stride));
                        let normal = (-slope).try_normalize(1e-12).unwrap_or_else(|| outwards.normalize());
                        let first = frame.index_to_local * Vector3::new(i as f64, j as f64, k as f64);
                        found.push(Crossing { at: first + step * 0.5, step, normal });
                    }
                }
            }
        }
        Some(found)
    }

    /// Slope of the smoothed mask by index, times two.
    fn slope(&self, n: usize) -> Vector3<f64> {
        let difference = |stride: usize| f64::from(self.soft[n + stride]) - f64::from(self.soft[n - stride]);
        Vector3::from(self.strides().map(difference))
    }

    /// Sums of three along each axis in turn; the rim of the window is empty and stays 0.
    fn n_set_around(&self) -> Vec<u8> {
        let mut counts: Vec<u8> = self.set.iter().map(|v| u8::from(*v)).collect();
        for stride in self.strides() {
            let source = counts.clone();
            for n in stride..source.len() - stride {
                counts[n] = source[n - stride] + source[n] + source[n + stride];
            }
        }
        counts
    }
}
