//! A tiny cohort as DICOM with imported masks: oblique slices, an off-centre lesion that grows, one ablation.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use formats::dicom::write::{ModalityToWrite, SeriesToWrite, write_series};
use formats::nifti;
use imaging::{Affine, FrameId, Grid, Index3, LabelMap, Shape, Volume};
use jiff::civil::{Date, date};

pub(crate) const BASELINE: &str = "2020-03-02";
pub(crate) const FOLLOW_UP: &str = "2020-05-11";
const N_SLICES: usize = 12;
/// Orthonormal to 1e-6, turned about all three axes: columns are the directions of i, j, k.
const DIRECTIONS: [[f64; 3]; 3] =
    [[0.894_003_2, -0.262_08, 0.363_417_6], [0.363_417_6, 0.898_56, -0.246_003_2], [-0.262_08, 0.352, 0.898_56]];
const SPACING_MM: [f64; 3] = [3.0, 2.6, 5.0];
/// Centre of the lesion, mm along i, j, k from the first voxel.
const LESION_MM: [f64; 3] = [40.2, 29.5, 27.1];

/// An archive, a study file without a model, and room for results, in one temporary folder.
pub(crate) struct Cohort(tempfile::TempDir);

impl Cohort {
    /// Two visits of every patient; the second patient is ablated between them.
    pub(crate) fn new(ids: &[&str]) -> Self {
        let cohort = Self(tempfile::tempdir().unwrap());
        for (n, id) in ids.iter().enumerate() {
            visit(&cohort.path("archive"), n, id, date(2020, 3, 2), 9.0, false);
            visit(&cohort.path("archive"), n, id, date(2020, 5, 11), 12.5, n == 1);
        }
        let people: Vec<String> = ids.iter().map(|id| format!("{id},HCC,,2020-06-01\n")).collect();
        let header = "patient_id,diagnosis,death_date,last_contact_date\n";
        cohort.write("archive/clinical/patients.csv", &format!("{header}{}", people.concat()));
        let treated = ids.get(1).map_or(String::new(), |id| format!("{id},2020-03-20,1,MWA\n"));
        cohort.write("archive/clinical/treatments.csv", &format!("patient_id,date,session,modality\n{treated}"));
        cohort.write("study.toml", &study("source = \"imported\""));
        cohort
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    pub(crate) fn write(&self, below: &str, text: &str) {
        let path = self.path(below);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, below: &str) -> String {
        std::fs::read_to_string(self.path(below)).unwrap_or_else(|error| panic!("{below}: {error}"))
    }
}

/// The built-in study file with another source of masks.
pub(crate) fn study(source: &str) -> String {
    let built_in = include_str!("../../../../configs/study/default.toml");
    let text = built_in.replace("source = \"imported_or_model\"", source);
    assert_ne!(text, built_in, "the built-in study file names its source of masks otherwise now");
    text
}

/// Every file below a folder with its bytes, but for what no two runs share: manifests, who does whom, ledger entries and journals.
pub(crate) fn comparable(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for path in std::fs::read_dir(&next).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if !["manifest", "shards-of-"].iter().any(|start| name.starts_with(start))
                && name != "status.json"
                && path.extension().is_none_or(|ending| ending != "jsonl")
            {
                found.insert(path.strip_prefix(folder).unwrap().to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// One visit in its own frame of reference, with the masks of lesion, organ and, where ablated, zone.
fn visit(archive: &Path, n: usize, id: &str, day: Date, half_axis_mm: f64, ablated: bool) {
    let uid = uid(n, day);
    let grid = grid(&uid);
    let image = image(n, &grid, half_axis_mm, ablated);
    write_series(&archive.join(format!("{n}/{day}")), &series(&image, &uid, id, day)).unwrap();
    let masks = archive.join("masks").join(id.replace(' ', "%20")).join(day.to_string());
    std::fs::create_dir_all(&masks).unwrap();
    let labels = |set: &dyn Fn(Index3) -> bool| LabelMap::from_fn(grid.clone(), |at| u16::from(set(at)));
    let lesion = |at| lesion(at, half_axis_mm);
    nifti::write_labels(&masks.join("organ.nii.gz"), &labels(&organ)).unwrap();
    nifti::write_labels(&masks.join("lesions.nii.gz"), &labels(&|at| lesion(at) && !ablated)).unwrap();
    if ablated {
        nifti::write_labels(&masks.join("ablation_zone.nii.gz"), &labels(&zone)).unwrap();
    }
    std::fs::write(masks.join("lesions.csv"), "label,organ,kind\n1,liver,lesion\n").unwrap();
}

fn uid(n: usize, day: Date) -> String {
    format!("1.2.826.0.1.88.{}.{}", n + 1, day.strftime("%Y%m%d"))
}

fn inside(at: Index3, centre: [f64; 3], half: [f64; 3]) -> bool {
    let mm = [at.i, at.j, at.k].map(|v| v as f64);
    (0..3).map(|a| ((mm[a] * SPACING_MM[a] - centre[a]) / half[a]).powi(2)).sum::<f64>() <= 1.0
}

pub(crate) fn lesion(at: Index3, half_axis_mm: f64) -> bool {
    inside(at, LESION_MM, [half_axis_mm, half_axis_mm * 0.8, half_axis_mm])
}

fn organ(at: Index3) -> bool {
    inside(at, [36.0, 31.0, 29.0], [32.0, 27.0, 26.0])
}

fn zone(at: Index3) -> bool {
    inside(at, LESION_MM, [16.0, 15.0, 17.0])
}

fn image(n: usize, grid: &Grid, half_axis_mm: f64, ablated: bool) -> Volume<f32> {
    Volume::from_fn(grid.clone(), |at| {
        let vessel = 25.0 * ((at.i * 5 + n) as f64 / 7.0).sin() * (at.j as f64 / 3.0).cos() * (at.k as f64 / 2.5).sin();
        let tissue = if lesion(at, half_axis_mm) { 60.0 } else { 110.0 + vessel };
        (if ablated && zone(at) {
            20.0
        } else if organ(at) {
            tissue
        } else {
            -90.0
        })
        .round() as f32
    })
}

fn grid(frame: &str) -> Grid {
    let rows: [[f64; 4]; 4] = std::array::from_fn(|row| {
        if row == 3 {
            return [0.0, 0.0, 0.0, 1.0];
        }
        let d = DIRECTIONS[row];
        [d[0] * SPACING_MM[0], d[1] * SPACING_MM[1], d[2] * SPACING_MM[2], [-30.5, 12.25, -48.0][row]]
    });
    Grid::new(Shape { ni: 24, nj: 24, nk: N_SLICES }, Affine::from_rows(rows).unwrap(), FrameId::new(frame)).unwrap()
}

fn series<'a>(volume: &'a Volume<f32>, uid: &str, id: &str, day: Date) -> SeriesToWrite<'a> {
    SeriesToWrite {
        volume,
        modality: ModalityToWrite::Ct { kvp: 120.0, contrast: None },
        patient_id: id.to_owned(),
        patient_sex: None,
        patient_weight_kg: None,
        patient_height_m: None,
        study_uid: format!("{uid}.1"),
        series_uid: format!("{uid}.2"),
        sop_instance_uids: (0..N_SLICES).map(|k| format!("{uid}.3.{k}")).collect(),
        study_datetime: day.at(9, 0, 0, 0),
        acquisition_datetime: day.at(9, 1, 10, 0),
        study_description: "Abdomen".to_owned(),
        series_description: "Abdomen portal venous".to_owned(),
        series_number: 3,
        slice_thickness_mm: SPACING_MM[2],
        image_type: ["ORIGINAL", "PRIMARY", "AXIAL"].map(str::to_owned).to_vec(),
        manufacturer: "test".to_owned(),
    }
}
