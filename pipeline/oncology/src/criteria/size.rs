//! What a coded size counts in a sum of diameters, and how sizes and changes are written in a sentence.
//!
//! Source: Eisenhauer et al. 2009 (RECIST 1.1) §4.3.2; CDISC TR codes.

use crate::exact::Exact;
use crate::lesion::{LesionId, LesionKind, Size};

use super::table::Thresholds;

/// One lesion's coded size at one visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SizedLesion {
    /// Which lesion.
    pub lesion: LesionId,
    /// Node or not.
    pub kind: LesionKind,
    /// Its size as coded.
    pub size: Size,
}

/// What a size counts in a sum, mm; the reason when it cannot be counted.
pub fn counted<'a>(size: &'a Size, thresholds: &Thresholds) -> Result<Exact, &'a str> {
    match size {
        Size::Measured(value) => Ok(*value),
        Size::TooSmallToMeasure => Ok(thresholds.too_small_mm.value),
        Size::Absent | Size::MergedInto(_) => Ok(Exact::ZERO),
        Size::NotEvaluable(reason) => Err(reason),
    }
}

/// Whether a lesion counts as gone: 0 for a lesion, a normal short axis for a node. `None` when not evaluable.
pub fn is_gone(kind: LesionKind, size: &Size, thresholds: &Thresholds) -> Option<bool> {
    let value = counted(size, thresholds).ok()?;
    Some(match kind {
        LesionKind::Lesion => value == Exact::ZERO,
        LesionKind::Node => value < thresholds.node_normal_mm.value,
    })
}

/// A length for a sentence, `61.2 mm`.
pub(super) fn mm(value: Exact) -> String {
    format!("{value} mm")
}

/// A length for a sentence from a derived number, at most two decimals.
pub(super) fn rounded_mm(value: f64) -> String {
    let text = format!("{value:.2}");
    format!("{} mm", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A change in percent for a sentence: one decimal, more where one decimal would hide which side of the limit it is on.
pub(super) fn percent(current: Exact, reference: Exact, limit: u32) -> String {
    let Some(ratio) = current.ratio(reference) else {
        return "without a percentage".to_owned();
    };
    let change = ((ratio - 1.0) * 100.0).abs();
    let near = (change - f64::from(limit)).abs() < 0.05 && change != f64::from(limit);
    if near { format!("{change:.4} %") } else { format!("{change:.1} %") }
}
