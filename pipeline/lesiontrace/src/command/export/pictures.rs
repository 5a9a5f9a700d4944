//! Key images with what is drawn on them burned in: a secondary capture for each lesion and visit, and the same picture as PNG.

use std::path::Path;

use anyhow::Context as _;
use formats::dicom::write::key_picture::key_picture;
use formats::dicom::write::{KeyPictureToWrite, ObjectToWrite, SourceImage, SourceSlice};
use imaging::{Note, Point};
use report::{KeyImage, KeyPicture};

use super::visit::{self, Made};
use super::{Refused, Request};
use crate::ledger::Entry;
use crate::out;
use crate::patient::PatientResult;
use crate::source_record::{self, SourceRecord, VisitSource};

/// Series Number of key images.
const KEY_SERIES: u32 = 9704;
/// Folder of the PNGs in a patient's folder.
const FOLDER: &str = "key_images";

/// What helps where record and pictures of a visit do not belong together.
const AGAIN: &str = "run the patient again with --force";

/// A key image as an object.
pub(super) struct KeyObject<'a> {
    pub(super) source: &'a VisitSource,
    /// Name of its file.
    pub(super) name: String,
    pub(super) made: Made,
}

/// The key images of a patient's page; PNGs of an earlier export go. What cannot be written is named with the reason.
pub(super) fn pictures<'a>(
    request: &Request<'_>,
    entry: &Entry,
    (record, result): (&'a SourceRecord, &PatientResult),
    notes: &mut Vec<Note>,
) -> anyhow::Result<(Vec<KeyObject<'a>>, Vec<Refused>)> {
    let finished = request.finished.as_ref().context("a run's settings are read where key images are asked for")?;
    let folder = out::patient_folder(request.out, &entry.id).join(FOLDER);
    if folder.is_dir() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    let refuse = |visit: String, reason: String| Refused { patient_id: entry.id.clone(), visit, reason };
    let concluded = match finished.conclude(request.out, entry, &[]) {
        Ok(concluded) => concluded,
        Err(error) => return Ok((Vec::new(), vec![refuse(String::new(), format!("{error:#}"))])),
    };
    let (mut objects, mut refused) = (Vec::new(), Vec::new());
    for source in &record.visits {
        let of_visit: Vec<&KeyImage> =
            concluded.key_images().iter().filter(|image| image.visit == source.visit).collect();
        if of_visit.is_empty() {
            continue;
        }
        let mut refuse_lesions = |reasons: Vec<String>| {
            refused.extend(reasons.into_iter().map(|reason| refuse(source.visit.to_string(), reason)));
        };
        match request.images.source(&result.patient_id, source, notes) {
            Ok(of_series) => {
                let visit = Visit { folder: &folder, source, slices: visit::slices(source), of_series: &of_series };
                let made = of_visit.into_iter().map(|image| (image, visit.object(image, result)));
                let (made, reasons) = sorted(made);
                objects.extend(made);
                refuse_lesions(reasons);
            }
            Err(reason) => refuse_lesions(vec![reason]),
        }
    }
    Ok((objects, refused))
}

/// What was made, and for each lesion of which nothing was the reason. Where a lesion was not seen yet there is nothing to make.
fn sorted<'a, 'i>(
    made: impl Iterator<Item = (&'i KeyImage, Result<Option<KeyObject<'a>>, String>)>,
) -> (Vec<KeyObject<'a>>, Vec<String>) {
    let (mut objects, mut reasons) = (Vec::new(), Vec::new());
    for (image, made) in made {
        match made {
            Ok(object) => objects.extend(object),
            Err(reason) => reasons.push(format!("{}: {reason}", image.lesion_id)),
        }
    }
    (objects, reasons)
}

/// One visit to be shown.
struct Visit<'a, 's> {
    /// Folder of the PNGs.
    folder: &'s Path,
    source: &'a VisitSource,
    /// The image of each slice.
    slices: Vec<SourceSlice>,
    /// What the objects are of.
    of_series: &'s SourceImage,
}

impl<'a> Visit<'a, '_> {
    /// The object of one lesion, and its PNG beside it. `Err` is a reason for a message.
    fn object(&self, image: &KeyImage, result: &PatientResult) -> Result<Option<KeyObject<'a>>, String> {
        // Where a lesion was not seen yet, the place is shown and nothing on it.
        let Some(k) = slice(self.source, image)? else { return Ok(None) };
        let slice = self.slices.get(k).ok_or_else(|| {
            format!("slice {} is none of the {} images of the series; {AGAIN}", k + 1, self.slices.len())
        })?;
        let picture = report::key_picture(image).map_err(|error| error.to_string())?;
        let position = result.lesions.iter().position(|lesion| lesion.lesion_id == image.lesion_id);
        let [column_mm, row_mm] = picture.pixel_mm;
        let written = key_picture(&KeyPictureToWrite {
            object: ObjectToWrite {
                source: self.of_series,
                series_number: KEY_SERIES,
                series_description: "lesiontrace key images",
                version: env!("CARGO_PKG_VERSION"),
            },
            slice,
            number: position.map_or(1, |n| n as u32 + 1),
            about: &format!("{}, {}: {}", image.lesion_id, image.visit, image.caption),
            size: [picture.width, picture.height],
            rgb: &picture.rgb,
            spacing_mm: [row_mm, column_mm],
            towards: [&image.orientation.right, &image.orientation.bottom],
        });
        let made = Made::new("OT", written.map_err(|error| error.to_string())?);
        let name = format!("{}_{}_{}", self.source.visit, self.source.series_role, out::safe_name(&image.lesion_id));
        keep(&self.folder.join(format!("{name}.png")), &picture)?;
        Ok(Some(KeyObject { source: self.source, name: format!("{name}_key.dcm"), made }))
    }
}

fn keep(path: &Path, picture: &KeyPicture) -> Result<(), String> {
    let png = picture.png().map_err(|error| error.to_string())?;
    out::write_atomic(path, &png).map_err(|error| format!("{error:#}"))
}

/// The slice an image shows, from 0; `None` where the lesion was not seen yet. `Err` is a reason for a message.
fn slice(source: &VisitSource, image: &KeyImage) -> Result<Option<usize>, String> {
    let Some(place) = image.pixel_to_patient else { return Ok(None) };
    let grid = source.grid.grid().ok_or_else(|| format!("{} tells of no voxels; {AGAIN}", source_record::FILE))?;
    let k = grid.patient_to_voxel().apply(Point::from(place.origin)).coords.z.round();
    let n_slices = grid.shape().nk;
    if !(k >= 0.0 && k < n_slices as f64) {
        return Err(format!("its key image shows slice {} of {n_slices}; {AGAIN}", k + 1.0));
    }
    Ok(Some(k as usize))
}

#[cfg(test)]
mod tests {
    use oncology::{Date, VisitId};
    use report::{Orientation, PixelToPatient};

    use super::*;
    use crate::source_record::GridRecord;

    /// Three slices of 5 mm, the first at 100 mm.
    fn source() -> VisitSource {
        VisitSource {
            visit: VisitId::first(Date::constant(2020, 3, 2)),
            series_role: "ct_portal_venous".to_owned(),
            outlines_from: "imported_mask".to_owned(),
            grid: GridRecord {
                shape: [4, 4, 3],
                voxel_to_patient_lps: [
                    [1.0, 0.0, 0.0, 0.0],
                    [0.0, 1.0, 0.0, 0.0],
                    [0.0, 0.0, 5.0, 100.0],
                    [0.0, 0.0, 0.0, 1.0],
                ],
                frame_of_reference_uid: "1.2".to_owned(),
            },
            slices: Vec::new(),
            lesions: Vec::new(),
            measured_labels: std::collections::BTreeMap::new(),
            ablation_zones: Vec::new(),
            organ: false,
        }
    }

    fn shown_at(z: Option<f64>) -> KeyImage {
        let [left, right, top, bottom] = ["R", "L", "A", "P"].map(str::to_owned);
        KeyImage {
            lesion_id: "L1".to_owned(),
            visit: source().visit,
            caption: String::new(),
            width: 2,
            height: 2,
            pixels: vec![0; 4],
            pixel_mm: [1.0; 2],
            outlines: Vec::new(),
            calipers: Vec::new(),
            scale_bar_mm: 0.0,
            orientation: Orientation { left, right, top, bottom },
            pixel_to_patient: z.map(|z| PixelToPatient {
                origin: [0.0, 0.0, z],
                column: [1.0, 0.0, 0.0],
                row: [0.0, 1.0, 0.0],
            }),
        }
    }

    #[test]
    fn a_slice_is_known_not_there_yet_or_refused_with_the_remedy() {
        assert_eq!(slice(&source(), &shown_at(Some(110.0))), Ok(Some(2)));
        assert_eq!(slice(&source(), &shown_at(None)), Ok(None));
        for (z, number) in [(95.0, "slice 0 of 3"), (115.0, "slice 4 of 3")] {
            let reason = slice(&source(), &shown_at(Some(z))).unwrap_err();
            assert!(reason.contains(number) && reason.contains("--force"), "{reason}");
        }
        let mut damaged = source();
        damaged.grid.voxel_to_patient_lps[2] = [0.0; 4];
        let reason = slice(&damaged, &shown_at(Some(110.0))).unwrap_err();
        assert!(reason.contains("sources.json") && reason.contains("--force"), "{reason}");
    }

    #[test]
    fn a_lesion_that_cannot_be_shown_leaves_the_others() {
        let image = shown_at(None);
        let (objects, reasons) = sorted([(&image, Err("no".to_owned())), (&image, Ok(None))].into_iter());
        assert_eq!((objects.len(), reasons), (0, vec!["L1: no".to_owned()]));
    }
}
