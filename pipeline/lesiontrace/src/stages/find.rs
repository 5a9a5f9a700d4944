//! Everything that is known of one visit once its images have been let go: masks cut to their boxes, sizes, and the way to
//! baseline.

use std::collections::{BTreeMap, BTreeSet};

use imaging::registration::{Quality, Registration, scanned_part};
use imaging::{Grid, Note, Patient, Point};
use oncology::visit_window::VisitLabel;
use oncology::{Date, VisitId};
use serde::{Deserialize, Serialize};

use crate::plan::{DaySide, Purpose};
use crate::source_record::SliceRecord;
use crate::stages::critical::StructureDistances;
use crate::stages::load::LoadedSeries;
use crate::stages::marks::{Marked, Unmeasured};
use crate::stages::measure::Sizes;
use crate::stages::pet::PetFacts;
use crate::stages::segment::Instance;

/// One visit without its images.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct VisitFacts {
    /// Its name, also of its folder below the patient's.
    pub(crate) id: VisitId,
    /// Where it stands round the treatments, by `[timeline]`.
    pub(crate) label: VisitLabel,
    /// What it is read for.
    pub(crate) purpose: Purpose,
    /// Where it stands on the day of a local treatment, where that is known.
    pub(crate) side: Option<DaySide>,
    /// Role, description and modality of the measured series.
    pub(crate) measured: SeriesFacts,
    /// The image each slice of the measured series is; empty where the series is no DICOM.
    pub(crate) slices: Vec<SliceRecord>,
    /// The arterial series, if one was used.
    pub(crate) arterial: Option<SeriesFacts>,
    /// Why the arterial series says nothing of enhancement; `None` where it does, or where there is none.
    #[serde(default)]
    pub(crate) arterial_unfit: Option<String>,
    /// The PET, if one was used.
    pub(crate) pet: Option<SeriesFacts>,
    /// The map of the apparent diffusion coefficient, if one was used.
    #[serde(default)]
    pub(crate) adc: Option<SeriesFacts>,
    /// Role of such a map that cannot be read.
    #[serde(default)]
    pub(crate) adc_unread: Option<String>,
    /// What the PET says beside its lesions.
    #[serde(default)]
    pub(crate) pet_facts: Option<PetFacts>,
    /// Lesions found, ascending by label.
    pub(crate) lesions: Vec<Instance>,
    /// Zones found, ascending by label.
    pub(crate) zones: Vec<Instance>,
    /// Sizes of the lesions, in the same order.
    pub(crate) sizes: Vec<Sizes>,
    /// How far lesions and zones lie from critical structures, by structure.
    #[serde(default)]
    pub(crate) critical: Vec<StructureDistances>,
    /// The organ cut to its box, if it was found.
    #[serde(with = "crate::observed::mask::optional")]
    pub(crate) organ: Option<imaging::Mask>,
    /// From this visit into the baseline frame.
    pub(crate) to_baseline: Registration,
    /// Where the masks come from.
    pub(crate) source: String,
    /// Who outlined a lesion, by label, where it was not `source`.
    pub(crate) outlined_by: BTreeMap<u16, String>,
    /// What a reader marked.
    pub(crate) marked: Marked,
    /// What a second look at the images says against a lesion that would be new here, by label.
    #[serde(default)]
    pub(crate) doubts: BTreeMap<u16, String>,
    /// Why a model's finding may be no lesion, by label.
    #[serde(default)]
    pub(crate) in_doubt: BTreeMap<u16, String>,
    /// The organ whose lesions the model looks for; `None` where it looks everywhere, or where no model looked.
    #[serde(default)]
    pub(crate) looked_in: Option<String>,
    /// Why response cannot be judged at this visit although sizes are listed; `None` when it can.
    pub(crate) second_choice: Option<String>,
    /// Notes of this visit.
    pub(crate) notes: Vec<Note>,
}

/// One series that was used.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SeriesFacts {
    /// Its role.
    pub(crate) role: String,
    /// Series Description.
    pub(crate) description: String,
    /// Its grid.
    pub(crate) grid: Grid,
    /// The part of it that the scanner filled; `None` where that is all of it.
    #[serde(default)]
    pub(crate) scanned: Option<Grid>,
    /// SOP Instance UID of each slice.
    pub(crate) sop_instance_uids: Vec<String>,
}

/// The range of CT values whose lowest tenth is not body, HU.
const BODY_HU: (f32, f32) = (-150.0, 250.0);

impl SeriesFacts {
    /// What remains of a series when its voxels are let go.
    pub(crate) fn of(series: &LoadedSeries) -> Self {
        Self {
            role: series.role.clone(),
            description: series.description.clone(),
            grid: series.image.grid().clone(),
            scanned: scanned_part(&series.image, (series.unit == "HU").then_some(BODY_HU)),
            sop_instance_uids: series.sop_instance_uids.clone(),
        }
    }

    /// Whether a place of its frame was scanned.
    pub(crate) fn shows(&self, p: Point<Patient>) -> bool {
        self.scanned.as_ref().unwrap_or(&self.grid).nearest(p).is_some()
    }
}

impl VisitFacts {
    /// Its day.
    pub(crate) fn date(&self) -> Date {
        self.id.date()
    }

    /// Whether response is judged at the visit.
    pub(crate) fn is_response(&self) -> bool {
        self.purpose == Purpose::Response
    }

    /// Why absence cannot be judged at this visit; `None` when it can.
    pub(crate) fn not_evaluable(&self) -> Option<String> {
        (self.to_baseline.quality == Quality::Fail)
            .then(|| format!("registration to baseline failed: {}", self.to_baseline.reasons.join("; ")))
    }

    /// Whether the visit shows the patient before a treatment; on its day, where nothing says otherwise.
    pub(crate) fn is_before(&self, treated: Date) -> bool {
        self.date() < treated
            || self.date() == treated && !matches!(self.side, Some(DaySide::After | DaySide::Unordered))
    }

    /// Whether the visit shows the patient after a treatment; on its day, where nothing says otherwise.
    pub(crate) fn is_after(&self, treated: Date) -> bool {
        self.date() > treated
            || self.date() == treated && !matches!(self.side, Some(DaySide::Before | DaySide::Unordered))
    }

    /// Who outlined a lesion.
    pub(crate) fn outlined_by(&self, labels: &[u16]) -> &str {
        labels.iter().find_map(|label| self.outlined_by.get(label)).unwrap_or(&self.source)
    }

    /// The marked lesion without an outline that has a label.
    pub(crate) fn unmeasured(&self, label: u16) -> Option<&Unmeasured> {
        self.marked.unmeasured.iter().find(|u| u.label == label)
    }

    /// The sizes of a label.
    pub(crate) fn sizes_of(&self, label: u16) -> Option<&Sizes> {
        self.sizes.iter().find(|s| s.label == label)
    }

    /// The lesion of a label.
    pub(crate) fn lesion(&self, label: u16) -> Option<&Instance> {
        self.lesions.iter().find(|l| l.label == label)
    }
}

/// Visits that are a control on the day of a treatment.
pub(crate) fn controls(visits: &[VisitFacts]) -> BTreeSet<usize> {
    (0..visits.len()).filter(|n| visits[*n].purpose == Purpose::Control).collect()
}
