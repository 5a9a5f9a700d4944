//! Label maps and masks in `derivatives/` of a BIDS tree: of which image, patient and day they are, and what they show.
//!
//! `derivatives/[<pipeline>/]sub-…/…/<entities of the image>[_label-<name>|_desc-<name>]_dseg|mask|roi.nii.gz`. The entities but
//! for label, desc, res, den and atlas are those of the image it was drawn on; its day is that of the image. A map in another space
//! (`space-…`) is not used. `…_dseg.tsv` beside a map names its labels (columns `index` and `name`).
//!
//! Source: BIDS 1.9, "Imaging data derivatives"; `label-lesion_roi` is its older form.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use imaging::{Note, Noted};
use jiff::civil::Date;

use super::below;
use super::bids::BidsPath;
use crate::image_file::stem;
use crate::stored;

/// Entities that say what is shown, not of which image.
const NOT_OF_THE_IMAGE: [&str; 7] = ["label", "desc", "res", "den", "atlas", "seg", "space"];

/// Spaces that are the image's own.
const OWN_SPACES: [&str; 2] = ["orig", "individual"];

/// A label map or mask that was drawn on an image of a visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derived {
    /// Where it lies.
    pub path: PathBuf,
    /// Its path below the archive, with `/`.
    pub file: String,
    /// The patient.
    pub patient_id: String,
    /// The day of the image it was drawn on.
    pub date: Date,
    /// What it shows, by its label or description; empty where its name does not say.
    pub label: String,
    /// Names of its labels, where a table beside it states them; empty for a mask.
    pub names: BTreeMap<u16, String>,
    /// Whether each label is one thing; everything above 0 is one in a mask.
    pub is_label_map: bool,
    image: ImageName,
}

/// What the names of an image and of what was drawn on it share.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ImageName {
    entities: String,
    /// `T1w`, `ct`, …; `None` where the name of a map does not repeat it.
    suffix: Option<String>,
}

impl Derived {
    /// Whether it was drawn on the image of this path below the archive.
    #[must_use]
    pub fn is_of(&self, image: &str) -> bool {
        name_of_image(image).is_some_and(|image| self.image.fits(&image))
    }
}

impl ImageName {
    fn fits(&self, image: &ImageName) -> bool {
        self.entities == image.entities && (self.suffix.is_none() || self.suffix == image.suffix)
    }
}

/// Of an image's path below the archive.
fn name_of_image(file: &str) -> Option<ImageName> {
    let name = stem(BidsPath::of(file)?.name);
    let (entities, suffix) = name.rsplit_once('_')?;
    Some(ImageName { entities: entities.to_owned(), suffix: Some(suffix.to_owned()) })
}

/// Finds the maps among files that are no images of visits. `images` are the images with their days.
pub fn find<'a>(root: &Path, files: &[PathBuf], images: impl Iterator<Item = (&'a str, Date)>) -> Noted<Vec<Derived>> {
    let images: Vec<(ImageName, Date)> = images.filter_map(|(file, date)| Some((name_of_image(file)?, date))).collect();
    let (mut found, mut notes) = (Vec::new(), Vec::new());
    for path in files {
        let file = below(root, path);
        let Some(bids) = BidsPath::of_derivative(&file) else { continue };
        match derived(bids, &images) {
            Ok(Some((date, image, label, is_label_map))) => {
                let names = if is_label_map { names_beside(path) } else { BTreeMap::new() };
                let patient_id = bids.patient().to_owned();
                let path = path.clone();
                found.push(Derived { path, patient_id, date, label, names, is_label_map, image, file: file.clone() });
            }
            Ok(None) => {}
            Err(reason) => {
                notes.push(Note::warning("derivative_not_used", &file, format!("{reason}; the file is left out")));
            }
        }
    }
    Noted::new(found, notes)
}

/// Day, image, label, and whether it is a label map; `None` where the file is neither map nor mask.
type Parts = (Date, ImageName, String, bool);

fn derived(path: BidsPath<'_>, images: &[(ImageName, Date)]) -> Result<Option<Parts>, String> {
    let mut parts: Vec<&str> = stem(path.name).split('_').collect();
    let is_label_map = match parts.pop() {
        Some("dseg") => true,
        Some("mask" | "roi") => false,
        _ => return Ok(None),
    };
    let entity = |wanted: &str| parts.iter().find_map(|part| part.strip_prefix(wanted)?.strip_prefix('-'));
    if let Some(space) = entity("space").filter(|space| !OWN_SPACES.contains(space)) {
        return Err(format!("it lies in the space {space:?}, expected that of its image"));
    }
    let label = entity("label").or_else(|| entity("desc")).unwrap_or_default().to_owned();
    let of_image = |part: &&&str| part.split_once('-').is_some_and(|(key, _)| !NOT_OF_THE_IMAGE.contains(&key));
    let entities: Vec<&str> = parts.iter().filter(of_image).copied().collect();
    let suffix = parts.iter().find(|part| !part.contains('-')).map(|part| (*part).to_owned());
    let image = ImageName { entities: entities.join("_"), suffix };
    let days: BTreeSet<Date> = images.iter().filter(|(name, _)| image.fits(name)).map(|(_, date)| *date).collect();
    match days.into_iter().collect::<Vec<_>>().as_slice() {
        [day] => Ok(Some((*day, image, label, is_label_map))),
        [] => Err(format!("found no dated image called {}, on which it was drawn", image.entities)),
        _ => Err(format!("images called {} are of several days", image.entities)),
    }
}

/// `index` and `name` of the table beside a label map.
fn names_beside(path: &Path) -> BTreeMap<u16, String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Ok(bytes) = stored::read(&path.with_file_name(format!("{}.tsv", stem(&name)))) else { return BTreeMap::new() };
    let mut reader = csv::ReaderBuilder::new().delimiter(b'\t').flexible(true).from_reader(&*bytes);
    let Ok(header) = reader.headers().cloned() else { return BTreeMap::new() };
    let place = |wanted: &str| header.iter().position(|h| h.trim() == wanted);
    let (Some(index), Some(name)) = (place("index"), place("name")) else { return BTreeMap::new() };
    let row = |row: csv::StringRecord| Some((row.get(index)?.trim().parse().ok()?, row.get(name)?.trim().to_owned()));
    reader.records().flatten().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn maps_are_found_with_their_image_day_and_names() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let names = [
            "derivatives/nn/sub-7/ses-a/ct/sub-7_ses-a_acq-arterial_desc-tumour_dseg.nii.gz",
            "derivatives/sub-7/ses-a/ct/sub-7_ses-a_acq-arterial_label-liver_mask.nii.gz",
            "derivatives/nn/sub-7/ses-a/anat/sub-7_ses-a_T1w_label-lesion_roi.nrrd",
            "derivatives/nn/sub-7/ses-a/anat/sub-7_ses-a_space-MNI_label-lesion_mask.nii",
            "derivatives/nn/sub-7/ses-b/anat/sub-7_ses-b_label-lesion_mask.nii",
            "derivatives/nn/sub-7/ses-a/anat/sub-7_ses-a_probseg.nii",
        ];
        let files: Vec<PathBuf> = names.iter().map(|name| root.join(name)).collect();
        let table = files[0].with_file_name("sub-7_ses-a_acq-arterial_desc-tumour_dseg.tsv");
        std::fs::create_dir_all(table.parent().unwrap()).unwrap();
        std::fs::write(table, "index\tname\n1\tLesion 1\n2\tLiver\n").unwrap();
        let images = [
            ("sub-7/ses-a/ct/sub-7_ses-a_acq-arterial_ct.nii.gz", date(2024, 2, 3)),
            ("sub-7/ses-a/anat/sub-7_ses-a_T1w.nii", date(2024, 2, 4)),
            ("sub-7/ses-a/anat/sub-7_ses-a_T2w.nii", date(2024, 2, 5)),
        ];
        let Noted { value, notes } = find(root, &files, images.into_iter());
        let told: Vec<_> =
            value.iter().map(|d| (d.date.day(), d.label.as_str(), d.is_label_map, d.names.len())).collect();
        assert_eq!(told, [(3, "tumour", true, 2), (3, "liver", false, 0), (4, "lesion", false, 0)]);
        assert!(value[0].is_of(images[0].0) && !value[0].is_of(images[1].0));
        assert!(value[2].is_of(images[1].0) && !value[2].is_of(images[2].0));
        assert_eq!(notes.len(), 2, "another space, and no image: {notes:?}");
    }
}
