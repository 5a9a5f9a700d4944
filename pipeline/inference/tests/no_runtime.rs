//! The whole way from an image to labels with networks written by hand: no runtime is needed here.

#![expect(clippy::unwrap_used, reason = "a test may unwrap; clippy does not see that its helpers are tests")]

mod by_hand;

use std::ops::ControlFlow;

use imaging::{FrameId, Grid, Index3, Point, Shape, Volume};
use lesiontrace_inference::sliding_window::WindowError;
use lesiontrace_inference::{Card, Execution, Network, NetworkError, SegmentError, Segmenter};
use nalgebra::{Matrix3, Rotation3};
use ndarray::{ArrayD, Axis};

const BRIGHT: &str = include_str!("../../../test_data/models/bright-0.1.0/card.toml");

/// Thresholds at 0.25 and 0.75.
struct Thresholds {
    execution: Execution,
    answer: fn(&ArrayD<f32>) -> ArrayD<f32>,
}

impl Thresholds {
    fn new(answer: fn(&ArrayD<f32>) -> ArrayD<f32>) -> Box<Self> {
        Box::new(Self { execution: by_hand::execution(), answer })
    }
}

impl Network for Thresholds {
    fn run(&self, window: ArrayD<f32>) -> Result<ArrayD<f32>, NetworkError> {
        Ok((self.answer)(&window))
    }
    fn execution(&self) -> &Execution {
        &self.execution
    }
}

/// `[1, 1, …]` to `[1, 3, …]`.
fn logits(window: &ArrayD<f32>) -> ArrayD<f32> {
    let channel = |k: f32, b: f32| window.mapv(|v| k * v + b).remove_axis_of_channel();
    ndarray::stack(Axis(1), &[channel(0.0, 0.0).view(), channel(8.0, -2.0).view(), channel(16.0, -8.0).view()]).unwrap()
}

trait RemoveChannel {
    fn remove_axis_of_channel(self) -> ArrayD<f32>;
}
impl RemoveChannel for ArrayD<f32> {
    fn remove_axis_of_channel(self) -> ArrayD<f32> {
        self.index_axis_move(Axis(1), 0)
    }
}

/// Labels straight away, without a channel axis.
fn labels(window: &ArrayD<f32>) -> ArrayD<f32> {
    let label = |v: f32| f32::from(u8::from(v > 0.25)) + f32::from(u8::from(v > 0.75));
    window.mapv(label).remove_axis_of_channel()
}

fn oblique(shape: Shape, spacing_mm: [f64; 3]) -> Grid {
    let tilt = *Rotation3::from_euler_angles(0.15, -0.1, 0.2).matrix();
    let directions = tilt * Matrix3::from_diagonal(&nalgebra::Vector3::new(-1.0, 1.0, -1.0));
    Grid::from_directions(shape, Point::new(80.0, -30.0, 410.0), spacing_mm, directions, FrameId::new("f")).unwrap()
}

/// A liver of 100 with a tumour of 200, off-centre, in −100.
fn image(grid: &Grid) -> Volume<f32> {
    let liver = grid.center(Index3 { i: 20, j: 16, k: 8 });
    let tumour = grid.center(Index3 { i: 24, j: 13, k: 10 });
    Volume::from_fn(grid.clone(), |at| {
        let p = grid.center(at);
        if p.distance(tumour) < 6.0 {
            200.0
        } else if p.distance(liver) < 20.0 {
            100.0
        } else {
            -100.0
        }
    })
}

fn expected(image: &Volume<f32>) -> Vec<u16> {
    image.values().iter().map(|v| u16::from(*v > 50.0) + u16::from(*v > 150.0)).collect()
}

fn card_with(changes: &[(&str, &str)]) -> Card {
    let mut text = BRIGHT.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    Card::parse(&text).unwrap()
}

const NATIVE: (&str, &str) = ("spacing_mm = [2.0, 2.0, 2.0]", "spacing_mm = \"native\"");

#[test]
fn on_the_images_own_spacing_every_voxel_is_right_whatever_the_windows() {
    let grid = oblique(Shape { ni: 41, nj: 35, nk: 17 }, [1.5, 1.4, 3.0]);
    let image = image(&grid);
    let cases: [(&[(&str, &str)], usize); 5] = [
        (&[], 5 * 4 * 4),
        (&[("step_fraction = 0.5", "step_fraction = 1.0")], 3 * 3 * 3),
        (&[("patch = [16, 16, 8]", "patch = [64, 16, 32]")], 4),
        (&[("patch = [16, 16, 8]", "patch = \"whole_image\"\ndivisible_by = [8, 4, 2]")], 1),
        (&[("axes = \"nczyx\"", "axes = \"ncyx\""), ("patch = [16, 16, 8]", "patch = [48, 48, 1]")], 17),
    ];
    for (changes, n_windows) in cases {
        let card = card_with(&[changes, &[NATIVE]].concat());
        let segmenter = Segmenter::with_network(card, Thresholds::new(logits));
        let got = segmenter.segment(&image).unwrap();
        assert!(got.notes.is_empty());
        assert_eq!(got.value.provenance.n_windows, n_windows, "{changes:?}");
        assert_eq!(got.value.labels.values(), expected(&image), "{changes:?}");
        assert_eq!(got.value.labels.grid(), &grid);
    }
}

#[test]
fn the_network_is_shown_the_cards_axes_in_the_cards_order() {
    let grid = oblique(Shape { ni: 41, nj: 35, nk: 17 }, [1.5, 1.4, 3.0]);
    let image = image(&grid);
    for (axes, shape) in [("nczyx", [1, 1, 8, 12, 16]), ("ncxyz", [1, 1, 16, 12, 8]), ("ncyxz", [1, 1, 12, 16, 8])] {
        let axes = format!("axes = \"{axes}\"");
        let card = card_with(&[NATIVE, ("axes = \"nczyx\"", &axes), ("patch = [16, 16, 8]", "patch = [16, 12, 8]")]);
        let network = Thresholds::new(|window| {
            assert_eq!(window.ndim(), 5);
            logits(window)
        });
        let segmenter = Segmenter::with_network(card, network);
        assert_eq!(segmenter.segment(&image).unwrap().value.labels.values(), expected(&image));
        let seen = seen_shape(&axes, &image);
        assert_eq!(seen, shape);
    }
}

/// The shape of the first window, by a network that refuses to go on.
fn seen_shape(axes: &str, image: &Volume<f32>) -> Vec<usize> {
    struct Refuses(Execution);
    impl Network for Refuses {
        fn run(&self, window: ArrayD<f32>) -> Result<ArrayD<f32>, NetworkError> {
            Err(NetworkError { message: format!("{:?}", window.shape()) })
        }
        fn execution(&self) -> &Execution {
            &self.0
        }
    }
    let card = card_with(&[NATIVE, ("axes = \"nczyx\"", axes), ("patch = [16, 16, 8]", "patch = [16, 12, 8]")]);
    let execution = Thresholds::new(logits).execution.clone();
    let error = Segmenter::with_network(card, Box::new(Refuses(execution))).segment(image).unwrap_err();
    let SegmentError::Window(WindowError::Network { n: 1, source, .. }) = error else { panic!("{error}") };
    serde_json::from_str(&source.message).unwrap()
}

#[test]
fn votes_of_a_network_of_labels_become_labels() {
    let grid = oblique(Shape { ni: 41, nj: 35, nk: 17 }, [1.5, 1.4, 3.0]);
    let image = image(&grid);
    let changes = [
        NATIVE,
        (
            "[output]\nname = \"logits\"\naxes = \"nczyx\"\nkind = \"logits\"\nactivation = \"softmax\"",
            "[output]\nname = \"labels\"\naxes = \"nzyx\"\nkind = \"labels\"",
        ),
    ];
    let segmenter = Segmenter::with_network(card_with(&changes), Thresholds::new(labels));
    assert_eq!(segmenter.segment(&image).unwrap().value.labels.values(), expected(&image));
    let wrong = Segmenter::with_network(card_with(&changes), Thresholds::new(|w| labels(w) + 2.0));
    let error = wrong.segment(&image).unwrap_err();
    assert!(matches!(error, SegmentError::Window(WindowError::OutputValue { value, .. }) if value > 2.0), "{error}");
}

#[test]
fn at_another_spacing_the_volumes_stay_and_the_borders_blur_by_less_than_a_voxel() {
    let grid = oblique(Shape { ni: 60, nj: 50, nk: 30 }, [0.9, 1.0, 2.5]);
    let image = image(&grid);
    let segmenter = Segmenter::with_network(card_with(&[]), Thresholds::new(logits));
    let got = segmenter.segment(&image).unwrap().value;
    assert!(got.provenance.model_spacing_mm.iter().all(|mm| (mm - 2.0).abs() < 1e-9));
    assert_eq!(got.provenance.model_shape, [27, 25, 38]);
    let want = expected(&image);
    for label in [1_u16, 2] {
        let both = got.labels.values().iter().zip(&want).filter(|(g, w)| **g == label && **w == label).count() as f64;
        let sum = got.labels.values().iter().chain(&want).filter(|v| **v == label).count() as f64;
        let dice = 2.0 * both / sum;
        assert!(dice > [0.0, 0.93, 0.88][usize::from(label)], "label {label}: Dice {dice}");
    }
    let counts: Vec<usize> = got.structures.iter().map(|s| s.n_voxels).collect();
    let of = |label| got.labels.values().iter().filter(|v| **v == label).count();
    assert_eq!(counts, [of(1), of(2)]);
    assert_eq!(got.structures[1].name, "tumour");
}

#[test]
fn the_same_bits_at_any_number_of_threads() {
    let grid = oblique(Shape { ni: 60, nj: 50, nk: 30 }, [0.9, 1.0, 2.5]);
    let image = image(&grid).map(|v| v + 13.7);
    let run = |n_threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        let segmenter = Segmenter::with_network(card_with(&[]), Thresholds::new(logits));
        pool.install(|| (segmenter.network_output(&image).unwrap(), segmenter.segment(&image).unwrap()))
    };
    assert_eq!(run(1), run(5));
}

#[test]
fn trouble_is_said_and_not_guessed_over() {
    let grid = oblique(Shape { ni: 41, nj: 35, nk: 17 }, [1.5, 1.4, 3.0]);
    let segmenter = Segmenter::with_network(card_with(&[]), Thresholds::new(logits));
    let mut holed = image(&grid);
    holed.data_mut()[[3, 2, 1]] = f32::NAN;
    let message = segmenter.segment(&holed).unwrap_err().to_string();
    assert!(message.contains("1 voxels") && message.contains("i 1, j 2, k 3"), "{message}");
    let scaled = image(&grid).map(|v| v / 1000.0);
    let notes = segmenter.segment(&scaled).unwrap().notes;
    assert_eq!(notes[0].code, "image_values_outside_model_range");
    let stopped = segmenter.segment_images(&[&image(&grid)], &|done, _| {
        if done == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(stopped, Err(SegmentError::Window(WindowError::Stopped { done: 2, .. }))));
    let wrong = Segmenter::with_network(card_with(&[]), Thresholds::new(Clone::clone));
    assert!(wrong.segment(&image(&grid)).unwrap_err().to_string().contains("[1, 3, 8, 16, 16]"));
    let broken = Segmenter::with_network(card_with(&[]), Thresholds::new(|w| logits(w) * f32::NAN));
    assert!(matches!(broken.segment(&image(&grid)), Err(SegmentError::Window(WindowError::OutputValue { .. }))));
}

#[test]
fn an_image_too_large_for_the_memory_is_refused_with_the_figure() {
    let segmenter = Segmenter::with_network(card_with(&[NATIVE]), Thresholds::new(logits));
    let grid = oblique(Shape { ni: 410, nj: 350, nk: 170 }, [1.5, 1.4, 3.0]);
    let bound = segmenter.memory_bound_bytes(&grid).unwrap();
    // The image and what the network is shown, both in single precision, and labels are the least there can be.
    assert!(bound > 410 * 350 * 170 * (4 + 4 + 2), "{bound}");
    segmenter.refuse_above(bound, &grid).unwrap();
    let error = segmenter.refuse_above(bound - 1, &grid).unwrap_err();
    assert!(error.to_string().contains(&format!("up to {} MiB", bound.div_ceil(1 << 20))), "{error}");
}

/// `[1, 2, …]` to `[1, 3, …]`: the first image decides on label 1, the second one on label 2.
fn logits_of_two(window: &ArrayD<f32>) -> ArrayD<f32> {
    let channel = |c: usize, k: f32, b: f32| window.index_axis(Axis(1), c).mapv(|v| k * v + b);
    let all = [channel(0, 0.0, 0.0), channel(0, 8.0, -2.0), channel(1, 32.0, -16.0)];
    ndarray::stack(Axis(1), &all.each_ref().map(|channel| channel.view())).unwrap()
}

/// The card of two images, the second one a PET from 0 to 10 SUV.
const WITH_PET: (&str, &str) = (
    "[output]",
    "[[further_image]]\nname = \"FDG-PET\"\nmodality = \"PT\"\nseries_role = \"pet\"\nunit = \"SUVbw\"\n[further_image.normalisation]\nkind = \"clip_to_range\"\nclip = [0.0, 10.0]\nto = [0.0, 1.0]\n\n[output]",
);

#[test]
fn images_seen_together_are_channels_in_the_cards_order_each_prepared_in_its_own_way() {
    let grid = oblique(Shape { ni: 41, nj: 35, nk: 17 }, [1.5, 1.4, 3.0]);
    let both = image(&grid);
    let ct = both.map(|v| v.min(100.0));
    let pet = both.map(|v| if *v > 150.0 { 8.0 } else { 1.0 });
    let segmenter = Segmenter::with_network(card_with(&[WITH_PET, NATIVE]), Thresholds::new(logits_of_two));
    let watch = |_, _| ControlFlow::Continue(());
    let found = segmenter.segment_images(&[&ct, &pet], &watch).unwrap().value.labels;
    assert_eq!(found.values(), expected(&both));
    let swapped = segmenter.segment_images(&[&pet, &ct], &watch).unwrap().value.labels;
    assert_ne!(swapped.values(), expected(&both));
    let alone = segmenter.segment(&ct).unwrap_err().to_string();
    assert!(alone.contains("2 image(s) together (ct_portal_venous, FDG-PET), found 1"), "{alone}");
    let elsewhere = Volume::filled(oblique(Shape { ni: 41, nj: 35, nk: 16 }, [1.5, 1.4, 3.0]), 1.0);
    let error = segmenter.segment_images(&[&ct, &elsewhere], &watch).unwrap_err().to_string();
    assert!(error.contains("FDG-PET does not lie on the first one's voxels"), "{error}");
    let one = Segmenter::with_network(card_with(&[NATIVE]), Thresholds::new(logits));
    assert!(segmenter.memory_bound_bytes(&grid).unwrap() > one.memory_bound_bytes(&grid).unwrap());
}
