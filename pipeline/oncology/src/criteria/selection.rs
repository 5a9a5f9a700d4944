//! Which lesions are measurable at baseline, and which of them become targets.
//!
//! Source: Eisenhauer et al. 2009 (RECIST 1.1) §3.1, §4.1 and Appendix II; EORTC RECIST FAQ (nodes and paired organs are
//! one organ each).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::size::mm;
use super::table::{CriterionTable, Selection};
use crate::exact::Exact;
use crate::lesion::{LesionId, LesionKind, LesionRole, Organ};

/// How a lesion was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeasuredOn {
    /// CT or MRI.
    CrossSection,
    /// Calliper on the skin, with photograph.
    Calliper,
    /// Chest radiograph.
    ChestRadiograph,
    /// Ultrasound, endoscopy, PET alone or bone scan: never measurable.
    Unmeasurable,
}

/// What kind of finding a lesion is, as far as it decides on measurability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subtype {
    /// Solid soft tissue.
    Soft,
    /// Lytic or mixed bone lesion with a soft-tissue component that is measured.
    BoneWithSoftTissue,
    /// Bone lesion without such a component.
    BoneOnly,
    /// Cystic metastasis: measurable, but others are preferred.
    CysticMetastasis,
    /// Simple cyst: no lesion at all.
    SimpleCyst,
    /// Effusion, leptomeningeal, lymphangitic, inflammatory, infiltrative: never measurable.
    Diffuse,
}

/// Local treatment before baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PriorTherapy {
    /// None.
    None,
    /// Treated: not measurable.
    Treated,
    /// Treated, and progression since is documented: measurable again.
    TreatedAndProgressed,
}

/// A lesion at baseline that might become a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Which lesion.
    pub lesion: LesionId,
    /// Where it lies.
    pub organ: Organ,
    /// Node or not.
    pub kind: LesionKind,
    /// Its size at baseline, mm; the reason when it has none.
    pub size: Result<Exact, String>,
    /// Slice thickness or interval, whichever is larger, mm.
    pub slice_mm: Option<Exact>,
    /// How it was measured.
    pub measured_on: MeasuredOn,
    /// What kind of finding.
    pub subtype: Subtype,
    /// Local treatment before baseline.
    pub prior_therapy: PriorTherapy,
}

/// Measurability with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measurability {
    /// Whether the lesion may be a target.
    pub measurable: bool,
    /// Why, as a sentence.
    pub why: String,
}

/// Whether a lesion is measurable at baseline.
pub fn measurability(candidate: &Candidate, table: &CriterionTable) -> Measurability {
    let no = |why: String| Measurability { measurable: false, why };
    match candidate.subtype {
        Subtype::SimpleCyst => return no("a simple cyst is no lesion".to_owned()),
        Subtype::BoneOnly => return no("bone lesion without a soft-tissue component".to_owned()),
        Subtype::Diffuse => return no("diffuse disease is never measurable".to_owned()),
        Subtype::Soft | Subtype::BoneWithSoftTissue | Subtype::CysticMetastasis => {}
    }
    if candidate.prior_therapy == PriorTherapy::Treated {
        return no("treated locally before baseline, without documented progression since".to_owned());
    }
    let size = match &candidate.size {
        Ok(size) => *size,
        Err(reason) => return no(format!("no size at baseline: {reason}")),
    };
    let Some(limit) = smallest_measurable(candidate, table) else {
        return no("measured by a method that is never measurable".to_owned());
    };
    let slice = candidate.slice_mm.map_or_else(
        || " (slice thickness not known: only the fixed limit was applied)".to_owned(),
        |slice| format!(" (slice {})", mm(slice)),
    );
    let measurable = size >= limit;
    let sign = if measurable { "≥" } else { "<" };
    Measurability { measurable, why: format!("{} {sign} {}{slice}", mm(size), mm(limit)) }
}

fn smallest_measurable(candidate: &Candidate, table: &CriterionTable) -> Option<Exact> {
    let thresholds = &table.thresholds;
    let fixed = match (candidate.measured_on, candidate.kind) {
        (MeasuredOn::Unmeasurable, _) => return None,
        (MeasuredOn::Calliper, _) => return Some(thresholds.calliper_measurable_mm.value),
        (MeasuredOn::ChestRadiograph, _) => return Some(thresholds.chest_radiograph_measurable_mm.value),
        (MeasuredOn::CrossSection, LesionKind::Lesion) => thresholds.lesion_measurable_mm.value,
        (MeasuredOn::CrossSection, LesionKind::Node) => thresholds.node_measurable_mm.value,
    };
    let factor = i64::from(thresholds.slice_factor.value);
    let by_slice = candidate.slice_mm.map_or(Exact::ZERO, |slice| Exact::from_millionths(slice.millionths() * factor));
    Some(fixed.max(by_slice))
}

/// The targets among the lesions, in the order they were picked. Lesions that are not measurable are left out.
pub fn select_targets(candidates: &[Candidate], table: &CriterionTable) -> Vec<LesionId> {
    let mut eligible: Vec<&Candidate> =
        candidates.iter().filter(|candidate| measurability(candidate, table).measurable).collect();
    eligible.sort_by(|a, b| by_size(a, b));
    let max_total = table.thresholds.max_targets.value as usize;
    let per_organ = table.thresholds.max_targets_per_organ.value as usize;
    let mut organs: BTreeMap<Organ, Vec<&Candidate>> = BTreeMap::new();
    for candidate in &eligible {
        let of_organ = organs.entry(organ_unit(candidate)).or_default();
        if of_organ.len() < per_organ {
            of_organ.push(candidate);
        }
    }
    let mut order: Vec<&Candidate> = Vec::new();
    match table.options.selection.value {
        Selection::Representative => {
            for round in 0..per_organ {
                let mut picked: Vec<&Candidate> = organs.values().filter_map(|of| of.get(round).copied()).collect();
                picked.sort_by(|a, b| by_size(a, b));
                order.extend(picked);
            }
        }
        Selection::SizeFirst => {
            order.extend(organs.values().flatten().copied());
            order.sort_by(|a, b| by_size(a, b));
        }
    }
    order.into_iter().take(max_total).map(|candidate| candidate.lesion.clone()).collect()
}

/// Preferred kinds first, then larger, then by identifier.
fn by_size(a: &Candidate, b: &Candidate) -> std::cmp::Ordering {
    let cystic = |candidate: &Candidate| candidate.subtype == Subtype::CysticMetastasis;
    let size = |candidate: &Candidate| candidate.size.as_ref().copied().unwrap_or(Exact::ZERO);
    cystic(a).cmp(&cystic(b)).then(size(b).cmp(&size(a))).then_with(|| a.lesion.cmp(&b.lesion))
}

/// All lymph nodes are one organ, wherever they lie.
pub(super) fn organ_unit(candidate: &Candidate) -> Organ {
    match candidate.kind {
        LesionKind::Node => Organ::LymphNode,
        LesionKind::Lesion => candidate.organ.clone(),
    }
}

/// The part of a lesion that was not picked: non-target, or not recorded when it is no disease.
pub fn role_of_rest(candidate: &Candidate, table: &CriterionTable) -> (LesionRole, String) {
    let measurability = measurability(candidate, table);
    let normal = table.thresholds.node_normal_mm.value;
    if candidate.subtype == Subtype::SimpleCyst {
        return (LesionRole::NotRecorded, measurability.why);
    }
    match (&candidate.size, candidate.kind) {
        (Ok(size), LesionKind::Node) if *size < normal => {
            (LesionRole::NotRecorded, format!("short axis {} < {}: a normal node", mm(*size), mm(normal)))
        }
        _ if measurability.measurable => {
            (LesionRole::NonTarget, format!("measurable ({}), beyond the number of targets", measurability.why))
        }
        _ => (LesionRole::NonTarget, format!("not measurable: {}", measurability.why)),
    }
}
