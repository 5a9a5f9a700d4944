//! Plans made by hand, of sizes whose forecast can be worked out with a pencil.

use formats::archive::{IndexRow, SeriesEntry};
use formats::dicom::PackedHeaders;
use formats::dicom::role::SeriesRole;
use formats::nifti_archive::{NiftiSeries, NiftiUnit};
use imaging::FrameId;
use jiff::civil::date;
use oncology::VisitId;
use oncology::visit_window::VisitLabel;

use super::*;
use crate::config;
use crate::plan::{MaskFolder, MaskPlan, Purpose};

fn series(n_voxels: u64, spacing_mm: Option<[f64; 3]>) -> SeriesPlan {
    let visit = VisitId::first(date(2020, 3, 2));
    let row = IndexRow {
        patient_id: "P".to_owned(),
        study_date: Some(date(2020, 3, 2)),
        series_uid: "1.2".to_owned(),
        modality: "CT".to_owned(),
        description: String::new(),
        role: SeriesRole::CtPortalVenous,
        candidates: Vec::new(),
        volume: None,
        rank: 1,
        n_slices: 1,
        spacing_mm,
        usable: true,
        reasons: Vec::new(),
    };
    let file = NiftiSeries {
        path: "ct.nii.gz".into(),
        file: "ct.nii.gz".to_owned(),
        unit: NiftiUnit::Hu,
        frame: FrameId::new("f"),
        frame_is_stated: false,
        n_voxels,
        visit,
    };
    let entry = SeriesEntry {
        row,
        headers: PackedHeaders::default(),
        n_voxels: file.n_voxels,
        notes: Vec::new(),
        nifti: Some(file),
    };
    SeriesPlan { role: "ct_portal_venous".to_owned(), entry }
}

fn visit(measure: SeriesPlan, has_masks: bool) -> VisitPlan {
    let masks = has_masks.then(|| {
        MaskPlan::Folder(MaskFolder { lesions: "lesions.nii.gz".into(), organ: None, ablation_zone: None, rows: None })
    });
    VisitPlan {
        id: VisitId::first(date(2020, 3, 2)),
        label: VisitLabel::NoTreatment(0),
        purpose: Purpose::Response,
        side: None,
        measure,
        arterial: None,
        pet: None,
        adc: None,
        masks,
        doses: Vec::new(),
        given_map: None,
        critical: Vec::new(),
        marks: Vec::new(),
        shortened: None,
        second_choice: None,
    }
}

/// A patient of visits of 100 million voxels of 1 mm.
fn patient(n_visits: usize, has_masks: bool) -> PatientPlan {
    PatientPlan {
        id: "P".to_owned(),
        visits: (0..n_visits).map(|_| visit(series(100_000_000, Some([1.0; 3])), has_masks)).collect(),
        history: Vec::new(),
        record: None,
        treatments: Vec::new(),
        markers: Vec::new(),
        reads: Vec::new(),
        notes: Vec::new(),
        faults: Vec::new(),
        input_digest: String::new(),
    }
}

/// The study file of the program, with rigid registration.
fn study() -> Study {
    let mut study = config::load(None).unwrap().study;
    study.registration.transform = VisitTransform::Rigid;
    study
}

fn means(study: &Study) -> Means<'_> {
    Means { study, network: None, is_prompted: false, has_viewer: false, n_threads: 2, bound: 8 << 30 }
}

fn taken<'a>(patients: &[&PatientPlan], means: Means<'a>) -> Taken<'a> {
    let mut taken = Taken::new(means);
    for patient in patients {
        taken.add(patient);
    }
    taken
}

#[test]
fn the_clock_lies_between_all_at_work_and_the_longest_last() {
    let one = |high: f64| Range { low: high / 4.0, high };
    assert_eq!(by_the_clock(&[one(40.0)], 1, 1), one(40.0));
    let together = by_the_clock(&[one(40.0), one(40.0), one(80.0)], 2, 2);
    assert_eq!(together, Range { low: 20.0, high: 80.0 + 40.0 });
    // One patient may use all threads, and may use one.
    assert_eq!(by_the_clock(&[one(40.0)], 1, 16), Range { low: 10.0 / 16.0, high: 40.0 });
    assert_eq!(by_the_clock(&[], 1, 1), Range::default());
}

#[test]
fn a_patient_costs_its_visits_its_registrations_and_what_the_study_asks_for_besides() {
    let rigid = study();
    // Two visits of 0.45 s and 100 million voxels at 0.07 s, one pair of 0.3 s and as much: 22.2 s of a processor.
    let two = patient(2, true);
    // A bend is looked for on the pair, 0.3 of 9 s.
    let found = seconds(&two, means(&rigid));
    let want = Range::about(0.45 * 2.0 + 14.0 + 0.3 + 7.0 + 0.3 * 9.0, TIME_SPREAD);
    assert!((found.low - want.low).abs() < 1e-9 && (found.high - want.high).abs() < 1e-9, "{found:?}");
    let mut bent = study();
    bent.registration.transform = VisitTransform::Deformable;
    let [with, without] = [&bent, &rigid].map(|study| seconds(&two, means(study)));
    let more = [with.low - without.low, with.high - without.high];
    assert!(more[0].abs() < 1e-9, "all may be kept straight: {more:?}");
    assert!((more[1] - 0.7 * 9.0 * TIME_SPREAD.1).abs() < 1e-9, "{more:?}");
    let by_network = Means { network: Some(true), ..means(&rigid) };
    let more = seconds(&patient(1, false), by_network).high - seconds(&patient(1, true), by_network).high;
    assert!((more - 100.0 * 0.15 * TIME_SPREAD.1).abs() < 1e-9, "a visit is 100 litres: {more}");
    let mut keeps = study();
    keeps.outputs.keep.push("image".to_owned());
    let more = left(&two, means(&keeps)).high - left(&two, means(&rigid)).high;
    assert!((more - 2.0 * 100e6 * 2.2).abs() < 1.0, "{more}");
}

#[test]
fn memory_is_that_of_those_at_work_and_never_more_than_the_bound_but_for_one_alone() {
    let study = study();
    let (one, need) = (patient(2, true), 100e6 * 48.0);
    let high = |n: usize, bound: u64| {
        taken(&vec![&one; n], Means { bound, ..means(&study) }).memory().high - PROGRAM_BYTES.high
    };
    assert_eq!(high(1, 8 << 30), need);
    assert_eq!(high(3, 64 << 30), need * 2.0, "two threads");
    assert_eq!(high(3, 8 << 30), f64::from(8 << 20) * 1024.0);
    assert_eq!(high(3, 1 << 30), need, "one that needs more runs alone");
    assert_eq!(taken(&[&one, &one], Means { bound: 8 << 30, ..means(&study) }).n_at_work(), 1);
}

#[test]
fn what_headers_do_not_tell_is_named_with_the_reason() {
    let study = study();
    let text = |patients: &[&PatientPlan], means: Means<'_>| taken(patients, means).forecast().as_text(2);
    let (sound, by_network) = (patient(2, true), patient(2, false));
    assert!(!text(&[&sound], means(&study)).contains("not known"));
    let other = text(&[&sound, &by_network], Means { network: Some(false), ..means(&study) });
    let told = "at 2 visits: not known because only the shipped network was measured";
    assert!(other.contains(told), "{other}");
    assert!(!text(&[&by_network], Means { network: Some(true), ..means(&study) }).contains("not known"));
    let mut bare = patient(1, false);
    bare.visits[0].measure = series(0, None);
    let bare = text(&[&bare], Means { network: Some(true), ..means(&study) });
    assert!(bare.contains("number of voxels") && bare.contains("how large the voxels are"), "{bare}");
    let mut faulty = patient(2, true);
    faulty.faults.push("no date".to_owned());
    assert_eq!(text(&[&faulty], means(&study)), "forecast: nothing to do\n");
}
