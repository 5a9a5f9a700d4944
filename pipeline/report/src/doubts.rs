//! What to doubt, gathered from everywhere on a page, and the notes sorted by how much they matter.

use imaging::{Note, Severity};
use oncology::{EventRow, VisitId};
use serde::Serialize;

use crate::cohort_overview::Flag;
use crate::patient_page::{PatientPage, Quality};
use crate::wording::{counted, event_words, words};

/// One thing to doubt.
#[derive(Debug, Serialize)]
pub(crate) struct Doubt {
    word: &'static str,
    class: &'static str,
    subject: String,
    message: String,
}

/// Notes of one severity.
#[derive(Debug, Serialize)]
pub(crate) struct NoteGroup {
    title: String,
    class: &'static str,
    notes: Vec<NoteLine>,
}

#[derive(Debug, Serialize)]
struct NoteLine {
    subject: String,
    message: String,
    code: String,
}

/// Errors first, then warnings, registrations that did not pass, and events a reader should look at.
pub(crate) fn doubts(page: &PatientPage) -> Vec<Doubt> {
    let registrations: Vec<Registered<'_>> = page
        .visits
        .iter()
        .filter_map(|visit| Some((visit.id, visit.registration.as_ref()?)))
        .map(|(visit, registration)| (visit, registration.quality, registration.reasons.as_slice()))
        .collect();
    of_patient(&page.notes, &registrations, &page.events)
}

/// How a visit lies on baseline: its quality, and why it is not better.
pub type Registered<'a> = (VisitId, Quality, &'a [String]);

/// How many things there are to doubt on a patient's page, by what the page is made of.
#[must_use]
pub fn n_doubts(notes: &[Note], registrations: &[Registered<'_>], events: &[EventRow]) -> usize {
    of_patient(notes, registrations, events).len()
}

fn of_patient(notes: &[Note], registrations: &[Registered<'_>], events: &[EventRow]) -> Vec<Doubt> {
    let mut doubts = of_notes(notes);
    for (visit, quality, reasons) in registrations.iter().filter(|(_, quality, _)| *quality != Quality::Pass) {
        if !reasons.is_empty() && reasons.iter().all(|reason| said(notes, *visit, reason)) {
            continue;
        }
        let failed = *quality == Quality::Fail;
        let why = if reasons.is_empty() { "no reason stated".to_owned() } else { reasons.join("; ") };
        doubts.push(Doubt {
            word: if failed { "missing" } else { "look" },
            class: if failed { "error" } else { "warning" },
            subject: format!("visit {visit}"),
            message: format!("registration {}: {why}", if failed { "failed" } else { "needs a look" }),
        });
    }
    for event in events.iter().filter(|event| event.needs_review) {
        let subject = if event.lesion_id.is_empty() {
            event.date.to_string()
        } else {
            format!("{}, {}", event.lesion_id, event.date)
        };
        doubts.push(Doubt {
            word: "look",
            class: "warning",
            subject,
            message: format!("{}: {}", event_words(event), event.why),
        });
    }
    doubts.sort_by_key(|doubt| doubt.class != "error");
    doubts
}

/// Whether a note already gives this reason for this visit, alone or within a longer sentence.
fn said(notes: &[Note], visit: VisitId, reason: &str) -> bool {
    let visit = visit.to_string();
    let tells = |note: &Note| {
        note.message == reason
            || note.message.contains(reason) && (note.subject.contains(&visit) || note.message.contains(&visit))
    };
    notes.iter().any(|note| note.severity != Severity::Info && tells(note))
}

/// From so many notes of one kind on, the kind is said once with its places.
const SAID_ONCE: usize = 3;
/// Places that are named of such a kind.
const PLACES: usize = 12;

/// Errors and warnings among `notes`, those of one kind at many places as one.
pub(crate) fn of_notes(notes: &[Note]) -> Vec<Doubt> {
    let of = |severity: Severity, word: &'static str, class: &'static str| {
        let notes: Vec<&Note> = notes.iter().filter(|note| note.severity == severity).collect();
        let mut kinds: Vec<&str> = Vec::new();
        for note in &notes {
            if !kinds.contains(&note.code.as_str()) {
                kinds.push(&note.code);
            }
        }
        let of_kind = |kind: &str| -> Vec<Doubt> {
            let own: Vec<&Note> = notes.iter().copied().filter(|note| note.code == kind).collect();
            let told =
                if own.len() < SAID_ONCE { own.iter().map(|note| told(note)).collect() } else { vec![together(&own)] };
            told.into_iter().map(|(subject, message)| Doubt { word, class, subject, message }).collect()
        };
        kinds.into_iter().flat_map(of_kind).collect::<Vec<_>>()
    };
    let mut doubts = of(Severity::Error, "missing", "error");
    doubts.extend(of(Severity::Warning, "look", "warning"));
    doubts
}

/// Subject and message of a note; a subject that the message begins with is said once.
fn told(note: &Note) -> (String, String) {
    let again = note.message.strip_prefix(note.subject.as_str()).and_then(|rest| rest.strip_prefix(": "));
    (note.subject.clone(), again.unwrap_or(&note.message).to_owned())
}

/// Notes of one kind as one: how many, where, and one of them.
fn together(notes: &[&Note]) -> (String, String) {
    let mut places: Vec<&str> = Vec::new();
    for note in notes {
        if !places.contains(&note.subject.as_str()) {
            places.push(&note.subject);
        }
    }
    let n_more = places.len().saturating_sub(PLACES);
    let more = if n_more == 0 { String::new() } else { format!(" and {n_more} more") };
    let named = places.iter().take(PLACES).copied().collect::<Vec<_>>().join(", ");
    let (subject, message) = told(notes[0]);
    let first =
        if places.len() > 1 { format!("for example {subject}: {message}") } else { format!("for example: {message}") };
    (words(&notes[0].code), format!("{} ({named}{more}); {first}", counted(notes.len(), "time", "times")))
}

/// What was noted of several patients, as one thing to doubt.
pub(crate) fn of_flag(flag: &Flag) -> Option<Doubt> {
    let (word, class) = match flag.severity {
        Severity::Error => ("missing", "error"),
        Severity::Warning => ("look", "warning"),
        Severity::Info => return None,
    };
    let patients = counted(flag.patients.len(), "patient", "patients");
    Some(Doubt {
        word,
        class,
        subject: words(&flag.code),
        message: format!("in {patients}; for example: {}", flag.example),
    })
}

/// Doubts shown at the top of a page; the tables and notes below have all of them.
const SHOWN: usize = 8;

/// Cuts the list to what is shown at the top and says how many were left off.
pub(crate) fn keep_first(doubts: &mut Vec<Doubt>) -> usize {
    let n_more = doubts.len().saturating_sub(SHOWN);
    doubts.truncate(SHOWN);
    n_more
}

/// `2 things to doubt`.
pub(crate) fn doubts_title(n: usize) -> String {
    if n == 0 { "Nothing noted to doubt".to_owned() } else { counted(n, "thing to doubt", "things to doubt") }
}

/// Notes by severity, the gravest first; empty groups are left out.
pub(crate) fn note_groups(notes: &[Note]) -> Vec<NoteGroup> {
    let group = |severity: Severity, title: &str, class: &'static str| {
        let notes: Vec<NoteLine> = notes
            .iter()
            .filter(|note| note.severity == severity)
            .map(|note| {
                let (subject, message) = told(note);
                NoteLine { subject, message, code: note.code.clone() }
            })
            .collect();
        NoteGroup { title: format!("{title} ({})", notes.len()), class, notes }
    };
    [
        group(Severity::Error, "A result is missing because of this", "error"),
        group(Severity::Warning, "A result may be affected: please look", "warning"),
        group(Severity::Info, "For completeness", "info"),
    ]
    .into_iter()
    .filter(|group| !group.notes.is_empty())
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_noted_at_many_visits_is_one_doubt_with_its_places_and_a_subject_is_said_once() {
        let note = |subject: &str| Note::warning("phase_doubtful", subject, format!("{subject}: the pixels disagree"));
        let mut notes: Vec<Note> = ["2021-01-01", "2021-02-01", "2021-03-01"].map(note).to_vec();
        notes.push(Note::warning("read_unbound", "A", "says nothing"));
        let doubts = of_notes(&notes);
        assert_eq!((doubts.len(), n_doubts(&notes, &[], &[])), (2, 2));
        let Doubt { subject, message, .. } = &doubts[0];
        assert_eq!(subject, "phase doubtful");
        let expected = "3 times (2021-01-01, 2021-02-01, 2021-03-01); for example 2021-01-01: the pixels disagree";
        assert_eq!(message, expected);
        assert_eq!((doubts[1].subject.as_str(), doubts[1].message.as_str()), ("A", "says nothing"));
        let two = of_notes(&notes[..2]);
        assert_eq!((two.len(), two[0].message.as_str()), (2, "the pixels disagree"));
    }

    #[test]
    fn registrations_and_events_count_as_they_are_shown() {
        let visit = VisitId::first("2021-03-26".parse().unwrap());
        let reasons = ["local deformation left over".to_owned()];
        let said = Note::warning("registration_quality", "2021-03-26", "2021-03-26: local deformation left over");
        assert_eq!(n_doubts(&[], &[(visit, Quality::Review, &reasons), (visit, Quality::Pass, &[])], &[]), 1);
        assert_eq!(n_doubts(&[said], &[(visit, Quality::Review, &reasons)], &[]), 1);
    }
}
