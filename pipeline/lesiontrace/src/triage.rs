//! What can be said of each patient before anything is measured: which visits are usable, what is missing for which criterion, and
//! why. From headers and clinical tables alone.
//!
//! Source: Eisenhauer et al. 2009, §3.1 and §3.2 (RECIST 1.1: baseline, slice thickness); Lencioni & Llovet 2010 (mRECIST: arterial
//! phase); Wahl et al. 2009 (PERCIST 1.0: SUL of two PETs).

use std::collections::BTreeMap;

use formats::archive::{ArchiveIndex, PatientImages, TimepointImages};
use formats::clinical::ClinicalTables;
use oncology::Date;
use oncology::visit_window::{VisitLabel, label_visits};
use serde::Serialize;

use crate::config::Study;

mod needs;

pub(crate) use needs::{Need, Readiness};

/// One patient before anything is measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct PatientTriage {
    /// Identifier as in the images.
    pub(crate) patient_id: String,
    /// Days with images, earliest first.
    pub(crate) visits: Vec<VisitTriage>,
    /// Days of treatment, earliest first.
    pub(crate) treatments: Vec<Date>,
    /// What each criterion finds.
    pub(crate) needs: Vec<Need>,
    /// Series that cannot be used, each with its reasons.
    pub(crate) unusable: Vec<String>,
}

/// One day with images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct VisitTriage {
    /// The day; `None` gathers series without one.
    pub(crate) date: Option<Date>,
    /// Where it stands round the treatments; empty without a day, or without a usable image.
    pub(crate) label: String,
    /// Roles of usable series, in the order of the index.
    pub(crate) roles: Vec<String>,
    /// Number of series.
    pub(crate) n_series: usize,
    /// Number of them that are usable.
    pub(crate) n_usable: usize,
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

/// Every patient, in the order of the index.
pub(crate) fn triage(index: &ArchiveIndex, clinical: &ClinicalTables, study: &Study) -> Vec<PatientTriage> {
    index.patients.iter().map(|images| patient(images, clinical, study)).collect()
}

fn patient(images: &PatientImages, clinical: &ClinicalTables, study: &Study) -> PatientTriage {
    let mut treatments: Vec<Date> = clinical.treatments_of(&images.patient_id).iter().map(|t| t.date).collect();
    treatments.dedup();
    let labels = labels(images, &treatments, study);
    PatientTriage {
        patient_id: images.patient_id.clone(),
        visits: images.timepoints.iter().map(|t| visit(t, &labels)).collect(),
        needs: needs::needs(images, clinical, study),
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

fn visit(timepoint: &TimepointImages, labels: &BTreeMap<Date, VisitLabel>) -> VisitTriage {
    let usable: Vec<&str> = timepoint.series.iter().filter(|s| s.row.usable).map(|s| s.row.role.as_str()).collect();
    let mut roles: Vec<String> = usable.iter().map(|role| (*role).to_owned()).collect();
    roles.dedup();
    VisitTriage {
        date: timepoint.study_date,
        label: timepoint.study_date.and_then(|d| labels.get(&d)).map(ToString::to_string).unwrap_or_default(),
        roles,
        n_series: timepoint.series.len(),
        n_usable: usable.len(),
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
