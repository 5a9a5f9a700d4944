//! Writes training cases for `scripts/train_liver_model.py`, case after case in memory order z, y, x: `codes.u8`, `texture.i8`
//! (80 per unit), `labels.u8` (256 a case), `looks.f32` (looks × 256 × HU and HU per unit of texture, little-endian a case), with
//! `cases.json` beside them.
//!
//! `cargo run --release -p lesiontrace-phantom --example dump_training_cases -- OUT FIRST_SEED N_CASES`

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use imaging::Shape;
use lesiontrace_phantom::{TRAINING_LABELS, TRAINING_LOOKS, TrainingCase, random_training_case};

/// A box that holds most of the liver and what lies round it.
const EXTENT_MM: [f64; 3] = [210.0, 190.0, 140.0];
/// Steps of stored texture per unit.
const TEXTURE_STEPS: f32 = 80.0;

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, out, first_seed, n_cases] = arguments.as_slice() else {
        return Err(std::io::Error::other("expected three arguments: OUT FIRST_SEED N_CASES"));
    };
    let number = |text: &str| text.parse::<u64>().map_err(std::io::Error::other);
    dump(Path::new(out), number(first_seed)?, number(n_cases)?)
}

/// The four files of voxels and tables.
struct Files {
    codes: BufWriter<File>,
    texture: BufWriter<File>,
    labels: BufWriter<File>,
    looks: BufWriter<File>,
}

impl Files {
    fn create(out: &Path) -> std::io::Result<Self> {
        let file = |name: &str| File::create(out.join(name)).map(BufWriter::new);
        Ok(Self {
            codes: file("codes.u8")?,
            texture: file("texture.i8")?,
            labels: file("labels.u8")?,
            looks: file("looks.f32")?,
        })
    }

    fn write(&mut self, case: &TrainingCase) -> std::io::Result<()> {
        self.codes.write_all(&case.codes)?;
        let texture = case.texture.iter().map(|t| (t * TEXTURE_STEPS).round() as i8);
        self.texture.write_all(&texture.flat_map(i8::to_le_bytes).collect::<Vec<u8>>())?;
        self.labels.write_all(&case.label_of_code)?;
        let looks = case.looks.iter().flatten().flat_map(|(hu, amplitude)| [*hu, *amplitude]);
        self.looks.write_all(&looks.flat_map(f32::to_le_bytes).collect::<Vec<u8>>())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        [&mut self.codes, &mut self.texture, &mut self.labels, &mut self.looks].into_iter().try_for_each(Write::flush)
    }
}

fn dump(out: &Path, first_seed: u64, n_cases: u64) -> std::io::Result<()> {
    std::fs::create_dir_all(out)?;
    let mut files = Files::create(out)?;
    let mut cases = Vec::new();
    for seed in first_seed..first_seed + n_cases {
        let case = random_training_case(seed, EXTENT_MM);
        files.write(&case)?;
        let Shape { ni, nj, nk } = case.grid.shape();
        let [x, y, z] = case.grid.spacing_mm();
        cases.push(serde_json::json!({"seed": seed, "variety": case.variety, "shape_zyx": [nk, nj, ni], "spacing_zyx_mm": [z, y, x]}));
    }
    files.flush()?;
    let about = serde_json::json!({
        "labels": TRAINING_LABELS, "looks": TRAINING_LOOKS, "texture_steps": TEXTURE_STEPS, "cases": cases,
    });
    std::fs::write(out.join("cases.json"), format!("{about}\n"))
}
