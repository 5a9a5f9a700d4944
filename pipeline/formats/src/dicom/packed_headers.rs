//! The headers of a series in little memory: an archive of a million slices is planned as a whole, and its slices differ in little.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::header::SliceHeader;
use crate::packed::{pack, unpack};

/// Headers, packed: those of a series take some 100 bytes a slice, unpacked some 2 kB.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Pack {
    bytes: Box<[u8]>,
    n: usize,
}

impl Pack {
    /// Packs headers in their order.
    pub(crate) fn of(headers: &[SliceHeader]) -> Self {
        Self { bytes: pack(headers).expect("every field of a header has a form in bytes"), n: headers.len() }
    }

    /// The headers in their order.
    pub(crate) fn unpack(&self) -> Vec<SliceHeader> {
        unpack(&self.bytes)
    }
}

/// The headers of one series, sorted by path and frame: the first as it is, all of them packed. A clone shares them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PackedHeaders {
    first: Option<Arc<SliceHeader>>,
    /// Nothing where the first is all.
    all: Arc<Pack>,
}

impl PackedHeaders {
    /// Packs headers in their order.
    #[must_use]
    pub fn of(headers: Vec<SliceHeader>) -> Self {
        let all = if headers.len() > 1 { Pack::of(&headers) } else { Pack { n: headers.len(), ..Pack::default() } };
        Self { first: headers.into_iter().next().map(Arc::new), all: Arc::new(all) }
    }

    /// All of them, in their order.
    #[must_use]
    pub fn unpack(&self) -> Vec<SliceHeader> {
        if self.len() > 1 { self.all.unpack() } else { self.first().cloned().into_iter().collect() }
    }

    /// The first of them, which needs no unpacking.
    #[must_use]
    pub fn first(&self) -> Option<&SliceHeader> {
        self.first.as_deref()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.n
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A path as the bytes the system knows it by: not every file's name is text.
pub(super) mod as_bytes {
    use std::ffi::OsString;
    use std::path::{Path, PathBuf};

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
        path.as_os_str().serialize(to)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
        OsString::deserialize(from).map(PathBuf::from)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use jiff::civil::date;

    use super::*;
    use crate::dicom::pet::PetHeader;
    use crate::dicom::pixel_offset::PixelPlace;

    /// Slices of one series, as an archive has them: all but the file, the instance and the place is the same.
    fn series(n: i64) -> Vec<SliceHeader> {
        let slice = |k: i64| SliceHeader {
            path: format!("/archive/hospital/P0001/2020-03-02/CT portal venous/IM{k:06}.dcm").into(),
            patient_id: "P0001".to_owned(),
            study_uid: "1.3.6.1.4.1.14519.5.2.1.3320.3273.266134873228105518486120160430".to_owned(),
            series_uid: "1.3.6.1.4.1.14519.5.2.1.3320.3273.110471302187424883882646092116".to_owned(),
            sop_instance_uid: format!("1.3.6.1.4.1.14519.5.2.1.3320.3273.{}", 7_919_i64.pow(4) * (k + 3)),
            series_description: "Abdomen portal venous 1.0".to_owned(),
            study_date: Some(date(2020, 3, 2)),
            position: Some([-210.5, -180.25, -400.0 + 0.7 * k as f64]),
            orientation: Some([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]),
            instance_number: Some(k),
            image_type: vec!["ORIGINAL".to_owned(), "PRIMARY".to_owned()],
            pixels: PixelPlace::At(1_894),
            file_bytes: 526_182,
            ..SliceHeader::blank("CT")
        };
        (0..n).map(slice).collect()
    }

    #[test]
    fn headers_come_out_of_a_pack_as_they_went_in() {
        let mut headers = series(40);
        headers[7].pet = Some(Box::new(PetHeader { weight_kg: Some(71.3), ..PetHeader::default() }));
        headers[8].rescale_slope = Some(f64::INFINITY);
        headers[9].key.acquired = Some(date(2020, 3, 2).at(23, 59, 59, 1_000));
        for n in [0, 1, 2, 40] {
            let packed = PackedHeaders::of(headers[..n].to_vec());
            assert_eq!(packed.unpack(), headers[..n], "{n}");
            assert_eq!((packed.len(), packed.is_empty(), packed.first()), (n, n == 0, headers[..n].first()));
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_is_no_text_stays_what_it_is() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt as _;
        let mut headers = series(2);
        headers[1].path = PathBuf::from(OsStr::from_bytes(b"/archive/M\xFCller/1"));
        assert_eq!(PackedHeaders::of(headers.clone()).unpack(), headers);
    }

    #[test]
    fn a_slice_takes_a_hundred_bytes() {
        let n_bytes = Pack::of(&series(300)).bytes.len();
        assert!(n_bytes < 300 * 100, "{n_bytes}");
    }
}
