//! The search for the displacement: coarse to fine, as stiff as the images ask for, lesions held stiff.

use nalgebra::Vector3;

use super::lattice::Lattice;
use super::lesion_core::Core;
use super::on_level::OnLevel;
use super::step::Exactness;
use super::stiffness::{self, LEAST};
use crate::registration::level::N_LEVELS;
use crate::registration::prepared::Prepared;
use crate::{Affine, Patient};

/// Distance of the nodes on each level, mm.
const NODES_MM: [f64; N_LEVELS] = [16.0, 10.0, 6.0];
/// The level on which the last choice of a stiffness is made: on the finest one it would cost as much as the result itself.
const LAST_CHOICE: usize = N_LEVELS - 2;
/// How far the lattice reaches beyond the region, mm.
const RIM_MM: f64 = 12.0;

/// A displacement of the fixed frame that precedes the affine map.
#[derive(Debug, Clone)]
pub(super) struct Displacement {
    pub(super) lattice: Lattice,
    pub(super) values: Vec<Vector3<f64>>,
}

impl Displacement {
    pub(super) fn at(&self, p: Vector3<f64>) -> Vector3<f64> {
        self.lattice.read(&self.values, p)
    }

    /// Read anew on another lattice.
    pub(super) fn on(&self, lattice: Lattice) -> Self {
        let values = (0..lattice.n_nodes()).map(|n| self.at(lattice.at(n))).collect();
        Self { lattice, values }
    }
}

/// How a displacement is searched for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Search {
    /// Levels from the coarsest on.
    pub(super) n_levels: usize,
    /// Of each step.
    pub(super) exactness: Exactness,
    /// Weight of bending, mm²; `None` where the images are to tell it.
    pub(super) stiffness: Option<f64>,
}

/// Finds the displacement u such that moving(affine(p + u(p))) looks like fixed(p), and the stiffness it was found with.
pub(super) fn solve(
    prepared: &Prepared<'_>,
    affine: &Affine<Patient, Patient>,
    cores: &[Core],
    search: Search,
) -> (Displacement, f64) {
    let bounds = bounds(prepared);
    let coarse = Lattice::around(bounds, NODES_MM[0], RIM_MM);
    let mut found = Displacement { values: vec![Vector3::zeros(); coarse.n_nodes()], lattice: coarse };
    let mut stiff = search.stiffness.unwrap_or(LEAST);
    for (level, nodes_mm) in NODES_MM.into_iter().enumerate().take(search.n_levels) {
        found = found.on(Lattice::around(bounds, nodes_mm, RIM_MM));
        let mut on = OnLevel::new(prepared, level, affine, cores, (&found.lattice, search.exactness));
        on.settle(&mut found, stiff);
        if search.stiffness.is_none() && level <= LAST_CHOICE {
            stiff = stiffness::choose(&mut on, &mut found, stiff);
        }
    }
    (found, stiff)
}

/// The box of the region.
fn bounds(prepared: &Prepared<'_>) -> [Vector3<f64>; 2] {
    let level = &prepared.fixed[0];
    let mut bounds = [Vector3::repeat(f64::INFINITY), Vector3::repeat(f64::NEG_INFINITY)];
    for n in prepared.region(0) {
        let p = level.voxel_to_patient().apply(level.shape().index(*n as usize).center()).coords;
        bounds = [bounds[0].inf(&p), bounds[1].sup(&p)];
    }
    bounds
}
