//! Worked cases of iRECIST: courses and best responses.
//!
//! Source: Seymour et al. 2017 Tables 2 and 3; EORTC iRECIST FAQ.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::response_cases::{bad, object, read, table};
use super::{CaseError, CaseInput};
use crate::criteria::course::{CourseVisit, follow};
use crate::criteria::immune::{ImmuneVisit, NewLesions, follow_immune};
use crate::criteria::immune_response::{ImmuneResponse, best_immune_response};
use crate::criteria::response::{NewLesionResponse, NonTargetResponse};
use crate::criteria::size::SizedLesion;
use crate::exact::Exact;
use crate::lesion::{LesionId, LesionKind, Size};

const CATEGORY: &str = "irecist";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Course {
    baseline_sum: Exact,
    timepoints: Vec<Timepoint>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Timepoint {
    day: i64,
    sum: Option<Exact>,
    nt: Option<String>,
    #[serde(default)]
    nt_worse: bool,
    #[serde(default)]
    new: u32,
    nlt: Option<Exact>,
    #[serde(default)]
    nlnt_worse: bool,
    #[serde(default)]
    nl_resolved: bool,
    #[serde(default)]
    new_symptoms: bool,
}

impl Timepoint {
    fn non_target(&self) -> Result<NonTargetResponse, CaseError> {
        let word = match self.nt.as_deref() {
            None | Some("NN") => "NON-CR/NON-PD",
            Some(word) => word,
        };
        word.parse().map_err(|error| bad(CATEGORY, &error))
    }

    /// The sum stands for one target.
    fn course_visit(&self) -> Result<CourseVisit, CaseError> {
        let size = self.sum.map_or_else(|| Size::NotEvaluable("coded NE".to_owned()), Size::Measured);
        Ok(CourseVisit {
            day: self.day,
            targets: vec![SizedLesion { lesion: LesionId::new("sum"), kind: LesionKind::Lesion, size }],
            non_target: self.non_target()?,
            non_target_why: String::new(),
            non_targets_seen: Vec::new(),
            new_lesion: NewLesionResponse::No,
            new_lesion_why: String::new(),
            restart: None,
            complete_before: false,
        })
    }
}

pub(super) fn course(case: &CaseInput<'_>) -> Result<Map<String, Value>, CaseError> {
    let input: Course = read(CATEGORY, case.input)?;
    let table = table("irecist", CATEGORY, case.options)?;
    let visits: Vec<CourseVisit> = input.timepoints.iter().map(Timepoint::course_visit).collect::<Result<_, _>>()?;
    let verdicts = follow(Some(input.baseline_sum), &visits, &table);
    let immune: Vec<ImmuneVisit> = input
        .timepoints
        .iter()
        .zip(&verdicts)
        .map(|(timepoint, verdict)| ImmuneVisit {
            day: timepoint.day,
            target: verdict.target,
            target_sum: timepoint.sum,
            non_target: verdict.non_target,
            non_target_grew: timepoint.nt_worse,
            new_lesions: NewLesions {
                n_first_seen: timepoint.new,
                target_sum: timepoint.nlt,
                others_grew: timepoint.nlnt_worse,
                others_unequivocal: false,
                resolved: timepoint.nl_resolved,
            },
            new_symptoms: timepoint.new_symptoms,
        })
        .collect();
    let course = follow_immune(&immune, &table).map_err(|error| bad(CATEGORY, &error))?;
    let responses: Vec<ImmuneResponse> = course.verdicts.iter().map(|verdict| verdict.response).collect();
    Ok(object(json!({
        "tpr": responses,
        "ibor": course.best,
        "progression_day": course.progression.map(|at| input.timepoints[at].day),
        "unconfirmed_day": course.unconfirmed.map(|at| input.timepoints[at].day),
        "why": course.verdicts.iter().map(|verdict| verdict.why.as_str()).collect::<Vec<_>>(),
    })))
}

pub(super) fn best(case: &CaseInput<'_>) -> Result<Map<String, Value>, CaseError> {
    const CATEGORY: &str = "irecist_ibor";
    let sequence: Vec<ImmuneResponse> = read(CATEGORY, &case.input["sequence"])?;
    Ok(object(json!({ "ibor": best_immune_response(&sequence) })))
}
