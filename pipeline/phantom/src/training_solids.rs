//! Lesions, ablation zones and cysts of a training case: as a cohort's patients have them at some visit, or more varied.

use nalgebra::Vector3;
use rand_chacha::ChaCha8Rng;

use crate::anatomy::Anatomy;
use crate::placement::{self, Taken};
use crate::random::{self, between, chance, whole};
use crate::scene::{Finding, ZoneShape};
use crate::star::{Shell, Star, StarDraw};
use crate::tissue::Appearance;

type V3 = Vector3<f64>;

/// How much a case may differ from the patients of a cohort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Variety {
    /// Not at all: other patients, the same kinds of anatomy, lesion and zone.
    Cohort,
    /// Much: shapes, sizes and places that no cohort has, and cysts.
    Wide,
}

/// What a case holds besides anatomy.
pub(crate) struct Solids {
    /// Lesions, then cysts.
    pub(crate) findings: Vec<Finding>,
    /// Position of the first cyst in `findings`.
    pub(crate) first_cyst: usize,
    pub(crate) zones: Vec<ZoneShape>,
}

/// What is being put together.
struct Draft<'a> {
    anatomy: &'a Anatomy,
    variety: Variety,
    appearance: Appearance,
    taken: Vec<Taken>,
    findings: Vec<Finding>,
    zones: Vec<ZoneShape>,
}

impl Solids {
    /// A random set.
    pub(crate) fn random(rng: &mut ChaCha8Rng, anatomy: &Anatomy, variety: Variety) -> Self {
        let appearance = if chance(rng, 0.5) { Appearance::Hypervascular } else { Appearance::Hypovascular };
        let mut draft =
            Draft { anatomy, variety, appearance, taken: Vec::new(), findings: Vec::new(), zones: Vec::new() };
        let n_ablated = if chance(rng, 0.55) { whole(rng, 1, 2) } else { 0 };
        for _ in 0..n_ablated {
            draft.ablated(rng);
        }
        let n_liver = if chance(rng, 0.12) { 0 } else { whole(rng, 1, 5 - n_ablated) };
        for _ in 0..n_liver {
            draft.liver_lesion(rng);
        }
        for (appearance, p, most) in [(Appearance::LungNodule, 0.4, 3), (Appearance::Node, 0.25, 2)] {
            let n = if chance(rng, p) { whole(rng, 1, most) } else { 0 };
            for _ in 0..n {
                draft.outside(rng, appearance);
            }
        }
        let first_cyst = draft.findings.len();
        let n_cysts = if variety == Variety::Wide && chance(rng, 0.4) { whole(rng, 1, 2) } else { 0 };
        for _ in 0..n_cysts {
            draft.cyst(rng);
        }
        Self { findings: draft.findings, first_cyst, zones: draft.zones }
    }
}

impl Draft<'_> {
    /// A zone round the place of a tumour that is gone, sometimes with living tissue at its edge or a second zone round that.
    fn ablated(&mut self, rng: &mut ChaCha8Rng) {
        let radius_mm = match self.variety {
            Variety::Cohort => between(rng, 8.0, 14.0),
            Variety::Wide => between(rng, 5.0, 17.0),
        };
        let centre = self.place(rng, radius_mm * 1.08 + 12.0, 3.0);
        let tumour = self.star(rng, centre, radius_mm);
        let shrunk = between(rng, 0.86, 1.0);
        let towards = self.room(rng, centre, 2.0 * radius_mm);
        let zone = shell(rng, &tumour, towards).scaled(shrunk);
        self.take(zone.centre, zone.reach_mm());
        self.zones.push(ZoneShape { zone: self.zones.len(), shape: zone, in_liver: true });
        if !chance(rng, 0.5) {
            return;
        }
        let edge = zone.surface(towards);
        let radius_mm = between(rng, 4.0, 9.0);
        let star = self.star(rng, edge, radius_mm);
        let overlap_mm = between(rng, 1.0, 4.0);
        let focus = star.at(edge + towards * (star.radius(-towards) - overlap_mm));
        if chance(rng, 0.3) {
            let again = shell(rng, &focus, towards);
            self.take(again.centre, again.reach_mm());
            self.zones.push(ZoneShape { zone: self.zones.len(), shape: again, in_liver: true });
        } else {
            self.take(focus.centre, radius_mm);
            self.finding(focus, None, self.appearance);
        }
    }

    fn liver_lesion(&mut self, rng: &mut ChaCha8Rng) {
        let radius_mm = match self.variety {
            Variety::Cohort => 0.5 * between(rng, 7.0, 36.0),
            Variety::Wide if chance(rng, 0.55) => between(rng, 4.0, 9.0),
            Variety::Wide => between(rng, 9.0, 26.0),
        };
        let centre = self.place(rng, radius_mm, 3.0);
        self.take(centre, radius_mm);
        let outer = self.star(rng, centre, radius_mm);
        let has_core = radius_mm > 5.0 && chance(rng, if radius_mm >= 10.0 { 0.85 } else { 0.35 });
        let core = has_core.then(|| {
            let (size, aside) = match self.variety {
                Variety::Cohort => (between(rng, 0.36, 0.44), random::direction(rng) * (0.12 * radius_mm)),
                Variety::Wide => (between(rng, 0.3, 0.75), random::jitter3(rng, 0.1 * radius_mm)),
            };
            outer.scaled(size).at(centre + aside)
        });
        self.finding(outer, core, self.appearance);
    }

    fn outside(&mut self, rng: &mut ChaCha8Rng, appearance: Appearance) {
        let radius_mm = between(rng, 4.0, 13.0);
        let centre = match appearance {
            Appearance::LungNodule => placement::in_lung(rng, self.anatomy, radius_mm, &self.taken).1,
            _ => placement::retroperitoneal(rng, self.anatomy, radius_mm, &self.taken).1,
        };
        self.take(centre, radius_mm);
        let outer = self.star(rng, centre, radius_mm);
        self.finding(outer, None, appearance);
    }

    fn cyst(&mut self, rng: &mut ChaCha8Rng) {
        let radius_mm = between(rng, 3.0, 14.0);
        let centre = self.place(rng, radius_mm, 2.0);
        self.take(centre, radius_mm);
        let outer = self.star(rng, centre, radius_mm);
        self.finding(outer, None, Appearance::Hypovascular);
    }

    fn finding(&mut self, outer: Star, core: Option<Star>, appearance: Appearance) {
        let in_liver = !matches!(appearance, Appearance::LungNodule | Appearance::Node);
        self.findings.push(Finding { lesion: self.findings.len(), outer, core, appearance, in_liver });
    }

    fn take(&mut self, centre: V3, radius_mm: f64) {
        self.taken.push(Taken { centre, radius_mm });
    }

    fn place(&self, rng: &mut ChaCha8Rng, radius_mm: f64, apart_mm: f64) -> V3 {
        placement::in_liver(rng, self.anatomy, radius_mm, &self.taken, apart_mm).1
    }

    /// A direction from `centre` in which there is liver.
    fn room(&self, rng: &mut ChaCha8Rng, centre: V3, distance_mm: f64) -> V3 {
        placement::direction_in_liver(rng, self.anatomy, centre, distance_mm, 5.0).1
    }

    fn star(&self, rng: &mut ChaCha8Rng, centre: V3, radius_mm: f64) -> Star {
        let (elongation, bumpiness) = match self.variety {
            Variety::Cohort => (0.08, 0.02),
            Variety::Wide => (between(rng, 0.05, 0.35), between(rng, 0.0, 0.08)),
        };
        Star::random(rng, &StarDraw { centre, radius_mm, elongation, bumpiness })
    }
}

/// A zone round a tumour, thinnest in one direction.
fn shell(rng: &mut ChaCha8Rng, tumour: &Star, thin_direction: V3) -> Star {
    let (thin_mm, extra_mm) = match rand::Rng::random_range(rng, 0..3) {
        0 => (between(rng, -1.2, 2.0), between(rng, 6.0, 8.0)),
        _ => (between(rng, 6.5, 9.0), between(rng, 1.0, 2.5)),
    };
    tumour.with_shell(Shell { thin_mm, extra_mm, thin_direction })
}
