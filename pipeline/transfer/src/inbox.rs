//! Files what comes in: `ARCHIVE/<study>/<series>/<instance>.dcm`, named by UIDs alone, whole or not at all.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use formats::atomic::{self, Durability};
use formats::dicom::instance::{Instance, read_whole_instance};

use crate::TransferError;

/// No object is larger: a value of one element ends here.
pub(crate) const MAX_OBJECT: u64 = 4 << 30;

/// A series as an archive names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SeriesKey {
    pub(crate) study_uid: String,
    pub(crate) series_uid: String,
}

/// Takes in the objects of one series.
pub(crate) struct Inbox<'a> {
    archive: &'a Path,
    series: &'a SeriesKey,
    wanted: BTreeSet<String>,
    /// Called with the bytes of every object that is filed.
    on_object: &'a mut dyn FnMut(u64),
    pub(crate) n_filed: usize,
    pub(crate) n_bytes: u64,
    /// Objects that came and are not filed, with the reason.
    pub(crate) refused: Vec<(Option<String>, String)>,
}

/// Where an object is filed.
pub(crate) fn place(archive: &Path, series: &SeriesKey, sop_instance_uid: &str) -> PathBuf {
    archive.join(&series.study_uid).join(&series.series_uid).join(format!("{sop_instance_uid}.dcm"))
}

/// Whether an object was filed before, and all of it is there.
pub(crate) fn is_filed(archive: &Path, series: &SeriesKey, sop_instance_uid: &str) -> bool {
    let path = place(archive, series, sop_instance_uid);
    path.is_file()
        && read_whole_instance(&path)
            .is_ok_and(|found| is_of(&found, series) && found.sop_instance_uid == sop_instance_uid)
}

fn is_of(instance: &Instance, series: &SeriesKey) -> bool {
    instance.series_uid == series.series_uid && instance.study_uid == series.study_uid
}

impl<'a> Inbox<'a> {
    pub(crate) fn new(
        archive: &'a Path,
        series: &'a SeriesKey,
        wanted: BTreeSet<String>,
        on_object: &'a mut dyn FnMut(u64),
    ) -> Self {
        Self { archive, series, wanted, on_object, n_filed: 0, n_bytes: 0, refused: Vec::new() }
    }

    /// What has not come yet.
    pub(crate) fn missing(&self) -> Vec<String> {
        self.wanted.iter().cloned().collect()
    }

    /// An object that cannot be had, with the reason.
    pub(crate) fn refuse(&mut self, sop_instance_uid: &str, reason: String) {
        self.wanted.remove(sop_instance_uid);
        self.refused.push((Some(sop_instance_uid.to_owned()), reason));
    }

    /// Takes one object that `fill` writes; files it where it is whole and one that is wanted, and notes it as refused otherwise.
    pub(crate) fn receive(
        &mut self,
        fill: impl FnOnce(&mut dyn Write) -> Result<(), TransferError>,
    ) -> Result<(), TransferError> {
        let folder = self.archive.join(&self.series.study_uid).join(&self.series.series_uid);
        std::fs::create_dir_all(&folder).map_err(TransferError::file(&folder))?;
        // The name it gets is known when it is read: it is written beside, and linked to its name then.
        let mut coming = atomic::part_in(&folder, ".dcm").map_err(TransferError::file(&folder))?;
        fill(&mut Bounded { to: &mut coming, n_left: MAX_OBJECT })?;
        coming.flush().map_err(TransferError::file(&folder))?;
        let found = match read_whole_instance(coming.path()) {
            Ok(found) => found,
            Err(error) => {
                let reason = error.to_string().replace(&coming.path().display().to_string(), "what the archive sent");
                self.refused.push((None, reason));
                return Ok(());
            }
        };
        if !is_of(&found, self.series) || !self.wanted.contains(&found.sop_instance_uid) {
            let was_filed =
                is_of(&found, self.series) && place(self.archive, self.series, &found.sop_instance_uid).is_file();
            if !was_filed {
                let reason = "the archive sent an object that was not asked for; it is not kept".to_owned();
                self.refused.push((Some(found.sop_instance_uid), reason));
            }
            return Ok(());
        }
        let n_bytes = coming.as_file().metadata().map_err(TransferError::file(&folder))?.len();
        let path = place(self.archive, self.series, &found.sop_instance_uid);
        atomic::finish(coming, &path, Durability::Buffered).map_err(TransferError::file(&path))?;
        self.wanted.remove(&found.sop_instance_uid);
        self.n_filed += 1;
        self.n_bytes += n_bytes;
        (self.on_object)(n_bytes);
        Ok(())
    }
}

/// A writer that refuses what is too large for any object.
struct Bounded<W> {
    to: W,
    n_left: u64,
}

impl<W: Write> Write for Bounded<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.n_left = self
            .n_left
            .checked_sub(bytes.len() as u64)
            .ok_or_else(|| io::Error::new(io::ErrorKind::FileTooLarge, "an object of more than 4 GiB comes in"))?;
        self.to.write_all(bytes).map(|()| bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
