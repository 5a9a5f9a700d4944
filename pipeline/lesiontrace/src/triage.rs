//! What can be said of each patient before anything is measured: which visits are usable, what is missing for which criterion, and
//! why. From headers and clinical tables alone.
//!
//! Source: Eisenhauer et al. 2009, §3.1 and §3.2 (RECIST 1.1: baseline, slice thickness); Lencioni & Llovet 2010 (mRECIST: arterial
//! phase); Wahl et al. 2009 (PERCIST 1.0: SUL of two PETs).

use std::collections::BTreeMap;

use formats::archive::{ArchiveIndex, IndexRow, PatientImages};
use formats::clinical::ClinicalTables;
use oncology::visit_window::{VisitLabel, label_visits};
use oncology::{Date, VisitId};
use serde::Serialize;

use crate::config::Study;
use crate::plan::DaySide;

mod days;
mod needs;

use days::DayVisit;
pub(crate) use needs::{Need, Readiness};

/// One patient before anything is measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct PatientTriage {
    /// Identifier as in the images.
    pub(crate) patient_id: String,
    /// Visits, earliest first.
    pub(crate) visits: Vec<VisitTriage>,
    /// Days of treatment, earliest first.
    pub(crate) treatments: Vec<Date>,
    /// What each criterion finds.
    pub(crate) needs: Vec<Need>,
    /// Series that cannot be used, each with its reasons.
    pub(crate) unusable: Vec<String>,
}

/// One visit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct VisitTriage {
    /// Its name; `None` gathers series without a day.
    pub(crate) visit: Option<VisitId>,
    /// Where it stands round the treatments; empty without a day, or without a usable image.
    pub(crate) label: String,
    /// Roles of usable series, in the order of the index.
    pub(crate) roles: Vec<String>,
    /// Number of series.
    pub(crate) n_series: usize,
    /// Number of them that are usable.
    pub(crate) n_usable: usize,
    /// Series Instance UID and volume of each.
    #[serde(skip)]
    pub(crate) series: Vec<(String, Option<String>)>,
}

impl PatientTriage {
    /// Number of series.
    pub(crate) fn n_series(&self) -> usize {
        self.visits.iter().map(|v| v.n_series).sum()
    }
    /// Number of usable series.
    pub(crate) fn n_usable(&self) -> usize {
        self.visits.iter().map(|v| v.n_usable).sum()
    }
}

/// The label of each series' visit.
#[derive(Debug)]
pub(crate) struct VisitLabels<'a>(BTreeMap<(&'a str, &'a str, Option<&'a str>), &'a str>);

impl<'a> VisitLabels<'a> {
    /// Of every series whose visit has a label.
    pub(crate) fn of_patients(patients: &'a [PatientTriage]) -> Self {
        let of_visit = |patient: &'a PatientTriage| {
            let named = patient.visits.iter().filter(|v| v.visit.is_some() && !v.label.is_empty());
            let series = named.flat_map(|v| v.series.iter().map(|series| (series, v.label.as_str())));
            series.map(|((uid, volume), label)| ((patient.patient_id.as_str(), uid.as_str(), volume.as_deref()), label))
        };
        Self(patients.iter().flat_map(of_visit).collect())
    }

    /// The label of a series' visit.
    pub(crate) fn of(&self, row: &IndexRow) -> Option<&'a str> {
        self.0.get(&(row.patient_id.as_str(), row.series_uid.as_str(), row.volume.as_deref())).copied()
    }
}

/// Every patient, in the order of the index.
pub(crate) fn triage(index: &ArchiveIndex, clinical: &ClinicalTables, study: &Study) -> Vec<PatientTriage> {
    index.patients.iter().map(|images| patient(images, clinical, study)).collect()
}

fn patient(images: &PatientImages, clinical: &ClinicalTables, study: &Study) -> PatientTriage {
    let records = clinical.treatments_of(&images.patient_id);
    let mut treatments: Vec<Date> = records.iter().map(|t| t.date).collect();
    treatments.dedup();
    let labels = labels(images, &treatments, study);
    let visits = days::visits(images, &records, study);
    PatientTriage {
        patient_id: images.patient_id.clone(),
        visits: visits.iter().map(|v| visit(v, &labels)).collect(),
        needs: needs::needs(images, &visits, clinical, study),
        unusable: unusable(images),
        treatments,
    }
}

/// The label of each day with a usable image.
pub(crate) fn labels(images: &PatientImages, treatments: &[Date], study: &Study) -> BTreeMap<Date, VisitLabel> {
    let usable = images.timepoints.iter().filter(|t| t.series.iter().any(|s| s.row.usable));
    let dates: Vec<Date> = usable.filter_map(|t| t.study_date).collect();
    let labels = label_visits(&dates, treatments, &study.timeline);
    dates.into_iter().zip(labels).collect()
}

fn visit(visit: &DayVisit, labels: &BTreeMap<Date, VisitLabel>) -> VisitTriage {
    let timepoint = &visit.images;
    let label = timepoint.study_date.and_then(|d| labels.get(&d)).map(ToString::to_string).unwrap_or_default();
    let side = match visit.side.filter(|_| visit.is_split) {
        Some(DaySide::Before) => " (before it)",
        Some(DaySide::After) => " (after it)",
        _ => "",
    };
    let usable: Vec<&str> = timepoint.series.iter().filter(|s| s.row.usable).map(|s| s.row.role.as_str()).collect();
    let mut roles: Vec<String> = usable.iter().map(|role| (*role).to_owned()).collect();
    roles.dedup();
    VisitTriage {
        visit: visit.id,
        label: format!("{label}{side}"),
        roles,
        n_series: timepoint.series.len(),
        n_usable: usable.len(),
        series: timepoint.series.iter().map(|s| (s.row.series_uid.clone(), s.row.volume.clone())).collect(),
    }
}

/// Image series that cannot be used; structure sets, reports and the like are no images and need no excuse.
fn unusable(images: &PatientImages) -> Vec<String> {
    let series = images.timepoints.iter().flat_map(|t| &t.series);
    let images = series.filter(|s| !s.row.usable && matches!(s.row.modality.as_str(), "CT" | "MR" | "PT"));
    images
        .map(|s| {
            let row = &s.row;
            let date = row.study_date.map_or_else(|| "no day".to_owned(), |d| d.to_string());
            format!("{date}: {} \"{}\": {}", row.modality, row.description, row.reasons.join("; "))
        })
        .collect()
}
