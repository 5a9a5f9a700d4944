//! Cubes shown to every network of a card, mirrored where asked, and their answers as probabilities in the image's own direction.

use ndarray::{Array3, Array4, Axis, Zip};
use rayon::prelude::*;

use crate::card::{Card, ExtentSearch};
use crate::label_choice::activate;
use crate::network::Network;
use crate::prompted::cube::Lie;
use crate::prompted::extent::likelihood;
use crate::sliding_window::{Watch, WindowError};
use crate::tensor::{Nth, from_card_axes, to_card_axes};

/// A cube's place, and each network's answer in it.
pub(crate) struct Seen {
    /// Where the cube lies.
    pub(crate) lie: Lie,
    /// How many voxels beyond the cube's middle the click lies, along x, y, z.
    pub(crate) shift: [i32; 3],
    /// The lesion's probability `[z, y, x]` by each network.
    pub(crate) by_network: Vec<Array3<f32>>,
}

/// The networks of a card.
#[derive(Clone, Copy)]
pub(crate) struct Networks<'a> {
    /// Those that outline a lesion.
    pub(crate) outline: &'a [Box<dyn Network>],
    /// Those that find its extent, where the card has them.
    pub(crate) extent: &'a [Box<dyn Network>],
}

/// The networks of a card, and how often they were run.
pub(crate) struct Looks<'a> {
    card: &'a Card,
    networks: Networks<'a>,
    watch: Watch<'a>,
    n_runs: usize,
    n_cubes: usize,
    of: usize,
}

impl<'a> Looks<'a> {
    /// Networks to be asked for `n_prompts` prompts, telling `watch` before each run.
    pub(crate) fn new(card: &'a Card, networks: Networks<'a>, watch: Watch<'a>, n_prompts: usize) -> Self {
        let n_cubes = card.prompt.as_ref().map_or(0, |prompting| {
            prompting.views.len() + if networks.extent.is_empty() { prompting.looks_mm.len() } else { 0 }
        });
        let of = n_prompts * (n_cubes * networks.outline.len() + networks.extent.len());
        Self { card, networks, watch, n_runs: 0, n_cubes: 0, of }
    }

    /// The mean answer of the extent networks `[turn, extent then rays, shell]`.
    pub(crate) fn extent(&mut self, shown: Array4<f32>, search: &ExtentSearch) -> Result<Array3<f32>, WindowError> {
        let shown = shown.into_dyn();
        let answers = self.asked(self.networks.extent, |network, nth| {
            let answer = network.run(shown.clone()).and_then(|answer| likelihood(answer, search));
            answer.map_err(|source| WindowError::Network { n: nth.0, of: nth.1, source })
        })?;
        let mut sum = Array3::<f32>::zeros(search.output_shape());
        for answer in &answers {
            sum += answer;
        }
        Ok(sum / answers.len() as f32)
    }

    /// What each network answers, in their order. Side by side, but the first time one after another, so that who watches sees what
    /// each of them takes.
    fn asked<T: Send>(
        &mut self,
        networks: &'a [Box<dyn Network>],
        ask: impl Fn(&dyn Network, Nth) -> Result<T, WindowError> + Sync,
    ) -> Result<Vec<T>, WindowError> {
        if self.n_cubes <= 1 {
            return networks.iter().map(|network| ask(network.as_ref(), self.next()?)).collect();
        }
        let runs = networks.iter().map(|network| Ok((network.as_ref(), self.next()?)));
        let runs = runs.collect::<Result<Vec<(&dyn Network, Nth)>, WindowError>>()?;
        let answers: Vec<Result<T, WindowError>> =
            runs.into_par_iter().map(|(network, nth)| ask(network, nth)).collect();
        // Of several errors the first network's.
        answers.into_iter().collect()
    }

    /// The number of the next run, unless the work is to end before it.
    fn next(&mut self) -> Result<Nth, WindowError> {
        if (self.watch)(self.n_runs, self.of).is_break() {
            return Err(WindowError::Stopped { done: self.n_runs, of: self.of });
        }
        self.n_runs += 1;
        Ok((self.n_runs, self.of))
    }

    /// Cubes shown until now.
    pub(crate) fn n_cubes(&self) -> usize {
        self.n_cubes
    }

    /// The lesion's probability `[z, y, x]` by each network, for a cube `[channel, z, y, x]` shown mirrored along some axes.
    pub(crate) fn by_network(&mut self, shown: &Array4<f32>, mirror: &str) -> Result<Vec<Array3<f32>>, WindowError> {
        self.n_cubes += 1;
        let card = self.card;
        self.asked(self.networks.outline, |network, nth| one(card, network, nth, (shown, mirror)))
    }
}

/// One network's answer to a cube shown mirrored.
fn one(
    card: &Card,
    network: &dyn Network,
    nth: Nth,
    (shown, mirror): (&Array4<f32>, &str),
) -> Result<Array3<f32>, WindowError> {
    let side = shown.dim().3;
    let axes: Vec<Axis> = mirror.chars().filter_map(|letter| "czyx".find(letter)).map(Axis).collect();
    let mut view = shown.view();
    for axis in &axes {
        view.invert_axis(*axis);
    }
    let failed = |source| WindowError::Network { n: nth.0, of: nth.1, source };
    let answer = network.run(to_card_axes(&view, &card.input.axes)).map_err(failed)?;
    let mut answer = from_card_axes(answer, card, [side; 3], nth)?.index_axis_move(Axis(0), 0);
    activate(&mut answer, card);
    // Without the channel each axis stands one place earlier.
    for axis in &axes {
        answer.invert_axis(Axis(axis.0 - 1));
    }
    Ok(answer.as_standard_layout().into_owned())
}

/// The mean of several answers to one cube.
pub(crate) fn mean(answers: &[Array3<f32>]) -> Array3<f32> {
    let mut sum = answers[0].clone();
    for answer in &answers[1..] {
        Zip::from(&mut sum).and(answer).for_each(|sum, v| *sum += v);
    }
    sum / answers.len() as f32
}
