//! ONNX Runtime, loaded at run time through the crate `ort`; the only file that names it.
//!
//! The device asked for is the device used, or there is an error: the runtime's silent way back to the CPU is closed.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use ndarray::ArrayD;
use ort::environment::Environment;
use ort::ep::{CUDA, ExecutionProviderDispatch, OpenVINO, TensorRT};
use ort::session::Session;
use ort::value::{DynValue, Tensor, TensorElementType};
use thiserror::Error;

use crate::card::{Card, ExtentSearch};
use crate::model_folder::sha256;
use crate::network::{Execution, Network, NetworkError};
use crate::onnx_checks::{check_against_card, check_extent_network};
use crate::runtime_library::{FETCH_COMMAND, LibraryError, Surroundings};

/// Where a network is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// The processor.
    Cpu,
    /// An NVIDIA GPU by number.
    Cuda(i32),
    /// An NVIDIA GPU by number, through TensorRT; operators it does not know run through CUDA.
    TensorRt(i32),
    /// Intel's OpenVINO.
    OpenVino,
}

/// The text names no device.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected a device cpu, cuda:N, tensorrt:N or openvino, found \"{0}\"")]
pub struct DeviceSyntax(String);

impl FromStr for Device {
    type Err = DeviceSyntax;
    fn from_str(text: &str) -> Result<Self, DeviceSyntax> {
        let error = || DeviceSyntax(text.to_owned());
        let (kind, number) = text.split_once(':').map_or((text, None), |(kind, number)| (kind, Some(number)));
        let digits = |n: &str| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit());
        let number = match number {
            Some(n) if digits(n) => Some(n.parse().map_err(|_| error())?),
            Some(_) => return Err(error()),
            None => None,
        };
        match (kind, number) {
            ("cpu", None) => Ok(Self::Cpu),
            ("cuda", number) => Ok(Self::Cuda(number.unwrap_or(0))),
            ("tensorrt", number) => Ok(Self::TensorRt(number.unwrap_or(0))),
            ("openvino", None) => Ok(Self::OpenVino),
            _ => Err(error()),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(n) => write!(f, "cuda:{n}"),
            Self::TensorRt(n) => write!(f, "tensorrt:{n}"),
            Self::OpenVino => f.write_str("openvino"),
        }
    }
}

impl Device {
    /// The runtime's name of what computes there.
    fn execution_provider(self) -> &'static str {
        match self {
            Self::Cpu => "CPUExecutionProvider",
            Self::Cuda(_) => "CUDAExecutionProvider",
            Self::TensorRt(_) => "TensorrtExecutionProvider",
            Self::OpenVino => "OpenVINOExecutionProvider",
        }
    }

    fn providers(self, n_threads: usize) -> Vec<ExecutionProviderDispatch> {
        let cuda = |n| CUDA::default().with_device_id(n).build().error_on_failure();
        match self {
            Self::Cpu => Vec::new(),
            Self::Cuda(n) => vec![cuda(n)],
            Self::TensorRt(n) => vec![TensorRT::default().with_device_id(n).build().error_on_failure(), cuda(n)],
            Self::OpenVino => vec![OpenVINO::default().with_num_threads(n_threads).build().error_on_failure()],
        }
    }
}

/// How the runtime is to be used. There is no default: each choice changes time or bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeOptions {
    /// The library, where the user names it; else it is searched for ([`Surroundings::find`]).
    pub library: Option<PathBuf>,
    /// Where the network is to run.
    pub device: Device,
    /// Threads on the CPU, at least 1.
    pub n_threads: usize,
}

impl RuntimeOptions {
    /// Threads inside the operators of a card's network. One where it answers a prompt: with another number the runtime adds in another
    /// order, and what is looked for next rests on the last digits. Its networks answer side by side instead.
    fn threads_inside(&self, card: &Card) -> usize {
        if card.prompt.is_some() { 1 } else { self.n_threads.max(1) }
    }
}

/// Why the runtime or a network in it cannot be used.
#[derive(Debug, Error)]
pub enum RuntimeError {
    /// No library.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// A library that cannot be used.
    #[error("{library} cannot be used as ONNX Runtime 1.24 or newer: {message}; run {FETCH_COMMAND} for one that can")]
    Load {
        /// The file.
        library: PathBuf,
        /// What the loader said.
        message: String,
    },
    /// One process, one library.
    #[error("ONNX Runtime is loaded from {loaded} already; a process can use one library only, not {wanted} too")]
    OtherLoaded {
        /// The one in use.
        loaded: PathBuf,
        /// The one asked for.
        wanted: PathBuf,
    },
    /// The device asked for cannot be used.
    #[error(
        "the device {device} cannot be used with {library}: {message}; choose --device cpu, or name a build of ONNX Runtime with that device"
    )]
    Device {
        /// The device asked for.
        device: Device,
        /// The library in use.
        library: PathBuf,
        /// What the runtime said.
        message: String,
    },
    /// The runtime refuses the network.
    #[error("ONNX Runtime cannot load the network of model {model}: {message}")]
    Network {
        /// The model's name.
        model: String,
        /// What the runtime said.
        message: String,
    },
    /// Card and network contradict each other.
    #[error("the card of model {model} does not fit its network: expected {expected}, found {found}; correct the card")]
    Card {
        /// The model's name.
        model: String,
        /// What the card says.
        expected: String,
        /// What the network has.
        found: String,
    },
}

/// The library in use and its environment, which live as long as the process.
#[derive(Clone)]
struct Loaded {
    library: PathBuf,
    sha256: String,
    environment: Environment,
}

static LOADED: Mutex<Option<Loaded>> = Mutex::new(None);

fn load(library: PathBuf) -> Result<Loaded, RuntimeError> {
    let mut slot = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(loaded) = slot.as_ref() {
        return if loaded.library == library {
            Ok(loaded.clone())
        } else {
            Err(RuntimeError::OtherLoaded { loaded: loaded.library.clone(), wanted: library })
        };
    }
    let failed = |message: String| RuntimeError::Load { library: library.clone(), message };
    let bytes = fs::read(&library).map_err(|e| failed(e.to_string()))?;
    let environment = ort::init_from(&library)
        .map_err(|e| failed(e.to_string()))?
        .with_name("lesiontrace")
        .with_telemetry(false)
        .build()
        .map_err(|e| failed(e.to_string()))?;
    tracing::debug!(library = %library.display(), "ONNX Runtime loaded");
    let loaded = Loaded { library, sha256: sha256(&bytes), environment };
    *slot = Some(loaded.clone());
    Ok(loaded)
}

/// A network in ONNX Runtime. One session serves many images; windows follow one another, threads work inside the operators.
#[derive(Debug)]
pub struct OnnxNetwork {
    session: Mutex<Session>,
    input: String,
    output: String,
    execution: Execution,
}

impl OnnxNetwork {
    /// Loads a network and checks it against its card: names, types, number of axes, fixed sizes.
    pub fn load(network: &[u8], card: &Card, options: &RuntimeOptions) -> Result<Self, RuntimeError> {
        let library = Surroundings::of_this_process().find(options.library.as_deref())?;
        let loaded = load(library)?;
        let (session, some_operators_on_cpu) = commit(&loaded, network, card, options)?;
        check_against_card(&session, card)?;
        let execution = execution(&loaded, (card, options), some_operators_on_cpu);
        let (input, output) = (card.input.name.clone(), card.output.name.clone());
        Ok(Self { session: Mutex::new(session), input, output, execution })
    }
}

impl OnnxNetwork {
    /// Loads a network that finds a lesion's extent ([`ExtentSearch`]) and checks its names and sizes against the card.
    pub(crate) fn load_extent(
        network: &[u8],
        (card, search): (&Card, &ExtentSearch),
        options: &RuntimeOptions,
    ) -> Result<Self, RuntimeError> {
        let loaded = load(Surroundings::of_this_process().find(options.library.as_deref())?)?;
        let (session, some_operators_on_cpu) = commit(&loaded, network, card, options)?;
        check_extent_network(&session, card, search)?;
        let execution = execution(&loaded, (card, options), some_operators_on_cpu);
        let (input, output) = (ExtentSearch::INPUT.to_owned(), ExtentSearch::OUTPUT.to_owned());
        Ok(Self { session: Mutex::new(session), input, output, execution })
    }
}

impl Network for OnnxNetwork {
    fn run(&self, window: ArrayD<f32>) -> Result<ArrayD<f32>, NetworkError> {
        let said = |e: ort::Error| NetworkError { message: e.to_string() };
        let tensor = Tensor::from_array(window).map_err(said)?;
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let outputs = session.run(ort::inputs![self.input.as_str() => tensor]).map_err(said)?;
        let value = outputs
            .get(self.output.as_str())
            .ok_or_else(|| NetworkError { message: format!("no output named {}", self.output) })?;
        as_f32(value)
    }

    fn execution(&self) -> &Execution {
        &self.execution
    }
}

fn execution(loaded: &Loaded, (card, options): (&Card, &RuntimeOptions), some_operators_on_cpu: bool) -> Execution {
    Execution {
        runtime: format!("ONNX Runtime, {}", ort::info()),
        library: Some(loaded.library.display().to_string()),
        library_sha256: Some(loaded.sha256.clone()),
        device: options.device.to_string(),
        execution_provider: options.device.execution_provider().to_owned(),
        some_operators_on_cpu,
        n_threads: options.threads_inside(card),
    }
}

/// First with every operator bound to the device, then, where the runtime refuses that, with some on the CPU; which of the two it
/// was is the second value. A device that cannot be used at all is an error either way.
fn commit(
    loaded: &Loaded,
    network: &[u8],
    card: &Card,
    options: &RuntimeOptions,
) -> Result<(Session, bool), RuntimeError> {
    let device = options.device;
    let environment = &loaded.environment;
    let refused = |(step, message)| match step {
        Step::Device => RuntimeError::Device { device, library: loaded.library.clone(), message },
        Step::Network => RuntimeError::Network { model: card.name.clone(), message },
    };
    if device == Device::Cpu {
        return session(environment, network, (card, options), Placement::Free).map(|s| (s, false)).map_err(refused);
    }
    match session(environment, network, (card, options), Placement::DeviceOnly) {
        Ok(session) => Ok((session, false)),
        Err((Step::Device, message)) => Err(refused((Step::Device, message))),
        Err((Step::Network, strict)) => {
            let session = session(environment, network, (card, options), Placement::Free).map_err(refused)?;
            tracing::info!(%device, reason = strict, "some operators run on the CPU");
            Ok((session, true))
        }
    }
}

/// Where the runtime may put operators the device does not know.
#[derive(Clone, Copy, PartialEq)]
enum Placement {
    DeviceOnly,
    Free,
}

/// What a session failed at.
enum Step {
    Device,
    Network,
}

#[expect(
    clippy::result_large_err,
    reason = "the binding's own error carries its builder; its words alone leave this function"
)]
fn session(
    environment: &Environment,
    network: &[u8],
    (card, options): (&Card, &RuntimeOptions),
    placement: Placement,
) -> Result<Session, (Step, String)> {
    let n_threads = options.threads_inside(card);
    // The builder's errors carry the builder, which may not leave the thread: only their words go on.
    let text = |e: ort::Error<ort::session::builder::SessionBuilder>| (Step::Device, e.to_string());
    let mut builder = Session::builder(environment)
        .map_err(|e| (Step::Device, e.to_string()))?
        .with_intra_threads(n_threads)
        .and_then(|b| b.with_inter_threads(1))
        .and_then(|b| b.with_intra_op_spinning(false))
        .and_then(|b| b.with_deterministic_compute(true))
        .and_then(|b| b.with_execution_providers(options.device.providers(n_threads)))
        .map_err(text)?;
    if placement == Placement::DeviceOnly {
        builder = builder.with_disable_cpu_fallback().map_err(text)?;
    }
    builder.commit_from_memory(network).map_err(|e| (Step::Network, e.to_string()))
}

/// A tensor of numbers as f32; whole numbers beyond 2²⁴ never occur among labels.
fn as_f32(value: &DynValue) -> Result<ArrayD<f32>, NetworkError> {
    macro_rules! converted {
        ($kind:ty) => {
            value.try_extract_array::<$kind>().map(|a| a.mapv(|v| v as f32))
        };
    }
    let kind = value.dtype().tensor_type();
    match kind {
        Some(TensorElementType::Float32) => value.try_extract_array::<f32>().map(|a| a.to_owned()),
        Some(TensorElementType::Uint8) => converted!(u8),
        Some(TensorElementType::Int8) => converted!(i8),
        Some(TensorElementType::Uint16) => converted!(u16),
        Some(TensorElementType::Int16) => converted!(i16),
        Some(TensorElementType::Int32) => converted!(i32),
        Some(TensorElementType::Int64) => converted!(i64),
        other => {
            return Err(NetworkError { message: format!("the output's type {other:?} is not one this program reads") });
        }
    }
    .map_err(|e| NetworkError { message: e.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_and_written() {
        for text in ["cpu", "cuda:0", "cuda:3", "tensorrt:1", "openvino"] {
            assert_eq!(text.parse::<Device>().unwrap().to_string(), text);
        }
        assert_eq!("cuda".parse::<Device>().unwrap(), Device::Cuda(0));
        for text in ["", "gpu", "cuda:", "cuda:-1", "cuda:+1", "cpu:0", "openvino:1", "cuda:99999999999"] {
            assert!(text.parse::<Device>().is_err(), "{text}");
        }
    }
}
