//! Registers follow-ups of synthetic patients to baseline, as a run does, and compares with where points of the liver truly are.
//!
//! `cargo xtask validate-registration [FIRST_SEED N_SEEDS]` (built optimised: `cargo run --release -p lesiontrace-phantom
//! --example validate_registration -- 1 6`). Three groups: the scenarios of the demo; a large deformation, which must not pass;
//! another patient's liver, which must not pass either.

use imaging::registration::{Metric, Quality, Registration, RegistrationOptions, Spread, TransformKind, register};
use imaging::{Mask, Mm, Point, Volume, morphology};
use lesiontrace_phantom::{CohortSpec, Image, Phase, Scenario, Visit, cohort, cohort_truth};

/// As in the built-in study file.
const CLAMP_HU: (f32, f32) = (-150.0, 250.0);
const SEED: u64 = 20_090_101;
/// As the program dilates the organ.
const ORGAN_RIM: Mm = Mm(8.0);
/// 95 % of an isotropic three-dimensional normal error of σ per axis lie within this many σ.
const SIGMAS_OF_95_PERCENT: f64 = 2.80;

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |n: usize, default: u64| arguments.get(n).map_or(Ok(default), |text| text.parse());
    let (first, n_seeds) = (number(0, 1), number(1, 2));
    let (Ok(first), Ok(n_seeds)) = (first, n_seeds) else {
        return Err(std::io::Error::other("expected two whole numbers: FIRST_SEED N_SEEDS"));
    };
    let seeds: Vec<u64> = (first..first + n_seeds).collect();
    println!("seeds {first} to {}: follow-ups registered rigidly to baseline", first + n_seeds - 1);
    let mut demo = Group::new("demo scenarios");
    let mut large = Group::new("large deformation");
    let mut other = Group::new("another patient");
    for seed in seeds {
        follow_ups(&CohortSpec { n_patients: 6, seed, scenario: None }, &mut demo);
        let scenario = Some(Scenario::LargeDeformation);
        follow_ups(&CohortSpec { n_patients: 1, seed, scenario }, &mut large);
        strangers(seed, &mut other);
    }
    for group in [&demo, &large, &other] {
        println!("{}", group.line());
    }
    let wrong = large.counts[0] + other.counts[0];
    println!("{wrong} of {} pairs that must not pass passed", large.n() + other.n());
    if wrong == 0 { Ok(()) } else { Err(std::io::Error::other("a registration passed that must not")) }
}

/// What came of the pairs of one kind.
struct Group {
    name: &'static str,
    /// Pass, review, fail.
    counts: [usize; 3],
    errors_mm: Vec<f64>,
    /// Errors of the pairs that passed.
    passed_mm: Vec<f64>,
    /// Landmarks within the stated error, of how many.
    within: [usize; 2],
}

impl Group {
    fn new(name: &'static str) -> Self {
        Self { name, counts: [0; 3], errors_mm: Vec::new(), passed_mm: Vec::new(), within: [0; 2] }
    }

    fn n(&self) -> usize {
        self.counts.iter().sum()
    }

    fn add(&mut self, registration: &Registration, errors_mm: &[f64]) {
        let at = match registration.quality {
            Quality::Pass => 0,
            Quality::Review => 1,
            Quality::Fail => 2,
        };
        self.counts[at] += 1;
        self.errors_mm.extend(errors_mm);
        if at == 0 {
            self.passed_mm.extend(errors_mm);
        }
        if at < 2 {
            let spread = registration.estimated_error.as_ref().map_or(0.0, |s| s.mean_mm);
            let residual = registration.residual.as_ref().map_or(0.0, |s| s.mean_mm / 2.0);
            let reach = SIGMAS_OF_95_PERCENT * spread.hypot(residual);
            self.within[0] += errors_mm.iter().filter(|e| **e <= reach).count();
            self.within[1] += errors_mm.len();
        }
    }

    fn line(&self) -> String {
        let [pass, review, fail] = self.counts;
        let figures = |errors: &[f64]| {
            Spread::of(errors).map_or("none".to_owned(), |s| {
                format!("mean {:.2}, p95 {:.2}, largest {:.2} mm", s.mean_mm, s.p95_mm, s.max_mm)
            })
        };
        let [n_within, n] = self.within;
        let share = if n == 0 {
            String::new()
        } else {
            format!("; within 2.80 σ: {:.0} %", 100.0 * n_within as f64 / n as f64)
        };
        format!(
            "{}: {} pairs: {pass} pass, {review} review, {fail} fail; errors {}; of those that passed {}{share}",
            self.name,
            self.n(),
            figures(&self.errors_mm),
            figures(&self.passed_mm)
        )
    }
}

fn follow_ups(spec: &CohortSpec, group: &mut Group) {
    let patients = cohort(spec);
    let truth = cohort_truth(&patients);
    for (patient, known) in patients.iter().zip(&truth.patients) {
        let Some(baseline) = patient.visit(0) else { continue };
        for visit in (1..patient.n_visits()).filter_map(|n| patient.visit(n)) {
            let Some(registration) = to_baseline(&baseline, &visit) else {
                group.counts[2] += 1;
                continue;
            };
            let errors: Vec<f64> = known.visits[visit.number]
                .landmarks
                .iter()
                .map(|pair| {
                    let carried = registration.moving_to_fixed.apply(Point::from(pair.visit_lps));
                    carried.distance(Point::from(pair.baseline_lps))
                })
                .collect();
            group.add(&registration, &errors);
        }
    }
}

/// Baselines of two patients of one cohort: no map is true, so there are no errors, and none may pass.
fn strangers(seed: u64, group: &mut Group) {
    let patients = cohort(&CohortSpec { n_patients: 3, seed, scenario: None });
    for (one, other) in [(0, 1), (1, 2)] {
        let pair = patients[one].visit(0).zip(patients[other].visit(0));
        match pair.and_then(|(fixed, moving)| to_baseline(&fixed, &moving)) {
            Some(registration) => group.add(&registration, &[]),
            None => group.counts[2] += 1,
        }
    }
}

/// As the program's stage *register* does it; `None` where the images cannot be registered.
fn to_baseline(fixed: &Visit, moving: &Visit) -> Option<Registration> {
    let (fixed_image, moving_image) = (portal_venous(fixed)?, portal_venous(moving)?);
    let rim = |visit: &Visit| morphology::dilate(&visit.organ, ORGAN_RIM).ok();
    let (fixed_organ, moving_organ) = (rim(fixed)?, rim(moving)?);
    let (fixed_out, moving_out) = (ill(fixed)?, ill(moving)?);
    let options = RegistrationOptions {
        transform: TransformKind::Rigid,
        metric: Metric::NormalizedCorrelation,
        fixed_clamp: Some(CLAMP_HU),
        moving_clamp: Some(CLAMP_HU),
        fixed_mask: Some(&fixed_organ),
        moving_mask: Some(&moving_organ),
        fixed_exclusion: Some(&fixed_out).filter(|m| !m.is_empty_mask()),
        moving_exclusion: Some(&moving_out).filter(|m| !m.is_empty_mask()),
        seed: SEED,
    };
    register(&fixed_image, &moving_image, &options).ok()
}

fn portal_venous(visit: &Visit) -> Option<Volume<f32>> {
    let series = visit.series.iter().find(|s| s.phase == Some(Phase::PortalVenous))?;
    match &series.image {
        Image::Ct(hu) => Some(hu.to_values()),
        _ => None,
    }
}

fn ill(visit: &Visit) -> Option<Mask> {
    let pairs = visit.lesions.values().iter().zip(visit.zones.values());
    Mask::from_values(pairs.map(|(l, z)| *l != 0 || *z != 0).collect(), visit.organ.grid().clone()).ok()
}
