//! The headers of an archive's files, gathered by series while the files are found. What lies in memory unpacked is what a few thousand
//! files hold, however many the archive has.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rayon::prelude::*;

use crate::dicom::header::{HeaderError, SliceHeader, read_headers};
use crate::dicom::packed_headers::Pack;
use crate::image_file;

/// So many files are read at a time.
const N_AT_A_TIME: usize = 2048;

/// A file of more frames than this is packed by itself: thousands of such files would not fit unpacked.
const MANY_FRAMES: usize = 16;

/// More packs of one series than this become one: packed alone, a header takes some ten times as much.
const MANY_PACKS: usize = 16;

/// The packs of one series, in any order.
pub(super) type Packs = Vec<Pack>;

/// What was found in an archive's files.
#[derive(Default)]
pub(super) struct Found {
    /// Headers by Series Instance UID.
    pub(super) series: BTreeMap<String, Packs>,
    /// NIfTI and NRRD files, sorted by path.
    pub(super) nifti_files: Vec<PathBuf>,
    /// DICOM files that cannot be read.
    pub(super) unreadable: Vec<(PathBuf, HeaderError)>,
    /// Number of files that are neither.
    pub(super) n_other_files: usize,
}

/// What was found so far, and the files that wait to be read.
pub(super) struct Gathered<'a> {
    found: Found,
    waiting: Vec<PathBuf>,
    /// Is told how many files were read since it was told last.
    files_read: &'a dyn Fn(usize),
}

/// Headers of one series, as they came out of a file.
enum Read {
    Loose(Vec<SliceHeader>),
    Packed(String, Pack),
}

impl<'a> Gathered<'a> {
    /// Nothing yet.
    pub(super) fn telling(files_read: &'a dyn Fn(usize)) -> Self {
        Self { found: Found::default(), waiting: Vec::new(), files_read }
    }

    /// Takes files in; reads those that wait where they are many.
    pub(super) fn take(&mut self, files: Vec<PathBuf>) {
        let (nifti, others): (Vec<PathBuf>, Vec<PathBuf>) = files.into_iter().partition(|p| image_file::is_image(p));
        self.found.nifti_files.extend(nifti);
        self.waiting.extend(others);
        if self.waiting.len() >= N_AT_A_TIME {
            self.read_waiting();
        }
    }

    /// Reads what waits still.
    pub(super) fn finish(mut self) -> Found {
        self.read_waiting();
        self.found.nifti_files.sort();
        self.found
    }

    fn read_waiting(&mut self) {
        for files in std::mem::take(&mut self.waiting).chunks(N_AT_A_TIME) {
            self.read(files);
        }
    }

    fn read(&mut self, files: &[PathBuf]) {
        let read: Vec<Result<Read, HeaderError>> =
            files.par_iter().map(|path| Ok(pack_many(read_headers(path)?))).collect();
        let mut loose: BTreeMap<String, Vec<SliceHeader>> = BTreeMap::new();
        for (path, result) in files.iter().zip(read) {
            match result {
                Ok(Read::Loose(headers)) if headers.is_empty() => self.found.n_other_files += 1,
                Ok(Read::Loose(headers)) => {
                    for header in headers {
                        loose.entry(header.series_uid.clone()).or_default().push(header);
                    }
                }
                Ok(Read::Packed(series, pack)) => self.found.series.entry(series).or_default().push(pack),
                Err(error) => self.found.unreadable.push((path.clone(), error)),
            }
        }
        let mut before =
            |series: String, headers| (self.found.series.remove(&series).unwrap_or_default(), series, headers);
        let work: Vec<(Packs, String, Vec<SliceHeader>)> = loose.into_iter().map(|(s, h)| before(s, h)).collect();
        self.found
            .series
            .par_extend(work.into_par_iter().map(|(packs, series, headers)| (series, add(packs, headers))));
        (self.files_read)(files.len());
    }
}

fn pack_many(headers: Vec<SliceHeader>) -> Read {
    if headers.len() > MANY_FRAMES {
        Read::Packed(headers[0].series_uid.clone(), Pack::of(&headers))
    } else {
        Read::Loose(headers)
    }
}

fn add(mut packs: Packs, mut headers: Vec<SliceHeader>) -> Packs {
    if packs.len() < MANY_PACKS {
        packs.push(Pack::of(&headers));
        return packs;
    }
    headers.extend(packs.iter().flat_map(Pack::unpack));
    vec![Pack::of(&headers)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(series: &str, k: i64) -> SliceHeader {
        SliceHeader { series_uid: series.to_owned(), instance_number: Some(k), ..SliceHeader::blank("CT") }
    }

    #[test]
    fn a_series_that_comes_slice_by_slice_is_whole_and_in_few_packs() {
        let mut packs = Packs::new();
        for k in 0..100 {
            packs = add(packs, vec![slice("1.2", k)]);
            assert!(packs.len() <= MANY_PACKS);
        }
        let mut found: Vec<SliceHeader> = packs.iter().flat_map(Pack::unpack).collect();
        found.sort_by_key(|header| header.instance_number);
        assert_eq!(found, (0..100).map(|k| slice("1.2", k)).collect::<Vec<_>>());
    }

    #[test]
    fn the_frames_of_a_file_are_packed_at_once() {
        let frames: Vec<SliceHeader> = (0..=MANY_FRAMES as i64).map(|k| slice("1.2", k)).collect();
        assert!(
            matches!(pack_many(frames.clone()), Read::Packed(series, pack) if series == "1.2" && pack.unpack() == frames)
        );
        assert!(matches!(pack_many(frames[1..].to_vec()), Read::Loose(headers) if headers == frames[1..]));
    }
}
