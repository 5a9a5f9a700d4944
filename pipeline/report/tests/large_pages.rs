//! A patient of 12 visits and 20 lesions, and a cohort of 1,000 patients: their size here, their speed in a browser by
//! `scripts/check_reports`, which reads the pages these tests leave in `CARGO_TARGET_TMPDIR`.
#![expect(clippy::unwrap_used, reason = "the sample pages are fixed input")]

use std::path::Path;

use lesiontrace_report::{CohortPage, KeyImage, PatientPage, Visit, render_cohort, render_patient};
use oncology::VisitId;

#[path = "sample_page/cohort.rs"]
mod cohort;
#[path = "sample_page/image.rs"]
mod image;
#[path = "sample_page/patient.rs"]
mod patient;

const N_VISITS: usize = 12;
const N_LESIONS: usize = 20;
const N_PATIENTS: usize = 1000;
/// What a report of this size may weigh.
const MAX_BYTES: usize = 15 << 20;

fn name(visit: usize) -> VisitId {
    format!("20{:02}-{:02}-10", 20 + visit / 4, 1 + 3 * (visit % 4)).parse().unwrap()
}

/// The sample patient's first lesion and first visit over and over, every picture with its own noise.
fn large_patient() -> PatientPage {
    let mut page = patient::page();
    let (visit, lesion) = (page.visits[1].clone(), page.lesions[0].clone());
    let rows: Vec<_> =
        page.measurements.iter().filter(|row| row.lesion_id == "L2" && row.study_day == 0).cloned().collect();
    let (image, margin, map) = (page.key_images[0].clone(), page.margins[0].clone(), page.margin_maps[0].clone());
    page.visits = (0..N_VISITS)
        .map(|n| Visit { id: name(n), study_day: 91 * n as i64, label: format!("follow-up {n}"), ..visit.clone() })
        .collect();
    page.verdicts.clear();
    (page.lesions, page.measurements, page.key_images) = (Vec::new(), Vec::new(), Vec::new());
    (page.margins, page.margin_maps) = (Vec::new(), Vec::new());
    for n in 0..N_LESIONS {
        let id = format!("L{}", n + 1);
        let mut own = lesion.clone();
        (own.lesion_id, own.first_seen_date, own.first_seen_visit) = (id.clone(), name(0).date(), name(0));
        page.lesions.push(own);
        let (mut own_margin, mut own_map) = (margin.clone(), map.clone());
        (own_margin.lesion_id, own_margin.study_date) = (id.clone(), name(1).date());
        own_margin.zone_visit = name(1);
        own_map.lesion_id.clone_from(&id);
        page.margins.push(own_margin);
        page.margin_maps.push(own_map);
        for visit in 0..N_VISITS {
            for row in &rows {
                let mut row = row.clone();
                (row.lesion_id, row.date, row.study_day) = (id.clone(), name(visit).date(), 91 * visit as i64);
                row.visit = name(visit);
                row.value = row.value.map(|value| value * (1.0 + 0.02 * (n as f64 - visit as f64)));
                page.measurements.push(row);
            }
            page.key_images.push(with_noise(&image, &id, name(visit), (n * N_VISITS + visit) as u32));
        }
    }
    page
}

fn with_noise(image: &KeyImage, lesion_id: &str, visit: VisitId, seed: u32) -> KeyImage {
    let noisy = |(index, grey): (usize, &u8)| {
        let mixed = (index as u32 + 1).wrapping_mul(2_654_435_761) ^ seed.wrapping_mul(2_246_822_519);
        let offset = (mixed.wrapping_mul(668_265_263) >> 28) as i32 - 8;
        u8::try_from((i32::from(*grey) + offset).clamp(0, 255)).unwrap()
    };
    let pixels = image.pixels.iter().enumerate().map(noisy).collect();
    KeyImage { lesion_id: lesion_id.to_owned(), visit, pixels, ..image.clone() }
}

fn large_cohort() -> CohortPage {
    let mut page = cohort::page();
    page.patients = many(&page.patients, |line, id| line.patient_id = id);
    page.ledger = many(&page.ledger, |row, id| row.patient_id = id);
    page.swimmer = many(&page.swimmer, |lane, id| lane.patient_id = id);
    page.sums = many(&page.sums, |sum, id| sum.patient_id = id);
    page.margin_outcomes = many(&page.margin_outcomes, |outcome, id| outcome.patient_id = id);
    let leading: Vec<_> = page.best_responses.iter().filter(|best| best.criterion == "recist_1_1").cloned().collect();
    page.best_responses = many(&leading, |best, id| best.patient_id = id);
    page
}

fn leave(name: &str, html: &str) {
    std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name), html).unwrap();
}

#[test]
#[ignore = "encodes 240 pictures; run by scripts/check_reports"]
fn a_patient_of_12_visits_and_20_lesions_stays_below_15_mib() {
    let html = render_patient(&large_patient()).unwrap();
    assert_eq!(html.matches("alt=\"Key image of ").count(), N_VISITS * N_LESIONS);
    leave("large_patient.html", &html);
    leave("sample_patient.html", &render_patient(&patient::page()).unwrap());
    assert!(html.len() <= MAX_BYTES, "{} bytes", html.len());
}

#[test]
#[ignore = "writes pages for scripts/check_reports"]
fn a_cohort_of_1000_patients_names_every_one() {
    let html = render_cohort(&large_cohort()).unwrap();
    assert_eq!(html.matches("<tr data-best=").count(), N_PATIENTS);
    leave("large_cohort.html", &html);
    leave("sample_cohort.html", &render_cohort(&cohort::page()).unwrap());
}

fn many<T: Clone>(few: &[T], name: impl Fn(&mut T, String)) -> Vec<T> {
    let one = |n: usize| {
        let mut one = few[n % few.len()].clone();
        name(&mut one, format!("P-{n:04}"));
        one
    };
    (0..N_PATIENTS).map(one).collect()
}
