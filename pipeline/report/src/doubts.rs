//! What to doubt, gathered from everywhere on a page, and the notes sorted by how much they matter.

use imaging::{Note, Severity};
use oncology::VisitId;
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
    let mut doubts = of_notes(&page.notes);
    for visit in &page.visits {
        let Some(registration) =
            visit.registration.as_ref().filter(|registration| registration.quality != Quality::Pass)
        else {
            continue;
        };
        if !registration.reasons.is_empty() && registration.reasons.iter().all(|reason| said(page, visit.id, reason)) {
            continue;
        }
        let failed = registration.quality == Quality::Fail;
        let why = if registration.reasons.is_empty() {
            "no reason stated".to_owned()
        } else {
            registration.reasons.join("; ")
        };
        doubts.push(Doubt {
            word: if failed { "missing" } else { "look" },
            class: if failed { "error" } else { "warning" },
            subject: format!("visit {}", visit.id),
            message: format!("registration {}: {why}", if failed { "failed" } else { "needs a look" }),
        });
    }
    for event in page.events.iter().filter(|event| event.needs_review) {
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
fn said(page: &PatientPage, visit: VisitId, reason: &str) -> bool {
    let visit = visit.to_string();
    let tells = |note: &Note| {
        note.message == reason
            || note.message.contains(reason) && (note.subject.contains(&visit) || note.message.contains(&visit))
    };
    page.notes.iter().any(|note| note.severity != Severity::Info && tells(note))
}

/// Errors and warnings among `notes`.
pub(crate) fn of_notes(notes: &[Note]) -> Vec<Doubt> {
    let of = |severity: Severity, word: &'static str, class: &'static str| {
        notes.iter().filter(move |note| note.severity == severity).map(move |note| Doubt {
            word,
            class,
            subject: note.subject.clone(),
            message: note.message.clone(),
        })
    };
    of(Severity::Error, "missing", "error").chain(of(Severity::Warning, "look", "warning")).collect()
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
            .map(|note| NoteLine {
                subject: note.subject.clone(),
                message: note.message.clone(),
                code: note.code.clone(),
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
