//! Lesions that keep their shape: the displacement inside is the rigid motion that fits it best, blended into its surroundings.
//!
//! A treated tumour and its ablation zone have no counterpart in the other image, so what likeness says there is wrong, and a
//! bent tumour has another margin.

use nalgebra::Vector3;

use super::deformation::Deformation;
use super::solve::Displacement;
use crate::components::{Connectivity, components};
use crate::distance::{DistanceError, distance_to};
use crate::registration::result::Spread;
use crate::registration::rigid_fit::rigid_fit;
use crate::window::Window;
use crate::{Mask, Patient, Point, Volume};

/// Points up to this distance from the lesion, mm, tell how it moves: a lesion of one voxel has a direction, too.
const FIT_MM: f64 = 3.0;
/// Over this distance from its border, mm, the lesion's motion passes into that of its surroundings. On three synthetic pairs with
/// known maps (phantom-00 to 02 of `scripts/make_registration_pairs.py`) margins between tumour and zone were off by 0.59 mm on
/// average where tissue was held stiff up to 5.5 mm and over 10 mm more, and by 0.33 mm over 6 mm: the zone lies in tissue that bends.
/// On all 20 pairs of seed 7 it is 0.70 mm over 6 mm and 0.72 mm over 8 mm; over 6 mm, cells of the field that a tumour's border cuts
/// are stretched to 1.27 times their volume, over 8 mm to less than 1.25.
const BLEND_MM: f64 = 8.0;
/// Over this distance more, mm, the surroundings move on their own: there they are held against the lesion.
const AROUND_MM: f64 = 4.0;
/// Points that tell the motion of a lesion, at most about so many.
const N_POINTS: usize = 4000;

/// One lesion and its surroundings.
#[derive(Debug, Clone)]
pub(super) struct Core {
    /// Distance to the lesion in mm, around it.
    distance: Volume<f64>,
    /// Points of the lesion and of a shell around it.
    points: Vec<Vector3<f64>>,
    /// Points of the lesion.
    pub(super) inside: Vec<Vector3<f64>>,
    /// Points of the surroundings whose displacement is their own.
    around: Vec<Vector3<f64>>,
}

impl Core {
    /// One for each connected part of a mask.
    pub(super) fn of(mask: &Mask) -> Result<Vec<Self>, DistanceError> {
        // Most of an image is no lesion.
        let Some(own) = Window::around(mask, [0; 3]).and_then(|window| window.cut(mask, false).ok()) else {
            return Ok(Vec::new());
        };
        let parts = components(&own, Connectivity::Corners);
        parts.list.iter().filter_map(|part| Self::around(&parts.labels.map(|l| *l == part.label)).transpose()).collect()
    }

    fn around(part: &Mask) -> Result<Option<Self>, DistanceError> {
        let reach = BLEND_MM + AROUND_MM;
        let rim = part.grid().spacing_mm().map(|s| (reach / s).ceil() as usize + 1);
        let Some(window) = Window::around(part, rim) else { return Ok(None) };
        let Ok(cut) = window.cut(part, false) else { return Ok(None) };
        let distance = distance_to(&cut)?;
        let within = |from_mm: f64, to_mm: f64| {
            let near = |n: &usize| (from_mm..=to_mm).contains(&distance.values()[*n]);
            let all: Vec<usize> = (0..distance.values().len()).filter(near).collect();
            let every = all.len() / N_POINTS + 1;
            let center = |n: &usize| distance.grid().center(distance.shape().index(*n)).coords;
            all.iter().step_by(every).map(center).collect::<Vec<_>>()
        };
        let (points, inside, around) = (within(0.0, FIT_MM), within(0.0, 0.0), within(BLEND_MM, reach));
        Ok(Some(Self { distance, points, inside, around }))
    }

    /// Replaces the displacement in and near the lesion.
    pub(super) fn stiffen(&self, displacement: &mut Displacement) {
        let there: Vec<_> = self.points.iter().map(|p| p + displacement.at(*p)).collect();
        let Some((rotation, shift)) = rigid_fit(&self.points, &there) else { return };
        let lattice = displacement.lattice.clone();
        for node in 0..lattice.n_nodes() {
            let p = lattice.at(node);
            let weight = self.weight(p);
            if weight > 0.0 {
                let rigid = rotation * p + shift - p;
                let own = displacement.values[node];
                displacement.values[node] = own + (rigid - own) * weight;
            }
        }
    }

    /// The lesion's middle, and how far its surroundings move otherwise than it does, root mean square, mm.
    pub(super) fn held(&self, deformation: &Deformation) -> Option<(Point<Patient>, f64)> {
        let moved = |points: &[Vector3<f64>]| -> Vec<Vector3<f64>> {
            points.iter().map(|p| p + deformation.displacement(Point::from_coords(*p)).coords).collect()
        };
        let (rotation, shift) = rigid_fit(&self.inside, &moved(&self.inside))?;
        let apart = self.around.iter().zip(moved(&self.around)).map(|(p, q)| (rotation * p + shift - q).norm_squared());
        let middle = self.inside.iter().sum::<Vector3<f64>>() / self.inside.len() as f64;
        let mean = apart.sum::<f64>() / self.around.len() as f64;
        mean.is_finite().then(|| (Point::from_coords(middle), mean.sqrt()))
    }

    /// How far the lesion's points lie from where its best rigid motion puts them, 95th percentile, mm.
    pub(super) fn bent_mm(&self, deformation: &Deformation) -> Option<f64> {
        let moved = |p: &Vector3<f64>| p + deformation.displacement(Point::from_coords(*p)).coords;
        let there: Vec<Vector3<f64>> = self.inside.iter().map(moved).collect();
        let (rotation, shift) = rigid_fit(&self.inside, &there)?;
        let apart: Vec<f64> = self.inside.iter().zip(there).map(|(p, q)| (rotation * p + shift - q).norm()).collect();
        Spread::of(&apart).map(|spread| spread.p95_mm)
    }

    /// 1 in the lesion, falling smoothly to 0 beyond its border.
    fn weight(&self, p: Vector3<f64>) -> f64 {
        let v = self.distance.grid().patient_to_voxel().apply(Point::from_coords(p)).coords.map(f64::round);
        let shape = self.distance.shape();
        let n = [shape.ni, shape.nj, shape.nk];
        if (0..3).any(|a| v[a] < 0.0 || v[a] >= n[a] as f64) {
            return 0.0;
        }
        let at = crate::Index3 { i: v.x as usize, j: v.y as usize, k: v.z as usize };
        let t = (self.distance.values()[shape.linear(at)] / BLEND_MM).clamp(0.0, 1.0);
        1.0 - t * t * (3.0 - 2.0 * t)
    }
}
