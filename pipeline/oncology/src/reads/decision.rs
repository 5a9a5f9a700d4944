//! What a read decides, from its words.

use imaging::{Chord, Point};

use super::coded::{Coded, ITEMS};
use crate::criteria::patient::ReaderCall;
use crate::lesion::{LesionId, LesionKind, LesionRole};

/// Takes a decision back.
pub(super) const PROGRAM: &str = "program";

/// One of the two diameters of a lesion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// Longest diameter.
    Long,
    /// Perpendicular to it.
    Short,
}

/// A decision; `None` and `false` leave it to the program.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// The finding is a lesion, whatever speaks against it.
    Accepted,
    /// The finding is no lesion.
    Rejected(bool),
    /// Part in the assessment.
    Role(Option<LesionRole>),
    /// Lymph node or not.
    Kind(Option<LesionKind>),
    /// The lesion is one that was seen before.
    SameAs(Option<LesionId>),
    /// What is outlined from this visit on is another lesion.
    Split(bool),
    /// The lesion is not evaluable at the visit.
    NotEvaluable(bool),
    /// Unequivocal, equivocal, or no progression.
    Call(Option<ReaderCall>),
    /// The ends of a diameter.
    Caliper(Axis, Option<Chord>),
    /// What a reader codes of a treated site.
    Coded(Option<Coded>),
}

/// Items of one visit.
const OF_VISIT: [&str; 5] = ["split", "evaluable", "call", "long_axis", "short_axis"];
/// Items of the whole lesion.
const OF_LESION: [&str; 4] = ["finding", "role", "kind", "same_as"];

impl Decision {
    /// Whether an item is decided for one visit; `Err` for an item nobody knows.
    pub(super) fn is_of_visit(item: &str) -> Result<bool, String> {
        match (OF_VISIT.contains(&item) || ITEMS.contains(&item), OF_LESION.contains(&item)) {
            (true, _) => Ok(true),
            (_, true) => Ok(false),
            _ => Err(format!(
                "item: expected one of {}, found {item:?}",
                OF_LESION.iter().chain(&OF_VISIT).chain(&ITEMS).copied().collect::<Vec<_>>().join(", ")
            )),
        }
    }

    /// The decision that item and value mean.
    pub(crate) fn parse(item: &str, value: &str) -> Result<Self, String> {
        let chosen = |words: &[&str]| match words.iter().position(|word| *word == value) {
            Some(at) => Ok(Some(at)),
            None if value == PROGRAM => Ok(None),
            None => Err(format!("value of {item}: expected {} or {PROGRAM}, found {value:?}", words.join(", "))),
        };
        Ok(match item {
            "finding" => match chosen(&["accept", "reject"])? {
                Some(0) => Self::Accepted,
                rejected => Self::Rejected(rejected.is_some()),
            },
            "role" => {
                const ROLES: [LesionRole; 3] = [LesionRole::Target, LesionRole::NonTarget, LesionRole::NotRecorded];
                Self::Role(chosen(&["target", "non_target", "not_recorded"])?.map(|at| ROLES[at]))
            }
            "kind" => Self::Kind(chosen(&["lesion", "node"])?.map(|at| [LesionKind::Lesion, LesionKind::Node][at])),
            "same_as" if value == PROGRAM => Self::SameAs(None),
            "same_as" if value.is_empty() => {
                return Err("value of same_as: expected the lesion it is, found nothing".to_owned());
            }
            "same_as" => Self::SameAs(Some(LesionId::new(value))),
            "split" => Self::Split(chosen(&["split"])?.is_some()),
            "evaluable" => Self::NotEvaluable(chosen(&["not_evaluable"])?.is_some()),
            "call" => {
                const CALLS: [ReaderCall; 3] =
                    [ReaderCall::Progression, ReaderCall::NoProgression, ReaderCall::Equivocal];
                Self::Call(chosen(&["progression", "no_progression", "equivocal"])?.map(|at| CALLS[at]))
            }
            "long_axis" => Self::Caliper(Axis::Long, caliper(item, value)?),
            "short_axis" => Self::Caliper(Axis::Short, caliper(item, value)?),
            item if ITEMS.contains(&item) && value == PROGRAM => Self::Coded(None),
            item if ITEMS.contains(&item) => Self::Coded(Some(Coded::parse(item, value)?)),
            _ => return Err(format!("item {item:?} is not known")),
        })
    }
}

/// `x y z; x y z`, LPS mm.
fn caliper(item: &str, value: &str) -> Result<Option<Chord>, String> {
    if value == PROGRAM {
        return Ok(None);
    }
    let wrong =
        || format!("value of {item}: expected two points x y z; x y z in LPS mm, or {PROGRAM}, found {value:?}");
    let point = |text: &str| -> Option<[f64; 3]> {
        let numbers: Option<Vec<f64>> =
            text.split_whitespace().map(|word| word.parse().ok().filter(|v: &f64| v.is_finite())).collect();
        numbers?.try_into().ok()
    };
    let (start, end) = value.split_once(';').ok_or_else(wrong)?;
    let ends = point(start).zip(point(end)).ok_or_else(wrong)?;
    Ok(Some(Chord { start: Point::from(ends.0), end: Point::from(ends.1) }))
}
