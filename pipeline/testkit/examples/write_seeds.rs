//! Writes the seed corpora of the fuzz targets: small whole files of every kind, made by the project's own code, below
//! `pipeline/fuzz/corpus/<target>/` or the folder given.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use lesiontrace_testkit::seeds;

fn main() -> io::Result<()> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = std::env::args_os().nth(1).map_or_else(|| top.join("pipeline/fuzz/corpus"), PathBuf::from);
    let with_code = |n: usize, (columns, rows): (u16, u16), bits: u16, code: Vec<u8>| {
        [vec![n as u8, columns as u8, rows as u8, u8::from(bits == 16)], code].concat()
    };
    let codes = seeds::codes().into_iter().map(|(n, size, bits, code)| with_code(n, size, bits, code)).collect();
    let tables = seeds::clinical_tables().into_iter().zip(0_u8..);
    let tables = tables.map(|((_, text), n)| [&[n], text.as_bytes()].concat()).collect();
    let whole = seeds::zips().into_iter().map(|zip| [&[0], zip.as_slice()].concat());
    let within = [seeds::images(), seeds::niftis()].concat().into_iter().map(|file| [&[1], file.as_slice()].concat());
    let zips = whole.chain(within).collect();
    for (target, files) in [
        ("dicom", seeds::images()),
        ("codec", codes),
        ("seg", seeds::segmentations()),
        ("rtstruct", seeds::structure_sets()),
        ("rtdose", seeds::doses()),
        ("sr", seeds::reports()),
        ("nifti", seeds::niftis()),
        ("nrrd", seeds::nrrds()),
        ("map", seeds::maps()),
        ("clinical", tables),
        ("zip", zips),
        ("deidentify", dicom()),
        ("multipart", seeds::answers()),
        ("dimse", seeds::associations()),
        ("rules", texts(&top.join("configs/series"))?),
        ("study", texts(&top.join("configs/study"))?),
        ("card", cards(&top.join("models"))?),
        ("criteria", [texts(&top.join("configs/criteria"))?, texts(&top.join("configs/presets"))?].concat()),
    ] {
        let folder = root.join(target);
        fs::create_dir_all(&folder)?;
        for (n, bytes) in files.iter().enumerate() {
            fs::write(folder.join(format!("seed-{n}")), bytes)?;
        }
    }
    Ok(())
}

/// DICOM objects of every kind.
fn dicom() -> Vec<Vec<u8>> {
    use seeds::{compressed_images, doses, images, reports, segmentations, structure_sets};
    [images(), segmentations(), structure_sets(), doses(), reports(), compressed_images()].concat()
}

/// The TOML files of a folder.
fn texts(folder: &Path) -> io::Result<Vec<Vec<u8>>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.retain(|path| path.extension().is_some_and(|e| e == "toml"));
    paths.iter().map(fs::read).collect()
}

/// The cards of the models shipped.
fn cards(folder: &Path) -> io::Result<Vec<Vec<u8>>> {
    let models = fs::read_dir(folder)?.flatten().map(|entry| entry.path().join("card.toml"));
    models.filter(|card| card.is_file()).map(fs::read).collect()
}
