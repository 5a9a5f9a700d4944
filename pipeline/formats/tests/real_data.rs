//! Real series against values known from elsewhere. The data are read through `LESIONTRACE_DATA`; where it is unset these tests
//! say that they did not run.
#![expect(clippy::unwrap_used, reason = "tests may unwrap and say what was not run")]

use std::path::Path;

use imaging::Volume;
use lesiontrace_formats::archive::index;
use lesiontrace_formats::dicom::{SeriesVolume, SuvOptions, read_rtstruct, read_series};
use nifti::{IntoNdArray, NiftiObject, ReaderOptions};

fn series(folder: &Path) -> SeriesVolume {
    let archive = index(folder).unwrap().value;
    let entry = archive.series().find(|s| s.row.usable).unwrap();
    read_series(&entry.headers, &SuvOptions::STANDARD).unwrap().value
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
        let corner = stored.grid().center(imaging::Index3 { i: 0, j: 0, k });
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
