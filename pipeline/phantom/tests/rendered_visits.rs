//! Rendered visits against the truth, through the public interface alone.

use imaging::Index3;
use lesiontrace_phantom::truth::State;
use lesiontrace_phantom::{
    CohortSpec, Image, Modality, PatientPlan, Phase, Scenario, Series, TRAINING_LOOKS, Variety, Visit, clinical_tables,
    cohort, cohort_truth, random_training_case,
};

fn patient(scenario: Scenario, seed: u64) -> PatientPlan {
    cohort(&CohortSpec { n_patients: 1, seed, scenario: Some(scenario) }).remove(0)
}

fn with_threads<T: Send>(n: usize, f: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(n).build().expect("threads can be started").install(f)
}

fn hu(visit: &Visit, phase: Phase) -> Vec<f32> {
    let series = visit.series.iter().find(|s| s.phase == Some(phase)).expect("the visit has this phase");
    let Image::Ct(volume) = &series.image else { panic!("a phase belongs to a CT") };
    volume.values().iter().map(|v| v.0).collect()
}

fn mean_where(values: &[f32], chosen: impl Iterator<Item = bool>) -> f64 {
    let (sum, n) =
        values.iter().zip(chosen).filter(|(_, c)| *c).fold((0.0, 0.0), |(s, n), (v, _)| (s + f64::from(*v), n + 1.0));
    sum / n
}

#[test]
fn the_same_bytes_at_one_and_two_threads() {
    let plan = patient(Scenario::ExtrahepaticLung, 4);
    let render = || plan.visit(3).unwrap();
    assert!(with_threads(1, render) == with_threads(2, render));
    let case = || random_training_case(11, [60.0, 50.0, 40.0]);
    assert!(with_threads(1, case) == with_threads(2, case));
    assert!(patient(Scenario::ExtrahepaticLung, 4).truth() == plan.truth());
    assert!(patient(Scenario::ExtrahepaticLung, 5).truth() != plan.truth());
}

#[test]
fn masks_agree_with_the_true_sizes_and_the_image_enhances_as_hcc_does() {
    let plan = patient(Scenario::LocalProgression, 2);
    let truth = plan.truth();
    for n in [0, 3] {
        let visit = plan.visit(n).unwrap();
        let told = &truth.visits[n];
        let lesion = told.lesions.iter().find(|l| l.state.is_visible()).unwrap();
        let size = lesion.size.as_ref().unwrap();
        let row = visit.lesion_rows.iter().find(|r| Some(r.label) == lesion.label).unwrap();
        assert_eq!((row.lesion_id.as_str(), row.state), (lesion.lesion_id.as_str(), lesion.state));
        let voxels = visit.lesions.values().iter().filter(|v| **v == row.label).count() as f64;
        let volume = voxels * visit.lesions.grid().voxel_volume_mm3();
        assert!((volume / size.volume_mm3 - 1.0).abs() < 0.03, "{volume} {}", size.volume_mm3);
        let at = visit.lesions.grid().nearest(size.centre_lps.into()).unwrap();
        assert_eq!(*visit.lesions.at(at), row.label);
        assert!(*visit.organ.at(at), "the organ includes its lesions");
        let (arterial, portal) = (hu(&visit, Phase::Arterial), hu(&visit, Phase::PortalVenous));
        let in_lesion = || visit.lesions.values().iter().map(|v| *v > 0);
        let in_liver = || {
            visit
                .organ
                .values()
                .iter()
                .zip(visit.lesions.values())
                .zip(visit.zones.values())
                .map(|((o, l), z)| *o && *l == 0 && *z == 0)
        };
        assert!(mean_where(&arterial, in_lesion()) > mean_where(&arterial, in_liver()) + 25.0);
        assert!(mean_where(&portal, in_lesion()) < mean_where(&portal, in_liver()) - 15.0);
        let zone_voxels = visit.zones.values().iter().filter(|z| **z > 0).count();
        assert_eq!(zone_voxels > 0, n == 3);
        assert_eq!(visit.zone_rows.len(), told.zones.len());
    }
}

#[test]
fn nothing_is_mirrored() {
    let visit = patient(Scenario::DistantIntrahepatic, 7).visit(0).unwrap();
    let grid = visit.organ.grid();
    let centroid = |chosen: &dyn Fn(usize) -> bool| {
        let (mut sum, mut n) = ([0.0; 3], 0.0);
        for at in (0..grid.shape().n_voxels()).filter(|n| chosen(*n)) {
            let p = grid.center(grid.shape().index(at)).to_array();
            sum = std::array::from_fn(|axis| sum[axis] + p[axis]);
            n += 1.0;
        }
        sum.map(|s| s / n)
    };
    let portal = hu(&visit, Phase::PortalVenous);
    let liver = centroid(&|n| visit.organ.values()[n]);
    let body = centroid(&|n| portal[n] > -300.0);
    let spine =
        centroid(&|n| portal[n] > 280.0 && (grid.center(grid.shape().index(n)).coords.x - body[0]).abs() < 30.0);
    let lung = centroid(&|n| (-930.0..-800.0).contains(&portal[n]));
    assert!(liver[0] < body[0] - 20.0, "the liver lies on the patient's right (−x)");
    assert!(spine[1] > body[1] + 25.0, "the spine is posterior (+y)");
    assert!(lung[2] > body[2] + 30.0, "the lungs are towards the head (+z)");
}

#[test]
fn pet_activity_is_uptake_times_dose_left_over_weight() {
    let plan = patient(Scenario::ExtrahepaticLung, 4);
    let visit = plan.visit(3).unwrap();
    let find = |m: Modality| visit.series.iter().filter(move |s| s.modality == m).collect::<Vec<&Series>>();
    assert_eq!((find(Modality::Ct).len(), find(Modality::Mr).len(), find(Modality::Pt).len()), (2, 2, 1));
    let series = find(Modality::Pt)[0];
    let (Image::Pet(volume), Some(info)) = (&series.image, &series.pet) else { panic!("a PET has its information") };
    let waited_s = info.injection.until(series.acquisition).unwrap().total(jiff::Unit::Second).unwrap();
    let left_bq = info.injected_dose_bq * 0.5_f64.powf(waited_s / info.half_life_s);
    assert!((info.suv_per_bq_per_ml / (info.weight_kg * 1000.0 / left_bq) - 1.0).abs() < 1e-12);
    let nodule = plan.truth().visits[3].lesions.iter().find(|l| l.lesion_id == "L2").cloned().unwrap();
    let at = volume.grid().nearest(nodule.size.unwrap().centre_lps.into()).unwrap();
    let suv = |at: Index3| f64::from(volume.at(at).0) * info.suv_per_bq_per_ml;
    // A nodule of 16 mm keeps most of its uptake behind a point spread of 6 mm.
    assert!((0.8 * nodule.suv.unwrap()..1.05 * nodule.suv.unwrap()).contains(&suv(at)), "{}", suv(at));
    assert!(series.image.grid().frame() == &visit.frame);
}

#[test]
fn visits_have_frames_uids_and_labels_of_their_own() {
    let plan = patient(Scenario::StableThenProgression, 1);
    let visits: Vec<Visit> = [0, 1, 4].into_iter().map(|n| plan.visit(n).unwrap()).collect();
    assert!(plan.visit(5).is_none());
    assert!(visits[0].frame != visits[1].frame && visits[0].study_uid != visits[1].study_uid);
    for visit in &visits {
        assert!(visit.series.iter().all(|s| s.image.grid().frame() == &visit.frame));
        let uids =
            visit.series.iter().flat_map(|s| [s.series_uid.clone(), s.sop_instance_uid(0), s.sop_instance_uid(1)]);
        let unique: std::collections::BTreeSet<String> = uids.clone().collect();
        assert_eq!(unique.len(), uids.count());
        assert!(unique.iter().all(|u| u.starts_with("2.25.") && u.len() <= 64 && u.is_ascii()));
        let labels: Vec<u16> = visit.lesion_rows.iter().map(|r| r.label).collect();
        assert_eq!(labels, visit.lesions.labels_present());
        assert!(visit.lesion_rows.iter().all(|r| r.state == State::Present));
    }
    let order = |v: &Visit| v.lesion_rows.iter().map(|r| r.lesion_id.clone()).collect::<Vec<_>>();
    assert!(
        order(&visits[0]) != order(&visits[1]) || order(&visits[1]) != order(&visits[2]),
        "labels give the tracking away"
    );
}

#[test]
fn the_demo_cohort_has_its_six_stories_and_its_tables() {
    let patients = cohort(&CohortSpec { n_patients: 6, seed: 1, scenario: None });
    assert_eq!(patients.iter().map(PatientPlan::scenario).collect::<Vec<_>>(), Scenario::DEMO);
    let tables = clinical_tables(&patients);
    let patient_rows: Vec<&str> = tables.patients_csv.lines().collect();
    assert!(
        patient_rows[0].starts_with("patient_id,diagnosis,")
            && patient_rows[0].ends_with(",death_date,last_contact_date")
    );
    assert_eq!(patient_rows.len(), 7);
    let columns = |row: &str| row.split(',').count();
    assert!(patient_rows.iter().all(|r| columns(r) == columns(patient_rows[0])));
    let treatments: Vec<&str> = tables.treatments_csv.lines().collect();
    assert_eq!(treatments[0], "patient_id,date,session,cycle,modality,target_lesions,complication_grade");
    assert_eq!(treatments.iter().filter(|r| r.starts_with("LT-002,")).count(), 2);
    assert!(treatments.iter().all(|r| columns(r) == 7));
    let truth = cohort_truth(&patients);
    let deaths: Vec<&str> =
        truth.patients.iter().filter(|p| p.death_date.is_some()).map(|p| p.patient_id.as_str()).collect();
    assert_eq!(deaths, ["LT-004"]);
    assert!("complete_ablation".parse::<Scenario>().is_ok());
    assert!("recovery".parse::<Scenario>().unwrap_err().to_string().contains("expected one of complete_ablation,"));
}

#[test]
fn training_cases_are_varied_and_hold_every_label() {
    let (n_ordinary, mut counts) = (TRAINING_LOOKS[0], [0_usize; 4]);
    let (mut varieties, mut contrasts) = ([0_usize; 2], [Vec::new(), Vec::new()]);
    for seed in 0..14 {
        let case = random_training_case(seed, [180.0, 150.0, 60.0]);
        let labels = case.labels();
        for v in labels.values() {
            counts[usize::from(*v)] += 1;
        }
        varieties[usize::from(case.variety == Variety::Wide)] += 1;
        for (kind, look) in [(0, 0), (0, 1), (1, n_ordinary), (1, n_ordinary + 1)] {
            let image = case.image(look, 10.0, seed);
            assert_eq!(image.grid(), labels.grid());
            let of = |label: u16| mean_where(image.values(), labels.values().iter().map(move |v| *v == label));
            let contrast = of(3) - of(1);
            if contrast.is_finite() {
                contrasts[kind].push(contrast);
            }
        }
    }
    assert!(counts.iter().all(|c| *c > 500) && varieties.iter().all(|n| *n > 1), "{counts:?} {varieties:?}");
    let spread = |of: &[f64]| of.iter().copied().fold(f64::MIN, f64::max) - of.iter().copied().fold(f64::MAX, f64::min);
    // A cohort's zones are darker than the liver by about as much in every patient; the wide looks are not.
    assert!(contrasts[0].iter().all(|c| (-75.0..-45.0).contains(c)), "{contrasts:?}");
    assert!(spread(&contrasts[1]) > 25.0, "{contrasts:?}");
}

#[test]
fn a_training_cases_cysts_and_vessels_are_liver_and_nothing_unknown_has_a_label() {
    let case = random_training_case(3, [60.0, 50.0, 40.0]);
    assert_eq!((case.label_of_code.len(), case.looks.len()), (256, TRAINING_LOOKS[0] + TRAINING_LOOKS[1]));
    assert!(case.looks.iter().all(|look| look.len() == 256));
    assert!(
        case.codes.iter().zip(case.labels().values()).all(|(c, l)| case.label_of_code[usize::from(*c)] == *l as u8)
    );
    assert_eq!((case.label_of_code[0], case.label_of_code[255]), (0, 0));
}
