//! How much of the tumour, and of the shells around it, lies in the ablation zone.

use nalgebra::Vector3;
use rayon::prelude::*;

use super::{MarginError, Organ, Zone};
use crate::closest::TriangleTree;
use crate::grid::{Grid, Index3};
use crate::mask::Mask;
use crate::resample::regrid;
use crate::space::{Patient, Point};
use crate::surface::{Surface, SurfaceError};
use crate::units::{Mm, Mm3};
use crate::window::Window;

/// Spacing of the points that probe the shells around the tumour, in mm: of a shell of 5 mm around a ball of 10 mm it counts 3000
/// points, which is good for half a percent.
const SHELL_SPACING_MM: f64 = 1.5;

/// Thickness of the two shells, in mm.
const SHELLS_MM: [f64; 2] = [5.0, 10.0];

/// How far from the tumour is looked at.
pub(super) const OUTER_SHELL: Mm = Mm(SHELLS_MM[1]);

/// What of the tumour lies inside the zone, and where the rest of it is.
pub(super) struct Covered {
    /// Covered share, 0…1.
    pub(super) share: f64,
    /// Volume outside the zone.
    pub(super) residual: Mm3,
    /// Centre of mass of the tumour, and of what lies outside; `None` where nothing does.
    pub(super) centers: Option<[Point<Patient>; 2]>,
}

/// Weight, and weight times position, of the tumour and of what of it lies outside the zone.
#[derive(Clone, Copy)]
struct Sums {
    all: (f64, Vector3<f64>),
    outside: (f64, Vector3<f64>),
}

impl Sums {
    const NONE: Self = Self { all: (0.0, Vector3::new(0.0, 0.0, 0.0)), outside: (0.0, Vector3::new(0.0, 0.0, 0.0)) };

    fn add(&mut self, p: Point<Patient>, inside: f64, outside: f64) {
        self.all = (self.all.0 + inside, self.all.1 + p.coords * inside);
        self.outside = (self.outside.0 + outside, self.outside.1 + p.coords * outside);
    }

    fn and(self, other: Self) -> Self {
        let plus = |a: (f64, Vector3<f64>), b: (f64, Vector3<f64>)| (a.0 + b.0, a.1 + b.1);
        Self { all: plus(self.all, other.all), outside: plus(self.outside, other.outside) }
    }
}

/// Covered share and uncovered rest of the tumour, probed at the cells of its field, those on a surface in part.
pub(super) fn covered(tumour: &Surface, ablation: &Zone<'_>) -> Covered {
    let grid = tumour.field().grid();
    let width = Mm(grid.voxel_volume_mm3().cbrt());
    let shape = grid.shape();
    let slices: Vec<(Sums, f64)> = (0..shape.nk)
        .into_par_iter()
        .map(|k| {
            let (mut sums, mut covered) = (Sums::NONE, 0.0);
            for n in 0..shape.ni * shape.nj {
                let p = grid.center(Index3 { i: n % shape.ni, j: n / shape.ni, k });
                let inside = tumour.share_inside(p, width);
                if inside > 0.0 {
                    // Where both surfaces cut a cell they run alike: the smaller part is common to both.
                    let common = inside.min(ablation.share_inside(p, width));
                    covered += common;
                    sums.add(p, inside, inside - common);
                }
            }
            (sums, covered)
        })
        .collect();
    let (sums, inside) = slices.into_iter().fold((Sums::NONE, 0.0), |a, b| (a.0.and(b.0), a.1 + b.1));
    let (all, outside) = (sums.all.0, sums.outside.0);
    let centers = (outside > 0.0).then(|| [sums.all.1 / all, sums.outside.1 / outside].map(Point::from_coords));
    Covered {
        share: if all > 0.0 { inside / all } else { 0.0 },
        residual: Mm3((all - inside) * grid.voxel_volume_mm3()),
        centers,
    }
}

/// Share of each shell around the tumour that lies in the zone; `None` where the shell has no point inside the organ.
pub(super) fn shells_covered(
    mask: &Mask,
    tumour: &Surface,
    ablation: &Zone<'_>,
    organ: Option<&Organ>,
) -> Result<[Option<f64>; 2], MarginError> {
    let grid_trouble = |source| MarginError::Surface { which: "tumour", source: SurfaceError::Grid(source) };
    let empty = MarginError::Surface { which: "tumour", source: SurfaceError::EmptyMask };
    let rim = mask.grid().spacing_mm().map(|s| (SHELLS_MM[1] / s).ceil() as usize + 2);
    let window = Window::around(mask, rim).ok_or(empty)?;
    let around = window.grid(mask.grid()).map_err(grid_trouble)?;
    let probes = regrid(&around, [SHELL_SPACING_MM; 3]).map_err(grid_trouble)?;
    let Some(tree) = TriangleTree::new(tumour.triangles().to_vec()) else { return Ok([None; 2]) };
    let probe = ShellProbe { tumour, tree, ablation, organ };
    let counts = (0..probes.shape().nj * probes.shape().nk)
        .into_par_iter()
        .map(|row| probe.row(&probes, row))
        .reduce(|| [0; 4], |a, b| std::array::from_fn(|n| a[n] + b[n]));
    let share = |n: usize, of: usize| (of > 0).then(|| n as f64 / of as f64);
    Ok([share(counts[1], counts[0]), share(counts[3], counts[2])])
}

/// What decides to which shell a point belongs, and whether it is covered.
struct ShellProbe<'a> {
    tumour: &'a Surface,
    tree: TriangleTree,
    ablation: &'a Zone<'a>,
    organ: Option<&'a Organ>,
}

impl ShellProbe<'_> {
    /// Points of one row in the 5 mm shell, those of them covered, the same for 10 mm.
    fn row(&self, probes: &Grid, row: usize) -> [usize; 4] {
        let [five, ten] = SHELLS_MM;
        let shape = probes.shape();
        let (j, k) = (row % shape.nj, row / shape.nj);
        let mut counts = [0; 4];
        // A neighbour's distance and one step bound the search for the next.
        let mut bound = f64::INFINITY;
        for i in 0..shape.ni {
            let p = probes.center(Index3 { i, j, k });
            bound += SHELL_SPACING_MM;
            if self.organ.is_some_and(|o| !o.surface.contains(p)) || self.tumour.contains(p) {
                continue;
            }
            let Some(distance) = self.tree.distance_within(p, ten.min(bound)) else { continue };
            bound = distance;
            let (near, in_zone) = (usize::from(distance <= five), usize::from(self.ablation.contains(p)));
            for (count, more) in counts.iter_mut().zip([near, near * in_zone, 1, in_zone]) {
                *count += more;
            }
        }
        counts
    }
}
