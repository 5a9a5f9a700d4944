//! Maps between two images as files: the program's own JSON, ITK text (`.tfm`, `.txt`), and displacement fields (`.nii`, `.nii.gz`)
//! of this program, elastix, ANTs, greedy or SimpleITK.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use formats::nifti::{self, read_displacement};
use formats::stored;
use imaging::registration::deformable::Deformation;
use imaging::registration::{Registration, read_itk_transform, write_itk_transform};
use imaging::resample::{resample, resample_through};
use imaging::{Affine, FrameId, Grid, Interpolation, Patient, Point, Volume};
use serde::{Deserialize, Serialize};

use crate::out;

/// Name of the file that says what was found, beside which the others lie.
const DESCRIPTION: &str = "moving_to_fixed.json";
/// Name of the displacement field beside it.
const FIELD: &str = "moving_to_fixed_displacement.nii.gz";
/// Frame of reference of images that have none of their own.
const NO_FRAME: [&str; 2] = ["fixed", "moving"];

/// What is written beside a registration.
#[derive(Serialize, Deserialize)]
struct Description {
    schema_version: u32,
    transform: String,
    /// The matrix of a rigid or affine map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    moving_to_fixed: Option<[[f64; 4]; 4]>,
    /// The file of a deformable map, in the same folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    displacement: Option<PathBuf>,
    fixed_frame: String,
    moving_frame: String,
}

/// Where a point of the fixed image lies in the moving image.
pub(crate) enum FixedToMoving {
    /// One matrix.
    Affine(Affine<Patient, Patient>),
    /// A displacement for each point of a grid.
    Field(Box<Deformation>),
    /// One after the other, the first from the fixed image.
    Chain(Vec<Self>),
}

/// A map read from a file, with the frames of reference it joins where the file states them.
pub(crate) struct TransformFile {
    pub(crate) map: FixedToMoving,
    frames: Option<[String; 2]>,
}

impl FixedToMoving {
    /// A moving image on a grid of the fixed frame, resampled once. What neither image nor field reaches is `outside`.
    pub(crate) fn warp(&self, moving: &Volume<f32>, like: &Grid, how: Interpolation, outside: f32) -> Volume<f32> {
        match self {
            Self::Affine(map) => resample(moving, like, map, how, outside),
            Self::Field(_) | Self::Chain(_) => {
                // A point that is no number lies in no image.
                let nowhere = Point::new(f64::NAN, f64::NAN, f64::NAN);
                resample_through(moving, like, |p| self.apply(p).unwrap_or(nowhere), how, outside)
            }
        }
    }

    fn apply(&self, p: Point<Patient>) -> Option<Point<Patient>> {
        match self {
            Self::Affine(map) => Some(map.apply(p)),
            Self::Field(field) => field.reaches(p).then(|| field.apply(p)),
            Self::Chain(maps) => maps.iter().try_fold(p, |p, map| map.apply(p)),
        }
    }

    /// The part of every fourth voxel of a grid, along each axis, that lies within a moving image.
    pub(crate) fn covered(&self, like: &Grid, moving: &Grid) -> f64 {
        let shape = like.shape();
        let (mut n, mut n_covered) = (0_usize, 0_usize);
        for linear in 0..shape.n_voxels() {
            let at = shape.index(linear);
            if [at.i, at.j, at.k].iter().all(|n| n.is_multiple_of(4)) {
                n += 1;
                n_covered += usize::from(self.apply(like.center(at)).is_some_and(|p| contains(moving, p)));
            }
        }
        n_covered as f64 / n as f64
    }
}

fn contains(grid: &Grid, p: Point<Patient>) -> bool {
    let shape = grid.shape();
    let v = grid.patient_to_voxel().apply(p).coords;
    [shape.ni, shape.nj, shape.nk].iter().enumerate().all(|(a, n)| v[a] >= -0.5 && v[a] <= *n as f64 - 0.5)
}

impl TransformFile {
    /// Reads maps to be gone through one after the other, the first from the fixed image: the image is resampled once. Where two
    /// that follow each other state their frames of reference, the first must lead to where the second begins.
    pub(crate) fn read_chain(paths: &[PathBuf]) -> anyhow::Result<Self> {
        let mut links = paths.iter().map(|path| Self::read(path)).collect::<anyhow::Result<Vec<_>>>()?;
        if links.len() == 1 {
            return Ok(links.swap_remove(0));
        }
        for (n, pair) in links.windows(2).enumerate() {
            let (Some([_, leads_to]), Some([begins, _])) = (&pair[0].frames, &pair[1].frames) else { continue };
            if leads_to != begins && ![leads_to, begins].iter().any(|frame| NO_FRAME.contains(&frame.as_str())) {
                bail!(
                    "{} leads to frame of reference {leads_to}, {} begins in {begins}: name the maps in the order from the fixed image to the moving one",
                    paths[n].display(),
                    paths[n + 1].display()
                );
            }
        }
        let end = |link: Option<&Self>, n: usize| link.and_then(|link| link.frames.as_ref()).map(|f| f[n].clone());
        let frames = [end(links.first(), 0), end(links.last(), 1)];
        let stated = |n: usize| frames[n].clone().unwrap_or_else(|| NO_FRAME[n].to_owned());
        let frames = frames.iter().any(Option::is_some).then(|| [stated(0), stated(1)]);
        Ok(Self { map: FixedToMoving::Chain(links.into_iter().map(|link| link.map).collect()), frames })
    }

    /// Reads a map by the ending of its file's name.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let text = || {
            let bytes = stored::read(path).with_context(|| format!("reading {}", path.display()))?;
            String::from_utf8(bytes).with_context(|| format!("{}: expected text", path.display()))
        };
        let ends_with = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
        if ends_with(&[".nii", ".nii.gz"]) {
            return Ok(Self { map: read_field(path, NO_FRAME[0])?, frames: None });
        }
        if ends_with(&[".tfm", ".txt"]) {
            let moving_to_fixed =
                read_itk_transform(&text()?).with_context(|| format!("reading {}", path.display()))?;
            return Ok(Self { map: inverse(&moving_to_fixed)?, frames: None });
        }
        if !ends_with(&[".json"]) {
            bail!(
                "{}: expected a map as .json (of `lesiontrace register`), .tfm or .txt (ITK text) or .nii.gz (displacement field); write it in one of these forms",
                path.display()
            );
        }
        let described: Description =
            serde_json::from_str(&text()?).with_context(|| format!("reading {}", path.display()))?;
        let map = match (&described.moving_to_fixed, &described.displacement) {
            (Some(rows), None) => {
                let map = Affine::from_rows(*rows).context("moving_to_fixed is no affine matrix of 4 x 4")?;
                inverse(&map)?
            }
            (None, Some(file)) if file.components().count() == 1 => {
                read_field(&path.with_file_name(file), &described.fixed_frame)?
            }
            _ => bail!("{}: expected either `moving_to_fixed` or `displacement`, a file beside it", path.display()),
        };
        Ok(Self { map, frames: Some([described.fixed_frame, described.moving_frame]) })
    }

    /// Refuses images of other frames of reference than those that the map joins. Files without frames are not judged.
    pub(crate) fn check_frames(&self, fixed: &FrameId, moving: &FrameId) -> anyhow::Result<()> {
        let Some(frames) = &self.frames else { return Ok(()) };
        for (n, (stated, found)) in frames.iter().zip([fixed, moving]).enumerate() {
            let (stated, found) = (stated.as_str(), found.as_str());
            if stated != found && !NO_FRAME.contains(&stated) && !NO_FRAME.contains(&found) {
                bail!(
                    "the map's {} image has frame of reference {stated}, the image given {found}; name the images that were registered",
                    NO_FRAME[n]
                );
            }
        }
        Ok(())
    }
}

fn inverse(moving_to_fixed: &Affine<Patient, Patient>) -> anyhow::Result<FixedToMoving> {
    moving_to_fixed.inverse().map(FixedToMoving::Affine).context("the map cannot be turned round")
}

fn read_field(path: &Path, frame: &str) -> anyhow::Result<FixedToMoving> {
    let (grid, displacement) = read_displacement(path, FrameId::new(frame))?;
    let field = Deformation::new(grid, displacement, Affine::identity())
        .with_context(|| format!("{}: expected at least two nodes along each axis", path.display()))?;
    Ok(FixedToMoving::Field(Box::new(field)))
}

/// Writes a rigid or affine map as JSON and for ITK.
pub(crate) fn write_matrix(folder: &Path, registration: &Registration, transform: &str) -> anyhow::Result<()> {
    let moving_to_fixed = Some(registration.moving_to_fixed.to_rows());
    write_description(folder, registration, transform, moving_to_fixed, None)?;
    let itk = write_itk_transform(&registration.moving_to_fixed)?;
    out::write_atomic(&folder.join("moving_to_fixed.tfm"), itk.as_bytes())
}

/// Writes a deformable map as JSON and as a displacement field over the fixed image for ITK; returns how far, mm, the field lies
/// from the map at most, midway between its nodes.
pub(crate) fn write_field(
    folder: &Path,
    registration: &Registration,
    deformation: &Deformation,
    fixed: &Grid,
) -> anyhow::Result<f64> {
    let grid = deformation.lattice_over(fixed)?;
    let displacement = deformation.displacement_on(&grid);
    write_description(folder, registration, "deformable", None, Some(PathBuf::from(FIELD)))?;
    nifti::write_displacement(&folder.join(FIELD), &grid, &displacement)?;
    let written = Deformation::new(grid.clone(), displacement, Affine::identity())?;
    let shape = grid.shape();
    let midway = |n: usize| {
        let at = shape.index(n);
        grid.voxel_to_patient().apply(Point::new(at.i as f64 + 0.5, at.j as f64 + 0.5, at.k as f64 + 0.5))
    };
    let apart = (0..shape.n_voxels()).map(midway).filter(|p| contains(fixed, *p));
    Ok(apart.map(|p| written.apply(p).distance(deformation.apply(p))).fold(0.0, f64::max))
}

fn write_description(
    folder: &Path,
    registration: &Registration,
    transform: &str,
    moving_to_fixed: Option<[[f64; 4]; 4]>,
    displacement: Option<PathBuf>,
) -> anyhow::Result<()> {
    let description = Description {
        schema_version: 1,
        transform: transform.to_owned(),
        moving_to_fixed,
        displacement,
        fixed_frame: registration.fixed_frame.as_str().to_owned(),
        moving_frame: registration.moving_frame.as_str().to_owned(),
    };
    out::write_json(&folder.join(DESCRIPTION), &description)
}
