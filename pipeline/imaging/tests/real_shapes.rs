//! Real lesion outlines against the shape baselines of pyradiomics (AIM-Harvard, BSD-3), read from the folder named by
//! `LESIONTRACE_DATA`.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that reads real files")]

use std::io::Read;
use std::path::{Path, PathBuf};

use lesiontrace_imaging::diameter::{mask_volume, max_3d_diameter, planar_diameters};
use lesiontrace_imaging::{Affine, Connectivity, FrameId, Grid, Mask, Mm, Shape, components, longest_inside_chord};
use nalgebra::{Matrix3, Vector3};

fn shapes() -> Option<PathBuf> {
    let folder = std::env::var_os("LESIONTRACE_DATA").map(|root| Path::new(&root).join("shapes"));
    if folder.is_none() {
        eprintln!("NOT RUN: LESIONTRACE_DATA is unset, real lesion shapes were not measured");
    }
    folder
}

/// Reads a gzip NRRD label image in LPS, as these files are.
fn label(path: &Path) -> Mask {
    let bytes = std::fs::read(path).unwrap();
    let end = bytes.windows(2).position(|w| w == b"\n\n").unwrap();
    let header = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let field = |name: &str| header.lines().find_map(|l| l.strip_prefix(name)).unwrap().trim().to_owned();
    let numbers = |text: &str| -> Vec<f64> {
        text.split(|c: char| "(), ".contains(c)).filter(|s| !s.is_empty()).map(|s| s.parse().unwrap()).collect()
    };
    let (n, directions) = (numbers(&field("sizes:")), numbers(&field("space directions:")));
    let linear = Matrix3::from_column_slice(&directions);
    let origin = Vector3::from_vec(numbers(&field("space origin:")));
    let shape = Shape { ni: n[0] as usize, nj: n[1] as usize, nk: n[2] as usize };
    let mut raw = Vec::new();
    flate2::read::GzDecoder::new(&bytes[end + 2..]).read_to_end(&mut raw).unwrap();
    let width = raw.len() / shape.n_voxels();
    let values = raw.chunks_exact(width).map(|v| v[0] == 1).collect();
    let grid = Grid::new(shape, Affine::from_parts(linear, origin), FrameId::new("nrrd")).unwrap();
    Mask::from_values(values, grid).unwrap()
}

#[test]
fn long_axes_of_three_real_lesions() {
    let Some(folder) = shapes() else { return };
    for (name, low, high) in [("brain2", 16.3125, 16.3135), ("breast1", 8.3995, 8.4005), ("brain1", 47.2, 48.0)] {
        let mask = label(&folder.join(format!("{name}_label.nrrd")));
        let found = components(&mask, Connectivity::Corners);
        let lesion = found.mask(found.largest().unwrap().label);
        let d = planar_diameters(&lesion).unwrap();
        let (long, short) = (d.long_axis.length().0, d.short_axis.length().0);
        let inside = longest_inside_chord(&lesion, Mm(0.5)).unwrap().chord.length().0;
        eprintln!("{name}: long {long:.4} short {short:.4} inside {inside:.4} slice {}", d.slice_k);
        assert!((low..=high).contains(&long), "{name}: {long}");
        assert!(short <= long && inside <= long + 1e-9);
    }
}

#[test]
fn diameters_in_space_and_volumes_equal_pyradiomics() {
    let Some(folder) = shapes() else { return };
    let table = std::fs::read_to_string(folder.join("baseline_shape.csv")).unwrap();
    let columns: Vec<&str> = table.lines().next().unwrap().split(',').collect();
    for name in ["brain1", "brain2", "breast1"] {
        let column = columns.iter().position(|c| *c == name).unwrap();
        let baseline = |feature: &str| -> f64 {
            table
                .lines()
                .find(|l| l.split(',').next() == Some(feature))
                .unwrap()
                .split(',')
                .nth(column)
                .unwrap()
                .parse()
                .unwrap()
        };
        let mask = label(&folder.join(format!("{name}_label.nrrd")));
        let diameter = max_3d_diameter(&mask).unwrap().length().0;
        assert!((diameter - baseline("original_shape_Maximum3DDiameter")).abs() < 1e-6, "{name}: {diameter}");
        let volume = mask_volume(&mask).0;
        assert!((volume / baseline("original_shape_VoxelVolume") - 1.0).abs() < 1e-6, "{name}: {volume}");
    }
}
