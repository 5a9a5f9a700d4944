//! Whether a network is the one its card describes: names, types, numbers of axes, fixed sizes.

use ort::session::Session;
use ort::value::{Outlet, TensorElementType};

use crate::card::{Axes, Card, ExtentSearch, OutputKind, Patch};
use crate::onnx::RuntimeError;

/// One input and an output as the card says.
pub(crate) fn check_against_card(session: &Session, card: &Card) -> Result<(), RuntimeError> {
    let patch = match card.input.patch {
        Patch::Voxels(patch) => Some(patch),
        Patch::WholeImage(_) => None,
    };
    let (input, output) = (&card.input, &card.output);
    let n_inputs = session.inputs().len();
    if n_inputs != 1 {
        return Err(mismatch(card, "one input".to_owned(), format!("{n_inputs}")));
    }
    check_tensor(card, session.inputs(), "input", &input.name, (&input.axes, card.n_input_channels(), patch))?;
    check_tensor(card, session.outputs(), "output", &output.name, (&output.axes, card.n_channels(), patch))
}

/// Input and output of a network that finds a lesion's extent.
pub(crate) fn check_extent_network(session: &Session, card: &Card, search: &ExtentSearch) -> Result<(), RuntimeError> {
    check_sizes(card, session.inputs(), ExtentSearch::INPUT, &search.input_shape())?;
    check_sizes(card, session.outputs(), ExtentSearch::OUTPUT, &search.output_shape())
}

fn mismatch(card: &Card, expected: String, found: String) -> RuntimeError {
    RuntimeError::Card { model: card.name.clone(), expected, found }
}

fn check_tensor(
    card: &Card,
    outlets: &[Outlet],
    what: &str,
    name: &str,
    (axes, n_channels, patch): (&Axes, usize, Option<[usize; 3]>),
) -> Result<(), RuntimeError> {
    let Some(outlet) = outlets.iter().find(|outlet| outlet.name() == name) else {
        let names: Vec<&str> = outlets.iter().map(Outlet::name).collect();
        return Err(mismatch(card, format!("an {what} named {name}"), names.join(", ")));
    };
    let (Some(kind), Some(shape)) = (outlet.dtype().tensor_type(), outlet.dtype().tensor_shape()) else {
        return Err(mismatch(card, format!("{what} {name} to be a tensor"), "another kind of value".to_owned()));
    };
    let labels = what == "output" && card.output.kind == OutputKind::Labels;
    if kind != TensorElementType::Float32 && !labels {
        return Err(mismatch(card, format!("{what} {name} to be float32"), format!("{kind:?}")));
    }
    if shape.len() != axes.rank() {
        return Err(mismatch(card, format!("{what} {name} with axes {axes}"), format!("{} axes", shape.len())));
    }
    for (axis, fixed) in axes.as_str().chars().zip(shape.iter()).filter(|(_, n)| **n >= 0) {
        let size = match axis {
            'n' => Some(1),
            'c' => Some(n_channels),
            'x' => patch.map(|p| p[0]),
            'y' => patch.map(|p| p[1]),
            _ => patch.map(|p| p[2]),
        };
        if size != Some(*fixed as usize) {
            let expected = size.map_or_else(|| "free, for patch = \"whole_image\"".to_owned(), |n| n.to_string());
            return Err(mismatch(card, format!("axis {axis} of {what} {name} to be {expected}"), fixed.to_string()));
        }
    }
    Ok(())
}

/// A float tensor of this name and of exactly these sizes.
fn check_sizes(card: &Card, outlets: &[Outlet], name: &str, sizes: &[usize]) -> Result<(), RuntimeError> {
    let outlet = outlets.iter().find(|outlet| outlet.name() == name);
    let Some(outlet) = outlet.filter(|_| outlets.len() == 1) else {
        let names: Vec<&str> = outlets.iter().map(Outlet::name).collect();
        return Err(mismatch(card, format!("an extent network with {name} alone"), names.join(", ")));
    };
    let kind = outlet.dtype().tensor_type();
    let found: Vec<i64> = outlet.dtype().tensor_shape().map_or_else(Vec::new, |shape| shape.iter().copied().collect());
    let same = found.len() == sizes.len() && found.iter().zip(sizes).all(|(n, size)| *n < 0 || *n as usize == *size);
    if same && kind == Some(TensorElementType::Float32) {
        return Ok(());
    }
    Err(mismatch(card, format!("{name} to be float32 of {sizes:?}"), format!("{kind:?} of {found:?}")))
}
