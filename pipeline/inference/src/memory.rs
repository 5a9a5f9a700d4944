//! How much memory a segmentation takes at most, worked out before it begins.

use imaging::Shape;

use crate::card::{Card, CarriedBack, Crop, Normalised, Resampling};
use crate::model_grid::ModelGrid;
use crate::windows::Windows;

/// Bytes of a number in single precision.
const F32: u64 = 4;

fn product(n: [usize; 3]) -> u64 {
    n.iter().map(|n| *n as u64).product()
}

/// An upper bound, in bytes, of the arrays alive at once while images of this shape are segmented: the images themselves, the steps of
/// resampling, what the network is shown, the planes of its answer that windows still reach or the image still needs, one window
/// on its way in and out, then labels and components on the image's grid.
///
/// `model` is laid over the whole image (a crop only makes it smaller) and `windows` over that; `n_threads` counts those that
/// work on planes. Not in it: what the runtime takes for the network's inner layers, which only the network decides, the library
/// itself, and the list of components, which is long only for noise.
pub(crate) fn bound_bytes(image: Shape, model: &ModelGrid, windows: &Windows, card: &Card, n_threads: usize) -> u64 {
    let n_image = image.n_voxels() as u64;
    let labelling = n_image * if card.input.crop.is_some() { 2 + 2 } else { 2 };
    let turning = n_image * (2 + 2 + 2);
    // Beside the labels a mask, component numbers and what may become of them; distances beside the mask of the findings; numbers of findings.
    let far = if card.labels.iter().any(|label| label.only_near.is_some()) { 2 * 8 + 1 } else { 0 };
    let split = if card.labels.iter().any(|label| label.split_at_necks_mm.is_some()) { 2 } else { 0 };
    let cleaning = n_image * (2 + split + 1 + far.max(4 + 4 + 1));
    let blending = shown_bytes(model, card) + labelling + answer_bytes(model, windows, card, n_threads);
    F32 * n_image * card.n_images() as u64
        + first_stage_bytes(n_image, card)
        + preparing_bytes(n_image, model, card).max(blending).max(turning).max(cleaning)
}

fn first_stage_bytes(n_image: u64, card: &Card) -> u64 {
    if card.cascade.is_some() { n_image * 2 } else { 0 }
}

/// What the network is shown, all channels on its grid.
fn shown_bytes(model: &ModelGrid, card: &Card) -> u64 {
    F32 * product(model.size()) * card.n_input_channels() as u64
}

fn preparing_bytes(n_image: u64, model: &ModelGrid, card: &Card) -> u64 {
    let ([_, _, nz], [mx, my, mz]) = (model.image_size(), model.size());
    let before = card.input.normalised == Normalised::BeforeResampling;
    let spline = card.input.resampling == Resampling::CubicSpline;
    let own = if before { F32 * n_image } else { 0 };
    let between = F32 * product([mx, my, nz]);
    let carrying = between + F32 * product([mx, my, mz]);
    // The source's limits are looked for in a copy; a crop and the first stage's channels are put together in another one.
    let limits = if spline { F32 * n_image } else { 0 };
    let object = n_image * 6;
    let several = card.n_input_channels() > 1;
    let joined = if several || matches!(card.input.crop, Some(Crop::Above { .. })) {
        // Indicator, best value, winner and nearest label of the first stage.
        2 * shown_bytes(model, card) + 4 * F32 * product([mx, my, mz]) + F32 * n_image
    } else {
        0
    };
    own + carrying.max(F32 * product([mx, my, mz]) + limits) + object + joined
}

fn answer_bytes(model: &ModelGrid, windows: &Windows, card: &Card, n_threads: usize) -> u64 {
    let ([mx, my, mz], [nx, ny, _], [px, py, pz]) = (model.size(), model.image_size(), windows.patch);
    let c = card.n_channels() as u64;
    let plane = F32 * (mx * my) as u64 * c;
    // Planes that windows reach, at most a window high; those on their way to the image, at most as many; and two the image waits for.
    let open = (plane + F32 * (mx * my) as u64) * pz.min(mz) as u64;
    let handed_on = plane * (pz.min(mz) as u64 + 2);
    let carried = if card.output.carried_back == CarriedBack::Labels { plane } else { 0 };
    // A window shown, turned to the card's axes and handed over; its answer from the runtime, as ours, the sum of several, and
    // the one before it that is being added; and its weights.
    let window = F32 * product([px, py, pz]) * (3 * card.n_input_channels() as u64 + 4 * c + 1);
    // One thread's plane of the image on the way from the model's grid: before, between and after, and the best value.
    let a_thread = F32 * ((mx * my) as u64 + (nx * my) as u64 + 3 * (nx * ny) as u64 + (mx * my) as u64);
    open + handed_on + carried + window + a_thread * n_threads as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use imaging::{Affine, FrameId, Grid};

    #[test]
    fn many_classes_cost_planes_and_not_the_whole_grid() {
        let mut card = Card::parse(include_str!("../../../test_data/models/shifted-0.1.0/card.toml")).unwrap();
        card.input.patch = crate::card::Patch::Voxels([128, 128, 64]);
        let shape = Shape { ni: 512, nj: 512, nk: 400 };
        let affine = Affine::from_parts(nalgebra::Matrix3::identity(), nalgebra::Vector3::zeros());
        let grid = Grid::new(shape, affine, FrameId::new("f")).unwrap();
        let of = |n_labels: usize| {
            let mut card = card.clone();
            card.labels =
                (0..n_labels).map(|n| crate::card::Label { index: n as u16, ..card.labels[1].clone() }).collect();
            let model = ModelGrid::over(&grid, &card.input).unwrap();
            bound_bytes(shape, &model, &Windows::over(model.size(), &card), &card, 2)
        };
        let plane = 512 * 512 * 4;
        // One more class: 64 open planes, 64 handed on, two waiting, and four windows.
        assert_eq!(of(11) - of(10), plane * (64 + 64 + 2) + 4 * 4 * 128 * 128 * 64);
        // All classes on the whole grid would be 4 GiB by themselves.
        assert!(of(10) < (10_u64 * 400 * plane) * 2 / 3, "{}", of(10));
    }
}
