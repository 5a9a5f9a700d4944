//! What each criterion asks of a patient's images and tables, and what of it is missing.

use formats::archive::{PatientImages, SeriesEntry, TimepointImages};
use formats::clinical::ClinicalTables;
use formats::dicom::SliceHeader;
use formats::dicom::pet::{SuvOptions, suv_factor};
use formats::dicom::role::SeriesRole;
use oncology::{Date, Days};
use serde::Serialize;

use super::days::DayVisit;
use crate::config::Study;
use crate::plan::DaySide;

/// Slices thicker than this make the smallest target twice their thickness (Eisenhauer et al. 2009, §3.1.1).
const THICK_SLICE_MM: f64 = 5.0;

/// How far a criterion can be assessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Readiness {
    /// Everything it needs is there.
    Ready,
    /// Some visits can be assessed.
    Partly,
    /// Nothing can be assessed.
    Missing,
}

impl Readiness {
    /// As written in tables.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Partly => "partly",
            Self::Missing => "missing",
        }
    }
}

/// One criterion of one patient.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Need {
    /// The criterion, or what else is asked for: `margin`, `survival`.
    pub(crate) criterion: &'static str,
    /// How far it can be assessed.
    pub(crate) readiness: Readiness,
    /// Visits (pairs of visits, for margins) that it can use.
    pub(crate) n_usable: usize,
    /// What is missing, and what to doubt, each a sentence.
    pub(crate) missing: Vec<String>,
}

/// A visit for one criterion: its day, and why it cannot be used.
type Visit = (Date, Result<(), String>);

/// What each criterion finds.
pub(super) fn needs(
    images: &PatientImages,
    visits: &[DayVisit],
    clinical: &ClinicalTables,
    study: &Study,
) -> Vec<Need> {
    let dated: Vec<(Date, &TimepointImages)> =
        images.timepoints.iter().filter_map(|t| Some((t.study_date?, t))).collect();
    let of = |check: &dyn Fn(&TimepointImages) -> Result<(), String>| -> Vec<Visit> {
        dated.iter().filter(|(_, t)| t.series.iter().any(is_image)).map(|(date, t)| (*date, check(t))).collect()
    };
    let mut recist = response("recist_1_1", &of(&|t| any_of(t, &study.series.measure).map(|_| ())));
    let measured = measured(&dated, study);
    if let Some(doubt) = other_modality(&measured) {
        recist.readiness = recist.readiness.max(Readiness::Partly);
        recist.missing.insert(0, doubt);
    }
    recist.missing.extend(of_measured(&measured));
    vec![
        recist,
        response("mrecist", &of(&|t| any_of(t, &study.series.arterial).map(|_| ()))),
        response("percist_1_0", &of(&|t| any_of(t, &study.series.pet).and_then(suv))),
        margin(visits, clinical, &images.patient_id, study),
        survival(clinical, &images.patient_id),
    ]
}

fn is_image(series: &SeriesEntry) -> bool {
    matches!(series.row.modality.as_str(), "CT" | "MR" | "PT")
}

/// The best usable series of the first role a time point has, or why there is none.
fn any_of<'a>(timepoint: &'a TimepointImages, roles: &[String]) -> Result<&'a SeriesEntry, String> {
    let of_roles: Vec<&SeriesEntry> =
        timepoint.series.iter().filter(|s| roles.iter().any(|role| s.row.role.as_str() == role)).collect();
    let usable = roles.iter().find_map(|role| of_roles.iter().find(|s| s.row.usable && s.row.role.as_str() == role));
    if let Some(series) = usable {
        return Ok(series);
    }
    if of_roles.is_empty() {
        let there: Vec<&str> = timepoint.series.iter().filter(|s| is_image(s)).map(|s| s.row.role.as_str()).collect();
        return Err(format!("no series of {}; there are {}", roles.join(" or "), counted(&there)));
    }
    let broken = of_roles.iter().map(|s| format!("\"{}\": {}", s.row.description, s.row.reasons.join("; ")));
    Err(format!("no usable series of {}: {}", roles.join(" or "), broken.collect::<Vec<_>>().join("; ")))
}

/// `2 × ct, 1 × other`
fn counted(words: &[&str]) -> String {
    let mut counts = std::collections::BTreeMap::new();
    for word in words {
        *counts.entry(*word).or_insert(0_usize) += 1;
    }
    counts.iter().map(|(word, n)| format!("{n} × {word}")).collect::<Vec<_>>().join(", ")
}

/// A criterion that compares visits: two or more are needed.
fn response(criterion: &'static str, visits: &[Visit]) -> Need {
    let n_usable = visits.iter().filter(|(_, found)| found.is_ok()).count();
    let mut missing: Vec<String> =
        visits.iter().filter_map(|(date, found)| Some(format!("{date}: {}", found.as_ref().err()?))).collect();
    let readiness = match (n_usable, missing.is_empty()) {
        (0 | 1, _) => Readiness::Missing,
        (_, true) => Readiness::Ready,
        (_, false) => Readiness::Partly,
    };
    if n_usable == 1 {
        missing.insert(0, "one visit alone: response compares at least two".to_owned());
    } else if visits.is_empty() {
        missing.push("no visit with a day and an image".to_owned());
    }
    Need { criterion, readiness, n_usable, missing }
}

/// Whether a PET's numbers become SUV.
fn suv(series: &SeriesEntry) -> Result<(), String> {
    if series.nifti.is_some() {
        return Ok(());
    }
    let headers = series.headers.unpack();
    let slices: Vec<&SliceHeader> = headers.iter().collect();
    suv_factor(&slices, &SuvOptions::STANDARD).map(|_| ()).map_err(|reason| format!("SUV is not evaluable: {reason}"))
}

/// The series that would be measured on each day.
fn measured<'a>(dated: &[(Date, &'a TimepointImages)], study: &Study) -> Vec<(Date, &'a SeriesEntry)> {
    dated.iter().filter_map(|(date, t)| Some((*date, any_of(t, &study.series.measure).ok()?))).collect()
}

/// Why sizes of some visits cannot be compared: another modality than at the first one (Eisenhauer et al. 2009, §3.2: the same method
/// of measurement at baseline and during follow-up).
fn other_modality(measured: &[(Date, &SeriesEntry)]) -> Option<String> {
    let (first_date, first) = measured.first()?;
    let kind = |series: &SeriesEntry| {
        if series.row.role == SeriesRole::Pet { "PT".to_owned() } else { series.row.modality.clone() }
    };
    let others = measured.iter().filter(|(_, series)| kind(series) != kind(first));
    let others: Vec<String> = others.map(|(date, series)| format!("{date} ({})", kind(series))).collect();
    (!others.is_empty()).then(|| {
        format!(
            "the modality changes from {} on {first_date} to that of {}: RECIST 1.1 compares sizes of one modality; name roles of one modality in [series] measure",
            kind(first),
            others.join(", ")
        )
    })
}

/// What to doubt about the series that would be measured: several phases, thick slices.
fn of_measured(measured: &[(Date, &SeriesEntry)]) -> Vec<String> {
    let mut doubts = Vec::new();
    let roles: Vec<&str> = measured.iter().map(|(_, s)| s.row.role.as_str()).collect();
    if roles.windows(2).any(|pair| pair[0] != pair[1]) {
        doubts.push(format!("visits differ in what would be measured ({}): compare like with like", counted(&roles)));
    }
    let thick = measured.iter().filter_map(|(date, s)| {
        let mm = s.row.spacing_mm.map(|mm| mm[2]).filter(|mm| *mm > THICK_SLICE_MM && s.row.role != SeriesRole::Pet)?;
        Some(format!("{date}: slices lie {mm} mm apart: a target must measure at least {} mm", 2.0 * mm))
    });
    doubts.extend(thick);
    doubts
}

/// A margin needs the tumour before an ablation and the zone after it.
fn margin(visits: &[DayVisit], clinical: &ClinicalTables, id: &str, study: &Study) -> Need {
    let mut ablations: Vec<Date> =
        clinical.treatments_of(id).iter().filter(|t| t.modality.leaves_ablation_zone()).map(|t| t.date).collect();
    ablations.dedup();
    let usable = visits.iter().filter(|v| any_of(&v.images, &study.series.measure).is_ok());
    let usable: Vec<Sided> = usable.filter_map(|v| Some((v.images.study_date?, v.side))).collect();
    let mut missing = Vec::new();
    let mut n_usable = 0;
    for ablation in &ablations {
        let faults = pair_faults(*ablation, &usable, study);
        n_usable += usize::from(faults.is_empty());
        missing.extend(faults.into_iter().map(|fault| format!("ablation of {ablation}: {fault}")));
        let mut of_day = clinical.treatments_of(id).into_iter().filter(|t| t.date == *ablation);
        if usable.iter().any(|(day, _)| day == ablation) && of_day.all(|t| t.time.is_none()) {
            missing.push(format!(
                "ablation of {ablation}: images of that day may be from before or after it; nothing says which (treatments.csv has no time)"
            ));
        }
    }
    if ablations.is_empty() {
        missing.push("no ablation of the patient in treatments.csv".to_owned());
    }
    let readiness = match n_usable {
        0 => Readiness::Missing,
        n if n == ablations.len() && missing.is_empty() => Readiness::Ready,
        _ => Readiness::Partly,
    };
    Need { criterion: "margin", readiness, n_usable, missing }
}

/// The day of a visit, and where it stands on the day of a treatment.
type Sided = (Date, Option<DaySide>);

/// Why there is no pair of studies round an ablation.
fn pair_faults(ablation: Date, usable: &[Sided], study: &Study) -> Vec<String> {
    let (before, after) = (study.timeline.baseline_days, study.timeline.margin_days);
    // Of a scan on the day itself that nothing orders it is hoped that it shows the tumour.
    let is_after = |(day, side): &&Sided| *day > ablation || *day == ablation && *side == Some(DaySide::After);
    let last = usable.iter().rev().find(|visit| !is_after(visit)).map(|(day, _)| Days::between(*day, ablation).0);
    let next = usable.iter().find(is_after).map(|(day, _)| Days::between(ablation, *day).0);
    let mut faults = Vec::new();
    match last {
        None => faults.push("no usable study before it".to_owned()),
        Some(days) if days > before => faults.push(format!(
            "the last usable study before it is {days} days older; {before} are allowed ([timeline] baseline_days)"
        )),
        Some(_) => {}
    }
    match next {
        None => faults.push("no usable study after it".to_owned()),
        Some(days) if days > after => faults.push(format!(
            "the first usable study after it is {days} days later; {after} are allowed ([timeline] margin_days)"
        )),
        Some(_) => {}
    }
    faults
}

/// Survival needs to know how long the patient was followed.
fn survival(clinical: &ClinicalTables, id: &str) -> Need {
    let missing = match clinical.patients.get(id) {
        None => Some("no row of the patient in patients.csv"),
        Some(row) if row.death_date.is_none() && row.last_contact_date.is_none() => {
            Some("neither death_date nor last_contact_date in patients.csv")
        }
        Some(_) => None,
    };
    let readiness = if missing.is_none() { Readiness::Ready } else { Readiness::Missing };
    Need { criterion: "survival", readiness, n_usable: 0, missing: missing.map(str::to_owned).into_iter().collect() }
}
