//! Cases for training a segmentation model: a box of one portal venous CT as codes and texture, with many looks to choose from.
//!
//! What a case looks like is decided when it is used: the training script picks a look, lets point spread and noise vary, and
//! takes the image to the network's grid as the engine does. So one anatomy gives many images, and no noise is seen twice.

use imaging::{FrameId, Grid, LabelMap, Point, Shape, Volume};
use nalgebra::{Rotation3, Vector3};
use rand_chacha::ChaCha8Rng;

use crate::anatomy::Anatomy;
use crate::ct::{CtDraw, ct};
use crate::pose::{Motion, Pose};
use crate::random::{self, between, chance, jitter};
use crate::scene::{Scene, finding_of};
use crate::tissue::FIRST_ZONE;
use crate::training_looks::{ordinary_looks, wide_looks};
use crate::training_solids::Solids;
pub use crate::training_solids::Variety;

/// Background, liver, tumour (in liver, lung or node) and ablation zone in the labels of a training case.
pub const TRAINING_LABELS: [&str; 4] = ["background", "liver", "tumour", "ablation_zone"];
/// Looks of a case that the patients of a cohort have, and looks drawn with much more variety behind them.
pub const TRAINING_LOOKS: [usize; 2] = [8, 8];

/// Labels of [`TRAINING_LABELS`].
const LIVER: u8 = 1;
const TUMOUR: u8 = 2;
const ABLATION_ZONE: u8 = 3;

/// Share of the cases whose anatomy, lesions and scanner are as varied as those of a cohort's patients and no more.
const COHORT_SHARE: f64 = 0.65;
/// How far the box's middle may lie from the body's, mm.
const OFF_MIDDLE_MM: [f64; 3] = [45.0, 16.0, 32.0];

/// One case on a grid of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingCase {
    /// How much it may differ from the patients of a cohort.
    pub variety: Variety,
    /// Where the voxels lie.
    pub grid: Grid,
    /// What every voxel holds, in memory order.
    pub codes: Vec<u8>,
    /// Smooth texture in about −1.4 to 1.4, in memory order.
    pub texture: Vec<f32>,
    /// The label of [`TRAINING_LABELS`] of each of the 256 codes.
    pub label_of_code: Vec<u8>,
    /// HU and HU per unit of texture of each code: first the cohort's looks, then the wide ones ([`TRAINING_LOOKS`]).
    pub looks: Vec<Vec<(f32, f32)>>,
}

impl TrainingCase {
    /// The case as a scanner would show it with one of its looks, in HU; the seed decides the noise alone.
    #[must_use]
    pub fn image(&self, look: usize, noise_hu: f32, seed: u64) -> Volume<f32> {
        let content = crate::scene::Content { codes: self.codes.clone(), texture: self.texture.clone() };
        let draw = CtDraw { looks: &self.looks[look], noise_hu, key: random::key(seed, "noise") };
        ct(&content, &self.grid, &draw).to_values()
    }

    /// Labels 0 background, 1 liver, 2 tumour, 3 ablation zone.
    #[must_use]
    pub fn labels(&self) -> LabelMap {
        let labels = self.codes.iter().map(|c| u16::from(self.label_of_code[usize::from(*c)])).collect();
        LabelMap::from_values(labels, self.grid.clone()).expect("a case has one code per voxel of its grid")
    }
}

/// One case: a box of `extent_mm` somewhere in the abdomen. The same arguments give the same bytes.
#[must_use]
pub fn random_training_case(seed: u64, extent_mm: [f64; 3]) -> TrainingCase {
    let rng = &mut random::stream(seed, "training case");
    let variety = if chance(rng, COHORT_SHARE) { Variety::Cohort } else { Variety::Wide };
    let (spread, p_large) = match variety {
        Variety::Cohort => (1.0, 0.1),
        Variety::Wide => (2.2, 0.4),
    };
    let anatomy = Anatomy::random(rng, spread);
    let motion = if chance(rng, p_large) { Motion::Large } else { Motion::Ordinary };
    let pose = Pose::random(rng, motion);
    let solids = Solids::random(rng, &anatomy, variety);
    let scene = Scene {
        anatomy: &anatomy,
        pose: &pose,
        findings: &solids.findings,
        zones: &solids.zones,
        table_y_mm: pose.middle().y + between(rng, 98.0, 125.0),
    };
    let grid = random_grid(rng, variety, extent_mm, pose.middle());
    let content = scene.content(&grid);
    let [n_ordinary, n_wide] = TRAINING_LOOKS;
    let mut looks: Vec<_> = (0..n_ordinary).map(|_| ordinary_looks(rng, &scene, &solids)).collect();
    looks.extend((0..n_wide).map(|_| wide_looks(rng, &scene, &solids)));
    let label_of_code = (0..=255).map(|code| label(&scene, &solids, code)).collect();
    TrainingCase { variety, grid, codes: content.codes, texture: content.texture, label_of_code, looks }
}

fn label(scene: &Scene<'_>, solids: &Solids, code: u8) -> u8 {
    match (code, finding_of(code)) {
        (c, _) if usize::from(c) >= usize::from(FIRST_ZONE) + solids.zones.len() => 0,
        (c, _) if c >= FIRST_ZONE => ABLATION_ZONE,
        (_, Some(f)) if f >= solids.findings.len() => 0,
        (_, Some(f)) if f >= solids.first_cyst => LIVER,
        (_, Some(_)) => TUMOUR,
        (c, None) if scene.is_organ(c) => LIVER,
        _ => 0,
    }
}

/// The voxels of a cohort's scanner, or those of many scanners.
fn random_grid(rng: &mut ChaCha8Rng, variety: Variety, extent_mm: [f64; 3], middle: Vector3<f64>) -> Grid {
    let (in_plane, slice) = match variety {
        Variety::Cohort => (between(rng, 1.3, 1.7), [2.0, 2.5, 3.0][random::whole(rng, 0, 2) as usize]),
        Variety::Wide => (between(rng, 1.0, 2.0), between(rng, 1.5, 5.0)),
    };
    let spacing_mm = [in_plane, in_plane, slice];
    let n = |axis: usize| (extent_mm[axis] / spacing_mm[axis]).round().max(1.0) as usize;
    let shape = Shape { ni: n(0), nj: n(1), nk: n(2) };
    let directions = *Rotation3::from_axis_angle(&Vector3::z_axis(), jitter(rng, 3.0_f64.to_radians())).matrix();
    let half = Vector3::new(shape.ni as f64 - 1.0, shape.nj as f64 - 1.0, shape.nk as f64 - 1.0) * 0.5;
    let centre = middle + Vector3::from(OFF_MIDDLE_MM.map(|most| jitter(rng, most)));
    let origin = centre - directions * half.component_mul(&Vector3::from(spacing_mm));
    Grid::from_directions(shape, Point::from_coords(origin), spacing_mm, directions, FrameId::new("training case"))
        .expect("a shape with voxels and a positive spacing make a grid")
}
