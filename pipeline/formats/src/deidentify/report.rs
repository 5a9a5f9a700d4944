//! What was done, without the identity of anybody: pseudonyms, counts and reasons.

use std::collections::BTreeMap;

use dicom::core::Tag;
use dicom::core::dictionary::DataDictionary as _;
use dicom::core::dictionary::DataDictionaryEntry as _;
use dicom::dictionary_std::StandardDataDictionary;
use serde::Serialize;

use super::instance::Instance;
use super::key::Key;
use super::object::{Counts, Done};
use super::refusal::LeftOut;
use super::stamp::methods;
use super::tables::TableReport;
use super::treatment::DeviceIdentity;

/// Version of the report's shape.
const SCHEMA: u32 = 1;

/// The profile or one of its options.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Method {
    /// Code (DCM).
    pub code: &'static str,
    /// Meaning.
    pub meaning: &'static str,
}

/// One patient of the copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PatientRow {
    /// Pseudonym.
    pub patient_id: String,
    /// Imaging studies written.
    pub n_studies: usize,
    /// Series written.
    pub n_series: usize,
    /// Files written.
    pub n_files: usize,
}

/// What was done with one attribute over all files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttributeCount {
    /// Tag, such as `(0010,0010)`.
    pub tag: String,
    /// Keyword of the standard's dictionary; `private` or `unknown` else.
    pub keyword: String,
    /// What was done.
    pub done: Done,
    /// How often, nested ones included.
    pub n: u64,
}

/// One file of the copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileRow {
    /// Path below the output folder.
    pub path: String,
    /// Modality.
    pub modality: String,
    /// How many attributes what was done with.
    pub done: BTreeMap<Done, u64>,
    /// Why somebody must look at its pixels, where it was kept all the same.
    pub flag: Option<LeftOut>,
    /// Whether a head may be in it, from which a face can be made.
    pub may_show_a_face: bool,
}

/// Files of one series that were left out for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOutRow {
    /// Pseudonym of the patient; empty where the file names none.
    pub patient_id: String,
    /// What stands for the series' UID in the copy; empty where it has none.
    pub series: String,
    /// Modality.
    pub modality: String,
    /// Why.
    pub reason: LeftOut,
    /// Why, in words.
    pub message: &'static str,
    /// How many files.
    pub n_files: usize,
}

/// A file that could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailedRow {
    /// Its number among the failed, by hash.
    pub number: usize,
    /// SHA-256 of its bytes, by which its owner finds it.
    pub sha256: String,
    /// What to do.
    pub message: &'static str,
}

/// What became of the masks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct MaskReport {
    /// Files written.
    pub n_written: usize,
    /// Files left out, by reason.
    pub left_out: BTreeMap<&'static str, usize>,
}

/// One NIfTI or NRRD image of the copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VolumeRow {
    /// Path below the output folder.
    pub path: String,
    /// Its role, or `derivative` for a label map or mask of a BIDS tree.
    pub role: String,
    /// Whether a head may be in it, from which a face can be made: nothing says which part of the body it shows.
    pub may_show_a_face: bool,
}

/// What became of NIfTI and NRRD images and of what stands beside them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct VolumeReport {
    /// Images, label maps and masks written.
    pub n_written: usize,
    /// Sidecars and tables of labels written, reduced.
    pub n_sidecars: usize,
    /// Tables written that place or date images.
    pub n_tables: usize,
    /// Images left out, by reason.
    pub left_out: BTreeMap<&'static str, usize>,
    /// Images, by path.
    pub files: Vec<VolumeRow>,
}

impl VolumeReport {
    pub(super) fn add(&mut self, row: VolumeRow) {
        self.n_written += 1;
        self.files.push(row);
    }

    pub(super) fn leave_out(&mut self, reason: &'static str) {
        *self.left_out.entry(reason).or_default() += 1;
    }
}

/// Everything that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Version of this shape.
    pub schema: u32,
    /// Program and version.
    pub program: &'static str,
    /// Profile and options.
    pub methods: Vec<Method>,
    /// What this copy is not.
    pub limits: &'static str,
    /// DICOM files written.
    pub n_written: usize,
    /// DICOM files left out for a reason.
    pub n_left_out: usize,
    /// DICOM files that could not be read or written.
    pub n_failed: usize,
    /// Files that are neither DICOM nor an image, table or mask the program knows; none of them is in the copy.
    pub n_other_files: usize,
    /// DICOM files and images of an earlier call in the output folder that this one did not write.
    pub n_stale_files: usize,
    /// Files whose pixels may show a face.
    pub n_may_show_a_face: usize,
    /// Patients, by pseudonym.
    pub patients: Vec<PatientRow>,
    /// Attributes, by tag.
    pub attributes: Vec<AttributeCount>,
    /// Files, by path.
    pub files: Vec<FileRow>,
    /// What was left out, by patient and series.
    pub left_out: Vec<LeftOutRow>,
    /// What failed, by number.
    pub failed: Vec<FailedRow>,
    /// Clinical tables.
    pub tables: Vec<TableReport>,
    /// Masks.
    pub masks: MaskReport,
    /// NIfTI and NRRD images.
    pub images: VolumeReport,
    /// Members of zip archives, or whole archives, that cannot be read, by reason.
    pub zip_left_out: BTreeMap<&'static str, usize>,
    #[serde(skip)]
    counts: Counts,
    #[serde(skip)]
    series: BTreeMap<(String, String, String), usize>,
    #[serde(skip)]
    out: BTreeMap<(String, String, String, LeftOut), usize>,
}

/// Said in every report.
const LIMITS: &str = "Attributes were treated as the methods say. Pixels were copied as they are: they were not searched for text, and a face can be made from images of a head. Whoever holds the key can tell who is who. Whether this is enough is decided by the law that applies and by the people responsible.";

impl Report {
    pub(super) fn new(device: DeviceIdentity) -> Self {
        Self {
            schema: SCHEMA,
            program: concat!("lesiontrace ", env!("CARGO_PKG_VERSION")),
            methods: methods(device).into_iter().map(|(code, meaning)| Method { code, meaning }).collect(),
            limits: LIMITS,
            n_written: 0,
            n_left_out: 0,
            n_failed: 0,
            n_other_files: 0,
            n_stale_files: 0,
            n_may_show_a_face: 0,
            patients: Vec::new(),
            attributes: Vec::new(),
            files: Vec::new(),
            left_out: Vec::new(),
            failed: Vec::new(),
            tables: Vec::new(),
            masks: MaskReport::default(),
            images: VolumeReport::default(),
            zip_left_out: BTreeMap::new(),
            counts: Counts::new(),
            series: BTreeMap::new(),
            out: BTreeMap::new(),
        }
    }

    pub(super) fn add_written(&mut self, instance: &Instance, key: &Key, counts: &Counts) {
        let mut done = BTreeMap::new();
        for ((tag, what), n) in counts {
            *self.counts.entry((*tag, *what)).or_default() += n;
            *done.entry(*what).or_default() += n;
        }
        let name = |uid: &str| key.file_name(uid);
        let series = (key.patient(&instance.patient_id), name(&instance.study_uid), name(&instance.series_uid));
        *self.series.entry(series).or_default() += 1;
        self.n_written += 1;
        self.n_may_show_a_face += usize::from(instance.may_show_a_face);
        self.files.push(FileRow {
            path: instance.place(key).to_string_lossy().into_owned(),
            modality: instance.modality_word(),
            done,
            flag: instance.flag,
            may_show_a_face: instance.may_show_a_face,
        });
    }

    pub(super) fn add_left_out(&mut self, instance: &Instance, key: &Key, reason: LeftOut) {
        let or_empty = |text: &str, stand_in: String| if text.is_empty() { String::new() } else { stand_in };
        let patient = or_empty(&instance.patient_id, key.patient(&instance.patient_id));
        let series = or_empty(&instance.series_uid, key.file_name(&instance.series_uid));
        *self.out.entry((patient, series, instance.modality_word(), reason)).or_default() += 1;
        self.n_left_out += 1;
    }

    /// Numbered by hash: the order of paths would tell the order of names.
    pub(super) fn add_failed(&mut self, mut hashes: Vec<String>) {
        hashes.sort();
        let message = "damaged, truncated, or in a transfer syntax this program does not know; find it by its SHA-256, export it again";
        let row = |(n, sha256)| FailedRow { number: n + 1, sha256, message };
        self.failed = hashes.into_iter().enumerate().map(row).collect();
        self.n_failed = self.failed.len();
    }

    pub(super) fn add_images(&mut self, images: VolumeReport) {
        self.n_may_show_a_face += images.files.iter().filter(|row| row.may_show_a_face).count();
        self.images = images;
    }

    /// Sorts and sums up.
    pub(super) fn finish(&mut self) {
        self.files.sort_by(|a, b| a.path.cmp(&b.path));
        self.attributes = self.counts.iter().map(|((tag, done), n)| attribute(*tag, *done, *n)).collect();
        let row = |((patient_id, series, modality, reason), n_files): (&(String, String, String, LeftOut), &usize)| {
            let (patient_id, series, modality) = (patient_id.clone(), series.clone(), modality.clone());
            LeftOutRow { patient_id, series, modality, reason: *reason, message: reason.message(), n_files: *n_files }
        };
        self.left_out = self.out.iter().map(row).collect();
        self.patients = patients(&self.series);
    }
}

fn patients(series: &BTreeMap<(String, String, String), usize>) -> Vec<PatientRow> {
    let mut rows: Vec<PatientRow> = Vec::new();
    let mut last_study = None;
    for ((patient, study, _), n_files) in series {
        if rows.last().is_none_or(|row| row.patient_id != *patient) {
            rows.push(PatientRow { patient_id: patient.clone(), n_studies: 0, n_series: 0, n_files: 0 });
            last_study = None;
        }
        let Some(row) = rows.last_mut() else { continue };
        row.n_studies += usize::from(last_study != Some(study));
        row.n_series += 1;
        row.n_files += n_files;
        last_study = Some(study);
    }
    rows
}

fn attribute(tag: Tag, done: Done, n: u64) -> AttributeCount {
    let known = StandardDataDictionary.by_tag(tag).map(|entry| entry.alias().to_owned());
    let unknown = if tag.group() % 2 == 1 { "private" } else { "unknown" };
    AttributeCount {
        tag: format!("({:04X},{:04X})", tag.group(), tag.element()),
        keyword: known.unwrap_or_else(|| unknown.to_owned()),
        done,
        n,
    }
}
