//! Everything that images gave of one patient: visits with their outlines and sizes, registrations, pictures, and what the clinical
//! tables say; `observed.json.gz` in the patient's folder. What follows from it (lesions over time, margins, responses, pages) is made
//! without images and without a network: by a run, by `report` and by `review apply` alike.

use std::io::{Read as _, Write as _};
use std::path::Path;

use anyhow::Context as _;
use formats::clinical::{PatientRecord, TreatmentRecord};
use imaging::Note;
use imaging::registration::Registration;
use oncology::marker::MarkerReading;
use report::EarlierVisit;
use serde::{Deserialize, Serialize};

use crate::artifacts;
use crate::out;
use crate::stages::find::VisitFacts;
use crate::stages::pictures::VisitPictures;

pub(crate) mod mask;

/// Name of the file.
pub(crate) const FILE: &str = "observed.json.gz";
/// Version of its shape.
const SCHEMA_VERSION: u32 = 2;

/// What the archive and its tables say of a patient besides images.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PatientFacts {
    /// Identifier as in the images.
    pub(crate) id: String,
    /// Row of `patients.csv`, if there is one.
    pub(crate) record: Option<PatientRecord>,
    /// Treatments, earliest first.
    pub(crate) treatments: Vec<TreatmentRecord>,
    /// Tumour markers, in the order of the table.
    pub(crate) markers: Vec<MarkerReading>,
    /// What to doubt before anything is read.
    pub(crate) notes: Vec<Note>,
}

/// Two visits registered directly to each other, with what was noted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RegisteredPair {
    /// Visit that shows the tumour.
    pub(crate) before: usize,
    /// Visit that shows the zone.
    pub(crate) after: usize,
    /// From the later one into the earlier one.
    pub(crate) registration: Registration,
    /// What to doubt.
    pub(crate) notes: Vec<Note>,
}

/// One patient as seen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Observed {
    schema_version: u32,
    /// What is known besides images.
    pub(crate) patient: PatientFacts,
    /// Visits from baseline on.
    pub(crate) visits: Vec<VisitFacts>,
    /// Visits before baseline.
    pub(crate) earlier_visits: Vec<EarlierVisit>,
    /// What was noted of them.
    pub(crate) earlier_notes: Vec<Note>,
    /// Visits round an ablation registered to each other where the first one is not baseline.
    pub(crate) pairs: Vec<RegisteredPair>,
    /// Pictures of each visit, in the order of `visits`.
    pub(crate) pictures: Vec<VisitPictures>,
}

/// What images gave, before it is put together.
pub(crate) struct Seen {
    /// Visits before baseline, with what was noted.
    pub(crate) earlier: (Vec<EarlierVisit>, Vec<Note>),
    /// Visits registered to each other.
    pub(crate) pairs: Vec<RegisteredPair>,
    /// Pictures of each visit.
    pub(crate) pictures: Vec<VisitPictures>,
}

impl Observed {
    /// Puts together what was seen of a patient.
    pub(crate) fn new(patient: PatientFacts, visits: Vec<VisitFacts>, seen: Seen) -> Self {
        let Seen { earlier: (earlier_visits, earlier_notes), pairs, pictures } = seen;
        Self { schema_version: SCHEMA_VERSION, patient, visits, earlier_visits, earlier_notes, pairs, pictures }
    }

    /// Writes it into the patient's folder.
    pub(crate) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let json = serde_json::to_vec(self).context("turning what was seen into JSON")?;
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packed.write_all(&json).context("packing what was seen")?;
        let packed = packed.finish().context("packing what was seen")?;
        out::write_atomic(&folder.join(FILE), &packed)
    }

    /// Reads it from the patient's folder, verified against the list of files with this digest.
    pub(crate) fn read(folder: &Path, files_digest: &str) -> anyhow::Result<Self> {
        let packed = artifacts::read(folder, files_digest, FILE)?;
        let mut json = Vec::new();
        flate2::read::GzDecoder::new(&packed[..])
            .read_to_end(&mut json)
            .with_context(|| format!("{FILE} cannot be unpacked"))?;
        let observed: Self = serde_json::from_slice(&json)
            .with_context(|| format!("{FILE} was written by another version; do the patient again with `run`"))?;
        anyhow::ensure!(
            observed.schema_version == SCHEMA_VERSION,
            "{FILE} has version {}, expected {SCHEMA_VERSION}; do the patient again with `run`",
            observed.schema_version
        );
        Ok(observed)
    }
}
