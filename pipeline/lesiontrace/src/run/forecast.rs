//! What a run will take, said by `--dry-run`: time, memory and disk, from what headers tell of the images and from rates that were
//! measured. A forecast is a range: machines differ, and so does what is in an image.
//!
//! Rates: processor seconds and bytes of runs with 2 threads on two cores of a virtual machine (x86_64, AVX2), by
//! `scripts/measure_forecast` on `lesiontrace phantom --patients 4 --seed 7` (21 visits of 3.3 million voxels) and on the patient of
//! `scripts/compare_pipeline` (2 visits of 78.6 million), each with rigid and deformable registration, and the former with the shipped
//! network, too; two sizes give what a visit takes in any case and what each voxel adds.

use std::collections::BTreeMap;

use super::memory_need;
use crate::config::{MaskSource, Study, VisitTransform};
use crate::manifest::Equipment;
use crate::models;
use crate::plan::{PackedPatient, PatientPlan, SeriesPlan, VisitPlan};
use crate::stages::viewer;
use range::Range;

mod range;

/// Processor seconds of a visit, whatever its size, and of a million voxels read: masks, diameters, second looks, pictures.
const VISIT_SECONDS: (f64, f64) = (0.45, 0.07);
/// Processor seconds of a rigid or affine registration, and of a million voxels of the moving image.
const PAIR_SECONDS: (f64, f64) = (0.3, 0.07);
/// Processor seconds that bending adds to a pair (6.7 and 11.5 s).
const BENDING_SECONDS: f64 = 9.0;
/// Share of that for a pair that turns out to need no bend: it is looked for, not proven.
const KEPT_STRAIGHT: f64 = 0.3;
/// Processor seconds of the shipped network for a litre of image: it works on voxels of its own size.
const NETWORK_SECONDS: f64 = 0.15;
/// Seconds of the cohort's tables and figures, and of a patient in them (`scripts/measure_growth`, 50 and 5,000 patients).
const COHORT_SECONDS: (f64, f64) = (0.7, 0.03);
/// By how much other machines and other images take less or more time than the ones measured.
const TIME_SPREAD: (f64, f64) = (0.4, 2.5);

/// Share of [`memory_need`], which is a bound, that a patient held at least (0.51 to 0.98 were measured).
const NEED_SPREAD: (f64, f64) = (0.4, 1.0);
/// Bytes of the program itself, with what it holds while it collects.
const PROGRAM_BYTES: Range = Range { low: 40e6, high: 400e6 };
/// Bytes of the shipped network's inner layers for each patient at work (380 MiB were measured).
const NETWORK_BYTES: Range = Range { low: 150e6, high: 800e6 };

/// Bytes a visit leaves, and of a million voxels: masks, the overlay, pictures of the page.
const VISIT_BYTES: (f64, f64) = (0.7e6, 0.045e6);
/// Bytes a deformable registration leaves in the cache and in the pictures (3.1 and 5.5 MB).
const BENDING_LEFT: f64 = 4.0e6;
/// Bytes of a kept image for each of its voxels: 16 bits, compressed.
const KEPT_IMAGE: Range = Range { low: 0.8, high: 2.2 };
/// Bytes of a viewer: its volumes once by themselves and once in the page, and the library (the budget; a small organ takes less).
const VIEWER_BYTES: Range = Range { low: 3.0e6, high: 2.0 * viewer::BUDGET_BYTES as f64 + 2.4e6 };
/// Bytes of `cohort/`, and of each patient in it (1, 4 and 12 patients were measured; figures stop growing).
const COHORT_BYTES: (Range, Range) = (Range { low: 0.2e6, high: 2.0e6 }, Range { low: 0.1e6, high: 1.0e6 });
/// By how much other patients leave less or more than the ones measured.
const DISK_SPREAD: (f64, f64) = (0.5, 2.0);

/// What a run will take.
pub(super) struct Forecast {
    n_patients: usize,
    n_visits: usize,
    n_pairs: usize,
    voxels: u64,
    seconds: Range,
    memory: Range,
    disk: Range,
    unknown: Vec<String>,
}

/// With what a run works.
#[derive(Clone, Copy)]
pub(super) struct Means<'a> {
    study: &'a Study,
    /// The network that finds lesions: `Some(true)` is the shipped one on a processor, whose rate was measured.
    network: Option<bool>,
    /// Whether networks outline what readers marked.
    is_prompted: bool,
    /// Whether pages have a viewer.
    has_viewer: bool,
    n_threads: usize,
    /// Bytes the patients at work may need together.
    bound: u64,
}

impl<'a> Means<'a> {
    pub(super) fn of(equipment: &'a Equipment, n_threads: usize, bound: u64) -> Self {
        let study = &equipment.study.study;
        let network = equipment.segmenter.as_ref().map(|opened| {
            let card = opened.network.card();
            format!("{}-{}", card.name, card.version) == models::SHIPPED && study.models.device == "cpu"
        });
        Self {
            study,
            network,
            is_prompted: !equipment.prompted.is_empty(),
            has_viewer: equipment.viewer.is_some(),
            n_threads,
            bound,
        }
    }

    fn bends(&self) -> bool {
        self.study.registration.transform == VisitTransform::Deformable
    }

    /// [`memory_need`] of a patient.
    fn need(&self, patient: &PatientPlan) -> u64 {
        memory_need(patient, self.study.registration.transform, self.has_viewer)
    }

    /// Whether the visit's outlines are the network's.
    fn takes_network(&self, visit: &VisitPlan) -> bool {
        visit.masks.is_none() && self.study.models.source != MaskSource::Imported
    }
}

/// Processor milliseconds of each patient, the middle of what is forecast: shares of the cohort are made even by them.
pub(super) fn costs<'a>(patients: &'a [PackedPatient], means: Means<'_>) -> BTreeMap<&'a str, u64> {
    patients.iter().map(|patient| (patient.id.as_str(), cost(&patient.open(), means))).collect()
}

fn cost(patient: &PatientPlan, means: Means<'_>) -> u64 {
    let Range { low, high } = if patient.faults.is_empty() { seconds(patient, means) } else { Range::default() };
    (500.0 * (low + high)).round() as u64
}

/// The patients a run does, as far as a forecast needs them. Those with faults cost nothing: they are not started.
pub(super) struct Taken<'a> {
    means: Means<'a>,
    n_visits: usize,
    n_pairs: usize,
    voxels: u64,
    /// Processor seconds of each patient.
    seconds: Vec<Range>,
    /// [`memory_need`] of each patient.
    needs: Vec<u64>,
    disk: Range,
    /// Visits of which something is not known, in the order of [`UNKNOWN`].
    n_unknown: [usize; UNKNOWN.len()],
}

impl<'a> Taken<'a> {
    /// Nobody yet.
    pub(super) fn new(means: Means<'a>) -> Self {
        let (seconds, needs, n_unknown) = (Vec::new(), Vec::new(), [0; UNKNOWN.len()]);
        Self { means, n_visits: 0, n_pairs: 0, voxels: 0, seconds, needs, disk: Range::default(), n_unknown }
    }

    /// Takes one patient in.
    pub(super) fn add(&mut self, patient: &PatientPlan) {
        if !patient.faults.is_empty() {
            return;
        }
        self.n_visits += patient.visits.len();
        self.n_pairs += patient.visits.len().saturating_sub(1);
        self.voxels += patient.visits.iter().flat_map(images).map(|series| series.entry.n_voxels).sum::<u64>();
        self.seconds.push(seconds(patient, self.means));
        self.needs.push(self.means.need(patient));
        self.disk = self.disk + left(patient, self.means);
        for visit in &patient.visits {
            let is_unknown = unknown(visit, self.means);
            self.n_unknown.iter_mut().zip(is_unknown).for_each(|(n, is)| *n += usize::from(is));
        }
    }

    /// What they will take.
    pub(super) fn forecast(&self) -> Forecast {
        let n_patients = self.seconds.len();
        let of_patients = by_the_clock(&self.seconds, self.n_at_work(), self.means.n_threads);
        let told = |((what, why), n): (&(&str, &str), usize)| format!("{what}, at {n} visits: not known because {why}");
        Forecast {
            n_patients,
            n_visits: self.n_visits,
            n_pairs: self.n_pairs,
            voxels: self.voxels,
            seconds: of_patients + cohort_seconds(n_patients),
            memory: self.memory(),
            disk: self.disk + cohort_bytes(n_patients),
            unknown: UNKNOWN.iter().zip(self.n_unknown).filter(|(_, n)| *n > 0).map(told).collect(),
        }
    }

    /// Patients that can be at work together.
    fn n_at_work(&self) -> usize {
        let largest = self.needs.iter().copied().max().unwrap_or(0).max(1);
        let n_fit = usize::try_from(self.means.bound / largest).unwrap_or(usize::MAX);
        self.means.n_threads.min(n_fit).clamp(1, self.needs.len().max(1))
    }

    /// Bytes in memory: the largest patient alone at least, and at most those at work beside each other.
    fn memory(&self) -> Range {
        let mut needs: Vec<f64> = self.needs.iter().map(|need| *need as f64).collect();
        needs.sort_by(|a, b| b.total_cmp(a));
        let largest = needs.first().copied().unwrap_or(0.0);
        let bound = (self.means.bound as f64).max(largest);
        let together = needs.iter().take(self.means.n_threads).sum::<f64>().min(bound);
        let network = if self.means.network.is_some() { NETWORK_BYTES } else { Range::default() };
        Range {
            low: largest * NEED_SPREAD.0 + PROGRAM_BYTES.low + network.low,
            high: together * NEED_SPREAD.1 + PROGRAM_BYTES.high + network.high * self.n_at_work() as f64,
        }
    }
}

impl Forecast {
    /// Lines to be printed.
    pub(super) fn as_text(&self, n_threads: usize) -> String {
        if self.n_patients == 0 {
            return "forecast: nothing to do\n".to_owned();
        }
        let (time, memory, disk) = (self.seconds.as_time(), self.memory.as_memory(), self.disk.as_size());
        let threads = if n_threads == 1 { "thread" } else { "threads" };
        let mut text = format!("forecast: {time} with {n_threads} {threads}, {memory} of memory, {disk} on disk\n");
        text.push_str(&format!(
            "  for {} visits with {} million voxels to read and {} registrations; less where the cache has them\n",
            self.n_visits,
            self.voxels.div_ceil(1_000_000),
            self.n_pairs
        ));
        text.extend(self.unknown.iter().map(|reason| format!("  not in it: {reason}\n")));
        text
    }
}

/// The series of a visit whose images are read.
fn images(visit: &VisitPlan) -> impl Iterator<Item = &SeriesPlan> {
    std::iter::once(&visit.measure).chain(&visit.arterial).chain(&visit.pet).chain(&visit.adc)
}

fn millions(visit: &VisitPlan) -> f64 {
    images(visit).map(|series| series.entry.n_voxels as f64).sum::<f64>() / 1e6
}

/// Litres of a series; `None` where its headers state no spacing.
fn litres(series: &SeriesPlan) -> Option<f64> {
    let mm3: f64 = series.entry.row.spacing_mm?.iter().product();
    Some(series.entry.n_voxels as f64 * mm3 / 1e6)
}

/// Processor seconds of one patient.
fn seconds(patient: &PatientPlan, means: Means<'_>) -> Range {
    let of_visit = |visit: &VisitPlan| VISIT_SECONDS.0 + VISIT_SECONDS.1 * millions(visit);
    let moving = |visit: &VisitPlan| visit.measure.entry.n_voxels as f64 / 1e6;
    let of_pair = |visit: &VisitPlan| PAIR_SECONDS.0 + PAIR_SECONDS.1 * moving(visit);
    let measured = patient.visits.iter().filter(|visit| means.takes_network(visit) && means.network == Some(true));
    let network: f64 = measured.filter_map(|visit| litres(&visit.measure)).sum::<f64>() * NETWORK_SECONDS;
    let all =
        patient.visits.iter().map(of_visit).sum::<f64>() + patient.visits.iter().skip(1).map(of_pair).sum::<f64>();
    Range::about(all + network, TIME_SPREAD) + bending(patient, means, BENDING_SECONDS, TIME_SPREAD, KEPT_STRAIGHT)
}

/// What bending adds to a patient: all of it for every pair, or of pairs that are kept straight a share; of those alone where nothing
/// is bent, since a bend is looked for there, too.
fn bending(patient: &PatientPlan, means: Means<'_>, of_pair: f64, spread: (f64, f64), straight: f64) -> Range {
    let all = Range::about(of_pair * patient.visits.len().saturating_sub(1) as f64, spread);
    let high = if means.bends() { all.high } else { straight * all.high };
    Range { low: straight * all.low, high }
}

/// Seconds by the clock: at best all threads are at work to the end, one patient's included; at worst each patient uses one processor and
/// the longest begins last.
fn by_the_clock(seconds: &[Range], n_at_work: usize, n_threads: usize) -> Range {
    let (sum, n): (Range, f64) = (seconds.iter().copied().sum(), n_at_work as f64);
    let longest = seconds.iter().map(|range| range.high).fold(0.0, f64::max);
    Range { low: sum.low / n_threads as f64, high: sum.high / n + longest * (1.0 - 1.0 / n) }
}

fn cohort_seconds(n_patients: usize) -> Range {
    Range::about(COHORT_SECONDS.0 + COHORT_SECONDS.1 * n_patients as f64, TIME_SPREAD)
}

/// Bytes a patient leaves on disk.
fn left(patient: &PatientPlan, means: Means<'_>) -> Range {
    let keeps_images = means.study.outputs.keep.iter().any(|kept| kept == "image");
    let of_visit = |visit: &VisitPlan| {
        let voxels = visit.measure.entry.n_voxels as f64;
        let image = if keeps_images { KEPT_IMAGE * voxels } else { Range::default() };
        Range::about(VISIT_BYTES.0 + VISIT_BYTES.1 * voxels / 1e6, DISK_SPREAD) + image
    };
    let viewer = if means.has_viewer { VIEWER_BYTES } else { Range::default() };
    let visits = patient.visits.iter().map(of_visit).sum::<Range>();
    visits + bending(patient, means, BENDING_LEFT, DISK_SPREAD, 0.0) + viewer
}

fn cohort_bytes(n_patients: usize) -> Range {
    COHORT_BYTES.0 + COHORT_BYTES.1 * n_patients as f64
}

/// What may not be in the numbers, and why.
const UNKNOWN: [(&str, &str); 4] = [
    ("time, memory and disk", "headers do not tell the number of voxels"),
    ("the network's time and memory", "only the shipped network was measured, on a processor"),
    ("the network's time", "headers do not tell how large the voxels are"),
    ("outlines made from marks", "only the images tell which marks have none yet"),
];

/// Which of [`UNKNOWN`] is so of a visit.
fn unknown(visit: &VisitPlan, means: Means<'_>) -> [bool; UNKNOWN.len()] {
    let by_network = means.takes_network(visit);
    let by_other = by_network && means.network != Some(true);
    [
        images(visit).any(|series| series.entry.n_voxels == 0),
        by_other,
        by_network && !by_other && litres(&visit.measure).is_none(),
        means.is_prompted && !visit.marks.is_empty(),
    ]
}

#[cfg(test)]
mod tests;
