//! What a criterion needs to know of a patient: visits, and every lesion at every visit.
//!
//! Source: Eisenhauer et al. 2009 (RECIST 1.1) §3–4 and CDISC TU/TR for what is recorded of a lesion.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::selection::{MeasuredOn, PriorTherapy, Subtype};
use crate::exact::Exact;
use crate::lesion::{LesionId, LesionKind, LesionRole, LesionState, Organ, Size};
use crate::marker::MarkerReading;
use crate::time::Date;
use crate::visit_id::VisitId;

/// A reader's word on one lesion at one visit, where the program may not decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReaderCall {
    /// Unequivocal progression of a non-target; an unequivocal new lesion.
    Progression,
    /// No progression; no new lesion.
    NoProgression,
    /// Equivocal.
    Equivocal,
}

/// Vascular pattern of a new nodule of the liver, as read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodulePattern {
    /// Arterial enhancement and washout.
    Typical,
    /// Anything else.
    Atypical,
    /// Not read; arterial enhancement of measurable size stands for it.
    Unread,
}

/// One visit (time point).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VisitInfo {
    /// Its name.
    pub visit: VisitId,
    /// Whether all targets could be assessed; carried along for the endpoints.
    pub adequate: bool,
}

impl VisitInfo {
    /// Its date.
    #[must_use]
    pub const fn date(&self) -> Date {
        self.visit.date()
    }
}

/// One lesion at one visit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LesionVisit {
    /// Longest diameter or short axis, as coded.
    pub size: Size,
    /// Longest viable (enhancing) diameter, as coded; not evaluable without an arterial phase or a reader's word.
    pub viable: Size,
    /// What became of it.
    pub state: LesionState,
    /// Date of the scan that shows it, where it is not the visit's.
    pub scan_date: Option<Date>,
    /// A reader's word.
    pub reader: Option<ReaderCall>,
}

/// One lesion over all visits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrackedLesion {
    /// Which.
    pub id: LesionId,
    /// Where.
    pub organ: Organ,
    /// Node or not.
    pub kind: LesionKind,
    /// What kind of finding.
    pub subtype: Subtype,
    /// How it was measured.
    pub measured_on: MeasuredOn,
    /// Slice thickness or interval at baseline, whichever is larger, mm.
    pub slice_mm: Option<Exact>,
    /// Half-width of the 95 % band of its diameter, mm, by index of the visit, where the error of its measurement is known.
    #[serde(default)]
    pub half_widths_mm: BTreeMap<usize, Exact>,
    /// Local treatment before baseline.
    pub prior_therapy: PriorTherapy,
    /// Dates of local treatment of this lesion.
    pub treated_dates: Vec<Date>,
    /// A reader's choice of role, which overrides the rules.
    pub role_override: Option<LesionRole>,
    /// A reader's change of this lesion's role alone, made after the rules chose: the roles of all others stay as chosen.
    #[serde(default)]
    pub reviewed_role: Option<LesionRole>,
    /// Vascular pattern, for new nodules of the liver.
    pub pattern: NodulePattern,
    /// Whether it showed no arterial hyperenhancement when it was first seen: then its viable part says nothing.
    #[serde(default)]
    pub never_enhanced: bool,
    /// By index of the visit, why an ablated lesion is not known to have nothing that enhances; criteria of viable tumour ask for it.
    pub unconfirmed: BTreeMap<usize, String>,
    /// Indices of the visits at which it is in doubt whether it is a lesion at all: it is recorded there and makes no progression.
    #[serde(default)]
    pub in_doubt: BTreeSet<usize>,
    /// Index of the visit that first showed it; 0 is baseline.
    pub first_seen: usize,
    /// One entry per visit of the patient.
    pub visits: Vec<LesionVisit>,
}

impl TrackedLesion {
    /// A lesion of soft tissue on CT or MRI, untreated, without a reader's word; set the other fields where more is known.
    pub fn new(id: LesionId, organ: Organ, kind: LesionKind, first_seen: usize, visits: Vec<LesionVisit>) -> Self {
        Self {
            id,
            organ,
            kind,
            subtype: Subtype::Soft,
            measured_on: MeasuredOn::CrossSection,
            slice_mm: None,
            half_widths_mm: BTreeMap::new(),
            prior_therapy: PriorTherapy::None,
            treated_dates: Vec::new(),
            role_override: None,
            reviewed_role: None,
            pattern: NodulePattern::Unread,
            never_enhanced: false,
            unconfirmed: BTreeMap::new(),
            in_doubt: BTreeSet::new(),
            first_seen,
            visits,
        }
    }
}

/// Everything a criterion needs of one patient. Visit 0 is baseline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponseInput {
    /// Patient identifier or pseudonym.
    pub patient_id: String,
    /// Start of treatment, from which the best response counts its days; baseline imaging where empty.
    pub origin_date: Option<Date>,
    /// Visits in chronological order.
    pub visits: Vec<VisitInfo>,
    /// Lesions in any order.
    pub lesions: Vec<TrackedLesion>,
    /// Tumour markers in any order; none where none were taken.
    #[serde(default)]
    pub markers: Vec<MarkerReading>,
}
