//! What a segmentation costs beside the network: the whole of it against the bare runs of the same windows, in one process.
//!
//!     cargo run --release -p lesiontrace-inference --example overhead -- models/phantom-liver-0.2.2 [ni nj nk spacing_mm slice_mm]
//!
//! Seconds by the clock and, because another job on the machine stretches those, seconds of the processor (Linux).

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Instant;

use imaging::{FrameId, Grid, Point, Shape, Volume};
use lesiontrace_inference::{Device, Execution, Model, Network, NetworkError, OnnxNetwork, RuntimeOptions, Segmenter};
use nalgebra::Matrix3;
use ndarray::ArrayD;

/// Ticks of /proc/self/stat a second, on every Linux in use.
const TICKS: f64 = 100.0;

/// The windows the network was shown.
static WINDOWS: Mutex<Vec<ArrayD<f32>>> = Mutex::new(Vec::new());

/// Keeps the windows, so that they can be run again alone.
struct Keeping {
    network: OnnxNetwork,
}

impl Network for Keeping {
    fn run(&self, window: ArrayD<f32>) -> Result<ArrayD<f32>, NetworkError> {
        WINDOWS.lock().expect("no holder panics").push(window.clone());
        self.network.run(window)
    }
    fn execution(&self) -> &Execution {
        self.network.execution()
    }
}

/// Seconds this process has used the processor.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux has it");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("a split has a part").split_whitespace().collect();
    let ticks = |n: usize| fields[n].parse::<f64>().expect("a number of ticks");
    (ticks(11) + ticks(12)) / TICKS
}

/// Runs something and says how long it took.
fn timed<T>(what: &str, work: impl FnOnce() -> T) -> (T, [f64; 2]) {
    let (clock, processor) = (Instant::now(), processor_seconds());
    let result = work();
    let seconds = [clock.elapsed().as_secs_f64(), processor_seconds() - processor];
    println!("{what}: {:.2} s by the clock, {:.2} s of the processor", seconds[0], seconds[1]);
    (result, seconds)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |n: usize, otherwise: f64| {
        arguments.get(n).map_or(otherwise, |text| text.parse().expect("numbers follow the folder"))
    };
    let folder = PathBuf::from(arguments.first().expect("the folder of a model comes first"));
    let shape = Shape { ni: number(1, 512.0) as usize, nj: number(2, 512.0) as usize, nk: number(3, 60.0) as usize };
    let spacing = [number(4, 0.78), number(4, 0.78), number(5, 5.0)];
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from);
    let options = RuntimeOptions { library: None, device: Device::Cpu, n_threads };
    let model = Model::open(&folder)?;
    let load = || OnnxNetwork::load(&model.network, &model.card, &options);
    let keeping = Keeping { network: load()? };
    let segmenter = Segmenter::with_network(model.card.clone(), Box::new(keeping));
    let frame = FrameId::new("f");
    let grid = Grid::from_directions(shape, Point::new(-200.0, -200.0, 0.0), spacing, Matrix3::identity(), frame)?;
    let wave = |n: usize, length: f32| (n as f32 / length).sin();
    let image = Volume::from_fn(grid, |at| 60.0 + 50.0 * wave(at.i, 31.0) * wave(at.j, 23.0) * wave(at.k, 7.0));
    println!("memory bound: {} MiB", segmenter.memory_bound_bytes(image.grid())? >> 20);
    let (found, whole) = timed("whole segmentation", || segmenter.segment(&image));
    let found = found?.value;
    let windows = std::mem::take(&mut *WINDOWS.lock().expect("no holder panics"));
    let bare = load()?;
    let (ran, runs) =
        timed("bare runs of its windows", || windows.into_iter().try_for_each(|window| bare.run(window).map(|_| ())));
    ran?;
    let [clock, processor] = [whole[0] / runs[0], whole[1] / runs[1]];
    println!("{} windows; ratio {clock:.3} by the clock, {processor:.3} of the processor", found.provenance.n_windows);
    let peak = std::fs::read_to_string("/proc/self/status")?;
    println!("{}", peak.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("no VmHWM"));
    Ok(())
}
