//! What lies in every voxel of one visit: tissues, lesions and zones, looked up through the visit's pose.

use imaging::{Grid, Index3};
use nalgebra::Vector3;
use rayon::prelude::*;

use crate::anatomy::Anatomy;
use crate::pose::Pose;
use crate::star::Star;
use crate::tissue::{Appearance, FIRST_LESION, FIRST_ZONE, Looks, NECROSIS, Tissue, ZONE};

/// A lesion as it is at one visit, in reference coordinates.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    /// Position in the patient's list of lesions.
    pub(crate) lesion: usize,
    pub(crate) outer: Star,
    /// Necrotic core, star-shaped about its own centre.
    pub(crate) core: Option<Star>,
    pub(crate) appearance: Appearance,
    /// Whether it lies in the liver.
    pub(crate) in_liver: bool,
}

/// An ablation zone as it is at one visit, in reference coordinates.
#[derive(Debug, Clone)]
pub(crate) struct ZoneShape {
    /// Position in the patient's list of zones.
    pub(crate) zone: usize,
    pub(crate) shape: Star,
    /// Whether the lesion it was made for lies in the liver.
    pub(crate) in_liver: bool,
}

/// Everything that decides what a voxel holds.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) anatomy: &'a Anatomy,
    pub(crate) pose: &'a Pose,
    /// A lesion in front hides zones and lesions behind it in this list.
    pub(crate) findings: &'a [Finding],
    /// Oldest first; a newer zone hides an older one.
    pub(crate) zones: &'a [ZoneShape],
    /// Where the table top begins, scanner y in mm.
    pub(crate) table_y_mm: f64,
}

/// The content of every voxel, in memory order.
pub(crate) struct Content {
    /// Tissue, lesion or zone code.
    pub(crate) codes: Vec<u8>,
    /// Smooth texture in about −1..1.
    pub(crate) texture: Vec<f32>,
}

/// The star shapes with their reach, so that most voxels are done after one comparison.
struct Reach<'a> {
    star: &'a Star,
    squared: f64,
}

impl<'a> Reach<'a> {
    fn new(star: &'a Star) -> Self {
        Self { star, squared: star.reach_mm().powi(2) }
    }
    fn contains(&self, p: Vector3<f64>) -> bool {
        (p - self.star.centre).norm_squared() < self.squared && self.star.contains(p)
    }
}

impl Scene<'_> {
    /// Looks up every voxel centre of a grid once; slices in parallel.
    pub(crate) fn content(&self, grid: &Grid) -> Content {
        let shape = grid.shape();
        let n_slice = shape.ni * shape.nj;
        let mut codes = vec![0_u8; shape.n_voxels()];
        let mut texture = vec![0.0_f32; shape.n_voxels()];

        let outer: Vec<Reach> = self.findings.iter().map(|f| Reach::new(&f.outer)).collect();
        let zones: Vec<Reach> = self.zones.iter().map(|z| Reach::new(&z.shape)).collect();
        codes.par_chunks_mut(n_slice).zip(texture.par_chunks_mut(n_slice)).enumerate().for_each(
            |(k, (codes, texture))| {
                for n in 0..n_slice {
                    let at = Index3 { i: n % shape.ni, j: n / shape.ni, k };
                    let p = grid.center(at).coords;
                    let x = self.pose.to_reference(p);
                    let lesion = outer.iter().position(|o| o.contains(x));
                    codes[n] = if let Some(f) = lesion {
                        let in_core = self.findings[f].core.is_some_and(|c| c.contains(x));
                        FIRST_LESION + 2 * f as u8 + u8::from(in_core)
                    } else if let Some(z) = zones.iter().rposition(|z| z.contains(x)) {
                        FIRST_ZONE + z as u8
                    } else {
                        self.tissue(p, x)
                    };
                    if codes[n] != Tissue::Air as u8 {
                        texture[n] = self.anatomy.texture(x);
                    }
                }
            },
        );
        Content { codes, texture }
    }

    fn tissue(&self, p: Vector3<f64>, x: Vector3<f64>) -> u8 {
        let tissue = self.anatomy.tissue(x);
        let on_table = tissue == Tissue::Air && (self.table_y_mm..self.table_y_mm + 6.0).contains(&p.y);
        (if on_table { Tissue::Table } else { tissue }) as u8
    }

    /// The tissues' looks with those of this visit's lesions and zones.
    pub(crate) fn looks(&self, tissues: &Looks) -> Looks {
        let mut looks = tissues.clone();
        for (n, f) in self.findings.iter().enumerate() {
            looks.set(FIRST_LESION + 2 * n as u8, f.appearance.viable());
            looks.set(FIRST_LESION + 2 * n as u8 + 1, NECROSIS);
        }
        for n in 0..self.zones.len() {
            looks.set(FIRST_ZONE + n as u8, ZONE);
        }
        looks
    }

    /// Whether a code belongs to the liver as an organ: its tissue, vessels, lesions and ablation zones.
    pub(crate) fn is_organ(&self, code: u8) -> bool {
        match finding_of(code) {
            Some(f) => self.findings[f].in_liver,
            None if code >= FIRST_ZONE => self.zones[usize::from(code - FIRST_ZONE)].in_liver,
            None => Tissue::is_liver(code),
        }
    }
}

/// Which of the findings of a scene a code belongs to.
pub(crate) fn finding_of(code: u8) -> Option<usize> {
    (FIRST_LESION..FIRST_ZONE).contains(&code).then(|| usize::from(code - FIRST_LESION) / 2)
}
