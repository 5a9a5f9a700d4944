//! The reference anatomy of one patient: an upper abdomen in LPS mm, every organ an implicit function of the point.
//!
//! The middle of the body is the origin; the liver lies on the patient's right (−x), the spine posterior (+y), the head +z.

use nalgebra::Vector3;
use rand_chacha::ChaCha8Rng;

use crate::ellipsoid::{Ellipsoid, smooth_max, smooth_min};
use crate::noise::value_noise;
use crate::random::{self, between, jitter, jitter3};
use crate::tissue::Tissue;
use crate::vessel::{Tube, hepatic_tree, lung_vessels, portal_tree};

type V3 = Vector3<f64>;

/// One patient's reference anatomy.
#[derive(Debug, Clone)]
pub(crate) struct Anatomy {
    /// Semi-axes of the body's outline.
    body: [f64; 2],
    /// Level of the outline at which fat ends and muscle begins, and at which the abdominal cavity begins.
    fat_level: f64,
    cavity_level: f64,
    liver: [Ellipsoid; 2],
    liver_bump: V3,
    left_dome: Ellipsoid,
    hilum: Ellipsoid,
    kidneys: [Ellipsoid; 2],
    spleen: Ellipsoid,
    stomach: Ellipsoid,
    gallbladder: Ellipsoid,
    heart: Ellipsoid,
    pancreas: Tube,
    aorta: Tube,
    vena_cava: Tube,
    portal: Vec<Tube>,
    hepatic: Vec<Tube>,
    lung_vessels: Vec<Tube>,
    texture_key: u64,
}

impl Anatomy {
    /// A random patient; `spread` 1 for ordinary differences between people, more for the variety that training needs.
    pub(crate) fn random(rng: &mut ChaCha8Rng, spread: f64) -> Self {
        let mut ellipsoid = |centre, semi| Ellipsoid::varied(rng, spread, centre, semi);
        let liver =
            [ellipsoid([-57.0, 2.0, -8.0], [52.0, 61.0, 66.0]), ellipsoid([4.0, -32.0, 12.0], [50.0, 29.0, 31.0])];
        let left_dome = ellipsoid([58.0, 5.0, -14.0], [55.0, 66.0, 69.0]);
        let hilum = ellipsoid([-12.0, 30.0, -34.0], [34.0, 36.0, 36.0]);
        let kidneys =
            [ellipsoid([-68.0, 38.0, -66.0], [23.0, 21.0, 46.0]), ellipsoid([70.0, 38.0, -58.0], [23.0, 21.0, 46.0])];
        let spleen = ellipsoid([76.0, 30.0, 16.0], [25.0, 36.0, 41.0]);
        let stomach = ellipsoid([46.0, -30.0, -6.0], [36.0, 32.0, 42.0]);
        let gallbladder = ellipsoid([-34.0, -30.0, -46.0], [13.0, 15.0, 21.0]);
        let heart = ellipsoid([18.0, -26.0, 88.0], [46.0, 38.0, 38.0]);
        let (portal, hepatic) = (portal_tree(rng), hepatic_tree(rng));
        let lung_vessels = lung_vessels(rng);
        let wobble = jitter(rng, 3.0);
        let tube = |a: [f64; 3], via: [f64; 3], b: [f64; 3], r: f64| Tube::new(a.into(), via.into(), b.into(), r, r);
        Self {
            body: [138.0 * (1.0 + jitter(rng, 0.03 * spread)), 96.0 * (1.0 + jitter(rng, 0.03 * spread))],
            fat_level: between(rng, 0.88 - 0.02 * spread, 0.92 + 0.01 * spread),
            cavity_level: 0.81 + jitter(rng, 0.008 * spread),
            liver,
            liver_bump: jitter3(rng, 3.0),
            left_dome,
            hilum,
            kidneys,
            spleen,
            stomach,
            gallbladder,
            heart,
            pancreas: tube([-8.0, -8.0, -32.0], [20.0, -22.0, -18.0], [62.0, 16.0, -4.0], 9.5),
            aorta: tube([10.0, 23.0, -160.0], [13.0 + wobble, 22.0, -30.0], [9.0, 24.0, 160.0], 10.0),
            vena_cava: tube([-21.0, 25.0, -160.0], [-23.0, 22.0 + wobble, 0.0], [-14.0, 4.0, 130.0], 11.0),
            portal,
            hepatic,
            lung_vessels,
            texture_key: random::key(rand::Rng::random(rng), "texture"),
        }
    }

    /// Smooth texture in about −1..1 at a point.
    pub(crate) fn texture(&self, p: V3) -> f32 {
        let fine = value_noise(self.texture_key, p, 7.0);
        let coarse = value_noise(self.texture_key ^ 0x5eed, p, 26.0);
        (0.8 * fine + 0.6 * coarse) as f32
    }

    /// Level of the body's outline: 1 on the skin, 0 on the axis.
    fn outline(&self, p: V3) -> f64 {
        let (x, y) = ((p.x / self.body[0]).abs(), (p.y / self.body[1]).abs());
        (x * x * x.sqrt() + y * y * y.sqrt()).powf(0.4)
    }

    /// Distance of a point from the liver's surface in mm, negative inside; first order, good to a few mm.
    pub(crate) fn liver_distance(&self, p: V3) -> f64 {
        let joined = smooth_min(self.liver[0].distance(p), self.liver[1].distance(p), 18.0);
        let b = &self.liver_bump;
        let bumpy = joined + 1.6 * (p.x / 17.0 + b.x).sin() * (p.y / 19.0 + b.y).sin() * (p.z / 16.0 + b.z).sin();
        let hollowed = smooth_max(bumpy, -self.hilum.distance(p), 12.0);
        let beside_kidney = smooth_max(hollowed, 3.0 - self.kidneys[0].distance(p), 6.0);
        beside_kidney.max((self.outline(p) - self.cavity_level + 0.01) * 0.9 * self.body[1])
    }

    /// Whether a point belongs to the liver, its vessels included.
    pub(crate) fn in_liver(&self, p: V3) -> bool {
        self.liver_distance(p) < 0.0 && !self.vena_cava.contains(p) && !self.gallbladder.contains(p)
    }

    /// Vessel branchings and vessel middles inside the liver: places a reader would choose as landmarks.
    pub(crate) fn liver_landmarks(&self) -> Vec<V3> {
        let tubes = || self.portal.iter().chain(&self.hepatic);
        let branchings = tubes().map(|t| t.end().0);
        let middles = tubes().map(Tube::middle);
        branchings.chain(middles).filter(|p| self.liver_distance(*p) < -5.0).collect()
    }

    /// What lies at a point of the reference anatomy.
    pub(crate) fn tissue(&self, p: V3) -> Tissue {
        let outline = self.outline(p);
        if outline > 1.0 {
            return Tissue::Air;
        }
        if outline > self.cavity_level {
            return self.wall(p, outline);
        }
        spine(p)
            .or_else(|| self.vessel_or_heart(p))
            .or_else(|| self.liver(p))
            .or_else(|| self.chest(p))
            .or_else(|| self.organ(p))
            .unwrap_or_else(|| self.filling(p))
    }

    fn wall(&self, p: V3, outline: f64) -> Tissue {
        if let Some(bone) = spine(p) {
            return bone;
        }
        if outline > 0.985 {
            return Tissue::Skin;
        }
        if outline > self.fat_level {
            return Tissue::Fat;
        }
        let middle = 0.5 * (self.fat_level + self.cavity_level);
        let along = (p.z + 0.45 * p.y + 400.0).rem_euclid(29.0);
        let has_rib = p.z > -45.0 - 0.4 * p.y && (p.y > -60.0 || p.x.abs() > 70.0);
        let half = self.fat_level - self.cavity_level;
        if has_rib && along < 9.0 && (outline - middle).abs() < 0.36 * half {
            if along > 2.0 && along < 7.0 && (outline - middle).abs() < 0.2 * half {
                Tissue::Marrow
            } else {
                Tissue::Bone
            }
        } else {
            Tissue::Muscle
        }
    }

    fn vessel_or_heart(&self, p: V3) -> Option<Tissue> {
        if self.aorta.contains(p) {
            Some(Tissue::Aorta)
        } else if self.vena_cava.contains(p) {
            Some(Tissue::VenaCava)
        } else {
            self.heart.contains(p).then_some(Tissue::Heart)
        }
    }

    fn liver(&self, p: V3) -> Option<Tissue> {
        if self.gallbladder.contains(p) {
            return Some(Tissue::Gallbladder);
        }
        let far = p.x > self.liver[1].centre.x + self.liver[1].semi.x + 8.0 || p.z > 85.0;
        if far || self.liver_distance(p) >= 0.0 {
            return None;
        }
        let within = |tubes: &[Tube]| tubes.iter().any(|t| t.contains(p));
        Some(if within(&self.portal) {
            Tissue::LiverPortal
        } else if within(&self.hepatic) {
            Tissue::LiverHepatic
        } else {
            Tissue::Liver
        })
    }

    fn chest(&self, p: V3) -> Option<Tissue> {
        if p.z < 8.0 || p.x.abs() < 16.0 + 0.1 * p.y {
            return None;
        }
        let dome = if p.x < 0.0 { self.liver[0].grown(5.0) } else { self.left_dome };
        let recess = 12.0 + 0.15 * p.y;
        let level = dome.level(p);
        if level < 1.0 || p.z < recess {
            return None;
        }
        if level < 1.045 {
            return Some(Tissue::Muscle);
        }
        Some(if self.lung_vessels.iter().any(|t| t.contains(p)) { Tissue::LungVessel } else { Tissue::Lung })
    }

    fn organ(&self, p: V3) -> Option<Tissue> {
        if self.spleen.contains(p) {
            return Some(Tissue::Spleen);
        }
        for kidney in &self.kidneys {
            let level = kidney.level(p);
            if level < 1.0 {
                let towards_middle = p.x * kidney.centre.x.signum() - kidney.centre.x.abs();
                return Some(match level {
                    l if l > 0.72 && towards_middle > -14.0 => Tissue::Cortex,
                    l if l < 0.24 => Tissue::RenalPelvis,
                    l if l < 0.3 => Tissue::Fat,
                    _ => Tissue::Medulla,
                });
            }
        }
        let stomach = self.stomach.level(p);
        if stomach < 1.0 {
            return Some(match stomach {
                s if s > 0.88 => Tissue::StomachWall,
                _ if p.y < self.stomach.centre.y - 8.0 => Tissue::Gas,
                _ => Tissue::StomachFluid,
            });
        }
        if self.portal.first().is_some_and(|trunk| trunk.contains(p)) {
            return Some(Tissue::Portal);
        }
        self.pancreas.contains(p).then_some(Tissue::Pancreas)
    }

    /// Bowel loops in front and below, fat elsewhere.
    fn filling(&self, p: V3) -> Tissue {
        if p.y > 12.0 || p.z > -8.0 {
            return Tissue::Fat;
        }
        let loops = value_noise(self.texture_key ^ 0xb0e1, p, 24.0);
        match loops {
            v if v > 0.42 && p.y < -30.0 => Tissue::Gas,
            v if v > 0.02 => Tissue::Bowel,
            _ => Tissue::Fat,
        }
    }
}

/// Vertebrae, discs, canal and the muscles beside them; the same in everybody.
fn spine(p: V3) -> Option<Tissue> {
    if p.y < 32.0 || p.x.abs() > 58.0 {
        return None;
    }
    let body = (p.x / 20.0).hypot((p.y - 53.0) / 17.0);
    let canal = (p.x / 10.0).hypot((p.y - 77.0) / 8.0);
    let along = (p.z + 400.0).rem_euclid(31.0);
    if canal < 1.0 {
        return Some(Tissue::Canal);
    }
    if body < 1.0 {
        return Some(match along {
            a if a < 6.0 => Tissue::Disc,
            a if !(7.5..29.5).contains(&a) || body > 0.9 => Tissue::Bone,
            _ => Tissue::Marrow,
        });
    }
    let arch = canal < 1.45 && p.y > 66.0;
    let process = p.x.abs() < 3.0 && (80.0..93.0).contains(&p.y) && along > 10.0;
    let transverse = (p.y - 72.0).abs() < 4.0 && p.x.abs() < 34.0 && (14.0..21.0).contains(&along);
    if arch || process || transverse {
        return Some(Tissue::Bone);
    }
    let beside = ((p.x.abs() - 30.0) / 24.0).hypot((p.y - 74.0) / 22.0);
    let psoas = ((p.x.abs() - 28.0) / 12.0).hypot((p.y - 50.0) / 15.0);
    (beside < 1.0 && p.y < 93.0 || psoas < 1.0 && p.z < -20.0).then_some(Tissue::Muscle)
}
