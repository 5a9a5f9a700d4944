//! What a sliding window needs of a network, so that it never knows which runtime answers.

use ndarray::ArrayD;
use serde::Serialize;
use thiserror::Error;

/// Where a network really ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Execution {
    /// The runtime and its build.
    pub runtime: String,
    /// The library it was loaded from, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub library: Option<String>,
    /// SHA-256 of that library: which release it is, beyond doubt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub library_sha256: Option<String>,
    /// The device asked for, such as `cuda:0`.
    pub device: String,
    /// The runtime's own name of what computed, such as `CUDAExecutionProvider`.
    pub execution_provider: String,
    /// Whether every operator ran there, or some (shape arithmetic as a rule) on the CPU.
    pub some_operators_on_cpu: bool,
    /// Threads the runtime may use on the CPU inside an operator.
    pub n_threads: usize,
}

/// Why a network did not answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct NetworkError {
    /// What the runtime said.
    pub message: String,
}

/// A network with one input and one output of interest.
pub trait Network: Send + Sync {
    /// The answer to one window; both tensors have the card's axes in the card's order. Labels come as whole numbers in f32.
    fn run(&self, window: ArrayD<f32>) -> Result<ArrayD<f32>, NetworkError>;
    /// Where it runs.
    fn execution(&self) -> &Execution;
}
