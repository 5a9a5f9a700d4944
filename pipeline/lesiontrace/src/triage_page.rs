//! The triage as the page of an archive.

use std::path::Path;

use formats::archive::ArchiveIndex;
use imaging::Note;
use report::{
    Component, Count, Provenance, RunBlock, TriageNeed, TriagePage, TriagePatient, TriageReadiness, TriageVisit,
};

use crate::config::LoadedStudy;
use crate::triage::{Need, PatientTriage, Readiness, VisitTriage};

/// The page of an archive.
pub(crate) fn page(
    archive: &Path,
    index: &ArchiveIndex,
    patients: &[PatientTriage],
    study: &LoadedStudy,
    notes: Vec<Note>,
) -> TriagePage {
    let count = |label: &str, value: usize| Count { label: label.to_owned(), value: value.to_string() };
    let n_visits = patients.iter().flat_map(|p| &p.visits).filter(|v| v.visit.is_some()).count();
    let component = |what: &str, version: &str, digest: String| Component {
        what: what.to_owned(),
        version: version.to_owned(),
        digest,
    };
    let mut components = vec![
        component("lesiontrace", env!("CARGO_PKG_VERSION"), String::new()),
        component("study file", "", format!("sha256:{}", study.digest)),
    ];
    components.extend(study.rules_file.iter().map(|rules| {
        let what = format!("series rules {} and the built-in ones", rules.name);
        component(&what, "", format!("sha256:{}", rules.digest))
    }));
    TriagePage {
        title: archive.file_name().map_or_else(|| "archive".to_owned(), |name| name.to_string_lossy().into_owned()),
        counts: vec![
            count("patients", patients.len()),
            count("visits", n_visits),
            count("series", patients.iter().map(PatientTriage::n_series).sum()),
            count("of them usable", patients.iter().map(PatientTriage::n_usable).sum()),
            count("files of other kinds", index.n_other_files),
        ],
        patients: patients.iter().map(patient).collect(),
        notes,
        provenance: Provenance { components },
        run: RunBlock { command_line: Some("lesiontrace index".to_owned()), ..RunBlock::default() },
    }
}

fn patient(patient: &PatientTriage) -> TriagePatient {
    TriagePatient {
        patient_id: patient.patient_id.clone(),
        visits: patient.visits.iter().map(visit).collect(),
        treatments: patient.treatments.clone(),
        needs: patient.needs.iter().map(need).collect(),
        unusable: patient.unusable.clone(),
    }
}

fn visit(visit: &VisitTriage) -> TriageVisit {
    TriageVisit {
        visit: visit.visit,
        label: visit.label.clone(),
        roles: visit.roles.clone(),
        n_series: visit.n_series as u64,
        n_usable: visit.n_usable as u64,
    }
}

fn need(need: &Need) -> TriageNeed {
    TriageNeed {
        criterion: need.criterion.to_owned(),
        readiness: match need.readiness {
            Readiness::Ready => TriageReadiness::Ready,
            Readiness::Partly => TriageReadiness::Partly,
            Readiness::Missing => TriageReadiness::Missing,
        },
        missing: need.missing.clone(),
    }
}
