//! Small images written by the tests: oblique, anisotropic, off-centre, because symmetry hides flips.

use std::path::Path;

use formats::dicom::write::{ModalityToWrite, SeriesToWrite, write_series};
use imaging::{Affine, FrameId, Grid, Index3, Mask, Patient, Point, Shape, Volume, Voxel};
use jiff::civil::date;

/// A temporary folder with paths as text.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    pub(crate) fn path(&self, below: &str) -> String {
        self.0.path().join(below).display().to_string()
    }
    pub(crate) fn write(&self, below: &str, bytes: &[u8]) {
        let path = self.0.path().join(below);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

/// Turned about all three axes by angles with rational sines (7-24-25 and 44-117-125): columns are the directions of i, j, k.
const DIRECTIONS: [[f64; 3]; 3] =
    [[0.894_003_2, -0.262_08, 0.363_417_6], [0.363_417_6, 0.898_56, -0.246_003_2], [-0.262_08, 0.352, 0.898_56]];
const ORIGIN: [f64; 3] = [-30.5, 12.25, -48.0];

/// Voxel to patient, oblique.
pub(crate) fn affine(spacing_mm: [f64; 3]) -> Affine<Voxel, Patient> {
    let rows: [[f64; 4]; 4] = std::array::from_fn(|row| {
        if row == 3 {
            return [0.0, 0.0, 0.0, 1.0];
        }
        let d = DIRECTIONS[row];
        [d[0] * spacing_mm[0], d[1] * spacing_mm[1], d[2] * spacing_mm[2], ORIGIN[row]]
    });
    Affine::from_rows(rows).unwrap()
}

/// A small oblique grid.
pub(crate) fn grid(nk: usize) -> Grid {
    Grid::new(Shape { ni: 16, nj: 12, nk }, affine([0.9, 0.8, 2.5]), FrameId::new("1.2.826.0.1.77")).unwrap()
}

/// Writes a CT series of the portal venous phase and returns its voxels.
pub(crate) fn ct(folder: &Folder, below: &str, nk: usize) -> Volume<f32> {
    let volume = Volume::from_fn(grid(nk), |at| (at.i * 7 + at.j * 31 + at.k * 113) as f32 - 500.0);
    let series = SeriesToWrite {
        volume: &volume,
        modality: ModalityToWrite::Ct { kvp: 120.0, contrast: None },
        patient_id: "P-1".to_owned(),
        patient_sex: None,
        patient_weight_kg: None,
        patient_height_m: None,
        study_uid: "1.2.826.0.1.1".to_owned(),
        series_uid: "1.2.826.0.1.2".to_owned(),
        sop_instance_uids: (0..nk).map(|k| format!("1.2.826.0.1.3.{k}")).collect(),
        study_datetime: date(2019, 3, 4).at(9, 0, 0, 0),
        acquisition_datetime: date(2019, 3, 4).at(9, 1, 10, 0),
        study_description: "Abdomen".to_owned(),
        series_description: "Abdomen portal venous".to_owned(),
        series_number: 3,
        slice_thickness_mm: 2.5,
        image_type: ["ORIGINAL", "PRIMARY", "AXIAL"].map(str::to_owned).to_vec(),
        manufacturer: "test".to_owned(),
    };
    write_series(Path::new(&folder.path(below)), &series).unwrap();
    volume
}

/// Position of slice `k` along the slice normal, mm.
pub(crate) fn along_normal(volume: &Volume<f32>, k: usize) -> f64 {
    let at = volume.grid().center(Index3 { i: 0, j: 0, k }).to_array();
    (0..3).map(|axis| at[axis] * DIRECTIONS[axis][2]).sum()
}

const ELLIPSOID_MM: [f64; 3] = [0.9, 0.9, 2.0];

/// An ellipsoid whose half-axes run along i, j, k, in the middle of its grid but for less than a voxel, which `offset_mm` gives.
pub(crate) fn ellipsoid(offset_mm: [f64; 3], half_axes_mm: [f64; 3]) -> Mask {
    let shape = Shape { ni: 60, nj: 50, nk: 24 };
    let grid = Grid::new(shape, affine(ELLIPSOID_MM), FrameId::new("mask")).unwrap();
    let centre = centre_mm(offset_mm);
    Mask::from_fn(grid, |at| {
        let mm = [at.i, at.j, at.k].map(|n| n as f64);
        (0..3).map(|a| ((mm[a] * ELLIPSOID_MM[a] - centre[a]) / half_axes_mm[a]).powi(2)).sum::<f64>() <= 1.0
    })
}

/// The middle of the grid, displaced by less than a voxel.
fn centre_mm(offset_mm: [f64; 3]) -> [f64; 3] {
    let fraction = offset_mm.map(|mm| mm.rem_euclid(1.0) * 0.5);
    [27.0 + fraction[0], 22.5 + fraction[1], 24.0 + fraction[2]]
}

/// Where the long axis of [`ellipsoid`] ends, LPS mm.
pub(crate) fn long_axis_ends(offset_mm: [f64; 3], half_mm: f64) -> [[f64; 3]; 2] {
    let centre = centre_mm(offset_mm);
    [-half_mm, half_mm].map(|along| {
        let voxel = [(centre[0] + along) / ELLIPSOID_MM[0], centre[1] / ELLIPSOID_MM[1], centre[2] / ELLIPSOID_MM[2]];
        affine(ELLIPSOID_MM).apply(Point::new(voxel[0], voxel[1], voxel[2])).to_array()
    })
}

/// A ball about a point, mm from the middle of an oblique grid of 1 mm.
pub(crate) fn ball(centre: [f64; 3], radius_mm: f64) -> Mask {
    let n = 46;
    let grid = Grid::new(Shape { ni: n, nj: n, nk: n }, affine([1.0; 3]), FrameId::new("mask")).unwrap();
    let middle = (n as f64 - 1.0) / 2.0;
    Mask::from_fn(grid, |at| {
        let mm = [at.i, at.j, at.k].map(|v| v as f64 - middle);
        (0..3).map(|a| (mm[a] - centre[a]).powi(2)).sum::<f64>() <= radius_mm * radius_mm
    })
}

/// The middle of [`textured`] without a shift, LPS mm.
pub(crate) fn textured_middle() -> [f64; 3] {
    affine([3.0, 3.0, 4.0]).apply(Point::new(21.5, 19.5, 17.5)).to_array()
}

/// A body of many blobs whose position in the patient is displaced by `shift` mm; the grid stays.
pub(crate) fn textured(shift: [f64; 3]) -> Volume<f32> {
    textured_by(|_| shift)
}

/// The same with a displacement, mm, for each position.
pub(crate) fn textured_by(shift: impl Fn([f64; 3]) -> [f64; 3]) -> Volume<f32> {
    let shape = Shape { ni: 44, nj: 40, nk: 36 };
    let grid = Grid::new(shape, affine([3.0, 3.0, 4.0]), FrameId::new("image")).unwrap();
    let middle = textured_middle();
    Volume::from_fn(grid.clone(), |at| {
        let p = grid.center(at).to_array();
        let shift = shift(p);
        let q: [f64; 3] = std::array::from_fn(|a| p[a] - middle[a] - shift[a]);
        let body = (q[0] / 48.0).powi(2) + (q[1] / 42.0).powi(2) + (q[2] / 50.0).powi(2);
        let blobs = (q[0] / 9.0 + 0.4).sin() * (q[1] / 11.0 + 1.1).cos() + (q[2] / 8.0 + (q[0] + q[1]) / 30.0).sin();
        if body <= 1.0 { (100.0 + 60.0 * blobs + 20.0 * q[0] / 48.0) as f32 } else { 0.0 }
    })
}
