//! How long a series, a NIfTI file or an index takes, and the memory it took: one line of JSON for each repetition.
//!
//! `cargo bench -p lesiontrace-formats --bench load -- dicom|nifti|index PATH [N]`; `scripts/compare_ingest_speed` runs it beside
//! other programs.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a bench may unwrap and look at clock and process")]

use std::path::Path;
use std::time::Instant;

use imaging::FrameId;
use lesiontrace_formats::archive::index;
use lesiontrace_formats::dicom::{SuvOptions, read_series};
use lesiontrace_formats::nifti::read_image;

/// Number of voxels, or of files.
fn load(kind: &str, path: &Path) -> usize {
    match kind {
        "dicom" => {
            let archive = index(path).unwrap().value;
            let entry = archive.series().next().unwrap();
            read_series(&entry.headers.unpack(), &SuvOptions::STANDARD)
                .unwrap()
                .value
                .volume
                .into_values()
                .values()
                .len()
        }
        "nifti" => read_image(path, FrameId::new("bench")).unwrap().values().len(),
        "index" => index(path).unwrap().value.series().map(|s| s.headers.len()).sum(),
        other => panic!("expected dicom, nifti or index, found {other}"),
    }
}

/// The largest memory this process has had, MiB.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|kb| kb.trim().trim_end_matches(" kB").parse::<f64>().ok()).map_or(0.0, |kb| kb / 1024.0)
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let [kind, path, more @ ..] = args.as_slice() else {
        println!("nothing measured; give dicom, nifti or index and a path");
        return;
    };
    let n = more.first().map_or(1, |n| n.parse().unwrap());
    for _ in 0..n {
        let start = Instant::now();
        let count = load(kind, Path::new(path));
        let seconds = start.elapsed().as_secs_f64();
        println!("{{\"count\":{count},\"seconds\":{seconds:.4},\"peak_mib\":{:.1}}}", peak_mib());
    }
}
