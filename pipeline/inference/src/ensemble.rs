//! Several networks, and one network shown mirrored windows, as one: their answers are averaged.
//!
//! After F. Isensee et al., "nnU-Net", Nature Methods 18 (2021): networks of a cross-validation are averaged before the activation,
//! and each window is shown mirrored along every combination of axes, its answer mirrored back.

use ndarray::{Array4, Axis};

use crate::card::Card;
use crate::network::Network;
use crate::sliding_window::WindowError;
use crate::tensor::{Nth, from_card_axes, to_card_axes};

/// The networks of a card and the axes it mirrors.
pub(crate) struct Ensemble<'a> {
    card: &'a Card,
    networks: &'a [Box<dyn Network>],
    mirrored: Vec<Vec<Axis>>,
}

impl<'a> Ensemble<'a> {
    pub(crate) fn new(card: &'a Card, networks: &'a [Box<dyn Network>]) -> Self {
        Self { card, networks, mirrored: combinations(&card.input.mirror) }
    }

    /// How often a network is run for one window.
    pub(crate) fn n_passes(&self) -> usize {
        self.networks.len() * self.mirrored.len()
    }

    /// The averaged answer `[channel, z, y, x]` to a window `[channel, z, y, x]` of `patch` voxels along x, y, z.
    pub(crate) fn answer(&self, shown: &Array4<f32>, patch: [usize; 3], nth: Nth) -> Result<Array4<f32>, WindowError> {
        let mut sum: Option<Array4<f32>> = None;
        for network in self.networks {
            for axes in &self.mirrored {
                let mut view = shown.view();
                for axis in axes {
                    view.invert_axis(*axis);
                }
                let tensor = to_card_axes(&view, &self.card.input.axes);
                let failed = |source| WindowError::Network { n: nth.0, of: nth.1, source };
                let mut answer = from_card_axes(network.run(tensor).map_err(failed)?, self.card, patch, nth)?;
                for axis in axes {
                    answer.invert_axis(*axis);
                }
                match &mut sum {
                    None => sum = Some(answer),
                    Some(sum) => *sum += &answer,
                }
            }
        }
        let mut sum = sum.expect("a card has at least one network, and not to mirror is one of the combinations");
        if self.n_passes() > 1 {
            sum /= self.n_passes() as f32;
        }
        Ok(sum)
    }
}

/// All combinations of the axes, none first, as axes of `[channel, z, y, x]`.
fn combinations(mirror: &str) -> Vec<Vec<Axis>> {
    let mut all = vec![Vec::new()];
    for letter in mirror.chars() {
        let axis = Axis("czyx".find(letter).unwrap_or(0));
        let with: Vec<Vec<Axis>> = all.iter().map(|axes| [axes.as_slice(), &[axis]].concat()).collect();
        all.extend(with);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_axes_have_eight_combinations_and_none_has_one() {
        assert_eq!(combinations(""), [Vec::new()]);
        let all = combinations("xyz");
        assert_eq!(all.len(), 8);
        assert_eq!(all[0], []);
        assert_eq!(all[7], [Axis(3), Axis(2), Axis(1)]);
    }
}
