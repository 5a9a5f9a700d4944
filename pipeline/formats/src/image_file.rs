//! Images and label maps as single files, NIfTI or NRRD by their name.

use std::path::{Path, PathBuf};

use imaging::{FrameId, Grid, LabelMap, Volume};
use thiserror::Error;

use crate::nifti::{self, NiftiError};
use crate::nrrd::{self, NrrdError};

/// What can be wrong with an image file.
#[derive(Debug, Error)]
pub enum ImageFileError {
    /// A NIfTI file.
    #[error(transparent)]
    Nifti(#[from] NiftiError),
    /// A NRRD file.
    #[error(transparent)]
    Nrrd(#[from] NrrdError),
}

/// Endings of the names of image files; the longer one of two comes first.
pub const ENDINGS: [&str; 4] = [".nii.gz", ".nii", ".nrrd", ".nhdr"];

/// Whether a file is an image by its name.
#[must_use]
pub fn is_image(path: &Path) -> bool {
    path.file_name().is_some_and(|name| stem(&name.to_string_lossy()).len() < name.len())
}

/// A file name without the ending of an image.
#[must_use]
pub fn stem(name: &str) -> &str {
    let lower = name.to_ascii_lowercase();
    let n = ENDINGS.into_iter().find(|e| lower.ends_with(e)).map_or(0, str::len);
    &name[..name.len() - n]
}

fn is_nrrd(path: &Path) -> bool {
    path.extension().is_some_and(|e| ["nrrd", "nhdr"].iter().any(|ending| e.eq_ignore_ascii_case(ending)))
}

/// The files an image lies in: itself and, of a detached NRRD header, its data file.
#[must_use]
pub fn files_of(path: &Path) -> Vec<PathBuf> {
    let data = is_nrrd(path).then(|| nrrd::data_file(path)).flatten();
    std::iter::once(path.to_owned()).chain(data).collect()
}

/// Reads an image; see [`nifti::read_image`] and [`nrrd::read_image`].
pub fn read_image(path: &Path, frame: FrameId) -> Result<Volume<f32>, ImageFileError> {
    if is_nrrd(path) { Ok(nrrd::read_image(path, frame)?) } else { Ok(nifti::read_image(path, frame)?) }
}

/// Reads a label map; refuses values that are not whole numbers from 0 to 65535.
pub fn read_labels(path: &Path, frame: FrameId) -> Result<LabelMap, ImageFileError> {
    if is_nrrd(path) { Ok(nrrd::read_labels(path, frame)?) } else { Ok(nifti::read_labels(path, frame)?) }
}

/// Where the voxels of a file lie, from its header alone.
pub fn read_header_grid(path: &Path, frame: FrameId) -> Result<Grid, ImageFileError> {
    if is_nrrd(path) { Ok(nrrd::read_header_grid(path, frame)?) } else { Ok(nifti::read_header_grid(path, frame)?) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_images_and_their_stems() {
        for (name, expected) in
            [("a.nii.gz", "a"), ("b.v2.NII", "b.v2"), ("c.nrrd", "c"), ("e.NHDR", "e"), ("d.nii.json", "d.nii.json")]
        {
            assert_eq!(stem(name), expected);
            assert_eq!(is_image(Path::new(name)), name != expected);
        }
    }
}
