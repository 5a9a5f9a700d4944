//! Lesions of several prompts together on one image: a label each, whose a voxel claimed twice is, and how far to trust each.

use std::collections::BTreeMap;

use imaging::{Index3, LabelMap, Note, Noted, Volume};
use ndarray::{Array3, ArrayViewMut3};

use crate::card::{Card, Input, NativeWord, Patch, Prompting, Role, Spacing};
use crate::model_grid::ModelGrid;
use crate::preprocess::refuse_non_finite;
use crate::prompted::cube::Source;
use crate::prompted::outline::{Outline, outline};
use crate::prompted::prompt::{Prompt, PromptError, place};
use crate::prompted::trust::{doubts, overlap};
use crate::prompted::views::{Looks, Networks};
use crate::segmenter::{Provenance, SegmentError, Segmentation, Structure};
use crate::sliding_window::Watch;

/// One lesion a prompt led to.
#[derive(Debug, Clone, PartialEq)]
pub struct PromptedLesion {
    /// Its value in the label map: the prompt's number, from 1.
    pub label: u16,
    /// What was pointed at.
    pub prompt: Prompt,
    /// Spacing it was outlined at, mm.
    pub spacing_mm: f64,
    /// Mean Dice of each network's outline in each view with the lesion, 0 to 1; `None` where none was found.
    pub agreement: Option<f64>,
    /// Whether nothing speaks against it.
    pub trusted: bool,
    /// What speaks against it.
    pub reasons: Vec<String>,
    /// Voxels of the image that are its own.
    pub n_voxels: usize,
}

/// The lesions under prompts.
#[derive(Debug, Clone, PartialEq)]
pub struct PromptedSegmentation {
    /// Labels from 1 in the order of the prompts, and where they come from; the spacing named there is that of the finest look.
    pub segmentation: Segmentation,
    /// One for each prompt.
    pub lesions: Vec<PromptedLesion>,
    /// Standard deviation of the probability over networks and views on the image's grid; of several prompts the largest one, and
    /// 0 beyond all cubes, where every view says 0.
    pub uncertainty: Volume<f32>,
}

/// The mean probability under one prompt, for comparison with other programs.
#[derive(Debug, Clone, PartialEq)]
pub struct PromptedOutput {
    /// On the image's grid; 0 beyond the cubes.
    pub probability: Volume<f32>,
    /// Spacing it was outlined at, mm.
    pub spacing_mm: f64,
    /// As in [`PromptedLesion`].
    pub agreement: Option<f64>,
}

/// A card with its networks, and the image they are asked about.
pub(crate) struct Asked<'a> {
    card: &'a Card,
    prompting: &'a Prompting,
    networks: Networks<'a>,
    image: &'a Volume<f32>,
    own_axes: ModelGrid,
}

impl<'a> Asked<'a> {
    /// Turns the image to the card's orientation. Errors: a card without `[prompt]`, an image with values that are not finite.
    pub(crate) fn new(card: &'a Card, networks: Networks<'a>, image: &'a Volume<f32>) -> Result<Self, SegmentError> {
        let Some(prompting) = &card.prompt else {
            return Err(SegmentError::PromptNotWanted { model: card.name.clone() });
        };
        refuse_non_finite(image)?;
        let native = Input { spacing_mm: Spacing::Native(NativeWord::Native), ..card.input.clone() };
        let own_axes = ModelGrid::over(image.grid(), &native)?;
        Ok(Self { card, prompting, networks, image, own_axes })
    }

    fn source(&self) -> Source<'_> {
        let Patch::Voxels([side, ..]) = self.card.input.patch else {
            unreachable!("card_rules: the patch of a prompted card is a cube")
        };
        Source {
            values: self.own_axes.orient(self.image.data()),
            spacing_mm: self.own_axes.grid().spacing_mm(),
            side,
            click_sigma: self.prompting.click_sigma_voxels,
        }
    }

    fn looks(&self, n_prompts: usize, watch: Watch<'a>) -> Looks<'a> {
        Looks::new(self.card, self.networks, watch, n_prompts)
    }

    fn outline(&self, prompt: &Prompt, looks: &mut Looks<'_>) -> Result<Outline, SegmentError> {
        let (source, oriented) = (self.source(), self.own_axes.grid());
        let placed = place(prompt, oriented)?;
        outline(&source, oriented, &placed, self.prompting, looks)
    }

    /// The mean probability under one prompt.
    pub(crate) fn output(&self, prompt: &Prompt, watch: Watch<'a>) -> Result<PromptedOutput, SegmentError> {
        let found = self.outline(prompt, &mut self.looks(1, watch))?;
        let mut probability = Volume::filled(self.image.grid().clone(), 0.0_f32);
        let [x, y, z] = found.region.clone();
        self.own_axes.orient_mut(probability.data_mut()).slice_mut(ndarray::s![z, y, x]).assign(&found.mean);
        let agreement = found.lesion.map(|lesion| lesion.agreement);
        Ok(PromptedOutput { probability, spacing_mm: found.spacing_mm, agreement })
    }

    /// The lesions under all prompts.
    pub(crate) fn lesions(
        &self,
        prompts: &[Prompt],
        watch: Watch<'a>,
    ) -> Result<Noted<PromptedSegmentation>, SegmentError> {
        if prompts.is_empty() {
            return Err(SegmentError::PromptMissing { model: self.card.name.clone() });
        }
        if prompts.len() >= usize::from(u16::MAX) {
            return Err(PromptError::TooMany { found: prompts.len() }.into());
        }
        // A prompt that cannot be followed ends the work before any of it is done.
        prompts.iter().try_for_each(|prompt| place(prompt, self.own_axes.grid()).map(drop))?;
        let mut labels = LabelMap::filled(self.image.grid().clone(), 0_u16);
        let mut uncertainty = Volume::filled(self.image.grid().clone(), 0.0_f32);
        let mut looks = self.looks(prompts.len(), watch);
        let mut on_image = OnImage {
            labels: self.own_axes.orient_mut(labels.data_mut()),
            uncertainty: self.own_axes.orient_mut(uncertainty.data_mut()),
            probability: (prompts.len() > 1).then(|| Array3::zeros(self.source().values.dim())),
            shared: BTreeMap::new(),
        };
        let (mut lesions, mut notes, mut n_claimed) = (Vec::new(), Vec::new(), vec![0]);
        for (label, prompt) in (1..).zip(prompts) {
            let found = self.outline(prompt, &mut looks)?;
            n_claimed.push(on_image.take(label, &found));
            lesions.push(self.lesion(label, prompt, &found, &mut notes));
        }
        let shared = std::mem::take(&mut on_image.shared);
        drop(on_image);
        doubt_shared(&shared, &n_claimed, &mut lesions, &mut notes);
        for label in labels.values().iter().filter(|label| **label > 0) {
            lesions[usize::from(*label) - 1].n_voxels += 1;
        }
        let structures = lesions.iter().map(|lesion| self.structure(lesion)).collect();
        let provenance = self.provenance(looks.n_cubes());
        let segmentation = Segmentation { labels, findings: None, structures, provenance };
        Ok(Noted::new(PromptedSegmentation { segmentation, lesions, uncertainty }, notes))
    }

    fn lesion(&self, label: u16, prompt: &Prompt, found: &Outline, notes: &mut Vec<Note>) -> PromptedLesion {
        let doubts = doubts(prompt, found, self.prompting, self.source().side);
        notes.extend(doubts.iter().map(|doubt| doubt.note(&name(label))));
        if found.lesion.as_ref().is_some_and(|lesion| !lesion.under_click) {
            let message =
                format!("{prompt} itself lies beside the outline; the nearest part within three voxels was taken");
            notes.push(Note::info("prompt_beside_lesion", name(label), message));
        }
        PromptedLesion {
            label,
            prompt: *prompt,
            spacing_mm: found.spacing_mm,
            agreement: found.lesion.as_ref().map(|lesion| lesion.agreement),
            trusted: doubts.is_empty(),
            reasons: doubts.into_iter().map(|doubt| doubt.reason).collect(),
            n_voxels: 0,
        }
    }

    fn structure(&self, lesion: &PromptedLesion) -> Structure {
        let organ = self.card.labels.get(1).and_then(|label| label.organ.clone());
        let (index, n_voxels) = (lesion.label, lesion.n_voxels);
        Structure { index, name: name(index), role: Role::Lesion, organ, n_voxels }
    }

    fn provenance(&self, n_cubes: usize) -> Provenance {
        Provenance {
            model: self.card.name.clone(),
            model_version: self.card.version.clone(),
            model_sha256: self.card.sha256.clone(),
            execution: self.networks.outline[0].execution().clone(),
            model_spacing_mm: self.card.input.spacing_mm.over(self.own_axes.grid().spacing_mm()),
            model_shape: [self.source().side; 3],
            n_windows: n_cubes,
            n_passes_per_window: self.networks.outline.len(),
            other_networks_sha256: self.card.other_networks().map(|other| other.sha256.clone()).collect(),
            first_stage: None,
        }
    }
}

fn name(label: u16) -> String {
    format!("lesion-{label}")
}

/// The image's voxels while lesions are written into them, `[z, y, x]` on the card's axes.
struct OnImage<'a> {
    labels: ArrayViewMut3<'a, u16>,
    uncertainty: ArrayViewMut3<'a, f32>,
    /// The mean probability with which each voxel is its label's; only where several lesions can claim it.
    probability: Option<Array3<f32>>,
    /// Voxels claimed by two lesions, the lower number first.
    shared: BTreeMap<(u16, u16), usize>,
}

impl OnImage<'_> {
    /// Writes a lesion; a voxel that is another one's goes to the likelier, of equals to the one with the lower number. Returns
    /// how many it claims.
    fn take(&mut self, label: u16, found: &Outline) -> usize {
        let low: [usize; 3] = std::array::from_fn(|axis| found.region[axis].start);
        let place = |(z, y, x): (usize, usize, usize)| [z + low[2], y + low[1], x + low[0]];
        for (at, deviation) in found.deviation.indexed_iter() {
            let to = &mut self.uncertainty[place(at)];
            *to = to.max(*deviation);
        }
        let Some(lesion) = &found.lesion else { return 0 };
        let mut n_claimed = 0;
        for Index3 { i, j, k } in lesion.mask.indices_set() {
            n_claimed += 1;
            let (at, likely) = (place((k, j, i)), found.mean[[k, j, i]]);
            let owner = self.labels[at];
            if owner != 0 {
                *self.shared.entry((owner, label)).or_default() += 1;
            }
            let beaten = owner == 0 || self.probability.as_ref().is_some_and(|other| likely > other[at]);
            if beaten {
                self.labels[at] = label;
                if let Some(other) = &mut self.probability {
                    other[at] = likely;
                }
            }
        }
        n_claimed
    }
}

/// Says which lesions share voxels, and doubts those that share most of one of them.
fn doubt_shared(
    shared: &BTreeMap<(u16, u16), usize>,
    n_claimed: &[usize],
    lesions: &mut [PromptedLesion],
    notes: &mut Vec<Note>,
) {
    for ((a, b), n_shared) in shared {
        let message = format!(
            "it and lesion {b} both claim {n_shared} voxels; each went to the likelier one, of equals to the lower number"
        );
        notes.push(Note::info("voxels_claimed_twice", name(*a), message));
        let n_smaller = n_claimed[usize::from(*a)].min(n_claimed[usize::from(*b)]);
        for (label, other) in [(*a, *b), (*b, *a)] {
            let Some(doubt) = overlap(other, *n_shared, n_smaller) else { continue };
            notes.push(doubt.note(&name(label)));
            let lesion = &mut lesions[usize::from(label) - 1];
            lesion.trusted = false;
            lesion.reasons.push(doubt.reason);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompted::outline::Lesion;
    use imaging::{Affine, FrameId, Grid, Mask, Shape};
    use nalgebra::{Matrix3, Vector3};

    /// A row of voxels from `first` on with these probabilities, all of them the lesion's.
    fn row(first: usize, mean: &[f32]) -> Outline {
        let shape = Shape { ni: mean.len(), nj: 1, nk: 1 };
        let affine = Affine::from_parts(Matrix3::identity(), Vector3::zeros());
        let mask = Mask::filled(Grid::new(shape, affine, FrameId::new("f")).unwrap(), true);
        let (reaches_end_of_cube, reaches_end_of_image) = (false, false);
        let (size_is_confirmed, under_click) = (true, true);
        let agreement = 0.9;
        let lesion =
            Lesion { mask, agreement, reaches_end_of_cube, reaches_end_of_image, size_is_confirmed, under_click };
        let mean = Array3::from_shape_vec((1, 1, mean.len()), mean.to_vec()).unwrap();
        let region = [first..first + mean.dim().2, 0..1, 0..1];
        Outline { spacing_mm: 1.0, region, deviation: mean.mapv(|p| 1.0 - p), mean, lesion: Some(lesion) }
    }

    #[test]
    fn a_voxel_claimed_twice_goes_to_the_likelier_and_of_equals_to_the_lower_number() {
        let (mut labels, mut uncertainty) = (Array3::zeros((1, 1, 8)), Array3::zeros((1, 1, 8)));
        let mut on_image = OnImage {
            labels: labels.view_mut(),
            uncertainty: uncertainty.view_mut(),
            probability: Some(Array3::zeros((1, 1, 8))),
            shared: BTreeMap::new(),
        };
        assert_eq!(on_image.take(1, &row(0, &[0.9, 0.9, 0.7, 0.6, 0.8])), 5);
        assert_eq!(on_image.take(2, &row(2, &[0.7, 0.9, 0.6, 0.9])), 4);
        assert_eq!(on_image.take(3, &row(5, &[0.95, 0.6])), 2);
        assert_eq!(on_image.shared, BTreeMap::from([((1, 2), 3), ((2, 3), 1)]));
        assert_eq!(labels.iter().copied().collect::<Vec<u16>>(), [1, 1, 1, 2, 1, 3, 3, 0]);
        // The larger deviation stays: 0.4 of the first at voxel 3, and of the second at voxel 4.
        assert!((uncertainty[[0, 0, 3]] - 0.4_f32).abs() < 1e-6 && (uncertainty[[0, 0, 4]] - 0.4_f32).abs() < 1e-6);
    }
}
