//! Copies one NIfTI or NRRD file with a header that holds no text; its voxels and its place are kept.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use flate2::{Compression, GzBuilder};

use crate::atomic::{self, Durability};
use crate::{nifti, nrrd};

/// Why a file is not in the copy.
pub(super) enum Refusal {
    /// It cannot be cleaned.
    Reason(&'static str),
    /// The copy cannot be written.
    Io(io::Error),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Writes the copy; `to` ends as `from` does (`.nii`, `.nii.gz`, `.nrrd`, `.nhdr`, which then holds its data). A packed copy holds neither name nor time.
pub(super) fn write_blank(from: &Path, to: &Path) -> Result<(), Refusal> {
    let extension = to.extension().unwrap_or_default().to_ascii_lowercase();
    atomic::write(to, Durability::Buffered, |part| {
        let mut out = Watched { inner: BufWriter::with_capacity(1 << 16, part.as_file_mut()), failed: None };
        let is_read = if extension == "nrrd" || extension == "nhdr" {
            nrrd::copy_blank(from, &mut out).is_ok()
        } else if extension == "gz" {
            let mut packed = GzBuilder::new().write(&mut out, Compression::default());
            nifti::copy_blank(from, &mut packed).is_ok() && packed.finish().is_ok()
        } else {
            nifti::copy_blank(from, &mut out).is_ok()
        };
        // A copy that could not be written is not the file's fault.
        let flushed = out.inner.flush();
        match (out.failed, is_read) {
            (Some(error), _) => Err(Refusal::Io(error)),
            (None, false) => Err(Refusal::Reason("damaged, or not one real number a voxel in a place that is stated")),
            (None, true) => Ok(flushed?),
        }
    })
}

/// Keeps the first error of a writer, which its user may turn into another one.
struct Watched<W> {
    inner: W,
    failed: Option<io::Error>,
}

impl<W: Write> Write for Watched<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write(bytes).inspect_err(|error| {
            self.failed.get_or_insert_with(|| io::Error::new(error.kind(), error.to_string()));
        })
    }
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
