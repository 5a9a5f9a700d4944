//! Real series against values known from elsewhere. The data are read through `LESIONTRACE_DATA`; where it is unset these tests
//! say that they did not run.
#![expect(clippy::unwrap_used, reason = "tests may unwrap and say what was not run")]

use std::path::Path;

use imaging::{Index3, Shape, Volume};
use lesiontrace_formats::archive::index;
use lesiontrace_formats::dicom::{SeriesVolume, SuvOptions, read_rtstruct, read_series};
use nifti::{IntoNdArray, NiftiObject, ReaderOptions};

fn series(folder: &Path) -> SeriesVolume {
    let archive = index(folder).unwrap().value;
    let entry = archive.series().find(|s| s.row.usable).unwrap();
    read_series(&entry.headers.unpack(), &SuvOptions::STANDARD).unwrap().value
}

fn largest_difference(a: &Volume<f32>, b: impl Iterator<Item = f32>) -> f32 {
    a.values().iter().zip(b).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max)
}

#[test]
fn suv_factor_of_a_ge_scan() {
    let Some(folder) = testkit::real_data("suv/STS_001_FDG_PET_raw/image") else { return };
    let raw = series(&folder);
    let suv = raw.suv.unwrap();
    // 2.429030e-4: 71 kg, 388.777472 MBq, 45 min 11 s of a half-life of 6588 s (data set's own documentation).
    assert!((suv.factor / 2.429_030e-4 - 1.0).abs() < 1e-6, "{}", suv.factor);
    assert_eq!((suv.from, suv.decay_reference.as_deref()), ("BQML", Some("START")));
}

#[test]
fn suv_from_activity_equals_the_same_scan_stored_as_suv() {
    let (Some(raw), Some(stored)) =
        (testkit::real_data("suv/STS_001_FDG_PET_raw/image"), testkit::real_data("sts_dicom/STS_001/PET/image"))
    else {
        return;
    };
    let (raw, stored) = (series(&raw), series(&stored));
    let suv = stored.suv.as_ref().unwrap();
    assert_eq!((suv.factor, suv.from), (1.0, "GML"));
    let (raw, stored) = (raw.volume.to_values(), stored.volume.to_values());
    let mut n_slices = 0;
    for k in 0..stored.shape().nk {
        let corner = stored.grid().center(Index3 { i: 0, j: 0, k });
        let Some(at) = raw.grid().nearest(corner) else { continue };
        // The stored SUV lost its last digits: 0.0008 at an SUV of 25.4 (data set's own documentation).
        for j in 0..stored.shape().nj {
            for i in 0..stored.shape().ni {
                let a = stored.data()[[k, j, i]];
                let b = raw.data()[[at.k, at.j + j, at.i + i]];
                assert!((a - b).abs() < 9e-4, "{a} {b} at {i} {j} {k}");
            }
        }
        n_slices += 1;
    }
    assert_eq!(n_slices, 59);
}

#[test]
fn contours_on_the_pet_grid_equal_the_published_masks() {
    for patient in ["STS_001", "STS_002", "STS_004"] {
        let Some(folder) = testkit::real_data(&format!("sts_dicom/{patient}/PET")) else { return };
        let pet = series(&folder.join("image"));
        let structures = read_rtstruct(&folder.join("mask/RS.dcm")).unwrap().value;
        assert_eq!(structures.rois.len(), 1);
        let noted = structures.rois[0].to_mask(pet.volume.grid()).unwrap();
        let mask = noted.value.map(|v| f32::from(u8::from(*v)));
        let Some(published) = testkit::real_data(&format!("sts/{patient}/pet_mask.nii.gz")) else { return };
        let published = ReaderOptions::new().read_file(published).unwrap().into_volume().into_ndarray::<f32>().unwrap();
        // NIfTI is i fastest in RAS; the same grid in LPS has the same index order when the affine's signs differ only.
        let shape = mask.shape();
        assert_eq!(published.shape(), [shape.ni, shape.nj, shape.nk]);
        let in_order = published.t().iter().copied().collect::<Vec<_>>();
        assert!(noted.notes.is_empty(), "{:?}", noted.notes);
        assert_eq!(largest_difference(&mask, in_order.into_iter()), 0.0, "{patient}");
    }
}

#[test]
fn real_segmentations_have_their_voxels() {
    use lesiontrace_formats::dicom::read_segmentation;
    let Some(folder) = testkit::real_data("dicom_interop") else { return };
    // 795 voxels = 33.58241 ml, as the report beside it (TID 1500) says.
    let seg = read_segmentation(&folder.join("sr-example/seg.dcm")).unwrap().value;
    let mask = seg.mask(seg.segments[0].number).unwrap();
    assert_eq!(mask.n_voxels_set(), 795);
    let ml = 795.0 * seg.grid().voxel_volume_mm3() / 1000.0;
    assert!((ml - 33.582_41).abs() < 5e-5, "{ml}");
    // Frames and image files in opposite order of z.
    let liver = read_segmentation(&folder.join("liver.dcm")).unwrap().value;
    assert_eq!(liver.pixels_per_frame(), [36_233, 35_645, 35_220]);
    let ct = series(&folder.join("ct-3slice"));
    let noted = liver.mask_on(1, ct.volume.grid()).unwrap();
    assert!(noted.notes.is_empty(), "{:?}", noted.notes);
    assert_eq!(noted.value.n_voxels_set(), 36_233 + 35_645 + 35_220);
    let hu = ct.volume.to_values();
    let inside: Vec<f32> = noted.value.indices_set().map(|at| *hu.at(at)).collect();
    let mean = inside.iter().map(|v| f64::from(*v)).sum::<f64>() / inside.len() as f64;
    // Mean of the CT inside the mask, matched by z: 37.328932 HU (pydicom 3.0.2, numpy).
    assert!((mean - 37.328_932).abs() < 1e-4, "mean HU of the liver is {mean}");
    // Voxels of each segment as highdicom 0.28.2 and pydicom 3.0.2 count them in the frames.
    let counts: [(&str, &[(u16, usize)]); 3] = [
        ("partial_overlaps.dcm", &[(1, 9602), (2, 11_888), (3, 10_743), (4, 6693), (5, 4713)]),
        ("sparse-labelmap-noppv.dcm", &[(1, 630)]),
        ("sparse-labelmap-ppv5.dcm", &[(1, 630)]),
    ];
    for (name, expected) in counts {
        let seg = read_segmentation(&folder.join(name)).unwrap().value;
        for &(number, n_voxels) in expected {
            assert_eq!(seg.mask(number).unwrap().n_voxels_set(), n_voxels, "{name} segment {number}");
        }
    }
}

/// Area of a closed planar polygon, mm².
fn polygon_area_mm2(corners: &[imaging::Point<imaging::Patient>]) -> f64 {
    let origin = corners[0].coords;
    let cross = |n: usize| {
        let (a, b) = (corners[n].coords - origin, corners[(n + 1) % corners.len()].coords - origin);
        a.cross(&b)
    };
    (0..corners.len()).map(cross).sum::<nalgebra::Vector3<f64>>().norm() / 2.0
}

#[test]
fn contours_at_full_resolution_keep_the_polygons_volume() {
    for patient in ["STS_001", "STS_002", "STS_004"] {
        for modality in ["CT", "MR_T1"] {
            let Some(folder) = testkit::real_data(&format!("sts_dicom/{patient}/{modality}")) else { return };
            let image = series(&folder.join("image"));
            let structures = read_rtstruct(&folder.join("mask/RS.dcm")).unwrap().value;
            let roi = &structures.rois[0];
            let grid = image.volume.grid();
            let mask = roi.to_mask(grid).unwrap().value;
            let voxels = mask.n_voxels_set() as f64 * grid.voxel_volume_mm3();
            let polygons: f64 = roi.contours.iter().map(|c| polygon_area_mm2(&c.corners) * grid.spacing_mm()[2]).sum();
            let off = voxels / polygons - 1.0;
            println!("{patient} {modality}: {voxels:.0} mm³, polygons {polygons:.0} mm³, {:.3} %", off * 100.0);
            assert!(off.abs() < 0.005, "{patient} {modality}: {voxels} {polygons}");
        }
    }
}

/// Every voxel of a shape.
fn voxels(shape: Shape) -> impl Iterator<Item = Index3> {
    let row = move |k, j| (0..shape.ni).map(move |i| Index3 { i, j, k });
    (0..shape.nk).flat_map(move |k| (0..shape.nj).flat_map(move |j| row(k, j)))
}

/// Dice coefficient of a mask with another one on its own grid, looked up at the place of each voxel.
fn dice(mask: &imaging::Mask, other: &imaging::Mask) -> f64 {
    let (mut both, mut either) = (0_usize, 0_usize);
    for at in voxels(mask.shape()) {
        let there = other.grid().nearest(mask.grid().center(at)).is_some_and(|at| *other.at(at));
        let here = *mask.at(at);
        both += usize::from(here && there);
        either += usize::from(here) + usize::from(there);
    }
    2.0 * both as f64 / either as f64
}

#[test]
fn contours_agree_with_the_masks_published_at_half_resolution() {
    for patient in ["STS_001", "STS_002", "STS_004"] {
        for (modality, published) in [("CT", "ct_mask.nii.gz"), ("MR_T1", "mr_t1_mask.nii.gz")] {
            let parts = [format!("sts_dicom/{patient}/{modality}"), format!("sts/{patient}/{published}")];
            let (Some(folder), Some(published)) = (testkit::real_data(&parts[0]), testkit::real_data(&parts[1])) else {
                return;
            };
            let image = series(&folder.join("image"));
            let grid = image.volume.grid();
            let structures = read_rtstruct(&folder.join("mask/RS.dcm")).unwrap().value;
            let mask = structures.rois[0].to_mask(grid).unwrap().value;
            let published = lesiontrace_formats::nifti::read_mask(&published, grid.frame().clone()).unwrap();
            let dice = dice(&mask, &published);
            println!("{patient} {modality}: Dice {dice:.4}");
            // Half as many columns and rows: the published masks are 1.5 to 3.2 % larger than the contour.
            assert!(dice >= 0.97, "{patient} {modality}: {dice}");
        }
    }
}
