//! Writes training cases for `scripts/train_liver_model`: `images.i16` (HU, little-endian) and `labels.u8`, case after case in
//! memory order z, y, x, with `cases.json` beside them.
//!
//! `cargo run --release -p lesiontrace-phantom --example dump_training_cases -- OUT FIRST_SEED N_CASES`

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use imaging::Shape;
use lesiontrace_phantom::{TRAINING_LABELS, random_training_case};

const SPACING_MM: f64 = 2.5;
const SHAPE: Shape = Shape { ni: 128, nj: 96, nk: 80 };

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, out, first_seed, n_cases] = arguments.as_slice() else {
        return Err(std::io::Error::other("expected three arguments: OUT FIRST_SEED N_CASES"));
    };
    let number = |text: &str| text.parse::<u64>().map_err(std::io::Error::other);
    dump(Path::new(out), number(first_seed)?, number(n_cases)?)
}

fn dump(out: &Path, first_seed: u64, n_cases: u64) -> std::io::Result<()> {
    std::fs::create_dir_all(out)?;
    let mut images = BufWriter::new(File::create(out.join("images.i16"))?);
    let mut labels = BufWriter::new(File::create(out.join("labels.u8"))?);
    for seed in first_seed..first_seed + n_cases {
        let (image, map) = random_training_case(seed, [SPACING_MM; 3], SHAPE);
        let bytes: Vec<u8> = image.values().iter().flat_map(|hu| (hu.round() as i16).to_le_bytes()).collect();
        images.write_all(&bytes)?;
        labels.write_all(&map.values().iter().map(|label| *label as u8).collect::<Vec<u8>>())?;
    }
    images.flush()?;
    labels.flush()?;
    let about = serde_json::json!({
        "first_seed": first_seed, "n_cases": n_cases, "shape_zyx": [SHAPE.nk, SHAPE.nj, SHAPE.ni],
        "spacing_mm": SPACING_MM, "labels": TRAINING_LABELS,
    });
    std::fs::write(out.join("cases.json"), format!("{about}\n"))
}
