//! What one call of the program sets up before it works: log lines and threads.

use std::io::IsTerminal as _;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::cli::{Global, LogFormat};
use crate::exit::Failure;

/// Log lines go to stderr, as text or one JSON object a line.
pub(crate) fn start_log(global: &Global) {
    let level = match (global.quiet, global.verbose) {
        (true, _) => LevelFilter::ERROR,
        (false, 0) => LevelFilter::WARN,
        (false, 1) => LevelFilter::INFO,
        (false, _) => LevelFilter::DEBUG,
    };
    // What the library of figures thinks of a drawing is of no use to who runs a cohort; its errors come back as errors.
    let libraries = ["usvg", "resvg", "tiny_skia", "tiny_skia_path", "fontdb"].map(|name| format!(",{name}=off"));
    let filter = EnvFilter::new(format!("{level}{}", libraries.concat()));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    match global.log_format {
        LogFormat::Text => builder.without_time().init(),
        LogFormat::Json => builder.json().init(),
    }
}

/// One pool for the whole program, as large as asked for: flag, then `SLURM_CPUS_PER_TASK`, then the cpuset.
pub(crate) fn start_threads(global: &Global) -> Result<(), Failure> {
    let n_threads = n_threads(global);
    rayon::ThreadPoolBuilder::new()
        .num_threads(n_threads)
        .build_global()
        .context("starting the worker threads")
        .map_err(Failure::internal)
}

/// The number of threads to work with.
pub(crate) fn n_threads(global: &Global) -> usize {
    let slurm = std::env::var("SLURM_CPUS_PER_TASK").ok().and_then(|text| text.parse::<usize>().ok());
    let cpuset = || std::thread::available_parallelism().map_or(1, usize::from);
    global.threads.map(usize::from).or(slurm.filter(|n| *n > 0)).unwrap_or_else(cpuset)
}

/// Whether nobody looks at a progress bar on stderr.
fn is_unseen(global: &Global) -> bool {
    global.no_progress || global.quiet || !std::io::stderr().is_terminal()
}

/// A count on stderr of what has no known end; hidden where nobody looks.
pub(crate) fn counter(global: &Global, unit: &'static str) -> ProgressBar {
    if is_unseen(global) {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {human_pos} {prefix} {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    ProgressBar::no_length().with_style(style).with_prefix(unit)
}

/// A progress bar on stderr; hidden where nobody looks.
pub(crate) fn progress(global: &Global, length: usize, unit: &'static str) -> ProgressBar {
    if is_unseen(global) {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg:24!} [{bar:30}] {pos}/{len} {prefix} {elapsed} (about {eta} left)")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ");
    ProgressBar::new(length as u64).with_style(style).with_prefix(unit)
}
