//! Lesions under prompts with a network written by hand: a voxel is lesion where its value exceeds half of that at the click. No
//! runtime is needed here.

#![expect(clippy::unwrap_used, reason = "a test may unwrap; clippy does not see that its helpers are tests")]

mod by_hand;

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use imaging::{FrameId, Grid, Index3, Patient, Point, Shape, Volume};
use lesiontrace_inference::{
    Card, Execution, Network, NetworkError, Prompt, PromptError, PromptedSegmentation, SegmentError, Segmenter,
};
use nalgebra::{Matrix3, Rotation3, Vector3};
use ndarray::{ArrayD, ArrayView3, Axis, Ix5};

const CARD: &str = include_str!("../../../test_data/models/prompted-0.1.0/card.toml");
const UNPROMPTED: &str = include_str!("../../../test_data/models/bright-0.1.0/card.toml");

/// For each cube shown: where the click is brightest, x, y, z, and how many voxels the box has.
type Shown = Arc<Mutex<Vec<([usize; 3], f32)>>>;

struct HalfOfTheClick {
    execution: Execution,
    shown: Shown,
    is_blind: bool,
}

impl HalfOfTheClick {
    fn new(shown: Shown) -> Box<Self> {
        let execution = by_hand::execution();
        Box::new(Self { execution, shown, is_blind: false })
    }

    /// One that never finds anything.
    fn blind() -> Box<Self> {
        Box::new(Self { is_blind: true, ..*Self::new(Shown::default()) })
    }
}

fn brightest(click: &ArrayView3<'_, f32>) -> (usize, usize, usize) {
    click.indexed_iter().fold(((0, 0, 0), f32::MIN), |best, (at, v)| if *v > best.1 { (at, *v) } else { best }).0
}

impl Network for HalfOfTheClick {
    fn run(&self, window: ArrayD<f32>) -> Result<ArrayD<f32>, NetworkError> {
        let cube = window.into_dimensionality::<Ix5>().unwrap().index_axis_move(Axis(0), 0);
        let channel = |n| cube.index_axis(Axis(0), n);
        let (z, y, x) = brightest(&channel(2));
        self.shown.lock().unwrap().push(([x, y, z], channel(3).sum()));
        let at_click = cube[[0, z, y, x]];
        let logit = |v: f32| if at_click > 1.0 && !self.is_blind { 10.0 * (2.0 * v / at_click - 1.0) } else { -10.0 };
        let outside = channel(1).mapv(|inside| 20.0 * (inside - 1.0));
        let logits = channel(0).mapv(logit) + outside;
        Ok(logits.insert_axis(Axis(0)).insert_axis(Axis(0)).into_dyn())
    }
    fn execution(&self) -> &Execution {
        &self.execution
    }
}

fn segmenter(shown: &Shown) -> Segmenter {
    Segmenter::with_network(Card::parse(CARD).unwrap(), HalfOfTheClick::new(shown.clone()))
}

fn found(image: &Volume<f32>, prompts: &[Prompt]) -> PromptedSegmentation {
    let watch = |_, _| ControlFlow::Continue(());
    segmenter(&Shown::default()).segment_prompted(image, prompts, &watch).unwrap().value
}

/// Columns run to the right, slices downwards, both against LPS, and everything is tilted.
fn oblique(shape: Shape, spacing_mm: [f64; 3]) -> Grid {
    let tilt = *Rotation3::from_euler_angles(0.15, -0.1, 0.2).matrix();
    let directions = tilt * Matrix3::from_diagonal(&Vector3::new(-1.0, 1.0, -1.0));
    Grid::from_directions(shape, Point::new(80.0, -30.0, 410.0), spacing_mm, directions, FrameId::new("f")).unwrap()
}

fn body() -> Grid {
    oblique(Shape { ni: 90, nj: 80, nk: 36 }, [0.9, 1.1, 2.5])
}

fn point(grid: &Grid, i: usize, j: usize, k: usize) -> [f64; 3] {
    grid.center(Index3 { i, j, k }).to_array()
}

/// 100 in a ball and in an arm that leaves it in one direction along each axis, 0 elsewhere: no mirror image of it fits.
fn with_an_arm(grid: &Grid, centre: Index3) -> Volume<f32> {
    let middle = grid.center(centre);
    let arm = grid.center(Index3 { i: centre.i + 16, j: centre.j + 7, k: centre.k - 3 });
    Volume::from_fn(grid.clone(), |at| {
        let p = grid.center(at);
        let along = (arm - middle).norm();
        let t = ((p - middle).dot(arm - middle) / along.powi(2)).clamp(0.0, 1.0);
        let nearest = Point::<Patient>::from_coords(middle.coords + (arm.coords - middle.coords) * t);
        if p.distance(middle) < 9.0 || p.distance(nearest) < 5.0 { 100.0 } else { 0.0 }
    })
}

fn dice(labels: &Volume<u16>, label: u16, truth: &Volume<f32>) -> f64 {
    let pairs = || labels.values().iter().zip(truth.values()).map(|(l, v)| (*l == label, *v > 50.0));
    let both = pairs().filter(|(a, b)| *a && *b).count() as f64;
    2.0 * both / pairs().map(|(a, b)| usize::from(a) + usize::from(b)).sum::<usize>() as f64
}

#[test]
fn the_lesion_under_a_point_comes_back_in_its_place() {
    let grid = body();
    let image = with_an_arm(&grid, Index3 { i: 30, j: 52, k: 12 });
    let got = found(&image, &[Prompt::Point(point(&grid, 31, 50, 13))]);
    let labels = &got.segmentation.labels;
    assert_eq!(labels.grid(), &grid);
    let right = dice(labels, 1, &image);
    assert!(right > 0.93, "Dice {right}");
    let lesion = &got.lesions[0];
    assert!(lesion.trusted && lesion.reasons.is_empty(), "{:?}", lesion.reasons);
    // A view that came back mirrored or shifted would pull this down: the arm alone is a third of the lesion.
    // Of six answers two are coarser looks, whose parts have coarser edges.
    assert!(lesion.agreement.unwrap() > 0.93, "{lesion:?}");
    assert_eq!(lesion.n_voxels, labels.label_mask(1).n_voxels_set());
    let structure = &got.segmentation.structures[0];
    assert_eq!((structure.name.as_str(), structure.n_voxels), ("lesion-1", lesion.n_voxels));
}

#[test]
fn networks_that_disagree_make_a_lesion_doubtful_and_the_uncertainty_large() {
    let grid = body();
    let image = with_an_arm(&grid, Index3 { i: 30, j: 52, k: 12 });
    let card = Card::parse(CARD).unwrap();
    let networks: Vec<Box<dyn Network>> =
        vec![HalfOfTheClick::new(Shown::default()), HalfOfTheClick::blind(), HalfOfTheClick::new(Shown::default())];
    let several = Segmenter::with_networks(card, networks, None).unwrap();
    let watch = |_, _| ControlFlow::Continue(());
    let at = Index3 { i: 31, j: 50, k: 13 };
    let prompt = Prompt::Point(grid.center(at).to_array());
    let got = several.segment_prompted(&image, &[prompt], &watch).unwrap();
    assert_eq!(got.notes.iter().map(|n| n.code.as_str()).collect::<Vec<_>>(), ["views_disagree"]);
    let (got, lesion) = (&got.value, &got.value.lesions[0]);
    // One third of the answers is nothing; two thirds are the lesion and a rim, for their mean reaches one half only where both
    // are sure to three quarters. Probabilities 1, 0, 1 deviate by √2/3.
    let agreement = lesion.agreement.unwrap();
    assert!(agreement < 2.0 / 3.0 && agreement > 0.9 * 2.0 / 3.0, "{lesion:?}");
    assert_eq!((lesion.trusted, &lesion.reasons[..]), (false, &["views agree to 0.60, below 0.80".to_owned()][..]));
    let spread = *got.uncertainty.at(at);
    assert!((spread - 2.0_f32.sqrt() / 3.0).abs() < 1e-3, "{spread}");
    let elsewhere = *got.uncertainty.at(Index3 { i: 80, j: 5, k: 30 });
    assert!(elsewhere < 1e-3, "there no network sees anything: {elsewhere}");
    assert_eq!(got.segmentation.provenance.n_passes_per_window, 3);
}

#[test]
fn every_view_of_the_card_is_shown_shifted_and_mirrored() {
    let grid = body();
    let image = with_an_arm(&grid, Index3 { i: 30, j: 52, k: 12 });
    let shown = Shown::default();
    let watch = |_, _| ControlFlow::Continue(());
    let prompt = [Prompt::Point(point(&grid, 31, 50, 13))];
    let _ = segmenter(&shown).segment_prompted(&image, &prompt, &watch).unwrap();
    let shown = shown.lock().unwrap();
    // Of 32 voxels 16 is the middle.
    let clicks: Vec<[usize; 3]> = shown.iter().map(|(click, _)| *click).collect();
    assert_eq!(&clicks[..4], [[16; 3]; 4], "four looks, unshifted");
    // The lesion's arm leads away from the click: its middle is brought to the cube's, which moves the click in every view.
    let moved: [i32; 3] = clicks[4].map(|at| at as i32 - 16);
    assert!(moved.iter().any(|by| by.abs() > 1), "{moved:?}");
    let views = [([0, 0, 0], None), ([3, -3, 3], Some(0)), ([-3, 3, -3], Some(1)), ([-3, 3, 3], Some(2))];
    for ((shift, mirrored), click) in views.into_iter().zip(&clicks[4..]) {
        let place = |a: usize| 16 + moved[a] + shift[a];
        let expected = [0, 1, 2].map(|a| if mirrored == Some(a) { 31 - place(a) } else { place(a) });
        assert_eq!(click.map(|at| at as i32), expected);
    }
    assert_eq!(clicks.len(), 8);
    assert!(shown.iter().all(|(_, box_voxels)| *box_voxels == 0.0));
}

#[test]
fn a_box_gives_the_spacing_and_is_shown() {
    let grid = body();
    let image = with_an_arm(&grid, Index3 { i: 30, j: 52, k: 12 });
    let shown = Shown::default();
    let watch = |_, _| ControlFlow::Continue(());
    // 36 columns of 0.9 mm are its longest side: 32.4 mm, to take half of 32 voxels. Its middle is (36, 54, 12).
    let prompt = Prompt::Box([point(&grid, 54, 64, 8), point(&grid, 18, 44, 16)]);
    let got = segmenter(&shown).segment_prompted(&image, &[prompt], &watch).unwrap().value;
    assert!((got.lesions[0].spacing_mm - 32.4 / 16.0).abs() < 1e-9, "{:?}", got.lesions);
    let right = dice(&got.segmentation.labels, 1, &image);
    assert!(right > 0.93, "Dice {right}");
    let shown = shown.lock().unwrap();
    assert_eq!(shown.len(), 4, "a box needs no search");
    // Views are whole voxels apart, and this network sees each voxel by itself: all say the same.
    let most = got.uncertainty.values().iter().copied().fold(0.0, f32::max);
    assert!(most < 1e-3, "{most}");
    // 32.4, 22 and 20 mm at 2.025 mm a voxel: 17 (both ends count), 11 and 9 or 10 voxels.
    assert!(shown.iter().all(|(_, n)| (1400.0..2200.0).contains(n)), "{shown:?}");
}

#[test]
fn two_points_are_two_labels_and_two_in_one_lesion_are_said_to_be_one() {
    let grid = body();
    let mut image = with_an_arm(&grid, Index3 { i: 24, j: 22, k: 10 });
    let other = with_an_arm(&grid, Index3 { i: 60, j: 60, k: 26 });
    image.values_mut().iter_mut().zip(other.values()).for_each(|(v, o)| *v += 0.6 * o);
    let (first, second) = (Prompt::Point(point(&grid, 24, 22, 10)), Prompt::Point(point(&grid, 60, 60, 26)));
    let got = found(&image, &[second, first]);
    assert!(got.lesions.iter().all(|lesion| lesion.trusted), "{:?}", got.lesions);
    assert_eq!(got.segmentation.structures.iter().map(|s| s.index).collect::<Vec<_>>(), [1, 2]);
    assert!(dice(&got.segmentation.labels, 1, &other) > 0.93);
    assert!(dice(&got.segmentation.labels, 2, &with_an_arm(&grid, Index3 { i: 24, j: 22, k: 10 })) > 0.93);
    let watch = |_, _| ControlFlow::Continue(());
    let twice = segmenter(&Shown::default()).segment_prompted(&image, &[first, first], &watch).unwrap();
    assert!(twice.value.lesions.iter().all(|lesion| !lesion.trusted), "{:?}", twice.value.lesions);
    assert!(twice.value.lesions[0].reasons[0].contains("lesion 2 share 100 %"), "{:?}", twice.value.lesions);
    assert_eq!(twice.value.lesions[1].n_voxels, 0, "of equals the lower number has it");
    let codes: Vec<&str> = twice.notes.iter().map(|note| note.code.as_str()).collect();
    assert_eq!(codes, ["voxels_claimed_twice", "prompts_share_a_lesion", "prompts_share_a_lesion"]);
}

#[test]
fn at_the_corner_of_the_image_a_lesion_is_found_and_doubted() {
    let grid = body();
    let corner = Index3 { i: 0, j: 79, k: 35 };
    let image =
        Volume::from_fn(
            grid.clone(),
            |at| {
                if grid.center(at).distance(grid.center(corner)) < 6.5 { 100.0 } else { 0.0 }
            },
        );
    let outermost = grid.voxel_to_patient().apply(Point::new(-0.5, 79.5, 35.5)).to_array();
    let got = found(&image, &[Prompt::Point(outermost)]);
    let right = dice(&got.segmentation.labels, 1, &image);
    assert!(right > 0.9, "Dice {right}");
    assert_eq!(got.lesions[0].reasons, ["the lesion reaches the end of the image"]);
    assert!(!got.lesions[0].trusted);
}

#[test]
fn where_the_card_does_not_trust_a_size_from_a_point_only_a_box_is_trusted() {
    let grid = body();
    let image = with_an_arm(&grid, Index3 { i: 30, j: 52, k: 12 });
    let watch = |_, _| ControlFlow::Continue(());
    let (point_in_it, box_round_it) =
        (Prompt::Point(point(&grid, 36, 54, 12)), Prompt::Box([point(&grid, 54, 64, 8), point(&grid, 18, 44, 16)]));
    for (key, prompt, trusted) in [
        ("trust_size_from_point = false", point_in_it, false),
        ("trust_size_from_point = false", box_round_it, true),
        ("trust_size_from_point = true\ntrusted_sizes_mm = [0.0, 5.0]", point_in_it, false),
        ("trust_size_from_point = true\ntrusted_sizes_mm = [200.0, 250.0]", point_in_it, false),
        ("trust_size_from_point = true\ntrusted_sizes_mm = [0.0, 5.0]", box_round_it, true),
        ("trust_size_from_point = true\ntrusted_sizes_mm = [5.0, 200.0]", point_in_it, true),
    ] {
        let card = CARD.replace("trust_size_from_point = true", key);
        let segmenter = Segmenter::with_network(Card::parse(&card).unwrap(), HalfOfTheClick::new(Shown::default()));
        let got = segmenter.segment_prompted(&image, &[prompt], &watch).unwrap().value;
        assert_eq!(got.lesions[0].trusted, trusted, "{:?}", got.lesions);
        assert!(trusted || got.lesions[0].reasons[0].contains("a box round it would state it"), "{:?}", got.lesions);
    }
}

#[test]
fn a_lesion_larger_than_the_largest_cube_is_doubted() {
    let grid = oblique(Shape { ni: 100, nj: 90, nk: 52 }, [4.0, 4.5, 8.0]);
    let centre = grid.center(Index3 { i: 50, j: 45, k: 26 });
    let image = Volume::from_fn(grid.clone(), |at| if grid.center(at).distance(centre) < 170.0 { 100.0 } else { 0.0 });
    let got = found(&image, &[Prompt::Point(point(&grid, 52, 44, 26))]);
    let lesion = &got.lesions[0];
    assert_eq!(lesion.spacing_mm, 8.0);
    let wanted = [
        "no finer or coarser look confirms its size; a box round it would state it",
        "the lesion reaches the end of the largest cube (256 mm)",
    ];
    assert!(wanted.iter().all(|reason| lesion.reasons.iter().any(|found| found == reason)), "{lesion:?}");
}

#[test]
fn a_lesion_of_three_voxels_is_those_three() {
    let grid = oblique(Shape { ni: 40, nj: 36, nk: 20 }, [3.0; 3]);
    let image =
        Volume::from_fn(
            grid.clone(),
            |at| if at.j == 20 && at.k == 7 && (12..15).contains(&at.i) { 100.0 } else { 0.0 },
        );
    let got = found(&image, &[Prompt::Point(point(&grid, 13, 20, 7))]);
    let set: Vec<Index3> = got.segmentation.labels.label_mask(1).indices_set().collect();
    assert_eq!(set, [12, 13, 14].map(|i| Index3 { i, j: 20, k: 7 }));
    assert_eq!(got.lesions[0].spacing_mm, 0.8);
}

#[test]
fn where_nothing_is_under_the_point_the_label_is_empty_and_says_why() {
    let grid = body();
    let image = with_an_arm(&grid, Index3 { i: 30, j: 52, k: 12 });
    let got = found(&image, &[Prompt::Point(point(&grid, 80, 8, 30))]);
    let lesion = &got.lesions[0];
    assert_eq!((lesion.n_voxels, lesion.agreement, lesion.trusted), (0, None, false));
    assert_eq!(lesion.reasons, ["no lesion found under the point"]);
    assert!(got.segmentation.labels.values().iter().all(|label| *label == 0));
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let grid = body();
    let image = with_an_arm(&grid, Index3 { i: 30, j: 52, k: 12 });
    let prompts = [Prompt::Point(point(&grid, 31, 50, 13)), Prompt::Point(point(&grid, 80, 8, 30))];
    let [one, eight] = [1, 8].map(|n| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        pool.install(|| found(&image, &prompts))
    });
    assert_eq!(one, eight);
}

#[test]
fn what_cannot_be_followed_is_said_before_the_network_is_run() {
    let grid = body();
    let image = with_an_arm(&grid, Index3 { i: 30, j: 52, k: 12 });
    let watch = |_, _| ControlFlow::Continue(());
    let shown = Shown::default();
    let prompted = segmenter(&shown);
    let refused = |prompts: &[Prompt]| prompted.segment_prompted(&image, prompts, &watch).unwrap_err();
    let beyond = grid.voxel_to_patient().apply(Point::new(95.0, 10.0, 10.0)).to_array();
    let inside = Prompt::Point(point(&grid, 31, 50, 13));
    let error = refused(&[inside, Prompt::Point(beyond)]);
    assert!(matches!(error, SegmentError::Prompt(PromptError::Outside { .. })), "{error}");
    assert!(error.to_string().contains("90 x 80 x 36 voxels"), "{error}");
    let error = refused(&[]);
    assert!(matches!(error, SegmentError::PromptMissing { .. }) && error.to_string().contains("--point"), "{error}");
    let error = prompted.segment(&image).unwrap_err();
    assert!(matches!(error, SegmentError::PromptMissing { .. }), "{error}");
    let unprompted = Segmenter::with_network(Card::parse(UNPROMPTED).unwrap(), HalfOfTheClick::new(shown.clone()));
    let error = unprompted.segment_prompted(&image, &[inside], &watch).unwrap_err();
    assert!(matches!(error, SegmentError::PromptNotWanted { .. }), "{error}");
    assert!(shown.lock().unwrap().is_empty());
    let stop = |n, _| if n == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    assert!(prompted.segment_prompted(&image, &[inside], &stop).unwrap_err().to_string().contains("stopped after 2"));
    let mut broken = image.clone();
    broken.values_mut()[7] = f32::NAN;
    let error = prompted.segment_prompted(&broken, &[inside], &watch).unwrap_err().to_string();
    assert!(error.contains("not finite numbers, the first at i 7"), "{error}");
}

#[test]
fn the_memory_stated_grows_with_the_largest_cube_until_the_image_ends() {
    let prompted = segmenter(&Shown::default());
    let bound = |ni, mm: f64| prompted.memory_bound_bytes(&oblique(Shape { ni, nj: ni, nk: ni }, [mm; 3])).unwrap();
    let small = bound(100, 1.0);
    let voxels = 100_u64.pow(3);
    // The image, the labels, whose each voxel is, the uncertainty; everything lies under the largest cube.
    assert!(small > voxels * 14 && small < voxels * 60, "{small}");
    // Of 800 voxels of 1 mm two cubes of 32 voxels of 8 mm, on either side of the click, reach 512.
    let per_voxel = bound(800, 1.0) as f64 / 800_f64.powi(3);
    assert!(per_voxel < small as f64 / voxels as f64 * 0.75, "{per_voxel}");
    assert!(prompted.refuse_above(small - 1, &oblique(Shape { ni: 100, nj: 100, nk: 100 }, [1.0; 3])).is_err());
}
