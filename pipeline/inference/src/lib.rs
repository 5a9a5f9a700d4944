//! Model cards and ONNX inference: from an image and a model's folder to labels on the image's own grid.
//!
//! The card says what a network expects and what its answers mean ([`card`], [`model_folder`]); the image is brought onto the
//! network's grid ([`model_grid`], [`preprocess`]), shown window by window ([`windows`], [`sliding_window`]) to whatever runs it
//! ([`network`], [`onnx`]), and the answer becomes labels again, plane by plane (`labels_on_image`, `clean_up`). [`Segmenter`] is
//! all of it in one call. A network that outlines the lesion under a prompt is asked in another way ([`prompted`]).

mod axis_operator;
pub mod card;
mod card_rules;
mod clean_up;
mod cubic_spline;
mod ensemble;
mod findings;
mod half_precision;
mod label_choice;
mod labels_on_image;
mod memory;
pub mod model_folder;
pub mod model_grid;
pub mod network;
mod normalise;
pub mod onnx;
mod onnx_checks;
pub mod preprocess;
mod previous_stage;
pub mod prompted;
pub mod runtime_library;
pub mod segmenter;
pub mod sliding_window;
mod tensor;
pub mod windows;

pub use card::{Card, CardError, Label, Role};
pub use model_folder::{Model, ModelError, list_models, read_card};
pub use network::{Execution, Network, NetworkError};
pub use onnx::{Device, OnnxNetwork, RuntimeError, RuntimeOptions};
pub use prompted::prompt::{Prompt, PromptError};
pub use prompted::result::{PromptedLesion, PromptedOutput, PromptedSegmentation};
pub use runtime_library::{LibraryError, Surroundings};
pub use segmenter::{NetworkOutput, Provenance, SegmentError, Segmentation, Segmenter, Structure};
