//! Key images with what is drawn on them burned in: a secondary capture for each lesion and visit, and the same picture as PNG.

use std::path::Path;

use anyhow::Context as _;
use formats::dicom::write::key_picture::key_picture;
use formats::dicom::write::{KeyPictureToWrite, ObjectToWrite};
use imaging::{Note, Point};
use report::{KeyImage, KeyPicture};

use super::visit::{self, Made};
use super::{Refused, Request};
use crate::ledger::Entry;
use crate::out;
use crate::patient::PatientResult;
use crate::source_record::{SourceRecord, VisitSource};

/// Series Number of key images.
const KEY_SERIES: u32 = 9704;
/// Folder of the PNGs in a patient's folder.
const FOLDER: &str = "key_images";

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
        match of_one(request, &folder, source, &of_visit, result, notes) {
            Ok(made) => objects.extend(made),
            Err(reason) => refused.push(refuse(source.visit.to_string(), reason)),
        }
    }
    Ok((objects, refused))
}

/// Those of one visit. `Err` is a reason for a message.
fn of_one<'a>(
    request: &Request<'_>,
    folder: &Path,
    source: &'a VisitSource,
    images: &[&KeyImage],
    result: &PatientResult,
    notes: &mut Vec<Note>,
) -> Result<Vec<KeyObject<'a>>, String> {
    let of_series = request.images.source(&result.patient_id, source, notes)?;
    let slices = visit::slices(source);
    let mut objects = Vec::new();
    for image in images {
        // Where a lesion was not seen yet, the place is shown and nothing on it.
        let Some(k) = slice(source, image) else { continue };
        let slice =
            slices.get(k).ok_or_else(|| format!("{}: slice {} is no image of the series", image.lesion_id, k + 1))?;
        let picture = report::key_picture(image).map_err(|error| error.to_string())?;
        let name = format!("{}_{}_{}", source.visit, source.series_role, out::safe_name(&image.lesion_id));
        keep(&folder.join(format!("{name}.png")), &picture)?;
        let position = result.lesions.iter().position(|lesion| lesion.lesion_id == image.lesion_id);
        let written = key_picture(&KeyPictureToWrite {
            object: ObjectToWrite {
                source: &of_series,
                series_number: KEY_SERIES,
                series_description: "lesiontrace key images",
                version: env!("CARGO_PKG_VERSION"),
            },
            slice,
            number: position.map_or(1, |n| n as u32 + 1),
            about: &format!("{}, {}: {}", image.lesion_id, image.visit, image.caption),
            size: [picture.width, picture.height],
            rgb: &picture.rgb,
            pixel_mm: picture.pixel_mm,
            towards: [&image.orientation.right, &image.orientation.bottom],
        });
        let made = Made::new("OT", written.map_err(|error| error.to_string())?);
        objects.push(KeyObject { source, name: format!("{name}_key.dcm"), made });
    }
    Ok(objects)
}

fn keep(path: &Path, picture: &KeyPicture) -> Result<(), String> {
    let png = picture.png().map_err(|error| error.to_string())?;
    out::write_atomic(path, &png).map_err(|error| format!("{error:#}"))
}

/// The slice an image shows; `None` where the lesion was not seen yet.
fn slice(source: &VisitSource, image: &KeyImage) -> Option<usize> {
    let origin = Point::from(image.pixel_to_patient?.origin);
    let k = source.grid.grid()?.patient_to_voxel().apply(origin).coords.z.round();
    (k >= 0.0).then_some(k as usize)
}
