//! What a network answers: the card's `[output]`.

use serde::{Deserialize, Serialize};

use crate::card::axes::Axes;

/// What the network answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// The output tensor's name.
    pub name: String,
    /// The order of its axes; without `c` for [`OutputKind::Labels`].
    pub axes: Axes,
    /// What its numbers are.
    pub kind: OutputKind,
    /// How channels exclude each other; absent for [`OutputKind::Labels`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
    /// For overlapping regions ([`Activation::Sigmoid`]): the label each channel paints where it exceeds one half, a later channel
    /// over an earlier one. When absent, channel c is label c + 1 and the likeliest one counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_labels: Option<Vec<u16>>,
    /// What is carried from the model's grid back onto the image's.
    #[serde(default, skip_serializing_if = "CarriedBack::is_probabilities")]
    pub carried_back: CarriedBack,
}

/// What the network's numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputKind {
    /// Before the activation.
    Logits,
    /// After it.
    Probabilities,
    /// One whole number a voxel.
    Labels,
}

/// How channels exclude each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// They do: channel c is label c.
    Softmax,
    /// They do not: channel c is label c + 1, background where none reaches 0.5; or see [`Output::channel_labels`].
    Sigmoid,
}

/// What is carried from the model's grid back onto the image's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CarriedBack {
    /// Probabilities (or votes), interpolated; then a label is chosen.
    #[default]
    Probabilities,
    /// Logits, interpolated; then a label is chosen.
    Logits,
    /// A label is chosen on the model's grid; the nearest one counts.
    Labels,
}

impl CarriedBack {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if hands over a reference")]
    fn is_probabilities(&self) -> bool {
        *self == Self::Probabilities
    }
}
