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
use crate::plan::{PatientPlan, SeriesPlan, VisitPlan};
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
pub(super) fn costs<'a>(patients: &'a [PatientPlan], means: Means<'_>) -> BTreeMap<&'a str, u64> {
    let cost = |patient: &PatientPlan| {
        let Range { low, high } = if patient.faults.is_empty() { seconds(patient, means) } else { Range::default() };
        (500.0 * (low + high)).round() as u64
    };
    patients.iter().map(|patient| (patient.id.as_str(), cost(patient))).collect()
}

/// The forecast for the patients a run does. Those with faults cost nothing: they are not started.
pub(super) fn forecast(patients: &[&PatientPlan], means: Means<'_>) -> Forecast {
    let sound: Vec<&PatientPlan> = patients.iter().copied().filter(|patient| patient.faults.is_empty()).collect();
    let visits = || sound.iter().flat_map(|patient| &patient.visits);
    let seconds: Vec<Range> = sound.iter().map(|patient| seconds(patient, means)).collect();
    let n_patients = sound.len();
    Forecast {
        n_patients,
        n_visits: visits().count(),
        n_pairs: sound.iter().map(|patient| patient.visits.len().saturating_sub(1)).sum(),
        voxels: visits().flat_map(images).map(|series| series.entry.n_voxels()).sum(),
        seconds: by_the_clock(&seconds, n_at_work(&sound, means), means.n_threads) + cohort_seconds(n_patients),
        memory: memory(&sound, means),
        disk: sound.iter().map(|patient| left(patient, means)).sum::<Range>() + cohort_bytes(n_patients),
        unknown: unknown(&sound, means),
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
    images(visit).map(|series| series.entry.n_voxels() as f64).sum::<f64>() / 1e6
}

/// Litres of a series; `None` where its headers state no spacing.
fn litres(series: &SeriesPlan) -> Option<f64> {
    let mm3: f64 = series.entry.row.spacing_mm?.iter().product();
    Some(series.entry.n_voxels() as f64 * mm3 / 1e6)
}

/// Processor seconds of one patient.
fn seconds(patient: &PatientPlan, means: Means<'_>) -> Range {
    let of_visit = |visit: &VisitPlan| VISIT_SECONDS.0 + VISIT_SECONDS.1 * millions(visit);
    let moving = |visit: &VisitPlan| visit.measure.entry.n_voxels() as f64 / 1e6;
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

/// Patients that can be at work together.
fn n_at_work(patients: &[&PatientPlan], means: Means<'_>) -> usize {
    let largest = patients.iter().map(|patient| means.need(patient)).max().unwrap_or(0).max(1);
    means.n_threads.min(usize::try_from(means.bound / largest).unwrap_or(usize::MAX)).clamp(1, patients.len().max(1))
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

/// Bytes in memory: the largest patient alone at least, and at most those at work beside each other.
fn memory(patients: &[&PatientPlan], means: Means<'_>) -> Range {
    let mut needs: Vec<f64> = patients.iter().map(|patient| means.need(patient) as f64).collect();
    needs.sort_by(|a, b| b.total_cmp(a));
    let largest = needs.first().copied().unwrap_or(0.0);
    let together = needs.iter().take(means.n_threads).sum::<f64>().min((means.bound as f64).max(largest));
    let network = if means.network.is_some() { NETWORK_BYTES } else { Range::default() };
    let n = n_at_work(patients, means) as f64;
    Range {
        low: largest * NEED_SPREAD.0 + PROGRAM_BYTES.low + network.low,
        high: together * NEED_SPREAD.1 + PROGRAM_BYTES.high + network.high * n,
    }
}

/// Bytes a patient leaves on disk.
fn left(patient: &PatientPlan, means: Means<'_>) -> Range {
    let keeps_images = means.study.outputs.keep.iter().any(|kept| kept == "image");
    let of_visit = |visit: &VisitPlan| {
        let voxels = visit.measure.entry.n_voxels() as f64;
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

/// What is not in the numbers, and why.
fn unknown(patients: &[&PatientPlan], means: Means<'_>) -> Vec<String> {
    let count = |is: &dyn Fn(&VisitPlan) -> bool| patients.iter().flat_map(|p| &p.visits).filter(|v| is(v)).count();
    let has_no_size = |visit: &VisitPlan| images(visit).any(|series| series.entry.n_voxels() == 0);
    let by_network = |visit: &VisitPlan| means.takes_network(visit);
    let by_other = |visit: &VisitPlan| by_network(visit) && means.network != Some(true);
    let has_no_litres = |visit: &VisitPlan| by_network(visit) && !by_other(visit) && litres(&visit.measure).is_none();
    let is_prompted = |visit: &VisitPlan| means.is_prompted && !visit.marks.is_empty();
    [
        (count(&has_no_size), "time, memory and disk", "headers do not tell the number of voxels"),
        (count(&by_other), "the network's time and memory", "only the shipped network was measured, on a processor"),
        (count(&has_no_litres), "the network's time", "headers do not tell how large the voxels are"),
        (count(&is_prompted), "outlines made from marks", "only the images tell which marks have none yet"),
    ]
    .into_iter()
    .filter(|(n, ..)| *n > 0)
    .map(|(n, what, why)| format!("{what}, at {n} visits: not known because {why}"))
    .collect()
}

#[cfg(test)]
mod tests;
