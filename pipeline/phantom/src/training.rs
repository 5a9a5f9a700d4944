//! Cases for training a segmentation model: one coarse portal venous CT with its labels, drawn with much more variety than the
//! patients of a cohort.

use imaging::{FrameId, Grid, LabelMap, Point, Shape, Volume};
use nalgebra::{Rotation3, Vector3};
use rand_chacha::ChaCha8Rng;

use crate::anatomy::Anatomy;
use crate::ct::{CtDraw, ct};
use crate::placement::{self, Taken};
use crate::pose::{Motion, Pose};
use crate::random::{self, between, chance, jitter, whole};
use crate::scene::{Finding, Scene, ZoneShape};
use crate::star::{Star, StarDraw};
use crate::tissue::{Appearance, FIRST_LESION, FIRST_ZONE, Look, Looks, NECROSIS, Phase, Tissue, ZONE};

/// Background, liver, tumour (in liver, lung or node) and ablation zone in the labels of a training case.
pub const TRAINING_LABELS: [&str; 4] = ["background", "liver", "tumour", "ablation_zone"];

/// Labels of [`TRAINING_LABELS`].
const LIVER: u16 = 1;
const TUMOUR: u16 = 2;
const ABLATION_ZONE: u16 = 3;

/// One case: portal venous HU and labels 0 background, 1 liver, 2 tumour, 3 ablation zone, on a grid of `shape` voxels of
/// `spacing_mm` centred on the abdomen. The same arguments give the same bytes.
#[must_use]
pub fn random_training_case(seed: u64, spacing_mm: [f64; 3], shape: Shape) -> (Volume<f32>, LabelMap) {
    let rng = &mut random::stream(seed, "training case");
    let anatomy = Anatomy::random(rng, 2.2);
    let motion = if chance(rng, 0.4) { Motion::Large } else { Motion::Ordinary };
    let pose = Pose::random(rng, motion);
    let grid = centred_grid(rng, spacing_mm, shape, pose.middle());
    let zones = random_zones(rng, &anatomy);
    let findings = random_findings(rng, &anatomy, &zones);
    let scene = Scene {
        anatomy: &anatomy,
        pose: &pose,
        findings: &findings,
        zones: &zones,
        table_y_mm: pose.middle().y + between(rng, 98.0, 125.0),
    };
    let content = scene.content(&grid);
    let looks = random_looks(rng, &scene).ct(Phase::PortalVenous);
    let draw = CtDraw { looks: &looks, noise_hu: between(rng, 4.0, 18.0) as f32, key: random::key(seed, "noise") };
    let image = ct(&content, &grid, &draw).to_values();
    let labels = content.codes.iter().map(|c| label(&scene, *c)).collect();
    (image, LabelMap::from_values(labels, grid).expect("one label was made per voxel of the grid"))
}

fn label(scene: &Scene<'_>, code: u8) -> u16 {
    match code {
        c if c >= FIRST_ZONE => ABLATION_ZONE,
        c if c >= FIRST_LESION => TUMOUR,
        c if scene.is_organ(c) => LIVER,
        _ => 0,
    }
}

fn centred_grid(rng: &mut ChaCha8Rng, spacing_mm: [f64; 3], shape: Shape, middle: Vector3<f64>) -> Grid {
    let directions = *Rotation3::from_axis_angle(&Vector3::z_axis(), jitter(rng, 3.0_f64.to_radians())).matrix();
    let half = Vector3::new(shape.ni as f64 - 1.0, shape.nj as f64 - 1.0, shape.nk as f64 - 1.0) * 0.5;
    let centre = middle + Vector3::new(jitter(rng, 8.0), jitter(rng, 8.0), jitter(rng, 18.0));
    let origin = centre - directions * half.component_mul(&Vector3::from(spacing_mm));
    Grid::from_directions(shape, Point::from_coords(origin), spacing_mm, directions, FrameId::new("training case"))
        .expect("a shape with voxels and a positive spacing make a grid")
}

fn random_star(rng: &mut ChaCha8Rng, centre: Vector3<f64>, radius_mm: f64) -> Star {
    let draw = StarDraw { centre, radius_mm, elongation: between(rng, 0.05, 0.35), bumpiness: between(rng, 0.0, 0.08) };
    Star::random(rng, &draw)
}

fn random_zones(rng: &mut ChaCha8Rng, anatomy: &Anatomy) -> Vec<ZoneShape> {
    let n_zones = if chance(rng, 0.45) { whole(rng, 1, 2) } else { 0 };
    let mut taken = Vec::new();
    (0..n_zones as usize)
        .map(|zone| {
            let radius_mm = between(rng, 9.0, 24.0);
            let centre = placement::in_liver(rng, anatomy, radius_mm, &taken, 4.0).1;
            taken.push(Taken { centre, radius_mm });
            ZoneShape { zone, shape: random_star(rng, centre, radius_mm) }
        })
        .collect()
}

fn random_findings(rng: &mut ChaCha8Rng, anatomy: &Anatomy, zones: &[ZoneShape]) -> Vec<Finding> {
    let mut taken: Vec<Taken> =
        zones.iter().map(|z| Taken { centre: z.shape.centre, radius_mm: z.shape.reach_mm() }).collect();
    let n_liver = if chance(rng, 0.12) { 0 } else { whole(rng, 1, 6) };
    let n_lung = if chance(rng, 0.4) { whole(rng, 1, 3) } else { 0 };
    let n_node = if chance(rng, 0.4) { whole(rng, 1, 2) } else { 0 };
    let kinds = std::iter::repeat_n(Appearance::Hypovascular, n_liver as usize)
        .chain(std::iter::repeat_n(Appearance::LungNodule, n_lung as usize))
        .chain(std::iter::repeat_n(Appearance::Node, n_node as usize));
    let mut findings: Vec<Finding> = Vec::new();
    for (lesion, appearance) in kinds.enumerate() {
        let small = chance(rng, 0.55);
        let radius_mm = if small { between(rng, 4.5, 9.0) } else { between(rng, 9.0, 26.0) };
        let radius_mm = if appearance == Appearance::Hypovascular { radius_mm } else { radius_mm.min(11.0) };
        let centre = match appearance {
            Appearance::LungNodule => placement::in_lung(rng, anatomy, radius_mm, &taken).1,
            Appearance::Node => placement::retroperitoneal(rng, anatomy, radius_mm, &taken).1,
            _ => liver_centre(rng, anatomy, zones, radius_mm, &taken),
        };
        taken.push(Taken { centre, radius_mm });
        let outer = random_star(rng, centre, radius_mm);
        let core = (chance(rng, 0.35) && radius_mm > 7.0)
            .then(|| outer.scaled(between(rng, 0.3, 0.75)).at(centre + random::jitter3(rng, 0.1 * radius_mm)));
        findings.push(Finding { lesion, outer, core, appearance, in_liver: appearance == Appearance::Hypovascular });
    }
    findings
}

/// Anywhere in the liver, or sometimes at the edge of a zone, as local progression is.
fn liver_centre(
    rng: &mut ChaCha8Rng,
    anatomy: &Anatomy,
    zones: &[ZoneShape],
    radius_mm: f64,
    taken: &[Taken],
) -> Vector3<f64> {
    match zones.first() {
        Some(z) if radius_mm < 12.0 && chance(rng, 0.35) => {
            let reach = z.shape.reach_mm();
            let (_, d) =
                placement::direction_in_liver(rng, anatomy, z.shape.centre, reach + 0.5 * radius_mm, radius_mm);
            z.shape.surface(d) + d * (0.6 * radius_mm)
        }
        _ => placement::in_liver(rng, anatomy, radius_mm, taken, 2.0).1,
    }
}

/// Each lesion with its own contrast to its surroundings, from clearly darker through nearly equal to brighter.
fn random_looks(rng: &mut ChaCha8Rng, scene: &Scene<'_>) -> Looks {
    let mut looks = Looks::random(rng, 2.0);
    let all_phases = |hu: f64, like: Look| Look { hu: [hu as f32; 4], ..like };
    let enhancement = between(rng, -45.0, 25.0);
    for t in
        [Tissue::Liver, Tissue::LiverPortal, Tissue::LiverHepatic, Tissue::Portal, Tissue::Spleen, Tissue::VenaCava]
    {
        let look = looks.of(t as u8);
        looks.set(t as u8, all_phases(f64::from(look.hu[2]) + enhancement, look));
    }
    let liver_hu = f64::from(looks.of(Tissue::Liver as u8).hu[2]);
    for (n, f) in scene.findings.iter().enumerate() {
        let viable = f.appearance.viable();
        let contrast = match rand::Rng::random_range(rng, 0..10) {
            0..=6 => between(rng, -65.0, -18.0),
            7 => between(rng, -18.0, -8.0),
            _ => between(rng, 15.0, 50.0),
        };
        let hu = if f.in_liver { liver_hu + contrast } else { f64::from(viable.hu[2]) + jitter(rng, 25.0) };
        looks.set(FIRST_LESION + 2 * n as u8, all_phases(hu.max(10.0), viable));
        let core_hu = if chance(rng, 0.7) { between(rng, 5.0, 45.0) } else { hu + jitter(rng, 40.0) };
        looks.set(FIRST_LESION + 2 * n as u8 + 1, all_phases(core_hu, NECROSIS));
    }
    for n in 0..scene.zones.len() {
        looks.set(FIRST_ZONE + n as u8, all_phases(between(rng, 25.0, 65.0).min(liver_hu - 15.0), ZONE));
    }
    looks
}
