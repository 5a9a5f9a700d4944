//! What truly becomes of the lesions of one patient: where they lie, how large they are at each visit, what is treated.

use nalgebra::Vector3;
use rand_chacha::ChaCha8Rng;

use super::Site;
use super::error::{normal, normal3};
use crate::random::{between, chance, direction, whole};

/// A lesion's body: lobes that shrink each for itself, so that a shrinking lesion can fall apart.
#[derive(Debug, Clone)]
pub(super) struct StoryLesion {
    pub(super) site: Site,
    pub(super) is_benign: bool,
    /// Centre at first sight, mm.
    pub(super) center: Vector3<f64>,
    /// Radius of a sphere of about its volume at scale 1, mm.
    pub(super) radius_mm: f64,
    /// Lobes: offset from the centre and semi-axes, mm at scale 1.
    pub(super) lobes: Vec<(Vector3<f64>, Vector3<f64>)>,
    /// Where it grows to, per mm of radius gained.
    pub(super) drift: Vector3<f64>,
}

/// A treatment: the visit that first shows the zone.
#[derive(Debug, Clone)]
pub(super) struct StoryZone {
    pub(super) lesion: usize,
    pub(super) from_visit: usize,
    pub(super) radius_mm: f64,
    /// The visit from which on viable tumour stands at the zone's edge, with its direction and radius, mm.
    pub(super) recurs: Option<(usize, Vector3<f64>, f64)>,
}

/// The true course of one patient.
#[derive(Debug, Clone)]
pub(super) struct Story {
    pub(super) n_visits: usize,
    pub(super) lesions: Vec<StoryLesion>,
    /// Linear scale by lesion and visit; 0 where the lesion is not there.
    pub(super) scales: Vec<Vec<f64>>,
    pub(super) zones: Vec<StoryZone>,
}

/// Below this radius a lesion is gone, mm.
const GONE_MM: f64 = 1.75;
const LIVER_MM: [f64; 3] = [105.0, 80.0, 80.0];

pub(super) fn story(rng: &mut ChaCha8Rng) -> Story {
    let n_visits = whole(rng, 3, 6) as usize;
    let mut story = Story { n_visits, lesions: Vec::new(), scales: Vec::new(), zones: Vec::new() };
    let is_miliary = chance(rng, 0.08);
    let n_lesions = if is_miliary { whole(rng, 12, 20) } else { 1 + poisson(rng, 3.5) };
    for _ in 0..n_lesions {
        let diameter = if is_miliary { log_normal(rng, 11.0, 0.3) } else { log_normal(rng, 18.0, 0.5) };
        add(&mut story, rng, diameter.clamp(6.0, 70.0), false);
    }
    let trend = -0.08 + 0.22 * normal(rng);
    for _ in 0..story.lesions.len() {
        let scales = growth(rng, &story.lesions[story.scales.len()], n_visits, 0, trend);
        story.scales.push(scales);
    }
    treat(&mut story, rng);
    for visit in 1..n_visits {
        for _ in 0..poisson(rng, 0.25) {
            let diameter = log_normal(rng, 12.0, 0.4).clamp(5.0, 40.0);
            if add(&mut story, rng, diameter, false) {
                let grows = trend.abs().max(0.05);
                let scales = growth(rng, &story.lesions[story.scales.len()], n_visits, visit, grows);
                story.scales.push(scales);
            }
        }
    }
    for _ in 0..poisson(rng, 0.25) {
        let diameter = between(rng, 6.0, 18.0);
        if add(&mut story, rng, diameter, true) {
            story.scales.push(vec![1.0; n_visits]);
        }
    }
    story
}

/// Places one more lesion, one in five as a near neighbour; `false` where there is no room.
fn add(story: &mut Story, rng: &mut ChaCha8Rng, diameter: f64, is_benign: bool) -> bool {
    for _ in 0..20 {
        let (site, radius_mm) = match rng_share(rng) {
            _ if is_benign => (Site::Liver, diameter / 2.0),
            share if share < 0.85 => (Site::Liver, diameter / 2.0),
            share if share < 0.95 => (Site::Lung, diameter.min(30.0) / 2.0),
            _ => (Site::Node, diameter.clamp(10.0, 30.0) / 2.0),
        };
        let near = chance(rng, 0.2).then_some(story.lesions.len()).filter(|n| *n > 0);
        let center = match near {
            Some(n) => {
                let other = &story.lesions[whole(rng, 0, n as i64 - 1) as usize];
                if other.site != site {
                    continue;
                }
                other.center + direction(rng) * (other.radius_mm + radius_mm + between(rng, 2.0, 10.0))
            }
            None => place(rng, site),
        };
        let is_free = |other: &StoryLesion| (other.center - center).norm() > 1.15 * (other.radius_mm + radius_mm) + 1.0;
        if story.lesions.iter().all(is_free) {
            let lesion = body(rng, site, center, radius_mm);
            story.lesions.push(StoryLesion { is_benign, ..lesion });
            return true;
        }
    }
    // Without room the lesion is left out; a baseline lesion always finds some, as the first does.
    false
}

fn place(rng: &mut ChaCha8Rng, site: Site) -> Vector3<f64> {
    let within = |rng: &mut ChaCha8Rng, semi: [f64; 3]| {
        let v = direction(rng) * between(rng, 0.0, 1.0).cbrt();
        Vector3::new(v.x * semi[0], v.y * semi[1], v.z * semi[2])
    };
    match site {
        Site::Liver | Site::Untold => within(rng, LIVER_MM),
        Site::Lung => Vector3::new(20.0, 0.0, 190.0) + within(rng, [130.0, 80.0, 80.0]),
        Site::Node => Vector3::new(60.0, 30.0, -80.0) + within(rng, [50.0, 40.0, 120.0]),
    }
}

fn body(rng: &mut ChaCha8Rng, site: Site, center: Vector3<f64>, radius_mm: f64) -> StoryLesion {
    let axes = |rng: &mut ChaCha8Rng, radius: f64| {
        Vector3::new(between(rng, 0.75, 1.25), between(rng, 0.75, 1.25), between(rng, 0.75, 1.25)) * radius
    };
    let lobes = if radius_mm > 5.0 && chance(rng, 0.2) {
        let apart = direction(rng) * radius_mm * between(rng, 0.42, 0.55);
        let share = between(rng, 0.65, 0.85);
        vec![(apart, axes(rng, 0.8 * radius_mm)), (-apart, axes(rng, share * radius_mm))]
    } else {
        vec![(Vector3::zeros(), axes(rng, radius_mm))]
    };
    StoryLesion { site, is_benign: false, center, radius_mm, lobes, drift: normal3(rng) * 0.25 }
}

/// The linear scale at each visit from `begins` on; what has vanished comes back now and then.
fn growth(rng: &mut ChaCha8Rng, lesion: &StoryLesion, n_visits: usize, begins: usize, trend: f64) -> Vec<f64> {
    let rate = trend + 0.12 * normal(rng);
    let mut scales = vec![0.0; n_visits];
    let mut scale = 1.0;
    for (visit, at) in scales.iter_mut().enumerate().skip(begins) {
        if visit > begins {
            scale *= (rate + 0.06 * normal(rng)).clamp(-0.7, 0.3).exp();
            if scale > 0.0 && chance(rng, 0.02) {
                scale = 0.0;
            } else if scale == 0.0 && chance(rng, 0.12) {
                scale = between(rng, 3.0, 5.0) / lesion.radius_mm;
            }
        }
        let radius = scale * lesion.radius_mm;
        if radius < GONE_MM {
            scale = 0.0;
        }
        *at = scale.min((1.6_f64).max(30.0 / lesion.radius_mm).min(2.5));
    }
    scales
}

/// One patient in three is ablated: one or two lesions of the liver below 35 mm; one zone in five has a recurrence later.
fn treat(story: &mut Story, rng: &mut ChaCha8Rng) {
    if !chance(rng, 0.33) {
        return;
    }
    let n_treated = whole(rng, 1, 2) as usize;
    let first = whole(rng, 1, 2.min(story.n_visits as i64 - 1)) as usize;
    let fit = |n: &usize| {
        let radius = story.scales[*n][first - 1] * story.lesions[*n].radius_mm;
        story.lesions[*n].site == Site::Liver && radius > 3.0 && radius < 17.5
    };
    let treated: Vec<usize> = (0..story.lesions.len()).filter(fit).take(n_treated).collect();
    for lesion in treated {
        let radius_mm = story.scales[lesion][first - 1] * story.lesions[lesion].radius_mm + between(rng, 4.0, 9.0);
        let later = first + 1;
        let recurs = (later < story.n_visits && chance(rng, 0.2)).then(|| {
            (whole(rng, later as i64, story.n_visits as i64 - 1) as usize, direction(rng), between(rng, 3.5, 8.0))
        });
        for scale in &mut story.scales[lesion][first..] {
            *scale = 0.0;
        }
        story.zones.push(StoryZone { lesion, from_visit: first, radius_mm, recurs });
    }
}

fn rng_share(rng: &mut ChaCha8Rng) -> f64 {
    between(rng, 0.0, 1.0)
}

pub(super) fn log_normal(rng: &mut ChaCha8Rng, median: f64, sigma: f64) -> f64 {
    median * (sigma * normal(rng)).exp()
}

/// A Poisson draw (Knuth 1969, multiplication of uniforms).
pub(super) fn poisson(rng: &mut ChaCha8Rng, mean: f64) -> i64 {
    let limit = (-mean).exp();
    let (mut product, mut n) = (between(rng, 0.0, 1.0), 0);
    while product > limit {
        product *= between(rng, 0.0, 1.0);
        n += 1;
    }
    n
}
