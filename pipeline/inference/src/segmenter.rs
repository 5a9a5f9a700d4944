//! A model ready to segment images: card and network together, from an image to labels on the image's own grid.

use std::ops::ControlFlow;
use std::path::Path;

use imaging::{Grid, GridError, LabelMap, Note, Noted, Volume};
use ndarray::{Array4, Axis};
use serde::Serialize;
use thiserror::Error;

use crate::card::{Card, Role};
use crate::clean_up::clean_up;
use crate::ensemble::Ensemble;
use crate::findings::findings;
use crate::labels_on_image::LabelsOnImage;
use crate::memory::bound_bytes;
use crate::model_folder::{Model, ModelError};
use crate::model_grid::ModelGrid;
use crate::network::{Execution, Network};
use crate::onnx::{OnnxNetwork, RuntimeError, RuntimeOptions};
use crate::preprocess::{Prepared, PreprocessError, prepare};
use crate::prompted::memory;
use crate::prompted::prompt::{Prompt, PromptError};
use crate::prompted::result::{Asked, PromptedOutput, PromptedSegmentation};
use crate::prompted::views::Networks;
use crate::sliding_window::{Watch, WindowError, blend};
use crate::windows::Windows;

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
    /// A prompt cannot be followed.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// Nothing was pointed at.
    #[error(
        "model {model} outlines the lesion under a prompt, and there is none: point at a lesion (--point x,y,z in LPS mm) or draw a box round it (--box x1,y1,z1,x2,y2,z2), or take a model that finds lesions by itself"
    )]
    PromptMissing {
        /// The model's name.
        model: String,
    },
    /// A model that takes no prompt.
    #[error(
        "model {model} finds what it knows by itself and takes no prompt: leave --point, --box and --uncertainty out, or take a model whose card has a table [prompt]"
    )]
    PromptNotWanted {
        /// The model's name.
        model: String,
    },
    /// More memory is needed than may be used.
    #[error(
        "this image with model {model} needs up to {needed_mib} MiB, {allowed_mib} MiB are allowed; allow more (--memory), or take a model with a smaller patch, fewer labels or a coarser spacing"
    )]
    Memory {
        /// The model's name.
        model: String,
        /// The bound of what it needs.
        needed_mib: u64,
        /// What may be used.
        allowed_mib: u64,
    },
    /// A cascade whose stages do not fit.
    #[error("model {model} builds on {expected}, found {found}; fetch both models again")]
    Cascade {
        /// The second stage's name.
        model: String,
        /// What its card says about the first.
        expected: String,
        /// What the first is.
        found: String,
    },
}

/// A model and its networks, and in a cascade the first stage.
pub struct Segmenter {
    card: Card,
    networks: Vec<Box<dyn Network>>,
    /// Those that find a lesion's extent, where the card has them.
    extents: Vec<Box<dyn Network>>,
    first_stage: Option<Box<Segmenter>>,
}

/// Labels on the image's own grid, what they mean, and where they come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Segmentation {
    /// The labels.
    pub labels: LabelMap,
    /// Where the card splits findings that touch: a number for each, on the same grid; 0 in all other labels.
    pub findings: Option<LabelMap>,
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
    /// Runs of a network for one window: networks of a cross-validation times mirrored views.
    pub n_passes_per_window: usize,
    /// SHA-256 of the networks averaged with the first one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub other_networks_sha256: Vec<String>,
    /// In a cascade, where the first stage's result comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_stage: Option<Box<Provenance>>,
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
    /// Opens a model's folder, and in a cascade that of its first stage, checks cards, digests and networks, and loads the runtime.
    pub fn open(model_dir: &Path, options: &RuntimeOptions) -> Result<Self, SegmentError> {
        let model = Model::open(model_dir)?;
        let mut networks: Vec<Box<dyn Network>> = Vec::new();
        for network in std::iter::once(&model.network).chain(&model.folds) {
            networks.push(Box::new(OnnxNetwork::load(network, &model.card, options)?));
        }
        let mut extents: Vec<Box<dyn Network>> = Vec::new();
        if let Some(search) = model.card.prompt.as_ref().and_then(|prompting| prompting.extent.as_ref()) {
            for network in &model.extents {
                extents.push(Box::new(OnnxNetwork::load_extent(network, (&model.card, search), options)?));
            }
        }
        let first_stage = match &model.card.cascade {
            Some(cascade) => Some(Self::open(&model_dir.join("..").join(&cascade.model), options)?),
            None => None,
        };
        Ok(Self { extents, ..Self::with_networks(model.card, networks, first_stage)? })
    }

    /// A card with any network, such as one written by hand for a test.
    pub fn with_network(card: Card, network: Box<dyn Network>) -> Self {
        Self { card, networks: vec![network], extents: Vec::new(), first_stage: None }
    }

    /// A card with its networks (those of other folds after the first) and its first stage. Errors: another first stage than the
    /// card names, or one without the labels it names.
    pub fn with_networks(
        card: Card,
        networks: Vec<Box<dyn Network>>,
        first_stage: Option<Self>,
    ) -> Result<Self, SegmentError> {
        let wrong =
            |expected: String, found: String| SegmentError::Cascade { model: card.name.clone(), expected, found };
        match (&card.cascade, &first_stage) {
            (None, None) => {}
            (None, Some(stage)) => return Err(wrong("no first stage".to_owned(), stage.card.name.clone())),
            (Some(cascade), None) => return Err(wrong(cascade.model.clone(), "nothing".to_owned())),
            (Some(cascade), Some(stage)) => {
                if stage.card.sha256 != cascade.sha256 {
                    let expected = format!("a first stage with SHA-256 {}", cascade.sha256);
                    return Err(wrong(expected, stage.card.sha256.clone()));
                }
                if stage.card.n_images() != card.n_images() {
                    let expected = format!("a first stage that sees {} image(s)", card.n_images());
                    return Err(wrong(expected, format!("one that sees {}", stage.card.n_images())));
                }
                let n_labels = stage.card.labels.len();
                if cascade.labels.iter().any(|label| usize::from(*label) >= n_labels) {
                    return Err(wrong(
                        format!("labels {:?} of the first stage", cascade.labels),
                        format!("{n_labels}"),
                    ));
                }
            }
        }
        Ok(Self { card, networks, extents: Vec::new(), first_stage: first_stage.map(Box::new) })
    }

    /// The model's card.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// Where the network runs.
    pub fn execution(&self) -> &Execution {
        self.networks[0].execution()
    }

    /// Segments an image whose values are in the card's unit. Many images may be segmented with one segmenter; calls from several
    /// threads wait for one another at each window.
    pub fn segment(&self, image: &Volume<f32>) -> Result<Noted<Segmentation>, SegmentError> {
        self.segment_images(&[image], &|_, _| ControlFlow::Continue(()))
    }

    /// Segments images that the card names together (`further_image`), in its order and on one grid, telling `watch` (windows done,
    /// windows in all, of one stage) before each window; a break ends the work with [`WindowError::Stopped`].
    pub fn segment_images(
        &self,
        images: &[&Volume<f32>],
        watch: &(dyn Fn(usize, usize) -> ControlFlow<()> + Sync),
    ) -> Result<Noted<Segmentation>, SegmentError> {
        self.refuse_prompted()?;
        let mut notes = Vec::new();
        let first_stage = self.run_first_stage(images, watch, &mut notes)?;
        let prepared = prepare(images, first_stage.as_ref().map(|stage| &stage.labels), &self.card, &mut notes)?;
        let mut on_image = LabelsOnImage::new(&prepared.model, &prepared.part, &self.card);
        let windows = self.show(&prepared, watch, &mut |planes| on_image.take(planes))?;
        let mut labels = on_image.finish(images[0].grid())?;
        let provenance = self.provenance(&prepared.model, &windows, first_stage);
        drop(prepared);
        clean_up(&mut labels, &self.card, &mut notes);
        let findings = findings(&labels, &self.card);
        let structures = structures(&labels, &self.card);
        Ok(Noted::new(Segmentation { labels, findings, structures, provenance }, notes))
    }

    /// The network's blended output on the model's grid, for comparison with other runtimes. Unlike [`Segmenter::segment`] it
    /// holds all channels of the whole grid.
    pub fn network_output(&self, image: &Volume<f32>) -> Result<Noted<NetworkOutput>, SegmentError> {
        self.refuse_prompted()?;
        let mut notes = Vec::new();
        let watch = |_, _| ControlFlow::Continue(());
        let first_stage = self.run_first_stage(&[image], &watch, &mut notes)?;
        let prepared = prepare(&[image], first_stage.as_ref().map(|stage| &stage.labels), &self.card, &mut notes)?;
        let mut planes = Vec::new();
        self.show(&prepared, &watch, &mut |finished| planes.extend(finished))?;
        let views: Vec<_> = planes.iter().map(|plane| plane.view()).collect();
        let values = ndarray::stack(Axis(1), &views).expect("every plane has the channels and the size of the first");
        let values = values.as_standard_layout().into_owned();
        Ok(Noted::new(NetworkOutput { values, grid: prepared.model.grid().clone() }, notes))
    }

    /// Outlines the lesion under each prompt, telling `watch` (runs of a network done, most there can be) before each run. Labels
    /// are 1, 2, … in the order of the prompts. Errors: a model that takes no prompt, no prompt, one that lies outside the image.
    pub fn segment_prompted(
        &self,
        image: &Volume<f32>,
        prompts: &[Prompt],
        watch: &(dyn Fn(usize, usize) -> ControlFlow<()> + Sync),
    ) -> Result<Noted<PromptedSegmentation>, SegmentError> {
        self.asked(image)?.lesions(prompts, watch)
    }

    /// The mean probability under one prompt, for comparison with other programs.
    pub fn prompted_output(&self, image: &Volume<f32>, prompt: &Prompt) -> Result<PromptedOutput, SegmentError> {
        self.asked(image)?.output(prompt, &|_, _| ControlFlow::Continue(()))
    }

    fn asked<'a>(&'a self, image: &'a Volume<f32>) -> Result<Asked<'a>, SegmentError> {
        Asked::new(&self.card, Networks { outline: &self.networks, extent: &self.extents }, image)
    }

    fn refuse_prompted(&self) -> Result<(), SegmentError> {
        match &self.card.prompt {
            Some(_) => Err(SegmentError::PromptMissing { model: self.card.name.clone() }),
            None => Ok(()),
        }
    }

    /// An upper bound, in bytes, of what [`Segmenter::segment`] or [`Segmenter::segment_prompted`] holds for an image on this grid, the image itself included; the
    /// runtime's inner layers and library are not in it.
    pub fn memory_bound_bytes(&self, image: &Grid) -> Result<u64, SegmentError> {
        let n_threads = rayon::current_num_threads();
        if let Some(prompting) = &self.card.prompt {
            return Ok(memory::bound_bytes(image, &self.card.input.patch, prompting, self.networks.len(), n_threads));
        }
        let model = ModelGrid::over(image, &self.card.input)?;
        let windows = Windows::over(model.size(), &self.card);
        let own = bound_bytes(image.shape(), &model, &windows, &self.card, n_threads);
        let first_stage = self.first_stage.as_ref().map_or(Ok(0), |stage| stage.memory_bound_bytes(image))?;
        Ok(own.max(first_stage))
    }

    /// Refuses an image for which [`Segmenter::memory_bound_bytes`] exceeds what may be used, before anything is done.
    pub fn refuse_above(&self, allowed_bytes: u64, image: &Grid) -> Result<(), SegmentError> {
        let needed = self.memory_bound_bytes(image)?;
        if needed <= allowed_bytes {
            return Ok(());
        }
        let (model, needed_mib, allowed_mib) = (self.card.name.clone(), needed.div_ceil(1 << 20), allowed_bytes >> 20);
        Err(SegmentError::Memory { model, needed_mib, allowed_mib })
    }

    fn run_first_stage(
        &self,
        images: &[&Volume<f32>],
        watch: &(dyn Fn(usize, usize) -> ControlFlow<()> + Sync),
        notes: &mut Vec<Note>,
    ) -> Result<Option<Segmentation>, SegmentError> {
        let Some(stage) = &self.first_stage else { return Ok(None) };
        Ok(Some(stage.segment_images(images, watch)?.note_into(notes)))
    }

    /// Shows all windows to the networks; returns where they lay.
    fn show(
        &self,
        prepared: &Prepared,
        watch: Watch<'_>,
        finished: &mut (dyn FnMut(Vec<ndarray::Array3<f32>>) + Send),
    ) -> Result<Windows, SegmentError> {
        let size = [0, 1, 2].map(|axis| prepared.part[axis].len());
        let windows = Windows::over(size, &self.card);
        let ensemble = Ensemble::new(&self.card, &self.networks);
        blend(&prepared.shown, &windows, &self.card, &ensemble, watch, finished)?;
        Ok(windows)
    }

    fn provenance(&self, model: &ModelGrid, windows: &Windows, first_stage: Option<Segmentation>) -> Provenance {
        Provenance {
            model: self.card.name.clone(),
            model_version: self.card.version.clone(),
            model_sha256: self.card.sha256.clone(),
            execution: self.execution().clone(),
            model_spacing_mm: model.grid().spacing_mm(),
            model_shape: model.size(),
            n_windows: windows.count(),
            n_passes_per_window: Ensemble::new(&self.card, &self.networks).n_passes(),
            other_networks_sha256: self.card.folds.iter().map(|fold| fold.sha256.clone()).collect(),
            first_stage: first_stage.map(|stage| Box::new(stage.provenance)),
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
