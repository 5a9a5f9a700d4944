//! Part of stage *measure*: the radiotherapy dose in every lesion of a visit.
//!
//! A dose is no outline: it adds mean, smallest, largest dose, D95, D90, D98 and V20Gy to a lesion's measurements. Which of several
//! doses of one frame of reference is meant is never guessed. Source: DICOM PS3.3 C.8.8.3 (Dose Summation Type).

use std::path::{Path, PathBuf};

use formats::dicom::{DoseVolume, read_dose};
use imaging::{Mask, Note};
use oncology::Evaluable;
use oncology::measure::dose::{DoseStatistics, dose_statistics};
use serde::{Deserialize, Serialize};

use crate::stages::measure::Sizes;
use crate::stages::segment::Instance;

/// The dose in one lesion.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LesionDose {
    /// Which dose, and how it was read.
    pub(crate) method: String,
    /// The numbers, or why there are none.
    pub(crate) statistics: Evaluable<DoseStatistics>,
}

/// Adds the dose to the sizes of a visit's lesions, where there are doses in its frame of reference.
pub(crate) fn add(paths: &[PathBuf], lesions: &[Instance], sizes: &mut [Sizes], notes: &mut Vec<Note>) {
    let Some(dose) = load(paths, notes) else { return };
    for (size, lesion) in sizes.iter_mut().zip(lesions) {
        size.dose = Some(in_lesion(&dose, &lesion.mask));
    }
}

/// The dose of a visit, or why there is none.
struct VisitDose(Result<DoseVolume, String>);

/// Doses of a whole treatment; others (a beam, a fraction, a control point) are parts of one.
const WHOLE: [&str; 3] = ["PLAN", "MULTI_PLAN", "PLAN_OVERVIEW"];

/// Reads the doses in the visit's frame of reference; `None` where there is none.
fn load(paths: &[PathBuf], notes: &mut Vec<Note>) -> Option<VisitDose> {
    if paths.is_empty() {
        return None;
    }
    let (mut whole, mut parts, mut faults) = (Vec::new(), 0, Vec::new());
    for path in paths {
        match read_dose(path) {
            Ok(read) => {
                let dose = read.note_into(notes);
                let is_whole = dose.summation_type.as_deref().is_none_or(|kind| WHOLE.contains(&kind));
                if is_whole { whole.push(dose) } else { parts += 1 }
            }
            Err(error) => faults.push(error.to_string().replace(&*path.to_string_lossy(), &file_name(path))),
        }
    }
    let dose = match (whole.len(), faults.is_empty()) {
        (1, true) => Ok(whole.remove(0)),
        (_, false) => Err(format!("a dose cannot be used: {}", faults.join("; "))),
        (0, true) => Err(format!(
            "the {parts} dose(s) of the visit are parts of a plan's (beams or fractions); export the plan's"
        )),
        (n, true) => {
            Err(format!("the visit has {n} doses of whole plans; export their sum, or keep the one that counts"))
        }
    };
    match &dose {
        Ok(dose) => notes.push(Note::info("dose_read", dose.sop_instance_uid.clone(), read_as(dose))),
        Err(reason) => notes.push(Note::warning("dose_not_used", "RTDOSE", reason.clone())),
    }
    Some(VisitDose(dose))
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn read_as(dose: &DoseVolume) -> String {
    format!(
        "{}: mean, smallest and largest dose, D95, D90, D98 and V20Gy of every lesion are in the measurements; it outlines nothing",
        name_of(dose)
    )
}

/// Such as `PHYSICAL dose of PLAN`.
fn name_of(dose: &DoseVolume) -> String {
    let kind = dose.dose_type.as_deref().unwrap_or("unnamed");
    let summation = dose.summation_type.as_ref().map_or_else(String::new, |s| format!(" of {s}"));
    format!("{kind} dose{summation}")
}

/// The dose in a lesion.
fn in_lesion(dose: &VisitDose, lesion: &Mask) -> LesionDose {
    match &dose.0 {
        Ok(dose) => LesionDose {
            method: format!("{}, linear at voxel centres", name_of(dose)),
            statistics: dose_statistics(&dose.dose_gy, lesion),
        },
        Err(reason) => LesionDose { method: String::new(), statistics: Evaluable::not(reason.clone()) },
    }
}
