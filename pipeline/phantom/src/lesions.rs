//! The solids of a story: where its lesions lie, what shape they have, and the zones that ablation leaves.

use nalgebra::Vector3;
use rand_chacha::ChaCha8Rng;

use crate::anatomy::Anatomy;
use crate::margin::minimal_margin;
use crate::placement::{self, Taken};
use crate::random::{self, between};
use crate::scenario::{Coverage, Diagnosis, FocusStory, LesionStory, Story};
use crate::star::{Shell, Star, StarDraw};
use crate::tissue::Appearance;
use crate::truth::Organ;

type V3 = Vector3<f64>;

/// Whole draws of all places before the roomiest is taken.
const ATTEMPTS: usize = 200;
/// Room that a zone needs around its tumour, mm.
const ZONE_ROOM_MM: f64 = 12.0;
/// A new intrahepatic lesion keeps this distance from every zone; others just do not touch, mm.
const DISTANT_MM: f64 = 42.0;
const APART_MM: f64 = 6.0;
/// How deep a focus reaches into its zone, mm.
const FOCUS_OVERLAP_MM: f64 = 2.0;
/// A zone's size at the first, second… visit that shows it.
const INVOLUTION: [f64; 5] = [1.0, 0.95, 0.91, 0.88, 0.86];

/// A lesion with its shape at scale 1.
#[derive(Debug, Clone)]
pub(crate) struct LesionPlan {
    pub(crate) story: LesionStory,
    pub(crate) shape: Star,
    pub(crate) core: Option<Star>,
    pub(crate) appearance: Appearance,
}

/// An ablation zone.
#[derive(Debug, Clone)]
pub(crate) struct ZonePlan {
    pub(crate) lesion: usize,
    pub(crate) treatment: usize,
    /// The first visit that shows it, at full size.
    pub(crate) first_visit: usize,
    pub(crate) shape: Star,
}

impl ZonePlan {
    /// The zone at a visit that shows it; zones shrink slowly.
    pub(crate) fn at_visit(&self, visit: usize) -> Star {
        let age = visit.saturating_sub(self.first_visit).min(INVOLUTION.len() - 1);
        self.shape.scaled(INVOLUTION[age])
    }
}

/// All solids of a patient.
pub(crate) struct Placed {
    pub(crate) lesions: Vec<LesionPlan>,
    pub(crate) zones: Vec<ZonePlan>,
    pub(crate) focus: Option<Star>,
}

/// A set of places, one per lesion, with the direction in which a focus will grow.
struct Places {
    room_mm: f64,
    centres: Vec<V3>,
    focus_direction: V3,
}

/// Draws places until everything has room, then shapes.
pub(crate) fn place(rng: &mut ChaCha8Rng, anatomy: &Anatomy, story: &Story) -> Placed {
    let mut best: Option<Places> = None;
    for _ in 0..ATTEMPTS {
        let places = draw_places(rng, anatomy, story);
        let enough = places.room_mm >= 0.0;
        if best.as_ref().is_none_or(|b| places.room_mm > b.room_mm) {
            best = Some(places);
        }
        if enough {
            break;
        }
    }
    let places = best.expect("at least one attempt was made");
    let lesions: Vec<LesionPlan> =
        story.lesions.iter().zip(&places.centres).map(|(l, c)| shape_lesion(rng, story, l, *c)).collect();
    let (zones, focus) = shape_zones(rng, story, &lesions, places.focus_direction);
    Placed { lesions, zones, focus }
}

fn draw_places(rng: &mut ChaCha8Rng, anatomy: &Anatomy, story: &Story) -> Places {
    let mut places =
        Places { room_mm: f64::INFINITY, centres: vec![V3::zeros(); story.lesions.len()], focus_direction: V3::x() };
    let mut taken: Vec<Taken> = Vec::new();
    let has_distant = story.lesions.iter().any(|l| l.organ == Organ::Liver && l.scale[0] == 0.0);
    let apart_mm = if has_distant { DISTANT_MM } else { APART_MM };
    // The largest first, unless a distant lesion needs the corner that the zone must keep away from.
    let mut order: Vec<usize> = (0..story.lesions.len()).collect();
    order.sort_by(|a, b| reserved_mm(story, *b).total_cmp(&reserved_mm(story, *a)));
    if has_distant {
        order.reverse();
    }
    for n in order {
        let lesion = &story.lesions[n];
        let radius_mm = reserved_mm(story, n);
        let (room, centre) = match lesion.organ {
            _ if lesion.centre.is_some() => (0.0, lesion.centre.map_or_else(V3::zeros, V3::from)),
            Organ::Liver => placement::in_liver(rng, anatomy, radius_mm, &taken, apart_mm),
            Organ::Lung => placement::in_lung(rng, anatomy, radius_mm, &taken),
            Organ::LymphNode => placement::retroperitoneal(rng, anatomy, radius_mm, &taken),
        };
        places.room_mm = places.room_mm.min(room);
        places.centres[n] = centre;
        if lesion.organ == Organ::Liver {
            taken.push(Taken { centre, radius_mm });
        }
    }
    if let Some(focus) = &story.focus {
        let radius_mm = 0.5 * focus.diameter_mm;
        let distance = 0.5 * story.lesions[focus.lesion].diameter_mm + radius_mm;
        let centre = places.centres[focus.lesion];
        let (depth, direction) =
            placement::direction_in_liver(rng, anatomy, centre, distance, radius_mm + ZONE_ROOM_MM);
        places.room_mm = places.room_mm.min(depth);
        places.focus_direction = direction;
    }
    places
}

/// The radius of the sphere kept free for a lesion and its first zone, mm.
fn reserved_mm(story: &Story, lesion: usize) -> f64 {
    let own = &story.lesions[lesion];
    let largest = own.scale.iter().copied().fold(0.0, f64::max);
    let covers = |t: &crate::scenario::TreatmentStory| {
        t.targets.iter().any(|(l, coverage)| *l == lesion && *coverage != Coverage::NoZone)
    };
    let zone = if story.treatments.iter().any(covers) { ZONE_ROOM_MM } else { 0.0 };
    0.5 * own.diameter_mm * largest * 1.08 + zone
}

fn shape_lesion(rng: &mut ChaCha8Rng, story: &Story, lesion: &LesionStory, centre: V3) -> LesionPlan {
    let draw = StarDraw { centre, radius_mm: 0.5 * lesion.diameter_mm, elongation: 0.08, bumpiness: 0.02 };
    let shape = Star::random(rng, &draw);
    let appearance = match (lesion.organ, story.diagnosis) {
        (Organ::Lung, _) => Appearance::LungNodule,
        (Organ::LymphNode, _) => Appearance::Node,
        (Organ::Liver, Diagnosis::HepatocellularCarcinoma) => Appearance::Hypervascular,
        (Organ::Liver, Diagnosis::ColorectalLiverMetastases) => Appearance::Hypovascular,
    };
    let has_core = lesion.organ == Organ::Liver && lesion.diameter_mm >= 20.0;
    let core = has_core.then(|| {
        let aside = random::direction(rng) * (0.12 * draw.radius_mm);
        shape.scaled(between(rng, 0.36, 0.44)).at(centre + aside)
    });
    LesionPlan { story: lesion.clone(), shape, core, appearance }
}

fn shape_zones(
    rng: &mut ChaCha8Rng,
    story: &Story,
    lesions: &[LesionPlan],
    focus_direction: V3,
) -> (Vec<ZonePlan>, Option<Star>) {
    let mut zones: Vec<ZonePlan> = Vec::new();
    let mut focus = None;
    for (treatment, session) in story.treatments.iter().enumerate() {
        for (lesion, coverage) in session.targets.iter().filter(|(_, coverage)| *coverage != Coverage::NoZone) {
            let earlier = zones.iter().find(|z| z.lesion == *lesion);
            let tumour = match (earlier, &story.focus) {
                (Some(zone), Some(told)) => *focus.insert(shape_focus(rng, told, zone, focus_direction)),
                _ => lesions[*lesion].shape,
            };
            let shape = shape_zone(rng, &tumour, *coverage, focus_direction);
            zones.push(ZonePlan { lesion: *lesion, treatment, first_visit: session.after_visit + 1, shape });
        }
    }
    // A focus that is not ablated again is shaped after all zones.
    if let (None, Some(told)) = (&focus, &story.focus) {
        let zone = zones.iter().find(|zone| zone.lesion == told.lesion);
        focus = zone.map(|zone| shape_focus(rng, told, zone, focus_direction));
    }
    (zones, focus)
}

/// Living tissue that sits on the zone's surface of the visit that shows it, where the zone is thinnest.
fn shape_focus(rng: &mut ChaCha8Rng, told: &FocusStory, zone: &ZonePlan, towards: V3) -> Star {
    let edge = zone.at_visit(told.visit).surface(towards);
    let draw = StarDraw { centre: edge, radius_mm: 0.5 * told.diameter_mm, elongation: 0.05, bumpiness: 0.02 };
    let star = Star::random(rng, &draw);
    star.at(edge + towards * (star.radius(-towards) - FOCUS_OVERLAP_MM))
}

/// A zone around a tumour whose minimal margin is as told: the layer's thickness is corrected until it is.
fn shape_zone(rng: &mut ChaCha8Rng, tumour: &Star, coverage: Coverage, thin_direction: V3) -> Star {
    let (wanted_mm, extra_mm) = match coverage {
        Coverage::Adequate => (between(rng, 7.4, 8.4), between(rng, 1.0, 2.5)),
        Coverage::Narrow => (between(rng, 1.3, 1.8), between(rng, 6.0, 8.0)),
        Coverage::Missed => (between(rng, -1.2, -0.8), between(rng, 6.0, 8.0)),
        Coverage::NoZone => (0.0, 0.0),
    };
    let mut shell = Shell { thin_mm: wanted_mm, extra_mm, thin_direction };
    for _ in 0..4 {
        shell.thin_mm += wanted_mm - minimal_margin(tumour, &tumour.with_shell(shell));
    }
    tumour.with_shell(shell)
}
