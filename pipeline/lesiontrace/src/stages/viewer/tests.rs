use std::collections::BTreeMap;
use std::io::Read as _;

use imaging::{Affine, FrameId, Index3, Mask, Patient, Point, Shape};
use jiff::civil::date;
use oncology::visit_window::VisitLabel;
use oncology::{LesionKind, Organ, VisitId};

use super::*;
use crate::plan::Purpose;
use crate::stages::find::SeriesFacts;
use crate::stages::marks::Marked;
use crate::stages::segment::instance;

/// Oblique, anisotropic, off-centre; columns are the directions of i, j, k.
const DIRECTIONS: [[f64; 3]; 3] =
    [[0.894_003_2, -0.262_08, 0.363_417_6], [0.363_417_6, 0.898_56, -0.246_003_2], [-0.262_08, 0.352, 0.898_56]];
const SPACING_MM: [f64; 3] = [0.9, 1.1, 3.0];
/// From the follow-up's frame into baseline's.
const MOVED_MM: [f64; 3] = [7.0, -4.5, 12.0];
/// Where the lesion lies at baseline, LPS mm, and how far it reaches.
const LESION: [f64; 3] = [-42.0, -118.0, 51.0];
const RADIUS_MM: f64 = 9.0;

fn grid(frame: &str, shift: [f64; 3]) -> Grid {
    let row = |r: usize| {
        let of = |c: usize| DIRECTIONS[r][c] * SPACING_MM[c];
        [of(0), of(1), of(2), [-90.0, -160.0, 10.0][r] + shift[r]]
    };
    let to_patient = Affine::from_rows([row(0), row(1), row(2), [0.0, 0.0, 0.0, 1.0]]).unwrap();
    Grid::new(Shape { ni: 110, nj: 90, nk: 40 }, to_patient, FrameId::new(frame)).unwrap()
}

fn distance(p: Point<Patient>, from: [f64; 3]) -> f64 {
    p.distance(Point::from(from))
}

/// A visit whose images lie `shift` away from baseline's, with the same patient in it.
pub(in crate::stages) fn visit(month: i8, frame: &str, shift: [f64; 3]) -> VisitFacts {
    let grid = grid(frame, shift);
    let lesion: [f64; 3] = std::array::from_fn(|axis| LESION[axis] + shift[axis]);
    let ball = |radius: f64| Mask::from_fn(grid.clone(), |at| distance(grid.center(at), lesion) < radius);
    let back = Affine::from_rows([
        [1.0, 0.0, 0.0, -shift[0]],
        [0.0, 1.0, 0.0, -shift[1]],
        [0.0, 0.0, 1.0, -shift[2]],
        [0.0, 0.0, 0.0, 1.0],
    ]);
    let to_baseline = Registration {
        moving_to_fixed: back.unwrap(),
        moving_frame: FrameId::new(frame),
        ..Registration::identity_same_frame(FrameId::new("baseline"))
    };
    VisitFacts {
        id: VisitId::first(date(2024, month, 1)),
        label: VisitLabel::NoTreatment(0),
        purpose: Purpose::Response,
        side: None,
        measured: SeriesFacts {
            role: "ct_portal_venous".to_owned(),
            description: String::new(),
            grid: grid.clone(),
            scanned: None,
            sop_instance_uids: Vec::new(),
        },
        slices: Vec::new(),
        arterial: None,
        arterial_unfit: None,
        pet: None,
        adc: None,
        adc_unread: None,
        pet_facts: None,
        lesions: vec![instance(7, &ball(RADIUS_MM), (Organ::Liver, LesionKind::Lesion)).unwrap()],
        zones: Vec::new(),
        sizes: Vec::new(),
        critical: Vec::new(),
        organ: Some(ball(20.0)),
        to_baseline,
        source: String::new(),
        outlined_by: BTreeMap::new(),
        marked: Marked::default(),
        doubts: BTreeMap::new(),
        in_doubt: BTreeMap::new(),
        looked_in: None,
        second_choice: None,
        notes: Vec::new(),
    }
}

/// A ramp along every patient axis in baseline's frame, with noise that no compression removes.
fn series(visit: &VisitFacts, noise: u32) -> LoadedSeries {
    let grid = visit.measured.grid.clone();
    let image = Volume::from_fn(grid.clone(), |at: Index3| {
        let p = visit.to_baseline.to_fixed(grid.center(at)).to_array();
        let n = (at.i * 7919 + at.j * 104_729 + at.k * 1_299_709) as u32;
        ramp(p) as f32 + (n.wrapping_mul(2_654_435_761) >> 16) as f32 / 65_536.0 * noise as f32
    });
    LoadedSeries {
        image,
        unit: "HU",
        sop_instance_uids: Vec::new(),
        role: "ct_portal_venous".to_owned(),
        description: String::new(),
        modality: "CT".to_owned(),
    }
}

fn ramp([x, y, z]: [f64; 3]) -> f64 {
    2.0 * x - y + 0.5 * z
}

fn of(budget: usize, visits: &[VisitFacts], noise: u32) -> Vec<ViewerVolume> {
    within(budget, visits, &|n| Ok(series(&visits[n], noise))).unwrap()
}

/// A volume as a reader of NIfTI finds it, in LPS.
fn read(bytes: &[u8]) -> Volume<f32> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.nii.gz");
    std::fs::write(&path, bytes).unwrap();
    formats::nifti::read_image(&path, FrameId::new("any")).unwrap()
}

fn at(volume: &Volume<f32>, p: [f64; 3]) -> f32 {
    let voxel = volume.grid().patient_to_voxel().apply(Point::from(p));
    imaging::resample::sample(volume, voxel, Interpolation::Linear, f32::NAN)
}

#[test]
fn one_place_has_the_same_place_and_value_in_every_linked_visit() {
    let visits = [visit(1, "baseline", [0.0; 3]), visit(4, "later", MOVED_MM)];
    let volumes = of(BUDGET_BYTES, &visits, 0);
    let images: Vec<Volume<f32>> = volumes.iter().map(|volume| read(&volume.image)).collect();
    assert!(images[0].grid().max_distance_mm(images[1].grid()) < 1e-9, "one grid");
    for p in [LESION, [-35.0, -110.0, 55.0], [-50.0, -125.0, 44.0]] {
        for image in &images {
            // Half of a step of 2 HU, and the error of interpolating what was rounded.
            assert!((f64::from(at(image, p)) - ramp(p)).abs() < 1.6, "{p:?} {} {}", at(image, p), ramp(p));
        }
    }
    assert!(volumes.iter().all(|volume| volume.not_linked.is_empty() && volume.labels == [7]));
}

#[test]
fn axes_are_those_of_the_patient_and_outlines_lie_on_the_image() {
    let visits = [visit(1, "baseline", [0.0; 3]), visit(4, "later", MOVED_MM)];
    for volume in of(BUDGET_BYTES, &visits, 0) {
        let outlined = read(&volume.outlined);
        let rows = outlined.grid().voxel_to_patient().to_rows();
        let signs: Vec<f64> = (0..3).map(|axis| rows[axis][axis].signum()).collect();
        assert_eq!(signs, [-1.0, -1.0, 1.0], "right, front, head");
        let inside = outlined.map(|number| *number >= 4.0);
        let center = imaging::diameter::mask_centroid(&inside).unwrap();
        assert!(distance(center, LESION) < 0.5, "{center:?}");
        let mm3 = inside.n_voxels_set() as f64 * inside.grid().voxel_volume_mm3();
        assert!((mm3 / (4.0 / 3.0 * std::f64::consts::PI * RADIUS_MM.powi(3)) - 1.0).abs() < 0.08, "{mm3}");
        let organ = outlined.map(|number| *number as i16 & 1 == 1);
        assert!(organ.n_voxels_set() > 5 * inside.n_voxels_set());
    }
}

#[test]
fn voxels_get_coarser_until_the_budget_is_kept() {
    let visits: Vec<VisitFacts> = (1..=4).map(|month| visit(month, "baseline", [0.0; 3])).collect();
    let total = |volumes: &[ViewerVolume]| -> usize {
        volumes.iter().map(|volume| in_base64(&volume.image) + in_base64(&volume.outlined)).sum()
    };
    let fine = of(BUDGET_BYTES, &visits, 60);
    assert!(total(&fine) <= BUDGET_BYTES);
    assert!((fine[0].spacing_mm[0] - FINEST_MM).abs() < 0.2, "{:?}", fine[0].spacing_mm);
    let budget = total(&fine) / 6;
    let coarse = of(budget, &visits, 60);
    assert!(total(&coarse) <= budget, "{} of {budget}", total(&coarse));
    assert!(coarse[0].spacing_mm[0] > 1.3 && coarse[0].spacing_mm[0] < 4.0, "{:?}", coarse[0].spacing_mm);
    let nothing = within(10, &visits, &|n| Ok(series(&visits[n], 0))).unwrap_err();
    assert!(nothing.message.contains("4 visits"), "{}", nothing.message);
}

#[test]
fn a_visit_that_does_not_lie_on_baseline_is_shown_in_its_own_frame_with_the_reason() {
    let mut later = visit(4, "later", MOVED_MM);
    later.to_baseline.quality = imaging::registration::Quality::Fail;
    later.to_baseline.reasons = vec!["nothing fits".to_owned()];
    let visits = [visit(1, "baseline", [0.0; 3]), later];
    let volumes = of(BUDGET_BYTES, &visits, 0);
    assert_eq!(volumes[0].not_linked, "");
    assert!(volumes[1].not_linked.contains("nothing fits"), "{}", volumes[1].not_linked);
    assert_eq!(volumes[1].link_in_doubt, "");
    let image = read(&volumes[1].image);
    let own: [f64; 3] = std::array::from_fn(|axis| LESION[axis] + MOVED_MM[axis]);
    assert!((f64::from(at(&image, own)) - ramp(LESION)).abs() < 1.6);
}

#[test]
fn a_link_to_be_reviewed_says_why() {
    let mut later = visit(4, "later", MOVED_MM);
    later.to_baseline.quality = Quality::Review;
    later.to_baseline.reasons = vec!["blocks lie off".to_owned(), "points miss".to_owned()];
    let volumes = of(BUDGET_BYTES, &[visit(1, "baseline", [0.0; 3]), later], 0);
    let said: Vec<_> = volumes.iter().map(|v| (v.not_linked.as_str(), v.link_in_doubt.as_str())).collect();
    assert_eq!(said, [("", ""), ("", "blocks lie off; points miss")]);
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let visits = [visit(1, "baseline", [0.0; 3]), visit(4, "later", MOVED_MM)];
    let with = |n_threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| of(400_000, &visits, 60))
    };
    let one = with(1);
    assert_eq!(one, with(3));
    let mut header = [0; 352];
    flate2::read::GzDecoder::new(&one[0].image[..]).read_exact(&mut header).unwrap();
    assert_eq!(header[148..228], [0; 80], "nothing is said of the patient");
}
