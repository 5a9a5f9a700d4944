//! Part of stage *report*: what a reader may decide about each lesion.

use std::collections::BTreeMap;

use oncology::LesionState;
use oncology::reads::{Outcome, ReadRow, ReadState, ReadableLesion, ReadableSight, part_name};
use report::{Review, ReviewLesion, ReviewVisit};

/// The lesions as the program followed them, the parts readers made of them, and the reads.
pub(crate) fn review(state: &ReadState, reads: &[ReadRow]) -> Review {
    let mut lesions = Vec::new();
    for lesion in &state.lesions {
        lesions.push(of_lesion(state, lesion, lesion.id.to_string(), 0));
        let splits = reads.iter().filter(|row| {
            row.outcome == Outcome::Applied
                && row.item == "split"
                && row.value == "split"
                && row.lesion_id == lesion.id.as_str()
        });
        let at = splits.filter_map(|row| state.visits.iter().position(|visit| visit.to_string() == row.visit));
        lesions.extend(at.map(|at| of_lesion(state, lesion, part_name(&lesion.id, state.visits[at]).to_string(), at)));
    }
    Review { lesions, reads: reads.to_vec() }
}

fn of_lesion(state: &ReadState, lesion: &ReadableLesion, lesion_id: String, from: usize) -> ReviewLesion {
    let is_part = lesion_id != lesion.id.as_str();
    let sights: BTreeMap<usize, &ReadableSight> = lesion.at.range(from..).map(|(at, sight)| (*at, sight)).collect();
    ReviewLesion {
        lesion_id,
        tracking_uid: if is_part { String::new() } else { lesion.tracking_uid.clone() },
        role: if is_part { "new".to_owned() } else { lesion.role.clone() },
        kind: lesion.kind.to_string(),
        in_doubt: lesion.in_doubt && !is_part,
        based_on: sights.values().next().map(|sight| sight.digest.clone()).unwrap_or_default(),
        visits: sights.iter().map(|(at, sight)| of_visit(state, *at, sight)).collect(),
    }
}

fn of_visit(state: &ReadState, at: usize, sight: &ReadableSight) -> ReviewVisit {
    ReviewVisit {
        visit: state.visits[at],
        state: sight.state.to_string(),
        based_on: sight.digest.clone(),
        long_axis: sight.long_axis.clone(),
        short_axis: sight.short_axis.clone(),
        is_seen: matches!(
            sight.state,
            LesionState::Present | LesionState::Uncertain | LesionState::Residual | LesionState::LocalProgression
        ),
    }
}
