//! Real lesion outlines against the shape baselines of pyradiomics (AIM-Harvard, BSD-3), read from the folder named by
//! `LESIONTRACE_DATA`.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that reads real files")]

use std::io::Read;
use std::path::Path;

use lesiontrace_imaging::diameter::{mask_volume, planar_diameters, planar_diameters_across_pieces, voxel_3d_diameter};
use lesiontrace_imaging::{
    Affine, Connectivity, FrameId, Grid, Mask, Mm, Shape, components, longest_inside_chord, smooth_planar_diameters,
    smooth_planar_diameters_across_pieces,
};
use nalgebra::{Matrix3, Vector3};

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

/// brain1 is two pieces that do not touch; its baseline Maximum2DDiameterSlice (53.594) runs between two slices. The values of its
/// pieces and of slice 12 as a whole: all pairs of pixel-edge mid-points, numpy 2. The sub-voxel outline has no stairs and reads up to
/// 0.4 pixels less.
#[test]
fn long_axes_of_three_real_lesions() {
    let Some(folder) = testkit::real_data("shapes") else { return };
    let expected: [(&str, &[f64], f64); 3] = [
        ("brain2", &[16.312_978_92], 16.312_978_92),
        ("breast1", &[8.399_793_71], 8.399_793_71),
        ("brain1", &[27.085_837_224, 37.759_518_667], 47.969_004_478),
    ];
    for (name, pieces, whole) in expected {
        let mask = label(&folder.join(format!("{name}_label.nrrd")));
        let found = components(&mask, Connectivity::Corners);
        assert_eq!(found.list.len(), pieces.len());
        for (component, want) in found.list.iter().zip(pieces) {
            let lesion = found.mask(component.label);
            let d = planar_diameters(&lesion).unwrap();
            let (long, short) = (d.long_axis.length().0, d.short_axis.length().0);
            let inside = longest_inside_chord(&lesion, Mm(0.5)).unwrap().chord.length().0;
            eprintln!("{name}: long {long:.9} short {short:.4} inside {inside:.4} slice {}", d.slice_k);
            assert!((long - want).abs() < 1e-6, "{name}: {long} {want}");
            assert!(short <= long && inside <= long + 1e-9);
            let smooth = smooth_planar_diameters(&lesion).unwrap().long_axis.length().0;
            eprintln!("{name}: sub-voxel outline {smooth:.3}");
            let tolerance = if name == "brain1" { 0.4 } else { 0.3 };
            assert!((smooth - want).abs() <= tolerance, "{name}: {smooth} {want}");
        }
        let long = planar_diameters_across_pieces(&mask).unwrap().long_axis.length().0;
        assert!((long - whole).abs() < 1e-6, "{name}: {long} {whole}");
        let smooth = smooth_planar_diameters_across_pieces(&mask).unwrap().long_axis.length().0;
        eprintln!("{name}: sub-voxel outline of the whole {smooth:.3}");
        assert!((smooth - whole).abs() <= 0.4, "{name}: {smooth} {whole}");
    }
}

#[test]
fn diameters_in_space_and_volumes_equal_pyradiomics() {
    let Some(folder) = testkit::real_data("shapes") else { return };
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
        let diameter = voxel_3d_diameter(&mask).unwrap().length().0;
        assert!((diameter - baseline("original_shape_Maximum3DDiameter")).abs() < 1e-6, "{name}: {diameter}");
        let volume = mask_volume(&mask).0;
        assert!((volume / baseline("original_shape_VoxelVolume") - 1.0).abs() < 1e-6, "{name}: {volume}");
    }
}
