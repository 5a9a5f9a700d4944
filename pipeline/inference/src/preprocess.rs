//! From images to what the network is shown: orientation, spacing, normalisation, as `models/README.md` states them.

use std::ops::Range;

use imaging::{Aligned, GridError, LabelMap, Mask, Note, Volume, morphology};
use ndarray::{Array3, Array4, ArrayView3, Axis, concatenate};
use rayon::prelude::*;
use thiserror::Error;

use crate::axis_operator::carry;
use crate::card::{Card, Crop, Normalisation, Normalised, Over, Resampling};
use crate::model_grid::ModelGrid;
use crate::normalise::{Object, normalise, range};
use crate::previous_stage;

/// An image is doubted when its values span less than this part of the interval the card clips to. Origin: a CT in HU spans
/// several times the interval; one scaled to 0…1 or 0…255 by mistake spans a hundredth, or about half of it.
const SUSPICIOUS_SPAN: f32 = 0.05;

/// Why an image cannot be shown to a network.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum PreprocessError {
    /// The model's grid cannot be laid over the image.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// Another number of images than the model sees.
    #[error("the model sees {n_expected} image(s) together ({expected}), found {found}; name them all, in this order")]
    Images {
        /// What the card names.
        expected: String,
        /// How many.
        n_expected: usize,
        /// How many are there.
        found: usize,
    },
    /// Images the model sees together on different voxels.
    #[error(
        "the image {image} does not lie on the first one's voxels: {source}; bring it there first (`lesiontrace warp --like`)"
    )]
    OtherGrid {
        /// Which one.
        image: String,
        /// How they differ.
        source: GridError,
    },
    /// The crop leaves nothing.
    #[error("no voxel of the image is {wanted}, as the model's crop asks: there is nothing to show the network")]
    NothingLeft {
        /// What the card asks for.
        wanted: String,
    },
    /// NaN or infinity among the voxels.
    #[error(
        "{n} voxels of the image are not finite numbers, the first at i {i}, j {j}, k {k}; replace them before (convert from DICOM again, or set them to the value of air)"
    )]
    NotFinite {
        /// How many.
        n: usize,
        /// Column of the first.
        i: usize,
        /// Row of the first.
        j: usize,
        /// Slice of the first.
        k: usize,
    },
    /// All voxels that count the same where the card scales by the image's own spread.
    #[error(
        "all voxels of the image that count have one value (the first voxel has {value}), so that the model's normalisation ({normalisation}) is not defined"
    )]
    Constant {
        /// The value of the first voxel.
        value: f32,
        /// The card's normalisation.
        normalisation: &'static str,
    },
}

/// What the network is shown.
pub(crate) struct Prepared {
    /// The grid it lies on.
    pub(crate) model: ModelGrid,
    /// `[channel, z, y, x]` of the part of that grid which counts: the image, then the first stage's labels.
    pub(crate) shown: Array4<f32>,
    /// That part, voxels along x, y, z.
    pub(crate) part: [Range<usize>; 3],
}

/// Brings images on one grid, and in a cascade the first stage's result on the same grid, onto the model's grid.
pub(crate) fn prepare(
    images: &[&Volume<f32>],
    first_stage: Option<&LabelMap>,
    card: &Card,
    notes: &mut Vec<Note>,
) -> Result<Prepared, PreprocessError> {
    let first = check(images, card)?;
    let input = &card.input;
    let box_on_image = match input.crop {
        Some(Crop::Nonzero {}) => Some(nonzero_box(images)?),
        Some(Crop::Above { .. }) | None => None,
    };
    let model = ModelGrid::over_part(first.grid(), input, box_on_image)?;
    let object = object(images, first_stage, card);
    let object = object.as_ref().map(|mask| model.orient(mask.data()));
    let seen = |image: &Volume<f32>, normalisation: Normalisation, notes: &mut Vec<Note>| {
        seen(image, normalisation, object, (&model, card), notes)
    };
    let mut shown = if let [one] = images {
        seen(one, input.normalisation, notes)?.insert_axis(Axis(0))
    } else {
        let [nx, ny, nz] = model.size();
        let mut shown = Array4::zeros((images.len(), nz, ny, nx));
        for ((mut channel, image), normalisation) in shown.outer_iter_mut().zip(images).zip(card.normalisations()) {
            channel.assign(&seen(image, normalisation, notes)?);
        }
        shown
    };
    let part = match input.crop {
        Some(Crop::Above { value, margin }) => box_above(&shown, value, margin)?,
        Some(Crop::Nonzero {}) | None => model.size().map(|n| 0..n),
    };
    if let (Some(first_stage), Some(cascade), Some(object)) = (first_stage, &card.cascade, &object) {
        let channels = previous_stage::channels(first_stage, object, &model, &cascade.labels);
        shown = concatenate(Axis(0), &[shown.view(), channels.view()])
            .expect("both lie on the model's grid, which model.size() gives");
    }
    if part != model.size().map(|n| 0..n) {
        let [x, y, z] = part.clone();
        shown = shown.slice_move(ndarray::s![.., z, y, x]).as_standard_layout().into_owned();
    }
    Ok(Prepared { model, shown, part })
}

/// As many images as the card names, on one grid, all of finite numbers; the first one.
fn check<'a>(images: &[&'a Volume<f32>], card: &Card) -> Result<&'a Volume<f32>, PreprocessError> {
    let names = || std::iter::once(&card.input.series_role).chain(card.further_images.iter().map(|image| &image.name));
    let wrong_number = || PreprocessError::Images {
        expected: names().map(String::as_str).collect::<Vec<_>>().join(", "),
        n_expected: card.n_images(),
        found: images.len(),
    };
    let first = images.first().filter(|_| images.len() == card.n_images()).ok_or_else(wrong_number)?;
    for (image, name) in images.iter().zip(names()) {
        let other_grid = |source| PreprocessError::OtherGrid { image: name.clone(), source };
        Aligned::new(*first, *image).map_err(other_grid)?;
        refuse_non_finite(image)?;
    }
    Ok(first)
}

/// One image as the network sees it.
fn seen(
    image: &Volume<f32>,
    normalisation: Normalisation,
    object: Object<'_>,
    (model, card): (&ModelGrid, &Card),
    notes: &mut Vec<Note>,
) -> Result<Array3<f32>, PreprocessError> {
    let resampling = card.input.resampling;
    let operators = model.to_model(resampling);
    match card.input.normalised {
        Normalised::BeforeResampling => {
            let mut own = model.orient(image.data()).to_owned();
            doubt_unit(&own, normalisation, card, notes);
            normalise(&mut own, normalisation, object)?;
            Ok(within_source(carry(own.view(), &operators), &own.view(), model, resampling))
        }
        Normalised::AfterResampling => {
            let own = model.orient(image.data());
            let mut seen = within_source(carry(own, &operators), &own, model, resampling);
            doubt_unit(&seen, normalisation, card, notes);
            normalise(&mut seen, normalisation, None)?;
            Ok(seen)
        }
    }
}

/// The images' object where it matters: what is not 0 in any of them, the holes it encloses, and what the first stage found.
fn object(images: &[&Volume<f32>], first_stage: Option<&LabelMap>, card: &Card) -> Option<Mask> {
    let filled = |of| matches!(of, Normalisation::ZScoreOfImage { over: Over::NonzeroFilled });
    if !card.normalisations().any(filled) && first_stage.is_none() {
        return None;
    }
    let (first, further) = images.split_first()?;
    let mut nonzero = first.map(|v| *v != 0.0);
    for image in further {
        nonzero.values_mut().iter_mut().zip(image.values()).for_each(|(inside, v)| *inside |= *v != 0.0);
    }
    let mut object = morphology::fill_holes(&nonzero);
    if let Some(found) = first_stage {
        object.values_mut().iter_mut().zip(found.values()).for_each(|(inside, label)| *inside |= *label != 0);
    }
    Some(object)
}

/// The box of all voxels that are not 0 in any image, along i, j, k.
fn nonzero_box(images: &[&Volume<f32>]) -> Result<[Range<usize>; 3], PreprocessError> {
    let found =
        images.iter().filter_map(|image| box_of(&image.data().view(), |v| v != 0.0)).reduce(|a, b| join(&a, &b));
    found.ok_or_else(|| PreprocessError::NothingLeft { wanted: "different from 0".to_owned() })
}

/// The box of all voxels above a value in any channel, and the margin round it.
fn box_above(shown: &Array4<f32>, value: f32, margin: [usize; 3]) -> Result<[Range<usize>; 3], PreprocessError> {
    let boxes = shown.outer_iter().filter_map(|channel| box_of(&channel, |v| v > value));
    let found = boxes.reduce(|a, b| join(&a, &b));
    let found =
        found.ok_or_else(|| PreprocessError::NothingLeft { wanted: format!("above {value} on the model's grid") })?;
    let (_, nz, ny, nx) = shown.dim();
    Ok(std::array::from_fn(|axis| {
        let Range { start, end } = found[axis].clone();
        start.saturating_sub(margin[axis])..(end + margin[axis]).min([nx, ny, nz][axis])
    }))
}

/// The smallest box round the voxels that count of an array, its last axis first; `None` when there are none.
fn box_of(array: &ArrayView3<'_, f32>, counts: impl Fn(f32) -> bool + Sync) -> Option<[Range<usize>; 3]> {
    let of_plane = |z: usize| {
        let mut found: Option<[Range<usize>; 3]> = None;
        for ((y, x), _) in array.index_axis(Axis(0), z).indexed_iter().filter(|(_, v)| counts(**v)) {
            let at = [x, y, z];
            let found = found.get_or_insert_with(|| at.map(|n| n..n + 1));
            for (range, n) in found.iter_mut().zip(at) {
                *range = range.start.min(n)..range.end.max(n + 1);
            }
        }
        found
    };
    let planes: Vec<_> = (0..array.dim().0).into_par_iter().filter_map(of_plane).collect();
    planes.into_iter().reduce(|a, b| join(&a, &b))
}

/// The smallest box round two boxes.
fn join(a: &[Range<usize>; 3], b: &[Range<usize>; 3]) -> [Range<usize>; 3] {
    std::array::from_fn(|axis| a[axis].start.min(b[axis].start)..a[axis].end.max(b[axis].end))
}

/// A spline overshoots at edges: its values are kept within those of the source, of each plane of the source where planes are not
/// mixed (scikit-image's `resize` with clip=True).
fn within_source(
    mut carried: Array3<f32>,
    source: &ArrayView3<'_, f32>,
    model: &ModelGrid,
    resampling: Resampling,
) -> Array3<f32> {
    if resampling != Resampling::CubicSpline || model.image_size() == model.size() {
        return carried;
    }
    let limits = |part: ArrayView3<'_, f32>| {
        part.iter().fold([f32::INFINITY, f32::NEG_INFINITY], |[low, high], v| [low.min(*v), high.max(*v)])
    };
    match model.nearest_in() {
        None => {
            let [low, high] = range(&source.to_owned());
            carried.par_mapv_inplace(|v| v.clamp(low, high));
        }
        Some(axis) => {
            let planes = model.nearest_to_model()[axis].clone();
            let axis = Axis(2 - axis);
            for (q, mut plane) in carried.axis_iter_mut(axis).enumerate() {
                let from = planes.reach(q).start;
                let [low, high] = limits(source.slice_axis(axis, (from..=from).into()));
                plane.mapv_inplace(|v| v.clamp(low, high));
            }
        }
    }
    carried
}

/// Errors: NaN or infinity among the voxels.
pub(crate) fn refuse_non_finite(image: &Volume<f32>) -> Result<(), PreprocessError> {
    let values = image.values();
    let n = values.par_iter().filter(|v| !v.is_finite()).count();
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(first) => {
            let at = image.shape().index(first);
            Err(PreprocessError::NotFinite { n, i: at.i, j: at.j, k: at.k })
        }
    }
}

fn doubt_unit(seen: &Array3<f32>, normalisation: Normalisation, card: &Card, notes: &mut Vec<Note>) {
    let (Normalisation::ClipToRange { clip, .. } | Normalisation::ZScore { clip: Some(clip), .. }) = normalisation
    else {
        return;
    };
    let [low, high] = range(seen);
    if (high.min(clip[1]) - low.max(clip[0])) < SUSPICIOUS_SPAN * (clip[1] - clip[0]) {
        let message = format!(
            "expected values {}spread over {} to {}, found {low} to {high}: the image may be in another unit or not show what the model knows",
            if card.input.unit.is_empty() || card.n_images() > 1 {
                String::new()
            } else {
                format!("in {} ", card.input.unit)
            },
            clip[0],
            clip[1]
        );
        notes.push(Note::warning("image_values_outside_model_range", &card.name, message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_box_of_what_counts_last_axis_first() {
        let mut array = Array3::<f32>::zeros((3, 4, 5));
        assert_eq!(box_of(&array.view(), |v| v != 0.0), None);
        array[[1, 0, 3]] = -2.0;
        array[[2, 3, 1]] = 1.0;
        assert_eq!(box_of(&array.view(), |v| v != 0.0), Some([1..4, 0..4, 1..3]));
        let shown = array.insert_axis(Axis(0));
        assert_eq!(box_above(&shown, 0.0, [1, 0, 9]).unwrap(), [0..3, 3..4, 0..3]);
        let error = box_above(&shown, 1.0, [0; 3]).unwrap_err();
        assert!(error.to_string().contains("above 1"), "{error}");
    }
}
