//! Whether a read can be believed: its words mean something, and it was made of what is there.

use jiff::Timestamp;

use super::caliper;
use super::decision::{Decision, PROGRAM};
use super::row::ReadRow;
use super::state::{ReadState, ReadableLesion, ReadableSight};
use crate::lesion::LesionState;

/// A read that was checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// As written.
    pub row: ReadRow,
    /// What it decides.
    pub decision: Decision,
    /// Index of its visit, for items of a visit.
    pub visit: Option<usize>,
    /// When.
    pub read_at: Timestamp,
}

/// Checks one read against what the program found. `Err` says why it is refused.
pub fn check(row: &ReadRow, state: &ReadState) -> Result<Read, String> {
    if row.patient_id != state.patient_id {
        return Err(format!("made of another patient: expected {:?}, found {:?}", state.patient_id, row.patient_id));
    }
    if row.reader.trim().is_empty() {
        return Err("reader: expected the reader's name, found nothing".to_owned());
    }
    let read_at: Timestamp = row.read_at.parse().map_err(|_| {
        format!("read_at: expected date and time with offset such as 2024-03-04T09:30:00Z, found {:?}", row.read_at)
    })?;
    let decision = Decision::parse(&row.item, &row.value)?;
    let (lesion, part) = state.lesion(&row.lesion_id).ok_or_else(|| {
        let known: Vec<&str> = state.lesions.iter().map(|lesion| lesion.id.as_str()).collect();
        format!("lesion {:?} is not known: expected one of {}", row.lesion_id, known.join(", "))
    })?;
    if part.is_none() && !row.tracking_uid.is_empty() && row.tracking_uid != lesion.tracking_uid {
        return Err(format!(
            "made of another lesion: {} has tracking UID {}, found {}",
            lesion.id, lesion.tracking_uid, row.tracking_uid
        ));
    }
    let visit = visit(row, state, lesion, part)?;
    let first = part.or_else(|| lesion.at.keys().next().copied()).unwrap_or(0);
    let sight = lesion
        .at
        .get(&visit.unwrap_or(first))
        .ok_or_else(|| format!("{} was not followed on {}: it was first seen later", row.lesion_id, row.visit))?;
    if !row.based_on.is_empty() && row.based_on != sight.digest {
        return Err(format!(
            "stale: what the reader saw of {} is not what is there now ({}); read it again from the present page",
            row.lesion_id,
            if row.old.is_empty() { "another outline, size or link".to_owned() } else { format!("then {}", row.old) }
        ));
    }
    let at = Place { state, sight, first, visit };
    fits(row, &decision, &at)?;
    Ok(Read { row: row.clone(), decision, visit, read_at })
}

fn visit(
    row: &ReadRow,
    state: &ReadState,
    lesion: &ReadableLesion,
    part: Option<usize>,
) -> Result<Option<usize>, String> {
    if !Decision::is_of_visit(&row.item)? {
        return if row.visit.is_empty() {
            Ok(None)
        } else {
            Err(format!("visit: {} is decided for the whole lesion, leave it empty; found {:?}", row.item, row.visit))
        };
    }
    let at = state.visit(&row.visit).ok_or_else(|| {
        let known: Vec<String> = state.visits.iter().map(ToString::to_string).collect();
        format!("visit {:?} is not known: expected one of {}", row.visit, known.join(", "))
    })?;
    if part.is_some_and(|part| at < part) {
        return Err(format!("{} begins later than {}; decide that of {}", row.lesion_id, row.visit, lesion.id));
    }
    Ok(Some(at))
}

/// Where a read points to.
struct Place<'a> {
    state: &'a ReadState,
    sight: &'a ReadableSight,
    first: usize,
    visit: Option<usize>,
}

/// Whether the decision can be made there.
fn fits(row: &ReadRow, decision: &Decision, at: &Place<'_>) -> Result<(), String> {
    if row.value == PROGRAM {
        return Ok(());
    }
    match decision {
        Decision::Role(Some(crate::lesion::LesionRole::Target)) if at.first > 0 => Err(format!(
            "{} was first seen after baseline and cannot become a target: targets are chosen once, at baseline",
            row.lesion_id
        )),
        Decision::SameAs(Some(other)) => {
            let (known, part) =
                at.state.lesion(other.as_str()).ok_or_else(|| format!("same_as: lesion {other} is not known"))?;
            let seen = part.or_else(|| known.at.keys().next().copied()).unwrap_or(0);
            if other.as_str() == row.lesion_id {
                Err(format!("same_as: {other} is itself"))
            } else if seen > at.first {
                Err(format!(
                    "same_as: {other} was first seen after {}; say that {other} is {} instead",
                    row.lesion_id, row.lesion_id
                ))
            } else {
                Ok(())
            }
        }
        Decision::Split(true) if at.visit == Some(at.first) => {
            Err(format!("split: {} was first seen on {}; there is nothing before it", row.lesion_id, row.visit))
        }
        Decision::Split(true) => is_seen(row, at),
        Decision::NotEvaluable(true) if row.comment.trim().is_empty() => {
            Err("evaluable: expected the reason in comment, found nothing".to_owned())
        }
        Decision::Caliper(_, Some(chord)) => {
            is_seen(row, at)?;
            let grid = at.visit.and_then(|visit| at.state.grids.get(visit));
            grid.map_or(Ok(()), |grid| caliper::belongs(chord, grid, &row.lesion_id, at.sight))
        }
        _ => Ok(()),
    }
}

fn is_seen(row: &ReadRow, at: &Place<'_>) -> Result<(), String> {
    match at.sight.state {
        LesionState::Present | LesionState::Uncertain | LesionState::Residual | LesionState::LocalProgression => Ok(()),
        state => Err(format!("{}: {} is {state} on {}: nothing is outlined there", row.item, row.lesion_id, row.visit)),
    }
}
