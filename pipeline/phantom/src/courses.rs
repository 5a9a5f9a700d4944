//! Courses of patients as outlines alone, without images: what a tracker is given, with the truth beside it.
//!
//! Lesions grow, shrink, vanish, come back, grow together, fall apart, are ablated and recur at the zone; new ones come. Outlines
//! are wrong in ways of real ones (a lost rim, a leak, a bridge, a cut, nothing outlined, an outline of nothing), scans end too
//! early, and the registration errs: together within a visit, smoothly over the organ, with outliers. All rates are the project's
//! assumptions (see `test_data/oracles/tracking`); nothing here knows how lesions are followed.

mod error;
mod outline;
mod story;

use std::collections::BTreeSet;

use imaging::{Patient, Point};

pub use outline::Outline;

use crate::random::stream;

/// Where a lesion lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Site {
    /// In the liver.
    Liver,
    /// In the lung.
    Lung,
    /// A lymph node.
    Node,
    /// Not told with the outline.
    Untold,
}

/// What is true of a lesion at a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TrueState {
    /// Not there yet.
    NotYet,
    /// There and outlined.
    Outlined,
    /// There, imaged and not outlined.
    Missed,
    /// Gone, its place imaged.
    Gone,
    /// Its place was not imaged.
    NotCovered,
    /// A zone stands in its place, without viable tumour outlined.
    Ablated,
}

/// One lesion, or a benign structure that is outlined as one now and then.
#[derive(Debug, Clone)]
pub struct CourseLesion {
    /// Where it truly lies.
    pub site: Site,
    /// A cyst, a haemangioma: never disease, so that it is never a new lesion.
    pub is_benign: bool,
    /// The visit at which it first exists.
    pub begins: usize,
}

/// One outline of a visit.
#[derive(Debug, Clone)]
pub struct CourseFinding {
    /// Its voxels, where the registration lays them in the baseline frame.
    pub outline: Outline,
    /// The site told with it.
    pub site: Site,
    /// The lesions it holds; none where nothing is there.
    pub holds: BTreeSet<usize>,
    /// Whether a closer look at the image says that nothing is there.
    pub looks_benign: bool,
}

/// A zone of ablation as seen at a visit.
#[derive(Debug, Clone)]
pub struct CourseZone {
    /// The lesion treated.
    pub lesion: usize,
    /// Its centre, where the registration lays it in the baseline frame.
    pub center: Point<Patient>,
    /// Its radius, mm.
    pub radius_mm: f64,
}

/// One visit.
#[derive(Debug, Clone)]
pub struct CourseVisit {
    /// The outlines.
    pub findings: Vec<CourseFinding>,
    /// What is true of each lesion.
    pub states: Vec<TrueState>,
    /// Whether a second, more sensitive look at the image shows something at the lesion's place, by lesion.
    pub traces: Vec<bool>,
    /// The same of a place where nothing is; drawn once a visit.
    pub trace_of_nothing: bool,
    /// The zones seen.
    pub zones: Vec<CourseZone>,
    /// What the scan covers along z, mm, where the registration lays it in the baseline frame.
    pub covered_z_mm: (f64, f64),
}

/// One patient.
#[derive(Debug, Clone)]
pub struct Course {
    /// Lesions and benign structures.
    pub lesions: Vec<CourseLesion>,
    /// The visits, baseline first.
    pub visits: Vec<CourseVisit>,
}

/// The course of patient `number` under `seed`, registered with an error of nominally `sigma_mm` per axis. The story and the
/// outlines' own faults are the same at every error.
pub fn course(seed: u64, number: usize, sigma_mm: f64) -> Course {
    let story = story::story(&mut stream(seed, &format!("course {number}")));
    let n_visits = story.scales.first().map_or(0, Vec::len).max(story.n_visits);
    let lesions = story
        .lesions
        .iter()
        .zip(&story.scales)
        .map(|(lesion, scales)| CourseLesion {
            site: lesion.site,
            is_benign: lesion.is_benign,
            begins: scales.iter().position(|scale| *scale > 0.0).unwrap_or(n_visits),
        })
        .collect();
    let visits = (0..n_visits).map(|n| {
        let field = error::field(&mut stream(seed, &format!("course {number} error {n}")), n, sigma_mm);
        outline::visit(&story, n, &field, &mut stream(seed, &format!("course {number} outlines {n}")))
    });
    Course { lesions, visits: visits.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_course_and_the_error_changes_places_alone() {
        let (a, b, moved) = (course(3, 7, 0.0), course(3, 7, 0.0), course(3, 7, 8.0));
        assert_eq!(format!("{a:?}"), format!("{b:?}"));
        for (true_visit, moved) in a.visits.iter().zip(&moved.visits) {
            assert_eq!(true_visit.states, moved.states);
            let holds = |visit: &CourseVisit| visit.findings.iter().map(|f| f.holds.clone()).collect::<Vec<_>>();
            assert_eq!(holds(true_visit), holds(moved));
        }
        assert_ne!(format!("{:?}", a.visits[1].findings), format!("{:?}", moved.visits[1].findings));
    }

    #[test]
    fn a_cohort_holds_everything_that_can_happen() {
        let (mut pieces, mut fused, mut of_nothing, mut new) = (0, 0, 0, 0);
        let mut states = BTreeSet::new();
        for course in (0..60).map(|n| course(1, n, 2.0)) {
            assert!((3..=6).contains(&course.visits.len()));
            new += course.lesions.iter().filter(|l| l.begins > 0 && !l.is_benign).count();
            for visit in &course.visits {
                states.extend(visit.states.iter().copied());
                fused += visit.findings.iter().filter(|f| f.holds.len() > 1).count();
                of_nothing += visit.findings.iter().filter(|f| f.holds.is_empty()).count();
                let n_of = |lesion: usize| visit.findings.iter().filter(|f| f.holds.contains(&lesion)).count();
                pieces += (0..course.lesions.len()).filter(|lesion| n_of(*lesion) > 1).count();
            }
        }
        assert_eq!(states.len(), 6, "{states:?}");
        assert!(pieces >= 10 && fused >= 10 && of_nothing >= 10 && new >= 20, "{pieces} {fused} {of_nothing} {new}");
    }
}
