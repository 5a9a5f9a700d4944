//! The triage page as its template reads it.

use serde::Serialize;

use crate::cohort_page::Count;
use crate::doubts::{Doubt, NoteGroup, doubts_title, keep_first, note_groups, of_notes};
use crate::figure::{TriageScale, triage_line};
use crate::provenance::{Provenance, RunBlock};
use crate::triage_page::{TriageNeed, TriagePage, TriagePatient, TriageReadiness, TriageVisit};

#[derive(Serialize)]
pub(crate) struct TriageView<'a> {
    title: &'a str,
    counts: &'a [Count],
    doubts_title: String,
    doubts: Vec<Doubt>,
    n_more_doubts: usize,
    criteria: Vec<CriterionView<'a>>,
    patients: Vec<PatientView<'a>>,
    notes: Vec<NoteGroup>,
    methods: Vec<&'static str>,
    provenance: &'a Provenance,
    run: &'a RunBlock,
}

/// How many patients each criterion can assess.
#[derive(Serialize)]
struct CriterionView<'a> {
    name: &'a str,
    title: String,
    n_ready: usize,
    n_partly: usize,
    n_missing: usize,
    /// The reason most patients share; empty where nothing is missing.
    first_reason: String,
}

#[derive(Serialize)]
struct PatientView<'a> {
    patient_id: &'a str,
    svg: String,
    n_visits: usize,
    n_series: u64,
    n_usable: u64,
    needs: Vec<NeedView<'a>>,
    visits: Vec<String>,
    unusable: &'a [String],
}

#[derive(Serialize)]
struct NeedView<'a> {
    title: String,
    word: &'static str,
    class: &'static str,
    missing: &'a [String],
}

const METHODS: [&str; 1] = [
    "Headers and clinical tables were read, nothing was measured: a series called usable makes one volume with a known grid; whether its pixels can be decoded shows when it is loaded.",
];

pub(crate) fn triage_view(page: &TriagePage) -> TriageView<'_> {
    let scale = TriageScale::of(&page.patients);
    let mut doubts = of_notes(&page.notes);
    let n_doubts = doubts.len();
    let n_more_doubts = keep_first(&mut doubts);
    let names = page.patients.first().map(|p| p.needs.as_slice()).unwrap_or_default();
    TriageView {
        title: &page.title,
        counts: &page.counts,
        doubts_title: doubts_title(n_doubts),
        doubts,
        n_more_doubts,
        criteria: names.iter().map(|need| criterion(&need.criterion, page)).collect(),
        patients: page.patients.iter().map(|p| patient(p, scale)).collect(),
        notes: note_groups(&page.notes),
        methods: METHODS.to_vec(),
        provenance: &page.provenance,
        run: &page.run,
    }
}

/// `recist 1 1` → as people write it.
fn title_of(criterion: &str) -> String {
    match criterion {
        "recist_1_1" => "RECIST 1.1".to_owned(),
        "mrecist" => "mRECIST".to_owned(),
        "percist_1_0" => "PERCIST 1.0".to_owned(),
        other => other.replace('_', " "),
    }
}

fn criterion<'a>(name: &'a str, page: &'a TriagePage) -> CriterionView<'a> {
    let needs = || page.patients.iter().flat_map(|p| &p.needs).filter(|need| need.criterion == name);
    let count = |readiness| needs().filter(|need| need.readiness == readiness).count();
    // Days differ from patient to patient; what is said of them does not.
    let mut reasons = std::collections::BTreeMap::new();
    for need in needs() {
        for reason in need.missing.iter().map(|reason| without_day(reason)).collect::<std::collections::BTreeSet<_>>() {
            *reasons.entry(reason).or_insert(0_usize) += 1;
        }
    }
    let commonest = reasons.into_iter().max_by(|(a, n), (b, m)| n.cmp(m).then_with(|| b.cmp(a)));
    let words = |(reason, n): (&str, usize)| format!("{reason} ({n} patient{})", if n == 1 { "" } else { "s" });
    CriterionView {
        name,
        title: title_of(name),
        n_ready: count(TriageReadiness::Ready),
        n_partly: count(TriageReadiness::Partly),
        n_missing: count(TriageReadiness::Missing),
        first_reason: commonest.map(words).unwrap_or_default(),
    }
}

/// A reason without the day it begins with.
fn without_day(reason: &str) -> &str {
    match reason.split_once(": ") {
        Some((day, rest)) if day.len() == 10 && day.starts_with(|c: char| c.is_ascii_digit()) => rest,
        Some((ablation, rest)) if ablation.starts_with("ablation of ") => rest,
        _ => reason,
    }
}

fn patient(patient: &TriagePatient, scale: TriageScale) -> PatientView<'_> {
    PatientView {
        patient_id: &patient.patient_id,
        svg: triage_line(patient, scale),
        n_visits: patient.visits.iter().filter(|v| v.visit.is_some()).count(),
        n_series: patient.visits.iter().map(|v| v.n_series).sum(),
        n_usable: patient.visits.iter().map(|v| v.n_usable).sum(),
        needs: patient.needs.iter().map(need).collect(),
        visits: patient.visits.iter().map(visit).collect(),
        unusable: &patient.unusable,
    }
}

fn need(need: &TriageNeed) -> NeedView<'_> {
    let (word, class) = match need.readiness {
        TriageReadiness::Ready => ("ready", "response"),
        TriageReadiness::Partly => ("partly", "unconfirmed"),
        TriageReadiness::Missing => ("missing", "not-evaluable"),
    };
    NeedView { title: title_of(&need.criterion), word, class, missing: &need.missing }
}

/// `2020-03-02 · baseline: ct_portal_venous, ct_arterial (2 of 3 series usable)`
fn visit(visit: &TriageVisit) -> String {
    let date = visit.visit.map_or_else(|| "no day".to_owned(), |name| name.to_string());
    let label = if visit.label.is_empty() { String::new() } else { format!(" · {}", visit.label) };
    let roles = if visit.roles.is_empty() { "nothing usable".to_owned() } else { visit.roles.join(", ") };
    format!("{date}{label}: {roles} ({} of {} series usable)", visit.n_usable, visit.n_series)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::render_triage;

    fn need(readiness: TriageReadiness, missing: &[&str]) -> TriageNeed {
        let missing = missing.iter().map(|reason| (*reason).to_owned()).collect();
        TriageNeed { criterion: "mrecist".to_owned(), readiness, missing }
    }

    fn page() -> TriagePage {
        let visit = |day: &str, n_usable| TriageVisit {
            visit: day.parse().ok(),
            label: "6 weeks".to_owned(),
            roles: vec!["ct_arterial".to_owned()],
            n_series: 3,
            n_usable,
        };
        let patient = |id: &str, need| TriagePatient {
            patient_id: id.to_owned(),
            visits: vec![visit("2024-01-01", 2), visit("2024-03-01", 0)],
            treatments: Vec::new(),
            needs: vec![need],
            unusable: Vec::new(),
        };
        TriagePage {
            title: "archive".to_owned(),
            counts: Vec::new(),
            patients: vec![
                patient("<script>1</script>", need(TriageReadiness::Partly, &["2024-03-01: no arterial phase"])),
                patient("B", need(TriageReadiness::Missing, &["2024-01-01: no arterial phase", "one visit alone"])),
            ],
            notes: Vec::new(),
            provenance: Provenance { components: Vec::new() },
            run: RunBlock::default(),
        }
    }

    #[test]
    fn reasons_are_counted_without_their_days_and_hostile_names_stay_text() {
        let page = page();
        let view = triage_view(&page);
        let criterion = &view.criteria[0];
        assert_eq!((criterion.n_ready, criterion.n_partly, criterion.n_missing), (0, 1, 1));
        assert_eq!(criterion.first_reason, "no arterial phase (2 patients)");
        assert_eq!(view.patients[0].visits[1], "2024-03-01 · 6 weeks: ct_arterial (0 of 3 series usable)");
        let html = render_triage(&page).unwrap();
        assert!(!html.contains("<script>1") && html.contains("&lt;script&gt;1"));
    }
}
