//! Images and label maps written as NRRD, and the cohort as a BIDS tree.

use std::path::Path;

use formats::nifti;
use imaging::{FrameId, Volume};

use crate::calls::call;
use crate::cohort::{BASELINE, Cohort, FOLLOW_UP, comparable};

/// Writes 32-bit floats in LPS.
pub(crate) fn write_nrrd(path: &Path, image: &Volume<f32>) {
    let rows = image.grid().voxel_to_patient().to_rows();
    let column = |c: usize| format!("({},{},{})", rows[0][c], rows[1][c], rows[2][c]);
    let shape = image.shape();
    let header = format!(
        "NRRD0004\ntype: float\ndimension: 3\nspace: left-posterior-superior\nsizes: {} {} {}\nspace directions: {} {} {}\nendian: little\nencoding: raw\nspace origin: {}\n\n",
        shape.ni,
        shape.nj,
        shape.nk,
        column(0),
        column(1),
        column(2),
        column(3)
    );
    let bytes: Vec<u8> =
        header.into_bytes().into_iter().chain(image.values().iter().flat_map(|v| v.to_le_bytes())).collect();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// Writes the same in two files, a detached header and its data.
pub(crate) fn write_nhdr(path: &Path, image: &Volume<f32>) {
    write_nrrd(path, image);
    let whole = std::fs::read(path).unwrap();
    let data_at = whole.windows(2).position(|two| two == b"\n\n").unwrap() + 2;
    let data_name = format!("{}.raw", path.file_stem().unwrap().to_string_lossy());
    std::fs::write(path.with_file_name(&data_name), &whole[data_at..]).unwrap();
    let header = format!("{}data file: {data_name}\n", String::from_utf8_lossy(&whole[..data_at - 1]));
    std::fs::write(path, header).unwrap();
}

/// The cohort in `bids/`: series converted by the program, masks as derivatives. Identifiers must be letters and digits.
pub(crate) fn as_bids(cohort: &Cohort, ids: &[&str]) {
    for (n, id) in ids.iter().enumerate() {
        for day in [BASELINE, FOLLOW_UP] {
            let session = format!("ses-{}", day.replace('-', ""));
            let stem = format!("sub-{id}/{session}/ct/sub-{id}_{session}_acq-portalvenous");
            let series = cohort.path(&format!("archive/{n}/{day}")).display().to_string();
            let image = cohort.path(&format!("bids/{stem}_ct.nii.gz")).display().to_string();
            assert_eq!(call(&["convert", &series, &image]).0, 0);
            for (name, end) in [
                ("lesions", "desc-lesion_dseg"),
                ("organ", "label-liver_mask"),
                ("ablation_zone", "desc-ablationzone_dseg"),
            ] {
                let from = cohort.path(&format!("archive/masks/{id}/{day}/{name}.nii.gz"));
                if from.is_file() {
                    let map = nifti::read_labels(&from, FrameId::new("f")).unwrap();
                    nifti::write_labels(&cohort.path(&format!("bids/derivatives/reader/{stem}_{end}.nii.gz")), &map)
                        .unwrap();
                }
            }
        }
    }
    for (name, bytes) in comparable(&cohort.path("archive/clinical")) {
        let to = cohort.path("bids/clinical").join(name);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::write(to, bytes).unwrap();
    }
}
