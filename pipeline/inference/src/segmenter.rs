//! A model ready to segment images: card and network together, from an image to labels on the image's own grid.

use std::ops::ControlFlow;
use std::path::Path;

use imaging::{Grid, GridError, LabelMap, Note, Noted, Shape, Volume};
use ndarray::Array4;
use serde::Serialize;
use thiserror::Error;

use crate::card::{Card, Role};
use crate::clean_up::clean_up;
use crate::model_folder::{Model, ModelError};
use crate::model_grid::ModelGrid;
use crate::network::{Execution, Network};
use crate::onnx::{OnnxNetwork, RuntimeError, RuntimeOptions};
use crate::postprocess::{activate, onto_image};
use crate::preprocess::{PreprocessError, prepare};
use crate::sliding_window::{WindowError, Windows, blend};

/// Why an image has no segmentation.
#[derive(Debug, Error)]
pub enum SegmentError {
    /// The folder holds no usable model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The runtime cannot be used.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The model's grid cannot be laid over the image.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// The image cannot be shown to the network.
    #[error(transparent)]
    Preprocess(#[from] PreprocessError),
    /// The network gave no result.
    #[error(transparent)]
    Window(#[from] WindowError),
}

/// A model and its network.
pub struct Segmenter {
    card: Card,
    network: Box<dyn Network>,
}

/// Labels on the image's own grid, what they mean, and where they come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Segmentation {
    /// The labels.
    pub labels: LabelMap,
    /// What each label means, background left out, in ascending order.
    pub structures: Vec<Structure>,
    /// Where they come from.
    pub provenance: Provenance,
}

/// What a label means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Structure {
    /// The value in the label map.
    pub index: u16,
    /// Its name.
    pub name: String,
    /// What kind of structure it is.
    pub role: Role,
    /// The organ it is or lies in.
    pub organ: Option<String>,
    /// Voxels found on the image's grid.
    pub n_voxels: usize,
}

/// Where a segmentation comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Provenance {
    /// The model's name.
    pub model: String,
    /// Its version.
    pub model_version: String,
    /// SHA-256 of its network.
    pub model_sha256: String,
    /// Where the network ran.
    pub execution: Execution,
    /// Spacing of the grid the network saw, along x, y, z.
    pub model_spacing_mm: [f64; 3],
    /// Its voxels along x, y, z.
    pub model_shape: [usize; 3],
    /// Windows the network was shown.
    pub n_windows: usize,
}

/// A network's blended output on the model's grid, before activation.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkOutput {
    /// `[channel, z, y, x]`: logits, probabilities, or shares of votes, as the card says.
    pub values: Array4<f32>,
    /// The grid; its i, j, k are the model's x, y, z.
    pub grid: Grid,
}

impl Segmenter {
    /// Opens a model's folder, checks card, digest and network, and loads the runtime.
    pub fn open(model_dir: &Path, options: &RuntimeOptions) -> Result<Self, SegmentError> {
        let model = Model::open(model_dir)?;
        let network = OnnxNetwork::load(&model.network, &model.card, options)?;
        Ok(Self { card: model.card, network: Box::new(network) })
    }

    /// A card with any network, such as one written by hand for a test.
    pub fn with_network(card: Card, network: Box<dyn Network>) -> Self {
        Self { card, network }
    }

    /// The model's card.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// Where the network runs.
    pub fn execution(&self) -> &Execution {
        self.network.execution()
    }

    /// Segments an image whose values are in the card's unit. Many images may be segmented with one segmenter; calls from several
    /// threads wait for one another at each window.
    pub fn segment(&self, image: &Volume<f32>) -> Result<Noted<Segmentation>, SegmentError> {
        self.segment_watched(image, &|_, _| ControlFlow::Continue(()))
    }

    /// [`Segmenter::segment`], telling `watch` (windows done, windows in all) before each window; a break ends the work with
    /// [`WindowError::Stopped`].
    pub fn segment_watched(
        &self,
        image: &Volume<f32>,
        watch: &dyn Fn(usize, usize) -> ControlFlow<()>,
    ) -> Result<Noted<Segmentation>, SegmentError> {
        let mut notes = Vec::new();
        let model = ModelGrid::over(image.grid(), &self.card.input)?;
        let windows = Windows::over(model.size(), &self.card);
        let mut answer = self.answer(image, &model, &windows, &mut notes, watch)?;
        activate(&mut answer, &self.card);
        let mut labels = onto_image(&answer, &model, image.grid(), &self.card)?;
        drop(answer);
        clean_up(&mut labels, &self.card, &mut notes);
        let structures = structures(&labels, &self.card);
        let provenance = self.provenance(&model, &windows);
        Ok(Noted::new(Segmentation { labels, structures, provenance }, notes))
    }

    /// The network's blended output on the model's grid, for comparison with other runtimes.
    pub fn network_output(&self, image: &Volume<f32>) -> Result<Noted<NetworkOutput>, SegmentError> {
        let mut notes = Vec::new();
        let model = ModelGrid::over(image.grid(), &self.card.input)?;
        let windows = Windows::over(model.size(), &self.card);
        let values = self.answer(image, &model, &windows, &mut notes, &|_, _| ControlFlow::Continue(()))?;
        Ok(Noted::new(NetworkOutput { values, grid: model.grid().clone() }, notes))
    }

    /// An upper bound, in bytes, of what [`Segmenter::segment`] holds for an image on this grid; see [`memory_bound_bytes`].
    pub fn memory_bound_bytes(&self, image: &Grid) -> Result<u64, SegmentError> {
        let model = ModelGrid::over(image, &self.card.input)?;
        let [ni, nj, nk] = Windows::over(model.size(), &self.card).patch;
        Ok(memory_bound_bytes(image.shape(), model.grid().shape(), Shape { ni, nj, nk }, self.card.n_channels()))
    }

    fn answer(
        &self,
        image: &Volume<f32>,
        model: &ModelGrid,
        windows: &Windows,
        notes: &mut Vec<Note>,
        watch: &dyn Fn(usize, usize) -> ControlFlow<()>,
    ) -> Result<Array4<f32>, SegmentError> {
        let seen = prepare(image, model, &self.card, notes)?;
        Ok(blend(&seen, windows, &self.card, self.network.as_ref(), watch)?)
    }

    fn provenance(&self, model: &ModelGrid, windows: &Windows) -> Provenance {
        Provenance {
            model: self.card.name.clone(),
            model_version: self.card.version.clone(),
            model_sha256: self.card.sha256.clone(),
            execution: self.network.execution().clone(),
            model_spacing_mm: model.grid().spacing_mm(),
            model_shape: model.size(),
            n_windows: windows.count(),
        }
    }
}

fn structures(labels: &LabelMap, card: &Card) -> Vec<Structure> {
    let mut counts = vec![0_usize; card.labels.len()];
    for label in labels.values() {
        counts[usize::from(*label)] += 1;
    }
    let named = card.labels.iter().zip(counts).skip(1);
    named
        .map(|(label, n_voxels)| Structure {
            index: label.index,
            name: label.name.clone(),
            role: label.role,
            organ: label.organ.clone(),
            n_voxels,
        })
        .collect()
}

/// An upper bound, in bytes, of the arrays alive at once while an image is segmented: the image itself, the steps of resampling,
/// the blended output with its weights and one window on the way in and out, then labels and components on the image's grid.
///
/// `image` and `on_model_grid` are shapes, `window` that of the patch. Not in it: what the runtime takes for the network's inner
/// layers, which only the network decides, a few image planes per thread, and the list of components, which is long only for noise.
pub fn memory_bound_bytes(image: Shape, on_model_grid: Shape, window: Shape, n_channels: usize) -> u64 {
    const F32: u64 = 4;
    let voxels = |shape: Shape| shape.ni as u64 * shape.nj as u64 * shape.nk as u64;
    let (n_image, n_model, n_window, c) = (voxels(image), voxels(on_model_grid), voxels(window), n_channels as u64);
    // Between the two grids an array has the model's x and y and the image's z, in whatever order the image stores them.
    let longest = [image.ni, image.nj, image.nk].into_iter().max().unwrap_or(0) as u64;
    let between = on_model_grid.ni as u64 * on_model_grid.nj as u64 * longest;
    let resampling = F32 * (between + n_model);
    let blending = F32 * (n_model * (1 + c + 1) + n_window * (3 + 4 * c));
    // u16 twice while axes are turned back; masks, component numbers and their table while components are found.
    let labelling = F32 * n_model * c + n_image * 4;
    let cleaning = n_image * (2 + 2 + 4 + 4 + 8);
    F32 * n_image + resampling.max(blending).max(labelling).max(cleaning)
}
