//! What a complete response rests on: a model that looks for lesions of one organ says nothing of the rest of the body.

use imaging::Note;
use oncology::{AssessmentRow, VisitId};

use crate::stages::find::VisitFacts;

/// A note for the reader where a response is complete by the outlines of a model that looked in one organ alone.
pub(crate) fn in_part_of_the_body<'a>(
    visits: &[VisitFacts],
    assessments: impl Iterator<Item = &'a AssessmentRow>,
) -> Option<Note> {
    let is_complete = |row: &&AssessmentRow| ["CR", "iCR", "CMR"].contains(&row.overall.as_str());
    let mut complete: Vec<VisitId> = assessments.filter(is_complete).map(|row| row.visit).collect();
    complete.sort_unstable();
    complete.dedup();
    let looked = |at: &VisitId| visits.iter().find(|visit| visit.id == *at && visit.looked_in.is_some());
    let limited: Vec<&VisitFacts> = complete.iter().filter_map(looked).collect();
    let first = limited.first()?;
    let organ = first.looked_in.as_deref().unwrap_or_default();
    let days: Vec<String> = limited.iter().map(|visit| visit.id.to_string()).collect();
    let message = format!(
        "the complete response of {} rests on {}, which looks for lesions of the {organ}: a reader must say whether the rest of the body is free of disease",
        days.join(", "),
        first.source
    );
    Some(Note::warning("looked_in_part_of_the_body", days[0].clone(), message))
}
